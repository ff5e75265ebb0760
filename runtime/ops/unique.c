/* Unique, https://onnx.ai/onnx/operators/onnx__Unique.html
 *
 * The elements of the flattened input, or its slices along `axis`, each once, in ascending order or in that in which they
 * come first (sorted=0); where each comes first, which one each slice of the input is, and how many are the same.
 *
 * Slices are compared by their first elements that differ; as numpy does, NaN is equal to itself and comes last, complex
 * numbers are compared by their real parts first; strings are by their bytes. Of those that are the same, such as 0 and
 * -0, the first one is taken. How many there are only running can tell.
 *
 * Y is made of those that come first, which get its gradient; that of all others is zero:
 *
 *   dX[k] = first[k] ? dY[inverse_indices[k]] : 0 */
#include "ops/move.h"
#include "ops/ordered.h"
#include "ops/rank.h"
#include "tensor/half.h"
#include <stdio.h>
#include <string.h>

enum { Y, INDICES, INVERSE, COUNTS, FIRST }; /* outputs; FIRST is hidden: which slices of the input come first */

struct unique {
    bool whole; /* the flattened input */
    int64_t axis;
    bool unsorted;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct unique *a = attrs;
    const int64_t sorted = attr_int(p, "sorted", 1);

    a->whole = !attr_given(p, "axis");
    a->axis = attr_int(p, "axis", 0);
    a->unsorted = !sorted;
    return sorted == 0 || sorted == 1 || parse_error(p, "sorted is %lld, must be 0 or 1", (long long)sorted);
}

static int rank(const struct node *n, int k)
{
    return k == Y && !((const struct unique *)n->attrs)->whole ? rank_of_input(n, k) : 1;
}

/* -- plan -- */

/* The input as [outer, n, inner]: n slices. */
struct slices {
    int64_t outer, n, inner;
};

static bool slices_of(const struct unique *a, const struct tensor *x, struct slices *s)
{
    const int axis = a->whole ? 0 : wrap_axis(a->axis, x->rank);

    if (axis < 0)
        return false;
    *s = a->whole ? (struct slices){ 1, tensor_count(x), 1 }
                  : (struct slices){ dims_product(x->dims, 0, axis), x->dims[axis],
                                     dims_product(x->dims, axis + 1, x->rank) };
    return true;
}

/* What running needs: four lists of n indices. */
enum { LISTS = 4 };

static bool infer(struct infer *i)
{
    const struct unique *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int64_t unknown = UNKNOWN;
    int64_t dims[MAX_RANK] = { UNKNOWN }, bytes;
    struct slices s;

    if (!slices_of(a, x, &s))
        return axis_error(i, a->axis, x->rank);
    if (!mul_size(s.n, LISTS * (int64_t)sizeof(int64_t), &bytes))
        return infer_error(i, "'X' has %lld slices, more than can be compared", (long long)s.n);
    need_scratch(i, to_size(bytes));
    if (!a->whole) {
        memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
        dims[wrap_axis(a->axis, x->rank)] = UNKNOWN;
    }
    return set_out(i, Y, x->dtype, a->whole ? 1 : x->rank, dims) && set_out(i, INDICES, I64, 1, &unknown) &&
           set_out(i, INVERSE, I64, 1, &s.n) && set_out(i, COUNTS, I64, 1, &unknown) &&
           set_out(i, FIRST, BOOL, 1, &s.n);
}

/* -- compare -- */

/* Below 0: element *a comes first; 0: they are the same. */
typedef int compare_fn(const void *a, const void *b);

#define COMPARE(name, type)                                                                                            \
    static int name(const void *a, const void *b)                                                                      \
    {                                                                                                                  \
        const type x = *(const type *)a, y = *(const type *)b;                                                         \
                                                                                                                       \
        return (x > y) - (x < y);                                                                                      \
    }
COMPARE(compare_i8, int8_t)
COMPARE(compare_i16, int16_t)
COMPARE(compare_i32, int32_t)
COMPARE(compare_i64, int64_t)
COMPARE(compare_u8, uint8_t)
COMPARE(compare_u16, uint16_t)
COMPARE(compare_u32, uint32_t)
COMPARE(compare_u64, uint64_t)
#undef COMPARE

static int compare_numbers(double x, double y)
{
    return x > y ? 1 : x < y ? -1 : (x != x) - (y != y);
}

static int compare_f64(const void *a, const void *b)
{
    return compare_numbers(*(const double *)a, *(const double *)b);
}

static int compare_f32(const void *a, const void *b)
{
    return compare_numbers((double)*(const float *)a, (double)*(const float *)b);
}

static int compare_f16(const void *a, const void *b)
{
    return compare_numbers((double)f16_to_f32(*(const uint16_t *)a), (double)f16_to_f32(*(const uint16_t *)b));
}

static int compare_bf16(const void *a, const void *b)
{
    return compare_numbers((double)bf16_to_f32(*(const uint16_t *)a), (double)bf16_to_f32(*(const uint16_t *)b));
}

static int compare_c64(const void *a, const void *b)
{
    const int real = compare_f32(a, b);

    return real ? real : compare_f32((const float *)a + 1, (const float *)b + 1);
}

