#include "results/pickle.h"

#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "results/small_files.h"

enum { MOST_VALUES = 4000000, MOST_BYTES = 1 << 30 };

struct nset_pickle {
    char *file;
    size_t n, at;
    const char *path;
    nset_value *all, *root;
    size_t n_values;
    nset_value **stack, **memo;
    size_t n_stack, cap_stack, n_memo, cap_memo;
    size_t *mark; /* heights of the stack */
    size_t n_marks, cap_marks;
    nset_error *err;
};

/* ---- parts of the machine ---- */

static nset_status fail(nset_pickle *p, const char *what)
{
    return nset_fail(
        p->err, NSET_ERR_FORMAT, "%s: byte %zu: %s; a NumPy file of objects is expected", p->path, p->at, what);
}

static nset_status make(nset_value **out, nset_pickle *p, nset_value_kind kind)
{
    nset_value *v;

    if (++p->n_values > MOST_VALUES)
        return fail(p, "more than 4,000,000 values");
    if (!(v = nset_calloc(1, sizeof *v)))
        return nset_fail_oom(p->err, 1, sizeof *v);
    v->kind = kind;
    v->next = p->all;
    p->all = v;
    *out = v;
    return NSET_OK;
}

static nset_status push(nset_pickle *p, nset_value *v)
{
    nset_status status = nset_grow(&p->stack, &p->cap_stack, p->n_stack + 1, sizeof *p->stack, p->err);

    if (status == NSET_OK)
        p->stack[p->n_stack++] = v;
    return status;
}

static nset_status push_new(nset_pickle *p, nset_value_kind kind, int64_t i, double f)
{
    nset_value *v = NULL;
    nset_status status = make(&v, p, kind);

    if (status != NSET_OK)
        return status;
    v->i = i;
    v->f = f;
    return push(p, v);
}

/* NULL where the stack, above the last mark, is empty. */
static nset_value *pop(nset_pickle *p)
{
    size_t floor = p->n_marks ? p->mark[p->n_marks - 1] : 0;

    return p->n_stack > floor ? p->stack[--p->n_stack] : NULL;
}

static nset_value *top(nset_pickle *p)
{
    size_t floor = p->n_marks ? p->mark[p->n_marks - 1] : 0;

    return p->n_stack > floor ? p->stack[p->n_stack - 1] : NULL;
}

static nset_status append(nset_pickle *p, nset_value *list, nset_value *const *item, size_t n)
{
    nset_status status = nset_grow(&list->item, &list->capacity, list->n + n, sizeof *list->item, p->err);

    if (status != NSET_OK)
        return status;
    if (n)
        memcpy(list->item + list->n, item, n * sizeof *item);
    list->n += n;
    return NSET_OK;
}

/* A tuple of what lies above height, which leaves the stack. */
static nset_status make_tuple(nset_pickle *p, size_t height)
{
    nset_value *v = NULL;
    nset_status status = make(&v, p, NSET_VALUE_LIST);

    if (status == NSET_OK && (status = append(p, v, p->stack + height, p->n_stack - height)) == NSET_OK) {
        p->n_stack = height;
        status = push(p, v);
    }
    return status;
}

static nset_status take(const char **out, nset_pickle *p, uint64_t n)
{
    if (n > p->n - p->at)
        return fail(p, "the file ends too early");
    *out = p->file + p->at;
    p->at += n;
    return NSET_OK;
}

/* *x := an unsigned number of n bytes, the lowest first. */
static nset_status take_little(uint64_t *x, nset_pickle *p, size_t n)
{
    const char *bytes = NULL;
    nset_status status = take(&bytes, p, n);

    *x = 0;
    for (size_t i = 0; i < n && status == NSET_OK; i++)
        *x |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    return status;
}

