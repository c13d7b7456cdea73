/* The best pairing of rows with columns.
 *
 * Shortest augmenting paths with dual variables, O(n^3): Jonker & Volgenant 1987, "A shortest augmenting path algorithm
 * for dense and sparse linear assignment problems"; rectangular matrices as in Crouse 2016, "On implementing 2D
 * rectangular assignment algorithms".
 */
#ifndef NEUROSET_ASSIGN_H
#define NEUROSET_ASSIGN_H

#include <stddef.h>
#include <neuroset/error.h>

#define NSET_UNASSIGNED ((size_t)-1)

/* column (n_rows) := the column of each row, so that the sum of cost (n_rows, n_columns) over the pairs is least;
 * min(n_rows, n_columns) pairs are made, the other rows get NSET_UNASSIGNED. Costs are finite and of any sign. Among
 * pairings of the same sum one is chosen, the same at each call. Errors: NSET_ERR_ARG (a cost that is not finite),
 * NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_assign(
    size_t *column, const double *cost, size_t n_rows, size_t n_columns, nset_error *err);

#endif
