/* The options by which a user tells what a recording's file does not say; shared by the commands that open one. */
#ifndef NSET_COMMANDS_RECORDING_OPTIONS_H
#define NSET_COMMANDS_RECORDING_OPTIONS_H

#include "cli/option.h"
#include "ephys/recording.h"

typedef struct nset_recording_settings {
    const char *format, *probe, *stream, *dtype, *overlap, *order, *endian, *not_finite;
    double rate, gain;
    long channels, header_bytes;
} nset_recording_settings;

/* Rows for a settings struct of type T with a member `in` of that type. */
#define RECORDING_ROWS(T)                                                                                              \
    { .name = "format",                                                                                                \
        .type = OPT_CHOICE,                                                                                            \
        .at = offsetof(T, in.format),                                                                                  \
        .unit = "spikeglx|openephys|openephys-legacy|intan|neuralynx|blackrock|mda|nwb|npy|json|raw",                  \
        .help = "reader, when the file does not tell" },                                                               \
        { .name = "probe",                                                                                             \
            .type = OPT_TEXT,                                                                                          \
            .at = offsetof(T, in.probe),                                                                               \
            .unit = "FILE",                                                                                            \
            .help = "places of the contacts: probeinterface or Kilosort .json, .prb, chanMap .mat, .imro, geom.csv" }, \
        { .name = "stream",                                                                                            \
            .type = OPT_TEXT,                                                                                          \
            .at = offsetof(T, in.stream),                                                                              \
            .unit = "NAME",                                                                                            \
            .help = "stream of a recording that holds several" },                                                      \
        { .name = "rate",                                                                                              \
            .type = OPT_FLOAT,                                                                                         \
            .at = offsetof(T, in.rate),                                                                                \
            .min = 1e-3,                                                                                               \
            .max = 1e6,                                                                                                \
            .unit = "Hz",                                                                                              \
            .help = "samples or frames a second" },                                                                    \
        { .name = "channels",                                                                                          \
            .type = OPT_INT,                                                                                           \
            .at = offsetof(T, in.channels),                                                                            \
            .min = 1,                                                                                                  \
            .max = 65536,                                                                                              \
            .help = "columns of a raw file" },                                                                         \
        { .name = "dtype",                                                                                             \
            .type = OPT_CHOICE,                                                                                        \
            .at = offsetof(T, in.dtype),                                                                               \
            .unit = "int16|uint16|int32|uint32|float32|float64|int8|uint8",                                            \
            .help = "type of a raw file's samples" },                                                                  \
        { .name = "gain",                                                                                              \
            .type = OPT_FLOAT,                                                                                         \
            .at = offsetof(T, in.gain),                                                                                \
            .min = -1e9,                                                                                               \
            .max = 1e9,                                                                                                \
            .unit = "uV a count",                                                                                      \
            .help = "scale of the samples" },                                                                          \
        { .name = "order",                                                                                             \
            .type = OPT_CHOICE,                                                                                        \
            .at = offsetof(T, in.order),                                                                               \
            .unit = "sample-major|channel-major",                                                                      \
            .help = "which axis of a raw file or array comes first" },                                                 \
        { .name = "endian",                                                                                            \
            .type = OPT_CHOICE,                                                                                        \
            .at = offsetof(T, in.endian),                                                                              \
            .unit = "little|big",                                                                                      \
            .help = "byte order of a raw file" },                                                                      \
        { .name = "overlap",                                                                                           \
            .type = OPT_CHOICE,                                                                                        \
            .at = offsetof(T, in.overlap),                                                                             \
            .fallback = "error",                                                                                       \
            .unit = "error|cut",                                                                                       \
            .help = "frames that two files of a recording both hold: an error, or taken from the first" },             \
        { .name = "not-finite",                                                                                        \
            .type = OPT_CHOICE,                                                                                        \
            .at = offsetof(T, in.not_finite),                                                                          \
            .fallback = "error",                                                                                       \
            .unit = "error|zero",                                                                                      \
            .help = "samples that are no finite numbers: an error, or read as 0" },                                    \
    {                                                                                                                  \
        .name = "header-bytes", .type = OPT_INT, .at = offsetof(T, in.header_bytes), .max = 1e12,                      \
        .help = "bytes to skip at the start of a raw file"                                                             \
    }

static inline nset_recording_options nset_recording_options_of(const nset_recording_settings *s)
{
    return (nset_recording_options){ .format = s->format,
        .probe = s->probe,
        .stream = s->stream,
        .rate_hz = s->rate,
        .gain_uv = s->gain,
        .n_channels = s->channels,
        .dtype = s->dtype,
        .header_bytes = s->header_bytes,
        .order = s->order,
        .endian = s->endian,
        .zero_not_finite = s->not_finite && s->not_finite[0] == 'z',
        .cut_overlap = s->overlap && s->overlap[0] == 'c' };
}

#endif
