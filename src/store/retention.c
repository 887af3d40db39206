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

static uint64_t free_level(struct host *host, uint32_t top, int64_t to)
{
    uint64_t freed = 0;
    for (size_t g = 0; g < host->group_count; g++) {
        struct group *group = &host->groups[g];
        struct series_env env = host_env(host, group);
        for (size_t m = 0; m < group->count; m++) {
            if (is_below(host, group->members[m].level, top))
                freed += series_free_before(&group->members[m], &env, to);
        }
    }
    return freed;
}

static uint64_t free_host(struct store *store, struct host *host, const struct slice *names, size_t count,
                          int64_t to)
{
    uint64_t freed = 0;
    pthread_mutex_lock(&host->lock);
    uint32_t top = find_path(store, host, names, count);
    if (top != LEVEL_NONE)
        freed = free_level(host, top, to);
    if (freed > 0 || (host->group_count == 0 && count == 0))
        ignore_result(host_compact(host, top)); // an empty host is taken out of the tree by the caller
    pthread_mutex_unlock(&host->lock);
    store_count(&store->counters.freed, freed);
    return freed;
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
        host_unref(host);
    }
    mem_free(hosts);
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

uint64_t store_free_loaded_before(struct store *store, int64_t to)
{
    return free_hosts(store, (struct slice){.ptr = NULL}, to, false, NULL, NULL);
}

uint64_t store_retain(struct store *store, int64_t threshold_s,
                      bool (*keep)(void *, struct slice, struct slice), void *ctx)
{
    store_secure_before(store, threshold_s);
    return free_hosts(store, (struct slice){.ptr = NULL}, threshold_s, false, keep, ctx);
}
