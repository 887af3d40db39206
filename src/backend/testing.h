// SPDX-License-Identifier: MIT
// For unit tests: a job database, an engine, an archive and a cluster in a temporary folder, without HTTP and without a
// clock (now_s is 2025-10-10 at the beginning of the first job).
#ifndef BACKEND_TESTING_H
#define BACKEND_TESTING_H

#include <inttypes.h>
#include <stdlib.h>

#include "backend/jobs.h"
#include "backend/sql-schema.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/testing.h"

#define TEST_NOW INT64_C(1760100000)

static const char test_cluster[] = "{\"name\":\"c\",\"metricConfig\":["
                                   "{\"name\":\"load\",\"unit\":{\"base\":\"\"},\"scope\":\"node\","
                                   "\"aggregation\":\"avg\",\"timestep\":60,\"peak\":8,"
                                   "\"normal\":4,\"caution\":2,\"alert\":1,\"footprint\":\"max\"},"
                                   "{\"name\":\"flops\",\"unit\":{\"base\":\"F/"
                                   "s\",\"prefix\":\"G\"},\"scope\":\"hwthread\",\"aggregation\":\"sum\","
                                   "\"timestep\":60,\"peak\":8,\"normal\":4,\"caution\":2,\"alert\":1},"
                                   "{\"name\":\"power\",\"unit\":{\"base\":\"W\"},\"scope\":\"node\","
                                   "\"aggregation\":\"sum\",\"timestep\":60,\"peak\":8,"
                                   "\"normal\":4,\"caution\":2,\"alert\":1,\"energy\":\"power\"}],"
                                   "\"subClusters\":[{\"name\":\"s\",\"nodes\":\"n[1-9]\",\"processorType\":"
                                   "\"x\",\"socketsPerNode\":1,\"coresPerSocket\":2,"
                                   "\"threadsPerCore\":1,\"flopRateScalar\":{\"unit\":{\"base\":\"F/"
                                   "s\"},\"value\":1},\"flopRateSimd\":{\"unit\":{\"base\":"
                                   "\"F/s\"},\"value\":1},\"memoryBandwidth\":{\"unit\":{\"base\":\"B/"
                                   "s\"},\"value\":1},\"topology\":{\"node\":[0,1],"
                                   "\"socket\":[[0,1]],\"memoryDomain\":[[0,1]],\"core\":[[0],[1]]}}]}";

struct test_site {
    char folder[64];
    char *db_path, *archive_path;
    struct arena *arena;
    struct sql_pool *pool;
    struct job_writer *writer;
    struct cluster_set *clusters;
    struct store *store;
    struct archive *archive;
    struct archiver *archiver;
    struct jobs jobs;
};

static inline int64_t test_now_s(void)
{
    return TEST_NOW;
}

#define MUST(expr, err) EXPECT((expr) == 0, "%s: %s", #expr, (err).text)

static inline void test_site_open_archiver(struct test_site *s)
{
    struct error err = ERROR_INIT;
    struct archiver_options options = {.pool = s->pool,
                                       .writer = s->writer,
                                       .store = s->store,
                                       .clusters = s->clusters,
                                       .archive = s->archive,
                                       .settle_s = 0,
                                       .retry_first_ms = 1,
                                       .threads = 1};
    MUST(archiver_new(&options, &s->archiver, &err), err);
    s->jobs.archiver = s->archiver;
}

