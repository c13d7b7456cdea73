#include <neuroset/complete.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/invariant.h>
#include <neuroset/memory.h>
#include <neuroset/pool.h>
#include <neuroset/random.h>
#include <neuroset/train.h>

enum { ROW = 1, COLUMN = 2 }; /* axes kept */
enum { N_INPUTS = 4 };        /* value, seen, start of the row's factor, of the column's */
enum { MIN_ENTRIES = 8 };

#define SHRINK .06 /* of factors at a step, before learning */
#define STEP 1.5   /* of descent on free channels */
#define OFFSET .7  /* of descent on the channels that are a row's or a column's offset */

/* ---- networks ---- */

/* Half a step: the factor own (kept on axis keep) moves by the mean of the residual times the other factor. */
static nset_node half_step(nset_net *net, const nset_node in[N_INPUTS], nset_node own, nset_node other, unsigned keep,
    size_t width, const char *name)
{
    char part[3][48];
    nset_node residual, pull;

    snprintf(part[0], sizeof *part, "%s.value", name);
    snprintf(part[1], sizeof *part, "%s.read", name);
    snprintf(part[2], sizeof *part, "%s.move", name);
    residual = nset_net_add(net, nset_net_dense(net, in[0], part[0], width),
        nset_net_dense(net, nset_net_multiply(net, own, other), part[1], width));
    pull = nset_net_axis_mean(net, nset_net_multiply(net, residual, other), keep, in[1]);
    return nset_net_dense(net, nset_net_concat(net, own, pull), part[2], width);
}

static nset_node build_factors(nset_net *net, const nset_node in[N_INPUTS], const nset_completion_options *o)
{
    nset_node u = in[2], v = in[3], product, all;
    char name[32];

    for (size_t k = 0; k < o->depth; k++) {
        snprintf(name, sizeof name, "row.%zu", k);
        u = half_step(net, in, u, v, ROW, o->width, name);
        snprintf(name, sizeof name, "column.%zu", k);
        v = half_step(net, in, v, u, COLUMN, o->width, name);
    }
    product = nset_net_multiply(net, u, v);
    all = nset_net_concat(net, nset_net_concat(net, u, v), product);
    all = nset_net_activate(net, nset_net_dense(net, all, "decode.hidden", 2 * o->width), NSET_GELU);
    return nset_net_add(
        net, nset_net_dense(net, product, "decode.product", 1), nset_net_dense(net, all, "decode.out", 1));
}

static nset_node build_layers(nset_net *net, const nset_node in[N_INPUTS], const nset_completion_options *o)
{
    nset_node x = nset_net_concat(net, in[0], in[1]);
    char name[32];

    x = nset_net_concat(net, x, nset_net_concat(net, in[2], in[3]));
    for (size_t k = 0; k < o->depth; k++) {
        nset_node y;
        snprintf(name, sizeof name, "layer.%zu", k);
        y = nset_net_activate(net, nset_net_exchangeable(net, x, name, 2, o->width, in[1]), NSET_GELU);
        x = k > 0 ? nset_net_add(net, x, y) : y;
    }
    return nset_net_dense(net, x, "out", 1);
}

/* The view of that name; there always is one. */
static nset_real *view_of(nset_net *net, const char *name)
{
    for (size_t i = 0; i < nset_net_n_views(net); i++)
        if (strcmp(nset_net_view(net, i).name, name) == 0)
            return nset_net_params(net) + nset_net_view(net, i).at;
    return NULL;
}

/* Before learning a half step is descent on the squared residual. Channel fixed of own is 1 for ever, channel offset is
 * the row's or column's own offset, which meets the other's 1. */
static void start_half_step(nset_net *net, const char *name, size_t width, size_t fixed, size_t offset)
{
    char part[48];
    nset_real *value, *read, *move;

    snprintf(part, sizeof part, "%s.value.weight", name);
    value = view_of(net, part);
    snprintf(part, sizeof part, "%s.read.weight", name);
    read = view_of(net, part);
    snprintf(part, sizeof part, "%s.move.weight", name);
    move = view_of(net, part);
    memset(move, 0, 2 * width * width * sizeof *move);
    for (size_t j = 0; j < width; j++) {
        value[j] = 1;
        for (size_t i = 0; i < width; i++)
            read[i * width + j] = -1;
        move[j * width + j] = j == fixed ? 1 : 1 - (nset_real)SHRINK;
        move[(width + j) * width + j] = j == fixed ? 0 : j == offset ? (nset_real)OFFSET : (nset_real)STEP;
    }
}

