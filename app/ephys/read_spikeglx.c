/* SpikeGLX: NAME.bin with NAME.meta. The kind of stream is what the meta says, never what the name says. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/neuropixels.h"
#include "ephys/spikeglx.h"

enum { MOST_CHANNELS = 65536, MOST_SHANKS = 64 };
#include "results/small_files.h"

void nset_spikeglx_path(char *out, size_t n, const char *path, const char *ending)
{
    size_t stem = strlen(path);

    if (stem > 4 && !strcmp(path + stem - 4, ".bin"))
        stem -= 4;
    else if (stem > 5 && !strcmp(path + stem - 5, ".meta"))
        stem -= 5;
    snprintf(out, n, "%.*s%s", (int)stem, path, ending);
}

const char *nset_spikeglx_value(const char *meta, const char *key)
{
    size_t n = strlen(key);

    for (const char *line = meta; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *p = *line == '~' ? line + 1 : line;
        if (!strncmp(p, key, n) && p[n] == '=')
            return p + n + 1;
    }
    return NULL;
}

double nset_spikeglx_number(const char *meta, const char *key)
{
    const char *v = nset_spikeglx_value(meta, key);

    return v ? strtod(v, NULL) : 0;
}

/* What follows the next parenthesis of a table value, or of a group of it; NULL at the end of the line. */
static const char *next_group(const char *v)
{
    if (!v)
        return NULL;
    v += strcspn(v, "(\n");
    return *v == '(' ? v + 1 : NULL;
}

/* Numbers of a group "a b c" or "a:b:c" or "a,b,c". */
static size_t numbers(const char *g, double *out, size_t most)
{
    size_t n = 0;

    while (g && *g && !strchr("()\n", *g) && n < most) {
        char *end;
        double v = strtod(g, &end);
        if (end == g) {
            g++;
            continue;
        }
        out[n++] = v;
        g = end;
        while (*g == ' ' || *g == ':' || *g == ',' || *g == '\r')
            g++;
    }
    return n;
}

/* n counts of channels; false when there are fewer or one is none. */
static bool channel_counts(const char *v, size_t *out, size_t n)
{
    double x[8];

    if (numbers(v, x, n) < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] >= 0 && x[i] <= 65536))
            return false;
        out[i] = (size_t)x[i];
    }
    return true;
}

/* Acquired channel numbers of the saved ones, how many: "all" or "0:383,768". */
static size_t saved_channels(const char *meta, long *out, size_t n)
{
    const char *v = nset_spikeglx_value(meta, "snsSaveChanSubset");
    size_t k = 0;

    if (!v || !strncmp(v, "all", 3)) {
        for (; k < n; k++)
            out[k] = (long)k;
        return n;
    }
    while (*v && *v != '\n' && *v != '\r' && k < n) {
        char *end;
        long first = strtol(v, &end, 10), last = first;
        if (end == v)
            break;
        v = end;
        if (*v == ':') {
            last = strtol(v + 1, &end, 10);
            v = end;
        }
        if (first < 0 || last >= MOST_CHANNELS)
            break;
        for (long c = first; c <= last && k < n; c++)
            out[k++] = c;
        while (*v == ',' || *v == ' ')
            v++;
    }
    return k;
}

typedef struct meta_view {
    const char *text, *path;
    bool is_lf;
    size_t n, n_acquired_ap; /* electrodes in the file; AP channels acquired */
    long *acquired;          /* (n_columns) */
    const char **site;       /* (n_sites) the entry of imroTbl that has this number, or NULL */
    size_t n_sites;
} meta_view;

/* Gains of the bands stand in each entry of the channel table (Neuropixels 1 and Ultra), in its header (NP1110), or the
 * probe has one gain (Neuropixels 2 and 3). */
typedef enum gain_place { GAIN_ENTRY, GAIN_HEADER, GAIN_FIXED } gain_place;

static gain_place find_gains(const double *head, size_t n_head)
{
    bool np2 =
        head[0] == 21 || head[0] == 24 || (head[0] >= 2000 && head[0] < 3000) || (head[0] >= 3010 && head[0] < 4000);

    if (n_head >= 6 && head[0] == 1110)
        return GAIN_HEADER;
    return n_head == 2 && np2 ? GAIN_FIXED : GAIN_ENTRY; /* phase 3A has three numbers, the first a serial number */
}

