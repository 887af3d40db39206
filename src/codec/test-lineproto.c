// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/lineproto-describe.h"
#include "codec/lineproto-scan.h"
#include "codec/lineproto.h"

// ---- one line per entry or error, for comparison

static bool not_unknown(void *ctx, struct slice measurement)
{
    (void)ctx;
    return !slice_starts_with(measurement, SLICE_LITERAL("unknown"));
}

static void decode_piece(struct lineproto_decoder *d, struct buf *out)
{
    struct lineproto_entry *entry = NEW(struct lineproto_entry);
    for (;;) {
        struct error err = ERROR_INIT;
        int rc = lineproto_next(d, entry, not_unknown, NULL, &err);
        if (rc == 0)
            break;
        if (rc > 0)
            lineproto_describe(out, entry);
        else
            buf_printf(out, "%s %s\n", error_code_name(err.code), err.text);
    }
    mem_free(entry);
}

static void decode(struct slice input, size_t max_line_bytes, struct buf *out)
{
    struct lineproto_decoder *d = lineproto_decoder_new(max_line_bytes);
    lineproto_decoder_reset(d, input, true);
    decode_piece(d, out);
    lineproto_decoder_free(&d);
}

static void assert_decodes(const char *input, const char *expected)
{
    struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    decode(slice_from_cstr(input), LINEPROTO_LINE_MAX_DEFAULT, &out);
    if (!slice_eq_cstr(buf_slice(&out), expected))
        fail_msg("'%s' decodes to\n%.*sexpected\n%s", input, SLICE_FMT(buf_slice(&out)), expected);
    buf_release(&out);
}

// ---- decoding ---------------------------------------------------------------------------------------------

static void test_entries(void **state)
{
    (void)state;
    static const struct {
        const char *input, *expected;
    } cases[] = {
        {"", ""},
        {"m v=1", "1 [m] v=f:1\n"},
        {"m,t=x v=1 5\n", "1 [m] {t=x} v=f:1 @5\n"},
        {"m,t=x,a=y v=1,w=2i,u=3u,b=t,s=\"q\" -5\n", "1 [m] {t=x} {a=y} v=f:1 w=i:2 u=u:3 b=b:1 s=s:q @-5\n"},
        {"  m  v=1   7  \nn v=2\r\n", "1 [m] v=f:1 @7\n2 [n] v=f:2\n"},
        {"m v=1 \r\nm v=2 3\r", "1 [m] v=f:1\n2 [m] v=f:2 @3\n"},
        {"m v=1 0001700000000\n", "1 [m] v=f:1 @1700000000\n"},
        {"m v=1 -9223372036854775808\n", "1 [m] v=f:1 @-9223372036854775808\n"},
        // write-blank-comment-crlf
        {"\n\n  \n\r\n\n", ""},
        {"# only a comment\n   # another, with = and ,\n#", ""},
        {"# c\r\n\r\n  cpu_load value=1 1700000000\r\n# x\r\ncpu_load value=2 1700000060",
         "3 [cpu_load] value=f:1 @1700000000\n5 [cpu_load] value=f:2 @1700000060\n"},
        {"   \na value=3 1\n\n\na value=4 2   \n", "2 [a] value=f:3 @1\n5 [a] value=f:4 @2\n"},
        // write-escape-measurement
        {"my\\ metric v=1", "1 [my metric] v=f:1\n"},
        {"a\\,b v=2", "1 [a,b] v=f:2\n"},
        {"a=b v=3", "1 [a=b] v=f:3\n"},
        {"q\"m v=4", "1 [q\"m] v=f:4\n"},
        {"back\\slash v=5", "1 [back\\slash] v=f:5\n"},
        {"x\\=y v=6", "1 [x\\=y] v=f:6\n"},
        {"a\\\\,b v=6", "1 [a\\,b] v=f:6\n"},
        {"=x v=1", "1 [=x] v=f:1\n"},
        {"m,a\\,b=x\\=y\\ z,c=d\\e v=1", "1 [m] {a,b=x=y z} {c=d\\e} v=f:1\n"},
        {"m,t=x\"y v=1", "1 [m] {t=x\"y} v=f:1\n"},
        {"\xC3\xA4,\xE2\x82\xAC=\xC3\xB6 \xC3\xBC=1", "1 [\xC3\xA4] {\xE2\x82\xAC=\xC3\xB6} \xC3\xBC=f:1\n"},
        // strings
        {"m s=\"with \\\" quote and \\\\ \" 1", "1 [m] s=s:with \" quote and \\  @1\n"},
        {"m s=\"\\n\\r\\t\\x\\\" a=\\\"\",b=1", "1 [m] s=s:\n\r\t\\x\" a=\" b=f:1\n"},
        {"m s=\"\\\\\"", "1 [m] s=s:\\\n"},
        {"m s=\"two\nlines\" 1\nn v=1", "1 [m] s=s:two\nlines @1\n3 [n] v=f:1\n"},
        {"m s=\"\" 1", "1 [m] s=s: @1\n"},
        // write-bool-string, write-error-positions: an unwanted line is skipped with its quoted line ends
        {"unknown s=true 1\nunknown s=\"x y, z=1\nm v=666\" 1\nm v=7 1\n", "4 [m] v=f:7 @1\n"},
        {"unknown,,, =\nm v=1", "2 [m] v=f:1\n"},
        {"unknown s=\"open\nm v=1", "2 [m] v=f:1\n"},
        {"unknown\"x v=1\nm v=2\nn v=\"3\"", "2 [m] v=f:2\n3 [n] v=s:3\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_decodes(cases[i].input, cases[i].expected);
}

static void test_head_and_source(void **state)
{
    (void)state;
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    lineproto_decoder_reset(d, SLICE_LITERAL("  my\\ m,t=x\\,y   value=1 5 \r\nx v=1"), true);
    struct lineproto_entry entry;
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 1);
    assert_true(slice_eq_cstr(entry.head, "my\\ m,t=x\\,y"));
    assert_true(slice_eq_cstr(entry.source, "my\\ m,t=x\\,y   value=1 5 "));
    assert_true(slice_eq_cstr(entry.measurement, "my m"));
    assert_true(slice_eq_cstr(entry.tags[0].value, "x,y"));
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 1);
    assert_true(slice_eq_cstr(entry.source, "x v=1"));
    assert_int_equal(entry.line, 2);
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 0);
    lineproto_decoder_free(&d);
}

