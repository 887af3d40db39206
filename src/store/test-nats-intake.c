// SPDX-License-Identifier: MIT
// The intake with messages handed in as the subscriptions do, without a server: tags, order, groups, what is acknowledged, what a
// full queue does, the stop. With the real server: tests/test_nats.py.
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/testing.h"
#include "store/nats-intake-private.h"

#define T   INT64_C(1700000000)
#define ACK "$JS.ACK.METRICS.store-1.1.17.19.1699999990123456789.5"

static const struct store_metric metrics[] = {{NULL, "load", 1, AGGREGATION_NONE}};

// What the stand-ins for engine and commit saw; one test at a time.
static struct {
    _Atomic uint64_t offered, commits, last_commit, reports;
    _Atomic int refuse, fail_commits; // how many more
    _Atomic bool closed_gate;
    char last_report[ERROR_TEXT_SIZE];
} seen;

struct fixture {
    struct store *store;
    struct nats_intake *intake;
    struct arena *arena;
};

static int64_t now_s(void)
{
    return T + 10;
}

static void on_report(void *ctx UNUSED, enum log_level level UNUSED, const char *text)
{
    (void)snprintf(seen.last_report, sizeof(seen.last_report), "%s", text);
    atomic_fetch_add(&seen.reports, 1); // behind the text, for those that wait
}

static int test_ingest(struct store *store, const struct store_write *write, struct store_write_result *ret)
{
    while (atomic_load(&seen.closed_gate))
        clock_sleep_ns(NS_PER_MS);
    uint64_t number = atomic_fetch_add(&seen.offered, 1) + 1;
    assert_true(write->defer_commit);
    if (atomic_load(&seen.refuse) > 0) {
        atomic_fetch_sub(&seen.refuse, 1);
        *ret = (struct store_write_result){.stored = 0};
        return ERR_BUSY;
    }
    int rc = store_ingest(store, write, ret);
    ret->span = (struct store_span){.begin = number - 1, .end = number};
    return rc;
}

static int test_commit(struct store *store UNUSED, const struct store_span *span, struct error *err)
{
    atomic_fetch_add(&seen.commits, 1);
    atomic_store(&seen.last_commit, span->end);
    if (atomic_load(&seen.fail_commits) > 0) {
        atomic_fetch_sub(&seen.fail_commits, 1);
        return error_set(err, ERR_NO_SPACE, "the disk is full");
    }
    return 0;
}

static const struct nats_intake_subscription two[] = {
    {.subject = "a", .cluster_tag = "alex"},
    {.subject = "b.>", .cluster_tag = "fritz", .stream = "METRICS", .durable = "store-1"}};

static void set_up(struct fixture *f, struct nats_intake_options options)
{
    struct store_options store = {.metrics = metrics, .metric_count = ARRAY_LEN(metrics)};
    struct error err = ERROR_INIT;
    memset(&seen, 0, sizeof(seen));
    *f = (struct fixture){.arena = arena_new((size_t)64 << 20)};
    assert_int_equal(store_new(&store, &f->store, &err), 0);
    options.connection.urls = "nats://127.0.0.1:1";
    options.connection.report = on_report;
    options.now_s = now_s;
    options.ingest = test_ingest;
    options.commit = test_commit;
    if (!options.subscriptions) {
        options.subscriptions = two;
        options.subscription_count = ARRAY_LEN(two);
    }
    if (nats_intake_new(f->store, &options, &f->intake, &err))
        fail_msg("nats_intake_new: %s", err.text);
}

static void tear_down(struct fixture *f)
{
    nats_intake_free(&f->intake);
    store_free(&f->store);
    arena_free(&f->arena);
}

static void send_text(struct fixture *f, size_t subscription, const char *reply, const char *text)
{
    nats_intake_take(
        f->intake, subscription,
        nats_message_make(nats_intake_connection(f->intake), "subject", reply, slice_from_cstr(text)));
}

