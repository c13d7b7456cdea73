#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"
#include "ephys/oelegacy.h"

enum { HEADER = 1024, MARKER = 10, MOST_BLOCK = 65535, MOST_RUNS = 1000000 };

static const unsigned char marker[MARKER] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 255 };

void nset_oelegacy_fini(nset_oelegacy_file *f)
{
    nset_free(f->path);
    nset_free(f->run);
    *f = (nset_oelegacy_file){ 0 };
}

/* ---- header ---- */

/* value := what stands after "header.key =", without quotes, blanks and the semicolon. */
static bool get(const char *header, const char *key, char *value, size_t n)
{
    char name[40];
    const char *p, *end;

    snprintf(name, sizeof name, "header.%s", key);
    for (p = strstr(header, name); p; p = strstr(p + 1, name))
        if (strspn(p + strlen(name), " =") > 0 && (p == header || strchr(" \r\n;", p[-1])))
            break;
    if (!p)
        return false;
    p += strlen(name);
    p += strspn(p, " =");
    if (*p == '\'') {
        p++;
        end = strchr(p, '\'');
    } else {
        end = p + strcspn(p, ";\r\n");
    }
    if (!end)
        return false;
    snprintf(value, n, "%.*s", (int)(end - p), p);
    return true;
}

static double get_number(const char *header, const char *key)
{
    char value[64];

    return get(header, key, value, sizeof value) ? strtod(value, NULL) : 0;
}

/* '5-Oct-2018 143727'; old versions leave zeros out: then only a full or one short time is understood. */
static double created(const char *header)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t = { 0 };
    char value[64], month[4], clock[16];
    const char *m;
    int day, year;
    size_t n;

    if (!get(header, "date_created", value, sizeof value) ||
        sscanf(value, "%d-%3s-%d %15[0-9]", &day, month, &year, clock) != 4 || strlen(month) != 3 ||
        !(m = strstr(months, month)) || (m - months) % 3 || year < 1990 || year > 2200 || day < 1 || day > 31)
        return 0;
    n = strlen(clock);
    if (n != 5 && n != 6)
        return 0;
    t.tm_mday = day;
    t.tm_mon = (int)(m - months) / 3;
    t.tm_year = year - 1900;
    t.tm_sec = atoi(clock + n - 2);
    clock[n - 2] = '\0';
    t.tm_min = atoi(clock + n - 4);
    clock[n - 4] = '\0';
    t.tm_hour = atoi(clock);
    return (double)timegm(&t);
}

static nset_status read_header(nset_oelegacy_file *f, int fd, nset_error *err)
{
    char header[HEADER + 1] = "";
    double block;

    if (pread(fd, header, HEADER, 0) != HEADER || !strstr(header, "header."))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: not an Open Ephys file: its first 1024 bytes are no header", f->path);
    f->version = get_number(header, "version");
    f->rate_hz = get_number(header, "sampleRate");
    f->bit_volts = get_number(header, "bitVolts");
    f->created_s = created(header);
    block = get_number(header, "blockLength");
    if (block == 0)
        block = 1024;
    if (!(block >= 1 && block <= MOST_BLOCK && block == (double)(int64_t)block))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: blockLength is %g; a number from 1 to %d is expected", f->path,
            block, MOST_BLOCK);
    f->block = (int64_t)block;
    f->header_bytes = HEADER;
    f->before = f->version > 0 && f->version < .2 ? 16 : 12; /* two 64-bit numbers; later 16-bit count and recording */
    f->record_bytes = f->before + 2 * f->block + MARKER;
    return NSET_OK;
}

/* ---- records ---- */

static bool is_record(const nset_oelegacy_file *f, const unsigned char *start, const unsigned char *end)
{
    uint64_t n = f->before == 16 ? nset_le64(start + 8) : nset_le16(start + 8);

    return n == (uint64_t)f->block && !memcmp(end, marker, MARKER);
}

/* Byte after the next marker from byte at on; the file's size when there is none. */
static int64_t resync(int fd, int64_t at, int64_t size)
{
    unsigned char bytes[65536];

    while (at < size) {
        ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)at);
        const unsigned char *found;
        if (got < MARKER)
            return size;
        if ((found = memmem(bytes, (size_t)got, marker, MARKER)))
            return at + (found - bytes) + MARKER;
        at += got - MARKER + 1;
    }
    return size;
}

