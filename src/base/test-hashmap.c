// SPDX-License-Identifier: MIT
#include "base/hashmap.h"

#include "base/testing.h"

static int values[10000];

static struct slice key_of(int number, char *text)
{
    return slice_of(text, (size_t)snprintf(text, 32, "key-%d", number));
}

static void test_put_get_remove(void **state)
{
    struct hashmap *map = hashmap_new();
    (void)state;

    assert_null(hashmap_get(map, SLICE_LITERAL("a")));
    assert_null(hashmap_remove(map, SLICE_LITERAL("a")));
    assert_null(hashmap_put(map, SLICE_LITERAL("a"), &values[1]));
    assert_ptr_equal(hashmap_put(map, SLICE_LITERAL("a"), &values[2]), &values[1]);
    assert_int_equal(hashmap_count(map), 1);
    assert_null(hashmap_put(map, SLICE_LITERAL(""), &values[3]));
    assert_ptr_equal(hashmap_get(map, slice_of(NULL, 0)), &values[3]);
    assert_null(hashmap_put(map, slice_of("a\0b", 3), NULL));
    assert_true(hashmap_has(map, slice_of("a\0b", 3)));
    assert_false(hashmap_has(map, slice_of("a\0c", 3)));
    assert_ptr_equal(hashmap_remove(map, SLICE_LITERAL("a")), &values[2]);
    assert_false(hashmap_has(map, SLICE_LITERAL("a")));
    assert_int_equal(hashmap_count(map), 2);
    hashmap_clear(map);
    assert_int_equal(hashmap_count(map), 0);
    assert_false(hashmap_has(map, SLICE_LITERAL("")));
    hashmap_free(&map);
    assert_null(map);
    hashmap_free(&map);
}

// The map against a plain array of flags, through many insertions and removals.
static void test_agrees_with_an_array(void **state)
{
    struct hashmap *map = hashmap_new();
    static bool present[10000];
    unsigned random = 12345;
    size_t count = 0;
    char text[32];
    (void)state;

    for (int step = 0; step < 60000; step++) {
        random = random * 1103515245 + 12345;
        int n = (int)(random >> 8) % (step % 20000 < 10000 ? 10000 : 50);
        struct slice key = key_of(n, text);

        if (random >> 30) {
            void *old = hashmap_put(map, key, &values[n]);

            EXPECT((old != NULL) == present[n], "step %d: put of %d gave %p", step, n, old);
            count += !present[n];
            present[n] = true;
        } else {
            void *old = hashmap_remove(map, key);

            EXPECT((old != NULL) == present[n], "step %d: removal of %d gave %p", step, n, old);
            count -= present[n];
            present[n] = false;
        }
        assert_int_equal(hashmap_count(map), count);
    }
    for (int n = 0; n < 10000; n++)
        EXPECT(hashmap_get(map, key_of(n, text)) == (present[n] ? &values[n] : NULL), "key %d is wrong", n);
    size_t seen = 0;
    for (size_t i = 0; hashmap_next(map, &i, NULL, NULL);)
        seen++;
    assert_int_equal(seen, count);
    hashmap_free(&map);
}

static void test_iteration_is_in_order_of_insertion(void **state)
{
    struct hashmap *map = hashmap_new();
    struct slice key;
    char text[32];
    void *value;
    int n = 0;
    (void)state;

    for (int i = 0; i < 1000; i++)
        hashmap_put(map, key_of(i, text), &values[i]);
    for (size_t i = 0; hashmap_next(map, &i, &key, &value); n++) {
        EXPECT(slice_eq(key, key_of(n, text)), "place %d holds '%.*s'", n, SLICE_FMT(key));
        assert_ptr_equal(value, &values[n]);
    }
    assert_int_equal(n, 1000);
    hashmap_free(&map);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_agrees_with_an_array),
        cmocka_unit_test(test_iteration_is_in_order_of_insertion),
    };

    return TEST_MAIN(argc, argv, tests);
}
