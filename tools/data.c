/* kiln data: what is in a data set. */
#include "json.h"
#include "learn.h"
#include "sheet.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *spec, *model, *label, *figure;
    int64_t limit;
    bool json, values;
    struct limits limits;
};

struct looking {
    const struct options *o;
    struct command command;
    kiln_model *model;
    kiln_dataset *data;
    struct page page;
};

/* -- parts of both -- */

static const kiln_column_info *column_of(const struct looking *l, bool target, size_t k)
{
    return target ? kiln_dataset_target(l->data, k) : kiln_dataset_input(l->data, k);
}

/* "uint8[28,28,1]" of a sample. */
static void put_type(struct page *p, const kiln_column_info *c)
{
    page_printf(p, "%s[", kiln_dtype_name(c->dtype));
    for (int d = 0; d < c->rank; d++)
        page_printf(p, "%s%lld", d ? "," : "", (long long)c->dims[d]);
    page_printf(p, "]");
}

/* How often each class is there; freed by the caller. NULL with an error. */
static int64_t *count(struct looking *l, size_t k)
{
    int64_t *counts = calloc((size_t)column_of(l, true, k)->classes + 1, sizeof *counts);

    if (counts && kiln_dataset_count_classes(l->data, k, counts, &l->command.err) == KILN_OK)
        return counts;
    if (!counts)
        command_no_memory(&l->command);
    free(counts);
    return NULL;
}

/* -- for people -- */

static void put_numbers(struct page *p, const kiln_numbers *n)
{
    if (n->finite)
        page_printf(p, ": from %.6g to %.6g, mean %.6g, deviation %.6g", n->least, n->most, n->mean, n->deviation);
    if (!n->samples)
        return;
    page_printf(p, "\n           %lld samples have numbers that are not finite (%lld NaN, %lld infinite):",
                (long long)n->samples, (long long)n->nan, (long long)n->infinite);
    for (int64_t k = 0; k < n->samples && k < (int64_t)(sizeof n->sample / sizeof *n->sample); k++)
        page_printf(p, "%s %lld", k ? "," : "", (long long)n->sample[k]);
    page_printf(p, "%s", n->samples > (int64_t)(sizeof n->sample / sizeof *n->sample) ? ", ..." : "");
}

static bool put_classes(struct looking *l, size_t k)
{
    enum { MOST = 200 };
    const kiln_column_info *y = column_of(l, true, k);
    int64_t *counts = count(l, k), sum = 0, least = INT64_MAX, most = 0;

    if (!counts)
        return false;
    for (int64_t c = 0; c < y->classes; c++) {
        sum += counts[c];
        least = counts[c] < least ? counts[c] : least;
        most = counts[c] > most ? counts[c] : most;
    }
    page_printf(&l->page, ": %lld classes, %lld to %lld of each\n", (long long)y->classes, (long long)least,
                (long long)most);
    for (int64_t c = 0; c < y->classes && c < MOST; c++) {
        page_printf(&l->page, "%11s%8lld %5.1f %%  ", "", (long long)counts[c], 100. * (double)counts[c] / (double)sum);
        if (y->class_names)
            page_say(&l->page, "%s\n", y->class_names[c]);
        else
            page_say(&l->page, "%lld\n", (long long)c);
    }
    if (y->classes > MOST)
        page_printf(&l->page, "%11s...\n", "");
    free(counts);
    return true;
}

static bool put_column(struct looking *l, bool target, size_t k)
{
    const kiln_column_info *c = column_of(l, target, k);
    kiln_numbers n;

    page_printf(&l->page, "%-10s ", target ? "target" : "input");
    if (c->name)
        page_say(&l->page, "%s ", c->name);
    put_type(&l->page, c);
    if (target && kiln_dataset_about(l->data)->unlabelled) {
        page_printf(&l->page, ": there is nothing to be predicted\n");
        return true;
    }
    if (target && c->classes)
        return put_classes(l, k);
    if (kiln_dataset_numbers(l->data, target, k, &n, &l->command.err) != KILN_OK)
        return false;
    put_numbers(&l->page, &n);
    page_printf(&l->page, "\n");
    return true;
}

static bool tell(struct looking *l)
{
    const kiln_dataset_info *about = kiln_dataset_about(l->data);
    bool ok = true;

    page_say(&l->page, "%-10s %lld%s", "samples", (long long)about->count, about->header ? " below a header" : "");
    if (about->label)
        page_say(&l->page, "; label: %s", about->label);
    page_printf(&l->page, "\n");
    for (size_t k = 0; ok && k < about->inputs; k++)
        ok = put_column(l, false, k);
    for (size_t k = 0; ok && k < about->targets; k++)
        ok = put_column(l, true, k);
    return ok;
}

/* -- for programs -- */

static bool json_classes(struct looking *l, struct json *j, size_t k)
{
    const kiln_column_info *y = column_of(l, true, k);
    int64_t *counts = count(l, k);

    if (!counts)
        return false;
    json_begin(j, "classes", '[');
    for (int64_t c = 0; c < y->classes; c++) {
        json_begin(j, NULL, '{');
        json_text(j, "name", y->class_names ? y->class_names[c] : NULL);
        json_whole(j, "count", counts[c]);
        json_end(j, '}');
    }
    json_end(j, ']');
    free(counts);
    return true;
}

