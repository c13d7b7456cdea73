#include <neuroset/train.h>

#include <math.h>

#include <neuroset/memory.h>

nset_status nset_adamw_init(nset_adamw *o, size_t n, double weight_decay, nset_error *err)
{
    *o = (nset_adamw){ .beta1 = .9, .beta2 = .999, .epsilon = 1e-8, .weight_decay = weight_decay, .n = n };
    o->m = nset_calloc(n, sizeof *o->m);
    o->v = nset_calloc(n, sizeof *o->v);
    if (!o->m || !o->v) {
        nset_adamw_fini(o);
        return nset_fail_oom(err, n, sizeof *o->m);
    }
    return NSET_OK;
}

void nset_adamw_fini(nset_adamw *o)
{
    nset_free(o->m);
    nset_free(o->v);
    o->m = o->v = NULL;
    o->n = 0;
}

/* The bias corrections 1 - beta^t are folded into two factors, so that the loop is plain arithmetic. Epsilon stands
 * outside the root, as in algorithm 2 of the paper. */
void nset_adamw_step(nset_adamw *o, nset_real *params, const nset_real *grad, double rate)
{
    const double t = (double)++o->step;
    const nset_real b1 = (nset_real)o->beta1, c1 = (nset_real)(1 - o->beta1);
    const nset_real b2 = (nset_real)o->beta2, c2 = (nset_real)(1 - o->beta2);
    const nset_real mean = (nset_real)(rate / (1 - pow(o->beta1, t)));
    const nset_real square = (nset_real)(1 / (1 - pow(o->beta2, t)));
    const nset_real epsilon = (nset_real)o->epsilon, keep = (nset_real)(1 - rate * o->weight_decay);

    for (size_t i = 0; i < o->n; i++) {
        const nset_real g = grad[i];
        const nset_real m = o->m[i] = b1 * o->m[i] + c1 * g;
        const nset_real v = o->v[i] = b2 * o->v[i] + c2 * g * g;
        params[i] = keep * params[i] - mean * m / ((nset_real)sqrt(square * v) + epsilon);
    }
}

double nset_cosine_rate(uint64_t step, uint64_t n_steps, uint64_t warmup, double peak, double floor)
{
    double done;

    if (step < warmup)
        return peak * (double)(step + 1) / (double)warmup;
    if (step + 1 >= n_steps || n_steps - 1 <= warmup)
        return step + 1 >= n_steps ? peak * floor : peak;
    done = (double)(step - warmup) / (double)(n_steps - 1 - warmup);
    return peak * (floor + (1 - floor) * .5 * (1 + cos(3.141592653589793 * done)));
}

double nset_clip_gradient(nset_real *grad, size_t n, double limit)
{
    double square = 0, norm;

    for (size_t i = 0; i < n; i++)
        square += (double)grad[i] * (double)grad[i];
    norm = sqrt(square);
    if (norm > limit && isfinite(norm)) {
        const double factor = limit / norm;
        for (size_t i = 0; i < n; i++)
            grad[i] = (nset_real)((double)grad[i] * factor);
    }
    return norm;
}
