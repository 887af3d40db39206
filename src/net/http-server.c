// SPDX-License-Identifier: MIT
// The server around libmicrohttpd. Facts about the library that this file leans on:
//
// - For each request it calls URI log callback (target as sent), access handler once with the head, once or
// more for
//   each piece of the body, once more at the end, and the completed callback. All on the thread that owns the
//   connection, so a connection's state needs no lock.
// - A response can be queued in the first and the last of these calls only. Queued in the first one, the body
// is not
//   read and the connection is closed behind the answer.
// - A piece of the body lies in the connection's read buffer, half of its memory: a body that fits comes in
// one piece
//   and is handed to the handler where it lies.
//
// Connections are accepted by our own thread (http-acceptor.c) and added to the daemon, which spreads them
// over the pool by descriptor. That also gives TLS reload: a new daemon takes the new connections, the old
// one is stopped once its last connection is gone.
//
// The library's time-out is one without any progress. A peer that sends a byte now and then is found by the acceptor's
// thread, which looks at the deadlines of all connections and shuts down their sockets; the library tells us of the end of
// a connection before it closes the descriptor, so a connection that is in the list has one.
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "codec/gzip.h"
#include "net/http-private.h"

#define DEFAULT_MAX_BODY    ((size_t)1 << 30)
#define MIN_MEMORY          ((size_t)8 << 10)
#define DEFAULT_MEMORY      ((size_t)32 << 10)
#define MAX_MEMORY          ((size_t)1 << 20)
#define DEFAULT_CONNECTIONS 4096
#define MIN_THREADS         8
#define DEFAULT_IDLE_S      30
#define ARENA_MAX           ((size_t)4 << 30) // more than any body allows; beyond it a handler runs wild
#define DRAIN_MAX           ((uint64_t)1 << 20) // of the body of a refused request, before the connection is broken
#define BODY_FIRST_PIECE    ((size_t)256 << 10) // what a Content-Length is trusted for without a byte received
#define BODY_KEPT           ((size_t)256 << 10)
#define COMPRESS_MIN        ((size_t)1024)
#define COMPRESS_FAST_FROM                                                                                   \
    ((size_t)1 << 20) // from here on the lowest level: speed counts more than the last 10 %
#define STREAM_BLOCK   ((size_t)64 << 10)
#define MAX_RETIRED    4
#define LENGTH_UNKNOWN UINT64_MAX
#define SLOWEST_BODY   4096 // bytes a second
#define NO_DEADLINE    INT64_MAX

// TLS 1.2 with ECDHE and AES128-GCM-SHA256 only, as upstream, and TLS 1.3. GnuTLS names ciphers for both
// versions together, therefore TLS 1.3 too has TLS_AES_128_GCM_SHA256 alone, which every implementation must
// offer.
#define TLS_PRIORITIES                                                                                       \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM"

enum phase {
    PHASE_IDLE,     // between requests
    PHASE_HEAD,     // target known, head not complete
    PHASE_BODY,     // collecting the body
    PHASE_REFUSED,  // response is filled, rest of the body is thrown away
    PHASE_ANSWERED, // handler has run
    PHASE_WAITING,  // handler has run, the answer waits for http_resume
};

// A thread with its event loop, and what its connections share. Owned by that thread.
struct worker {
    struct http_server *server;
    struct engine *engine;
    struct MHD_Daemon *daemon;
    struct buf spare_body; // kept for the next body that comes in pieces
};

// All workers with the same certificate.
struct engine {
    struct worker *workers;
    unsigned count, next; // next: where the search for the emptiest one begins
    _Atomic bool started;
    _Atomic bool ending; // no further answers may wait
    _Atomic int64_t
        waiting; // places taken: answers that wait for http_resume, and handlers that may ask for it
    char first_log_line[256]; // of the library while it starts: tells why it does not. Not touched afterwards
};

struct http_server {
    struct http_server_options options; // strings owned
    const struct http_router *router;   // borrowed
    int listen_fd;
    unsigned port;
    struct http_acceptor *acceptor;
    pthread_mutex_t lock; // guards engine and retired
    struct engine *engine;
    struct engine *retired[MAX_RETIRED]; // with the certificate of before, until their connections are gone
    pthread_mutex_t list_lock;           // guards connections
    struct connection *connections;      // open ones, linked by prev and next
    _Atomic bool stopping;
    _Atomic int64_t active;      // requests between head and completion
    _Atomic uint64_t body_bytes; // memory of all connections' bodies
    struct {
        _Atomic uint64_t requests, responses_4xx, responses_5xx, bytes_in, bytes_out, refused_bodies,
            aborted_requests, accept_errors, slow_requests, busy_refusals;
    } stats;
};

