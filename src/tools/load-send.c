// SPDX-License-Identifier: MIT
#include "tools/load-send.h"

#include <errno.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http-client.h"

#define ATTEMPTS       3
#define RETRY_PAUSE_NS (200 * NS_PER_MS)
#define REPLY_MAX      ((size_t)64 << 10)

// One connection; used by one thread at a time.
struct lane {
    struct load_sender *sender;
    struct http_client *client;
    pthread_t thread;
    size_t index;
    struct load_sent sent;
    struct buf body;
    int64_t from, to; // of the present load_send
    const atomic_bool *stop;
};

struct load_sender {
    const struct load_plan *plan;
    struct load_send_options options;
    struct lane *lanes;
    size_t lane_count;
    struct arena *arena; // of the two texts
    const char *url;
    const char *authorization; // header; NULL: none
    struct log_limit failure_limit;
};

struct load_sender *load_sender_new(const struct load_plan *plan, const struct load_send_options *options)
{
    struct load_sender *sender = NEW(struct load_sender);

    sender->plan = plan;
    sender->options = *options;
    sender->lane_count = (size_t)MIN(options->connections, (int64_t)plan->node_count);
    sender->lanes = NEW_ARRAY(struct lane, sender->lane_count);
    sender->arena = arena_new((size_t)1 << 20);
    sender->url = arena_printf(sender->arena, "%s/api/write", options->url);
    if (*options->token)
        sender->authorization = arena_printf(sender->arena, "Authorization: Bearer %s", options->token);
    for (size_t i = 0; i < sender->lane_count; i++) {
        sender->lanes[i].sender = sender;
        sender->lanes[i].index = i;
        sender->lanes[i].client = http_client_new(&(struct http_client_options){.timeout_ms = 60000});
        buf_init(&sender->lanes[i].body, BUF_MAX_DEFAULT);
    }
    return sender;
}

void load_sender_free(struct load_sender **sender)
{
    if (!*sender)
        return;
    for (size_t i = 0; i < (*sender)->lane_count; i++) {
        http_client_free(&(*sender)->lanes[i].client);
        buf_release(&(*sender)->lanes[i].body);
    }
    mem_free((*sender)->lanes);
    arena_free(&(*sender)->arena);
    mem_free(*sender);
    *sender = NULL;
}

static int post_once(struct lane *lane, struct error *err)
{
    const char *headers[] = {lane->sender->authorization, NULL};
    struct http_client_request request = {.method = "POST",
                                          .url = lane->sender->url,
                                          .body = buf_slice(&lane->body),
                                          .headers = lane->sender->authorization ? headers : NULL};
    struct http_client_reply reply = {0};

    int rc = http_client_do(lane->client, &request, REPLY_MAX, &reply, err);
    if (rc < 0)
        return rc;
    if (reply.status != 200)
        rc = error_set(err, reply.status < 500 ? ERR_INVALID : ERR_BUSY, "status %d: %.*s", reply.status,
                       (int)MIN(reply.body.len, (size_t)200), reply.body.ptr ? reply.body.ptr : "");
    http_client_reply_release(&reply);
    return rc;
}

static void post(struct lane *lane, const struct load_counts *counts)
{
    struct error err = ERROR_INIT;
    int rc = ERR_IO;

    for (int attempt = 0; attempt < ATTEMPTS && rc < 0 && rc != ERR_INVALID; attempt++) {
        if (attempt) {
            lane->sent.retries++;
            clock_sleep_ns(attempt * RETRY_PAUSE_NS);
        }
        lane->sent.requests++;
        rc = post_once(lane, &err);
    }
    if (rc == 0) {
        lane->sent.counts.samples += counts->samples;
        lane->sent.counts.bytes += counts->bytes;
        lane->sent.counts.checksum += counts->checksum;
        return;
    }
    lane->sent.failed_requests++;
    lane->sent.failed_samples += counts->samples;
    log_limited(&lane->sender->failure_limit, LOG_LEVEL_WARN, "lost %llu samples: %s",
                (unsigned long long)counts->samples, err.text);
    if (lane->sent.first_failure.code == ERR_NONE)
        lane->sent.first_failure = err;
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    const struct load_plan *plan = lane->sender->plan;

    for (int64_t ts = lane->from; ts < lane->to; ts += plan->options.interval_s)
        for (size_t node = lane->index; node < plan->node_count; node += lane->sender->lane_count) {
            struct load_counts counts = {0};
            if (atomic_load_explicit(lane->stop, memory_order_relaxed))
                return NULL;
            buf_clear(&lane->body);
            load_render(plan, node, ts, lane->sender->options.shuffle, &lane->body, &counts);
            if (counts.samples > 0)
                post(lane, &counts);
        }
    return NULL;
}

int load_send(struct load_sender *sender, int64_t from, int64_t to, const atomic_bool *stop,
              struct error *err)
{
    size_t started = 0;
    int rc = 0;

    for (; started < sender->lane_count && rc == 0; started++) {
        struct lane *lane = &sender->lanes[started];
        lane->from = from;
        lane->to = to;
        lane->stop = stop;
        rc = pthread_create(&lane->thread, NULL, lane_main, lane);
    }
    if (rc != 0) {
        started--;
        errno = rc;
        rc = error_set_errno(err, "cannot start a thread");
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(sender->lanes[i].thread, NULL);
    return rc;
}

void load_sender_sum(const struct load_sender *sender, struct load_sent *ret)
{
    *ret = (struct load_sent){0};
    for (size_t i = 0; i < sender->lane_count; i++) {
        const struct load_sent *sent = &sender->lanes[i].sent;
        ret->counts.samples += sent->counts.samples;
        ret->counts.bytes += sent->counts.bytes;
        ret->counts.checksum += sent->counts.checksum;
        ret->requests += sent->requests;
        ret->retries += sent->retries;
        ret->failed_requests += sent->failed_requests;
        ret->failed_samples += sent->failed_samples;
        if (ret->first_failure.code == ERR_NONE)
            ret->first_failure = sent->first_failure;
    }
}