/* A record of the channel at byte offset whose first sample has that number. */
static nset_status add_record(
    nset_oelegacy_file *f, int64_t first, int64_t offset, int recording, int *last, nset_error *err)
{
    nset_oelegacy_run *r = f->n_runs ? &f->run[f->n_runs - 1] : NULL;
    int64_t end = r ? r->first + r->n : 0;
    int part = r ? r->part : 0;
    nset_status status;

    if (r && first < end) {
        if (recording != *last || first < f->run[0].first) {
            part++; /* the clock starts anew */
        } else {
            if (f->overlap == 0)
                f->overlap_at = (offset - f->header_bytes) / f->record_bytes;
            f->overlap += end - first;
        }
    }
    *last = recording;
    if (r && part == r->part && first == end && offset == r->offset + r->n / f->block * f->record_bytes) {
        r->n += f->block;
        return NSET_OK;
    }
    if (f->n_runs >= MOST_RUNS)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d gaps", f->path, MOST_RUNS);
    if ((status = nset_grow(&f->run, &f->cap_runs, f->n_runs + 1, sizeof *f->run, err)) == NSET_OK)
        f->run[f->n_runs++] = (nset_oelegacy_run){ first, f->block, offset, part };
    return status;
}

static nset_status scan_records(nset_oelegacy_file *f, int fd, int64_t size, nset_error *err)
{
    int64_t at = f->header_bytes;
    unsigned char start[16], end[MARKER];
    nset_status status = NSET_OK;
    int last = 0;

    while (at + f->record_bytes <= size && status == NSET_OK && f->overlap == 0) {
        int64_t first;
        if (pread(fd, start, (size_t)f->before, (off_t)at) != f->before ||
            pread(fd, end, MARKER, (off_t)(at + f->record_bytes - MARKER)) != MARKER)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %lld: %s", f->path, (long long)at, strerror(errno));
        first = (int64_t)nset_le64(start);
        if (!is_record(f, start, end) || first < 0 || first > INT64_MAX / 4) {
            if (f->n_bad++ == 0)
                f->bad_at = at;
            at = resync(fd, at + 1, size);
            continue;
        }
        status = add_record(f, first, at, f->before == 16 ? 0 : nset_le16(start + 10), &last, err);
        at += f->record_bytes;
    }
    f->torn = size > at ? size - at : 0;
    return status;
}

nset_status nset_oelegacy_scan(nset_oelegacy_file *f, const char *path, nset_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    nset_status status;
    struct stat s;

    *f = (nset_oelegacy_file){ .path = nset_strdup(path) };
    if (!f->path || fd < 0 || fstat(fd, &s) || !S_ISREG(s.st_mode)) {
        status = f->path
                     ? nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, fd < 0 ? strerror(errno) : "not a regular file")
                     : nset_fail_oom(err, strlen(path), 1);
        if (fd >= 0)
            close(fd);
        return status;
    }
    if ((status = read_header(f, fd, err)) == NSET_OK)
        status = scan_records(f, fd, (int64_t)s.st_size, err);
    close(fd);
    return status;
}

nset_status nset_oelegacy_read(const nset_oelegacy_file *f, int fd, int16_t *out, size_t stride,
    const nset_oelegacy_run *run, int64_t first, size_t n, nset_error *err)
{
    unsigned char bytes[2 * MOST_BLOCK];

    for (size_t done = 0; done < n;) {
        int64_t in_run = first - run->first + (int64_t)done, in_record = in_run % f->block;
        size_t now = (size_t)(f->block - in_record) < n - done ? (size_t)(f->block - in_record) : n - done;
        int64_t at = run->offset + in_run / f->block * f->record_bytes + f->before + 2 * in_record;
        if (pread(fd, bytes, 2 * now, (off_t)at) != (ssize_t)(2 * now))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %lld: the file ended; was it changed while it was read?",
                f->path, (long long)at);
        for (size_t k = 0; k < now; k++)
            out[(done + k) * stride] = (int16_t)(bytes[2 * k] << 8 | bytes[2 * k + 1]); /* big-endian */
        done += now;
    }
    return NSET_OK;
}
