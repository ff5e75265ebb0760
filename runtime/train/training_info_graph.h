/* The graphs that a training_info is run as. */
#ifndef KILN_TRAIN_TRAINING_INFO_GRAPH_H
#define KILN_TRAIN_TRAINING_INFO_GRAPH_H

#include "train/training_info.h"

/* A model whose graph is the main graph and the algorithm of a training_info in one, or its initialization: what the state
 * is of comes in as inputs, and the outputs are what the binding names, then those of the algorithm. Built. NULL with an
 * error. */
struct model *info_graph(const struct training_info *t, size_t info, bool initialization, struct report *r);

#endif
