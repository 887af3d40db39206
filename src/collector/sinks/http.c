// SPDX-License-Identifier: MIT
// Sink "http": batches of line protocol by POST, as cc-metric-store takes them (spec messages.md 6.2).
//
// Other than upstream: a batch is given up only when the receiver says that it will never take it (4xx but
// 408 and 429); after transport errors, 408, 429 and 5xx it is sent again with growing waits, Retry-After is
// honoured, any 2xx is success. max_retries is accepted, with a warning where it was changed; the queue's size is the
// only limit (sink.h).
//
// https: certificates are checked against the system's authorities, or against those in the file that the environment
// names as SSL_CERT_FILE, as upstream's run time does.
#include <stdlib.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "collector/http-post.h"
#include "collector/sinks/sinks.h"
#include "net/http-client.h"

#define ANSWER_MAX_BYTES    ((size_t)64 << 10)
#define MAX_RETRIES_DEFAULT 3 // upstream's; the table below says the same

struct http_options {
    struct sink_common common;
    const char *url, *jwt, *username, *password;
    const char *timeout, *idle_connection_timeout, *flush_delay;
    int64_t max_retries;
    const char *precision;
};

struct http_sink {
    struct http_post *plain;    // http://
    struct http_client *client; // https://, made when it is first needed
    struct http_client_options client_options;
    const char *url; // borrowed from the options
    char *authorization, *authorization_header;
};

#define TEXT_OPTION(member, default_, help_)                                                                 \
    {                                                                                                        \
        .key = #member, .type = SETTING_STRING, .offset = offsetof(struct http_options, member),             \
        .default_text = (default_), .help = (help_)                                                          \
    }

static const struct setting http_settings[] = {
    SINK_COMMON_SETTINGS(struct http_options),
    TEXT_OPTION(url, NULL, "full address, query included"),
    {.key = "jwt",
     .type = SETTING_STRING,
     .offset = offsetof(struct http_options, jwt),
     .flags = SETTING_SECRET,
     .help = "bearer token"},
    TEXT_OPTION(username, NULL, "basic authentication; wins over jwt"),
    {.key = "password",
     .type = SETTING_STRING,
     .offset = offsetof(struct http_options, password),
     .flags = SETTING_SECRET,
     .help = "of username"},
    TEXT_OPTION(timeout, "5s", "whole request; 0s: none"),
    TEXT_OPTION(idle_connection_timeout, "120s", "a connection unused for longer is closed"),
    TEXT_OPTION(flush_delay, "5s", "batch window; 0s: every message is a request"),
    {.key = "max_retries",
     .type = SETTING_INT,
     .offset = offsetof(struct http_options, max_retries),
     .default_text = "3",
     .help = "accepted; batches are kept and retried as long as the queue has room"},
    TEXT_OPTION(precision, "s", "of time stamps: s, ms, us, ns"),
    {0},
};

// As upstream: text that is no duration acts as 0.
static int64_t duration_or_zero(const char *key, const char *text, const char *name)
{
    int64_t ns = 0;
    if (*text && duration_parse(slice_from_cstr(text), &ns, NULL) < 0)
        log_warn("[%s] '%s' is no duration: '%s', taken as 0s", name, key, text);
    return MAX(ns, (int64_t)0);
}

static int make_authorization(const struct http_options *o, struct http_sink *s, struct error *err)
{
    struct buf text;
    if (!*o->username && !*o->jwt)
        return 0;
    buf_init(&text, 16 << 10);
    if (*o->username) {
        struct buf pair;
        buf_init(&pair, 8 << 10);
        buf_printf(&pair, "%s:%s", o->username, o->password);
        buf_append_cstr(&text, "Basic ");
        base64_encode_std(buf_slice(&pair), &text);
        buf_release(&pair);
    } else {
        buf_printf(&text, "Bearer %s", o->jwt);
    }
    bool failed = buf_failed(&text);
    s->authorization = slice_to_cstr(buf_slice(&text));
    buf_release(&text);
    if (failed || strpbrk(s->authorization, "\r\n"))
        return error_set(err, ERR_INVALID, "credentials are too long or contain a line end");
    return 0;
}

