// SPDX-License-Identifier: MIT
// The samples of tests/corpus/checkpoint are the worked examples of metric-store.md 7.4 and 7.5: as upstream writes them, and
// as we do (with a checksum; with all digits).
#include "store/checkpoint.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"

#define CORPUS      SOURCE_ROOT "/tests/corpus/checkpoint/"
#define ARENA_BYTES ((size_t)64 << 20)

struct fixture {
    struct buf file, out;
    struct arena *arena;
    struct checkpoint checkpoint;
    struct error err;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = NEW(struct fixture);
    buf_init(&f->file, ARENA_BYTES);
    buf_init(&f->out, ARENA_BYTES);
    f->arena = arena_new(ARENA_BYTES);
    return f;
}

static void fixture_free(struct fixture *f)
{
    buf_release(&f->file);
    buf_release(&f->out);
    arena_free(&f->arena);
    mem_free(f);
}

static void load(struct fixture *f, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", CORPUS, name);
    buf_clear(&f->file);
    assert_int_equal(file_read(path, ARENA_BYTES, &f->file, &f->err), 0);
}

static void put_text(struct fixture *f, const char *text)
{
    buf_clear(&f->file);
    buf_append_cstr(&f->file, text);
}

static int parse(struct fixture *f, enum checkpoint_format format)
{
    f->err = (struct error)ERROR_INIT;
    return checkpoint_parse(format, buf_slice(&f->file), f->arena, &f->checkpoint, &f->err);
}

static void expect_text(struct slice have, const char *wanted)
{
    EXPECT(slice_eq_cstr(have, wanted), "'%.*s', wanted '%s'", SLICE_FMT(have), wanted);
}

static void expect_values(const struct checkpoint_values *values, const double *wanted, size_t count)
{
    double out[16];
    assert_int_equal(values->count, count);
    checkpoint_get_values(values, 0, count, out);
    for (size_t i = 0; i < count; i++)
        EXPECT(isnan(wanted[i]) ? isnan(out[i]) : out[i] == wanted[i], "value %zu is %g, wanted %g", i,
               out[i], wanted[i]);
}

static void expect_example(const struct checkpoint *c, const double *load_values, const double *bw_values)
{
    assert_int_equal(c->from, 1700000000);
    assert_int_equal(c->to, 1700000180);
    assert_int_equal(c->root.metric_count, 1);
    const struct checkpoint_metric *metric = &c->root.metrics[0];
    expect_text(metric->name, "cpu_load");
    assert_int_equal(metric->frequency_s, 60);
    assert_int_equal(metric->start, 1700000000);
    expect_values(&metric->values, load_values, 3);
    assert_int_equal(c->root.child_count, 1);
    const struct checkpoint_level *child = &c->root.children[0];
    expect_text(child->name, "socket0");
    assert_int_equal(child->metric_count, 1);
    assert_int_equal(child->child_count, 0);
    metric = &child->metrics[0];
    expect_text(metric->name, "mem_bw");
    assert_int_equal(metric->start, 1700000060);
    expect_values(&metric->values, bw_values, 2);
}

static const double exact_load[] = {1.5, NAN, 0.25}, exact_bw[] = {103.25, 99.5};

static void test_example_bin(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    int64_t from = 0, to = 0;
    load(f, "example.bin");
    assert_int_equal(f->file.len, 123);
    assert_int_equal(parse(f, CHECKPOINT_BIN), 0);
    expect_example(&f->checkpoint, exact_load, exact_bw);
    assert_false(f->checkpoint.has_checksum);
    assert_int_equal(
        checkpoint_parse_header(slice_of(f->file.ptr, CHECKPOINT_HEADER_BYTES), &from, &to, NULL), 0);
    assert_int_equal(from, 1700000000);
    assert_int_equal(to, 1700000180);
    // Values are not copied.
    const char *f32le = f->checkpoint.root.metrics[0].values.f32le;
    assert_true(f32le > f->file.ptr && f32le < f->file.ptr + f->file.len);
    double second = 0;
    checkpoint_get_values(&f->checkpoint.root.metrics[0].values, 2, 1, &second);
    assert_true(second == 0.25);
    fixture_free(f);
}

