// SPDX-License-Identifier: MIT
// The memory cap (metric-store.md 4.8). Ingest adds up what is accounted, batch by batch, so that a look costs one load. Three marks:
//
//     0 ─────────────── target ──── wake ──── wait ── cap
//                         93 %      96 %      99 %
//
// Above 'wake' somebody frees until 'target', so that it does not run all the time; above 'wait' batches wait for that. The cap less
// than what the process has beyond the accounted bytes is what counts.
#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/store-private.h"

#define SPAN_WITHOUT_RETENTION_S (30 * INT64_C(86400))
#define STEPS                    64
#define ROUNDS_MAX               8              // of one run; samples come in meanwhile
#define WAIT_NS                  (2 * NS_PER_S) // a batch waits so long, then it goes on
#define NEAR_PERCENT             75
#define TARGET_PERCENT           93
#define WAKE_PERCENT             96
#define WAIT_PERCENT             99
#define OVERHEAD_MAX_PERCENT     15

// ---- marks ------------------------------------------------------------------------------------------------

static uint64_t percent(uint64_t bytes, unsigned n)
{
    return bytes / 100 * n + bytes % 100 * n / 100;
}

// What hosts may have; names are small and shared by all.
static uint64_t room_for_hosts(const struct store *store)
{
    uint64_t cap = store->options.memory_cap_bytes;
    uint64_t other =
        intern_memory_bytes(store->names) + atomic_load_explicit(&store->cap.overhead, memory_order_relaxed);
    return cap > other ? cap - other : 0;
}

static void set_marks(struct store *store)
{
    uint64_t room = room_for_hosts(store);
    atomic_store_explicit(&store->cap.wake_bytes, percent(room, WAKE_PERCENT), memory_order_relaxed);
    atomic_store_explicit(&store->cap.wait_bytes, percent(room, WAIT_PERCENT), memory_order_relaxed);
}

void cap_init(struct store *store)
{
    struct cap *cap = &store->cap;
    pthread_mutex_init(&cap->running, NULL);
    pthread_mutex_init(&cap->mutex, NULL);
    clock_cond_init(&cap->wake);
    clock_cond_init(&cap->space);
    cap->wake_bytes = cap->wait_bytes = UINT64_MAX;
    if (store->options.memory_cap_bytes > 0)
        set_marks(store);
}

void cap_release(struct store *store)
{
    struct cap *cap = &store->cap;
    pthread_cond_destroy(&cap->wake);
    pthread_cond_destroy(&cap->space);
    pthread_mutex_destroy(&cap->mutex);
    pthread_mutex_destroy(&cap->running);
}

static uint64_t hosts_bytes(const struct store *store)
{
    return atomic_load_explicit(&store->cap.accounted, memory_order_relaxed);
}

uint64_t store_accounted(const struct store *store)
{
    return hosts_bytes(store) + intern_memory_bytes(store->names);
}

bool cap_is_pressing(const struct store *store)
{
    return hosts_bytes(store) > atomic_load_explicit(&store->cap.wake_bytes, memory_order_relaxed);
}

bool cap_is_near(const struct store *store)
{
    return hosts_bytes(store) >
           percent(atomic_load_explicit(&store->cap.wake_bytes, memory_order_relaxed), NEAR_PERCENT);
}

static bool must_wait(const struct store *store)
{
    const struct cap *cap = &store->cap;
    return hosts_bytes(store) > atomic_load_explicit(&cap->wait_bytes, memory_order_relaxed) &&
           atomic_load_explicit(&cap->workers, memory_order_relaxed) > 0 &&
           !atomic_load_explicit(&cap->helpless, memory_order_relaxed);
}

void store_note_overhead(struct store *store, uint64_t bytes)
{
    uint64_t cap = store->options.memory_cap_bytes;
    if (cap == 0)
        return;
    atomic_store_explicit(&store->cap.overhead, MIN(bytes, percent(cap, OVERHEAD_MAX_PERCENT)),
                          memory_order_relaxed);
    set_marks(store);
}

// ---- back-pressure ----------------------------------------------------------------------------------------

void store_wait_for_memory(struct store *store)
{
    struct cap *cap = &store->cap;
    struct mono_time until = mono_after(clock_mono(), WAIT_NS);
    int rc = 0;
    if (atomic_load_explicit(&cap->wanted, memory_order_relaxed) && !must_wait(store))
        return;
    pthread_mutex_lock(&cap->mutex);
    atomic_store_explicit(&cap->wanted, true, memory_order_relaxed);
    pthread_cond_signal(&cap->wake);
    while (rc == 0 && !cap->stopping && must_wait(store))
        rc = clock_cond_wait(&cap->space, &cap->mutex, until);
    pthread_mutex_unlock(&cap->mutex);
}

static void tell_waiting(struct store *store)
{
    pthread_mutex_lock(&store->cap.mutex);
    pthread_cond_broadcast(&store->cap.space);
    pthread_mutex_unlock(&store->cap.mutex);
}

// ---- what to free -----------------------------------------------------------------------------------------

// Bytes of sealed values by age: [0] ends before the oldest step, [STEPS - 1] is too young to go.
struct ages {
    int64_t now_s, span_s;
    double bytes[STEPS];
};

// What ends before it goes with the steps up to this one.
static int64_t step_end(const struct ages *ages, int step)
{
    return ages->now_s - ages->span_s * (STEPS - 1 - step) / STEPS;
}

