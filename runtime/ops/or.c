/* Or, https://onnx.ai/onnx/operators/onnx__Or.html
 *
 *   C = A || B, broadcast        constant in pieces: its gradient is zero */
#include "ops/broadcast.h"
#include "ops/elementwise.h"

/* -- run -- */

#define EXPR   (a || b)
#define LOOP   loop
#define T      uint8_t
#define RESULT uint8_t
#include "ops/binary_body.h"

static bool run(struct step *s)
{
    const struct elementwise e = { .loop = loop };

    return elementwise(s, &e, s->out[0], 2, s->in);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "bool[3,5] bool[3,5]", "", "bool[3,5]", 0 },     { "bool[2,3]{1,0,0,1,1,0} bool[3]{1,0,1}", "", "bool[2,3]", 0 },
    { "bool[3,1,5] bool[4,1]", "", "bool[3,4,5]", 0 }, { "bool[] bool[600]", "", "bool[600]", 0 },
    { "bool[0,3] bool[1,3]", "", "bool[0,3]", 0 },     { 0 },
};

static const struct op_case cases_1[] = {
    { "bool[3,5] bool[3,5]", "", "bool[3,5]", 0 },
    { "bool[2,3]{1,0,0,1,1,0} bool[2]{1,0}", "broadcast=1 axis=0", "bool[2,3]", 0 },
    { 0 },
};

const struct op op_or = {
    .name = "Or",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 7,
              .signature = "T A, T B -> T1 C",
              .types = "T: bool; T1: bool",
              .infer = compare_infer,
              .run = run,
              .gradient = zero_gradient,
              .flags = OP_ELEMENTWISE,
              .cases = cases },
            BROADCAST_ROW(1, "T A, T B -> T1 C", "T: bool; T1: bool", cases_1),
            { 0 },
        },
};