static void test_example_json(void **state)
{
    (void)state;
    static const double short_load[] = {1.5, NAN, 0.2}, short_bw[] = {103.2, 99.5};
    struct fixture *f = fixture_new();
    load(f, "example-upstream.json");
    assert_int_equal(parse(f, CHECKPOINT_JSON), 0);
    expect_example(&f->checkpoint, short_load, short_bw);
    load(f, "example.json");
    assert_int_equal(parse(f, CHECKPOINT_JSON), 0);
    expect_example(&f->checkpoint, exact_load, exact_bw);
    assert_false(f->checkpoint.has_checksum);
    fixture_free(f);
}

// What was read from either format is written, byte for byte, as the sample of each.
static void test_write_examples(void **state)
{
    (void)state;
    static const struct {
        enum checkpoint_format format;
        const char *name;
    } samples[] = {{CHECKPOINT_BIN, "example-checksum.bin"}, {CHECKPOINT_JSON, "example.json"}};
    for (size_t from = 0; from < 2; from++) {
        for (size_t to = 0; to < 2; to++) {
            struct fixture *f = fixture_new();
            struct buf wanted;
            load(f, samples[to].name);
            wanted = f->file;
            buf_init(&f->file, ARENA_BYTES);
            load(f, samples[from].name);
            assert_int_equal(parse(f, samples[from].format), 0);
            checkpoint_format_bytes(samples[to].format, &f->checkpoint, &f->out);
            EXPECT(slice_eq(buf_slice(&f->out), buf_slice(&wanted)), "%s as %s is different",
                   samples[from].name, samples[to].name);
            buf_release(&wanted);
            fixture_free(f);
        }
    }
}

// Every byte of a file with a checksum counts; upstream's file is whole without one.
static void test_ms_36_checksum(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    load(f, "example-checksum.bin");
    assert_int_equal(parse(f, CHECKPOINT_BIN), 0);
    assert_true(f->checkpoint.has_checksum);
    for (size_t i = 0; i < f->file.len; i++) {
        bool magic = i >= 123 && i < 127; // a different magic makes it bytes that belong to no one
        f->file.ptr[i] ^= 0x10;
        int rc = parse(f, CHECKPOINT_BIN);
        EXPECT(rc == (magic ? 0 : ERR_CORRUPT), "byte %zu: %d %s", i, rc, f->err.text);
        EXPECT(!magic || !f->checkpoint.has_checksum, "byte %zu: has_checksum", i);
        f->file.ptr[i] ^= 0x10;
    }
    buf_append_cstr(&f->file, "trailing");
    assert_int_equal(parse(f, CHECKPOINT_BIN), 0);
    assert_true(f->checkpoint.has_checksum);
    load(f, "example.bin");
    buf_append_cstr(&f->file, "trailing bytes");
    assert_int_equal(parse(f, CHECKPOINT_BIN), 0);
    assert_false(f->checkpoint.has_checksum);
    fixture_free(f);
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    load(f, "example-checksum.bin");
    size_t whole = f->file.len;
    for (size_t len = 0; len < whole; len++) {
        char *copy = mem_memdup(f->file.ptr, MAX(len, (size_t)1)); // of its own, so that overruns are seen
        bool tree = len >= 123 && len < 127; // whole, with a piece of the checksum's magic
        struct error err = ERROR_INIT;
        int rc = checkpoint_parse(CHECKPOINT_BIN, slice_of(copy, len), f->arena, &f->checkpoint, &err);
        EXPECT(rc == (tree ? 0 : ERR_CORRUPT), "%zu bytes: %d", len, rc);
        EXPECT(tree || slice_starts_with(slice_from_cstr(err.text), SLICE_LITERAL("snapshot: ")),
               "%zu bytes: %s", len, err.text);
        mem_free(copy);
    }
    fixture_free(f);
}

static void begin_bin(struct fixture *f)
{
    buf_clear(&f->file);
    buf_append_u32le(&f->file, UINT32_C(0xCC5B0001));
    buf_append_u64le(&f->file, 1);
    buf_append_u64le(&f->file, 2);
}

static void append_metric_head(struct fixture *f, int64_t frequency_s, uint32_t values)
{
    buf_append_u16le(&f->file, 1);
    buf_append_byte(&f->file, 'm');
    buf_append_u64le(&f->file, (uint64_t)frequency_s);
    buf_append_u64le(&f->file, 5);
    buf_append_u32le(&f->file, values);
}

