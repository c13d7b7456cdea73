#include "cli/parse.h"

#include <string.h>

static void print_row(FILE *to, const opt_spec *o)
{
    char left[64];
    int n = 0;

    n += snprintf(left, sizeof left, o->letter ? "-%c, " : "    ", o->letter);
    n += snprintf(left + n, sizeof left - (size_t)n, "--%s", o->name);
    if (o->type != OPT_FLAG)
        snprintf(left + n, sizeof left - (size_t)n, " %s",
            o->type == OPT_CHOICE || (o->type == OPT_TEXT && o->unit) ? o->type == OPT_TEXT ? o->unit : "WORD" : "N");
    fprintf(to, "  %-26s %s", left, o->help);
    if (o->type == OPT_CHOICE)
        fprintf(to, ": %s", o->unit);
    else if (o->unit && o->type != OPT_TEXT)
        fprintf(to, " (%s)", o->unit);
    if (o->fallback)
        fprintf(to, " [%s]", o->fallback);
    fputc('\n', to);
}

void nset_print_usage(FILE *to)
{
    fputs("usage: neuroset COMMAND ...\n\n", to);
    for (size_t i = 0; nset_commands[i]; i++)
        fprintf(to, "  %-10s %s\n", nset_commands[i]->name, nset_commands[i]->help);
    fputs("\nneuroset COMMAND --help tells a command's options.\n", to);
}

void nset_print_help(FILE *to, const nset_command *c)
{
    fprintf(to, "usage: neuroset %s %s\n\n%s\n\n", c->name, c->arguments, c->help);
    for (const opt_spec *o = c->options; o && o->name; o++)
        print_row(to, o);
    fputc('\n', to);
    for (const opt_spec *o = opt_common; o->name; o++)
        print_row(to, o);
}

static void print_cell(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void print_manual_rows(FILE *to, const opt_spec *o)
{
    for (; o && o->name; o++) {
        fprintf(to, "| `--%s`", o->name);
        if (o->letter)
            fprintf(to, ", `-%c`", o->letter);
        fputs(" | ", to);
        print_cell(to, o->help);
        if (o->unit) {
            fputs(" (", to);
            print_cell(to, o->unit);
            fputc(')', to);
        }
        fprintf(to, " | %s |", o->fallback ? o->fallback : "");
        if (o->min != 0 || o->max != 0)
            fprintf(to, " %.15g to %.15g |\n", o->min, o->max);
        else
            fputs(" |\n", to);
    }
}

void nset_print_manual(FILE *to, const nset_command *c)
{
    fprintf(to, "# neuroset %s\n\n    neuroset %s %s\n\n%s.\n\n", c->name, c->name, c->arguments, c->help);
    fputs("| option | meaning | default | range |\n|---|---|---|---|\n", to);
    print_manual_rows(to, c->options);
    print_manual_rows(to, opt_common);
}

void nset_print_completion(FILE *to)
{
    fputs("# bash completion of neuroset: source this file\n_neuroset()\n{\n    local words\n"
          "    case \"${COMP_WORDS[1]}\" in\n",
        to);
    for (size_t i = 0; nset_commands[i]; i++) {
        fprintf(to, "    %s) words=\"", nset_commands[i]->name);
        for (const opt_spec *o = nset_commands[i]->options; o && o->name; o++)
            fprintf(to, "--%s ", o->name);
        for (const opt_spec *o = opt_common; o->name; o++)
            fprintf(to, "--%s ", o->name);
        fputs("\" ;;\n", to);
    }
    fputs("    *) words=\"", to);
    for (size_t i = 0; nset_commands[i]; i++)
        fprintf(to, "%s ", nset_commands[i]->name);
    fputs("\" ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
          "complete -o default -F _neuroset neuroset\n",
        to);
}
