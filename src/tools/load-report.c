// SPDX-License-Identifier: MIT
#include "tools/load-report.h"

#include "base/arena.h"
#include "base/mem.h"
#include "codec/json-writer.h"
#include "net/http-client.h"

#define REPLY_MAX ((size_t)1 << 20)

struct load_reporter {
    const struct load_plan *plan;
    const char *url, *token;
    struct http_client *client;
    struct load_reported reported;
};

struct load_reporter *load_reporter_new(const struct load_plan *plan, const char *url, const char *token)
{
    struct load_reporter *reporter = NEW(struct load_reporter);

    reporter->plan = plan;
    reporter->url = url;
    reporter->token = token;
    reporter->client = http_client_new(&(struct http_client_options){.timeout_ms = 30000});
    return reporter;
}

void load_reporter_free(struct load_reporter **reporter)
{
    if (!*reporter)
        return;
    http_client_free(&(*reporter)->client);
    mem_free(*reporter);
    *reporter = NULL;
}

static void write_member(struct json_writer *w, const char *key, const char *text)
{
    json_write_key(w, key);
    json_write_cstr(w, text);
}

static void write_int_member(struct json_writer *w, const char *key, int64_t value)
{
    json_write_key(w, key);
    json_write_int(w, value);
}

static void write_resources(struct json_writer *w, const struct load_plan *plan, const struct load_job *job)
{
    json_write_key(w, "resources");
    json_write_array_begin(w);
    for (size_t i = 0; i < job->node_count; i++) {
        json_write_object_begin(w);
        write_member(w, "hostname", load_node_name(plan, job->first_node + i));
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

void load_print_start(const struct load_plan *plan, const struct load_job *job, struct buf *out)
{
    struct json_writer w;
    char user[16], project[16];

    (void)snprintf(user, sizeof(user), "sim%02d", job->user);
    (void)snprintf(project, sizeof(project), "simproj%d", job->user % 4);
    json_writer_init(&w, out);
    json_write_object_begin(&w);
    write_int_member(&w, "jobId", job->id);
    write_member(&w, "user", user);
    write_member(&w, "project", project);
    write_member(&w, "cluster", plan->options.cluster);
    write_member(&w, "subCluster", "simulated");
    write_member(&w, "partition", job->node_count > 1 ? "multinode" : "singlenode");
    write_member(&w, "shared", "none");
    write_int_member(&w, "numNodes", (int64_t)job->node_count);
    write_int_member(&w, "numHwthreads", (int64_t)job->node_count * plan->options.hwthreads);
    write_int_member(&w, "numAcc", (int64_t)job->node_count * plan->options.accelerators);
    write_int_member(&w, "smt", plan->options.smt);
    write_int_member(&w, "startTime", job->start_s);
    write_int_member(&w, "walltime", job->walltime_s);
    write_resources(&w, plan, job);
    json_write_key(&w, "metaData");
    json_write_object_begin(&w);
    write_member(&w, "jobName", job->profile->name);
    write_member(&w, "message", "simulated by cc-load-generator");
    json_write_object_end(&w);
    json_write_object_end(&w);
}

static void print_stop(const struct load_plan *plan, const struct load_job *job, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    write_int_member(&w, "jobId", job->id);
    write_member(&w, "cluster", plan->options.cluster);
    write_int_member(&w, "startTime", job->start_s);
    write_int_member(&w, "stopTime", job->stop_s);
    write_member(&w, "jobState", job->state);
    json_write_object_end(&w);
}

// Counts the answer: true when the backend did what was asked.
static bool post(struct load_reporter *reporter, const char *what, struct slice body, int wanted)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    const char *headers[] = {arena_printf(arena, "Authorization: Bearer %s", reporter->token), NULL};
    struct http_client_request request = {.method = "POST",
                                          .url = arena_printf(arena, "%s/api/jobs/%s/", reporter->url, what),
                                          .body = body,
                                          .headers = *reporter->token ? headers : NULL};
    struct http_client_reply reply = {0};
    struct error err = ERROR_INIT;

    int rc = http_client_do(reporter->client, &request, REPLY_MAX, &reply, &err);
    int status = rc < 0 ? 0 : reply.status;
    if (rc == 0 && status != wanted && status != 422)
        rc = error_set(&err, ERR_IO, "%s: status %d: %.*s", what, status,
                       (int)MIN(reply.body.len, (size_t)200), reply.body.ptr ? reply.body.ptr : "");
    if (status)
        http_client_reply_release(&reply);
    arena_free(&arena);
    reporter->reported.known += status == 422;
    if (rc < 0) {
        reporter->reported.failed++;
        if (reporter->reported.first_failure.code == ERR_NONE)
            reporter->reported.first_failure = err;
    }
    return status == wanted;
}

void load_report_starts(struct load_reporter *reporter, int64_t from, int64_t to)
{
    struct buf body;
    size_t count;
    struct load_job *jobs = load_jobs_between(reporter->plan->jobs, from, to, false, &count);

    buf_init(&body, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&body);
        load_print_start(reporter->plan, &jobs[i], &body);
        reporter->reported.started += post(reporter, "start_job", buf_slice(&body), 201);
    }
    buf_release(&body);
    mem_free(jobs);
}

void load_report_stops(struct load_reporter *reporter, int64_t since, int64_t from, int64_t to)
{
    struct buf body;
    size_t count;
    struct load_job *jobs = load_jobs_between(reporter->plan->jobs, from, to, true, &count);

    buf_init(&body, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].start_s < since)
            continue;
        buf_clear(&body);
        print_stop(reporter->plan, &jobs[i], &body);
        reporter->reported.stopped += post(reporter, "stop_job", buf_slice(&body), 200);
    }
    buf_release(&body);
    mem_free(jobs);
}

void load_reporter_sum(const struct load_reporter *reporter, struct load_reported *ret)
{
    *ret = reporter->reported;
}
