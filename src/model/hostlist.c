// SPDX-License-Identifier: MIT
// A list is an array of terms, a term an array of parts, a part either text or alternatives of number ranges.
// A host name is matched by the set of places that can be reached in it, part by part, so that all ranges of
// a bracket are tried without backtracking.
#include "model/hostlist.h"

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/strnum.h"

#define HOST_NAME_BYTES 255 // RFC 1035, 2.3.4
#define DIGITS_MAX      18  // fit into int64

struct range {
    uint64_t first, last;
    size_t width; // digits, zero padded
};

struct part {
    struct slice text; // a text when range_count is 0
    struct range *ranges;
    size_t range_count;
};

struct term {
    struct part *parts;
    size_t count;
};

struct hostlist {
    struct arena *arena;
    struct term *terms;
    size_t count;
};

// ---- parsing ----------------------------------------------------------------------------------------------

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t count_bytes(struct slice s, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == c;
    return count;
}

static int parse_number(struct slice digits, uint64_t *ret, struct error *err)
{
    if (digits.len > DIGITS_MAX)
        return error_set(err, ERR_INVALID, "ARCHIVE/NODELIST > could not parse int: more than %d digits",
                         DIGITS_MAX);
    if (strnum_parse_u64(digits, ret, err) < 0)
        return error_prefix(err, "ARCHIVE/NODELIST > could not parse int");
    return 0;
}

// "005-500"
static int parse_range(struct slice text, struct range *ret, struct error *err)
{
    ptrdiff_t dash = slice_find_byte(text, '-');

    if (dash < 0)
        return error_set(err, ERR_INVALID, "ARCHIVE/NODELIST > no '-' found inside '[...]'");
    struct slice first = slice_of(text.ptr, (size_t)dash), last = slice_skip(text, (size_t)dash + 1);
    if (first.len == 0 || first.len != last.len)
        return error_set(err, ERR_INVALID,
                         "ARCHIVE/NODELIST > %.*s and %.*s are not of equal length or of length zero",
                         SLICE_FMT(first), SLICE_FMT(last));
    ret->width = first.len;
    int rc = parse_number(first, &ret->first, err);
    return rc < 0 ? rc : parse_number(last, &ret->last, err);
}

