#include "ephys/compare.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_trains *t = NULL;
    nset_error err = { 0 };

    fuzz_check(nset_trains_read(&t, fuzz_file("a.npz", data, size), &err), &err);
    nset_trains_free(t);
    return 0;
}
