#include "imaging/segnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blur.h"
#include "signal/robust.h"

static nset_node block(nset_net *net, nset_node x, const char *name, size_t d)
{
    char a[32], b[32], n[32];
    nset_node y;

    snprintf(a, sizeof a, "%s.a", name);
    snprintf(b, sizeof b, "%s.b", name);
    snprintf(n, sizeof n, "%s.norm", name);
    y = nset_net_conv2d(net, x, a, 3, d);
    y = nset_net_layer_norm(net, y, n);
    y = nset_net_activate(net, y, NSET_GELU);
    y = nset_net_conv2d(net, y, b, 3, d);
    return nset_net_activate(net, y, NSET_GELU);
}

static nset_node build_phi(nset_net *net)
{
    nset_node x = nset_net_input(net, NSET_ELEMENT, 0, 1);

    x = nset_net_conv2d(net, x, "phi.a", 3, NSET_SEG_HIDDEN);
    x = nset_net_activate(net, x, NSET_TANH);
    x = nset_net_conv2d(net, x, "phi.b", 3, NSET_SEG_PHI);
    return nset_net_activate(net, x, NSET_TANH);
}

static void build_rho(nset_net *net, nset_node x)
{
    nset_node fine = block(net, x, "down0", 16), middle, coarse, y;

    middle = block(net, nset_net_down(net, fine), "down1", 32);
    coarse = block(net, nset_net_down(net, middle), "down2", 64);
    y = nset_net_concat(net, nset_net_up(net, coarse), middle);
    y = block(net, y, "up1", 32);
    y = nset_net_concat(net, nset_net_up(net, y), fine);
    y = block(net, y, "up0", 16);
    nset_net_output(net, nset_net_dense(net, y, "mask", 1));
    nset_net_output(net, nset_net_dense(net, y, "centre", 1));
    nset_net_output(net, nset_net_dense(net, y, "offset", 2));
}

nset_status nset_segnet_build(nset_net **out, nset_seg_part part, uint64_t seed, nset_error *err)
{
    nset_net *net = NULL;
    nset_node maps, pooled;
    nset_status status;

    if ((status = nset_net_create(&net, err)) != NSET_OK)
        return status;
    if (part == NSET_SEG_PHI_ONLY) {
        nset_net_output(net, build_phi(net));
    } else {
        maps = nset_net_input(net, NSET_SET, 0, NSET_SEG_INPUTS);
        pooled = part == NSET_SEG_WHOLE ? nset_net_pool(net, build_phi(net), NSET_POOL_MEAN)
                                        : nset_net_input(net, NSET_SET, 0, NSET_SEG_PHI);
        build_rho(net, nset_net_concat(net, maps, pooled));
    }
    if ((status = nset_net_finish(net, seed, err)) != NSET_OK) {
        nset_net_free(net);
        return status;
    }
    *out = net;
    return NSET_OK;
}

/* x := (x - local mean) / local sd, clipped; local: a Gaussian of sigma. a, b, room: H * W numbers each. */
static void local_contrast(float *x, size_t h, size_t w, double sigma, float *a, float *b, float *room)
{
    double floor_sd = 0;

    for (size_t i = 0; i < h * w; i++) {
        a[i] = x[i];
        b[i] = x[i] * x[i];
    }
    nset_blur(a, h, w, sigma, room);
    nset_blur(b, h, w, sigma, room);
    for (size_t i = 0; i < h * w; i++) {
        b[i] = sqrtf(fmaxf(b[i] - a[i] * a[i], 0));
        room[i] = b[i];
    }
    floor_sd = .3 * (double)nset_median(room, h * w);
    for (size_t i = 0; i < h * w; i++) {
        float sd = fmaxf(b[i], (float)floor_sd), v = sd > 0 ? (x[i] - a[i]) / sd : 0;
        x[i] = v < -4 ? -4 : v > 6 ? 6 : v;
    }
}

/* x := (x - median) / robust sd over the field, clipped. */
static void field_contrast(float *x, size_t n, float *room)
{
    float middle, sd;

    memcpy(room, x, n * sizeof *room);
    middle = nset_median(room, n);
    for (size_t i = 0; i < n; i++)
        room[i] = x[i] - middle;
    sd = nset_mad_sd(room, n);
    for (size_t i = 0; i < n; i++) {
        float v = sd > 0 ? (x[i] - middle) / sd : 0;
        x[i] = .5f * (v < -4 ? -4 : v > 10 ? 10 : v);
    }
}

nset_status nset_segnet_inputs(
    float *input, const float *maps, size_t height, size_t width, int64_t n_images, double diameter, nset_error *err)
{
    static const struct {
        int map;
        double reach; /* diameters */
    } still[NSET_SEG_STILL] = { { NSET_MAP_MEAN, .8 }, { NSET_MAP_MEAN, 2.5 }, { NSET_MAP_BRIGHTEST, .8 } };
    static const int activity[] = { NSET_MAP_CORRELATION, NSET_MAP_COVARIANCE, NSET_MAP_DEVIATION, NSET_MAP_PEAK };
    size_t n = height * width;
    float *x = nset_calloc(4 * n, sizeof *x), *a = x + n, *b = x + 2 * n, *room = x + 3 * n;

    if (!x)
        return nset_fail_oom(err, 4 * n, sizeof *x);
    memset(input, 0, n * NSET_SEG_INPUTS * sizeof *input);
    for (size_t k = 0; k < NSET_SEG_STILL; k++) {
        nset_light(x, maps + (size_t)still[k].map * n, n);
        for (size_t i = 0; i < n; i++)
            x[i] = sqrtf(x[i]);
        local_contrast(x, height, width, still[k].reach * diameter, a, b, room);
        for (size_t i = 0; i < n; i++)
            input[i * NSET_SEG_INPUTS + k] = x[i];
    }
    for (size_t k = 0; k < 4 && n_images >= 2; k++) {
        memcpy(x, maps + (size_t)activity[k] * n, n * sizeof *x);
        field_contrast(x, n, room);
        for (size_t i = 0; i < n; i++)
            input[i * NSET_SEG_INPUTS + NSET_SEG_STILL + k] = x[i];
    }
    for (size_t i = 0; i < n && n_images >= 2; i++)
        input[i * NSET_SEG_INPUTS + NSET_SEG_INPUTS - 1] = 1;
    nset_free(x);
    return NSET_OK;
}

void nset_segnet_image(float *image, size_t height, size_t width, float *room)
{
    size_t n = height * width;
    float sd;

    memcpy(room, image, n * sizeof *room);
    sd = nset_mad_sd(room, n);
    for (size_t i = 0; i < n; i++) {
        float v = sd > 0 ? image[i] / sd : 0;
        image[i] = v < -6 ? -6 : v > 12 ? 12 : v;
    }
}
