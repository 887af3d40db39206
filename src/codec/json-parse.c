// SPDX-License-Identifier: MIT
// The JSON parser: one pass, no recursion.
//
// Values of open containers wait on one stack. When a container closes, its members are the top of that
// stack: they are moved to the arena side by side and the container itself takes their place on the stack.
#include <stdlib.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "codec/json-private.h"
#include "codec/number.h"
#include "codec/utf8.h"

struct open_container {
    struct json_value value; // its position and start; type tells array from object
    size_t first_member;     // index in 'pending'
};

struct parser {
    struct json_doc *doc;
    const char *start, *ptr, *end;
    const char *line_start;
    uint32_t line;
    struct json_value *pending; // members of the containers that are open
    size_t pending_count, pending_cap;
    struct open_container open[JSON_MAX_DEPTH];
    size_t depth;
    struct error *err;
};

// ---- errors -----------------------------------------------------------------------------------------------

static int fail_text(struct parser *p, const char *text)
{
    return error_set_at(p->err, ERR_INVALID, (int)p->line, (int)(p->ptr - p->line_start) + 1, "%s", text);
}

// The byte as Go's error texts quote it: bytes from 0x80 up are shown as the code point of the same number.
static const char *quote_byte(unsigned char c, char *text, size_t size)
{
    if (c >= '\a' && c <= '\r')
        snprintf(text, size, "'\\%c'", "abtnvfr"[c - '\a']);
    else if (c == '\'' || c == '\\')
        snprintf(text, size, "'\\%c'", c);
    else if (c < 0x20 || c == 0x7F)
        snprintf(text, size, "'\\x%02x'", c);
    else if (c < 0x80)
        snprintf(text, size, "'%c'", c);
    else if (c <= 0xA0 || c == 0xAD) // not printable
        snprintf(text, size, "'\\u%04x'", c);
    else
        snprintf(text, size, "'%c%c'", 0xC0 | c >> 6, 0x80 | (c & 0x3F));
    return text;
}

// The byte at p->ptr is wrong, 'where' says what was going on there; at the end of the text the text is cut
// off.
static int fail_char(struct parser *p, const char *where)
{
    if (p->ptr == p->end)
        return fail_text(p, "unexpected EOF");
    char quoted[16];
    return error_set_at(p->err, ERR_INVALID, (int)p->line, (int)(p->ptr - p->line_start) + 1,
                        "invalid character %s %s", quote_byte((unsigned char)*p->ptr, quoted, sizeof(quoted)),
                        where);
}

// ---- tokens -----------------------------------------------------------------------------------------------

static void skip_blanks(struct parser *p)
{
    for (; p->ptr < p->end; p->ptr++) {
        char c = *p->ptr;
        if (c == '\n') {
            p->line++;
            p->line_start = p->ptr + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static bool at_char(const struct parser *p, char c)
{
    return p->ptr < p->end && *p->ptr == c;
}

static bool at_digit(const struct parser *p)
{
    return p->ptr < p->end && *p->ptr >= '0' && *p->ptr <= '9';
}

static struct slice since(const struct parser *p, const char *start)
{
    return slice_of(start, (size_t)(p->ptr - start));
}

// The four digits of \uXXXX, read before (check_string): they are there.
static uint32_t hex4(const char *ptr)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)strnum_hex_digit(ptr[i]);
    return value;
}

// At the 'u' of an escape: appends the code point and returns what follows. Halves of surrogate pairs that
// stand alone become U+FFFD.
static const char *unescape_unicode(const char *ptr, const char *end, char **out)
{
    uint32_t code_point = hex4(ptr + 1);
    ptr += 5;
    if (code_point >= 0xD800 && code_point <= 0xDBFF && end - ptr >= 6 && ptr[0] == '\\' && ptr[1] == 'u') {
        uint32_t low = hex4(ptr + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
            ptr += 6;
        }
    }
    *out += utf8_encode(code_point, *out);
    return ptr;
}

// Raw text between the quotes, checked before, to what it means. An escape never grows, but a byte that is no
// UTF-8 becomes three.
static struct slice unescape(struct arena *arena, struct slice raw)
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    char *text = arena_alloc_array(arena, raw.len + 1, 3), *out = text;
    const char *ptr = raw.ptr, *end = raw.ptr + raw.len;
    while (ptr < end) {
        uint32_t code_point = UTF8_REPLACEMENT;
        if (*ptr == '\\' && ptr[1] == 'u') {
            ptr = unescape_unicode(ptr + 1, end, &out);
        } else if (*ptr == '\\') {
            *out++ = plain[(unsigned char)ptr[1]];
            ptr += 2;
        } else {
            size_t size = utf8_decode(ptr, (size_t)(end - ptr), &code_point);
            out += utf8_encode(size ? code_point : UTF8_REPLACEMENT, out);
            ptr += size ? size : 1;
        }
    }
    return slice_of(text, (size_t)(out - text));
}

