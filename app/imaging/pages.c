#include "imaging/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/page_readers.h"

#define TURN (UINT64_C(1) << 32)

nset_status nset_pages_init(nset_pages *p, nset_error *err)
{
    *p = (nset_pages){ 0 };
    if (!(p->warnings = json_array()))
        return nset_fail_oom(err, 1, sizeof *p->warnings);
    return nset_page_readers_create(&p->readers, err);
}

void nset_pages_fini(nset_pages *p)
{
    nset_page_readers_free(p->readers);
    for (size_t i = 0; i < p->n_files; i++)
        nset_tiff_file_close(&p->file[i]);
    nset_free(p->file);
    nset_free(p->page);
    nset_free(p->kind);
    json_decref(p->warnings);
    *p = (nset_pages){ 0 };
}

void nset_pages_warn(nset_pages *p, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(p->warnings, json_string(text));
}

uint64_t nset_pages_bytes(const nset_pages *p, size_t page)
{
    const nset_page_kind *k = &p->kind[p->page[page].kind];

    return (uint64_t)k->height * (((uint64_t)k->width * k->samples * k->bits + 7) / 8);
}

nset_status nset_pages_ifd(const nset_pages *p, size_t page, nset_ifd *d, nset_error *err)
{
    nset_tiff_file *f = &p->file[p->page[page].file];
    const char *reason;
    nset_status status = nset_tiff_file_wake(f, err);

    if (status == NSET_OK && !nset_ifd_read(d, f, p->page[page].ifd, &reason))
        status =
            nset_fail(err, NSET_ERR_FORMAT, "%s: the directory of page %zu has changed: %s", f->path, page, reason);
    return status;
}

/* ---- kinds ---- */

static nset_sample_type type_of(const nset_page_kind *k)
{
    nset_sample_type t = { 'u', k->bits };

    if (k->format == 2)
        t.kind = 'i';
    else if (k->format == 3)
        t.kind = 'f';
    else if (k->format != 1 && k->format != 4)
        t.kind = 'c';
    if (k->compression == 7 && k->photometric == 6)
        t.bits = 8;
    return t;
}

/* Kinds that differ in how their numbers lie in the file, not in what they are, belong to one movie. */
static nset_status check_same(const nset_pages *p, const nset_page_kind *k, const char *path, size_t n, nset_error *err)
{
    const nset_page_kind *a = &p->kind[0];
    nset_sample_type s = type_of(k), t = type_of(a);

    if (k->width != a->width || k->height != a->height || k->samples != a->samples)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %zu is %u x %u pixels of %u sample%s, page 0 of %s is %u x %u of %u: not one movie", path, n,
            k->height, k->width, k->samples, k->samples == 1 ? "" : "s", p->file[0].path, a->height, a->width,
            a->samples);
    if (s.kind != t.kind || s.bits != t.bits || k->photometric != a->photometric)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %zu holds %s (photometric %u), page 0 of %s %s (photometric %u): not one movie", path, n,
            nset_sample_name(s), k->photometric, p->file[0].path, nset_sample_name(t), a->photometric);
    return NSET_OK;
}

static nset_status check_new(const nset_pages *p, const nset_page_kind *k, const char *path, size_t n, nset_error *err)
{
    nset_sample_type t = type_of(k);

    if (!nset_sample_name(t))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %zu has %u-bit samples of format %u; integers of 1 to 64 bits and floats are read", path, n,
            k->bits, k->format);
    if ((uint64_t)k->width * k->height * k->samples > NSET_PAGE_SAMPLES)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %zu is %u x %u pixels of %u samples; at most %d samples are read", path, n, k->height, k->width,
            k->samples, NSET_PAGE_SAMPLES);
    return p->n_kinds ? check_same(p, k, path, n, err) : NSET_OK;
}

/* *out := the number of kind k, checked the first time it is met. */
static nset_status kind_number(
    uint32_t *out, nset_pages *p, const nset_page_kind *k, uint32_t file, uint64_t ifd, size_t n, nset_error *err)
{
    nset_status status;

    for (size_t i = p->n_kinds; i-- > 0;)
        if (!memcmp(&p->kind[i], k, sizeof *k)) {
            *out = (uint32_t)i;
            return NSET_OK;
        }
    if ((status = check_new(p, k, p->file[file].path, n, err)) != NSET_OK ||
        (ifd && (status = nset_page_readers_check(p, k, file, ifd, n, err)) != NSET_OK) ||
        (status = nset_grow(&p->kind, &p->kind_room, p->n_kinds + 1, sizeof *p->kind, err)) != NSET_OK)
        return status;
    *out = (uint32_t)p->n_kinds;
    p->kind[p->n_kinds++] = *k;
    p->type = type_of(k);
    return NSET_OK;
}

