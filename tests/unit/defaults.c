/* What an operator takes where an attribute or an input is left out, by opset: the standard's defaults, by what comes
 * out. */
#include "fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 8 };

static const struct default_case {
    int opset;
    const char *shape;     /* of x, whose elements are x[0], x[1] ... */
    const char *constants; /* "" for none */
    const char *nodes;     /* from x to y, which is float */
    float x[MOST], y[MOST];
    int count; /* of y */
} defaults[] = {
    /* numbers */
    { 17, "2", "", "y = Elu(x)", { -1, 2 }, { -.632120559f, 2 }, 2 },
    { 17, "2", "", "y = LeakyRelu(x)", { -1, 2 }, { -.01f, 2 }, 2 },
    { 17, "4", "", "y = HardSigmoid(x)", { -1, 0, 2, -5 }, { .3f, .5f, .9f, 0 }, 4 },
    { 17, "2", "", "y = Selu(x)", { -1, 1 }, { -1.111330738f, 1.050700987f }, 2 },
    { 20, "1", "", "y = Gelu(x)", { 1 }, { .841344746f }, 1 },
    { 17, "1, 1, 1, 2", "", "y = LRN <size = 1> (x)", { 100, -50 }, { 59.46035575f, -42.29485054f }, 2 },
    { 17, "1, 2", "float[2, 2] w = {1, 2, 3, 4}, float[2] b = {10, 20}", "y = Gemm(x, w, b)", { 1, 2 }, { 17, 30 }, 2 },
    /* normalisation: epsilon alone is under the root */
    { 8,
      "1, 1",
      "float[1] o = {1}, float[1] z = {0}",
      "y = BatchNormalization(x, o, z, z, z)",
      { 1 },
      { 316.227766f },
      1 },
    { 9,
      "1, 1",
      "float[1] o = {1}, float[1] z = {0}",
      "y = BatchNormalization(x, o, z, z, z)",
      { 1 },
      { 316.227766f },
      1 },
    { 15,
      "1, 1",
      "float[1] o = {1}, float[1] z = {0}",
      "y = BatchNormalization(x, o, z, z, z)",
      { 1 },
      { 316.227766f },
      1 },
    { 17,
      "2, 2",
      "float[2] o = {1, 1}",
      "y = LayerNormalization(x, o)",
      { 0, .002f, 0, 2 },
      { -.301511345f, .301511345f, -.999995f, .999995f },
      4 },
    /* bounds */
    { 6, "2", "", "y = Clip(x)", { -1e30f, 1e30f }, { -1e30f, 1e30f }, 2 },
    { 6, "2", "", "y = Clip <max = 1.0> (x)", { -1e30f, 1e30f }, { -1e30f, 1 }, 2 },
    { 6, "2", "", "y = Clip <min = 1.0> (x)", { -1e30f, 1e30f }, { 1, 1e30f }, 2 },
    { 6, "2", "", "y = Clip(x)", { -INFINITY, INFINITY }, { -0x1.fffffep127f, 0x1.fffffep127f }, 2 },
    { 11, "2", "", "y = Clip(x)", { -INFINITY, INFINITY }, { -INFINITY, INFINITY }, 2 },
    /* axes */
    { 11, "1, 2, 2", "", "y = Softmax(x)", { 0, 0, 0, 0 }, { .25f, .25f, .25f, .25f }, 4 },
    { 13, "1, 2, 2", "", "y = Softmax(x)", { 0, 0, 0, 0 }, { .5f, .5f, .5f, .5f }, 4 },
    { 11, "1, 2, 1", "", "y = LogSoftmax(x)", { 0, 0 }, { -.693147181f, -.693147181f }, 2 },
    { 13, "1, 2, 1", "", "y = LogSoftmax(x)", { 0, 0 }, { 0, 0 }, 2 },
    { 11, "2, 2", "", "y = ReduceMean(x)", { 1, 2, 3, 6 }, { 3 }, 1 },
    { 11, "2, 2", "", "r = ReduceSum(x) s = Shape(r) y = Cast <to = 1> (s)", { 1, 2, 3, 6 }, { 1, 1 }, 2 },
    { 13, "2, 2", "", "y = ReduceSum(x)", { 1, 2, 3, 6 }, { 12 }, 1 },
    { 13, "2, 2", "", "r = ReduceSum(x) s = Shape(r) y = Cast <to = 1> (s)", { 1, 2, 3, 6 }, { 1, 1 }, 2 },
    { 13, "2, 2", "", "y = ReduceSum <noop_with_empty_axes = 1> (x)", { 1, 2, 3, 6 }, { 1, 2, 3, 6 }, 4 },
    { 18, "2, 2", "", "y = ReduceMax(x)", { 1, 2, 3, 6 }, { 6 }, 1 },
    { 18,
      "2, 2",
      "int64[0] none = {}",
      "y = ReduceMax <noop_with_empty_axes = 1> (x, none)",
      { 1, 2, 3, 6 },
      { 1, 2, 3, 6 },
      4 },
    { 11, "2, 2", "", "a = ArgMax(x) y = Cast <to = 1> (a)", { 1, 5, 1, 2 }, { 0, 0 }, 2 },
    { 13, "2, 2", "", "a = ArgMax(x) s = Shape(a) y = Cast <to = 1> (s)", { 1, 5, 1, 2 }, { 1, 2 }, 2 },
    { 13, "2, 1, 2", "", "f = Flatten(x) s = Shape(f) y = Cast <to = 1> (s)", { 0 }, { 2, 2 }, 2 },
    { 13, "2, 3", "", "y = Transpose(x)", { 1, 2, 3, 4, 5, 6 }, { 1, 4, 2, 5, 3, 6 }, 6 },
    { 13, "1, 2, 1", "", "f = Squeeze(x) s = Shape(f) y = Cast <to = 1> (s)", { 0 }, { 2 }, 1 },
    { 11, "1, 2, 1", "", "f = Squeeze(x) s = Shape(f) y = Cast <to = 1> (s)", { 0 }, { 2 }, 1 },
    { 13, "2, 2", "int64[1] i = {1}", "y = Gather(x, i)", { 1, 2, 3, 4 }, { 3, 4 }, 2 },
    { 11, "4, 1", "", "t, y = Split(x)", { 1, 2, 3, 4 }, { 3, 4 }, 2 },
    { 13, "4, 1", "", "t, y = Split(x)", { 1, 2, 3, 4 }, { 3, 4 }, 2 },
    { 18, "3, 1", "", "t, y = Split <num_outputs = 2> (x)", { 1, 2, 3 }, { 3 }, 1 }, /* the last one is smaller */
    { 9, "2, 2", "", "y = Slice <starts = [1], ends = [9]> (x)", { 1, 2, 3, 4 }, { 3, 4 }, 2 },
    { 13, "4", "int64[1] a = {1}, int64[1] b = {3}", "y = Slice(x, a, b)", { 1, 2, 3, 4 }, { 2, 3 }, 2 },
    /* windows */
    { 11, "1, 1, 3", "float[1, 1, 2] w = {1, 10}", "y = Conv(x, w)", { 1, 2, 3 }, { 21, 32 }, 2 },
    { 11, "1, 1, 2", "float[1, 1, 2] w = {1, 10}", "y = ConvTranspose(x, w)", { 1, 2 }, { 1, 12, 20 }, 3 },
    { 11, "1, 1, 3", "", "y = MaxPool <kernel_shape = [2]> (x)", { 1, 3, 2 }, { 3, 3 }, 2 },
    { 11, "1, 1, 2", "", "y = AveragePool <kernel_shape = [2], pads = [1, 0]> (x)", { 2, 4 }, { 2, 3 }, 2 },
    { 11, "1, 1, 3", "", "y = MaxPool <kernel_shape = [2], strides = [4], pads = [1, 1]> (x)", { 1, 3, 2 }, { 1 }, 1 },
    { 11,
      "1, 1, 3",
      "", /* what would begin behind the end */
      "y = MaxPool <kernel_shape = [2], strides = [4], pads = [1, 1], ceil_mode = 1> (x)",
      { 1, 3, 2 },
      { 1 },
      1 },
    { 11,
      "1, 1, 5",
      "",
      "y = MaxPool <kernel_shape = [2], strides = [2], ceil_mode = 1> (x)",
      { 1, 3, 2, 4, 5 },
      { 3, 4, 5 },
      3 },
    /* the rest */
    { 7, "2", "", "y = Dropout(x)", { 1, 2 }, { 1, 2 }, 2 },
    { 13, "2", "", "y = Dropout(x)", { 1, 2 }, { 1, 2 }, 2 },
    { 2, "2", "", "y = Pad <pads = [1, 0]> (x)", { 1, 2 }, { 0, 1, 2 }, 3 },
    { 13, "2", "int64[2] p = {1, 0}", "y = Pad(x, p)", { 1, 2 }, { 0, 1, 2 }, 3 },
    { 13, "2, 3", "int64[2] p = {0, -1}", "r = Reshape(x, p) s = Shape(r) y = Cast <to = 1> (s)", { 0 }, { 2, 3 }, 2 },
    { 13, "2", "int64[1] p = {2}", "c = ConstantOfShape(p) y = Add(x, c)", { 1, 2 }, { 1, 2 }, 2 },
    { 13, "2, 2", "int64[2] l = {0, 1}", "y = SoftmaxCrossEntropyLoss(x, l)", { 0, 0, 0, 0 }, { .693147181f }, 1 },
    { 11,
      "1, 1, 1, 2",
      "float[0] r = {}, float[4] f = {1, 1, 1, 2}",
      "y = Resize(x, r, f)",
      { 1, 2 },
      { 1, 1, 2, 2 },
      4 },
};

