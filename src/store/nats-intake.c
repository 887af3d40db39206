// SPDX-License-Identifier: MIT
#include "store/nats-intake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/queue.h"
#include "codec/openmetrics.h"
#include "store/nats-intake-private.h"

#define MAX_WORKERS      256
#define GROUP_MESSAGES   256 // that are committed together
#define GROUP_BYTES      (4 << 20)
#define QUEUE_MESSAGES   8192
#define QUEUE_BYTES      ((size_t)64 << 20)
#define RETRY_MS         30000
#define RETRY_MIN_MS     20
#define RETRY_MAX_MS     1000
#define FLUSH_MS         2000
#define FIRST_ATTEMPT_MS 1000
#define SEND_BACK_MS     5000 // how long the server waits with a message that we send back
#define HOST_WITHIN      512  // bytes of the first line in which the host is looked for

struct source { // a subscription
    struct nats_intake *intake;
    char *cluster_tag;
    size_t index; // in struct nats
};

struct item { // a message in a queue
    struct nats_message *message;
    const struct source *source;
    size_t bytes;
    bool taken; // by the engine
};

struct worker {
    struct nats_intake *intake;
    struct queue *queue; // struct item *
    pthread_t thread;
};

struct nats_intake {
    struct store *store;
    struct nats_intake_options options; // defaults filled in; 'subscriptions' is not kept
    struct nats *nats;
    struct source **sources;
    size_t source_count;
    struct worker *workers;
    size_t worker_count;

    // Bytes in all queues, so that large messages cannot fill the memory.
    pthread_mutex_t lock;
    pthread_cond_t room;
    size_t queued_bytes; // under lock

    _Atomic bool stopping;
    struct log_limit line_limit, commit_limit, lost_limit;
    _Atomic uint64_t lost, messages_with_errors, commits, failed_commits, acknowledged, sent_back,
        failed_acknowledgements;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void PRINTF_LIKE(4, 5)
    report(struct nats_intake *intake, struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
    const struct nats_options *o = &intake->options.connection;
    char text[ERROR_TEXT_SIZE];
    uint64_t held = 0;
    va_list args;

    if (!o->report || (limit && !log_limit_pass(limit, 5, 10000, &held)))
        return;
    va_start(args, fmt);
    size_t len = (size_t)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (held && len < sizeof(text))
        (void)snprintf(text + len, sizeof(text) - len, " (%llu like it held back)", (unsigned long long)held);
    o->report(o->report_ctx, level, text);
}

// ---- into the queues ----------------------------------------------------------------------------------------------

// A message larger than all may go alone.
static void wait_for_room(struct nats_intake *intake, size_t bytes)
{
    pthread_mutex_lock(&intake->lock);
    while (intake->queued_bytes > 0 && intake->queued_bytes + bytes > intake->options.queue_bytes)
        pthread_cond_wait(&intake->room, &intake->lock);
    intake->queued_bytes += bytes;
    pthread_mutex_unlock(&intake->lock);
}

static void give_room(struct nats_intake *intake, size_t bytes)
{
    pthread_mutex_lock(&intake->lock);
    intake->queued_bytes -= bytes;
    pthread_cond_broadcast(&intake->room);
    pthread_mutex_unlock(&intake->lock);
}

// The value of the tag hostname or host of the first line; empty: none. A line that escapes is taken as it stands: what counts
// is that the same host gives the same text.
static struct slice first_host(struct slice payload)
{
    const struct slice keys[] = {SLICE_LITERAL(",hostname="), SLICE_LITERAL(",host=")};
    struct slice head = slice_of(payload.ptr, MIN(payload.len, (size_t)HOST_WITHIN));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        ptrdiff_t at = slice_find(head, keys[i]);
        if (at < 0)
            continue;
        struct slice value = slice_skip(head, (size_t)at + keys[i].len);
        size_t len = 0;
        while (len < value.len && value.ptr[len] != ',' && value.ptr[len] != ' ' && value.ptr[len] != '\n')
            len++;
        return slice_of(value.ptr, len);
    }
    return SLICE_EMPTY;
}

size_t nats_intake_route(const struct nats_intake *intake, struct slice subject, struct slice payload)
{
    if (intake->worker_count == 1)
        return 0;
    struct slice host = first_host(payload);
    return slice_hash(host.len ? host : subject) % intake->worker_count;
}

