#include "base/pool.h"
#include "unit.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tally {
    int64_t chunks;
    int threads;
    _Atomic int64_t sum, calls;
    _Atomic bool wrong_thread;
    _Atomic unsigned char *seen; /* times that a chunk ran; may be NULL */
    _Atomic int users[64];       /* how many run as this thread just now */
};

static void count(void *context, int64_t k, int thread)
{
    struct tally *t = context;

    if (thread < 0 || thread >= t->threads || atomic_fetch_add(&t->users[thread], 1) != 0)
        atomic_store(&t->wrong_thread, true);
    if (t->seen)
        atomic_fetch_add(&t->seen[k], 1);
    atomic_fetch_add(&t->sum, k);
    atomic_fetch_add(&t->calls, 1);
    atomic_fetch_sub(&t->users[thread], 1);
}

static void run_and_check(struct pool *p, int64_t chunks)
{
    struct tally t = { .chunks = chunks, .threads = pool_threads(p) };

    pool_run(p, chunks, count, &t);
    ck_assert_int_eq(t.calls, chunks);
    ck_assert_int_eq(t.sum, chunks * (chunks - 1) / 2);
    ck_assert(!t.wrong_thread);
}

static const int widths[] = { 1, 2, 4, 8 };

START_TEST(many_tiny_jobs)
{
    struct budget b = { 0 };
    struct pool *p = pool_new(widths[_i], &b, NULL);

    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(pool_threads(p), widths[_i]);
    for (int k = 0; k < 3000; k++)
        run_and_check(p, k % 37);
    pool_free(p);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

/* Long enough apart for workers to fall asleep, at every distance around the end of their spinning. */
START_TEST(sleepers_wake)
{
    struct budget b = { 0 };
    struct pool *p = pool_new(widths[_i], &b, NULL);

    ck_assert_ptr_nonnull(p);
    for (int k = 0; k < 600; k++) {
        const struct timespec pause = { .tv_nsec = k % 120 * 1000 };

        run_and_check(p, 8);
        nanosleep(&pause, NULL);
    }
    pool_free(p);
}
END_TEST

START_TEST(each_chunk_runs_once)
{
    enum { CHUNKS = 1100017, MORE = 64 }; /* more than the pool hands out one by one; and where none may run */
    struct budget b = { 0 };
    struct pool *p = pool_new(widths[_i], &b, NULL);
    struct tally t = { .chunks = CHUNKS, .threads = pool_threads(p), .seen = calloc(CHUNKS + MORE, 1) };

    ck_assert_ptr_nonnull(t.seen);
    pool_run(p, CHUNKS, count, &t);
    for (int k = 0; k < CHUNKS + MORE; k++)
        ck_assert_msg(t.seen[k] == (k < CHUNKS), "chunk %d ran %d times", k, t.seen[k]);
    ck_assert_int_eq(t.calls, CHUNKS);
    free(t.seen);
    pool_free(p);
}
END_TEST

START_TEST(pools_come_and_go)
{
    struct budget b = { 0 };

    for (int k = 0; k < 100; k++) {
        struct pool *p = pool_new(widths[k % 4], &b, NULL);

        ck_assert_ptr_nonnull(p);
        for (int jobs = k % 5; jobs > 0; jobs--)
            run_and_check(p, 10);
        pool_free(p);
        ck_assert_uint_eq(b.used, 0);
    }
    pool_free(NULL);
}
END_TEST

static void plain(void *context, int64_t k, int thread)
{
    int64_t *out = context;

    (void)thread;
    out[k] = 2 * out[k] + k; /* not atomic: what a job wrote, the next one sees, whoever runs it */
}

START_TEST(jobs_see_what_went_before)
{
    enum { CHUNKS = 40, JOBS = 1000 };
    struct budget b = { 0 };
    struct pool *p = pool_new(widths[_i], &b, NULL);
    int64_t out[CHUNKS] = { 0 }, expected[CHUNKS] = { 0 };

    for (int job = 0; job < JOBS; job++) {
        if (job % 50 == 0)
            memset(out, 0, sizeof out), memset(expected, 0, sizeof expected);
        pool_run(p, CHUNKS, plain, out);
        for (int k = 0; k < CHUNKS; k++)
            expected[k] = 2 * expected[k] + k;
        ck_assert_mem_eq(out, expected, sizeof out);
    }
    pool_free(p);
}
END_TEST

START_TEST(no_pool_runs_on_the_caller)
{
    struct tally t = { .threads = 1 };

    ck_assert_int_eq(pool_threads(NULL), 1);
    pool_run(NULL, 100, count, &t);
    ck_assert_int_eq(t.calls, 100);
    pool_run(NULL, 0, count, &t);
    pool_run(NULL, -1, count, &t);
    ck_assert_int_eq(t.calls, 100);
}
END_TEST

START_TEST(wrong_numbers_of_threads_are_refused)
{
    struct budget b = { 0 }, tight = { .limit = 100 };
    struct report r = { 0 };
    struct pool *p = pool_new(0, &b, NULL);

    ck_assert_int_ge(pool_threads(p), 1);
    run_and_check(p, 100);
    pool_free(p);
    ck_assert_ptr_null(pool_new(-1, &b, &r));
    ck_assert_int_eq(r.error.code, KILN_BAD_ARGUMENT);
    ck_assert_ptr_null(pool_new(1 << 30, &b, &r));
    ck_assert_ptr_null(pool_new(2, &tight, &r));
    ck_assert_int_eq(r.error.count, 3);
}
END_TEST

/* The linker leads the library's pthread_create here. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);

static _Atomic int threads_left = 1000;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return threads_left-- > 0 ? __real_pthread_create(thread, attributes, start, argument) : EAGAIN;
}

START_TEST(fewer_threads_are_enough)
{
    struct budget b = { 0 };

    for (int left = 0; left < 4; left++) {
        struct pool *p;

        threads_left = left;
        p = pool_new(8, &b, NULL);
        ck_assert_ptr_nonnull(p);
        run_and_check(p, 1);
        ck_assert_int_eq(threads_left, left); /* nothing to share: nobody is started */
        run_and_check(p, 1000);
        ck_assert_int_eq(pool_threads(p), left + 1);
        pool_free(p);
    }
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

