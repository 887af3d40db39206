// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/helpers.h"

#define ITEMS 1000

struct count {
    struct helpers *helpers; // not NULL: each worker asks for helpers itself
    atomic_size_t next, workers;
    unsigned done[ITEMS];
};

static void count_items(void *ctx, size_t worker)
{
    struct count *c = ctx;
    atomic_fetch_add(&c->workers, 1);
    assert_true(worker <= HELPERS_MAX);
    for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < ITEMS;)
        c->done[i]++;
}

static void count_inside(void *ctx, size_t worker)
{
    struct count *outer = ctx;
    struct count inner = {.next = 0};
    (void)worker;
    helpers_run(outer->helpers, count_items, &inner);
    atomic_fetch_add(&outer->workers, atomic_load(&inner.workers));
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(inner.done[i], 1);
}

static void test_all_is_done_once(void **state)
{
    (void)state;
    static const size_t idle[] = {0, 1, 3, 100};
    for (size_t k = 0; k < sizeof(idle) / sizeof(idle[0]); k++) {
        struct helpers helpers = {.idle = idle[k]};
        struct count c = {.next = 0};
        size_t most = 1 + (idle[k] < HELPERS_MAX ? idle[k] : HELPERS_MAX);
        helpers_run(&helpers, count_items, &c);
        for (size_t i = 0; i < ITEMS; i++) {
            if (c.done[i] != 1)
                fail_msg("%zu idle: item %zu was done %u times", idle[k], i, c.done[i]);
        }
        if (c.workers != most || helpers.idle != idle[k])
            fail_msg("%zu idle: %zu workers, %zu idle afterwards", idle[k], (size_t)c.workers,
                     (size_t)helpers.idle);
    }
}

static void test_calls_share_the_helpers(void **state)
{
    (void)state;
    struct helpers helpers = {.idle = 3};
    struct count outer = {.helpers = &helpers};
    helpers_run(&helpers, count_inside, &outer);
    assert_true(outer.workers >= 1); // how many, depends on who asks first
    assert_int_equal(helpers.idle, 3);
}

static void test_at_least_one(void **state)
{
    (void)state;
    struct helpers helpers;
    helpers_init(&helpers);
    assert_true(helpers.idle >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_done_once),
        cmocka_unit_test(test_calls_share_the_helpers),
        cmocka_unit_test(test_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
