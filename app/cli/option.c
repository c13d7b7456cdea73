#include "cli/option.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parse.h"

#define AT(field) offsetof(nset_common, field)
const opt_spec opt_common[] = {
    { .name = "threads",
        .letter = 'j',
        .type = OPT_INT,
        .at = AT(threads),
        .max = 1024,
        .fallback = "0",
        .help = "worker threads, 0: one a processor; the result does not depend on it" },
    { .name = "seed",
        .type = OPT_INT,
        .at = AT(seed),
        .max = INT_MAX,
        .fallback = "1",
        .help = "seed of everything random" },
    { .name = "memory",
        .type = OPT_SIZE,
        .at = AT(memory),
        .min = 67108864,
        .max = 1e15,
        .fallback = "1GB",
        .unit = "bytes, kB, MB or GB",
        .help = "memory that buffers may take; the result does not depend on it" },
    { .name = "device",
        .type = OPT_CHOICE,
        .at = AT(device),
        .fallback = "auto",
        .unit = "auto|c|avx2|avx512",
        .help = "instruction set; the result does not depend on it" },
    { .name = "log-level",
        .type = OPT_CHOICE,
        .at = AT(log_level),
        .fallback = "info",
        .unit = "error|warning|info",
        .help = "what is told on the way; info: warnings, progress and remarks" },
    { .name = "quiet",
        .letter = 'q',
        .type = OPT_FLAG,
        .at = AT(quiet),
        .help = "nothing but errors, as --log-level error" },
    { .name = "config",
        .type = OPT_TEXT,
        .at = AT(config),
        .unit = "FILE",
        .help = "options from a file, a line each: name = value" },
    { .name = "help", .letter = 'h', .type = OPT_FLAG, .at = AT(help), .help = "this text" },
    { .name = "version", .type = OPT_FLAG, .at = AT(version), .help = "version and build" },
    { 0 },
};

static bool is_word_of(const char *text, const char *words)
{
    size_t n = strlen(text);

    for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
        if (n > 0 && !strncmp(w, text, n) && (w[n] == '|' || w[n] == '\0'))
            return true;
    return false;
}

static bool parse_number(const opt_spec *o, const char *text, double *value)
{
    char *end;

    errno = 0;
    *value = strtod(text, &end);
    if (end == text || errno == ERANGE || !isfinite(*value))
        return false;
    if (o->type == OPT_SIZE) {
        static const struct {
            const char *name;
            double factor;
        } units[] = { { "", 1 }, { "B", 1 }, { "kB", 1e3 }, { "KB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 } };
        size_t i = 0;
        while (i < sizeof units / sizeof *units && strcmp(end, units[i].name))
            i++;
        if (i == sizeof units / sizeof *units)
            return false;
        *value *= units[i].factor;
    } else if (*end) {
        return false;
    }
    if (o->type != OPT_FLOAT && (*value != floor(*value) || fabs(*value) > 0x1p53))
        return false; /* a double holds every whole number up to there */
    return (o->min == 0 && o->max == 0) || (*value >= o->min && *value <= o->max);
}

static nset_status fail_number(const opt_spec *o, const char *text, const char *where, nset_error *err)
{
    const char *kind = o->type == OPT_FLOAT ? "number" : o->type == OPT_SIZE ? "size" : "whole number";

    if (o->min == 0 && o->max == 0)
        return nset_fail(err, NSET_ERR_ARG, "%s--%s: '%s' is not a %s", where, o->name, text, kind);
    return nset_fail(err, NSET_ERR_ARG, "%s--%s: '%s' is not a %s from %.15g to %.15g%s%s%s", where, o->name, text,
        kind, o->min, o->max, o->unit ? " (" : "", o->unit ? o->unit : "", o->unit ? ")" : "");
}

nset_status nset_option_set(const opt_spec *o, void *settings, const char *text, const char *where, nset_error *err)
{
    char *field = (char *)settings + o->at;
    double value = 0;

    switch (o->type) {
    case OPT_FLAG:
        if (!is_word_of(text, "true|false|yes|no|1|0"))
            return nset_fail(err, NSET_ERR_ARG, "%s--%s: '%s' is neither true nor false", where, o->name, text);
        *(bool *)field = is_word_of(text, "true|yes|1");
        return NSET_OK;
    case OPT_TEXT:
        memcpy(field, &text, sizeof text);
        return NSET_OK;
    case OPT_CHOICE:
        if (!is_word_of(text, o->unit))
            return nset_fail(err, NSET_ERR_ARG, "%s--%s: '%s' is not one of %s", where, o->name, text, o->unit);
        memcpy(field, &text, sizeof text);
        return NSET_OK;
    default:
        break;
    }
    if (!parse_number(o, text, &value))
        return fail_number(o, text, where, err);
    if (o->type == OPT_INT)
        *(long *)field = (long)value;
    else if (o->type == OPT_SIZE)
        *(size_t *)field = (size_t)value;
    else
        *(double *)field = value;
    return NSET_OK;
}

const opt_spec *nset_option_find(const nset_command *c, const char *name, size_t length, char letter)
{
    const opt_spec *const tables[] = { c ? c->options : NULL, opt_common };

    for (size_t t = 0; t < 2; t++)
        for (const opt_spec *o = tables[t]; o && o->name; o++)
            if (letter ? o->letter == letter : strlen(o->name) == length && !strncmp(o->name, name, length))
                return o;
    return NULL;
}
