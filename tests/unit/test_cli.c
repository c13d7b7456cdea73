/* Options from rows: every row, range errors, configuration files and where a setting came from. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "cli/exit.h"
#include "cli/models.h"
#include "cli/parse.h"

typedef struct settings {
    nset_common common;
    double threshold;
    long count;
    const char *word, *output;
    bool flag;
} settings;

#define AT(field) offsetof(settings, field)
static const opt_spec rows[] = {
    { .name = "threshold",
        .letter = 't',
        .type = OPT_FLOAT,
        .at = AT(threshold),
        .min = 1,
        .max = 50,
        .fallback = "5",
        .unit = "MAD",
        .help = "threshold" },
    { .name = "count", .type = OPT_INT, .at = AT(count), .help = "count" },
    { .name = "word", .type = OPT_CHOICE, .at = AT(word), .fallback = "one", .unit = "one|two", .help = "word" },
    { .name = "output", .letter = 'o', .type = OPT_TEXT, .at = AT(output), .unit = "DIR", .help = "folder" },
    { .name = "flag", .letter = 'f', .type = OPT_FLAG, .at = AT(flag), .help = "flag" },
    { 0 },
};
static const nset_command command = { .name = "try",
    .arguments = "FILE",
    .help = "Tries",
    .options = rows,
    .settings_size = sizeof(settings),
    .min_arguments = 1,
    .max_arguments = 1 };

enum { MOST_WORDS = 8 };

static nset_status parse(nset_parsed *p, const char *const *words, nset_error *err)
{
    char *argv[MOST_WORDS + 1] = { 0 };
    int argc = 0;

    for (; argc < MOST_WORDS && words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    return nset_parse(p, &command, argc, argv, err);
}

static const char *origin(const nset_parsed *p, const char *name)
{
    return json_string_value(json_object_get(json_object_get(p->origins, name), "from"));
}

START_TEST(options_are_taken_in_every_spelling)
{
    static const char *const spellings[][MOST_WORDS] = {
        { "x", "--threshold", "7.5", "-o", "out", "-f" },
        { "--threshold=7.5", "-oout", "--flag", "x" },
        { "-t7.5", "--output=out", "--flag=true", "--", "x" },
    };
    nset_error err = { 0 };
    nset_parsed p;
    const settings *s;

    ck_assert_msg(parse(&p, spellings[_i], &err) == NSET_OK, "%s", err.text);
    s = p.settings;
    ck_assert_double_eq(s->threshold, 7.5);
    ck_assert_str_eq(s->output, "out");
    ck_assert(s->flag);
    ck_assert_str_eq(s->word, "one");
    ck_assert_uint_eq(p.n_args, 1);
    ck_assert_str_eq(p.args[0], "x");
    ck_assert_str_eq(origin(&p, "threshold"), "option");
    ck_assert_str_eq(origin(&p, "word"), "default");
    ck_assert_ptr_null(json_object_get(p.origins, "count"));
    nset_parsed_fini(&p);
}
END_TEST

static const struct wrong {
    const char *words[MOST_WORDS], *says;
} wrongs[] = {
    { { "x", "--threshold", "0" }, "--threshold: '0' is not a number from 1 to 50 (MAD)" },
    { { "x", "--threshold", "nan" }, "'nan' is not a number" },
    { { "x", "--threshold", "5x" }, "'5x' is not a number" },
    { { "x", "--threshold", "" }, "'' is not a number" },
    { { "x", "--count", "1.5" }, "'1.5' is not a whole number" },
    { { "x", "--count", "1e30" }, "'1e30' is not a whole number" },
    { { "x", "--word", "on" }, "'on' is not one of one|two" },
    { { "x", "--flag=maybe" }, "neither true nor false" },
    { { "x", "--memory", "1" }, "--memory: '1' is not a size" },
    { { "x", "--memory", "3parsec" }, "'3parsec' is not a size" },
    { { "x", "--tresh", "3" }, "no option --tresh" },
    { { "x", "-z" }, "no option -z" },
    { { "x", "-fy" }, "-f takes no value" },
    { { "x", "-o" }, "--output needs a value: DIR" },
    { { NULL }, "usage: neuroset try FILE" },
    { { "x", "y" }, "'y' is one argument too many" },
    { { "x", "--config", "/nowhere/at/all" }, "--config: /nowhere/at/all" },
};

START_TEST(a_wrong_word_gets_one_clear_line)
{
    nset_error err = { 0 };
    nset_parsed p;
    nset_status status = parse(&p, wrongs[_i].words, &err);

    ck_assert_int_eq(status, NSET_ERR_ARG);
    ck_assert_int_eq(nset_exit_code(status), 2);
    ck_assert_msg(strstr(err.text, wrongs[_i].says), "'%s' does not say '%s'", err.text, wrongs[_i].says);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    nset_parsed_fini(&p);
    ck_assert_int_eq(json_object_size(p.origins), 0);
}
END_TEST

static void write_config(char *path, const char *text)
{
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (long)strlen(text));
    close(fd);
}

START_TEST(a_file_sets_what_the_command_line_does_not)
{
    char path[] = "/tmp/neuroset-cli-XXXXXX";
    const char *const words[] = { "x", "--word", "two", "--config", path, NULL };
    nset_error err = { 0 };
    nset_parsed p;
    const settings *s;

    write_config(path, "# comment\n\n  threshold = 9  \nword=one\noutput = a b\nflag = yes");
    ck_assert_msg(parse(&p, words, &err) == NSET_OK, "%s", err.text);
    s = p.settings;
    ck_assert_double_eq(s->threshold, 9);
    ck_assert_str_eq(s->word, "two");
    ck_assert_str_eq(s->output, "a b");
    ck_assert(s->flag);
    ck_assert_str_eq(origin(&p, "threshold"), "file");
    ck_assert_str_eq(origin(&p, "word"), "option");
    ck_assert_uint_eq(p.n_args, 1);
    nset_parsed_fini(&p);
    unlink(path);
}
END_TEST

static const struct bad_file {
    const char *text, *says;
} bad_files[] = {
    { "threshold = 5\nthreshold = 99\n", "line 2: --threshold: '99' is not a number from 1 to 50 (MAD)" },
    { "nothing\n", "line 1: 'nothing' is not name = value" },
    { "colour = red\n", "line 1: there is no option 'colour'" },
};

START_TEST(a_wrong_line_of_a_file_is_named)
{
    char path[] = "/tmp/neuroset-cli-XXXXXX";
    const char *const words[] = { "x", "--config", path, NULL };
    nset_error err = { 0 };
    nset_parsed p;

    write_config(path, bad_files[_i].text);
    ck_assert_int_eq(parse(&p, words, &err), NSET_ERR_ARG);
    ck_assert_msg(strstr(err.text, bad_files[_i].says) && strstr(err.text, path), "%s", err.text);
    nset_parsed_fini(&p);
    unlink(path);
}
END_TEST

static void check_rows(const nset_command *c, const opt_spec *o, void *place)
{
    for (; o && o->name; o++) {
        nset_error err = { 0 };
        for (const char *p = o->name; *p; p++)
            ck_assert_msg(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-',
                "%s: --%s is not lower case with hyphens", c->name, o->name);
        ck_assert_msg(o->help && *o->help, "%s: --%s has no help", c->name, o->name);
        ck_assert_msg(!o->fallback || nset_option_set(o, place, o->fallback, "", &err) == NSET_OK,
            "%s: --%s: the default is refused: %s", c->name, o->name, err.text);
        ck_assert_msg(nset_option_find(c, o->name, strlen(o->name), 0) == o &&
                          (!o->letter || nset_option_find(c, NULL, 0, o->letter) == o),
            "%s: --%s is hidden by another row", c->name, o->name);
        ck_assert_msg(o->type != OPT_CHOICE || (o->unit && strchr(o->unit, '|')), "--%s: no words", o->name);
    }
}

/* What print_manual writes, in a buffer of its own. */
static char *manual_of(const nset_command *c)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    nset_print_manual(f, c);
    fclose(f);
    return text;
}

