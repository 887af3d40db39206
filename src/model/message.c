// SPDX-License-Identifier: MIT
#include "model/message.h"

#include "base/mem.h"

// Most messages have up to six tags, two meta entries and one field: all of it then lies in the message
// itself, one allocation in all. What is replaced or removed stays behind until the message goes; messages
// live short.
#define PAIRS_INSIDE  8
#define FIELDS_INSIDE 2
#define TEXT_INSIDE   384
#define TEXT_BLOCK    1024

struct pairs {
    struct lineproto_tag *items; // sorted by key
    size_t count, cap;
    struct lineproto_tag inside[PAIRS_INSIDE];
};

struct text_block {
    struct text_block *next;
    char bytes[];
};

struct message {
    struct slice name;
    struct wall_time time;
    struct pairs tags, meta;
    struct lineproto_field *fields; // sorted by key
    size_t field_count, field_cap;
    struct lineproto_field fields_inside[FIELDS_INSIDE];
    struct text_block *blocks; // beyond text_inside; the current one first
    char *text;                // where the next text goes
    size_t text_left;
    char text_inside[TEXT_INSIDE];
};

// ---- memory -----------------------------------------------------------------------------------------------

static struct slice keep_text(struct message *msg, struct slice s)
{
    if (s.len > msg->text_left) {
        size_t size = MAX(s.len, (size_t)TEXT_BLOCK);
        struct text_block *block = mem_alloc(sizeof(*block) + size);
        block->next = msg->blocks;
        msg->blocks = block;
        msg->text = block->bytes;
        msg->text_left = size;
    }
    struct slice kept = slice_of(msg->text, s.len);
    if (s.len)
        memcpy(msg->text, s.ptr, s.len);
    msg->text += s.len;
    msg->text_left -= s.len;
    return kept;
}

struct message *message_new(struct slice name, struct wall_time time)
{
    struct message *msg = NEW(struct message);
    msg->time = time;
    msg->tags.items = msg->tags.inside;
    msg->meta.items = msg->meta.inside;
    msg->tags.cap = msg->meta.cap = PAIRS_INSIDE;
    msg->fields = msg->fields_inside;
    msg->field_cap = FIELDS_INSIDE;
    msg->text = msg->text_inside;
    msg->text_left = TEXT_INSIDE;
    msg->name = keep_text(msg, name);
    return msg;
}

static void pairs_release(struct pairs *pairs)
{
    if (pairs->items != pairs->inside)
        mem_free(pairs->items);
}

void message_free(struct message **msg)
{
    struct message *m = *msg;
    if (!m)
        return;
    while (m->blocks) {
        struct text_block *next = m->blocks->next;
        mem_free(m->blocks);
        m->blocks = next;
    }
    pairs_release(&m->tags);
    pairs_release(&m->meta);
    if (m->fields != m->fields_inside)
        mem_free(m->fields);
    mem_free(m);
    *msg = NULL;
}

struct message *message_copy(const struct message *msg)
{
    struct message *copy = message_new(msg->name, msg->time);
    for (size_t i = 0; i < msg->tags.count; i++)
        message_set_tag(copy, msg->tags.items[i].key, msg->tags.items[i].value);
    for (size_t i = 0; i < msg->meta.count; i++)
        message_set_meta(copy, msg->meta.items[i].key, msg->meta.items[i].value);
    for (size_t i = 0; i < msg->field_count; i++)
        message_set_field(copy, msg->fields[i].key, msg->fields[i].value);
    return copy;
}

// ---- sorted pairs -----------------------------------------------------------------------------------------

// Where the key is, or where it belongs. Keys mostly come in order, so from behind.
static size_t pairs_place(const struct pairs *pairs, struct slice key, bool *ret_found)
{
    size_t place = pairs->count;
    int order = 1;
    while (place > 0 && (order = slice_cmp(key, pairs->items[place - 1].key)) < 0)
        place--;
    *ret_found = place > 0 && order == 0;
    return *ret_found ? place - 1 : place;
}

