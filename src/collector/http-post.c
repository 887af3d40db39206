// SPDX-License-Identifier: MIT
#include "collector/http-post.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/strnum.h"

#define BODY_SKIP_MAX ((int64_t)1 << 20) // a longer answer is not read: the connection is closed instead

struct http_post {
    struct http_url url;
    struct buf head; // request line and headers up to the value of Content-Length
    int64_t timeout_ms, idle_timeout_ms;
    int fd; // -1: not connected
    struct mono_time last_used;
};

// ---- URL ---------------------------------------------------------------------------------------------

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

static int split_host(struct slice authority, struct http_url *ret, struct error *err)
{
    struct slice host = authority, port = {NULL, 0};
    if (authority.len && authority.ptr[0] == '[') { // IPv6 address
        ptrdiff_t end = slice_find_byte(authority, ']');
        if (end < 0)
            return error_set(err, ERR_INVALID, "missing ']' in host");
        host = slice_of(authority.ptr + 1, (size_t)end - 1);
        struct slice rest = slice_skip(authority, (size_t)end + 1);
        if (rest.len && rest.ptr[0] != ':')
            return error_set(err, ERR_INVALID, "text behind ']' in host");
        port = slice_skip(rest, 1);
    } else {
        host = slice_split(&authority, ':');
        if (authority.ptr)
            port = authority;
    }
    uint64_t number = ret->tls ? 443 : 80;
    if (port.len && (strnum_parse_u64(port, &number, NULL) < 0 || number == 0 || number > 65535))
        return error_set(err, ERR_INVALID, "bad port '%.*s'", SLICE_FMT(port));
    if (host.len == 0 || host.len >= sizeof(ret->host))
        return error_set(err, ERR_INVALID, "missing or too long host name");
    memcpy(ret->host, host.ptr, host.len);
    ret->host[host.len] = '\0';
    snprintf(ret->port, sizeof(ret->port), "%u", (unsigned)number);
    return 0;
}

int http_url_parse(struct slice text, struct http_url *ret, struct error *err)
{
    struct http_url url = {0};
    struct slice rest;
    if (has_control(text))
        return error_set(err, ERR_INVALID, "blank or control character in URL");
    if (slice_starts_with(text, SLICE_LITERAL("http://")))
        rest = slice_skip(text, 7);
    else if (slice_starts_with(text, SLICE_LITERAL("https://")))
        rest = slice_skip(text, 8);
    else
        return error_set(err, ERR_INVALID, "URL '%.*s' is neither http:// nor https://", SLICE_FMT(text));
    url.tls = text.ptr[4] == 's';
    size_t end = 0;
    while (end < rest.len && !strchr("/?#", rest.ptr[end]))
        end++;
    struct slice authority = slice_of(rest.ptr, end);
    struct slice target = slice_skip(rest, end);
    ptrdiff_t fragment = slice_find_byte(target, '#');
    if (fragment >= 0)
        target.len = (size_t)fragment;
    if (slice_find_byte(authority, '@') >= 0)
        return error_set(err, ERR_INVALID, "user and password belong into 'username' and 'password'");
    if (split_host(authority, &url, err) < 0)
        return ERR_INVALID;
    url.target = target;
    *ret = url;
    return 0;
}

// ---- reply -------------------------------------------------------------------------------------------

static int parse_status_line(struct slice line, struct http_reply_head *head, struct error *err)
{
    uint64_t status;
    if (line.len < 12 || !slice_starts_with(line, SLICE_LITERAL("HTTP/1.")) || line.ptr[8] != ' ' ||
        strnum_parse_u64(slice_of(line.ptr + 9, 3), &status, NULL) < 0 || status < 100 ||
        (line.len > 12 && line.ptr[12] != ' '))
        return error_set(err, ERR_INVALID, "answer is not HTTP/1");
    head->status = (int)status;
    head->close = line.ptr[7] == '0';
    return 0;
}

static int parse_header(struct slice line, struct http_reply_head *head, struct error *err)
{
    struct slice value = line;
    struct slice name = slice_split(&value, ':');
    if (!value.ptr || name.len == 0)
        return error_set(err, ERR_INVALID, "answer has a header line without name");
    value = slice_trim(value);
    uint64_t number;
    if (slice_eq_ignore_case(name, SLICE_LITERAL("content-length"))) {
        if (strnum_parse_u64(value, &number, NULL) < 0 || number > INT64_MAX ||
            (head->content_length >= 0 && head->content_length != (int64_t)number))
            return error_set(err, ERR_INVALID, "answer has a bad Content-Length");
        head->content_length = (int64_t)number;
    } else if (slice_eq_ignore_case(name, SLICE_LITERAL("transfer-encoding"))) {
        head->chunked = true;
    } else if (slice_eq_ignore_case(name, SLICE_LITERAL("connection"))) {
        head->close = head->close || slice_eq_ignore_case(value, SLICE_LITERAL("close"));
    } else if (slice_eq_ignore_case(name, SLICE_LITERAL("retry-after"))) {
        if (strnum_parse_u64(value, &number, NULL) == 0 && number < 86400)
            head->retry_after_s = (int64_t)number;
    }
    return 0;
}

