/* What can be told of a node's outputs before any shape is known: op_def.rank of the usual kinds, and types by the
 * signature. Passes that change a graph see no more than this. */
#ifndef KILN_OPS_RANK_H
#define KILN_OPS_RANK_H

#include "ops/op.h"

/* Of a value: an initializer, an input of declared type, or what the node that makes it tells. */
struct known known_of(const struct value *v);
/* Of input k; nothing where it is left out. */
struct known known_input(const struct node *n, int k);
/* For op_def.dtype: the type that an attribute tells, or where that is UNDEFINED that of input 0. */
static inline enum dtype dtype_or_input(const struct node *n, enum dtype told)
{
    return told ? told : known_input(n, 0).dtype;
}
/* How many values input k has, a vector that nobody can change; UNKNOWN where it is none. */
int known_length(const struct node *n, int k);

int rank_of_input(const struct node *n, int k);     /* of input 0 */
int rank_of_broadcast(const struct node *n, int k); /* the highest of all inputs */
int rank_of_window(const struct node *n, int k);    /* of the weights, else of input 0 */
int rank_of_scalar(const struct node *n, int k);    /* 0 */
int rank_of_vector(const struct node *n, int k);    /* 1 */
int rank_of_matrix(const struct node *n, int k);    /* 2 */
int rank_of_shape_0(const struct node *n, int k);   /* as many as input 0 has values */
int rank_of_shape_1(const struct node *n, int k);   /* as many as input 1 has values */
int rank_unknown(const struct node *n, int k);

/* Tells the outputs of a node what its inputs know. */
void know_outputs(const struct node *n);

#endif
