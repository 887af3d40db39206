// SPDX-License-Identifier: MIT
#include <pthread.h>

#include "base/hashmap.h"
#include "base/mem.h"
#include "net/sql-private.h"

#define DEFAULT_READERS 3
#define MAX_STATEMENTS  256

struct sql_stmt {
    struct sql_conn *conn;
    char *text;
    void *st;
    uint64_t prepared_at; // counts prepares of the connection
    bool active;          // stepped, not reset yet
    int bind_error;       // first failed bind, told by the next step
};

struct sql_conn {
    const struct sql_driver *driver;
    struct sql_pool *pool;
    void *db;
    bool writer;
    struct hashmap *by_text; // statement by its text
    struct sql_stmt *statements[MAX_STATEMENTS];
    size_t statement_count;
    uint64_t prepares;
    struct sql_conn *next_free; // among the readers that are free
};

struct sql_pool {
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t writer_back, reader_back;
    struct sql_conn *writer;
    bool writer_taken;
    struct sql_conn **readers;
    size_t reader_count, readers_taken;
    struct sql_conn *free_readers;
};

// ---- statements -------------------------------------------------------------------------------------------

// "<reason> (in 'SELECT ...')", the statement on one line and cut.
static int name_statement(struct error *err, int code, const char *sql)
{
    char line[128];
    size_t len = 0;

    if (!err)
        return code;
    for (const char *p = sql; *p && len < sizeof(line) - 4; p++)
        if (!(*p == ' ' || *p == '\n' || *p == '\t') || (len > 0 && line[len - 1] != ' '))
            line[len++] = *p == '\n' || *p == '\t' ? ' ' : *p;
    line[len] = '\0';
    return error_prefix(err, "sql '%s%s'", line, len == sizeof(line) - 4 ? "..." : "");
}

static void free_statement(struct sql_stmt *stmt)
{
    stmt->conn->driver->finalize(stmt->st);
    mem_free(stmt->text);
    mem_free(stmt);
}

static bool rather_drop(const struct sql_stmt *a, const struct sql_stmt *b)
{
    return a->active != b->active ? !a->active : a->prepared_at < b->prepared_at;
}

// Makes room by giving up the statement that was not asked for the longest time, not one that is being read.
static void drop_oldest_statement(struct sql_conn *conn)
{
    size_t oldest = 0;

    for (size_t i = 1; i < conn->statement_count; i++)
        if (rather_drop(conn->statements[i], conn->statements[oldest]))
            oldest = i;
    struct sql_stmt *stmt = conn->statements[oldest];
    hashmap_remove(conn->by_text, slice_from_cstr(stmt->text));
    free_statement(stmt);
    conn->statements[oldest] = conn->statements[--conn->statement_count];
}

int sql_prepare(struct sql_conn *conn, const char *sql, struct sql_stmt **ret_stmt, struct error *err)
{
    struct sql_stmt *stmt = hashmap_get(conn->by_text, slice_from_cstr(sql));

    if (!stmt) {
        void *st = NULL;
        int ret = conn->driver->prepare(conn->db, sql, &st, err);

        if (ret < 0)
            return name_statement(err, ret, sql);
        if (conn->statement_count == MAX_STATEMENTS)
            drop_oldest_statement(conn);
        stmt = NEW(struct sql_stmt);
        stmt->conn = conn;
        stmt->text = mem_strdup(sql);
        stmt->st = st;
        conn->statements[conn->statement_count++] = stmt;
        hashmap_put(conn->by_text, slice_from_cstr(sql), stmt);
    } else {
        conn->driver->reset(stmt->st, true);
    }
    stmt->prepared_at = ++conn->prepares;
    stmt->active = false;
    stmt->bind_error = 0;
    *ret_stmt = stmt;
    return 0;
}

static void note_bind(struct sql_stmt *stmt, int result)
{
    if (result < 0 && stmt->bind_error == 0)
        stmt->bind_error = result;
}

void sql_bind_int(struct sql_stmt *stmt, int index, int64_t v)
{
    note_bind(stmt, stmt->conn->driver->bind_int(stmt->st, index, v));
}

void sql_bind_double(struct sql_stmt *stmt, int index, double v)
{
    note_bind(stmt, stmt->conn->driver->bind_double(stmt->st, index, v));
}

void sql_bind_text(struct sql_stmt *stmt, int index, struct slice v)
{
    note_bind(stmt, stmt->conn->driver->bind_text(stmt->st, index, v));
}

void sql_bind_null(struct sql_stmt *stmt, int index)
{
    note_bind(stmt, stmt->conn->driver->bind_null(stmt->st, index));
}

