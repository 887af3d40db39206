// SPDX-License-Identifier: MIT
#include "backend/scope-query.h"

#include "base/buf.h"
#include "base/testing.h"

// Eight threads, two sockets = memory domains, four cores of two threads (spec metric-store.md 11.2).
struct node {
    struct topology topology;
    struct slice accelerators[2];
};

static int all_threads[] = {0, 1, 2, 3, 4, 5, 6, 7};
static struct topology_group sockets[] = {{all_threads, 4}, {all_threads + 4, 4}};
static struct topology_group cores[] = {
    {all_threads, 2}, {all_threads + 2, 2}, {all_threads + 4, 2}, {all_threads + 6, 2}};

static struct node make_node(void)
{
    return (struct node){.topology = {.node = {all_threads, 8},
                                      .sockets = sockets,
                                      .socket_count = 2,
                                      .memory_domains = sockets,
                                      .memory_domain_count = 2,
                                      .cores = cores,
                                      .core_count = 4},
                         .accelerators = {SLICE_LITERAL("gpu0"), SLICE_LITERAL("gpu1")}};
}

// "hwthread[0,1]+ hwthread[2,3]+": type, ids, + for aggregated
static const char *describe(const struct scope_query *queries, size_t count, struct arena *arena)
{
    struct buf out;
    buf_init(&out, 65536);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%s%s[", i ? " " : "", queries[i].typed ? scope_name(queries[i].type) : "node");
        for (size_t k = 0; k < queries[i].id_count; k++)
            buf_printf(&out, "%s%.*s", k ? "," : "", SLICE_FMT(queries[i].ids[k]));
        buf_printf(&out, "]%s", queries[i].aggregate ? "+" : "");
    }
    const char *text = arena_strdup(arena, buf_slice(&out));
    buf_release(&out);
    return text;
}

static const char *run(enum scope native, enum scope requested, const int *threads, size_t count,
                       bool accelerators, struct arena *arena, enum scope *ret_effective)
{
    struct node node = make_node();
    struct scope_host host = {.topology = &node.topology,
                              .threads = threads,
                              .thread_count = count,
                              .accelerators = node.accelerators,
                              .accelerator_count = accelerators ? 2 : 0};
    struct scope_query *queries = NULL;
    size_t query_count = 0;
    struct error err = ERROR_INIT;
    if (scope_query_build(native, requested, &host, arena, &queries, &query_count, ret_effective, &err))
        return arena_printf(arena, "error: %s", err.text);
    return describe(queries, query_count, arena);
}

struct vector {
    enum scope native, requested, effective;
    const char *wanted;
};

static void check(const struct vector *v, const int *threads, size_t count, bool accelerators)
{
    struct arena *arena = arena_new(1 << 20);
    enum scope effective = SCOPE_INVALID;
    const char *got = run(v->native, v->requested, threads, count, accelerators, arena, &effective);
    EXPECT(strcmp(got, v->wanted) == 0, "%s -> %s: got '%s', expected '%s'", scope_name(v->native),
           scope_name(v->requested), got, v->wanted);
    EXPECT(effective == v->effective, "%s -> %s: effective scope %s, expected %s", scope_name(v->native),
           scope_name(v->requested), scope_name(effective), scope_name(v->effective));
    arena_free(&arena);
}

