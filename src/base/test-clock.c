// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <errno.h>

#include "base/macros.h"
#include "base/testing.h"

static void test_seconds_round_down(void **state)
{
    static const struct {
        int64_t ns, s;
    } cases[] = {{0, 0},   {1, 0},          {NS_PER_S, 1},      {NS_PER_S - 1, 0},
                 {-1, -1}, {-NS_PER_S, -1}, {-NS_PER_S - 1, -2}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t s = wall_seconds((struct wall_time){.ns = cases[i].ns});

        EXPECT(s == cases[i].s, "%lld ns: got %lld, not %lld", (long long)cases[i].ns, (long long)s,
               (long long)cases[i].s);
    }
    assert_int_equal(wall_from_seconds(-7).ns, -7 * NS_PER_S);
}

static void test_monotonic_time_goes_on(void **state)
{
    struct mono_time start = clock_mono();
    (void)state;

    clock_sleep_ns(-5);
    clock_sleep_ns(2 * NS_PER_MS);
    assert_true(mono_diff_ns(clock_mono(), start) >= 2 * NS_PER_MS);
    assert_true(clock_wall().ns > INT64_C(1600000000) * NS_PER_S);
}

static void test_condition_waits_by_the_monotonic_clock(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    struct mono_time until = mono_after(clock_mono(), 2 * NS_PER_MS);
    (void)state;

    clock_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    while (clock_cond_wait(&cond, &mutex, until) == 0) // may return for no reason
        ;
    assert_true(mono_diff_ns(clock_mono(), until) >= 0);
    assert_int_equal(clock_cond_wait(&cond, &mutex, (struct mono_time){.ns = 0}), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void test_rfc3339(void **state)
{
    static const struct {
        int64_t s;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1136214245, "2006-01-02T15:04:05Z"},
        {1709164800, "2024-02-29T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {INT64_MAX, ""}, // no such year
    };
    char text[32];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(strcmp(clock_format_rfc3339(cases[i].s, text, sizeof(text)), cases[i].text) == 0,
               "%lld: got '%s', not '%s'", (long long)cases[i].s, text, cases[i].text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds_round_down),
        cmocka_unit_test(test_monotonic_time_goes_on),
        cmocka_unit_test(test_condition_waits_by_the_monotonic_clock),
        cmocka_unit_test(test_rfc3339),
    };

    return TEST_MAIN(argc, argv, tests);
}
