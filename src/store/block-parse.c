// SPDX-License-Identifier: MIT
// Blocks as bytes and back. Layout: block.h.
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/bitpack.h"
#include "store/block.h"

#define STATS_BYTES      (3 * sizeof(double))
#define DELTA_HEAD_BYTES (3 * sizeof(int64_t))
#define DICT_MAX_ENTRIES 64
#define MAX_WIDTH        32
#define MAX_SHIFT        31

size_t block_serialized_bytes(const struct block *block)
{
    return BLOCK_HEADER_BYTES + (size_t)block->size_bytes;
}

static uint8_t *put(uint8_t *out, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *out++ = (uint8_t)(v >> (8 * i));
    return out;
}

static uint64_t take(const uint8_t **in, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t) * (*in)++ << (8 * i);
    return v;
}

void block_serialize(const struct block *b, uint8_t *out)
{
    out = put(out, b->size_bytes, 2);
    out = put(out, b->count, 2);
    out = put(out, b->valid, 2);
    out = put(out, b->kind, 1);
    out = put(out, b->scale, 1);
    out = put(out, b->width, 1);
    out = put(out, b->shift, 1);
    out = put(out, b->items, 2);
    out = put(out, b->range, 4);
    out = put(out, (uint64_t)b->base, 8);
    out = put(out, (uint64_t)b->sum, 8);
    memcpy(out, b->payload, b->size_bytes);
}

static void take_header(const uint8_t *in, struct block *b)
{
    b->size_bytes = (uint16_t)take(&in, 2);
    b->count = (uint16_t)take(&in, 2);
    b->valid = (uint16_t)take(&in, 2);
    b->kind = (uint8_t)take(&in, 1);
    b->scale = (uint8_t)take(&in, 1);
    b->width = (uint8_t)take(&in, 1);
    b->shift = (uint8_t)take(&in, 1);
    b->items = (uint16_t)take(&in, 2);
    b->range = (uint32_t)take(&in, 4);
    b->base = (int64_t)take(&in, 8);
    b->sum = (int64_t)take(&in, 8);
}

static int check_runs(const struct block *b, struct error *err)
{
    size_t total = 0;
    if (b->width != 1 && b->width != 2 && b->width != 4)
        return error_set(err, ERR_CORRUPT, "block: width %u of run codes", b->width);
    if (b->size_bytes != b->items * (sizeof(uint16_t) + b->width))
        return error_set(err, ERR_CORRUPT, "block: %u bytes for %u runs", b->size_bytes, b->items);
    for (size_t r = 0; r < b->items; r++) {
        uint16_t length;
        memcpy(&length, b->payload + r * sizeof(length), sizeof(length));
        total += length;
    }
    return total == b->count
               ? 0
               : error_set(err, ERR_CORRUPT, "block: runs of %zu values, not %u", total, b->count);
}

// Entries of 'item' bytes behind 'at', then the indexes.
static int check_dictionary(const struct block *b, size_t at, size_t item, size_t most, struct error *err)
{
    uint32_t indexes[BLOCK_MAX_VALUES];
    size_t begin = at + b->items * item;
    if (b->items == 0 || b->items > most || b->width > MAX_WIDTH ||
        b->size_bytes != begin + bitpack_bytes(b->count, b->width))
        return error_set(err, ERR_CORRUPT, "block: %u bytes for a dictionary of %u", b->size_bytes, b->items);
    bitpack_unpack(b->payload + begin, b->count, b->width, indexes);
    for (size_t i = 0; i < b->count; i++) {
        if (indexes[i] >= b->items)
            return error_set(err, ERR_CORRUPT, "block: entry %u of a dictionary of %u", indexes[i], b->items);
    }
    return 0;
}

