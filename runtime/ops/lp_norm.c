#include "ops/lp_norm.h"

bool lp_parse(struct parse *p, int64_t *norm)
{
    *norm = attr_int(p, "p", 2);
    return *norm >= 1 || parse_error(p, "p is %lld, must be at least 1", (long long)*norm);
}

bool lp_parse_1(struct parse *p, int64_t *norm)
{
    const float given = attr_float(p, "p", 2);

    if (!(given >= 1 && given <= 0x1p24f) || given != (float)(int64_t)given)
        return parse_error(p, "p is %g, must be a whole number from 1 on", (double)given);
    *norm = (int64_t)given;
    return true;
}

struct value *emit_power(struct emitter *e, struct value *x, int64_t p, enum dtype dtype)
{
    if (p == 2)
        return emit(e, "Mul", "", 2, x, x);
    x = emit(e, "Abs", "", 1, x);
    return p == 1 ? x : emit(e, "Pow", "", 2, x, emit_scalar_like(e, (double)p, x, dtype));
}

struct value *emit_root(struct emitter *e, struct value *x, int64_t p, enum dtype dtype)
{
    struct value *none, *y;

    if (p == 1)
        return x;
    none = emit(e, "Equal", "", 2, x, emit_scalar_like(e, 0, x, dtype));
    y = emit(e, "Where", "", 3, none, emit_scalar_like(e, 1, x, dtype), x);
    y = p == 2 ? emit(e, "Sqrt", "", 1, y) : emit(e, "Pow", "", 2, y, emit_scalar_like(e, 1 / (double)p, x, dtype));
    return emit(e, "Where", "", 3, none, emit_scalar_like(e, 0, x, dtype), y);
}
