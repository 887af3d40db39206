// SPDX-License-Identifier: MIT
// Go duration strings: optional sign, one or more <decimal><unit>, units ns us µs ms s m h; "0" needs no unit.
// Grammar and limits: Go's time.ParseDuration (int64 nanoseconds).
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

// Error texts are those of Go: time: invalid duration "x", time: missing unit in duration "48", ...
int duration_parse(struct slice text, int64_t *ret_ns, struct error *err) MUST_CHECK;
// As Go's Duration.String: "1h30m0s", "1.5s", "2ms", "0s". text needs 40 bytes; returns text.
char *duration_format(int64_t ns, char *text, size_t size);

#endif
