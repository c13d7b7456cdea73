/* The actions of which the numbers of orbits are known, for the tests and for the table of reproductions. */
#ifndef NSET_TESTS_GROUP_CASES_H
#define NSET_TESTS_GROUP_CASES_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/group.h>

static inline nset_action *group_must(nset_status status, nset_action *a)
{
    if (status != NSET_OK)
        abort();
    return a;
}

static inline nset_action *sym(size_t n)
{
    nset_action *a = NULL;
    nset_status status = nset_action_symmetric(&a, n, NULL);

    return group_must(status, a);
}

static inline nset_action *alt(size_t n)
{
    nset_action *a = NULL;
    nset_status status = nset_action_alternating(&a, n, NULL);

    return group_must(status, a);
}

static inline nset_action *cyc(size_t n)
{
    nset_action *a = NULL;
    nset_status status = nset_action_cyclic(&a, n, NULL);

    return group_must(status, a);
}

static inline nset_action *dih(size_t n)
{
    nset_action *a = NULL;
    nset_status status = nset_action_dihedral(&a, n, NULL);

    return group_must(status, a);
}

/* These take over the actions they are made of. */
static inline nset_action *times(nset_action *a, nset_action *b)
{
    nset_action *c = NULL;
    nset_status status = nset_action_product(&c, a, b, NULL);

    nset_action_free(a);
    nset_action_free(b);
    return group_must(status, c);
}

static inline nset_action *wreath(nset_action *inner, nset_action *outer)
{
    nset_action *c = NULL;
    nset_status status = nset_action_wreath(&c, inner, outer, NULL);

    nset_action_free(inner);
    nset_action_free(outer);
    return group_must(status, c);
}

static inline nset_action *tuples(nset_action *a, size_t k)
{
    nset_action *c = NULL;
    nset_status status = nset_action_tuples(&c, a, k, NULL);

    nset_action_free(a);
    return group_must(status, c);
}

static inline nset_action *subsets(nset_action *a, size_t k)
{
    nset_action *c = NULL;
    nset_status status = nset_action_subsets(&c, a, k, NULL);

    nset_action_free(a);
    return group_must(status, c);
}

static inline nset_action *given(const uint32_t *image, size_t n_generators, size_t n)
{
    nset_action *a = NULL;
    nset_status status = nset_action_create(&a, image, n_generators, n, NULL);

    return group_must(status, a);
}

/* Ordered pairs of different points: (x, y) at x (n - 1) + y - (y > x). */
static inline nset_action *distinct_pairs(size_t n)
{
    nset_action *a = sym(n), *c;
    size_t m = n * (n - 1);
    uint32_t image[2 * 64] = { 0 };

    for (size_t g = 0; g < 2; g++)
        for (size_t i = 0; i < m; i++) {
            size_t x = i / (n - 1), y = i % (n - 1) + (i % (n - 1) >= x);
            x = a->image[g * n + x];
            y = a->image[g * n + y];
            image[g * m + i] = (uint32_t)(x * (n - 1) + y - (y > x));
        }
    c = given(image, 2, m);
    nset_action_free(a);
    return c;
}

/* The cube of corners (+-1, +-1, +-1): the rotations by a quarter about z and x, and with whole the point reflection,
 * on what: 0 corners, 1 faces, 2 edges. A part is a vector with 3, 1 or 2 entries that are not 0. */
static inline nset_action *cube(int what, bool whole)
{
    static const int turn[3][3][3] = { { { 0, -1, 0 }, { 1, 0, 0 }, { 0, 0, 1 } },
        { { 1, 0, 0 }, { 0, 0, -1 }, { 0, 1, 0 } }, { { -1, 0, 0 }, { 0, -1, 0 }, { 0, 0, -1 } } };
    static const int entries[3] = { 3, 1, 2 };
    int part[12][3], n = 0, place[27];
    uint32_t image[3 * 12];

    for (int i = 0; i < 27; i++) {
        int v[3] = { i / 9 - 1, i / 3 % 3 - 1, i % 3 - 1 };
        place[i] = n;
        if (abs(v[0]) + abs(v[1]) + abs(v[2]) == entries[what])
            memcpy(part[n++], v, sizeof v);
    }
    for (int g = 0; g < (whole ? 3 : 2); g++)
        for (int i = 0; i < n; i++) {
            int w[3] = { 0 };
            for (int r = 0; r < 3; r++)
                for (int c = 0; c < 3; c++)
                    w[r] += turn[g][r][c] * part[i][c];
            image[g * n + i] = (uint32_t)place[(w[0] + 1) * 9 + (w[1] + 1) * 3 + w[2] + 1];
        }
    return given(image, whole ? 3 : 2, (size_t)n);
}

