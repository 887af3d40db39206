// SPDX-License-Identifier: MIT
// The connection. The library restores a lost one itself, but gives up when the first attempt fails, when the server refuses the user
// twice, and on some errors; then the manager begins again from nothing.
#include "net/nats-private.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/nats-subject.h"
#include "net/nkey.h"

#define CONNECT_TIMEOUT_MS 2000
#define PING_INTERVAL_MS   20000 // a dead peer is found within a minute
#define WRITE_DEADLINE_MS  10000
#define FLUSH_MS           2000
#define BACKOFF_MIN_MS     250
#define BACKOFF_MAX_MS     4000
#define TICK_MS            1000
#define FILE_MAX           (1 << 20)
#define REPORT_EVERY_MS    60000 // of failed attempts

// ---- reports ------------------------------------------------------------------------------------------------

void nats_report(struct nats *nats, enum log_level level, const char *fmt, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;

    if (!nats->options.report)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    nats->options.report(nats->options.report_ctx, level, text);
}

const char *nats_last_error(natsStatus status)
{
    const char *text = nats_GetLastError(NULL);
    return text && *text ? text : natsStatus_GetText(status);
}

// ---- options ------------------------------------------------------------------------------------------------

static bool is_set(const char *text)
{
    return text && *text;
}

static bool wants_tls(const struct nats_options *o)
{
    struct slice rest = slice_from_cstr(o->urls);
    while (rest.ptr && rest.len > 0)
        if (slice_starts_with(slice_trim(slice_split(&rest, ',')), SLICE_LITERAL("tls://")))
            return true;
    return is_set(o->tls_ca_file) || is_set(o->tls_cert_file);
}

// One list entry at a time, because the library counts commas only.
static natsStatus set_servers(natsOptions *opts, const char *urls)
{
    struct slice rest = slice_from_cstr(urls);
    char **list = NULL;
    size_t count = 0, cap = 0;
    while (rest.ptr && rest.len > 0) {
        struct slice url = slice_trim(slice_split(&rest, ','));
        if (url.len == 0)
            continue;
        ENSURE_CAPACITY(list, cap, count + 1);
        list[count++] = slice_to_cstr(url);
    }
    natsStatus s = natsOptions_SetServers(opts, (const char **)list, (int)count);
    for (size_t i = 0; i < count; i++)
        mem_free(list[i]);
    mem_free(list);
    return s;
}

static int set_nkey(natsOptions *opts, const char *path, struct error *err)
{
    char key[NKEY_PUBLIC_LEN + 1];
    struct buf text;

    buf_init(&text, FILE_MAX);
    int rc = file_read(path, FILE_MAX, &text, err);
    if (rc == 0) {
        rc = nkey_public_from_seed(nkey_find_seed(buf_slice(&text)), key, err);
        if (rc < 0)
            ignore_result(error_prefix(err, "'%s'", path));
    }
    if (text.ptr)
        explicit_bzero(text.ptr, text.len);
    buf_release(&text);
    if (rc < 0)
        return rc;
    natsStatus s = natsOptions_SetNKeyFromSeed(opts, key, path);
    return s == NATS_OK ? 0 : error_set(err, ERR_INVALID, "'%s': %s", path, nats_last_error(s));
}

static int set_login(natsOptions *opts, const struct nats_options *o, struct error *err)
{
    natsStatus s = NATS_OK;

    if (is_set(o->username) && is_set(o->password))
        s = natsOptions_SetUserInfo(opts, o->username, o->password);
    if (s == NATS_OK && is_set(o->creds_file))
        s = natsOptions_SetUserCredentialsFromFiles(opts, o->creds_file, NULL);
    if (s != NATS_OK)
        return error_set(err, ERR_INVALID, "user: %s", nats_last_error(s));
    return is_set(o->nkey_seed_file) ? set_nkey(opts, o->nkey_seed_file, err) : 0;
}

static int set_tls(natsOptions *opts, const struct nats_options *o, struct error *err)
{
    natsStatus s = NATS_OK;

    if (wants_tls(o)) // the library does not look at the scheme
        s = natsOptions_SetSecure(opts, true);
    if (s == NATS_OK && is_set(o->tls_ca_file))
        s = natsOptions_LoadCATrustedCertificates(opts, o->tls_ca_file);
    if (s == NATS_OK && is_set(o->tls_cert_file))
        s = natsOptions_LoadCertificatesChain(opts, o->tls_cert_file, o->tls_key_file);
    return s == NATS_OK ? 0 : error_set(err, ERR_INVALID, "TLS: %s", nats_last_error(s));
}

