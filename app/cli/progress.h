/* What a long job tells while it runs, and how it learns that it must stop.
 *
 * On a terminal one line rewritten at most 10 times a second; otherwise a plain line each 10 %, a second apart or more,
 * and one at the end; nothing with --quiet.
 * To stderr; stdout carries results only.
 */
#ifndef NSET_CLI_PROGRESS_H
#define NSET_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <neuroset/error.h>

/* total in units ("samples", "frames", "steps") for the rate that is shown. One job at a time. */
void nset_progress_begin(const char *stage, double total, const char *unit);
void nset_progress_at(double done); /* cheap; any thread */
void nset_progress_end(void);

/* A line for the user, not shown with --quiet or below --log-level info. */
void nset_say(const char *format, ...) NSET_PRINTF(1, 2);
/* The same after "warning: ", shown at --log-level warning too. Those about a result are kept in its run.json. */
void nset_warn(const char *format, ...) NSET_PRINTF(1, 2);

/* True after Ctrl-C. Long loops ask between blocks and return nset_fail_cancelled(err). */
bool nset_cancelled(void);
nset_status nset_fail_cancelled(nset_error *err);

#endif
