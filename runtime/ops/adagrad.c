/* Adagrad, of ai.onnx.preview.training, https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html; Duchi,
 * Hazan and Singer, JMLR 12
 *
 *   G' = norm_coefficient X + G    H' = H + G'^2    r = R / (1 + T decay_factor)
 *   X' = X - r G' / (sqrt(H') + epsilon)
 *
 * r is computed in double. */
#include "ops/descent.h"

struct adagrad {
    float decay, epsilon, norm;
};

static bool parse(struct parse *p, void *attrs)
{
    struct adagrad *a = attrs;

    a->decay = attr_float(p, "decay_factor", 0);
    a->epsilon = attr_float(p, "epsilon", 1e-6f);
    a->norm = attr_float(p, "norm_coefficient", 0);
    return descent_parse(p, 1);
}

static struct value *rate(struct emitter *e, struct value *r, struct value *t, const void *attrs)
{
    const struct adagrad *a = attrs;

    return emit(
        e, "Div", "", 2, r,
        emit(e, "Add", "", 2, emit(e, "Mul", "", 2, t, emit_scalar(e, F64, (double)a->decay)), emit_scalar(e, F64, 1)));
}

static void formula(struct descent *d, const void *attrs)
{
    const struct adagrad *a = attrs;
    struct emitter *e = d->e;
    struct value *by;

    descent_regularize(d, a->norm);
    d->new_state[0] = emit(e, "Add", "", 2, d->state[0], emit(e, "Mul", "", 2, d->g, d->g));
    by = emit(e, "Add", "", 2, emit(e, "Sqrt", "", 1, d->new_state[0]), descent_number(d, (double)a->epsilon));
    d->new_x = emit(e, "Sub", "", 2, d->x, emit(e, "Div", "", 2, emit(e, "Mul", "", 2, d->rate, d->g), by));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    return descent_expand(e, n, out, 1, rate, formula);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[]+ i64[]{3} f64[2,3] f64[2,3] f64[2,3]+", "decay_factor=0.1", "f64[2,3] f64[2,3]", 29 },
    { "f32[]+ i64[]{0} f32[2] f32[3,1] f32[2] f32[3,1] f32[2]+ f32[3,1]+", "norm_coefficient=0.1 epsilon=0.01",
      "f32[2] f32[3,1] f32[2] f32[3,1]", 0xfd },
    { "f64[]+ i64[]{1} f32[0,2] f32[0,2] f32[0,2]", "", "f32[0,2] f32[0,2]", 0 },
    { 0 },
};

const struct op op_adagrad = {
    .name = "Adagrad",
    .domain = "ai.onnx.preview.training",
    .defs = (const struct op_def[]){ { .since = 1,
                                       DESCENT_PARTS,
                                       .attrs_size = sizeof(struct adagrad),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
