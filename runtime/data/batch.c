#include "data/batch.h"
#include "base/random.h"
#include "data/element.h"
#include <math.h>
#include <string.h>

/* -- shapes -- */

/* Does a shape fit what is wanted, where some dimensions may be UNKNOWN? `wanted` counts from its second dimension. */
static bool accepts(const struct tensor *wanted, const struct tensor *shape)
{
    if (wanted->rank == UNKNOWN)
        return true;
    if (wanted->rank != shape->rank + 1)
        return false;
    for (int d = 0; d < shape->rank; d++)
        if (wanted->dims[d + 1] != UNKNOWN && wanted->dims[d + 1] != shape->dims[d])
            return false;
    return true;
}

static struct tensor squeezed(const struct tensor *t)
{
    struct tensor s = *t;

    s.rank = 0;
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] != 1)
            s.dims[s.rank++] = t->dims[d];
    return s;
}

static struct tensor flat(const struct tensor *t)
{
    struct tensor s = *t;

    s.rank = 1;
    s.dims[0] = tensor_count(t);
    return s;
}

static struct tensor turned(const struct tensor *t, enum turn turn)
{
    struct tensor s = *t;

    for (int d = 0; d < 3; d++)
        s.dims[d] = t->dims[(d + (turn == TURN_TO_LAST ? 1 : 2)) % 3];
    return s;
}

/* The shape that a sample takes, and how its channels move; false where none fits. */
static bool find_shape(const struct tensor *wanted, const struct tensor *sample, struct tensor *shape, enum turn *turn)
{
    const struct tensor thin = squeezed(sample);
    struct tensor exact;

    *turn = TURN_NONE;
    *shape = *sample;
    if (accepts(wanted, shape))
        return true;
    for (*turn = TURN_TO_LAST; sample->rank == 3 && *turn <= TURN_TO_FIRST; ++*turn) {
        *shape = turned(sample, *turn);
        if (accepts(wanted, shape))
            return true;
    }
    *turn = TURN_NONE;
    *shape = thin;
    if (accepts(wanted, shape))
        return true;
    *shape = flat(sample);
    if (accepts(wanted, shape))
        return true;
    if (wanted->rank < 1 || !tensor_shape(&exact, sample->dtype, wanted->rank - 1, wanted->dims + 1))
        return false;
    *shape = exact;
    if (tensor_count(&exact) != tensor_count(sample))
        return false;
    exact = squeezed(&exact);
    return thin.rank <= 1 || same_shape(&exact, &thin);
}

static bool fit_sample(const struct tensor *wanted, const struct tensor *sample, struct tensor *shape, enum turn *turn,
                       struct report *r)
{
    char have[TYPE_TEXT], want[TYPE_TEXT];

    return find_shape(wanted, sample, shape, turn) ||
           fail(r, KILN_BAD_DATA, NULL, "a sample is %s, the model's input %s needs that after its first dimension",
                tensor_text(sample, have), tensor_text(wanted, want));
}

bool batches_take(const struct tensor *wanted, const struct tensor *data, struct report *r)
{
    struct tensor sample, shape;
    enum turn turn;

    return !wanted || data->rank < 1 || !tensor_shape(&sample, data->dtype, data->rank - 1, data->dims + 1) ||
           fit_sample(wanted, &sample, &shape, &turn, r);
}

static struct tensor batch_of(const struct tensor *sample, enum dtype dtype, int64_t batch)
{
    struct tensor t = { .kind = TENSOR, .dtype = dtype, .rank = sample->rank + 1, .dims = { batch } };

    for (int d = 0; d < sample->rank; d++)
        t.dims[d + 1] = sample->dims[d];
    return t;
}

static bool is_normal(const struct batches *b)
{
    return b->normalizer && b->normalizer->kind != NORMALIZE_NONE;
}

/* Floats take any number, integers take integers as they are. */
static bool takes(enum dtype input, enum dtype data, bool normal)
{
    if (dtype_is_float(input))
        return dtype_size(input) > 0;
    return !normal && element_int_getter(data) && (input == U64 || element_int_getter(input));
}

