// SPDX-License-Identifier: MIT
#include "model/job.h"

#include <math.h>
#include <stdlib.h>

#include "codec/json-writer.h"

// ---- states -----------------------------------------------------------------------------------------------
static const char *const state_names[] = {
    [JOB_STATE_INVALID] = "",      [JOB_BOOT_FAIL] = "boot_fail",
    [JOB_CANCELLED] = "cancelled", [JOB_COMPLETED] = "completed",
    [JOB_DEADLINE] = "deadline",   [JOB_FAILED] = "failed",
    [JOB_NODE_FAIL] = "node_fail", [JOB_OUT_OF_MEMORY] = "out_of_memory",
    [JOB_PENDING] = "pending",     [JOB_PREEMPTED] = "preempted",
    [JOB_RUNNING] = "running",     [JOB_SUSPENDED] = "suspended",
    [JOB_TIMEOUT] = "timeout",
};

enum job_state job_state_from_name(struct slice name)
{
    for (size_t i = JOB_BOOT_FAIL; i < ARRAY_LEN(state_names); i++) {
        if (slice_eq_cstr(name, state_names[i]))
            return (enum job_state)i;
    }
    return JOB_STATE_INVALID;
}

const char *job_state_name(enum job_state state)
{
    return (size_t)state < ARRAY_LEN(state_names) ? state_names[state] : "";
}

// ---- decoding ---------------------------------------------------------------------------------------------
// One pass over the members of an object, driven by a table. Messages are those of Go's decoder, because
// clients of the REST API see them.
struct decoder {
    bool strict;
    struct arena *arena;
    struct error *err;
    const char *path; // "Job.resources": where we are, for messages
};

typedef int decode_fn(const struct decoder *d, const struct json_value *v, void *target);

struct field {
    const char *name;
    decode_fn *decode;
    size_t offset;
};

// What Go calls the JSON type in its messages.
static const char *go_kind(const struct json_value *v)
{
    switch (json_type(v)) {
    case JSON_BOOL:
        return "bool";
    case JSON_INT:
    case JSON_REAL:
        return "number";
    case JSON_STRING:
        return "string";
    case JSON_ARRAY:
        return "array";
    case JSON_OBJECT:
        return "object";
    case JSON_NULL:
        break;
    }
    return "null";
}

static int type_error(const struct decoder *d, const struct json_value *v, const char *go_type)
{
    return error_set_at(d->err, ERR_INVALID, json_line(v), json_column(v),
                        "json: cannot unmarshal %s into Go struct field %s of type %s", go_kind(v), d->path,
                        go_type);
}

static int number_error(const struct decoder *d, const struct json_value *v, const char *go_type)
{
    struct slice source = json_source(v);
    return error_set_at(d->err, ERR_INVALID, json_line(v), json_column(v),
                        "json: cannot unmarshal number %.*s into Go struct field %s of type %s",
                        (int)MIN(source.len, (size_t)64), source.ptr, d->path, go_type);
}

static int decode_string(const struct decoder *d, const struct json_value *v, void *target)
{
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_STRING)
        return type_error(d, v, "string");
    *(struct slice *)target = arena_copy(d->arena, json_string(v));
    return 0;
}

static int decode_integer(const struct decoder *d, const struct json_value *v, int64_t min, int64_t max,
                          const char *go_type, int64_t *ret)
{
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) == JSON_REAL && !d->strict) { // archives of other writers: 60.0
        double real = json_double(v, 0);
        if (real == floor(real) && real >= (double)min && real <= (double)max && fabs(real) < 0x1p53) {
            *ret = (int64_t)real;
            return 0;
        }
    }
    if (json_type(v) == JSON_REAL)
        return number_error(d, v, go_type);
    if (json_type(v) != JSON_INT)
        return type_error(d, v, go_type);
    int64_t n = json_int(v, 0);
    if (n < min || n > max)
        return number_error(d, v, go_type);
    *ret = n;
    return 0;
}

static int decode_i64(const struct decoder *d, const struct json_value *v, void *target)
{
    return decode_integer(d, v, INT64_MIN, INT64_MAX, "int64", target);
}