static void take(const struct source *source, struct nats_message *message)
{
    struct nats_intake *intake = source->intake;
    struct slice payload = nats_message_payload(message);
    size_t worker = nats_intake_route(intake, nats_message_subject(message), payload);
    struct item *item = NEW(struct item);
    *item = (struct item){.message = message, .source = source, .bytes = payload.len};
    wait_for_room(intake, item->bytes);
    ASSERT(queue_push(intake->workers[worker].queue, item, NULL) == 0); // closed after the last message only
}

static void on_message(void *ctx, struct nats_message *message)
{
    take(ctx, message);
}

void nats_intake_take(struct nats_intake *intake, size_t subscription, struct nats_message *message)
{
    take(intake->sources[subscription], message);
}

// ---- a group of messages ------------------------------------------------------------------------------------------

struct group {
    struct item *items[GROUP_MESSAGES];
    size_t count, bytes;
    struct store_span span; // of all of them
};

// Waits for a message and takes what is there besides. False: closed and empty.
static bool take_group(struct worker *worker, struct group *group)
{
    int64_t timeout_ms = -1;
    *group = (struct group){.count = 0};
    while (group->count < GROUP_MESSAGES && group->bytes < GROUP_BYTES) {
        void *item = NULL;
        if (queue_pop(worker->queue, timeout_ms, &item) != 1)
            break;
        group->items[group->count] = item;
        group->bytes += group->items[group->count++]->bytes;
        timeout_ms = 0;
    }
    return group->count > 0;
}

static int64_t wall_now_s(void)
{
    return wall_seconds(clock_wall());
}

static int offer(struct nats_intake *intake, const struct item *item, struct store_write_result *ret)
{
    int64_t time_s = nats_message_time_s(item->message);
    struct store_write write = {.body = nats_message_payload(item->message),
                                .default_cluster = slice_from_cstr(item->source->cluster_tag),
                                .now_s = time_s ? time_s : intake->options.now_s(),
                                .defer_commit = true};
    return intake->options.ingest(intake->store, &write, ret);
}

static bool is_taken(int rc)
{
    return rc == 0 || rc == ERR_INVALID;
}

// Plain messages come once only: better to let the queue fill than to lose them.
static int insist(struct nats_intake *intake, const struct item *item, struct store_write_result *ret)
{
    struct mono_time begin = clock_mono();
    int64_t pause_ms = RETRY_MIN_MS;
    int rc = offer(intake, item, ret);
    while (!is_taken(rc) && !nats_message_wants_ack(item->message) && !atomic_load(&intake->stopping) &&
           mono_diff_ns(clock_mono(), begin) < intake->options.retry_ms * NS_PER_MS) {
        clock_sleep_ns(pause_ms * NS_PER_MS);
        pause_ms = MIN(2 * pause_ms, (int64_t)RETRY_MAX_MS);
        rc = offer(intake, item, ret);
    }
    return rc;
}

static void ingest(struct nats_intake *intake, struct group *group, struct item *item)
{
    struct store_write_result result = {.stored = 0};
    int rc = insist(intake, item, &result);
    item->taken = is_taken(rc);
    store_span_join(&group->span, result.span);
    if (rc == ERR_INVALID) {
        count(&intake->messages_with_errors);
        report(intake, &intake->line_limit, LOG_LEVEL_ERROR, "NATS: subject=%.*s %s",
               SLICE_FMT(nats_message_subject(item->message)), result.first_error.text);
    } else if (!item->taken && !nats_message_wants_ack(item->message)) {
        count(&intake->lost);
        report(intake, &intake->lost_limit, LOG_LEVEL_ERROR,
               "NATS: subject=%.*s a message is lost: the store does not take it (%s)",
               SLICE_FMT(nats_message_subject(item->message)), error_code_name((enum error_code)rc));
    }
}

static bool commit(struct nats_intake *intake, const struct store_span *span)
{
    struct error err = ERROR_INIT;
    if (span->begin == span->end)
        return true;
    if (intake->options.commit(intake->store, span, &err) == 0) {
        count(&intake->commits);
        return true;
    }
    count(&intake->failed_commits);
    report(intake, &intake->commit_limit, LOG_LEVEL_ERROR,
           "NATS: messages are not safe on disk: %s; those of JetStream come again", err.text);
    return false;
}

