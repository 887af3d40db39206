// SPDX-License-Identifier: MIT
// Sources that work, fail and hang, made for the test. Ticks are given by the test; the only waiting is for threads.
#include "collector/scheduler.h"

#include <pthread.h>

#include "collector/testing.h"

static const struct setting no_settings[] = {{0}};

// What the made-up sources do and have done; one scheduler at a time uses it.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int good_reads, hanging, init_calls;
    bool hang, init_fails, read_fails;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int any_init(const void *options, const struct source_env *env, const struct reading *first,
                    void **state, struct error *err)
{
    (void)options, (void)env;
    assert_null(first->batch);
    pthread_mutex_lock(&world.lock);
    world.init_calls++;
    bool fails = world.init_fails;
    pthread_mutex_unlock(&world.lock);
    if (fails)
        return error_set(err, ERR_NOT_FOUND, "on request");
    *state = &world;
    return 0;
}

static int good_read(void *state, const struct reading *reading, struct error *err)
{
    (void)state;
    pthread_mutex_lock(&world.lock);
    bool fails = world.read_fails;
    world.good_reads += !fails;
    pthread_mutex_unlock(&world.lock);
    assert_non_null(reading->batch);
    return fails ? error_set(err, ERR_IO, "on request") : 0;
}

static int hanging_read(void *state, const struct reading *reading, struct error *err)
{
    (void)state, (void)reading, (void)err;
    pthread_mutex_lock(&world.lock);
    world.hanging++;
    while (world.hang)
        pthread_cond_wait(&world.changed, &world.lock);
    world.hanging--;
    pthread_mutex_unlock(&world.lock);
    return 0;
}

static void any_close(void *state)
{
    (void)state;
}

static const struct source_ops good_ops = {.key = "good",
                                           .settings = no_settings,
                                           .options_size = 1,
                                           .init = any_init,
                                           .read = good_read,
                                           .close = any_close};
static const struct source_ops hanging_ops = {.key = "hanging",
                                              .settings = no_settings,
                                              .options_size = 1,
                                              .init = any_init,
                                              .read = hanging_read,
                                              .close = any_close};

struct fixture {
    struct router *router;
    struct scheduler *scheduler;
};

static void fixture_init(struct fixture *f, const struct source_ops *first, const struct source_ops *second)
{
    struct arena *arena = arena_new(1 << 20);
    struct json_doc *doc = testing_json("{}");
    struct router_settings settings;
    assert_int_equal(router_read_settings(json_root(doc), "test", arena, &settings, NULL), 0);
    assert_int_equal(router_new(&settings, "n1", NULL, 0, &f->router, NULL), 0);
    json_doc_free(&doc);
    arena_free(&arena);
    const struct scheduler_options options = {
        .root = "", .router = f->router, .interval_ns = 100 * NS_PER_MS, .no_timer = true};
    assert_int_equal(scheduler_new(&options, &f->scheduler, NULL), 0);
    assert_int_equal(scheduler_add(f->scheduler, first, NULL, "test", NULL), 0);
    if (second)
        assert_int_equal(scheduler_add(f->scheduler, second, NULL, "test", NULL), 0);
    world.good_reads = world.init_calls = 0;
    world.hang = world.init_fails = world.read_fails = false;
}

static void fixture_release(struct fixture *f)
{
    assert_true(scheduler_wait(f->scheduler, 20000));
    assert_true(scheduler_stop(f->scheduler));
    scheduler_free(&f->scheduler);
    router_free(&f->router);
}

static void tick(struct fixture *f)
{
    scheduler_tick(f->scheduler, wall_from_seconds(1), 0);
}

static void start(struct fixture *f)
{
    assert_int_equal(scheduler_start(f->scheduler, NULL), 0);
    assert_true(scheduler_wait(f->scheduler, 20000));
}

static struct agent_stats stats_of(struct fixture *f)
{
    struct agent_stats stats = {0};
    scheduler_read_stats(f->scheduler, &stats);
    return stats;
}

static void test_one_read_per_tick(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &good_ops, NULL);
    start(&f);
    assert_int_equal(world.init_calls, 1);
    assert_int_equal(world.good_reads, 0); // nothing before the first tick
    for (int i = 1; i <= 3; i++) {
        tick(&f);
        assert_true(scheduler_wait(f.scheduler, 20000));
        assert_int_equal(world.good_reads, i);
    }
    scheduler_tick(f.scheduler, wall_from_seconds(1), 4);
    assert_int_equal(stats_of(&f).ticks, 8);
    assert_int_equal(stats_of(&f).skipped_ticks, 4);
    fixture_release(&f);
}