static int decode_i32(const struct decoder *d, const struct json_value *v, void *target)
{
    return decode_integer(d, v, INT32_MIN, INT32_MAX, "int32", target);
}

static int decode_double(const struct decoder *d, const struct json_value *v, void *target)
{
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_INT && json_type(v) != JSON_REAL)
        return type_error(d, v, "float64");
    *(double *)target = json_double(v, 0);
    return 0;
}

static const struct field *find_field(const struct field *fields, struct slice key)
{
    for (const struct field *f = fields; f->name; f++) {
        if (slice_eq_cstr(key, f->name))
            return f;
    }
    for (const struct field *f = fields; f->name; f++) {
        if (slice_eq_ignore_case(key, slice_from_cstr(f->name)))
            return f;
    }
    return NULL;
}

static int decode_object(const struct decoder *d, const struct json_value *object, const char *go_type,
                         const struct field *fields, void *target)
{
    if (json_type(object) != JSON_OBJECT)
        return type_error(d, object, go_type);
    for (size_t i = 0; i < json_count(object); i++) {
        struct slice key;
        const struct json_value *v = json_member_at(object, i, &key);
        const struct field *f = find_field(fields, key);
        if (!f && d->strict)
            return error_set_at(d->err, ERR_INVALID, json_line(v), json_column(v),
                                "json: unknown field \"%.*s\"", (int)MIN(key.len, (size_t)100), key.ptr);
        if (!f)
            continue;
        struct decoder inner = *d;
        inner.path = arena_printf(d->arena, "%s.%s", d->path, f->name);
        int rc = f->decode(&inner, v, (char *)target + f->offset);
        if (rc)
            return rc;
    }
    return 0;
}

// ---- the parts of a job -----------------------------------------------------------------------------------
static int decode_hwthreads(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job_resource *r = CONTAINER_OF(target, struct job_resource, hwthreads);
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_ARRAY)
        return type_error(d, v, "[]int");
    r->hwthread_count = json_count(v);
    r->hwthreads = ARENA_ARRAY(d->arena, int, r->hwthread_count);
    for (size_t i = 0; i < r->hwthread_count; i++) {
        int64_t n = 0;
        int rc = decode_integer(d, json_at(v, i), INT32_MIN, INT32_MAX, "int", &n);
        if (rc)
            return rc;
        r->hwthreads[i] = (int)n;
    }
    return 0;
}

