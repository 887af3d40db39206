// SPDX-License-Identifier: MIT
#include "backend/job-data-read.h"

#include <math.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "codec/number.h"
#include "codec/utf8.h"

#define READ_MAX_DEPTH 64

struct scanner {
    const char *start, *pos, *end;
    struct arena *arena;
    struct job_data *data;
    double *values; // of the array that is being read; heap, reused
    size_t value_count, value_cap;
    struct buf text; // of the string that is being read, when it has escapes
    struct error *err;
};

static int damaged(struct scanner *s, const char *what)
{
    int line = 1, column = 1;
    for (const char *p = s->start; p < s->pos; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return error_set_at(s->err, ERR_CORRUPT, line, column, "line %d column %d: %s", line, column, what);
}

static void skip_blanks(struct scanner *s)
{
    while (s->pos < s->end && (*s->pos == ' ' || *s->pos == '\n' || *s->pos == '\r' || *s->pos == '\t'))
        s->pos++;
}

static char peek(struct scanner *s)
{
    skip_blanks(s);
    return s->pos < s->end ? *s->pos : '\0';
}

static bool take(struct scanner *s, char c)
{
    if (peek(s) != c || s->pos >= s->end)
        return false;
    s->pos++;
    return true;
}

// ---- strings ----------------------------------------------------------------------------------------------
static bool hex4(struct scanner *s, unsigned *ret)
{
    unsigned v = 0;
    if (s->end - s->pos < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = strnum_hex_digit(s->pos[i]);
        if (digit < 0)
            return false;
        v = v << 4 | (unsigned)digit;
    }
    s->pos += 4;
    *ret = v;
    return true;
}

// Behind "\u"; a lone half of a surrogate pair becomes U+FFFD.
static int take_unicode(struct scanner *s)
{
    unsigned c, low;
    if (!hex4(s, &c))
        return damaged(s, "bad \\u escape");
    if (c >= 0xd800 && c < 0xdc00 && s->end - s->pos >= 6 && s->pos[0] == '\\' && s->pos[1] == 'u') {
        s->pos += 2;
        if (!hex4(s, &low))
            return damaged(s, "bad \\u escape");
        c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    }
    char text[4];
    buf_append(&s->text, text, utf8_encode(c, text));
    return 0;
}

static int take_escape(struct scanner *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->pos >= s->end)
        return damaged(s, "string without end");
    char c = *s->pos++;
    if (c == 'u')
        return take_unicode(s);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return damaged(s, "bad escape");
    buf_append_byte(&s->text, to[found - from]);
    return 0;
}

// *ret lies in the input or in s->text: valid until the next string.
static int take_string(struct scanner *s, struct slice *ret)
{
    if (!take(s, '"'))
        return damaged(s, "expected a string");
    const char *begin = s->pos;
    buf_clear(&s->text);
    bool escaped = false;
    while (s->pos < s->end && *s->pos != '"') {
        if (*s->pos != '\\') {
            if (escaped)
                buf_append_byte(&s->text, *s->pos);
            s->pos++;
            continue;
        }
        if (!escaped)
            buf_append(&s->text, begin, (size_t)(s->pos - begin));
        escaped = true;
        s->pos++;
        int rc = take_escape(s);
        if (rc)
            return rc;
    }
    if (s->pos >= s->end)
        return damaged(s, "string without end");
    *ret = escaped ? buf_slice(&s->text) : slice_of(begin, (size_t)(s->pos - begin));
    s->pos++;
    return buf_failed(&s->text) ? damaged(s, "string is too long") : 0;
}

// ---- numbers and unknown values ---------------------------------------------------------------------------
static bool take_word(struct scanner *s, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(s);
    if ((size_t)(s->end - s->pos) < n || memcmp(s->pos, word, n) != 0)
        return false;
    s->pos += n;
    return true;
}

// Up to 15 digits with up to 15 behind the point fit a double exactly, and so does the power of ten: one
// division is then correctly rounded (Clinger's fast path). Anything else goes the long way.
static bool short_number(struct slice text, double *ret)
{
    static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t i = text.len && text.ptr[0] == '-', first = i, decimals = 0;
    bool point = false;
    uint64_t v = 0;
    if (text.len > 17)
        return false;
    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && !point && i > first) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            v = v * 10 + (uint64_t)(c - '0');
            decimals += point;
        } else {
            return false;
        }
    }
    if (i == first || v > UINT64_C(999999999999999) || text.ptr[text.len - 1] == '.')
        return false;
    double magnitude = (double)v / powers[decimals];
    *ret = first ? -magnitude : magnitude;
    return true;
}

// A number, or null as NaN.
static int take_number(struct scanner *s, double *ret)
{
    if (take_word(s, "null")) {
        *ret = NAN;
        return 0;
    }
    const char *begin = s->pos;
    while (s->pos < s->end && *s->pos && strchr("+-.0123456789eE", *s->pos))
        s->pos++;
    struct slice text = slice_of(begin, (size_t)(s->pos - begin));
    if (short_number(text, ret) || number_parse_json(text, ret, NULL) == 0)
        return 0;
    s->pos = begin;
    return damaged(s, "expected a number or null");
}

