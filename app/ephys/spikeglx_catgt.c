#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/spikeglx.h"
#include "results/small_files.h"

enum { MOST_TEXT = 16 << 20, MOST_JOINTS = 100000 };

/* name (n) := what CatGT calls the stream of a file, from what follows "_tcat." in its name; false: it has no name. */
static bool name_row(char *name, size_t n, const char *tail)
{
    const char *kind = !strncmp(tail, "imec", 4) ? "im" : !strncmp(tail, "obx", 3) ? "obx" : "ni";
    const char *number = tail + (*kind == 'i' ? 4 : 3);
    size_t digits = strspn(number, "0123456789");

    if (!strncmp(tail, "nidq.", 5))
        snprintf(name, n, "smp_ni:");
    else if (*kind == 'n' || digits == 0 || digits > 6 || number[digits] != '.')
        return false;
    else
        snprintf(name, n, "smp_%s%.*s%.*s:", kind, *kind == 'i' ? 2 : 0, number + digits + 1, (int)digits, number);
    return true;
}

/* The text beside the data, or one folder up, and its path; NULL: there is none that can be read. */
static char *find_text(char path[4096], const char *data, const char *name, int n_name)
{
    static const char *const where[] = { "", "../" };
    char *text = NULL;

    for (size_t i = 0; i < 2 && !text; i++) {
        nset_error err = { 0 };
        snprintf(path, 4096, "%.*s%s%.*s_ct_offsets.txt", (int)(name - data), data, where[i], n_name, name);
        if (access(path, R_OK) || nset_read_text(&text, path, MOST_TEXT, &err) != NSET_OK)
            text = NULL;
    }
    return text;
}

static const char *find_row(const char *text, const char *name)
{
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, name, strlen(name)))
            return line + strlen(name);
    return NULL;
}

nset_status nset_spikeglx_catgt(nset_layout *l, nset_error *err)
{
    const char *name = strrchr(l->data_path, '/') ? strrchr(l->data_path, '/') + 1 : l->data_path;
    const char *cat = strstr(name, "_tcat."), *row;
    char path[4096], stream[40], *text, *end;
    int64_t last = 0, n_frames = 0;
    size_t joints = 0;
    nset_status status;

    if (!cat || !name_row(stream, sizeof stream, cat + 6) ||
        !(text = find_text(path, l->data_path, name, (int)(cat - name))))
        return NSET_OK;
    status = nset_file_frames(&n_frames, l->data_path, 0, l->n_columns * sizeof(int16_t), err);
    for (row = find_row(text, stream); row && status == NSET_OK && joints < MOST_JOINTS; row = end) {
        long long at;
        row += strspn(row, " \t");
        if (!isdigit((unsigned char)*row))
            break;
        at = strtoll(row, &end, 10);
        if (at == 0)
            continue;
        if (at <= last || at >= n_frames) {
            nset_layout_warn(l, "%s: %s %lld does not follow %lld, or is none of the %lld frames: left out", path,
                stream, at, (long long)last, (long long)n_frames);
            break;
        }
        status = nset_layout_add_gap(l, at, 0, err);
        last = at;
        joints++;
    }
    if (joints)
        nset_layout_fact(l, "joined by CatGT", path, "%zu files", joints + 1);
    nset_free(text);
    return status;
}
