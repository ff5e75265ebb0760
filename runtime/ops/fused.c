/* kiln.Fused
 *
 *   outputs = steps of a chain (kernels/chain.h), each an elementwise operator, of float inputs that broadcast
 *
 * It stands for the nodes that it was made of, with their bits. */
#include "ops/fused.h"
#include "base/text.h"
#include "ops/rows.h"

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct fused *a = infer_attrs(i);
    const struct tensor *in[CHAIN_INPUTS];
    struct chain_plan *plan = infer_plan(i, sizeof *plan);
    bool wanted[CHAIN_OUTPUTS];

    for (int k = 0; k < a->chain.inputs; k++)
        in[k] = typed_in(i, k);
    for (int k = 0; k < a->chain.outputs; k++)
        wanted[k] = typed_out(i, k);
    if (!plan)
        return false;
    if (!chain_plan(plan, &a->chain, in, wanted))
        return infer_error(i, "its inputs are not all %s, or their shapes do not broadcast",
                           dtype_name(a->chain.dtype));
    for (int k = 0; k < a->chain.outputs; k++) {
        const int step = a->chain.output[k];
        const struct tensor *t = &plan->type[step];

        if (!set_out(i, k, t->dtype, t->rank, t->dims))
            return false;
        for (int n = 0; n < a->chain.inputs; n++)
            if (chain_may_share(plan, step, n) && tensor_count(in[n]) == tensor_count(t))
                may_reuse(i, k, n);
    }
    need_scratch(i, chain_scratch(plan, infer_threads(i)));
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct fused *a = s->attrs;
    const float *in[CHAIN_INPUTS];
    float *out[CHAIN_OUTPUTS];

    for (int k = 0; k < a->chain.inputs; k++)
        in[k] = s->in[k]->data;
    for (int k = 0; k < a->chain.outputs; k++)
        out[k] = s->out[k] ? s->out[k]->data : NULL;
    chain_run(s->plan, &a->chain, s->k, s->pool, in, out, s->scratch);
    return true;
}

static void describe(const struct node *n, const void *plan, struct text *out)
{
    const struct fused *a = n->attrs;

    (void)plan;
    for (int k = 0; k < a->chain.steps; k++)
        text_printf(out, "%s%s", k ? ", " : "", a->step_name[k]);
}

const struct op fused_op = {
    .name = "Fused",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X... -> T Y...",
              .types = "T: f32",
              .attrs_size = sizeof(struct fused),
              .infer = infer,
              .run = run,
              .batch_independent = rows_of_elements,
              .describe = describe,
              .no_gradient = "is made where no gradient is taken any more" },
            { 0 },
        },
};
