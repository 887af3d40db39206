// SPDX-License-Identifier: MIT
// About the server itself: GET /metrics (OpenMetrics text) and GET /healthz.
#ifndef BACKEND_OWN_METRICS_H
#define BACKEND_OWN_METRICS_H

#include "backend/engine.h"
#include "backend/jobs.h"
#include "backend/rest.h"
#include "backend/workers.h"
#include "store/store-api.h"

struct own_metrics {
    const struct jobs *jobs;
    const struct store_api *store_api;
    const struct engine *engine;
    const struct workers *workers; // set before requests may come
    struct http_server *server;
};

extern const struct rest_route own_metrics_routes[]; // ctx: struct own_metrics

#endif