// The values of write-floats and write-ints, and some more.
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"1", "f:1"},
        {"1.0", "f:1"},
        {".5", "f:0.5"},
        {"1.", "f:1"},
        {"-0", "f:-0"},
        {"-0.0", "f:-0"},
        {"1e3", "f:1000"},
        {"1E-3", "f:0.001"},
        {"1e+3", "f:1000"},
        {"00012", "f:12"},
        {"0.1", "f:0.10000000000000001"},
        {"-.25", "f:-0.25"},
        {"123456789.123456789", "f:123456789.12345679"},
        {"9007199254740993", "f:9007199254740992"},
        {"0x1p4", "f:16"},
        {"0x.8p1", "f:1"},
        {"0x1P-2", "f:0.25"},
        {"1_000.5", "f:1000.5"},
        {"5e-324", "f:4.9406564584124654e-324"},
        {"1e-400", "f:0"},
        {"1e300", "f:1.0000000000000001e+300"},
        {"0i", "i:0"},
        {"-1i", "i:-1"},
        {"-0i", "i:0"},
        {"007i", "i:7"},
        {"9223372036854775807i", "i:9223372036854775807"},
        {"-9223372036854775808i", "i:-9223372036854775808"},
        {"00u", "u:0"},
        {"18446744073709551615u", "u:18446744073709551615"},
        {"t", "b:1"},
        {"T", "b:1"},
        {"true", "b:1"},
        {"True", "b:1"},
        {"TRUE", "b:1"},
        {"f", "b:0"},
        {"F", "b:0"},
        {"false", "b:0"},
        {"False", "b:0"},
        {"FALSE", "b:0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char input[128], expected[128];
        snprintf(input, sizeof(input), "m v=%s 1700000000\n", cases[i].text);
        snprintf(expected, sizeof(expected), "1 [m] v=%s @1700000000\n", cases[i].value);
        assert_decodes(input, expected);
    }
}

struct bad_case {
    const char *input, *expected;
};

static void assert_all(const struct bad_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_decodes(cases[i].input, cases[i].expected);
}

