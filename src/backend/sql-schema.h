// SPDX-License-Identifier: MIT
// The job database as a file: schema version 11 (spec backend.md 2.2-2.4), one baseline step for a new one
// (sql/011-baseline.sql). Databases of other versions are refused with upstream's texts.
#ifndef BACKEND_SQL_SCHEMA_H
#define BACKEND_SQL_SCHEMA_H

#include "base/error.h"
#include "net/sql.h"

#define JOB_DB_VERSION 11

// Checks the version: 0, or ERR_UNSUPPORTED with the message that upstream prints.
int sql_schema_check(struct sql_conn *conn, struct error *err) MUST_CHECK;
// Makes an empty database one of version 11; one of version 11 stays as it is; anything else is
// ERR_UNSUPPORTED.
int sql_schema_migrate(struct sql_conn *conn, struct error *err) MUST_CHECK;
// Adds what later statements need and upstream's tables of version 11 lack (column job.requested_memory).
// Idempotent.
int sql_schema_complete(struct sql_conn *conn, struct error *err) MUST_CHECK;

#endif
