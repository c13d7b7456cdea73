/* Movies of the test data, of every format: what we read is what their makers and other readers say (expected.json
 * there), what cannot be read is refused with a line.
 *
 * The numbers themselves are compared with the truth by construction (the ramp, a .npy beside the file) where there is
 * one, else with the checksums that libtiff and tifffile gave.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "golden.h"
#include "imaging/movie.h"

static int failures, n_read, n_refused, n_truth, n_checksums, n_numbers;

static void fail(const char *name, const char *what, const char *detail)
{
    printf("FAIL %s: %s (%s)\n", name, what, detail ? detail : "");
    failures++;
}

static json_t *get(json_t *j, const char *a, const char *b)
{
    json_t *o = json_object_get(j, a);

    return b ? json_object_get(o, b) : o;
}

static const char *text(json_t *j, const char *a, const char *b)
{
    const char *t = json_string_value(get(j, a, b));

    return t ? t : "";
}

/* ---- what the numbers must be ---- */

typedef struct truth {
    enum { NONE, RAMP, ARRAY } kind;
    const char *dtype; /* of the ramp */
    double *x;         /* (t, z, c, y, x) */
    size_t shape[5];
} truth;

static double ramp(const char *dtype, size_t t, size_t z, size_t c, size_t y, size_t x)
{
    long v = (long)(7919 * t + 1299 * z + 4099 * c + 31 * y + 17 * x + x * y % 13);

    if (!strcmp(dtype, "uint8"))
        return (double)(v % 256);
    if (!strcmp(dtype, "int8"))
        return (double)(v % 256 - 128);
    if (!strcmp(dtype, "bool"))
        return v % 3 == 0;
    if (!strcmp(dtype, "int16") || !strcmp(dtype, "int32"))
        return (double)(v % 4096 - 500);
    return dtype[0] == 'f' ? (double)(v % 4096) / 16 - 100 : (double)(v % 4096);
}

static double number_at(const unsigned char *p, const char *descr)
{
    if (!strcmp(descr, "<u2"))
        return p[0] | p[1] << 8;
    if (!strcmp(descr, "<i2"))
        return (int16_t)(p[0] | p[1] << 8);
    if (!strcmp(descr, "<f4")) {
        float v;
        memcpy(&v, p, 4);
        return (double)v;
    }
    return p[0];
}

/* A NumPy file of axes, e.g. "TYX", as (t, z, c, y, x). */
static void load_array(truth *out, const char *path, const char *axes)
{
    static const char order[] = "TZCYX";
    size_t shape[5] = { 1, 1, 1, 1, 1 }, step[5] = { 0 }, stride = 1, n_axes = strlen(axes), k = 0, item;
    unsigned char *bytes = malloc(1 << 22);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, 1 << 22, f) : 0;
    const char *p = n > 10 ? (const char *)bytes + 10 : "", *at;
    char descr[4] = "";

    if (f)
        fclose(f);
    if ((at = strstr(p, "'descr': '")))
        memcpy(descr, at + 10, 3);
    item = (size_t)(descr[2] - '0');
    if (!(at = strstr(p, "'shape': (")))
        goto done;
    for (at += 10; k < n_axes; k++) {
        shape[k] = strtoul(at, (char **)(uintptr_t)&at, 10);
        at += strspn(at, ", ");
    }
    out->kind = ARRAY;
    for (size_t a = 0; a < 5; a++)
        out->shape[a] = 1;
    for (k = n_axes; k-- > 0;) {
        size_t a = (size_t)(strchr(order, axes[k]) - order);
        out->shape[a] = shape[k];
        step[a] = stride;
        stride *= shape[k];
    }
    out->x = calloc(stride, sizeof *out->x);
    for (size_t i = 0; i < stride; i++) {
        size_t rest = i, from = 0;
        for (size_t a = 5; a-- > 0; rest /= out->shape[a])
            from += rest % out->shape[a] * step[a];
        out->x[i] = number_at(bytes + 10 + (bytes[8] | bytes[9] << 8) + from * item, descr);
    }
done:
    free(bytes);
}

