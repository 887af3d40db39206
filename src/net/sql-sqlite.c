// SPDX-License-Identifier: MIT
// SQLite. Why these settings: docs/decisions/sql.md.
#include <errno.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "net/sql-private.h"

#define DEFAULT_BUSY_MS   INT64_C(60000)
#define DEFAULT_CACHE_KIB INT64_C(16384)
// A change of a table with many indexes dirties dozens of pages, most of them again soon after; a checkpoint
// writes each once. 4 KiB pages: 32 MB of log, which a start reads in less than 0.1 s.
#define CHECKPOINT_PAGES 8000
#define WAL_KEPT_BYTES   (64 << 20) // a log that grew larger is cut after its checkpoint

static enum error_code code_of(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_IOERR:
        return db && sqlite3_system_errno(db) == ENOSPC ? ERR_NO_SPACE : ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return ERR_DENIED;
    case SQLITE_CANTOPEN:
        return ERR_IO;
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default:
        return ERR_INVALID;
    }
}

static int sqlite_error(struct error *err, sqlite3 *db, int rc)
{
    return error_set(err, code_of(db, rc), "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static int sqlite_exec(void *db, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : sqlite_error(err, db, rc);
}

// Runs a pragma with a number; the pragmas used here take no other.
static int pragma(sqlite3 *db, const char *name, int64_t value, struct error *err)
{
    char sql[96];

    snprintf(sql, sizeof(sql), "PRAGMA %s=%lld", name, (long long)value);
    int ret = sqlite_exec(db, sql, err);
    return ret < 0 ? error_prefix(err, "PRAGMA %s", name) : 0;
}

static int switch_to_wal(sqlite3 *db, struct error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &st, NULL);
    int ret = 0;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_ROW)
        ret = sqlite_error(err, db, rc);
    else if (sqlite3_stricmp((const char *)sqlite3_column_text(st, 0), "wal") != 0)
        ret = error_set(err, ERR_UNSUPPORTED, "the file system does not support write-ahead logging");
    sqlite3_finalize(st);
    return ret;
}

static int configure(sqlite3 *db, const struct sql_options *o, bool writer, struct error *err)
{
    const struct {
        const char *name;
        int64_t value;
        bool for_readers, for_writer;
    } settings[] = {
        {"cache_size", -(o->cache_kib > 0 ? o->cache_kib : DEFAULT_CACHE_KIB), true, true},
        {"temp_store", 2 /* memory */, true, true},
        {"foreign_keys", 1, true, true},
        {"synchronous", 2 /* FULL */, false, true},
        {"journal_size_limit", WAL_KEPT_BYTES, false, true},
        {"wal_autocheckpoint", CHECKPOINT_PAGES, false, true},
        {"query_only", 1, true, false},
    };
    int64_t busy_ms = o->busy_timeout_ms > 0 ? o->busy_timeout_ms : DEFAULT_BUSY_MS;

    sqlite3_busy_timeout(db, (int)MIN(busy_ms, INT32_MAX));
    if (writer) {
        int ret = switch_to_wal(db, err);

        if (ret < 0)
            return ret;
    }
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (!(writer ? settings[i].for_writer : settings[i].for_readers))
            continue;
        int ret = pragma(db, settings[i].name, settings[i].value, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int sqlite_open(const struct sql_options *options, bool writer, void **ret_db, struct error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(options->path, &db, flags | (options->create && writer ? SQLITE_OPEN_CREATE : 0),
                             NULL);
    int ret = 0;

    if (rc != SQLITE_OK) {
        int saved = db ? sqlite3_system_errno(db) : 0;

        ret = error_set(err, saved == ENOENT ? ERR_NOT_FOUND : code_of(db, rc), "%s",
                        saved ? strerrordesc_np(saved) : sqlite3_errstr(rc));
    } else {
        ret = configure(db, options, writer, err);
    }
    if (ret < 0) {
        sqlite3_close_v2(db);
        return error_prefix(err, "cannot open database '%s'", options->path);
    }
    *ret_db = db;
    return 0;
}

static void sqlite_close(void *db)
{
    ignore_result(sqlite3_close_v2(db) != SQLITE_OK); // cannot fail: all statements are finalized
}

static bool sqlite_in_transaction(void *db)
{
    return !sqlite3_get_autocommit(db);
}

static int sqlite_set_foreign_keys(void *db, bool on, struct error *err)
{
    return pragma(db, "foreign_keys", on, err);
}

static int sqlite_check_foreign_keys(void *db, struct error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &st, NULL);
    int ret = 0;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        ret =
            error_set(err, ERR_INVALID, "row %lld of table '%s' refers to a row of '%s' that does not exist",
                      (long long)sqlite3_column_int64(st, 1), (const char *)sqlite3_column_text(st, 0),
                      (const char *)sqlite3_column_text(st, 2));
    else if (rc != SQLITE_DONE)
        ret = sqlite_error(err, db, rc);
    sqlite3_finalize(st);
    return ret;
}

static int64_t sqlite_last_insert_id(void *db)
{
    return sqlite3_last_insert_rowid(db);
}

static int64_t sqlite_changes(void *db)
{
    return sqlite3_changes64(db);
}

static int sqlite_prepare(void *db, const char *sql, void **ret_st, struct error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);

    if (rc != SQLITE_OK)
        return sqlite_error(err, db, rc);
    if (!st)
        return error_set(err, ERR_INVALID, "the text holds no statement");
    *ret_st = st;
    return 0;
}

