/* What a reader finds out about a recording's file: everything needed to turn its bytes into microvolts.
 *
 * A reader only parses headers and fills this; the one source in layout_source.c reads the samples: of one file, of
 * pieces of files one after the other, or through frames where they do not lie interleaved. Channels are in file order
 * here; nset_recording_open puts them in canonical order.
 */
#ifndef NSET_EPHYS_LAYOUT_H
#define NSET_EPHYS_LAYOUT_H

#include <stdbool.h>
#include "ephys/recording.h"

/* Frames that do not lie interleaved in a file: blocks, a file a channel, HDF5. */
typedef struct nset_frames nset_frames;
struct nset_frames {
    int64_t n_frames;
    size_t n_columns;
    /* raw (n, n_columns) := counts of frames start .. start + n - 1, all inside. Errors: NSET_ERR_FORMAT. */
    nset_status (*read)(nset_frames *self, double *raw, int64_t start, size_t n, nset_error *err);
    void (*close)(nset_frames *self); /* frees self */
};

typedef struct nset_layout {
    char *data_path; /* owned; with pieces or frames what the recording is called by */
    nset_piece *piece;
    size_t n_pieces, cap_pieces; /* owned; none: one file, data_path from header_bytes to its end */
    nset_frames *frames;         /* owned; not NULL: the samples come from here */
    nset_gap *gap;
    size_t n_gaps, cap_gaps; /* owned; where stretches do not follow each other in time; ascending */
    double start_s;          /* time of frame 0 where the file tells it, else 0 */
    bool has_clock;          /* the file tells the sample number of its first frame: */
    int64_t first_sample;    /* that number */
    char dtype[12];          /* int16, uint16, int32, float32, float64, int8, uint8 */
    bool big_endian;
    int64_t header_bytes;
    double rate_hz;
    double stated_samples;    /* what the header says, 0: nothing; the file's length is believed */
    size_t n_columns;         /* of the file */
    size_t n;                 /* columns that are electrodes */
    size_t *column;           /* (n), owned */
    double *gain_uv;          /* (n), owned */
    double *offset_uv;        /* (n), owned */
    bool *unused;             /* (n) reference or switched off by the user; NULL: none; owned */
    bool has_places;          /* probe is known */
    bool zero_not_finite;     /* samples that are no numbers are read as 0; else they are an error */
    nset_probe probe;         /* (n), file order */
    json_t *facts, *warnings; /* as in nset_recording; owned */
} nset_layout;

typedef struct nset_reader {
    const char *name, *about;
    bool says_all; /* columns, type and start of the samples are in the file: options cannot change them */
    /* Is path of this format? Cheap; never an error. */
    bool (*probe)(const char *path);
    nset_status (*open)(nset_layout *out, const char *path, const nset_recording_options *o, nset_error *err);
    /* Several paths that are one recording, in the order given; NULL: one path only. */
    nset_status (*open_many)(
        nset_layout *out, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err);
} nset_reader;

extern const nset_reader nset_reader_json, nset_reader_npy, nset_reader_spikeglx, nset_reader_openephys,
    nset_reader_oelegacy, nset_reader_intan, nset_reader_neuralynx, nset_reader_blackrock, nset_reader_mda,
    nset_reader_nwb, nset_reader_raw;

/* Makes column, gain, offset and probe for n electrodes: column i, gain 1, offset 0, at 0. */
nset_status nset_layout_channels(nset_layout *l, size_t n, nset_error *err);
void nset_layout_fini(nset_layout *l);

/* Gain of files that do not tell one: --gain, else counts are microvolts, which is said. */
void nset_layout_plain_gain(nset_layout *l, const nset_recording_options *o);

/* The next piece: n_frames frames of path from byte offset, -1: to the end of the file. Errors: NSET_ERR_NOMEM. */
nset_status nset_layout_add_piece(nset_layout *l, const char *path, int64_t offset, int64_t n_frames, nset_error *err);
/* Between frames sample - 1 and sample, seconds are missing; negative: the clock went back. Errors: NSET_ERR_NOMEM. */
nset_status nset_layout_add_gap(nset_layout *l, int64_t sample, double seconds, nset_error *err);

/* Appends the frames of next, read from the same kind of file, after those of l, a gap between them where the clocks
 * say so. Both must have the same columns, type, rate, gains and places; next keeps what it owns. Frames that both
 * hold are an error unless cut, then those of next are left out. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_layout_join(nset_layout *l, nset_layout *next, bool cut, nset_error *err);

/* The same where next has a clock of its own: seconds are missing before it, whatever the clocks say; the clock of
 * next goes on. Errors: as above. */
nset_status nset_layout_join_after(nset_layout *l, nset_layout *next, double seconds, nset_error *err);
/* Time at which the last frame of l ends. */
double nset_layout_end_s(nset_layout *l);

/* Opens each path with open and joins them in this order: what open_many is where files are just put in a row.
 * Errors: those of open and of nset_layout_join. */
typedef nset_status (*nset_open_file)(
    nset_layout *out, const char *path, const nset_recording_options *o, nset_error *err);
nset_status nset_layout_open_each(nset_layout *out, nset_open_file open, const char *const *paths, size_t n,
    const nset_recording_options *o, nset_error *err);

/* Whole frames of frame_bytes that the file at path holds from byte offset on. Errors: NSET_ERR_FORMAT. */
nset_status nset_file_frames(int64_t *out, const char *path, int64_t offset, size_t frame_bytes, nset_error *err);

/* A row of what info prints: value by printf, from where it came. */
void nset_layout_fact(nset_layout *l, const char *name, const char *from, const char *format, ...) NSET_PRINTF(4, 5);
void nset_layout_warn(nset_layout *l, const char *format, ...) NSET_PRINTF(2, 3);

/* The source of a layout, canonical[i] the electrode that becomes channel i. Checks the lengths of the files; takes
 * the frames of l. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_layout_source(nset_source **out, nset_layout *l, const size_t *canonical, nset_error *err);

/* Bytes of a sample of a dtype, 0 when it is not one of ours. */
size_t nset_dtype_size(const char *dtype);

/* Places of a probeinterface file, for the columns of l; columns without a contact leave the layout (said). */
nset_status nset_probe_file(nset_layout *l, const char *path, nset_error *err);

#endif