static int decode_accelerators(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job_resource *r = CONTAINER_OF(target, struct job_resource, accelerators);
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_ARRAY)
        return type_error(d, v, "[]string");
    r->accelerator_count = json_count(v);
    r->accelerators = ARENA_ARRAY(d->arena, struct slice, r->accelerator_count);
    for (size_t i = 0; i < r->accelerator_count; i++) {
        r->accelerators[i] = SLICE_EMPTY;
        int rc = decode_string(d, json_at(v, i), &r->accelerators[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static const struct field resource_fields[] = {
    {"hostname", decode_string, offsetof(struct job_resource, hostname)},
    {"configuration", decode_string, offsetof(struct job_resource, configuration)},
    {"hwthreads", decode_hwthreads, offsetof(struct job_resource, hwthreads)},
    {"accelerators", decode_accelerators, offsetof(struct job_resource, accelerators)},
    {0}};

static int decode_resources_into(const struct decoder *d, const struct json_value *v, struct job *job)
{
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_ARRAY)
        return type_error(d, v, "[]*schema.Resource");
    size_t count = json_count(v);
    job->resources = ARENA_ARRAY(d->arena, struct job_resource, count);
    job->resource_count = count;
    for (size_t i = 0; i < count; i++) {
        job->resources[i].hostname = SLICE_EMPTY;
        job->resources[i].configuration = SLICE_EMPTY;
        if (json_type(json_at(v, i)) == JSON_NULL)
            continue;
        int rc = decode_object(d, json_at(v, i), "schema.Resource", resource_fields, &job->resources[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int decode_resources(const struct decoder *d, const struct json_value *v, void *target)
{
    return decode_resources_into(d, v, CONTAINER_OF(target, struct job, resources));
}

static const struct field tag_fields[] = {{"type", decode_string, offsetof(struct job_tag, type)},
                                          {"name", decode_string, offsetof(struct job_tag, name)},
                                          {"scope", decode_string, offsetof(struct job_tag, scope)},
                                          {"id", decode_i64, offsetof(struct job_tag, id)},
                                          {0}};

static int decode_tags(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job *job = CONTAINER_OF(target, struct job, tags);
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_ARRAY)
        return type_error(d, v, "[]*schema.Tag");
    size_t count = json_count(v);
    job->tags = ARENA_ARRAY(d->arena, struct job_tag, count);
    job->tag_count = count;
    for (size_t i = 0; i < count; i++) {
        job->tags[i] = (struct job_tag){.type = SLICE_EMPTY, .name = SLICE_EMPTY, .scope = SLICE_EMPTY};
        if (json_type(json_at(v, i)) == JSON_NULL)
            continue;
        int rc = decode_object(d, json_at(v, i), "schema.Tag", tag_fields, &job->tags[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    return slice_cmp(((const struct job_number *)a)->name, ((const struct job_number *)b)->name);
}

static int decode_number_map(const struct decoder *d, const struct json_value *v, struct job_number **ret,
                             size_t *ret_count, bool *ret_present)
{
    if (json_type(v) == JSON_NULL) {
        *ret_present = false;
        *ret_count = 0;
        return 0;
    }
    if (json_type(v) != JSON_OBJECT)
        return type_error(d, v, "map[string]float64");
    size_t count = json_count(v);
    struct job_number *items = ARENA_ARRAY(d->arena, struct job_number, count);
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        const struct json_value *member = json_member_at(v, i, &key);
        items[i].name = arena_copy(d->arena, key);
        int rc = decode_double(d, member, &items[i].value);
        if (rc)
            return rc;
    }
    if (count)
        qsort(items, count, sizeof(*items), compare_numbers);
    *ret = items;
    *ret_count = count;
    *ret_present = true;
    return 0;
}

static int decode_energy_footprint(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job *job = CONTAINER_OF(target, struct job, energy_footprint);
    return decode_number_map(d, v, &job->energy_footprint, &job->energy_footprint_count,
                             &job->has_energy_footprint);
}

static int decode_footprint(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job *job = CONTAINER_OF(target, struct job, footprint);
    return decode_number_map(d, v, &job->footprint, &job->footprint_count, &job->has_footprint);
}

static int compare_texts(const void *a, const void *b)
{
    return slice_cmp(((const struct job_text *)a)->key, ((const struct job_text *)b)->key);
}

static int decode_meta_into(const struct decoder *d, const struct json_value *v, struct job *job)
{
    if (json_type(v) == JSON_NULL) {
        job->has_meta_data = false;
        job->meta_data_count = 0;
        return 0;
    }
    if (json_type(v) != JSON_OBJECT)
        return type_error(d, v, "map[string]string");
    size_t count = json_count(v);
    job->meta_data = ARENA_ARRAY(d->arena, struct job_text, count);
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        const struct json_value *member = json_member_at(v, i, &key);
        job->meta_data[i] = (struct job_text){.key = arena_copy(d->arena, key), .value = SLICE_EMPTY};
        int rc = decode_string(d, member, &job->meta_data[i].value);
        if (rc)
            return rc;
    }
    if (count)
        qsort(job->meta_data, count, sizeof(*job->meta_data), compare_texts);
    job->meta_data_count = count;
    job->has_meta_data = true;
    return 0;
}

static int decode_meta(const struct decoder *d, const struct json_value *v, void *target)
{
    return decode_meta_into(d, v, CONTAINER_OF(target, struct job, meta_data));
}

static const struct field unit_fields[] = {
    {"base", decode_string, offsetof(struct job_statistic, unit_base)},
    {"prefix", decode_string, offsetof(struct job_statistic, unit_prefix)},
    {0}};

static int decode_unit(const struct decoder *d, const struct json_value *v, void *target)
{
    if (json_type(v) == JSON_NULL)
        return 0;
    return decode_object(d, v, "schema.Unit", unit_fields,
                         CONTAINER_OF(target, struct job_statistic, unit_base));
}

static const struct field statistic_fields[] = {
    {"unit", decode_unit, offsetof(struct job_statistic, unit_base)},
    {"avg", decode_double, offsetof(struct job_statistic, avg)},
    {"min", decode_double, offsetof(struct job_statistic, min)},
    {"max", decode_double, offsetof(struct job_statistic, max)},
    {0}};

static int compare_statistics(const void *a, const void *b)
{
    return slice_cmp(((const struct job_statistic *)a)->metric, ((const struct job_statistic *)b)->metric);
}

static int decode_statistics(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job *job = CONTAINER_OF(target, struct job, statistics);
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_OBJECT)
        return type_error(d, v, "map[string]schema.JobStatistics");
    size_t count = json_count(v);
    job->statistics = ARENA_ARRAY(d->arena, struct job_statistic, count);
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        const struct json_value *member = json_member_at(v, i, &key);
        struct job_statistic *s = &job->statistics[i];
        *s = (struct job_statistic){
            .metric = arena_copy(d->arena, key), .unit_base = SLICE_EMPTY, .unit_prefix = SLICE_EMPTY};
        int rc = json_type(member) == JSON_NULL
                     ? 0
                     : decode_object(d, member, "schema.JobStatistics", statistic_fields, s);
        if (rc)
            return rc;
    }
    if (count)
        qsort(job->statistics, count, sizeof(*job->statistics), compare_statistics);
    job->statistic_count = count;
    job->has_statistics = true;
    return 0;
}

// concurrentJobs is accepted and ignored; its shape is checked only for being an object.
static int decode_concurrent(const struct decoder *d, const struct json_value *v, void *target UNUSED)
{
    enum json_type type = json_type(v);
    return type == JSON_NULL || type == JSON_OBJECT ? 0 : type_error(d, v, "schema.JobLinkResultList");
}

static int decode_state(const struct decoder *d, const struct json_value *v, void *target)
{
    struct job *job = CONTAINER_OF(target, struct job, state_text);
    if (json_type(v) != JSON_NULL && json_type(v) != JSON_STRING)
        return type_error(d, v, "schema.JobState");
    int rc = decode_string(d, v, target);
    job->state = job_state_from_name(job->state_text);
    return rc;
}

#define JOB_FIELD(name, fn, member)                                                                          \
    {                                                                                                        \
        name, fn, offsetof(struct job, member)                                                               \
    }
static const struct field job_fields[] = {
    JOB_FIELD("cluster", decode_string, cluster),
    JOB_FIELD("subCluster", decode_string, subcluster),
    JOB_FIELD("partition", decode_string, partition),
    JOB_FIELD("project", decode_string, project),
    JOB_FIELD("user", decode_string, user),
    JOB_FIELD("shared", decode_string, shared),
    JOB_FIELD("jobState", decode_state, state_text),
    JOB_FIELD("tags", decode_tags, tags),
    JOB_FIELD("resources", decode_resources, resources),
    JOB_FIELD("energyFootprint", decode_energy_footprint, energy_footprint),
    JOB_FIELD("footprint", decode_footprint, footprint),
    JOB_FIELD("metaData", decode_meta, meta_data),
    JOB_FIELD("concurrentJobs", decode_concurrent, cluster),
    JOB_FIELD("energy", decode_double, energy_kwh),
    JOB_FIELD("arrayJobId", decode_i64, array_job_id),
    JOB_FIELD("walltime", decode_i64, walltime_s),
    JOB_FIELD("requestedMemory", decode_i64, requested_memory_mb),
    JOB_FIELD("jobId", decode_i64, job_id),
    JOB_FIELD("duration", decode_i32, duration_s),
    JOB_FIELD("smt", decode_i32, smt),
    JOB_FIELD("monitoringStatus", decode_i32, monitoring_status),
    JOB_FIELD("numAcc", decode_i32, num_acc),
    JOB_FIELD("numHwthreads", decode_i32, num_hwthreads),
    JOB_FIELD("numNodes", decode_i32, num_nodes),
    JOB_FIELD("statistics", decode_statistics, statistics),
    JOB_FIELD("id", decode_i64, id),
    JOB_FIELD("submitTime", decode_i64, submit_time),
    JOB_FIELD("startTime", decode_i64, start_time),
    {0}};

static void set_defaults(struct job *job)
{
    *job = (struct job){.cluster = SLICE_EMPTY,
                        .subcluster = SLICE_EMPTY,
                        .partition = SLICE_EMPTY,
                        .project = SLICE_EMPTY,
                        .user = SLICE_EMPTY,
                        .shared = SLICE_LITERAL("none"),
                        .state_text = SLICE_EMPTY,
                        .monitoring_status = MONITORING_RUNNING_OR_ARCHIVING};
}

int job_decode(const struct json_value *value, bool strict, struct arena *arena, struct job *ret,
               struct error *err)
{
    struct decoder d = {.strict = strict, .arena = arena, .err = err, .path = "Job"};
    struct job job;
    set_defaults(&job);
    enum json_type type = json_type(value);
    if (type != JSON_NULL && type != JSON_OBJECT)
        return error_set_at(err, ERR_INVALID, json_line(value), json_column(value),
                            "json: cannot unmarshal %s into Go value of type schema.Job", go_kind(value));
    if (type == JSON_OBJECT) {
        int rc = decode_object(&d, value, "schema.Job", job_fields, &job);
        if (rc)
            return rc;
    }
    *ret = job;
    return 0;
}

int job_decode_resources(const struct json_value *value, bool strict, struct arena *arena, struct job *job,
                         struct error *err)
{
    struct decoder d = {.strict = strict, .arena = arena, .err = err, .path = "Job.resources"};
    return decode_resources_into(&d, value, job);
}

int job_decode_numbers(const struct json_value *value, struct arena *arena, struct job_number **ret,
                       size_t *ret_count, bool *ret_present, struct error *err)
{
    struct decoder d = {.arena = arena, .err = err, .path = "Job.footprint"};
    return decode_number_map(&d, value, ret, ret_count, ret_present);
}

int job_decode_meta_data(const struct json_value *value, struct arena *arena, struct job *job,
                         struct error *err)
{
    struct decoder d = {.arena = arena, .err = err, .path = "Job.metaData"};
    return decode_meta_into(&d, value, job);
}

// ---- encoding ---------------------------------------------------------------------------------------------
static void put_text(struct json_writer *w, const char *key, struct slice text)
{
    json_write_key(w, key);
    json_write_string(w, text);
}

static void put_int(struct json_writer *w, const char *key, int64_t v)
{
    json_write_key(w, key);
    json_write_int(w, v);
}

static void put_int_unless_zero(struct json_writer *w, const char *key, int64_t v)
{
    if (v)
        put_int(w, key, v);
}

static void write_resources(struct json_writer *w, const struct job *job)
{
    json_write_array_begin(w);
    for (size_t i = 0; i < job->resource_count; i++) {
        const struct job_resource *r = &job->resources[i];
        json_write_object_begin(w);
        put_text(w, "hostname", r->hostname);
        if (r->configuration.len)
            put_text(w, "configuration", r->configuration);
        if (r->hwthread_count) {
            json_write_key(w, "hwthreads");
            json_write_array_begin(w);
            for (size_t k = 0; k < r->hwthread_count; k++)
                json_write_int(w, r->hwthreads[k]);
            json_write_array_end(w);
        }
        if (r->accelerator_count) {
            json_write_key(w, "accelerators");
            json_write_array_begin(w);
            for (size_t k = 0; k < r->accelerator_count; k++)
                json_write_string(w, r->accelerators[k]);
            json_write_array_end(w);
        }
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_numbers(struct json_writer *w, const struct job_number *items, size_t count, bool present)
{
    if (!present) {
        json_write_null(w);
        return;
    }
    json_write_object_begin(w);
    for (size_t i = 0; i < count; i++) {
        json_write_key_slice(w, items[i].name);
        json_write_double(w, items[i].value);
    }
    json_write_object_end(w);
}

static void write_meta_data(struct json_writer *w, const struct job *job)
{
    if (!job->has_meta_data) {
        json_write_null(w);
        return;
    }
    json_write_object_begin(w);
    for (size_t i = 0; i < job->meta_data_count; i++) {
        json_write_key_slice(w, job->meta_data[i].key);
        json_write_string(w, job->meta_data[i].value);
    }
    json_write_object_end(w);
}

static void write_tags(struct json_writer *w, const struct job *job)
{
    json_write_array_begin(w);
    for (size_t i = 0; i < job->tag_count; i++) {
        const struct job_tag *t = &job->tags[i];
        json_write_object_begin(w);
        put_text(w, "type", t->type);
        put_text(w, "name", t->name);
        put_text(w, "scope", t->scope);
        put_int(w, "id", t->id);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_statistics(struct json_writer *w, const struct job *job)
{
    if (!job->has_statistics) {
        json_write_null(w);
        return;
    }
    json_write_object_begin(w);
    for (size_t i = 0; i < job->statistic_count; i++) {
        const struct job_statistic *s = &job->statistics[i];
        json_write_key_slice(w, s->metric);
        json_write_object_begin(w);
        json_write_key(w, "unit");
        json_write_object_begin(w);
        put_text(w, "base", s->unit_base);
        if (s->unit_prefix.len)
            put_text(w, "prefix", s->unit_prefix);
        json_write_object_end(w);
        json_write_key(w, "avg");
        json_write_double(w, s->avg);
        json_write_key(w, "min");
        json_write_double(w, s->min);
        json_write_key(w, "max");
        json_write_double(w, s->max);
        json_write_object_end(w);
    }
    json_write_object_end(w);
}

static void write_head(struct json_writer *w, const struct job *job)
{
    put_text(w, "cluster", job->cluster);
    put_text(w, "subCluster", job->subcluster);
    if (job->partition.len)
        put_text(w, "partition", job->partition);
    put_text(w, "project", job->project);
    put_text(w, "user", job->user);
    put_text(w, "shared", job->shared);
    put_text(w, "jobState", job->state ? slice_from_cstr(job_state_name(job->state)) : job->state_text);
    if (job->tag_count) {
        json_write_key(w, "tags");
        write_tags(w, job);
    }
    json_write_key(w, "resources");
    write_resources(w, job);
    json_write_key(w, "energyFootprint");
    write_numbers(w, job->energy_footprint, job->energy_footprint_count, job->has_energy_footprint);
    json_write_key(w, "footprint");
    write_numbers(w, job->footprint, job->footprint_count, job->has_footprint);
    json_write_key(w, "metaData");
    write_meta_data(w, job);
}

void job_encode(const struct job *job, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_write_object_begin(&w);
    write_head(&w, job);
    json_write_key(&w, "concurrentJobs");
    json_write_raw(&w, SLICE_LITERAL("{\"items\":null,\"count\":0}"));
    json_write_key(&w, "energy");
    json_write_double(&w, job->energy_kwh);
    put_int_unless_zero(&w, "arrayJobId", job->array_job_id);
    put_int_unless_zero(&w, "walltime", job->walltime_s);
    put_int_unless_zero(&w, "requestedMemory", job->requested_memory_mb);
    put_int(&w, "jobId", job->job_id);
    put_int(&w, "duration", job->duration_s);
    put_int_unless_zero(&w, "smt", job->smt);
    put_int_unless_zero(&w, "monitoringStatus", job->monitoring_status);
    put_int_unless_zero(&w, "numAcc", job->num_acc);
    put_int_unless_zero(&w, "numHwthreads", job->num_hwthreads);
    put_int(&w, "numNodes", job->num_nodes);
    json_write_key(&w, "statistics");
    write_statistics(&w, job);
    put_int_unless_zero(&w, "id", job->id);
    put_int_unless_zero(&w, "submitTime", job->submit_time);
    put_int(&w, "startTime", job->start_time);
    json_write_object_end(&w);
}

void job_encode_resources(const struct job *job, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    write_resources(&w, job);
}

void job_encode_meta_data(const struct job *job, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    write_meta_data(&w, job);
}

void job_encode_footprint(const struct job_number *items, size_t count, bool present, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    write_numbers(&w, items, count, present);
}
