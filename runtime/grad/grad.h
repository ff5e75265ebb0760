/* Reverse-mode differentiation, graph to graph: nodes that compute gradients are appended to the graph, so that forward
 * and backward are one program with one memory plan. One rule per operator (ops/op.h). */
#ifndef KILN_GRAD_GRAD_H
#define KILN_GRAD_GRAD_H

#include "ops/op.h"
#include "plan/program.h"

struct grad_request {
    struct graph *graph;
    const struct tensor *types; /* of the graph's values as they are before, by id (plan_types) */
    size_t seeds;               /* what flows in: the gradient of value seed[k] is seed_gradient[k], of the same type */
    struct value *const *seed;
    struct value *const *seed_gradient;
    size_t count; /* what is asked for */
    struct value *const *wrt;
    struct value **gradient; /* out: NULL where nothing flows to wrt[k] */
};

/* False with an error where an operator on the way has no gradient (its reason is told), or memory runs out. */
bool grad_build(const struct grad_request *q, const struct plan_context *c);

/* Does any input of this node matter to its outputs differentiably? For those who only list operators without
 * gradient. */
bool op_differentiable(const struct op_def *def);

#endif
