// SPDX-License-Identifier: MIT
#include "base/slice.h"

#include "base/mem.h"
#include "base/testing.h"

static struct slice s(const char *text)
{
    return slice_from_cstr(text);
}

static void test_comparison(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {{"", "", 0},    {"", "a", -1},  {"a", "", 1},    {"a", "a", 0},
                 {"a", "b", -1}, {"ab", "a", 1}, {"\xff", "a", 1}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int order = slice_cmp(s(cases[i].a), s(cases[i].b));

        order = (order > 0) - (order < 0);
        EXPECT(order == cases[i].order, "'%s' against '%s': got %d, not %d", cases[i].a, cases[i].b, order,
               cases[i].order);
        EXPECT(slice_eq(s(cases[i].a), s(cases[i].b)) == (cases[i].order == 0), "equality of '%s' and '%s'",
               cases[i].a, cases[i].b);
    }
    assert_true(slice_eq(slice_of(NULL, 0), SLICE_EMPTY));
    assert_true(slice_eq(s(NULL), SLICE_EMPTY));
    assert_true(slice_eq_cstr(SLICE_LITERAL("a\0b"), "a") == false);
}

static void test_ignore_case_is_ascii_only(void **state)
{
    (void)state;
    assert_true(slice_eq_ignore_case(s("Content-TYPE"), s("content-type")));
    assert_false(slice_eq_ignore_case(s("a"), s("ab")));
    assert_false(slice_eq_ignore_case(s("@"), s("`"))); // 0x40 and 0x60 are no letters
    assert_false(slice_eq_ignore_case(s("["), s("{")));
    assert_false(slice_eq_ignore_case(s("\xc3\x84"), s("\xc3\xa4")));
}

static void test_search(void **state)
{
    static const struct {
        const char *text, *needle;
        ptrdiff_t at;
    } cases[] = {{"", "", 0},     {"abc", "", 0},       {"", "a", -1},
                 {"abc", "c", 2}, {"abcabd", "abd", 3}, {"ab", "abc", -1}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ptrdiff_t at = slice_find(s(cases[i].text), s(cases[i].needle));

        EXPECT(at == cases[i].at, "'%s' in '%s': got %td, not %td", cases[i].needle, cases[i].text, at,
               cases[i].at);
        assert_int_equal(slice_contains(s(cases[i].text), s(cases[i].needle)), cases[i].at >= 0);
    }
    assert_int_equal(slice_find_byte(s("abc"), 'b'), 1);
    assert_int_equal(slice_find_byte(s("abc"), 'x'), -1);
    assert_int_equal(slice_find_byte(slice_of(NULL, 0), 'x'), -1);
    assert_true(slice_starts_with(s("abc"), s("ab")));
    assert_true(slice_starts_with(s("abc"), s("")));
    assert_false(slice_starts_with(s("ab"), s("abc")));
    assert_true(slice_ends_with(s("abc"), s("bc")));
    assert_false(slice_ends_with(s("bc"), s("abc")));
}

static void test_trim_and_skip(void **state)
{
    (void)state;
    assert_true(slice_eq_cstr(slice_trim(s(" \t\r\n a b \r\n")), "a b"));
    assert_true(slice_eq_cstr(slice_trim(s("   ")), ""));
    assert_true(slice_eq_cstr(slice_skip(s("abc"), 2), "c"));
    assert_true(slice_eq_cstr(slice_skip(s("abc"), 9), ""));
    assert_int_equal(slice_skip(slice_of(NULL, 0), 3).len, 0);
}

static void test_split(void **state)
{
    static const struct {
        const char *text, *parts;
    } cases[] = {{"", "<>"}, {"a", "<a>"}, {"a,b", "<a><b>"}, {",", "<><>"}, {"a,,b,", "<a><><b><>"}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[64] = "";
        size_t len = 0;

        for (struct slice rest = s(cases[i].text); rest.ptr;) {
            struct slice part = slice_split(&rest, ',');

            len += (size_t)snprintf(got + len, sizeof(got) - len, "<%.*s>", SLICE_FMT(part));
        }
        EXPECT(strcmp(got, cases[i].parts) == 0, "'%s': got %s, not %s", cases[i].text, got, cases[i].parts);
    }
}

static void test_copy(void **state)
{
    (void)state;
    char *text = slice_to_cstr(slice_of("abcdef", 3));
    assert_string_equal(text, "abc");
    mem_free(text);
    text = slice_to_cstr(slice_of(NULL, 0));
    assert_string_equal(text, "");
    mem_free(text);
}

// All texts of one letter repeated, and all single bit flips of one text, have different values.
static void test_hash_tells_texts_apart(void **state)
{
    char text[40] = {0};
    uint64_t hashes[40 + 8 * 40];
    size_t count = 0;
    (void)state;

    for (size_t len = 0; len < sizeof(text); len++)
        hashes[count++] = slice_hash(slice_of(text, len));
    for (size_t bit = 0; bit < 8 * sizeof(text); bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        hashes[count++] = slice_hash(slice_of(text, sizeof(text)));
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            EXPECT(hashes[i] != hashes[j], "texts %zu and %zu collide: %llx", i, j,
                   (unsigned long long)hashes[i]);
    assert_true(slice_hash_seeded(s("abc"), 1) != slice_hash_seeded(s("abc"), 2));
    assert_true(slice_hash(slice_of(NULL, 0)) == slice_hash(s("")));
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\xc2\xb5s", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xed\x9f\xbf\xee\x80\x80", true},
        {"\x80", false},
        {"\xc0\x80", false},         // overlong
        {"\xc1\xbf", false},         // overlong
        {"\xe0\x9f\xbf", false},     // overlong
        {"\xf0\x8f\xbf\xbf", false}, // overlong
        {"\xed\xa0\x80", false},     // surrogate
        {"\xf4\x90\x80\x80", false}, // above U+10FFFF
        {"\xf5\x80\x80\x80", false},
        {"\xe2\x82", false}, // cut off
        {"a\xc2", false},
        {"\xe2\x28\xa1", false},
        {"\xf0\x9f\x98\x28", false},
        {"\xff", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(slice_is_utf8(s(cases[i].text)) == cases[i].valid, "case %zu: expected %d", i, cases[i].valid);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_ignore_case_is_ascii_only),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_trim_and_skip),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_hash_tells_texts_apart),
        cmocka_unit_test(test_utf8),
    };

    return TEST_MAIN(argc, argv, tests);
}
