// SPDX-License-Identifier: MIT
// Conditions of message processor rules (spec messages.md 4.2-4.4), as far as they depend on the name of a
// message only:
//     true                      always
//     name == 'load_one'        this name (either kind of quotes; the text has no quotes or backslashes)
// Anything else is refused, so that no rule is silently without effect.
#ifndef COLLECTOR_CONDITION_H
#define COLLECTOR_CONDITION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

struct condition {
    bool always;
    struct slice name; // when not always
};

// Memory from the arena. An empty text is an error, as upstream.
int condition_parse(struct slice text, struct arena *arena, struct condition *ret,
                    struct error *err) MUST_CHECK;
bool condition_holds(const struct condition *condition, struct slice name);

#endif
