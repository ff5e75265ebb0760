/* Normalisation, pool and activation in one: the kernels against sums in double, the operator against the nodes that it
 * stands for. */
#include "kernels/norm_block.h"
#include "fixture.h"
#include "grad/grad.h"
#include "kernels/norm.h"
#include "numbers.h"
#include "ops/batch_normalization.h"
#include "ops/elementwise.h"
#include "ops/norm_block.h"
#include "ops/pooling.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/pass.h"
#include "run/frame.h"
#include <stdio.h>

/* -- what is right -- */

enum act { NONE, RELU, LEAKY, ELU, STEEP, SELU, SIGMOID, HARD, TANH, SOFTPLUS, GELU, SMOOTH, ACTS };

static const double root = 0.70710678118654752, density = 0.39894228040143268;

static double act_of(enum act act, double z)
{
    switch (act) {
    case RELU:
        return z > 0 ? z : 0;
    case LEAKY:
        return z < 0 ? .3 * z : z;
    case ELU:
    case STEEP:
        return z < 0 ? (act == ELU ? 1 : 2.5) * expm1(z) : z;
    case SELU:
        return 1.05070102214813232421875 * (z > 0 ? z : 1.67326319217681884765625 * expm1(z));
    case SIGMOID:
        return 1 / (1 + exp(-z));
    case HARD:
        return fmax(0, fmin(1, .2 * z + .5));
    case TANH:
        return tanh(z);
    case SOFTPLUS:
        return log1p(exp(z));
    case GELU:
        return z / 2 * (1 + erf(z * root));
    case SMOOTH:
        return z / 2 * (1 + tanh(2 * density * (z + .044715 * z * z * z)));
    default:
        return z;
    }
}
static double slope_of(enum act act, double z)
{
    const double h = 1e-6;

    return (act_of(act, z + h) - act_of(act, z - h)) / (2 * h);
}

extern const struct formula formula_gelu_tanh;

static void set_act(enum act act, struct norm_block *b)
{
#define ACT(which, formula, alpha, beta)                                                                               \
    case which:                                                                                                        \
        b->act = formula;                                                                                              \
        b->numbers = (struct numbers){ alpha, beta };                                                                  \
        break;
    switch (act) {
        ACT(RELU, formula_of(&op_relu), 0, 0)
        ACT(LEAKY, formula_of(&op_leaky_relu), .3f, 0)
        ACT(ELU, formula_of(&op_elu), 1, 0)
        ACT(STEEP, formula_of(&op_elu), 2.5f, 0)
        ACT(SELU, formula_of(&op_selu), 1.67326319217681884765625f, 1.05070102214813232421875f)
        ACT(SIGMOID, formula_of(&op_sigmoid), 0, 0)
        ACT(HARD, formula_of(&op_hard_sigmoid), .2f, .5f)
        ACT(TANH, formula_of(&op_tanh), 0, 0)
        ACT(SOFTPLUS, formula_of(&op_softplus), 0, 0)
        ACT(GELU, formula_of(&op_gelu), 0, 0)
        ACT(SMOOTH, &formula_gelu_tanh, 0, 0)
    default:
        break;
    }
#undef ACT
}

/* -- the kernels -- */

struct trial {
    struct norm_block b;
    enum act act;
    int64_t n, pooled; /* elements */
    float *x, *dy, *scale, *bias, *mean, *var, *invstd, *y, *best, *dx, *dscale, *dbias;
    double *z, *g; /* of x: what is right, and the gradient that reaches it */
};

/* Numbers of a grid, so that equal ones are met and others are far apart. */
static float *grid(int64_t n, int64_t steps, double offset)
{
    float *p = room((size_t)n * sizeof *p);

    for (int64_t i = 0; i < n; i++)
        p[i] = (float)((double)random_below(steps) / 64 + offset);
    return p;
}

