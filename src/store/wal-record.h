// SPDX-License-Identifier: MIT
// Payload of one record of the log: what one batch changed at one host (docs/formats/store-log.md).
//
// Hosts have a number, and so have the series of a host, in order of first appearance; a definition says, once in each segment, what
// a number means. A sender that keeps the order of its lines therefore gives one run of consecutive numbers at one time: a
// header of a few bytes and the values, 3 to 4 bytes each (a short decimal is the zigzag varint of m with its scale, others
// are 4 or 8 bytes of IEEE 754). Values come back bit for bit, decimals with their m and scale.
//
//     record   u8 kind, varint host number, then items
//     HOST     cluster and host name          } definitions, before the samples they are for
//     SERIES   number, metric, component path }
//     SAMPLES  runs: first series, count, time, values
//
// Names are written once a record and then referred to. Encoding costs a few nanoseconds a sample: it runs under the lock of the
// host, in the path of every line.
#ifndef STORE_WAL_RECORD_H
#define STORE_WAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "store/series.h"

#define WAL_MAX_SERIES       (UINT32_C(1) << 24) // numbers of a host are below this
#define WAL_MAX_NAME_BYTES   (UINT32_C(1) << 20)
#define WAL_MAX_DEPTH        2
#define WAL_RECORD_MAX_BYTES ((size_t)512 << 20)
#define WAL_RUN_VALUES       256 // a decoder hands over at most so many at once

// ---- encoding: one encoder a batch, used again for each of its hosts ----
#define WAL_ENCODER_NAMES 128

struct wal_encoder {
    struct buf bytes; // holds the record under way; its end is 'at'
    char *at;
    char *limit; // a sample needs no look at the room up to here
    // the run under way
    int64_t ts;
    uint32_t next_series; // number that would continue it
    uint32_t run_left;    // samples that it may still take; 0 when there is none
    uint32_t run_size;    // that it may take in all
    size_t run_at;        // where its header begins
    // definitions
    size_t head_len; // of the record: kind and host number
    uint32_t next_definition;
    uint32_t name_count;
    struct {
        uint32_t offset, len, number; // len 0: empty
    } names[WAL_ENCODER_NAMES];       // those written last, by hash
};

void wal_encoder_init(struct wal_encoder *e);
void wal_encoder_release(struct wal_encoder *e);
// Begins a record; what was there is forgotten.
void wal_encoder_begin(struct wal_encoder *e, uint32_t host);
// Names are 1 to WAL_MAX_NAME_BYTES long.
void wal_encoder_define_host(struct wal_encoder *e, struct slice cluster, struct slice name);
// path: component and sub-component, depth 0 to WAL_MAX_DEPTH.
void wal_encoder_define_series(struct wal_encoder *e, uint32_t series, struct slice metric,
                               const struct slice *path, size_t depth);
// Samples follow the definition of their series, in this record or an earlier one of the segment.
static inline void wal_encoder_sample(struct wal_encoder *e, uint32_t series, int64_t ts,
                                      const struct series_value *value);
// Ends the record; valid until the next begin. Empty (len 0) when it holds nothing but its head. A record that grew beyond
// WAL_RECORD_MAX_BYTES has a length above it and no bytes: wal_append refuses it.
struct slice wal_encoder_end(struct wal_encoder *e);

// ---- decoding ----
struct wal_decoder_ops {
    // Each returns 0 or a negative error, which ends the decoding.
    int (*host)(void *ctx, uint32_t host, struct slice cluster, struct slice name, struct error *err);
    int (*series)(void *ctx, uint32_t host, uint32_t series, struct slice metric, const struct slice *path,
                  size_t depth, struct error *err);
    // Values of series first, first + 1, ..., all at one time; count is 1 to WAL_RUN_VALUES.
    int (*samples)(void *ctx, uint32_t host, uint32_t first, int64_t ts, const struct series_value *values,
                   size_t count, struct error *err);
};
// Checks every length and number; ERR_CORRUPT names the place. Definitions and samples come in their order. Whether the numbers
// were defined is the caller's to check: behind damage a segment may lack a definition.
int wal_record_decode(struct slice record, const struct wal_decoder_ops *ops, void *ctx,
                      struct error *err) MUST_CHECK;

// ---- the inline part ----
#define WAL_CODE_FLOAT   14 // where a decimal has its scale
#define WAL_CODE_DOUBLE  15
#define WAL_VARINT_BYTES 9
#define WAL_MAX_ZIGZAG   ((UINT64_C(1) << 54) - 2) // |m| < 2^53

// n bytes carry 7 n bits behind n - 1 zero bits and a one; a first byte of zero is followed by all 64 bits. Writes up to
// WAL_VARINT_BYTES, whatever the number needs.
static inline char *wal_put_varint(char *at, uint64_t v)
{
    unsigned bits = 63 - (unsigned)__builtin_clzll(v | 1);
    if (UNLIKELY(bits >= 56)) {
        *at = 0;
        memcpy(at + 1, &v, sizeof(v));
        return at + WAL_VARINT_BYTES;
    }
    unsigned n = (bits * 37 >> 8) + 1; // bits / 7 + 1
    uint64_t code = v << n | UINT64_C(1) << (n - 1);
    memcpy(at, &code, sizeof(code));
    return at + n;
}

static inline uint64_t wal_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static inline bool wal_is_negative_zero(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == UINT64_C(1) << 63;
}

// Not for the path of every sample.
char *wal_put_plain(char *at, const struct series_value *value);
void wal_encoder_begin_run(struct wal_encoder *e, uint32_t series, int64_t ts);

static inline void wal_encoder_sample(struct wal_encoder *e, uint32_t series, int64_t ts,
                                      const struct series_value *value)
{
    if (UNLIKELY(e->run_left == 0 || series != e->next_series || ts != e->ts || e->at > e->limit))
        wal_encoder_begin_run(e, series, ts);
    e->next_series = series + 1;
    e->run_left--;
    uint64_t code = wal_zigzag(value->m);
    if (LIKELY(value->decimal && code <= WAL_MAX_ZIGZAG && (code || !wal_is_negative_zero(value->wide))))
        e->at = wal_put_varint(e->at, code << 4 | value->scale);
    else
        e->at = wal_put_plain(e->at, value);
}

#endif
