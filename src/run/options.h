// SPDX-License-Identifier: MIT
// Command line and environment of cc-run.
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct run_options {
    const char *url, *token, *cluster, *host, *name, *project, *partition, *user, *tag, *walltime;
    int64_t job_id; // 0: derived from the time
    bool quiet, version;
};

// Reads the command line, then fills what was not given from the environment (CC_URL, CC_TOKEN, CC_CLUSTER).
// -1: go on, the command starts at argv[*ret_rest]; else the program ends with that status, messages and
// usage are printed.
int run_options_parse(int argc, char **argv, struct run_options *ret, int *ret_rest);

// "90" (seconds) or a duration such as "1h30m", rounded up to whole seconds; "" gives 0, which stands for no
// limit.
int run_parse_walltime(const char *text, int64_t *ret_s, struct error *err) MUST_CHECK;

#endif
