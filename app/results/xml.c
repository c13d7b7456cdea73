#include "results/xml.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == ':' || c == '.';
}

/* Past a comment, a declaration or an instruction at <; NULL: none is there, or it does not end. */
static const char *skip_other(const char *p)
{
    const char *end = NULL;

    if (!strncmp(p, "<!--", 4))
        end = strstr(p + 4, "-->");
    else if (!strncmp(p, "<![CDATA[", 9))
        end = strstr(p + 9, "]]>");
    else if (p[1] == '?' || p[1] == '!')
        end = strchr(p, '>');
    return end ? strchr(end, '>') + 1 : NULL;
}

bool nset_xml_next(nset_xml *x, nset_xml_tag *tag)
{
    const char *p = x->at, *other;
    size_t n = 0;
    char quote = 0;

    while ((p = strchr(p, '<')) && (other = skip_other(p)))
        p = other;
    if (!p)
        return false;
    *tag = (nset_xml_tag){ .opens = p[1] != '/', .closes = p[1] == '/' };
    for (p += tag->closes ? 2 : 1; is_name(*p); p++)
        if (n + 1 < sizeof tag->name)
            tag->name[n++] = *p;
    tag->attributes = p;
    for (; *p && (quote || *p != '>'); p++)
        if (*p == quote)
            quote = 0;
        else if (!quote && (*p == '"' || *p == '\''))
            quote = *p;
    if (!*p)
        return false;
    tag->end = p;
    if (p > tag->attributes && p[-1] == '/')
        tag->closes = true;
    x->at = p + 1;
    return true;
}

static void copy_value(char *out, size_t n, const char *from, size_t length)
{
    static const struct {
        const char *entity;
        char c;
    } named[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' } };
    size_t k = 0;

    for (size_t i = 0; i < length && k + 1 < n; i++) {
        out[k] = from[i];
        for (size_t e = 0; e < 5 && from[i] == '&'; e++)
            if (strlen(named[e].entity) <= length - i && !strncmp(from + i, named[e].entity, strlen(named[e].entity))) {
                out[k] = named[e].c;
                i += strlen(named[e].entity) - 1;
                break;
            }
        k++;
    }
    out[k] = '\0';
}

bool nset_xml_attribute(
    const nset_xml_tag *tag, const char **at, char *name, size_t n_name, char *value, size_t n_value)
{
    const char *p = *at, *start, *close;

    while (p < tag->end && !is_name(*p))
        p++;
    start = p;
    while (p < tag->end && is_name(*p))
        p++;
    if (p == start)
        return false;
    snprintf(name, n_name, "%.*s", (int)(p - start), start);
    while (p < tag->end && isspace((unsigned char)*p))
        p++;
    if (p >= tag->end || *p != '=')
        return false;
    for (p++; p < tag->end && isspace((unsigned char)*p); p++)
        ;
    if (p >= tag->end || (*p != '"' && *p != '\'') || !(close = memchr(p + 1, *p, (size_t)(tag->end - p - 1))))
        return false;
    copy_value(value, n_value, p + 1, (size_t)(close - p - 1));
    *at = close + 1;
    return true;
}

bool nset_xml_get(const nset_xml_tag *tag, const char *name, char *value, size_t n)
{
    const char *at = tag->attributes;
    char found[64];

    while (nset_xml_attribute(tag, &at, found, sizeof found, value, n))
        if (!strcmp(found, name))
            return true;
    *value = '\0';
    return false;
}