static nset_status push_bytes(nset_pickle *p, nset_value_kind kind, size_t n_length)
{
    nset_value *v = NULL;
    uint64_t n = 0;
    nset_status status = take_little(&n, p, n_length);

    if (status != NSET_OK || (status = make(&v, p, kind)) != NSET_OK || (status = take(&v->bytes, p, n)) != NSET_OK)
        return status;
    v->n_bytes = n;
    return push(p, v);
}

static bool is_text(const nset_value *v, const char *text)
{
    return v && v->kind == NSET_VALUE_TEXT && v->n_bytes == strlen(text) && !memcmp(v->bytes, text, v->n_bytes);
}

/* ---- names ---- */

enum { RECONSTRUCT, NDARRAY, DTYPE, ENCODE, FROMBUFFER, SCALAR, PATH };

static const struct {
    const char *module, *name;
    int what;
} names[] = {
    { "numpy.core.multiarray", "_reconstruct", RECONSTRUCT },
    { "numpy._core.multiarray", "_reconstruct", RECONSTRUCT },
    { "numpy.core.multiarray", "scalar", SCALAR },
    { "numpy._core.multiarray", "scalar", SCALAR },
    { "numpy.core.numeric", "_frombuffer", FROMBUFFER },
    { "numpy._core.numeric", "_frombuffer", FROMBUFFER },
    { "numpy", "ndarray", NDARRAY },
    { "numpy", "dtype", DTYPE },
    { "_codecs", "encode", ENCODE },
    { "pathlib", "PosixPath", PATH },
    { "pathlib", "WindowsPath", PATH },
    { "pathlib", "PurePosixPath", PATH },
    { "pathlib", "PureWindowsPath", PATH },
    { "pathlib._local", "PosixPath", PATH },
    { "pathlib._local", "WindowsPath", PATH },
};

static nset_status push_global(nset_pickle *p, const char *module, size_t n_module, const char *name, size_t n_name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].module) == n_module && !memcmp(names[i].module, module, n_module) &&
            strlen(names[i].name) == n_name && !memcmp(names[i].name, name, n_name))
            return push_new(p, NSET_VALUE_GLOBAL, names[i].what, 0);
    for (size_t i = 0; i < n_module + n_name; i++) {
        char c = i < n_module ? module[i] : name[i - n_module];
        if (c < ' ' || c > '~')
            return fail(p, "the pickle asks for something that is no name");
    }
    return nset_fail(p->err, NSET_ERR_FORMAT,
        "%s: byte %zu: the pickle asks for '%.*s.%.*s': only numbers, texts, lists, dictionaries and NumPy's arrays "
        "are "
        "read",
        p->path, p->at, (int)(n_module < 60 ? n_module : 60), module, (int)(n_name < 60 ? n_name : 60), name);
}

static nset_status read_global(nset_pickle *p) /* two lines */
{
    const char *line[2];
    size_t n[2];

    for (int k = 0; k < 2; k++) {
        const char *end = memchr(p->file + p->at, '\n', p->n - p->at);
        if (!end)
            return fail(p, "the file ends too early");
        line[k] = p->file + p->at;
        n[k] = (size_t)(end - line[k]);
        p->at += n[k] + 1;
    }
    return push_global(p, line[0], n[0], line[1], n[1]);
}

static nset_status stack_global(nset_pickle *p)
{
    nset_value *name = pop(p), *module = pop(p);

    if (!module || name->kind != NSET_VALUE_TEXT || module->kind != NSET_VALUE_TEXT)
        return fail(p, "a name that is no text");
    return push_global(p, module->bytes, module->n_bytes, name->bytes, name->n_bytes);
}

/* ---- what names make ---- */

static bool whole_size(size_t *out, const nset_value *v)
{
    if (v->kind != NSET_VALUE_INT || v->i < 0 || v->i > MOST_BYTES)
        return false;
    *out = (size_t)v->i;
    return true;
}

