#include "ephys/intan_header.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"

enum {
    MAX_HEADER = 16 << 20,
    MAX_TEXT = 1 << 16,
    MAX_GROUPS = 1024,
    MAX_CHANNELS = 65536,
    MAGIC_BYTES = 4,
};
#define MAGIC_RHD UINT32_C(0xC6912702)
#define MAGIC_RHS UINT32_C(0xD69127AC)

bool nset_intan_is_header(const char *path)
{
    unsigned char b[MAGIC_BYTES] = { 0 };
    FILE *f = fopen(path, "rb");
    bool is;

    if (!f)
        return false;
    is = fread(b, 1, sizeof b, f) == sizeof b && (nset_le32(b) == MAGIC_RHD || nset_le32(b) == MAGIC_RHS);
    fclose(f);
    return is;
}

/* A QString: out (n) := its ASCII letters, others as '?'; out may be NULL. */
static void take_text(nset_cursor *c, char *out, size_t n)
{
    uint32_t length = nset_cursor_u32(c);
    const unsigned char *p;
    size_t k = 0;

    if (out)
        out[0] = '\0';
    if (length == UINT32_MAX)
        return;
    if (length > MAX_TEXT)
        c->ended = true;
    if (!(p = nset_cursor_take(c, length)) || !out)
        return;
    for (size_t i = 0; i + 2 <= length && k + 1 < n; i += 2)
        out[k++] = (char)(p[i + 1] == 0 && p[i] >= ' ' && p[i] < 127 ? p[i] : '?');
    out[k] = '\0';
}

static void take_start(nset_intan_header *h, nset_cursor *c)
{
    int notch;

    h->is_stim = nset_cursor_u32(c) == MAGIC_RHS;
    h->major = nset_cursor_i16(c);
    h->minor = nset_cursor_i16(c);
    h->rate_hz = nset_cursor_float(c);
    nset_cursor_take(c, h->is_stim ? 2 + 8 * 4 : 2 + 6 * 4); /* filters: done to the samples already */
    notch = nset_cursor_i16(c);
    h->notch_hz = notch == 1 ? 50 : notch == 2 ? 60 : 0;
    nset_cursor_take(c, 2 * 4);
    if (h->is_stim)
        nset_cursor_take(c, 2 * 2 + 3 * 4);
    for (int i = 0; i < 3; i++) /* notes */
        take_text(c, NULL, 0);
    if (h->is_stim)
        h->dc_saved = nset_cursor_i16(c) != 0;
    else if (h->major > 1 || h->minor >= 1)
        h->n_temperature = (size_t)nset_cursor_i16(c);
    if (h->is_stim || h->major > 1 || h->minor >= 3)
        nset_cursor_i16(c); /* kind of board: tells the scale of its ADC, which is no electrode */
    if (h->is_stim || h->major >= 2)
        take_text(c, NULL, 0);
    h->unsigned_times = !h->is_stim && h->major == 1 && h->minor <= 1;
}

static size_t *counter(nset_intan_header *h, int type)
{
    size_t *rhd[] = { &h->n_amplifier, &h->n_aux, &h->n_supply, &h->n_adc, &h->n_in, &h->n_out };
    size_t *rhs[] = { &h->n_amplifier, NULL, NULL, &h->n_adc, &h->n_dac, &h->n_in, &h->n_out };

    if (type < 0 || type >= (h->is_stim ? 7 : 6))
        return NULL;
    return h->is_stim ? rhs[type] : rhd[type];
}

static nset_status take_channel(nset_intan_header *h, nset_cursor *c, const char *path, nset_error *err)
{
    char name[NSET_INTAN_NAME];
    size_t *n;
    int type, enabled;

    take_text(c, name, sizeof name);
    take_text(c, NULL, 0);
    nset_cursor_take(c, 2 * 2); /* native and custom order */
    type = nset_cursor_i16(c);
    enabled = nset_cursor_i16(c);
    nset_cursor_take(c, (h->is_stim ? 3 : 2) * 2 + 4 * 2 + 2 * 4); /* where it hangs, trigger, impedance */
    if (c->ended)
        return NSET_OK; /* said once, by the caller */
    if (!(n = counter(h, type)))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %zu: channel %s is of kind %d, which Intan does not have",
            path, c->at, name, type);
    if (!enabled) {
        h->n_disabled += type == 0;
        return NSET_OK;
    }
    if (*n == MAX_CHANNELS)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d channels of one kind", path, MAX_CHANNELS);
    if (type == 0 && h->name)
        memcpy(h->name[*n], name, sizeof name);
    ++*n;
    return NSET_OK;
}

