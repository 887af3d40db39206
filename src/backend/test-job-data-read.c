// SPDX-License-Identifier: MIT
#include "backend/job-data-read.h"

#include <math.h>

#include "base/testing.h"

static int read_text(const char *text, struct arena *arena, struct job_data *ret, struct error *err)
{
    return job_data_read(slice_from_cstr(text), arena, ret, err);
}

// What we write is read back to the same bytes.
static void test_round_trip(void **state)
{
    static const char text[] =
        "{\"load_one\":{\"core\":{\"unit\":{\"base\":\"load\"},\"series\":[{\"hostname\":\"a\\u003cb\","
        "\"id\":\"3\","
        "\"statistics\":{\"min\":0.10,\"avg\":0.20,\"max\":0.30},\"data\":[0.10,null,-3.25,123456792.00]}],"
        "\"timestep\":"
        "60},\"node\":{\"statisticsSeries\":{\"percentiles\":{\"10\":[1.00,2.00]},\"mean\":null,\"median\":["
        "1.00],\"min\":"
        "[null],\"max\":[2.00]},\"unit\":{\"base\":\"B\",\"prefix\":\"G\"},\"series\":[],\"timestep\":1}}}";
    struct arena *arena = arena_new(1 << 20);
    struct job_data data;
    struct error err = ERROR_INIT;
    struct buf out;
    (void)state;
    buf_init(&out, 65536);
    EXPECT(read_text(text, arena, &data, &err) == 0, "%s", err.text);
    job_data_encode(&data, &out);
    assert_string_equal(buf_cstr(&out), text);
    buf_release(&out);
    arena_free(&arena);
}

// Older files: any order, blanks, unknown members, series without statistics, numbers as ids, a tail.
static void test_tolerance(void **state)
{
    static const char text[] =
        "\n{ \"ipc\" : { \"node\" : { \"timestep\" : 60 , \"future\": [1,{\"x\":[true,false,null]}],\n"
        "\"series\" : [ { \"data\" : [ 1e0, 2.5E1, null ], \"id\": 7, \"hostname\" : "
        "\"e\\u00e9\\ud83d\\ude00\\ud800x\" } ] },"
        "\"galaxy\": {\"series\": []} } } trailing";
    struct arena *arena = arena_new(1 << 20);
    struct job_data data;
    struct error err = ERROR_INIT;
    (void)state;
    EXPECT(read_text(text, arena, &data, &err) == 0, "%s", err.text);
    assert_int_equal(1, data.count);
    const struct job_series *s = &data.metrics[0].series[0];
    assert_false(s->has_values);
    assert_int_equal(3, s->count);
    assert_true(s->data[1] == 25 && isnan(s->data[2]));
    assert_string_equal("7", arena_strdup(arena, s->id));
    assert_string_equal("e\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx", arena_strdup(arena, s->hostname));
    arena_free(&arena);
}

static void test_damage(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "null",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1}",
        "{\"a\":{\"node\":",
        "{\"a\":{\"node\":{\"series\":[",
        "{\"a\":{\"node\":{\"series\":[{\"data\":[1,",
        "{\"a\":{\"node\":{\"series\":[{\"data\":[1 2]}]}}}",
        "{\"a\":{\"node\":{\"series\":[{\"data\":[\"x\"]}]}}}",
        "{\"a\":{\"node\":{\"series\":[{\"data\":[1.2.3]}]}}}",
        "{\"a\":{\"node\":{\"series\":[{\"data\":[NaN]}]}}}",
        "{\"a\":{\"node\":{\"series\":[{\"data\":[1]}",
        "{\"a\":{\"node\":{\"series\":[{\"hostname\":\"\\q\"}]}}}",
        "{\"a\":{\"node\":{\"series\":[{\"hostname\":\"\\u12\"}]}}}",
        "{\"a\":{\"node\":{\"timestep\":\"60\"}}}",
        "{\"a\":{\"node\":{},\"node\":{}}}",
        "{\"a\":{\"node\":{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct job_data data;
        struct error err = ERROR_INIT;
        int rc = read_text(cases[i], arena, &data, &err);
        EXPECT(rc == ERR_CORRUPT && err.line == 1 && err.column >= 1, "'%s': got %d at %d:%d '%s'", cases[i],
               rc, err.line, err.column, err.text);
        arena_free(&arena);
    }
}

// Memory is bounded by the arena, not by what the document claims.
static void test_limit(void **state)
{
    struct arena *arena = arena_new(8192);
    struct job_data data;
    struct error err = ERROR_INIT;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    buf_append_cstr(&text, "{\"a\":{\"node\":{\"series\":[{\"data\":[1");
    for (int i = 0; i < 10000; i++)
        buf_append_cstr(&text, ",1");
    buf_append_cstr(&text, "]}]}}}");
    assert_int_equal(ERR_LIMIT, job_data_read(buf_slice(&text), arena, &data, &err));
    buf_release(&text);
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_tolerance),
                                       cmocka_unit_test(test_damage), cmocka_unit_test(test_limit)};
    return TEST_MAIN(argc, argv, tests);
}
