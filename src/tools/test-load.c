// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/hashmap.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/lineproto.h"
#include "model/cluster.h"
#include "model/job.h"
#include "tools/load-plan.h"
#include "tools/load-report.h"

#define T0 INT64_C(1700000040) // a multiple of 60

static struct load_plan *make_plan(enum load_preset preset, int64_t nodes)
{
    struct load_options options = {.preset = preset, .cluster = "sim", .nodes = nodes, .seed = 7};
    struct load_plan *plan = NULL;
    struct error err = ERROR_INIT;

    if (load_plan_new(&options, &plan, &err) < 0)
        fail_msg("load_plan_new: %s", err.text);
    return plan;
}

static void test_sizes_of_presets(void **state)
{
    static const struct {
        const char *name;
        size_t nodes, series;
        int64_t steps;
    } cases[] = {{"w1", 64, 340, 1440}, {"small-batches", 512, 30, 1440}, {"fresh", 2048, 340, 10}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum load_preset preset;
        assert_true(load_preset_from_name(cases[i].name, &preset));
        struct load_plan *plan = make_plan(preset, 0);
        if (plan->node_count != cases[i].nodes || plan->series_per_node != cases[i].series ||
            plan->default_steps != cases[i].steps)
            fail_msg("%s: %zu nodes, %zu series each, %lld steps", cases[i].name, plan->node_count,
                     plan->series_per_node, (long long)plan->default_steps);
        load_plan_free(&plan);
    }
}

// Every line is one that the store takes.
static void check_lines(struct slice lines, size_t expected, int64_t ts)
{
    struct lineproto_decoder *decoder = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    struct lineproto_entry *entry = NEW(struct lineproto_entry);
    struct error err = ERROR_INIT;
    size_t count = 0;
    int rc;

    lineproto_decoder_reset(decoder, lines, true);
    while ((rc = lineproto_next(decoder, entry, NULL, NULL, &err)) == 1) {
        assert_int_equal(entry->timestamp, ts);
        assert_int_equal(entry->field_count, 1);
        assert_true(slice_eq_cstr(entry->tags[0].key, "cluster") &&
                    slice_eq_cstr(entry->tags[0].value, "sim"));
        count++;
    }
    if (rc < 0)
        fail_msg("a line is refused: %s", err.text);
    assert_int_equal(count, expected);
    mem_free(entry);
    lineproto_decoder_free(&decoder);
}

static void test_lines_are_valid_and_repeatable(void **state)
{
    static const enum load_preset presets[] = {LOAD_CLUSTER, LOAD_W1, LOAD_SMALL_BATCHES};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        struct load_plan *plan = make_plan(presets[i], 5), *again = make_plan(presets[i], 5);
        struct load_counts first = {0}, second = {0}, shuffled = {0};
        struct buf a, b, c;
        buf_init(&a, BUF_MAX_DEFAULT);
        buf_init(&b, BUF_MAX_DEFAULT);
        buf_init(&c, BUF_MAX_DEFAULT);
        load_render(plan, 3, T0, false, &a, &first);
        load_render(again, 1, T0 + 60, false, &b, &second); // another time first must not matter
        buf_clear(&b);
        second = (struct load_counts){0};
        load_render(again, 3, T0, false, &b, &second);
        load_render(plan, 3, T0, true, &c, &shuffled);
        check_lines(buf_slice(&a), plan->series_per_node, T0);
        check_lines(buf_slice(&c), plan->series_per_node, T0);
        assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
        assert_int_equal(first.samples, plan->series_per_node);
        assert_int_equal(first.bytes, a.len);
        assert_true(first.checksum == second.checksum);
        if (presets[i] == LOAD_W1) {
            assert_true(first.checksum == shuffled.checksum);
            assert_int_equal(a.len, c.len);
            assert_false(slice_eq(buf_slice(&a), buf_slice(&c)));
        }
        buf_release(&a);
        buf_release(&b);
        buf_release(&c);
        load_plan_free(&plan);
        load_plan_free(&again);
    }
}

static size_t distinct_values(const struct load_plan *plan, size_t node, size_t series, size_t steps)
{
    struct hashmap *seen = hashmap_new();
    struct buf lines;

    buf_init(&lines, BUF_MAX_DEFAULT);
    for (size_t step = 0; step < steps; step++) {
        struct load_counts counts = {0};
        buf_clear(&lines);
        load_render(plan, node, T0 + (int64_t)step * 60, false, &lines, &counts);
        struct slice rest = buf_slice(&lines), line = SLICE_EMPTY;
        for (size_t i = 0; i <= series; i++)
            line = slice_split(&rest, '\n');
        struct slice value = slice_skip(line, (size_t)slice_find(line, SLICE_LITERAL("value=")));
        hashmap_put(seen, slice_split(&value, ' '), seen);
    }
    size_t count = hashmap_count(seen);
    buf_release(&lines);
    hashmap_free(&seen);
    return count;
}

