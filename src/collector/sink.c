// SPDX-License-Identifier: MIT
#include "collector/sink.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "codec/number.h"
#include "collector/spool.h"

#define SINK_LINES_MAX_BYTES ((size_t)256 << 20) // prepared prefixes of all series of one sink
#define RETRY_FIRST_MS       500
#define RETRY_MAX_MS         30000
#define DRAIN_RETRY_MS       250
#define DRAIN_GRACE_MS       1000 // for the send that is going when the drain ends
#define SENDER_STACK_BYTES   ((size_t)256 << 10)

// What a series needs at this sink: everything in front of the number.
struct line {
    const char *prefix; // "name,tags value="; NULL: not wanted here
    uint32_t prefix_len;
    bool invalid;                  // wanted, but it cannot be encoded
    struct conversion *conversion; // NULL: none
};

struct sink {
    const struct sink_ops *ops;
    char *name;
    struct sink_traits traits;
    struct processor *processor;
    void *state;         // of the kind; used by the sender thread only once that runs
    struct arena *arena; // options, prefixes, conversions
    struct line *lines;  // by series id
    size_t line_count, line_cap;

    pthread_mutex_t lock; // guards what follows; no I/O and no other lock under it
    pthread_cond_t wake;
    struct spool spool;
    struct sink_stats stats;
    uint32_t in_flight; // messages of the chunk that is with ops->send
    bool sending;       // a chunk is with ops->send
    bool window_open;   // the open chunk is to be sealed at window_end
    struct mono_time window_end;
    struct mono_time retry_at;
    unsigned failures; // in a row
    bool draining;
    struct mono_time drain_end;

    pthread_t thread;
    bool thread_runs;
    struct log_limit drop_limit, reject_limit, retry_limit;
};

// ---- lines -------------------------------------------------------------------------------------------

// Encodes the message with value 0i and time 0 and cuts these off again, so that prefix and encoder cannot
// differ.
static int make_prefix(struct sink *sink, struct message *msg, struct line *line, struct error *err)
{
    static const char tail[] = "0i 0\n";
    struct buf text;
    buf_init(&text, LINEPROTO_LINE_MAX_DEFAULT);
    message_set_field(msg, SLICE_LITERAL("value"), (struct lineproto_value){.kind = LINEPROTO_INT, .i64 = 0});
    message_set_time(msg, (struct wall_time){.ns = 0});
    int rc = message_encode_line(msg, PRECISION_NS, NULL, 0, &text, err);
    if (rc == 0 && (buf_failed(&text) || !slice_ends_with(buf_slice(&text), SLICE_LITERAL(tail))))
        rc = error_set(err, ERR_LIMIT, "line is too long");
    if (rc == 0) {
        struct slice prefix = slice_of(text.ptr, text.len - (sizeof(tail) - 1));
        line->prefix = arena_copy(sink->arena, prefix).ptr;
        line->prefix_len = (uint32_t)prefix.len;
    }
    buf_release(&text);
    return rc;
}

void sink_declare(struct sink *sink, series_id id, const struct message *msg,
                  const struct conversion *conversion)
{
    struct error err = ERROR_INIT;
    struct line line = {0};
    struct conversion total = *conversion;
    struct message *own = message_copy(msg);
    int rc = processor_apply(sink->processor, own, &total, &err);
    if (rc > 0)
        rc = make_prefix(sink, own, &line, &err);
    if (rc < 0) {
        line.invalid = true;
        log_warn("[%s] '%.*s' cannot be sent: %s", sink->name, SLICE_FMT(message_name(own)), err.text);
    }
    if (total.count) {
        line.conversion = ARENA_NEW(sink->arena, struct conversion);
        *line.conversion = total;
    }
    message_free(&own);
    pthread_mutex_lock(&sink->lock);
    ENSURE_CAPACITY(sink->lines, sink->line_cap, (size_t)id + 1);
    sink->lines[id] = line;
    sink->line_count = MAX(sink->line_count, (size_t)id + 1);
    pthread_mutex_unlock(&sink->lock);
}

