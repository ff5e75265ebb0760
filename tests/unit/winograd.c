#include "fixture.h"
#include "kernels/channels_last/method.h"
#include "numbers.h"

/* A convolution, with arrays of exactly its size that begin where no vector does, and what it must give. */
struct problem {
    struct conv_shape s;
    int64_t nx, ny, nw;
    float *x, *w, *dy, *bias, *residual;
    double *y, *dx, *dw;
};

/* Not aligned, so that reads past the end are seen by a sanitizer. */
static float *exactly(int64_t n)
{
    float *const p = malloc((size_t)(n + 1) * sizeof *p);

    ck_assert_ptr_nonnull(p);
    for (int64_t i = 0; i <= n; i++)
        p[i] = (float)random_unit();
    return p + 1;
}
static double *zeros(int64_t n)
{
    double *const p = calloc((size_t)n, sizeof *p);

    ck_assert_ptr_nonnull(p);
    return p;
}

static struct conv_shape shape(int64_t taps, int64_t batch, int64_t channels, int64_t out_channels, const int64_t in[2],
                               const int64_t begin[2], const int64_t end[2])
{
    struct conv_shape s = { .batch = batch,
                            .groups = 1,
                            .in_channels = channels,
                            .out_channels = out_channels,
                            .rank = 2,
                            .kernel = { taps, taps },
                            .strides = { 1, 1 },
                            .dilations = { 1, 1 } };

    for (int d = 0; d < 2; d++) {
        s.in[d] = in[d];
        s.pads_begin[d] = begin[d];
        s.out[d] = in[d] + begin[d] + end[d] - (taps - 1);
    }
    return s;
}

/* Row i of y, column j, tap (a, b): where it is in x, -1 for outside. */
static int64_t x_of(const struct conv_shape *s, int64_t i, int64_t j, int a, int b)
{
    const int64_t row = i + a - s->pads_begin[0], column = j + b - s->pads_begin[1];

    return row < 0 || row >= s->in[0] || column < 0 || column >= s->in[1] ? -1 : row * s->in[1] + column;
}

static void expect(struct problem *p, int64_t n, int64_t pixel, int64_t from, int64_t tap)
{
    const struct conv_shape *const s = &p->s;
    const int64_t C = s->in_channels, O = s->out_channels, taps = s->kernel[0] * s->kernel[1];
    const float *const x = p->x + (n * s->in[0] * s->in[1] + from) * C;
    double *const dx = p->dx + (n * s->in[0] * s->in[1] + from) * C;
    const int64_t out = (n * s->out[0] * s->out[1] + pixel) * O;

    for (int64_t o = 0; o < O; o++) {
        const double g = (double)p->dy[out + o];
        double sum = 0;

        for (int64_t c = 0; c < C; c++) {
            const double w = (double)p->w[(o * C + c) * taps + tap];

            sum += w * (double)x[c];
            dx[c] += w * g;
            p->dw[(o * C + c) * taps + tap] += g * (double)x[c];
        }
        p->y[out + o] += sum;
    }
}

/* What must come of x, w and dy. */
static void solve(struct problem *p)
{
    const struct conv_shape *const s = &p->s;
    const int64_t pixels = s->out[0] * s->out[1], edge = s->kernel[0], taps = edge * edge;

    memset(p->y, 0, (size_t)p->ny * sizeof *p->y);
    memset(p->dx, 0, (size_t)p->nx * sizeof *p->dx);
    memset(p->dw, 0, (size_t)p->nw * sizeof *p->dw);
    for (int64_t i = 0; i < s->batch * pixels * taps; i++) {
        const int64_t n = i / taps / pixels, pixel = i / taps % pixels, tap = i % taps;
        const int64_t from = x_of(s, pixel / s->out[1], pixel % s->out[1], (int)(tap / edge), (int)(tap % edge));

        if (from >= 0)
            expect(p, n, pixel, from, tap);
    }
}

static struct problem problem(const struct conv_shape *s)
{
    struct problem p = { .s = *s };
    const int64_t pixels = s->out[0] * s->out[1], edge = s->kernel[0], taps = edge * edge;

    p.nx = s->batch * s->in[0] * s->in[1] * s->in_channels;
    p.ny = s->batch * pixels * s->out_channels;
    p.nw = s->out_channels * s->in_channels * taps;
    p.x = exactly(p.nx);
    p.w = exactly(p.nw);
    p.dy = exactly(p.ny);
    p.bias = exactly(s->in_channels + s->out_channels);
    p.residual = exactly(p.nx + p.ny);
    p.y = zeros(p.ny);
    p.dx = zeros(p.nx);
    p.dw = zeros(p.nw);
    solve(&p);
    return p;
}
static void release(struct problem *p)
{
    free(p->x - 1);
    free(p->w - 1);
    free(p->dy - 1);
    free(p->bias - 1);
    free(p->residual - 1);
    free(p->y);
    free(p->dx);
    free(p->dw);
}

