#include "model/model.h"
#include "train/fit.h"
#include "train/losses/registry.h"
#include "train/optimizers/registry.h"
#include "try.h"
#include <math.h>
#include <string.h>

enum { MEMORY = 64 << 20, SAMPLES = 5, STEPS = 6, MOST = 1 << 16 };

static const char *const optimizers[] = { NULL, "sgd:learning_rate=0.1,momentum=0.9,nesterov=1", "rmsprop:centered=1",
                                          "nadam:learning_rate=0.01,weight_decay=0.1,global_clipnorm=1,use_ema=1,"
                                          "ema_overwrite_frequency=2,gradient_accumulation_steps=2" };
static const char *const losses[] = { NULL,
                                      NULL,
                                      NULL,
                                      NULL,
                                      "categorical_crossentropy",
                                      "binary_crossentropy",
                                      "mean_squared_error",
                                      "sparse_categorical_crossentropy:from_logits=1" };

/* One of those above, with options, or any that there is. */
static const char *optimizer_of(unsigned options)
{
    return options >> 14 & 1 ? optimizer_registry[(options >> 6 & 15) % OPTIMIZER_COUNT]->row.name
                             : optimizers[options >> 6 & 3];
}
static const char *loss_of(unsigned options)
{
    return options >> 14 & 1 ? loss_registry[(options >> 8 & 7) % LOSS_COUNT]->row.name : losses[options >> 8 & 7];
}

/* What a byte stands for: small numbers, and some that are not. */
static float number(uint8_t byte)
{
    static const float odd[] = { NAN, INFINITY, 3e38f, 1e-40f };

    return byte < sizeof odd / sizeof *odd ? odd[byte] : ((float)byte - 128) / 32;
}

static void fill(const struct tensor *t, const uint8_t *bytes, size_t size)
{
    for (int64_t k = 0; k < tensor_count(t); k++) {
        const uint8_t byte = size ? bytes[(size_t)k % size] : 132;

        if (t->dtype == F32)
            ((float *)t->data)[k] = number(byte);
        else if (t->dtype == I64)
            ((int64_t *)t->data)[k] = byte < 240 ? byte % 4 : byte - 248;
        else
            ((uint8_t *)t->data)[k] = byte;
    }
}

/* So many rows of what a model declares, a dimension that is open being 2. */
static bool make_rows(struct tensor *t, enum dtype dtype, const struct tensor *declared, struct arena *a)
{
    struct tensor row = *declared;

    if (row.kind != TENSOR || row.rank < 1)
        return false;
    row.dims[0] = 1;
    for (int k = 1; k < row.rank; k++)
        row.dims[k] = row.dims[k] < 0 ? 2 : row.dims[k];
    if (!tensor_shape(&row, dtype, row.rank, row.dims) || tensor_count(&row) > MOST)
        return false;
    row.dims[0] = SAMPLES;
    *t = row;
    return (t->data = arena_alloc(a, (size_t)tensor_bytes(t), NULL));
}

/* Samples as the input wants them; labels, or numbers as the output has them. */
static bool make_data(struct dataset *d, const struct graph *g, unsigned options, struct arena *a, const uint8_t *bytes,
                      size_t size)
{
    const struct tensor label = { .rank = 1 };
    const bool classes = options & 1;

    d->count = SAMPLES;
    d->inputs = g->input_count;
    d->targets = g->output_count;
    d->x = arena_array(a, d->inputs, sizeof *d->x, NULL);
    d->y = arena_array(a, d->targets, sizeof *d->y, NULL);
    if (!d->inputs || !d->targets || !d->x || !d->y)
        return false;
    for (size_t k = 0; k < d->inputs; k++) {
        d->x[k].name = g->inputs[k]->name;
        if (!make_rows(&d->x[k].values, options & 2 ? U8 : F32, &g->inputs[k]->type, a))
            return false;
        fill(&d->x[k].values, bytes, size);
    }
    for (size_t k = 0; k < d->targets; k++) {
        d->y[k].name = g->outputs[k]->name;
        d->y[k].classes = classes ? 4 : 0;
        if (!make_rows(&d->y[k].values, classes ? I64 : F32, classes ? &label : &g->outputs[k]->type, a))
            return false;
        fill(&d->y[k].values, bytes + size / 2, size - size / 2);
    }
    return true;
}

/* The first output alone, or all. */
static struct target_options *make_targets(const struct dataset *d, unsigned options, struct arena *a)
{
    struct target_options *t = arena_array(a, d->targets, sizeof *t, NULL);

    for (size_t k = 0; t && k < d->targets; k++)
        t[k] = (struct target_options){ .output = d->y[k].name,
                                        .loss = loss_of(options),
                                        .form = d->y[k].classes ? TARGETS_CLASSES : TARGETS_VALUES,
                                        .classes = d->y[k].classes,
                                        .weight = k };
    return t;
}

/* Types of batches like those to come. */
static struct tensor *make_batches(const struct dataset *d, struct arena *a)
{
    struct tensor *x = arena_array(a, d->inputs, sizeof *x, NULL);

    for (size_t k = 0; x && k < d->inputs; k++) {
        x[k] = d->x[k].values;
        x[k].dims[0] = 1;
    }
    return x;
}

static bool count_steps(void *user, const struct fit_step *s, struct report *r)
{
    (void)user, (void)r;
    return s->step < STEPS;
}

static void train(const struct model *m, const struct dataset *d, unsigned options, struct arena *a)
{
    struct trainer_options o = { .targets = options >> 15 & 1 ? d->targets : 1,
                                 .target = make_targets(d, options, a),
                                 .optimizer = optimizer_of(options),
                                 .x = make_batches(d, a),
                                 .threads = 1,
                                 .exact = options >> 11 & 1,
                                 .memory = MEMORY,
                                 .untie = options >> 12 & 1 };
    const struct fit_options f = { .batch = 2, .epochs = 2, .shuffle = options >> 13 & 1 };
    const struct fit_events events = { .step = count_steps };
    struct report r = { 0 };
    struct trainer *t;
    struct model *learned;
    double *scores;
    int64_t ran;

    if (!o.target || !o.x)
        return;
    t = trainer_new(m, &o, &r);
    if (!t)
        return;
    trainer_fit(t, d, NULL, NULL, &f, &events, &ran, &r);
    r = (struct report){ 0 };
    scores = arena_array(a, t->measure_count, sizeof *scores, NULL);
    if (scores)
        trainer_evaluate(t, d, NULL, 3, scores, &r);
    r = (struct report){ 0 };
    learned = trainer_export(t, &r);
    if (learned)
        try_expect(model_build(learned, &r) || r.error.code == KILN_LIMIT || r.error.code == KILN_NO_MEMORY,
                   "what was learned is a model");
    model_free(learned);
    trainer_free(t);
}

/* Options, how many bytes of data follow, the data; the rest is the model. */
void try_training(const uint8_t *bytes, size_t size)
{
    const struct model_options o = { .memory = MEMORY, .seconds = 2 };
    const unsigned high = try_take(&bytes, &size), options = high << 8 | try_take(&bytes, &size);
    const size_t told = try_take(&bytes, &size), data = told < size ? told : size;
    struct budget b = { .limit = MEMORY };
    struct arena a = { .budget = &b };
    struct dataset d = { .budget = &b };
    struct report r = { 0 };
    struct model *m = model_read_bytes(bytes + data, size - data, &o, &r);

    if (m && model_build(m, &r) && make_data(&d, m->graph, options, &a, bytes, data))
        train(m, &d, options, &a);
    model_free(m);
    arena_release(&a);
    try_nothing_left(&b);
}
