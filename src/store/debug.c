// SPDX-License-Identifier: MIT
// Dump of the tree as JSON (metric-store.md 5.7; valid and escaped, MS-25). A host is written under its lock
// into memory, nothing is sent meanwhile.
#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "codec/json-writer.h"
#include "store/store-private.h"

// Child of a level while a host is written.
struct child {
    uint32_t level;
    struct slice name;
};

static int compare_children(const void *a, const void *b)
{
    return slice_cmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = *(const struct group *const *)a, *y = *(const struct group *const *)b;
    return slice_cmp(x->metric->name, y->metric->name);
}

static void write_series(struct json_writer *w, const struct series *series, int64_t frequency_s)
{
    struct segment segment;
    json_write_array_begin(w);
    for (size_t i = 0; series_next_segment(series, &i, &segment);) {
        json_write_object_begin(w);
        json_write_key(w, "start");
        json_write_int(w, segment.start);
        json_write_key(w, "len");
        json_write_uint(w, segment.len);
        json_write_key(w, "end");
        json_write_int(w, segment.start + (int64_t)segment.len * frequency_s);
        if (segment.restored) {
            json_write_key(w, "saved");
            json_write_bool(w, true);
        }
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_metrics(struct json_writer *w, const struct host *host, uint32_t level)
{
    const struct group **groups = NEW_ARRAY(const struct group *, host->group_count);
    for (size_t g = 0; g < host->group_count; g++)
        groups[g] = &host->groups[g];
    if (host->group_count)
        qsort(groups, host->group_count, sizeof(*groups), compare_groups);
    for (size_t g = 0; g < host->group_count; g++) {
        const struct series *series = group_find(groups[g], level, NULL);
        if (!series || series_is_empty(series))
            continue;
        json_write_key_slice(w, groups[g]->metric->name);
        write_series(w, series, groups[g]->metric->frequency_s);
    }
    mem_free(groups);
}

// Depth is two below the host, so the recursion is bounded.
static void write_level(struct json_writer *w, const struct store *store, const struct host *host,
                        uint32_t level)
{
    struct child *children = NEW_ARRAY(struct child, host->level_count);
    size_t count = 0;
    json_write_object_begin(w);
    write_metrics(w, host, level);
    for (uint32_t i = 1; i < host->level_count; i++) {
        if (host->levels[i].exists && host->levels[i].parent == level)
            children[count++] =
                (struct child){.level = i, .name = intern_text(store->names, host->levels[i].name)};
    }
    if (count)
        qsort(children, count, sizeof(*children), compare_children);
    for (size_t i = 0; i < count; i++) {
        json_write_key_slice(w, children[i].name);
        write_level(w, store, host, children[i].level);
    }
    json_write_object_end(w);
    mem_free(children);
}

static int not_found(const struct slice *path, size_t path_count, struct error *err)
{
    struct buf text;
    buf_init(&text, ERROR_TEXT_SIZE);
    for (size_t i = 0; i < path_count; i++) {
        buf_append_cstr(&text, i ? ", " : "");
        json_append_quoted(&text, path[i]);
    }
    struct slice names = buf_slice(&text);
    int rc = error_set(err, ERR_NOT_FOUND, "[METRICSTORE]> not found: []string{%.*s}", SLICE_FMT(names));
    buf_release(&text);
    return rc;
}

static bool write_host(struct json_writer *w, struct store *store, struct host *host,
                       const struct slice *names, size_t count)
{
    uint32_t level = LEVEL_HOST;
    store_need_host(store, host);
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < count && level != LEVEL_NONE; i++) {
        uint32_t name = intern_find(store->names, names[i]);
        level = name == INTERN_NONE ? LEVEL_NONE : host_find_level(host, level, name, NULL);
    }
    if (level != LEVEL_NONE)
        write_level(w, store, host, level);
    pthread_mutex_unlock(&host->lock);
    return level != LEVEL_NONE;
}

static void write_hosts(struct json_writer *w, struct store *store, struct slice cluster)
{
    size_t count;
    struct host **hosts = store_list_hosts(store, cluster, &count);
    json_write_object_begin(w);
    for (size_t i = 0; i < count; i++) {
        json_write_key(w, hosts[i]->name);
        ignore_result(!write_host(w, store, hosts[i], NULL, 0)); // the host's own level is always there
    }
    json_write_object_end(w);
    store_release_hosts(hosts, count);
}

static int compare_names(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

// Names of the clusters, sorted; they live as long as the store.
static struct slice *list_clusters(struct store *store, size_t *ret_count)
{
    void *item;
    size_t count = 0;
    pthread_rwlock_rdlock(&store->tree_lock);
    struct slice *names = NEW_ARRAY(struct slice, hashmap_count(store->clusters));
    for (size_t i = 0; hashmap_next(store->clusters, &i, NULL, &item);) {
        const struct cluster *cluster = item;
        if (cluster->exists)
            names[count++] = slice_from_cstr(cluster->name);
    }
    pthread_rwlock_unlock(&store->tree_lock);
    if (count)
        qsort(names, count, sizeof(*names), compare_names);
    *ret_count = count;
    return names;
}

static bool write_clusters(struct json_writer *w, struct store *store, const struct slice *wanted)
{
    size_t count;
    struct slice *names = list_clusters(store, &count);
    bool found = !wanted;
    if (!wanted)
        json_write_object_begin(w);
    for (size_t i = 0; i < count; i++) {
        if (wanted && !slice_eq(*wanted, names[i]))
            continue;
        if (!wanted)
            json_write_key_slice(w, names[i]);
        write_hosts(w, store, names[i]);
        found = true;
    }
    if (!wanted)
        json_write_object_end(w);
    mem_free(names);
    return found;
}

static bool write_path(struct json_writer *w, struct store *store, const struct slice *path,
                       size_t path_count)
{
    if (path_count < 2)
        return write_clusters(w, store, path_count ? path : NULL);
    struct host *host = store_find_host(store, path[0], path[1]);
    bool found = host && write_host(w, store, host, path + 2, path_count - 2);
    host_unref(host);
    return found;
}

int store_debug(struct store *store, const struct slice *path, size_t path_count, struct buf *out,
                struct error *err)
{
    struct json_writer w;
    size_t before = out->len;
    json_writer_init(&w, out);
    json_write_object_begin(&w);
    json_write_key(&w, "data");
    if (!write_path(&w, store, path, path_count)) {
        out->len = before;
        return not_found(path, path_count, err);
    }
    json_write_object_end(&w);
    return buf_failed(out) ? error_set(err, ERR_LIMIT, "the dump is larger than %zu bytes", out->max_bytes)
                           : 0;
}