static int skip_value(struct scanner *s, int depth);

static int skip_members(struct scanner *s, char close, int depth)
{
    struct slice key;
    if (take(s, close))
        return 0;
    for (;;) {
        int rc = close == '}' ? take_string(s, &key) : 0;
        if (rc)
            return rc;
        if (close == '}' && !take(s, ':'))
            return damaged(s, "expected ':'");
        rc = skip_value(s, depth + 1);
        if (rc)
            return rc;
        if (take(s, close))
            return 0;
        if (!take(s, ','))
            return damaged(s, "expected ',' or the end of the list");
    }
}

static int skip_value(struct scanner *s, int depth)
{
    struct slice text;
    double number;
    if (depth > READ_MAX_DEPTH)
        return damaged(s, "nested too deeply");
    switch (peek(s)) {
    case '"':
        return take_string(s, &text);
    case '{':
        s->pos++;
        return skip_members(s, '}', depth);
    case '[':
        s->pos++;
        return skip_members(s, ']', depth);
    case 't':
        return take_word(s, "true") ? 0 : damaged(s, "expected a value");
    case 'f':
        return take_word(s, "false") ? 0 : damaged(s, "expected a value");
    default:
        return take_number(s, &number);
    }
}

// ---- objects
// ---------------------------------------------------------------------------------------------------- Calls
// member(s, key, target) for each member; it must consume the value. null is an empty object.
typedef int member_fn(struct scanner *s, struct slice key, void *target);

static int take_object(struct scanner *s, member_fn *member, void *target)
{
    struct slice key;
    if (take_word(s, "null"))
        return 0;
    if (!take(s, '{'))
        return damaged(s, "expected an object");
    if (take(s, '}'))
        return 0;
    for (;;) {
        int rc = take_string(s, &key);
        if (rc)
            return rc;
        if (!take(s, ':'))
            return damaged(s, "expected ':'");
        rc = member(s, key, target);
        if (rc)
            return rc;
        if (take(s, '}'))
            return 0;
        if (!take(s, ','))
            return damaged(s, "expected ',' or '}'");
    }
}

static int too_large(struct scanner *s)
{
    return error_set(s->err, ERR_LIMIT, "the document needs too much memory");
}

static int keep_text(struct scanner *s, struct slice text, struct slice *ret)
{
    char *copy = arena_try_alloc(s->arena, text.len + 1);
    if (!copy)
        return too_large(s);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    *ret = slice_of(copy, text.len);
    return 0;
}

static int take_text(struct scanner *s, struct slice *ret)
{
    struct slice text;
    if (take_word(s, "null"))
        return 0;
    if (peek(s) != '"') { // very old files have numbers as ids
        const char *begin = s->pos;
        double number;
        int rc = take_number(s, &number);
        return rc ? rc : keep_text(s, slice_of(begin, (size_t)(s->pos - begin)), ret);
    }
    int rc = take_string(s, &text);
    return rc ? rc : keep_text(s, text, ret);
}

// [1.00,null,...]: the values on the arena. *ret_data is NULL for null.
static int take_values(struct scanner *s, double **ret_data, size_t *ret_count)
{
    *ret_data = NULL;
    *ret_count = s->value_count = 0;
    if (take_word(s, "null"))
        return 0;
    if (!take(s, '['))
        return damaged(s, "expected a list of numbers");
    bool more = !take(s, ']');
    while (more) {
        double v = NAN;
        int rc = take_number(s, &v);
        if (rc)
            return rc;
        ENSURE_CAPACITY(s->values, s->value_cap, s->value_count + 1);
        s->values[s->value_count++] = v;
        more = take(s, ',');
        if (!more && !take(s, ']'))
            return damaged(s, "expected ',' or ']'");
    }
    *ret_data = arena_try_alloc(s->arena, (s->value_count + 1) * sizeof(double));
    if (!*ret_data)
        return too_large(s);
    if (s->value_count)
        memcpy(*ret_data, s->values, s->value_count * sizeof(double));
    *ret_count = s->value_count;
    return 0;
}

static double zero_if_nan(double v)
{
    return isnan(v) ? 0 : v;
}

static int statistics_member(struct scanner *s, struct slice key, void *target)
{
    struct job_series *series = target;
    double v = 0;
    bool is_min = slice_eq_cstr(key, "min"), is_avg = slice_eq_cstr(key, "avg");
    if (!is_min && !is_avg && !slice_eq_cstr(key, "max"))
        return skip_value(s, 0);
    int rc = take_number(s, &v);
    series->has_values = rc == 0 && !isnan(v);
    *(is_min ? &series->min : is_avg ? &series->avg : &series->max) = zero_if_nan(v);
    return rc;
}

static int series_member(struct scanner *s, struct slice key, void *target)
{
    struct job_series *series = target;
    if (slice_eq_cstr(key, "hostname"))
        return take_text(s, &series->hostname);
    if (slice_eq_cstr(key, "id"))
        return take_text(s, &series->id);
    if (slice_eq_cstr(key, "statistics"))
        return take_object(s, statistics_member, series);
    if (!slice_eq_cstr(key, "data"))
        return skip_value(s, 0);
    double *data = NULL;
    int rc = take_values(s, &data, &series->count);
    series->data = data;
    return rc;
}

