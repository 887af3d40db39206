// SPDX-License-Identifier: MIT
// Durability by force: one workload (batches, late samples, rotation, snapshots, recovery, cleanup, clean stop) runs again and
// again, and each time another I/O call fails, writes short, or is the last one before the machine dies; afterwards every
// acknowledged sample must be there. Counts are printed. CC_DURABILITY_STEP=k tries every k-th call only,
// CC_DURABILITY_CALL=n the n-th alone; CC_DURABILITY_SEEDS=n that many power losses for each.
//
// Model: a slot is a list of the values that it may have. An acknowledged batch leaves one, a refused or unanswered one adds
// its own.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file-fault.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "base/testing.h"
#include "store/persist.h"

#define T         INT64_C(1700000040) // a multiple of 60
#define OLD       (T - 20 * 86400)    // samples of the last host; cleanup takes its snapshots
#define CUTOFF    (T - 10 * 86400)
#define GAP_SLOTS 600 // between the first and the second half of a series: more than a segment
#define HOSTS     3
#define SERIES    3
#define SLOTS     24
#define MAY_BE    32
#define SEEDS     setting("CC_DURABILITY_SEEDS", 4)

static const struct {
    const char *cluster, *name;
    int64_t begin;
} hosts[HOSTS] = {{"alpha", "n1", T}, {"beta", "n1", T}, {"beta", "old", OLD}};

static const struct {
    const char *metric, *tags, *type, *id;
    int64_t frequency_s;
} series[SERIES] = {{"load", "", NULL, NULL, 10},
                    {"flops", ",type=core,type-id=0", "core", "0", 60},
                    {"flops", ",type=core,type-id=1,stype=x,stype-id=7", "core", "1", 60}};

struct slot {
    double may_be[MAY_BE]; // NaN: nothing
    size_t count;
};

struct sample {
    size_t host, series, slot;
    double value;
};

struct counts {
    uint64_t runs, hits, batches, acknowledged, refused, compared;
};

struct world {
    char *directory;
    struct io io; // what the workload sees
    struct store *store;
    struct persist *persist;
    struct slot slots[HOSTS][SERIES][SLOTS];
    int64_t now_s;
    uint64_t random;
    uint64_t serial;
    enum checkpoint_format format;
    struct counts *counts;
    char what[160]; // for messages
};

static uint64_t next_random(struct world *w, uint64_t below)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (w->random >> 33) % below;
}

static int64_t slot_time(size_t host, size_t s, size_t slot)
{
    int64_t gap = slot < SLOTS / 2 ? 0 : GAP_SLOTS;

    return hosts[host].begin + ((int64_t)slot + gap) * series[s].frequency_s;
}

// ---- store and directory ----------------------------------------------------------------------------------

static struct store *new_store(void)
{
    static const struct store_metric metrics[] = {
        {.name = "load", .frequency_s = 10, .aggregation = AGGREGATION_SUM},
        {.name = "flops", .frequency_s = 60, .aggregation = AGGREGATION_SUM}};
    struct store_options options = {.metrics = metrics, .metric_count = ARRAY_LEN(metrics)};
    struct store *store = NULL;

    assert_int_equal(store_new(&options, &store, NULL), 0);
    return store;
}

static int open_world(struct world *w, struct error *err)
{
    struct persist_options options = {.directory = w->directory,
                                      .format = w->format,
                                      .sync = WAL_SYNC_BATCH,
                                      .log_max_bytes = 2048,
                                      .checkpoint_interval_s = 100,
                                      .workers = 1,
                                      .now_s = w->now_s,
                                      .io = &w->io};

    w->store = new_store();
    int rc = persist_open(w->store, &options, &w->persist, err);
    if (rc < 0)
        store_free(&w->store);
    return rc;
}

// As after a crash: nothing more is written.
static void drop_world(struct world *w)
{
    if (w->persist)
        persist_abandon(&w->persist);
    store_free(&w->store);
}

static struct world new_world(const char *directory, struct counts *counts, enum checkpoint_format format)
{
    struct world w = {.directory = file_join(directory, "checkpoints"), .now_s = T + 100000, .random = 7};

    w.counts = counts;
    w.format = format;
    for (size_t h = 0; h < HOSTS; h++)
        for (size_t s = 0; s < SERIES; s++)
            for (size_t i = 0; i < SLOTS; i++)
                w.slots[h][s][i] = (struct slot){.may_be = {NAN}, .count = 1};
    return w;
}

static void end_world(struct world *w)
{
    drop_world(w);
    assert_int_equal(file_remove_tree(w->directory, NULL), 0);
    mem_free(w->directory);
}

// ---- batches ----------------------------------------------------------------------------------------------

