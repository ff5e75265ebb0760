#include "kernels/norm.h"
#include "kernels/pooling.h"
#include "numbers.h"
#include "ops/elementwise.h"
#include "ops/registry.h"

/* -- the table, against plain C and against double -- */

/* Entries whose every result is one IEEE operation, or a fixed few: all levels give the same bits. */
START_TEST(arithmetic_is_the_same_bits)
{
    const struct kernels *const k = kernels_for(_i), *const plain = kernels_for(CPU_BASE);
    enum { N = 1003 };

    if (!k)
        return;
    float *const p = random_array(F32, N), *const q = random_array(F32, N), *const a = room(4 * N),
                 *const b = room(4 * N);

    p[3] = NAN;
    q[4] = NAN;
    q[5] = 0;
#define SAME(call)                                                                                                     \
    memcpy(a, p, 4 * N);                                                                                               \
    memcpy(b, p, 4 * N);                                                                                               \
    {                                                                                                                  \
        const struct kernels *const table = k;                                                                         \
        float *const y = a;                                                                                            \
        table->call;                                                                                                   \
    }                                                                                                                  \
    {                                                                                                                  \
        const struct kernels *const table = plain;                                                                     \
        float *const y = b;                                                                                            \
        table->call;                                                                                                   \
    }                                                                                                                  \
    for (int i = 0; i < N; i++)                                                                                        \
        ck_assert_msg((isnan(a[i]) && isnan(b[i])) || !memcmp(a + i, b + i, 4), #call " [%d]: %g, plain C %g", i,      \
                      (double)a[i], (double)b[i]);
    SAME(map->add(p, q, y, N))
    SAME(map->mul(p, q, y, N))
    SAME(map->add_s(p, .3f, y, N))
    SAME(map->mul_s(p, .3f, y, N))
    SAME(map->relu(p, y, N))
    SAME(map->affine(p, y, N, .3f, .2f))
    SAME(map->axpy(.3f, q, y, N))
    SAME(conv->row_axpy(.3f, q, 2, y, 1, N / 2))
    SAME(conv->row_axpy(.3f, q, 1, y, 3, N / 3))
    SAME(pool->row_max(q, 1, y, N))
    SAME(pool->row_max(q, 2, y, N / 2))
    SAME(pool->row_max(q, 3, y, N / 3))
    SAME(map->bias_columns(p, q, y, 17, 59, true))
    SAME(map->bias_rows(p, q, y, 17, 59, false))
    SAME(norm->scale_shift(p, y, N, .1f, .2f, .3f))
    SAME(norm->norm_back(p, q, y, N, .1f, .2f, .3f, .4f))
    SAME(pool->max_pool_2x2(p, 34, y, 7, 17))
    SAME(pool->max_pool_2x2_grad(p, 34, q, y, 7, 17))
    SAME(update->sgd(y, NULL, q, N, .1f, 0, false))
    SAME(gemm->transpose_4((const uint32_t *)(const void *)p, 59, (uint32_t *)(void *)y, 17, 17, 59))
    for (int width = 1; width <= 32; width++)
        for (int count = 0; count <= width; count += 5) {
            SAME(gemm->pack_4(p, 1, 40, count, width, 21, y))
            SAME(gemm->pack_4(p, 23, 1, count, width, 23, y))
            SAME(gemm->pack_4(p, 3, 5, count, width, 20, y))
        }
#undef SAME
    free(p);
    free(q);
    free(a);
    free(b);
}
END_TEST

