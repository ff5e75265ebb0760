#include "ops/linear.h"
#include "ops/features.h"

bool linear_parse(struct parse *p, struct linear *l, int64_t targets)
{
    int64_t weights, biases;

    l->post = post_transform_parse(p);
    l->coefficients = attr_floats(p, "coefficients", &weights);
    l->intercepts = attr_floats(p, "intercepts", &biases);
    if (!weights)
        return parse_error(p, "attribute 'coefficients' is missing");
    l->targets = biases ? biases : targets;
    l->features = weights / l->targets;
    return l->features * l->targets == weights || parse_error(p, "%lld coefficients, must be as many for each of %lld",
                                                              (long long)weights, (long long)l->targets);
}

/* A constant of type float, as wide as `like` is. */
static struct value *floats_like(struct emitter *e, const struct tensor *type, const float *v, struct value *like)
{
    struct value *c = emit_constant(e, type, v);

    return like && like->known.dtype == F32 ? c : emit(e, "CastLike", "", 2, c, like);
}

struct value *emit_linear(struct emitter *e, struct value *x, const struct linear *l)
{
    const struct tensor weights = { .dtype = F32, .rank = 2, .dims = { l->targets, l->features } };
    const struct tensor biases = { .dtype = F32, .rank = 1, .dims = { l->targets } };
    struct value *rows = emit_features(e, x, l->features);

    return emit(e, "Gemm", "transB=1", 3, rows, floats_like(e, &weights, l->coefficients, rows),
                l->intercepts ? floats_like(e, &biases, l->intercepts, rows) : NULL);
}

struct value *emit_float(struct emitter *e, struct value *v)
{
    return v && v->known.dtype == F32 ? v : emit_cast(e, v, F32);
}
