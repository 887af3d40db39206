// SPDX-License-Identifier: MIT
// The Parquet files of one cluster for one cut-off (metric-store.md 7.9; docs/formats/parquet.md):
// <directory>/<cluster>/<cut-off>.parquet. The rows of all hosts go into it, hosts in sorted order, a row group each; where that
// becomes too much for one file, further ones are <cut-off>-1.parquet and so on. A file that is there already is never touched.
//
//     archive = store_archive_new(&options);
//     for each host: store_archive_add(archive, host, rows, true, &err)
//     store_archive_commit(archive, &err)     the files are on disk and have their names: their sources may be removed (MS-44)
//     store_archive_free(&archive)            without commit: nothing remains
//
// Until the commit files are called *.parquet.tmp; such files of a run that died are removed by the next one. No file is made
// when there are no rows. Owned by one thread at a time.
#ifndef STORE_ARCHIVE_H
#define STORE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "store/archive-rows.h"

struct archive;

struct archive_options { // texts are borrowed until store_archive_free
    const char *directory, *cluster;
    int64_t cutoff_s;
    size_t
        host_count; // at most so many are coming: above the number of row groups a file can have hosts share them
    const struct io *io;
    // For tests: a file ends above these; 0: 1 GiB, and what Parquet allows.
    uint64_t max_file_bytes;
    size_t max_row_groups;
};

struct archive *store_archive_new(const struct archive_options *options);
void store_archive_free(struct archive **archive);
// Takes all sorted rows. host_ends: none of this host follow; hosts come in ascending order. After an error only store_archive_free is
// of use.
int store_archive_add(struct archive *archive, const char *host, struct archive_rows *rows, bool host_ends,
                      struct error *err) MUST_CHECK;
// On an error no file remains.
int store_archive_commit(struct archive *archive, struct error *err) MUST_CHECK;
uint64_t store_archive_row_count(const struct archive *archive);
uint64_t store_archive_file_bytes(const struct archive *archive); // behind the commit

#endif
