/* What a step of sorting left; the bytes get the true sum at their end, else none would be read. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "ephys/sort_state.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const nset_sort_frame frame = { 2, 1000, 8000 };
    XXH128_canonical_t sum;
    nset_trains trains = { 0 };
    nset_templates templates = { 0 };
    nset_matches matches = { 0 };
    nset_sort_state s = { &trains, &templates, &matches, json_object() };
    uint8_t *whole = malloc(size + sizeof sum);
    nset_error err = { 0 };

    if (size)
        memcpy(whole, data, size);
    XXH128_canonicalFromHash(&sum, XXH3_128bits(whole, size));
    memcpy(whole + size, &sum, sizeof sum);
    fuzz_check(nset_sort_state_read(fuzz_file("a.state", whole, size + sizeof sum), &frame, &s, &err), &err);
    free(whole);
    nset_trains_fini(&trains);
    nset_templates_fini(&templates);
    nset_matches_fini(&matches);
    json_decref(s.facts);
    return 0;
}