/* Rounding errors grow with the sums, not with what limits leave of them: differences are measured in units of the
 * root of the mean square of the sums. */
static void expect_close(const char *what, const float *got, const double *wanted, const double *sums, int64_t n,
                         double bound)
{
    double square = 0;

    for (int64_t i = 0; i < n; i++)
        square += sums[i] * sums[i];
    for (int64_t i = 0; i < n; i++)
        expect_near(what, i, (double)got[i], wanted[i], bound * sqrt(square / (double)n));
}

/* finish: each pixel comes once, with its final values. */
struct finished {
    float *copy;
    int64_t n, channels, blocks;
    int64_t *from, *count; /* by block */
};
static void finish(void *context, int64_t block, int64_t from, int64_t n, float *y, int thread)
{
    struct finished *const f = context;

    (void)thread;
    f->from[block] = from;
    f->count[block] = n;
    memcpy(f->copy + from, y, (size_t)n * sizeof *y);
}
static void check_finished(const struct finished *f, const float *y, int64_t image)
{
    int64_t next = 0;

    for (int64_t b = 0; b < f->blocks; b++) {
        ck_assert_int_eq(f->from[b], next);
        ck_assert_int_gt(f->count[b], 0);
        ck_assert_int_eq(f->count[b] % f->channels, 0);
        ck_assert_int_eq(next / image, (next + f->count[b] - 1) / image); /* of one image */
        next += f->count[b];
    }
    ck_assert_int_eq(next, f->n);
    ck_assert_mem_eq(f->copy, y, (size_t)f->n * sizeof *y);
}

/* y or dx, with `e`, by one pool; not aligned. */
static float *run(const struct conv_last *c, const struct problem *p, struct pool *pool, const struct epilogue *e)
{
    const struct conv_method *const m = &conv_winograd;
    const bool back = c->pass == CONV_DX;
    const int64_t n = back ? p->nx : p->ny, channels = back ? p->s.in_channels : p->s.out_channels;
    struct finished f = { .n = n, .channels = channels, .blocks = m->blocks(c) };
    struct epilogue with = *e;
    void *const packed = room(m->weights(c)), *const scratch = room(m->scratch(c, pool_threads(pool)));
    float *const y = exactly(n);

    f.copy = room((size_t)n * sizeof(float));
    f.from = room((size_t)f.blocks * sizeof *f.from);
    f.count = room((size_t)f.blocks * sizeof *f.count);
    with.finish = finish;
    with.context = &f;
    if (e->residual == p->residual && p->s.batch == 1) { /* may be y itself */
        memcpy(y, p->residual, (size_t)n * sizeof *y);
        with.residual = y;
    }
    m->pack(c, pool, p->w, packed);
    m->run(c, pool, back ? p->dy : p->x, p->w, packed, &with, y, scratch);
    check_finished(&f, y, n / p->s.batch);
    free(packed);
    free(scratch);
    free(f.copy);
    free(f.from);
    free(f.count);
    return y;
}

static void check_run(const struct kernels *k, struct pool *const pools[2], const struct problem *p,
                      enum conv_pass pass, bool plain)
{
    const bool back = pass == CONV_DX;
    const double *const sums = back ? p->dx : p->y;
    const int64_t n = back ? p->nx : p->ny, channels = back ? p->s.in_channels : p->s.out_channels;
    struct conv_last c = { .shape = p->s, .pass = pass, .k = k, .method = &conv_winograd };
    const struct epilogue none = { .least = -INFINITY, .most = INFINITY };
    const struct epilogue all = { .bias = p->bias, .residual = p->residual, .least = -.5f, .most = 1.5f };
    double *const wanted = zeros(n);
    float *y[2];

    ck_assert(conv_winograd.fits(&c, false));
    for (int64_t i = 0; i < n; i++)
        wanted[i] =
            plain ? sums[i] : fmin(1.5, fmax(-.5, sums[i] + (double)p->bias[i % channels] + (double)p->residual[i]));
    for (int t = 0; t < 2; t++)
        y[t] = run(&c, p, pools[t], plain ? &none : &all);
    ck_assert_mem_eq(y[0], y[1], (size_t)n * sizeof(float));
    expect_close(back ? "dx" : "y", y[0], wanted, sums, n, 1e-4);
    free(wanted);
    free(y[0] - 1);
    free(y[1] - 1);
}

