// SPDX-License-Identifier: MIT
// cc-metric-collector: reads the metrics of this node and sends them on.
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "base/cmdline.h"
#include "base/log.h"
#include "collector/agent.h"

struct options {
    const char *config, *log, *loglevel, *root;
    bool once, version, print_config, check_config, document_config;
};

static const struct cmdline_flag flags[] = {
    {"config", CMDLINE_STRING, offsetof(struct options, config), "./config.json",
     "path of the configuration file"},
    {"log", CMDLINE_STRING, offsetof(struct options, log), "stderr", "file to append the log to"},
    {"loglevel", CMDLINE_STRING, offsetof(struct options, loglevel), "info",
     "debug, info, warn, err or crit"},
    {"once", CMDLINE_BOOL, offsetof(struct options, once), "false",
     "collect once after one interval, send, end"},
    {"root", CMDLINE_STRING, offsetof(struct options, root), "",
     "folder that stands for / when reading /proc and /sys (captured machines)"},
    {"check-config", CMDLINE_BOOL, offsetof(struct options, check_config), "false",
     "check the configuration, end"},
    {"document-config", CMDLINE_BOOL, offsetof(struct options, document_config), "false",
     "describe all keys of the configuration, end"},
    {"print-config", CMDLINE_BOOL, offsetof(struct options, print_config), "false",
     "print the configuration in effect, end"},
    {"version", CMDLINE_BOOL, offsetof(struct options, version), "false", "print the version, end"},
    {0},
};

static int open_log(const struct options *o)
{
    log_init(o->loglevel, false);
    if (!*o->log || slice_eq_cstr(slice_from_cstr(o->log), "stderr"))
        return 0;
    int fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        log_error("cannot open log file '%s': %s", o->log, strerror(errno));
        return ERR_IO;
    }
    log_set_fd(fd);
    return 0;
}

static int write_out(struct buf *text)
{
    fputs(buf_cstr(text), stdout);
    buf_release(text);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int document_config(void)
{
    struct buf text;
    buf_init(&text, 16 << 20);
    config_document(&text);
    return write_out(&text);
}

static int check(const struct config *config, const struct options *o)
{
    struct buf text;
    buf_init(&text, 16 << 20);
    size_t faults = config_check(config, o->print_config ? &text : NULL);
    if (o->print_config)
        fputs(buf_cstr(&text), stdout);
    else if (faults == 0)
        printf("configuration is valid\n");
    buf_release(&text);
    if (fflush(stdout) == 0)
        return faults ? 1 : 0;
    log_error("cannot write the configuration: %s", strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    int rest;
    enum cmdline_outcome outcome = cmdline_parse(flags, &o, argc, argv, stderr, &rest);
    if (outcome != CMDLINE_OK)
        return outcome == CMDLINE_HELP ? 0 : 2;
    if (o.version) {
        printf("cc-metric-collector %s\n", CC_VERSION);
        return 0;
    }
    if (o.document_config)
        return document_config();
    // One heap for all threads: a heap per thread would cost more memory than the agent needs in all.
    mallopt(M_ARENA_MAX, 1);
    struct config config;
    if (open_log(&o) < 0 || config_load(o.config, &config) < 0)
        return 1;
    int status;
    if (o.check_config || o.print_config)
        status = check(&config, &o);
    else
        status = agent_run(&config, &(struct agent_options){.root = o.root, .once = o.once});
    config_release(&config);
    return status;
}
