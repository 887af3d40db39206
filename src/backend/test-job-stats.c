// SPDX-License-Identifier: MIT
#include "backend/job-stats.h"

#include "base/testing.h"

struct fixture {
    struct arena *arena;
    struct job_data data;
    struct job job;
    struct metric_config metrics[3];
    const char *footprint[2], *energy[2];
    struct subcluster sub;
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.arena = arena_new(1 << 20), .job = {.num_nodes = 3, .duration_s = 4321}};
    job_data_init(&f->data, f->arena);
    f->metrics[0] =
        (struct metric_config){.name = "power", .unit = {"W", ""}, .energy = "power", .footprint = "max"};
    f->metrics[1] =
        (struct metric_config){.name = "joules", .unit = {"J", ""}, .energy = "energy", .footprint = ""};
    f->metrics[2] =
        (struct metric_config){.name = "load", .unit = {"", ""}, .energy = "", .footprint = "min"};
    f->footprint[0] = "power";
    f->footprint[1] = "load";
    f->energy[0] = "power";
    f->energy[1] = "joules";
    f->sub = (struct subcluster){.name = "s",
                                 .metrics = f->metrics,
                                 .metric_count = 3,
                                 .footprint = f->footprint,
                                 .footprint_count = 2,
                                 .energy_footprint = f->energy,
                                 .energy_footprint_count = 2};
}

static void add_series(struct fixture *f, const char *metric, const double (*stats)[3], const bool *known,
                       size_t count)
{
    struct job_metric *m = job_data_add(&f->data, slice_from_cstr(metric), SCOPE_NODE);
    m->series = ARENA_ARRAY(f->arena, struct job_series, count);
    m->series_count = count;
    for (size_t i = 0; i < count; i++)
        m->series[i] = (struct job_series){.min = stats[i][0],
                                           .avg = stats[i][1],
                                           .max = stats[i][2],
                                           .has_values = known ? known[i] : true};
}

// Spec 6.4: 1.11, 2.22, 2.22 on three nodes give 1.85.
static void test_statistics(void **state)
{
    static const double stats[3][3] = {{-1, 1.11, 2}, {0, 2.22, 5}, {1, 2.22, 3}};
    struct fixture f;
    (void)state;
    set_up(&f);
    add_series(&f, "load", stats, NULL, 3);
    job_stats_compute(&f.data, &f.sub, f.arena, &f.job);
    assert_int_equal(1, f.job.statistic_count);
    assert_true(f.job.statistics[0].avg == 1.85 && f.job.statistics[0].min == -1 &&
                f.job.statistics[0].max == 5);
    arena_free(&f.arena);
}

// Spec 10.4: a series without data must not pull average and minimum to 0.
static void test_backend_10_4_missing_data_counts_for_nothing(void **state)
{
    static const double stats[3][3] = {{2, 3, 4}, {0, 0, 0}, {4, 5, 6}};
    static const bool known[] = {true, false, true}, none[] = {false, false, false};
    struct fixture f;
    (void)state;
    set_up(&f);
    add_series(&f, "load", stats, known, 3);
    add_series(&f, "power", stats, none, 3);
    job_stats_compute(&f.data, &f.sub, f.arena, &f.job);
    assert_int_equal(1, f.job.statistic_count);
    assert_true(f.job.statistics[0].avg == 4 && f.job.statistics[0].min == 2 && f.job.statistics[0].max == 6);
    arena_free(&f.arena);
}

// Spec 6.5: the statistic is the sub-cluster's own; names are sorted; no statistics give 0.
static void test_backend_6_5_footprint(void **state)
{
    static const double stats[1][3] = {{100, 200, 300}};
    struct fixture f;
    (void)state;
    set_up(&f);
    add_series(&f, "power", stats, NULL, 1);
    job_stats_compute(&f.data, &f.sub, f.arena, &f.job);
    job_stats_footprint(&f.sub, f.arena, &f.job);
    struct buf out;
    buf_init(&out, 4096);
    job_encode_footprint(f.job.footprint, f.job.footprint_count, f.job.has_footprint, &out);
    assert_string_equal("{\"load_min\":0,\"power_max\":300}", buf_cstr(&out));
    buf_release(&out);
    arena_free(&f.arena);
}

// Spec 6.6: both examples.
static void test_energy(void **state)
{
    static const struct {
        double watts, kwh;
        int64_t nodes, duration_s;
    } cases[] = {{312.37, 1.12, 3, 4321}, {250, 1.5, 4, 5400}, {0, 0, 1, 60}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const double stats[1][3] = {{0, cases[i].watts, 0}};
        struct fixture f;
        set_up(&f);
        f.job.num_nodes = cases[i].nodes;
        f.job.duration_s = cases[i].duration_s;
        add_series(&f, "power", stats, NULL, 1);
        job_stats_compute(&f.data, &f.sub, f.arena, &f.job);
        job_stats_energy(&f.sub, f.arena, &f.job);
        EXPECT(f.job.energy_kwh == cases[i].kwh, "%g W: got %g kWh, expected %g", cases[i].watts,
               f.job.energy_kwh, cases[i].kwh);
        assert_int_equal(2, f.job.energy_footprint_count); // joules: 0, listed first
        assert_true(f.job.energy_footprint[0].value == 0 && f.job.energy_footprint[1].value == cases[i].kwh);
        arena_free(&f.arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_statistics),
                                       cmocka_unit_test(test_backend_10_4_missing_data_counts_for_nothing),
                                       cmocka_unit_test(test_backend_6_5_footprint),
                                       cmocka_unit_test(test_energy)};
    return TEST_MAIN(argc, argv, tests);
}
