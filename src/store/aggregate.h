// SPDX-License-Identifier: MIT
// Sums of many series on one grid, in integers.
//
// Short decimals of one scale add up as integers: packed codes are added as they are unpacked, what is common to a run of
// values (the base of a frame, a constant, a step) is added once, at its begin, and taken off at its end. The sum is exact
// and is rounded once, by the division at the end; adding doubles one by one (metric-store.md 4.6) differs from it by
// their rounding errors, in the last of some sixteen digits.
#ifndef STORE_AGGREGATE_H
#define STORE_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "store/series.h"

// The sums of the first 'points' values of all plans, each times 'factor' (1 for the sum, 1/n for the mean); NaN where a
// contributor has none. Scratch memory comes from the arena: some 13 bytes a point; false when it has no room.
bool aggregate_sum(const struct series_plan *plans, size_t count, size_t points, double factor,
                   struct arena *arena, double *out);

#endif
