// SPDX-License-Identifier: MIT
#include "collector/scheduler.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define OPTIONS_MAX_BYTES  ((size_t)16 << 20)
#define WORKER_STACK_BYTES ((size_t)256 << 10)
#define RETRY_FIRST_TICKS  6
#define RETRY_MAX_NS       (3600 * NS_PER_S)
#define PATIENCE_MIN_NS    (10 * NS_PER_MS)
#define PATIENCE_MAX_NS    (500 * NS_PER_MS)

struct slot {
    struct source_env env;
    const void *options;
    void *state;                 // NULL: not initialised
    bool given_up;               // it never can be
    bool busy;                   // some thread is in one of its functions
    bool late_reported, failing; // said so in the log
    unsigned init_failures;
    uint64_t retry_tick;    // not before
    struct mono_time since; // while busy
    struct batch batch;
};

struct worker {
    struct scheduler *scheduler;
    pthread_t thread;
    struct buf scratch;
    struct slot *current; // NULL: between two sources
    bool ended;
    struct worker *next; // list of abandoned ones
};

struct scheduler {
    struct scheduler_options options;
    char *root;
    int64_t patience_ns;
    int timer_fd; // ticks, read by the worker; -1: none
    int kick_fd;  // wakes the worker for another reason
    int watch_fd; // timer that wakes the loop thread
    int done_fd;
    struct arena *arena; // options
    struct slot *slots;
    size_t count, cap;

    pthread_mutex_t lock; // guards what follows and the slots' flags; not held while a source works
    pthread_cond_t done;
    struct worker *worker;    // the one that does the runs
    struct worker *abandoned; // each in one source that took too long
    size_t next;              // slot of the present run; count: none is going
    struct wall_time tick;
    bool run_ended; // the first one on a tick has
    bool ticked;    // the present run is not that of the initialisation
    bool stop;
    struct agent_stats stats;
    struct log_limit thread_limit;
};

// ---- one source --------------------------------------------------------------------------------------

static void report_init_failure(struct scheduler *s, struct slot *slot, int rc, const struct error *err)
{
    if (slot->init_failures == 0)
        log_error("[CollectorManager] Collector %s initialization failed: %s", slot->env.ops->key, err->text);
    slot->given_up = rc == ERR_INVALID;
    uint64_t ticks = (uint64_t)RETRY_FIRST_TICKS << MIN(slot->init_failures, 30U);
    uint64_t max_ticks = (uint64_t)MAX(RETRY_MAX_NS / s->options.interval_ns, (int64_t)1);
    slot->retry_tick = s->stats.ticks + MIN(ticks, max_ticks);
    slot->init_failures++;
}

static void init_source(struct scheduler *s, struct slot *slot, const struct reading *reading)
{
    struct error err = ERROR_INIT;
    struct reading first = *reading;
    first.batch = NULL;
    void *state = NULL;
    int rc = slot->env.ops->init(slot->options, &slot->env, &first, &state, &err);
    pthread_mutex_lock(&s->lock);
    if (rc < 0)
        report_init_failure(s, slot, rc, &err);
    else if (slot->init_failures)
        log_info("[CollectorManager] Collector %s works now", slot->env.ops->key);
    slot->state = state;
    pthread_mutex_unlock(&s->lock);
}

static void read_source(struct scheduler *s, struct slot *slot, const struct reading *reading,
                        struct wall_time tick)
{
    struct error err = ERROR_INIT;
    slot->batch.count = 0;
    slot->batch.time = reading->wall;
    int rc = slot->env.ops->read(slot->state, reading, &err);
    if (rc == 0)
        router_deliver(s->options.router, &slot->batch, tick);
    pthread_mutex_lock(&s->lock);
    s->stats.failed_reads += rc < 0;
    if (rc < 0 && !slot->failing)
        log_error("[CollectorManager] Collector %s: %s", slot->env.ops->key, err.text);
    else if (rc == 0 && slot->failing)
        log_info("[CollectorManager] Collector %s works again", slot->env.ops->key);
    slot->failing = rc < 0;
    pthread_mutex_unlock(&s->lock);
}