static void json_numbers(struct json *j, const kiln_numbers *n)
{
    json_number(j, "min", n->least, 17);
    json_number(j, "max", n->most, 17);
    json_number(j, "mean", n->mean, 17);
    json_number(j, "deviation", n->deviation, 17);
    json_whole(j, "nan", n->nan);
    json_whole(j, "infinite", n->infinite);
    json_whole(j, "not_finite_samples", n->samples);
    json_begin(j, "first", '[');
    for (int64_t s = 0; s < n->samples && s < (int64_t)(sizeof n->sample / sizeof *n->sample); s++)
        json_whole(j, NULL, n->sample[s]);
    json_end(j, ']');
}

static bool json_column(struct looking *l, struct json *j, bool target, size_t k)
{
    const kiln_column_info *c = column_of(l, target, k);
    kiln_numbers n;

    json_begin(j, NULL, '{');
    json_text(j, "name", c->name);
    json_text(j, "type", kiln_dtype_name(c->dtype));
    json_begin(j, "shape", '[');
    for (int d = 0; d < c->rank; d++)
        json_whole(j, NULL, c->dims[d]);
    json_end(j, ']');
    if (kiln_dataset_numbers(l->data, target, k, &n, &l->command.err) != KILN_OK)
        return false;
    json_numbers(j, &n);
    if (target && c->classes && !json_classes(l, j, k))
        return false;
    json_end(j, '}');
    return true;
}

static bool tell_json(struct looking *l)
{
    const kiln_dataset_info *about = kiln_dataset_about(l->data);
    struct json j = { .out = &l->page, .lines = 2 };
    bool ok = true;

    json_begin(&j, NULL, '{');
    json_whole(&j, "samples", about->count);
    json_flag(&j, "header", about->header);
    json_flag(&j, "unlabelled", about->unlabelled);
    json_text(&j, "label", about->label);
    json_begin(&j, "inputs", '[');
    for (size_t k = 0; ok && k < about->inputs; k++)
        ok = json_column(l, &j, false, k);
    json_end(&j, ']');
    json_begin(&j, "targets", '[');
    for (size_t k = 0; ok && k < about->targets && !about->unlabelled; k++)
        ok = json_column(l, &j, true, k);
    json_end(&j, ']');
    json_end(&j, '}');
    return ok;
}

/* -- the verb -- */

static bool look(struct looking *l)
{
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    const struct options *o = l->o;
    struct command *c = &l->command;

    if (o->figure && kiln_file_claim(c->context, o->figure, KILN_FILE_OUTPUT, &c->err) != KILN_OK)
        return false;
    if (o->model && !(l->model = open_filled_model(c, o->model, 0, NULL)))
        return false;
    c->teller.file = NULL;
    d.context = c->context;
    d.model = l->model;
    d.label = o->label;
    d.limit = o->limit;
    d.values = o->values;
    d.seconds = o->limits.seconds;
    d.gaps = true;
    d.unlabelled = true;
    l->page.command = c;
    if (kiln_dataset_open(&l->data, o->spec, &d, &c->err) != KILN_OK || !(o->json ? tell_json : tell)(l))
        return false;
    return !o->figure || sheet_save(l->data, o->spec, o->figure, c);
}

enum { KEY_LIMIT = 256, KEY_FIGURE, KEY_JSON, KEY_MODEL, KEY_VALUES };

static const struct argp_option argp_options[] = {
    { "model", KEY_MODEL, "MODEL", 0, "that is to take them: by its inputs pictures have a size, and columns names",
      0 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 0 },
    LABEL_OPTION(0),
    { "values", KEY_VALUES, NULL, 0, "numbers are to be predicted, no classes", 0 },
    { "figure", KEY_FIGURE, "FILE.svg", 0, "a sheet of samples, with the names of their classes", 0 },
    { "json", KEY_JSON, NULL, 0, "for programs", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_MODEL:
        o->model = arg;
        return 0;
    case KEY_LIMIT:
        o->limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_LABEL:
        o->label = arg;
        return 0;
    case KEY_VALUES:
        o->values = true;
        return 0;
    case KEY_FIGURE:
        o->figure = arg;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->spec)
            argp_error(state, "one data set at a time, '%s' is a second one", arg);
        o->spec = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->spec)
            argp_error(state, "needs a data set");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    argp_options,
    parse_option,
    "SPEC",
    "What is in a data set: how many samples, of which shape and range, classes and their "
    "balance, and what is no number.\vData sets:\n{data:}",
    limits_options,
    help_filled,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { 0 };
    static struct looking l;
    struct command *c = &l.command;
    bool ok;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    l.o = &o;
    c->limits = o.limits;
    ok = command_start(c, 1) && look(&l);
    ok = ok && page_show(&l.page, c);
    page_free(&l.page);
    kiln_dataset_free(l.data);
    kiln_model_free(l.model);
    return command_end(c, ok);
}

const struct verb verb_data = {
    "data",
    "what is in a data set",
    run,
    &argp,
    "A folder of pictures, and a table whose column 'kind' is to be predicted:\n"
    "    kiln data photos --figure sheet.svg\n"
    "    kiln data csv:train.csv --label kind --json\n",
};
