#include "fuzz.h"

#include <neuroset/model.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_model *model = NULL;
    nset_error err = { 0 };

    fuzz_check(nset_model_parse(&model, data, size, "model", &err), &err);
    if (!model != (err.status != NSET_OK))
        __builtin_trap();
    nset_model_close(model);
    return 0;
}