// Twice as many as 'count', moved out of the message when they lay inside.
static void *grow(const void *items, const void *inside, size_t count, size_t item_size)
{
    if (items != inside)
        return mem_grow_array((void *)(uintptr_t)items, count, 2 * count, item_size);
    void *bigger = mem_alloc_array(2 * count, item_size);
    memcpy(bigger, items, count * item_size);
    return bigger;
}

static void pairs_set(struct message *msg, struct pairs *pairs, struct slice key, struct slice value)
{
    bool found;
    size_t place = pairs_place(pairs, key, &found);
    if (found) {
        if (!slice_eq(pairs->items[place].value, value))
            pairs->items[place].value = keep_text(msg, value);
        return;
    }
    if (pairs->count == pairs->cap) {
        pairs->items = grow(pairs->items, pairs->inside, pairs->cap, sizeof(*pairs->items));
        pairs->cap *= 2;
    }
    memmove(pairs->items + place + 1, pairs->items + place, (pairs->count - place) * sizeof(*pairs->items));
    pairs->items[place] = (struct lineproto_tag){keep_text(msg, key), keep_text(msg, value)};
    pairs->count++;
}

static bool pairs_get(const struct pairs *pairs, struct slice key, struct slice *ret_value)
{
    bool found;
    size_t place = pairs_place(pairs, key, &found);
    if (found && ret_value)
        *ret_value = pairs->items[place].value;
    return found;
}

static bool pairs_remove(struct pairs *pairs, struct slice key)
{
    bool found;
    size_t place = pairs_place(pairs, key, &found);
    if (found) {
        pairs->count--;
        memmove(pairs->items + place, pairs->items + place + 1,
                (pairs->count - place) * sizeof(*pairs->items));
    }
    return found;
}

static void pairs_at(const struct pairs *pairs, size_t index, struct slice *ret_key, struct slice *ret_value)
{
    ASSERT(index < pairs->count);
    *ret_key = pairs->items[index].key;
    *ret_value = pairs->items[index].value;
}

// ---- access -----------------------------------------------------------------------------------------------

struct slice message_name(const struct message *msg)
{
    return msg->name;
}

void message_set_name(struct message *msg, struct slice name)
{
    msg->name = keep_text(msg, name);
}

struct wall_time message_time(const struct message *msg)
{
    return msg->time;
}

void message_set_time(struct message *msg, struct wall_time time)
{
    msg->time = time;
}

void message_set_tag(struct message *msg, struct slice key, struct slice value)
{
    pairs_set(msg, &msg->tags, key, value);
}

bool message_tag(const struct message *msg, struct slice key, struct slice *ret_value)
{
    return pairs_get(&msg->tags, key, ret_value);
}

bool message_remove_tag(struct message *msg, struct slice key)
{
    return pairs_remove(&msg->tags, key);
}

size_t message_tag_count(const struct message *msg)
{
    return msg->tags.count;
}

void message_tag_at(const struct message *msg, size_t index, struct slice *ret_key, struct slice *ret_value)
{
    pairs_at(&msg->tags, index, ret_key, ret_value);
}

void message_set_meta(struct message *msg, struct slice key, struct slice value)
{
    pairs_set(msg, &msg->meta, key, value);
}

bool message_meta(const struct message *msg, struct slice key, struct slice *ret_value)
{
    return pairs_get(&msg->meta, key, ret_value);
}

bool message_remove_meta(struct message *msg, struct slice key)
{
    return pairs_remove(&msg->meta, key);
}

size_t message_meta_count(const struct message *msg)
{
    return msg->meta.count;
}

void message_meta_at(const struct message *msg, size_t index, struct slice *ret_key, struct slice *ret_value)
{
    pairs_at(&msg->meta, index, ret_key, ret_value);
}

// ---- fields -----------------------------------------------------------------------------------------------

