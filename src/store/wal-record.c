// SPDX-License-Identifier: MIT
// Items begin with a byte that tells their kind:
//
//     1tsccccc   a run of c samples (1 to 31); s: the distance of its first series follows, t: that of its time
//     00100000   the run goes on: u16 count
//     000100dd   SERIES at depth dd: number's distance, names of metric and components
//     00000001   HOST: names of cluster and host
//
// Distances are zigzag varints, from what would have come next. A name is the varint 0 with length and bytes, or 1 + the number of
// an earlier one in the record.
#include "store/wal-record.h"

#include "base/mem.h"

#define ITEM_HOST      0x01u
#define ITEM_SERIES    0x10u
#define ITEM_LONG_RUN  0x20u
#define ITEM_RUN       0x80u
#define RUN_HAS_SERIES 0x20u
#define RUN_HAS_TIME   0x40u
#define RUN_COUNT      0x1Fu // mask and maximum
#define DEPTH_MASK     0x03u
#define LONG_RUN_COUNT UINT16_MAX
#define RECORD_KIND    1
#define ROOM_BYTES     ((size_t)64) // more than any item without names takes
#define FIRST_BYTES    ((size_t)2048)

// ---- encoding ---------------------------------------------------------------------------------------------

void wal_encoder_init(struct wal_encoder *e)
{
    *e = (struct wal_encoder){.run_left = 0};
    buf_init(&e->bytes, WAL_RECORD_MAX_BYTES);
}

void wal_encoder_release(struct wal_encoder *e)
{
    buf_release(&e->bytes);
    e->at = e->limit = NULL;
}

// Room for 'len' bytes and any item. Without it the record has failed, and what follows goes over what is there.
static bool ensure_room(struct wal_encoder *e, size_t len)
{
    e->bytes.len = (size_t)(e->at - e->bytes.ptr);
    e->at = buf_reserve(&e->bytes, len + ROOM_BYTES);
    if (UNLIKELY(!e->at)) {
        e->at = e->bytes.ptr;
        return false;
    }
    e->limit = e->bytes.ptr + e->bytes.cap - ROOM_BYTES;
    return true;
}

static char *put_distance(char *at, uint64_t value, uint64_t expected)
{
    return wal_put_varint(at, wal_zigzag((int64_t)(value - expected)));
}

void wal_encoder_begin(struct wal_encoder *e, uint32_t host)
{
    buf_clear(&e->bytes);
    e->at = buf_reserve(&e->bytes, FIRST_BYTES);
    ASSERT(e->at); // memory is out
    e->limit = e->bytes.ptr + e->bytes.cap - ROOM_BYTES;
    *e->at++ = RECORD_KIND;
    e->at = wal_put_varint(e->at, host);
    e->head_len = (size_t)(e->at - e->bytes.ptr);
    e->ts = 0;
    e->next_series = e->run_left = e->run_size = 0;
    e->next_definition = 0;
    if (e->name_count)
        memset(e->names, 0, sizeof(e->names));
    e->name_count = 0;
}

// Enters the count of the run under way.
static void end_run(struct wal_encoder *e)
{
    uint32_t count = e->run_size - e->run_left;
    char *head = e->bytes.ptr + e->run_at;
    if (e->run_size == LONG_RUN_COUNT) {
        head[1] = (char)(count & 0xFF);
        head[2] = (char)(count >> 8);
    } else if (e->run_size) {
        *head = (char)((uint8_t)*head | count);
    }
    e->run_left = e->run_size = 0;
}

static void put_name(struct wal_encoder *e, struct slice name)
{
    ASSERT(name.len > 0 && name.len <= WAL_MAX_NAME_BYTES);
    if (!ensure_room(e, name.len))
        return;
    size_t slot = slice_hash(name) % WAL_ENCODER_NAMES;
    if (slice_eq(slice_of(e->bytes.ptr + e->names[slot].offset, e->names[slot].len), name)) {
        e->at = wal_put_varint(e->at, (uint64_t)e->names[slot].number + 1);
        return;
    }
    e->at = wal_put_varint(e->at, 0);
    e->at = wal_put_varint(e->at, name.len);
    e->names[slot].offset = (uint32_t)(e->at - e->bytes.ptr);
    e->names[slot].len = (uint32_t)name.len;
    e->names[slot].number = e->name_count++;
    memcpy(e->at, name.ptr, name.len);
    e->at += name.len;
}

