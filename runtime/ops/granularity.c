#include "ops/granularity.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/layout.h"
#include "ops/rows.h"

/* -- read -- */

bool granularity_parse(struct parse *p, struct granularity_attrs *a, unsigned form)
{
    a->one = !form;
    a->axis = form & GRANULARITY_AXIS ? attr_int(p, "axis", 1) : 1;
    a->block_size = form & GRANULARITY_BLOCKS ? attr_int(p, "block_size", 0) : 0;
    return a->block_size >= 0 ||
           parse_error(p, "block_size is %lld, must be at least 1, or 0 for none", (long long)a->block_size);
}

/* -- shapes -- */

bool granularity_is_one(const struct tensor *t)
{
    return t->rank <= 1 && tensor_count(t) == 1;
}

bool granularity_in_blocks(const struct granularity_attrs *a, const struct tensor *x, const struct tensor *scale)
{
    return a->block_size > 0 && scale->rank == x->rank;
}

/* How many blocks of a size, which may be any. */
static int64_t blocks_of(int64_t n, int64_t size)
{
    return n / size + (n % size != 0);
}

static bool check_scale(struct infer *i, const struct granularity_attrs *a, const char *name)
{
    const struct tensor *x = typed_in(i, QUANTIZE_X), *scale = typed_in(i, QUANTIZE_SCALE);
    const int axis = wrap_axis(a->axis, x->rank);
    const bool blocks = granularity_in_blocks(a, x, scale);
    char type[TYPE_TEXT], of[TYPE_TEXT];
    bool fits = blocks || scale->rank == 1;

    if (granularity_is_one(scale))
        return true;
    if (a->one)
        return infer_error(i, "'%s' is %s, must be one value", name, tensor_text(scale, type));
    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    for (int d = 0; fits && blocks && d < x->rank; d++)
        fits = scale->dims[d] == (d == axis ? blocks_of(x->dims[d], a->block_size) : x->dims[d]);
    if (fits && (blocks || scale->dims[0] == x->dims[axis]))
        return true;
    return infer_error(i, "'%s' is %s, must be one value, or one for each of axis %d of %s, or for each block of it",
                       name, tensor_text(scale, type), axis, tensor_text(x, of));
}

bool granularity_check(struct infer *i, const struct granularity_attrs *a, const char *scale, const char *zero)
{
    const struct tensor *s = typed_in(i, QUANTIZE_SCALE), *z = typed_in(i, QUANTIZE_ZERO);
    char type[TYPE_TEXT], of[TYPE_TEXT];

    if (!check_scale(i, a, scale))
        return false;
    return !z || same_shape(s, z) || (granularity_is_one(s) && granularity_is_one(z)) ||
           infer_error(i, "'%s' is %s, must have the shape of '%s', %s", zero, tensor_text(z, type), scale,
                       tensor_text(s, of));
}

/* Blocks have scales in x' own layout. */
bool granularity_channels_last(const struct node *n, int rank, void *attrs)
{
    struct granularity_attrs *a = attrs;
    const int axis = layout_wrap(true, rank, a->axis);

    (void)n;
    if (a->one)
        return true;
    if (a->block_size || axis < 0)
        return false;
    a->axis = axis;
    return true;
}

bool rows_of_granularity(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    const struct granularity_attrs *a = n->attrs;
    const struct tensor *x = types[QUANTIZE_X], *scale = types[QUANTIZE_SCALE];

    return rows_of_first(n, types, rows) &&
           (granularity_is_one(scale) || (!granularity_in_blocks(a, x, scale) && wrap_axis(a->axis, x->rank) > 0));
}

/* -- run -- */

struct granularity { /* x as [outside, size, inner] around the axis */
    int64_t count, size, inner;
    int64_t block, blocks; /* along the axis; 0: none */
    bool one;
};

static struct granularity granularity_of(const struct granularity_attrs *a, const struct tensor *x,
                                         const struct tensor *scale)
{
    struct granularity g = { .count = tensor_count(x), .one = granularity_is_one(scale) };
    const int axis = wrap_axis(a->axis, x->rank);

    if (g.one)
        return g;
    g.size = x->dims[axis];
    g.inner = dims_product(x->dims, axis + 1, x->rank);
    if (granularity_in_blocks(a, x, scale)) {
        g.block = a->block_size;
        g.blocks = scale->dims[axis];
    }
    return g;
}

/* What begins at element `from`. */
static struct granule granule_at(const struct granularity *g, int64_t from)
{
    struct granule run = { .from = from, .n = g->count - from };
    int64_t inner, at, outside;

    if (g->one)
        return run;
    inner = from % g->inner;
    at = from / g->inner % g->size;
    outside = from / g->inner / g->size;
    run.n = g->inner - inner;
    run.scale = at;
    if (g->block) {
        run.each = g->inner > 1;
        run.scale = (outside * g->blocks + at / g->block) * g->inner + inner;
        if (!run.each)
            run.n = lesser(g->block - at % g->block, g->size - at);
    } else if (g->inner == 1) { /* one scale beside the other */
        run.each = true;
        run.n = g->size - at;
    }
    return run;
}

int64_t granularity_scale(const struct granularity_attrs *a, const struct tensor *x, const struct tensor *scale,
                          int64_t element)
{
    const struct granularity g = granularity_of(a, x, scale);

    return granule_at(&g, element).scale;
}

struct job {
    struct granularity g;
    granule_loop *loop;
    const void *job;
};

static void chunk(void *context, int64_t k, int thread)
{
    const struct job *j = context;
    const int64_t end = lesser((k + 1) * JOB_ELEMENTS, j->g.count);

    (void)thread;
    for (int64_t from = k * JOB_ELEMENTS; from < end;) {
        struct granule run = granule_at(&j->g, from);

        run.n = lesser(lesser(run.n, end - from), GRANULE);
        j->loop(j->job, &run);
        from += run.n;
    }
}

void granularity_run(struct step *s, const struct granularity_attrs *a, granule_loop *loop, const void *job)
{
    struct job j = { granularity_of(a, s->in[QUANTIZE_X], s->in[QUANTIZE_SCALE]), loop, job };

    pool_run(s->pool, divide_up(j.g.count, JOB_ELEMENTS), chunk, &j);
}

const float *granule_floats(const struct tensor *t, int64_t from, int64_t n, float *room)
{
    const char *const x = (const char *)t->data + from * (int64_t)dtype_size(t->dtype);

    if (t->dtype == F32)
        return (const float *)(const void *)x;
    convert(&(struct conversion){ t->dtype, F32, ROUNDING_DEFAULT }, x, room, n);
    return room;
}
