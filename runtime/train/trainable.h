/* What of a model can learn, and why: the list behind `kiln inspect` and --freeze.
 *
 * By default: constants of float, float16, bfloat16 and double that nodes on the way of the activations read where
 * their operators have a parameter (op_def.parameters: weights and biases, tables of Gather, factors and summands),
 * whether initializers or Constant nodes, also where a chain of Transpose, Reshape, Squeeze, Unsqueeze, Identity or
 * Cast to a type of float stands between, and where other operators with gradients make a parameter of them
 * (Slice, Concat, Mul ...: gates put in another order, tables that are cut). Never scalars of Mul and Add, but for the
 * bias of a single unit and what is called as a variable of TensorFlow's or a parameter of PyTorch's. What the file itself says (train/decided.h) goes before all that. Running means and variances are statistics: BatchNormalization itself changes them. */
#ifndef KILN_TRAIN_TRAINABLE_H
#define KILN_TRAIN_TRAINABLE_H

#include "model/model.h"

enum role {
    ROLE_TRAINABLE,
    ROLE_STATISTIC, /* a running mean or variance */
    ROLE_FROZEN,    /* would be trainable, but for --freeze */
    ROLE_CONSTANT   /* a float initializer that is none of these */
};

struct parameter {
    const struct value *value; /* of the model's graph: an initializer, or what a Constant node makes */
    struct tensor initial;     /* points into the model; without data once a trainer has taken it over */
    enum role role;
    const char *why;           /* "weight of Conv", "frozen by 'bn*'", "a scalar" */
    const struct node *reader; /* the first node that reads it so; NULL where role is CONSTANT and nothing reads it */
    int input;                 /* of the reader */
    bool could;                /* CONSTANT, but read where something is learned: the file may say that it is */
    bool token;                /* CONSTANT, but zeros in the place of a token: it may be one that was never trained */
    const char *unsure;        /* why a single number that stays as it is may be learned; NULL: nothing says so */
    bool by_name;              /* one that trains because of its name alone: it may be a buffer of PyTorch's */
    const char *layer;         /* that it belongs to: as the file says (train/decided.h), else as names tell; "" */
    bool half;                 /* only the first half of its last dimension trains, the other is 0 and stays so */
    int readers;               /* how many places read it so: above 1 it is shared, or an exporter merged equal ones */
    bool no_decay;             /* weight_decay leaves it alone */
    bool left;                 /* it would train, but no gradient reaches it (reach.h) */
    bool said;                 /* the file tells its role: somebody has decided whether it is shared, too */
};

struct parameters {
    struct parameter *at;
    size_t count;
};

/* Shell patterns (fnmatch) of parameters, by their own names, those of the nodes that read them, or of their layers. One that matches nothing
 * that could train is an error. */
struct parameter_patterns {
    size_t trains, freezes;
    const char *const *train;  /* only these train; none: all */
    const char *const *freeze; /* these keep their values */
    size_t undecayed;
    const char *const *exclude_from_weight_decay;
};

/* In the order of the nodes that read them, those without a reader last. `patterns` may be NULL. Memory is the arena's. */
bool parameters_find(struct parameters *out, const struct model *m, const struct parameter_patterns *patterns,
                     struct arena *arena, struct report *r);
/* Is it one that the pattern means? By its own name, by that of the node that reads it, which says of which layer it is
 * (exporters call a folded kernel "const_fold_opt__17"), or by that of the layer. */
bool parameter_matches(const struct parameter *p, const char *pattern);
/* How many elements train, or, where none does, there are. */
int64_t parameter_elements(const struct parameter *p);
/* The same of all parameters of a role. */
int64_t parameters_elements(const struct parameters *p, enum role role);
const char *role_name(enum role role); /* "trainable", ... */

/* By value id of the main graph: what depends on what the caller gives, sizes left aside; the rest is made of constants.
 * NULL with an error. */
bool *activations_find(const struct graph *g, struct arena *arena, struct report *r);

#endif
