/* What recurrent operators share: activations, directions, where things lie. */
#ifndef KILN_OPS_RECURRENT_H
#define KILN_OPS_RECURRENT_H

#include "kernels/gemm.h"
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

/* Everything that run needs to know of the shapes. */
struct recurrent_plan {
    const struct recurrent *r;
    int64_t steps, batch, inputs, hidden;
    int64_t rows; /* steps * batch */
    int64_t wide; /* gates * hidden */
    enum dtype compute;
    size_t real; /* bytes of one */
};
/* Weights are [directions, gates * hidden, in]; `gates` is 4 for LSTM, 3 for GRU. */
struct recurrent_plan recurrent_plan(const struct recurrent *r, int gates, const struct tensor *x,
                                     const struct tensor *weights_r);
struct fans recurrent_fans(const struct node *n, int input, const struct tensor *t);
/* Checks the shapes of X, W, R, B, sequence_lens and initial states (inputs 0 to 5 and so on, as LSTM, GRU and RNN have
 * them), and that what is made of them can be counted, `kept` numbers for each row and hidden unit. */
bool recurrent_check(struct infer *i, const struct recurrent *r, int gates, int kept);
/* Sets the types of Y, the last states behind it and the hidden output behind those, [directions, steps, batch,
 * kept * hidden]. */
bool recurrent_set_outs(struct infer *i, const struct recurrent_plan *p, int states, int kept);
/* Lengths of the sequences must lie in [0, steps]. */
bool recurrent_check_lengths(struct step *s, const struct tensor *lengths, int64_t steps);

/* -- memory -- */

size_t recurrent_reals(const struct recurrent_plan *p, int64_t n); /* bytes of scratch for n of them */
void *recurrent_take(const struct recurrent_plan *p, char **scratch, int64_t n);
const void *recurrent_at(const struct recurrent_plan *p, const void *base, int64_t n); /* n further; NULL for NULL */
void *recurrent_into(const struct recurrent_plan *p, void *base, int64_t n);

struct recurrent_strides { /* of Y, in elements */
    int64_t step, batch, direction;
};
struct recurrent_strides recurrent_strides(const struct recurrent_plan *p);
/* X with the steps first, in scratch where it is not so; and what has the steps first as X has them, where X is not
 * so. */
const void *recurrent_steps_first(const struct recurrent_plan *p, const void *x, char **scratch);
void recurrent_store_dx(const struct recurrent_plan *p, const void *from, void *dx);
/* A state of one direction, [batch, hidden]: from where it lies, or 0; and to there, where that is not NULL. */
void recurrent_state_in(const struct recurrent_plan *p, const void *all, int direction, void *to);
void recurrent_state_out(const struct recurrent_plan *p, const void *from, int direction, void *all);

/* -- products -- */

/* m x n of m x k times the transpose of what lies as [n, k] (or, with `plain`, times what lies as [k, n]). */
struct gemm recurrent_product(const struct recurrent_plan *p, int64_t m, int64_t n, int64_t k, bool plain);
/* A product over all rows, m x n: the transpose of what lies as [rows, m], rows a_col apart, times [rows, n]. */
struct gemm recurrent_over_rows(const struct recurrent_plan *p, int64_t m, int64_t n, int64_t a_col);
/* The most scratch that one of them takes. */
size_t recurrent_gemm_scratch(struct infer *i, int count, const struct gemm *g);
/* Sums of n columns over all rows, in order; rows are `stride` apart. */
void recurrent_sum_rows(const struct recurrent_plan *p, const void *rows, int64_t stride, int64_t n, void *sums);

/* For op_def.cost: the products of the gates, for each step of each sequence all weights; of a gradient twice that. */
void recurrent_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c);
void recurrent_grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out,
                         struct cost *c);

/* -- activations -- */

/* y = f(x), and f'(x) where only y is known. Every activation is told by what it gives, since all are monotone. */
double activate(const struct activation *a, double x);
double activation_slope(const struct activation *a, double y);

/* Emits `grad`, whose inputs are those of the operator (but for the bias, which it does not read), the hidden output
 * `kept`, and the gradients of the outputs before that; it gives the gradients of the inputs `gives`. */
bool recurrent_gradient(struct backward *b, const struct op *grad, int inputs, int kept, int grads, const int *gives);

#endif
