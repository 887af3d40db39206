// SPDX-License-Identifier: MIT
// The intake without a connection, for tests.
#ifndef STORE_NATS_INTAKE_PRIVATE_H
#define STORE_NATS_INTAKE_PRIVATE_H

#include "store/nats-intake.h"

// As nats_intake_start, but does not connect.
int nats_intake_new(struct store *store, const struct nats_intake_options *options,
                    struct nats_intake **ret_intake, struct error *err) MUST_CHECK;
struct nats *nats_intake_connection(struct nats_intake *intake);
size_t nats_intake_subscription_count(const struct nats_intake *intake);
// Hands in a message as the subscription does; waits while the queue is full.
void nats_intake_take(struct nats_intake *intake, size_t subscription, struct nats_message *message);
// Number of the worker that gets a message with this text.
size_t nats_intake_route(const struct nats_intake *intake, struct slice subject, struct slice payload);

#endif
