// SPDX-License-Identifier: MIT
// One compute node in the store: its levels (components), its series grouped by metric, and the line heads
// that its sender was seen to use.
//
// A host is the unit of locking: everything in it but 'refs' is used under 'lock'. It is found through the
// tree (tree.h), which hands out references; a host that was removed from the tree meanwhile has 'removed'
// set and must be looked up again (MS-52).
//
// Level 0 is the host itself, others are components (parent 0) and sub-components. Names are numbers of the
// store's name table. The series of one metric stand side by side in a group, in order of appearance; they
// move when the group grows, so a head names a series by group and member.
//
// A head is the raw text of a line up to the blank before its fields. Senders repeat the order of their
// lines, so each head remembers which one followed it; when that guess fails the head is looked up by its
// hash. Of the text only a 64-bit hash with a secret seed and the length are kept: two heads of one host that
// agree in both do not occur by chance, and cannot be made by who does not know the seed (and may write to
// that host anyway).
#ifndef STORE_HOST_H
#define STORE_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "model/scope.h"
#include "store/series.h"

struct cluster;

struct metric {
    struct slice name;
    struct slice cluster; // empty ptr NULL: all clusters
    int64_t frequency_s;
    enum aggregation aggregation;
};

#define LEVEL_HOST 0
#define LEVEL_NONE UINT32_MAX
#define NAME_MAX_BYTES                                                                                       \
    255 // of clusters, hosts and components: they become file names and log fields (MS-38, MS-57)

struct level {
    uint32_t name;   // in the store's name table; of level 0 unused
    uint32_t parent; // level
    bool exists;     // false: emptied and removed; comes back with the next sample
};

struct group {
    const struct metric *metric;
    struct series *members;
    uint32_t count, cap;
};

#define HEAD_NONE UINT32_MAX

struct head {
    uint64_t hash;
    uint32_t next; // head that followed this one last time, or HEAD_NONE
    uint32_t member;
    uint16_t group;
    uint16_t len;
    bool default_cluster; // has no cluster tag: valid only for batches whose default is this host's cluster
                          // (MS-09)
};

// What the persistence layer knows of a host's directory. 'lock' is held over all that reads or changes the files; it is
// taken before the host's own lock.
struct host_files {
    pthread_mutex_t lock;
    atomic_bool unloaded;    // there are snapshots that nobody read yet
    int64_t retry_at_s;      // reading them failed: not again before this
    bool loaded_all;         // without the limit of the retention (4.9)
    int64_t loaded_from;     // snapshots from here on were read; INT64_MAX: none
    bool has_host_wal;       // current.wal was read and can go with the next snapshot
    int64_t last_snapshot_s; // end of the last one, or the start of the process
    int64_t data_end; // no snapshot has samples of this time or later; INT64_MIN: the directory must be asked
};

struct host {
    struct cluster *cluster; // outlives the host
    char *name;
    atomic_uint refs;
    pthread_mutex_t lock;
    bool removed;
    struct level *levels;
    uint32_t level_count, level_cap;
    struct group *groups;
    uint16_t group_count, group_cap;
    struct head *heads; // in order of appearance
    uint32_t head_count, head_cap;
    uint32_t *head_slots; // hash table: number of a head + 1, 0: free; at most two thirds full
    uint32_t slot_count;  // a power of two; 0: none
    struct reclaim reclaim;
    struct series_memory memory;
    uint64_t accounted; // bytes of it that the store's total has (store_account)
    // log and snapshots, used when the store has a log
    uint32_t wal_number;   // of the host in the log; 0: none yet
    uint32_t wal_series;   // numbers given to its series so far
    uint64_t wal_epoch;    // of the log, in which all numbered series are defined
    uint64_t dirty_epoch;  // of the log, in which the first record since the last snapshot stands; 0: none
    int64_t dirty_from;    // oldest slot written since the last snapshot; INT64_MAX: none
    bool snapshot_running; // what it writes is no longer in dirty_from
    struct host_files files;
};

// Whether a cluster or a host may have this name: it becomes a directory's (MS-10, MS-57).
bool host_name_is_usable(struct slice name);

struct host *host_new(struct cluster *cluster, struct slice name); // with one reference
struct host *host_ref(struct host *host);
void host_unref(struct host *host); // NULL is fine

// Level below 'parent'; LEVEL_NONE when it does not exist. *hint (may be NULL) is where the search begins and
// becomes the place behind the find: names asked for in the order of their creation are found at once.
uint32_t host_find_level(const struct host *host, uint32_t parent, uint32_t name, uint32_t *hint);
uint32_t host_add_level(struct host *host, uint32_t parent, uint32_t name);    // existing one or new
struct group *host_find_group(struct host *host, const struct metric *metric); // NULL: none
struct group *host_add_group(struct host *host, const struct metric *metric);
struct series *group_find(const struct group *group, uint32_t level,
                          uint32_t *hint); // also an empty one; or NULL
uint32_t host_add_member(struct host *host, struct group *group, uint32_t level);       // existing one or new
struct series *host_add_series(struct host *host, struct group *group, uint32_t level); // the same as pointer
struct series_env host_env(struct host *host, const struct group *group);

uint64_t head_hash(struct slice text, uint64_t seed);
uint32_t host_find_head(const struct host *host, uint64_t hash, size_t len); // HEAD_NONE: unknown
// HEAD_NONE, nothing added, when the text is too long or there are too many.
uint32_t host_add_head(struct host *host, const struct head *head);

// After series were emptied: forgets empty series, levels without data or children (but 'keep' and its
// ancestors, LEVEL_NONE: none) and all heads. Returns true when the host has nothing left but level 0.
bool host_compact(struct host *host, uint32_t keep);
uint64_t host_index_bytes(const struct host *host);
uint64_t host_bytes(const struct host *host); // accounted: index, open parts, sealed blocks

#endif