static void settle(struct world *w, const struct sample *samples, size_t count, bool acknowledged)
{
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = &w->slots[samples[i].host][samples[i].series][samples[i].slot];

        if (acknowledged)
            slot->count = 0;
        assert_true(slot->count < MAY_BE);
        slot->may_be[slot->count++] = samples[i].value;
    }
}

static void add_sample(struct world *w, struct buf *lines, struct sample *sample)
{
    int64_t ts = slot_time(sample->host, sample->series, sample->slot);

    sample->value = (double)++w->serial / 8; // exact as float32
    buf_printf(lines, "%s,cluster=%s,hostname=%s%s value=%.3f %lld\n", series[sample->series].metric,
               hosts[sample->host].cluster, hosts[sample->host].name, series[sample->series].tags,
               sample->value, (long long)ts);
}

static void write_batch(struct world *w, struct sample *samples, size_t count)
{
    struct store_write_result result = {0};
    struct buf lines;

    buf_init(&lines, 1 << 20);
    for (size_t i = 0; i < count; i++)
        add_sample(w, &lines, &samples[i]);
    struct store_write write = {.body = buf_slice(&lines), .now_s = w->now_s};
    int rc = store_ingest(w->store, &write, &result);
    buf_release(&lines);
    EXPECT(rc == 0 || rc == ERR_IO || rc == ERR_NO_SPACE || rc == ERR_BUSY, "%s: store_ingest: %d (%s)",
           w->what, rc, result.first_error.text);
    settle(w, samples, count, rc == 0);
    w->counts->batches++;
    *(rc == 0 ? &w->counts->acknowledged : &w->counts->refused) += count;
}

// All series of all hosts at one slot.
static void write_tick(struct world *w, size_t slot)
{
    struct sample samples[HOSTS * SERIES];
    size_t count = 0;

    for (size_t h = 0; h < HOSTS; h++)
        for (size_t s = 0; s < SERIES; s++)
            samples[count++] = (struct sample){.host = h, .series = s, .slot = slot};
    write_batch(w, samples, count);
}

// Some slots before 'below' of one host: late ones and overwritten ones, and a slot that each of these batches writes, so that a
// segment of the log that comes back without its successors is seen.
static void write_late(struct world *w, size_t below)
{
    struct sample samples[5];
    size_t host = next_random(w, HOSTS - 1);

    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        samples[i] =
            (struct sample){.host = host, .series = next_random(w, SERIES), .slot = next_random(w, below)};
    samples[0] = (struct sample){.host = 0, .series = 0, .slot = 0};
    write_batch(w, samples, ARRAY_LEN(samples));
}

// ---- workload ---------------------------------------------------------------------------------------------

// With a fault that hits once only, the second attempt must succeed.
static bool open_again(struct world *w, bool lasting)
{
    struct error err = ERROR_INIT;
    int rc = open_world(w, &err);

    if (rc < 0 && !lasting)
        rc = open_world(w, &err);
    EXPECT(rc == 0 || lasting, "%s: cannot open: %s", w->what, err.text);
    return rc == 0;
}

static void write_and_work(struct world *w, size_t first, size_t end)
{
    for (size_t slot = first; slot < end; slot++) {
        if (slot % 7 != 3) // that one stays a hole, until something late fills it
            write_tick(w, slot);
        if (slot % 3 == 1)
            write_late(w, slot);
        if (slot % 4 == 2) {
            w->now_s += 150;
            persist_work(w->persist, w->now_s);
        }
    }
}

static void clean_up(struct world *w)
{
    struct cleanup_result result = {0};

    // its errors are those injected; what matters is what is left
    ignore_result(persist_cleanup(w->persist, NULL, CUTOFF, NULL, NULL, &result, NULL));
    for (size_t s = 0; s < SERIES; s++)
        for (size_t i = 0; i < SLOTS; i++)
            settle(w, &(struct sample){.host = HOSTS - 1, .series = s, .slot = i, .value = NAN}, 1, false);
}

// A life that ends as by kill -9.
static bool live(struct world *w, bool lasting, size_t first, size_t end)
{
    if (!open_again(w, lasting))
        return false;
    write_and_work(w, first, end);
    drop_world(w);
    return true;
}

// lasting: once something failed all later calls fail, so an open that failed ends it.
static void work(struct world *w, bool lasting)
{
    // The second life makes no snapshots: the third one removes the logs of two.
    if (!live(w, lasting, 0, 6) || !live(w, lasting, 7, 10) || !live(w, lasting, 10, 12) ||
        !open_again(w, lasting))
        return;
    write_and_work(w, 12, 15);
    // What could not be written stays in the log; either way the next start finds all.
    ignore_result(persist_close(&w->persist, w->now_s, NULL));
    drop_world(w);
    if (!open_again(w, lasting))
        return;
    write_and_work(w, 15, 18);
    clean_up(w);
    write_and_work(w, 18, 20);
    drop_world(w);
}

