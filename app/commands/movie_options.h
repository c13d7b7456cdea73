/* The options by which a user tells what a movie's file does not say, and which part of it is meant. */
#ifndef NSET_COMMANDS_MOVIE_OPTIONS_H
#define NSET_COMMANDS_MOVIE_OPTIONS_H

#include "cli/option.h"
#include "imaging/movie.h"

typedef struct nset_movie_settings {
    double pixel_um;
    const char *channel, *series;
    long plane, roi;
    bool rows_first, allow_missing;
} nset_movie_settings;

/* Rows for a settings struct of type T with a member `movie` of that type. */
#define MOVIE_ROWS(T)                                                                                                  \
    { .name = "pixel",                                                                                                 \
        .type = OPT_FLOAT,                                                                                             \
        .at = offsetof(T, movie.pixel_um),                                                                             \
        .min = 1e-4,                                                                                                   \
        .max = 1e4,                                                                                                    \
        .unit = "um",                                                                                                  \
        .help = "size of a movie's pixel, when the file does not tell" },                                              \
        { .name = "channel",                                                                                           \
            .type = OPT_TEXT,                                                                                          \
            .at = offsetof(T, movie.channel),                                                                          \
            .unit = "NAME",                                                                                            \
            .help = "of a movie of several: its number from 1 on, or its name; not given: the first" },                \
        { .name = "plane",                                                                                             \
            .type = OPT_INT,                                                                                           \
            .at = offsetof(T, movie.plane),                                                                            \
            .min = 1,                                                                                                  \
            .max = 1e6,                                                                                                \
            .help = "of a movie of several depths, from 1 on; not given: the first" },                                 \
        { .name = "roi",                                                                                               \
            .type = OPT_INT,                                                                                           \
            .at = offsetof(T, movie.roi),                                                                              \
            .min = 1,                                                                                                  \
            .max = 1e4,                                                                                                \
            .help = "of several fields scanned at once, from 1 on; not given: the first" },                            \
        { .name = "series",                                                                                            \
            .type = OPT_TEXT,                                                                                          \
            .at = offsetof(T, movie.series),                                                                           \
            .unit = "NAME",                                                                                            \
            .help = "dataset of an HDF5 movie, series of an NWB movie" },                                              \
        { .name = "rows-first",                                                                                        \
            .type = OPT_FLAG,                                                                                          \
            .at = offsetof(T, movie.rows_first),                                                                       \
            .help = "pictures of an NWB movie are (height, width), against its rules" },                               \
    {                                                                                                                  \
        .name = "allow-missing", .type = OPT_FLAG, .at = offsetof(T, movie.allow_missing),                             \
        .help = "read what is there of a movie that was cut short or lacks files"                                      \
    }

static inline nset_movie_options nset_movie_options_of(const nset_movie_settings *s, double rate_hz)
{
    return (nset_movie_options){ .rate_hz = rate_hz,
        .pixel_um = s->pixel_um,
        .channel = s->channel,
        .plane = s->plane,
        .roi = s->roi,
        .series = s->series,
        .rows_first = s->rows_first,
        .allow_missing = s->allow_missing };
}

#endif
