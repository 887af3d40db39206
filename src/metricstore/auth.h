// SPDX-License-Identifier: MIT
// Guard of the endpoints of cc-metric-store: a bearer token signed with the site's Ed25519 key (spec
// metric-store.md 6), and on request what that token may do (MS-50):
//
//     right   endpoints                  granted by role    or by the claim "scope": "read write admin"
//     read    query, healthcheck         any valid token    read
//     write   write                      api, ROLE_API      write
//     admin   free, debug, what is new   admin, ROLE_ADMIN  admin
//
// A token with a claim scope has exactly the rights that are named there, whatever its roles. Without the request for
// rights (main.require-scopes) every valid token may do everything, as upstream.
#ifndef METRICSTORE_AUTH_H
#define METRICSTORE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/http-server.h"

struct auth;

struct auth_options {
    // Base64 of 32 bytes (MS-50: a wrong length is refused at the start, not by every request); borrowed for the call
    const char *public_key_base64;
    bool require_scopes;
    int64_t (*now_s)(void); // NULL: wall clock
};

struct auth_stats { // since the start
    uint64_t refused_tokens, refused_scopes;
};

int auth_new(const struct auth_options *options, struct auth **ret_auth, struct error *err) MUST_CHECK;
void auth_free(struct auth **auth);
// For http_router_set_guard: lets requests with a valid token pass, and everything outside of /api/; answers
// 401 else, and 403 to a valid token without the right. ctx: struct auth. Any thread.
bool auth_guard(void *ctx, struct http_request *req, struct http_response *resp);
void auth_stats(const struct auth *auth, struct auth_stats *ret);

#endif
