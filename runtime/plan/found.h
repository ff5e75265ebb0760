/* Sizes that only running tells, for those who must know all of them before: gradients are taken of values with shapes.
 *
 * The graph is run as far as these sizes need it (run/sizes.h). What that tells is put into a clone, whose sizes are all known
 * then: what no gradient goes through becomes an input or a constant, and is not computed again; of all else planning takes
 * the type for granted (value.found), and running sees to it that it holds. */
#ifndef KILN_PLAN_FOUND_H
#define KILN_PLAN_FOUND_H

#include "plan/program.h"

struct found_value {
    int id;             /* in the graph, and in its clones */
    bool content;       /* planning asks for what is in it, not for its type alone */
    struct tensor told; /* as far as planning tells its type */
    struct tensor now;  /* data: what is in it, where that is asked for, or no gradient goes through it */
};

struct found {
    struct found_value *at;
    size_t count, capacity;
};

/* Adds what planning has to be told of before it can go on behind what `p` (of plan_types) knows. Memory is the arena's. False
 * with an error; without one where that is nothing: *more is how many there are. */
bool found_add(struct found *f, const struct program *p, size_t *more, struct arena *arena, struct report *r);
/* Does a program leave a size open that somebody reads, or that is asked for? */
bool found_open(const struct program *p);
/* Puts it into a clone of the graph, which can be released without it: new inputs have no names. */
bool found_put(const struct found *f, struct graph *clone);
/* Is this one of the inputs that found_put has added? */
bool found_is_input(const struct found_value *f, const struct graph *clone);
/* Would the same clone come of both? */
bool found_same(const struct found *a, const struct found *b);
/* With types and contents, of which all is the arena's: of what becomes an input there are types alone. */
struct found *found_copy(const struct found *f, struct arena *arena, struct report *r);

#endif
