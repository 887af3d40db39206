// SPDX-License-Identifier: MIT
// HTTP endpoints of the engine, mounted by cc-metric-store and by cc-backend from this one module
// (spec metric-store.md 5). Handlers are thread safe.
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
};

struct store_api *store_api_new(struct store *store, const struct store_api_options *options);
void store_api_free(struct store_api **api);
// Adds the routes, each with and without trailing slash (and the prefix form of 5.1), behind 'guard' (may be NULL).
void store_api_mount(struct store_api *api, struct http_router *router, http_guard_fn *guard, void *guard_ctx);
// OpenMetrics lines about the engine and these endpoints (counters, latency histograms), without "# EOF".
void store_api_metrics(const struct store_api *api, struct buf *out);

#endif