static int take_series_list(struct scanner *s, struct job_metric *m)
{
    if (take_word(s, "null"))
        return 0;
    if (!take(s, '['))
        return damaged(s, "expected a list of series");
    struct job_series *list = NULL;
    size_t count = 0, cap = 0;
    int rc = 0;
    bool more = !take(s, ']');
    while (more && rc == 0) {
        ENSURE_CAPACITY(list, cap, count + 1);
        list[count] = (struct job_series){.hostname = SLICE_EMPTY, .id = SLICE_EMPTY};
        rc = take_object(s, series_member, &list[count++]);
        more = rc == 0 && take(s, ',');
        if (rc == 0 && !more && !take(s, ']'))
            rc = damaged(s, "expected ',' or ']'");
    }
    if (rc == 0) {
        m->series = arena_try_alloc(s->arena, (count + 1) * sizeof(*list));
        rc = m->series ? 0 : too_large(s);
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        m->series[i] = list[i];
    m->series_count = rc ? 0 : count;
    mem_free(list);
    return rc;
}

#define MAX_BANDS   128
#define MAX_METRICS 4096

static int add_band(struct scanner *s, struct job_metric *m, struct slice name, bool percentile)
{
    if (!m->bands)
        m->bands = arena_try_alloc(s->arena, MAX_BANDS * sizeof(*m->bands));
    if (!m->bands)
        return too_large(s);
    if (m->band_count >= MAX_BANDS)
        return damaged(s, "too many statistics series");
    struct job_band *band = &m->bands[m->band_count];
    *band = (struct job_band){.percentile = percentile};
    int rc = keep_text(s, name, &band->name);
    if (rc == 0)
        rc = take_values(s, &band->data, &band->count);
    m->band_count += rc == 0;
    return rc;
}

static int percentile_member(struct scanner *s, struct slice key, void *target)
{
    return add_band(s, target, key, true);
}

static int band_member(struct scanner *s, struct slice key, void *target)
{
    if (slice_eq_cstr(key, "percentiles"))
        return take_object(s, percentile_member, target);
    bool known = slice_eq_cstr(key, "mean") || slice_eq_cstr(key, "median") || slice_eq_cstr(key, "min") ||
                 slice_eq_cstr(key, "max");
    return known ? add_band(s, target, key, false) : skip_value(s, 0);
}

static int unit_member(struct scanner *s, struct slice key, void *target)
{
    struct job_metric *m = target;
    bool base = slice_eq_cstr(key, "base");
    if (!base && !slice_eq_cstr(key, "prefix"))
        return skip_value(s, 0);
    struct slice text = SLICE_EMPTY;
    int rc = take_text(s, &text);
    *(base ? &m->unit.base : &m->unit.prefix) = text.ptr; // terminated: arena memory is zeroed
    return rc;
}

static int metric_member(struct scanner *s, struct slice key, void *target)
{
    struct job_metric *m = target;
    if (slice_eq_cstr(key, "unit"))
        return peek(s) == '{' ? take_object(s, unit_member, m) : skip_value(s, 0);
    if (slice_eq_cstr(key, "series"))
        return take_series_list(s, m);
    if (slice_eq_cstr(key, "statisticsSeries"))
        return take_object(s, band_member, m);
    if (!slice_eq_cstr(key, "timestep"))
        return skip_value(s, 0);
    double step = 0;
    int rc = take_number(s, &step);
    m->timestep_s = step >= 1 && step < 1e9 ? (int64_t)step : 0;
    return rc;
}

static int scope_member(struct scanner *s, struct slice key, void *target)
{
    enum scope scope = key.len ? scope_from_name(key) : SCOPE_INVALID;
    if (scope == SCOPE_INVALID)
        return skip_value(s, 0);
    if (s->data->count >= MAX_METRICS)
        return damaged(s, "too many metrics");
    struct slice name = *(const struct slice *)target;
    if (job_data_find(s->data, name, scope))
        return damaged(s, "the same metric and scope twice");
    return take_object(s, metric_member, job_data_add(s->data, name, scope));
}

static int name_member(struct scanner *s, struct slice key, void *target UNUSED)
{
    struct slice name = SLICE_EMPTY;
    int rc = keep_text(s, key, &name);
    return rc ? rc : take_object(s, scope_member, &name);
}

int job_data_read(struct slice text, struct arena *arena, struct job_data *ret, struct error *err)
{
    struct scanner s = {
        .start = text.ptr, .pos = text.ptr, .end = text.ptr + text.len, .arena = arena, .err = err};
    job_data_init(ret, arena);
    s.data = ret;
    buf_init(&s.text, (size_t)1 << 20);
    int rc = peek(&s) == '{' ? take_object(&s, name_member, NULL) : damaged(&s, "expected an object");
    mem_free(s.values);
    buf_release(&s.text);
    return rc;
}
