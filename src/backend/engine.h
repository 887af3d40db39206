// SPDX-License-Identifier: MIT
// The built-in metric store with what makes it survive and what feeds it: the store, its log and snapshots (store/persist.h), the NATS
// intake. The order of a start: engine_make (memory only) -> the listener is bound and privileges are dropped ->
// engine_open (files) -> engine_start_intake -> HTTP serves. Of a stop: engine_stop_intake -> HTTP ends -> workers and archiver,
// which read the store, end -> engine_close.
#ifndef BACKEND_ENGINE_H
#define BACKEND_ENGINE_H

#include "backend/config.h"
#include "model/cluster.h"
#include "net/sql.h"
#include "store/nats-intake.h"
#include "store/persist.h"
#include "store/store.h"

struct engine {
    const struct config *config; // borrowed
    struct store *store;
    struct persist *persist;    // NULL before engine_open
    struct nats_intake *intake; // NULL: no subscriptions, or no server configured
};

// An empty store for the metrics of these clusters; touches no file. *ret must be zero.
int engine_make(struct engine *ret, const struct config *config, const struct cluster_set *clusters,
                struct error *err) MUST_CHECK;
// Opens the checkpoint directory and replays the log. Hosts of jobs that run, or wait for the archiver, get their snapshots from
// beyond the retention too, as the database has them.
int engine_open(struct engine *engine, struct sql_pool *pool, struct error *err) MUST_CHECK;
int engine_start_intake(struct engine *engine, struct error *err) MUST_CHECK;
// What was received is in the store when this returns; statistics stay.
void engine_stop_intake(struct engine *engine);
// clean: everything goes into snapshots and the log away. What fails stays in the log for the next start, and so does everything
// when this is a start that failed. Accepts an engine that was not made.
void engine_close(struct engine *engine, bool clean);

#endif
