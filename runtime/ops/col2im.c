/* Col2Im, https://onnx.ai/onnx/operators/onnx__Col2Im.html
 *
 *   output[n, c, q * stride + t * dilation - pad] += input[n, c * taps + t, q]        for each block q and tap t of it
 *
 * What falls into the padding is left out. Integers wrap around, bool is true where one is, halves are summed in float
 * and rounded once. Strings can be put together, but not be added: two that are not empty in one place are an error.
 * The gradient is the way back, each element of a block that is outside 0.
 *
 * The reference sums halves in their own type; onnxruntime (1.31) is wrong with dilations where the spatial dimensions
 * are not two. The text asks for two of them at least; one does no harm. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/window.h"
#include <stdio.h>
#include <string.h>

enum { INPUT, IMAGE_SHAPE, BLOCK_SHAPE }; /* inputs */

/* Blocks are windows over the image: those of a convolution with this kernel. */
struct columns {
    struct window window;
    int64_t planes, pixels, taps, blocks; /* planes: of all images; of one: pixels, taps of a block, blocks */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct window_attrs *a = attrs;

    return window_list(p, "strides", &a->strides, 1) && window_list(p, "pads", &a->pads, 0) &&
           window_list(p, "dilations", &a->dilations, 1);
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int length = known_length(n, IMAGE_SHAPE);

    (void)k;
    return length < 0 ? UNKNOWN : 2 + length;
}

/* `image` becomes what comes out. While running `i` is NULL: what planning accepted cannot fail. */
static bool columns_of(struct infer *i, const struct window_attrs *a, const struct tensor *x, const struct ints *shape,
                       const struct ints *block, struct tensor *image, struct columns *c)
{
    int64_t dims[MAX_RANK] = { x->dims[0] };

    c->taps = c->blocks = 1;
    for (int d = 0; d < shape->count; d++) {
        dims[2 + d] = shape->v[d];
        if (shape->v[d] < 0)
            return i && infer_error(i, "image_shape[%d] is %lld, must be at least 0", d, (long long)shape->v[d]);
        if (block->v[d] < 1 || !mul_size(c->taps, block->v[d], &c->taps))
            return i && infer_error(i,
                                    "block_shape[%d] is %lld, must be at least 1, and blocks such that their "
                                    "elements can be counted",
                                    d, (long long)block->v[d]);
    }
    if (x->dims[1] % c->taps)
        return i && infer_error(i, "dimension 1 of 'input' is %lld, must be a multiple of a block's %lld elements",
                                (long long)x->dims[1], (long long)c->taps);
    dims[1] = x->dims[1] / c->taps;
    if (!tensor_shape(image, x->dtype, 2 + shape->count, dims))
        return i && infer_error(i, "the output would have more values than can be counted");
    if (!window_read(i, a, image, block->v, &c->window) || !window_slide(i, a, &c->window))
        return false;
    for (int d = 0; d < shape->count; d++)
        if (!mul_size(c->blocks, c->window.out[d], &c->blocks))
            return i && infer_error(i, "there are more blocks than can be counted");
    if (x->dims[2] != c->blocks)
        return i && infer_error(i, "dimension 2 of 'input' is %lld, must be the %lld blocks of the image",
                                (long long)x->dims[2], (long long)c->blocks);
    c->planes = dims[0] * dims[1];
    c->pixels = dims_product(dims, 2, 2 + shape->count);
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT);
    struct ints shape, block;
    struct tensor image;
    struct columns c;

    if (x->rank != 3)
        return infer_error(i, "'input' has %d dimensions, must have 3", x->rank);
    if (!ints_in(i, IMAGE_SHAPE, &shape) || !ints_in(i, BLOCK_SHAPE, &block))
        return false;
    if (shape.count < 1 || shape.count > MAX_SPATIAL || block.count != shape.count)
        return infer_error(i, "'image_shape' has %d values, 'block_shape' %d, must have as many, from 1 to %d",
                           shape.count, block.count, (int)MAX_SPATIAL);
    if (!columns_of(i, infer_attrs(i), x, &shape, &block, &image, &c) ||
        !set_out(i, 0, image.dtype, image.rank, image.dims))
        return false;
    if (dtype_is_storage(x->dtype))
        need_scratch(i, compute_bytes(x, F32) + compute_bytes(&image, F32));
    return true;
}

