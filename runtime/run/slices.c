#include "run/slices.h"
#include <string.h>

struct heads {
    struct engine *engine;
    const struct slices *slices;
    struct pool *alone; /* of one thread, for all frames that do not run together; else NULL */
    struct frame **frames;
    int count;
};

struct run { /* of all slices */
    const struct heads *heads;
    const struct frame *whole;
    struct report *reports; /* by thread */
    _Atomic bool failed;
};

static bool add_frame(struct heads *h, struct report *r)
{
    struct frame *f = frame_new(h->engine, &h->slices->head, r);

    if (!f)
        return false;
    h->frames[h->count++] = f;
    if (h->alone)
        frame_run_alone(f, h->alone);
    for (int k = 0; k < 2; k++)
        if (h->slices->program[k] && !frame_adopt(f, h->slices->program[k], r))
            return false;
    return true;
}

struct heads *heads_new(struct engine *e, const struct slices *s, struct report *r)
{
    struct heads *h = budget_zalloc(e->budget, 1, sizeof *h, r);
    const int count = s->together ? 1 : pool_threads(e->pool);
    bool ok;

    if (!h)
        return NULL;
    h->engine = e;
    h->slices = s;
    h->frames = budget_zalloc(e->budget, (size_t)count, sizeof *h->frames, r);
    ok = h->frames && (s->together || (h->alone = pool_new(1, e->budget, r)));
    while (ok && h->count < count)
        ok = add_frame(h, r);
    if (ok)
        return h;
    heads_free(h);
    return NULL;
}

void heads_free(struct heads *h)
{
    struct budget *b;

    if (!h)
        return;
    b = h->engine->budget;
    for (int k = 0; k < h->count; k++)
        frame_free(h->frames[k]);
    budget_free(b, h->frames);
    pool_free(h->alone);
    budget_free(b, h);
}

static void run_slice(void *context, int64_t i, int thread)
{
    struct run *const run = context;
    const struct slices *const s = run->heads->slices;
    const struct graph *const g = &s->head;
    struct frame *const f = run->heads->frames[s->together ? 0 : thread];
    const int64_t from = slice_start(s, i), to = slice_start(s, i + 1);

    if (atomic_load(&run->failed))
        return;
    for (size_t k = 0; k < g->input_count; k++)
        if (s->rows[g->inputs[k]->id]) {
            const struct tensor rows = slice_of(s, frame_get(run->whole, g->inputs[k]), from, to);

            frame_set(f, g->inputs[k], &rows);
        }
    if (!frame_run(f, &run->reports[s->together ? 0 : thread])) {
        atomic_store(&run->failed, true);
        return;
    }
    for (size_t k = 0; k < s->edge_count; k++) { /* faster than to make it there: what is copied is near */
        const struct value *v = g->values[s->edges[k].id];
        const struct tensor rows = slice_of(s, frame_get(run->whole, v), from, to);

        memcpy(rows.data, frame_get(f, v)->data, (size_t)tensor_bytes(&rows));
    }
}

static void set_inputs(struct frame *f, const struct graph *g, const struct frame *whole)
{
    for (size_t k = 0; k < g->value_count; k++)
        if (g->values[k]->is_input)
            frame_set(f, g->values[k], frame_get(whole, g->values[k]));
}

bool heads_run(struct heads *h, const struct frame *f, struct report *r)
{
    struct run run = { .heads = h, .whole = f };
    bool told = false;

    run.reports = budget_zalloc(h->engine->budget, (size_t)h->count, sizeof *run.reports, r);
    if (!run.reports)
        return false;
    for (int k = 0; k < h->count; k++)
        set_inputs(h->frames[k], &h->slices->head, f);
    pool_run(h->slices->together ? NULL : h->engine->pool, h->slices->count, run_slice, &run);
    for (int k = 0; k < h->count && !told; k++) {
        const kiln_error *e = &run.reports[k].error;

        told = e->count > 0;
        if (told)
            fail(r, e->code, e->where, "%s", e->message);
    }
    budget_free(h->engine->budget, run.reports);
    return !run.failed && budget_in_time(h->engine->budget, h->slices->head.path, r);
}
