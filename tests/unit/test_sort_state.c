/* What a stage of sorting leaves: it comes back to the bit, or is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <neuroset/memory.h>

#include "ephys/shift.h"
#include "ephys/sort_state.h"

enum { CHANNELS = 3, ROOM = 1 << 16 };

static char place[] = "/tmp/neuroset-state-XXXXXX";
static char path[64];
static const nset_sort_frame frame = { CHANNELS, 100000, 30000 };

typedef struct held {
    nset_trains trains;
    nset_templates templates;
    nset_matches matches;
    json_t *facts;
    nset_sort_state state;
} held;

static void begin(held *h)
{
    *h = (held){ .facts = json_object() };
    h->state = (nset_sort_state){ &h->trains, &h->templates, &h->matches, h->facts };
}

static void end(held *h)
{
    nset_trains_fini(&h->trains);
    nset_templates_fini(&h->templates);
    nset_matches_fini(&h->matches);
    json_decref(h->facts);
}

static void assert_empty(const held *h)
{
    ck_assert(h->trains.n == 0 && h->templates.n == 0 && h->matches.n == 0);
    ck_assert(!h->trains.train && !h->templates.data && !h->matches.match && json_object_size(h->facts) == 0);
}

/* Two trains, one of them empty, their templates (-0 in one, a silent channel in both) and three matches. */
static void fill(held *h)
{
    static const int64_t samples[] = { 3, 70, 70, 99999 };
    static const nset_match matches[] = { { 5, 0, -1, 0, .5f, 9, 1 }, { 6, 1, 0, 4, 1, 8, .25f },
        { 6, 0, 1, 2, 1.5f, 7, 0 } };
    nset_error err = { 0 };
    size_t size;

    begin(h);
    ck_assert_int_eq(nset_trains_add(&h->trains, samples, 4, 2, &err), NSET_OK);
    ck_assert_int_eq(nset_trains_add(&h->trains, samples, 0, 0, &err), NSET_OK);
    h->trains.n_units = 7;
    h->trains.train[0].least = 4.5f;
    h->trains.train[1].count = 1e-300;
    h->trains.train[1].unit = 0;
    ck_assert_int_eq(nset_templates_init(&h->templates, 2, CHANNELS, frame.rate_hz, &err), NSET_OK);
    size = h->templates.length * CHANNELS;
    for (size_t i = 0; i < 2 * size; i++)
        h->templates.data[i] = i % CHANNELS == 1 ? 0 : (float)i / 7;
    h->templates.data[size + 1] = -0.f;
    for (size_t i = 0; i < 2; i++)
        nset_templates_measure(&h->templates, i);
    h->templates.least[1] = 3;
    h->templates.unit[1] = 0;
    ck_assert_int_eq(nset_grow(&h->matches.match, &h->matches.capacity, 3, sizeof *matches, &err), NSET_OK);
    memcpy(h->matches.match, matches, sizeof matches);
    h->matches.n = 3;
    json_object_set_new(h->facts, "events", json_integer(12));
    json_object_set_new(h->facts, "links", json_pack("[s, f]", "why", 1. / 3));
}

static nset_status read_into(held *h)
{
    nset_error err = { 0 };
    nset_status status;

    begin(h);
    status = nset_sort_state_read(path, &frame, &h->state, &err);
    if (status != NSET_OK) {
        ck_assert(strstr(err.text, path) != NULL);
        assert_empty(h);
    }
    return status;
}

static size_t slurp(unsigned char *bytes)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    ck_assert(f != NULL);
    n = fread(bytes, 1, ROOM, f);
    fclose(f);
    ck_assert(n < ROOM);
    return n;
}

