// SPDX-License-Identifier: MIT
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"
#include "model/topology.h"

#define TREES SOURCE_ROOT "/tests/recorded/collector/trees/"

// "id: socket.die.core smt of core_first, memory domain", one thread after the other.
static void append_threads(const struct hwtopology *t, struct buf *out)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct hwthread *h = &t->threads[i];

        buf_printf(out, "%s%d:%d.%d.%d/%d@%d+%d", i ? " " : "", h->id, h->socket, h->die, h->core, h->smt,
                   h->core_first, h->memory_domain);
    }
}

struct expected {
    const char *threads;
    size_t sockets, dies, cores, domains, smt;
};

static void expect_topology(const char *what, const char *root, const struct expected *expected)
{
    struct arena *arena = arena_new(1 << 20);
    struct error err = ERROR_INIT;
    struct hwtopology t;
    struct buf got;

    buf_init(&got, 100000);
    EXPECT(hwtopology_read(root, arena, &t, &err) == 0, "%s: %s", what, err.text);
    append_threads(&t, &got);
    EXPECT(strcmp(buf_cstr(&got), expected->threads) == 0, "%s: got '%s', not '%s'", what, buf_cstr(&got),
           expected->threads);
    EXPECT(t.socket_count == expected->sockets && t.die_count == expected->dies &&
               t.core_count == expected->cores && t.memory_domain_count == expected->domains &&
               t.smt_width == expected->smt,
           "%s: %zu sockets, %zu dies, %zu cores, %zu domains, %zu threads a core", what, t.socket_count,
           t.die_count, t.core_count, t.memory_domain_count, t.smt_width);
    buf_release(&got);
    arena_free(&arena);
}

static void test_captured_machines(void **state)
{
    static const struct {
        const char *name;
        struct expected expected;
    } cases[] = {
        {"vm2", {"0:0.0.0/0@0+0 1:0.0.1/0@1+0", 1, 1, 2, 1, 1}},
        {"server2s",
         {"0:0.0.0/0@0+0 1:0.0.1/0@1+0 2:0.0.2/0@2+0 3:0.0.3/0@3+0 4:1.0.0/0@4+1 5:1.0.1/0@5+1 6:1.0.2/0@6+1 "
          "7:1.0.3/0@7+1 8:0.0.0/1@0+0 9:0.0.1/1@1+0 10:0.0.2/1@2+0 11:0.0.3/1@3+0 12:1.0.0/1@4+1 "
          "13:1.0.1/1@5+1 "
          "14:1.0.2/1@6+1 15:1.0.3/1@7+1",
          2, 2, 8, 2, 2}},
        {"hybrid",
         {"0:0.0.0/0@0+0 1:0.0.0/1@0+0 2:0.0.4/0@2+0 3:0.0.4/1@2+0 4:0.0.8/0@4+0 5:0.0.8/1@4+0 "
          "6:0.0.12/0@6+0 "
          "7:0.0.12/1@6+0 8:0.0.16/0@8+0 9:0.0.17/0@9+0 10:0.0.18/0@10+0 11:0.0.19/0@11+0",
          1, 1, 8, 1, 2}},
        // CPUs 3 and 6 are offline, 8 and 9 do not exist.
        {"holes",
         {"0:0.0.0/0@0+0 1:0.0.0/1@0+0 2:0.0.1/0@2+0 4:0.0.2/0@4+0 5:0.0.2/1@4+0 7:0.0.3/0@7+0 "
          "10:0.0.5/0@10+0 "
          "11:0.0.5/1@10+0",
          1, 1, 5, 1, 2}},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *root = file_join(TREES, cases[i].name);

        expect_topology(cases[i].name, root, &cases[i].expected);
        mem_free(root);
    }
}

// ---- trees made here --------------------------------------------------------------------------------------

static int set_up(void **state)
{
    char *dir = mem_strdup("/tmp/test-hwtopology-XXXXXX");

    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);

    mem_free(*state);
    return rc;
}

static void put(const char *root, const char *path, const char *text)
{
    char *whole = file_join(root, path), *slash = strrchr(whole, '/');

    *slash = '\0';
    assert_int_equal(io_make_dirs(&io_system, whole, 0755, NULL), 0);
    *slash = '/';
    if (text)
        assert_int_equal(io_replace_file(&io_system, whole, slice_from_cstr(text), 0644, NULL), 0);
    else
        assert_int_equal(io_make_dirs(&io_system, whole, 0755, NULL), 0);
    mem_free(whole);
}

#define CPU "sys/devices/system/cpu/"

static void put_cpu(const char *root, int id, const char *file, const char *text)
{
    char path[200];

    snprintf(path, sizeof(path), CPU "cpu%d/%s", id, file);
    put(root, path, text);
}

