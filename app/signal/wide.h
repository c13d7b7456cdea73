/* Loops compiled twice, for 128 and 256 bit vectors; the processor chooses when the program starts.
 *
 * Products and sums stay apart (no fused ones) and in the order written, so that the bits are the same everywhere.
 */
#ifndef NSET_SIGNAL_WIDE_H
#define NSET_SIGNAL_WIDE_H

/* Sanitizers are not ready when the choice is made. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define NSET_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define NSET_WIDE
#endif

#endif
