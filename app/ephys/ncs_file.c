#include "ephys/ncs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"
#include "ephys/folder.h"

enum { RATE_RECORDS = 4096 /* a minute and more */, WINDOW = 32 };

#define WRAP_US 4294967296.
#define MAX_US INT64_C(100000000000000000) /* 3000 years */

bool nset_ncs_is(const char *path)
{
    char b[9] = "";
    FILE *f;

    if (!nset_has_ending(path, ".ncs") || !(f = fopen(path, "rb")))
        return false;
    if (fread(b, 1, 8, f) == 0) /* made, and never written */
        memcpy(b, "########", 8);
    fclose(f);
    return !memcmp(b, "########", 8);
}

void nset_ncs_fini(nset_ncs *f)
{
    nset_free(f->path);
    nset_free(f->run);
    *f = (nset_ncs){ 0 };
}

/* ---- header ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == ':' || c == '"';
}

static void use_key(nset_ncs *f, const char *key, const char *value)
{
    bool yes = !strncasecmp(value, "true", 4) || !strncasecmp(value, "enabled", 7);
    double number = strtod(value, NULL);

    if (!isfinite(number))
        number = 0;
    if (!strcasecmp(key, "SamplingFrequency"))
        f->header_rate_hz = number;
    else if (!strcasecmp(key, "ADBitVolts"))
        f->gain_uv = number * 1e6;
    else if (!strcasecmp(key, "InputInverted"))
        f->is_inverted = yes;
    else if (!strcasecmp(key, "InputRange"))
        f->range_uv = number;
    else if (!strcasecmp(key, "ADChannel"))
        f->channel = number >= 0 && number < 1e6 ? (long)number : -1;
    else if (!strcasecmp(key, "AcqEntName") || !strcasecmp(key, "NLX_Base_Class_Name"))
        snprintf(f->name, sizeof f->name, "%s", value);
    else if (!strcasecmp(key, "DspLowCutFrequency") || !strcasecmp(key, "AmpLowCut"))
        f->low_hz = number;
    else if (!strcasecmp(key, "DspHighCutFrequency") || !strcasecmp(key, "AmpHiCut"))
        f->high_hz = number;
    else if (!strcasecmp(key, "DspDelayCompensation"))
        f->delay_not_compensated = !yes;
    else if (!strncasecmp(key, "DspFilterDelay", 14))
        f->delay_us = number;
}

/* Lines are "-Key value", "-Key: value" or "<tab>-Key<tab>value"; those with # are remarks. text is changed. */
static void parse_header(nset_ncs *f, char *text)
{
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n"))) {
        char *value, *end;
        while (is_space(*line))
            line++;
        if (*line++ != '-')
            continue;
        for (value = line; *value && !is_space(*value);)
            value++;
        if (*value)
            *value++ = '\0';
        while (is_space(*value))
            value++;
        for (end = value + strlen(value); end > value && is_space(end[-1]);)
            *--end = '\0';
        use_key(f, line, value);
    }
    if (f->is_inverted)
        f->gain_uv = -f->gain_uv;
}

/* The name when the header has none: of the file, without the _0001 of a recording that was stopped and went on. */
static void name_of_file(char *out, size_t n, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t length = dot ? (size_t)(dot - base) : strlen(base);

    if (length > 5 && base[length - 5] == '_' && strspn(base + length - 4, "0123456789") == 4)
        length -= 5;
    snprintf(out, n, "%.*s", (int)length, base);
}

static nset_status read_header(nset_ncs *f, int fd, int64_t size, nset_error *err)
{
    char *text = nset_calloc(NSET_NCS_HEADER + 1, 1);
    nset_status status = NSET_OK;
    ssize_t got;

    if (!text)
        return nset_fail_oom(err, NSET_NCS_HEADER, 1);
    got = pread(fd, text, NSET_NCS_HEADER, 0);
    if (got < 0)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s", f->path, strerror(errno));
    else if (size > 0 && strncmp(text, "########", 8))
        status =
            nset_fail(err, NSET_ERR_FORMAT, "%s: it does not start with the ######## of a Neuralynx header", f->path);
    else if (size > 0 && size < NSET_NCS_HEADER)
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: %lld bytes; the header alone has %d", f->path, (long long)size, NSET_NCS_HEADER);
    else
        parse_header(f, text);
    nset_free(text);
    if (!f->name[0])
        name_of_file(f->name, sizeof f->name, f->path);
    return status;
}

