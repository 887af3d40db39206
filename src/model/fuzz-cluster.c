// SPDX-License-Identifier: MIT
#include "model/cluster.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// Whatever the file says: an error with a text, or a cluster whose every metric and host can be asked for.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct cluster_set *set = NULL;
    struct error err = ERROR_INIT;

    if (cluster_set_load_text(slice_of((const char *)bytes, len), NULL, &set, &err) < 0) {
        ASSERT(err.text[0]);
        return 0;
    }
    const struct cluster *cluster = cluster_set_at(set, 0);
    for (size_t i = 0; i < cluster->subcluster_count; i++) {
        const struct subcluster *s = &cluster->subclusters[i];

        ASSERT(s->metric_count <= cluster->metric_count && s->footprint_count <= s->metric_count);
        for (size_t k = 0; k < s->metric_count; k++)
            ASSERT(metric_find(cluster->metrics, cluster->metric_count, slice_from_cstr(s->metrics[k].name)));
    }
    (void)subcluster_of_host(cluster, SLICE_LITERAL("n1"));
    cluster_set_free(&set);
    return 0;
}
