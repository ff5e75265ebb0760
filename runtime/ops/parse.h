/* What the getters of op.h look into. */
#ifndef KILN_OPS_PARSE_H
#define KILN_OPS_PARSE_H

#include "ops/op.h"

struct parse {
    struct node *node;
    struct attr *attrs;
    size_t attr_count;
    int opset;
    struct report *report;
    bool failed;
    struct graph *graphs[2];                              /* asked for by attr_graph, in order */
    struct value *(*find)(void *names, const char *name); /* NULL: names are not known */
    void *names;
};

enum { MAX_GRAPHS = sizeof(((struct parse *)0)->graphs) / sizeof(struct graph *) };

#endif
