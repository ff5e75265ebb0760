#include "adaptation.h"
#include "learn.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

/* -- options -- */

enum { KEY_CALIBRATE = 0x2000, KEY_LIMIT, KEY_NORMALIZE, KEY_EPSILON, KEY_MOMENTUM, KEY_THREADS };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct adapt_request *q = state->input;

    switch (key) {
    case KEY_CALIBRATE:
        q->data = arg;
        return 0;
    case KEY_LIMIT:
        q->limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_NORMALIZE:
        q->normalize = option_normalization(state, arg);
        return 0;
    case KEY_EPSILON:
        q->options.epsilon = option_real(state, "epsilon", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_MOMENTUM:
        q->options.momentum = option_real(state, "momentum", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_THREADS:
        q->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &q->limits;
        return 0;
    case ARGP_KEY_END:
        if ((q->limit || q->normalize) && !q->data)
            argp_error(state, "--limit and --normalize are of the data: --calibrate");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "calibrate", KEY_CALIBRATE, "SPEC", 0,
      "data as the network is used on: running statistics that the file does not have are measured on them", 1 },
    { "limit", KEY_LIMIT, "N", 0, "of the data: only the first N samples", 1 },
    { "normalize", KEY_NORMALIZE, "KIND", 0,
      "of the data: unit (/255), center, standardize or none (as the metadata say)", 1 },
    { "epsilon", KEY_EPSILON, "X", 0, "of BatchNormalization, where the file does not tell (as its framework has it)",
      2 },
    { "momentum", KEY_MOMENTUM, "X", 0,
      "of BatchNormalization, likewise; where training is short .9, or its statistics lag behind and evaluation is bad",
      2 },
    { "threads", KEY_THREADS, "N", 0, "threads (0: one for each CPU)", 3 },
    { 0 },
};

const struct argp adaptation_argp = { .options = options, .parser = parse_option, .children = limits_options };

const struct argp_child adaptation_options[] = { ADAPTATION_OPTIONS, { 0 } };

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
    if (i->compared)
        say("Outputs before and after differ by %.3g at most, over %s\n", i->difference,
            i->over_data ? "the data" : "random numbers");
    else
        say("Nothing %swas changed that the outputs depend on\n", i->changed ? "else " : "");
    if (i->not_finite)
        say("%lld numbers are infinite or NaN before and after: they show nothing\n", (long long)i->not_finite);
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

/* A copy that does not know what the classes of its old head are called; labels are others. */
static bool without_classes(struct command *c, kiln_model **out, const kiln_model *m)
{
    static const char prefix[] = "kiln.classes.";
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    const char **keys = calloc(kiln_model_metadata_count(m) + 1, sizeof *keys), *key, *value;
    const char **nothing = calloc(kiln_model_metadata_count(m) + 1, sizeof *nothing);
    bool ok = keys && nothing;

    for (size_t k = 0; ok && kiln_model_metadata(m, k, &key, &value); k++)
        if (strncmp(key, prefix, strlen(prefix)) == 0)
            keys[o.metadata_count++] = key;
    o.metadata_keys = keys;
    o.metadata_values = nothing;
    ok = ok ? kiln_model_edit(out, m, &o, &c->err) == KILN_OK : command_no_memory(c);
    free(keys);
    free(nothing);
    return ok;
}

static bool open_data(struct command *c, kiln_dataset **out, const kiln_model *m, const struct adapt_request *q)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *data = NULL;
    kiln_model *other = NULL;
    bool ok;

    *out = NULL;
    if (!q->data)
        return true;
    if ((q->options.classes || q->head) && !without_classes(c, &other, m))
        return false;
    o.context = c->context;
    o.seconds = c->limits.seconds;
    o.limit = q->limit;
    o.model = other ? other : m;
    o.unlabelled = true;
    ok = kiln_dataset_open(&data, q->data, &o, &c->err) == KILN_OK;
    if (ok)
        ok = (q->normalize ? kiln_dataset_normalize(out, data, q->normalize, NULL, &c->err)
                           : kiln_dataset_normalize_for(out, data, m, &c->err)) == KILN_OK;
    kiln_dataset_free(data);
    kiln_model_free(other);
    return ok;
}

static bool open_head(struct command *c, kiln_model **out, const char *path)
{
    *out = path ? open_filled_model(c, path, 0, NULL) : NULL;
    return *out || !path;
}

/* A file that could not be trained is none that was asked for. */
static bool check_trainable(struct command *c, const kiln_adaptation *found, const kiln_model *made)
{
    kiln_summary *s;
    size_t count;

    if (kiln_adaptation_about(found)->trainable)
        return true;
    if (kiln_summary_new(&s, made, &c->err) != KILN_OK)
        return false;
    count = kiln_summary_parameter_count(s);
    kiln_summary_free(s);
    return command_fail(c, KILN_UNSUPPORTED, NULL,
                        "nothing in it trains: it has %zu initializers of floats, none where something is learned and "
                        "a gradient comes to (kiln inspect --train tells why)",
                        count);
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
    ok = (!q->report || save_report(c, found, q->report)) && check_trainable(c, found, made);
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
    /* the network is run: what has no value is drawn first */
    ok = fill_model(c, m, 0, NULL) && open_data(c, &data, *m, q) && open_head(c, &head, q->head) &&
         adapt(c, m, q, data, head);
    kiln_model_free(head);
    kiln_dataset_free(data);
    return ok;
}
