/* Convolution whose channels lie last, against the definition, at every level of the CPU. */
#include "kernels/channels_last/conv.h"
#include "numbers.h"

enum { GUARD = 32 };   /* floats around an array, which nothing may touch */
enum { SPOILT = 128 }; /* of the options of a check: some elements are not finite */

struct expected {
    double *y, *dx, *dw, *y_size, *dx_size, *dw_size; /* sums, and sums of absolute values */
};

static void meet(const struct conv_shape *s, const float *x, const float *w, const float *dy, struct expected *e)
{
    const int64_t channels = s->in_channels / s->groups, taps = s->kernel[0] * s->kernel[1];

    for (int64_t n = 0; n < s->batch; n++)
        for (int64_t p = 0; p < s->out[0] * s->out[1]; p++)
            for (int64_t t = 0; t < taps; t++) {
                const int64_t row =
                    p / s->out[1] * s->strides[0] + t / s->kernel[1] * s->dilations[0] - s->pads_begin[0];
                const int64_t column =
                    p % s->out[1] * s->strides[1] + t % s->kernel[1] * s->dilations[1] - s->pads_begin[1];

                if (row < 0 || row >= s->in[0] || column < 0 || column >= s->in[1])
                    continue;
                for (int64_t o = 0; o < s->out_channels; o++)
                    for (int64_t c = 0; c < channels; c++) {
                        const int64_t yi = (n * s->out[0] * s->out[1] + p) * s->out_channels + o;
                        const int64_t group = o / (s->out_channels / s->groups), wi = (o * channels + c) * taps + t;
                        const int64_t xi =
                            ((n * s->in[0] + row) * s->in[1] + column) * s->in_channels + group * channels + c;
                        const double a = (double)x[xi], b = (double)w[wi], g = (double)dy[yi];

                        e->y[yi] += a * b;
                        e->y_size[yi] += fabs(a * b);
                        e->dx[xi] += g * b;
                        e->dx_size[xi] += fabs(g * b);
                        e->dw[wi] += g * a;
                        e->dw_size[wi] += fabs(g * a);
                    }
            }
}

static double *zeros(int64_t n)
{
    double *const p = calloc((size_t)n + 1, sizeof *p);

    ck_assert_ptr_nonnull(p);
    return p;
}

/* -- arrays with guards -- */

static float *guarded(int64_t n, int shift) /* a multiple of 64 bytes, and so many floats */
{
    float *const p = room((size_t)(n + 2 * GUARD + shift) * sizeof *p);

    return p + GUARD + shift;
}
static void release(const char *what, float *p, int64_t n, int shift)
{
    const unsigned char *const before = (const unsigned char *)(p - GUARD - shift), *const after =
                                                                                        (const void *)(p + n);

    for (size_t i = 0; i < GUARD * sizeof *p; i++)
        ck_assert_msg(before[i] == 0xff && after[i] == 0xff, "%s: written out of it", what);
    free(p - GUARD - shift);
}
static float *random_guarded(int64_t n, int shift)
{
    float *const p = guarded(n, shift);

    for (int64_t i = 0; i < n; i++)
        p[i] = (float)random_unit();
    return p;
}

/* -- finish -- */

struct seen { /* what finish was called with */
    const float *y;
    float *copy;
    int64_t *from, *to;
    int64_t image;
    int threads;
};

static void see(void *context, int64_t block, int64_t from, int64_t n, float *y, int thread)
{
    struct seen *s = context;

    s->from[block] += from; /* twice is seen below */
    s->to[block] += from + n;
    if (thread < 0 || thread >= s->threads || y != s->y + from)
        s->from[block] = -1;
    memcpy(s->copy + from, y, (size_t)n * sizeof *y);
}
static void check_seen(const struct seen *s, int64_t blocks, int64_t n, int64_t channels)
{
    int64_t at = 0;

    for (int64_t b = 0; b < blocks; at = s->to[b++]) {
        ck_assert_int_eq(s->from[b], at);
        ck_assert_int_eq(at % channels, 0);
        ck_assert_int_eq(at / s->image, (s->to[b] - 1) / s->image);
    }
    ck_assert_int_eq(at, n);
    ck_assert_msg(!memcmp(s->copy, s->y, (size_t)n * sizeof *s->y), "what was finished was not final");
}

