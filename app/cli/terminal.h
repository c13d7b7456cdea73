/* Set-up of what progress.h does; main calls it once. */
#ifndef NSET_CLI_TERMINAL_H
#define NSET_CLI_TERMINAL_H

typedef enum nset_log_level {
    NSET_LOG_ERROR, /* what ends the program */
    NSET_LOG_WARNING,
    NSET_LOG_INFO, /* and progress and remarks */
} nset_log_level;

/* Catches SIGINT and SIGTERM for nset_cancelled; what is told is what level says. */
void nset_terminal_init(nset_log_level level);

#endif
