// SPDX-License-Identifier: MIT
#include "backend/workers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "backend/job-load.h"
#include "backend/job-stats.h"
#include "base/clock.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/cap-worker.h"

#define FOOTPRINT_MIN_DURATION_S 600
#define TIDY_INTERVAL_S          5
#define FIRST_CLEANUP_S          30

enum worker_kind {
    WORKER_DURATION,
    WORKER_FOOTPRINT,
    WORKER_TIDY,
    WORKER_RETAIN,
    WORKER_CLEANUP,
    WORKER_COUNT
};
// Neighbours share a thread: the first of each one's, and the end.
static const enum worker_kind lane_first[] = {WORKER_DURATION, WORKER_TIDY, WORKER_CLEANUP, WORKER_COUNT};
#define LANE_COUNT (ARRAY_LEN(lane_first) - 1)

struct lane {
    struct workers *workers;
    enum worker_kind first, end;
    pthread_t thread;
};

struct workers {
    struct cap_worker *cap_worker;
    struct log_limit cap_limit;
    struct workers_duty duty;
    const struct jobs *jobs;
    int64_t interval_ns[WORKER_COUNT];
    struct mono_time due[WORKER_COUNT]; // each of its lane's thread
    struct lane lanes[LANE_COUNT];
    struct {
        _Atomic uint64_t retention_runs, cap_runs, cap_freed_chunks, failed_queries, cleanup_runs,
            failed_cleanups, cleaned_files;
    } stats;
    pthread_mutex_t lock; // guards closing
    pthread_cond_t changed;
    bool closing;
};

// ---- durations --------------------------------------------------------------------------------------------
static int durations_op(void *ctx, struct sql_conn *conn, struct error *err)
{
    return sql_job_update_durations(conn, *(const int64_t *)ctx, err);
}

int workers_update_durations(const struct jobs *jobs, struct error *err)
{
    int64_t now = jobs->now_s();
    return job_writer_do(jobs->writer, durations_op, &now, err);
}

// ---- footprints -------------------------------------------------------------------------------------------
struct footprint_batch {
    struct job *rows;
    size_t count;
};

static int footprints_op(void *ctx, struct sql_conn *conn, struct error *err)
{
    const struct footprint_batch *b = ctx;
    for (size_t i = 0; i < b->count; i++) {
        int rc = sql_job_set_footprint(conn, &b->rows[i], err);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
    }
    return 0;
}

static bool compute_footprint(const struct jobs *jobs, struct job *job, struct arena *arena)
{
    struct arena *scratch = arena_new((size_t)8 << 30);
    struct job_load_result loaded;
    enum scope scope = SCOPE_NODE;
    struct job_load load = {.store = jobs->store,
                            .clusters = jobs->clusters,
                            .job = job,
                            .scopes = &scope,
                            .scope_count = 1,
                            .without_data = true};
    bool done = job_load_run(&load, scratch, &loaded, NULL) == 0;
    if (done) {
        const struct subcluster *sub =
            subcluster_find(cluster_find(jobs->clusters, job->cluster), job->subcluster);
        job_data_finish(&loaded.data, SIZE_MAX);
        job_stats_compute(&loaded.data, sub, scratch, job);
        job_stats_footprint(sub, arena, job);
    }
    arena_free(&scratch);
    return done;
}

int workers_update_footprints(const struct jobs *jobs, int64_t *ret_updated, struct error *err)
{
    struct arena *arena = arena_new((size_t)4 << 30);
    struct footprint_batch batch = {0};
    struct job_filter filter = {
        .states = {JOB_RUNNING}, .state_count = 1, .limit = -1, .now_s = jobs->now_s()};
    struct sql_conn *conn = sql_take_reader(jobs->pool);
    int rc = sql_job_list(conn, &filter, arena, &batch.rows, &batch.count, err);
    sql_give_back(&conn);
    size_t kept = 0;
    for (size_t i = 0; rc == 0 && i < batch.count; i++) {
        struct job job = batch.rows[i];
        if (job.monitoring_status != MONITORING_DISABLED && job.duration_s > FOOTPRINT_MIN_DURATION_S &&
            compute_footprint(jobs, &job, arena))
            batch.rows[kept++] = job;
    }
    batch.count = kept;
    if (rc == 0 && kept)
        rc = job_writer_do(jobs->writer, footprints_op, &batch, err);
    if (rc == 0)
        *ret_updated = (int64_t)kept;
    arena_free(&arena);
    return rc;
}

