/* SkipSimplifiedLayerNormalization of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   input_skip_bias_sum = input + skip + bias
 *   output = RMSNormalization(input_skip_bias_sum, gamma)        over the last dimension
 *
 * skip broadcasts. onnxruntime does not write mean and inv_std_var on a CPU; here they are that of the sum, and what it is
 * multiplied by. */
#include "ops/expansion.h"
#include "ops/normalised.h"
#include <stdio.h>

enum { INPUT, SKIP, GAMMA, BIAS };   /* inputs */
enum { OUTPUT, MEAN, INVERSE, SUM }; /* outputs */

static bool parse(struct parse *p, void *attrs)
{
    return epsilon_parse(p, attrs, 1e-12f);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const float epsilon = *(const float *)n->attrs;
    char attrs[48];

    out[SUM] = emit(e, "Add", "", 2, n->in[INPUT], n->in[SKIP]);
    if (given(n, BIAS))
        out[SUM] = emit(e, "Add", "", 2, out[SUM], n->in[BIAS]);
    snprintf(attrs, sizeof attrs, "epsilon=%.9e", (double)epsilon);
    out[OUTPUT] = emit(e, "RMSNormalization", attrs, 2, out[SUM], n->in[GAMMA]);
    if (n->out[MEAN])
        out[MEAN] = emit(e, "ReduceMean", "keepdims=1", 2, emit_cast(e, out[SUM], F32), emit_axes_from(e, n, -1));
    if (n->out[INVERSE])
        out[INVERSE] =
            emit(e, "Reciprocal", "", 1,
                 emit_root_mean_square(e, n, emit_cast(e, out[SUM], F32), emit_axes_from(e, n, -1), epsilon));
    return out[OUTPUT];
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4] f32[4]", "", "f32[2,3,4]", 7 },
    { "f32[2,3,4] f32[1,3,4] f32[4] f32[4]", "epsilon=1e-3", "f32[2,3,4] f32[2,3,1] f32[2,3,1] f32[2,3,4]", 15 },
    { "f16[3,4] f16[3,4] f16[4] f16[4]", "", "f16[3,4] - f32[3,1] f16[3,4]", 0 },
    { "bf16[3,4] bf16[3,4] bf16[4]", "epsilon=0.1", "bf16[3,4]", 0 },
    { "f32[0,3,4] f32[3,4] f32[4]", "", "f32[0,3,4] - - f32[0,3,4]", 0 },
    { 0 },
};

const struct op op_skip_simplified_layer_normalization = {
    .name = "SkipSimplifiedLayerNormalization",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T input, T skip, T gamma, T bias? -> T output, U mean?, "
                                                    "U inv_std_var?, T input_skip_bias_sum?",
                                       .types = "T: f16 f32 bf16; U: f32",
                                       .attrs_size = sizeof(float),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
