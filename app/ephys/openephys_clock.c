/* When the frames of an Open Ephys stream were taken: a number a frame, steps of other than one are gaps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "results/npy_header.h"
#include "ephys/openephys.h"
#include "results/small_files.h"

enum { BATCH = 8192, MOST_GAPS = 100000 };

typedef struct numbers {
    char path[4096];
    nset_npy_header header;
} numbers;

/* The array beside continuous.dat, when it is there and 8-byte numbers a row. */
static bool find_array(numbers *a, const char *oebin, const char *folder, const char *name)
{
    char inside[1024];
    nset_error err = { 0 };

    snprintf(inside, sizeof inside, "continuous/%s/%s", folder, name);
    nset_path_beside(a->path, sizeof a->path, oebin, inside);
    return access(a->path, R_OK) == 0 && nset_npy_header_read(&a->header, a->path, &err) == NSET_OK &&
           a->header.n_axes >= 1 && a->header.shape[0] > 0 && (a->header.n_axes == 1 || a->header.shape[1] == 1);
}

static bool is_i64(const numbers *a)
{
    return !strcmp(a->header.descr, "<i8");
}

static int64_t le64(const unsigned char *b)
{
    uint64_t v = 0;

    for (int i = 8; i-- > 0;)
        v = v << 8 | b[i];
    return (int64_t)v;
}

static void note_step(nset_layout *l, int64_t sample, int64_t step, nset_status *status, nset_error *err)
{
    if (l->n_gaps <= MOST_GAPS)
        *status = nset_layout_add_gap(l, sample, ((double)step - 1) / l->rate_hz, err);
}

/* Gaps of l where the numbers do not go on by one; first := the first of them. */
static nset_status read_numbers(
    nset_layout *l, const numbers *a, int64_t n_frames, int64_t *first, int64_t *seen, nset_error *err)
{
    static _Thread_local unsigned char bytes[BATCH * 8];
    int64_t n = a->header.shape[0] < n_frames ? a->header.shape[0] : n_frames, before = 0;
    FILE *f = fopen(a->path, "rb");
    nset_status status = NSET_OK;
    size_t got = 1;

    *seen = 0;
    if (!f || fseeko(f, (off_t)a->header.data, SEEK_SET)) {
        if (f)
            fclose(f);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", a->path, strerror(errno));
    }
    while (*seen < n && got > 0 && status == NSET_OK) {
        got = fread(bytes, 8, n - *seen < BATCH ? (size_t)(n - *seen) : BATCH, f);
        for (size_t i = 0; i < got && status == NSET_OK; i++) {
            int64_t v = le64(bytes + 8 * i);
            if (*seen + (int64_t)i == 0)
                *first = v;
            else if ((uint64_t)v - (uint64_t)before != 1)
                note_step(l, *seen + (int64_t)i, (int64_t)((uint64_t)v - (uint64_t)before), &status, err);
            before = v;
        }
        *seen += (int64_t)got;
    }
    fclose(f);
    return status;
}

static nset_status use_numbers(nset_layout *l, const numbers *a, int64_t n_frames, nset_error *err)
{
    int64_t first = 0, seen = 0;
    nset_status status = read_numbers(l, a, n_frames, &first, &seen, err);

    if (status != NSET_OK)
        return status;
    if (l->n_gaps > MOST_GAPS) {
        nset_layout_warn(
            l, "%s jumps more than %d times: it is not believed, and no gaps are known", a->path, MOST_GAPS);
        l->n_gaps = 0;
        return NSET_OK;
    }
    if (seen < n_frames)
        nset_layout_warn(l, "%s has %lld numbers for %lld frames: gaps after them are not known", a->path,
            (long long)seen, (long long)n_frames);
    if (seen == 0)
        return NSET_OK;
    l->has_clock = first > -INT64_C(100000000000000) && first < INT64_C(100000000000000);
    if (!l->has_clock) {
        nset_layout_warn(l, "%s begins with %lld, which is no sample number", a->path, (long long)first);
        return NSET_OK;
    }
    l->first_sample = first;
    l->start_s = (double)first / l->rate_hz;
    nset_layout_fact(l, "start", a->path, "sample %lld of the acquisition, %.6f s", (long long)first, l->start_s);
    nset_layout_fact(l, "gaps", a->path, "%zu where the numbers do not go on by one", l->n_gaps);
    return NSET_OK;
}

