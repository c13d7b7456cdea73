#include "imaging/masks.h"

#include <neuroset/memory.h>

void nset_masks_free(nset_masks *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n && m->roi; i++) {
        nset_free(m->roi[i].pixel);
        nset_free(m->roi[i].weight);
    }
    nset_free(m->roi);
    nset_free(m);
}

void nset_maps_free(nset_maps *m)
{
    if (!m)
        return;
    nset_free(m->data);
    nset_free(m);
}
