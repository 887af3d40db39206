// SPDX-License-Identifier: MIT
#include "backend/archiver.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#include "backend/job-load.h"
#include "backend/job-stats.h"
#include "backend/sql-job.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define JOB_ARENA_MAX_BYTES ((size_t)8 << 30)
#define RETRY_MAX_MS        INT64_C(300000)
#define STATS_MIN_SERIES    8
#define DEFAULT_THREADS     8

struct entry {
    int64_t id;
    struct mono_time due, first_failure;
    int64_t delay_ms; // of the last retry; 0: none yet
};

struct archiver {
    struct archiver_options options;
    pthread_t *threads;
    unsigned thread_count;
    pthread_mutex_t lock; // guards all below
    pthread_cond_t changed;
    struct entry *heap; // earliest due on top; those being worked on are taken out
    size_t heap_count, heap_cap;
    unsigned busy;
    bool closing;
    struct archiver_stats stats;
};

// ---- one job ----------------------------------------------------------------------------------------------
static int load_row(struct archiver *a, int64_t id, struct arena *arena, struct job *job, struct error *err)
{
    struct sql_conn *conn = sql_take_reader(a->options.pool);
    int rc = sql_job_get(conn, id, arena, job, err);
    sql_give_back(&conn);
    return rc;
}

static int finish_op(void *ctx, struct sql_conn *conn, struct error *err)
{
    const struct job *job = ctx;
    return sql_job_mark_archived(conn, job, (enum monitoring_status)job->monitoring_status, err);
}

// A marker for readers: the archive has not all that there may have been.
static void add_note(struct job *job, struct arena *arena, const char *note)
{
    struct job_text *items = ARENA_ARRAY(arena, struct job_text, job->meta_data_count + 1);
    size_t at = 0;
    const struct slice key = SLICE_LITERAL("archiveNote");
    while (at < job->meta_data_count && slice_cmp(job->meta_data[at].key, key) < 0) {
        items[at] = job->meta_data[at];
        at++;
    }
    items[at] = (struct job_text){.key = key, .value = slice_from_cstr(arena_printf(arena, "%s", note))};
    for (size_t i = at; i < job->meta_data_count; i++)
        items[i + 1] = job->meta_data[i];
    job->meta_data = items;
    job->meta_data_count++;
    job->has_meta_data = true;
}

static int load_data(struct archiver *a, struct job *job, struct arena *arena, struct job_load_result *ret,
                     struct error *err)
{
    enum scope scopes[3];
    struct job_load load = {
        .store = a->options.store, .clusters = a->options.clusters, .job = job, .scopes = scopes};
    load.scope_count = job_archive_scopes(job, scopes);
    return job_load_run(&load, arena, ret, err);
}

static int archive_row(struct archiver *a, struct job *job, struct arena *arena, struct error *err)
{
    struct job_load_result loaded;
    int rc = load_data(a, job, arena, &loaded, err);
    if (rc)
        return rc;
    if (loaded.failures && loaded.data.count == 0)
        return error_set(err, loaded.first_failure.code, "%s", loaded.first_failure.text);
    const struct cluster *cluster = cluster_find(a->options.clusters, job->cluster);
    const struct subcluster *sub = subcluster_find(cluster, job->subcluster);
    job_data_finish(&loaded.data, STATS_MIN_SERIES);
    job_data_sort(&loaded.data);
    job_stats_compute(&loaded.data, sub, arena, job);
    job_stats_footprint(sub, arena, job);
    job_stats_energy(sub, arena, job);
    if (loaded.failures) {
        add_note(job, arena, loaded.first_failure.text);
        pthread_mutex_lock(&a->lock);
        a->stats.partial++;
        pthread_mutex_unlock(&a->lock);
    }
    rc = archive_write_job(a->options.archive, job, &loaded.data, err);
    if (rc)
        return error_prefix(err, "archive");
    job->monitoring_status = MONITORING_ARCHIVING_SUCCESSFUL;
    return job_writer_do(a->options.writer, finish_op, job, err);
}

