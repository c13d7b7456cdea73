/* TIFF files of the test data: what we read is what libtiff's and tifffile's own answers say (expected.json there),
 * what we do not read is refused with a line.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "golden.h"
#include "imaging/tiff.h"

static int failures, n_read, n_refused, n_plain, n_compared;

static json_int_t number(json_t *j, const char *a, const char *b)
{
    json_t *o = json_object_get(j, a);

    return json_integer_value(b ? json_object_get(o, b) : o);
}

static void fail(const char *name, const char *what, const char *detail)
{
    printf("FAIL %s: %s (%s)\n", name, what, detail);
    failures++;
}

/* bytes := the samples of x as the file's type, little-endian; false where a float cannot hold them all. */
static bool to_samples(unsigned char *bytes, const float *x, size_t n, const nset_tiff_info *t)
{
    if (t->bits > 32 || t->kind == 'f') {
        for (size_t i = 0; i < n; i++)
            memcpy(bytes + 4 * i, &x[i], 4);
        return t->bits == 32;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t v = (int64_t)x[i];
        if (v >= INT64_C(1) << 24 || v <= -(INT64_C(1) << 24))
            return false;
        for (int b = 0; b < t->bits / 8; b++)
            bytes[i * (size_t)t->bits / 8 + (size_t)b] = (unsigned char)(v >> (8 * b));
    }
    return true;
}

/* Reads all frames; compares each with libtiff's page, or all with tifffile's series. */
static nset_status read_all(const char *name, nset_tiff *t, json_t *want, nset_error *err)
{
    const nset_tiff_info *info = nset_tiff_about(t);
    size_t n = info->height * info->width, item = (size_t)info->bits / 8;
    json_t *crcs = json_object_get(json_object_get(want, "libtiff"), "page_crc32");
    bool by_page = (size_t)info->n_frames == json_array_size(crcs), exact = true;
    float *x = malloc(n * sizeof *x);
    unsigned char *bytes = malloc((size_t)info->n_frames * n * (item > 4 ? item : 4));
    nset_status status = NSET_OK;

    for (int64_t i = 0; i < info->n_frames && status == NSET_OK; i++) {
        unsigned char *at = bytes + (size_t)i * n * item;
        if ((status = nset_tiff_read(t, x, i, err)) != NSET_OK || !(exact = to_samples(at, x, n, info) && exact))
            break;
        if (by_page && golden_crc32(at, n * item) != json_integer_value(json_array_get(crcs, (size_t)i)))
            fail(name, "a frame differs from libtiff's", "crc32");
        n_compared += by_page;
    }
    if (status == NSET_OK && exact && !by_page) {
        n_compared++;
        if (golden_crc32(bytes, (size_t)info->n_frames * n * item) != number(want, "tifffile", "crc32_pixels"))
            fail(name, "the movie differs from tifffile's", "crc32");
    }
    free(x);
    free(bytes);
    return status;
}

/* One gray sample a pixel of a type we read, one size of page, no further axes. */
static bool is_plain(json_t *want)
{
    json_t *page = json_object_get(json_object_get(want, "libtiff"), "page0");
    json_int_t bits = number(page, "bps", NULL), format = number(page, "sf", NULL);
    bool number_type = format == 3 ? bits == 32 || bits == 64 : format <= 2 && (bits == 8 || bits == 16 || bits == 32);
    size_t axes = json_array_size(json_object_get(json_object_get(want, "tifffile"), "shape"));

    return page && number_type && number(page, "spp", NULL) == 1 && number(page, "photo", NULL) <= 1 &&
           (axes == 2 || axes == 3) && json_is_true(json_object_get(json_object_get(want, "libtiff"), "pages_alike"));
}

static void check(const char *name, json_t *want)
{
    json_t *refuse = json_object_get(want, "must_refuse");
    nset_error err = { 0 };
    nset_tiff *t = NULL;
    char path[4096];
    nset_status status = nset_tiff_open(&t, golden_path(path, sizeof path, "calcium/tiff/%s", name), NULL, &err);

    if (status == NSET_OK)
        status = read_all(name, t, want, &err);
    nset_tiff_close(t);
    if (status != NSET_OK && !err.text[0])
        fail(name, "refused without a word", "");
    if (status == NSET_OK && json_is_true(refuse) && !json_object_get(want, "may_accept"))
        fail(name, "read, though it must be refused", json_string_value(json_object_get(want, "reason")));
    if (status != NSET_OK && strstr(name, "pages_then_thumbnail"))
        fail(name, "a reduced copy is no frame, and no reason to refuse the others", err.text);
    if (json_is_false(refuse) && is_plain(want)) {
        n_plain++;
        if (status != NSET_OK && !json_object_get(want, "expect") && !strstr(err.text, "--believe") &&
            !strstr(err.text, "hyperstack")) /* these name what the user can do */
            fail(name, "refused", err.text);
    }
    n_read += status == NSET_OK;
    n_refused += status != NSET_OK;
}

/* The file holds NaN and Infinity, which JSON does not know: 0 in their places. */
static json_t *load_expected(void)
{
    static const char *const words[] = { "NaN", "Infinity" };
    json_t *root = NULL;
    char path[4096], *text;
    FILE *f = fopen(golden_path(path, sizeof path, "calcium/tiff/expected.json"), "rb");
    long n;

    if (!f) {
        printf("SKIP: %s is not there\n", path);
        return NULL;
    }
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    text = calloc((size_t)n + 1, 1);
    if (fread(text, 1, (size_t)n, f) == (size_t)n) {
        for (size_t k = 0; k < 2; k++)
            for (char *p = text; (p = strstr(p, words[k])); p++)
                if (p[-1] != '"') {
                    memset(p, ' ', strlen(words[k]));
                    *p = '0';
                }
        root = json_loads(text, 0, NULL);
    }
    free(text);
    fclose(f);
    return root;
}

int main(void)
{
    json_t *root = load_expected(), *want;
    const char *name;

    if (!root)
        return 77;
    json_object_foreach(json_object_get(root, "files"), name, want)
    {
        const char *dot = strrchr(name, '.');
        if (dot && (!strcmp(dot, ".tif") || !strcmp(dot, ".tiff") || !strcmp(dot, ".btf")))
            check(name, want);
    }
    json_decref(root);
    printf("%d read, %d refused, %d plain; %d comparisons; %d failures\n", n_read, n_refused, n_plain, n_compared,
        failures);
    return failures != 0;
}
