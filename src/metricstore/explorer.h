// SPDX-License-Identifier: MIT
// GET /swagger/ (only with -dev): a page that lists the endpoints and tries them, and the description that it draws,
// /swagger/doc.json (OpenAPI 3.1). The files of explorer/ are embedded by the build; the page loads nothing from elsewhere
// and its Content-Security-Policy allows nothing else. No token is asked for, as upstream.
#ifndef METRICSTORE_EXPLORER_H
#define METRICSTORE_EXPLORER_H

#include "net/http-server.h"

void explorer_mount(struct http_router *router);

#endif