// The recorded scenario write-bad-values.
static void test_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "missing field value for field \"value\""},
        {"NaN", "value for field \"value\" (\"NaN\") has unrecognized type"},
        {"nan", "value for field \"value\" (\"nan\") has unrecognized type"},
        {"inf", "value for field \"value\" (\"inf\") has unrecognized type"},
        {"-inf", "cannot parse value for field key \"value\": non-number \"-inf\" cannot be represented as a "
                 "line-protocol field value"},
        {"-Infinity",
         "cannot parse value for field key \"value\": non-number \"-Infinity\" cannot be represented as "
         "a line-protocol field value"},
        {"-nan", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"+1", "value for field \"value\" (\"+1\") has unrecognized type"},
        {"1e400", "cannot parse value for field key \"value\": line-protocol value out of range"},
        {"-1e400", "cannot parse value for field key \"value\": line-protocol value out of range"},
        {"1x", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"i", "value for field \"value\" (\"i\") has unrecognized type"},
        {"1ii", "cannot parse value for field key \"value\": invalid integer value syntax"},
        {"9223372036854775808i",
         "cannot parse value for field key \"value\": line-protocol value out of range"},
        {"-9223372036854775809i",
         "cannot parse value for field key \"value\": line-protocol value out of range"},
        {"18446744073709551616u",
         "cannot parse value for field key \"value\": line-protocol value out of range"},
        {"-1u", "cannot parse value for field key \"value\": invalid unsigned integer value syntax"},
        {"1.5i", "cannot parse value for field key \"value\": invalid integer value syntax"},
        {"1.5u", "cannot parse value for field key \"value\": invalid unsigned integer value syntax"},
        {"-i", "cannot parse value for field key \"value\": invalid integer value syntax"},
        {"-", "cannot parse value for field key \"value\": invalid float value syntax"},
        {".", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"0x", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"0x10", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"0x10i", "cannot parse value for field key \"value\": invalid integer value syntax"},
        {"--1", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"1e", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"1__0", "cannot parse value for field key \"value\": invalid float value syntax"},
        {"1_i", "cannot parse value for field key \"value\": invalid integer value syntax"},
        {"tru", "cannot parse value for field key \"value\": invalid bool value \"tru\""},
        {"tRUE", "cannot parse value for field key \"value\": invalid bool value \"tRUE\""},
        {"abc", "value for field \"value\" (\"abc\") has unrecognized type"},
        {"'1'", "value for field \"value\" (\"'1'\") has unrecognized type"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char input[256], expected[512];
        snprintf(input, sizeof(input), "cpu_load,cluster=c,hostname=h value=%s 1700000000\nm v=1",
                 cases[i].text);
        snprintf(expected, sizeof(expected), "invalid at line 1:37: %s\n2 [m] v=f:1\n", cases[i].reason);
        assert_decodes(input, expected);
    }
    assert_decodes("cpu_load,cluster=c,hostname=h value=1,000 1700000000\n",
                   "invalid at line 1:42: want '=' after field key \"000\", found ' '\n");
}

// The recorded scenarios write-bad-tags and write-error-positions, and further places where a line can break.
static void test_bad_tags(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {"cpu_load, value=1 1700000000\n",
         "invalid at line 1:10: expected tag key after comma; got white space instead\n"},
        {"cpu_load,", "invalid at line 1:10: expected tag key after comma; got end of input\n"},
        {"cpu_load,\n", "invalid at line 1:10: expected tag key after comma; got white space instead\n"},
        {"unknown,\nm v=1",
         "invalid at line 1:9: expected tag key after comma; got white space instead\n2 [m] v=f:1\n"},
        {"cpu_load,cluster value=1 1\n",
         "invalid at line 1:10: expected '=' after tag key \"cluster\", but got ' ' instead\n"},
        {"cpu_load,cluster",
         "invalid at line 1:10: expected '=' after tag key \"cluster\", but got end of input instead\n"},
        {"cpu_load,cluster= value=1 1\n",
         "invalid at line 1:18: expected tag value after tag key \"cluster\", but none found\n"},
        {"cpu_load,=c value=1 1\n", "invalid at line 1:10: empty tag key\n"},
        {"cpu_load,cluster=c,hostname= value=1 1\n",
         "invalid at line 1:29: expected tag value after tag key \"hostname\", but none found\n"},
        {"cpu_load,cluster=c, hostname=h value=1 1\n",
         "invalid at line 1:20: expected tag key after comma; got white space instead\n"},
        {"cpu_load,cluster=c,,hostname=h value=1 1\n",
         "invalid at line 1:20: expected tag key or field but found ',' instead\n"},
        {"cpu_load,cluster=c=d value=1 1\n", "invalid at line 1:19: empty tag key\n"},
        {"cpu_load,cluster=c,host name=h value=1 1\n",
         "invalid at line 1:20: expected '=' after tag key \"host\", but got ' ' instead\n"},
    };
    assert_all(cases, ARRAY_LEN(cases));
}

static void test_bad_entries(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {",cluster=c value=1 1\n",
         "invalid at line 1:1: invalid character ',' found at start of measurement name\n"},
        {"\tm v=1\nm v=2",
         "invalid at line 1:1: invalid character '\\t' found at start of measurement name\n2 [m] v=f:2\n"},
        {"m\tv=1", "invalid at line 1:2: expected tag key or field but found '\\t' instead\n"},
        {"m\n", "invalid at line 1:2: expected tag key or field but found '\\n' instead\n"},
        {"m", "invalid at line 1:2: expected tag key or field but found end of input instead\n"},
        {"m ", "invalid at line 1:3: expected field key but none found\n"},
        {"m,a=b", "invalid at line 1:6: expected field key but none found\n"},
        {"m \n", "invalid at line 1:3: invalid character '\\n' found at start of field key\n"},
        {"m =1", "invalid at line 1:3: invalid character '=' found at start of field key\n"},
        {"m v=", "invalid at line 1:5: expected value for field \"v\", found end of input\n"},
        {"m v=\n", "invalid at line 1:5: value for field \"v\" (\"\") has unrecognized type\n"},
        {"m v=,w=1", "invalid at line 1:5: missing field value for field \"v\"\n"},
        {"m v=\"a\"b", "invalid at line 1:8: unexpected character 'b' after field \"v\"\n"},
        {"m v=1,,", "invalid at line 1:7: invalid character ',' found at start of field key\n"},
        {"# a \x01 comment\nm v=1",
         "invalid at line 1:1: invalid character found in comment line\n2 [m] v=f:1\n"},
    };
    assert_all(cases, ARRAY_LEN(cases));
}

