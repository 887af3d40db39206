// SPDX-License-Identifier: MIT
// Runs the sources at each tick of a timer, one after the other in one thread, and keeps a source that hangs from
// stopping the others.
//
//   timer --> run: [source 1] [source 2] ... -> flush            one wake-up per tick, in the scheduler's thread
//   watch timer: armed while a run is going --> loop thread      fires only when a source takes too long
//
// A source that takes longer than the patience (a tenth of the interval, 10 to 500 ms) keeps its thread to itself: a
// new thread goes on with the run. As long as such a source has not returned it is skipped, and that is counted; when
// it returns, its values are delivered with the time of their reading and the thread ends. Ticks that pass during a
// run are skipped and counted, never queued.
//
// Sources are initialised the same way, as a run of their own before the first tick. One that fails for a reason that
// may go away is tried again after 6, 12, 24 ... ticks (at most once an hour); it is reported once.
//
// All functions are called by the loop thread.
#ifndef COLLECTOR_SCHEDULER_H
#define COLLECTOR_SCHEDULER_H

#include "collector/source.h"

#define SCRATCH_MAX_BYTES ((size_t)8 << 20) // largest file that a source reads

struct scheduler;

struct scheduler_options {
    const char *root; // "": the real machine; copied
    struct router *router;
    int64_t interval_ns;
    bool no_timer; // ticks come from scheduler_tick only (tests)
    void (*agent_stats)(void *ctx, struct agent_stats *ret);
    void *agent_ctx;
};

// The first tick comes one interval after this call.
int scheduler_new(const struct scheduler_options *options, struct scheduler **ret,
                  struct error *err) MUST_CHECK;
// Decodes the options (NULL or null: defaults) and takes the source in.
int scheduler_add(struct scheduler *scheduler, const struct source_ops *ops, const struct json_value *config,
                  const char *origin, struct error *err) MUST_CHECK;
// Starts the thread and initialises the sources.
int scheduler_start(struct scheduler *scheduler, struct error *err) MUST_CHECK;
// Starts a run as the timer does; 'missed': ticks before it that nobody saw.
void scheduler_tick(struct scheduler *scheduler, struct wall_time tick, uint64_t missed);
// Readable when scheduler_watch is to be called, which looks after a source that takes its time.
int scheduler_watch_fd(const struct scheduler *scheduler);
void scheduler_watch(struct scheduler *scheduler);
// Readable once the first run on a tick has ended.
int scheduler_done_fd(const struct scheduler *scheduler);
// Waits until no run is going, looking after it; false on time-out.
bool scheduler_wait(struct scheduler *scheduler, int64_t timeout_ms);
// Ends the threads. False when a source hangs: its thread is left behind and may use scheduler, router and
// sinks.
bool scheduler_stop(struct scheduler *scheduler);
void scheduler_free(
    struct scheduler **scheduler); // after a scheduler_stop that said true, or before the start
// ticks, skipped_ticks, skipped_reads, failed_reads; any thread
void scheduler_read_stats(struct scheduler *scheduler, struct agent_stats *ret);

#endif
