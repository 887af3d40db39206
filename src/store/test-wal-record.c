// SPDX-License-Identifier: MIT
#include "store/wal-record.h"

#include <math.h>

#include "base/mem.h"
#include "base/testing.h"

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 20;
}

// ---- what was put in, and what comes out ------------------------------------------------------------------

struct sample {
    uint32_t series;
    int64_t ts;
    struct series_value value;
};

struct definition {
    bool is_host;
    uint32_t series;
    size_t depth;
    char names[3][300];
};

struct contents {
    uint32_t host;
    struct sample *samples;
    size_t sample_count, sample_cap;
    struct definition *definitions;
    size_t definition_count, definition_cap;
    size_t fail_after; // samples; 0: never
};

static void contents_release(struct contents *c)
{
    mem_free(c->samples);
    mem_free(c->definitions);
    *c = (struct contents){.host = 0};
}

static void copy_name(char *to, struct slice name)
{
    assert_in_range(name.len, 1, 299);
    memcpy(to, name.ptr, name.len);
    to[name.len] = '\0';
}

static struct definition *add_definition(struct contents *c)
{
    ENSURE_CAPACITY(c->definitions, c->definition_cap, c->definition_count + 1);
    struct definition *d = &c->definitions[c->definition_count++];
    *d = (struct definition){.is_host = false};
    return d;
}

static int take_host(void *ctx, uint32_t host, struct slice cluster, struct slice name, struct error *err)
{
    struct contents *c = ctx;
    (void)err;
    c->host = host;
    struct definition *d = add_definition(c);
    d->is_host = true;
    copy_name(d->names[0], cluster);
    copy_name(d->names[1], name);
    return 0;
}

static int take_series(void *ctx, uint32_t host, uint32_t series, struct slice metric,
                       const struct slice *path, size_t depth, struct error *err)
{
    struct contents *c = ctx;
    (void)err;
    c->host = host;
    struct definition *d = add_definition(c);
    d->series = series;
    d->depth = depth;
    copy_name(d->names[0], metric);
    for (size_t i = 0; i < depth; i++)
        copy_name(d->names[1 + i], path[i]);
    return 0;
}

static int take_samples(void *ctx, uint32_t host, uint32_t first, int64_t ts,
                        const struct series_value *values, size_t count, struct error *err)
{
    struct contents *c = ctx;
    c->host = host;
    assert_in_range(count, 1, WAL_RUN_VALUES);
    ENSURE_CAPACITY(c->samples, c->sample_cap, c->sample_count + count);
    for (size_t i = 0; i < count; i++)
        c->samples[c->sample_count++] = (struct sample){first + (uint32_t)i, ts, values[i]};
    if (c->fail_after && c->sample_count >= c->fail_after)
        return error_set(err, ERR_LIMIT, "enough");
    return 0;
}

static const struct wal_decoder_ops take = {take_host, take_series, take_samples};

static double value_of(const struct series_value *v)
{
    return v->decimal ? (double)v->m / block_power_of_ten(v->scale) : v->wide;
}

// Bit for bit. A decimal keeps m and scale; a zero with a sign keeps that.
static bool same_value(const struct series_value *a, const struct series_value *b)
{
    double x = value_of(a), y = value_of(b);
    if (memcmp(&x, &y, sizeof(x)) != 0)
        return false;
    if (a->decimal && a->m == 0 && signbit(a->wide))
        return b->decimal && b->m == 0 && signbit(b->wide);
    return a->decimal == b->decimal && (!a->decimal || (a->m == b->m && a->scale == b->scale));
}

static void expect_samples(struct slice record, const struct sample *samples, size_t count, const char *what)
{
    struct contents c = {.host = 0};
    struct error err = ERROR_INIT;
    int rc = wal_record_decode(record, &take, &c, &err);
    EXPECT(rc == 0, "%s: %s", what, err.text);
    EXPECT(c.sample_count == count, "%s: %zu samples instead of %zu", what, c.sample_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct sample *a = &samples[i], *b = &c.samples[i];
        EXPECT(a->series == b->series && a->ts == b->ts,
               "%s, sample %zu: series %u at %lld, wanted %u at %lld", what, i, b->series, (long long)b->ts,
               a->series, (long long)a->ts);
        EXPECT(same_value(&a->value, &b->value), "%s, sample %zu: %.17g instead of %.17g", what, i,
               value_of(&b->value), value_of(&a->value));
    }
    contents_release(&c);
}

