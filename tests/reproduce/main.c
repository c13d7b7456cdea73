/* reproduce [--quick] [NAME...]: runs all rows, the quick ones, or those whose names contain a NAME; prints a table in
 * Markdown on stdout. Exit status 1 if a row misses without a known reason. docs/reproductions.md is its whole output.
 */
#include "reproduce.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

extern const rep_section rep_completion, rep_groups, rep_models, rep_laws, rep_cardinality;

static const rep_section *const sections[] = { &rep_completion, &rep_groups, &rep_models, &rep_laws, &rep_cardinality };

static bool wanted(const rep_row *row, int n_names, char **names, bool quick)
{
    if (quick && !row->quick)
        return false;
    for (int i = 0; i < n_names; i++)
        if (strstr(row->name, names[i]))
            return true;
    return n_names == 0;
}

/* CPU seconds: wall time means little on a shared machine. */
static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Returns whether the row is in order. */
static bool run_row(const rep_row *row)
{
    rep_result result = { .ours = "" };
    double start = seconds();

    row->run(&result, row->arg);
    printf("| %s | %s | %s | %.2f | `reproduce \"%s\"` | %s%s%s |\n", row->name, row->published, result.ours,
        seconds() - start, row->name, result.pass ? "pass" : "**miss**", !result.pass && row->miss ? ": " : "",
        !result.pass && row->miss ? row->miss : "");
    fflush(stdout);
    return result.pass || row->miss;
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    int first = quick ? 2 : 1, faults = 0, n_rows = 0;

    printf("# Reproductions\n\nMade by `build/tests/reproduce/reproduce%s`; seconds are CPU seconds of one thread.\n",
        quick ? " --quick" : "");
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        bool title = false;
        for (size_t i = 0; i < sections[s]->n_rows; i++) {
            const rep_row *row = &sections[s]->rows[i];
            if (!wanted(row, argc - first, argv + first, quick))
                continue;
            if (!title)
                printf("\n## %s\n\n| what | published or derived | ours | s | command | |\n|---|---|---|---|---|---|\n",
                    sections[s]->title);
            title = true;
            faults += !run_row(row);
            n_rows++;
        }
    }
    if (n_rows == 0)
        fprintf(stderr, "reproduce: no row of that name\n");
    return faults > 0 || n_rows == 0;
}
