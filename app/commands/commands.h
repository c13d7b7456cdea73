/* The rows of the command table, one a file cmd_<name>.c. */
#ifndef NSET_COMMANDS_H
#define NSET_COMMANDS_H

#include "cli/option.h"

extern const nset_command nset_cmd_info, nset_cmd_sort, nset_cmd_segment, nset_cmd_train, nset_cmd_simulate,
    nset_cmd_compare;

#endif