void wal_encoder_define_host(struct wal_encoder *e, struct slice cluster, struct slice name)
{
    end_run(e);
    ensure_room(e, 0);
    *e->at++ = ITEM_HOST;
    put_name(e, cluster);
    put_name(e, name);
}

void wal_encoder_define_series(struct wal_encoder *e, uint32_t series, struct slice metric,
                               const struct slice *path, size_t depth)
{
    ASSERT(series < WAL_MAX_SERIES && depth <= WAL_MAX_DEPTH);
    end_run(e);
    ensure_room(e, 0);
    *e->at++ = (char)(ITEM_SERIES | depth);
    e->at = put_distance(e->at, series, e->next_definition);
    e->next_definition = series + 1;
    put_name(e, metric);
    for (size_t i = 0; i < depth; i++)
        put_name(e, path[i]);
}

void wal_encoder_begin_run(struct wal_encoder *e, uint32_t series, int64_t ts)
{
    bool in_order = series == e->next_series && ts == e->ts;
    if (e->at > e->limit)
        ensure_room(e, 0);
    if (in_order && e->run_left)
        return;
    bool goes_on = in_order && e->run_size;
    end_run(e);
    e->run_at = (size_t)(e->at - e->bytes.ptr);
    e->run_size = e->run_left = goes_on ? LONG_RUN_COUNT : RUN_COUNT;
    if (goes_on) {
        memcpy(e->at, (char[]){ITEM_LONG_RUN, 0, 0}, 3);
        e->at += 3;
        return;
    }
    unsigned has_series = series != e->next_series ? RUN_HAS_SERIES : 0;
    unsigned has_time = ts != e->ts ? RUN_HAS_TIME : 0;
    *e->at++ = (char)(ITEM_RUN | has_series | has_time);
    if (has_series)
        e->at = put_distance(e->at, series, e->next_series);
    if (has_time)
        e->at = put_distance(e->at, (uint64_t)ts, (uint64_t)e->ts);
    e->ts = ts;
}

// What is no short decimal, and negative zero: read as a decimal it is a zero without sign.
char *wal_put_plain(char *at, const struct series_value *value)
{
    bool large = value->decimal && value->m != 0;
    double v = large ? (double)value->m / block_power_of_ten(value->scale) : value->wide;
    float narrow = (float)v;
    double widened = (double)narrow;
    if (memcmp(&widened, &v, sizeof(v)) == 0) {
        at = wal_put_varint(at, WAL_CODE_FLOAT);
        memcpy(at, &narrow, sizeof(narrow));
        return at + sizeof(narrow);
    }
    at = wal_put_varint(at, WAL_CODE_DOUBLE);
    memcpy(at, &v, sizeof(v));
    return at + sizeof(v);
}

struct slice wal_encoder_end(struct wal_encoder *e)
{
    end_run(e);
    if (buf_failed(&e->bytes))
        return slice_of("", WAL_RECORD_MAX_BYTES + 1);
    e->bytes.len = (size_t)(e->at - e->bytes.ptr);
    if (e->bytes.len == e->head_len)
        return SLICE_EMPTY;
    return buf_slice(&e->bytes);
}

// ---- decoding ---------------------------------------------------------------------------------------------

struct decoder {
    const struct wal_decoder_ops *ops;
    void *ctx;
    const char *begin, *at, *end;
    uint32_t host;
    uint32_t next_definition;
    uint32_t next_series;
    int64_t ts;
    struct slice *names;
    size_t name_count, name_cap;
    struct series_value values[WAL_RUN_VALUES];
};

static int corrupt(const struct decoder *d, const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "record of host %u: bad %s at byte %zu", (unsigned)d->host, what,
                     (size_t)(d->at - d->begin));
}

static uint64_t load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

