/* What tests of layers in training form share: the step alone, on data of its own, and update_bn as one would write it. */
#ifndef KILN_TESTS_INFERRING_H
#define KILN_TESTS_INFERRING_H

#include "adapt/step.h"
#include "learning.h"
#include "ops/batch_normalization.h"
#include "ops/registry.h"
#include "run/session.h"
#include "scratch.h"
#include <math.h>

enum { SAMPLES = 150, BATCH = 64, CHANNELS = 3, MOST_INNER = 8 }; /* the last batch has 22 */

/* -- the step alone -- */

static struct {
    struct arena arena;
    struct model *file;
    struct two_columns columns;
    struct dataset data;
    struct adapt_options options;
    struct adapted out;
    struct adapt adapt;
    struct refused refused[1]; /* of choices, if there is one */
    bool used[1];
    float x[SAMPLES * CHANNELS * MOST_INNER];
} t;

static inline struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* Numbers far from 0, other ones for each channel, so that what is computed wrong shows. */
static inline void begin_data(int64_t samples, int rank, const int64_t *sample_dims)
{
    struct tensor x, y;
    static float zeros[SAMPLES];
    int64_t dims[MAX_RANK] = { samples };

    memcpy(dims + 1, sample_dims, (size_t)(rank - 1) * sizeof *dims);
    ck_assert(tensor_shape(&x, F32, rank, dims));
    ck_assert_int_le(tensor_count(&x), (int64_t)(sizeof t.x / sizeof *t.x));
    for (int64_t k = 0; k < tensor_count(&x); k++)
        t.x[k] = (float)(sin((double)k * .7) * (1 + (double)(k % 5)) + (double)(k % 3) + .01 * (double)(k / 90));
    ck_assert(tensor_shape(&y, F32, 1, dims));
    x.data = t.x;
    y.data = zeros;
    t.data = dataset_of(&t.columns, &x, &y, 0, &budget);
    t.options.data = &t.data;
}

static inline void begin(const char *text)
{
    memset(&t, 0, sizeof t);
    t.arena.budget = &budget;
    t.options.threads = 1;
    t.file = model_of(text);
}

static inline bool adapted(void)
{
    t.out = (struct adapted){ .findings.arena = &t.arena };
    t.adapt =
        (struct adapt){ .options = &t.options,
                        .model = t.file,
                        .reference = t.file,
                        .refused = t.refused,
                        .used = t.used,
                        .calibration = { .data = &t.data, .threads = 1 }, /* random numbers, where there are none */
                        .out = &t.out,
                        .arena = &t.arena,
                        .report = &report };
    return adapt_inference(&t.adapt);
}

static inline void end(void)
{
    for (size_t k = 0; k < t.adapt.made_count; k++)
        model_free(t.adapt.made[k]);
    model_free(t.file);
    arena_release(&t.arena);
    ck_assert_uint_eq(budget.used, 0);
}

static inline int nodes_of(const struct model *m, const struct op *op)
{
    int count = 0;

    for (size_t k = 0; k < m->graph->node_count; k++)
        count += node_is(m->graph->nodes[k], op);
    return count;
}

static inline const struct node *nth_node(const struct model *m, const struct op *op, int number)
{
    for (size_t k = 0; k < m->graph->node_count; k++)
        if (node_is(m->graph->nodes[k], op) && !number--)
            return m->graph->nodes[k];
    ck_abort_msg("there is no such %s", op->name);
}

static inline bool trains(const struct node *n)
{
    return ((const struct batch_norm *)n->attrs)->training;
}

/* Input k of the BatchNormalization of that number, a constant. */
static inline const float *input_of(int number, int k)
{
    const struct node *n = nth_node(t.adapt.model, &op_batch_normalization, number);

    ck_assert_ptr_nonnull(n->in[k]->initializer);
    ck_assert_int_eq(n->in[k]->initializer->dtype, F32);
    return n->in[k]->initializer->data;
}

enum { SCALE = 1, BIAS, MEAN, VARIANCE };

static inline void expect_channels(const float *got, const double *want, double tolerance)
{
    for (int c = 0; c < CHANNELS; c++)
        ck_assert_msg(fabs((double)got[c] - want[c]) <= tolerance * fmax(1, fabs(want[c])), "channel %d: %g, want %g",
                      c, (double)got[c], want[c]);
}

static inline const struct finding *found(const char *part)
{
    for (size_t k = 0; k < t.out.findings.count; k++)
        if (strstr(t.out.findings.at[k].found, part))
            return &t.out.findings.at[k];
    return NULL;
}

/* -- update_bn, as one would write it -- */

struct plain {
    double mean[CHANNELS], variance[CHANNELS];
};

/* x is [samples, outer, CHANNELS, inner] and becomes what the layer makes of it in training, batch by batch. */
static inline void plain_update(double *x, int64_t samples, int64_t outer, int64_t inner, const double *gamma,
                                const double *beta, double epsilon, struct plain *out)
{
    const int64_t size = outer * CHANNELS * inner;
    int batches = 0;

    *out = (struct plain){ 0 };
    for (int64_t from = 0; from < samples; from += BATCH, batches++)
        for (int c = 0; c < CHANNELS; c++) {
            const int64_t to = from + BATCH < samples ? from + BATCH : samples, n = (to - from) * outer * inner;
            double sum = 0, squares = 0;

            for (int pass = 0; pass < 3; pass++)
                for (int64_t k = from * outer; k < to * outer; k++)
                    for (int64_t i = 0; i < inner; i++) {
                        double *v = &x[(k * CHANNELS + c) * inner + i];

                        if (pass == 0)
                            sum += *v;
                        else if (pass == 1)
                            squares += (*v - sum / (double)n) * (*v - sum / (double)n);
                        else
                            *v = (*v - sum / (double)n) / sqrt(squares / (double)n + epsilon) * gamma[c] + beta[c];
                    }
            out->mean[c] += sum / (double)n;
            out->variance[c] += squares / (double)n;
        }
    ck_assert_int_ge(size, 1);
    for (int c = 0; c < CHANNELS; c++) {
        out->mean[c] /= batches;
        out->variance[c] /= batches;
    }
}

static inline double *as_doubles(int64_t count)
{
    double *x = arena_array(&t.arena, (size_t)count, sizeof *x, &report);

    ck_assert_ptr_nonnull(x);
    for (int64_t k = 0; k < count; k++)
        x[k] = (double)t.x[k];
    return x;
}

static const double gammas[CHANNELS] = { 1, 2, .5 }, betas[CHANNELS] = { .25, -1, 2 };

#endif