// Counts beyond the size of the file are refused before memory is taken, also those that fit each alone.
static void test_ms_36_counts_are_checked(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    arena_free(&f->arena);
    f->arena = arena_new(4096); // the first allocation by a bad count is refused as ERR_LIMIT
    begin_bin(f);
    buf_append_u32le(&f->file, UINT32_MAX); // metrics
    buf_append_fill(&f->file, '\0', 100);
    assert_int_equal(parse(f, CHECKPOINT_BIN), ERR_CORRUPT);
    expect_text(slice_from_cstr(f->err.text), "snapshot: 4294967295 metrics at byte 20 of 124 do not fit");

    begin_bin(f);
    buf_append_u32le(&f->file, 1);
    append_metric_head(f, 60, UINT32_MAX);
    buf_append_fill(&f->file, '\0', 100);
    assert_int_equal(parse(f, CHECKPOINT_BIN), ERR_CORRUPT);
    expect_text(slice_from_cstr(f->err.text), "snapshot: 4294967295 values at byte 43 of 147 do not fit");

    begin_bin(f);
    buf_append_u32le(&f->file, 0);
    buf_append_u32le(&f->file, 11); // children, 10 bytes each
    buf_append_fill(&f->file, '\0', 109);
    assert_int_equal(parse(f, CHECKPOINT_BIN), ERR_CORRUPT);
    expect_text(slice_from_cstr(f->err.text), "snapshot: 11 children at byte 24 of 137 do not fit");

    // Two metrics are announced; the values of the first would take the place of the second.
    begin_bin(f);
    buf_append_u32le(&f->file, 2);
    append_metric_head(f, 60, 20);
    buf_append_fill(&f->file, '\0', 80);
    assert_int_equal(parse(f, CHECKPOINT_BIN), ERR_CORRUPT);
    expect_text(slice_from_cstr(f->err.text), "snapshot: 20 values at byte 43 of 127 do not fit");
    fixture_free(f);
}

static void append_nested(struct fixture *f, int levels)
{
    for (int i = 0; i < levels; i++) {
        buf_append_u32le(&f->file, 0);
        buf_append_u32le(&f->file, 1);
        buf_append_u16le(&f->file, 1);
        buf_append_byte(&f->file, 'c');
    }
    buf_append_u64le(&f->file, 0); // no metrics, no children
}

static void put_nested_json(struct fixture *f, int levels)
{
    buf_clear(&f->file);
    for (int i = 0; i < levels; i++)
        buf_append_cstr(&f->file, "{\"children\":{\"c\":");
    buf_append_cstr(&f->file, "{}");
    for (int i = 0; i < levels; i++)
        buf_append_cstr(&f->file, "}}");
}

static void test_ms_36_depth_is_limited(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (int levels = CHECKPOINT_MAX_DEPTH; levels < CHECKPOINT_MAX_DEPTH + 40000; levels += 10000) {
        int wanted = levels == CHECKPOINT_MAX_DEPTH ? 0 : ERR_CORRUPT;
        begin_bin(f);
        append_nested(f, levels);
        assert_int_equal(parse(f, CHECKPOINT_BIN), wanted);
        put_nested_json(f, levels);
        assert_int_equal(parse(f, CHECKPOINT_JSON), wanted);
    }
    put_nested_json(f, CHECKPOINT_MAX_DEPTH + 1); // within the limit of the JSON reader
    assert_int_equal(parse(f, CHECKPOINT_JSON), ERR_CORRUPT);
    assert_true(slice_contains(slice_from_cstr(f->err.text), SLICE_LITERAL("nested too deep")));
    fixture_free(f);
}

static void test_ms_37_frequencies_are_positive(void **state)
{
    (void)state;
    static const int64_t bad[] = {0, -1, INT64_MIN};
    static const char *const bad_json[] = {"0", "-60", "null", "0.5", "\"60\"", "1e30"};
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        begin_bin(f);
        buf_append_u32le(&f->file, 1);
        append_metric_head(f, bad[i], 0);
        buf_append_u32le(&f->file, 0);
        assert_int_equal(parse(f, CHECKPOINT_BIN), ERR_CORRUPT);
        expect_text(slice_from_cstr(f->err.text),
                    "snapshot: a metric without a positive frequency at byte 27 of 51");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_json); i++) {
        buf_clear(&f->file);
        buf_printf(&f->file, "{\"metrics\":{\"m\":{\"frequency\":%s,\"start\":1,\"data\":[1]}}}",
                   bad_json[i]);
        EXPECT(parse(f, CHECKPOINT_JSON) == ERR_CORRUPT, "frequency %s is taken", bad_json[i]);
    }
    fixture_free(f);
}

