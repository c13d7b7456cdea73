#include "cli/parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <neuroset/memory.h>

typedef struct parser {
    const nset_command *command;
    nset_parsed *out;
    nset_error *err;
} parser;

static nset_status set(parser *p, const opt_spec *o, const char *text, const char *where, const char *from)
{
    nset_status status = nset_option_set(o, p->out->settings, text, where, p->err);

    if (status != NSET_OK)
        return status;
    if (json_object_set_new(p->out->origins, o->name, json_pack("{s:s, s:s}", "value", text, "from", from)))
        return nset_fail(p->err, NSET_ERR_ARG, "%s--%s: the value is not valid UTF-8", where, o->name);
    return NSET_OK;
}

static nset_status set_defaults(parser *p)
{
    const opt_spec *const tables[] = { opt_common, p->command->options };
    nset_status status;

    for (size_t t = 0; t < 2; t++)
        for (const opt_spec *o = tables[t]; o && o->name; o++)
            if (o->fallback && (status = set(p, o, o->fallback, "", "default")) != NSET_OK)
                return status;
    return NSET_OK;
}

/* The value of a long or short option at argv[*i], which may be the next word. */
static nset_status take_value(parser *p, const opt_spec *o, const char *inline_value, int argc, char **argv, int *i)
{
    if (o->type == OPT_FLAG)
        return set(p, o, inline_value ? inline_value : "true", "", "option");
    if (!inline_value && *i + 1 >= argc)
        return nset_fail(
            p->err, NSET_ERR_ARG, "--%s needs a value%s%s", o->name, o->unit ? ": " : "", o->unit ? o->unit : "");
    return set(p, o, inline_value ? inline_value : argv[++*i], "", "option");
}

static nset_status parse_word(parser *p, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    const opt_spec *o;

    if (word[1] == '-') {
        size_t length = equals ? (size_t)(equals - word - 2) : strlen(word + 2);
        if (!(o = nset_option_find(p->command, word + 2, length, 0)))
            return nset_fail(p->err, NSET_ERR_ARG, "there is no option --%.*s; see neuroset %s --help", (int)length,
                word + 2, p->command->name);
        return take_value(p, o, equals ? equals + 1 : NULL, argc, argv, i);
    }
    if (!(o = nset_option_find(p->command, NULL, 0, word[1])))
        return nset_fail(
            p->err, NSET_ERR_ARG, "there is no option -%c; see neuroset %s --help", word[1], p->command->name);
    if (o->type == OPT_FLAG && word[2])
        return nset_fail(p->err, NSET_ERR_ARG, "-%c takes no value: '%s'", word[1], word + 2);
    return take_value(p, o, word[2] ? word + 2 : NULL, argc, argv, i);
}

static nset_status parse_words(parser *p, int argc, char **argv)
{
    bool only_args = false;
    nset_status status;

    for (int i = 0; i < argc; i++) {
        if (!only_args && !strcmp(argv[i], "--"))
            only_args = true;
        else if (only_args || argv[i][0] != '-' || argv[i][1] == '\0')
            p->out->args[p->out->n_args++] = argv[i];
        else if ((status = parse_word(p, argc, argv, &i)) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

static nset_status read_text(char **out, const char *path, nset_error *err)
{
    enum { LIMIT = 1 << 20 };
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f)
        return nset_fail(err, NSET_ERR_ARG, "--config: %s: %s", path, strerror(errno));
    if (!(*out = nset_calloc(LIMIT + 1, 1))) {
        fclose(f);
        return nset_fail_oom(err, LIMIT, 1);
    }
    n = fread(*out, 1, LIMIT, f);
    fclose(f);
    if (n == LIMIT || memchr(*out, 0, n))
        return nset_fail(err, NSET_ERR_ARG, "--config: %s: this is not a text file of lines name = value", path);
    return NSET_OK;
}

static char *trim(char *text)
{
    size_t n;

    while (isspace((unsigned char)*text))
        text++;
    for (n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = '\0';
    return text;
}

static nset_status parse_config(parser *p, const char *path)
{
    char where[300], *line, *next, *equals, *name;
    nset_status status;
    const opt_spec *o;
    int number = 0;

    if ((status = read_text(&p->out->config, path, p->err)) != NSET_OK)
        return status;
    for (line = p->out->config; line; line = next) {
        if ((next = strchr(line, '\n')))
            *next++ = '\0';
        snprintf(where, sizeof where, "%.250s: line %d: ", path, ++number);
        line = trim(line);
        if (!*line || *line == '#')
            continue;
        if (!(equals = strchr(line, '=')))
            return nset_fail(p->err, NSET_ERR_ARG, "%s'%s' is not name = value", where, line);
        *equals = '\0';
        name = trim(line);
        if (!(o = nset_option_find(p->command, name, strlen(name), 0)))
            return nset_fail(p->err, NSET_ERR_ARG, "%sthere is no option '%s'", where, name);
        if ((status = set(p, o, trim(equals + 1), where, "file")) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

static nset_status check_arguments(const nset_parsed *out, const nset_command *c, nset_error *err)
{
    if (out->n_args < c->min_arguments)
        return nset_fail(
            err, NSET_ERR_ARG, "%s is missing; usage: neuroset %s %s", "an argument", c->name, c->arguments);
    if (out->n_args > c->max_arguments)
        return nset_fail(err, NSET_ERR_ARG, "'%s' is one argument too many; usage: neuroset %s %s",
            out->args[c->max_arguments], c->name, c->arguments);
    return NSET_OK;
}

nset_status nset_parse(nset_parsed *out, const nset_command *c, int argc, char **argv, nset_error *err)
{
    parser p = { .command = c, .out = out, .err = err };
    const nset_common *common;
    nset_status status;

    *out = (nset_parsed){ 0 };
    out->settings = nset_calloc(1, c->settings_size);
    out->args = nset_calloc((size_t)argc + 1, sizeof *out->args);
    out->origins = json_object();
    if (!out->settings || !out->args || !out->origins)
        return nset_fail_oom(err, (size_t)argc + 1, sizeof *out->args);
    if ((status = set_defaults(&p)) != NSET_OK || (status = parse_words(&p, argc, argv)) != NSET_OK)
        return status;
    common = out->settings;
    if (common->config) {
        if ((status = parse_config(&p, common->config)) != NSET_OK)
            return status;
        out->n_args = 0; /* options on the command line win over the file's */
        if ((status = parse_words(&p, argc, argv)) != NSET_OK)
            return status;
    }
    return common->help || common->version ? NSET_OK : check_arguments(out, c, err);
}

void nset_parsed_fini(nset_parsed *p)
{
    nset_free(p->settings);
    nset_free(p->args);
    nset_free(p->config);
    json_decref(p->origins);
    *p = (nset_parsed){ 0 };
}
