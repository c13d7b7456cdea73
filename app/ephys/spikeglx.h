/* What the two halves of the SpikeGLX reader share: one file (read_spikeglx.c), and runs of files (spikeglx_run.c). */
#ifndef NSET_EPHYS_SPIKEGLX_H
#define NSET_EPHYS_SPIKEGLX_H

#include "ephys/layout.h"

typedef enum nset_spikeglx_kind {
    NSET_SPIKEGLX_AP,
    NSET_SPIKEGLX_LF,
    NSET_SPIKEGLX_NIDQ,
    NSET_SPIKEGLX_ONEBOX
} nset_spikeglx_kind;

/* out := path with its .bin or .meta replaced by ending. */
void nset_spikeglx_path(char *out, size_t n, const char *path, const char *ending);

/* Start of the value of key in a meta's text, or NULL; the value ends with its line. */
const char *nset_spikeglx_value(const char *meta, const char *key);
double nset_spikeglx_number(const char *meta, const char *key); /* 0 when it is not there */

/* By what the meta says; by the name only where an old meta does not. */
nset_spikeglx_kind nset_spikeglx_kind_of(const char *meta, const char *path);

/* What a meta's text says of its .bin; path serves messages only. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_spikeglx_meta(nset_layout *l, const char *text, const char *path, nset_error *err);

/* One .bin with its .meta; path may be either. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_spikeglx_file(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err);

/* Of a file that CatGT has made of several (RUN_gG_tcat...): where each begins becomes a gap of no length, since
 * whether time is missing there is not told. RUN_gG_ct_offsets.txt, beside it or one folder up, tells it, "smp_imap0: 0
 * 299". Errors: NSET_ERR_NOMEM, those of looking how long the file is. */
nset_status nset_spikeglx_catgt(nset_layout *l, nset_error *err);

#endif
