// SPDX-License-Identifier: MIT
#include "store/persist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/persist-private.h"

#define LOG_MAX_BYTES     ((size_t)128 << 20)
#define SEGMENTS_PER_LOG  8
#define SEGMENT_MIN_BYTES ((size_t)64 << 10)
#define WORKERS_MAX       16
#define WORK_INTERVAL_NS  (NS_PER_S / 4)
#define ADMIT_WAIT_NS     (2 * NS_PER_S) // a batch waits so long for the log to get smaller, then it goes on

void persist_report(struct persist *p, enum log_level level, const char *fmt, ...)
{
    char text[2 * ERROR_TEXT_SIZE];
    va_list args;
    if (!p->options.report)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    p->options.report(p->options.report_ctx, level, text);
}

int64_t persist_now(const struct persist *p)
{
    return p->options.clock_s ? p->options.clock_s() : wall_seconds(clock_wall());
}

// ---- many hosts -------------------------------------------------------------------------------------------

struct each {
    struct persist *p;
    struct host **hosts;
    size_t count;
    atomic_size_t next;
    void (*fn)(struct persist *, struct host *, void *);
    void *ctx;
};

static void *each_main(void *arg)
{
    struct each *each = arg;
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&each->next, 1, memory_order_relaxed);
        if (i >= each->count)
            return NULL;
        each->fn(each->p, each->hosts[i], each->ctx);
    }
}

void persist_each(struct persist *p, struct host **hosts, size_t count,
                  void (*fn)(struct persist *, struct host *, void *), void *ctx)
{
    pthread_t threads[WORKERS_MAX];
    size_t started = 0, wanted = MIN((size_t)p->options.workers, count / 4);
    struct each each = {.p = p, .hosts = hosts, .count = count, .fn = fn, .ctx = ctx};
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, each_main, &each) == 0)
        started++;
    (void)each_main(&each); // the caller does its share, and all of it when threads cannot be had
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

// Hosts for which 'wanted' says yes, referenced, heap.
static struct host **select_hosts(struct persist *p, bool (*wanted)(struct persist *, struct host *, int64_t),
                                  int64_t limit, size_t *ret_count)
{
    size_t count, kept = 0;
    struct host **hosts = store_list_hosts(p->store, (struct slice){.ptr = NULL}, &count);
    for (size_t i = 0; i < count; i++) {
        if (wanted(p, hosts[i], limit))
            hosts[kept++] = hosts[i];
        else
            host_unref(hosts[i]);
    }
    *ret_count = kept;
    return hosts;
}

// ---- snapshots --------------------------------------------------------------------------------------------

struct snapshot_run {
    int64_t now_s;
    atomic_size_t failed;
    pthread_mutex_t mutex;
    struct error first; // of the failures
};

static void snapshot_one(struct persist *p, struct host *host, void *ctx)
{
    struct snapshot_run *run = ctx;
    struct error err = ERROR_INIT;
    if (persist_snapshot_host(p, host, run->now_s, &err) == 0)
        return;
    pthread_mutex_lock(&run->mutex);
    if (run->failed++ == 0)
        run->first = err;
    pthread_mutex_unlock(&run->mutex);
}

// Returns 0, or the code of the first failure; the others are tried all the same.
static int snapshot_hosts(struct persist *p, struct host **hosts, size_t count, int64_t now_s,
                          struct error *err)
{
    struct snapshot_run run = {.now_s = now_s, .mutex = PTHREAD_MUTEX_INITIALIZER};
    persist_each(p, hosts, count, snapshot_one, &run);
    pthread_mutex_destroy(&run.mutex);
    if (count > 0)
        atomic_store_explicit(&p->snapshots_fail, run.failed > 0, memory_order_relaxed);
    if (run.failed == 0)
        return 0;
    return error_set(err, run.first.code, "%zu of %zu snapshots failed: %s", (size_t)run.failed, count,
                     run.first.text);
}

static bool is_dirty_before(struct persist *p UNUSED, struct host *host, int64_t before_s)
{
    pthread_mutex_lock(&host->lock);
    bool dirty = host->dirty_from < before_s || host->snapshot_running; // that one may fail: it is waited for
    pthread_mutex_unlock(&host->lock);
    return dirty;
}

static bool is_dirty_since_epoch(struct persist *p UNUSED, struct host *host, int64_t epoch)
{
    pthread_mutex_lock(&host->lock);
    bool dirty = host->dirty_epoch != 0 && host->dirty_epoch <= (uint64_t)epoch;
    pthread_mutex_unlock(&host->lock);
    return dirty;
}

