// SPDX-License-Identifier: MIT
// Texts live in an arena and never move; the array of slices and the hash table (open addressing, linear
// probing, at most half full) are replaced when they grow, hence the read lock in the readers.
#include "base/intern.h"

#include <pthread.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"

struct intern {
    pthread_rwlock_t lock;
    struct arena *arena;
    struct slice *texts;
    size_t count, cap;
    uint32_t *table; // number + 1; 0: free
    size_t mask;
    uint64_t seed;
};

#define FIRST_TABLE_SIZE 64

struct intern *intern_new(void)
{
    struct intern *table = NEW(struct intern);

    pthread_rwlock_init(&table->lock, NULL);
    table->arena = arena_new(SIZE_MAX);
    table->table = NEW_ARRAY(uint32_t, FIRST_TABLE_SIZE);
    table->mask = FIRST_TABLE_SIZE - 1;
    if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) != sizeof(table->seed))
        table->seed = (uint64_t)clock_mono().ns; // early boot: hard enough to guess
    return table;
}

void intern_free(struct intern **table)
{
    if (!*table)
        return;
    pthread_rwlock_destroy(&(*table)->lock);
    arena_free(&(*table)->arena);
    mem_free((*table)->texts);
    mem_free((*table)->table);
    mem_free(*table);
    *table = NULL;
}

// Taking a lock changes it, but not what the caller of a const function can see.
static pthread_rwlock_t *lock_of(const struct intern *table)
{
    return (pthread_rwlock_t *)&table->lock;
}

// Where the text stands in the hash table, or the free place where it would go.
static size_t place_of(const struct intern *table, struct slice text)
{
    size_t i = slice_hash_seeded(text, table->seed) & table->mask;

    while (table->table[i] && !slice_eq(table->texts[table->table[i] - 1], text))
        i = (i + 1) & table->mask;
    return i;
}

static void double_table(struct intern *table)
{
    size_t size = 2 * (table->mask + 1);

    mem_free(table->table);
    table->table = NEW_ARRAY(uint32_t, size);
    table->mask = size - 1;
    for (size_t id = 0; id < table->count; id++)
        table->table[place_of(table, table->texts[id])] = (uint32_t)(id + 1);
}

static uint32_t add_locked(struct intern *table, struct slice text)
{
    size_t place = place_of(table, text);

    if (table->table[place])
        return table->table[place] - 1;
    ASSERT(table->count < INTERN_NONE - 1);
    if (2 * (table->count + 1) > table->mask + 1) {
        double_table(table);
        place = place_of(table, text);
    }
    ENSURE_CAPACITY(table->texts, table->cap, table->count + 1);
    uint32_t id = (uint32_t)table->count++;
    table->texts[id] = arena_copy(table->arena, text);
    table->table[place] = id + 1;
    return id;
}

uint32_t intern_add(struct intern *table, struct slice text)
{
    uint32_t id = intern_find(table, text);

    if (id != INTERN_NONE)
        return id;
    pthread_rwlock_wrlock(&table->lock);
    id = add_locked(table, text);
    pthread_rwlock_unlock(&table->lock);
    return id;
}

uint32_t intern_find(const struct intern *table, struct slice text)
{
    pthread_rwlock_rdlock(lock_of(table));
    uint32_t number = table->table[place_of(table, text)];
    pthread_rwlock_unlock(lock_of(table));
    return number ? number - 1 : INTERN_NONE;
}

struct slice intern_text(const struct intern *table, uint32_t id)
{
    pthread_rwlock_rdlock(lock_of(table));
    ASSERT(id < table->count);
    struct slice text = table->texts[id];
    pthread_rwlock_unlock(lock_of(table));
    return text;
}

uint32_t intern_count(const struct intern *table)
{
    pthread_rwlock_rdlock(lock_of(table));
    uint32_t count = (uint32_t)table->count;
    pthread_rwlock_unlock(lock_of(table));
    return count;
}

size_t intern_memory_bytes(const struct intern *table)
{
    pthread_rwlock_rdlock(lock_of(table));
    size_t bytes = sizeof(*table) + arena_used_bytes(table->arena) + table->cap * sizeof(*table->texts) +
                   (table->mask + 1) * sizeof(*table->table);
    pthread_rwlock_unlock(lock_of(table));
    return bytes;
}
