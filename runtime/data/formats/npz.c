#include "data/npz.h"
#include "data/formats/arrays.h"
#include <stdio.h>
#include <string.h>

/* The array that says how much samples count, as Keras calls it. */
#define WEIGHTS "sample_weight"

/* An archive, and what is asked of it. */
struct reading {
    struct dataset *data;
    const struct format_request *request;
    struct npz *npz;
    struct array_files *files;
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

/* Which arrays are read, NULL for x and y. */
struct choice {
    const char **x, **y; /* [inputs], [targets] */
    size_t inputs, targets;
};

static bool is_in(const char *name, const char *const *names, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (names[k] && strcmp(names[k], name) == 0)
            return true;
    return false;
}

/* All that there is nothing for: of several inputs without a name of the data's any may be the one that is fed. */
static bool fail_missing(const struct reading *a)
{
    const struct data_options *o = a->request->options;
    char names[256], missing[256] = "";
    size_t count = 0, n = 0;

    for (size_t k = 0; k < o->inputs; k++)
        if (!has(a, array_name(a, o->input[k].name)) && ++count && n < sizeof missing)
            n += (size_t)snprintf(missing + n, sizeof missing - n, "%s'%s'", n ? ", " : "",
                                  array_name(a, o->input[k].name));
    npz_names(a->npz, names, sizeof names);
    return fail(a->report, KILN_BAD_DATA, a->request->where,
                "%s %s %s needed for %s of the model, there are: %s; " HOW_VALUES_ARE_GIVEN,
                count == 1 ? "an array" : "arrays", missing, count == 1 ? "is" : "are",
                count == 1 ? "an input" : "inputs", names);
}

/* Those of the requests that have an array, each name once, and not what is in `taken`. */
static size_t find(const struct reading *a, const struct column_request *requests, size_t count, const char **names,
                   const char *const *taken, size_t taken_count)
{
    size_t found = 0;

    for (size_t k = 0; k < count; k++) {
        const char *name = requests[k].name;

        if (name && has(a, array_name(a, name)) && !is_in(name, names, found) && !is_in(name, taken, taken_count))
            names[found++] = name;
    }
    return found;
}

/* x and y, or where there is no y, what has the name of an output. */
static void choose_pair(const struct reading *a, struct choice *c)
{
    static const char *const x[] = { "x" };
    const struct data_options *o = a->request->options;

    c->inputs = 1;
    c->x[0] = NULL;
    c->targets = has(a, array_name(a, "y")) ? 0 : find(a, o->target, o->targets, c->y, x, 1);
}

/* Is there a y that is not an input of the model? */
static bool has_labels(const struct reading *a, const struct choice *c)
{
    return has(a, array_name(a, "y")) && !is_in("y", c->x, c->inputs);
}

/* Columns by the names of the model, where its inputs have arrays and something is left to be predicted, or there is no x
 * that could be meant: samples alone. */
static bool choose(const struct reading *a, struct choice *c)
{
    const struct data_options *o = a->request->options;

    c->x = arena_array(&a->data->columns, o->inputs + 1, sizeof *c->x, a->report);
    c->y = arena_array(&a->data->columns, o->targets + 1, sizeof *c->y, a->report);
    if (!c->x || !c->y)
        return false;
    c->inputs = find(a, o->input, o->inputs, c->x, NULL, 0);
    if (c->inputs && c->inputs == o->inputs) {
        c->targets = find(a, o->target, o->targets, c->y, c->x, c->inputs);
        if (c->targets || o->inputs > 1 || has_labels(a, c) || !has(a, array_name(a, "x")))
            return true;
    } else if (o->inputs > 1) {
        return fail_missing(a);
    }
    choose_pair(a, c);
    return true;
}

static bool add_column(const struct reading *a, struct column *c, const char *name, const char *simple,
                       const struct type_check *check)
{
    const char *array = array_name(a, name ? name : simple);

    c->name = name ? arena_printf(&a->data->columns, a->report, "%s", name) : NULL;
    return array && (c->name || !name) && arrays_add(a->files, c, array, check, a->request, a->report);
}

static bool add_all(struct reading *a)
{
    struct dataset *d = a->data;
    struct choice c = { 0 };

    if (!choose(a, &c) || !format_columns(d, c.inputs, c.targets ? c.targets : 1, a->report))
        return false;
    a->files = arrays_new(d, &array_npz, a->request->where, d->inputs + d->targets + 1, a->report);
    if (!a->files)
        return false;
    for (size_t k = 0; k < d->inputs; k++)
        if (!add_column(a, &d->x[k], c.x[k], "x", a->request->samples[k]))
            return false;
    if (!c.targets && a->request->options->unlabelled && !has_labels(a, &c)) {
        format_unlabelled(d);
        return true;
    }
    for (size_t k = 0; k < d->targets; k++)
        if (!add_column(a, &d->y[k], c.y[k], "y", a->request->rows))
            return false;
    return !has(a, array_name(a, WEIGHTS)) || add_column(a, &d->weights, NULL, WEIGHTS, a->request->rows);
}

/* Do the inputs of the model, or x, have arrays for parts? */
static bool find_parts(const struct reading *a)
{
    const struct data_options *o = a->request->options;

    for (size_t k = 0; k < o->inputs; k++)
        if (o->input[k].name && has_parts(a, o->input[k].name))
            return true;
    return has_parts(a, "x");
}

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    struct reading a = { .data = d, .request = q, .report = r };
    bool ok;

    if (!npz_open(&a.npz, q->where, d->budget, r))
        return false;
    a.parts = find_parts(&a);
    ok = (a.parts || format_no_parts(q, r)) && add_all(&a);
    npz_close(a.npz);
    return ok;
}

const struct format_def format_npz = {
    .row = { "npz",
             "arrays of NumPy, x and y, or named as the model's inputs and outputs; for parts x_train, y_train, "
             "x_test, y_test; sample_weight: how much each sample counts",
             NULL },
    .where = "FILE",
    .parts = true,
    .names = true,
    .endings = (const char *const[]){ ".npz", NULL },
    .open = open,
};