int archiver_run_one(struct archiver *a, int64_t id, int64_t now_s, struct error *err)
{
    struct arena *arena = arena_new(JOB_ARENA_MAX_BYTES);
    struct job job;
    int rc = load_row(a, id, arena, &job, err);
    bool waiting =
        rc == 1 && job.state != JOB_RUNNING && job.monitoring_status == MONITORING_RUNNING_OR_ARCHIVING;
    if (rc == 1)
        rc = 0;
    if (waiting && now_s < job.start_time + job.duration_s + a->options.settle_s &&
        now_s >= job.start_time + job.duration_s - 60) // an end in the far future is not worth waiting for
        rc = error_set(err, ERR_BUSY, "the last samples are still under way");
    else if (waiting)
        rc = archive_row(a, &job, arena, err);
    arena_free(&arena);
    return rc;
}

// After the last retry: the row says so, the job page then shows "no data".
static void give_up(struct archiver *a, int64_t id, const struct error *cause)
{
    struct arena *arena = arena_new(JOB_ARENA_MAX_BYTES);
    struct job job;
    struct error err = ERROR_INIT;
    if (load_row(a, id, arena, &job, &err) == 1) {
        job.monitoring_status = MONITORING_ARCHIVING_FAILED;
        if (job_writer_do(a->options.writer, finish_op, &job, &err) == 0)
            log_error("archiving job %" PRId64 " failed for good: %s", id, cause->text);
    }
    arena_free(&arena);
}

// ---- queue ------------------------------------------------------------------------------------------------
// A binary heap by due time; equal times leave in order of ids, so that what was stopped first is archived first.
static bool is_before(const struct entry *a, const struct entry *b)
{
    return a->due.ns != b->due.ns ? a->due.ns < b->due.ns : a->id < b->id;
}

static void swap_entries(struct entry *a, struct entry *b)
{
    struct entry t = *a;
    *a = *b;
    *b = t;
}

