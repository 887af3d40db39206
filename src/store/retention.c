// SPDX-License-Identifier: MIT
// Giving memory back: free of a subtree (metric-store.md 5.6) and retention (4.7, 4.9). Host by host, so that
// ingest and queries of the others go on.
#include "base/macros.h"
#include "base/mem.h"
#include "store/store-private.h"

#define PATH_HOST      2 // names up to a host
#define PATH_MAX_NAMES 4 // cluster, host, component, sub-component

// Level of the names behind the host; LEVEL_NONE when there is none of that name.
static uint32_t find_path(const struct store *store, const struct host *host, const struct slice *names,
                          size_t count)
{
    uint32_t level = LEVEL_HOST;
    for (size_t i = 0; i < count && level != LEVEL_NONE; i++) {
        uint32_t name = intern_find(store->names, names[i]);
        level = name == INTERN_NONE ? LEVEL_NONE : host_find_level(host, level, name, NULL);
    }
    return level;
}

static bool is_below(const struct host *host, uint32_t level, uint32_t top)
{
    while (level != top && level != LEVEL_NONE)
        level = host->levels[level].parent;
    return level == top;
}

// What a walk frees.
struct freeing {
    int64_t to;
    bool trim;                // pieces of series that are being written, too
    uint64_t chunks, emptied; // freed; series that have nothing left
};

static void free_level(struct host *host, uint32_t top, struct freeing *f)
{
    for (size_t g = 0; g < host->group_count; g++) {
        struct group *group = &host->groups[g];
        struct series_env env = host_env(host, group);
        for (size_t m = 0; m < group->count; m++) {
            struct series *series = &group->members[m];
            if (!is_below(host, series->level, top))
                continue;
            f->chunks += series_free_before(series, &env, f->to);
            f->emptied += series_is_empty(series);
            if (f->trim)
                f->chunks += series_trim_before(series, &env, f->to);
        }
    }
}

// The heads that senders use are forgotten only when series are gone. Under the host's lock.
static void free_and_compact(struct store *store, struct host *host, uint32_t top, struct freeing *f)
{
    if (top != LEVEL_NONE)
        free_level(host, top, f);
    if (f->emptied > 0 || (host->group_count == 0 && top == LEVEL_HOST))
        ignore_result(host_compact(host, top)); // an empty host is taken out of the tree by the caller
    store_account(store, host);
    store_count(&store->counters.freed, f->chunks);
}

static uint64_t free_host(struct store *store, struct host *host, const struct slice *names, size_t count,
                          int64_t to)
{
    struct freeing f = {.to = to};
    pthread_mutex_lock(&host->lock);
    free_and_compact(store, host, find_path(store, host, names, count), &f);
    pthread_mutex_unlock(&host->lock);
    return f.chunks;
}

static uint64_t free_one_host(struct store *store, const struct slice *path, size_t path_count, int64_t to)
{
    struct host *host = path_count <= PATH_MAX_NAMES ? store_find_host(store, path[0], path[1]) : NULL;
    if (!host)
        return 0;
    store_need_host(store, host);
    uint64_t freed = free_host(store, host, path + PATH_HOST, path_count - PATH_HOST, to);
    host_unref(host);
    return freed;
}

// All hosts of a cluster or of all; those that 'keep' wants are left alone. load: what is in files only is read first, so that it
// goes too (and comes back with the next start, as upstream's).
static uint64_t free_hosts(struct store *store, struct slice cluster, int64_t to, bool load,
                           bool (*keep)(void *, struct slice, struct slice), void *ctx)
{
    size_t count;
    struct host **hosts = store_list_hosts(store, cluster, &count);
    uint64_t freed = 0;
    for (size_t i = 0; i < count; i++) {
        struct host *host = hosts[i];
        if (load)
            store_need_host(store, host);
        if (!keep || !keep(ctx, slice_from_cstr(host->cluster->name), slice_from_cstr(host->name)))
            freed += free_host(store, host, NULL, 0, to);
    }
    store_release_hosts(hosts, count);
    store_remove_empty(store, cluster, !cluster.ptr);
    return freed;
}

uint64_t store_free_before(struct store *store, const struct slice *path, size_t path_count, int64_t to)
{
    if (path_count >= PATH_HOST)
        return free_one_host(store, path, path_count, to);
    struct slice all = {.ptr = NULL};
    return free_hosts(store, path_count ? path[0] : all, to, true, NULL, NULL);
}

// A snapshot under way may fail: what it writes counts as not yet written.
static uint64_t free_oldest_of(struct store *store, struct host *host, int64_t to, bool safe)
{
    struct freeing f = {.to = to, .trim = true};
    pthread_mutex_lock(&host->lock);
    if (safe && store->persist)
        f.to = host->snapshot_running ? INT64_MIN : MIN(to, host->dirty_from);
    if (f.to != INT64_MIN)
        free_and_compact(store, host, LEVEL_HOST, &f);
    pthread_mutex_unlock(&host->lock);
    return f.chunks;
}

uint64_t store_free_oldest(struct store *store, int64_t to, uint64_t target_bytes, bool safe)
{
    size_t count;
    struct slice all = {.ptr = NULL};
    struct host **hosts = store_list_hosts(store, all, &count);
    uint64_t freed = 0;
    for (size_t i = 0; i < count; i++) {
        if (atomic_load_explicit(&store->cap.accounted, memory_order_relaxed) > target_bytes) {
            freed += free_oldest_of(store, hosts[i], to, safe);
            cap_note_freed(store);
        }
    }
    store_release_hosts(hosts, count);
    if (freed > 0)
        store_remove_empty(store, all, true);
    return freed;
}

uint64_t store_retain(struct store *store, int64_t threshold_s,
                      bool (*keep)(void *, struct slice, struct slice), void *ctx)
{
    ignore_result(
        !store_secure_before(store, threshold_s)); // reported; beyond the retention it goes all the same
    return free_hosts(store, (struct slice){.ptr = NULL}, threshold_s, false, keep, ctx);
}