static void check_dw(const struct kernels *k, struct pool *const pools[2], const struct problem *p)
{
    struct conv_last c = { .shape = p->s, .pass = CONV_DW, .k = k, .method = &conv_winograd };
    double *const sums = zeros(p->s.out_channels);
    float *dw[2], *db[2];

    ck_assert(conv_winograd.fits(&c, false));
    for (int t = 0; t < 2; t++) {
        void *const scratch = room(conv_last_scratch(&c, pool_threads(pools[t])));

        dw[t] = exactly(p->nw);
        db[t] = exactly(p->s.out_channels);
        conv_last_dw(&c, pools[t], p->x, p->dy, dw[t], db[t], scratch);
        free(scratch);
    }
    ck_assert_mem_eq(dw[0], dw[1], (size_t)p->nw * sizeof(float));
    ck_assert_mem_eq(db[0], db[1], (size_t)p->s.out_channels * sizeof(float));
    expect_close("dw", dw[0], p->dw, p->dw, p->nw, 1e-4);
    for (int64_t i = 0; i < p->ny; i++)
        sums[i % p->s.out_channels] += (double)p->dy[i];
    expect_close("db", db[0], sums, sums, p->s.out_channels, 1e-5);
    free(sums);
    for (int t = 0; t < 2; t++) {
        free(dw[t] - 1);
        free(db[t] - 1);
    }
}

static void check(const struct conv_shape *s)
{
    static const enum cpu_level levels[] = { CPU_BASE, CPU_AVX2, CPU_AVX512 };
    struct pool *const pools[2] = { threads(1), threads(3) };
    struct problem p = problem(s);

    for (int l = 0; l < 3; l++) {
        const struct kernels *const k = kernels_for(levels[l]);

        for (int round = 0; round < 2 && k; round++) {
            check_run(k, pools, &p, CONV_FORWARD, round == 0);
            check_run(k, pools, &p, CONV_DX, round == 0);
        }
        if (k && s->kernel[0] < 5)
            check_dw(k, pools, &p);
    }
    release(&p);
    pool_free(pools[0]);
    pool_free(pools[1]);
}

START_TEST(random_shapes)
{
    static const int64_t channels[] = { 16, 17, 23, 32, 60, 64 }, sizes[] = { 3, 4, 7, 9, 13, 14, 16, 19 };
    const int64_t taps = 3 + _i % 3;
    int64_t in[2], begin[2], end[2];

    random_state = (uint64_t)_i + 1;
    for (int d = 0; d < 2; d++) {
        in[d] = sizes[random_below(8)];
        begin[d] = random_below(taps);
        end[d] = in[d] < 10 ? taps - 1 - begin[d] + random_below(begin[d] + 1) : random_below(taps);
    }
    check(&(struct conv_shape[]){
        shape(taps, 1 + random_below(3), channels[random_below(6)], channels[random_below(6)], in, begin, end) }[0]);
}
END_TEST

/* Groups of several images, of parts of one; rows that are cut; planes that threads share, for one image and more. */
START_TEST(every_cut)
{
    static const struct {
        int64_t batch, channels, out_channels, in[2];
    } shapes[] = {
        { 40, 16, 16, { 8, 8 } },    { 9, 64, 64, { 14, 14 } }, { 1, 16, 32, { 8, 400 } }, { 1, 64, 64, { 33, 31 } },
        { 1, 100, 100, { 13, 13 } }, { 12, 96, 128, { 9, 8 } }, { 2, 16, 600, { 8, 11 } },
    };

    const int64_t taps = 3 + _i % 3, *const in = shapes[_i / 3].in, pads[] = { (taps - 1) / 2, (taps - 1) / 2 };

    random_state = (uint64_t)_i + 1;
    check(&(struct conv_shape[]){ shape(taps, shapes[_i / 3].batch, shapes[_i / 3].channels,
                                        shapes[_i / 3].out_channels, in, pads, (int64_t[]){ taps / 2, taps / 2 }) }[0]);
}
END_TEST

/* The results that `x` decides, where some of it is huge or not finite: in a pixel that is all of a patch's centre, its
 * edge and corner in turn. */
static void spoil_pixels(struct problem *p, float value)
{
    const struct conv_shape *const s = &p->s;
    const int64_t pixel = random_below(s->batch * s->in[0] * s->in[1]);

    if (random_below(2)) /* all channels */
        for (int64_t c = 0; c < s->in_channels; c++)
            p->x[pixel * s->in_channels + c] = value;
    else
        p->x[random_below(p->nx)] = value;
    p->dy[random_below(p->ny)] = value;
    if (random_below(2))
        p->w[random_below(p->nw)] = value;
}

