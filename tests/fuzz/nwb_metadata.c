#include <stdlib.h>

#include "fuzz.h"
#include "results/nwb_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    json_t *metadata = NULL;
    nset_error err = { 0 };

    fuzz_check(nset_nwb_metadata_parse(&metadata, text, "m.json", &err), &err);
    json_decref(metadata);
    free(text);
    return 0;
}
