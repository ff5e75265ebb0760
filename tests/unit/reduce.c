/* Reductions and softmax over any axes of any shape, against naive loops; one thread and three give the same bytes. */
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "numbers.h"

static const enum dtype every_type[] = { F32, F64, F16, BF16, I32, I64, U32, U64, I8, U8, BOOL };
enum { TYPES = sizeof every_type / sizeof *every_type };

/* Quarters, or whole numbers: sums that every type holds exactly. */
static void put_number(enum dtype d, void *p, int64_t i, int64_t quarters)
{
    if (dtype_is_float(d))
        put(d, p, i, (double)quarters / 4);
    else if (d == I64 || d == U64)
        ((int64_t *)p)[i] = quarters;
    else if (d == I32 || d == U32)
        ((int32_t *)p)[i] = (int32_t)quarters;
    else
        ((int8_t *)p)[i] = d == BOOL ? quarters > 0 : (int8_t)quarters;
}

static double get_number(enum dtype d, const void *p, int64_t i)
{
    switch (d) {
    case I64:
        return (double)((const int64_t *)p)[i];
    case U64:
        return (double)((const uint64_t *)p)[i];
    case I32:
        return ((const int32_t *)p)[i];
    case U32:
        return ((const uint32_t *)p)[i];
    case I8:
        return ((const int8_t *)p)[i];
    case U8:
    case BOOL:
        return ((const uint8_t *)p)[i];
    default:
        return get(d, p, i);
    }
}

static void random_shape(struct tensor *x, uint32_t *axes)
{
    const int64_t kind = random_below(8);

    *x = (struct tensor){ .rank = (int)random_below(6) };
    for (int d = 0; d < x->rank; d++)
        x->dims[d] = kind == 0 ? random_below(3) : 1 + random_below(7);
    if (kind == 1) { /* long enough to be cut */
        x->rank = 3;
        x->dims[0] = 1 + random_below(2);
        x->dims[1] = 600 + random_below(900);
        x->dims[2] = 1 + random_below(300);
    }
    *axes = (uint32_t)random_below(1 << x->rank);
}

/* The element of the result that element i of x goes to. */
static int64_t goes_to(const struct tensor *x, uint32_t axes, int64_t i)
{
    int64_t to = 0, stride = 1;

    for (int d = x->rank - 1; d >= 0; d--) {
        if (!(axes >> d & 1)) {
            to += i % x->dims[d] * stride;
            stride *= x->dims[d];
        }
        i /= x->dims[d];
    }
    return to;
}

static void *reduced(struct pool *pool, const struct reduce_shape *s, enum reduction r, enum dtype d, const void *x)
{
    void *scratch = room(reduce_scratch(s)), *y = room((size_t)s->outputs * dtype_size(d));

    reduce(kernels_get(), pool, s, r, d, x, y, scratch);
    free(scratch);
    return y;
}

static double empty_of(enum reduction r)
{
    return r == REDUCE_MAX ? -(double)INFINITY : r == REDUCE_MIN ? (double)INFINITY : r == REDUCE_PROD ? 1 : 0;
}

static double combined(enum reduction r, double so_far, double v)
{
    switch (r) {
    case REDUCE_MAX:
        return fmax(so_far, v);
    case REDUCE_MIN:
        return fmin(so_far, v);
    case REDUCE_PROD:
        return so_far * v;
    case REDUCE_L1:
        return so_far + fabs(v);
    case REDUCE_SQUARES:
    case REDUCE_L2:
        return so_far + v * v;
    default:
        return so_far + v;
    }
}

static double finished(enum reduction r, double so_far, int64_t count)
{
    return r == REDUCE_MEAN      ? so_far / (double)count
           : r == REDUCE_L2      ? sqrt(so_far)
           : r == REDUCE_LOG_SUM ? log(so_far)
                                 : so_far;
}

/* A product of many numbers stays what every type can hold, and what has a logarithm is positive. */
static int64_t drawn(enum reduction r, enum dtype d, int64_t i)
{
    const int64_t least = d == U8 || d == U32 || d == U64 ? 0 : -3;

    if (r == REDUCE_LOG_SUM)
        return 1 + random_below(7);
    return r != REDUCE_PROD ? least + random_below(7) : i < 8 ? 2 : least ? 1 - 2 * random_below(2) : 1;
}