static void put_entry(struct archiver *a, const struct entry *e)
{
    ENSURE_CAPACITY(a->heap, a->heap_cap, a->heap_count + 1);
    size_t at = a->heap_count++;
    a->heap[at] = *e;
    for (; at > 0 && is_before(&a->heap[at], &a->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap_entries(&a->heap[at], &a->heap[(at - 1) / 2]);
    pthread_cond_broadcast(&a->changed);
}

// False: nothing is due; *ret_next says when something will be.
static bool take_due(struct archiver *a, struct mono_time now, struct entry *ret, struct mono_time *ret_next)
{
    if (a->heap_count == 0)
        return false;
    *ret_next = a->heap[0].due;
    if (a->heap[0].due.ns > now.ns)
        return false;
    *ret = a->heap[0];
    a->heap[0] = a->heap[--a->heap_count];
    for (size_t at = 0, child; (child = 2 * at + 1) < a->heap_count; at = child) {
        if (child + 1 < a->heap_count && is_before(&a->heap[child + 1], &a->heap[child]))
            child++;
        if (!is_before(&a->heap[child], &a->heap[at]))
            break;
        swap_entries(&a->heap[child], &a->heap[at]);
    }
    return true;
}

// Under the lock: until something changes, or 'until'.
static void wait_for_work(struct archiver *a, struct mono_time until)
{
    if (until.ns == INT64_MAX)
        pthread_cond_wait(&a->changed, &a->lock);
    else
        clock_cond_wait(&a->changed, &a->lock, until);
}

enum outcome { OUTCOME_ARCHIVED, OUTCOME_FAILED, OUTCOME_AGAIN };

// Without the lock: works on the entry.
static enum outcome work_on(struct archiver *a, struct entry *e)
{
    struct error err = ERROR_INIT;
    int rc = archiver_run_one(a, e->id, wall_seconds(clock_wall()), &err);
    struct mono_time now = clock_mono();
    if (rc == 0)
        return OUTCOME_ARCHIVED;
    if (rc == ERR_BUSY) {
        e->due.ns = now.ns + NS_PER_S / 2;
        return OUTCOME_AGAIN;
    }
    if (e->delay_ms == 0)
        e->first_failure = now;
    bool hopeless =
        rc == ERR_INVALID || mono_diff_ns(now, e->first_failure) > a->options.give_up_s * NS_PER_S;
    if (hopeless) {
        give_up(a, e->id, &err);
        return OUTCOME_FAILED;
    }
    e->delay_ms = e->delay_ms ? MIN(e->delay_ms * 2, RETRY_MAX_MS) : a->options.retry_first_ms;
    e->due.ns = now.ns + e->delay_ms * NS_PER_MS;
    log_warn("archiving job %" PRId64 " failed, trying again in %" PRId64 " ms: %s", e->id, e->delay_ms,
             err.text);
    return OUTCOME_AGAIN;
}

static void *archiver_main(void *arg)
{
    struct archiver *a = arg;
    pthread_mutex_lock(&a->lock);
    while (!a->closing) {
        struct mono_time next = {.ns = INT64_MAX};
        struct entry e;
        if (!take_due(a, clock_mono(), &e, &next)) {
            wait_for_work(a, next);
            continue;
        }
        a->busy++;
        pthread_mutex_unlock(&a->lock);
        int64_t delay_before = e.delay_ms;
        enum outcome outcome = work_on(a, &e);
        pthread_mutex_lock(&a->lock);
        a->busy--;
        a->stats.retries += outcome == OUTCOME_AGAIN && e.delay_ms != delay_before;
        a->stats.archived += outcome == OUTCOME_ARCHIVED;
        a->stats.failed += outcome == OUTCOME_FAILED;
        a->stats.waiting -= outcome != OUTCOME_AGAIN;
        if (outcome == OUTCOME_AGAIN)
            put_entry(a, &e);
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

void archiver_enqueue(struct archiver *a, int64_t id)
{
    struct entry e = {.id = id, .due = clock_mono()};
    pthread_mutex_lock(&a->lock);
    a->stats.waiting++;
    put_entry(a, &e);
    pthread_mutex_unlock(&a->lock);
}

static int queue_waiting(struct archiver *a, struct error *err)
{
    int64_t ids[256], after = 0;
    size_t count = ARRAY_LEN(ids);
    while (count == ARRAY_LEN(ids)) {
        struct sql_conn *conn = sql_take_reader(a->options.pool);
        int rc = sql_job_waiting(conn, after, ARRAY_LEN(ids), ids, &count, err);
        sql_give_back(&conn);
        if (rc)
            return rc;
        for (size_t i = 0; i < count; i++)
            archiver_enqueue(a, ids[i]);
        after = count ? ids[count - 1] : after;
    }
    return 0;
}

int archiver_new(const struct archiver_options *options, struct archiver **ret_archiver, struct error *err)
{
    struct archiver *a = NEW(struct archiver);
    a->options = *options;
    if (a->options.settle_s < 0)
        a->options.settle_s = 5;
    if (a->options.retry_first_ms == 0)
        a->options.retry_first_ms = 1000;
    if (a->options.give_up_s == 0)
        a->options.give_up_s = 86400;
    pthread_mutex_init(&a->lock, NULL);
    clock_cond_init(&a->changed);
    int rc = queue_waiting(a, err);
    if (rc) {
        archiver_free(&a, 0);
        return rc;
    }
    unsigned wanted = options->threads ? options->threads : DEFAULT_THREADS;
    a->threads = NEW_ARRAY(pthread_t, wanted);
    for (; a->thread_count < wanted; a->thread_count++) {
        int failed = pthread_create(&a->threads[a->thread_count], NULL, archiver_main, a);
        ASSERT(failed == 0);
    }
    *ret_archiver = a;
    return 0;
}

// Whether something is due or being worked on.
static bool has_due(struct archiver *a, struct mono_time now)
{
    if (a->busy)
        return true;
    return a->heap_count && a->heap[0].due.ns <= now.ns;
}

void archiver_free(struct archiver **archiver, int64_t drain_ms)
{
    struct archiver *a = *archiver;
    if (!a)
        return;
    struct mono_time start = clock_mono();
    pthread_mutex_lock(&a->lock);
    while (mono_diff_ns(clock_mono(), start) < drain_ms * NS_PER_MS && has_due(a, clock_mono()))
        wait_for_work(a, (struct mono_time){.ns = clock_mono().ns + 20 * NS_PER_MS});
    a->closing = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    for (unsigned i = 0; i < a->thread_count; i++)
        pthread_join(a->threads[i], NULL);
    mem_free(a->threads);
    mem_free(a->heap);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
    *archiver = NULL;
}

void archiver_stats(struct archiver *a, struct archiver_stats *ret)
{
    pthread_mutex_lock(&a->lock);
    *ret = a->stats;
    pthread_mutex_unlock(&a->lock);
}
