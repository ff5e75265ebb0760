/* A graph as messages: for who makes a file of nodes that Kiln has made. What was read from a file is saved from its own
 * messages, never from here. */
#ifndef KILN_MODEL_GRAPH_WRITE_H
#define KILN_MODEL_GRAPH_WRITE_H

#include "model/model.h"

struct graph_writing {
    const struct graph *graph;
    /* By value id: what is to be called so; NULL: a name that begins with `prefix`. Names must differ, and none of those
     * given may begin with it. */
    const char *const *names;
    const char *const *outputs; /* of the graph: what they are to be called */
    const char *prefix;
    bool defaults;              /* initializers with a name are inputs of the graph as well */
    const struct tensor *types; /* by value id: of inputs and outputs, dimensions below 0 are open; */
    const char *open;           /* they are called so */
    const bool *outside;        /* by value id: it is defined elsewhere by its name; NULL: nothing is */
    int opset;                  /* of the standard's operators */
    const struct node
        *gradient; /* of ai.onnx.preview.training, whose attributes are told by what it is to name: its inputs and y */
    const struct value *y;
};

/* The graph's inputs that anything reads, what its outputs need, and these. Every node must be of the standard, with
 * attributes that are known. Freed with message_free. NULL with an error. */
/* The oldest opset, not below `least`, that has all operators of the standard that it reads. */
int graph_least_opset(const struct graph *g, int least);
Onnx__GraphProto *graph_write(struct graph_writing *w, struct budget *b, struct report *r);

#endif
