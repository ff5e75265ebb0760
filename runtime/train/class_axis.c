#include "train/class_axis.h"
#include "data/element.h"
#include "ops/move.h"
#include <math.h>

enum { SAMPLES = 8 }; /* that are looked at */

/* Are labels those of an output with classes along `axis`: a number for each of its rows? */
static bool fits_classes(const struct tensor *labels, const struct tensor *out, int axis)
{
    bool fits = labels->rank == out->rank - 1;

    for (int d = 1; fits && d < labels->rank; d++)
        fits = labels->dims[d] == out->dims[d + (d >= axis)];
    return fits;
}

/* Are they probabilities, which add up to 1 along `axis`? */
static bool fits_probabilities(const struct tensor *labels, const struct tensor *out, int axis)
{
    element_get *const get = element_getter(labels->dtype);
    const int64_t inner = dims_product(labels->dims, axis + 1, labels->rank), classes = out->dims[axis];
    int64_t rows;
    bool fits = get && labels->data && labels->rank == out->rank;

    for (int d = 1; fits && d < labels->rank; d++)
        fits = labels->dims[d] == out->dims[d];
    rows = fits ? (labels->dims[0] < SAMPLES ? labels->dims[0] : SAMPLES) * dims_product(labels->dims, 1, axis) : 0;
    for (int64_t row = 0; fits && row < rows * inner; row++) {
        const int64_t from = row / inner * classes * inner + row % inner;
        double sum = 0;

        for (int64_t k = 0; k < classes; k++)
            sum += get(labels->data, from + k * inner);
        fits = fabs(sum - 1) < 1e-3;
    }
    return fits;
}

static int by_labels(const struct value *out, const struct tensor *type, const struct target_options *o,
                     struct report *r)
{
    const struct loss_def *const def = loss_named(o->loss);
    bool (*const fits)(const struct tensor *, const struct tensor *, int) =
        o->form == TARGETS_CLASSES || (def && def->labels == LABELS_CLASSES) ? fits_classes : fits_probabilities;
    int found = 0, count = 0;

    for (int axis = type->rank - 1; o->labels && axis > 0; axis--)
        if (fits(o->labels, type, axis)) {
            found = found ? found : axis;
            count++;
        }
    if (count > 1)
        warn(r, NULL, "output '%s' may have its classes along dimension 1 or %d: the last is taken", out->name,
             type->rank - 1);
    return count == 1 ? found : type->rank - 1;
}

/* Masks, as PyTorch has them: one unit for each position, and nothing behind it that would be units. */
static bool is_mask(const struct value *out, const struct tensor *type, const struct target_options *o)
{
    return type->rank > 2 && type->dims[1] == 1 && type->dims[type->rank - 1] != 1 && loss_is_of_units(o->loss, out);
}

int class_axis_find(const struct value *out, const struct tensor *type, const struct target_options *o,
                    struct report *r)
{
    const int last = type->rank - 1, asked = o->class_axis < 0 ? type->rank + o->class_axis : o->class_axis;
    const int softmax = loss_softmax_axis(out, type->rank);
    char text[TYPE_TEXT];

    if (o->class_axis && (asked < 1 || asked > last)) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "class axis is %d, output '%s' is %s", o->class_axis, out->name,
             tensor_text(type, text));
        return 0;
    }
    if (o->class_axis && softmax && softmax != asked) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "class axis is %d, the Softmax of output '%s' goes along dimension %d", asked,
             out->name, softmax);
        return 0;
    }
    if (o->class_axis)
        return asked;
    return softmax ? softmax : is_mask(out, type, o) ? 1 : type->rank < 3 ? last : by_labels(out, type, o, r);
}

struct tensor class_axis_last(const struct tensor *type, int axis)
{
    struct tensor t = *type;

    for (int d = axis; d < t.rank - 1; d++)
        t.dims[d] = type->dims[d + 1];
    t.dims[t.rank - 1] = type->dims[axis];
    return t;
}

struct value *class_axis_emit(struct emitter *e, struct value *v, int rank, int axis)
{
    int64_t perm[MAX_RANK];
    char text[INTS_TEXT];

    for (int d = 0; d < rank - 1; d++)
        perm[d] = d + (d >= axis);
    perm[rank - 1] = axis;
    return emit(e, "Transpose", ints_text(text, "perm", rank, perm), 1, v);
}
