// SPDX-License-Identifier: MIT
// Snapshots into hosts (metric-store.md 7.6). A host's files are read into a host of their own, which nobody else sees; then its
// series move over under the lock. What came in meanwhile is newer and wins, slot by slot. So ingest never waits for files.
#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/host-wal.h"
#include "store/persist-private.h"

#define RETRY_S 10

// ---- values of a snapshot ---------------------------------------------------------------------------------

static bool all_gaps(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i]))
            return false;
    }
    return true;
}

static void write_one(struct series *series, const struct series_env *env, int64_t ts, double v,
                      bool was_float32)
{
    if (isnan(v))
        return;
    struct series_value value = was_float32 ? series_value_of_float32((float)v) : series_value_of(v);
    series_write(series, env, ts, &value);
}

static int64_t newest_end(const struct series *series, int64_t f)
{
    struct segment newest;
    return series_newest_segment(series, &newest) ? newest.start + (int64_t)newest.len * f : INT64_MIN;
}

// The file's 'start' is the time of the first value, the middle of its bin (MS-28).
static void add_same_step(struct series *series, const struct series_env *env,
                          const struct checkpoint_metric *metric, int64_t window_from)
{
    double values[BLOCK_MAX_VALUES];
    int64_t f = env->frequency_s, left = metric->start - f / 2;
    size_t total = metric->values.count;
    for (size_t done = 0, n; done < total; done += n) {
        n = MIN(total - done, (size_t)BLOCK_MAX_VALUES);
        checkpoint_get_values(&metric->values, done, n, values);
        int64_t start = left + (int64_t)done * f;
        if (start + f / 2 + (int64_t)n * f < window_from || all_gaps(values, n)) // retention would free it
            continue;
        if (start >= newest_end(series, f)) {
            series_add_restored(series, env, start,
                                metric->values.f32le ? block_encode_float32(values, n)
                                                     : block_encode(values, n));
            continue;
        }
        for (size_t i = 0; i < n; i++) // snapshots that overlap
            write_one(series, env, metric->start + (int64_t)(done + i) * f, values[i],
                      metric->values.f32le != NULL);
    }
}

// The interval was another one when this was written (MS-37).
static void add_other_step(struct series *series, const struct series_env *env,
                           const struct checkpoint_metric *metric, int64_t window_from)
{
    double values[BLOCK_MAX_VALUES];
    size_t total = metric->values.count;
    for (size_t done = 0, n; done < total; done += n) {
        n = MIN(total - done, (size_t)BLOCK_MAX_VALUES);
        checkpoint_get_values(&metric->values, done, n, values);
        for (size_t i = 0; i < n; i++) {
            int64_t ts = metric->start + (int64_t)(done + i) * metric->frequency_s;
            if (ts >= window_from)
                write_one(series, env, ts, values[i], metric->values.f32le != NULL);
        }
    }
}

static void add_metric(struct persist *p, struct host *host, uint32_t level,
                       const struct checkpoint_metric *from, int64_t window_from)
{
    const struct metric *metric =
        store_find_metric(p->store, slice_from_cstr(host->cluster->name), from->name);
    int64_t end = from->start + (int64_t)from->values.count * from->frequency_s; // checked by the reader
    if (!metric || !persist_is_time(from->start) || !persist_is_time(end))
        return;
    struct group *group = host_add_group(host, metric);
    struct series *series = host_add_series(host, group, level);
    struct series_env env = host_env(host, group);
    if (from->values.count == 0)
        series_add_hollow(series, from->start - metric->frequency_s / 2);
    else if (from->frequency_s == metric->frequency_s)
        add_same_step(series, &env, from, window_from);
    else
        add_other_step(series, &env, from, window_from);
}

static void add_level(struct persist *p, struct host *host, uint32_t level,
                      const struct checkpoint_level *from, int64_t window_from)
{
    for (size_t i = 0; i < from->metric_count; i++)
        add_metric(p, host, level, &from->metrics[i], window_from);
    for (size_t i = 0; i < from->child_count; i++) { // the reader bounds the depth
        const struct checkpoint_level *child = &from->children[i];
        if (child->name.len > 0 && child->name.len <= NAME_MAX_BYTES)
            add_level(p, host, host_add_level(host, level, intern_add(p->store->names, child->name)), child,
                      window_from);
    }
}

