/* A source without steps where the stretches of a recording are joined.
 *
 * An amplifier's offset may differ from one stretch to the next by thousands of noise standard deviations, and a filter
 * would ring for tens of milliseconds at the step. From each gap on, a channel is moved by the difference of its means
 * just before and just after the gap; what is left there is blanked (whiten.h).
 */
#ifndef NSET_EPHYS_LEVEL_H
#define NSET_EPHYS_LEVEL_H

#include "ephys/recording.h"

/* recording is used, not owned; closing the source leaves it. Reads a few milliseconds around each gap. Errors: those
 * of reading, NSET_ERR_NOMEM. */
nset_status nset_level_open(nset_source **out, const nset_recording *recording, nset_error *err);

#endif