static int64_t backoff_ms(int attempts, int64_t chance)
{
    int64_t ms = BACKOFF_MIN_MS << (attempts > 4 ? 4 : attempts);
    ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
    return ms + chance % (ms / 4);
}

static int64_t some_chance(void)
{
    return clock_mono().ns / 1000 % 100003; // spreads clients, no secret
}

// ---- what the library says, on its thread for callbacks, one after the other -----------------------------------------

static int64_t on_delay(natsConnection *conn UNUSED, int attempts, void *ctx UNUSED)
{
    return backoff_ms(attempts - 1, some_chance());
}

static void on_disconnected(natsConnection *conn UNUSED, void *ctx)
{
    struct nats *nats = ctx;
    atomic_store(&nats->connected, false);
    if (atomic_load(&nats->closing))
        return;
    atomic_fetch_add(&nats->disconnects, 1);
    nats_report(nats, LOG_LEVEL_WARN, "NATS: the connection is lost, connecting again");
}

static void on_reconnected(natsConnection *conn UNUSED, void *ctx)
{
    struct nats *nats = ctx;
    atomic_store(&nats->connected, true);
    atomic_fetch_add(&nats->connects, 1);
    nats_report(nats, LOG_LEVEL_INFO, "NATS: connected again");
}

// The last callback of a connection: until it came, 'nats' must live.
static void on_closed(natsConnection *conn UNUSED, void *ctx)
{
    struct nats *nats = ctx;
    atomic_store(&nats->connected, false);
    pthread_mutex_lock(&nats->lock);
    nats->closed = true;
    pthread_cond_broadcast(&nats->changed);
    pthread_mutex_unlock(&nats->lock);
}

static void on_error(natsConnection *conn UNUSED, natsSubscription *sub UNUSED, natsStatus status, void *ctx)
{
    struct nats *nats = ctx;
    uint64_t held = 0;
    if (status == NATS_SLOW_CONSUMER) // the manager says how many
        return;
    if (log_limit_pass(&nats->error_limit, 5, 10000, &held))
        nats_report(nats, LOG_LEVEL_ERROR, "NATS: %s", nats_last_error(status));
}

