// SPDX-License-Identifier: MIT
#include "backend/assets.h"

#include "assets-data.h"
#include "codec/number.h"

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'none'; form-action 'none'";

static const char no_interface[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>ClusterCockpit</title></head>\n"
    "<body><h1>ClusterCockpit</h1>\n<p>This program was built without the web interface. The programming "
    "interfaces below "
    "<code>/api/</code> work. To have the pages, build with <code>script/build</code> where Node.js is "
    "installed.</p>"
    "</body></html>\n";

struct asset_set assets_embedded(void)
{
    return (struct asset_set){.items = asset_table, .count = ASSET_COUNT};
}

static const struct asset *find(const struct asset_set *set, struct slice path)
{
    for (size_t i = 0; i < set->count; i++) {
        if (slice_eq_cstr(path, set->items[i].path))
            return &set->items[i];
    }
    return NULL;
}

// Pages of the interface (docs/ui-api.md).
static bool is_page(struct slice path)
{
    if (slice_eq_cstr(path, "/") || slice_eq_cstr(path, "/jobs") || slice_eq_cstr(path, "/clusters"))
        return true;
    return slice_starts_with(path, SLICE_LITERAL("/jobs/")) ||
           slice_starts_with(path, SLICE_LITERAL("/clusters/"));
}

// "gzip" or "*" in the list, unless its quality is 0.
static bool accepts_gzip(const char *header)
{
    struct slice rest = slice_from_cstr(header);
    while (rest.ptr && rest.len) {
        struct slice item = slice_split(&rest, ','), params = item;
        struct slice name = slice_trim(slice_split(&params, ';'));
        if (!slice_eq_ignore_case(name, SLICE_LITERAL("gzip")) && !slice_eq_cstr(name, "*"))
            continue;
        double q = 1;
        struct slice quality = slice_trim(params.ptr ? params : SLICE_EMPTY);
        if (slice_starts_with(quality, SLICE_LITERAL("q=")) &&
            number_parse_json(slice_skip(quality, 2), &q, NULL))
            q = 1;
        return q > 0;
    }
    return false;
}

static void serve(const struct asset *a, const struct http_request *req, struct http_response *resp)
{
    const char *known = http_header(req, "If-None-Match");
    bool hashed = slice_starts_with(slice_from_cstr(a->path), SLICE_LITERAL("/assets/"));
    http_set_header(resp, "ETag", a->etag);
    http_set_header(resp, "Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    http_set_header(resp, "Vary", "Origin, Accept-Encoding");
    if (known && slice_contains(slice_from_cstr(known), slice_from_cstr(a->etag))) {
        resp->status = 304;
        return;
    }
    resp->status = 200;
    http_set_header(resp, "Content-Type", a->content_type);
    resp->no_compress = true;
    resp->static_body = a->plain;
    if (a->gzip.len < a->plain.len && accepts_gzip(http_header(req, "Accept-Encoding"))) {
        http_set_header(resp, "Content-Encoding", "gzip");
        resp->static_body = a->gzip;
    }
}

void assets_serve(void *ctx, struct http_request *req, struct http_response *resp)
{
    const struct asset_set *set = ctx;
    bool reading = slice_eq_cstr(req->method, "GET") || slice_eq_cstr(req->method, "HEAD");
    http_set_header(resp, "Content-Security-Policy", page_policy);
    const struct asset *a = reading ? find(set, req->path) : NULL;
    if (!a && reading && is_page(req->path))
        a = find(set, SLICE_LITERAL("/index.html"));
    if (a) {
        serve(a, req, resp);
    } else if (reading && is_page(req->path)) {
        resp->status = 200;
        http_set_header(resp, "Content-Type", "text/html; charset=utf-8");
        http_set_header(resp, "Cache-Control", "no-cache");
        buf_append_cstr(&resp->body, no_interface);
    } else {
        resp->status = 404;
        http_set_header(resp, "Content-Type", "text/html; charset=utf-8");
        buf_append_cstr(&resp->body,
                        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Page Not "
                        "Found</title></head>\n<body><h1>Page Not Found</h1><p><a href=\"/\">Start "
                        "page</a></p></body></html>\n");
    }
}