/* f8, i4, b1, O8 ..., perhaps with its order in front. */
static nset_status make_dtype(nset_value **out, nset_pickle *p, const nset_value *args)
{
    const nset_value *text = args->n ? args->item[0] : NULL;
    const char *s = text ? text->bytes : NULL;
    size_t n = text ? text->n_bytes : 0;
    nset_status status;

    if (!text || text->kind != NSET_VALUE_TEXT || n == 0)
        return fail(p, "an element type that is no text");
    if ((status = make(out, p, NSET_VALUE_DTYPE)) != NSET_OK)
        return status;
    (*out)->order = '<';
    if (strchr("<>|=", *s)) {
        (*out)->order = *s++;
        n--;
    }
    (*out)->type = n ? *s : '?';
    for (size_t i = 1; i < n && s[i] >= '0' && s[i] <= '9' && (*out)->size < 10000; i++)
        (*out)->size = 10 * (*out)->size + (size_t)(s[i] - '0');
    return NSET_OK;
}

/* Texts of letters below 256 as bytes. */
static nset_status make_encoded(nset_value **out, nset_pickle *p, const nset_value *args)
{
    const nset_value *text = args->n == 2 ? args->item[0] : NULL;
    nset_status status;
    size_t n = 0;

    if (!text || text->kind != NSET_VALUE_TEXT ||
        (!is_text(args->item[1], "latin1") && !is_text(args->item[1], "latin-1")))
        return fail(p, "bytes in another encoding than latin1");
    if ((status = make(out, p, NSET_VALUE_BYTES)) != NSET_OK)
        return status;
    if (!((*out)->owned = nset_calloc(text->n_bytes + 1, 1)))
        return nset_fail_oom(p->err, text->n_bytes + 1, 1);
    for (size_t i = 0; i < text->n_bytes; i++) {
        unsigned char c = (unsigned char)text->bytes[i];
        if (c >= 128) {
            unsigned char d = i + 1 < text->n_bytes ? (unsigned char)text->bytes[++i] : 0;
            if ((c & 0xfc) != 0xc0 || (d & 0xc0) != 0x80)
                return fail(p, "letters that are no bytes");
            c = (unsigned char)(c << 6 | (d & 63));
        }
        (*out)->owned[n++] = (char)c;
    }
    (*out)->bytes = (*out)->owned;
    (*out)->n_bytes = n;
    return NSET_OK;
}

/* Numbers or objects of an array; a: dtype, shape, and bytes or a list. */
static nset_status fill_array(
    nset_pickle *p, nset_value *array, const nset_value *shape, const nset_value *dtype, const nset_value *data)
{
    size_t n = 1;

    if (shape->kind != NSET_VALUE_LIST || shape->n > 4 || dtype->kind != NSET_VALUE_DTYPE)
        return fail(p, "an array without shape (of at most 4 axes) or type");
    array->rank = shape->n;
    for (size_t i = 0; i < shape->n; i++)
        if (!whole_size(&array->shape[i], shape->item[i]) || __builtin_mul_overflow(n, array->shape[i], &n))
            return fail(p, "an array with an axis out of range");
    array->type = dtype->type;
    array->size = dtype->size;
    array->order = dtype->order;
    if (dtype->type == 'O') {
        if (data->kind != NSET_VALUE_LIST || data->n != n)
            return fail(p, "an array of objects whose number is not its shape's");
        array->n = 0;
        return append(p, array, data->item, data->n);
    }
    if (data->kind != NSET_VALUE_BYTES || __builtin_mul_overflow(n, dtype->size, &n) || data->n_bytes != n)
        return fail(p, "an array whose bytes are not as many as its shape says");
    array->bytes = data->bytes;
    array->n_bytes = n;
    return NSET_OK;
}

static nset_status make_scalar(nset_value **out, nset_pickle *p, const nset_value *args)
{
    static const nset_value no_axes = { .kind = NSET_VALUE_LIST };
    nset_status status;

    if (args->n != 2)
        return fail(p, "a number without type and bytes");
    if ((status = make(out, p, NSET_VALUE_ARRAY)) != NSET_OK)
        return status;
    return fill_array(p, *out, &no_axes, args->item[0], args->item[1]);
}