/* ---- sync_messages.txt ---- */

static char *read_messages(char *path, size_t n, const char *oebin)
{
    nset_error err = { 0 };
    char *text = NULL;

    nset_path_beside(path, n, oebin, "sync_messages.txt");
    return nset_read_text(&text, path, 1 << 20, &err) == NSET_OK ? text : NULL;
}

/* Does the line speak of the stream? "Start Time for NAME (id) - STREAM @ F Hz: S" of the folder "NAME-id.STREAM", or
 * "Processor: NAME Id: n subProcessor: k start time: S@FHz" of the folder "NAME-n.k", blanks there being underscores.
 */
static bool line_start(const char *line, const char *folder, double *start)
{
    char name[256], stream[256];
    int id, sub;
    double rate, first;

    name[0] = stream[0] = '\0';
    if (sscanf(line, "Start Time for %255[^(](%d) - %255[^@]@ %lf Hz: %lf", name, &id, stream, &rate, &first) == 5) {
        size_t n = strlen(stream);
        while (n && stream[n - 1] == ' ')
            stream[--n] = '\0';
        snprintf(name, sizeof name, "-%d.%.200s", id, stream);
    } else if (sscanf(line, "Processor: %255[^:]: %d subProcessor: %d start time: %lf@", name, &id, &sub, &first) ==
               4) {
        snprintf(name, sizeof name, "-%d.%d", id, sub);
    } else {
        return false;
    }
    *start = first;
    return strlen(folder) > strlen(name) && !strcmp(folder + strlen(folder) - strlen(name), name);
}

static void use_messages(nset_layout *l, const char *oebin, const char *folder)
{
    char path[4096], *text = read_messages(path, sizeof path, oebin);
    double first = 0;

    for (const char *line = text; line && !l->has_clock; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (line_start(line, folder, &first) && first >= 0 && first < 1e14) {
            l->has_clock = true;
            l->first_sample = (int64_t)first;
            l->start_s = first / l->rate_hz;
            nset_layout_fact(l, "start", path, "sample %lld of the acquisition, %.6f s", (long long)first, l->start_s);
        }
    nset_free(text);
}

double nset_openephys_wall_ms(const char *oebin)
{
    static const char key[] = "since midnight Jan 1st 1970 UTC):";
    char path[4096], *text = read_messages(path, sizeof path, oebin);
    const char *p = text ? strstr(text, key) : NULL;
    double ms = p ? strtod(p + sizeof key - 1, NULL) : 0;

    nset_free(text);
    return ms > 0 && ms < 1e15 ? ms : 0;
}

/* ---- both ---- */

nset_status nset_openephys_clock(
    nset_layout *l, const char *oebin, const char *folder, int64_t n_frames, nset_error *err)
{
    static const char *const names[] = { "sample_numbers.npy", "timestamps.npy" };
    numbers a;
    nset_status status;

    if (!(l->rate_hz >= 1 && l->rate_hz <= 1e9)) /* refused later; clocks are counted in it here */
        return NSET_OK;
    for (size_t i = 0; i < 2; i++)
        if (find_array(&a, oebin, folder, names[i]) && is_i64(&a)) { /* the type decides, not the name */
            if ((status = use_numbers(l, &a, n_frames, err)) != NSET_OK || l->has_clock)
                return status;
        }
    use_messages(l, oebin, folder);
    if (!l->has_clock)
        nset_layout_warn(l, "%s: no sample numbers are there: gaps are not known", oebin);
    else
        nset_layout_warn(l, "%s: only the start is told, not a number a frame: gaps are not known", oebin);
    return NSET_OK;
}
