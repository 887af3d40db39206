// SPDX-License-Identifier: MIT
#include "metricstore/used-nodes.h"

#include "base/arena.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "codec/json.h"
#include "net/http-client.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define TIMEOUT_MS 10000

struct used_nodes {
    struct hashmap *hosts; // key: cluster NUL host
};

// Neither name can hold a NUL byte: the line protocol refuses control characters in tag values.
static void make_key(struct slice cluster, struct slice host, struct buf *out)
{
    buf_clear(out);
    buf_append_slice(out, cluster);
    buf_append_byte(out, '\0');
    buf_append_slice(out, host);
}

static int add_hosts(struct used_nodes *nodes, struct slice cluster, const struct json_value *list,
                     struct error *err)
{
    struct buf key;

    if (json_type(list) != JSON_ARRAY && json_type(list) != JSON_NULL)
        return error_set(err, ERR_INVALID, "cluster '%.*s': expected a list of host names, got %s",
                         (int)MIN(cluster.len, (size_t)64), cluster.ptr, json_type_name(list));
    buf_init(&key, BUF_MAX_DEFAULT);
    for (size_t i = 0; i < json_count(list); i++) {
        make_key(cluster, json_string(json_at(list, i)), &key);
        hashmap_put(nodes->hosts, buf_slice(&key), nodes);
    }
    buf_release(&key);
    return 0;
}

static int add_clusters(struct used_nodes *nodes, const struct json_value *object, struct error *err)
{
    if (json_type(object) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "expected an object of clusters, got %s", json_type_name(object));
    for (size_t i = 0; i < json_count(object); i++) {
        struct slice cluster;
        const struct json_value *list = json_member_at(object, i, &cluster);
        int rc = add_hosts(nodes, cluster, list, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int used_nodes_parse(struct slice json, struct used_nodes **ret_nodes, struct error *err)
{
    struct json_doc *doc = NULL;

    int rc = json_parse(json, &doc, err);
    if (rc < 0)
        return rc;
    struct used_nodes *nodes = NEW(struct used_nodes);
    nodes->hosts = hashmap_new();
    const struct json_value *wrapped = json_get(json_root(doc), "usedNodes");
    rc = add_clusters(nodes, json_type(wrapped) == JSON_OBJECT ? wrapped : json_root(doc), err);
    json_doc_free(&doc);
    if (rc < 0)
        used_nodes_free(&nodes);
    else
        *ret_nodes = nodes;
    return rc;
}

static int parse_reply(const struct http_client_reply *reply, struct used_nodes **ret_nodes,
                       struct error *err)
{
    if (reply->status != 200)
        return error_set(err, ERR_IO, "the backend answered %d%s", reply->status,
                         reply->status == 401 ? " (is main.backend-token set?)" : "");
    return used_nodes_parse(buf_slice(&reply->body), ret_nodes, err);
}

int used_nodes_fetch(const char *backend_url, const char *token, int64_t threshold_s,
                     struct used_nodes **ret_nodes, struct error *err)
{
    struct http_client_options options = {.timeout_ms = TIMEOUT_MS, .connect_timeout_ms = TIMEOUT_MS};
    struct http_client_reply reply = {0};
    struct arena *arena = arena_new((size_t)1 << 20);
    struct http_client *client = http_client_new(&options);
    const char *headers[] = {arena_printf(arena, "Authorization: Bearer %s", token), NULL};
    struct http_client_request request = {
        .method = "GET",
        .url = arena_printf(arena, "%s/api/jobs/used_nodes?ts=%lld", backend_url, (long long)threshold_s),
        .headers = *token ? headers : NULL};

    int rc = http_client_do(client, &request, ANSWER_MAX, &reply, err);
    if (rc == 0) {
        rc = parse_reply(&reply, ret_nodes, err);
        http_client_reply_release(&reply);
    }
    if (rc < 0)
        ignore_result(error_prefix(err, "%s", request.url)); // the code is in rc already
    http_client_free(&client);
    arena_free(&arena);
    return rc;
}

void used_nodes_free(struct used_nodes **nodes)
{
    if (!*nodes)
        return;
    hashmap_free(&(*nodes)->hosts);
    mem_free(*nodes);
    *nodes = NULL;
}

bool used_nodes_has(const struct used_nodes *nodes, struct slice cluster, struct slice host)
{
    struct buf key;

    buf_init(&key, BUF_MAX_DEFAULT);
    make_key(cluster, host, &key);
    bool found = hashmap_has(nodes->hosts, buf_slice(&key));
    buf_release(&key);
    return found;
}

size_t used_nodes_count(const struct used_nodes *nodes)
{
    return hashmap_count(nodes->hosts);
}

bool used_nodes_next(const struct used_nodes *nodes, size_t *position, struct slice *ret_cluster,
                     struct slice *ret_host)
{
    struct slice key;

    if (!hashmap_next(nodes->hosts, position, &key, NULL))
        return false;
    *ret_cluster = slice_split(&key, '\0');
    *ret_host = key;
    return true;
}