static struct nats_intake_stats stats_when_idle(struct fixture *f, uint64_t offered)
{
    struct nats_intake_stats stats;
    for (int i = 0; i < 10000; i++) {
        nats_intake_stats(f->intake, &stats);
        if (stats.queued_bytes == 0 && atomic_load(&seen.offered) >= offered) {
            nats_intake_stats(f->intake, &stats); // what was counted before the queue was seen empty
            return stats;
        }
        clock_sleep_ns(NS_PER_MS);
    }
    fail_msg("the queue does not become empty");
    return stats;
}

// The value at 'ts', or -1.
static double value_at(struct fixture *f, const char *cluster, const char *host, int64_t ts)
{
    struct store_query query = {
        .cluster = slice_from_cstr(cluster), .host = slice_from_cstr(host), .metric = SLICE_LITERAL("load")};
    struct store_query_range range = {.from = ts, .to = ts + 1, .with_data = true};
    struct store_series *entries = NULL;
    size_t count = 0;
    assert_int_equal(store_query_run(f->store, &query, &range, f->arena, &entries, &count, NULL), 0);
    return count == 1 && !entries[0].error && entries[0].count == 1 ? entries[0].data[0] : -1;
}

// ---- tags ---------------------------------------------------------------------------------------------------------

static void test_ms_45_tag_travels_with_the_message(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 4});
    for (int i = 0; i < 200; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "load,hostname=h%d value=%d %lld", i, i, (long long)T);
        send_text(&f, (size_t)i % 2, NULL, line);
    }
    stats_when_idle(&f, 200);
    for (int i = 0; i < 200; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "h%d", i);
        assert_true(value_at(&f, i % 2 ? "fritz" : "alex", host, T) == i);
        assert_true(value_at(&f, i % 2 ? "alex" : "fritz", host, T) == -1);
    }
    tear_down(&f);
}

static void test_tag_of_the_line_wins(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    send_text(&f, 0, NULL, "load,cluster=other,hostname=h value=1 1700000000");
    stats_when_idle(&f, 1);
    assert_true(value_at(&f, "other", "h", T) == 1);
    tear_down(&f);
}

static void test_ms_45_same_subject_is_subscribed_once(void **state UNUSED)
{
    static const struct nats_intake_subscription list[] = {{.subject = "m", .cluster_tag = "first"},
                                                           {.subject = "n"},
                                                           {.subject = "m", .cluster_tag = "second"}};
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.subscriptions = list, .subscription_count = 3, .workers = 1});
    assert_int_equal(nats_intake_subscription_count(f.intake), 2);
    assert_int_equal(seen.reports, 1);
    assert_non_null(strstr(seen.last_report, "'m' is configured twice"));
    assert_non_null(strstr(seen.last_report, "'first', not 'second'"));
    tear_down(&f);
}

static void test_impossible_options(void **state UNUSED)
{
    static const struct {
        struct nats_options connection;
        struct nats_intake_subscription list[2];
        const char *text;
    } cases[] = {
        {{.urls = ""}, {{.subject = "a"}, {.subject = "b"}}, "no address"},
        {{.urls = " , "}, {{.subject = "a"}, {.subject = "b"}}, "no address"},
        {{.urls = "x"}, {{.subject = "a b"}, {.subject = "b"}}, "'a b' is no subject"},
        {{.urls = "x"}, {{.subject = "a"}, {.subject = "b", .stream = "S"}}, "need each other"},
        {{.urls = "x"}, {{.subject = "a"}, {.subject = "b", .stream = "S", .durable = "x.y"}}, "'x.y'"},
        {{.urls = "x"},
         {{.subject = "a", .stream = "S", .durable = "d"}, {.subject = "b", .stream = "S", .durable = "d"}},
         "used twice"},
        {{.urls = "x", .creds_file = "c", .nkey_seed_file = "s"},
         {{.subject = "a"}, {.subject = "b"}},
         "together"},
        {{.urls = "x", .tls_cert_file = "c"},
         {{.subject = "a"}, {.subject = "b"}},
         "certificate needs its key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct nats_intake_options options = {
            .connection = cases[i].connection, .subscriptions = cases[i].list, .subscription_count = 2};
        struct nats_intake *intake = NULL;
        struct error err = ERROR_INIT;
        int rc = nats_intake_new(NULL, &options, &intake, &err);
        EXPECT(rc == ERR_INVALID && strstr(err.text, cases[i].text), "case %zu: %d %s", i, rc, err.text);
        EXPECT(strncmp(err.text, "NATS: ", 6) == 0 && !strstr(err.text + 6, "NATS: "), "case %zu: %s", i,
               err.text); // callers add nothing
    }
}