// At least WAL_VARINT_BYTES are readable.
static ALWAYS_INLINE const char *get_varint_fast(const char *at, uint64_t *ret)
{
    uint64_t word = load8(at);
    if (UNLIKELY((word & 0xFF) == 0)) {
        *ret = load8(at + 1);
        return at + WAL_VARINT_BYTES;
    }
    unsigned n = (unsigned)__builtin_ctzll(word) + 1;
    *ret = word << (64 - 8 * n) >> (64 - 7 * n);
    return at + n;
}

// NULL: cut off.
static const char *get_varint(const char *at, const char *end, uint64_t *ret)
{
    if (LIKELY(end - at >= WAL_VARINT_BYTES))
        return get_varint_fast(at, ret);
    char copy[WAL_VARINT_BYTES] = {0};
    size_t left = (size_t)(end - at);
    if (left == 0)
        return NULL;
    memcpy(copy, at, left);
    size_t used = (size_t)(get_varint_fast(copy, ret) - copy);
    return used <= left ? at + used : NULL;
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static int next_varint(struct decoder *d, const char *what, uint64_t max, uint64_t *ret, struct error *err)
{
    const char *next = get_varint(d->at, d->end, ret);
    if (!next || *ret > max)
        return corrupt(d, what, err);
    d->at = next;
    return 0;
}

// A number of a series: its distance from the one that would have come next.
static int next_number(struct decoder *d, uint32_t expected, uint32_t *ret, struct error *err)
{
    uint64_t distance = 0;
    int rc = next_varint(d, "series number", UINT64_MAX, &distance, err);
    if (rc < 0)
        return rc;
    uint64_t number = expected + (uint64_t)unzigzag(distance);
    if (number >= WAL_MAX_SERIES)
        return corrupt(d, "series number", err);
    *ret = (uint32_t)number;
    return 0;
}

static int next_name(struct decoder *d, struct slice *ret, struct error *err)
{
    uint64_t code = 0, len = 0;
    int rc = next_varint(d, "name", d->name_count, &code, err);
    if (rc < 0)
        return rc;
    if (code > 0) {
        *ret = d->names[code - 1];
        return 0;
    }
    rc = next_varint(d, "length of a name", MIN(WAL_MAX_NAME_BYTES, (uint64_t)(d->end - d->at)), &len, err);
    if (rc < 0)
        return rc;
    if (len == 0 || len > (uint64_t)(d->end - d->at))
        return corrupt(d, "length of a name", err);
    *ret = slice_of(d->at, (size_t)len);
    d->at += len;
    ENSURE_CAPACITY(d->names, d->name_cap, d->name_count + 1);
    d->names[d->name_count++] = *ret;
    return 0;
}

static int decode_host(struct decoder *d, struct error *err)
{
    struct slice cluster, name;
    int rc = next_name(d, &cluster, err);
    if (rc == 0)
        rc = next_name(d, &name, err);
    return rc < 0 ? rc : d->ops->host(d->ctx, d->host, cluster, name, err);
}

static int decode_series(struct decoder *d, size_t depth, struct error *err)
{
    struct slice metric, path[WAL_MAX_DEPTH];
    uint32_t number;
    if (depth > WAL_MAX_DEPTH)
        return corrupt(d, "depth", err);
    int rc = next_number(d, d->next_definition, &number, err);
    if (rc == 0)
        rc = next_name(d, &metric, err);
    for (size_t i = 0; rc == 0 && i < depth; i++)
        rc = next_name(d, &path[i], err);
    if (rc < 0)
        return rc;
    d->next_definition = number + 1;
    return d->ops->series(d->ctx, d->host, number, metric, path, depth, err);
}

// NULL: no value.
static const char *get_plain(const char *at, const char *end, uint64_t code, struct series_value *ret)
{
    if (code == WAL_CODE_FLOAT && (size_t)(end - at) >= sizeof(float)) {
        float narrow;
        memcpy(&narrow, at, sizeof(narrow));
        *ret = (struct series_value){.wide = (double)narrow};
        at += sizeof(narrow);
    } else if (code == WAL_CODE_DOUBLE && (size_t)(end - at) >= sizeof(double)) {
        *ret = (struct series_value){.decimal = false};
        memcpy(&ret->wide, at, sizeof(ret->wide));
        at += sizeof(ret->wide);
    } else {
        return NULL;
    }
    ret->decimal = ret->wide == 0; // as series_value_of has it
    return at;
}

// Decodes 'count' values from 'at'; NULL: bad.
static const char *get_values(const char *at, const char *end, struct series_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t code;
        at = get_varint(at, end, &code);
        if (UNLIKELY(!at))
            return NULL;
        unsigned scale = code & 0xF;
        if (LIKELY(scale <= BLOCK_MAX_SCALE && code >> 4 <= WAL_MAX_ZIGZAG))
            values[i] =
                (struct series_value){.m = unzigzag(code >> 4), .scale = (uint8_t)scale, .decimal = true};
        else if (!(at = get_plain(at, end, code, &values[i])))
            return NULL;
    }
    return at;
}

