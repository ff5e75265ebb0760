/* Factors of BatchNormalization that TensorFlow's graph optimiser has moved into a product: behind an activation that
 * ends in one (gelu, swish, hard_swish, mish), x * (y * a) stands for (x * y) * a. They go back to where the layer was.
 */
#include "adapt/facts.h"
#include "adapt/step.h"
#include "ops/registry.h"
#include "train/constants.h"
#include <string.h>

struct products {
    struct adapt *adapt;
    struct edit edit;
    struct facts facts;
    size_t moved;
};

/* The input of a product that is a constant; -1 where none is. */
static int constant_at(const struct products *p, const struct node *n)
{
    for (int k = 0; k < 2 && n->inputs == 2; k++)
        if (n->in[k] && n->in[1 - k] && !p->facts.active[n->in[k]->id] && p->facts.active[n->in[1 - k]->id])
            return k;
    return -1;
}

/* The input of the layer's product that is itself one, with a constant, and is read by nobody else; -1 where none is. */
static int inner_input(const struct products *p, const struct node *outer)
{
    for (int k = 0; k < 2; k++) {
        const struct node *inner = outer->in[k] ? outer->in[k]->producer : NULL;

        if (inner && node_is(inner, &op_mul) && facts_place(&p->facts, inner) >= 0 && constant_at(p, inner) >= 0 &&
            edit_readers(&p->edit, outer->in[k]->name) == 1)
            return k;
    }
    return -1;
}

/* A factor for each channel: a number may be the activation's own. */
static bool is_factor(const struct value *v)
{
    return (v->initializer && tensor_count(v->initializer) > 1) || says_batch_normalization(v->name);
}

static bool move(struct products *p, const struct node *outer, int at)
{
    const struct node *inner = outer->in[at]->producer;
    const int constant = constant_at(p, inner);
    const char *const inputs[] = { outer->in[1 - at]->name, inner->in[1 - constant]->name };
    const char *const scaled[] = { inner->out[0]->name, inner->in[constant]->name };
    Onnx__NodeProto *product = edit_insert_node(&p->edit, (size_t)outer->index, false, op_mul.name, inner->name);

    p->moved++;
    if (!product || !edit_set_inputs(&p->edit, product, 2, inputs) ||
        !edit_set_inputs(&p->edit, p->edit.graph->node[outer->index], 2, scaled))
        return false;
    edit_drop_value_info(&p->edit, inner->out[0]->name);
    edit_drop_node(&p->edit, (size_t)inner->index);
    return edit_set_outputs(&p->edit, product, 1, scaled);
}

static bool move_all(struct products *p, const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        int at;

        if (!node_is(n, &op_mul) || facts_place(&p->facts, n) < 0 || !n->in[0] || !n->in[1] ||
            !p->facts.active[n->in[0]->id] || !p->facts.active[n->in[1]->id] || !says_batch_normalization(n->name) ||
            (at = inner_input(p, n)) < 0 || !is_factor(n->in[at]->producer->in[constant_at(p, n->in[at]->producer)]))
            continue;
        if (!move(p, n, at))
            return false;
    }
    return true;
}

bool adapt_products(struct adapt *a)
{
    struct products p = { .adapt = a };
    struct model *to = NULL;
    bool ok = facts_find(&p.facts, a) && (to = adapt_copy(a));

    ok = ok && edit_begin(&p.edit, to, a->report);
    ok = ok && move_all(&p, a->model->graph);
    ok = (!to || edit_end(&p.edit)) && ok;
    facts_release(&p.facts);
    if (ok && p.moved)
        return adapt_take(a, to, true);
    model_free(to);
    return ok;
}