// 'text' stands between the brackets.
static int parse_ranges(struct arena *arena, struct slice text, struct part *ret, struct error *err)
{
    *ret = (struct part){.ranges = ARENA_ARRAY(arena, struct range, count_bytes(text, ',') + 1)};
    for (struct slice rest = text; rest.ptr;) {
        int rc = parse_range(slice_split(&rest, ','), &ret->ranges[ret->range_count++], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

// The part at the start of *rest. A dash may not start a term, but may follow a bracket.
static int parse_part(struct arena *arena, struct slice *rest, bool first, struct part *ret,
                      struct error *err)
{
    char c = rest->ptr[0];
    size_t len = 0;

    if (c == '[') {
        size_t close = (size_t)slice_find_byte(*rest, ']'); // is there: see split_terms
        struct slice inside = slice_of(rest->ptr + 1, close - 1);

        *rest = slice_skip(*rest, close + 1);
        return parse_ranges(arena, inside, ret, err);
    }
    if (!is_alphanumeric(c) && (first || c != '-'))
        return error_set(err, ERR_INVALID, "ARCHIVE/NODELIST > invalid character: %d", (unsigned char)c);
    while (len < rest->len && (is_alphanumeric(rest->ptr[len]) || rest->ptr[len] == '-'))
        len++;
    *ret = (struct part){.text = arena_copy(arena, slice_of(rest->ptr, len))};
    *rest = slice_skip(*rest, len);
    return 0;
}

static int parse_term(struct arena *arena, struct slice text, struct term *ret, struct error *err)
{
    // Between two brackets stands at most one text, and in front of the first and behind the last.
    ret->parts = ARENA_ARRAY(arena, struct part, 2 * count_bytes(text, '[') + 1);
    for (struct slice rest = text; rest.len;) {
        int rc = parse_part(arena, &rest, ret->count == 0, &ret->parts[ret->count], err);

        if (rc < 0)
            return rc;
        ret->count++;
    }
    return 0;
}

// The end of the term at the start of text: its first comma outside brackets, or the end. -1: a bracket stays
// open.
static ptrdiff_t term_length(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ',')
            return (ptrdiff_t)i;
        if (text.ptr[i] != '[')
            continue;
        ptrdiff_t close = slice_find_byte(slice_skip(text, i), ']');
        if (close < 0)
            return -1;
        i += (size_t)close;
    }
    return (ptrdiff_t)text.len;
}

static int parse_terms(struct hostlist *list, struct slice text, struct error *err)
{
    list->terms = ARENA_ARRAY(list->arena, struct term, count_bytes(text, ',') + 1);
    while (text.len) { // so a comma at the end adds nothing
        ptrdiff_t len = term_length(text);

        if (len < 0)
            return error_set(err, ERR_INVALID, "ARCHIVE/NODELIST > unclosed '['");
        int rc = parse_term(list->arena, slice_of(text.ptr, (size_t)len), &list->terms[list->count++], err);
        if (rc < 0)
            return rc;
        text = slice_skip(text, (size_t)len + 1);
    }
    return 0;
}

int hostlist_parse(struct slice text, struct hostlist **ret_list, struct error *err)
{
    struct hostlist *list = NEW(struct hostlist);

    list->arena = arena_new(SIZE_MAX);
    int rc = parse_terms(list, text, err);
    if (rc < 0) {
        hostlist_free(&list);
        return rc;
    }
    *ret_list = list;
    return 0;
}

void hostlist_free(struct hostlist **list)
{
    if (!*list)
        return;
    arena_free(&(*list)->arena);
    mem_free(*list);
    *list = NULL;
}

// ---- matching ---------------------------------------------------------------------------------------------

static bool range_contains(const struct range *range, struct slice digits)
{
    uint64_t number;

    return digits.len >= range->width &&
           strnum_parse_u64(slice_of(digits.ptr, range->width), &number, NULL) == 0 &&
           number >= range->first && number <= range->last;
}

// Marks in 'next' where the part can end when it starts at 'at'.
static void match_part(const struct part *part, struct slice host, size_t at, bool *next)
{
    struct slice rest = slice_skip(host, at);

    if (part->range_count == 0 && slice_starts_with(rest, part->text))
        next[at + part->text.len] = true;
    for (size_t i = 0; i < part->range_count; i++)
        if (range_contains(&part->ranges[i], rest))
            next[at + part->ranges[i].width] = true;
}

static bool term_contains(const struct term *term, struct slice host)
{
    bool reached[HOST_NAME_BYTES + 1] = {true};

    if (term->count == 0)
        return false;
    for (size_t p = 0; p < term->count; p++) {
        bool next[HOST_NAME_BYTES + 1] = {false};

        for (size_t at = 0; at <= host.len; at++)
            if (reached[at])
                match_part(&term->parts[p], host, at, next);
        memcpy(reached, next, sizeof(reached));
    }
    return reached[host.len];
}

bool hostlist_contains(const struct hostlist *list, struct slice host)
{
    if (host.len > HOST_NAME_BYTES)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (term_contains(&list->terms[i], host))
            return true;
    return false;
}

// ---- expansion --------------------------------------------------------------------------------------------

// Products and sums stop at SIZE_MAX: nobody needs the difference.
static size_t multiply(size_t a, size_t b)
{
    size_t product;

    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static size_t add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t part_count(const struct part *part)
{
    size_t count = part->range_count == 0;

    for (size_t i = 0; i < part->range_count; i++) {
        const struct range *range = &part->ranges[i];

        if (range->last >= range->first)
            count = add(count, (size_t)(range->last - range->first + 1));
    }
    return count;
}

static size_t term_count(const struct term *term)
{
    size_t count = term->count > 0;

    for (size_t i = 0; i < term->count; i++)
        count = multiply(count, part_count(&term->parts[i]));
    return count;
}

size_t hostlist_count(const struct hostlist *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count = add(count, term_count(&list->terms[i]));
    return count;
}

// Appends alternative number 'index' of the part.
static void append_part(struct buf *name, const struct part *part, uint64_t index)
{
    if (part->range_count == 0) {
        buf_append_slice(name, part->text);
        return;
    }
    for (const struct range *range = part->ranges;; range++) {
        uint64_t size = range->last >= range->first ? range->last - range->first + 1 : 0;

        if (index < size) {
            buf_printf(name, "%0*llu", (int)range->width, (unsigned long long)(range->first + index));
            return;
        }
        index -= size;
    }
}

// Name number 'index' of the term: the digits of the index, in a number system whose bases are the sizes of
// the parts, choose the alternatives; the last part varies fastest.
static char *term_name(const struct term *term, size_t index, size_t count, struct buf *name)
{
    buf_clear(name);
    for (size_t p = 0; p < term->count; p++) {
        count /= part_count(&term->parts[p]);
        append_part(name, &term->parts[p], index / count);
        index %= count;
    }
    return mem_strdup(buf_cstr(name));
}

int hostlist_expand(const struct hostlist *list, char ***ret_names, size_t *ret_count, struct error *err)
{
    size_t total = hostlist_count(list), used = 0;
    struct buf name;

    if (total > HOSTLIST_EXPAND_MAX)
        return error_set(err, ERR_LIMIT, "node list has more than %d hosts", HOSTLIST_EXPAND_MAX);
    char **names = NEW_ARRAY(char *, total);
    buf_init(&name, BUF_MAX_DEFAULT);
    for (size_t t = 0; t < list->count; t++) {
        size_t count = term_count(&list->terms[t]);

        for (size_t i = 0; i < count; i++)
            names[used++] = term_name(&list->terms[t], i, count, &name);
    }
    buf_release(&name);
    *ret_names = names;
    *ret_count = used;
    return 0;
}

void hostlist_names_free(char ***names, size_t count)
{
    if (!*names)
        return;
    for (size_t i = 0; i < count; i++)
        mem_free((*names)[i]);
    mem_free(*names);
    *names = NULL;
}