// Tells the server what became of the message, and frees it.
static void settle(struct nats_intake *intake, struct item *item, bool committed)
{
    bool done = item->taken && committed;
    int rc = 0;
    if (nats_message_wants_ack(item->message)) {
        rc = done ? nats_message_ack(item->message, NULL)
                  : nats_message_nak(item->message, SEND_BACK_MS, NULL);
        count(done ? &intake->acknowledged : &intake->sent_back);
        if (rc < 0)
            count(&intake->failed_acknowledgements);
    }
    nats_message_free(&item->message);
    mem_free(item);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct nats_intake *intake = worker->intake;
    struct group group;
    while (take_group(worker, &group)) {
        for (size_t i = 0; i < group.count; i++)
            ingest(intake, &group, group.items[i]);
        bool committed = commit(intake, &group.span);
        for (size_t i = 0; i < group.count; i++)
            settle(intake, group.items[i], committed);
        give_room(intake, group.bytes);
    }
    return NULL;
}

// ---- life ---------------------------------------------------------------------------------------------------------

static int64_t count_workers(int64_t wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted > 0)
        return MIN(wanted, (int64_t)MAX_WORKERS);
    return MIN((processors > 0 ? processors : 1) / 2 + 1, 10);
}

static void set_options(struct nats_intake *intake, const struct nats_intake_options *options)
{
    struct nats_intake_options *o = &intake->options;
    *o = *options;
    o->subscriptions = NULL;
    o->workers = count_workers(o->workers);
    if (o->queue_messages == 0)
        o->queue_messages = MAX(256 * (size_t)o->workers, (size_t)QUEUE_MESSAGES);
    if (o->queue_bytes == 0)
        o->queue_bytes = QUEUE_BYTES;
    if (o->retry_ms == 0)
        o->retry_ms = RETRY_MS;
    if (!o->now_s)
        o->now_s = wall_now_s;
    if (!o->ingest)
        o->ingest = store_ingest;
    if (!o->commit)
        o->commit = store_commit;
}

static void free_source(struct source *source)
{
    mem_free(source->cluster_tag);
    mem_free(source);
}

static int subscribe(struct nats_intake *intake, const struct nats_intake_subscription *s, struct error *err)
{
    struct source *source = NEW(struct source);
    struct nats_subscription_options options = {.subject = s->subject,
                                                .stream = s->stream,
                                                .durable = s->durable,
                                                .deliver_new = s->deliver_new,
                                                .pending_messages = intake->options.pending_messages,
                                                .pending_bytes = intake->options.pending_bytes,
                                                .on_message = on_message,
                                                .ctx = source};
    *source =
        (struct source){.intake = intake, .cluster_tag = mem_strdup(s->cluster_tag ? s->cluster_tag : "")};
    int rc = nats_subscribe(intake->nats, &options, &source->index, err);
    if (rc < 0) {
        free_source(source);
        return error_prefix(err, "NATS");
    }
    intake->sources = mem_grow_array(intake->sources, intake->source_count, intake->source_count + 1,
                                     sizeof(struct source *));
    intake->sources[intake->source_count++] = source;
    return 0;
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

// The earlier entry with this subject, or NULL.
static const struct nats_intake_subscription *earlier(const struct nats_intake_options *o, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (same(o->subscriptions[i].subject, o->subscriptions[index].subject))
            return &o->subscriptions[i];
    return NULL;
}

static bool shares_consumer(const struct nats_intake_options *o, size_t index)
{
    const struct nats_intake_subscription *s = &o->subscriptions[index];
    for (size_t i = 0; i < index && s->durable && *s->durable; i++)
        if (same(o->subscriptions[i].stream, s->stream) && same(o->subscriptions[i].durable, s->durable))
            return true;
    return false;
}

static int subscribe_all(struct nats_intake *intake, const struct nats_intake_options *o, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < o->subscription_count && rc == 0; i++) {
        const struct nats_intake_subscription *s = &o->subscriptions[i], *first = earlier(o, i);
        if (first)
            report(intake, NULL, LOG_LEVEL_WARN,
                   "NATS: the subject '%s' is configured twice: subscribed once, with cluster-tag '%s', not "
                   "'%s'",
                   s->subject, first->cluster_tag ? first->cluster_tag : "",
                   s->cluster_tag ? s->cluster_tag : "");
        else if (shares_consumer(o, i))
            rc = error_set(err, ERR_INVALID, "NATS: subject '%s': the consumer '%s' is used twice",
                           s->subject, s->durable);
        else
            rc = subscribe(intake, s, err);
    }
    return rc;
}

