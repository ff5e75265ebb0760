#include "data/npz.h"
#include "data/format.h"

/* An archive, and what is asked of it. */
struct reading {
    struct dataset *data;
    const struct format_request *request;
    struct npz *npz;
    struct report *report;
    bool parts; /* arrays are NAME_train and NAME_test */
};

static const char *name_of_part(const struct reading *a, const char *name, enum part part)
{
    return arena_printf(&a->data->columns, a->report, "%s_%s", name, part == PART_TEST ? "test" : "train");
}

static bool has(const struct reading *a, const char *name)
{
    return name && npz_has(a->npz, name);
}

static bool has_parts(const struct reading *a, const char *name)
{
    return has(a, name_of_part(a, name, PART_TRAIN)) || has(a, name_of_part(a, name, PART_TEST));
}

/* What the array is called that holds `name`. */
static const char *array_name(const struct reading *a, const char *name)
{
    return a->parts ? name_of_part(a, name, a->request->part) : name;
}

/* Has any array the name of a request, or `simple`, as a part? */
static bool any_parts(const struct reading *a, const struct column_request *requests, size_t count, const char *simple)
{
    for (size_t k = 0; k < count; k++)
        if (requests[k].name && has_parts(a, requests[k].name))
            return true;
    return has_parts(a, simple);
}

/* How many of the requests have an array; those that do are noted in names. */
static size_t find(const struct reading *a, const struct column_request *requests, size_t count, const char **names)
{
    size_t found = 0;

    for (size_t k = 0; k < count; k++)
        if (requests[k].name && has(a, array_name(a, requests[k].name)))
            names[found++] = requests[k].name;
    return found;
}

static bool read_column(const struct reading *a, struct column *c, const char *name, const char *simple,
                        const struct type_check *check)
{
    const char *array = array_name(a, name ? name : simple);

    c->name = name ? arena_printf(&a->data->columns, a->report, "%s", name) : NULL;
    return array && (c->name || !name) && npz_read(&c->values, a->npz, array, check, a->report);
}

static bool fail_missing(const struct reading *a)
{
    const struct data_options *o = a->request->options;
    char names[256];
    size_t k = 0;

    while (has(a, array_name(a, o->input[k].name)))
        k++;
    npz_names(a->npz, names, sizeof names);
    return fail(
        a->report, KILN_BAD_DATA, a->request->where,
        "an array '%s' is needed for an input of the model, there are: %s; `kiln init` gives parameters values, "
        "`kiln convert --set` inputs",
        array_name(a, o->input[k].name), names);
}

static bool read_all(struct reading *a)
{
    const struct data_options *o = a->request->options;
    const char **x = arena_array(&a->data->columns, o->inputs + 1, sizeof *x, a->report);
    const char **y = arena_array(&a->data->columns, o->targets + 1, sizeof *y, a->report);
    struct dataset *d = a->data;
    size_t targets;

    if (!x || !y)
        return false;
    if (find(a, o->input, o->inputs, x) < o->inputs) {
        if (o->inputs > 1)
            return fail_missing(a);
        x[0] = NULL;
    }
    targets = find(a, o->target, o->targets, y);
    if (!format_columns(d, o->inputs ? o->inputs : 1, targets ? targets : 1, a->report))
        return false;
    for (size_t k = 0; k < d->inputs; k++)
        if (!read_column(a, &d->x[k], x[k], "x", a->request->samples[k]))
            return false;
    for (size_t k = 0; k < d->targets; k++)
        if (!read_column(a, &d->y[k], y[k], "y", a->request->rows))
            return false;
    return true;
}

static bool load(struct dataset *d, const struct format_request *q, struct report *r)
{
    struct reading a = { .data = d, .request = q, .report = r };
    bool ok;

    if (!npz_open(&a.npz, q->where, d->budget, r))
        return false;
    a.parts = any_parts(&a, q->options->input, q->options->inputs, "x") ||
              any_parts(&a, q->options->target, q->options->targets, "y");
    ok = (a.parts || format_no_parts(q, r)) && read_all(&a);
    npz_close(a.npz);
    return ok;
}

const struct format_def format_npz = {
    .row = { "npz", "NumPy arrays named as the model's inputs and outputs, or x and y; with _train and _test for parts",
             NULL },
    .where = "FILE",
    .parts = true,
    .names = true,
    .load = load,
};
