// SPDX-License-Identifier: MIT
// Entries stand in one array in order of insertion; a second array of entry numbers is the hash table (open
// addressing, linear probing, a power of two, at most half full). A removed entry stays as a gap, and keeps
// its place in the table, until the next rebuild.
#include "base/hashmap.h"

#include <stdint.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"

struct entry {
    char *key; // NULL: removed
    size_t key_len;
    uint64_t hash;
    void *value;
};

struct hashmap {
    struct entry *entries;
    size_t used, cap; // entries in use including gaps
    size_t count;     // without gaps
    uint32_t *table;  // entry number + 1; 0: free
    size_t mask;      // table size - 1
    uint64_t seed;
};

#define FIRST_TABLE_SIZE 16

struct hashmap *hashmap_new(void)
{
    struct hashmap *map = NEW(struct hashmap);

    map->table = NEW_ARRAY(uint32_t, FIRST_TABLE_SIZE);
    map->mask = FIRST_TABLE_SIZE - 1;
    if (getrandom(&map->seed, sizeof(map->seed), GRND_NONBLOCK) != sizeof(map->seed))
        map->seed = (uint64_t)clock_mono().ns; // early boot: hard enough to guess
    return map;
}

void hashmap_clear(struct hashmap *map)
{
    for (size_t i = 0; i < map->used; i++)
        mem_free(map->entries[i].key);
    memset(map->table, 0, (map->mask + 1) * sizeof(*map->table));
    map->used = map->count = 0;
}

void hashmap_free(struct hashmap **map)
{
    if (!*map)
        return;
    hashmap_clear(*map);
    mem_free((*map)->entries);
    mem_free((*map)->table);
    mem_free(*map);
    *map = NULL;
}

size_t hashmap_count(const struct hashmap *map)
{
    return map->count;
}

static bool entry_is(const struct entry *entry, uint64_t hash, struct slice key)
{
    return entry->hash == hash && entry->key && slice_eq(slice_of(entry->key, entry->key_len), key);
}

static struct entry *find(const struct hashmap *map, uint64_t hash, struct slice key)
{
    for (size_t i = hash & map->mask; map->table[i]; i = (i + 1) & map->mask) {
        struct entry *entry = &map->entries[map->table[i] - 1];

        if (entry_is(entry, hash, key))
            return entry;
    }
    return NULL;
}

static void link_entry(struct hashmap *map, size_t number)
{
    size_t i = map->entries[number].hash & map->mask;

    while (map->table[i])
        i = (i + 1) & map->mask;
    map->table[i] = (uint32_t)(number + 1);
}

// Closes the gaps and makes the table at least four times as large as the number of entries.
static void rebuild(struct hashmap *map)
{
    size_t kept = 0;

    for (size_t i = 0; i < map->used; i++)
        if (map->entries[i].key)
            map->entries[kept++] = map->entries[i];
    map->used = kept;
    size_t size = FIRST_TABLE_SIZE;
    while (size < 4 * (kept + 1))
        size *= 2;
    mem_free(map->table);
    map->table = NEW_ARRAY(uint32_t, size);
    map->mask = size - 1;
    for (size_t i = 0; i < kept; i++)
        link_entry(map, i);
}

void *hashmap_get(const struct hashmap *map, struct slice key)
{
    struct entry *entry = find(map, slice_hash_seeded(key, map->seed), key);

    return entry ? entry->value : NULL;
}

bool hashmap_has(const struct hashmap *map, struct slice key)
{
    return find(map, slice_hash_seeded(key, map->seed), key) != NULL;
}

void *hashmap_put(struct hashmap *map, struct slice key, void *value)
{
    uint64_t hash = slice_hash_seeded(key, map->seed);
    struct entry *entry = find(map, hash, key);

    if (entry) {
        void *old = entry->value;

        entry->value = value;
        return old;
    }
    if (2 * (map->used + 1) > map->mask + 1)
        rebuild(map);
    ASSERT(map->used < UINT32_MAX);
    ENSURE_CAPACITY(map->entries, map->cap, map->used + 1);
    map->entries[map->used] = (struct entry){
        .key = mem_strndup(key.ptr, key.len), .key_len = key.len, .hash = hash, .value = value};
    link_entry(map, map->used++);
    map->count++;
    return NULL;
}

void *hashmap_remove(struct hashmap *map, struct slice key)
{
    struct entry *entry = find(map, slice_hash_seeded(key, map->seed), key);

    if (!entry)
        return NULL;
    void *old = entry->value;
    mem_free(entry->key);
    *entry = (struct entry){0};
    map->count--;
    return old;
}

bool hashmap_next(const struct hashmap *map, size_t *position, struct slice *ret_key, void **ret_value)
{
    while (*position < map->used) {
        const struct entry *entry = &map->entries[(*position)++];

        if (!entry->key)
            continue;
        if (ret_key)
            *ret_key = slice_of(entry->key, entry->key_len);
        if (ret_value)
            *ret_value = entry->value;
        return true;
    }
    return false;
}
