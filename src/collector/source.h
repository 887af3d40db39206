// SPDX-License-Identifier: MIT
// A metric source ("collector" in the configuration): reads one thing of the machine at every tick. A source
// is one file in sources/ that ends in one struct source_ops.
//
// All paths are below env->root, so that a captured tree can stand for the machine. Pure parsers are in
// procfs.h; a source is the thin edge around them: it opens files at init, declares its series there (names,
// tags and unit go through the rules once) and puts values into the batch at every read. init and read of one
// source never run at the same time, but possibly in different threads.
#ifndef COLLECTOR_SOURCE_H
#define COLLECTOR_SOURCE_H

#include "codec/settings.h"
#include "collector/router.h"
#include "collector/sample.h"

struct source_ops;
struct agent_stats;

struct source_env {   // borrowed by the source for its life
    const char *root; // "" is the real machine
    const struct source_ops *ops;
    struct router *router;
    int64_t clock_ticks_per_s;                               // unit of /proc/stat
    void (*agent_stats)(void *ctx, struct agent_stats *ret); // may be NULL
    void *agent_ctx;
};

struct reading {
    struct mono_time mono; // when this read began: rates use it
    struct wall_time wall;
    struct buf *scratch; // for file contents, empty, shared by the sources of a thread
    struct batch *batch; // time is set
};

struct source_ops {
    const char *key;        // in section "collectors"
    const char *class_name; // meta "source"
    const char *group;      // meta "group"
    const struct setting *settings;
    size_t options_size;
    // 'first' is where differences start from; its batch is NULL. Options and env live as long as the source.
    // ERR_INVALID means that trying again later cannot help.
    int (*init)(const void *options, const struct source_env *env, const struct reading *first,
                void **ret_state, struct error *err);
    // An error means that nothing of this read is to be used.
    int (*read)(void *state, const struct reading *reading, struct error *err);
    void (*close)(void *state);
};

struct source_tag {
    const char *key, *value;
};

// A new series of metric 'name'. Tags end with key NULL. unit: meta information, or NULL.
series_id source_declare(const struct source_env *env, const char *name, const struct source_tag *tags,
                         const char *unit, enum lineproto_kind kind);
extern const struct source_tag source_tags_node[]; // type=node

bool source_list_has(const struct setting_list *list, const char *text);

// What "self" can tell about the agent.
struct agent_stats {
    uint64_t ticks, skipped_ticks, skipped_reads, failed_reads;
    uint64_t samples, sent_messages, dropped_messages, rejected_messages, queued_messages, retried_batches,
        failed_batches;
};

#endif
