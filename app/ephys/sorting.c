#include "ephys/sorting.h"

#include <neuroset/memory.h>

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
