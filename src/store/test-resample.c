// SPDX-License-Identifier: MIT
// Vectors of metric-store.md 5.4 and the cases of upstream's library tests (11.4). Picks are compared as a checksum where
// the list is long: positions are recovered from distinct values.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/resample.h"
#include "store/store.h"

#define POINTS 1000

static double vector_value(size_t i)
{
    return (double)((i * 7919) % 1009) / 10;
}

static void make_vector(double *data)
{
    for (size_t i = 0; i < POINTS; i++)
        data[i] = vector_value(i);
}

static size_t resample(const double *data, size_t count, int64_t old_step, int64_t new_step, size_t minimum,
                       double *out, int64_t *ret_step)
{
    size_t out_count;
    struct error err = ERROR_INIT;
    if (store_resample(data, count, old_step, new_step, minimum, out, &out_count, ret_step, &err))
        fail_msg("%lld -> %lld: %s", (long long)old_step, (long long)new_step, err.text);
    return out_count;
}

static void test_vector_picks(void **state)
{
    (void)state;
    static const struct {
        int64_t step;
        size_t count, listed, picks[100];
        double sum; // 0: not given
    } cases[] = {
        {6000, 10, 10, {0, 7, 145, 277, 389, 521, 633, 765, 877, 999}, 0},
        {600,
         100,
         100,
         {0,   1,   13,  21,  32,  41,  52,  66,  72,  86,  92,  106, 118, 126, 138, 146, 158, 165, 178, 185,
          197, 205, 217, 231, 237, 245, 257, 265, 276, 291, 296, 310, 316, 330, 342, 350, 362, 370, 382, 390,
          402, 409, 422, 429, 441, 449, 461, 475, 481, 489, 501, 515, 520, 535, 540, 554, 567, 574, 586, 594,
          606, 614, 626, 634, 646, 653, 666, 673, 685, 693, 705, 713, 725, 739, 745, 759, 764, 779, 791, 798,
          811, 818, 830, 838, 850, 858, 870, 878, 890, 897, 910, 917, 929, 937, 949, 963, 969, 983, 989, 999},
         4995.9},
        {120, 500, 20, {0, 1, 4, 6, 7, 9, 12, 14, 15, 18, 20, 22, 24, 26, 27, 30, 32, 33, 35, 38}, 27290.3},
        {18000, 3, 3, {0, 998, 999}, 0},
        {30000, 2, 2, {0, 999}, 0},
        {60000, 2, 2, {0, 999}, 0},
    };
    double data[POINTS], out[POINTS];
    make_vector(data);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        int64_t step;
        double sum = 0;
        size_t count = resample(data, POINTS, 60, cases[c].step, 1000, out, &step);
        if (count != cases[c].count || step != cases[c].step)
            fail_msg("step %lld: %zu values of step %lld", (long long)cases[c].step, count, (long long)step);
        for (size_t i = 0; i < cases[c].listed; i++) {
            if (out[i] != vector_value(cases[c].picks[i]))
                fail_msg("step %lld: pick %zu is %g, wanted %g", (long long)cases[c].step, i, out[i],
                         vector_value(cases[c].picks[i]));
        }
        for (size_t i = 0; i < count; i++)
            sum += out[i];
        if (cases[c].sum != 0 && fabs(sum - cases[c].sum) > 1e-6)
            fail_msg("step %lld: sum of the picks %.3f, wanted %.3f", (long long)cases[c].step, sum,
                     cases[c].sum);
    }
}

static void test_vector_with_gaps(void **state)
{
    (void)state;
    static const size_t picks[] = {0,  1,   13,  30,  37,  50,  53,  65,  73,  85,
                                   99, 105, 113, 125, 133, 145, 153, 164, 179, 184};
    double data[POINTS], out[POINTS];
    int64_t step;
    size_t gaps = 0;
    make_vector(data);
    data[37] = data[500] = NAN;
    size_t count = resample(data, POINTS, 60, 600, 1000, out, &step);
    assert_int_equal(count, 100);
    for (size_t i = 0; i < sizeof(picks) / sizeof(picks[0]); i++) {
        if (isnan(data[picks[i]]) ? !isnan(out[i]) : out[i] != data[picks[i]])
            fail_msg("pick %zu is %g, wanted %g", i, out[i], data[picks[i]]);
    }
    static const size_t last[] = {970, 982, 990, 999};
    for (size_t i = 0; i < 4; i++)
        assert_true(out[count - 4 + i] == data[last[i]]);
    for (size_t i = 0; i < count; i++)
        gaps += isnan(out[i]) != 0;
    assert_int_equal(gaps, 2); // both are picked
}

