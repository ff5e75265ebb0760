#include "adaptation.h"
#include <stdlib.h>
#include <string.h>

void adapt_add_choice(struct adapt_request *q, char *arg, struct argp_state *state)
{
    char *const equals = strrchr(arg, '='); /* names may hold one, choices do not */

    if (!equals || equals == arg || !equals[1])
        argp_error(state, "--as '%s' must be NAME=CHOICE", arg);
    if (q->options.choice_count == ADAPT_MOST)
        argp_error(state, "--as is given more than %d times", (int)ADAPT_MOST);
    *equals = 0;
    q->names[q->options.choice_count] = arg;
    q->choices[q->options.choice_count++] = equals + 1;
}

/* -- what was found -- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Do they differ in names and evidence alone? Then they share a heading. */
static bool same_kind(const kiln_finding *a, const kiln_finding *b)
{
    return a->certainty == b->certainty && same_text(a->found, b->found) && same_text(a->done, b->done) &&
           same_text(a->unknown, b->unknown);
}

static bool was_shown(const kiln_adaptation *f, size_t k)
{
    for (size_t j = 0; j < k; j++)
        if (same_kind(kiln_adaptation_finding(f, j), kiln_adaptation_finding(f, k)))
            return true;
    return false;
}

static void show_heading(const kiln_finding *f)
{
    static const char *const certainty[] = { "certain", "likely", "doubtful" };

    say("\n%s (%s)\n", f->found, certainty[f->certainty]);
    if (f->done && *f->done)
        say("  %s\n", f->done);
    if (f->unknown)
        say("  the file does not tell: %s\n", f->unknown);
}

/* All of its kind, with one heading. */
static void show_kind(const kiln_adaptation *f, size_t first)
{
    const kiln_finding *of = kiln_adaptation_finding(f, first), *at;
    int width = 0;

    show_heading(of);
    for (size_t k = first; (at = kiln_adaptation_finding(f, k)); k++)
        if (same_kind(of, at) && (int)strlen(at->name) > width && strlen(at->name) <= 48)
            width = (int)strlen(at->name);
    for (size_t k = first; (at = kiln_adaptation_finding(f, k)); k++)
        if (same_kind(of, at))
            say("    %-*s%s%s\n", width, at->name, *at->name ? "  " : "", at->evidence ? at->evidence : "");
}

static void show_findings(const kiln_adaptation *f)
{
    const kiln_finding *at;
    bool doubtful = false;

    for (size_t k = 0; (at = kiln_adaptation_finding(f, k)); k++)
        if (at->certainty == KILN_DOUBTFUL)
            doubtful = true;
        else if (!was_shown(f, k))
            show_kind(f, k);
    if (doubtful)
        say("\nDoubtful: --as NAME=CHOICE tells better\n");
    for (size_t k = 0; (at = kiln_adaptation_finding(f, k)); k++)
        if (at->certainty == KILN_DOUBTFUL && !was_shown(f, k))
            show_kind(f, k);
}

static void show_proof(const kiln_adaptation_info *i)
{
    say("\nBatchNormalization made again: %zu\n", i->batch_normalizations);
    say("Outputs before and after differ by %.3g at most, over %s\n", i->difference,
        i->over_data ? "the data" : "random numbers");
    if (i->rounding > 0)
        say("That is rounding: by %.3g where all weights of the file move by a unit in the last place\n", i->rounding);
    if (i->changed)
        say("Meant to compute something else: %s\n", i->changed);
}

static bool save_report(struct command *c, const kiln_adaptation *f, const char *path)
{
    struct page page = { .command = c };

    if (kiln_adaptation_write_json(f, page_write, &page, &c->err) == KILN_OK)
        return page_save(&page, path, c);
    page_free(&page);
    return false;
}

/* -- a hint -- */

static bool was_adapted(const kiln_model *m)
{
    const char *key, *value;

    for (size_t k = 0; kiln_model_metadata(m, k, &key, &value); k++)
        if (strncmp(key, "kiln.role.", 10) == 0)
            return true;
    return false;
}

void adapt_hint(struct command *c, const kiln_model *m)
{
    kiln_adaptation *found;
    const kiln_finding *first;
    size_t count;

    if (was_adapted(m) || kiln_adapt_look(&found, m, NULL) != KILN_OK)
        return;
    count = kiln_adaptation_about(found)->batch_normalizations;
    first = kiln_adaptation_finding(found, 0);
    if (count && first)
        say_to(stderr, "kiln: note: %s: `kiln adapt` would make %zu BatchNormalization again, first '%s': %s\n",
               c->teller.file, count, first->name, first->evidence);
    kiln_adaptation_free(found);
}

/* -- adapting -- */

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

/* Inputs that become constants. */
static bool set_inputs(struct command *c, kiln_model **m, const struct sets *sets)
{
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    kiln_model *made = NULL;

    if (!sets->count)
        return true;
    if (sets_read(c, sets, *m, &o))
        kiln_model_edit(&made, *m, &o, &c->err);
    sets_release(&o);
    if (!made)
        return false;
    kiln_model_free(*m);
    *m = made;
    return true;
}

static bool open_data(struct command *c, kiln_dataset **out, const kiln_model *m, const struct adapt_request *q)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *data;
    bool ok;

    *out = NULL;
    if (!q->data)
        return true;
    o.context = c->context;
    o.seconds = c->limits.seconds;
    o.limit = q->limit;
    o.model = m;
    o.unlabelled = true;
    if (kiln_dataset_open(&data, q->data, &o, &c->err) != KILN_OK)
        return false;
    ok = kiln_dataset_normalize(out, data, q->normalize ? q->normalize : "none", NULL, &c->err) == KILN_OK;
    kiln_dataset_free(data);
    return ok;
}

static bool open_head(struct command *c, kiln_model **out, const char *path)
{
    *out = path ? open_filled_model(c, path, 0, NULL) : NULL;
    return *out || !path;
}

static bool adapt(struct command *c, kiln_model **m, struct adapt_request *q, const kiln_dataset *data,
                  const kiln_model *head)
{
    kiln_adapt_options *o = &q->options;
    kiln_adaptation *found;
    kiln_model *made;
    bool ok;

    o->data = data;
    o->head = head;
    o->seconds = c->limits.seconds;
    o->memory = c->limits.memory;
    o->choice_names = q->names;
    o->choices = q->choices;
    o->outputs = q->outputs;
    if (kiln_adapt(&made, &found, *m, o, &c->err) != KILN_OK)
        return false;
    show_findings(found);
    show_proof(kiln_adaptation_about(found));
    ok = !q->report || save_report(c, found, q->report);
    kiln_adaptation_free(found);
    kiln_model_free(*m);
    *m = made;
    return ok;
}

bool adapt_model(struct command *c, kiln_model **m, struct adapt_request *q)
{
    kiln_dataset *data = NULL;
    kiln_model *head = NULL;
    bool ok;

    if (kiln_model_error(*m)) {
        c->err = *kiln_model_error(*m);
        return false;
    }
    ok = fill(c, m) && set_inputs(c, m, &q->sets) && open_data(c, &data, *m, q) && open_head(c, &head, q->head) &&
         adapt(c, m, q, data, head);
    kiln_model_free(head);
    kiln_dataset_free(data);
    return ok;
}
