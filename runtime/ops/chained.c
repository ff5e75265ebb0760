#include "ops/chained.h"
#include "base/text.h"
#include "ops/compute.h"
#include "ops/elementwise.h"
#include "ops/registry.h"

/* -- plan -- */

bool chained_infer(struct infer *i, struct chained *c, const struct fused *f, int at, const struct tensor *own,
                   enum chained_by by)
{
    const struct chain *chain = &f->chain;
    const struct tensor *in[CHAIN_INPUTS] = { own }, *y = &c->plan.type[chain->output[0]];

    for (int k = 1; k < chain->inputs; k++)
        in[k] = typed_in(i, at - 1 + k);
    if (!chain_plan(&c->plan, chain, in, (const bool[]){ true }))
        return infer_error(i, "what the chain behind it takes is not all %s, or the shapes do not broadcast",
                           dtype_name(chain->dtype));
    if (!set_out(i, 0, y->dtype, y->rank, y->dims))
        return false;
    c->behind = by == CHAINED_BEHIND || !same_shape(y, own) || !chain_may_share(&c->plan, chain->output[0], 0);
    if (c->behind)
        c->result = aligned((size_t)tensor_bytes(own));
    else if (by == CHAINED_ROWS)
        chain_plan_rows(&c->plan);
    c->scratch = aligned(chain_scratch(&c->plan, infer_threads(i)));
    return true;
}

/* An addition of a tensor like the result, Relu, or both: a product does them in registers, where it goes the same way
 * then (a transposed A has another without Relu), so that the bits stay. */
static void take_steps(const struct infer *i, struct chained *c, const struct chain *chain, int at,
                       const struct tensor *own, const struct gemm *g)
{
    const struct chain_step *step = chain->step;
    const int other = step->p ? step->p : step->q;
    int done = 0;

    if (g->relu || g->a_col != 1)
        return;
    if (step->formula == formula_of(&op_add) && (!step->p || !step->q) && other > 0 &&
        same_shape(typed_in(i, at - 1 + other), own)) {
        c->residual = other;
        done++;
    }
    if (done < chain->steps && step[done].formula == formula_of(&op_relu)) {
        c->relu = true;
        done++;
    }
    c->taken = done == chain->steps;
}

static void set_steps(const struct chained *c, const float *residual, struct gemm *g)
{
    g->residual = c->residual ? residual : NULL;
    g->relu = g->relu || c->relu;
}

bool chained_gemm_infer(struct infer *i, const struct fused *f, int at, const struct tensor *own, struct gemm *g)
{
    static const float any;
    struct chained *c = f ? infer_plan(i, sizeof *c) : NULL;

    if (f && !c)
        return false;
    if (f)
        take_steps(i, c, &f->chain, at, own, g);
    if (!f || c->taken) {
        if (!set_out(i, 0, own->dtype, own->rank, own->dims))
            return false;
    } else if (!chained_infer(i, c, f, at, own, CHAINED_ROWS)) {
        return false;
    }
    if (f && c->taken)
        set_steps(c, &any, g);
    need_scratch(i, (f ? c->result + c->scratch : 0) + gemm_scratch(infer_kernels(i), g, infer_threads(i)));
    return true;
}

/* -- run -- */

void chained_begin(struct chained_run *r, const struct step *s, const struct chained *c, const struct fused *f, int at,
                   const float *y, void *memory)
{
    r->plan = c;
    r->in[0] = y;
    r->out = s->out[0]->data;
    r->memory = memory;
    for (int k = 1; k < f->chain.inputs; k++)
        r->in[k] = s->in[at - 1 + k]->data;
    if (!c->behind)
        chain_prepare(&r->task, &c->plan, &f->chain, s->k, s->pool, r->in, &r->out, memory);
}

void chained_end(const struct chained_run *r, const struct step *s, const struct fused *f)
{
    if (r->plan->behind)
        chain_run(&r->plan->plan, &f->chain, s->k, s->pool, r->in, &r->out, r->memory);
}

void *chained_product(const struct step *s)
{
    const struct chained *c = s->plan;

    return c && c->result ? s->scratch : s->out[0]->data;
}

struct rows_end {
    const struct chain_task *task;
    int64_t stride;
};

static void finish_rows(void *context, const float *y, int64_t from, int64_t rows, int64_t columns, int thread)
{
    const struct rows_end *e = context;

    chain_rows(e->task, y, from, rows, columns, e->stride, thread);
}

static void run_chained(struct step *s, const struct chained *c, const struct fused *f, int at, struct gemm *g)
{
    char *const memory = scratch_at(s, c->result);
    struct chained_run r;
    struct rows_end end = { &r.task, g->c_row };

    chained_begin(&r, s, c, f, at, g->c, memory);
    if (!c->behind) {
        g->finish = finish_rows;
        g->finish_context = &end;
        g->finish_work = c->plan.work;
    }
    gemm(s->k, s->pool, g, scratch_at(s, c->result + c->scratch));
    chained_end(&r, s, f);
}

void chained_gemm(struct step *s, const struct fused *f, int at, struct gemm *g)
{
    const struct chained *c = s->plan;

    if (f && !tensor_count(s->out[0]))
        return;
    if (f && !c->taken) {
        run_chained(s, c, f, at, g);
        return;
    }
    if (f)
        set_steps(c, c->residual ? s->in[at - 1 + c->residual]->data : NULL, g);
    gemm(s->k, s->pool, g, s->scratch);
}

/* -- telling -- */

void chained_tell(const struct chained *c, const struct fused *f, const char *comma, struct text *out)
{
    for (int k = 0; k < f->chain.steps; k++)
        text_printf(out, "%s%s", k ? ", " : comma, f->step_name[k]);
    if (c->behind)
        text_printf(out, " (behind it)");
}
