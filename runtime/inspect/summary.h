/* What a model is made of, found once for all who look at it. */
#ifndef KILN_INSPECT_SUMMARY_H
#define KILN_INSPECT_SUMMARY_H

#include "inspect/layers.h"
#include "inspect/obstacles.h"
#include "inspect/problems.h"

struct summary {
    const struct model *model;
    struct budget budget;
    struct arena arena;
    struct open_types types;      /* these three of a model that is built */
    struct parameters parameters; /* then float initializers of bodies, of which there are */
    size_t inner;
    struct obstacles obstacles;
    struct layers layers;
    const char **inputs, **outputs; /* the types of the model's, as text */
    size_t input_count, output_count;
};

/* The model must outlive it; it may be one that could not be built. False with an error; it is released in any case. */
bool summary_find(struct summary *s, const struct model *m, struct report *r);
void summary_release(struct summary *s);

/* How many elements its parameters have: those that train, and all others that are read. */
int64_t summary_trainable(const struct summary *s);
int64_t summary_fixed(const struct summary *s);
/* All of it as JSON; `problems` is why the model cannot be built, and may be NULL. */
void summary_json(const struct summary *s, const struct problems *problems, struct text *out);
/* The graph as a picture, with types; of a model that is built. */
void summary_dot(const struct summary *s, struct text *out, struct report *r);

#endif
