// SPDX-License-Identifier: MIT
// The agent with an input: a test program, not installed. Takes -config and -root as cc-metric-collector and puts line
// protocol from standard input into the router, so that recorded scenarios can look at router and sinks with messages
// of their choice. Input: "<number of bytes>\n<bytes>" again and again; each such part is what one request was when
// the scenario was recorded. Lines must have the one field "value", a number, and a time in nanoseconds.
#include <pthread.h>

#include "base/cmdline.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "collector/agent.h"

#define PART_MAX_BYTES ((size_t)16 << 20)

struct options {
    const char *config, *root, *loglevel;
};

static const struct cmdline_flag flags[] = {
    {"config", CMDLINE_STRING, offsetof(struct options, config), "./config.json", "as cc-metric-collector"},
    {"root", CMDLINE_STRING, offsetof(struct options, root), "", "as cc-metric-collector"},
    {"loglevel", CMDLINE_STRING, offsetof(struct options, loglevel), "info", "as cc-metric-collector"},
    {0},
};

static void put_entry(struct router *router, const struct lineproto_entry *e)
{
    const struct lineproto_value *v = &e->fields[0].value;
    if (e->field_count != 1 || v->kind == LINEPROTO_BOOL || v->kind == LINEPROTO_STRING ||
        !e->has_timestamp) {
        log_error("feed: line %d is no metric with a time", e->line);
        return;
    }
    struct message *msg = message_new(e->measurement, (struct wall_time){.ns = e->timestamp});
    for (size_t i = 0; i < e->tag_count; i++)
        message_set_tag(msg, e->tags[i].key, e->tags[i].value);
    message_set_meta(msg, SLICE_LITERAL("source"), SLICE_LITERAL("HttpReceiver(in)"));
    message_set_field(msg, SLICE_LITERAL("value"), *v);
    struct sample sample = {.series = router_declare(router, &msg), .kind = v->kind, .u64 = v->u64};
    if (v->kind == LINEPROTO_FLOAT)
        sample.f64 = v->f64;
    struct batch batch = {.items = &sample, .count = 1, .time = {.ns = e->timestamp}};
    router_deliver(router, &batch, batch.time);
}

static void put_part(struct router *router, struct lineproto_decoder *decoder, struct slice text)
{
    struct lineproto_entry *entry = NEW(struct lineproto_entry);
    struct error err = ERROR_INIT;
    int rc;
    lineproto_decoder_reset(decoder, text, true);
    while ((rc = lineproto_next(decoder, entry, NULL, NULL, &err)) != 0) {
        if (rc < 0)
            log_error("feed: %s", err.text);
        else
            put_entry(router, entry);
    }
    router_flush(router);
    mem_free(entry);
}

// One part into *out; false at the end of the input.
static bool read_part(FILE *in, struct buf *out)
{
    char head[32];
    uint64_t len;
    if (!fgets(head, sizeof(head), in) ||
        strnum_parse_u64(slice_trim(slice_from_cstr(head)), &len, NULL) < 0 || len > PART_MAX_BYTES)
        return false;
    buf_clear(out);
    char *at = buf_reserve(out, len);
    if (!at || fread(at, 1, len, in) != len)
        return false;
    buf_commit(out, len);
    return true;
}

static void *feed_main(void *router)
{
    struct buf part;
    struct lineproto_decoder *decoder = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    buf_init(&part, PART_MAX_BYTES);
    while (read_part(stdin, &part))
        put_part(router, decoder, buf_slice(&part));
    buf_release(&part);
    lineproto_decoder_free(&decoder);
    return NULL;
}

static void start_feed(void *ctx, struct router *router)
{
    (void)ctx;
    pthread_t thread;
    ASSERT(pthread_create(&thread, NULL, feed_main, router) == 0);
    pthread_detach(thread);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct config config;
    int rest;
    if (cmdline_parse(flags, &o, argc, argv, stderr, &rest) != CMDLINE_OK)
        return 2;
    log_init(o.loglevel, false);
    if (config_load(o.config, &config) < 0)
        return 1;
    int status = agent_run(&config, &(struct agent_options){.root = o.root, .started = start_feed});
    config_release(&config);
    return status;
}
