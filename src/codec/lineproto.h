// SPDX-License-Identifier: MIT
// Influx line protocol as the ClusterCockpit programs speak it. Grammar: spec metric-store.md 3.1,
// messages.md 2.
//
// Decoding is streaming and does not copy: one call per entry, the slices point into the input (or, for
// tokens with escapes, into the decoder's scratch, valid until the next call). A bad entry is an error with
// position (err->line, err->column and the text "at line <L>:<C>: <reason>"), after which the decoder stands
// at the next line: go on with lineproto_next.
#ifndef CODEC_LINEPROTO_H
#define CODEC_LINEPROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum lineproto_kind { LINEPROTO_FLOAT, LINEPROTO_INT, LINEPROTO_UINT, LINEPROTO_BOOL, LINEPROTO_STRING };

struct lineproto_value {
    enum lineproto_kind kind;
    union {
        double f64;
        int64_t i64;
        uint64_t u64;
        bool boolean;
        struct slice string;
    };
};

struct lineproto_tag {
    struct slice key, value;
};
struct lineproto_field {
    struct slice key;
    struct lineproto_value value;
};

#define LINEPROTO_MAX_TAGS         64
#define LINEPROTO_MAX_FIELDS       64
#define LINEPROTO_LINE_MAX_DEFAULT ((size_t)64 << 10) // bytes of one entry

struct lineproto_entry {
    struct slice measurement;
    struct lineproto_tag tags[LINEPROTO_MAX_TAGS];
    size_t tag_count;
    struct lineproto_field fields[LINEPROTO_MAX_FIELDS];
    size_t field_count;
    bool has_timestamp;
    int64_t timestamp;   // as written, unit is the caller's business (lineproto_guess_seconds)
    struct slice source; // the whole entry without line end
    struct slice head;   // from the measurement up to the blank before the fields: raw bytes, unescaped
    int line;            // 1-based
};

struct lineproto_decoder; // opaque: input, position, line number, scratch

// max_line_bytes: longer entries, line end not counted, are an error each (metric-store.md MS-15).
struct lineproto_decoder *lineproto_decoder_new(size_t max_line_bytes);
void lineproto_decoder_free(struct lineproto_decoder **decoder);
// Starts on a new input; borrowed until the last lineproto_next. 'final': the input ends regularly, so that a
// last line without line end counts; otherwise such a rest is left and reported by lineproto_rest.
void lineproto_decoder_reset(struct lineproto_decoder *decoder, struct slice input, bool final);
// The same for the next piece of one stream, which begins with the rest of the piece before: line numbers go
// on.
void lineproto_decoder_continue(struct lineproto_decoder *decoder, struct slice input, bool final);
// 1 and *entry; 0 at the end; ERR_INVALID or ERR_LIMIT for a bad entry (skipped, call again).
// A measurement for which 'wanted' (may be NULL) says false is skipped to its end, errors in the rest of it
// are not reported (metric-store.md 3.2 step 2).
int lineproto_next(struct lineproto_decoder *decoder, struct lineproto_entry *entry,
                   bool (*wanted)(void *ctx, struct slice measurement), void *ctx,
                   struct error *err) MUST_CHECK;
// What stands behind the last complete entry (only without 'final', after lineproto_next gave 0).
struct slice lineproto_rest(const struct lineproto_decoder *decoder);

// The input that is not consumed yet, and a way to consume lines from its front without decoding them: for
// callers that can read a line by themselves (the store's predicted lines) and keep the decoder for the odd
// ones, with right line numbers in its errors. 'bytes' must end behind a line end or at the end of the input;
// 'lines' of them.
struct slice lineproto_unread(const struct lineproto_decoder *decoder);
void lineproto_advance(struct lineproto_decoder *decoder, size_t bytes, int lines);

// Unit by magnitude: |t| < 1e11 s, < 1e14 ms, < 1e17 us, else ns; floor division (metric-store.md MS-07).
int64_t lineproto_guess_seconds(int64_t timestamp);

// Encoding: tags must be sorted by key without repetition, fields too (the caller's duty, checked by ASSERT).
// Appends one line with LF. Refuses (ERR_INVALID, nothing appended) what messages.md 2.2 "Rejections of
// Encoder A" lists, non-finite floats, and a measurement that begins with '#' (it would read as a comment).
// What is written decodes to the same entry.
int lineproto_encode(struct buf *out, struct slice measurement, const struct lineproto_tag *tags,
                     size_t tag_count, const struct lineproto_field *fields, size_t field_count,
                     int64_t timestamp, struct error *err) MUST_CHECK;

#endif
