// SPDX-License-Identifier: MIT
#include "backend/engine.h"

#include "backend/sql-job.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define BYTES_PER_GB 1000000000 // spec metric-store.md 4.8

// The frequency belongs to (cluster, metric): a cluster with a finer step must not lose samples to another
// (MS-54).
static size_t list_metrics(const struct cluster_set *clusters, struct store_metric **ret_metrics)
{
    struct store_metric *metrics = NULL;
    size_t count = 0, cap = 0;
    for (size_t i = 0; i < cluster_set_count(clusters); i++) {
        const struct cluster *cluster = cluster_set_at(clusters, i);
        for (size_t k = 0; k < cluster->metric_count; k++) {
            const struct metric_config *m = &cluster->metrics[k];
            ENSURE_CAPACITY(metrics, cap, count + 1);
            metrics[count++] = (struct store_metric){.cluster = cluster->name,
                                                     .name = m->name,
                                                     .frequency_s = m->timestep_s,
                                                     .aggregation = m->aggregation};
        }
    }
    *ret_metrics = metrics;
    return count;
}

int engine_make(struct engine *ret, const struct config *config, const struct cluster_set *clusters,
                struct error *err)
{
    struct store_metric *metrics = NULL;
    size_t count = list_metrics(clusters, &metrics);
    struct store_options options = {
        .metrics = metrics,
        .metric_count = count,
        .retention_s = persist_seconds(config->store.retention_ns),
        .memory_cap_bytes = (size_t)config->store.memory_cap_gb * BYTES_PER_GB,
        .resample_minimum_points = (size_t)config->main.resampling_minimum_points,
    };
    ret->config = config;
    int rc = store_new(&options, &ret->store, err);
    mem_free(metrics);
    return rc;
}

// ---- files ------------------------------------------------------------------------------------------------
// Library code reports, the program logs.
static void report(void *ctx UNUSED, enum log_level level, const char *text)
{
    log_at(level, "%s", text);
}

static void keep_host(void *ctx, struct slice cluster, struct slice host)
{
    persist_keep_host(ctx, cluster, host);
}

// Not knowing them is no reason to stay away: what is within the retention is there all the same.
static void keep_needed_hosts(const struct engine *engine, struct sql_pool *pool, int64_t now_s)
{
    struct error err = ERROR_INIT;
    struct sql_conn *conn = sql_take_reader(pool);
    int rc = sql_job_visit_needed_hosts(conn, now_s - persist_seconds(engine->config->store.retention_ns),
                                        keep_host, engine->persist, &err);
    sql_give_back(&conn);
    if (rc)
        log_warn("the running jobs are unknown, their hosts have data within the retention only: %s",
                 err.text);
}

int engine_open(struct engine *engine, struct sql_pool *pool, struct error *err)
{
    const struct config_store *settings = &engine->config->store;
    struct persist_options options = {
        .checkpoint_interval_s = persist_seconds(settings->checkpoint_interval_ns),
        .workers = settings->num_workers > 0 ? (unsigned)MIN(settings->num_workers, 1024) : 0,
        .background = true,
        .now_s = wall_seconds(clock_wall()),
        .report = report,
    };
    persist_apply_settings(&settings->checkpoints, &options);
    int rc = persist_open(engine->store, &options, &engine->persist, err);
    if (rc)
        return error_prefix(err, "metric store");
    keep_needed_hosts(engine, pool, options.now_s);
    return 0;
}

void engine_close(struct engine *engine, bool clean)
{
    struct error err = ERROR_INIT;
    nats_intake_free(&engine->intake);
    if (engine->persist && !clean)
        persist_abandon(&engine->persist);
    else if (engine->persist && persist_close(&engine->persist, wall_seconds(clock_wall()), &err) < 0)
        log_error("shutdown: %s; nothing is lost, the log in '%s' has it and is replayed at the next start",
                  err.text, engine->config->store.checkpoints.directory);
    store_free(&engine->store);
}

// ---- NATS -------------------------------------------------------------------------------------------------
int engine_start_intake(struct engine *engine, struct error *err)
{
    const struct config_store *settings = &engine->config->store;
    const struct nats_settings *nats = &engine->config->nats;
    struct nats_intake_options options = {.connection = nats_settings_connection(nats, "cc-backend"),
                                          .subscriptions = settings->subscriptions,
                                          .subscription_count = settings->subscription_count,
                                          .workers = settings->num_workers};
    if (options.subscription_count == 0)
        return 0;
    if (!*nats->address) { // as upstream
        log_warn("NATS: no address is configured: the subscriptions are not used");
        return 0;
    }
    options.connection.report = report;
    return nats_intake_start(engine->store, &options, &engine->intake, err);
}

void engine_stop_intake(struct engine *engine)
{
    nats_intake_stop(engine->intake);
}
