/* Convolution of images: for each pixel the kernel lines above each other are pieces of one chain, read from a copy
 * of the image with a border of zeros; nothing is unfolded. */
#include "graph.h"

#include <string.h>

#include "../math/kernels.h"

typedef struct conv2d {
    const nset_kernels *kernels;
    size_t height, width, kernel;
    size_t c_in, c_out;
    const nset_real *x;             /* an image (height, width, c_in) */
    nset_real *pad;                 /* the same with its border */
    nset_real *out;                 /* (height, width, c_out) */
    const nset_real *packed, *bias; /* bias NULL: add to out */
} conv2d;

static size_t pad_line(const conv2d *v)
{
    return (v->width + v->kernel - 1) * v->c_in;
}

static size_t pad_size(const conv2d *v)
{
    return (v->height + v->kernel - 1) * pad_line(v);
}

/* Items are lines of the padded image. */
static void pad_lines(void *ctx, size_t first, size_t last, size_t chunk)
{
    const conv2d *v = ctx;
    size_t border = v->kernel / 2, line = v->width * v->c_in, margin = border * v->c_in;

    (void)chunk;
    for (size_t y = first; y < last; y++) {
        nset_real *to = v->pad + y * pad_line(v);
        if (y < border || y >= border + v->height) {
            memset(to, 0, pad_line(v) * sizeof *to);
            continue;
        }
        memset(to, 0, margin * sizeof *to);
        memcpy(to + margin, v->x + (y - border) * line, line * sizeof *to);
        memset(to + margin + line, 0, margin * sizeof *to);
    }
}

static void pad_image(nset_run *run, conv2d *v)
{
    nset_parallel_for(run->workers, v->height + v->kernel - 1, nset_chunk(pad_line(v)), pad_lines, v);
}

/* Lines of the image from line y on, for a product: a row a pixel. */
static nset_rows lines_of(const conv2d *v, size_t y)
{
    return (nset_rows){ .data = v->pad + y * pad_line(v),
        .row = v->c_in,
        .seg = pad_line(v),
        .n_seg = v->kernel,
        .k_seg = v->kernel * v->c_in };
}

static void conv_lines(void *ctx, size_t first, size_t last, size_t chunk)
{
    const conv2d *v = ctx;

    (void)chunk;
    for (size_t y = first; y < last; y++) {
        nset_rows a = lines_of(v, y);
        v->kernels->gemm(v->out + y * v->width * v->c_out, v->c_out, v->width, &a, v->packed, v->c_out, v->bias);
    }
}

static void conv_image(nset_run *run, conv2d *v)
{
    size_t lines = 1024 / v->width;

    pad_image(run, v);
    nset_parallel_for(run->workers, v->height, lines ? lines : 1, conv_lines, v);
}

static conv2d describe(nset_run *run, nset_node i)
{
    const node *n = &run->net->nodes[i];
    conv2d v = { .kernels = nset_kernels_now(), .kernel = n->kernel, .c_in = n->channels, .c_out = n->d };

    nset_run_size(run, i, &v.height, &v.width);
    return v;
}

static nset_status conv2d_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    conv2d v = describe(run, i);
    size_t k = v.kernel * v.kernel * v.c_in, pixels = v.height * v.width;
    nset_status status;

    if ((status = nset_buffer_need(&run->packed, nset_packed_size(k, v.c_out), err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad, pad_size(&v), err)) != NSET_OK)
        return status;
    nset_pack(run->packed.data, nset_run_param(run, n->weight), k, v.c_out, v.c_out, 1);
    v.packed = run->packed.data;
    v.bias = nset_run_param(run, n->bias);
    v.pad = run->pad.data;
    for (size_t image = 0; image < nset_run_images(run, i); image++) {
        v.x = run->value[n->x] + image * pixels * v.c_in;
        v.out = out + image * pixels * v.c_out;
        conv_image(run, &v);
    }
    return NSET_OK;
}

/* dx is the convolution of g with the kernel turned by half a turn, channels in and out exchanged. */
static nset_status pack_turned(nset_run *run, const conv2d *v, const nset_real *weight, nset_error *err)
{
    size_t taps = v->kernel * v->kernel, k = taps * v->c_out, tap = v->c_in * v->c_out;
    nset_status status;

    if ((status = nset_buffer_need(&run->packed, nset_packed_size(k, v->c_in), err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad2, k * v->c_in, err)) != NSET_OK)
        return status;
    for (size_t t = 0; t < taps; t++)
        for (size_t o = 0; o < v->c_out; o++)
            for (size_t c = 0; c < v->c_in; c++)
                run->pad2.data[(t * v->c_out + o) * v->c_in + c] = weight[(taps - 1 - t) * tap + c * v->c_out + o];
    nset_pack(run->packed.data, run->pad2.data, k, v->c_in, v->c_in, 1);
    return NSET_OK;
}

static nset_status back_to_x(nset_run *run, const conv2d *v, const nset_real *weight, nset_real *dx, const nset_real *g,
    size_t images, nset_error *err)
{
    conv2d back = *v;
    size_t pixels = v->height * v->width;
    nset_status status;

    back.c_in = v->c_out;
    back.c_out = v->c_in;
    if ((status = pack_turned(run, v, weight, err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad, pad_size(&back), err)) != NSET_OK)
        return status;
    back.packed = run->packed.data;
    back.pad = run->pad.data;
    for (size_t image = 0; image < images; image++) {
        back.x = g + image * pixels * back.c_in;
        back.out = dx + image * pixels * back.c_out;
        conv_image(run, &back);
    }
    return NSET_OK;
}

/* dweight += over the pixels of one image, some lines (or a part of a line) a call. */
static void back_to_weight(const conv2d *v, nset_real *dweight, const nset_real *g)
{
    size_t lines = v->width < NSET_TN_ROWS ? NSET_TN_ROWS / v->width : 1, block = v->kernel * v->c_in * v->c_out;

    for (size_t y = 0; y < v->height; y += lines)
        for (size_t x = 0; x < v->width; x += NSET_TN_ROWS) {
            size_t part = v->width - x < NSET_TN_ROWS ? v->width - x : NSET_TN_ROWS;
            for (size_t line = 0; line < v->kernel; line++) {
                nset_rows a = lines_of(v, y + line);
                a.data += x * v->c_in;
                a.n_seg = v->height - y < lines ? v->height - y : lines;
                v->kernels->gemm_tn(
                    dweight + line * block, v->c_out, &a, part, g + (y * v->width + x) * v->c_out, v->c_out, v->c_out);
            }
        }
}

static nset_status conv2d_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    conv2d v = describe(run, i);
    size_t images = nset_run_images(run, i), pixels = v.height * v.width;
    nset_real *dweight = nset_grad_param(run, to->params, n->weight);
    nset_status status;

    v.kernels->add_rows(nset_grad_param(run, to->params, n->bias), to->g, v.c_out, images * pixels, v.c_out);
    if ((status = nset_buffer_need(&run->pad, pad_size(&v), err)) != NSET_OK)
        return status;
    v.pad = run->pad.data;
    for (size_t image = 0; image < images; image++) {
        v.x = run->value[n->x] + image * pixels * v.c_in;
        pad_image(run, &v);
        back_to_weight(&v, dweight, to->g + image * pixels * v.c_out);
    }
    return to->dx ? back_to_x(run, &v, nset_run_param(run, n->weight), to->dx, to->g, images, err) : NSET_OK;
}

const layer nset_layer_conv2d = { conv2d_forward, conv2d_backward };
