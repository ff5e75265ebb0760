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
    int64_t truncation;                     /* of a gradient (op.h) */
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
/* What GRU and RNN learn: W, R, B and initial_h. */
extern const struct op_parameter recurrent_parameters[];
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

/* The inputs, but for the lengths and input `kept` (UNKNOWN: there is none), and the first outputs in the type that is
 * computed in: what that takes of scratch, and where they are. */
size_t recurrent_values_bytes(struct infer *i, const struct recurrent_plan *p, int inputs, int outputs, int kept);
void recurrent_values(struct step *s, const struct recurrent_plan *p, int inputs, const void **in, int outputs,
                      void **out, int kept, char **scratch);

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
/* Both biases of a direction added, of the second one only the first `both` numbers, at `to`; NULL where there are none. */
const void *recurrent_bias(const struct recurrent_plan *p, const void *all, int direction, int64_t both, void *to);
/* Of a direction, for all steps at once: what comes in through W, X W' and the bias, which may be NULL. */
void recurrent_from_x(struct step *s, const struct recurrent_plan *p, int direction, const void *x, const void *w,
                      const void *bias, void *out, void *gemm_memory);
/* Sums of n columns over all rows, in order; rows are `stride` apart. */
void recurrent_sum_rows(const struct recurrent_plan *p, const void *rows, int64_t stride, int64_t n, void *sums);

/* -- gradients -- */

/* Sets the types of the gradients, output k like input like[k]; -1 is the bias. */
bool recurrent_set_grads(struct infer *i, const struct recurrent_plan *p, int grads, const int *like);
/* For recurrent_weights_back; what is NULL at the outputs is not made. */
struct recurrent_back {
    const void *x, *w, *dz, *h_before; /* dz: of what goes into the gates, [rows, wide]; h_before [rows, hidden] */
    void *dx, *dw, *dr, *db;           /* of all directions; dx with the steps first */
    void *gemm;
};
/* Of a direction: dX = dz W, dW = dz' X, dR = dz' H(before), and dB, the sum of dz for both biases. */
void recurrent_weights_back(struct step *s, const struct recurrent_plan *p, const struct recurrent_back *m,
                            int direction);
/* Does step t of a sequence of `length` steps pass no gradient to the step before it? Steps count in the order in which they
 * are run; the initial state always has one. */
static inline bool recurrent_is_cut(const struct recurrent *r, bool reverse, int64_t length, int64_t t)
{
    const int64_t step = reverse ? length - 1 - t : t;

    return r->truncation && step > 0 && step % r->truncation == 0;
}
/* The most scratch that one of these products takes, or the one of a step's dz with R. */
size_t recurrent_back_scratch(struct infer *i, const struct recurrent_plan *p);

/* For op_def.cost: the products of the gates, for each step of each sequence all weights; of a gradient twice that. */
void recurrent_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c);
void recurrent_grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out,
                         struct cost *c);

/* -- activations -- */

/* y = f(x), and f'(x) where only y is known. Every activation is told by what it gives, since all are monotone (or have
 * no gradient). */
double activate(const struct activation *a, double x);
double activation_slope(const struct activation *a, double y);

/* Emits `grad`, whose inputs are those of the operator (of the bias it reads nothing), the hidden output `kept`, and the gradients of the outputs before that; it gives the gradients of the inputs `gives`. The attributes
 * begin with struct recurrent. */
bool recurrent_gradient(struct backward *b, const struct op *grad, int inputs, int kept, int grads, const int *gives);

#endif
