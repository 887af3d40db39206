// SPDX-License-Identifier: MIT
#include "metricstore/auth.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json-writer.h"
#include "net/jwt.h"

struct auth {
    struct jwt_key *key;
    struct jwt_cache *cache; // locks by itself
    bool require_scopes;
    int64_t (*now_s)(void);
    _Atomic uint64_t refused_tokens, refused_scopes;
    struct log_limit token_limit, scope_limit;
};

// ---- rights --------------------------------------------------------------------------------------

enum right { RIGHT_READ, RIGHT_WRITE, RIGHT_ADMIN };

static const struct {
    const char *scope;
    const char *role, *long_role; // NULL: every role
} rights[] = {
    [RIGHT_READ] = {"read", NULL, NULL},
    [RIGHT_WRITE] = {"write", "api", "ROLE_API"},
    [RIGHT_ADMIN] = {"admin", "admin", "ROLE_ADMIN"},
};

// The path is the endpoint's, or lies below it (the prefix form of spec 5.1).
static bool is_endpoint(struct slice path, const char *endpoint)
{
    struct slice name = slice_from_cstr(endpoint);

    return slice_starts_with(path, name) && (path.len == name.len || path.ptr[name.len] == '/');
}

static enum right right_for(struct slice path)
{
    if (is_endpoint(path, "/api/query") || is_endpoint(path, "/api/healthcheck"))
        return RIGHT_READ;
    return is_endpoint(path, "/api/write") ? RIGHT_WRITE : RIGHT_ADMIN;
}

static bool is_granted(const struct jwt_claims *claims, enum right right)
{
    if (claims->has_scope)
        return jwt_claims_have_scope(claims, slice_from_cstr(rights[right].scope));
    for (size_t i = 0; rights[right].role && i < claims->role_count; i++)
        if (slice_eq_cstr(claims->roles[i], rights[right].role) ||
            slice_eq_cstr(claims->roles[i], rights[right].long_role))
            return true;
    return !rights[right].role;
}

static void answer_forbidden(struct http_response *resp, enum right right)
{
    char text[160];

    if (rights[right].role)
        (void)snprintf(text, sizeof(text), "the token lacks the scope '%s' (or the role '%s')",
                       rights[right].scope, rights[right].role);
    else
        (void)snprintf(text, sizeof(text), "the token lacks the scope '%s'", rights[right].scope);
    resp->status = 403;
    http_set_header(resp, "Content-Type", "application/json");
    buf_append_cstr(&resp->body, "{\"status\":\"Forbidden\",\"error\":");
    json_append_quoted(&resp->body, slice_from_cstr(text));
    buf_append_cstr(&resp->body, "}\n");
}

// ---- guard ---------------------------------------------------------------------------------------

static int64_t wall_now_s(void)
{
    return wall_seconds(clock_wall());
}

int auth_new(const struct auth_options *options, struct auth **ret_auth, struct error *err)
{
    struct jwt_key *key = NULL;

    int rc = jwt_public_key_new(options->public_key_base64, &key, err);
    if (rc < 0)
        return rc;
    struct auth *auth = NEW(struct auth);
    auth->key = key;
    auth->cache = jwt_cache_new(key);
    auth->require_scopes = options->require_scopes;
    auth->now_s = options->now_s ? options->now_s : wall_now_s;
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

// The peer gets the reason as text, the log says where it came from.
static void refuse_token(struct auth *auth, const struct http_request *req, struct http_response *resp,
                         const char *why)
{
    http_set_text(resp, 401, "%s", why);
    atomic_fetch_add_explicit(&auth->refused_tokens, 1, memory_order_relaxed);
    log_limited(&auth->token_limit, LOG_LEVEL_WARN,
                "%.*s: refused: peer=%s %s; give the sender a valid token", SLICE_FMT(req->path), req->peer,
                why);
}

static void refuse_scope(struct auth *auth, const struct http_request *req, struct http_response *resp,
                         enum right right)
{
    answer_forbidden(resp, right);
    atomic_fetch_add_explicit(&auth->refused_scopes, 1, memory_order_relaxed);
    log_limited(
        &auth->scope_limit, LOG_LEVEL_WARN,
        "%.*s: refused: peer=%s the token lacks the scope '%s'; give out one that has it, or turn off "
        "main.require-scopes",
        SLICE_FMT(req->path), req->peer, rights[right].scope);
}

static bool has_valid_token(struct auth *auth, struct http_request *req, struct http_response *resp,
                            struct jwt_claims *ret_claims)
{
    static const struct slice scheme = {.ptr = "Bearer ", .len = 7}; // exactly so, upper and lower case count
    struct slice header = slice_from_cstr(http_header(req, "Authorization"));
    struct error err = ERROR_INIT;

    if (!slice_starts_with(header, scheme) || header.len == scheme.len) {
        refuse_token(auth, req, resp, "Use JWT Authentication");
        return false;
    }
    if (jwt_cache_verify(auth->cache, slice_skip(header, scheme.len), auth->now_s(), req->arena, ret_claims,
                         &err) < 0) {
        refuse_token(auth, req, resp, err.text);
        return false;
    }
    return true;
}

bool auth_guard(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct auth *auth = ctx;
    struct jwt_claims claims;

    if (!slice_starts_with(req->path, SLICE_LITERAL("/api/")))
        return true;
    if (!has_valid_token(auth, req, resp, &claims))
        return false;
    enum right right = right_for(req->path);
    if (auth->require_scopes && !is_granted(&claims, right)) {
        refuse_scope(auth, req, resp, right);
        return false;
    }
    return true;
}

void auth_stats(const struct auth *auth, struct auth_stats *ret)
{
    ret->refused_tokens = atomic_load_explicit(&auth->refused_tokens, memory_order_relaxed);
    ret->refused_scopes = atomic_load_explicit(&auth->refused_scopes, memory_order_relaxed);
}
