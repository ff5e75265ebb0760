#include "ops/requantized.h"
#include "ops/expansion.h"

struct value *emit_dequantized(struct emitter *e, const struct node *n, int x, int scale, int zero)
{
    return emit(e, "DequantizeLinear", "", 3, n->in[x], n->in[scale], given(n, zero));
}

/* Without a zero point the type is that of one of x's. */
struct value *emit_requantized(struct emitter *e, const struct node *n, struct value *y, int x, int scale, int zero)
{
    struct value *z = given(n, zero);

    if (!z)
        z = emit(e, "Expand", "", 2, emit(e, "CastLike", "", 2, emit_scalar(e, F32, 0), n->in[x]),
                 emit(e, "Shape", "", 1, n->in[scale]));
    return emit(e, "QuantizeLinear", "", 3, y, n->in[scale], z);
}

struct value *emit_channels_second(struct emitter *e, struct value *x)
{
    return emit(e, "Einsum", "equation='n...c->nc...'", 1, x);
}

struct value *emit_channels_last(struct emitter *e, struct value *x)
{
    return emit(e, "Einsum", "equation='nc...->n...c'", 1, x);
}
