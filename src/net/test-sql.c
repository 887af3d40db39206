// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/sql.h"

struct fixture {
    char *dir, *path;
    struct sql_pool *pool;
};

static void open_pool(struct fixture *f, struct sql_options options)
{
    struct error err = ERROR_INIT;
    char dir[] = "/tmp/test-sql-XXXXXX";

    f->dir = mem_strdup(mkdtemp(dir));
    f->path = file_join(f->dir, "job.db");
    options.path = f->path;
    options.create = true;
    if (sql_pool_open(&options, &f->pool, &err) < 0)
        fail_msg("%s", err.text);
}

static void close_pool(struct fixture *f)
{
    sql_pool_close(&f->pool);
    assert_int_equal(file_remove_tree(f->dir, NULL), 0);
    mem_free(f->dir);
    mem_free(f->path);
}

static void must_exec(struct sql_conn *conn, const char *sql)
{
    struct error err = ERROR_INIT;

    if (sql_exec(conn, sql, &err) < 0)
        fail_msg("%s", err.text);
}

static struct sql_stmt *must_prepare(struct sql_conn *conn, const char *sql)
{
    struct error err = ERROR_INIT;
    struct sql_stmt *stmt = NULL;

    if (sql_prepare(conn, sql, &stmt, &err) < 0)
        fail_msg("%s", err.text);
    return stmt;
}

static int64_t get_int(struct sql_conn *conn, const char *sql)
{
    struct sql_stmt *stmt = must_prepare(conn, sql);
    struct error err = ERROR_INIT;

    if (sql_step(stmt, &err) != 1)
        fail_msg("%s: no row: %s", sql, err.text);
    int64_t v = sql_column_int(stmt, 0);
    sql_finish(stmt);
    return v;
}

static void test_types(void **state)
{
    struct fixture f;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *w = sql_take_writer(f.pool);
    must_exec(w, "CREATE TABLE t (i INTEGER, d REAL, s TEXT, n TEXT, b BLOB); CREATE TABLE u (x)");
    struct sql_stmt *insert = must_prepare(w, "INSERT INTO t VALUES (?, ?, ?, ?, x'00ff')");
    sql_bind_int(insert, 1, INT64_MIN);
    sql_bind_double(insert, 2, 0.1);
    sql_bind_text(insert, 3, slice_of("a\0b'", 4));
    sql_bind_null(insert, 4);
    assert_int_equal(sql_step(insert, NULL), 0);
    assert_int_equal(sql_last_insert_id(w), 1);
    assert_int_equal(sql_changes(w), 1);
    sql_bind_text(insert, 3, SLICE_EMPTY); // other bindings stay
    assert_int_equal(sql_step(insert, NULL), 0);
    sql_give_back(&w);
    assert_null(w);

    struct sql_conn *r = sql_take_reader(f.pool);
    struct sql_stmt *select = must_prepare(r, "SELECT * FROM t ORDER BY rowid");
    assert_int_equal(sql_step(select, NULL), 1);
    assert_true(sql_column_int(select, 0) == INT64_MIN);
    assert_true(sql_column_double(select, 1) == 0.1);
    assert_true(slice_eq(sql_column_text(select, 2), slice_of("a\0b'", 4)));
    assert_true(sql_column_is_null(select, 3));
    assert_int_equal(sql_column_text(select, 3).len, 0);
    assert_int_equal(sql_column_int(select, 3), 0);
    assert_true(slice_eq(sql_column_text(select, 4), slice_of("\0\xff", 2)));
    assert_true(slice_eq_cstr(sql_column_text(select, 0), "-9223372036854775808"));
    assert_int_equal(sql_step(select, NULL), 1);
    assert_false(sql_column_is_null(select, 2)); // empty is not NULL
    assert_int_equal(sql_column_text(select, 2).len, 0);
    assert_int_equal(sql_step(select, NULL), 0);
    sql_give_back(&r);
    close_pool(&f);
}

static void test_settings(void **state)
{
    struct fixture f;

    (void)state;
    open_pool(&f, (struct sql_options){.cache_kib = 2048});
    struct sql_conn *w = sql_take_writer(f.pool), *r[3];
    assert_int_equal(get_int(w, "PRAGMA synchronous"), 2);
    assert_int_equal(get_int(w, "PRAGMA cache_size"), -2048);
    for (int i = 0; i < 3; i++) {
        r[i] = sql_take_reader(f.pool);
        assert_int_equal(get_int(r[i], "PRAGMA foreign_keys"), 1);
        assert_int_equal(get_int(r[i], "PRAGMA temp_store"), 2); // on every connection, not on one of them
        assert_int_equal(get_int(r[i], "PRAGMA cache_size"), -2048);
        assert_int_equal(get_int(r[i], "PRAGMA busy_timeout"), 60000);
        struct error err = ERROR_INIT;
        assert_int_equal(sql_exec(r[i], "CREATE TABLE x (y)", &err), ERR_DENIED);
        sql_give_back(&r[i]);
    }
    assert_int_equal(get_int(w, "PRAGMA temp_store"), 2);
    sql_give_back(&w);
    close_pool(&f);
}

