#include "probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_probe(nset_probe_parse_prb, "a.prb", data, size);
}
