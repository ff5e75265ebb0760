#include "ops/random_draw.h"
#include "base/mt19937.h"
#include "base/random.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include <math.h>

/* -- read -- */

bool draw_seed_parse(struct parse *p, struct draw_seed *seed)
{
    const float given = attr_float(p, "seed", NAN); /* NaN is none, for the reference too */

    if (given == given && !(fabsf(given) < 0x1p63f))
        return parse_error(p, "attribute 'seed' is %g, must be a number that an integer can hold", (double)given);
    seed->given = given == given;
    seed->value = seed->given ? (uint32_t)(int64_t)given : 0;
    return true;
}

static bool parse_shape(struct parse *p, struct draw_attrs *a)
{
    if (!attr_given(p, "shape"))
        return parse_error(p, "attribute 'shape' is missing");
    if (!attr_ints(p, "shape", &a->shape))
        return false;
    for (int d = 0; d < a->shape.count; d++)
        if (a->shape.v[d] < 0)
            return parse_error(p, "attribute 'shape' holds %lld, must be at least 0", (long long)a->shape.v[d]);
    a->dtype = a->dtype ? a->dtype : F32;
    return true;
}

bool draw_parse_uniform_like(struct parse *p, void *attrs)
{
    struct draw_attrs *a = attrs;

    a->base = attr_float(p, "low", 0);
    a->factor = (double)attr_float(p, "high", 1) - (double)a->base;
    return draw_seed_parse(p, &a->seed) && attr_dtype(p, "dtype", UNDEFINED, &a->dtype);
}

bool draw_parse_normal_like(struct parse *p, void *attrs)
{
    struct draw_attrs *a = attrs;

    a->normal = true;
    a->base = attr_float(p, "mean", 0);
    a->factor = (double)attr_float(p, "scale", 1);
    return draw_seed_parse(p, &a->seed) && attr_dtype(p, "dtype", UNDEFINED, &a->dtype);
}

bool draw_parse_uniform(struct parse *p, void *attrs)
{
    return draw_parse_uniform_like(p, attrs) && parse_shape(p, attrs);
}

bool draw_parse_normal(struct parse *p, void *attrs)
{
    return draw_parse_normal_like(p, attrs) && parse_shape(p, attrs);
}

/* -- plan -- */

int draw_rank(const struct node *n, int k)
{
    return n->inputs ? rank_of_input(n, k) : ((const struct draw_attrs *)n->attrs)->shape.count;
}

enum dtype draw_told(const struct node *n, int k)
{
    (void)k;
    return dtype_or_input(n, ((const struct draw_attrs *)n->attrs)->dtype);
}

bool draw_infer(struct infer *i)
{
    const struct draw_attrs *a = infer_attrs(i);
    const struct tensor *x = infer_inputs(i) ? typed_in(i, 0) : NULL;
    const enum dtype dtype = a->dtype ? a->dtype : x->dtype;

    if (!dtype_is_float(dtype))
        return infer_error(
            i, "'input' is of type %s and attribute 'dtype' is missing: the output must be a floating-point type",
            dtype_name(dtype));
    return x ? set_out(i, 0, dtype, x->rank, x->dims) : set_out(i, 0, dtype, a->shape.count, a->shape.v);
}

/* -- run -- */

static uint64_t stream_of(const struct step *s)
{
    return random_stream(s->node->stream, s->number);
}

void draw_uniform(const struct step *s, bool wide, int64_t first, int64_t n, double numbers[DRAW_BLOCK])
{
    const int words = wide ? 2 : 1;
    float u[2 * DRAW_BLOCK];

    s->k->random->uniform(u, n * words, s->seed, stream_of(s), (uint64_t)(first * words));
    for (int64_t k = 0; k < n; k++)
        numbers[k] = wide ? (double)u[2 * k] + 0x1p-24 * (double)u[2 * k + 1] : (double)u[k];
}

static void draw_normal(const struct step *s, bool wide, int64_t first, int64_t n, double numbers[DRAW_BLOCK])
{
    float z[DRAW_BLOCK];

    if (wide) {
        random_normal_wide(numbers, n, s->seed, stream_of(s), (uint64_t)first);
        return;
    }
    random_normal(z, n, s->seed, stream_of(s), (uint64_t)first);
    for (int64_t k = 0; k < n; k++)
        numbers[k] = (double)z[k];
}

static void draw_chunk(void *context, int64_t index, int thread)
{
    const struct step *s = context;
    const struct draw_attrs *a = s->attrs;
    const struct tensor *y = s->out[0];
    const int64_t first = index * DRAW_CHUNK, end = lesser(tensor_count(y), first + DRAW_CHUNK);
    convert_loop *const store = convert_between(F64, y->dtype);
    double v[DRAW_BLOCK];

    (void)thread;
    for (int64_t at = first; at < end; at += DRAW_BLOCK) {
        const int64_t n = lesser(end - at, DRAW_BLOCK);

        (a->normal ? draw_normal : draw_uniform)(s, y->dtype == F64, at, n, v);
        for (int64_t k = 0; k < n; k++)
            v[k] = (double)a->base + a->factor * v[k];
        store(v, (char *)y->data + (size_t)at * dtype_size(y->dtype), n);
    }
}

static double rounded(enum dtype dtype, double v)
{
    uint64_t element;

    convert_between(F64, dtype)(&v, &element, 1);
    convert_between(dtype, F64)(&element, &v, 1);
    return v;
}

/* Rounds where the reference does: z, the product and the sum, to the type of the output. */
static void draw_as_reference(const struct draw_attrs *a, struct tensor *y)
{
    const double base = rounded(y->dtype, (double)a->base), factor = rounded(y->dtype, a->factor);
    convert_loop *const store = convert_between(F64, y->dtype);
    const size_t size = dtype_size(y->dtype);
    const int64_t count = tensor_count(y);
    struct mt mt;

    mt_seed(&mt, a->seed.value);
    for (int64_t k = 0; k < count; k++) {
        const double z = rounded(y->dtype, a->normal ? mt_normal(&mt) : mt_double(&mt));
        const double v = rounded(y->dtype, z * factor) + base;

        store(&v, (char *)y->data + (size_t)k * size, 1);
    }
}

bool draw_run(struct step *s)
{
    const struct draw_attrs *a = s->attrs;

    if (!s->out[0])
        return true;
    if (a->seed.given)
        draw_as_reference(a, s->out[0]);
    else
        pool_run(s->pool, divide_up(tensor_count(s->out[0]), DRAW_CHUNK), draw_chunk, s);
    return true;
}
