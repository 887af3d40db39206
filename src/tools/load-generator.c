// SPDX-License-Identifier: MIT
// cc-load-generator: a simulated cluster for demonstrations and benchmarks. Sends line protocol over HTTP or
// writes it to a file, tells a backend about simulated jobs, writes the description of the cluster.
// Everything it makes is labelled as simulated. The last line of standard output states what was sent.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cmdline.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "net/http-client.h"
#include "tools/load-report.h"
#include "tools/load-send.h"

struct options {
    const char *preset, *cluster, *url, *token, *backfill, *dump, *write_archive, *loglevel;
    int64_t nodes, sockets, hwthreads, smt, accelerators, interval, job_window, seed, from, to, steps,
        connections;
    bool live, jobs, shuffle, print_metrics, version;
};

#define AT(member) offsetof(struct options, member)
static const struct cmdline_flag flags[] = {
    {"accelerators", CMDLINE_INT, AT(accelerators), "0", "accelerators per node"},
    {"backfill", CMDLINE_STRING, AT(backfill), "", "send the past, such as 4h, up to now"},
    {"cluster", CMDLINE_STRING, AT(cluster), "simulated", "name of the cluster"},
    {"connections", CMDLINE_INT, AT(connections), "8", "HTTP connections, each with a thread"},
    {"dump", CMDLINE_STRING, AT(dump), "", "write the lines to this file instead of sending them"},
    {"from", CMDLINE_INT, AT(from), "0", "begin, Unix seconds"},
    {"hwthreads", CMDLINE_INT, AT(hwthreads), "0", "hardware threads per node (0: by preset)"},
    {"interval", CMDLINE_INT, AT(interval), "0", "seconds between samples (0: by preset)"},
    {"job-window", CMDLINE_INT, AT(job_window), "0",
     "a group of nodes starts at most one job in so many seconds "
     "(0: 3600)"},
    {"jobs", CMDLINE_BOOL, AT(jobs), "false", "tell the backend at -url about simulated jobs"},
    {"live", CMDLINE_BOOL, AT(live), "false", "go on in real time until a signal comes"},
    {"loglevel", CMDLINE_STRING, AT(loglevel), "warn", "debug, info, warn, err or crit"},
    {"nodes", CMDLINE_INT, AT(nodes), "0", "number of nodes (0: by preset)"},
    {"preset", CMDLINE_STRING, AT(preset), "cluster", "cluster, w1, small-batches or fresh"},
    {"print-metrics", CMDLINE_BOOL, AT(print_metrics), "false",
     "print the section 'metrics' of a store's configuration and exit"},
    {"seed", CMDLINE_INT, AT(seed), "1", "the same seed gives the same data"},
    {"shuffle", CMDLINE_BOOL, AT(shuffle), "false", "lines of a batch in random order"},
    {"smt", CMDLINE_INT, AT(smt), "0", "hardware threads per core (0: 1)"},
    {"sockets", CMDLINE_INT, AT(sockets), "0", "sockets per node (0: 2)"},
    {"steps", CMDLINE_INT, AT(steps), "0", "number of times to send (0: by -from, -backfill or the preset)"},
    {"to", CMDLINE_INT, AT(to), "0", "end, Unix seconds, not included (0: now)"},
    {"token", CMDLINE_STRING, AT(token), "", "bearer token (JSON web token)"},
    {"url", CMDLINE_STRING, AT(url), "", "base URL of a store or backend, such as http://127.0.0.1:8082"},
    {"version", CMDLINE_BOOL, AT(version), "false", "print the version and exit"},
    {"write-archive", CMDLINE_STRING, AT(write_archive), "",
     "write <directory>/<cluster>/cluster.json; exits when there is nothing to send"},
    {0},
};

struct run {
    struct options options;
    struct load_plan *plan;
    struct load_sender *sender;
    struct load_reporter *reporter; // NULL without -jobs
    int64_t from, to;               // multiples of the interval
    int signal_fd;
    atomic_bool stop; // set by the signal thread, read by the lanes
};

