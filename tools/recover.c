/* The only file here that includes more of the library than kiln.h: recovery of BatchNormalization has no place there
 * until it is a verb of its own. */
#include "recover.h"
#include "api/data.h"
#include "train/initialise.h"
#include "train/recover.h"

const char *const recover_folded[RECOVER_FOLDED] = {
    [FOLDED_BY_NAME] = "named", [FOLDED_ALL] = "all", [FOLDED_NONE] = "none"
};

static void print_found(const struct recovered *f)
{
    say("%zu BatchNormalization from Mul and Add, %zu from folded convolutions", f->pairs, f->folded);
    if (f->fresh)
        say(" (%zu of them never trained: mean 0, variance 1)", f->fresh);
    if (f->outputs.floats || !f->outputs.others)
        say("; outputs differ by %.3g at most", f->outputs.difference);
    if (f->outputs.others)
        say("; of %lld values that are no floats %lld differ", (long long)f->outputs.others,
            (long long)f->outputs.unlike);
    say("\n");
}

/* Parameters that the file gives no value are drawn first: the network is run. */
static bool fill(struct command *c, kiln_model **m)
{
    kiln_model *filled;

    if (!kiln_model_missing_count(*m))
        return true;
    if (kiln_model_initialize(&filled, *m, 0, false, NULL, &c->err) != KILN_OK)
        return false;
    kiln_model_free(*m);
    *m = filled;
    return true;
}

static bool recover_on(struct command *c, kiln_model **m, const kiln_dataset *data, const struct recover_request *q)
{
    const struct calibration on = {
        .data = &data->data,
        .normalizer = api_normalizer(data),
        .threads = kiln_context_threads(c->context),
        .limits = { .limit = c->limits.memory, .seconds = c->limits.seconds, .total = &c->context->budget }
    };
    const struct recover_options o = { .epsilon = q->epsilon,
                                       .momentum = q->momentum,
                                       .folded = (enum fold_choice)q->folded };
    struct report r = api_report(c->context);
    struct recovered found;
    struct model *made = model_recover((*m)->model, &on, &o, &found, &r);
    kiln_model *end;

    if (made)
        print_found(&found);
    if (api_end_model(&end, made, c->context, false, &r, &c->err) != KILN_OK)
        return false;
    kiln_model_free(*m);
    *m = end;
    return true;
}

bool recover_model(struct command *c, kiln_model **m, const struct recover_request *q)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *data, *scaled = NULL;
    bool ok;

    if (kiln_model_error(*m)) {
        c->err = *kiln_model_error(*m);
        return false;
    }
    if (!fill(c, m))
        return false;
    o.context = c->context;
    o.seconds = c->limits.seconds;
    o.limit = q->limit;
    o.model = *m;
    if (kiln_dataset_open(&data, q->data, &o, &c->err) != KILN_OK)
        return false;
    ok = kiln_dataset_normalize(&scaled, data, q->normalize ? q->normalize : "none", NULL, &c->err) == KILN_OK &&
         recover_on(c, m, scaled, q);
    kiln_dataset_free(scaled);
    kiln_dataset_free(data);
    return ok;
}
