// SPDX-License-Identifier: MIT
// Threads that take messages: one per subscription while there is a connection. Plain ones wait for what the server sends. JetStream
// ones ask for a number of messages at a time ($JS.API.CONSUMER.MSG.NEXT), which is how a slow store slows the stream and not
// itself.
//
// Acknowledgements are sent by subject and not with the library's calls: those need the subscription that took the message, which is
// gone when the connection was made anew meanwhile.
#include "net/nats-private.h"

#include <string.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "net/nats-subject.h"

#define PENDING_MESSAGES 524288
#define PENDING_BYTES    (64 << 20)
#define POLL_MS          200  // how soon a thread sees that it is to end
#define DRAIN_MS         5000 // for what the server had sent before the end
#define BATCH            256  // messages asked for at a time
#define EXPIRES_MS       5000 // the server's end of a request
#define LOST_MS          7000 // ours, when nothing was heard of it
#define SETUP_PAUSE_MS   1000 // between attempts to find the consumer
#define API_WAIT_MS      2000
#define ACK_WAIT_S       60
#define MAX_ACK_PENDING  16384 // above what queues behind us may hold

static bool is_jetstream(const struct nats_subscription *sub)
{
    return sub->stream != NULL;
}

static void PRINTF_LIKE(2, 3) complain(struct nats_subscription *sub, const char *fmt, ...)
{
    struct error text = ERROR_INIT;
    uint64_t held = 0;
    va_list args;
    if (!log_limit_pass(&sub->report_limit, 3, 60000, &held))
        return;
    va_start(args, fmt);
    (void)vsnprintf(text.text, sizeof(text.text), fmt, args);
    va_end(args);
    if (is_jetstream(sub))
        nats_report(sub->nats, LOG_LEVEL_ERROR, "NATS: stream '%s', consumer '%s': %s", sub->stream,
                    sub->durable, text.text);
    else
        nats_report(sub->nats, LOG_LEVEL_ERROR, "NATS: subject '%s': %s", sub->subject, text.text);
}

// ---- messages -----------------------------------------------------------------------------------------------------

// Takes msg.
static struct nats_message *wrap(struct nats *nats, natsMsg *msg, struct nats_ack *ret_ack)
{
    struct nats_message *m = NEW(struct nats_message);
    const char *reply = natsMsg_GetReply(msg);
    m->nats = nats;
    m->msg = msg;
    if (reply && nats_ack_parse(slice_from_cstr(reply), ret_ack)) {
        m->wants_ack = true;
        m->is_redelivered = ret_ack->deliveries > 1;
        m->time_s = ret_ack->time_ns / NS_PER_S;
    }
    return m;
}

static void deliver(struct nats_subscription *sub, natsMsg *msg)
{
    struct nats_ack ack = {.pending = 0};
    struct nats_message *m = wrap(sub->nats, msg, &ack);
    if (!is_jetstream(sub)) // a publisher's reply subject is no business of ours
        m->wants_ack = m->is_redelivered = false, m->time_s = 0;
    atomic_fetch_add(&sub->messages, 1);
    atomic_fetch_add(&sub->bytes, (uint64_t)natsMsg_GetDataLength(msg));
    if (m->is_redelivered)
        atomic_fetch_add(&sub->redelivered, 1);
    atomic_store(&sub->stream_pending, ack.pending);
    sub->options.on_message(sub->options.ctx, m);
}

struct slice nats_message_payload(const struct nats_message *message)
{
    const char *data = natsMsg_GetData(message->msg);
    int len = natsMsg_GetDataLength(message->msg);
    return data && len > 0 ? slice_of(data, (size_t)len) : SLICE_EMPTY;
}

struct slice nats_message_subject(const struct nats_message *message)
{
    return slice_from_cstr(natsMsg_GetSubject(message->msg));
}

bool nats_message_wants_ack(const struct nats_message *message)
{
    return message->wants_ack;
}

bool nats_message_is_redelivered(const struct nats_message *message)
{
    return message->is_redelivered;
}

int64_t nats_message_time_s(const struct nats_message *message)
{
    return message->time_s;
}

int nats_message_ack(struct nats_message *message, struct error *err)
{
    if (!message->wants_ack)
        return 0;
    return nats_publish(message->nats, natsMsg_GetReply(message->msg), SLICE_LITERAL("+ACK"), err);
}

int nats_message_nak(struct nats_message *message, int64_t delay_ms, struct error *err)
{
    char body[64];
    if (!message->wants_ack)
        return 0;
    int len = snprintf(body, sizeof(body), "-NAK {\"delay\":%lld}", (long long)(delay_ms * NS_PER_MS));
    return nats_publish(message->nats, natsMsg_GetReply(message->msg), slice_of(body, (size_t)len), err);
}