int http_reply_parse(struct slice bytes, struct http_reply_head *ret, struct error *err)
{
    struct http_reply_head head = {.content_length = -1, .retry_after_s = -1};
    struct slice rest = bytes;
    for (bool first = true;; first = false) {
        struct slice line = slice_split(&rest, '\n');
        if (!rest.ptr) { // no line end yet
            if (bytes.len > HTTP_POST_REPLY_MAX)
                return error_set(err, ERR_INVALID, "answer has too long headers");
            return 0;
        }
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (first) {
            if (parse_status_line(line, &head, err) < 0)
                return ERR_INVALID;
        } else if (line.len == 0) {
            break;
        } else if (parse_header(line, &head, err) < 0) {
            return ERR_INVALID;
        }
    }
    head.head_len = (size_t)(rest.ptr - bytes.ptr);
    *ret = head;
    return 1;
}

// ---- connection --------------------------------------------------------------------------------------

static void disconnect(struct http_post *post)
{
    if (post->fd >= 0)
        close(post->fd);
    post->fd = -1;
}

// Waits for 'events'; the deadline is absolute, 0 means none.
static int wait_fd(int fd, short events, struct mono_time deadline, struct error *err)
{
    for (;;) {
        int timeout_ms = -1;
        if (deadline.ns) {
            int64_t left = deadline.ns - clock_mono().ns;
            if (left <= 0)
                return error_set(err, ERR_TIMEOUT, "no answer in time");
            timeout_ms = (int)MIN(left / NS_PER_MS + 1, (int64_t)3600000);
        }
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, timeout_ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, "poll");
    }
}

static int connect_address(const struct addrinfo *a, struct mono_time deadline, int *ret_fd,
                           struct error *err)
{
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0)
        return error_set_errno(err, "socket");
    int rc = 0;
    if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
        rc = errno == EINPROGRESS ? wait_fd(fd, POLLOUT, deadline, err)
                                  : error_set_errno(err, "cannot connect");
        int failure = 0;
        socklen_t len = sizeof(failure);
        if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) == 0 && failure) {
            errno = failure;
            rc = error_set_errno(err, "cannot connect");
        }
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *ret_fd = fd;
    return 0;
}

static int connect_host(struct http_post *post, struct mono_time deadline, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    // A numeric address needs no name service, which would load libraries.
    int rc = getaddrinfo(post->url.host, post->url.port, &hints, &list);
    if (rc == EAI_NONAME) {
        hints.ai_flags = AI_NUMERICSERV;
        rc = getaddrinfo(post->url.host, post->url.port, &hints, &list);
    }
    if (rc != 0)
        return error_set(err, ERR_IO, "cannot resolve '%s': %s", post->url.host, gai_strerror(rc));
    rc = ERR_IO;
    for (const struct addrinfo *a = list; a && rc < 0; a = a->ai_next)
        rc = connect_address(a, deadline, &post->fd, err);
    freeaddrinfo(list);
    return rc < 0 ? error_prefix(err, "%s:%s", post->url.host, post->url.port) : 0;
}

static int send_all(int fd, struct slice head, struct slice body, struct mono_time deadline,
                    struct error *err)
{
    while (head.len + body.len > 0) {
        struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)head.ptr, .iov_len = head.len},
                                 {.iov_base = (void *)(uintptr_t)body.ptr, .iov_len = body.len}};
        struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            int rc = wait_fd(fd, POLLOUT, deadline, err);
            if (rc < 0)
                return rc;
            continue;
        }
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, "cannot send");
        size_t sent = n > 0 ? (size_t)n : 0;
        size_t of_head = MIN(sent, head.len);
        head = slice_skip(head, of_head);
        body = slice_skip(body, sent - of_head);
    }
    return 0;
}

