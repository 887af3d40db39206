// SPDX-License-Identifier: MIT
// The file .env with secrets (spec backend.md 1.4 step 2): KEY=VALUE lines, optional "export ", single quotes
// (taken as they are), double quotes (\n \r \t \" \\ \$ and ${VAR} inside), unquoted values up to " #",
// comments. Variables that the environment has already win. A missing file counts as empty.
#ifndef BACKEND_ENV_FILE_H
#define BACKEND_ENV_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

struct env_pair {
    const char *key, *value;
};

// Pure: text to pairs in the order of the file; arena memory. lookup gives values for ${VAR} that the file
// itself has not set before (NULL: none). Errors name the line.
int env_parse(struct slice text, const char *(*lookup)(const char *name), struct arena *arena,
              struct env_pair **ret_pairs, size_t *ret_count, struct error *err) MUST_CHECK;
// Reads the file and puts what the environment lacks into it. Call before threads start.
int env_load(const char *path, struct error *err) MUST_CHECK;

#endif
