/* Every operator that has a gradient is held to something, in each of its cases. Which cannot be says so, and stands in a list:
 * what is missing there is an error, and what has come. */
#ifndef KILN_TESTS_UNIT_GRADIENT_WALK_H
#define KILN_TESTS_UNIT_GRADIENT_WALK_H

#include "case.h"

extern char label[512]; /* the case that is being tried (require.h) */

/* A case, and its gradients in two graphs: as they are, and to be changed. */
struct gradient_case {
    const struct op *op;
    const struct op_def *def;
    const struct op_case *oc;
    struct case_graph c;
    struct case_gradients first, d;
};

struct gradient_walk {
    bool (*check)(struct gradient_case *x); /* false, with an error in the case's report, where it is refused */
    const char *const *refused;             /* operators, ended by NULL */
    const char *able;                       /* what one in the list can that has come */
    int oldest;                             /* row of ai.onnx that is tried; 0: the newest alone, of all */
};
void walk_gradients(const struct op *op, const struct gradient_walk *w);

/* Types that the graph's values have, those of the case's inputs among them; NULL on an error. */
struct tensor *gradient_types(struct gradient_case *x, const struct graph *g);
struct plan_context gradient_context(struct gradient_case *x);

#endif
