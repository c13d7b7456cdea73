#include "reproduce.h"

#include <stdio.h>
#include <time.h>

#include "../unit/group_cases.h"

static void orbits(rep_result *result, int arg)
{
    const group_case *c = &group_cases[arg];
    nset_action *in = c->in(), *out = c->out ? c->out() : c->in();
    nset_symmetry s = { 0 };
    nset_tie *tie = NULL;
    int n;

    group_must(nset_tie_create(&tie, in, out, NULL), in);
    n = snprintf(result->ours, sizeof result->ours, "%zu + %zu", tie->n_weights, tie->n_biases);
    result->pass = tie->n_weights == c->n_weights && tie->n_biases == c->n_biases;
    if (c->has > 0) {
        group_must(nset_tie_check(&s, tie, in, out, NULL), in);
        snprintf(result->ours + n, sizeof result->ours - (size_t)n, "; %.0f, %.0f", s.asked, s.has);
        result->pass = result->pass && s.asked == c->order && s.has == c->has;
    }
    nset_tie_free(tie);
    nset_action_free(in);
    nset_action_free(out);
}

static void rubik_order(rep_result *result, int arg)
{
    nset_action *a = rubik(arg);
    nset_group *group = NULL;

    group_must(nset_group_create(&group, a, NULL), a);
    snprintf(result->ours, sizeof result->ours, "%.0f", nset_group_order(group));
    result->pass = nset_group_order(group) == (arg ? 88179840. : 43252003274489856000.);
    nset_group_free(group);
    nset_action_free(a);
}

/* Groups of at most 1000 elements whose orbits Burnside's lemma counts otherwise. */
static void burnside(rep_result *result, int arg)
{
    int differ = 0, counted = 0;

    (void)arg;
    for (int k = 0; k < N_GROUP_CASES; k++) {
        const group_case *c = &group_cases[k];
        nset_action *in = c->in(), *out = c->out ? c->out() : c->in();
        size_t n_weights = 0, n_biases = 0;
        if (c->order > 0 && c->order <= 1000) {
            group_must(nset_tie_burnside(&n_weights, &n_biases, in, out, NULL), in);
            counted++;
            differ += n_weights != c->n_weights || n_biases != c->n_biases;
        }
        nset_action_free(in);
        nset_action_free(out);
    }
    snprintf(result->ours, sizeof result->ours, "%d of %d differ", differ, counted);
    result->pass = differ == 0;
}

static void rubik_time(rep_result *result, int arg)
{
    nset_action *a = rubik(arg);
    nset_tie *tie = NULL;
    clock_t start = clock();

    group_must(nset_tie_create(&tie, a, a, NULL), a);
    start = clock() - start;
    snprintf(result->ours, sizeof result->ours, "%.1f ms", 1e3 * (double)start / CLOCKS_PER_SEC);
    result->pass = (double)start / CLOCKS_PER_SEC < .05 && tie->n_weights == 9 && tie->n_biases == 2;
    nset_tie_free(tie);
    nset_action_free(a);
}