static void start_factors(nset_net *net, const nset_completion_options *o)
{
    char name[32];

    for (size_t k = 0; k < o->depth; k++) {
        snprintf(name, sizeof name, "row.%zu", k);
        start_half_step(net, name, o->width, 0, 1);
        snprintf(name, sizeof name, "column.%zu", k);
        start_half_step(net, name, o->width, 1, 0);
    }
    for (size_t j = 0; j < o->width; j++)
        view_of(net, "decode.product.weight")[j] = 1;
    memset(view_of(net, "decode.out.weight"), 0, 2 * o->width * sizeof(nset_real));
}

nset_status nset_completion_net(nset_net **out, const nset_completion_options *o, nset_error *err)
{
    nset_node in[N_INPUTS];
    bool factors = o->kind == NSET_COMPLETE_FACTORS;
    nset_net *net = NULL;
    nset_status status;

    if (o->width < 3 || o->width > 1024 || o->depth < 1 || o->depth > 1000)
        return nset_fail(
            err, NSET_ERR_ARG, "completion: width %zu and depth %zu; needed: 3 .. 1024, 1 .. 1000", o->width, o->depth);
    if ((status = nset_net_create(&net, err)) != NSET_OK)
        return status;
    for (int k = 0; k < N_INPUTS; k++)
        in[k] = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, k < 2 ? 1 : o->width);
    nset_net_output(net, factors ? build_factors(net, in, o) : build_layers(net, in, o));
    if ((status = nset_net_finish(net, o->seed, err)) != NSET_OK) {
        nset_net_free(net);
        return status;
    }
    if (factors)
        start_factors(net, o);
    *out = net;
    return NSET_OK;
}

/* ---- entries as a batch ---- */

/* Rows (or columns) as sets: which entries each has. */
typedef struct lines {
    uint32_t *of;     /* (n) line of an entry, 0 .. n_lines-1 */
    uint32_t *order;  /* (n) entries line by line */
    int64_t *offsets; /* (n_lines + 1) into order */
    size_t n_lines;
} lines;

typedef struct job {
    size_t n, n_known, width;   /* entries: known ones, then queries */
    uint32_t *axis[2];          /* (n) rows, columns */
    nset_real *input[N_INPUTS]; /* value, seen, starts */
    lines line[2];
    float *start;    /* (most lines, width) one side's starts */
    float *sorted;   /* (n_known) values line by line */
    double mean, sd; /* of the known values */
    int64_t offsets[2];
} job;

static void job_fini(job *j)
{
    for (int k = 0; k < N_INPUTS; k++)
        nset_free(j->input[k]);
    for (int a = 0; a < 2; a++) {
        nset_free(j->axis[a]);
        nset_free(j->line[a].of);
        nset_free(j->line[a].order);
        nset_free(j->line[a].offsets);
    }
    nset_free(j->start);
    nset_free(j->sorted);
    *j = (job){ 0 };
}

static int by_number(const void *a, const void *b, void *ctx)
{
    const uint32_t *number = ctx, e = *(const uint32_t *)a, f = *(const uint32_t *)b;

    return number[e] != number[f] ? (number[e] < number[f] ? -1 : 1) : e < f ? -1 : e > f;
}

/* Known entries come first within each line, since they come first in number. */
static void find_lines(lines *l, uint32_t *number, size_t n)
{
    for (size_t e = 0; e < n; e++)
        l->order[e] = (uint32_t)e;
    qsort_r(l->order, n, sizeof *l->order, by_number, number);
    l->n_lines = 0;
    for (size_t e = 0; e < n; e++) {
        if (e == 0 || number[l->order[e]] != number[l->order[e - 1]])
            l->offsets[l->n_lines++] = (int64_t)e;
        l->of[l->order[e]] = (uint32_t)(l->n_lines - 1);
    }
    l->offsets[l->n_lines] = (int64_t)n;
}