void persist_add_checkpoint(struct persist *p, struct host *host, const struct checkpoint *checkpoint,
                            int64_t window_from)
{
    add_level(p, host, LEVEL_HOST, &checkpoint->root, window_from);
}

// ---- files of a host --------------------------------------------------------------------------------------

// Everything else may be another way the next time, and the file stays where it is.
static bool is_damage(int rc)
{
    return rc == ERR_CORRUPT || rc == ERR_INVALID;
}

static int load_file(struct persist *p, struct host *host, const char *path, const struct snapshot_file *file,
                     int64_t window_from, struct error *err)
{
    struct snapshot_read read;
    int rc = persist_read_snapshot(p, path, file, &read, err);
    if (is_damage(rc))
        persist_set_aside(p, path, read.name, err->text);
    if (rc == 0 && (read.checkpoint.to == 0 || read.checkpoint.to >= window_from)) {
        persist_add_checkpoint(p, host, &read.checkpoint, window_from);
        persist_count(&p->counters.loaded_files, 1);
        persist_count(&p->counters.loaded_bytes, read.bytes.len);
    }
    persist_release_snapshot(&read);
    return rc == ERR_NOT_FOUND ? 0 : rc; // gone: cleaned up meanwhile
}

// Snapshots of [window_from, until).
static void load_files(struct persist *p, struct host *host, const char *path,
                       const struct snapshot_list *list, int64_t window_from, int64_t until)
{
    for (size_t i = 0; i < list->count && list->items[i].from < until; i++) {
        struct error err = ERROR_INIT;
        bool covered = i + 1 < list->count &&
                       list->items[i + 1].from <= window_from; // the next one begins before the window
        if (covered && list->items[i].from < window_from)
            continue;
        int rc = load_file(p, host, path, &list->items[i], window_from, &err);
        if (rc < 0 && !is_damage(rc)) {
            persist_count(&p->counters.failed_loads, 1);
            persist_report(p, LOG_LEVEL_ERROR,
                           "a snapshot cannot be read, its data is missing from answers until the next "
                           "start: %s",
                           err.text);
        }
    }
}

static void replay_host_wal_record(struct persist *p, struct host *host, const struct host_wal_record *record)
{
    const struct metric *metric =
        store_find_metric(p->store, slice_from_cstr(host->cluster->name), record->metric);
    uint32_t level = LEVEL_HOST;
    if (!metric || record->selector_count > ARRAY_LEN(record->selector))
        return;
    for (size_t i = 0; i < record->selector_count; i++) {
        if (record->selector[i].len == 0 || record->selector[i].len > NAME_MAX_BYTES)
            return;
        level = host_add_level(host, level, intern_add(p->store->names, record->selector[i]));
    }
    struct group *group = host_add_group(host, metric);
    struct series *series = host_add_series(host, group, level);
    struct series_env env = host_env(host, group);
    struct series_value value = series_value_of_float32(record->value);
    int64_t slot = series_write(series, &env, record->ts, &value);
    host->dirty_from = MIN(host->dirty_from, slot);
}

// The log that upstream left, or our tool wrote. It stays until a snapshot has what is in it (MS-30).
static void load_host_wal(struct persist *p, struct host *host, const char *path, int64_t window_from)
{
    struct host_wal_reader reader;
    struct host_wal_record record;
    struct error err = ERROR_INIT;
    struct buf bytes;
    buf_init(&bytes, PERSIST_FILE_MAX_BYTES);
    int rc = persist_read(p, path, HOST_WAL_NAME, &bytes, &err);
    if (rc == 0) {
        host_wal_reader_init(&reader, buf_slice(&bytes));
        while ((rc = host_wal_next(&reader, &record, &err)) > 0) {
            if (record.ts >= window_from && persist_is_time(record.ts) && isfinite(record.value))
                replay_host_wal_record(p, host, &record);
        }
    }
    if (rc == ERR_CORRUPT)
        persist_report(p, LOG_LEVEL_WARN,
                       "'%s/%s' is cut or damaged behind its record %llu; what is before it was read: %s",
                       path, HOST_WAL_NAME, (unsigned long long)reader.records, err.text);
    else if (rc < 0 && rc != ERR_NOT_FOUND) {
        persist_count(&p->counters.failed_loads, 1);
        persist_report(p, LOG_LEVEL_ERROR, "%s", err.text);
    }
    host->files.has_host_wal = rc == 0 || rc == ERR_CORRUPT;
    buf_release(&bytes);
}

