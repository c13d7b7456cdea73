/* Which instruction set the kernels use. The results do not depend on it: every row of the kernel table gives the
 * same bits. */
#ifndef NEUROSET_DEVICE_H
#define NEUROSET_DEVICE_H

#include <neuroset/error.h>

/* name: "auto" (the widest this CPU has, and the start value), "c", "avx2" or "avx512". For the whole process;
 * call it before networks run. Errors: NSET_ERR_ARG if there is no such row or this CPU lacks it. */
NSET_API NSET_MUST_CHECK nset_status nset_device_use(const char *name, nset_error *err);

/* The row in use: "c", "avx2" or "avx512". */
NSET_API const char *nset_device_name(void);

#endif
