/* A folder for a test's files, made before it and dropped after it. */
#ifndef NSET_TEST_FOLDER_H
#define NSET_TEST_FOLDER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/neuroset-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void drop_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Path of a file in it; two are kept at a time. */
static const char *in_folder(const char *name)
{
    static char path[2][128];
    static int k;

    k = !k;
    snprintf(path[k], sizeof path[k], "%s/%s", folder, name);
    return path[k];
}

#endif