// ---- moving into the live host ----------------------------------------------------------------------------

// Returns the oldest time that what is dirty has now, INT64_MAX: nothing is.
static int64_t absorb_series(struct host *host, struct group *group, struct series *to, struct host *from,
                             struct group *from_group, struct series *loaded)
{
    int64_t dirty = INT64_MAX;
    if (!series_is_empty(to)) {
        struct series_env from_env = host_env(from, from_group), env = host_env(host, group);
        dirty = series_overlay(loaded, &from_env, to, host->dirty_from);
        series_release(to, &env);
    }
    series_move(to, loaded);
    return dirty;
}

static void add_memory(struct series_memory *to, const struct series_memory *from)
{
    to->open_bytes += from->open_bytes;
    to->sealed_bytes += from->sealed_bytes;
    to->index_bytes += from->index_bytes;
    to->open_chunks += from->open_chunks;
    to->sealed_chunks += from->sealed_chunks;
}

// Everything of 'from' goes into 'host', whose lock is held.
static void absorb(struct host *host, struct host *from)
{
    uint32_t *levels = NEW_ARRAY(uint32_t, from->level_count);
    int64_t dirty = from->dirty_from;
    for (uint32_t i = 1; i < from->level_count; i++) // parents come first
        levels[i] = host_add_level(host, levels[from->levels[i].parent], from->levels[i].name);
    for (size_t g = 0; g < from->group_count; g++) {
        struct group *from_group = &from->groups[g];
        struct group *group = host_add_group(host, from_group->metric);
        for (size_t m = 0; m < from_group->count; m++) {
            struct series *loaded = &from_group->members[m];
            if (series_is_empty(loaded))
                continue;
            struct series *to = host_add_series(host, group, levels[loaded->level]);
            int64_t moved = absorb_series(host, group, to, from, from_group, loaded);
            dirty = MIN(dirty, moved);
        }
    }
    add_memory(&host->memory, &from->memory);
    from->memory = (struct series_memory){.open_bytes = 0};
    host->dirty_from = MIN(host->dirty_from, dirty);
    mem_free(levels);
}

// Under files.lock.
static void load_host(struct persist *p, struct host *host)
{
    struct error err = ERROR_INIT;
    struct snapshot_list list;
    char *path = persist_host_path(p, host);
    int64_t window_s = p->store->window_s;
    int64_t window_from = window_s > 0 && !host->files.loaded_all ? persist_now(p) - window_s : INT64_MIN;
    struct host *loaded = host_new(host->cluster, slice_from_cstr(host->name));
    int rc = persist_list(path, &list, &err);
    if (rc == 0 && list.odd_names)
        persist_report(p, LOG_LEVEL_WARN,
                       "'%s': %zu files have a number in another form than <number>.bin or .json, such as "
                       "005.bin, and are left "
                       "alone; rename them to be read",
                       path, list.odd_names);
    if (rc == 0) {
        load_files(p, loaded, path, &list, window_from, host->files.loaded_from);
        if (list.has_host_wal)
            load_host_wal(p, loaded, path, window_from);
    }
    pthread_mutex_lock(&host->lock);
    absorb(host, loaded);
    store_account(p->store, host);
    pthread_mutex_unlock(&host->lock);
    host->files.has_host_wal = loaded->files.has_host_wal;
    host->files.retry_at_s = persist_now(p) + RETRY_S;
    if (rc == 0) {
        host->files.loaded_from = window_from;
        atomic_store_explicit(&host->files.unloaded, false, memory_order_release);
    } else {
        persist_report(p, LOG_LEVEL_ERROR, "snapshots of a host cannot be read now: %s", err.text);
    }
    host_unref(loaded);
    persist_list_release(&list);
    mem_free(path);
}

