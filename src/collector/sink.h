// SPDX-License-Identifier: MIT
// A sink: where messages go. The part that all kinds share is here: rules of its own (process_messages,
// meta_as_tags), one prepared line prefix per series, batching, a bounded queue, retries with growing waits,
// a thread of its own that sends, and the drain at the end. A kind is a struct sink_ops in sinks/.
//
//   router --sink_append--> open chunk --flush_delay--> sealed chunks --sender thread--> ops->send
//
// Nothing blocks the appending side: when the queue is full the oldest chunks are dropped and counted.
//
// Life cycle: sink_new, sink_declare / sink_append / sink_flush (any thread, under the router's lock),
// sink_begin_drain, sink_finish_drain, sink_free. sink_read_stats may be called from any thread.
#ifndef COLLECTOR_SINK_H
#define COLLECTOR_SINK_H

#include "base/arena.h"
#include "codec/json.h"
#include "codec/settings.h"
#include "collector/processor.h"
#include "collector/sample.h"

// Upper bound of what waits in memory for one sink: at a 60 s interval some hours of a big node.
#define SINK_QUEUE_BYTES ((size_t)32 << 20)

struct sink_common { // options that every kind accepts
    const char *type;
    const struct json_value *process_messages;
    const struct json_value *meta_as_tags;
};
#define SINK_COMMON_SETTINGS(type_)                                                                          \
    {.key = "type",                                                                                          \
     .type = SETTING_STRING,                                                                                 \
     .offset = offsetof(type_, common.type),                                                                 \
     .help = "kind of the sink"},                                                                            \
        {.key = "process_messages",                                                                          \
         .type = SETTING_RAW,                                                                                \
         .offset = offsetof(type_, common.process_messages),                                                 \
         .help = "message processor of this sink"},                                                          \
    {                                                                                                        \
        .key = "meta_as_tags", .type = SETTING_RAW, .offset = offsetof(type_, common.meta_as_tags),          \
        .help = "list of meta keys to send as tags"                                                          \
    }

// How a kind wants its messages.
struct sink_traits {
    enum time_precision precision;
    int64_t flush_delay_ns; // a batch is sent this long after its first message; 0: see one_by_one
    bool one_by_one;        // every message is a batch of its own; else without delay one batch per tick
};

struct sink_ops {
    const char *type;
    const char *display;            // "HttpSink", in the log
    const struct setting *settings; // SINK_COMMON_SETTINGS first
    size_t options_size;
    int (*check)(const void *options, struct error *err); // what the table cannot tell; may be NULL
    // Options live as long as the sink. ERR_ codes end the sink's life before it began.
    int (*open)(const void *options, const char *name, struct sink_traits *ret_traits, void **ret_state,
                struct error *err);
    // Sends one chunk, in the sender thread. 0: done. ERR_BUSY: try it again, not before *wait_ms (in: what
    // the sink would wait; out: possibly more). Any other code: the receiver will never take it, it is
    // dropped.
    int (*send)(void *state, struct slice chunk, int64_t *wait_ms, struct error *err);
    void (*close)(void *state);
};

struct sink_stats {
    uint64_t sent_messages, sent_batches;
    uint64_t retried_batches;   // attempts that failed and were repeated
    uint64_t failed_batches;    // given up: refused by the receiver
    uint64_t dropped_messages;  // by overflow, refusal, or at the end
    uint64_t rejected_messages; // could not be encoded (no such line protocol, value not finite)
    uint64_t queued_messages;
    size_t queued_bytes;
};

struct sink;

// 'config' is the sink's object. Starts the sender thread.
int sink_new(const struct sink_ops *ops, const char *name, const struct json_value *config,
             const char *origin, struct sink **ret, struct error *err) MUST_CHECK;
void sink_free(struct sink **sink); // without drain: what is queued is lost
const char *sink_name(const struct sink *sink);
// Checks options and rules of a sink without making it. When 'print' is not NULL the effective options are
// appended.
int sink_check(const struct sink_ops *ops, const struct json_value *config, const char *origin,
               struct buf *print, struct error *err) MUST_CHECK;

// Prepares the lines of series 'id'. 'msg' is what the router made of it (borrowed), with a field "value" of
// the series' kind; 'conversion' what the router does to the values.
void sink_declare(struct sink *sink, series_id id, const struct message *msg,
                  const struct conversion *conversion);
void sink_append(struct sink *sink, const struct batch *batch, struct wall_time time);
// The tick is complete: wakes the sender if there is something for it to do now.
void sink_flush(struct sink *sink);

// Tells the sender to send what is left, for at most timeout_ms; nothing may be appended any more.
void sink_begin_drain(struct sink *sink, int64_t timeout_ms);
// Waits for that; counts and logs what could not be delivered. SINK_HANGS: the receiver holds the sender in a call that
// has no end; the sink must not be freed, its thread goes with the process.
enum sink_end { SINK_DELIVERED_ALL, SINK_LOST_SOME, SINK_HANGS };
enum sink_end sink_finish_drain(struct sink *sink);
struct sink_stats sink_read_stats(struct sink *sink);

#endif
