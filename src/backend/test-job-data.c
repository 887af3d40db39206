// SPDX-License-Identifier: MIT
#include "backend/job-data.h"

#include <math.h>

#include "base/testing.h"

static struct job_series *fill(struct job_metric *m, struct arena *arena, size_t series, const double *values,
                               size_t count)
{
    m->series = ARENA_ARRAY(arena, struct job_series, series);
    m->series_count = series;
    for (size_t i = 0; i < series; i++)
        m->series[i] = (struct job_series){.hostname = slice_from_cstr(arena_printf(arena, "h%zu", i)),
                                           .id = SLICE_EMPTY,
                                           .data = values,
                                           .count = count,
                                           .has_values = true};
    return m->series;
}

static void assert_encodes(const struct job_data *data, const char *wanted)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    job_data_encode(data, &out);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_release(&out);
}

// Recorded: archive-number-format. Single precision first, then two decimals, exact halves to even; statistics in
// double precision, halves away from zero.
static void test_number_format(void **state)
{
    static const double values[] = {0,     0.005,         0.125,  1.005,   1000000.07, 16777217, -1.5,
                                    0.001, 123456789.123, 99.995, 3.14159, NAN,        INFINITY, 1e300};
    struct arena *arena = arena_new(1 << 20);
    struct job_data data;
    (void)state;
    job_data_init(&data, arena);
    struct job_metric *m = job_data_add(&data, SLICE_LITERAL("load"), SCOPE_NODE);
    m->timestep_s = 60;
    m->unit.base = "load";
    struct job_series *s = fill(m, arena, 1, values, ARRAY_LEN(values));
    s->min = 1.125;
    s->avg = -1.125;
    s->max = 1.005;
    job_data_finish(&data, 8);
    assert_encodes(&data,
                   "{\"load\":{\"node\":{\"unit\":{\"base\":\"load\"},\"series\":[{\"hostname\":\"h0\","
                   "\"statistics\":{\"min\":1.13,\"avg\":-1.13,\"max\":1.00},\"data\":[0.00,0.00,0.12,1.00,"
                   "1000000.06,16777216.00,-1.50,0.00,123456792.00,100.00,3.14,null,null,null]}],"
                   "\"timestep\":60}}}");
    arena_free(&arena);
}

static void test_order_and_escapes(void **state)
{
    static const double values[] = {1};
    struct arena *arena = arena_new(1 << 20);
    struct job_data data;
    (void)state;
    job_data_init(&data, arena);
    fill(job_data_add(&data, SLICE_LITERAL("b"), SCOPE_NODE), arena, 0, values, 1);
    fill(job_data_add(&data, SLICE_LITERAL("a"), SCOPE_NODE), arena, 0, values, 1);
    struct job_metric *m = job_data_add(&data, SLICE_LITERAL("a"), SCOPE_CORE);
    m->unit = (struct unit){.base = "B/s", .prefix = "G"};
    struct job_series *s = fill(m, arena, 1, values, 1);
    s->hostname = SLICE_LITERAL("<\"\n>");
    s->id = SLICE_LITERAL("3");
    job_data_sort(&data);
    assert_encodes(
        &data, "{\"a\":{\"core\":{\"unit\":{\"base\":\"B/s\",\"prefix\":\"G\"},\"series\":[{\"hostname\":"
               "\"\\u003c\\\"\\n\\u003e\",\"id\":\"3\",\"statistics\":{\"min\":0.00,\"avg\":0.00,\"max\":"
               "0.00},\"data\":[1.00]}],\"timestep\":0},\"node\":{\"unit\":{\"base\":\"\"},\"series\":[],"
               "\"timestep\":0}},\"b\":{\"node\":{\"unit\":{\"base\":\"\"},\"series\":[],\"timestep\":0}}}");
    data.count = 0;
    assert_encodes(&data, "{}");
    arena_free(&arena);
}