static inline void test_site_open(struct test_site *s)
{
    static const struct store_metric metrics[] = {{"c", "load", 60, AGGREGATION_AVG},
                                                  {"c", "flops", 60, AGGREGATION_SUM},
                                                  {"c", "power", 60, AGGREGATION_SUM}};
    struct error err = ERROR_INIT;
    *s = (struct test_site){.folder = "/tmp/cc-backend-test-XXXXXX", .arena = arena_new((size_t)64 << 20)};
    log_set_level(LOG_LEVEL_CRIT); // what goes wrong is meant to
    EXPECT(mkdtemp(s->folder) != NULL, "mkdtemp failed");
    s->db_path = file_join(s->folder, "job.db");
    s->archive_path = file_join(s->folder, "archive");
    MUST(io_make_dirs(&io_system, s->archive_path, 0777, &err), err);
    struct sql_options sql = {.path = s->db_path, .readers = 2, .create = true, .busy_timeout_ms = 200};
    MUST(sql_pool_open(&sql, &s->pool, &err), err);
    struct sql_conn *conn = sql_take_writer(s->pool);
    MUST(sql_schema_migrate(conn, &err), err);
    MUST(sql_schema_complete(conn, &err), err);
    sql_give_back(&conn);
    MUST(cluster_set_load_text(slice_from_cstr(test_cluster), "c", &s->clusters, &err), err);
    struct store_options options = {.metrics = metrics, .metric_count = ARRAY_LEN(metrics)};
    MUST(store_new(&options, &s->store, &err), err);
    MUST(archive_open(s->archive_path, &io_system, &s->archive, &err), err);
    s->writer = job_writer_new(s->pool);
    s->jobs = (struct jobs){.pool = s->pool,
                            .writer = s->writer,
                            .store = s->store,
                            .clusters = s->clusters,
                            .archive = s->archive,
                            .now_s = test_now_s};
    test_site_open_archiver(s);
}

static inline void test_site_close(struct test_site *s)
{
    archiver_free(&s->archiver, 0);
    job_writer_free(&s->writer);
    store_free(&s->store);
    archive_free(&s->archive);
    cluster_set_free(&s->clusters);
    sql_pool_close(&s->pool);
    ignore_result(file_remove_tree(s->folder, NULL)); // a temporary folder: nothing depends on it
    mem_free(s->db_path);
    mem_free(s->archive_path);
    arena_free(&s->arena);
}

// A one-node job on n1 that starts 'ago_s' seconds before TEST_NOW.
static inline struct job test_job(int64_t job_id, int64_t ago_s, struct job_resource *resource)
{
    *resource = (struct job_resource){.hostname = SLICE_LITERAL("n1"), .configuration = SLICE_EMPTY};
    return (struct job){.cluster = SLICE_LITERAL("c"),
                        .subcluster = SLICE_EMPTY,
                        .partition = SLICE_EMPTY,
                        .project = SLICE_LITERAL("p"),
                        .user = SLICE_LITERAL("u"),
                        .shared = SLICE_LITERAL("none"),
                        .state_text = SLICE_EMPTY,
                        .resources = resource,
                        .resource_count = 1,
                        .num_nodes = 1,
                        .monitoring_status = MONITORING_RUNNING_OR_ARCHIVING,
                        .job_id = job_id,
                        .start_time = TEST_NOW - ago_s};
}

static inline void test_ingest(struct test_site *s, const char *lines)
{
    struct store_write write = {
        .body = slice_from_cstr(lines), .default_cluster = SLICE_LITERAL("c"), .now_s = TEST_NOW};
    struct store_write_result result;
    EXPECT(store_ingest(s->store, &write, &result) == 0, "ingest: %s", result.first_error.text);
}

// One value of one row.
static inline int64_t test_query(struct test_site *s, const char *sql)
{
    struct sql_stmt *stmt = NULL;
    struct error err = ERROR_INIT;
    struct sql_conn *conn = sql_take_reader(s->pool);
    MUST(sql_prepare(conn, sql, &stmt, &err), err);
    EXPECT(sql_step(stmt, &err) == 1, "%s: no row: %s", sql, err.text);
    int64_t v = sql_column_int(stmt, 0);
    sql_finish(stmt);
    sql_give_back(&conn);
    return v;
}

static inline void test_exec(struct test_site *s, const char *sql)
{
    struct error err = ERROR_INIT;
    struct sql_conn *conn = sql_take_writer(s->pool);
    MUST(sql_exec(conn, sql, &err), err);
    sql_give_back(&conn);
}

#endif