void persist_load_locked(struct persist *p, struct host *host)
{
    if (host->files.unloaded && (host->files.retry_at_s == 0 || persist_now(p) >= host->files.retry_at_s))
        load_host(p, host);
}

void store_load_host(struct store *store, struct host *host)
{
    struct persist *p = store->persist;
    if (!p)
        return;
    store_need_memory(store);
    pthread_mutex_lock(&host->files.lock);
    persist_load_locked(p, host);
    pthread_mutex_unlock(&host->files.lock);
}

void persist_keep_host(struct persist *persist, struct slice cluster, struct slice name)
{
    struct host *host = store_find_host(persist->store, cluster, name);
    if (!host)
        return;
    pthread_mutex_lock(&host->files.lock);
    if (!host->files.loaded_all) { // older snapshots go below what is there
        host->files.loaded_all = true;
        host->files.retry_at_s = 0;
        atomic_store_explicit(&host->files.unloaded, true, memory_order_release);
    }
    pthread_mutex_unlock(&host->files.lock);
    host_unref(host);
}

// ---- names at the start -----------------------------------------------------------------------------------

static bool is_skipped_name(const char *name)
{
    return strcmp(name, WAL_DIRECTORY_NAME) == 0 || strlen(name) > NAME_MAX_BYTES;
}

// Whether there is anything that the window or a log asks for. Only when all snapshots begin before the window is one opened.
static bool has_data(struct persist *p, const char *path, const struct snapshot_list *list,
                     int64_t window_from)
{
    if (list->has_host_wal || list->odd_names)
        return true;
    if (list->count == 0)
        return false;
    struct snapshot_file last = list->items[list->count - 1];
    if (last.from >= window_from)
        return true;
    return persist_read_end(p, path, &last, NULL) != 0 || last.to == 0 || last.to >= window_from;
}

static void scan_host(struct persist *p, const char *cluster_path, const char *cluster, const char *name,
                      int64_t window_from)
{
    struct snapshot_list list;
    struct error err = ERROR_INIT;
    char *path = file_join(cluster_path, name);
    int rc = persist_list(path, &list, &err);
    if (rc < 0) {
        persist_report(p, LOG_LEVEL_WARN, "not a host's directory, left alone: %s", err.text);
    } else { // a level for an empty directory, too, as upstream's; the cleanup removes both (MS-49)
        struct host *host = store_add_host(p->store, slice_from_cstr(cluster), slice_from_cstr(name));
        atomic_store_explicit(&host->files.unloaded, has_data(p, path, &list, window_from),
                              memory_order_release);
        host_unref(host);
    }
    persist_list_release(&list);
    mem_free(path);
}

static int scan_cluster(struct persist *p, const char *name, int64_t window_from, struct error *err)
{
    char **hosts = NULL;
    size_t count = 0;
    char *path = file_join(p->options.directory, name);
    int rc = file_list(path, &hosts, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!is_skipped_name(hosts[i]))
            scan_host(p, path, name, hosts[i], window_from);
    }
    file_list_free(&hosts, count);
    mem_free(path);
    return rc;
}

int persist_scan(struct persist *p, struct error *err)
{
    char **clusters = NULL;
    size_t count = 0;
    int64_t window_s = p->store->window_s;
    int64_t window_from = window_s > 0 ? p->options.now_s - window_s : INT64_MIN;
    int rc = file_list(p->options.directory, &clusters, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct error why = ERROR_INIT;
        if (!is_skipped_name(clusters[i]) && scan_cluster(p, clusters[i], window_from, &why) < 0)
            persist_report(p, LOG_LEVEL_WARN, "not a cluster's directory, left alone: %s", why.text); // MS-10
    }
    file_list_free(&clusters, count);
    return rc;
}
