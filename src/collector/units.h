// SPDX-License-Identifier: MIT
// Unit texts such as "kB", "GFlops/s", "degC": prefix + measure + optional "/" measure. Tables and parsing
// rules: spec messages.md 5.1-5.4. Other than there, a measure must be the whole word ("foobar" is no Flops).
// Pure functions.
#ifndef COLLECTOR_UNITS_H
#define COLLECTOR_UNITS_H

#include <stdbool.h>

#include "base/slice.h"

struct unit_prefix; // entry of the prefix table
struct unit_measure;

struct unit {
    const struct unit_prefix *prefix;
    const struct unit_measure *measure;
    const struct unit_measure *denominator; // NULL: none
};

#define UNIT_TEXT_SIZE 32

bool unit_parse(struct slice text, struct unit *ret);
// The short form, terminated; text has UNIT_TEXT_SIZE bytes. Returns text.
char *unit_format_short(const struct unit *unit, char *text);
// A target prefix as configured: "" "K" "M" "Gi" "u" ...; NULL when it is none.
const struct unit_prefix *unit_prefix_parse(struct slice text);
// What a value in 'from' is multiplied with to be in the same measure with prefix 'to'.
double unit_prefix_factor(const struct unit_prefix *from, const struct unit_prefix *to);
// Micro and Nano exist as targets only: a unit that has them is not converted again.
bool unit_prefix_is_target_only(const struct unit_prefix *prefix);

#endif
