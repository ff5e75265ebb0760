/* l1 sum |x|. */
#include "train/regularizer.h"

struct settings {
    double l1;
};

static struct value *emit_penalty(struct emitter *e, const struct penalized *p)
{
    const struct settings *s = p->settings;

    return penalty_times(e, p, s->l1, emit(e, "ReduceL1", "keepdims=0", 1, p->x));
}

const struct regularizer_def regularizer_l1 = {
    .row = { "l1", "l1 sum |x|: small ones become 0",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, l1), "how much of it", .high = 1e30, .fallback = .01, .bare = true },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .emit = emit_penalty,
};
