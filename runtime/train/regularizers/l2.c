/* l2 sum x^2. */
#include "train/regularizer.h"

struct settings {
    double l2;
};

static struct value *emit_penalty(struct emitter *e, const struct penalized *p)
{
    const struct settings *s = p->settings;

    return penalty_times(e, p, s->l2, emit(e, "ReduceSumSquare", "keepdims=0", 1, p->x));
}

const struct regularizer_def regularizer_l2 = {
    .row = { "l2", "l2 sum x^2: large ones become less",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, l2), "how much of it", .high = 1e30, .fallback = .01, .bare = true },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .emit = emit_penalty,
};
