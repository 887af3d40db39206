// SPDX-License-Identifier: MIT
// The storage engine: time series of the last days in memory. Spec: metric-store.md 3-5. How times become slots:
// docs/decisions/store-time-slots.md; where log and snapshots attach: docs/decisions/store-durability.md.
//
// Tree: cluster / host / component / sub-component, each level may hold series of the configured metrics. A host is
// the unit of locking: one lock per batch of lines. Queries hold it only while they note what to read; sealed blocks are
// immutable and stay until the last reader is done.
//
// All functions may be called from any thread, except store_new and store_free. The engine never looks at the clock:
// callers pass now_s. What is declared here is used by the HTTP endpoints and by the backend: keep it stable.
//
// Periodic duties of the program: store_retain (half the retention), store_maintain (some minutes).
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/slice.h"
#include "model/scope.h"

struct store;

struct store_metric {
    const char *cluster; // NULL: all clusters; else only this one (frequency per (cluster, metric): MS-54)
    const char *name;
    int64_t frequency_s; // > 0
    enum aggregation aggregation;
};

struct store_options {
    const struct store_metric *metrics; // copied
    size_t metric_count;
    int64_t retention_s;            // samples older than now - retention are refused; 0: no bound
    int64_t future_tolerance_s;     // samples later than now + this are refused; 0: default max(600, 5 f)
    size_t memory_cap_bytes;        // 0: none
    size_t resample_minimum_points; // 0: 1000
    size_t query_max_points;        // per selector; 0: 4 Mi
    size_t max_line_bytes;          // 0: 64 KiB
};

int store_new(const struct store_options *options, struct store **ret_store, struct error *err) MUST_CHECK;
void store_free(struct store **store);

// ---- ingest -------------------------------------------------------------------------------------------------
struct store_write {
    struct slice body;            // line protocol
    struct slice default_cluster; // for lines without that tag
    int64_t now_s;                // arrival time
    bool truncated;               // the body broke off: a last line without line end is dropped (MS-14)
    bool defer_commit;            // do not wait for the log: the caller does, with store_commit
};

// A stretch of the log that must be on disk before something is acknowledged. {0}: nothing.
struct store_span {
    uint64_t begin, end;
};
static inline void store_span_join(struct store_span *all, struct store_span more)
{
    if (all->begin == all->end)
        *all = more;
    else if (more.begin != more.end)
        *all = (struct store_span){MIN(all->begin, more.begin), MAX(all->end, more.end)};
}

struct store_write_result {
    uint64_t stored;   // samples
    uint64_t skipped;  // lines of unknown metrics
    uint64_t rejected; // lines that were refused: syntax, names, time out of bounds
    struct error
        first_error; // of the first line refused for syntax (answered 400, MS-13); code ERR_NONE: none
    int64_t error_count;
    struct store_span span; // with defer_commit: what to wait for
};

// Stores every good line. Returns 0 when no line was bad, ERR_INVALID when first_error is set; ERR_NO_SPACE or
// ERR_BUSY when the engine could not take the batch (nothing is acknowledged then).
int store_ingest(struct store *store, const struct store_write *write,
                 struct store_write_result *ret) MUST_CHECK;

// Waits until this stretch is as safe as the log's mode says (persist.h). ERR_NO_SPACE, ERR_IO: it is not, and what belongs to it must
// not be acknowledged.
int store_commit(struct store *store, const struct store_span *span, struct error *err) MUST_CHECK;

// The same without waiting: done is called once, from another thread or at once from this one, and must not block.
typedef void store_committed_fn(void *ctx, int rc, const struct error *err);
void store_commit_later(struct store *store, const struct store_span *span, store_committed_fn *done,
                        void *ctx);

// ---- query --------------------------------------------------------------------------------------------------
struct store_query {
    struct slice cluster, host, metric;
    bool has_type, has_subtype;
    struct slice type, subtype;
    const struct slice *type_ids, *subtype_ids;
    size_t type_id_count, subtype_id_count;
    int64_t resolution_s; // 0 or <= native: native
    double scale_by;      // 0 and 1: none
    bool aggregate;
};

struct store_query_range {
    int64_t from, to; // Unix seconds, [from, to)
    bool with_stats, with_data, with_padding;
};

// One answer entry (metric-store.md 5.3).
struct store_series {
    const char *error; // NULL: fine; else the text of the error, arena
    const double
        *data; // NaN: no value; arena. Doubles: what came in comes out exactly (5.2 prints large values)
    size_t count;
    int64_t from, to, resolution_s;
    double avg, min, max; // NaN when there is no value
};

