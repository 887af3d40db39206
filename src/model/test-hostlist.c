// SPDX-License-Identifier: MIT
#include "model/hostlist.h"

#include "base/buf.h"
#include "base/testing.h"

static struct hostlist *parse(const char *text)
{
    struct error err = ERROR_INIT;
    struct hostlist *list = NULL;

    EXPECT(hostlist_parse(slice_from_cstr(text), &list, &err) == 0, "'%s': %s", text, err.text);
    return list;
}

static void test_matching(void **state)
{
    static const struct {
        const char *list, *host;
        bool contained;
    } cases[] = {
#define MIXED "hallo,wel123t,emmy[01-99],fritz[005-500],woody[100-200]"
        {MIXED, "hallo", true},
        {MIXED, "wel123t", true},
        {MIXED, "emmy01", true},
        {MIXED, "emmy42", true},
        {MIXED, "emmy99", true},
        {MIXED, "woody100", true},
        {MIXED, "woody199", true},
        {MIXED, "hello", false},
        {MIXED, "woody", false},
        {MIXED, "fritz1", false},
        {MIXED, "fritz9", false},
        {MIXED, "fritz004", false},
        {MIXED, "woody201", false},
        {MIXED, "fritz5", false},
        {MIXED, "hallo2", false},
        {MIXED, "hall", false},
        {MIXED, "", false},
#define RANGES "a[1000-2000,2010-2090,3000-5000]"
        {RANGES, "a1001", true},
        {RANGES, "a2000", true},
        {RANGES, "a2042", true},
        {RANGES, "a4321", true},
        {RANGES, "a3000", true},
        {RANGES, "a0", false},
        {RANGES, "a0000", false},
        {RANGES, "a5001", false},
        {RANGES, "a2005", false},
#define DASHES "cn-0010,cn0011,cn-00[13-18,22-24]"
        {DASHES, "cn-0010", true},
        {DASHES, "cn0011", true},
        {DASHES, "cn-0013", true},
        {DASHES, "cn-0015", true},
        {DASHES, "cn-0018", true},
        {DASHES, "cn-0022", true},
        {DASHES, "cn-0019", false},
        {"r[1-2]n[01-04]", "r1n03", true},
        {"r[1-2]n[01-04]", "r3n03", false},
        {"r[1-2]n[01-04]", "r1", false},
        {"node[1-9]", "node7", true},
        {"node[1-9]", "node10", false},
        {"", "", false},
        {"", "a", false},
        {"a,,b", "", false},
        {"a,,b", "b", true},
        {"a,", "a", true},
        {",", "", false},
        {"[1-3]", "2", true},
        {"[10-05]", "07", false},   // backwards: no member
        {"n[01-99]", "n+5", false}, // a sign is no digit
        {"n[01-99]", "n-5", false},
        {"n[01-99]", "n 5", false},
        {"[1-3][1-3]", "23", true},
        {"[1-3][1-3]", "2", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hostlist *list = parse(cases[i].list);

        EXPECT(hostlist_contains(list, slice_from_cstr(cases[i].host)) == cases[i].contained,
               "'%s' in '%s': not %d", cases[i].host, cases[i].list, cases[i].contained);
        hostlist_free(&list);
        assert_null(list);
    }
}

// Upstream takes the first range that fits and leaves the rest of the name.
static void test_all_ranges_are_tried(void **state)
{
    static const char *const hosts[] = {"n1", "n9", "n10", "n15", "n20"};
    struct hostlist *list = parse("n[1-9,10-20]");
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        EXPECT(hostlist_contains(list, slice_from_cstr(hosts[i])), "'%s' is not contained", hosts[i]);
    assert_false(hostlist_contains(list, SLICE_LITERAL("n21")));
    assert_false(hostlist_contains(list, SLICE_LITERAL("n0")));
    hostlist_free(&list);
}

static void test_overlong_host(void **state)
{
    struct hostlist *list = parse("a[1-9]");
    char host[400];
    (void)state;

    memset(host, 'a', sizeof(host));
    assert_false(hostlist_contains(list, slice_of(host, sizeof(host))));
    assert_false(hostlist_contains(list, slice_of(host, 255)));
    hostlist_free(&list);
}

// Ranges of two widths in many brackets: all ways to read the name, yet no exponential search.
static void test_ambiguous_lists_are_matched_quickly(void **state)
{
    struct buf text, host;
    (void)state;

    buf_init(&text, 100000);
    buf_init(&host, 100000);
    for (int i = 0; i < 60; i++)
        buf_append_cstr(&text, "[1-1,11-11,111-111]");
    buf_append_fill(&host, '1', 100);
    struct hostlist *list = parse(buf_cstr(&text));
    assert_true(hostlist_contains(list, buf_slice(&host)));
    buf_append_byte(&host, '2');
    assert_false(hostlist_contains(list, buf_slice(&host)));
    hostlist_free(&list);
    buf_release(&text);
    buf_release(&host);
}

static void test_errors(void **state)
{
    static const struct {
        const char *list, *error;
    } cases[] = {
        {"node[9-10]", "ARCHIVE/NODELIST > 9 and 10 are not of equal length or of length zero"},
        {"node[-]", "ARCHIVE/NODELIST >  and  are not of equal length or of length zero"},
        {"node[05]", "ARCHIVE/NODELIST > no '-' found inside '[...]'"},
        {"node[]", "ARCHIVE/NODELIST > no '-' found inside '[...]'"},
        {"node[1-2,]", "ARCHIVE/NODELIST > no '-' found inside '[...]'"},
        {"node[01-05", "ARCHIVE/NODELIST > unclosed '['"},
        {"a,b[1-2],c[", "ARCHIVE/NODELIST > unclosed '['"},
        {"node_1", "ARCHIVE/NODELIST > invalid character: 95"},
        {"a.b", "ARCHIVE/NODELIST > invalid character: 46"},
        {" a", "ARCHIVE/NODELIST > invalid character: 32"},
        {"a, b", "ARCHIVE/NODELIST > invalid character: 32"},
        {"-a", "ARCHIVE/NODELIST > invalid character: 45"},
        {"a]", "ARCHIVE/NODELIST > invalid character: 93"},
        {"*", "ARCHIVE/NODELIST > invalid character: 42"},
        {"\xc3\xa4", "ARCHIVE/NODELIST > invalid character: 195"},
        {"n[a-b]", "ARCHIVE/NODELIST > could not parse int: not a number: 'a'"},
        {"n[+1-+2]", "ARCHIVE/NODELIST > could not parse int: not a number: '+1'"},
        {"n[1-2-3]", "ARCHIVE/NODELIST > 1 and 2-3 are not of equal length or of length zero"},
        {"n[0000000000000000001-0000000000000000002]",
         "ARCHIVE/NODELIST > could not parse int: more than 18 digits"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct hostlist *list = NULL;
        int rc = hostlist_parse(slice_from_cstr(cases[i].list), &list, &err);

        EXPECT(rc == ERR_INVALID && strcmp(err.text, cases[i].error) == 0, "'%s': got %d '%s', not '%s'",
               cases[i].list, rc, err.text, cases[i].error);
        assert_null(list);
    }
}

static void test_expansion(void **state)
{
    static const struct {
        const char *list, *names;
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {"a,,b,", "a b"},
        {"emmy[08-11]", "emmy08 emmy09 emmy10 emmy11"},
        {DASHES, "cn-0010 cn0011 cn-0013 cn-0014 cn-0015 cn-0016 cn-0017 cn-0018 cn-0022 cn-0023 cn-0024"},
        {"r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02"}, // upstream: r1 r2
        {"n[01-02]-gpu", "n01-gpu n02-gpu"},           // upstream: not accepted
        {"[1-3]", "1 2 3"},
        {"a[5-3]", ""},
        {"a[5-3,7-8]", "a7 a8"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hostlist *list = parse(cases[i].list);
        char **names = NULL;
        size_t count = 0;
        struct buf got;

        buf_init(&got, 100000);
        assert_int_equal(hostlist_expand(list, &names, &count, NULL), 0);
        for (size_t k = 0; k < count; k++) {
            buf_printf(&got, "%s%s", k ? " " : "", names[k]);
            EXPECT(hostlist_contains(list, slice_from_cstr(names[k])), "'%s' does not contain its '%s'",
                   cases[i].list, names[k]);
        }
        EXPECT(strcmp(buf_cstr(&got), cases[i].names) == 0, "'%s': got '%s', not '%s'", cases[i].list,
               buf_cstr(&got), cases[i].names);
        EXPECT(hostlist_count(list) == count, "'%s': counted %zu, expanded %zu", cases[i].list,
               hostlist_count(list), count);
        hostlist_names_free(&names, count);
        buf_release(&got);
        hostlist_free(&list);
    }
}

static void test_expansion_is_bounded(void **state)
{
    struct error err = ERROR_INIT;
    struct hostlist *list = parse("a[000000000000000000-999999999999999999][000-999][000-999]");
    char **names;
    size_t count;
    (void)state;

    assert_true(hostlist_count(list) == SIZE_MAX);
    assert_int_equal(hostlist_expand(list, &names, &count, &err), ERR_LIMIT);
    assert_string_equal(err.text, "node list has more than 1000000 hosts");
    assert_true(hostlist_contains(list, SLICE_LITERAL("a123456789012345678000999")));
    hostlist_free(&list);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_all_ranges_are_tried),
        cmocka_unit_test(test_overlong_host),
        cmocka_unit_test(test_ambiguous_lists_are_matched_quickly),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_expansion_is_bounded),
    };

    return TEST_MAIN(argc, argv, tests);
}