/* Of the kind that plain sums are of; those that meet only what is ordinary, as close as ever. */
static void expect_kind(const char *what, const float *got, const double *wanted, const double *sums, int64_t n)
{
    const double huge = 1e9;
    double square = 0;
    int64_t ordinary = 0;

    for (int64_t i = 0; i < n; i++)
        if (fabs(sums[i]) < huge) {
            square += sums[i] * sums[i];
            ordinary++;
        }
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)(float)wanted[i];

        expect_near(what, i, (double)got[i], v,
                    fabs(v) < huge ? 1e-4 * sqrt(square / (double)ordinary)
                    : isfinite(v)  ? 1e-4 * fabs(v)
                                   : 0);
    }
}

static double limited(double v, const struct epilogue *e)
{
    if (v < (double)e->least)
        return (double)e->least;
    return v > (double)e->most ? (double)e->most : v;
}

static void check_spoilt_run(const struct kernels *k, struct pool *const pools[2], const struct problem *p,
                             enum conv_pass pass, bool plain)
{
    const bool back = pass == CONV_DX;
    const int64_t n = back ? p->nx : p->ny, channels = back ? p->s.in_channels : p->s.out_channels;
    struct conv_last c = { .shape = p->s, .pass = pass, .k = k, .method = &conv_winograd };
    const struct epilogue none = { .least = -INFINITY, .most = INFINITY };
    const struct epilogue all = { .bias = p->bias, .residual = p->residual, .least = -.5f, .most = 1.5f };
    double *const wanted = zeros(n);
    float *y[2];

    ck_assert(conv_winograd.fits(&c, false));
    for (int64_t i = 0; i < n; i++) {
        wanted[i] = (double)(float)(back ? p->dx : p->y)[i];
        if (!plain)
            wanted[i] = limited(wanted[i] + (double)p->bias[i % channels] + (double)p->residual[i], &all);
    }
    for (int t = 0; t < 2; t++)
        y[t] = run(&c, p, pools[t], plain ? &none : &all);
    ck_assert_mem_eq(y[0], y[1], (size_t)n * sizeof(float));
    expect_kind(back ? "dx" : "y", y[0], wanted, back ? p->dx : p->y, n);
    free(wanted);
    free(y[0] - 1);
    free(y[1] - 1);
}

static void check_spoilt_dw(const struct kernels *k, struct pool *const pools[2], const struct problem *p)
{
    struct conv_last c = { .shape = p->s, .pass = CONV_DW, .k = k, .method = &conv_winograd };
    float *dw[2];

    ck_assert(conv_winograd.fits(&c, false));
    for (int t = 0; t < 2; t++) {
        void *const scratch = room(conv_last_scratch(&c, pool_threads(pools[t])));

        dw[t] = exactly(p->nw);
        conv_last_dw(&c, pools[t], p->x, p->dy, dw[t], NULL, scratch);
        free(scratch);
    }
    ck_assert_mem_eq(dw[0], dw[1], (size_t)p->nw * sizeof(float));
    expect_kind("dw", dw[0], p->dw, p->dw, p->nw);
    free(dw[0] - 1);
    free(dw[1] - 1);
}

/* What is huge or not finite reaches what it meets and nothing else, in no pass, whatever the tiles are. */
START_TEST(not_finite)
{
    static const struct {
        int64_t taps, batch, channels, out_channels, in[2];
    } shapes[] = {
        { 3, 2, 17, 20, { 13, 15 } }, { 4, 1, 16, 16, { 10, 14 } },   { 5, 1, 20, 17, { 8, 9 } },
        { 3, 1, 16, 16, { 16, 16 } }, { 3, 1, 100, 100, { 13, 13 } }, { 3, 9, 16, 32, { 8, 8 } },
    };
    const float values[] = { NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e25f };
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[2] = { threads(1), threads(3) };
    const int shape_of = _i / 3;
    const int64_t taps = shapes[shape_of].taps, pads[] = { taps / 2, taps / 2 };
    const struct conv_shape s = shape(taps, shapes[shape_of].batch, shapes[shape_of].channels,
                                      shapes[shape_of].out_channels, shapes[shape_of].in, pads, pads);

    random_state = (uint64_t)_i + 1;
    for (int round = 0; k && round < 6; round++) {
        struct problem p = problem(&s);

        spoil_pixels(&p, values[round]);
        solve(&p);
        check_spoilt_run(k, pools, &p, CONV_FORWARD, round % 2);
        check_spoilt_run(k, pools, &p, CONV_DX, random_below(2));
        if (taps < 5)
            check_spoilt_dw(k, pools, &p);
        release(&p);
    }
    pool_free(pools[0]);
    pool_free(pools[1]);
}
END_TEST

