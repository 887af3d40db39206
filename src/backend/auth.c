// SPDX-License-Identifier: MIT
#include "backend/auth.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "backend/sql-user.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "codec/base64.h"
#include "codec/json-writer.h"

#define DEMO_PUBLIC_KEY "kzfYrYy+TzpanWZHJ5qSdMj5uKUWgq74BWhQG6copP0="

struct auth {
    bool disabled;
    const struct config *config; // borrowed
    struct sql_pool *pool;       // borrowed
    struct jwt_key *public_key, *private_key;
    struct jwt_cache *cache;
};

// ---- keys -------------------------------------------------------------------------------------------------
static int check_session_key(struct error *err)
{
    const char *text = getenv("SESSION_KEY");
    if (!text || !text[0])
        return error_set(
            err, ERR_INVALID,
            "environment variable 'SESSION_KEY' not set: refusing to start with an ephemeral session "
            "key. Set SESSION_KEY in .env (base64-encoded 32 random bytes); a random key would "
            "invalidate all sessions on every restart and prevent sessions from validating across "
            "replicas.");
    struct buf bytes;
    buf_init(&bytes, 65536);
    int rc = base64_decode_std(slice_from_cstr(text), &bytes, NULL);
    buf_release(&bytes);
    return rc ? error_set(err, ERR_INVALID,
                          "Error while initializing authentication -> decoding session key failed")
              : 0;
}

static int load_keys(struct auth *a, struct error *err)
{
    const char *public_text = getenv("JWT_PUBLIC_KEY"), *private_text = getenv("JWT_PRIVATE_KEY");
    if (!public_text || !public_text[0] || !private_text || !private_text[0]) {
        log_warn(
            "environment variables 'JWT_PUBLIC_KEY' or 'JWT_PRIVATE_KEY' not set (token based authentication "
            "will not work)");
        return 0;
    }
    if (strcmp(public_text, DEMO_PUBLIC_KEY) == 0)
        log_warn("Using default JWT keys - not recommended for production environments");
    struct error cause = ERROR_INIT;
    if (jwt_public_key_new(public_text, &a->public_key, &cause)) {
        log_warn("Could not decode JWT public key: %s", cause.text);
        return error_set(err, ERR_INVALID, "Error while initializing authentication -> jwtAuth init failed");
    }
    if (jwt_private_key_new(private_text, &a->private_key, &cause)) {
        log_warn("Could not decode JWT private key: %s", cause.text);
        return error_set(err, ERR_INVALID, "Error while initializing authentication -> jwtAuth init failed");
    }
    jwt_key_use_backend_rules(a->public_key);
    a->cache = jwt_cache_new(a->public_key);
    return 0;
}

int auth_new(const struct config *config, struct sql_pool *pool, bool disabled, struct auth **ret_auth,
             struct error *err)
{
    struct auth *a = NEW(struct auth);
    a->disabled = disabled;
    a->config = config;
    a->pool = pool;
    int rc = disabled ? 0 : check_session_key(err);
    if (rc == 0 && !disabled)
        rc = load_keys(a, err);
    if (rc) {
        auth_free(&a);
        return rc;
    }
    if (!disabled && !config->auth.present)
        log_warn("Authentication enabled but no auth configuration found");
    *ret_auth = a;
    return 0;
}

void auth_free(struct auth **auth)
{
    if (!*auth)
        return;
    jwt_cache_free(&(*auth)->cache);
    jwt_key_free(&(*auth)->public_key);
    jwt_key_free(&(*auth)->private_key);
    mem_free(*auth);
    *auth = NULL;
}

bool auth_disabled(const struct auth *auth)
{
    return auth->disabled;
}

// ---- requests ---------------------------------------------------------------------------------------------
bool user_has_role(const struct user *user, const char *role)
{
    for (size_t i = 0; i < user->role_count; i++) {
        if (slice_eq_ignore_case(user->roles[i], slice_from_cstr(role)))
            return true;
    }
    return false;
}

// X-Auth-Token wins; else Authorization, from which a leading "Bearer " is taken.
static struct slice token_of(const struct http_request *req)
{
    struct slice token = slice_from_cstr(http_header(req, "X-Auth-Token"));
    if (token.len)
        return token;
    token = slice_from_cstr(http_header(req, "Authorization"));
    struct slice bearer = SLICE_LITERAL("Bearer ");
    return slice_starts_with(token, bearer) ? slice_skip(token, bearer.len) : token;
}

