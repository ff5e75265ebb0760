/* What the private gradients of unary operators are in operators of the standard. */
#include "ops/elementwise.h"
#include "ops/widen.h"

struct value *slope_number(const struct slope *s, double number)
{
    return emit_scalar(s->e, s->dtype, number);
}

struct value *slope_1(const struct slope *s, const char *op, struct value *a)
{
    return emit(s->e, op, "", 1, a);
}

struct value *slope_2(const struct slope *s, const char *op, struct value *a, struct value *b)
{
    return emit(s->e, op, "", 2, a, b);
}

struct value *slope_where(const struct slope *s, struct value *condition, struct value *a, struct value *b)
{
    return emit(s->e, "Where", "", 3, condition, a, b);
}

struct value *slope_unit_less_square(const struct slope *s)
{
    struct value *const one = slope_number(s, 1);

    return slope_2(s, "Mul", slope_2(s, "Sub", one, s->of), slope_2(s, "Add", one, s->of));
}

struct value *slope_square_and_unit(const struct slope *s)
{
    return slope_2(s, "Add", slope_2(s, "Mul", s->of, s->of), slope_number(s, 1));
}

/* Halves are computed in float, as they are where the gradient is one node. */
bool unary_spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out,
                     emit_slope *slope, struct numbers numbers)
{
    const enum dtype dtype = in[1]->dtype;
    struct value *dx = emit_widened(e, n->in[0], dtype, WIDEN_HALVES), *where = NULL, *times;
    const struct slope s = { .e = e,
                             .of = emit_widened(e, n->in[1], dtype, WIDEN_HALVES),
                             .dtype = dtype_compute(dtype),
                             .numbers = numbers,
                             .where = &where };

    times = slope(&s);
    if (times)
        dx = slope_2(&s, "Mul", dx, times);
    if (where)
        dx = slope_where(&s, where, dx, slope_number(&s, 0));
    out[0] = emit_narrowed(e, dx, n->in[0], dtype, WIDEN_HALVES);
    return !e->failed;
}