static void check_reduction(struct pool *pool, const struct tensor *x, uint32_t axes, enum reduction r, enum dtype d)
{
    const int64_t n = tensor_count(x);
    struct reduce_shape s;
    void *values = room((size_t)n * dtype_size(d)), *y, *again;
    double *sum;

    reduce_shape_of(&s, x, axes);
    sum = room((size_t)s.outputs * sizeof *sum);
    for (int64_t o = 0; o < s.outputs; o++)
        sum[o] = empty_of(r);
    for (int64_t i = 0; i < n; i++) {
        double *const to = &sum[goes_to(x, axes, i)];

        put_number(d, values, i, drawn(r, d, i));
        *to = combined(r, *to, get_number(d, values, i));
    }
    y = reduced(NULL, &s, r, d, values);
    again = reduced(pool, &s, r, d, values);
    ck_assert_mem_eq(y, again, (size_t)s.outputs * dtype_size(d));
    for (int64_t o = 0; o < s.outputs && s.count; o++) {
        const double need = finished(r, sum[o], s.count);
        const double whole = dtype_is_float(d) ? need : trunc(need);
        const double within = d == F16 ? 1e-3 : d == BF16 ? 8e-3 : d == F32 ? 1e-6 : 1e-12;

        ck_assert_double_le(fabs(get_number(d, y, o) - whole), within * (1 + fabs(whole)));
    }
    free(values);
    free(y);
    free(again);
    free(sum);
}

START_TEST(any_axes_of_any_shape)
{
    struct budget b = { 0 };
    struct pool *pool = pool_new(3, &b, NULL);

    for (int k = 0; k < 150; k++) {
        const enum dtype d = every_type[k % TYPES];
        struct tensor x;
        uint32_t axes;

        random_shape(&x, &axes);
        for (int r = 0; r < REDUCTIONS; r++)
            if (reduce_has((enum reduction)r, d))
                check_reduction(pool, &x, axes, (enum reduction)r, d);
    }
    pool_free(pool);
}
END_TEST

START_TEST(nothing_has_a_sum_a_mean_and_extremes)
{
    const struct tensor x = { .dtype = F32, .rank = 2, .dims = { 3, 0 } };
    struct reduce_shape s;
    float *y;

    reduce_shape_of(&s, &x, 2);
    for (int r = 0; r < REDUCTIONS; r++) {
        y = reduced(NULL, &s, (enum reduction)r, F32, &x);
        for (int o = 0; o < 3; o++)
            ck_assert(r == REDUCE_MEAN      ? isnan(y[o])
                      : r == REDUCE_LOG_SUM ? y[o] == -INFINITY
                                            : (double)y[o] == empty_of((enum reduction)r));
        free(y);
    }
}
END_TEST

START_TEST(a_maximum_keeps_nan_and_shares_its_gradient)
{
    const struct tensor x = { .dtype = F32, .rank = 2, .dims = { 2, 3 } };
    const float values[] = { 1, 4, 4, NAN, 2, 3 }, dy[] = { 6, 6 }, need[] = { 0, 3, 3 };
    struct reduce_shape s;
    float *y, dx[6];

    reduce_shape_of(&s, &x, 2);
    y = reduced(NULL, &s, REDUCE_MAX, F32, values);
    ck_assert(y[0] == 4 && isnan(y[1]));
    reduce_max_grad(NULL, &s, F32, values, y, dy, dx);
    ck_assert_mem_eq(dx, need, sizeof need);
    free(y);
}
END_TEST

/* Integers have logarithms and roots, truncated; what has no logarithm has the least value. */
START_TEST(integers_have_roots_and_logarithms)
{
    const struct tensor x = { .dtype = I32, .rank = 2, .dims = { 4, 2 } };
    const int32_t values[] = { 3, 5, -40000, 30000, -3, 3, 1, 0 };
    const int32_t roots[] = { 5, 50000, 4, 1 }, logarithms[] = { 2, INT32_MIN, INT32_MIN, 0 };
    struct reduce_shape s;
    int32_t *y;

    reduce_shape_of(&s, &x, 2);
    y = reduced(NULL, &s, REDUCE_L2, I32, values);
    ck_assert_mem_eq(y, roots, sizeof roots);
    free(y);
    y = reduced(NULL, &s, REDUCE_LOG_SUM, I32, values);
    ck_assert_mem_eq(y, logarithms, sizeof logarithms);
    free(y);
    y = reduced(NULL, &s, REDUCE_LOG_SUM, U32, (const int32_t[8]){ 3, 5 });
    ck_assert(y[0] == 2 && y[1] == 0);
    free(y);
}
END_TEST

