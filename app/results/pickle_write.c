/* Pickle, protocol 2, without a memo. */
#include "results/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "results/npz.h"

enum { PROTO = 0x80, NEWTRUE = 0x88, NEWFALSE, TUPLE1 = 0x85, TUPLE2, TUPLE3, LONG1 = 0x8a };

static void put_bytes(FILE *f, const char *opcodes)
{
    fputs(opcodes, f);
}

static void put_little(FILE *f, uint64_t x, int n)
{
    for (int i = 0; i < n; i++)
        fputc((int)(x >> 8 * i & 255), f);
}

void nset_pickle_text(FILE *f, const char *text)
{
    size_t n = strlen(text);

    fputc('X', f);
    put_little(f, n, 4);
    fwrite(text, 1, n, f);
}

void nset_pickle_int(FILE *f, int64_t x)
{
    if (x >= INT32_MIN && x <= INT32_MAX) {
        fputc('J', f);
        put_little(f, (uint64_t)x, 4);
    } else {
        fputc(LONG1, f);
        fputc(8, f);
        put_little(f, (uint64_t)x, 8);
    }
}

void nset_pickle_float(FILE *f, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, 8);
    fputc('G', f);
    for (int i = 7; i >= 0; i--)
        fputc((int)(bits >> 8 * i & 255), f);
}

void nset_pickle_bool(FILE *f, bool x)
{
    fputc(x ? NEWTRUE : NEWFALSE, f);
}

void nset_pickle_dict(FILE *f)
{
    put_bytes(f, "}(");
}

void nset_pickle_dict_end(FILE *f)
{
    fputc('u', f);
}

void nset_pickle_list(FILE *f)
{
    put_bytes(f, "](");
}

void nset_pickle_list_end(FILE *f)
{
    fputc('e', f);
}

/* Bytes as Python 2 and 3 both read them: their Latin-1 text, encoded. A byte from 128 on is two of UTF-8. */
static void put_raw(FILE *f, const unsigned char *x, size_t n)
{
    size_t high = 0;

    for (size_t i = 0; i < n; i++)
        high += x[i] >> 7;
    put_bytes(f, "c_codecs\nencode\nX");
    put_little(f, n + high, 4);
    for (size_t i = 0; i < n; i++) {
        if (x[i] < 128) {
            fputc(x[i], f);
        } else {
            fputc(0xc0 | x[i] >> 6, f);
            fputc(0x80 | (x[i] & 63), f);
        }
    }
    nset_pickle_text(f, "latin1");
    fputc(TUPLE2, f);
    fputc('R', f);
}

static void put_dtype(FILE *f, const char *type, const char *order, int flags)
{
    put_bytes(f, "cnumpy\ndtype\n");
    nset_pickle_text(f, type);
    fputc(NEWFALSE, f);
    fputc(NEWTRUE, f);
    fputc(TUPLE3, f);
    put_bytes(f, "R(K\x03");
    nset_pickle_text(f, order);
    put_bytes(f, "NNN");
    nset_pickle_int(f, -1);
    nset_pickle_int(f, -1);
    fputc('K', f);
    fputc(flags, f);
    put_bytes(f, "tb");
}

/* An empty array, and the start of what fills it: version and shape. */
static void start_array(FILE *f, size_t rank, const size_t *shape)
{
    put_bytes(f, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK");
    fputc(0, f);
    fputc(TUPLE1, f);
    put_raw(f, (const unsigned char *)"b", 1);
    fputc(TUPLE3, f);
    put_bytes(f, "R(K\x01");
    for (size_t i = 0; i < rank; i++)
        nset_pickle_int(f, (int64_t)shape[i]);
    fputc(rank == 0 ? ')' : rank == 1 ? TUPLE1 : TUPLE2, f);
}

void nset_pickle_array(FILE *f, const char *descr, size_t rank, const size_t *shape, const void *data)
{
    const char order[2] = { descr[0], 0 };
    size_t n = (size_t)atoi(descr + 2);

    for (size_t i = 0; i < rank; i++)
        n *= shape[i];
    start_array(f, rank, shape);
    put_dtype(f, descr + 1, order, 0);
    fputc(NEWFALSE, f);
    put_raw(f, data, n);
    put_bytes(f, "tb");
}

void nset_pickle_begin(FILE *f, size_t n, bool zero_d)
{
    char header[512];
    nset_array a = { .descr = "|O", .rank = zero_d ? 0 : 1, .shape = { n } };

    fwrite(header, 1, nset_npy_header(header, sizeof header, &a), f);
    fputc(PROTO, f);
    fputc(2, f);
    start_array(f, a.rank, a.shape);
    put_dtype(f, "O8", "|", 63);
    fputc(NEWFALSE, f);
    nset_pickle_list(f);
}

void nset_pickle_end(FILE *f)
{
    nset_pickle_list_end(f);
    put_bytes(f, "tb.");
}
