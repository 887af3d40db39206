// SPDX-License-Identifier: MIT
// -cleanup-checkpoints of cc-metric-store and cc-backend (metric-store.md 1.1, 7.8; backend.md 1.1): one pass over the files, no
// server. A server that runs does the same by itself now and then.
#ifndef STORE_CLEANUP_COMMAND_H
#define STORE_CLEANUP_COMMAND_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"
#include "store/persist-settings.h"

struct cleanup_command {
    int64_t retention_ns;
    struct checkpoints_settings checkpoints;
    struct cleanup_settings cleanup;
    // One line about what went wrong with a file; may be NULL.
    void (*report)(void *ctx, const char *text);
    void *ctx;
};

// From the section metric-store, without the checks of a start: unknown keys are ignored and an unknown mode deletes, as upstream
// does (2.2). Texts are in the arena.
int cleanup_command_load(const struct json_value *section, const char *origin, struct arena *arena,
                         struct cleanup_command *ret, struct error *err) MUST_CHECK;
// Prints upstream's result text on standard output, without newline, also when some files failed (ERR_IO).
int cleanup_command_run(const struct cleanup_command *command, struct error *err) MUST_CHECK;

#endif
