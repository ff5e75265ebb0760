/* l1 sum |x| + l2 sum x^2. */
#include "train/regularizer.h"

struct settings {
    double l1, l2;
};

static const char *refuses(const struct penalized *p)
{
    const struct settings *s = p->settings;

    return s->l1 > 0 || s->l2 > 0 ? NULL : "needs 'l1' or 'l2'";
}

static struct value *emit_penalty(struct emitter *e, const struct penalized *p)
{
    const struct settings *s = p->settings;
    struct value *sum = NULL, *squares = NULL;

    if (s->l1 > 0)
        sum = penalty_times(e, p, s->l1, emit(e, "ReduceL1", "keepdims=0", 1, p->x));
    if (s->l2 > 0)
        squares = penalty_times(e, p, s->l2, emit(e, "ReduceSumSquare", "keepdims=0", 1, p->x));
    return sum && squares ? emit(e, "Add", "", 2, sum, squares) : sum ? sum : squares;
}

const struct regularizer_def regularizer_l1_l2 = {
    .row = { "l1_l2", "both",
             (const struct spec_option[]){ { SPEC_FIELD(struct settings, l1), "how much of sum |x|", .high = 1e30 },
                                           { SPEC_FIELD(struct settings, l2), "how much of sum x^2", .high = 1e30 },
                                           { 0 } } },
    .settings_size = sizeof(struct settings),
    .refuses = refuses,
    .emit = emit_penalty,
};