// ---- the span ------------------------------------------------------------------------------------

static int64_t align_down(int64_t ts, int64_t step)
{
    return ts - ts % step;
}

static int choose_span(struct run *run, int64_t now_s, struct error *err)
{
    const struct options *options = &run->options;
    int64_t interval_s = run->plan->options.interval_s, past_ns = 0;

    run->to = align_down(options->to ? options->to : now_s + interval_s, interval_s);
    if (options->from) {
        run->from = align_down(options->from, interval_s);
        if (options->steps)
            run->to = run->from + options->steps * interval_s;
    } else if (*options->backfill) {
        int rc = duration_parse(slice_from_cstr(options->backfill), &past_ns, err);
        if (rc < 0)
            return error_prefix(err, "-backfill");
        run->from = align_down(run->to - past_ns / NS_PER_S, interval_s);
    } else if (options->live && !options->steps) {
        run->from = run->to - interval_s;
    } else {
        run->from = run->to - (options->steps ? options->steps : run->plan->default_steps) * interval_s;
    }
    if (run->from < 0 || run->to < run->from || (run->to - run->from) / interval_s > INT64_C(100000000))
        return error_set(err, ERR_INVALID, "the span from %lld to %lld makes no sense", (long long)run->from,
                         (long long)run->to);
    return 0;
}

// ---- files ---------------------------------------------------------------------------------------

static int dump(struct run *run, struct load_counts *counts, struct error *err)
{
    FILE *file = fopen(run->options.dump, "we");
    struct buf body;

    if (!file)
        return error_set_errno(err, "cannot write '%s'", run->options.dump);
    buf_init(&body, BUF_MAX_DEFAULT);
    for (int64_t ts = run->from; ts < run->to; ts += run->plan->options.interval_s)
        for (size_t node = 0; node < run->plan->node_count; node++) {
            buf_clear(&body);
            load_render(run->plan, node, ts, run->options.shuffle, &body, counts);
            (void)fwrite(body.ptr, 1, body.len, file); // ferror below tells
        }
    buf_release(&body);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return error_set_errno(err, "cannot write '%s'", run->options.dump);
    return 0;
}

// version.txt belongs to the root of an archive; it is written when there is nothing yet.
static int write_version(const char *root, struct error *err)
{
    char *path = file_join(root, "version.txt"), **names = NULL;
    size_t count = 0;

    int rc = file_list(root, &names, &count, err);
    if (rc == 0 && count == 0)
        rc = io_replace_file(&io_system, path, SLICE_LITERAL("3\n"), 0644, err);
    file_list_free(&names, count);
    mem_free(path);
    return rc;
}

static int write_archive(const struct load_plan *plan, const char *root, struct error *err)
{
    char *folder = file_join(root, plan->options.cluster), *path = file_join(folder, "cluster.json");
    struct buf text;

    buf_init(&text, BUF_MAX_DEFAULT);
    load_print_cluster(plan, &text);
    int rc = io_make_dirs(&io_system, root, 0755, err);
    if (rc == 0)
        rc = write_version(root, err);
    if (rc == 0)
        rc = io_make_dirs(&io_system, folder, 0755, err);
    if (rc == 0)
        rc = io_replace_file(&io_system, path, buf_slice(&text), 0644, err);
    buf_release(&text);
    mem_free(folder);
    mem_free(path);
    return rc;
}

// ---- sending -------------------------------------------------------------------------------------

// In this order the backend finds the data of a job when it ends.
static int send_span(struct run *run, int64_t since, int64_t from, int64_t to, struct error *err)
{
    if (run->reporter)
        load_report_starts(run->reporter, from, to);
    int rc = load_send(run->sender, from, to, &run->stop, err);
    if (rc == 0 && run->reporter && !atomic_load(&run->stop))
        load_report_stops(run->reporter, since, from, to);
    return rc;
}

