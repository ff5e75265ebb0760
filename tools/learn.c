#include "learn.h"
#include <string.h>

/* -- data -- */

static bool open_data(struct learn *l, const struct learn_options *o, const char *spec, kiln_data_options *d,
                      kiln_dataset **out)
{
    d->context = l->command.context;
    d->loss = o->trainer.loss;
    d->model = l->model;
    d->seconds = o->limits.seconds;
    return kiln_dataset_open(out, spec, d, &l->command.err) == KILN_OK;
}

/* Both as they were read. */
static bool open_sets(struct learn *l, const struct learn_options *o)
{
    kiln_data_options first = KILN_DATA_OPTIONS_INIT, second = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *whole;
    bool ok;

    first.part = o->part;
    first.limit = o->limit;
    if (!open_data(l, o, o->data, &first, &l->train))
        return false;
    second.part = KILN_PART_TEST;
    second.as = l->train;
    if (o->validation)
        return open_data(l, o, o->validation, &second, &l->check);
    if (!(o->split > 0))
        return true;
    whole = l->train;
    ok = kiln_dataset_split(&l->train, &l->check, whole, o->split, &l->command.err) == KILN_OK;
    kiln_dataset_free(whole);
    return ok;
}

static bool normalize_one(struct learn *l, kiln_dataset **data, const char *kind, const kiln_dataset *fitted)
{
    kiln_dataset *made;

    if (!*data)
        return true;
    if (kiln_dataset_normalize(&made, *data, kind, fitted, &l->command.err) != KILN_OK)
        return false;
    kiln_dataset_free(*data);
    *data = made;
    return true;
}

static bool normalize(struct learn *l, const struct learn_options *o)
{
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *fitted = NULL;
    bool ok;

    if (!o->normalize)
        return true;
    d.values = !kiln_dataset_about(l->train)->classes;
    if (o->fit_to && !open_data(l, o, o->fit_to, &d, &fitted))
        return false;
    ok = normalize_one(l, &l->check, o->normalize, fitted ? fitted : l->train) &&
         normalize_one(l, &l->train, o->normalize, fitted);
    kiln_dataset_free(fitted);
    return ok;
}

/* -- all of it -- */

/* A model as it is written down, whose parameters have no values yet, is given them first; where nothing is to be
 * learned, that is an error, which the trainer tells. */
static bool load_model(struct learn *l, const struct learn_options *o)
{
    l->model = o->draw ? open_filled_model(&l->command, o->model, o->trainer.seed, &l->drawn)
                       : open_model(&l->command, o->model);
    return l->model;
}

bool learn_open(struct learn *l, const struct learn_options *o)
{
    kiln_trainer_options t = o->trainer;
    struct command *c = &l->command;

    if (!load_model(l, o))
        return false;
    c->teller.file = NULL; /* what goes wrong from here on is not of that file */
    if (!open_sets(l, o) || !normalize(l, o))
        return false;
    t.context = c->context;
    t.seconds = o->limits.seconds;
    t.data = l->train;
    kiln_trainer_new(&l->trainer, l->model, &t, &c->err);
    kiln_model_free(l->model); /* the trainer has its own */
    l->model = NULL;
    return l->trainer;
}

void learn_close(struct learn *l)
{
    kiln_trainer_free(l->trainer);
    kiln_dataset_free(l->check);
    kiln_dataset_free(l->train);
    kiln_model_free(l->model);
}

/* -- options -- */

const char *option_normalization(struct argp_state *state, const char *arg)
{
    struct page names = { 0 };
    const char *name;

    for (size_t k = 0; (name = kiln_normalization_name(k)); k++) {
        if (strcmp(arg, name) == 0)
            break;
        page_printf(&names, "%s%s", !k ? "" : kiln_normalization_name(k + 1) ? ", " : " or ", name);
    }
    if (!name)
        argp_error(state, "--normalize is '%s', must be %s", arg, names.text ? names.text : "another");
    page_free(&names);
    return name;
}
