// SPDX-License-Identifier: MIT
// Threads that lend a hand with one large request, and end with it.
//
// A set of helpers is a number: how many threads may help at the same time, whoever asks. When none is left, or none can be
// started, the caller does all the work. Starting one costs some tens of microseconds, so ask only for what takes longer.
// Any thread may call helpers_run.
#ifndef STORE_HELPERS_H
#define STORE_HELPERS_H

#include <stdatomic.h>
#include <stddef.h>

#define HELPERS_MAX 7 // in one call

struct helpers {
    atomic_size_t idle;
};

// One helper less than the machine has processors, at least one.
void helpers_init(struct helpers *helpers);
// Calls work(ctx, 0) here and work(ctx, k), k = 1 .. at most HELPERS_MAX, on helpers at the same time; returns when all are
// done. What they have written is visible then. The functions share out the work among them.
void helpers_run(struct helpers *helpers, void (*work)(void *ctx, size_t worker), void *ctx);

#endif
