#include "base/thread.h"
#include <signal.h>

bool thread_start(pthread_t *thread, void *(*run)(void *argument), void *argument)
{
    sigset_t all, before;
    bool ok;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = pthread_create(thread, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

/* -- one that works ahead -- */

struct helper {
    struct budget *budget;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    void (*work)(void *context); /* NULL: there is none, or it is done */
    void *context;
    bool stop;
};

static void *run(void *argument)
{
    struct helper *const h = argument;

    pthread_mutex_lock(&h->mutex);
    for (;;) {
        while (!h->work && !h->stop)
            pthread_cond_wait(&h->changed, &h->mutex);
        if (!h->work)
            break;
        pthread_mutex_unlock(&h->mutex);
        h->work(h->context);
        pthread_mutex_lock(&h->mutex);
        h->work = NULL;
        pthread_cond_broadcast(&h->changed);
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

struct helper *helper_new(struct budget *b, struct report *r)
{
    struct helper *h = budget_zalloc(b, 1, sizeof *h, r);

    if (!h)
        return NULL;
    h->budget = b;
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->changed, NULL);
    h->started = thread_start(&h->thread, run, h);
    return h;
}

void helper_free(struct helper *h)
{
    if (!h)
        return;
    if (h->started) {
        pthread_mutex_lock(&h->mutex);
        h->stop = true;
        pthread_cond_broadcast(&h->changed);
        pthread_mutex_unlock(&h->mutex);
        pthread_join(h->thread, NULL);
    }
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->mutex);
    budget_free(h->budget, h);
}

void helper_start(struct helper *h, void (*work)(void *context), void *context)
{
    if (!h->started) {
        work(context);
        return;
    }
    pthread_mutex_lock(&h->mutex);
    h->work = work;
    h->context = context;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

void helper_wait(struct helper *h)
{
    pthread_mutex_lock(&h->mutex);
    while (h->work)
        pthread_cond_wait(&h->changed, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
}