// The number with its type suffix. text has NUMBER_TEXT_SIZE bytes.
static size_t format_value(const struct lineproto_value *v, char *text)
{
    size_t len;
    if (v->kind == LINEPROTO_FLOAT)
        return number_format_shortest(v->f64, text);
    if (v->kind == LINEPROTO_INT) {
        len = strnum_format_i64(v->i64, text);
        text[len++] = 'i';
    } else {
        len = strnum_format_u64(v->u64, text);
        text[len++] = 'u';
    }
    return len;
}

static bool finite_value(const struct lineproto_value *v)
{
    return v->kind != LINEPROTO_FLOAT || v->f64 - v->f64 == 0;
}

// Appends one line to the open chunk; false when there is no such line.
static bool append_line(const struct line *line, const struct sample *s, struct slice tail, struct buf *out)
{
    struct lineproto_value v = {.kind = s->kind, .u64 = s->u64};
    if (s->kind == LINEPROTO_FLOAT)
        v.f64 = s->f64;
    if (line->invalid || !finite_value(&v) || (line->conversion && !conversion_apply(line->conversion, &v)))
        return false;
    char *at = buf_reserve(out, line->prefix_len + NUMBER_TEXT_SIZE + tail.len);
    if (!at)
        return false;
    memcpy(at, line->prefix, line->prefix_len);
    size_t len = line->prefix_len;
    len += format_value(&v, at + len);
    memcpy(at + len, tail.ptr, tail.len);
    buf_commit(out, len + tail.len);
    return true;
}

// " <time>\n" in the unit of the sink; integer division towards zero (messages.md 2.2).
static struct slice format_tail(enum time_precision precision, struct wall_time time, char *text)
{
    static const int64_t divisors[] = {
        [PRECISION_S] = NS_PER_S, [PRECISION_MS] = NS_PER_MS, [PRECISION_US] = 1000, [PRECISION_NS] = 1};
    text[0] = ' ';
    size_t len = 1 + strnum_format_i64(time.ns / divisors[precision], text + 1);
    text[len++] = '\n';
    return slice_of(text, len);
}

static void note_dropped(struct sink *sink, uint64_t messages)
{
    if (messages == 0)
        return;
    sink->stats.dropped_messages += messages;
    log_limited(&sink->drop_limit, LOG_LEVEL_ERROR, "[%s] queue is full: %llu oldest messages dropped",
                sink->name, (unsigned long long)messages);
}

static void append_locked(struct sink *sink, const struct batch *batch, struct slice tail)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct sample *s = &batch->items[i];
        const struct line *line = s->series < sink->line_count ? &sink->lines[s->series] : NULL;
        if (!line || (!line->prefix && !line->invalid))
            continue;
        struct buf *out = spool_buf(&sink->spool);
        size_t before = out->len;
        if (!append_line(line, s, tail, out)) {
            sink->stats.rejected_messages++;
            log_limited(&sink->reject_limit, LOG_LEVEL_WARN, "[%s] a message cannot be encoded, dropped",
                        sink->name);
            continue;
        }
        note_dropped(sink, spool_appended(&sink->spool, out->len - before, 1));
        if (sink->traits.one_by_one)
            spool_seal(&sink->spool);
    }
}

void sink_append(struct sink *sink, const struct batch *batch, struct wall_time time)
{
    char text[32];
    struct slice tail = format_tail(sink->traits.precision, time, text);
    pthread_mutex_lock(&sink->lock);
    append_locked(sink, batch, tail);
    // What comes in while a batch is being sent waits for the first message after it (as upstream): a slow receiver
    // gets fewer and bigger batches.
    bool has_lines = !spool_open_is_empty(&sink->spool);
    if (has_lines && sink->traits.flush_delay_ns > 0 && !sink->window_open && !sink->sending) {
        sink->window_open = true;
        sink->window_end.ns = clock_mono().ns + sink->traits.flush_delay_ns;
        pthread_cond_signal(&sink->wake);
    }
    // A full chunk does not wait for the end of the window: many small sends are shorter bursts than one big one.
    if (sink->spool.first && !sink->failures && !sink->sending)
        pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
}

void sink_flush(struct sink *sink)
{
    if (sink->traits.flush_delay_ns > 0)
        return;
    pthread_mutex_lock(&sink->lock);
    spool_seal(&sink->spool);
    if (sink->spool.first)
        pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
}

// ---- sender ------------------------------------------------------------------------------------------

