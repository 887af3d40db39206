// SPDX-License-Identifier: MIT
// Allocation. Memory comes zeroed. The mem_ functions abort when memory is out and are for small, bounded
// things; sizes that come from outside are checked against a limit first and use mem_try_.
// Multiplications are checked. Release with mem_free (or free).
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

#include "base/macros.h"

void *mem_alloc(size_t size_bytes);
void *mem_alloc_array(size_t count, size_t item_size_bytes);
// Grown part is zeroed. old_count tells how much of the array is in use before the call.
void *mem_grow_array(void *array, size_t old_count, size_t new_count, size_t item_size_bytes);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len); // copies len bytes and terminates
void *mem_memdup(const void *bytes, size_t len);
void *mem_try_alloc(size_t size_bytes) MUST_CHECK; // NULL when memory is out
void mem_free(void *ptr);                          // accepts NULL

#define NEW(type)              ((type *)mem_alloc(sizeof(type)))
#define NEW_ARRAY(type, count) ((type *)mem_alloc_array((count), sizeof(type)))
// Grows array variable 'ptr' (capacity variable 'cap') so that it holds at least 'need' items.
#define ENSURE_CAPACITY(ptr, cap, need)                                                                      \
    do {                                                                                                     \
        if ((size_t)(need) > (size_t)(cap)) {                                                                \
            size_t new_cap_ = mem_next_capacity((size_t)(cap), (size_t)(need));                              \
            (ptr) = mem_grow_array((ptr), (size_t)(cap), new_cap_, sizeof(*(ptr)));                          \
            (cap) = new_cap_;                                                                                \
        }                                                                                                    \
    } while (0)

size_t mem_next_capacity(size_t have, size_t need); // 1.5-fold growth, at least 8

#endif
