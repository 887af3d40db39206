// SPDX-License-Identifier: MIT
// Bytes as a program that writes a log (fuzz-log.h), which is replayed into a store: what it took, passed over and does not know is
// what a plain reading says; nothing outside of the directory is touched; snapshots of it hold the same values.
#include "store/fuzz-log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_counts(const struct fuzz_log *log, struct persist *persist)
{
    struct persist_stats stats;
    persist_stats(persist, &stats);
    if (!log->exact)
        return;
    ASSERT(stats.replayed_samples == log->known && stats.unknown_samples == log->unknown);
    ASSERT(stats.wal.damaged_regions == 0 && stats.wal.torn_bytes == 0);
}

// "<scratch>/store" is the directory; beside it nothing may appear in <scratch> but damaged segments that a clean stop kept.
static void check_alone(const char *scratch)
{
    char **names = NULL;
    size_t count = 0;
    ASSERT(file_list(scratch, &names, &count, NULL) == 0);
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_from_cstr(names[i]);
        bool kept = slice_starts_with(name, SLICE_LITERAL("store.0")) &&
                    slice_ends_with(name, SLICE_LITERAL(".log.corrupt"));
        ASSERT(slice_eq_cstr(name, "store") || kept);
    }
    file_list_free(&names, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char scratch[FUZZ_PATH_SIZE];
    struct fuzz_log log;
    struct fuzz_values before, after;
    if (size < 2)
        return 0;
    int64_t retention_s = data[0] & 1 ? 86400 : 0;
    fuzz_scratch(scratch);
    char *directory = file_join(scratch, "store");
    fuzz_write_log(&log, directory, slice_of((const char *)data + 1, size - 1));
    struct fuzz_store x = fuzz_open(directory, retention_s, data[0] & 2 ? CHECKPOINT_JSON : CHECKPOINT_BIN);
    ASSERT(x.persist);
    check_counts(&log, x.persist);
    persist_load_all(x.persist);
    fuzz_read_all(x.store, SLICE_LITERAL("c"), SLICE_LITERAL("h"));
    fuzz_collect(x.store, &before);
    ASSERT(fuzz_close(&x, NULL) == 0);
    check_alone(scratch);
    x = fuzz_open(directory, retention_s, CHECKPOINT_BIN);
    ASSERT(x.persist);
    persist_load_all(x.persist);
    fuzz_collect(x.store, &after);
    if (retention_s == 0 && before.plain)
        fuzz_check_same(&before, &after);
    ASSERT(fuzz_close(&x, NULL) == 0);
    mem_free(before.items);
    mem_free(after.items);
    mem_free(directory);
    fuzz_remove(scratch);
    return 0;
}
