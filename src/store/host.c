// SPDX-License-Identifier: MIT
#include "store/host.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/cleanup.h"

#define SLOTS_FIRST 16
#define HEADS_MAX   (UINT32_C(1) << 20) // a host that sends more different lines is read without prediction
#define GROUPS_MAX  UINT16_MAX

bool host_name_is_usable(struct slice name)
{
    return name.len > 0 && name.len <= NAME_MAX_BYTES && !slice_eq_cstr(name, ".") &&
           !slice_eq_cstr(name, WAL_DIRECTORY_NAME) && !slice_contains(name, SLICE_LITERAL("..")) &&
           slice_find_byte(name, '/') < 0 && slice_find_byte(name, '\\') < 0 && slice_find_byte(name, 0) < 0;
}

struct host *host_new(struct cluster *cluster, struct slice name)
{
    struct host *host = NEW(struct host);
    host->cluster = cluster;
    host->name = mem_strndup(name.ptr, name.len);
    atomic_init(&host->refs, 1);
    pthread_mutex_init(&host->lock, NULL);
    pthread_mutex_init(&host->files.lock, NULL);
    host->files.data_end = INT64_MIN;
    host->files.loaded_from = INT64_MAX;
    host->dirty_from = INT64_MAX;
    host_add_level(host, LEVEL_NONE, 0);
    return host;
}

struct host *host_ref(struct host *host)
{
    atomic_fetch_add_explicit(&host->refs, 1, memory_order_relaxed);
    return host;
}

static void heads_clear(struct host *host)
{
    mem_free(host->heads);
    mem_free(host->head_slots);
    host->heads = NULL;
    host->head_slots = NULL;
    host->head_count = host->head_cap = host->slot_count = 0;
}

static void host_free(struct host *host)
{
    for (size_t g = 0; g < host->group_count; g++) {
        struct series_env env = host_env(host, &host->groups[g]);
        for (size_t m = 0; m < host->groups[g].count; m++)
            series_release(&host->groups[g].members[m], &env);
        mem_free(host->groups[g].members);
    }
    heads_clear(host);
    reclaim_release(&host->reclaim);
    pthread_mutex_destroy(&host->lock);
    pthread_mutex_destroy(&host->files.lock);
    mem_free(host->groups);
    mem_free(host->levels);
    mem_free(host->name);
    mem_free(host);
}

void host_unref(struct host *host)
{
    // acq_rel: what others did with the host happens before its end
    if (host && atomic_fetch_sub_explicit(&host->refs, 1, memory_order_acq_rel) == 1)
        host_free(host);
}

struct series_env host_env(struct host *host, const struct group *group)
{
    return (struct series_env){
        .frequency_s = group->metric->frequency_s, .reclaim = &host->reclaim, .memory = &host->memory};
}

// ---- levels, groups, members ------------------------------------------------------------------------------

uint32_t host_find_level(const struct host *host, uint32_t parent, uint32_t name, uint32_t *hint)
{
    uint32_t at = hint && *hint < host->level_count ? *hint : 0;
    for (uint32_t i = 0; i < host->level_count; i++) {
        const struct level *level = &host->levels[at];
        uint32_t here = at;
        at = at + 1 == host->level_count ? 0 : at + 1;
        if (level->name != name || level->parent != parent)
            continue;
        if (hint)
            *hint = at;
        return level->exists ? here : LEVEL_NONE;
    }
    return LEVEL_NONE;
}

uint32_t host_add_level(struct host *host, uint32_t parent, uint32_t name)
{
    for (uint32_t i = 0; i < host->level_count; i++) {
        if (host->levels[i].name == name && host->levels[i].parent == parent) {
            host->levels[i].exists = true;
            return i;
        }
    }
    ENSURE_CAPACITY(host->levels, host->level_cap, host->level_count + 1);
    host->levels[host->level_count] = (struct level){.name = name, .parent = parent, .exists = true};
    return host->level_count++;
}

struct group *host_find_group(struct host *host, const struct metric *metric)
{
    for (size_t g = 0; g < host->group_count; g++) {
        if (host->groups[g].metric == metric)
            return &host->groups[g];
    }
    return NULL;
}

struct group *host_add_group(struct host *host, const struct metric *metric)
{
    struct group *group = host_find_group(host, metric);
    if (group)
        return group;
    ASSERT(host->group_count < GROUPS_MAX); // store_new bounds the number of metrics
    ENSURE_CAPACITY(host->groups, host->group_cap, host->group_count + 1);
    group = &host->groups[host->group_count++];
    *group = (struct group){.metric = metric};
    return group;
}

struct series *group_find(const struct group *group, uint32_t level, uint32_t *hint)
{
    uint32_t at = hint && *hint < group->count ? *hint : 0;
    for (uint32_t i = 0; i < group->count; i++) {
        struct series *series = &group->members[at];
        at = at + 1 == group->count ? 0 : at + 1;
        if (series->level != level)
            continue;
        if (hint)
            *hint = at;
        return series;
    }
    return NULL;
}

uint32_t host_add_member(struct host *host, struct group *group, uint32_t level)
{
    struct series *series = group_find(group, level, NULL);
    if (series)
        return (uint32_t)(series - group->members);
    if (group->count == group->cap) { // node metrics have one member: start there, then grow by halves
        uint32_t cap = group->cap + MAX(group->cap / 2, UINT32_C(1));
        group->members = mem_grow_array(group->members, group->cap, cap, sizeof(*group->members));
        group->cap = cap;
    }
    group->members[group->count] = (struct series){.level = level};
    host->levels[level].exists = true;
    return group->count++;
}

struct series *host_add_series(struct host *host, struct group *group, uint32_t level)
{
    uint32_t member = host_add_member(host, group, level); // moves the members
    return &group->members[member];
}

