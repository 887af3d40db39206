// SPDX-License-Identifier: MIT
#include "codec/lineproto.h"

#include <ctype.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "codec/lineproto-scan.h"
#include "codec/number.h"
#include "codec/utf8.h"

struct lineproto_decoder {
    const char *ptr; // next byte to read
    const char *end; // what may be decoded: with 'final' the whole input, else up to its last line end
    const char *input_end;
    bool final;
    bool overlong; // the entry before this piece was too long, its rest is still to be skipped
    int line;      // of ptr
    size_t max_line_bytes;
    char *scratch; // tokens with escapes, of one entry; as large as the entry, so it never moves within one
    size_t scratch_used, scratch_cap;
};

// One entry being read.
struct reader {
    struct lineproto_decoder *decoder;
    struct lineproto_entry *entry;
    const char *start; // column 1
    const char *ptr;
    const char *end;    // of the input, or where the entry is too long
    const char *resync; // where to look for the next line after an error; NULL: at ptr
    bool scratch_ready;
    struct error *err;
};

// ---- life cycle -------------------------------------------------------------------------------------------

struct lineproto_decoder *lineproto_decoder_new(size_t max_line_bytes)
{
    struct lineproto_decoder *decoder = NEW(struct lineproto_decoder);
    decoder->max_line_bytes = max_line_bytes;
    lineproto_decoder_reset(decoder, SLICE_EMPTY, true);
    return decoder;
}

void lineproto_decoder_free(struct lineproto_decoder **decoder)
{
    if (!*decoder)
        return;
    mem_free((*decoder)->scratch);
    mem_free(*decoder);
    *decoder = NULL;
}

void lineproto_decoder_reset(struct lineproto_decoder *decoder, struct slice input, bool final)
{
    decoder->line = 1;
    decoder->overlong = false;
    lineproto_decoder_continue(decoder, input, final);
}

void lineproto_decoder_continue(struct lineproto_decoder *decoder, struct slice input, bool final)
{
    decoder->ptr = input.ptr;
    decoder->input_end = input.ptr + input.len;
    decoder->final = final;
    decoder->end = decoder->input_end;
    if (!final) { // all but strings ends at a line end: nothing behind the last one can be complete
        const char *last = input.len ? memrchr(input.ptr, '\n', input.len) : NULL;
        decoder->end = last ? last + 1 : input.ptr;
    }
}

struct slice lineproto_rest(const struct lineproto_decoder *decoder)
{
    return slice_of(decoder->ptr, (size_t)(decoder->input_end - decoder->ptr));
}

struct slice lineproto_unread(const struct lineproto_decoder *decoder)
{
    return slice_of(decoder->ptr, (size_t)(decoder->end - decoder->ptr));
}

void lineproto_advance(struct lineproto_decoder *decoder, size_t bytes, int lines)
{
    ASSERT(bytes <= (size_t)(decoder->end - decoder->ptr));
    decoder->ptr += bytes;
    decoder->line += lines;
}

// ---- errors -----------------------------------------------------------------------------------------------

static int count_lines(const char *from, const char *to)
{
    int count = 0;
    while (from < to && (from = memchr(from, '\n', (size_t)(to - from)))) {
        from++;
        count++;
    }
    return count;
}

// Text as Go's %q shows it, cut after 40 bytes: user text in messages stays readable whatever it holds.
struct quoted {
    char text[176];
};

// Appends what stands for the character at s.ptr, at most four bytes; returns how many bytes of s it has.
static size_t quote_character(struct slice s, char mark, char *to, size_t *len)
{
    unsigned char c = (unsigned char)s.ptr[0];
    uint32_t code_point;
    size_t size = utf8_decode(s.ptr, s.len, &code_point);
    if (size > 1)
        *len += (size_t)snprintf(to + *len, 5, "%.*s", (int)size, s.ptr);
    else if (c >= '\a' && c <= '\r')
        *len += (size_t)snprintf(to + *len, 3, "\\%c", "abtnvfr"[c - '\a']);
    else if (c < 0x20 || c >= 0x7F)
        *len += (size_t)snprintf(to + *len, 5, "\\x%02x", c);
    else
        *len += (size_t)snprintf(to + *len, 3, c == (unsigned char)mark || c == '\\' ? "\\%c" : "%c", c);
    return MAX(size, (size_t)1);
}

