/* What recurrent operators share: activations, directions, where things lie. */
#ifndef KILN_OPS_RECURRENT_H
#define KILN_OPS_RECURRENT_H

#include "ops/op.h"

enum { MAX_ACTIVATIONS = 6 }; /* three for each of two directions */

enum activation_kind {
    ACT_RELU,
    ACT_TANH,
    ACT_SIGMOID,
    ACT_AFFINE,
    ACT_LEAKY_RELU,
    ACT_THRESHOLDED_RELU,
    ACT_SCALED_TANH,
    ACT_HARD_SIGMOID,
    ACT_ELU,
    ACT_SOFTSIGN,
    ACT_SOFTPLUS
};

struct activation {
    enum activation_kind kind;
    double alpha, beta;
};

struct recurrent {
    int64_t hidden;
    int directions;                         /* 1 or 2 */
    bool reverse;                           /* the only direction goes backwards */
    bool batch_first;                       /* layout 1 */
    double clip;                            /* of what goes into an activation; 0: none */
    struct activation act[MAX_ACTIVATIONS]; /* by direction, then as the operator counts them */
};

/* Reads direction, hidden_size, layout, clip, activations, activation_alpha and activation_beta; `each` activations a
 * direction, whose defaults are given by name. */
bool recurrent_parse(struct parse *p, struct recurrent *r, int each, const char *const *defaults);

struct recurrent_shape {
    int64_t steps, batch, inputs;
};
struct recurrent_shape recurrent_shape(const struct recurrent *r, const struct tensor *x);
/* Checks the shapes of X, W, R, B, sequence_lens and initial states (inputs 0 to 5 and so on, as LSTM, GRU and RNN have
 * them); `gates` is 4 for LSTM. */
/* Weights are [directions, gates * hidden, in]. */
struct fans recurrent_fans(const struct node *n, int input, const struct tensor *t);
bool recurrent_check(struct infer *i, const struct recurrent *r, int gates);
/* Lengths of the sequences must lie in [0, steps]. */
bool recurrent_check_lengths(struct step *s, const struct tensor *lengths, int64_t steps);

/* y = f(x), and f'(x) where only y is known. Every activation is told by what it gives, since all are monotone. */
double activate(const struct activation *a, double x);
double activation_slope(const struct activation *a, double y);

#endif
