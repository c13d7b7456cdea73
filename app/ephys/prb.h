/* The data of a .prb file: Python source of which only literals, ranges, names and arithmetic are understood. Nothing
 * is ever executed; a file that defines functions, loops or imports is refused, naming the line.
 */
#ifndef NSET_EPHYS_PRB_H
#define NSET_EPHYS_PRB_H

#include <stdbool.h>
#include <stddef.h>
#include <neuroset/error.h>

typedef enum nset_prb_kind {
    NSET_PRB_NONE,
    NSET_PRB_NUMBER,
    NSET_PRB_STRING,
    NSET_PRB_LIST,
    NSET_PRB_DICT
} nset_prb_kind;

typedef struct nset_prb_value nset_prb_value;
typedef struct nset_prb_cell {
    nset_prb_value *key, *value; /* key: NULL in a list */
    struct nset_prb_cell *next;
} nset_prb_cell;

struct nset_prb_value {
    nset_prb_kind kind; /* tuples are lists, True and False are 1 and 0 */
    int line;           /* of the file, from 1 */
    double number;
    const char *text; /* (n) of a string, not terminated */
    size_t n;         /* bytes, or cells */
    nset_prb_cell *first, *last;
};

typedef struct nset_prb nset_prb; /* a parsed file; owns all its values */

/* Errors: NSET_ERR_FORMAT with the line; NSET_ERR_NOMEM. path serves messages only. */
nset_status nset_prb_parse(nset_prb **out, const char *path, const char *text, nset_error *err);
void nset_prb_free(nset_prb *p);

/* A variable of the file, in any case of letters, or NULL. */
nset_prb_value *nset_prb_name(const nset_prb *p, const char *name);
/* An entry of a dictionary by its string key, or NULL; also NULL when v is no dictionary. */
nset_prb_value *nset_prb_get(const nset_prb_value *v, const char *key);

/* ---- what the parser builds with ---- */

nset_prb *nset_prb_create(void); /* NULL: no memory */
/* NULL when memory or the file's allowance of values is used up. */
nset_prb_value *nset_prb_new(nset_prb *p, nset_prb_kind kind, int line);
bool nset_prb_append(nset_prb *p, nset_prb_value *to, nset_prb_value *key, nset_prb_value *value);
bool nset_prb_define(nset_prb *p, const char *name, size_t n, nset_prb_value *value);
nset_prb_value *nset_prb_lookup(const nset_prb *p, const char *name, size_t n);
/* The cell of a key in a dictionary, or at an index of a list, or NULL. */
nset_prb_cell *nset_prb_at(const nset_prb_value *v, const nset_prb_value *key);

#endif
