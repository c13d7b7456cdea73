#include "imaging/layout.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

void nset_movie_layout_fini(nset_movie_layout *l)
{
    nset_pages_fini(&l->pages);
    if (l->pictures)
        l->pictures->close(l->pictures);
    nset_free(l->picture);
    nset_free(l->channel);
    json_decref(l->facts);
    json_decref(l->warnings);
    *l = (nset_movie_layout){ 0 };
}

void nset_movie_fact(nset_movie_layout *l, const char *name, const char *from, const char *format, ...)
{
    char text[256];
    va_list args;
    json_t *item;
    size_t i;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_foreach(l->facts, i, item) if (!strcmp(json_string_value(json_object_get(item, "name")), name))
    {
        json_array_remove(l->facts, i); /* a later word on the same matter */
        break;
    }
    json_array_append_new(l->facts, json_pack("{s:s, s:s, s:s}", "name", name, "value", text, "from", from));
}

void nset_movie_warn(nset_movie_layout *l, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(l->warnings, json_string(text));
}

/* ---- axes ---- */

nset_status nset_movie_append(
    nset_movie_layout *l, const nset_axes *axes, int64_t first, const char *path, nset_error *err)
{
    size_t c = axes->n_channels, z = axes->n_planes, each = c * z, have = (size_t)l->n_frames * each;
    int64_t step[3] = { 0 }, stride = 1; /* of C, Z, T in pages */
    nset_status status;

    if (l->n_frames == 0) {
        l->n_channels = c;
        l->n_planes = z;
    } else if (c != l->n_channels || z != l->n_planes) {
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %zu channels and %zu planes, the files before it %zu and %zu: not one movie", path, c, z,
            l->n_channels, l->n_planes);
    }
    for (const char *axis = axes->order; *axis; axis++) {
        step[*axis == 'C' ? 0 : *axis == 'Z' ? 1 : 2] = stride;
        stride *= *axis == 'C' ? (int64_t)c : *axis == 'Z' ? (int64_t)z : axes->n_frames;
    }
    status = nset_grow(&l->picture, &l->picture_room, have + (size_t)axes->n_frames * each, sizeof *l->picture, err);
    if (status != NSET_OK)
        return status;
    for (int64_t t = 0; t < axes->n_frames; t++)
        for (size_t k = 0; k < each; k++)
            l->picture[have++] = first + t * step[2] + (int64_t)(k / c) * step[1] + (int64_t)(k % c) * step[0];
    l->n_frames += axes->n_frames;
    return NSET_OK;
}

/* ---- texts ---- */

double nset_number(const char *text, const char **end)
{
    const char *p = text, *q;
    double sign = 1, x = 0, scale = 1;
    int exponent = 0, negative = 0;

    *end = text;
    if (*p == '-' || *p == '+')
        sign = *p++ == '-' ? -1 : 1;
    if (!isdigit((unsigned char)*p) && !(*p == '.' && isdigit((unsigned char)p[1])))
        return 0;
    while (isdigit((unsigned char)*p))
        x = 10 * x + (*p++ - '0');
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++, scale *= 10)
            x = 10 * x + (*p - '0');
    q = p;
    if (*q == 'e' || *q == 'E') {
        q++;
        if (*q == '-' || *q == '+')
            negative = *q++ == '-';
        for (; isdigit((unsigned char)*q); p = ++q)
            exponent = exponent < 1000 ? 10 * exponent + (*q - '0') : exponent;
    }
    *end = p;
    return sign * (x / scale) * pow(10, negative ? -exponent : exponent);
}

/* Behind "key=" at the start of a line of text, blanks around the = allowed. */
static const char *keyed(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = text; p && *p; p = strpbrk(p, "\r\n"), p = p ? p + strspn(p, "\r\n") : NULL)
        if (!strncmp(p, key, n) && p[n + strspn(p + n, " ")] == '=') {
            p += n + strspn(p + n, " ") + 1;
            return p + strspn(p, " \t");
        }
    return NULL;
}

bool nset_keyed_number(double *x, const char *text, const char *key)
{
    const char *p = keyed(text, key), *end;
    double v;

    if (!p)
        return false;
    v = nset_number(p, &end);
    if (end == p || !isfinite(v))
        return false;
    *x = v;
    return true;
}

bool nset_keyed_text(char *value, size_t n, const char *text, const char *key)
{
    const char *p = keyed(text, key);
    size_t length;

    if (!p)
        return false;
    length = strcspn(p, "\r\n");
    while (length > 0 && isspace((unsigned char)p[length - 1]))
        length--;
    snprintf(value, n, "%.*s", (int)(length < n ? length : n - 1), p);
    return true;
}

/* ---- units ---- */

typedef struct unit {
    const char *name;
    double value;
} unit;

static double value_of(const unit *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return list[i].value;
    return 0;
}

double nset_length_um(const char *name)
{
    static const unit units[] = { { "um", 1 }, { "micron", 1 }, { "microns", 1 }, { "micrometer", 1 },
        { "micrometers", 1 }, { "\\u00B5m", 1 }, { "\\u00b5m", 1 }, { "\\u03BCm", 1 }, { "\\u03bcm", 1 },
        { "\xB5m", 1 }, { "\xC2\xB5m", 1 }, { "\xCE\xBCm", 1 }, { "nm", 1e-3 }, { "mm", 1e3 }, { "cm", 1e4 },
        { "m", 1e6 }, { "meter", 1e6 }, { "meters", 1e6 }, { "inch", 25400 }, { "in", 25400 }, { "pm", 1e-6 },
        { "\xC3\x85", 1e-4 } };

    return value_of(units, sizeof units / sizeof *units, name);
}

double nset_time_s(const char *name)
{
    static const unit units[] = { { "s", 1 }, { "sec", 1 }, { "second", 1 }, { "seconds", 1 }, { "ms", 1e-3 },
        { "us", 1e-6 }, { "\xC2\xB5s", 1e-6 }, { "\xCE\xBCs", 1e-6 }, { "ns", 1e-9 }, { "min", 60 }, { "h", 3600 },
        { "d", 86400 } };

    return value_of(units, sizeof units / sizeof *units, name);
}
