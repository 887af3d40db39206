// SPDX-License-Identifier: MIT
#include "model/cluster.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"

#define FIXTURES SOURCE_ROOT "/tests/recorded/backend/fixtures/"
// Descriptions of real clusters, which are not part of this tree.
#define SHARED SOURCE_ROOT "/../shared/data/"

// Warnings, one per line.
static void collect(void *ctx, const char *text)
{
    buf_printf(ctx, "%s\n", text);
}

#define METRIC(name, more)                                                                                   \
    "{\"name\":\"" name "\",\"unit\":{\"base\":\"B\"},\"scope\":\"node\",\"timestep\":60" more "}"
#define SUB(name, nodes)       "{\"name\":\"" name "\",\"nodes\":\"" nodes "\"}"
#define CLUSTER(metrics, subs) "{\"name\":\"c\",\"metricConfig\":[" metrics "],\"subClusters\":[" subs "]}"

static struct cluster_set *load(const char *text)
{
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;

    EXPECT(cluster_set_load_text(slice_from_cstr(text), "c", &set, &err) == 0, "%s", err.text);
    return set;
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "failed to load cluster config for 'c': line 1, column 1: EOF"},
        {"[]",
         "failed to load cluster config for 'c': line 1, column 1: 'cluster' must be an object, not array"},
        {"{\"name\":7}",
         "failed to load cluster config for 'c': line 1, column 9: 'name' must be text, not integer"},
        {"{}", "cluster name is empty in config for 'c'"},
        {"{\"name\":\"d\"}",
         "cluster name 'd' in config for 'c' is not that of its directory: its jobs would not be found"},
        {"{\"name\":\"c\"}", "cluster 'c' has no metric configurations"},
        {"{\"name\":\"c\",\"metricConfig\":[]}", "cluster 'c' has no metric configurations"},
        {"{\"name\":\"c\",\"metricConfig\":[{}]}", "cluster 'c' has no subclusters defined"},
        {CLUSTER("{}", SUB("s", "")), "cluster 'c' has a metric config with empty name"},
        {CLUSTER("{\"name\":\"m\"}", SUB("s", "")),
         "metric 'm' in cluster 'c' has invalid timestep 0 (must be >= 1)"},
        {CLUSTER("{\"name\":\"m\",\"timestep\":-60}", SUB("s", "")),
         "metric 'm' in cluster 'c' has invalid timestep -60 (must be >= 1)"},
        {CLUSTER("{\"name\":\"m\",\"timestep\":1,\"scope\":\"cpu\"}", SUB("s", "")),
         "metric 'm' in cluster 'c' has invalid scope 'cpu' (must be 'node', 'socket', 'core', etc.)"},
        {CLUSTER("{\"name\":\"m\",\"timestep\":1.5}", SUB("s", "")),
         "failed to load cluster config for 'c': line 1, column 52: 'timestep' must be a whole number, not "
         "number"},
        {CLUSTER(METRIC("m", ",\"peak\":\"9\""), SUB("s", "")),
         "failed to load cluster config for 'c': line 1, column 97: 'peak' must be a number, not string"},
        {CLUSTER(METRIC("m", ""), SUB("s", "n[1")),
         "ARCHIVE/CLUSTERCONFIG > in c/cluster.json: ARCHIVE/NODELIST > unclosed '['"},
        {CLUSTER(METRIC("m", ""), "3"), "failed to load cluster config for 'c': line 1, column 107: "
                                        "'subClusters' must be a list of objects, not integer"},
        {CLUSTER(METRIC("m", ""), "{\"topology\":{\"node\":[-1]}}"),
         "failed to load cluster config for 'c': line 1, column 128: topology: 'node' must be a list of "
         "hardware threads "
         "(whole numbers from 0), not integer"},
        // The format before 1.0: units as text, flop rates as plain numbers.
        {CLUSTER("{\"name\":\"m\",\"unit\":\"GB/s\",\"timestep\":60}", SUB("s", "")),
         "failed to load cluster config for 'c': line 1, column 48: 'unit' must be an object, not string"},
        {CLUSTER(METRIC("m", ""), "{\"name\":\"s\",\"flopRateScalar\":14}"),
         "failed to load cluster config for 'c': line 1, column 136: 'flopRateScalar' must be an object, not "
         "integer"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct cluster_set *set = NULL;
        int rc = cluster_set_load_text(slice_from_cstr(cases[i].text), "c", &set, &err);

        EXPECT(rc < 0 && strcmp(err.text, cases[i].error) == 0, "'%s': got %d '%s', not '%s'", cases[i].text,
               rc, err.text, cases[i].error);
        assert_null(set);
        assert_true(cluster_set_load_text(slice_from_cstr(cases[i].text), "c", &set, NULL) < 0);
    }
}