/* One NaN anywhere, along rows and columns, in what is reduced at once and in segments that are merged. */
START_TEST(a_nan_is_an_extreme_wherever_it_is)
{
    static const enum dtype types[] = { F16, BF16, F32, F64 };
    static const int64_t sizes[] = { 3, 67, 70000 };
    const enum dtype d = types[_i % 4];
    const enum reduction r = _i / 12 ? REDUCE_MIN : REDUCE_MAX;
    const int64_t n = sizes[_i / 4 % 3];
    struct pool *pool = threads(2);

    for (int across = 0; across < 2; across++) {
        const struct tensor x = { .dtype = d, .rank = 2, .dims = { across ? n : 2, across ? 2 : n } };
        void *values = random_array(d, 2 * n);
        struct reduce_shape s;

        reduce_shape_of(&s, &x, across ? 1 : 2);
        for (int k = 0; k < 7; k++) {
            const int64_t at = (n - 1) * k / 6, i = across ? 2 * at : at; /* of the first of two results */
            const double was = get(d, values, i);
            void *y;

            put(d, values, i, (double)NAN);
            y = reduced(pool, &s, r, d, values);
            ck_assert_msg(isnan(get(d, y, 0)) && !isnan(get(d, y, 1)), "element %lld of %lld, %s", (long long)at,
                          (long long)n, across ? "across" : "along");
            free(y);
            put(d, values, i, was);
        }
        free(values);
    }
    pool_free(pool);
}
END_TEST

/* -- softmax -- */

static void row_of(const double *x, int64_t n, bool log_of, double *y)
{
    double most = -(double)INFINITY, sum = 0;

    for (int64_t i = 0; i < n; i++)
        most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    for (int64_t i = 0; i < n; i++)
        y[i] = log_of ? x[i] - most - log(sum) : exp(x[i] - most) / sum;
}

static void grad_of(const double *y, const double *dy, int64_t n, bool log_of, double *dx)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += log_of ? dy[i] : y[i] * dy[i];
    for (int64_t i = 0; i < n; i++)
        dx[i] = log_of ? dy[i] - exp(y[i]) * sum : y[i] * (dy[i] - sum);
}

static void check_row(const struct softmax_shape *s, enum dtype d, bool log_of, int64_t first, const void *x,
                      const void *y, const void *dy, const void *dx)
{
    double *in = room((size_t)s->n * 4 * sizeof *in), *up = in + s->n, *out = up + s->n, *back = out + s->n;
    const double within = d == F64 ? 1e-12 : d == F32 ? 2e-6 : d == F16 ? 4e-3 : 3e-2;

    for (int64_t i = 0; i < s->n; i++)
        in[i] = get(d, x, first + i * s->inner);
    row_of(in, s->n, log_of, out);
    for (int64_t i = 0; i < s->n; i++) {
        ck_assert_double_le(fabs(get(d, y, first + i * s->inner) - out[i]), within * (1 + fabs(out[i])));
        out[i] = get(d, y, first + i * s->inner); /* the gradient is that of what was written */
        up[i] = get(d, dy, first + i * s->inner);
    }
    grad_of(out, up, s->n, log_of, back);
    for (int64_t i = 0; i < s->n; i++)
        ck_assert_double_le(fabs(get(d, dx, first + i * s->inner) - back[i]), 4 * within * (1 + fabs(back[i])));
    free(in);
}

static void check_softmax(struct pool *pool, const struct softmax_shape *s, enum dtype d, bool log_of)
{
    const struct kernels *k = kernels_get();
    const int64_t n = s->outer * s->n * s->inner;
    const size_t bytes = (size_t)n * dtype_size(d);
    void *x = random_array(d, n), *y = room(bytes), *dy = random_array(d, n), *dx = room(bytes), *again = room(bytes);
    void *scratch = room(softmax_scratch(s, d, 3));

    softmax(k, NULL, s, d, log_of, x, y, scratch);
    memcpy(again, x, bytes);
    softmax(k, pool, s, d, log_of, again, again, scratch); /* in place */
    ck_assert_mem_eq(y, again, bytes);
    softmax_grad(k, NULL, s, d, log_of, y, dy, dx, scratch);
    memcpy(again, dy, bytes);
    softmax_grad(k, pool, s, d, log_of, y, again, again, scratch);
    ck_assert_mem_eq(dx, again, bytes);
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++)
            check_row(s, d, log_of, o * s->n * s->inner + i, x, y, dy, dx);
    free(x);
    free(y);
    free(dy);
    free(dx);
    free(again);
    free(scratch);
}

START_TEST(softmax_along_any_axis)
{
    const enum dtype floats[] = { F32, F64, F16, BF16 };
    struct budget b = { 0 };
    struct pool *pool = pool_new(3, &b, NULL);

    for (int k = 0; k < 80; k++) {
        const struct softmax_shape s = { random_below(9), 1 + random_below(k % 8 ? 30 : 3000),
                                         k % 3 ? 1 : 1 + random_below(40) };

        check_softmax(pool, &s, floats[k % 4], k & 4);
    }
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("reduce");

    add_test(s, any_axes_of_any_shape);
    add_test(s, nothing_has_a_sum_a_mean_and_extremes);
    add_test(s, a_maximum_keeps_nan_and_shares_its_gradient);
    add_test(s, integers_have_roots_and_logarithms);
    add_tests(s, a_nan_is_an_extreme_wherever_it_is, 24);
    add_test(s, softmax_along_any_axis);
    return s;
}
