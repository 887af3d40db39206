// SPDX-License-Identifier: MIT
#include "collector/agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "collector/scheduler.h"
#include "collector/sinks/sinks.h"
#include "collector/sources/sources.h"

#define RUN_END_MS 2000  // how long a run may still take at the end
#define DRAIN_MS   10000 // how long the sinks may still send
#define NAME_SIZE  128

struct agent {
    const struct config *config;
    const struct agent_options *options;
    struct sink **sinks;
    size_t sink_count, sink_cap;
    struct router *router;
    struct scheduler *scheduler;
    int signal_fd;
    bool stopping;
};

// ---- set-up ------------------------------------------------------------------------------------------

static void add_sink(struct agent *a, struct slice key, const struct json_value *config)
{
    struct error err = ERROR_INIT;
    char name[NAME_SIZE];
    struct slice type = json_string(json_get_fold(config, "type"));
    const struct sink_ops *ops = sink_kind_find(type);
    if (!ops) {
        log_error("[SinkManager] SKIP %.*s unknown sink: %.*s", SLICE_FMT(key), SLICE_FMT(type));
        return;
    }
    snprintf(name, sizeof(name), "%s(%.*s)", ops->display, SLICE_FMT(key));
    ENSURE_CAPACITY(a->sinks, a->sink_cap, a->sink_count + 1);
    struct sink **at = &a->sinks[a->sink_count];
    if (sink_new(ops, name, config, a->config->sinks_origin, at, &err) < 0)
        log_error("[SinkManager] SKIP %.*s initialization failed: %s", SLICE_FMT(key), err.text);
    else
        a->sink_count++;
}

static int make_sinks(struct agent *a)
{
    for (size_t i = 0; i < json_count(a->config->sinks); i++) {
        struct slice key;
        const struct json_value *v = json_member_at(a->config->sinks, i, &key);
        add_sink(a, key, v);
    }
    if (a->sink_count)
        return 0;
    log_error("found no usable sinks");
    return ERR_INVALID;
}

static int make_router(struct agent *a)
{
    struct error err = ERROR_INIT;
    char host[NAME_SIZE];
    int rc = process_short_hostname(host, sizeof(host), &err);
    if (rc == 0)
        rc = router_new(&a->config->router, host, a->sinks, a->sink_count, &a->router, &err);
    if (rc < 0)
        log_error("[MetricRouter] %s: %s", a->config->router_origin, err.text);
    return rc;
}

static void read_agent_stats(void *ctx, struct agent_stats *ret)
{
    struct agent *a = ctx;
    scheduler_read_stats(a->scheduler, ret);
    struct router_stats router = router_read_stats(a->router);
    ret->samples = router.samples;
    for (size_t i = 0; i < a->sink_count; i++) {
        struct sink_stats sink = sink_read_stats(a->sinks[i]);
        ret->sent_messages += sink.sent_messages;
        ret->dropped_messages += sink.dropped_messages;
        ret->rejected_messages += sink.rejected_messages;
        ret->queued_messages += sink.queued_messages;
        ret->retried_batches += sink.retried_batches;
        ret->failed_batches += sink.failed_batches;
    }
}

static void add_collectors(struct agent *a)
{
    for (size_t i = 0; i < json_count(a->config->collectors); i++) {
        struct error err = ERROR_INIT;
        struct slice key;
        const struct json_value *v = json_member_at(a->config->collectors, i, &key);
        const struct source_ops *ops = source_kind_find(key);
        if (!ops)
            log_error("[CollectorManager] SKIP unknown collector %.*s", SLICE_FMT(key));
        else if (scheduler_add(a->scheduler, ops, v, a->config->collectors_origin, &err) < 0)
            log_error("[CollectorManager] Collector %.*s initialization failed: %s", SLICE_FMT(key),
                      err.text);
    }
}

