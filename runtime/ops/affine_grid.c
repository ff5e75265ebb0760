/* AffineGrid, https://onnx.ai/onnx/operators/onnx__AffineGrid.html
 *
 *   grid[n, p, i] = sum over j of theta[n, i, j] at(p)[j] + theta[n, i, r]
 *   dtheta[n, i, j] = sum over p of dgrid[n, p, i] at(p)[j], and of dgrid[n, p, i] for j = r
 *
 * at(p) are the coordinates of pixel p in [-1, 1], the last of the r axes first: 2 k / (size - 1) - 1 for pixel k along
 * an axis with align_corners, else (2 k + 1) / size - 1. In double, rounded once.
 *
 * An axis of one pixel, with align_corners: -1, as the standard's function has it of depth, and the reference of all.
 * (The function divides by 0 for height and width, onnxruntime has 1, PyTorch 0; the text does not say.) The reference
 * gives float for double as well, which the signature does not allow. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

enum { THETA, SIZE };                               /* inputs */
enum { MOST_AXES = 3, MOST_THETA = MOST_AXES * 4 }; /* of a volume */

struct affine_grid {
    bool align_corners;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    ((struct affine_grid *)attrs)->align_corners = attr_int(p, "align_corners", 0) != 0;
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *theta = typed_in(i, THETA);
    struct ints size;
    int64_t dims[MAX_RANK];
    char text[TYPE_TEXT];
    int axes;

    if (!ints_in(i, SIZE, &size))
        return false;
    axes = size.count - 2;
    if (axes != 2 && axes != MOST_AXES)
        return infer_error(i, "'size' has %d values, must have 4 or 5", size.count);
    for (int d = 0; d < size.count; d++)
        if (size.v[d] < 0)
            return infer_error(i, "size[%d] is %lld, must be at least 0", d, (long long)size.v[d]);
    if (theta->rank != 3 || theta->dims[0] != size.v[0] || theta->dims[1] != axes || theta->dims[2] != axes + 1)
        return infer_error(i, "'theta' is %s, must be [%lld,%d,%d] for 'size'", tensor_text(theta, text),
                           (long long)size.v[0], axes, axes + 1);
    dims[0] = size.v[0];
    memcpy(dims + 1, size.v + 2, (size_t)axes * sizeof *dims);
    dims[1 + axes] = axes;
    return set_out(i, 0, theta->dtype, 2 + axes, dims);
}

/* -- run -- */

struct grid_job {
    const struct tensor *theta, *grid;
    bool align_corners;
    int axes;
    int64_t points, per_chunk; /* of a sample; of all */
};

enum { BLOCK = 128 }; /* points that are computed, and converted, together */

static double coordinate(const struct grid_job *j, int64_t k, int64_t size)
{
    if (j->align_corners)
        return size == 1 ? -1 : 2 * (double)k / (double)(size - 1) - 1;
    return (2 * (double)k + 1) / (double)size - 1;
}

static void point(const struct grid_job *j, const double *theta, int64_t p, double *to)
{
    double at[MOST_AXES];

    for (int d = 0; d < j->axes; d++) { /* the last axis first */
        const int64_t size = j->grid->dims[j->axes - d];

        at[d] = coordinate(j, p % size, size);
        p /= size;
    }
    for (int k = 0; k < j->axes; k++) {
        const double *const row = theta + k * (j->axes + 1);

        to[k] = row[j->axes];
        for (int d = 0; d < j->axes; d++)
            to[k] += row[d] * at[d];
    }
}

/* Points of one sample. */
static void chunk(void *context, int64_t index, int thread)
{
    const struct grid_job *j = context;
    const enum dtype dtype = j->grid->dtype;
    const int64_t chunks = divide_up(j->points, j->per_chunk), sample = index / chunks, size = j->axes * (j->axes + 1);
    const int64_t first = index % chunks * j->per_chunk, end = lesser(first + j->per_chunk, j->points);
    double theta[MOST_THETA], block[BLOCK * MOST_AXES];

    (void)thread;
    convert_between(dtype, F64)((const char *)j->theta->data + (size_t)(sample * size) * dtype_size(dtype), theta,
                                size);
    for (int64_t from = first; from < end; from += BLOCK) {
        const int64_t n = lesser(BLOCK, end - from);
        const int64_t to = (sample * j->points + from) * j->axes;

        for (int64_t p = 0; p < n; p++)
            point(j, theta, from + p, block + p * j->axes);
        convert_between(F64, dtype)(block, (char *)j->grid->data + (size_t)to * dtype_size(dtype), n * j->axes);
    }
}

