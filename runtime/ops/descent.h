/* What Adam, Adagrad and Momentum of ai.onnx.preview.training share: a step of an optimiser as an operator of tensors,
 * written in the standard's formulas as elementwise nodes, of which passes make few loops. The trainer's optimisers are
 * others: they are Keras', and change what they are given (train/optimizer.h).
 *
 * Inputs are R, a learning rate, T, the number of steps before, and then all values that are learned, all their gradients,
 * and all of each state; outputs are all new values, and all of each new state. */
#ifndef KILN_OPS_DESCENT_H
#define KILN_OPS_DESCENT_H

#include "ops/op.h"

/* Checks how many inputs and outputs there are, of `states` for each value. */
bool descent_parse(struct parse *p, int states);

struct descent {
    struct emitter *e;
    struct value *x, *g, *state[2], *rate, *step; /* rate and step of all: T is a double */
    struct value *new_x, *new_state[2];           /* what the formula makes */
};
/* One value's, in the type that it has. */
typedef void descent_formula(struct descent *d, const void *attrs);
/* The rate from R and T, both doubles: once for all. */
typedef struct value *descent_rate(struct emitter *e, struct value *r, struct value *t, const void *attrs);

bool descent_expand(struct emitter *e, const struct node *n, struct value **out, int states, descent_rate *rate,
                    descent_formula *formula);

/* For formulas: v of x's type; G + norm * X, which takes the place of G. */
struct value *descent_number(struct descent *d, double v);
void descent_regularize(struct descent *d, float norm);
static inline struct value *descent_times(struct descent *d, struct value *x, double v)
{
    return emit(d->e, "Mul", "", 2, x, descent_number(d, v));
}

#define DESCENT_PARTS .signature = "T1 R, T2 T, T3 inputs* -> T3 outputs*", .types = "T1: f32 f64; T2: i64; T3: f32 f64"

#endif
