// SPDX-License-Identifier: MIT
// Everything that runs while cc-backend serves: engine, job database, archiver, workers, HTTP. server_run
// returns after a signal and a clean shutdown, or when something could not be started.
#ifndef BACKEND_SERVER_H
#define BACKEND_SERVER_H

#include <stdbool.h>

#include "backend/archive.h"
#include "backend/auth.h"
#include "backend/config.h"
#include "model/cluster.h"
#include "net/sql.h"

struct server_options {
    const struct config *config; // all borrowed
    struct sql_pool *pool;
    const struct auth *auth;
    const struct cluster_set *clusters;
    const struct archive *archive;
    bool demo;
};

int server_run(const struct server_options *options, struct error *err) MUST_CHECK;
// Whether a Go listen address is bound to this machine only.
bool server_is_loopback(const char *address);

#endif