static void test_errors_name_the_statement(void **state)
{
    static const struct {
        const char *sql, *text;
        int code;
    } cases[] = {
        {"SELEC 1", "sql 'SELEC 1': near \"SELEC\": syntax error", ERR_INVALID},
        {"SELECT *\n    FROM  nowhere", "sql 'SELECT * FROM nowhere': no such table: nowhere", ERR_INVALID},
        {"", "sql '': the text holds no statement", ERR_INVALID},
        {"INSERT INTO u VALUES (1)", "sql 'INSERT INTO u VALUES (1)': UNIQUE constraint failed: u.x",
         ERR_EXISTS},
        {"INSERT INTO c VALUES (7)", "sql 'INSERT INTO c VALUES (7)': FOREIGN KEY constraint failed",
         ERR_EXISTS},
    };
    struct fixture f;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *w = sql_take_writer(f.pool);
    must_exec(w, "CREATE TABLE u (x UNIQUE); CREATE TABLE c (x REFERENCES u (x)); INSERT INTO u VALUES (1)");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct sql_stmt *stmt = NULL;
        int ret = sql_prepare(w, cases[i].sql, &stmt, &err);

        if (ret == 0)
            ret = sql_step(stmt, &err);
        if (ret != cases[i].code || strcmp(err.text, cases[i].text) != 0)
            fail_msg("'%s': %d '%s'", cases[i].sql, ret, err.text);
    }
    sql_give_back(&w);
    close_pool(&f);
}

static void test_transactions(void **state)
{
    struct fixture f;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 2});
    struct sql_conn *w = sql_take_writer(f.pool), *r = sql_take_reader(f.pool);
    must_exec(w, "CREATE TABLE t (x)");
    assert_int_equal(sql_begin(w, NULL), 0);
    must_exec(w, "INSERT INTO t VALUES (1)");
    assert_int_equal(get_int(r, "SELECT COUNT(*) FROM t"), 0);
    assert_int_equal(sql_commit(w, NULL), 0);
    assert_int_equal(get_int(r, "SELECT COUNT(*) FROM t"), 1);
    assert_int_equal(sql_begin(w, NULL), 0);
    must_exec(w, "INSERT INTO t VALUES (2)");
    sql_rollback(w);
    sql_rollback(w); // outside a transaction: nothing
    assert_int_equal(get_int(r, "SELECT COUNT(*) FROM t"), 1);
    // given back in the middle: rolled back, and the rows that were left are closed
    assert_int_equal(sql_begin(w, NULL), 0);
    must_exec(w, "INSERT INTO t VALUES (3)");
    assert_int_equal(sql_step(must_prepare(w, "SELECT x FROM t"), NULL), 1);
    sql_give_back(&w);
    w = sql_take_writer(f.pool);
    assert_int_equal(sql_begin(w, NULL), 0);
    sql_rollback(w);
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM t"), 1);
    sql_give_back(&w);
    sql_give_back(&r);
    close_pool(&f);
}

// The statements are kept; more than the cache holds work as well.
static void test_statement_cache(void **state)
{
    struct fixture f;
    char sql[64];

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *r = sql_take_reader(f.pool);
    struct sql_stmt *first = must_prepare(r, "SELECT 0 + 1");
    assert_ptr_equal(must_prepare(r, "SELECT 0 + 1"), first);
    struct sql_stmt *open = must_prepare(r, "SELECT 7 UNION SELECT 8");
    assert_int_equal(sql_step(open, NULL), 1);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 300; i++) {
            snprintf(sql, sizeof(sql), "SELECT %d + 1", i);
            assert_int_equal(get_int(r, sql), i + 1);
        }
    assert_int_equal(sql_column_int(open, 0), 7); // was being read, so it stayed
    assert_int_equal(sql_step(open, NULL), 1);
    assert_int_equal(sql_column_int(open, 0), 8);
    sql_give_back(&r);
    close_pool(&f);
}

static void test_locked_database(void **state)
{
    struct fixture f;
    struct sql_pool *other = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    open_pool(&f, (struct sql_options){.busy_timeout_ms = 50});
    struct sql_options options = {.path = f.path, .busy_timeout_ms = 50};
    assert_int_equal(sql_pool_open(&options, &other, &err), 0);
    struct sql_conn *a = sql_take_writer(f.pool), *b = sql_take_writer(other);
    must_exec(a, "CREATE TABLE t (x)");
    assert_int_equal(sql_begin(a, NULL), 0);
    assert_int_equal(sql_begin(b, &err), ERR_BUSY);
    assert_string_equal(err.text, "sql 'BEGIN IMMEDIATE': database is locked");
    sql_rollback(b);
    assert_int_equal(get_int(b, "SELECT COUNT(*) FROM t"), 0); // readers are not kept out
    sql_rollback(a);
    assert_int_equal(sql_begin(b, NULL), 0);
    sql_rollback(b);
    sql_give_back(&a);
    sql_give_back(&b);
    sql_pool_close(&other);
    close_pool(&f);
}

