/* SkipLayerNormalization of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   input_skip_bias_sum = input + skip + bias
 *   output = LayerNormalization(input_skip_bias_sum, gamma, beta)        over the last dimension
 *
 * skip broadcasts. onnxruntime does not write mean and inv_std_var on a CPU; here they are those of LayerNormalization. */
#include "ops/expansion.h"
#include "ops/normalised.h"
#include <stdio.h>

enum { INPUT, SKIP, GAMMA, BETA, BIAS };      /* inputs */
enum { OUTPUT, MEAN, INVERSE, SUM, OUTPUTS }; /* outputs */

static bool parse(struct parse *p, void *attrs)
{
    return epsilon_parse(p, attrs, 1e-12f);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *in[3];
    char attrs[48];

    in[0] = emit(e, "Add", "", 2, n->in[INPUT], n->in[SKIP]);
    if (given(n, BIAS))
        in[0] = emit(e, "Add", "", 2, in[0], n->in[BIAS]);
    in[1] = n->in[GAMMA];
    in[2] = given(n, BETA);
    snprintf(attrs, sizeof attrs, "epsilon=%.9e", (double)*(const float *)n->attrs);
    if (!emit_many(e, "LayerNormalization", attrs, n->out[MEAN] || n->out[INVERSE] ? 3 : 1, out, 3, in))
        return false;
    out[SUM] = in[0];
    return true;
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4] f32[4]", "", "f32[2,3,4]", 7 },
    { "f32[2,3,4] f32[1,3,4] f32[4] f32[4] f32[4]", "epsilon=1e-3", "f32[2,3,4] f32[2,3,1] f32[2,3,1] f32[2,3,4]", 31 },
    { "f32[2,3,4] f32[3,4] f32[4] - f32[4]", "epsilon=0.1", "f32[2,3,4] - - f32[2,3,4]", 23 },
    { "f16[3,4] f16[3,4] f16[4] f16[4]", "", "f16[3,4]", 0 },
    { "bf16[3,4] bf16[3,4] bf16[4]", "", "bf16[3,4]", 0 },
    { "f32[0,3,4] f32[3,4] f32[4]", "", "f32[0,3,4] - - f32[0,3,4]", 0 },
    { 0 },
};

const struct op op_skip_layer_normalization = {
    .name = "SkipLayerNormalization",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T input, T skip, T gamma, T beta?, T bias? -> T output, U mean?, "
                                                    "U inv_std_var?, T input_skip_bias_sum?",
                                       .types = "T: f16 f32 bf16; U: f32",
                                       .attrs_size = sizeof(float),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