static int decode_values(struct decoder *d, size_t count, struct error *err)
{
    if (count == 0 || count > (size_t)(d->end - d->at) || count > WAL_MAX_SERIES - d->next_series)
        return corrupt(d, "count of values", err);
    while (count) {
        size_t part = MIN(count, (size_t)WAL_RUN_VALUES);
        const char *next = get_values(d->at, d->end, d->values, part);
        if (!next)
            return corrupt(d, "value in the run", err);
        d->at = next;
        int rc = d->ops->samples(d->ctx, d->host, d->next_series, d->ts, d->values, part, err);
        if (rc < 0)
            return rc;
        d->next_series += (uint32_t)part;
        count -= part;
    }
    return 0;
}

static int decode_run(struct decoder *d, unsigned head, struct error *err)
{
    uint64_t distance = 0;
    int rc = 0;
    if (head & RUN_HAS_SERIES)
        rc = next_number(d, d->next_series, &d->next_series, err);
    if (rc == 0 && head & RUN_HAS_TIME)
        rc = next_varint(d, "time", UINT64_MAX, &distance, err);
    if (rc < 0)
        return rc;
    d->ts = (int64_t)((uint64_t)d->ts + (uint64_t)unzigzag(distance));
    return decode_values(d, head & RUN_COUNT, err);
}

static int decode_long_run(struct decoder *d, struct error *err)
{
    if (d->end - d->at < 2)
        return corrupt(d, "count of values", err);
    size_t count = (uint8_t)d->at[0] | (size_t)(uint8_t)d->at[1] << 8;
    d->at += 2;
    return decode_values(d, count, err);
}

static int decode_item(struct decoder *d, struct error *err)
{
    unsigned item = (uint8_t)*d->at;
    if (!(item & ITEM_RUN) && item != ITEM_LONG_RUN && item != ITEM_HOST &&
        (item & ~DEPTH_MASK) != ITEM_SERIES)
        return corrupt(d, "kind of item", err);
    d->at++;
    if (item & ITEM_RUN)
        return decode_run(d, item, err);
    if (item == ITEM_LONG_RUN)
        return decode_long_run(d, err);
    return item == ITEM_HOST ? decode_host(d, err) : decode_series(d, item & DEPTH_MASK, err);
}

static int decode_items(struct decoder *d, struct error *err)
{
    uint64_t host;
    if (d->at == d->end || *d->at != RECORD_KIND)
        return corrupt(d, "kind of record", err);
    d->at++;
    int rc = next_varint(d, "host number", UINT32_MAX, &host, err);
    if (rc < 0)
        return rc;
    d->host = (uint32_t)host;
    while (rc == 0 && d->at < d->end)
        rc = decode_item(d, err);
    return rc;
}

int wal_record_decode(struct slice record, const struct wal_decoder_ops *ops, void *ctx, struct error *err)
{
    struct decoder d; // the values need no zeros
    d.ops = ops;
    d.ctx = ctx;
    d.begin = d.at = record.ptr;
    d.end = record.ptr + record.len;
    d.host = d.next_definition = d.next_series = 0;
    d.ts = 0;
    d.names = NULL;
    d.name_count = d.name_cap = 0;
    int rc = decode_items(&d, err);
    mem_free(d.names);
    return rc;
}
