/* SpikeGLX' table of sites as a file of its own: (kind,channels...)(entry)(entry)... Kind is a part number or the type
 * number that older versions write; phase 3A writes (serial,option,384). */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ephys/contacts.h"
#include "ephys/neuropixels.h"

enum { MOST_NUMBERS = 8, ULTRA_GROUPS = 24 };

/* Numbers of the group that *at opens, separated by spaces or commas; *at moves behind it. 0 when it is damaged. */
static size_t read_group(double *out, const char **at)
{
    const char *p = *at;
    size_t n = 0;

    if (*p++ != '(')
        return 0;
    while (n < MOST_NUMBERS) {
        char *end;
        out[n] = strtod(p, &end);
        if (end == p || !isfinite(out[n]))
            return 0;
        n++;
        p = end + strspn(end, " ,");
        if (*p == ')') {
            *at = p + 1 + strspn(p + 1, " \t\r\n");
            return n;
        }
    }
    return 0;
}

/* name := the part number that a header stands for; numbers (n) are its fields, the first 0 where it is a name. */
static bool part_name(char *name, size_t room, const char *header, const double *field, size_t n)
{
    if (isalpha((unsigned char)header[1]))
        snprintf(name, room, "%.*s", (int)strcspn(header + 1, ",)"), header + 1);
    else if (field[0] == 0 || (n == 3 && field[0] > 99999))
        snprintf(name, room, "NP1000");
    else if (field[0] == 21 || field[0] == 24)
        snprintf(name, room, "NP20%s", field[0] == 21 ? "00" : "10");
    else
        snprintf(name, room, "NP%.0f", field[0]);
    return !strcmp(name, "NP1110") || nset_neuropixels_find(name);
}

static nset_status damaged(const nset_contacts *c, size_t entry, const char *part, nset_error *err)
{
    return nset_fail(err, NSET_ERR_FORMAT, "%s: entry %zu: this is no entry of a table of %s", c->path, entry, part);
}

static nset_status read_ultra(nset_contacts *c, const char *p, const double *head, size_t n_head, nset_error *err)
{
    int bank[2 * ULTRA_GROUPS];
    double e[MOST_NUMBERS];
    nset_status status = NSET_OK;

    for (size_t g = 0; g < ULTRA_GROUPS; g++) {
        if (n_head < 2 || !(head[1] >= 0 && head[1] <= 2) || read_group(e, &p) != 3 || e[0] != (double)g ||
            !(e[1] >= 0 && e[1] < 16) || !(e[2] >= 0 && e[2] < 16))
            return damaged(c, g, "NP1110", err);
        bank[2 * g] = (int)e[1];
        bank[2 * g + 1] = (int)e[2];
    }
    for (long channel = 0; channel < 384 && status == NSET_OK; channel++) {
        nset_contact k = { .shank = "0" };
        char what[40];
        snprintf(what, sizeof what, "channel %ld", channel);
        nset_neuropixels_ultra((int)head[1], bank, channel, &k.x_um, &k.y_um);
        status = nset_contacts_add(c, what, (double)channel, &k, err);
    }
    return status;
}

static nset_status read_sites(nset_contacts *c, const char *p, const char *part, nset_error *err)
{
    const nset_neuropixels *kind = nset_neuropixels_find(part);
    nset_status status;

    for (size_t i = 0; *p; i++) {
        double e[MOST_NUMBERS];
        size_t n = read_group(e, &p);
        nset_contact k = { 0 };
        char what[40];
        int shank;
        snprintf(what, sizeof what, "entry %zu", i);
        if (n == 0 || !nset_neuropixels_place(kind, e, n, &shank, &k.x_um, &k.y_um))
            return damaged(c, i, part, err);
        snprintf(k.shank, sizeof k.shank, "%d", shank);
        if ((status = nset_contacts_add(c, what, e[0], &k, err)) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

static nset_status read_table(nset_contacts *c, const char *text, nset_error *err)
{
    const char *p = text;
    double head[MOST_NUMBERS] = { 0 };
    char part[32];
    size_t n;

    if (text[0] == '(' && isalpha((unsigned char)text[1])) { /* only the fields behind the name are numbers */
        p = text + strcspn(text, ",)");
        n = *p == ',' ? 1 : 0;
        while (*p == ',' && n < MOST_NUMBERS) {
            char *end;
            head[n++] = strtod(p + 1, &end);
            p = end + strspn(end, " ");
        }
        n = *p == ')' ? n + (n == 0) : 0;
        p += *p == ')';
        p += strspn(p, " \t\r\n");
    } else {
        n = read_group(head, &p);
    }
    if (n == 0 || !part_name(part, sizeof part, text, head, n))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the table begins '%.*s'; a part number or type of the Neuropixels catalogue is expected", c->path,
            (int)strcspn(text, ")\n") < 40 ? (int)strcspn(text, ")\n") + 1 : 40, text);
    return !strcmp(part, "NP1110") ? read_ultra(c, p, head, n, err) : read_sites(c, p, part, err);
}

nset_status nset_probe_parse_imro(nset_contacts *c, const char *text, nset_error *err)
{
    return read_table(c, text + strspn(text, " \t\r\n"), err);
}
