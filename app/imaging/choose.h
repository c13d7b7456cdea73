/* The threshold with the best centre F1 on fields kept back from training. */
#ifndef NSET_IMAGING_CHOOSE_H
#define NSET_IMAGING_CHOOSE_H

#include "imaging/fields.h"

typedef struct nset_choice {
    double threshold, f1, precision, recall;
} nset_choice;

/* choice stays as it is when kept is empty. A centre within 5 pixels of a region's, each used once, is a match. */
nset_status nset_choose_threshold(
    nset_choice *choice, const nset_net *whole, const nset_fields *kept, nset_workers *workers, nset_error *err);

#endif
