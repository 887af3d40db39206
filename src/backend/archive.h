// SPDX-License-Identifier: MIT
// The job archive in files (docs/formats/job-archive.md; spec job-archive.md 2): one folder per job below
// <root>/<cluster>/<job id / 1000>/<job id % 1000>/<start time> with meta.json and data.json or data.json.gz.
// Files are replaced atomically, data first and meta last, so that a job counts as archived only when both
// are whole. All functions may be called from any thread; two writers of the same job must not run at once.
#ifndef BACKEND_ARCHIVE_H
#define BACKEND_ARCHIVE_H

#include "backend/job-data.h"
#include "base/file.h"
#include "model/job.h"

#define ARCHIVE_VERSION         3
#define ARCHIVE_PLAIN_MAX_BYTES 2000 // longer data documents are compressed

struct archive;

// Checks version.txt, or writes it into an empty folder. 'io' is borrowed. Error texts: spec 2.1.
int archive_open(const char *root, const struct io *io, struct archive **ret_archive,
                 struct error *err) MUST_CHECK;
void archive_free(struct archive **archive);
const char *archive_root(const struct archive *archive);

// The job's identity is cluster, job_id and start_time. ERR_INVALID for a job that has no place (negative
// id).
int archive_write_job(const struct archive *archive, const struct job *job, const struct job_data *data,
                      struct error *err) MUST_CHECK;
// ERR_NOT_FOUND, ERR_CORRUPT. Memory from the arena.
int archive_read_meta(const struct archive *archive, const struct job *key, struct arena *arena,
                      struct job *ret, struct error *err) MUST_CHECK;
int archive_read_data(const struct archive *archive, const struct job *key, struct arena *arena,
                      struct job_data *ret, struct error *err) MUST_CHECK;

#endif
