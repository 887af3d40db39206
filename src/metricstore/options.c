// SPDX-License-Identifier: MIT
#include "metricstore/options.h"

#include <stddef.h>

#define AT(member) offsetof(struct metricstore_options, member)

const struct cmdline_flag metricstore_flags[] = {
    {"check-config", CMDLINE_BOOL, AT(check_config), "false", "check the configuration and exit"},
    {"cleanup-checkpoints", CMDLINE_BOOL, AT(cleanup_checkpoints), "false",
     "clean up old checkpoint files and exit"},
    {"config", CMDLINE_STRING, AT(config), "./config.json", "path of the JSON configuration"},
    {"dev", CMDLINE_BOOL, AT(dev), "false", "serve an API explorer at /swagger/, without a token"},
    {"document-config", CMDLINE_BOOL, AT(document_config), "false",
     "describe all keys of the configuration and exit"},
    {"gops", CMDLINE_BOOL, AT(gops), "false",
     "accepted for compatibility; a Go debug listener has no meaning here"},
    {"logdate", CMDLINE_BOOL, AT(logdate), "false", "put date and time in front of log lines"},
    {"loglevel", CMDLINE_STRING, AT(loglevel), "warn", "debug, info, warn, err (alias fatal) or crit"},
    {"print-config", CMDLINE_BOOL, AT(print_config), "false", "print the effective configuration and exit"},
    {"version", CMDLINE_BOOL, AT(version), "false", "print the version and exit"},
    {0},
};
