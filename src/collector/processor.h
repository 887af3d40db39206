// SPDX-License-Identifier: MIT
// Message processor: an ordered list of stages that drop, tag, rename and convert messages (spec messages.md
// 4). The router has one, and so has every sink, under the key "process_messages".
//
// All rules look at the name, tags and meta of a message only, so the result holds for every value of a
// series: it is computed once per series (router.h). For that reason the stages that touch fields
// (add_field_if, delete_field_if, move_*field*_if) are refused by name, as are conditions other than those of
// condition.h.
//
// Rules of one stage run in the order of the configuration (upstream: at random). Immutable after set-up,
// then any thread may apply it.
#ifndef COLLECTOR_PROCESSOR_H
#define COLLECTOR_PROCESSOR_H

#include "codec/json.h"
#include "collector/condition.h"
#include "model/message.h"

struct processor;

enum processor_stage {
    STAGE_DROP_BY_NAME,
    STAGE_DROP_BY_TYPE,
    STAGE_DROP_IF,
    STAGE_ADD_TAG,
    STAGE_DELETE_TAG,
    STAGE_MOVE_TAG_TO_META,
    STAGE_ADD_META,
    STAGE_DELETE_META,
    STAGE_MOVE_META_TO_TAG,
    STAGE_RENAME,
    STAGE_RENAME_IF,
    STAGE_CHANGE_PREFIX,
    STAGE_NORMALIZE,
    STAGE_COUNT
};

// Unit conversions of a series' values: one factor after the other, integers are truncated after each one.
#define CONVERSION_MAX 8
struct conversion {
    size_t count;
    double factors[CONVERSION_MAX];
};

// Converts in place. False when the result is not finite or, for an integer, out of range.
bool conversion_apply(const struct conversion *conversion, struct lineproto_value *value);

// 'config' is the object "process_messages" (NULL: no rules). Unknown keys are warnings in the log.
int processor_new(const struct json_value *config, struct processor **ret, struct error *err) MUST_CHECK;
void processor_free(struct processor **processor);

// Rules that other options stand for (collector.md 2.2, messages.md 6.1). They run behind the configured ones
// of the same stage, and at the very end when "stage_order" leaves their stage out. Texts are copied.
int processor_add_rule(struct processor *processor, enum processor_stage stage, struct slice condition,
                       struct slice key, struct slice value, struct error *err) MUST_CHECK;
void processor_add_drop(struct processor *processor, struct slice name);
void processor_add_rename(struct processor *processor, struct slice from, struct slice to);
void processor_add_prefix(struct processor *processor, struct slice name, struct slice prefix);
void processor_set_normalize(struct processor *processor);
// Tag 'key' = 'value' for messages that do not have it.
void processor_add_default_tag(struct processor *processor, struct slice key, struct slice value);

// Changes *msg: 1 go on with it, 0 it is to be dropped, negative: a rule failed. *conversion: appended to.
int processor_apply(const struct processor *processor, struct message *msg, struct conversion *conversion,
                    struct error *err) MUST_CHECK;

#endif