// At the byte behind a backslash.
static int check_escape(struct parser *p)
{
    if (p->ptr == p->end || !strchr("\"\\/bfnrtu", *p->ptr) || !*p->ptr)
        return fail_char(p, "in string escape code");
    if (*p->ptr++ != 'u')
        return 0;
    for (int i = 0; i < 4; i++, p->ptr++) {
        if (p->ptr == p->end || strnum_hex_digit(*p->ptr) < 0)
            return fail_char(p, "in \\u hexadecimal character escape");
    }
    return 0;
}

// At the opening quote.
static int parse_string(struct parser *p, struct slice *ret)
{
    const char *raw = ++p->ptr;
    bool escapes = false, ascii = true;
    while (p->ptr < p->end && *p->ptr != '"') {
        unsigned char c = (unsigned char)*p->ptr;
        if (c < 0x20)
            return fail_char(p, "in string literal");
        ascii &= c < 0x80;
        p->ptr++;
        if (c == '\\') {
            escapes = true;
            int rc = check_escape(p);
            if (rc < 0)
                return rc;
        }
    }
    if (p->ptr == p->end)
        return fail_text(p, "unexpected EOF");
    struct slice text = since(p, raw);
    p->ptr++;
    *ret = escapes || (!ascii && !slice_is_utf8(text)) ? unescape(p->doc->arena, text) : text;
    return 0;
}

static void skip_digits(struct parser *p)
{
    while (at_digit(p))
        p->ptr++;
}

// RFC 8259 section 6. Sets the type: integer without fraction and exponent.
static int scan_number(struct parser *p, enum json_type *ret_type)
{
    *ret_type = JSON_INT;
    if (at_char(p, '-'))
        p->ptr++;
    if (!at_digit(p))
        return fail_char(p, "in numeric literal");
    if (*p->ptr == '0')
        p->ptr++;
    else
        skip_digits(p);
    if (at_char(p, '.')) {
        *ret_type = JSON_REAL;
        p->ptr++;
        if (!at_digit(p))
            return fail_char(p, "after decimal point in numeric literal");
        skip_digits(p);
    }
    if (at_char(p, 'e') || at_char(p, 'E')) {
        *ret_type = JSON_REAL;
        p->ptr++;
        if (at_char(p, '+') || at_char(p, '-'))
            p->ptr++;
        if (!at_digit(p))
            return fail_char(p, "in exponent of numeric literal");
        skip_digits(p);
    }
    return 0;
}

// False when it does not fit.
static bool to_int64(struct slice digits, int64_t *ret)
{
    bool negative = digits.ptr[0] == '-';
    int64_t value = 0; // counted downwards: the range below zero is the larger one
    for (size_t i = negative; i < digits.len; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digits.ptr[i] - '0', &value))
            return false;
    }
    return negative ? (*ret = value, true) : !__builtin_sub_overflow(0, value, ret);
}

