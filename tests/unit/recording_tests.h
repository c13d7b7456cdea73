/* What tests of the readers share. */
#ifndef NSET_RECORDING_TESTS_H
#define NSET_RECORDING_TESTS_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/base/test_hooks.h"
#include "ephys/recording.h"

/* Writes the lowest n_bytes bytes of v, the lowest first. */
static inline void put(FILE *f, uint64_t v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        fputc(i < (int)sizeof v ? (int)(v >> 8 * i & 255) : 0, f);
}

static inline nset_recording *must_open_with(const char *const *paths, size_t n, const nset_recording_options *o)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_msg(nset_recording_open(&r, paths, n, o, &err) == NSET_OK, "%s", err.text);
    return r;
}

static inline void must_fail_with(const char *const *paths, size_t n, const nset_recording_options *o, const char *says)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_recording_open(&r, paths, n, o, &err), NSET_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
}

/* Does a warning hold these words? */
static inline bool warned(const nset_recording *r, const char *words)
{
    json_t *w;
    size_t i;

    json_array_foreach(r->warnings, i, w) if (strstr(json_string_value(w), words)) return true;
    return false;
}

/* Whichever allocation fails, nothing is left behind and the reason is memory. */
static inline void sweep(const char *const *paths, size_t n)
{
    nset_recording_options o = { 0 };
    float x[8];

    for (long k = 0;; k++) {
        nset_recording *r = NULL;
        nset_error err = { 0 };
        nset_status status;
        nset_test_fail_alloc_at(k);
        status = nset_recording_open(&r, paths, n, &o, &err);
        if (status == NSET_OK)
            status = r->source->read(r->source, x, 0, 1, &err);
        nset_test_fail_alloc_at(-1);
        nset_recording_close(r);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
        if (status == NSET_OK)
            break;
        ck_assert_msg(status == NSET_ERR_NOMEM, "%ld: %d, %s", k, status, err.text);
    }
}

#endif
