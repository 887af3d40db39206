// SPDX-License-Identifier: MIT
#include "backend/auth.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/testing.h"
#include "net/http-request-test.h"

#define SESSION "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

struct fixture {
    struct config config;
    struct auth *auth;
};

static void open_auth(struct fixture *f, bool disabled)
{
    char *public_text = NULL, *private_text = NULL;
    struct error err = ERROR_INIT;
    log_set_level(LOG_LEVEL_CRIT);
    EXPECT(jwt_generate_keys(&public_text, &private_text, &err) == 0, "%s", err.text);
    setenv("SESSION_KEY", SESSION, 1);
    setenv("JWT_PUBLIC_KEY", public_text, 1);
    setenv("JWT_PRIVATE_KEY", private_text, 1);
    f->config.auth.present = true;
    EXPECT(auth_new(&f->config, NULL, disabled, &f->auth, &err) == 0, "%s", err.text);
    mem_free(public_text);
    mem_free(private_text);
}

static char *sign(struct fixture *f, const char *const *roles)
{
    struct error err = ERROR_INIT;
    struct user user = {.name = SLICE_LITERAL("me")};
    char *token = NULL;
    for (; roles[user.role_count]; user.role_count++)
        user.roles[user.role_count] = slice_from_cstr(roles[user.role_count]);
    EXPECT(auth_sign(f->auth, &user, wall_seconds(clock_wall()), &token, &err) == 0, "%s", err.text);
    return token;
}

// 0 or why; header NULL: none.
static int check(struct fixture *f, enum route_class class, const char *header, const char *value,
                 const char *peer, struct error *err)
{
    struct test_exchange x;
    struct user user;
    test_exchange_init(&x, "GET", "/api/jobs/", NULL);
    x.req.peer = peer;
    if (header)
        test_exchange_header(&x, header, value);
    int rc = auth_check(f->auth, class, &x.req, &user, err);
    test_exchange_release(&x);
    return rc;
}

// Spec backend.md 4.2, auth.md 13: exactly the role api, or admin and api.
static void test_roles(void **state)
{
    static const struct {
        const char *roles[4];
        bool pass;
    } cases[] = {{{"api"}, true},
                 {{"API"}, true},
                 {{"admin", "api"}, true},
                 {{"api", "admin"}, true},
                 {{"admin"}, false},
                 {{"user"}, false},
                 {{"user", "api"}, false},
                 {{"support"}, false},
                 {{"manager", "api"}, false},
                 {{"admin", "user"}, false},
                 {{"api", "admin", "user"}, true},
                 {{NULL}, false}};
    static const enum route_class classes[] = {ROUTE_API, ROUTE_METRIC};
    struct fixture f = {.auth = NULL};
    (void)state;
    open_auth(&f, false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *token = sign(&f, cases[i].roles);
        for (size_t k = 0; k < ARRAY_LEN(classes); k++) {
            struct error err = ERROR_INIT;
            int rc = check(&f, classes[k], "X-Auth-Token", token, "127.0.0.1", &err);
            EXPECT((rc == 0) == cases[i].pass, "case %zu, class %zu: %d %s", i, k, rc, err.text);
            EXPECT(rc == 0 || rc == ERR_DENIED, "case %zu: %d", i, rc);
        }
        mem_free(token);
    }
    auth_free(&f.auth);
}

