/* The OME-XML of a TIFF file: sizes, which page of which file is which plane, times, pixel size. */
#ifndef NSET_IMAGING_OME_XML_H
#define NSET_IMAGING_OME_XML_H

#include "imaging/named_files.h"

typedef struct nset_ome_block {  /* count pages from ifd on are the planes from z, c, t on, in the image's order */
    nset_named_file file;        /* name "": the file itself */
    int64_t ifd, z, c, t, count; /* count -1: all that there are */
} nset_ome_block;

typedef struct nset_ome {
    char companion[256]; /* base name of the file that holds the XML, "": it is here */
    int n_images, image; /* the one that is meant */
    int64_t size[5];     /* X, Y, Z, C, T */
    char order[4];       /* of C, Z, T, the fastest first */
    double interval_s;   /* 0: not told */
    const char *interval_from;
    double pixel_width_um, pixel_height_um; /* 0: not told */
    nset_ome_block *block;                  /* owned */
    size_t n_blocks, block_room;
    nset_layout_channel *channel; /* owned */
    size_t n_channels, channel_room;
} nset_ome;

/* Errors: NSET_ERR_FORMAT when the text is no sound XML of an image (a document type is refused: it is never needed,
 * and a way to make readers fetch files or to fill the memory); NSET_ERR_NOMEM. nset_ome_fini in any case. */
nset_status nset_ome_parse(nset_ome *o, const char *text, const char *path, nset_error *err);
void nset_ome_fini(nset_ome *o);

#endif
