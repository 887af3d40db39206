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

int checkpoint_parse(enum checkpoint_format format, struct slice bytes, struct arena *arena,
                     struct checkpoint *ret, struct error *err)
{
    return format == CHECKPOINT_BIN ? checkpoint_parse_bin(bytes, arena, ret, err)
                                    : checkpoint_parse_json(bytes, arena, ret, err);
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
        if (strnum_parse_i64(slice_of(name.ptr, name.len - suffix.len), ret_from, NULL) < 0)
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
