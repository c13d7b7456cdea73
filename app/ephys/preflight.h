/* What one wants to know of a recording before it is sorted. */
#ifndef NSET_EPHYS_PREFLIGHT_H
#define NSET_EPHYS_PREFLIGHT_H

#include "ephys/bad_channels.h"

enum { NSET_PREFLIGHT_BINS = 6 };

typedef enum nset_map_verdict {
    NSET_MAP_UNKNOWN, /* fewer than 8 channels on a shank, or hardly any correlation to judge by */
    NSET_MAP_OK,
    NSET_MAP_PERMUTED
} nset_map_verdict;

typedef struct nset_preflight {
    nset_channel_survey survey;
    double noise_uv[3]; /* least, median, largest of the channels without a fault; 0 without any */
    double gain_factor; /* power of 1000 that would bring the noise near 5-30 uV; 1: it is there, or between */
    bool gain_is_bits;  /* no gain was known: noise is in counts */
    /* Correlation of pairs on a shank against distance: bins of doubling width from the least distance on. */
    double bin_to_um[NSET_PREFLIGHT_BINS], bin_r[NSET_PREFLIGHT_BINS];
    size_t bin_pairs[NSET_PREFLIGHT_BINS];
    nset_map_verdict map;
    double map_rank; /* mean rank, 0 worst .. 1 best, of the nearest channel's correlation among all of the shank */
    double sort_seconds;
    size_t sort_memory, sort_disk; /* bytes */
} nset_preflight;

/* Looks at the survey's segments; of float samples at all of them, for values that are not finite. memory: what
 * --memory would be. Errors: as nset_bad_channels; NSET_ERR_FORMAT names the first sample that is not finite. */
nset_status nset_preflight_run(
    nset_preflight *out, const nset_recording *r, size_t memory, nset_workers *workers, nset_error *err);
void nset_preflight_fini(nset_preflight *p);

/* The lines of the report, each an object {"level": "ok" | "warning", "about", "text"}; new reference. */
json_t *nset_preflight_lines(const nset_preflight *p, const nset_recording *r);

/* The probe as lines of text for a terminal, shanks side by side, y upwards, at most 40 rows; nset_free it. A contact
 * is o, a bad one x (p NULL: none is known to be), several in one cell their number. NULL when memory is out. */
char *nset_probe_draw(const nset_probe *probe, const nset_channel_survey *survey);

#endif
