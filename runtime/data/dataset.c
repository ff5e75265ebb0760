#include "data/dataset.h"
#include "data/batch.h"
#include "data/convert.h"
#include "data/element.h"
#include "data/formats/registry.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct spec {
    char text[SPEC_SIZE];     /* the name, and where the data are, cut apart */
    const char *name, *where; /* where: NULL without */
    bool part_named;
    enum part part;
    int64_t from, to;                /* to: -1 without */
    const struct format_def *format; /* where the path alone tells it; NULL */
};

/* -- SPEC -- */

/* Moves past a number, which may be left out: then *value stays. False where it does not fit. */
static bool read_index(const char **p, int64_t *value)
{
    int64_t n = 0;

    if (**p < '0' || **p > '9')
        return true;
    for (; **p >= '0' && **p <= '9'; ++*p)
        if (!mul_size(n, 10, &n) || !add_size(n, **p - '0', &n))
            return false;
    *value = n;
    return true;
}

/* Cuts "[from:to]" off the end. Anything else in brackets belongs to a path. */
static bool cut_range(struct spec *s, struct report *r)
{
    const size_t n = strlen(s->text);
    char *open = strrchr(s->text, '[');
    const char *first, *second;

    s->from = 0;
    s->to = -1;
    if (!n || !open || s->text[n - 1] != ']' || strspn(open + 1, "0123456789:") != strlen(open) - 2 ||
        !strchr(open, ':') || strchr(open, ':') != strrchr(open, ':'))
        return true;
    first = open + 1;
    second = strchr(open, ':') + 1;
    if (!read_index(&first, &s->from) || !read_index(&second, &s->to) || (s->to >= 0 && s->to <= s->from))
        return fail(r, KILN_BAD_ARGUMENT, NULL, "range '%s' holds nothing, it must be [from:to] with from < to", open);
    *open = 0;
    return true;
}

static bool ends_with(char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    if (n < m || strcmp(text + n - m, end) != 0)
        return false;
    text[n - m] = 0;
    return true;
}

static bool is_name_of_format(const char *text)
{
    const size_t n = strcspn(text, ":");

    for (size_t k = 0; format_registry[k]; k++)
        if (strlen(format_registry[k]->row.name) == n && strncmp(format_registry[k]->row.name, text, n) == 0)
            return true;
    return false;
}

/* Does the path end so, whatever the case of its letters, perhaps before options (",label=")? */
static bool has_ending(const char *path, const char *const *endings)
{
    const size_t n = strcspn(path, ",");

    for (; endings && *endings; endings++) {
        const size_t m = strlen(*endings);

        if (n > m && strncasecmp(path + n - m, *endings, m) == 0)
            return true;
    }
    return false;
}

/* The format of a path that stands alone; NULL where the name of one comes first, or nothing tells it. */
static const struct format_def *format_of_path(const char *text)
{
    struct stat about;
    char path[SPEC_SIZE];
    bool folder;

    if (is_name_of_format(text))
        return NULL;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(text, ","), text);
    folder = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    for (size_t k = 0; format_registry[k]; k++)
        if (folder ? format_registry[k]->folder : has_ending(text, format_registry[k]->endings))
            return format_registry[k];
    return NULL;
}

static bool read_spec(struct spec *s, const char *text, enum part part, struct report *r)
{
    const size_t n = strlen(text);
    char *colon;

    if (n >= sizeof s->text)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "a data set of %zu characters, at most %zu", n, sizeof s->text - 1);
    memcpy(s->text, text, n + 1);
    if (!cut_range(s, r))
        return false;
    s->part = part;
    s->part_named = ends_with(s->text, ":test");
    if (s->part_named)
        s->part = PART_TEST;
    else if ((s->part_named = ends_with(s->text, ":train")))
        s->part = PART_TRAIN;
    s->name = s->text;
    s->where = NULL;
    s->format = format_of_path(s->text);
    colon = strchr(s->text, ':');
    if (s->format) {
        s->name = s->format->row.name;
        s->where = s->text;
    } else if (colon) {
        *colon = 0;
        s->where = colon + 1;
    }
    return true;
}