static int step_of(const struct ages *ages, int64_t end)
{
    int64_t age = ages->now_s - end;
    if (age >= ages->span_s)
        return 0;
    return age <= 0 ? STEPS - 1 : (int)(STEPS - 1 - age * STEPS / ages->span_s);
}

static uint64_t add_series(const struct ages *ages, const struct series *series, int64_t f, uint64_t *bins)
{
    uint64_t total = 0;
    for (size_t i = 0; series->pieces && i < series->pieces->count; i++) {
        const struct piece *piece = &series->pieces->items[i];
        int64_t end = piece->start + ((int64_t)piece->first_bin + piece->bins) * f;
        bins[step_of(ages, end)] += piece->bins;
        total += piece->bins;
    }
    return total;
}

// Blocks are not looked at, a host's bytes are spread over its values.
static void add_host(struct ages *ages, struct host *host)
{
    uint64_t bins[STEPS] = {0}, total = 0;
    pthread_mutex_lock(&host->lock);
    for (size_t g = 0; g < host->group_count; g++) {
        const struct group *group = &host->groups[g];
        for (size_t m = 0; m < group->count; m++)
            total += add_series(ages, &group->members[m], group->metric->frequency_s, bins);
    }
    double each = total ? (double)host->memory.sealed_bytes / (double)total : 0;
    pthread_mutex_unlock(&host->lock);
    for (int i = 0; i < STEPS; i++)
        ages->bytes[i] += each * (double)bins[i];
}

static void measure_ages(struct store *store, int64_t now_s, struct ages *ages)
{
    int64_t retention_s = store->options.retention_s;
    size_t count;
    struct host **hosts = store_list_hosts(store, (struct slice){.ptr = NULL}, &count);
    *ages = (struct ages){.now_s = now_s, .span_s = retention_s > 0 ? retention_s : SPAN_WITHOUT_RETENTION_S};
    for (size_t i = 0; i < count; i++)
        add_host(ages, hosts[i]);
    store_release_hosts(hosts, count);
}

// The first step with which enough goes, or the last that has anything; -1: nothing is old enough.
static int choose_step(const struct ages *ages, uint64_t wanted)
{
    double sum = 0;
    int last = -1;
    for (int i = 0; i < STEPS - 1; i++) {
        sum += ages->bytes[i];
        if (ages->bytes[i] > 0)
            last = i;
        if (sum >= (double)wanted)
            return i;
    }
    return last;
}

// ---- a run ------------------------------------------------------------------------------------------------

// Returns how many chunks went.
static uint64_t free_some(struct store *store, int64_t now_s, int skip, uint64_t target,
                          struct store_cap_report *ret)
{
    struct ages ages;
    measure_ages(store, now_s, &ages);
    int step = choose_step(&ages, hosts_bytes(store) - target);
    if (step < 0)
        return 0;
    step = MIN(step + skip, STEPS - 2); // whole segments end later than their pieces
    int64_t to = step_end(&ages, step);
    bool safe = store_secure_before(store, to);
    uint64_t freed = store_free_oldest(store, to, target, safe);
    if (freed == 0)
        return 0;
    ret->kept_s = now_s - to;
    if (store->window_s == 0 || store->window_s > ret->kept_s)
        store->window_s = ret->kept_s; // what is loaded from now on is not older
    return freed;
}

static void run(struct store *store, int64_t now_s, struct store_cap_report *ret)
{
    uint64_t target = percent(room_for_hosts(store), TARGET_PERCENT), freed = 1;
    for (int i = 0, skip = 0; i < ROUNDS_MAX && hosts_bytes(store) > target; i++) {
        freed = free_some(store, now_s, skip, target, ret);
        ret->freed_chunks += freed;
        if (freed == 0 && (skip = 2 * skip + 1) >= STEPS)
            break;
    }
}

bool store_hold_cap(struct store *store, int64_t now_s, struct store_cap_report *ret)
{
    struct cap *cap = &store->cap;
    if (store->options.memory_cap_bytes == 0)
        return false;
    atomic_store_explicit(&cap->wanted, false, memory_order_relaxed);
    set_marks(store);
    *ret = (struct store_cap_report){.bytes_before = store_accounted(store)};
    bool pressing = cap_is_pressing(store);
    if (pressing) {
        pthread_mutex_lock(&cap->running);
        run(store, now_s, ret);
        pthread_mutex_unlock(&cap->running);
    }
    ret->bytes_after = store_accounted(store);
    atomic_store_explicit(&cap->helpless, cap_is_pressing(store) && ret->freed_chunks == 0,
                          memory_order_relaxed);
    tell_waiting(store);
    return pressing;
}

void cap_note_freed(struct store *store)
{
    if (!must_wait(store))
        tell_waiting(store);
}

enum log_level store_cap_text(const struct store_cap_report *report, char *text, size_t size)
{
    if (report->freed_chunks == 0) {
        (void)snprintf(
            text, size,
            "memory cap: bytes=%llu, and all of it is too young or not yet safe to be freed; raise "
            "metric-store.memory-cap",
            (unsigned long long)report->bytes_before);
        return LOG_LEVEL_ERROR;
    }
    (void)snprintf(
        text, size,
        "memory cap: bytes=%llu freed=%llu chunks, left=%llu: of data older than %lld s not all is "
        "in memory any more; raise metric-store.memory-cap or shorten retention-in-memory",
        (unsigned long long)report->bytes_before, (unsigned long long)report->freed_chunks,
        (unsigned long long)report->bytes_after, (long long)report->kept_s);
    return LOG_LEVEL_WARN;
}
