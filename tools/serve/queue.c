#include "serve/queue.h"
#include "serve/batch.h"
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

/* -- jobs -- */

void job_free(struct job *job)
{
    if (!job)
        return;
    for (size_t k = 0; job->inputs && k < job->count; k++)
        kiln_tensor_free(job->inputs[k]);
    for (size_t k = 0; job->outputs && k < job->asked_count; k++)
        kiln_tensor_free(job->outputs[k]);
    free(job->id);
    free(job->names);
    free(job->inputs);
    free(job->asked);
    free(job->outputs);
    free(job);
}

bool job_fail(struct job *job, unsigned code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(job->message, sizeof job->message, format, args);
    va_end(args);
    job->code = code;
    return false;
}

/* -- the worker -- */

/* Jobs that may run with the first one go to the list that it begins, in their order, as long as there is room. */
static int64_t gather(struct queue *q, struct job *first, int64_t rows, size_t *count)
{
    struct job *tail = first, *last = NULL;

    while (tail->next)
        tail = tail->next;
    for (struct job **at = &q->first; *at;) {
        struct job *j = *at;

        if (!batch_fits(first, j) || j->rows > q->options->max_batch - rows) {
            last = j;
            at = &j->next;
            continue;
        }
        *at = j->next;
        j->next = NULL;
        tail = tail->next = j;
        rows += j->rows;
        ++*count;
    }
    q->last = last;
    return rows;
}

/* Until the delay of the first one is over, or the batch is full. */
static void wait_for_more(struct queue *q, struct job *first, size_t *count)
{
    const double end = first->start + q->options->delay;
    const struct timespec until = { (time_t)end, (long)((end - (double)(time_t)end) * 1e9) };
    int64_t rows = gather(q, first, first->rows, count);

    while (q->options->delay > 0 && rows < q->options->max_batch && !q->closed && seconds_now() < end) {
        pthread_cond_timedwait(&q->changed, &q->mutex, &until);
        rows = gather(q, first, rows, count);
    }
}

/* The next jobs, *count of them in a list; NULL at the end. */
static struct job *take(struct queue *q, size_t *count)
{
    struct job *first;

    pthread_mutex_lock(&q->mutex);
    while (!q->first && !q->closed)
        pthread_cond_wait(&q->changed, &q->mutex);
    first = q->first;
    *count = first ? 1 : 0;
    if (first) {
        q->first = first->next;
        q->last = q->first ? q->last : NULL;
        first->next = NULL;
        if (first->rows && !q->closed)
            wait_for_more(q, first, count);
    }
    pthread_mutex_unlock(&q->mutex);
    return first;
}

/* Takes those out of a list that are too late, or come to a queue that is closed, and answers them. */
static struct job *in_time(struct served *m, struct job *list, size_t *count)
{
    const double most = m->queue.options->seconds, now = seconds_now();
    struct job **at = &list;

    while (*at) {
        struct job *j = *at;

        if (!m->queue.closed && (most <= 0 || now - j->start <= most)) {
            at = &j->next;
            continue;
        }
        *at = j->next;
        --*count;
        if (m->queue.closed)
            job_fail(j, 503, "the server stops");
        else
            job_fail(j, 504, "the request waited for more than %g seconds", most);
        j->done(j, j->user);
    }
    return list;
}

static void *work(void *user)
{
    struct served *m = user;
    struct batch batch = { 0 };
    struct job *list;
    size_t count;

    while ((list = take(&m->queue, &count))) {
        atomic_fetch_sub(&m->metrics.waiting, (int64_t)count);
        list = in_time(m, list, &count);
        if (list)
            batch_run(m, &batch, list, count);
        for (struct job *j = list, *next; j; j = next) {
            next = j->next; /* who is told may free it */
            j->done(j, j->user);
        }
    }
    batch_free(m, &batch);
    return NULL;
}

bool queue_start(struct served *m, const struct queue_options *options)
{
    struct queue *q = &m->queue;
    pthread_condattr_t monotonic;

    q->options = options;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* that of seconds_now */
    pthread_cond_init(&q->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    q->running = pthread_create(&q->worker, NULL, work, m) == 0;
    return q->running;
}

bool queue_put(struct served *m, struct job *job)
{
    struct queue *q = &m->queue;
    bool ok = true;

    pthread_mutex_lock(&q->mutex);
    if (q->closed)
        ok = job_fail(job, 503, "the server stops");
    else if (atomic_load(&m->metrics.waiting) >= q->options->most)
        ok = job_fail(job, 503, "%lld requests wait for the model, it takes no more", (long long)q->options->most);
    if (ok) {
        atomic_fetch_add(&m->metrics.waiting, 1);
        *(q->last ? &q->last->next : &q->first) = job;
        q->last = job;
        pthread_cond_signal(&q->changed);
    }
    pthread_mutex_unlock(&q->mutex);
    return ok;
}

void queue_stop(struct served *m)
{
    struct queue *q = &m->queue;

    if (!q->running)
        return;
    pthread_mutex_lock(&q->mutex);
    q->closed = true;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->mutex);
    pthread_join(q->worker, NULL);
    q->running = false;
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
}