/* The first dimension of both is that of the samples. */
static bool check_count(const struct tensor *samples, const struct tensor *targets, const char *name, struct report *r)
{
    char x[TYPE_TEXT], y[TYPE_TEXT];

    return (samples->rank >= 1 && targets->rank >= 1 && samples->dims[0] == targets->dims[0]) ||
           fail(r, KILN_BAD_DATA, name, "samples are %s, what is to be predicted is %s: their number must be the same",
                tensor_text(samples, x), tensor_text(targets, y));
}

/* -- formats -- */

const struct spec_row *format_table(size_t k)
{
    return format_registry[k] ? &format_registry[k]->row : NULL;
}

bool format_no_parts(const struct format_request *q, struct report *r)
{
    return !q->part_named || q->part == PART_TRAIN ||
           fail(r, KILN_BAD_ARGUMENT, NULL, "'%s' has no test part; a range of it can be taken: %s:...[from:to]",
                q->name, q->name);
}

/* What a column must be, before it is read. */
struct column_check {
    struct type_check check;
    const struct tensor *input; /* of the model, that takes it; NULL: anything */
    const struct dataset *as;   /* whose column 0 has as many rows; NULL for inputs, of which that is looked at later */
};

static bool column_fits(const struct type_check *check, const struct tensor *type, const char *name, struct report *r)
{
    const struct column_check *c = (const struct column_check *)check;

    return batches_take(c->input, type, r) && (!c->as || check_count(&c->as->x->values, type, name, r));
}

static const struct format_def *find_format(const struct spec *s, struct report *r)
{
    const struct spec_subject about = { "data set", NULL, KILN_BAD_ARGUMENT };
    const struct format_def *f =
        s->format ? s->format : (const struct format_def *)spec_find(format_table, s->name, &about, r);

    if (!f || (s->where ? *s->where : f->where_left_out))
        return f;
    fail(r, KILN_BAD_ARGUMENT, NULL, "data set '%s' needs to know where: %s:%s", s->name, s->name, f->where);
    return NULL;
}

bool format_columns(struct dataset *d, size_t inputs, size_t targets, struct report *r)
{
    d->x = arena_array(&d->columns, inputs, sizeof *d->x, r);
    d->y = arena_array(&d->columns, targets, sizeof *d->y, r);
    d->inputs = d->x ? inputs : 0;
    d->targets = d->y ? targets : 0;
    return d->x && d->y;
}

bool format_take_names(struct column *y, const char *const *names, int count, const struct column_request *q,
                       const char *where, struct report *r)
{
    y->class_names = names;
    y->classes = names ? count : 0;
    return !names || !q->classes || q->class_names ||
           fail(r, KILN_BAD_DATA, where, "labels have names ('%s', ...), those that they must be as are numbers",
                *names);
}

void format_unlabelled(struct dataset *d)
{
    d->unlabelled = true;
    d->y->values = (struct tensor){ .dtype = I64, .rank = 1, .dims = { d->x->values.dims[0] } };
}

/* A format without names has one column. */
static bool check_inputs(const struct format_def *f, const struct data_options *o, struct report *r)
{
    return f->names || o->inputs < 2 ||
           fail(r, KILN_BAD_MODEL, NULL,
                "the model has %zu inputs without a value ('%s', '%s'%s), data of format %s are for "
                "1; " HOW_VALUES_ARE_GIVEN,
                o->inputs, o->input[0].name, o->input[1].name, o->inputs > 2 ? ", ..." : "", f->row.name);
}

static bool check_label(const struct format_def *f, const struct data_options *o, struct report *r)
{
    return !o->label || f->labels ||
           fail(r, KILN_BAD_ARGUMENT, NULL, "data of format %s have no columns of which '%.60s' could be the label",
                f->row.name, o->label);
}

static bool open(struct dataset *d, const struct format_def *f, const struct spec *s, const struct data_options *o,
                 struct report *r)
{
    const size_t inputs = o->inputs ? o->inputs : 1;
    struct column_check *fit = arena_array(&d->columns, inputs, sizeof *fit, r);
    const struct type_check **samples = arena_array(&d->columns, inputs, sizeof *samples, r);
    const struct column_check rows = { { column_fits }, NULL, d };
    const struct format_request q = { .name = s->name,
                                      .where = s->where,
                                      .part_named = s->part_named,
                                      .part = s->part,
                                      .options = o,
                                      .samples = samples,
                                      .rows = &rows.check };

