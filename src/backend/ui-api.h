// SPDX-License-Identifier: MIT
// What the web interface asks beyond the public REST routes, in batches (docs/ui-api.md).
#ifndef BACKEND_UI_API_H
#define BACKEND_UI_API_H

#include "backend/jobs.h"
#include "backend/rest.h"

struct ui_api {
    const struct jobs *jobs;
    bool demo, authentication;
};

extern const struct rest_route ui_api_routes[]; // ctx: struct ui_api

#endif
