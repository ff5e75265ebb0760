/* OptionalHasElement, https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html
 *
 * Does an optional value hold something? Since opset 18: what is no optional value does, what is left out does not.
 * Planning tells it where it can. No gradient flows. */
#include "ops/rank.h"

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    uint8_t *y;

    if (!set_out(i, 0, BOOL, 0, NULL))
        return false;
    if ((!x || x->kind != OPTIONAL || x->planned) && (y = known_out(i, 0)))
        *y = x && (x->kind != OPTIONAL || x->planned->count > 0);
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];

    *(uint8_t *)s->out[0]->data = x && (x->kind != OPTIONAL || ((const struct optional *)x->data)->present);
    return true;
}

/* -- test -- */

#define BRANCHES                                                                                                       \
    "{ q = Optional <type = double[2]> () h = OptionalHasElement (q) y0 = If (h) <then_branch = t () => (double[2] "   \
    "a) "                                                                                                              \
    "{ a = OptionalGetElement (q) }, else_branch = e () => (double[2] b) { b = Neg (x0) }> }"

static const struct op_case cases_15[] = {
    { "f64[2]", BRANCHES, "f64[2]", 1 },     { "opt(f32[2])", "", "bool[]", 0 },  { "opt(str)", "", "bool[]", 0 },
    { "opt(seq(f32[2]))", "", "bool[]", 0 }, { "opt(seq(u8))", "", "bool[]", 0 }, { 0 },
};
static const struct op_case cases_18[] = {
    { "f64[2]", BRANCHES, "f64[2]", 1 },
    { "opt(f32[2])", "", "bool[]", 0 },
    { "opt(str)", "", "bool[]", 0 },
    { "f32[2]", "", "bool[]", 0 },
    { "seq(i64)", "", "bool[]", 0 },
    { "", "", "bool[]", 0 },
    { "-", "", "bool[]", 0 },
    { 0 },
};

static const struct op_case cases_28[] = {
    { "opt(bf16[2])", "", "bool[]", 0 },
    { "f6e2m3[2]", "", "bool[]", 0 },
    { "seq(i4)", "", "bool[]", 0 },
    { "", "", "bool[]", 0 },
    { 0 },
};

#define KINDS(list) "opt(" list ") opt(seq(" list "))"
#define ROW(version, formal, more, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "O " formal " -> B output", .types = "O: " more "; B: bool",                    \
        .rank = rank_of_scalar, .infer = infer, .run = run, .gradient = zero_gradient, .flags = OP_RUN_ONLY,           \
        .cases = tests                                                                                                 \
    }

const struct op op_optional_has_element = {
    .name = "OptionalHasElement",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "input?", KINDS("all bf16 ir14") " all bf16 ir14 seq(all bf16 ir14)",
                                         cases_28),
                                     ROW(18, "input?", KINDS("all") " all seq(all)", cases_18),
                                     ROW(15, "input", KINDS("all"), cases_15),
                                     { 0 } },
};