/* Wherever it stands: in a whole vector or at the end. */
START_TEST(optimisers_tell_what_is_not_finite)
{
    const struct kernels *const k = kernels_for(_i);
    enum { N = 777, FORMS = 8 };
    static const float wrong[] = { NAN, INFINITY, -INFINITY, -NAN };

    if (!k)
        return;
    float *const w = room(4 * N), *const v = room(4 * N), *const mean = room(4 * N), *const m = room(4 * N);
    float *const g = room(4 * N);

    for (int f = 0; f < FORMS; f++)
        for (int place = 0; place <= N; place++) { /* at N nothing is wrong */
            bool ok;

            for (int i = 0; i < N; i++) {
                w[i] = 3e38f; /* finite, though two of them are not */
                v[i] = 1;
                mean[i] = m[i] = .01f;
                g[i] = i == place ? wrong[(place + f) % 4] : (float)(i % 7) * .1f;
            }
            if (f == 0)
                ok = k->update->adam(w, m, v, g, N, .01f, .1f, .001f, 1e-7f);
            else if (f < 5)
                ok = k->update->rmsprop(w, v, f & 1 ? mean : NULL, f & 2 ? m : NULL, g, N, .1f, .9f, .5f, 1e-7f);
            else
                ok = k->update->sgd(w, f > 5 ? m : NULL, g, N, .1f, .9f, f == 7);
            ck_assert_msg(ok == (place == N), "form %d, element %d", f, place);
        }
    free(w);
    free(v);
    free(mean);
    free(m);
    free(g);
}
END_TEST

START_TEST(optimisers_follow_keras)
{
    const struct kernels *const k = kernels_for(_i);
    enum { N = 777 };

    if (!k)
        return;
    float *const w = random_array(F32, N), *const m = random_array(F32, N), *const v = random_array(F32, N);
    float *const mean = room(4 * N), *const g = random_array(F32, N), *const was = room(4 * N),
                 *const old_m = room(4 * N), *const old_v = room(4 * N);

    for (int i = 0; i < N; i++) {
        v[i] = fabsf(v[i]) + .5f;
        mean[i] = .1f;
    }
    memcpy(was, w, 4 * N);
    memcpy(old_m, m, 4 * N);
    memcpy(old_v, v, 4 * N);
    k->update->adam(w, m, v, g, N, .01f, .1f, .001f, 1e-7f);
    for (int i = 0; i < N; i++) {
        const float m1 = old_m[i] + (g[i] - old_m[i]) * .1f, v1 = old_v[i] + (g[i] * g[i] - old_v[i]) * .001f;

        ck_assert_float_eq(m[i], m1);
        ck_assert_float_eq(v[i], v1);
        ck_assert_float_eq(w[i], was[i] - m1 * .01f / (sqrtf(v1) + 1e-7f));
    }
    memcpy(was, w, 4 * N);
    memcpy(old_m, m, 4 * N);
    memcpy(old_v, v, 4 * N);
    k->update->rmsprop(w, v, mean, m, g, N, .01f, .9f, .5f, 1e-7f);
    for (int i = 0; i < N; i++) {
        const float v1 = .9f * old_v[i] + (1 - .9f) * (g[i] * g[i]), a1 = .9f * .1f + (1 - .9f) * g[i];
        const float m1 = .5f * old_m[i] + .01f * g[i] / sqrtf(v1 - a1 * a1 + 1e-7f);

        ck_assert_float_eq(v[i], v1);
        ck_assert_float_eq(mean[i], a1);
        ck_assert_float_eq(m[i], m1);
        ck_assert_float_eq(w[i], was[i] - m1);
    }
    memcpy(was, w, 4 * N);
    memcpy(old_m, m, 4 * N);
    k->update->sgd(w, m, g, N, .01f, .9f, true);
    for (int i = 0; i < N; i++) {
        const float m1 = .9f * old_m[i] - .01f * g[i];

        ck_assert_float_eq(m[i], m1);
        ck_assert_float_eq(w[i], was[i] + (.9f * m1 - .01f * g[i]));
    }
    free(w);
    free(m);
    free(v);
    free(mean);
    free(g);
    free(was);
    free(old_m);
    free(old_v);
}
END_TEST

