#include "data/convert.h"
#include "data/element.h"
#include "data/format.h"
#include <math.h>
#include <string.h>
#include <zlib.h>

/* -- what is to be predicted -- */

/* What is asked of a column that is to be predicted. */
static const struct column_request *request_of(const struct column *c, const struct data_options *o)
{
    static const struct column_request none;

    if (!c->name && o->unnamed < o->targets)
        return &o->target[o->unnamed];
    for (size_t k = 0; c->name && k < o->targets; k++)
        if (!o->target[k].name || strcmp(o->target[k].name, c->name) == 0)
            return &o->target[k];
    return &none;
}

static bool target_of(struct target_column *t, struct dataset *d, size_t k, const struct data_options *o,
                      const char *where, struct report *r)
{
    struct column *c = &d->y[k];
    const char *place = c->name && d->targets > 1 ? arena_printf(&d->columns, r, "%s[%s]", where, c->name) : where;

    *t = (struct target_column){ c, request_of(c, o), place, d->budget, d->x->values.dims[0] };
    return place;
}

/* Labels of classes that are known have their names, also where the file has numbers; those of the file count where it
 * has as many classes as it said. */
static bool name_classes(struct dataset *d, const struct target_column *t, int own, struct report *r)
{
    const struct column_request *q = t->request;
    struct column *c = t->column;
    const char **names;

    if (c->classes != own) /* as another set has them, or numbers */
        c->class_names = NULL;
    if (!q->class_names || !column_has_labels(c) || c->classes != q->classes)
        return true;
    names = arena_array(&d->columns, (size_t)q->classes, sizeof *names, r);
    c->class_names = names;
    for (int k = 0; names && k < q->classes; k++) {
        names[k] = arena_printf(&d->columns, r, "%s", q->class_names[k]);
        if (!names[k])
            return false;
    }
    return names;
}

static bool convert_targets(struct dataset *d, int classes, const struct data_options *o, const char *where,
                            struct report *r)
{
    for (size_t k = 0; k < d->targets; k++) {
        const int own = d->y[k].classes;
        struct target_column t;

        if (!target_of(&t, d, k, o, where, r) || !target_convert(&t, classes, r) || !name_classes(d, &t, own, r))
            return false;
    }
    return true;
}

/* -- numbers -- */

/* The first element that is no number. */
struct unsound {
    int64_t sample, element; /* the sample from 1; 0: there is none */
    bool nan;
};

/* Of n samples from number `first` on; with `narrow` it must be one as a float, too. */
static void find_unsound(struct unsound *u, const struct tensor *type, bool narrow, const void *data, int64_t first,
                         int64_t n)
{
    element_get *const get = element_getter(type->dtype);
    const int64_t width = dims_product(type->dims, 1, type->rank);

    for (int64_t i = 0; i < n && !u->sample; i++)
        for (int64_t k = 0; k < width && !u->sample; k++) {
            const double x = get(data, i * width + k);

            if (!isfinite(narrow ? (double)(float)x : x))
                *u = (struct unsound){ first + i + 1, k, isnan(x) };
        }
}

static bool fail_unsound(const struct unsound *u, const char *name, const char *where, struct report *r)
{
    return fail(r, KILN_BAD_DATA, where, "element %lld of sample %lld%s%s%s is %s", (long long)u->element,
                (long long)u->sample - 1, name ? " of '" : "", name ? name : "", name ? "'" : "",
                u->nan ? "no number" : "infinite");
}

/* What is no number would make everything that is learned from it none: it is told before, by its place. */
static bool check_rows(const struct budget *b, const char *name, const struct tensor *type, bool narrow,
                       const void *data, int64_t first, int64_t n, const char *where, struct report *r)
{
    const int64_t bytes = row_bytes(type);
    struct unsound u = { 0 };

    if (!dtype_is_float(type->dtype))
        return true;
    for (int64_t i = 0; i < n; i += 4096) {
        find_unsound(&u, type, narrow, (const char *)data + i * bytes, first + i, n - i < 4096 ? n - i : 4096);
        if (u.sample)
            return fail_unsound(&u, name, where, r);
        if (!budget_in_time(b, where, r))
            return false;
    }
    return true;
}

static bool check_column(const struct dataset *d, const struct column *c, const char *where, struct report *r)
{
    return check_rows(d->budget, c->name, &c->values, false,
                      (const char *)c->values.data + d->from * row_bytes(&c->values), d->from, d->count, where, r);
}

