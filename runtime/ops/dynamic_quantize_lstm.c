/* DynamicQuantizeLSTM of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * LSTM of weights that are quantised, [directions, in, 4 * hidden], with a scale and a zero point for each direction, or for
 * each column of it. X, and H of each step, are rounded to 8 bits before they are multiplied, as by DynamicQuantizeLinear: of
 * all samples together, as in onnxruntime with one thread; it cuts batches by its number of threads. */
#include "ops/expansion.h"
#include "ops/lstm.h"

enum { X, W, R, B, LENGTHS, H0, C0, P, W_SCALE, W_ZERO, R_SCALE, R_ZERO };

static bool parse(struct parse *p, void *attrs)
{
    ((struct lstm *)attrs)->rounds = true;
    return lstm_parse(p, attrs);
}

static struct value *numbers(struct emitter *e, const struct node *n, int k)
{
    const int64_t dims[] = { ((const struct lstm *)n->attrs)->r.directions, 1, -1 };

    return emit(e, "Reshape", "", 2, emit_cast(e, n->in[k], F32), emit_ints(e, 3, dims));
}

/* As LSTM has them: [directions, 4 * hidden, in]. */
static struct value *weights(struct emitter *e, const struct node *n, int k, int scale, int zero)
{
    struct value *w = emit(e, "Sub", "", 2, emit_cast(e, n->in[k], F32), numbers(e, n, zero));

    return emit(e, "Transpose", "perm=[0,2,1]", 1, emit(e, "Mul", "", 2, w, numbers(e, n, scale)));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *x[3], *in[P + 1];

    if (!emit_many(e, "DynamicQuantizeLinear", "", 3, x, 1, n->in))
        return false;
    in[X] = emit(e, "DequantizeLinear", "", 3, x[0], x[1], x[2]);
    in[W] = weights(e, n, W, W_SCALE, W_ZERO);
    in[R] = weights(e, n, R, R_SCALE, R_ZERO);
    for (int k = B; k <= P; k++)
        in[k] = n->in[k];
    return emit_private(e, &lstm_rounding, n->attrs, 3, out, NULL, P + 1, in);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,2,4] i8[1,4,12] i8[1,3,12] - - - - - f32[1]+ i8[1] f32[1]+ i8[1]", "hidden_size=3",
      "f32[3,1,2,3] f32[1,2,3] f32[1,2,3]", 0 },
    { "f32[4,2,3] u8[2,3,8] u8[2,2,8] f32[2,16] i32[2]{4,2} f32[2,2,2] f32[2,2,2] f32[2,6] f32[2,8]+ u8[2,8] f32[2,8]+ "
      "u8[2,8]",
      "hidden_size=2 direction='bidirectional'", "f32[4,2,2,2] f32[2,2,2] f32[2,2,2]", 0 },
    { "f32[3,2,4] i8[1,4,12] i8[1,3,12] - - - - - f32[1]+ i8[1] f32[1,12]+ i8[1,12]",
      "hidden_size=3 direction='reverse' input_forget=1 clip=0.5", "- f32[1,2,3]", 0 },
    { "f32[0,2,4] i8[1,4,12] i8[1,3,12] - - - - - f32[1]+ i8[1] f32[1]+ i8[1]", "hidden_size=3",
      "f32[0,1,2,3] f32[1,2,3]", 0 },
    { 0 },
};

const struct op op_dynamic_quantize_lstm = {
    .name = "DynamicQuantizeLSTM",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X, T2 W, T2 R, T B?, T1 sequence_lens?, T initial_h?, T initial_c?, T P?, T W_scale, T2 "
                           "W_zero_point, T R_scale, T2 R_zero_point -> T Y?, T Y_h?, T Y_c?",
              .types = "T: f32; T1: i32; T2: i8 u8",
              .attrs_size = sizeof(struct lstm),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