/* ---- records ---- */

typedef struct record {
    int64_t us;
    unsigned rate, n;
} record;

/* The file's records through a window: a call a record would cost more than the bytes. */
typedef struct window {
    int fd;
    int64_t n_records; /* of the file */
    int64_t first, n;  /* records in bytes */
    unsigned char bytes[WINDOW * NSET_NCS_RECORD];
} window;

static nset_status read_record(record *r, const nset_ncs *f, window *w, int64_t i, nset_error *err)
{
    const unsigned char *b;

    if (i < w->first || i >= w->first + w->n) {
        size_t size;
        w->first = i;
        w->n = w->n_records - i < WINDOW ? w->n_records - i : WINDOW;
        size = (size_t)w->n * NSET_NCS_RECORD;
        if (pread(w->fd, w->bytes, size, (off_t)(NSET_NCS_HEADER + i * NSET_NCS_RECORD)) != (ssize_t)size) {
            w->n = 0;
            return nset_fail(err, NSET_ERR_FORMAT, "%s: record %lld cannot be read", f->path, (long long)i);
        }
    }
    b = w->bytes + (i - w->first) * NSET_NCS_RECORD;
    r->us = (int64_t)(nset_le64(b) & INT64_MAX);
    r->rate = nset_le32(b + 12);
    r->n = nset_le32(b + 16);
    return NSET_OK;
}

static int by_number(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;

    return p < q ? -1 : p > q;
}

/* rate := of the steps between full records that agree with their median. uncertainty: relative; times are whole
 * microseconds, and some clocks jitter. 0 when fewer than two agree. */
static double step_rate(double *step, size_t n, double *uncertainty)
{
    double median, sum = 0, least = INFINITY, most = 0;
    size_t used = 0;

    if (n < 2)
        return 0;
    qsort(step, n, sizeof *step, by_number);
    median = step[n / 2];
    for (size_t i = 0; i < n; i++)
        if (fabs(step[i] - median) <= fmax(2, 4 * median / NSET_NCS_SAMPLES)) {
            sum += step[i];
            least = fmin(least, step[i]);
            most = fmax(most, step[i]);
            used++;
        }
    if (used < 2 || 2 * used < n)
        return 0;
    *uncertainty = (2 + most - least) / sum;
    return 1e6 * NSET_NCS_SAMPLES * (double)used / sum;
}

static nset_status measure(double *rate, double *uncertainty, const nset_ncs *f, window *w, nset_error *err)
{
    double *step = nset_calloc(RATE_RECORDS, sizeof *step);
    record last = { 0 }, r = { 0 };
    nset_status status = NSET_OK;
    size_t n_steps = 0;

    *rate = 0;
    if (!step)
        return nset_fail_oom(err, RATE_RECORDS, sizeof *step);
    for (int64_t i = 0; i < w->n_records && i < RATE_RECORDS && status == NSET_OK; i++) {
        if ((status = read_record(&r, f, w, i, err)) != NSET_OK)
            break;
        if (i > 0 && last.n == NSET_NCS_SAMPLES && r.us > last.us && r.us <= MAX_US)
            step[n_steps++] = (double)(r.us - last.us);
        last = r;
    }
    if (status == NSET_OK)
        *rate = step_rate(step, n_steps, uncertainty);
    nset_free(step);
    return status;
}

/* Old recorders took samples on whole microseconds and wrote another rate into the header. A rate with decimals was
 * computed by the recorder and is believed up to 1 in 1000. */
static nset_status find_rate(nset_ncs *f, window *w, nset_error *err)
{
    double uncertainty = 0, off, allowed;
    record r = { 0 };
    nset_status status;

    f->rate_hz = f->header_rate_hz;
    if ((status = measure(&f->measured_hz, &uncertainty, f, w, err)) != NSET_OK ||
        (status = read_record(&r, f, w, 0, err)) != NSET_OK)
        return status;
    if (!(f->header_rate_hz > 0))
        f->rate_hz = f->header_rate_hz = r.rate;
    if (f->measured_hz == 0)
        return NSET_OK;
    if (f->rate_hz <= 0) {
        f->rate_hz = f->measured_hz;
        return NSET_OK;
    }
    off = fabs(f->measured_hz / f->rate_hz - 1);
    allowed = (f->rate_hz == floor(f->rate_hz) ? 1e-4 : 1e-3) + uncertainty;
    if (off > allowed && off < .1)
        f->rate_hz = f->measured_hz;
    return NSET_OK;
}

