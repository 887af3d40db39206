// SPDX-License-Identifier: MIT
#include "metricstore/keeper.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metricstore/used-nodes.h"
#include "store/cap-worker.h"

#define TIDY_INTERVAL_NS NS_PER_S
#define LOOKS_PER_TIDY   5
#define LOOKS_PER_STATUS 30
#define CAP_WARN_NS      (30 * NS_PER_S) // a store at its cap frees all the time
#define FIRST_CLEANUP_NS                                                                                     \
    (30 * NS_PER_S) // soon after the start: a store that is restarted often must clean up, too (MS-41)
#define CLEANUP_PATIENCE_NS (3600 * NS_PER_S) // so long it may be at work before the watchdog gets nervous

struct keeper {
    struct store *store;
    struct keeper_options options;
    pthread_t thread;
    struct cap_worker *cap_worker;
    _Atomic int64_t cap_warned_ns; // monotonic; 0: not yet
    pthread_mutex_t mutex;
    pthread_cond_t wake;      // on the monotonic clock
    bool stopping;            // under the mutex
    struct used_nodes *nodes; // last answer of the backend, of the thread; NULL: none
    _Atomic int64_t beat_ns;  // monotonic: when the thread was last awake
    _Atomic uint64_t runs, failed_queries, cap_runs, cap_freed_chunks, cleanup_runs, failed_cleanups,
        cleaned_files;
};

static bool keep_host(void *ctx, struct slice cluster, struct slice host)
{
    return used_nodes_has(ctx, cluster, host);
}

// Asks for the hosts of jobs that run since before the threshold. Without a backend there are none. False: it does not say; what it
// said before is no longer good.
static bool ask_backend(struct keeper *keeper, int64_t threshold_s)
{
    struct error err = ERROR_INIT;

    used_nodes_free(&keeper->nodes);
    if (!*keeper->options.backend_url ||
        used_nodes_fetch(keeper->options.backend_url, keeper->options.backend_token, threshold_s,
                         &keeper->nodes, &err) == 0)
        return true;
    atomic_fetch_add_explicit(&keeper->failed_queries, 1, memory_order_relaxed);
    log_warn("retention: cannot ask the backend for the hosts of running jobs, keeping data for twice the "
             "retention; "
             "check main.backend-url and main.backend-token: %s",
             err.text);
    return false;
}

// Snapshots of these hosts are read beyond the retention: a restart must not shorten what running jobs keep.
static void load_used(struct keeper *keeper)
{
    struct slice cluster, host;

    for (size_t i = 0;
         keeper->options.persist && keeper->nodes && used_nodes_next(keeper->nodes, &i, &cluster, &host);)
        persist_keep_host(keeper->options.persist, cluster, host);
}

void keeper_retain(struct keeper *keeper, int64_t now_s)
{
    int64_t threshold_s = now_s - keeper->options.retention_s;

    atomic_fetch_add_explicit(&keeper->runs, 1, memory_order_relaxed);
    // Without the list of hosts nobody can tell which data is needed: wait one more retention instead of
    // freeing too much, and instead of never freeing (MS-03).
    if (!ask_backend(keeper, threshold_s))
        threshold_s -= keeper->options.retention_s;
    load_used(keeper);
    uint64_t freed =
        store_retain(keeper->store, threshold_s, keeper->nodes ? keep_host : NULL, keeper->nodes);
    log_info("retention: freed=%llu chunks, spared=%zu hosts of running jobs", (unsigned long long)freed,
             keeper->nodes ? used_nodes_count(keeper->nodes) : (size_t)0);
}

