// SPDX-License-Identifier: MIT
// The routes lie in one array, the more specific ones in front, and a look-up walks through it: there are a
// few dozen, most are told apart by their number of segments, so that a tree would not be faster.
#include "base/mem.h"
#include "net/http-private.h"

#define MAX_SEGMENTS 32

enum segment_kind { SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST }; // in order of precedence

struct segment {
    enum segment_kind kind;
    struct slice text; // literal text, or name of the parameter; lies in 'pattern'
};

struct http_route {
    char *method, *pattern; // owned
    struct segment segments[MAX_SEGMENTS];
    size_t segment_count, param_count;
    http_handler_fn *handler;
    void *ctx;
    const struct http_router *router;
};

struct http_router {
    struct http_route **routes; // sorted by precedence; of equals the one added first
    size_t route_count, route_cap;
    http_handler_fn *not_found;
    void *not_found_ctx;
    http_guard_fn *guard;
    void *guard_ctx;
    bool clean_redirect;
};

struct http_router *http_router_new(void)
{
    return NEW(struct http_router);
}

void http_router_free(struct http_router **router)
{
    if (!*router)
        return;
    for (size_t i = 0; i < (*router)->route_count; i++) {
        mem_free((*router)->routes[i]->method);
        mem_free((*router)->routes[i]->pattern);
        mem_free((*router)->routes[i]);
    }
    mem_free((*router)->routes);
    mem_free(*router);
    *router = NULL;
}

// Segments behind the leading '/'; "/a/" has two, the second one empty. Returns SIZE_MAX when there are too
// many.
static size_t split_path(struct slice path, struct slice *ret_segments)
{
    struct slice rest = slice_skip(path, 1);
    size_t count = 0;

    if (path.len == 0 || path.ptr[0] != '/')
        return SIZE_MAX;
    do {
        if (count == MAX_SEGMENTS)
            return SIZE_MAX;
        ret_segments[count++] = slice_split(&rest, '/');
    } while (rest.ptr);
    return count;
}

static struct segment parse_segment(struct slice text)
{
    if (slice_eq(text, SLICE_LITERAL("*")))
        return (struct segment){.kind = SEGMENT_REST, .text = text};
    if (text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}')
        return (struct segment){.kind = SEGMENT_PARAM, .text = slice_of(text.ptr + 1, text.len - 2)};
    return (struct segment){.kind = SEGMENT_LITERAL, .text = text};
}

// Whether a has to be tried before b.
static bool route_precedes(const struct http_route *a, const struct http_route *b)
{
    for (size_t i = 0; i < MIN(a->segment_count, b->segment_count); i++)
        if (a->segments[i].kind != b->segments[i].kind)
            return a->segments[i].kind < b->segments[i].kind;
    return false;
}

void http_router_add(struct http_router *router, const char *method, const char *pattern,
                     http_handler_fn *handler, void *ctx)
{
    struct http_route *route = NEW(struct http_route);
    struct slice texts[MAX_SEGMENTS];

    route->method = mem_strdup(method);
    route->pattern = mem_strdup(pattern);
    route->handler = handler;
    route->ctx = ctx;
    route->router = router;
    route->segment_count = split_path(slice_from_cstr(route->pattern), texts);
    ASSERT(route->segment_count != SIZE_MAX);
    for (size_t i = 0; i < route->segment_count; i++) {
        route->segments[i] = parse_segment(texts[i]);
        ASSERT(route->segments[i].kind != SEGMENT_REST || i + 1 == route->segment_count);
        route->param_count += route->segments[i].kind != SEGMENT_LITERAL;
    }

    ENSURE_CAPACITY(router->routes, router->route_cap, router->route_count + 1);
    size_t at = router->route_count++;
    for (; at > 0 && route_precedes(route, router->routes[at - 1]); at--)
        router->routes[at] = router->routes[at - 1];
    router->routes[at] = route;
}

void http_router_set_not_found(struct http_router *router, http_handler_fn *handler, void *ctx)
{
    router->not_found = handler;
    router->not_found_ctx = ctx;
}

void http_router_set_guard(struct http_router *router, http_guard_fn *guard, void *ctx)
{
    router->guard = guard;
    router->guard_ctx = ctx;
}

void http_router_set_clean_redirect(struct http_router *router, bool on)
{
    router->clean_redirect = on;
}

static bool path_matches(const struct http_route *route, const struct slice *path, size_t count)
{
    for (size_t i = 0; i < route->segment_count; i++) {
        const struct segment *seg = &route->segments[i];

        if (i >= count)
            return false;
        if (seg->kind == SEGMENT_REST)
            return true;
        if (seg->kind == SEGMENT_PARAM ? path[i].len == 0 : !slice_eq(seg->text, path[i]))
            return false;
    }
    return route->segment_count == count;
}

static bool method_matches(const struct http_route *route, struct slice method)
{
    return slice_eq_cstr(method, route->method) ||
           (slice_eq_cstr(method, "HEAD") && slice_eq_cstr(SLICE_LITERAL("GET"), route->method));
}

static void set_path_params(struct http_request *req, const struct http_route *route,
                            const struct slice *path)
{
    req->path_param_count = 0;
    if (route->param_count == 0)
        return;
    struct http_param *params = ARENA_ARRAY(req->arena, struct http_param, route->param_count);
    size_t count = 0;

    for (size_t i = 0; i < route->segment_count; i++) {
        const struct segment *seg = &route->segments[i];

        if (seg->kind == SEGMENT_LITERAL)
            continue;
        struct slice value = path[i];
        if (seg->kind == SEGMENT_REST)
            value.len = (size_t)(req->path.ptr + req->path.len - value.ptr);
        params[count++] = (struct http_param){.name = seg->text, .value = value};
    }
    req->path_params = params;
    req->path_param_count = count;
}

