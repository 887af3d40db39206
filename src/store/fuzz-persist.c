// SPDX-License-Identifier: MIT
// Foreign bytes as the files of a checkpoint directory: two snapshots and a current.wal of one host. Whatever they are, the store
// starts and answers. What it took is written as snapshots and read again: the same values.
//
//     u8 flags, u16 length of the first snapshot, u16 of the second, then these; the rest is current.wal
#include "store/fuzz-persist.h"
#include "codec/gzip.h"
#include "store/host-wal.h"

#define HEAD_BYTES 5
#define FIRST      INT64_C(1700000000)
#define SECOND     INT64_C(1700001800)

enum {
    FLAG_JSON_FIRST = 1,
    FLAG_JSON_SECOND = 2,
    FLAG_FRAMED = 4,    // current.wal is payloads, each behind a byte with its length
    FLAG_RETENTION = 8, // of a day
    FLAG_LATE = 16,     // samples come in that belong into the old snapshots
    FLAG_MOVED = 32,    // the files are gone when new ones are written
    FLAG_WRITE_JSON = 64,
    FLAG_LOAD_LATER = 128, // samples come in before the files were read
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice take(struct slice *bytes, size_t len)
{
    struct slice part = slice_of(bytes->ptr, MIN(len, bytes->len));
    *bytes = slice_skip(*bytes, part.len);
    return part;
}

// Payloads get the checksum that they need to be looked at.
static void frame(struct slice payloads, struct buf *out)
{
    host_wal_append_header(out);
    while (payloads.len > 1) {
        size_t len = (uint8_t)payloads.ptr[0];
        payloads = slice_skip(payloads, 1);
        struct slice payload = take(&payloads, len);
        buf_append_u32le(out, UINT32_C(0xCC1DA7A1));
        buf_append_u32le(out, (uint32_t)payload.len);
        buf_append_slice(out, payload);
        buf_append_u32le(out, crc32_ieee(0, payload.ptr, payload.len));
    }
}

static bool lies_within(const struct checkpoint_level *level, int64_t from, int64_t until)
{
    bool within = true;
    for (size_t i = 0; i < level->metric_count; i++) {
        const struct checkpoint_metric *m = &level->metrics[i];
        within = within && m->start >= from && m->start + (int64_t)m->values.count * m->frequency_s < until;
    }
    for (size_t i = 0; i < level->child_count; i++)
        within = within && lies_within(&level->children[i], from, until);
    return within;
}

// Whether a snapshot holds what its name says, or is refused. Where one does not, it and a newer one may both have a time.
static bool is_true(struct slice bytes, enum checkpoint_format format, int64_t from, int64_t until)
{
    struct checkpoint checkpoint;
    struct arena *arena = arena_new((size_t)256 << 20);
    bool ok =
        checkpoint_parse(format, bytes, arena, &checkpoint, NULL) != 0 ||
        (checkpoint.from == from && checkpoint.to == until && lies_within(&checkpoint.root, from, until));
    arena_free(&arena);
    return ok;
}

static void write_snapshot(const char *directory, struct slice bytes, int64_t from,
                           enum checkpoint_format format)
{
    char name[CHECKPOINT_NAME_SIZE], path[CHECKPOINT_NAME_SIZE + 8];
    if (bytes.len == 0)
        return;
    checkpoint_name(from, format, name);
    ignore_result(snprintf(path, sizeof(path), "c/h/%s", name) < 0);
    fuzz_write_file(directory, path, bytes);
}

// Returns whether the snapshots are true ones.
static bool write_files(const char *directory, struct slice bytes, unsigned flags)
{
    const uint8_t *head = (const uint8_t *)bytes.ptr;
    size_t first = head[1] | (size_t)head[2] << 8, second = head[3] | (size_t)head[4] << 8;
    bytes = slice_skip(bytes, HEAD_BYTES);
    fuzz_make_directory(directory, "c/h");
    enum checkpoint_format a = flags & FLAG_JSON_FIRST ? CHECKPOINT_JSON : CHECKPOINT_BIN;
    enum checkpoint_format b = flags & FLAG_JSON_SECOND ? CHECKPOINT_JSON : CHECKPOINT_BIN;
    struct slice one = take(&bytes, first), two = take(&bytes, second);
    write_snapshot(directory, one, FIRST, a);
    write_snapshot(directory, two, SECOND, b);
    bool are_true = is_true(one, a, FIRST, SECOND) && is_true(two, b, SECOND, FUZZ_NOW);
    if (bytes.len == 0)
        return are_true;
    struct buf framed;
    buf_init(&framed, (size_t)64 << 20);
    if (flags & FLAG_FRAMED)
        frame(bytes, &framed);
    fuzz_write_file(directory, "c/h/" HOST_WAL_NAME, flags & FLAG_FRAMED ? buf_slice(&framed) : bytes);
    buf_release(&framed);
    return are_true;
}

static void send_late(struct store *store)
{
    struct store_write write = {
        .body = SLICE_LITERAL("m,cluster=c,hostname=h value=1.25 1700000060\n"
                              "m,cluster=c,hostname=h value=2 1700001900\n"
                              "n,cluster=c,hostname=h,type=core,type-id=0 value=3 1700000100\n"
                              "n,cluster=c,hostname=h value=4 1700003500\n"),
        .now_s = FUZZ_NOW};
    struct store_write_result result;
    ASSERT(store_ingest(store, &write, &result) == 0 && result.stored == 4);
}

static void mark_all_dirty(struct store *store, const char *directory, bool moved)
{
    struct host *host = store_find_host(store, SLICE_LITERAL("c"), SLICE_LITERAL("h"));
    if (!host)
        return;
    host->dirty_from = INT64_MIN;
    host_unref(host);
    if (moved) {
        char *path = file_join(directory, "c");
        fuzz_remove(path);
        mem_free(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char directory[FUZZ_PATH_SIZE];
    struct fuzz_values before, after;
    struct error err = ERROR_INIT;
    if (size < HEAD_BYTES)
        return 0;
    unsigned flags = data[0];
    int64_t retention_s = flags & FLAG_RETENTION ? 86400 : 0;
    enum checkpoint_format format = flags & FLAG_WRITE_JSON ? CHECKPOINT_JSON : CHECKPOINT_BIN;
    fuzz_scratch(directory);
    bool are_true = write_files(directory, slice_of((const char *)data, size), flags);
    struct fuzz_store x = fuzz_open(directory, retention_s, format);
    ASSERT(x.persist);
    if ((flags & FLAG_LATE) && (flags & FLAG_LOAD_LATER))
        send_late(x.store);
    persist_load_all(x.persist);
    if ((flags & FLAG_LATE) && !(flags & FLAG_LOAD_LATER))
        send_late(x.store);
    fuzz_read_all(x.store, SLICE_LITERAL("c"), SLICE_LITERAL("h"));
    mark_all_dirty(x.store, directory, flags & FLAG_MOVED);
    fuzz_collect(x.store, &before);
    int rc = fuzz_close(&x, &err);
    ASSERT(rc == 0);
    x = fuzz_open(directory, retention_s, format);
    ASSERT(x.persist);
    persist_load_all(x.persist);
    fuzz_collect(x.store, &after);
    // What falls into an old snapshot takes its grid, so that times may differ by less than an interval.
    if (retention_s == 0 && before.plain && after.plain && (are_true || (flags & FLAG_MOVED)))
        fuzz_check_same(&before, &after);
    ASSERT(fuzz_close(&x, &err) == 0);
    mem_free(before.items);
    mem_free(after.items);
    fuzz_remove(directory);
    return 0;
}
