// SPDX-License-Identifier: MIT
// Sends a plan's lines over HTTP: some connections, each with its own thread and its own nodes, one POST per
// node and time. A failed POST is tried again twice; what is lost then is counted.
#ifndef TOOLS_LOAD_SEND_H
#define TOOLS_LOAD_SEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/load-plan.h"

struct load_sender;

struct load_send_options {
    const char *url;   // base, without /api/write
    const char *token; // "": none
    int64_t connections;
    bool shuffle;
};

struct load_sent {
    struct load_counts counts; // of bodies that were answered 200
    uint64_t requests, retries;
    uint64_t failed_requests, failed_samples;
    struct error first_failure; // code ERR_NONE: none
};

// plan and options are borrowed. http_client_global_init must have run.
struct load_sender *load_sender_new(const struct load_plan *plan, const struct load_send_options *options);
void load_sender_free(struct load_sender **sender);
// Sends all times from, from + interval, ... < to for all nodes; returns when all are answered or given up.
// Ends early once *stop becomes true.
int load_send(struct load_sender *sender, int64_t from, int64_t to, const atomic_bool *stop,
              struct error *err) MUST_CHECK;
void load_sender_sum(const struct load_sender *sender, struct load_sent *ret);

#endif