static void trial_begin(struct trial *t, const struct norm_block *b, enum act act)
{
    const int64_t rows = b->images * b->height * b->width;

    *t = (struct trial){ .b = *b, .act = act, .n = rows * b->channels };
    t->pooled = b->pool ? b->images * (b->height / 2) * (b->width / 2) * b->channels : t->n;
    t->x = grid(t->n, 300, 17.003); /* a mean far from 0 */
    t->dy = random_array(F32, t->pooled);
    t->scale = random_array(F32, b->channels);
    t->bias = random_array(F32, b->channels);
    t->scale[0] = b->channels > 1 ? -t->scale[0] : -.75f;
    t->y = room((size_t)t->pooled * sizeof(float));
    t->best = room((size_t)t->pooled * sizeof(float));
    t->dx = room((size_t)t->n * sizeof(float));
    t->z = room((size_t)t->n * sizeof(double));
    t->g = room((size_t)t->n * sizeof(double));
    t->mean = room((size_t)b->channels * sizeof(float));
    t->var = room((size_t)b->channels * sizeof(float));
    t->invstd = room((size_t)b->channels * sizeof(float));
    t->dscale = room((size_t)b->channels * sizeof(float));
    t->dbias = room((size_t)b->channels * sizeof(float));
}
static void trial_end(struct trial *t)
{
    void *const all[] = { t->x, t->dy,   t->scale, t->bias, t->mean,   t->var,   t->invstd,
                          t->y, t->best, t->dx,    t->z,    t->dscale, t->dbias, t->g };

    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

static void trial_run(struct trial *t, const struct kernels *k, struct pool *pool)
{
    const struct norm_block *b = &t->b;
    const struct norm_parameters p = { t->scale, t->bias, t->mean, t->invstd };
    const int64_t rows = b->images * b->height * b->width;
    void *scratch = room(norm_moments_scratch(rows, b->channels));

    if (b->normal) {
        norm_moments(k, pool, rows, b->channels, t->x, t->mean, t->var, scratch);
        inverse_std(F32, b->channels, t->var, 1e-3, t->invstd);
    }
    free(scratch);
    scratch = room(norm_block_scratch(b));
    norm_block_forward(k, pool, b, &p, t->x, t->y, b->pool ? t->best : NULL, scratch);
    free(scratch);
    scratch = room(norm_block_grad_scratch(b));
    norm_block_backward(k, pool, b, &p, true, t->dy, t->x, t->best, t->dx, b->normal ? t->dscale : NULL,
                        b->normal ? t->dbias : NULL, scratch);
    free(scratch);
}

static void check_statistics(struct trial *t, int64_t c)
{
    const int64_t channels = t->b.channels;
    const double count = (double)(t->n / channels);
    double mean = 0, var = 0, invstd;

    for (int64_t i = c; i < t->n; i += channels)
        mean += (double)t->x[i] / count;
    for (int64_t i = c; i < t->n; i += channels)
        var += ((double)t->x[i] - mean) * ((double)t->x[i] - mean) / count;
    expect_near("mean", c, (double)t->mean[c], mean, 2e-7 * fabs(mean));
    expect_near("var", c, (double)t->var[c], var, 1e-6 * (var + 1e-3));
    invstd = 1 / sqrt(var + 1e-3);
    for (int64_t i = c; i < t->n; i += channels)
        t->z[i] = ((double)t->x[i] - mean) * invstd * (double)t->scale[c] + (double)t->bias[c];
}

/* y from z, and the gradient back to z: to the first of equal ones. */
static void check_output(struct trial *t, int64_t o, const int64_t *at, int count)
{
    int64_t best = at[0];

    for (int k = 1; k < count; k++)
        if (t->z[at[k]] > t->z[best])
            best = at[k];
    expect_near("y", o, (double)t->y[o], act_of(t->act, t->z[best]), 3e-5);
    t->g[best] = (double)t->dy[o] * slope_of(t->act, t->z[best]);
}
static void check_outputs(struct trial *t)
{
    const struct norm_block *b = &t->b;
    const int64_t columns = b->width / 2, rows = b->height / 2, c = b->channels, line = b->width * c;

    for (int64_t o = 0; o < t->pooled; o++) {
        if (b->pool) {
            const int64_t pixel = o / c, column = pixel % columns, row = pixel / columns % rows;
            const int64_t above = pixel / columns / rows * b->height + 2 * row;
            const int64_t first = (above * b->width + 2 * column) * c + o % c;

            check_output(t, o, (const int64_t[]){ first, first + c, first + line, first + line + c }, 4);
        } else {
            check_output(t, o, &o, 1);
        }
    }
}

static void check_gradient(struct trial *t, int64_t c)
{
    const int64_t channels = t->b.channels;
    const double count = (double)(t->n / channels), scale = (double)t->scale[c], r = (double)t->invstd[c];
    double sum = 0, product = 0, size = 0;

    for (int64_t i = c; i < t->n; i += channels) {
        const double h = ((double)t->x[i] - (double)t->mean[c]) * r;

        sum += t->g[i];
        product += t->g[i] * h;
        size += fabs(t->g[i]) * (1 + fabs(h));
    }
    expect_near("dbias", c, (double)t->dbias[c], sum, 3e-5 * (1 + size));
    expect_near("dscale", c, (double)t->dscale[c], product, 3e-5 * (1 + size));
    for (int64_t i = c; i < t->n; i += channels) {
        const double h = ((double)t->x[i] - (double)t->mean[c]) * r;

        expect_near("dx", i, (double)t->dx[i], scale * r * (t->g[i] - sum / count - h * product / count),
                    1e-4 * (1 + fabs(scale * r)));
    }
}

static void check_trial(struct trial *t)
{
    memset(t->g, 0, (size_t)t->n * sizeof *t->g);
    for (int64_t i = 0; i < t->n; i++)
        t->z[i] = (double)t->x[i];
    for (int64_t c = 0; c < t->b.channels && t->b.normal; c++)
        check_statistics(t, c);
    check_outputs(t);
    for (int64_t c = 0; c < t->b.channels && t->b.normal; c++)
        check_gradient(t, c);
    for (int64_t i = 0; i < t->n && !t->b.normal; i++)
        expect_near("dx", i, (double)t->dx[i], t->g[i], 3e-5);
}

/* Three threads do what one does, bit for bit. */
static void check_threads(const struct trial *t, const struct kernels *k, struct pool *pool)
{
    struct trial u = *t;

    u.y = room((size_t)t->pooled * sizeof(float));
    u.dx = room((size_t)t->n * sizeof(float));
    u.dscale = room((size_t)t->b.channels * sizeof(float));
    trial_run(&u, k, pool);
    ck_assert_int_eq(memcmp(t->y, u.y, (size_t)t->pooled * sizeof(float)), 0);
    ck_assert_int_eq(memcmp(t->dx, u.dx, (size_t)t->n * sizeof(float)), 0);
    if (t->b.normal)
        ck_assert_int_eq(memcmp(t->dscale, u.dscale, (size_t)t->b.channels * sizeof(float)), 0);
    free(u.y);
    free(u.dx);
    free(u.dscale);
}

static const int64_t sizes[][4] = { /* images, height, width, channels */
                                    { 2, 5, 5, 1 },     { 3, 4, 7, 3 },    { 2, 9, 6, 17 },   { 1, 8, 8, 60 },
                                    { 5, 2, 3, 16 },    { 7, 16, 18, 16 }, { 9, 12, 13, 60 }, { 2, 2, 2, 300 },
                                    { 3, 3, 2, 1100 },  { 2, 5, 140, 40 }, { 40, 1, 1, 784 }, { 70, 1, 1, 100 },
                                    { 90, 1, 1, 1500 }, { 700, 4, 4, 10 }
};
enum { SIZES = sizeof sizes / sizeof *sizes };

static struct norm_block block_of(int size, bool normal, bool pool)
{
    const int64_t *s = sizes[size];

    return (struct norm_block){ s[0], s[1], s[2], s[3], .normal = normal, .pool = pool };
}

START_TEST(blocks_are_right)
{
    struct pool *const pool = threads(3);

    for (int level = 0; level < 3; level++)
        for (int form = 0; form < 3 && kernels_for(level); form++) {
            const struct kernels *const k = kernels_for(level);
            const bool has_pool = form != 1;
            struct norm_block b = block_of(_i, form < 2, has_pool);

            if (!norm_block_fits(&b))
                continue;
            for (enum act act = NONE; act < ACTS; act += _i == 1 ? 1 : 3) {
                struct trial t;

                if (has_pool && (act == GELU || act == SMOOTH))
                    continue;
                set_act(act, &b);
                trial_begin(&t, &b, act);
                trial_run(&t, k, NULL);
                check_trial(&t);
                check_threads(&t, k, pool);
                trial_end(&t);
                b = block_of(_i, form < 2, has_pool);
            }
        }
    pool_free(pool);
}
END_TEST

/* The window's elements are one number, or two: the first one wins; NaN wins over everything. */
START_TEST(the_first_of_equal_ones_wins)
{
    const struct kernels *const k = kernels_for(_i);
    float x[4 * 17], y[17], dx[4 * 17], dy[17];

    if (!k)
        return;
    for (int c = 0; c < 17; c++) {
        dy[c] = (float)(c + 1);
        for (int t = 0; t < 4; t++)
            x[t * 17 + c] = c == 0 ? 3 : (float)(c >> t & 1);
    }
    x[2 * 17 + 5] = x[3 * 17 + 5] = NAN;
    k->norm->last_pool(x, 2 * 17, 1, 17, y);
    k->norm->last_pool_back(x, 2 * 17, y, dy, 1, 17, dx);
    for (int c = 0; c < 17; c++) {
        const int winner = c == 0 || c == 16 ? 0 : c == 5 ? 2 : __builtin_ctz((unsigned)c);

        if (c == 5)
            ck_assert(isnan(y[c]));
        else
            ck_assert_float_eq(y[c], x[winner * 17 + c]);
        for (int t = 0; t < 4; t++)
            ck_assert_float_eq(dx[t * 17 + c], t == winner ? dy[c] : 0);
    }
}
END_TEST

/* Blocks of any sizes, joined, are what the whole is. */
START_TEST(moments_join)
{
    enum { ROWS = 1000, C = 19 };
    const struct kernels *const k = kernels_get();
    const int64_t from[] = { 0, 1, 7, 300, 999, ROWS };
    float *const x = random_array(F32, ROWS * C), mean[C], var[C], whole_mean[C], whole_var[C];
    double *const records = room(5 * (size_t)norm_record(C) * sizeof *records);
    void *const scratch = room(norm_moments_scratch(ROWS, C));

    for (int64_t i = 0; i < ROWS * C; i++)
        x[i] += 1000;
    for (int b = 0; b < 5; b++)
        norm_block_moments(k, from[b + 1] - from[b], C, x + from[b] * C, records + b * norm_record(C));
    norm_moments_join(5, C, records, ROWS, mean, var);
    norm_moments(k, NULL, ROWS, C, x, whole_mean, whole_var, scratch);
    for (int c = 0; c < C; c++) {
        expect_near("mean", c, (double)mean[c], (double)whole_mean[c], 1e-4);
        expect_near("var", c, (double)var[c], (double)whole_var[c], 1e-6);
    }
    free(x);
    free(records);
    free(scratch);
}
END_TEST

/* -- the operator, against the nodes that it stands for -- */

enum { VALUES = 5 }; /* x, scale, bias, mean, var */

/* One of the two graphs: run, with its gradients. */
struct side {
    struct fixture f;
    struct budget budget;
    struct arena arena;
    struct graph *graph;
    struct engine engine;
    struct program *types;
    struct frame *frame;
    struct value *gradient[3];
};

static void side_begin(struct side *s, const char *text)
{
    memset(s, 0, sizeof *s);
    begin(&s->f, text);
    s->arena.budget = &s->budget;
    s->engine = (struct engine){ .kernels = kernels_get(), .budget = &s->budget };
    s->graph = graph_clone(s->f.model->graph, &s->arena, &s->f.report);
    ck_assert_ptr_nonnull(s->graph);
}

/* Channels last, as plan/pass_layout.c would say it; and the pass, which is told what it asks of types. */
static void side_fuse(struct side *s, const struct tensor *in, bool last)
{
    const struct plan_context c = {
        .kernels = kernels_get(), .threads = 1, .budget = &s->budget, .report = &s->f.report
    };
    struct tensor *const given = given_types(s->graph, &s->arena, &s->f.report);
    struct rewrite w = { .graph = s->graph, .c = &c, .values = s->graph->value_count, .given = given };

    for (size_t k = 0; k < s->graph->value_count; k++)
        s->graph->values[k]->has_type = false;
    for (size_t k = 0; k < s->graph->input_count; k++)
        given[s->graph->inputs[k]->id] = in[k];
    for (size_t k = 0; k < s->graph->node_count && last; k++) {
        struct node *n = s->graph->nodes[k];
        void *attrs = arena_alloc(&s->arena, n->def->attrs_size, &s->f.report);

        memcpy(attrs, n->attrs, n->def->attrs_size);
        if (node_is(n, &op_batch_normalization))
            ((struct batch_norm *)attrs)->channels_last = true;
        else if (node_is(n, &op_max_pool))
            ((struct pooling_attrs *)attrs)->channels_last = true;
        else
            continue;
        n->attrs = attrs;
    }
    ck_assert(pass_norm(&w));
}

static void side_run(struct side *s, const struct tensor *in, const struct tensor *upstream, bool normal)
{
    const struct plan_context c = {
        .kernels = kernels_get(), .threads = 1, .budget = &s->budget, .report = &s->f.report
    };
    struct tensor *const given = arena_array(&s->arena, s->graph->value_count, sizeof *given, &s->f.report);
    struct value *seed = graph_value(s->graph, NULL);
    struct grad_request q = { .graph = s->graph,
                              .seeds = 1,
                              .seed = s->graph->outputs,
                              .seed_gradient = &seed,
                              .count = normal ? 3 : 1,
                              .wrt = s->graph->inputs,
                              .gradient = s->gradient };

    for (size_t k = 0; k + 1 < s->graph->value_count; k++)
        given[k].rank = UNKNOWN;
    for (size_t k = 0; k < s->graph->input_count; k++)
        given[s->graph->inputs[k]->id] = in[k];
    seed->initializer = upstream;
    s->types = plan_types(s->graph, given, NULL, &c);
    q.types = s->types ? s->types->types : NULL;
    ck_assert_msg(s->types && grad_build(&q, &c), "%s: %s", s->f.report.error.where, s->f.report.error.message);
    for (size_t k = 0; k < q.count; k++)
        ck_assert(s->gradient[k] && graph_add_output(s->graph, s->gradient[k]));
    s->frame = frame_new(&s->engine, s->graph, &s->f.report);
    for (size_t k = 0; k < s->graph->input_count; k++)
        frame_set(s->frame, s->graph->inputs[k], &in[k]);
    ck_assert_msg(frame_run(s->frame, &s->f.report), "%s: %s", s->f.report.error.where, s->f.report.error.message);
}

static void side_end(struct side *s)
{
    frame_free(s->frame);
    program_free(s->types);
    graph_release(s->graph);
    arena_release(&s->arena);
    ck_assert_uint_eq(s->budget.used, 0);
    end(&s->f);
}

static int blocks_in(const struct graph *g)
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        n += g->nodes[k]->op == &norm_block_op && g->nodes[k]->out[0];
    return n;
}
static int nodes_in(const struct graph *g)
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        n += g->nodes[k]->slots && g->nodes[k]->out[0];
    return n;
}

