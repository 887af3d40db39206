// SPDX-License-Identifier: MIT
// <from>.bin. Layout: docs/formats/checkpoint.md.
#include <math.h>

#include "codec/gzip.h"
#include "store/checkpoint-private.h"

#define CHECKSUM_MAGIC     UINT32_C(0xCC5B5C32) // behind the tree, then the CRC-32 of all bytes before it
#define METRIC_LEAST_BYTES 22                   // no name, no values
#define CHILD_LEAST_BYTES  10                   // no name, nothing in it
#define NAN_BITS           UINT32_C(0x7FC00000)

// ---- reading ----------------------------------------------------------------------------------------------

// Every count in the file keeps back the least bytes of what it announces, so that all the memory taken for a file is
// bounded by its size, however the counts of nested levels add up (MS-36).
struct cursor {
    struct slice bytes;
    size_t at;
    size_t reserved; // bytes behind 'at' that announced entries need at least
    struct arena *arena;
};

static int corrupt(const struct cursor *c, const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "snapshot: %s at byte %zu of %zu", what, c->at, c->bytes.len);
}

static size_t left(const struct cursor *c)
{
    return c->bytes.len - c->at;
}

// The caller has made sure that the bytes are there.
static uint64_t take(struct cursor *c, size_t bytes)
{
    uint64_t v = 0;
    memcpy(&v, c->bytes.ptr + c->at, bytes);
    c->at += bytes;
    return v;
}

static int take_name(struct cursor *c, struct slice *ret_name, struct error *err)
{
    if (left(c) < 2)
        return corrupt(c, "the file ends in the length of a name", err);
    size_t len = (size_t)take(c, 2);
    if (left(c) < len)
        return corrupt(c, "the file ends in a name", err);
    *ret_name = slice_of(c->bytes.ptr + c->at, len);
    c->at += len;
    return 0;
}

// A count of entries with at least 'least_bytes' each. They are kept back until 'reserved' is lowered again.
static int take_count(struct cursor *c, const char *what, size_t least_bytes, size_t *ret_count,
                      struct error *err)
{
    if (left(c) < 4)
        return corrupt(c, "the file ends in a count", err);
    size_t count = (size_t)take(c, 4);
    size_t free_bytes = left(c) > c->reserved ? left(c) - c->reserved : 0;
    if (count > free_bytes / least_bytes)
        return error_set(err, ERR_CORRUPT, "snapshot: %zu %s at byte %zu of %zu do not fit", count, what,
                         c->at - 4, c->bytes.len);
    c->reserved += count * least_bytes;
    *ret_count = count;
    return 0;
}

static int take_metric(struct cursor *c, struct checkpoint_metric *metric, struct error *err)
{
    int rc = take_name(c, &metric->name, err);
    if (rc)
        return rc;
    if (left(c) < 16)
        return corrupt(c, "the file ends in a metric", err);
    metric->frequency_s = (int64_t)take(c, 8);
    metric->start = (int64_t)take(c, 8);
    if (metric->frequency_s <= 0) { // MS-37
        c->at -= 16;
        return corrupt(c, "a metric without a positive frequency", err);
    }
    rc = take_count(c, "values", sizeof(float), &metric->values.count, err);
    if (rc)
        return rc;
    metric->values.f32le = c->bytes.ptr + c->at;
    c->at += metric->values.count * sizeof(float);
    c->reserved -= metric->values.count * sizeof(float);
    return 0;
}

static int take_metrics(struct cursor *c, struct checkpoint_level *level, struct error *err)
{
    void *metrics = NULL;
    int rc = take_count(c, "metrics", METRIC_LEAST_BYTES, &level->metric_count, err);
    if (rc == 0 && level->metric_count)
        rc = checkpoint_alloc(c->arena, level->metric_count, sizeof(*level->metrics), &metrics, err);
    level->metrics = metrics;
    for (size_t i = 0; rc == 0 && i < level->metric_count; i++) {
        c->reserved -= METRIC_LEAST_BYTES;
        rc = take_metric(c, &level->metrics[i], err);
    }
    return rc;
}

static int take_level(struct cursor *c, int depth, struct checkpoint_level *level, struct error *err)
{
    void *children = NULL;
    if (depth > CHECKPOINT_MAX_DEPTH)
        return corrupt(c, "levels are nested too deep", err);
    int rc = take_metrics(c, level, err);
    if (rc == 0)
        rc = take_count(c, "children", CHILD_LEAST_BYTES, &level->child_count, err);
    if (rc == 0 && level->child_count)
        rc = checkpoint_alloc(c->arena, level->child_count, sizeof(*level->children), &children, err);
    level->children = children;
    for (size_t i = 0; rc == 0 && i < level->child_count; i++) {
        c->reserved -= CHILD_LEAST_BYTES;
        rc = take_name(c, &level->children[i].name, err);
        if (rc == 0)
            rc = take_level(c, depth + 1, &level->children[i], err);
    }
    return rc;
}