static void test_broken_json_names_the_place(void **state)
{
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;
    (void)state;

    assert_true(cluster_set_load_text(SLICE_LITERAL("{\n  \"name\": \"c\",\n  x\n}"), "c", &set, &err) < 0);
    EXPECT(strncmp(err.text, "failed to load cluster config for 'c': line 3, column 3", 55) == 0, "%s",
           err.text);
}

static const struct metric_config *effective(const struct subcluster *subcluster, const char *name)
{
    return metric_find(subcluster->metrics, subcluster->metric_count, slice_from_cstr(name));
}

// An override replaces all thresholds, missing ones by 0 (3.4); unit, scope, aggregation and timestep stay.
static void test_effective_metrics(void **state)
{
    struct cluster_set *set = load(
        CLUSTER(METRIC("a", ",\"aggregation\":\"sum\",\"peak\":10,\"normal\":8,\"caution\":4,\"alert\":2,"
                            "\"footprint\":\"avg\","
                            "\"energy\":\"power\",\"restrict\":true,\"lowerIsBetter\":true,\"subClusters\":["
                            "{\"name\":\"two\",\"alert\":3,\"unit\":{\"base\":\"F\"}},{\"name\":\"three\","
                            "\"remove\":true}]") "," METRIC("b", ",\"footprint\":\"max\""),
                SUB("one", "a") "," SUB("two", "b") "," SUB("three", "c")));
    const struct cluster *c = cluster_set_at(set, 0);
    const struct subcluster *s = c->subclusters;
    (void)state;

    assert_int_equal(c->subcluster_count, 3);
    assert_int_equal(s[0].metric_count, 2);
    const struct metric_config *a = effective(&s[0], "a");
    assert_true(a->peak == 10 && a->normal == 8 && a->caution == 4 && a->alert == 2);
    assert_true(a->restricted && a->lower_is_better);
    assert_string_equal(a->footprint, "avg");
    assert_string_equal(s[0].footprint[0], "a");
    assert_string_equal(s[0].footprint[1], "b");
    assert_int_equal(s[0].energy_footprint_count, 1);
    a = effective(&s[1], "a");
    assert_true(a->peak == 0 && a->normal == 0 && a->caution == 0 && a->alert == 3);
    assert_true(!a->restricted && !a->lower_is_better);
    assert_string_equal(a->footprint, "");
    assert_string_equal(a->unit.base, "B");
    assert_int_equal(a->aggregation, AGGREGATION_SUM);
    assert_int_equal(a->timestep_s, 60);
    assert_int_equal(s[1].footprint_count, 1);
    assert_string_equal(s[1].footprint[0], "b");
    assert_int_equal(s[1].energy_footprint_count, 0);
    assert_null(effective(&s[2], "a"));
    assert_int_equal(s[2].metric_count, 1);
    cluster_set_free(&set);
    assert_null(set);
    cluster_set_free(&set);
}