static nset_status add_page(nset_pages *p, nset_page page, nset_error *err)
{
    nset_status status = nset_grow(&p->page, &p->page_room, p->n_pages + 1, sizeof *p->page, err);

    if (status == NSET_OK)
        p->page[p->n_pages++] = page;
    return status;
}

static nset_status add_file(nset_pages *p, const char *path, nset_error *err)
{
    nset_status status = nset_grow(&p->file, &p->file_room, p->n_files + 1, sizeof *p->file, err);

    if (status == NSET_OK && (status = nset_tiff_file_open(&p->file[p->n_files], path, err)) == NSET_OK)
        p->n_files++;
    return status;
}

/* ---- the walk ---- */

/* Offsets met so far, a hash table of twice their number; 0 is an empty place. */
typedef struct offsets {
    uint64_t *at;
    size_t n, room;
} offsets;

static bool insert(uint64_t *at, size_t room, uint64_t x)
{
    size_t i = (size_t)((x * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (room - 1);

    while (at[i] && at[i] != x)
        i = (i + 1) & (room - 1);
    if (at[i] == x)
        return false;
    at[i] = x;
    return true;
}

/* *fresh := x was not met before. */
static nset_status meet(offsets *o, uint64_t x, bool *fresh, nset_error *err)
{
    if (2 * (o->n + 1) > o->room) {
        size_t room = o->room ? 2 * o->room : 64;
        uint64_t *at = nset_calloc(room, sizeof *at);
        if (!at)
            return nset_fail_oom(err, room, sizeof *at);
        for (size_t i = 0; i < o->room; i++)
            if (o->at[i])
                insert(at, room, o->at[i]);
        nset_free(o->at);
        o->at = at;
        o->room = room;
    }
    *fresh = insert(o->at, o->room, x);
    o->n += *fresh;
    return NSET_OK;
}

typedef struct walk {
    nset_pages *p;
    nset_tiff_file *f;
    offsets met;
    size_t n, n_frames, n_cut; /* pages, frames, frames whose pixels are cut off */
    size_t first_cut;
    uint64_t before; /* offset of the directory before */
} walk;

/* Are the pixels of a directory all in the file? */
static bool has_pixels(const nset_tiff_file *f, const nset_ifd *d, uint64_t plain, uint64_t ends)
{
    const nset_ifd_field *offset = &d->field[NSET_IFD_OFFSETS], *count = &d->field[NSET_IFD_BYTE_COUNTS];
    uint64_t last = offset->count - 1, at = nset_ifd_integer(f, offset, last), n = nset_ifd_integer(f, count, last);

    if (plain)
        return ends <= f->size;
    return at <= f->size && n <= f->size - at;
}

static nset_status take_directory(walk *w, const nset_ifd *d, nset_error *err)
{
    uint64_t ends = 0, plain = nset_ifd_plain_data(w->f, d, &ends);
    nset_page page = { .ifd = d->offset, .plain = plain, .file = (uint32_t)w->p->n_files - 1 };
    nset_status status;

    if ((d->subfile & 1) && w->n_frames > 0)
        return NSET_OK;
    if (!has_pixels(w->f, d, plain, ends)) {
        if (w->n_cut++ == 0)
            w->first_cut = w->n;
        return NSET_OK;
    }
    if (w->n_cut)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the pixels of page %zu lie beyond the end of the file, those of page "
            "%zu do not: the file is damaged",
            w->f->path, w->first_cut, w->n);
    if ((status = kind_number(&page.kind, w->p, &d->kind, page.file, d->offset, w->n, err)) != NSET_OK)
        return status;
    w->n_frames++;
    return add_page(w->p, page, err);
}

/* Where the next directory is; a classic file beyond 4 GB has lost the upper half of the offset. */
static uint64_t next_of(const walk *w, const nset_ifd *d)
{
    uint64_t next = d->next, stride = d->offset - w->before;
    const char *reason;
    nset_ifd there;

    if (w->f->big || w->f->size <= TURN || w->n == 0)
        return next;
    if (next && next < d->offset) {
        while (next <= d->offset)
            next += TURN;
        return nset_ifd_read(&there, w->f, next, &reason) ? next : d->next;
    }
    if (next == 0 && d->offset > w->before && d->offset + stride >= TURN && d->offset + stride < w->f->size &&
        nset_ifd_read(&there, w->f, d->offset + stride, &reason) && !memcmp(&there.kind, &d->kind, sizeof d->kind))
        return d->offset + stride;
    return next;
}

static nset_status broken_chain(walk *w, uint64_t offset, const char *reason, nset_error *err)
{
    if (w->n > 0 && !strcmp(reason, NSET_IFD_EMPTY)) {
        nset_pages_warn(w->p,
            "%s: the directory of page %zu has no entries: the file was not closed; %zu pages before it "
            "are used",
            w->f->path, w->n, w->n);
        return NSET_OK;
    }
    if (w->n > 0 && w->p->allow_missing) {
        nset_pages_warn(w->p, "%s: the directory of page %zu is broken: %s; %zu pages before it are used", w->f->path,
            w->n, reason, w->n);
        return NSET_OK;
    }
    return nset_fail(err, NSET_ERR_FORMAT, "%s: the directory of page %zu, at byte %llu of %llu: %s%s", w->f->path,
        w->n, (unsigned long long)offset, (unsigned long long)w->f->size, reason,
        w->n > 0 ? "; is the file cut short? --allow-missing reads the pages before it" : "");
}

static nset_status walk_chain(walk *w, nset_error *err)
{
    nset_status status;
    const char *reason;
    bool fresh;
    nset_ifd d;

    for (uint64_t offset = w->f->first; offset; w->n++) {
        if ((status = meet(&w->met, offset, &fresh, err)) != NSET_OK)
            return status;
        if (!fresh) {
            nset_pages_warn(w->p,
                "%s: the directory of page %zu refers back to an earlier one: the file ends there for us", w->f->path,
                w->n - 1);
            break;
        }
        if (!nset_ifd_read(&d, w->f, offset, &reason))
            return broken_chain(w, offset, reason, err);
        if ((status = take_directory(w, &d, err)) != NSET_OK)
            return status;
        offset = next_of(w, &d);
        w->before = d.offset;
    }
    return NSET_OK;
}

nset_status nset_pages_add_tiff(nset_pages *p, const char *path, nset_error *err)
{
    nset_status status = add_file(p, path, err);
    walk w = { .p = p };

    if (status != NSET_OK)
        return status;
    w.f = &p->file[p->n_files - 1];
    status = walk_chain(&w, err);
    nset_free(w.met.at);
    nset_tiff_file_rest(w.f);
    if (status == NSET_OK && w.n_frames == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the pixels of page %zu are not all in the file", path, w.first_cut);
    if (status == NSET_OK && w.n_cut)
        nset_pages_warn(p,
            "%s: the file is cut: the pixels of page %zu%s are not all there; the %zu whole pages are used", path,
            w.first_cut, w.n_cut > 1 ? " and those behind it" : "", w.n_frames);
    return status;
}

/* ---- pages without directories of their own ---- */

nset_status nset_pages_add_raw(
    nset_pages *p, const char *path, const nset_page_kind *k, uint64_t at, uint64_t n, bool swap, nset_error *err)
{
    nset_page page = { .plain = at, .file = (uint32_t)p->n_files };
    uint64_t bytes = (uint64_t)k->width * k->height * k->samples * k->bits / 8;
    nset_status status = nset_grow(&p->file, &p->file_room, p->n_files + 1, sizeof *p->file, err);
    nset_tiff_file *f;

    if (status != NSET_OK || (status = nset_tiff_file_open_raw(&p->file[p->n_files], path, err)) != NSET_OK)
        return status;
    f = &p->file[p->n_files++];
    f->swap = swap;
    nset_tiff_file_rest(f);
    if ((status = kind_number(&page.kind, p, k, page.file, 0, 0, err)) != NSET_OK)
        return status;
    if (at > f->size || n > (f->size - at) / bytes)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %llu frames of %llu bytes from byte %llu on are stated, the file has %llu bytes", path,
            (unsigned long long)n, (unsigned long long)bytes, (unsigned long long)at, (unsigned long long)f->size);
    for (uint64_t i = 0; i < n && status == NSET_OK; i++, page.plain += bytes)
        status = add_page(p, page, err);
    return status;
}

nset_status nset_pages_extend(nset_pages *p, uint64_t n, nset_error *err)
{
    nset_page page = p->page[0];
    nset_status status = NSET_OK;

    for (page.plain += nset_pages_bytes(p, 0); p->n_pages < n && status == NSET_OK;
         page.plain += nset_pages_bytes(p, 0))
        status = add_page(p, page, err);
    return status;
}
