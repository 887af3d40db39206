// SPDX-License-Identifier: MIT
// Foreign bytes as a snapshot of either format: refused with an error, or read; what was read is written in both formats, and
// these files hold the same.
#include <math.h>
#include <stdlib.h>

#include "base/macros.h"
#include "store/checkpoint.h"

#define MAX_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_float(double a, double b, bool json)
{
    float x = (float)a, y = (float)b;
    if (json && !isfinite(x)) // null
        return isnan(y);
    return isnan(x) ? isnan(y) : memcmp(&x, &y, sizeof(x)) == 0;
}

static void check_same_metric(const struct checkpoint_metric *a, const struct checkpoint_metric *b, bool json)
{
    ASSERT(slice_eq(a->name, b->name) && a->frequency_s == b->frequency_s && a->start == b->start);
    ASSERT(a->frequency_s > 0 && a->values.count == b->values.count);
    for (size_t i = 0; i < a->values.count; i++) {
        double x, y;
        checkpoint_get_values(&a->values, i, 1, &x);
        checkpoint_get_values(&b->values, i, 1, &y);
        ASSERT(same_float(x, y, json));
    }
}

static void check_same_level(const struct checkpoint_level *a, const struct checkpoint_level *b)
{
    ASSERT(slice_eq(a->name, b->name) && a->metric_count == b->metric_count &&
           a->child_count == b->child_count);
    for (size_t i = 0; i < a->metric_count; i++)
        check_same_metric(&a->metrics[i], &b->metrics[i], false);
    for (size_t i = 0; i < a->child_count; i++)
        check_same_level(&a->children[i], &b->children[i]);
}

// The JSON file of *checkpoint, read again. *file must outlive *ret.
static void write_and_read(const struct checkpoint *checkpoint, struct arena *arena, struct buf *file,
                           struct checkpoint *ret)
{
    buf_init(file, MAX_BYTES);
    checkpoint_format_bytes(CHECKPOINT_JSON, checkpoint, file);
    ASSERT(!buf_failed(file));
    ASSERT(checkpoint_parse(CHECKPOINT_JSON, buf_slice(file), arena, ret, NULL) == 0);
    ASSERT(ret->from == checkpoint->from && ret->to == checkpoint->to);
}

// JSON keeps one member of each name, and names as UTF-8, which may change their order: from the second file on nothing changes.
static void check_json(const struct checkpoint *checkpoint, struct arena *arena)
{
    struct checkpoint read[3];
    struct buf files[3];
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        write_and_read(i ? &read[i - 1] : checkpoint, arena, &files[i], &read[i]);
    if (checkpoint->root.metric_count == 1 && slice_is_utf8(checkpoint->root.metrics[0].name))
        check_same_metric(&checkpoint->root.metrics[0], &read[0].root.metrics[0], true);
    ASSERT(slice_eq(buf_slice(&files[1]), buf_slice(&files[2])));
    check_same_level(&read[1].root, &read[2].root);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        buf_release(&files[i]);
}

static void check_bin(const struct checkpoint *checkpoint, struct arena *arena)
{
    struct checkpoint again;
    struct buf file;
    buf_init(&file, MAX_BYTES);
    checkpoint_format_bytes(CHECKPOINT_BIN, checkpoint, &file);
    ASSERT(!buf_failed(&file));
    ASSERT(checkpoint_parse(CHECKPOINT_BIN, buf_slice(&file), arena, &again, NULL) == 0 &&
           again.has_checksum);
    ASSERT(again.from == checkpoint->from && again.to == checkpoint->to);
    check_same_level(&checkpoint->root, &again.root);
    buf_release(&file);
}

static void check(enum checkpoint_format format, struct slice bytes)
{
    struct error err = ERROR_INIT;
    struct checkpoint checkpoint;
    struct arena *arena = arena_new(MAX_BYTES);
    int rc = checkpoint_parse(format, bytes, arena, &checkpoint, &err);
    if (rc == 0) {
        check_bin(&checkpoint, arena);
        check_json(&checkpoint, arena);
    } else {
        ASSERT(rc == ERR_CORRUPT && err.code == ERR_CORRUPT && err.text[0]);
        // Memory is bounded by the size of the file (MS-36).
        ASSERT(format == CHECKPOINT_JSON || arena_used_bytes(arena) <= 5 * bytes.len + 1024);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    check(CHECKPOINT_BIN, bytes);
    check(CHECKPOINT_JSON, bytes);
    return 0;
}
