/* BitwiseAnd, BitwiseOr, BitwiseXor and BitwiseNot: `run`, and for those of two operands the row BITWISE_ROW. What has
 * a sign has the same bits: there is one loop for each size. Needs
 *   BODY  the file that makes a loop: "ops/unary_body.h", "ops/binary_body.h"
 *   EXPR  y, of x, or of a and b
 * and forgets both. */
#include "ops/elementwise.h"

#define NAME loop
#define UINTS
#include "ops/each_integer.h"
#undef EXPR

static bool run(struct step *s)
{
    static elementwise_loop *const loops[] = { [1] = loop_u8, [2] = loop_u16, [4] = loop_u32, [8] = loop_u64 };
    const struct elementwise e = { .loop = loops[dtype_size(s->in[0]->dtype)] };

    return elementwise(s, &e, s->out[0], s->node->inputs, s->in);
}

#define BITWISE_PARTS                                                                                                  \
    .since = 18, .types = "T: ints uints", .run = run, .gradient = zero_gradient, .flags = OP_ELEMENTWISE
#define BITWISE_ROW                                                                                                    \
    {                                                                                                                  \
        .signature = "T A, T B -> T C", BITWISE_PARTS, .infer = binary_infer, .cases = bitwise_cases                   \
    }