static nset_status take_groups(nset_intan_header *h, nset_cursor *c, const char *path, nset_error *err)
{
    int n_groups = nset_cursor_i16(c);
    nset_status status;

    if (n_groups < 0 || n_groups > MAX_GROUPS)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %zu: %d groups of channels; 0 to %d are expected", path, c->at,
            n_groups, MAX_GROUPS);
    for (int g = 0; g < n_groups && !c->ended; g++) {
        int enabled, n;
        take_text(c, NULL, 0);
        take_text(c, NULL, 0);
        enabled = nset_cursor_i16(c);
        n = nset_cursor_i16(c);
        nset_cursor_i16(c);
        if (n < 0)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %zu: group %d has %d channels", path, c->at, g + 1, n);
        for (int i = 0; enabled && i < n && !c->ended; i++)
            if ((status = take_channel(h, c, path, err)) != NSET_OK)
                return status;
    }
    return NSET_OK;
}

static nset_status parse(nset_intan_header *h, nset_cursor c, const char *path, nset_error *err)
{
    nset_status status;

    take_start(h, &c);
    if ((status = take_groups(h, &c, path, err)) != NSET_OK)
        return status;
    if (c.ended)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the header ends in the middle of a field (%zu bytes were there); was the file cut short?", path, c.n);
    if (h->major < 1 || h->minor < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: version %d.%d; 1.0 or later is expected", path, h->major, h->minor);
    if (h->n_temperature > MAX_GROUPS)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the number of temperature sensors is damaged", path);
    if (!(h->rate_hz > 0 && h->rate_hz <= 1e6))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the header says %g samples a second", path, h->rate_hz);
    h->bytes = (int64_t)c.at;
    return NSET_OK;
}

/* First to count, then, with room for the names, to keep them. */
static nset_status parse_twice(nset_intan_header *h, const nset_cursor *c, const char *path, nset_error *err)
{
    nset_status status = parse(h, *c, path, err);
    size_t n = h->n_amplifier;

    if (status != NSET_OK)
        return status;
    *h = (nset_intan_header){ .name = nset_calloc(n + 1, sizeof *h->name) };
    if (!h->name)
        return nset_fail_oom(err, n, sizeof *h->name);
    return parse(h, *c, path, err);
}

nset_status nset_intan_header_read(nset_intan_header *h, const char *path, nset_error *err)
{
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = NULL;
    nset_status status;
    nset_cursor c = { 0 };
    long length;

    *h = (nset_intan_header){ 0 };
    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    length = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    c.n = length < 0 ? 0 : length > MAX_HEADER ? MAX_HEADER : (size_t)length;
    rewind(f);
    if (!(bytes = nset_calloc(c.n + 1, 1))) {
        status = nset_fail_oom(err, c.n, 1);
        goto done;
    }
    c.n = fread(bytes, 1, c.n, f);
    c.bytes = bytes;
    if (c.n < MAGIC_BYTES || (nset_le32(bytes) != MAGIC_RHD && nset_le32(bytes) != MAGIC_RHS))
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: this is not the header of an Intan RHD or RHS file", path);
    else
        status = parse_twice(h, &c, path, err);

done:
    nset_free(bytes);
    fclose(f);
    return status;
}

void nset_intan_header_fini(nset_intan_header *h)
{
    nset_free(h->name);
    *h = (nset_intan_header){ 0 };
}

size_t nset_intan_block_samples(const nset_intan_header *h)
{
    return !h->is_stim && h->major == 1 ? 60 : 128;
}

size_t nset_intan_block_bytes(const nset_intan_header *h)
{
    size_t n = nset_intan_block_samples(h), bytes = 4 * n + 2 * n * h->n_amplifier;

    if (h->is_stim)
        bytes += 2 * n * h->n_amplifier * (h->dc_saved ? 2 : 1) + 2 * n * h->n_dac;
    else
        bytes += n / 2 * h->n_aux + 2 * h->n_supply + 2 * h->n_temperature;
    return bytes + 2 * n * h->n_adc + (h->n_in ? 2 * n : 0) + (h->n_out ? 2 * n : 0);
}
