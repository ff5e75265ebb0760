/* What the parts of graph_write.c share. */
#ifndef KILN_MODEL_GRAPH_WRITING_H
#define KILN_MODEL_GRAPH_WRITING_H

#include "base/map.h"
#include "model/graph_write.h"
#include "ops/op.h"

/* A graph on its way, the main one or a body. */
struct writing {
    struct graph_writing *w;
    const struct graph *graph;
    size_t values; /* of it: reading attributes again makes more, which nobody reads */
    struct writing *outer;
    bool loops; /* it is the body of a Loop */
    Onnx__GraphProto *to;
    const char **names;            /* by value id; NULL: not met yet */
    bool *live;                    /* by value id: something reads it that is written */
    size_t *first;                 /* by value id: 1 + the first output that it is; 0: none */
    const struct value **captured; /* of a body, by value id: what it is outside; NULL: it is no capture */
    struct map known;              /* of messages without their names: to the name of what they make */
    struct map outputs;            /* the names of those that are written */
    struct arena *scratch;
    struct budget *budget;
    struct report *report;
    int64_t *next; /* of the names that are made */
};

/* Puts a list of so many messages or texts, all NULL, where `list` is. */
bool writing_list(struct writing *a, void *list, size_t count);
char *writing_text(struct writing *a, const char *s);
const char *writing_name(struct writing *a, const struct value *v);
Onnx__GraphProto *writing_body(struct writing *a, const struct node *n, const struct graph *g);

/* -- graph_write_node.c */

/* The opset that it is of since. */
int op_oldest(const struct op *op);
/* The row of the opset that is written; NULL with an error where such a node cannot be written. */
const struct op_def *writing_row(struct writing *a, const struct node *n);
/* What is an input of reductions since opset 18 was an attribute before; of ReduceSum, which is not here, since 13. */
bool writing_tells_axes(const struct writing *a, const struct node *n);
bool writing_attributes(struct writing *a, Onnx__NodeProto *to, const struct node *n, const struct op_def *def);

#endif
