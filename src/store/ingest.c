// SPDX-License-Identifier: MIT
// Line protocol into series (metric-store.md 3).
//
// Senders repeat the order of their lines. So the usual line costs one comparison of its head with the one
// that followed last time, and a scan of value and time; the host stays locked over all its lines. Only what
// is new or odd goes through the decoder.
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "codec/lineproto-scan.h"
#include "codec/lineproto.h"
#include "store/store-private.h"
#include "store/wal-record.h"
#include "store/wal.h"

#define LINES_PER_LOCK 8192                  // then readers of the host get a chance
#define SECONDS_LIMIT  INT64_C(100000000000) // larger timestamps are in other units (MS-07)
#define DECIMAL_DIGITS 15                    // of a mantissa that surely is below 2^53

struct batch {
    struct store *store;
    const struct store_write *write;
    struct store_write_result *result;
    struct lineproto_decoder *decoder;
    struct time_bounds bounds; // for metrics of short interval; others may be later
    struct host *host;         // locked and referenced; NULL: none
    uint32_t last;             // head of the line before, in 'host', or HEAD_NONE
    bool default_matches;      // the batch's default cluster is that of 'host'
    uint64_t lines_locked;
    struct wal *wal;                 // NULL: memory only
    struct wal_encoder *definitions; // of series new to the log, for the host at work
    struct wal_encoder *samples;
    struct wal_span span; // of the batch's records in the log
    struct error log_error;
    uint64_t rejected_syntax, rejected_name, rejected_old, rejected_future;
};

// A component name put together from tags.
struct name_text {
    char text[NAME_MAX_BYTES];
    size_t len;
    bool too_long;
};

// What the tags of a line say.
struct address {
    struct slice cluster, host;
    bool has_cluster;
    bool is_node, has_type; // a tag type=node; one of another type
    struct name_text type, subtype;
};

// ---- log --------------------------------------------------------------------------------------------------

static void define_series(struct batch *b, const struct metric *metric, const struct series *series)
{
    const struct host *host = b->host;
    struct slice path[2];
    size_t depth = 0;
    for (uint32_t at = series->level; at != LEVEL_HOST; at = host->levels[at].parent)
        depth++;
    uint32_t at = series->level;
    for (size_t i = depth; i > 0; i--, at = host->levels[at].parent)
        path[i - 1] = intern_text(b->store->names, host->levels[at].name);
    wal_encoder_define_series(b->definitions, series->wal_number, metric->name, path, depth);
}

// All that the host's records may refer to: a segment of the log explains itself.
static void define_all(struct batch *b)
{
    const struct host *host = b->host;
    wal_encoder_begin(b->definitions, host->wal_number);
    wal_encoder_define_host(b->definitions, slice_from_cstr(host->cluster->name),
                            slice_from_cstr(host->name));
    for (size_t g = 0; g < host->group_count; g++) {
        for (size_t m = 0; m < host->groups[g].count; m++) {
            if (host->groups[g].members[m].wal_number)
                define_series(b, host->groups[g].metric, &host->groups[g].members[m]);
        }
    }
}

static void log_begin(struct batch *b)
{
    struct host *host = b->host;
    if (!host->wal_number)
        host->wal_number =
            (uint32_t)atomic_fetch_add_explicit(&b->store->hosts_numbered, 1, memory_order_relaxed) + 1;
    wal_encoder_begin(b->definitions, host->wal_number);
    wal_encoder_begin(b->samples, host->wal_number);
}

// Hands the records of the host over, under its lock, so that the log has the order of the store.
static void log_end(struct batch *b)
{
    struct host *host = b->host;
    struct slice samples = wal_encoder_end(b->samples);
    int rc = 0;
    if (samples.len == 0)
        return;
    do {
        uint64_t epoch = wal_epoch(b->wal);
        if (epoch != host->wal_epoch)
            define_all(b);
        struct slice definitions = wal_encoder_end(b->definitions);
        rc = definitions.len ? wal_append(b->wal, epoch, definitions, &b->span) : 0;
        if (rc == 0) {
            host->wal_epoch = epoch;
            rc = wal_append(b->wal, epoch, samples, &b->span);
        }
        if (rc == 0 && host->dirty_epoch == 0)
            host->dirty_epoch = epoch;
        if (rc == ERR_BUSY)
            host->wal_epoch = 0; // a new segment began
    } while (rc == ERR_BUSY);
    if (rc < 0) {
        host->wal_epoch = 0;
        ignore_result(error_set(&b->log_error, rc, "the log cannot take a record of %zu bytes", samples.len));
    }
}

