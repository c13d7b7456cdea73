#include "imaging/ifd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

enum { WINDOW = 512, MOST_ENTRIES = 4096, MOST_STRIPS = 1 << 22, MOST_SIDE = 1 << 24, MOST_SAMPLES = 64 };

/* ---- the file ---- */

uint16_t nset_tiff_u16(const nset_tiff_file *f, const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return f->swap ? __builtin_bswap16(v) : v;
}

uint32_t nset_tiff_u32(const nset_tiff_file *f, const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return f->swap ? __builtin_bswap32(v) : v;
}

uint64_t nset_tiff_u64(const nset_tiff_file *f, const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return f->swap ? __builtin_bswap64(v) : v;
}

bool nset_tiff_file_bytes(const nset_tiff_file *f, void *to, uint64_t offset, size_t n)
{
    char *p = to;

    if (offset > f->size || n > f->size - offset)
        return false;
    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* What a file that is no TIFF is instead. */
static const char *known_signature(const unsigned char *b, size_t n)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *name;
    } known[] = { { "\211HDF", 4, "an HDF5 file" }, { "\211PNG", 4, "a PNG picture" }, { "PK\3\4", 4, "a zip archive" },
        { "\223NUMPY", 6, "a NumPy array" }, { "RIFF", 4, "a RIFF file" }, { "\377\330\377", 3, "a JPEG picture" },
        { "BM", 2, "a BMP picture" }, { "EP", 2, "a Microsoft document image" }, { "\037\213", 2, "packed by gzip" } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].n && !memcmp(b, known[i].bytes, known[i].n))
            return known[i].name;
    return NULL;
}

static nset_status read_header(nset_tiff_file *f, nset_error *err)
{
    unsigned char b[16] = { 0 };
    size_t n = f->size < 16 ? (size_t)f->size : 16;
    const char *other;
    uint16_t version;

    if (!nset_tiff_file_bytes(f, b, 0, n))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: cannot be read: %s", f->path, strerror(errno));
    if (n < 8 || (memcmp(b, "II", 2) != 0 && memcmp(b, "MM", 2) != 0)) {
        other = known_signature(b, n);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this is not a TIFF file%s%s%s", f->path, other ? ": it is " : "",
            other ? other : "",
            n == 0  ? ": it is empty"
            : n < 8 ? ": it is cut within its header"
                    : "");
    }
    f->swap = (b[0] == 'M') == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    version = nset_tiff_u16(f, b + 2);
    f->big = version == 43;
    if (version != 42 && version != 43)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: TIFF version %u; 42 and 43 (BigTIFF) are expected", f->path, version);
    if (f->big && (n < 16 || nset_tiff_u16(f, b + 4) != 8 || nset_tiff_u16(f, b + 6) != 0))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: a BigTIFF header with offsets of %u bytes; 8 are expected", f->path,
            nset_tiff_u16(f, b + 4));
    f->first = f->big ? nset_tiff_u64(f, b + 8) : nset_tiff_u32(f, b + 4);
    if (f->first == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this TIFF file holds no picture", f->path);
    return NSET_OK;
}

nset_status nset_tiff_file_open_raw(nset_tiff_file *f, const char *path, nset_error *err)
{
    nset_status status = NSET_OK;
    struct stat s;

    *f = (nset_tiff_file){ .fd = -1 };
    if (!(f->path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path), 1);
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &s))
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(s.st_mode))
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: this is no file", path);
    else
        f->size = (uint64_t)s.st_size;
    if (status != NSET_OK)
        nset_tiff_file_close(f);
    return status;
}

nset_status nset_tiff_file_open(nset_tiff_file *f, const char *path, nset_error *err)
{
    nset_status status = nset_tiff_file_open_raw(f, path, err);

    if (status == NSET_OK && (status = read_header(f, err)) != NSET_OK)
        nset_tiff_file_close(f);
    return status;
}