static void *wait_for_signal(void *arg)
{
    struct run *run = arg;
    int number = 0;

    while (!atomic_load(&run->stop) && process_wait_signal(run->signal_fd, 200, &number, NULL) == 0)
        ;
    atomic_store(&run->stop, true);
    return NULL;
}

// One interval at a time; times that were missed (the machine slept) are sent late, not left out.
static int send_live(struct run *run, struct error *err)
{
    int64_t interval_s = run->plan->options.interval_s, next = run->to;
    int rc = 0;

    while (rc == 0 && !atomic_load(&run->stop)) {
        int64_t now_s = wall_seconds(clock_wall());
        if (now_s < next) {
            clock_sleep_ns(100 * NS_PER_MS);
            continue;
        }
        int64_t until = align_down(now_s, interval_s) + interval_s;
        rc = send_span(run, run->from, next, until, err);
        next = until;
    }
    return rc;
}

static int send_all(struct run *run, struct error *err)
{
    pthread_t watcher;

    errno = pthread_create(&watcher, NULL, wait_for_signal, run);
    if (errno != 0)
        return error_set_errno(err, "cannot start a thread");
    int rc = send_span(run, run->from, run->from, run->to, err);
    if (rc == 0 && run->options.live)
        rc = send_live(run, err);
    atomic_store(&run->stop, true);
    pthread_join(watcher, NULL);
    return rc;
}

// ---- the report ----------------------------------------------------------------------------------

static void print_jobs(const struct load_reported *jobs)
{
    printf(" jobs_started=%llu jobs_stopped=%llu jobs_known=%llu jobs_failed=%llu",
           (unsigned long long)jobs->started, (unsigned long long)jobs->stopped,
           (unsigned long long)jobs->known, (unsigned long long)jobs->failed);
}

// True when everything arrived.
static bool print_report(const struct run *run, double seconds)
{
    struct load_sent sent;
    struct load_reported jobs = {0};

    load_sender_sum(run->sender, &sent);
    printf("sent: samples=%llu bytes=%llu requests=%llu retries=%llu failures=%llu lost_samples=%llu "
           "seconds=%.3f "
           "checksum=%016llx",
           (unsigned long long)sent.counts.samples, (unsigned long long)sent.counts.bytes,
           (unsigned long long)sent.requests, (unsigned long long)sent.retries,
           (unsigned long long)sent.failed_requests, (unsigned long long)sent.failed_samples, seconds,
           (unsigned long long)sent.counts.checksum);
    if (run->reporter) {
        load_reporter_sum(run->reporter, &jobs);
        print_jobs(&jobs);
    }
    (void)puts("");
    if (sent.failed_requests)
        log_error("%llu requests failed, the first one: %s", (unsigned long long)sent.failed_requests,
                  sent.first_failure.text);
    if (jobs.failed)
        log_error("%llu job events failed, the first one: %s", (unsigned long long)jobs.failed,
                  jobs.first_failure.text);
    return sent.failed_requests == 0 && jobs.failed == 0;
}

static int run_sender(struct run *run, struct error *err)
{
    static const int signals[] = {SIGINT, SIGTERM};
    const struct options *options = &run->options;
    struct load_send_options send_options = {.url = options->url,
                                             .token = options->token,
                                             .connections = options->connections,
                                             .shuffle = options->shuffle};

    int rc = process_signal_fd(signals, ARRAY_LEN(signals), &run->signal_fd, err);
    if (rc < 0)
        return rc;
    rc = http_client_global_init(err);
    if (rc < 0) {
        close(run->signal_fd);
        return rc;
    }
    run->sender = load_sender_new(run->plan, &send_options);
    if (options->jobs)
        run->reporter = load_reporter_new(run->plan, options->url, options->token);
    struct mono_time begin = clock_mono();
    rc = send_all(run, err);
    bool complete = print_report(run, (double)mono_diff_ns(clock_mono(), begin) / 1e9);
    load_sender_free(&run->sender);
    load_reporter_free(&run->reporter);
    close(run->signal_fd);
    if (rc == 0 && !complete)
        rc = error_set(err, ERR_IO, "not everything arrived at %s", options->url);
    return rc;
}

