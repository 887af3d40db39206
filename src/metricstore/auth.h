// SPDX-License-Identifier: MIT
// Guard of the endpoints of cc-metric-store: a bearer token signed with the site's Ed25519 key (spec
// metric-store.md 6).
#ifndef METRICSTORE_AUTH_H
#define METRICSTORE_AUTH_H

#include <stdint.h>

#include "base/error.h"
#include "net/http-server.h"

struct auth;

// public_key_base64 must be the Base64 of 32 bytes (MS-50: a wrong length is refused at the start, not by
// every request). now_s: NULL is the wall clock.
int auth_new(const char *public_key_base64, int64_t (*now_s)(void), struct auth **ret_auth,
             struct error *err) MUST_CHECK;
void auth_free(struct auth **auth);
// For http_router_set_guard: lets requests with a valid token pass, and everything outside of /api/; answers
// 401 else. ctx: struct auth. Any thread.
bool auth_guard(void *ctx, struct http_request *req, struct http_response *resp);

#endif
