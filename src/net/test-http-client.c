// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/file.h"
#include "net/http-client.h"
#include "net/http-server.h"
#include "net/net-test.h"

// Answers with what it was asked.
static void reflect(void *ctx, struct http_request *req, struct http_response *resp)
{
    const char *const names[] = {"Content-Type", "Authorization", "X-Token", "User-Agent", "Expect"};

    (void)ctx;
    resp->status = 201;
    buf_printf(&resp->body, "%.*s %.*s '%.*s'", SLICE_FMT(req->method), SLICE_FMT(req->path),
               SLICE_FMT(req->body));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (http_header(req, names[i]))
            buf_printf(&resp->body, " %s=%s", names[i], http_header(req, names[i]));
}

static void large(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    (void)req;
    buf_append_fill(&resp->body, 'x', 100000);
}

static void move(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    (void)req;
    resp->status = 302;
    http_set_header(resp, "Location", "/large");
}

static void slow(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    (void)req;
    clock_sleep_ns(test_slow(400) * NS_PER_MS);
    resp->status = 204;
}

struct fixture {
    struct http_router *router;
    struct http_server *server;
    struct http_client *client;
};

static void start(struct fixture *f, const char *address, const char *cert, const char *key,
                  struct http_client_options client)
{
    struct http_server_options options = {
        .address = address, .cert_file = cert, .key_file = key, .threads = 2};
    struct error err = ERROR_INIT;

    f->router = http_router_new();
    const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        http_router_add(f->router, methods[i], "/reflect", reflect, NULL);
    http_router_add(f->router, "GET", "/large", large, NULL);
    http_router_add(f->router, "GET", "/move", move, NULL);
    http_router_add(f->router, "GET", "/slow", slow, NULL);
    if (http_server_start(&options, f->router, &f->server, &err) < 0)
        fail_msg("%s", err.text);
    f->client = http_client_new(&client);
}

static void stop(struct fixture *f)
{
    http_client_free(&f->client);
    http_server_stop(&f->server, 1000);
    http_router_free(&f->router);
}

static void check(struct fixture *f, struct http_client_request request, const char *path, int status,
                  const char *body)
{
    struct http_client_reply reply;
    struct error err = ERROR_INIT;
    char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_server_port(f->server), path);
    request.url = url;
    if (http_client_do(f->client, &request, 1 << 20, &reply, &err) < 0)
        fail_msg("%s", err.text);
    if (reply.status != status || (body && strcmp(buf_cstr(&reply.body), body) != 0))
        fail_msg("%s %s: %d '%s', expected %d '%s'", request.method, path, reply.status,
                 buf_cstr(&reply.body), status, body ? body : "");
    http_client_reply_release(&reply);
}

#define BODY SLICE_LITERAL("{}")

static void test_requests(void **state)
{
    const char *const headers[] = {"X-Token: t", "Content-Type: application/json", NULL};
    struct fixture f;

    (void)state;
    start(&f, "127.0.0.1:0", NULL, NULL, (struct http_client_options){.user_agent = "u"});
    check(&f, (struct http_client_request){.method = "GET"}, "/reflect", 201, "GET /reflect '' User-Agent=u");
    check(&f, (struct http_client_request){.method = "GET", .body = BODY}, "/reflect", 201,
          "GET /reflect '{}' User-Agent=u");
    check(&f, (struct http_client_request){.method = "POST", .body = BODY}, "/reflect", 201,
          "POST /reflect '{}' User-Agent=u");
    check(&f, (struct http_client_request){.method = "POST"}, "/reflect", 201,
          "POST /reflect '' User-Agent=u");
    check(&f, (struct http_client_request){.method = "PUT", .body = BODY, .headers = headers}, "/reflect",
          201, "PUT /reflect '{}' Content-Type=application/json X-Token=t User-Agent=u");
    check(&f, (struct http_client_request){.method = "DELETE"}, "/reflect", 201,
          "DELETE /reflect '' User-Agent=u");
    check(&f, (struct http_client_request){.method = "GET", .username = "me", .password = "pw"}, "/reflect",
          201, "GET /reflect '' Authorization=Basic bWU6cHc= User-Agent=u");
    // nothing stays from the request before
    check(&f, (struct http_client_request){.method = "GET"}, "/reflect", 201, "GET /reflect '' User-Agent=u");
    check(&f, (struct http_client_request){.method = "HEAD"}, "/large", 200, "");
    check(&f, (struct http_client_request){.method = "GET"}, "/none", 404, "404 page not found\n");
    check(&f, (struct http_client_request){.method = "GET"}, "/move", 302, "");
    struct http_server_stats stats;
    http_server_stats(f.server, &stats);
    assert_int_equal(stats.connections_now, 1); // one connection served them all
    stop(&f);
}

