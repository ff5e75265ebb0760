#include "train/lag.h"
#include "data/element.h"
#include "ops/batch_normalization.h"
#include "ops/registry.h"
#include <math.h>

#define MUCH .1 /* of what the statistics began with */

/* A mean of zeros and a variance of ones: others are known from former training. */
static bool begins(const struct trainer *t, const struct value *v, double with)
{
    for (size_t k = t->trainable; k < t->state_count; k++)
        if (t->states[k].parameter->value == v)
            return tensor_is_all(&t->states[k].value, with);
    return false;
}

void lag_begin(struct lag *l, const struct trainer *t)
{
    const struct graph *g = t->model->graph;

    *l = (struct lag){ .steps = t->steps };
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (!node_is(n, &op_batch_normalization) || !begins(t, n->in[3], 0) || !begins(t, n->in[4], 1))
            continue;
        const double momentum = (double)((const struct batch_norm *)n->attrs)->momentum;

        if (!l->layer || momentum > l->momentum) {
            l->layer = n;
            l->momentum = momentum;
        }
    }
}

void lag_tell(const struct lag *l, const struct trainer *t, struct report *r)
{
    const int64_t steps = t->steps - l->steps;
    const double left = l->layer ? pow(l->momentum, (double)steps) : 0;
    char where[WHERE_TEXT];

    if (steps > 0 && left > MUCH)
        warn(r, node_where(l->layer, where),
             "after %lld steps with momentum %.4g its running statistics still are %.0f %% what they began with: "
             "evaluation lags behind training; more steps, a smaller momentum, or statistics that are measured anew "
             "(kiln "
             "adapt --as '*=measured' --calibrate) mend that",
             (long long)steps, l->momentum, 100 * left);
}
