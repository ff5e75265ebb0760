/* Cast, https://onnx.ai/onnx/operators/onnx__Cast.html
 *
 *   output = input as another type        dinput = doutput, as the type of the input
 *
 * Numbers: convert.h. Text: cast_text.h; text that is no number of the type is an error. `saturate` is about
 * floating-point types of 8 bits, `round_mode` about float8e8m0 (tensor/small.h). To an integer or a bool the output is
 * constant in pieces: no gradient comes back from there, nor from floats of 8 bits and less. */
#include "ops/cast.h"
#include "ops/cast_text.h"
#include "ops/elementwise.h"

/* -- read -- */

bool rounding_parse(struct parse *p, bool has_mode, struct rounding *out)
{
    static const char *const modes[] = { [ROUND_UP] = "up", "down", "nearest", NULL };
    const int64_t saturate = attr_int(p, "saturate", 1);

    if (has_mode)
        out->e8m0 = attr_choice(p, "round_mode", modes, ROUND_UP);
    out->saturate = saturate;
    return saturate == 0 || saturate == 1 ||
           parse_error(p, "attribute 'saturate' is %lld, must be 0 or 1", (long long)saturate);
}

static bool parse_6(struct parse *p, void *attrs)
{
    struct cast *a = attrs;
    const int64_t to = attr_int(p, "to", UNDEFINED);

    if (!attr_given(p, "to"))
        return parse_error(p, "attribute 'to' is missing");
    if (!dtype_valid(to) || to == C64 || to == C128)
        return parse_error(p, "attribute 'to' is %lld, must be a type of number, bool or string", (long long)to);
    a->to = (enum dtype)to;
    a->rounding.saturate = true;
    return output_may_be(p, 0, a->to);
}

/* `to` is a name, the standard's in capitals. */
static bool parse_1(struct parse *p, void *attrs)
{
    static const char *const names[] = { "UNDEFINED", "FLOAT",  "UINT8",  "INT8",   "UINT16",
                                         "INT16",     "INT32",  "INT64",  "STRING", "BOOL",
                                         "FLOAT16",   "DOUBLE", "UINT32", "UINT64", NULL };
    struct cast *a = attrs;

    if (!attr_given(p, "to"))
        return parse_error(p, "attribute 'to' is missing");
    a->to = (enum dtype)attr_choice(p, "to", names, UNDEFINED);
    a->rounding.saturate = true;
    return output_may_be(p, 0, a->to);
}

static bool parse_19(struct parse *p, void *attrs)
{
    return parse_6(p, attrs) && rounding_parse(p, false, &((struct cast *)attrs)->rounding);
}

static bool parse_24(struct parse *p, void *attrs)
{
    return parse_6(p, attrs) && rounding_parse(p, true, &((struct cast *)attrs)->rounding);
}

/* -- plan -- */

bool cast_infer(struct infer *i, enum dtype to)
{
    const struct tensor *x = typed_in(i, 0);

    if (x->dtype == to)
        view_of(i, 0, 0);
    else if (dtype_size(x->dtype) == dtype_size(to))
        may_reuse(i, 0, 0);
    return set_out(i, 0, to, x->rank, x->dims);
}

static bool infer(struct infer *i)
{
    return cast_infer(i, ((const struct cast *)infer_attrs(i))->to);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct cast *)n->attrs)->to;
}

/* -- run -- */

enum { OFTEN = 1024 }; /* texts after which the time is looked at */

static bool to_text(struct step *s)
{
    const struct tensor *x = s->in[0];
    const int64_t n = tensor_count(x);
    struct string **y = s->out[0]->data;

    for (int64_t k = 0; k < n && (k % OFTEN || !pool_late(s->pool)); k++) {
        char text[NUMBER_TEXT];
        const size_t length = number_write(text, x->dtype, x->data, k);

        y[k] = heap_string(s->heap, text, length, s->report);
        if (!y[k])
            return false;
    }
    return true;
}

static bool from_text(struct step *s, const struct cast *a)
{
    const struct string *const *x = s->in[0]->data;
    const int64_t n = tensor_count(s->in[0]);

    for (int64_t k = 0; k < n && (k % OFTEN || !pool_late(s->pool)); k++) {
        const size_t length = x[k] ? x[k]->length : 0;
        const char *text = x[k] ? x[k]->bytes : "";

        if (!number_read(text, length, a->to, a->rounding, s->out[0]->data, k))
            return step_error(s, "'%.*s%s', element %lld of 'input', cannot be read as %s",
                              length < 40 ? (int)length : 40, text, length > 40 ? "..." : "", (long long)k,
                              dtype_name(a->to));
    }
    return true;
}

