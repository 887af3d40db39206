// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>

#include "base/strnum.h"
#include "net/http-private.h"

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Requested Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    return "";
}

bool http_percent_decode(struct slice text, bool plus_is_blank, char *out, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int high = i + 2 < text.len ? strnum_hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? strnum_hex_digit(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        out[len++] = c;
    }
    *ret_len = len;
    return true;
}

// The decoded text in the arena, or the text itself when there is nothing to decode.
static bool decode_into(struct arena *arena, struct slice text, bool plus_is_blank, struct slice *ret)
{
    if (slice_find_byte(text, '%') < 0 && !(plus_is_blank && slice_find_byte(text, '+') >= 0)) {
        *ret = text;
        return true;
    }
    char *out = arena_alloc(arena, text.len + 1);
    size_t len;

    if (!http_percent_decode(text, plus_is_blank, out, &len))
        return false;
    *ret = slice_of(out, len);
    return true;
}

bool http_parse_target(struct slice target, struct arena *arena, struct slice *ret_path,
                       struct slice *ret_query)
{
    ptrdiff_t authority = slice_find(target, SLICE_LITERAL("://"));

    if (authority > 0 && target.ptr[0] != '/') { // absolute form, as sent to proxies
        struct slice rest = slice_skip(target, (size_t)authority + 3);
        size_t end = 0;

        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
            end++;
        target = slice_skip(rest, end);
    }
    ptrdiff_t mark = slice_find_byte(target, '?');
    struct slice path = mark < 0 ? target : slice_of(target.ptr, (size_t)mark);

    *ret_query = mark < 0 ? SLICE_EMPTY : slice_skip(target, (size_t)mark + 1);
    if (path.len == 0)
        path = SLICE_LITERAL("/");
    return decode_into(arena, path, false, ret_path);
}

const char *http_header(const struct http_request *req, const char *name)
{
    return req->ops && req->ops->header ? req->ops->header(req, name) : NULL;
}

struct slice http_path_param(const struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->path_param_count; i++)
        if (slice_eq_cstr(req->path_params[i].name, name))
            return req->path_params[i].value;
    return SLICE_EMPTY;
}

// Next "name=value" of the query string, not decoded. Empty pieces are passed over.
static bool next_raw_pair(struct slice query, size_t *position, struct slice *ret_name,
                          struct slice *ret_value)
{
    while (*position < query.len) {
        struct slice rest = slice_skip(query, *position);
        ptrdiff_t end = slice_find_byte(rest, '&');
        struct slice pair = slice_of(rest.ptr, end < 0 ? rest.len : (size_t)end);

        *position += pair.len + 1;
        if (pair.len == 0)
            continue;
        ptrdiff_t equals = slice_find_byte(pair, '=');
        *ret_name = slice_of(pair.ptr, equals < 0 ? pair.len : (size_t)equals);
        *ret_value = equals < 0 ? SLICE_EMPTY : slice_skip(pair, (size_t)equals + 1);
        return true;
    }
    return false;
}

int http_query_next(const struct http_request *req, size_t *position, struct slice *ret_name,
                    struct slice *ret_value)
{
    struct slice name, value;

    while (next_raw_pair(req->raw_query, position, &name, &value)) {
        if (slice_find_byte(name, ';') >= 0 || slice_find_byte(value, ';') >= 0)
            continue;
        if (decode_into(req->arena, name, true, ret_name) && decode_into(req->arena, value, true, ret_value))
            return 1;
    }
    return 0;
}

bool http_query_param(const struct http_request *req, const char *name, struct slice *ret_value)
{
    size_t position = 0;
    struct slice found, value;

    while (http_query_next(req, &position, &found, &value) > 0) {
        if (slice_eq_cstr(found, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool http_query_param_raw(const struct http_request *req, const char *name, struct slice *ret_value)
{
    size_t position = 0;
    struct slice found, value;

    while (next_raw_pair(req->raw_query, &position, &found, &value)) {
        if (slice_eq_cstr(found, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

void http_response_init(struct http_response *resp)
{
    *resp = (struct http_response){.status = 200};
    buf_init(&resp->body, BUF_MAX_DEFAULT);
}

void http_response_release(struct http_response *resp)
{
    buf_release(&resp->body);
    if (resp->stream && resp->stream_free)
        resp->stream_free(resp->stream_ctx);
    *resp = (struct http_response){.status = 200};
}

void http_set_header(struct http_response *resp, const char *name, const char *value)
{
    struct slice wanted = slice_from_cstr(name);
    int i = 0;

    while (i < resp->header_count && !slice_eq_ignore_case(slice_from_cstr(resp->headers[i].name), wanted))
        i++;
    ASSERT(i < HTTP_MAX_HEADERS);
    resp->headers[i].name = name;
    resp->headers[i].value = value;
    resp->header_count = MAX(resp->header_count, i + 1);
}

void http_set_text(struct http_response *resp, int status, const char *fmt, ...)
{
    va_list args;

    resp->status = status;
    http_set_header(resp, "Content-Type", "text/plain; charset=utf-8");
    http_set_header(resp, "X-Content-Type-Options", "nosniff");
    buf_clear(&resp->body);
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : buf_reserve(&resp->body, (size_t)len + 1);
    if (!text)
        return; // the buffer has failed, which the server answers with 500
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    text[len] = '\n';
    buf_commit(&resp->body, (size_t)len + 1);
}