/* -- one shape -- */

struct arrays {
    const struct conv_shape *s;
    const struct kernels *k;
    int64_t nx, ny, nw;
    float *x, *y, *w, *bias, *residual;
    bool biased, limited, finished;
    int residue; /* 0: none, 1: an array, 2: it is y */
    int shift;
};

/* Forward, or by input; returns the result, to be released. */
static float *run_one(const struct arrays *a, enum conv_pass pass, struct pool *pool)
{
    const bool forward = pass == CONV_FORWARD;
    const int64_t n = forward ? a->ny : a->nx, channels = forward ? a->s->out_channels : a->s->in_channels;
    float *const result = guarded(n, a->shift), *packed, *scratch;
    struct conv_last c;
    int64_t np, ns, blocks;
    struct seen seen;
    const struct epilogue none = { .least = -INFINITY, .most = INFINITY };
    struct epilogue e = none;

    ck_assert(conv_last_plan(&c, a->k, a->s, pass, true));
    np = (int64_t)(conv_last_weights(&c) / sizeof(float));
    ns = (int64_t)(conv_last_scratch(&c, pool_threads(pool)) / sizeof(float));
    packed = guarded(np, 0);
    scratch = guarded(ns, 0);
    blocks = conv_last_blocks(&c);
    seen = (struct seen){ .y = result, .image = n / a->s->batch, .threads = pool_threads(pool) };
    seen.copy = room((size_t)n * sizeof *seen.copy);
    seen.from = calloc((size_t)blocks, sizeof *seen.from);
    seen.to = calloc((size_t)blocks, sizeof *seen.to);
    if (a->biased)
        e.bias = a->bias;
    if (a->residue)
        e.residual = a->residue == 2 ? result : a->residual;
    if (a->residue == 2)
        memcpy(result, a->residual, (size_t)n * sizeof *result);
    if (a->limited) {
        e.least = 0;
        e.most = 1.5f;
    }
    if (a->finished) {
        e.finish = see;
        e.context = &seen;
    }
    conv_last_pack(&c, pool, a->w, packed);
    conv_last_run(&c, pool, forward ? a->x : a->y, a->w, packed, &e, result, scratch);
    if (a->finished)
        check_seen(&seen, blocks, n, channels);
    free(seen.copy);
    free(seen.from);
    free(seen.to);
    release("packed", packed, np, 0);
    release("scratch", scratch, ns, 0);
    return result;
}
static float *run_dw(const struct arrays *a, struct pool *pool, float *db)
{
    float *const dw = guarded(a->nw, a->shift), *scratch;
    struct conv_last c;
    int64_t ns;

    ck_assert(conv_last_plan(&c, a->k, a->s, CONV_DW, true));
    ns = (int64_t)(conv_last_scratch(&c, pool_threads(pool)) / sizeof(float));
    scratch = guarded(ns, 0);
    conv_last_dw(&c, pool, a->x, a->y, dw, db, scratch);
    release("scratch", scratch, ns, 0);
    return dw;
}

static void compare(const char *what, const struct arrays *a, const float *got, const double *sum, const double *size,
                    int64_t n, int64_t channels)
{
    for (int64_t i = 0; i < n; i++) {
        double v = sum[i];

        if (channels) {
            v += a->biased ? (double)a->bias[i % channels] : 0;
            v += a->residue ? (double)a->residual[i] : 0;
            if (a->limited && !isnan(v))
                v = fmin(1.5, fmax(0, v));
        }
        expect_near(what, i, (double)got[i], v, rounding(F32) * (size[i] + 1));
    }
}

