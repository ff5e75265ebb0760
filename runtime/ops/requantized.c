#include "ops/requantized.h"
#include "ops/expansion.h"
#include "ops/rank.h"

struct value *emit_dequantized(struct emitter *e, const struct node *n, int x, int scale, int zero)
{
    return emit(e, "DequantizeLinear", "", 3, n->in[x], n->in[scale], given(n, zero));
}

/* Of the type of x, and the shape of the scale: a constant where both are known. */
static struct value *zero_like(struct emitter *e, struct value *x, struct value *scale)
{
    static const int8_t zero = 0;
    const struct tensor *one = value_constant(scale);
    struct tensor type;

    if (one && tensor_count(one) == 1 && (known_of(x).dtype == I8 || known_of(x).dtype == U8)) {
        type = *one;
        type.dtype = known_of(x).dtype;
        return emit_constant(e, &type, &zero);
    }
    return emit(e, "Expand", "", 2, emit(e, "CastLike", "", 2, emit_scalar(e, F32, 0), x),
                emit(e, "Shape", "", 1, scale));
}

struct value *emit_requantized(struct emitter *e, const struct node *n, struct value *y, int x, int scale, int zero)
{
    struct value *z = given(n, zero);

    return emit(e, "QuantizeLinear", "", 3, y, n->in[scale], z ? z : zero_like(e, n->in[x], n->in[scale]));
}
