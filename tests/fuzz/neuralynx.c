#include "recording.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 16384, RECORD = 1044, RECORD_HEADER = 20, MAX_RECORDS = 16 };

/* A .ncs file of a text and the headers of its records; samples need no search. */
static const char *write_file(
    const char *name, const char *more, const uint8_t *text, size_t n_text, const uint8_t *records, size_t n_records)
{
    static uint8_t file[HEADER + MAX_RECORDS * RECORD];

    memset(file, 0, HEADER);
    n_text = n_text < HEADER - 100 ? n_text : HEADER - 100;
    memcpy(file, text, n_text);
    memcpy(file + n_text, more, strlen(more));
    for (size_t i = 0; i < n_records; i++)
        memcpy(file + HEADER + i * RECORD, records + i * RECORD_HEADER, RECORD_HEADER);
    return fuzz_file(name, file, HEADER + n_records * RECORD);
}

/* Text, 0, number of records of the first file, headers of records: those left are of a second channel. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "neuralynx" };
    const uint8_t *end = size ? memchr(data, 0, size) : NULL, *records = end ? end + 2 : data + size;
    size_t n_text = end ? (size_t)(end - data) : size;
    size_t n = end && size >= n_text + 2 ? (size - n_text - 2) / RECORD_HEADER : 0, first;
    const char *paths[2];
    nset_recording *r = NULL;
    nset_error err = { 0 };
    nset_status status;

    n = n < MAX_RECORDS ? n : MAX_RECORDS;
    first = n ? end[1] : 0;
    first = first < n ? first : n;
    paths[0] = write_file("a.ncs", "", data, n_text, records, first);
    paths[1] = write_file("b.ncs", "\n-ADChannel 2\n", data, n_text, records + first * RECORD_HEADER, n - first);
    if (n == first) {
        fuzz_recording(paths[0], &options);
        return 0;
    }
    status = nset_recording_open(&r, paths, 2, &options, &err);
    fuzz_check(status, &err);
    if (status == NSET_OK && r->source->n_samples >= 2) {
        static float x[4];
        fuzz_check(r->source->read(r->source, x, 0, 2, &err), &err);
        fuzz_check(r->source->read(r->source, x, r->source->n_samples - 2, 2, &err), &err);
    }
    nset_recording_close(r);
    return 0;
}
