/* The ONNX textual syntax (https://onnx.ai/onnx/repo-docs/Syntax.html), read and written.
 *
 * What is read is the syntax of the standard's own parser. Beyond it, where that parser stops: lists of tensors, graphs
 * and types; quotes around attribute names, domains ("my-domain".Op) and overloads that are no identifiers; a quoted
 * name of a graph in an attribute; 'undefined' as an element type, where a name, a shape or values follow; opaque types
 * with quotes; a header without keys, '<>'. What is written needs these only for models that the standard's syntax
 * cannot express. */
#ifndef KILN_MODEL_TEXT_H
#define KILN_MODEL_TEXT_H

#include "base/text.h"
#include "onnx.pb-c.h"

/* Does a file hold text, not a binary model? Text starts, after space and comments, with '<', which no message does. */
bool text_is_model(const void *bytes, size_t size);

/* A new model (message_free), or NULL. Errors have "line:column" as their place. */
Onnx__ModelProto *text_read_model(const char *text, size_t size, struct budget *b, struct report *r);

struct text_options {
    int64_t most; /* tensors with more values end with "..." after this many: for people, it cannot be read back; 0: all
                     are written */
};

/* Appends the model. `options` may be NULL. Numbers are written so that they are read back exactly (of a NaN, its sign
 * is); raw data is written as values. Annotations that the syntax has no place for (documentation of nodes,
 * quantisation annotations, training information ...) and unknown fields are left out and listed in a comment at the
 * end; *lost, if not NULL, says how many such fields there were. Without options.most, anything else that it has no
 * place for is an error (UNSUPPORTED), and what was written is no text: sparse tensors, attributes without a value, an
 * unknown element type, values in a field where their type does not keep them. */
bool text_write_model(struct text *t, const Onnx__ModelProto *model, const struct text_options *options, int64_t *lost);
/* "float[N,3]", "seq(int64)" */
bool text_write_type(struct text *t, const Onnx__TypeProto *type);

#endif
