#include "data/dataset.h"
#include "data/batch.h"
#include "data/element.h"
#include "data/formats/registry.h"
#include <math.h>
#include <string.h>

struct spec {
    char text[SPEC_SIZE];     /* the name, and where the data are, cut apart */
    const char *name, *where; /* where: NULL without */
    bool part_named;
    enum part part;
    int64_t from, to; /* to: -1 without */
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
    colon = strchr(s->text, ':');
    if (colon) {
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

/* What samples must be for the model, and what is to be predicted for them. */
struct sample_check {
    struct type_check check;
    const struct tensor *input; /* of the model */
};

static bool samples_fit(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    (void)name;
    return batches_take(((const struct sample_check *)c)->input, type, r);
}

struct target_check {
    struct type_check check;
    const struct tensor *x;
};

static bool targets_fit(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    return check_count(((const struct target_check *)c)->x, type, name, r);
}

static const struct format_def *find_format(const struct spec *s, struct report *r)
{
    const struct spec_subject about = { "data set", NULL, KILN_BAD_ARGUMENT };
    const struct format_def *f = (const struct format_def *)spec_find(format_table, s->name, &about, r);

    if (!f || (s->where ? *s->where : f->where_left_out))
        return f;
    fail(r, KILN_BAD_ARGUMENT, NULL, "data set '%s' needs to know where: %s:%s", s->name, s->name, f->where);
    return NULL;
}

static bool load(struct dataset *d, const struct format_def *f, const struct spec *s, const struct data_options *o,
                 struct report *r)
{
    const struct sample_check samples = { { samples_fit }, o->input };
    const struct target_check targets = { { targets_fit }, &d->x };
    const struct format_request q = { .name = s->name,
                                      .where = s->where,
                                      .part_named = s->part_named,
                                      .part = s->part,
                                      .values = o->values,
                                      .samples = &samples.check,
                                      .targets = &targets.check };

    return (f->parts || format_no_parts(&q, r)) && f->load(d, &q, r);
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

/* -- what is to be predicted -- */

/* The class of a row that is 1 in one place and 0 elsewhere, or -1. */
static int64_t hot(const double *row, int64_t n)
{
    int64_t at = -1;

    for (int64_t k = 0; k < n; k++) {
        if (row[k] == 1 && at < 0)
            at = k;
        else if (row[k] != 0)
            return -1;
    }
    return at;
}

/* The label that the values of one sample stand for: an integer, or a one-hot row. False where they are neither. */
static bool read_label(const struct tensor *y, int64_t sample, int64_t width, double *row, int64_t *label)
{
    element_get *const get = element_getter(y->dtype);

    for (int64_t k = 0; k < width; k++)
        row[k] = get(y->data, sample * width + k);
    *label = width == 1 ? 0 : hot(row, width);
    if (width > 1)
        return *label >= 0;
    if (!(fabs(row[0]) < 0x1p53) || row[0] != floor(row[0]))
        return false;
    *label = (int64_t)row[0];
    return true;
}

/* int64 [N] in place of integers of any type or one-hot rows. *are is false, and nothing changed, where some are
 * neither. */
static bool take_labels(struct dataset *d, int64_t width, bool *are, struct report *r)
{
    struct tensor y;
    double *row = budget_zalloc(d->budget, (size_t)width, sizeof *row, r);
    int64_t *label;

    tensor_shape(&y, I64, 1, &d->count);
    label = budget_zalloc(d->budget, (size_t)d->count, sizeof *label, r);
    *are = row && label;
    for (int64_t i = 0; *are && i < d->count; i++)
        *are = read_label(&d->y, i, width, row, &label[i]);
    budget_free(d->budget, row);
    if (!row || !label || !*are) {
        budget_free(d->budget, label);
        return row && label;
    }
    budget_free(d->budget, d->y.data);
    y.data = label;
    d->y = y;
    return true;
}

static bool take_values(struct dataset *d, struct report *r)
{
    struct tensor y = d->y;

    if (y.dtype == F32)
        return true;
    tensor_shape(&y, F32, d->y.rank, d->y.dims);
    y.data = budget_zalloc(d->budget, (size_t)tensor_count(&y), sizeof(float), r);
    if (!y.data)
        return false;
    elements_to_float(d->y.dtype, d->y.data, 0, tensor_count(&y), y.data);
    budget_free(d->budget, d->y.data);
    d->y = y;
    return true;
}

static bool check_labels(struct dataset *d, int classes, const char *spec, struct report *r)
{
    const int64_t *label = d->y.data;
    int64_t most = 0;

    for (int64_t i = 0; i < d->count; i++) {
        if (label[i] < 0 || (classes && label[i] >= classes) || label[i] >= INT_MAX)
            return fail(r, KILN_BAD_DATA, spec, "label %lld of sample %lld, must be in [0, %d)", (long long)label[i],
                        (long long)i, classes ? classes : INT_MAX);
        if (label[i] > most)
            most = label[i];
    }
    d->classes = classes ? classes : (int)most + 1;
    return true;
}

/* Makes y labels, unless values are wanted or it holds fractions. */
static bool convert_targets(struct dataset *d, int classes, const struct data_options *o, const char *spec,
                            struct report *r)
{
    const int64_t width = dims_product(d->y.dims, 1, d->y.rank);
    const int columns = width > 1 && width < INT_MAX ? (int)width : 0; /* one for each class, where rows are one-hot */
    bool labels = false;

    if (!element_getter(d->y.dtype) || width == 0)
        return fail(r, KILN_BAD_DATA, spec, "what is to be predicted must be real numbers, it is %s",
                    dtype_name(d->y.dtype));
    if (!o->values && !take_labels(d, width, &labels, r))
        return false;
    if (labels)
        return check_labels(d, o->classes ? o->classes : classes ? classes : columns, spec, r);
    return take_values(d, r);
}

/* -- open -- */

static bool check_shapes(struct dataset *d, const char *spec, struct report *r)
{
    char x[TYPE_TEXT];

    if (!check_count(&d->x, &d->y, spec, r))
        return false;
    d->count = d->x.dims[0];
    if (tensor_count(&d->x) == 0)
        return fail(r, KILN_BAD_DATA, spec, "no data: samples are %s", tensor_text(&d->x, x));
    return element_getter(d->x.dtype) ||
           fail(r, KILN_BAD_DATA, spec, "samples are %s, must be real numbers", tensor_text(&d->x, x));
}

static bool select_range(struct dataset *d, const struct spec *s, const struct data_options *o, const char *spec,
                         struct report *r)
{
    int64_t to = s->to < 0 ? d->count : s->to;

    if (to > d->count || s->from >= to)
        return fail(r, KILN_BAD_ARGUMENT, spec, "there are %lld samples, the range ends past them",
                    (long long)d->count);
    if (o->limit > 0 && to - s->from > o->limit)
        to = s->from + o->limit;
    *d = dataset_view(d, s->from, to);
    return true;
}

static bool check_options(const struct data_options *o, const char *where, struct report *r)
{
    return (o->limit >= 0 && o->classes >= 0) ||
           fail(r, KILN_BAD_ARGUMENT, where, "a limit of %lld samples and %d classes, must not be negative",
                (long long)o->limit, o->classes);
}

/* From what `d` holds, as it came; it is released where that fails. */
static bool finish(struct dataset *out, struct dataset *d, const struct spec *s, int classes,
                   const struct data_options *o, const char *where, struct report *r)
{
    bool ok = check_shapes(d, where, r) && batches_take(o->input, &d->x, r) && convert_targets(d, classes, o, where, r);
    void *const memory[] = { d->x.data, d->y.data };

    ok = ok && select_range(d, s, o, where, r);
    if (!ok) {
        budget_free(d->budget, memory[0]);
        budget_free(d->budget, memory[1]);
        return false;
    }
    memcpy(d->memory, memory, sizeof memory);
    *out = *d;
    return true;
}

bool dataset_open(struct dataset *out, const char *spec, enum part part, const struct data_options *options,
                  struct budget *b, struct report *r)
{
    static const struct data_options defaults = { 0 };
    const struct data_options *o = options ? options : &defaults;
    struct dataset d = { .budget = b };
    const struct format_def *f;
    struct spec s;

    *out = (struct dataset){ .budget = b };
    if (!check_options(o, spec, r))
        return false;
    f = read_spec(&s, spec, part, r) ? find_format(&s, r) : NULL;
    if (!f)
        return false;
    if (load(&d, f, &s, o, r))
        return finish(out, &d, &s, f->classes, o, spec, r);
    budget_free(b, d.x.data);
    budget_free(b, d.y.data);
    return false;
}

static bool copy_array(struct tensor *to, const struct tensor *from, struct budget *b, struct report *r)
{
    *to = *from;
    to->data = budget_alloc(b, (size_t)tensor_bytes(from), r);
    if (to->data && tensor_bytes(from))
        memcpy(to->data, from->data, (size_t)tensor_bytes(from));
    return to->data;
}

bool dataset_of_arrays(struct dataset *out, const struct tensor *x, const struct tensor *y,
                       const struct data_options *o, struct budget *b, struct report *r)
{
    static const char where[] = "x and y";
    const struct sample_check samples = { { samples_fit }, o->input };
    const struct spec all = { .to = -1 };
    struct dataset d = { .budget = b };

    *out = d;
    if (!check_options(o, where, r) || !type_fits(&samples.check, x, where, r))
        return false;
    if (copy_array(&d.x, x, b, r) && copy_array(&d.y, y, b, r))
        return finish(out, &d, &all, 0, o, where, r);
    budget_free(b, d.x.data);
    budget_free(b, d.y.data);
    return false;
}

void dataset_release(struct dataset *d)
{
    for (int i = 0; i < 2; i++)
        budget_free(d->budget, d->memory[i]);
    *d = (struct dataset){ .budget = d->budget };
}

/* -- views -- */

static void narrow_to(struct tensor *t, int64_t from, int64_t to)
{
    t->data = (char *)t->data + from * dims_product(t->dims, 1, t->rank) * element_bytes(t->dtype);
    t->dims[0] = to - from;
}

struct dataset dataset_view(const struct dataset *d, int64_t from, int64_t to)
{
    struct dataset v = *d;

    narrow_to(&v.x, from, to);
    narrow_to(&v.y, from, to);
    v.count = to - from;
    v.memory[0] = v.memory[1] = NULL;
    return v;
}

bool dataset_split(const struct dataset *d, double fraction, struct dataset *train, struct dataset *validation,
                   struct report *r)
{
    int64_t at;

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

struct tensor dataset_sample(const struct dataset *d)
{
    struct tensor sample;

    tensor_shape(&sample, d->x.dtype, d->x.rank - 1, d->x.dims + 1);
    return sample;
}