/* -- taps -- */

/* A tap of all blocks that it is inside the image for: elements of the image and of the input, of one plane. */
struct tap {
    int64_t number, dims[MAX_SPATIAL]; /* blocks along each axis; 0: there are none */
    int64_t image, column;             /* the first one's */
    int64_t image_step[MAX_SPATIAL], column_step[MAX_SPATIAL];
};

static struct tap tap_of(const struct window *w, int64_t number)
{
    int64_t rest = number, pixels = 1, blocks = 1;
    struct tap t = { .number = number };

    for (int d = w->rank - 1; d >= 0; d--) {
        const int64_t at = rest % w->kernel[d] * w->dilations[d] - w->pads_begin[d]; /* of block 0 */
        const int64_t first = greater(divide_up(-at, w->strides[d]), 0);
        const int64_t end = lesser(divide_up(w->in[d] - at, w->strides[d]), w->out[d]);

        rest /= w->kernel[d];
        t.dims[d] = greater(end - first, 0);
        t.image += (at + first * w->strides[d]) * pixels;
        t.column += first * blocks;
        t.image_step[d] = w->strides[d] * pixels;
        t.column_step[d] = blocks;
        pixels *= w->in[d];
        blocks *= w->out[d];
    }
    return t;
}

/* -- run -- */

#define LOOP  add_f32
#define T     float
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_f64
#define T     double
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_c64
#define T     float _Complex
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_c128
#define T     double _Complex
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_bool
#define T     uint8_t
#define ADDED y | x
#include "ops/col2im_body.h"
#define LOOP  add_8
#define T     uint8_t
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_16
#define T     uint16_t
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_32
#define T     uint32_t
#define ADDED y + x
#include "ops/col2im_body.h"
#define LOOP  add_64
#define T     uint64_t
#define ADDED y + x
#include "ops/col2im_body.h"

typedef void add_loop(const void *from, void *to, int64_t n, int64_t step);

static add_loop *const adds[DTYPES] = {
    [F32] = add_f32, [F64] = add_f64, [C64] = add_c64, [C128] = add_c128, [BOOL] = add_bool,
    [I8] = add_8,    [U8] = add_8,    [I16] = add_16,  [U16] = add_16,    [I32] = add_32,
    [U32] = add_32,  [I64] = add_64,  [U64] = add_64
};

struct add_job {
    const struct columns *columns;
    add_loop *add;
    const char *from;
    char *to;
    size_t size;
    int64_t per_chunk; /* planes */
    struct pool *pool;
};

static void add_tap(const struct add_job *j, const struct tap *t, int64_t plane)
{
    const struct columns *const c = j->columns;
    const char *const from = j->from + (size_t)((plane * c->taps + t->number) * c->blocks + t->column) * j->size;
    char *const to = j->to + (size_t)(plane * c->pixels + t->image) * j->size;
    const int last = c->window.rank - 1;
    int64_t at[MAX_SPATIAL] = { 0 };
    int d = 0;

    while (d >= 0) {
        int64_t image = 0, column = 0;

        for (int k = 0; k < last; k++) {
            image += at[k] * t->image_step[k];
            column += at[k] * t->column_step[k];
        }
        j->add(from + (size_t)column * j->size, to + (size_t)image * j->size, t->dims[last], t->image_step[last]);
        for (d = last - 1; d >= 0 && ++at[d] == t->dims[d]; d--)
            at[d] = 0;
    }
}

static void chunk(void *context, int64_t index, int thread)
{
    const struct add_job *j = context;
    const struct columns *const c = j->columns;
    const int64_t first = index * j->per_chunk, end = lesser(first + j->per_chunk, c->planes);

    (void)thread;
    memset(j->to + (size_t)(first * c->pixels) * j->size, 0, (size_t)((end - first) * c->pixels) * j->size);
    for (int64_t number = 0; number < c->taps && !pool_late(j->pool); number++) {
        const struct tap t = tap_of(&c->window, number);

        for (int64_t plane = first; plane < end && dims_product(t.dims, 0, c->window.rank); plane++)
            add_tap(j, &t, plane);
    }
}