static truth find_truth(const char *name, json_t *want, long roi)
{
    truth t = { 0 };
    char path[4096], base[1024];
    const char *axes = text(want, "axes_true", NULL), *given = text(want, "truth", NULL);
    FILE *f;

    t.dtype = *text(want, "tifffile", "dtype") ? text(want, "tifffile", "dtype") : text(want, "dtype", NULL);
    if (get(want, "calibration", NULL)) /* unsigned numbers that stand for signed ones */
        t.dtype = "int16";
    snprintf(base, sizeof base, "%.*s", (int)(strlen(name) - (strstr(name, ".tif") ? strlen(strstr(name, ".tif")) : 0)),
        name);
    if (*given)
        golden_path(path, sizeof path, "calcium/tiff/%s", given);
    else if (roi)
        golden_path(path, sizeof path, "calcium/tiff/%s.roi%ld.npy", base, roi);
    else
        golden_path(path, sizeof path, "calcium/tiff/%s.truth.npy", base);
    if ((f = fopen(path, "rb"))) {
        fclose(f);
        load_array(&t, path, *axes ? axes : "TYX");
    } else if (!strcmp(text(want, "movie", NULL), "ramp") && !json_is_true(get(want, "lossy", NULL))) {
        t.kind = RAMP;
    }
    return t;
}

static double true_value(const truth *t, size_t f, size_t z, size_t c, size_t y, size_t x)
{
    if (t->kind == RAMP)
        return ramp(t->dtype, f, z, c, y, x);
    return t->x[(((f * t->shape[1] + z) * t->shape[2] + c) * t->shape[3] + y) * t->shape[4] + x];
}

/* ---- reading ---- */

/* Numbers as the file stores them: what we turn around is undone. */
static void as_stored(float *x, size_t n, json_t *want, const char *dtype)
{
    bool white = json_integer_value(get(get(want, "libtiff", "page0"), "photo", NULL)) == 0 &&
                 get(get(want, "libtiff", "page0"), "photo", NULL);
    int bits = (int)json_integer_value(get(get(want, "libtiff", "page0"), "bps", NULL));

    if (white && (dtype[0] == 'u' || dtype[0] == 'b'))
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((1u << bits) - 1) - x[i];
}

/* bytes := the samples as a little-endian array of dtype; 0 where floats do not hold them all, else bytes a sample. */
static size_t to_samples(unsigned char *bytes, const float *x, size_t n, const char *dtype)
{
    size_t bits = dtype[0] == 'b' ? 8 : strtoul(dtype + strcspn(dtype, "0123456789"), NULL, 10);
    size_t item = bits <= 8 ? 1 : bits <= 16 ? 2 : 4;

    if (bits == 64 || !strcmp(dtype, "float16"))
        return 0;
    for (size_t i = 0; i < n; i++) {
        int64_t v = (int64_t)x[i];
        if (dtype[0] == 'f') {
            memcpy(bytes + 4 * i, &x[i], 4);
            continue;
        }
        if (v >= INT64_C(1) << 24 || v <= -(INT64_C(1) << 24))
            return 0;
        for (size_t b = 0; b < item; b++)
            bytes[i * item + b] = (unsigned char)(v >> (8 * b));
    }
    return item;
}

/* What a 16-bit float may miss. */
static double slack(const char *dtype, double x)
{
    return strcmp(dtype, "float16") != 0 ? 1e-4 : fabs(x) / 2048 + 1e-4;
}

static void compare_truth(const char *name, const nset_movie *m, const float *x, size_t t, const truth *want)
{
    for (size_t y = 0; y < m->height; y++)
        for (size_t k = 0; k < m->width; k++)
            if (fabs((double)x[y * m->width + k] - true_value(want, t, m->plane, m->channel, y, k)) >
                slack(m->dtype, (double)x[y * m->width + k])) {
                char detail[160];
                snprintf(detail, sizeof detail, "frame %zu plane %zu channel %zu row %zu column %zu: %g, not %g", t,
                    m->plane, m->channel, y, k, (double)x[y * m->width + k],
                    true_value(want, t, m->plane, m->channel, y, k));
                fail(name, "a number is not the true one", detail);
                return;
            }
    n_truth++;
}

