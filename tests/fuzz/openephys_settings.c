#include <stdlib.h>

#include "ephys/openephys.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t electrode[2] = { 0, 1 };
    nset_layout l = { .n_columns = 2 };
    nset_error err = { 0 };

    if (nset_layout_channels(&l, 2, NULL) != NSET_OK)
        abort();
    fuzz_check(nset_openephys_places(&l, text, "settings.xml", "b", size % 4, electrode, &err), &err);
    nset_layout_fini(&l);
    free(text);
    return 0;
}
