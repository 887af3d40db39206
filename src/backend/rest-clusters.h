// SPDX-License-Identifier: MIT
// REST routes of clusters and nodes (spec backend.md 4.7): /api/clusters/ with the expanded description, and
// the hosts of running jobs.
#ifndef BACKEND_REST_CLUSTERS_H
#define BACKEND_REST_CLUSTERS_H

#include "backend/rest.h"
#include "base/buf.h"
#include "model/cluster.h"
#include "net/sql.h"

struct rest_clusters {
    const struct cluster_set *clusters; // borrowed
    struct sql_pool *pool;
};

extern const struct rest_route rest_clusters_routes[]; // ctx: struct rest_clusters

// The description as loaded and expanded (job-archive.md 3.4), members in upstream's order.
void cluster_encode(const struct cluster *cluster, struct buf *out);

#endif
