#include "ops/widen.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include "ops/view.h"

static enum dtype wide(enum dtype dtype, enum widening what)
{
    if (what == WIDEN_HALVES)
        return dtype_compute(dtype);
    return dtype == I8 || dtype == I16 || dtype == U8 || dtype == U16 ? I32 : dtype;
}

/* -- where planning tells the type -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    const enum dtype to = wide(x->dtype, *(const enum widening *)infer_attrs(i));

    return to == x->dtype ? view_out(i, x->rank, x->dims) : set_out(i, 0, to, x->rank, x->dims);
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0], *y = s->out[0];

    if (x->dtype != y->dtype)
        convert_between(x->dtype, y->dtype)(x->data, y->data, tensor_count(x));
    return true;
}

static bool gradient(struct backward *b)
{
    const enum dtype dtype = type_in(b, 0)->dtype;
    struct value *dy = upstream(b, 0);

    if (wants(b, 0))
        give(b, 0, type_out(b, 0)->dtype == dtype ? dy : emit_cast(emitter_of(b), dy, dtype));
    return backward_ok(b);
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    out[0] = emit_cast(e, n->in[0], wide(in[0]->dtype, *(const enum widening *)n->attrs));
    return out[0];
}

static const struct op widen_late = {
    .name = "Widen",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: floats bf16 ints uints; T1: floats bf16 i32 i64 u32 u64",
                                       .attrs_size = sizeof(enum widening),
                                       .plain = plain,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient },
                                     { 0 } },
};

/* -- emitted -- */

struct value *emit_widened(struct emitter *e, struct value *x, enum dtype dtype, enum widening what)
{
    struct value *y = NULL;
    enum widening *attrs;

    if (dtype)
        return wide(dtype, what) == dtype ? x : emit_cast(e, x, wide(dtype, what));
    attrs = emit_alloc(e, sizeof *attrs);
    if (attrs) {
        *attrs = what;
        emit_private(e, &widen_late, attrs, 1, &y, NULL, 1, &x);
    }
    return y;
}

struct value *emit_narrowed(struct emitter *e, struct value *y, struct value *x, enum dtype dtype, enum widening what)
{
    if (!dtype)
        return emit(e, "CastLike", "", 2, y, x);
    if (wide(dtype, what) != dtype)
        return emit_cast(e, y, dtype);
    return y == x ? emit(e, "Identity", "", 1, y) : y;
}
