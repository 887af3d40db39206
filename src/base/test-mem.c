// SPDX-License-Identifier: MIT
#include "base/mem.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.h"

static void test_memory_comes_zeroed(void **state)
{
    (void)state;
    for (size_t size = 0; size < 5000; size += 499) {
        char *bytes = mem_alloc(size);

        for (size_t i = 0; i < size; i++)
            EXPECT(bytes[i] == 0, "size %zu: byte %zu is %d", size, i, bytes[i]);
        mem_free(bytes);
    }
    mem_free(NULL);
}

static void test_grown_part_is_zeroed(void **state)
{
    int *numbers = NULL;
    size_t cap = 0;
    (void)state;

    for (int i = 0; i < 100; i++) {
        ENSURE_CAPACITY(numbers, cap, i + 1);
        EXPECT(numbers[i] == 0, "item %d is %d", i, numbers[i]);
        numbers[i] = i + 1;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(numbers[i], i + 1);
    assert_in_range(cap, 100, 200);
    mem_free(numbers);
}

static void test_next_capacity(void **state)
{
    static const struct {
        size_t have, need, next;
    } cases[] = {{0, 1, 8}, {8, 9, 12}, {8, 100, 100}, {100, 101, 150}, {SIZE_MAX - 10, SIZE_MAX, SIZE_MAX}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t next = mem_next_capacity(cases[i].have, cases[i].need);

        EXPECT(next == cases[i].next, "%zu for %zu: got %zu, not %zu", cases[i].have, cases[i].need, next,
               cases[i].next);
    }
}

static void test_copies(void **state)
{
    (void)state;
    char *text = mem_strdup("abc");
    assert_string_equal(text, "abc");
    mem_free(text);
    text = mem_strndup("abc", 2);
    assert_string_equal(text, "ab");
    mem_free(text);
    text = mem_strndup(NULL, 0);
    assert_string_equal(text, "");
    mem_free(text);
    char *bytes = mem_memdup("a\0b", 3);
    assert_memory_equal(bytes, "a\0b", 3);
    mem_free(bytes);
}

static int death_of(void (*function)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        function();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static volatile size_t huge_count = SIZE_MAX / 2;

static void multiply_too_much(void)
{
    mem_free(mem_alloc_array(huge_count, 16));
}

static void assert_wrongly(void)
{
    ASSERT(huge_count == 0);
}

static void assert_rightly(void)
{
    ASSERT(huge_count != 0);
}

static void test_bugs_abort(void **state)
{
    (void)state;
    assert_int_equal(death_of(multiply_too_much), SIGABRT);
    assert_int_equal(death_of(assert_wrongly), SIGABRT);
    assert_int_equal(death_of(assert_rightly), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_comes_zeroed), cmocka_unit_test(test_grown_part_is_zeroed),
        cmocka_unit_test(test_next_capacity),       cmocka_unit_test(test_copies),
        cmocka_unit_test(test_bugs_abort),
    };

    return TEST_MAIN(argc, argv, tests);
}