static struct slice encode(struct wal_encoder *e, uint32_t host, const struct sample *samples, size_t count)
{
    wal_encoder_begin(e, host);
    for (size_t i = 0; i < count; i++)
        wal_encoder_sample(e, samples[i].series, samples[i].ts, &samples[i].value);
    return wal_encoder_end(e);
}

// ---- values -----------------------------------------------------------------------------------------------

static double of_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void test_nasty_values_come_back(void **state)
{
    const double values[] = {0,
                             -0.0,
                             1,
                             -1,
                             0.1,
                             -123.456,
                             1e-9,
                             1.5e-9,
                             1e-10,
                             9007199254740991,
                             -9007199254740991,
                             9007199254740992,
                             -9007199254740992,
                             9007199254740993e3,
                             1e300,
                             -1e-300,
                             5e-324,
                             2.2250738585072014e-308,
                             1.7976931348623157e308,
                             INFINITY,
                             -INFINITY,
                             NAN,
                             of_bits(UINT64_C(0x7FF0000000000001)),
                             of_bits(UINT64_C(0xFFF8DEADBEEF1234)),
                             of_bits(UINT64_C(0x7FF8000020000000)), // would fit a float
                             (double)0.1f,
                             (double)1e-40f,
                             1.0 / 3,
                             72057594037927935.0};
    struct sample samples[ARRAY_LEN(values)];
    struct wal_encoder e;
    (void)state;
    wal_encoder_init(&e);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        samples[i] = (struct sample){(uint32_t)i, 1700000000, series_value_of(values[i])};
        expect_samples(encode(&e, 7, &samples[i], 1), &samples[i], 1, "alone");
    }
    expect_samples(encode(&e, 7, samples, ARRAY_LEN(values)), samples, ARRAY_LEN(values), "together");
    wal_encoder_release(&e);
}

static void test_all_decimals_keep_their_scale(void **state)
{
    struct wal_encoder e;
    uint64_t random = 99;
    (void)state;
    wal_encoder_init(&e);
    for (unsigned scale = 0; scale <= BLOCK_MAX_SCALE; scale++) {
        struct sample samples[108];
        for (unsigned bit = 0; bit < 54; bit++) {
            int64_t m = bit == 53 ? (INT64_C(1) << 53) - 1 : INT64_C(1) << bit;
            m = MAX(INT64_C(1), m - (int64_t)(next_random(&random) % 2));
            for (unsigned sign = 0; sign < 2; sign++)
                samples[bit * 2 + sign] = (struct sample){
                    bit * 2 + sign,
                    -5,
                    {.m = sign ? -m : m, .scale = (uint8_t)scale, .decimal = true, .wide = -0.0}};
        }
        expect_samples(encode(&e, 0, samples, ARRAY_LEN(samples)), samples, ARRAY_LEN(samples), "decimals");
    }
    wal_encoder_release(&e);
}

// m beyond what a block can hold: the value counts, not its form.
static void test_overlong_mantissas_become_doubles(void **state)
{
    const int64_t ms[] = {INT64_C(1) << 53, -(INT64_C(1) << 53), INT64_C(1) << 61, INT64_MIN};
    struct wal_encoder e;
    (void)state;
    wal_encoder_init(&e);
    for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
        struct sample in = {3, 60, {.m = ms[i], .scale = 2, .decimal = true}};
        struct sample out = {3, 60, {.wide = (double)ms[i] / 100}};
        expect_samples(encode(&e, 0, &in, 1), &out, 1, "overlong");
    }
    wal_encoder_release(&e);
}

// ---- runs -------------------------------------------------------------------------------------------------

static struct series_value random_value(uint64_t *random)
{
    switch (next_random(random) % 8) {
    case 0:
        return series_value_of(of_bits(next_random(random) << 20 ^ next_random(random)));
    case 1:
        return series_value_of((double)(float)next_random(random) * 1.25e-7f);
    case 2:
        return series_value_of(0);
    case 3:
        return series_value_of((double)next_random(random));
    default:
        return series_value_of((double)(next_random(random) % 1000000) / 1000);
    }
}

