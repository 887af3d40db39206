// SPDX-License-Identifier: MIT
#include "collector/http-post.h"

#include "base/testing.h"

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *target; // host NULL: refused
        bool tls;
    } cases[] = {
        {"http://localhost", "localhost", "80", "", false},
        {"http://localhost:8082/api/write/?cluster=a&x=b%20c", "localhost", "8082",
         "/api/write/?cluster=a&x=b%20c", false},
        {"http://127.0.0.1:1?x", "127.0.0.1", "1", "?x", false},
        {"https://store.example/api#part", "store.example", "443", "/api", true},
        {"http://[::1]:8080/x", "::1", "8080", "/x", false},
        {"http://[::1]/x", "::1", "80", "/x", false},
        {"http://", NULL, NULL, NULL, false},
        {"http:///x", NULL, NULL, NULL, false},
        {"ftp://x/", NULL, NULL, NULL, false},
        {"localhost:8080", NULL, NULL, NULL, false},
        {"http://h:0/", NULL, NULL, NULL, false},
        {"http://h:65536/", NULL, NULL, NULL, false},
        {"http://h:8x/", NULL, NULL, NULL, false},
        {"http://user:secret@h/", NULL, NULL, NULL, false},
        {"http://h/a b", NULL, NULL, NULL, false},
        {"http://h/a\r\nX: y", NULL, NULL, NULL, false},
        {"http://[::1/x", NULL, NULL, NULL, false},
        {"http://[::1]x/", NULL, NULL, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_url url;
        struct error err = ERROR_INIT;
        int rc = http_url_parse(slice_from_cstr(cases[i].text), &url, &err);
        if ((rc == 0) != (cases[i].host != NULL))
            fail_msg("'%s': result %d (%s)", cases[i].text, rc, err.text);
        if (rc == 0 && (strcmp(url.host, cases[i].host) != 0 || strcmp(url.port, cases[i].port) != 0 ||
                        !slice_eq_cstr(url.target, cases[i].target) || url.tls != cases[i].tls))
            fail_msg("'%s': '%s' '%s' '%.*s'", cases[i].text, url.host, url.port, SLICE_FMT(url.target));
    }
}

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc, status;
        int64_t length, retry_after;
        bool chunked, close;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1, 200, 2, -1, false, false},
        {"HTTP/1.0 200\n\n", 1, 200, -1, -1, false, true},
        {"HTTP/1.1 503 x\r\nretry-after: 7\r\nCONNECTION: Close\r\n\r\n", 1, 503, -1, 7, false, true},
        {"HTTP/1.1 503 x\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n", 1, 503, -1, -1, false,
         false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1, 200, -1, -1, true, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", 1, 100, -1, -1, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Len", 0, 0, 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\n", 0, 0, 0, 0, false, false},
        {"", 0, 0, 0, 0, false, false},
        {"SSH-2.0-x\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
        {"HTTP/2 200 OK\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
        {"HTTP/1.1 20 OK\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
        {"HTTP/1.1 2000 OK\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", ERR_INVALID, 0, 0, 0, false,
         false},
        {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\n: empty\r\n\r\n", ERR_INVALID, 0, 0, 0, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_reply_head head;
        struct error err = ERROR_INIT;
        int rc = http_reply_parse(slice_from_cstr(cases[i].text), &head, &err);
        if (rc != cases[i].rc)
            fail_msg("'%s': result %d, expected %d (%s)", cases[i].text, rc, cases[i].rc, err.text);
        if (rc != 1)
            continue;
        if (head.status != cases[i].status || head.content_length != cases[i].length ||
            head.retry_after_s != cases[i].retry_after || head.chunked != cases[i].chunked ||
            head.close != cases[i].close)
            fail_msg("'%s': status %d length %lld", cases[i].text, head.status,
                     (long long)head.content_length);
    }
}

static void test_endless_headers_are_refused(void **state)
{
    (void)state;
    static char text[HTTP_POST_REPLY_MAX + 100];
    struct http_reply_head head;
    memset(text, 'x', sizeof(text));
    memcpy(text, "HTTP/1.1 200 OK\n", 16);
    assert_int_equal(http_reply_parse(slice_of(text, sizeof(text)), &head, NULL), ERR_INVALID);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct http_post *post = NULL;
    struct error err = ERROR_INIT;
    struct http_reply_head head;
    // Port 1 of the loopback address: nothing listens on it.
    assert_int_equal(
        http_post_new(&(struct http_post_options){.url = "http://127.0.0.1:1/", .timeout_ms = 2000}, &post,
                      &err),
        0);
    assert_int_equal(http_post_send(post, SLICE_LITERAL("x"), &head, &err), ERR_IO);
    assert_true(slice_contains(slice_from_cstr(err.text), SLICE_LITERAL("127.0.0.1:1")));
    http_post_free(&post);
    http_post_free(&post);
    assert_int_equal(
        http_post_new(&(struct http_post_options){.url = "http://h/", .authorization = "a\nb"}, &post, &err),
        ERR_INVALID);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_endless_headers_are_refused),
        cmocka_unit_test(test_nobody_there),
    };
    return TEST_MAIN(argc, argv, tests);
}
