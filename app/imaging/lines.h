/* How far odd rows of a bidirectional scan lie from even ones.
 *
 * Each odd row is correlated, whitened, along its length with the mean of the two even rows around it; summed over rows
 * and frames the peak says the offset. It counts where it is a whole pixel or more, stands out, and both halves of the
 * frames say the same.
 */
#ifndef NSET_IMAGING_LINES_H
#define NSET_IMAGING_LINES_H

#include <stddef.h>
#include <neuroset/error.h>

enum { NSET_LINES_REACH = 16, NSET_LINES = 2 * NSET_LINES_REACH + 1 };

/* curve (NSET_LINES) := correlation at offsets from -NSET_LINES_REACH to NSET_LINES_REACH of one frame; zeros for
 * frames of fewer than 4 rows or 64 columns. Errors: NSET_ERR_NOMEM, NSET_ERR_NUMERIC. */
nset_status nset_lines_correlate(double *curve, const float *frame, size_t height, size_t width, nset_error *err);
/* Columns by which odd rows lie to the right of even ones; 0: they do not, or it cannot be told. curves (n,
 * NSET_LINES), in an order that is the same for the same frames. */
int nset_lines_offset(const double *curves, size_t n);

#endif
