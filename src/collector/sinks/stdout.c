// SPDX-License-Identifier: MIT
// Sink "stdout": line protocol with nanoseconds to standard output, standard error or the end of a file (spec
// messages.md 6.6; an existing file is appended to, not overwritten in place).
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/mem.h"
#include "collector/sinks/sinks.h"

struct stdout_options {
    struct sink_common common;
    const char *output_file;
};

struct stdout_sink {
    int fd;
    bool owns_fd;
};

static const struct setting stdout_settings[] = {
    SINK_COMMON_SETTINGS(struct stdout_options),
    {.key = "output_file",
     .type = SETTING_STRING,
     .offset = offsetof(struct stdout_options, output_file),
     .default_text = "stdout",
     .help = "stdout, stderr or a path to append to"},
    {0},
};

static int open_output(const char *name, struct stdout_sink *s, struct error *err)
{
    struct slice text = slice_from_cstr(name);
    if (text.len == 0 || slice_eq_ignore_case(text, SLICE_LITERAL("stdout"))) {
        s->fd = STDOUT_FILENO;
    } else if (slice_eq_ignore_case(text, SLICE_LITERAL("stderr"))) {
        s->fd = STDERR_FILENO;
    } else {
        s->fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        s->owns_fd = true;
        if (s->fd < 0)
            return error_set_errno(err, "open '%s'", name);
    }
    return 0;
}

static int stdout_open(const void *options, const char *name, struct sink_traits *ret_traits,
                       void **ret_state, struct error *err)
{
    (void)name;
    const struct stdout_options *o = options;
    struct stdout_sink *s = NEW(struct stdout_sink);
    int rc = open_output(o->output_file, s, err);
    if (rc < 0) {
        mem_free(s);
        return rc;
    }
    *ret_traits = (struct sink_traits){.precision = PRECISION_NS};
    *ret_state = s;
    return 0;
}

static int stdout_send(void *state, struct slice chunk, int64_t *wait_ms, struct error *err)
{
    (void)wait_ms;
    const struct stdout_sink *s = state;
    while (chunk.len) {
        ssize_t n = write(s->fd, chunk.ptr, chunk.len);
        if (n > 0) {
            chunk = slice_skip(chunk, (size_t)n);
        } else if (errno == EAGAIN) { // somebody made the shared terminal non-blocking
            struct pollfd p = {.fd = s->fd, .events = POLLOUT};
            ignore_result(poll(&p, 1, 1000)); // the next write tells
        } else if (errno != EINTR) {
            return error_set_errno(err, "cannot write");
        }
    }
    return 0;
}

static void stdout_close(void *state)
{
    struct stdout_sink *s = state;
    if (s->owns_fd)
        close(s->fd);
    mem_free(s);
}

const struct sink_ops sink_stdout_ops = {
    .type = "stdout",
    .display = "StdoutSink",
    .settings = stdout_settings,
    .options_size = sizeof(struct stdout_options),
    .open = stdout_open,
    .send = stdout_send,
    .close = stdout_close,
};
