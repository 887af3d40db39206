// SPDX-License-Identifier: MIT
// The thread that holds the memory cap (store_hold_cap): it is woken by the batch that comes near the cap, and looks a few times a second
// anyway. While it is there, batches wait for it above the cap rather than grow.
#ifndef STORE_CAP_WORKER_H
#define STORE_CAP_WORKER_H

#include "store/store.h"

struct cap_worker;

struct cap_worker_options {
    struct store *store;
    int64_t (*clock_s)(void); // NULL: wall clock
    // After each run that freed or wanted to. May be NULL.
    void (*report)(void *ctx, const struct store_cap_report *report);
    void *report_ctx;
};

// Without a cap there is nothing to do, and no thread.
int cap_worker_start(const struct cap_worker_options *options, struct cap_worker **ret_worker,
                     struct error *err) MUST_CHECK;
void cap_worker_stop(struct cap_worker **worker);

#endif
