// SPDX-License-Identifier: MIT
#include "base/slice.h"

#include "base/mem.h"

int slice_cmp(struct slice a, struct slice b)
{
    size_t common = MIN(a.len, b.len);
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool slice_eq_ignore_case(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_of(s.ptr, prefix.len), prefix);
}

bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_skip(s, s.len - suffix.len), suffix);
}

bool slice_contains(struct slice s, struct slice needle)
{
    return slice_find(s, needle) >= 0;
}

ptrdiff_t slice_find_byte(struct slice s, char c)
{
    const char *found = s.len ? memchr(s.ptr, c, s.len) : NULL;

    return found ? found - s.ptr : -1;
}

ptrdiff_t slice_find(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;
    const char *found = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return found ? found - s.ptr : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_skip(struct slice s, size_t count)
{
    if (count > s.len)
        count = s.len;
    return count ? slice_of(s.ptr + count, s.len - count) : s;
}

struct slice slice_split(struct slice *rest, char sep)
{
    ptrdiff_t at = slice_find_byte(*rest, sep);
    struct slice head = *rest;

    if (at < 0) {
        *rest = slice_of(NULL, 0);
        return head;
    }
    head.len = (size_t)at;
    *rest = slice_skip(*rest, (size_t)at + 1);
    return head;
}

char *slice_to_cstr(struct slice s)
{
    return mem_strndup(s.ptr, s.len);
}

// A 64 x 64 bit multiplication whose halves are folded together mixes all bits of both operands into all bits
// of the result. The constants are odd and look random: digits of pi, as in Blowfish's tables.
#define HASH_SEED UINT64_C(0x243f6a8885a308d3)
#define HASH_STEP UINT64_C(0x13198a2e03707345)
#define HASH_LAST UINT64_C(0xa4093822299f31d1)

static inline uint64_t fold_multiply(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load_up_to_8(const char *bytes, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, bytes, len);
    return word;
}

uint64_t slice_hash_seeded(struct slice s, uint64_t seed)
{
    uint64_t h = seed ^ HASH_SEED;
    const char *at = s.ptr;
    size_t left = s.len;

    for (; left > 8; at += 8, left -= 8)
        h = fold_multiply(h ^ load_up_to_8(at, 8), HASH_STEP ^ seed);
    if (left)
        h = fold_multiply(h ^ load_up_to_8(at, left), HASH_STEP ^ seed);
    return fold_multiply(h ^ s.len, HASH_LAST);
}

uint64_t slice_hash(struct slice s)
{
    return slice_hash_seeded(s, 0);
}

// Length of the well-formed sequence at the start of s, or 0 (Unicode 15, table 3-7).
static size_t utf8_sequence(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (s.len < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

bool slice_is_utf8(struct slice s)
{
    while (s.len) {
        size_t len = utf8_sequence(s);

        if (len == 0)
            return false;
        s = slice_skip(s, len);
    }
    return true;
}