void nats_message_free(struct nats_message **message)
{
    if (!*message)
        return;
    natsMsg_Destroy((*message)->msg);
    mem_free(*message);
    *message = NULL;
}

struct nats_message *nats_message_make(struct nats *nats, const char *subject, const char *reply,
                                       struct slice payload)
{
    struct nats_ack ack;
    natsMsg *msg = NULL;
    ASSERT(natsMsg_Create(&msg, subject, reply, payload.ptr, (int)payload.len) == NATS_OK);
    return wrap(nats, msg, &ack);
}

// ---- taking -------------------------------------------------------------------------------------------------------

static void set_live(struct nats_subscription *sub, natsSubscription *live)
{
    int64_t dropped = 0;
    pthread_mutex_lock(&sub->lock);
    if (sub->live && natsSubscription_GetDropped(sub->live, &dropped) == NATS_OK)
        sub->dropped_before += (uint64_t)dropped;
    sub->live = live;
    pthread_mutex_unlock(&sub->lock);
}

static natsStatus subscribe(struct nats_subscription *sub, natsConnection *conn, const char *subject,
                            natsSubscription **ret)
{
    int messages = sub->options.pending_messages, bytes = sub->options.pending_bytes;
    natsStatus s = natsConnection_SubscribeSync(ret, conn, subject);
    if (s != NATS_OK)
        return s;
    if (is_jetstream(sub)) // bounded by what we ask for
        s = natsSubscription_SetPendingLimits(*ret, -1, -1);
    else
        s = natsSubscription_SetPendingLimits(*ret, messages > 0 ? messages : PENDING_MESSAGES,
                                              bytes > 0 ? bytes : PENDING_BYTES);
    if (s != NATS_OK) {
        natsSubscription_Destroy(*ret);
        *ret = NULL;
    }
    return s;
}

// True: go on. False: no message will come any more on this subscription.
static bool may_go_on(natsStatus s)
{
    return s == NATS_OK || s == NATS_TIMEOUT || s == NATS_SLOW_CONSUMER;
}

// What the server had sent before: unsubscribe, wait for its answer, hand out what lies here.
static void drain(struct nats_subscription *sub, natsSubscription *live)
{
    int64_t end_ns = clock_mono().ns + DRAIN_MS * NS_PER_MS;
    natsStatus s = natsSubscription_DrainTimeout(live, DRAIN_MS);
    while (may_go_on(s) && clock_mono().ns < end_ns) {
        natsMsg *msg = NULL;
        s = natsSubscription_NextMsg(&msg, live, POLL_MS);
        if (s == NATS_OK && (!is_jetstream(sub) || natsMsg_GetReply(msg)))
            deliver(sub, msg);
        else if (s == NATS_OK)
            natsMsg_Destroy(msg);
    }
}

static void take_plain(struct nats_subscription *sub, natsConnection *conn, natsSubscription *live)
{
    natsStatus s = NATS_OK;
    nats_note_subscribed(sub->nats, conn);
    while (may_go_on(s) && !nats_is_stopping(sub->nats)) {
        natsMsg *msg = NULL;
        s = natsSubscription_NextMsg(&msg, live, POLL_MS);
        if (s == NATS_OK)
            deliver(sub, msg);
    }
    if (may_go_on(s))
        drain(sub, live);
}

// ---- JetStream ----------------------------------------------------------------------------------------------------

static bool consumer_fits(struct nats_subscription *sub, const jsConsumerConfig *config)
{
    const char *filter = config->FilterSubject ? config->FilterSubject : "";
    if (config->DeliverSubject && *config->DeliverSubject)
        complain(sub, "it exists and is pushed, not pulled: remove it or use another name");
    else if (config->AckPolicy != js_AckExplicit)
        complain(sub, "it exists without explicit acknowledgement: remove it or use another name");
    else if (strcmp(filter, sub->subject) != 0 && *filter)
        complain(sub, "it exists with the subject '%s', not '%s': remove it or use another name", filter,
                 sub->subject);
    else
        return true;
    return false;
}

static natsStatus add_consumer(struct nats_subscription *sub, jsCtx *js, jsConsumerInfo **ret,
                               jsErrCode *code)
{
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = sub->durable;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = ACK_WAIT_S * NS_PER_S;
    config.MaxAckPending = MAX_ACK_PENDING;
    config.DeliverPolicy = sub->options.deliver_new ? js_DeliverNew : js_DeliverAll;
    config.FilterSubject = sub->subject;
    return js_AddConsumer(ret, js, sub->stream, &config, NULL, code);
}

