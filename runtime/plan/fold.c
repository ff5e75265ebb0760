#include "ops/cost.h"
#include "plan/planner.h"

/* Folding must not take long, nor make a model bigger than its reader bargained for: a value that is much larger than
 * what it is made of, and large, is computed while running; so is all that comes when FOLD_TOTAL bytes, and as many as
 * the graph's own constants have, are reached. A session keeps many programs: what is folded once for all of them may
 * be larger, but no more than a quarter of the memory that it may have. */
#define FOLD_FLOPS 1e10 /* what takes longer is computed where threads share it and the time is looked at */
enum { FOLD_BYTES = 1 << 20, FOLD_GROWTH = 4, FOLD_TOTAL = 64 << 20, FOLD_ONCE = 768 << 20 };

static int64_t total_of(const struct plan_context *c)
{
    const size_t quarter = c->budget->limit / 4;

    if (!c->once)
        return FOLD_TOTAL;
    return quarter && quarter < FOLD_ONCE ? (int64_t)quarter : FOLD_ONCE;
}

static bool may_fold(const struct infer *i)
{
    int64_t in = 0, out = 0;

    if (!i->node->def->run || i->node->graphs || i->node->def->flags & (OP_RANDOM | OP_RUN_ONLY))
        return false;
    for (int k = 0; k < i->node->inputs; k++)
        if (i->in[k]) {
            if (i->in[k]->kind != TENSOR || !i->in[k]->data)
                return false;
            in += tensor_bytes(i->in[k]);
        }
    for (int k = 0; k < i->node->slots; k++)
        if (i->out[k]) {
            if (!tensor_known(i->out[k]) || i->next_states[k] >= 0)
                return false;
            if (!i->known[k] && i->links[k].updates)
                return false;
            out += tensor_bytes(i->out[k]);
        }
    if (cost_of(i->node, i->in, i->out).flops > FOLD_FLOPS)
        return false;
    if (!i->planner->c->once && out > FOLD_BYTES && out / FOLD_GROWTH > in)
        return false;
    if (out > total_of(i->planner->c) + i->planner->constant_bytes - i->planner->folded_bytes)
        return false;
    i->planner->folded_bytes += out;
    return true;
}

/* What the node asked for of its inputs, for this one run. */
static bool prepare_inputs(const struct infer *i, struct step *s)
{
    struct planner *p = i->planner;
    const void **made =
        i->preparations ? arena_array(&p->scratch, (size_t)i->node->inputs, sizeof *made, p->c->report) : NULL;

    s->prepared = made;
    if (i->preparations && !made)
        return false;
    for (int k = 0; made && k < i->node->inputs; k++) {
        const struct preparation *q = &i->preparations[k];
        void *prepared = q->make ? arena_alloc(&p->scratch, q->bytes, p->c->report) : NULL;

        if (q->make && !prepared)
            return false;
        if (prepared)
            q->make(q->data, q->of, p->c->kernels, NULL, prepared);
        made[k] = prepared;
    }
    return true;
}

bool fold_node(struct infer *i)
{
    struct planner *p = i->planner;
    struct heap heap = { .budget = p->c->budget };
    _Alignas(64) char none[64]; /* where no scratch was asked for */
    struct step s = { .node = i->node,
                      .attrs = i->node->attrs,
                      .in = i->in,
                      .out = i->out,
                      .scratch = none,
                      .plan = i->plan,
                      .k = p->c->kernels,
                      .heap = &heap,
                      .report = p->c->report };
    bool ok = true;

    if (!may_fold(i))
        return false;
    for (int k = 0; k < i->node->slots && ok; k++) {
        struct tensor *t = i->out[k];

        if (!t || i->known[k])
            continue;
        /* strings belong to a heap that ends with the run */
        ok = t->dtype != STRING && (t->data = arena_alloc(&p->program->arena, (size_t)tensor_bytes(t), p->c->report));
    }
    if (ok && i->scratch)
        ok = (s.scratch = arena_alloc(&p->scratch, (size_t)i->scratch, p->c->report));
    ok = ok && prepare_inputs(i, &s);
    if (ok)
        ok = i->node->def->run(&s);
    heap_reset(&heap);
    if (failed(p->c->report))
        i->failed = true;
    for (int k = 0; k < i->node->slots && !ok; k++)
        if (i->out[k] && !i->known[k])
            i->out[k]->data = NULL;
    return ok;
}
