// SPDX-License-Identifier: MIT
// The smallest HTTP/1.1 client that a sink needs: POST to one plain http:// address over a kept connection.
// It exists beside net/http-client.h because an agent runs on every compute node: libcurl alone is 7 to 10 MB
// of resident memory, twice what the whole agent may use. (https:// goes through net/http-client.h.)
//
// Replies: status line and headers are parsed strictly (RFC 9112), the body is read and thrown away; a reply
// without Content-Length ends the connection. No redirects, no proxies, no compression, as the original sink.
// Blocking, with one deadline per exchange; used by one thread at a time.
#ifndef COLLECTOR_HTTP_POST_H
#define COLLECTOR_HTTP_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define HTTP_POST_REPLY_MAX ((size_t)16 << 10) // bytes of status line and headers

struct http_url {
    char host[256];
    char port[8];
    bool tls;
    struct slice target; // path and query, points into the text; empty means "/"
};
// http:// or https://, no user information.
int http_url_parse(struct slice text, struct http_url *ret, struct error *err) MUST_CHECK;

struct http_reply_head {
    int status;
    size_t head_len;        // bytes up to and including the empty line
    int64_t content_length; // -1: not given
    bool chunked;
    bool close;            // the server ends the connection
    int64_t retry_after_s; // Retry-After in seconds; -1: not given or a date
};
// 1: the head is complete; 0: more bytes are needed; ERR_INVALID: this is no HTTP.
int http_reply_parse(struct slice bytes, struct http_reply_head *ret, struct error *err) MUST_CHECK;

struct http_post;

struct http_post_options {
    const char *url;
    const char *authorization; // value of the header, NULL: none
    int64_t timeout_ms;        // whole exchange; 0: none
    int64_t idle_timeout_ms;   // a connection idle for longer is not used again; 0: no limit
};

int http_post_new(const struct http_post_options *options, struct http_post **ret,
                  struct error *err) MUST_CHECK;
void http_post_free(struct http_post **post);
// 0: an answer came, of any status. ERR_IO, ERR_TIMEOUT, ERR_INVALID: none did; the connection is closed.
int http_post_send(struct http_post *post, struct slice body, struct http_reply_head *ret,
                   struct error *err) MUST_CHECK;

#endif
