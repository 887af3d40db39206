// SPDX-License-Identifier: MIT
#include "store/resample.h"

#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "store/lanes.h"
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

// The buckets, from the definition: bucket i has the candidates [low, middle), the next one reaches to 'high'.
struct bucket {
    size_t low, middle, high;
    double x, y; // mean of [middle, high], towards which the triangle of this bucket points
};

// NaN when a value is, or when there is none: with three points the next bucket is empty, and the pick depends on it.
// The mean of indexes in a row is exact however it is formed; the sum of the values is taken in their order.
static ALWAYS_INLINE void set_average(const double *data, struct bucket *b)
{
    double count = (double)b->high - (double)b->middle + 1, y = 0;
    b->x = b->y = NAN;
    if (b->middle > b->high)
        return;
    for (size_t i = b->middle; i <= b->high; i++)
        y += data[i];
    b->x = (double)(b->middle + b->high) * 0.5;
    b->y = y / count;
}

#define BUCKETS_AT_ONCE 192

// Where the candidates of bucket i end. The first border is not bounded by the number of values.
static size_t bucket_border(size_t count, double width, size_t i)
{
    size_t border = (size_t)(int64_t)((double)(i + 1) * width) + 1; // positive, so the cast is floor()
    return i > 0 && border >= count - 1 ? count - 2 : border;
}

// Buckets [first, first + n): all but the pick itself, so that the sums of several buckets overlap in the processor.
static ALWAYS_INLINE void set_buckets(const double *data, size_t count, double width, size_t first, size_t n,
                                      struct bucket *buckets)
{
    size_t low = first == 0 ? 1 : bucket_border(count, width, first - 1);
    size_t middle = bucket_border(count, width, first);
    for (size_t i = 0; i < n; i++) {
        size_t high = bucket_border(count, width, first + i + 1);
        buckets[i] = (struct bucket){.low = low, .middle = middle, .high = high};
        set_average(data, &buckets[i]);
        low = middle;
        middle = high;
    }
}

// Candidates are worked on in vectors that every x86-64 and ARM64 processor has, and without branches that depend on the
// values: where the largest triangle lies cannot be predicted.
#define PARTS 8 // vectors at a time

static ALWAYS_INLINE lanes_t absolute(lanes_t v)
{
    return (lanes_t)((mask_t)v & INT64_MAX);
}

// First of the candidates [at, end), at most LANES * PARTS, with the largest area, and that area. False when an area is NaN.
// Reads up to LANES - 1 values behind the bucket. The definition halves each area, which changes no comparison.
static ALWAYS_INLINE bool pick_part(const double *data, size_t at, size_t end, double px, double py,
                                    double dy, double dx, double *ret_area, size_t *ret_index)
{
    lanes_t area[PARTS], best = {-1, -1}, i = {(double)at, (double)at + 1};
    mask_t unordered = {0, 0};
    size_t parts = (end - at + LANES - 1) / LANES;
    for (size_t k = 0; k < parts; k++, i += (double)LANES) {
        lanes_t d;
        memcpy(&d, data + at + k * LANES, sizeof(d));
        area[k] = absolute((px - i) * dy - dx * (d - py));
        unordered |= area[k] != area[k];
    }
    if ((end - at) % LANES != 0) // the lane behind the bucket must not win
        area[parts - 1][1] = -2;
    for (size_t k = 0; k < parts; k++)
        best = lanes_max(area[k], best);
    *ret_area = best[0] > best[1] ? best[0] : best[1];
    uint32_t equal = 0;
    for (size_t k = 0; k < parts; k++)
        equal |= lanes_bits(area[k] == *ret_area) << (k * LANES);
    *ret_index = at + (equal ? (size_t)__builtin_ctz(equal) : 0);
    return lanes_bits(unordered) == 0;
}

static ALWAYS_INLINE bool pick_fast(const double *data, const struct bucket *b, size_t previous,
                                    size_t *ret_index)
{
    double px = (double)previous, py = data[previous], dy = b->y - py, dx = px - b->x, best = -1;
    for (size_t at = b->low; at < b->middle; at += (size_t)LANES * PARTS) {
        double area;
        size_t index;
        if (!pick_part(data, at, MIN(at + (size_t)LANES * PARTS, b->middle), px, py, dy, dx, &area, &index))
            return false;
        if (area > best) {
            best = area;
            *ret_index = index;
        }
    }
    return true;
}

