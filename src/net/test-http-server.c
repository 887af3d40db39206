// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#include "codec/gzip.h"
#include "net/http-server.h"
#include "net/net-test.h"

// What the handlers of the test server saw. One lock for all.
struct seen {
    pthread_mutex_t lock;
    int handled, truncated, done;
    char last_body[256];
    int last_status;
    size_t last_body_bytes;
    char last_peer[64];
    _Atomic bool hold; // slow handler waits while this is set
    _Atomic bool holding;
    _Atomic int streams_freed;
    struct http_waiting *_Atomic waiting[4];
    _Atomic int waiting_count, finished;
};

struct fixture {
    struct seen seen;
    struct http_router *router;
    struct http_server *server;
    unsigned port;
};

static void echo(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct seen *seen = ctx;

    pthread_mutex_lock(&seen->lock);
    seen->handled++;
    seen->truncated += req->body_truncated;
    snprintf(seen->last_body, sizeof(seen->last_body), "%.*s", (int)MIN(req->body.len, 200), req->body.ptr);
    snprintf(seen->last_peer, sizeof(seen->last_peer), "%s", req->peer);
    pthread_mutex_unlock(&seen->lock);
    http_set_header(resp, "Content-Type", "text/plain");
    buf_append_slice(&resp->body, req->body);
}

static void tell_length(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    buf_printf(&resp->body, "%zu bytes", req->body.len);
}

static void nothing(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    (void)req;
    http_set_header(resp, "Content-Type", "application/json");
}

static void hold_on(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct seen *seen = ctx;

    (void)req;
    atomic_store(&seen->holding, true);
    while (atomic_load(&seen->hold))
        clock_sleep_ns(NS_PER_MS);
    buf_append_cstr(&resp->body, "held");
}

struct wait { // in the request's arena
    struct seen *seen;
    struct slice text;
};

static void note_waiting(void *ctx, struct http_waiting *waiting)
{
    struct seen *seen = ((struct wait *)ctx)->seen;
    int place = atomic_load(&seen->waiting_count);

    atomic_store(&seen->waiting[place], waiting);
    atomic_store(&seen->waiting_count, place + 1);
}

static void finish_waiting(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct wait *w = ctx;

    ASSERT(req->body.len == 0);
    atomic_fetch_add(&w->seen->finished, 1);
    buf_printf(&resp->body, "waited with %.*s", SLICE_FMT(w->text));
}

static void wait_for_disk(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct wait *w = ARENA_NEW(req->arena, struct wait);

    ASSERT(req->can_wait);
    *w = (struct wait){.seen = ctx, .text = arena_copy(req->arena, req->body)};
    resp->start = note_waiting;
    resp->finish = finish_waiting;
    resp->wait_ctx = w;
}

static void tell_waiting(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)ctx;
    buf_append_cstr(&resp->body, req->can_wait ? "may wait" : "may not wait");
}

static void numbers(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct slice count = SLICE_EMPTY;
    uint64_t n = 1000;

    (void)ctx;
    if (http_query_param(req, "n", &count))
        ASSERT(strnum_parse_u64(count, &n, NULL) == 0);
    http_set_header(resp, "Content-Type", "application/json");
    for (uint64_t i = 0; i < n; i++)
        buf_printf(&resp->body, "%llu,", (unsigned long long)i);
}

struct count_stream {
    struct seen *seen;
    int next, last, fail_at;
};

static int next_number(void *ctx, struct buf *out)
{
    struct count_stream *s = ctx;

    if (s->next == s->fail_at)
        return -1;
    if (s->next == s->last)
        return 0;
    buf_printf(out, "%d\n", s->next++);
    return 1;
}

static void free_stream(void *ctx)
{
    struct count_stream *s = ctx;

    atomic_fetch_add(&s->seen->streams_freed, 1); // also shows that the arena still lives
}

static void stream_numbers(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct count_stream *s = ARENA_NEW(req->arena, struct count_stream);
    struct slice value;
    uint64_t n = 1000;

    s->seen = ctx;
    s->fail_at = -1;
    if (http_query_param(req, "n", &value))
        ASSERT(strnum_parse_u64(value, &n, NULL) == 0);
    s->last = (int)n;
    if (http_query_param(req, "fail", &value))
        s->fail_at = 5;
    resp->stream = next_number;
    resp->stream_ctx = s;
    resp->stream_free = free_stream;
}

static void on_done(void *ctx, const struct http_request *req, int status, size_t body_bytes,
                    int64_t duration_ns)
{
    struct seen *seen = ctx;

    ASSERT(req->path.len > 0 && duration_ns >= 0);
    pthread_mutex_lock(&seen->lock);
    seen->done++;
    seen->last_status = status;
    seen->last_body_bytes = body_bytes;
    pthread_mutex_unlock(&seen->lock);
}