static nset_status job_alloc(job *j, nset_error *err)
{
    bool ok = true;

    for (int k = 0; k < N_INPUTS; k++)
        ok &= (j->input[k] = nset_calloc(j->n * (k < 2 ? 1 : j->width), sizeof(nset_real))) != NULL;
    for (int a = 0; a < 2; a++) {
        ok &= (j->axis[a] = nset_calloc(j->n, sizeof(uint32_t))) != NULL;
        ok &= (j->line[a].of = nset_calloc(j->n, sizeof(uint32_t))) != NULL;
        ok &= (j->line[a].order = nset_calloc(j->n, sizeof(uint32_t))) != NULL;
        ok &= (j->line[a].offsets = nset_calloc(j->n + 1, sizeof(int64_t))) != NULL;
    }
    ok &= (j->start = nset_calloc(j->n * j->width, sizeof(float))) != NULL;
    ok &= (j->sorted = nset_calloc(j->n, sizeof(float))) != NULL;
    return ok ? NSET_OK : nset_fail_oom(err, j->n, j->width * sizeof(float));
}

/* Mean and standard deviation of the known values, exact sums. */
static nset_status scale_of(job *j, const nset_entries *known, nset_error *err)
{
    double *term = nset_calloc(known->n, sizeof *term), n = (double)known->n;

    if (!term)
        return nset_fail_oom(err, known->n, sizeof *term);
    for (size_t e = 0; e < known->n; e++)
        term[e] = known->value[e];
    j->mean = nset_exact_sum(term, known->n) / n;
    for (size_t e = 0; e < known->n; e++)
        term[e] = (term[e] - j->mean) * (term[e] - j->mean);
    j->sd = sqrt(nset_exact_sum(term, known->n) / n);
    nset_free(term);
    return NSET_OK;
}

static nset_status check_known(const nset_entries *known, nset_error *err)
{
    bool differ = false;

    if (known->n < MIN_ENTRIES)
        return nset_fail(
            err, NSET_ERR_ARG, "completion: %zu known entries, at least %d are needed", known->n, MIN_ENTRIES);
    for (size_t e = 0; e < known->n; e++) {
        if (!isfinite(known->value[e]))
            return nset_fail(err, NSET_ERR_ARG, "completion: entry %zu (row %u, column %u) is not finite", e,
                known->row[e], known->column[e]);
        differ |= known->value[e] != known->value[0];
    }
    return differ ? NSET_OK : nset_fail(err, NSET_ERR_ARG, "completion: all known entries are equal");
}

/* query may be NULL. */
static nset_status job_init(
    job *j, const nset_net *net, const nset_entries *known, const nset_entries *query, nset_error *err)
{
    size_t n_query = query ? query->n : 0;
    nset_status status = check_known(known, err);

    *j = (job){ .n_known = known->n, .width = nset_net_input_channels(net, 2) };
    if (status != NSET_OK)
        return status;
    if (j->width < 3 || nset_net_input_channels(net, 3) != j->width)
        return nset_fail(err, NSET_ERR_ARG, "completion: the network is none of nset_completion_net");
    if (known->n > UINT32_MAX / 2 || n_query > UINT32_MAX / 2)
        return nset_fail(err, NSET_ERR_ARG, "completion: %zu and %zu entries are too many", known->n, n_query);
    j->n = known->n + n_query;
    j->offsets[1] = (int64_t)j->n;
    if ((status = job_alloc(j, err)) != NSET_OK || (status = scale_of(j, known, err)) != NSET_OK) {
        job_fini(j);
        return status;
    }
    for (size_t e = 0; e < j->n; e++) {
        const nset_entries *from = e < known->n ? known : query;
        size_t at = e < known->n ? e : e - known->n;
        j->axis[0][e] = from->row[at];
        j->axis[1][e] = from->column[at];
        j->input[1][e] = e < known->n ? 1 : 0;
        j->input[0][e] = e < known->n ? (nset_real)((known->value[e] - j->mean) / j->sd) : 0;
    }
    for (int a = 0; a < 2; a++)
        find_lines(&j->line[a], j->axis[a], j->n);
    return NSET_OK;
}