static int parse_number(struct parser *p, struct json_value *v)
{
    const char *start = p->ptr;
    int rc = scan_number(p, &v->type);
    if (rc < 0)
        return rc;
    struct slice text = since(p, start);
    if (v->type == JSON_INT && to_int64(text, &v->integer))
        return 0;
    v->type = JSON_REAL;
    if (number_parse_json(text, &v->real, NULL) < 0)
        return error_set_at(p->err, ERR_INVALID, (int)v->line, (int)v->column, "number %.*s is out of range",
                            (int)MIN(text.len, (size_t)64), text.ptr);
    return 0;
}

static int parse_literal(struct parser *p, const char *word, struct json_value *v)
{
    for (const char *w = word; *w; w++, p->ptr++) {
        if (p->ptr == p->end || *p->ptr != *w) {
            char where[64];
            snprintf(where, sizeof(where), "in literal %s (expecting '%c')", word, *w);
            return fail_char(p, where);
        }
    }
    v->type = *word == 'n' ? JSON_NULL : JSON_BOOL;
    v->boolean = *word == 't';
    return 0;
}

// A value that is no container.
static int parse_scalar(struct parser *p, struct json_value *v)
{
    switch (p->ptr < p->end ? *p->ptr : 0) {
    case '"':
        v->type = JSON_STRING;
        return parse_string(p, &v->string);
    case 't':
        return parse_literal(p, "true", v);
    case 'f':
        return parse_literal(p, "false", v);
    case 'n':
        return parse_literal(p, "null", v);
    default:
        if (at_char(p, '-') || at_digit(p))
            return parse_number(p, v);
        return fail_char(p, "looking for beginning of value");
    }
}

// ---- containers -------------------------------------------------------------------------------------------

struct member_ref {
    struct slice key;
    size_t index;
};

static int compare_members(const void *a, const void *b)
{
    const struct member_ref *x = a, *y = b;
    int order = slice_cmp(x->key, y->key);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

// Marks all members but the last of each key by a key pointer of NULL and returns how many are left.
static size_t mark_duplicates(struct json_value *members, size_t count)
{
    struct member_ref *refs = NEW_ARRAY(struct member_ref, count);
    for (size_t i = 0; i < count; i++)
        refs[i] = (struct member_ref){members[i].key, i};
    qsort(refs, count, sizeof(*refs), compare_members);
    size_t left = count;
    for (size_t i = 0; i + 1 < count; i++) {
        if (slice_eq(refs[i].key, refs[i + 1].key)) {
            members[refs[i].index].key.ptr = NULL;
            left--;
        }
    }
    mem_free(refs);
    return left;
}

// Few members are compared pair by pair.
static size_t mark_duplicates_small(struct json_value *members, size_t count)
{
    size_t left = count;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (slice_eq(members[i].key, members[j].key)) {
                members[i].key.ptr = NULL;
                left--;
                break;
            }
        }
    }
    return left;
}

static int store_members(struct parser *p, struct json_value *container, struct json_value *members,
                         size_t count)
{
    bool object = container->type == JSON_OBJECT;
    size_t left = count;
    if (object && count > 1)
        left = count <= 16 ? mark_duplicates_small(members, count) : mark_duplicates(members, count);
    struct json_value *items = arena_try_alloc(p->doc->arena, MAX(left, (size_t)1) * sizeof(*items));
    if (!items)
        return error_set(p->err, ERR_LIMIT, "JSON document needs too much memory");
    size_t stored = 0;
    for (size_t i = 0; i < count; i++) {
        if (!object || members[i].key.ptr)
            items[stored++] = members[i];
    }
    container->container.items = items;
    container->container.count = left;
    return 0;
}