/* The sums of y; not wanted where NULL. */
static void check_db(const struct arrays *a, float *const db[2])
{
    const int64_t channels = a->s->out_channels;

    if (!db[0])
        return;
    ck_assert_msg(!memcmp(db[0], db[1], (size_t)channels * sizeof(float)), "db depends on the threads");
    for (int64_t o = 0; o < channels; o++) {
        double sum = 0, size = 1;

        for (int64_t i = o; i < a->ny; i += channels) {
            sum += (double)a->y[i];
            size += fabs((double)a->y[i]);
        }
        expect_near("db", o, (double)db[0][o], sum, rounding(F32) * size);
    }
    for (int t = 0; t < 2; t++)
        release("db", db[t], channels, a->shift);
}

/* `options` are bits. */
static void check_shape(const struct kernels *k, struct pool *const pools[2], const struct conv_shape *s, int options)
{
    struct arrays a = { .s = s, .k = k, .shift = options & 1 ? 1 : 0 };
    struct expected e;
    float *results[2][3], *db[2];
    int64_t sizes[3];

    a.nx = s->batch * s->in_channels * s->in[0] * s->in[1];
    a.ny = s->batch * s->out_channels * s->out[0] * s->out[1];
    a.nw = s->out_channels * s->in_channels / s->groups * s->kernel[0] * s->kernel[1];
    a.x = random_guarded(a.nx, a.shift);
    a.y = random_guarded(a.ny, a.shift);
    a.w = random_guarded(a.nw, a.shift);
    a.bias = random_guarded(s->in_channels + s->out_channels, a.shift);
    a.residual = random_guarded(a.nx + a.ny, a.shift);
    a.biased = options & 2;
    a.limited = options & 4;
    a.residue = options >> 3 & 3;
    a.finished = options & 32;
    if (a.residue == 3)
        a.residue = 0;
    if (options & SPOILT) {
        spoil(F32, a.x, random_below(2) ? a.nx : 0);
        spoil(F32, a.y, random_below(2) ? a.ny : 0);
        spoil(F32, a.w, random_below(2) ? a.nw : 0);
    }
    e = (struct expected){ zeros(a.ny), zeros(a.nx), zeros(a.nw), zeros(a.ny), zeros(a.nx), zeros(a.nw) };
    meet(s, a.x, a.w, a.y, &e);
    sizes[0] = a.ny;
    sizes[1] = a.nx;
    sizes[2] = a.nw;
    for (int t = 0; t < 2; t++) {
        db[t] = options & 64 ? NULL : guarded(s->out_channels, a.shift);
        results[t][0] = run_one(&a, CONV_FORWARD, pools[t]);
        results[t][1] = run_one(&a, CONV_DX, pools[t]);
        results[t][2] = run_dw(&a, pools[t], db[t]);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_msg(!memcmp(results[0][i], results[1][i], (size_t)sizes[i] * sizeof(float)),
                      "result %d depends on the threads", i);
    check_db(&a, db);
    compare("y", &a, results[0][0], e.y, e.y_size, a.ny, s->out_channels);
    compare("dx", &a, results[0][1], e.dx, e.dx_size, a.nx, s->in_channels);
    compare("dw", &a, results[0][2], e.dw, e.dw_size, a.nw, 0);
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 3; i++)
            release("result", results[t][i], sizes[i], a.shift);
    free(e.y);
    free(e.dx);
    free(e.dw);
    free(e.y_size);
    free(e.dx_size);
    free(e.dw_size);
    release("x", a.x, a.nx, a.shift);
    release("y", a.y, a.ny, a.shift);
    release("w", a.w, a.nw, a.shift);
    release("bias", a.bias, s->in_channels + s->out_channels, a.shift);
    release("residual", a.residual, a.nx + a.ny, a.shift);
}

/* -- tiles -- */

static double tile_sum(const struct tile *t, int p, int c)
{
    double sum = t->bias ? (double)t->bias[c] : 0;

    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t i = 0; i < t->run; i++)
            sum += (double)t->x[(t->row_at ? t->row_at[r] : r * t->x_row) + p * t->x_pixel + i] *
                   (double)t->w[(t->w_at ? t->w_at[r] : r * t->run * t->w_step) + i * t->w_step + c];
    return sum;
}