enum { DEFAULTS = sizeof defaults / sizeof *defaults };

static int64_t *dims_of(const char *text, int *rank)
{
    static int64_t dims[MAX_RANK];

    *rank = 0;
    for (const char *s = text; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
        dims[(*rank)++] = strtoll(s, NULL, 10);
    return dims;
}

START_TEST(what_is_left_out_has_its_default)
{
    const struct default_case *c = &defaults[_i];
    float x[MOST];
    struct fixture f;
    char text[1024];
    const int64_t *dims;
    const float *y;
    int rank;

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": %d]>\ng (float[%s] x) => (y)%s%s%s { %s }",
             c->opset, c->shape, *c->constants ? "<" : "", c->constants, *c->constants ? ">" : "", c->nodes);
    memcpy(x, c->x, sizeof x);
    begin(&f, text);
    dims = dims_of(c->shape, &rank);
    set(&f, "x", F32, rank, dims, x);
    run_ok(&f);
    y = floats(&f, 0, c->count);
    for (int k = 0; k < c->count; k++)
        ck_assert_msg(y[k] == c->y[k] || fabsf(y[k] - c->y[k]) <= 2e-6f * fabsf(c->y[k]),
                      "%s of opset %d: [%d] is %.9g, must be %.9g", c->nodes, c->opset, k, (double)y[k],
                      (double)c->y[k]);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("defaults");

    add_tests(s, what_is_left_out_has_its_default, DEFAULTS);
    return s;
}
