// SPDX-License-Identifier: MIT
#include "backend/ui-api.h"

#include "backend/testing.h"
#include "net/http-request-test.h"

struct fixture {
    struct test_site site;
    struct config config;
    struct auth *auth;
    struct http_router *router;
    struct rest *rest;
    struct ui_api ui;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = NEW(struct fixture);
    struct error err = ERROR_INIT;
    test_site_open(&f->site);
    MUST(auth_new(&f->config, NULL, true, &f->auth, &err), err);
    f->router = http_router_new();
    f->rest = rest_new(f->auth, f->router);
    f->ui = (struct ui_api){.jobs = &f->site.jobs, .demo = true};
    rest_add(f->rest, ui_api_routes, &f->ui);
    return f;
}

static void fixture_free(struct fixture *f)
{
    rest_free(&f->rest);
    http_router_free(&f->router);
    auth_free(&f->auth);
    test_site_close(&f->site);
    mem_free(f);
}

// The answer must have that status and hold that text; NULL: any.
static void expect(struct fixture *f, const char *method, const char *target, const char *body, int status,
                   const char *part)
{
    struct test_exchange x;
    test_exchange_init(&x, method, target, body);
    http_router_dispatch(f->router, &x.req, &x.resp);
    const char *got = buf_cstr(&x.resp.body);
    EXPECT(x.resp.status == status, "%s %s: %d, not %d: %s", target, body ? body : "", x.resp.status, status,
           got);
    EXPECT(!part || strstr(got, part), "%s %s: no '%s' in %s", target, body ? body : "", part, got);
    test_exchange_release(&x);
}

static void start_job(struct fixture *f, int64_t job_id, int64_t ago_s, const char *host)
{
    struct job_resource resource;
    struct error err = ERROR_INIT;
    struct job job = test_job(job_id, ago_s, &resource);
    resource.hostname = slice_from_cstr(host);
    MUST(jobs_start(&f->site.jobs, &job, &err), err);
}

static void test_info(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    expect(f, "GET", "/ui/api/info", NULL, 200, "\"nodes\":[]");
    start_job(f, 1, 600, "n3");
    test_ingest(&f->site, "load,hostname=n1,type=node value=1 1760099940\n");
    expect(f, "GET", "/ui/api/info", NULL, 200,
           "\"nodes\":[{\"host\":\"n1\",\"subcluster\":\"s\",\"lastSeen\":1760099940},"
           "{\"host\":\"n3\",\"subcluster\":\"s\",\"lastSeen\":null}]");
    expect(f, "GET", "/ui/api/info", NULL, 200, "\"simulated\":false");
    fixture_free(f);
}

static void test_jobs(void **state)
{
    static const struct {
        const char *query;
        int status;
        const char *part;
    } cases[] = {{"", 200, "\"total\":2"},
                 {"?host=n2", 200, "\"total\":1"},
                 {"?user=nobody", 200, "\"jobs\":[]"},
                 {"?sort=jobId&order=asc&items-per-page=1", 200, "\"jobId\":1,"},
                 {"?sort=jobId&order=desc&items-per-page=1", 200, "\"jobId\":2,"},
                 {"?host=%27%20OR%201=1", 200, "\"total\":0"},
                 {"?sort=colour", 400, "sort"},
                 {"?order=up", 400, "order"},
                 {"?nonsense=1", 400, "nonsense"},
                 {"?page=0", 400, "page"},
                 {"?page=99999999999999999999", 400, NULL},
                 {"?state=none", 400, "state"}};
    (void)state;
    struct fixture *f = fixture_new();
    start_job(f, 1, 600, "n1");
    start_job(f, 2, 500, "n2");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char target[128];
        snprintf(target, sizeof(target), "/ui/api/jobs%s", cases[i].query);
        expect(f, "GET", target, NULL, cases[i].status, cases[i].part);
    }
    fixture_free(f);
}

static void test_plots(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *part;
    } cases[] = {
        {"{\"ids\":[1],\"metrics\":[\"load\"],\"points\":10}", 200, "\"mean\":[2"},
        {"{\"ids\":[1],\"metrics\":[\"nope\"],\"points\":10}", 200, "\"1\":{}"},
        {"{\"ids\":[77],\"metrics\":[\"load\"],\"points\":10}", 200, "\"77\":{}"},
        {"", 400, NULL},
        {"{", 400, NULL},
        {"[]", 400, NULL},
        {"{}", 400, NULL},
        {"{\"ids\":[1]}", 400, NULL},
        {"{\"ids\":1,\"metrics\":[\"load\"]}", 400, NULL},
        {"{\"ids\":[\"1\"],\"metrics\":[\"load\"]}", 400, NULL},
        {"{\"ids\":[1],\"metrics\":[]}", 400, NULL},
        {"{\"ids\":[1],\"metrics\":[5]}", 400, NULL},
        {"{\"ids\":[1],\"metrics\":[\"load\"],\"points\":1}", 400, NULL},
        {"{\"ids\":[1],\"metrics\":[\"load\"],\"points\":1e9}", 400, NULL},
        {"{\"ids\":[1],\"metrics\":[\"load\"],\"points\":\"many\"}", 400, NULL},
    };
    (void)state;
    struct fixture *f = fixture_new();
    start_job(f, 1, 600, "n1");
    test_ingest(&f->site, "load,hostname=n1,type=node value=2 1760099400\n"
                          "load,hostname=n1,type=node value=2 1760099460\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect(f, "POST", "/ui/api/job-plots", cases[i].body, cases[i].status, cases[i].part);
    fixture_free(f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_info), cmocka_unit_test(test_jobs),
                                       cmocka_unit_test(test_plots)};
    return TEST_MAIN(argc, argv, tests);
}