START_TEST(reductions_are_accurate)
{
    const struct kernels *const k = kernels_for(_i);
    const int64_t sizes[] = { 0, 1, 3, 16, 33, 100, 2048, 2049, 70001 };

    for (int s = 0; k && s < 9; s++) {
        const int64_t n = sizes[s];
        float *const x = random_array(F32, n + 1), *const y = random_array(F32, n + 1);
        double sum = 0, squares = 0, product = 0, size = 1, top = -INFINITY, low = INFINITY;

        for (int64_t i = 0; i < n; i++) {
            sum += (double)x[i];
            squares += (double)x[i] * (double)x[i];
            product += (double)x[i] * (double)y[i];
            size += fabs((double)x[i]);
            top = fmax(top, (double)x[i]);
            low = fmin(low, (double)x[i]);
        }
        expect_near("sum", n, (double)k->reduce->sum(x, n), sum, 1e-7 * size);
        expect_near("sum_squares", n, (double)k->reduce->sum_squares(x, n), squares, 1e-6 * size);
        expect_near("dot", n, (double)k->reduce->dot(x, y, n), product, 1e-6 * size);
        ck_assert(n == 0 || (double)k->reduce->max_of(x, n) == top);
        ck_assert(n == 0 || (double)k->reduce->min_of(x, n) == low);
        if (n) {
            x[n - 1] = NAN;
            ck_assert_float_nan(k->reduce->max_of(x, n));
            ck_assert_float_nan(k->reduce->min_of(x, n));
        }
        free(x);
        free(y);
    }
}
END_TEST

START_TEST(softmax_and_its_gradients)
{
    const struct kernels *const k = kernels_for(_i);
    enum { N = 1037 };

    if (!k)
        return;
    float *const x = random_array(F32, N), *const dy = random_array(F32, N), y[N], l[N], dx[N], dl[N];
    double sum = 0, dot = 0, total = 0;

    for (int i = 0; i < N; i++) {
        x[i] = x[i] * 20 + 1000;
        sum += exp((double)x[i] - 1000);
    }
    k->softmax->row(x, y, N);
    k->softmax->log_row(x, l, N);
    for (int i = 0; i < N; i++) {
        const double p = exp((double)x[i] - 1000) / sum;

        expect_near("softmax", i, (double)y[i], p, 1e-6 * p + 1e-12);
        expect_near("log_softmax", i, (double)l[i], log(p), 5e-6);
        dot += (double)y[i] * (double)dy[i];
        total += (double)dy[i];
    }
    k->softmax->row_grad(y, dy, dx, N);
    k->softmax->log_row_grad(l, dy, dl, N);
    for (int i = 0; i < N; i++) {
        expect_near("softmax_grad", i, (double)dx[i], (double)y[i] * ((double)dy[i] - dot), 1e-6);
        expect_near("log_softmax_grad", i, (double)dl[i], (double)dy[i] - (double)y[i] * total, 1e-4);
    }
    free(x);
    free(dy);
}
END_TEST

/* -- pooling -- */

static struct pool_shape random_pool(int round)
{
    struct pool_shape s = { .planes = 1 + random_below(5), .rank = round % 5 == 0 ? 1 : round % 5 == 1 ? 3 : 2 };

    s.count_include_pad = random_below(2);
    s.column_major = random_below(2);
    for (int d = 0; d < s.rank; d++) {
        int64_t span = -1;

        while (span < 0) {
            s.kernel[d] = 1 + random_below(4);
            s.strides[d] = 1 + random_below(3);
            s.dilations[d] = random_below(3) ? 1 : 2;
            s.pads_begin[d] = random_below(s.kernel[d]);
            s.pads_end[d] = random_below(s.kernel[d]);
            s.in[d] = 1 + random_below(12);
            if (round % 4 == 3) {
                s.kernel[d] = s.strides[d] = 2;
                s.dilations[d] = 1;
                s.pads_begin[d] = s.pads_end[d] = 0;
            }
            span = s.in[d] + s.pads_begin[d] + s.pads_end[d] - (s.kernel[d] - 1) * s.dilations[d] - 1;
        }
        s.out[d] = span / s.strides[d] + 1;
        if (random_below(3) == 0 && span % s.strides[d] && s.out[d] * s.strides[d] < s.in[d] + s.pads_begin[d])
            s.out[d]++; /* ceil_mode */
    }
    return s;
}

