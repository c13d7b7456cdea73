#include "probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_contacts c = { 0 };
    nset_error err = { 0 };

    if (nset_contacts_init(&c, fuzz_file("a.mat", data, size), FUZZ_COLUMNS, NULL) != NSET_OK)
        abort();
    fuzz_apply(&c, nset_probe_read_mat(&c, &err), &err);
    return 0;
}