static nset_status reduce(nset_pickle *p)
{
    nset_value *args = pop(p), *name = pop(p), *v = NULL;
    nset_status status = NSET_OK;

    if (!name || name->kind != NSET_VALUE_GLOBAL || args->kind != NSET_VALUE_LIST)
        return fail(p, "a call of something that is no name, or without a tuple");
    switch (name->i) {
    case RECONSTRUCT:
        status = make(&v, p, NSET_VALUE_ARRAY);
        break;
    case DTYPE:
        status = make_dtype(&v, p, args);
        break;
    case ENCODE:
        status = make_encoded(&v, p, args);
        break;
    case SCALAR:
        status = make_scalar(&v, p, args);
        break;
    case FROMBUFFER:
        if (args->n < 3)
            return fail(p, "an array without bytes, type and shape");
        if ((status = make(&v, p, NSET_VALUE_ARRAY)) == NSET_OK)
            status = fill_array(p, v, args->item[2], args->item[1], args->item[0]);
        break;
    case PATH:
        status = make(&v, p, NSET_VALUE_OPAQUE);
        break;
    default:
        return fail(p, "a call of what is not called");
    }
    return status == NSET_OK ? push(p, v) : status;
}

static nset_status build(nset_pickle *p)
{
    nset_value *state = pop(p), *v = top(p);

    if (!v || state->kind != NSET_VALUE_LIST)
        return fail(p, "a state that is no tuple");
    if (v->kind == NSET_VALUE_DTYPE && state->n >= 2 && state->item[1]->kind == NSET_VALUE_TEXT &&
        state->item[1]->n_bytes == 1) {
        v->order = state->item[1]->bytes[0];
        return NSET_OK;
    }
    if (v->kind == NSET_VALUE_ARRAY && state->n == 5)
        return fill_array(p, v, state->item[1], state->item[2], state->item[4]);
    return fail(p, "a state of something else than an array");
}

/* ---- opcodes ---- */

/* The height of the last mark, which goes. */
static nset_status pop_mark(size_t *height, nset_pickle *p)
{
    if (p->n_marks == 0)
        return fail(p, "a list that never began");
    *height = p->mark[--p->n_marks];
    return NSET_OK;
}

static nset_status set_mark(nset_pickle *p)
{
    nset_status status = nset_grow(&p->mark, &p->cap_marks, p->n_marks + 1, sizeof *p->mark, p->err);

    if (status == NSET_OK)
        p->mark[p->n_marks++] = p->n_stack;
    return status;
}

/* Items above height to the list or dictionary below. */
static nset_status gather(nset_pickle *p, size_t height, nset_value_kind kind)
{
    size_t n = p->n_stack - height, floor = p->n_marks ? p->mark[p->n_marks - 1] : 0;
    nset_value *v = height > floor ? p->stack[height - 1] : NULL;

    if (!v || v->kind != kind || (kind == NSET_VALUE_DICT && n % 2))
        return fail(p, "items of what is no list or dictionary");
    p->n_stack = height;
    return append(p, v, p->stack + height, n);
}

static nset_status gather_marked(nset_pickle *p, nset_value_kind kind)
{
    size_t height = 0;
    nset_status status = pop_mark(&height, p);

    return status == NSET_OK ? gather(p, height, kind) : status;
}

static nset_status gather_last(nset_pickle *p, size_t n, nset_value_kind kind)
{
    return p->n_stack >= n ? gather(p, p->n_stack - n, kind) : fail(p, "items missing");
}

static nset_status tuple_of(nset_pickle *p, size_t n)
{
    size_t floor = p->n_marks ? p->mark[p->n_marks - 1] : 0;

    return p->n_stack - floor >= n ? make_tuple(p, p->n_stack - n) : fail(p, "items missing");
}

