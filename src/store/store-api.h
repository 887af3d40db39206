// SPDX-License-Identifier: MIT
// HTTP endpoints of the engine, mounted by cc-metric-store and by cc-backend from this one module
// (spec metric-store.md 5). Handlers are thread safe.
//
// Life cycle: store_api_new, store_api_mount, serve; store_api_free only after the server has stopped. The
// store and the guard's context are borrowed and must outlive the api.
//
// Error answers are {"status":"<status text>","error":"<message>"} and a newline. Answers of queries beyond 1
// MiB are streamed, so that a query over a whole cluster needs memory for one query a thread only. Large
// answers are made by several threads (helpers.h), each api has one less than the machine has processors; the text is the same.
#ifndef STORE_STORE_API_H
#define STORE_STORE_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http-server.h"
#include "store/store.h"

struct store_api;

struct store_api_options {
    int64_t (*now_s)(void); // NULL: wall clock
    bool mount_query;       // GET and POST /api/query (cc-metric-store; for cc-backend our demo mode)
    bool mount_healthcheck; // the standalone meaning of /api/healthcheck
    // Called for every request that was refused or kept only in part, on the thread that serves it; for the
    // program's log. 'endpoint' is "/api/write", ...; may be NULL.
    void (*on_refused)(void *ctx, const char *endpoint, const char *peer, const char *text);
    void *on_refused_ctx;
};

struct store_api *store_api_new(struct store *store, const struct store_api_options *options);
void store_api_free(struct store_api **api);
// Adds the routes, each with and without trailing slash (and the prefix form of 5.1), behind 'guard' (may be
// NULL).
void store_api_mount(struct store_api *api, struct http_router *router, http_guard_fn *guard,
                     void *guard_ctx);
// OpenMetrics lines about the engine and these endpoints (counters, latency histograms), without "# EOF".
void store_api_metrics(const struct store_api *api, struct buf *out);

#endif
