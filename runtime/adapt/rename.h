/* Names of values in messages that come from elsewhere: into a model in which some of them are taken. */
#ifndef KILN_ADAPT_RENAME_H
#define KILN_ADAPT_RENAME_H

#include "base/map.h"
#include "model/message.h"

/* False ends the visit. */
typedef bool visit_name(void *user, char **name);

/* All names of a node or a graph and of their subgraphs: `defined` those of inputs, initializers and what nodes make, `read`
 * the others. */
bool visit_node_names(Onnx__NodeProto *n, visit_name *defined, visit_name *read, void *user);
bool visit_graph_names(Onnx__GraphProto *g, visit_name *defined, visit_name *read, void *user);

struct renaming {
    struct map names;      /* to what they are called from now on, which must stay; others stay what they are */
    struct budget *budget; /* of the messages */
    struct report *report;
};

/* `memory`: the map's. Must be released. */
void renaming_init(struct renaming *r, struct budget *memory, struct budget *budget, struct report *report);
void renaming_release(struct renaming *r);
bool rename_as(struct renaming *r, const char *name, const char *now);
/* A name, in place; all that a node names. */
bool rename_one(struct renaming *r, char **name);
bool rename_node(struct renaming *r, Onnx__NodeProto *n);

#endif