/* One window by the definition: its maximum, where, the sum, the two counts. Positions are visited in row-major
 * order. */
struct seen {
    double top, sum;
    int64_t best, inside, padded;
};
static struct seen look(const struct pool_shape *s, enum dtype dtype, const void *x, int64_t plane, int64_t out)
{
    const int64_t in = dims_product(s->in, 0, s->rank), taps = dims_product(s->kernel, 0, s->rank);
    struct seen w = { -INFINITY, 0, -1, 0, 0 };

    for (int64_t tap = 0; tap < taps; tap++) {
        int64_t rest = tap, u = out, at = 0, stride = 1;
        bool inside = true, padded = true;

        for (int d = s->rank - 1; d >= 0; d--) {
            const int64_t i = u % s->out[d] * s->strides[d] + rest % s->kernel[d] * s->dilations[d] - s->pads_begin[d];

            inside = inside && i >= 0 && i < s->in[d];
            padded = padded && i < s->in[d] + s->pads_end[d];
            at += i * stride;
            stride *= s->in[d];
            u /= s->out[d];
            rest /= s->kernel[d];
        }
        w.padded += padded;
        if (!inside)
            continue;
        w.inside++;
        w.sum += get(dtype, x, plane * in + at);
        if (w.best < 0 || get(dtype, x, plane * in + at) > w.top) {
            w.best = at;
            w.top = get(dtype, x, plane * in + at);
        }
    }
    return w;
}

START_TEST(pooling_is_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    const enum dtype types[] = { F32, F64, F16, BF16 };
    struct pool *const pool = threads(2);

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < ROUNDS(100); round++) {
        const struct pool_shape s = random_pool(round);
        const enum dtype dtype = types[round % 7 < 4 ? round % 7 : 0];
        const int64_t in = dims_product(s.in, 0, s.rank), out = dims_product(s.out, 0, s.rank);
        const int64_t nx = s.planes * in, ny = s.planes * out;
        void *const x = random_array(dtype, nx), *const dy = random_array(dtype, ny), *const y = room((size_t)ny * 8);
        void *const average = room((size_t)ny * 8), *const plain = room((size_t)ny * 8),
                    *const dx = room((size_t)nx * 8);
        void *const dx_average = room((size_t)nx * 8);
        int64_t *const indices = room((size_t)ny * 8);
        double *const wanted = calloc((size_t)nx, 8), *const wanted_average = calloc((size_t)nx, 8);

        for (int64_t i = 0; i < nx; i += 3) /* ties */
            put(dtype, x, i, .5);
        max_pool(k, pool, &s, dtype, x, y, indices);
        max_pool(k, pool, &s, dtype, x, plain, NULL);
        max_pool_grad(k, pool, &s, dtype, x, dy, dx);
        average_pool(k, pool, &s, dtype, x, average);
        average_pool_grad(k, pool, &s, dtype, dy, dx_average);
        for (int64_t i = 0; i < ny; i++) {
            const struct seen w = look(&s, dtype, x, i / out, i % out);
            const double count = (double)(s.count_include_pad ? w.padded : w.inside), g = get(dtype, dy, i);

            expect_near("max", i, get(dtype, y, i), w.top, isinf(w.top) ? INFINITY : 0);
            expect_near("max without indices", i, get(dtype, plain, i), w.top, isinf(w.top) ? INFINITY : 0);
            if (count > 0)
                expect_near("average", i, get(dtype, average, i), w.sum / count, 4 * rounding(dtype));
            if (w.best < 0) {
                ck_assert_int_eq(indices[i], -1);
                continue;
            }
            if (!s.column_major)
                ck_assert_int_eq(indices[i], i / out * in + w.best);
            wanted[i / out * in + w.best] += g;
            for (int64_t tap = 0; tap < dims_product(s.kernel, 0, s.rank);
                 tap++) { /* each inside element gets its share */
                int64_t rest = tap, u = i % out, at = 0, stride = 1;
                bool inside = true;

                for (int d = s.rank - 1; d >= 0; d--) {
                    const int64_t v =
                        u % s.out[d] * s.strides[d] + rest % s.kernel[d] * s.dilations[d] - s.pads_begin[d];

                    inside = inside && v >= 0 && v < s.in[d];
                    at += v * stride;
                    stride *= s.in[d];
                    u /= s.out[d];
                    rest /= s.kernel[d];
                }
                if (inside)
                    wanted_average[i / out * in + at] += g / count;
            }
        }
        for (int64_t i = 0; i < nx; i++) {
            expect_near("max dx", i, get(dtype, dx, i), wanted[i], 8 * rounding(dtype));
            expect_near("average dx", i, get(dtype, dx_average, i), wanted_average[i], 8 * rounding(dtype));
        }
        free(x);
        free(dy);
        free(y);
        free(average);
        free(plain);
        free(dx);
        free(dx_average);
        free(indices);
        free(wanted);
        free(wanted_average);
    }
    pool_free(pool);
}
END_TEST

