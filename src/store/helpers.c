// SPDX-License-Identifier: MIT
#include "store/helpers.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/macros.h"

struct helper {
    pthread_t thread;
    void (*work)(void *ctx, size_t worker);
    void *ctx;
    size_t worker;
};

void helpers_init(struct helpers *helpers)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    atomic_init(&helpers->idle, processors > 2 ? (size_t)processors - 1 : 1);
}

// Relaxed: the number guards no memory.
static bool take_one(struct helpers *helpers)
{
    size_t idle = atomic_load_explicit(&helpers->idle, memory_order_relaxed);
    while (idle > 0) {
        if (atomic_compare_exchange_weak_explicit(&helpers->idle, &idle, idle - 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

static void give_back(struct helpers *helpers, size_t count)
{
    atomic_fetch_add_explicit(&helpers->idle, count, memory_order_relaxed);
}

static void *run_helper(void *arg)
{
    const struct helper *helper = arg;
    helper->work(helper->ctx, helper->worker);
    return NULL;
}

void helpers_run(struct helpers *helpers, void (*work)(void *ctx, size_t worker), void *ctx)
{
    struct helper started[HELPERS_MAX];
    size_t count = 0;
    while (count < HELPERS_MAX && take_one(helpers)) {
        struct helper *helper = &started[count];
        *helper = (struct helper){.work = work, .ctx = ctx, .worker = count + 1};
        if (pthread_create(&helper->thread, NULL, run_helper, helper) != 0) {
            give_back(helpers, 1);
            break;
        }
        count++;
    }
    work(ctx, 0);
    for (size_t i = 0; i < count; i++)
        ASSERT(pthread_join(started[i].thread, NULL) == 0);
    give_back(helpers, count);
}