void keeper_clean_up(struct keeper *keeper, int64_t now_s)
{
    int64_t cutoff_s = now_s - keeper->options.retention_s;
    struct cleanup_result result = {0};
    struct error err = ERROR_INIT;

    if (!keeper->options.persist)
        return;
    if (!keeper->nodes && !ask_backend(keeper, cutoff_s))
        cutoff_s -= keeper->options.retention_s;
    int rc = persist_cleanup(keeper->options.persist, keeper->options.archive_directory, cutoff_s,
                             keeper->nodes ? keep_host : NULL, keeper->nodes, &result, &err);
    atomic_fetch_add_explicit(&keeper->cleanup_runs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&keeper->failed_cleanups, rc < 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&keeper->cleaned_files, result.files, memory_order_relaxed);
    if (rc < 0)
        log_error(
            "cleanup: failed_clusters=%llu failed_files=%llu, their snapshots stay and are tried again: %s",
            (unsigned long long)result.failed_clusters, (unsigned long long)result.failed_files, err.text);
    log_info("cleanup: files=%llu %s, rows=%llu, removed_hosts=%llu", (unsigned long long)result.files,
             keeper->options.archive_directory ? "archived" : "deleted", (unsigned long long)result.rows,
             (unsigned long long)result.removed_hosts);
}

static void on_cap(void *ctx, const struct store_cap_report *report)
{
    struct keeper *keeper = ctx;
    char text[ERROR_TEXT_SIZE];
    int64_t now_ns = clock_mono().ns,
            warned_ns = atomic_load_explicit(&keeper->cap_warned_ns, memory_order_relaxed);

    atomic_fetch_add_explicit(&keeper->cap_runs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&keeper->cap_freed_chunks, report->freed_chunks, memory_order_relaxed);
    if (warned_ns != 0 && now_ns - warned_ns < CAP_WARN_NS)
        return;
    atomic_store_explicit(&keeper->cap_warned_ns, now_ns, memory_order_relaxed);
    enum log_level level = store_cap_text(report, text, sizeof(text));
    log_at(level, "%s", text);
}

void keeper_hold_cap(struct keeper *keeper, int64_t now_s)
{
    struct store_cap_report report;

    if (store_hold_cap(keeper->store, now_s, &report))
        on_cap(keeper, &report);
}

// Sleeps until 'until' or the stop; false at the stop.
static bool sleep_until(struct keeper *keeper, struct mono_time until)
{
    int rc = 0;

    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->stopping && rc == 0)
        rc = clock_cond_wait(&keeper->wake, &keeper->mutex, until);
    bool stopping = keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return !stopping;
}

static void beat(struct keeper *keeper, int64_t patience_ns)
{
    atomic_store_explicit(&keeper->beat_ns, clock_mono().ns + patience_ns, memory_order_relaxed);
}

int64_t keeper_silence_ms(const struct keeper *keeper)
{
    int64_t ns = clock_mono().ns - atomic_load_explicit(&keeper->beat_ns, memory_order_relaxed);

    return ns > 0 ? ns / NS_PER_MS : 0;
}

// When each duty is due next; INT64_MAX: never.
struct schedule {
    struct mono_time tidy, retain, cleanup;
    int64_t looks;
};

static struct mono_time after(struct mono_time time, int64_t ns)
{
    return (struct mono_time){.ns = time.ns + ns};
}

static struct mono_time earliest(const struct schedule *s)
{
    struct mono_time time = s->tidy.ns < s->retain.ns ? s->tidy : s->retain;

    return time.ns < s->cleanup.ns ? time : s->cleanup;
}

static void do_due(struct keeper *keeper, struct schedule *s, struct mono_time now, int64_t now_s)
{
    int64_t retention_ns = keeper->options.retention_s * NS_PER_S;

    if (now.ns >= s->retain.ns) {
        keeper_retain(keeper, now_s);
        s->retain = after(now, retention_ns / 2);
    }
    if (now.ns >= s->cleanup.ns) {
        beat(keeper, CLEANUP_PATIENCE_NS); // an archive takes its time
        keeper_clean_up(keeper, now_s);
        beat(keeper, 0);
        s->cleanup = after(now, retention_ns);
    }
    if (now.ns >= s->tidy.ns) {
        if (s->looks % LOOKS_PER_TIDY == 0)
            store_maintain(keeper->store, now_s);
        if (s->looks % LOOKS_PER_STATUS == 0 && keeper->options.on_status)
            keeper->options.on_status(keeper->options.on_status_ctx);
        s->looks++;
        s->tidy = after(now, TIDY_INTERVAL_NS);
    }
}