static bool is_due(struct persist *p, struct host *host, int64_t now_s)
{
    if (!is_dirty_before(p, host, INT64_MAX))
        return false;
    pthread_mutex_lock(&host->files.lock);
    int64_t last = host->files.last_snapshot_s ? host->files.last_snapshot_s : p->options.now_s;
    pthread_mutex_unlock(&host->files.lock);
    return now_s - last >= p->options.checkpoint_interval_s;
}

static int snapshot_selected(struct persist *p, bool (*wanted)(struct persist *, struct host *, int64_t),
                             int64_t limit, int64_t now_s, struct error *err)
{
    size_t count;
    struct host **hosts = select_hosts(p, wanted, limit, &count);
    int rc = snapshot_hosts(p, hosts, count, now_s, err);
    store_release_hosts(hosts, count);
    return rc;
}

int persist_snapshot_before(struct persist *persist, int64_t before_s, int64_t now_s, struct error *err)
{
    return snapshot_selected(persist, is_dirty_before, before_s, now_s, err);
}

bool store_secure_before(struct store *store, int64_t before_s)
{
    struct persist *p = store->persist;
    struct error err = ERROR_INIT;
    if (!p || persist_snapshot_before(p, before_s, persist_now(p), &err) == 0)
        return true;
    persist_report(p, LOG_LEVEL_ERROR, "before data is freed: %s; it is only in the log now", err.text);
    return false;
}

// ---- the log ----------------------------------------------------------------------------------------------

// Segments that no host needs any more. A record that is written while we look is of the present epoch or a later one.
static void drop_segments(struct persist *p)
{
    struct error err = ERROR_INIT;
    size_t count;
    uint64_t needed = wal_epoch(p->wal);
    struct host **hosts = store_list_hosts(p->store, (struct slice){.ptr = NULL}, &count);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&hosts[i]->lock);
        if (hosts[i]->dirty_epoch)
            needed = MIN(needed, hosts[i]->dirty_epoch);
        pthread_mutex_unlock(&hosts[i]->lock);
    }
    store_release_hosts(hosts, count);
    if (wal_drop_before(p->wal, needed, &err) < 0)
        persist_report(p, LOG_LEVEL_WARN, "segments of the log cannot be removed now: %s", err.text);
}

static uint64_t log_bytes(const struct persist *p)
{
    struct wal_stats stats;
    wal_stats(p->wal, &stats);
    return stats.bytes;
}

// Tells the batches that wait in store_admit.
static void note_log_size(struct persist *p)
{
    bool full = log_bytes(p) > p->options.log_max_bytes;
    pthread_mutex_lock(&p->mutex);
    atomic_store_explicit(&p->log_is_full, full, memory_order_relaxed);
    if (!full)
        pthread_cond_broadcast(&p->space);
    pthread_mutex_unlock(&p->mutex);
}

static void report_failed(struct persist *p, const struct error *err)
{
    persist_report(
        p, LOG_LEVEL_ERROR,
        "%s; the log keeps the data and grows, it is tried again: make room or mend the disk of '%s'",
        err->text, p->options.directory);
}

// Half of the log is for what comes in while hosts take their turn.
static void shrink_log(struct persist *p, int64_t now_s)
{
    struct error err = ERROR_INIT;
    if (log_bytes(p) < p->options.log_max_bytes / 2)
        return;
    uint64_t epoch = wal_rotate(p->wal);
    if (snapshot_selected(p, is_dirty_since_epoch, (int64_t)epoch - 1, now_s, &err) < 0)
        report_failed(p, &err);
    drop_segments(p);
}

// Senders are told of each failure when they wait for the disk; here the administrator is, in all modes.
static void report_failed_commits(struct persist *p)
{
    struct wal_stats stats;
    wal_stats(p->wal, &stats);
    if (stats.failed_commits > p->failed_commits_told)
        persist_report(p, LOG_LEVEL_ERROR,
                       "the log in '%s' could not be written %llu times, %llu records are not in it: make "
                       "room or mend the "
                       "disk; data since the last snapshots is in memory only until then",
                       p->options.directory,
                       (unsigned long long)(stats.failed_commits - p->failed_commits_told),
                       (unsigned long long)stats.failed_records);
    p->failed_commits_told = stats.failed_commits;
}

void persist_work(struct persist *p, int64_t now_s)
{
    struct error err = ERROR_INIT;
    size_t count;
    struct host **hosts = select_hosts(p, is_due, now_s, &count);
    if (snapshot_hosts(p, hosts, count, now_s, &err) < 0)
        report_failed(p, &err);
    if (count > 0)
        drop_segments(p);
    store_release_hosts(hosts, count);
    shrink_log(p, now_s);
    note_log_size(p);
    report_failed_commits(p);
}

