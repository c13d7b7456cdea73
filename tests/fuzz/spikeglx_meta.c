#include <stdlib.h>

#include "ephys/spikeglx.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    nset_layout l = { 0 };
    nset_error err = { 0 };

    fuzz_check(nset_spikeglx_meta(&l, text, "a.meta", &err), &err);
    nset_layout_fini(&l);
    free(text);
    return 0;
}