// Not a word of it may come back in an error.
static void test_errors(void **state)
{
    struct fixture f;
    char url[160], text[256];

    (void)state;
    start(&f, "127.0.0.1:0", NULL, NULL, (struct http_client_options){.timeout_ms = test_slow(200)});
    unsigned port = http_server_port(f.server);
    snprintf(url, sizeof(url), "http://user:secret@127.0.0.1:%u/large?x=1", port);
    snprintf(text, sizeof(text), "GET http://127.0.0.1:%u/large?x=1: answer is larger than 1000 bytes", port);
    const struct {
        const char *url, *text;
        int code;
    } cases[] = {
        {url, text, ERR_LIMIT},
        {"ftp://x/y", "GET ftp://x/y: ", ERR_INVALID},
        {"http://user:secret@:x/", "GET :x/: ", ERR_INVALID},
        {"", "GET : ", ERR_INVALID},
        {"http://no-such-host.invalid/", "GET http://no-such-host.invalid/: Could not resolve host", ERR_IO},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_client_request request = {.method = "GET", .url = cases[i].url};
        struct http_client_reply reply;
        struct error err = ERROR_INIT;
        int ret = http_client_do(f.client, &request, 1000, &reply, &err);

        if (ret != cases[i].code || strncmp(err.text, cases[i].text, strlen(cases[i].text)) != 0 ||
            strstr(err.text, "secret"))
            fail_msg("'%s': %d '%s'", cases[i].url, ret, err.text);
    }
    struct http_client_reply reply;
    struct error err = ERROR_INIT;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/slow", port);
    struct http_client_request request = {.method = "GET", .url = url};
    assert_int_equal(http_client_do(f.client, &request, 1000, &reply, &err), ERR_TIMEOUT);
    http_server_stop(&f.server, 1000);
    assert_int_equal(http_client_do(f.client, &request, 1000, &reply, &err), ERR_IO);
    snprintf(text, sizeof(text), "GET %s: Failed to connect", url);
    assert_memory_equal(err.text, text, strlen(text));
    stop(&f);
}

// A kept connection whose server went away meanwhile is replaced without the caller noticing.
static void test_server_restart(void **state)
{
    struct fixture f;
    char address[64];

    (void)state;
    start(&f, "127.0.0.1:0", NULL, NULL, (struct http_client_options){.user_agent = "u"});
    check(&f, (struct http_client_request){.method = "POST", .body = BODY}, "/reflect", 201, NULL);
    snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f.server));
    http_server_stop(&f.server, 1000);
    struct http_server_options options = {.address = address};
    struct error err = ERROR_INIT;
    if (http_server_start(&options, f.router, &f.server, &err) < 0)
        fail_msg("%s", err.text);
    check(&f, (struct http_client_request){.method = "POST", .body = BODY}, "/reflect", 201,
          "POST /reflect '{}' User-Agent=u");
    stop(&f);
}

// ---- TLS --------------------------------------------------------------------------------------------------

struct pair {
    char dir[32];
    char cert[64], key[64];
};

static bool shell(const char *fmt, ...) PRINTF_LIKE(1, 2);

static bool shell(const char *fmt, ...)
{
    char command[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    return system(command) == 0;
}

static void make_pair(struct pair *p, const char *name)
{
    if (p->dir[0] == '\0') {
        snprintf(p->dir, sizeof(p->dir), "/tmp/test-tls-XXXXXX");
        assert_non_null(mkdtemp(p->dir));
    }
    snprintf(p->cert, sizeof(p->cert), "%s/cert.pem", p->dir);
    snprintf(p->key, sizeof(p->key), "%s/key.pem", p->dir);
    assert_true(
        shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=%s "
              "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
              name, p->key, p->cert));
}

static int get_once(const char *url, const char *ca_file, bool insecure, struct error *err)
{
    struct http_client_options options = {.ca_file = ca_file, .insecure = insecure};
    struct http_client *client = http_client_new(&options);
    struct http_client_request request = {.method = "GET", .url = url};
    struct http_client_reply reply;
    int ret = http_client_do(client, &request, 1 << 20, &reply, err);

    if (ret == 0) {
        ret = reply.status;
        http_client_reply_release(&reply);
    }
    http_client_free(&client);
    return ret;
}

