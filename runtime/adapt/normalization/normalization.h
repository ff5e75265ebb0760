/* BatchNormalization that an exporter has taken apart: what is left of it, a trace, is a file in traces/ and a line in
 * its meson.build.
 *
 * In inference it is y = factor * x + summand for each channel, with factor = gamma / sqrt(variance + epsilon) and
 * summand = beta - mean * factor (Ioffe and Szegedy, arXiv:1502.03167). A trace tells what of these the file has; the
 * rest is measured on data, or, in a network that was never trained, what it began with. */
#ifndef KILN_ADAPT_NORMALIZATION_H
#define KILN_ADAPT_NORMALIZATION_H

#include "adapt/facts.h"
#include "adapt/step.h"
#include "plan/program.h"
#include "train/trainable.h"

enum { SITE_NODES = 8 };
/* In PyTorch's name of what BatchNormalization made, whatever makes it now. */
#define BATCH_NORMALIZATION_MAKES "/BatchNormalization_output_"

/* A place where BatchNormalization was. */
struct site {
    const struct trace *trace;
    const struct node *nodes[SITE_NODES]; /* in whose place it comes, in their order; none: */
    int node_count;
    const struct node *layer; /* the layer that it was folded into, and its input that is the bias; -1: it has none */
    int bias;
    bool keeps_bias;         /* the layer had a bias of its own, which goes on doing what it does */
    const struct value *own; /* the bias that the layer had before; NULL: none, or that is not known */
    const struct value *x;   /* what it normalised; of a folded one, what the layer makes */
    int axis;
    int64_t channels;
    const struct value *weight;             /* that the layer had before; NULL: the one that it has */
    const struct value *shared_by;          /* a constant that tells one layer from another; NULL: there is none */
    double *factor, *summand;               /* [channels]; NULL: 1, 0 */
    double *gamma, *beta, *mean, *variance; /* [channels]; NULL: the file does not tell */
    int weight_uses;                        /* calls of its layer that have its weight; 0: not counted */
    double *scale;                          /* [channels]: of the layer's weight; NULL: 1 */
    bool no_scale, no_center;               /* it has no gamma, no beta */
    bool told_parameters;                   /* the file tells whether it has them, */
    bool asked_parameters;                  /* or the caller, */
    bool guessed_parameters;                /* or others, which have none */
    bool guessed_epsilon;                   /* it is that of the framework, or of another layer */
    bool told_bias;                         /* the file tells whether the layer had a bias */
    double epsilon, momentum;               /* 0: the file does not tell */
    const char *name;                       /* of the layer; memory of the arena */
    const char *call_of;                    /* the layer that it is a call of, where names tell (adapt/keras_calls.h) */
    int64_t call;                           /* which of them, in their order, */
    int64_t step;                           /* and which of those of a layer that takes one step after the other */
    const char *evidence;                   /* memory of the arena */
    enum certainty certainty;
    const char *taken_for; /* it is rather that: the caller may know better; NULL */
    bool fresh, near;      /* never trained: with what it began, or near that */
    const char *lags;      /* why it is fresh, though it was trained; NULL: another reason, or none */
    bool measured;         /* mean or variance are of the caller's data */
    bool shared;           /* taken for one layer with another site, which names do not tell */
    bool may_share;        /* or not, but it may be */
};

/* Where traces are looked for. */
struct search {
    struct adapt *adapt;
    const struct graph *graph;
    const struct facts *facts;
    struct tensor *types; /* by value id: for one sample, or as running shows, with the content of what is constant */
    const bool *active;   /* by value id: depends on the input */
    struct node const *const *only_reader; /* by value id; NULL where there are several, or the caller reads it, too */
    const bool *preprocessing;             /* by value id: a constant that is done to an input before the first layer */
    const bool *bare;                 /* by value id: made by layers of which one has no bias, and only passed on */
    bool others_plain, others_biased; /* search_others */
    bool calls_told;                  /* keras_calls_find */
};

/* What is left of BatchNormalization by some exporter. */
struct trace {
    const char *name;         /* "Mul and Add" */
    const char *exporter;     /* "Keras 3 on TensorFlow" */
    double epsilon, momentum; /* that its framework's layers have where nothing is said */
    double gain; /* its framework's weights begin with this variance, times what a unit adds up; 0: not to be asked */
    bool draws_biases; /* its framework's biases begin as weights do, its betas with zeros */
    /* Does it begin at `n`? All that is found goes into the site, which is zeroed but for the trace and bias = -1. */
    bool (*find)(const struct search *s, const struct node *n, struct site *out);
};
extern const struct trace *const trace_registry[]; /* ended by NULL; the first that finds something has it */

/* What was found. */
struct sites {
    struct site *at;
    size_t count;
    bool *kept; /* [count]: the caller, or what it is taken for, leaves it as it is */
};

/* -- missed.c -- */

