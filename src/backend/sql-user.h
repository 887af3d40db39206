// SPDX-License-Identifier: MIT
// Statements on table hpc_user (spec auth.md 2.1).
#ifndef BACKEND_SQL_USER_H
#define BACKEND_SQL_USER_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "net/sql.h"

struct user; // auth.h

// 1: *ret has the roles that the database knows; 0: no such user.
int sql_user_roles(struct sql_conn *conn, struct slice name, struct arena *arena, struct user *ret,
                   struct error *err) MUST_CHECK;

#endif
