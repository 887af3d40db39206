// SPDX-License-Identifier: MIT
// HTTP/1.1 server, a thin wrapper around libmicrohttpd (only this module includes it): epoll, a pool of
// threads, TLS, keep-alive, limits, time-outs. A handler runs on a pool thread with the whole request head;
// bodies are collected up to a limit before the handler runs, or streamed to a body sink.
//
//     struct http_router *router = http_router_new();
//     http_router_add(router, "GET", "/api/query", query_handler, store);
//     http_server_start(&options, router, &server, &err);
//
// Handlers take a parsed request and fill a response; they can be called without sockets in tests
// (http-request-test.h builds a request for http_router_dispatch). They must not block on slow things: a pool
// thread that waits keeps the other connections of that thread waiting too.
//
// A request goes through these steps: its head arrives, the route is looked up and the guard is asked; the
// body is collected; the handler runs; the answer is sent. What is refused at the head (404, 405, guard, 413
// by its Content-Length) is answered behind the body if that is short, else at once, and the connection is
// closed. Bodies of refused requests are never kept. A client that goes away within the body gets no answer,
// but what had arrived is given to the handler with body_truncated set.
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

struct http_param {
    struct slice name, value;
};

struct http_request {
    struct slice method;    // "GET"
    struct slice path;      // as sent, percent-decoded, without query
    struct slice raw_query; // behind '?', not decoded; empty when absent
    struct slice body;      // whole body; empty for guards, which run before it is read
    bool body_truncated; // the client went away or timed out within the body (MS-14): body is incomplete, and
                         // the answer reaches nobody. Never act on the whole of such a body
    const char *peer;    // numeric address, no port; "" when unknown
    bool tls;
    bool can_wait;       // the answer may be given later, see http_resume
    struct arena *arena; // lives as long as the request
    // private to the module
    const struct http_request_ops *ops;
    void *impl;
    const struct http_param *path_params; // set by the router, in the arena
    size_t path_param_count;
};

struct http_request_ops {
    const char *(*header)(const struct http_request *req, const char *name);
};

// NULL when absent; names are case-insensitive.
const char *http_header(const struct http_request *req, const char *name);
// Value of a path parameter of the route ("/api/jobs/{id}" -> "id"); empty when there is none.
struct slice http_path_param(const struct http_request *req, const char *name);
// First occurrence in the query string, percent-decoded ('+' is a blank) into the arena; false when absent.
// As in Go, pairs with a broken escape or with ';' are passed over.
bool http_query_param(const struct http_request *req, const char *name, struct slice *ret_value);
// All parameters in order: 1 and the pair, or 0 behind the last. *position starts at 0.
int http_query_next(const struct http_request *req, size_t *position, struct slice *ret_name,
                    struct slice *ret_value);
// First occurrence, not decoded.
bool http_query_param_raw(const struct http_request *req, const char *name, struct slice *ret_value);

// An answer that waits for something, such as the disk, without holding the thread: the handler sets start, finish and
// wait_ctx of the response and returns. start is called on the same thread; from then on anybody may call http_resume, once;
// finish is called on that thread again and fills in the answer; the body is gone by then, what is in the arena stays. Only when
// request.can_wait, else the handler waits itself.
struct http_waiting;
void http_resume(struct http_waiting *waiting);

#define HTTP_MAX_HEADERS 16

// Produces the next piece of a streamed body: appends to *out (at least one byte), returns 1; 0 at the end;
// negative to break the connection. Runs on pool threads, one at a time for a response.
typedef int http_stream_fn(void *ctx, struct buf *out);

struct http_response {
    int status;               // 200 by default
    struct buf body;          // taken over by the server
    struct slice static_body; // borrowed for the life of the server instead of body (embedded files)
    http_stream_fn *stream;   // instead of both; sent chunked
    void *stream_ctx;
    void (*stream_free)(void *ctx);
    void (*start)(void *ctx, struct http_waiting *waiting);
    void (*finish)(void *ctx, struct http_request *req, struct http_response *resp);
    void *wait_ctx;
    struct {
        const char *name; // borrowed or arena
        const char *value;
    } headers[HTTP_MAX_HEADERS];
    int header_count;
    bool no_compress; // body is compressed already, or must not be
};

void http_set_header(struct http_response *resp, const char *name,
                     const char *value); // replaces one of that name
void http_set_text(struct http_response *resp, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);                    // text/plain + newline, nosniff (Go's http.Error)
const char *http_status_text(int status); // "Bad Request"

typedef void http_handler_fn(void *ctx, struct http_request *req, struct http_response *resp);

// ---- router -----------------------------------------------------------------------------------------------
struct http_router;