int sql_step(struct sql_stmt *stmt, struct error *err)
{
    const struct sql_driver *driver = stmt->conn->driver;

    if (stmt->bind_error < 0) {
        ignore_result(error_set(err, (enum error_code)stmt->bind_error, "a parameter is too large") < 0);
        return name_statement(err, stmt->bind_error, stmt->text);
    }
    int ret = driver->step(stmt->st, err);
    if (ret < 0)
        name_statement(err, ret, stmt->text);
    stmt->active = ret > 0;
    if (ret <= 0)
        driver->reset(stmt->st, false); // ends the read; bindings stay for another run
    return ret;
}

int64_t sql_column_int(struct sql_stmt *stmt, int column)
{
    return stmt->conn->driver->column_int(stmt->st, column);
}

double sql_column_double(struct sql_stmt *stmt, int column)
{
    return stmt->conn->driver->column_double(stmt->st, column);
}

struct slice sql_column_text(struct sql_stmt *stmt, int column)
{
    return stmt->conn->driver->column_text(stmt->st, column);
}

bool sql_column_is_null(struct sql_stmt *stmt, int column)
{
    return stmt->conn->driver->column_is_null(stmt->st, column);
}

void sql_finish(struct sql_stmt *stmt)
{
    stmt->conn->driver->reset(stmt->st, false);
    stmt->active = false;
}

int64_t sql_last_insert_id(struct sql_conn *conn)
{
    return conn->driver->last_insert_id(conn->db);
}

int64_t sql_changes(struct sql_conn *conn)
{
    return conn->driver->changes(conn->db);
}

// ---- connections and transactions -------------------------------------------------------------------------

int sql_exec(struct sql_conn *conn, const char *sql, struct error *err)
{
    int ret = conn->driver->exec(conn->db, sql, err);

    return ret < 0 ? name_statement(err, ret, sql) : 0;
}

int sql_begin(struct sql_conn *conn, struct error *err)
{
    ASSERT(conn->writer && !conn->driver->in_transaction(conn->db));
    return sql_exec(conn, conn->driver->begin_sql, err);
}

int sql_commit(struct sql_conn *conn, struct error *err)
{
    return sql_exec(conn, "COMMIT", err);
}

void sql_rollback(struct sql_conn *conn)
{
    if (conn->driver->in_transaction(conn->db))
        ignore_result(sql_exec(conn, "ROLLBACK", NULL) < 0); // fails only when the database did it itself
}

static void free_conn(struct sql_conn *conn)
{
    if (!conn)
        return;
    for (size_t i = 0; i < conn->statement_count; i++)
        free_statement(conn->statements[i]);
    hashmap_free(&conn->by_text);
    conn->driver->close(conn->db);
    mem_free(conn);
}

static int open_conn(struct sql_pool *pool, const struct sql_options *options, bool writer,
                     struct sql_conn **ret_conn, struct error *err)
{
    const struct sql_driver *driver = &sql_sqlite_driver;
    void *db = NULL;
    int ret = driver->open(options, writer, &db, err);

    if (ret < 0)
        return ret;
    struct sql_conn *conn = NEW(struct sql_conn);
    conn->driver = driver;
    conn->pool = pool;
    conn->db = db;
    conn->writer = writer;
    conn->by_text = hashmap_new();
    *ret_conn = conn;
    return 0;
}

int sql_pool_open(const struct sql_options *options, struct sql_pool **ret_pool, struct error *err)
{
    struct sql_pool *pool = NEW(struct sql_pool);
    size_t readers = options->readers ? options->readers : DEFAULT_READERS;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->writer_back, NULL);
    pthread_cond_init(&pool->reader_back, NULL);
    pool->readers = NEW_ARRAY(struct sql_conn *, readers);
    int ret = open_conn(pool, options, true, &pool->writer, err);
    while (ret == 0 && pool->reader_count < readers) {
        struct sql_conn *reader = NULL;

        ret = open_conn(pool, options, false, &reader, err);
        if (ret < 0)
            break;
        pool->readers[pool->reader_count++] = reader;
        reader->next_free = pool->free_readers;
        pool->free_readers = reader;
    }
    if (ret < 0) {
        sql_pool_close(&pool);
        return ret;
    }
    *ret_pool = pool;
    return 0;
}

void sql_pool_close(struct sql_pool **pool_ptr)
{
    struct sql_pool *pool = *pool_ptr;

    if (!pool)
        return;
    ASSERT(!pool->writer_taken && pool->readers_taken == 0);
    for (size_t i = 0; i < pool->reader_count; i++)
        free_conn(pool->readers[i]);
    free_conn(pool->writer); // last: it writes the log back into the file
    mem_free(pool->readers);
    pthread_cond_destroy(&pool->writer_back);
    pthread_cond_destroy(&pool->reader_back);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool);
    *pool_ptr = NULL;
}

struct sql_conn *sql_take_writer(struct sql_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->writer_taken)
        pthread_cond_wait(&pool->writer_back, &pool->lock);
    pool->writer_taken = true;
    pthread_mutex_unlock(&pool->lock);
    return pool->writer;
}