static struct quoted quote_with(struct slice s, char mark)
{
    struct quoted q;
    size_t len = 0, done = 0;
    q.text[len++] = mark;
    while (done < s.len && done < 40)
        done += quote_character(slice_skip(s, done), mark, q.text, &len);
    snprintf(q.text + len, sizeof(q.text) - len, done < s.len ? "...%c" : "%c", mark);
    return q;
}

static struct quoted quote(struct slice s)
{
    return quote_with(s, '"');
}

static struct quoted quote_char(char c)
{
    return quote_with(slice_of(&c, 1), '\'');
}

// Position 'at' is inside the entry. Lines and columns count from its start, over the line ends in quoted
// strings.
PRINTF_LIKE(4, 5)
static int fail(struct reader *r, enum error_code code, const char *at, const char *fmt, ...)
{
    if (!r->err)
        return code;
    char reason[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    int line = r->decoder->line + count_lines(r->start, at);
    const char *line_start = at > r->start ? memrchr(r->start, '\n', (size_t)(at - r->start)) : NULL;
    line_start = line_start ? line_start + 1 : r->start;
    int column = (int)(at - line_start) + 1;
    return error_set_at(r->err, code, line, column, "at line %d:%d: %s", line, column, reason);
}

// ---- tokens -----------------------------------------------------------------------------------------------

static bool at_end(const struct reader *r)
{
    return r->ptr == r->end;
}

static bool at_char(const struct reader *r, char c)
{
    return r->ptr < r->end && *r->ptr == c;
}

static void skip_spaces(struct reader *r)
{
    while (at_char(r, ' '))
        r->ptr++;
}

// LF, CR LF, or a CR that ends the input.
static bool take_line_end(struct reader *r)
{
    if (at_char(r, '\n')) {
        r->ptr++;
        return true;
    }
    if (!at_char(r, '\r'))
        return at_end(r);
    if (r->ptr + 1 < r->end && r->ptr[1] != '\n')
        return false;
    r->ptr += r->ptr + 1 < r->end ? 2 : 1;
    return true;
}

// Room for a token of 'len' bytes that lives as long as the entry.
static char *scratch_take(struct reader *r, size_t len)
{
    struct lineproto_decoder *d = r->decoder;
    if (!r->scratch_ready) { // the first one of this entry: nothing points into it
        size_t need = (size_t)(r->end - r->start);
        if (need > d->scratch_cap) {
            need = MAX(need, MIN(d->max_line_bytes, (size_t)4096));
            mem_free(d->scratch);
            d->scratch = mem_alloc(need);
            d->scratch_cap = need;
        }
        d->scratch_used = 0;
        r->scratch_ready = true;
    }
    char *text = d->scratch + d->scratch_used;
    d->scratch_used += len;
    ASSERT(d->scratch_used <= d->scratch_cap);
    return text;
}

// What an escaped byte means, 0: the backslash is an ordinary byte.
typedef char escape_fn(char c);

static char name_escape(char c)
{
    return c == ',' || c == ' ' ? c : 0;
}

static char key_escape(char c)
{
    return c == ',' || c == ' ' || c == '=' ? c : 0;
}

static char string_escape(char c)
{
    return c == '"' || c == '\\' ? c : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : 0;
}

static struct slice unescape(struct reader *r, struct slice raw, escape_fn *escape)
{
    char *text = scratch_take(r, raw.len), *out = text;
    for (size_t i = 0; i < raw.len; i++) {
        char replaced = raw.ptr[i] == '\\' && i + 1 < raw.len ? escape(raw.ptr[i + 1]) : 0;
        *out++ = replaced ? replaced : raw.ptr[i];
        i += replaced != 0;
    }
    return slice_of(text, (size_t)(out - text));
}

// The first byte from p on that is none of an ordinary token: control, blank, DEL, comma, backslash and, in
// keys and tag values, the equals sign. *ret_high: bytes from 80 on were passed.
static ALWAYS_INLINE const char *skip_plain(const char *p, const char *end, bool key, bool *ret_high)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word = lineproto_load8(p);
        uint64_t found = lineproto_match_control(word) | lineproto_match(word, ',') |
                         lineproto_match(word, '\\') | lineproto_match(word, 0x7F) |
                         (key ? lineproto_match(word, '=') : 0);
        if (found) {
            uint64_t before =
                (found & -found) - 1; // all bits below the first hit's byte, and some of that byte
            *ret_high |= (word & before & LINEPROTO_HIGH_BITS) != 0;
            return p + (unsigned)__builtin_ctzll(found) / 8;
        }
        *ret_high |= (word & LINEPROTO_HIGH_BITS) != 0;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == ',' || c == '\\' || c == 0x7F || (key && c == '='))
            break;
        *ret_high |= c >= 0x80;
    }
    return p;
}

