// SPDX-License-Identifier: MIT
// Who may do what (spec backend.md 4.2, auth.md 9, 13, 17): header tokens, address list, role rules per class
// of routes. Without authentication (main.disable-authentication, demo mode) every request has the built-in
// user 'anonymous' with roles admin and api. Immutable after auth_new; any thread.
#ifndef BACKEND_AUTH_H
#define BACKEND_AUTH_H

#include <stdbool.h>

#include "backend/config.h"
#include "net/http-server.h"
#include "net/jwt.h"
#include "net/sql.h"

enum route_class {
    ROUTE_PUBLIC,
    ROUTE_API,    // address list; exactly role api, or admin and api
    ROUTE_METRIC, // the same roles (sound: auth.md 13.2), no address list
};

struct user {
    struct slice name;
    struct slice roles[JWT_MAX_ROLES];
    size_t role_count;
};

struct auth;

// Reads JWT_PUBLIC_KEY, JWT_PRIVATE_KEY and SESSION_KEY from the environment. 'pool' is borrowed, for
// validate-user; may be NULL. 'disabled': no checks. Refuses texts of spec auth.md 3.3.
int auth_new(const struct config *config, struct sql_pool *pool, bool disabled, struct auth **ret_auth,
             struct error *err) MUST_CHECK;
void auth_free(struct auth **auth);
bool auth_disabled(const struct auth *auth);
// 0 and *ret_user; ERR_DENIED with the text of the 401 answer. Slices lie in the arena of the request.
int auth_check(const struct auth *auth, enum route_class class, const struct http_request *req,
               struct user *ret_user, struct error *err) MUST_CHECK;
bool user_has_role(const struct user *user, const char *role);
// Signs a token as the option -jwt does; *ret_token on the heap.
int auth_sign(const struct auth *auth, const struct user *user, int64_t now_s, char **ret_token,
              struct error *err) MUST_CHECK;

#endif
