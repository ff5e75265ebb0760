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
    struct graph *graph;
    struct node *node;
    int inputs, outputs;
    struct case_tensor in[MAX_CASE];
    struct tensor expected[MAX_CASE]; /* as the case says; rank UNKNOWN: not asked for */
    struct value *in_value[MAX_CASE], *out_value[MAX_CASE];
};

/* How a case is varied. */
struct case_variant {
    int var;          /* this type variable of the signature ... */
    enum dtype dtype; /* ... becomes this type; UNDEFINED: nothing does */
    bool all_f64;     /* every float32 becomes float64, where the signature allows it */
    bool run_time;    /* given values arrive as inputs, not as constants */
    int threads;
};

/* Makes the graph of one node. False, with an error in c->report, where it cannot. Always followed by case_release. */
bool case_make(struct case_graph *c, const struct op *op, const struct op_def *def, const struct op_case *oc,
               const struct case_variant *v);
void case_release(struct case_graph *c);
/* A frame with the inputs set. */
struct frame *case_frame(struct case_graph *c, const struct graph *g);

double case_value(const struct tensor *t, int64_t k);
void case_set(const struct tensor *t, int64_t k, double x);

#endif