// One in ten constant, five in ten slow, four in ten noise.
static void test_shapes_of_w1(void **state)
{
    struct load_plan *plan = make_plan(LOAD_W1, 2);
    size_t constant = 0, slow = 0, noise = 0;

    (void)state;
    for (size_t series = 0; series < plan->series_per_node; series++) {
        size_t distinct = distinct_values(plan, 1, series, 100);
        constant += distinct == 1;
        slow += distinct > 1 && distinct < 20;
        noise += distinct > 90;
    }
    assert_int_equal(constant + slow + noise, 340);
    assert_in_range(constant, 17, 60);
    assert_in_range(slow, 130, 210);
    assert_in_range(noise, 95, 180);
    load_plan_free(&plan);
}

static void test_jobs_do_not_overlap(void **state)
{
    struct load_jobs *jobs = load_jobs_new(64, 7200, 3);
    int64_t busy_until[64] = {0};
    size_t count;

    (void)state;
    struct load_job *list = load_jobs_between(jobs, T0, T0 + 7 * 86400, false, &count);
    assert_in_range(count, 500, 5000);
    for (size_t i = 0; i < count; i++) {
        assert_true(list[i].stop_s > list[i].start_s);
        assert_true(i == 0 || list[i].start_s >= list[i - 1].start_s);
        for (size_t n = list[i].first_node; n < list[i].first_node + list[i].node_count; n++) {
            struct load_job found;
            if (busy_until[n] > list[i].start_s)
                fail_msg("job %lld starts on node %zu before the last one ends", (long long)list[i].id, n);
            busy_until[n] = list[i].stop_s;
            assert_true(load_job_at(jobs, n, list[i].start_s, &found) && found.id == list[i].id);
            assert_true(load_job_at(jobs, n, list[i].stop_s - 1, &found) && found.id == list[i].id);
            assert_true(!load_job_at(jobs, n, list[i].stop_s, &found) || found.id != list[i].id);
        }
    }
    mem_free(list);
    load_jobs_free(&jobs);
}

static void test_cluster_description(void **state)
{
    struct load_options options = {.preset = LOAD_CLUSTER,
                                   .cluster = "sim",
                                   .nodes = 12,
                                   .hwthreads = 16,
                                   .smt = 2,
                                   .accelerators = 2,
                                   .seed = 1};
    struct load_plan *plan = NULL;
    struct cluster_set *set = NULL;
    struct error err = ERROR_INIT;
    struct buf text;

    (void)state;
    assert_int_equal(load_plan_new(&options, &plan, &err), 0);
    buf_init(&text, BUF_MAX_DEFAULT);
    load_print_cluster(plan, &text);
    if (cluster_set_load_text(buf_slice(&text), "sim", &set, &err) < 0)
        fail_msg("%s\n%s", err.text, buf_cstr(&text));
    const struct cluster *cluster = cluster_find(set, SLICE_LITERAL("sim"));
    assert_int_equal(cluster->metric_count, plan->metric_count);
    assert_non_null(subcluster_of_host(cluster, slice_from_cstr(load_node_name(plan, 11))));
    assert_string_equal(cluster->subclusters[0].name, "simulated");
    assert_true(json_bool(json_get(cluster->source, "simulated"), false));
    cluster_set_free(&set);
    buf_release(&text);
    load_plan_free(&plan);
}

static void test_start_job_is_what_the_backend_takes(void **state)
{
    struct load_plan *plan = make_plan(LOAD_CLUSTER, 16);
    struct arena *arena = arena_new((size_t)1 << 20);
    struct error err = ERROR_INIT;
    size_t count;

    (void)state;
    struct load_job *list = load_jobs_between(plan->jobs, T0, T0 + 86400, false, &count);
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        struct json_doc *doc = NULL;
        struct job job;
        struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        load_print_start(plan, &list[i], &text);
        if (json_parse(buf_slice(&text), &doc, &err) < 0 ||
            job_decode(json_root(doc), true, arena, &job, &err) < 0)
            fail_msg("%s\n%s", err.text, buf_cstr(&text));
        assert_int_equal(job.num_nodes, job.resource_count);
        assert_int_equal(job.job_id, list[i].id);
        json_doc_free(&doc);
        buf_release(&text);
    }
    mem_free(list);
    arena_free(&arena);
    load_plan_free(&plan);
}

static void test_bad_options(void **state)
{
    static const struct {
        struct load_options options;
        const char *text;
    } cases[] = {
        {{.nodes = -1}, "-nodes must be 1 to 100000"},
        {{.hwthreads = 7, .sockets = 2}, "-hwthreads must be a multiple of -sockets times -smt"},
        {{.hwthreads = 5000}, "-hwthreads must be 1 to 4096"},
        {{.accelerators = 17}, "-accelerators must be 0 to 16"},
        {{.interval_s = -5}, "-interval must be 1 to 86400 seconds"},
        {{.job_window_s = 5}, "-job-window must be 60 seconds to 30 days"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct load_options options = cases[i].options;
        struct load_plan *plan = NULL;
        struct error err = ERROR_INIT;
        options.cluster = "sim";
        if (load_plan_new(&options, &plan, &err) != ERR_INVALID || strcmp(err.text, cases[i].text) != 0)
            fail_msg("case %zu: '%s', expected '%s'", i, err.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_of_presets),
        cmocka_unit_test(test_lines_are_valid_and_repeatable),
        cmocka_unit_test(test_shapes_of_w1),
        cmocka_unit_test(test_jobs_do_not_overlap),
        cmocka_unit_test(test_cluster_description),
        cmocka_unit_test(test_start_job_is_what_the_backend_takes),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
