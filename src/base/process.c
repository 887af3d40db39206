// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strnum.h"

#define STATM_MAX_BYTES   4096
#define SERVER_MMAP_BYTES (1 << 20)
#define SERVER_TRIM_BYTES (4 << 20) // for each of malloc's arenas
#define SERVER_ARENAS_MIN 2

// ---- signals ----------------------------------------------------------------------------------------------

int process_signal_fd(const int *signals, size_t count, int *ret_fd, struct error *err)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < count; i++)
        sigaddset(&set, signals[i]);
    signal(SIGPIPE, SIG_IGN);
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc != 0) {
        errno = rc;
        return error_set_errno(err, "cannot block signals");
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, "cannot make signal descriptor");
    *ret_fd = fd;
    return 0;
}

void process_prepare_server(void)
{
    struct rlimit limit;
    static const int ignored[] = {SIGUSR1, SIGUSR2, SIGALRM}; // without meaning here, and deadly by default
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            log_warn("cannot raise the limit of open files: %s", strerror(errno));
    }
    // A fixed threshold: by default it grows with the blocks that are freed, and the heap keeps them then.
    mallopt(M_MMAP_THRESHOLD, SERVER_MMAP_BYTES);
    // The memory of one answer stays for the next: giving it back and taking it again costs a fifth of a job page.
    mallopt(M_TRIM_THRESHOLD, SERVER_TRIM_BYTES);
    // By default eight for each processor, and each keeps what it has for its own threads.
    mallopt(M_ARENA_MAX, (int)MAX(sysconf(_SC_NPROCESSORS_ONLN), SERVER_ARENAS_MIN));
}

static int remaining_ms(struct mono_time deadline)
{
    int64_t left_ns = mono_diff_ns(deadline, clock_mono());

    if (left_ns <= 0)
        return 0;
    return (int)MIN((left_ns + NS_PER_MS - 1) / NS_PER_MS, (int64_t)1000000000);
}

static struct mono_time deadline_in_ms(int64_t ms)
{
    return (struct mono_time){.ns = clock_mono().ns + ms * NS_PER_MS};
}

int process_wait_signal(int signal_fd, int timeout_ms, int *ret_signal, struct error *err)
{
    struct mono_time deadline = deadline_in_ms(MAX(timeout_ms, 0));

    for (;;) {
        struct pollfd poll_fd = {.fd = signal_fd, .events = POLLIN};
        struct signalfd_siginfo info;
        int rc = poll(&poll_fd, 1, timeout_ms < 0 ? -1 : remaining_ms(deadline));

        if (rc < 0 && errno != EINTR)
            return error_set_errno(err, "cannot wait for signals");
        if (rc == 0)
            return 0;
        ssize_t n = rc > 0 ? read(signal_fd, &info, sizeof(info)) : -1;
        if (n == (ssize_t)sizeof(info)) {
            *ret_signal = (int)info.ssi_signo;
            return 1;
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return error_set_errno(err, "cannot read signals");
    }
}

// ---- child processes --------------------------------------------------------------------------------------

struct child {
    pid_t pid;
    int pid_fd, out_fd;
};

// A group of its own, no signal blocked or ignored, input from /dev/null, output into the pipe.
static int spawn(char *const argv[], int out_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, changed;

    sigemptyset(&none);
    sigemptyset(&changed);
    sigaddset(&changed, SIGPIPE);
    sigaddset(&changed, SIGUSR1);
    sigaddset(&changed, SIGUSR2);
    sigaddset(&changed, SIGALRM);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &changed);
    int rc = posix_spawnp(ret_pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int start_child(char *const argv[], struct child *ret, struct error *err)
{
    int pipe_fds[2];

    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return error_set_errno(err, "cannot make pipe");
    int rc = spawn(argv, pipe_fds[1], &ret->pid);
    close(pipe_fds[1]);
    if (rc != 0) {
        close(pipe_fds[0]);
        errno = rc;
        return error_set_errno(err, "cannot run '%s'", argv[0]);
    }
    ret->out_fd = pipe_fds[0];
    fcntl(ret->out_fd, F_SETFL, O_NONBLOCK);
    ret->pid_fd = pidfd_open(ret->pid, 0);
    return 0;
}

// Takes what the pipe has; output beyond the buffer's maximum is read and dropped, so that the child does not
// hang. False once the pipe has ended.
static bool drain(int fd, struct buf *out)
{
    char bytes[16384];

    for (;;) {
        ssize_t n = read(fd, bytes, sizeof(bytes));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        buf_append(out, bytes, MIN((size_t)n, out->max_bytes - out->len));
    }
}

// Until the child ends (true) or the deadline passes (false). A grandchild that keeps the pipe open does not
// count.
static bool follow_child(const struct child *child, int64_t timeout_ms, struct buf *out)
{
    struct mono_time deadline = deadline_in_ms(timeout_ms);
    bool open = true;

    for (;;) {
        struct pollfd fds[] = {{.fd = child->pid_fd, .events = POLLIN},
                               {.fd = open ? child->out_fd : -1, .events = POLLIN}};
        int rc = poll(fds, 2, remaining_ms(deadline));

        if (rc == 0)
            return false;
        if (rc > 0 && fds[1].revents)
            open = drain(child->out_fd, out);
        if (rc > 0 && fds[0].revents)
            break;
    }
    if (open)
        drain(child->out_fd, out);
    return true;
}

int process_run(char *const argv[], int64_t timeout_ms, struct buf *out, struct process_result *ret,
                struct error *err)
{
    struct child child;
    int status = 0;
    int rc = start_child(argv, &child, err);

    if (rc < 0)
        return rc;
    bool ended = child.pid_fd >= 0 && follow_child(&child, timeout_ms, out);
    if (!ended)
        kill(-child.pid, SIGKILL);
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(child.out_fd);
    if (child.pid_fd < 0)
        return error_set(err, ERR_IO, "cannot watch '%s'", argv[0]);
    close(child.pid_fd);
    *ret = (struct process_result){.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                                   .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                   .timed_out = !ended};
    return 0;
}

// ---- identity ---------------------------------------------------------------------------------------------

int process_short_hostname(char *text, size_t size, struct error *err)
{
    char name[256];

    if (gethostname(name, sizeof(name)) != 0)
        return error_set_errno(err, "cannot get host name");
    name[sizeof(name) - 1] = '\0';
    name[strcspn(name, ".")] = '\0';
    size_t len = strlen(name);
    if (len >= size)
        return error_set(err, ERR_LIMIT, "host name '%s' is too long", name);
    memcpy(text, name, len + 1);
    return 0;
}

bool process_sd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;

    if (len < 2 || len > sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return false;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') // the abstract name space starts with a zero byte
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, address_len);
    close(fd);
    return sent == (ssize_t)strlen(state);
}

bool process_sd_notifyf(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return process_sd_notify(text);
}

bool process_sd_extend_timeout(unsigned seconds, const char *status)
{
    if (!status)
        return process_sd_notifyf("EXTEND_TIMEOUT_USEC=%u000000", seconds);
    return process_sd_notifyf("EXTEND_TIMEOUT_USEC=%u000000\nSTATUS=%s", seconds, status);
}

int64_t process_sd_watchdog_ms(void)
{
    const char *usec_text = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
    uint64_t usec, pid;

    if (!usec_text || strnum_parse_u64(slice_from_cstr(usec_text), &usec, NULL) < 0 ||
        usec / 1000 > INT64_MAX)
        return 0;
    if (pid_text &&
        (strnum_parse_u64(slice_from_cstr(pid_text), &pid, NULL) < 0 || pid != (uint64_t)getpid()))
        return 0; // meant for another process of the unit
    return (int64_t)(usec / 1000);
}

static bool is_given(const char *name)
{
    return name && *name;
}

static int find_group(const char *name, gid_t *ret, struct error *err)
{
    errno = 0;
    const struct group *entry = getgrnam(name);

    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "unknown group '%s'", name);
    *ret = entry->gr_gid;
    return 0;
}