// Measurement (key false), tag key, tag value or field key. May be empty.
static ALWAYS_INLINE int take_token(struct reader *r, bool key, struct slice *ret)
{
    const char *start = r->ptr;
    escape_fn *escape = key ? key_escape : name_escape;
    bool high = false, escaped = false;
    for (;;) {
        r->ptr = skip_plain(r->ptr, r->end, key, &high);
        if (!at_char(r, '\\'))
            break;
        r->ptr++;
        if (r->ptr < r->end && escape(*r->ptr)) {
            escaped = true;
            r->ptr++;
        }
    }
    struct slice raw = slice_of(start, (size_t)(r->ptr - start));
    if (high && !slice_is_utf8(raw))
        return fail(r, ERR_INVALID, start, "invalid utf-8 sequence in token %s", quote(raw).text);
    *ret = escaped ? unescape(r, raw, escape) : raw;
    return 0;
}

// ---- head -------------------------------------------------------------------------------------------------

// Behind a measurement or tag value: a comma must be followed by a tag.
static int take_tag_comma(struct reader *r)
{
    if (!at_char(r, ','))
        return 0;
    r->ptr++;
    if (at_end(r))
        return fail(r, ERR_INVALID, r->ptr, "expected tag key after comma; got end of input");
    if (*r->ptr == ' ' || *r->ptr == '\r' || *r->ptr == '\n')
        return fail(r, ERR_INVALID, r->ptr, "expected tag key after comma; got white space instead");
    return 0;
}

static int read_measurement(struct reader *r)
{
    if (at_char(r, '#'))
        return fail(r, ERR_INVALID, r->ptr, "invalid character found in comment line");
    int rc = take_token(r, false, &r->entry->measurement);
    if (rc < 0)
        return rc;
    if (r->entry->measurement.len == 0)
        return fail(r, ERR_INVALID, r->ptr, "invalid character %s found at start of measurement name",
                    quote_char(*r->ptr).text);
    return take_tag_comma(r);
}

// At something that is no "key=": says what is wrong.
static int fail_tag_key(struct reader *r, const char *start, struct slice key)
{
    if (at_end(r) && key.len == 0)
        return fail(r, ERR_INVALID, start, "expected tag key or field but found end of input instead");
    if (at_end(r))
        return fail(r, ERR_INVALID, start, "expected '=' after tag key %s, but got end of input instead",
                    quote(key).text);
    if (key.len)
        return fail(r, ERR_INVALID, start, "expected '=' after tag key %s, but got %s instead",
                    quote(key).text, quote_char(*r->ptr).text);
    if (*r->ptr == '=')
        return fail(r, ERR_INVALID, start, "empty tag key");
    return fail(r, ERR_INVALID, start, "expected tag key or field but found %s instead",
                quote_char(*r->ptr).text);
}

static int read_tag(struct reader *r)
{
    struct lineproto_tag tag;
    const char *start = r->ptr;
    int rc = take_token(r, true, &tag.key);
    if (rc < 0)
        return rc;
    if (tag.key.len == 0 || !at_char(r, '='))
        return fail_tag_key(r, start, tag.key);
    r->ptr++;
    start = r->ptr;
    rc = take_token(r, true, &tag.value);
    if (rc < 0)
        return rc;
    if (tag.value.len == 0)
        return fail(r, ERR_INVALID, start, "expected tag value after tag key %s, but none found",
                    quote(tag.key).text);
    if (r->entry->tag_count == LINEPROTO_MAX_TAGS)
        return fail(r, ERR_LIMIT, start, "more than %d tags", LINEPROTO_MAX_TAGS);
    r->entry->tags[r->entry->tag_count++] = tag;
    return take_tag_comma(r);
}

