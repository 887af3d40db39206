// SPDX-License-Identifier: MIT
#include "store/host.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

#define HEADS_FIRST    16
#define HEADS_MAX      (UINT32_C(1) << 20) // a host that sends more different lines is read without prediction
#define HEAD_MAX_BYTES 1024
#define GROUPS_MAX     UINT16_MAX

struct host *host_new(struct cluster *cluster, struct slice name)
{
    struct host *host = NEW(struct host);
    host->cluster = cluster;
    host->name = mem_strndup(name.ptr, name.len);
    atomic_init(&host->refs, 1);
    pthread_mutex_init(&host->lock, NULL);
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
    for (uint32_t i = 0; i < host->head_slots; i++)
        mem_free(host->heads[i]);
    mem_free(host->heads);
    host->heads = NULL;
    host->head_count = host->head_slots = 0;
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

// ---- levels, groups, members
// ------------------------------------------------------------------------------------

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

// ---- heads
// ------------------------------------------------------------------------------------------------------

// Mixes eight bytes at a time; the table is bounded and per host, so collisions on purpose gain nothing.
uint32_t head_hash(struct slice text)
{
    uint64_t h = text.len * UINT64_C(0x9E3779B97F4A7C15);
    size_t i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t word;
        memcpy(&word, text.ptr + i, sizeof(word));
        h = (h ^ word) * UINT64_C(0xD6E8FEB86659FD93);
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, text.ptr + i, text.len - i);
    h = (h ^ rest) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(h ^ (h >> 29));
}

struct head *host_find_head(const struct host *host, struct slice text, uint32_t hash)
{
    if (!host->heads)
        return NULL;
    uint32_t mask = host->head_slots - 1;
    for (uint32_t slot = hash & mask; host->heads[slot]; slot = (slot + 1) & mask) {
        struct head *head = host->heads[slot];
        if (head->hash == hash && head->len == text.len && memcmp(head->text, text.ptr, text.len) == 0)
            return head;
    }
    return NULL;
}

static void heads_insert(struct host *host, struct head *head)
{
    uint32_t mask = host->head_slots - 1;
    uint32_t slot = head->hash & mask;
    while (host->heads[slot])
        slot = (slot + 1) & mask;
    host->heads[slot] = head;
}

static void heads_grow(struct host *host)
{
    struct head **old = host->heads;
    uint32_t old_slots = host->head_slots;
    host->head_slots = old_slots ? old_slots * 2 : HEADS_FIRST;
    host->heads = NEW_ARRAY(struct head *, host->head_slots);
    for (uint32_t i = 0; i < old_slots; i++) {
        if (old[i])
            heads_insert(host, old[i]);
    }
    mem_free(old);
}

struct head *host_add_head(struct host *host, struct slice text, uint32_t hash, uint16_t group,
                           uint32_t member, bool default_cluster)
{
    if (text.len > HEAD_MAX_BYTES || host->head_count >= HEADS_MAX)
        return NULL;
    if (host->head_count * 3 >= host->head_slots * 2)
        heads_grow(host);
    struct head *head = mem_alloc(sizeof(*head) + text.len);
    head->hash = hash;
    head->group = group;
    head->member = member;
    head->len = (uint16_t)text.len;
    head->default_cluster = default_cluster;
    memcpy(head->text, text.ptr, text.len);
    heads_insert(host, head);
    host->head_count++;
    return head;
}

// ---- removal
// ----------------------------------------------------------------------------------------------------

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
                     heap_bytes(host->head_slots * sizeof(*host->heads)) + host->memory.index_bytes;
    for (size_t g = 0; g < host->group_count; g++)
        bytes += heap_bytes(host->groups[g].cap * sizeof(struct series));
    for (uint32_t i = 0; i < host->head_slots; i++)
        bytes += host->heads[i] ? heap_bytes(sizeof(struct head) + host->heads[i]->len) : 0;
    return bytes;
}
