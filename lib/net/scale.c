/* Down: the mean of 2 x 2 pixels. Up: each pixel four times. */
#include "graph.h"

#include <string.h>

static nset_status down_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t height, width, line, images = nset_run_images(run, i);
    const nset_real *x = run->value[n->x];

    (void)err;
    nset_run_size(run, i, &height, &width);
    line = 2 * width * n->d;
    for (size_t y = 0; y < images * height; y++, x += 2 * line)
        for (size_t c = 0; c < width; c++, out += n->d) {
            const nset_real *a = x + 2 * c * n->d, *b = a + line;
            for (size_t j = 0; j < n->d; j++)
                out[j] = ((a[j] + a[j + n->d]) + (b[j] + b[j + n->d])) * (nset_real).25;
        }
    return NSET_OK;
}

static nset_status down_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t height, width, line, images = nset_run_images(run, i);
    const nset_real *g = to->g;
    nset_real *dx = to->dx;

    (void)err;
    if (!dx)
        return NSET_OK;
    nset_run_size(run, i, &height, &width);
    line = 2 * width * n->d;
    for (size_t y = 0; y < images * height; y++, dx += 2 * line)
        for (size_t c = 0; c < width; c++, g += n->d) {
            nset_real *a = dx + 2 * c * n->d, *b = a + line;
            for (size_t j = 0; j < n->d; j++) {
                nset_real quarter = g[j] * (nset_real).25;
                a[j] += quarter;
                a[j + n->d] += quarter;
                b[j] += quarter;
                b[j + n->d] += quarter;
            }
        }
    return NSET_OK;
}

const layer nset_layer_down = { down_forward, down_backward };

static nset_status up_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t height, width, line, images = nset_run_images(run, n->x);
    const nset_real *x = run->value[n->x];

    (void)err;
    nset_run_size(run, n->x, &height, &width);
    line = 2 * width * n->d;
    for (size_t y = 0; y < images * height; y++, out += 2 * line) {
        for (size_t c = 0; c < width; c++, x += n->d) {
            memcpy(out + 2 * c * n->d, x, n->d * sizeof *out);
            memcpy(out + (2 * c + 1) * n->d, x, n->d * sizeof *out);
        }
        memcpy(out + line, out, line * sizeof *out);
    }
    return NSET_OK;
}

static nset_status up_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t height, width, line, images = nset_run_images(run, n->x);
    const nset_real *g = to->g;
    nset_real *dx = to->dx;

    (void)err;
    if (!dx)
        return NSET_OK;
    nset_run_size(run, n->x, &height, &width);
    line = 2 * width * n->d;
    for (size_t y = 0; y < images * height; y++, g += 2 * line)
        for (size_t c = 0; c < width; c++, dx += n->d) {
            const nset_real *a = g + 2 * c * n->d, *b = a + line;
            for (size_t j = 0; j < n->d; j++)
                dx[j] += (a[j] + a[j + n->d]) + (b[j] + b[j + n->d]);
        }
    return NSET_OK;
}

const layer nset_layer_up = { up_forward, up_backward };