static void start(struct fixture *f, struct http_server_options options)
{
    struct error err = ERROR_INIT;

    *f = (struct fixture){.port = 0};
    pthread_mutex_init(&f->seen.lock, NULL);
    f->router = http_router_new();
    http_router_add(f->router, "POST", "/echo", echo, &f->seen);
    http_router_add(f->router, "GET", "/echo", echo, &f->seen);
    http_router_add(f->router, "POST", "/length", tell_length, NULL);
    http_router_add(f->router, "POST", "/nothing", nothing, NULL);
    http_router_add(f->router, "POST", "/hold", hold_on, &f->seen);
    http_router_add(f->router, "POST", "/wait", wait_for_disk, &f->seen);
    http_router_add(f->router, "GET", "/may-wait", tell_waiting, NULL);
    http_router_add(f->router, "GET", "/numbers", numbers, NULL);
    http_router_add(f->router, "GET", "/stream", stream_numbers, &f->seen);
    options.address = options.address ? options.address : "127.0.0.1:0";
    options.threads = options.threads ? options.threads : 2;
    options.on_done = on_done;
    options.on_done_ctx = &f->seen;
    if (http_server_start(&options, f->router, &f->server, &err) < 0)
        fail_msg("start: %s", err.text);
    f->port = http_server_port(f->server);
    assert_int_not_equal(f->port, 0);
}

static void stop(struct fixture *f)
{
    http_server_stop(&f->server, test_slow(10000));
    http_router_free(&f->router);
    pthread_mutex_destroy(&f->seen.lock);
}

static struct http_server_stats stats_of(const struct fixture *f)
{
    struct http_server_stats s;

    http_server_stats(f->server, &s);
    return s;
}

// Waits for what the server does behind the client's back.
static bool eventually(struct fixture *f, bool (*condition)(struct fixture *))
{
    for (int64_t i = 0; i < test_slow(10000); i += 5) {
        if (condition(f))
            return true;
        clock_sleep_ns(5 * NS_PER_MS);
    }
    return false;
}

static void check_answer(unsigned port, const char *request, int status, const char *body)
{
    struct test_answer a;

    test_request(port, request, &a);
    if (a.status != status || (body && !slice_eq_cstr(a.body, body)))
        fail_msg("'%.60s': %d '%.*s', expected %d '%s'", request, a.status, SLICE_FMT(a.body), status,
                 body ? body : "(any)");
    test_answer_release(&a);
}