static void check_tile(const struct kernels *k)
{
    enum { ROWS = 5, STEP = 100, Y = TILE_PIXELS * STEP };
    const int vectors = 1 + (int)random_below(TILE_VECTORS), most = k->conv->tile_pixels[vectors];
    const bool padded = random_below(2), listed = random_below(2);
    const int channels = (vectors - 1) * k->lanes + 1 + (int)random_below(k->lanes);
    const int64_t w_step = padded ? vectors * k->lanes : channels + random_below(3), run = random_below(20);
    int64_t at[TILE_PIXELS], row_at[ROWS], w_at[ROWS], nx = 0, nw = 0;
    float *const y = random_guarded(Y, 1), *const before = random_guarded(Y, 0);
    float *const residual = random_guarded(Y, 1), *const bias = random_guarded(channels, 1);
    struct tile t = {
        .rows = random_below(ROWS),
        .run = run,
        .x_pixel = random_below(30),
        .x_row = random_below(60),
        .row_at = listed ? row_at : NULL,
        .w_at = listed ? w_at : NULL,
        .w_step = w_step,
        .w_padded = padded,
        .y = y,
        .at = random_below(2) ? at : NULL,
        .y_pixel = STEP,
        .pixels = 1 + (int)random_below(most),
        .channels = channels,
        .add = random_below(2),
        .bias = random_below(2) ? bias : NULL,
        .residual = random_below(2) ? residual : NULL,
        .least = random_below(2) ? 0 : -INFINITY,
        .most = random_below(2) ? 1.5f : INFINITY,
        .soon = random_below(2) ? (const char *)before : NULL,
        .soon_step = 1 + random_below(TILE_SOON),
    };

    memcpy(before, y, Y * sizeof *y);
    for (int64_t r = 0; r < ROWS; r++) {
        row_at[r] = listed ? random_below(50) : r * t.x_row;
        w_at[r] = listed ? random_below(3000) : r * run * w_step;
        if (r < t.rows && run > 0) { /* exactly what may be read */
            const int64_t x_end = row_at[r] + (t.pixels - 1) * t.x_pixel + run;
            const int64_t w_end = w_at[r] + (run - 1) * w_step + (padded ? vectors * k->lanes : channels);

            nx = x_end > nx ? x_end : nx;
            nw = w_end > nw ? w_end : nw;
        }
    }
    for (int p = 0; p < TILE_PIXELS; p++)
        at[p] = random_below(5) ? (TILE_PIXELS - 1 - p) * STEP : -1;
    t.x = random_guarded(nx, 1);
    t.w = random_guarded(nw, 1);
    k->conv->tile(&t, vectors);
    for (int p = 0; p < t.pixels; p++) {
        const int64_t to = t.at ? at[p] : p * t.y_pixel;

        for (int c = 0; c < channels && to >= 0; c++) {
            double v = tile_sum(&t, p, c);

            v += t.add ? (double)before[to + c] : 0;
            v += t.residual ? (double)residual[to + c] : 0;
            expect_near("tile", to + c, (double)y[to + c], fmin((double)t.most, fmax((double)t.least, v)), 2e-5);
            y[to + c] = before[to + c];
        }
    }
    ck_assert_msg(!memcmp(y, before, Y * sizeof *y), "a tile wrote elsewhere");
    free((void *)(uintptr_t)(t.x - GUARD - 1));
    free((void *)(uintptr_t)(t.w - GUARD - 1));
    release("y", y, Y, 1);
    release("before", before, Y, 0);
    release("residual", residual, Y, 1);
    release("bias", bias, channels, 1);
}

