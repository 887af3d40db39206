// SPDX-License-Identifier: MIT
// Sorted set of int64 in one array, for small sets (hardware thread lists, job ids). Not thread safe.
#ifndef BASE_INTSET_H
#define BASE_INTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct intset {
    int64_t *items; // ascending, distinct
    size_t count, cap;
};

void intset_init(struct intset *set);
void intset_release(struct intset *set);
bool intset_add(struct intset *set, int64_t value); // false when it was there already
bool intset_remove(struct intset *set, int64_t value);
bool intset_has(const struct intset *set, int64_t value);
bool intset_intersects(const struct intset *a, const struct intset *b);
void intset_add_all(struct intset *set, const struct intset *other);
// Parses the kernel's list format, "0-3,8,10-11" (Documentation/admin-guide/cputopology.rst); a final newline
// is accepted. At most 65536 members.
int intset_parse_list(struct intset *set, struct slice text, struct error *err) MUST_CHECK;

#endif
