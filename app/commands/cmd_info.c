/* neuroset info FILE...: what a file is, and where each number came from. */
#include "commands/commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/workers.h>

#include "commands/movie_options.h"
#include "commands/recording_options.h"
#include "ephys/preflight.h"

typedef struct settings {
    nset_common common;
    bool json, check, joined;
    nset_recording_settings in;
    nset_movie_settings movie;
} settings;

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "json", .type = OPT_FLAG, .at = AT(json), .help = "print one JSON object a file" },
    { .name = "check",
        .type = OPT_FLAG,
        .at = AT(check),
        .help = "look at the samples: bad channels, gain, channel map; what sorting will take" },
    { .name = "joined", .type = OPT_FLAG, .at = AT(joined), .help = "the files are one recording, as sort takes them" },
    RECORDING_ROWS(settings),
    MOVIE_ROWS(settings),
    { 0 },
};

/* Largest and smallest place, so that a wrong probe is seen at once. */
static json_t *probe_json(const nset_probe *p)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    int shanks = 0;

    for (size_t i = 0; i < p->n_channels; i++) {
        x0 = fmin(x0, p->x_um[i]);
        x1 = fmax(x1, p->x_um[i]);
        y0 = fmin(y0, p->y_um[i]);
        y1 = fmax(y1, p->y_um[i]);
        shanks += i == 0 || p->shank[i] != p->shank[i - 1]; /* canonical order: shank by shank */
    }
    return json_pack("{s:[f,f], s:[f,f], s:i}", "x_um", x0, x1, "y_um", y0, y1, "shanks", shanks);
}

static json_t *channels_json(const nset_recording *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->probe.n_channels; i++)
        json_array_append_new(list, json_pack("{s:I, s:f, s:f, s:i}", "column", (json_int_t)r->file_channel[i], "x_um",
                                        r->probe.x_um[i], "y_um", r->probe.y_um[i], "shank", r->probe.shank[i]));
    return list;
}

static json_t *gaps_json(const nset_recording *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_gaps; i++)
        json_array_append_new(
            list, json_pack("{s:I, s:f}", "sample", (json_int_t)r->gap[i].sample, "seconds", r->gap[i].seconds));
    return list;
}

static json_t *recording_json(const nset_recording *r, const char *path)
{
    const nset_source *s = r->source;

    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:f, s:I, s:f, s:s, s:f, s:I, s:o, s:O, s:O, s:o, s:o, s:f}",
        "file", path, "kind", "recording", "format", r->format, "data", r->path, "channels", (json_int_t)s->n_channels,
        "columns", (json_int_t)r->n_file_channels, "rate_hz", s->rate_hz, "samples", (json_int_t)s->n_samples,
        "seconds", (double)s->n_samples / s->rate_hz, "dtype", r->dtype, "gain_uv", r->gain_uv, "header_bytes",
        (json_int_t)r->header_bytes, "probe", probe_json(&r->probe), "facts", r->facts, "warnings", r->warnings,
        "channel_list", channels_json(r), "gaps", gaps_json(r), "start_s", r->start_s);
}

static void print_facts(json_t *facts, json_t *warnings)
{
    json_t *item;
    size_t i;

    json_array_foreach(facts, i, item)
        printf("  %-16s %-40s from %s\n", json_string_value(json_object_get(item, "name")),
            json_string_value(json_object_get(item, "value")), json_string_value(json_object_get(item, "from")));
    json_array_foreach(warnings, i, item) printf("  warning: %s\n", json_string_value(item));
}

enum { GAPS_SHOWN = 20 };

static void print_gaps(const nset_recording *r)
{
    double missing = 0;

    for (size_t i = 0; i < r->n_gaps; i++)
        missing += r->gap[i].seconds;
    if (r->n_gaps)
        printf("  %zu gap%s, %.6g s missing\n", r->n_gaps, r->n_gaps == 1 ? "" : "s", missing);
    for (size_t i = 0; i < r->n_gaps && i < GAPS_SHOWN; i++)
        printf("    before sample %lld: %.6g s %s, it is %.6f s then\n", (long long)r->gap[i].sample,
            fabs(r->gap[i].seconds), r->gap[i].seconds < 0 ? "too many: the clock went back" : "missing",
            nset_recording_seconds(r, r->gap[i].sample));
    if (r->n_gaps > GAPS_SHOWN)
        printf("    and %zu more: see --json\n", r->n_gaps - GAPS_SHOWN);
}

static void print_recording(const nset_recording *r, const char *path)
{
    const nset_source *s = r->source;

    printf("%s: recording, %zu channel%s, %lld samples at %.12g Hz = %.3f s, %s\n", path, s->n_channels,
        s->n_channels == 1 ? "" : "s", (long long)s->n_samples, s->rate_hz, (double)s->n_samples / s->rate_hz,
        r->dtype);
    print_gaps(r);
    print_facts(r->facts, r->warnings);
}

