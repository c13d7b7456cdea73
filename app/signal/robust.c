#include "signal/robust.h"

#include <math.h>

float nset_select(float *x, size_t n, size_t k)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, at = (ptrdiff_t)k;

    while (low < high) { /* Hoare's selection in Wirth's form */
        float pivot = x[at];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j])
                j--;
            if (i <= j) {
                float t = x[i];
                x[i++] = x[j];
                x[j--] = t;
            }
        }
        if (j < at)
            low = i;
        if (at < i)
            high = j;
    }
    return x[k];
}

float nset_median(float *x, size_t n)
{
    float upper, lower;

    if (n == 0)
        return 0;
    upper = nset_select(x, n, n / 2);
    if (n % 2)
        return upper;
    lower = x[0]; /* the left half holds nothing larger */
    for (size_t i = 1; i < n / 2; i++)
        lower = x[i] > lower ? x[i] : lower;
    return .5f * (lower + upper);
}

float nset_mad_sd(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fabsf(x[i]);
    return nset_median(x, n) / .6745f;
}