// The wall clock may go anywhere between two ticks: no read is left out, none comes twice (rates use monotonic time).
static void test_clock_jumps_change_nothing(void **state)
{
    (void)state;
    static const int64_t seconds[] = {1700000000, 10, 4000000000, 1700000010, 1700000010};
    struct fixture f;
    fixture_init(&f, &good_ops, NULL);
    start(&f);
    for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
        scheduler_tick(f.scheduler, wall_from_seconds(seconds[i]), 0);
        assert_true(scheduler_wait(f.scheduler, 20000));
        assert_int_equal(world.good_reads, i + 1);
    }
    assert_int_equal(stats_of(&f).ticks, ARRAY_LEN(seconds));
    assert_int_equal(stats_of(&f).skipped_ticks, 0);
    fixture_release(&f);
}

static void set_hang(bool hang)
{
    pthread_mutex_lock(&world.lock);
    world.hang = hang;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

// collector.md 1.5 and 9: a source that hangs for three intervals does not keep the others from their schedule.
static void test_a_hanging_source_stops_nobody_else(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &hanging_ops, &good_ops);
    start(&f);
    set_hang(true);
    for (int i = 1; i <= 3; i++) {
        tick(&f);
        assert_true(scheduler_wait(f.scheduler, 20000)); // the run goes on without it
        assert_int_equal(world.good_reads, i);
    }
    assert_int_equal(world.hanging, 1);
    assert_int_equal(stats_of(&f).skipped_reads, 2);
    assert_int_equal(stats_of(&f).skipped_ticks, 0);
    set_hang(false);
    while (true) { // it takes part again once it has returned
        uint64_t before = stats_of(&f).skipped_reads;
        tick(&f);
        assert_true(scheduler_wait(f.scheduler, 20000));
        if (stats_of(&f).skipped_reads == before)
            break;
    }
    fixture_release(&f);
}

static void test_stop_while_a_source_hangs(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &hanging_ops, NULL);
    start(&f);
    set_hang(true);
    tick(&f);
    assert_true(scheduler_wait(f.scheduler, 20000));
    assert_false(scheduler_stop(f.scheduler)); // its thread may still use everything
    set_hang(false);
    while (!scheduler_stop(f.scheduler))
        clock_sleep_ns(NS_PER_MS);
    scheduler_free(&f.scheduler);
    router_free(&f.router);
}

static void test_failing_init_is_tried_again_later(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &good_ops, NULL);
    world.init_fails = true;
    start(&f);
    for (int i = 0; i < 5; i++) {
        tick(&f);
        assert_true(scheduler_wait(f.scheduler, 20000));
    }
    assert_int_equal(world.init_calls, 1); // not at each tick
    world.init_fails = false;
    for (int i = 0; i < 2; i++) {
        tick(&f);
        assert_true(scheduler_wait(f.scheduler, 20000));
    }
    assert_int_equal(world.init_calls, 2);
    assert_int_equal(world.good_reads, 1);
    fixture_release(&f);
}

static void test_failed_reads_are_counted(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &good_ops, NULL);
    start(&f);
    world.read_fails = true;
    for (int i = 0; i < 3; i++) {
        tick(&f);
        assert_true(scheduler_wait(f.scheduler, 20000));
    }
    assert_int_equal(stats_of(&f).failed_reads, 3);
    fixture_release(&f);
}

static void test_options_are_strict(void **state)
{
    (void)state;
    struct fixture f;
    struct error err = ERROR_INIT;
    static const char *const bad[] = {"{'x': 1}", "[]", "'x'"};
    fixture_init(&f, &good_ops, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json_doc *doc = testing_json(bad[i]);
        assert_int_equal(scheduler_add(f.scheduler, &good_ops, json_root(doc), "test", &err), ERR_INVALID);
        json_doc_free(&doc);
    }
    start(&f);
    fixture_release(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_read_per_tick),
        cmocka_unit_test(test_clock_jumps_change_nothing),
        cmocka_unit_test(test_a_hanging_source_stops_nobody_else),
        cmocka_unit_test(test_stop_while_a_source_hangs),
        cmocka_unit_test(test_failing_init_is_tried_again_later),
        cmocka_unit_test(test_failed_reads_are_counted),
        cmocka_unit_test(test_options_are_strict),
    };
    return TEST_MAIN(argc, argv, tests);
}
