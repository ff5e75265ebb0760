/* The graph that is planned, differentiated and run: values and nodes, in topological order. It is derived from the
 * file's messages, which stay untouched beside it (model/model.h); everything here lives in the graph's arena and
 * points to names and weights of the model. */
#ifndef KILN_GRAPH_GRAPH_H
#define KILN_GRAPH_GRAPH_H

#include "base/map.h"
#include "tensor/tensor.h"

struct op;     /* ops/op.h */
struct op_def; /* ops/op.h */

/* -- attributes -- */

enum attr_type { /* the numbers of AttributeProto.AttributeType */
                 ATTR_NONE,
                 ATTR_FLOAT,
                 ATTR_INT,
                 ATTR_STRING,
                 ATTR_TENSOR,
                 ATTR_GRAPH,
                 ATTR_FLOATS,
                 ATTR_INTS,
                 ATTR_STRINGS,
                 ATTR_TENSORS,
                 ATTR_GRAPHS,
                 ATTR_SPARSE_TENSOR,
                 ATTR_SPARSE_TENSORS,
                 ATTR_TYPE_PROTO,
                 ATTR_TYPE_PROTOS
};

struct bytes {
    size_t length;
    const char *data; /* not ended by NUL */
};

struct attr {
    const char *name;
    enum attr_type type;
    float f;
    int64_t i;
    struct bytes s;
    const struct tensor *tensor; /* TENSOR; TYPE_PROTO: the type, without data */
    struct graph *graph;         /* GRAPH; `i` is its place in the node's graph_of */
    size_t count;                /* of the lists */
    const float *floats;
    const int64_t *ints;
    const struct bytes *strings;
    bool seen; /* was asked for while parsing: what nobody asks for is an error */
};

const char *attr_type_name(enum attr_type type);

/* -- the graph -- */

/* What can be told of a value whatever the shapes of the inputs are. */
struct known {
    int rank;         /* UNKNOWN where it is not */
    enum dtype dtype; /* UNDEFINED where it is not */
};

struct value {
    const char *name;
    int id;                           /* its place in graph->values */
    struct node *producer;            /* NULL: a graph input, an initializer, or captured from outside */
    const struct tensor *initializer; /* NULL where there is none */
    bool folded;                      /* the initializer is of a pass, not of the file */
    bool is_input;                    /* with an initializer too: a default that the caller may override */
    bool trains;                      /* changes from step to step: never folded */
    struct known known;               /* of what a node makes; ops/rank.h tells of all */
    const struct tensor *found;       /* what running has told where planning cannot (plan/found.h); NULL */
    bool has_type;                    /* `type` is what the file declares; dimensions may be UNKNOWN */
    struct tensor type;
    const char *const *dim_names; /* for each dimension its symbol or NULL; NULL where there are none */
};

struct node {
    const struct op *op;
    const struct op_def *def;
    const char *op_name;       /* of op, for messages */
    int since;                 /* of def, for messages; where a pass has lowered the node (ops/op.h), of what it was */
    int said_count;            /* of `said`; UNKNOWN: it was made of none, or has been changed */
    const struct attr *said;   /* the attributes that it was made of, for who writes it into a file */
    const void *attrs;         /* what parse made of them: the operator's own struct */
    const char *name;          /* "" where it has none */
    struct node *origin;       /* the node, in no graph, whose expansion it is a part of (op_def.expand); NULL */
    const struct node *copied; /* in a clone: the node of the other graph that it is a copy of; NULL: made since */
    struct graph *graph;
    int index; /* its place in the file, for messages; -1: made by Kiln */
    int id;    /* its place in graph->nodes */
    int stream; /* of the random numbers that it draws (base/random.h); it stays when nodes come and go, and is a copy's */
    /* Formal inputs, then what its subgraphs capture from outside, each once. NULL where an optional one is left
     * out. */
    int inputs, captured;
    int said_inputs; /* so many inputs were written: others are made of attributes */
    struct value **in;
    /* The standard's outputs as far as the file writes them, then room for all others and for the hidden ones. NULL:
     * not wanted. */
    int outputs, slots;
    struct value **out;
    int graphs;
    struct graph **graph_of; /* in the order in which parse asked for them */
};

/* A value from outside that a subgraph reads: an ordinary input of the node that owns the subgraph. */
struct capture {
    struct value *outer, *inner;
};