static void test_where_the_token_stands(void **state)
{
    static const char *const api[] = {"api", NULL};
    struct fixture f = {.auth = NULL};
    struct error err = ERROR_INIT;
    char bearer[2048];
    (void)state;
    open_auth(&f, false);
    char *token = sign(&f, api);
    snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    assert_int_equal(check(&f, ROUTE_API, "Authorization", bearer, "127.0.0.1", &err), 0);
    assert_int_equal(check(&f, ROUTE_API, "Authorization", token, "127.0.0.1", &err), 0);
    assert_int_equal(check(&f, ROUTE_API, NULL, NULL, "127.0.0.1", &err), ERR_DENIED);
    assert_string_equal(err.text, "no user for secured check");
    assert_int_equal(check(&f, ROUTE_METRIC, NULL, NULL, "127.0.0.1", &err), ERR_DENIED);
    assert_string_equal(err.text, "unauthorized");
    token[strlen(token) - 3] ^= 1;
    assert_int_equal(check(&f, ROUTE_API, "X-Auth-Token", token, "127.0.0.1", &err), ERR_DENIED);
    assert_int_equal(check(&f, ROUTE_API, "X-Auth-Token", "x.y", "127.0.0.1", &err), ERR_DENIED);
    assert_int_equal(check(&f, ROUTE_PUBLIC, NULL, NULL, "127.0.0.1", &err), 0);
    mem_free(token);
    auth_free(&f.auth);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *pattern, *peer;
        bool pass;
    } cases[] = {{"*", "10.0.0.9", true},
                 {"10.0.0.9", "10.0.0.9", true},
                 {"10.0.0.9", "10.0.0.8", false},
                 {"10.0.0.0/8", "10.255.0.1", true},
                 {"10.0.0.0/9", "10.128.0.1", false},
                 {"10.0.0.0/0", "192.168.0.1", true},
                 {"10.0.0.0/33", "10.0.0.0", false},
                 {"10.0.0.0/x", "10.0.0.0", false},
                 {"10.0.0.0/8", "2001:db8::1", false},
                 {"2001:db8::/33", "2001:db8:7fff::1", true},
                 {"2001:db8::/33", "2001:db8:8000::1", false},
                 {"", "10.0.0.9", false}};
    static const char *const api[] = {"api", NULL};
    struct fixture f = {.auth = NULL};
    (void)state;
    open_auth(&f, false);
    char *token = sign(&f, api);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *items[] = {cases[i].pattern};
        struct error err = ERROR_INIT;
        f.config.main.api_allowed_ips.items = items;
        f.config.main.api_allowed_ips.count = 1;
        int rc = check(&f, ROUTE_API, "X-Auth-Token", token, cases[i].peer, &err);
        EXPECT((rc == 0) == cases[i].pass, "'%s' '%s': %d %s", cases[i].pattern, cases[i].peer, rc, err.text);
        assert_int_equal(check(&f, ROUTE_METRIC, "X-Auth-Token", token, cases[i].peer, &err), 0);
    }
    mem_free(token);
    auth_free(&f.auth);
}

static void test_disabled(void **state)
{
    struct fixture f = {.auth = NULL};
    struct error err = ERROR_INIT;
    (void)state;
    open_auth(&f, true);
    assert_true(auth_disabled(f.auth));
    assert_int_equal(check(&f, ROUTE_API, NULL, NULL, "10.0.0.1", &err), 0);
    auth_free(&f.auth);
}

static void test_refused_keys(void **state)
{
    static const struct {
        const char *session, *public_key, *private_key, *text;
    } cases[] = {{"", "", "", "'SESSION_KEY' not set"},
                 {"%%%", "", "", "decoding session key failed"},
                 {SESSION, "%%%", "x", "jwtAuth init failed"},
                 {SESSION, SESSION, "AAAA", "jwtAuth init failed"}};
    struct config config = {.auth = {.present = true}};
    (void)state;
    log_set_level(LOG_LEVEL_CRIT);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct auth *auth = NULL;
        setenv("SESSION_KEY", cases[i].session, 1);
        setenv("JWT_PUBLIC_KEY", cases[i].public_key, 1);
        setenv("JWT_PRIVATE_KEY", cases[i].private_key, 1);
        int rc = auth_new(&config, NULL, false, &auth, &err);
        EXPECT(rc == ERR_INVALID && strstr(err.text, cases[i].text), "case %zu: %d '%s'", i, rc, err.text);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_roles),
                                       cmocka_unit_test(test_where_the_token_stands),
                                       cmocka_unit_test(test_addresses), cmocka_unit_test(test_disabled),
                                       cmocka_unit_test(test_refused_keys)};
    return TEST_MAIN(argc, argv, tests);
}