/* Counts at full scale; not written before 2020. */
static double full_scale(const meta_view *m)
{
    double top = nset_spikeglx_number(m->text, "imMaxInt"), type = nset_spikeglx_number(m->text, "imDatPrb_type");

    if (top > 0)
        return top;
    return type == 21 || type == 24 ? 8192 : type >= 2000 && type < 4000 ? 2048 : 512;
}

/* Lists the entries of the channel table by their numbers; the first of two with the same counts. */
static nset_status list_sites(meta_view *m, size_t n_columns, nset_error *err)
{
    const char *g = next_group(nset_spikeglx_value(m->text, "imroTbl"));
    double number;

    for (size_t i = 0; i < n_columns; i++)
        m->n_sites = (size_t)m->acquired[i] >= m->n_sites ? (size_t)m->acquired[i] + 1 : m->n_sites;
    if (!(m->site = nset_calloc(m->n_sites, sizeof *m->site)))
        return nset_fail_oom(err, m->n_sites, sizeof *m->site);
    while ((g = next_group(g)))
        if (numbers(g, &number, 1) && number >= 0 && number < (double)m->n_sites && number == floor(number) &&
            !m->site[(size_t)number])
            m->site[(size_t)number] = g;
    return NSET_OK;
}

/* Numbers of the table's entry of the electrode in a column; how many. */
static size_t find_entry(const meta_view *m, size_t column, double *entry, size_t most)
{
    long site = m->acquired[column] - (m->is_lf ? (long)m->n_acquired_ap : 0);

    return site < 0 || (size_t)site >= m->n_sites ? 0 : numbers(m->site[site], entry, most);
}

static nset_status set_gains(nset_layout *l, const meta_view *m, nset_error *err)
{
    double range = nset_spikeglx_number(m->text, "imAiRangeMax"), top = full_scale(m);
    const char *table = nset_spikeglx_value(m->text, "imroTbl");
    double head[8] = { 0 }, entry[8],
           fixed = nset_spikeglx_number(m->text, m->is_lf ? "imChan0lfGain" : "imChan0apGain");
    gain_place where;
    size_t band = m->is_lf ? 4 : 3, assumed = 0;

    where = find_gains(head, numbers(next_group(table), head, 8));
    if (!(range > 0))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: imAiRangeMax is missing: the gain cannot be known", m->path);
    for (size_t i = 0; i < l->n; i++) {
        double gain = where == GAIN_HEADER ? head[band] : fixed;
        if (where == GAIN_ENTRY && find_entry(m, l->column[i], entry, 8) >= 5)
            gain = entry[band];
        if (!(gain > 0)) {
            gain = where != GAIN_FIXED ? (m->is_lf ? 250 : 500) : head[0] == 21 || head[0] == 24 ? 80 : 100;
            assumed += where != GAIN_FIXED;
        }
        l->gain_uv[i] = 1e6 * range / top / gain;
    }
    if (assumed)
        nset_layout_warn(
            l, "%s: the gain of %zu channels is not told; %d is assumed", m->path, assumed, m->is_lf ? 250 : 500);
    nset_layout_fact(l, "gain", m->path, "%.10g uV a count", l->gain_uv[0]);
    return NSET_OK;
}

/* The last number of a map's entry: 0 where the site is the reference or was switched off by the user. */
static nset_status mark_unused(nset_layout *l, const meta_view *m, nset_error *err)
{
    const char *keys[] = { "snsGeomMap", "snsShankMap" }, *g = NULL;
    size_t n = 0, k = 0;
    double e[4];

    while (k < 2 && !(g = next_group(next_group(nset_spikeglx_value(m->text, keys[k])))))
        k++;
    if (k == 2)
        return NSET_OK;
    if (!(l->unused = nset_calloc(l->n, sizeof *l->unused)))
        return nset_fail_oom(err, l->n, sizeof *l->unused);
    for (size_t i = 0; i < l->n; i++, g = next_group(g)) {
        l->unused[i] = numbers(g, e, 4) == 4 && e[3] == 0;
        n += l->unused[i];
    }
    if (n)
        nset_layout_fact(l, "not used", m->path, "%zu sites by %s (reference or switched off): not sorted", n, keys[k]);
    return NSET_OK;
}

