/* Finite permutation groups, and the linear layers that respect them.
 *
 * A group is given by generators: permutations of 0 .. n-1, written as images (x goes to image[x]). From the same
 * generators acting on N inputs and on M outputs follow the ties of a layer y = W x + b that is equivariant,
 * g_out (W x + b) = W (g_in x) + b: weights are the same along the orbits of pairs (output, input), biases along the
 * orbits of outputs. Ravanbakhsh, Schneider & Poczos 2017, "Equivariance through parameter-sharing", section 3.
 *
 * Such a layer can have more symmetry than was asked for: what keeps every tie in its place is the 2-closure of the
 * group (Wielandt 1969), the group itself or larger. nset_tie_check counts both. The layer itself is
 * nset_net_tied in neuroset/net.h.
 */
#ifndef NEUROSET_GROUP_H
#define NEUROSET_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/net.h>
#include <neuroset/random.h>

/* ---- actions: generators on n points ---- */

typedef struct nset_action {
    size_t n, n_generators;
    uint32_t *image; /* (n_generators, n), owned */
} nset_action;

/* A copy of image (n_generators, n). Errors of all makers: NSET_ERR_ARG (a row that is no permutation, more than 2^24
 * points, a part that does not fit), NSET_ERR_NOMEM. *out is freed with nset_action_free. */
NSET_API NSET_MUST_CHECK nset_status nset_action_create(
    nset_action **out, const uint32_t *image, size_t n_generators, size_t n, nset_error *err);
NSET_API void nset_action_free(nset_action *action);

/* All permutations of n points; the even ones; rotations; rotations and reflections of a ring. */
NSET_API NSET_MUST_CHECK nset_status nset_action_symmetric(nset_action **out, size_t n, nset_error *err);
NSET_API NSET_MUST_CHECK nset_status nset_action_alternating(nset_action **out, size_t n, nset_error *err);
NSET_API NSET_MUST_CHECK nset_status nset_action_cyclic(nset_action **out, size_t n, nset_error *err);
NSET_API NSET_MUST_CHECK nset_status nset_action_dihedral(nset_action **out, size_t n, nset_error *err);

/* a and b act on their own axis of a grid; point (i, j) is i * b->n + j. Generators: those of a, then those of b. */
NSET_API NSET_MUST_CHECK nset_status nset_action_product(
    nset_action **out, const nset_action *a, const nset_action *b, nset_error *err);

/* Sets of sets: outer permutes the blocks, inner acts inside each on its own; point j of block i is i * inner->n + j.
 * (The wreath product in its imprimitive action. outer must be transitive: inner's generators stand at block 0.) */
NSET_API NSET_MUST_CHECK nset_status nset_action_wreath(
    nset_action **out, const nset_action *inner, const nset_action *outer, nset_error *err);

/* The same generators on ordered k-tuples of points, (x_1 .. x_k) at x_1 n^(k-1) + .. + x_k; k = 0: one point, all
 * fixed. k = 2: a graph's adjacency matrix. */
NSET_API NSET_MUST_CHECK nset_status nset_action_tuples(
    nset_action **out, const nset_action *a, size_t k, nset_error *err);

/* The same generators on subsets of k <= 8 points, in lexicographic order. */
NSET_API NSET_MUST_CHECK nset_status nset_action_subsets(
    nset_action **out, const nset_action *a, size_t k, nset_error *err);

/* ---- the group of an action ---- */

typedef struct nset_group nset_group;

/* A base and strong generating set (Sims 1970, in the form of Knuth 1991, "Efficient representation of perm groups").
 * Errors: NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_group_create(nset_group **out, const nset_action *action, nset_error *err);
NSET_API void nset_group_free(nset_group *group);

/* Number of elements; exact while its odd part is below 2^53. */
NSET_API double nset_group_order(const nset_group *group);

/* *inside := is permutation (n) an element. Errors: NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_group_contains(
    bool *inside, const nset_group *group, const uint32_t *permutation, nset_error *err);

/* permutation (n) := an element, each with the same probability. Errors: NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_group_random(
    uint32_t *permutation, const nset_group *group, nset_random *r, nset_error *err);

/* Calls fn for each element, in an order that follows from the generators. Errors: NSET_ERR_ARG (more than 10^6
 * elements), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_group_visit(
    const nset_group *group, void (*fn)(void *ctx, const uint32_t *permutation), void *ctx, nset_error *err);

/* ---- ties ---- */

/* Orbits by union-find, numbered by their first member; O(generators * M * N). in and out have the same generators.
 * *tie is freed with nset_tie_free (neuroset/net.h).
 * Errors: NSET_ERR_ARG (another number of generators, more than 2^28 pairs), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_tie_create(
    nset_tie **tie, const nset_action *in, const nset_action *out, nset_error *err);

/* Does relabelling inputs by in (N) and outputs by out (M) keep every tie? True for all of the group; false detects a
 * permutation to which the layer is not equivariant. */
NSET_API bool nset_tie_allows(const nset_tie *tie, const uint32_t *in, const uint32_t *out);

/* The number of orbits of pairs and of outputs by counting fixed points over all elements (Burnside's lemma), with no
 * use of the orbits. Errors: as nset_group_visit. */
NSET_API NSET_MUST_CHECK nset_status nset_tie_burnside(
    size_t *n_weights, size_t *n_biases, const nset_action *in, const nset_action *out, nset_error *err);

typedef struct nset_symmetry {
    double asked; /* elements of the group, as it acts on inputs and outputs together */
    double has;   /* pairs of relabellings of inputs and outputs that keep every tie; > asked: more than asked */
} nset_symmetry;

/* Errors: NSET_ERR_NUMERIC (the search for relabellings gives up after some 10^8 steps), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_tie_check(
    nset_symmetry *symmetry, const nset_tie *tie, const nset_action *in, const nset_action *out, nset_error *err);

#endif
