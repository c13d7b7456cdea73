#include "imaging/thumbs.h"

#include <string.h>

size_t nset_frames_at_once(size_t bytes_each, size_t most)
{
    size_t m = ((size_t)96 << 20) / (bytes_each + 1);

    return m < 2 ? 2 : m > most ? most : m;
}

size_t nset_thumb_factor(size_t height, size_t width)
{
    return height >= 192 && width >= 192 ? 2 : 1;
}

void nset_thumb_make(float *thumb, const float *frame, size_t height, size_t width, size_t factor)
{
    size_t h = height / factor, w = width / factor;

    for (size_t y = 0; y < h; y++) {
        const float *a = frame + y * factor * width, *b = a + width;
        float *to = thumb + y * w;
        if (factor == 1)
            memcpy(to, a, w * sizeof *to);
        for (size_t x = 0; factor == 2 && x < w; x++)
            to[x] = .25f * ((a[2 * x] + a[2 * x + 1]) + (b[2 * x] + b[2 * x + 1]));
    }
}

void nset_lines_move(float *frame, size_t height, size_t width, int offset)
{
    size_t by = (size_t)(offset < 0 ? -offset : offset);

    if (by == 0 || by >= width)
        return;
    for (size_t y = 1; y < height; y += 2) {
        float *row = frame + y * width;
        memmove(offset > 0 ? row : row + by, offset > 0 ? row + by : row, (width - by) * sizeof *row);
        for (size_t x = 0; x < by; x++) {
            if (offset > 0)
                row[width - 1 - x] = row[width - 1 - by];
            else
                row[x] = row[by];
        }
    }
}