static int read_tags(struct reader *r)
{
    r->entry->tag_count = 0;
    while (!at_char(r, ' ')) {
        int rc = read_tag(r);
        if (rc < 0)
            return rc;
        if (at_end(r)) // no fields: said there
            break;
    }
    r->entry->head = slice_of(r->start, (size_t)(r->ptr - r->start));
    skip_spaces(r);
    return 0;
}

// ---- fields -----------------------------------------------------------------------------------------------

// The first c from here on, or 'end'.
static const char *find(const struct reader *r, char c, const char *end)
{
    const char *found = memchr(r->ptr, c, (size_t)(end - r->ptr));
    return found ? found : end;
}

// Behind the opening quote.
static int read_string(struct reader *r, struct slice key, struct slice *ret)
{
    const char *start = r->ptr;
    bool escaped = false;
    const char *stop = find(r, '"', r->end);
    for (;;) {
        r->ptr = find(r, '\\', stop);
        if (r->ptr == stop)
            break;
        bool known = r->ptr + 1 < r->end && string_escape(r->ptr[1]);
        escaped |= known;
        r->ptr += known ? 2 : 1;
        if (r->ptr > stop) // that quote was escaped
            stop = find(r, '"', r->end);
    }
    struct slice raw = slice_of(start, (size_t)(r->ptr - start));
    if (at_end(r)) {
        r->resync = start;
        return fail(r, ERR_INVALID, start - 1,
                    "expected closing quote for string field %s, found end of input", quote(key).text);
    }
    r->ptr++;
    if (!slice_is_utf8(raw))
        return fail(r, ERR_INVALID, start, "invalid utf-8 sequence in token %s", quote(raw).text);
    *ret = escaped ? unescape(r, raw, string_escape) : raw;
    return 0;
}

static bool is_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!isdigit((unsigned char)s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static int fail_value(struct reader *r, const char *at, struct slice key, const char *reason)
{
    return fail(r, ERR_INVALID, at, "cannot parse value for field key %s: %s", quote(key).text, reason);
}

static const char out_of_range[] = "line-protocol value out of range";

// text is an integer with its suffix cut off.
static int read_integer(struct reader *r, struct slice text, struct slice key, struct lineproto_value *ret)
{
    const char *at = text.ptr;
    if (ret->kind == LINEPROTO_UINT) {
        if (!is_digits(text))
            return fail_value(r, at, key, "invalid unsigned integer value syntax");
        return strnum_parse_u64(text, &ret->u64, NULL) < 0 ? fail_value(r, at, key, out_of_range) : 0;
    }
    if (!is_digits(slice_skip(text, text.ptr[0] == '-')))
        return fail_value(r, at, key, "invalid integer value syntax");
    return strnum_parse_i64(text, &ret->i64, NULL) < 0 ? fail_value(r, at, key, out_of_range) : 0;
}

static int read_float(struct reader *r, struct slice text, struct slice key, double *ret)
{
    int rc = number_parse_double(text, ret, NULL);
    if (rc == 0)
        return 0;
    if (rc == ERR_LIMIT)
        return fail_value(r, text.ptr, key, out_of_range);
    struct slice word = slice_skip(text, text.ptr[0] == '-');
    if (slice_eq_ignore_case(word, SLICE_LITERAL("inf")) ||
        slice_eq_ignore_case(word, SLICE_LITERAL("infinity")))
        return fail(
            r, ERR_INVALID, text.ptr,
            "cannot parse value for field key %s: non-number %s cannot be represented as a line-protocol "
            "field value",
            quote(key).text, quote(text).text);
    return fail_value(r, text.ptr, key, "invalid float value syntax");
}

static int read_bool(struct reader *r, struct slice text, struct slice key, bool *ret)
{
    static const char *const words[] = {"f", "F", "false", "False", "FALSE",
                                        "t", "T", "true",  "True",  "TRUE"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_eq_cstr(text, words[i])) {
            *ret = i >= ARRAY_LEN(words) / 2;
            return 0;
        }
    }
    return fail(r, ERR_INVALID, text.ptr, "cannot parse value for field key %s: invalid bool value %s",
                quote(key).text, quote(text).text);
}

