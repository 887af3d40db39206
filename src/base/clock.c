// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#include "base/macros.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);

    ASSERT(rc == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

struct wall_time clock_wall(void)
{
    return (struct wall_time){.ns = read_clock(CLOCK_REALTIME)};
}

struct mono_time clock_mono(void)
{
    return (struct mono_time){.ns = read_clock(CLOCK_MONOTONIC)};
}

void clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, struct mono_time until)
{
    struct timespec deadline = {.tv_sec = until.ns / NS_PER_S, .tv_nsec = until.ns % NS_PER_S};
    return pthread_cond_timedwait(cond, mutex, &deadline);
}

void clock_sleep_ns(int64_t ns)
{
    if (ns <= 0)
        return;
    struct timespec left = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

char *clock_format_rfc3339(int64_t unix_seconds, char *text, size_t size)
{
    time_t t = unix_seconds;
    struct tm tm;

    ASSERT(size >= 32);
    if (!gmtime_r(&t, &tm) || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        text[0] = '\0';
    return text;
}
