/* What a reader finds out about a recording's file: everything needed to turn its bytes into microvolts.
 *
 * A reader only parses headers and fills this; the one source in layout.c reads the samples. Channels are in file order
 * here; nset_recording_open puts them in canonical order.
 */
#ifndef NSET_EPHYS_LAYOUT_H
#define NSET_EPHYS_LAYOUT_H

#include <stdbool.h>
#include "ephys/recording.h"

typedef struct nset_layout {
    char *data_path; /* owned */
    char dtype[12];  /* int16, uint16, int32, float32, float64, int8, uint8 */
    bool big_endian;
    int64_t header_bytes;
    double rate_hz;
    double stated_samples;    /* what the header says, 0: nothing; the file's length is believed */
    size_t n_columns;         /* of the file */
    size_t n;                 /* columns that are electrodes */
    size_t *column;           /* (n), owned */
    double *gain_uv;          /* (n), owned */
    double *offset_uv;        /* (n), owned */
    bool has_places;          /* probe is known */
    nset_probe probe;         /* (n), file order */
    json_t *facts, *warnings; /* as in nset_recording; owned */
} nset_layout;

typedef struct nset_reader {
    const char *name, *about;
    bool says_all; /* columns, type and start of the samples are in the file: options cannot change them */
    /* Is path of this format? Cheap; never an error. */
    bool (*probe)(const char *path);
    nset_status (*open)(nset_layout *out, const char *path, const nset_recording_options *o, nset_error *err);
} nset_reader;

extern const nset_reader nset_reader_json, nset_reader_npy, nset_reader_spikeglx, nset_reader_openephys,
    nset_reader_raw;

/* Makes column, gain, offset and probe for n electrodes: column i, gain 1, offset 0, at 0. */
nset_status nset_layout_channels(nset_layout *l, size_t n, nset_error *err);
void nset_layout_fini(nset_layout *l);

/* A row of what info prints: value by printf, from where it came. */
void nset_layout_fact(nset_layout *l, const char *name, const char *from, const char *format, ...) NSET_PRINTF(4, 5);
void nset_layout_warn(nset_layout *l, const char *format, ...) NSET_PRINTF(2, 3);

/* The source of a layout, canonical[i] the electrode that becomes channel i. Checks the file's length. */
nset_status nset_layout_source(nset_source **out, nset_layout *l, const size_t *canonical, nset_error *err);

/* Bytes of a sample of a dtype, 0 when it is not one of ours. */
size_t nset_dtype_size(const char *dtype);

/* Whole text file of at most limit bytes, ending with 0; nset_free it. Errors: NSET_ERR_FORMAT. */
nset_status nset_read_text(char **out, const char *path, size_t limit, nset_error *err);
/* JSON object of a file; decref it. Errors: NSET_ERR_FORMAT with line and column. */
nset_status nset_read_json(json_t **out, const char *path, nset_error *err);
/* path := the folder of beside + name. */
void nset_path_beside(char *path, size_t n, const char *beside, const char *name);

/* Places of a probeinterface file, for the columns of l; columns without a contact leave the layout (said). */
nset_status nset_probe_file(nset_layout *l, const char *path, nset_error *err);

#endif