typedef struct run_scan {
    size_t room;
    int64_t shift_us; /* what wraps have added so far */
    int64_t end_record;
    double end_us; /* when the sample after the last run is due */
    bool partial;  /* the last record was not full */
} run_scan;

/* Times that jump by a multiple of 2^32 us, to within a record, have lost or won a carry. */
static void unwrap(nset_ncs *f, run_scan *s, int64_t us)
{
    double jump = (double)(us - s->shift_us) - s->end_us, wraps = round(jump / WRAP_US), rest = jump - wraps * WRAP_US;

    if (wraps == 0 || fabs(rest) > 2e6 * NSET_NCS_SAMPLES / f->rate_hz)
        return;
    if (!f->wraps) {
        f->wrap_sample = f->n_samples;
        f->wrap_us = wraps * WRAP_US;
    }
    f->wraps = true;
    s->shift_us += (int64_t)(wraps * WRAP_US);
}

static nset_status add_record(nset_ncs *f, run_scan *s, int64_t i, const record *r, nset_error *err)
{
    int64_t n = r->n > NSET_NCS_SAMPLES ? NSET_NCS_SAMPLES : r->n, us;
    nset_ncs_run *last = f->n_runs ? &f->run[f->n_runs - 1] : NULL;
    nset_status status;

    f->n_beyond += r->n > NSET_NCS_SAMPLES;
    if (n == 0)
        return NSET_OK;
    if (last)
        unwrap(f, s, r->us);
    us = r->us - s->shift_us;
    if (last && !s->partial && i == s->end_record && fabs((double)us - s->end_us) <= 1e6 / f->rate_hz + 1) {
        last->n += n;
    } else {
        if ((status = nset_grow(&f->run, &s->room, f->n_runs + 1, sizeof *f->run, err)) != NSET_OK)
            return status;
        f->run[f->n_runs++] = (nset_ncs_run){ .record = i, .n = n, .start_us = us };
    }
    f->n_samples += n;
    s->partial = n < NSET_NCS_SAMPLES;
    s->end_record = i + 1;
    s->end_us = (double)us + 1e6 * (double)n / f->rate_hz;
    return NSET_OK;
}

static nset_status find_runs(nset_ncs *f, window *w, nset_error *err)
{
    run_scan s = { 0 };
    nset_status status;
    record r = { 0 };

    for (int64_t i = 0; i < w->n_records; i++) {
        if ((status = read_record(&r, f, w, i, err)) != NSET_OK)
            return status;
        if (r.us > MAX_US ||
            (i > 0 && r.us == 0 && f->n_samples > 0)) { /* the rest was never filled, or is no record */
            f->n_empty = w->n_records - i;
            return NSET_OK;
        }
        if ((status = add_record(f, &s, i, &r, err)) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

/* The header and, through w, the records. */
static nset_status read_all(nset_ncs *f, window *w, int64_t size, nset_error *err)
{
    nset_status status = read_header(f, w->fd, size, err);

    if (status != NSET_OK || size <= NSET_NCS_HEADER)
        return status;
    w->n_records = (size - NSET_NCS_HEADER) / NSET_NCS_RECORD;
    f->torn_bytes = (int)((size - NSET_NCS_HEADER) % NSET_NCS_RECORD);
    if (w->n_records == 0 || (status = find_rate(f, w, err)) != NSET_OK)
        return status;
    if (!(f->rate_hz >= 1 && f->rate_hz <= 1e6))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: neither the header nor the records tell a rate", f->path);
    return find_runs(f, w, err);
}

nset_status nset_ncs_read(nset_ncs *f, const char *path, nset_error *err)
{
    window *w = nset_calloc(1, sizeof *w);
    nset_status status;
    struct stat info;

    *f = (nset_ncs){ .channel = -1, .path = nset_strdup(path) };
    if (!f->path || !w) {
        nset_free(w);
        return nset_fail_oom(err, sizeof *w, 1);
    }
    if ((w->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    else if (fstat(w->fd, &info) || !S_ISREG(info.st_mode))
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: not a regular file", path);
    else
        status = read_all(f, w, info.st_size, err);
    if (w->fd >= 0)
        close(w->fd);
    nset_free(w);
    return status;
}
