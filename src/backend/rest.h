// SPDX-License-Identifier: MIT
// What all REST handlers share: routes with their class, authentication in front, security and CORS headers
// on every answer, and the two forms of JSON bodies (spec backend.md 4.1, auth.md 12).
#ifndef BACKEND_REST_H
#define BACKEND_REST_H

#include "backend/auth.h"
#include "codec/json.h"
#include "net/http-server.h"

struct rest; // shared by all routes; immutable after the routes are added

typedef void rest_fn(void *ctx, struct http_request *req, const struct user *user,
                     struct http_response *resp);

struct rest_route {
    const char *method, *path;
    enum route_class class;
    rest_fn *handler;
};

// 'auth' is borrowed. Takes over the router's answer for unknown paths and methods.
struct rest *rest_new(const struct auth *auth, struct http_router *router);
void rest_free(struct rest **rest);
// Adds routes (the array ends with method NULL, and is borrowed); ctx is given to the handlers.
void rest_add(struct rest *rest, const struct rest_route *routes, void *ctx);
// For routes that another module mounts: http_guard_fn of class ROUTE_METRIC; ctx is the struct rest.
bool rest_guard_metric(void *ctx, struct http_request *req, struct http_response *resp);
// Answers paths that no route knows and that do not lie below /api/ and its like (pages and files).
void rest_set_pages(struct rest *rest, http_handler_fn *handler, void *ctx);

// Documents in requests become values in memory, many times their size: longer bodies are refused.
#define REST_MAX_JSON_BYTES ((size_t)16 << 20)
// The body as JSON. Broken-off and over-long ones are errors too (ERR_LIMIT: answer 413).
int rest_parse_body(const struct http_request *req, struct json_doc **ret_doc, struct error *err) MUST_CHECK;

// {"status":"<reason phrase>","error":"<text>"} and a newline.
void rest_error(struct http_response *resp, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
// {"msg":"<text>"} and a newline.
void rest_message(struct http_response *resp, int status, const char *text);
// Content-Type of a JSON body that the caller appends to resp->body.
void rest_json(struct http_response *resp, int status);
// Headers of 4.1.1; called for every answer.
void rest_set_security_headers(const struct http_request *req, struct http_response *resp);

#endif