// Finds the durable consumer, or makes it.
static bool find_consumer(struct nats_subscription *sub, natsConnection *conn)
{
    jsOptions options;
    jsCtx *js = NULL;
    jsConsumerInfo *info = NULL;
    jsErrCode code = 0;
    bool fits = false;

    jsOptions_Init(&options);
    options.Wait = API_WAIT_MS;
    natsStatus s = natsConnection_JetStream(&js, conn, &options);
    if (s == NATS_OK)
        s = js_GetConsumerInfo(&info, js, sub->stream, sub->durable, NULL, &code);
    if (s == NATS_NOT_FOUND)
        s = add_consumer(sub, js, &info, &code);
    if (s == NATS_OK)
        fits = consumer_fits(sub, info->Config);
    else if (!nats_is_stopping(sub->nats) && !nats_is_closed(sub->nats))
        complain(sub, "%s", nats_last_error(s));
    jsConsumerInfo_Destroy(info);
    jsCtx_Destroy(js);
    return fits;
}

static natsStatus ask(struct nats_subscription *sub, natsConnection *conn, const char *inbox)
{
    char subject[3 * NATS_NAME_MAX], body[128];
    (void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s", sub->stream, sub->durable);
    int len = snprintf(body, sizeof(body), "{\"batch\":%d,\"expires\":%lld}", BATCH,
                       (long long)(EXPIRES_MS * NS_PER_MS));
    return natsConnection_PublishRequest(conn, subject, inbox, body, len);
}

// The server's word about a request: a message without payload and with a status in its head. 0: a message of the stream.
static int status_of(natsMsg *msg)
{
    const char *text = NULL;
    int64_t number = 0;
    if (natsMsg_GetDataLength(msg) > 0 || natsMsgHeader_Get(msg, "Status", &text) != NATS_OK)
        return 0;
    return strnum_parse_i64(slice_trim(slice_from_cstr(text)), &number, NULL) == 0 && number > 0 &&
                   number < 1000
               ? (int)number
               : 500;
}

// A request at work.
struct request {
    int left; // messages that may still come
    struct mono_time at;
    uint64_t connects; // a lost connection loses the request
};

static void end_request_if_lost(struct request *r, struct nats *nats)
{
    if (mono_diff_ns(clock_mono(), r->at) > LOST_MS * NS_PER_MS ||
        r->connects != atomic_load(&nats->connects))
        r->left = 0;
}

// Handles one thing that came. False: look at the consumer again.
static bool take_one(struct nats_subscription *sub, struct request *r, natsMsg *msg)
{
    int status = status_of(msg);
    if (status == 0) {
        r->left -= r->left > 0;
        deliver(sub, msg);
        return true;
    }
    bool known = status == 404 || status == 408; // nothing there, time is over
    const char *text = NULL;
    r->left = 0;
    if (!known && natsMsgHeader_Get(msg, "Description", &text) == NATS_OK)
        complain(sub, "the server says: %d %s", status, text);
    natsMsg_Destroy(msg);
    return known;
}

// Until the end, or something is wrong with the consumer.
static natsStatus pull(struct nats_subscription *sub, natsConnection *conn, natsSubscription *live,
                       const char *inbox)
{
    struct request r = {.left = 0};
    while (!nats_is_stopping(sub->nats)) {
        natsMsg *msg = NULL;
        natsStatus s = NATS_OK;
        if (r.left == 0) {
            r = (struct request){
                .left = BATCH, .at = clock_mono(), .connects = atomic_load(&sub->nats->connects)};
            s = ask(sub, conn, inbox);
        }
        if (s == NATS_OK)
            s = natsSubscription_NextMsg(&msg, live, POLL_MS);
        if (s == NATS_OK && !take_one(sub, &r, msg))
            return NATS_OK;
        if (s == NATS_TIMEOUT)
            end_request_if_lost(&r, sub->nats);
        else if (s != NATS_OK)
            return s;
    }
    return NATS_OK;
}

static void take_jetstream(struct nats_subscription *sub, natsConnection *conn, natsSubscription *live,
                           const char *inbox)
{
    bool noted = false;
    while (!nats_is_stopping(sub->nats) && !nats_is_closed(sub->nats)) {
        natsStatus s = NATS_OK;
        bool found = find_consumer(sub, conn);
        if (found && !noted)
            nats_note_subscribed(sub->nats, conn);
        noted |= found;
        if (found)
            s = pull(sub, conn, live, inbox);
        if (s != NATS_OK && !nats_is_closed(sub->nats))
            complain(sub, "%s", nats_last_error(s));
        nats_pause(sub->nats, SETUP_PAUSE_MS);
    }
    if (!nats_is_closed(sub->nats))
        drain(sub, live);
}

// ---- thread -------------------------------------------------------------------------------------------------------

struct run {
    struct nats_subscription *sub;
    natsConnection *conn; // outlives the thread
};

static void *take(void *arg)
{
    struct run run = *(struct run *)arg;
    struct nats_subscription *sub = run.sub;
    natsSubscription *live = NULL;
    natsInbox *inbox = NULL;
    natsStatus s = NATS_OK;

    mem_free(arg);
    if (is_jetstream(sub))
        s = natsInbox_Create(&inbox);
    if (s == NATS_OK)
        s = subscribe(sub, run.conn, inbox ? inbox : sub->subject, &live);
    if (s == NATS_OK) {
        set_live(sub, live);
        if (is_jetstream(sub))
            take_jetstream(sub, run.conn, live, inbox);
        else
            take_plain(sub, run.conn, live);
        set_live(sub, NULL);
    } else if (!nats_is_closed(sub->nats)) {
        complain(sub, "cannot subscribe: %s", nats_last_error(s));
    }
    natsSubscription_Destroy(live);
    natsInbox_Destroy(inbox);
    nats_ReleaseThreadMemory();
    return NULL;
}

void nats_subscription_start(struct nats_subscription *sub, natsConnection *conn)
{
    struct run *run = NEW(struct run);
    *run = (struct run){.sub = sub, .conn = conn};
    int code = pthread_create(&sub->thread, NULL, take, run);
    ASSERT(code == 0); // as memory that is out: the program cannot do its work
}

void nats_subscription_join(struct nats_subscription *sub)
{
    pthread_join(sub->thread, NULL);
}

// ---- life ---------------------------------------------------------------------------------------------------------

static bool given(const char *text)
{
    return text && *text;
}

static int check(const struct nats_subscription_options *o, struct error *err)
{
    if (!nats_subject_is_valid(slice_from_cstr(o->subject), true))
        return error_set(err, ERR_INVALID, "'%s' is no subject", o->subject ? o->subject : "");
    if (given(o->stream) != given(o->durable))
        return error_set(err, ERR_INVALID, "subject '%s': stream and durable consumer need each other",
                         o->subject);
    if (given(o->stream) && !nats_name_is_valid(slice_from_cstr(o->stream)))
        return error_set(err, ERR_INVALID, "subject '%s': '%s' is no name of a stream", o->subject,
                         o->stream);
    if (given(o->durable) && !nats_name_is_valid(slice_from_cstr(o->durable)))
        return error_set(err, ERR_INVALID, "subject '%s': '%s' is no name of a consumer", o->subject,
                         o->durable);
    return 0;
}

int nats_subscribe(struct nats *nats, const struct nats_subscription_options *options, size_t *ret_index,
                   struct error *err)
{
    int rc = check(options, err);
    if (rc < 0)
        return rc;
    ASSERT(!nats->started);
    struct nats_subscription *sub = NEW(struct nats_subscription);
    sub->nats = nats;
    sub->options = *options;
    sub->subject = mem_strdup(options->subject);
    if (given(options->stream)) {
        sub->stream = mem_strdup(options->stream);
        sub->durable = mem_strdup(options->durable);
    }
    pthread_mutex_init(&sub->lock, NULL);
    nats->subscriptions = mem_grow_array(nats->subscriptions, nats->subscription_count,
                                         nats->subscription_count + 1, sizeof(struct nats_subscription *));
    if (ret_index)
        *ret_index = nats->subscription_count;
    nats->subscriptions[nats->subscription_count++] = sub;
    return 0;
}

void nats_subscription_free(struct nats_subscription **sub)
{
    pthread_mutex_destroy(&(*sub)->lock);
    mem_free((*sub)->subject);
    mem_free((*sub)->stream);
    mem_free((*sub)->durable);
    mem_free(*sub);
    *sub = NULL;
}

uint64_t nats_subscription_dropped(struct nats_subscription *sub)
{
    int64_t dropped = 0;
    pthread_mutex_lock(&sub->lock);
    if (sub->live && natsSubscription_GetDropped(sub->live, &dropped) != NATS_OK)
        dropped = 0;
    uint64_t sum = sub->dropped_before + (uint64_t)dropped;
    pthread_mutex_unlock(&sub->lock);
    return sum;
}

void nats_subscription_stats(const struct nats *nats, size_t index, struct nats_subscription_stats *ret)
{
    struct nats_subscription *sub = nats->subscriptions[index];
    int waiting = 0;
    pthread_mutex_lock(&sub->lock);
    if (sub->live && natsSubscription_GetPending(sub->live, &waiting, NULL) != NATS_OK)
        waiting = 0;
    pthread_mutex_unlock(&sub->lock);
    *ret = (struct nats_subscription_stats){.messages = atomic_load(&sub->messages),
                                            .bytes = atomic_load(&sub->bytes),
                                            .dropped = nats_subscription_dropped(sub),
                                            .waiting = (uint64_t)waiting,
                                            .redelivered = atomic_load(&sub->redelivered),
                                            .stream_pending = atomic_load(&sub->stream_pending)};
}
