#include "imaging/imagej_roi.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zip.h>

#include <neuroset/memory.h>

#include "results/small_files.h"

enum { POLYGON = 0, RECTANGLE = 1, OVAL = 2, FREEHAND = 7, TRACED = 8 };
enum { HEADER = 64, SUBPIXEL = 128, ROUNDED = 54, MOST_ROI_BYTES = 64 << 20, CURVE_STEPS = 32, OVAL_STEPS = 720 };
static const double FARTHEST = 65536; /* pixels; ImageJ's own whole coordinates reach 32,767 */

typedef struct outline { /* closed paths, filled by the even-odd rule */
    double (*at)[2];     /* (n) x, y; owned */
    size_t *first;       /* (n_paths) where each begins; owned */
    size_t n, cap_at, n_paths, cap_first;
} outline;

typedef struct input {
    const unsigned char *bytes;
    size_t n;
    const char *what;
    nset_error *err;
} input;

static nset_status fail(const input *in, const char *why)
{
    return nset_fail(in->err, NSET_ERR_FORMAT, "%s: %s", in->what, why);
}

static unsigned u16(const input *in, size_t at)
{
    return (unsigned)in->bytes[at] << 8 | in->bytes[at + 1];
}

static int i16(const input *in, size_t at)
{
    return (int16_t)u16(in, at);
}

static uint32_t u32(const input *in, size_t at)
{
    return (uint32_t)u16(in, at) << 16 | u16(in, at + 2);
}

static double f32(const input *in, size_t at)
{
    uint32_t bits = u32(in, at);
    float x;

    memcpy(&x, &bits, 4);
    return (double)x;
}

/* ---- outlines ---- */

static nset_status begin_path(outline *o, nset_error *err)
{
    nset_status status = nset_grow(&o->first, &o->cap_first, o->n_paths + 1, sizeof *o->first, err);

    if (status == NSET_OK)
        o->first[o->n_paths++] = o->n;
    return status;
}

static nset_status add_point(outline *o, const input *in, double x, double y)
{
    nset_status status;

    if (!(fabs(x) <= FARTHEST) || !(fabs(y) <= FARTHEST))
        return fail(in, "a coordinate beyond 65,536 pixels");
    if ((status = nset_grow(&o->at, &o->cap_at, o->n + 1, sizeof *o->at, in->err)) != NSET_OK)
        return status;
    o->at[o->n][0] = x;
    o->at[o->n++][1] = y;
    return NSET_OK;
}

static nset_status read_polygon(outline *o, const input *in)
{
    size_t n = u16(in, 16), each = i16(in, 4) >= 222 && u16(in, 50) & SUBPIXEL ? 12 : 4;
    double left = i16(in, 10), top = i16(in, 8);
    nset_status status = begin_path(o, in->err);

    n = n ? n : u32(in, 18);
    if (n == 0)
        return fail(in, "an outline without points");
    if (n > (in->n - HEADER) / each)
        return fail(in, "the file ends before its points do");
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        size_t x = HEADER + 2 * i, y = x + 2 * n;
        if (each == 12) {
            x = HEADER + 4 * n + 4 * i;
            status = add_point(o, in, f32(in, x), f32(in, x + 4 * n));
        } else {
            status = add_point(o, in, left + i16(in, x), top + i16(in, y));
        }
    }
    return status;
}

/* box: x, y, width, height. */
static void read_box(double box[4], const input *in)
{
    if (i16(in, 4) >= 223 && u16(in, 50) & SUBPIXEL) {
        for (size_t i = 0; i < 4; i++)
            box[i] = f32(in, 18 + 4 * i);
    } else {
        box[0] = i16(in, 10);
        box[1] = i16(in, 8);
        box[2] = i16(in, 14) - box[0];
        box[3] = i16(in, 12) - box[1];
    }
}

static nset_status read_rectangle(outline *o, const input *in)
{
    static const int corner[4][2] = { { 0, 0 }, { 1, 0 }, { 1, 1 }, { 0, 1 } };
    nset_status status = begin_path(o, in->err);
    double box[4];

    if (i16(in, ROUNDED) > 0)
        return fail(in, "a rectangle with rounded corners is not read; trace it in ImageJ (Edit > Selection > "
                        "Create Mask, then Create Selection)");
    read_box(box, in);
    for (int i = 0; i < 4 && status == NSET_OK; i++)
        status = add_point(o, in, box[0] + box[2] * corner[i][0], box[1] + box[3] * corner[i][1]);
    return status;
}

/* A polygon so fine that no pixel's centre lies between it and the oval, unless the oval is thousands of pixels wide.
 */