// ---- comparing --------------------------------------------------------------------------------------------

static bool may_be(const struct slot *slot, double value)
{
    for (size_t i = 0; i < slot->count; i++)
        if (isnan(value) ? isnan(slot->may_be[i]) : slot->may_be[i] == value)
            return true;
    return false;
}

static double value_at(const struct store_series *got, int64_t ts)
{
    if (!got || ts < got->from || (size_t)((ts - got->from) / got->resolution_s) >= got->count)
        return NAN;
    return got->data[(ts - got->from) / got->resolution_s];
}

static size_t count_values(const struct store_series *got)
{
    size_t count = 0;

    for (size_t i = 0; got && i < got->count; i++)
        count += !isnan(got->data[i]);
    return count;
}

// Settles what was seen: it must stay from here on.
static void compare_series(struct world *w, size_t h, size_t s, const struct store_series *got)
{
    size_t seen = 0;

    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &w->slots[h][s][i];
        double value = value_at(got, slot_time(h, s, i));

        EXPECT(may_be(slot, value), "%s: %s/%s %s, slot %zu: %.3f, the first of %zu possible values is %.3f",
               w->what, hosts[h].cluster, hosts[h].name, series[s].metric, i, value, slot->count,
               slot->may_be[0]);
        *slot = (struct slot){.may_be = {value}, .count = 1};
        seen += !isnan(value);
        w->counts->compared++;
    }
    EXPECT(count_values(got) == seen, "%s: %s/%s %s: %zu values, %zu of them were sent", w->what,
           hosts[h].cluster, hosts[h].name, series[s].metric, count_values(got), seen);
}

// The one entry of a series, or NULL without data; arena memory.
static const struct store_series *read_series(struct world *w, size_t h, size_t s, struct arena *arena)
{
    const struct slice id = slice_from_cstr(series[s].id), subtype_id = SLICE_LITERAL("7");
    bool sub = strstr(series[s].tags, "stype");
    struct store_query query = {.cluster = slice_from_cstr(hosts[h].cluster),
                                .host = slice_from_cstr(hosts[h].name),
                                .metric = slice_from_cstr(series[s].metric),
                                .has_type = series[s].type,
                                .type = slice_from_cstr(series[s].type),
                                .type_ids = &id,
                                .type_id_count = series[s].type ? 1 : 0,
                                .has_subtype = sub,
                                .subtype = SLICE_LITERAL("x"),
                                .subtype_ids = &subtype_id,
                                .subtype_id_count = sub};
    struct store_query_range range = {.from = slot_time(h, s, 0) - 10 * series[s].frequency_s,
                                      .to = slot_time(h, s, SLOTS),
                                      .with_data = true};
    struct store_series *entries = NULL;
    struct error err = ERROR_INIT;
    size_t count = 0;

    int rc = store_query_run(w->store, &query, &range, arena, &entries, &count, &err);
    EXPECT(rc == 0 && count <= 1 && (count == 0 || !entries[0].error), "%s: query: %d, %zu entries, %s",
           w->what, rc, count, err.text);
    return count ? entries : NULL;
}

static void compare(struct world *w)
{
    struct arena *arena = arena_new(64 << 20);

    for (size_t h = 0; h < HOSTS; h++)
        for (size_t s = 0; s < SERIES; s++)
            compare_series(w, h, s, read_series(w, h, s, arena));
    arena_free(&arena);
}

// The directory as it was left, opened on a disk that works: all is there, again after a clean stop, and again after that.
static void prove(struct world *w)
{
    struct io_fault *none = io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_NONE});
    struct error err = ERROR_INIT;

    w->io = io_fault_io(none); // the real file system, but without waiting for the disk
    EXPECT(open_world(w, &err) == 0, "%s: cannot be opened afterwards: %s", w->what, err.text);
    compare(w);
    write_late(w, 20);
    drop_world(w);
    EXPECT(open_world(w, &err) == 0, "%s: second start: %s", w->what, err.text);
    persist_load_all(w->persist);
    compare(w);
    EXPECT(persist_close(&w->persist, w->now_s, &err) == 0, "%s: clean stop: %s", w->what, err.text);
    drop_world(w);
    EXPECT(open_world(w, &err) == 0, "%s: third start: %s", w->what, err.text);
    compare(w);
    drop_world(w);
    io_fault_free(&none);
}

// ---- runs -------------------------------------------------------------------------------------------------

