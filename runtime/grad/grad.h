/* Reverse-mode differentiation, graph to graph: nodes that compute gradients are appended to the graph, so that forward
 * and backward are one program with one memory plan. One rule per operator (ops/op.h). */
#ifndef KILN_GRAD_GRAD_H
#define KILN_GRAD_GRAD_H

#include "ops/op.h"
#include "plan/found.h"

struct grad_request {
    struct graph *graph;
    const struct tensor *types; /* of the graph's values as they are before, by id (plan_types) */
    size_t seeds;               /* what flows in: the gradient of value seed[k] is seed_gradient[k], of the same type */
    struct value *const *seed;
    struct value *const *seed_gradient;
    size_t count; /* what is asked for */
    struct value *const *wrt;
    struct value **gradient; /* out: NULL where nothing flows to wrt[k] */
    /* What is carried from step to step has no gradient behind each so many steps (truncation); 0: it always has. */
    int64_t bptt;
    /* out, may be NULL: by id of the nodes that there were before, how many nodes the graph has when its rule is done. They
     * are walked from the last one on. */
    size_t *ends;
};

/* False with an error where an operator on the way has no gradient (its reason is told), or memory runs out. */
bool grad_build(const struct grad_request *q, const struct plan_context *c);

/* A graph of the gradients that a node with OP_DIFFERENTIATES asks for: the formal inputs and the captured values are its
 * subgraph's, the outputs are those of the node that are wanted. types[k] are of the node's inputs, captured ones too, with
 * data where that is the same in each run; `around` is the node's graph, or a copy of it. In `arena`, and released by whoever
 * asks for it. NULL with an error, also where no gradient flows.
 *
 * `found` has the sizes of the subgraph that only running tells, and what of it the graph has as inputs behind the node's
 * (found_is_input); NULL: none are known. *open is set then, where some are needed, and no error is told. */
struct graph *grad_of_node(const struct node *n, const struct tensor *const *types, struct graph *around,
                           const struct found *found, bool *open, struct arena *arena, const struct plan_context *c);
/* Puts such graphs in place of all these nodes, so that gradients can be taken of what they make. `given`, by value id:
 * what comes from outside. */
bool grad_expand(struct graph *g, const struct tensor *given, const bool *content, const struct plan_context *c);

/* Nodes of private operators become what they are in operators of the standard (op_def.spell_out), so that gradients can be
 * taken of what they compute. `given` and `content`, which may be NULL, are of the first `values` values. */
bool grad_spell_out(struct graph *g, const struct tensor *given, const bool *content, size_t values,
                    const struct plan_context *c);

/* The same of everything private, and of what only Kiln's own rows have (op_def.plain), for a file. `seed` and `step` are what
 * random numbers come from. An error names what there is no such form of. */
bool grad_spell_plain(struct graph *g, const struct tensor *given, size_t values, struct value *seed,
                      struct value *step, const struct plan_context *c);

/* The types of all values, where `given` and `content` are of the first `values`. In `scratch`, but for the program. NULL with
 * an error. */
struct program *grad_types(struct graph *g, const struct tensor *given, const bool *content, size_t values,
                           struct arena *scratch, const struct plan_context *c);

/* Does any input of this node matter to its outputs differentiably? For those who only list operators without
 * gradient. */
bool op_differentiable(const struct op_def *def);

#endif