static void test_bad_times_and_positions(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {"m v=1 abc\nn v=1", "invalid at line 1:7: invalid timestamp (\"abc\")\n2 [n] v=f:1\n"},
        {"m v=1 12x4\nn v=1", "invalid at line 1:7: invalid timestamp (\"12x4\")\n2 [n] v=f:1\n"},
        {"m v=1 12 34\nn v=1",
         "invalid at line 1:10: unexpected text after timestamp (\"34\")\n2 [n] v=f:1\n"},
        {"m v=1 12\rn v=1\nn v=1",
         "invalid at line 1:9: unexpected text after timestamp (\"\")\n2 [n] v=f:1\n"},
        {"m v=1 1-2\nn v=1",
         "invalid at line 1:7: invalid timestamp (\"1-2\"): invalid syntax\n2 [n] v=f:1\n"},
        {"m v=1 -\nn v=1", "invalid at line 1:7: invalid timestamp (\"-\"): invalid syntax\n2 [n] v=f:1\n"},
        {"m v=1 9223372036854775808\nn v=1", "invalid at line 1:7: invalid timestamp "
                                             "(\"9223372036854775808\"): line-protocol value out of range\n"
                                             "2 [n] v=f:1\n"},
        {"m\xFF v=1", "invalid at line 1:1: invalid utf-8 sequence in token \"m\\xff\"\n"},
        {"m v=\"\xC3\"\nn v=1",
         "invalid at line 1:6: invalid utf-8 sequence in token \"\\xc3\"\n2 [n] v=f:1\n"},
        {"m,\xC3\xA4\x01=1 v=1",
         "invalid at line 1:3: expected '=' after tag key \"\xC3\xA4\", but got '\\x01' instead\n"},
        {"m v=''1''", "invalid at line 1:5: value for field \"v\" (\"''1''\") has unrecognized type\n"},
        {"m v=\\\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "invalid at line 1:5: value for field \"v\" (\"\\\\\\\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\") "
         "has "
         "unrecognized type\n"},
        {"   cpu_load,=x value=1", "invalid at line 1:10: empty tag key\n"},
        {"\n\n# c\n\n  cpu_load,cluster=c,hostname=h valu",
         "invalid at line 5:35: want '=' after field key \"valu\", found end of input\n"},
        {"unknown\xC3\xA4,b=c d=1\ncpu_load,b=\xC3\xA4,=c d=1", "invalid at line 2:15: empty tag key\n"},
        {"unknown a=\"x\ny\nz\",b=1\ncpu_load,=x a=1", "invalid at line 4:10: empty tag key\n"},
        {"cpu_load,cluster=c,hostname=h\\ 1,=x value=1", "invalid at line 1:34: empty tag key\n"},
        {"cpu_load,cluster=c,hostname=h value=\"\nab\ncd",
         "invalid at line 1:37: expected closing quote for string field \"value\", found end of input\n"
         "invalid at line 2:3: expected tag key or field but found '\\n' instead\n"
         "invalid at line 3:3: expected tag key or field but found end of input instead\n"},
        {"\r\n\r\ncpu_load x", "invalid at line 3:11: want '=' after field key \"x\", found end of input\n"},
        {"cpu_load,cluster=c,hostname=h  value=1,,",
         "invalid at line 1:40: invalid character ',' found at start of field key\n"},
        {"m s=\"a\nb\",=1", "invalid at line 2:4: invalid character '=' found at start of field key\n"},
    };
    assert_all(cases, ARRAY_LEN(cases));
}

static void test_ms_13_good_lines_around_bad_ones(void **state)
{
    (void)state;
    assert_decodes("a v=1 1\nb, v=2 1\nc v=3 1\nd v=x 1\ne v=5 1\n",
                   "1 [a] v=f:1 @1\n"
                   "invalid at line 2:3: expected tag key after comma; got white space instead\n"
                   "3 [c] v=f:3 @1\n"
                   "invalid at line 4:5: value for field \"v\" (\"x\") has unrecognized type\n"
                   "5 [e] v=f:5 @1\n");
    // The lines behind an unterminated string are not lost.
    assert_decodes("a v=1 1\nb s=\"open 1\nc v=3 1\n",
                   "1 [a] v=f:1 @1\n"
                   "invalid at line 2:5: expected closing quote for string field \"s\", found end of input\n"
                   "3 [c] v=f:3 @1\n");
}

