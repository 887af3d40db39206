// SPDX-License-Identifier: MIT
#include "backend/sql-user.h"

#include "backend/auth.h"
#include "codec/json.h"

static void read_roles(struct slice text, struct arena *arena, struct user *ret)
{
    struct json_doc *doc = NULL;
    ret->role_count = 0;
    if (text.len == 0 || json_parse(text, &doc, NULL))
        return; // damaged: no rights
    const struct json_value *list = json_root(doc);
    for (size_t i = 0; i < json_count(list) && ret->role_count < JWT_MAX_ROLES; i++)
        ret->roles[ret->role_count++] = arena_copy(arena, json_string(json_at(list, i)));
    json_doc_free(&doc);
}

int sql_user_roles(struct sql_conn *conn, struct slice name, struct arena *arena, struct user *ret,
                   struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn, "SELECT roles FROM hpc_user WHERE username = ?", &stmt, err);
    if (rc)
        return rc;
    sql_bind_text(stmt, 1, name);
    rc = sql_step(stmt, err);
    if (rc == 1) {
        ret->name = arena_copy(arena, name);
        read_roles(sql_column_text(stmt, 0), arena, ret);
    }
    sql_finish(stmt);
    return rc;
}
