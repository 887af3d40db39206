// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/testing.h"

#define LONG_MS 60000

static const char *const no_more = NULL;

static void test_run(void **state)
{
    static const struct {
        const char *script, *output;
        int exit_status, signal;
    } cases[] = {
        {"echo hello; echo unseen >&2", "hello\n", 0, 0},
        {"exit 7", "", 7, 0},
        {"kill -TERM $$", "", 0, SIGTERM},
        {"cat; echo end", "end\n", 0, 0},           // standard input is empty
        {"sleep 60 & echo early", "early\n", 0, 0}, // a grandchild that keeps the pipe open is not waited for
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *argv[] = {"sh", "-c", cases[i].script, no_more};
        struct error err = ERROR_INIT;
        struct process_result result;
        struct buf out;

        buf_init(&out, 1000);
        int rc = process_run((char *const *)argv, LONG_MS, &out, &result, &err);
        EXPECT(rc == 0, "'%s': %s", cases[i].script, err.text);
        EXPECT(result.exit_status == cases[i].exit_status && result.signal == cases[i].signal &&
                   !result.timed_out,
               "'%s': status %d, signal %d, timed out %d", cases[i].script, result.exit_status, result.signal,
               result.timed_out);
        EXPECT(strcmp(buf_cstr(&out), cases[i].output) == 0, "'%s': output '%s'", cases[i].script,
               buf_cstr(&out));
        buf_release(&out);
    }
}

static void test_run_kills_at_the_deadline(void **state)
{
    const char *argv[] = {"sh", "-c", "echo begun; trap '' TERM; sleep 60; sleep 60", no_more};
    struct process_result result;
    struct buf out;
    (void)state;

    buf_init(&out, 1000);
    assert_int_equal(process_run((char *const *)argv, 200, &out, &result, NULL), 0);
    assert_true(result.timed_out);
    assert_int_equal(result.signal, SIGKILL);
    buf_release(&out);
}

static void test_run_bounds_the_output(void **state)
{
    const char *argv[] = {"sh", "-c", "head -c 300000 /dev/zero", no_more};
    struct process_result result;
    struct buf out;
    (void)state;

    buf_init(&out, 1000);
    assert_int_equal(process_run((char *const *)argv, LONG_MS, &out, &result, NULL), 0);
    assert_int_equal(out.len, 1000);
    assert_int_equal(result.exit_status, 0);
    buf_release(&out);
}

static void test_run_without_program(void **state)
{
    const char *argv[] = {"no-such-program-anywhere", no_more};
    struct error err = ERROR_INIT;
    struct process_result result;
    struct buf out;
    (void)state;

    buf_init(&out, 10);
    assert_int_equal(process_run((char *const *)argv, LONG_MS, &out, &result, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "cannot run 'no-such-program-anywhere': No such file or directory");
    buf_release(&out);
}

static void test_signals_are_delivered(void **state)
{
    static const int signals[] = {SIGUSR1, SIGUSR2};
    int fd, got = 0;
    (void)state;

    assert_int_equal(process_signal_fd(signals, ARRAY_LEN(signals), &fd, NULL), 0);
    assert_int_equal(process_wait_signal(fd, 0, &got, NULL), 0);
    assert_int_equal(process_wait_signal(fd, 10, &got, NULL), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_int_equal(process_wait_signal(fd, -1, &got, NULL), 1);
    assert_int_equal(got, SIGUSR2);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(process_wait_signal(fd, LONG_MS, &got, NULL), 1);
    assert_int_equal(got, SIGUSR1);
    close(fd);
}

static void test_short_hostname(void **state)
{
    struct error err = ERROR_INIT;
    char text[256];
    (void)state;

    assert_int_equal(process_short_hostname(text, sizeof(text), &err), 0);
    assert_true(strlen(text) > 0);
    assert_null(strchr(text, '.'));
    assert_int_equal(process_short_hostname(text, 1, &err), ERR_LIMIT);
}

static void expect_notification(const char *env, const struct sockaddr_un *address, socklen_t len)
{
    char text[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)address, len), 0);
    setenv("NOTIFY_SOCKET", env, 1);
    assert_true(process_sd_notify("READY=1"));
    ssize_t n = recv(fd, text, sizeof(text), 0);
    assert_int_equal(n, 7);
    assert_memory_equal(text, "READY=1", 7);
    close(fd);
}

