/* Unique of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's Unique, not sorted, without its second output. */
#include "ops/op.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *made[4];

    if (!emit_many(e, "Unique", "sorted=0", 4, made, 1, n->in))
        return false;
    out[0] = made[0];
    out[1] = made[2];
    out[2] = made[3];
    return true;
}

static const struct op_case cases[] = {
    { "f32[6]{2,1,1,3,4,3}", "", "f32[4] i64[6] i64[4]", 0 },
    { "str[3]{'b','a','b'}", "", "str[2] i64[3] i64[2]", 0 },
    { "i8[0]", "", "i8[0] i64[0] i64[0]", 0 },
    { 0 },
};

const struct op op_microsoft_unique = {
    .name = "Unique",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T x -> T y, I idx, I counts",
                                       .types = "T: all; I: i64",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