/* A string takes an empty place. */
static bool run_strings(struct step *s, const struct columns *c)
{
    const struct string *const *from = s->in[INPUT]->data;
    const struct string **to = s->out[0]->data;

    memset(to, 0, (size_t)tensor_bytes(s->out[0]));
    for (int64_t row = 0; row < c->planes * c->taps; row++) {
        const struct tap t = tap_of(&c->window, row % c->taps);

        for (int64_t k = 0; k < dims_product(t.dims, 0, c->window.rank); k++) {
            int64_t image = row / c->taps * c->pixels + t.image, column = row * c->blocks + t.column, rest = k;

            for (int d = c->window.rank - 1; d >= 0; d--) {
                image += rest % t.dims[d] * t.image_step[d];
                column += rest % t.dims[d] * t.column_step[d];
                rest /= t.dims[d];
            }
            if (to[image] && to[image]->length && from[column] && from[column]->length)
                return step_error(s, "two strings come to element %lld of the output, and cannot be added",
                                  (long long)image);
            if (from[column] && from[column]->length)
                to[image] = from[column];
        }
    }
    return true;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[INPUT], *y = s->out[0];
    const enum dtype compute = dtype_is_storage(x->dtype) ? F32 : x->dtype;
    char *scratch = s->scratch;
    struct ints shape, block;
    struct tensor image;
    struct columns c;
    struct add_job j = { .columns = &c, .add = adds[compute], .size = dtype_size(compute), .pool = s->pool };

    ints_of(s->in[IMAGE_SHAPE], &shape);
    ints_of(s->in[BLOCK_SHAPE], &block);
    columns_of(NULL, s->attrs, x, &shape, &block, &image, &c);
    if (x->dtype == STRING)
        return run_strings(s, &c);
    j.from = compute_in(x, compute, &scratch);
    j.to = compute_out(y, compute, &scratch);
    j.per_chunk = (int64_t)(JOB_ELEMENTS / ((double)c.taps * (double)c.blocks + (double)c.pixels + 1)) + 1;
    pool_run(s->pool, divide_up(c.planes, j.per_chunk), chunk, &j);
    compute_store(y, compute, j.to);
    return true;
}

/* -- differentiate -- */

struct columns_grad {
    struct columns columns;
    struct tensor x; /* its type */
};

static bool grad_infer(struct infer *i)
{
    const struct columns_grad *a = infer_attrs(i);

    return set_out(i, 0, a->x.dtype, a->x.rank, a->x.dims);
}

static bool grad_run(struct step *s)
{
    const struct columns_grad *a = s->attrs;
    const struct columns *const c = &a->columns;
    const size_t size = dtype_size(a->x.dtype);
    const int64_t zero = 0;

    move_fill(s->pool, size, &zero, tensor_count(&a->x), s->out[0]->data);
    for (int64_t number = 0; number < c->taps && !pool_late(s->pool); number++) {
        const struct tap t = tap_of(&c->window, number);
        struct move m = { .size = size, .rank = 1 + c->window.rank };

        m.dims[0] = c->planes;
        m.in[0] = c->pixels;
        m.out[0] = c->taps * c->blocks;
        memcpy(m.dims + 1, t.dims, sizeof t.dims);
        memcpy(m.in + 1, t.image_step, sizeof t.image_step);
        memcpy(m.out + 1, t.column_step, sizeof t.column_step);
        if (dims_product(m.dims, 0, m.rank))
            move_run(s->k, s->pool, &m, (const char *)s->in[0]->data + (size_t)t.image * size,
                     (char *)s->out[0]->data + (size_t)(number * c->blocks + t.column) * size);
    }
    return true;
}

/* It is linear: what flows back is put together as the columns were. */
static bool gradient_of_grad(struct backward *b)
{
    const struct columns_grad *a = attrs_of(b);
    const struct window *const w = &a->columns.window;
    struct emitter *e = emitter_of(b);
    int64_t pads[2 * MAX_SPATIAL];
    char text[3][INTS_TEXT], attrs[sizeof text];

    memcpy(pads, w->pads_begin, sizeof w->pads_begin);
    memcpy(pads + w->rank, w->pads_end, sizeof w->pads_end);
    snprintf(attrs, sizeof attrs, "%s %s %s", ints_text(text[0], "strides", w->rank, w->strides),
             ints_text(text[1], "dilations", w->rank, w->dilations), ints_text(text[2], "pads", 2 * w->rank, pads));
    give(b, 0,
         emit(e, "Col2Im", attrs, 3, upstream(b, 0), emit_ints(e, w->rank, w->in), emit_ints(e, w->rank, w->kernel)));
    return backward_ok(b);
}

