// SPDX-License-Identifier: MIT
// Command lines with the syntax of Go's flag package: -x v, -x=v, --x v, --x=v; booleans -x or -x=true|false.
// Parsing stops at the first argument that is no flag, or behind "--". One table per program:
//
//     static const struct cmdline_flag flags[] = {
//         {"config", CMDLINE_STRING, offsetof(struct options, config), "./config.json", "configuration file"},
//         {"dev", CMDLINE_BOOL, offsetof(struct options, dev), "false", "serve the API explorer"},
//         {0}};
#ifndef BASE_CMDLINE_H
#define BASE_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum cmdline_type { CMDLINE_STRING, CMDLINE_BOOL, CMDLINE_INT };

struct cmdline_flag {
    const char *name;
    enum cmdline_type type;
    size_t offset;             // of a const char *, bool or int64_t in the options struct
    const char *default_value; // text, also for bool ("false") and int ("0")
    const char *help;
};

enum cmdline_outcome { CMDLINE_OK, CMDLINE_HELP, CMDLINE_ERROR };

// Fills *options (defaults first). Strings point into argv or the table. CMDLINE_HELP: -h or -help was given, usage
// was printed on 'usage_stream'; exit 0. CMDLINE_ERROR: message and usage were printed as Go does
// ("flag provided but not defined: -x"); exit 2. *ret_rest: index of the first argument behind the flags.
enum cmdline_outcome cmdline_parse(const struct cmdline_flag *flags, void *options, int argc, char **argv,
                                   FILE *usage_stream, int *ret_rest);
void cmdline_usage(const struct cmdline_flag *flags, const char *program, FILE *stream);

#endif