static void test_ms_14_cut_line_is_not_used(void **state)
{
    (void)state;
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    lineproto_decoder_reset(d, SLICE_LITERAL("a v=1 1\nb value=12"), false);
    struct lineproto_entry entry;
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 1);
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 0);
    assert_true(slice_eq_cstr(lineproto_rest(d), "b value=12"));
    lineproto_decoder_reset(d, SLICE_LITERAL("b s=\"x\n"), false);
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 0);
    assert_true(slice_eq_cstr(lineproto_rest(d), "b s=\"x\n"));
    lineproto_decoder_free(&d);
}

static void test_ms_07_timestamp_units(void **state)
{
    (void)state;
    static const struct {
        int64_t timestamp, seconds;
    } cases[] = {
        {0, 0},
        {-1, -1},
        {1700000000, 1700000000},
        {99999999999, 99999999999},
        {100000000000, 100000000},
        {1700000000123, 1700000000},
        {-1700000000123, -1700000001},
        {99999999999999, 99999999999},
        {100000000000000, 100000000},
        {1700000000123456, 1700000000},
        {99999999999999999, 99999999999},
        {100000000000000000, 100000000},
        {1700000000123456789, 1700000000},
        {-1700000000000000001, -1700000001},
        {INT64_MAX, 9223372036},
        {INT64_MIN, -9223372037},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t seconds = lineproto_guess_seconds(cases[i].timestamp);
        if (seconds != cases[i].seconds)
            fail_msg("%lld: %lld, expected %lld", (long long)cases[i].timestamp, (long long)seconds,
                     (long long)cases[i].seconds);
    }
}

// ---- limits and pieces ------------------------------------------------------------------------------------

static void test_ms_15_endless_line(void **state)
{
    (void)state;
    static const struct {
        const char *input, *expected;
    } cases[] = {
        {"m,t=12345 v=1 1\nn v=1", "1 [m] {t=12345} v=f:1 @1\n2 [n] v=f:1\n"}, // exactly 15 bytes
        {"m,t=12345 v=1 1\r\nn v=1\r\n", "1 [m] {t=12345} v=f:1 @1\n2 [n] v=f:1\n"},
        {"m,t=123456 v=1 1\nn v=1", "limit at line 1:1: entry is longer than 15 bytes\n2 [n] v=f:1\n"},
        {"m,t=12345678901 v=1 1\nn v=1", "limit at line 1:1: entry is longer than 15 bytes\n2 [n] v=f:1\n"},
        {"\nm,t=12345678901 v=1 1", "limit at line 2:1: entry is longer than 15 bytes\n"},
        {"m s=\"1234\n5678\n9\n\nn v=1\nb s=\"",
         "limit at line 1:1: entry is longer than 15 bytes\n5 [n] v=f:1\n"
         "invalid at line 6:5: expected closing quote for string field \"s\", "
         "found end of input\n"},
        {"unknown,t=12345678901 v=1 1\nn v=1", "2 [n] v=f:1\n"},
        {"m,,t=12345678901 v=1 1\nn v=1",
         "invalid at line 1:3: expected tag key or field but found ',' instead\n"
         "2 [n] v=f:1\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, BUF_MAX_DEFAULT);
        decode(slice_from_cstr(cases[i].input), 15, &out);
        if (!slice_eq_cstr(buf_slice(&out), cases[i].expected))
            fail_msg("'%s' decodes to\n%.*sexpected\n%s", cases[i].input, SLICE_FMT(buf_slice(&out)),
                     cases[i].expected);
        buf_release(&out);
    }
}

// write-long-lines: a tag of 40000 bytes and a number of 20000 digits are within the limit.
static void test_long_lines(void **state)
{
    (void)state;
    struct buf line;
    buf_init(&line, BUF_MAX_DEFAULT);
    buf_append_cstr(&line, "m,t=");
    buf_append_fill(&line, 'x', 40000);
    buf_append_cstr(&line, " v=1.");
    buf_append_fill(&line, '0', 20000);
    buf_append_cstr(&line, "1 5\n");
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    lineproto_decoder_reset(d, buf_slice(&line), true);
    struct lineproto_entry entry;
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 1);
    assert_int_equal(entry.tags[0].value.len, 40000);
    assert_true(entry.fields[0].value.f64 == 1.0);
    assert_int_equal(entry.timestamp, 5);
    lineproto_decoder_free(&d);
    buf_release(&line);
}

// LINEPROTO_MAX_TAGS and LINEPROTO_MAX_FIELDS are both 64.
static void test_too_many_tags_and_fields(void **state)
{
    (void)state;
    for (int tags = 0; tags <= 1; tags++) {
        for (int extra = 0; extra <= 1; extra++) {
            struct buf line, out;
            buf_init(&line, BUF_MAX_DEFAULT);
            buf_init(&out, BUF_MAX_DEFAULT);
            buf_append_byte(&line, 'm');
            for (int i = 0; i < 64 + extra; i++)
                buf_printf(&line, "%ck%d=1", tags || i ? ',' : ' ', i);
            buf_append_cstr(&line, tags ? " v=1\n" : "\n");
            decode(buf_slice(&line), LINEPROTO_LINE_MAX_DEFAULT, &out);
            assert_true(slice_starts_with(buf_slice(&out), extra ? SLICE_LITERAL("limit at line 1:")
                                                                 : SLICE_LITERAL("1 [m]")));
            buf_release(&line);
            buf_release(&out);
        }
    }
}