static struct slice take_value_text(struct reader *r)
{
    const char *start = r->ptr;
    while (!at_end(r) && *r->ptr != ',' && *r->ptr != ' ' && *r->ptr != '\r' && *r->ptr != '\n')
        r->ptr++;
    return slice_of(start, (size_t)(r->ptr - start));
}

// The kind follows from the first byte, and for numbers from the last one.
static int read_value(struct reader *r, struct slice key, struct lineproto_value *ret)
{
    char first = *r->ptr;
    if (first == '"') {
        r->ptr++;
        ret->kind = LINEPROTO_STRING;
        return read_string(r, key, &ret->string);
    }
    if (first == ' ' || first == ',')
        return fail(r, ERR_INVALID, r->ptr, "missing field value for field %s", quote(key).text);
    struct slice text = take_value_text(r);
    if (first == 't' || first == 'T' || first == 'f' || first == 'F') {
        ret->kind = LINEPROTO_BOOL;
        return read_bool(r, text, key, &ret->boolean);
    }
    if (first != '-' && first != '.' && !isdigit((unsigned char)first))
        return fail(r, ERR_INVALID, text.ptr, "value for field %s (%s) has unrecognized type",
                    quote(key).text, quote(text).text);
    char last = text.ptr[text.len - 1];
    ret->kind = last == 'i' ? LINEPROTO_INT : last == 'u' ? LINEPROTO_UINT : LINEPROTO_FLOAT;
    if (ret->kind == LINEPROTO_FLOAT)
        return read_float(r, text, key, &ret->f64);
    return read_integer(r, slice_of(text.ptr, text.len - 1), key, ret);
}

static int read_field_key(struct reader *r, struct slice *ret)
{
    const char *start = r->ptr;
    int rc = take_token(r, true, ret);
    if (rc < 0)
        return rc;
    if (ret->len == 0 && at_end(r))
        return fail(r, ERR_INVALID, start, "expected field key but none found");
    if (ret->len == 0)
        return fail(r, ERR_INVALID, start, "invalid character %s found at start of field key",
                    quote_char(*r->ptr).text);
    if (at_end(r))
        return fail(r, ERR_INVALID, r->ptr, "want '=' after field key %s, found end of input",
                    quote(*ret).text);
    if (*r->ptr != '=')
        return fail(r, ERR_INVALID, r->ptr, "want '=' after field key %s, found %s", quote(*ret).text,
                    quote_char(*r->ptr).text);
    r->ptr++;
    if (at_end(r))
        return fail(r, ERR_INVALID, r->ptr, "expected value for field %s, found end of input",
                    quote(*ret).text);
    return 0;
}

// 1: a comma and another field follow, 0: that was the last one.
static int read_field(struct reader *r)
{
    struct lineproto_field field = {0};
    int rc = read_field_key(r, &field.key);
    if (rc == 0)
        rc = read_value(r, field.key, &field.value);
    if (rc < 0)
        return rc;
    if (r->entry->field_count == LINEPROTO_MAX_FIELDS)
        return fail(r, ERR_LIMIT, r->ptr, "more than %d fields", LINEPROTO_MAX_FIELDS);
    r->entry->fields[r->entry->field_count++] = field;
    if (at_char(r, ',')) {
        r->ptr++;
        return 1;
    }
    if (!at_end(r) && *r->ptr != ' ' && *r->ptr != '\r' && *r->ptr != '\n')
        return fail(r, ERR_INVALID, r->ptr, "unexpected character %s after field %s",
                    quote_char(*r->ptr).text, quote(field.key).text);
    return 0;
}

static int read_fields(struct reader *r)
{
    r->entry->field_count = 0;
    int rc;
    do
        rc = read_field(r);
    while (rc > 0);
    skip_spaces(r);
    return rc;
}

// ---- time and the whole entry -----------------------------------------------------------------------------

static struct slice rest_of_line(struct reader *r, const char *from)
{
    while (!at_end(r) && *r->ptr != '\r' && *r->ptr != '\n')
        r->ptr++;
    return slice_of(from, (size_t)(r->ptr - from));
}

