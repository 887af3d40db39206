// SPDX-License-Identifier: MIT
#include "base/duration.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/strnum.h"

struct duration_unit {
    const char *name;
    uint64_t ns;
};

static const struct duration_unit units[] = {
    {"ns", 1},           {"us", 1000},      {"\xc2\xb5s", 1000}, // U+00B5 micro sign
    {"\xce\xbcs", 1000},                                         // U+03BC Greek mu
    {"ms", 1000000},     {"s", 1000000000}, {"m", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)},
};

// The magnitude of the most negative duration; every step of the sum stays at or below it.
#define MAGNITUDE_MAX (UINT64_C(1) << 63)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Quotes as Go's time package does: bytes outside printable ASCII as \xNN.
static void append_quoted(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < ' ' || c >= 0x80)
            buf_printf(out, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_append_byte(out, (char)c);
    }
    buf_append_byte(out, '"');
}

static int invalid(struct error *err, const char *what, struct slice unit, struct slice whole)
{
    struct buf text;

    buf_init(&text, 4 * ERROR_TEXT_SIZE);
    buf_printf(&text, "time: %s ", what);
    if (unit.len) {
        append_quoted(&text, unit);
        buf_append_cstr(&text, " in duration ");
    }
    append_quoted(&text, whole);
    int rc = error_set(err, ERR_INVALID, "%s", buf_cstr(&text));
    buf_release(&text);
    return rc;
}

// Digits before the point. False when they pass the range.
static bool take_integer(struct slice *s, uint64_t *ret)
{
    uint64_t v = 0;

    for (; s->len && is_digit(s->ptr[0]); *s = slice_skip(*s, 1)) {
        if (v > MAGNITUDE_MAX / 10)
            return false;
        v = v * 10 + (uint64_t)(s->ptr[0] - '0');
        if (v > MAGNITUDE_MAX)
            return false;
    }
    *ret = v;
    return true;
}

// Digits behind the point; those too many to count are dropped.
static uint64_t take_fraction(struct slice *s, double *ret_scale)
{
    uint64_t v = 0;
    bool full = false;

    *ret_scale = 1;
    for (; s->len && is_digit(s->ptr[0]); *s = slice_skip(*s, 1)) {
        if (full || v > (MAGNITUDE_MAX - 1) / 10) {
            full = true;
            continue;
        }
        v = v * 10 + (uint64_t)(s->ptr[0] - '0');
        *ret_scale *= 10;
    }
    return v;
}

static struct slice take_unit(struct slice *s)
{
    size_t len = 0;

    while (len < s->len && s->ptr[len] != '.' && !is_digit(s->ptr[len]))
        len++;
    struct slice unit = slice_of(s->ptr, len);
    *s = slice_skip(*s, len);
    return unit;
}

static uint64_t unit_ns(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (slice_eq_cstr(name, units[i].name))
            return units[i].ns;
    return 0;
}

// One "<decimal><unit>" at the start of *s, added to *total.
static int take_part(struct slice *s, struct slice whole, uint64_t *total, struct error *err)
{
    uint64_t v = 0, fraction = 0;
    double scale = 1;
    size_t before = s->len;

    if (!is_digit(s->ptr[0]) && s->ptr[0] != '.')
        return invalid(err, "invalid duration", SLICE_EMPTY, whole);
    if (!take_integer(s, &v))
        return invalid(err, "invalid duration", SLICE_EMPTY, whole);
    bool digits = s->len != before;
    if (s->len && s->ptr[0] == '.') {
        *s = slice_skip(*s, 1);
        before = s->len;
        fraction = take_fraction(s, &scale);
        digits = digits || s->len != before;
    }
    if (!digits)
        return invalid(err, "invalid duration", SLICE_EMPTY, whole);
    struct slice unit = take_unit(s);
    if (unit.len == 0)
        return invalid(err, "missing unit in duration", SLICE_EMPTY, whole);
    uint64_t ns = unit_ns(unit);
    if (ns == 0)
        return invalid(err, "unknown unit", unit, whole);
    if (v > MAGNITUDE_MAX / ns)
        return invalid(err, "invalid duration", SLICE_EMPTY, whole);
    v = v * ns + (uint64_t)((double)fraction * ((double)ns / scale));
    if (v > MAGNITUDE_MAX || v > MAGNITUDE_MAX - *total)
        return invalid(err, "invalid duration", SLICE_EMPTY, whole);
    *total += v;
    return 0;
}

int duration_parse(struct slice text, int64_t *ret_ns, struct error *err)
{
    struct slice rest = text;
    uint64_t total = 0;
    bool negative = text.len && text.ptr[0] == '-';

    if (negative || (text.len && text.ptr[0] == '+'))
        rest = slice_skip(rest, 1);
    if (rest.len == 0)
        return invalid(err, "invalid duration", SLICE_EMPTY, text);
    if (slice_eq_cstr(rest, "0")) {
        *ret_ns = 0;
        return 0;
    }
    while (rest.len) {
        int rc = take_part(&rest, text, &total, err);

        if (rc < 0)
            return rc;
    }
    if (total == MAGNITUDE_MAX && !negative)
        return invalid(err, "invalid duration", SLICE_EMPTY, text);
    *ret_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return 0;
}

// "<whole>[.<fraction without trailing zeros>]" of v / unit, unit a power of ten; returns the length.
static size_t format_decimal(uint64_t v, uint64_t unit, char *text)
{
    size_t len = strnum_format_u64(v / unit, text);
    uint64_t fraction = v % unit;

    if (fraction)
        text[len++] = '.';
    while (fraction) {
        unit /= 10;
        text[len++] = (char)('0' + fraction / unit);
        fraction %= unit;
    }
    return len;
}

static size_t format_clock(uint64_t v, char *text)
{
    const uint64_t s = 1000000000, m = 60 * s, h = 60 * m;
    size_t len = 0;

    if (v >= h) {
        len += strnum_format_u64(v / h, text);
        text[len++] = 'h';
    }
    if (v >= m) {
        len += strnum_format_u64(v % h / m, text + len);
        text[len++] = 'm';
    }
    len += format_decimal(v % m, s, text + len);
    text[len++] = 's';
    return len;
}

char *duration_format(int64_t ns, char *text, size_t size)
{
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const char *unit = "";
    size_t len = 0;

    ASSERT(size >= 40);
    if (ns < 0)
        text[len++] = '-';
    if (v == 0) {
        text[len++] = '0';
        unit = "s";
    } else if (v < 1000) {
        len += strnum_format_u64(v, text + len);
        unit = "ns";
    } else if (v < 1000000) {
        len += format_decimal(v, 1000, text + len);
        unit = "\xc2\xb5s";
    } else if (v < 1000000000) {
        len += format_decimal(v, 1000000, text + len);
        unit = "ms";
    } else {
        len += format_clock(v, text + len);
    }
    memcpy(text + len, unit, strlen(unit) + 1);
    return text;
}