// ---- worker ------------------------------------------------------------------------------------------

// Takes the next source of the run that is to be worked on, or NULL at its end.
static struct slot *take_slot(struct scheduler *s)
{
    while (s->next < s->count) {
        struct slot *slot = &s->slots[s->next++];
        if (slot->busy) {
            s->stats.skipped_reads++;
            continue;
        }
        if (slot->given_up || (!slot->state && s->stats.ticks < slot->retry_tick))
            continue;
        slot->busy = true;
        slot->late_reported = false;
        slot->since = clock_mono();
        return slot;
    }
    return NULL;
}

static void work(struct worker *w, struct slot *slot, struct wall_time tick)
{
    struct scheduler *s = w->scheduler;
    struct reading reading = {
        .mono = clock_mono(), .wall = clock_wall(), .scratch = &w->scratch, .batch = &slot->batch};
    buf_clear(&w->scratch);
    if (slot->state)
        read_source(s, slot, &reading, tick);
    else
        init_source(s, slot, &reading);
}

static void set_timer(int fd, int64_t ns)
{
    struct timespec t = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    struct itimerspec timer = {.it_value = t};
    ASSERT(timerfd_settime(fd, 0, &timer, NULL) == 0); // fails for bad arguments only
}

// Takes a number out of a timer or event descriptor, 0 when there is none.
static uint64_t take_count(int fd)
{
    uint64_t count = 0;
    return fd >= 0 && read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void begin_run(struct scheduler *s, struct wall_time tick, uint64_t missed)
{
    s->stats.ticks += 1 + missed;
    s->stats.skipped_ticks += missed;
    s->tick = tick;
    s->ticked = true;
    s->next = 0;
}

// Waits for a run. False when this worker is to end.
static bool wait_for_run(struct worker *w)
{
    struct scheduler *s = w->scheduler;
    while (s->worker == w && !s->stop && s->next == s->count) {
        struct pollfd fds[] = {{.fd = s->timer_fd, .events = POLLIN}, {.fd = s->kick_fd, .events = POLLIN}};
        pthread_mutex_unlock(&s->lock);
        int n = poll(fds, 2, -1);
        if (n < 0 && errno != EINTR)
            log_error("[CollectorManager] poll: %s", strerror(errno));
        pthread_mutex_lock(&s->lock);
        if (fds[1].revents)
            take_count(s->kick_fd);
        uint64_t ticks = take_count(s->timer_fd);
        if (ticks && s->worker == w)
            begin_run(s, clock_wall(), ticks - 1);
    }
    return s->worker == w && !s->stop;
}

static void do_run(struct worker *w)
{
    struct scheduler *s = w->scheduler;
    struct slot *slot;
    set_timer(s->watch_fd, s->patience_ns);
    while (s->worker == w && !s->stop && (slot = take_slot(s))) {
        struct wall_time tick = s->tick;
        w->current = slot;
        pthread_mutex_unlock(&s->lock);
        work(w, slot, tick);
        pthread_mutex_lock(&s->lock);
        w->current = NULL;
        slot->busy = false;
    }
    pthread_mutex_unlock(&s->lock);
    router_flush(
        s->options.router); // an abandoned worker too: its late values shall not wait for the next tick
    pthread_mutex_lock(&s->lock);
    if (s->worker != w)
        return;
    if (!s->abandoned)
        set_timer(s->watch_fd, 0);
    if (s->ticked && !s->run_ended) {
        s->run_ended = true;
        eventfd_write(s->done_fd, 1);
    }
    pthread_cond_broadcast(&s->done);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct scheduler *s = w->scheduler;
    pthread_mutex_lock(&s->lock);
    while (wait_for_run(w))
        do_run(w);
    w->ended = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int start_worker(struct scheduler *s, struct error *err)
{
    struct worker *w = NEW(struct worker);
    pthread_attr_t attr;
    w->scheduler = s;
    buf_init(&w->scratch, SCRATCH_MAX_BYTES);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
    struct worker *previous = s->worker;
    s->worker = w;
    int rc = pthread_create(&w->thread, &attr, worker_main, w);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        return 0;
    s->worker = previous;
    mem_free(w);
    return error_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(rc));
}

static void worker_free(struct worker *w)
{
    pthread_join(w->thread, NULL);
    buf_release(&w->scratch);
    mem_free(w);
}

// Frees abandoned workers that have come back.
static void collect_abandoned(struct scheduler *s)
{
    for (struct worker **p = &s->abandoned; *p;) {
        struct worker *w = *p;
        if (!w->ended) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        worker_free(w);
    }
}

// ---- loop thread -------------------------------------------------------------------------------------

static int open_descriptors(struct scheduler *s, struct error *err)
{
    int64_t ns = s->options.interval_ns;
    struct timespec period = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    struct itimerspec timer = {.it_interval = period, .it_value = period};
    s->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->watch_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->kick_fd < 0 || s->done_fd < 0 || s->watch_fd < 0)
        return error_set_errno(err, "cannot make descriptors");
    if (s->options.no_timer)
        return 0;
    s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer_fd < 0 || timerfd_settime(s->timer_fd, 0, &timer, NULL) < 0)
        return error_set_errno(err, "cannot make a timer");
    return 0;
}