static void put_number(const char *root, int id, const char *file, int number)
{
    char text[20];

    snprintf(text, sizeof(text), "%d\n", number);
    put_cpu(root, id, file, text);
}

// One socket, two dies, four NUMA nodes: die ids and node numbers do not follow the sockets.
static void test_numa_nodes_per_socket(void **state)
{
    static const struct expected expected = {
        "0:0.0.0/0@0+0 1:0.0.1/0@1+1 2:0.1.0/0@2+2 3:0.1.1/0@3+3", 1, 2, 4, 4, 1};
    char text[20];

    put(*state, CPU "online", "0-3\n");
    for (int id = 0; id < 4; id++) {
        put_number(*state, id, "topology/physical_package_id", 0);
        put_number(*state, id, "topology/die_id", id / 2);
        put_number(*state, id, "topology/core_id", id % 2);
        put_number(*state, id, "topology/core_cpus_list", id);
        snprintf(text, sizeof(text), "node%d", id);
        put_cpu(*state, id, text, NULL);
    }
    expect_topology("four nodes", *state, &expected);
}

// Before Linux 5.2 and 4.x: thread_siblings_list, no dies; here also no list of online CPUs.
static void test_old_kernel(void **state)
{
    static const struct expected expected = {
        "0:0.0.0/0@0+0 1:1.1.0/0@1+0 2:0.0.0/1@0+0 3:1.1.0/1@1+0", 2, 2, 2, 1, 2};

    for (int id = 0; id < 4; id++) {
        put_number(*state, id, "topology/physical_package_id", id % 2);
        put_number(*state, id, "topology/core_id", 0);
        put_cpu(*state, id, "topology/thread_siblings_list", id % 2 ? "1,3\n" : "0,2\n");
    }
    put(*state, CPU "cpufreq/x", "");
    put(*state, CPU "cpuidle/x", "");
    expect_topology("old kernel", *state, &expected);
}

// What the kernel does not know is -1 or missing, on some virtual and ARM machines.
static void test_unknown_ids(void **state)
{
    static const struct expected expected = {"0:0.0.0/0@0+0 1:0.0.1/0@1+0 2:0.0.2/0@2+5", 1, 1, 3, 2, 1};

    put(*state, CPU "online", "0-2\n");
    put_number(*state, 0, "topology/physical_package_id", -1);
    put_number(*state, 0, "topology/die_id", -1);
    put_number(*state, 0, "topology/core_id", -1);
    put_cpu(*state, 0, "topology/core_cpus_list", "garbage\n");
    put_cpu(*state, 1, "topology", NULL);
    put_cpu(*state, 2, "node5", NULL);
    put_cpu(*state, 2, "nodes", NULL);
    expect_topology("unknown ids", *state, &expected);
}

static void test_siblings_that_are_offline_do_not_count(void **state)
{
    static const struct expected expected = {"1:0.0.0/0@1+0", 1, 1, 1, 1, 1};

    put(*state, CPU "online", "1\n");
    put_number(*state, 1, "topology/physical_package_id", 0);
    put_number(*state, 1, "topology/core_id", 0);
    put_cpu(*state, 1, "topology/core_cpus_list", "0-1\n");
    expect_topology("offline sibling", *state, &expected);
}

static void test_errors(void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct error err = ERROR_INIT;
    struct hwtopology t;

    assert_true(hwtopology_read(*state, arena, &t, &err) < 0);
    EXPECT(strstr(err.text, "sys/devices/system/cpu"), "%s", err.text);
    put(*state, CPU "x", "");
    assert_int_equal(hwtopology_read(*state, arena, &t, &err), ERR_NOT_FOUND);
    EXPECT(strstr(err.text, "no processors in '"), "%s", err.text);
    put(*state, CPU "online", "3-1\n");
    assert_int_equal(hwtopology_read(*state, arena, &t, &err), ERR_INVALID);
    EXPECT(strstr(err.text, "/online: range runs backwards"), "%s", err.text);
    arena_free(&arena);
}

static void test_this_machine(void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct error err = ERROR_INIT;
    struct hwtopology t;
    (void)state;

    if (!file_exists("/sys/devices/system/cpu")) {
        print_message("skipped: no /sys here\n");
        skip();
    }
    EXPECT(hwtopology_read("/", arena, &t, &err) == 0, "%s", err.text);
    assert_true(t.count >= 1 && t.core_count >= 1 && t.core_count <= t.count &&
                t.socket_count <= t.core_count);
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured_machines),
        cmocka_unit_test_setup_teardown(test_numa_nodes_per_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_siblings_that_are_offline_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test(test_this_machine),
    };

    return TEST_MAIN(argc, argv, tests);
}
