// SPDX-License-Identifier: MIT
#include "collector/condition.h"

#include "base/testing.h"

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        bool holds;
    } cases[] = {
        {"true", "x", true},
        {" true ", "x", true},
        {"name == 'load_one'", "load_one", true},
        {"name == 'load_one'", "load_five", false},
        {"name==\"load_one\"", "load_one", true},
        {"name == ''", "", true},
    };
    struct arena *arena = arena_new(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct condition c;
        struct error err = ERROR_INIT;
        if (condition_parse(slice_from_cstr(cases[i].text), arena, &c, &err) != 0)
            fail_msg("'%s': %s", cases[i].text, err.text);
        if (condition_holds(&c, slice_from_cstr(cases[i].name)) != cases[i].holds)
            fail_msg("'%s' for '%s' is not %d", cases[i].text, cases[i].name, cases[i].holds);
    }
    arena_free(&arena);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"", ERR_INVALID},
        {"  ", ERR_INVALID},
        {"*", ERR_UNSUPPORTED},
        {"false", ERR_UNSUPPORTED},
        {"name", ERR_UNSUPPORTED},
        {"name == load", ERR_UNSUPPORTED},
        {"name == 'a' || name == 'b'", ERR_UNSUPPORTED},
        {"name == 'it\\'s'", ERR_UNSUPPORTED},
        {"names == 'a'", ERR_UNSUPPORTED},
        {"tag.type == 'node'", ERR_UNSUPPORTED},
        {"name == 'a", ERR_UNSUPPORTED},
    };
    struct arena *arena = arena_new(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct condition c;
        struct error err = ERROR_INIT;
        int rc = condition_parse(slice_from_cstr(cases[i].text), arena, &c, &err);
        if (rc != cases[i].rc)
            fail_msg("'%s': result %d, expected %d", cases[i].text, rc, cases[i].rc);
    }
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
    };
    return TEST_MAIN(argc, argv, tests);
}
