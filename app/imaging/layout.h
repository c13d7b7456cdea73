/* What a reader of movies must find out, and helpers for it. A reader is a file read_<name>.c and a row of the table in
 * movie.c: it fills a layout, the rest is common to all.
 */
#ifndef NSET_IMAGING_LAYOUT_H
#define NSET_IMAGING_LAYOUT_H

#include "imaging/movie.h"
#include "imaging/pages.h"

/* Pictures that are no pages of files, read in any order by several threads at once. */
typedef struct nset_pictures nset_pictures;
struct nset_pictures { /* first member of each kind of them */
    size_t height, width;
    /* to (height, width) := picture index; errors as for nset_pages_read. */
    nset_status (*read)(nset_pictures *self, float *to, int64_t index, nset_error *err);
    void (*close)(nset_pictures *self);
};

typedef struct nset_layout_channel {
    char name[64]; /* "": it has none */
} nset_layout_channel;

typedef struct nset_movie_layout {
    const char *format;
    nset_pages pages;        /* the pictures; where there are none: */
    nset_pictures *pictures; /* owned */
    const char *dtype;       /* of the pictures; for pages it is known */

    int64_t n_frames;
    size_t n_channels, n_planes; /* channels: those of pages; samples of a pixel are further ones */
    int64_t *picture;            /* (n_frames, n_planes, n_channels) its page or picture, owned */
    size_t picture_room;
    nset_layout_channel *channel; /* (n_channels) names, owned; NULL: they have none */
    size_t top, height, width;    /* part of a picture that is the frame; height 0: all of it */
    double add;                   /* to each number */

    double rate_hz; /* 0: not known */
    double pixel_height_um, pixel_width_um;
    const char *shape_from;             /* what told sides and type, NULL: TIFF tags or the dataset */
    const char *rate_from, *pixel_from; /* static texts */
    json_t *facts, *warnings;
} nset_movie_layout;

/* What the user named. */
typedef struct nset_movie_input {
    const char *folder; /* the folder given, NULL: files were */
    char **path;        /* (n) files; of a folder its TIFF files in natural order */
    size_t n, room;
    const nset_movie_options *options;
    nset_ifd first; /* of the first file, if that is TIFF: its first directory and texts */
    bool is_tiff;
    char *description, *software;
    unsigned char head[32]; /* first bytes of the first file, zeros behind a shorter one */
} nset_movie_input;

typedef struct nset_movie_reader {
    const char *name;
    bool (*knows)(const nset_movie_input *in);
    /* Errors: NSET_ERR_FORMAT, NSET_ERR_ARG, NSET_ERR_NOMEM. The caller releases l in any case. */
    nset_status (*read)(nset_movie_layout *l, const nset_movie_input *in, nset_error *err);
    /* Formats that hold recordings as well: is this a movie? NULL: what the reader knows is one. */
    bool (*is_movie)(const nset_movie_input *in);
} nset_movie_reader;

extern const nset_movie_reader nset_movie_bruker, nset_movie_hdf5, nset_movie_imagej, nset_movie_micromanager,
    nset_movie_mmfolder, nset_movie_npy, nset_movie_nwb, nset_movie_ome, nset_movie_plain, nset_movie_scanimage,
    nset_movie_thorlabs;

void nset_movie_layout_fini(nset_movie_layout *l);

void nset_movie_fact(nset_movie_layout *l, const char *name, const char *from, const char *format, ...)
    NSET_PRINTF(4, 5);
void nset_movie_warn(nset_movie_layout *l, const char *format, ...) NSET_PRINTF(2, 3);

/* The axes of a run of pages. */
typedef struct nset_axes {
    int64_t n_frames;
    size_t n_channels, n_planes;
    const char *order; /* "CZT" and its permutations: which runs fastest */
} nset_axes;

/* Frames of pages from first on. The movie's channels and planes are those of the first run; path: for the message that
 * a later one differs. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_movie_append(
    nset_movie_layout *l, const nset_axes *axes, int64_t first, const char *path, nset_error *err);

/* *x := the number that key=value gives at the start of a line of text; false: no such line, or no number. */
bool nset_keyed_number(double *x, const char *text, const char *key);
/* value (n) := the text after key= up to the line's end, without blanks at its end; false: no such line. */
bool nset_keyed_text(char *value, size_t n, const char *text, const char *key);

/* Micrometres of a unit of length: um and its spellings, nm, mm, cm, m, inch; 0: none of these. */
double nset_length_um(const char *unit);
/* Seconds of a unit of time: s, ms, us, ns, min, h, d; 0: none of these. */
double nset_time_s(const char *unit);

/* The number at the start of text, whatever the locale; *end behind it, text itself when there is none. */
double nset_number(const char *text, const char **end);

#endif