static bool choose_sample_type(struct batches *b, const struct tensor *wanted, struct report *r)
{
    const struct tensor sample = dataset_sample(b->data);
    struct tensor shape;

    if (!fit_sample(wanted, &sample, &shape, &b->turn, r))
        return false;
    if (!takes(wanted->dtype, b->data->x.dtype, is_normal(b)))
        return fail(r, KILN_BAD_DATA, NULL, "samples of %s%s cannot be given to an input of %s",
                    is_normal(b) ? "normalised " : "", dtype_name(b->data->x.dtype), dtype_name(wanted->dtype));
    if (is_normal(b) && b->normalizer->features != tensor_count(&sample))
        return fail(r, KILN_BAD_DATA, NULL, "samples have %lld features, those of the training set have %lld",
                    (long long)tensor_count(&sample), (long long)b->normalizer->features);
    b->x = batch_of(&shape, wanted->dtype, b->options.batch);
    b->features = tensor_count(&sample);
    b->channels = b->turn == TURN_TO_LAST ? sample.dims[0] : b->turn == TURN_TO_FIRST ? sample.dims[2] : 1;
    if (b->channels == 1 || b->channels == b->features)
        b->turn = TURN_NONE;
    return true;
}

/* How many values a sample has to predict: those of an UNKNOWN dimension are `unknown`. */
static int64_t target_width(const struct tensor *wanted, int64_t unknown)
{
    int64_t n = 1;

    for (int d = 1; d < wanted->rank; d++)
        if (!mul_size(n, wanted->dims[d] == UNKNOWN ? unknown : wanted->dims[d], &n))
            return UNKNOWN;
    return n;
}

static bool choose_target_type(struct batches *b, const struct tensor *wanted, struct report *r)
{
    const struct dataset *d = b->data;
    const int64_t held = dataset_has_labels(d) ? d->classes : dims_product(d->y.dims, 1, d->y.rank);
    const bool index = element_int_getter(wanted->dtype) != NULL;
    const int64_t unknown = index || wanted->rank > 2 ? 1 : held, width = target_width(wanted, unknown);
    char have[TYPE_TEXT], want[TYPE_TEXT];

    if (dataset_has_labels(d) && index && width == 1)
        b->target = TARGET_INDEX;
    else if (dataset_has_labels(d) && dtype_is_float(wanted->dtype) && width == 1)
        b->target = TARGET_NUMBER;
    else if (dataset_has_labels(d) && dtype_is_float(wanted->dtype) && width >= held)
        b->target = TARGET_ONE_HOT;
    else if (!dataset_has_labels(d) && (dtype_is_float(wanted->dtype) || index) && width == held)
        b->target = TARGET_VALUES;
    if (b->target == TARGET_NONE || wanted->rank < 1 || !dtype_size(wanted->dtype))
        return dataset_has_labels(d)
                   ? fail(r, KILN_BAD_DATA, NULL, "what is to be predicted is %s with %d classes, the model needs %s",
                          tensor_text(&d->y, have), d->classes, tensor_text(wanted, want))
                   : fail(r, KILN_BAD_DATA, NULL, "what is to be predicted is %s, the model and its loss need %s",
                          tensor_text(&d->y, have), tensor_text(wanted, want));
    b->y = *wanted;
    b->y.data = NULL;
    b->y.dims[0] = b->options.batch;
    for (int k = 1; k < wanted->rank; k++)
        if (wanted->dims[k] == UNKNOWN)
            b->y.dims[k] = unknown;
    return true;
}

/* -- an epoch -- */

bool batches_init(struct batches *b, const struct dataset *data, const struct normalizer *normalizer,
                  const struct tensor *x, const struct tensor *y, const struct batch_options *options,
                  struct budget *budget, struct report *r)
{
    *b = (struct batches){ .data = data, .normalizer = normalizer, .options = *options, .budget = budget };
    if (options->batch < 1)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "a batch of %lld samples, must be at least 1",
                    (long long)options->batch);
    if (!choose_sample_type(b, x, r) || (y && !choose_target_type(b, y, r)))
        return false;
    b->sample = budget_zalloc(budget, (size_t)b->features, sizeof *b->sample, r);
    if (b->sample && options->shuffle)
        b->order = budget_zalloc(budget, (size_t)data->count, sizeof *b->order, r);
    if (!b->sample || (options->shuffle && !b->order)) {
        batches_release(b);
        return false;
    }
    batches_start(b, 0);
    return true;
}

void batches_release(struct batches *b)
{
    budget_free(b->budget, b->sample);
    budget_free(b->budget, b->order);
    b->sample = NULL;
    b->order = NULL;
}

void batches_start(struct batches *b, uint64_t epoch)
{
    b->at = 0;
    if (b->order)
        random_permutation(b->order, b->data->count, b->options.seed, random_stream(RANDOM_NODE_SHUFFLE, epoch));
}

int64_t batches_next_count(const struct batches *b)
{
    const int64_t left = b->data->count - b->at;

    return left < b->options.batch ? left : b->options.batch;
}

