/* The head of a model: its last layer on the way to an output, and what stands behind that. */
#ifndef KILN_ADAPT_HEAD_H
#define KILN_ADAPT_HEAD_H

#include "adapt/step.h"
#include "plan/program.h"

enum {
    CLASSES_NONE = -1, /* the value does not depend on the head */
    CLASSES_LOST = -2  /* it does, but in which of its dimensions the classes are cannot be told */
};

struct head {
    struct adapt *a;
    const struct graph *graph;  /* of the model as it was */
    struct budget budget;       /* of plans */
    int64_t open;               /* what its open dimensions are planned with, */
    const struct tensor *sizes; /* but for those that these types of its inputs tell; NULL: none */
    struct program *types;      /* by id of its values */
    const bool *active;         /* by value id: depends on what the caller gives */
    const struct value *output;

    const struct node *node;       /* Gemm, MatMul or Conv; NULL: not looked for */
    const struct value *x;         /* what it makes something of */
    int weight;                    /* which of its inputs that is */
    int unit;                      /* the dimension of the weight, */
    int axis;                      /* and that of what it makes, that has */
    int64_t units;                 /* so many units */
    const struct node *activation; /* Softmax, LogSoftmax or Sigmoid, on the way to the output; NULL */

    int *classes;            /* by value id: the dimension of the classes, or one of CLASSES_* */
    const struct node *bias; /* the Add whose input `bias_input` is the bias; NULL: there is none, or it is input 2 */
    int bias_input;
    const struct node *fixed; /* reads something else that has a number for each class: the first; NULL */
    const struct node *lost;  /* the first that hides the classes; NULL */

    /* Out: */
    size_t made_count; /* names of values that were not there before, of the arena */
    const char **made;
    size_t first, outputs; /* from which output on so many are those of a graft */
};

/* Looks for the layer that the output comes from; an error where it is none whose weight could be another. */
bool head_find(struct head *h);
/* Follows the classes from there on. */
bool head_follow(struct head *h);
/* What becomes of dimension d when the one at `from` goes to place `to`. */
int head_moved(int d, int from, int to);
/* "head: Gemm of 1000 classes"; NULL with an error. */
const char *head_found(const struct head *h);
const char *head_called(const struct node *n); /* by its name, else by that of what it makes */
/* The message of a node; NULL where it has none of its own, as inside functions and expansions. */
Onnx__NodeProto *head_message(const struct model *m, const struct node *n);
/* Types of all values with h->open for what is open; `open` 0: with whatever it can be planned with. NULL with an error. */
struct program *head_plan(struct head *h, const struct graph *g, int64_t open, struct report *r);

/* Is the error one of memory or time, so that another try would be none? */
bool head_lacks(const struct report *r);

/* The layer makes `units` others. */
bool head_classes(struct head *h, int64_t units);
/* A model takes the place of the layer, and of all behind it. */
bool head_graft(struct head *h, const struct model *graft);

/* What metadata say of the output, of values that were made, and of initializers that are gone is not so any more. */
bool head_forget(struct model *m, const struct head *h, struct report *r);

#endif
