/* Messages to graph: what the parts of the import share. */
#ifndef KILN_MODEL_IMPORT_H
#define KILN_MODEL_IMPORT_H

#include "base/text.h"
#include "model/model.h"
#include "ops/node.h"
#include <string.h>

enum {
    MAX_IR = 14,
    MAX_CALL_DEPTH = 64,
    MAX_NODES = 1 << 22,
    /* Nodes of called functions: a few lines of text can ask for any number of them. Every PLACES inputs, outputs
     * and attributes of a node or a call count as one more. */
    MAX_CALLED = 1 << 18,
    PLACES = 16,
    MAX_OPSETS = 128,
    MAX_ATTRIBUTES = 1024 /* of a node */
};

struct import {
    struct model *model;
    struct report *report;
    int64_t nodes, called; /* made so far, in all and for calls, which may multiply them */
    struct map functions;  /* by what identifies them (key_of): to struct function */
    struct function *all;
    size_t function_count;
    struct text key; /* of the function that is looked up */
    int depth;       /* of calls and subgraphs */
};

struct function {
    const Onnx__FunctionProto *proto;
    struct map inputs; /* its formal inputs, since it was called first; to NULL */
    bool met;          /* it was called, and its opsets are in order */
};

/* What a function's body sees of its call. */
struct call {
    const struct function *function;
    struct attr *attrs; /* the call's, but for graphs, and the function's defaults */
    size_t attr_count;
    const Onnx__NodeProto *node;
    struct scope *caller;
};

/* The names that may be read at a place: those of this graph, then those of the graphs around it. */
struct scope {
    struct import *im;
    struct graph *graph;
    struct map names; /* to struct value */
    struct scope *outer;
    const char *path;        /* of the nodes here, for messages: the graph's, or the call's */
    const struct call *call; /* NULL: not inside a function */
    size_t opset_count;
    Onnx__OperatorSetIdProto **opsets;
};

static inline const char *proto_text(const char *s)
{
    return s ? s : "";
}

static inline const char *proto_domain(const char *domain)
{
    return strcmp(proto_text(domain), "ai.onnx") == 0 ? "" : proto_text(domain);
}

/* -- import.c */
bool check_opsets(Onnx__OperatorSetIdProto **sets, size_t count, const char *where, struct report *r);
bool scope_define(struct scope *s, const char *name, struct value *v, const char *where);
/* The value of a name at this place, or NULL; inside a subgraph, what is outside is captured, level by level. */
struct value *scope_find(struct scope *s, const char *name);
/* NULL where it is left out, or is an optional input of the function around that its call leaves out. */
bool import_input(struct scope *s, const char *name, struct value **in, const char *where);
bool import_nodes(struct scope *s, Onnx__NodeProto **nodes, size_t count);
struct graph *import_subgraph(struct scope *s, const Onnx__GraphProto *proto, const char *path);

/* -- import_attribute.c */
bool is_graph(const Onnx__AttributeProto *a);
bool import_attr(struct scope *s, struct attr *a, const Onnx__AttributeProto *from, const char *where);
/* Those of a node, or of a call, whose graphs are made where its function refers to them. */
bool import_attrs(struct scope *s, const Onnx__NodeProto *n, bool call, struct attr **attrs, size_t *count,
                  const char *where);
/* Subgraphs of a node that could not be made: nobody else owns them. */
void release_attrs(const struct scope *s, struct attr *attrs, size_t count);

/* -- import_call.c */
bool list_functions(struct import *im);
void forget_functions(struct import *im);
struct function *find_function(struct import *im, const Onnx__NodeProto *n); /* NULL: not of the model */
/* Adds to what was made for calls; false, with an error, where that is too much. */
bool count_called(struct import *im, size_t nodes, size_t places, const char *where);
/* A call becomes the body of its function, in the caller's graph, with names of its own. */
bool import_call(struct scope *s, const Onnx__NodeProto *n, struct function *f, const char *where);

#endif
