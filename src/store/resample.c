// SPDX-License-Identifier: MIT
#include "store/resample.h"

#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "store/store.h"

int resample_size(size_t count, int64_t old_step_s, int64_t new_step_s, size_t minimum_points,
                  size_t *ret_count, int64_t *ret_step_s, struct error *err)
{
    *ret_count = count;
    *ret_step_s = old_step_s;
    if (old_step_s == 0 || new_step_s == 0 || new_step_s <= old_step_s)
        return 0;
    if (new_step_s % old_step_s != 0)
        return error_set(err, ERR_INVALID,
                         "new sampling frequency (%lld) must be a multiple of old frequency (%lld)",
                         (long long)new_step_s, (long long)old_step_s);
    size_t buckets = count / (size_t)(new_step_s / old_step_s);
    if (buckets == 0 || count < minimum_points || buckets >= count)
        return 0;
    *ret_count = MAX(buckets, (size_t)2);
    *ret_step_s = new_step_s;
    return 0;
}

struct point {
    double x, y;
};

// Mean of [first, last]; NaN when a value is, or when there is none (three buckets: the pick depends on it).
static struct point average(const double *data, size_t first, size_t last)
{
    double x = 0, y = 0;
    double count = (double)last - (double)first + 1;
    if (first > last)
        return (struct point){NAN, NAN};
    for (size_t i = first; i <= last; i++) {
        x += (double)i;
        y += data[i];
    }
    return (struct point){x / count, y / count};
}

// Value in [first, end) with the largest triangle; a NaN area replaces anything.
static size_t pick(const double *data, size_t first, size_t end, size_t previous, struct point next)
{
    double best = -1;
    size_t found = 0;
    double px = (double)previous, py = data[previous];
    for (size_t i = first; i < end; i++) {
        double area = fabs(((px - (double)i) * (next.y - py) - (px - next.x) * (data[i] - py)) * 0.5);
        if (area > best || isnan(area)) {
            best = area;
            found = i;
        }
    }
    return found;
}

void resample_pick(const double *data, size_t count, size_t out_count, double *out)
{
    ASSERT(out_count >= 2 && out_count <= count);
    double width = out_count > 2 ? (double)(count - 2) / (double)(out_count - 2) : 0;
    size_t previous = 0, low = 1, middle = (size_t)floor(width) + 1;
    out[0] = data[0];
    for (size_t i = 0; i + 2 < out_count; i++) {
        size_t high = (size_t)floor((double)(i + 2) * width) + 1;
        if (high >= count - 1)
            high = count - 2;
        previous = pick(data, low, middle, previous, average(data, middle, high));
        out[i + 1] = data[previous];
        low = middle;
        middle = high;
    }
    out[out_count - 1] = data[count - 1];
}

int store_resample(const double *data, size_t count, int64_t old_step_s, int64_t new_step_s,
                   size_t minimum_points, double *out, size_t *ret_count, int64_t *ret_step_s,
                   struct error *err)
{
    int rc = resample_size(count, old_step_s, new_step_s, minimum_points, ret_count, ret_step_s, err);
    if (rc)
        return rc;
    if (*ret_step_s == new_step_s && new_step_s != old_step_s)
        resample_pick(data, count, *ret_count, out);
    else if (count)
        memcpy(out, data, count * sizeof(*out));
    return 0;
}
