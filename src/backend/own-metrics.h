// SPDX-License-Identifier: MIT
// About the server itself: GET /metrics (OpenMetrics text) and GET /healthz.
#ifndef BACKEND_OWN_METRICS_H
#define BACKEND_OWN_METRICS_H

#include <stdatomic.h>

#include "backend/jobs.h"
#include "backend/rest.h"
#include "store/nats-intake.h"
#include "store/store-api.h"

struct own_metrics {
    const struct jobs *jobs;
    const struct store_api *store_api;
    const struct nats_intake *intake;   // NULL: none
    struct http_server *_Atomic server; // set once it runs, when requests may come already; NULL before
};

extern const struct rest_route own_metrics_routes[]; // ctx: struct own_metrics

#endif
