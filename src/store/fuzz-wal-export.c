// SPDX-License-Identifier: MIT
// Bytes as a program that writes a log (fuzz-log.h), which becomes a current.wal for each host: these files are sound, have all samples
// that were counted, lie within the directory, and a store that reads them holds what one holds that replays the log.
#include "store/fuzz-log.h"
#include "store/host-wal.h"
#include "store/wal-export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t count_records(const char *directory)
{
    struct host_wal_reader reader;
    struct host_wal_record record;
    struct error err = ERROR_INIT;
    struct buf bytes;
    char *path = file_join(directory, HOST_WAL_NAME);
    buf_init(&bytes, (size_t)1 << 30);
    ASSERT(file_read(path, (size_t)1 << 30, &bytes, &err) == 0);
    host_wal_reader_init(&reader, buf_slice(&bytes));
    int rc;
    while ((rc = host_wal_next(&reader, &record, &err)) == 1)
        ;
    ASSERT(rc == 0);
    uint64_t records = reader.records;
    buf_release(&bytes);
    mem_free(path);
    return records;
}

// Clusters with hosts with one file each.
static void check_files(const char *directory, const struct wal_export_result *result)
{
    char **clusters = NULL, **hosts = NULL;
    size_t cluster_count = 0, host_count = 0;
    uint64_t found = 0, samples = 0;
    ASSERT(file_list(directory, &clusters, &cluster_count, NULL) == 0);
    for (size_t i = 0; i < cluster_count; i++) {
        ASSERT(host_name_is_usable(slice_from_cstr(clusters[i])));
        char *cluster = file_join(directory, clusters[i]);
        ASSERT(file_list(cluster, &hosts, &host_count, NULL) == 0);
        for (size_t k = 0; k < host_count; k++) {
            char *host = file_join(cluster, hosts[k]);
            samples += count_records(host);
            found++;
            mem_free(host);
        }
        file_list_free(&hosts, host_count);
        mem_free(cluster);
    }
    file_list_free(&clusters, cluster_count);
    ASSERT(found == result->hosts && samples == result->samples);
}

static void collect(const char *directory, struct fuzz_values *ret)
{
    struct fuzz_store x = fuzz_open(directory, 0, CHECKPOINT_BIN);
    ASSERT(x.persist);
    persist_load_all(x.persist);
    fuzz_collect(x.store, ret);
    ASSERT(fuzz_close(&x, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char scratch[FUZZ_PATH_SIZE];
    struct fuzz_log log;
    struct wal_export_result result;
    struct fuzz_values replayed, exported;
    struct slice program = slice_of((const char *)data, size);
    if (size < 2)
        return 0;
    fuzz_scratch(scratch);
    char *a = file_join(scratch, "a"), *b = file_join(scratch, "b");
    fuzz_write_log(&log, a, program);
    fuzz_write_log(&log, b, program);
    ASSERT(wal_export(b, &result, NULL) == 0);
    ASSERT(!log.exact || (result.damaged_regions == 0 && result.torn_bytes == 0));
    check_files(b, &result);
    collect(a, &replayed);
    collect(b, &exported);
    if (log.exact && log.all_finite)
        fuzz_check_same(&replayed, &exported);
    mem_free(replayed.items);
    mem_free(exported.items);
    mem_free(a);
    mem_free(b);
    fuzz_remove(scratch);
    return 0;
}