static nset_status read_oval(outline *o, const input *in)
{
    nset_status status = begin_path(o, in->err);
    double box[4];

    read_box(box, in);
    for (int i = 0; i < OVAL_STEPS && status == NSET_OK; i++) {
        double a = 2 * M_PI * (i + .5) / OVAL_STEPS, r = .5 / cos(M_PI / OVAL_STEPS); /* sides touch the oval */
        status = add_point(o, in, box[0] + box[2] * (.5 + r * cos(a)), box[1] + box[3] * (.5 + r * sin(a)));
    }
    return status;
}

/* A curve from the last point on: c holds 2 points (quadratic) or 3 (cubic). */
static nset_status add_curve(outline *o, const input *in, const double *c, int degree)
{
    double x0, y0;
    nset_status status = NSET_OK;

    if (o->n == 0)
        return fail(in, "a curve that starts nowhere");
    x0 = o->at[o->n - 1][0];
    y0 = o->at[o->n - 1][1];
    for (int i = 1; i <= CURVE_STEPS && status == NSET_OK; i++) {
        double t = (double)i / CURVE_STEPS, s = 1 - t, x, y;
        if (degree == 2) {
            x = s * s * x0 + 2 * s * t * c[0] + t * t * c[2];
            y = s * s * y0 + 2 * s * t * c[1] + t * t * c[3];
        } else {
            x = s * s * s * x0 + 3 * s * s * t * c[0] + 3 * s * t * t * c[2] + t * t * t * c[4];
            y = s * s * s * y0 + 3 * s * s * t * c[1] + 3 * s * t * t * c[3] + t * t * t * c[5];
        }
        status = add_point(o, in, x, y);
    }
    return status;
}

/* Segments as Java's paths spell them: kind, then its points. */
static nset_status read_composite(outline *o, const input *in, size_t n)
{
    static const size_t operands[] = { 2, 2, 4, 6, 0 };
    nset_status status = NSET_OK;

    if (n > (in->n - HEADER) / 4)
        return fail(in, "the file ends before its outlines do");
    for (size_t i = 0; i < n && status == NSET_OK;) {
        double kind = f32(in, HEADER + 4 * i++), c[6];
        size_t k = kind >= 0 && kind <= 4 ? (size_t)kind : 5, m = k < 5 ? operands[k] : 0;
        if (k == 5 || m > n - i)
            return fail(in, "a segment of an outline that is none of five kinds");
        for (size_t j = 0; j < m; j++)
            c[j] = f32(in, HEADER + 4 * i++);
        if (k == 0 || (k == 1 && o->n_paths == 0))
            status = begin_path(o, in->err);
        if (status == NSET_OK && k < 2)
            status = add_point(o, in, c[0], c[1]);
        else if (status == NSET_OK && k < 4)
            status = add_curve(o, in, c, (int)k);
    }
    return o->n || status != NSET_OK ? status : fail(in, "a composite without outlines");
}

static nset_status read_outline(outline *o, const input *in)
{
    static const char *const names[] = { NULL, NULL, NULL, "a line", "a freehand line", "a segmented line", "nothing",
        NULL, NULL, "an angle", "a point" };
    char text[100];
    unsigned type;

    if (in->n < HEADER || memcmp(in->bytes, "Iout", 4))
        return fail(in, "not a region of ImageJ's: it does not begin with Iout");
    type = in->bytes[6];
    if (type > 10)
        return fail(in, "a region of a kind that ImageJ does not have");
    if (names[type]) {
        snprintf(text, sizeof text, "%s, which holds no pixels; an area is expected: delete it in ImageJ's ROI Manager",
            names[type]);
        return fail(in, text);
    }
    if (type == RECTANGLE && u32(in, 36) > 0)
        return read_composite(o, in, u32(in, 36));
    return type == RECTANGLE ? read_rectangle(o, in) : type == OVAL ? read_oval(o, in) : read_polygon(o, in);
}

/* ---- from outlines to pixels ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* x (n): where outlines cross the line through the centres of a row, ascending. Room for o->n. */
static size_t crossings(double *x, const outline *o, double y)
{
    size_t n = 0;

    for (size_t p = 0; p < o->n_paths; p++) {
        size_t first = o->first[p], end = p + 1 < o->n_paths ? o->first[p + 1] : o->n;
        for (size_t i = first; i < end; i++) {
            const double *a = o->at[i], *b = o->at[i + 1 < end ? i + 1 : first];
            if ((a[1] <= y) != (b[1] <= y))
                x[n++] = a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
        }
    }
    qsort(x, n, sizeof *x, ascending);
    return n;
}