/* Rubik's cube: 48 stickers by the six turns of a face. A sticker sits at a corner or an edge c of the cube and looks
 * along an axis f; a turn of a face moves those with c on that face. what: 0 all, 1 corners' stickers, 2 edges'. */
static inline nset_action *rubik(int what)
{
    int at[48][6], n = 0;
    uint32_t image[6 * 48];

    for (int i = 0; i < 27; i++)
        for (int axis = 0; axis < 3; axis++) {
            int c[3] = { i / 9 - 1, i / 3 % 3 - 1, i % 3 - 1 }, size = abs(c[0]) + abs(c[1]) + abs(c[2]);
            if (c[axis] == 0 || size < 2 || (what == 1 && size == 2) || (what == 2 && size == 3))
                continue;
            memcpy(at[n], c, sizeof c);
            memset(at[n] + 3, 0, sizeof c);
            at[n++][3 + axis] = c[axis];
        }
    for (int g = 0; g < 6; g++) {
        int axis = g / 2, side = g % 2 ? 1 : -1, a = (axis + 1) % 3, b = (axis + 2) % 3;
        for (int i = 0; i < n; i++) {
            int to[6], j = 0;
            memcpy(to, at[i], sizeof to);
            for (int k = 0; at[i][axis] == side && k < 6; k += 3) {
                to[k + a] = -side * at[i][k + b];
                to[k + b] = side * at[i][k + a];
            }
            while (memcmp(at[j], to, sizeof to) != 0)
                j++;
            image[g * n + i] = (uint32_t)j;
        }
    }
    return given(image, 6, (size_t)n);
}

/* in, out: NULL: the same action. */
typedef struct group_case {
    const char *name;
    nset_action *(*in)(void), *(*out)(void);
    size_t n, m, n_weights, n_biases;
    double order; /* of the group, 0: not asked; less than 1000: also counted by Burnside */
    double has;   /* of its 2-closure, 0: not asked */
} group_case;

#define GROUP_ACTION(name, what)                                                                                       \
    static nset_action *name(void)                                                                                     \
    {                                                                                                                  \
        return what;                                                                                                   \
    }

