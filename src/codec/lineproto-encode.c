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

static void append_token(struct buf *out, struct slice s, bool key)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == ',' || c == ' ' || (key && c == '='))
            buf_append_byte(out, '\\');
        buf_append_byte(out, c);
    }
}

static void append_string(struct buf *out, struct slice s)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        static const char letters[128] = {
            ['\\'] = '\\', ['"'] = '"', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x80 && letters[c]) {
            buf_append_byte(out, '\\');
            buf_append_byte(out, letters[c]);
        } else {
            buf_append_byte(out, (char)c);
        }
    }
    buf_append_byte(out, '"');
}

static void append_value(struct buf *out, const struct lineproto_value *v)
{
    char text[NUMBER_TEXT_SIZE];
    size_t len;
    switch (v->kind) {
    case LINEPROTO_FLOAT:
        buf_append(out, text, number_format_shortest(v->f64, text));
        break;
    case LINEPROTO_INT:
        len = strnum_format_i64(v->i64, text);
        text[len++] = 'i';
        buf_append(out, text, len);
        break;
    case LINEPROTO_UINT:
        len = strnum_format_u64(v->u64, text);
        text[len++] = 'u';
        buf_append(out, text, len);
        break;
    case LINEPROTO_BOOL:
        buf_append_cstr(out, v->boolean ? "true" : "false");
        break;
    case LINEPROTO_STRING:
        append_string(out, v->string);
        break;
    }
}

int lineproto_encode(struct buf *out, struct slice measurement, const struct lineproto_tag *tags,
                     size_t tag_count, const struct lineproto_field *fields, size_t field_count,
                     int64_t timestamp, struct error *err)
{
    int rc = check_entry(measurement, tags, tag_count, fields, field_count, err);
    if (rc < 0)
        return rc;
    append_token(out, measurement, false);
    for (size_t i = 0; i < tag_count; i++) {
        buf_append_byte(out, ',');
        append_token(out, tags[i].key, true);
        buf_append_byte(out, '=');
        append_token(out, tags[i].value, true);
    }
    for (size_t i = 0; i < field_count; i++) {
        buf_append_byte(out, i ? ',' : ' ');
        append_token(out, fields[i].key, true);
        buf_append_byte(out, '=');
        append_value(out, &fields[i].value);
    }
    char text[24];
    text[0] = ' ';
    size_t len = 1 + strnum_format_i64(timestamp, text + 1);
    text[len++] = '\n';
    buf_append(out, text, len);
    return 0;
}
