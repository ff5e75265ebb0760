/* Trilu, https://onnx.ai/onnx/operators/onnx__Trilu.html
 *
 *   upper   y[.., r, c] = c - r >= k ? x[.., r, c] : 0
 *   lower   y[.., r, c] = c - r <= k ? x[.., r, c] : 0        the gradient is the same of dy
 *
 * A string that is left out is the empty one. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

enum { INPUT, DIAGONAL }; /* inputs */

struct trilu {
    bool upper;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    ((struct trilu *)attrs)->upper = attr_int(p, "upper", 1) != 0;
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT), *k = typed_in(i, DIAGONAL);

    if (x->rank < 2)
        return infer_error(i, "'input' has %d dimensions, must have at least 2", x->rank);
    if (k && tensor_count(k) != 1)
        return infer_error(i, "'k' has %lld values, must have 1", (long long)tensor_count(k));
    may_reuse(i, 0, INPUT);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

struct trilu_job {
    const char *x;
    char *y;
    int64_t rows, height, width, diagonal, per_chunk;
    size_t size;
    bool upper;
};

/* Of a row the elements from `from` to before `to` stay. */
static void one_row(const struct trilu_job *j, int64_t row)
{
    const int64_t edge = row % j->height + j->diagonal + (j->upper ? 0 : 1);
    const int64_t at = edge < 0 ? 0 : edge > j->width ? j->width : edge;
    const int64_t from = j->upper ? at : 0, to = j->upper ? j->width : at;
    char *const y = j->y + (size_t)(row * j->width) * j->size;

    memmove(y + (size_t)from * j->size, j->x + (size_t)(row * j->width + from) * j->size,
            (size_t)(to - from) * j->size);
    memset(y, 0, (size_t)from * j->size);
    memset(y + (size_t)to * j->size, 0, (size_t)(j->width - to) * j->size);
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct trilu_job *j = context;
    const int64_t first = k * j->per_chunk, end = j->rows - first < j->per_chunk ? j->rows : first + j->per_chunk;

    (void)thread;
    for (int64_t row = first; row < end; row++)
        one_row(j, row);
}

static int64_t within(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[INPUT], *k = s->in[DIAGONAL];
    const int64_t height = x->dims[x->rank - 2], width = x->dims[x->rank - 1];
    const int64_t given = k ? within(*(const int64_t *)k->data, -height - 1, width + 1) : 0;
    struct trilu_job j = { .x = x->data,
                           .y = s->out[0]->data,
                           .rows = dims_product(x->dims, 0, x->rank - 1),
                           .height = height,
                           .width = width,
                           .diagonal = given,
                           .per_chunk = JOB_ELEMENTS / (width + 1) + 1,
                           .size = dtype_size(x->dtype),
                           .upper = ((const struct trilu *)s->attrs)->upper };

    if (tensor_count(x))
        pool_run(s->pool, divide_up(j.rows, j.per_chunk), chunk, &j);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct trilu *a = attrs_of(b);

    if (wants(b, INPUT))
        give(
            b, INPUT,
            emit(emitter_of(b), "Trilu", a->upper ? "upper=1" : "upper=0", 2, upstream(b, 0), forward_in(b, DIAGONAL)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,4]", "", "f32[3,4]", 1 },
    { "f64[2,3,4] i64[]{1}", "", "f64[2,3,4]", 1 },
    { "f64[2,4,3] i64[]{-2}", "", "f64[2,4,3]", 1 },
    { "f64[3,4] i64[1]{1}", "upper=0", "f64[3,4]", 1 },
    { "f64[4,3] i64[]{-1}", "upper=0", "f64[4,3]", 1 },
    { "f32[3,3] i64[]{9223372036854775807}", "upper=0", "f32[3,3]", 1 },
    { "f32[3,3] i64[]{-9223372036854775807}", "upper=0", "f32[3,3]", 1 },
    { "str[2,2] i64[]{1}", "", "str[2,2]", 0 },
    { "c128[2,2]", "upper=0", "c128[2,2]", 0 },
    { "bool[300,200]", "", "bool[300,200]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_trilu = {
    .name = "Trilu",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 14,
                                       .signature = "T input, I k? -> T output",
                                       .types = "T: all bf16; I: i64",
                                       .attrs_size = sizeof(struct trilu),
                                       .parse = parse,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cases = cases },
                                     { 0 } },
};
