// SPDX-License-Identifier: MIT
#include "net/http-client.h"

#include <curl/curl.h>

#include "base/mem.h"
#include "net/curl-on-demand.h"

#define DEFAULT_CONNECT_MS INT64_C(10000)
#define DEFAULT_TIMEOUT_MS INT64_C(30000)
#define DEFAULT_IDLE_MS    INT64_C(118000) // Go closes at 120 s; being first avoids a race with such servers

struct http_client {
    CURL *curl;
    char curl_error[CURL_ERROR_SIZE];
    int64_t connect_timeout_ms, timeout_ms, idle_timeout_ms;
    char *ca_file, *user_agent;
    bool insecure;
};

struct receiver {
    struct buf *body;
    bool too_large;
};

int http_client_global_init(struct error *err)
{
    int rc = curl_on_demand_load(err);
    if (rc == 0)
        ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); // fails without memory or entropy only
    return rc;
}

struct http_client *http_client_new(const struct http_client_options *options)
{
    struct http_client *c = NEW(struct http_client);

    c->curl = curl_easy_init();
    ASSERT(c->curl);
    c->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : DEFAULT_CONNECT_MS;
    c->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    c->idle_timeout_ms = options->idle_timeout_ms > 0 ? options->idle_timeout_ms : DEFAULT_IDLE_MS;
    c->ca_file = options->ca_file ? mem_strdup(options->ca_file) : NULL;
    c->user_agent = mem_strdup(options->user_agent ? options->user_agent : "clustercockpit-c");
    c->insecure = options->insecure;
    return c;
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;

    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    mem_free(c->ca_file);
    mem_free(c->user_agent);
    mem_free(c);
    *client = NULL;
}

static size_t receive_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct receiver *r = ctx;
    size_t len = size * count;

    buf_append(r->body, bytes, len);
    if (buf_failed(r->body)) {
        r->too_large = true;
        return 0;
    }
    return len;
}

// The URL as it may be shown: without user name and password. Heap text.
static char *presentable_url(const char *url)
{
    CURLU *parts = curl_url();
    char *text = NULL, *copy = NULL;

    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        ignore_result(curl_url_set(parts, CURLUPART_USER, NULL, 0) != CURLUE_OK); // clearing cannot fail
        ignore_result(curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK);
        if (curl_url_get(parts, CURLUPART_URL, &text, 0) == CURLUE_OK)
            copy = mem_strdup(text);
    }
    if (!copy) {
        const char *at = strrchr(url, '@'); // broken, yet it may hold a password

        copy = mem_strdup(at ? at + 1 : url);
    }
    curl_free(text);
    curl_url_cleanup(parts);
    return copy;
}

// As Go: the proxy of the environment is never asked for this very machine.
static bool is_this_machine(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool local = false;

    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        struct slice h = slice_from_cstr(host);

        local = slice_eq_ignore_case(h, SLICE_LITERAL("localhost")) || slice_eq(h, SLICE_LITERAL("[::1]")) ||
                slice_starts_with(h, SLICE_LITERAL("127."));
    }
    curl_free(host);
    curl_url_cleanup(parts);
    return local;
}

static bool has_header(const char *const *headers, const char *name_and_colon)
{
    struct slice wanted = slice_from_cstr(name_and_colon);

    for (; headers && *headers; headers++)
        if (slice_eq_ignore_case(slice_of(*headers, strnlen(*headers, wanted.len)), wanted))
            return true;
    return false;
}

static struct curl_slist *make_headers(const struct http_client_request *request)
{
    struct curl_slist *list =
        curl_slist_append(NULL, "Expect:"); // asking first costs a round trip, or a second

    if (!has_header(request->headers, "Content-Type:"))
        list = curl_slist_append(list, "Content-Type:"); // instead of libcurl's form type
    for (const char *const *h = request->headers; h && *h; h++)
        list = curl_slist_append(list, *h);
    ASSERT(list);
    return list;
}

static void set_long(CURL *curl, CURLoption option, int64_t value)
{
    ASSERT(curl_easy_setopt(curl, option, (long)value) == CURLE_OK);
}

static void set_connection_options(struct http_client *c, const struct http_client_request *request)
{
    CURL *curl = c->curl;

    set_long(curl, CURLOPT_NOSIGNAL, 1);
    set_long(curl, CURLOPT_CONNECTTIMEOUT_MS, c->connect_timeout_ms);
    set_long(curl, CURLOPT_TIMEOUT_MS, c->timeout_ms);
    set_long(curl, CURLOPT_MAXAGE_CONN, MAX(c->idle_timeout_ms / 1000, 1));
    set_long(curl, CURLOPT_TCP_KEEPALIVE, 1);
    set_long(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    set_long(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    set_long(curl, CURLOPT_SSL_VERIFYPEER, !c->insecure);
    set_long(curl, CURLOPT_SSL_VERIFYHOST, c->insecure ? 0 : 2);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->curl_error);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, c->user_agent);
    if (c->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca_file);
    if (is_this_machine(request->url))
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

static void set_request_options(CURL *curl, const struct http_client_request *request,
                                struct curl_slist *headers)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request->username || request->password) {
        set_long(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, request->username ? request->username : "");
        curl_easy_setopt(curl, CURLOPT_PASSWORD, request->password ? request->password : "");
    }
    bool head = strcmp(request->method, "HEAD") == 0, get = strcmp(request->method, "GET") == 0;
    if (head) {
        set_long(curl, CURLOPT_NOBODY, 1);
    } else if (!get || request->body.len > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.len ? request->body.ptr : "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static int map_error(struct http_client *c, CURLcode rc, const struct http_client_request *request,
                     const struct receiver *receiver, size_t max_body_bytes, struct error *err)
{
    char *url = presentable_url(request->url);
    const char *why = c->curl_error[0] ? c->curl_error : curl_easy_strerror(rc);
    enum error_code code = rc == CURLE_OPERATION_TIMEDOUT                                  ? ERR_TIMEOUT
                           : rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL ? ERR_INVALID
                                                                                           : ERR_IO;

    if (receiver->too_large)
        code = error_set(err, ERR_LIMIT, "%s %s: answer is larger than %zu bytes", request->method, url,
                         max_body_bytes);
    else
        error_set(err, code, "%s %s: %s", request->method, url, why);
    mem_free(url);
    return code;
}

int http_client_do(struct http_client *client, const struct http_client_request *request,
                   size_t max_body_bytes, struct http_client_reply *ret_reply, struct error *err)
{
    struct http_client_reply reply = {.status = 0};
    struct receiver receiver = {.body = &reply.body};
    struct curl_slist *headers = make_headers(request);
    CURL *curl = client->curl;
    long status = 0;

    buf_init(&reply.body, max_body_bytes);
    curl_easy_reset(curl); // options only: connections stay
    set_connection_options(client, request);
    set_request_options(curl, request, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receiver);
    client->curl_error[0] = '\0';
    CURLcode rc = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    if (rc != CURLE_OK) {
        buf_release(&reply.body);
        return map_error(client, rc, request, &receiver, max_body_bytes, err);
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply.status = (int)status;
    *ret_reply = reply;
    return 0;
}

void http_client_reply_release(struct http_client_reply *reply)
{
    buf_release(&reply->body);
    reply->status = 0;
}