// After very many deaths and births of series the host's numbers begin again; later definitions replace earlier ones.
static void log_renumber(struct batch *b)
{
    struct host *host = b->host;
    log_end(b);
    for (size_t g = 0; g < host->group_count; g++) {
        for (size_t m = 0; m < host->groups[g].count; m++)
            host->groups[g].members[m].wal_number = 0;
    }
    host->wal_series = 0;
    host->wal_epoch = 0;
    log_begin(b);
}

static void log_number_series(struct batch *b, const struct metric *metric, struct series *series)
{
    if (b->host->wal_series + 1 >= WAL_MAX_SERIES)
        log_renumber(b);
    series->wal_number = ++b->host->wal_series;
    define_series(b, metric, series);
}

// ---- the host at work -------------------------------------------------------------------------------------

static void leave_host(struct batch *b)
{
    if (!b->host)
        return;
    if (b->wal)
        log_end(b);
    store_account(b->store, b->host);
    pthread_mutex_unlock(&b->host->lock);
    host_unref(b->host);
    b->host = NULL;
    b->last = HEAD_NONE;
    b->lines_locked = 0;
}

// Locks the host, which is made if need be. It may have been taken out of the tree between look-up and lock
// (MS-52).
static void enter_host(struct batch *b, struct slice cluster, struct slice name)
{
    if (b->host && slice_eq_cstr(name, b->host->name) && slice_eq_cstr(cluster, b->host->cluster->name))
        return;
    leave_host(b);
    for (;;) {
        struct host *host = store_add_host(b->store, cluster, name);
        pthread_mutex_lock(&host->lock);
        if (!host->removed) {
            b->host = host;
            break;
        }
        pthread_mutex_unlock(&host->lock);
        host_unref(host);
    }
    b->default_matches = slice_eq_cstr(b->write->default_cluster, b->host->cluster->name);
    if (b->wal)
        log_begin(b);
}

static void store_sample(struct batch *b, struct group *group, uint32_t member, int64_t ts,
                         const struct series_value *value)
{
    struct series_env env = host_env(b->host, group);
    struct series *series = &group->members[member];
    int64_t slot = series_write(series, &env, ts, value);
    if (b->wal) {
        if (UNLIKELY(series->wal_number == 0))
            log_number_series(b, group->metric, series);
        wal_encoder_sample(b->samples, series->wal_number, ts, value);
        if (slot < b->host->dirty_from)
            b->host->dirty_from = slot;
    }
    b->result->stored++;
    b->lines_locked++;
}

static bool time_is_accepted(struct batch *b, int64_t ts, int64_t frequency_s)
{
    if (LIKELY(ts >= b->bounds.min && ts <= b->bounds.max))
        return true;
    bool old = ts < b->bounds.min;
    if (!old && ts <= store_time_bounds(b->store, b->write->now_s, frequency_s).max)
        return true;
    *(old ? &b->rejected_old : &b->rejected_future) += 1;
    return false;
}

// ---- predicted lines --------------------------------------------------------------------------------------

// As lineproto_scan_value_time, but keeps the decimal digits as an integer, which is what series store. At
// least LINEPROTO_SCAN_MARGIN bytes must be readable at p.
static ALWAYS_INLINE const char *scan_decimal_time(const char *p, struct series_value *ret_value,
                                                   int64_t *ret_ts)
{
    const uint64_t wanted = UINT64_C(0x3D65756C617620); // " value=", first byte lowest
    if (UNLIKELY((lineproto_load8(p) & UINT64_C(0xFFFFFFFFFFFFFF)) != wanted))
        return NULL;
    p += 7;
    bool negative = *p == '-';
    p += negative;
    ret_value->wide = 0;
    uint64_t mantissa = 0, ts = 0;
    unsigned fraction = 0;
    unsigned digits = lineproto_scan_number(&p, &mantissa);
    if (UNLIKELY(digits == 0 || digits > DECIMAL_DIGITS))
        return NULL;
    if (*p == '.') {
        p++;
        fraction = lineproto_scan_number(&p, &mantissa);
        if (UNLIKELY(fraction == 0 || digits + fraction > DECIMAL_DIGITS || fraction > BLOCK_MAX_SCALE))
            return NULL;
    }
    if (UNLIKELY(*p != ' ' || (negative && mantissa == 0))) // a negative zero keeps its sign in the log
        return NULL;
    p++;
    if (UNLIKELY(lineproto_scan_number(&p, &ts) == 0 || *p != '\n'))
        return NULL;
    ret_value->decimal = true;
    ret_value->m = negative ? -(int64_t)mantissa : (int64_t)mantissa;
    ret_value->scale = (uint8_t)fraction;
    *ret_ts = (int64_t)ts;
    return p + 1;
}

