// SPDX-License-Identifier: MIT
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static NORETURN void out_of_memory(size_t size_bytes)
{
    fprintf(stderr, "<2>[CRITICAL] out of memory: cannot allocate %zu bytes\n", size_bytes);
    fflush(stderr);
    abort();
}

static size_t checked_product(size_t count, size_t item_size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, item_size_bytes, &total))
        out_of_memory(SIZE_MAX);
    return total;
}

void *mem_try_alloc(size_t size_bytes)
{
    return calloc(1, size_bytes ? size_bytes : 1);
}

void *mem_alloc(size_t size_bytes)
{
    void *ptr = mem_try_alloc(size_bytes);

    if (!ptr)
        out_of_memory(size_bytes);
    return ptr;
}

void *mem_alloc_array(size_t count, size_t item_size_bytes)
{
    return mem_alloc(checked_product(count, item_size_bytes));
}

void *mem_grow_array(void *array, size_t old_count, size_t new_count, size_t item_size_bytes)
{
    size_t old_bytes = checked_product(old_count, item_size_bytes);
    size_t new_bytes = checked_product(new_count, item_size_bytes);
    char *grown = realloc(array, new_bytes ? new_bytes : 1);

    if (!grown)
        out_of_memory(new_bytes);
    if (new_bytes > old_bytes)
        memset(grown + old_bytes, 0, new_bytes - old_bytes);
    return grown;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    ASSERT(len < SIZE_MAX);
    char *copy = mem_alloc(len + 1);

    if (len)
        memcpy(copy, text, len);
    return copy;
}

void *mem_memdup(const void *bytes, size_t len)
{
    void *copy = mem_alloc(len);

    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}

size_t mem_next_capacity(size_t have, size_t need)
{
    size_t next = have + have / 2;

    if (next < have) // wrapped around; the allocation of 'need' decides
        next = need;
    if (next < 8)
        next = 8;
    return next < need ? need : next;
}
