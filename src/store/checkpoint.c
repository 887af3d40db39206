// SPDX-License-Identifier: MIT
// What both formats have in common: names of files, values, the choice between them.
#include "store/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/strnum.h"
#include "store/checkpoint-private.h"

static const char *const suffixes[] = {[CHECKPOINT_BIN] = ".bin", [CHECKPOINT_JSON] = ".json"};

int checkpoint_alloc(struct arena *arena, size_t count, size_t item_size_bytes, void **ret_array,
                     struct error *err)
{
    size_t size_bytes;
    void *array = __builtin_mul_overflow(count, item_size_bytes, &size_bytes)
                      ? NULL
                      : arena_try_alloc(arena, size_bytes);

    if (!array)
        return error_set(err, ERR_LIMIT, "snapshot: no memory for %zu entries", count);
    *ret_array = array;
    return 0;
}

static bool is_time(int64_t ts)
{
    return ts >= -CHECKPOINT_TIME_MAX && ts <= CHECKPOINT_TIME_MAX;
}

int64_t checkpoint_clamp_time(int64_t ts)
{
    return MAX(MIN(ts, CHECKPOINT_TIME_MAX), -CHECKPOINT_TIME_MAX);
}

static bool has_sound_times(const struct checkpoint_metric *metric)
{
    int64_t length;
    return is_time(metric->start) && is_time(metric->frequency_s) &&
           !__builtin_mul_overflow((int64_t)metric->values.count, metric->frequency_s, &length) &&
           is_time(length) && is_time(metric->start + length);
}

static int check_times(const struct checkpoint_level *level, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < level->metric_count; i++) {
        const struct checkpoint_metric *metric = &level->metrics[i];
        if (!has_sound_times(metric))
            return error_set(err, ERR_CORRUPT, "snapshot: metric '%.*s' has values at impossible times",
                             SLICE_FMT(metric->name));
    }
    for (size_t i = 0; rc == 0 && i < level->child_count; i++)
        rc = check_times(&level->children[i], err);
    return rc;
}

int checkpoint_parse(enum checkpoint_format format, struct slice bytes, struct arena *arena,
                     struct checkpoint *ret, struct error *err)
{
    struct checkpoint checkpoint;
    int rc = format == CHECKPOINT_BIN ? checkpoint_parse_bin(bytes, arena, &checkpoint, err)
                                      : checkpoint_parse_json(bytes, arena, &checkpoint, err);
    if (rc == 0)
        rc = check_times(&checkpoint.root, err);
    if (rc < 0)
        return rc;
    checkpoint.from = checkpoint_clamp_time(checkpoint.from);
    checkpoint.to = checkpoint_clamp_time(checkpoint.to);
    *ret = checkpoint;
    return 0;
}

void checkpoint_format_bytes(enum checkpoint_format format, const struct checkpoint *checkpoint,
                             struct buf *out)
{
    if (format == CHECKPOINT_BIN)
        checkpoint_format_bin(checkpoint, out);
    else
        checkpoint_format_json(checkpoint, out);
}

void checkpoint_get_values(const struct checkpoint_values *values, size_t first, size_t count, double *out)
{
    ASSERT(first <= values->count && count <= values->count - first);
    if (count == 0)
        return;
    if (!values->f32le) {
        memcpy(out, values->f64 + first, count * sizeof(*out));
        return;
    }
    const char *from = values->f32le + first * sizeof(float);
    for (size_t i = 0; i < count; i++) {
        float v;
        memcpy(&v, from + i * sizeof(v), sizeof(v));
        out[i] = (double)v;
    }
}

bool checkpoint_parse_name(struct slice name, int64_t *ret_from, enum checkpoint_format *ret_format)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        struct slice suffix = slice_from_cstr(suffixes[i]);
        if (!slice_ends_with(name, suffix))
            continue;
        if (strnum_parse_i64(slice_of(name.ptr, name.len - suffix.len), ret_from, NULL) < 0 ||
            !is_time(*ret_from))
            return false;
        *ret_format = (enum checkpoint_format)i;
        return true;
    }
    return false;
}

char *checkpoint_name(int64_t from, enum checkpoint_format format, char *text)
{
    snprintf(text, CHECKPOINT_NAME_SIZE, "%" PRId64 "%s", from, suffixes[format]);
    return text;
}
