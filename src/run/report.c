// SPDX-License-Identifier: MIT
#include "run/report.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "net/http-client.h"

#define STOP_TRIES      3
#define NEXT_ID_TRIES   5
#define PAUSE_NS        (500 * NS_PER_MS) // doubled after every try
#define REPLY_MAX_BYTES ((size_t)1 << 20)

struct run_report {
    struct http_client *client;
    const char *url, *token;
    bool quiet;
    enum run_record record;
    bool start_unclear; // a start may have arrived although no good answer came
};

struct run_report *run_report_new(const char *url, const char *token, bool quiet)
{
    struct run_report *report = NEW(struct run_report);
    struct http_client_options options = {
        .connect_timeout_ms = 3000, .timeout_ms = 10000, .user_agent = "cc-run/" CC_VERSION};

    report->client = http_client_new(&options);
    report->url = url;
    report->token = token;
    report->quiet = quiet;
    return report;
}

void run_report_free(struct run_report **report)
{
    if (!*report)
        return;
    http_client_free(&(*report)->client);
    mem_free(*report);
    *report = NULL;
}

static void append_url(const struct run_report *report, const char *path, struct buf *out)
{
    struct slice base = slice_from_cstr(report->url);

    while (slice_ends_with(base, SLICE_LITERAL("/")))
        base.len--;
    buf_append_slice(out, base);
    buf_append_cstr(out, path);
}

// The backend's own words, from {"error": "..."}, else the start of what it said.
static void append_reason(struct slice body, struct buf *out)
{
    struct json_doc *doc = NULL;
    struct slice reason = SLICE_EMPTY;

    if (json_parse(body, &doc, NULL) == 0)
        reason = json_string(json_get(json_root(doc), "error"));
    if (reason.len == 0)
        reason = slice_trim(body);
    if (reason.len) {
        buf_append_cstr(out, ": ");
        buf_append_slice(out, slice_of(reason.ptr, MIN(reason.len, 300)));
    }
    json_doc_free(&doc);
}

// One exchange: the status of the answer, or 0 when none came; what was wrong goes to *problem.
static int post(struct run_report *report, const char *path, struct slice body, struct buf *problem)
{
    struct error err = ERROR_INIT;
    struct http_client_reply reply;
    struct buf url, header;
    int status = 0;

    buf_clear(problem);
    buf_init(&url, 65536);
    buf_init(&header, 65536);
    append_url(report, path, &url);
    buf_printf(&header, "X-Auth-Token: %s", report->token);
    const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
                             *report->token ? buf_cstr(&header) : NULL, NULL};
    struct http_client_request request = {
        .method = "POST", .url = buf_cstr(&url), .body = body, .headers = headers};
    if (http_client_do(report->client, &request, REPLY_MAX_BYTES, &reply, &err) == 0) {
        status = reply.status;
        buf_printf(problem, "status %d", status);
        append_reason(buf_slice(&reply.body), problem);
        http_client_reply_release(&reply);
    } else {
        buf_append_cstr(problem, err.text);
    }
    buf_release(&header);
    buf_release(&url);
    return status;
}

static void good_news(const struct run_report *report, const struct run_job *job, const char *what)
{
    if (!report->quiet)
        fprintf(stderr, "cc-run: job %lld: %s (%s)\n", (long long)job->job_id, what, report->url);
}

static void bad_news(const struct run_job *job, const char *what, struct buf *problem)
{
    fprintf(stderr, "cc-run: job %lld: %s: %s\n", (long long)job->job_id, what, buf_cstr(problem));
}

static int post_start(struct run_report *report, const struct run_job *job, struct buf *problem)
{
    struct buf body;

    buf_init(&body, BUF_MAX_DEFAULT);
    run_job_start_body(job, &body);
    int status = post(report, "/api/jobs/start_job/", buf_slice(&body), problem);
    buf_release(&body);
    return status;
}

// One try. 'derived_id': a job number that is taken is replaced by the next one.
static void try_start(struct run_report *report, struct run_job *job, bool derived_id,
                      const char *unreachable)
{
    struct buf problem;

    buf_init(&problem, 65536);
    int status = post_start(report, job, &problem);
    for (int i = 0; i < NEXT_ID_TRIES && status == 422 && derived_id && !report->start_unclear; i++) {
        job->job_id++; // somebody started in the same millisecond
        status = post_start(report, job, &problem);
    }
    if (status == 200 || status == 201 || (status == 422 && report->start_unclear)) {
        report->record = RUN_RECORD_DONE;
        good_news(report, job, "monitored");
    } else if (status == 0 || status >= 500) {
        report->start_unclear = true;
        bad_news(job, unreachable, &problem);
    } else {
        report->record = RUN_RECORD_REFUSED;
        bad_news(job, "refused by the backend, the command runs all the same", &problem);
    }
    buf_release(&problem);
}

void run_report_start(struct run_report *report, struct run_job *job, bool derived_id)
{
    try_start(report, job, derived_id, "cannot tell the backend, the command runs all the same");
}

// The token is a secret and stays out of the line.
static void say_how_to_stop(const struct run_report *report, struct buf *body)
{
    struct buf url;

    buf_init(&url, 65536);
    append_url(report, "/api/jobs/stop_job/", &url);
    fprintf(stderr,
            "cc-run: to tell it by hand: curl -X POST -H 'Content-Type: application/json'%s -d '%s' '%s'\n",
            *report->token ? " -H \"X-Auth-Token: $CC_TOKEN\"" : "", buf_cstr(body), buf_cstr(&url));
    buf_release(&url);
}

static void stop_recorded(struct run_report *report, const struct run_job *job, const char *state,
                          int64_t stop_s)
{
    struct buf body, problem;
    int64_t pause_ns = PAUSE_NS;
    int status = 0;

    buf_init(&body, 65536);
    buf_init(&problem, 65536);
    run_job_stop_body(job, state, stop_s, &body);
    for (int i = 0; i < STOP_TRIES && (status == 0 || status >= 500); i++, pause_ns *= 2) {
        if (i > 0)
            clock_sleep_ns(pause_ns);
        status = post(report, "/api/jobs/stop_job/", buf_slice(&body), &problem);
    }
    if (status == 200) {
        good_news(report, job, state);
    } else {
        bad_news(job, "its end could not be told to the backend", &problem);
        say_how_to_stop(report, &body);
    }
    buf_release(&problem);
    buf_release(&body);
}

void run_report_stop(struct run_report *report, struct run_job *job, const char *state, int64_t stop_s)
{
    if (report->record == RUN_RECORD_NONE)
        try_start(report, job, false, "not recorded");
    if (report->record == RUN_RECORD_DONE)
        stop_recorded(report, job, state, stop_s);
}
