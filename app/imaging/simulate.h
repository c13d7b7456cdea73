/* Simulated calcium movies with exact truth.
 *
 * In the field: ring-shaped and filled somata, some touching, some silent; blurred cells out of the plane, dendrites
 * and boutons that are active and not labelled; neuropil as bright as resting cells, textured, with slow dynamics of
 * its own; vessels, vignetting; bursting spike trains through an indicator with rise and decay; motion with jumps;
 * photon noise.
 */
#ifndef NSET_IMAGING_SIMULATE_H
#define NSET_IMAGING_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_sim_movie_options {
    size_t height, width, n_frames, n_cells;
    double diameter_px, rate_hz, photons, neuropil, silent, contaminants, motion_px;
    bool one_photon; /* a wide-field microscope: filled, blurred cells over a glow of all depths, many photons */
    uint64_t seed;
} nset_sim_movie_options;

#define NSET_SIM_MOVIE_INIT                                                                                            \
    {                                                                                                                  \
        .height = 160, .width = 160, .n_frames = 400, .n_cells = 25, .diameter_px = 10, .rate_hz = 10, .photons = 8,   \
        .neuropil = .7, .silent = .2, .contaminants = .4, .motion_px = .5, .seed = 1                                   \
    }

typedef struct nset_sim_cell {
    double row, column, radius_a, radius_b, angle; /* ellipse of the label */
    int labelled, active, cut;                     /* cut: reaches over the border */
    size_t n_pixels;
    int32_t *pixel; /* of the label inside the field */
} nset_sim_cell;

typedef struct nset_sim_movie {
    size_t height, width, n_frames, n_cells;
    uint16_t *frames; /* (n_frames, height, width) */
    nset_sim_cell *cells;
    float *trace;       /* (n_cells, n_frames) photons a frame of the cell */
    float *spikes;      /* (n_cells, n_frames) */
    double (*shift)[2]; /* (n_frames) rows, columns */
} nset_sim_movie;

/* In memory. Errors: NSET_ERR_NOMEM. Free with nset_sim_movie_free. */
nset_status nset_sim_movie_make(nset_sim_movie **out, const nset_sim_movie_options *o, nset_error *err);
void nset_sim_movie_free(nset_sim_movie *m);

/* Files of DIR: movie.tif, regions.json, ignore.json, truth.npz. Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_simulate_movie(const char *dir, const nset_sim_movie_options *o, nset_error *err);

#endif
