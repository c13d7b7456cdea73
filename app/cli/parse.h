/* From words and configuration files to settings; what the option rows say is all there is. */
#ifndef NSET_CLI_PARSE_H
#define NSET_CLI_PARSE_H

#include "cli/option.h"

/* settings' field of o := text. where is put before the message ("file.conf: line 3: "). text must outlive settings. */
nset_status nset_option_set(const opt_spec *o, void *settings, const char *text, const char *where, nset_error *err);

/* The row of a long name (of length letters) or of a letter, in the command's table (c may be NULL) or the common
 * one; NULL when there is none. */
const opt_spec *nset_option_find(const nset_command *c, const char *name, size_t length, char letter);

/* Everything of one command line. Free with nset_parsed_fini. */
typedef struct nset_parsed {
    void *settings;    /* c->settings_size bytes */
    const char **args; /* what is not an option */
    size_t n_args;
    json_t *origins; /* {"threads": {"value": "2", "from": "option"}, ...} */
    char *config;    /* text of the configuration file, which settings point into */
} nset_parsed;

/* argv[0] is the first word after the command. Defaults, then --config's file, then options. */
nset_status nset_parse(nset_parsed *out, const nset_command *c, int argc, char **argv, nset_error *err);
void nset_parsed_fini(nset_parsed *p);

void nset_print_usage(FILE *to);
void nset_print_help(FILE *to, const nset_command *c);
/* The same as a page of the manual, Markdown. */
void nset_print_manual(FILE *to, const nset_command *c);
void nset_print_completion(FILE *to);

#endif
