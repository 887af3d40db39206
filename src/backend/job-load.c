// SPDX-License-Identifier: MIT
#include "backend/job-load.h"

#include <math.h>

#include "backend/scope-query.h"
#include "base/mem.h"

struct loader {
    const struct job_load *load;
    const struct cluster *cluster;
    const struct subcluster *sub;
    struct arena *arena;
    struct job_load_result *result;
};

static void note_failure(struct loader *l, const char *metric, struct slice host, const char *reason)
{
    if (l->result->failures++ == 0)
        error_set(&l->result->first_failure, ERR_IO, "failed to fetch '%s' from host '%.*s': %s", metric,
                  SLICE_FMT(host), reason);
}

static void take_entry(struct job_metric *m, const struct store_series *entry, struct slice host,
                       struct slice id)
{
    struct job_series *s = &m->series[m->series_count++];
    bool known = !isnan(entry->avg) && !isnan(entry->min) && !isnan(entry->max);
    *s = (struct job_series){.hostname = host, .id = id, .has_values = known};
    s->data = entry->data;
    s->count = entry->count;
    if (known) {
        s->avg = entry->avg;
        s->min = entry->min;
        s->max = entry->max;
    }
    if (m->timestep_s == 0)
        m->timestep_s = entry->resolution_s;
}

// One selector: a node, an aggregate of ids, or a single id.
static void run_selector(struct loader *l, struct job_metric *m, struct slice host,
                         const struct scope_query *q, const struct slice *ids, size_t id_count,
                         struct slice id)
{
    const struct job *job = l->load->job;
    struct store_query query = {.cluster = job->cluster,
                                .host = host,
                                .metric = slice_from_cstr(m->name),
                                .has_type = q->typed,
                                .type = q->typed ? slice_from_cstr(scope_name(q->type)) : SLICE_EMPTY,
                                .type_ids = ids,
                                .type_id_count = id_count,
                                .resolution_s = l->load->resolution_s,
                                .aggregate = q->aggregate};
    struct store_query_range range = {.from = job->start_time,
                                      .to = job->start_time + job->duration_s,
                                      .with_stats = true,
                                      .with_data = !l->load->without_data,
                                      .with_padding = true};
    struct store_series *entries = NULL;
    size_t count = 0;
    struct error err = ERROR_INIT;
    if (range.to <= range.from)
        return;
    if (store_query_run(l->load->store, &query, &range, l->arena, &entries, &count, &err)) {
        note_failure(l, m->name, host, err.text);
        return;
    }
    if (count && entries[0].error)
        note_failure(l, m->name, host, entries[0].error);
    else if (count)
        take_entry(m, &entries[0], host, id);
}

static void run_query(struct loader *l, struct job_metric *m, struct slice host, const struct scope_query *q)
{
    if (!q->typed || q->aggregate) {
        struct slice id =
            q->group < 0 ? SLICE_EMPTY : slice_from_cstr(arena_printf(l->arena, "%d", q->group));
        run_selector(l, m, host, q, q->ids, q->id_count, id);
        return;
    }
    // One question per id: an answer to several leaves out those without data, and says nothing of which
    // (10.4).
    for (size_t i = 0; i < q->id_count; i++)
        run_selector(l, m, host, q, &q->ids[i], 1, q->ids[i]);
}

struct host_queries {
    struct scope_query *queries;
    size_t count;
};

// Plans all hosts first so that the series array has its final size.
static int plan(struct loader *l, const struct metric_config *mc, enum scope scope,
                struct host_queries *plans, size_t *ret_series, enum scope *ret_effective, struct error *err)
{
    const struct job *job = l->load->job;
    *ret_series = 0;
    for (size_t i = 0; i < job->resource_count; i++) {
        const struct job_resource *r = &job->resources[i];
        struct scope_host host = {.topology = &l->sub->topology,
                                  .threads = r->hwthreads,
                                  .thread_count = r->hwthread_count,
                                  .accelerators = r->accelerators,
                                  .accelerator_count = r->accelerator_count};
        int rc = scope_query_build(mc->scope, scope, &host, l->arena, &plans[i].queries, &plans[i].count,
                                   ret_effective, err);
        if (rc)
            return rc;
        for (size_t k = 0; k < plans[i].count; k++)
            *ret_series += plans[i].queries[k].aggregate ? 1 : MAX(plans[i].queries[k].id_count, (size_t)1);
    }
    return 0;
}

static void load_scope(struct loader *l, const struct metric_config *mc, enum scope scope)
{
    const struct job *job = l->load->job;
    struct host_queries *plans = ARENA_ARRAY(l->arena, struct host_queries, job->resource_count + 1);
    size_t series = 0;
    enum scope effective = scope;
    struct error err = ERROR_INIT;
    if (plan(l, mc, scope, plans, &series, &effective, &err)) {
        note_failure(l, mc->name, SLICE_EMPTY, err.text);
        return;
    }
    struct job_data *data = &l->result->data;
    if (series == 0 || job_data_find(data, slice_from_cstr(mc->name), effective))
        return;
    struct job_metric *m = job_data_add(data, slice_from_cstr(mc->name), effective);
    m->unit = mc->unit;
    m->series = ARENA_ARRAY(l->arena, struct job_series, series);
    for (size_t i = 0; i < job->resource_count; i++) {
        for (size_t k = 0; k < plans[i].count; k++)
            run_query(l, m, job->resources[i].hostname, &plans[i].queries[k]);
    }
    if (m->series_count == 0)
        data->count--; // scopes without series are left out
    else if (m->timestep_s == 0)
        m->timestep_s = mc->timestep_s;
}

static void load_metric(struct loader *l, const struct metric_config *mc)
{
    for (size_t i = 0; i < l->load->scope_count; i++) {
        enum scope wanted = l->load->scopes[i];
        bool accelerator = mc->scope == SCOPE_ACCELERATOR;
        // Scope accelerator has the lowest rank: for other metrics it would mean their own scope (6.4).
        if (accelerator ? l->load->job->num_acc == 0 : wanted == SCOPE_ACCELERATOR)
            continue;
        load_scope(l, mc, wanted);
    }
}

int job_load_run(const struct job_load *load, struct arena *arena, struct job_load_result *ret,
                 struct error *err)
{
    struct loader l = {.load = load, .arena = arena, .result = ret};
    *ret = (struct job_load_result){.first_failure = ERROR_INIT};
    job_data_init(&ret->data, arena);
    l.cluster = cluster_find(load->clusters, load->job->cluster);
    l.sub = l.cluster ? subcluster_find(l.cluster, load->job->subcluster) : NULL;
    if (!l.sub)
        return error_set(err, ERR_NOT_FOUND, "subcluster '%.*s' of cluster '%.*s' is not configured",
                         SLICE_FMT(load->job->subcluster), SLICE_FMT(load->job->cluster));
    if (load->metric_count == 0) {
        for (size_t i = 0; i < l.sub->metric_count; i++)
            load_metric(&l, &l.sub->metrics[i]);
    }
    for (size_t i = 0; i < load->metric_count; i++) {
        const struct metric_config *mc = metric_find(l.sub->metrics, l.sub->metric_count, load->metrics[i]);
        if (mc)
            load_metric(&l, mc);
    }
    return 0;
}

size_t job_archive_scopes(const struct job *job, enum scope scopes[3])
{
    size_t n = 0;
    scopes[n++] = SCOPE_NODE;
    if (job->num_nodes <= 8)
        scopes[n++] = SCOPE_CORE;
    if (job->num_acc > 0)
        scopes[n++] = SCOPE_ACCELERATOR;
    return n;
}