// Every mixture of order, jumps, repeated times and long runs comes back.
static void test_random_batches_come_back(void **state)
{
    struct wal_encoder e;
    struct sample *samples = NEW_ARRAY(struct sample, 70000);
    uint64_t random = 20231114;
    (void)state;
    wal_encoder_init(&e);
    for (int round = 0; round < 300; round++) {
        size_t count = 1 + next_random(&random) % (round % 100 == 0 ? 70000 : 700);
        unsigned jumps = (unsigned)(next_random(&random) % 100),
                 times = (unsigned)(next_random(&random) % 100);
        uint32_t series = (uint32_t)(next_random(&random) % WAL_MAX_SERIES);
        int64_t ts = (int64_t)(next_random(&random) << 21);
        for (size_t i = 0; i < count; i++) {
            if (next_random(&random) % 100 < jumps / (1 + round % 3 * 20))
                series = (uint32_t)(next_random(&random) % (round % 2 ? WAL_MAX_SERIES : 340));
            if (next_random(&random) % 100 < times / (1 + round % 5 * 20))
                ts += (int64_t)(next_random(&random) % 4000000000) - 2000000000;
            samples[i] = (struct sample){series, ts, random_value(&random)};
            series = (series + 1) % WAL_MAX_SERIES;
        }
        expect_samples(encode(&e, (uint32_t)next_random(&random), samples, count), samples, count, "random");
    }
    mem_free(samples);
    wal_encoder_release(&e);
}

static void test_extreme_times_come_back(void **state)
{
    const struct sample samples[] = {{0, INT64_MIN, series_value_of(1)},
                                     {0, INT64_MAX, series_value_of(2)},
                                     {WAL_MAX_SERIES - 1, 0, series_value_of(3)},
                                     {0, -1, series_value_of(4)},
                                     {0, INT64_MIN, series_value_of(5)}};
    struct wal_encoder e;
    (void)state;
    wal_encoder_init(&e);
    expect_samples(encode(&e, UINT32_MAX, samples, ARRAY_LEN(samples)), samples, ARRAY_LEN(samples),
                   "extremes");
    wal_encoder_release(&e);
}

static void expect_size(struct wal_encoder *e, const struct sample *samples, size_t count, double most_bytes,
                        const char *what)
{
    struct slice record = encode(e, 63, samples, count);
    double bytes = (double)record.len / (double)count;
    print_message("%s: %.2f bytes a sample (%zu in %zu)\n", what, bytes, count, record.len);
    EXPECT(bytes <= most_bytes, "%s: %.2f bytes a sample, at most %.2f wanted", what, bytes, most_bytes);
    expect_samples(record, samples, count, what);
}

static void test_sizes(void **state)
{
    struct sample samples[340];
    struct wal_encoder e;
    uint64_t random = 1;
    (void)state;
    wal_encoder_init(&e);
    for (uint32_t i = 0; i < 340; i++) // one batch of a node, three decimals over the whole range
        samples[i] =
            (struct sample){i, 1700000040, series_value_of((double)(next_random(&random) % 1000000) / 1000)};
    expect_size(&e, samples, 340, 4.6, "one time, in order");
    for (uint32_t i = 0; i < 340; i++) // 1 byte each: what the rest costs
        samples[i].value = series_value_of(0);
    expect_size(&e, samples, 340, 1 + 12.0 / 340, "zeros, one time, in order");
    for (uint32_t i = 0; i < 340; i++)
        samples[i].series = (uint32_t)(next_random(&random) % 340);
    expect_size(&e, samples, 340, 1 + 5, "zeros, random order");
    for (uint32_t i = 0; i < 340; i++) {
        samples[i].series = 17;
        samples[i].ts = 1700000040 + 60 * i;
    }
    expect_size(&e, samples, 340, 1 + 5, "zeros, one series, many times");
    wal_encoder_release(&e);
}

// ---- definitions ------------------------------------------------------------------------------------------