// A file written by another program holds the lists already; they do not appear twice.
static void test_expanded_lists_are_not_appended_to(void **state)
{
    struct cluster_set *set = load(
        CLUSTER(METRIC("a", ",\"footprint\":\"avg\",\"energy\":\"\""),
                "{\"name\":\"s\",\"nodes\":\"a\",\"metricConfig\":[{\"name\":\"a\"}],\"footprint\":[\"a\"],"
                "\"energyFootprint\":[]}"));
    const struct subcluster *s = cluster_set_at(set, 0)->subclusters;
    (void)state;

    assert_int_equal(s->metric_count, 1);
    assert_int_equal(s->footprint_count, 1);
    assert_int_equal(s->energy_footprint_count, 0);
    cluster_set_free(&set);
}

static void test_names_match_in_any_case(void **state)
{
    struct cluster_set *set = load("{\"Name\":\"c\",\"METRICCONFIG\":[{\"NAME\":\"a\",\"TimeStep\":60}],"
                                   "\"subclusters\":[{\"name\":\"s\",\"Nodes\":\"x\"}]}");
    (void)state;

    assert_string_equal(cluster_set_at(set, 0)->subclusters[0].nodes, "x");
    assert_int_equal(cluster_set_at(set, 0)->metrics[0].scope, SCOPE_NODE); // "" is node
    cluster_set_free(&set);
}

static const char *of_host(const struct cluster_set *set, const char *host)
{
    const struct subcluster *found = subcluster_of_host(cluster_set_at(set, 0), slice_from_cstr(host));

    return found ? found->name : "none";
}

// A host in several lists belongs to the first in file order, not to a random one (3.5).
static void test_hosts_in_several_lists(void **state)
{
    struct cluster_set *set = load(CLUSTER(METRIC("a", ""), SUB("z", "n[1-5]") "," SUB("a", "n[4-9]")));
    (void)state;

    assert_string_equal(of_host(set, "n4"), "z");
    assert_string_equal(of_host(set, "n6"), "a");
    assert_string_equal(of_host(set, "n0"), "none");
    cluster_set_free(&set);
}

static void test_hosts_in_no_list(void **state)
{
    static const char *const any[] = {
        "*", ""}; // upstream takes only the second for node states, the first for jobs
    char text[400];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(any); i++) {
        snprintf(text, sizeof(text), CLUSTER(METRIC("a", ""), SUB("first", "%s") "," SUB("second", "n1")),
                 any[i]);
        struct cluster_set *set = load(text);
        assert_string_equal(of_host(set, "n1"), "second");
        assert_string_equal(of_host(set, "other"), "first");
        cluster_set_free(&set);
    }
    struct cluster_set *set = load(CLUSTER(METRIC("a", ""), SUB("first", "n1") "," SUB("second", "*")));
    assert_string_equal(of_host(set, "other"), "none");
    cluster_set_free(&set);
}

static void test_assignment(void **state)
{
    static const struct {
        const char *cluster, *given, *host, *result; // a sub-cluster or an error
    } cases[] = {
        {"c", "", "n1", "second"},
        {"c", "", "other", "first"},
        {"c", "first", "n1", "first"},
        {"c", "first", "", "first"},
        {"x", "", "n1", "ARCHIVE/CLUSTERCONFIG > unkown cluster: x"},
        {"c", "s3", "n1", "ARCHIVE/CLUSTERCONFIG > already assigned subcluster s3 unkown (cluster: c)"},
        {"c", "", "", "ARCHIVE/CLUSTERCONFIG > job without any resources/hosts"},
    };
    struct cluster_set *set = load(CLUSTER(METRIC("a", ""), SUB("first", "*") "," SUB("second", "n1")));
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct subcluster *found = NULL;
        struct error err = ERROR_INIT;
        int rc = subcluster_assign(set, slice_from_cstr(cases[i].cluster), slice_from_cstr(cases[i].given),
                                   slice_from_cstr(cases[i].host), &found, &err);
        const char *result = rc < 0 ? err.text : found->name;

        EXPECT(strcmp(result, cases[i].result) == 0, "case %zu: got '%s', not '%s'", i, result,
               cases[i].result);
    }
    cluster_set_free(&set);
    set = load(CLUSTER(METRIC("a", ""), SUB("first", "") "," SUB("second", "n1")));
    const struct subcluster *found = NULL;
    struct error err = ERROR_INIT;
    assert_true(subcluster_assign(set, SLICE_LITERAL("c"), SLICE_EMPTY, SLICE_LITERAL("x"), &found, &err) <
                0);
    assert_string_equal(err.text, "ARCHIVE/CLUSTERCONFIG > no subcluster found for cluster c and host x");
    cluster_set_free(&set);
}

