// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "codec/lineproto-describe.h"
#include "codec/lineproto-scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool not_u(void *ctx, struct slice measurement)
{
    (void)ctx;
    return measurement.ptr[0] != 'u';
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b); // the key is the first member
}

// Sorts and keeps one of each key; returns how many are left.
static size_t sort_unique(void *items, size_t count, size_t size)
{
    char *p = items;
    size_t left = 0;
    qsort(items, count, size, by_key);
    for (size_t i = 0; i < count; i++) {
        if (left == 0 || by_key(p + (left - 1) * size, p + i * size) != 0)
            memmove(p + left++ * size, p + i * size, size);
    }
    return left;
}

// What was decoded can be encoded and decodes to the same again.
static void check_round_trip(struct lineproto_entry *entry)
{
    entry->tag_count = sort_unique(entry->tags, entry->tag_count, sizeof(*entry->tags));
    entry->field_count = sort_unique(entry->fields, entry->field_count, sizeof(*entry->fields));
    entry->has_timestamp = true;
    entry->line = 1;
    struct buf line, before, after;
    buf_init(&line, BUF_MAX_DEFAULT);
    buf_init(&before, BUF_MAX_DEFAULT);
    buf_init(&after, BUF_MAX_DEFAULT);
    if (lineproto_encode(&line, entry->measurement, entry->tags, entry->tag_count, entry->fields,
                         entry->field_count, entry->timestamp,
                         NULL) == 0) { // a backslash at the end is refused
        struct lineproto_decoder *d = lineproto_decoder_new(BUF_MAX_DEFAULT);
        lineproto_decoder_reset(d, buf_slice(&line), true);
        lineproto_describe(&before, entry);
        int rc = lineproto_next(d, entry, NULL, NULL, NULL);
        ASSERT(rc == 1);
        lineproto_describe(&after, entry);
        ASSERT(slice_eq(buf_slice(&before), buf_slice(&after)));
        lineproto_decoder_free(&d);
    }
    buf_release(&line);
    buf_release(&before);
    buf_release(&after);
}

static void decode(struct lineproto_decoder *d, struct buf *out, bool round_trip)
{
    struct lineproto_entry *entry = NEW(struct lineproto_entry);
    struct error err = ERROR_INIT;
    int rc;
    while ((rc = lineproto_next(d, entry, not_u, NULL, &err)) != 0) {
        if (rc < 0) {
            buf_printf(out, "%s\n", err.text);
            continue;
        }
        lineproto_describe(out, entry);
        if (round_trip)
            check_round_trip(entry);
    }
    mem_free(entry);
}

static void check_pieces(struct slice input, size_t cut, struct slice whole)
{
    struct buf pieces;
    buf_init(&pieces, BUF_MAX_DEFAULT);
    struct lineproto_decoder *d = lineproto_decoder_new(BUF_MAX_DEFAULT);
    char *first = mem_memdup(input.ptr, cut);
    lineproto_decoder_reset(d, slice_of(first, cut), false);
    decode(d, &pieces, false);
    size_t used = cut - lineproto_rest(d).len;
    char *second = mem_memdup(input.ptr + used, input.len - used);
    lineproto_decoder_continue(d, slice_of(second, input.len - used), true);
    decode(d, &pieces, false);
    ASSERT(slice_eq(buf_slice(&pieces), whole));
    lineproto_decoder_free(&d);
    mem_free(first);
    mem_free(second);
    buf_release(&pieces);
}

// What the fast scan accepts the decoder reads the same way.
static void check_scan(struct slice input)
{
    size_t size = input.len + LINEPROTO_SCAN_MARGIN + 1;
    char *text = mem_alloc(size);
    text[0] = 'm';
    memcpy(text + 1, input.ptr, input.len);
    double value = 0;
    int64_t timestamp = 0;
    const char *next = lineproto_scan_value_time(text + 1, text + size, &value, &timestamp);
    if (next && next <= text + 1 + input.len) {
        struct lineproto_entry *entry = NEW(struct lineproto_entry);
        struct lineproto_decoder *d = lineproto_decoder_new(BUF_MAX_DEFAULT);
        lineproto_decoder_reset(d, slice_of(text, (size_t)(next - text)), true);
        int rc = lineproto_next(d, entry, NULL, NULL, NULL);
        ASSERT(rc == 1 && entry->field_count == 1 && entry->timestamp == timestamp);
        const struct lineproto_value *v = &entry->fields[0].value;
        double read = v->kind == LINEPROTO_FLOAT ? v->f64
                      : v->kind == LINEPROTO_INT ? (double)v->i64
                                                 : (double)v->u64;
        ASSERT(memcmp(&read, &value, sizeof(value)) == 0);
        lineproto_decoder_free(&d);
        mem_free(entry);
    }
    size_t head = lineproto_scan_head(input.ptr, input.ptr + input.len);
    ASSERT(head <= input.len && (head == 0 || input.ptr[head] == ' '));
    mem_free(text);
}

// The first byte chooses where the input is cut and, with its top bit, a short limit for lines.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    struct slice input = slice_of((const char *)bytes + 1, len - 1);
    struct lineproto_decoder *d = lineproto_decoder_new(bytes[0] & 0x80 ? 24 : BUF_MAX_DEFAULT);
    struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    lineproto_decoder_reset(d, input, true);
    decode(d, &out, true);
    lineproto_decoder_free(&d);
    if (!(bytes[0] & 0x80))
        check_pieces(input, input.len * bytes[0] / 127, buf_slice(&out));
    check_scan(input);
    buf_release(&out);
    return 0;
}
