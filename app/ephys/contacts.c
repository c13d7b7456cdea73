#include "ephys/contacts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

nset_status nset_contacts_init(nset_contacts *c, const char *path, size_t n_columns, nset_error *err)
{
    c->path = path;
    c->n_columns = n_columns;
    c->column = nset_calloc(n_columns, sizeof *c->column);
    return c->column ? NSET_OK : nset_fail_oom(err, n_columns, sizeof *c->column);
}

void nset_contacts_fini(nset_contacts *c)
{
    nset_free(c->column);
    c->column = NULL;
}

nset_status nset_contacts_add(nset_contacts *c, const char *what, double column, const nset_contact *k, nset_error *err)
{
    nset_contact *to;

    if (!(column >= 0) || column != floor(column))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: %g is no channel number; a whole number from 0 on is expected",
            c->path, what, column);
    if (column >= (double)c->n_columns)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %s: wired to channel %.0f, the recording has %zu channels (0 to %zu)", c->path, what, column,
            c->n_columns, c->n_columns - 1);
    to = &c->column[(size_t)column];
    if (to->seen)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: two contacts are wired to channel %.0f", c->path, what, column);
    if (!isfinite(k->x_um) || !isfinite(k->y_um))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: %s: the place of channel %.0f is not finite", c->path, what, column);
    *to = *k;
    to->seen = true;
    return NSET_OK;
}

/* ---- shanks ---- */

typedef struct group {
    const nset_contact *first;
    double left;
} group;

static int by_name(const nset_contact *a, const nset_contact *b)
{
    if (a->probe != b->probe)
        return a->probe < b->probe ? -1 : 1;
    return strcmp(a->shank, b->shank);
}

static int by_contact(const void *a, const void *b)
{
    const nset_contact *p = *(const nset_contact *const *)a, *q = *(const nset_contact *const *)b;
    int order = by_name(p, q);

    return order ? order : p < q ? -1 : p > q; /* both in one array: by column */
}

static int from_left(const void *a, const void *b)
{
    const group *p = a, *q = b;

    if (p->first->probe != q->first->probe)
        return p->first->probe < q->first->probe ? -1 : 1;
    if (p->left != q->left)
        return p->left < q->left ? -1 : 1;
    return strcmp(p->first->shank, q->first->shank);
}

/* number (n_columns) := the shank of each column that is seen. */
static nset_status number_shanks(int *number, const nset_contacts *c, nset_error *err)
{
    const nset_contact **sorted = nset_calloc(c->n_columns, sizeof *sorted);
    group *groups = nset_calloc(c->n_columns, sizeof *groups);
    size_t n = 0, n_groups = 0;

    if (!sorted || !groups) {
        nset_free(sorted);
        nset_free(groups);
        return nset_fail_oom(err, c->n_columns, sizeof *groups);
    }
    for (size_t i = 0; i < c->n_columns; i++)
        if (c->column[i].seen)
            sorted[n++] = &c->column[i];
    qsort(sorted, n, sizeof *sorted, by_contact);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_name(sorted[i - 1], sorted[i]))
            groups[n_groups++] = (group){ sorted[i], sorted[i]->x_um };
        groups[n_groups - 1].left = fmin(groups[n_groups - 1].left, sorted[i]->x_um);
    }
    qsort(groups, n_groups, sizeof *groups, from_left);
    for (size_t g = 0; g < n_groups; g++) { /* the members follow the first in sorted */
        const nset_contact *first = groups[g].first;
        size_t i = (size_t)((const nset_contact **)bsearch(&first, sorted, n, sizeof *sorted, by_contact) - sorted);
        for (; i < n && !by_name(sorted[i], first); i++)
            number[sorted[i] - c->column] = (int)g;
    }
    nset_free(sorted);
    nset_free(groups);
    return NSET_OK;
}

nset_status nset_contacts_apply(nset_layout *l, const nset_contacts *c, nset_error *err)
{
    int *number = nset_calloc(c->n_columns, sizeof *number);
    nset_status status = number ? number_shanks(number, c, err) : nset_fail_oom(err, c->n_columns, sizeof *number);
    size_t kept = 0;

    for (size_t i = 0; i < l->n && status == NSET_OK; i++) {
        const nset_contact *k = &c->column[l->column[i]];
        if (!k->seen)
            continue;
        l->column[kept] = l->column[i];
        l->gain_uv[kept] = l->gain_uv[i];
        l->offset_uv[kept] = l->offset_uv[i];
        if (l->unused)
            l->unused[kept] = l->unused[i];
        l->probe.x_um[kept] = k->x_um;
        l->probe.y_um[kept] = k->y_um;
        l->probe.shank[kept++] = number[l->column[i]];
    }
    nset_free(number);
    if (status == NSET_OK && kept == 0)
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: no contact of the probe is wired to a channel of the recording", c->path);
    if (status != NSET_OK)
        return status;
    if (kept < l->n)
        nset_layout_warn(l, "%zu channels have no contact in %s and are left out", l->n - kept, c->path);
    if (c->note[0])
        nset_layout_warn(l, "%s: %s", c->path, c->note);
    l->n = l->probe.n_channels = kept;
    l->has_places = true;
    nset_layout_fact(l, "geometry", c->path, "%zu contacts", kept);
    return NSET_OK;
}