// ---- folders ----------------------------------------------------------------------------------------------

static int set_up(void **state)
{
    char *dir = mem_strdup("/tmp/test-cluster-XXXXXX");

    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);

    mem_free(*state);
    return rc;
}

static void put(const char *root, const char *folder, const char *text)
{
    char *dir = file_join(root, folder), *path = file_join(dir, "cluster.json");

    assert_int_equal(io_make_dirs(&io_system, dir, 0755, NULL), 0);
    if (text)
        assert_int_equal(io_replace_file(&io_system, path, slice_from_cstr(text), 0644, NULL), 0);
    mem_free(path);
    mem_free(dir);
}

#define NAMED(name)                                                                                          \
    "{\"name\":\"" name "\",\"metricConfig\":[" METRIC("a", "") "],\"subClusters\":[" SUB("s", "n") "]}"

static void test_other_folders_are_skipped(void **state)
{
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;
    struct buf warnings;
    char expected[600];

    put(*state, "zeta", NAMED("zeta"));
    put(*state, "alpha", NAMED("alpha"));
    put(*state, ".git", NULL);
    put(*state, "lost+found", NULL);
    char *version = file_join(*state, "version.txt");
    assert_int_equal(io_replace_file(&io_system, version, SLICE_LITERAL("3\n"), 0644, NULL), 0);
    mem_free(version);
    buf_init(&warnings, 100000);
    EXPECT(cluster_set_load(*state, collect, &warnings, &set, &err) == 0, "%s", err.text);
    assert_int_equal(cluster_set_count(set), 2);
    assert_string_equal(cluster_set_at(set, 0)->name, "alpha");
    assert_string_equal(cluster_set_at(set, 1)->name, "zeta");
    assert_non_null(cluster_find(set, SLICE_LITERAL("zeta")));
    assert_null(cluster_find(set, SLICE_LITERAL("zet")));
    snprintf(expected, sizeof(expected), "directory '%s/lost+found' has no cluster.json and is no cluster\n",
             (char *)*state);
    assert_string_equal(buf_cstr(&warnings), expected);
    buf_release(&warnings);
    cluster_set_free(&set);
}

static void test_load_errors(void **state)
{
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;

    assert_int_equal(cluster_set_load("/nonexistent-archive", NULL, NULL, &set, &err), ERR_NOT_FOUND);
    put(*state, "one", NAMED("other"));
    assert_int_equal(cluster_set_load(*state, NULL, NULL, &set, &err), ERR_INVALID);
    assert_string_equal(
        err.text,
        "cluster name 'other' in config for 'one' is not that of its directory: its jobs would not be found");
    assert_null(set);
}

