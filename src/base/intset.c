// SPDX-License-Identifier: MIT
#include "base/intset.h"

#include <string.h>

#include "base/mem.h"
#include "base/strnum.h"

#define LIST_MAX_MEMBERS 65536

void intset_init(struct intset *set)
{
    *set = (struct intset){0};
}

void intset_release(struct intset *set)
{
    mem_free(set->items);
    *set = (struct intset){0};
}

// Index of the first item that is not smaller than value.
static size_t lower_bound(const struct intset *set, int64_t value)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->items[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool intset_add(struct intset *set, int64_t value)
{
    size_t at = lower_bound(set, value);

    if (at < set->count && set->items[at] == value)
        return false;
    ENSURE_CAPACITY(set->items, set->cap, set->count + 1);
    memmove(&set->items[at + 1], &set->items[at], (set->count - at) * sizeof(*set->items));
    set->items[at] = value;
    set->count++;
    return true;
}

bool intset_remove(struct intset *set, int64_t value)
{
    size_t at = lower_bound(set, value);

    if (at == set->count || set->items[at] != value)
        return false;
    set->count--;
    memmove(&set->items[at], &set->items[at + 1], (set->count - at) * sizeof(*set->items));
    return true;
}

bool intset_has(const struct intset *set, int64_t value)
{
    size_t at = lower_bound(set, value);

    return at < set->count && set->items[at] == value;
}

bool intset_intersects(const struct intset *a, const struct intset *b)
{
    size_t i = 0, j = 0;

    while (i < a->count && j < b->count) {
        if (a->items[i] == b->items[j])
            return true;
        if (a->items[i] < b->items[j])
            i++;
        else
            j++;
    }
    return false;
}

void intset_add_all(struct intset *set, const struct intset *other)
{
    for (size_t i = 0; i < other->count; i++)
        intset_add(set, other->items[i]);
}

// "5" or "5-9"
static int parse_range(struct slice text, uint64_t *ret_first, uint64_t *ret_last, struct error *err)
{
    struct slice rest = text;
    int rc = strnum_parse_u64(slice_split(&rest, '-'), ret_first, err);

    if (rc < 0)
        return rc;
    *ret_last = *ret_first;
    if (rest.ptr)
        rc = strnum_parse_u64(rest, ret_last, err);
    if (rc < 0)
        return rc;
    if (*ret_last < *ret_first)
        return error_set(err, ERR_INVALID, "range runs backwards: '%.*s'", SLICE_FMT(text));
    if (*ret_last - *ret_first >= LIST_MAX_MEMBERS || *ret_last > INT64_MAX)
        return error_set(err, ERR_LIMIT, "range is too large: '%.*s'", SLICE_FMT(text));
    return 0;
}

static int parse_ranges(struct intset *set, struct slice text, struct error *err)
{
    for (struct slice rest = text; rest.ptr;) {
        uint64_t first = 0, last = 0;
        int rc = parse_range(slice_split(&rest, ','), &first, &last, err);

        if (rc < 0)
            return rc;
        for (uint64_t v = first; v <= last; v++)
            intset_add(set, (int64_t)v);
        if (set->count > LIST_MAX_MEMBERS)
            return error_set(err, ERR_LIMIT, "more than %d members", LIST_MAX_MEMBERS);
    }
    return 0;
}

int intset_parse_list(struct intset *set, struct slice text, struct error *err)
{
    struct intset parsed;

    if (slice_ends_with(text, SLICE_LITERAL("\n")))
        text.len--;
    if (text.len == 0)
        return 0; // the kernel's way to write the empty set
    intset_init(&parsed);
    int rc = parse_ranges(&parsed, text, err);
    if (rc == 0)
        intset_add_all(set, &parsed);
    intset_release(&parsed);
    return rc;
}
