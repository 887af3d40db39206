// SPDX-License-Identifier: MIT
#include "model/scope.h"

#include "base/testing.h"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum scope scope;
        int rank;
    } cases[] = {
        {"node", SCOPE_NODE, 10},
        {"socket", SCOPE_SOCKET, 5},
        {"memoryDomain", SCOPE_MEMORY_DOMAIN, 4},
        {"core", SCOPE_CORE, 3},
        {"hwthread", SCOPE_HWTHREAD, 2},
        {"accelerator", SCOPE_ACCELERATOR, 1},
        {"memorydomain", SCOPE_INVALID, 0},
        {"Node", SCOPE_INVALID, 0},
        {"cpu", SCOPE_INVALID, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum scope scope = scope_from_name(slice_from_cstr(cases[i].name));

        EXPECT(scope == cases[i].scope, "'%s': got %d, not %d", cases[i].name, scope, cases[i].scope);
        EXPECT(scope_rank(scope) == cases[i].rank, "'%s': rank %d", cases[i].name, scope_rank(scope));
        EXPECT(!scope || strcmp(scope_name(scope), cases[i].name) == 0, "'%s' is called '%s'", cases[i].name,
               scope_name(scope));
    }
    assert_int_equal(scope_from_name(SLICE_EMPTY), SCOPE_NODE);
}

static void test_coarser(void **state)
{
    (void)state;
    assert_int_equal(scope_coarser(SCOPE_NODE, SCOPE_CORE), SCOPE_NODE);
    assert_int_equal(scope_coarser(SCOPE_ACCELERATOR, SCOPE_HWTHREAD), SCOPE_HWTHREAD);
    assert_int_equal(scope_coarser(SCOPE_SOCKET, SCOPE_MEMORY_DOMAIN), SCOPE_SOCKET);
    assert_int_equal(scope_coarser(SCOPE_CORE, SCOPE_CORE), SCOPE_CORE);
}

static void test_aggregations(void **state)
{
    static const struct {
        const char *name;
        enum aggregation aggregation;
        bool known;
    } cases[] = {{"", AGGREGATION_NONE, true},
                 {"sum", AGGREGATION_SUM, true},
                 {"avg", AGGREGATION_AVG, true},
                 {"invalid", AGGREGATION_NONE, false},
                 {"Sum", AGGREGATION_NONE, false}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool known = !cases[i].known;
        enum aggregation aggregation = aggregation_from_name(slice_from_cstr(cases[i].name), &known);

        EXPECT(aggregation == cases[i].aggregation && known == cases[i].known, "'%s': got %d %d",
               cases[i].name, aggregation, known);
    }
    assert_string_equal(aggregation_name(AGGREGATION_SUM), "sum");
    assert_string_equal(aggregation_name(AGGREGATION_AVG), "avg");
    assert_string_equal(aggregation_name(AGGREGATION_NONE), "");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_coarser),
        cmocka_unit_test(test_aggregations),
    };

    return TEST_MAIN(argc, argv, tests);
}