START_TEST(pooling_details)
{
    struct pool_shape s = { .planes = 2, .rank = 2, .in = { 2, 3 }, .out = { 1, 2 }, .kernel = { 2, 2 } };
    const float x[] = { 1, NAN, 5, 5, 2, 2, 7, 7, 7, 7, 7, 7 };
    const int8_t small[] = { -128, -128, 3, 4, -7, 4, 1, 2, 3, 4, 5, 6 };
    float y[4];
    int8_t z[4];
    int64_t indices[4];

    for (int d = 0; d < 2; d++)
        s.strides[d] = s.dilations[d] = 1;
    max_pool(kernels_get(), NULL, &s, F32, x, y, indices);
    ck_assert_float_nan(y[0]);
    ck_assert_float_nan(y[1]);
    ck_assert_float_eq(y[2], 7);
    ck_assert_int_eq(indices[0], 1);
    ck_assert_int_eq(indices[2], 6);
    ck_assert_int_eq(indices[3], 7);
    s.column_major = true;
    max_pool(kernels_get(), NULL, &s, I8, small, z, indices);
    ck_assert_int_eq(z[0], 4);
    ck_assert_int_eq(indices[0], 1); /* row 1, column 0, of 2 rows */
    ck_assert_int_eq(z[1], 4);
    ck_assert_int_eq(indices[1], 5);
    ck_assert_int_eq(indices[3], 6 + 5);
}
END_TEST

/* -- normalisation -- */

/* Two floats that follow each other: their mean lies between, and cannot be written. */
START_TEST(moments_far_from_zero)
{
    enum { N = 64 };
    static const struct norm_shape shapes[] = { { 1, 1, N }, { 4, 1, N / 4 }, { N, 1, 1 } };
    const struct kernels *const k = kernels_for(_i / 3);
    const struct norm_shape *const s = &shapes[_i % 3];
    float x[N], mean, var;
    void *scratch;

    if (!k)
        return;
    for (int i = 0; i < N; i++)
        x[i] = i % 2 ? 1e6f + .0625f : 1e6f;
    scratch = room(batch_moments_scratch(s, F32));
    batch_moments(k, NULL, s, F32, x, &mean, &var, scratch);
    ck_assert_float_eq_tol(mean, 1e6f, .0625f);
    ck_assert_float_eq_tol(var, .03125f * .03125f, 1e-6f);
    free(scratch);
}
END_TEST

