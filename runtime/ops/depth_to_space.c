/* DepthToSpace, https://onnx.ai/onnx/operators/onnx__DepthToSpace.html
 *
 *   DCR   y[n, c, h * b + i, w * b + j] = x[n, (i * b + j) * C + c, h, w]        b is the blocksize, C the channels of y
 *   CRD   y[n, c, h * b + i, w * b + j] = x[n, c * b^2 + i * b + j, h, w] */
#include "ops/blocks.h"
#include "ops/rank.h"

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    ((struct blocks *)attrs)->to_space = true;
    return blocks_parse(p, attrs);
}

static bool parse_11(struct parse *p, void *attrs)
{
    ((struct blocks *)attrs)->to_space = true;
    return blocks_parse_mode(p, attrs);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[1,8,2,3]", "blocksize=2", "f32[1,2,4,6]", 1 }, { "f64[2,9,2,1]", "blocksize=3", "f64[2,1,6,3]", 1 },        \
        { "str[1,4,1,1]", "blocksize=2", "str[1,1,2,2]", 0 },                                                          \
    {                                                                                                                  \
        "c128[1,4,0,1]", "blocksize=2", "c128[1,1,0,2]", 0                                                             \
    }
static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_11[] = { CASES,
                                           { "f64[2,8,2,3]", "blocksize=2 mode='CRD'", "f64[2,2,4,6]", 1 },
                                           { "i8[1,64,30,40]", "blocksize=4 mode='CRD'", "i8[1,4,120,160]", 0 },
                                           { 0 } };

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = "T: " t, .parse = parser, BLOCKS_PARTS,         \
        .cases = tests                                                                                                 \
    }

const struct op op_depth_to_space = {
    .name = "DepthToSpace",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "all bf16", parse_11, cases_11),
                                     ROW(13, "all bf16", parse_11, cases_11),
                                     ROW(11, "all", parse_11, cases_11),
                                     ROW(1, "all", parse_1, cases_1),
                                     { 0 } },
};