static void test_definitions_come_back(void **state)
{
    struct wal_encoder e;
    struct contents c = {.host = 0};
    struct error err = ERROR_INIT;
    char text[64];
    (void)state;
    wal_encoder_init(&e);
    wal_encoder_begin(&e, 4711);
    wal_encoder_define_host(&e, SLICE_LITERAL("emmy"), SLICE_LITERAL("e0101"));
    for (uint32_t i = 0; i < 400; i++) {
        snprintf(text, sizeof(text), "hwthread%u", (unsigned)i / 5);
        struct slice path[] = {slice_from_cstr(text), SLICE_LITERAL("x")};
        snprintf(text + 32, 32, "metric%u", (unsigned)i % 5);
        wal_encoder_define_series(&e, i * 3 % 400, slice_from_cstr(text + 32), path, i % 3);
    }
    struct series_value value = series_value_of(1.5);
    wal_encoder_sample(&e, 12, 60, &value);
    struct slice record = wal_encoder_end(&e);
    print_message("401 definitions: %zu bytes\n", record.len);
    EXPECT(wal_record_decode(record, &take, &c, &err) == 0, "%s", err.text);
    assert_int_equal(c.host, 4711);
    assert_int_equal(c.definition_count, 401);
    assert_true(c.definitions[0].is_host);
    assert_string_equal(c.definitions[0].names[0], "emmy");
    assert_string_equal(c.definitions[0].names[1], "e0101");
    for (uint32_t i = 0; i < 400; i++) {
        const struct definition *d = &c.definitions[1 + i];
        assert_int_equal(d->series, i * 3 % 400);
        assert_int_equal(d->depth, i % 3);
        snprintf(text, sizeof(text), "metric%u", (unsigned)i % 5);
        assert_string_equal(d->names[0], text);
        snprintf(text, sizeof(text), "hwthread%u", (unsigned)i / 5);
        assert_string_equal(d->names[1], i % 3 > 0 ? text : "");
        assert_string_equal(d->names[2], i % 3 > 1 ? "x" : "");
    }
    assert_int_equal(c.sample_count, 1);
    contents_release(&c);
    wal_encoder_release(&e);
}

// A series that appears in the middle of a batch is defined there.
static void test_definitions_between_samples(void **state)
{
    struct wal_encoder e;
    struct contents c = {.host = 0};
    struct error err = ERROR_INIT;
    (void)state;
    wal_encoder_init(&e);
    wal_encoder_begin(&e, 1);
    for (uint32_t i = 0; i < 80; i++) {
        struct series_value value = series_value_of(i);
        if (i % 3 == 0 || i == 79)
            wal_encoder_define_series(&e, i, SLICE_LITERAL("m"), NULL, 0);
        wal_encoder_sample(&e, i, 60, &value);
    }
    EXPECT(wal_record_decode(wal_encoder_end(&e), &take, &c, &err) == 0, "%s", err.text);
    assert_int_equal(c.definition_count, 28);
    assert_int_equal(c.sample_count, 80);
    for (uint32_t i = 0; i < 80; i++)
        assert_true(c.samples[i].series == i && c.samples[i].ts == 60 && c.samples[i].value.m == i);
    contents_release(&c);
    wal_encoder_release(&e);
}

static void test_an_empty_record_is_empty(void **state)
{
    struct wal_encoder e;
    struct series_value value = series_value_of(2);
    (void)state;
    wal_encoder_init(&e);
    wal_encoder_begin(&e, 300);
    assert_int_equal(wal_encoder_end(&e).len, 0);
    wal_encoder_begin(&e, 300);
    wal_encoder_sample(&e, 0, 0, &value);
    assert_int_not_equal(wal_encoder_end(&e).len, 0);
    wal_encoder_begin(&e, 1);
    assert_int_equal(wal_encoder_end(&e).len, 0);
    wal_encoder_release(&e);
}