static void test_full_disk(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    int ret = 0, rows = 0;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *w = sql_take_writer(f.pool);
    must_exec(w, "CREATE TABLE t (x TEXT)");
    assert_int_equal(get_int(w, "PRAGMA max_page_count = 20"), 20);
    while (ret == 0 && rows < 1000) {
        ret = sql_begin(w, &err);
        if (ret == 0)
            ret = sql_exec(w, "INSERT INTO t VALUES (zeroblob(3000))", &err);
        if (ret == 0)
            ret = sql_commit(w, &err);
        if (ret == 0)
            rows++;
    }
    sql_rollback(w);
    assert_int_equal(ret, ERR_NO_SPACE);
    assert_string_equal(err.text, "sql 'INSERT INTO t VALUES (zeroblob(3000))': database or disk is full");
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM t"), rows); // all that was committed, no more
    assert_int_equal(get_int(w, "PRAGMA max_page_count = 1000"), 1000);
    must_exec(w, "INSERT INTO t VALUES (zeroblob(3000))");
    sql_give_back(&w);
    close_pool(&f);
}

static void test_bad_files(void **state)
{
    struct fixture f;
    struct sql_pool *pool = NULL;
    struct error err = ERROR_INIT;
    char expected[256];

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    char *garbage = file_join(f.dir, "garbage.db"), *missing = file_join(f.dir, "missing.db");
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    buf_append_fill(&bytes, 'x', 8192);
    assert_int_equal(io_replace_file(&io_system, garbage, buf_slice(&bytes), 0600, NULL), 0);
    buf_release(&bytes);

    struct sql_options options = {.path = garbage, .create = true};
    assert_int_equal(sql_pool_open(&options, &pool, &err), ERR_CORRUPT);
    snprintf(expected, sizeof(expected), "cannot open database '%s': file is not a database", garbage);
    assert_string_equal(err.text, expected);
    options = (struct sql_options){.path = missing};
    assert_int_equal(sql_pool_open(&options, &pool, &err), ERR_NOT_FOUND);
    snprintf(expected, sizeof(expected), "cannot open database '%s': No such file or directory", missing);
    assert_string_equal(err.text, expected);
    assert_false(file_exists(missing));
    options = (struct sql_options){.path = f.dir, .create = true};
    assert_int_equal(sql_pool_open(&options, &pool, &err), ERR_IO);
    assert_null(pool);
    mem_free(garbage);
    mem_free(missing);
    close_pool(&f);
}

// A page in the middle is damaged: reading it is an error, not a crash.
static void test_damaged_page(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *w = sql_take_writer(f.pool);
    must_exec(w, "CREATE TABLE t (x TEXT); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                 "WHERE i < 500) "
                 "INSERT INTO t SELECT hex(zeroblob(100)) FROM n");
    sql_give_back(&w);
    sql_pool_close(&f.pool);
    FILE *file = fopen(f.path, "r+b");
    for (int page = 1; page < 20; page++) {
        fseek(file, page * 4096L, SEEK_SET);
        for (int i = 0; i < 64; i++)
            fputc(0xa5, file);
    }
    fclose(file);
    struct sql_options options = {.path = f.path};
    assert_int_equal(sql_pool_open(&options, &f.pool, &err), 0);
    struct sql_conn *r = sql_take_reader(f.pool);
    struct sql_stmt *stmt = must_prepare(r, "SELECT SUM(length(x)) FROM t");
    assert_int_equal(sql_step(stmt, &err), ERR_CORRUPT);
    assert_string_equal(err.text, "sql 'SELECT SUM(length(x)) FROM t': database disk image is malformed");
    sql_give_back(&r);
    close_pool(&f);
}

static const struct sql_migration steps[] = {
    {1,
     "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT); CREATE TABLE tag (id INTEGER PRIMARY KEY);"
     "CREATE TABLE jobtag (job_id INTEGER REFERENCES job (id) ON DELETE CASCADE, tag_id INTEGER REFERENCES "
     "tag (id));"
     "INSERT INTO job VALUES (1, 'stopped'); INSERT INTO tag VALUES (1); INSERT INTO jobtag VALUES (1, 1)"},
    {2, "CREATE TABLE job_new (id INTEGER PRIMARY KEY, state TEXT, shared TEXT);"
        "INSERT INTO job_new SELECT id, state, 'none' FROM job; DROP TABLE job; ALTER TABLE job_new RENAME "
        "TO job"},
    {5, "CREATE INDEX jobs_state ON job (state)"},
};

