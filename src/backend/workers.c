// SPDX-License-Identifier: MIT
#include "backend/workers.h"

#include <inttypes.h>
#include <pthread.h>

#include "backend/job-load.h"
#include "backend/job-stats.h"
#include "base/clock.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "base/mem.h"

#define FOOTPRINT_MIN_DURATION_S 600
#define MAINTAIN_INTERVAL_S      20

enum worker_kind { WORKER_DURATION, WORKER_FOOTPRINT, WORKER_MAINTAIN, WORKER_RETAIN, WORKER_COUNT };

struct workers {
    const struct jobs *jobs;
    const struct config *config;
    int64_t interval_ns[WORKER_COUNT];
    struct mono_time due[WORKER_COUNT];
    pthread_t thread;
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

// ---- retention --------------------------------------------------------------------------------------------
struct used_hosts {
    struct hashmap *seen;
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
}

static bool keep_host(void *ctx, struct slice cluster, struct slice host)
{
    char text[1024];
    const struct used_hosts *used = ctx;
    return hashmap_has(used->seen, host_key(text, sizeof(text), cluster, host));
}

uint64_t workers_retain(const struct jobs *jobs, int64_t retention_s)
{
    struct used_hosts used = {.seen = hashmap_new()};
    struct error err = ERROR_INIT;
    int64_t threshold = jobs->now_s() - retention_s;
    struct sql_conn *conn = sql_take_reader(jobs->pool);
    int rc = sql_job_visit_hosts(conn, threshold, 0, note_host, &used, &err);
    sql_give_back(&conn);
    if (rc) {
        // Nobody can tell which data is needed: one more retention instead of freeing too much, or never (MS-03).
        log_warn("retention: the running jobs are unknown, keeping data for twice the retention: %s",
                 err.text);
        threshold -= retention_s;
    }
    uint64_t freed = store_retain(jobs->store, threshold, rc ? NULL : keep_host, &used);
    hashmap_free(&used.seen);
    return freed;
}

static void hold_cap(const struct jobs *jobs)
{
    struct store_cap_report report;
    if (store_hold_cap(jobs->store, jobs->now_s(), &report))
        log_warn("memory cap: bytes=%" PRIu64 " freed=%" PRIu64 " chunks, left=%" PRIu64
                 ": data older than %" PRId64 " s is gone",
                 report.bytes_before, report.freed_chunks, report.bytes_after, report.kept_s);
}

// ---- the thread -------------------------------------------------------------------------------------------
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
    case WORKER_MAINTAIN:
        hold_cap(w->jobs);
        store_maintain(w->jobs->store, w->jobs->now_s());
        break;
    case WORKER_RETAIN:
        workers_retain(w->jobs, w->config->store.retention_ns / NS_PER_S);
        break;
    case WORKER_COUNT:
        break;
    }
    if (rc)
        log_error("background work failed: %s", err.text);
}

static enum worker_kind earliest(const struct workers *w)
{
    enum worker_kind best = 0;
    for (enum worker_kind k = 1; k < WORKER_COUNT; k++) {
        if (w->due[k].ns < w->due[best].ns)
            best = k;
    }
    return best;
}

static void *workers_main(void *arg)
{
    struct workers *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        enum worker_kind next = earliest(w);
        struct timespec until = {.tv_sec = w->due[next].ns / NS_PER_S, .tv_nsec = w->due[next].ns % NS_PER_S};
        if (clock_mono().ns < w->due[next].ns) {
            pthread_cond_timedwait(&w->changed, &w->lock, &until);
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

struct workers *workers_new(const struct jobs *jobs, const struct config *config)
{
    struct workers *w = NEW(struct workers);
    pthread_condattr_t attr;
    w->jobs = jobs;
    w->config = config;
    w->interval_ns[WORKER_DURATION] = config->cron.duration_ns;
    w->interval_ns[WORKER_FOOTPRINT] = config->cron.footprint_ns;
    w->interval_ns[WORKER_MAINTAIN] = MAINTAIN_INTERVAL_S * NS_PER_S;
    w->interval_ns[WORKER_RETAIN] = MAX(config->store.retention_ns / 24, NS_PER_S);
    int64_t now = clock_mono().ns;
    for (enum worker_kind k = 0; k < WORKER_COUNT; k++)
        w->due[k].ns = now + w->interval_ns[k];
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&w->thread, NULL, workers_main, w);
    ASSERT(rc == 0);
    return w;
}

void workers_free(struct workers **workers)
{
    struct workers *w = *workers;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
    *workers = NULL;
}