// A record that outgrew its maximum is refused as a whole, and the encoder works again afterwards.
static void test_an_oversized_record_is_refused(void **state)
{
    struct wal_encoder e;
    struct sample one = {5, 60, series_value_of(0.5)};
    (void)state;
    wal_encoder_init(&e);
    e.bytes.max_bytes = 4096; // instead of WAL_RECORD_MAX_BYTES
    wal_encoder_begin(&e, 1);
    for (uint32_t i = 0; i < 100000; i++)
        wal_encoder_sample(&e, i * 7 % 1000, i, &one.value);
    assert_true(wal_encoder_end(&e).len > WAL_RECORD_MAX_BYTES);
    wal_encoder_begin(&e, 1);
    for (uint32_t i = 0; i < 4000; i++)
        wal_encoder_define_series(&e, i, SLICE_LITERAL("a_rather_long_name"), NULL, 0);
    assert_true(wal_encoder_end(&e).len > WAL_RECORD_MAX_BYTES);
    expect_samples(encode(&e, 1, &one, 1), &one, 1, "afterwards");
    wal_encoder_release(&e);
}

// ---- damage -----------------------------------------------------------------------------------------------

static int count_host(void *ctx, uint32_t host, struct slice cluster, struct slice name, struct error *err)
{
    (void)host, (void)err;
    *(size_t *)ctx += cluster.len + name.len;
    return 0;
}

static int count_series(void *ctx, uint32_t host, uint32_t series, struct slice metric,
                        const struct slice *path, size_t depth, struct error *err)
{
    (void)host, (void)err;
    assert_true(series < WAL_MAX_SERIES && depth <= WAL_MAX_DEPTH && metric.len > 0);
    for (size_t i = 0; i < depth; i++)
        *(size_t *)ctx += path[i].len;
    return 0;
}

static int count_samples(void *ctx, uint32_t host, uint32_t first, int64_t ts,
                         const struct series_value *values, size_t count, struct error *err)
{
    (void)host, (void)ts, (void)err;
    assert_true(first + count <= WAL_MAX_SERIES);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i].scale <= BLOCK_MAX_SCALE);
    *(size_t *)ctx += count;
    return 0;
}

static const struct wal_decoder_ops count = {count_host, count_series, count_samples};

// From a copy of the exact size, so that sanitizers see a step too far.
static int decode_copy(const char *bytes, size_t len, struct error *err)
{
    size_t seen = 0;
    char *copy = mem_alloc(len + 1);
    char *exact = copy + 1; // unaligned, ends with the allocation
    memcpy(exact, bytes, len);
    int rc = wal_record_decode(slice_of(exact, len), &count, &seen, err);
    mem_free(copy);
    return rc;
}

static struct slice some_record(struct wal_encoder *e)
{
    uint64_t random = 5;
    struct slice path[] = {SLICE_LITERAL("socket0"), SLICE_LITERAL("core1")};
    wal_encoder_begin(e, 12345);
    wal_encoder_define_host(e, SLICE_LITERAL("emmy"), SLICE_LITERAL("e0101"));
    wal_encoder_define_series(e, 0, SLICE_LITERAL("flops"), path, 2);
    wal_encoder_define_series(e, 1, SLICE_LITERAL("mem_bw"), path, 1);
    wal_encoder_define_series(e, 900, SLICE_LITERAL("flops"), path, 0);
    for (uint32_t i = 0; i < 60; i++) {
        struct series_value value = random_value(&random);
        wal_encoder_sample(e, i < 40 ? i : i * 31 % 7, 1700000000 + i / 50, &value);
    }
    return wal_encoder_end(e);
}

static void test_cut_records_are_refused_or_end_at_an_item(void **state)
{
    struct wal_encoder e;
    size_t refused = 0;
    (void)state;
    wal_encoder_init(&e);
    struct slice record = some_record(&e);
    assert_int_equal(decode_copy(record.ptr, record.len, NULL), 0);
    for (size_t len = 0; len < record.len; len++) {
        struct error err = ERROR_INIT;
        int rc = decode_copy(record.ptr, len, &err);
        EXPECT(rc == 0 || (rc == ERR_CORRUPT && strstr(err.text, "at byte")), "%zu bytes: %d, %s", len, rc,
               err.text);
        refused += rc != 0;
    }
    EXPECT(refused > record.len / 2, "%zu of %zu cuts noticed", refused, record.len);
    wal_encoder_release(&e);
}

