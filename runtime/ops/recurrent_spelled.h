/* Recurrent operators in operators of the standard, step by step, for gradients of gradients. */
#ifndef KILN_OPS_RECURRENT_SPELLED_H
#define KILN_OPS_RECURRENT_SPELLED_H

#include "ops/recurrent.h"

enum { MAX_STATES = 2, MAX_GATES = 4 }; /* h and c; gates */

/* What a cell sees of one step of all sequences, each [batch, hidden] or a row, in the type of computation. */
struct cell {
    const struct recurrent *r;
    const struct activation *act; /* of the direction */
    const void *attrs;            /* of the operator */
    int gates;
    enum dtype compute;
    struct value *x[MAX_GATES];      /* what comes in through W and the biases, by gate */
    struct value *state[MAX_STATES]; /* h and, of an LSTM, c: the cell puts the next ones here */
    struct value *weights;           /* R', [hidden, gates * hidden] */
    struct value *bias;              /* of R, where the cell adds it itself: of the last gate; NULL: none */
    struct value *peephole[3];       /* NULL: none */
};

/* A gate of what goes into it. */
struct value *emit_gate(struct emitter *e, const struct cell *c, int activation, struct value *x);
/* Parts of the same size along the last axis. */
bool emit_parts(struct emitter *e, struct value *x, int count, struct value **parts);

struct unrolled {
    int gates, states, inputs;
    int peepholes;      /* the input, or -1 */
    bool own_last_bias; /* the cell adds the last gate's bias of R itself */
    void (*cell)(struct emitter *e, struct cell *c);
};

/* What op_def.retrace of the operator's gradient gives: its inputs are those of the operator, then what was kept, then the
 * gradients of Y and of the states; its outputs are the gradients of the inputs `gives`. */
bool recurrent_retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                       const struct unrolled *u, int grads, const int *gives, struct retraced *r);

#endif
