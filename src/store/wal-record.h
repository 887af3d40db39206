// SPDX-License-Identifier: MIT
// Payload of one record of the log: what one batch changed at one host (docs/formats/store-log.md).
//
// Hosts have a number, and so have the series of a host, in order of first appearance; a definition says, once in each segment, what
// a number means. A sender that keeps the order of its lines therefore gives one run of consecutive numbers at one time: a
// header of a few bytes and the values, 3 to 4 bytes each (a short decimal is the zigzag varint of m with its scale, others
// are 4 or 8 bytes of IEEE 754). Values come back bit for bit.
//
//     record   u8 kind, varint host number, then items
//     HOST     cluster and host name          } definitions, before the samples
//     SERIES   first number, then metric and component path for each }
//     SAMPLES  runs: first series, count, time, values
//
// Encoding costs a few nanoseconds a sample: it runs under the lock of the host, in the path of every line.
#ifndef STORE_WAL_RECORD_H
#define STORE_WAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "store/series.h"

#define WAL_MAX_SERIES (UINT32_C(1) << 24) // numbers of a host are below this

// ---- encoding: one encoder a batch, used again for each of its hosts ----
struct wal_encoder {
    struct buf bytes; // of the record under way
    // the run under way
    uint32_t next_series; // number that would continue it
    int64_t ts;
    size_t run_at; // where its header begins; SIZE_MAX: none
    uint32_t run_count;
};

void wal_encoder_init(struct wal_encoder *e);
void wal_encoder_release(struct wal_encoder *e);
// Begins a record; what was there is forgotten.
void wal_encoder_begin(struct wal_encoder *e, uint32_t host);
void wal_encoder_define_host(struct wal_encoder *e, struct slice cluster, struct slice name);
// path: component and sub-component, depth 0 to 2.
void wal_encoder_define_series(struct wal_encoder *e, uint32_t series, struct slice metric,
                               const struct slice *path, size_t depth);
// Samples follow the definitions.
void wal_encoder_sample(struct wal_encoder *e, uint32_t series, int64_t ts, const struct series_value *value);
// Ends the record; valid until the next begin. Empty (len 0) when it holds nothing but its head.
struct slice wal_encoder_end(struct wal_encoder *e);

// ---- decoding ----
struct wal_decoder_ops {
    // Each returns 0 or a negative error, which ends the decoding.
    int (*host)(void *ctx, uint32_t host, struct slice cluster, struct slice name, struct error *err);
    int (*series)(void *ctx, uint32_t host, uint32_t series, struct slice metric, const struct slice *path,
                  size_t depth, struct error *err);
    int (*sample)(void *ctx, uint32_t host, uint32_t series, int64_t ts, const struct series_value *value,
                  struct error *err);
};
// Checks every length and number; ERR_CORRUPT names the place. Definitions and samples come in their order.
int wal_record_decode(struct slice record, const struct wal_decoder_ops *ops, void *ctx,
                      struct error *err) MUST_CHECK;

#endif