// Back-pressure: the replay at the next start is bounded by the size of the log. Without progress (a full disk) the log may
// grow beyond it rather than refuse samples.
void store_admit(struct store *store)
{
    struct persist *p = store->persist;
    if (LIKELY(!atomic_load_explicit(&p->log_is_full, memory_order_relaxed)))
        return;
    struct mono_time until = mono_after(clock_mono(), ADMIT_WAIT_NS);
    int rc = 0;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_signal(&p->wake);
    while (rc == 0 && p->log_is_full && !p->snapshots_fail && !p->stopping && p->has_snapshot_thread)
        rc = clock_cond_wait(&p->space, &p->mutex, until);
    pthread_mutex_unlock(&p->mutex);
}

// ---- threads ----------------------------------------------------------------------------------------------

static void *snapshot_main(void *arg)
{
    struct persist *p = arg;
    pthread_mutex_lock(&p->mutex);
    while (!p->stopping) {
        clock_cond_wait(&p->wake, &p->mutex, mono_after(clock_mono(), WORK_INTERVAL_NS));
        if (p->stopping)
            break;
        pthread_mutex_unlock(&p->mutex);
        persist_work(p, persist_now(p));
        pthread_mutex_lock(&p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

// What is loaded from here on is not older than what the cap left (store->window_s).
static void warm_one(struct persist *p, struct host *host, void *ctx)
{
    atomic_bool *told = ctx;
    struct store_cap_report report;
    if (p->stopping)
        return;
    store_need_host(p->store, host);
    if (!cap_is_pressing(p->store) || !store_hold_cap(p->store, persist_now(p), &report))
        return;
    if (!atomic_exchange(told, true))
        persist_report(
            p, LOG_LEVEL_WARN,
            "memory cap: reached while snapshots are loaded; of older data than %lld s not all is in memory",
            (long long)report.kept_s);
}

static bool is_unloaded(struct persist *p UNUSED, struct host *host, int64_t limit UNUSED)
{
    return host->files.unloaded;
}

void persist_load_all(struct persist *persist)
{
    atomic_bool told = false;
    size_t count;
    struct host **hosts = select_hosts(persist, is_unloaded, 0, &count);
    persist_each(persist, hosts, count, warm_one, &told);
    store_release_hosts(hosts, count);
}

bool persist_has_unloaded(struct persist *persist)
{
    size_t count;
    struct host **hosts = select_hosts(persist, is_unloaded, 0, &count);
    store_release_hosts(hosts, count);
    return count > 0;
}

static void *warm_main(void *arg)
{
    struct persist *p = arg;
    struct mono_time begin = clock_mono();
    persist_load_all(p);
    if (p->counters.loaded_files)
        persist_report(p, LOG_LEVEL_INFO, "snapshots loaded: files=%llu bytes=%llu seconds=%.1f",
                       (unsigned long long)p->counters.loaded_files,
                       (unsigned long long)p->counters.loaded_bytes,
                       (double)mono_diff_ns(clock_mono(), begin) / 1e9);
    return NULL;
}

static int start_threads(struct persist *p, struct error *err)
{
    int rc = pthread_create(&p->snapshot_thread, NULL, snapshot_main, p);
    p->has_snapshot_thread = rc == 0;
    if (rc == 0)
        rc = pthread_create(&p->warm_thread, NULL, warm_main, p);
    p->has_warm_thread = p->has_snapshot_thread && rc == 0;
    errno = rc;
    return rc == 0 ? 0 : error_set_errno(err, "cannot start the threads of the snapshots");
}

static void stop_threads(struct persist *p)
{
    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_cond_broadcast(&p->space);
    pthread_mutex_unlock(&p->mutex);
    if (p->has_snapshot_thread)
        pthread_join(p->snapshot_thread, NULL);
    if (p->has_warm_thread)
        pthread_join(p->warm_thread, NULL);
    p->has_snapshot_thread = p->has_warm_thread = false;
}

// ---- life -------------------------------------------------------------------------------------------------

static unsigned default_workers(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 0 ? (unsigned)processors / 2 + 1 : 1;
}

static struct persist *make(struct store *store, const struct persist_options *options)
{
    struct persist *p = NEW(struct persist);
    p->store = store;
    p->options = *options;
    p->options.directory = mem_strdup(options->directory);
    if (p->options.log_max_bytes == 0)
        p->options.log_max_bytes = LOG_MAX_BYTES;
    if (p->options.workers == 0)
        p->options.workers = default_workers();
    p->options.workers = MIN(p->options.workers, WORKERS_MAX);
    p->io = options->io ? options->io : &io_system;
    pthread_mutex_init(&p->mutex, NULL);
    clock_cond_init(&p->wake);
    clock_cond_init(&p->space);
    return p;
}

static void unmake(struct persist **persist)
{
    struct persist *p = *persist;
    p->store->persist = NULL;
    p->store->wal = NULL;
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->space);
    pthread_mutex_destroy(&p->mutex);
    mem_free((char *)p->options.directory);
    mem_free(p);
    *persist = NULL;
}

static char *log_directory(const struct persist *p)
{
    return file_join(p->options.directory, WAL_DIRECTORY_NAME);
}

static int open_log(struct persist *p, struct error *err)
{
    char *directory = log_directory(p);
    struct wal_options options = {.directory = directory,
                                  .io = p->io,
                                  .segment_bytes =
                                      MAX(p->options.log_max_bytes / SEGMENTS_PER_LOG, SEGMENT_MIN_BYTES),
                                  .sync = p->options.sync,
                                  .sync_interval_ms = p->options.sync_interval_ms};
    int rc = wal_open(&options, &p->wal, err);
    mem_free(directory);
    return rc;
}

int persist_open(struct store *store, const struct persist_options *options, struct persist **ret_persist,
                 struct error *err)
{
    struct persist *p = make(store, options);
    store->persist = p;
    int rc = io_make_dirs_synced(p->io, p->options.directory, PERSIST_DIRECTORY_MODE, err);
    if (rc == 0)
        rc = open_log(p, err);
    if (rc == 0)
        rc = persist_replay(p, err);
    if (rc == 0)
        rc = persist_scan(p, err);
    if (rc == 0) {
        store->wal = p->wal;
        note_log_size(p);
        rc = p->options.background ? start_threads(p, err) : 0;
    }
    if (rc < 0) {
        persist_abandon(&p);
        return error_prefix(err, "checkpoints");
    }
    *ret_persist = p;
    return 0;
}

void persist_abandon(struct persist **persist)
{
    struct persist *p = *persist;
    if (!p)
        return;
    stop_threads(p);
    p->store->wal = NULL;
    if (p->wal)
        ignore_result(wal_close(&p->wal, NULL)); // nobody waits for an answer any more
    unmake(persist);
}

// Everything is in snapshots: upstream's store must find no log. Segments go oldest first, each for good before the next, so
// that what a power loss may bring back is always the end of the log.
// Damaged segments that were set aside leave the log's directory, which goes: "<checkpoints>.<segment>.log.corrupt" beside it.
static void keep_damaged_segments(struct persist *p, const char *directory)
{
    char **names = NULL;
    size_t count = 0;
    struct slice base = slice_from_cstr(p->options.directory);
    struct buf to;
    while (base.len > 1 && base.ptr[base.len - 1] == '/')
        base.len--;
    if (file_list(directory, &names, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!slice_ends_with(slice_from_cstr(names[i]), SLICE_LITERAL(".corrupt")))
            continue;
        char *from = file_join(directory, names[i]);
        buf_init(&to, BUF_MAX_DEFAULT);
        buf_printf(&to, "%.*s.%s", SLICE_FMT(base), names[i]);
        if (p->io->ops->rename(p->io->ctx, from, buf_cstr(&to)) == 0)
            persist_report(p, LOG_LEVEL_WARN, "a damaged segment of the log is kept as '%s'", buf_cstr(&to));
        else
            persist_report(p, LOG_LEVEL_ERROR,
                           "a damaged segment of the log, '%s', cannot be moved and is removed", from);
        buf_release(&to);
        mem_free(from);
    }
    file_list_free(&names, count);
}

static int remove_log(struct persist *p, struct error *err)
{
    char *directory = log_directory(p);
    int rc = wal_drop_before(p->wal, wal_rotate(p->wal), err);
    ignore_result(wal_close(&p->wal, NULL)); // the snapshots have what the last commit may have failed with
    if (rc == 0) {
        keep_damaged_segments(p, directory);
        rc = file_remove_tree(directory, err);
    }
    mem_free(directory);
    return rc;
}

int persist_close(struct persist **persist, int64_t now_s, struct error *err)
{
    struct persist *p = *persist;
    if (!p)
        return 0;
    stop_threads(p);
    int rc = persist_snapshot_before(p, INT64_MAX, now_s, err);
    p->store->wal = NULL;
    if (rc == 0)
        rc = remove_log(p, err);
    else
        ignore_result(wal_close(&p->wal, NULL)); // what it could not commit was never acknowledged
    unmake(persist);
    return rc;
}

// ---- cleanup ----------------------------------------------------------------------------------------------

struct cleanup_run {
    struct persist *p;
    struct hashmap *locked; // "cluster/host" -> struct host, referenced, files.lock held
    bool (*keep)(void *, struct slice, struct slice);
    void *ctx;
};

static bool cleanup_keep(void *ctx, struct slice cluster, struct slice host)
{
    struct cleanup_run *run = ctx;
    return run->keep && run->keep(run->ctx, cluster, host);
}

static void cleanup_key(struct buf *key, struct slice cluster, struct slice host)
{
    buf_init(key, BUF_MAX_DEFAULT);
    buf_append_slice(key, cluster);
    buf_append_byte(key, '/');
    buf_append_slice(key, host);
}

static bool cleanup_begin(void *ctx, struct slice cluster, struct slice name)
{
    struct cleanup_run *run = ctx;
    struct host *host = store_find_host(run->p->store, cluster, name);
    struct buf key;
    if (!host)
        return true;
    pthread_mutex_lock(&host->files.lock);
    cleanup_key(&key, cluster, name);
    hashmap_put(run->locked, buf_slice(&key), host);
    buf_release(&key);
    return true;
}

static void cleanup_end(void *ctx, struct slice cluster, struct slice name, bool removed)
{
    struct cleanup_run *run = ctx;
    struct buf key;
    cleanup_key(&key, cluster, name);
    struct host *host = hashmap_remove(run->locked, buf_slice(&key));
    buf_release(&key);
    if (!host)
        return;
    host->files.data_end = INT64_MIN; // look again
    if (removed)
        atomic_store_explicit(&host->files.unloaded, false, memory_order_release);
    pthread_mutex_unlock(&host->files.lock);
    host_unref(host);
}

static void cleanup_report(void *ctx, const char *text)
{
    struct cleanup_run *run = ctx;
    persist_report(run->p, LOG_LEVEL_ERROR, "cleanup: %s", text);
}

int persist_cleanup(struct persist *persist, const char *archive_directory, int64_t cutoff_s,
                    bool (*keep)(void *, struct slice, struct slice), void *ctx, struct cleanup_result *ret,
                    struct error *err)
{
    struct cleanup_run run = {.p = persist, .locked = hashmap_new(), .keep = keep, .ctx = ctx};
    struct cleanup_options options = {.directory = persist->options.directory,
                                      .archive_directory = archive_directory,
                                      .cutoff_s = cutoff_s,
                                      .io = persist->io,
                                      .keep = cleanup_keep,
                                      .begin_host = cleanup_begin,
                                      .end_host = cleanup_end,
                                      .report = cleanup_report,
                                      .ctx = &run};
    ignore_result(!store_secure_before(persist->store, cutoff_s)); // what is late goes into the archive, too
    int rc = cleanup_run(&options, ret, err);
    ASSERT(hashmap_count(run.locked) == 0);
    hashmap_free(&run.locked);
    if (ret->removed_hosts) // their levels go with their directories (MS-49)
        store_remove_empty(persist->store, (struct slice){.ptr = NULL}, true);
    return rc;
}

// ---- about itself -----------------------------------------------------------------------------------------

static void count_hosts(struct persist *p, struct persist_stats *ret)
{
    size_t count;
    int64_t oldest = INT64_MAX;
    struct host **hosts = store_list_hosts(p->store, (struct slice){.ptr = NULL}, &count);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&hosts[i]->lock);
        ret->dirty_hosts += hosts[i]->dirty_from != INT64_MAX;
        oldest = MIN(oldest, hosts[i]->dirty_from);
        pthread_mutex_unlock(&hosts[i]->lock);
        ret->unloaded_hosts += hosts[i]->files.unloaded;
    }
    ret->oldest_dirty_s = oldest == INT64_MAX ? 0 : oldest;
    store_release_hosts(hosts, count);
}

void persist_stats(struct persist *persist, struct persist_stats *ret)
{
    const struct persist_counters *c = &persist->counters;
    *ret = (struct persist_stats){.snapshots = c->snapshots,
                                  .snapshot_bytes = c->snapshot_bytes,
                                  .failed_snapshots = c->failed_snapshots,
                                  .rewritten_snapshots = c->rewritten_snapshots,
                                  .loaded_files = c->loaded_files,
                                  .loaded_bytes = c->loaded_bytes,
                                  .corrupt_files = c->corrupt_files,
                                  .failed_loads = c->failed_loads,
                                  .replayed_samples = c->replayed_samples,
                                  .unknown_samples = c->unknown_series,
                                  .replay_s = persist->replay_s};
    wal_stats(persist->wal, &ret->wal);
    count_hosts(persist, ret);
}
