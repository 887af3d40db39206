// SPDX-License-Identifier: MIT
// Bytes as a program that writes a log: segments with sound frames, records with definitions in any order, numbers defined anew, names
// that no batch has, samples of all times; and where the bytes say so damage and records that are no records. Beside it a plain
// reading of what the replay must make of it.
#ifndef STORE_FUZZ_LOG_H
#define STORE_FUZZ_LOG_H

#include "store/fuzz-persist.h"
#include "store/wal-record.h"
#include "store/wal-segment.h"

#define FUZZ_NUMBERS 16 // of hosts, and of series of a host, that the plain reading follows

struct fuzz_series {
    bool known; // defined, and the store can have it
};

struct fuzz_host {
    unsigned names; // choice + 1; 0: not defined
    bool usable;
    struct fuzz_series series[FUZZ_NUMBERS];
};

struct fuzz_log {
    const char *directory; // of the checkpoints
    struct slice program;
    struct wal_encoder encoder;
    struct buf segment;
    uint64_t epoch, previous;
    bool in_record;
    uint32_t number; // of the host
    struct fuzz_host hosts[FUZZ_NUMBERS];
    uint64_t known, unknown;
    bool exact;      // false: damage, foreign bytes or numbers beyond FUZZ_NUMBERS
    bool all_finite; // as float32
};

static inline unsigned fuzz_byte(struct fuzz_log *log)
{
    if (log->program.len == 0)
        return 0;
    unsigned v = (uint8_t)log->program.ptr[0];
    log->program = slice_skip(log->program, 1);
    return v;
}

static inline uint64_t fuzz_word(struct fuzz_log *log, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)fuzz_byte(log) << 8 * i;
    return v;
}

static inline struct slice fuzz_bytes(struct fuzz_log *log, size_t len)
{
    struct slice part = slice_of(log->program.ptr, MIN(len, log->program.len));
    log->program = slice_skip(log->program, part.len);
    return part;
}

// A name of a cluster or host; 0 to 3 are usable ones.
static inline struct slice fuzz_name(unsigned choice, bool *ret_usable)
{
    static const char long_name[NAME_MAX_BYTES + 1] = {'x'};
    const struct slice names[] = {
        SLICE_LITERAL("c"),  SLICE_LITERAL("h"),    SLICE_LITERAL("a..b"), SLICE_LITERAL("i j"),
        SLICE_LITERAL(".."), SLICE_LITERAL("../x"), SLICE_LITERAL("."),    SLICE_LITERAL("a/b"),
        SLICE_LITERAL("/"),  SLICE_LITERAL("x\0y"), SLICE_LITERAL("\\"),   SLICE_LITERAL(WAL_DIRECTORY_NAME)};
    if (choice % 16 >= ARRAY_LEN(names)) {
        *ret_usable = false;
        return slice_of(long_name, sizeof(long_name));
    }
    *ret_usable = host_name_is_usable(names[choice % 16]);
    return names[choice % 16];
}

static inline void fuzz_end_record(struct fuzz_log *log, struct slice record)
{
    char head[WAL_FRAME_HEAD_BYTES];
    log->in_record = false;
    if (record.len == 0)
        return;
    wal_segment_frame_head(head, log->epoch, record);
    buf_append(&log->segment, head, sizeof(head));
    buf_append_slice(&log->segment, record);
}

static inline void fuzz_flush_record(struct fuzz_log *log)
{
    if (log->in_record)
        fuzz_end_record(log, wal_encoder_end(&log->encoder));
}

static inline void fuzz_begin_record(struct fuzz_log *log, uint32_t number)
{
    fuzz_flush_record(log);
    wal_encoder_begin(&log->encoder, number);
    log->number = number;
    log->in_record = true;
    log->exact = log->exact && number < FUZZ_NUMBERS;
}

static inline void fuzz_begin_segment(struct fuzz_log *log, uint64_t epoch)
{
    char header[WAL_SEGMENT_HEADER_BYTES];
    wal_segment_header(header, epoch, log->previous);
    buf_append(&log->segment, header, sizeof(header));
    log->epoch = epoch;
    memset(log->hosts, 0, sizeof(log->hosts));
}

static inline void fuzz_end_segment(struct fuzz_log *log)
{
    char name[WAL_SEGMENT_NAME_SIZE], path[WAL_SEGMENT_NAME_SIZE + 16];
    fuzz_flush_record(log);
    wal_segment_name(name, log->epoch);
    ignore_result(snprintf(path, sizeof(path), WAL_DIRECTORY_NAME "/%s", name) < 0);
    fuzz_write_file(log->directory, path, buf_slice(&log->segment));
    buf_clear(&log->segment);
    log->previous = log->epoch;
}