/* snsGeomMap: (PN,nShank,pitch,width)(s:x:y:used)..., an entry a saved electrode. */
static bool geometry_from_map(nset_layout *l, const meta_view *m)
{
    const char *table = nset_spikeglx_value(m->text, "snsGeomMap"), *g = next_group(table);
    const char *comma = table ? strchr(table, ',') : NULL;
    double head[4] = { 0 }, e[4];

    if (!table || !comma || numbers(comma + 1, head, 3) < 2)
        return false;
    for (size_t i = 0; i < l->n; i++) {
        g = next_group(g);
        if (numbers(g, e, 4) < 4 || !(e[0] >= 0 && e[0] < MOST_SHANKS) || !isfinite(e[0] * head[1] + e[1] + e[2]))
            return false;
        l->probe.shank[i] = (int)e[0];
        l->probe.x_um[i] = e[0] * head[1] + e[1];
        l->probe.y_um[i] = e[2];
    }
    nset_layout_fact(l, "geometry", m->path, "snsGeomMap, %zu contacts", l->n);
    return true;
}

/* Part number of the probe: as the meta says it, or what its type number stands for. */
static void part_number(char *out, size_t n, const meta_view *m)
{
    const char *pn = nset_spikeglx_value(m->text, "imDatPrb_pn");
    double type = nset_spikeglx_number(m->text, "imDatPrb_type");

    if (pn && *pn != '\r' && *pn != '\n' && *pn)
        snprintf(out, n, "%.*s", (int)strcspn(pn, " \r\n"), pn);
    else if (type == 21 || type == 24)
        snprintf(out, n, "NP20%s", type == 21 ? "00" : "10");
    else if (type == 0)
        snprintf(out, n, "NP1000"); /* the only probe before part numbers, phase 3A too */
    else
        snprintf(out, n, "NP%.0f", type);
}

static bool geometry_from_imro(nset_layout *l, const meta_view *m)
{
    const nset_neuropixels *kind;
    char part[40];
    double e[8];

    part_number(part, sizeof part, m);
    if (!(kind = nset_neuropixels_find(part)))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        size_t k = find_entry(m, l->column[i], e, 8);
        if (k == 0 || !nset_neuropixels_place(kind, e, k, &l->probe.shank[i], &l->probe.x_um[i], &l->probe.y_um[i]))
            return false;
    }
    nset_layout_fact(l, "geometry", m->path, "imroTbl of part %s, %zu contacts", part, l->n);
    return true;
}

/* snsShankMap: (shanks,columns,rows)(s:c:r:used)..., an entry a saved electrode; in metas without the other two. */
static bool geometry_from_grid(nset_layout *l, const meta_view *m)
{
    const char *g = next_group(nset_spikeglx_value(m->text, "snsShankMap"));
    const nset_neuropixels *kind;
    char part[40];
    double e[4];

    part_number(part, sizeof part, m);
    if (!(kind = nset_neuropixels_find(part)))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        g = next_group(g);
        if (numbers(g, e, 4) < 4 ||
            !nset_neuropixels_grid(kind, e[0], e[1], e[2], &l->probe.x_um[i], &l->probe.y_um[i]))
            return false;
        l->probe.shank[i] = (int)e[0];
    }
    nset_layout_fact(l, "geometry", m->path, "snsShankMap of part %s, %zu contacts", part, l->n);
    return true;
}

/* NP1110: the table tells the banks of 24 groups of channels instead of sites. */
static bool geometry_from_ultra(nset_layout *l, const meta_view *m)
{
    const char *at = next_group(nset_spikeglx_value(m->text, "imroTbl"));
    double head[8], e[8];
    int bank[48];

    if (numbers(at, head, 8) < 2 || head[0] != 1110 || !(head[1] >= 0 && head[1] <= 2))
        return false;
    for (size_t g = 0; g < 24; g++) {
        at = next_group(at);
        if (numbers(at, e, 8) != 3 || e[0] != (double)g || !(e[1] >= 0 && e[1] < 16) || !(e[2] >= 0 && e[2] < 16))
            return false;
        bank[2 * g] = (int)e[1];
        bank[2 * g + 1] = (int)e[2];
    }
    for (size_t i = 0; i < l->n; i++) {
        long site = m->acquired[l->column[i]] - (m->is_lf ? (long)m->n_acquired_ap : 0);
        if (!nset_neuropixels_ultra((int)head[1], bank, site, &l->probe.x_um[i], &l->probe.y_um[i]))
            return false;
    }
    nset_layout_fact(l, "geometry", m->path, "imroTbl of part NP1110, %zu contacts", l->n);
    return true;
}

