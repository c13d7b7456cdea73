#include "ephys/planes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

enum { BATCH = 4096 };

typedef struct planes {
    nset_frames base;
    int fd;
    char *path; /* owned */
    char dtype[12];
    bool big_endian;
    int64_t offset;
    char bytes[BATCH * 8];
} planes;

static double number(const unsigned char *b, char kind, size_t size)
{
    uint64_t v = 0;

    for (size_t i = size; i-- > 0;)
        v = v << 8 | b[i];
    if (kind == 'f') {
        uint32_t low = (uint32_t)v;
        float f;
        double d;
        memcpy(&f, &low, sizeof f);
        memcpy(&d, &v, sizeof d);
        return size == 4 ? (double)f : d;
    }
    if (kind == 'u')
        return (double)v;
    return size == 1 ? (double)(int8_t)v : size == 2 ? (double)(int16_t)v : (double)(int32_t)v;
}

void nset_samples_decode(double *out, size_t stride, const char *bytes, size_t n, const char *dtype, bool big_endian)
{
    size_t size = nset_dtype_size(dtype);

    for (size_t k = 0; k < n; k++, bytes += size) {
        unsigned char b[8];
        for (size_t i = 0; i < size; i++)
            b[i] = (unsigned char)bytes[big_endian ? size - 1 - i : i];
        out[k * stride] = number(b, dtype[0], size);
    }
}

static nset_status read_planes(nset_frames *self, double *raw, int64_t start, size_t n, nset_error *err)
{
    planes *p = (planes *)self;
    size_t size = nset_dtype_size(p->dtype);

    for (size_t c = 0; c < self->n_columns; c++)
        for (size_t t = 0, now; t < n; t += now) {
            off_t at = (off_t)(p->offset + ((int64_t)c * self->n_frames + start + (int64_t)t) * (int64_t)size);
            now = n - t < BATCH ? n - t : BATCH;
            for (size_t got = 0; got < now * size;) {
                ssize_t k = pread(p->fd, p->bytes + got, now * size - got, at + (off_t)got);
                if (k <= 0)
                    return nset_fail(err, NSET_ERR_FORMAT, "%s: channel %zu, sample %lld: %s", p->path, c,
                        (long long)(start + (int64_t)t),
                        k < 0 ? strerror(errno) : "the file ended; was it changed while it was read?");
                got += (size_t)k;
            }
            nset_samples_decode(raw + t * self->n_columns + c, self->n_columns, p->bytes, now, p->dtype, p->big_endian);
        }
    return NSET_OK;
}

static void close_planes(nset_frames *self)
{
    planes *p = (planes *)self;

    if (p->fd >= 0)
        close(p->fd);
    nset_free(p->path);
    nset_free(p);
}

nset_status nset_planes_open(nset_layout *l, int64_t n_frames, nset_error *err)
{
    size_t size = nset_dtype_size(l->dtype);
    int64_t there = 0;
    nset_status status;
    planes *p;

    if (size == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: samples of type '%s' are not read here", l->data_path, l->dtype);
    if ((status = nset_file_frames(&there, l->data_path, l->header_bytes, size, err)) != NSET_OK)
        return status;
    if (n_frames < 0 || there / (int64_t)l->n_columns < n_frames)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %zu channels of %lld samples one after the other need more than the %lld numbers that the file holds",
            l->data_path, l->n_columns, (long long)n_frames, (long long)there);
    if (!(p = nset_calloc(1, sizeof *p)))
        return nset_fail_oom(err, 1, sizeof *p);
    p->base =
        (nset_frames){ .n_frames = n_frames, .n_columns = l->n_columns, .read = read_planes, .close = close_planes };
    memcpy(p->dtype, l->dtype, sizeof p->dtype);
    p->big_endian = l->big_endian;
    p->offset = l->header_bytes;
    p->path = nset_strdup(l->data_path);
    p->fd = open(l->data_path, O_RDONLY | O_CLOEXEC);
    if (!p->path || p->fd < 0) {
        status = p->path ? nset_fail(err, NSET_ERR_FORMAT, "%s: %s", l->data_path, strerror(errno))
                         : nset_fail_oom(err, strlen(l->data_path), 1);
        close_planes(&p->base);
        return status;
    }
    l->frames = &p->base;
    return NSET_OK;
}