/* The samples of all channels and planes, (t, z, c, y, x), for the checksum of the whole. */
typedef struct whole {
    unsigned char *bytes;
    size_t n; /* 0: not all could be kept */
} whole;

static void keep(whole *w, const nset_movie *m, size_t frame, const unsigned char *bytes, size_t n)
{
    size_t each = m->n_planes * m->n_channels;

    if (!w->bytes) {
        w->n = (size_t)m->n_frames * each * n;
        w->bytes = malloc(w->n);
    }
    if (n * (size_t)m->n_frames * each == w->n)
        memcpy(w->bytes + ((frame * m->n_planes + m->plane) * m->n_channels + m->channel) * n, bytes, n);
    else
        w->n = 0;
}

/* All frames of the channel and plane that m has chosen. */
static nset_status read_all(const char *name, nset_movie *m, json_t *want, const truth *t, whole *w, nset_error *err)
{
    size_t n = m->height * m->width, item = 0;
    json_t *crcs = get(want, "libtiff", "page_crc32");
    int bits = (int)json_integer_value(get(get(want, "libtiff", "page0"), "bps", NULL));
    bool alone = m->n_channels == 1 && m->n_planes == 1;
    bool by_page = alone && (size_t)m->n_frames == json_array_size(crcs) && bits % 8 == 0 && bits != 24;
    float *x = malloc(n * sizeof *x);
    unsigned char *bytes = malloc((size_t)m->n_frames * n * 4);
    nset_status status = NSET_OK;
    /* readers differ on damaged pictures, and on a predictor where nothing is compressed */
    bool exact = !json_is_null(get(want, "must_refuse", NULL)) && !strstr(name, "hpredict");

    for (int64_t i = 0; i < m->n_frames && status == NSET_OK; i++) {
        if ((status = m->read(m, x, i, err)) != NSET_OK)
            break;
        as_stored(x, n, want, m->dtype);
        if (t->kind != NONE)
            compare_truth(name, m, x, (size_t)i, t);
        item = to_samples(bytes + (size_t)i * n * item, x, n, m->dtype);
        exact = exact && item && !get(want, "mroi", NULL);
        keep(w, m, (size_t)i, bytes + (size_t)i * n * item, n * item);
        if (by_page && exact && t->kind == NONE) {
            n_checksums++;
            if (golden_crc32(bytes + (size_t)i * n * item, n * item) !=
                json_integer_value(json_array_get(crcs, (size_t)i)))
                fail(name, "a frame differs from libtiff's", "crc32");
        }
    }
    if (status == NSET_OK && exact && alone && !by_page && t->kind == NONE) {
        json_t *crc = get(want, "crc32_pixels", NULL);
        crc = crc ? crc : get(want, "tifffile", "crc32_pixels");
        n_checksums += crc != NULL;
        if (crc && golden_crc32(bytes, (size_t)m->n_frames * n * item) != json_integer_value(crc))
            fail(name, "the movie differs from tifffile's", "crc32");
    }
    free(x);
    free(bytes);
    return status;
}

/* ---- what is known of the movie ---- */

static void check_count(const char *name, const char *what, json_t *want, size_t have)
{
    char detail[64];

    if (!json_is_integer(want))
        return;
    n_numbers++;
    snprintf(detail, sizeof detail, "%zu, not %lld", have, (long long)json_integer_value(want));
    if ((size_t)json_integer_value(want) != have)
        fail(name, what, detail);
}

static void check_real(const char *name, const char *what, json_t *want, double have)
{
    char detail[64];

    if (!want)
        return;
    n_numbers++;
    snprintf(detail, sizeof detail, "%.10g, not %.10g", have, json_number_value(want));
    if (json_is_null(want) ? have != 0 : fabs(have - json_number_value(want)) > 1e-5 * json_number_value(want))
        fail(name, what, detail);
}

static bool has_fact(const nset_movie *m, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(
        m->facts, i, item) if (!strcmp(text(item, "name", NULL), name) && *text(item, "from", NULL)) return true;
    return false;
}