struct graph {
    struct arena *arena;
    struct report *report;
    struct graph *parent; /* NULL: the main graph */
    struct graph *own;  /* of a clone: the first of the subgraphs that are its own, whichever nodes still have them; */
    struct graph *next; /* and the next one of them */
    const char *path;   /* "main", "main/node[3]/then_branch" */
    struct value **values;
    size_t value_count, value_capacity;
    struct node **nodes; /* in topological order */
    size_t node_count, node_capacity;
    struct value **inputs; /* formal, without those that have an initializer */
    size_t input_count, input_capacity;
    struct value **outputs;
    size_t output_count, output_capacity;
    struct capture *captures;
    size_t capture_count, capture_capacity;
    int *capture_table; /* places in captures, counted from 1, by the outer value's id; 0: free */
    size_t capture_table_size;
    int streams;        /* so many of its nodes and subgraphs have one of their own, from 0, in the order of the file */
    int stream;         /* of a subgraph, in its parent */
    int opset;          /* of ai.onnx */
    uint64_t next_name; /* for names that Kiln makes */
};

/* All of these return NULL, with an error in the report, when memory runs out. The vectors are charged to the arena's
 * budget and are given back by graph_release; the arena by its owner. */
struct graph *graph_new(struct arena *arena, struct graph *parent, const char *path, struct report *r);
void graph_release(struct graph *g); /* the vectors of g and of all its subgraphs; not the arena */

/* `name` is borrowed; NULL makes a fresh one, "kiln.17". */
struct value *graph_value(struct graph *g, const char *name);
bool graph_add_input(struct graph *g, struct value *v);
bool graph_add_output(struct graph *g, struct value *v);
/* The value inside `g` that stands for `outer`, made on first use. */
struct value *graph_capture(struct graph *g, struct value *outer);
/* The one that is there already; NULL where there is none. */
struct value *graph_captured(const struct graph *g, const struct value *outer);
/* Of what it has captured only what is read, by the id of the value inside, stays so. */
void graph_keep_captures(struct graph *g, const bool *read);
/* Puts what is in `body`, a subgraph of `g` that is left empty, at the end of `g`: its formal inputs are `in`, what it
 * captured is what that is outside. `out` becomes its outputs. */
bool graph_take(struct graph *g, struct graph *body, struct value *const *in, struct value **out);
/* A subgraph that its node has no more, if it was of this graph, which still releases it. */
void graph_disown(struct graph *g, struct graph *sub);
/* A node with room for `inputs` and `slots` outputs, all NULL, at the end. The caller sets in[], out[] (and
 * out[k]->producer), op, attrs. */
struct node *graph_node(struct graph *g, int inputs, int slots);
/* The nodes from place `from` on go before all others. */
bool graph_begin_with(struct graph *g, size_t from);
/* They take the place of node k, which goes. */
bool graph_replace_node(struct graph *g, int k, size_t from);
/* `v`, which may have been an input, is what has been made as `made`, the first output of its node or a constant. */
bool value_becomes(struct value *v, struct value *made);
/* A subgraph becomes one of `around`, a new graph in its place: it captures through that what it captured before. */
bool graph_nest(struct graph *g, struct graph *around);
/* A subgraph of `g` that makes `to` of `from`, its inputs, by copies of those of the first `nodes` nodes that lie between
 * them, and of what tells shapes; what else these read is captured. reaches[k]: does `to` depend on from[k]? NULL with an error. */
struct graph *graph_part(struct graph *g, size_t nodes, size_t count, struct value *const *from, struct value *to,
                         bool *reaches);
/* A copy of a subgraph for `around`, in which `as`, by the ids of the graph where it was, is what it captures. */
struct graph *graph_copy_into(struct graph *around, const struct graph *sub, struct value *const *as);
/* The node of the file that it is, or is a part of. */
const struct node *node_origin(const struct node *n);
static inline bool node_is(const struct node *n, const struct op *op)
{
    return n->op == op;
}
/* The tensor of a value that nobody can change; NULL, also for a value of NULL, where it is none. */
const struct tensor *value_constant(const struct value *v);
/* The node's k-th output, made when it is not there yet. */
struct value *node_output(struct node *n, int k);

/* A copy that can grow without changing the original: values and nodes are new and keep their ids, attributes,
 * initializers and subgraphs are shared. It must be released before the original's arena. */
struct graph *graph_clone(const struct graph *g, struct arena *arena, struct report *r);
/* From now on all subgraphs, down to the innermost, are its own, too: copies of those that it shares. */
bool graph_own_subgraphs(struct graph *g);

/* The first value of that name; NULL where there is none. Linear: for the few places that look a user's name up. */
struct value *graph_find(const struct graph *g, const char *name);
/* All of them, into a map that is empty: the first of several that have one name. */
bool graph_names(const struct graph *g, struct map *names, struct report *r);

/* "main/node[12] 'conv1' Conv-11" into `buffer`, which is returned. */
enum { WHERE_TEXT = 192 };
const char *node_where(const struct node *n, char buffer[WHERE_TEXT]);

#endif