static int64_t backoff_ms(const struct sink *sink)
{
    if (sink->draining)
        return DRAIN_RETRY_MS;
    unsigned doublings = MIN(sink->failures, 6U);
    return MIN((int64_t)RETRY_FIRST_MS << doublings, (int64_t)RETRY_MAX_MS);
}

// Sends one chunk with the lock released.
static void send_chunk(struct sink *sink, struct spool_chunk *chunk)
{
    struct error err = ERROR_INIT;
    int64_t wait_ms = backoff_ms(sink);
    sink->sending = true;
    sink->in_flight = chunk->messages;
    pthread_mutex_unlock(&sink->lock);
    int rc = sink->ops->send(sink->state, buf_slice(&chunk->bytes), &wait_ms, &err);
    pthread_mutex_lock(&sink->lock);
    sink->sending = false;
    sink->in_flight = 0;
    if (rc == ERR_BUSY) {
        sink->failures++;
        sink->stats.retried_batches++;
        sink->retry_at.ns = clock_mono().ns + wait_ms * NS_PER_MS;
        uint64_t before = sink->spool.dropped_messages;
        spool_return(&sink->spool, &chunk);
        note_dropped(sink, sink->spool.dropped_messages - before);
        log_limited(&sink->retry_limit, LOG_LEVEL_WARN,
                    "[%s] %s; %llu messages wait, next attempt in %lld ms", sink->name, err.text,
                    (unsigned long long)sink->spool.queued_messages, (long long)wait_ms);
        return;
    }
    if (rc == 0) {
        if (sink->failures)
            log_info("[%s] delivers again after %u failed attempts", sink->name, sink->failures);
        sink->stats.sent_messages += chunk->messages;
        sink->stats.sent_batches++;
    } else {
        sink->stats.failed_batches++;
        sink->stats.dropped_messages += chunk->messages;
        log_limited(&sink->drop_limit, LOG_LEVEL_ERROR, "[%s] batch of %u messages refused: %s", sink->name,
                    chunk->messages, err.text);
    }
    sink->failures = 0;
    spool_recycle(&sink->spool, &chunk);
}

// Waits until there is something to send. False when the sender is to end.
static bool wait_for_work(struct sink *sink)
{
    struct spool *spool = &sink->spool;
    for (;;) {
        struct mono_time now = clock_mono();
        if (sink->draining || (sink->window_open && now.ns >= sink->window_end.ns)) {
            spool_seal(spool);
            sink->window_open = false;
        }
        if (sink->draining && (!spool->first || now.ns >= sink->drain_end.ns))
            return false;
        if (spool->first && (!sink->failures || now.ns >= sink->retry_at.ns))
            return true;
        if (spool->first)
            clock_cond_wait(&sink->wake, &sink->lock, sink->retry_at);
        else if (sink->window_open)
            clock_cond_wait(&sink->wake, &sink->lock, sink->window_end);
        else
            pthread_cond_wait(&sink->wake, &sink->lock);
    }
}

static void *sender_main(void *arg)
{
    struct sink *sink = arg;
    pthread_mutex_lock(&sink->lock);
    while (wait_for_work(sink))
        send_chunk(sink, spool_take(&sink->spool));
    pthread_mutex_unlock(&sink->lock);
    return NULL;
}

static int start_sender(struct sink *sink, struct error *err)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, SENDER_STACK_BYTES);
    int rc = pthread_create(&sink->thread, &attr, sender_main, sink);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return error_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(rc));
    sink->thread_runs = true;
    return 0;
}

// ---- life cycle --------------------------------------------------------------------------------------