// The definition, for gaps (a NaN area replaces anything) and at the end of the values.
static ALWAYS_INLINE size_t pick_plainly(const double *data, const struct bucket *b, size_t previous)
{
    double best = -1;
    size_t found = 0;
    double px = (double)previous, py = data[previous];
    for (size_t i = b->low; i < b->middle; i++) {
        double area = fabs(((px - (double)i) * (b->y - py) - (px - b->x) * (data[i] - py)) * 0.5);
        if (area > best || isnan(area)) {
            best = area;
            found = i;
        }
    }
    return found;
}

static ALWAYS_INLINE size_t pick(const double *data, size_t count, const struct bucket *b, size_t previous)
{
    size_t found = 0;
    if (b->middle + LANES > count || !pick_fast(data, b, previous, &found))
        return pick_plainly(data, b, previous);
    return found;
}

// A pick must wait for the one before, and the processor with it. So a window of buckets is cut into strands that advance
// side by side, each but the first from a guess of where its predecessor ends. Then every strand is followed again from the
// right start until a pick is the guessed one: from there on all are the same, because a pick depends on the one before and
// nothing else. That is soon so, as a rule; where it never is, the work is done twice.
#define STRANDS 4

static ALWAYS_INLINE void follow_strands(const double *data, size_t count, const struct bucket *buckets,
                                         size_t length, size_t previous, size_t *picks)
{
    size_t at[STRANDS] = {previous};
    for (size_t k = 1; k < STRANDS; k++)
        at[k] = buckets[k * length].low - 1;
    for (size_t i = 0; i < length; i++) {
        for (size_t k = 0; k < STRANDS; k++)
            picks[k * length + i] = at[k] = pick(data, count, &buckets[k * length + i], at[k]);
    }
}

static ALWAYS_INLINE void mend_strand(const double *data, size_t count, const struct bucket *buckets,
                                      size_t length, size_t previous, size_t *picks)
{
    for (size_t i = 0; i < length; i++) {
        size_t found = pick(data, count, &buckets[i], previous);
        if (found == picks[i])
            return;
        picks[i] = previous = found;
    }
}

// The picks of n buckets; 'previous' is the pick before the first of them.
static ALWAYS_INLINE void pick_window(const double *data, size_t count, const struct bucket *buckets,
                                      size_t n, size_t previous, size_t *picks)
{
    size_t length = n / STRANDS;
    if (length > 0)
        follow_strands(data, count, buckets, length, previous, picks);
    for (size_t k = 1; length > 0 && k < STRANDS; k++)
        mend_strand(data, count, buckets + k * length, length, picks[k * length - 1], picks + k * length);
    for (size_t i = length * STRANDS; i < n; i++)
        picks[i] = pick(data, count, &buckets[i], i > 0 ? picks[i - 1] : previous);
}

static ALWAYS_INLINE void pick_all(const double *data, size_t count, size_t out_count, double *out)
{
    ASSERT(out_count >= 2 && out_count <= count);
    struct bucket buckets[BUCKETS_AT_ONCE];
    size_t picks[BUCKETS_AT_ONCE], previous = 0, n;
    double width = out_count > 2 ? (double)(count - 2) / (double)(out_count - 2) : 0;
    out[0] = data[0];
    for (size_t first = 0; first + 2 < out_count; first += n) {
        n = MIN(out_count - 2 - first, (size_t)BUCKETS_AT_ONCE);
        set_buckets(data, count, width, first, n, buckets);
        pick_window(data, count, buckets, n, previous, picks);
        previous = picks[n - 1];
        for (size_t i = 0; i < n; i++)
            out[first + i + 1] = data[picks[i]];
    }
    out[out_count - 1] = data[count - 1];
}

// Wider registers' instructions need fewer copies; the results are the same.
#ifdef __x86_64__
__attribute__((target("avx2"))) static void pick_all_avx2(const double *data, size_t count, size_t out_count,
                                                          double *out)
{
    pick_all(data, count, out_count, out);
}
#endif

void resample_pick(const double *data, size_t count, size_t out_count, double *out)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        pick_all_avx2(data, count, out_count, out);
        return;
    }
#endif
    pick_all(data, count, out_count, out);
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
