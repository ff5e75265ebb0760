#include "adapt/adapt.h"
#include "api/data.h"
#include "base/json.h"
#include "data/stream.h"
#include <math.h>

struct kiln_adaptation {
    struct budget budget;
    struct arena arena;
    struct adapted adapted;
    kiln_context *context;
    kiln_finding *findings;
    kiln_adaptation_info info;
};

/* -- options -- */

static bool check_lists(const kiln_adapt_options *o, kiln_error *err)
{
    bool ok = (!o->choice_count || (o->choice_names && o->choices)) && (!o->output_count || o->outputs);

    for (size_t k = 0; ok && k < o->choice_count; k++)
        ok = o->choice_names[k] && o->choices[k];
    for (size_t k = 0; ok && k < o->output_count; k++)
        ok = o->outputs[k];
    if (!ok)
        api_refuse(err, "a list, a name or a choice is NULL");
    return ok;
}

static kiln_status check(const kiln_adapt_options *o, const kiln_model *model, kiln_error *err)
{
    const kiln_status usable = api_check_model(model, err), head = o->head ? api_check_model(o->head, err) : KILN_OK;

    if (usable != KILN_OK || head != KILN_OK)
        return usable != KILN_OK ? usable : head;
    if (!api_check_limits(NULL, 0, o->seconds, err) || !check_lists(o, err))
        return KILN_BAD_ARGUMENT;
    if ((int)o->folded < KILN_FOLDED_NAMED || (int)o->folded > KILN_FOLDED_NONE)
        return api_refuse(err, "folded is %d, must be 0 to %d", (int)o->folded, (int)KILN_FOLDED_NONE);
    if (o->data && o->data->data.stream && !o->data->data.stream->looked)
        return api_refuse(err,
                          "what a callback gives is read in one pass at a time, adapting compares two networks over "
                          "the same samples: it needs them in memory, or in a file");
    return KILN_OK;
}

static bool read_options(struct adapt_options *to, const kiln_adapt_options *o, const kiln_model *model,
                         struct arena *a, struct report *r)
{
    struct adapt_choice *choices = arena_array(a, o->choice_count, sizeof *choices, r);

    if (!choices)
        return false;
    for (size_t k = 0; k < o->choice_count; k++)
        choices[k] = (struct adapt_choice){ o->choice_names[k], o->choices[k] };
    *to = (struct adapt_options){
        .data = o->data ? &o->data->data : NULL,
        .normalizer = o->data ? api_normalizer(o->data) : NULL,
        .threads = model->context ? kiln_context_threads(model->context) : 1,
        .limits = { .limit = o->memory, .seconds = o->seconds, .total = context_total(model->context) },
        .epsilon = o->epsilon,
        .momentum = o->momentum,
        .folded = (enum folded)o->folded,
        .choice_count = o->choice_count,
        .choices = choices,
        .inference = o->inference,
        .keep_batch = o->keep_batch,
        .classes = o->classes,
        .head = o->head ? o->head->model : NULL,
        .output_count = o->output_count,
        .outputs = o->outputs,
        .freeze_backbone = o->freeze_backbone,
    };
    return true;
}

/* -- what was found -- */

static kiln_adaptation *adaptation_new(const kiln_model *model, struct report *r)
{
    kiln_adaptation *f = api_alloc(sizeof *f, r);

    if (!f)
        return NULL;
    f->context = context_hold(model->context);
    f->budget = (struct budget){ .total = context_total(model->context) };
    f->arena.budget = &f->budget;
    return f;
}

static bool describe(kiln_adaptation *f, struct report *r)
{
    const struct adapted *a = &f->adapted;

    f->info = (kiln_adaptation_info){ .findings = a->findings.count,
                                      .batch_normalizations = a->normalizations,
                                      .difference = a->outputs.difference,
                                      .over_data = a->measured,
                                      .changed = a->changed,
                                      .compared = a->outputs.floats + a->outputs.others,
                                      .not_finite = a->outputs.not_finite,
                                      .trainable = a->trainable };
    f->findings = arena_array(&f->arena, a->findings.count, sizeof *f->findings, r);
    for (size_t k = 0; f->findings && k < a->findings.count; k++) {
        const struct finding *from = &a->findings.at[k];

        f->findings[k] = (kiln_finding){ from->name, from->found,  from->evidence, (kiln_certainty)from->certainty,
                                         from->done, from->unknown };
    }
    return f->findings;
}

