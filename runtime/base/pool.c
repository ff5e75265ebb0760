#include "base/pool.h"
#include "base/clock.h"
#include "base/thread.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How a job is shared out. Each thread has a range of shares that follow each other, so that it meets the same part of
 * what one job after the other reads and writes: that is in its own cache. `word` holds generation | end | next of a
 * range: shares [next, end) are those that nobody has. Its thread takes the first by compare-and-swap; who has nothing
 * left takes the last of another's. Only who has taken a share reads the job, and the job stays until all shares are
 * reported done: so what is read belongs to the share, however late the taker is.
 *
 * How threads wait. Both sides spin for a moment, then sleep. A worker announces that it sleeps, then looks at all
 * words once more; the caller writes the words, then looks for sleepers: in the one order of all these (they are
 * sequentially consistent) one of the two sees the other. The futex closes what is left: it does not sleep when its
 * number has moved. The caller waits for `done` in the same way. */
enum {
    COUNT_BITS = 20,
    MAX_SHARES = 1 << COUNT_BITS,
    MAX_THREADS = 1024,
    SPIN_NS = 100000, /* about what waking up takes, and the short nodes between two large ones */
    LINE = 64         /* bytes that two CPUs cannot write at once without waiting for each other */
};

struct job {
    void (*chunk)(void *context, int64_t k, int thread);
    void *context;
    int64_t chunks, chunks_per_share;
    const struct budget *budget; /* whose time it takes */
};

struct worker { /* the first stands for the caller */
    _Alignas(LINE) _Atomic uint64_t word;
    struct crew *crew;
    pthread_t thread;
    int number;
};

/* The threads, which several pools may share. */
struct crew {
    _Alignas(LINE) _Atomic uint32_t done; /* shares; a futex */
    _Atomic bool caller_sleeps;
    _Alignas(LINE) _Atomic uint32_t jobs; /* moves with each; a futex */
    _Atomic uint32_t sleepers;
    _Atomic bool stop;
    _Alignas(LINE) struct job job;
    uint64_t generation;   /* of the job */
    pthread_mutex_t turn;  /* of those that have a job: one at a time */
    struct budget *budget; /* that the memory is charged to */
    long spin_ns;
    _Atomic int threads; /* the caller included */
    int started;         /* of them exist */
    atomic_uint holders; /* pools */
    struct worker workers[];
};

struct pool {
    struct crew *crew;
    struct budget *budget; /* of the work that it is for */
};

static void futex_wait(_Atomic uint32_t *at, uint32_t while_it_is)
{
    syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, while_it_is, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *at)
{
    syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, MAX_THREADS, NULL, NULL, 0);
}

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t next_of(uint64_t word)
{
    return word & (MAX_SHARES - 1);
}

static uint64_t end_of(uint64_t word)
{
    return word >> COUNT_BITS & (MAX_SHARES - 1);
}

static bool has_work(struct crew *c)
{
    for (int t = 0; t < c->threads; t++) {
        const uint64_t word = atomic_load(&c->workers[t].word);

        if (next_of(word) < end_of(word))
            return true;
    }
    return false;
}

/* -- a share -- */

/* A share of one range: the first, or the last of one that is another's. */
static bool take_from(_Atomic uint64_t *range, bool first, int64_t *share)
{
    uint64_t word = atomic_load(range);

    while (next_of(word) < end_of(word)) {
        const uint64_t without = first ? word + 1 : word - ((uint64_t)1 << COUNT_BITS);

        if (atomic_compare_exchange_weak(range, &word, without)) {
            *share = (int64_t)(first ? next_of(word) : end_of(word) - 1);
            return true;
        }
    }
    return false;
}

static bool take(struct crew *c, int thread, int64_t *share)
{
    for (int t = 0; t < c->threads; t++)
        if (take_from(&c->workers[(thread + t) % c->threads].word, t == 0, share))
            return true;
    return false;
}

/* Takes shares as long as there are any; the number that it did. */
static uint32_t work(struct crew *c, int thread)
{
    uint32_t did = 0;

    for (int64_t share; take(c, thread, &share); did++) {
        const struct job *const job = &c->job;
        const int64_t first = share * job->chunks_per_share;
        const int64_t left = job->chunks - first;
        const int64_t n = left < job->chunks_per_share ? left : job->chunks_per_share;

        for (int64_t k = 0; k < n && !budget_late(job->budget); k++)
            job->chunk(job->context, first + k, thread);
    }
    return did;
}

/* -- workers -- */

/* Waits until there is work; false when the pool ends. */
static bool wait_for_work(struct crew *c)
{
    const uint64_t end = c->spin_ns ? clock_now() + (uint64_t)c->spin_ns : 0;

    while (c->spin_ns && clock_now() < end)
        for (int k = 0; k < 16; k++) {
            if (has_work(c))
                return true;
            pause_cpu();
        }
    for (;;) {
        const uint32_t seen = atomic_load(&c->jobs);

        if (atomic_load(&c->stop))
            return false;
        atomic_fetch_add(&c->sleepers, 1);
        if (!has_work(c))
            futex_wait(&c->jobs, seen);
        atomic_fetch_sub(&c->sleepers, 1);
        if (has_work(c))
            return true;
    }
}

static void *worker_main(void *argument)
{
    const struct worker *const w = argument;
    struct crew *const c = w->crew;

    while (wait_for_work(c)) {
        const uint32_t did = work(c, w->number);

        if (!did)
            continue;
        atomic_fetch_add(&c->done, did);
        if (atomic_load(&c->caller_sleeps))
            futex_wake(&c->done);
    }
    return NULL;
}

