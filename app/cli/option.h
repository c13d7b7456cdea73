/* One row an option: parsing, range errors, --help, the configuration file, run.json and the docs come from the rows.
 */
#ifndef NSET_CLI_OPTION_H
#define NSET_CLI_OPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <neuroset/error.h>

typedef enum opt_type {
    OPT_FLAG,   /* bool */
    OPT_INT,    /* long */
    OPT_FLOAT,  /* double */
    OPT_SIZE,   /* size_t bytes: "2GB", "256MB" */
    OPT_TEXT,   /* const char * */
    OPT_CHOICE, /* const char *, one of unit's words separated by | */
} opt_type;

typedef struct opt_spec {
    const char *name; /* long name; NULL ends a table */
    char letter;      /* 0: none */
    opt_type type;
    size_t at;            /* offsetof the field in the settings */
    double min, max;      /* numbers; both 0: any */
    const char *fallback; /* as a user would type it; NULL: not set */
    const char *unit;     /* shown in help; the words of a choice */
    const char *help;
} opt_spec;

/* Fields every command has; first member of each settings struct. Rows: opt_common. */
typedef struct nset_common {
    long threads; /* 0: all */
    long seed;
    size_t memory;
    const char *device, *log_level, *config;
    bool quiet, help, version;
} nset_common;

typedef struct nset_command {
    const char *name, *arguments, *help; /* "sort", "FILE... -o DIR", one line */
    const opt_spec *options;             /* without the common ones */
    size_t settings_size;
    size_t min_arguments, max_arguments;
    /* settings: filled; args: what is not an option; origins: {"name": {"value", "from"}}. */
    nset_status (*run)(void *settings, const char *const *args, size_t n_args, json_t *origins, nset_error *err);
} nset_command;

extern const nset_command *const nset_commands[]; /* ends with NULL */
extern const opt_spec opt_common[];

#endif