static bool check_columns(const struct dataset *d, const struct column *columns, size_t count, const char *where,
                          struct report *r)
{
    for (size_t k = 0; k < count; k++)
        if (!check_column(d, &columns[k], where, r))
            return false;
    return true;
}

/* -- weights -- */

static bool check_weights_type(const struct tensor *w, int64_t rows, const char *where, struct report *r)
{
    char text[TYPE_TEXT];

    return (w->rank >= 1 && w->dims[0] == rows && dims_product(w->dims, 1, w->rank) == 1 && element_getter(w->dtype)) ||
           fail(r, KILN_BAD_DATA, where, "the weights of samples are %s, must be a number for each of %lld",
                tensor_text(w, text), (long long)rows);
}

static bool check_weights(enum dtype dtype, const void *data, int64_t first, int64_t n, const char *where,
                          struct report *r)
{
    element_get *const get = element_getter(dtype);

    for (int64_t i = 0; i < n; i++) {
        const float w = (float)get(data, i);

        if (!(w >= 0 && isfinite(w)))
            return fail(r, KILN_BAD_DATA, where, "the weight of sample %lld is %g, must be a number from 0 on",
                        (long long)(first + i), (double)w);
    }
    return true;
}

/* How much samples count becomes a float for each. */
static bool convert_weights(struct dataset *d, const char *where, struct report *r)
{
    struct tensor *w = &d->weights.values;
    const int64_t rows = d->x->values.dims[0];
    float *to;

    if (!w->data)
        return true;
    if (!check_weights_type(w, rows, where, r) || !check_weights(w->dtype, w->data, 0, rows, where, r))
        return false;
    to = budget_alloc(d->budget, (size_t)rows * sizeof *to, r);
    if (!to)
        return false;
    elements_to_float(w->dtype, w->data, 0, rows, to);
    budget_free(d->budget, w->data);
    *w = (struct tensor){ .dtype = F32, .rank = 1, .dims = { rows }, .data = to };
    return true;
}

/* -- in memory -- */

/* Of data that need nothing to be predicted: as if it was not there. */
static bool drop_targets(struct dataset *d, struct report *r)
{
    for (size_t k = 0; k < d->targets; k++)
        budget_free(d->budget, d->y[k].values.data);
    d->targets = 1;
    *d->y = (struct column){ .name = d->y->name };
    format_unlabelled(d);
    return (d->y->values.data = budget_zalloc(d->budget, (size_t)d->y->values.dims[0], sizeof(int64_t), r));
}

/* Where there need be none, targets that cannot be taken are left out. */
static bool take_targets(struct dataset *d, int classes, const struct data_options *o, const char *where,
                         struct report *r)
{
    struct report quiet = { 0 };

    if (!o->unlabelled || o->gaps)
        return convert_targets(d, classes, o, where, r);
    return (convert_targets(d, classes, o, where, &quiet) && check_columns(d, d->y, d->targets, where, &quiet)) ||
           (data_are_bad(&quiet, r) && drop_targets(d, r));
}

bool dataset_convert(struct dataset *d, int classes, const struct data_options *o, const char *where, struct report *r)
{
    return take_targets(d, classes, o, where, r) && convert_weights(d, where, r) &&
           (o->gaps || (check_columns(d, d->x, d->inputs, where, r) && check_columns(d, d->y, d->targets, where, r)));
}

/* -- a stream -- */

/* What is seen of a target: what it may become, and the check sums of that. */
struct seen {
    struct target_column column;
    struct target_look look;
    struct unsound unsound;
    uint32_t sum[TAKES];
    int own; /* classes that the format told */
};

struct looking {
    struct dataset *data;
    const struct data_options *options;
    int classes;
    struct seen *seen; /* [targets]; NULL without */
    struct stream_pass pass;
    void *converted; /* a block of a target */
    struct report *report, quiet;
    struct arena memory;
};

static uint32_t sum_rows(uint32_t sum, const void *rows, int64_t bytes)
{
    return (uint32_t)crc32_z(sum, rows, (size_t)bytes);
}

/* Where there need be no target, what is wrong with one is not told. */
static struct report *target_report(struct looking *g)
{
    return g->options->unlabelled && !g->options->gaps ? &g->quiet : g->report;
}

static bool begin_target(struct looking *g, size_t k)
{
    struct seen *s = &g->seen[k];

    s->own = g->data->y[k].classes;
    return target_of(&s->column, g->data, k, g->options, g->data->stream->where, target_report(g)) &&
           target_look_begin(&s->look, &s->column, g->classes, target_report(g));
}