GROUP_ACTION(act_s5, sym(5))
GROUP_ACTION(act_s5_scalar, tuples(sym(5), 0))
GROUP_ACTION(act_a4, alt(4))
GROUP_ACTION(act_a5, alt(5))
GROUP_ACTION(act_c4, cyc(4))
GROUP_ACTION(act_c6, cyc(6))
GROUP_ACTION(act_d5, dih(5))
GROUP_ACTION(act_d6, dih(6))
GROUP_ACTION(act_d7, dih(7))
GROUP_ACTION(act_d8, dih(8))
GROUP_ACTION(act_none4, given((const uint32_t[]){ 0 }, 0, 4))
GROUP_ACTION(act_agl, given(((const uint32_t[]){ 1, 2, 3, 4, 0, 0, 2, 4, 1, 3 }), 2, 5))
GROUP_ACTION(act_s22, times(sym(2), sym(2)))
GROUP_ACTION(act_s23, times(sym(2), sym(3)))
GROUP_ACTION(act_s33, times(sym(3), sym(3)))
GROUP_ACTION(act_s45, times(sym(4), sym(5)))
GROUP_ACTION(act_s343, times(times(sym(3), sym(4)), sym(3)))
GROUP_ACTION(act_s242, times(times(sym(2), sym(4)), sym(3)))
GROUP_ACTION(act_s3333, times(times(sym(3), sym(3)), times(sym(3), sym(3))))
GROUP_ACTION(act_c23, times(cyc(2), cyc(3)))
GROUP_ACTION(act_torus, times(cyc(4), cyc(6)))
GROUP_ACTION(act_c4s5, times(cyc(4), sym(5)))
GROUP_ACTION(act_s4ws3, wreath(sym(4), sym(3)))
GROUP_ACTION(act_c4ws3, wreath(cyc(4), sym(3)))
GROUP_ACTION(act_c4ws2, wreath(cyc(4), sym(2)))
GROUP_ACTION(act_s2ws3, wreath(sym(2), sym(3)))
GROUP_ACTION(act_s4wc5, wreath(sym(4), cyc(5)))
GROUP_ACTION(act_tree, wreath(wreath(sym(2), sym(2)), sym(2)))
GROUP_ACTION(act_tree3, wreath(wreath(sym(3), sym(3)), sym(2)))
GROUP_ACTION(act_pairs2, tuples(sym(2), 2))
GROUP_ACTION(act_pairs3, tuples(sym(3), 2))
GROUP_ACTION(act_pairs4, tuples(sym(4), 2))
GROUP_ACTION(act_points4, sym(4))
GROUP_ACTION(act_scalar4, tuples(sym(4), 0))
GROUP_ACTION(act_pairs6, tuples(sym(6), 2))
GROUP_ACTION(act_distinct4, distinct_pairs(4))
GROUP_ACTION(act_edges4, subsets(sym(4), 2))
GROUP_ACTION(act_edges5, subsets(sym(5), 2))
GROUP_ACTION(act_triples6, tuples(sym(6), 3))
GROUP_ACTION(act_points6, sym(6))
GROUP_ACTION(act_scalar6, tuples(sym(6), 0))
GROUP_ACTION(act_three6, subsets(sym(6), 3))
GROUP_ACTION(act_four8, subsets(sym(8), 4))
GROUP_ACTION(act_two7, subsets(sym(7), 2))
GROUP_ACTION(act_three7, subsets(sym(7), 3))
GROUP_ACTION(act_corners, cube(0, false))
GROUP_ACTION(act_corners48, cube(0, true))
GROUP_ACTION(act_faces, cube(1, false))
GROUP_ACTION(act_edges, cube(2, false))
GROUP_ACTION(act_edges48, cube(2, true))
GROUP_ACTION(act_rubik, rubik(0))
GROUP_ACTION(act_rubik_scalar, given((const uint32_t[6]){ 0 }, 6, 1))
GROUP_ACTION(act_rubik_corners, rubik(1))
GROUP_ACTION(act_rubik_edges, rubik(2))
GROUP_ACTION(act_two_threes, given(((const uint32_t[]){ 1, 2, 0, 4, 5, 3 }), 1, 6))
GROUP_ACTION(act_two_twos, given(((const uint32_t[]){ 1, 0, 3, 2 }), 1, 4))

