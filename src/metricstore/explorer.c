// SPDX-License-Identifier: MIT
#include "metricstore/explorer.h"

// As script/lib/embed.py writes it.
struct asset {
    const char *path; // "/index.html"
    const char *content_type;
    const char *etag; // with quotes
    struct slice plain, gzip;
};

#include "explorer-data.h"

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

static const struct asset *find(struct slice name)
{
    if (name.len == 0)
        name = SLICE_LITERAL("index.html");
    for (size_t i = 0; i < ASSET_COUNT; i++)
        if (slice_eq_cstr(name, asset_table[i].path + 1))
            return &asset_table[i];
    return NULL;
}

static void serve(void *ctx, struct http_request *req, struct http_response *resp)
{
    const struct asset *asset = find(http_path_param(req, "*"));
    const char *known = http_header(req, "If-None-Match");

    (void)ctx;
    if (!asset) {
        http_set_text(resp, 404, "404 page not found");
        return;
    }
    http_set_header(resp, "ETag", asset->etag);
    http_set_header(resp, "Cache-Control", "no-cache");
    http_set_header(resp, "Content-Security-Policy", page_policy);
    http_set_header(resp, "X-Content-Type-Options", "nosniff");
    http_set_header(resp, "Referrer-Policy", "no-referrer");
    if (known && strcmp(known, asset->etag) == 0) {
        resp->status = 304;
        return;
    }
    http_set_header(resp, "Content-Type", asset->content_type);
    resp->static_body = asset->plain;
}

static void redirect(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    (void)req;
    resp->status = 301;
    http_set_header(resp, "Location", "/swagger/");
}

void explorer_mount(struct http_router *router)
{
    http_router_add(router, "GET", "/swagger", redirect, NULL);
    http_router_add(router, "GET", "/swagger/*", serve, NULL);
}
