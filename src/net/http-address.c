// SPDX-License-Identifier: MIT
// Listen addresses in Go's syntax, and the listening socket. Error texts are those that users of the programs
// know from Go: "listen tcp 127.0.0.1:8082: bind: address already in use".
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "net/http-private.h"

#define BACKLOG 4096 // the kernel cuts it to net.core.somaxconn

int http_split_address(const char *address, char **ret_host, char **ret_port, struct error *err)
{
    struct slice rest = slice_from_cstr(address);
    struct slice host;

    if (rest.len > 0 && rest.ptr[0] == '[') {
        ptrdiff_t close_at = slice_find_byte(rest, ']');

        if (close_at < 0)
            return error_set(err, ERR_INVALID, "address %s: missing ']' in address", address);
        host = slice_of(rest.ptr + 1, (size_t)close_at - 1);
        rest = slice_skip(rest, (size_t)close_at + 1);
        if (rest.len == 0 || rest.ptr[0] != ':')
            return error_set(err, ERR_INVALID, "address %s: missing port in address", address);
    } else {
        ptrdiff_t colon = slice_find_byte(rest, ':');

        if (colon < 0)
            return error_set(err, ERR_INVALID, "address %s: missing port in address", address);
        host = slice_of(rest.ptr, (size_t)colon);
        rest = slice_skip(rest, (size_t)colon);
    }
    rest = slice_skip(rest, 1);
    if (slice_find_byte(rest, ':') >= 0)
        return error_set(err, ERR_INVALID, "address %s: too many colons in address", address);
    if (slice_find_byte(host, '[') >= 0 || slice_find_byte(host, ']') >= 0)
        return error_set(err, ERR_INVALID, "address %s: unexpected '[' or ']' in address", address);
    *ret_host = slice_to_cstr(host);
    *ret_port = slice_to_cstr(rest);
    return 0;
}

// A number up to 65535, the name of a service, or nothing (0: any free port).
static int parse_port(const char *text, unsigned *ret_port, struct error *err)
{
    struct slice digits = slice_from_cstr(text);
    uint64_t number = 0;

    if (digits.len == 0) {
        *ret_port = 0;
        return 0;
    }
    if (strnum_parse_u64(digits, &number, NULL) == 0) {
        if (number > 65535)
            return error_set(err, ERR_INVALID, "listen tcp: address %s: invalid port", text);
        *ret_port = (unsigned)number;
        return 0;
    }
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;

    if (getaddrinfo(NULL, text, &hints, &list) != 0 || !list)
        return error_set(err, ERR_INVALID, "listen tcp: lookup tcp/%s: unknown port", text);
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)list->ai_addr;

    *ret_port = ntohs(in->sin_port);
    freeaddrinfo(list);
    return 0;
}

struct listen_address {
    struct sockaddr_storage addr;
    socklen_t len;
    char text[INET6_ADDRSTRLEN + 16]; // as in Go's errors
};

static void set_address(struct listen_address *ret, const void *ip, int family, unsigned port)
{
    char host[INET6_ADDRSTRLEN] = "";

    *ret = (struct listen_address){.len = 0};
    if (family == AF_INET6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

        memcpy(&in6.sin6_addr, ip, sizeof(in6.sin6_addr));
        memcpy(&ret->addr, &in6, sizeof(in6));
        ret->len = sizeof(in6);
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

        memcpy(&in.sin_addr, ip, sizeof(in.sin_addr));
        memcpy(&ret->addr, &in, sizeof(in));
        ret->len = sizeof(in);
    }
    inet_ntop(family, ip, host, sizeof(host));
    snprintf(ret->text, sizeof(ret->text), family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}

static bool is_wildcard(const char *host)
{
    struct in6_addr in6;
    struct in_addr in;

    return host[0] == '\0' || (inet_pton(AF_INET, host, &in) == 1 && in.s_addr == INADDR_ANY) ||
           (inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&in6));
}