START_TEST(what_fits)
{
    const struct conv_shape good = shape(3, 2, 32, 32, (int64_t[]){ 16, 16 }, (int64_t[]){ 1, 1 }, (int64_t[]){ 1, 1 });
    struct conv_last c = { .k = kernels_get() };
    struct conv_weights_key keys[2];

    for (int pass = CONV_FORWARD; pass <= CONV_DW; pass++) {
        c.pass = (enum conv_pass)pass;
        c.shape = good;
        ck_assert(conv_winograd.fits(&c, false));
        ck_assert(!conv_winograd.fits(&c, true));
        c.shape.kernel[1] = 5;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape.kernel[0] = 5;
        ck_assert_int_eq(conv_winograd.fits(&c, false), pass != CONV_DW);
        c.shape.kernel[0] = c.shape.kernel[1] = 6;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape.kernel[0] = c.shape.kernel[1] = 2;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape = good;
        c.shape.strides[0] = 2;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape = good;
        c.shape.dilations[0] = 2;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape = good;
        c.shape.groups = 2;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape = good;
        c.shape.in_channels = 3;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape = good;
        c.shape.rank = 1;
        ck_assert(!conv_winograd.fits(&c, false));
        c.shape = good; /* tiles of 4x4 with little inside */
        c.shape.in[0] = c.shape.out[0] = 1;
        ck_assert(!conv_winograd.fits(&c, false));
    }
    c.shape = good; /* packed weights do not depend on the batch and the map, but on who is who */
    for (int i = 0; i < 2; i++) {
        c.pass = CONV_FORWARD;
        c.shape.batch = 1 + 7 * i;
        ck_assert(conv_winograd.fits(&c, false));
        keys[i] = conv_winograd.key(&c);
    }
    ck_assert_mem_eq(&keys[0], &keys[1], sizeof keys[0]);
    c.pass = CONV_DX;
    ck_assert(conv_winograd.fits(&c, false));
    keys[1] = conv_winograd.key(&c);
    ck_assert_mem_ne(&keys[0], &keys[1], sizeof keys[0]);
}
END_TEST

/* Weights that a pass has made are given back when they have been prepared, but not where a tile that is not finite
 * needs them again. */
START_TEST(weights_that_are_needed_again_stay)
{
    enum { CHANNELS = 128, SIDE = 24, N = CHANNELS * SIDE * SIDE };
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "g (float[1,128,24,24] x) => (float[1,128,24,24] y) {"
        " n = Constant <value_ints = [128, 128, 3, 3]> () w = ConstantOfShape <value = float[1] {0.5}> (n)"
        " c = Constant <value_ints = [128]> () s = ConstantOfShape <value = float[1] {2}> (c)"
        " b = ConstantOfShape <value = float[1] {1}> (c) z = Conv <pads = [1, 1, 1, 1]> (x, w)"
        " y = BatchNormalization (z, s, b, b, b) }";
    static float x[N];
    int64_t reached = 0;
    struct fixture f;
    const float *y;

    for (int k = 0; k < N; k++)
        x[k] = 1;
    x[7 * SIDE * SIDE + 5 * SIDE + 11] = NAN;
    begin(&f, text);
    set(&f, "x", F32, 4, (const int64_t[]){ 1, CHANNELS, SIDE, SIDE }, x);
    for (int again = 0; again < 2; again++) {
        run_ok(&f);
        y = floats(&f, 0, N);
        reached = 0;
        for (int k = 0; k < N; k++) {
            const int row = k / SIDE % SIDE, column = k % SIDE;
            const int taps = (3 - (row % (SIDE - 1) == 0)) * (3 - (column % (SIDE - 1) == 0));
            const double wanted = 2 * (0.5 * CHANNELS * taps - 1) / sqrt(1 + 1e-5) + 1;

            reached += isnan(y[k]);
            ck_assert_msg(isnan(y[k]) || fabs((double)y[k] - wanted) < 1e-2, "y[%d] is %g, must be %g", k, (double)y[k],
                          wanted);
        }
        ck_assert_int_eq(reached, 9 * CHANNELS);
    }
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("winograd");

    add_tests(s, random_shapes, ROUNDS(48));
    add_tests(s, every_cut, 21);
    add_tests(s, not_finite, 18);
    add_test(s, what_fits);
    add_test(s, weights_that_are_needed_again_stay);
    return s;
}