// The same near the end of the input, from a copy with room behind it.
static const char *scan_last_line(const char *p, const char *end, struct series_value *ret_value,
                                  int64_t *ret_ts)
{
    char copy[2 * LINEPROTO_SCAN_MARGIN] = {0};
    size_t left = MIN((size_t)(end - p), (size_t)LINEPROTO_SCAN_MARGIN);
    memcpy(copy, p, left);
    const char *next = scan_decimal_time(copy, ret_value, ret_ts);
    return next && (size_t)(next - copy) <= left ? p + (next - copy) : NULL;
}

static ALWAYS_INLINE struct series *series_of(const struct batch *b, const struct head *head)
{
    return &b->host->groups[head->group].members[head->member];
}

// Senders mostly go on in the order of their first batch, which is the order of the heads.
static ALWAYS_INLINE void prefetch_ahead(const struct batch *b, uint32_t head)
{
    if (head + 6 >= b->host->head_count)
        return;
    series_prefetch_value(series_of(b, &b->host->heads[head + 3]));
    __builtin_prefetch(series_of(b, &b->host->heads[head + 6]), 1);
}

// The head that followed the last one, if the line at p has it.
static ALWAYS_INLINE uint32_t predict(const struct batch *b, const char *p, const char *end)
{
    uint32_t guess = b->last == HEAD_NONE ? HEAD_NONE : b->host->heads[b->last].next;
    if (guess == HEAD_NONE)
        return HEAD_NONE;
    const struct head *head = &b->host->heads[guess];
    if (end - p <= head->len || p[head->len] != ' ' ||
        head_hash(slice_of(p, head->len), b->store->seed) != head->hash)
        return HEAD_NONE;
    return guess;
}

static void follow(struct batch *b, uint32_t head)
{
    if (b->last != HEAD_NONE)
        b->host->heads[b->last].next = head;
    b->last = head;
}

// Value and time of a line whose head is known, into its series. Returns what stands behind it, or NULL: an
// odd line.
static ALWAYS_INLINE const char *store_line(struct batch *b, const struct head *head, const char *p,
                                            const char *end)
{
    struct series_value value;
    int64_t ts;
    if (head->default_cluster && !b->default_matches)
        return NULL;
    p += head->len;
    p = LIKELY(end - p >= LINEPROTO_SCAN_MARGIN) ? scan_decimal_time(p, &value, &ts)
                                                 : scan_last_line(p, end, &value, &ts);
    if (!p)
        return NULL;
    if (UNLIKELY(ts >= SECONDS_LIMIT))
        ts = lineproto_guess_seconds(ts);
    struct group *group = &b->host->groups[head->group];
    if (time_is_accepted(b, ts, group->metric->frequency_s))
        store_sample(b, group, head->member, ts, &value);
    return p;
}

// Lines in an order that was not seen before. Each look-up waits for memory several times, so a number of
// lines is taken through the stages together.
#define WINDOW_LINES 16
struct window {
    const char *lines[WINDOW_LINES];
    uint64_t hashes[WINDOW_LINES];
    size_t lens[WINDOW_LINES];
    uint32_t heads[WINDOW_LINES];
    size_t count;
};

static void window_gather(struct window *w, const struct batch *b, const char *p, const char *end)
{
    const struct host *host = b->host;
    w->count = 0;
    while (p && p < end && w->count < WINDOW_LINES) {
        size_t len = lineproto_scan_head(p, end);
        if (len == 0)
            break;
        uint64_t hash = head_hash(slice_of(p, len), b->store->seed);
        if (host->slot_count)
            __builtin_prefetch(&host->head_slots[(uint32_t)hash & (host->slot_count - 1)]);
        w->lines[w->count] = p;
        w->lens[w->count] = len;
        w->hashes[w->count++] = hash;
        const char *newline = memchr(p + len, '\n', (size_t)(end - p) - len);
        p = newline ? newline + 1 : NULL;
    }
}

