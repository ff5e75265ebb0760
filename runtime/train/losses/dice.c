/* 1 - 2 (sum of t x) / (sum of t + sum of x), over all outputs of a batch (Sorensen and Dice). */
#include "train/losses/elementwise.h"

static struct value *sum_of(struct emitter *e, struct value *v)
{
    return emit(e, "ReduceSum", "keepdims=0", 1, v);
}

static struct value *emit_loss(struct emitter *e, const struct loss_nodes *n)
{
    struct value *both = sum_of(e, emit(e, "Mul", "", 2, n->y_true, n->y_pred));
    struct value *all = emit(e, "Add", "", 2, sum_of(e, n->y_true), sum_of(e, n->y_pred));

    all = emit(e, "Add", "", 2, all, emit_scalar(e, F32, LOSS_EPSILON));
    both = emit(e, "Mul", "", 2, both, emit_scalar(e, F32, 2));
    return emit(e, "Sub", "", 2, emit_scalar(e, F32, 1), emit(e, "Div", "", 2, both, all));
}

const struct loss_def loss_dice = {
    .row = { "dice", "how far two regions, of all samples together, are from being one", NULL },
    .labels = LABELS_PROBABILITIES,
    .emit = emit_loss,
};
