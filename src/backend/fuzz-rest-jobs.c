// SPDX-License-Identifier: MIT
// The query string of a job list: refused with an answer, or a filter within its bounds.
#include "backend/rest-jobs.h"
#include "net/http-request-test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_filter(const struct rest_list *list)
{
    ASSERT(list->items >= 1 && list->page >= 1);
    ASSERT(list->filter.limit == list->items && list->filter.offset >= 0);
    ASSERT(list->filter.state_count <= ARRAY_LEN(list->filter.states));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_exchange x;
    struct rest_list list;
    test_exchange_init(&x, "GET", "/api/jobs/", NULL);
    x.req.raw_query = slice_of((const char *)data, size);
    if (rest_parse_list(&x.req, 1760100000, NULL, &list, &x.resp))
        check_filter(&list);
    else
        ASSERT(x.resp.status == 400 && x.resp.body.len > 0);
    test_exchange_release(&x);
    return 0;
}
