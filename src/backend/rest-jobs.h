// SPDX-License-Identifier: MIT
// REST routes of jobs (spec backend.md 4.4, 4.5): start, stop, list, one job, its metrics.
#ifndef BACKEND_REST_JOBS_H
#define BACKEND_REST_JOBS_H

#include "backend/jobs.h"
#include "backend/rest.h"

struct rest_jobs {
    const struct jobs *jobs;
    int64_t default_resolution_s; // of /api/jobs/metrics: the coarsest of resampling.resolutions, 0: native
};

extern const struct rest_route rest_jobs_routes[]; // ctx: struct rest_jobs

// Shared with the interface's own routes. Parses state, cluster, project, start-time, items-per-page, page
// and with-metadata; other names go to 'more' (may be NULL), which says whether it knew them. False: answered
// with 400.
typedef bool rest_more_fn(struct job_filter *filter, struct slice name, struct slice value,
                          const char **ret_error);
struct rest_list {
    struct job_filter filter;
    int64_t items, page;
};
bool rest_parse_list(struct http_request *req, int64_t now_s, rest_more_fn *more, struct rest_list *ret,
                     struct http_response *resp);
// "jobs":[...] of the filter, appended to out. False: answered.
bool rest_write_jobs(const struct jobs *jobs, const struct rest_list *list, struct buf *out,
                     struct http_response *resp);

#endif
