// SPDX-License-Identifier: MIT
// Largest Triangle Three Buckets as upstream computes it (metric-store.md 5.4): S. Steinarsson, "Downsampling
// Time Series for Visual Representation", 2013. Pure functions. store_resample of store.h is the whole of it.
#ifndef STORE_RESAMPLE_H
#define STORE_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

// What resampling 'count' values would give: number of values and their step. ERR_INVALID when new_step_s is
// no multiple of old_step_s.
int resample_size(size_t count, int64_t old_step_s, int64_t new_step_s, size_t minimum_points,
                  size_t *ret_count, int64_t *ret_step_s, struct error *err) MUST_CHECK;
// Picks of count values into out; out_count as resample_size says, less than count.
void resample_pick(const double *data, size_t count, size_t out_count, double *out);

#endif
