/* The graph of a model as TensorBoard's page of graphs takes it: TensorFlow's GraphDef, with ONNX' operators. */
#ifndef KILN_TOOLS_GRAPHDEF_H
#define KILN_TOOLS_GRAPHDEF_H

#include "events.h"

/* Nodes are the model's layers, its inputs, and the constants and parameters that they read. False with an error. */
bool graphdef_write(struct events *to, const kiln_model *model, struct command *c);

#endif