bool batches_next(struct batches *b, void *x, void *y, int64_t *count, struct report *r)
{
    *count = batches_next_count(b);
    if (!batches_fill(b, b->order ? b->order + b->at : NULL, *count, x, y, r))
        return false;
    b->at += *count;
    return true;
}

/* -- filling -- */

/* Where value k of what the model wants is in the file's sample. */
static int64_t source_of(const struct batches *b, int64_t k)
{
    const int64_t spatial = b->features / b->channels;

    switch (b->turn) {
    case TURN_TO_LAST:
        return k % b->channels * spatial + k / b->channels;
    case TURN_TO_FIRST:
        return k % spatial * b->channels + k / spatial;
    default:
        return k;
    }
}

static void turn(const struct batches *b, const float *in, float *out)
{
    const int64_t spatial = b->features / b->channels;

    if (b->turn == TURN_TO_LAST)
        for (int64_t s = 0; s < spatial; s++)
            for (int64_t c = 0; c < b->channels; c++)
                *out++ = in[c * spatial + s];
    else
        for (int64_t c = 0; c < b->channels; c++)
            for (int64_t s = 0; s < spatial; s++)
                *out++ = in[s * b->channels + c];
}

static void fill_float(const struct batches *b, int64_t index, float *out)
{
    float *sample = b->turn == TURN_NONE ? out : b->sample;

    elements_to_float(b->data->x.dtype, b->data->x.data, index * b->features, b->features, sample);
    if (b->normalizer)
        normalizer_apply(b->normalizer, sample);
    if (b->turn != TURN_NONE)
        turn(b, sample, out);
}

/* Other types: one by one. An integer that does not fit is the data's fault. */
static bool fill_any(const struct batches *b, int64_t index, void *out, int64_t at, struct report *r)
{
    const enum dtype from = b->data->x.dtype, to = b->x.dtype;
    const bool normal = is_normal(b);
    element_get *const get = element_getter(from);
    element_get_int *const get_int = element_int_getter(from);

    if (normal) {
        elements_to_float(from, b->data->x.data, index * b->features, b->features, b->sample);
        normalizer_apply(b->normalizer, b->sample);
    }
    for (int64_t k = 0; k < b->features; k++) {
        const int64_t source = source_of(b, k), i = index * b->features + source;

        if (normal)
            element_put(out, at + k, to, (double)b->sample[source]);
        else if (dtype_is_float(to))
            element_put(out, at + k, to, get(b->data->x.data, i));
        else if (!element_put_int(out, at + k, to, get_int(b->data->x.data, i)))
            return fail(r, KILN_BAD_DATA, NULL, "sample %lld holds %lld, the model's input is %s", (long long)index,
                        (long long)get_int(b->data->x.data, i), dtype_name(to));
    }
    return true;
}

static bool fill_y(const struct batches *b, int64_t index, int64_t row, void *y, struct report *r)
{
    const enum dtype to = b->y.dtype;
    const int64_t width = dims_product(b->y.dims, 1, b->y.rank);
    const int64_t label = dataset_has_labels(b->data) ? ((const int64_t *)b->data->y.data)[index] : 0;

    switch (b->target) {
    case TARGET_INDEX:
        return element_put_int(y, row, to, label) ||
               fail(r, KILN_BAD_DATA, NULL, "label %lld does not fit %s", (long long)label, dtype_name(to));
    case TARGET_NUMBER:
        return element_put(y, row, to, (double)label);
    case TARGET_ONE_HOT:
        for (int64_t k = 0; k < width; k++)
            element_put(y, row * width + k, to, k == label);
        return true;
    case TARGET_VALUES:
        for (int64_t k = 0; k < width; k++) {
            const double v = (double)((const float *)b->data->y.data)[index * width + k];

            if (dtype_is_float(to))
                element_put(y, row * width + k, to, v);
            else if (!(fabs(v) < 0x1p24) || v != floor(v) || !element_put_int(y, row * width + k, to, (int64_t)v))
                return fail(r, KILN_BAD_DATA, NULL, "a label of sample %lld is %g, must be a whole number (%s)",
                            (long long)index, v, dtype_name(to));
        }
        return true;
    case TARGET_NONE:
        break;
    }
    return true;
}

bool batches_fill(struct batches *b, const int64_t *indices, int64_t n, void *x, void *y, struct report *r)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t index = indices ? indices[i] : b->at + i;

        if (b->x.dtype == F32)
            fill_float(b, index, (float *)x + i * b->features);
        else if (!fill_any(b, index, x, i * b->features, r))
            return false;
        if (y && !fill_y(b, index, i, y, r))
            return false;
    }
    return true;
}