/* Rows of the block that are in the range: [*from, *from + n). */
static int64_t in_range(const struct looking *g, int64_t first, int64_t got, int64_t *from)
{
    const struct dataset *d = g->data;
    const int64_t end = d->from + d->count < first + got ? d->from + d->count : first + got;

    *from = d->from > first ? d->from - first : 0;
    return end - first > *from ? end - first - *from : 0;
}

static bool look_at_target(struct looking *g, struct seen *s, size_t column, int64_t first, int64_t got)
{
    const struct tensor *raw = &g->data->stream->raw[column];
    const char *rows = g->pass.block[column];
    int64_t from, n;

    if (!target_look(&s->look, rows, first, got, g->report))
        return false;
    n = in_range(g, first, got, &from);
    rows += from * row_bytes(raw);
    if (dtype_is_float(raw->dtype))
        find_unsound(&s->unsound, raw, true, rows, first + from, n);
    for (int take = 0; take < TAKES; take++) {
        const struct tensor type = target_type(raw, take);

        if ((take == TAKE_LABELS && !s->look.whole) || (take == TAKE_ONE_HOT && !s->look.one_hot))
            continue;
        target_take(take, raw, rows, n, g->converted);
        s->sum[take] = sum_rows(s->sum[take], g->converted, n * row_bytes(&type));
    }
    return true;
}

static bool look_at_input(struct looking *g, size_t k, int64_t first, int64_t got)
{
    struct column *c = &g->data->x[k];
    int64_t from, n = in_range(g, first, got, &from);
    const char *rows = (const char *)g->pass.block[k] + from * row_bytes(&c->values);

    c->sum = sum_rows(c->sum, rows, n * row_bytes(&c->values));
    return g->options->gaps || check_rows(g->data->budget, c->name, &c->values, false, rows, first + from, n,
                                          g->data->stream->where, g->report);
}

static bool look_at_weights(struct looking *g, int64_t first, int64_t got)
{
    const struct stream *s = g->data->stream;
    const size_t column = s->columns - 1;
    const struct tensor *raw = &s->raw[column];
    const char *rows = g->pass.block[column];
    int64_t from, n = in_range(g, first, got, &from);

    target_take(TAKE_VALUES, raw, rows + from * row_bytes(raw), n, g->converted);
    g->data->weights.sum = sum_rows(g->data->weights.sum, g->converted, n * (int64_t)sizeof(float));
    return check_weights(raw->dtype, rows, first, got, s->where, g->report);
}

static bool look_at_block(struct looking *g, int64_t first, int64_t got)
{
    const struct dataset *d = g->data;
    size_t column = d->inputs;

    for (size_t k = 0; k < d->inputs; k++)
        if (!look_at_input(g, k, first, got))
            return false;
    for (size_t k = 0; g->seen && k < d->targets; k++)
        if (!look_at_target(g, &g->seen[k], column++, first, got))
            return false;
    return !dataset_is_weighted(d) || look_at_weights(g, first, got);
}

/* The widest that a block of a column becomes is int64 for each of its numbers. */
static bool make_room(struct looking *g)
{
    const struct stream *s = g->data->stream;
    int64_t most = 1;

    for (size_t k = g->data->inputs; k < s->columns; k++) {
        const int64_t width = dims_product(s->raw[k].dims, 1, s->raw[k].rank);

        most = width > most ? width : most;
    }
    g->converted = arena_array(&g->memory, (size_t)(most * g->pass.room), sizeof(int64_t), g->report);
    return g->converted;
}

static bool look_at_all(struct looking *g)
{
    struct stream_pass *p = &g->pass;
    int64_t got = 1;
    bool ok = make_room(g);

    for (int64_t first = 0; ok && got; first += got)
        ok = budget_in_time(g->data->budget, g->data->stream->where, g->report) && stream_block(p, &got, g->report) &&
             look_at_block(g, first, got);
    return ok;
}

static bool end_target(struct looking *g, size_t k)
{
    struct seen *s = &g->seen[k];
    enum target_take *take = &g->data->stream->take[k];

    if (!target_look_end(&s->look, take, target_report(g)))
        return false;
    s->column.column->sum = s->sum[*take];
    if (s->unsound.sample && *take == TAKE_VALUES && !g->options->gaps)
        return fail_unsound(&s->unsound, s->column.column->name, g->data->stream->where, target_report(g));
    return name_classes(g->data, &s->column, s->own, g->report);
}

