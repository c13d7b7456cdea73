#include <jansson.h>

#include "results/nwb_metadata.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *metadata = NULL;
    nset_error err = { 0 };

    fuzz_check(nset_nwb_metadata_read(&metadata, fuzz_file("m.json", data, size), &err), &err);
    json_decref(metadata);
    return 0;
}
