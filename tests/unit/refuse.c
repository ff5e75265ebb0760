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
