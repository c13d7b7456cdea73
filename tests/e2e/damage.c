/* damage IN OUT CHANGE...: OUT.bin, OUT.json and OUT.probe.json from IN's, with changes, in the order given:
 *
 *   constant=K:V    column K has the value V          noisy=K:SD     column K is noise of that many counts
 *   dead=K          column K is 0, a few counts of +-1  copy=K:J     column K has column J's samples
 *   unwire=K        no contact of the probe is wired to column K
 *   shuffle=SEED    columns in another order, the probe as it was
 *   renumber=SEED   columns in another order, the probe with them
 *   place=K:J       contact K lies where contact J lies
 *   gain=F          the gain is F times as large in the JSON     nogain    the JSON says none
 *   offset=V        added to every sample             invert         every sample with the other sign
 *   scale=F         every sample times F
 *   white=SD        every sample is noise             only=K         column K alone, the others leave the file
 *   rails=MS:EVERY  all columns at +-32767 for MS ms, each EVERY ms
 *   pulse=A:EVERY   a pulse of A counts and 1 ms on all columns, each EVERY ms
 *   float           float32 microvolts                volts          float32 volts, gain 1e6
 *   nan=T:K         not a number at sample T, column K, after float or volts
 *   cut=T           the first T samples               rate=R         the JSON says R Hz
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long n, n_samples; /* columns, rows */
static double *x;         /* (n_samples, n) counts, or what float and volts say */
static char type = 'i';
static json_t *about, *probe_file;

static double uniform(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform());
}

static void need(int fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "damage: %s\n", what);
    exit(1);
}

static json_t *load(const char *name, const char *ending)
{
    char path[4096];
    json_t *root;

    snprintf(path, sizeof path, "%s%s", name, ending);
    root = json_load_file(path, 0, NULL);
    need(root != NULL, path);
    return root;
}

static json_t *probe(const char *key)
{
    return json_object_get(json_array_get(json_object_get(probe_file, "probes"), 0), key);
}

static void read_samples(const char *name)
{
    char path[4096];
    int16_t *raw;
    FILE *in;

    n = (long)json_integer_value(json_object_get(about, "num_channels"));
    snprintf(path, sizeof path, "%s.bin", name);
    need((in = fopen(path, "rb")) && !fseek(in, 0, SEEK_END) && n > 0, path);
    n_samples = ftell(in) / (2 * n);
    rewind(in);
    raw = malloc((size_t)(n_samples * n) * sizeof *raw + 1);
    x = malloc((size_t)(n_samples * n) * sizeof *x + 1);
    need(raw && x && fread(raw, 2, (size_t)(n_samples * n), in) == (size_t)(n_samples * n), path);
    fclose(in);
    for (long i = 0; i < n_samples * n; i++)
        x[i] = raw[i];
    free(raw);
}

static void write_all(const char *name)
{
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    char path[4096], text[600];
    FILE *out;

    snprintf(path, sizeof path, "%s.bin", name);
    need((out = fopen(path, "wb")) != NULL, path);
    for (long i = 0; i < n_samples * n; i++) {
        float f = (float)x[i];
        int16_t v = (int16_t)fmin(fmax(rint(x[i]), -32768), 32767);
        fwrite(type == 'i' ? (void *)&v : (void *)&f, type == 'i' ? 2 : 4, 1, out);
    }
    fclose(out);
    snprintf(text, sizeof text, "%s.bin", base);
    json_object_set_new(about, "file", json_string(text));
    snprintf(text, sizeof text, "%s.probe.json", base);
    json_object_set_new(about, "probe", json_string(text));
    json_object_set_new(about, "num_channels", json_integer(n));
    json_object_set_new(about, "num_samples", json_integer(n_samples));
    json_object_set_new(about, "dtype", json_string(type == 'i' ? "int16" : "float32"));
    snprintf(path, sizeof path, "%s.json", name);
    need(!json_dump_file(about, path, JSON_INDENT(1)), path);
    snprintf(path, sizeof path, "%s.probe.json", name);
    need(!json_dump_file(probe_file, path, JSON_INDENT(1)), path);
}

/* ---- changes ---- */

static void wire(long column, long to)
{
    json_t *wires = probe("device_channel_indices");

    for (size_t i = 0; i < json_array_size(wires); i++)
        if (json_integer_value(json_array_get(wires, i)) == column)
            json_array_set_new(wires, i, json_integer(to));
}

static void reorder(long seed, int with_probe)
{
    long *order = malloc((size_t)n * sizeof *order);
    double *row = malloc((size_t)n * sizeof *row);
    json_t *wires = probe("device_channel_indices");

    need(order && row, "memory");
    for (long c = 0; c < n; c++)
        order[c] = c;
    for (long k = 0; k < seed; k++)
        uniform();
    for (long c = n - 1; c > 0; c--) {
        long k = (long)(uniform() * (double)(c + 1)), t = order[c];
        order[c] = order[k];
        order[k] = t;
    }
    for (long t = 0; t < n_samples; t++) {
        memcpy(row, x + t * n, (size_t)n * sizeof *row);
        for (long c = 0; c < n; c++)
            x[t * n + order[c]] = row[c];
    }
    for (size_t i = 0; with_probe && i < json_array_size(wires); i++)
        json_array_set_new(wires, i, json_integer(order[json_integer_value(json_array_get(wires, i))]));
    free(order);
    free(row);
}