static const rep_row rows[] = {
#define ROW(i, name, counts)                                                                                           \
    {                                                                                                                  \
        "1.5 " name, counts " (derived)", true, orbits, i, NULL                                                        \
    }
    ROW(0, "S_5 points", "2 + 1; 120, 120"),
    ROW(1, "S_5 to a scalar", "1 + 1; 120, 120"),
    ROW(2, "A_4", "2 + 1; 12, 24"),
    ROW(3, "A_5", "2 + 1; 60, 120"),
    ROW(4, "AGL(1,5)", "2 + 1; 20, 120"),
    ROW(5, "C_4", "4 + 1; 4, 4"),
    ROW(6, "C_6", "6 + 1; 6, 6"),
    ROW(7, "D_5", "3 + 1; 10, 10"),
    ROW(8, "D_6", "4 + 1; 12, 12"),
    ROW(9, "D_7", "4 + 1; 14, 14"),
    ROW(10, "D_8", "5 + 1; 16, 16"),
    ROW(11, "trivial on 4", "16 + 4; 1, 1"),
    ROW(12, "S_2 x S_2 grid", "4 + 1; 4, 4"),
    ROW(13, "S_2 x S_3 grid", "4 + 1; 12, 12"),
    ROW(14, "S_3 x S_3 grid", "4 + 1; 36, 36"),
    ROW(15, "S_4 x S_5 grid", "4 + 1"),
    ROW(16, "S_3 x S_4 x S_3", "8 + 1"),
    ROW(17, "S_2 x S_4 x S_3", "8 + 1"),
    ROW(18, "S_3^4", "16 + 1"),
    ROW(19, "C_2 x C_3 grid", "6 + 1; 6, 6"),
    ROW(20, "C_4 x C_6 torus", "24 + 1; 24, 24"),
    ROW(21, "C_4 x S_5, ring of sets", "8 + 1"),
    ROW(22, "S_4 wr S_3, set of sets", "3 + 1; 82944, 82944"),
    ROW(23, "C_4 wr S_3", "5 + 1; 384, 384"),
    ROW(24, "C_4 wr S_2", "5 + 1; 32, 32"),
    ROW(25, "S_2 wr S_3", "3 + 1; 48, 48"),
    ROW(26, "S_4 wr C_5, ring of sets", "6 + 1"),
    ROW(27, "S_2 wr S_2 wr S_2, tree", "4 + 1; 128, 128"),
    ROW(28, "S_3 wr S_3 wr S_2", "4 + 1"),
    ROW(29, "S_2 pairs to pairs", "8 + 2; 2, 2"),
    ROW(30, "S_3 pairs to pairs", "14 + 2; 6, 6"),
    ROW(31, "S_4 pairs to pairs", "15 + 2; 24, 24"),
    ROW(32, "S_4 pairs to points", "5 + 1"),
    ROW(33, "S_4 pairs to a scalar", "2 + 1"),
    ROW(34, "S_4 distinct pairs", "7 + 1; 24, 24"),
    ROW(35, "S_4 on edges of K_4", "3 + 1; 24, 48"),
    ROW(36, "S_5 on edges of K_5", "3 + 1; 120, 120"),
    ROW(37, "S_6 triples to a scalar", "5 + 1"),
    ROW(38, "S_6 triples to points", "15 + 1"),
    ROW(39, "S_6 triples to pairs", "52 + 2"),
    ROW(40, "S_6 triples to triples", "203 + 5"),
    ROW(41, "S_6 on 3-subsets", "4 + 1"),
    ROW(42, "S_8 on 4-subsets", "5 + 1"),
    ROW(43, "S_7 2-subsets to 3-subsets", "3 + 1"),
    ROW(44, "cube rotations, corners", "4 + 1; 24, 48"),
    ROW(45, "cube, corners", "4 + 1; 48, 48"),
    ROW(46, "cube rotations, faces", "3 + 1; 24, 48"),
    ROW(47, "cube rotations, edges", "7 + 1; 24, 24"),
    ROW(48, "cube, edges", "5 + 1; 48, 48"),
    ROW(49, "cube rotations, faces to corners", "2 + 1"),
    ROW(50, "Rubik's cube, 48 stickers", "9 + 2"),
    ROW(51, "Rubik's cube to a scalar", "2 + 1"),
    ROW(52, "Rubik's cube, corners", "4 + 1"),
    ROW(53, "Rubik's cube, edges", "3 + 1"),
    ROW(54, "<(012)(345)>", "12 + 2; 3, 3"),
    ROW(55, "<(01)(23)>", "8 + 2; 2, 2"),
    { "1.5 order of Rubik's cube", "43252003274489856000 (derived)", true, rubik_order, 0, NULL },
    { "1.5 order of its corners", "88179840 (derived)", true, rubik_order, 1, NULL },
    { "1.5 Rubik's ties, time", "< 50 ms (gate)", true, rubik_time, 0, NULL },
    { "1.5 orbits by Burnside's lemma", "0 differ (derived)", true, burnside, 0, NULL },
};

_Static_assert(sizeof rows / sizeof *rows == N_GROUP_CASES + 4, "a row for each case");

REP_SECTION(rep_groups,
    "1.5 Permutation groups: weights + biases of a tied layer; elements of the group, of its 2-closure (Ravanbakhsh et "
    "al. 2017)",
    rows);