static int user_from_token(const struct auth *a, struct slice token, struct arena *arena, struct user *ret,
                           struct error *err)
{
    struct jwt_claims claims;
    if (!a->config->auth.present)
        return error_set(err, ERR_DENIED, "token authentication is not configured");
    if (!a->cache)
        return error_set(err, ERR_DENIED, "token signature is invalid: key is invalid");
    int rc = jwt_cache_verify(a->cache, token, wall_seconds(clock_wall()), arena, &claims, err);
    if (rc)
        return rc;
    ret->name = claims.subject;
    ret->role_count = claims.role_count;
    for (size_t i = 0; i < claims.role_count; i++)
        ret->roles[i] = claims.roles[i];
    if (!a->config->auth.jwts.validate_user)
        return 0;
    struct sql_conn *conn = sql_take_reader(a->pool);
    rc = sql_user_roles(conn, claims.subject, arena, ret, err);
    sql_give_back(&conn);
    return rc == 0 ? error_set(err, ERR_DENIED, "unknown user") : MIN(rc, 0);
}

// "1.2.3.4", "2001:db8::/32", ...: equal text, or a prefix that holds the address.
static bool address_matches(const char *pattern, const char *address)
{
    unsigned char net[16], host[16];
    char text[64];
    const char *slash = strchr(pattern, '/');
    if (!slash || (size_t)(slash - pattern) >= sizeof(text))
        return strcmp(pattern, address) == 0;
    memcpy(text, pattern, (size_t)(slash - pattern));
    text[slash - pattern] = '\0';
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    uint64_t bits = 0;
    if (inet_pton(family, text, net) != 1 || inet_pton(family, address, host) != 1 ||
        strnum_parse_u64(slice_from_cstr(slash + 1), &bits, NULL) || bits > (family == AF_INET ? 32 : 128))
        return false;
    size_t whole = (size_t)bits / 8;
    unsigned mask = bits % 8 ? 0xffU << (8 - bits % 8) & 0xff : 0;
    return memcmp(net, host, whole) == 0 && (!mask || ((net[whole] ^ host[whole]) & mask) == 0);
}

// Forwarding headers are for the taking by any client, so only the peer's own address counts (spec 4.2.1).
static bool address_allowed(const struct auth *a, const char *peer)
{
    const struct setting_list *list = &a->config->main.api_allowed_ips;
    if (list->count == 0 || strcmp(list->items[0], "*") == 0)
        return true;
    for (size_t i = 0; i < list->count; i++) {
        if (address_matches(list->items[i], peer))
            return true;
    }
    return false;
}

static bool roles_pass(const struct user *user)
{
    if (user->role_count == 1)
        return user_has_role(user, "api");
    return user->role_count >= 2 && user_has_role(user, "admin") && user_has_role(user, "api");
}

int auth_check(const struct auth *a, enum route_class class, const struct http_request *req,
               struct user *ret_user, struct error *err)
{
    *ret_user = (struct user){.name = SLICE_LITERAL("anonymous"),
                              .roles = {SLICE_LITERAL("admin"), SLICE_LITERAL("api")},
                              .role_count = 2};
    if (a->disabled || class == ROUTE_PUBLIC)
        return 0;
    struct slice token = token_of(req);
    if (token.len == 0)
        return error_set(err, ERR_DENIED, "%s",
                         class == ROUTE_API ? "no user for secured check" : "unauthorized");
    int rc = user_from_token(a, token, req->arena, ret_user, err);
    if (rc)
        return rc;
    if (class == ROUTE_API && !address_allowed(a, req->peer))
        return error_set(err, ERR_DENIED, "unknown ip: %s", req->peer);
    return roles_pass(ret_user) ? 0 : error_set(err, ERR_DENIED, "unauthorized");
}

// ---- tokens -----------------------------------------------------------------------------------------------
int auth_sign(const struct auth *a, const struct user *user, int64_t now_s, char **ret_token,
              struct error *err)
{
    struct buf claims;
    struct json_writer w;
    if (!a->private_key)
        return error_set(err, ERR_INVALID, "environment variable 'JWT_PRIVATE_KEY' not set");
    buf_init(&claims, 65536);
    json_writer_init(&w, &claims);
    json_write_object_begin(&w);
    if (a->config->auth.max_age_ns > 0) {
        json_write_key(&w, "exp");
        json_write_int(&w, now_s + a->config->auth.max_age_ns / NS_PER_S);
    }
    json_write_key(&w, "iat");
    json_write_int(&w, now_s);
    json_write_key(&w, "roles");
    json_write_array_begin(&w);
    for (size_t i = 0; i < user->role_count; i++)
        json_write_string(&w, user->roles[i]);
    json_write_array_end(&w);
    json_write_key(&w, "sub");
    json_write_string(&w, user->name);
    json_write_object_end(&w);
    int rc = jwt_sign(a->private_key, buf_slice(&claims), ret_token, err);
    buf_release(&claims);
    return rc;
}