// First address of the name, IPv4 preferred.
static int resolve(const char *host, unsigned port, struct listen_address *ret, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    const struct addrinfo *chosen = NULL;

    if (getaddrinfo(host, NULL, &hints, &list) != 0 || !list)
        return error_set(err, ERR_NOT_FOUND, "listen tcp: lookup %s: no such host", host);
    for (const struct addrinfo *it = list; it; it = it->ai_next)
        if (it->ai_family == AF_INET || (it->ai_family == AF_INET6 && !chosen)) {
            chosen = it;
            if (it->ai_family == AF_INET)
                break;
        }
    if (chosen && chosen->ai_family == AF_INET)
        set_address(ret, &((struct sockaddr_in *)(void *)chosen->ai_addr)->sin_addr, AF_INET, port);
    else if (chosen)
        set_address(ret, &((struct sockaddr_in6 *)(void *)chosen->ai_addr)->sin6_addr, AF_INET6, port);
    freeaddrinfo(list);
    return chosen ? 0 : error_set(err, ERR_NOT_FOUND, "listen tcp: lookup %s: no such host", host);
}

// "listen tcp <address>: <call>: <reason>"; Go's reasons begin with a small letter.
static int socket_error(struct error *err, const char *address, const char *call)
{
    int saved = errno;
    const char *reason = strerrordesc_np(saved);

    if (!reason)
        reason = "unknown error";
    return error_set(err,
                     saved == EADDRINUSE ? ERR_EXISTS
                     : saved == EACCES   ? ERR_DENIED
                                         : ERR_IO,
                     "listen tcp %s: %s: %c%s", address, call, tolower((unsigned char)reason[0]), reason + 1);
}

static int bind_to(const struct listen_address *where, int *ret_fd, struct error *err)
{
    int on = 1, off = 0;
    int fd = socket(where->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return socket_error(err, where->text, "socket");
    // a failing option leaves the system's default, which works
    ignore_result(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0);
    ignore_result(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0);
    if (where->addr.ss_family == AF_INET6)
        ignore_result(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0);
    if (bind(fd, (const struct sockaddr *)&where->addr, where->len) < 0) {
        int ret = socket_error(err, where->text, "bind");

        close(fd);
        return ret;
    }
    *ret_fd = fd;
    return 0;
}

static int bind_to_all(unsigned port, int *ret_fd, struct error *err)
{
    const struct in_addr any4 = {.s_addr = INADDR_ANY};
    struct listen_address where;

    set_address(&where, &in6addr_any, AF_INET6, port);
    snprintf(where.text, sizeof(where.text), ":%u", port);
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0); // a kernel without IPv6?
    if (probe >= 0) {
        close(probe);
        return bind_to(&where, ret_fd, err);
    }
    set_address(&where, &any4, AF_INET, port);
    snprintf(where.text, sizeof(where.text), ":%u", port);
    return bind_to(&where, ret_fd, err);
}

int http_bind(const char *address, int *ret_fd, struct error *err)
{
    char *host = NULL, *port_text = NULL;
    struct listen_address where;
    unsigned port = 0;
    int ret = http_split_address(address, &host, &port_text, err);

    if (ret < 0) {
        error_prefix(err, "listen tcp");
        goto out;
    }
    ret = parse_port(port_text, &port, err);
    if (ret < 0)
        goto out;
    if (is_wildcard(host)) {
        ret = bind_to_all(port, ret_fd, err);
        goto out;
    }
    ret = resolve(host, port, &where, err);
    if (ret == 0)
        ret = bind_to(&where, ret_fd, err);
out:
    mem_free(host);
    mem_free(port_text);
    return ret;
}

int http_listen(int fd, const char *address, struct error *err)
{
    return listen(fd, BACKLOG) < 0 ? socket_error(err, address, "listen") : 0;
}

unsigned http_socket_port(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return 0;
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return addr.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&addr)->sin_port) : 0;
}

void http_format_peer(const struct sockaddr *addr, char *text, size_t size)
{
    text[0] = '\0';
    if (addr && addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;

        inet_ntop(AF_INET, &in->sin_addr, text, (socklen_t)size);
    } else if (addr && addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;

        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, (socklen_t)size);
        else
            inet_ntop(AF_INET6, &in6->sin6_addr, text, (socklen_t)size);
    }
}
