#include "data/target.h"
#include "data/element.h"
#include <limits.h>
#include <math.h>
#include <string.h>

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

/* A whole number that a double holds. */
static bool is_whole(double x)
{
    return fabs(x) < 0x1p53 && x == floor(x);
}

/* How values stand for classes. */
enum label_rows {
    LABELS_NONE,
    LABELS_ONE_HOT, /* a row that is 1 in one place */
    LABELS_WHOLE    /* integers: one for each sample, or for each position of it */
};

/* What the values of all samples are: fractions, and floats that are several for a sample, are numbers. */
static bool find_labels(const struct target_column *t, int64_t width, enum label_rows *rows, struct report *r)
{
    const struct tensor *y = &t->column->values;
    element_get *const get = element_getter(y->dtype);
    double *row = budget_zalloc(t->budget, (size_t)width, sizeof *row, r);
    bool whole = width == 1 || element_int_getter(y->dtype) || y->dtype == U64, one_hot = width > 1, ok = row;

    for (int64_t i = 0; ok && (whole || one_hot) && i < t->rows; i++) {
        ok = budget_in_time_at(t->budget, i, t->where, r);
        for (int64_t k = 0; k < width; k++) {
            row[k] = get(y->data, i * width + k);
            whole = whole && is_whole(row[k]);
        }
        one_hot = one_hot && hot(row, width) >= 0;
    }
    *rows = one_hot ? LABELS_ONE_HOT : whole ? LABELS_WHOLE : LABELS_NONE;
    budget_free(t->budget, row);
    return ok;
}

/* int64 in place of integers of any type: [N] in place of one-hot rows, else of the same shape. */
static bool take_labels(const struct target_column *t, int64_t width, enum label_rows rows, struct report *r)
{
    struct tensor *const old = &t->column->values, y;
    element_get *const get = element_getter(old->dtype);
    const int64_t n = rows == LABELS_ONE_HOT ? t->rows : tensor_count(old);
    int64_t *label;

    if (rows == LABELS_ONE_HOT || width == 1)
        tensor_shape(&y, I64, 1, &t->rows);
    else
        tensor_shape(&y, I64, old->rank, old->dims);
    label = budget_zalloc(t->budget, (size_t)n, sizeof *label, r);
    for (int64_t i = 0; label && i < n; i++) {
        int64_t k = 0;

        while (rows == LABELS_ONE_HOT && get(old->data, i * width + k) == 0)
            k++;
        label[i] = rows == LABELS_ONE_HOT ? k : (int64_t)get(old->data, i);
    }
    if (!label)
        return false;
    budget_free(t->budget, old->data);
    y.data = label;
    *old = y;
    return true;
}

static bool take_values(const struct target_column *t, struct report *r)
{
    struct tensor *const old = &t->column->values, y;

    if (old->dtype == F32)
        return true;
    tensor_shape(&y, F32, old->rank, old->dims);
    y.data = budget_zalloc(t->budget, (size_t)tensor_count(&y), sizeof(float), r);
    if (!y.data)
        return false;
    elements_to_float(old->dtype, old->data, 0, tensor_count(&y), y.data);
    budget_free(t->budget, old->data);
    *old = y;
    return true;
}

static bool check_labels(const struct target_column *t, int classes, struct report *r)
{
    const int64_t *label = t->column->values.data;
    const int64_t n = tensor_count(&t->column->values), each = n / t->rows;
    int64_t most = 0, least = INT64_MAX;

    for (int64_t i = 0; i < n; i++) {
        if (column_ignores(t->column, label[i]))
            continue;
        if (label[i] < 0 || (classes && label[i] >= classes) || label[i] >= INT_MAX)
            return fail(r, KILN_BAD_DATA, t->where, "label %lld of sample %lld, must be in [0, %d)",
                        (long long)label[i], (long long)(i / each), classes ? classes : INT_MAX);
        most = label[i] > most ? label[i] : most;
        least = label[i] < least ? label[i] : least;
    }
    t->column->classes = classes ? classes : (int)most + 1;
    t->column->least = least;
    return true;
}

/* Whole numbers of which one is negative are no classes, where nobody says that they are: they are numbers. Which one it
 * is is remembered for those who need classes. */
static bool find_negative(const struct target_column *t)
{
    const struct tensor *y = &t->column->values;
    element_get *const get = element_getter(y->dtype);
    const int64_t n = tensor_count(y);

    for (int64_t i = 0; i < n; i++)
        if (get(y->data, i) < 0 && !column_ignores(t->column, (int64_t)get(y->data, i))) {
            t->column->negative = i / (n / t->rows) + 1;
            t->column->least = (int64_t)get(y->data, i);
            return true;
        }
    return false;
}

bool target_convert(const struct target_column *t, int classes, struct report *r)
{
    const struct tensor *y = &t->column->values;
    const int64_t width = dims_product(y->dims, 1, y->rank);
    int known = t->request->classes ? t->request->classes : t->column->classes ? t->column->classes : classes;
    enum label_rows rows = LABELS_NONE;

    t->column->ignores = t->request->ignores;
    t->column->ignored = t->request->ignored;
    if (!element_getter(y->dtype) || width == 0)
        return fail(r, KILN_BAD_DATA, t->where, "what is to be predicted must be real numbers, it is %s",
                    dtype_name(y->dtype));
    if (!t->request->values && !find_labels(t, width, &rows, r))
        return false;
    if (rows == LABELS_NONE || (rows == LABELS_WHOLE && !known && find_negative(t)))
        return take_values(t, r);
    if (!known && rows == LABELS_ONE_HOT && width < INT_MAX)
        known = (int)width;
    return take_labels(t, width, rows, r) && check_labels(t, known, r);
}
