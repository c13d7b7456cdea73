/* Values of a .prb file, all in one arena: values may be shared and may contain themselves, as in Python. */
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/prb.h"

enum { BLOCK_ITEMS = 512, MOST_ITEMS = 1000000, MOST_NAMES = 256, NAME_BYTES = 64 };

typedef union item {
    nset_prb_value value;
    nset_prb_cell cell;
} item;

typedef struct block {
    struct block *next;
    size_t used;
    item items[BLOCK_ITEMS];
} block;

struct nset_prb {
    block *blocks;
    size_t n_items, n_names;
    struct {
        char name[NAME_BYTES];
        nset_prb_value *value;
    } names[MOST_NAMES];
};

nset_prb *nset_prb_create(void)
{
    return nset_calloc(1, sizeof(nset_prb));
}

void nset_prb_free(nset_prb *p)
{
    if (!p)
        return;
    for (block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        nset_free(b);
    }
    nset_free(p);
}

static item *take(nset_prb *p)
{
    if (p->n_items >= MOST_ITEMS)
        return NULL;
    if (!p->blocks || p->blocks->used == BLOCK_ITEMS) {
        block *b = nset_calloc(1, sizeof *b);
        if (!b)
            return NULL;
        b->next = p->blocks;
        p->blocks = b;
    }
    p->n_items++;
    return &p->blocks->items[p->blocks->used++];
}

nset_prb_value *nset_prb_new(nset_prb *p, nset_prb_kind kind, int line)
{
    item *i = take(p);

    if (!i)
        return NULL;
    i->value = (nset_prb_value){ .kind = kind, .line = line };
    return &i->value;
}

bool nset_prb_append(nset_prb *p, nset_prb_value *to, nset_prb_value *key, nset_prb_value *value)
{
    item *i = take(p);

    if (!i)
        return false;
    i->cell = (nset_prb_cell){ key, value, NULL };
    if (to->last)
        to->last->next = &i->cell;
    else
        to->first = &i->cell;
    to->last = &i->cell;
    to->n++;
    return true;
}

static bool same_name(const char *a, const char *b, size_t n)
{
    return !strncasecmp(a, b, n) && a[n] == 0;
}

bool nset_prb_define(nset_prb *p, const char *name, size_t n, nset_prb_value *value)
{
    size_t i = 0;

    while (i < p->n_names && !same_name(p->names[i].name, name, n))
        i++;
    if (i == MOST_NAMES || n >= NAME_BYTES)
        return false;
    if (i == p->n_names)
        memcpy(p->names[p->n_names++].name, name, n);
    p->names[i].value = value;
    return true;
}

nset_prb_value *nset_prb_lookup(const nset_prb *p, const char *name, size_t n)
{
    for (size_t i = 0; i < p->n_names; i++)
        if (same_name(p->names[i].name, name, n))
            return p->names[i].value;
    return NULL;
}

nset_prb_value *nset_prb_name(const nset_prb *p, const char *name)
{
    return nset_prb_lookup(p, name, strlen(name));
}

static bool same_key(const nset_prb_value *a, const nset_prb_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == NSET_PRB_NUMBER)
        return a->number == b->number;
    return a->kind == NSET_PRB_STRING && a->n == b->n && !memcmp(a->text, b->text, a->n);
}

nset_prb_cell *nset_prb_at(const nset_prb_value *v, const nset_prb_value *key)
{
    nset_prb_cell *found = NULL;
    double index = 0;

    if (v->kind != NSET_PRB_DICT && (v->kind != NSET_PRB_LIST || key->kind != NSET_PRB_NUMBER))
        return NULL;
    for (nset_prb_cell *c = v->first; c; c = c->next, index++)
        if (v->kind == NSET_PRB_DICT ? same_key(c->key, key) : index == key->number)
            found = c; /* of a key written twice the last counts, as in Python */
    return found;
}

nset_prb_value *nset_prb_get(const nset_prb_value *v, const char *key)
{
    nset_prb_value k = { .kind = NSET_PRB_STRING, .text = key, .n = strlen(key) };
    nset_prb_cell *c = v && v->kind == NSET_PRB_DICT ? nset_prb_at(v, &k) : NULL;

    return c ? c->value : NULL;
}
