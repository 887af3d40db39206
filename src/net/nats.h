// SPDX-License-Identifier: MIT
// NATS on libnats (only the nats*.c of this folder include it): one connection that comes back for ever, plain subscriptions, durable
// JetStream consumers with explicit acknowledgement, publishing.
//
//     nats_new ─► nats_subscribe .. ─► nats_start ─► nats_stop_intake ─► (caller works off what it took) ─► nats_free
//
// Threads: one manager, which connects, connects again, counts what was lost, and one thread per subscription, which takes messages and
// calls its handler. A handler may wait: then the library holds messages up to the pending limits of the subscription and
// drops after that, counted (plain); a JetStream consumer just stops to ask for more. A handler runs on its subscription's thread
// only, one message at a time, in the order of the server; never after nats_stop_intake returned. It may call everything here
// except nats_stop_intake and nats_free.
//
// Connection: nothing is connected before nats_start, and nats_start does not wait. A refused or lost connection is tried
// again with growing pauses (250 ms to 4 s and some chance), for ever, also when the server refuses the user (MS-46);
// certificates, credentials and seeds are read again each time. Messages of plain subscriptions that are sent meanwhile are
// lost, as core NATS has it; JetStream keeps them.
//
// Functions may be called from any thread, except: new, subscribe, start, stop_intake, free come from one thread.
#ifndef NET_NATS_H
#define NET_NATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/slice.h"

struct nats;
struct nats_message;

// All texts are copied. NULL is as "".
struct nats_options {
    const char *urls;                // nats://[user:password@]host[:port] or tls://..., separated by commas
    const char *username, *password; // used only when both are given
    const char *creds_file;          // user JWT and seed
    const char *nkey_seed_file;      // seed only; not with creds_file
    const char *
        tls_ca_file; // trusted besides the system's; TLS is used when a URL says tls:// or one of these is given
    const char *tls_cert_file, *tls_key_file; // ours, both or none
    const char *name;                         // of the program, shown by the server's monitoring
    // One line for the program's log, rate-limited here; on any thread. Secrets and user info of URLs are not in it. May be NULL.
    void (*report)(void *ctx, enum log_level level, const char *text);
    void *report_ctx;
};

// ERR_INVALID: options that contradict each other, no usable URL. Files are not looked at yet.
int nats_new(const struct nats_options *options, struct nats **ret_nats, struct error *err) MUST_CHECK;

struct nats_subscription_options {
    const char *subject; // may have wildcards
    // JetStream: both, or neither for a plain subscription. The stream must exist; the durable consumer is made when it is
    // missing (explicit acknowledgement, filter 'subject'). It is never removed: a consumer that exists already with another filter,
    // or that is not pulled or not acknowledged explicitly, is reported and not used until that is put right.
    const char *stream, *durable;
    bool
        deliver_new; // a consumer that is made here begins with new messages; else with all that the stream has
    int pending_messages; // plain: what the library may hold; 0: 524288 (as upstream)
    int pending_bytes;    // 0: 64 MiB
    // Takes the message, which is to be freed some time before nats_free.
    void (*on_message)(void *ctx, struct nats_message *message);
    void *ctx;
};
// Before nats_start. ERR_INVALID: bad subject or name. *ret_index (may be NULL): for nats_subscription_stats.
int nats_subscribe(struct nats *nats, const struct nats_subscription_options *options, size_t *ret_index,
                   struct error *err) MUST_CHECK;
int nats_start(struct nats *nats, struct error *err) MUST_CHECK;
// Waits until the server has all subscriptions, or the first attempt to connect failed, or the time is over; for a program that wants to have
// them when it says that it is ready. True: the server has them.
bool nats_wait_subscribed(struct nats *nats, int64_t timeout_ms);
// Ends the subscriptions: everything the server had sent before is still handed to the handlers, within some seconds. The connection stays,
// for acknowledgements. Handlers must go on taking messages meanwhile.
void nats_stop_intake(struct nats *nats);
// Sends what is to be sent (2 s at most), closes. All messages must be freed before. Accepts a nats that was never started.
void nats_free(struct nats **nats);

// ---- messages -----------------------------------------------------------------------------------------------
struct slice nats_message_payload(const struct nats_message *message); // valid until it is freed
struct slice nats_message_subject(const struct nats_message *message);
bool nats_message_wants_ack(const struct nats_message *message); // comes from a JetStream consumer
bool nats_message_is_redelivered(
    const struct nats_message *message); // delivered before, without an acknowledgement
// When the stream took it, Unix seconds; 0: not from JetStream.
int64_t nats_message_time_s(const struct nats_message *message);
// Tell the server that the message is done, or is to come again after a while. They return before the server has it: a lost
// acknowledgement means that the message comes again. ERR_CLOSED: no connection since the start. Plain messages: nothing.
int nats_message_ack(struct nats_message *message, struct error *err) MUST_CHECK;
int nats_message_nak(struct nats_message *message, int64_t delay_ms, struct error *err) MUST_CHECK;
void nats_message_free(struct nats_message **message);
// A message as if it had come in, for tests. reply: NULL or what nats_ack_parse takes; without a connection.
struct nats_message *nats_message_make(struct nats *nats, const char *subject, const char *reply,
                                       struct slice payload);

// ---- sending ------------------------------------------------------------------------------------------------
// Returns when the library has it. While the connection is being restored up to 8 MiB are kept; ERR_LIMIT beyond that, or when
// the server does not take so large a message; ERR_CLOSED when there is no connection.
int nats_publish(struct nats *nats, const char *subject, struct slice payload, struct error *err) MUST_CHECK;
// Waits until the server has all that was published. ERR_TIMEOUT, ERR_CLOSED.
int nats_flush(struct nats *nats, int64_t timeout_ms, struct error *err) MUST_CHECK;

// ---- about itself -------------------------------------------------------------------------------------------
struct nats_stats {
    bool connected;
    uint64_t connects;        // connections that came about, the first one included
    uint64_t failed_connects; // attempts of the manager that did not
    uint64_t disconnects;
};
void nats_stats(const struct nats *nats, struct nats_stats *ret);

struct nats_subscription_stats {
    uint64_t messages, bytes; // handed to the handler
    uint64_t dropped;         // by the library: the handler was too slow (plain only)
    uint64_t waiting;         // held by the library now
    uint64_t redelivered;     // JetStream
    uint64_t stream_pending;  // JetStream: what the stream still had for us at the last message
};
void nats_subscription_stats(const struct nats *nats, size_t index, struct nats_subscription_stats *ret);

#endif
