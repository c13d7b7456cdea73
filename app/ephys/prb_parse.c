/* Recursive descent over the part of Python that .prb files are written in. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/prb.h"

enum { MOST_DEPTH = 40, MOST_RANGE = 65536, MOST_STORES = 20000 };

typedef struct parser {
    nset_prb *prb;
    const char *path, *p;
    int line, depth; /* depth: of brackets and signs */
    int inside;      /* brackets around: line ends are spaces */
    size_t stores;
    nset_error *err;
} parser;

/* Every failure ends the parse, so all of these return NULL. */
static nset_prb_value *fail(parser *s, const char *what)
{
    nset_fail(s->err, NSET_ERR_FORMAT, "%s: line %d: %s", s->path, s->line, what);
    return NULL;
}

static nset_prb_value *full(parser *s)
{
    return fail(s, "the file holds more values than a probe can need");
}

static void skip(parser *s)
{
    for (;;) {
        if (*s->p == '#')
            s->p += strcspn(s->p, "\n");
        else if (*s->p == '\\' && (s->p[1] == '\n' || (s->p[1] == '\r' && s->p[2] == '\n')))
            s->line++, s->p += s->p[1] == '\n' ? 2 : 3;
        else if (*s->p == '\n' && s->inside)
            s->line++, s->p++;
        else if (*s->p && *s->p != '\n' && isspace((unsigned char)*s->p))
            s->p++;
        else
            return;
    }
}

static bool take(parser *s, char c)
{
    skip(s);
    if (*s->p != c)
        return false;
    s->p++;
    return true;
}

static size_t name_length(const char *p)
{
    size_t n = 0;

    if (isalpha((unsigned char)*p) || *p == '_')
        while (isalnum((unsigned char)p[n]) || p[n] == '_')
            n++;
    return n;
}

static bool is_word(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && !strncmp(p, word, n);
}

static nset_prb_value *parse_sum(parser *s);

static nset_prb_value *parse_string(parser *s)
{
    char quote = *s->p;
    size_t width = s->p[1] == quote && s->p[2] == quote ? 3 : 1;
    nset_prb_value *v = nset_prb_new(s->prb, NSET_PRB_STRING, s->line);

    if (!v)
        return full(s);
    v->text = s->p += width;
    for (; *s->p; s->p++) {
        if (*s->p == quote && (width == 1 || (s->p[1] == quote && s->p[2] == quote))) {
            v->n = (size_t)(s->p - v->text);
            s->p += width;
            return v;
        }
        if (*s->p == '\n') {
            if (width == 1)
                break;
            s->line++;
        }
        if (*s->p == '\\' && s->p[1]) {
            s->p++;
            s->line += *s->p == '\n';
        }
    }
    return fail(s, "a string does not end");
}

/* Items up to the closing bracket. A list, a tuple or what stands in brackets alone, or a dictionary. */
static nset_prb_value *parse_items(parser *s, char close)
{
    nset_prb_value *v = nset_prb_new(s->prb, close == '}' ? NSET_PRB_DICT : NSET_PRB_LIST, s->line);
    bool comma = false;

    if (!v)
        return full(s);
    while (!take(s, close)) {
        nset_prb_value *key = NULL, *item;
        if (v->n > 0 && !comma)
            return fail(s, is_word(s->p, name_length(s->p), "for")
                               ? "a comprehension ('for') is not supported: write the values out"
                               : "a comma or a closing bracket is expected");
        if (!(item = parse_sum(s)))
            return NULL;
        if (close == '}') {
            key = item;
            if (key->kind != NSET_PRB_NUMBER && key->kind != NSET_PRB_STRING)
                return fail(s, "a key is a number or a string");
            if (!take(s, ':'))
                return fail(s, "'key: value' is expected in { }");
            if (!(item = parse_sum(s)))
                return NULL;
        }
        if (!nset_prb_append(s->prb, v, key, item))
            return full(s);
        comma = take(s, ',');
    }
    return close == ')' && v->n == 1 && !comma ? v->first->value : v;
}

static nset_prb_value *parse_bracket(parser *s)
{
    char close = *s->p == '(' ? ')' : *s->p == '[' ? ']' : '}';
    nset_prb_value *v;

    s->p++;
    s->inside++;
    v = parse_items(s, close);
    s->inside--;
    return v;
}

