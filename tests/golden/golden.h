/* Where the test data lie, and what golden tests share. */
#ifndef NSET_TESTS_GOLDEN_H
#define NSET_TESTS_GOLDEN_H

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* path := a file of $NEUROSET_TEST_DATA, else of ../shared/data beside the repository. */
static inline const char *golden_path(char *path, size_t n, const char *format, ...)
{
    const char *root = getenv("NEUROSET_TEST_DATA");
    int k = snprintf(path, n, "%s/", root ? root : NSET_SOURCE_ROOT "/../shared/data");
    va_list args;

    va_start(args, format);
    vsnprintf(path + k, n - (size_t)k, format, args);
    va_end(args);
    return path;
}

/* A JSON file of the test data, or NULL with the reason on stdout. */
static inline json_t *golden_json(const char *name)
{
    char path[4096];
    json_error_t why;
    json_t *root = json_load_file(golden_path(path, sizeof path, "%s", name), 0, &why);

    if (!root)
        printf("SKIP: %s: %s\n", path, why.text);
    return root;
}

/* As zlib's crc32. */
static inline uint32_t golden_crc32(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return ~crc;
}

#endif
