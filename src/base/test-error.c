// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <errno.h>

#include "base/testing.h"

static void test_set_fills_and_returns(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;

    assert_int_equal(error_set(&err, ERR_LIMIT, "%d is too much", 7), ERR_LIMIT);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "7 is too much");
    assert_int_equal(err.line, 0);
    assert_int_equal(error_set_at(&err, ERR_INVALID, 3, 9, "bad"), ERR_INVALID);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 9);
}

static void test_null_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(error_set_at(NULL, ERR_IO, 1, 1, "x"), ERR_IO);
    errno = ENOSPC;
    assert_int_equal(error_set_errno(NULL, "x"), ERR_NO_SPACE);
    assert_int_equal(error_prefix(NULL, "x"), ERR_INTERNAL);
}

static void test_prefix_keeps_code_and_position(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;

    ignore_result(error_set_at(&err, ERR_CORRUPT, 2, 5, "no end"));
    assert_int_equal(error_prefix(&err, "day %d", 12), ERR_CORRUPT);
    assert_int_equal(error_prefix(&err, "archive"), ERR_CORRUPT);
    assert_string_equal(err.text, "archive: day 12: no end");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 5);
}

static void test_text_may_quote_itself(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;

    ignore_result(error_set(&err, ERR_IO, "inner"));
    ignore_result(error_set(&err, ERR_INVALID, "outer (%s)", err.text));
    assert_string_equal(err.text, "outer (inner)");
}

static void test_long_texts_are_cut(void **state)
{
    struct error err = ERROR_INIT;
    char text[2 * ERROR_TEXT_SIZE];
    (void)state;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ignore_result(error_set(&err, ERR_IO, "%s", text));
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    ignore_result(error_prefix(&err, "front"));
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    assert_memory_equal(err.text, "front: xxx", 10);
    ignore_result(error_prefix(&err, "%s", text));
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    errno = EIO;
    ignore_result(error_set_errno(&err, "%s", text));
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

static void test_errno_gives_code_and_text(void **state)
{
    static const struct {
        int number;
        enum error_code code;
        const char *text;
    } cases[] = {
        {ENOENT, ERR_NOT_FOUND, "cannot open 'x': No such file or directory"},
        {EEXIST, ERR_EXISTS, "cannot open 'x': File exists"},
        {ENOSPC, ERR_NO_SPACE, "cannot open 'x': No space left on device"},
        {EDQUOT, ERR_NO_SPACE, "cannot open 'x': Disk quota exceeded"},
        {EACCES, ERR_IO, "cannot open 'x': Permission denied"},
        {EBUSY, ERR_BUSY, "cannot open 'x': Device or resource busy"},
        {ETIMEDOUT, ERR_TIMEOUT, "cannot open 'x': Connection timed out"},
        {EPIPE, ERR_CLOSED, "cannot open 'x': Broken pipe"},
        {EIO, ERR_IO, "cannot open 'x': Input/output error"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;

        errno = cases[i].number;
        int rc = error_set_errno(&err, "cannot open '%s'", "x");
        EXPECT(rc == (int)cases[i].code && strcmp(err.text, cases[i].text) == 0,
               "errno %d: got %d '%s', not %d '%s'", cases[i].number, rc, err.text, cases[i].code,
               cases[i].text);
    }
}

static void test_every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = 0; code >= ERR_INTERNAL; code--)
        EXPECT(strcmp(error_code_name((enum error_code)code), "unknown") != 0, "code %d has no name", code);
    assert_string_equal(error_code_name(ERR_CORRUPT), "corrupt");
    assert_string_equal(error_code_name(ERR_INTERNAL), "internal");
    assert_string_equal(error_code_name((enum error_code)(ERR_INTERNAL - 1)), "unknown");
    assert_string_equal(error_code_name((enum error_code)1), "unknown");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_fills_and_returns),
        cmocka_unit_test(test_null_is_accepted),
        cmocka_unit_test(test_prefix_keeps_code_and_position),
        cmocka_unit_test(test_text_may_quote_itself),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_errno_gives_code_and_text),
        cmocka_unit_test(test_every_code_has_a_name),
    };

    return TEST_MAIN(argc, argv, tests);
}