static const group_case group_cases[] = {
    { "S_5 points", act_s5, NULL, 5, 5, 2, 1, 120, 120 },
    { "S_5 to a scalar", act_s5, act_s5_scalar, 5, 1, 1, 1, 120, 120 },
    { "A_4", act_a4, NULL, 4, 4, 2, 1, 12, 24 },
    { "A_5", act_a5, NULL, 5, 5, 2, 1, 60, 120 },
    { "AGL(1,5)", act_agl, NULL, 5, 5, 2, 1, 20, 120 },
    { "C_4", act_c4, NULL, 4, 4, 4, 1, 4, 4 },
    { "C_6", act_c6, NULL, 6, 6, 6, 1, 6, 6 },
    { "D_5", act_d5, NULL, 5, 5, 3, 1, 10, 10 },
    { "D_6", act_d6, NULL, 6, 6, 4, 1, 12, 12 },
    { "D_7", act_d7, NULL, 7, 7, 4, 1, 14, 14 },
    { "D_8", act_d8, NULL, 8, 8, 5, 1, 16, 16 },
    { "trivial on 4", act_none4, NULL, 4, 4, 16, 4, 1, 1 },
    { "S_2 x S_2 grid", act_s22, NULL, 4, 4, 4, 1, 4, 4 },
    { "S_2 x S_3 grid", act_s23, NULL, 6, 6, 4, 1, 12, 12 },
    { "S_3 x S_3 grid", act_s33, NULL, 9, 9, 4, 1, 36, 36 },
    { "S_4 x S_5 grid", act_s45, NULL, 20, 20, 4, 1, 2880, 0 },
    { "S_3 x S_4 x S_3", act_s343, NULL, 36, 36, 8, 1, 864, 0 },
    { "S_2 x S_4 x S_3", act_s242, NULL, 24, 24, 8, 1, 288, 0 },
    { "S_3^4", act_s3333, NULL, 81, 81, 16, 1, 1296, 0 },
    { "C_2 x C_3 grid", act_c23, NULL, 6, 6, 6, 1, 6, 6 },
    { "C_4 x C_6 torus", act_torus, NULL, 24, 24, 24, 1, 24, 24 },
    { "C_4 x S_5, ring of sets", act_c4s5, NULL, 20, 20, 8, 1, 480, 0 },
    { "S_4 wr S_3, set of sets", act_s4ws3, NULL, 12, 12, 3, 1, 82944, 82944 },
    { "C_4 wr S_3", act_c4ws3, NULL, 12, 12, 5, 1, 384, 384 },
    { "C_4 wr S_2", act_c4ws2, NULL, 8, 8, 5, 1, 32, 32 },
    { "S_2 wr S_3", act_s2ws3, NULL, 6, 6, 3, 1, 48, 48 },
    { "S_4 wr C_5, ring of sets", act_s4wc5, NULL, 20, 20, 6, 1, 39813120, 0 },
    { "S_2 wr S_2 wr S_2, tree", act_tree, NULL, 8, 8, 4, 1, 128, 128 },
    { "S_3 wr S_3 wr S_2", act_tree3, NULL, 18, 18, 4, 1, 3359232, 0 },
    { "S_2 pairs to pairs", act_pairs2, NULL, 4, 4, 8, 2, 2, 2 },
    { "S_3 pairs to pairs", act_pairs3, NULL, 9, 9, 14, 2, 6, 6 },
    { "S_4 pairs to pairs", act_pairs4, NULL, 16, 16, 15, 2, 24, 24 },
    { "S_4 pairs to points", act_pairs4, act_points4, 16, 4, 5, 1, 24, 0 },
    { "S_4 pairs to a scalar", act_pairs4, act_scalar4, 16, 1, 2, 1, 24, 0 },
    { "S_4 distinct pairs", act_distinct4, NULL, 12, 12, 7, 1, 24, 24 },
    { "S_4 on edges of K_4", act_edges4, NULL, 6, 6, 3, 1, 24, 48 },
    { "S_5 on edges of K_5", act_edges5, NULL, 10, 10, 3, 1, 120, 120 },
    { "S_6 triples to a scalar", act_triples6, act_scalar6, 216, 1, 5, 1, 720, 0 },
    { "S_6 triples to points", act_triples6, act_points6, 216, 6, 15, 1, 720, 0 },
    { "S_6 triples to pairs", act_triples6, act_pairs6, 216, 36, 52, 2, 720, 0 },
    { "S_6 triples to triples", act_triples6, NULL, 216, 216, 203, 5, 720, 0 },
    { "S_6 on 3-subsets", act_three6, NULL, 20, 20, 4, 1, 720, 0 },
    { "S_8 on 4-subsets", act_four8, NULL, 70, 70, 5, 1, 40320, 0 },
    { "S_7 2-subsets to 3-subsets", act_two7, act_three7, 21, 35, 3, 1, 5040, 0 },
    { "cube rotations, corners", act_corners, NULL, 8, 8, 4, 1, 24, 48 },
    { "cube, corners", act_corners48, NULL, 8, 8, 4, 1, 48, 48 },
    { "cube rotations, faces", act_faces, NULL, 6, 6, 3, 1, 24, 48 },
    { "cube rotations, edges", act_edges, NULL, 12, 12, 7, 1, 24, 24 },
    { "cube, edges", act_edges48, NULL, 12, 12, 5, 1, 48, 48 },
    { "cube rotations, faces to corners", act_faces, act_corners, 6, 8, 2, 1, 24, 0 },
    { "Rubik's cube, 48 stickers", act_rubik, NULL, 48, 48, 9, 2, 43252003274489856000., 0 },
    { "Rubik's cube to a scalar", act_rubik, act_rubik_scalar, 48, 1, 2, 1, 43252003274489856000., 0 },
    { "Rubik's cube, corners", act_rubik_corners, NULL, 24, 24, 4, 1, 88179840, 0 },
    { "Rubik's cube, edges", act_rubik_edges, NULL, 24, 24, 3, 1, 0, 0 },
    { "<(012)(345)>", act_two_threes, NULL, 6, 6, 12, 2, 3, 3 },
    { "<(01)(23)>", act_two_twos, NULL, 4, 4, 8, 2, 2, 2 },
};

enum { N_GROUP_CASES = sizeof group_cases / sizeof *group_cases };

#endif
