/* The sorter's set network: what the channels around one event say, in any number and any order.
 *
 * The set is the channels near the event's peak contact. A channel is a token of NSET_TOKEN numbers: its whitened
 * waveform resampled to NSET_TOKEN_RATE_HZ with the event's peak at NSET_TOKEN_PRE, its place relative to the peak
 * contact, and the log of its size. The network gives for each event
 *
 *   embedding  NSET_EMBEDDING numbers in noise units: two events of one unit differ by about one standard deviation
 *              in each of them, so that Euclidean distances are what a clustering may judge by; size is kept
 *   spike      a logit: positive for a spike of a unit, negative for noise, hash and collisions without a clear owner
 *   position   (dx, dy) of the source in micrometres relative to the peak contact
 *
 * Same bytes for any order of an event's tokens, any batch mates and any number of threads.
 *
 * Zaheer et al. 2017, "Deep Sets", eqs. 2 and 4; the embedding's loss is that of Snell et al. 2017, "Prototypical
 * networks", eq. 2, with each event left out of its own prototype.
 */
#ifndef NSET_EPHYS_EVENT_NET_H
#define NSET_EPHYS_EVENT_NET_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/net.h>
#include <neuroset/workers.h>
#include "ephys/probe.h"

enum {
    NSET_TOKEN_SAMPLES = 32, /* waveform, 2 ms */
    NSET_TOKEN_PRE = 11,     /* its sample at the event's peak */
    NSET_TOKEN_DX = 32,      /* um from the peak contact */
    NSET_TOKEN_DY = 33,
    NSET_TOKEN_SIZE = 34, /* log(1 + largest |waveform|) */
    NSET_TOKEN = 35,
    NSET_EMBEDDING = 12,
    NSET_EVENT_MAX_CHANNELS = 384,
};
#define NSET_TOKEN_RATE_HZ 16000.
#define NSET_EVENT_RADIUS_UM 75. /* channels within it of the peak contact, on its shank, are the set */

typedef struct nset_event_net nset_event_net;

/* model_path: a file that `neuroset train sorter` wrote. workers may be NULL; used, not owned.
 * Errors: NSET_ERR_IO, NSET_ERR_FORMAT (not such a model), NSET_ERR_NOMEM. */
nset_status nset_event_net_open(nset_event_net **out, const char *model_path, nset_workers *workers, nset_error *err);
/* The same around a network that is being trained; used, not owned. Errors: NSET_ERR_NOMEM. */
nset_status nset_event_net_borrow(nset_event_net **out, const nset_net *net, nset_workers *workers, nset_error *err);
void nset_event_net_close(nset_event_net *net); /* NULL is legal */

/* Event e has the tokens offsets[e] .. offsets[e + 1] - 1 of tokens (n_tokens, NSET_TOKEN).
 * embedding (n_events, NSET_EMBEDDING), spike_logit (n_events), position (n_events, 2); each may be NULL.
 * Works in fixed pieces, so that n_events may be large. Errors: NSET_ERR_ARG (offsets), NSET_ERR_NOMEM. */
nset_status nset_event_net_embed(nset_event_net *net, size_t n_events, const int64_t *offsets, const float *tokens,
    float *embedding, float *spike_logit, float *position, nset_error *err);

/* Which channels are an event's set, for a peak on each channel: those of c are
 * channel[offsets[c]] .. channel[offsets[c + 1] - 1], the nearest first (ties by place). */
typedef struct nset_event_sets {
    size_t n_channels;
    int64_t *offsets; /* (n_channels + 1) */
    size_t *channel;  /* owned, as offsets */
} nset_event_sets;

/* On probes whose group of contacts is small (a tetrode) radius takes all of them in. Errors: NSET_ERR_NOMEM. */
nset_status nset_event_sets_init(nset_event_sets *s, const nset_probe *probe, double radius_um, nset_error *err);
void nset_event_sets_fini(nset_event_sets *s);

/* Tokens of one event: its peak is at row at of x (n_samples, n_channels), whitened, in units of the noise's
 * standard deviation, on channel. Rows outside x count as 0. The peak is first refined between samples, by a parabola
 * through the peak channel's three samples. tokens: room for the set's size * NSET_TOKEN.
 * shift (may be NULL) := refined peak - at, in samples, within -.5 .. .5. Returns the number of tokens. */
size_t nset_event_tokens(float *tokens, double *shift, const float *x, size_t n_samples, size_t n_channels, int64_t at,
    size_t channel, const nset_event_sets *sets, const nset_probe *probe, double rate_hz);

/* The network itself, untrained, for the training. Inputs: those of nset_event_inputs; outputs: 0 embedding, 1 logit,
 * 2 position / NSET_EVENT_PLACE_UM. */
nset_status nset_event_net_build(nset_net **out, uint64_t seed, nset_error *err);

#define NSET_EVENT_PLACE_UM 50.
enum {
    NSET_EVENT_PLACES = 8,                                      /* functions of place, see event_net.c */
    NSET_EVENT_SPREAD = NSET_EVENT_PLACES * NSET_TOKEN_SAMPLES, /* numbers of the network's first input */
    NSET_EVENT_OTHER = NSET_TOKEN_SAMPLES + 6,                  /* and of its second */
};
/* The network's inputs, spread (n_tokens, NSET_EVENT_SPREAD) and other (n_tokens, NSET_EVENT_OTHER), from the tokens
 * offsets[0] .. offsets[n_events] - 1. */
void nset_event_inputs(float *spread, float *other, const float *tokens, const int64_t *offsets, size_t n_events);

#endif
