#include "learn.h"
#include "adaptation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- what the options say of outputs -- */

const char *learn_output(const kiln_model *m, const char *arg, const char **rest)
{
    const char *found = NULL;

    for (size_t k = 0; k < kiln_model_output_count(m); k++) {
        const char *name = kiln_model_output(m, k)->name;
        const size_t n = strlen(name);

        if (strncmp(arg, name, n) == 0 && arg[n] == '=' && (!found || n > strlen(found))) {
            found = name;
            *rest = arg + n + 1;
        }
    }
    return found;
}

static bool fail_output(struct learn *l, const char *option, const char *arg)
{
    struct page names = { 0 };
    bool ok;

    for (size_t k = 0; k < kiln_model_output_count(l->model); k++)
        page_say(&names, "%s'%s'", k ? ", " : "", kiln_model_output(l->model, k)->name);
    ok = command_fail(&l->command, KILN_BAD_ARGUMENT, NULL, "--%s %.80s: the model has no such output, it has %.300s",
                      option, arg, names.text ? names.text : "none");
    page_free(&names);
    return ok;
}

/* What is said of an output, at its first mention nothing. */
static kiln_target *target_of(struct learn *l, const char *output)
{
    for (size_t k = 0; k < l->target_count; k++)
        if (l->targets[k].output == output)
            return &l->targets[k];
    if (l->target_count == MOST_TARGETS) {
        command_fail(&l->command, KILN_BAD_ARGUMENT, NULL, "more than %d outputs are named", (int)MOST_TARGETS);
        return NULL;
    }
    l->targets[l->target_count].output = output;
    return &l->targets[l->target_count++];
}

/* Is it the name of a loss, or another one that it has? In the help each has a line, "  NAME, OTHER - what it is". */
static bool is_loss(const char *name, size_t n)
{
    struct page help = { 0 };
    bool found = false;

    kiln_table_write(KILN_LOSSES, true, page_write, &help, NULL);
    for (const char *line = help.text; line && *line && !found; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *s = line + strspn(line, " ");

        if (s - line != 2)
            continue;
        for (size_t length; (length = strcspn(s, ", \n")) && *s != '-' && !found; s += strspn(s, ", ")) {
            found = length == n && strncmp(s, name, n) == 0;
            s += length;
        }
    }
    page_free(&help);
    return found;
}

static bool read_loss(struct learn *l, const char *arg)
{
    const char *spec = arg, *output = learn_output(l->model, arg, &spec);
    kiln_target *t;

    if (!output && strchr(arg, '=') && !is_loss(arg, strcspn(arg, ":")))
        return fail_output(l, "loss", arg);
    if (!output && l->loss)
        return command_fail(&l->command, KILN_BAD_ARGUMENT, NULL, "--loss %.80s: a second one must name its output",
                            arg);
    if (!output) {
        l->loss = arg;
        return true;
    }
    t = target_of(l, output);
    if (t && t->loss)
        return command_fail(&l->command, KILN_BAD_ARGUMENT, NULL, "--loss %.80s: it is the output's second one", arg);
    if (t)
        t->loss = spec;
    return t;
}

static bool read_weight(struct learn *l, const char *arg)
{
    const char *number = arg, *output = learn_output(l->model, arg, &number);
    kiln_target *t;
    double weight;
    size_t n;

    if (!output)
        return fail_output(l, "loss-weight", arg);
    n = read_real(number, &weight);
    if (!n || number[n] || !(weight > 0))
        return command_fail(&l->command, KILN_BAD_ARGUMENT, NULL, "--loss-weight %.80s: must be a number above 0", arg);
    t = target_of(l, output);
    if (t && t->weight > 0)
        return command_fail(&l->command, KILN_BAD_ARGUMENT, NULL, "--loss-weight %.80s: it is the output's second one",
                            arg);
    if (t)
        t->weight = weight;
    return t;
}

/* --train-output: it learns, whatever else the data have. */
static bool read_output(struct learn *l, const char *arg)
{
    for (size_t k = 0; k < l->outputs; k++)
        if (strcmp(kiln_model_output(l->model, k)->name, arg) == 0)
            return target_of(l, kiln_model_output(l->model, k)->name);
    return fail_output(l, "train-output", arg);
}

