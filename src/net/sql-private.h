// SPDX-License-Identifier: MIT
// What sql.c asks of a database. A driver is one file that ends in one const struct sql_driver; it knows
// nothing of pools, statement caches, transactions' bookkeeping or migrations.
//
// 'db' and 'st' are the driver's own; both are used by one thread at a time. Errors name the database's
// reason only; sql.c puts the statement in front.
#ifndef NET_SQL_PRIVATE_H
#define NET_SQL_PRIVATE_H

#include "net/sql.h"

struct sql_driver {
    const char *name;
    // A reader must not be able to change anything. All settings that hold per connection are made here.
    int (*open)(const struct sql_options *options, bool writer, void **ret_db, struct error *err);
    void (*close)(void *db); // all statements are finalized already
    int (*exec)(void *db, const char *sql, struct error *err);
    const char *begin_sql;               // a transaction that writes, taking its lock at once
    const char *count_schema_tables_sql; // number of tables named schema_migrations
    bool (*in_transaction)(void *db);
    int (*set_foreign_keys)(void *db, bool on, struct error *err); // outside of transactions
    // Inside a transaction: ERR_INVALID naming the first row that refers to nothing.
    int (*check_foreign_keys)(void *db, struct error *err);
    int64_t (*last_insert_id)(void *db);
    int64_t (*changes)(void *db);

    int (*prepare)(void *db, const char *sql, void **ret_st, struct error *err);
    void (*finalize)(void *st);
    void (*reset)(void *st, bool clear_bindings);
    int (*bind_int)(void *st, int index, int64_t v); // negative: out of memory or too large
    int (*bind_double)(void *st, int index, double v);
    int (*bind_text)(void *st, int index, struct slice v);
    int (*bind_null)(void *st, int index);
    int (*step)(void *st, struct error *err);
    int64_t (*column_int)(void *st, int column);
    double (*column_double)(void *st, int column);
    struct slice (*column_text)(void *st, int column);
    bool (*column_is_null)(void *st, int column);
};

extern const struct sql_driver sql_sqlite_driver;

#endif