kiln_status kiln_adapt(kiln_model **out, kiln_adaptation **found, const kiln_model *model,
                       const kiln_adapt_options *options, kiln_error *err)
{
    struct adapt_options to;
    kiln_adapt_options o;
    struct model *made = NULL;
    kiln_adaptation *f;
    kiln_status status;
    struct report r;

    if (found)
        *found = NULL;
    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!api_options(&o, sizeof o, options, "KILN_ADAPT_OPTIONS_INIT", err))
        return KILN_BAD_ARGUMENT;
    status = check(&o, model, err);
    if (status != KILN_OK)
        return status;
    r = api_report(model->context);
    f = adaptation_new(model, &r);
    if (f && read_options(&to, &o, model, &f->arena, &r))
        made = model_adapt(model->model, &to, &f->adapted, &f->arena, &r);
    if (made && !describe(f, &r)) {
        model_free(made);
        made = NULL;
    }
    status = api_end_model(out, made, model->context, false, &r, err);
    if (status == KILN_OK && found)
        *found = f;
    else
        kiln_adaptation_free(f);
    return status;
}

kiln_status kiln_adapt_look(kiln_adaptation **found, const kiln_model *model, kiln_error *err)
{
    kiln_status usable;
    kiln_adaptation *f;
    struct report r;

    if (!found)
        return api_refuse(err, "found is NULL");
    *found = NULL;
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    r = api_report(model->context);
    f = adaptation_new(model, &r);
    if (f && model_adapt_look(model->model, &f->adapted, &f->arena, &r) && describe(f, &r))
        *found = f;
    else
        kiln_adaptation_free(f);
    return api_end(&r, *found, err);
}

const kiln_adaptation_info *kiln_adaptation_about(const kiln_adaptation *found)
{
    return found ? &found->info : NULL;
}

const kiln_finding *kiln_adaptation_finding(const kiln_adaptation *found, size_t k)
{
    return found && k < found->info.findings ? &found->findings[k] : NULL;
}

static void write_findings(struct json *j, const kiln_adaptation *f)
{
    json_open(j, "findings", '[');
    for (size_t k = 0; k < f->info.findings; k++) {
        const kiln_finding *at = &f->findings[k];

        json_open(j, NULL, '{');
        json_string(j, "name", at->name);
        json_string(j, "found", at->found);
        json_string(j, "evidence", at->evidence);
        json_string(j, "certainty", certainty_names[at->certainty]);
        json_string(j, "done", at->done);
        json_string(j, "unknown", at->unknown);
        json_close(j, '}');
    }
    json_close(j, ']');
}

kiln_status kiln_adaptation_write_json(const kiln_adaptation *found, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;
    struct json j = { .out = &w.text };

    if (!found || !write)
        return api_refuse(err, "%s is NULL", found ? "write" : "found");
    api_write_begin(&w, &found->budget, found->context);
    json_open(&j, NULL, '{');
    json_int(&j, "batch_normalizations", (int64_t)found->info.batch_normalizations);
    json_real(&j, "difference", found->info.difference);
    json_int(&j, "compared", found->info.compared);
    json_int(&j, "not_finite", found->info.not_finite);
    json_int(&j, "trainable", found->info.trainable);
    json_bool(&j, "over_data", found->info.over_data);
    json_string(&j, "changed", found->info.changed);
    write_findings(&j, found);
    json_close(&j, '}');
    return api_write_end(&w, true, write, user, err);
}

void kiln_adaptation_free(kiln_adaptation *found)
{
    if (!found)
        return;
    arena_release(&found->arena);
    context_release(found->context);
    api_free(found);
}
