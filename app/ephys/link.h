/* Templates that are one unit: seen at two places of a drifting probe, or at the start and later in a burst.
 *
 * They stay two templates, so that matching knows both looks, and share a unit. Evidence is asked of their spikes,
 * since looks differ for a reason: burst  at lags of 2.5-15 ms their spikes are frequent, below 1.8 ms they are not:
 * one refractory period; drift  when one fires the other does not, and moved along the probe one looks like the other.
 */
#ifndef NSET_EPHYS_LINK_H
#define NSET_EPHYS_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <neuroset/error.h>
#include "ephys/probe.h"
#include "ephys/templates.h"

/* Sets trains' and templates' unit. drift: ask about movement too. reasons (an array) gets a line a link; NULL is
 * legal. Errors: NSET_ERR_NOMEM. */
nset_status nset_link(nset_templates *t, nset_trains *trains, const nset_probe *probe, double rate_hz, double samples,
    bool drift, json_t *reasons, nset_error *err);

#endif
