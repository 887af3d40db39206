// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macros.h"
#include "metricstore/used-nodes.h"

// Both shapes of the answer, and a cluster that has the name of the wrapper.
static void test_ms_03_shapes(void **state)
{
    static const struct {
        const char *json;
        size_t count;
        const char *cluster, *host;
    } cases[] = {
        {"{}", 0, NULL, NULL},
        {"{\"c\":[\"h1\",\"h2\"],\"d\":[]}", 2, "c", "h2"},
        {"{\"c\":null}", 0, NULL, NULL},
        {"{\"usedNodes\":{\"c\":[\"h1\"]}}", 1, "c", "h1"},
        {"{\"usedNodes\":{}}", 0, NULL, NULL},
        {"{\"usedNodes\":[\"h1\"]}", 1, "usedNodes", "h1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct used_nodes *nodes = NULL;
        struct error err = ERROR_INIT;
        if (used_nodes_parse(slice_from_cstr(cases[i].json), &nodes, &err) < 0)
            fail_msg("%s: %s", cases[i].json, err.text);
        if (used_nodes_count(nodes) != cases[i].count)
            fail_msg("%s: %zu hosts, expected %zu", cases[i].json, used_nodes_count(nodes), cases[i].count);
        if (cases[i].cluster)
            assert_true(
                used_nodes_has(nodes, slice_from_cstr(cases[i].cluster), slice_from_cstr(cases[i].host)));
        assert_false(used_nodes_has(nodes, SLICE_LITERAL("c"), SLICE_LITERAL("nobody")));
        used_nodes_free(&nodes);
    }
}

static void test_refused(void **state)
{
    static const char *const cases[] = {
        "", "[]", "5", "{\"c\":5}", "{\"usedNodes\":{\"c\":\"h\"}}", "{\"c\":[", "<html>"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct used_nodes *nodes = NULL;
        struct error err = ERROR_INIT;
        if (used_nodes_parse(slice_from_cstr(cases[i]), &nodes, &err) != ERR_INVALID || !err.text[0])
            fail_msg("'%s' was not refused", cases[i]);
        assert_null(nodes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ms_03_shapes),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