static int open_container(struct parser *p, const struct json_value *v)
{
    if (p->depth == JSON_MAX_DEPTH)
        return error_set_at(p->err, ERR_LIMIT, (int)v->line, (int)v->column, "exceeded max depth");
    struct open_container *open = &p->open[p->depth++];
    open->value = *v;
    open->value.type = *p->ptr == '{' ? JSON_OBJECT : JSON_ARRAY;
    open->first_member = p->pending_count;
    p->ptr++;
    return 0;
}

static void push(struct parser *p, const struct json_value *v)
{
    ENSURE_CAPACITY(p->pending, p->pending_cap, p->pending_count + 1);
    p->pending[p->pending_count++] = *v;
}

// Behind the closing bracket, which was consumed: the container becomes an ordinary value.
static int close_container(struct parser *p)
{
    struct open_container *open = &p->open[--p->depth];
    struct json_value v = open->value;
    int rc = store_members(p, &v, p->pending + open->first_member, p->pending_count - open->first_member);
    if (rc < 0)
        return rc;
    v.source = since(p, v.source.ptr);
    p->pending_count = open->first_member;
    push(p, &v);
    return 0;
}

static int parse_key(struct parser *p, struct slice *ret)
{
    skip_blanks(p);
    if (!at_char(p, '"'))
        return fail_char(p, "looking for beginning of object key string");
    int rc = parse_string(p, ret);
    if (rc < 0)
        return rc;
    skip_blanks(p);
    if (!at_char(p, ':'))
        return fail_char(p, "after object key");
    p->ptr++;
    return 0;
}

// One value with its key, or the opening of one. *ret_opened: the next thing is a member of it or its end.
static int parse_member(struct parser *p, bool *ret_opened)
{
    struct json_value v = {0};
    int rc = p->depth && p->open[p->depth - 1].value.type == JSON_OBJECT ? parse_key(p, &v.key) : 0;
    if (rc < 0)
        return rc;
    skip_blanks(p);
    v.source.ptr = p->ptr;
    v.line = p->line;
    v.column = (uint32_t)(p->ptr - p->line_start) + 1;
    *ret_opened = at_char(p, '{') || at_char(p, '[');
    if (*ret_opened)
        return open_container(p, &v);
    rc = parse_scalar(p, &v);
    if (rc < 0)
        return rc;
    v.source = since(p, v.source.ptr);
    push(p, &v);
    return 0;
}

// Behind a value or an opening bracket: closes what closes here. Afterwards the document is complete (depth
// 0) or a further member must follow.
static int close_or_continue(struct parser *p, bool opened)
{
    while (p->depth > 0) {
        bool object = p->open[p->depth - 1].value.type == JSON_OBJECT;
        skip_blanks(p);
        if (at_char(p, object ? '}' : ']')) {
            p->ptr++;
            int rc = close_container(p);
            if (rc < 0)
                return rc;
            opened = false;
            continue;
        }
        if (opened)
            return 0;
        if (!at_char(p, ','))
            return fail_char(p, object ? "after object key:value pair" : "after array element");
        p->ptr++;
        return 0;
    }
    return 0;
}

static int parse_document(struct parser *p)
{
    skip_blanks(p);
    if (p->ptr == p->end)
        return fail_text(p, "EOF");
    do {
        bool opened = false;
        int rc = parse_member(p, &opened);
        if (rc == 0)
            rc = close_or_continue(p, opened);
        if (rc < 0)
            return rc;
    } while (p->depth > 0);
    p->doc->root = p->pending[0];
    return 0;
}

int json_parse_text(struct json_doc *doc, struct slice text, struct error *err)
{
    struct parser *p = NEW(struct parser);
    p->doc = doc;
    p->start = p->ptr = p->line_start = text.ptr;
    p->end = text.ptr + text.len;
    p->line = 1;
    p->err = err;
    ENSURE_CAPACITY(p->pending, p->pending_cap, 16);
    int rc = parse_document(p);
    mem_free(p->pending);
    mem_free(p);
    return rc;
}