// ---- retention and cleanup ----------------------------------------------------------------------------------
struct used_hosts {
    struct hashmap *seen;
    struct persist *persist; // NULL: it need not know of them
};

static struct slice host_key(char *text, size_t size, struct slice cluster, struct slice host)
{
    int n = snprintf(text, size, "%.*s/%.*s", SLICE_FMT(cluster), SLICE_FMT(host));
    return slice_of(text, MIN((size_t)MAX(n, 0), size - 1));
}

static void note_host(void *ctx, struct slice cluster, struct slice host)
{
    char text[1024];
    struct used_hosts *used = ctx;
    hashmap_put(used->seen, host_key(text, sizeof(text), cluster, host), NULL);
    if (used->persist)
        persist_keep_host(used->persist, cluster, host);
}

static bool keep_host(void *ctx, struct slice cluster, struct slice host)
{
    char text[1024];
    const struct used_hosts *used = ctx;
    return hashmap_has(used->seen, host_key(text, sizeof(text), cluster, host));
}

// The hosts of jobs that need data from before *threshold. Without the list nobody can tell which data that is: one more retention
// instead of freeing too much, or never (MS-03). False: so it is.
static bool find_used(const struct workers_duty *duty, const char *what, int64_t *threshold,
                      struct used_hosts *ret)
{
    struct error err = ERROR_INIT;
    ret->seen = hashmap_new();
    struct sql_conn *conn = sql_take_reader(duty->jobs->pool);
    int rc = sql_job_visit_needed_hosts(conn, *threshold, note_host, ret, &err);
    sql_give_back(&conn);
    if (rc == 0)
        return true;
    log_warn("%s: the running jobs are unknown, keeping data for twice the retention: %s", what, err.text);
    *threshold -= duty->retention_s;
    return false;
}

uint64_t workers_retain(const struct workers_duty *duty, bool *ret_known)
{
    // Snapshots of these hosts are read beyond the retention: a restart must not shorten what running jobs keep.
    struct used_hosts used = {.persist = duty->persist};
    int64_t threshold = duty->jobs->now_s() - duty->retention_s;
    *ret_known = find_used(duty, "retention", &threshold, &used);
    uint64_t freed = store_retain(duty->jobs->store, threshold, *ret_known ? keep_host : NULL, &used);
    hashmap_free(&used.seen);
    return freed;
}

int workers_clean_up(const struct workers_duty *duty, bool *ret_known, struct cleanup_result *ret,
                     struct error *err)
{
    struct used_hosts used = {0};
    int64_t cutoff = duty->jobs->now_s() - duty->retention_s;
    *ret_known = find_used(duty, "cleanup", &cutoff, &used);
    int rc = persist_cleanup(duty->persist, duty->archive_directory, cutoff, *ret_known ? keep_host : NULL,
                             &used, ret, err);
    hashmap_free(&used.seen);
    return rc;
}

// ---- the engine's duties, counted and told ----------------------------------------------------------------
static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

// On the thread of the cap, near the cap some times a second.
static void on_cap(void *ctx, const struct store_cap_report *report)
{
    struct workers *w = ctx;
    char text[ERROR_TEXT_SIZE];
    count(&w->stats.cap_runs, 1);
    count(&w->stats.cap_freed_chunks, report->freed_chunks);
    enum log_level level = store_cap_text(report, text, sizeof(text));
    log_limited(&w->cap_limit, level, "%s", text);
}

static void run_retain(struct workers *w)
{
    bool known = false;
    uint64_t freed = workers_retain(&w->duty, &known);
    count(&w->stats.retention_runs, 1);
    count(&w->stats.failed_queries, !known);
    log_info("retention: freed=%" PRIu64 " chunks", freed);
}

static void run_cleanup(struct workers *w)
{
    struct cleanup_result result = {0};
    struct error err = ERROR_INIT;
    bool known = false;
    if (!w->duty.persist)
        return;
    int rc = workers_clean_up(&w->duty, &known, &result, &err);
    count(&w->stats.cleanup_runs, 1);
    count(&w->stats.failed_queries, !known);
    count(&w->stats.failed_cleanups, rc < 0);
    count(&w->stats.cleaned_files, result.files);
    if (rc < 0)
        log_error("cleanup: failed_clusters=%" PRIu64 " failed_files=%" PRIu64
                  ", their snapshots stay and are tried again: %s",
                  result.failed_clusters, result.failed_files, err.text);
    log_info("cleanup: files=%" PRIu64 " %s, rows=%" PRIu64 ", removed_hosts=%" PRIu64, result.files,
             w->duty.archive_directory ? "archived" : "deleted", result.rows, result.removed_hosts);
}

