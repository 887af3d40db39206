// SPDX-License-Identifier: MIT
// The router: between sources and sinks. Adds the host name, applies the rules of section "router" (spec
// collector.md 2), hands on to every sink.
//
//   source --router_declare(name, tags, meta)--> rules, once --> every sink prepares its line
//   source --router_deliver(values)-----------------------------> every sink appends prefix + number + time
//
// Rules see names, tags and meta only (processor.h), so a series that they drop costs nothing later. Any
// thread may call declare and deliver: one lock, held for the encoding only, never for I/O.
#ifndef COLLECTOR_ROUTER_H
#define COLLECTOR_ROUTER_H

#include "codec/json.h"
#include "codec/settings.h"
#include "collector/sample.h"
#include "collector/sink.h"
#include "model/message.h"

struct router_settings {
    bool interval_timestamp;
    int64_t num_cache_intervals;
    const char *hostname_tag;
    int64_t max_forward;
    const struct json_value *process_messages, *interval_aggregates, *add_tags, *delete_tags,
        *drop_metrics_if, *rename_metrics, *change_unit_prefix;
    struct setting_list drop_metrics;
    bool normalize_units;
};
extern const struct setting router_settings_table[];

// Decodes and checks section "router" without making anything of it.
int router_read_settings(const struct json_value *section, const char *origin, struct arena *arena,
                         struct router_settings *ret, struct error *err) MUST_CHECK;

struct router;

// Settings are borrowed for the call. Sinks are borrowed for the router's life.
int router_new(const struct router_settings *settings, const char *hostname, struct sink *const *sinks,
               size_t sink_count, struct router **ret, struct error *err) MUST_CHECK;
void router_free(struct router **router);

// *msg is moved: name, tags and meta of a new series, with a field "value" of its kind.
series_id router_declare(struct router *router, struct message **msg);
// Hands the samples to all sinks. With interval_timestamp they carry 'tick' instead of the time of their
// reading.
void router_deliver(struct router *router, const struct batch *batch, struct wall_time tick);
void router_flush(struct router *router); // a tick is complete

struct router_stats {
    uint64_t series;         // declared
    uint64_t dropped_series; // by rules
    uint64_t invalid_series; // a rule failed
    uint64_t samples;        // delivered to the sinks, dropped ones not counted
};
struct router_stats router_read_stats(struct router *router);

#endif