static bool start(struct worker *w, const int *cpu)
{
    if (!thread_start(&w->thread, worker_main, w))
        return false;
    if (cpu) {
        cpu_set_t one;

        CPU_ZERO(&one);
        CPU_SET((size_t)*cpu, &one);
        pthread_setaffinity_np(w->thread, sizeof one, &one); /* only advice */
    }
    return true;
}

/* The CPUs that this process may use, the caller's own first; their number, at least 1. */
static int usable_cpus(int cpus[MAX_THREADS])
{
    const int here = sched_getcpu();
    cpu_set_t mask;
    int n = 0;

    if (sched_getaffinity(0, sizeof mask, &mask) != 0)
        CPU_ZERO(&mask);
    for (int k = 0; k < CPU_SETSIZE; k++) {
        const int cpu = (k + (here > 0 ? here : 0)) % CPU_SETSIZE;

        if (CPU_ISSET((size_t)cpu, &mask) && n < MAX_THREADS)
            cpus[n++] = cpu;
    }
    return n ? n : 1;
}

static struct crew *crew_new(int threads, struct budget *b, struct report *r)
{
    int cpus[MAX_THREADS], available = usable_cpus(cpus), wanted = threads ? threads : available;
    struct crew *c;

    if (wanted < 0 || wanted > MAX_THREADS) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "%d threads were asked for, 0 to %d can be had", threads, MAX_THREADS);
        return NULL;
    }
    c = budget_zalloc(b, 1, sizeof *c + (size_t)wanted * sizeof *c->workers, r);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->turn, NULL);
    c->budget = b;
    c->threads = wanted;
    c->started = 1;
    c->holders = 1;
    c->spin_ns = wanted <= available ? SPIN_NS : 0; /* else who spins keeps the CPU from who works */
    return c;
}

/* Before the first job that several threads can share: who never has one pays for none. */
static void start_workers(struct crew *c)
{
    int cpus[MAX_THREADS];
    const int available = usable_cpus(cpus);

    while (c->started < c->threads) {
        struct worker *const w = &c->workers[c->started];

        w->crew = c;
        w->number = c->started;
        if (!start(w, c->threads <= available ? &cpus[c->started] : NULL))
            break;
        c->started++;
    }
    c->threads = c->started;
}

static void crew_free(struct crew *c)
{
    if (atomic_fetch_sub(&c->holders, 1) > 1)
        return;
    atomic_store(&c->stop, true);
    atomic_fetch_add(&c->jobs, 1);
    futex_wake(&c->jobs);
    for (int k = 1; k < c->started; k++)
        pthread_join(c->workers[k].thread, NULL);
    pthread_mutex_destroy(&c->turn);
    budget_free(c->budget, c);
}

/* -- pools -- */

struct pool *pool_new(int threads, struct budget *b, struct report *r)
{
    struct pool *p = budget_zalloc(b, 1, sizeof *p, r);

    if (!p)
        return NULL;
    p->budget = b;
    p->crew = crew_new(threads, b, r);
    if (p->crew)
        return p;
    budget_free(b, p);
    return NULL;
}

struct pool *pool_share(const struct pool *other, struct budget *b, struct report *r)
{
    struct pool *p = budget_zalloc(b, 1, sizeof *p, r);

    if (!p)
        return NULL;
    p->budget = b;
    p->crew = other->crew;
    atomic_fetch_add(&p->crew->holders, 1);
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    crew_free(p->crew);
    budget_free(p->budget, p);
}

int pool_threads(const struct pool *p)
{
    return p ? p->crew->threads : 1;
}

bool pool_late(const struct pool *p)
{
    return p && budget_late(p->budget);
}

/* -- the caller -- */

static void wait_until_done(struct crew *c, uint32_t shares)
{
    const uint64_t end = c->spin_ns && atomic_load(&c->done) != shares ? clock_now() + (uint64_t)c->spin_ns : 0;
    uint32_t seen;

    while (atomic_load(&c->done) != shares && clock_now() < end)
        for (int k = 0; k < 16 && atomic_load(&c->done) != shares; k++)
            pause_cpu();
    if (atomic_load(&c->done) == shares)
        return;
    atomic_store(&c->caller_sleeps, true);
    while ((seen = atomic_load(&c->done)) != shares)
        futex_wait(&c->done, seen);
    atomic_store(&c->caller_sleeps, false);
}

/* The caller's turn has come. */
static void share_out(struct crew *c, const struct job *job)
{
    uint64_t shares;

    if (c->started < c->threads)
        start_workers(c);
    c->job = *job;
    c->job.chunks_per_share = (job->chunks - 1) / (MAX_SHARES - 1) + 1;
    shares = (uint64_t)((job->chunks - 1) / c->job.chunks_per_share + 1);
    c->generation++; /* may wrap */
    atomic_store(&c->done, 0);
    for (uint64_t t = 0, threads = (uint64_t)c->threads; t < threads; t++)
        atomic_store(&c->workers[t].word,
                     c->generation << 2 * COUNT_BITS | shares * (t + 1) / threads << COUNT_BITS | shares * t / threads);
    atomic_fetch_add(&c->jobs, 1);
    if (atomic_load(&c->sleepers))
        futex_wake(&c->jobs);
    atomic_fetch_add(&c->done, work(c, 0));
    wait_until_done(c, (uint32_t)shares);
}

void pool_run(struct pool *p, int64_t chunks, void (*chunk)(void *context, int64_t k, int thread), void *context)
{
    if (pool_threads(p) == 1 || chunks <= 1) {
        for (int64_t k = 0; k < chunks && !pool_late(p); k++)
            chunk(context, k, 0);
        return;
    }
    pthread_mutex_lock(&p->crew->turn);
    share_out(p->crew, &(struct job){ .chunk = chunk, .context = context, .chunks = chunks, .budget = p->budget });
    pthread_mutex_unlock(&p->crew->turn);
}