// One connection and its present request. Owned by the thread of its worker.
struct connection {
    struct http_server *server;
    struct worker *worker;
    struct MHD_Connection *mhd;
    int fd;              // the library's
    struct arena *arena; // cleared after each request
    struct buf body;     // collected pieces
    size_t accounted;    // of them, in the server's sum
    char peer[64];
    bool tls;
    struct connection *prev, *next; // under the server's list_lock
    _Atomic int64_t deadline_ns;    // monotonic; read by the acceptor's thread
    int64_t body_from_ns;           // deadline of a body of which nothing has come

    enum phase phase;
    struct http_request req;
    struct http_response resp;
    const struct http_route *route;
    const char *target; // as sent, in the arena
    uint64_t content_length, received, thrown_away;
    struct stream *stream;
    bool ambiguous_length, close_after;
    bool has_waiting_place; // one of the engine's
    size_t sent_body_bytes;
    struct mono_time complete_at; // when the request had arrived whole
};

struct stream {
    struct connection *conn; // owner
    struct buf pending;
    size_t offset; // of what is sent within pending
    http_stream_fn *fn;
    void *ctx;
    void (*free)(void *ctx);
};

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    // counters are read for display only, they order nothing
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static const char *mhd_header(const struct http_request *req, const char *name)
{
    const struct connection *c = req->impl;

    return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

static const struct http_request_ops mhd_request_ops = {.header = mhd_header};

// ---- limits -----------------------------------------------------------------------------------------------

static void account_body(struct connection *c)
{
    _Atomic uint64_t *sum = &c->server->body_bytes; // a sum for limits and display, it orders nothing

    if (c->body.cap > c->accounted)
        atomic_fetch_add_explicit(sum, c->body.cap - c->accounted, memory_order_relaxed);
    else if (c->body.cap < c->accounted)
        atomic_fetch_sub_explicit(sum, c->accounted - c->body.cap, memory_order_relaxed);
    c->accounted = c->body.cap;
}

static bool has_memory_for(const struct http_server *server, uint64_t bytes)
{
    uint64_t limit = server->options.max_body_memory;
    uint64_t used = atomic_load_explicit(&server->body_bytes, memory_order_relaxed);

    return limit == 0 || (used <= limit && bytes <= limit - used);
}

static void set_deadline(struct connection *c, int64_t at_ns)
{
    atomic_store_explicit(&c->deadline_ns, at_ns, memory_order_relaxed);
}

static int64_t deadline_from_now(const struct connection *c)
{
    return clock_mono().ns + 2 * c->server->options.idle_timeout_s * NS_PER_S;
}

static void expect_body(struct connection *c)
{
    c->body_from_ns = deadline_from_now(c);
    set_deadline(c, c->body_from_ns);
}

static void extend_deadline(struct connection *c)
{
    set_deadline(c, c->body_from_ns + (int64_t)(c->received / SLOWEST_BODY) * NS_PER_S);
}

static void list_connection(struct connection *c)
{
    struct http_server *server = c->server;

    pthread_mutex_lock(&server->list_lock);
    c->next = server->connections;
    if (c->next)
        c->next->prev = c;
    server->connections = c;
    pthread_mutex_unlock(&server->list_lock);
}

static void unlist_connection(struct connection *c)
{
    struct http_server *server = c->server;

    pthread_mutex_lock(&server->list_lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        server->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    pthread_mutex_unlock(&server->list_lock);
}

static void end_slow_connections(void *ctx)
{
    struct http_server *server = ctx;
    int64_t now_ns = clock_mono().ns;

    pthread_mutex_lock(&server->list_lock);
    for (struct connection *c = server->connections; c; c = c->next) {
        if (now_ns < atomic_load_explicit(&c->deadline_ns, memory_order_relaxed))
            continue;
        ignore_result(shutdown(c->fd, SHUT_RDWR) < 0); // gone already
        set_deadline(c, NO_DEADLINE);
        count(&server->stats.slow_requests, 1);
    }
    pthread_mutex_unlock(&server->list_lock);
}

// ---- one request ------------------------------------------------------------------------------------------

// Thousands of idle connections must not hold a buffer each: one per thread is kept.
static void keep_body_buffer(struct connection *c)
{
    if (c->body.cap <= BODY_KEPT && c->body.cap > c->worker->spare_body.cap) {
        struct buf smaller = c->worker->spare_body;

        c->worker->spare_body = c->body;
        c->body = smaller;
    }
    buf_release(&c->body);
    account_body(c);
}

static void take_body_buffer(struct connection *c)
{
    if (c->body.cap > 0)
        return;
    c->body = c->worker->spare_body;
    c->worker->spare_body = (struct buf){.ptr = NULL};
    buf_clear(&c->body);
    // an announced length is the most that can come, so the buffer never gets larger than the body
    c->body.max_bytes = (size_t)MIN(c->content_length, (uint64_t)c->server->options.max_body_bytes);
}

static void reset_request(struct connection *c)
{
    arena_clear(c->arena);
    keep_body_buffer(c);
    c->req = (struct http_request){
        .peer = c->peer, .tls = c->tls, .arena = c->arena, .ops = &mhd_request_ops, .impl = c};
    c->route = NULL;
    c->target = NULL;
    c->content_length = LENGTH_UNKNOWN;
    c->received = c->thrown_away = 0;
    c->ambiguous_length = c->close_after = false;
    c->sent_body_bytes = 0;
    c->phase = PHASE_IDLE;
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info->socket_context;

    (void)cls;
    reset_request(c);
    c->target = arena_strdup(c->arena, slice_from_cstr(target));
    c->phase = PHASE_HEAD;
    return c;
}

static void refuse(struct connection *c)
{
    c->phase = PHASE_REFUSED;
    c->complete_at = clock_mono();
    buf_release(&c->body);
    account_body(c);
}

static void refuse_busy(struct connection *c)
{
    count(&c->server->stats.busy_refusals, 1);
    http_set_text(&c->resp, 503,
                  "the bodies of other requests take all memory that is set aside for them, try again");
    http_set_header(&c->resp, "Retry-After", "1");
    c->close_after = true;
    refuse(c);
}

static void refuse_large_body(struct connection *c)
{
    count(&c->server->stats.refused_bodies, 1);
    http_set_text(&c->resp, 413, "request body is larger than %zu bytes", c->server->options.max_body_bytes);
    c->close_after = true;
    refuse(c);
}

static enum MHD_Result count_lengths(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    int *lengths = cls;

    (void)kind;
    (void)value;
    *lengths += slice_eq_ignore_case(slice_from_cstr(name), SLICE_LITERAL("Content-Length"));
    return MHD_YES;
}

// False: the request says in two ways where its body ends, which is how requests are smuggled past proxies.
static bool read_content_length(struct connection *c)
{
    const char *coding = http_header(&c->req, "Transfer-Encoding");
    const char *length = http_header(&c->req, "Content-Length");
    int lengths = 0;
    uint64_t bytes;

    if (!length) {
        c->content_length = coding ? LENGTH_UNKNOWN : 0;
        return true;
    }
    MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, count_lengths, &lengths);
    if (coding || lengths > 1)
        return false;
    if (strnum_parse_u64(slice_from_cstr(length), &bytes, NULL) == 0)
        c->content_length = bytes; // anything else was refused by the library
    return true;
}

static void refuse_as_malformed(struct connection *c)
{
    http_set_text(&c->resp, 400, "400 Bad Request");
    c->close_after = true;
    refuse(c);
}

// Decides what is known from the head alone.
static void look_at_head(struct connection *c, const char *method)
{
    c->req.method = slice_from_cstr(method);
    c->ambiguous_length = !read_content_length(c);
    c->phase = PHASE_BODY;
    if (!http_parse_target(slice_from_cstr(c->target), c->arena, &c->req.path, &c->req.raw_query)) {
        c->req.path = slice_from_cstr(c->target); // for logs
        refuse_as_malformed(c);
    } else if (c->ambiguous_length) {
        refuse_as_malformed(c);
    } else if (c->content_length != LENGTH_UNKNOWN && c->content_length > c->server->options.max_body_bytes) {
        refuse_large_body(c);
    } else {
        c->route = http_router_match(c->server->router, &c->req, &c->resp);
        if (!c->route)
            refuse(c);
        else if (c->content_length != LENGTH_UNKNOWN && !has_memory_for(c->server, c->content_length))
            refuse_busy(c);
    }
}

static void notice_end_of_file(const struct connection *c)
{
    char byte;

    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        ignore_result(shutdown(c->fd, SHUT_RD) < 0); // gone altogether: the library gets its event anyway
}

// The library aborts the process when it is stopped with a suspended connection. So a place among the waiting is taken before the
// handler runs, and there are none once the engine ends. Sequentially consistent both here and in end_waiting: either this
// sees that it ends, or the end sees the place taken.
static bool take_waiting_place(struct connection *c)
{
    struct engine *engine = c->worker->engine;

    atomic_fetch_add(&engine->waiting, 1);
    c->has_waiting_place = !atomic_load(&engine->ending);
    if (!c->has_waiting_place)
        atomic_fetch_sub(&engine->waiting, 1);
    return c->has_waiting_place;
}

static void leave_waiting_place(struct connection *c)
{
    if (c->has_waiting_place)
        atomic_fetch_sub(&c->worker->engine->waiting, 1);
    c->has_waiting_place = false;
}

static void run_handler(struct connection *c)
{
    set_deadline(c, NO_DEADLINE);
    c->complete_at = clock_mono();
    c->req.can_wait = !c->req.body_truncated && take_waiting_place(c);
    http_route_run(c->route, &c->req, &c->resp);
    if (!c->resp.start)
        leave_waiting_place(c);
    c->phase = PHASE_ANSWERED;
}

// Grows by what is announced, but never by more than has arrived already (or a first piece).
static void collect(struct connection *c, const char *bytes, size_t len)
{
    take_body_buffer(c);
    if (c->content_length != LENGTH_UNKNOWN && c->body.cap - c->body.len < len) {
        uint64_t missing = c->content_length - c->body.len;
        size_t step = MAX(MAX(c->body.len, BODY_FIRST_PIECE), len);

        buf_reserve(&c->body, (size_t)MIN(missing, step)); // a failure shows in the append
    }
    buf_append(&c->body, bytes, len);
    account_body(c);
}

static enum MHD_Result take_body(struct connection *c, const char *bytes, size_t len)
{
    c->received += len;
    extend_deadline(c);
    count(&c->server->stats.bytes_in, len);
    if (c->phase == PHASE_REFUSED) {
        c->thrown_away += len;
        return c->thrown_away <= DRAIN_MAX ? MHD_YES : MHD_NO;
    }
    if (c->received > c->server->options.max_body_bytes) {
        refuse_large_body(c);
    } else if (c->body.len == 0 && c->content_length == len) {
        c->req.body = slice_of(bytes, len); // in the library's buffer: valid during this call
        run_handler(c);
        c->req.body = SLICE_EMPTY;
    } else {
        collect(c, bytes, len);
        if (buf_failed(&c->body) || !has_memory_for(c->server, 0))
            refuse_busy(c);
        if (c->received < c->content_length) // which is the greatest number while unknown
            notice_end_of_file(c);
    }
    return MHD_YES;
}

// ---- the answer -------------------------------------------------------------------------------------------

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t room)
{
    struct stream *s = cls;

    (void)position;
    if (s->offset == s->pending.len) {
        buf_clear(&s->pending);
        s->offset = 0;
        int got = s->fn(s->ctx, &s->pending);
        if (got == 0)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (got < 0 || buf_failed(&s->pending) || s->pending.len == 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t len = MIN(room, s->pending.len - s->offset);

    memcpy(out, s->pending.ptr + s->offset, len);
    s->offset += len;
    s->conn->sent_body_bytes += len;
    return (ssize_t)len;
}

static void free_stream(struct stream **stream)
{
    struct stream *s = *stream;

    if (!s)
        return;
    if (s->free)
        s->free(s->ctx);
    buf_release(&s->pending);
    mem_free(s);
    *stream = NULL;
}

// The stream belongs to the connection, not to the library's response, which lives a little longer than the
// arena.
static struct MHD_Response *stream_response(struct connection *c)
{
    struct stream *s = NEW(struct stream);

    s->conn = c;
    buf_init(&s->pending, BUF_MAX_DEFAULT);
    s->fn = c->resp.stream;
    s->ctx = c->resp.stream_ctx;
    s->free = c->resp.stream_free;
    c->resp.stream = NULL; // moved
    c->stream = s;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, s, NULL);
}

static const char *response_header(const struct http_response *resp, const char *name)
{
    for (int i = 0; i < resp->header_count; i++)
        if (slice_eq_ignore_case(slice_from_cstr(resp->headers[i].name), slice_from_cstr(name)))
            return resp->headers[i].value;
    return NULL;
}

// Replaces a body worth it by its compressed form. A failure leaves the body as it is, which is right too.
static void compress_body(struct connection *c)
{
    struct http_response *resp = &c->resp;
    struct slice plain = resp->static_body.len ? resp->static_body : buf_slice(&resp->body);
    struct buf packed;

    if (!c->server->options.compress || resp->no_compress || resp->stream || plain.len <= COMPRESS_MIN ||
        response_header(resp, "Content-Encoding") ||
        !http_is_compressible(response_header(resp, "Content-Type")))
        return;
    if (resp->header_count + 2 > HTTP_MAX_HEADERS)
        return;
    if (!response_header(resp, "Vary"))
        http_set_header(resp, "Vary", "Accept-Encoding");
    if (!http_accepts_gzip(http_header(&c->req, "Accept-Encoding")) || slice_eq_cstr(c->req.method, "HEAD"))
        return;
    buf_init(&packed, plain.len);
    if (gzip_compress(plain, plain.len >= COMPRESS_FAST_FROM ? 1 : 5, &packed, NULL) == 0) {
        http_set_header(resp, "Content-Encoding", "gzip");
        buf_release(&resp->body);
        resp->body = packed;
        resp->static_body = SLICE_EMPTY;
    } else {
        buf_release(&packed);
    }
}

static struct MHD_Response *body_response(struct connection *c)
{
    struct http_response *resp = &c->resp;
    char *bytes;
    size_t len;

    if (resp->static_body.len > 0) {
        c->sent_body_bytes = resp->static_body.len;
        return MHD_create_response_from_buffer(
            resp->static_body.len, (void *)(uintptr_t)resp->static_body.ptr, MHD_RESPMEM_PERSISTENT);
    }
    c->sent_body_bytes = resp->body.len;
    if (resp->body.len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    buf_steal(&resp->body, &bytes, &len);
    struct MHD_Response *mr = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (!mr)
        mem_free(bytes);
    return mr;
}

static void count_status(struct http_server *server, int status)
{
    if (status >= 500)
        count(&server->stats.responses_5xx, 1);
    else if (status >= 400)
        count(&server->stats.responses_4xx, 1);
}

static enum MHD_Result send_answer(struct connection *c)
{
    struct http_response *resp = &c->resp;

    if (buf_failed(&resp->body)) // the handler produced more than its buffer may hold
        http_set_text(resp, 500, "response is too large");
    if (resp->status < 200 || resp->status > 999)
        resp->status = 500;
    compress_body(c);
    struct MHD_Response *mr = resp->stream ? stream_response(c) : body_response(c);
    if (!mr)
        return MHD_NO;
    for (int i = 0; i < resp->header_count; i++) // a value that no header can hold is left out
        ignore_result(MHD_add_response_header(mr, resp->headers[i].name, resp->headers[i].value) == MHD_NO);
    if (c->close_after || atomic_load_explicit(&c->server->stopping, memory_order_relaxed))
        ignore_result(MHD_add_response_header(mr, "Connection", "close") == MHD_NO);
    count_status(c->server, resp->status);
    c->phase = PHASE_ANSWERED;
    set_deadline(c, NO_DEADLINE);
    enum MHD_Result queued = MHD_queue_response(c->mhd, (unsigned)resp->status, mr);
    MHD_destroy_response(mr);
    return queued;
}

// Whether a refused request is answered without reading its body: nobody will send it (the client waits for
// 100), or it is longer than we care to throw away.
static bool answer_at_once(const struct connection *c)
{
    const char *expect = http_header(&c->req, "Expect");

    if (c->content_length == 0)
        return false; // the ordinary way keeps the connection
    return expect || c->ambiguous_length ||
           (c->content_length != LENGTH_UNKNOWN && c->content_length > DRAIN_MAX);
}

// The thread goes on with other connections; on_request is called again when somebody resumed this one.
static enum MHD_Result wait_for_resume(struct connection *c)
{
    c->phase = PHASE_WAITING;
    c->req.body = SLICE_EMPTY; // often the library's, see take_body
    MHD_suspend_connection(c->mhd);
    c->resp.start(c->resp.wait_ctx, (struct http_waiting *)c);
    return MHD_YES;
}

void http_resume(struct http_waiting *waiting)
{
    MHD_resume_connection(((struct connection *)waiting)->mhd);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **request_cls)
{
    struct connection *c = *request_cls;

    (void)cls;
    (void)mhd;
    (void)url;
    (void)version;
    if (c->phase == PHASE_HEAD) {
        count(&c->server->stats.requests, 1);
        atomic_fetch_add_explicit(&c->server->active, 1, memory_order_relaxed);
        expect_body(c);
        look_at_head(c, method);
        return c->phase == PHASE_REFUSED && answer_at_once(c) ? send_answer(c) : MHD_YES;
    }
    if (*upload_data_size > 0) {
        size_t len = *upload_data_size;

        *upload_data_size = 0;
        return take_body(c, upload_data, len);
    }
    if (c->phase == PHASE_BODY) {
        c->req.body = buf_slice(&c->body);
        run_handler(c);
    }
    if (c->phase == PHASE_ANSWERED && c->resp.start)
        return wait_for_resume(c);
    if (c->phase == PHASE_WAITING) {
        leave_waiting_place(c);
        c->resp.finish(c->resp.wait_ctx, &c->req, &c->resp);
    }
    return send_answer(c);
}

// The client is gone within the body: what arrived is worth something to handlers that work line by line.
static void run_truncated(struct connection *c)
{
    c->req.body = buf_slice(&c->body);
    c->req.body_truncated = true;
    run_handler(c);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **request_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct connection *c = *request_cls;
    struct http_server *server = cls;

    (void)mhd;
    if (!c || c->phase == PHASE_IDLE)
        return;
    if (c->phase != PHASE_HEAD) {
        if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
            count(&server->stats.aborted_requests, 1);
        else
            count(&server->stats.bytes_out, c->sent_body_bytes);
        if (c->phase == PHASE_BODY && c->body.len > 0)
            run_truncated(c);
        if (c->phase == PHASE_ANSWERED && server->options.on_done)
            server->options.on_done(server->options.on_done_ctx, &c->req, c->resp.status, c->sent_body_bytes,
                                    mono_diff_ns(clock_mono(), c->complete_at));
        atomic_fetch_sub_explicit(&server->active, 1, memory_order_relaxed);
    }
    leave_waiting_place(c); // of an answer that nobody waits for any more
    free_stream(&c->stream);
    http_response_release(&c->resp);
    http_response_init(&c->resp);
    reset_request(c);
    set_deadline(c, deadline_from_now(c)); // of the next head
    if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        notice_end_of_file(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct connection *c;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        c = *socket_context;
        if (!c)
            return;
        unlist_connection(c);
        http_response_release(&c->resp);
        buf_release(&c->body);
        account_body(c);
        arena_free(&c->arena);
        mem_free(c);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *addr = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    c = NEW(struct connection);
    c->worker = cls;
    c->server = c->worker->server;
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->arena = arena_new(ARENA_MAX);
    buf_init(&c->body, c->server->options.max_body_bytes);
    http_format_peer(addr ? addr->client_addr : NULL, c->peer, sizeof(c->peer));
    c->tls = c->server->options.cert_file != NULL;
    http_response_init(&c->resp);
    reset_request(c);
    set_deadline(c, deadline_from_now(c));
    list_connection(c);
    *socket_context = c;
}

// ---- life of the server -----------------------------------------------------------------------------------

static unsigned daemon_connections(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info ? info->num_connections : 0;
}

static unsigned connections_of(const struct engine *engine)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < engine->count; i++)
        sum += daemon_connections(engine->workers[i].daemon);
    return sum;
}

// The daemon with the fewest connections; among equals they take turns, because new ones are counted a little
// later.
static struct MHD_Daemon *emptiest(struct engine *engine)
{
    unsigned first = engine->next++ % engine->count;
    struct MHD_Daemon *best = engine->workers[first].daemon;

    for (unsigned k = 1; k < engine->count; k++) {
        struct MHD_Daemon *daemon = engine->workers[(first + k) % engine->count].daemon;

        if (daemon_connections(daemon) < daemon_connections(best))
            best = daemon;
    }
    return best;
}

static void end_waiting(struct engine *engine)
{
    if (engine)
        atomic_store(&engine->ending, true);
}

static void engine_free(struct engine **engine)
{
    if (!*engine)
        return;
    end_waiting(*engine);
    while (atomic_load(&(*engine)->waiting) > 0) // the library cannot end these
        clock_sleep_ns(2 * NS_PER_MS);
    for (unsigned i = 0; i < (*engine)->count; i++) {
        MHD_stop_daemon((*engine)->workers[i].daemon); // joins its thread
        buf_release(&(*engine)->workers[i].spare_body);
    }
    mem_free((*engine)->workers);
    mem_free(*engine);
    *engine = NULL;
}

// With the lock held.
static unsigned all_connections(const struct http_server *server)
{
    unsigned sum = connections_of(server->engine);

    for (size_t i = 0; i < MAX_RETIRED; i++)
        if (server->retired[i])
            sum += connections_of(server->retired[i]);
    return sum;
}

static bool server_has_room(void *ctx)
{
    struct http_server *server = ctx;

    pthread_mutex_lock(&server->lock);
    unsigned now = all_connections(server);
    for (size_t i = 0; i < MAX_RETIRED; i++)
        if (server->retired[i] && connections_of(server->retired[i]) == 0)
            engine_free(&server->retired[i]);
    pthread_mutex_unlock(&server->lock);
    return now < server->options.max_connections;
}

static void server_accepted(void *ctx, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct http_server *server = ctx;

    pthread_mutex_lock(&server->lock);
    if (MHD_add_connection(emptiest(server->engine), fd, addr, len) == MHD_NO) // has closed the descriptor
        count(&server->stats.accept_errors, 1);
    pthread_mutex_unlock(&server->lock);
}

static void server_accept_failed(void *ctx)
{
    struct http_server *server = ctx;

    count(&server->stats.accept_errors, 1);
}

static const struct http_acceptor_ops acceptor_ops = {.has_room = server_has_room,
                                                      .accepted = server_accepted,
                                                      .failed = server_accept_failed,
                                                      .tick = end_slow_connections};

PRINTF_LIKE(2, 0) static void keep_log_line(void *cls, const char *fmt, va_list args)
{
    struct engine *engine = cls;
    char *text = engine->first_log_line;

    if (atomic_load_explicit(&engine->started, memory_order_acquire) || text[0] != '\0')
        return; // later ones tell of misbehaving clients, which the statistics count
    vsnprintf(text, sizeof(engine->first_log_line), fmt, args);
    text[strcspn(text, "\n")] = '\0';
}

static void read_pem(const char *path, struct buf *out, int *ret, struct error *err)
{
    buf_init(out, 1 << 20);
    if (path && *ret == 0)
        *ret = file_read(path, 1 << 20, out, err);
}

static struct MHD_Daemon *start_daemon(struct engine *engine, struct worker *worker, const char *cert,
                                       const char *key)
{
    struct http_server *server = worker->server;
    const struct http_server_options *o = &server->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem no_options[] = {{MHD_OPTION_END, 0, NULL}};

    // The library's own limit is only a second fence: it would close connections where ours lets them wait.
    return MHD_start_daemon(
        flags | (cert ? MHD_USE_TLS : 0u), 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
        keep_log_line, engine, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT,
        o->max_connections + 1024, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->max_header_bytes, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, worker, MHD_OPTION_ARRAY, cert ? tls_options : no_options, MHD_OPTION_END);
}

static int error_of_start(const struct http_server_options *o, const char *why, struct error *err)
{
    if (o->cert_file)
        return error_set(err, ERR_INVALID, "tls: cannot use certificate '%s' with key '%s': %s", o->cert_file,
                         o->key_file, why);
    return error_set(err, ERR_IO, "cannot start the HTTP server: %s", why);
}

static int engine_new(struct http_server *server, struct engine **ret_engine, struct error *err)
{
    const struct http_server_options *o = &server->options;
    struct engine *engine = NEW(struct engine);
    struct buf cert, key;
    int ret = 0;

    read_pem(o->cert_file, &cert, &ret, err);
    read_pem(o->key_file, &key, &ret, err);
    if (ret < 0)
        goto out;
    engine->workers = NEW_ARRAY(struct worker, o->threads);
    while (engine->count < o->threads) {
        struct worker *worker = &engine->workers[engine->count];

        worker->server = server;
        worker->engine = engine;
        buf_init(&worker->spare_body, o->max_body_bytes);
        worker->daemon = start_daemon(engine, worker, o->cert_file ? buf_cstr(&cert) : NULL,
                                      o->key_file ? buf_cstr(&key) : NULL);
        if (!worker->daemon) {
            ret = error_of_start(o, engine->first_log_line, err);
            goto out;
        }
        engine->count++;
    }
    atomic_store_explicit(&engine->started, true, memory_order_release);
    *ret_engine = engine;
    engine = NULL;
out:
    if (key.ptr)
        explicit_bzero(key.ptr, key.len);
    buf_release(&key);
    buf_release(&cert);
    engine_free(&engine);
    return ret;
}

static void copy_options(struct http_server_options *to, const struct http_server_options *from)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    bool tls = from->cert_file && from->cert_file[0] && from->key_file && from->key_file[0];

    *to = *from;
    to->address = mem_strdup(from->address);
    to->cert_file = tls ? mem_strdup(from->cert_file) : NULL;
    to->key_file = tls ? mem_strdup(from->key_file) : NULL;
    if (to->threads == 0)
        to->threads = cpus > MIN_THREADS ? (unsigned)cpus : MIN_THREADS;
    to->max_body_bytes = from->max_body_bytes ? from->max_body_bytes : DEFAULT_MAX_BODY;
    if (from->max_body_memory > 0)
        to->max_body_memory = MAX(from->max_body_memory, to->max_body_bytes);
    to->max_header_bytes =
        from->max_header_bytes ? MIN(MAX(from->max_header_bytes, MIN_MEMORY), MAX_MEMORY) : DEFAULT_MEMORY;
    to->max_connections = from->max_connections ? from->max_connections : DEFAULT_CONNECTIONS;
    to->idle_timeout_s = from->idle_timeout_s > 0 ? from->idle_timeout_s : DEFAULT_IDLE_S;
}

