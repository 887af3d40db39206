// SPDX-License-Identifier: MIT
// SQL behind a small interface: prepared statements, typed rows, numbered schema steps, one writer and
// several readers. SQLite (WAL mode) today; sql-sqlite.c is the only includer of sqlite3.h, and MariaDB fits
// behind the same operations (struct sql_driver in sql-private.h).
//
// A struct sql_conn is used by one thread at a time; a pool hands out one writer and several readers.
// Statements are cached per connection by their text. Locked databases are waited for up to busy_timeout_ms,
// then ERR_BUSY; a full disk is ERR_NO_SPACE.
#ifndef NET_SQL_H
#define NET_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct sql_pool;
struct sql_conn;
struct sql_stmt;

struct sql_options {
    const char *path;        // file name
    unsigned readers;        // 0: 3
    int64_t busy_timeout_ms; // 0: 60 s
    int64_t cache_kib;       // per connection; 0: 16 MiB
    bool create;             // make the file when it is missing
};

int sql_pool_open(const struct sql_options *options, struct sql_pool **ret_pool,
                  struct error *err) MUST_CHECK;
void sql_pool_close(struct sql_pool **pool);
// The writer is one connection under a mutex: take, use, give back soon. Readers wait until one is free.
struct sql_conn *sql_take_writer(struct sql_pool *pool);
struct sql_conn *sql_take_reader(struct sql_pool *pool);
// Ends what was left open: rows not read to the end, a transaction not committed (which is rolled back).
void sql_give_back(struct sql_conn **conn);

int sql_exec(struct sql_conn *conn, const char *sql,
             struct error *err) MUST_CHECK;                          // several statements, no result
int sql_begin(struct sql_conn *conn, struct error *err) MUST_CHECK;  // IMMEDIATE
int sql_commit(struct sql_conn *conn, struct error *err) MUST_CHECK; // failed: still open, roll back
void sql_rollback(struct sql_conn *conn);                            // does nothing outside a transaction

// A prepared statement, reset and unbound; owned by the connection, valid until it is prepared again.
int sql_prepare(struct sql_conn *conn, const char *sql, struct sql_stmt **ret_stmt,
                struct error *err) MUST_CHECK;
// Parameters are numbered from 1. Text and blobs are copied. What cannot be bound (too large) fails the next
// step.
void sql_bind_int(struct sql_stmt *stmt, int index, int64_t v);
void sql_bind_double(struct sql_stmt *stmt, int index, double v);
void sql_bind_text(struct sql_stmt *stmt, int index, struct slice v);
void sql_bind_null(struct sql_stmt *stmt, int index);
// 1: a row; 0: done, and the statement is reset (bindings stay). Errors name the statement and reset it too.
// Constraint violations are ERR_EXISTS.
int sql_step(struct sql_stmt *stmt, struct error *err) MUST_CHECK;
// Columns are numbered from 0; NULL reads as 0, 0.0 and the empty slice. Slices live until the next step.
int64_t sql_column_int(struct sql_stmt *stmt, int column);
double sql_column_double(struct sql_stmt *stmt, int column);
struct slice sql_column_text(struct sql_stmt *stmt, int column); // also from BLOB
bool sql_column_is_null(struct sql_stmt *stmt, int column);
void sql_finish(
    struct sql_stmt *stmt); // reset: ends the read; call it when rows are left or the row is used up

int64_t sql_last_insert_id(struct sql_conn *conn);
int64_t sql_changes(struct sql_conn *conn);

// Schema steps in the way of golang-migrate (spec backend.md 2.2): table schema_migrations(version, dirty).
// Each step is one transaction together with its new version, so a failing step leaves everything as it was
// before it. Foreign keys are not enforced within a step (rebuilding a table would cascade) but checked at
// its end.
struct sql_migration {
    int version;
    const char *sql;
};
// 0 and false for a database without that table.
int sql_schema_version(struct sql_conn *conn, int *ret_version, bool *ret_dirty,
                       struct error *err) MUST_CHECK;
// Runs the steps above the present version; 'steps' is sorted. A newer version than the last step is left
// alone. ERR_CORRUPT: marked dirty (by another program).
int sql_migrate(struct sql_conn *conn, const struct sql_migration *steps, size_t count,
                struct error *err) MUST_CHECK;

#endif