static void test_flipped_bits_do_no_harm(void **state)
{
    struct wal_encoder e;
    char copy[1024];
    (void)state;
    wal_encoder_init(&e);
    struct slice record = some_record(&e);
    assert_true(record.len <= sizeof(copy));
    for (size_t bit = 0; bit < record.len * 8; bit++) {
        struct error err = ERROR_INIT;
        memcpy(copy, record.ptr, record.len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        int rc = decode_copy(copy, record.len, &err);
        EXPECT(rc == 0 || rc == ERR_CORRUPT, "bit %zu: %d", bit, rc);
    }
    wal_encoder_release(&e);
}

static void test_bad_fields_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text; // NULL: good
    } cases[] = {
        {"", 0, "kind of record"},
        {"\x02\x01", 2, "kind of record"},
        {"\x01", 1, "host number"},
        {"\x01\x00\x01\x01\x01\x01\x01\x00\x00\x00", 10, "host number"}, // 2^32 and more
        {"\x01\x01\x02", 3, "kind of item"},
        {"\x01\x01\x18", 3, "kind of item"},
        {"\x01\x01\x13", 3, "depth"},
        {"\x01\x01\x10\x03\x01\x03", 6, "series number"}, // -1
        {"\x01\x01\x10\x01\x03", 5, "name at"},           // refers to none
        {"\x01\x01\x10\x01\x01\x01", 6, "length of a name"},
        {"\x01\x01\x10\x01\x01\x05x", 7, "length of a name"},
        {"\x01\x01\x10\x01\x01\x03x", 7, NULL},
        {"\x01\x01\x80\x01", 4, "count"},
        {"\x01\x01\x82\x01", 4, "count"},
        {"\x01\x01\x81\x15", 4, "value"}, // scale 10
        {"\x01\x01\x81\x1D\x00\x00\x00", 7, "value"},
        {"\x01\x01\x81\x1F\x00\x00\x00\x00\x00\x00\x00", 11, "value"},
        {"\x01\x01\x81\x1D\x00\x00\x00\x00", 8, NULL},
        {"\x01\x01\x81\x3D\x00\x00\x00\x00", 8, "value"},                  // 14 with more above
        {"\x01\x01\x81\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 12, "value"}, // above 2^53
        {"\x01\x01\x20\x01", 4, "count"},
        {"\x01\x01\x20\x00\x00", 5, "count"},
        {"\x01\x01\x20\x02\x00\x01", 6, "count"},
        {"\x01\x01\x20\x02\x00\x01\x01", 7, NULL},
        {"\x01\x01\xA1\x01\x01", 5, NULL},
        {"\x01\x01\xC1", 3, "time"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        int rc = decode_copy(cases[i].bytes, cases[i].len, &err);
        if (cases[i].text)
            EXPECT(rc == ERR_CORRUPT && strstr(err.text, cases[i].text), "case %zu: %d, '%s', wanted '%s'", i,
                   rc, err.text, cases[i].text);
        else
            EXPECT(rc == 0, "case %zu: %s", i, err.text);
    }
}

static void test_an_error_of_the_receiver_ends_it(void **state)
{
    struct wal_encoder e;
    struct contents c = {.fail_after = 1};
    struct error err = ERROR_INIT;
    (void)state;
    wal_encoder_init(&e);
    assert_int_equal(wal_record_decode(some_record(&e), &take, &c, &err), ERR_LIMIT);
    assert_string_equal(err.text, "enough");
    assert_true(c.sample_count < 60);
    contents_release(&c);
    wal_encoder_release(&e);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nasty_values_come_back),
        cmocka_unit_test(test_all_decimals_keep_their_scale),
        cmocka_unit_test(test_overlong_mantissas_become_doubles),
        cmocka_unit_test(test_random_batches_come_back),
        cmocka_unit_test(test_extreme_times_come_back),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_definitions_come_back),
        cmocka_unit_test(test_definitions_between_samples),
        cmocka_unit_test(test_an_empty_record_is_empty),
        cmocka_unit_test(test_an_oversized_record_is_refused),
        cmocka_unit_test(test_cut_records_are_refused_or_end_at_an_item),
        cmocka_unit_test(test_flipped_bits_do_no_harm),
        cmocka_unit_test(test_bad_fields_are_named),
        cmocka_unit_test(test_an_error_of_the_receiver_ends_it),
    };
    return TEST_MAIN(argc, argv, tests);
}
