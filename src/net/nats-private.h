// SPDX-License-Identifier: MIT
// What nats.c (connection) and nats-subscription.c (threads that take messages) share.
#ifndef NET_NATS_PRIVATE_H
#define NET_NATS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <nats/nats.h>

#include "base/clock.h"
#include "net/nats.h"

struct nats_subscription {
    struct nats *nats;
    char *subject, *stream, *durable; // stream: NULL for a plain one
    struct nats_subscription_options options;
    pthread_t thread; // runs while there is a connection
    pthread_mutex_t lock;
    natsSubscription *live;  // under lock: of the present connection, or NULL
    uint64_t dropped_before; // under lock: of earlier connections
    uint64_t dropped_told;   // the manager's
    struct log_limit report_limit;
    _Atomic uint64_t messages, bytes, redelivered, stream_pending;
};

struct nats {
    struct nats_options options; // own copies of the texts
    struct nats_subscription **subscriptions;
    size_t subscription_count;
    pthread_t manager;
    bool started;

    // The connection; the manager sets it. Users hold the lock for reading as long as they use it.
    pthread_rwlock_t conn_lock;
    natsConnection *conn;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;       // under lock: subscriptions are to end
    bool intake_stopped; // under lock: they have
    bool ending;         // under lock: the manager is to end
    bool closed;         // under lock: the library gave the connection up
    size_t subscribed;   // under lock: subscriptions of this connection that the server has

    struct log_limit connect_limit, error_limit, dropped_limit;
    _Atomic bool connected, closing; // closing: by us
    _Atomic uint64_t connects, failed_connects, disconnects;
};

struct nats_message {
    struct nats *nats;
    natsMsg *msg;
    bool wants_ack, is_redelivered;
    int64_t time_s;
};

// nats.c
void nats_report(struct nats *nats, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool nats_is_stopping(struct nats *nats);
// True when subscriptions cannot go on: the connection was given up.
bool nats_is_closed(struct nats *nats);
// Sleeps unless the subscriptions are to end.
void nats_pause(struct nats *nats, int64_t ms);
const char *nats_last_error(natsStatus status);

// Called once by the thread of a subscription that is complete.
void nats_note_subscribed(struct nats *nats, natsConnection *conn);

// nats-subscription.c
void nats_subscription_start(struct nats_subscription *sub, natsConnection *conn);
void nats_subscription_join(struct nats_subscription *sub);
void nats_subscription_free(struct nats_subscription **sub);
uint64_t nats_subscription_dropped(struct nats_subscription *sub);

#endif
