/* QLinearGlobalAveragePool of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = saturate(round(sum of (X - x_zero_point) * (x_scale / (y_scale * pixels))) + y_zero_point)
 *
 * over the pixels of a channel, which stand behind it, [N, C, spatial...], or, with channels_last, before it, [N,
 * spatial..., C]. The sum is an integer, of millions of pixels in units of a few; the factor and its product with the sum are
 * in float, as in onnxruntime. */
#include "kernels/parts.h"
#include "ops/qlinear.h"
#include "ops/rank.h"
#include "ops/rows.h"

enum { X, X_SCALE, X_ZERO_POINT, Y_SCALE, Y_ZERO_POINT };

struct global_pool {
    bool channels_last; /* as the file has it, or a pass has laid it out */
};

static bool parse(struct parse *p, void *attrs)
{
    const int64_t last = attr_int(p, "channels_last", 0);

    ((struct global_pool *)attrs)->channels_last = last;
    return last == 0 || last == 1 ||
           parse_error(p, "attribute 'channels_last' is %lld, must be 0 or 1", (long long)last);
}

static bool lie_last(const struct node *n, int rank, void *attrs)
{
    struct global_pool *a = attrs;

    (void)n;
    if (a->channels_last || (rank != 3 && rank != 4))
        return false;
    a->channels_last = true;
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);
    const bool last = ((const struct global_pool *)infer_attrs(i))->channels_last;
    int64_t dims[MAX_RANK];

    if (x->rank < 3)
        return infer_error(i, "'X' has %d dimensions, must have at least 3", x->rank);
    for (int d = 0; d < x->rank; d++)
        dims[d] = d == 0 || d == (last ? x->rank - 1 : 1) ? x->dims[d] : 1;
    return has_one_value(i, X_SCALE, "x_scale") && has_one_value(i, X_ZERO_POINT, "x_zero_point") &&
           has_one_value(i, Y_SCALE, "y_scale") && has_one_value(i, Y_ZERO_POINT, "y_zero_point") &&
           set_out(i, 0, x->dtype, x->rank, dims);
}

enum { MANY = 1 << 22 }; /* pixels whose sum is within int32 */

struct global_job {
    const struct step *s;
    struct qlinear_operand x;
    struct qlinear_result y;
    int64_t channels, pixels, channel_step, pixel_step;
    int64_t unit; /* what a sum is counted in */
};

static int32_t sum_of(const struct global_job *j, const uint8_t *x)
{
    int64_t sum = 0;

    for (int64_t from = 0; from < j->pixels; from += MANY) {
        const int64_t end = lesser(from + MANY, j->pixels);
        int32_t part = 0;

        for (int64_t p = from; p < end; p++)
            part += (x[p * j->pixel_step] ^ j->x.flip) - j->x.zero;
        sum += part;
    }
    return (int32_t)(sum / j->unit);
}

/* All channels of an image. */
static void average(void *context, int64_t image, int thread)
{
    const struct global_job *j = context;
    const uint8_t *const x = (const uint8_t *)j->s->in[X]->data + image * j->channels * j->pixels;
    uint8_t *const y = (uint8_t *)j->s->out[0]->data + image * j->channels;

    (void)thread;
    for (int64_t c = 0; c < j->channels && !pool_late(j->s->pool); c++) {
        const int32_t sum = sum_of(j, x + c * j->channel_step);

        j->s->k->integer->requantize(&j->y.q, &sum, y + c, 1);
    }
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[X];
    const bool last = ((const struct global_pool *)s->attrs)->channels_last;
    struct global_job j = { .s = s, .x = qlinear_operand(x, s->in[X_SCALE], s->in[X_ZERO_POINT]) };

    j.channels = x->dims[last ? x->rank - 1 : 1];
    j.pixels = last ? dims_product(x->dims, 1, x->rank - 1) : dims_product(x->dims, 2, x->rank);
    j.channel_step = last ? 1 : j.pixels;
    j.pixel_step = last ? j.channels : 1;
    qlinear_result(&j.y, x->dtype, s->in[Y_SCALE], s->in[Y_ZERO_POINT]);
    j.unit = greater(divide_up(j.pixels, MANY), 1);
    j.y.scale = j.x.scale / (j.y.scale * (float)j.pixels) * (float)j.unit;
    pool_run(s->pool, x->dims[0], average, &j);
    return true;
}

static const struct op_case cases[] = {
    { "u8[2,3,4,5] f32[]+ u8[] f32[]+ u8[]", "", "u8[2,3,1,1]", 0 },
    { "i8[2,3,7] f32[1]+ i8[1] f32[1]+ i8[1]", "", "i8[2,3,1]", 0 },
    { "i8[2,4,5,3] f32[]+ i8[] f32[]+ i8[]", "channels_last=1", "i8[2,1,1,3]", 0 },
    { "u8[0,3,4,5] f32[]+ u8[] f32[]+ u8[]", "", "u8[0,3,1,1]", 0 },
    { "u8[2,3,0,5] f32[]+ u8[] f32[]+ u8[]", "", "u8[2,3,1,1]", 0 }, /* no number: the least */
    { 0 },
};

const struct op op_qlinear_global_average_pool = {
    .name = "QLinearGlobalAveragePool",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, F x_scale, T x_zero_point, F y_scale, T y_zero_point -> T Y",
                                       .types = "T: i8 u8; F: f32",
                                       .attrs_size = sizeof(struct global_pool),
                                       .parse = parse,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .channels_last = lie_last,
                                       .batch_independent = rows_of_first,
                                       .no_gradient = "its operand is quantised",
                                       .flags = OP_BYTES_LAST,
                                       .cases = cases },
                                     { 0 } },
};