static size_t field_place(const struct message *msg, struct slice key, bool *ret_found)
{
    size_t place = 0;
    int order = 1;
    while (place < msg->field_count && (order = slice_cmp(msg->fields[place].key, key)) < 0)
        place++;
    *ret_found = place < msg->field_count && order == 0;
    return place;
}

void message_set_field(struct message *msg, struct slice key, struct lineproto_value value)
{
    if (value.kind == LINEPROTO_STRING)
        value.string = keep_text(msg, value.string);
    bool found;
    size_t place = field_place(msg, key, &found);
    if (found) {
        msg->fields[place].value = value;
        return;
    }
    if (msg->field_count == msg->field_cap) {
        msg->fields = grow(msg->fields, msg->fields_inside, msg->field_cap, sizeof(*msg->fields));
        msg->field_cap *= 2;
    }
    memmove(msg->fields + place + 1, msg->fields + place, (msg->field_count - place) * sizeof(*msg->fields));
    msg->fields[place] = (struct lineproto_field){keep_text(msg, key), value};
    msg->field_count++;
}

bool message_field(const struct message *msg, struct slice key, struct lineproto_value *ret_value)
{
    bool found;
    size_t place = field_place(msg, key, &found);
    if (found && ret_value)
        *ret_value = msg->fields[place].value;
    return found;
}

size_t message_field_count(const struct message *msg)
{
    return msg->field_count;
}

void message_field_at(const struct message *msg, size_t index, struct slice *ret_key,
                      struct lineproto_value *ret)
{
    ASSERT(index < msg->field_count);
    *ret_key = msg->fields[index].key;
    *ret = msg->fields[index].value;
}

static struct message *metric(struct slice name, struct lineproto_value value, struct wall_time time)
{
    struct message *msg = message_new(name, time);
    message_set_field(msg, SLICE_LITERAL("value"), value);
    return msg;
}

struct message *message_metric_f64(struct slice name, double value, struct wall_time time)
{
    return metric(name, (struct lineproto_value){.kind = LINEPROTO_FLOAT, .f64 = value}, time);
}

struct message *message_metric_i64(struct slice name, int64_t value, struct wall_time time)
{
    return metric(name, (struct lineproto_value){.kind = LINEPROTO_INT, .i64 = value}, time);
}

struct message *message_metric_u64(struct slice name, uint64_t value, struct wall_time time)
{
    return metric(name, (struct lineproto_value){.kind = LINEPROTO_UINT, .u64 = value}, time);
}

// ---- encoding ---------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    int64_t ns;
} precisions[] = {[PRECISION_S] = {"s", 1000000000},
                  [PRECISION_MS] = {"ms", 1000000},
                  [PRECISION_US] = {"us", 1000},
                  [PRECISION_NS] = {"ns", 1}};

bool time_precision_from_name(struct slice name, enum time_precision *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(precisions); i++) {
        if (!slice_eq_cstr(name, precisions[i].name))
            continue;
        *ret = (enum time_precision)i;
        return true;
    }
    return false;
}

int message_encode_line(const struct message *msg, enum time_precision precision,
                        const char *const *meta_as_tags, size_t meta_as_tag_count, struct buf *out,
                        struct error *err)
{
    int64_t timestamp = msg->time.ns / precisions[precision].ns; // towards zero, as messages.md 2.2 says
    struct message *moved = NULL;
    for (size_t i = 0; i < meta_as_tag_count; i++) {
        struct slice key = slice_from_cstr(meta_as_tags[i]), value = SLICE_EMPTY;
        if (!message_meta(msg, key, &value))
            continue;
        if (!moved)
            moved = message_copy(msg);
        message_set_tag(moved, key, value);
    }
    const struct message *m = moved ? moved : msg;
    int rc = lineproto_encode(out, m->name, m->tags.items, m->tags.count, m->fields, m->field_count,
                              timestamp, err);
    message_free(&moved);
    return rc;
}
