#include "api/data.h"
#include "base/text.h"
#include "data/batch.h"
#include "train/decided.h"

static bool add_entry(struct data_changes *to, const char *prefix, const char *name, const char *text, struct arena *a,
                      struct report *r)
{
    to->keys[to->metadata] = arena_printf(a, r, "%s%s", prefix, name);
    to->texts[to->metadata] = text;
    return to->keys[to->metadata++];
}

/* How input k is normalised: in the metadata, or in front of it. */
static bool change_input(struct data_changes *to, const struct batch_column *c, const char *name, bool bake,
                         struct arena *a, struct report *r)
{
    struct text text = { .budget = a->budget, .report = r };
    struct scaling s;
    const char *kept;

    if (!c->scaling)
        return add_entry(to, DECIDED_NORMALIZE, name, NULL, a, r);
    if (!batch_scaling(&s, c, a, r))
        return false;
    if (bake) {
        to->bake[to->baked++] = (struct baked){ name, s, c->type };
        return add_entry(to, DECIDED_NORMALIZE, name, NULL, a, r);
    }
    scaling_write(&text, &s);
    kept = text.failed ? NULL : arena_string(a, text.data, text.length, r);
    text_release(&text);
    return kept && add_entry(to, DECIDED_NORMALIZE, name, kept, a, r);
}

/* The names of a target's classes, one in each line; NULL where it has none. False where there is no memory. */
static bool change_output(struct data_changes *to, const struct column *c, const char *name, struct arena *a,
                          struct report *r)
{
    struct text text = { .budget = a->budget, .report = r };
    const char *kept = NULL;
    bool ok;

    for (int k = 0; c->class_names && k < c->classes; k++)
        text_printf(&text, "%s%s", k ? "\n" : "", c->class_names[k]);
    if (text.length)
        kept = arena_string(a, text.data, text.length, r);
    ok = !text.failed && (kept || !text.length) && add_entry(to, DECIDED_CLASSES, name, kept, a, r);
    text_release(&text);
    return ok;
}

static bool change_inputs(struct data_changes *to, const kiln_dataset *data, const struct graph *g, bool bake,
                          struct arena *a, struct report *r)
{
    const struct batch_options one = { .batch = 1 };
    const struct batch_request q = { .inputs = g->input_count, .input = api_inputs_of(g, a, r) };
    struct batches b;
    bool ok;

    if (!q.input || !batches_init(&b, &data->data, api_normalizer(data), &q, &one, a->budget, r))
        return false;
    ok = true;
    for (size_t k = 0; ok && k < g->input_count; k++)
        ok = change_input(to, &b.x[k], g->inputs[k]->name, bake, a, r);
    batches_release(&b);
    return ok;
}

bool api_data_changes(struct data_changes *to, const kiln_dataset *data, const struct model *m, bool bake,
                      struct arena *a, struct report *r)
{
    const struct dataset *d = &data->data;
    const struct graph *g = m->graph;
    const size_t most = g->input_count + d->targets;
    bool ok;

    *to = (struct data_changes){ .keys = arena_array(a, most, sizeof *to->keys, r),
                                 .texts = arena_array(a, most, sizeof *to->texts, r),
                                 .bake = arena_array(a, g->input_count, sizeof *to->bake, r) };
    ok = to->keys && to->texts && to->bake && change_inputs(to, data, g, bake, a, r);
    for (size_t k = 0; ok && k < d->targets; k++) {
        const char *name = d->y[k].name ? d->y[k].name : api_data_output(data);

        ok = change_output(to, &d->y[k], name ? name : g->outputs[decided_output(m)]->name, a, r);
    }
    return ok;
}