#define HEAD "<ir_version: 8, opset_import: [\"\" : 20]>\n"
#define IMAGE                                                                                                          \
    "g (float[4, 7, 6, 5] x, float[5] s, float[5] o, float[5] m, float[5] v) => (float[a, b, c, d] y, float[5] p, "    \
    "float[5] q) "
#define MATRIX                                                                                                         \
    "g (float[9, 5] x, float[5] s, float[5] o, float[5] m, float[5] v) => (float[a, b] y, float[5] p, float[5] q) "
#define PLAIN "g (float[4, 7, 6, 5] x) => (float[a, b, c, d] y) "
#define BN    "BatchNormalization <training_mode = 1, epsilon = 0.01, momentum = 0.75> "
#define POOL  "MaxPool <kernel_shape = [2, 2], strides = [2, 2]> "

enum form { ON_IMAGE, ON_MATRIX, WITHOUT };
static const char *const heads[] = { IMAGE, MATRIX, PLAIN };
static const struct {
    enum form form;
    const char *nodes; /* from t to u */
    int left;          /* nodes after the pass */
} parts[] = {
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = Elu(b)  u = " POOL "(a)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = " POOL "(b)  u = Elu <alpha = 0.5> (a)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = Relu(b)  u = " POOL "(a)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = Selu(b)  u = " POOL "(a)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = " POOL "(b)  u = Gelu(a)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  u = " POOL "(b)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  u = LeakyRelu <alpha = -0.5> (b)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  u = Softplus(b)", 1 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = Tanh(b)  u = Neg(a)", 2 },
    { ON_IMAGE, "b, p, q = " BN "(t, s, o, m, v)  a = Sigmoid(b)  u = " POOL "(a)", 1 },
    { WITHOUT, "a = Relu(t)  u = " POOL "(a)", 1 },
    { WITHOUT, "a = " POOL "(t)  u = Elu(a)", 1 },
    { WITHOUT, "a = Sigmoid(t)  u = " POOL "(a)", 1 },
    { ON_MATRIX, "b, p, q = " BN "(t, s, o, m, v)  u = Relu(b)", 1 },
    { ON_MATRIX, "b, p, q = " BN "(t, s, o, m, v)  u = Sigmoid(b)", 1 },
    { ON_MATRIX, "b, p, q = " BN "(t, s, o, m, v)  u = Gelu <approximate = \"tanh\"> (b)", 1 },
};

