// SPDX-License-Identifier: MIT
// Borrowed text: pointer and length, not terminated, passed by value. The bytes belong to somebody else and
// must outlive the slice. C strings are used only at libc's door.
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE_LITERAL(text)                                                                                  \
    ((struct slice){.ptr = (text), .len = sizeof(text) - 1}) // for string literals only
#define SLICE_EMPTY ((struct slice){.ptr = "", .len = 0})
// For printf: printf("%.*s", SLICE_FMT(s))
#define SLICE_FMT(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const char *ptr, size_t len)
{
    return (struct slice){.ptr = ptr, .len = len};
}
static inline struct slice slice_from_cstr(const char *text) // NULL gives the empty slice
{
    return text ? slice_of(text, strlen(text)) : SLICE_EMPTY;
}
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool slice_eq_cstr(struct slice a, const char *b)
{
    return slice_eq(a, slice_from_cstr(b));
}

int slice_cmp(struct slice a, struct slice b);             // bytewise, as strcmp
bool slice_eq_ignore_case(struct slice a, struct slice b); // ASCII only
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);
bool slice_contains(struct slice s, struct slice needle);
ptrdiff_t slice_find_byte(struct slice s, char c);         // index or -1
ptrdiff_t slice_find(struct slice s, struct slice needle); // index or -1
struct slice slice_trim(struct slice s);                   // blanks, tabs, CR, LF at both ends
struct slice slice_skip(struct slice s, size_t count);     // count is clamped to the length
// Cuts *rest at the first 'sep': returns what stands before it, *rest becomes what stands behind it
// (empty with ptr NULL when there was no separator). Iterate while rest->ptr != NULL.
struct slice slice_split(struct slice *rest, char sep);
char *slice_to_cstr(struct slice s); // heap copy, terminated; caller frees
uint64_t slice_hash(struct slice s); // fast, not for untrusted large tables without a seed; FNV/wyhash style
// The same with a secret seed: for tables whose keys come from outside (hashmap.h and intern.h use it).
uint64_t slice_hash_seeded(struct slice s, uint64_t seed);
bool slice_is_utf8(struct slice s);

#endif