static void convert_elements(const struct elements *s)
{
    convert(s->attrs, s->x[0], s->y, s->n);
}

bool cast_run(struct step *s, const struct cast *a)
{
    const enum dtype from = s->in[0]->dtype;
    const struct conversion c = { from, a->to, a->rounding };

    if (!s->out[0])
        return true;
    if (from == a->to)
        return copy_run(s);
    if (a->to == STRING)
        return to_text(s);
    if (from == STRING)
        return from_text(s, a);
    return elementwise(
        s, &(struct elementwise){ .loop = convert_elements, .x_as = { from }, .y_as = a->to, .span.attrs = &c },
        s->out[0], 1, s->in);
}

static bool run(struct step *s)
{
    return cast_run(s, s->attrs);
}

/* -- differentiate -- */

bool cast_gradient(struct backward *b)
{
    if (wants(b, 0) && upstream(b, 0))
        give(b, 0, emit_cast(emitter_of(b), upstream(b, 0), type_in(b, 0)->dtype));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_6[] = {
    { "f64[2,3]", "to=11", "f64[2,3]", 1 },
    { "f64[2,3]", "to=1", "f32[2,3]", 0 },
    { "f32[2,3]", "to=11", "f64[2,3]", 0 },
    { "f32[40001]", "to=10", "f16[40001]", 0 },
    { "f16[2,3]", "to=1", "f32[2,3]", 0 },
    { "f64[300]", "to=10", "f16[300]", 0 },
    { "f32[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=2", "u8[5]", 0 },
    { "f32[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=3", "i8[5]", 0 },
    { "f32[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=4", "u16[5]", 0 },
    { "f32[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=5", "i16[5]", 0 },
    { "f32[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=6", "i32[5]", 0 },
    { "f32[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=7", "i64[5]", 0 },
    { "f64[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=12", "u32[5]", 0 },
    { "f64[5]{-1e30,1e30,300.7,-1.5,0.4}", "to=13", "u64[5]", 0 },
    { "f16[3]{0,-1,0.5}", "to=9", "bool[3]", 0 },
    { "i8[7]", "to=1", "f32[7]", 0 },
    { "i16[7]", "to=4", "u16[7]", 0 },
    { "i32[7]", "to=3", "i8[7]", 0 },
    { "i64[7]", "to=6", "i32[7]", 0 },
    { "u8[7]", "to=11", "f64[7]", 0 },
    { "u16[7]", "to=7", "i64[7]", 0 },
    { "u32[7]", "to=10", "f16[7]", 0 },
    { "u64[7]", "to=1", "f32[7]", 0 },
    { "bool[7]", "to=1", "f32[7]", 0 },
    { "i32[0,3]", "to=1", "f32[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_9[] = {
    { "f32[2,3]", "to=8", "str[2,3]", 0 },
    { "i32[2,3]", "to=8", "str[2,3]", 0 },
    { "bool[2,3]", "to=8", "str[2,3]", 0 },
    { "f64[]", "to=8", "str[]", 0 },
    { 0 },
};

static const struct op_case cases_13[] = {
    { "f32[2,3]", "to=8", "str[2,3]", 0 },  { "f32[600]", "to=16", "bf16[600]", 0 },
    { "bf16[600]", "to=1", "f32[600]", 0 }, { "bf16[600]", "to=10", "f16[600]", 0 },
    { "i64[7]", "to=16", "bf16[7]", 0 },    { 0 },
};

#define CASES_19                                                                                                       \
    { "f32[2,3]", "to=8", "str[2,3]", 0 }, { "f32[2,3]", "to=1 saturate=0", "f32[2,3]", 0 },                           \
        { "f64[2,3]", "to=10 saturate=1", "f16[2,3]", 0 }, { "f32[600]", "to=17", "f8e4m3fn[600]", 0 },                \
        { "f16[7]", "to=18 saturate=0", "f8e4m3fnuz[7]", 0 }, { "bf16[7]", "to=19", "f8e5m2[7]", 0 },                  \
        { "i32[7]", "to=20", "f8e5m2fnuz[7]", 0 }, { "f8e4m3fn[600]", "to=1", "f32[600]", 0 },                         \
        { "f8e5m2[7]", "to=18", "f8e4m3fnuz[7]", 0 }, { "f8e5m2[7]", "to=8", "str[7]", 0 },                            \
        { "f8e4m3fnuz[7]", "to=3", "i8[7]", 0 },                                                                       \
    {                                                                                                                  \
        "bool[2]", "to=17", "f8e4m3fn[2]", 0                                                                           \
    }
#define CASES_21                                                                                                       \
    CASES_19, { "f32[5]{-9,7.9,300,-1.5,0.4}", "to=22", "i4[5]", 0 }, { "i64[7]", "to=21", "u4[7]", 0 },               \
        { "i4[7]", "to=1", "f32[7]", 0 }, { "u4[7]", "to=2", "u8[7]", 0 }, { "i4[7]", "to=21", "u4[7]", 0 },           \
        { "i4[7]", "to=8", "str[7]", 0 },                                                                              \
    {                                                                                                                  \
        "u4[0,3]", "to=17", "f8e4m3fn[0,3]", 0                                                                         \
    }
#define CASES_23                                                                                                       \
    CASES_21, { "f32[2,3]", "to=23", "f4e2m1[2,3]", 0 },                                                               \
    {                                                                                                                  \
        "f4e2m1[2,3]", "to=10", "f16[2,3]", 0                                                                          \
    }
#define CASES_24                                                                                                       \
    CASES_23, { "f32[2,3]", "to=1 saturate=0 round_mode='down'", "f32[2,3]", 0 },                                      \
        { "f64[2,3]", "to=11 saturate=1 round_mode='nearest'", "f64[2,3]", 1 },                                        \
        { "f64[7]+", "to=24 round_mode='nearest' saturate=0", "f8e8m0[7]", 0 },                                        \
    {                                                                                                                  \
        "f8e8m0[7]", "to=1", "f32[7]", 0                                                                               \
    }

static const struct op_case cases_19[] = { CASES_19, { 0 } };
static const struct op_case cases_21[] = { CASES_21, { 0 } };
static const struct op_case cases_23[] = { CASES_23, { 0 } };
static const struct op_case cases_24[] = { CASES_24, { 0 } };
static const struct op_case cases_25[] = { CASES_24,
                                           { "f32[5]{-9,7.9,300,-1.5,0.4}", "to=26", "i2[5]", 0 },
                                           { "u2[7]", "to=22", "i4[7]", 0 },
                                           { "i2[7]", "to=9", "bool[7]", 0 },
                                           { 0 } };
static const struct op_case cases_28[] = { CASES_24,
                                           { "f32[6]{-9,7.9,300,-1.5,0.4,0.05}", "to=27", "f6e2m3[6]", 0 },
                                           { "f16[7]", "to=28 saturate=0", "f6e3m2[7]", 0 },
                                           { "f6e2m3[7]", "to=28", "f6e3m2[7]", 0 },
                                           { "f6e3m2[7]", "to=1", "f32[7]", 0 },
                                           { "f6e2m3[2]", "to=8", "str[2]", 0 },
                                           { 0 } };

static const struct op_case cases_1[] = { { "f32[2,3]", "to='DOUBLE'", "f64[2,3]", 1 },
                                          { "f64[5]", "to='INT8'", "i8[5]", 0 },
                                          { "u8[0,2]", "to='BOOL'", "bool[0,2]", 0 },
                                          { 0 } };

#define ROW(version, list, reader, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output", .types = "T1: " list "; T2: " list,                    \
        .attrs_size = sizeof(struct cast), .parse = reader, .dtype = told, .infer = infer, .run = run,                 \
        .gradient = cast_gradient, .flags = OP_ELEMENTWISE, .cases = tests                                             \
    }
#define NUMBERS "floats ints uints bool"

const struct op op_cast = {
    .name = "Cast",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(28, NUMBERS " bf16 str ir14", parse_24, cases_28),
            ROW(25, NUMBERS " bf16 str ir13", parse_24, cases_25),
            ROW(24, NUMBERS " bf16 str ir12", parse_24, cases_24),
            ROW(23, NUMBERS " bf16 str ir11", parse_19, cases_23),
            ROW(21, NUMBERS " bf16 str ir10", parse_19, cases_21),
            ROW(19, NUMBERS " bf16 str ir9", parse_19, cases_19),
            ROW(13, NUMBERS " bf16 str", parse_6, cases_13),
            ROW(9, NUMBERS " str", parse_6, cases_9),
            ROW(6, NUMBERS, parse_6, cases_6),
            ROW(1, NUMBERS, parse_1, cases_1),
            { 0 },
        },
};