    if (!fit || !samples)
        return false;
    for (size_t k = 0; k < inputs; k++) {
        fit[k] = (struct column_check){ { column_fits }, o->inputs ? o->input[k].type : NULL, NULL };
        samples[k] = &fit[k].check;
    }
    return (f->parts || format_no_parts(&q, r)) && check_inputs(f, o, r) && check_label(f, o, r) && f->open(d, &q, r);
}

/* "csv:FILE", "fashion-mnist[:DIR]" */
static void put_format(struct text *out, const struct format_def *f)
{
    text_printf(out, "%s%s:%s%s", f->row.name, f->where_left_out ? "[" : "", f->where, f->where_left_out ? "]" : "");
}

void format_names(struct text *out)
{
    for (size_t k = 0; k < FORMAT_COUNT; k++) {
        spec_comma(out, k, FORMAT_COUNT);
        put_format(out, format_registry[k]);
    }
}

void format_help(struct text *out)
{
    for (size_t k = 0; k < FORMAT_COUNT; k++) {
        text_printf(out, "  ");
        put_format(out, format_registry[k]);
        text_printf(out, " - %s\n", format_registry[k]->row.help);
    }
}

/* -- open -- */

/* Numbers, as many of all. */
static bool check_samples(const struct dataset *d, const char *where, struct report *r)
{
    char text[TYPE_TEXT], first[TYPE_TEXT];

    for (size_t k = 0; k < d->inputs; k++) {
        const struct tensor *x = &d->x[k].values;

        if (x->rank < 1 || d->x->values.rank < 1 || x->dims[0] != d->x->values.dims[0])
            return fail(r, KILN_BAD_DATA, where,
                        "samples are %s for '%s' and %s for '%s': their number must be the same",
                        tensor_text(&d->x->values, first), d->x->name ? d->x->name : "x", tensor_text(x, text),
                        d->x[k].name ? d->x[k].name : "x");
        if (tensor_count(x) == 0)
            return fail(r, KILN_BAD_DATA, where, "no data: samples are %s", tensor_text(x, text));
        if (!element_getter(x->dtype))
            return fail(r, KILN_BAD_DATA, where, "samples are %s, must be real numbers", tensor_text(x, text));
    }
    for (size_t k = 0; k < d->targets; k++)
        if (!check_count(&d->x->values, &d->y[k].values, where, r))
            return false;
    return true;
}

/* Is there something for every input of the model, and does it fit? */
bool dataset_takes(const struct dataset *d, const struct data_options *o, const char *where, struct report *r)
{
    for (size_t k = 0; k < o->inputs; k++) {
        const struct column *c = column_find(d->x, d->inputs, o->input, o->inputs, k);

        if (!c)
            return fail(r, KILN_BAD_DATA, where, "there is nothing for the model's input '%s'", o->input[k].name);
        if (!batches_take(o->input[k].type, &c->values, r))
            return false;
    }
    return true;
}

static bool select_range(struct dataset *d, const struct spec *s, const struct data_options *o, const char *where,
                         struct report *r)
{
    const int64_t rows = d->x->values.dims[0];
    int64_t to = s->to < 0 ? rows : s->to;

    if (to > rows || s->from >= to)
        return fail(r, KILN_BAD_ARGUMENT, where, "there are %lld samples, the range ends past them", (long long)rows);
    if (o->limit > 0 && to - s->from > o->limit)
        to = s->from + o->limit;
    d->from = s->from;
    d->count = to - s->from;
    return true;
}

static bool check_options(const struct data_options *o, const char *where, struct report *r)
{
    int classes = 0;

    for (size_t k = 0; k < o->targets; k++)
        classes = o->target[k].classes < classes ? o->target[k].classes : classes;
    return (o->limit >= 0 && classes >= 0 && o->window >= 0) ||
           fail(r, KILN_BAD_ARGUMENT, where,
                "a limit of %lld samples, %d classes and a window of %lld samples, must not be negative",
                (long long)o->limit, classes, (long long)o->window);
}

