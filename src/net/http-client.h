// SPDX-License-Identifier: MIT
// HTTP client on libcurl (only this module includes it): keep-alive, time-outs, TLS verification on. One
// client is one connection cache; use it from one thread at a time. http_client_global_init once per process.
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct http_client;

struct http_client_options {
    int64_t connect_timeout_ms; // 0: 10 s
    int64_t timeout_ms;         // whole exchange; 0: 30 s
    int64_t idle_timeout_ms;    // a kept connection is closed after this; 0: 118 s
    const char *ca_file;        // NULL: the system's
    const char *user_agent;     // NULL: "clustercockpit-c"
    bool insecure;              // no certificate check: only when the administrator asked for it by name
};

struct http_client_request {
    const char *method; // "GET", "POST", ...; a body may go with any
    const char *url;
    struct slice body;
    const char *const *headers;      // "Name: value", NULL-terminated; may be NULL
    const char *username, *password; // basic authentication; NULL: none
};

struct http_client_reply {
    int status;
    struct buf body; // limited to max_body_bytes of the call
};

// Loads libcurl; any number of times, but not from several threads at once. ERR_UNSUPPORTED: it cannot be loaded.
int http_client_global_init(struct error *err) MUST_CHECK;
struct http_client *http_client_new(const struct http_client_options *options);
void http_client_free(struct http_client **client);
// 0: an answer of any status came; ERR_TIMEOUT, ERR_IO (no connection, TLS), ERR_LIMIT (body too large),
// ERR_INVALID (URL) otherwise, and *ret_reply is untouched. Error texts name method and URL, without user
// name and password.
int http_client_do(struct http_client *client, const struct http_client_request *request,
                   size_t max_body_bytes, struct http_client_reply *ret_reply, struct error *err) MUST_CHECK;
void http_client_reply_release(struct http_client_reply *reply);

#endif