int checkpoint_check_checksum(struct slice bytes, size_t tree_end, bool *ret_has_checksum, struct error *err)
{
    struct cursor c = {.bytes = bytes, .at = tree_end}, last = {.bytes = bytes, .at = bytes.len - 8};
    // A damaged count can end the tree early; then the checksum is where it always is, at the end of the file.
    if (bytes.len >= tree_end + 8 && take(&last, 4) == CHECKSUM_MAGIC && bytes.len != tree_end + 8)
        return corrupt(&c, "the tree ends before the checksum", err);
    if (left(&c) < 4 || take(&c, 4) != CHECKSUM_MAGIC) {
        *ret_has_checksum = false;
        return 0;
    }
    if (left(&c) < 4)
        return corrupt(&c, "the file ends in its checksum", err);
    uint32_t stored = (uint32_t)take(&c, 4), computed = crc32_ieee(0, bytes.ptr, tree_end);
    if (stored != computed)
        return error_set(err, ERR_CORRUPT, "snapshot: checksum is %08x, the %zu bytes before it have %08x",
                         stored, tree_end, computed);
    *ret_has_checksum = true;
    return 0;
}

int checkpoint_parse_header(struct slice bytes, int64_t *ret_from, int64_t *ret_to, struct error *err)
{
    struct cursor c = {.bytes = bytes};
    if (bytes.len < CHECKPOINT_HEADER_BYTES)
        return error_set(err, ERR_CORRUPT, "snapshot: %zu bytes are too few for its header", bytes.len);
    uint32_t magic = (uint32_t)take(&c, 4);
    if (magic != CHECKPOINT_MAGIC)
        return error_set(err, ERR_CORRUPT, "snapshot: magic is %08x, not %08x", magic, CHECKPOINT_MAGIC);
    *ret_from = checkpoint_clamp_time((int64_t)take(&c, 8));
    *ret_to = checkpoint_clamp_time((int64_t)take(&c, 8));
    return 0;
}

int checkpoint_parse_bin(struct slice bytes, struct arena *arena, struct checkpoint *ret, struct error *err)
{
    struct checkpoint checkpoint = {.root.name = SLICE_EMPTY};
    int rc = checkpoint_parse_header(bytes, &checkpoint.from, &checkpoint.to, err);
    if (rc)
        return rc;
    struct cursor c = {.bytes = bytes, .at = CHECKPOINT_HEADER_BYTES, .arena = arena};
    rc = take_level(&c, 0, &checkpoint.root, err);
    if (rc == 0)
        rc = checkpoint_check_checksum(bytes, c.at, &checkpoint.has_checksum, err);
    if (rc == 0)
        *ret = checkpoint;
    return rc;
}

// ---- writing ----------------------------------------------------------------------------------------------

static void put_name(struct slice name, struct buf *out)
{
    if (name.len > UINT16_MAX) {
        out->failed = true;
        return;
    }
    buf_append_u16le(out, (unsigned)name.len);
    buf_append_slice(out, name);
}

static void put_count(size_t count, struct buf *out)
{
    if (count > UINT32_MAX)
        out->failed = true;
    buf_append_u32le(out, (uint32_t)count);
}

static void put_values(const struct checkpoint_values *values, struct buf *out)
{
    put_count(values->count, out);
    size_t size_bytes = values->count * sizeof(float);
    char *to = buf_reserve(out, size_bytes);
    if (!to || size_bytes == 0)
        return;
    if (values->f32le) {
        memcpy(to, values->f32le, size_bytes);
    } else {
        for (size_t i = 0; i < values->count; i++) {
            float v = (float)values->f64[i];
            uint32_t bits;
            memcpy(&bits, &v, sizeof(bits));
            bits = isnan(v) ? NAN_BITS : bits; // one form of it, as upstream's
            memcpy(to + i * sizeof(bits), &bits, sizeof(bits));
        }
    }
    buf_commit(out, size_bytes);
}

static void put_level(const struct checkpoint_level *level, struct buf *out)
{
    put_count(level->metric_count, out);
    for (size_t i = 0; i < level->metric_count; i++) {
        const struct checkpoint_metric *metric = &level->metrics[i];
        put_name(metric->name, out);
        buf_append_u64le(out, (uint64_t)metric->frequency_s);
        buf_append_u64le(out, (uint64_t)metric->start);
        put_values(&metric->values, out);
    }
    put_count(level->child_count, out);
    for (size_t i = 0; i < level->child_count; i++) {
        put_name(level->children[i].name, out);
        put_level(&level->children[i], out);
    }
}

void checkpoint_format_bin(const struct checkpoint *checkpoint, struct buf *out)
{
    size_t begin = out->len;
    buf_append_u32le(out, CHECKPOINT_MAGIC);
    buf_append_u64le(out, (uint64_t)checkpoint->from);
    buf_append_u64le(out, (uint64_t)checkpoint->to);
    put_level(&checkpoint->root, out);
    if (buf_failed(out))
        return;
    uint32_t crc = crc32_ieee(0, out->ptr + begin, out->len - begin);
    buf_append_u32le(out, CHECKSUM_MAGIC);
    buf_append_u32le(out, crc);
}