static nset_status use_imec(nset_layout *l, meta_view *m, nset_error *err)
{
    size_t counts[3], acquired[3];
    nset_status status;

    if (!channel_counts(nset_spikeglx_value(m->text, "snsApLfSy"), counts, 3))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: snsApLfSy is missing or damaged: which columns are electrodes?", m->path);
    m->is_lf = counts[0] == 0;
    m->n_acquired_ap = channel_counts(nset_spikeglx_value(m->text, "acqApLfSy"), acquired, 3) ? acquired[0] : 384;
    m->n = m->is_lf ? counts[1] : counts[0];
    if (m->n < 1 || m->n > l->n_columns)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: snsApLfSy names %zu AP and %zu LF channels of %zu saved ones",
            m->path, counts[0], counts[1], l->n_columns);
    if ((status = nset_layout_channels(l, m->n, err)) != NSET_OK ||
        (status = list_sites(m, l->n_columns, err)) != NSET_OK || (status = set_gains(l, m, err)) != NSET_OK)
        return status;
    l->has_places =
        geometry_from_map(l, m) || geometry_from_imro(l, m) || geometry_from_ultra(l, m) || geometry_from_grid(l, m);
    if ((status = mark_unused(l, m, err)) != NSET_OK)
        return status;
    if (m->n < l->n_columns)
        nset_layout_fact(l, "left out", m->path, "%zu columns that are no electrodes (sync)", l->n_columns - m->n);
    if (m->is_lf)
        nset_layout_warn(l, "this is an LFP stream of %g Hz: spikes are in the AP stream", l->rate_hz);
    return NSET_OK;
}

/* Counts of MN, MA, XA columns of a NI-DAQ or OneBox file, which come first in a frame. */
static nset_status count_analogue(size_t *counts, const meta_view *m, bool onebox, size_t n_columns, nset_error *err)
{
    const char *key = onebox ? "snsXaDwSy" : "snsMnMaXaDw";
    size_t n;

    counts[0] = counts[1] = 0;
    if (!channel_counts(nset_spikeglx_value(m->text, key), onebox ? counts + 2 : counts, onebox ? 3 : 4))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: %s is missing or damaged: which columns are analogue?", m->path, key);
    n = counts[0] + counts[1] + counts[2];
    if (n < 1 || n > n_columns)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this %s file holds no analogue channel, only digital words",
            m->path, onebox ? "OneBox" : "NI-DAQ");
    return NSET_OK;
}

static nset_status use_daq(nset_layout *l, const meta_view *m, bool onebox, nset_error *err)
{
    double range = nset_spikeglx_number(m->text, onebox ? "obAiRangeMax" : "niAiRangeMax"), gains[3];
    double top = nset_spikeglx_number(m->text, onebox ? "obMaxInt" : "niMaxInt");
    size_t counts[5], n, i = 0;
    nset_status status;

    if ((status = count_analogue(counts, m, onebox, l->n_columns, err)) != NSET_OK)
        return status;
    n = counts[0] + counts[1] + counts[2];
    if (!(range > 0))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s is missing: the gain cannot be known", m->path,
            onebox ? "obAiRangeMax" : "niAiRangeMax");
    if ((status = nset_layout_channels(l, n, err)) != NSET_OK)
        return status;
    gains[0] = nset_spikeglx_number(m->text, "niMNGain");
    gains[1] = nset_spikeglx_number(m->text, "niMAGain");
    gains[2] = 1;
    for (int kind = 0; kind < 3; kind++)
        for (size_t k = 0; k < counts[kind]; k++, i++)
            l->gain_uv[i] = 1e6 * range / (top > 0 ? top : 32768) / (gains[kind] > 0 ? gains[kind] : 1);
    nset_layout_fact(l, "gain", m->path, "%.10g uV a count", l->gain_uv[0]);
    if (n < l->n_columns)
        nset_layout_fact(l, "left out", m->path, "%zu columns that are digital words", l->n_columns - n);
    nset_layout_warn(
        l, "this is a %s stream: its analogue channels are no electrodes of a probe", onebox ? "OneBox" : "NI-DAQ");
    return NSET_OK;
}

