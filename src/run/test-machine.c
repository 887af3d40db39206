// SPDX-License-Identifier: MIT
#include "run/machine.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"

static int set_up(void **state)
{
    char *dir = mem_strdup("/tmp/test-machine-XXXXXX");

    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);

    mem_free(*state);
    return rc;
}

static void put(const char *root, const char *folder, const char *name, const char *text)
{
    char *dir = file_join(root, folder), *path = file_join(dir, name);

    assert_int_equal(io_make_dirs(&io_system, dir, 0755, NULL), 0);
    assert_int_equal(io_replace_file(&io_system, path, slice_from_cstr(text), 0644, NULL), 0);
    mem_free(path);
    mem_free(dir);
}

static void test_oom_kills(void **state)
{
    static const struct {
        const char *cgroup, *events;
        int64_t count;
    } cases[] = {
        {"0::/user.slice\n", "low 0\noom 3\noom_kill 2\noom_group_kill 9\n", 2},
        {"12:memory:/old\n0::/user.slice\n", "oom_kill 7\n", 7},
        {"0::/user.slice\n", "oom_kill x\n", -1},
        {"0::/user.slice\n", "low 0\n", -1},
        {"0::/elsewhere\n", "oom_kill 7\n", -1},
        {"12:memory:/old\n", "oom_kill 7\n", -1}, // cgroup v1
        {"", "oom_kill 7\n", -1},
    };

    assert_int_equal(run_machine_oom_kills(*state), -1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(*state, "proc/self", "cgroup", cases[i].cgroup);
        put(*state, "sys/fs/cgroup/user.slice", "memory.events", cases[i].events);
        int64_t count = run_machine_oom_kills(*state);
        EXPECT(count == cases[i].count, "case %zu: got %lld, not %lld", i, (long long)count,
               (long long)cases[i].count);
    }
}

static void test_identity(void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct error err = ERROR_INIT;
    int *ids = NULL;
    size_t count = 0;
    bool all;
    (void)state;

    assert_int_equal(run_machine_hwthreads(arena, &ids, &count, &all, &err), 0);
    assert_true(count >= 1);
    for (size_t i = 1; i < count; i++)
        assert_true(ids[i - 1] < ids[i]);
    assert_true(run_machine_user(arena)[0] && run_machine_group(arena)[0]);
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_oom_kills, set_up, tear_down),
        cmocka_unit_test(test_identity),
    };

    return TEST_MAIN(argc, argv, tests);
}
