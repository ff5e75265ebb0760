#include "learn.h"
#include "train/initialise.h"
#include <string.h>

/* -- model -- */

/* A model as it is written down, whose parameters have no values yet, is given them first; where nothing is to be
 * learned, that is an error, which the trainer tells. */
static bool load_model(struct learn *l, struct learn_options *o)
{
    const struct initialise_options draw = { .seed = o->trainer.seed };
    struct model *drawn;

    l->model = open_model(o->model, &o->limits, &l->report);
    if (!l->model || !model_build(l->model, &l->report))
        return false;
    if (!o->draw || !model_missing_values(l->model))
        return true;
    drawn = model_initialise(l->model, &draw, &l->drawn, &l->report);
    if (!drawn)
        return false;
    model_free(l->model);
    l->model = drawn;
    return model_build(l->model, &l->report);
}

/* -- data -- */

const struct tensor *model_samples(const struct model *m)
{
    const struct graph *g = m->graph;

    return g->input_count == 1 && g->inputs[0]->has_type ? &g->inputs[0]->type : NULL;
}

static bool open_data(struct learn *l, const struct learn_options *o)
{
    const struct loss_def *loss = loss_named(o->trainer.loss);
    const struct data_options all = { .values = loss && loss->labels == LABELS_NUMBERS,
                                      .input = model_samples(l->model) };
    struct data_options first = all;

    first.limit = o->limit;
    if (!dataset_open(&l->data, o->data, o->part, &first, &l->budget, &l->report))
        return false;
    l->train = l->data;
    if (o->validation) {
        struct data_options same = all;

        same.classes = l->data.classes;
        if (!dataset_open(&l->validation, o->validation, PART_TEST, &same, &l->budget, &l->report))
            return false;
        l->check = l->validation;
        l->checks = true;
    } else if (o->split > 0) {
        l->checks = true;
        return dataset_split(&l->data, o->split, &l->train, &l->check, &l->report);
    }
    return true;
}

static bool fit_normalizer(struct learn *l, const struct learn_options *o)
{
    const struct data_options values = { .values = !dataset_has_labels(&l->data), .input = model_samples(l->model) };
    struct dataset other = { 0 };
    bool ok;

    if (o->normalize == NORMALIZE_NONE || o->normalize == NORMALIZE_UNIT || !o->fit_to)
        return normalizer_fit(&l->normalizer, o->normalize, &l->train, &l->budget, &l->report);
    if (!dataset_open(&other, o->fit_to, PART_TRAIN, &values, &l->budget, &l->report))
        return false;
    ok = normalizer_fit(&l->normalizer, o->normalize, &other, &l->budget, &l->report);
    dataset_release(&other);
    return ok;
}

/* The dimensions of a batch, where the model leaves some open. */
static bool batch_type(struct learn *l, struct tensor *x)
{
    const struct graph *g = l->model->graph;
    const struct batch_options o = { .batch = 1 };
    struct batches b;

    *x = (struct tensor){ .rank = UNKNOWN };
    if (g->input_count != 1 || !g->inputs[0]->has_type)
        return true; /* the trainer tells what is wrong with it */
    if (!batches_init(&b, &l->train, NULL, &g->inputs[0]->type, NULL, &o, &l->budget, &l->report))
        return false;
    *x = b.x;
    batches_release(&b);
    return true;
}

bool learn_open(struct learn *l, struct learn_options *o)
{
    struct trainer_options t = o->trainer;
    struct tensor x;

    l->budget = budget_within(&o->limits);
    l->teller.file = o->model;
    if (!load_model(l, o))
        return false;
    l->teller.file = NULL; /* what goes wrong from here on is not of that file */
    if (!open_data(l, o) || !fit_normalizer(l, o) || !batch_type(l, &x))
        return false;
    t.x = &x;
    t.memory = o->limits.limit;
    t.seconds = o->limits.seconds;
    t.total = &o->limits;
    t.targets = dataset_has_labels(&l->data) ? TARGETS_CLASSES : TARGETS_VALUES;
    t.classes = l->data.classes;
    l->trainer = trainer_new(l->model, &t, &l->report);
    model_free(l->model); /* the trainer has its own */
    l->model = NULL;
    return l->trainer;
}

void learn_close(struct learn *l)
{
    trainer_free(l->trainer);
    if (l->normalizer.budget)
        normalizer_release(&l->normalizer);
    if (l->validation.budget)
        dataset_release(&l->validation);
    if (l->data.budget)
        dataset_release(&l->data);
    model_free(l->model);
}

/* -- options -- */

enum normalization option_normalization(struct argp_state *state, const char *arg)
{
    for (int k = 0; k < NORMALIZATIONS; k++)
        if (strcmp(arg, normalization_names[k]) == 0)
            return (enum normalization)k;
    argp_error(state, "--normalize is '%s', must be none, unit, center or standardize", arg);
    return NORMALIZE_NONE;
}