// ---- order ---------------------------------------------------------------------------------------------------------

static void test_one_worker_keeps_the_order(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    for (int i = 0; i < 1000; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "load,hostname=h value=%d 1700000000", i);
        send_text(&f, 0, NULL, line);
    }
    stats_when_idle(&f, 1000);
    assert_true(value_at(&f, "alex", "h", T) == 999);
    tear_down(&f);
}

static void test_a_host_has_its_worker(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 8});
    struct slice subject = SLICE_LITERAL("s");
    size_t first =
        nats_intake_route(f.intake, subject, SLICE_LITERAL("load,cluster=c,hostname=n1,type=node value=1 1"));
    static const char *const same[] = {"cpu,hostname=n1 value=2", "cpu,type=core,host=n1,type-id=3 value=2",
                                       "mem,hostname=n1,cluster=d value=1 3\nload,hostname=n2 value=1 1\n"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        EXPECT(nats_intake_route(f.intake, subject, slice_from_cstr(same[i])) == first, "'%s'", same[i]);
    size_t others = 0;
    for (int i = 0; i < 64; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "load,hostname=m%d value=1", i);
        others += nats_intake_route(f.intake, subject, slice_from_cstr(line)) != first;
    }
    assert_in_range(others, 32, 64);
    assert_int_equal(nats_intake_route(f.intake, subject, SLICE_LITERAL("junk")),
                     nats_intake_route(f.intake, subject, SLICE_EMPTY));
    tear_down(&f);
}

static void test_values_of_a_host_keep_their_order_with_several_workers(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 4});
    for (int i = 0; i < 2000; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "load,hostname=h%d value=%d 1700000000", i % 20, i);
        send_text(&f, 0, NULL, line);
    }
    stats_when_idle(&f, 2000);
    for (int i = 0; i < 20; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "h%d", i);
        assert_true(value_at(&f, "alex", host, T) == 1980 + i);
    }
    tear_down(&f);
}

// ---- acknowledgement -----------------------------------------------------------------------------------------------

static void test_acknowledged_after_one_commit_per_group(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    atomic_store(&seen.closed_gate, true); // so that a group gathers
    for (int i = 0; i < 101; i++)
        send_text(&f, 1, ACK, "load,hostname=h value=1 1700000000");
    atomic_store(&seen.closed_gate, false);
    struct nats_intake_stats stats = stats_when_idle(&f, 101);
    assert_int_equal(stats.acknowledged, 101);
    assert_int_equal(stats.sent_back, 0);
    assert_in_range(stats.commits, 1, 2); // the first may have gone alone
    assert_int_equal(seen.last_commit, 101);
    assert_int_equal(stats.failed_acknowledgements, 101); // there is no connection here
    tear_down(&f);
}

static void test_failed_commit_sends_back(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    atomic_store(&seen.fail_commits, 1);
    send_text(&f, 1, ACK, "load,hostname=h value=1 1700000000");
    struct nats_intake_stats stats = stats_when_idle(&f, 1);
    assert_int_equal(stats.failed_commits, 1);
    assert_int_equal(stats.sent_back, 1);
    assert_int_equal(stats.acknowledged, 0);
    assert_non_null(strstr(seen.last_report, "the disk is full"));
    send_text(&f, 1, ACK, "load,hostname=h value=1 1700000000");
    stats = stats_when_idle(&f, 2);
    assert_int_equal(stats.acknowledged, 1);
    tear_down(&f);
}

