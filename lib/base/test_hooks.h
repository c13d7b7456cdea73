/* What tests need of the allocator: failure at the k-th allocation, and the number of live blocks. */
#ifndef NSET_TEST_HOOKS_H
#define NSET_TEST_HOOKS_H

#include <neuroset/error.h>

/* The k-th allocation from now on (0: the next) fails, once; negative: none does. */
NSET_API void nset_test_fail_alloc_at(long k);
NSET_API long nset_test_live_allocs(void);

#endif