// One run with this fault; false: it was not reached. power_seed: for the loss of what was not synced; 0: none.
static bool run_with(const char *directory, const struct io_fault_plan *plan, uint64_t power_seed,
                     struct counts *counts)
{
    enum checkpoint_format format = plan->at_call % 2 ? CHECKPOINT_BIN : CHECKPOINT_JSON;
    struct world w = new_world(directory, counts, format);
    struct io_fault *fault = io_fault_new(plan);

    snprintf(w.what, sizeof(w.what), "kind %d, errno %d%s, call %llu, power seed %llu", (int)plan->kind,
             plan->error_number, plan->sticky ? " for good" : "", (unsigned long long)plan->at_call,
             (unsigned long long)power_seed);
    w.io = io_fault_io(fault);
    work(&w, plan->sticky || plan->kind == IO_FAULT_CRASH);
    drop_world(&w);
    bool hit = io_fault_calls(fault) >= plan->at_call;
    if (power_seed)
        io_fault_power_loss(fault, power_seed);
    io_fault_free(&fault);
    prove(&w);
    end_world(&w);
    counts->runs++;
    counts->hits += hit;
    return hit;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t k = 0;

    return text && strnum_parse_u64(slice_from_cstr(text), &k, NULL) == 0 && k > 0 ? k : otherwise;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STEP 3 // they are slow; all calls are tried in the other flavours
#else
#define STEP 1
#endif

static void print_counts(const char *what, const struct counts *c)
{
    print_message("%s: %llu runs, %llu hit the fault, %llu batches, %llu samples acknowledged, %llu refused, "
                  "%llu slots "
                  "compared, 0 lost\n",
                  what, (unsigned long long)c->runs, (unsigned long long)c->hits,
                  (unsigned long long)c->batches, (unsigned long long)c->acknowledged,
                  (unsigned long long)c->refused, (unsigned long long)c->compared);
}

// The fault at the first call, the second, and so on until a run passes without reaching it.
static void at_every_call(void **state, const char *name, struct io_fault_plan plan, uint64_t power_seed)
{
    uint64_t step = setting("CC_DURABILITY_STEP", STEP), only = setting("CC_DURABILITY_CALL", 0);
    struct counts counts = {0};

    for (plan.at_call = only ? only : 1; run_with(*state, &plan, power_seed, &counts) && !only;)
        plan.at_call += step;
    print_counts(name, &counts);
    assert_true(only || counts.hits >= 50 / step); // the workload does reach the disk
    assert_true(counts.acknowledged > 0 && counts.compared > 0);
}

static void test_eio_at_every_call(void **state)
{
    at_every_call(state, "EIO", (struct io_fault_plan){.kind = IO_FAULT_ERRNO, .error_number = EIO}, 0);
}

static void test_enospc_at_every_call(void **state)
{
    at_every_call(state, "ENOSPC", (struct io_fault_plan){.kind = IO_FAULT_ERRNO, .error_number = ENOSPC}, 0);
}

static void test_short_write_at_every_call(void **state)
{
    at_every_call(state, "short write", (struct io_fault_plan){.kind = IO_FAULT_SHORT_WRITE}, 0);
}

// The same, and then the power fails as well.
static void test_eio_at_every_call_then_power_loss(void **state)
{
    at_every_call(state, "EIO, power loss",
                  (struct io_fault_plan){.kind = IO_FAULT_ERRNO, .error_number = EIO}, 99);
}

static void test_disk_fails_for_good_at_every_call(void **state)
{
    at_every_call(state, "EIO for good",
                  (struct io_fault_plan){.kind = IO_FAULT_ERRNO, .error_number = EIO, .sticky = true}, 0);
}

static void test_disk_stays_full_from_every_call_on(void **state)
{
    at_every_call(state, "ENOSPC for good",
                  (struct io_fault_plan){.kind = IO_FAULT_ERRNO, .error_number = ENOSPC, .sticky = true}, 0);
}

static void test_crash_at_every_call(void **state)
{
    at_every_call(state, "crash", (struct io_fault_plan){.kind = IO_FAULT_CRASH}, 0);
}

static void test_ms_34_power_loss_at_every_call(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char name[40];

        snprintf(name, sizeof(name), "power loss, seed %llu", (unsigned long long)seed);
        at_every_call(state, name, (struct io_fault_plan){.kind = IO_FAULT_CRASH}, seed);
    }
}

// In memory where that is possible: what survives is decided here, and a disk would be waited for.
static int set_up(void **state)
{
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char *directory = file_join(place, "test-persist-durability-XXXXXX");

    *state = directory;
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);

    mem_free(*state);
    return rc;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_eio_at_every_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_enospc_at_every_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_write_at_every_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_eio_at_every_call_then_power_loss, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_fails_for_good_at_every_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_stays_full_from_every_call_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_at_every_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ms_34_power_loss_at_every_call, set_up, tear_down),
    };

    return TEST_MAIN(argc, argv, tests);
}
