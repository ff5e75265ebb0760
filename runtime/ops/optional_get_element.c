/* OptionalGetElement, https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html
 *
 * What an optional value holds: an error while running where that is nothing. What is no optional value is its own
 * element (since opset 18). The gradient of an optional value is one that holds the element's. */
#include "ops/rank.h"
#include "ops/value.h"

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    struct tensor *y = typed_out(i, 0);

    if (x->kind != OPTIONAL)
        view_of(i, 0, 0);
    if (!y)
        return true;
    *y = x->kind != OPTIONAL ? *x : x->planned && x->planned->count > 0 ? x->planned->items[0] : element_of(x);
    y->data = NULL;
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct optional *x = s->in[0]->data;

    if (s->in[0]->kind != OPTIONAL)
        return pass_value(s, 0, s->in[0]);
    return x->present ? pass_value(s, 0, &x->value) : step_error(s, "the optional value is empty, must hold something");
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct value *dy = upstream(b, 0);

    if (wants(b, 0))
        give(b, 0, type_in(b, 0)->kind == OPTIONAL ? emit(emitter_of(b), "Optional", "", 1, dy) : dy);
    return backward_ok(b);
}

/* -- test -- */

/* What flows back from two places is added. */
#define TWICE "{ q = Optional (x0) a = OptionalGetElement (q) b = OptionalGetElement (q) y0 = Mul (a, b) }"
#define TWICE_A_SEQUENCE                                                                                               \
    "{ s = SequenceConstruct (x0, x1) q = Optional (s) a = OptionalGetElement (q) b = OptionalGetElement (q) "         \
    "i = Constant <value_int = 0> () j = Constant <value_int = 1> () c = SequenceAt (a, i) d = SequenceAt (b, j) "     \
    "e = SequenceAt (b, i) y0 = Mul (c, d) y1 = Neg (e) }"

static const struct op_case cases_15[] = {
    { "f64[2,3]", TWICE, "f64[2,3]", 1 },
    { "f64[2] f64[2]", TWICE_A_SEQUENCE, "f64[2] f64[2]", 3 },
    { "opt(f32[2,3])", "", "f32[2,3]", 0 },
    { "opt(str[2])", "", "str[2]", 0 },
    { "opt(seq(f16[2],f16[0]))", "", "seq(f16)", 0 },
    { 0 },
};
static const struct op_case cases_18[] = {
    { "f64[2,3]", TWICE, "f64[2,3]", 1 },
    { "f64[2] f64[2]", TWICE_A_SEQUENCE, "f64[2] f64[2]", 3 },
    { "f64[2,3]", "{ a = OptionalGetElement (x0) y0 = Mul (a, a) }", "f64[2,3]", 1 },
    { "opt(i64[2,3])", "", "i64[2,3]", 0 },
    { "opt(seq(bool[2]))", "", "seq(bool)", 0 },
    { "seq(f32[2],f32[3])", "", "seq(f32)", 0 },
    { "str[2]", "", "str[2]", 0 },
    { 0 },
};

#define ALL "all bf16 ir14"
static const struct op_case cases_28[] = {
    { "opt(bf16[2,3])", "", "bf16[2,3]", 0 },
    { "opt(seq(i4[2]))", "", "seq(i4)", 0 },
    { "u4[2]", "", "u4[2]", 0 },
    { "f64[2,3]", "{ a = OptionalGetElement (x0) y0 = Mul (a, a) }", "f64[2,3]", 1 },
    { 0 },
};

#define ROW(version, list, more, tests)                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "O input -> V output",                                                          \
        .types = "O: opt(" list ") opt(seq(" list "))" more "; V: " list " seq(" list ")", .rank = rank_unknown,       \
        .infer = infer, .run = run, .gradient = gradient, .flags = OP_RUN_ONLY, .cases = tests                         \
    }

const struct op op_optional_get_element = {
    .name = "OptionalGetElement",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, ALL, " " ALL " seq(" ALL ")", cases_28),
                                     ROW(18, "all", " all seq(all)", cases_18),
                                     ROW(15, "all", "", cases_15),
                                     { 0 } },
};