static void window_look_up(struct window *w, const struct batch *b)
{
    const struct host *host = b->host;
    for (size_t i = 0; i < w->count && host->slot_count; i++) {
        uint32_t slot = host->head_slots[(uint32_t)w->hashes[i] & (host->slot_count - 1)];
        if (slot)
            __builtin_prefetch(&host->heads[slot - 1]);
    }
    for (size_t i = 0; i < w->count; i++) {
        w->heads[i] = host_find_head(host, w->hashes[i], w->lens[i]);
        if (w->heads[i] != HEAD_NONE)
            __builtin_prefetch(series_of(b, &host->heads[w->heads[i]]), 1);
    }
    for (size_t i = 0; i < w->count; i++) {
        if (w->heads[i] != HEAD_NONE)
            series_prefetch_value(series_of(b, &host->heads[w->heads[i]]));
    }
}

// Stores the lines at p up to the first that is unknown or odd; returns where it stopped and counts the
// lines.
static const char *ingest_scattered(struct batch *b, const char *p, const char *end, int *lines)
{
    struct window w;
    window_gather(&w, b, p, end);
    window_look_up(&w, b);
    for (size_t i = 0; i < w.count && p == w.lines[i] && w.heads[i] != HEAD_NONE; i++) {
        const char *next = store_line(b, &b->host->heads[w.heads[i]], p, end);
        if (!next)
            break;
        follow(b, w.heads[i]);
        p = next;
        *lines += 1;
    }
    return p;
}

// Stores as many lines as are known, from the front of what is unread.
static void ingest_known(struct batch *b)
{
    struct slice rest = lineproto_unread(b->decoder);
    const char *p = rest.ptr, *end = rest.ptr + rest.len;
    int lines = 0;
    while (p < end && b->lines_locked < LINES_PER_LOCK) {
        uint32_t head = predict(b, p, end);
        const char *next = p;
        if (LIKELY(head != HEAD_NONE)) {
            prefetch_ahead(b, head);
            next = store_line(b, &b->host->heads[head], p, end);
            if (next) {
                b->last = head;
                lines++;
            }
        } else {
            next = ingest_scattered(b, p, end, &lines);
        }
        if (!next || next == p)
            break;
        p = next;
    }
    lineproto_advance(b->decoder, (size_t)(p - rest.ptr), lines);
}

// ---- other lines ------------------------------------------------------------------------------------------

static void name_insert(struct name_text *name, size_t at, struct slice text)
{
    if (name->len + text.len > sizeof(name->text)) {
        name->too_long = true;
        return;
    }
    memmove(name->text + at + text.len, name->text + at, name->len - at);
    memcpy(name->text + at, text.ptr, text.len);
    name->len += text.len;
}

// Repeated tags: types are put in front, ids behind (3.2 step 6).
static void read_tag(struct address *a, const struct lineproto_tag *tag)
{
    if (slice_eq_cstr(tag->key, "cluster")) {
        a->cluster = tag->value;
        a->has_cluster = true;
    } else if (slice_eq_cstr(tag->key, "hostname") || slice_eq_cstr(tag->key, "host")) {
        a->host = tag->value;
    } else if (slice_eq_cstr(tag->key, "type") && slice_eq_cstr(tag->value, "node")) {
        a->is_node = true;
    } else if (slice_eq_cstr(tag->key, "type")) {
        name_insert(&a->type, 0, tag->value);
        a->has_type = true;
    } else if (slice_eq_cstr(tag->key, "type-id")) {
        name_insert(&a->type, a->type.len, tag->value);
    } else if (slice_eq_cstr(tag->key, "stype")) {
        name_insert(&a->subtype, 0, tag->value);
    } else if (slice_eq_cstr(tag->key, "stype-id")) {
        name_insert(&a->subtype, a->subtype.len, tag->value);
    }
}

static bool leaves_directory(struct slice name)
{
    return slice_contains(name, SLICE_LITERAL("..")) || slice_find_byte(name, '/') >= 0 ||
           slice_find_byte(name, '\\') >= 0;
}

static int unknown_field(const struct lineproto_entry *entry, struct slice host,
                         const struct lineproto_field *field, struct error *err)
{
    static const char *const kinds[] = {"float", "integer", "unsigned integer", "boolean", "string"};
    return error_set_at(err, ERR_INVALID, entry->line, 0, "host %.*s: unknown field: '%.*s' (value: %s)",
                        SLICE_FMT(host), SLICE_FMT(field->key), kinds[field->value.kind]);
}

