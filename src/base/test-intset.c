// SPDX-License-Identifier: MIT
#include "base/intset.h"

#include "base/mem.h"
#include "base/testing.h"

static const char *members(const struct intset *set, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < set->count && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%lld", i ? " " : "", (long long)set->items[i]);
    return text;
}

static void test_set_operations(void **state)
{
    static const int64_t items[] = {5, -3, 9, 5, 0, INT64_MAX, INT64_MIN, 9};
    struct intset set, other;
    char text[200];
    (void)state;

    intset_init(&set);
    intset_init(&other);
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        assert_int_equal(intset_add(&set, items[i]), i != 3 && i != 7);
    assert_string_equal(members(&set, text, sizeof(text)),
                        "-9223372036854775808 -3 0 5 9 9223372036854775807");
    assert_true(intset_has(&set, 9));
    assert_false(intset_has(&set, 8));
    assert_true(intset_remove(&set, INT64_MIN));
    assert_true(intset_remove(&set, INT64_MAX));
    assert_false(intset_remove(&set, 7));
    assert_false(intset_intersects(&set, &other));
    intset_add(&other, 1);
    intset_add(&other, 8);
    assert_false(intset_intersects(&set, &other));
    intset_add(&other, 9);
    assert_true(intset_intersects(&set, &other));
    assert_true(intset_intersects(&other, &set));
    intset_add_all(&set, &other);
    assert_string_equal(members(&set, text, sizeof(text)), "-3 0 1 5 8 9");
    intset_release(&set);
    intset_release(&other);
}

static void test_lists(void **state)
{
    static const struct {
        const char *text, *members, *error;
    } cases[] = {
        {"0", "0", NULL},
        {"0-3,8,10-11", "0 1 2 3 8 10 11", NULL},
        {"0-3\n", "0 1 2 3", NULL},
        {"", "", NULL},
        {"\n", "", NULL},
        {"7,1,7-8", "1 7 8", NULL},
        {"5-5", "5", NULL},
        {"0-3,", NULL, "not a number: ''"},
        {",", NULL, "not a number: ''"},
        {"1-", NULL, "not a number: ''"},
        {"-1", NULL, "not a number: ''"},
        {"1-2-3", NULL, "not a number: '2-3'"},
        {"0-7:2/4", NULL, "not a number: '7:2/4'"},
        {"a", NULL, "not a number: 'a'"},
        {" 1", NULL, "not a number: ' 1'"},
        {"1\n\n", NULL, "not a number: '1\n'"},
        {"3-1", NULL, "range runs backwards: '3-1'"},
        {"0-65536", NULL, "range is too large: '0-65536'"},
        {"18446744073709551615", NULL, "range is too large: '18446744073709551615'"},
        {"18446744073709551616", NULL, "number out of range: '18446744073709551616'"},
        {"0-65535,65536", NULL, "more than 65536 members"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct intset set;
        char text[200];

        intset_init(&set);
        int rc = intset_parse_list(&set, slice_from_cstr(cases[i].text), &err);
        if (cases[i].error) {
            EXPECT(rc < 0 && strcmp(err.text, cases[i].error) == 0, "'%s': got %d '%s', not '%s'",
                   cases[i].text, rc, err.text, cases[i].error);
            EXPECT(set.count == 0, "'%s': the set was changed", cases[i].text);
        } else {
            EXPECT(rc == 0 && strcmp(members(&set, text, sizeof(text)), cases[i].members) == 0,
                   "'%s': got %d '%s' (%s), not '%s'", cases[i].text, rc, text, err.text, cases[i].members);
        }
        intset_release(&set);
    }
}

static void test_largest_list(void **state)
{
    struct intset set;
    (void)state;

    intset_init(&set);
    assert_int_equal(intset_parse_list(&set, SLICE_LITERAL("0-65535"), NULL), 0);
    assert_int_equal(set.count, 65536);
    intset_release(&set);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_operations),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_largest_list),
    };

    return TEST_MAIN(argc, argv, tests);
}
