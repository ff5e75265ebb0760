/* Constants that stand where something is learned and yet are none of it: what a look at the graph and the numbers tells.
 * The first reason that holds is the one that people are shown. */
#ifndef KILN_TRAIN_CONSTANTS_H
#define KILN_TRAIN_CONSTANTS_H

#include "model/model.h"
#include "ops/op.h"

/* A constant, and where it is read. */
struct candidate {
    const struct op_parameter *place;
    const struct node *reader;
    const struct node *through; /* what makes it what is read there; NULL: it is read as it is, or rearranged */
    const struct tensor *content;
    const struct model *model;
    const struct value *value;
    const char *name;                  /* its own, or that of the parameter that it was computed of */
    bool computed;                     /* `name` is of what it was computed of */
    bool parameter;                    /* the file says that `name` is one of PyTorch's parameters */
    bool signature;                    /* it says so of all that are */
    bool buffer;                       /* the file says that this is none of PyTorch's parameters */
    const bool *behind_weights;        /* by value id of the reader's graph: a layer with weights lies before it */
    bool has_weights;                  /* some layer of the model has */
    const bool *active;                /* by value id: depends on what the caller gives */
    const bool *counts;                /* by value id: not only its sizes are read */
    const struct node *const *readers; /* by value id: of the file, the only one; NULL */
};

/* Why it stays as it is; NULL where it trains. */
const char *constant_reason(const struct candidate *c);
/* Zeros in the place of a token: nothing tells padding from a token that was never trained. */
bool may_be_token(const struct candidate *c);
/* A single number that trains because it is called as PyTorch's parameters are: buffers are, too. */
bool is_by_name(const struct candidate *c);
/* One that stays as it is, and yet may be learned: the file does not tell, or it was computed of a parameter. */
bool may_be_learned(const struct candidate *c);

/* As frameworks call the layer, and what their exporters leave of that; NULL says nothing. */
bool says_batch_normalization(const char *name);
/* Is it called as an embedding of positions is? */
bool says_positions(const char *name);
/* Are these random numbers, one for each value, that were drawn when the file was made? So TensorFlow writes Keras' layers
 * that are called with training=True, where the batch is fixed; names tell. */
bool is_drawn_once(const struct node *n, int input, const char *name, const struct tensor *t);

#endif
