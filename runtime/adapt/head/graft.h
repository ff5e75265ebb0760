/* A graph from another file on its way into a model: what the parts of graft.c share. */
#ifndef KILN_ADAPT_HEAD_GRAFT_H
#define KILN_ADAPT_HEAD_GRAFT_H

#include "adapt/head/head.h"
#include "adapt/rename.h"

struct graft {
    struct head *h;
    struct model *from; /* whole in itself, with all values */
    struct model *to;
    struct edit e;
    struct renaming names; /* of `from`, to what they are called now */
    struct map taken;      /* those */
    struct map labels;     /* of nodes of `to` */
    const char **called;   /* by place in from->proto->functions; NULL: as it was */
    struct report *report;
};

/* -- names.c */

/* Names for all that the graph has: its input is what the layer consumed, its first output is called as the model's,
 * where that is free; all others keep their names where those are. */
bool graft_names(struct graft *y);

/* -- parts.c: into y->to */

bool graft_opsets(struct graft *y);
bool graft_functions(struct graft *y);
bool graft_initializers(struct graft *y);
bool graft_nodes(struct graft *y);
bool graft_rules(struct graft *y); /* how parameters are drawn: metadata */

#endif
