// SPDX-License-Identifier: MIT
#include "metricstore/auth.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/jwt.h"

struct auth {
    struct jwt_key *key;
    struct jwt_cache *cache; // locks by itself
    int64_t (*now_s)(void);
};

static int64_t wall_now_s(void)
{
    return wall_seconds(clock_wall());
}

int auth_new(const char *public_key_base64, int64_t (*now_s)(void), struct auth **ret_auth, struct error *err)
{
    struct jwt_key *key = NULL;

    int rc = jwt_public_key_new(public_key_base64, &key, err);
    if (rc < 0)
        return rc;
    struct auth *auth = NEW(struct auth);
    auth->key = key;
    auth->cache = jwt_cache_new(key);
    auth->now_s = now_s ? now_s : wall_now_s;
    *ret_auth = auth;
    return 0;
}

void auth_free(struct auth **auth)
{
    if (!*auth)
        return;
    jwt_cache_free(&(*auth)->cache);
    jwt_key_free(&(*auth)->key);
    mem_free(*auth);
    *auth = NULL;
}

bool auth_guard(void *ctx, struct http_request *req, struct http_response *resp)
{
    static const struct slice scheme = {.ptr = "Bearer ", .len = 7}; // exactly so, upper and lower case count
    struct auth *auth = ctx;
    struct jwt_claims claims;
    struct error err = ERROR_INIT;

    if (!slice_starts_with(req->path, SLICE_LITERAL("/api/")))
        return true;
    struct slice header = slice_from_cstr(http_header(req, "Authorization"));
    if (!slice_starts_with(header, scheme) || header.len == scheme.len) {
        http_set_text(resp, 401, "Use JWT Authentication");
        return false;
    }
    if (jwt_cache_verify(auth->cache, slice_skip(header, scheme.len), auth->now_s(), req->arena, &claims,
                         &err) < 0) {
        http_set_text(resp, 401, "%s", err.text);
        return false;
    }
    return true;
}
