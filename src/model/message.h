// SPDX-License-Identifier: MIT
// The message that collectors, router and sinks of the node agent pass on: name, tags, meta, fields, time
// (spec messages.md 1). Texts live in the message's own memory.
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/lineproto.h"

struct message;

struct message *message_new(struct slice name, struct wall_time time);
struct message *message_copy(const struct message *msg);
void message_free(struct message **msg);
struct slice message_name(const struct message *msg);
void message_set_name(struct message *msg, struct slice name);
struct wall_time message_time(const struct message *msg);
void message_set_time(struct message *msg, struct wall_time time);
// Tags and meta are kept sorted by key; setting an existing key replaces its value.
void message_set_tag(struct message *msg, struct slice key, struct slice value);
bool message_tag(const struct message *msg, struct slice key, struct slice *ret_value);
bool message_remove_tag(struct message *msg, struct slice key);
size_t message_tag_count(const struct message *msg);
void message_tag_at(const struct message *msg, size_t index, struct slice *ret_key, struct slice *ret_value);
void message_set_meta(struct message *msg, struct slice key, struct slice value);
bool message_meta(const struct message *msg, struct slice key, struct slice *ret_value);
bool message_remove_meta(struct message *msg, struct slice key);
size_t message_meta_count(const struct message *msg);
void message_meta_at(const struct message *msg, size_t index, struct slice *ret_key, struct slice *ret_value);
void message_set_field(struct message *msg, struct slice key, struct lineproto_value value); // text is copied
bool message_field(const struct message *msg, struct slice key, struct lineproto_value *ret_value);
size_t message_field_count(const struct message *msg);
void message_field_at(const struct message *msg, size_t index, struct slice *ret_key,
                      struct lineproto_value *ret);
// Shorthands for the one field "value".
struct message *message_metric_f64(struct slice name, double value, struct wall_time time);
struct message *message_metric_i64(struct slice name, int64_t value, struct wall_time time);
struct message *message_metric_u64(struct slice name, uint64_t value, struct wall_time time);

enum time_precision { PRECISION_S, PRECISION_MS, PRECISION_US, PRECISION_NS };
bool time_precision_from_name(struct slice name, enum time_precision *ret); // "s" "ms" "us" "ns"
// One line of line protocol (encoder A). The meta keys listed in meta_as_tags are written as tags.
int message_encode_line(const struct message *msg, enum time_precision precision,
                        const char *const *meta_as_tags, size_t meta_as_tag_count, struct buf *out,
                        struct error *err) MUST_CHECK;

#endif