static bool read_targets(struct learn *l, const struct learn_options *o)
{
    l->outputs = kiln_model_output_count(l->model);
    for (size_t k = 0; k < o->loss_count; k++)
        if (!read_loss(l, o->loss[k]))
            return false;
    for (size_t k = 0; k < o->weight_count; k++)
        if (!read_weight(l, o->weight[k]))
            return false;
    for (size_t k = 0; k < o->output_count; k++)
        if (!read_output(l, o->output[k]))
            return false;
    return true;
}

static const kiln_target *said_of(const struct learn *l, const char *output)
{
    for (size_t k = 0; k < l->target_count; k++)
        if (strcmp(l->targets[k].output, output) == 0)
            return &l->targets[k];
    return NULL;
}

/* Does the file say of an output that it trains, or of none? */
static bool file_trains(const struct learn *l, const char *output)
{
    static const char prefix[] = "kiln.trains.";
    const char *key, *value;
    bool any = false;

    for (size_t k = 0; kiln_model_metadata(l->model, k, &key, &value); k++) {
        if (strncmp(key, prefix, strlen(prefix)) != 0)
            continue;
        any = true;
        if (strcmp(key + strlen(prefix), output) == 0)
            return true;
    }
    return !any;
}

static bool is_chosen(const struct learn *l, const struct learn_options *o, const char *output)
{
    for (size_t k = 0; k < o->output_count; k++)
        if (strcmp(o->output[k], output) == 0)
            return true;
    return !o->output_count && file_trains(l, output);
}

/* An ArgMax beside its scores comes with them. */
static bool can_learn(const struct learn *l, const char *output)
{
    for (size_t k = 0; k < l->outputs; k++)
        if (strcmp(kiln_model_output(l->model, k)->name, output) == 0)
            return kiln_dtype_is_float(kiln_model_output(l->model, k)->dtype);
    return false;
}

/* The outputs that the data have something for, with what was said of them, but for those that do not train; `to` has room
 * for all columns. */
static bool choose_named(struct learn *l, const struct learn_options *o, kiln_target *to, size_t *count)
{
    const size_t columns = kiln_dataset_about(l->train)->targets;
    size_t said = 0;

    for (size_t k = 0; k < columns; k++) {
        const char *name = kiln_dataset_target(l->train, k)->name;
        const kiln_target *of = said_of(l, name);

        said += of != NULL;
        if (is_chosen(l, o, name) ? of || can_learn(l, name) : of && !o->output_count)
            to[(*count)++] = of ? *of : (kiln_target){ .output = name };
    }
    return said == l->target_count ||
           command_fail(&l->command, KILN_BAD_ARGUMENT, NULL,
                        "%zu outputs are named by options, the data have something for %zu of them", l->target_count,
                        said);
}

/* What has no name is for the one output that was named. Nothing is chosen where nothing was said. */
static bool choose_targets(struct learn *l, const struct learn_options *o, kiln_target *to, size_t *count)
{
    *count = 0;
    if (!l->target_count)
        return true;
    if (kiln_dataset_target(l->train, 0)->name)
        return choose_named(l, o, to, count);
    to[(*count)++] = l->targets[0];
    return l->target_count == 1 ||
           command_fail(&l->command, KILN_BAD_ARGUMENT, NULL,
                        "outputs '%.80s' and '%.80s' are to learn, the data have one column without a name",
                        l->targets[0].output, l->targets[1].output);
}

/* -- data -- */

