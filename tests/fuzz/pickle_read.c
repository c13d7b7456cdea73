#include "fuzz.h"

#include "results/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_pickle *p = NULL;
    nset_error err = { 0 };
    double sum = 0, x;

    fuzz_check(nset_pickle_open(&p, fuzz_file("stat.npy", data, size), &err), &err);
    for (size_t i = 0; p && i < nset_pickle_root(p)->n; i++) {
        const nset_value *v = nset_value_get(nset_pickle_root(p)->item[i], "ypix");
        for (size_t k = 0; k < nset_value_count(v) && nset_value_number(&x, v, k); k++)
            sum += x;
    }
    nset_pickle_close(p);
    return sum == -1.5e300; /* the numbers are read */
}