START_TEST(every_row_has_a_good_default_and_a_place_in_the_manual)
{
    for (size_t i = 0; nset_commands[i]; i++) {
        const nset_command *c = nset_commands[i];
        void *place = nset_calloc(1, c->settings_size);
        char *manual = manual_of(c), word[80];
        check_rows(c, c->options, place);
        check_rows(c, opt_common, place);
        for (const opt_spec *o = c->options; o && o->name; o++) {
            snprintf(word, sizeof word, "| `--%s`", o->name);
            ck_assert_msg(strstr(manual, word), "%s: --%s is not in the manual", c->name, o->name);
        }
        ck_assert_msg(c->min_arguments <= c->max_arguments && c->run, "%s", c->name);
        free(manual);
        nset_free(place);
    }
}
END_TEST

START_TEST(a_model_is_found_in_the_users_folder)
{
    char folder[] = "/tmp/neuroset-models-XXXXXX", file[64], path[4096];
    nset_error err = { 0 };

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/mine.safetensors", folder);
    fclose(fopen(file, "w"));
    setenv("NEUROSET_MODELS", folder, 1);
    ck_assert_int_eq(nset_model_find(path, sizeof path, "mine", &err), NSET_OK);
    ck_assert_str_eq(path, file);
    ck_assert_int_eq(nset_model_find(path, sizeof path, file, &err), NSET_OK);
    ck_assert_str_eq(path, file);
    ck_assert_int_ne(nset_model_find(path, sizeof path, "no such model", &err), NSET_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "NEUROSET_MODELS"));
    unlink(file);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("options");
    SRunner *r = srunner_create(s);
    int failed;

    suite_add_tcase(s, t);
    tcase_add_loop_test(t, options_are_taken_in_every_spelling, 0, 3);
    tcase_add_loop_test(t, a_wrong_word_gets_one_clear_line, 0, (int)(sizeof wrongs / sizeof *wrongs));
    tcase_add_test(t, a_file_sets_what_the_command_line_does_not);
    tcase_add_loop_test(t, a_wrong_line_of_a_file_is_named, 0, (int)(sizeof bad_files / sizeof *bad_files));
    tcase_add_test(t, every_row_has_a_good_default_and_a_place_in_the_manual);
    tcase_add_test(t, a_model_is_found_in_the_users_folder);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
