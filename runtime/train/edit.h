/* Changing a graph's messages: for those who write a model that differs from the one that was read. Memory is the
 * model's budget.
 *
 * Names are looked up in an index, and lists are put in order once, at the end: until then they have gaps where
 * something was dropped, and nodes lack those that were inserted. So many changes take no longer than a walk over the
 * graph. */
#ifndef KILN_TRAIN_EDIT_H
#define KILN_TRAIN_EDIT_H

#include "base/map.h"
#include "model/model.h"

struct edit {
    Onnx__GraphProto *graph;
    struct budget *budget;
    struct report *report;
    unsigned next_name;
    struct arena arena; /* of the index */
    struct map names;   /* to struct edit_name */
    struct map labels;  /* of nodes: those that are taken */
    size_t initializer_room, input_room, value_info_room;
    bool counting;     /* it begins */
    bool lists_inputs; /* before IR version 4 an initializer is an input of the graph as well */
    struct insertion *insertions;
    size_t insertion_count, insertion_room;
};

/* Of the main graph; the model must not be built yet. edit_end must follow, whatever happens. */
bool edit_begin(struct edit *e, struct model *m, struct report *r);
bool edit_end(struct edit *e);

Onnx__TensorProto *edit_initializer(const struct edit *e, const char *name); /* NULL where there is none */
Onnx__ValueInfoProto *edit_graph_input(const struct edit *e, const char *name);
Onnx__ValueInfoProto *edit_value_info(const struct edit *e, const char *name);
/* How often the main graph, its subgraphs and its outputs read the name. */
int edit_readers(const struct edit *e, const char *name);
/* Counts the name as read once more, or less: for a reader that is yet to come. */
bool edit_count_reader(struct edit *e, const char *name, int count);
/* A name that is not in use yet: "STEM", "STEM.1", ... NULL when memory runs out. Freed with budget_free. */
char *edit_fresh_name(struct edit *e, const char *stem);

/* Replaces type, shape and content; name, doc_string and unknown fields stay. Data as raw_data. */
bool edit_tensor(struct edit *e, Onnx__TensorProto *to, const struct tensor *t);
bool edit_add_initializer(struct edit *e, const char *name, const struct tensor *t);
/* The same of messages that were made elsewhere with the edit's budget; they are taken in any case. */
bool edit_add_made_initializer(struct edit *e, Onnx__TensorProto *made);
bool edit_add_made_value_info(struct edit *e, Onnx__ValueInfoProto *made);
void edit_drop_initializer(struct edit *e, const char *name);
void edit_drop_graph_input(struct edit *e, const char *name);
void edit_drop_value_info(struct edit *e, const char *name);
void edit_drop_graph_output(struct edit *e, size_t at);
/* More of them before place `at`, made with the edit's budget; they are taken in any case. */
bool edit_insert_graph_outputs(struct edit *e, size_t at, size_t count, Onnx__ValueInfoProto *const *outputs);

/* `name` gets a number behind it where a node of the graph is called so: other runtimes refuse two of one name.
 * An empty node before or behind the one at place `at`, behind those inserted there before. Places are those of the
 * beginning. */
Onnx__NodeProto *edit_insert_node(struct edit *e, size_t at, bool behind, const char *op, const char *name);
/* The same with a node that was made elsewhere with the edit's budget; it is taken in any case. */
bool edit_insert_made(struct edit *e, size_t at, bool behind, Onnx__NodeProto *made);
bool edit_set_domain(struct edit *e, Onnx__NodeProto *n, const char *domain); /* of a new node, which has none */
/* Another operator of the same domain in its place, which has no attributes yet. */
bool edit_set_op(struct edit *e, Onnx__NodeProto *n, const char *op);
void edit_drop_node(struct edit *e, size_t at);
/* All nodes and initializers that were read when the edit began, and are not any more. */
void edit_drop_unread(struct edit *e);
bool edit_set_inputs(struct edit *e, Onnx__NodeProto *n, size_t count, const char *const *names);
bool edit_set_outputs(struct edit *e, Onnx__NodeProto *n, size_t count, const char *const *names);
bool edit_set_input(struct edit *e, Onnx__NodeProto *n, size_t k, const char *name);
void edit_cut_inputs(struct edit *e, Onnx__NodeProto *n, size_t count);
void edit_cut_outputs(struct edit *e, Onnx__NodeProto *n, size_t count);
Onnx__AttributeProto *node_attribute(const Onnx__NodeProto *n, const char *name); /* NULL where there is none */
bool edit_set_float(struct edit *e, Onnx__NodeProto *n, const char *name, float value);
bool edit_set_int(struct edit *e, Onnx__NodeProto *n, const char *name, int64_t value);
bool edit_set_ints(struct edit *e, Onnx__NodeProto *n, const char *name, size_t count, const int64_t *values);

#endif