static void check_weight_tile(const struct kernels *k)
{
    enum { STEP = 100, SUMS = TILE_PIXELS * STEP };
    const int vectors = 1 + (int)random_below(TILE_VECTORS);
    const int channels = (vectors - 1) * k->lanes + 1 + (int)random_below(k->lanes);
    struct weight_tile t = {
        .rows = 1 + random_below(4),
        .pixels = 1 + random_below(20),
        .x_row = random_below(50),
        .x_pixel = random_below(9),
        .g_row = random_below(300),
        .g_pixel = channels + random_below(5),
        .acc_step = STEP,
        .taps = 1 + (int)random_below(k->conv->weight_taps[vectors]),
        .channels = channels,
        .add = random_below(2),
    };
    const int64_t nx = (t.rows - 1) * t.x_row + (t.pixels - 1) * t.x_pixel + t.taps;
    const int64_t ng = (t.rows - 1) * t.g_row + (t.pixels - 1) * t.g_pixel + channels;
    float *const x = random_guarded(nx, 1), *const g = random_guarded(ng, 1);
    float *const sums = random_guarded(SUMS, 1), *const before = random_guarded(SUMS, 0);

    memcpy(before, sums, SUMS * sizeof *sums);
    t.x = x;
    t.g = g;
    t.acc = sums;
    k->conv->weight_tile(&t, vectors);
    for (int j = 0; j < t.taps; j++)
        for (int c = 0; c < channels; c++) {
            const int64_t to = j * STEP + c;
            double v = t.add ? (double)before[to] : 0;

            for (int64_t r = 0; r < t.rows; r++)
                for (int64_t p = 0; p < t.pixels; p++)
                    v += (double)x[r * t.x_row + p * t.x_pixel + j] * (double)g[r * t.g_row + p * t.g_pixel + c];
            expect_near("weight tile", to, (double)sums[to], v, 2e-5);
            sums[to] = before[to];
        }
    ck_assert_msg(!memcmp(sums, before, SUMS * sizeof *sums), "a tile wrote elsewhere");
    release("x", x, nx, 1);
    release("g", g, ng, 1);
    release("sums", sums, SUMS, 1);
    release("before", before, SUMS, 0);
}

START_TEST(tiles_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < ROUNDS(4000); round++) {
        check_tile(k);
        check_weight_tile(k);
    }
}
END_TEST

/* -- tests -- */

static struct conv_shape random_shape(int round)
{
    struct conv_shape s = { .batch = 1 + random_below(3), .groups = round % 4 ? 1 : 1 + random_below(5), .rank = 2 };
    int64_t channels = 1 + random_below(round % 3 ? 5 : 40), out_channels = 1 + random_below(round % 2 ? 7 : 150);

    if (round % 8 == 0) { /* depthwise */
        channels = 1;
        out_channels = round % 16 ? 1 : 1 + random_below(3);
        s.groups = 1 + random_below(90);
    }
    s.in_channels = channels * s.groups;
    s.out_channels = out_channels * s.groups;
    for (int d = 0; d < 2; d++) {
        int64_t span = -1;

        while (span < 0) {
            s.kernel[d] = round % 5 == 0 ? 3 : 1 + random_below(random_below(3) ? 3 : 6);
            s.strides[d] = random_below(3) ? 1 : 1 + random_below(4);
            s.dilations[d] = random_below(3) ? 1 : 1 + random_below(3);
            s.pads_begin[d] = random_below(2) ? 0 : random_below(5) - 1;
            s.in[d] = 1 + random_below(18);
            span = s.in[d] + s.pads_begin[d] + random_below(3) - (s.kernel[d] - 1) * s.dilations[d] - 1;
        }
        s.out[d] = span / s.strides[d] + 1;
    }
    if (round % 7 == 0) /* pixel by pixel */
        for (int d = 0; d < 2; d++) {
            s.kernel[d] = s.strides[d] = 1;
            s.pads_begin[d] = 0;
            s.out[d] = s.in[d];
        }
    return s;
}

START_TEST(convolutions_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[] = { NULL, threads(3) };

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < ROUNDS(120); round++) {
        const struct conv_shape s = random_shape(round);

        check_shape(k, pools, &s, (int)random_below(128));
    }
    pool_free(pools[1]);
}
END_TEST

/* Kernels that slide and others, rows of more than one part, more channels than go together, windows beyond any
 * edge. */
static struct conv_shape random_depthwise(void)
{
    const int64_t channels = 2 + random_below(random_below(3) ? 40 : 130);
    struct conv_shape s = { 1 + random_below(2), channels, channels, channels, .rank = 2 };

