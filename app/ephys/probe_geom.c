/* MountainSort's geom.csv: a line "x,y" in um a channel, in the order of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/contacts.h"
#include "results/small_files.h"

enum { MOST_BYTES = 16 << 20 };

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

nset_status nset_probe_read_geom(nset_contacts *c, nset_error *err)
{
    char *text = NULL, what[40];
    size_t n = 0, number = 0;
    nset_status status = nset_read_text(&text, c->path, MOST_BYTES, err);

    for (const char *line = text, *end; status == NSET_OK && line && *line; line = *end ? end + 1 : end) {
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
    nset_free(text);
    return status;
}
