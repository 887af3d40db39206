// SPDX-License-Identifier: MIT
// Line protocol from NATS into the engine (spec metric-store.md 8), for cc-metric-store and cc-backend. How to run it: docs/nats.md.
//
//     server ─► net/nats: a thread per subscription ─► queue of a worker ─► store_ingest .. ─► store_commit ─► acknowledge
//
// * Every message carries the cluster of its subscription (MS-45). A subject that is configured twice is subscribed once, the first
//   entry counts, and a warning tells of it.
// * Order: one worker takes all messages one after the other. Several: messages whose first line names the same host (else:
//   of the same subject) go to the same worker, so that a host's values are not overtaken.
// * A full queue makes the subscriptions wait. Plain: the client library holds messages and then drops, counted. JetStream: the
//   stream is asked for no more.
// * Workers take messages in groups. A group is committed once, and only then its JetStream messages are acknowledged: a store that
//   dies before gets them again. That changes nothing in what is stored, because a sample has its slot in time and a second copy
//   overwrites the first; only a message that comes again very late can overwrite a newer value of the same slot.
//   A commit that fails, or an engine that takes nothing: JetStream messages come again after some seconds; plain ones are offered
//   again for a while and are then lost, counted.
// * Bad lines cost themselves only; they are reported (rate-limited) and counted, and the message is done.
// * Lines without a time get that of their arrival; from JetStream, that of their arrival in the stream.
#ifndef STORE_NATS_INTAKE_H
#define STORE_NATS_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/nats.h"
#include "store/store.h"

struct nats_intake;

struct nats_intake_subscription {
    const char *subject;
    const char *cluster_tag;      // cluster of lines without that tag; NULL or "": none
    const char *stream, *durable; // JetStream: both; else NULL or ""
    bool deliver_new;             // a durable consumer that is made here begins with new messages
};

struct nats_intake_options {
    struct nats_options connection; // its 'report' also takes what the intake has to say
    const struct nats_intake_subscription *subscriptions;
    size_t subscription_count;
    int64_t workers;        // 0 or less: min(processors / 2 + 1, 10), as upstream
    size_t queue_messages;  // of all workers together; 0: max(256 workers, 8192), as upstream
    size_t queue_bytes;     // 0: 64 MiB
    int pending_messages;   // of the client library, per subscription; 0: 524288
    int pending_bytes;      // 0: 64 MiB
    int64_t retry_ms;       // how long plain messages are offered to an engine that takes nothing; 0: 30 s
    int64_t (*now_s)(void); // NULL: wall clock
    // For tests; NULL: store_ingest, store_commit.
    int (*ingest)(struct store *store, const struct store_write *write, struct store_write_result *ret);
    int (*commit)(struct store *store, const struct store_span *span, struct error *err);
};

// Connects in the background, for ever; an absent server is no error. Waits a second at most for the first attempt, so that a program that
// is ready has its subscriptions where the server is there. The store is borrowed until nats_intake_stop. ERR_INVALID:
// options that cannot work. start, stop and free come from one thread; the rest from any.
int nats_intake_start(struct store *store, const struct nats_intake_options *options,
                      struct nats_intake **ret_intake, struct error *err) MUST_CHECK;
// Ends the subscriptions, then works off all that was taken, and sends the acknowledgements (MS-47). When it returns, everything that was
// received is in the store and nothing will come any more. Statistics stay readable. NULL is accepted, and a second call.
void nats_intake_stop(struct nats_intake *intake);
void nats_intake_free(struct nats_intake **intake); // stops, if need be

struct nats_intake_stats {
    struct nats_stats connection;
    uint64_t messages, bytes;               // received
    uint64_t dropped;                       // by the client library: slow consumer
    uint64_t lost;                          // plain messages that the engine did not take in time
    uint64_t messages_with_errors;          // with lines that were refused
    uint64_t queued_messages, queued_bytes; // here, now
    uint64_t waiting;                       // in the client library, now
    uint64_t commits, failed_commits;
    uint64_t acknowledged, sent_back; // JetStream
    uint64_t failed_acknowledgements; // of both kinds: could not be sent, the message comes again
    uint64_t redelivered;             // JetStream
    uint64_t stream_pending; // JetStream: what the streams still had at the last message of each subscription
};
void nats_intake_stats(const struct nats_intake *intake, struct nats_intake_stats *ret);
// The same as OpenMetrics lines. intake NULL: nothing.
void nats_intake_metrics(const struct nats_intake *intake, struct buf *out);

#endif