static size_t expected_bytes(const struct block *b)
{
    switch ((enum block_kind)b->kind) {
    case BLOCK_FRAME:
        return bitpack_bytes(b->count, b->width);
    case BLOCK_DELTA:
        return DELTA_HEAD_BYTES + bitpack_bytes(b->count - 1u, b->width);
    case BLOCK_RAW32:
        return STATS_BYTES + b->count * sizeof(float);
    case BLOCK_RAW64:
        return STATS_BYTES + b->count * sizeof(double);
    case BLOCK_CONST:
    case BLOCK_RUNS:
    case BLOCK_DICT:
    case BLOCK_DICT64:
        break;
    }
    return 0;
}

static int check_payload(const struct block *b, struct error *err)
{
    if (b->kind == BLOCK_RUNS)
        return check_runs(b, err);
    if (b->kind == BLOCK_DICT && b->valid != b->count)
        return error_set(err, ERR_CORRUPT, "block: a dictionary with gaps");
    if (b->kind == BLOCK_DICT)
        return check_dictionary(b, 0, sizeof(uint32_t), DICT_MAX_ENTRIES, err);
    if (b->kind == BLOCK_DICT64)
        return check_dictionary(b, STATS_BYTES, sizeof(double), BLOCK_MAX_VALUES, err);
    if (b->width > MAX_WIDTH || (b->kind == BLOCK_DELTA && (b->count < 2 || b->valid != b->count)) ||
        b->size_bytes != expected_bytes(b))
        return error_set(err, ERR_CORRUPT, "block: %u bytes for %u values of %u bits", b->size_bytes,
                         b->count, b->width);
    return 0;
}

static int check_header(const struct block *b, size_t len, struct error *err)
{
    if (b->size_bytes != len - BLOCK_HEADER_BYTES)
        return error_set(err, ERR_CORRUPT, "block: %u bytes of payload, %zu are there", b->size_bytes,
                         len - BLOCK_HEADER_BYTES);
    if (b->count == 0 || b->count > BLOCK_MAX_VALUES || b->valid > b->count)
        return error_set(err, ERR_CORRUPT, "block: %u of %u values", b->valid, b->count);
    if (b->kind > BLOCK_DICT64)
        return error_set(err, ERR_CORRUPT, "block: unknown kind %u", b->kind);
    if (b->scale > BLOCK_MAX_SCALE || b->shift > MAX_SHIFT)
        return error_set(err, ERR_CORRUPT, "block: scale %u, shift %u", b->scale, b->shift);
    return 0;
}

static int encode_anew(const struct block *b, struct block **ret_block, struct error *err)
{
    int64_t m[BLOCK_MAX_VALUES];
    double values[BLOCK_MAX_VALUES];
    if (!block_is_decimal(b) || b->valid == 0) {
        block_decode(b, 0, b->count, values);
        *ret_block = block_encode(values, b->count);
        return 0;
    }
    block_decode_decimals(b, m);
    for (size_t i = 0; i < b->count; i++) {
        if (m[i] != BLOCK_GAP && (m[i] <= -(INT64_C(1) << 53) || m[i] >= INT64_C(1) << 53))
            return error_set(err, ERR_CORRUPT, "block: value %zu is out of range", i);
    }
    *ret_block = block_encode_decimals(m, b->count, b->scale);
    return 0;
}

static int parse_copy(struct slice bytes, struct block *b, struct block **ret_block, struct error *err)
{
    take_header((const uint8_t *)bytes.ptr, b);
    int rc = check_header(b, bytes.len, err);
    if (rc)
        return rc;
    memcpy(b->payload, bytes.ptr + BLOCK_HEADER_BYTES, b->size_bytes);
    rc = check_payload(b, err);
    return rc ? rc : encode_anew(b, ret_block, err);
}

int block_parse(struct slice bytes, struct block **ret_block, struct error *err)
{
    if (bytes.len < BLOCK_HEADER_BYTES || bytes.len > BLOCK_HEADER_BYTES + UINT16_MAX)
        return error_set(err, ERR_CORRUPT, "block: %zu bytes", bytes.len);
    struct block *copy = mem_alloc(sizeof(*copy) + bytes.len);
    int rc = parse_copy(bytes, copy, ret_block, err);
    mem_free(copy);
    return rc;
}