nset_spikeglx_kind nset_spikeglx_kind_of(const char *meta, const char *path)
{
    const char *type = nset_spikeglx_value(meta, "typeThis");
    size_t counts[3];

    if (type ? !strncmp(type, "nidq", 4) : strstr(path, ".nidq.") != NULL)
        return NSET_SPIKEGLX_NIDQ;
    if (type ? !strncmp(type, "obx", 3) : strstr(path, ".obx.") != NULL)
        return NSET_SPIKEGLX_ONEBOX;
    if (channel_counts(nset_spikeglx_value(meta, "snsApLfSy"), counts, 3) && counts[0] == 0)
        return NSET_SPIKEGLX_LF;
    return NSET_SPIKEGLX_AP;
}

/* Sample number of the first frame: what joins files and lines up streams. */
static void use_clock(nset_layout *l, const char *text, const char *path)
{
    double first = nset_spikeglx_number(text, "firstSample");

    if (!nset_spikeglx_value(text, "firstSample") || !(first >= 0 && first < 9e14) ||
        !(l->rate_hz >= 1 && l->rate_hz <= 1e9))
        return;
    l->has_clock = true;
    l->first_sample = (int64_t)first;
    l->start_s = first / l->rate_hz;
    nset_layout_fact(l, "start", path, "sample %lld of the acquisition, %.6f s", (long long)first, l->start_s);
}

nset_status nset_spikeglx_meta(nset_layout *l, const char *text, const char *path, nset_error *err)
{
    nset_spikeglx_kind kind = nset_spikeglx_kind_of(text, path);
    bool nidq = kind == NSET_SPIKEGLX_NIDQ, onebox = kind == NSET_SPIKEGLX_ONEBOX;
    meta_view m = { .text = text, .path = path };
    double n = nset_spikeglx_number(text, "nSavedChans");
    nset_status status;

    if (!(n >= 1 && n <= 65536))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: nSavedChans is %g; a number from 1 to 65536 is expected", path, n);
    l->n_columns = (size_t)n;
    l->rate_hz = nset_spikeglx_number(text, nidq ? "niSampRate" : onebox ? "obSampRate" : "imSampRate");
    snprintf(l->dtype, sizeof l->dtype, "int16");
    nset_layout_fact(l, "rate", path, "%.12g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", "the format", "int16");
    use_clock(l, text, path);
    l->stated_samples = floor(nset_spikeglx_number(text, "fileSizeBytes") / (2 * n));
    if (!(m.acquired = nset_calloc(l->n_columns, sizeof *m.acquired)))
        return nset_fail_oom(err, l->n_columns, sizeof *m.acquired);
    if (saved_channels(text, m.acquired, l->n_columns) < l->n_columns)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: snsSaveChanSubset names fewer channels than nSavedChans", path);
    else
        status = nidq || onebox ? use_daq(l, &m, onebox, err) : use_imec(l, &m, err);
    nset_free(m.site);
    nset_free(m.acquired);
    return status;
}

nset_status nset_spikeglx_file(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char meta[4096], data[4096], *text = NULL;
    nset_status status;

    (void)o;
    nset_spikeglx_path(meta, sizeof meta, path, ".meta");
    nset_spikeglx_path(data, sizeof data, path, ".bin");
    if (access(data, R_OK))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: there is a header but no data: %s", data, strerror(errno));
    if (!(l->data_path = nset_strdup(data)))
        return nset_fail_oom(err, strlen(data), 1);
    if ((status = nset_read_text(&text, meta, 16 << 20, err)) != NSET_OK)
        return status;
    status = nset_spikeglx_meta(l, text, meta, err);
    nset_free(text);
    return status == NSET_OK ? nset_spikeglx_catgt(l, err) : status;
}
