/* The pre-flight report in words, and the probe as text. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/preflight.h"

#define SATURATED 1e-4 /* share of the samples at a limit that is worth a line */
enum { ROWS = 40, COLUMNS = 100, GAP = 3 };

static void add(json_t *lines, bool warning, const char *about, const char *format, ...) NSET_PRINTF(4, 5);

static void add(json_t *lines, bool warning, const char *about, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(
        lines, json_pack("{s:s, s:s, s:s}", "level", warning ? "warning" : "ok", "about", about, "text", text));
}

static void channel_lines(json_t *lines, const nset_preflight *p, const nset_recording *r)
{
    const nset_channel_survey *s = &p->survey;
    size_t saturated = 0, worst = 0, a = 0, b = 0, pairs = nset_contacts_at_one_place(&a, &b, &r->probe);
    char text[300];

    for (size_t c = 0; c < s->n_channels; c++) {
        if (s->channel[c].fault != NSET_CHANNEL_GOOD) {
            nset_channel_fault_text(text, sizeof text, s, r, c);
            add(lines, true, "channel", "%s; sort leaves it out", text);
        } else if (s->channel[c].at_limit > SATURATED) {
            saturated++;
            worst = s->channel[c].at_limit > s->channel[worst].at_limit || saturated == 1 ? c : worst;
        }
    }
    if (!s->n_bad)
        add(lines, false, "channels", "none of %zu is flat, dead, clipped, noisy or a copy", s->n_channels);
    if (s->n_bad == s->n_channels && s->n_channels)
        add(lines, true, "channels", "all %zu channels have a fault: there is nothing to sort", s->n_channels);
    if (saturated)
        add(lines, true, "saturation",
            "%zu channels stand at a limit for a while; the most is %.3g %% of column %zu, at %g or %g uV", saturated,
            100 * s->channel[worst].at_limit, r->file_channel[worst], s->channel[worst].low_uv,
            s->channel[worst].high_uv);
    if (pairs)
        add(lines, true, "places", "%zu contacts lie where another one lies (first: columns %zu and %zu, at %g, %g um)",
            pairs, r->file_channel[a], r->file_channel[b], r->probe.x_um[a], r->probe.y_um[a]);
}

static void noise_lines(json_t *lines, const nset_preflight *p)
{
    const char *unit = p->gain_is_bits ? "counts (no gain is known)" : "uV";

    if (p->noise_uv[1] <= 0)
        return;
    add(lines, false, "noise", "%.3g %s in 300-6000 Hz, from %.3g to %.3g over the channels", p->noise_uv[1], unit,
        p->noise_uv[0], p->noise_uv[2]);
    if (p->gain_is_bits)
        add(lines, true, "gain", "not known: amplitudes are in counts; give --gain for uV");
    else if (p->gain_factor != 1)
        add(lines, true, "gain",
            "noise of 5-30 uV is expected, %.3g uV is found: the gain looks wrong by a factor of %g", p->noise_uv[1],
            p->gain_factor);
    else if (p->noise_uv[1] < 2 || p->noise_uv[1] > 60)
        add(lines, true, "gain", "noise of 5-30 uV is expected, %.3g uV is found: is the gain right?", p->noise_uv[1]);
    if (p->noise_uv[2] > 4 * p->noise_uv[0])
        add(lines, true, "noise", "the channels differ %.3g fold in noise", p->noise_uv[2] / p->noise_uv[0]);
}

static void map_lines(json_t *lines, const nset_preflight *p)
{
    char text[300] = "";
    double from = 0;

    for (size_t k = 0; k < NSET_PREFLIGHT_BINS; k++) {
        size_t at = strlen(text);
        if (p->bin_pairs[k])
            snprintf(text + at, sizeof text - at, "%s%.2f at %.0f-%.0f um", at ? ", " : "", p->bin_r[k], from,
                p->bin_to_um[k]);
        from = p->bin_to_um[k];
    }
    if (text[0])
        add(lines, false, "correlation", "by distance, without what all channels share: %s", text);
    if (p->map == NSET_MAP_OK)
        add(lines, false, "map", "neighbours on the probe are the most alike (mean rank %.2f of 1)", p->map_rank);
    else if (p->map == NSET_MAP_PERMUTED)
        add(lines, true, "map",
            "neighbours on the probe are no more alike than others (mean rank %.2f; .5 is chance, a right map gives "
            "more than .7): the channel map looks permuted",
            p->map_rank);
    else if (p->map_rank > 0)
        add(lines, true, "map",
            "neighbours on the probe are not much more alike than others (mean rank %.2f of 1): "
            "are channel map and probe right?",
            p->map_rank);
    else
        add(lines, false, "map", "cannot be judged: too few channels, or too little correlation");
}