static int compare_c128(const void *a, const void *b)
{
    const int real = compare_f64(a, b);

    return real ? real : compare_f64((const double *)a + 1, (const double *)b + 1);
}

static int compare_string(const void *a, const void *b)
{
    const struct string *const s = *(const struct string *const *)a, *const t = *(const struct string *const *)b;
    const size_t n = s ? s->length : 0, m = t ? t->length : 0, both = n < m ? n : m;
    const int differ = both ? memcmp(s->bytes, t->bytes, both) : 0;

    return differ ? differ : (n > m) - (n < m);
}

static compare_fn *const compare[DTYPES] = {
    [F16] = compare_f16, [F32] = compare_f32,   [F64] = compare_f64,       [I8] = compare_i8,
    [I16] = compare_i16, [I32] = compare_i32,   [I64] = compare_i64,       [U8] = compare_u8,
    [U16] = compare_u16, [U32] = compare_u32,   [U64] = compare_u64,       [BOOL] = compare_u8,
    [C64] = compare_c64, [C128] = compare_c128, [STRING] = compare_string, [BF16] = compare_bf16,
};

struct comparison {
    struct slices s;
    compare_fn *compare;
    const char *x;
    int64_t size;
};

static int compare_slices(const struct comparison *c, int64_t a, int64_t b)
{
    const int64_t slice = c->s.inner * c->size;

    for (int64_t o = 0; o < c->s.outer; o++) {
        const char *x = c->x + (o * c->s.n + a) * slice, *y = c->x + (o * c->s.n + b) * slice;

        for (int64_t k = 0; k < slice; k += c->size) {
            const int differ = c->compare(x + k, y + k);

            if (differ)
                return differ;
        }
    }
    return 0;
}

static bool before(const void *context, int64_t a, int64_t b)
{
    return compare_slices(context, a, b) < 0;
}

/* -- run -- */

struct groups {
    int64_t count;
    int64_t *of;    /* by slice: its group */
    int64_t *first; /* by group: its first slice */
};

/* Numbers the groups by where they come first. */
static void renumber(struct groups *g, int64_t n, int64_t *number, int64_t *first)
{
    int64_t next = 0;

    for (int64_t k = 0; k < n; k++) {
        const int64_t group = g->of[k];

        if (g->first[group] == k) {
            first[next] = k;
            number[group] = next++;
        }
        g->of[k] = number[group];
    }
    g->first = first;
}

/* False where the time is over. */
static bool find_groups(struct step *s, const struct comparison *c, bool unsorted, struct groups *g)
{
    const int64_t n = c->s.n;
    int64_t *const order = s->scratch, *const of = order + n, *const first = of + n, *const number = first + n;

    *g = (struct groups){ 0, of, first };
    for (int64_t k = 0; k < n; k++)
        order[k] = k;
    if (!sort_indices(s->pool, order, of, n, before, c))
        return false;
    for (int64_t k = 0; k < n; k++) {
        if (!k || compare_slices(c, order[k - 1], order[k]))
            first[g->count++] = order[k];
        of[order[k]] = g->count - 1;
    }
    if (unsorted)
        renumber(g, n, number, order);
    return true;
}

static void put_slices(const struct comparison *c, const struct groups *g, char *y)
{
    const int64_t slice = c->s.inner * c->size;

    for (int64_t o = 0; o < c->s.outer && slice; o++)
        for (int64_t k = 0; k < g->count; k++, y += slice)
            memcpy(y, c->x + (o * c->s.n + g->first[k]) * slice, (size_t)slice);
}

static bool put_all(struct step *s, const struct unique *a, const struct comparison *c, const struct groups *g)
{
    int64_t dims[MAX_RANK] = { g->count }, *counts;

    if (!a->whole) {
        memcpy(dims, s->in[0]->dims, (size_t)s->in[0]->rank * sizeof *dims);
        dims[wrap_axis(a->axis, s->in[0]->rank)] = g->count;
    }
    if ((s->out[Y] && !step_alloc(s, Y, s->in[0]->dtype, a->whole ? 1 : s->in[0]->rank, dims)) ||
        (s->out[INDICES] && !step_alloc(s, INDICES, I64, 1, &g->count)) ||
        (s->out[COUNTS] && !step_alloc(s, COUNTS, I64, 1, &g->count)))
        return false;
    if (s->out[Y])
        put_slices(c, g, s->out[Y]->data);
    if (s->out[INDICES] && g->count)
        memcpy(s->out[INDICES]->data, g->first, (size_t)g->count * sizeof *g->first);
    if (s->out[INVERSE] && c->s.n)
        memcpy(s->out[INVERSE]->data, g->of, (size_t)c->s.n * sizeof *g->of);
    for (int64_t k = 0; k < c->s.n && s->out[FIRST]; k++)
        ((uint8_t *)s->out[FIRST]->data)[k] = g->first[g->of[k]] == k;
    counts = s->out[COUNTS] ? s->out[COUNTS]->data : NULL;
    for (int64_t k = 0; k < g->count && counts; k++)
        counts[k] = 0;
    for (int64_t k = 0; k < c->s.n && counts; k++)
        counts[g->of[k]]++;
    return true;
}

