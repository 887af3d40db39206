// SPDX-License-Identifier: MIT
#include "backend/env-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct env_pair *pairs = NULL;
    size_t count = 0, length = 0;
    // Expansion may double the text per line, so long inputs are left out.
    if (size < 512 && env_parse(slice_of((const char *)data, size), NULL, arena, &pairs, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++)
            length += strlen(pairs[i].key) + strlen(pairs[i].value);
        ASSERT(length < (size_t)64 << 20);
    }
    arena_free(&arena);
    return 0;
}
