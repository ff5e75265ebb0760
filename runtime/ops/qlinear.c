#include "ops/qlinear.h"

struct qlinear_operand qlinear_operand(const struct tensor *t, const struct tensor *scale, const struct tensor *zero)
{
    const uint8_t flip = t->dtype == I8 ? 0x80 : 0;

    return (struct qlinear_operand){ .scale = *(const float *)scale->data,
                                     .zero = (zero ? *(const uint8_t *)zero->data : 0) ^ flip,
                                     .flip = flip };
}

void qlinear_result(struct qlinear_result *r, enum dtype dtype, const struct tensor *scale, const struct tensor *zero)
{
    r->scale = *(const float *)scale->data;
    r->zero = !zero ? 0 : dtype == I8 ? *(const int8_t *)zero->data : *(const uint8_t *)zero->data;
    r->q = (struct quantizing){ .scale = &r->scale, .zero = &r->zero };
    saturation(dtype, &r->q.least, &r->q.most);
}

/* -- unary -- */

enum { X, X_SCALE, X_ZERO_POINT, Y_SCALE, Y_ZERO_POINT };

bool qlinear_unary_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);

    may_reuse(i, 0, X);
    return has_one_value(i, X_SCALE, "X_scale") && has_one_value(i, X_ZERO_POINT, "X_zero_point") &&
           has_one_value(i, Y_SCALE, "Y_scale") && has_one_value(i, Y_ZERO_POINT, "Y_zero_point") &&
           set_out(i, 0, x->dtype, x->rank, x->dims);
}

static void look_up(const struct elements *s)
{
    const uint8_t *const table = s->attrs, *const x = s->x[0];
    uint8_t *const y = s->y;

    for (int64_t k = 0; k < s->n; k++)
        y[k] = table[x[k]];
}

/* There are no more than 256 results. */
bool qlinear_unary_run(struct step *s, float (*of)(float x, const void *attrs))
{
    const struct qlinear_operand x = qlinear_operand(s->in[X], s->in[X_SCALE], quantized_given(s, X_ZERO_POINT));
    const enum dtype dtype = s->in[X]->dtype;
    struct qlinear_result y;
    float values[256];
    uint8_t table[256];

    qlinear_result(&y, dtype, s->in[Y_SCALE], quantized_given(s, Y_ZERO_POINT));
    for (int v = 0; v < 256; v++)
        values[v] = of(qlinear_value(&x, (uint8_t)v), s->attrs);
    s->k->integer->quantize_8(&y.q, values, table, 256);
    return elementwise(s,
                       &(struct elementwise){ .loop = look_up, .x_as = { dtype }, .y_as = dtype, .span.attrs = table },
                       s->out[0], 1, s->in);
}

/* -- binary -- */

enum { A, A_SCALE, A_ZERO_POINT, B, B_SCALE, B_ZERO_POINT, C_SCALE, C_ZERO_POINT };

bool qlinear_binary_infer(struct infer *i)
{
    int64_t dims[MAX_RANK];
    int rank = 0;

    if (!broadcast(&rank, dims, typed_in(i, A)) || !broadcast(&rank, dims, typed_in(i, B))) {
        char left[TYPE_TEXT], right[TYPE_TEXT];

        return infer_error(i, "'A' is %s and 'B' is %s: they do not broadcast", tensor_text(typed_in(i, A), left),
                           tensor_text(typed_in(i, B), right));
    }
    return has_one_value(i, A_SCALE, "A_scale") && has_one_value(i, A_ZERO_POINT, "A_zero_point") &&
           has_one_value(i, B_SCALE, "B_scale") && has_one_value(i, B_ZERO_POINT, "B_zero_point") &&
           has_one_value(i, C_SCALE, "C_scale") && has_one_value(i, C_ZERO_POINT, "C_zero_point") &&
           set_out(i, 0, typed_in(i, A)->dtype, rank, dims);
}

bool qlinear_binary_run(struct step *s, elementwise_loop *loop)
{
    const struct tensor *const x[] = { s->in[A], s->in[B] };
    const enum dtype dtype = x[0]->dtype;
    struct qlinear_binary q = { .a = qlinear_operand(x[0], s->in[A_SCALE], s->in[A_ZERO_POINT]),
                                .b = qlinear_operand(x[1], s->in[B_SCALE], s->in[B_ZERO_POINT]) };

    qlinear_result(&q.c, dtype, s->in[C_SCALE], quantized_given(s, C_ZERO_POINT));
    return elementwise(s,
                       &(struct elementwise){ .loop = loop, .x_as = { dtype, dtype }, .y_as = dtype, .span.attrs = &q },
                       s->out[0], 2, x);
}

const struct op_case qlinear_binary_cases[] = {
    { "u8[2,3] f32[]+ u8[] u8[2,3] f32[]+ u8[] f32[]+ u8[]", "", "u8[2,3]", 0 },
    { "i8[2,3,4] f32[1]+ i8[1] i8[3,1] f32[1]+ - f32[1]+ i8[1]", "", "i8[2,3,4]", 0 },
    { "u8[1,5] f32[]+ - u8[4,1] f32[]+ u8[] f32[]+ -", "", "u8[4,5]", 0 },
    { "u8[70001] f32[]+ - u8[] f32[]+ - f32[]+", "", "u8[70001]", 0 },
    { "i8[0,3] f32[]+ i8[] i8[3] f32[]+ i8[] f32[]+ i8[]", "", "i8[0,3]", 0 },
    { 0 },
};