// Gaps are left out of the median (upstream counts them as 0); fewer than three values give none; behind the shortest
// series there is nothing to compare.
static void test_bands(void **state)
{
    static const double rows[4][4] = {{1, 5, NAN, 9}, {2, 6, NAN, 9}, {3, NAN, 3, 9}, {10, 7, 4, 0}};
    static const double wanted[3][4] = {{1, 5, NAN, NAN}, {2.5, 6, NAN, NAN}, {10, 7, NAN, NAN}};
    struct arena *arena = arena_new(1 << 20);
    struct job_data data;
    (void)state;
    job_data_init(&data, arena);
    struct job_metric *m = job_data_add(&data, SLICE_LITERAL("m"), SCOPE_NODE);
    fill(m, arena, 4, rows[0], 4);
    for (size_t i = 0; i < 4; i++)
        m->series[i].data = rows[i];
    m->series[3].count = 3;
    job_data_finish(&data, 4);
    assert_int_equal(4, m->band_count);
    assert_null(m->bands[0].data); // mean
    for (size_t b = 0; b < 3; b++) {
        static const size_t order[] = {2, 1, 3}; // min, median, max
        const struct job_band *band = &m->bands[order[b]];
        for (size_t t = 0; t < 4; t++)
            EXPECT(band->data[t] == wanted[b][t] || (isnan(band->data[t]) && isnan(wanted[b][t])),
                   "%.*s[%zu]: got %g, expected %g", SLICE_FMT(band->name), t, band->data[t], wanted[b][t]);
    }
    arena_free(&arena);
}

// Vectors of spec backend.md 3.4.2; a metric whose step does not divide the new one keeps its own.
static void test_resample(void **state)
{
    static const double y[] = {1, 2, 10, 3, 4, 4, 9, 1, 2, 5, 6, 7};
    static const double wanted[] = {1, 10, 3, 9, 2, 7};
    struct arena *arena = arena_new(1 << 20);
    struct job_data data;
    struct error err = ERROR_INIT;
    (void)state;
    job_data_init(&data, arena);
    job_data_add(&data, SLICE_LITERAL("odd"), SCOPE_NODE)->timestep_s = 50;
    struct job_metric *m = job_data_add(&data, SLICE_LITERAL("m"), SCOPE_NODE);
    m->timestep_s = 60;
    fill(m, arena, 4, y, ARRAY_LEN(y));
    fill(&data.metrics[0], arena, 1, y, ARRAY_LEN(y));
    job_data_finish(&data, 4);
    assert_int_equal(0, job_data_resample(&data, 120, 4, &err));
    assert_int_equal(120, m->timestep_s);
    assert_int_equal(ARRAY_LEN(wanted), m->series[0].count);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        EXPECT(m->series[0].data[i] == wanted[i], "[%zu]: got %g, expected %g", i, m->series[0].data[i],
               wanted[i]);
    assert_int_equal(ARRAY_LEN(wanted), m->bands[1].count); // bands follow
    assert_int_equal(50, data.metrics[0].timestep_s);
    assert_int_equal(ARRAY_LEN(y), data.metrics[0].series[0].count);
    arena_free(&arena);
}

static void test_round2(void **state)
{
    static const struct {
        double in, out;
    } cases[] = {{1.85, 1.85},  {5.55 / 3, 1.85}, {1.124790, 1.12},
                 {2.675, 2.68}, {-1.125, -1.13},  {1e300, 1e300},
                 {0, 0}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(fabs(job_round2(cases[i].in) - cases[i].out) < 1e-9 * fabs(cases[i].out) + 1e-12,
               "%g: got %g, expected %g", cases[i].in, job_round2(cases[i].in), cases[i].out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_number_format),
                                       cmocka_unit_test(test_order_and_escapes), cmocka_unit_test(test_bands),
                                       cmocka_unit_test(test_resample), cmocka_unit_test(test_round2)};
    return TEST_MAIN(argc, argv, tests);
}