static void test_upstream_vectors(void **state)
{
    static const struct vector vectors[] = {
        {SCOPE_HWTHREAD, SCOPE_HWTHREAD, SCOPE_HWTHREAD, "hwthread[0,1,2,3,4,5,6,7]"},
        {SCOPE_CORE, SCOPE_CORE, SCOPE_CORE, "core[0,1,2,3]"},
        {SCOPE_SOCKET, SCOPE_SOCKET, SCOPE_SOCKET, "socket[0,1]"},
        {SCOPE_MEMORY_DOMAIN, SCOPE_MEMORY_DOMAIN, SCOPE_MEMORY_DOMAIN, "memoryDomain[0,1]"},
        {SCOPE_NODE, SCOPE_NODE, SCOPE_NODE, "node[]"},
        {SCOPE_ACCELERATOR, SCOPE_ACCELERATOR, SCOPE_ACCELERATOR, "accelerator[gpu0,gpu1]"},
        {SCOPE_HWTHREAD, SCOPE_CORE, SCOPE_CORE,
         "hwthread[0,1]+ hwthread[2,3]+ hwthread[4,5]+ hwthread[6,7]+"},
        {SCOPE_HWTHREAD, SCOPE_SOCKET, SCOPE_SOCKET, "hwthread[0,1,2,3]+ hwthread[4,5,6,7]+"},
        {SCOPE_MEMORY_DOMAIN, SCOPE_SOCKET, SCOPE_SOCKET, "memoryDomain[0]+ memoryDomain[1]+"},
        {SCOPE_HWTHREAD, SCOPE_NODE, SCOPE_NODE, "hwthread[0,1,2,3,4,5,6,7]+"},
        {SCOPE_CORE, SCOPE_NODE, SCOPE_NODE, "core[0,1,2,3]+"},
        {SCOPE_SOCKET, SCOPE_NODE, SCOPE_NODE, "socket[0,1]+"},
        {SCOPE_MEMORY_DOMAIN, SCOPE_NODE, SCOPE_NODE, "memoryDomain[0,1]+"},
        {SCOPE_ACCELERATOR, SCOPE_NODE, SCOPE_NODE, "accelerator[gpu0,gpu1]+"},
        {SCOPE_ACCELERATOR, SCOPE_CORE, SCOPE_CORE, ""},
        {SCOPE_ACCELERATOR, SCOPE_SOCKET, SCOPE_SOCKET, ""},
        {SCOPE_NODE, SCOPE_CORE, SCOPE_NODE, "node[]"},
        {SCOPE_SOCKET, SCOPE_HWTHREAD, SCOPE_SOCKET, "socket[0,1]"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        check(&vectors[i], all_threads, 8, true);
}

// Cores are counted as cores: with two threads per core, upstream asks for cores 4..7 of the second socket.
static void test_ms_55_core_to_socket(void **state)
{
    static const struct vector v = {SCOPE_CORE, SCOPE_SOCKET, SCOPE_SOCKET, "core[0,1]+ core[2,3]+"};
    static const int second[] = {7, 6};
    static const struct vector half = {SCOPE_CORE, SCOPE_SOCKET, SCOPE_SOCKET, "core[3]+"};
    (void)state;
    check(&v, all_threads, 8, true);
    check(&half, second, 2, true);
}

static void test_memory_domain_of_finer_metrics(void **state)
{
    static const struct vector vectors[] = {
        {SCOPE_HWTHREAD, SCOPE_MEMORY_DOMAIN, SCOPE_MEMORY_DOMAIN, "hwthread[0,1,2,3]+ hwthread[4,5,6,7]+"},
        {SCOPE_CORE, SCOPE_MEMORY_DOMAIN, SCOPE_MEMORY_DOMAIN, "core[0,1]+ core[2,3]+"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        check(&vectors[i], all_threads, 8, true);
}

// Part of a node: ids are those that the job touches, ascending whatever the order of its threads.
static void test_part_of_a_node(void **state)
{
    static const int threads[] = {5, 2, 4};
    static const struct vector vectors[] = {
        {SCOPE_HWTHREAD, SCOPE_HWTHREAD, SCOPE_HWTHREAD, "hwthread[2,4,5]"},
        {SCOPE_HWTHREAD, SCOPE_NODE, SCOPE_NODE, "hwthread[2,4,5]+"},
        {SCOPE_HWTHREAD, SCOPE_CORE, SCOPE_CORE, "hwthread[2,3]+ hwthread[4,5]+"},
        {SCOPE_CORE, SCOPE_CORE, SCOPE_CORE, "core[1,2]"},
        {SCOPE_SOCKET, SCOPE_SOCKET, SCOPE_SOCKET, "socket[0,1]"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        check(&vectors[i], threads, ARRAY_LEN(threads), true);
}

static void test_whole_node_without_threads_and_accelerators(void **state)
{
    static const struct vector vectors[] = {
        {SCOPE_HWTHREAD, SCOPE_NODE, SCOPE_NODE, "hwthread[0,1,2,3,4,5,6,7]+"},
        {SCOPE_ACCELERATOR, SCOPE_NODE, SCOPE_NODE, ""},
        {SCOPE_ACCELERATOR, SCOPE_ACCELERATOR, SCOPE_ACCELERATOR, ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        check(&vectors[i], NULL, 0, false);
}

// TestBuildScopeQueries_UnhandledCase: every pair of these has queries, also without accelerators.
static void test_every_pair_has_queries(void **state)
{
    static const enum scope scopes[] = {SCOPE_HWTHREAD, SCOPE_CORE, SCOPE_SOCKET, SCOPE_NODE};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scopes) * ARRAY_LEN(scopes); i++) {
        enum scope native = scopes[i / ARRAY_LEN(scopes)], requested = scopes[i % ARRAY_LEN(scopes)];
        enum scope effective = SCOPE_INVALID;
        struct arena *arena = arena_new(1 << 20);
        const char *got = run(native, requested, all_threads, 8, false, arena, &effective);
        EXPECT(got[0] != '\0' && !strstr(got, "error"), "%s -> %s: '%s'", scope_name(native),
               scope_name(requested), got);
        arena_free(&arena);
    }
}

// TestIntToStringSlice: ids are the decimal numbers of the threads.
static void test_ids_are_decimal(void **state)
{
    static int threads[] = {10, 100, 1000};
    struct topology topology = {.node = {threads, 3}};
    struct scope_host host = {.topology = &topology, .threads = threads};
    (void)state;
    for (size_t count = 1; count <= 3; count++) {
        static const char *const wanted[] = {"hwthread[10]", "hwthread[10,100]", "hwthread[10,100,1000]"};
        struct arena *arena = arena_new(1 << 20);
        struct scope_query *queries = NULL;
        size_t query_count = 0;
        enum scope effective;
        struct error err = ERROR_INIT;
        host.thread_count = count;
        assert_int_equal(scope_query_build(SCOPE_HWTHREAD, SCOPE_HWTHREAD, &host, arena, &queries,
                                           &query_count, &effective, &err),
                         0);
        assert_string_equal(describe(queries, query_count, arena), wanted[count - 1]);
        arena_free(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_upstream_vectors),
                                       cmocka_unit_test(test_ms_55_core_to_socket),
                                       cmocka_unit_test(test_memory_domain_of_finer_metrics),
                                       cmocka_unit_test(test_part_of_a_node),
                                       cmocka_unit_test(test_whole_node_without_threads_and_accelerators),
                                       cmocka_unit_test(test_every_pair_has_queries),
                                       cmocka_unit_test(test_ids_are_decimal)};
    return TEST_MAIN(argc, argv, tests);
}
