// SPDX-License-Identifier: MIT
// Shared by the files of store-api: the object, its endpoints, error answers.
#ifndef STORE_STORE_API_PRIVATE_H
#define STORE_STORE_API_PRIVATE_H

#include <stdatomic.h>

#include "base/clock.h"
#include "store/helpers.h"
#include "store/store-api.h"
#include "store/value-text.h"

enum endpoint_id {
    ENDPOINT_QUERY,
    ENDPOINT_WRITE,
    ENDPOINT_FREE,
    ENDPOINT_DEBUG,
    ENDPOINT_HEALTHCHECK,
    ENDPOINT_COUNT
};

#define LATENCY_BUCKETS 14 // finite upper bounds, see store-api-metrics.c

// Relaxed atomics: independent counters, read for display only.
struct endpoint {
    struct store_api *api;
    const char *path;
    http_handler_fn *handler;
    http_guard_fn *guard; // may be NULL
    void *guard_ctx;
    _Atomic uint64_t latency[LATENCY_BUCKETS + 1]; // not cumulative; the last one is +Inf
    _Atomic uint64_t latency_sum_ns;
    _Atomic uint64_t answers_2xx, answers_4xx, answers_5xx;
};

struct store_api {
    struct store *store; // borrowed
    struct store_api_options options;
    struct value_text values;
    struct helpers helpers; // for large queries
    struct endpoint endpoints[ENDPOINT_COUNT];
};

int64_t store_api_now(const struct store_api *api);
// Fills *resp with the JSON error body of 5.2 and tells on_refused. 'resp' must not have a body yet.
void store_api_error(struct store_api *api, enum endpoint_id id, const struct http_request *req,
                     struct http_response *resp, int status, const char *text);
// What upstream's decoder says about a value of another type: 'place' is "value" or "struct field X.y", 'type' the wanted one
// in its language. Programs that were tried with upstream find the same text here.
struct json_value;
int store_api_mismatch(const struct json_value *value, const char *place, const char *type,
                       struct error *err);
// A text as Go's %q prints it, for messages that quote what the client sent.
void store_api_append_quoted(struct buf *out, struct slice text);
// Counts one answered request. For streams: when the last piece was made.
void store_api_record(struct endpoint *endpoint, int status, struct mono_time begin);

// Handlers; ctx is the struct store_api.
void store_api_query(void *ctx, struct http_request *req, struct http_response *resp);

#endif