START_TEST(batch_norm_is_right)
{
    const struct norm_shape shapes[] = { { 64, 3, 49 }, { 37, 70, 1 },  { 1, 5, 7000 },
                                         { 2, 1, 1 },   { 9, 4, 2000 }, { 500, 16, 1 } };
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pool = threads(2);

    for (int shape = 0; k && shape < 12; shape++) {
        const struct norm_shape s = shapes[shape % 6];
        const enum dtype dtype = shape < 6 ? F32 : F64;
        const int64_t n = s.batch * s.channels * s.spatial, c_n = s.channels;
        const double count = (double)(s.batch * s.spatial), exact = dtype == F32 ? 1e-5 : 1e-12;
        void *const x = random_array(dtype, n), *const dy = random_array(dtype, n),
                    *const scale = random_array(dtype, c_n);
        void *const bias = random_array(dtype, c_n), *const mean = room((size_t)c_n * 8),
                    *const var = room((size_t)c_n * 8);
        void *const invstd = room((size_t)c_n * 8), *const y = room((size_t)n * 8), *const dx = room((size_t)n * 8);
        void *const frozen = room((size_t)n * 8), *const again = room((size_t)n * 8);
        void *const dscale = room((size_t)c_n * 8), *const dbias = room((size_t)c_n * 8);
        void *const scratch = room(batch_moments_scratch(&s, dtype) + batch_norm_grad_scratch(&s, dtype));

        for (int64_t i = 0; i < n; i++) /* raw pixels */
            put(dtype, x, i, floor((get(dtype, x, i) + 1) * 127.5));
        batch_moments(k, pool, &s, dtype, x, mean, var, scratch);
        inverse_std(dtype, c_n, var, 1e-3, invstd);
        batch_norm_apply(k, pool, &s, dtype, x, scale, bias, mean, invstd, false, y, scratch);
        batch_norm_grad(k, pool, &s, dtype, false, dy, x, scale, mean, invstd, frozen, NULL, NULL, scratch);
        batch_norm_grad(k, pool, &s, dtype, true, dy, x, scale, mean, invstd, dx, dscale, dbias, scratch);
        batch_norm_grad(k, NULL, &s, dtype, true, dy, x, scale, mean, invstd, again, NULL, NULL, scratch);
        ck_assert_int_eq(memcmp(dx, again, (size_t)n * dtype_size(dtype)), 0);
        for (int64_t c = 0; c < c_n; c++) {
            double m = 0, v = 0, g = 0, gx = 0, r;

#define EACH(at)                                                                                                       \
    for (int64_t b_ = 0, at = c * s.spatial; b_ < s.batch; b_++, at += (s.channels - 1) * s.spatial)                   \
        for (int64_t s_ = 0; s_ < s.spatial; s_++, at++)
            EACH(i) m += get(dtype, x, i) / count;
            EACH(i) v += (get(dtype, x, i) - m) * (get(dtype, x, i) - m) / count;
            r = 1 / sqrt(v + 1e-3);
            EACH(i) g += get(dtype, dy, i);
            EACH(i) gx += get(dtype, dy, i) * (get(dtype, x, i) - m) * r;
            expect_near("mean", c, get(dtype, mean, c), m, .1 * exact * (1 + m));
            expect_near("var", c, get(dtype, var, c), v, .1 * exact * (1 + v));
            expect_near("dbias", c, get(dtype, dbias, c), g, exact * count);
            expect_near("dscale", c, get(dtype, dscale, c), gx, exact * count);
            EACH(i)
            {
                const double h = (get(dtype, x, i) - m) * r, a = get(dtype, scale, c), d = get(dtype, dy, i);

                expect_near("y", i, get(dtype, y, i), h * a + get(dtype, bias, c), exact);
                expect_near("frozen dx", i, get(dtype, frozen, i), a * r * d, exact * r);
                expect_near("dx", i, get(dtype, dx, i), a * r * (d - g / count - h * gx / count), exact * r);
            }
#undef EACH
        }
        free(x);
        free(dy);
        free(scale);
        free(bias);
        free(mean);
        free(var);
        free(invstd);
        free(y);
        free(dx);
        free(frozen);
        free(again);
        free(dscale);
        free(dbias);
        free(scratch);
    }
    pool_free(pool);
}
END_TEST