static int run_dump(struct run *run, struct error *err)
{
    struct load_counts counts = {0};

    int rc = dump(run, &counts, err);
    if (rc == 0)
        printf("written: samples=%llu bytes=%llu checksum=%016llx\n", (unsigned long long)counts.samples,
               (unsigned long long)counts.bytes, (unsigned long long)counts.checksum);
    return rc;
}

static int check_options(const struct options *options, struct error *err)
{
    if (options->connections < 1 || options->connections > 1024)
        return error_set(err, ERR_INVALID, "-connections must be 1 to 1024");
    if (*options->url && *options->dump)
        return error_set(err, ERR_INVALID, "-url and -dump exclude each other");
    if ((options->jobs || options->live) && !*options->url)
        return error_set(err, ERR_INVALID, "-jobs and -live need -url");
    if (options->jobs && strcmp(options->preset, "cluster") != 0)
        return error_set(err, ERR_INVALID, "-jobs goes with the preset 'cluster' only");
    if (options->steps < 0 || options->steps > 100000000)
        return error_set(err, ERR_INVALID, "-steps must be 0 to 100000000");
    if (!*options->url && !*options->dump && !*options->write_archive && !options->print_metrics)
        return error_set(err, ERR_INVALID,
                         "nothing to do: give -url, -dump, -write-archive or -print-metrics");
    return 0;
}

static int make_plan(const struct options *options, struct load_plan **ret_plan, struct error *err)
{
    struct load_options load = {.cluster = options->cluster,
                                .nodes = options->nodes,
                                .sockets = options->sockets,
                                .hwthreads = options->hwthreads,
                                .smt = options->smt,
                                .accelerators = options->accelerators,
                                .interval_s = options->interval,
                                .job_window_s = options->job_window,
                                .seed = (uint64_t)options->seed};

    if (!load_preset_from_name(options->preset, &load.preset))
        return error_set(err, ERR_INVALID, "unknown -preset '%s'", options->preset);
    return load_plan_new(&load, ret_plan, err);
}

static void print_metrics(const struct load_plan *plan)
{
    struct buf text;

    buf_init(&text, BUF_MAX_DEFAULT);
    load_print_metrics(plan, &text);
    (void)fwrite(text.ptr, 1, text.len, stdout);
    buf_release(&text);
}

static int generate(struct run *run, struct error *err)
{
    const struct options *options = &run->options;

    int rc = check_options(options, err);
    if (rc == 0)
        rc = make_plan(options, &run->plan, err);
    if (rc == 0)
        rc = choose_span(run, wall_seconds(clock_wall()), err);
    if (rc == 0 && *options->write_archive)
        rc = write_archive(run->plan, options->write_archive, err);
    if (rc == 0 && options->print_metrics)
        print_metrics(run->plan);
    if (rc == 0 && *options->dump)
        rc = run_dump(run, err);
    if (rc == 0 && *options->url)
        rc = run_sender(run, err);
    load_plan_free(&run->plan);
    return rc;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct error err = ERROR_INIT;
    int rest = 0;

    enum cmdline_outcome outcome = cmdline_parse(flags, &run.options, argc, argv, stderr, &rest);
    if (outcome != CMDLINE_OK)
        return outcome == CMDLINE_HELP ? 0 : 2;
    if (run.options.version) {
        printf("Version:\t%s\n", CC_VERSION);
        return 0;
    }
    log_init(run.options.loglevel, false);
    if (generate(&run, &err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    return 0;
}