static const char sample[] =
    "# comment\r\n\r\ncpu_load,cluster=c,hostname=h value=1.5 1700000000\n"
    "m s=\"two\nlines \\\" and\r\nmore\",b=t -5\r\n  my\\ metric,a\\,b=x\\=y v=1i\n"
    "bad,,x v=1\nunknown s=\"skip\nm v=666\" 1\nunknown,t=1 v=1\nm v=1 12 34\n"
    "\xC3\xA4,\xE2\x82\xAC=\xC3\xB6 \xC3\xBC=1u 7\n\nm s=\"a\\\\\" 1\n# end \x01\nlast v=0x1p4 9";

// Decodes in two pieces cut at 'cut', the second beginning with what the first left.
static void decode_in_pieces(struct slice input, size_t cut, size_t max_line_bytes, struct buf *out)
{
    struct lineproto_decoder *d = lineproto_decoder_new(max_line_bytes);
    lineproto_decoder_reset(d, slice_of(input.ptr, cut), false);
    decode_piece(d, out);
    struct slice rest = lineproto_rest(d);
    char *second = mem_strndup(input.ptr + cut - rest.len, rest.len + input.len - cut);
    lineproto_decoder_continue(d, slice_of(second, rest.len + input.len - cut), true);
    decode_piece(d, out);
    mem_free(second);
    lineproto_decoder_free(&d);
}

static void test_pieces_equal_whole(void **state)
{
    (void)state;
    static const size_t limits[] = {LINEPROTO_LINE_MAX_DEFAULT, 30, 20, 12};
    struct slice input = slice_of(sample, sizeof(sample) - 1);
    for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
        struct buf whole;
        buf_init(&whole, BUF_MAX_DEFAULT);
        decode(input, limits[l], &whole);
        for (size_t cut = 0; cut <= input.len; cut++) {
            struct buf pieces;
            buf_init(&pieces, BUF_MAX_DEFAULT);
            decode_in_pieces(input, cut, limits[l], &pieces);
            if (!slice_eq(buf_slice(&whole), buf_slice(&pieces)))
                fail_msg("limit %zu, cut at %zu:\n%.*swhole:\n%.*s", limits[l], cut,
                         SLICE_FMT(buf_slice(&pieces)), SLICE_FMT(buf_slice(&whole)));
            buf_release(&pieces);
        }
        buf_release(&whole);
    }
}

static void test_advance(void **state)
{
    (void)state;
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    lineproto_decoder_reset(d, SLICE_LITERAL("a v=1\nb v=2\nc,, v=3\n"), true);
    assert_int_equal(lineproto_unread(d).len, 20);
    lineproto_advance(d, 12, 2);
    assert_true(slice_eq_cstr(lineproto_unread(d), "c,, v=3\n"));
    struct lineproto_entry entry;
    struct error err = ERROR_INIT;
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, &err), ERR_INVALID);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 3);
    lineproto_decoder_free(&d);
}

// ---- fast scanning ----------------------------------------------------------------------------------------

// What the fast scan accepts must be what the decoder reads.
static void assert_scan(const char *rest, bool accepted)
{
    char input[256];
    snprintf(input, sizeof(input), "m%s%0*d", rest, LINEPROTO_SCAN_MARGIN, 0);
    const char *end = input + strlen(input);
    double value = -1;
    int64_t timestamp = -1;
    const char *next = lineproto_scan_value_time(input + 1, end, &value, &timestamp);
    if ((next != NULL) != accepted)
        fail_msg("'%s' is %s", rest, next ? "accepted" : "declined");
    if (!next)
        return;
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    lineproto_decoder_reset(d, slice_of(input, (size_t)(next - input)), true);
    struct lineproto_entry entry;
    assert_int_equal(lineproto_next(d, &entry, NULL, NULL, NULL), 1);
    assert_int_equal(entry.source.len + 1, next - input);
    const struct lineproto_value *v = &entry.fields[0].value;
    double expected = v->kind == LINEPROTO_FLOAT ? v->f64
                      : v->kind == LINEPROTO_INT ? (double)v->i64
                                                 : (double)v->u64;
    if (memcmp(&expected, &value, sizeof(value)) != 0 || timestamp != entry.timestamp)
        fail_msg("'%s' scans as %.17g, %lld", rest, value, (long long)timestamp);
    lineproto_decoder_free(&d);
}