static void add_method(struct buf *allow, const char *method)
{
    struct slice name = slice_from_cstr(method);

    for (struct slice rest = buf_slice(allow); rest.len > 0;) // a pattern may have been added twice
        if (slice_eq(slice_trim(slice_split(&rest, ',')), name))
            return;
    buf_printf(allow, "%s%s", allow->len ? ", " : "", method);
}

// Methods that this path knows, in the order of their registration. Empty: the path is unknown.
static const char *allowed_methods(const struct http_router *router, struct arena *arena,
                                   const struct slice *path, size_t count)
{
    struct buf allow;

    buf_init(&allow, 1024);
    for (size_t i = 0; i < router->route_count; i++) {
        if (!path_matches(router->routes[i], path, count))
            continue;
        add_method(&allow, router->routes[i]->method);
        if (slice_eq_cstr(SLICE_LITERAL("GET"), router->routes[i]->method))
            add_method(&allow, "HEAD");
    }
    const char *text = arena_strdup(arena, buf_slice(&allow));
    buf_release(&allow);
    return text;
}

static void answer_unknown(const struct http_router *router, struct http_request *req,
                           struct http_response *resp, const char *allow)
{
    bool known = allow[0] != '\0';

    resp->status = known ? 405 : 404;
    if (known)
        http_set_header(resp, "Allow", allow);
    if (router->not_found)
        router->not_found(router->not_found_ctx, req, resp);
    else
        http_set_text(resp, resp->status, "%s", known ? "Method Not Allowed" : "404 page not found");
}

// As Go's path.Clean, a slash at the end kept. Works on segments: "." and "" vanish, ".." takes one away.
static struct slice clean_path(struct arena *arena, struct slice path)
{
    char *out = arena_alloc(arena, path.len + 2);
    size_t len = 0;
    struct slice rest = path, last = SLICE_EMPTY;

    while (rest.ptr) {
        last = slice_split(&rest, '/');
        if (slice_eq(last, SLICE_LITERAL(".."))) {
            while (len > 0 && out[--len] != '/')
                ;
        } else if (last.len > 0 && !slice_eq(last, SLICE_LITERAL("."))) {
            out[len++] = '/';
            memcpy(out + len, last.ptr, last.len);
            len += last.len;
        }
    }
    // path.Clean drops the final slash and ServeMux puts it back, for paths that end in '/' only
    if (len == 0 || last.len == 0)
        out[len++] = '/';
    return slice_of(out, len);
}

static void append_path_escaped(struct buf *out, struct slice path)
{
    static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~$&+,/:;=@";

    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] && strchr(kept, path.ptr[i]))
            buf_append_byte(out, path.ptr[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)path.ptr[i]);
    }
}

static void append_html_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            buf_append_cstr(out, "&amp;");
            break;
        case '<':
            buf_append_cstr(out, "&lt;");
            break;
        case '>':
            buf_append_cstr(out, "&gt;");
            break;
        case '"':
            buf_append_cstr(out, "&#34;");
            break;
        case '\'':
            buf_append_cstr(out, "&#39;");
            break;
        default:
            buf_append_byte(out, text.ptr[i]);
        }
    }
}

// The query goes into a header: control bytes, which no client may send, are left out.
static void append_query(struct buf *out, struct slice query)
{
    if (query.len > 0)
        buf_append_byte(out, '?');
    for (size_t i = 0; i < query.len; i++)
        if ((unsigned char)query.ptr[i] > ' ' && query.ptr[i] != 0x7f)
            buf_append_byte(out, query.ptr[i]);
}

static void redirect(struct http_request *req, struct http_response *resp, struct slice path)
{
    struct buf location;

    buf_init(&location, 1 << 20);
    append_path_escaped(&location, path);
    append_query(&location, req->raw_query);
    resp->status = 307;
    http_set_header(resp, "Location", arena_strdup(req->arena, buf_slice(&location)));
    if (slice_eq_cstr(req->method, "GET") || slice_eq_cstr(req->method, "HEAD")) {
        http_set_header(resp, "Content-Type", "text/html; charset=utf-8");
        buf_append_cstr(&resp->body, "<a href=\"");
        append_html_escaped(&resp->body, buf_slice(&location));
        buf_append_cstr(&resp->body, "\">Temporary Redirect</a>.\n\n");
    }
    buf_release(&location);
}

const struct http_route *http_router_match(const struct http_router *router, struct http_request *req,
                                           struct http_response *resp)
{
    if (router->clean_redirect && req->path.len > 0 && req->path.ptr[0] == '/') {
        struct slice clean = clean_path(req->arena, req->path);

        if (!slice_eq(clean, req->path)) {
            redirect(req, resp, clean);
            return NULL;
        }
    }
    struct slice path[MAX_SEGMENTS];
    size_t count = split_path(req->path, path);
    const struct http_route *found = NULL;

    for (size_t i = 0; count != SIZE_MAX && i < router->route_count && !found; i++)
        if (method_matches(router->routes[i], req->method) && path_matches(router->routes[i], path, count))
            found = router->routes[i];
    if (!found) {
        answer_unknown(router, req, resp,
                       count == SIZE_MAX ? "" : allowed_methods(router, req->arena, path, count));
        return NULL;
    }
    set_path_params(req, found, path);
    if (router->guard && !router->guard(router->guard_ctx, req, resp))
        return NULL;
    return found;
}

void http_route_run(const struct http_route *route, struct http_request *req, struct http_response *resp)
{
    route->handler(route->ctx, req, resp);
}

void http_router_dispatch(const struct http_router *router, struct http_request *req,
                          struct http_response *resp)
{
    const struct http_route *route = http_router_match(router, req, resp);

    if (route)
        http_route_run(route, req, resp);
}
