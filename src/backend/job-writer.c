// SPDX-License-Identifier: MIT
#include "backend/job-writer.h"

#include <pthread.h>

#include "base/mem.h"

// One waiting caller; lives on its stack.
struct request {
    job_writer_op *op;
    void *ctx;
    int rc;
    struct error err;
    bool done;
    pthread_cond_t finished;
    struct request *next;
};

struct job_writer {
    struct sql_pool *pool; // borrowed
    pthread_t thread;
    pthread_mutex_t lock; // guards all below
    pthread_cond_t wanted;
    struct request *first, **last;
    bool closing;
    struct job_writer_stats stats;
};

static bool is_refusal(int rc)
{
    return rc == ERR_INVALID || rc == ERR_EXISTS || rc == ERR_NOT_FOUND;
}

static int run_one(struct request *r, struct sql_conn *conn)
{
    r->err = (struct error)ERROR_INIT;
    r->rc = r->op(r->ctx, conn, &r->err);
    return r->rc;
}

static void fail_all(struct request *batch, const struct error *err)
{
    for (struct request *r = batch; r; r = r->next) {
        r->rc = err->code;
        r->err = *err;
    }
}

static void run_alone(struct request *r, struct sql_conn *conn)
{
    r->err = (struct error)ERROR_INIT;
    r->rc = sql_begin(conn, &r->err);
    if (r->rc)
        return;
    if (run_one(r, conn) == 0)
        r->rc = sql_commit(conn, &r->err);
    sql_rollback(conn);
}

// All operations in one transaction; false: something broke, nothing was kept.
static bool run_together(struct request *batch, struct sql_conn *conn)
{
    for (struct request *r = batch; r; r = r->next) {
        int rc = run_one(r, conn);
        if (rc < 0 && !is_refusal(rc)) {
            sql_rollback(conn);
            return false;
        }
    }
    struct error err = ERROR_INIT;
    if (sql_commit(conn, &err) == 0)
        return true;
    sql_rollback(conn);
    return false;
}

static void run_batch(struct job_writer *w, struct request *batch)
{
    struct sql_conn *conn = sql_take_writer(w->pool);
    struct error err = ERROR_INIT;
    if (sql_begin(conn, &err)) {
        fail_all(batch, &err);
    } else if (!run_together(batch, conn)) {
        for (struct request *r = batch; r; r = r->next)
            run_alone(r, conn);
    }
    sql_give_back(&conn);
}

// Under the lock: wakes the callers and counts.
static void finish_batch(struct job_writer *w, struct request *batch)
{
    uint64_t count = 0;
    for (struct request *r = batch, *next; r; r = next) {
        next = r->next; // r is gone once its caller has seen 'done'
        count++;
        w->stats.failed += r->rc < 0;
        r->done = true;
        pthread_cond_signal(&r->finished);
    }
    w->stats.operations += count;
    w->stats.commits++;
    w->stats.largest_batch = MAX(w->stats.largest_batch, count);
}

static void *writer_main(void *arg)
{
    struct job_writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->closing)
            pthread_cond_wait(&w->wanted, &w->lock);
        struct request *batch = w->first;
        if (!batch)
            break;
        w->first = NULL;
        w->last = &w->first;
        pthread_mutex_unlock(&w->lock);
        run_batch(w, batch);
        pthread_mutex_lock(&w->lock);
        finish_batch(w, batch);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct job_writer *job_writer_new(struct sql_pool *pool)
{
    struct job_writer *w = NEW(struct job_writer);
    w->pool = pool;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wanted, NULL);
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    ASSERT(rc == 0);
    return w;
}

void job_writer_free(struct job_writer **writer)
{
    struct job_writer *w = *writer;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wanted);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
    *writer = NULL;
}

int job_writer_do(struct job_writer *w, job_writer_op *op, void *ctx, struct error *err)
{
    struct request r = {.op = op, .ctx = ctx, .finished = PTHREAD_COND_INITIALIZER};
    pthread_mutex_lock(&w->lock);
    if (w->closing) {
        pthread_mutex_unlock(&w->lock);
        return error_set(err, ERR_CLOSED, "the server is shutting down");
    }
    *w->last = &r;
    w->last = &r.next;
    pthread_cond_signal(&w->wanted);
    while (!r.done)
        pthread_cond_wait(&r.finished, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&r.finished);
    if (r.rc < 0 && err)
        *err = r.err;
    return r.rc;
}

void job_writer_stats(struct job_writer *w, struct job_writer_stats *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->stats;
    pthread_mutex_unlock(&w->lock);
}
