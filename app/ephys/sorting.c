#include "ephys/sorting.h"

#include <neuroset/memory.h>

size_t nset_sorting_spike_at(const nset_sorting *s, int64_t sample)
{
    size_t low = 0, high = s->n_spikes;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->spikes[middle].sample < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void nset_sorting_free(nset_sorting *s)
{
    if (!s)
        return;
    nset_free(s->spikes);
    nset_free(s->units);
    nset_free(s->templates);
    nset_free(s->templates_whitened);
    nset_free(s->whitening);
    nset_free(s);
}
