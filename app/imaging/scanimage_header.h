/* ScanImage's header: lines of key = value, the values as MATLAB writes them; keys changed from version to version. */
#ifndef NSET_IMAGING_SCANIMAGE_HEADER_H
#define NSET_IMAGING_SCANIMAGE_HEADER_H

#include "imaging/layout.h"

enum { NSET_SCANIMAGE_CHANNELS = 64 };

typedef struct nset_scanimage {
    char version[32];
    int n_channels, channel[NSET_SCANIMAGE_CHANNELS]; /* the saved ones' numbers, from 1 on */
    char names[1024];                                 /* of all channels, a MATLAB cell; "": not told */
    int64_t slices, flyback;                          /* of a volume */
    int64_t frames_per_slice;                         /* of a slow stack, 0: endless */
    bool fast;                                        /* the pages of a volume follow each other */
    double frame_rate_hz, volume_rate_hz;             /* of the scanner, volumes: 0 where not told */
    double averaged;                                  /* scanned frames a stored one */
    double fov_um[2];                                 /* height, width; 0: not told */
    bool several_fields;
    char offsets[256], subtracted[256]; /* as written */
} nset_scanimage;

/* text: of the whole file; page_text: of page 0. */
void nset_scanimage_parse(nset_scanimage *s, const char *text, const char *page_text);

/* The number of a frame and its time in s out of the text of a page; -1 and NAN where it does not say. */
void nset_scanimage_frame(const char *text, double *number, double *seconds);

/* name (n) := the channel's name, "" when it has none. */
void nset_scanimage_channel_name(const nset_scanimage *s, int channel, char *name, size_t n);

#endif