static inline void fuzz_define_host(struct fuzz_log *log)
{
    bool cluster_usable, host_usable;
    unsigned names = fuzz_byte(log);
    struct slice cluster = fuzz_name(names & 15, &cluster_usable), host = fuzz_name(names >> 4, &host_usable);
    wal_encoder_define_host(&log->encoder, cluster, host);
    if (log->number >= FUZZ_NUMBERS)
        return;
    struct fuzz_host *entry = &log->hosts[log->number];
    if (entry->names != names + 1) // another host: its series are not those of the one before
        *entry = (struct fuzz_host){.names = names + 1, .usable = cluster_usable && host_usable};
}

static inline void fuzz_define_series(struct fuzz_log *log)
{
    static const char *const metrics[] = {"m", "n", "cpu_load", "mem_bw", "zz"};
    static const char long_name[NAME_MAX_BYTES + 1] = {'x'};
    unsigned what = fuzz_byte(log);
    size_t metric = (what & 7) % ARRAY_LEN(metrics), depth = (what >> 3 & 3) % (WAL_MAX_DEPTH + 1);
    uint32_t series = what & 0x20 ? (uint32_t)fuzz_word(log, 3) % (1 << 18) : fuzz_byte(log) % FUZZ_NUMBERS;
    struct slice path[WAL_MAX_DEPTH] = {SLICE_LITERAL("core1"), SLICE_LITERAL("../t")};
    if (what & 0x40)
        path[0] = SLICE_LITERAL("x\0y");
    if (what & 0x80)
        path[0] = slice_of(long_name, sizeof(long_name));
    wal_encoder_define_series(&log->encoder, series, slice_from_cstr(metrics[metric]), path, depth);
    log->exact = log->exact && series < FUZZ_NUMBERS;
    if (log->number >= FUZZ_NUMBERS || series >= FUZZ_NUMBERS || !log->hosts[log->number].usable)
        return;
    log->hosts[log->number].series[series] =
        (struct fuzz_series){.known = metric < 4 && !(depth > 0 && (what & 0x80))};
}

static inline void fuzz_count(struct fuzz_log *log, uint32_t series, int64_t ts)
{
    bool known = log->number < FUZZ_NUMBERS && series < FUZZ_NUMBERS && log->hosts[log->number].usable &&
                 log->hosts[log->number].series[series].known;
    if (!known || !persist_is_time(ts))
        log->unknown++;
    else
        log->known++;
}

static inline void fuzz_samples(struct fuzz_log *log)
{
    unsigned what = fuzz_byte(log);
    uint32_t series = what & 0x10 ? (uint32_t)fuzz_word(log, 2) : fuzz_byte(log) % FUZZ_NUMBERS;
    int64_t ts = what & 0x20 ? (int64_t)fuzz_word(log, 8) : FUZZ_NOW + 10 * (int16_t)fuzz_word(log, 2);
    for (unsigned i = 0; i <= (what & 15); i++, series++) {
        double v = (int16_t)fuzz_word(log, 2) / 100.0;
        if (what & 0x40) {
            uint64_t bits = fuzz_word(log, 8);
            memcpy(&v, &bits, sizeof(v));
        }
        log->all_finite = log->all_finite && isfinite((float)v);
        struct series_value value = series_value_of(v);
        wal_encoder_sample(&log->encoder, series, ts, &value);
        fuzz_count(log, series, ts);
        if (what & 0x80) { // the same series, later
            ts = (int64_t)((uint64_t)ts + 60);
            series--;
        }
    }
}

static inline void fuzz_step(struct fuzz_log *log)
{
    unsigned what = fuzz_byte(log);
    switch (what % 8) {
    case 0:
        fuzz_begin_record(log, what & 0x80 ? (uint32_t)fuzz_word(log, 4) : what >> 3 & 15);
        break;
    case 1:
        fuzz_define_host(log);
        break;
    case 2:
        fuzz_define_series(log);
        break;
    case 3:
        fuzz_flush_record(log);
        fuzz_end_record(log, fuzz_bytes(log, fuzz_byte(log)));
        log->exact = false;
        break;
    case 4:
        fuzz_end_segment(log);
        fuzz_begin_segment(log, log->epoch + 1 + (what >> 3 & 3));
        break;
    case 5:
        fuzz_flush_record(log);
        buf_append_slice(&log->segment, fuzz_bytes(log, what >> 3));
        log->exact = log->exact && what >> 3 == 0;
        break;
    default:
        fuzz_samples(log);
        break;
    }
}

// Writes the log.
static inline void fuzz_write_log(struct fuzz_log *log, const char *directory, struct slice program)
{
    *log = (struct fuzz_log){.directory = directory, .program = program, .exact = true, .all_finite = true};
    wal_encoder_init(&log->encoder);
    buf_init(&log->segment, (size_t)64 << 20);
    fuzz_make_directory(directory, WAL_DIRECTORY_NAME);
    fuzz_begin_segment(log, 1 + fuzz_byte(log));
    fuzz_begin_record(log, 0);
    while (log->program.len > 0) {
        fuzz_step(log);
        if (!log->in_record)
            fuzz_begin_record(log, log->number);
    }
    fuzz_end_segment(log);
    buf_release(&log->segment);
    wal_encoder_release(&log->encoder);
}

#endif