static int start_workers(struct nats_intake *intake, struct error *err)
{
    size_t wanted = (size_t)intake->options.workers;
    size_t each = MAX(intake->options.queue_messages / wanted, (size_t)1);
    intake->workers = NEW_ARRAY(struct worker, wanted);
    for (; intake->worker_count < wanted; intake->worker_count++) {
        struct worker *worker = &intake->workers[intake->worker_count];
        *worker = (struct worker){.intake = intake, .queue = queue_new(each)};
        int code = pthread_create(&worker->thread, NULL, work, worker);
        if (code) {
            queue_free(&worker->queue);
            return error_set(err, ERR_IO, "NATS: cannot make a thread: %s", strerror(code));
        }
    }
    return 0;
}

int nats_intake_new(struct store *store, const struct nats_intake_options *options,
                    struct nats_intake **ret_intake, struct error *err)
{
    struct nats_intake *intake = NEW(struct nats_intake);
    intake->store = store;
    pthread_mutex_init(&intake->lock, NULL);
    pthread_cond_init(&intake->room, NULL);
    set_options(intake, options);
    int rc = nats_new(&options->connection, &intake->nats, err);
    if (rc < 0)
        ignore_result(error_prefix(err, "NATS"));
    else
        rc = subscribe_all(intake, options, err);
    if (rc == 0)
        rc = start_workers(intake, err);
    if (rc < 0)
        nats_intake_free(&intake);
    else
        *ret_intake = intake;
    return rc;
}

int nats_intake_start(struct store *store, const struct nats_intake_options *options,
                      struct nats_intake **ret_intake, struct error *err)
{
    struct nats_intake *intake = NULL;
    int rc = nats_intake_new(store, options, &intake, err);
    if (rc == 0 && (rc = nats_start(intake->nats, err)) < 0)
        ignore_result(error_prefix(err, "NATS"));
    if (rc < 0) {
        nats_intake_free(&intake);
        return rc;
    }
    (void)nats_wait_subscribed(intake->nats, FIRST_ATTEMPT_MS);
    *ret_intake = intake;
    return rc;
}

void nats_intake_stop(struct nats_intake *intake)
{
    struct nats_intake_stats stats;
    if (!intake || atomic_load(&intake->stopping))
        return;
    if (intake->nats)
        nats_stop_intake(intake->nats); // the workers go on meanwhile
    atomic_store(&intake->stopping, true);
    for (size_t i = 0; i < intake->worker_count; i++)
        queue_close(intake->workers[i].queue);
    for (size_t i = 0; i < intake->worker_count; i++)
        pthread_join(intake->workers[i].thread, NULL);
    if (!intake->nats)
        return;
    ignore_result(nats_flush(intake->nats, FLUSH_MS, NULL)); // without a server there is nothing to wait for
    nats_intake_stats(intake, &stats);
    report(intake, NULL, LOG_LEVEL_INFO, "NATS: stopped: messages=%llu dropped=%llu lost=%llu",
           (unsigned long long)stats.messages, (unsigned long long)stats.dropped,
           (unsigned long long)stats.lost);
}

void nats_intake_free(struct nats_intake **intake_ptr)
{
    struct nats_intake *intake = *intake_ptr;
    if (!intake)
        return;
    nats_intake_stop(intake);
    nats_free(&intake->nats);
    for (size_t i = 0; i < intake->worker_count; i++)
        queue_free(&intake->workers[i].queue);
    for (size_t i = 0; i < intake->source_count; i++)
        free_source(intake->sources[i]);
    mem_free(intake->sources);
    mem_free(intake->workers);
    pthread_cond_destroy(&intake->room);
    pthread_mutex_destroy(&intake->lock);
    mem_free(intake);
    *intake_ptr = NULL;
}

struct nats *nats_intake_connection(struct nats_intake *intake)
{
    return intake->nats;
}

size_t nats_intake_subscription_count(const struct nats_intake *intake)
{
    return intake->source_count;
}

// ---- about itself -------------------------------------------------------------------------------------------------

static void add_subscriptions(const struct nats_intake *intake, struct nats_intake_stats *ret)
{
    for (size_t i = 0; i < intake->source_count; i++) {
        struct nats_subscription_stats s;
        nats_subscription_stats(intake->nats, intake->sources[i]->index, &s);
        ret->messages += s.messages;
        ret->bytes += s.bytes;
        ret->dropped += s.dropped;
        ret->waiting += s.waiting;
        ret->redelivered += s.redelivered;
        ret->stream_pending += s.stream_pending;
    }
}

