// SPDX-License-Identifier: MIT
// Foreign bytes as a block: refused with an error, or decoded without a step out of bounds; what was taken survives
// another round. The same bytes as values: what is coded comes out bit for bit.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const double *values, size_t count)
{
    double out[BLOCK_MAX_VALUES];
    struct block *block = block_encode(values, count);
    block_decode(block, 0, count, out);
    for (size_t i = 0; i < count; i++) {
        double wanted = values[i] + 0.0; // no negative zero
        ASSERT(isnan(wanted) ? isnan(out[i]) : memcmp(&wanted, &out[i], sizeof(wanted)) == 0);
    }
    mem_free(block);
}

static void check_parse(struct slice bytes)
{
    struct error err = ERROR_INIT;
    struct block *block = NULL, *again = NULL;
    double out[BLOCK_MAX_VALUES];
    if (block_parse(bytes, &block, &err) != 0) {
        ASSERT(err.code == ERR_CORRUPT && err.text[0]);
        return;
    }
    block_decode(block, 0, block->count, out);
    uint8_t *copy = mem_alloc(block_serialized_bytes(block));
    block_serialize(block, copy);
    ASSERT(block_parse(slice_of((char *)copy, block_serialized_bytes(block)), &again, &err) == 0);
    ASSERT(again->size_bytes == block->size_bytes && again->kind == block->kind);
    check_round_trip(out, block->count);
    mem_free(copy);
    mem_free(again);
    mem_free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double values[BLOCK_MAX_VALUES];
    size_t count = MIN(size / sizeof(double), (size_t)BLOCK_MAX_VALUES);
    check_parse(slice_of((const char *)data, size));
    if (count == 0)
        return 0;
    memcpy(values, data, count * sizeof(double));
    check_round_trip(values, count);
    for (size_t i = 0; i < count; i++) // short decimals, as agents send them
        values[i] = data[i * 8] == 0xFF ? NAN : (double)(int16_t)(data[i * 8] | data[i * 8 + 1] << 8) / 1000;
    check_round_trip(values, count);
    return 0;
}