static void test_unchanged(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t count;
        int64_t old_step, new_step;
        size_t minimum;
        int64_t want_step;
    } cases[] = {
        {"no bucket", POINTS, 60, 90000, 1000, 60},
        {"finer", 200, 2, 1, 100, 2},
        {"no old step", 200, 0, 2, 100, 0},
        {"no new step", 200, 1, 0, 100, 1},
        {"too few", 50, 1, 2, 100, 1},
        {"same", 200, 2, 2, 100, 2},
        {"one below", 999, 60, 600, 1000, 60},
        {"nothing", 0, 60, 600, 1, 60},
        {"one point", 1, 60, 120, 1, 60},
    };
    double data[POINTS], out[POINTS];
    make_vector(data);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        int64_t step;
        size_t count = resample(data, cases[c].count, cases[c].old_step, cases[c].new_step, cases[c].minimum,
                                out, &step);
        if (count != cases[c].count || step != cases[c].want_step ||
            memcmp(out, data, count * sizeof(*out)) != 0)
            fail_msg("%s: %zu values of step %lld", cases[c].what, count, (long long)step);
    }
}

static void test_no_multiple(void **state)
{
    (void)state;
    static const int64_t steps[] = {61, 90};
    double data[POINTS], out[POINTS];
    make_vector(data);
    for (size_t i = 0; i < 2; i++) {
        struct error err = ERROR_INIT;
        size_t count;
        int64_t step;
        char want[128];
        snprintf(want, sizeof(want), "new sampling frequency (%lld) must be a multiple of old frequency (60)",
                 (long long)steps[i]);
        assert_int_equal(store_resample(data, POINTS, 60, steps[i], 1000, out, &count, &step, &err),
                         ERR_INVALID);
        assert_string_equal(err.text, want);
    }
}

static void test_sizes_of_library_cases(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t count;
        int64_t new_step;
    } cases[] = {{"200 linear", 200, 2},
                 {"500 sine", 500, 5},
                 {"1000 linear", 1000, 10},
                 {"200, every 20th missing", 200, 2}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        double data[POINTS], out[POINTS];
        int64_t step;
        for (size_t i = 0; i < cases[c].count; i++)
            data[i] = cases[c].new_step == 5              ? sin((double)i * 2 * 3.14159265358979 / 50)
                      : c == 3 && i % 20 == 19 && i < 199 ? NAN
                                                          : (double)i;
        size_t count = resample(data, cases[c].count, 1, cases[c].new_step, 100, out, &step);
        if (count != 100 || step != cases[c].new_step || out[0] != data[0] ||
            out[99] != data[cases[c].count - 1])
            fail_msg("%s: %zu points of step %lld", cases[c].what, count, (long long)step);
    }
}

// The definition, step by step; resample_pick must agree bit for bit.
static void pick_plainly(const double *d, size_t n, size_t m, double *out)
{
    double w = m > 2 ? (double)(n - 2) / (double)(m - 2) : 0;
    size_t p = 0, lo = 1, mid = (size_t)floor(w) + 1, o = 0;
    out[o++] = d[0];
    for (size_t i = 0; i + 3 <= m; i++) {
        size_t hi = (size_t)floor((double)(i + 2) * w) + 1;
        if (hi >= n - 1)
            hi = n - 2;
        double sx = 0, sy = 0;
        for (size_t k = mid; k <= hi; k++) {
            sx += (double)k;
            sy += d[k];
        }
        double count = (double)hi - (double)mid + 1, ax = mid > hi ? NAN : sx / count,
               ay = mid > hi ? NAN : sy / count;
        double best = -1;
        size_t q = 0;
        for (size_t k = lo; k < mid; k++) {
            double a = fabs((((double)p - (double)k) * (ay - d[p]) - ((double)p - ax) * (d[k] - d[p])) * 0.5);
            if (a > best || isnan(a)) {
                best = a;
                q = k;
            }
        }
        out[o++] = d[q];
        p = q;
        lo = mid;
        mid = hi;
    }
    out[o++] = d[n - 1];
}

static void test_agrees_with_the_definition(void **state)
{
    (void)state;
    uint64_t random = 20231114;
    for (size_t round = 0; round < 400; round++) {
        double data[POINTS], want[POINTS], out[POINTS];
        size_t n = 4 + round * 2, m = 2 + round * 37 % (n / 2);
        for (size_t i = 0; i < n; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            uint64_t r = random >> 33;
            data[i] = round % 3 == 1 && r % 50 == 0 ? NAN
                      : round % 5 == 2              ? (double)(r % 3)
                      : round % 5 == 3              ? (double)(i % 7 == 3) // equal areas
                                                    : (double)(r % 100000) / 1000;
        }
        pick_plainly(data, n, m, want);
        resample_pick(data, n, m, out);
        for (size_t i = 0; i < m; i++) {
            if (isnan(want[i]) ? !isnan(out[i]) : out[i] != want[i])
                fail_msg("round %zu, %zu -> %zu: pick %zu is %.17g, wanted %.17g", round, n, m, i, out[i],
                         want[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_picks),
        cmocka_unit_test(test_vector_with_gaps),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_no_multiple),
        cmocka_unit_test(test_sizes_of_library_cases),
        cmocka_unit_test(test_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