/* Zeros, which no source has: labels of one class. */
static bool look_at_zeros(struct looking *g)
{
    static const int64_t zero;
    struct dataset *d = g->data;
    struct target_column t;
    struct target_look l;
    const int own = d->y->classes;

    return target_of(&t, d, 0, g->options, d->stream->where, g->report) &&
           target_look_begin(&l, &t, g->classes, g->report) && target_look(&l, &zero, 0, 1, g->report) &&
           target_look_end(&l, &(enum target_take){ TAKE_VALUES }, g->report) && name_classes(d, &t, own, g->report);
}

/* The source goes on to give them, and nobody takes them. */
static bool drop_streamed(struct looking *g)
{
    struct dataset *d = g->data;

    d->targets = 1;
    *d->y = (struct column){ .name = d->y->name };
    format_unlabelled(d);
    return true;
}

static bool begin_targets(struct looking *g)
{
    const size_t count = g->data->unlabelled ? 0 : g->data->targets;
    bool ok;

    g->seen = count ? arena_array(&g->memory, count, sizeof *g->seen, g->report) : NULL;
    ok = g->seen || !count;
    for (size_t k = 0; ok && k < count; k++)
        ok = begin_target(g, k);
    return ok;
}

static bool end_targets(struct looking *g)
{
    bool ok = true;

    if (!g->seen)
        return g->data->stream->columns > g->data->inputs + dataset_is_weighted(g->data) || look_at_zeros(g);
    for (size_t k = 0; ok && k < g->data->targets; k++)
        ok = end_target(g, k);
    return ok;
}

/* What failed quietly is left out; false where it must not be. */
static bool go_on_without(struct looking *g, bool ok)
{
    if (ok)
        return true;
    g->seen = NULL;
    return data_are_bad(&g->quiet, g->report) && drop_streamed(g);
}

static bool look(struct looking *g)
{
    struct dataset *d = g->data;
    bool ok = go_on_without(g, begin_targets(g));

    if (ok && dataset_is_weighted(d))
        ok = check_weights_type(&d->weights.values, d->x->values.dims[0], d->stream->where, g->report);
    if (ok && (ok = stream_open(&g->pass, d, 0, d->budget, g->report))) {
        ok = look_at_all(g);
        stream_close(&g->pass);
    }
    ok = ok && go_on_without(g, end_targets(g));
    if (ok && dataset_is_weighted(d))
        d->weights.values = (struct tensor){ .dtype = F32, .rank = 1, .dims = { d->x->values.dims[0] } };
    return ok;
}

bool dataset_look(struct dataset *d, int classes, const struct data_options *o, struct report *r)
{
    struct looking g = { .data = d, .options = o, .classes = classes, .report = r, .memory.budget = d->budget };
    bool ok;

    d->stream->looked = true;
    ok = look(&g);
    arena_release(&g.memory);
    return ok;
}

/* -- what nobody has looked at -- */

static bool labels_check(const struct dataset *d, const struct column *c, const struct tensor *raw, const void *rows,
                         int64_t first, int64_t n, struct report *r)
{
    element_get *const get = element_getter(raw->dtype);
    const int64_t width = dims_product(raw->dims, 1, raw->rank);

    for (int64_t i = 0; i < n * width; i++) {
        const double label = get(rows, i);

        if (!(label >= 0 && label < c->classes && label == floor(label)) &&
            !(label == floor(label) && column_ignores(c, (int64_t)label)))
            return fail(r, KILN_BAD_DATA, d->stream->where, "label %g of sample %lld, must be in [0, %d)", label,
                        (long long)(first + i / width), c->classes);
    }
    return true;
}

/* Weights come last. Who trains with them has them as a target, too, behind the others (feed.c). */
bool rows_check(const struct dataset *d, void *const *rows, int64_t first, int64_t n, struct report *r)
{
    const struct stream *s = d->stream;
    const size_t columns = s->columns - dataset_is_weighted(d);
    size_t column = 0;

    for (size_t k = 0; k < d->inputs; k++, column++)
        if (!check_rows(d->budget, d->x[k].name, &s->raw[column], false, rows[column], first, n, s->where, r))
            return false;
    for (size_t k = 0; column < columns; k++, column++)
        if (!(s->take[k] == TAKE_LABELS
                  ? labels_check(d, &d->y[k], &s->raw[column], rows[column], first, n, r)
                  : check_rows(d->budget, d->y[k].name, &s->raw[column], true, rows[column], first, n, s->where, r)))
            return false;
    return !dataset_is_weighted(d) || check_weights(s->raw[columns].dtype, rows[columns], first, n, s->where, r);
}