/* Starts of the factors: channel 0 of rows and 1 of columns is 1, channel 1 and 0 is 0, the others noise of a line. */
static void spread_starts(job *j, int a, double size)
{
    for (size_t e = 0; e < j->n; e++) {
        nset_real *to = j->input[2 + a] + e * j->width;
        const float *from = j->start + (size_t)j->line[a].of[e] * j->width;
        to[a] = 1;
        to[1 - a] = 0;
        for (size_t k = 2; k < j->width; k++)
            to[k] = (nset_real)(size * (double)from[k]);
    }
}

#define START .3 /* standard deviation */

static void draw_starts(job *j, uint64_t seed, uint64_t step)
{
    for (int a = 0; a < 2; a++) {
        nset_random r = nset_random_stream(seed, a ? "column start" : "row start", step);
        for (size_t k = 0; k < j->line[a].n_lines * j->width; k++)
            j->start[k] = (float)nset_random_normal(&r);
        spread_starts(j, a, START);
    }
}

/* Noise keyed by the values that are known of a line, which have no order. */
static nset_status keyed_starts(job *j, nset_error *err)
{
    nset_status status;

    for (int a = 0; a < 2; a++) {
        lines *l = &j->line[a];
        int64_t *known = nset_calloc(l->n_lines + 1, sizeof *known);
        size_t n = 0;
        if (!known)
            return nset_fail_oom(err, l->n_lines + 1, sizeof *known);
        for (size_t k = 0; k < l->n_lines; k++) {
            for (int64_t e = l->offsets[k]; e < l->offsets[k + 1]; e++)
                if (l->order[e] < j->n_known)
                    j->sorted[n++] = (float)j->input[0][l->order[e]];
            known[k + 1] = (int64_t)n;
        }
        status = nset_noise(NULL, j->start, j->sorted, known, l->n_lines, 1, 0, j->width, (uint64_t)a, err);
        nset_free(known);
        if (status != NSET_OK)
            return status;
        spread_starts(j, a, START);
    }
    return NSET_OK;
}

static nset_batch batch_of(const job *j)
{
    return (nset_batch){ .n_sets = 1,
        .offsets = j->offsets,
        .inputs = (const nset_real *const *)j->input,
        .n_axes = 2,
        .axes = (const uint32_t *const *)j->axis };
}

/* ---- training ---- */

typedef struct trainer {
    job *jobs; /* (n) */
    size_t n;
    nset_real **target; /* (n) standardised values */
    nset_real *slope, *grad;
    nset_run *run;
    nset_adamw adam;
} trainer;

static void trainer_fini(trainer *t)
{
    for (size_t k = 0; t->jobs && k < t->n; k++)
        job_fini(&t->jobs[k]);
    for (size_t k = 0; t->target && k < t->n; k++)
        nset_free(t->target[k]);
    nset_free(t->jobs);
    nset_free(t->target);
    nset_free(t->slope);
    nset_free(t->grad);
    nset_run_free(t->run);
    nset_adamw_fini(&t->adam);
}

static nset_status trainer_init(
    trainer *t, const nset_net *net, const nset_entries *known, size_t n, nset_workers *workers, nset_error *err)
{
    size_t n_params = nset_net_n_params(net), most = 0;
    nset_status status;

    *t = (trainer){ .n = n };
    t->jobs = nset_calloc(n, sizeof *t->jobs);
    t->target = nset_calloc(n, sizeof *t->target);
    t->grad = nset_calloc(n_params, sizeof *t->grad);
    if (!t->jobs || !t->target || !t->grad)
        return nset_fail_oom(err, n_params, sizeof *t->grad);
    for (size_t k = 0; k < n; k++) {
        if ((status = job_init(&t->jobs[k], net, &known[k], NULL, err)) != NSET_OK)
            return status;
        if (!(t->target[k] = nset_calloc(known[k].n, sizeof(nset_real))))
            return nset_fail_oom(err, known[k].n, sizeof(nset_real));
        memcpy(t->target[k], t->jobs[k].input[0], known[k].n * sizeof(nset_real));
        most = known[k].n > most ? known[k].n : most;
    }
    if (!(t->slope = nset_calloc(most, sizeof *t->slope)))
        return nset_fail_oom(err, most, sizeof *t->slope);
    if ((status = nset_run_create(&t->run, net, workers, err)) != NSET_OK)
        return status;
    return nset_adamw_init(&t->adam, n_params, 0, err);
}

