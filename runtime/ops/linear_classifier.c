/* LinearClassifier, https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html
 *
 *   s = X coefficients^T + intercepts        Y = the label of the greatest score, Z = post_transform(s)
 *
 * Two classes may have one score: it is that of the second class, whose label it gives where it is above 0, and its
 * negative is that of the first, so that Z is post_transform([-s, s]). Of this the standard says nothing. It is as in the
 * reference; onnxruntime has [1 - s, s] without a post_transform and, as if there were none, with all but LOGISTIC. What
 * multi_class says, post_transform says, too. The label is that of the scores before they are transformed. */
#include "ops/class_labels.h"
#include "ops/linear.h"

struct linear_classifier {
    struct linear linear;
    struct class_labels labels;
};

static bool parse(struct parse *p, void *attrs)
{
    struct linear_classifier *a = attrs;
    const struct attr *weights = attr_list(p, "coefficients", ATTR_FLOATS);

    attr_int(p, "multi_class", 0);
    if (!class_labels_parse(p, "classlabels_ints", "classlabels_strings", &a->labels) ||
        !linear_parse(p, &a->linear, a->labels.count == 2 && weights && weights->count % 2 ? 1 : a->labels.count))
        return false;
    return a->linear.targets == a->labels.count || (a->linear.targets == 1 && a->labels.count == 2) ||
           parse_error(p, "%lld intercepts, must be %lld as there are labels", (long long)a->linear.targets,
                       (long long)a->labels.count);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct linear_classifier *a = n->attrs;
    struct value *scores = emit_linear(e, n->in[0], &a->linear);

    if (n->out[0])
        out[0] = emit_class_labels(e, scores, &a->labels);
    if (!n->out[1])
        return scores;
    if (a->linear.targets < a->labels.count)
        scores = emit(e, "Concat", "axis=1", 2, emit(e, "Neg", "", 1, scores), scores);
    out[1] = emit_float(e, emit_post_transform(e, scores, a->linear.post));
    return out[1];
}

static const struct op_case cases[] = {
    { "f32[3,2]",
      "coefficients=[0.5,-1.5,2.,0.,1.,1.] intercepts=[0.25,0.,-1.] classlabels_ints=[3,5,-7] multi_class=1",
      "i64[3] f32[3,3]", 1 },
    { "f64[3,2]", "coefficients=[0.5,-1.5,2.,0.,1.,1.] classlabels_strings=['a','b',''] post_transform='SOFTMAX'",
      "str[3] f32[3,3]", 1 },
    { "i32[3,2]", "coefficients=[0.5,-1.5] intercepts=[0.25] classlabels_ints=[3,5] post_transform='LOGISTIC'",
      "i64[3] f32[3,2]", 0 },
    { "i64[2]",
      "coefficients=[0.5,-1.5,2.,0.] intercepts=[0.25,0.] classlabels_strings=['x','y'] post_transform='SOFTMAX_ZERO'",
      "str[1] f32[1,2]", 0 },
    { "f32[4,1]+", "coefficients=[0.4] intercepts=[0.] classlabels_ints=[0,1] post_transform='PROBIT'",
      "i64[4] f32[4,2]", 0 },
    { "f32[4,1]", "coefficients=[0.4] classlabels_ints=[9]", "i64[4]", 0 },
    { "f32[4,1]", "coefficients=[0.4] intercepts=[1.] classlabels_ints=[8,9]", "- f32[4,2]", 1 },
    { "f32[0,2]", "coefficients=[0.5,-1.5] classlabels_ints=[9]", "i64[0] f32[0,1]", 0 },
    { 0 },
};

const struct op op_linear_classifier = {
    .name = "LinearClassifier",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X -> T2 Y, T3 Z",
                                       .types = "T1: f32 f64 i32 i64; T2: i64 str; T3: f32",
                                       .attrs_size = sizeof(struct linear_classifier),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
