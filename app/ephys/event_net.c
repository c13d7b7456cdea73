#include "ephys/event_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>

/* What the network takes of a token:
 *   spread   the waveform times each of some functions of the contact's place: a dense layer and a sum over the
 *            channels make of it any linear projection of the event whose weights change smoothly over space, as
 *            principal components on a fixed probe would be; the event's size is made steady in variance (STEADY)
 *   other    the waveform as a share of the event's peak, place, distance, sizes: for the learnt correction
 */
enum { LINEAR = 48, HIDDEN = 64, MIXED = 96, PIECE_EVENTS = 512 };
#define NARROW_UM 22.
#define WIDE_UM 50.
/* Spikes of a unit differ by noise of size 1 and by a share of their size; asinh makes the sum of both steady. */
#define STEADY .15

struct nset_event_net {
    nset_net *net; /* NULL when borrowed */
    nset_run *run;
};

/* Gaussian windows of two widths times the lowest polynomials. */
static void place_functions(float g[NSET_EVENT_PLACES], float dx, float dy)
{
    double x = (double)dx / NARROW_UM, y = (double)dy / NARROW_UM,
           r2 = (double)dx * (double)dx + (double)dy * (double)dy;
    double narrow = exp(-.5 * r2 / (NARROW_UM * NARROW_UM)), wide = exp(-.5 * r2 / (WIDE_UM * WIDE_UM));

    g[0] = (float)narrow;
    g[1] = (float)(narrow * x);
    g[2] = (float)(narrow * y);
    g[3] = (float)(narrow * (x * x - y * y));
    g[4] = (float)(narrow * x * y);
    g[5] = (float)wide;
    g[6] = (float)(wide * (double)dx / WIDE_UM);
    g[7] = (float)(wide * (double)dy / WIDE_UM);
}

static void token_inputs(float *spread, float *other, const float *t, float peak)
{
    float g[NSET_EVENT_PLACES], steady = (float)(asinh(STEADY * (double)peak) / (STEADY * (double)peak));
    float *rest = other + NSET_TOKEN_SAMPLES;
    double r = hypot((double)t[NSET_TOKEN_DX], (double)t[NSET_TOKEN_DY]);

    place_functions(g, t[NSET_TOKEN_DX], t[NSET_TOKEN_DY]);
    for (int i = 0; i < NSET_TOKEN_SAMPLES; i++) {
        for (int k = 0; k < NSET_EVENT_PLACES; k++)
            spread[k * NSET_TOKEN_SAMPLES + i] = t[i] * steady * g[k];
        other[i] = t[i] / peak;
    }
    rest[0] = t[NSET_TOKEN_DX] / (float)NSET_EVENT_PLACE_UM;
    rest[1] = t[NSET_TOKEN_DY] / (float)NSET_EVENT_PLACE_UM;
    rest[2] = (float)(r / NSET_EVENT_PLACE_UM);
    rest[3] = t[NSET_TOKEN_SIZE] - 1.5f;
    rest[4] = (float)log((double)peak) - 1.5f;
    rest[5] = expf(t[NSET_TOKEN_SIZE]) / peak;
}

/* Largest of |waveform| over the event's channels: the same for any order of them. */
static float event_peak(const float *tokens, int64_t first, int64_t last)
{
    float peak = .1f;

    for (int64_t i = first; i < last; i++)
        for (int k = 0; k < NSET_TOKEN_SAMPLES; k++)
            peak = fmaxf(peak, fabsf(tokens[i * NSET_TOKEN + k]));
    return peak;
}

void nset_event_inputs(float *spread, float *other, const float *tokens, const int64_t *offsets, size_t n_events)
{
    for (size_t e = 0; e < n_events; e++) {
        float peak = event_peak(tokens, offsets[e], offsets[e + 1]);
        for (int64_t i = offsets[e]; i < offsets[e + 1]; i++)
            token_inputs(spread + (i - offsets[0]) * NSET_EVENT_SPREAD, other + (i - offsets[0]) * NSET_EVENT_OTHER,
                tokens + i * NSET_TOKEN, peak);
    }
}

static nset_node pools_of(nset_net *net, nset_node x)
{
    nset_node mean = nset_net_pool(net, x, NSET_POOL_MEAN), max = nset_net_pool(net, x, NSET_POOL_MAX);

    return nset_net_concat(net, nset_net_concat(net, mean, max), nset_net_pool(net, x, NSET_POOL_SUM));
}

