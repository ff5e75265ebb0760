/* CumProd, https://onnx.ai/onnx/operators/onnx__CumProd.html
 *
 *   y[i] = x[0] * ... * x[i] along `axis`; without x[i] if exclusive; from the end on if reverse
 *
 *   dx[i] = x[0] * ... * x[i - 1] * s[i],   s[i] = dy[i] + x[i + 1] * s[i + 1]
 *                               exclusive:  s[i] = dy[i + 1] + x[i + 1] * s[i + 1]
 *
 * which divides by nothing, so that x may be 0. */
#include "ops/cumulative.h"
#include "ops/rank.h"
#include <stdio.h>

/* -- differentiate -- */

static bool run_back(struct step *s)
{
    return cumulative_run(s, PRODUCTS_BACK);
}

static bool gradient_of_back(struct backward *b); /* below */

static const struct op back = {
    .name = "CumProdGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T x, T2 axis, T dy -> T s",
                                       .types = "T: floats bf16; T2: i32 i64",
                                       .attrs_size = sizeof(struct cumulative),
                                       .rank = rank_of_input,
                                       .infer = cumulative_infer,
                                       .run = run_back,
                                       .gradient = gradient_of_back },
                                     { 0 } },
};

/* Of s[i] = up[i] + x[p] * s[p], p the one before i: with g what flows back to s and n the one behind i,
 *
 *   t[i] = g[n] + x[n] * t[n]        dx[i] = s[i] * t[i],   dup[i] = g[i] + x[i] * t[i]
 *                               exclusive:                  dup[i] = t[i]
 *
 * in which t is what it computes itself, exclusive and in the other direction. */
static bool gradient_of_back(struct backward *b)
{
    const struct cumulative *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct cumulative *other = emit_alloc(e, sizeof *other);
    struct value *const g = upstream(b, 0), *const in[] = { forward_in(b, X), forward_in(b, AXIS), g };
    struct value *t;

    if (!other)
        return backward_ok(b);
    *other = (struct cumulative){ true, !a->reverse };
    if (emit_private(e, &back, other, 1, &t, NULL, 3, in)) {
        if (wants(b, X))
            give(b, X, emit(e, "Mul", "", 2, forward_out(b, 0), t));
        if (wants(b, UP))
            give(b, UP, a->exclusive ? t : emit(e, "Add", "", 2, g, emit(e, "Mul", "", 2, in[X], t)));
    }
    return backward_ok(b);
}

static bool gradient(struct backward *b)
{
    const struct cumulative *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct cumulative *other = emit_alloc(e, sizeof *other);
    struct value *const in[] = { forward_in(b, X), forward_in(b, AXIS), upstream(b, 0) };
    struct value *s;

    if (!wants(b, X) || !other)
        return backward_ok(b);
    *other = (struct cumulative){ a->exclusive, !a->reverse };
    if (emit_private(e, &back, other, 1, &s, NULL, 3, in))
        give(b, X,
             emit(e, "Mul", "", 2, s,
                  emit(e, "CumProd", a->reverse ? "exclusive=1 reverse=1" : "exclusive=1", 2, in[X], in[AXIS])));
    return backward_ok(b);
}

/* -- run -- */

static bool run(struct step *s)
{
    return cumulative_run(s, PRODUCTS);
}

/* -- test -- */

static const struct op_case cases[] = {
    CUMULATIVE_CASES,
    CUMULATIVE_CASES_HALVES,
    { "f64[6]{.5,-2,0,3,0,1.5} i64[]{0}", "", "f64[6]", 1 },
    { "f64[5]{.5,-2,0,3,1.5} i64[]{0}", "exclusive=1 reverse=1", "f64[5]", 1 },
    { 0 },
};

const struct op op_cum_prod = {
    .name = "CumProd",
    .domain = "",
    .defs = (const struct op_def[]){ CUMULATIVE_ROW(26, "floats bf16 i32 i64 u32 u64", cases), { 0 } },
};