static int read_value(const struct lineproto_entry *entry, struct slice host, double *ret_value,
                      struct error *err)
{
    for (size_t i = 0; i < entry->field_count; i++) {
        const struct lineproto_field *field = &entry->fields[i];
        const struct lineproto_value *v = &field->value;
        if (!slice_eq_cstr(field->key, "value"))
            return unknown_field(entry, host, field, err);
        if (v->kind == LINEPROTO_FLOAT)
            *ret_value = v->f64;
        else if (v->kind == LINEPROTO_INT)
            *ret_value = (double)v->i64;
        else if (v->kind == LINEPROTO_UINT)
            *ret_value = (double)v->u64;
        else
            return error_set_at(err, ERR_INVALID, entry->line, 0,
                                "host %.*s: unsupported value type in message: %s", SLICE_FMT(host),
                                v->kind == LINEPROTO_BOOL ? "bool" : "string");
    }
    return 0;
}

static uint32_t add_level(struct batch *b, const struct address *a)
{
    struct slice type = slice_of(a->type.text, a->type.len);
    struct slice subtype = slice_of(a->subtype.text, a->subtype.len);
    uint32_t level = host_add_level(b->host, LEVEL_HOST, intern_add(b->store->names, type));
    return subtype.len ? host_add_level(b->host, level, intern_add(b->store->names, subtype)) : level;
}

// Remembers the head of a line that is stored, for the next batch.
static void learn(struct batch *b, const struct lineproto_entry *entry, const struct address *a,
                  const struct group *group, uint32_t member)
{
    struct head head = {.hash = head_hash(entry->head, b->store->seed),
                        .member = member,
                        .group = (uint16_t)(group - b->host->groups),
                        .len = (uint16_t)entry->head.len,
                        .default_cluster = !a->has_cluster};
    if (entry->head.len > UINT16_MAX)
        return;
    uint32_t number = host_find_head(b->host, head.hash, head.len);
    if (number == HEAD_NONE)
        number = host_add_head(b->host, &head);
    if (number != HEAD_NONE)
        follow(b, number);
}

static void store_entry(struct batch *b, const struct lineproto_entry *entry, const struct address *a,
                        double v)
{
    const struct metric *metric = store_find_metric(b->store, a->cluster, entry->measurement);
    if (!metric) { // configured for other clusters only
        b->result->skipped++;
        return;
    }
    int64_t ts = entry->has_timestamp ? lineproto_guess_seconds(entry->timestamp) : b->write->now_s;
    if (!time_is_accepted(b, ts, metric->frequency_s))
        return;
    bool on_host = a->type.len == 0;
    enter_host(b, a->cluster, a->host);
    uint32_t level = on_host ? LEVEL_HOST : add_level(b, a);
    struct group *group = host_add_group(b->host, metric);
    uint32_t member = host_add_member(b->host, group, level);
    struct series_value value = series_value_of(v);
    store_sample(b, group, member, ts, &value);
    learn(b, entry, a, group, member);
}

static int ingest_entry(struct batch *b, const struct lineproto_entry *entry, struct error *err)
{
    struct address a = {.cluster = b->write->default_cluster, .host = SLICE_EMPTY};
    double v = 0;
    for (size_t i = 0; i < entry->tag_count; i++)
        read_tag(&a, &entry->tags[i]);
    if (a.is_node && !a.has_type) // type=node: no selector, whatever the ids say (MS-11)
        a.type = a.subtype = (struct name_text){.len = 0};
    if (leaves_directory(a.cluster) || leaves_directory(a.host)) {
        b->rejected_name++;
        return 0;
    }
    int rc = read_value(entry, a.host, &v, err);
    if (rc)
        return rc;
    if (!host_name_is_usable(a.cluster) || !host_name_is_usable(a.host) || a.type.too_long ||
        a.subtype.too_long)
        b->rejected_name++;
    else
        store_entry(b, entry, &a, v);
    return 0;
}

// ---- a batch ----------------------------------------------------------------------------------------------

static bool is_wanted(void *ctx, struct slice measurement)
{
    struct batch *b = ctx;
    bool wanted = hashmap_has(b->store->metric_names, measurement);
    b->result->skipped += !wanted;
    return wanted;
}