static int add_meta_as_tags(struct processor *p, const struct json_value *list, struct error *err)
{
    if (json_type(list) != JSON_NULL && json_type(list) != JSON_ARRAY)
        return error_set(err, ERR_INVALID, "'meta_as_tags' must be a list of strings");
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json_value *key = json_at(list, i);
        if (json_type(key) != JSON_STRING)
            return error_set(err, ERR_INVALID, "'meta_as_tags' must be a list of strings");
        int rc = processor_add_rule(p, STAGE_MOVE_META_TO_TAG, SLICE_LITERAL("true"), json_string(key),
                                    json_string(key), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_config(const struct sink_ops *ops, const struct json_value *config, const char *origin,
                       struct arena *arena, void **ret_options, struct processor **ret_processor,
                       struct error *err)
{
    void *options = arena_alloc(arena, ops->options_size);
    int rc = settings_decode(ops->settings, config, origin, SETTINGS_STRICT, arena, options, err);
    if (rc < 0)
        return rc;
    const struct sink_common *common = options; // first member of every kind's options
    rc = processor_new(common->process_messages, ret_processor, err);
    if (rc == 0)
        rc = add_meta_as_tags(*ret_processor, common->meta_as_tags, err);
    *ret_options = options;
    return rc;
}

int sink_check(const struct sink_ops *ops, const struct json_value *config, const char *origin,
               struct buf *print, struct error *err)
{
    void *options = NULL;
    struct processor *processor = NULL;
    struct arena *arena = arena_new(SINK_LINES_MAX_BYTES);
    int rc = read_config(ops, config, origin, arena, &options, &processor, err);
    if (rc == 0 && ops->check)
        rc = ops->check(options, err);
    if (rc == 0 && print)
        settings_print(ops->settings, options, 4, print);
    processor_free(&processor);
    arena_free(&arena);
    return rc;
}

int sink_new(const struct sink_ops *ops, const char *name, const struct json_value *config,
             const char *origin, struct sink **ret, struct error *err)
{
    struct sink *sink = NEW(struct sink);
    pthread_mutex_init(&sink->lock, NULL);
    clock_cond_init(&sink->wake);
    sink->ops = ops;
    sink->name = mem_strdup(name);
    sink->arena = arena_new(SINK_LINES_MAX_BYTES);
    spool_init(&sink->spool, SINK_QUEUE_BYTES);
    void *options = NULL;
    int rc = read_config(ops, config, origin, sink->arena, &options, &sink->processor, err);
    if (rc == 0)
        rc = ops->open(options, sink->name, &sink->traits, &sink->state, err);
    if (rc == 0)
        rc = start_sender(sink, err);
    if (rc < 0) {
        sink_free(&sink);
        return rc;
    }
    *ret = sink;
    return 0;
}

void sink_begin_drain(struct sink *sink, int64_t timeout_ms)
{
    pthread_mutex_lock(&sink->lock);
    sink->draining = true;
    sink->drain_end.ns = clock_mono().ns + timeout_ms * NS_PER_MS;
    // A receiver that has just failed is asked again at once: this is the last chance.
    sink->retry_at.ns = 0;
    pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
}

enum sink_end sink_finish_drain(struct sink *sink)
{
    int64_t end = sink->drain_end.ns + DRAIN_GRACE_MS * NS_PER_MS;
    struct timespec ts = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
    bool hangs = sink->thread_runs && pthread_clockjoin_np(sink->thread, NULL, CLOCK_MONOTONIC, &ts) != 0;
    sink->thread_runs = hangs;
    pthread_mutex_lock(&sink->lock);
    uint64_t left = spool_discard(&sink->spool) + (hangs ? sink->in_flight : 0);
    sink->stats.dropped_messages += left;
    pthread_mutex_unlock(&sink->lock);
    if (left)
        log_error("[%s] %llu messages could not be delivered before the end", sink->name,
                  (unsigned long long)left);
    if (hangs)
        return SINK_HANGS;
    return left ? SINK_LOST_SOME : SINK_DELIVERED_ALL;
}

void sink_free(struct sink **sink_ptr)
{
    struct sink *sink = *sink_ptr;
    if (!sink)
        return;
    if (sink->thread_runs) {
        sink_begin_drain(sink, 0);
        sink_finish_drain(sink);
    }
    if (sink->state)
        sink->ops->close(sink->state);
    processor_free(&sink->processor);
    spool_release(&sink->spool);
    arena_free(&sink->arena);
    pthread_cond_destroy(&sink->wake);
    pthread_mutex_destroy(&sink->lock);
    mem_free(sink->lines);
    mem_free(sink->name);
    mem_free(sink);
    *sink_ptr = NULL;
}

const char *sink_name(const struct sink *sink)
{
    return sink->name;
}

struct sink_stats sink_read_stats(struct sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    struct sink_stats stats = sink->stats;
    stats.queued_messages = sink->spool.queued_messages;
    stats.queued_bytes = sink->spool.used_bytes;
    pthread_mutex_unlock(&sink->lock);
    return stats;
}
