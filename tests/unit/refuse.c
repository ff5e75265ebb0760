/* What operators refuse, and that they say why: attributes, shapes and values out of range, a line each. And the sizes
 * of windows. */
#include "case.h"
#include "unit.h"
#include <string.h>

struct refused {
    const char *op;
    int opset;
    struct op_case bad;
    const char *why; /* a part of the message */
};

static const struct refused list[] = {
    { "MatMul", 13, { "f32[2,3] f32[4,5]", "", "f32[2,5]", 0 }, "the last dimension of 'A'" },
    { "MatMul", 13, { "f32[2,2,3] f32[3,3,5]", "", "f32[2,2,5]", 0 }, "do not broadcast" },
    { "MatMul", 13, { "f32[] f32[3]", "", "f32[]", 0 }, "at least 1 dimension" },
    { "Gemm", 13, { "f32[2,3] f32[4,5]", "", "f32[2,5]", 0 }, "depth 4" },
    { "Gemm", 13, { "f32[2,3] f32[3,5] f32[4]", "", "f32[2,5]", 0 }, "dimension 0 of 'C' is 4" },
    { "Gemm", 13, { "i32[2,3] i32[3,5]", "alpha=.5", "i32[2,5]", 0 }, "whole numbers" },
    { "Conv",
      22,
      { "f32[1,2,5,5] f32[2,2,3,3]", "strides=[1,0]", "f32[1]", 0 },
      "strides[1] is 0, must be at least 1" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,3,3]", "pads=[0,0,-1,0]", "f32[1]", 0 }, "pads[2] is -1" },
    { "Conv",
      22,
      { "f32[1,2,5,5] f32[2,2,3,3]", "dilations=[2]", "f32[1]", 0 },
      "dilations has 1 values, must have 2" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,3,3]", "group=3", "f32[1]", 0 }, "2 channels" },
    { "Conv", 22, { "f32[1,4,5,5] f32[3,2,3,3]", "group=2", "f32[1]", 0 }, "group is 2, must divide" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,6,3]", "", "f32[1]", 0 }, "at least the kernel's extent 6" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,3,3] f32[3]", "", "f32[1]", 0 }, "'B' must have shape [2]" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,3,3]", "kernel_shape=[3,2]", "f32[1]", 0 }, "must be the weight's 3" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,3,3]", "auto_pad='SAME'", "f32[1]", 0 }, "must be one of 'NOTSET'" },
    { "Conv",
      22,
      { "f32[1,2,5,5] f32[2,2,3,3]", "auto_pad='VALID' pads=[1,1,1,1]", "f32[1]", 0 },
      "must not be given together" },
    { "Conv", 22, { "f32[1,2,5,5] f32[2,2,3,3]", "pads=[9223372036854775807,0,0,0]", "f32[1]", 0 }, "are supported" },
    { "ConvTranspose", 22, { "f32[1,2,5,5] f32[3,2,3,3]", "", "f32[1]", 0 }, "2 channels" },
    { "ConvTranspose", 22, { "f32[1,2,1,1] f32[2,2,1,1]", "pads=[1,1,1,1]", "f32[1]", 0 }, "without its pads" },
    { "ConvTranspose",
      22,
      { "f32[1,2,5,5] f32[2,2,3,3]", "output_shape=[1,2,3]", "f32[1]", 0 },
      "output_shape has 3 values" },
    { "MaxPool", 22, { "f32[1,2,5,5]", "", "f32[1]", 0 }, "'kernel_shape' is missing" },
    { "MaxPool", 22, { "f32[1,2,5,5]", "kernel_shape=[2,2] storage_order=2", "f32[1]", 0 }, "storage_order is 2" },
    { "MaxPool", 8, { "f32[1,2,5,5]", "kernel_shape=[2,2] dilations=[1,1]", "f32[1]", 0 }, "'dilations' is unknown" },
    { "AveragePool", 7, { "f32[1,2]", "kernel_shape=[2]", "f32[1]", 0 }, "'X' has 2 dimensions" },
    { "AveragePool", 7, { "f32[1,2,5,5]", "kernel_shape=[2,2] ceil_mode=1", "f32[1]", 0 }, "'ceil_mode' is unknown" },
    { "Mod", 13, { "f32[2] f32[2]", "", "f32[2]", 0 }, "'fmod' is 0, must be 1 where 'A' is float" },
    { "Mod", 13, { "i32[2] i32[2]+", "fmod=2", "i32[2]", 0 }, "'fmod' is 2, must be 0 or 1" },
    { "Mod", 13, { "i32[2] i32[2]{1,0}", "", "i32[2]", 0 }, "'B' holds a 0" },
    { "CastLike", 19, { "f32[2] f32[2]", "saturate=2", "f32[2]", 0 }, "'saturate' is 2, must be 0 or 1" },
    { "GRU", 14, { "f32[3,2,4] f32[1,9,4] f32[1,9,3]", "hidden_size=4", "f32[1]", 0 }, "'R' has 3 columns" },
    { "GRU", 14, { "f32[3,2,4] f32[1,12,4] f32[1,9,3]", "", "f32[1]", 0 }, "must be [1,9,4]" },
    { "GRU", 14, { "f32[3,2,4] f32[1,9,4] f32[1,9,3]", "activations=['Tanh']", "f32[1]", 0 }, "must have 2" },
    { "GRU",
      14,
      { "f32[3,2,4] f32[1,9,4] f32[1,9,3] - i32[2]{4,1}", "", "f32[1]", 0 },
      "sequence_lens[0] is 4, must be from 0 to 3" },
    { "GlobalMaxPool", 22, { "f32[3]", "", "f32[1]", 0 }, "at least 2" },
    { "ReduceSum", 13, { "f32[2,3] i64[1]{2}", "", "f32[1]", 0 }, "axis 2" },
    { "ReduceSum", 11, { "f32[2,3]", "axes=[-3]", "f32[1]", 0 }, "axis -3" },
    { "ReduceMax", 20, { "f32[2,3] i64[2]{1,-1}", "", "f32[1]", 0 }, "twice" },
    { "Softmax", 13, { "f32[2,3]", "axis=2", "f32[2,3]", 0 }, "axis is 2" },
    { "BatchNormalization",
      15,
      { "f32[2,3] f32[3] f32[3] f32[2] f32[3]", "", "f32[2,3]", 0 },
      "input 3 must have shape [3]" },
    { "BatchNormalization",
      15,
      { "f32[2,3] f32[3] f32[3] f32[3] f32[3]", "training_mode=1", "f32[2,3]", 0 },
      "1 outputs, must be 3" },
    { "BatchNormalization",
      15,
      { "f32[0,3] f32[3] f32[3] f32[3] f32[3]", "training_mode=1", "f32[0,3] f32[3] f32[3]", 0 },
      "no values in a channel" },
    { "BatchNormalization",
      15,
      { "f32[2,3] f32[3] f32[3] f32[3] f32[3]", "epsilon=-1.0", "f32[2,3]", 0 },
      "epsilon is -1" },
    { "LayerNormalization", 17, { "f32[2,3] f32[2]", "", "f32[2,3]", 0 }, "'Scale' does not broadcast" },
    { "LayerNormalization", 17, { "f32[2,3] f32[3]", "stash_type=11", "f32[2,3]", 0 }, "stash_type is 11" },
    { "LRN", 13, { "f32[2,3,4]", "size=0", "f32[2,3,4]", 0 }, "size is 0" },
    { "NegativeLogLikelihoodLoss",
      22,
      { "f32[2,3] i64[2]{0,3}", "", "f32[]", 0 },
      "label 3 at position 1 is out of range" },
    { "SoftmaxCrossEntropyLoss", 13, { "f32[2,3] i32[2]{-1,0}", "", "f32[]", 0 }, "label -1 at position 0" },
    { "SoftmaxCrossEntropyLoss",
      13,
      { "f32[2,3] i64[2]{-1,7}", "ignore_index=-1", "f32[]", 0 },
      "label 7 at position 1 is out of range, must be in [0, 3)" },
    { "SoftmaxCrossEntropyLoss", 13, { "f32[2,3] i64[3]{0,0,0}", "", "f32[]", 0 }, "the labels are" },
    { "SoftmaxCrossEntropyLoss",
      13,
      { "f32[2,3] i64[2]{0,0} f32[2]", "", "f32[]", 0 },
      "the weights must have shape [3]" },
    { "SoftmaxCrossEntropyLoss",
      13,
      { "f32[2,3] i64[2]{0,0}", "reduction='avg'", "f32[]", 0 },
      "'avg', must be one of" },
    { "Clip", 13, { "f32[3] f32[2]", "", "f32[3]", 0 }, "'min' is float[2]" },
    { "Clip", 13, { "f32[3] - f32[2]", "", "f32[3]", 0 }, "'max' is float[2]" },
    { "Dropout", 10, { "f32[3]", "ratio=1.0", "f32[3]", 0 }, "attribute 'ratio' is 1" },
    { "Dropout", 7, { "f32[3]", "ratio=-0.5", "f32[3]", 0 }, "attribute 'ratio' is -0.5" },
    { "Dropout", 13, { "f32[3] f32[]{1} bool[]{1}", "", "f32[3]", 0 }, "'ratio' is 1" },
    { "Concat", 13, { "f32[2,3] f32[2,3]", "axis=2", "f32[4,3]", 0 }, "axis is 2" },
    { "Concat", 13, { "f32[2,3] f32[2,4]", "axis=0", "f32[4,3]", 0 }, "dimension 1 of input 1 is 4" },
    { "Concat", 13, { "f32[2,3] f32[2]", "axis=0", "f32[4,3]", 0 }, "input 1 has 1 dimensions" },
    { "Flatten", 13, { "f32[2,3]", "axis=3", "f32[2,3]", 0 }, "axis is 3" },
    { "Gather", 13, { "f32[2,3] i64[1]{2}", "", "f32[1,3]", 0 }, "indices[0] is 2" },
    { "Gather", 13, { "f32[2,3] i64[1]{0}", "axis=2", "f32[1,3]", 0 }, "axis is 2" },
    { "Transpose",
      13,
      { "f32[2,3]", "perm=[0,0]", "f32[2,3]", 0 },
      "perm[1] is 0, perm must hold each of 0 to 1 once" },
    { "Transpose", 13, { "f32[2,3]", "perm=[0]", "f32[2,3]", 0 }, "perm has 1 values" },
    { "Split", 13, { "f32[4] i64[2]{1,2}", "", "f32[1] f32[2]", 0 }, "the sum of 'split' is 3" },
    { "Split", 13, { "f32[5]", "", "f32[2] f32[3]", 0 }, "the size of axis 0 is 5" },
    { "Squeeze", 13, { "f32[2,1] i64[1]{0}", "", "f32[2]", 0 }, "dimension 0 of 'data' is 2" },
    { "Unsqueeze", 13, { "f32[2] i64[2]{0,0}", "", "f32[1,1,2]", 0 }, "axis 0 is named twice" },
    { "Reshape", 13, { "f32[2,3] i64[2]{4,2}", "", "f32[4,2]", 0 }, "'data' has 6 elements, 'shape' has 8" },
    { "Reshape", 13, { "f32[2,3] i64[2]{-1,-1}", "", "f32[4,2]", 0 }, "'shape' holds -1 more than once" },
    { "Expand",
      13,
      { "f32[2,3] i64[2]{2,4}", "", "f32[2,4]", 0 },
      "'input', float[2,3], cannot be broadcast with 'shape', [2,4]" },
    { "Slice", 13, { "f32[4] i64[1]{0} i64[1]{2} i64[1]{0} i64[1]{0}", "", "f32[2]", 0 }, "steps[0] is 0" },
    { "Slice",
      13,
      { "f32[4] i64[1]{0} i64[2]{2,3}", "", "f32[2]", 0 },
      "'starts' has 1 values, 'ends' 2, 'axes' 1, 'steps' 1: must be as many of each" },
    { "Pad", 13, { "f32[2,3] i64[2]{1,1}", "", "f32[2,3]", 0 }, "'pads' has 2 values" },
    { "Add",
      14,
      { "f32[2,3] f32[2]", "", "f32[2,3]", 0 },
      "input 1, float[2], does not broadcast with the inputs before it, float[2,3]" },
    { "Where",
      16,
      { "bool[2] f32[3] f32[]", "", "f32[3]", 0 },
      "input 1, float[3], does not broadcast with the inputs before it, float[2]" },
    { "Tile", 13, { "f32[2,3] i64[1]{2}", "", "f32[2,3]", 0 }, "'repeats' has 1 values" },
    { "Tile", 13, { "f32[2] i64[1]{-1}", "", "f32[2]", 0 }, "repeats[0] is -1" },
    { "ArgMax", 13, { "f32[2,3]", "axis=-3", "i64[1,3]", 0 }, "axis is -3" },
    { "PRelu", 16, { "f32[2,3] f32[2]", "", "f32[2,3]", 0 }, "'slope' is float[2]" },
    { "LRN", 13, { "f32[2,3,4]", "", "f32[2,3,4]", 0 }, "attribute 'size' is missing" },
    { "Range", 11, { "i32[]{1} i32[]{5} i32[]{0}", "", "i32[1]", 0 }, "'delta' is 0" },
    { "Range", 11, { "f32[]{1} f32[2]{5,6} f32[]{1}", "", "f32[1]", 0 }, "'limit' has 2 values, must have 1" },
    { "Range", 11, { "f64[]{0} f64[]{1} f64[]{1e-300}", "", "f64[1]", 0 }, "more values than can be counted" },
    { "Range", 27, { "f16[]{0} f16[]{1} f16[]{1}", "stash_type=10", "f16[1]", 0 }, "must be 1 (float)" },
    { "GatherElements", 13, { "f32[2,3] i64[1,1]{3}", "axis=1", "f32[1,1]", 0 }, "is 3, must be in [-3, 2]" },
    { "GatherElements", 13, { "f32[2,3] i64[3,3]", "axis=1", "f32[3,3]", 0 }, "is 3, must be at most 2" },
    { "GatherElements", 13, { "f32[2,3] i64[3]", "", "f32[3]", 0 }, "'indices' has 1 dimensions, must have 2" },
    { "GatherND", 13, { "f32[2,3] i64[1,3]", "", "f32[1]", 0 }, "indices of 3 coordinates" },
    { "GatherND", 13, { "f32[2,3] i64[3,1]", "batch_dims=1", "f32[3]", 0 }, "is 3, must be 2 as that of 'data'" },
    { "ScatterND", 18, { "f32[2,3] i64[1,1] f32[1,2]", "", "f32[2,3]", 0 }, "is float[1,2], must be float[1,3]" },
    { "ScatterND", 16, { "f32[2] i64[1,1] f32[1]", "reduction='max'", "f32[2]", 0 }, "must be one of 'none'" },
    { "ScatterElements", 18, { "str[2] i64[1] str[1]", "reduction='add'", "str[2]", 0 }, "must be 'none'" },
    { "Einsum", 12, { "f32[2,3]", "", "f32[2]", 0 }, "attribute 'equation' is missing" },
    { "Einsum", 12, { "f32[2,3]", "equation='ij->ijk'", "f32[2]", 0 }, "the label 'k' in its output alone" },
    { "Einsum", 12, { "f32[2,3]", "equation='ij->ii'", "f32[2]", 0 }, "the label 'i' twice" },
    { "Einsum", 12, { "f32[2,3]", "equation='ij,j->i'", "f32[2]", 0 }, "more than 1 terms" },
    { "Einsum", 12, { "f32[2,3] f32[2]", "equation='ij->i'", "f32[2]", 0 }, "has 1 terms, must have 2" },
    { "Einsum", 12, { "f32[2,3]", "equation='i.j->i'", "f32[2]", 0 }, "has '.' where a label must be" },
    { "Einsum", 12, { "f32[2,3]", "equation='...i...'", "f32[2]", 0 }, "two ellipses" },
    { "Einsum", 12, { "f32[2,3]", "equation='...i->i'", "f32[2]", 0 }, "an ellipsis in its inputs alone" },
    { "Einsum", 12, { "f32[2,3]", "equation='ij->i,j'", "f32[2]", 0 }, "and perhaps '->'" },
    { "Einsum", 12, { "f32[2,3] f32[4,5]", "equation='ij,jk->ik'", "f32[2,5]", 0 }, "the last dimension of 'A'" },
    { "TopK", 11, { "f32[2,3] i64[1]{4}", "", "f32[2,4] i64[2,4]", 0 }, "'K' is 4, must be in [0, 3]" },
    { "TopK", 1, { "f32[2,3]", "", "f32[2,4] i64[2,4]", 0 }, "attribute 'k' is missing" },
    { "CumSum", 14, { "f32[2,3] i64[]{2}", "", "f32[2,3]", 0 }, "axis is 2, must be in [-2, 1]" },
    { "DepthToSpace", 13, { "f32[1,6,2,2]", "blocksize=2", "f32[1]", 0 }, "channels that can be divided by 4" },
    { "DepthToSpace", 13, { "f32[1,4,2,2]", "", "f32[1]", 0 }, "attribute 'blocksize' is missing" },
    { "SpaceToDepth", 13, { "f32[1,1,4,3]", "blocksize=2", "f32[1]", 0 }, "[1,1,4,3], must have height and width" },
    { "ReverseSequence", 10, { "f32[2,2] i64[2]{3,1}", "", "f32[2,2]", 0 }, "sequence_lens[0] is 3" },
    { "ReverseSequence", 10, { "f32[2,2] i64[3]", "", "f32[2,2]", 0 }, "is int64[3], must be int64[2]" },
    { "ReverseSequence", 10, { "f32[2,2] i64[2]", "time_axis=1", "f32[2,2]", 0 }, "must be 0 and 1 or 1 and 0" },
    { "OneHot", 11, { "i64[2] i64[]{-1} f32[2]", "", "f32[2]", 0 }, "'depth' is -1" },
    { "OneHot", 11, { "i64[2] i64[]{3} f32[3]", "", "f32[2,3]", 0 }, "'values' has 3 values, must have 2" },
    { "Trilu", 14, { "f32[2]", "", "f32[2]", 0 }, "'input' has 1 dimensions, must have at least 2" },
    { "Celu", 12, { "f32[2]", "alpha=0.0", "f32[2]", 0 }, "'alpha' is 0" },
};
enum { REFUSED = sizeof list / sizeof *list };

START_TEST(refuses_and_says_why)
{
    const struct refused *r = &list[_i];
    const struct op *op = op_find("", r->op);
    struct case_graph c;
    struct frame *f = NULL;
    bool ran;

    ck_assert_ptr_nonnull(op);
    ran = case_make(&c, op, op_def_for(op, r->opset), &r->bad, &(struct case_variant){ .run_time = true }) &&
          (f = case_frame(&c, c.graph)) && frame_run(f, &c.report);
    ck_assert_msg(!ran, "%s (%s; %s) is not refused", r->op, r->bad.inputs, r->bad.attrs);
    ck_assert_msg(strstr(c.report.error.message, r->why) != NULL, "%s (%s; %s): \"%s\", must say \"%s\"", r->op,
                  r->bad.inputs, r->bad.attrs, c.report.error.message, r->why);
    ck_assert_msg(strstr(c.report.error.where, r->op) != NULL, "%s: no place", r->op);
    frame_free(f);
    case_release(&c);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("refuse");

    add_tests(s, refuses_and_says_why, REFUSED);
    return s;
}