static nset_prb_value *make_range(parser *s, const double *a, size_t n)
{
    double from = n > 1 ? a[0] : 0, to = n > 1 ? a[1] : a[0], step = n > 2 ? a[2] : 1;
    nset_prb_value *v = nset_prb_new(s->prb, NSET_PRB_LIST, s->line);

    if (!v)
        return full(s);
    if (step == 0 || !(fabs(from) < 1e9 && fabs(to) < 1e9 && fabs(step) < 1e9) || from != floor(from) ||
        to != floor(to) || step != floor(step) || (to - from) / step > MOST_RANGE)
        return fail(s, "a range is of at most 65536 whole numbers");
    for (double x = from; step > 0 ? x < to : x > to; x += step) {
        nset_prb_value *item = nset_prb_new(s->prb, NSET_PRB_NUMBER, s->line);
        if (!item)
            return full(s);
        item->number = x;
        if (!nset_prb_append(s->prb, v, NULL, item))
            return full(s);
    }
    return v;
}

/* range, xrange and list; no other function is known. s->p is at the opening bracket. */
static nset_prb_value *parse_call(parser *s, const char *name, size_t n)
{
    bool range = is_word(name, n, "range") || is_word(name, n, "xrange");
    nset_prb_value *argument[3];
    double number[3];
    size_t k = 0;

    if (!range && !is_word(name, n, "list"))
        return fail(s, "the call of a function: the file is read, not executed; write the values out");
    s->p++;
    s->inside++;
    do {
        if (k == 3)
            return fail(s, "too many arguments");
        if (!(argument[k] = parse_sum(s)))
            return NULL;
        number[k] = argument[k]->number;
        if (argument[k++]->kind != (range ? NSET_PRB_NUMBER : NSET_PRB_LIST))
            return fail(s, range ? "range takes numbers" : "list takes a list");
    } while (take(s, ','));
    if (!take(s, ')') || (!range && k != 1))
        return fail(s, "the call does not end as expected");
    s->inside--;
    return range ? make_range(s, number, k) : argument[0];
}

static nset_prb_value *parse_word(parser *s)
{
    const char *name = s->p;
    size_t n = name_length(name);
    nset_prb_value *v;

    s->p += n;
    if (n == 1 && strchr("uUbBrR", *name) && (*s->p == '\'' || *s->p == '"'))
        return parse_string(s);
    skip(s);
    if (*s->p == '(')
        return parse_call(s, name, n);
    if (is_word(name, n, "None") || is_word(name, n, "True") || is_word(name, n, "False")) {
        if (!(v = nset_prb_new(s->prb, *name == 'N' ? NSET_PRB_NONE : NSET_PRB_NUMBER, s->line)))
            return full(s);
        v->number = *name == 'T';
        return v;
    }
    if (!(v = nset_prb_lookup(s->prb, name, n)))
        return fail(s, "a name that the file has not set before");
    return v;
}

static nset_prb_value *parse_number(parser *s)
{
    nset_prb_value *v = nset_prb_new(s->prb, NSET_PRB_NUMBER, s->line);
    char *end;

    if (!v)
        return full(s);
    v->number = strtod(s->p, &end);
    if (end == s->p)
        return fail(s, "a value is expected");
    s->p = end + (*end == 'L');
    return v;
}

static nset_prb_value *parse_factor(parser *s)
{
    nset_prb_value *v, *to;
    char sign;

    skip(s);
    if (s->depth >= MOST_DEPTH)
        return fail(s, "brackets are nested too deep");
    s->depth++;
    sign = *s->p;
    if (sign == '-' || sign == '+') {
        s->p++;
        if ((v = parse_factor(s)) && v->kind != NSET_PRB_NUMBER)
            v = fail(s, "a sign stands before a number only");
        if (v && sign == '-') { /* v may be a variable's value */
            double x = v->number;
            v = (to = nset_prb_new(s->prb, NSET_PRB_NUMBER, s->line)) ? to : full(s);
            if (v)
                v->number = -x;
        }
    } else if (*s->p == '(' || *s->p == '[' || *s->p == '{') {
        v = parse_bracket(s);
    } else if (*s->p == '\'' || *s->p == '"') {
        v = parse_string(s);
    } else if (name_length(s->p)) {
        v = parse_word(s);
    } else {
        v = isdigit((unsigned char)*s->p) || *s->p == '.' ? parse_number(s) : fail(s, "a value is expected");
    }
    s->depth--;
    return v;
}

