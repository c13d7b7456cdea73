/* Exit codes: 0 done, 1 a fault of ours, 2 usage, 3 input, 4 resources, 5 interrupted. */
#ifndef NSET_CLI_EXIT_H
#define NSET_CLI_EXIT_H

#include <neuroset/error.h>

static inline int nset_exit_code(nset_status status)
{
    switch (status) {
    case NSET_OK:
        return 0;
    case NSET_ERR_ARG:
        return 2;
    case NSET_ERR_FORMAT:
        return 3;
    case NSET_ERR_NOMEM:
    case NSET_ERR_IO:
        return 4;
    case NSET_ERR_CANCELLED:
        return 5;
    default:
        return 1;
    }
}

#endif