static void check_numbers(const char *name, const nset_movie *m, json_t *want)
{
    static const char *const facts[] = { "format", "frames", "channels", "planes", "height", "width", "dtype" };
    json_t *pixel = get(want, "pixel_size_um", NULL);

    check_count(name, "frames", get(want, "frames", NULL), (size_t)m->n_frames);
    check_count(name, "channels", get(want, "channels", NULL), m->n_channels);
    check_count(name, "planes", get(want, "planes", NULL), m->n_planes);
    if (!get(want, "mroi", NULL)) {
        check_count(name, "height", get(want, "height", NULL), m->height);
        check_count(name, "width", get(want, "width", NULL), m->width);
    }
    if (json_array_size(get(want, "shape", NULL)) == 3) {
        check_count(name, "frames of the array", json_array_get(get(want, "shape", NULL), 0), (size_t)m->n_frames);
        check_count(name, "height of the array", json_array_get(get(want, "shape", NULL), 1), m->height);
        check_count(name, "width of the array", json_array_get(get(want, "shape", NULL), 2), m->width);
    }
    check_real(name, "rate", get(want, "frame_rate_hz", NULL), m->rate_hz);
    if (pixel) {
        check_real(
            name, "height of a pixel", json_is_null(pixel) ? pixel : json_array_get(pixel, 0), m->pixel_height_um);
        check_real(name, "width of a pixel", json_is_null(pixel) ? pixel : json_array_get(pixel, 1), m->pixel_width_um);
    }
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (!has_fact(m, facts[i]))
            fail(name, "no word of where this came from", facts[i]);
    if ((m->rate_hz > 0 && !has_fact(m, "rate")) || (m->pixel_um > 0 && !has_fact(m, "pixel")))
        fail(name, "no word of where rate or pixel size came from", "");
}

/* ---- one entry ---- */

/* Each channel and plane of the movie; the shape first. */
static nset_status read_movie(const char *name, const char *path, json_t *want, long roi, nset_error *err)
{
    nset_movie_options o = { .roi = roi,
        .plane = json_integer_value(get(want, "frames_per_slice", NULL)) > 0 ||
                 !strcmp(text(want, "axes_true", NULL), "ZTYX") };
    truth t = find_truth(name, want, roi);
    json_t *crc = get(want, "crc32_pixels", NULL);
    size_t channels = 1, planes = 1;
    whole w = { 0 };
    char number[32];
    nset_status status = NSET_OK;

    for (size_t z = 0; z < planes && status == NSET_OK; z++)
        for (size_t c = 0; c < channels && status == NSET_OK; c++) {
            nset_movie *m = NULL;
            snprintf(number, sizeof number, "%zu", c + 1);
            o.channel = c ? number : NULL;
            o.plane = z ? (long)z + 1 : o.plane;
            if ((status = nset_movie_open(&m, &path, 1, &o, err)) != NSET_OK)
                break;
            channels = m->n_channels;
            planes = m->n_planes;
            if (c == 0 && z == 0)
                check_numbers(name, m, want);
            status = read_all(name, m, want, &t, &w, err);
            nset_movie_close(m);
        }
    if (status == NSET_OK && crc && w.n && channels * planes > 1 && !get(want, "dataset", NULL)) {
        n_checksums++; /* of datasets the checksum is of the order in the file */
        if (golden_crc32(w.bytes, w.n) != json_integer_value(crc))
            fail(name, "channels and planes together differ", "crc32");
    }
    free(w.bytes);
    free(t.x);
    return status;
}

/* Pictures that are no frames of a movie, though other readers show them; pages that are not of one size or type. */
static bool may_refuse(json_t *want)
{
    json_t *page = get(want, "libtiff", "page0");
    json_int_t compression = json_integer_value(get(page, "comp", NULL)),
               photometric = json_integer_value(get(page, "photo", NULL));

    return compression == 6 || compression == 34676 || (photometric == 6 && compression != 7) ||
           json_is_false(get(want, "libtiff", "pages_alike"));
}

