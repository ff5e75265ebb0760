/* What `kiln inspect` tells of a model: types of all values with open dimensions by their names, layers, operators
 * without gradient. */
#ifndef KILN_TOOLS_LAYERS_H
#define KILN_TOOLS_LAYERS_H

#include "plan/program.h"
#include "train/trainable.h"

/* -- types with names for open dimensions -- */

enum { MAX_SYMBOLS = 8 };

/* Types are planned for one choice of numbers, and again with each open dimension changed: what changes with it is
 * written by its name. */
struct open_types {
    const struct graph *graph;
    int count;
    const char *names[MAX_SYMBOLS];
    int64_t numbers[MAX_SYMBOLS];       /* of the first choice */
    struct program *plan;               /* NULL where none can be made: the declared types are all there is */
    struct program *plans[MAX_SYMBOLS]; /* with one number changed; NULL where that cannot be planned */
};

/* Never fails for a model's sake: what cannot be planned is not known. */
bool open_types_find(struct open_types *o, const struct graph *g, struct budget *b, struct report *r);
void open_types_release(struct open_types *o);
/* "float[N,26,26,32]", "int64[2*N+1]"; a dimension that nothing tells is "?". `v` may be of a subgraph. */
const char *open_type_text(const struct open_types *o, const struct value *v, char buffer[TYPE_TEXT]);

/* -- layers -- */

struct layer {
    const char *name, *op;
    int since; /* version of the operator; 0 where it is not known */
    int depth; /* of subgraphs */
    char type[TYPE_TEXT];
    int64_t trainable, fixed; /* elements of the parameters that it is the first to read */
};

struct layers {
    struct layer *at;
    size_t count, capacity;
    struct budget *budget;
};

/* All nodes but constants, those of subgraphs below the one that owns them. */
bool layers_of_graph(struct layers *l, const struct open_types *types, const struct parameters *parameters,
                     struct report *r);
/* The same for a model that could not be built: there are no types, and every float initializer is a parameter. */
bool layers_of_messages(struct layers *l, const struct model *m, struct report *r);
void layers_release(struct layers *l);

/* -- operators without gradient -- */

struct obstacle {
    const char *op, *reason;
    int nodes;
    bool in_the_way; /* reads floats that depend on what trains, and makes floats */
};

enum { MAX_OBSTACLES = 64 };
struct obstacles {
    struct obstacle at[MAX_OBSTACLES]; /* one for each operator */
    size_t count;
};

bool obstacles_find(struct obstacles *o, const struct open_types *types, const struct parameters *p,
                    struct arena *arena, struct report *r);

#endif