static nset_prb_value *calculate(parser *s, char sign, nset_prb_value *a, nset_prb_value *b)
{
    nset_prb_value *v = nset_prb_new(s->prb, a->kind, s->line);

    if (!v)
        return full(s);
    if (a->kind == NSET_PRB_LIST && b->kind == NSET_PRB_LIST && sign == '+') {
        for (int half = 0; half < 2; half++)
            for (nset_prb_cell *c = half ? b->first : a->first; c; c = c->next)
                if (!nset_prb_append(s->prb, v, NULL, c->value))
                    return full(s);
        return v;
    }
    if (a->kind != NSET_PRB_NUMBER || b->kind != NSET_PRB_NUMBER)
        return fail(s, "only numbers are calculated with, and lists joined by +");
    if (sign == '/' && b->number == 0)
        return fail(s, "a division by zero");
    v->number = sign == '+'   ? a->number + b->number
                : sign == '-' ? a->number - b->number
                : sign == '*' ? a->number * b->number
                              : a->number / b->number;
    return v;
}

static nset_prb_value *parse_product(parser *s)
{
    nset_prb_value *v = parse_factor(s), *w;

    while (v && (skip(s), *s->p == '*' || *s->p == '/')) {
        char sign = *s->p++;
        v = (w = parse_factor(s)) ? calculate(s, sign, v, w) : NULL;
    }
    return v;
}

static nset_prb_value *parse_sum(parser *s)
{
    nset_prb_value *v = parse_product(s), *w;

    while (v && (skip(s), *s->p == '+' || *s->p == '-')) {
        char sign = *s->p++;
        v = (w = parse_product(s)) ? calculate(s, sign, v, w) : NULL;
    }
    return v;
}

/* ---- statements ---- */

/* The cell that [key][key] of a variable names, made when only the last key is new. */
static nset_prb_cell *parse_target(parser *s, nset_prb_value *v)
{
    nset_prb_cell *cell = NULL;
    bool made = false;

    while (take(s, '[')) {
        nset_prb_value *key;
        s->inside++;
        if (!v || made || !(key = parse_sum(s)) || !take(s, ']'))
            return fail(s, "'name[key] = value' is expected, of a name and key set before"), NULL;
        s->inside--;
        if (!(cell = nset_prb_at(v, key))) {
            if (v->kind != NSET_PRB_DICT || (key->kind != NSET_PRB_NUMBER && key->kind != NSET_PRB_STRING))
                return fail(s, "there is nothing at this key"), NULL;
            if (!nset_prb_append(s->prb, v, key, NULL))
                return full(s), NULL;
            cell = v->last;
            made = true;
        }
        v = cell->value;
    }
    return cell;
}

static bool parse_assignment(parser *s)
{
    const char *name = s->p;
    size_t n = name_length(name);
    nset_prb_cell *cell = NULL;
    nset_prb_value *v;

    s->p += n;
    skip(s);
    if (*s->p == '[') {
        if (++s->stores > MOST_STORES)
            return fail(s, "too many assignments"), false;
        if (!(cell = parse_target(s, nset_prb_lookup(s->prb, name, n))))
            return false;
    }
    if (!take(s, '=') || *s->p == '=') {
        char what[160];
        snprintf(what, sizeof what, "'%.*s' begins no 'name = value': only data are read, no code is executed",
            n < 60 ? (int)n : 60, name);
        return fail(s, what), false;
    }
    if (!(v = parse_sum(s)))
        return false;
    skip(s);
    if (*s->p == ',')
        return fail(s, "a tuple needs brackets here"), false;
    if (cell)
        cell->value = v;
    else if (!nset_prb_define(s->prb, name, n, v))
        return fail(s, "too many names, or one of more than 63 letters"), false;
    return true;
}

static bool parse_statement(parser *s)
{
    if (*s->p == '\'' || *s->p == '"') {
        if (!parse_string(s)) /* a comment */
            return false;
    } else if (!name_length(s->p)) {
        return fail(s, "'name = value' is expected"), false;
    } else if (!parse_assignment(s)) {
        return false;
    }
    skip(s);
    if (*s->p && *s->p != '\n' && *s->p != ';')
        return fail(s, "the line does not end after the value"), false;
    return true;
}

nset_status nset_prb_parse(nset_prb **out, const char *path, const char *text, nset_error *err)
{
    nset_error why = { 0 };
    parser s = { .prb = nset_prb_create(), .path = path, .p = text, .line = 1, .err = &why };

    if (!s.prb)
        return nset_fail_oom(err, 1, 1);
    if (!strncmp(text, "\xEF\xBB\xBF", 3))
        s.p += 3;
    while (skip(&s), *s.p) {
        if (*s.p == '\n' || *s.p == ';') {
            s.line += *s.p++ == '\n';
        } else if (!parse_statement(&s)) {
            nset_prb_free(s.prb);
            return nset_fail(err, why.status, "%s", why.text);
        }
    }
    *out = s.prb;
    return NSET_OK;
}