static void free_options(struct http_server_options *options)
{
    mem_free((void *)(uintptr_t)options->address);
    mem_free((void *)(uintptr_t)options->cert_file);
    mem_free((void *)(uintptr_t)options->key_file);
}

static void free_server(struct http_server *server)
{
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    pthread_mutex_destroy(&server->lock);
    pthread_mutex_destroy(&server->list_lock);
    free_options(&server->options);
    mem_free(server);
}

static void free_engines(struct http_server *server)
{
    for (size_t i = 0; i < MAX_RETIRED; i++)
        engine_free(&server->retired[i]);
    engine_free(&server->engine);
}

int http_server_start(const struct http_server_options *options, const struct http_router *router,
                      struct http_server **ret_server, struct error *err)
{
    struct http_server *server = NEW(struct http_server);

    pthread_mutex_init(&server->lock, NULL);
    pthread_mutex_init(&server->list_lock, NULL);
    copy_options(&server->options, options);
    server->router = router;
    server->listen_fd = -1;
    int ret = http_bind(options->address, &server->listen_fd, err);
    if (ret == 0) {
        server->port = http_socket_port(server->listen_fd);
        ret = engine_new(server, &server->engine, err);
    }
    if (ret == 0 && !options->hold)
        ret = http_server_open(server, err);
    if (ret < 0) {
        free_engines(server);
        free_server(server);
        return ret;
    }
    *ret_server = server;
    return 0;
}