static void test_scan_value_time(void **state)
{
    (void)state;
    static const char *const accepted[] = {
        " value=1 1700000000\n",
        " value=0 0\n",
        " value=-0 1\n",
        " value=-0.0 1\n",
        " value=123.456 1\n",
        " value=-123.456 1700000000123\n",
        " value=99999999 1\n",
        " value=123456789.12 1\n",
        " value=123456789012345 1\n",
        " value=0.00000000000001 1\n",
        " value=1e3 1\n",
        " value=1.6384e+07 1\n",
        " value=1E-3 1\n",
        " value=5i 1\n",
        " value=-5i 1\n",
        " value=-0i 1\n",
        " value=5u 1\n",
        " value=007i 1\n",
        " value=12345678 12345678\n",
        " value=1 1234567890123456\n",
        " value=21.6666666666667 1\n",
    };
    static const char *const declined[] = {
        "  value=1 1\n",
        " value=1  1\n",
        " value=1 1 \n",
        " value=1 1\r\n",
        " value=1\n",
        " value=.5 1\n",
        " value=1. 1\n",
        " value=1,value=2 1\n",
        " value=+1 1\n",
        " value=-5u 1\n",
        " value=1x 1\n",
        " value=1ii 1\n",
        " value=1ie5 1\n",
        " value=1.5i 1\n",
        " value=1e5i 1\n",
        " value=t 1\n",
        " value=\"x\" 1\n",
        " value=1_0 1\n",
        " value=0x1p4 1\n",
        " value=1e 1\n",
        " value=1e100 1\n",
        " value=1e23 1\n",
        " value=1 -1\n",
        " value=1 12345678901234567\n",
        " value=1 \n",
        " value= 1\n",
        " value=- 1\n",
        " Value=1 1\n",
        " value=1234567890123456 1\n",
        " value=12345678.12345678 1\n",
        " value=1\t1\n",
        " valu=1 1\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
        assert_scan(accepted[i], true);
    for (size_t i = 0; i < ARRAY_LEN(declined); i++)
        assert_scan(declined[i], false);
    double value;
    int64_t timestamp;
    static const char close[] = " value=1 1\n"; // too near to the end to look at eight bytes at a time
    assert_null(lineproto_scan_value_time(close, close + sizeof(close) - 1, &value, &timestamp));
}

static void test_scan_head(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        {"m v=1", 1},
        {"cpu_load,cluster=c,hostname=h value=1 1\n", 29},
        {"12345678 v=1", 8},
        {"1234567 v=1", 7},
        {"m,t=a\\ b v=1", 0},
        {"m\tx v=1", 0},
        {"m\nx v=1", 0},
        {" m v=1", 0},
        {"# m v=1", 0},
        {"m,t=x", 0},
        {"", 0},
        {"\xC3\xA4,t=\xC3\xA4 v=1", 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = lineproto_scan_head(cases[i].text, cases[i].text + strlen(cases[i].text));
        if (len != cases[i].len)
            fail_msg("'%s': %zu, expected %zu", cases[i].text, len, cases[i].len);
    }
}

// ---- encoding ---------------------------------------------------------------------------------------------

static struct lineproto_field f64_field(const char *key, double v)
{
    return (struct lineproto_field){slice_from_cstr(key), {.kind = LINEPROTO_FLOAT, .f64 = v}};
}

static void assert_encodes(const char *name, const struct lineproto_tag *tags, size_t tag_count,
                           const struct lineproto_field *field, int64_t timestamp, const char *expected)
{
    struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct error err = ERROR_INIT;
    if (lineproto_encode(&out, slice_from_cstr(name), tags, tag_count, field, 1, timestamp, &err) < 0)
        fail_msg("%s", err.text);
    if (!slice_eq_cstr(buf_slice(&out), expected))
        fail_msg("'%.*s', expected '%s'", SLICE_FMT(buf_slice(&out)), expected);
    buf_release(&out);
}

#define TAG(k, v)                                                                                            \
    {                                                                                                        \
        {(k), sizeof(k) - 1},                                                                                \
        {                                                                                                    \
            (v), sizeof(v) - 1                                                                               \
        }                                                                                                    \
    }

// The worked examples of messages.md 2.3.
static void test_encode_worked_examples(void **state)
{
    (void)state;
    static const struct lineproto_tag load[] = {TAG("cluster", "c"), TAG("hostname", "n1"),
                                                TAG("type", "node")};
    struct lineproto_field value = f64_field("value", 0.08);
    assert_encodes("load_one", load, 3, &value, 1700000000,
                   "load_one,cluster=c,hostname=n1,type=node value=0.08 1700000000\n");
    static const struct lineproto_tag odd[] = {TAG("a,b", "x=y z"), TAG("c", "d\\e")};
    struct lineproto_field log = {
        SLICE_LITERAL("log"), {.kind = LINEPROTO_STRING, .string = SLICE_LITERAL("say \"hi\"\n\\end\t.")}};
    assert_encodes("my metric,x=y", odd, 2, &log, 1700000000123456789,
                   "my\\ metric\\,x=y,a\\,b=x\\=y\\ z,c=d\\e log=\"say \\\"hi\\\"\\n\\\\end\\t.\" "
                   "1700000000123456789\n");
    static const struct lineproto_tag ib[] = {TAG("cluster", "alex"), TAG("device", "mlx5_0"),
                                              TAG("hostname", "n1"),  TAG("lid", "0x2a"),
                                              TAG("port", "1"),       TAG("type", "node")};
    struct lineproto_field count = {SLICE_LITERAL("value"), {.kind = LINEPROTO_UINT, .u64 = 4096}};
    assert_encodes(
        "ib_recv", ib, 6, &count, 1700000000,
        "ib_recv,cluster=alex,device=mlx5_0,hostname=n1,lid=0x2a,port=1,type=node value=4096u 1700000000\n");
    value.value.f64 = 16384000;
    assert_encodes("mem_used", load + 1, 2, &value, 1700000000,
                   "mem_used,hostname=n1,type=node value=1.6384e+07 1700000000\n");
    struct lineproto_field truth = {SLICE_LITERAL("value"), {.kind = LINEPROTO_BOOL, .boolean = true}};
    assert_encodes("b", NULL, 0, &truth, -1, "b value=true -1\n");
    struct lineproto_field integer = {SLICE_LITERAL("value"), {.kind = LINEPROTO_INT, .i64 = INT64_MIN}};
    assert_encodes("i", NULL, 0, &integer, INT64_MIN, "i value=-9223372036854775808i -9223372036854775808\n");
}

static void test_encode_refuses(void **state)
{
    (void)state;
    static const struct {
        struct slice name;
        struct lineproto_tag tag;
        struct lineproto_field field;
        const char *reason;
    } cases[] = {
        {{"", 0}, TAG("a", "b"), {{"v", 1}, {.f64 = 1}}, "empty measurement"},
        {{"#m", 2}, TAG("a", "b"), {{"v", 1}, {.f64 = 1}}, "measurement '#m' would be a comment"},
        {{"m\n", 2}, TAG("a", "b"), {{"v", 1}, {.f64 = 1}}, "measurement holds the control character 0x0a"},
        {{"m\\", 2}, TAG("a", "b"), {{"v", 1}, {.f64 = 1}}, "measurement 'm\\' ends with a backslash"},
        {{"m\xFF", 2}, TAG("a", "b"), {{"v", 1}, {.f64 = 1}}, "measurement is not UTF-8"},
        {{"m", 1}, TAG("", "b"), {{"v", 1}, {.f64 = 1}}, "empty tag key"},
        {{"m", 1}, TAG("a", ""), {{"v", 1}, {.f64 = 1}}, "empty tag value"},
        {{"m", 1}, TAG("a", "\x7F"), {{"v", 1}, {.f64 = 1}}, "tag value holds the control character 0x7f"},
        {{"m", 1}, TAG("a", "b"), {{"", 0}, {.f64 = 1}}, "empty field key"},
        {{"m", 1}, TAG("a", "b"), {{"v", 1}, {.f64 = NAN}}, "field 'v' is not a finite number"},
        {{"m", 1}, TAG("a", "b"), {{"v", 1}, {.f64 = -INFINITY}}, "field 'v' is not a finite number"},
        {{"m", 1},
         TAG("a", "b"),
         {{"v", 1}, {.kind = LINEPROTO_STRING, .string = {"\xFF", 1}}},
         "field 'v' is not UTF-8"},
    };
    struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        int rc = lineproto_encode(&out, cases[i].name, &cases[i].tag, 1, &cases[i].field, 1, 0, &err);
        if (rc != ERR_INVALID || strcmp(err.text, cases[i].reason) != 0 || out.len != 0)
            fail_msg("case %zu: %d '%s', expected '%s'", i, rc, err.text, cases[i].reason);
    }
    assert_int_equal(lineproto_encode(&out, SLICE_LITERAL("m"), NULL, 0, NULL, 0, 0, NULL), ERR_INVALID);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_head_and_source),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_tags),
        cmocka_unit_test(test_bad_entries),
        cmocka_unit_test(test_bad_times_and_positions),
        cmocka_unit_test(test_ms_13_good_lines_around_bad_ones),
        cmocka_unit_test(test_ms_14_cut_line_is_not_used),
        cmocka_unit_test(test_ms_07_timestamp_units),
        cmocka_unit_test(test_ms_15_endless_line),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_too_many_tags_and_fields),
        cmocka_unit_test(test_pieces_equal_whole),
        cmocka_unit_test(test_advance),
        cmocka_unit_test(test_scan_value_time),
        cmocka_unit_test(test_scan_head),
        cmocka_unit_test(test_encode_worked_examples),
        cmocka_unit_test(test_encode_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