// ---- heads ------------------------------------------------------------------------------------------------

__extension__ typedef unsigned __int128 wide_t;

static ALWAYS_INLINE uint64_t fold(uint64_t a, uint64_t b)
{
    wide_t product = (wide_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static ALWAYS_INLINE uint64_t load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

// Multiply and fold, sixteen bytes a step, as in Wang Yi's wyhash; the last step overlaps the one before.
uint64_t head_hash(struct slice text, uint64_t seed)
{
    const uint64_t k0 = UINT64_C(0xA0761D6478BD642F), k1 = UINT64_C(0xE7037ED1A0B428DB);
    uint64_t h = seed ^ k0;
    const char *p = text.ptr;
    if (text.len < 16) {
        char padded[16] = {0};
        memcpy(padded, p, text.len);
        return fold(fold(load8(padded) ^ k1, load8(padded + 8) ^ h) ^ k0, text.len ^ k1);
    }
    for (size_t left = text.len; left > 16; left -= 16, p += 16)
        h = fold(load8(p) ^ k1, load8(p + 8) ^ h);
    p = text.ptr + text.len - 16;
    return fold(fold(load8(p) ^ k1, load8(p + 8) ^ h) ^ k0, text.len ^ k1);
}

uint32_t host_find_head(const struct host *host, uint64_t hash, size_t len)
{
    uint32_t mask = host->slot_count - 1;
    for (uint32_t slot = (uint32_t)hash & mask; host->slot_count && host->head_slots[slot];
         slot = (slot + 1) & mask) {
        uint32_t number = host->head_slots[slot] - 1;
        if (host->heads[number].hash == hash && host->heads[number].len == len)
            return number;
    }
    return HEAD_NONE;
}

static void slot_insert(struct host *host, uint32_t number)
{
    uint32_t mask = host->slot_count - 1;
    uint32_t slot = (uint32_t)host->heads[number].hash & mask;
    while (host->head_slots[slot])
        slot = (slot + 1) & mask;
    host->head_slots[slot] = number + 1;
}

static void slots_grow(struct host *host)
{
    mem_free(host->head_slots);
    host->slot_count = host->slot_count ? host->slot_count * 2 : SLOTS_FIRST;
    host->head_slots = NEW_ARRAY(uint32_t, host->slot_count);
    for (uint32_t i = 0; i < host->head_count; i++)
        slot_insert(host, i);
}

uint32_t host_add_head(struct host *host, const struct head *head)
{
    if (host->head_count >= HEADS_MAX)
        return HEAD_NONE;
    if (host->head_count * 3 >= host->slot_count * 2)
        slots_grow(host);
    if (host->head_count == host->head_cap) {
        uint32_t cap = host->head_cap + MAX(host->head_cap / 4, UINT32_C(8));
        host->heads = mem_grow_array(host->heads, host->head_cap, cap, sizeof(*host->heads));
        host->head_cap = cap;
    }
    uint32_t number = host->head_count++;
    host->heads[number] = *head;
    host->heads[number].next = HEAD_NONE;
    slot_insert(host, number);
    return number;
}

// ---- removal ----------------------------------------------------------------------------------------------

static void mark_used(struct host *host, uint32_t level, bool *used)
{
    for (; level != LEVEL_NONE && !used[level]; level = host->levels[level].parent)
        used[level] = true;
}

static void compact_group(struct group *group)
{
    uint32_t kept = 0;
    for (uint32_t m = 0; m < group->count; m++) {
        if (!series_is_empty(&group->members[m]))
            group->members[kept++] = group->members[m];
    }
    group->count = kept;
}

static void drop_empty_groups(struct host *host)
{
    uint16_t kept = 0;
    for (uint16_t g = 0; g < host->group_count; g++) {
        if (host->groups[g].count > 0)
            host->groups[kept++] = host->groups[g];
        else
            mem_free(host->groups[g].members);
    }
    host->group_count = kept;
}

bool host_compact(struct host *host, uint32_t keep)
{
    bool *used = NEW_ARRAY(bool, host->level_count);
    bool any = keep != LEVEL_NONE && keep != LEVEL_HOST;
    heads_clear(host);
    mark_used(host, keep, used);
    for (size_t g = 0; g < host->group_count; g++) {
        compact_group(&host->groups[g]);
        for (size_t m = 0; m < host->groups[g].count; m++)
            mark_used(host, host->groups[g].members[m].level, used);
        any = any || host->groups[g].count > 0;
    }
    drop_empty_groups(host);
    for (uint32_t i = 1; i < host->level_count; i++)
        host->levels[i].exists = host->levels[i].exists && used[i];
    mem_free(used);
    return !any;
}

static uint64_t heap_bytes(uint64_t size_bytes)
{
    return size_bytes ? (size_bytes + sizeof(size_t) + 15) & ~UINT64_C(15) : 0;
}

uint64_t host_index_bytes(const struct host *host)
{
    uint64_t bytes = heap_bytes(sizeof(*host)) + heap_bytes(strlen(host->name) + 1) +
                     heap_bytes(host->level_cap * sizeof(*host->levels)) +
                     heap_bytes(host->group_cap * sizeof(*host->groups)) +
                     heap_bytes(host->head_cap * sizeof(*host->heads)) +
                     heap_bytes(host->slot_count * sizeof(*host->head_slots)) + host->memory.index_bytes;
    for (size_t g = 0; g < host->group_count; g++)
        bytes += heap_bytes(host->groups[g].cap * sizeof(struct series));
    return bytes;
}

uint64_t host_bytes(const struct host *host)
{
    return host_index_bytes(host) + host->memory.open_bytes + host->memory.sealed_bytes;
}
