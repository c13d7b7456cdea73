/* A movie: frames one can read in any order, and where each number came from.
 *
 * A file holds frames x channels x planes of height x width pixels. A movie is one channel of one plane of it: the
 * frames that the rest of the program sees. Nothing is kept of a frame once it was read.
 */
#ifndef NSET_IMAGING_MOVIE_H
#define NSET_IMAGING_MOVIE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_movie nset_movie;

enum {
    NSET_FRAME_FULL,   /* or not read yet */
    NSET_FRAME_PARTLY, /* some pixels are no numbers */
    NSET_FRAME_EMPTY   /* all pixels are one number, or none is a number */
};

struct nset_movie { /* first member of each reader and each stage */
    const char *format;
    int64_t n_frames;
    size_t n_channels, n_planes; /* of the file; 0 is read as 1 */
    size_t channel, plane;       /* the one that is read, from 0 */
    size_t height, width;
    double rate_hz;  /* frames (volumes) a second; 0: not known */
    double pixel_um; /* 0: not known; of pixels that are not square the geometric mean of the two: */
    double pixel_height_um, pixel_width_um;
    const char *dtype;  /* of the file's samples */
    unsigned char *met; /* (n_frames) NSET_FRAME_... of frames that were read; NULL: not watched */
    json_t *facts;      /* array of {"name", "value", "from"}, owned by the reader */
    json_t *warnings;   /* array of strings */
    /* frame (height, width) := frame index, in counts. Pixels that are no numbers are given the mean of the others; a
     * frame without any number is all 0. Errors: NSET_ERR_ARG (index), NSET_ERR_FORMAT naming file and page,
     * NSET_ERR_NOMEM. */
    nset_status (*read)(nset_movie *self, float *frame, int64_t index, nset_error *err);
    /* read may be called by several threads at once. True for all that nset_movie_open gives; a stage that wraps a
     * movie says it of itself. */
    bool concurrent;
    void (*close)(nset_movie *self);
};

typedef struct nset_movie_options { /* zero or NULL: not said */
    double rate_hz;
    double pixel_um;
    const char *channel; /* a number from 1 on in the file's order, or a name; not said: the first, with a warning */
    long plane;          /* from 1 on; not said: the first, with a warning */
    long roi;            /* field of several scanned at once, from 1 on; not said: the first, with a warning */
    const char *series;  /* dataset of an HDF5 file, series of an NWB file */
    bool rows_first;     /* pictures of an NWB file are (height, width) against its rules */
    bool allow_missing;  /* what a file or folder states and does not hold is left out with a warning, not an error */
} nset_movie_options;

/* Opens files, which follow each other in time, or one folder; what is not chosen is said in facts and warnings.
 * Errors: NSET_ERR_FORMAT (file, place, expected, found), NSET_ERR_ARG (no such channel or plane), NSET_ERR_NOMEM. */
nset_status nset_movie_open(
    nset_movie **out, const char *const *paths, size_t n_paths, const nset_movie_options *options, nset_error *err);
void nset_movie_close(nset_movie *m); /* NULL is legal */

/* text (room) := the frames read so far that are of a kind, "3, 7, 9 and 4 more"; returns how many. */
size_t nset_movie_met(const nset_movie *m, int kind, char *text, size_t room);

/* Is path a movie by its name or its first bytes? Folders and files of recordings are not. */
bool nset_is_movie(const char *path);

#endif
