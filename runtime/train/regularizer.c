#include "train/regularizer.h"

const struct spec_row *regularizer_table(size_t k)
{
    return regularizer_registry[k] ? &regularizer_registry[k]->row : NULL;
}

bool regularizer_parse(struct regularizer *out, const char *spec, struct arena *arena, struct report *r)
{
    const struct spec_subject about = { "regularizer", NULL, KILN_BAD_ARGUMENT };
    const struct spec_row *row = spec_find(regularizer_table, spec, &about, r);

    if (!row)
        return false;
    out->def = (const struct regularizer_def *)row;
    out->settings = arena_alloc(arena, out->def->settings_size, r);
    return out->settings && spec_read(out->settings, row, spec, &about, r);
}

struct value *penalty_number(struct emitter *e, const struct penalized *p, double a)
{
    return emit_scalar(e, p->dtype, a);
}

struct value *penalty_times(struct emitter *e, const struct penalized *p, double a, struct value *v)
{
    return emit(e, "Mul", "", 2, v, penalty_number(e, p, a));
}