static void same_values(const char *what, const struct tensor *a, const struct tensor *b)
{
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_msg(same_type(a, b), "%s: not of one type", what);
    for (int64_t i = 0; i < tensor_count(a); i++)
        expect_near(what, i, (double)((const float *)b->data)[i], (double)((const float *)a->data)[i],
                    2e-5 * (1 + fabs((double)((const float *)a->data)[i])));
}

START_TEST(a_block_is_what_its_nodes_are)
{
    const bool image = parts[_i].form != ON_MATRIX, normal = parts[_i].form != WITHOUT;
    const char *const there = image ? "t = Transpose <perm = [0, 3, 1, 2]> (x) " : "t = Identity(x) ";
    const char *const back = image ? " y = Transpose <perm = [0, 2, 3, 1]> (u)" : " y = Identity(u)";
    struct tensor in[VALUES], upstream;
    struct side a, b;
    char text[1024], *at;

    ck_assert(tensor_shape(&in[0], F32, image ? 4 : 2, image ? (int64_t[]){ 4, 7, 6, 5 } : (int64_t[]){ 9, 5 }));
    in[0].data = grid(tensor_count(&in[0]), 200, -1.3);
    for (int k = 1; k < VALUES; k++) {
        ck_assert(tensor_shape(&in[k], F32, 1, (int64_t[]){ 5 }));
        in[k].data = random_array(F32, 5);
    }
    snprintf(text, sizeof text, "%s%s{ %s %s %s }", HEAD, heads[parts[_i].form], there, parts[_i].nodes, back);
    side_begin(&a, text);
    /* the same nodes from x to y alone */
    snprintf(text, sizeof text, "%s%s{ %s }", HEAD, heads[parts[_i].form], parts[_i].nodes);
    at = strstr(text, "(t");
    at[1] = 'x';
    at = strstr(text, "u = ");
    at[0] = 'y';
    side_begin(&b, text);
    side_fuse(&b, in, image);
    ck_assert_int_eq(blocks_in(b.graph), 1);
    ck_assert_int_eq(nodes_in(b.graph), parts[_i].left);
    upstream = in[0];
    if (strstr(parts[_i].nodes, "MaxPool")) {
        upstream.dims[1] = 3;
        upstream.dims[2] = 3;
    }
    upstream.data = random_array(F32, tensor_count(&upstream));
    side_run(&a, in, &upstream, normal);
    side_run(&b, in, &upstream, normal);
    same_values("y", frame_get(a.frame, a.graph->outputs[0]), frame_get(b.frame, b.graph->outputs[0]));
    for (int k = 0; k < (normal ? 3 : 1); k++)
        same_values(k == 0   ? "dx"
                    : k == 1 ? "dscale"
                             : "dbias",
                    frame_get(a.frame, a.gradient[k]), frame_get(b.frame, b.gradient[k]));
    for (int k = 1; k < 3 && normal; k++)
        same_values(k == 1 ? "running mean" : "running variance", frame_get(a.frame, a.graph->outputs[k]),
                    frame_get(b.frame, b.graph->outputs[k]));
    side_end(&a);
    side_end(&b);
    free(upstream.data);
    for (int k = 0; k < VALUES; k++)
        free(in[k].data);
}
END_TEST

