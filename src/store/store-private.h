// SPDX-License-Identifier: MIT
// What the files of the engine share behind store.h: the tree of clusters and hosts, the metric table,
// counters.
//
// Lock order: tree_lock before a host's lock; no thread holds two hosts. A host is looked up under tree_lock,
// referenced, and used after tree_lock was given back.
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hashmap.h"
#include "base/intern.h"
#include "store/host.h"
#include "store/store.h"

// Clusters live as long as the store, so hosts may point to them.
struct cluster {
    char *name;
    struct hashmap *hosts; // name -> struct host; the tree holds one reference of each
    bool exists;           // false: emptied and removed; comes back with the next sample
};

// Since the start; relaxed, because nothing is concluded from one about another.
struct store_counters {
    atomic_uint_fast64_t stored, skipped, rejected_syntax, rejected_name, rejected_old, rejected_future,
        batches, freed, queries;
};

// The memory cap (memory-cap.c).
struct cap {
    atomic_uint_fast64_t accounted;  // bytes of all hosts in the tree
    atomic_uint_fast64_t wake_bytes; // above it the worker is woken; UINT64_MAX: there is no cap
    atomic_uint_fast64_t wait_bytes; // above it batches wait for the worker
    atomic_uint_fast64_t overhead;   // what the process has beyond what is accounted
    atomic_bool wanted;              // the worker was woken and has not begun
    atomic_bool helpless;            // the last run found nothing more to free: nobody waits for the next
    atomic_uint workers;             // threads that would free
    pthread_mutex_t running;         // one run at a time
    pthread_mutex_t mutex;           // of the conditions, which are on the monotonic clock
    pthread_cond_t wake, space;
    bool stopping; // under the mutex
};

struct store {
    struct store_options options; // with defaults filled in; 'metrics' is NULL
    struct metric *metrics;       // sorted by name, those of one cluster before the one of all clusters
    size_t metric_count;
    struct hashmap *metric_names;        // name -> first metric of that name
    struct intern *names;                // of components
    uint64_t seed;                       // of the hashes of line heads
    pthread_rwlock_t tree_lock;          // clusters and their hosts
    struct hashmap *clusters;            // name -> struct cluster
    struct persist *persist;             // NULL: memory only; set before and cleared after all other use
    struct wal *wal;                     // of persist
    atomic_uint_fast32_t hosts_numbered; // in the log
    atomic_int_fast64_t
        window_s; // snapshots older than this are not read: the retention, or what the memory cap left
    struct store_counters counters;
    struct cap cap;
};

static inline void store_count(atomic_uint_fast64_t *counter, uint64_t n)
{
    if (n)
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

// The metric as the cluster has it (MS-54); NULL: not configured.
const struct metric *store_find_metric(const struct store *store, struct slice cluster, struct slice name);
// Referenced, not locked; NULL when there is none.
struct host *store_find_host(struct store *store, struct slice cluster, struct slice host);
struct host *store_add_host(struct store *store, struct slice cluster, struct slice host);
// All hosts of a cluster, or of all (name.ptr NULL), referenced, sorted by cluster and name; the caller gives
// them back with store_release_hosts.
struct host **store_list_hosts(struct store *store, struct slice cluster, size_t *ret_count);
void store_release_hosts(struct host **hosts, size_t count);
// Takes hosts without levels and data out of the tree, and clusters that become empty with 'clusters'.
void store_remove_empty(struct store *store, struct slice cluster, bool clusters);

// Reads the snapshots of a host that nobody asked for yet; before its data is looked at, and without its lock (persist-load.c).
void store_load_host(struct store *store, struct host *host);
static inline void store_need_host(struct store *store, struct host *host)
{
    if (atomic_load_explicit(&host->files.unloaded, memory_order_acquire))
        store_load_host(store, host);
}
// A batch waits here while the log is at its limit (persist.c).
void store_admit(struct store *store);
// Snapshots what only the log has of the time before 'before_s', so that it may be freed (persist.c). False: that failed.
bool store_secure_before(struct store *store, int64_t before_s);
// Frees what is loaded and older than 'to', host by host until no more than 'target' bytes are accounted. Of series that are
// being written it takes sealed pieces, too. With 'safe' nothing goes that only the log has.
uint64_t store_free_oldest(struct store *store, int64_t to, uint64_t target_bytes, bool safe);

// Brings the store's total up to date with the host, whose lock is held.
static inline void store_account(struct store *store, struct host *host)
{
    uint64_t bytes = host->removed ? 0 : host_bytes(host);
    if (bytes == host->accounted)
        return;
    atomic_fetch_add_explicit(&store->cap.accounted, bytes - host->accounted, memory_order_relaxed); // wraps
    host->accounted = bytes;
}

void cap_init(struct store *store);
void cap_release(struct store *store);
bool cap_is_pressing(const struct store *store); // a run would free
bool cap_is_near(const struct store *store);     // soon
// Tells who waits that there is room, if there is.
void cap_note_freed(struct store *store);
void store_wait_for_memory(struct store *store);
// Before memory is taken, without any lock held: wakes the worker near the cap, and waits for it (not for ever) above.
static inline void store_need_memory(struct store *store)
{
    if (UNLIKELY(atomic_load_explicit(&store->cap.accounted, memory_order_relaxed) >
                 atomic_load_explicit(&store->cap.wake_bytes, memory_order_relaxed)))
        store_wait_for_memory(store);
}

// Samples outside are refused (MS-16): older than the retention, or too far ahead of the arrival.
struct time_bounds {
    int64_t min, max;
};
struct time_bounds store_time_bounds(const struct store *store, int64_t now_s, int64_t frequency_s);

#endif
