#include "ephys/nsx_header.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"

enum {
    MAX_CHANNELS = 4096,
    BASIC_21 = 32,
    BASIC_22 = 314,
    EXTENDED = 66,
    NEV_BASIC = 336,
    NEV_EXTENDED = 32,
    MAX_NEV = 100000,   /* extended headers */
    FIRST_INPUT = 129,  /* ids of the analogue inputs, where nothing else tells them */
    LIMITED_NV = 21516, /* what some recorders store for ... */
};
#define LIMITED_IS_NV 152592.547
#define TICKS_HZ 30000.

bool nset_nsx_is(const char *path)
{
    char b[8] = "";
    FILE *f = fopen(path, "rb");
    bool is;

    if (!f)
        return false;
    is =
        fread(b, 1, 8, f) == 8 && (!memcmp(b, "NEURALSG", 8) || !memcmp(b, "NEURALCD", 8) || !memcmp(b, "BRSMPGRP", 8));
    fclose(f);
    return is;
}

void nset_nsx_header_fini(nset_nsx_header *h)
{
    nset_free(h->channel);
    *h = (nset_nsx_header){ 0 };
}

/* out := n bytes of text that 0 may end; only what a terminal can show. */
static void take_text(char *out, const unsigned char *p, size_t n)
{
    size_t k = 0;

    for (; k < n && p[k]; k++)
        out[k] = (char)(p[k] >= ' ' && p[k] < 127 ? p[k] : '?');
    while (k > 0 && out[k - 1] == ' ')
        k--;
    out[k] = '\0';
}

static nset_status start_channels(nset_nsx_header *h, uint32_t n, uint32_t period, const char *path, nset_error *err)
{
    if (n < 1 || n > MAX_CHANNELS)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: the header says %u channels; 1 to %d are expected", path, n, MAX_CHANNELS);
    if (period < 1)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the header says a sample every 0 ticks", path);
    h->rate_hz = TICKS_HZ / period;
    h->ticks_hz = TICKS_HZ;
    h->n = n;
    h->channel = nset_calloc(n, sizeof *h->channel);
    return h->channel ? NSET_OK : nset_fail_oom(err, n, sizeof *h->channel);
}

static nset_status cut_short(const char *path, nset_error *err)
{
    return nset_fail(err, NSET_ERR_FORMAT, "%s: the file ends inside its header", path);
}

/* ---- 2.1 ---- */

static void use_nev_entry(nset_nsx_header *h, const unsigned char *b)
{
    unsigned id = nset_le16(b + 8), nv = nset_le16(b + 12);

    for (size_t i = 0; i < h->n && !memcmp(b, "NEUEVWAV", 8); i++)
        if (h->channel[i].id == id && nv) {
            h->channel[i].gain_uv = (nv == LIMITED_NV ? LIMITED_IS_NV : (double)nv) / 1000;
            snprintf(h->scale_from, sizeof h->scale_from, ".nev");
        }
}

/* The .nev beside it; if there is none, the scale stays unknown. */
static void read_nev(nset_nsx_header *h, const char *path)
{
    const char *dot = strrchr(path, '.');
    unsigned char b[NEV_BASIC];
    char nev[4096];
    FILE *f;

    snprintf(nev, sizeof nev, "%.*s.nev", dot ? (int)(dot - path) : (int)strlen(path), path);
    if (!(f = fopen(nev, "rb")))
        return;
    if (fread(b, 1, NEV_BASIC, f) == NEV_BASIC && (!memcmp(b, "NEURALEV", 8) || !memcmp(b, "BREVENTS", 8))) {
        uint32_t n = nset_le32(b + 332);
        for (uint32_t i = 0; i < n && i < MAX_NEV && fread(b, 1, NEV_EXTENDED, f) == NEV_EXTENDED; i++)
            use_nev_entry(h, b);
    }
    fclose(f);
}

static nset_status read_21(nset_nsx_header *h, FILE *f, const char *path, nset_error *err)
{
    unsigned char b[BASIC_21];
    nset_status status;

    if (fread(b, 1, BASIC_21, f) != BASIC_21)
        return cut_short(path, err);
    snprintf(h->version, sizeof h->version, "2.1");
    if ((status = start_channels(h, nset_le32(b + 28), nset_le32(b + 24), path, err)) != NSET_OK)
        return status;
    h->bytes = BASIC_21 + 4 * (int64_t)h->n;
    for (size_t i = 0; i < h->n; i++) {
        nset_nsx_channel *c = &h->channel[i];
        if (fread(b, 1, 4, f) != 4)
            return cut_short(path, err);
        c->id = nset_le32(b);
        c->is_input = c->id >= FIRST_INPUT;
        snprintf(c->label, sizeof c->label, "%s%u", c->is_input ? "ainp" : "chan",
            c->is_input ? c->id - FIRST_INPUT + 1 : c->id);
    }
    read_nev(h, path);
    return NSET_OK;
}

