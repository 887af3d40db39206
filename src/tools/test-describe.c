// SPDX-License-Identifier: MIT
#include "tools/describe.h"

#include "base/testing.h"
#include "model/cluster.h"

#define RECORDED SOURCE_ROOT "/tests/recorded/collector/"

static struct cluster_set *describe(const struct machine *machine, const char *host)
{
    struct describe_options options = {.cluster = "c", .host = host, .timestep_s = 5};
    struct cluster_set *set = NULL;
    struct error err = ERROR_INIT;
    struct buf text;

    buf_init(&text, 1 << 24);
    describe_machine(machine, &options, &text);
    EXPECT(cluster_set_load_text(buf_slice(&text), "c", &set, &err) == 0, "%s:\n%s", err.text,
           buf_cstr(&text));
    buf_release(&text);
    return set;
}

static const struct metric_config *metric(const struct cluster_set *set, const char *name)
{
    const struct cluster *c = cluster_set_at(set, 0);

    return metric_find(c->metrics, c->metric_count, slice_from_cstr(name));
}

static void expect_groups(const struct topology_group *groups, size_t count, const char *expected)
{
    struct buf got;

    buf_init(&got, 10000);
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(&got, i ? " " : "");
        for (size_t k = 0; k < groups[i].count; k++)
            buf_printf(&got, "%s%d", k ? "," : "", groups[i].threads[k]);
    }
    assert_string_equal(buf_cstr(&got), expected);
    buf_release(&got);
}

// Two sockets of four cores with two threads each.
static void test_server(void **state)
{
    struct arena *arena = arena_new(1 << 24);
    struct error err = ERROR_INIT;
    struct machine m;
    (void)state;

    EXPECT(machine_read(RECORDED "trees/server2s", arena, &m, &err) == 0, "%s", err.text);
    m.memory_kib = 1000000;
    m.network_bytes_per_s = 12500000000;
    m.clock_mhz = 2500;
    m.flops_per_cycle = 16;
    struct cluster_set *set = describe(&m, "n1");
    const struct subcluster *s = cluster_set_at(set, 0)->subclusters;
    assert_string_equal(s->nodes, "n1");
    assert_string_equal(s->processor_type, "unknown processor");
    assert_int_equal(s->sockets_per_node, 2);
    assert_int_equal(s->cores_per_socket, 4);
    assert_int_equal(s->threads_per_core, 2);
    assert_true(s->flop_rate_scalar.value == 80 && s->flop_rate_simd.value == 320);
    expect_groups(&s->topology.node, 1, "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15");
    expect_groups(s->topology.sockets, s->topology.socket_count, "0,1,2,3,8,9,10,11 4,5,6,7,12,13,14,15");
    expect_groups(s->topology.memory_domains, s->topology.memory_domain_count,
                  "0,1,2,3,8,9,10,11 4,5,6,7,12,13,14,15");
    expect_groups(s->topology.cores, s->topology.core_count, "0,8 1,9 2,10 3,11 4,12 5,13 6,14 7,15");
    assert_int_equal(s->topology.die_count, 0);

    const struct metric_config *load = metric(set, "load_one"), *used = metric(set, "mem_used");
    assert_true(load->peak == 16 && load->normal == 16 && load->caution == 8 && load->alert == 4);
    assert_string_equal(load->footprint, "avg");
    assert_int_equal(load->timestep_s, 5);
    assert_true(used->peak == 1000000 && used->alert == 950000 && used->lower_is_better);
    assert_string_equal(used->footprint, "max");
    assert_string_equal(used->unit.base, "B");
    assert_string_equal(used->unit.prefix, "K");
    assert_int_equal(metric(set, "cpu_user")->scope, SCOPE_HWTHREAD);
    assert_string_equal(metric(set, "cpu_user")->footprint, "avg");
    assert_int_equal(metric(set, "cpu_user")->aggregation,
                     AGGREGATION_SUM); // as the collector's value for the node
    assert_true(metric(set, "cpu_user")->peak == 1600);
    // The collector's node value is the sum over all threads: the description must say the same.
    assert_int_equal(metric(set, "cpu_user")->aggregation, AGGREGATION_SUM);
    assert_true(metric(set, "cpu_user")->peak == 1600);
    assert_true(metric(set, "net_bytes_in_bw")->peak == 12500000000);
    assert_non_null(metric(set, "cpufreq")); // the tree has frequencies
    cluster_set_free(&set);
    arena_free(&arena);
}

static void test_holes_and_hybrid_cores(void **state)
{
    static const struct {
        const char *root, *cores;
    } cases[] = {{RECORDED "trees/holes", "0,1 2 4,5 7 10,11"},
                 {RECORDED "trees/hybrid", "0,1 2,3 4,5 6,7 8 9 10 11"},
                 {RECORDED "trees/vm2", "0 1"}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new(1 << 24);
        struct error err = ERROR_INIT;
        struct machine m;

        EXPECT(machine_read(cases[i].root, arena, &m, &err) == 0, "%s", err.text);
        struct cluster_set *set = describe(&m, "n1");
        const struct topology *t = &cluster_set_at(set, 0)->subclusters[0].topology;
        expect_groups(t->cores, t->core_count, cases[i].cores);
        cluster_set_free(&set);
        arena_free(&arena);
    }
}

// The names are those the collector sends for this tree (spec collector.md 4.12).
static void test_sensors(void **state)
{
    static const struct machine_sensor made[] = {{.metric = "temp_core_3", .max_c = 80, .critical_c = 100},
                                                 {.metric = "temp_nvme_composite"}};
    struct arena *arena = arena_new(1 << 24);
    struct error err = ERROR_INIT;
    struct machine m;
    (void)state;

    EXPECT(machine_read(RECORDED "trees/vm2", arena, &m, &err) == 0, "%s", err.text);
    assert_int_equal(m.sensor_count, 0);
    m.sensors = (struct machine_sensor *)made;
    m.sensor_count = 2;
    struct cluster_set *set = describe(&m, "n1");
    const struct metric_config *core = metric(set, "temp_core_3"), *disk = metric(set, "temp_nvme_composite");
    assert_string_equal(core->unit.base, "°C");
    assert_true(core->lower_is_better && core->peak == 100 && core->normal == 60 && core->caution == 80 &&
                core->alert == 90);
    assert_true(disk->peak == 100 && disk->caution == 85);
    cluster_set_free(&set);
    arena_free(&arena);
}

// A name that the grammar of node lists does not know (3.5).
static void test_odd_host_names(void **state)
{
    static const char *const names[] = {"my_pc", "-x", "*"};
    struct arena *arena = arena_new(1 << 24);
    struct error err = ERROR_INIT;
    struct machine m;
    (void)state;

    EXPECT(machine_read(RECORDED "trees/vm2", arena, &m, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct cluster_set *set = describe(&m, names[i]);

        assert_string_equal(cluster_set_at(set, 0)->subclusters[0].nodes, "*");
        assert_non_null(subcluster_of_host(cluster_set_at(set, 0), slice_from_cstr(names[i])));
        cluster_set_free(&set);
    }
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_holes_and_hybrid_cores),
        cmocka_unit_test(test_sensors),
        cmocka_unit_test(test_odd_host_names),
    };

    return TEST_MAIN(argc, argv, tests);
}
