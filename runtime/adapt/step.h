/* A step of adapting: looks at the model as far as it has come, tells what it finds, and puts another in its place. */
#ifndef KILN_ADAPT_STEP_H
#define KILN_ADAPT_STEP_H

#include "adapt/adapt.h"
#include "train/edit.h"
#include "train/trainable.h"

enum { ADAPT_ROUNDS = 34 };                /* of Ifs, at most: as deep as they nest (model/message.h) */
enum { ADAPT_MODELS = 16 + ADAPT_ROUNDS }; /* that are made on the way, at most */

enum { ADAPT_CHOICES = 15 }; /* there are not so many */
struct refused {
    size_t count;
    const char *choices[ADAPT_CHOICES + 1]; /* ended by NULL */
};

/* What a step knows of an initializer that a look at the graph does not tell. */
struct role_choice {
    const char *name;
    enum role role;
    struct role_choice *next;
};

struct adapt {
    const struct adapt_options *options;
    const struct model *model; /* as far as it has come: built */
    const struct model
        *reference;             /* what that must compute the same as: the file, or what a step was to change it to */
    const struct model *proved; /* it has been shown to; NULL: none has yet */
    struct calibration calibration; /* the caller's data, or random numbers, of which nothing may be measured */
    const struct graph *file;       /* that all began with */
    const struct tensor
        *x; /* [inputs of `file`] as the calibration's data have them, but for samples; NULL: nothing is run */
    struct adapted *out;
    struct arena *arena;
    struct report *report;
    bool look;                 /* only to tell what there is */
    struct refused *refused;   /* [options->choice_count]: what it named cannot be that, but must be one of these */
    bool *used;                /* likewise: it was taken */
    struct role_choice *roles; /* adapt_set_role, the latest first */
    const bool *fresh;         /* [the model's outputs]: comes from a head that was put in; NULL: none was */
    const char *classified;    /* that of them which has options->classes from now on, */
    int class_axis;            /* in this dimension; NULL: none has */
    struct model *made[ADAPT_MODELS];
    size_t made_count;
};

typedef bool adapt_step(struct adapt *a);

adapt_step adapt_sizes;         /* sizes.c: what the inputs leave open */
adapt_step adapt_defaults;      /* defaults.c: initializers that are inputs */
adapt_step adapt_branches;      /* branches.c: Ifs whose condition is constant */
adapt_step adapt_quantized;     /* quantized.c: weights that are stored as integers */
adapt_step adapt_affine;        /* affine.c: scales and biases that are none */
adapt_step adapt_inference;     /* inference.c: training mode */
adapt_step adapt_batch;         /* batch.c: constants that fix it */
adapt_step adapt_products;      /* products.c: factors that were moved */
adapt_step adapt_normalization; /* normalization.c */
adapt_step adapt_vanished;      /* vanished.c: biases of zeros */
adapt_step adapt_untie;         /* untie.c: constants that were merged */
adapt_step adapt_copies;        /* copies.c: constants that were computed of a parameter */
adapt_step adapt_head;          /* head.c */
adapt_step adapt_roles;         /* roles.c: metadata */

/* *x: [inputs of `g`], a graph on the way, their types with sizes for all but the samples that the file leaves open; NULL
 * where nothing is known of them. */
bool adapt_inputs(struct adapt *a, const struct graph *g, const struct tensor **x);
/* A copy of the model to be edited; adapt_take takes it, built, in its place, where `ok`. Else it is gone. */
struct model *adapt_copy(struct adapt *a);
bool adapt_take(struct adapt *a, struct model *made, bool ok);
/* The same of a step that is meant to change what is computed; `what` is told. */
bool adapt_take_changed(struct adapt *a, struct model *made, bool ok, const char *what);
/* Likewise, of a change that another one follows, which is told. */
bool adapt_take_reference(struct adapt *a, struct model *made, bool ok);

/* What the caller says of something that goes by these names, which may be NULL: one of `choices`, a list ended by NULL;
 * NULL where he says nothing of the kind. */
const char *adapt_choice(struct adapt *a, const char *const *choices, const char *name, const char *other);
/* The initializer of that name has this role, whatever its place tells: it is written into the metadata. */
bool adapt_set_role(struct adapt *a, const char *name, enum role role);
/* A line of the table. */
bool adapt_tell(struct adapt *a, const struct finding *f);

#endif
