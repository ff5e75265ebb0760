/* ArrayFeatureExtractor, https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html
 *
 *   Z[..., j] = X[..., Y[j]]        Y as if it were one list
 *
 * Of a vector it is one row, as in onnxruntime and the reference. An index out of range is an error while running; so
 * is one below 0. The gradient is that of Gather. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/gather.h"
#include "ops/rank.h"
#include <string.h>

enum { DATA, INDICES };

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x == 1 ? 2 : x;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, DATA);
    int64_t dims[MAX_RANK] = { 1 };

    if (!x->rank)
        return infer_error(i, "'X' has no dimensions, must have at least 1");
    for (int d = 0; d < x->rank - 1; d++)
        dims[d] = x->dims[d];
    dims[x->rank == 1 ? 1 : x->rank - 1] = tensor_count(typed_in(i, INDICES));
    return set_out(i, 0, x->dtype, x->rank == 1 ? 2 : x->rank, dims);
}

/* -- run -- */

struct job {
    const int64_t *indices;
    const char *from;
    char *to;
    size_t size; /* of an element */
    int64_t rows, n, count;
};

static int64_t rows_of_chunk(int64_t count)
{
    return JOB_ELEMENTS / (count + 1) + 1;
}

static void chunk(void *context, int64_t c, int thread)
{
    const struct job *j = context;
    const int64_t each = rows_of_chunk(j->count), end = lesser(j->rows, (c + 1) * each);
    const size_t size = j->size;

    (void)thread;
    for (int64_t row = c * each; row < end; row++) {
        const char *const from = j->from + (size_t)(row * j->n) * size;
        char *const to = j->to + (size_t)(row * j->count) * size;

        for (int64_t k = 0; k < j->count; k++)
            if (size == 4)
                memcpy(to + (size_t)k * 4, from + (size_t)j->indices[k] * 4, 4);
            else
                memcpy(to + (size_t)k * 8, from + (size_t)j->indices[k] * 8, 8);
    }
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[DATA];
    const struct job j = { .indices = s->in[INDICES]->data,
                           .from = x->data,
                           .to = s->out[0]->data,
                           .size = dtype_size(x->dtype),
                           .rows = dims_product(x->dims, 0, x->rank - 1),
                           .n = x->dims[x->rank - 1],
                           .count = tensor_count(s->in[INDICES]) };

    for (int64_t k = 0; k < j.count; k++)
        if (j.indices[k] < 0 || j.indices[k] >= j.n)
            return step_error(s, "element %lld of 'Y' is %lld, must be in [0, %lld)", (long long)k,
                              (long long)j.indices[k], (long long)j.n);
    pool_run(s->pool, divide_up(j.rows, rows_of_chunk(j.count)), chunk, (void *)(uintptr_t)&j);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, DATA);
    struct emitter *e = emitter_of(b);
    struct value *dy = upstream(b, 0);

    if (!wants(b, DATA))
        return backward_ok(b);
    if (x->rank == 1)
        dy = emit_reshape(e, dy, 1, &type_out(b, 0)->dims[1]);
    give(b, DATA, gather_back(e, dy, forward_in(b, INDICES), -1, x));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3] i64[2]{2,0}", "", "f32[2,2]", 1 },
    { "f64[5] i64[1,3]{4,4,1}", "", "f64[1,3]", 1 },
    { "f32[2,3,4] i64[2,2]{3,0,0,1}", "", "f32[2,3,4]", 1 },
    { "str[3,2] i64[1]{1}", "", "str[3,1]", 0 },
    { "i32[3,2] i64[]{1}", "", "i32[3,1]", 0 },
    { "i64[0,2] i64[1]{1}", "", "i64[0,1]", 0 },
    { "f32[2,3] i64[0]{}", "", "f32[2,0]", 0 },
    { 0 },
};

const struct op op_array_feature_extractor = {
    .name = "ArrayFeatureExtractor",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, Tind Y -> T Z",
                                       .types = "T: f32 f64 i32 i64 str; Tind: i64",
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