/* Calls of add for each run of pixels from the first to before the last column. Returns their number. */
static size_t fill_row(int32_t (*at)[2], const double *x, size_t n, int32_t row)
{
    size_t count = 0;

    for (size_t i = 0; i + 1 < n; i += 2) {
        int32_t first = (int32_t)ceil(x[i] - .5), last = (int32_t)ceil(x[i + 1] - .5);
        for (int32_t c = first; c < last && at; c++) {
            at[count + (size_t)(c - first)][0] = row;
            at[count + (size_t)(c - first)][1] = c;
        }
        count += last > first ? (size_t)(last - first) : 0;
    }
    return count;
}

static void rows_of(int32_t *first, int32_t *last, const outline *o)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < o->n; i++) {
        low = fmin(low, o->at[i][1]);
        high = fmax(high, o->at[i][1]);
    }
    *first = o->n ? (int32_t)floor(low - .5) : 0;
    *last = o->n ? (int32_t)ceil(high) : 0;
}

static nset_status fill(nset_regions *r, const outline *o, const input *in)
{
    double *x = nset_calloc(o->n + 1, sizeof *x);
    nset_region *region = NULL;
    nset_status status = NSET_OK;
    int32_t first, last;
    size_t n = 0;

    if (!x)
        return nset_fail_oom(in->err, o->n + 1, sizeof *x);
    rows_of(&first, &last, o);
    for (int32_t row = first; row <= last; row++)
        n += fill_row(NULL, x, crossings(x, o, row + .5), row);
    if (n > 0 && (status = nset_regions_add(&region, r, n, false, in->err)) == NSET_OK) {
        n = 0;
        for (int32_t row = first; row <= last; row++)
            n += fill_row(region->at + n, x, crossings(x, o, row + .5), row);
        status = nset_region_settle(region, in->err);
    }
    nset_free(x);
    return status;
}

nset_status nset_imagej_roi_read(
    nset_regions *r, const unsigned char *bytes, size_t n, const char *what, nset_error *err)
{
    input in = { bytes, n, what, err };
    outline o = { 0 };
    nset_status status = read_outline(&o, &in);

    if (status == NSET_OK)
        status = fill(r, &o, &in);
    nset_free(o.at);
    nset_free(o.first);
    return status;
}

/* ---- files ---- */

static nset_status read_entry(nset_regions *r, zip_t *zip, zip_uint64_t i, const char *path, nset_error *err)
{
    zip_stat_t s;
    zip_file_t *f = NULL;
    unsigned char *bytes = NULL;
    char what[600];
    nset_status status;
    size_t n;

    if (zip_stat_index(zip, i, 0, &s) || !(s.valid & ZIP_STAT_NAME) || !(s.valid & ZIP_STAT_SIZE))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: entry %llu: %s", path, (unsigned long long)i, zip_strerror(zip));
    n = strlen(s.name);
    if (n < 4 || strcasecmp(s.name + n - 4, ".roi"))
        return NSET_OK;
    snprintf(what, sizeof what, "%s: entry %llu", path, (unsigned long long)i);
    for (size_t k = 0; k < n; k++)
        if ((unsigned char)s.name[k] < ' ')
            return nset_fail(err, NSET_ERR_FORMAT, "%s: a name with control characters", what);
    snprintf(what, sizeof what, "%s: %.200s", path, s.name);
    if (s.size > MOST_ROI_BYTES)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: larger than any region is", what);
    if (!(bytes = nset_calloc(s.size, 1)))
        return nset_fail_oom(err, s.size, 1);
    if (!(f = zip_fopen_index(zip, i, 0)) || zip_fread(f, bytes, s.size) != (zip_int64_t)s.size)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: cannot be unpacked", what);
    else
        status = nset_imagej_roi_read(r, bytes, s.size, what, err);
    if (f)
        zip_fclose(f);
    nset_free(bytes);
    return status;
}

static nset_status read_zip(nset_regions *r, const char *path, nset_error *err)
{
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    zip_int64_t n;
    nset_status status = NSET_OK;

    if (!zip) {
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: cannot be opened as a zip of ImageJ's regions: %s", path,
            zip_error_strerror(&why));
        zip_error_fini(&why);
        return status;
    }
    n = zip_get_num_entries(zip, 0);
    for (zip_int64_t i = 0; i < n && status == NSET_OK; i++)
        status = read_entry(r, zip, (zip_uint64_t)i, path, err);
    zip_discard(zip);
    return status;
}

nset_status nset_regions_read_imagej(nset_regions *r, const char *path, nset_error *err)
{
    size_t length = strlen(path), n;
    char *bytes = NULL;
    nset_status status;

    if (length >= 4 && !strcasecmp(path + length - 4, ".zip"))
        return read_zip(r, path, err);
    if ((status = nset_read_bytes(&bytes, &n, path, MOST_ROI_BYTES, err)) == NSET_OK)
        status = nset_imagej_roi_read(r, (unsigned char *)bytes, n, path, err);
    nset_free(bytes);
    return status;
}
