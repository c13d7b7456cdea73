#include "commands/segment_tell.h"

#include <math.h>
#include <stdlib.h>

#include "cli/progress.h"

enum { MOST_LISTED = 1000 };

static double largest_shift(const nset_motion *m)
{
    size_t n = m->rows * m->columns;
    double largest = 0;

    for (size_t t = 0; t < m->n_frames; t++) {
        if (m->left_out[t] != NSET_LEFT_NOT)
            continue;
        largest = fmax(largest, hypot(m->shift[t][0], m->shift[t][1]));
        for (size_t k = 0; k < n; k++)
            largest = fmax(largest, hypot((double)m->block[2 * (t * n + k)], (double)m->block[2 * (t * n + k) + 1]));
    }
    return largest;
}

void nset_segment_tell_motion(const nset_motion *m, nset_run_folder *folder, json_t *found)
{
    const nset_motion_quality *q = &m->quality;

    json_object_set_new(found, "motion",
        json_pack("{s:b, s:f, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f}", "still", (int)m->still, "largest_shift_px",
            largest_shift(m), "line_offset_px", m->line_offset, "block_rows", (int)m->rows, "block_columns",
            (int)m->columns, "correlation_before", q->correlation_before, "correlation_after", q->correlation_after,
            "crispness_before", q->crispness_before, "crispness_after", q->crispness_after, "residual_px",
            q->residual_px));
    if (m->unclear)
        nset_run_folder_warn(folder, "frames show nothing that could be registered: they are not moved");
    else if (m->still)
        nset_say("the movie is still: frames are not moved");
    else
        nset_say("motion: up to %.1f pixels; correlation with the reference %.3f before, %.3f after, crispness %.3g "
                 "before, %.3g after",
            largest_shift(m), q->correlation_before, q->correlation_after, q->crispness_before, q->crispness_after);
    if (m->line_offset)
        nset_run_folder_warn(folder, "odd rows lie %d pixels to the %s of even ones: put right (bidirectional scan)",
            abs(m->line_offset), m->line_offset > 0 ? "right" : "left");
}

void nset_segment_tell_left_out(const unsigned char *left_out, int64_t n_frames, nset_run_folder *folder, json_t *found)
{
    static const struct reason {
        const char *name, *words;
        unsigned char code;
    } reasons[] = {
        { "jumps", "jump, or show nothing of the reference", NSET_LEFT_JUMP },
        { "empty", NULL, NSET_LEFT_EMPTY }, /* warned of by who read them */
    };
    json_t *listed = json_object();
    json_int_t all = 0;

    for (size_t k = 0; k < sizeof reasons / sizeof *reasons; k++) {
        json_t *list = json_array();
        int64_t n = 0, first = -1;
        for (int64_t t = 0; t < n_frames; t++) {
            if (left_out[t] != reasons[k].code)
                continue;
            first = first < 0 ? t : first;
            if (n++ < MOST_LISTED)
                json_array_append_new(list, json_integer(t));
        }
        json_object_set_new(listed, reasons[k].name, list);
        all += n;
        if (n && reasons[k].words)
            nset_run_folder_warn(folder, "%lld frames %s: left out of the images (the first is frame %lld)",
                (long long)n, reasons[k].words, (long long)first);
    }
    json_object_set_new(found, "frames_left_out", json_integer(all));
    json_object_set_new(found, "first_left_out", listed);
}
