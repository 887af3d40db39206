// SPDX-License-Identifier: MIT
// The one thread that writes to the job database: group commit. Callers from any thread hand in an operation
// and wait until the transaction that holds it is on disk; operations that wait at the same time share one
// transaction, so that the cost of a commit is divided among them and a later one never waits for more than
// two commits.
//
// An operation runs on the writer's thread with the writing connection, inside a transaction. It must depend
// on its input and the database only, because it may run a second time: when the disk is full or the database
// is locked the whole batch is rolled back and each operation is tried alone. Refusals (ERR_INVALID,
// ERR_EXISTS, ERR_NOT_FOUND) must come before the operation has changed anything.
#ifndef BACKEND_JOB_WRITER_H
#define BACKEND_JOB_WRITER_H

#include <stdint.h>

#include "base/error.h"
#include "net/sql.h"

struct job_writer;

typedef int job_writer_op(void *ctx, struct sql_conn *conn, struct error *err);

struct job_writer_stats {
    uint64_t operations, failed, commits, largest_batch;
};

// The pool is borrowed.
struct job_writer *job_writer_new(struct sql_pool *pool);
// Finishes what waits, then ends the thread.
void job_writer_free(struct job_writer **writer);
// What the operation returned, or why the transaction could not be committed. ERR_CLOSED after
// job_writer_free began.
int job_writer_do(struct job_writer *writer, job_writer_op *op, void *ctx, struct error *err) MUST_CHECK;
void job_writer_stats(struct job_writer *writer, struct job_writer_stats *ret);

#endif
