/* What can be told of a node's outputs before any shape is known: op_def.rank of the usual kinds, and types by the
 * signature. Passes that change a graph see no more than this. */
#ifndef KILN_OPS_RANK_H
#define KILN_OPS_RANK_H

#include "ops/op.h"

/* Of input k; nothing where it is left out. */
struct known known_input(const struct node *n, int k, const struct known *known);
/* How many values input k has, a vector that nobody can change; UNKNOWN where it is none. */
int known_length(const struct node *n, int k);

int rank_of_input(const struct node *n, int k, const struct known *known);     /* of input 0 */
int rank_of_broadcast(const struct node *n, int k, const struct known *known); /* the highest of all inputs */
int rank_of_window(const struct node *n, int k, const struct known *known);    /* of the weights, else of input 0 */
int rank_of_vector(const struct node *n, int k, const struct known *known);    /* 1 */
int rank_of_matrix(const struct node *n, int k, const struct known *known);    /* 2 */
int rank_of_shape_0(const struct node *n, int k, const struct known *known);   /* as many as input 0 has values */
int rank_of_shape_1(const struct node *n, int k, const struct known *known);   /* as many as input 1 has values */
int rank_unknown(const struct node *n, int k, const struct known *known);

/* Of output k of a node whose inputs are known as far as they are. */
struct known known_output(const struct node *n, int k, const struct known *known);

#endif
