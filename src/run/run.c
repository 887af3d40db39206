// SPDX-License-Identifier: MIT
#include "run/run.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/process.h"
#include "net/http-client.h"
#include "run/child.h"
#include "run/machine.h"
#include "run/options.h"
#include "run/report.h"

struct run {
    struct run_options options;
    struct arena *arena;
    struct run_job job;
    struct run_child child;
    struct run_report *report;
};

static const char *or_else(const char *given, const char *otherwise)
{
    return *given ? given : otherwise;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static int fill_job(struct run *run, char **argv, struct error *err)
{
    const struct run_options *o = &run->options;
    struct run_job *job = &run->job;
    char host[256] = "";
    int *ids = NULL;
    int rc = 0;

    if (!*o->host)
        rc = process_short_hostname(host, sizeof(host), err);
    if (rc == 0)
        rc = run_machine_hwthreads(run->arena, &ids, &job->hwthread_count, &job->whole_node, err);
    if (rc == 0)
        rc = run_parse_walltime(o->walltime, &job->walltime_s, err);
    if (rc == 0 && !run_job_tags_valid(o->tag))
        rc = error_set(err, ERR_INVALID, "-tag: '%s' is not type:name", o->tag);
    if (rc < 0)
        return rc;
    job->hwthreads = ids;
    job->host = *o->host ? o->host : arena_printf(run->arena, "%s", host);
    job->cluster = o->cluster;
    job->name = or_else(o->name, base_name(argv[0]));
    job->user = or_else(o->user, run_machine_user(run->arena));
    job->project = or_else(o->project, run_machine_group(run->arena));
    job->partition = o->partition;
    job->tags = o->tag;
    job->argv = argv;
    return 0;
}

static void set_start(struct run *run)
{
    struct wall_time now = clock_wall();

    run->job.start_s = wall_seconds(now);
    run->job.job_id = run->options.job_id ? run->options.job_id : run_job_derive_id(now.ns / NS_PER_MS);
}

static void *report_start(void *arg)
{
    struct run *run = arg;

    run_report_start(run->report, &run->job, run->options.job_id == 0);
    return NULL;
}

static int complain(int status, const struct error *err)
{
    fprintf(stderr, "cc-run: %s\n", err->text);
    return status;
}

// The command is running: follow it to its end and tell the backend.
static int follow(struct run *run)
{
    int64_t oom_kills = run_machine_oom_kills("");
    struct error err = ERROR_INIT;
    struct run_outcome outcome;
    pthread_t reporter;

    bool threaded = pthread_create(&reporter, NULL, report_start, run) == 0;
    if (!threaded)
        report_start(run);
    int rc = run_child_wait(&run->child, run->job.walltime_s, &outcome, &err);
    int64_t stop_s = wall_seconds(clock_wall());
    if (threaded)
        pthread_join(reporter, NULL);
    if (rc < 0)
        return complain(1, &err);
    bool bad_end = outcome.signal || outcome.exit_status;
    outcome.out_of_memory = bad_end && oom_kills >= 0 && run_machine_oom_kills("") > oom_kills;
    run_report_stop(run->report, &run->job, run_job_state(&outcome), stop_s);
    return run_job_exit_code(&outcome);
}

static int start_and_follow(struct run *run, char **argv)
{
    struct error err = ERROR_INIT;

    if (fill_job(run, argv, &err) < 0)
        return complain(2, &err);
    if (run_child_prepare(&run->child, &err) < 0)
        return complain(1, &err);
    set_start(run);
    int rc = run_child_start(&run->child, argv, &err);
    if (rc < 0)
        return complain(rc == ERR_NOT_FOUND ? 127 : 126, &err);
    return follow(run);
}

int run_main(int argc, char **argv)
{
    struct run run = {.child.signal_fd = -1};
    struct error err = ERROR_INIT;
    int rest = 0;
    int status = run_options_parse(argc, argv, &run.options, &rest);

    if (status >= 0)
        return status;
    if (http_client_global_init(&err) < 0)
        return complain(1, &err);
    run.arena = arena_new(SIZE_MAX);
    run.report = run_report_new(run.options.url, run.options.token, run.options.quiet);
    status = start_and_follow(&run, argv + rest);
    run_report_free(&run.report);
    run_child_release(&run.child);
    arena_free(&run.arena);
    return status;
}