/* What must stay as it is. */
START_TEST(a_block_is_not_made_of_others)
{
    static const char *const others[] = {
        IMAGE "{ b, p, q = " BN "(x, s, o, m, v)  a = Elu(b)  c = Neg(b)  y = Add(a, c) }", /* read twice */
        IMAGE "{ b, p, q = " BN "(x, s, o, m, v)  y = Neg(b) }",
        IMAGE "{ b, p, q = " BN "(x, s, o, m, v)  y = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (b) }",
        IMAGE "{ b, p, q = " BN "(x, s, o, m, v)  y = MaxPool <kernel_shape = [2, 2], strides = [1, 1]> (b) }",
        IMAGE "{ b, p, q = " BN
              "(x, s, o, m, v)  y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], dilations = [2, 1]> (b) }",
        IMAGE "{ b, p, q = " BN "(x, s, o, m, v)  y, i = " POOL "(b)  j = Cast <to = 1> (i)  k = ReduceSum(j) }",
        "g (float[4, 7, 6, 5] x, float[5] s, float[5] o, float[5] m, float[5] v) => (float[a, b, c, d] y) "
        "{ b = BatchNormalization (x, s, o, m, v)  y = Relu(b) }", /* frozen */
        PLAIN "{ a = Gelu(x)  y = " POOL "(a) }",                  /* falls, and rises */
        PLAIN "{ a = LeakyRelu <alpha = -1.0> (x)  y = " POOL "(a) }",
        PLAIN "{ a = Relu(x)  y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], pads = [1, 0, 0, 0]> (a) }",
        PLAIN "{ a = Relu(x)  y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (a) }",
        PLAIN "{ a = Relu(x)  y = Tanh(a) }",
    };
    struct tensor in[VALUES];
    struct side s;
    char text[1024];

    ck_assert(tensor_shape(&in[0], F32, 4, (int64_t[]){ 4, 7, 6, 5 }));
    for (int k = 1; k < VALUES; k++)
        ck_assert(tensor_shape(&in[k], F32, 1, (int64_t[]){ 5 }));
    snprintf(text, sizeof text, "%s%s", HEAD, others[_i]);
    side_begin(&s, text);
    side_fuse(&s, in, true);
    ck_assert_int_eq(blocks_in(s.graph), 0);
    side_end(&s);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("norm_block");

    add_tests(s, blocks_are_right, SIZES);
    add_tests(s, the_first_of_equal_ones_wins, 3);
    add_test(s, moments_join);
    add_tests(s, a_block_is_what_its_nodes_are, sizeof parts / sizeof *parts);
    add_tests(s, a_block_is_not_made_of_others, 12);
    return s;
}