static nset_status remember(nset_pickle *p, uint64_t i)
{
    nset_status status;

    if (!top(p) || i > p->n_memo) /* they are numbered one by one */
        return fail(p, "a memo out of range");
    if ((status = nset_grow(&p->memo, &p->cap_memo, i + 1, sizeof *p->memo, p->err)) != NSET_OK)
        return status;
    p->memo[i] = top(p);
    p->n_memo = i + 1 > p->n_memo ? i + 1 : p->n_memo;
    return NSET_OK;
}

static nset_status memo_numbered(nset_pickle *p, size_t n_bytes, bool get)
{
    uint64_t i = 0;
    nset_status status = take_little(&i, p, n_bytes);

    if (status != NSET_OK || !get)
        return status == NSET_OK ? remember(p, i) : status;
    return i < p->n_memo && p->memo[i] ? push(p, p->memo[i]) : fail(p, "a memo that is not there");
}

static nset_status push_int(nset_pickle *p, size_t n_bytes)
{
    uint64_t x = 0;
    nset_status status = take_little(&x, p, n_bytes);

    return status == NSET_OK ? push_new(p, NSET_VALUE_INT, n_bytes == 4 ? (int32_t)(uint32_t)x : (int64_t)x, 0)
                             : status;
}

static nset_status push_long(nset_pickle *p)
{
    uint64_t n = 0, x = 0;
    nset_status status = take_little(&n, p, 1);

    if (status != NSET_OK)
        return status;
    if (n > 8)
        return fail(p, "a number of more than 64 bits");
    if ((status = take_little(&x, p, n)) != NSET_OK)
        return status;
    if (n && n < 8 && x >> (8 * n - 1))
        x |= UINT64_MAX << 8 * n;
    return push_new(p, NSET_VALUE_INT, (int64_t)x, 0);
}

static nset_status push_float(nset_pickle *p)
{
    const char *b = NULL;
    uint64_t bits = 0;
    double x;
    nset_status status = take(&b, p, 8);

    if (status != NSET_OK)
        return status;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | (unsigned char)b[i];
    memcpy(&x, &bits, 8);
    return push_new(p, NSET_VALUE_FLOAT, 0, x);
}

static nset_status push_marked_tuple(nset_pickle *p)
{
    size_t height = 0;
    nset_status status = pop_mark(&height, p);

    return status == NSET_OK ? make_tuple(p, height) : status;
}

static nset_status skip(nset_pickle *p, size_t n)
{
    const char *bytes = NULL;

    return take(&bytes, p, n);
}

static nset_status unknown(nset_pickle *p, unsigned char op)
{
    char text[64];

    snprintf(text, sizeof text, "opcode 0x%02x is not read", op);
    return fail(p, text);
}