static void note_error(struct batch *b, const struct error *err)
{
    b->rejected_syntax++;
    if (b->result->error_count++ == 0)
        b->result->first_error = *err;
}

static void ingest_lines(struct batch *b)
{
    struct lineproto_entry entry;
    for (;;) {
        struct error err = ERROR_INIT;
        if (b->host)
            ingest_known(b);
        if (b->lines_locked >= LINES_PER_LOCK)
            leave_host(b);
        int rc = lineproto_next(b->decoder, &entry, is_wanted, b, &err);
        if (rc == 0)
            break;
        if (rc > 0)
            rc = ingest_entry(b, &entry, &err);
        if (rc < 0)
            note_error(b, &err);
    }
    leave_host(b);
    if (lineproto_rest(b->decoder).len > 0) {
        struct error err = ERROR_INIT;
        ignore_result(error_set(&err, ERR_INVALID, "the body broke off within a line"));
        note_error(b, &err);
    }
}

static void count_batch(struct batch *b)
{
    struct store_counters *c = &b->store->counters;
    b->result->rejected = b->rejected_syntax + b->rejected_name + b->rejected_old + b->rejected_future;
    store_count(&c->stored, b->result->stored);
    store_count(&c->skipped, b->result->skipped);
    store_count(&c->rejected_syntax, b->rejected_syntax);
    store_count(&c->rejected_name, b->rejected_name);
    store_count(&c->rejected_old, b->rejected_old);
    store_count(&c->rejected_future, b->rejected_future);
    store_count(&c->batches, 1);
}

// Until the records are on disk, unless the caller waits for several batches at once.
static int commit_batch(struct batch *b)
{
    struct error err = b->log_error;
    int rc = err.code;
    if (rc == 0 && b->write->defer_commit)
        b->result->span = (struct store_span){.begin = b->span.begin, .end = b->span.end};
    else if (rc == 0)
        rc = wal_wait(b->wal, &b->span, &err);
    if (rc < 0) {
        b->result->first_error = err;
        b->result->error_count++;
    }
    return rc;
}

static void encoders_init(struct batch *b, struct wal_encoder encoders[2])
{
    b->definitions = &encoders[0];
    b->samples = &encoders[1];
    wal_encoder_init(b->definitions);
    wal_encoder_init(b->samples);
    store_admit(b->store); // before any lock is taken
    wal_admit(b->wal);
}

int store_ingest(struct store *store, const struct store_write *write, struct store_write_result *ret)
{
    struct wal_encoder encoders[2];
    struct batch b = {.store = store,
                      .wal = store->wal,
                      .write = write,
                      .result = ret,
                      .last = HEAD_NONE,
                      .decoder = lineproto_decoder_new(store->options.max_line_bytes),
                      .bounds = store_time_bounds(store, write->now_s, 0)};
    *ret = (struct store_write_result){.stored = 0};
    store_need_memory(store); // before any lock is taken, as below
    if (b.wal)
        encoders_init(&b, encoders);
    lineproto_decoder_reset(b.decoder, write->body, !write->truncated);
    ingest_lines(&b);
    lineproto_decoder_free(&b.decoder);
    count_batch(&b);
    int rc = ret->error_count ? ERR_INVALID : 0;
    if (!b.wal)
        return rc;
    wal_encoder_release(b.definitions);
    wal_encoder_release(b.samples);
    int commit_rc = commit_batch(&b);
    return commit_rc ? commit_rc : rc;
}

int store_commit(struct store *store, const struct store_span *span, struct error *err)
{
    struct wal_span wal_span = {.begin = span->begin, .end = span->end};
    return store->wal ? wal_wait(store->wal, &wal_span, err) : 0;
}

struct commit {
    struct wal_waiter waiter;
    store_committed_fn *done;
    void *ctx;
};

static void committed(struct wal_waiter *waiter)
{
    struct commit *commit = (struct commit *)(void *)((char *)waiter - offsetof(struct commit, waiter));
    commit->done(commit->ctx, waiter->rc, &waiter->err);
    mem_free(commit);
}

void store_commit_later(struct store *store, const struct store_span *span, store_committed_fn *done,
                        void *ctx)
{
    struct commit *commit = NEW(struct commit);
    *commit = (struct commit){.waiter = {.span = {.begin = span->begin, .end = span->end}, .done = committed},
                              .done = done,
                              .ctx = ctx};
    if (store->wal)
        wal_notify(store->wal, &commit->waiter);
    else
        committed(&commit->waiter);
}
