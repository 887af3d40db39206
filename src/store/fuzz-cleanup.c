// SPDX-License-Identifier: MIT
// Foreign bytes as two old snapshots of one host, which the cleanup moves into a Parquet file: each is archived and removed, or it
// failed, was counted and is still there.
//
//     u8 flags, u16 length of the first snapshot; the rest is the second
#include "store/cleanup.h"
#include "store/fuzz-persist.h"

#define HEAD_BYTES 3

enum { FLAG_JSON_FIRST = 1, FLAG_JSON_SECOND = 2, FLAG_DELETE = 4, FLAG_OLDER = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t count_files(const char *directory)
{
    char **names = NULL;
    size_t count = 0;
    char *path = file_join(directory, "c/h");
    int rc = file_list(path, &names, &count, NULL);
    ASSERT(rc == 0 || rc == ERR_NOT_FOUND); // removed with its last file
    if (rc == 0)
        file_list_free(&names, count);
    mem_free(path);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char scratch[FUZZ_PATH_SIZE];
    struct cleanup_result result = {.files = 0};
    struct error err = ERROR_INIT;
    if (size < HEAD_BYTES)
        return 0;
    unsigned flags = data[0];
    struct slice bytes = slice_of((const char *)data + HEAD_BYTES, size - HEAD_BYTES);
    size_t first = MIN(data[1] | (size_t)data[2] << 8, bytes.len);
    fuzz_scratch(scratch);
    char *directory = file_join(scratch, "store"), *archive = file_join(scratch, "archive");
    fuzz_make_directory(directory, "c/h");
    fuzz_write_file(directory, flags & FLAG_JSON_FIRST ? "c/h/1700000000.json" : "c/h/1700000000.bin",
                    slice_of(bytes.ptr, first));
    fuzz_write_file(directory, flags & FLAG_JSON_SECOND ? "c/h/1700001800.json" : "c/h/1700001800.bin",
                    slice_skip(bytes, first));
    struct cleanup_options options = {.directory = directory,
                                      .archive_directory = flags & FLAG_DELETE ? NULL : archive,
                                      .cutoff_s = flags & FLAG_OLDER ? 1700001800 : FUZZ_NOW};
    int rc = cleanup_run(&options, &result, &err);
    ASSERT(rc == 0 || err.text[0]);
    uint64_t left = count_files(directory);
    ASSERT(result.files + left == 2 && result.failed_files <= left);
    mem_free(directory);
    mem_free(archive);
    fuzz_remove(scratch);
    return 0;
}