void workers_stats(const struct workers *w, struct workers_stats *ret)
{
#define READ(name) ret->name = atomic_load_explicit(&w->stats.name, memory_order_relaxed)
    READ(retention_runs);
    READ(cap_runs);
    READ(cap_freed_chunks);
    READ(failed_queries);
    READ(cleanup_runs);
    READ(failed_cleanups);
    READ(cleaned_files);
#undef READ
}

// ---- the threads ------------------------------------------------------------------------------------------
static void run_worker(struct workers *w, enum worker_kind kind)
{
    struct error err = ERROR_INIT;
    int64_t updated = 0;
    int rc = 0;
    switch (kind) {
    case WORKER_DURATION:
        rc = workers_update_durations(w->jobs, &err);
        break;
    case WORKER_FOOTPRINT:
        rc = workers_update_footprints(w->jobs, &updated, &err);
        log_debug("footprints of %" PRId64 " running jobs updated", updated);
        break;
    case WORKER_TIDY:
        store_maintain(w->jobs->store, w->jobs->now_s());
        break;
    case WORKER_RETAIN:
        run_retain(w);
        break;
    case WORKER_CLEANUP:
        run_cleanup(w);
        break;
    case WORKER_COUNT:
        break;
    }
    if (rc)
        log_error("background work failed: %s", err.text);
}

static enum worker_kind earliest(const struct lane *lane)
{
    const struct mono_time *due = lane->workers->due;
    enum worker_kind best = lane->first;
    for (enum worker_kind k = best + 1; k < lane->end; k++) {
        if (due[k].ns < due[best].ns)
            best = k;
    }
    return best;
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    struct workers *w = lane->workers;
    pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        enum worker_kind next = earliest(lane);
        if (clock_mono().ns < w->due[next].ns) {
            clock_cond_wait(&w->changed, &w->lock, w->due[next]);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        run_worker(w, next);
        w->due[next].ns = clock_mono().ns + w->interval_ns[next];
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void set_times(struct workers *w, const struct config *config)
{
    int64_t retention_ns = config->store.retention_ns;
    int64_t now = clock_mono().ns;
    w->interval_ns[WORKER_DURATION] = config->cron.duration_ns;
    w->interval_ns[WORKER_FOOTPRINT] = config->cron.footprint_ns;
    w->interval_ns[WORKER_TIDY] = TIDY_INTERVAL_S * NS_PER_S;
    w->interval_ns[WORKER_RETAIN] = MAX(retention_ns / 24, NS_PER_S);
    w->interval_ns[WORKER_CLEANUP] = MAX(retention_ns, NS_PER_S);
    for (enum worker_kind k = 0; k < WORKER_COUNT; k++)
        w->due[k].ns = now + w->interval_ns[k];
    w->due[WORKER_CLEANUP].ns = now + MIN(FIRST_CLEANUP_S * NS_PER_S, w->interval_ns[WORKER_CLEANUP]);
}

struct workers *workers_new(const struct jobs *jobs, const struct config *config, struct persist *persist)
{
    struct workers *w = NEW(struct workers);
    w->jobs = jobs;
    w->duty = (struct workers_duty){.jobs = jobs,
                                    .persist = persist,
                                    .retention_s = persist_seconds(config->store.retention_ns),
                                    .archive_directory = cleanup_archive_directory(&config->store.cleanup)};
    struct cap_worker_options cap = {
        .store = jobs->store, .clock_s = jobs->now_s, .report = on_cap, .report_ctx = w};
    struct error err = ERROR_INIT;
    if (cap_worker_start(&cap, &w->cap_worker, &err) < 0)
        log_error("the memory cap is not held: %s", err.text);
    set_times(w, config);
    pthread_mutex_init(&w->lock, NULL);
    clock_cond_init(&w->changed);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &w->lanes[i];
        *lane = (struct lane){.workers = w, .first = lane_first[i], .end = lane_first[i + 1]};
        int rc = pthread_create(&lane->thread, NULL, lane_main, lane);
        ASSERT(rc == 0);
    }
    return w;
}

void workers_free(struct workers **workers)
{
    struct workers *w = *workers;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    cap_worker_stop(&w->cap_worker);
    for (size_t i = 0; i < LANE_COUNT; i++)
        pthread_join(w->lanes[i].thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
    *workers = NULL;
}
