/* The files of an Open Ephys legacy recording: which channels can be read, and which samples all of them have. */
#ifndef NSET_EPHYS_OELEGACY_SET_H
#define NSET_EPHYS_OELEGACY_SET_H

#include "ephys/columns.h"
#include "ephys/oelegacy.h"

typedef struct nset_oelegacy_entry { /* a file, by its name: PREFIX_CH12_2.continuous */
    const char *path;                /* not owned; only used while the set is made */
    char prefix[128], kind[4];       /* 100_RhythmData; CH, AUX, ADC */
    long number, start;              /* 12; 2 */
    nset_oelegacy_file file;
} nset_oelegacy_entry;

typedef struct nset_oelegacy_span { /* samples that follow each other */
    size_t start;                   /* index of the recorder's start */
    int part;
    int64_t first, n, at; /* number on the clock; how many; sample of the recording */
} nset_oelegacy_span;

typedef struct nset_oelegacy_set {
    nset_columns columns;       /* frames of it, after nset_oelegacy_set_open */
    nset_oelegacy_entry *entry; /* owned; sorted by channel, then start */
    size_t n_entries;
    size_t n_starts;
    size_t *channel; /* (n_channels) first entry of a channel, its starts follow; owned */
    size_t n_channels;
    nset_oelegacy_span *span; /* owned; by start, part and number */
    size_t n_spans, cap_spans;
} nset_oelegacy_set;

/* Scans the files of the entries, leaves damaged channels out with a warning each, finds the spans that all others
 * have. Errors: NSET_ERR_FORMAT when nothing is left, NSET_ERR_NOMEM. */
nset_status nset_oelegacy_set_open(nset_oelegacy_set *g, nset_layout *l, nset_error *err);
void nset_oelegacy_set_free(nset_oelegacy_set *g);

#endif