/* Hides a share of the entries: their value is 0 and they are in no mean. */
static void hide(job *j, const nset_real *target, double share, uint64_t seed, uint64_t step)
{
    nset_random r = nset_random_stream(seed, "hidden entries", step);

    for (size_t e = 0; e < j->n; e++) {
        bool seen = nset_random_uniform(&r) >= share;
        j->input[0][e] = seen ? target[e] : 0;
        j->input[1][e] = seen ? 1 : 0;
    }
}

/* Mean squared error of the hidden entries and its slope. */
static double hidden_loss(nset_real *slope, const job *j, const nset_real *target, const nset_real *out)
{
    double sum = 0, n = 0;

    for (size_t e = 0; e < j->n; e++)
        n += j->input[1][e] == 0;
    for (size_t e = 0; e < j->n; e++) {
        double off = j->input[1][e] == 0 ? (double)out[e] - (double)target[e] : 0;
        sum += off * off;
        slope[e] = n > 0 ? (nset_real)(2 * off / n) : 0;
    }
    return n > 0 ? sum / n : 0;
}

static nset_status train_step(
    trainer *t, nset_net *net, size_t step, const nset_completion_options *o, double *loss, nset_error *err)
{
    job *j = &t->jobs[step % t->n];
    const nset_real *target = t->target[step % t->n], *slopes[] = { t->slope };
    nset_batch batch;
    nset_status status;

    hide(j, target, o->hidden, o->seed, step);
    draw_starts(j, o->seed, step);
    batch = batch_of(j);
    if ((status = nset_run_forward_train(t->run, &batch, step, err)) != NSET_OK)
        return status;
    *loss = hidden_loss(t->slope, j, target, nset_run_output(t->run, 0, NULL, NULL));
    if (!isfinite(*loss))
        return nset_fail(
            err, NSET_ERR_NUMERIC, "completion: the loss of step %zu is not finite; a lower rate helps", step);
    memset(t->grad, 0, t->adam.n * sizeof *t->grad);
    if ((status = nset_run_backward(t->run, &batch, slopes, t->grad, NULL, err)) != NSET_OK)
        return status;
    (void)nset_clip_gradient(t->grad, t->adam.n, 1);
    nset_adamw_step(&t->adam, nset_net_params(net), t->grad, nset_cosine_rate(step, o->n_steps, 10, o->rate, 0));
    return NSET_OK;
}

nset_status nset_completion_train(nset_net *net, const nset_entries *known, size_t n, const nset_completion_options *o,
    int (*progress)(void *ctx, size_t step, double loss), void *ctx, nset_workers *workers, nset_error *err)
{
    trainer t;
    double loss = 0;
    nset_status status;

    if (n == 0 || !(o->hidden > 0 && o->hidden < 1))
        return nset_fail(err, NSET_ERR_ARG,
            "completion: %zu matrices and %g hidden; needed: at least 1, more than 0 and less than 1", n, o->hidden);
    status = trainer_init(&t, net, known, n, workers, err);
    for (size_t step = 0; step < o->n_steps && status == NSET_OK; step++) {
        status = train_step(&t, net, step, o, &loss, err);
        if (status == NSET_OK && progress && progress(ctx, step, loss))
            status = nset_fail(err, NSET_ERR_CANCELLED, "completion: stopped after step %zu", step);
    }
    trainer_fini(&t);
    return status;
}

/* ---- prediction ---- */

nset_status nset_completion_predict(float *value, const nset_net *net, const nset_entries *known,
    const nset_entries *query, nset_workers *workers, nset_error *err)
{
    nset_run *run = NULL;
    nset_batch batch;
    job j;
    nset_status status = job_init(&j, net, known, query, err);

    if (status != NSET_OK)
        return status;
    batch = batch_of(&j);
    if ((status = keyed_starts(&j, err)) == NSET_OK && (status = nset_run_create(&run, net, workers, err)) == NSET_OK &&
        (status = nset_run_forward(run, &batch, err)) == NSET_OK) {
        const nset_real *out = nset_run_output(run, 0, NULL, NULL);
        for (size_t e = 0; e < query->n; e++)
            value[e] = (float)(j.mean + j.sd * (double)out[known->n + e]);
    }
    nset_run_free(run);
    job_fini(&j);
    return status;
}
