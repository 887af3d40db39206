// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "metricstore/auth.h"
#include "net/http-request-test.h"
#include "net/jwt.h"

#define PRIVATE_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define PUBLIC_KEY  "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
#define NOW         1763000000

static int64_t fixed_now(void)
{
    return NOW;
}

static struct auth *new_auth(bool require_scopes)
{
    struct auth_options options = {
        .public_key_base64 = PUBLIC_KEY, .require_scopes = require_scopes, .now_s = fixed_now};
    struct auth *auth = NULL;

    assert_int_equal(auth_new(&options, &auth, NULL), 0);
    return auth;
}

// Status that the guard answers; 200: it lets the request pass. claims NULL: no token.
static int ask(struct auth *auth, const char *method, const char *path, const char *claims)
{
    struct test_exchange x;
    struct jwt_key *key = NULL;
    char *token = NULL, header[1024];

    test_exchange_init(&x, method, path, NULL);
    if (claims) {
        assert_int_equal(jwt_private_key_new(PRIVATE_KEY, &key, NULL), 0);
        assert_int_equal(jwt_sign(key, slice_from_cstr(claims), &token, NULL), 0);
        (void)snprintf(header, sizeof(header), "Bearer %s", token);
        test_exchange_header(&x, "Authorization", header);
    }
    bool passed = auth_guard(auth, &x.req, &x.resp);
    int status = x.resp.status;
    assert_true(passed == (status == 200));
    if (status == 403)
        assert_non_null(
            strstr(buf_cstr(&x.resp.body), "{\"status\":\"Forbidden\",\"error\":\"the token lacks"));
    mem_free(token);
    jwt_key_free(&key);
    test_exchange_release(&x);
    return status;
}

static const char *const paths[] = {"/api/query", "/api/healthcheck", "/api/write", "/api/free",
                                    "/api/debug"};

// Every kind of token with every endpoint.
static void test_ms_50_scopes(void **state)
{
    static const struct {
        const char *claims;
        const char *allowed; // one character for each path: y or n
    } cases[] = {
        {"{}", "yynnn"},
        {"{\"roles\":[]}", "yynnn"},
        {"{\"roles\":[\"user\"]}", "yynnn"},
        {"{\"roles\":[\"api\"]}", "yyynn"},
        {"{\"roles\":[\"user\",\"ROLE_API\"]}", "yyynn"},
        {"{\"roles\":[\"admin\"]}", "yynyy"},
        {"{\"roles\":[\"ROLE_ADMIN\"]}", "yynyy"},
        {"{\"roles\":[\"admin\",\"api\"]}", "yyyyy"},
        {"{\"roles\":\"api\"}", "yynnn"},
        {"{\"roles\":[\"Api\",\"administrator\",\"ROLE_API \"]}", "yynnn"},
        {"{\"scope\":\"\"}", "nnnnn"},
        {"{\"scope\":\"read\"}", "yynnn"},
        {"{\"scope\":\"write\"}", "nnynn"},
        {"{\"scope\":\"admin\"}", "nnnyy"},
        {"{\"scope\":\"write read\"}", "yyynn"},
        {"{\"scope\":\"write read admin\"}", "yyyyy"},
        {"{\"scope\":\"other\"}", "nnnnn"},
        {"{\"scope\":null}", "nnnnn"},
        {"{\"scope\":[\"read\",\"write\"]}", "nnnnn"},
        {"{\"scope\":\"read\",\"roles\":[\"admin\",\"api\"]}", "yynnn"},
        {"{\"scope\":\"api\",\"roles\":[\"read\"]}", "nnnnn"},
    };
    struct auth *strict = new_auth(true), *open = new_auth(false);

    (void)state;
    for (int round = 0; round < 2; round++) // the second time the tokens come from the cache
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
                int expected = cases[i].allowed[k] == 'y' ? 200 : 403;
                int got = ask(strict, "POST", paths[k], cases[i].claims);
                if (got != expected)
                    fail_msg("%s with %s: %d, expected %d", paths[k], cases[i].claims, got, expected);
                got = ask(open, "POST", paths[k], cases[i].claims); // tokens of old keep working
                if (got != 200)
                    fail_msg("%s with %s: %d without scopes", paths[k], cases[i].claims, got);
            }
    auth_free(&strict);
    auth_free(&open);
}

// An endpoint is its path and what lies below it; a path that nobody has thought of needs the highest right.
static void test_ms_50_scopes_of_paths(void **state)
{
    static const struct {
        const char *path, *claims;
        int status;
    } cases[] = {
        {"/api/write/", "{\"scope\":\"read\"}", 403},
        {"/api/write/more", "{\"scope\":\"read\"}", 403},
        {"/api/write/more", "{\"scope\":\"write\"}", 200},
        {"/api/free/?to=1", "{\"scope\":\"read write\"}", 403},
        {"/api/free?to=1", "{\"scope\":\"admin\"}", 200},
        {"/api/%66ree?to=1", "{\"scope\":\"read write\"}", 403},
        {"/api/queryx", "{\"scope\":\"read\"}", 403},
        {"/api/new", "{\"scope\":\"read write\"}", 403},
        {"/api/", "{\"scope\":\"read write\"}", 403},
        {"/api/query/", "{\"scope\":\"read\"}", 200},
        {"/metrics", "{\"scope\":\"\"}", 200},
        {"/metrics", NULL, 200},
        {"/swagger/", NULL, 200},
        {"/api/query", NULL, 401},
    };
    struct auth *auth = new_auth(true);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int got = ask(auth, "GET", cases[i].path, cases[i].claims);
        if (got != cases[i].status)
            fail_msg("%s with %s: %d, expected %d", cases[i].path, cases[i].claims ? cases[i].claims : "-",
                     got, cases[i].status);
    }
    auth_free(&auth);
}

static void test_refusals_are_counted(void **state)
{
    struct auth *auth = new_auth(true);
    struct auth_stats stats;

    (void)state;
    ask(auth, "POST", "/api/write", NULL);
    ask(auth, "POST", "/api/write", "{\"exp\":1}");
    ask(auth, "POST", "/api/write", "{}");
    ask(auth, "GET", "/api/query", "{}");
    auth_stats(auth, &stats);
    assert_int_equal(stats.refused_tokens, 2);
    assert_int_equal(stats.refused_scopes, 1);
    auth_free(&auth);
}

// A key that cannot be one is refused at the start.
static void test_ms_50_bad_keys(void **state)
{
    static const char *const keys[] = {"", "!!!", "c2hvcnQ=", PRIVATE_KEY "AAAA"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct auth_options options = {.public_key_base64 = keys[i]};
        struct auth *auth = NULL;

        if (auth_new(&options, &auth, NULL) != ERR_INVALID)
            fail_msg("accepted: '%s'", keys[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ms_50_scopes),
        cmocka_unit_test(test_ms_50_scopes_of_paths),
        cmocka_unit_test(test_refusals_are_counted),
        cmocka_unit_test(test_ms_50_bad_keys),
    };
    log_set_level(LOG_LEVEL_CRIT); // refusals are logged
    return cmocka_run_group_tests(tests, NULL, NULL);
}
