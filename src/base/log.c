// SPDX-License-Identifier: MIT
// The log is the one thing that belongs to the process and not to an instance: level, descriptor and the date
// switch are set at the start and read by every thread, hence atomics; relaxed, as no other data hangs on
// them.
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 4096

static struct {
    _Atomic int level;
    _Atomic int fd;
    _Atomic bool with_date;
    _Atomic uint64_t suppressed;
} log_state = {.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO};

enum position { POSITION_NONE, POSITION_FILE, POSITION_PATH };

static const struct {
    const char *prefix;
    enum position position;
} levels[] = {
    [LOG_LEVEL_DEBUG] = {"<7>[DEBUG]    ", POSITION_NONE},
    [LOG_LEVEL_INFO] = {"<6>[INFO]     ", POSITION_FILE},
    [LOG_LEVEL_WARN] = {"<4>[WARNING]  ", POSITION_FILE},
    [LOG_LEVEL_ERROR] = {"<3>[ERROR]    ", POSITION_PATH},
    [LOG_LEVEL_CRIT] = {"<2>[CRITICAL] ", POSITION_PATH},
};

static const struct {
    const char *name;
    enum log_level level;
} names[] = {
    {"debug", LOG_LEVEL_DEBUG}, {"info", LOG_LEVEL_INFO},   {"warn", LOG_LEVEL_WARN},
    {"err", LOG_LEVEL_ERROR},   {"fatal", LOG_LEVEL_ERROR}, {"crit", LOG_LEVEL_CRIT},
};

static void write_line(const char *text, size_t len)
{
    int fd = atomic_load_explicit(&log_state.fd, memory_order_relaxed);
    ssize_t rc;

    do
        rc = write(fd, text, len);
    while (rc < 0 && errno == EINTR);
}

void log_init(const char *level_name, bool with_date)
{
    atomic_store_explicit(&log_state.with_date, with_date, memory_order_relaxed);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(level_name, names[i].name) == 0) {
            log_set_level(names[i].level);
            return;
        }
    char text[256];
    int len = snprintf(
        text, sizeof(text),
        "<3>[ERROR] cclogger: Invalid loglevel \"%.100s\", using 'debug' (all levels enabled)\n", level_name);
    write_line(text, (size_t)len);
    log_set_level(LOG_LEVEL_DEBUG);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

void log_set_fd(int fd)
{
    atomic_store_explicit(&log_state.fd, fd, memory_order_relaxed);
}

uint64_t log_suppressed_count(void)
{
    return atomic_load_explicit(&log_state.suppressed, memory_order_relaxed);
}

static size_t append_date(char *text, size_t size)
{
    time_t now = (time_t)wall_seconds(clock_wall());
    struct tm tm;

    if (!localtime_r(&now, &tm))
        return 0;
    return strftime(text, size, "%Y/%m/%d %H:%M:%S ", &tm);
}

static size_t append_position(char *text, size_t size, enum position position, const char *file, int line)
{
    const char *slash = strrchr(file, '/');

    if (position == POSITION_NONE)
        return 0;
    if (position == POSITION_FILE && slash)
        file = slash + 1;
    while (strncmp(file, "../", 3) == 0) // the compiler was called from the build folder
        file += 3;
    int len = snprintf(text, size, "%s:%d: ", file, line);
    return len < 0 ? 0 : MIN((size_t)len, size - 1);
}

// One call is one line, whatever a peer put into the text: control bytes become blanks.
static void flatten(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' && text[i] != '\t')
            text[i] = ' ';
}

void log_write(enum log_level level, const char *file, int line, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    size_t len = strlen(levels[level].prefix);
    int saved_errno = errno;
    va_list args;

    memcpy(text, levels[level].prefix, len);
    if (atomic_load_explicit(&log_state.with_date, memory_order_relaxed))
        len += append_date(text + len, sizeof(text) - len);
    len += append_position(text + len, 512, levels[level].position, file, line);
    va_start(args, fmt);
    int rc = vsnprintf(text + len, sizeof(text) - len - 1, fmt, args);
    va_end(args);
    if (rc > 0)
        len += MIN((size_t)rc, sizeof(text) - len - 2);
    flatten(text, len);
    text[len++] = '\n';
    write_line(text, len);
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, uint32_t burst, int64_t window_ms, uint64_t *ret_suppressed)
{
    int64_t now_ms = clock_mono().ns / NS_PER_MS;
    int64_t start_ms = atomic_load_explicit(&limit->window_start_ms, memory_order_relaxed);

    // Whoever swaps the start opens the new window. A line of another thread that slips in between counts for
    // the old window: one line more or less, which a limit on log lines can bear.
    if ((start_ms == 0 || now_ms - start_ms >= window_ms) &&
        atomic_compare_exchange_strong_explicit(&limit->window_start_ms, &start_ms, now_ms ? now_ms : 1,
                                                memory_order_relaxed, memory_order_relaxed))
        atomic_store_explicit(&limit->in_window, 0, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&limit->in_window, 1, memory_order_relaxed) >= burst) {
        atomic_fetch_add_explicit(&limit->suppressed, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&log_state.suppressed, 1, memory_order_relaxed);
        return false;
    }
    *ret_suppressed = atomic_exchange_explicit(&limit->suppressed, 0, memory_order_relaxed);
    return true;
}
