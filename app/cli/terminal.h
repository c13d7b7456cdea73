/* Set-up of what progress.h does; main calls it once. */
#ifndef NSET_CLI_TERMINAL_H
#define NSET_CLI_TERMINAL_H

#include <stdbool.h>

/* Catches SIGINT and SIGTERM for nset_cancelled; quiet silences progress and remarks. */
void nset_terminal_init(bool quiet);

#endif
