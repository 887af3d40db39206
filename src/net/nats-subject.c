// SPDX-License-Identifier: MIT
#include "net/nats-subject.h"

#include "base/macros.h"
#include "base/strnum.h"

static bool is_plain(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f;
}

static bool token_is_valid(struct slice token, bool is_last, bool with_wildcards)
{
    if (token.len == 0)
        return false;
    if (token.len == 1 && (token.ptr[0] == '*' || token.ptr[0] == '>'))
        return with_wildcards && (token.ptr[0] == '*' || is_last);
    for (size_t i = 0; i < token.len; i++)
        if (!is_plain(token.ptr[i]) || token.ptr[i] == '*' || token.ptr[i] == '>')
            return false;
    return true;
}

bool nats_subject_is_valid(struct slice subject, bool with_wildcards)
{
    size_t begin = 0;
    if (subject.len == 0 || subject.len > NATS_SUBJECT_MAX)
        return false;
    for (size_t i = 0; i <= subject.len; i++) {
        if (i < subject.len && subject.ptr[i] != '.')
            continue;
        if (!token_is_valid(slice_of(subject.ptr + begin, i - begin), i == subject.len, with_wildcards))
            return false;
        begin = i + 1;
    }
    return true;
}

bool nats_name_is_valid(struct slice name)
{
    if (name.len == 0 || name.len > NATS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_plain(c) || c == '.' || c == '*' || c == '>' || c == '/' || c == '\\')
            return false;
    }
    return true;
}

bool nats_subject_matches(struct slice pattern, struct slice subject)
{
    for (;;) {
        struct slice want = slice_split(&pattern, '.'), have = slice_split(&subject, '.');
        if (slice_eq_cstr(want, ">"))
            return have.len > 0;
        if (!slice_eq_cstr(want, "*") && !slice_eq(want, have))
            return false;
        if (pattern.len == 0 || subject.len == 0)
            return pattern.len == subject.len;
    }
}

bool nats_ack_parse(struct slice reply, struct nats_ack *ret)
{
    struct slice tokens[12], rest = reply;
    uint64_t time_ns = 0;
    size_t count = 0;
    while (rest.len > 0 && count < ARRAY_LEN(tokens))
        tokens[count++] = slice_split(&rest, '.');
    if (count < 9 || count == 10 || !slice_eq_cstr(tokens[0], "$JS") || !slice_eq_cstr(tokens[1], "ACK"))
        return false;
    const struct slice *t = tokens + (count == 9 ? 2 : 4);
    ret->stream = t[0];
    ret->consumer = t[1];
    if (strnum_parse_u64(t[2], &ret->deliveries, NULL) < 0 ||
        strnum_parse_u64(t[3], &ret->stream_seq, NULL) < 0 ||
        strnum_parse_u64(t[4], &ret->consumer_seq, NULL) < 0 || strnum_parse_u64(t[5], &time_ns, NULL) < 0 ||
        strnum_parse_u64(t[6], &ret->pending, NULL) < 0 || time_ns > INT64_MAX)
        return false;
    ret->time_ns = (int64_t)time_ns;
    return true;
}
