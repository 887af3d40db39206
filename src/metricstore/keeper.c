// SPDX-License-Identifier: MIT
#include "metricstore/keeper.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metricstore/used-nodes.h"

#define TIDY_INTERVAL_NS (5 * NS_PER_S)

struct keeper {
    struct store *store;
    struct keeper_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake; // on the monotonic clock
    bool stopping;       // under the mutex
    _Atomic uint64_t runs, failed_queries, cap_runs, cap_freed_chunks;
};

static bool keep_host(void *ctx, struct slice cluster, struct slice host)
{
    return used_nodes_has(ctx, cluster, host);
}

void keeper_retain(struct keeper *keeper, int64_t now_s)
{
    int64_t threshold_s = now_s - keeper->options.retention_s;
    struct used_nodes *nodes = NULL;
    struct error err = ERROR_INIT;

    atomic_fetch_add_explicit(&keeper->runs, 1, memory_order_relaxed);
    if (*keeper->options.backend_url &&
        used_nodes_fetch(keeper->options.backend_url, keeper->options.backend_token, threshold_s, &nodes,
                         &err) < 0) {
        // Without the list of hosts nobody can tell which data is needed: wait one more retention instead of
        // freeing too much, and instead of never freeing (MS-03).
        threshold_s -= keeper->options.retention_s;
        atomic_fetch_add_explicit(&keeper->failed_queries, 1, memory_order_relaxed);
        log_warn(
            "retention: cannot ask the backend for the hosts of running jobs, keeping data for twice the "
            "retention: %s",
            err.text);
    }
    uint64_t freed = store_retain(keeper->store, threshold_s, nodes ? keep_host : NULL, nodes);
    log_info("retention: freed=%llu chunks, spared=%zu hosts of running jobs", (unsigned long long)freed,
             nodes ? used_nodes_count(nodes) : (size_t)0);
    used_nodes_free(&nodes);
}

void keeper_hold_cap(struct keeper *keeper, int64_t now_s)
{
    struct store_cap_report report;

    if (!store_hold_cap(keeper->store, now_s, &report))
        return;
    atomic_fetch_add_explicit(&keeper->cap_runs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&keeper->cap_freed_chunks, report.freed_chunks, memory_order_relaxed);
    log_warn("memory cap: bytes=%llu freed=%llu chunks, left=%llu: data older than %lld s is gone; raise "
             "metric-store.memory-cap or shorten retention-in-memory",
             (unsigned long long)report.bytes_before, (unsigned long long)report.freed_chunks,
             (unsigned long long)report.bytes_after, (long long)report.kept_s);
}

// Sleeps until 'until' or the stop; false at the stop.
static bool sleep_until(struct keeper *keeper, struct mono_time until)
{
    struct timespec deadline = {.tv_sec = until.ns / NS_PER_S, .tv_nsec = until.ns % NS_PER_S};
    int rc = 0;

    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->stopping && rc == 0)
        rc = pthread_cond_timedwait(&keeper->wake, &keeper->mutex, &deadline);
    bool stopping = keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return !stopping;
}

static void *keeper_main(void *arg)
{
    struct keeper *keeper = arg;
    int64_t interval_ns = keeper->options.retention_s * (NS_PER_S / 2);
    struct mono_time tidy = clock_mono(), retain = tidy;

    tidy.ns += TIDY_INTERVAL_NS;
    retain.ns = keeper->options.retention_s > 0 ? retain.ns + interval_ns : INT64_MAX;
    while (sleep_until(keeper, tidy.ns < retain.ns ? tidy : retain)) {
        struct mono_time now = clock_mono();
        if (now.ns >= retain.ns) {
            keeper_retain(keeper, wall_seconds(clock_wall()));
            retain.ns = now.ns + interval_ns;
        }
        if (now.ns >= tidy.ns) {
            int64_t now_s = wall_seconds(clock_wall());
            keeper_hold_cap(keeper, now_s);
            store_maintain(keeper->store, now_s);
            tidy.ns = now.ns + TIDY_INTERVAL_NS;
        }
    }
    return NULL;
}

static void keeper_free(struct keeper **keeper)
{
    pthread_cond_destroy(&(*keeper)->wake);
    pthread_mutex_destroy(&(*keeper)->mutex);
    mem_free(*keeper);
    *keeper = NULL;
}

int keeper_start(struct store *store, const struct keeper_options *options, struct keeper **ret_keeper,
                 struct error *err)
{
    struct keeper *keeper = NEW(struct keeper);
    pthread_condattr_t attr;

    keeper->store = store;
    keeper->options = *options;
    pthread_mutex_init(&keeper->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
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
}
