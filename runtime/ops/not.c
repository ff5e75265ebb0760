/* Not, https://onnx.ai/onnx/operators/onnx__Not.html
 *
 *   Y = !X        constant in pieces: its gradient is zero */
#include "ops/elementwise.h"

/* -- run -- */

#define EXPR !x
#define LOOP loop
#define T    uint8_t
#include "ops/unary_body.h"

static bool run(struct step *s)
{
    const struct elementwise e = { .loop = loop };

    return elementwise(s, &e, s->out[0], 1, s->in);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "bool[3,5]", "", "bool[3,5]", 0 },
    { "bool[]", "", "bool[]", 0 },
    { "bool[0,3]", "", "bool[0,3]", 0 },
    { "bool[2,3,4]{1,0,1,1,0,0,1,0,1,1,0,0,1,0,1,1,0,0,1,0,1,1,0,0}", "", "bool[2,3,4]", 0 },
    { 0 },
};

const struct op op_not = {
    .name = "Not",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X -> T Y",
              .types = "T: bool",
              .infer = unary_infer,
              .run = run,
              .gradient = zero_gradient,
              .flags = OP_ELEMENTWISE,
              .cases = cases },
            { 0 },
        },
};
