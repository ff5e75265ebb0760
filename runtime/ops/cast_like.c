/* CastLike, https://onnx.ai/onnx/operators/onnx__CastLike.html
 *
 *   output = input as the type of target_type        dinput = doutput, as the type of the input
 *
 * A Cast to that type, which is known of nearly every value when a model is loaded: then nothing waits for target_type,
 * and a constant is folded. Where only planning can tell, a private node looks. */
#include "ops/cast.h"
#include "ops/rank.h"
#include <stdio.h>

enum { INPUT, TARGET }; /* inputs */

/* -- read -- */

static bool parse_15(struct parse *p, void *attrs)
{
    (void)p;
    *(struct rounding *)attrs = ROUNDING_DEFAULT;
    return true;
}

static bool parse_19(struct parse *p, void *attrs)
{
    return rounding_parse(p, false, attrs);
}

static bool parse_24(struct parse *p, void *attrs)
{
    return rounding_parse(p, true, attrs);
}

/* -- where planning tells the type -- */

static bool infer_late(struct infer *i)
{
    return cast_infer(i, typed_in(i, TARGET)->dtype);
}

static bool run_late(struct step *s)
{
    return cast_run(s, &(struct cast){ s->in[TARGET]->dtype, *(const struct rounding *)s->attrs });
}

static struct value *emit_cast_as(struct emitter *e, const struct rounding *a, enum dtype to, struct value *x)
{
    static const char *const modes[] = { [ROUND_UP] = "up", [ROUND_DOWN] = "down", [ROUND_NEAREST] = "nearest" };
    char attrs[64];

    snprintf(attrs, sizeof attrs, "to=%d saturate=%d round_mode='%s'", (int)to, a->saturate, modes[a->e8m0]);
    return emit(e, "Cast", attrs, 1, x);
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    out[0] = emit_cast(e, n->in[INPUT], in[TARGET]->dtype);
    return out[0];
}

static const struct op cast_late = {
    .name = "CastLike",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 input, T2 target_type -> T2 output",
                                       .types = "T1: floats ints uints bool bf16 str ir13; "
                                                "T2: floats ints uints bool bf16 str ir13",
                                       .attrs_size = sizeof(struct rounding),
                                       .plain = plain,
                                       .rank = rank_of_input,
                                       .infer = infer_late,
                                       .run = run_late,
                                       .gradient = cast_gradient },
                                     { 0 } },
};

/* -- as other operators -- */

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct rounding *const a = n->attrs;
    const enum dtype to = known_input(n, TARGET).dtype;

    if (!to)
        return emit_private(e, &cast_late, a, 1, out, NULL, 2, n->in);
    out[0] = emit_cast_as(e, a, to, n->in[INPUT]);
    return out[0];
}

/* -- test -- */

/* The first one takes strings as well as any number. */
#define CASES_15                                                                                                       \
    { "f32[2,3] str[1]", "", "str[2,3]", 0 }, { "f64[2,3] f64[]", "", "f64[2,3]", 1 },                                 \
        { "f64[2,3] f32[5]", "", "f32[2,3]", 0 }, { "f32[600] f16[2]", "", "f16[600]", 0 },                            \
        { "bf16[7] f32[]", "", "f32[7]", 0 }, { "f32[5]{-1e30,1e30,300.7,-1.5,0.4} i8[1]", "", "i8[5]", 0 },           \
        { "i64[7] u64[]", "", "u64[7]", 0 }, { "u16[7] bool[3]", "", "bool[7]", 0 },                                   \
    {                                                                                                                  \
        "i32[0,3] f32[0]", "", "f32[0,3]", 0                                                                           \
    }
#define CASES_19                                                                                                       \
    CASES_15, { "f16[7] f8e4m3fnuz[]", "saturate=0", "f8e4m3fnuz[7]", 0 },                                             \
    {                                                                                                                  \
        "f8e5m2[7] f32[]", "saturate=1", "f32[7]", 0                                                                   \
    }
#define CASES_24                                                                                                       \
    CASES_19, { "f64[7]+ f8e8m0[]", "round_mode='down' saturate=0", "f8e8m0[7]", 0 },                                  \
    {                                                                                                                  \
        "i64[7] u4[2]", "", "u4[7]", 0                                                                                 \
    }

static const struct op_case cases_15[] = { CASES_15, { 0 } };
static const struct op_case cases_19[] = { CASES_19, { 0 } };
static const struct op_case cases_24[] = { CASES_24, { 0 } };

#define ROW(version, list, reader, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T1 input, T2 target_type -> T2 output", .types = "T1: " list "; T2: " list,    \
        .attrs_size = sizeof(struct rounding), .parse = reader, .expand = expand, .cases = tests                       \
    }
#define NUMBERS "floats ints uints bool bf16 str"

const struct op op_cast_like = {
    .name = "CastLike",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(25, NUMBERS " ir13", parse_24, cases_24),
            ROW(24, NUMBERS " ir12", parse_24, cases_24),
            ROW(23, NUMBERS " ir11", parse_19, cases_19),
            ROW(21, NUMBERS " ir10", parse_19, cases_19),
            ROW(19, NUMBERS " ir9", parse_19, cases_19),
            ROW(15, NUMBERS, parse_15, cases_15),
            { 0 },
        },
};
