#include "imaging/motion_blocks.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

enum { BLOCK_PX = 128, REACH_PX = 5, MARGIN = 3 }; /* of the movie; thumb pixels around, so that a peak can stand out */
#define STANDS_OUT 1.2f

static size_t reach_of(const nset_reference *r)
{
    return (REACH_PX + r->factor - 1) / r->factor;
}

static size_t side_of(const nset_blocks *b)
{
    size_t most = ((b->height < b->width ? b->height : b->width) - 1) / 2 - 1;
    size_t reach = REACH_PX + MARGIN;

    return 2 * (reach < most ? reach : most) + 1;
}

/* n first pixels of blocks of size, spread over length. */
static nset_status spread(size_t **out, size_t *n, size_t length, size_t size, nset_error *err)
{
    *n = length <= size ? 1 : (size_t)ceil(1.5 * (double)length / (double)size);
    if (!(*out = nset_calloc(*n, sizeof **out)))
        return nset_fail_oom(err, *n, sizeof **out);
    for (size_t i = 1; i < *n; i++)
        (*out)[i] = (length - size) * i / (*n - 1);
    return NSET_OK;
}

/* to (height, width) := the part of image that begins at (row, column), clipped as the reference says; beyond the edges
 * of the image the last pixel is repeated. */
static void cut(
    float *to, const nset_blocks *b, const nset_reference *r, const float *image, ptrdiff_t row, ptrdiff_t column)
{
    for (size_t y = 0; y < b->height; y++) {
        ptrdiff_t i = row + (ptrdiff_t)y;
        const float *from;
        i = i < 0 ? 0 : i >= (ptrdiff_t)r->height ? (ptrdiff_t)r->height - 1 : i;
        from = image + (size_t)i * r->width;
        for (size_t x = 0; x < b->width; x++) {
            ptrdiff_t j = column + (ptrdiff_t)x;
            float v;
            j = j < 0 ? 0 : j >= (ptrdiff_t)r->width ? (ptrdiff_t)r->width - 1 : j;
            v = from[j];
            v = v < r->least ? r->least : v;
            to[y * b->width + x] = v > r->most ? r->most : v;
        }
    }
}

