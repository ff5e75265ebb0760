/* Types of all values of a model, with names for open dimensions. */
#ifndef KILN_INSPECT_OPEN_TYPES_H
#define KILN_INSPECT_OPEN_TYPES_H

#include "plan/program.h"

enum { MAX_SYMBOLS = 8 };

/* Types are planned for one choice of numbers, and again with each open dimension changed: what changes with it is
 * written by its name. */
struct open_types {
    const struct graph *graph;
    int count;
    const char *names[MAX_SYMBOLS];
    int64_t numbers[MAX_SYMBOLS];       /* of the first choice */
    struct program *plan;               /* NULL where none can be made: the declared types are all there is */
    struct program *unnamed;            /* with that of dimensions that have no name changed; NULL likewise */
    struct program *plans[MAX_SYMBOLS]; /* with one number changed; NULL where that cannot be planned */
};

/* Never fails for a model's sake: what cannot be planned is not known. */
bool open_types_find(struct open_types *o, const struct graph *g, struct budget *b, struct report *r);
void open_types_release(struct open_types *o);
/* "float[N,26,26,32]", "int64[2*N+1]"; a dimension that nothing tells is "?". `v` may be of a subgraph. */
const char *open_type_text(const struct open_types *o, const struct value *v, char buffer[TYPE_TEXT]);

#endif
