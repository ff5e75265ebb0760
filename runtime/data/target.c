#include "data/target.h"
#include "data/element.h"
#include <limits.h>
#include <math.h>
#include <string.h>

/* The class of a row that is 1 in one place and 0 elsewhere, or -1. */
static int64_t hot(element_get *get, const void *row, int64_t first, int64_t n)
{
    int64_t at = -1;

    for (int64_t k = 0; k < n; k++) {
        const double x = get(row, first + k);

        if (x == 1 && at < 0)
            at = k;
        else if (x != 0)
            return -1;
    }
    return at;
}

/* A whole number that a double holds. */
static bool is_whole(double x)
{
    return fabs(x) < 0x1p53 && x == floor(x);
}

/* -- looking -- */

bool target_look_begin(struct target_look *l, const struct target_column *t, int classes, struct report *r)
{
    const struct tensor *y = &t->column->values;
    const int64_t width = dims_product(y->dims, 1, y->rank);

    *l = (struct target_look){ .of = t, .type = *y, .width = width };
    l->known = t->request->classes ? t->request->classes : t->column->classes ? t->column->classes : classes;
    l->labels.least = l->hot.least = INT64_MAX;
    t->column->ignores = t->request->ignores;
    t->column->ignored = t->request->ignored;
    if (!element_getter(y->dtype) || width == 0)
        return fail(r, KILN_BAD_DATA, t->where, "what is to be predicted must be real numbers, it is %s",
                    dtype_name(y->dtype));
    if (!t->request->values) {
        l->whole = width == 1 || element_int_getter(y->dtype) || y->dtype == U64;
        l->one_hot = width > 1;
    }
    return true;
}

static void add_label(struct target_look *l, struct label_range *range, int64_t label, int64_t sample)
{
    if (column_ignores(l->of->column, label))
        return;
    if (!range->sample && (label < 0 || (l->known && label >= l->known) || label >= INT_MAX)) {
        range->bad = label;
        range->sample = sample + 1;
    }
    range->most = label > range->most ? label : range->most;
    range->least = label < range->least ? label : range->least;
    if (label < 0 && !l->negative_sample) {
        l->negative = label;
        l->negative_sample = sample + 1;
    }
}

bool target_look(struct target_look *l, const void *data, int64_t first, int64_t n, struct report *r)
{
    element_get *const get = element_getter(l->type.dtype);

    for (int64_t i = 0; (l->whole || l->one_hot) && i < n; i++) {
        if (!budget_in_time_at(l->of->budget, i, l->of->where, r))
            return false;
        for (int64_t k = 0; l->whole && k < l->width; k++) {
            const double x = get(data, i * l->width + k);

            l->whole = is_whole(x);
            if (l->whole)
                add_label(l, &l->labels, (int64_t)x, first + i);
        }
        if (l->one_hot) {
            const int64_t class = hot(get, data, i * l->width, l->width);

            l->one_hot = class >= 0;
            if (l->one_hot)
                add_label(l, &l->hot, class, first + i);
        }
    }
    return true;
}

/* Fractions, and floats that are several for a sample, are numbers. So are whole numbers of which one is negative,
 * where nobody says that they are classes; which one it is is remembered for those who need classes. */
static enum target_take taken(const struct target_look *l)
{
    if (l->one_hot)
        return TAKE_ONE_HOT;
    return l->whole && (l->known || !l->negative_sample) ? TAKE_LABELS : TAKE_VALUES;
}

bool target_look_end(const struct target_look *l, enum target_take *take, struct report *r)
{
    const struct label_range *range = l->one_hot ? &l->hot : &l->labels;
    struct column *c = l->of->column;
    int classes = l->known;

    *take = taken(l);
    c->values = target_type(&l->type, *take);
    c->classes = 0;
    c->hot = *take == TAKE_ONE_HOT ? l->width : 0;
    if (*take == TAKE_VALUES && l->whole) {
        c->negative = l->negative_sample;
        c->least = l->negative;
    }
    if (*take == TAKE_VALUES)
        return true;
    if (range->sample)
        return fail(r, KILN_BAD_DATA, l->of->where, "label %lld of sample %lld, must be in [0, %d)",
                    (long long)range->bad, (long long)range->sample - 1, classes ? classes : INT_MAX);
    if (!classes && *take == TAKE_ONE_HOT && l->width < INT_MAX)
        classes = (int)l->width;
    c->classes = classes ? classes : (int)range->most + 1;
    c->least = range->least;
    return true;
}

/* -- taking -- */

struct tensor target_type(const struct tensor *type, enum target_take take)
{
    struct tensor t = *type;

    t.data = NULL;
    t.dtype = take == TAKE_VALUES ? F32 : I64;
    if (take == TAKE_ONE_HOT || (take == TAKE_LABELS && dims_product(t.dims, 1, t.rank) == 1))
        t.rank = 1;
    return t;
}

void target_take(enum target_take take, const struct tensor *type, const void *from, int64_t n, void *to)
{
    element_get *const get = element_getter(type->dtype);
    const int64_t width = dims_product(type->dims, 1, type->rank);
    int64_t *label = to;

    if (take == TAKE_VALUES)
        elements_to_float(type->dtype, from, 0, n * width, to);
    else if (take == TAKE_LABELS)
        for (int64_t i = 0; i < n * width; i++)
            label[i] = (int64_t)get(from, i);
    else
        for (int64_t i = 0; i < n; i++)
            label[i] = hot(get, from, i * width, width);
}

bool target_convert(const struct target_column *t, int classes, struct report *r)
{
    struct tensor *const y = &t->column->values;
    struct target_look l;
    enum target_take take;
    void *const old = y->data;
    bool ok =
        target_look_begin(&l, t, classes, r) && target_look(&l, old, 0, t->rows, r) && target_look_end(&l, &take, r);

    if (!ok || same_type(y, &l.type)) {
        if (!ok)
            *y = l.type;
        y->data = old;
        return ok;
    }
    y->data = budget_alloc(t->budget, to_size(tensor_bytes(y)), r);
    if (y->data)
        target_take(take, &l.type, old, t->rows, y->data);
    else
        *y = l.type; /* which still has the old data */
    if (y->data != old)
        budget_free(t->budget, old);
    return y->data != old;
}
