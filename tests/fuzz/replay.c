/* replay FOLDER: runs a fuzz target over the files of its corpus in every normal test run, each on a heap copy of the
 * exact size, and over cut and damaged copies of each, always the same ones. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/random.h>

enum { N_CUTS = 100, N_DAMAGED = 200, MAX_SIZE = 1 << 20 };

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact)
        abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* One to four bytes are replaced: by anything, by an extreme, or by one more or less. */
static void damage(uint8_t *data, size_t size, nset_random *r)
{
    static const uint8_t extremes[] = { 0, 1, 0x7f, 0x80, 0xff, '9', '-', '"' };

    for (uint32_t n = 1 + nset_random_below(r, 4); n--;) {
        uint8_t *byte = &data[nset_random_below(r, (uint32_t)size)];
        switch (nset_random_below(r, 3)) {
        case 0:
            *byte = (uint8_t)nset_random_u32(r);
            break;
        case 1:
            *byte = extremes[nset_random_below(r, sizeof extremes)];
            break;
        default:
            *byte = (uint8_t)(*byte + (nset_random_below(r, 2) ? 1 : 255));
        }
    }
}

static void run_variants(const uint8_t *data, size_t size)
{
    const size_t step = size / N_CUTS + 1;
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    run(data, size);
    for (size_t n = 0; n < size; n += step)
        run(data, n);
    for (uint64_t k = 0; k < N_DAMAGED && size; k++) {
        nset_random r = nset_random_stream(1, "damage", k);
        memcpy(copy, data, size);
        damage(copy, size, &r);
        run(copy, size);
    }
    free(copy);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    uint8_t *data = malloc(MAX_SIZE);
    struct dirent **names = NULL;
    int n = argc == 2 ? scandir(argv[1], &names, visible, alphasort) : -1;

    if (n < 1 || !data) {
        fprintf(stderr, "replay: a folder with at least one file is needed\n");
        return 99;
    }
    for (int i = 0; i < n; i++) {
        char path[1024];
        FILE *f;
        snprintf(path, sizeof path, "%s/%s", argv[1], names[i]->d_name);
        printf("%s\n", path); /* the last one shown is the one that crashed */
        fflush(stdout);
        if (!(f = fopen(path, "rb")))
            return 99;
        run_variants(data, fread(data, 1, MAX_SIZE, f));
        fclose(f);
        free(names[i]);
    }
    free(names);
    free(data);
    return 0;
}