static void test_plain_messages_are_not_acknowledged(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    send_text(&f, 0, NULL, "load,hostname=h value=1 1700000000");
    send_text(&f, 0, "_INBOX.someone", "load,hostname=h value=1 1700000001");
    struct nats_intake_stats stats = stats_when_idle(&f, 2);
    assert_int_equal(stats.acknowledged + stats.sent_back + stats.failed_acknowledgements, 0);
    assert_int_equal(stats.commits, seen.commits);
    tear_down(&f);
}

static void test_bad_lines_cost_themselves_only(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    send_text(
        &f, 1, ACK,
        "load,hostname=h value=1 1700000000\nload,hostname=h value=x 1\nload,hostname=h value=2 1700000001");
    struct nats_intake_stats stats = stats_when_idle(&f, 1);
    assert_int_equal(stats.messages_with_errors, 1);
    assert_int_equal(stats.acknowledged, 1); // again would not be better
    assert_non_null(strstr(seen.last_report, "line 2"));
    assert_true(value_at(&f, "fritz", "h", T) == 1 && value_at(&f, "fritz", "h", T + 1) == 2);
    tear_down(&f);
}

static void test_engine_that_takes_nothing(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1, .retry_ms = 10000});
    atomic_store(&seen.refuse, 3);
    send_text(&f, 0, NULL, "load,hostname=h value=1 1700000000"); // offered until it is taken
    struct nats_intake_stats stats = stats_when_idle(&f, 4);
    assert_int_equal(stats.lost, 0);
    assert_true(value_at(&f, "alex", "h", T) == 1);
    atomic_store(&seen.refuse, 1);
    send_text(&f, 1, ACK, "load,hostname=h value=2 1700000001"); // the stream keeps it
    stats = stats_when_idle(&f, 5);
    assert_int_equal(stats.sent_back, 1);
    assert_int_equal(seen.offered, 5);
    tear_down(&f);
}

static void test_plain_message_is_lost_in_the_end(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1, .retry_ms = 30});
    atomic_store(&seen.refuse, 1 << 20);
    send_text(&f, 0, NULL, "load,hostname=h value=1 1700000000");
    struct nats_intake_stats stats = stats_when_idle(&f, 2);
    assert_int_equal(stats.lost, 1);
    assert_non_null(strstr(seen.last_report, "a message is lost"));
    tear_down(&f);
}

static void test_time_of_lines_without_one(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    send_text(&f, 0, NULL, "load,hostname=h value=1"); // arrival here
    send_text(&f, 1, ACK, "load,hostname=h value=2");  // arrival in the stream
    stats_when_idle(&f, 2);
    assert_true(value_at(&f, "alex", "h", T + 10) == 1);
    assert_true(value_at(&f, "fritz", "h", T - 10) == 2);
    tear_down(&f);
}

// ---- queue and stop ------------------------------------------------------------------------------------------------

static void *send_many(void *arg)
{
    struct fixture *f = arg;
    for (int i = 0; i < 300; i++)
        send_text(f, 0, NULL, "load,hostname=h value=1 1700000000");
    return NULL;
}

static void check_full_queue_waits(struct nats_intake_options options, uint64_t most_queued)
{
    struct fixture f;
    struct nats_intake_stats stats;
    pthread_t thread;
    set_up(&f, options);
    atomic_store(&seen.closed_gate, true);
    assert_int_equal(pthread_create(&thread, NULL, send_many, &f), 0);
    for (int i = 0; i < 50; i++) {
        nats_intake_stats(f.intake, &stats);
        EXPECT(stats.queued_messages <= most_queued, "%llu messages in the queue",
               (unsigned long long)stats.queued_messages);
        clock_sleep_ns(NS_PER_MS);
    }
    atomic_store(&seen.closed_gate, false);
    pthread_join(thread, NULL);
    nats_intake_stop(f.intake);
    assert_int_equal(seen.offered, 300); // none was dropped
    tear_down(&f);
}

static void test_full_queue_waits(void **state UNUSED)
{
    check_full_queue_waits((struct nats_intake_options){.workers = 1, .queue_messages = 16}, 16);
    check_full_queue_waits((struct nats_intake_options){.workers = 1, .queue_bytes = 34 * 8}, 8);
    check_full_queue_waits((struct nats_intake_options){.workers = 1, .queue_bytes = 1}, 1);
}

