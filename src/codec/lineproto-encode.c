// SPDX-License-Identifier: MIT
#include "base/strnum.h"
#include "codec/lineproto.h"
#include "codec/number.h"

#include <math.h>

// What the decoder could not read back is refused: empty, control characters, a backslash at the end (it
// would escape what follows), no UTF-8.
static int check_token(const char *what, struct slice s, struct error *err)
{
    if (s.len == 0)
        return error_set(err, ERR_INVALID, "empty %s", what);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7F)
            return error_set(err, ERR_INVALID, "%s holds the control character 0x%02x", what, c);
    }
    if (s.ptr[s.len - 1] == '\\')
        return error_set(err, ERR_INVALID, "%s '%.*s' ends with a backslash", what, SLICE_FMT(s));
    if (!slice_is_utf8(s))
        return error_set(err, ERR_INVALID, "%s is not UTF-8", what);
    return 0;
}

static int check_value(const struct lineproto_field *field, struct error *err)
{
    if (field->value.kind == LINEPROTO_FLOAT && !isfinite(field->value.f64))
        return error_set(err, ERR_INVALID, "field '%.*s' is not a finite number", SLICE_FMT(field->key));
    if (field->value.kind == LINEPROTO_STRING && !slice_is_utf8(field->value.string))
        return error_set(err, ERR_INVALID, "field '%.*s' is not UTF-8", SLICE_FMT(field->key));
    return 0;
}

static int check_entry(struct slice measurement, const struct lineproto_tag *tags, size_t tag_count,
                       const struct lineproto_field *fields, size_t field_count, struct error *err)
{
    int rc = check_token("measurement", measurement, err);
    if (rc == 0 && measurement.ptr[0] == '#')
        rc = error_set(err, ERR_INVALID, "measurement '%.*s' would be a comment", SLICE_FMT(measurement));
    for (size_t i = 0; rc == 0 && i < tag_count; i++) {
        ASSERT(i == 0 || slice_cmp(tags[i - 1].key, tags[i].key) < 0);
        rc = check_token("tag key", tags[i].key, err);
        if (rc == 0)
            rc = check_token("tag value", tags[i].value, err);
    }
    if (rc == 0 && field_count == 0)
        rc = error_set(err, ERR_INVALID, "no field");
    for (size_t i = 0; rc == 0 && i < field_count; i++) {
        ASSERT(i == 0 || slice_cmp(fields[i - 1].key, fields[i].key) < 0);
        rc = check_token("field key", fields[i].key, err);
        if (rc == 0)
            rc = check_value(&fields[i], err);
    }
    return rc;
}

// ---- writing: 'to' is where the next byte goes, room was made before --------------------------------------

static char *put_token(char *to, struct slice s, bool key)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (UNLIKELY(c == ',' || c == ' ' || (key && c == '=')))
            *to++ = '\\';
        *to++ = c;
    }
    return to;
}

static char *put_string(char *to, struct slice s)
{
    static const char letters[128] = {['\\'] = '\\', ['"'] = '"', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    *to++ = '"';
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x80 && letters[c]) {
            *to++ = '\\';
            *to++ = letters[c];
        } else {
            *to++ = (char)c;
        }
    }
    *to++ = '"';
    return to;
}

static char *put_value(char *to, const struct lineproto_value *v)
{
    switch (v->kind) {
    case LINEPROTO_FLOAT:
        return to + number_format_shortest(v->f64, to);
    case LINEPROTO_INT:
        to += strnum_format_i64(v->i64, to);
        *to++ = 'i';
        return to;
    case LINEPROTO_UINT:
        to += strnum_format_u64(v->u64, to);
        *to++ = 'u';
        return to;
    case LINEPROTO_BOOL:
        memcpy(to, v->boolean ? "true" : "false", 5);
        return to + (v->boolean ? 4 : 5);
    case LINEPROTO_STRING:
        return put_string(to, v->string);
    }
    return to;
}

// At most: every byte escaped, a separator before each part, quotes, the longest number.
static size_t bound_bytes(struct slice measurement, const struct lineproto_tag *tags, size_t tag_count,
                          const struct lineproto_field *fields, size_t field_count)
{
    size_t bytes = 2 * measurement.len + 32;
    for (size_t i = 0; i < tag_count; i++)
        bytes += 2 * (tags[i].key.len + tags[i].value.len) + 2;
    for (size_t i = 0; i < field_count; i++) {
        const struct lineproto_value *v = &fields[i].value;
        bytes += 2 * fields[i].key.len + 2 +
                 (v->kind == LINEPROTO_STRING ? 2 * v->string.len + 2 : NUMBER_TEXT_SIZE);
    }
    return bytes;
}

int lineproto_encode(struct buf *out, struct slice measurement, const struct lineproto_tag *tags,
                     size_t tag_count, const struct lineproto_field *fields, size_t field_count,
                     int64_t timestamp, struct error *err)
{
    int rc = check_entry(measurement, tags, tag_count, fields, field_count, err);
    if (rc < 0)
        return rc;
    char *start = buf_reserve(out, bound_bytes(measurement, tags, tag_count, fields, field_count));
    if (!start)
        return error_set(err, ERR_LIMIT, "no room for the line");
    char *to = put_token(start, measurement, false);
    for (size_t i = 0; i < tag_count; i++) {
        *to++ = ',';
        to = put_token(to, tags[i].key, true);
        *to++ = '=';
        to = put_token(to, tags[i].value, true);
    }
    for (size_t i = 0; i < field_count; i++) {
        *to++ = i ? ',' : ' ';
        to = put_token(to, fields[i].key, true);
        *to++ = '=';
        to = put_value(to, &fields[i].value);
    }
    *to++ = ' ';
    to += strnum_format_i64(timestamp, to);
    *to++ = '\n';
    buf_commit(out, (size_t)(to - start));
    return 0;
}