// All entries of one query, in arena memory. Selectors without data give no entry. Returns 0 also when entries carry
// errors; ERR_LIMIT when the range is beyond query_max_points.
int store_query_run(struct store *store, const struct store_query *query,
                    const struct store_query_range *range, struct arena *arena,
                    struct store_series **ret_entries, size_t *ret_count, struct error *err) MUST_CHECK;
// Host names of a cluster, sorted, arena memory.
void store_hosts(struct store *store, struct slice cluster, struct arena *arena, struct slice **ret_hosts,
                 size_t *ret_count);
bool store_has_metric(const struct store *store, struct slice metric);

// LTTB as upstream's (5.4). Returns the number of points written to out (at most count); *ret_step_s: step of the answer.
// ERR_INVALID when new_step_s is no multiple of old_step_s.
int store_resample(const double *data, size_t count, int64_t old_step_s, int64_t new_step_s,
                   size_t minimum_points, double *out, size_t *ret_count, int64_t *ret_step_s,
                   struct error *err) MUST_CHECK;

// When a host was heard of last: the newest time of its samples, of each metric the oldest component's. False: the host
// is unknown or has no data. Costs a look at each metric, not a read.
bool store_last_sample(struct store *store, struct slice cluster, struct slice host,
                       int64_t *ret_ts) MUST_CHECK;

// ---- free, debug, health --------------------------------------------------------------------------------------
// Frees whole chunks that end before 'to' below the level named by path (0 names: everything). Unknown: 0 freed.
uint64_t store_free_before(struct store *store, const struct slice *path, size_t path_count, int64_t to);
// Retention with hosts that keep their data (4.9): for each host asks keep(ctx, cluster, host) unless NULL.
uint64_t store_retain(struct store *store, int64_t threshold_s,
                      bool (*keep)(void *, struct slice, struct slice), void *ctx);
// JSON of the tree below the path (5.7, valid JSON). ERR_NOT_FOUND for an unknown path.
int store_debug(struct store *store, const struct slice *path, size_t path_count, struct buf *out,
                struct error *err) MUST_CHECK;

enum store_health { STORE_HEALTH_FULL, STORE_HEALTH_PARTIAL, STORE_HEALTH_FAILED };
enum store_metric_health { STORE_METRIC_HEALTHY, STORE_METRIC_DEGRADED, STORE_METRIC_MISSING };
// Health of a host (4.10); ret_metrics has metric_count items. ret_known: the host exists.
enum store_health store_health_check(struct store *store, struct slice cluster, struct slice host,
                                     const struct slice *metrics, size_t metric_count, int64_t now_s,
                                     enum store_metric_health *ret_metrics, bool *ret_known);

// The memory cap (4.8). Does nothing while the memory is well below memory_cap_bytes (MS-04), or when that is 0 (MS-05). Near
// it (96 %) frees the oldest data, that of running jobs too, until some room is left (93 %): in steps of 1/64 of the retention
// (of 30 days without one), within a step host by host. What is younger than such a step stays. Returns whether it had to. Memory is what is
// accounted, and what the process was found to have on top (store_note_overhead), so that the cap holds for what the process has.
//
// A cap worker (cap-worker.h) calls it when ingest wakes it, programs without one every few seconds.
struct store_cap_report {
    uint64_t bytes_before, bytes_after; // accounted
    uint64_t freed_chunks;
    int64_t kept_s; // of older data not all is left
};
bool store_hold_cap(struct store *store, int64_t now_s, struct store_cap_report *ret);
// What to tell the administrator about a run, into text; returns how urgent it is.
enum log_level store_cap_text(const struct store_cap_report *report, char *text, size_t size);
// What the process has beyond the accounted bytes. At most 15 % of the cap counts: data must not go for what it does not take.
void store_note_overhead(struct store *store, uint64_t bytes);
// Accounted memory as store_stats sums it up, but without a look at each host.
uint64_t store_accounted(const struct store *store);

// ---- about itself -------------------------------------------------------------------------------------------
struct store_stats {
    uint64_t samples_stored, lines_skipped, lines_rejected_syntax, lines_rejected_name, lines_rejected_old,
        lines_rejected_future, batches;
    uint64_t hosts, series, open_chunks, sealed_chunks;
    uint64_t bytes_open, bytes_sealed, bytes_index; // accounted memory
    uint64_t freed_chunks, queries;
};
void store_stats(const struct store *store, struct store_stats *ret);
// Seals what can be sealed and gives memory back; the background worker calls it now and then.
void store_maintain(struct store *store, int64_t now_s);

#endif
