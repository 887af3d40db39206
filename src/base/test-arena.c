// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include "base/testing.h"

static bool is_zero(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

// Sizes around every border: alignment, share of a block, a block, the largest block.
static void test_memory_is_zeroed_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {0,    1,    15,   16,   17,    100,     1023,
                                   1024, 1025, 4096, 5000, 70000, 1 << 20, 3 << 20};
    struct arena *arena = arena_new(SIZE_MAX);
    (void)state;

    for (int round = 0; round < 3; round++) {
        char *given[3 * ARRAY_LEN(sizes)];

        for (size_t i = 0; i < ARRAY_LEN(given); i++) {
            size_t size = sizes[i % ARRAY_LEN(sizes)];

            given[i] = arena_alloc(arena, size);
            EXPECT((uintptr_t)given[i] % 16 == 0, "size %zu: not aligned", size);
            EXPECT(is_zero(given[i], size), "round %d, size %zu: not zeroed", round, size);
            memset(given[i], (int)i + 1, size);
        }
        for (size_t i = 0; i < ARRAY_LEN(given); i++)
            for (size_t k = 0; k < sizes[i % ARRAY_LEN(sizes)]; k++)
                EXPECT(given[i][k] == (char)(i + 1), "allocation %zu was overwritten at %zu", i, k);
        arena_clear(arena);
        assert_int_equal(arena_used_bytes(arena), 0);
    }
    arena_free(&arena);
    assert_null(arena);
    arena_free(&arena);
}

#ifndef __SANITIZE_ADDRESS__ // each allocation is one of malloc with it
// Used for the same again and again, an arena has all of it in one block from the second time on.
static void test_same_use_takes_the_same_memory(void **state)
{
    struct arena *arena = arena_new(SIZE_MAX);
    char *first = NULL;
    (void)state;

    for (int round = 0; round < 5; round++) {
        char *small = arena_alloc(arena, 100), *large = arena_alloc(arena, 50000);

        EXPECT(round < 1 || large - small == 112, "round %d: two blocks", round);
        EXPECT(round < 2 || small == first, "round %d: other memory", round);
        first = small;
        arena_clear(arena);
    }
    arena_free(&arena);
}
#endif

static void test_maximum(void **state)
{
    struct arena *arena = arena_new(100);
    (void)state;

    assert_non_null(arena_try_alloc(arena, 60));
    assert_null(arena_try_alloc(arena, 41));
    assert_non_null(arena_try_alloc(arena, 40));
    assert_null(arena_try_alloc(arena, SIZE_MAX));
    assert_int_equal(arena_used_bytes(arena), 100);
    arena_clear(arena);
    assert_non_null(arena_try_alloc(arena, 100));
    arena_free(&arena);
}

static void test_unlimited_arena_refuses_the_absurd(void **state)
{
    struct arena *arena = arena_new(SIZE_MAX);
    volatile size_t absurd = SIZE_MAX - 8;
    (void)state;

    assert_null(arena_try_alloc(arena, absurd));
    arena_free(&arena);
}

static void test_text(void **state)
{
    struct arena *arena = arena_new(100000);
    (void)state;

    struct slice copy = arena_copy(arena, slice_of("abcdef", 3));
    assert_int_equal(copy.len, 3);
    assert_string_equal(copy.ptr, "abc");
    assert_string_equal(arena_copy(arena, slice_of(NULL, 0)).ptr, "");
    assert_string_equal(arena_strdup(arena, slice_of("xyz", 2)), "xy");
    assert_string_equal(arena_printf(arena, "%s-%05d", "n", 42), "n-00042");
    assert_int_equal(strlen(arena_printf(arena, "%5000s", "")), 5000);
    int *numbers = ARENA_ARRAY(arena, int, 7);
    assert_true(is_zero((char *)numbers, 7 * sizeof(int)));
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_apart),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_same_use_takes_the_same_memory),
#endif
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_unlimited_arena_refuses_the_absurd),
        cmocka_unit_test(test_text),
    };

    return TEST_MAIN(argc, argv, tests);
}
