// SPDX-License-Identifier: MIT
#include "codec/json-writer.h"

#include "base/strnum.h"
#include "codec/number.h"
#include "codec/utf8.h"

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

// Before each value: the comma that it needs.
static void begin_value(struct json_writer *w)
{
    if (w->after_key)
        w->after_key = false;
    else if (w->need_comma[w->depth])
        buf_append_byte(w->out, ',');
    w->need_comma[w->depth] = true;
}

static void open_level(struct json_writer *w, char bracket)
{
    begin_value(w);
    ASSERT(w->depth + 1 < JSON_WRITER_DEPTH);
    w->depth++;
    w->need_comma[w->depth] = false;
    buf_append_byte(w->out, bracket);
}

static void close_level(struct json_writer *w, char bracket)
{
    ASSERT(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_append_byte(w->out, bracket);
}

void json_write_object_begin(struct json_writer *w)
{
    open_level(w, '{');
}

void json_write_object_end(struct json_writer *w)
{
    close_level(w, '}');
}

void json_write_array_begin(struct json_writer *w)
{
    open_level(w, '[');
}

void json_write_array_end(struct json_writer *w)
{
    close_level(w, ']');
}

void json_write_key(struct json_writer *w, const char *key)
{
    json_write_key_slice(w, slice_from_cstr(key));
}

void json_write_key_slice(struct json_writer *w, struct slice key)
{
    ASSERT(w->depth > 0 && !w->after_key);
    begin_value(w);
    json_append_quoted(w->out, key);
    buf_append_byte(w->out, ':');
    w->after_key = true;
}

void json_write_string(struct json_writer *w, struct slice text)
{
    begin_value(w);
    json_append_quoted(w->out, text);
}

void json_write_cstr(struct json_writer *w, const char *text)
{
    if (text)
        json_write_string(w, slice_from_cstr(text));
    else
        json_write_null(w);
}

void json_write_raw(struct json_writer *w, struct slice json)
{
    begin_value(w);
    buf_append_slice(w->out, json);
}

void json_write_int(struct json_writer *w, int64_t v)
{
    char text[24];
    json_write_raw(w, slice_of(text, strnum_format_i64(v, text)));
}

void json_write_uint(struct json_writer *w, uint64_t v)
{
    char text[24];
    json_write_raw(w, slice_of(text, strnum_format_u64(v, text)));
}

void json_write_bool(struct json_writer *w, bool v)
{
    json_write_raw(w, v ? SLICE_LITERAL("true") : SLICE_LITERAL("false"));
}

void json_write_null(struct json_writer *w)
{
    json_write_raw(w, SLICE_LITERAL("null"));
}

void json_write_double(struct json_writer *w, double v)
{
    char text[NUMBER_TEXT_SIZE];
    json_write_raw(w, slice_of(text, number_format_json(v, text)));
}

void json_write_fixed(struct json_writer *w, double v, int decimals)
{
    begin_value(w);
    char *room = buf_reserve(w->out, NUMBER_TEXT_SIZE);
    if (room)
        buf_commit(w->out, number_format_fixed(v, decimals, room));
}

// ---- strings ----------------------------------------------------------------------------------------------

// ASCII that needs no escape. The angle brackets and the ampersand have a meaning in HTML.
static bool stands_as_it_is(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

// The letter of the short escape of an ASCII byte, 0 when it has none.
static char short_escape(unsigned char c)
{
    static const char letters[128] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    return letters[c];
}

static void append_unicode_escape(struct buf *out, unsigned code_unit)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\',
                    'u',
                    digits[code_unit >> 12 & 15],
                    digits[code_unit >> 8 & 15],
                    digits[code_unit >> 4 & 15],
                    digits[code_unit & 15]};
    buf_append(out, text, sizeof(text));
}

// Appends what stands for the character at 'ptr' when it cannot stand as it is, and returns its length; 0
// when it can, and then *ret_plain is its length.
static size_t append_special(struct buf *out, const char *ptr, size_t len, size_t *ret_plain)
{
    unsigned char c = (unsigned char)*ptr;
    *ret_plain = 1;
    if (stands_as_it_is(c))
        return 0;
    if (c < 0x80) {
        if (short_escape(c))
            buf_append(out, (char[]){'\\', short_escape(c)}, 2);
        else
            append_unicode_escape(out, c);
        return 1;
    }
    uint32_t code_point = 0;
    size_t size = utf8_decode(ptr, len, &code_point);
    if (size == 0) {
        append_unicode_escape(out, UTF8_REPLACEMENT);
        return 1;
    }
    if (code_point == 0x2028 || code_point == 0x2029) { // line ends in JavaScript
        append_unicode_escape(out, code_point);
        return size;
    }
    *ret_plain = size;
    return 0;
}

void json_append_quoted(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    const char *ptr = text.ptr, *end = text.ptr + text.len, *plain = ptr;
    while (ptr < end) {
        if (stands_as_it_is((unsigned char)*ptr)) {
            ptr++;
            continue;
        }
        buf_append_slice(out, slice_of(plain, (size_t)(ptr - plain)));
        plain = ptr;
        size_t step = 0;
        size_t done = append_special(out, ptr, (size_t)(end - ptr), &step);
        ptr += done ? done : step;
        plain += done;
    }
    buf_append_slice(out, slice_of(plain, (size_t)(end - plain)));
    buf_append_byte(out, '"');
}