START_TEST(running_statistics_move)
{
    const float running[] = { 1, -2 }, value[] = { 3, 4 };
    float to[2];

    running_update(F32, 2, running, value, .99, to);
    for (int i = 0; i < 2; i++)
        ck_assert_float_eq(to[i], running[i] * .99f + value[i] * (float)(1 - .99));
}
END_TEST

START_TEST(layer_norm_is_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pool = threads(2);

    for (int type = 0; k && type < 2; type++) {
        enum { ROWS = 700, N = 67 };
        const enum dtype dtype = type ? F64 : F32;
        const double exact = type ? 1e-12 : 1e-5;
        void *const x = random_array(dtype, ROWS * N), *const dy = random_array(dtype, ROWS * N);
        void *const scale = random_array(dtype, N), *const bias = random_array(dtype, N), *const y = room(ROWS * N * 8);
        void *const mean = room(ROWS * 8), *const invstd = room(ROWS * 8), *const dx = room(ROWS * N * 8);
        void *const dscale = room(N * 8), *const dbias = room(N * 8);
        void *const scratch = room(layer_norm_grad_scratch(dtype, ROWS, N));
        double scales[N] = { 0 }, biases[N] = { 0 };

        layer_norm(k, pool, dtype, ROWS, N, x, scale, bias, 1e-5, y, mean, invstd);
        layer_norm_grad(k, pool, dtype, ROWS, N, dy, x, scale, mean, invstd, dx, dscale, dbias, scratch);
        for (int64_t row = 0; row < ROWS; row++) {
            double m = 0, v = 0, d = 0, dh = 0, r;

            for (int64_t i = row * N; i < (row + 1) * N; i++)
                m += get(dtype, x, i) / N;
            for (int64_t i = row * N; i < (row + 1) * N; i++)
                v += (get(dtype, x, i) - m) * (get(dtype, x, i) - m) / N;
            r = 1 / sqrt(v + 1e-5);
            for (int64_t i = row * N; i < (row + 1) * N; i++) {
                const double h = (get(dtype, x, i) - m) * r, g = get(dtype, dy, i), a = get(dtype, scale, i % N);

                expect_near("y", i, get(dtype, y, i), h * a + get(dtype, bias, i % N), exact);
                d += g * a / N;
                dh += g * a * h / N;
                scales[i % N] += g * h;
                biases[i % N] += g;
            }
            expect_near("mean", row, get(dtype, mean, row), m, exact);
            expect_near("invstd", row, get(dtype, invstd, row), r, exact * r);
            for (int64_t i = row * N; i < (row + 1) * N; i++) {
                const double h = (get(dtype, x, i) - m) * r;

                expect_near("dx", i, get(dtype, dx, i), r * (get(dtype, dy, i) * get(dtype, scale, i % N) - d - h * dh),
                            exact);
            }
        }
        for (int i = 0; i < N; i++) {
            expect_near("dscale", i, get(dtype, dscale, i), scales[i], exact * ROWS);
            expect_near("dbias", i, get(dtype, dbias, i), biases[i], exact * ROWS);
        }
        free(x);
        free(dy);
        free(scale);
        free(bias);
        free(y);
        free(mean);
        free(invstd);
        free(dx);
        free(dscale);
        free(dbias);
        free(scratch);
    }
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("kernels");

    add_tests(s, arithmetic_is_the_same_bits, 3);
    add_tests(s, optimisers_follow_keras, 3);
    add_tests(s, optimisers_tell_what_is_not_finite, 3);
    add_tests(s, reductions_are_accurate, 3);
    add_tests(s, softmax_and_its_gradients, 3);
    add_tests(s, pooling_is_right, 3);
    add_test(s, pooling_details);
    add_tests(s, moments_far_from_zero, 9);
    add_tests(s, batch_norm_is_right, 3);
    add_test(s, running_statistics_move);
    add_tests(s, layer_norm_is_right, 3);
    return s;
}