static void print_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

static void print_lines(json_t *lines)
{
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line) printf("  %-8s %-12s %s\n", json_string_value(json_object_get(line, "level")),
        json_string_value(json_object_get(line, "about")), json_string_value(json_object_get(line, "text")));
}

static void print_probe(const nset_probe *p, const nset_channel_survey *survey)
{
    char *text = nset_probe_draw(p, survey);

    if (text)
        fputs(text, stdout);
    nset_free(text);
}

static nset_status preflight(nset_preflight *p, const settings *s, const nset_recording *r, nset_error *err)
{
    nset_workers *workers = NULL;
    nset_status status;

    if ((status = nset_workers_create(&workers, (size_t)s->common.threads, err)) == NSET_OK)
        status = nset_preflight_run(p, r, s->common.memory, workers, err);
    nset_workers_free(workers);
    return status;
}

static nset_status info_recording(const settings *s, const char *const *paths, size_t n, nset_error *err)
{
    nset_recording_options o = nset_recording_options_of(&s->in);
    nset_recording *r = NULL;
    nset_preflight p = { 0 };
    json_t *lines = NULL, *whole;
    nset_status status = nset_recording_open(&r, paths, n, &o, err);

    if (status != NSET_OK || (s->check && (status = preflight(&p, s, r, err)) != NSET_OK)) {
        nset_recording_close(r);
        return status;
    }
    if (s->check)
        lines = nset_preflight_lines(&p, r);
    if (s->json) {
        whole = recording_json(r, paths[0]);
        if (lines)
            json_object_set(whole, "check", lines);
        print_json(whole);
    } else {
        print_recording(r, paths[0]);
        if (lines)
            print_lines(lines);
        print_probe(&r->probe, lines ? &p.survey : NULL);
    }
    json_decref(lines);
    nset_preflight_fini(&p);
    nset_recording_close(r);
    return NSET_OK;
}

/* ---- movies ---- */

static json_t *known(double x)
{
    return x > 0 ? json_real(x) : json_null();
}

static json_t *movie_json(const nset_movie *m, const char *path)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:[o, o], s:s, s:O*, s:O*}", "file",
        path, "kind", "movie", "format", m->format, "frames", (json_int_t)m->n_frames, "channels",
        (json_int_t)m->n_channels, "planes", (json_int_t)m->n_planes, "channel", (json_int_t)m->channel + 1, "plane",
        (json_int_t)m->plane + 1, "height", (json_int_t)m->height, "width", (json_int_t)m->width, "rate_hz",
        known(m->rate_hz), "pixel_um", known(m->pixel_um), "pixel_height_width_um", known(m->pixel_height_um),
        known(m->pixel_width_um), "dtype", m->dtype, "facts", m->facts, "warnings", m->warnings);
}

static void print_movie(const nset_movie *m, const char *path)
{
    printf("%s: movie, %lld frame%s x %zu channel%s x %zu plane%s x %zu x %zu pixels (height x width)", path,
        (long long)m->n_frames, m->n_frames == 1 ? "" : "s", m->n_channels, m->n_channels == 1 ? "" : "s", m->n_planes,
        m->n_planes == 1 ? "" : "s", m->height, m->width);
    if (m->rate_hz > 0)
        printf(" at %.10g Hz = %.3f s", m->rate_hz, (double)m->n_frames / m->rate_hz);
    else
        printf(", rate not known");
    printf(", %s\n", m->dtype);
    print_facts(m->facts, m->warnings);
}

static nset_status info_movie(const settings *s, const char *path, nset_error *err)
{
    nset_movie_options o = nset_movie_options_of(&s->movie, s->in.rate);
    nset_movie *m = NULL;
    nset_status status = nset_movie_open(&m, &path, 1, &o, err);

    if (status != NSET_OK)
        return status;
    if (s->json)
        print_json(movie_json(m, path));
    else
        print_movie(m, path);
    nset_movie_close(m);
    return NSET_OK;
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    const settings *s = settings_;
    nset_status status = NSET_OK;

    (void)origins;
    if (s->joined)
        return info_recording(s, args, n_args, err);
    for (size_t i = 0; i < n_args && status == NSET_OK; i++)
        status = nset_is_movie(args[i]) ? info_movie(s, args[i], err) : info_recording(s, &args[i], 1, err);
    return status;
}

const nset_command nset_cmd_info = {
    .name = "info",
    .arguments = "FILE...",
    .help = "tell what a recording or movie is, and where each number came from",
    .options = options,
    .settings_size = sizeof(settings),
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = run,
};
