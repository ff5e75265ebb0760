/* 1 - tp / (tp + alpha (sum of t (1 - x)) + beta (sum of x (1 - t))), tp the sum of t x, over all outputs of a batch
 * (Salehi, Erdogmus and Gholipour, arXiv:1706.05721); which of the two alpha is for is as in Keras. */
#include "train/losses/elementwise.h"

struct settings {
    double alpha, beta;
};

static struct value *sum_of_product(struct emitter *e, struct value *a, struct value *b)
{
    return emit(e, "ReduceSum", "keepdims=0", 1, emit(e, "Mul", "", 2, a, b));
}

static struct value *others(struct emitter *e, struct value *v)
{
    return emit(e, "Sub", "", 2, emit_scalar(e, F32, 1), v);
}

static struct value *emit_loss(struct emitter *e, const struct loss_nodes *n)
{
    const struct settings *s = n->settings;
    struct value *both = sum_of_product(e, n->y_true, n->y_pred);
    struct value *missed = sum_of_product(e, n->y_true, others(e, n->y_pred));
    struct value *added = sum_of_product(e, n->y_pred, others(e, n->y_true)), *all;

    missed = emit(e, "Mul", "", 2, missed, emit_scalar(e, F32, s->alpha));
    added = emit(e, "Mul", "", 2, added, emit_scalar(e, F32, s->beta));
    all = emit(e, "Add", "", 2, emit(e, "Add", "", 2, both, missed), added);
    all = emit(e, "Add", "", 2, all, emit_scalar(e, F32, LOSS_EPSILON));
    return others(e, emit(e, "Div", "", 2, both, all));
}

const struct loss_def loss_tversky = {
    .row = { "tversky", "as dice, what is missed and what is too much weighed",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, alpha), "of what is missed", .high = 1e6, .fallback = .5 },
                 { SPEC_FIELD(struct settings, beta), "of what is too much", .high = 1e6, .fallback = .5 },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_PROBABILITIES,
    .emit = emit_loss,
};
