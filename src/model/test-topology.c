// SPDX-License-Identifier: MIT
#include "model/topology.h"

#include "base/testing.h"

static void test_reading(void **state)
{
    static const char text[] =
        "{\"node\":[0,1,2,3,4,5,6,7],\"socket\":[[0,1,4,5],[2,3,6,7]],"
        "\"memoryDomain\":[[0,1,4,5],[2,3,6,7]],\"core\":[[0,4],[1,5],[2,6],[3,7]],"
        "\"accelerators\":[{\"id\":\"00000000:01:00.0\",\"type\":\"Nvidia GPU\",\"model\":\"A40\"}]}";
    struct arena *arena = arena_new(1 << 20);
    struct json_doc *doc = NULL;
    struct topology t;
    (void)state;

    assert_int_equal(json_parse(slice_from_cstr(text), &doc, NULL), 0);
    assert_int_equal(topology_from_json(json_root(doc), arena, &t, NULL), 0);
    assert_int_equal(t.node.count, 8);
    assert_int_equal(t.socket_count, 2);
    assert_int_equal(t.sockets[1].threads[2], 6);
    assert_int_equal(t.memory_domain_count, 2);
    assert_int_equal(t.die_count, 0);
    assert_int_equal(t.core_count, 4);
    assert_int_equal(t.accelerator_count, 1);
    assert_string_equal(t.accelerators[0].id, "00000000:01:00.0");
    assert_string_equal(t.accelerators[0].type, "Nvidia GPU");
    assert_string_equal(t.accelerators[0].model, "A40");

    static const int threads[] = {6, 1};
    int *ids;
    size_t count;
    topology_groups_of_threads(t.cores, t.core_count, threads, 2, arena, &ids, &count);
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 2);
    topology_groups_of_threads(t.sockets, t.socket_count, threads, 1, arena, &ids, &count);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 1);
    topology_groups_of_threads(t.sockets, t.socket_count, threads, 0, arena, &ids, &count);
    assert_int_equal(count, 0);
    topology_groups_of_threads(t.dies, t.die_count, threads, 2, arena, &ids, &count);
    assert_int_equal(count, 0);
    json_doc_free(&doc);
    arena_free(&arena);
}

static void test_what_may_be_missing(void **state)
{
    static const char *const texts[] = {"{}", "null", "{\"node\":null,\"core\":null,\"accelerators\":null}"};
    struct arena *arena = arena_new(1 << 20);
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct topology t = {.core_count = 7};
        struct json_doc *doc = NULL;

        assert_int_equal(json_parse(slice_from_cstr(texts[i]), &doc, NULL), 0);
        EXPECT(topology_from_json(json_root(doc), arena, &t, NULL) == 0 && t.core_count == 0, "'%s'",
               texts[i]);
        json_doc_free(&doc);
    }
    arena_free(&arena);
}

static void test_errors_name_the_place(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[]", "line 1, column 1: topology: 'topology' must be an object, not array"},
        {"{\"node\":7}",
         "line 1, column 9: topology: 'node' must be a list of hardware threads, not integer"},
        {"{\"node\":[0,\n \"1\"]}", "line 2, column 2: topology: 'node' must be a list of hardware threads "
                                    "(whole numbers from 0), not string"},
        {"{\"node\":[-1]}", "line 1, column 10: topology: 'node' must be a list of hardware threads (whole "
                            "numbers from 0), not integer"},
        {"{\"node\":[0.5]}", "line 1, column 10: topology: 'node' must be a list of hardware threads (whole "
                             "numbers from 0), not number"},
        {"{\"node\":[2147483648]}", "line 1, column 10: topology: 'node' must be a list of hardware threads "
                                    "(whole numbers from 0), not integer"},
        {"{\"core\":[0]}",
         "line 1, column 10: topology: 'core' must be a list of hardware threads, not integer"},
        {"{\"socket\":{}}",
         "line 1, column 11: topology: 'socket' must be a list of lists of hardware threads, not object"},
        {"{\"accelerators\":[1]}",
         "line 1, column 18: topology: 'accelerators' must be a list of objects, not integer"},
        {"{\"accelerators\":{}}", "line 1, column 17: topology: 'accelerators' must be a list, not object"},
        {"{\"accelerators\":[{\"id\":3}]}", "line 1, column 24: topology: 'id' must be text, not integer"},
    };
    struct arena *arena = arena_new(1 << 20);
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct json_doc *doc = NULL;
        struct topology t;

        assert_int_equal(json_parse(slice_from_cstr(cases[i].text), &doc, NULL), 0);
        int rc = topology_from_json(json_root(doc), arena, &t, &err);
        EXPECT(rc == ERR_INVALID && strcmp(err.text, cases[i].error) == 0, "'%s': got %d '%s', not '%s'",
               cases[i].text, rc, err.text, cases[i].error);
        json_doc_free(&doc);
    }
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_what_may_be_missing),
        cmocka_unit_test(test_errors_name_the_place),
    };

    return TEST_MAIN(argc, argv, tests);
}