static void test_warnings(void **state)
{
    static const char text[] =
        "{\"name\":\"w\",\"metricConfig\":["
        "{\"name\":\"a\",\"unit\":{\"base\":\"furlong\",\"prefix\":\"k\"},\"aggregation\":\"max\","
        "\"timestep\":1,"
        "\"peak\":5,\"normal\":4,\"footprint\":\"avg\",\"lowerIsBetter\":true,\"subClusters\":["
        "{\"name\":\"s\",\"peak\":3},{\"name\":\"nosuch\",\"remove\":true}]},"
        "{\"name\":\"a\",\"timestep\":1}],"
        "\"subClusters\":["
        "{\"name\":\"s\",\"nodes\":\"n\",\"topology\":{\"node\":[0,1,1],\"socket\":[[0,5]],\"core\":[[0],[0,"
        "1]]}},"
        "{\"name\":\"s\",\"nodes\":\"*\"},{\"nodes\":\"m\"}]}";
    static const char expected[] =
        "cluster 'w': metric 'a' is there twice\n"
        "cluster 'w': sub-cluster 's' is there twice\n"
        "cluster 'w': a: unknown unit 'furlong'\n"
        "cluster 'w': a: unknown unit prefix 'k'\n"
        "cluster 'w': metric 'a': unknown aggregation 'max'\n"
        "cluster 'w': metric 'a': the override for sub-cluster 's' leaves out 'normal', which is then 0 or "
        "empty\n"
        "cluster 'w': metric 'a': the override for sub-cluster 's' leaves out 'footprint', which is then 0 "
        "or empty\n"
        "cluster 'w': metric 'a': the override for sub-cluster 's' leaves out 'lowerIsBetter', which is then "
        "0 or empty\n"
        "cluster 'w': metric 'a': override for unknown sub-cluster 'nosuch'\n"
        "cluster 'w': sub-cluster 's': hardware thread 1 is in 'node' twice\n"
        "cluster 'w': sub-cluster 's': hardware thread 5 is in 'socket', but not in 'node'\n"
        "cluster 'w': sub-cluster 's': hardware thread 1 is in 'node', but not in 'socket'\n"
        "cluster 'w': sub-cluster 's': hardware thread 0 is in 'core' twice\n"
        "cluster 'w': sub-cluster 's': nodes '*' has a meaning in the first sub-cluster only\n"
        "cluster 'w': sub-cluster number 3 has no name\n";
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;
    struct buf warnings;

    put(*state, "w", text);
    buf_init(&warnings, 100000);
    EXPECT(cluster_set_load(*state, collect, &warnings, &set, &err) == 0, "%s", err.text);
    assert_string_equal(buf_cstr(&warnings), expected);
    buf_release(&warnings);
    cluster_set_free(&set);
}

// ---- descriptions in the tree and beside it ---------------------------------------------------------------

static void test_recorded_descriptions(void **state)
{
    static const struct {
        const char *root;
        size_t clusters;
    } cases[] = {{FIXTURES "delta/var/job-archive", 1}, {FIXTURES "site/var/job-archive", 2}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct cluster_set *set = NULL;
        struct buf warnings;

        buf_init(&warnings, 100000);
        EXPECT(cluster_set_load(cases[i].root, collect, &warnings, &set, &err) == 0, "%s", err.text);
        EXPECT(cluster_set_count(set) == cases[i].clusters, "%s: %zu clusters", cases[i].root,
               cluster_set_count(set));
        buf_release(&warnings);
        cluster_set_free(&set);
    }
}

static int load_shared_file(const char *file, struct cluster_set **ret_set, struct error *err)
{
    char *path = file_join(SHARED, file);
    struct buf text;

    if (!file_exists(path)) {
        print_message("skipped: '%s' is not there\n", path);
        mem_free(path);
        skip();
    }
    buf_init(&text, 1 << 24);
    assert_int_equal(file_read(path, 1 << 24, &text, err), 0);
    int rc = cluster_set_load_text(buf_slice(&text), NULL, ret_set, err);
    buf_release(&text);
    mem_free(path);
    return rc;
}

static struct cluster_set *load_shared(const char *file)
{
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;

    EXPECT(load_shared_file(file, &set, &err) == 0, "%s: %s", file, err.text);
    return set;
}

static void expect_names(const char *const *names, size_t count, const char *expected)
{
    struct buf got;

    buf_init(&got, 10000);
    for (size_t i = 0; i < count; i++)
        buf_printf(&got, "%s%s", i ? " " : "", names[i]);
    assert_string_equal(buf_cstr(&got), expected);
    buf_release(&got);
}