static bool run(struct step *s)
{
    const struct tensor *grid = s->out[0];
    const int axes = grid->rank - 2;
    struct grid_job j = { .theta = s->in[THETA],
                          .grid = grid,
                          .align_corners = ((const struct affine_grid *)s->attrs)->align_corners,
                          .axes = axes,
                          .points = dims_product(grid->dims, 1, 1 + axes),
                          .per_chunk = JOB_ELEMENTS / 4 };

    pool_run(s->pool, grid->dims[0] * divide_up(j.points, j.per_chunk), chunk, &j);
    return true;
}

/* -- differentiate -- */

/* at(p), and 1 behind it, is the grid of the matrix that changes nothing. */
static struct value *places(struct backward *b, int axes, int64_t points)
{
    const struct affine_grid *a = attrs_of(b);
    const struct tensor *grid = type_out(b, 0);
    struct emitter *e = emitter_of(b);
    const int64_t matrix[] = { axes, axes + 1 };
    int64_t size[2 + MOST_AXES] = { 1, 1 };
    struct value *same = emit(e, "EyeLike", "", 1, emit_zeros(e, grid->dtype, 2, matrix)), *at;

    memcpy(size + 2, grid->dims + 1, (size_t)axes * sizeof *size);
    same = emit_reshape(e, same, 3, (const int64_t[]){ 1, axes, axes + 1 });
    at = emit(e, "AffineGrid", a->align_corners ? "align_corners=1" : "", 2, same, emit_ints(e, 2 + axes, size));
    at = emit_reshape(e, at, 2, (const int64_t[]){ points, axes });
    return emit(e, "Pad", "", 3, at, emit_ints(e, 4, (const int64_t[]){ 0, 0, 0, 1 }), emit_scalar(e, grid->dtype, 1));
}

static bool gradient(struct backward *b)
{
    const struct tensor *grid = type_out(b, 0);
    const int axes = grid->rank - 2;
    const int64_t points = dims_product(grid->dims, 1, 1 + axes);
    struct emitter *e = emitter_of(b);
    struct value *d = upstream(b, 0);

    if (!wants(b, THETA))
        return backward_ok(b);
    d = emit_reshape(e, d, 3, (const int64_t[]){ grid->dims[0], points, axes });
    d = emit(e, "Transpose", "perm=[0,2,1]", 1, d);
    give(b, THETA, emit(e, "MatMul", "", 2, d, places(b, axes, points)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,2,3] i64[4]{2,3,4,5}", "", "f64[2,4,5,2]", 1 },
    { "f32[1,2,3] i64[4]{1,3,2,3}", "align_corners=1", "f32[1,2,3,2]", 1 },
    { "f64[1,2,3] i64[4]{1,1,1,4}", "align_corners=1", "f64[1,1,4,2]", 1 },
    { "f64[2,3,4] i64[5]{2,1,2,3,4}", "", "f64[2,2,3,4,3]", 1 },
    { "f64[1,3,4] i64[5]{1,1,3,1,2}", "align_corners=1", "f64[1,3,1,2,3]", 1 },
    { "f32[1,2,3] i64[4]{1,1,90,101}", "", "f32[1,90,101,2]", 0 },
    { "f16[1,2,3] i64[4]{1,3,2,3}", "", "f16[1,2,3,2]", 0 },
    { "bf16[1,3,4] i64[5]{1,3,2,3,1}", "", "bf16[1,2,3,1,3]", 0 },
    { "f32[0,2,3] i64[4]{0,3,2,3}", "", "f32[0,2,3,2]", 0 },
    { "f32[2,2,3] i64[4]{2,3,0,3}", "", "f32[2,0,3,2]", 1 },
    { 0 },
};

const struct op op_affine_grid = {
    .name = "AffineGrid",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 20,
                                       .signature = "T1 theta, T2 size -> T1 grid",
                                       .types = "T1: floats bf16; T2: i64",
                                       .attrs_size = sizeof(struct affine_grid),
                                       .parse = parse,
                                       .rank = rank_of_shape_1,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
