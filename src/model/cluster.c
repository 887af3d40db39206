// SPDX-License-Identifier: MIT
#include "model/cluster.h"

#include "base/file.h"
#include "base/mem.h"
#include "model/cluster-private.h"

#define DESCRIPTION_MAX_BYTES ((size_t)16 << 20)

struct cluster_set {
    struct arena *arena; // all memory of the clusters but host lists and documents
    struct cluster *clusters;
    struct json_doc **docs; // of the clusters, in the same order
    size_t count, cap, doc_cap;
};

static struct cluster_set *set_new(void)
{
    struct cluster_set *set = NEW(struct cluster_set);

    set->arena = arena_new(SIZE_MAX);
    return set;
}

void cluster_set_free(struct cluster_set **set)
{
    if (!*set)
        return;
    for (size_t i = 0; i < (*set)->count; i++) {
        cluster_release_hosts(&(*set)->clusters[i]);
        json_doc_free(&(*set)->docs[i]);
    }
    mem_free((*set)->clusters);
    mem_free((*set)->docs);
    arena_free(&(*set)->arena);
    mem_free(*set);
    *set = NULL;
}

static int add_text(struct cluster_set *set, struct slice text, const char *directory,
                    struct cluster_warner *warner, struct error *err)
{
    struct json_doc *doc = NULL;
    int rc = json_parse(text, &doc, err);

    if (rc < 0) {
        if (err && err->line)
            error_prefix(err, "line %d, column %d", err->line, err->column);
        cluster_load_failure(directory, err);
        return rc;
    }
    ENSURE_CAPACITY(set->clusters, set->cap, set->count + 1);
    ENSURE_CAPACITY(set->docs, set->doc_cap, set->count + 1);
    struct cluster *cluster = &set->clusters[set->count];
    set->docs[set->count++] = doc; // from here on the set frees what was made, also of a failure
    rc = cluster_read(json_root(doc), directory, set->arena, cluster, err);
    if (rc < 0)
        return rc;
    warner->cluster = cluster->name;
    cluster_check(cluster, warner);
    return 0;
}

int cluster_set_load_text(struct slice text, const char *directory_name, struct cluster_set **ret_set,
                          struct error *err)
{
    struct cluster_warner warner = {0};
    struct cluster_set *set = set_new();
    int rc = add_text(set, text, directory_name, &warner, err);

    if (rc < 0) {
        cluster_set_free(&set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

static int add_file(struct cluster_set *set, const char *path, const char *directory,
                    struct cluster_warner *warner, struct error *err)
{
    struct buf text;

    buf_init(&text, DESCRIPTION_MAX_BYTES);
    int rc = file_read(path, DESCRIPTION_MAX_BYTES, &text, err);
    if (rc < 0)
        cluster_load_failure(directory, err);
    else
        rc = add_text(set, buf_slice(&text), directory, warner, err);
    buf_release(&text);
    return rc;
}

static int add_directory(struct cluster_set *set, const char *root, const char *name,
                         struct cluster_warner *warner, struct error *err)
{
    char *folder = file_join(root, name), *path = file_join(folder, "cluster.json");
    struct stat st;
    int rc = 0;

    warner->cluster = NULL;
    if (name[0] != '.' && stat(folder, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (file_exists(path))
            rc = add_file(set, path, name, warner, err);
        else
            cluster_warn(warner, "directory '%s' has no cluster.json and is no cluster", folder);
    }
    mem_free(path);
    mem_free(folder);
    return rc;
}

int cluster_set_load(const char *root, void (*warn)(void *ctx, const char *text), void *ctx,
                     struct cluster_set **ret_set, struct error *err)
{
    struct cluster_warner warner = {.warn = warn, .ctx = ctx};
    struct cluster_set *set = set_new();
    char **names = NULL;
    size_t count = 0;
    int rc = file_list(root, &names, &count, err); // sorted, and so the set will be

    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_directory(set, root, names[i], &warner, err);
    file_list_free(&names, count);
    if (rc < 0) {
        cluster_set_free(&set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

// ---- look-up ----------------------------------------------------------------------------------------------

size_t cluster_set_count(const struct cluster_set *set)
{
    return set->count;
}

const struct cluster *cluster_set_at(const struct cluster_set *set, size_t index)
{
    ASSERT(index < set->count);
    return &set->clusters[index];
}

const struct cluster *cluster_find(const struct cluster_set *set, struct slice name)
{
    for (size_t i = 0; i < set->count; i++)
        if (slice_eq_cstr(name, set->clusters[i].name))
            return &set->clusters[i];
    return NULL;
}

const struct subcluster *subcluster_find(const struct cluster *cluster, struct slice name)
{
    for (size_t i = 0; i < cluster->subcluster_count; i++)
        if (slice_eq_cstr(name, cluster->subclusters[i].name))
            return &cluster->subclusters[i];
    return NULL;
}

// In file order, so that a host in several lists always gets the same answer.
static const struct subcluster *listed_subcluster(const struct cluster *cluster, struct slice host)
{
    for (size_t i = 0; i < cluster->subcluster_count; i++)
        if (cluster->subclusters[i].hosts && hostlist_contains(cluster->subclusters[i].hosts, host))
            return &cluster->subclusters[i];
    return NULL;
}

const struct subcluster *subcluster_of_host(const struct cluster *cluster, struct slice host)
{
    const struct subcluster *found = listed_subcluster(cluster, host);
    const struct subcluster *first = &cluster->subclusters[0];

    if (!found && (first->any_node || !*first->nodes))
        found = first;
    return found;
}

const struct metric_config *metric_find(const struct metric_config *metrics, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_cstr(name, metrics[i].name))
            return &metrics[i];
    return NULL;
}

int subcluster_assign(const struct cluster_set *set, struct slice cluster_name, struct slice given,
                      struct slice first_host, const struct subcluster **ret, struct error *err)
{
    const struct cluster *cluster = cluster_find(set, cluster_name);
    const struct subcluster *found;

    if (!cluster)
        return error_set(err, ERR_NOT_FOUND, "ARCHIVE/CLUSTERCONFIG > unkown cluster: %.*s",
                         SLICE_FMT(cluster_name));
    if (given.len) {
        found = subcluster_find(cluster, given);
        if (!found)
            return error_set(
                err, ERR_NOT_FOUND,
                "ARCHIVE/CLUSTERCONFIG > already assigned subcluster %.*s unkown (cluster: %.*s)",
                SLICE_FMT(given), SLICE_FMT(cluster_name));
        *ret = found;
        return 0;
    }
    if (first_host.len == 0)
        return error_set(err, ERR_INVALID, "ARCHIVE/CLUSTERCONFIG > job without any resources/hosts");
    found = listed_subcluster(cluster, first_host);
    if (!found && cluster->subclusters[0].any_node)
        found = &cluster->subclusters[0];
    if (!found)
        return error_set(err, ERR_NOT_FOUND,
                         "ARCHIVE/CLUSTERCONFIG > no subcluster found for cluster %.*s and host %.*s",
                         SLICE_FMT(cluster_name), SLICE_FMT(first_host));
    *ret = found;
    return 0;
}
