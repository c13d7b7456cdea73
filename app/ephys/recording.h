/* A recording: samples, probe, and where each number came from.
 *
 * Channels are put in canonical order when a recording is opened: by shank, then y, then x, then the order of the file
 * for contacts at the same place. Everything downstream sees that order, so that renumbering the channels of a file
 * together with its probe changes nothing. file_channel says which column of the file a channel is.
 */
#ifndef NSET_EPHYS_RECORDING_H
#define NSET_EPHYS_RECORDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ephys/probe.h"
#include "signal/source.h"

/* What the user says of a recording; zero or NULL: not said, the file must know. */
typedef struct nset_recording_options {
    const char *format; /* name of a reader */
    const char *probe;  /* file */
    const char *stream; /* Open Ephys stream or SpikeGLX stream */
    double rate_hz;
    double gain_uv;    /* microvolts a count */
    long n_channels;   /* columns of the file */
    const char *dtype; /* int16, uint16, int32, float32 ... */
    long header_bytes;
    const char *order;    /* sample-major, channel-major: which axis of a raw file or array comes first */
    const char *endian;   /* little, big: of a raw file */
    bool zero_not_finite; /* samples that are no numbers are read as 0; else they are an error */
    bool cut_overlap;     /* frames that two files hold are taken from the first; else they are an error */
} nset_recording_options;

static inline bool nset_channel_major(const nset_recording_options *o)
{
    return o->order && o->order[0] == 'c';
}

/* Frames of one file, interleaved, one after the other. */
typedef struct nset_piece {
    char *path;       /* owned */
    int64_t offset;   /* byte of its first frame */
    int64_t n_frames; /* -1: to the end of the file */
    bool to_end;      /* found out on opening: nothing of the file but its header and a torn frame is left out */
} nset_piece;

/* Between frames sample - 1 and sample. Samples are counted through the recording: a gap takes no index. */
typedef struct nset_gap {
    int64_t sample;
    double seconds; /* missing there; negative: the clock went back; 0: files meet, and how is not known */
} nset_gap;

typedef struct nset_recording {
    nset_source *source;  /* microvolts, canonical channel order; owned */
    nset_probe probe;     /* canonical order */
    size_t *file_channel; /* (n_channels) column in the file, owned */
    bool *unused;         /* (n_channels) reference or switched off, NULL: none; owned */
    char *path;           /* of the data file, owned */
    const char *format;   /* name of the reader that opened it */
    const char *dtype;    /* of the file's samples */
    bool big_endian;
    size_t n_file_channels; /* columns of the file, sync and others included */
    int64_t header_bytes;
    nset_piece *piece; /* owned; of one file or of several; with n_pieces 0 the samples do not lie interleaved */
    size_t n_pieces;
    nset_gap *gap; /* owned; ascending, inside the recording */
    size_t n_gaps;
    double start_s;   /* time of sample 0, 0 where it is not told */
    double gain_uv;   /* 0 when channels differ */
    json_t *facts;    /* array of {"name", "value", "from"}: what info prints and run.json keeps */
    json_t *warnings; /* array of strings */
} nset_recording;

nset_status nset_recording_open(nset_recording **out, const char *const *paths, size_t n_paths,
    const nset_recording_options *options, nset_error *err);
/* Time of a sample: start_s + sample / rate + the gaps up to it. */
double nset_recording_seconds(const nset_recording *r, int64_t sample);

void nset_recording_close(nset_recording *r);

#endif