static bool open_data(struct learn *l, const struct learn_options *o, const char *spec, kiln_data_options *d,
                      kiln_dataset **out)
{
    d->context = l->command.context;
    d->loss = l->loss;
    d->targets = l->targets;
    d->target_count = l->target_count;
    d->model = l->model;
    d->seconds = limits_data_seconds(&o->limits, o->shuffle_buffer);
    d->label = o->label;
    d->shuffle_buffer = o->shuffle_buffer;
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

bool model_says_normalization(const kiln_model *m)
{
    static const char prefix[] = "kiln.normalize.";
    const char *key, *value;

    for (size_t k = 0; kiln_model_metadata(m, k, &key, &value); k++)
        if (strncmp(key, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

bool normalize_for(struct command *c, kiln_dataset **data, const kiln_model *m)
{
    kiln_dataset *made;

    if (!*data)
        return true;
    if (kiln_dataset_normalize_for(&made, *data, m, &c->err) != KILN_OK)
        return false;
    kiln_dataset_free(*data);
    *data = made;
    return true;
}

void data_say_normalization(const kiln_dataset *d, const char *title)
{
    const size_t inputs = kiln_dataset_about(d)->inputs;

    for (size_t k = 0; k < inputs; k++) {
        const char *kind = kiln_dataset_normalization(d, k), *name = kiln_dataset_input(d, k)->name;

        if (kind && inputs > 1)
            say("%s'%s' %s, as the model was trained\n", title, name, kind);
        else if (kind)
            say("%s%s, as the model was trained\n", title, kind);
    }
}

static bool normalize(struct learn *l, const struct learn_options *o)
{
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *fitted = NULL;
    bool ok;

    l->normalized = !o->normalize && model_says_normalization(l->model);
    if (l->normalized)
        return normalize_for(&l->command, &l->check, l->model) && normalize_for(&l->command, &l->train, l->model);
    if (!o->normalize)
        return true;
    d.as = l->train;
    if (o->fit_to && !open_data(l, o, o->fit_to, &d, &fitted))
        return false;
    ok = normalize_one(l, &l->check, o->normalize, fitted ? fitted : l->train) &&
         normalize_one(l, &l->train, o->normalize, fitted);
    kiln_dataset_free(fitted);
    return ok;
}

/* What is validated with stays as it is. */
static bool augment(struct learn *l, const struct learn_options *o)
{
    kiln_dataset *made;

    if (!o->augment)
        return true;
    if (kiln_dataset_augment(&made, l->train, o->augment, &l->command.err) != KILN_OK)
        return false;
    kiln_dataset_free(l->train);
    l->train = made;
    return true;
}

/* -- all of it -- */

/* Do the data, or what is done to them, tell the model something? Else it is not copied. */
static bool is_told_something(const struct learn *l, const struct learn_options *o)
{
    for (size_t k = 0; k < kiln_dataset_about(l->train)->targets; k++)
        if (kiln_dataset_target(l->train, k)->class_names)
            return true;
    return o->normalize || (o->bake && l->normalized);
}

/* Writes into the model what the data tell of it. Where the normalisation becomes nodes, the samples stay as they are. */
static bool keep(struct learn *l, const struct learn_options *o)
{
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    struct command *c = &l->command;
    kiln_model *made;

    if (!o->keep || !is_told_something(l, o))
        return true;
    e.data = l->train;
    e.bake = o->bake;
    if (kiln_model_edit(&made, l->model, &e, &c->err) != KILN_OK)
        return false;
    l->given = l->model;
    l->model = made;
    return !o->bake || (normalize_for(c, &l->check, l->model) && normalize_for(c, &l->train, l->model));
}

/* A model as it is written down, whose parameters have no values yet, is given them first; where nothing is to be
 * learned, that is an error, which the trainer tells. */
bool learn_load(struct learn *l, const struct learn_options *o)
{
    if (!l->model)
        l->model = o->draw ? open_filled_model(&l->command, o->model, o->trainer.seed, &l->drawn)
                           : open_model(&l->command, o->model);
    return l->model;
}

static bool make_trainer(struct learn *l, const struct learn_options *o)
{
    kiln_trainer_options t = o->trainer;
    kiln_target *targets = calloc(kiln_dataset_about(l->train)->targets + 1, sizeof *targets);
    struct command *c = &l->command;

    if (!targets)
        return command_no_memory(c);
    l->named = kiln_dataset_target(l->train, 0)->name;
    t.context = c->context;
    t.seconds = o->limits.seconds;
    t.data = l->train;
    t.loss = l->loss;
    t.targets = targets;
    t.remember = o->keep;
    t.metrics = o->metric;
    t.metric_count = o->metric_count;
    if (choose_targets(l, o, targets, &t.target_count))
        kiln_trainer_new(&l->trainer, l->model, &t, &c->err);
    free(targets);
    return l->trainer;
}

bool learn_treat(struct learn *l, const struct learn_options *o)
{
    return normalize(l, o) && keep(l, o) && augment(l, o);
}

bool learn_open(struct learn *l, const struct learn_options *o)
{
    if (!learn_load(l, o))
        return false;
    l->command.teller.file = NULL; /* what goes wrong from here on is not of that file */
    if (!read_targets(l, o) || !open_sets(l, o) || !learn_treat(l, o) || !make_trainer(l, o))
        return false;
    l->command.teller.file = o->model;
    adapt_hint(&l->command, l->model); /* where all is well: of what is wrong one line is enough */
    l->command.teller.file = NULL;
    l->first = strcmp(kiln_trainer_labels(l->trainer, 0)->name, kiln_model_output(l->model, 0)->name) == 0;
    kiln_model_free(l->model); /* the trainer has its own */
    kiln_model_free(l->given);
    l->model = l->given = NULL;
    return true;
}

void learn_close(struct learn *l)
{
    kiln_trainer_free(l->trainer);
    kiln_dataset_free(l->check);
    kiln_dataset_free(l->train);
    kiln_model_free(l->model);
    kiln_model_free(l->given);
}

double learn_number(double x)
{
    return isnan(x) ? (double)NAN : x;
}

void learn_say_losses(const struct learn *l, const char *title)
{
    const size_t count = kiln_trainer_target_count(l->trainer);

    for (size_t k = 0; k < count; k++) {
        const double weight = kiln_trainer_weight(l->trainer, k);

        say("%s", title);
        if (l->outputs > 1)
            say("of '%s'%s: ", kiln_trainer_labels(l->trainer, k)->name,
                l->named || l->target_count ? ""
                : l->first                  ? ", the model's first output"
                                            : ", which the file says trains");
        say("%s", kiln_trainer_loss(l->trainer, k));
        if (kiln_dataset_about(l->train)->weighted)
            say(", samples weighed");
        if (weight != 1)
            say(", counted %g times", weight);
        say("\n");
    }
}

void data_say_label(const kiln_dataset *d)
{
    enum { MOST = 12 };
    const kiln_column_info *y = kiln_dataset_target(d, 0);
    const char *label = kiln_dataset_about(d)->label;

    if (label)
        say("; label: %s", label);
    if (!y->class_names)
        return;
    say("%s%lld classes:", label ? ", " : "; ", (long long)y->classes);
    for (int64_t k = 0; k < y->classes && k < MOST; k++)
        say("%s '%s'", k ? "," : "", y->class_names[k]);
    if (y->classes > MOST)
        say(", ...");
}

/* -- options -- */

bool option_target(struct learn_options *o, int key, const char *arg, struct argp_state *state)
{
    const struct {
        int key;
        const char **list;
        size_t *count;
    } lists[] = { { KEY_LOSS, o->loss, &o->loss_count },
                  { KEY_WEIGHT, o->weight, &o->weight_count },
                  { KEY_TRAIN_OUTPUT, o->output, &o->output_count },
                  { KEY_METRIC, o->metric, &o->metric_count } };

    if (key == KEY_CLASS_WEIGHT) {
        o->trainer.class_weight = arg;
        return true;
    }
    if (key == KEY_LABEL) {
        o->label = arg;
        return true;
    }
    if (key == KEY_CLASS_AXIS) {
        o->trainer.class_axis = (int)option_number(state, "class-axis", arg, -64, 64);
        return true;
    }
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        if (lists[k].key != key)
            continue;
        if (*lists[k].count == MOST_TARGETS)
            argp_error(state, "an option of outputs is given more than %d times", (int)MOST_TARGETS);
        lists[k].list[(*lists[k].count)++] = arg;
        return true;
    }
    return false;
}

/* What may stand behind a kind: of what it has means of their own. */
static bool is_end(const char *s)
{
    return !*s || strcmp(s, ":feature") == 0 || strcmp(s, ":channel") == 0 || strcmp(s, ":whole") == 0;
}

const char *option_normalization(struct argp_state *state, const char *arg)
{
    struct page names = { 0 };
    const char *name;

    for (size_t k = 0; (name = kiln_normalization_name(k)); k++) {
        if (strncmp(arg, name, strlen(name)) == 0 && is_end(arg + strlen(name)))
            break;
        page_printf(&names, "%s%s", !k ? "" : kiln_normalization_name(k + 1) ? ", " : " or ", name);
    }
    if (!name)
        argp_error(state, "--normalize is '%s', must be %s", arg, names.text ? names.text : "another");
    page_free(&names);
    return arg;
}