static void spill(const unsigned char *bytes, size_t n)
{
    FILE *f;

    unlink(path); /* a file written over is flushed to the disk at once */
    f = fopen(path, "wb");

    ck_assert(f != NULL && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static size_t write_filled(unsigned char *bytes)
{
    nset_error err = { 0 };
    held h;

    fill(&h);
    ck_assert_msg(nset_sort_state_write(path, &h.state, &err) == NSET_OK, "%s", err.text);
    end(&h);
    return slurp(bytes);
}

START_TEST(a_state_comes_back_to_the_bit)
{
    static unsigned char bytes[ROOM];
    held a, b;
    size_t size;

    write_filled(bytes);
    fill(&a);
    ck_assert_int_eq(read_into(&b), NSET_OK);
    ck_assert(b.trains.n == 2 && b.trains.n_units == 7);
    for (size_t i = 0; i < 2; i++) {
        const nset_train *p = &a.trains.train[i], *q = &b.trains.train[i];
        ck_assert(p->n == q->n && p->home == q->home && p->unit == q->unit);
        ck_assert(p->count == q->count && p->least == q->least);
        ck_assert(p->n == 0 || !memcmp(p->sample, q->sample, p->n * sizeof *p->sample));
    }
    size = a.templates.length * CHANNELS;
    ck_assert(b.templates.n == 2 && b.templates.length == a.templates.length && b.templates.pre == a.templates.pre);
    ck_assert_mem_eq(a.templates.data, b.templates.data, 2 * size * sizeof(float));
    ck_assert_mem_eq(a.templates.norm, b.templates.norm, 2 * sizeof(float));
    ck_assert_mem_eq(a.templates.least, b.templates.least, 2 * sizeof(float));
    ck_assert_mem_eq(a.templates.home, b.templates.home, 2 * sizeof(size_t));
    ck_assert_mem_eq(a.templates.unit, b.templates.unit, 2 * sizeof(size_t));
    ck_assert(b.matches.n == 3);
    ck_assert_mem_eq(a.matches.match, b.matches.match, 3 * sizeof(nset_match));
    ck_assert(json_equal(a.facts, b.facts));
    end(&a);
    end(&b);
}
END_TEST

START_TEST(an_empty_state_comes_back)
{
    nset_error err = { 0 };
    held a, b;

    begin(&a);
    ck_assert_int_eq(nset_templates_init(&a.templates, 0, CHANNELS, frame.rate_hz, &err), NSET_OK);
    ck_assert_int_eq(nset_sort_state_write(path, &a.state, &err), NSET_OK);
    ck_assert_int_eq(read_into(&b), NSET_OK);
    ck_assert(b.trains.n == 0 && b.templates.n == 0 && b.matches.n == 0 && b.templates.n_channels == CHANNELS);
    end(&a);
    end(&b);
}
END_TEST

START_TEST(a_cut_or_flipped_file_is_refused_at_every_byte)
{
    static unsigned char bytes[ROOM];
    size_t n = write_filled(bytes);
    held h;

    for (size_t k = 0; k < n; k++) {
        spill(bytes, k);
        ck_assert_msg(read_into(&h) == NSET_ERR_FORMAT, "cut to %zu of %zu bytes", k, n);
        end(&h);
        bytes[k] ^= (unsigned char)(1 << k % 8);
        spill(bytes, n);
        ck_assert_msg(read_into(&h) == NSET_ERR_FORMAT, "byte %zu of %zu flipped", k, n);
        end(&h);
        bytes[k] ^= (unsigned char)(1 << k % 8);
    }
    spill(bytes, n + 1);
    ck_assert_int_eq(read_into(&h), NSET_ERR_FORMAT);
    end(&h);
    unlink(path);
    ck_assert_int_eq(read_into(&h), NSET_ERR_IO);
    end(&h);
}
END_TEST

static void sum_anew(unsigned char *bytes, size_t n)
{
    XXH128_canonical_t sum;

    XXH128_canonicalFromHash(&sum, XXH3_128bits(bytes, n - sizeof sum));
    memcpy(bytes + n - sizeof sum, &sum, sizeof sum);
}

/* A true sum over false contents: whatever is read back is inside its bounds. */
START_TEST(false_numbers_under_a_true_sum_do_no_harm)
{
    static unsigned char whole[ROOM], bytes[ROOM];
    static const unsigned char values[] = { 0x00, 0x7f, 0x80, 0xff };
    size_t n = write_filled(whole), refused = 0;

    for (size_t k = 0; k + sizeof(XXH128_canonical_t) < n; k++)
        for (size_t v = 0; v < sizeof values; v++) {
            held h;
            memcpy(bytes, whole, n);
            bytes[k] = values[v];
            sum_anew(bytes, n);
            spill(bytes, n);
            refused += read_into(&h) != NSET_OK;
            for (size_t i = 0; i < h.trains.n; i++)
                ck_assert(h.trains.train[i].home < CHANNELS && h.trains.train[i].unit < h.trains.n_units);
            for (size_t i = 0; i < h.templates.n; i++)
                ck_assert(h.templates.home[i] < CHANNELS);
            for (size_t i = 0; i < h.matches.n; i++) {
                const nset_match *m = &h.matches.match[i];
                ck_assert(m->unit >= 0 && m->unit < (int)h.templates.n && m->second < (int)h.templates.n);
                ck_assert(m->second >= -1 && m->shift < NSET_SHIFTS && m->sample >= -30000 && m->sample < 130000);
                ck_assert(h.templates.unit[m->unit] < h.templates.n);
            }
            end(&h);
        }
    ck_assert_uint_gt(refused, 100);
}
END_TEST

START_TEST(a_state_of_another_recording_is_refused)
{
    static const nset_sort_frame others[] = { { CHANNELS + 1, 100000, 30000 }, { CHANNELS, 10000, 30000 },
        { CHANNELS, 100000, 20000 } };
    static unsigned char bytes[ROOM];

    write_filled(bytes);
    for (size_t i = 0; i < 3; i++) {
        nset_error err = { 0 };
        held h;
        begin(&h);
        ck_assert_int_eq(nset_sort_state_read(path, &others[i], &h.state, &err), NSET_ERR_FORMAT);
        assert_empty(&h);
        end(&h);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sort state");
    TCase *t = tcase_create("file");
    SRunner *r = srunner_create(s);
    char command[64];
    int failed;

    if (!mkdtemp(place))
        return 99;
    snprintf(path, sizeof path, "%s/a.state", place);
    suite_add_tcase(s, t);
    tcase_add_test(t, a_state_comes_back_to_the_bit);
    tcase_add_test(t, an_empty_state_comes_back);
    tcase_add_test(t, a_cut_or_flipped_file_is_refused_at_every_byte);
    tcase_add_test(t, false_numbers_under_a_true_sum_do_no_harm);
    tcase_add_test(t, a_state_of_another_recording_is_refused);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command) != 0 || failed != 0;
}