json_t *nset_preflight_lines(const nset_preflight *p, const nset_recording *r)
{
    json_t *lines = json_array();

    add(lines, p->survey.n_samples == 0, "looked at", "%.3g s of %.6g s",
        (double)p->survey.n_samples / r->source->rate_hz, (double)r->source->n_samples / r->source->rate_hz);
    channel_lines(lines, p, r);
    noise_lines(lines, p);
    map_lines(lines, p);
    if (!strncmp(r->dtype, "float", 5))
        add(lines, false, "samples", "all are finite");
    add(lines, false, "sort", "about %.2g s on two cores, at most %.3g GB of memory, about %.3g MB of results",
        p->sort_seconds, (double)p->sort_memory / 1e9, (double)p->sort_disk / 1e6);
    return lines;
}

/* ---- the probe ---- */

typedef struct frame {
    double x0, y0, dx, dy;
    size_t columns, rows;
} frame;

static double least_step(const double *at, size_t n, double span, size_t most)
{
    double step = INFINITY;

    for (size_t a = 1; a < n; a++)
        for (size_t b = 0; b < a; b++)
            if (fabs(at[a] - at[b]) > 1e-3)
                step = fmin(step, fabs(at[a] - at[b]));
    return isinf(step) ? 1 : fmax(step, span / (double)(most - 1));
}

static frame frame_of(const nset_probe *p)
{
    double x1 = -INFINITY, y1 = -INFINITY;
    frame f = { .x0 = INFINITY, .y0 = INFINITY };

    for (size_t c = 0; c < p->n_channels; c++) {
        f.x0 = fmin(f.x0, p->x_um[c]);
        f.y0 = fmin(f.y0, p->y_um[c]);
        x1 = fmax(x1, p->x_um[c]);
        y1 = fmax(y1, p->y_um[c]);
    }
    f.dx = least_step(p->x_um, p->n_channels, x1 - f.x0, COLUMNS / GAP);
    f.dy = least_step(p->y_um, p->n_channels, y1 - f.y0, ROWS);
    f.columns = GAP * (size_t)((x1 - f.x0) / f.dx + .5) + 1;
    f.rows = (size_t)((y1 - f.y0) / f.dy + .5) + 1;
    return f;
}

char *nset_probe_draw(const nset_probe *p, const nset_channel_survey *survey)
{
    enum { LABEL = 12 };
    frame f;
    size_t width;
    char *text;

    if (p->n_channels == 0)
        return nset_strdup("");
    f = frame_of(p);
    width = LABEL + f.columns + 1;
    if (!(text = nset_calloc(width * f.rows + 1, 1)))
        return NULL;
    memset(text, ' ', width * f.rows);
    for (size_t row = 0; row < f.rows; row++) {
        char label[40];
        snprintf(label, sizeof label, "%8.6g um              ", f.y0 + f.dy * (double)(f.rows - 1 - row));
        if (row % 5 == 0 || row + 1 == f.rows)
            memcpy(text + row * width, label, LABEL);
        text[(row + 1) * width - 1] = '\n';
    }
    for (size_t c = 0; c < p->n_channels; c++) {
        size_t row = f.rows - 1 - (size_t)((p->y_um[c] - f.y0) / f.dy + .5);
        size_t column = GAP * (size_t)((p->x_um[c] - f.x0) / f.dx + .5);
        char *cell = text + row * width + LABEL + column;
        if (survey && survey->channel[c].fault != NSET_CHANNEL_GOOD)
            *cell = 'x';
        else if (*cell >= '2' && *cell < '9')
            ++*cell;
        else if (*cell == 'o')
            *cell = '2';
        else if (*cell == ' ')
            *cell = 'o';
    }
    return text;
}