static void test_sd_notify(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/test-process-XXXXXX";
    char path[64];
    (void)state;

    unsetenv("NOTIFY_SOCKET");
    assert_false(process_sd_notify("READY=1"));
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_false(process_sd_notify("READY=1"));
    assert_non_null(mkdtemp(dir));
    int len = snprintf(path, sizeof(path), "%s/notify", dir);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_false(process_sd_notify("READY=1")); // nobody listens
    memcpy(address.sun_path, path, (size_t)len + 1);
    expect_notification(path, &address, sizeof(address));
    unlink(path);
    rmdir(dir);
    len = snprintf(path, sizeof(path), "@test-process-%d", (int)getpid());
    memset(address.sun_path, 0, sizeof(address.sun_path));
    memcpy(address.sun_path + 1, path + 1, (size_t)len - 1);
    expect_notification(path, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len));
}

static void expect_text(int fd, const char *expected)
{
    char text[2048];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void test_sd_notify_formatted(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)state;
    int len = snprintf(path, sizeof(path), "@test-process-f-%d", (int)getpid());
    memcpy(address.sun_path + 1, path + 1, (size_t)len - 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
                     0);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_true(process_sd_notifyf("STATUS=%d hosts", 7));
    expect_text(fd, "STATUS=7 hosts");
    assert_true(process_sd_extend_timeout(90, "final snapshots"));
    expect_text(fd, "EXTEND_TIMEOUT_USEC=90000000\nSTATUS=final snapshots");
    assert_true(process_sd_extend_timeout(5, NULL));
    expect_text(fd, "EXTEND_TIMEOUT_USEC=5000000");
    assert_true(process_sd_notifyf("STATUS=%2000d", 1)); // cut
    assert_int_equal(recv(fd, (char[2048]){0}, 2048, 0), 1023);
    unsetenv("NOTIFY_SOCKET");
    assert_false(process_sd_notifyf("STATUS=%d", 1));
    close(fd);
}

static void test_sd_watchdog(void **state)
{
    char pid[32];

    (void)state;
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(process_sd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "60000000", 1);
    assert_int_equal(process_sd_watchdog_ms(), 60000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(process_sd_watchdog_ms(), 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(process_sd_watchdog_ms(), 60000);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(process_sd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

static void test_privileges(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;

    assert_int_equal(process_drop_privileges(NULL, "", &err), 0);
    assert_int_equal(process_drop_privileges("no-such-user", NULL, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "unknown user 'no-such-user'");
    assert_int_equal(process_drop_privileges(NULL, "no-such-group", &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "unknown group 'no-such-group'");
}

// Exit status of a child that has dropped its privileges: 0 when user, group and supplementary groups are as wanted.
static int check_dropped(const char *user, const char *group, const char *want_group)
{
    const struct group *entry = getgrnam(want_group);
    gid_t groups[64], gid = entry->gr_gid;
    uid_t uid = user ? getpwnam(user)->pw_uid : 0;

    if (process_drop_privileges(user, group, NULL) != 0)
        return 1;
    int count = getgroups(64, groups);
    if (getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid)
        return 2;
    for (int i = 0; i < count; i++)
        if (groups[i] != gid)
            return 3;
    return user && setuid(0) == 0 ? 4 : 0;
}

// Upstream takes the user for a group and the group for a user, and keeps root's supplementary groups.
static void test_ms_02_user_is_user_and_group_is_group(void **state)
{
    static const struct {
        const char *user, *group, *want_group;
    } cases[] = {{"nobody", "daemon", "daemon"}, {"nobody", "", "nogroup"}, {NULL, "daemon", "daemon"}};
    (void)state;

    if (geteuid() != 0 || !getpwnam("nobody") || !getgrnam("daemon") || !getgrnam("nogroup")) {
        print_message("skipped: needs root and the usual users\n");
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            _exit(check_dropped(cases[i].user, cases[i].group, cases[i].want_group));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "case %zu: status %x", i, status);
    }
}

static void test_server_may_open_what_the_system_allows(void **state)
{
    struct rlimit before, after;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    process_prepare_server();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_true(after.rlim_cur == before.rlim_max && after.rlim_max == before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_resident_bytes(void **state)
{
    (void)state;
    uint64_t bytes = process_resident_bytes();
    assert_true(bytes > 100000 && bytes < UINT64_C(1) << 44);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resident_bytes),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_run_kills_at_the_deadline),
        cmocka_unit_test(test_run_bounds_the_output),
        cmocka_unit_test(test_run_without_program),
        cmocka_unit_test(test_signals_are_delivered),
        cmocka_unit_test(test_short_hostname),
        cmocka_unit_test(test_sd_notify),
        cmocka_unit_test(test_sd_notify_formatted),
        cmocka_unit_test(test_sd_watchdog),
        cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_ms_02_user_is_user_and_group_is_group),
        cmocka_unit_test(test_server_may_open_what_the_system_allows),
    };

    return TEST_MAIN(argc, argv, tests);
}