// At something that is no line end. A malformed time is an error (metric-store.md MS-07).
static int read_timestamp(struct reader *r)
{
    const char *start = r->ptr;
    while (!at_end(r) && (isdigit((unsigned char)*r->ptr) || *r->ptr == '-'))
        r->ptr++;
    struct slice text = slice_of(start, (size_t)(r->ptr - start));
    if (!at_end(r) && *r->ptr != ' ' && *r->ptr != '\r' && *r->ptr != '\n')
        return fail(r, ERR_INVALID, start, "invalid timestamp (%s)", quote(rest_of_line(r, start)).text);
    skip_spaces(r);
    const char *extra = r->ptr;
    if (!take_line_end(r))
        return fail(r, ERR_INVALID, extra, "unexpected text after timestamp (%s)",
                    quote(rest_of_line(r, extra)).text);
    if (strnum_parse_i64(text, &r->entry->timestamp, NULL) < 0) {
        r->ptr = extra; // the line end counts for the next line
        bool digits = is_digits(slice_skip(text, text.len && text.ptr[0] == '-'));
        return fail(r, ERR_INVALID, start, "invalid timestamp (%s): %s", quote(text).text,
                    digits ? out_of_range : "invalid syntax");
    }
    r->entry->has_timestamp = true;
    return 0;
}

// Behind the measurement.
static int read_rest(struct reader *r)
{
    int rc = read_tags(r);
    if (rc == 0)
        rc = read_fields(r);
    if (rc < 0)
        return rc;
    r->entry->has_timestamp = false;
    r->entry->timestamp = 0;
    return take_line_end(r) ? 0 : read_timestamp(r);
}

static struct slice trim_line_end(const char *start, const char *end)
{
    if (end > start && end[-1] == '\n')
        end--;
    if (end > start && end[-1] == '\r')
        end--;
    return slice_of(start, (size_t)(end - start));
}

// ---- from entry to entry ----------------------------------------------------------------------------------

static void move_to(struct lineproto_decoder *d, const char *ptr)
{
    d->line += count_lines(d->ptr, ptr);
    d->ptr = ptr;
}

// Goes behind the first line end from 'from' on; false when there is none.
static bool move_behind_line(struct lineproto_decoder *d, const char *from)
{
    const char *line_end = from < d->end ? memchr(from, '\n', (size_t)(d->end - from)) : NULL;
    move_to(d, line_end ? line_end + 1 : d->end);
    return line_end != NULL;
}

// Leaves the bytes behind as the rest of this piece; 0 as from lineproto_next.
static int wait_for_more(struct lineproto_decoder *d)
{
    d->end = d->ptr;
    return 0;
}

// True when p stands on a comment without invalid characters, which is then skipped.
static bool skip_comment(struct lineproto_decoder *d)
{
    const char *p = d->ptr;
    while (p < d->end && ((unsigned char)*p >= 0x20 && *p != 0x7F))
        p++;
    bool cr = p < d->end && *p == '\r';
    if (p + cr < d->end && p[cr] != '\n')
        return false;
    move_behind_line(d, p);
    return true;
}

// Stands on the first byte of an entry, or at the end.
static void skip_empty_lines(struct lineproto_decoder *d)
{
    for (; d->ptr < d->end; d->ptr++) {
        switch (*d->ptr) {
        case ' ':
            break;
        case '\n':
            d->line++;
            break;
        case '\r':
            if (d->ptr + 1 < d->end && d->ptr[1] != '\n')
                return;
            break;
        case '#':
            if (!skip_comment(d))
                return;
            d->ptr--;
            break;
        default:
            return;
        }
    }
}

// An entry that is longer than allowed: reported once, its line is skipped, in the next piece if need be.
static int refuse_overlong(struct lineproto_decoder *d, struct reader *r)
{
    int rc = fail(r, ERR_LIMIT, r->start, "entry is longer than %zu bytes", d->max_line_bytes);
    const char *limit = r->start + MIN(d->max_line_bytes, (size_t)(d->input_end - r->start));
    if (!move_behind_line(d, limit) && !d->final) {
        d->overlong = true;
        d->ptr = d->end = d->input_end;
    }
    return rc;
}