/* Tells of layers that names speak of and that are not among the sites, *missed of them. *any: there is some
 * BatchNormalization node. */
bool sites_tell_missed(struct search *s, const struct sites *sites, size_t *missed, bool *any);

/* -- others.c -- */

/* Looks whether the BatchNormalization nodes that the file still has, two or more, have neither gamma nor beta, and the layers
 * before them a bias. */
void search_others(struct search *s);

/* -- fresh.c -- */

/* Which were never trained, as far as each and the others tell. */
void sites_find_fresh(struct search *s, const struct sites *sites);
/* What the caller says, for all places of a layer, and what follows of it; *first: sites_find_shared. */
void sites_choose_fresh(struct search *s, const struct sites *sites, const size_t *first);
/* "fresh" or "measured", where the caller says so of the layer; NULL. */
const char *site_statistics_asked(struct search *s, const struct site *t);
/* What a channel has of factor, gamma, ..., or `none` where the file does not tell. */
static inline double site_at(const double *x, int64_t c, double none)
{
    return x ? x[c] : none;
}

/* -- statistics.c -- */

/* Completes gamma, beta, mean and variance of all that are not kept, by measuring where the file does not tell. Sites
 * that share one layer get one set; `first`: sites_find_shared. */
bool sites_complete(struct search *s, struct sites *sites, size_t *first);

/* The same number in each, as far as can be told; so is NULL. */
bool channels_are_one(const double *x, int64_t n);

/* -- sharing.c -- */

/* *first[k] is the first site of its layer. What cannot be known of that is noted in the sites. */
bool sites_find_shared(struct search *s, const struct sites *sites, size_t *first);
/* The momentum that is asked for, else that of the layers of its framework. */
double site_momentum(const struct search *s, const struct site *t);
/* Who left the trace in this file: PyTorch, too, writes some of those that Keras is known for. */
const char *site_exporter(const struct search *s, const struct site *t);

/* -- scale.c -- */

/* Finds what the weights of layers are multiplied by that BatchNormalization was folded into. */
bool sites_find_scales(struct search *s, const struct sites *sites, const size_t *first);
/* Is it computed in half floats? */
bool site_is_half(const struct search *s, const struct site *t);
/* Does its weight look as if it had been drawn and then not trained? */
bool site_is_drawn(const struct search *s, const struct site *t);
/* Multiplies the weight of such a layer, and a bias that it keeps. */
bool site_scale_layer(const struct search *s, struct edit *e, const struct site *t);

/* -- rebuild.c -- */

/* Writes BatchNormalization nodes in the place of all that are not kept. */
bool sites_rebuild(struct search *s, const struct sites *sites, const size_t *first, struct model *to);

/* -- search.c: what traces look with -- */

const struct tensor *search_type(const struct search *s, const struct value *v);
/* What Mul, Add, Sub or Div does to `*x`, which depends on the input, by the constant, its other input, `*c`. False
 * where it is not so, or they are no floats. `first`: the constant is the first input. */
bool search_operands(const struct search *s, const struct node *n, const struct value **x, const struct value **c,
                     bool *first);
/* The dimension of x along which a constant varies, where it varies along just one, which is not the first; -1 where
 * not. `single`: it may be a number, of a single channel. */
int search_axis(const struct search *s, const struct value *x, const struct value *c, bool single);
/* The numbers of a constant that has one for each channel; NULL without memory. */
double *search_channels(const struct search *s, const struct value *c);
/* The node that alone reads the value, where it is one of the file and has that operator; NULL where not. */
const struct node *search_reader(const struct search *s, const struct value *v, const struct op *op);
/* Is it x / deviation, or x * its reciprocal, both made of activations, or such a reciprocal itself? Then the statistics
 * are computed right here (LayerNormalization, or statistics of the batch). */
bool search_normalised_here(const struct search *s, const struct value *x);
/* Is the constant a factor or summand that is done to an input before the first layer? */
bool search_is_preprocessing(const struct search *s, const struct value *c);
/* The layer that a name of Keras on TensorFlow belongs to: all before "/batchnorm/", or, of a layer that takes
 * one step after the other, "/batchnorm_4/". False where it has none. */
bool search_keras_layer(const struct search *s, struct site *out, const char *name);
/* The layer that the name of what a node makes belongs to, as PyTorch calls what BatchNormalization makes: all before
 * "/BatchNormalization_output_". False where it has none. */
bool search_made_name(const struct search *s, struct site *out, const struct node *n);
/* The name of a node without its last part; where it has none, "bn". */
void search_name(const struct search *s, struct site *out, const struct node *n);
/* A text in the arena; "" without memory, with an error. */
const char *search_text(const struct search *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The site of a layer with weights that BatchNormalization was folded into. False where `n` is no such layer, or one
 * follows. */
bool search_folded(const struct search *s, const struct node *n, struct site *out);

#endif