static void test_ms_47_stop_works_off_the_queue(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, (struct nats_intake_options){.workers = 3});
    atomic_store(&seen.closed_gate, true);
    for (int i = 0; i < 3000; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "load,hostname=h%d value=%d %lld", i % 7, i,
                       (long long)T + i % 500);
        send_text(&f, 0, NULL, line);
    }
    atomic_store(&seen.closed_gate, false);
    nats_intake_stop(f.intake);
    assert_int_equal(seen.offered, 3000);
    assert_true(value_at(&f, "alex", "h3", T + 2999 % 500) == 2999);
    tear_down(&f);
}

static void test_absent_server_is_no_error(void **state UNUSED)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct nats_intake *intake = NULL;
    struct nats_intake_options options = {.connection = {.urls = "nats://127.0.0.1:1", .report = on_report},
                                          .subscriptions = two,
                                          .subscription_count = ARRAY_LEN(two)};
    set_up(&f, (struct nats_intake_options){.workers = 1});
    assert_int_equal(nats_intake_start(f.store, &options, &intake, &err), 0);
    for (int i = 0; i < 10000 && atomic_load(&seen.reports) == 0; i++)
        clock_sleep_ns(NS_PER_MS);
    assert_non_null(strstr(seen.last_report, "cannot connect"));
    struct nats_intake_stats stats;
    nats_intake_stats(intake, &stats);
    assert_false(stats.connection.connected);
    assert_true(stats.connection.failed_connects >= 1);
    nats_intake_free(&intake);
    assert_null(intake);
    tear_down(&f);
}

static void test_metrics_text(void **state UNUSED)
{
    struct fixture f;
    struct buf text;
    set_up(&f, (struct nats_intake_options){.workers = 1});
    send_text(&f, 1, ACK, "load,hostname=h value=1 1700000000");
    stats_when_idle(&f, 1);
    buf_init(&text, BUF_MAX_DEFAULT);
    nats_intake_metrics(NULL, &text);
    assert_int_equal(text.len, 0);
    nats_intake_metrics(f.intake, &text);
    static const char *const lines[] = {"\ncc_nats_connected 0\n",
                                        "\ncc_nats_acknowledgements_total{kind=\"ack\"} 1\n",
                                        "\ncc_nats_lost_messages_total{reason=\"slow_consumer\"} 0\n",
                                        "\n# TYPE cc_nats_queued_bytes gauge\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        EXPECT(strstr(buf_cstr(&text), lines[i]), "'%s' is missing in\n%s", lines[i], buf_cstr(&text));
    buf_release(&text);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ms_45_tag_travels_with_the_message),
        cmocka_unit_test(test_tag_of_the_line_wins),
        cmocka_unit_test(test_ms_45_same_subject_is_subscribed_once),
        cmocka_unit_test(test_impossible_options),
        cmocka_unit_test(test_one_worker_keeps_the_order),
        cmocka_unit_test(test_a_host_has_its_worker),
        cmocka_unit_test(test_values_of_a_host_keep_their_order_with_several_workers),
        cmocka_unit_test(test_acknowledged_after_one_commit_per_group),
        cmocka_unit_test(test_failed_commit_sends_back),
        cmocka_unit_test(test_plain_messages_are_not_acknowledged),
        cmocka_unit_test(test_bad_lines_cost_themselves_only),
        cmocka_unit_test(test_engine_that_takes_nothing),
        cmocka_unit_test(test_plain_message_is_lost_in_the_end),
        cmocka_unit_test(test_time_of_lines_without_one),
        cmocka_unit_test(test_full_queue_waits),
        cmocka_unit_test(test_ms_47_stop_works_off_the_queue),
        cmocka_unit_test(test_absent_server_is_no_error),
        cmocka_unit_test(test_metrics_text),
    };
    return TEST_MAIN(argc, argv, tests);
}