void nats_intake_stats(const struct nats_intake *intake, struct nats_intake_stats *ret)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&intake->lock;
    *ret = (struct nats_intake_stats){.lost = load(&intake->lost),
                                      .messages_with_errors = load(&intake->messages_with_errors),
                                      .commits = load(&intake->commits),
                                      .failed_commits = load(&intake->failed_commits),
                                      .acknowledged = load(&intake->acknowledged),
                                      .sent_back = load(&intake->sent_back),
                                      .failed_acknowledgements = load(&intake->failed_acknowledgements)};
    nats_stats(intake->nats, &ret->connection);
    add_subscriptions(intake, ret);
    for (size_t i = 0; i < intake->worker_count; i++)
        ret->queued_messages += queue_length(intake->workers[i].queue);
    pthread_mutex_lock(lock);
    ret->queued_bytes = intake->queued_bytes;
    pthread_mutex_unlock(lock);
}

#define STAT(member) offsetof(struct nats_intake_stats, member)

static const struct openmetrics_row rows[] = {
    {"cc_nats_connects", OPENMETRICS_COUNTER, "", STAT(connection.connects),
     "Connections to NATS that came about."},
    {"cc_nats_failed_connects", OPENMETRICS_COUNTER, "", STAT(connection.failed_connects),
     "Attempts that did not."},
    {"cc_nats_disconnects", OPENMETRICS_COUNTER, "", STAT(connection.disconnects),
     "Connections to NATS that were lost."},
    {"cc_nats_messages", OPENMETRICS_COUNTER, "", STAT(messages), "Messages received."},
    {"cc_nats_received_bytes", OPENMETRICS_COUNTER, "", STAT(bytes), "Bytes of their payloads."},
    {"cc_nats_lost_messages", OPENMETRICS_COUNTER, "{reason=\"slow_consumer\"}", STAT(dropped),
     "Messages that were lost: dropped by the client library, or not taken by the engine in time."},
    {"cc_nats_lost_messages", OPENMETRICS_COUNTER, "{reason=\"not_taken\"}", STAT(lost), NULL},
    {"cc_nats_messages_with_errors", OPENMETRICS_COUNTER, "", STAT(messages_with_errors),
     "Messages with lines that were refused."},
    {"cc_nats_queued_messages", OPENMETRICS_GAUGE, "{place=\"queue\"}", STAT(queued_messages),
     "Messages that wait."},
    {"cc_nats_queued_messages", OPENMETRICS_GAUGE, "{place=\"client\"}", STAT(waiting), NULL},
    {"cc_nats_queued_bytes", OPENMETRICS_GAUGE, "", STAT(queued_bytes), "Bytes in the queue."},
    {"cc_nats_commits", OPENMETRICS_COUNTER, "{result=\"done\"}", STAT(commits),
     "Commits of groups of messages."},
    {"cc_nats_commits", OPENMETRICS_COUNTER, "{result=\"failed\"}", STAT(failed_commits), NULL},
    {"cc_nats_acknowledgements", OPENMETRICS_COUNTER, "{kind=\"ack\"}", STAT(acknowledged),
     "JetStream messages that were acknowledged or sent back."},
    {"cc_nats_acknowledgements", OPENMETRICS_COUNTER, "{kind=\"nak\"}", STAT(sent_back), NULL},
    {"cc_nats_failed_acknowledgements", OPENMETRICS_COUNTER, "", STAT(failed_acknowledgements),
     "Acknowledgements of both kinds that could not be sent: the message comes again."},
    {"cc_nats_redelivered_messages", OPENMETRICS_COUNTER, "", STAT(redelivered),
     "JetStream messages that came again."},
    {"cc_nats_stream_pending_messages", OPENMETRICS_GAUGE, "", STAT(stream_pending),
     "JetStream messages still to come, as of the last one."},
};

void nats_intake_metrics(const struct nats_intake *intake, struct buf *out)
{
    struct nats_intake_stats stats;
    if (!intake)
        return;
    nats_intake_stats(intake, &stats);
    openmetrics_gauge(out, "cc_nats_connected", "Whether there is a connection to NATS.",
                      stats.connection.connected);
    openmetrics_rows(out, rows, ARRAY_LEN(rows), &stats);
}
