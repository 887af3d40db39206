// SPDX-License-Identifier: MIT
#include "backend/sql-schema.h"

#include "base/log.h"
#include "baseline-data.h"

// 'unsupported database version' has two endings, one for each direction.
static int refuse(int version, struct error *err)
{
    const char *way = version < JOB_DB_VERSION
                          ? "Please backup your database file and run cc-backend -migrate-db"
                          : "Please refer to documentation how to downgrade db with external migrate tool";
    return error_set(err, ERR_UNSUPPORTED, "unsupported database version %d, need %d.\n%s", version,
                     JOB_DB_VERSION, way);
}

int sql_schema_check(struct sql_conn *conn, struct error *err)
{
    int version = 0;
    bool dirty = false;
    int rc = sql_schema_version(conn, &version, &dirty, err);
    if (rc)
        return rc;
    if (version == 0)
        log_warn("Legacy database without version or missing database file!");
    if (dirty)
        return error_set(
            err, ERR_UNSUPPORTED,
            "last migration to version %d has failed, please fix the db manually and force version "
            "with -force-db flag",
            version);
    return version == JOB_DB_VERSION ? 0 : refuse(version, err);
}

int sql_schema_migrate(struct sql_conn *conn, struct error *err)
{
    const struct sql_migration steps[] = {{.version = JOB_DB_VERSION, .sql = baseline_sql}};
    int version = 0;
    bool dirty = false;
    int rc = sql_schema_version(conn, &version, &dirty, err);
    if (rc)
        return rc;
    if (version == JOB_DB_VERSION && !dirty)
        return 0;
    if (version != 0 || dirty)
        return sql_schema_check(conn, err);
    return sql_migrate(conn, steps, ARRAY_LEN(steps), err);
}

static int has_column(struct sql_conn *conn, bool *ret_has, struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn, "SELECT 1 FROM pragma_table_info('job') WHERE name = 'requested_memory'",
                         &stmt, err);
    if (rc)
        return rc;
    rc = sql_step(stmt, err);
    sql_finish(stmt);
    *ret_has = rc == 1;
    return rc < 0 ? rc : 0;
}

int sql_schema_complete(struct sql_conn *conn, struct error *err)
{
    bool has = false;
    int rc = has_column(conn, &has, err);
    if (rc || has)
        return rc;
    return sql_exec(conn, "ALTER TABLE job ADD COLUMN requested_memory BIGINT NOT NULL DEFAULT 0", err);
}