static bool run(struct step *s)
{
    const struct unique *a = s->attrs;
    const struct tensor *x = s->in[0];
    struct comparison c = { .compare = compare[x->dtype], .x = x->data, .size = (int64_t)dtype_size(x->dtype) };
    struct groups g;

    slices_of(a, x, &c.s);
    return !find_groups(s, &c, a->unsorted, &g) || put_all(s, a, &c, &g);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct unique *a = attrs_of(b);
    const struct tensor *x = type_in(b, 0);
    struct emitter *e = emitter_of(b);
    struct value *inverse = forward_out(b, INVERSE), *first = forward_out(b, FIRST), *dx;
    const int rank = a->whole ? 1 : x->rank, axis = a->whole ? 0 : wrap_axis(a->axis, x->rank);
    int64_t dims[MAX_RANK];
    char attrs[32];

    dims[0] = a->whole ? tensor_count(x) : x->dims[axis];
    for (int d = 1; d < rank - axis; d++)
        dims[d] = 1;
    snprintf(attrs, sizeof attrs, "axis=%d", axis);
    dx = emit(e, "Where", "", 3, emit_reshape(e, first, rank - axis, dims),
              emit(e, "Gather", attrs, 2, upstream(b, Y), inverse), emit_scalar(e, x->dtype, 0));
    give(b, 0, a->whole ? emit_reshape(e, dx, x->rank, x->dims) : dx);
    return backward_ok(b);
}

/* What comes first, of what the standard has. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct unique *a = n->attrs;
    struct value *made[FIRST], *ones;
    struct slices s;
    char attrs[64];

    slices_of(a, in[0], &s);
    snprintf(attrs, sizeof attrs, a->whole ? "sorted=%d" : "sorted=%d axis=%lld", !a->unsorted, (long long)a->axis);
    if (!emit_many(e, "Unique", attrs, FIRST, made, 1, n->in))
        return false;
    for (int k = 0; k < FIRST; k++)
        out[k] = made[k];
    ones = emit(e, "Add", "", 2, emit(e, "Sub", "", 2, made[INDICES], made[INDICES]), emit_scalar(e, I64, 1));
    out[FIRST] =
        emit_cast(e, emit(e, "ScatterElements", "", 3, emit_zeros(e, I64, 1, &s.n), made[INDICES], ones), BOOL);
    return !e->failed;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[1,3]", "axis=0", "f32[1,3] i64[1] i64[1] i64[1]", 0 },
    { "f32[6]{2,1,1,3,4,3}", "", "f32[4] i64[4] i64[6] i64[4]", 0 },
    { "f64[2,3]{2,1,1,3,4,3}", "sorted=0", "f64[4] i64[4] i64[6] i64[4]", 0 },
    { "f64[2,3]~", "", "f64[6]", 1 },
    { "f64[2,4,2]~", "axis=1 sorted=0", "f64[2,4,2] - i64[4]", 1 },
    { "f32[4,3]~", "axis=-2", "f32[4,3] i64[4] - i64[4]", 1 },
    { "f64[]", "", "f64[1]", 1 },
    { "f32[2,4,2]{1,1,0,1,2,1,0,1,1,1,0,1,2,1,0,1}", "axis=1", "f32[2,3,2] i64[3] i64[4] i64[3]", 0 },
    { "i64[3,3]{1,0,0,1,0,0,2,3,4}", "axis=-2 sorted=0", "i64[2,3] - i64[3]", 0 },
    { "str[4]", "", "str[1] - - i64[1]", 0 },
    { "bool[5]{1,0,0,1,1}", "", "- i64[2] i64[5]", 0 },
    { "c64[3]{1,1,0}", "", "c64[2] i64[2]", 0 },
    { "f16[0]", "", "f16[0] i64[0] i64[0] i64[0]", 0 },
    { "f16[3,0]", "axis=0", "f16[1,0] i64[1] i64[3] i64[1]", 0 },
    { "i8[]", "", "i8[1] i64[1] i64[1] i64[1]", 0 },
    { 0 },
};

static const struct op_case cases_28[] = {
    { "bf16[2,3]{2,1,1,3,-4,3}", "", "bf16[4] i64[4] i64[6] i64[4]", 0 },
    { "bf16[3,3]{1,0,0,1,0,0,2,3,4}", "axis=0", "bf16[2,3] i64[2] i64[3] i64[2]", 0 },
    { "f32[1,3]", "axis=0", "f32[1,3] i64[1] i64[1] i64[1]", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y, I indices?, I inverse_indices?, I counts?",                        \
        .types = "T: " list "; I: i64", .attrs_size = sizeof(struct unique), .parse = parse, .rank = rank,             \
        .infer = infer, .run = run, .gradient = gradient, .plain = plain, .hidden = 1, .cases = tests                  \
    }

const struct op op_unique = {
    .name = "Unique",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "all bf16", cases_28), ROW(11, "all", cases), { 0 } },
};
