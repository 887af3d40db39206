// SPDX-License-Identifier: MIT
// Any text is a configuration or an error; the answer of a backend too.
#include "metricstore/config.h"
#include "metricstore/used-nodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct config *config = NULL;
    struct used_nodes *nodes = NULL;
    struct error err = ERROR_INIT;
    struct buf out;

    if (config_load_text(text, NULL, NULL, &config, &err) == 0) {
        buf_init(&out, BUF_MAX_DEFAULT);
        config_print(config, &out);
        buf_release(&out);
    } else {
        ASSERT(err.text[0]);
    }
    config_free(&config);
    if (used_nodes_parse(text, &nodes, &err) == 0)
        (void)used_nodes_has(nodes, SLICE_LITERAL("c"), SLICE_LITERAL("h"));
    used_nodes_free(&nodes);
    return 0;
}
