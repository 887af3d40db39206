// SPDX-License-Identifier: MIT
// Wall time and monotonic time are distinct types so that mixing them does not compile. Both count
// nanoseconds. Pure code takes times as parameters; only the edges call clock_.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct wall_time {
    int64_t ns; // since 1970-01-01 UTC
};
struct mono_time {
    int64_t ns; // since some fixed point; never jumps
};

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

struct wall_time clock_wall(void);
struct mono_time clock_mono(void);
static inline int64_t wall_seconds(struct wall_time t) // floor
{
    int64_t s = t.ns / NS_PER_S;
    return t.ns % NS_PER_S < 0 ? s - 1 : s;
}
static inline struct wall_time wall_from_seconds(int64_t s)
{
    return (struct wall_time){.ns = s * NS_PER_S};
}
static inline int64_t mono_diff_ns(struct mono_time later, struct mono_time earlier)
{
    return later.ns - earlier.ns;
}
static inline struct mono_time mono_after(struct mono_time t, int64_t ns)
{
    return (struct mono_time){.ns = t.ns + ns};
}
// Conditions that wait by the monotonic clock, so that a jump of the wall clock neither hangs nor hurries a
// waiter. The wait is pthread_cond_timedwait's: the mutex is held, 0 (perhaps for no reason) or ETIMEDOUT.
void clock_cond_init(pthread_cond_t *cond);
int clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, struct mono_time until);
void clock_sleep_ns(int64_t ns); // continues after signals
// "2006-01-02T15:04:05Z" into text (at least 32 bytes); returns text.
char *clock_format_rfc3339(int64_t unix_seconds, char *text, size_t size);

#endif
