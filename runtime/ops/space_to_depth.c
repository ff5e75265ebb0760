/* SpaceToDepth, https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html
 *
 *   DCR   y[n, (i * b + j) * C + c, h, w] = x[n, c, h * b + i, w * b + j]        b is the blocksize, C the channels of x
 *   CRD   y[n, c * b^2 + i * b + j, h, w] = x[n, c, h * b + i, w * b + j]        (since 28) */
#include "ops/blocks.h"
#include "ops/rank.h"

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[1,2,4,6]", "blocksize=2", "f32[1,8,2,3]", 1 },      { "f64[2,1,6,3]", "blocksize=3", "f64[2,9,2,1]", 1 },
    { "str[1,1,2,2]", "blocksize=2", "str[1,4,1,1]", 0 },      { "c128[1,1,0,2]", "blocksize=2", "c128[1,4,0,1]", 0 },
    { "i8[1,4,120,160]", "blocksize=4", "i8[1,64,30,40]", 0 }, { 0 },
};

static const struct op_case cases_28[] = {
    { "f64[2,2,4,6]", "blocksize=2 mode='CRD'", "f64[2,8,2,3]", 1 },
    { "f64[2,2,4,6]", "blocksize=2 mode='DCR'", "f64[2,8,2,3]", 1 },
    { "bf16[1,4,30,30]", "blocksize=3 mode='CRD'", "bf16[1,36,10,10]", 0 },
    { 0 },
};

#define ROW(version, list, parser, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = "T: " list, .parse = parser, BLOCKS_PARTS,      \
        .cases = tests                                                                                                 \
    }

const struct op op_space_to_depth = {
    .name = "SpaceToDepth",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "all bf16", blocks_parse_mode, cases_28),
                                     ROW(13, "all bf16", blocks_parse, cases),
                                     ROW(1, "all", blocks_parse, cases),
                                     { 0 } },
};