// Sums of such times overflowed when the values became bins.
static void test_impossible_times(void **state)
{
    (void)state;
    static const struct {
        int64_t frequency_s, start;
        int wanted;
    } cases[] = {
        {60, 1700000000, 0},
        {60, CHECKPOINT_TIME_MAX - 120, 0},
        {60, -CHECKPOINT_TIME_MAX, 0},
        {60, CHECKPOINT_TIME_MAX - 119, ERR_CORRUPT},
        {60, -CHECKPOINT_TIME_MAX - 1, ERR_CORRUPT},
        {60, INT64_MAX, ERR_CORRUPT},
        {60, INT64_MIN, ERR_CORRUPT},
        {INT64_MAX, 0, ERR_CORRUPT},
        {INT64_MAX / 2, 0, ERR_CORRUPT},
        {CHECKPOINT_TIME_MAX, 0, ERR_CORRUPT},
    };
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_bin(f);
        buf_append_u32le(&f->file, 1);
        append_metric_head(f, cases[i].frequency_s, 2);
        for (size_t k = 0; k < 8; k++) // in front of the count
            f->file.ptr[f->file.len - 12 + k] = (char)((uint64_t)cases[i].start >> 8 * k);
        buf_append_u64le(&f->file, 0);
        buf_append_u32le(&f->file, 0);
        EXPECT(parse(f, CHECKPOINT_BIN) == cases[i].wanted, "case %zu, binary: %s", i, f->err.text);
        buf_clear(&f->file);
        buf_printf(&f->file, "{\"metrics\":{\"m\":{\"frequency\":%lld,\"start\":%lld,\"data\":[1,2]}}}",
                   (long long)cases[i].frequency_s, (long long)cases[i].start);
        EXPECT(parse(f, CHECKPOINT_JSON) == cases[i].wanted, "case %zu, JSON: %s", i, f->err.text);
    }
    int64_t from;
    enum checkpoint_format format;
    assert_false(checkpoint_parse_name(SLICE_LITERAL("9223372036854775807.bin"), &from, &format));
    assert_false(checkpoint_parse_name(SLICE_LITERAL("-9223372036854775808.json"), &from, &format));
    fixture_free(f);
}

static void test_metric_without_values(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    begin_bin(f);
    buf_append_u32le(&f->file, 1);
    append_metric_head(f, 60, 0);
    buf_append_u32le(&f->file, 0);
    assert_int_equal(parse(f, CHECKPOINT_BIN), 0);
    assert_int_equal(f->checkpoint.root.metric_count, 1);
    assert_int_equal(f->checkpoint.root.metrics[0].values.count, 0);
    checkpoint_format_bytes(CHECKPOINT_BIN, &f->checkpoint, &f->out);
    assert_int_equal(f->out.len, f->file.len + 8);
    assert_memory_equal(f->out.ptr, f->file.ptr, f->file.len);
    buf_clear(&f->out);
    checkpoint_format_bytes(CHECKPOINT_JSON, &f->checkpoint, &f->out);
    expect_text(buf_slice(&f->out),
                "{\"metrics\":{\"m\":{\"frequency\":60,\"start\":5,\"data\":[]}},\"children\":{},"
                "\"from\":1,\"to\":2}\n");
    fixture_free(f);
}

// Any order of keys, unknown ones, no 'to', numbers of any form, float64 as they are (recorded: load-json).
static void test_json_is_read_generously(void **state)
{
    (void)state;
    static const double wanted[] = {16777217, NAN, 1e300, -0.5, 1200};
    struct fixture *f = fixture_new();
    put_text(f, "{\"from\":7,\"unknown\":[1],\"children\":null,\"metrics\":{\"tick\":"
                "{\"data\":[16777217,null,1e300,-5e-1,1.2E3],\"start\":9,\"frequency\":1}}}trailing");
    assert_int_equal(parse(f, CHECKPOINT_JSON), 0);
    assert_int_equal(f->checkpoint.from, 7);
    assert_int_equal(f->checkpoint.to, 0);
    assert_int_equal(f->checkpoint.root.child_count, 0);
    assert_int_equal(f->checkpoint.root.metrics[0].start, 9);
    expect_values(&f->checkpoint.root.metrics[0].values, wanted, ARRAY_LEN(wanted));
    put_text(f, "{}");
    assert_int_equal(parse(f, CHECKPOINT_JSON), 0);
    assert_int_equal(f->checkpoint.root.metric_count, 0);
    fixture_free(f);
}