static nset_status make_spectra(nset_blocks *b, const nset_reference *r, nset_error *err)
{
    size_t n = b->rows * b->columns, pixels = b->height * b->width;
    nset_correlator_room room = { 0 };
    nset_status status;

    b->spectrum = nset_calloc(n, b->correlator.bins * sizeof *b->spectrum);
    b->mean = nset_calloc(n, sizeof *b->mean);
    if (!b->spectrum || !b->mean)
        return nset_fail_oom(err, n, b->correlator.bins * sizeof *b->spectrum);
    if ((status = nset_correlator_room_init(&room, &b->correlator, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < n; k++) {
        fftwf_complex *spectrum = b->spectrum + k * b->correlator.bins;
        double sum = 0;
        cut(room.image, b, r, r->image, (ptrdiff_t)b->row[k / b->columns], (ptrdiff_t)b->column[k % b->columns]);
        for (size_t i = 0; i < pixels; i++)
            sum += (double)room.image[i];
        b->mean[k] = (float)(sum / (double)pixels);
        nset_correlator_transform(&b->correlator, &room, room.spectrum, b->mean[k]);
        nset_correlator_as_reference(&b->correlator, room.spectrum);
        memcpy(spectrum, room.spectrum, b->correlator.bins * sizeof *spectrum);
    }
    nset_correlator_room_fini(&room);
    return NSET_OK;
}

nset_status nset_blocks_init(nset_blocks *b, const nset_reference *r, nset_error *err)
{
    size_t size = BLOCK_PX / r->factor;
    nset_status status;

    size = r->factor == 1 ? size / 2 : size; /* small fields: 64 pixels */
    *b = (nset_blocks){ .height = r->height < size ? r->height : size, .width = r->width < size ? r->width : size };
    if ((status = spread(&b->row, &b->rows, r->height, b->height, err)) == NSET_OK &&
        (status = spread(&b->column, &b->columns, r->width, b->width, err)) == NSET_OK &&
        (status = nset_correlator_init(&b->correlator, b->height, b->width, err)) == NSET_OK)
        status = make_spectra(b, r, err);
    if (status != NSET_OK)
        nset_blocks_fini(b);
    return status;
}

void nset_blocks_fini(nset_blocks *b)
{
    nset_free(b->row);
    nset_free(b->column);
    nset_free(b->spectrum);
    nset_free(b->mean);
    nset_correlator_fini(&b->correlator);
    *b = (nset_blocks){ 0 };
}

nset_status nset_blocks_room_init(nset_blocks_room *room, const nset_blocks *b, nset_error *err)
{
    size_t side = side_of(b), n = b->rows * b->columns;
    nset_status status = nset_correlator_room_init(&room->correlator, &b->correlator, err);

    for (int k = 0; k < 2 && status == NSET_OK; k++)
        if (!(room->window[k] = nset_calloc(n, side * side * sizeof *room->window[k])))
            status = nset_fail_oom(err, n, side * side * sizeof(float));
    if (status != NSET_OK)
        nset_blocks_room_fini(room);
    return status;
}

void nset_blocks_room_fini(nset_blocks_room *room)
{
    nset_correlator_room_fini(&room->correlator);
    nset_free(room->window[0]);
    nset_free(room->window[1]);
    *room = (nset_blocks_room){ 0 };
}

/* The correlations of each block and half those of its neighbours in rows or columns. */
static void share(float *to, const float *from, size_t size, size_t step, size_t n, size_t period)
{

    for (size_t k = 0; k < n; k++) {
        size_t place = k / step % period;
        for (size_t i = 0; i < size; i++) {
            float sum = from[k * size + i];
            if (place > 0)
                sum += .5f * from[(k - step) * size + i];
            if (place + 1 < period)
                sum += .5f * from[(k + step) * size + i];
            to[k * size + i] = sum;
        }
    }
}

/* A peak that stands out, within the reach. */
static bool take_peak(float shift[2], const float *window, size_t half, size_t reach)
{
    nset_peak p = nset_peak_find(window, half, half);

    if (!(p.height > STANDS_OUT * p.second) || fabs(p.shift[0]) > (double)reach + .5 ||
        fabs(p.shift[1]) > (double)reach + .5)
        return false;
    shift[0] = (float)p.shift[0];
    shift[1] = (float)p.shift[1];
    return true;
}

void nset_blocks_find(const nset_blocks *b, const nset_reference *r, float *shift, const float *thumb,
    const double rigid[2], nset_blocks_room *room)
{
    size_t n = b->rows * b->columns, side = side_of(b), half = side / 2, size = side * side, reach = reach_of(r);
    double whole[2] = { round(rigid[0]), round(rigid[1]) };
    float *own = room->window[0], *other = room->window[1];

    for (size_t k = 0; k < n; k++) {
        cut(room->correlator.image, b, r, thumb, (ptrdiff_t)b->row[k / b->columns] + (ptrdiff_t)whole[0],
            (ptrdiff_t)b->column[k % b->columns] + (ptrdiff_t)whole[1]);
        nset_correlator_apply(&b->correlator, &room->correlator,
            (const fftwf_complex *)(b->spectrum + k * b->correlator.bins), b->mean[k]);
        nset_correlator_window(&b->correlator, &room->correlator, own + k * size, half, half);
        shift[2 * k] = NAN;
    }
    for (int round = 0; round < 3; round++) {
        if (round) {
            share(other, own, size, 1, n, b->columns);
            share(own, other, size, b->columns, n, b->rows);
        }
        for (size_t k = 0; k < n; k++) {
            float found[2];
            if (!isnan(shift[2 * k]) || !take_peak(found, own + k * size, half, reach))
                continue;
            shift[2 * k] = found[0] + (float)whole[0];
            shift[2 * k + 1] = found[1] + (float)whole[1];
        }
    }
    for (size_t k = 0; k < n; k++)
        if (isnan(shift[2 * k])) {
            shift[2 * k] = (float)rigid[0];
            shift[2 * k + 1] = (float)rigid[1];
        }
}
