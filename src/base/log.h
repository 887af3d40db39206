// SPDX-License-Identifier: MIT
// Logging to stderr in the format of the ClusterCockpit programs: a syslog priority prefix that journald
// understands, then for info and above the source position (spec: metric store 1.2):
//
//     <6>[INFO]     store.c:120: 64 hosts loaded
//
// Programs log; libraries return errors. One call is one line and one write(2); any thread may call.
// Anything that a peer can trigger goes through LOG_LIMITED. log_init is called once before threads start.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_CRIT };

// Level names are those of -loglevel: debug, info, warn, err (alias fatal), crit. An unknown name prints
// <3>[ERROR] cclogger: Invalid loglevel "x", using 'debug' (all levels enabled)   and enables everything.
void log_init(const char *level_name, bool with_date);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
// Sends lines to this descriptor instead of stderr (file logging, tests); borrowed.
void log_set_fd(int fd);
// Counts lines that rate limits suppressed since the start.
uint64_t log_suppressed_count(void);

void log_write(enum log_level level, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_crit(...)  log_at(LOG_LEVEL_CRIT, __VA_ARGS__)
#define log_at(level, ...)                                                                                   \
    do {                                                                                                     \
        if ((level) >= log_get_level())                                                                      \
            log_write((level), __FILE__, __LINE__, __VA_ARGS__);                                             \
    } while (0)

// One limiter per thing that may repeat; part of the object it belongs to, zero-initialised.
struct log_limit {
    _Atomic int64_t window_start_ms;
    _Atomic uint32_t in_window;
    _Atomic uint64_t suppressed; // since the last line that was let through
};
// True when a line may be written now: at most 'burst' lines per 'window_ms' of monotonic time.
// *ret_suppressed: how many were held back since the last one.
bool log_limit_pass(struct log_limit *limit, uint32_t burst, int64_t window_ms, uint64_t *ret_suppressed);

// log_limited(&s->bad_line_limit, LOG_LEVEL_WARN, "...", ...): at most 5 lines per 10 s; says how many were held.
#define log_limited(limit, level, fmt, ...)                                                                  \
    do {                                                                                                     \
        uint64_t held_ = 0;                                                                                  \
        if (log_limit_pass((limit), 5, 10000, &held_)) {                                                     \
            if (held_)                                                                                       \
                log_at((level), fmt " (%llu like it held back)", ##__VA_ARGS__, (unsigned long long)held_);  \
            else                                                                                             \
                log_at((level), fmt, ##__VA_ARGS__);                                                         \
        }                                                                                                    \
    } while (0)

#endif
