/* MountainSort's geom.csv: a line "x,y" in um a channel, in the order of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ephys/contacts.h"

/* Reads "x,y" and nothing more before end. A third coordinate (depth out of the plane) is left alone. */
static bool read_pair(nset_contact *k, const char *line, const char *end)
{
    char *p;

    k->x_um = strtod(line, &p);
    if (p == line || p >= end)
        return false;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (p == end || *p != ',')
        return false;
    line = p + 1;
    k->y_um = strtod(line, &p);
    if (p == line || p > end)
        return false;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p == end || *p == ',';
}

nset_status nset_probe_parse_geom(nset_contacts *c, const char *text, nset_error *err)
{
    nset_status status = NSET_OK;
    size_t n = 0, number = 0;
    char what[40];

    for (const char *line = text, *end; status == NSET_OK && *line; line = *end ? end + 1 : end) {
        nset_contact k = { 0 };
        end = line + strcspn(line, "\n");
        snprintf(what, sizeof what, "line %zu", ++number);
        if (strspn(line, " \t\r") >= (size_t)(end - line))
            continue;
        if (!read_pair(&k, line, end))
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s: 'x,y' in um is expected", c->path, what);
        else
            status = nset_contacts_add(c, what, (double)n++, &k, err);
    }
    return status;
}
