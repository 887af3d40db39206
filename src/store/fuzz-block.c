// SPDX-License-Identifier: MIT
// Any bytes as values of several shapes: what is coded comes out bit for bit.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double values[BLOCK_MAX_VALUES];
    size_t count = MIN(size / sizeof(double), (size_t)BLOCK_MAX_VALUES);
    if (count == 0)
        return 0;
    memcpy(values, data, count * sizeof(double));
    check_round_trip(values, count);
    for (size_t i = 0; i < count; i++) // short decimals, as agents send them
        values[i] = data[i * 8] == 0xFF ? NAN : (double)(int16_t)(data[i * 8] | data[i * 8 + 1] << 8) / 1000;
    check_round_trip(values, count);
    for (size_t i = 0; i < count; i++) // most close together, some far away
        values[i] =
            data[i * 8] > 0xF0 ? (double)(int16_t)(data[i * 8 + 1] << 8) : 1000 + data[i * 8 + 2] % 16;
    check_round_trip(values, count);
    return 0;
}