static int make_options(struct nats *nats, natsOptions **ret, struct error *err)
{
    natsOptions *opts = NULL;
    natsStatus s = natsOptions_Create(&opts);
    if (s == NATS_OK)
        s = set_servers(opts, nats->options.urls);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(opts, CONNECT_TIMEOUT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(opts, PING_INTERVAL_MS);
    if (s == NATS_OK)
        s = natsOptions_SetWriteDeadline(opts, WRITE_DEADLINE_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(opts, -1);
    if (s == NATS_OK)
        s = natsOptions_SetFailRequestsOnDisconnect(opts, true);
    if (s == NATS_OK)
        s = natsOptions_SetCustomReconnectDelay(opts, on_delay, nats);
    if (s == NATS_OK)
        s = natsOptions_SetDisconnectedCB(opts, on_disconnected, nats);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(opts, on_reconnected, nats);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(opts, on_closed, nats);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(opts, on_error, nats);
    if (s == NATS_OK && is_set(nats->options.name))
        s = natsOptions_SetName(opts, nats->options.name);
    int rc = s == NATS_OK ? 0 : error_set(err, ERR_INVALID, "%s", nats_last_error(s));
    if (rc == 0)
        rc = set_login(opts, &nats->options, err);
    if (rc == 0)
        rc = set_tls(opts, &nats->options, err);
    if (rc < 0)
        natsOptions_Destroy(opts);
    else
        *ret = opts;
    return rc;
}

// ---- manager --------------------------------------------------------------------------------------------------

bool nats_is_stopping(struct nats *nats)
{
    pthread_mutex_lock(&nats->lock);
    bool stopping = nats->stopping;
    pthread_mutex_unlock(&nats->lock);
    return stopping;
}

bool nats_is_closed(struct nats *nats)
{
    pthread_mutex_lock(&nats->lock);
    bool closed = nats->closed;
    pthread_mutex_unlock(&nats->lock);
    return closed;
}

// Waits for a change, at most 'ms'. The lock is held.
static void wait_locked(struct nats *nats, int64_t ms)
{
    clock_cond_wait(&nats->changed, &nats->lock, mono_after(clock_mono(), ms * NS_PER_MS));
}

void nats_pause(struct nats *nats, int64_t ms)
{
    int64_t end_ns = clock_mono().ns + ms * NS_PER_MS;
    pthread_mutex_lock(&nats->lock);
    for (int64_t left = ms; !nats->stopping && !nats->closed && left > 0;
         left = (end_ns - clock_mono().ns) / NS_PER_MS)
        wait_locked(nats, left);
    pthread_mutex_unlock(&nats->lock);
}

void nats_note_subscribed(struct nats *nats, natsConnection *conn)
{
    if (natsConnection_FlushTimeout(conn, FLUSH_MS) != NATS_OK)
        return;
    pthread_mutex_lock(&nats->lock);
    nats->subscribed++;
    pthread_cond_broadcast(&nats->changed);
    pthread_mutex_unlock(&nats->lock);
}

bool nats_wait_subscribed(struct nats *nats, int64_t timeout_ms)
{
    int64_t end_ns = clock_mono().ns + timeout_ms * NS_PER_MS;
    pthread_mutex_lock(&nats->lock);
    for (int64_t left = timeout_ms;
         nats->subscribed < nats->subscription_count && left > 0 && atomic_load(&nats->failed_connects) == 0;
         left = (end_ns - clock_mono().ns) / NS_PER_MS)
        wait_locked(nats, left);
    bool all = nats->subscribed == nats->subscription_count;
    pthread_mutex_unlock(&nats->lock);
    return all;
}

static int open_connection(struct nats *nats, natsConnection **ret, struct error *err)
{
    natsOptions *opts = NULL;
    natsConnection *conn = NULL;
    int rc = make_options(nats, &opts, err);
    if (rc < 0)
        return rc;
    natsStatus s = natsConnection_Connect(&conn, opts);
    natsOptions_Destroy(opts);
    if (s != NATS_OK)
        return error_set(err, ERR_IO, "%s", nats_last_error(s));
    *ret = conn;
    return 0;
}

static void set_connection(struct nats *nats, natsConnection *conn)
{
    pthread_rwlock_wrlock(&nats->conn_lock);
    nats->conn = conn;
    pthread_rwlock_unlock(&nats->conn_lock);
}

static void report_connected(struct nats *nats, natsConnection *conn)
{
    char url[1024];
    if (natsConnection_GetConnectedUrl(conn, url, sizeof(url)) != NATS_OK)
        url[0] = '\0';
    const char *at = strrchr(url, '@'); // what stands before is secret
    nats_report(nats, LOG_LEVEL_INFO, "NATS: connected: server=%s", at ? at + 1 : url);
}

static bool connect_once(struct nats *nats, natsConnection **ret)
{
    struct error err = ERROR_INIT;
    uint64_t held = 0;
    if (open_connection(nats, ret, &err) == 0) {
        set_connection(nats, *ret);
        atomic_fetch_add(&nats->connects, 1);
        atomic_store(&nats->connected, true);
        report_connected(nats, *ret);
        return true;
    }
    pthread_mutex_lock(&nats->lock);
    atomic_fetch_add(&nats->failed_connects, 1);
    pthread_cond_broadcast(&nats->changed);
    pthread_mutex_unlock(&nats->lock);
    if (log_limit_pass(&nats->connect_limit, 1, REPORT_EVERY_MS, &held))
        nats_report(nats, LOG_LEVEL_WARN, "NATS: cannot connect: %s; trying again for ever", err.text);
    return false;
}

static void tell_dropped(struct nats *nats)
{
    for (size_t i = 0; i < nats->subscription_count; i++) {
        struct nats_subscription *sub = nats->subscriptions[i];
        uint64_t dropped = nats_subscription_dropped(sub), held = 0;
        if (dropped == sub->dropped_told || !log_limit_pass(&nats->dropped_limit, 5, 10000, &held))
            continue;
        nats_report(nats, LOG_LEVEL_ERROR,
                    "NATS: slow consumer: subject=%s dropped=%llu, %llu since the start", sub->subject,
                    (unsigned long long)(dropped - sub->dropped_told), (unsigned long long)dropped);
        sub->dropped_told = dropped;
    }
}

// Until the library gives the connection up, or the end.
static void serve(struct nats *nats, natsConnection *conn)
{
    for (size_t i = 0; i < nats->subscription_count; i++)
        nats_subscription_start(nats->subscriptions[i], conn);
    pthread_mutex_lock(&nats->lock);
    while (!nats->stopping && !nats->closed) {
        wait_locked(nats, TICK_MS);
        pthread_mutex_unlock(&nats->lock);
        tell_dropped(nats);
        pthread_mutex_lock(&nats->lock);
    }
    pthread_mutex_unlock(&nats->lock);
    for (size_t i = 0; i < nats->subscription_count; i++)
        nats_subscription_join(nats->subscriptions[i]);
    tell_dropped(nats);
}

static void close_connection(struct nats *nats, natsConnection *conn)
{
    set_connection(nats, NULL);
    atomic_store(&nats->closing, true);
    natsConnection_Destroy(conn);
    pthread_mutex_lock(&nats->lock);
    while (!nats->closed)
        pthread_cond_wait(&nats->changed, &nats->lock);
    nats->closed = false; // for the next one
    nats->subscribed = 0;
    atomic_store(&nats->closing, false);
    pthread_mutex_unlock(&nats->lock);
}

// The connection is kept for acknowledgements until nats_free.
static void wait_for_end(struct nats *nats, natsConnection *conn)
{
    pthread_mutex_lock(&nats->lock);
    nats->intake_stopped = true;
    pthread_cond_broadcast(&nats->changed);
    while (!nats->ending)
        pthread_cond_wait(&nats->changed, &nats->lock);
    pthread_mutex_unlock(&nats->lock);
    if (!conn)
        return;
    if (atomic_load(&nats->connected))
        (void)natsConnection_FlushTimeout(conn, FLUSH_MS);
    close_connection(nats, conn);
}

static void *manage(void *arg)
{
    struct nats *nats = arg;
    natsConnection *conn = NULL;
    int attempts = 0;
    while (!nats_is_stopping(nats)) {
        if (!connect_once(nats, &conn)) {
            nats_pause(nats, backoff_ms(attempts++, some_chance()));
            continue;
        }
        serve(nats, conn);
        if (nats_is_stopping(nats))
            break;
        nats_report(nats, LOG_LEVEL_WARN, "NATS: the connection was closed, connecting from the beginning");
        close_connection(nats, conn);
        conn = NULL;
        nats_pause(
            nats, backoff_ms(attempts++, some_chance())); // a server that closes at once is not to be flooded
    }
    wait_for_end(nats, conn);
    return NULL;
}

// ---- life ---------------------------------------------------------------------------------------------------------

static int check_options(const struct nats_options *o, struct error *err)
{
    struct slice rest = slice_from_cstr(o->urls);
    bool any = false;
    while (rest.ptr && rest.len > 0)
        any |= slice_trim(slice_split(&rest, ',')).len > 0;
    if (!any)
        return error_set(err, ERR_INVALID, "no address is given");
    if (is_set(o->creds_file) && is_set(o->nkey_seed_file))
        return error_set(err, ERR_INVALID, "a credentials file and a seed file cannot be used together");
    if (is_set(o->tls_cert_file) != is_set(o->tls_key_file))
        return error_set(err, ERR_INVALID, "a TLS certificate needs its key, and the other way round");
    return 0;
}

static const char *copy(const char *text)
{
    return mem_strdup(text ? text : "");
}

static void copy_options(struct nats_options *to, const struct nats_options *from)
{
    *to = (struct nats_options){.urls = copy(from->urls),
                                .username = copy(from->username),
                                .password = copy(from->password),
                                .creds_file = copy(from->creds_file),
                                .nkey_seed_file = copy(from->nkey_seed_file),
                                .tls_ca_file = copy(from->tls_ca_file),
                                .tls_cert_file = copy(from->tls_cert_file),
                                .tls_key_file = copy(from->tls_key_file),
                                .name = copy(from->name),
                                .report = from->report,
                                .report_ctx = from->report_ctx};
}

static void free_options(struct nats_options *o)
{
    const char *const texts[] = {o->urls,          o->username,       o->password,
                                 o->creds_file,    o->nkey_seed_file, o->tls_ca_file,
                                 o->tls_cert_file, o->tls_key_file,   o->name};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free((char *)texts[i]);
}

int nats_new(const struct nats_options *options, struct nats **ret_nats, struct error *err)
{
    int rc = check_options(options, err);
    if (rc < 0)
        return rc;
    natsStatus s =
        nats_Open(-1); // the first time; messages are handed to a thread of the library when they are freed
    if (s != NATS_OK)
        return error_set(err, ERR_INTERNAL, "%s", natsStatus_GetText(s));
    struct nats *nats = NEW(struct nats);
    copy_options(&nats->options, options);
    pthread_rwlock_init(&nats->conn_lock, NULL);
    pthread_mutex_init(&nats->lock, NULL);
    clock_cond_init(&nats->changed);
    *ret_nats = nats;
    return 0;
}

int nats_start(struct nats *nats, struct error *err)
{
    int code = pthread_create(&nats->manager, NULL, manage, nats);
    if (code)
        return error_set(err, ERR_IO, "cannot make a thread: %s", strerror(code));
    nats->started = true;
    return 0;
}

void nats_stop_intake(struct nats *nats)
{
    pthread_mutex_lock(&nats->lock);
    nats->stopping = true;
    pthread_cond_broadcast(&nats->changed);
    while (nats->started && !nats->intake_stopped)
        pthread_cond_wait(&nats->changed, &nats->lock);
    pthread_mutex_unlock(&nats->lock);
}

void nats_free(struct nats **nats_ptr)
{
    struct nats *nats = *nats_ptr;
    if (!nats)
        return;
    nats_stop_intake(nats);
    if (nats->started) {
        pthread_mutex_lock(&nats->lock);
        nats->ending = true;
        pthread_cond_broadcast(&nats->changed);
        pthread_mutex_unlock(&nats->lock);
        pthread_join(nats->manager, NULL);
    }
    for (size_t i = 0; i < nats->subscription_count; i++)
        nats_subscription_free(&nats->subscriptions[i]);
    mem_free(nats->subscriptions);
    free_options(&nats->options);
    pthread_cond_destroy(&nats->changed);
    pthread_mutex_destroy(&nats->lock);
    pthread_rwlock_destroy(&nats->conn_lock);
    mem_free(nats);
    *nats_ptr = NULL;
}

void nats_stats(const struct nats *nats, struct nats_stats *ret)
{
    *ret = (struct nats_stats){.connected = atomic_load(&nats->connected),
                               .connects = atomic_load(&nats->connects),
                               .failed_connects = atomic_load(&nats->failed_connects),
                               .disconnects = atomic_load(&nats->disconnects)};
}

// ---- sending ------------------------------------------------------------------------------------------------------

static int publish_error(natsStatus s, const char *subject, struct error *err)
{
    bool full = s == NATS_INSUFFICIENT_BUFFER || s == NATS_MAX_PAYLOAD;
    return error_set(err, full ? ERR_LIMIT : ERR_IO, "publish to '%s': %s", subject, nats_last_error(s));
}

int nats_publish(struct nats *nats, const char *subject, struct slice payload, struct error *err)
{
    natsStatus s = NATS_CONNECTION_CLOSED;
    if (payload.len > INT32_MAX)
        return error_set(err, ERR_LIMIT, "publish to '%s': %zu bytes are too many", subject, payload.len);
    pthread_rwlock_rdlock(&nats->conn_lock);
    if (nats->conn)
        s = natsConnection_Publish(nats->conn, subject, payload.ptr, (int)payload.len);
    pthread_rwlock_unlock(&nats->conn_lock);
    if (s == NATS_OK)
        return 0;
    if (s == NATS_CONNECTION_CLOSED)
        return error_set(err, ERR_CLOSED, "publish to '%s': not connected", subject);
    return publish_error(s, subject, err);
}

int nats_flush(struct nats *nats, int64_t timeout_ms, struct error *err)
{
    natsStatus s = NATS_CONNECTION_CLOSED;
    pthread_rwlock_rdlock(&nats->conn_lock);
    if (nats->conn)
        s = natsConnection_FlushTimeout(nats->conn, timeout_ms);
    pthread_rwlock_unlock(&nats->conn_lock);
    if (s == NATS_OK)
        return 0;
    return s == NATS_TIMEOUT ? error_set(err, ERR_TIMEOUT, "NATS: the server does not answer")
                             : error_set(err, ERR_CLOSED, "NATS: %s", natsStatus_GetText(s));
}