// The worked example of 3.4.
static void test_fritz(void **state)
{
    struct cluster_set *set = load_shared("job-archive/fritz/cluster.json");
    const struct cluster *fritz = cluster_set_at(set, 0);
    const struct subcluster *main_nodes = subcluster_find(fritz, SLICE_LITERAL("main"));
    const struct subcluster *spr1 = subcluster_find(fritz, SLICE_LITERAL("spr1tb"));
    const struct subcluster *spr2 = subcluster_find(fritz, SLICE_LITERAL("spr2tb"));
    (void)state;

    assert_int_equal(fritz->metric_count, 19);
    assert_int_equal(main_nodes->metric_count, 19);
    assert_int_equal(spr1->metric_count, 15);
    assert_int_equal(spr2->metric_count, 14);
    expect_names(main_nodes->footprint, main_nodes->footprint_count, "cpu_load mem_used flops_any mem_bw");
    expect_names(spr1->footprint, spr1->footprint_count, "cpu_load mem_used flops_any");
    expect_names(spr2->footprint, spr2->footprint_count, "cpu_load mem_used");
    expect_names(spr2->energy_footprint, spr2->energy_footprint_count, "cpu_power mem_power");
    const struct metric_config *load_metric = effective(spr1, "cpu_load");
    assert_true(load_metric->peak == 104 && load_metric->normal == 104 && load_metric->caution == 52 &&
                load_metric->alert == 20);
    assert_true(effective(main_nodes, "mem_used")->lower_is_better &&
                effective(spr1, "mem_used")->lower_is_better && effective(spr2, "mem_used")->lower_is_better);
    assert_int_equal(main_nodes->topology.node.count, 72);
    assert_int_equal(spr1->topology.core_count, 104);
    assert_string_equal(of_host(set, "f2185"), spr1 < spr2 ? "spr1tb" : "spr2tb"); // in both lists
    cluster_set_free(&set);
}

static void test_alex(void **state)
{
    struct cluster_set *set = load_shared("job-archive/alex/cluster.json");
    const struct subcluster *first = cluster_set_at(set, 0)->subclusters;
    (void)state;

    assert_int_equal(cluster_set_at(set, 0)->subcluster_count, 3);
    assert_int_equal(first->topology.node.count, 128);
    assert_int_equal(first->topology.core_count, 127);
    assert_int_equal(first->topology.accelerator_count, 8);
    cluster_set_free(&set);
}

static void test_shared_descriptions(void **state)
{
    static const struct {
        const char *file;
        size_t subclusters;
    } cases[] = {{"clusters/cluster-fritz.json", 3},
                 {"clusters/cluster-tinyfat.json", 3},
                 {"clusters/cluster-woody.json", 4},
                 {"clusters/cluster-meggie.json", 1},
                 {"job-archive/emmy/cluster.json", 4}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cluster_set *set = load_shared(cases[i].file);
        const struct cluster *c = cluster_set_at(set, 0);

        EXPECT(c->subcluster_count == cases[i].subclusters, "%s: %zu sub-clusters", cases[i].file,
               c->subcluster_count);
        cluster_set_free(&set);
    }
}

// Units as text and flop rates as plain numbers: the format of archive version 1.
static void test_old_format_is_refused(void **state)
{
    struct error err = ERROR_INIT;
    struct cluster_set *set = NULL;
    (void)state;

    assert_int_equal(load_shared_file("clusters/cluster-emmy.json", &set, &err), ERR_INVALID);
    assert_string_equal(
        err.text, "failed to load cluster config: line 34, column 21: 'unit' must be an object, not string");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_broken_json_names_the_place),
        cmocka_unit_test(test_effective_metrics),
        cmocka_unit_test(test_expanded_lists_are_not_appended_to),
        cmocka_unit_test(test_names_match_in_any_case),
        cmocka_unit_test(test_hosts_in_several_lists),
        cmocka_unit_test(test_hosts_in_no_list),
        cmocka_unit_test(test_assignment),
        cmocka_unit_test_setup_teardown(test_other_folders_are_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_load_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_warnings, set_up, tear_down),
        cmocka_unit_test(test_recorded_descriptions),
        cmocka_unit_test(test_fritz),
        cmocka_unit_test(test_alex),
        cmocka_unit_test(test_shared_descriptions),
        cmocka_unit_test(test_old_format_is_refused),
    };

    return TEST_MAIN(argc, argv, tests);
}