static void test_json_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "snapshot: line 1, column 1: EOF"},
        {"[1,2]", "snapshot: line 1, column 1: an object is missing of ''"},
        {"{\"from\":\"7\"}", "snapshot: line 1, column 9: a time that is no whole number of ''"},
        {"{\"metrics\":[]}", "snapshot: line 1, column 12: an object is missing of ''"},
        {"{\"metrics\":{\"m\":7}}", "snapshot: line 1, column 17: an object is missing of 'm'"},
        {"{\"metrics\":{\"m\":{\"frequency\":1,\n\"data\":{}}}}",
         "snapshot: line 2, column 8: an array is missing of 'm'"},
        {"{\"metrics\":{\"m\":{\"frequency\":1,\"data\":[1,\"2\"]}}}",
         "snapshot: line 1, column 42: a value that is no number of 'm'"},
        {"{\"children\":{\"c\":[]}}", "snapshot: line 1, column 18: an object is missing of 'c'"},
    };
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_text(f, cases[i].text);
        EXPECT(parse(f, CHECKPOINT_JSON) == ERR_CORRUPT, "%s is taken", cases[i].text);
        expect_text(slice_from_cstr(f->err.text), cases[i].wanted);
    }
    fixture_free(f);
}

static struct checkpoint one_metric(struct checkpoint_metric *metric, const double *values, size_t count)
{
    *metric = (struct checkpoint_metric){
        .name = SLICE_LITERAL("m"), .frequency_s = 1, .values = {.count = count, .f64 = values}};
    return (struct checkpoint){
        .from = 1, .to = 2, .root = {.name = SLICE_EMPTY, .metrics = metric, .metric_count = 1}};
}

// Upstream keeps one decimal; here what is read back is the same float32.
static void test_ms_42_json_keeps_all_digits(void **state)
{
    (void)state;
    static const double values[] = {0.04, 0.3333333333, 1e-7, 123456.789, 5, NAN, INFINITY, 1e10};
    struct fixture *f = fixture_new();
    struct checkpoint_metric metric;
    struct checkpoint checkpoint = one_metric(&metric, values, ARRAY_LEN(values));
    checkpoint_format_bytes(CHECKPOINT_JSON, &checkpoint, &f->file);
    expect_text(buf_slice(&f->file), "{\"metrics\":{\"m\":{\"frequency\":1,\"start\":0,\"data\":[0.04,0."
                                     "33333334,1e-7,123456.79,5,null,null,"
                                     "10000000000]}},\"children\":{},\"from\":1,\"to\":2}\n");
    assert_int_equal(parse(f, CHECKPOINT_JSON), 0);
    double back[ARRAY_LEN(values)];
    checkpoint_get_values(&f->checkpoint.root.metrics[0].values, 0, ARRAY_LEN(values), back);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        EXPECT(isfinite(values[i]) ? (float)back[i] == (float)values[i] : isnan(back[i]), "value %zu is %g",
               i, back[i]);
    fixture_free(f);
}

// Values beyond float32 are infinite (MS-24), any NaN has the one form of upstream.
static void test_bin_values(void **state)
{
    (void)state;
    static const double values[] = {1e39, -1e39, NAN, -NAN, 16777217, 1e-50};
    static const uint32_t wanted[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0x7FC00000, 0x4B800000, 0};
    struct fixture *f = fixture_new();
    struct checkpoint_metric metric;
    struct checkpoint checkpoint = one_metric(&metric, values, ARRAY_LEN(values));
    checkpoint_format_bytes(CHECKPOINT_BIN, &checkpoint, &f->file);
    assert_int_equal(parse(f, CHECKPOINT_BIN), 0);
    assert_memory_equal(f->checkpoint.root.metrics[0].values.f32le, wanted, sizeof(wanted));
    double back[ARRAY_LEN(values)];
    checkpoint_get_values(&f->checkpoint.root.metrics[0].values, 0, ARRAY_LEN(values), back);
    assert_true(isinf(back[0]) && back[1] < 0 && isinf(back[1]) && isnan(back[2]) && back[4] == 16777216);
    fixture_free(f);
}