static void check(const char *name, json_t *want)
{
    json_t *refuse = get(want, "must_refuse", NULL);
    nset_error err = { 0 };
    long n_fields = (long)json_array_size(get(want, "mroi", NULL)); /* 0: not several */
    char path[4096];
    nset_status status;

    golden_path(path, sizeof path, "calcium/tiff/%s", name);
    status = read_movie(name, path, want, n_fields > 0, &err);
    for (long roi = 2; roi <= n_fields && status == NSET_OK; roi++)
        status = read_movie(name, path, want, roi, &err);

    if (status != NSET_OK && (!err.text[0] || status != NSET_ERR_FORMAT || !strstr(err.text, "/")))
        fail(name, "refused without naming a file", err.text);
    if (status == NSET_OK && json_is_true(refuse) && !get(want, "may_accept", NULL))
        fail(name, "read, though it must be refused", text(want, "reason", NULL));
    if (status != NSET_OK && !json_is_true(refuse) && !json_is_null(refuse) && !may_refuse(want) &&
        !strstr(text(want, "expect", NULL), "refuse"))
        fail(name, "refused", err.text);
    n_read += status == NSET_OK;
    n_refused += status != NSET_OK;
}

/* The file holds NaN and Infinity, which JSON does not know: 0 in their places. */
static json_t *load_expected(void)
{
    static const char *const words[] = { "NaN", "Infinity" };
    json_t *root = NULL;
    char path[4096], *all;
    FILE *f = fopen(golden_path(path, sizeof path, "calcium/tiff/expected.json"), "rb");
    long n;

    if (!f) {
        printf("SKIP: %s is not there\n", path);
        return NULL;
    }
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    all = calloc((size_t)n + 1, 1);
    if (fread(all, 1, (size_t)n, f) == (size_t)n) {
        for (size_t k = 0; k < 2; k++)
            for (char *p = all; (p = strstr(p, words[k])); p++)
                if (p[-1] != '"') {
                    memset(p, ' ', strlen(words[k]));
                    *p = '0';
                }
        root = json_loads(all, 0, NULL);
    }
    free(all);
    fclose(f);
    return root;
}

/* Entries that are movies, or must be refused as such. */
static bool is_movie(const char *name, json_t *want)
{
    static const char *const endings[] = { ".tif", ".tiff", ".btf", ".stk", ".lsm" };
    const char *dot = strrchr(name, '.');

    static const char *const others[] = { "made/npy/", "made/hdf5/", "real/hdf5/", "made/nwb/two_photon",
        "made/nwb/one_photon", "made/nwb/volume" };

    if (strstr(name, "/._"))
        return false;
    for (size_t i = 0; dot && i < sizeof others / sizeof *others; i++)
        if (!strncmp(name, others[i], strlen(others[i])) && strcmp(dot, ".npz") != 0)
            return true;
    if (json_is_true(get(want, "is_group", NULL)))
        return strncmp(text(want, "flavour", NULL), "suite2p", 7) != 0;
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i]))
            return true;
    return false;
}

/* Recordings of electrodes share endings and containers with movies. */
static void check_recordings(void)
{
    static const char *const recordings[] = { "ephys/nwb/locust_plain_offset.nwb",
        "ephys/phy/phy_data_template/amplitudes.npy", "calcium/tiff/made/npy/f64_2d.npy", "ephys" };
    char path[4096];

    for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++)
        if (nset_is_movie(golden_path(path, sizeof path, "%s", recordings[i])))
            fail(recordings[i], "taken for a movie", "");
}

int main(int argc, char **argv)
{
    json_t *root = load_expected(), *want;
    const char *name;

    if (!root)
        return 77;
    json_object_foreach(get(root, "files", NULL), name,
        want) if (is_movie(name, want) && (argc < 2 || strstr(name, argv[1]))) check(name, want);
    json_decref(root);
    check_recordings();
    printf("%d read, %d refused; %d frames are the truth, %d checksums and %d numbers compared; %d failures\n", n_read,
        n_refused, n_truth, n_checksums, n_numbers, failures);
    return failures != 0;
}