    for (int d = 0; d < 2; d++) {
        int64_t span = -1;

        while (span < 0) {
            s.kernel[d] = random_below(5) ? 3 + 2 * random_below(3) : 1 + random_below(8);
            s.strides[d] = 1 + random_below(random_below(5) ? 2 : 4);
            s.dilations[d] = random_below(5) ? 1 : 2;
            s.pads_begin[d] = random_below(5) ? s.kernel[d] / 2 : random_below(12) - 2;
            s.in[d] = 1 + random_below(random_below(3) ? 12 : 40);
            span = s.in[d] + s.pads_begin[d] + random_below(7) - (s.kernel[d] - 1) * s.dilations[d] - 1;
        }
        s.out[d] = span / s.strides[d] + 1;
    }
    return s;
}

START_TEST(depthwise_is_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[] = { NULL, threads(3) };

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < ROUNDS(150); round++) {
        const struct conv_shape s = random_depthwise();

        check_shape(k, pools, &s, (int)random_below(128));
    }
    pool_free(pools[1]);
}
END_TEST

/* Big enough that weights and work are cut in each of the ways. */
START_TEST(big_convolutions_are_right)
{
    const struct conv_shape shapes[] = {
        { 1, 1, 512, 136, 2, { 5, 5 }, { 5, 5 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 1, 1, 1200, 300, 2, { 3, 2 }, { 3, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 } },
        { 40, 1, 3, 20, 2, { 19, 30 }, { 10, 15 }, { 7, 7 }, { 2, 2 }, { 1, 1 }, { 3, 3 } },
        { 50, 1, 24, 32, 2, { 8, 8 }, { 8, 8 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 1, 3, 96, 90, 2, { 60, 50 }, { 60, 50 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 } },
        { 2, 40, 40, 40, 2, { 60, 50 }, { 60, 50 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 1, 1, 20, 500, 2, { 4, 40 }, { 4, 14 }, { 3, 1 }, { 1, 3 }, { 2, 1 }, { 2, 2 } },
    };
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[] = { NULL, threads(3) };

    for (size_t i = 0; k && i < sizeof shapes / sizeof *shapes; i++)
        check_shape(k, pools, &shapes[i], 32 + 2 + 4 + 16);
    pool_free(pools[1]);
}
END_TEST

/* NaN and infinity come through, with limits too; what is not met by any tap is bias. */
START_TEST(nan_passes)
{
    const struct conv_shape s = { 1, 1, 20, 30, 2, { 6, 6 }, { 6, 6 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } };
    const struct kernels *const k = kernels_for(_i % 3);
    struct arrays a = { .s = &s, .k = k, .nx = 720, .ny = 1080, .nw = 5400, .limited = true };
    float *y;

    if (!k)
        return;
    a.x = random_guarded(a.nx, 0);
    a.w = random_guarded(a.nw, 0);
    a.x[(2 * 6 + 3) * 20 + 7] = NAN;
    y = run_one(&a, CONV_FORWARD, NULL);
    for (int p = 0; p < 36; p++)
        for (int o = 0; o < 30; o++)
            ck_assert_int_eq(isnan(y[p * 30 + o]) != 0, p / 6 >= 1 && p / 6 <= 3 && p % 6 >= 2 && p % 6 <= 4);
    release("y", y, a.ny, 0);
    release("x", a.x, a.nx, 0);
    release("w", a.w, a.nw, 0);
}
END_TEST

/* It reaches what it meets and nothing else: groups that are taken together have weights of 0 between them. */
START_TEST(what_is_not_finite_stays)
{
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[] = { NULL, threads(3) };

    random_state = (uint64_t)_i + 300;
    for (int round = 0; k && round < ROUNDS(100); round++) {
        const struct conv_shape s = round % 3 ? random_shape(4 * round) : random_depthwise();

        check_shape(k, pools, &s, (int)random_below(128) | SPOILT);
    }
    pool_free(pools[1]);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("channels_last");

    add_tests(s, tiles_are_right, 3);
    add_tests(s, convolutions_are_right, 6);
    add_tests(s, depthwise_is_right, 6);
    add_tests(s, big_convolutions_are_right, 3);
    add_tests(s, nan_passes, 3);
    add_tests(s, what_is_not_finite_stays, 6);
    return s;
}
