// SPDX-License-Identifier: MIT
#include "store/cap-worker.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "store/store-private.h"

#define LOOK_INTERVAL_NS (NS_PER_S / 4)
#define LOOKS_PER_TRIM   4
#define TIGHT_PERCENT    95 // of the cap: it is looked at each time what the heap can give back
#define FADING_LOOKS     64

struct cap_worker {
    struct cap_worker_options options;
    pthread_t thread;
    bool has_thread;
    unsigned looks;      // near the cap
    uint64_t more_bytes; // resident beyond the accounted bytes, the highest of late
};

// Until a batch wakes it or the time is over; false: the end.
static bool wait_for_work(struct cap *cap)
{
    struct mono_time until = mono_after(clock_mono(), LOOK_INTERVAL_NS);
    int rc = 0;
    pthread_mutex_lock(&cap->mutex);
    // Where nothing can be freed, every batch would wake it.
    while (rc == 0 && !cap->stopping && (!cap->wanted || cap->helpless))
        rc = clock_cond_wait(&cap->wake, &cap->mutex, until);
    bool go_on = !cap->stopping;
    pthread_mutex_unlock(&cap->mutex);
    return go_on;
}

static int64_t now_of(const struct cap_worker *worker)
{
    return worker->options.clock_s ? worker->options.clock_s() : wall_seconds(clock_wall());
}

// What the process had on top of the accounted bytes lately at most: snapshots under way, holes in the heap. It fades away.
static void look_at_process(struct cap_worker *worker)
{
    struct store *store = worker->options.store;
    uint64_t resident = process_resident_bytes(), accounted = store_accounted(store);
    bool tight = resident > store->options.memory_cap_bytes / 100 * TIGHT_PERCENT;
    uint64_t more = resident > accounted ? resident - accounted : 0;
    worker->more_bytes = MAX(more, worker->more_bytes - worker->more_bytes / FADING_LOOKS);
    if (worker->looks++ % LOOKS_PER_TRIM == 0 || tight)
        malloc_trim(0);
    store_note_overhead(store, worker->more_bytes);
}

static void *worker_main(void *arg)
{
    struct cap_worker *worker = arg;
    struct store *store = worker->options.store;
    struct store_cap_report report;
    while (wait_for_work(&store->cap)) {
        if (cap_is_near(store))
            look_at_process(worker);
        if (!store_hold_cap(store, now_of(worker), &report))
            continue;
        malloc_trim(0); // what went must not count as overhead
        if (worker->options.report)
            worker->options.report(worker->options.report_ctx, &report);
    }
    return NULL;
}

int cap_worker_start(const struct cap_worker_options *options, struct cap_worker **ret_worker,
                     struct error *err)
{
    struct cap_worker *worker = NEW(struct cap_worker);
    worker->options = *options;
    options->store->cap.stopping = false;
    if (options->store->options.memory_cap_bytes > 0) {
        int rc = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (rc != 0) {
            mem_free(worker);
            errno = rc;
            return error_set_errno(err, "cannot start the thread that holds the memory cap");
        }
        worker->has_thread = true;
        atomic_fetch_add(&options->store->cap.workers, 1);
    }
    *ret_worker = worker;
    return 0;
}

void cap_worker_stop(struct cap_worker **worker)
{
    if (!*worker)
        return;
    struct cap *cap = &(*worker)->options.store->cap;
    if ((*worker)->has_thread) {
        atomic_fetch_sub(&cap->workers, 1);
        pthread_mutex_lock(&cap->mutex);
        cap->stopping = true;
        pthread_cond_broadcast(&cap->wake);
        pthread_cond_broadcast(&cap->space);
        pthread_mutex_unlock(&cap->mutex);
        pthread_join((*worker)->thread, NULL);
    }
    mem_free(*worker);
    *worker = NULL;
}
