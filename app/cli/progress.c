#include "cli/progress.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/terminal.h"

static struct {
    bool quiet, silent, terminal; /* quiet: no progress and remarks; silent: no warnings */
    char stage[32], unit[24];
    double total, start, shown_at;
    int shown_tenth;
    atomic_flag busy; /* one thread prints, others go on */
    bool active;
} state = { .busy = ATOMIC_FLAG_INIT };

static volatile sig_atomic_t interrupted;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void nset_terminal_init(nset_log_level level)
{
    struct sigaction action = { .sa_handler = on_signal,
        .sa_flags = (int)SA_RESETHAND }; /* a second Ctrl-C ends at once */

    state.quiet = level < NSET_LOG_INFO;
    state.silent = level < NSET_LOG_WARNING;
    state.terminal = isatty(STDERR_FILENO);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void print_rate(double rate)
{
    static const char *const prefix[] = { "", "k", "M", "G" };
    int i = 0;

    for (; rate >= 1000 && i < 3; i++)
        rate /= 1000;
    fprintf(stderr, rate < 10 ? "%8.2f %s%s/s" : "%8.0f %s%s/s", rate, prefix[i], state.unit);
}

static void show(double done, double time)
{
    double share = state.total > 0 ? done / state.total : 1, spent = time - state.start;
    double left = share > 0 ? spent * (1 - share) / share : 0;
    int blocks = (int)(20 * share);

    if (state.terminal)
        fprintf(stderr, "\r%-10s [%.*s%.*s] %3.0f %% ", state.stage, blocks, "####################", 20 - blocks,
            "--------------------", 100 * share);
    else
        fprintf(stderr, "%-10s %3.0f %% ", state.stage, 100 * share);
    print_rate(spent > 0 ? done / spent : 0);
    fprintf(stderr, "  %d:%02d left%s", (int)left / 60, (int)left % 60, state.terminal ? "   " : "\n");
    fflush(stderr);
}

void nset_progress_begin(const char *stage, double total, const char *unit)
{
    snprintf(state.stage, sizeof state.stage, "%s", stage);
    snprintf(state.unit, sizeof state.unit, "%s", unit);
    state.total = total;
    state.start = state.shown_at = now();
    state.shown_tenth = 0;
    state.active = true;
}

void nset_progress_at(double done)
{
    double time, share;

    if (state.quiet || !state.active || atomic_flag_test_and_set(&state.busy))
        return;
    time = now();
    share = state.total > 0 ? fmin(done / state.total, 1) : 1;
    if (time - state.shown_at > (state.terminal ? .1 : 1) &&
        (state.terminal || ((int)(share * 10) > state.shown_tenth && share < 1))) {
        state.shown_at = time;
        state.shown_tenth = (int)(share * 10);
        show(share * state.total, time);
    }
    atomic_flag_clear(&state.busy);
}

void nset_progress_end(void)
{
    if (!state.active)
        return;
    state.active = false;
    if (state.quiet || interrupted)
        return;
    show(state.total, now());
    if (state.terminal)
        fputc('\n', stderr);
}

void nset_say(const char *format, ...)
{
    va_list args;

    if (state.quiet)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void nset_warn(const char *format, ...)
{
    va_list args;

    if (state.silent)
        return;
    fputs("warning: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool nset_cancelled(void)
{
    return interrupted;
}

nset_status nset_fail_cancelled(nset_error *err)
{
    return nset_fail(err, NSET_ERR_CANCELLED, "interrupted; nothing was written");
}
