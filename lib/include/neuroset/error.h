/* How a function of the library says that it failed.
 *
 * The caller owns the message; the first cause wins; NULL means "do not tell me".
 * A function that can fail returns nset_status: 0 or one of the negative kinds below.
 */
#ifndef NEUROSET_ERROR_H
#define NEUROSET_ERROR_H

#include <stddef.h>

#define NSET_API __attribute__((visibility("default")))
#define NSET_MUST_CHECK __attribute__((warn_unused_result))
#define NSET_PRINTF(f, a) __attribute__((format(printf, f, a)))

typedef enum nset_status {
    NSET_OK = 0,
    NSET_ERR_NOMEM = -1,     /* memory */
    NSET_ERR_ARG = -2,       /* an argument out of its range */
    NSET_ERR_IO = -3,        /* the system could not read or write */
    NSET_ERR_FORMAT = -4,    /* data that is not what its format says */
    NSET_ERR_NUMERIC = -5,   /* not finite, singular, no convergence */
    NSET_ERR_CANCELLED = -6, /* the user asked to stop */
} nset_status;

typedef struct nset_error {
    nset_status status;
    char text[512];
} nset_error;

/* Fills err unless it is NULL or already filled; returns status. The text is one line: control characters become '?'.
 */
NSET_API nset_status nset_fail(nset_error *err, nset_status status, const char *format, ...) NSET_PRINTF(3, 4);

/* The same for an allocation of n elements of size bytes. */
NSET_API nset_status nset_fail_oom(nset_error *err, size_t n, size_t size);

#endif