void nset_tiff_file_rest(nset_tiff_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

nset_status nset_tiff_file_wake(nset_tiff_file *f, nset_error *err)
{
    if (f->fd < 0 && (f->fd = open(f->path, O_RDONLY | O_CLOEXEC)) < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", f->path, strerror(errno));
    return NSET_OK;
}

void nset_tiff_file_close(nset_tiff_file *f)
{
    nset_tiff_file_rest(f);
    nset_free(f->path);
    *f = (nset_tiff_file){ .fd = -1 };
}

/* ---- fields ---- */

static unsigned type_size(uint16_t type)
{
    static const unsigned char size[19] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8 };

    return type < sizeof size ? size[type] : 0;
}

static bool is_integer(uint16_t type)
{
    return type == 1 || type == 3 || type == 4 || type == 13 || type == 16 || type == 18;
}

static uint64_t integer_of(const nset_tiff_file *f, const unsigned char *b, unsigned size)
{
    return size == 1 ? b[0] : size == 2 ? nset_tiff_u16(f, b) : size == 4 ? nset_tiff_u32(f, b) : nset_tiff_u64(f, b);
}

uint64_t nset_ifd_integer(const nset_tiff_file *f, const nset_ifd_field *field, uint64_t i)
{
    unsigned char b[8];
    unsigned size = type_size(field->type);

    if (!is_integer(field->type) || i >= field->count || !nset_tiff_file_bytes(f, b, field->at + i * size, size))
        return 0;
    return integer_of(f, b, size);
}

double nset_ifd_real(const nset_tiff_file *f, const nset_ifd_field *field)
{
    unsigned char b[8];
    uint32_t top, bottom;
    float x;

    if (field->count < 1 || !nset_tiff_file_bytes(f, b, field->at, type_size(field->type)))
        return 0;
    if (field->type == 11) {
        top = nset_tiff_u32(f, b);
        memcpy(&x, &top, sizeof x);
        return (double)x;
    }
    if (field->type != 5)
        return (double)nset_ifd_integer(f, field, 0);
    top = nset_tiff_u32(f, b);
    bottom = nset_tiff_u32(f, b + 4);
    return bottom ? (double)top / bottom : 0;
}

char *nset_ifd_text(const nset_tiff_file *f, const nset_ifd_field *field, size_t most)
{
    size_t n = field->count < most ? (size_t)field->count : most;
    char *text = n > 0 && type_size(field->type) == 1 ? nset_calloc(n + 1, 1) : NULL;

    if (text && !nset_tiff_file_bytes(f, text, field->at, n)) {
        nset_free(text);
        text = NULL;
    }
    return text;
}

/* ---- a directory ---- */

/* The place that v means, whose upper half a classic file beyond 4 GB has lost. */
static uint64_t near_directory(const nset_tiff_file *f, uint64_t directory, uint64_t v)
{
    uint64_t turn = UINT64_C(1) << 32, half = turn / 2;

    if (f->big || directory < turn)
        return v;
    v += directory / turn * turn;
    return v > directory + half ? v - turn : v + half < directory ? v + turn : v;
}

/* Where an integer of the kind stands. */
static void set_number(nset_ifd *d, uint16_t tag, uint64_t v)
{
    nset_page_kind *k = &d->kind;
    uint32_t v32 = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
    uint16_t v16 = v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;

    switch (tag) {
    case 254:
        d->subfile = v32;
        break;
    case 256:
        k->width = v32;
        break;
    case 257:
        k->height = v32;
        break;
    case 258:
        k->bits = v16;
        break;
    case 259:
        k->compression = v16;
        break;
    case 262:
        k->photometric = v16;
        break;
    case 266:
        k->fill_order = v16;
        break;
    case 277:
        k->samples = v16;
        break;
    case 278:
        k->rows_per_strip = v32;
        break;
    case 284:
        k->planar = v16;
        break;
    case 296:
        d->resolution_unit = v16;
        break;
    case 317:
        k->predictor = v16;
        break;
    case 322:
        k->tile_width = v32;
        break;
    case 323:
        k->tile_height = v32;
        break;
    case 339:
        k->format = v16;
        break;
    default:
        break;
    }
}

static int kept_field(uint16_t tag)
{
    switch (tag) {
    case 273:
    case 324:
        return NSET_IFD_OFFSETS;
    case 279:
    case 325:
        return NSET_IFD_BYTE_COUNTS;
    case 270:
        return NSET_IFD_DESCRIPTION;
    case 305:
        return NSET_IFD_SOFTWARE;
    case 315:
        return NSET_IFD_ARTIST;
    case 282:
        return NSET_IFD_X_RESOLUTION;
    case 283:
        return NSET_IFD_Y_RESOLUTION;
    case 51123:
        return NSET_IFD_MICRO_MANAGER;
    case 33629:
        return NSET_IFD_UIC2;
    case 34412:
        return NSET_IFD_LSM;
    default:
        return -1;
    }
}

/* Of a tag that comes twice the first counts, as for libtiff; of descriptions both are kept. */
static void take_entry(nset_ifd *d, const nset_tiff_file *f, const unsigned char *e, uint64_t at, uint64_t *seen)
{
    uint16_t tag = nset_tiff_u16(f, e);
    nset_ifd_field field = { .type = nset_tiff_u16(f, e + 2) };
    unsigned size = type_size(field.type), room = f->big ? 8 : 4;
    int kept = kept_field(tag);
    size_t value = f->big ? 12 : 8;
    bool inside;

    field.count = f->big ? nset_tiff_u64(f, e + 4) : nset_tiff_u32(f, e + 4);
    if (size == 0 || field.count == 0 || field.count > f->size / size)
        return;
    inside = field.count * size <= room;
    field.at = inside   ? at + value
               : f->big ? nset_tiff_u64(f, e + value)
                        : near_directory(f, d->offset, nset_tiff_u32(f, e + value));
    if (kept == NSET_IFD_DESCRIPTION && d->field[kept].count)
        kept = NSET_IFD_DESCRIPTION2;
    if (kept >= 0) {
        if (!d->field[kept].count)
            d->field[kept] = field;
        d->tiled = d->tiled || tag == 324;
    } else if (tag >= 254 && tag < 254 + 128 && is_integer(field.type) &&
               !(seen[(tag - 254) / 64] >> ((tag - 254) % 64) & 1)) {
        seen[(tag - 254) / 64] |= UINT64_C(1) << ((tag - 254) % 64);
        set_number(d, tag, inside ? integer_of(f, e + value, size) : nset_ifd_integer(f, &field, 0));
    }
}

static const char *check_kind(const nset_ifd *d)
{
    const nset_page_kind *k = &d->kind;

    if (k->width == 0 || k->height == 0)
        return "it states no width or no height";
    if (k->width > MOST_SIDE || k->height > MOST_SIDE)
        return "its sides are longer than those of any movie";
    if (k->samples == 0 || k->bits == 0 || k->samples > MOST_SAMPLES || k->bits > 64)
        return "it states 0 or too many samples or bits";
    if (d->field[NSET_IFD_OFFSETS].count == 0)
        return "it does not say where its pixels are";
    if (d->tiled && (k->tile_width == 0 || k->tile_height == 0))
        return "it has tiles of no size";
    return NULL;
}

bool nset_ifd_read(nset_ifd *out, const nset_tiff_file *f, uint64_t offset, const char **reason)
{
    size_t head = f->big ? 8 : 2, entry = f->big ? 20 : 12, tail = f->big ? 8 : 4, need;
    unsigned char window[WINDOW], *b = window;
    uint64_t seen[2] = { 0 };

    *out = (nset_ifd){ .offset = offset,
        .kind = { .rows_per_strip = UINT32_MAX,
            .samples = 1,
            .bits = 1,
            .format = 1,
            .compression = 1,
            .planar = 1,
            .predictor = 1,
            .fill_order = 1 },
        .resolution_unit = 2 };
    *reason = "it lies beyond the end of the file";
    need = offset < f->size && f->size - offset < WINDOW ? (size_t)(f->size - offset) : WINDOW;
    if (need < head || !nset_tiff_file_bytes(f, b, offset, need))
        return false;
    out->n_entries = f->big ? nset_tiff_u64(f, b) : nset_tiff_u16(f, b);
    *reason = NSET_IFD_EMPTY;
    if (out->n_entries == 0)
        return false;
    *reason = "it is cut, or states more entries than there are";
    if (out->n_entries > MOST_ENTRIES || head + out->n_entries * entry > f->size - offset)
        return false;
    need = head + (size_t)out->n_entries * entry;
    if (need + tail > WINDOW && !(b = nset_calloc(need + tail, 1)))
        return false;
    if (b != window && !nset_tiff_file_bytes(f, b, offset, need + tail) && !nset_tiff_file_bytes(f, b, offset, need)) {
        nset_free(b);
        return false;
    }
    if (offset + need + tail <= f->size)
        out->next = f->big ? nset_tiff_u64(f, b + need) : nset_tiff_u32(f, b + need);
    for (size_t i = 0; i < out->n_entries; i++)
        take_entry(out, f, b + head + i * entry, offset + head + i * entry, seen);
    if (b != window)
        nset_free(b);
    return !(*reason = check_kind(out));
}

/* ---- pixels ---- */

/* x (n) := the values of an integer field; false when they are not all there. */
static bool read_integers(uint64_t *x, const nset_tiff_file *f, const nset_ifd_field *field)
{
    unsigned size = type_size(field->type);
    size_t n = (size_t)field->count;
    unsigned char *b = (unsigned char *)x + n * (sizeof *x - size);

    if (!is_integer(field->type) || !nset_tiff_file_bytes(f, b, field->at, n * size))
        return false;
    for (size_t i = 0; i < n; i++, b += size) /* the bytes lie at the end of x: none is overwritten before it is read */
        x[i] = integer_of(f, b, size);
    return true;
}

uint64_t nset_ifd_plain_data(const nset_tiff_file *f, const nset_ifd *d, uint64_t *ends)
{
    const nset_page_kind *k = &d->kind;
    const nset_ifd_field *offsets = &d->field[NSET_IFD_OFFSETS], *counts = &d->field[NSET_IFD_BYTE_COUNTS];
    uint32_t rows = k->rows_per_strip < k->height ? k->rows_per_strip : k->height;
    uint64_t row = (uint64_t)k->width * k->samples * k->bits / 8, first, n_strips, *x;
    bool plain = true;

    if (k->compression != 1 || k->fill_order != 1 || d->tiled || k->bits % 8 || k->planar != 1 || rows == 0)
        return 0;
    n_strips = (k->height + (uint64_t)rows - 1) / rows;
    if (offsets->count != n_strips || n_strips > MOST_STRIPS || (counts->count && counts->count != n_strips))
        return 0;
    first = near_directory(f, d->offset, nset_ifd_integer(f, offsets, 0));
    *ends = first + row * k->height;
    if (n_strips == 1)
        return counts->count && nset_ifd_integer(f, counts, 0) < row * k->height ? 0 : first;
    if (!(x = nset_calloc(n_strips, sizeof *x)))
        return 0;
    plain = read_integers(x, f, offsets);
    for (uint64_t i = 1; i < n_strips && plain; i++)
        plain = near_directory(f, d->offset, x[i]) == first + i * rows * row;
    if (plain && counts->count) {
        plain = read_integers(x, f, counts);
        for (uint64_t i = 0; i < n_strips && plain; i++)
            plain = x[i] >= (i + 1 < n_strips ? rows : k->height - i * rows) * row;
    }
    nset_free(x);
    return plain ? first : 0;
}
