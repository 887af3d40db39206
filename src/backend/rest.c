// SPDX-License-Identifier: MIT
#include "backend/rest.h"

#include "base/mem.h"
#include "codec/json-writer.h"

struct bound_route {
    struct rest *rest;
    const struct rest_route *route;
    void *ctx;
    struct bound_route *next;
};

struct rest {
    const struct auth *auth;
    struct http_router *router; // borrowed
    struct bound_route *routes;
    http_handler_fn *pages;
    void *pages_ctx;
};

// ---- bodies -----------------------------------------------------------------------------------------------
void rest_json(struct http_response *resp, int status)
{
    resp->status = status;
    http_set_header(resp, "Content-Type", "application/json");
}

int rest_parse_body(const struct http_request *req, struct json_doc **ret_doc, struct error *err)
{
    if (req->body.len > REST_MAX_JSON_BYTES)
        return error_set(err, ERR_LIMIT, "request body is larger than %zu bytes", REST_MAX_JSON_BYTES);
    if (req->body_truncated)
        return error_set(err, ERR_INVALID, "unexpected EOF");
    return json_parse(req->body, ret_doc, err) ? ERR_INVALID : 0; // nested too deeply is not too long
}

static void put_member(struct buf *out, const char *key, struct slice text, bool last)
{
    json_append_quoted(out, slice_from_cstr(key));
    buf_append_byte(out, ':');
    json_append_quoted(out, text);
    buf_append_cstr(out, last ? "}\n" : ",");
}

void rest_error(struct http_response *resp, int status, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    buf_clear(&resp->body);
    buf_append_byte(&resp->body, '{');
    put_member(&resp->body, "status", slice_from_cstr(http_status_text(status)), false);
    put_member(&resp->body, "error", slice_from_cstr(text), true);
    rest_json(resp, status);
}

void rest_message(struct http_response *resp, int status, const char *text)
{
    buf_append_byte(&resp->body, '{');
    put_member(&resp->body, "msg", slice_from_cstr(text), true);
    rest_json(resp, status);
}

// Refusals have the members in the other order (4.1.2).
static void refuse(struct http_response *resp, int status, const char *reason, const char *text)
{
    buf_clear(&resp->body);
    buf_append_byte(&resp->body, '{');
    put_member(&resp->body, "error", slice_from_cstr(text), false);
    put_member(&resp->body, "status", slice_from_cstr(reason), true);
    rest_json(resp, status);
}

// ---- headers ----------------------------------------------------------------------------------------------
void rest_set_security_headers(const struct http_request *req, struct http_response *resp)
{
    const char *proto = http_header(req, "X-Forwarded-Proto");
    http_set_header(resp, "X-Content-Type-Options", "nosniff");
    http_set_header(resp, "X-Frame-Options", "DENY");
    http_set_header(resp, "Referrer-Policy", "same-origin");
    http_set_header(resp, "Content-Security-Policy",
                    "frame-ancestors 'none'; object-src 'none'; base-uri 'self'");
    http_set_header(resp, "Vary", "Origin");
    if (http_header(req, "Origin"))
        http_set_header(resp, "Access-Control-Allow-Origin", "*");
    if (req->tls || (proto && strcmp(proto, "https") == 0))
        http_set_header(resp, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
}

static bool is_method(const struct http_request *req, const char *name)
{
    return slice_eq_cstr(req->method, name);
}

// A page of another site must not make a browser change something here (auth.md 12.3).
static bool is_cross_site(const struct http_request *req)
{
    const char *site = http_header(req, "Sec-Fetch-Site");
    bool safe = is_method(req, "GET") || is_method(req, "HEAD") || is_method(req, "OPTIONS") ||
                is_method(req, "TRACE");
    return !safe && site && strcmp(site, "cross-site") == 0;
}

// The list's own spelling, or NULL.
static const char *in_list(struct slice item, const char *const *list)
{
    for (; *list; list++) {
        if (slice_eq_ignore_case(item, slice_from_cstr(*list)))
            return *list;
    }
    return NULL;
}

// Answer to a CORS preflight (auth.md 12.2): 200 and, when method and headers are allowed, an echo of what
// was asked.
static void answer_preflight(const struct http_request *req, struct http_response *resp, const char *method)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "OPTIONS", NULL};
    static const char *const headers[] = {"X-Requested-With", "Content-Type", "Authorization", "Origin",
                                          NULL};
    struct slice wanted = slice_from_cstr(http_header(req, "Access-Control-Request-Headers"));
    const char *allowed = "", *found = in_list(slice_from_cstr(method), methods);
    bool ok = found && http_header(req, "Origin");
    for (struct slice rest = wanted; ok && rest.ptr && wanted.len;) {
        found = in_list(slice_trim(slice_split(&rest, ',')), headers);
        ok = found != NULL;
        allowed = arena_printf(req->arena, "%s%s%s", allowed, allowed[0] ? ", " : "", ok ? found : "");
    }
    resp->status = 200;
    resp->header_count = 0;
    http_set_header(resp, "Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if (!ok)
        return;
    http_set_header(resp, "Access-Control-Allow-Origin", "*");
    http_set_header(resp, "Access-Control-Allow-Methods", method);
    if (wanted.len)
        http_set_header(resp, "Access-Control-Allow-Headers", allowed);
}

