/* Making a node: what the loader and the emitter share. */
#ifndef KILN_OPS_NODE_H
#define KILN_OPS_NODE_H

#include "ops/op.h"

struct node_spec {
    const struct op *op;
    const struct op_def *def;
    const char *name;
    int index; /* in the file; -1: made by Kiln */
    int opset;
    struct attr *attrs;
    size_t attr_count;
    struct value *(*find)(void *names, const char *name); /* for parse_named; NULL: names are not known */
    void *names;
    const void *parsed; /* attributes of a private node, which has no parse */
    int inputs;
    struct value *const *in; /* NULL where left out */
    int outputs;
    struct value *const *out; /* NULL where not wanted */
};

/* Checks arity, parses the attributes, appends the node. NULL with errors in the report. */
struct node *node_make(struct graph *g, const struct node_spec *spec, struct report *r);

/* Checks the types of a node's inputs against its signature, once they are known: an error names the input, its type
 * and what is allowed. `in` as in struct node, formal inputs only. */
bool node_check_types(const struct node *n, const struct tensor *const *in, struct report *r);

/* Attributes written as text (op.h, "emitting nodes") into an array in the arena. False with an error where the text is
 * malformed. */
bool attrs_of_text(const char *text, struct arena *arena, struct attr **attrs, size_t *count, struct report *r);

/* Would another row of the node's operator take these attributes? Sets `seen` of those that it asks for. False with an
 * error where it does not take what they say. */
bool node_reads_attributes(const struct node *n, const struct op_def *def, struct attr *attrs, int opset,
                           struct report *r);

#endif
