// SPDX-License-Identifier: MIT
#include "run/options.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cmdline.h"
#include "base/duration.h"
#include "base/strnum.h"

#define DEFAULT_URL "http://127.0.0.1:8080"

#define TEXT(flag, field, help)                                                                              \
    {                                                                                                        \
        flag, CMDLINE_STRING, offsetof(struct run_options, field), "", help                                  \
    }

static const struct cmdline_flag flags[] = {
    TEXT("cluster", cluster, "Cluster this machine belongs to (default $CC_CLUSTER)"),
    TEXT("host", host, "Name of this machine in the metric store (default: its short host name)"),
    {"job-id", CMDLINE_INT, offsetof(struct run_options, job_id), "0",
     "Number of the job (default: made from the time)"},
    TEXT("name", name, "Name of the job (default: the command's name)"),
    TEXT("partition", partition, "Partition of the job"),
    TEXT("project", project, "Project of the job (default: your group)"),
    {"quiet", CMDLINE_BOOL, offsetof(struct run_options, quiet), "false",
     "Say nothing unless something goes wrong"},
    TEXT("tag", tag, "`type:name` of a tag, or several with commas"),
    TEXT("token", token, "Token for the backend, better given as $CC_TOKEN"),
    TEXT("url", url, "Address of the backend (default $CC_URL, else " DEFAULT_URL ")"),
    TEXT("user", user, "User of the job (default: your login name)"),
    {"version", CMDLINE_BOOL, offsetof(struct run_options, version), "false", "Show the version and exit"},
    TEXT("walltime", walltime, "Time `limit`, such as 1h30m or 5400 seconds; then the command is ended"),
    {0},
};

static void from_environment(const char **option, const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);

    if (!**option)
        *option = value && *value ? value : otherwise;
}

int run_parse_walltime(const char *text, int64_t *ret_s, struct error *err)
{
    struct slice s = slice_from_cstr(text);
    int64_t seconds = 0, ns = 0;

    if (s.len && strnum_parse_i64(s, &seconds, NULL) < 0) {
        int rc = duration_parse(s, &ns, err);

        if (rc < 0)
            return rc;
        seconds = ns / NS_PER_S + (ns % NS_PER_S > 0);
    }
    if (seconds < 0 || ns < 0 || seconds > INT64_MAX / NS_PER_S / 2)
        return error_set(err, ERR_INVALID, "time limit '%s' is out of range", text);
    *ret_s = seconds;
    return 0;
}

static int complain(const char *text)
{
    fprintf(stderr, "cc-run: %s\n", text);
    return 2;
}

static int check(const struct run_options *options, bool has_command)
{
    struct error err = ERROR_INIT;
    int64_t seconds;

    if (!has_command)
        return complain("no command given: cc-run [options] -- command [arguments]");
    if (!*options->cluster)
        return complain("no cluster given: use -cluster or set CC_CLUSTER");
    if (options->job_id < 0)
        return complain("-job-id must not be negative");
    if (run_parse_walltime(options->walltime, &seconds, &err) < 0) {
        fprintf(stderr, "cc-run: -walltime: %s\n", err.text);
        return 2;
    }
    return -1;
}

int run_options_parse(int argc, char **argv, struct run_options *ret, int *ret_rest)
{
    switch (cmdline_parse(flags, ret, argc, argv, stderr, ret_rest)) {
    case CMDLINE_HELP:
        return 0;
    case CMDLINE_ERROR:
        return 2;
    case CMDLINE_OK:
        break;
    }
    if (ret->version) {
        printf("cc-run %s\n", CC_VERSION);
        return 0;
    }
    from_environment(&ret->url, "CC_URL", DEFAULT_URL);
    from_environment(&ret->token, "CC_TOKEN", "");
    from_environment(&ret->cluster, "CC_CLUSTER", "");
    return check(ret, *ret_rest < argc);
}
