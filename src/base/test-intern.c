// SPDX-License-Identifier: MIT
#include "base/intern.h"

#include <pthread.h>

#include "base/testing.h"

#define MANY 20000

static struct slice name_of(uint32_t number, char *text)
{
    return slice_of(text, (size_t)snprintf(text, 32, "host%u", number));
}

static void test_numbers_have_no_gaps(void **state)
{
    struct intern *table = intern_new();
    char text[32];
    (void)state;

    assert_int_equal(intern_find(table, SLICE_LITERAL("x")), INTERN_NONE);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(intern_add(table, name_of(i, text)), i);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(intern_add(table, name_of(i, text)), i);
        assert_int_equal(intern_find(table, name_of(i, text)), i);
        assert_true(slice_eq(intern_text(table, i), name_of(i, text)));
    }
    assert_int_equal(intern_count(table), MANY);
    assert_in_range(intern_memory_bytes(table), (size_t)MANY * 9, (size_t)MANY * 100);
    intern_free(&table);
    assert_null(table);
    intern_free(&table);
}

static void test_empty_text(void **state)
{
    struct intern *table = intern_new();
    (void)state;

    assert_int_equal(intern_add(table, slice_of(NULL, 0)), 0);
    assert_int_equal(intern_add(table, SLICE_EMPTY), 0);
    assert_int_equal(intern_text(table, 0).len, 0);
    intern_free(&table);
}

static void *add_all(void *arg)
{
    struct intern *table = arg;
    char text[32];

    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t id = intern_add(table, name_of(i, text));

        if (!slice_eq(intern_text(table, id), name_of(i, text)))
            return (void *)"wrong text";
    }
    return NULL;
}

static void test_threads_agree(void **state)
{
    struct intern *table = intern_new();
    pthread_t threads[4];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, table), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *problem;

        assert_int_equal(pthread_join(threads[i], &problem), 0);
        EXPECT(problem == NULL, "thread %zu: %s", i, (char *)problem);
    }
    assert_int_equal(intern_count(table), MANY);
    intern_free(&table);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_have_no_gaps),
        cmocka_unit_test(test_empty_text),
        cmocka_unit_test(test_threads_agree),
    };

    return TEST_MAIN(argc, argv, tests);
}