static int make_scheduler(struct agent *a)
{
    struct error err = ERROR_INIT;
    const struct scheduler_options options = {.root = a->options->root,
                                              .router = a->router,
                                              .interval_ns = a->config->interval_ns,
                                              .agent_stats = read_agent_stats,
                                              .agent_ctx = a};
    int rc = scheduler_new(&options, &a->scheduler, &err);
    if (rc == 0) {
        add_collectors(a);
        rc = scheduler_start(a->scheduler, &err);
    }
    if (rc < 0)
        log_error("[CollectorManager] %s", err.text);
    return rc;
}

static int start(struct agent *a)
{
    struct error err = ERROR_INIT;
    static const int signals[] = {SIGINT, SIGTERM};
    int rc = process_signal_fd(signals, ARRAY_LEN(signals), &a->signal_fd, &err);
    if (rc < 0)
        log_error("%s", err.text);
    if (rc == 0)
        rc = make_sinks(a);
    if (rc == 0)
        rc = make_router(a);
    if (rc == 0)
        rc = make_scheduler(a);
    return rc;
}

// ---- loop --------------------------------------------------------------------------------------------

// From now on a second signal has its default action.
static void take_signal(struct agent *a)
{
    int number = 0;
    if (process_wait_signal(a->signal_fd, 0, &number, NULL) <= 0)
        return;
    a->stopping = true;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    log_info("signal %d: sending what is left", number);
}

static void loop(struct agent *a)
{
    struct pollfd fds[] = {{.fd = a->signal_fd, .events = POLLIN},
                           {.fd = scheduler_watch_fd(a->scheduler), .events = POLLIN},
                           {.fd = a->options->once ? scheduler_done_fd(a->scheduler) : -1, .events = POLLIN}};
    while (!a->stopping) {
        if (poll(fds, ARRAY_LEN(fds), -1) < 0) {
            if (errno != EINTR)
                log_error("poll: %s", strerror(errno));
            continue;
        }
        if (fds[0].revents)
            take_signal(a);
        if (fds[1].revents)
            scheduler_watch(a->scheduler);
        if (fds[2].revents)
            a->stopping = true;
    }
}

// ---- end ---------------------------------------------------------------------------------------------

// False when a sink hangs.
static bool drain(struct agent *a)
{
    bool quiet = true;
    for (size_t i = 0; i < a->sink_count; i++) {
        sink_flush(a->sinks[i]);
        sink_begin_drain(a->sinks[i], DRAIN_MS);
    }
    for (size_t i = 0; i < a->sink_count; i++)
        quiet = sink_finish_drain(a->sinks[i]) != SINK_HANGS && quiet;
    return quiet;
}

static void release(struct agent *a)
{
    scheduler_free(&a->scheduler);
    router_free(&a->router);
    for (size_t i = 0; i < a->sink_count; i++)
        sink_free(&a->sinks[i]);
    mem_free(a->sinks);
    if (a->signal_fd >= 0)
        close(a->signal_fd);
}

int agent_run(const struct config *config, const struct agent_options *options)
{
    struct agent a = {.config = config, .options = options, .signal_fd = -1};
    if (start(&a) < 0) {
        release(&a);
        return 1;
    }
    process_sd_notify("READY=1");
    if (options->started)
        options->started(options->ctx, a.router);
    loop(&a);
    process_sd_notify("STOPPING=1");
    scheduler_wait(a.scheduler, RUN_END_MS);
    bool quiet = scheduler_stop(a.scheduler);
    quiet = drain(&a) && quiet;
    struct agent_stats stats = {0};
    read_agent_stats(&a, &stats);
    log_info("end: %llu ticks, %llu skipped, %llu messages sent, %llu dropped",
             (unsigned long long)stats.ticks, (unsigned long long)stats.skipped_ticks,
             (unsigned long long)stats.sent_messages, (unsigned long long)stats.dropped_messages);
    int status = options->once && stats.sent_messages == 0 ? 1 : 0;
    if (!quiet)
        _exit(status); // a thread hangs in a source or a sink and may use all this until the very end
    release(&a);
    return status;
}
