// SPDX-License-Identifier: MIT
// The built web interface, embedded by script/lib/embed.py, and how it is served: names with a hash are
// immutable, every page path gives index.html, a strict Content-Security-Policy allows nothing from
// elsewhere.
#ifndef BACKEND_ASSETS_H
#define BACKEND_ASSETS_H

#include "base/slice.h"
#include "net/http-server.h"

struct asset {
    const char *path; // "/assets/app-1a2b3c4d.js"
    const char *content_type;
    const char *etag; // with quotes
    struct slice plain, gzip;
};

struct asset_set {
    const struct asset *items;
    size_t count;
};

// What the build embedded; count 0 when it was built without the interface.
struct asset_set assets_embedded(void);
// Answers GET and HEAD of pages and files (http_handler_fn; ctx: struct asset_set). Security headers are
// already set.
void assets_serve(void *ctx, struct http_request *req, struct http_response *resp);

#endif