nset_status nset_event_net_build(nset_net **out, uint64_t seed, nset_error *err)
{
    nset_net *net = NULL;
    nset_status status = nset_net_create(&net, err);
    nset_node spread, other, linear, h, rho;

    if (status != NSET_OK)
        return status;
    spread = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, NSET_EVENT_SPREAD);
    other = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, NSET_EVENT_OTHER);
    linear = nset_net_pool(net, nset_net_dense(net, spread, "linear", LINEAR), NSET_POOL_SUM);
    h = nset_net_activate(net, nset_net_dense(net, other, "phi1", HIDDEN), NSET_GELU);
    h = nset_net_activate(net, nset_net_equivariant(net, h, "phi2", HIDDEN, NSET_POOL_MAX), NSET_GELU);
    h = nset_net_activate(net, nset_net_dense(net, h, "phi3", HIDDEN), NSET_GELU);
    rho = nset_net_concat(net, nset_net_concat(net, pools_of(net, h), nset_net_log_size(net)), linear);
    rho = nset_net_layer_norm(net, rho, "norm");
    rho = nset_net_activate(net, nset_net_dense(net, rho, "rho1", MIXED), NSET_GELU);
    rho = nset_net_activate(net, nset_net_dense(net, rho, "rho2", MIXED), NSET_GELU);
    nset_net_output(net, nset_net_add(net, nset_net_dense(net, linear, "straight", NSET_EMBEDDING),
                             nset_net_dense(net, rho, "correction", NSET_EMBEDDING)));
    nset_net_output(net, nset_net_dense(net, rho, "spike", 1));
    nset_net_output(net, nset_net_dense(net, rho, "position", 2));
    if ((status = nset_net_finish(net, seed, err)) == NSET_OK) {
        *out = net;
        net = NULL;
    }
    nset_net_free(net);
    return status;
}

nset_status nset_event_net_open(nset_event_net **out, const char *model_path, nset_workers *workers, nset_error *err)
{
    nset_event_net *n = nset_calloc(1, sizeof *n);
    nset_model *model = NULL;
    nset_status status;

    if (!n)
        return nset_fail_oom(err, 1, sizeof *n);
    if ((status = nset_model_open(&model, model_path, err)) != NSET_OK ||
        (status = nset_event_net_build(&n->net, 0, err)) != NSET_OK ||
        (status = nset_model_load(model, n->net, err)) != NSET_OK ||
        (status = nset_run_create(&n->run, n->net, workers, err)) != NSET_OK)
        goto done;
    *out = n;
    n = NULL;

done:
    nset_model_close(model);
    nset_event_net_close(n);
    return status;
}

nset_status nset_event_net_borrow(nset_event_net **out, const nset_net *net, nset_workers *workers, nset_error *err)
{
    nset_event_net *n = nset_calloc(1, sizeof *n);
    nset_status status = n ? nset_run_create(&n->run, net, workers, err) : nset_fail_oom(err, 1, sizeof *n);

    if (status != NSET_OK) {
        nset_event_net_close(n);
        return status;
    }
    *out = n;
    return NSET_OK;
}

void nset_event_net_close(nset_event_net *n)
{
    if (!n)
        return;
    nset_run_free(n->run);
    nset_net_free(n->net);
    nset_free(n);
}

typedef struct piece {
    float *spread, *other; /* grown as needed; owned */
    size_t spread_capacity, other_capacity;
    int64_t offsets[PIECE_EVENTS + 1];
} piece;

static nset_status run_piece(
    nset_event_net *n, piece *p, size_t n_events, const int64_t *offsets, const float *tokens, nset_error *err)
{
    size_t count = (size_t)(offsets[n_events] - offsets[0]);
    const nset_real *inputs[2];
    nset_batch batch = { .n_sets = n_events, .offsets = p->offsets, .inputs = inputs };
    nset_status status;

    if ((status = nset_grow(&p->spread, &p->spread_capacity, (count + 1) * NSET_EVENT_SPREAD, sizeof(float), err)) !=
            NSET_OK ||
        (status = nset_grow(&p->other, &p->other_capacity, (count + 1) * NSET_EVENT_OTHER, sizeof(float), err)) !=
            NSET_OK)
        return status;
    nset_event_inputs(p->spread, p->other, tokens, offsets, n_events);
    for (size_t e = 0; e <= n_events; e++)
        p->offsets[e] = offsets[e] - offsets[0];
    inputs[0] = p->spread;
    inputs[1] = p->other;
    return nset_run_forward(n->run, &batch, err);
}

nset_status nset_event_net_embed(nset_event_net *net, size_t n_events, const int64_t *offsets, const float *tokens,
    float *embedding, float *spike_logit, float *position, nset_error *err)
{
    piece *p;
    nset_status status = NSET_OK;

    for (size_t e = 0; e < n_events; e++)
        if (offsets[e + 1] < offsets[e] || offsets[0] < 0)
            return nset_fail(err, NSET_ERR_ARG, "event %zu: its tokens end before they begin", e);
    if (!(p = nset_calloc(1, sizeof *p)))
        return nset_fail_oom(err, 1, sizeof *p);
    for (size_t e = 0; e < n_events && status == NSET_OK; e += PIECE_EVENTS) {
        size_t n = n_events - e < PIECE_EVENTS ? n_events - e : PIECE_EVENTS;
        if ((status = run_piece(net, p, n, offsets + e, tokens, err)) != NSET_OK)
            break;
        if (embedding)
            memcpy(embedding + e * NSET_EMBEDDING, nset_run_output(net->run, 0, NULL, NULL),
                n * NSET_EMBEDDING * sizeof *embedding);
        if (spike_logit)
            memcpy(spike_logit + e, nset_run_output(net->run, 1, NULL, NULL), n * sizeof *spike_logit);
        for (size_t i = 0; position && i < 2 * n; i++)
            position[2 * e + i] = (float)NSET_EVENT_PLACE_UM * nset_run_output(net->run, 2, NULL, NULL)[i];
    }
    nset_free(p->spread);
    nset_free(p->other);
    nset_free(p);
    return status;
}