static const struct op op_grad = {
    .name = "Im2Col",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct columns_grad),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    const struct tensor *shapes[] = { type_in(b, IMAGE_SHAPE), type_in(b, BLOCK_SHAPE) };
    struct columns_grad *a = emit_alloc(emitter_of(b), sizeof *a);
    struct value *d, *dy = upstream(b, 0);
    struct ints shape, block;
    struct tensor image;

    if (!shapes[0]->data || !shapes[1]->data)
        return backward_error(b, "the sizes are only known while running");
    if (!a || !wants(b, INPUT))
        return backward_ok(b);
    ints_of(shapes[0], &shape);
    ints_of(shapes[1], &block);
    a->x = *type_in(b, INPUT);
    a->x.data = NULL;
    columns_of(NULL, attrs_of(b), &a->x, &shape, &block, &image, &a->columns);
    if (emit_private(emitter_of(b), &op_grad, a, 1, &d, NULL, 1, &dy))
        give(b, INPUT, d);
    return backward_ok(b);
}

/* -- test -- */

#define BLOCK_CASE(t)                                                                                                  \
    {                                                                                                                  \
        t "[1,4,3] i64[2]{3,2} i64[2]{1,4}", "pads=[0,1,0,1]", t "[1,1,3,2]", 0                                        \
    }

static const struct op_case cases[] = {
    { "f64[2,12,6] i64[2]{4,5} i64[2]{2,3}", "strides=[2,1]", "f64[2,2,4,5]", 1 },
    { "f64[1,18,9] i64[2]{5,5} i64[2]{3,3}", "strides=[2,2] pads=[1,1,1,1]", "f64[1,2,5,5]", 1 },
    { "f32[1,4,4] i64[2]{4,5} i64[2]{2,2}", "dilations=[2,3]", "f32[1,1,4,5]", 1 },
    { "f64[1,8,10] i64[3]{2,3,6} i64[3]{2,2,2}", "", "f64[1,1,2,3,6]", 1 },
    { "f64[2,6,2] i64[1]{8} i64[1]{3}", "pads=[0,2] strides=[3] dilations=[2]", "f64[2,2,8]", 1 },
    { "f32[3,4,2500] i64[2]{51,51} i64[2]{2,2}", "", "f32[3,1,51,51]", 0 },
    { "f32[1,4,1] i64[2]{1,1} i64[2]{2,2}", "pads=[1,0,0,1]", "f32[1,1,1,1]", 1 },
    { "str[1,4,4] i64[2]{4,4} i64[2]{2,2}", "strides=[2,2]", "str[1,1,4,4]", 0 },
    BLOCK_CASE("f16"),
    BLOCK_CASE("bf16"),
    BLOCK_CASE("i8"),
    BLOCK_CASE("u8"),
    BLOCK_CASE("i16"),
    BLOCK_CASE("u16"),
    BLOCK_CASE("i32"),
    BLOCK_CASE("u32"),
    BLOCK_CASE("i64"),
    BLOCK_CASE("u64"),
    BLOCK_CASE("bool"),
    BLOCK_CASE("c64"),
    BLOCK_CASE("c128"),
    { "f32[0,4,1] i64[2]{2,2} i64[2]{2,2}", "", "f32[0,1,2,2]", 0 },
    { "f32[2,0,1] i64[2]{2,2} i64[2]{2,2}", "", "f32[2,0,2,2]", 0 },
    { 0 },
};

const struct op op_col2im = {
    .name = "Col2Im",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 18,
                                       .signature = "T input, I image_shape, I block_shape -> T output",
                                       .types = "T: all bf16; I: i64",
                                       .attrs_size = sizeof(struct window_attrs),
                                       .parse = parse,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .batch_independent = rows_of_first,
                                       .cases = cases },
                                     { 0 } },
};