static void sqlite_finalize(void *st)
{
    sqlite3_finalize(st);
}

static void sqlite_reset(void *st, bool clear_bindings)
{
    sqlite3_reset(st);
    if (clear_bindings)
        sqlite3_clear_bindings(st);
}

// A wrong index or a statement in the middle of its rows is a bug of ours.
static int bind_result(int rc)
{
    ASSERT(rc != SQLITE_RANGE && rc != SQLITE_MISUSE);
    return rc == SQLITE_OK ? 0 : ERR_LIMIT;
}

static int sqlite_bind_int(void *st, int index, int64_t v)
{
    return bind_result(sqlite3_bind_int64(st, index, v));
}

static int sqlite_bind_double(void *st, int index, double v)
{
    return bind_result(sqlite3_bind_double(st, index, v));
}

static int sqlite_bind_text(void *st, int index, struct slice v)
{
    return bind_result(
        sqlite3_bind_text64(st, index, v.len ? v.ptr : "", v.len, SQLITE_TRANSIENT, SQLITE_UTF8));
}

static int sqlite_bind_null(void *st, int index)
{
    return bind_result(sqlite3_bind_null(st, index));
}

static int sqlite_step(void *st, struct error *err)
{
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sqlite_error(err, sqlite3_db_handle(st), rc);
}

static int64_t sqlite_column_int(void *st, int column)
{
    return sqlite3_column_int64(st, column);
}

static double sqlite_column_double(void *st, int column)
{
    return sqlite3_column_double(st, column);
}

static struct slice sqlite_column_text(void *st, int column)
{
    const void *bytes = sqlite3_column_type(st, column) == SQLITE_BLOB ? sqlite3_column_blob(st, column)
                                                                       : sqlite3_column_text(st, column);
    int len = sqlite3_column_bytes(st, column);

    return bytes ? slice_of(bytes, (size_t)len) : SLICE_EMPTY;
}

static bool sqlite_column_is_null(void *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL;
}

const struct sql_driver sql_sqlite_driver = {
    .name = "sqlite3",
    .open = sqlite_open,
    .close = sqlite_close,
    .exec = sqlite_exec,
    .begin_sql = "BEGIN IMMEDIATE",
    .count_schema_tables_sql =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
    .in_transaction = sqlite_in_transaction,
    .set_foreign_keys = sqlite_set_foreign_keys,
    .check_foreign_keys = sqlite_check_foreign_keys,
    .last_insert_id = sqlite_last_insert_id,
    .changes = sqlite_changes,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .reset = sqlite_reset,
    .bind_int = sqlite_bind_int,
    .bind_double = sqlite_bind_double,
    .bind_text = sqlite_bind_text,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .column_int = sqlite_column_int,
    .column_double = sqlite_column_double,
    .column_text = sqlite_column_text,
    .column_is_null = sqlite_column_is_null,
};
