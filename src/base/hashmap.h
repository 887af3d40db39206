// SPDX-License-Identifier: MIT
// Hash map from text to pointer. Keys are copied, values are borrowed (the map never frees them).
// Iteration is in order of insertion as long as nothing was removed. Hashing is seeded per process, so a
// client cannot make keys collide on purpose. Not thread safe.
#ifndef BASE_HASHMAP_H
#define BASE_HASHMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct hashmap;

struct hashmap *hashmap_new(void);
void hashmap_free(struct hashmap **map);
size_t hashmap_count(const struct hashmap *map);
void *hashmap_get(const struct hashmap *map, struct slice key); // NULL when absent
bool hashmap_has(const struct hashmap *map, struct slice key);
// Returns the value that was replaced, or NULL. value may be NULL.
void *hashmap_put(struct hashmap *map, struct slice key, void *value);
void *hashmap_remove(struct hashmap *map, struct slice key); // the removed value or NULL
void hashmap_clear(struct hashmap *map);

// for (size_t i = 0; hashmap_next(map, &i, &key, &value);) ...   ret_key and ret_value may be NULL.
// The map must not be changed meanwhile.
bool hashmap_next(const struct hashmap *map, size_t *position, struct slice *ret_key, void **ret_value);

#endif
