/* What those who look for arithmetic in a graph ask of it: types, constants, who reads what. And how nodes that nobody
 * reads any more go. */
#ifndef KILN_ADAPT_FACTS_H
#define KILN_ADAPT_FACTS_H

#include "train/edit.h"

struct adapt;

struct facts {
    const struct model *model;
    const struct tensor *x; /* types of its inputs, as plan_samples has them */
    struct budget budget;
    struct program *types;      /* planned for a few samples; NULL where that fails */
    const bool *active;         /* by value id: depends on what the caller gives */
    int *readers;               /* by value id: nodes, and outputs of the graph */
    const struct node **reader; /* by value id: the only one; NULL */
};

/* Of the model as far as it has come. Must not be moved until facts_release, which must follow whatever happens. Memory is the arena's. */
bool facts_find(struct facts *f, struct adapt *a);
void facts_release(struct facts *f);
/* False, with the reason, where there are no types. */
bool facts_planned(struct facts *f, struct report *r);

/* NULL where planning cannot tell all of it. */
const struct tensor *facts_type(const struct facts *f, const struct value *v);
/* Floats that are the same whatever the caller gives; NULL where it is none. */
const struct tensor *facts_constant(const struct facts *f, const struct value *v);
bool facts_scalar(const struct facts *f, const struct value *v, double *out); /* a constant of one number */
/* The same of any type of float, or of that number everywhere, as Expand or ConstantOfShape makes it. */
bool facts_number(const struct facts *f, const struct value *v, double *out);
/* Its place in the file's main graph; -1 where it is of a function, or made by Kiln. */
int64_t facts_place(const struct facts *f, const struct node *n);
/* What the exporter tells of it (train/told.h). */
const char *facts_metadata(const struct facts *f, const struct node *n, const char *key);
/* The constant, but for `besides` and those that are uniform, that tells the layer of a node from others: what it reads,
 * or what the layer reads that all of its input comes from, *layer. NULL where there is none, or another node that reads
 * `besides` stands before it. `active`: activations_find. */
const struct value *facts_weight(const bool *active, const struct node *n, const struct value *besides,
                                 const struct node **layer);
/* Does it only rearrange, join or average, so that a bias before it is as good as one behind? */
bool facts_passes_on(const struct node *n);
/* For people: its name, or that of what it makes. */
const char *facts_name(const struct node *n);

/* Takes a node out that others have taken the place of, or that nobody reads. Marks in `gone`, [nodes of the graph],
 * those that were made for it, and takes initializers with it that nobody reads any more. */
void facts_drop_node(const struct facts *f, struct edit *e, const struct node *n, bool *gone);
/* The same of those that are marked, where nobody reads them any more, and so on. */
void facts_drop_unread(const struct facts *f, struct edit *e, bool *gone);
/* "LAYER/END", or with a number behind it, as no value is called yet; NULL when memory runs out. As long as the edit. */
const char *facts_fresh(struct edit *e, const char *layer, const char *end);

#endif