static void keep_only(long column)
{
    json_t *wires = probe("device_channel_indices");

    for (size_t i = 0; i < json_array_size(wires); i++)
        json_array_set_new(wires, i, json_integer(json_integer_value(json_array_get(wires, i)) == column ? 0 : -1));
    for (long t = 0; t < n_samples; t++)
        x[t] = x[t * n + column];
    n = 1;
}

static double column_value(const char *what, double b, long t)
{
    return !strcmp(what, "constant") ? b
           : !strcmp(what, "dead")   ? (uniform() < .02) - (uniform() < .02)
           : !strcmp(what, "noisy")  ? b * normal()
                                     : x[t * n + (long)b];
}

static double sample_value(const char *what, double a, double b, double old, double ms)
{
    double phase = b > 0 ? fmod(ms, b) : 0, since = ms < b ? -1 : phase; /* not at the very start */

    return !strcmp(what, "offset")                              ? old + a
           : !strcmp(what, "scale")                             ? old * a
           : !strcmp(what, "invert")                            ? -old
           : !strcmp(what, "white")                             ? a * normal()
           : !strcmp(what, "rails") && since >= 0 && since < a  ? (since < a / 2 ? 32767 : -32768)
           : !strcmp(what, "pulse") && since >= 0 && since < .5 ? old + a
           : !strcmp(what, "pulse") && since >= .5 && since < 1 ? old - a
                                                                : old;
}

/* float and volts: from counts to what the file then holds. */
static void to_float(double factor, double new_gain)
{
    double gain = json_number_value(json_object_get(about, "gain_to_uv"));

    for (long i = 0; i < n_samples * n; i++)
        x[i] *= gain * factor;
    json_object_set_new(about, "gain_to_uv", json_real(new_gain));
    type = 'f';
}

static void change(const char *what, double a, double b)
{
    double rate = json_number_value(json_object_get(about, "sampling_rate"));
    double gain = json_number_value(json_object_get(about, "gain_to_uv"));

    if (strstr(" constant dead noisy copy ", what))
        for (long t = 0; t < n_samples; t++)
            x[t * n + (long)a] = column_value(what, b, t);
    else if (!strcmp(what, "unwire"))
        wire((long)a, -1);
    else if (!strcmp(what, "shuffle") || !strcmp(what, "renumber"))
        reorder((long)a, what[0] == 'r');
    else if (!strcmp(what, "place"))
        json_array_set(probe("contact_positions"), (size_t)a, json_array_get(probe("contact_positions"), (size_t)b));
    else if (!strcmp(what, "gain"))
        json_object_set_new(about, "gain_to_uv", json_real(gain * a));
    else if (!strcmp(what, "nogain"))
        json_object_del(about, "gain_to_uv");
    else if (!strcmp(what, "rate"))
        json_object_set_new(about, "sampling_rate", json_real(a));
    else if (!strcmp(what, "float") || !strcmp(what, "volts"))
        to_float(what[0] == 'f' ? 1 : 1e-6, what[0] == 'f' ? 1 : 1e6);
    else if (!strcmp(what, "nan"))
        x[(long)a * n + (long)b] = (double)NAN;
    else if (!strcmp(what, "cut"))
        n_samples = (long)a < n_samples ? (long)a : n_samples;
    else if (!strcmp(what, "only"))
        keep_only((long)a);
    else
        for (long i = 0; i < n_samples * n; i++)
            x[i] = sample_value(what, a, b, x[i], 1e3 * (double)(i / n) / rate);
}

int main(int argc, char **argv)
{
    need(argc >= 3, "IN OUT CHANGE... is wanted");
    about = load(argv[1], ".json");
    probe_file = load(argv[1], ".probe.json");
    read_samples(argv[1]);
    for (int i = 3; i < argc; i++) {
        char *equals = strchr(argv[i], '='), *colon = strchr(argv[i], ':');
        double a = equals ? atof(equals + 1) : 0, b = colon ? atof(colon + 1) : 0;
        if (equals)
            *equals = '\0';
        need(strlen(argv[i]) > 2 && strstr(" constant dead noisy copy unwire shuffle renumber place gain nogain offset "
                                           "scale invert white only rails pulse float volts nan cut rate ",
                                        argv[i]),
            argv[i]);
        change(argv[i], a, b);
    }
    write_all(argv[2]);
    json_decref(about);
    json_decref(probe_file);
    free(x);
    return 0;
}