bool dataset_begin(struct dataset *d, const struct data_options *o, size_t inputs, size_t targets, const char *where,
                   struct budget *b, struct report *r)
{
    *d = (struct dataset){ .owns = true, .columns.budget = b, .budget = b };
    return check_options(o, where, r) && format_columns(d, inputs, targets, r);
}

/* What can be told of what `d` holds, as it came, before all of it is read. */
static bool check(struct dataset *d, const struct spec *s, const struct data_options *o, const char *where,
                  struct report *r)
{
    return check_samples(d, where, r) && dataset_takes(d, o, where, r) && select_range(d, s, o, where, r);
}

/* -- rows into memory -- */

static bool make_room(struct dataset *d, struct column *c, struct report *r)
{
    return (c->values.data = budget_zalloc(d->budget, 1, to_size(tensor_bytes(&c->values)), r));
}

/* Where row `at` of each column goes that the source has; how many columns there are. */
static size_t place_rows(struct dataset *d, int64_t at, void **to)
{
    struct column *const x = d->x, *const y = d->y;
    size_t n = 0;

    for (size_t k = 0; k < d->inputs; k++)
        to[n++] = (char *)x[k].values.data + at * row_bytes(&x[k].values);
    for (size_t k = 0; k < d->targets && !d->unlabelled; k++)
        to[n++] = (char *)y[k].values.data + at * row_bytes(&y[k].values);
    if (dataset_is_weighted(d))
        to[n++] = (char *)d->weights.values.data + at * row_bytes(&d->weights.values);
    return n;
}

static bool read_rows(struct dataset *d, struct row_reader *g, void **to, const char *where, struct report *r)
{
    const int64_t rows = d->x->values.dims[0];

    for (int64_t at = 0, got = 1; got; at += got) {
        place_rows(d, at, to);
        if (!g->next(g, rows - at, to, &got, r))
            return false;
        if (!got && at < rows)
            return fail(r, KILN_BAD_DATA, where, "the data end after %lld samples, there should be %lld", (long long)at,
                        (long long)rows);
    }
    return true;
}

/* All of them, as they are in the file. */
static bool read_all(struct dataset *d, const char *where, struct report *r)
{
    void **to = arena_array(&d->columns, d->inputs + d->targets + 1, sizeof *to, r);
    struct row_reader *g;
    bool ok = to;

    for (size_t k = 0; ok && k < d->inputs; k++)
        ok = make_room(d, &d->x[k], r);
    for (size_t k = 0; ok && k < d->targets; k++)
        ok = make_room(d, &d->y[k], r);
    if (!ok || (dataset_is_weighted(d) && !make_room(d, &d->weights, r)))
        return false;
    g = d->source->open(d->source, 0, d->budget, r);
    ok = g && read_rows(d, g, to, where, r);
    if (g)
        g->close(g);
    return ok;
}

/* -- open -- */

/* All samples are in memory, or the set is a stream of them. */
static bool take(struct dataset *d, int classes, const struct data_options *o, const char *spec, struct report *r)
{
    const char *where;

    if (!o->window)
        return read_all(d, spec, r) && dataset_convert(d, classes, o, spec, r);
    where = arena_printf(&d->columns, r, "%s", spec);
    return where && stream_make(d, d->x->values.dims[0], o->window, where, r) && dataset_look(d, classes, o, r);
}

bool dataset_open(struct dataset *out, const char *spec, enum part part, const struct data_options *options,
                  struct budget *b, struct report *r)
{
    static const struct data_options defaults = { 0 };
    const struct data_options *o = options ? options : &defaults;
    const struct format_def *f;
    struct spec s;

    if (dataset_begin(out, o, 1, 1, spec, b, r) && read_spec(&s, spec, part, r) && (f = find_format(&s, r)) &&
        open(out, f, &s, o, r) && check(out, &s, o, spec, r) && take(out, f->classes, o, spec, r))
        return true;
    dataset_release(out);
    return false;
}