// ---- routes -----------------------------------------------------------------------------------------------
static bool is_api_path(struct slice path)
{
    static const char *const prefixes[] = {"/api/", "/userapi/", "/frontend/", "/config/", "/ui/api/"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (slice_starts_with(path, slice_from_cstr(prefixes[i])))
            return true;
    }
    return false;
}

static int without_allow(struct http_response *resp)
{
    int n = 0;
    for (int i = 0; i < resp->header_count; i++) {
        if (strcmp(resp->headers[i].name, "Allow") != 0)
            resp->headers[n++] = resp->headers[i];
    }
    return n;
}

// The wrapper counts HEAD as allowed where GET is; upstream does not (4.1.1).
static void answer_wrong_method(struct http_request *req, struct http_response *resp)
{
    static const char *const known[] = {"GET",    "HEAD",  "POST",    "PUT",     "PATCH",
                                        "DELETE", "TRACE", "OPTIONS", "CONNECT", NULL};
    for (int i = 0; i < resp->header_count; i++) {
        if (strcmp(resp->headers[i].name, "Allow") != 0)
            continue;
        struct slice rest = slice_from_cstr(resp->headers[i].value);
        struct buf allow;
        buf_init(&allow, 4096);
        while (rest.ptr) {
            struct slice method = slice_trim(slice_split(&rest, ','));
            if (!slice_eq_cstr(method, "HEAD"))
                buf_printf(&allow, "%s%.*s", allow.len ? ", " : "", SLICE_FMT(method));
        }
        resp->headers[i].value = arena_strdup(req->arena, buf_slice(&allow));
        buf_release(&allow);
    }
    // A method that HTTP does not know: nobody could make use of the list.
    if (!in_list(req->method, known))
        resp->header_count = without_allow(resp);
    buf_clear(&resp->body);
    resp->status = 405;
}

static void unknown(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct rest *rest = ctx;
    const char *preflight = http_header(req, "Access-Control-Request-Method");
    if (is_method(req, "OPTIONS") && preflight) {
        answer_preflight(req, resp, preflight);
        return;
    }
    rest_set_security_headers(req, resp);
    if (is_cross_site(req))
        http_set_text(resp, 403, "cross-site request blocked");
    else if (resp->status == 405)
        answer_wrong_method(req, resp);
    else if (is_api_path(req->path))
        refuse(resp, 404, "Resource not found", "the requested endpoint does not exist");
    else if (rest->pages)
        rest->pages(rest->pages_ctx, req, resp);
    else
        http_set_text(resp, 404, "404 page not found");
}

// False: the answer is complete.
static bool enter(struct rest *rest, enum route_class class, struct http_request *req,
                  struct http_response *resp, struct user *user)
{
    struct error err = ERROR_INIT;
    rest_set_security_headers(req, resp);
    if (is_cross_site(req)) {
        http_set_text(resp, 403, "cross-site request blocked");
        return false;
    }
    if (auth_check(rest->auth, class, req, user, &err)) {
        refuse(resp, 401, "Unauthorized", err.text);
        return false;
    }
    return true;
}

static void dispatch(void *ctx, struct http_request *req, struct http_response *resp)
{
    const struct bound_route *b = ctx;
    struct user user;
    if (is_method(req, "HEAD") && b->route->class != ROUTE_PUBLIC) {
        rest_set_security_headers(req, resp);
        http_set_header(resp, "Allow", "GET");
        resp->status = 405;
        return;
    }
    if (enter(b->rest, b->route->class, req, resp, &user))
        b->route->handler(b->ctx, req, &user, resp);
}

bool rest_guard_metric(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct user user;
    return enter(ctx, ROUTE_METRIC, req, resp, &user);
}

struct rest *rest_new(const struct auth *auth, struct http_router *router)
{
    struct rest *rest = NEW(struct rest);
    rest->auth = auth;
    rest->router = router;
    http_router_set_not_found(router, unknown, rest);
    return rest;
}

void rest_free(struct rest **rest)
{
    if (!*rest)
        return;
    for (struct bound_route *b = (*rest)->routes, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    mem_free(*rest);
    *rest = NULL;
}

void rest_add(struct rest *rest, const struct rest_route *routes, void *ctx)
{
    for (const struct rest_route *r = routes; r->method; r++) {
        struct bound_route *b = NEW(struct bound_route);
        *b = (struct bound_route){.rest = rest, .route = r, .ctx = ctx, .next = rest->routes};
        rest->routes = b;
        http_router_add(rest->router, r->method, r->path, dispatch, b);
    }
}

void rest_set_pages(struct rest *rest, http_handler_fn *handler, void *ctx)
{
    rest->pages = handler;
    rest->pages_ctx = ctx;
}