static void test_migrations(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    int version = -1;
    bool dirty = true;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *w = sql_take_writer(f.pool);
    assert_int_equal(sql_schema_version(w, &version, &dirty, NULL), 0);
    assert_int_equal(version, 0);
    assert_false(dirty);
    assert_int_equal(sql_migrate(w, steps, 1, &err), 0);
    if (sql_migrate(w, steps, ARRAY_LEN(steps), &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sql_schema_version(w, &version, &dirty, NULL), 0);
    assert_int_equal(version, 5);
    // rebuilding the table did not take the tags along
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM jobtag"), 1);
    assert_int_equal(get_int(w, "PRAGMA foreign_keys"), 1);
    // what golang-migrate expects to find
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM schema_migrations WHERE version = 5 AND dirty = 0"), 1);
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM schema_migrations"), 1);
    assert_int_equal(
        get_int(w, "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND name = 'version_unique'"), 1);
    assert_int_equal(sql_migrate(w, steps, ARRAY_LEN(steps), &err), 0); // again: nothing to do
    assert_int_equal(sql_migrate(w, steps, 1, &err), 0);                // newer than known: left alone
    assert_int_equal(sql_schema_version(w, &version, &dirty, NULL), 0);
    assert_int_equal(version, 5);
    sql_give_back(&w);
    close_pool(&f);
}

static void test_failing_migrations(void **state)
{
    static const struct sql_migration broken[] = {{1, "CREATE TABLE a (x)"},
                                                  {2, "CREATE TABLE b (x); SYNTAX"}};
    static const struct sql_migration dangling[] = {
        {1, "CREATE TABLE a (x INTEGER PRIMARY KEY); CREATE TABLE b (y REFERENCES a (x)); INSERT INTO b "
            "VALUES (5)"}};
    struct fixture f;
    struct error err = ERROR_INIT;
    int version = -1;
    bool dirty = true;

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 1});
    struct sql_conn *w = sql_take_writer(f.pool);
    assert_int_equal(sql_migrate(w, dangling, 1, &err), ERR_INVALID);
    assert_string_equal(err.text,
                        "schema step 1: row 1 of table 'b' refers to a row of 'a' that does not exist");
    assert_int_equal(sql_migrate(w, broken, 2, &err), ERR_INVALID);
    assert_string_equal(err.text, "schema step 2: near \"SYNTAX\": syntax error");
    assert_int_equal(sql_schema_version(w, &version, &dirty, NULL), 0);
    assert_int_equal(version, 1);
    assert_false(dirty);
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'b'"), 0);
    assert_int_equal(get_int(w, "PRAGMA foreign_keys"), 1);
    must_exec(w, "UPDATE schema_migrations SET dirty = 1");
    assert_int_equal(sql_migrate(w, broken, 2, &err), ERR_CORRUPT);
    assert_string_equal(err.text, "last migration to version 1 has failed, please fix the db manually");
    sql_give_back(&w);
    close_pool(&f);
}

struct worker {
    struct sql_pool *pool;
    int failures;
};

static void *write_rows(void *arg)
{
    struct worker *me = arg;

    for (int i = 0; i < 50; i++) {
        struct sql_conn *w = sql_take_writer(me->pool);
        struct sql_stmt *stmt;

        me->failures += sql_begin(w, NULL) < 0 ||
                        sql_prepare(w, "INSERT INTO t VALUES (1)", &stmt, NULL) < 0 ||
                        sql_step(stmt, NULL) != 0 || sql_commit(w, NULL) < 0;
        sql_give_back(&w);
        struct sql_conn *r = sql_take_reader(me->pool);
        me->failures += sql_prepare(r, "SELECT COUNT(*) FROM t", &stmt, NULL) < 0 ||
                        sql_step(stmt, NULL) != 1 || sql_column_int(stmt, 0) < i + 1;
        sql_give_back(&r);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture f;
    struct worker workers[4];
    pthread_t threads[4];

    (void)state;
    open_pool(&f, (struct sql_options){.readers = 2});
    struct sql_conn *w = sql_take_writer(f.pool);
    must_exec(w, "CREATE TABLE t (x)");
    sql_give_back(&w);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.pool = f.pool};
        assert_int_equal(pthread_create(&threads[i], NULL, write_rows, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    w = sql_take_writer(f.pool);
    assert_int_equal(get_int(w, "SELECT COUNT(*) FROM t"), 200);
    sql_give_back(&w);
    close_pool(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_errors_name_the_statement),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_statement_cache),
        cmocka_unit_test(test_locked_database),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_damaged_page),
        cmocka_unit_test(test_migrations),
        cmocka_unit_test(test_failing_migrations),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
