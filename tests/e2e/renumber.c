/* renumber IN OUT: writes OUT.bin, OUT.json and OUT.probe.json with the channels of IN.bin in reverse, probe and all.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *load(const char *name, const char *ending)
{
    char path[4096];
    json_t *root;

    snprintf(path, sizeof path, "%s%s", name, ending);
    root = json_load_file(path, 0, NULL);
    if (!root)
        exit(1);
    return root;
}

static void save(json_t *root, const char *name, const char *ending)
{
    char path[4096];

    snprintf(path, sizeof path, "%s%s", name, ending);
    if (json_dump_file(root, path, JSON_INDENT(1)))
        exit(1);
    json_decref(root);
}

int main(int argc, char **argv)
{
    json_t *about = load(argc == 3 ? argv[1] : "", ".json"), *probe = load(argv[1], ".probe.json");
    json_t *wires = json_object_get(json_array_get(json_object_get(probe, "probes"), 0), "device_channel_indices");
    int n = (int)json_integer_value(json_object_get(about, "num_channels"));
    char path[4096];
    int16_t row[1024];
    FILE *in, *out;

    for (size_t i = 0; i < json_array_size(wires); i++)
        json_array_set_new(wires, i, json_integer(n - 1 - json_integer_value(json_array_get(wires, i))));
    snprintf(path, sizeof path, "%s.bin", argv[1]);
    in = fopen(path, "rb");
    snprintf(path, sizeof path, "%s.bin", argv[2]);
    out = fopen(path, "wb");
    if (!in || !out || n < 1 || n > 1024)
        return 1;
    while (fread(row, 2, (size_t)n, in) == (size_t)n)
        for (int c = n - 1; c >= 0; c--)
            fwrite(&row[c], 2, 1, out);
    fclose(in);
    fclose(out);
    json_object_set_new(about, "probe", json_string("renumbered.probe.json"));
    json_object_set_new(about, "file", json_string("renumbered.bin"));
    save(about, argv[2], ".json");
    save(probe, argv[2], ".probe.json");
    return 0;
}