static nset_status step(nset_pickle *p, unsigned char op)
{
    switch (op) {
    case 0x80: /* PROTO */
        return skip(p, 1);
    case 0x95: /* FRAME */
        return skip(p, 8);
    case '(':
        return set_mark(p);
    case 'J':
        return push_int(p, 4);
    case 'K':
        return push_int(p, 1);
    case 'M':
        return push_int(p, 2);
    case 0x8a:
        return push_long(p);
    case 'G':
        return push_float(p);
    case 'X':
        return push_bytes(p, NSET_VALUE_TEXT, 4);
    case 0x8c:
        return push_bytes(p, NSET_VALUE_TEXT, 1);
    case 0x8d:
        return push_bytes(p, NSET_VALUE_TEXT, 8);
    case 'B':
        return push_bytes(p, NSET_VALUE_BYTES, 4);
    case 'C':
        return push_bytes(p, NSET_VALUE_BYTES, 1);
    case 0x8e: /* BINBYTES8 */
    case 0x96: /* BYTEARRAY8 */
        return push_bytes(p, NSET_VALUE_BYTES, 8);
    case 'N':
        return push_new(p, NSET_VALUE_NONE, 0, 0);
    case 0x88:
    case 0x89:
        return push_new(p, NSET_VALUE_BOOL, op == 0x88, 0);
    case ']':
    case ')':
        return push_new(p, NSET_VALUE_LIST, 0, 0);
    case '}':
        return push_new(p, NSET_VALUE_DICT, 0, 0);
    case 'a':
        return gather_last(p, 1, NSET_VALUE_LIST);
    case 'e':
        return gather_marked(p, NSET_VALUE_LIST);
    case 's':
        return gather_last(p, 2, NSET_VALUE_DICT);
    case 'u':
        return gather_marked(p, NSET_VALUE_DICT);
    case 0x85:
    case 0x86:
    case 0x87:
        return tuple_of(p, (size_t)op - 0x84);
    case 't':
        return push_marked_tuple(p);
    case 'c':
        return read_global(p);
    case 0x93:
        return stack_global(p);
    case 'R':
        return reduce(p);
    case 'b':
        return build(p);
    case 'q':
        return memo_numbered(p, 1, false);
    case 'r':
        return memo_numbered(p, 4, false);
    case 'h':
        return memo_numbered(p, 1, true);
    case 'j':
        return memo_numbered(p, 4, true);
    case 0x94:
        return remember(p, p->n_memo);
    default:
        return unknown(p, op);
    }
}

static nset_status run(nset_pickle *p)
{
    for (;;) {
        nset_status status;
        unsigned char op;
        if (p->at >= p->n)
            return fail(p, "the file ends too early");
        op = (unsigned char)p->file[p->at++];
        if (op == '.')
            break;
        if ((status = step(p, op)) != NSET_OK)
            return status;
    }
    p->root = pop(p);
    if (p->n_marks || !p->root || p->root->kind != NSET_VALUE_ARRAY || p->root->type != 'O')
        return fail(p, "what the file holds is no array of objects");
    return NSET_OK;
}

/* ---- the file ---- */

/* Past the npy header, whose shape the pickle says again. */
static nset_status read_header(nset_pickle *p)
{
    uint64_t n = 0;
    const char *magic = NULL, *text = NULL;
    nset_status status = take(&magic, p, 8);
    char head[128];

    if (status != NSET_OK || memcmp(magic, "\x93NUMPY", 6) || magic[6] < 1 || magic[6] > 3)
        return fail(p, "no NumPy file");
    if ((status = take_little(&n, p, magic[6] == 1 ? 2 : 4)) != NSET_OK || (status = take(&text, p, n)) != NSET_OK)
        return status;
    snprintf(head, sizeof head, "%.*s", (int)(n < 127 ? n : 127), text);
    if (!strstr(head, "'|O'"))
        return fail(p, "a NumPy file of numbers");
    return NSET_OK;
}

nset_status nset_pickle_open(nset_pickle **out, const char *path, nset_error *err)
{
    nset_pickle *p = nset_calloc(1, sizeof *p);
    nset_status status;

    if (!p)
        return nset_fail_oom(err, 1, sizeof *p);
    p->path = path;
    p->err = err;
    if ((status = nset_read_bytes(&p->file, &p->n, path, MOST_BYTES, err)) == NSET_OK &&
        (status = read_header(p)) == NSET_OK && (status = run(p)) == NSET_OK) {
        *out = p;
        return NSET_OK;
    }
    nset_pickle_close(p);
    return status;
}

const nset_value *nset_pickle_root(const nset_pickle *p)
{
    return p->root;
}

void nset_pickle_close(nset_pickle *p)
{
    nset_value *next;

    if (!p)
        return;
    for (nset_value *v = p->all; v; v = next) {
        next = v->next;
        nset_free(v->item);
        nset_free(v->owned);
        nset_free(v);
    }
    nset_free(p->stack);
    nset_free(p->memo);
    nset_free(p->mark);
    nset_free(p->file);
    nset_free(p);
}