// What came of one entry. 1: it is in r->entry; 0: it is not complete, more input is needed.
static int finish_entry(struct lineproto_decoder *d, struct reader *r, int rc)
{
    bool cut = r->ptr == r->end && r->end < d->end;
    r->entry->source = trim_line_end(r->start, r->ptr);
    if (cut || (rc == 0 && r->entry->source.len > d->max_line_bytes))
        return refuse_overlong(d, r);
    if (rc == 0) {
        r->entry->line = d->line;
        move_to(d, r->ptr);
        return 1;
    }
    if (r->resync && !d->final) // a string that goes on in the next piece
        return (size_t)(d->input_end - r->start) > d->max_line_bytes ? refuse_overlong(d, r)
                                                                     : wait_for_more(d);
    move_behind_line(d, r->resync ? r->resync : r->ptr);
    return rc;
}

// An entry that nobody wants: to its line end; only one with a quote needs reading, as strings hold line
// ends.
static bool skip_unwanted(struct lineproto_decoder *d, struct reader *r)
{
    const char *line_end = memchr(r->ptr, '\n', (size_t)(d->end - r->ptr));
    const char *stop = line_end ? line_end : d->end;
    if (!memchr(r->ptr, '"', (size_t)(stop - r->ptr))) {
        d->line += line_end != NULL;
        d->ptr = line_end ? line_end + 1 : d->end;
        return true;
    }
    r->err = NULL;
    return finish_entry(d, r, read_rest(r)) != 0;
}

// Whether nobody would miss the entry that begins here and is not complete: a comment, or a measurement that
// is not wanted.
static bool is_idle_text(struct reader *r, bool (*wanted)(void *ctx, struct slice measurement), void *ctx)
{
    skip_spaces(r);
    if (at_char(r, '#'))
        return true;
    r->err = NULL;
    return wanted && read_measurement(r) == 0 && !at_end(r) && !wanted(ctx, r->entry->measurement);
}

// The end of this piece. Without 'final' an entry that has become too long already is refused now.
static int finish_input(struct lineproto_decoder *d, struct lineproto_entry *entry,
                        bool (*wanted)(void *ctx, struct slice measurement), void *ctx, struct error *err)
{
    if (d->final || (size_t)(d->input_end - d->ptr) <= d->max_line_bytes + 2)
        return 0;
    struct reader r = {.decoder = d, .entry = entry, .start = d->ptr, .ptr = d->ptr, .end = d->input_end};
    bool idle = is_idle_text(&r, wanted, ctx);
    r.err = idle ? NULL : err;
    int rc = refuse_overlong(d, &r);
    return idle ? 0 : rc;
}

int lineproto_next(struct lineproto_decoder *decoder, struct lineproto_entry *entry,
                   bool (*wanted)(void *ctx, struct slice measurement), void *ctx, struct error *err)
{
    struct lineproto_decoder *d = decoder;
    if (d->overlong)
        d->overlong = !move_behind_line(d, d->ptr);
    if (d->overlong) {
        d->ptr = d->end = d->input_end;
        return 0;
    }
    for (;;) {
        skip_empty_lines(d);
        if (d->ptr == d->end)
            return finish_input(d, entry, wanted, ctx, err);
        struct reader r = {
            .decoder = d, .entry = entry, .start = d->ptr, .ptr = d->ptr, .end = d->end, .err = err};
        if ((size_t)(d->end - d->ptr) > d->max_line_bytes && d->max_line_bytes < SIZE_MAX - 3)
            r.end = d->ptr + MIN(d->max_line_bytes + 3, (size_t)(d->end - d->ptr));
        int rc = read_measurement(&r);
        if (rc == 0 && wanted && !wanted(ctx, entry->measurement)) {
            if (!skip_unwanted(d, &r))
                return 0;
            continue;
        }
        return finish_entry(d, &r, rc == 0 ? read_rest(&r) : rc);
    }
}

int64_t lineproto_guess_seconds(int64_t timestamp)
{
    uint64_t magnitude = timestamp < 0 ? -(uint64_t)timestamp : (uint64_t)timestamp;
    int64_t divisor = magnitude < UINT64_C(100000000000)         ? 1
                      : magnitude < UINT64_C(100000000000000)    ? 1000
                      : magnitude < UINT64_C(100000000000000000) ? 1000000
                                                                 : 1000000000;
    int64_t seconds = timestamp / divisor;
    return timestamp % divisor < 0 ? seconds - 1 : seconds;
}