int http_server_open(struct http_server *server, struct error *err)
{
    int rc = http_listen(server->listen_fd, server->options.address, err);
    return rc ? rc : http_acceptor_start(server->listen_fd, &acceptor_ops, server, &server->acceptor, err);
}

unsigned http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stats(const struct http_server *server, struct http_server_stats *ret)
{
    struct http_server *s = (struct http_server *)(uintptr_t)server; // the lock is taken, nothing is changed

    pthread_mutex_lock(&s->lock);
    unsigned connections = all_connections(s);
    pthread_mutex_unlock(&s->lock);
    *ret = (struct http_server_stats){
        .requests = atomic_load_explicit(&s->stats.requests, memory_order_relaxed),
        .responses_4xx = atomic_load_explicit(&s->stats.responses_4xx, memory_order_relaxed),
        .responses_5xx = atomic_load_explicit(&s->stats.responses_5xx, memory_order_relaxed),
        .bytes_in = atomic_load_explicit(&s->stats.bytes_in, memory_order_relaxed),
        .bytes_out = atomic_load_explicit(&s->stats.bytes_out, memory_order_relaxed),
        .refused_bodies = atomic_load_explicit(&s->stats.refused_bodies, memory_order_relaxed),
        .aborted_requests = atomic_load_explicit(&s->stats.aborted_requests, memory_order_relaxed),
        .accept_errors = atomic_load_explicit(&s->stats.accept_errors, memory_order_relaxed),
        .slow_requests = atomic_load_explicit(&s->stats.slow_requests, memory_order_relaxed),
        .busy_refusals = atomic_load_explicit(&s->stats.busy_refusals, memory_order_relaxed),
        .body_bytes_now = atomic_load_explicit(&s->body_bytes, memory_order_relaxed),
        .connections_now = connections,
    };
}

