/* The measures of a unit as columns of a table: what units.csv and NWB write. */
#ifndef NSET_EPHYS_UNIT_COLUMNS_H
#define NSET_EPHYS_UNIT_COLUMNS_H

#include "ephys/sorting.h"

typedef struct nset_unit_column {
    const char *name, *description;
    size_t at; /* of a double in nset_unit */
} nset_unit_column;

extern const nset_unit_column nset_unit_columns[];
extern const size_t nset_n_unit_columns;

/* The measure of a unit; NaN where it is not defined. */
double nset_unit_value(const nset_unit *u, const nset_unit_column *c);

#endif
