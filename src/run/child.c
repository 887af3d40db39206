// SPDX-License-Identifier: MIT
#include "run/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/process.h"

// As the batch systems: time to end in peace after the time limit.
#define KILL_AFTER_S INT64_C(30)

static const int forwarded_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP};

int run_child_prepare(struct run_child *ret, struct error *err)
{
    int signals[ARRAY_LEN(forwarded_signals) + 2];

    memcpy(signals, forwarded_signals, sizeof(forwarded_signals));
    signals[ARRAY_LEN(forwarded_signals)] = SIGCHLD;
    signals[ARRAY_LEN(forwarded_signals) + 1] = SIGTTOU; // or taking the terminal back would stop us
    *ret = (struct run_child){.signal_fd = -1};
    signal(SIGCHLD, SIG_DFL); // where it is inherited as ignored, children vanish without a status
    return process_signal_fd(signals, ARRAY_LEN(signals), &ret->signal_fd, err);
}

void run_child_release(struct run_child *child)
{
    if (child->signal_fd >= 0)
        close(child->signal_fd);
    child->signal_fd = -1;
}

int run_child_start(struct run_child *child, char *const argv[], struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, changed;

    child->terminal = tcgetpgrp(STDIN_FILENO) == getpgrp();
    sigemptyset(&none);
    sigemptyset(&changed);
    sigaddset(&changed, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    if (child->terminal)
        posix_spawn_file_actions_addtcsetpgrp_np(&actions, STDIN_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &changed);
    int rc = posix_spawnp(&child->pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == 0)
        return 0;
    if (child->terminal)
        tcsetpgrp(STDIN_FILENO, getpgrp());
    errno = rc;
    return error_set_errno(err, "cannot run '%s'", argv[0]);
}

// The command stopped, by Ctrl-Z for instance: our shell must see us stop too. When it lets us go on, so does
// the command, in front if we are.
static void stop_with_child(const struct run_child *child)
{
    tcsetpgrp(STDIN_FILENO, getpgrp());
    kill(getpid(), SIGSTOP);
    if (tcgetpgrp(STDIN_FILENO) == getpgrp())
        tcsetpgrp(STDIN_FILENO, child->pid);
    kill(-child->pid, SIGCONT);
}

// Takes what the kernel has to tell of the child; true once it has ended.
static bool reap(const struct run_child *child, struct run_outcome *outcome)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(child->pid, &status, WNOHANG | WUNTRACED)) > 0 || (pid < 0 && errno == EINTR)) {
        if (pid < 0)
            continue;
        if (WIFSTOPPED(status)) {
            if (child->terminal)
                stop_with_child(child);
            continue;
        }
        outcome->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        return true;
    }
    return false;
}

// The time limit as steps: each has a moment and a signal for the group.
struct limit {
    struct mono_time at;
    int signal; // 0: there is no limit, or nothing is left to do
};

static int wait_ms(const struct limit *limit)
{
    int64_t left_ns = mono_diff_ns(limit->at, clock_mono());

    if (limit->signal == 0)
        return -1;
    return left_ns <= 0 ? 0 : (int)MIN(left_ns / NS_PER_MS + 1, INT64_C(3600000));
}

static void enforce(const struct run_child *child, struct limit *limit, struct run_outcome *outcome)
{
    if (limit->signal == 0 || mono_diff_ns(limit->at, clock_mono()) > 0)
        return;
    outcome->timed_out = true;
    kill(-child->pid, limit->signal);
    kill(-child->pid, SIGCONT); // a stopped command could not act on it
    limit->at.ns += KILL_AFTER_S * NS_PER_S;
    limit->signal = limit->signal == SIGTERM ? SIGKILL : 0;
}

static void forward(const struct run_child *child, int number, struct run_outcome *outcome)
{
    if (number == SIGCHLD || number == SIGTTOU)
        return;
    kill(-child->pid, number);
    if (number == SIGTERM || number == SIGINT || number == SIGQUIT)
        outcome->stop_asked = true;
}

int run_child_wait(struct run_child *child, int64_t walltime_s, struct run_outcome *ret, struct error *err)
{
    struct limit limit = {.at.ns = clock_mono().ns + walltime_s * NS_PER_S,
                          .signal = walltime_s ? SIGTERM : 0};
    int rc = 0;

    *ret = (struct run_outcome){0};
    while (rc >= 0 && !reap(child, ret)) {
        int number = 0;

        rc = process_wait_signal(child->signal_fd, wait_ms(&limit), &number, err);
        if (rc > 0)
            forward(child, number, ret);
        enforce(child, &limit, ret);
    }
    if (child->terminal)
        tcsetpgrp(STDIN_FILENO, getpgrp());
    return rc < 0 ? rc : 0;
}