// More bytes into 'in': 1 some came, 0 the connection has ended.
static int receive(int fd, struct buf *in, struct mono_time deadline, struct error *err)
{
    for (;;) {
        char *at = buf_reserve(in, 4096);
        if (!at)
            return error_set(err, ERR_LIMIT, "answer is too long");
        ssize_t n = recv(fd, at, 4096, 0);
        if (n > 0) {
            buf_commit(in, (size_t)n);
            return 1;
        }
        if (n == 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return error_set_errno(err, "cannot receive");
        int rc = wait_fd(fd, POLLIN, deadline, err);
        if (rc < 0)
            return rc;
    }
}

// Reads the answer. Interim answers (1xx) are skipped.
static int read_head(struct http_post *post, struct buf *in, struct mono_time deadline,
                     struct http_reply_head *ret, struct error *err)
{
    for (;;) {
        int rc = in->len ? http_reply_parse(buf_slice(in), ret, err) : 0;
        if (rc < 0)
            return rc;
        if (rc > 0 && ret->status >= 200)
            return 0;
        if (rc > 0) {
            buf_consume(in, ret->head_len);
            continue;
        }
        rc = receive(post->fd, in, deadline, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return error_set(err, ERR_CLOSED, "connection ended without an answer");
    }
}

// Reads the rest of the answer so that the connection can be used again, or closes it.
static void skip_body(struct http_post *post, struct buf *in, struct mono_time deadline,
                      const struct http_reply_head *head)
{
    bool no_body = head->status == 204 || head->status == 304;
    int64_t length = no_body ? 0 : head->content_length;
    if (head->close || head->chunked || length < 0 || length > BODY_SKIP_MAX) {
        disconnect(post);
        return;
    }
    buf_consume(in, head->head_len);
    int64_t left = length - (int64_t)in->len;
    while (left > 0) {
        buf_clear(in);
        if (receive(post->fd, in, deadline, NULL) <= 0)
            break;
        left -= (int64_t)in->len;
    }
    if (left != 0)
        disconnect(post);
}

static int exchange(struct http_post *post, struct slice body, struct mono_time deadline,
                    struct http_reply_head *ret, struct error *err)
{
    struct buf text;
    buf_init(&text, HTTP_POST_REPLY_MAX + 8192);
    buf_append_slice(&text, buf_slice(&post->head));
    buf_printf(&text, "%zu\r\n\r\n", body.len);
    int rc = send_all(post->fd, buf_slice(&text), body, deadline, err);
    buf_clear(&text);
    if (rc == 0)
        rc = read_head(post, &text, deadline, ret, err);
    if (rc == 0)
        skip_body(post, &text, deadline, ret);
    else
        disconnect(post);
    buf_release(&text);
    return rc;
}

int http_post_send(struct http_post *post, struct slice body, struct http_reply_head *ret, struct error *err)
{
    struct mono_time now = clock_mono();
    struct mono_time deadline = {.ns = post->timeout_ms ? now.ns + post->timeout_ms * NS_PER_MS : 0};
    if (post->idle_timeout_ms && mono_diff_ns(now, post->last_used) > post->idle_timeout_ms * NS_PER_MS)
        disconnect(post);
    int rc = ERR_CLOSED;
    if (post->fd >= 0) // the server may have closed the kept connection meanwhile: then try once on a new one
        rc = exchange(post, body, deadline, ret, err);
    if (post->fd < 0 && (rc == ERR_CLOSED || rc == ERR_IO)) {
        rc = connect_host(post, deadline, err);
        if (rc == 0)
            rc = exchange(post, body, deadline, ret, err);
    }
    post->last_used = clock_mono();
    return rc == ERR_CLOSED ? ERR_IO : rc;
}

// ---- life cycle --------------------------------------------------------------------------------------

int http_post_new(const struct http_post_options *options, struct http_post **ret, struct error *err)
{
    struct http_url url;
    if (http_url_parse(slice_from_cstr(options->url), &url, err) < 0)
        return ERR_INVALID;
    if (options->authorization && slice_find_byte(slice_from_cstr(options->authorization), '\n') >= 0)
        return error_set(err, ERR_INVALID, "line end in the authorization");
    struct http_post *post = NEW(struct http_post);
    post->url = url;
    post->fd = -1;
    post->timeout_ms = options->timeout_ms;
    post->idle_timeout_ms = options->idle_timeout_ms;
    buf_init(&post->head, 8192);
    bool slash = url.target.len == 0 || url.target.ptr[0] != '/';
    bool v6 = strchr(url.host, ':') != NULL;
    bool default_port = slice_eq_cstr(slice_from_cstr(url.port), "80");
    buf_printf(&post->head, "POST %s%.*s HTTP/1.1\r\nHost: %s%s%s%s%s\r\n", slash ? "/" : "",
               SLICE_FMT(url.target), v6 ? "[" : "", url.host, v6 ? "]" : "", default_port ? "" : ":",
               default_port ? "" : url.port);
    buf_printf(&post->head, "User-Agent: cc-metric-collector/%s\r\n", CC_VERSION);
    if (options->authorization)
        buf_printf(&post->head, "Authorization: %s\r\n", options->authorization);
    buf_append_cstr(&post->head, "Content-Length: ");
    if (buf_failed(&post->head)) {
        http_post_free(&post);
        return error_set(err, ERR_LIMIT, "URL and authorization are longer than 8192 bytes");
    }
    post->url.target = SLICE_EMPTY; // pointed into the caller's text
    *ret = post;
    return 0;
}

void http_post_free(struct http_post **post)
{
    if (!*post)
        return;
    disconnect(*post);
    buf_release(&(*post)->head);
    mem_free(*post);
    *post = NULL;
}
