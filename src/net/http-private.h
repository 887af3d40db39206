// SPDX-License-Identifier: MIT
// What the files of the HTTP server share: http-message.c (requests and responses as values), http-router.c,
// http-encoding.c (content coding), http-address.c (listening socket), http-acceptor.c (thread that accepts)
// and http-server.c (the only one that knows libmicrohttpd).
#ifndef NET_HTTP_PRIVATE_H
#define NET_HTTP_PRIVATE_H

#include <stdarg.h>
#include <stdbool.h>

#include "net/http-server.h"

// ---- messages ---------------------------------------------------------------------------------------------
// Decodes %XX (and '+' when asked to) into 'out', which has room for text.len bytes. False: broken escape.
bool http_percent_decode(struct slice text, bool plus_is_blank, char *out, size_t *ret_len);
// Cuts a request target into decoded path (in the arena) and raw query; accepts the absolute form and "*".
// False: broken escape.
bool http_parse_target(struct slice target, struct arena *arena, struct slice *ret_path,
                       struct slice *ret_query);

// ---- router -----------------------------------------------------------------------------------------------
struct http_route;

// Finds the route, fills the path parameters and asks the guard. NULL: *resp is filled already.
const struct http_route *http_router_match(const struct http_router *router, struct http_request *req,
                                           struct http_response *resp);
void http_route_run(const struct http_route *route, struct http_request *req, struct http_response *resp);

// ---- content coding ---------------------------------------------------------------------------------------
// Whether an Accept-Encoding header (NULL: absent) allows gzip; "gzip;q=0" forbids it, "*" allows what is not
// named.
bool http_accepts_gzip(const char *accept_encoding);
// Whether bodies of this Content-Type get smaller by gzip: text, JSON, JavaScript, XML, SVG.
bool http_is_compressible(const char *content_type);

// ---- sockets ----------------------------------------------------------------------------------------------
// Bound, listening and non-blocking; errors as Go words them.
int http_bind(const char *address, int *ret_fd, struct error *err) MUST_CHECK;
int http_listen(int fd, const char *address, struct error *err) MUST_CHECK; // address: for the message
unsigned http_socket_port(int fd);
// "192.0.2.7", "2001:db8::1"; an IPv4 address that came through an IPv6 socket is written as IPv4. "" for
// others.
void http_format_peer(const struct sockaddr *addr, char *text, size_t size);

// Accepts on its own thread, so that connections are spread evenly over the pool and stay in the backlog
// when the server is full. Owned by the server; 'fd' is borrowed.
struct http_acceptor;

#define HTTP_TICK_MS 500

struct http_acceptor_ops {
    bool (*has_room)(void *ctx);
    void (*accepted)(void *ctx, int fd, const struct sockaddr *addr, socklen_t len); // takes the descriptor
    void (*failed)(void *ctx); // a connection was lost: no descriptors or no memory
    void (*tick)(void *ctx);   // about once in HTTP_TICK_MS
};

int http_acceptor_start(int fd, const struct http_acceptor_ops *ops, void *ctx, struct http_acceptor **ret,
                        struct error *err) MUST_CHECK;
void http_acceptor_stop(struct http_acceptor **acceptor); // joins the thread

#endif