/* ---- 2.2, 2.3, 3.0 ---- */

static double unit_in_uv(const char *unit)
{
    return !strcasecmp(unit, "uv") || !strcasecmp(unit, "?v") || !strcasecmp(unit, "??v") ? 1 /* the Greek letter */
           : !strcasecmp(unit, "mv")                                                      ? 1e3
           : !strcasecmp(unit, "nv")                                                      ? 1e-3
           : !strcasecmp(unit, "v")                                                       ? 1e6
                                                                                          : 0;
}

static void use_extended(nset_nsx_channel *c, const unsigned char *b)
{
    double digital = (int16_t)nset_le16(b + 24) - (int16_t)nset_le16(b + 22), top = (int16_t)nset_le16(b + 24);
    double analogue = (int16_t)nset_le16(b + 28) - (int16_t)nset_le16(b + 26), high = (int16_t)nset_le16(b + 28);
    double gain = digital != 0 ? analogue / digital : 0, offset = high - gain * top;

    c->id = nset_le16(b + 2);
    take_text(c->label, b + 4, 16);
    take_text(c->unit, b + 30, 16);
    c->gain_uv = gain * unit_in_uv(c->unit);
    if (fabs(offset) > 1e-6 * fabs(gain)) /* else the ranges are symmetric, and this is rounding */
        c->offset_uv = offset * unit_in_uv(c->unit);
    if (c->gain_uv == 0)
        c->offset_uv = 0;
    c->is_input = !strncasecmp(c->label, "ainp", 4) || !strncasecmp(c->label, "aout", 4) ||
                  !strncasecmp(c->label, "audio", 5) || !strcasecmp(c->unit, "mv");
}

static nset_status read_22(nset_nsx_header *h, FILE *f, const char *path, nset_error *err)
{
    unsigned char b[BASIC_22];
    nset_status status;
    uint32_t ticks;

    if (fread(b, 1, BASIC_22, f) != BASIC_22)
        return cut_short(path, err);
    snprintf(h->version, sizeof h->version, "%d.%d", b[8], b[9]);
    if ((status = start_channels(h, nset_le32(b + 310), nset_le32(b + 286), path, err)) != NSET_OK)
        return status;
    h->has_packets = true;
    h->long_times = b[8] >= 3;
    ticks = nset_le32(b + 290);
    if (ticks)
        h->ticks_hz = ticks;
    h->bytes = nset_le32(b + 10);
    if (h->bytes < BASIC_22 + EXTENDED * (int64_t)h->n)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the header says data start at byte %lld, inside the header of %zu channels", path, (long long)h->bytes,
            h->n);
    for (size_t i = 0; i < h->n; i++) {
        if (fread(b, 1, EXTENDED, f) != EXTENDED)
            return cut_short(path, err);
        if (b[0] != 'C' || b[1] != 'C')
            return nset_fail(err, NSET_ERR_FORMAT, "%s: the header of channel %zu does not start with CC", path, i + 1);
        use_extended(&h->channel[i], b);
    }
    snprintf(h->scale_from, sizeof h->scale_from, "the file");
    return NSET_OK;
}

nset_status nset_nsx_header_read(nset_nsx_header *h, const char *path, nset_error *err)
{
    FILE *f = fopen(path, "rb");
    char magic[8] = "";
    nset_status status;

    *h = (nset_nsx_header){ 0 };
    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (fread(magic, 1, 8, f) != 8 || fseek(f, 0, SEEK_SET))
        status = cut_short(path, err);
    else if (!memcmp(magic, "NEURALSG", 8))
        status = read_21(h, f, path, err);
    else if (!memcmp(magic, "NEURALCD", 8) || !memcmp(magic, "BRSMPGRP", 8))
        status = read_22(h, f, path, err);
    else
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: this is no Blackrock file of samples (.ns1 to .ns6)", path);
    fclose(f);
    return status;
}
