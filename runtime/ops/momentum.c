/* Momentum, of ai.onnx.preview.training, https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html
 *
 *   G' = norm_coefficient X + G    V' = alpha V + beta G', but alpha V + G' where T is 0
 *   X' = X - R V', or, in mode nesterov, X - R (G' + alpha V') */
#include "ops/descent.h"

struct momentum {
    float alpha, beta, norm;
    bool nesterov;
};

static bool required(struct parse *p, const char *name, float *to)
{
    *to = attr_float(p, name, 0);
    return attr_given(p, name) || parse_error(p, "attribute '%s' is missing", name);
}

static bool parse(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "standard", "nesterov", NULL };
    struct momentum *a = attrs;

    if (!required(p, "alpha", &a->alpha) || !required(p, "beta", &a->beta) ||
        !required(p, "norm_coefficient", &a->norm))
        return false;
    if (!attr_given(p, "mode"))
        return parse_error(p, "attribute 'mode' is missing");
    a->nesterov = attr_choice(p, "mode", modes, 0) == 1;
    return descent_parse(p, 1);
}

static struct value *rate(struct emitter *e, struct value *r, struct value *t, const void *attrs)
{
    (void)e;
    (void)t;
    (void)attrs;
    return r;
}

static void formula(struct descent *d, const void *attrs)
{
    const struct momentum *a = attrs;
    struct emitter *e = d->e;
    struct value *first, *by;

    descent_regularize(d, a->norm);
    first = emit(e, "Greater", "", 2, d->step, emit_scalar(e, F64, 0));
    by = emit(e, "Where", "", 3, first, descent_number(d, (double)a->beta), descent_number(d, 1));
    d->new_state[0] =
        emit(e, "Add", "", 2, descent_times(d, d->state[0], (double)a->alpha), emit(e, "Mul", "", 2, d->g, by));
    by = d->new_state[0];
    if (a->nesterov)
        by = emit(e, "Add", "", 2, d->g, descent_times(d, by, (double)a->alpha));
    d->new_x = emit(e, "Sub", "", 2, d->x, emit(e, "Mul", "", 2, d->rate, by));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    return descent_expand(e, n, out, 1, rate, formula);
}

/* -- test -- */

#define GIVEN "alpha=0.9 beta=0.5 norm_coefficient=0.1"

static const struct op_case cases[] = {
    { "f64[]+ i64[]{3} f64[2,3] f64[2,3] f64[2,3]", GIVEN " mode='standard'", "f64[2,3] f64[2,3]", 29 },
    { "f32[]+ i64[]{0} f32[2] f32[3,1] f32[2] f32[3,1] f32[2] f32[3,1]", GIVEN " mode='nesterov'",
      "f32[2] f32[3,1] f32[2] f32[3,1]", 0xfd },
    { "f64[]+ i64[]{1} f32[0,2] f32[0,2] f32[0,2]", GIVEN " mode='standard'", "f32[0,2] f32[0,2]", 0 },
    { 0 },
};

const struct op op_momentum = {
    .name = "Momentum",
    .domain = "ai.onnx.preview.training",
    .defs = (const struct op_def[]){ { .since = 1,
                                       DESCENT_PARTS,
                                       .attrs_size = sizeof(struct momentum),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
