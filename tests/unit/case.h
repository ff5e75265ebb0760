/* The cases that operators bring with them (struct op_case), made into graphs that can be run: what the registry walk
 * stands on. */
#ifndef KILN_TESTS_UNIT_CASE_H
#define KILN_TESTS_UNIT_CASE_H

#include "ops/op.h"
#include "ops/signature.h"
#include "run/frame.h"

enum { MAX_CASE = 32 };

struct case_tensor {
    struct tensor t; /* data drawn or given; NULL data: left out */
    bool given;      /* the case holds the values themselves */
    char draw;       /* '+', '~' or 0 */
};

struct case_graph {
    struct budget budget;
    struct arena arena;
    struct report report;
    struct engine engine;
    struct model *model; /* that the graph is of, where the case gives nodes; NULL */
    struct graph *graph;
    struct node *node;
    int inputs, outputs;
    struct case_tensor in[MAX_CASE];
    struct tensor expected[MAX_CASE]; /* as the case says; rank UNKNOWN: not asked for */
    struct value *in_value[MAX_CASE], *out_value[MAX_CASE];
};

static inline bool case_given(const struct tensor *t) /* or left out, as "-"? */
{
    return t->kind != TENSOR || t->rank >= 0;
}

int case_operators(void); /* how many the registry has */

/* How a case is varied. */
struct case_variant {
    int var;          /* this type variable of the signature ... */
    enum dtype dtype; /* ... becomes this type; UNDEFINED: nothing does */
    bool all_f64;     /* every float32 becomes float64, where the signature allows it */
    bool run_time;    /* given values arrive as inputs, not as constants */
    bool fixed;       /* inputs after the first are constants */
    bool last;     /* input 0 and the outputs that have its rank lie with their channels last, between transpositions;
                    * where the operator can */
    bool lowered;  /* the node is its operator's lowered one, where there is one; nothing has been put into it */
    bool followed; /* floats that come out go through elementwise nodes, which come to nothing */
    const struct kernels *kernels; /* NULL: the best there are */
    int threads;
};

/* Does the case give nodes, instead of attributes of one? */
static inline bool case_gives_nodes(const struct op_case *oc)
{
    return *oc->attrs == '{';
}
/* Makes the graph of one node. False, with an error in c->report, where it cannot. Always followed by case_release. */
bool case_make(struct case_graph *c, const struct op *op, const struct op_def *def, const struct op_case *oc,
               const struct case_variant *v);
void case_release(struct case_graph *c);
/* Rows share cases; one of a type that an older row does not have yet is not for that row. Needs a case_graph made. */
bool case_fits(const struct case_graph *c, const struct op_def *def);
/* Does the operator have a form with its channels last, of this case? */
bool case_goes_last(const struct case_graph *c);
/* A frame with the inputs set. */
struct frame *case_frame(struct case_graph *c, const struct graph *g);

/* The graph with the gradients of the inputs that the case tells, of the sum of all float outputs, each element times
 * case_weight. False, with an error in c->report, where it cannot be. Always followed by case_gradients_release, which
 * is called before case_release. */
struct case_gradients {
    struct graph *graph; /* a clone; the gradients are its outputs */
    struct program *types;
    struct value *wrt[MAX_CASE], *gradient[MAX_CASE];
    struct value *flow[MAX_CASE]; /* what flows into the outputs: constants */
    struct tensor upstream[MAX_CASE];
    size_t flows;
    int of[MAX_CASE]; /* the input */
    size_t count;
};
double case_weight(int output, int64_t k);
bool case_in_doubles(const struct case_graph *c, const struct tensor *x); /* from x to all outputs that flow back? */
bool case_differentiate(struct case_graph *c, const struct op_case *oc, struct case_gradients *d);
void case_gradients_release(struct case_gradients *d);

double case_value(const struct tensor *t, int64_t k);
void case_set(const struct tensor *t, int64_t k, double x);

#endif