/* Where it is, under a name of the data set's own. */
static bool take_column(struct column *to, const struct column *from, struct dataset *d, struct report *r)
{
    *to = (struct column){ .values = from->values };
    to->name = from->name ? arena_printf(&d->columns, r, "%s", from->name) : NULL;
    return to->name || !from->name;
}

static bool copy_column(struct column *to, const struct column *from, struct dataset *d, struct report *r)
{
    const struct tensor *t = &from->values;
    void *data = budget_alloc(d->budget, (size_t)tensor_bytes(t), r);
    bool ok;

    if (!data)
        return false;
    if (tensor_bytes(t))
        memcpy(data, t->data, (size_t)tensor_bytes(t));
    ok = take_column(to, from, d, r);
    to->values.data = data;
    return ok;
}

bool dataset_of_arrays(struct dataset *out, size_t inputs, const struct column *x, size_t targets,
                       const struct column *y, const struct data_options *o, struct budget *b, struct report *r)
{
    static const char where[] = "x and y";
    const struct spec all = { .to = -1 };
    const struct dataset given = { .x = (struct column *)(uintptr_t)x, .inputs = inputs }; /* only read from */
    bool ok = dataset_begin(out, o, inputs, targets, where, b, r) && dataset_takes(&given, o, where, r);

    out->borrowed = o->borrow;
    for (size_t k = 0; ok && k < inputs; k++)
        ok = (o->borrow ? take_column : copy_column)(&out->x[k], &x[k], out, r);
    for (size_t k = 0; ok && k < targets; k++)
        ok = copy_column(&out->y[k], &y[k], out, r);
    if (ok && o->weights)
        ok = copy_column(&out->weights, &(struct column){ .values = *o->weights }, out, r);
    if (ok && check(out, &all, o, where, r) && dataset_convert(out, 0, o, where, r))
        return true;
    dataset_release(out);
    return false;
}

void dataset_release(struct dataset *d)
{
    for (size_t k = 0; d->owns && !d->borrowed && k < d->inputs; k++)
        budget_free(d->budget, d->x[k].values.data);
    for (size_t k = 0; d->owns && k < d->targets; k++)
        budget_free(d->budget, d->y[k].values.data);
    if (d->owns) {
        budget_free(d->budget, d->weights.values.data);
        arena_release(&d->columns);
    }
    *d = (struct dataset){ .budget = d->budget };
}

/* -- views -- */

struct dataset dataset_view(const struct dataset *d, int64_t from, int64_t to)
{
    struct dataset v = *d;

    v.from += from;
    v.count = to - from;
    v.owns = false;
    return v;
}

bool dataset_split(const struct dataset *d, double fraction, struct dataset *train, struct dataset *validation,
                   struct report *r)
{
    int64_t at;

    if (d->count == UNKNOWN)
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "a stream that does not tell how many samples it has cannot be split: tell it, or validate with a "
                    "stream of its own");
    if (!(fraction > 0 && fraction < 1))
        return fail(r, KILN_BAD_ARGUMENT, NULL, "a validation split of %g, must be between 0 and 1", fraction);
    at = (int64_t)floor((double)d->count * (1 - fraction));
    if (at < 1 || at >= d->count)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "a validation split of %g leaves one part of %lld samples empty",
                    fraction, (long long)d->count);
    *train = dataset_view(d, 0, at);
    *validation = dataset_view(d, at, d->count);
    return true;
}

/* -- columns -- */

struct tensor column_sample(const struct column *c)
{
    struct tensor sample;

    tensor_shape(&sample, c->values.dtype, c->values.rank - 1, c->values.dims + 1);
    return sample;
}

int64_t row_bytes(const struct tensor *t)
{
    return dims_product(t->dims, 1, t->rank) * (int64_t)dtype_size(t->dtype);
}

bool column_is(const struct column *c, const char *name, bool alone)
{
    return c->name && name ? strcmp(c->name, name) == 0 : alone;
}

const struct column *column_find(const struct column *columns, size_t count, const struct column_request *requests,
                                 size_t requested, size_t k)
{
    for (size_t c = 0; c < count; c++)
        if (column_is(&columns[c], requests[k].name, count == 1 && requested == 1))
            return &columns[c];
    return NULL;
}