static int set_up(const struct http_options *o, const char *name, struct http_sink *s, struct error *err)
{
    struct http_url url;
    int rc = http_url_parse(slice_from_cstr(o->url), &url, err);
    if (rc == 0)
        rc = make_authorization(o, s, err);
    if (rc < 0)
        return rc;
    int64_t timeout_ms = duration_or_zero("timeout", o->timeout, name) / NS_PER_MS;
    int64_t idle_ms =
        duration_or_zero("idle_connection_timeout", o->idle_connection_timeout, name) / NS_PER_MS;
    s->url = o->url;
    if (!url.tls) {
        struct http_post_options post = {.url = o->url,
                                         .authorization = s->authorization,
                                         .timeout_ms = timeout_ms,
                                         .idle_timeout_ms = idle_ms};
        return http_post_new(&post, &s->plain, err);
    }
    rc = http_client_global_init(err);
    if (rc < 0)
        return rc;
    const char *ca_file = getenv("SSL_CERT_FILE");
    s->client_options = (struct http_client_options){.timeout_ms = timeout_ms,
                                                     .idle_timeout_ms = idle_ms,
                                                     .ca_file = ca_file && *ca_file ? ca_file : NULL,
                                                     .user_agent = "cc-metric-collector"};
    if (s->authorization) {
        struct buf header;
        buf_init(&header, 32 << 10);
        buf_printf(&header, "Authorization: %s", s->authorization);
        s->authorization_header = slice_to_cstr(buf_slice(&header));
        buf_release(&header);
    }
    return 0;
}

static int http_check(const void *options, struct error *err)
{
    const struct http_options *o = options;
    struct http_url url;
    if (!*o->url)
        return error_set(err, ERR_INVALID, "`url` config option is required for HTTP sink");
    if (*o->username && !*o->password)
        return error_set(err, ERR_INVALID, "basic authentication requires password");
    if (*o->password && !*o->username)
        return error_set(err, ERR_INVALID, "basic authentication requires username");
    return http_url_parse(slice_from_cstr(o->url), &url, err);
}

static void http_close(void *state)
{
    struct http_sink *s = state;
    http_post_free(&s->plain);
    http_client_free(&s->client);
    mem_free(s->authorization);
    mem_free(s->authorization_header);
    mem_free(s);
}

static int http_open(const void *options, const char *name, struct sink_traits *ret_traits, void **ret_state,
                     struct error *err)
{
    const struct http_options *o = options;
    struct http_sink *s = NEW(struct http_sink);
    int rc = http_check(o, err);
    if (rc == 0)
        rc = set_up(o, name, s, err);
    if (rc < 0) {
        http_close(s);
        return rc;
    }
    struct sink_traits traits = {.precision = PRECISION_S,
                                 .flush_delay_ns = duration_or_zero("flush_delay", o->flush_delay, name)};
    traits.one_by_one = traits.flush_delay_ns == 0;
    if (o->max_retries != MAX_RETRIES_DEFAULT)
        log_warn("[%s] max_retries has no effect: a batch is sent again as long as the queue has room", name);
    if (!time_precision_from_name(slice_from_cstr(o->precision), &traits.precision))
        log_warn("[%s] unknown precision '%s', taken as s", name, o->precision);
    *ret_traits = traits;
    *ret_state = s;
    return 0;
}

static int send_tls(struct http_sink *s, struct slice chunk, struct http_reply_head *ret, struct error *err)
{
    if (!s->client)
        s->client = http_client_new(&s->client_options);
    const char *headers[] = {"Content-Type:", s->authorization_header, NULL};
    struct http_client_request request = {.method = "POST", .url = s->url, .body = chunk, .headers = headers};
    struct http_client_reply reply;
    int rc = http_client_do(s->client, &request, ANSWER_MAX_BYTES, &reply, err);
    if (rc < 0)
        return rc;
    *ret = (struct http_reply_head){.status = reply.status, .retry_after_s = -1};
    http_client_reply_release(&reply);
    return 0;
}

static int http_send(void *state, struct slice chunk, int64_t *wait_ms, struct error *err)
{
    struct http_sink *s = state;
    struct http_reply_head reply;
    int rc = s->plain ? http_post_send(s->plain, chunk, &reply, err) : send_tls(s, chunk, &reply, err);
    if (rc < 0)
        return ERR_BUSY; // nobody there, or no sense in what came: the text in *err says what
    if (reply.status >= 200 && reply.status < 300)
        return 0;
    error_set(err, ERR_DENIED, "'%s' answers with status %d", s->url, reply.status);
    if (reply.status == 408 || reply.status == 429 || reply.status >= 500) {
        if (reply.retry_after_s >= 0)
            *wait_ms = MAX(*wait_ms, reply.retry_after_s * 1000);
        return ERR_BUSY;
    }
    return ERR_DENIED;
}

const struct sink_ops sink_http_ops = {
    .type = "http",
    .display = "HttpSink",
    .settings = http_settings,
    .options_size = sizeof(struct http_options),
    .check = http_check,
    .open = http_open,
    .send = http_send,
    .close = http_close,
};
