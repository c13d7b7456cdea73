/* Traces and events of matched masks against the truth, by correlation.
 *
 * A file of traces stands beside masks of a JSON file, whose ids it shares: traces.npz of a result (id, corrected, dff,
 * events, rate_hz), truth.npz of a simulation (ids, trace or dff, spikes, perhaps rate). dff is held against dff where
 * both have it, else corrected or trace. Events are summed in bins of whole frames about .25 and .5 s long. A pair one
 * of whose sides does not vary is not scored, nor one whose true cell never fires where its events are known: it has no
 * signal to follow.
 */
#ifndef NSET_IMAGING_COMPARE_TRACES_H
#define NSET_IMAGING_COMPARE_TRACES_H

#include "imaging/regions.h"

enum { NSET_EVENT_BINS = 2 };

typedef struct nset_trace_score {
    bool scored;                                            /* both sides have traces */
    size_t n_pairs, n_traces;                               /* matched masks; those whose traces were scored */
    double trace;                                           /* median correlation; NaN: none */
    size_t n_events[NSET_EVENT_BINS];                       /* pairs scored; 0 where the rate is not known */
    double events[NSET_EVENT_BINS], bin_s[NSET_EVENT_BINS]; /* medians; the bins' true lengths */
} nset_trace_score;

/* pair (truth->n): the found region of each true one, NSET_UNASSIGNED: none. out->scored is false where one of the two
 * paths, as nset_regions_read takes them, has no traces beside it. Errors: NSET_ERR_FORMAT (numbers of frames that
 * differ), NSET_ERR_NOMEM. */
nset_status nset_compare_traces(nset_trace_score *out, const size_t *pair, const nset_regions *found,
    const char *found_path, const nset_regions *truth, const char *truth_path, nset_error *err);

#endif