static void *keeper_main(void *arg)
{
    struct keeper *keeper = arg;
    bool retains = keeper->options.retention_s > 0;
    int64_t retention_ns = keeper->options.retention_s * NS_PER_S;
    struct mono_time start = clock_mono(), never = {.ns = INT64_MAX};
    struct schedule schedule = {.tidy = after(start, TIDY_INTERVAL_NS),
                                .retain = retains ? after(start, retention_ns / 2) : never,
                                .cleanup =
                                    retains ? after(start, MIN(FIRST_CLEANUP_NS, retention_ns)) : never};

    if (retains && keeper->options.persist && *keeper->options.backend_url &&
        persist_has_unloaded(keeper->options.persist) &&
        ask_backend(keeper, wall_seconds(clock_wall()) - keeper->options.retention_s))
        load_used(keeper);
    while (sleep_until(keeper, earliest(&schedule))) {
        beat(keeper, 0);
        do_due(keeper, &schedule, clock_mono(), wall_seconds(clock_wall()));
    }
    return NULL;
}

static void keeper_free(struct keeper **keeper)
{
    cap_worker_stop(&(*keeper)->cap_worker);
    pthread_cond_destroy(&(*keeper)->wake);
    pthread_mutex_destroy(&(*keeper)->mutex);
    used_nodes_free(&(*keeper)->nodes);
    mem_free(*keeper);
    *keeper = NULL;
}

int keeper_start(struct store *store, const struct keeper_options *options, struct keeper **ret_keeper,
                 struct error *err)
{
    struct keeper *keeper = NEW(struct keeper);

    keeper->store = store;
    keeper->options = *options;
    beat(keeper, 0);
    pthread_mutex_init(&keeper->mutex, NULL);
    clock_cond_init(&keeper->wake);
    struct cap_worker_options cap = {
        .store = store, .clock_s = options->cap_clock_s, .report = on_cap, .report_ctx = keeper};
    int rc = cap_worker_start(&cap, &keeper->cap_worker, err);
    if (rc < 0) {
        keeper_free(&keeper);
        return rc;
    }
    rc = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
    if (rc != 0) {
        keeper_free(&keeper);
        errno = rc;
        return error_set_errno(err, "cannot start the background thread");
    }
    *ret_keeper = keeper;
    return 0;
}

void keeper_stop(struct keeper **keeper)
{
    if (!*keeper)
        return;
    pthread_mutex_lock(&(*keeper)->mutex);
    (*keeper)->stopping = true;
    pthread_cond_signal(&(*keeper)->wake);
    pthread_mutex_unlock(&(*keeper)->mutex);
    pthread_join((*keeper)->thread, NULL);
    keeper_free(keeper);
}

void keeper_stats(const struct keeper *keeper, struct keeper_stats *ret)
{
    ret->runs = atomic_load_explicit(&keeper->runs, memory_order_relaxed);
    ret->failed_queries = atomic_load_explicit(&keeper->failed_queries, memory_order_relaxed);
    ret->cap_runs = atomic_load_explicit(&keeper->cap_runs, memory_order_relaxed);
    ret->cap_freed_chunks = atomic_load_explicit(&keeper->cap_freed_chunks, memory_order_relaxed);
    ret->cleanup_runs = atomic_load_explicit(&keeper->cleanup_runs, memory_order_relaxed);
    ret->failed_cleanups = atomic_load_explicit(&keeper->failed_cleanups, memory_order_relaxed);
    ret->cleaned_files = atomic_load_explicit(&keeper->cleaned_files, memory_order_relaxed);
}
