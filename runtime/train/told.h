/* What exporters tell of a file's nodes and values in their metadata. PyTorch's newer one tells of the modules that a node
 * is of, of what it was made from, and of rules that have rewritten it. */
#ifndef KILN_TRAIN_TOLD_H
#define KILN_TRAIN_TOLD_H

#include "model/model.h"

/* Its place in the file's main graph; -1 where it is of a function, or made by Kiln. */
int64_t told_place(const struct model *m, const struct node *n);
/* The value of the first entry whose key has this part; NULL where there is none. */
const char *told_entry(Onnx__StringStringEntryProto *const *entries, size_t count, const char *key);
const char *told_of_node(const struct model *m, const struct node *n, const char *key);

/* Which of a model's names are parameters and which are buffers, by what PyTorch's newer exporter says in the metadata of
 * the graph, "b_pe: BUFFER target='pe' persistent=True", and what constants were computed of, by the entries of their value
 * infos, "['class_token', 'val_6']". */
struct told_parameters {
    struct map names; /* of what constants were computed of, by the names of these */
    struct map kinds; /* by name: whether it is a parameter, or a buffer or another tensor that does not train */
};
bool told_parameters_read(struct told_parameters *t, const struct model *m, struct arena *arena, struct report *r);
void told_parameters_release(struct told_parameters *t);
/* A parameter that nothing in the graph goes by any more; where no parameter is among them a buffer; else the first that is
 * no number of the exporter's. NULL where there is none. */
const char *told_parameter_of(const struct told_parameters *t, const char *name);
bool told_is_buffer(const struct told_parameters *t, const char *name);
bool told_is_parameter(const struct told_parameters *t, const char *name);
/* Is it called as PyTorch's modules call what they have, "blocks.0.alpha", and as its exporters call nothing? */
bool told_is_of_module(const char *name);
/* "val_7": called by the exporter itself? */
bool told_is_numbered(const char *name, size_t length);

#endif