// Each request is sent whole with the sending side closed behind it: half-closed clients get their answer.
static void test_forms(void **state)
{
    static const struct {
        const char *request;
        int status;
        const char *body;
    } cases[] = {
        {"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
        {"GET /echo HTTP/1.0\r\n\r\n", 200, ""},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
        {"POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
        {"GET /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 200, ""},
        {"POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n "
         "world\r\n0\r\n\r\n",
         200, "hello world"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
         "Content-Length: 3\r\n\r\na=1",
         200, "a=1"},
        {"HEAD /numbers?n=3 HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
        {"GET /numbers?n=3 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "0,1,2,"},
        {"GET http://elsewhere/numbers?n=2 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "0,1,"},
        {"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 405, "Method Not Allowed\n"},
        {"DELETE /length HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Method Not Allowed\n"},
        {"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 404, "404 page not found\n"},
        {"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 404, "404 page not found\n"},
        {"HEAD /none HTTP/1.1\r\nHost: x\r\n\r\n", 404, ""},
        {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "400 Bad Request\n"},
        {"GET /echo HTTP/1.1\r\n\r\n", 400, NULL}, // no Host
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, NULL},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, NULL},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, NULL},
        // two lengths, or a length and chunks: one of the two hides a second request from whoever reads the other
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400, NULL},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, NULL},
    };
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_answer(f.port, cases[i].request, cases[i].status, cases[i].body);
    assert_string_equal(f.seen.last_peer, "127.0.0.1");
    stop(&f);
}

static void test_headers_of_errors(void **state)
{
    struct fixture f;
    struct test_answer a;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    test_request(f.port, "HEAD /length HTTP/1.1\r\nHost: x\r\n\r\n", &a);
    assert_int_equal(a.status, 405);
    assert_true(slice_eq_cstr(test_answer_header(&a, "Allow"), "POST"));
    assert_true(slice_eq_cstr(test_answer_header(&a, "Content-Type"), "text/plain; charset=utf-8"));
    assert_true(slice_eq_cstr(test_answer_header(&a, "X-Content-Type-Options"), "nosniff"));
    test_answer_release(&a);
    stop(&f);
}

static void test_keep_alive_and_pieces(void **state)
{
    struct fixture f;
    struct test_answer a;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    int fd = test_connect(f.port);
    for (int round = 0; round < 3; round++) {
        test_send_text(fd, "POST /echo HTTP/1.1\r\nHo");
        clock_sleep_ns(5 * NS_PER_MS);
        test_send_text(fd, "st: x\r\nContent-Length: 10\r\n\r\n");
        clock_sleep_ns(5 * NS_PER_MS);
        test_send_text(fd, "01234");
        clock_sleep_ns(5 * NS_PER_MS);
        test_send_text(fd, "56789");
        test_read_answer(fd, &a, false);
        assert_int_equal(a.status, 200);
        assert_true(slice_eq_cstr(a.body, "0123456789"));
        test_answer_release(&a);
    }
    // a refused request with a short body leaves the connection usable
    test_send_text(fd, "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    test_read_answer(fd, &a, false);
    assert_int_equal(a.status, 404);
    test_answer_release(&a);
    // two requests at once
    test_send_text(
        fd, "GET /numbers?n=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /numbers?n=2 HTTP/1.1\r\nHost: x\r\n\r\n");
    test_read_answer(fd, &a, false);
    while (slice_find(buf_slice(&a.raw), SLICE_LITERAL("0,1,")) < 0 && test_receive(fd, &a.raw, 20000) > 0)
        ;
    assert_true(slice_find(buf_slice(&a.raw), SLICE_LITERAL("0,1,")) > 0);
    test_answer_release(&a);
    assert_int_equal(stats_of(&f).connections_now, 1);
    assert_int_equal(stats_of(&f).requests, 6);
    close(fd);
    // a half-closed connection is not kept: its end arrives together with the request
    fd = test_connect(f.port);
    test_send_text(
        fd, "GET /numbers?n=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /numbers?n=2 HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    struct buf all;
    buf_init(&all, 1 << 20);
    while (test_receive(fd, &all, 5000) > 0)
        ;
    assert_int_equal(test_receive(fd, &all, 0), 0);
    assert_true(slice_find(buf_slice(&all), SLICE_LITERAL("0,1,")) > 0);
    buf_release(&all);
    close(fd);
    stop(&f);
}

static void test_expect_continue(void **state)
{
    struct fixture f;
    struct test_answer a;
    struct buf first;

    (void)state;
    start(&f, (struct http_server_options){.max_body_bytes = 100});
    int fd = test_connect(f.port);
    buf_init(&first, 1 << 20);
    test_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(test_receive(fd, &first, 20000), 1);
    assert_true(slice_starts_with(buf_slice(&first), SLICE_LITERAL("HTTP/1.1 100 ")));
    buf_release(&first);
    test_send_text(fd, "ok");
    test_read_answer(fd, &a, false);
    assert_int_equal(a.status, 200);
    test_answer_release(&a);
    close(fd);
    // what will be refused anyway is not asked for
    const char *refused[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 200\r\n\r\n",
        "POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n"};
    const int status[] = {413, 404};
    for (size_t i = 0; i < 2; i++) {
        fd = test_connect(f.port);
        test_send_text(fd, refused[i]);
        test_read_answer(fd, &a, false);
        assert_int_equal(a.status, status[i]);
        assert_true(slice_starts_with(buf_slice(&a.raw), SLICE_LITERAL("HTTP/1.1 4")));
        test_answer_release(&a);
        close(fd);
    }
    stop(&f);
}

static void test_body_limit(void **state)
{
    struct fixture f;
    struct test_answer a;

    (void)state;
    start(&f, (struct http_server_options){.max_body_bytes = 10});
    check_answer(f.port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", 200,
                 "0123456789");
    check_answer(f.port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n0123456789x", 413,
                 "request body is larger than 10 bytes\n");
    check_answer(f.port,
                 "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n",
                 413, "request body is larger than 10 bytes\n");
    // an announced flood is answered at once
    int fd = test_connect(f.port);
    test_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000000\r\n\r\nxxxx");
    test_read_answer(fd, &a, false);
    assert_int_equal(a.status, 413);
    test_answer_release(&a);
    close(fd);
    // an endless chunked one is cut off
    struct buf chunk;
    buf_init(&chunk, 1 << 20);
    buf_append_cstr(&chunk, "ffff\r\n");
    buf_append_fill(&chunk, 'x', 0xffff);
    buf_append_cstr(&chunk, "\r\n");
    fd = test_connect(f.port);
    test_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    int sent = 0;
    while (sent < 4096 && test_send(fd, chunk.ptr, chunk.len))
        sent++;
    assert_true(sent < 4096);
    buf_release(&chunk);
    close(fd);
    assert_int_equal(stats_of(&f).refused_bodies, 4);
    assert_int_equal(f.seen.handled, 1);
    stop(&f);
}

static void test_header_limit(void **state)
{
    struct fixture f;
    struct test_answer a;
    struct buf request;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    buf_init(&request, 1 << 20);
    buf_append_cstr(&request, "GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: ");
    buf_append_fill(&request, 'y', 20000);
    buf_append_cstr(&request, "\r\n\r\n");
    check_answer(f.port, buf_cstr(&request), 200, "");
    buf_clear(&request);
    buf_append_cstr(&request, "GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: ");
    buf_append_fill(&request, 'y', 200000);
    buf_append_cstr(&request, "\r\n\r\n");
    int fd = test_connect(f.port);
    test_send(fd, request.ptr, request.len);
    test_read_answer(fd, &a, false);
    if (a.status != 0) // the rest of the flood may have torn the connection before the answer could be read
        assert_int_equal(a.status, 431);
    assert_true(a.closed || a.status == 431);
    test_answer_release(&a);
    close(fd);
    buf_release(&request);
    check_answer(f.port, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 200, "");
    stop(&f);
}

static bool one_truncated(struct fixture *f)
{
    pthread_mutex_lock(&f->seen.lock);
    bool yes = f->seen.truncated == 1 && f->seen.done >= 1;
    pthread_mutex_unlock(&f->seen.lock);
    return yes;
}

static bool two_aborted(struct fixture *f)
{
    return stats_of(f).aborted_requests == 2;
}

static void test_ms_14_truncated_body(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    int fd = test_connect(f.port);
    test_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nline one\nline tw");
    close(fd);
    assert_true(eventually(&f, one_truncated));
    assert_string_equal(f.seen.last_body, "line one\nline tw");
    // nothing had arrived: no handler runs
    fd = test_connect(f.port);
    test_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    while (stats_of(&f).requests < 2)
        clock_sleep_ns(NS_PER_MS);
    close(fd);
    assert_true(eventually(&f, two_aborted));
    assert_int_equal(f.seen.handled, 1);
    stop(&f);
}

static void test_idle_limit(void **state)
{
    struct fixture f;
    struct test_answer a;
    const int idle_s = 2 * (int)test_slow(1);

    (void)state;
    start(&f, (struct http_server_options){.idle_timeout_s = idle_s});
    // longer than the limit in all, never idle that long
    int slow = test_connect(f.port), dead = test_connect(f.port);
    test_send_text(dead, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\ndead");
    test_send_text(slow, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n");
    for (int i = 0; i < 16; i++) {
        clock_sleep_ns(idle_s * NS_PER_S / 12);
        test_send_text(slow, "s");
    }
    test_read_answer(slow, &a, false);
    assert_int_equal(a.status, 200);
    assert_true(slice_eq_cstr(a.body, "ssssssssssssssss"));
    test_answer_release(&a);
    test_read_answer(dead, &a, false);
    assert_true(a.closed);
    test_answer_release(&a);
    assert_true(eventually(&f, one_truncated));
    close(slow);
    close(dead);
    stop(&f);
}

// Sends 'drip' again and again, well within the idle time; true when the server has ended the connection before the limit.
static bool is_ended_while_dripping(int fd, const char *drip, int64_t interval_ns, int64_t limit_ns)
{
    struct mono_time begin = clock_mono();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    while (mono_diff_ns(clock_mono(), begin) < limit_ns) {
        test_send_text(fd, drip);
        if (poll(&p, 1, (int)(interval_ns / NS_PER_MS)) > 0)
            return recv(fd, &byte, 1, 0) <= 0;
    }
    return false;
}

static bool two_slow_requests(struct fixture *f)
{
    return stats_of(f).slow_requests == 2;
}

// A head that never ends, and a body that comes byte by byte, hold a connection for a limited time.
static void test_slow_clients_are_ended(void **state)
{
    struct fixture f;
    const int64_t idle_s = test_slow(1);

    (void)state;
    start(&f, (struct http_server_options){.idle_timeout_s = (int)idle_s});
    int head = test_connect(f.port);
    test_send_text(head, "GET /echo HTTP/1.1\r\nHost: x\r\n");
    assert_true(is_ended_while_dripping(head, "X: y\r\n", idle_s * NS_PER_S / 5, 8 * idle_s * NS_PER_S));
    int body = test_connect(f.port);
    test_send_text(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    assert_true(is_ended_while_dripping(body, "z", idle_s * NS_PER_S / 5, 8 * idle_s * NS_PER_S));
    assert_true(eventually(&f, two_slow_requests));
    assert_true(eventually(&f, one_truncated)); // what has come of the body was given to the handler
    close(head);
    close(body);
    check_answer(f.port, "GET /numbers?n=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, NULL);
    stop(&f);
}

static bool holds_two_megabytes(struct fixture *f)
{
    return stats_of(f).body_bytes_now >= (2 << 20);
}

static bool holds_no_body(struct fixture *f)
{
    return stats_of(f).body_bytes_now == 0;
}

// All bodies together have a limit: one that was announced beyond it is refused, the others are not touched.
static void test_memory_of_bodies(void **state)
{
    struct fixture f;
    struct test_answer a;
    char *piece = mem_alloc(2 << 20);

    (void)state;
    memset(piece, 'p', 2 << 20);
    start(&f, (struct http_server_options){.max_body_bytes = 3 << 20, .max_body_memory = 4 << 20});
    int large = test_connect(f.port);
    test_send_text(large, "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    test_send(large, piece, 2 << 20);
    assert_true(eventually(&f, holds_two_megabytes));
    int second = test_connect(f.port);
    test_send_text(second, "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    test_read_answer(second, &a, false);
    assert_int_equal(a.status, 503);
    assert_true(slice_eq_cstr(test_answer_header(&a, "Retry-After"), "1"));
    test_answer_release(&a);
    close(second);
    check_answer(f.port, "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour", 200, "4 bytes");
    test_send(large, piece, 3000000 - (2 << 20));
    test_read_answer(large, &a, false);
    assert_int_equal(a.status, 200);
    assert_true(slice_eq_cstr(a.body, "3000000 bytes"));
    test_answer_release(&a);
    close(large);
    assert_true(eventually(&f, holds_no_body));
    assert_int_equal(stats_of(&f).busy_refusals, 1);
    mem_free(piece);
    stop(&f);
}

static void test_streams(void **state)
{
    struct fixture f;
    struct test_answer a;

    (void)state;
    start(&f, (struct http_server_options){.compress = true});
    test_request(f.port, "GET /stream?n=3 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_true(slice_eq_cstr(test_answer_header(&a, "Transfer-Encoding"), "chunked"));
    assert_true(slice_ends_with(a.body, SLICE_LITERAL("0\r\n\r\n")));
    test_answer_release(&a);
    test_request(f.port, "GET /stream?n=3 HTTP/1.0\r\n\r\n", &a);
    assert_true(slice_eq_cstr(a.body, "0\n1\n2\n"));
    assert_true(a.closed);
    test_answer_release(&a);
    test_request(f.port, "GET /stream?n=9&fail=1 HTTP/1.1\r\nHost: x\r\n\r\n", &a);
    assert_true(a.closed);
    assert_false(slice_ends_with(a.body, SLICE_LITERAL("0\r\n\r\n")));
    test_answer_release(&a);
    test_request(f.port, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    test_answer_release(&a);
    // a client that leaves in the middle
    int fd = test_connect(f.port);
    struct buf some;
    buf_init(&some, 1 << 20);
    test_send_text(fd, "GET /stream?n=100000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(test_receive(fd, &some, 20000), 1);
    buf_release(&some);
    close(fd);
    for (int64_t i = 0; atomic_load(&f.seen.streams_freed) < 5 && i < test_slow(10000); i++)
        clock_sleep_ns(NS_PER_MS);
    assert_int_equal(atomic_load(&f.seen.streams_freed), 5);
    stop(&f);
}

static void test_compression(void **state)
{
    static const struct {
        const char *target, *accept;
        bool packed;
    } cases[] = {
        {"/numbers?n=1000", "gzip", true},      {"/numbers?n=1000", "deflate, gzip;q=0.5", true},
        {"/numbers?n=1000", "gzip;q=0", false}, {"/numbers?n=1000", "deflate", false},
        {"/numbers?n=10", "gzip", false},
    };
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_options){.compress = true});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_answer a;
        struct buf plain, request;

        buf_init(&request, 4096);
        buf_init(&plain, 1 << 20);
        buf_printf(&request, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n", cases[i].target,
                   cases[i].accept);
        test_request(f.port, buf_cstr(&request), &a);
        assert_int_equal(a.status, 200);
        bool packed = slice_eq_cstr(test_answer_header(&a, "Content-Encoding"), "gzip");
        if (packed != cases[i].packed)
            fail_msg("%s with '%s': %s", cases[i].target, cases[i].accept, packed ? "compressed" : "plain");
        if (packed) {
            assert_int_equal(gzip_decompress(a.body, &plain, NULL), 0);
            assert_true(slice_starts_with(buf_slice(&plain), SLICE_LITERAL("0,1,2,")));
            assert_true(plain.len > a.body.len);
        }
        if (slice_eq_cstr(slice_from_cstr(cases[i].target), "/numbers?n=1000"))
            assert_true(slice_eq_cstr(test_answer_header(&a, "Vary"), "Accept-Encoding"));
        buf_release(&plain);
        buf_release(&request);
        test_answer_release(&a);
    }
    stop(&f);
}

static bool two_done(struct fixture *f)
{
    pthread_mutex_lock(&f->seen.lock);
    bool yes = f->seen.done == 2;
    pthread_mutex_unlock(&f->seen.lock);
    return yes;
}

static void test_on_done_and_stats(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    check_answer(f.port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    check_answer(f.port, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
    assert_true(eventually(&f, two_done));
    assert_int_equal(f.seen.last_status, 404);
    assert_int_equal(f.seen.last_body_bytes, strlen("404 page not found\n"));
    struct http_server_stats s = stats_of(&f);
    assert_int_equal(s.requests, 2);
    assert_int_equal(s.responses_4xx, 1);
    assert_int_equal(s.bytes_in, 5);
    assert_int_equal(s.bytes_out, 5 + strlen("404 page not found\n"));
    stop(&f);
}

static void test_connection_limit(void **state)
{
    struct fixture f;
    struct test_answer a;
    struct buf in;
    int fds[3];

    (void)state;
    start(&f, (struct http_server_options){.max_connections = 2});
    for (int i = 0; i < 3; i++) {
        fds[i] = test_connect(f.port);
        test_send_text(fds[i], "GET /numbers?n=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 2)
            break;
        test_read_answer(fds[i], &a, false);
        assert_int_equal(a.status, 200);
        test_answer_release(&a);
    }
    buf_init(&in, 65536 * 2);
    assert_int_equal(test_receive(fds[2], &in, 100), -1); // waits in the backlog
    buf_release(&in);
    close(fds[0]);
    test_read_answer(fds[2], &a, false);
    assert_int_equal(a.status, 200);
    test_answer_release(&a);
    close(fds[1]);
    close(fds[2]);
    stop(&f);
}

static bool one_accept_error(struct fixture *f)
{
    return stats_of(f).accept_errors > 0;
}

// Out of descriptors: the peer waits in the backlog, and is served once there is one.
static void test_no_descriptors(void **state)
{
    struct fixture f;
    struct test_answer a;
    struct rlimit before, none;
    struct sockaddr_in to = {.sin_family = AF_INET};

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    to.sin_port = htons((uint16_t)f.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    bool counted = eventually(&f, one_accept_error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(counted);
    test_send_text(fd, "GET /numbers?n=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    test_read_answer(fd, &a, false);
    assert_int_equal(a.status, 200);
    test_answer_release(&a);
    close(fd);
    stop(&f);
}

static bool one_aborted(struct fixture *f)
{
    return stats_of(f).aborted_requests == 1;
}

// An answer larger than all socket buffers: read slowly it comes whole; left alone it is counted.
static void test_large_answer(void **state)
{
    struct fixture f;
    struct test_answer a;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    int fd = test_connect(f.port);
    test_send_text(fd, "GET /numbers?n=3000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    clock_sleep_ns(100 * NS_PER_MS);
    test_read_answer(fd, &a, false);
    assert_int_equal(a.status, 200);
    assert_true(slice_ends_with(a.body, SLICE_LITERAL(",2999999,")));
    test_answer_release(&a);
    test_send_text(fd, "GET /numbers?n=3000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    struct buf some;
    buf_init(&some, 1 << 20);
    assert_int_equal(test_receive(fd, &some, 20000), 1);
    buf_release(&some);
    close(fd);
    assert_true(eventually(&f, one_aborted));
    stop(&f);
}

struct stopper {
    struct fixture *f;
    int64_t timeout_ms;
    bool clean;
};

static void *stop_thread(void *arg)
{
    struct stopper *s = arg;

    s->clean = http_server_stop(&s->f->server, s->timeout_ms);
    return NULL;
}

static void wait_until_nobody_listens(unsigned port)
{
    for (int fd = test_connect(port); fd >= 0; fd = test_connect(port)) {
        close(fd);
        clock_sleep_ns(NS_PER_MS);
    }
}

static void test_stop_waits_for_requests(void **state)
{
    struct fixture f;
    struct test_answer a;
    pthread_t thread;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    atomic_store(&f.seen.hold, true);
    int running = test_connect(f.port), half = test_connect(f.port);
    test_send_text(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
    while (stats_of(&f).requests < 1) // the other one may share its thread
        clock_sleep_ns(NS_PER_MS);
    test_send_text(running, "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    while (!atomic_load(&f.seen.holding))
        clock_sleep_ns(NS_PER_MS);
    struct stopper s = {.f = &f, .timeout_ms = test_slow(20000)};
    assert_int_equal(pthread_create(&thread, NULL, stop_thread, &s), 0);
    wait_until_nobody_listens(f.port);
    test_send_text(half, "half");
    atomic_store(&f.seen.hold, false);
    test_read_answer(running, &a, false);
    assert_true(slice_eq_cstr(a.body, "held"));
    test_answer_release(&a);
    test_read_answer(half, &a, false);
    assert_true(slice_eq_cstr(a.body, "halfhalf"));
    assert_true(slice_eq_cstr(test_answer_header(&a, "Connection"), "close"));
    test_answer_release(&a);
    pthread_join(thread, NULL);
    assert_true(s.clean);
    assert_null(f.server);
    close(running);
    close(half);
    stop(&f);
}

static void wait_until_waiting(const struct fixture *f, int count)
{
    while (atomic_load(&f->seen.waiting_count) < count)
        clock_sleep_ns(NS_PER_MS);
}

// The only thread serves others meanwhile; the connection goes on as if nothing had been.
static void test_answers_that_wait_do_not_hold_the_thread(void **state)
{
    struct fixture f;
    struct test_answer a;
    int fds[2];

    (void)state;
    start(&f, (struct http_server_options){.threads = 1});
    for (int i = 0; i < 2; i++) {
        fds[i] = test_connect(f.port);
        test_send_text(fds[i], i ? "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb"
                                 : "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
        wait_until_waiting(&f, i + 1);
    }
    check_answer(f.port, "POST /echo HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 200, "x");
    assert_int_equal(atomic_load(&f.seen.finished), 0);
    for (int i = 1; i >= 0; i--) { // not in order
        http_resume(atomic_load(&f.seen.waiting[i]));
        test_read_answer(fds[i], &a, false);
        assert_int_equal(a.status, 200);
        assert_true(slice_eq_cstr(a.body, i ? "waited with b" : "waited with a"));
        test_answer_release(&a);
    }
    assert_int_equal(atomic_load(&f.seen.finished), 2);
    test_send_text(fds[0], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nc");
    test_read_answer(fds[0], &a, false);
    assert_true(slice_eq_cstr(a.body, "c"));
    test_answer_release(&a);
    close(fds[0]);
    close(fds[1]);
    stop(&f);
}

// Neither a client that is gone nor the end of the server does away with an answer that waits.
static void test_stop_waits_for_answers_that_wait(void **state)
{
    struct fixture f;
    struct test_answer a;
    pthread_t thread;

    (void)state;
    start(&f, (struct http_server_options){.threads = 1});
    int gone = test_connect(f.port), stays = test_connect(f.port);
    test_send_text(gone, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
    wait_until_waiting(&f, 1);
    test_send_text(stays, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
    wait_until_waiting(&f, 2);
    close(gone);
    struct stopper s = {.f = &f, .timeout_ms = test_slow(20000)};
    assert_int_equal(pthread_create(&thread, NULL, stop_thread, &s), 0);
    wait_until_nobody_listens(f.port);
    assert_int_equal(atomic_load(&f.seen.finished), 0);
    http_resume(atomic_load(&f.seen.waiting[0]));
    http_resume(atomic_load(&f.seen.waiting[1]));
    test_read_answer(stays, &a, false);
    assert_true(slice_eq_cstr(a.body, "waited with b"));
    test_answer_release(&a);
    pthread_join(thread, NULL);
    assert_true(s.clean);
    assert_int_equal(atomic_load(&f.seen.finished), 2);
    close(stays);
    stop(&f);
}

// Once the end has begun, no answer begins to wait: the library would abort when it is stopped between.
static void test_no_answer_begins_to_wait_at_the_end(void **state)
{
    struct fixture f;
    struct test_answer a;
    pthread_t thread;

    (void)state;
    start(&f, (struct http_server_options){.threads = 1});
    check_answer(f.port, "GET /may-wait HTTP/1.1\r\nHost: x\r\n\r\n", 200, "may wait");
    int waits = test_connect(f.port), idle = test_connect(f.port);
    test_send_text(idle, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    test_read_answer(idle, &a, false);
    test_answer_release(&a);
    test_send_text(waits, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
    wait_until_waiting(&f, 1);
    struct stopper s = {.f = &f, .timeout_ms = test_slow(20000)};
    assert_int_equal(pthread_create(&thread, NULL, stop_thread, &s), 0);
    wait_until_nobody_listens(f.port);
    test_send_text(idle, "GET /may-wait HTTP/1.1\r\nHost: x\r\n\r\n");
    test_read_answer(idle, &a, false);
    assert_true(slice_eq_cstr(a.body, "may not wait"));
    test_answer_release(&a);
    http_resume(atomic_load(&f.seen.waiting[0]));
    test_read_answer(waits, &a, false);
    assert_true(slice_eq_cstr(a.body, "waited with a"));
    test_answer_release(&a);
    pthread_join(thread, NULL);
    assert_true(s.clean);
    close(idle);
    close(waits);
    stop(&f);
}

static void test_stop_cuts_after_the_limit(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    int half = test_connect(f.port);
    test_send_text(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
    while (stats_of(&f).requests < 1 || stats_of(&f).bytes_in < 4)
        clock_sleep_ns(NS_PER_MS);
    assert_false(http_server_stop(&f.server, 50));
    assert_int_equal(f.seen.truncated, 1); // what had arrived is not lost
    close(half);
    stop(&f);
}

static void test_bind_errors(void **state)
{
    struct fixture f;
    struct http_server *second = NULL;
    struct error err = ERROR_INIT;
    char address[64], expected[128];

    (void)state;
    start(&f, (struct http_server_options){.compress = false});
    snprintf(address, sizeof(address), "127.0.0.1:%u", f.port);
    snprintf(expected, sizeof(expected), "listen tcp 127.0.0.1:%u: bind: address already in use", f.port);
    struct http_server_options options = {.address = address};
    assert_int_equal(http_server_start(&options, f.router, &second, &err), ERR_EXISTS);
    assert_string_equal(err.text, expected);
    options.address = "192.0.2.1:0";
    assert_int_equal(http_server_start(&options, f.router, &second, &err), ERR_IO);
    assert_string_equal(err.text, "listen tcp 192.0.2.1:0: bind: cannot assign requested address");
    options.address = "127.0.0.1:99999";
    assert_int_equal(http_server_start(&options, f.router, &second, &err), ERR_INVALID);
    assert_string_equal(err.text, "listen tcp: address 99999: invalid port");
    options.address = "8082";
    assert_int_equal(http_server_start(&options, f.router, &second, &err), ERR_INVALID);
    assert_string_equal(err.text, "listen tcp: address 8082: missing port in address");
    options.address = "no-such-host.invalid:80";
    assert_int_equal(http_server_start(&options, f.router, &second, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "listen tcp: lookup no-such-host.invalid: no such host");
    assert_null(second);
    stop(&f);
}

static void test_wildcard_and_localhost(void **state)
{
    static const char *const addresses[] = {":0", "0.0.0.0:0", "[::]:0", "localhost:0"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct fixture f;

        start(&f, (struct http_server_options){.address = addresses[i]});
        check_answer(f.port, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 200, "");
        assert_string_equal(f.seen.last_peer, "127.0.0.1"); // not ::ffff:127.0.0.1
        stop(&f);
    }
}

#define LARGE_BODY ((size_t)48 << 20)

// The body of a large upload lies in memory once.
static void test_large_body(void **state)
{
    struct fixture f;
    struct test_answer a;
    struct rusage before, after;
    char *piece = mem_alloc(1 << 20);
    char head[128];

    (void)state;
    memset(piece, 'x', 1 << 20);
    start(&f, (struct http_server_options){.compress = false});
    getrusage(RUSAGE_SELF, &before);
    int fd = test_connect(f.port);
    snprintf(head, sizeof(head), "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             LARGE_BODY);
    test_send_text(fd, head);
    for (size_t sent = 0; sent < LARGE_BODY; sent += 1 << 20)
        assert_true(test_send(fd, piece, 1 << 20));
    test_read_answer(fd, &a, false);
    snprintf(head, sizeof(head), "%zu bytes", LARGE_BODY);
    assert_true(slice_eq_cstr(a.body, head));
    test_answer_release(&a);
    getrusage(RUSAGE_SELF, &after);
    size_t grown = (size_t)(after.ru_maxrss - before.ru_maxrss) << 10;
    if (!TEST_SANITIZED && grown > LARGE_BODY * 5 / 4)
        fail_msg("memory grew by %zu bytes for a body of %zu", grown, LARGE_BODY);
    close(fd);
    mem_free(piece);
    stop(&f);
}

struct sender {
    unsigned port;
    unsigned seed;
    int failures;
};

static void *send_many(void *arg)
{
    struct sender *s = arg;
    struct buf request;
    int fd = test_connect(s->port);

    buf_init(&request, 1 << 20);
    for (int i = 0; i < 40; i++) {
        size_t len = 30000 + (s->seed * 7919u + (unsigned)i * 104729u) % 30000;
        struct test_answer a;

        buf_clear(&request);
        buf_printf(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
        buf_append_fill(&request, (char)('a' + i % 26), len);
        test_send(fd, request.ptr, request.len);
        test_read_answer(fd, &a, false);
        s->failures += a.status != 200 || a.body.len != len ||
                       memcmp(a.body.ptr, request.ptr + request.len - len, len) != 0;
        test_answer_release(&a);
    }
    buf_release(&request);
    close(fd);
    return NULL;
}

static void test_many_senders(void **state)
{
    struct fixture f;
    struct sender senders[8];
    pthread_t threads[8];

    (void)state;
    start(&f, (struct http_server_options){.threads = 4});
    for (unsigned i = 0; i < 8; i++) {
        senders[i] = (struct sender){.port = f.port, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(senders[i].failures, 0);
    }
    assert_int_equal(stats_of(&f).requests, 320);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_headers_of_errors),
        cmocka_unit_test(test_keep_alive_and_pieces),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_ms_14_truncated_body),
        cmocka_unit_test(test_idle_limit),
        cmocka_unit_test(test_slow_clients_are_ended),
        cmocka_unit_test(test_memory_of_bodies),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_compression),
        cmocka_unit_test(test_on_done_and_stats),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_large_answer),
        cmocka_unit_test(test_stop_waits_for_requests),
        cmocka_unit_test(test_answers_that_wait_do_not_hold_the_thread),
        cmocka_unit_test(test_stop_waits_for_answers_that_wait),
        cmocka_unit_test(test_no_answer_begins_to_wait_at_the_end),
        cmocka_unit_test(test_stop_cuts_after_the_limit),
        cmocka_unit_test(test_bind_errors),
        cmocka_unit_test(test_wildcard_and_localhost),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_many_senders),
    };

    mallopt(M_MMAP_THRESHOLD,
            1 << 20); // glibc raises it after large frees, and then keeps large buffers (test_large_body)
    return cmocka_run_group_tests(tests, NULL, NULL);
}