struct sql_conn *sql_take_reader(struct sql_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->free_readers)
        pthread_cond_wait(&pool->reader_back, &pool->lock);
    struct sql_conn *conn = pool->free_readers;
    pool->free_readers = conn->next_free;
    pool->readers_taken++;
    pthread_mutex_unlock(&pool->lock);
    return conn;
}

void sql_give_back(struct sql_conn **conn_ptr)
{
    struct sql_conn *conn = *conn_ptr;

    if (!conn)
        return;
    struct sql_pool *pool = conn->pool;
    for (size_t i = 0; i < conn->statement_count; i++)
        if (conn->statements[i]->active)
            sql_finish(conn->statements[i]); // a read left open would keep the log from being written back
    sql_rollback(conn);
    pthread_mutex_lock(&pool->lock);
    if (conn->writer) {
        pool->writer_taken = false;
        pthread_cond_signal(&pool->writer_back);
    } else {
        conn->next_free = pool->free_readers;
        pool->free_readers = conn;
        pool->readers_taken--;
        pthread_cond_signal(&pool->reader_back);
    }
    pthread_mutex_unlock(&pool->lock);
    *conn_ptr = NULL;
}

// ---- schema -----------------------------------------------------------------------------------------------

static int query_int(struct sql_conn *conn, const char *sql, int64_t *ret, int64_t *ret_second,
                     struct error *err)
{
    struct sql_stmt *stmt;
    int got = sql_prepare(conn, sql, &stmt, err);

    if (got == 0)
        got = sql_step(stmt, err);
    if (got == 1) {
        *ret = sql_column_int(stmt, 0);
        if (ret_second)
            *ret_second = sql_column_int(stmt, 1);
        sql_finish(stmt);
    }
    return got;
}

int sql_schema_version(struct sql_conn *conn, int *ret_version, bool *ret_dirty, struct error *err)
{
    int64_t tables = 0, version = 0, dirty = 0;
    int got = query_int(conn, conn->driver->count_schema_tables_sql, &tables, NULL, err);

    if (got >= 0 && tables > 0)
        got = query_int(conn, "SELECT version, dirty FROM schema_migrations LIMIT 1", &version, &dirty, err);
    if (got < 0)
        return got;
    if (version < 0 || version > INT32_MAX)
        return error_set(err, ERR_CORRUPT, "schema version %lld is out of range", (long long)version);
    *ret_version = (int)version;
    *ret_dirty = dirty != 0;
    return 0;
}

static int write_version(struct sql_conn *conn, int version, struct error *err)
{
    struct sql_stmt *stmt;
    int ret = sql_exec(conn, "DELETE FROM schema_migrations", err);

    if (ret == 0)
        ret = sql_prepare(conn, "INSERT INTO schema_migrations (version, dirty) VALUES (?, 0)", &stmt, err);
    if (ret < 0)
        return ret;
    sql_bind_int(stmt, 1, version);
    return sql_step(stmt, err);
}

static int run_step(struct sql_conn *conn, const struct sql_migration *step, struct error *err)
{
    int ret = sql_begin(conn, err);

    if (ret == 0)
        ret = conn->driver->exec(conn->db, step->sql, err);
    if (ret == 0)
        ret = conn->driver->check_foreign_keys(conn->db, err);
    if (ret == 0)
        ret = write_version(conn, step->version, err);
    if (ret == 0)
        ret = sql_commit(conn, err);
    if (ret < 0) {
        sql_rollback(conn);
        return error_prefix(err, "schema step %d", step->version);
    }
    return 0;
}

static int run_steps_from(struct sql_conn *conn, int version, const struct sql_migration *steps, size_t count,
                          struct error *err)
{
    int ret = 0;

    for (size_t i = 0; i < count && ret == 0; i++)
        if (steps[i].version > version)
            ret = run_step(conn, &steps[i], err);
    return ret;
}

int sql_migrate(struct sql_conn *conn, const struct sql_migration *steps, size_t count, struct error *err)
{
    int version = 0;
    bool dirty = false;
    int ret = sql_schema_version(conn, &version, &dirty, err);

    if (ret < 0)
        return ret;
    if (dirty)
        return error_set(err, ERR_CORRUPT,
                         "last migration to version %d has failed, please fix the db manually", version);
    if (count == 0 || version >= steps[count - 1].version)
        return 0;
    ret = sql_exec(conn,
                   "CREATE TABLE IF NOT EXISTS schema_migrations (version uint64, dirty bool);"
                   "CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON schema_migrations (version)",
                   err);
    if (ret < 0)
        return ret;
    ret = conn->driver->set_foreign_keys(conn->db, false, err);
    if (ret < 0)
        return ret;
    ret = run_steps_from(conn, version, steps, count, err);
    int on = conn->driver->set_foreign_keys(conn->db, true, ret == 0 ? err : NULL);
    return ret < 0 ? ret : on;
}
