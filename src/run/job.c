// SPDX-License-Identifier: MIT
#include "run/job.h"

#include <signal.h>

#include "codec/json-writer.h"

int64_t run_job_derive_id(int64_t unix_ms)
{
    return unix_ms & ((INT64_C(1) << 40) - 1);
}

// The next "type:name" of the list; false when it is none.
static bool next_tag(struct slice *rest, struct slice *ret_type, struct slice *ret_name)
{
    struct slice tag = slice_split(rest, ',');

    *ret_type = slice_split(&tag, ':');
    *ret_name = tag;
    return ret_type->len > 0 && ret_name->len > 0;
}

bool run_job_tags_valid(const char *tags)
{
    struct slice rest = slice_from_cstr(tags), type, name;

    if (rest.len == 0)
        return true;
    while (rest.ptr)
        if (!next_tag(&rest, &type, &name))
            return false;
    return true;
}

static void write_text(struct json_writer *w, const char *key, const char *text)
{
    json_write_key(w, key);
    json_write_cstr(w, text);
}

static void write_number(struct json_writer *w, const char *key, int64_t number)
{
    json_write_key(w, key);
    json_write_int(w, number);
}

static void write_tags(struct json_writer *w, const char *tags)
{
    struct slice rest = slice_from_cstr(tags), type, name;

    if (rest.len == 0)
        return;
    json_write_key(w, "tags");
    json_write_array_begin(w);
    while (rest.ptr && next_tag(&rest, &type, &name)) {
        json_write_object_begin(w);
        json_write_key(w, "type");
        json_write_string(w, type);
        json_write_key(w, "name");
        json_write_string(w, name);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_resources(struct json_writer *w, const struct run_job *job)
{
    json_write_key(w, "resources");
    json_write_array_begin(w);
    json_write_object_begin(w);
    write_text(w, "hostname", job->host);
    json_write_key(w, "hwthreads");
    json_write_array_begin(w);
    for (size_t i = 0; i < job->hwthread_count; i++)
        json_write_int(w, job->hwthreads[i]);
    json_write_array_end(w);
    json_write_object_end(w);
    json_write_array_end(w);
}

static void write_meta_data(struct json_writer *w, const struct run_job *job)
{
    struct buf line;

    buf_init(&line, BUF_MAX_DEFAULT);
    run_job_command_line(job->argv, &line);
    json_write_key(w, "metaData");
    json_write_object_begin(w);
    write_text(w, "jobName", job->name);
    json_write_key(w, "jobScript");
    json_write_string(w, buf_slice(&line));
    json_write_object_end(w);
    buf_release(&line);
}

void run_job_start_body(const struct run_job *job, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    write_text(&w, "cluster", job->cluster);
    if (*job->partition)
        write_text(&w, "partition", job->partition);
    write_text(&w, "project", job->project);
    write_text(&w, "user", job->user);
    write_text(&w, "shared", job->whole_node ? "none" : "multi_user");
    write_text(&w, "jobState", "running");
    write_tags(&w, job->tags);
    write_resources(&w, job);
    write_meta_data(&w, job);
    if (job->walltime_s)
        write_number(&w, "walltime", job->walltime_s);
    write_number(&w, "jobId", job->job_id);
    write_number(&w, "numHwthreads", (int64_t)job->hwthread_count);
    write_number(&w, "numNodes", 1);
    write_number(&w, "startTime", job->start_s);
    json_write_object_end(&w);
}

void run_job_stop_body(const struct run_job *job, const char *state, int64_t stop_s, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    write_number(&w, "jobId", job->job_id);
    write_text(&w, "cluster", job->cluster);
    write_number(&w, "startTime", job->start_s);
    write_text(&w, "jobState", state);
    write_number(&w, "stopTime", MAX(stop_s, job->start_s));
    json_write_object_end(&w);
}

static bool is_plain(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!alphanumeric && !strchr("_-./,:=+@%", c))
            return false;
    }
    return word.len > 0;
}

static void append_quoted(struct buf *out, struct slice word)
{
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '\'')
            buf_append_cstr(out, "'\\''");
        else
            buf_append_byte(out, word.ptr[i]);
    }
    buf_append_byte(out, '\'');
}

void run_job_command_line(char *const argv[], struct buf *out)
{
    for (size_t i = 0; argv[i]; i++) {
        struct slice word = slice_from_cstr(argv[i]);

        if (i > 0)
            buf_append_byte(out, ' ');
        if (is_plain(word))
            buf_append_slice(out, word);
        else
            append_quoted(out, word);
    }
}

static bool asks_to_end(int signal)
{
    return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || signal == SIGHUP;
}

const char *run_job_state(const struct run_outcome *outcome)
{
    if (outcome->timed_out)
        return "timeout";
    if (outcome->out_of_memory)
        return "out_of_memory";
    if (outcome->stop_asked || asks_to_end(outcome->signal))
        return "cancelled";
    return outcome->signal || outcome->exit_status ? "failed" : "completed";
}

int run_job_exit_code(const struct run_outcome *outcome)
{
    return outcome->signal ? 128 + outcome->signal : outcome->exit_status;
}