int scheduler_new(const struct scheduler_options *options, struct scheduler **ret, struct error *err)
{
    struct scheduler *s = NEW(struct scheduler);
    s->options = *options;
    s->root = mem_strdup(options->root);
    s->patience_ns = MIN(MAX(options->interval_ns / 10, PATIENCE_MIN_NS), PATIENCE_MAX_NS);
    s->arena = arena_new(OPTIONS_MAX_BYTES);
    s->timer_fd = s->kick_fd = s->watch_fd = s->done_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->done);
    int rc = open_descriptors(s, err);
    if (rc < 0)
        scheduler_free(&s);
    else
        *ret = s;
    return rc;
}

int scheduler_add(struct scheduler *s, const struct source_ops *ops, const struct json_value *config,
                  const char *origin, struct error *err)
{
    if (json_type(config) != JSON_NULL && json_type(config) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "options must be an object, not %s", json_type_name(config));
    void *options = arena_alloc(s->arena, ops->options_size);
    if (json_type(config) == JSON_NULL)
        config = NULL;
    int rc = settings_decode(ops->settings, config, origin, SETTINGS_STRICT, s->arena, options, err);
    if (rc < 0)
        return rc;
    ASSERT(!s->worker); // slots must not move once they are in use
    ENSURE_CAPACITY(s->slots, s->cap, s->count + 1);
    struct slot *slot = &s->slots[s->count++];
    *slot = (struct slot){.options = options};
    slot->env = (struct source_env){.root = s->root,
                                    .ops = ops,
                                    .router = s->options.router,
                                    .clock_ticks_per_s = sysconf(_SC_CLK_TCK),
                                    .agent_stats = s->options.agent_stats,
                                    .agent_ctx = s->options.agent_ctx};
    return 0;
}

int scheduler_start(struct scheduler *s, struct error *err)
{
    s->next = 0; // the first run: every source is new
    s->tick = clock_wall();
    return start_worker(s, err);
}

static void kick(struct scheduler *s)
{
    eventfd_write(s->kick_fd, 1);
}

void scheduler_tick(struct scheduler *s, struct wall_time tick, uint64_t missed)
{
    pthread_mutex_lock(&s->lock);
    bool going = s->next < s->count || s->worker->current;
    if (going)
        s->stats.ticks++, s->stats.skipped_ticks++;
    else
        begin_run(s, tick, missed);
    pthread_mutex_unlock(&s->lock);
    kick(s);
}