struct http_router *http_router_new(void);
void http_router_free(struct http_router **router);
// 'pattern': literal segments, "{name}" for one segment that is not empty, and a final "*" for a rest of any
// length, which is parameter "*" ("/assets/*" serves "/assets/" too, not "/assets"). Literal segments win
// over parameters, those over "*". Unknown path: 404; known path, wrong method: 405 with Allow. GET serves
// HEAD.
void http_router_add(struct http_router *router, const char *method, const char *pattern,
                     http_handler_fn *handler, void *ctx);
// Called instead of the built-in plain texts ("404 page not found", "Method Not Allowed"), with the status
// (404 or 405) and the header Allow set already.
void http_router_set_not_found(struct http_router *router, http_handler_fn *handler, void *ctx);
// Runs before the handler of every route that was found, with the head of the request only; false: the
// response is filled already (authentication). May be NULL.
typedef bool http_guard_fn(void *ctx, struct http_request *req, struct http_response *resp);
void http_router_set_guard(struct http_router *router, http_guard_fn *guard, void *ctx);
// Go's ServeMux: paths that are not canonical ("//", "..") are redirected (307) to the cleaned path.
void http_router_set_clean_redirect(struct http_router *router, bool on);
// Looks up, asks the guard, runs the handler. Any thread; the router must not be changed any more.
void http_router_dispatch(const struct http_router *router, struct http_request *req,
                          struct http_response *resp);
void http_response_init(struct http_response *resp);
void http_response_release(struct http_response *resp);

// ---- server -----------------------------------------------------------------------------------------------
struct http_server;

struct http_server_options {
    const char *address; // Go syntax: "host:port", ":port", "[v6]:port"; port 0: any free port
    unsigned
        threads; // 0: number of CPUs, at least 8: a handler that waits delays the connections of its thread only
    const char *cert_file, *key_file; // PEM; TLS if both are set
    size_t max_body_bytes;            // 413 beyond; 0: 1 GiB
    // 431 beyond (about), and the memory of a connection; 8 KiB to 1 MiB, 0: 32 KiB. A body up to half of it is
    // handled without being copied.
    size_t max_header_bytes;
    // 503 beyond: memory of all bodies that are being collected, about; 0: no limit. At least max_body_bytes.
    size_t max_body_memory;
    unsigned max_connections; // 0: 4096; further ones wait in the backlog
    // A connection without progress is closed; 0: 30. Progress must be real: a head takes twice that long at most, a body
    // twice that and a second for every 4 KiB that have arrived.
    int idle_timeout_s;
    bool hold;     // bind only: who connects is refused until http_server_open
    bool compress; // gzip text and JSON bodies above 1 KiB when the client asks for it (q=0 honoured)
    // Runs after every response, and after every truncated request; for access logs and latency histograms.
    // duration_ns: from the last byte of the request to the last byte of the answer. May be NULL.
    void (*on_done)(void *ctx, const struct http_request *req, int status, size_t body_bytes,
                    int64_t duration_ns);
    void *on_done_ctx;
};

struct http_server_stats {
    uint64_t requests; // heads received
    uint64_t responses_4xx, responses_5xx;
    uint64_t bytes_in, bytes_out; // bodies only; bytes_out as sent (compressed)
    uint64_t refused_bodies;      // 413
    uint64_t aborted_requests;    // cut within the body or within the answer
    uint64_t accept_errors;       // connections lost because descriptors or memory were short
    uint64_t slow_requests;       // connections closed because head or body came too slowly
    uint64_t busy_refusals;       // 503: the bodies of others take the memory
    uint64_t body_bytes_now;      // memory of bodies that are being collected
    uint64_t connections_now;
};

// Binds first and answers errors such as "listen tcp 127.0.0.1:8082: bind: address already in use".
// The router is borrowed until http_server_stop.
int http_server_start(const struct http_server_options *options, const struct http_router *router,
                      struct http_server **ret_server, struct error *err) MUST_CHECK;
// Begins to serve a server that was started with 'hold'.
int http_server_open(struct http_server *server, struct error *err) MUST_CHECK;
unsigned http_server_port(const struct http_server *server);
void http_server_stats(const struct http_server *server, struct http_server_stats *ret);
// Stops accepting, waits up to timeout_ms for running requests, then closes. Returns false when some were
// cut.
bool http_server_stop(struct http_server **server, int64_t timeout_ms);
// Loads certificate and key again (SIGHUP); on failure the old pair stays. Connections that are open keep
// theirs.
int http_server_reload_tls(struct http_server *server, struct error *err) MUST_CHECK;

// Whether this pair could be served, without serving it.
int http_server_check_tls(const char *cert_file, const char *key_file, struct error *err) MUST_CHECK;

// Splits a Go listen address; *ret_host may be "" (all interfaces). Returns heap strings. As Go, the server
// serves IPv4 and IPv6 for "", "0.0.0.0" and "[::]", and the first address of a name, IPv4 preferred.
int http_split_address(const char *address, char **ret_host, char **ret_port, struct error *err) MUST_CHECK;

#endif
