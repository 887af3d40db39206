// SPDX-License-Identifier: MIT
// GET /metrics: cc-metric-store about itself as OpenMetrics text. Holds no monitoring data and no host names,
// and is therefore served without a token.
#ifndef METRICSTORE_ABOUT_H
#define METRICSTORE_ABOUT_H

#include "base/clock.h"
#include "metricstore/auth.h"
#include "metricstore/keeper.h"
#include "net/http-server.h"
#include "store/nats-intake.h"
#include "store/store-api.h"

struct about {
    const struct store_api *api;
    const struct auth *auth; // NULL: authentication is off
    const struct http_server *server;
    const struct keeper *keeper;
    struct persist *persist;
    const struct nats_intake *intake; // NULL: no subscriptions
    struct wall_time started;
};

void about_handler(void *ctx, struct http_request *req, struct http_response *resp); // ctx: struct about

#endif