/* -- pools that share threads -- */

enum { RUNS = 400 };

struct visitor {
    struct pool *pool;
    bool wrong;
};

static void *visit(void *argument)
{
    struct visitor *v = argument;

    for (int k = 0; k < RUNS; k++) {
        struct tally t = { .chunks = 50, .threads = pool_threads(v->pool) };

        pool_run(v->pool, t.chunks, count, &t);
        v->wrong |= t.calls != t.chunks || t.sum != t.chunks * (t.chunks - 1) / 2 || t.wrong_thread;
    }
    return NULL;
}

START_TEST(pools_share_threads)
{
    struct budget b = { 0 }, of[3] = { 0 };
    struct pool *first;
    struct visitor v[3];
    pthread_t threads[3];

    threads_left = 64;
    first = pool_new(3, &b, NULL);
    for (int k = 0; k < 3; k++) {
        v[k] = (struct visitor){ .pool = pool_share(first, &of[k], NULL) };
        ck_assert_int_eq(pool_threads(v[k].pool), 3);
    }
    pool_free(first); /* the threads stay for the others */
    for (int k = 0; k < 3; k++)
        ck_assert_int_eq(pthread_create(&threads[k], NULL, visit, &v[k]), 0);
    for (int k = 0; k < 3; k++)
        ck_assert_int_eq(pthread_join(threads[k], NULL), 0);
    ck_assert_int_eq(threads_left, 64 - 3 - 2); /* two workers beside the callers */
    for (int k = 0; k < 3; k++) {
        ck_assert(!v[k].wrong);
        pool_free(v[k].pool);
        ck_assert_uint_eq(of[k].used, 0);
    }
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

START_TEST(each_pool_has_its_own_time)
{
    struct cancel cancel = { 0 };
    struct budget total = { .cancel = &cancel }, stopped = budget_within(&total), goes_on = { 0 };
    struct pool *one = pool_new(2, &stopped, NULL), *other = pool_share(one, &goes_on, NULL);
    struct tally t = { .chunks = 100, .threads = 2 };

    budget_start(&stopped);
    cancel_request(&cancel);
    pool_run(one, t.chunks, count, &t);
    ck_assert_int_eq(t.calls, 0);
    run_and_check(other, 100);
    pool_free(other);
    pool_free(one);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pool");

    add_tests(s, many_tiny_jobs, 4);
    add_tests(s, sleepers_wake, 4);
    add_tests(s, each_chunk_runs_once, 4);
    add_tests(s, jobs_see_what_went_before, 4);
    add_test(s, pools_come_and_go);
    add_test(s, no_pool_runs_on_the_caller);
    add_test(s, wrong_numbers_of_threads_are_refused);
    add_test(s, fewer_threads_are_enough);
    add_test(s, pools_share_threads);
    add_test(s, each_pool_has_its_own_time);
    return s;
}