static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
    const struct passwd *entry = getpwnam(name);

    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "unknown user '%s'", name);
    *ret_uid = entry->pw_uid;
    *ret_gid = entry->pw_gid;
    return 0;
}

static int check_no_way_back(const char *user, uid_t uid, struct error *err)
{
    if (uid != 0 && setuid(0) == 0)
        return error_set(err, ERR_INTERNAL, "user '%s' can become root again", user);
    return 0;
}

// Groups first: once root is gone they cannot be changed any more. Supplementary groups are those of the user, or
// none.
static int switch_ids(const char *user, uid_t uid, gid_t gid, struct error *err)
{
    int rc = user ? initgroups(user, gid) : setgroups(1, &gid);

    if (rc != 0)
        return error_set_errno(err, "cannot set the supplementary groups");
    if (setgid(gid) != 0)
        return error_set_errno(err, "cannot become group %u", gid);
    if (!user)
        return 0;
    if (setuid(uid) != 0)
        return error_set_errno(err, "cannot become user '%s'", user);
    return check_no_way_back(user, uid, err);
}

int process_drop_privileges(const char *user, const char *group, struct error *err)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    int rc = 0;

    if (is_given(user))
        rc = find_user(user, &uid, &gid, err);
    if (rc == 0 && is_given(group))
        rc = find_group(group, &gid, err);
    if (rc < 0)
        return rc;
    if (geteuid() != 0 && uid == getuid() && gid == getgid())
        return 0; // it is so already, and an ordinary user could not set it again
    if (!is_given(user) && !is_given(group))
        return 0;
    return switch_ids(is_given(user) ? user : NULL, uid, gid, err);
}

// Second number of /proc/self/statm: resident pages (proc(5)).
uint64_t process_resident_bytes(void)
{
    struct buf text;
    uint64_t pages = 0;

    buf_init(&text, STATM_MAX_BYTES);
    if (file_read("/proc/self/statm", STATM_MAX_BYTES, &text, NULL) == 0) {
        struct slice rest = buf_slice(&text);
        (void)slice_split(&rest, ' ');
        if (strnum_parse_u64(slice_split(&rest, ' '), &pages, NULL) < 0)
            pages = 0;
    }
    buf_release(&text);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
