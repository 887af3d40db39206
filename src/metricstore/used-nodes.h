// SPDX-License-Identifier: MIT
// Hosts of running jobs, as cc-backend tells them: GET <backend-url>/api/jobs/used_nodes?ts=<threshold>
// (spec metric-store.md 4.9). They keep their data beyond the retention.
#ifndef METRICSTORE_USED_NODES_H
#define METRICSTORE_USED_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct used_nodes;

// Both shapes of the answer (MS-03): {"<cluster>": ["<host>", ...]} and {"usedNodes": {"<cluster>": [...]}}.
int used_nodes_parse(struct slice json, struct used_nodes **ret_nodes, struct error *err) MUST_CHECK;
// Asks the backend; waits up to 10 s. token: "" sends none.
int used_nodes_fetch(const char *backend_url, const char *token, int64_t threshold_s,
                     struct used_nodes **ret_nodes, struct error *err) MUST_CHECK;
void used_nodes_free(struct used_nodes **nodes);
bool used_nodes_has(const struct used_nodes *nodes, struct slice cluster, struct slice host);
// for (size_t i = 0; used_nodes_next(nodes, &i, &cluster, &host);) ...
bool used_nodes_next(const struct used_nodes *nodes, size_t *position, struct slice *ret_cluster,
                     struct slice *ret_host);
size_t used_nodes_count(const struct used_nodes *nodes);

#endif
