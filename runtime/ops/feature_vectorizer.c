/* FeatureVectorizer, https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html
 *
 *   Y = the inputs side by side, in float        of input k inputdimensions[k] columns, zeros where it has fewer
 *
 * A vector is one row; more dimensions than two are columns of one row, as in onnxruntime, which lets inputs be wider
 * than inputdimensions says, too. Without inputdimensions each is as wide as it is. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

struct feature_vectorizer {
    const int64_t *columns; /* NULL: as many as there are */
    int64_t count;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct feature_vectorizer *a = attrs;

    a->columns = attr_int64s(p, "inputdimensions", &a->count);
    if (a->columns && a->count != inputs_written(p))
        return parse_error(p, "inputdimensions has %lld values, must have %d as there are inputs", (long long)a->count,
                           inputs_written(p));
    for (int64_t k = 0; k < a->count; k++)
        if (a->columns[k] < 0)
            return parse_error(p, "inputdimensions[%lld] is %lld, must be at least 0", (long long)k,
                               (long long)a->columns[k]);
    return true;
}

/* -- plan -- */

/* An input as a matrix, and how many columns of Y are its. */
struct part {
    int64_t rows, columns, taken;
};

static struct part part_of(const struct feature_vectorizer *a, int k, const struct tensor *x)
{
    struct part p = { x->rank < 2 ? 1 : x->dims[0], 0, 0 };

    p.columns = dims_product(x->dims, x->rank < 2 ? 0 : 1, x->rank);
    p.taken = a->columns ? a->columns[k] : p.columns;
    return p;
}

static bool infer(struct infer *i)
{
    const struct feature_vectorizer *a = infer_attrs(i);
    int64_t dims[2] = { part_of(a, 0, typed_in(i, 0)).rows, 0 };

    for (int k = 0; k < infer_inputs(i); k++) {
        const struct part p = part_of(a, k, typed_in(i, k));

        if (!typed_in(i, k)->rank)
            return infer_error(i, "input %d has no dimensions, must have at least 1", k);
        if (p.rows != dims[0])
            return infer_error(i, "input %d has %lld rows, must have %lld as input 0", k, (long long)p.rows,
                               (long long)dims[0]);
        if (!add_size(dims[1], p.taken, &dims[1]))
            return infer_error(i, "the output would have more columns than can be counted");
    }
    return set_out(i, 0, F32, 2, dims);
}

/* -- run -- */

static void put_part(const struct step *s, int k, int64_t row, float *y)
{
    const struct tensor *x = s->in[k];
    const struct part p = part_of(s->attrs, k, x);
    const int64_t n = lesser(p.columns, p.taken);

    convert_between(x->dtype, F32)((const char *)x->data + (size_t)(row * p.columns) * dtype_size(x->dtype), y, n);
    if (n < p.taken)
        memset(y + n, 0, (size_t)(p.taken - n) * sizeof *y);
}

static int64_t rows_of_chunk(const struct tensor *y)
{
    return JOB_ELEMENTS / (y->dims[1] + 1) + 1;
}

static void chunk(void *context, int64_t c, int thread)
{
    const struct step *s = context;
    const struct tensor *y = s->out[0];
    const int64_t each = rows_of_chunk(y), end = lesser(y->dims[0], (c + 1) * each);

    (void)thread;
    for (int64_t row = c * each; row < end; row++) {
        float *to = (float *)y->data + row * y->dims[1];

        for (int k = 0; k < s->node->inputs; k++) {
            put_part(s, k, row, to);
            to += part_of(s->attrs, k, s->in[k]).taken;
        }
    }
}

static bool run(struct step *s)
{
    if (tensor_count(s->out[0]))
        pool_run(s->pool, divide_up(s->out[0]->dims[0], rows_of_chunk(s->out[0])), chunk, s);
    return true;
}

/* -- differentiate -- */

/* The columns from `at` on that are input k's, back in its shape. */
static struct value *take_back(struct backward *b, int k, int64_t at)
{
    const struct tensor *x = type_in(b, k);
    const struct part p = part_of(attrs_of(b), k, x);
    const int64_t n = lesser(p.columns, p.taken);
    struct emitter *e = emitter_of(b);
    struct value *columns = emit(e, "Slice", "", 4, upstream(b, 0), emit_ints(e, 1, (const int64_t[]){ at }),
                                 emit_ints(e, 1, (const int64_t[]){ at + n }), emit_ints(e, 1, (const int64_t[]){ 1 }));

    if (n < p.columns)
        columns = emit(e, "Pad", "", 2, columns, emit_ints(e, 4, (const int64_t[]){ 0, 0, 0, p.columns - n }));
    columns = emit_reshape(e, columns, x->rank, x->dims);
    return x->dtype == F32 ? columns : emit_cast(e, columns, x->dtype);
}

static bool gradient(struct backward *b)
{
    int64_t at = 0;

    for (int k = 0; k < node_of(b)->inputs; k++) {
        if (wants(b, k))
            give(b, k, take_back(b, k, at));
        at += part_of(attrs_of(b), k, type_in(b, k)).taken;
    }
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,2] f32[3,1]", "inputdimensions=[2,1]", "f32[3,3]", 3 },
    { "f64[3,2] f64[3,4] f64[3,1]", "inputdimensions=[3,2,0]", "f32[3,5]", 3 },
    { "i64[2] i64[3]", "", "f32[1,5]", 0 },
    { "i32[2,2,2]", "inputdimensions=[3]", "f32[2,3]", 0 },
    { "f32[0,2] f32[0,1]", "inputdimensions=[2,1]", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_feature_vectorizer = {
    .name = "FeatureVectorizer",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X... -> T2 Y",
                                       .types = "T1: f32 f64 i32 i64; T2: f32",
                                       .attrs_size = sizeof(struct feature_vectorizer),
                                       .parse = parse,
                                       .rank = rank_of_matrix,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