bool http_server_stop(struct http_server **server_ptr, int64_t timeout_ms)
{
    struct http_server *server = *server_ptr;

    if (!server)
        return true;
    atomic_store_explicit(&server->stopping, true, memory_order_relaxed);
    http_acceptor_stop(&server->acceptor);
    end_waiting(server->engine);
    for (size_t i = 0; i < MAX_RETIRED; i++)
        end_waiting(server->retired[i]);
    close(server->listen_fd); // peers in the backlog are refused now, not left waiting
    server->listen_fd = -1;
    struct mono_time begin = clock_mono();
    while (atomic_load_explicit(&server->active, memory_order_relaxed) > 0 &&
           mono_diff_ns(clock_mono(), begin) < timeout_ms * NS_PER_MS)
        clock_sleep_ns(2 * NS_PER_MS);
    bool clean = atomic_load_explicit(&server->active, memory_order_relaxed) == 0;
    free_engines(server);
    free_server(server);
    *server_ptr = NULL;
    return clean;
}

int http_server_reload_tls(struct http_server *server, struct error *err)
{
    struct engine *fresh = NULL;

    if (!server->options.cert_file)
        return 0;
    int ret = engine_new(server, &fresh, err);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&server->lock);
    struct engine *oldest = server->retired[MAX_RETIRED - 1];
    memmove(server->retired + 1, server->retired, sizeof(server->retired[0]) * (MAX_RETIRED - 1));
    server->retired[0] = server->engine;
    server->engine = fresh;
    pthread_mutex_unlock(&server->lock);
    engine_free(&oldest); // four reloads ago: its last connections are cut
    return 0;
}

int http_server_check_tls(const char *cert_file, const char *key_file, struct error *err)
{
    const struct http_server_options options = {
        .address = "", .threads = 1, .cert_file = cert_file, .key_file = key_file};
    struct http_server server = {.listen_fd = -1};
    struct engine *engine = NULL;

    copy_options(&server.options, &options);
    int ret = engine_new(&server, &engine, err); // takes no connection
    engine_free(&engine);
    free_options(&server.options);
    return ret;
}