int scheduler_watch_fd(const struct scheduler *s)
{
    return s->watch_fd;
}

int scheduler_done_fd(const struct scheduler *s)
{
    return s->done_fd;
}

// Leaves the thread to the source it is in and starts another one for the rest.
static void abandon(struct scheduler *s, struct slot *slot)
{
    struct error err = ERROR_INIT;
    struct worker *w = s->worker;
    if (start_worker(s, &err) < 0) {
        log_limited(&s->thread_limit, LOG_LEVEL_ERROR, "[CollectorManager] %s", err.text);
        return;
    }
    w->next = s->abandoned;
    s->abandoned = w;
    log_debug("[CollectorManager] Collector %s takes long, others go on", slot->env.ops->key);
}

static void report_late(struct scheduler *s, struct mono_time now)
{
    for (struct worker *w = s->abandoned; w; w = w->next) {
        struct slot *slot = w->current;
        if (!slot || slot->late_reported || mono_diff_ns(now, slot->since) < s->options.interval_ns)
            continue;
        slot->late_reported = true;
        log_warn("[CollectorManager] Collector %s does not return, it is skipped until it does",
                 slot->env.ops->key);
    }
}

void scheduler_watch(struct scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    take_count(s->watch_fd);
    struct mono_time now = clock_mono();
    struct slot *slot = s->worker ? s->worker->current : NULL;
    if (slot && mono_diff_ns(now, slot->since) >= s->patience_ns)
        abandon(s, slot);
    report_late(s, now);
    collect_abandoned(s);
    bool busy = s->worker && (s->worker->current || s->next < s->count);
    set_timer(s->watch_fd, busy || s->abandoned ? s->patience_ns : 0);
    pthread_mutex_unlock(&s->lock);
}

static bool is_idle(const struct scheduler *s)
{
    return s->next == s->count && !s->worker->current;
}

bool scheduler_wait(struct scheduler *s, int64_t timeout_ms)
{
    struct mono_time end = {.ns = clock_mono().ns + timeout_ms * NS_PER_MS};
    for (;;) {
        scheduler_watch(s);
        struct mono_time now = clock_mono();
        struct mono_time until = {.ns = MIN(end.ns, now.ns + s->patience_ns)};
        pthread_mutex_lock(&s->lock);
        bool idle = is_idle(s);
        if (!idle && now.ns < end.ns)
            clock_cond_wait(&s->done, &s->lock, until);
        pthread_mutex_unlock(&s->lock);
        if (idle || now.ns >= end.ns)
            return idle;
    }
}

bool scheduler_stop(struct scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    kick(s);
    struct worker *w = s->worker;
    bool hangs = w && w->current;
    if (hangs) {
        w->next = s->abandoned;
        s->abandoned = w;
    }
    s->worker = NULL;
    pthread_mutex_unlock(&s->lock);
    if (w && !hangs)
        worker_free(w);
    pthread_mutex_lock(&s->lock);
    collect_abandoned(s);
    bool quiet = !s->abandoned;
    pthread_mutex_unlock(&s->lock);
    return quiet;
}

void scheduler_free(struct scheduler **scheduler)
{
    struct scheduler *s = *scheduler;
    *scheduler = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].state)
            s->slots[i].env.ops->close(s->slots[i].state);
        mem_free(s->slots[i].batch.items);
    }
    mem_free(s->slots);
    arena_free(&s->arena);
    const int fds[] = {s->timer_fd, s->kick_fd, s->watch_fd, s->done_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->root);
    mem_free(s);
}

void scheduler_read_stats(struct scheduler *s, struct agent_stats *ret)
{
    pthread_mutex_lock(&s->lock);
    ret->ticks = s->stats.ticks;
    ret->skipped_ticks = s->stats.skipped_ticks;
    ret->skipped_reads = s->stats.skipped_reads;
    ret->failed_reads = s->stats.failed_reads;
    pthread_mutex_unlock(&s->lock);
}
