// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/testing.h"

// What was logged lands in a pipe, from which each case takes its lines.
struct capture {
    int fds[2];
    char text[16384];
};

static int set_up(void **state)
{
    static struct capture capture;

    if (pipe2(capture.fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    log_set_fd(capture.fds[1]);
    log_init("debug", false);
    *state = &capture;
    return 0;
}

static int tear_down(void **state)
{
    struct capture *capture = *state;

    log_set_fd(STDERR_FILENO);
    close(capture->fds[0]);
    close(capture->fds[1]);
    return 0;
}

static const char *captured(struct capture *capture)
{
    ssize_t n = read(capture->fds[0], capture->text, sizeof(capture->text) - 1);

    capture->text[n > 0 ? n : 0] = '\0';
    return capture->text;
}

static void test_line_format(void **state)
{
    static const struct {
        enum log_level level;
        const char *line;
    } cases[] = {
        {LOG_LEVEL_DEBUG, "<7>[DEBUG]    hello 1\n"},
        {LOG_LEVEL_INFO, "<6>[INFO]     file.c:12: hello 1\n"},
        {LOG_LEVEL_WARN, "<4>[WARNING]  file.c:12: hello 1\n"},
        {LOG_LEVEL_ERROR, "<3>[ERROR]    src/x/file.c:12: hello 1\n"},
        {LOG_LEVEL_CRIT, "<2>[CRITICAL] src/x/file.c:12: hello 1\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        log_write(cases[i].level, "../../src/x/file.c", 12, "hello %d", 1);
        EXPECT(strcmp(captured(*state), cases[i].line) == 0, "level %d: got '%s', not '%s'", cases[i].level,
               ((struct capture *)*state)->text, cases[i].line);
    }
    log_write(LOG_LEVEL_INFO, "file.c", 12, "x");
    assert_string_equal(captured(*state), "<6>[INFO]     file.c:12: x\n");
}

static void test_levels(void **state)
{
    static const struct {
        const char *name;
        enum log_level level;
        const char *output;
    } cases[] = {
        {"debug", LOG_LEVEL_DEBUG, ""},
        {"info", LOG_LEVEL_INFO, ""},
        {"warn", LOG_LEVEL_WARN, ""},
        {"err", LOG_LEVEL_ERROR, ""},
        {"fatal", LOG_LEVEL_ERROR, ""},
        {"crit", LOG_LEVEL_CRIT, ""},
        {"loud", LOG_LEVEL_DEBUG,
         "<3>[ERROR] cclogger: Invalid loglevel \"loud\", using 'debug' (all levels enabled)\n"},
        {"", LOG_LEVEL_DEBUG,
         "<3>[ERROR] cclogger: Invalid loglevel \"\", using 'debug' (all levels enabled)\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        log_init(cases[i].name, false);
        EXPECT(strcmp(captured(*state), cases[i].output) == 0, "'%s' printed '%s'", cases[i].name,
               ((struct capture *)*state)->text);
        EXPECT(log_get_level() == cases[i].level, "'%s': level %d, not %d", cases[i].name, log_get_level(),
               cases[i].level);
    }
    log_set_level(LOG_LEVEL_WARN);
    log_info("quiet");
    assert_string_equal(captured(*state), "");
    log_warn("loud");
    assert_non_null(strstr(captured(*state), ": loud\n"));
}

static void test_date(void **state)
{
    log_init("debug", true);
    log_debug("x");
    const char *line = captured(*state);
    static const char pattern[] = "<7>[DEBUG]    dddd/dd/dd dd:dd:dd x\n";
    assert_int_equal(strlen(line), sizeof(pattern) - 1);
    for (size_t i = 14; pattern[i]; i++)
        EXPECT(pattern[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : line[i] == pattern[i],
               "place %zu of '%s'", i, line);
}

static void test_one_call_is_one_line(void **state)
{
    char text[10000];

    log_debug("a\nb\r\x1b[31mc\td");
    assert_string_equal(captured(*state), "<7>[DEBUG]    a b  [31mc\td\n");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_debug("%s", text);
    const char *line = captured(*state);
    size_t len = strlen(line);
    assert_in_range(len, 4000, 4096);
    assert_int_equal(strcspn(line, "\n"), len - 1);
}

static void test_limits(void **state)
{
    struct log_limit limit = {0}, other = {0};
    uint64_t before = log_suppressed_count();
    int lines = 0;

    for (int i = 0; i < 12; i++)
        log_limited(&limit, LOG_LEVEL_DEBUG, "bad line %d", i);
    for (const char *at = captured(*state); (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 5);
    assert_int_equal(log_suppressed_count() - before, 7);
    log_limited(&other, LOG_LEVEL_DEBUG, "other");
    assert_string_equal(captured(*state), "<7>[DEBUG]    other\n");
    // A window ago: the next line is let through and says what was held back.
    atomic_fetch_sub(&limit.window_start_ms, 10000);
    log_limited(&limit, LOG_LEVEL_DEBUG, "bad line %d", 12);
    assert_string_equal(captured(*state), "<7>[DEBUG]    bad line 12 (7 like it held back)\n");
    log_limited(&limit, LOG_LEVEL_DEBUG, "bad line %d", 13);
    assert_string_equal(captured(*state), "<7>[DEBUG]    bad line 13\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_date, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_call_is_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
    };

    return TEST_MAIN(argc, argv, tests);
}