static void test_json_keys_are_sorted(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct checkpoint_metric metrics[] = {{.name = SLICE_LITERAL("b"), .frequency_s = 1},
                                          {.name = SLICE_LITERAL("a"), .frequency_s = 2}};
    struct checkpoint_level children[] = {{.name = SLICE_LITERAL("y")}, {.name = SLICE_LITERAL("x")}};
    struct checkpoint checkpoint = {
        .root = {.metrics = metrics, .metric_count = 2, .children = children, .child_count = 2}};
    checkpoint_format_bytes(CHECKPOINT_JSON, &checkpoint, &f->out);
    expect_text(
        buf_slice(&f->out),
        "{\"metrics\":{\"a\":{\"frequency\":2,\"start\":0,\"data\":[]},\"b\":{\"frequency\":1,\"start\":0,"
        "\"data\":[]}},\"children\":{\"x\":{\"metrics\":{},\"children\":{},\"from\":0,\"to\":0},\"y\":{"
        "\"metrics\":{},\"children\":{},\"from\":0,\"to\":0}},\"from\":0,\"to\":0}\n");
    fixture_free(f);
}

static void test_names_that_do_not_fit(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct checkpoint_metric metric;
    struct checkpoint checkpoint = one_metric(&metric, NULL, 0);
    char *name = mem_alloc(UINT16_MAX + 1);
    memset(name, 'n', UINT16_MAX + 1);
    metric.name = slice_of(name, UINT16_MAX);
    checkpoint_format_bytes(CHECKPOINT_BIN, &checkpoint, &f->out);
    assert_false(buf_failed(&f->out));
    metric.name = slice_of(name, UINT16_MAX + 1);
    buf_clear(&f->out);
    checkpoint_format_bytes(CHECKPOINT_BIN, &checkpoint, &f->out);
    assert_true(buf_failed(&f->out));
    mem_free(name);
    fixture_free(f);
}

static void test_file_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_snapshot;
        int64_t from;
        enum checkpoint_format format;
    } cases[] = {
        {"1700000000.bin", true, 1700000000, CHECKPOINT_BIN},
        {"5.json", true, 5, CHECKPOINT_JSON},
        {"-5.bin", true, -5, CHECKPOINT_BIN},
        {".bin", false, 0, 0},
        {"bin", false, 0, 0},
        {"1700000000.bin.tmp", false, 0, 0},
        {"x.bin", false, 0, 0},
        {"1.5.json", false, 0, 0},
        {"99999999999999999999.bin", false, 0, 0},
        {"current.wal", false, 0, 0},
        {"5.BIN", false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t from = 0;
        enum checkpoint_format format = CHECKPOINT_BIN;
        char text[CHECKPOINT_NAME_SIZE];
        bool is_snapshot = checkpoint_parse_name(slice_from_cstr(cases[i].name), &from, &format);
        EXPECT(is_snapshot == cases[i].is_snapshot, "'%s': %d", cases[i].name, is_snapshot);
        if (!is_snapshot)
            continue;
        EXPECT(from == cases[i].from && format == cases[i].format, "'%s': %lld", cases[i].name,
               (long long)from);
        assert_string_equal(checkpoint_name(from, format, text), cases[i].name);
    }
    char text[CHECKPOINT_NAME_SIZE];
    assert_string_equal(checkpoint_name(INT64_MIN, CHECKPOINT_JSON, text), "-9223372036854775808.json");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_bin),
        cmocka_unit_test(test_example_json),
        cmocka_unit_test(test_write_examples),
        cmocka_unit_test(test_ms_36_checksum),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_ms_36_counts_are_checked),
        cmocka_unit_test(test_ms_36_depth_is_limited),
        cmocka_unit_test(test_ms_37_frequencies_are_positive),
        cmocka_unit_test(test_impossible_times),
        cmocka_unit_test(test_metric_without_values),
        cmocka_unit_test(test_json_is_read_generously),
        cmocka_unit_test(test_json_refuses),
        cmocka_unit_test(test_ms_42_json_keeps_all_digits),
        cmocka_unit_test(test_bin_values),
        cmocka_unit_test(test_json_keys_are_sorted),
        cmocka_unit_test(test_names_that_do_not_fit),
        cmocka_unit_test(test_file_names),
    };
    return TEST_MAIN(argc, argv, tests);
}