static void test_tls(void **state)
{
    struct pair p = {.dir = ""};
    struct error err = ERROR_INIT;
    struct fixture f;
    char url[128], body[256];

    (void)state;
    make_pair(&p, "first");
    start(&f, "127.0.0.1:0", p.cert, p.key,
          (struct http_client_options){.ca_file = p.cert, .user_agent = "u"});
    unsigned port = http_server_port(f.server);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/reflect", port);
    assert_int_equal(get_once(url, p.cert, false, &err), 201);
    assert_int_equal(get_once(url, NULL, false, &err), ERR_IO); // not signed by anyone we know
    assert_non_null(strstr(err.text, "certificate"));
    assert_int_equal(get_once(url, NULL, true, &err), 201);
    // a body of several records
    struct buf large_body;
    buf_init(&large_body, 1 << 20);
    buf_append_fill(&large_body, 'b', 200000);
    struct http_client_request request = {.method = "POST", .url = url, .body = buf_slice(&large_body)};
    struct http_client_reply reply;
    if (http_client_do(f.client, &request, 1 << 20, &reply, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(reply.body.len > 200000);
    http_client_reply_release(&reply);
    buf_release(&large_body);
    // plain HTTP on a TLS port is refused, and the server lives on
    snprintf(body, sizeof(body), "http://127.0.0.1:%u/reflect", port);
    assert_int_equal(get_once(body, NULL, false, &err), ERR_IO);
    assert_int_equal(get_once(url, p.cert, false, &err), 201);
    stop(&f);
    assert_int_equal(file_remove_tree(p.dir, NULL), 0);
}

// Spec metric-store 1.4: TLS 1.2 with two suites, TLS 1.3.
static void test_tls_versions(void **state)
{
    static const struct {
        const char *options;
        bool accepted;
    } cases[] = {
        {"-tls1_3", true},
        {"-tls1_2", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", false},
        {"-tls1_1 -cipher ALL:@SECLEVEL=0", false},
    };
    struct pair p = {.dir = ""};
    struct fixture f;

    (void)state;
    make_pair(&p, "versions");
    start(&f, "127.0.0.1:0", p.cert, p.key, (struct http_client_options){.ca_file = p.cert});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool ok =
            shell("openssl s_client -connect 127.0.0.1:%u -CAfile %s -verify_return_error %s </dev/null "
                  ">/dev/null 2>&1",
                  http_server_port(f.server), p.cert, cases[i].options);

        if (ok != cases[i].accepted)
            fail_msg("openssl s_client %s: %s", cases[i].options, ok ? "connected" : "refused");
    }
    stop(&f);
    assert_int_equal(file_remove_tree(p.dir, NULL), 0);
}

static void test_tls_reload(void **state)
{
    struct pair p = {.dir = ""};
    struct error err = ERROR_INIT;
    struct fixture f;
    char url[128], old_cert[80], expected[256];

    (void)state;
    make_pair(&p, "old");
    snprintf(old_cert, sizeof(old_cert), "%s/old.pem", p.dir);
    assert_true(shell("cp %s %s", p.cert, old_cert));
    start(&f, "127.0.0.1:0", p.cert, p.key, (struct http_client_options){.ca_file = old_cert});
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/reflect", http_server_port(f.server));
    struct http_client_request request = {.method = "GET", .url = url};
    struct http_client_reply reply;
    assert_int_equal(http_client_do(f.client, &request, 1000, &reply, &err), 0);
    http_client_reply_release(&reply);

    make_pair(&p, "new");
    if (http_server_reload_tls(f.server, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(get_once(url, p.cert, false, &err), 201);
    assert_int_equal(get_once(url, old_cert, false, &err), ERR_IO);
    // an open connection goes on with the certificate it knows
    assert_int_equal(http_client_do(f.client, &request, 1000, &reply, &err), 0);
    http_client_reply_release(&reply);

    // a pair that does not fit changes nothing
    assert_true(shell("echo nonsense > %s", p.key));
    assert_int_equal(http_server_reload_tls(f.server, &err), ERR_INVALID);
    snprintf(expected, sizeof(expected), "tls: cannot use certificate '%s' with key '%s': ", p.cert, p.key);
    assert_memory_equal(err.text, expected, strlen(expected));
    assert_true(strlen(err.text) > strlen(expected));
    assert_int_equal(get_once(url, p.cert, false, &err), 201);
    assert_true(shell("rm %s", p.key));
    assert_int_equal(http_server_reload_tls(f.server, &err), ERR_NOT_FOUND);
    assert_int_equal(get_once(url, p.cert, false, &err), 201);
    stop(&f);
    assert_int_equal(file_remove_tree(p.dir, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_server_restart), cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_versions),   cmocka_unit_test(test_tls_reload),
    };

    if (system("openssl version >/dev/null 2>&1") != 0) {
        fprintf(stderr, "the program openssl is missing\n");
        return 1;
    }
    struct error err = ERROR_INIT;
    if (http_client_global_init(&err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
