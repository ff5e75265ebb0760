/* Adam, of ai.onnx.preview.training, https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html; Kingma and Ba,
 * arXiv:1412.6980
 *
 *   G' = norm_coefficient X + G    V' = alpha V + (1 - alpha) G'    H' = beta H + (1 - beta) G'^2
 *   r  = R sqrt(1 - beta^T) / (1 - alpha^T), but R where T is 0
 *   X' = (X - r V' / (sqrt(H') + epsilon)) (1 - norm_coefficient_post)
 *
 * r is computed in double. */
#include "ops/descent.h"

enum { AVERAGE, SQUARES, STATES };

struct adam {
    float alpha, beta, epsilon, norm, norm_post;
};

static bool parse(struct parse *p, void *attrs)
{
    struct adam *a = attrs;

    a->alpha = attr_float(p, "alpha", .9f);
    a->beta = attr_float(p, "beta", .999f);
    a->epsilon = attr_float(p, "epsilon", 1e-6f);
    a->norm = attr_float(p, "norm_coefficient", 0);
    a->norm_post = attr_float(p, "norm_coefficient_post", 0);
    return descent_parse(p, STATES);
}

/* 1 - factor^t */
static struct value *correction(struct emitter *e, float factor, struct value *t)
{
    return emit(e, "Sub", "", 2, emit_scalar(e, F64, 1), emit(e, "Pow", "", 2, emit_scalar(e, F64, (double)factor), t));
}

static struct value *rate(struct emitter *e, struct value *r, struct value *t, const void *attrs)
{
    const struct adam *a = attrs;
    struct value *later = emit(e, "Greater", "", 2, t, emit_scalar(e, F64, 0));
    struct value *step = emit(e, "Where", "", 3, later, t, emit_scalar(e, F64, 1)); /* nothing is divided by 0 */
    struct value *root = emit(e, "Sqrt", "", 1, correction(e, a->beta, step));
    struct value *corrected = emit(e, "Div", "", 2, emit(e, "Mul", "", 2, r, root), correction(e, a->alpha, step));

    return emit(e, "Where", "", 3, later, corrected, r);
}

static void formula(struct descent *d, const void *attrs)
{
    const struct adam *a = attrs;
    const double alpha = (double)a->alpha, beta = (double)a->beta;
    struct emitter *e = d->e;
    struct value *by;

    descent_regularize(d, a->norm);
    d->new_state[AVERAGE] =
        emit(e, "Add", "", 2, descent_times(d, d->state[AVERAGE], alpha), descent_times(d, d->g, 1 - alpha));
    d->new_state[SQUARES] = emit(e, "Add", "", 2, descent_times(d, d->state[SQUARES], beta),
                                 descent_times(d, emit(e, "Mul", "", 2, d->g, d->g), 1 - beta));
    by = emit(e, "Add", "", 2, emit(e, "Sqrt", "", 1, d->new_state[SQUARES]), descent_number(d, (double)a->epsilon));
    d->new_x =
        emit(e, "Sub", "", 2, d->x, emit(e, "Div", "", 2, emit(e, "Mul", "", 2, d->rate, d->new_state[AVERAGE]), by));
    if (a->norm_post != 0)
        d->new_x = descent_times(d, d->new_x, 1 - (double)a->norm_post);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    return descent_expand(e, n, out, STATES, rate, formula);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[]+ i64[]{3} f64[2,3] f64[2,3] f64[2,3] f64[2,3]+", "", "f64[2,3] f64[2,3] f64[2,3]", 61 },
    { "f32[]+ i64[]{0} f32[2] f32[3,1] f32[2] f32[3,1] f32[2] f32[3,1] f32[2]+ f32[3,1]+",
      "norm_coefficient=0.1 norm_coefficient_post=0.2 alpha=0.8 beta=0.7 epsilon=0.01",
      "f32[2] f32[3,1] f32[2] f32[3,1] f32[2] f32[3,1]", 0x3fd },
    { "f32[]+ i64[]{1} f64[4] f64[4] f64[4] f64[4]+", "", "f64[4] - f64[4]", 60 },
    { "f64[]+ i64[]{1} f32[0,2] f32[0,2] f32[0,2] f32[0,2]", "", "f32[0,2] f32[0,2] f32[0,2]", 0 },
    { 0 },
};

const struct op op_adam = {
    .name = "Adam",
    .domain = "ai.onnx.preview.training",
    .defs = (const struct op_def[]){ { .since = 1,
                                       DESCENT_PARTS,
                                       .attrs_size = sizeof(struct adam),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
