/* BitCast, https://onnx.ai/onnx/operators/onnx__BitCast.html
 *
 * The bits of the input as another type, which has as many: a view. Of types of 4 and 2 bits, whose elements are bytes
 * in memory (tensor/small.h), the bits above them are made what the other type has there. The order of bytes is that of
 * a file: where the machine has the other, the parts of a complex number stand the other way about in 64 bits. */
#include "ops/elementwise.h"
#include "tensor/small.h"

struct bit_cast {
    enum dtype to;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    if (!attr_given(p, "to"))
        return parse_error(p, "attribute 'to' is missing");
    return attr_dtype(p, "to", UNDEFINED, &((struct bit_cast *)attrs)->to);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct bit_cast *)n->attrs)->to;
}

/* -- plan -- */

/* Are bytes all the same in both types? */
static bool is_view(enum dtype from, enum dtype to)
{
    return !dtype_is_packed(to) && !(big_endian && (from == C64) != (to == C64));
}

static bool infer(struct infer *i)
{
    const enum dtype to = ((const struct bit_cast *)infer_attrs(i))->to;
    const struct tensor *x = typed_in(i, 0);

    if (dtype_traits[x->dtype].bits != dtype_traits[to].bits)
        return infer_error(i, "'input' is of type %s, which has %d bits, %s has %d: there must be as many",
                           dtype_name(x->dtype), dtype_traits[x->dtype].bits, dtype_name(to), dtype_traits[to].bits);
    if (is_view(x->dtype, to))
        view_of(i, 0, 0);
    else
        may_reuse(i, 0, 0);
    return set_out(i, 0, to, x->rank, x->dims);
}

/* -- run -- */

static void small_loop(const struct elements *s)
{
    const enum dtype to = *(const enum dtype *)s->attrs;
    const int8_t *const x = s->x[0];
    int8_t *const y = s->y;

    for (int64_t k = 0; k < s->n; k++)
        y[k] = small_of_int(to, x[k]);
}

static void complex_loop(const struct elements *s)
{
    const uint64_t *const x = s->x[0];
    uint64_t *const y = s->y;

    for (int64_t k = 0; k < s->n; k++)
        y[k] = x[k] << 32 | x[k] >> 32;
}

static bool run(struct step *s)
{
    const struct bit_cast *a = s->attrs;
    const enum dtype from = s->in[0]->dtype;
    const struct elementwise e = { .loop = dtype_is_packed(a->to) ? small_loop : complex_loop,
                                   .x_as = { from },
                                   .y_as = a->to,
                                   .span.attrs = &a->to };

    return is_view(from, a->to) ? copy_run(s) : elementwise(s, &e, s->out[0], 1, s->in);
}

/* -- test -- */

/* Of the types that they have: not every other one has as many bits. */
static const struct op_case cases[] = {
    { "f32[2,3]", "{ y0 = BitCast <to = 6> (x0) }", "i32[2,3]", 0 },
    { "i64[3]{1,-2,3}", "to=11", "f64[3]", 0 },
    { "c64[1]{1}", "to=13", "u64[1]", 0 },
    { "c128[2]{1,2}", "to=15", "c128[2]", 0 },
    { "bf16[3]{1,-2,nan}", "to=10", "f16[3]", 0 },
    { "i16[]{-5}", "to=4", "u16[]", 0 },
    { "u32[3]{1,2,1065353216}", "to=1", "f32[3]", 0 },
    { "bool[2,2]{0,1,1,0}", "to=2", "u8[2,2]", 0 },
    { "f8e4m3fn[3]{1,448,-.5}", "to=3", "i8[3]", 0 },
    { "i4[4]{-8,-1,0,7}", "to=21", "u4[4]", 0 },
    { "u4[4]{0,7,8,15}", "to=22", "i4[4]", 0 },
    { "f4e2m1[3]{-6,.5,1}", "to=21", "u4[3]", 0 },
    { "u2[4]{0,1,2,3}", "to=26", "i2[4]", 0 },
    { "i64[0,3]{}", "to=11", "f64[0,3]", 0 },
    { 0 },
};

#define TYPES "floats ints uints bool complex bf16 ir13"

const struct op op_bit_cast = {
    .name = "BitCast",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 26,
                                       .signature = "T1 input -> T2 output",
                                       .types = "T1: " TYPES "; T2: " TYPES,
                                       .attrs_size = sizeof(struct bit_cast),
                                       .parse = parse,
                                       .dtype = told,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "of bits there are no slopes",
                                       .flags = OP_ELEMENTWISE,
                                       .cases = cases },
                                     { 0 } },
};
