/* The program: finds the command, parses its options, calls it, turns its status into an exit code. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/device.h>

#include "cli/exit.h"
#include "cli/parse.h"
#include "cli/terminal.h"

static const nset_command *find_command(const char *name)
{
    for (size_t i = 0; nset_commands[i]; i++)
        if (!strcmp(nset_commands[i]->name, name))
            return nset_commands[i];
    return NULL;
}

static int finish(const char *command, nset_status status, const nset_error *err)
{
    if (status != NSET_OK)
        fprintf(stderr, "neuroset%s%s: %s\n", *command ? " " : "", command, err->text[0] ? err->text : "failed");
    else if (fflush(stdout)) {
        fprintf(stderr, "neuroset: the output could not be written\n");
        return 4;
    }
    return nset_exit_code(status);
}

static nset_log_level level_of(const nset_common *common)
{
    if (common->quiet || !strcmp(common->log_level, "error"))
        return NSET_LOG_ERROR;
    return strcmp(common->log_level, "warning") ? NSET_LOG_INFO : NSET_LOG_WARNING;
}

static int run(const nset_command *c, int argc, char **argv)
{
    nset_error err = { 0 };
    nset_parsed p;
    nset_status status = nset_parse(&p, c, argc, argv, &err);
    nset_common *common = p.settings;

    if (status == NSET_OK && common->help) {
        nset_print_help(stdout, c);
    } else if (status == NSET_OK && common->version) {
        puts("neuroset " NSET_VERSION);
    } else if (status == NSET_OK && (status = nset_device_use(common->device, &err)) == NSET_OK) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        if (common->threads == 0)
            common->threads = online < 1 ? 1 : online;
        nset_terminal_init(level_of(common));
        status = c->run(p.settings, p.args, p.n_args, p.origins, &err);
    }
    nset_parsed_fini(&p);
    return finish(c->name, status, &err);
}

int main(int argc, char **argv)
{
    const nset_command *c = argc > 1 ? find_command(argv[1]) : NULL;

    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        nset_print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : finish("", NSET_OK, NULL);
    }
    if (!strcmp(argv[1], "--version")) {
        puts("neuroset " NSET_VERSION);
        return finish("", NSET_OK, NULL);
    }
    if (!strcmp(argv[1], "--complete-bash")) {
        nset_print_completion(stdout);
        return finish("", NSET_OK, NULL);
    }
    if (!c) {
        fprintf(stderr, "neuroset: there is no command '%s'; neuroset --help lists them\n", argv[1]);
        return 2;
    }
    if (argc == 3 && !strcmp(argv[2], "--manual")) {
        nset_print_manual(stdout, c);
        return finish("", NSET_OK, NULL);
    }
    return run(c, argc - 2, argv + 2);
}
