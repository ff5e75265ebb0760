/* Layers: the nodes of a model, as people look at them. */
#ifndef KILN_INSPECT_LAYERS_H
#define KILN_INSPECT_LAYERS_H

#include "inspect/open_types.h"
#include "train/trainable.h"

struct layer {
    const char *name, *op;
    int since; /* version of the operator; 0 where it is not known */
    int depth; /* of subgraphs */
    char type[TYPE_TEXT];
    int64_t trainable, fixed; /* elements of the parameters that it is the first to read */
    size_t inputs, outputs;
    const char *const *input, *const *output; /* names of values; "": one that is left out */
};

struct layers {
    struct layer *at;
    size_t count, capacity;
    struct budget *budget;
    struct arena *arena; /* for the names of values */
};

/* All nodes but constants, those of subgraphs below the one that owns them. */
bool layers_of_graph(struct layers *l, const struct open_types *types, const struct parameters *parameters,
                     struct report *r);
/* The same for a model that could not be built: there are no types, and every float initializer is a parameter. */
bool layers_of_messages(struct layers *l, const struct model *m, struct report *r);
void layers_release(struct layers *l);

#endif
