/* The table of reproductions: a row a figure that was published or derived, beside what this library gives.
 *
 * A section is one file with one table of rows; main.c lists the sections. To add a section: a file like laws.c, its
 * name in main.c's list and in meson.build.
 */
#ifndef NSET_TESTS_REPRODUCE_H
#define NSET_TESTS_REPRODUCE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rep_result {
    char ours[80]; /* the figure, as it shall be printed */
    bool pass;
} rep_result;

typedef struct rep_row {
    const char *name;      /* unique: it selects the row on the command line */
    const char *published; /* the figure aimed at, and (published), (derived) or (gate) */
    bool quick;            /* seconds, not minutes: runs on every change */
    void (*run)(rep_result *result, int arg);
    int arg;
    const char *miss; /* the reason of a miss that is known and stands in the table; NULL: a miss is a fault */
} rep_row;

typedef struct rep_section {
    const char *title; /* with the papers */
    const rep_row *rows;
    size_t n_rows;
} rep_section;

#define REP_SECTION(symbol, title, rows) const rep_section symbol = { title, rows, sizeof rows / sizeof *rows }

#endif
