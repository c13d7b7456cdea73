#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <neuroset/train.h>

static nset_net *one_weight(void)
{
    nset_net *net = NULL;

    if (nset_net_create(&net, NULL) != NSET_OK)
        abort();
    nset_net_output(net, nset_net_dense(net, nset_net_input(net, NSET_SET, NSET_VECTOR, 1), "a", 1));
    if (nset_net_finish(net, 1, NULL) != NSET_OK)
        abort();
    return net;
}

/* What is refused changes nothing; what is taken can go on: no step makes NaN of finite moments. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_net *net = one_weight();
    const nset_real before[2] = { nset_net_params(net)[0], nset_net_params(net)[1] }, grad[2] = { 1, -1 };
    nset_adamw o;
    nset_error err = { 0 };
    nset_status status;

    if (nset_adamw_init(&o, nset_net_n_params(net), 0, NULL) != NSET_OK)
        abort();
    status = nset_checkpoint_load(fuzz_file("a.safetensors", data, size), net, &o, &err);
    fuzz_check(status, &err);
    if (status != NSET_OK &&
        (o.step || o.m[0] != 0 || o.v[1] != 0 || memcmp(before, nset_net_params(net), sizeof before)))
        __builtin_trap();
    nset_adamw_step(&o, nset_net_params(net), grad, 1e-3);
    if (nset_net_params(net)[0] != nset_net_params(net)[0])
        __builtin_trap();
    nset_adamw_fini(&o);
    nset_net_free(net);
    return 0;
}
