#include "data/batch.h"
#include "base/random.h"
#include "data/element.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROUNDING 1e-3 /* of probabilities that were computed */

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

/* Floats take any number, integers take integers as they are. */
static bool takes(enum dtype input, enum dtype data, bool normal)
{
    if (dtype_is_float(input))
        return dtype_size(input) > 0;
    return !normal && element_int_getter(data) && (input == U64 || element_int_getter(input));
}

static bool choose_sample_type(struct batch_column *c, const struct tensor *wanted, const struct batch_options *o,
                               struct report *r)
{
    const struct tensor sample = column_sample(c->from);
    const enum dtype dtype = c->from->values.dtype;
    struct tensor shape;

    if (!fit_sample(wanted, &sample, &shape, &c->turn, r))
        return false;
    if (!takes(wanted->dtype, dtype, c->scaling || o->augmentation))
        return fail(r, KILN_BAD_DATA, NULL, "samples of %s%s cannot be given to an input of %s",
                    c->scaling        ? "normalised "
                    : o->augmentation ? "augmented "
                                      : "",
                    dtype_name(dtype), dtype_name(wanted->dtype));
    if (c->scaling && c->scaling->features && c->scaling->features != tensor_count(&sample))
        return fail(r, KILN_BAD_DATA, NULL, "samples have %lld features, those of the training set have %lld",
                    (long long)tensor_count(&sample), (long long)c->scaling->features);
    c->type = batch_of(&shape, wanted->dtype, o->batch);
    c->features = tensor_count(&sample);
    c->channels = c->turn == TURN_TO_LAST ? sample.dims[0] : c->turn == TURN_TO_FIRST ? sample.dims[2] : 1;
    if (c->channels == 1 || c->channels == c->features)
        c->turn = TURN_NONE;
    return !o->augmentation || augmentation_image(&c->image, o->augmentation, &sample, r);
}

/* How many labels a sample has. */
static int64_t labels_of(const struct column *c)
{
    return dims_product(c->values.dims, 1, c->values.rank);
}

/* `known`: the classes that labels are looked at for; 0: for none. A label that is none of them is told by its place. */
static enum target_form form_for(const struct column *from, const struct tensor *type, int known)
{
    const int classes = known ? known : from->classes;
    const bool labels = column_has_labels(from), real = dtype_is_float(type->dtype);
    const bool index = element_int_getter(type->dtype) != NULL;
    const int64_t each = labels_of(from), width = dims_product(type->dims, 1, type->rank);

    if (!labels)
        return (real || index) && width == each ? TARGET_VALUES : TARGET_NONE;
    if (index)
        return width == each ? TARGET_INDEX : TARGET_NONE;
    if (real && width == each)
        return TARGET_NUMBER;
    return real && each && width % each == 0 && width / each >= classes ? TARGET_ONE_HOT : TARGET_NONE;
}

/* The wanted type with its open dimensions: those of the labels, where it has as many, or one more, for the classes. */
static struct tensor closed_type(const struct column *from, const struct tensor *wanted, int64_t batch)
{
    const struct tensor *y = &from->values;
    struct tensor t = *wanted;

    t.data = NULL;
    t.dims[0] = batch;
    for (int k = 1; k < t.rank; k++) {
        if (t.dims[k] != UNKNOWN)
            continue;
        t.dims[k] = k < y->rank ? y->dims[k] : column_has_labels(from) && dtype_is_float(t.dtype) ? from->classes : 1;
    }
    return t;
}

static bool fail_target(const struct column *c, const struct tensor *wanted, struct report *r)
{
    char have[TYPE_TEXT], want[TYPE_TEXT];

    tensor_text(&c->values, have);
    tensor_text(wanted, want);
    if (column_has_labels(c))
        return fail(r, KILN_BAD_DATA, NULL, "what is to be predicted is %s with %d classes, the model needs %s", have,
                    c->classes, want);
    if (c->negative)
        return fail(r, KILN_BAD_DATA, NULL,
                    "label %lld of sample %lld: classes are whole numbers from 0, and the model and its loss need "
                    "them, or %s",
                    (long long)c->least, (long long)c->negative - 1, want);
    return fail(r, KILN_BAD_DATA, NULL, "what is to be predicted is %s, the model and its loss need %s", have, want);
}

/* An image that is to be predicted is turned as one that is read: where only that makes it fit. Where it has the shape of
 * the samples, `like`, it goes their way. */
static void turn_target(struct batch_column *c, const struct tensor *wanted, const struct batch_column *like)
{
    const struct tensor sample = column_sample(c->from), other = column_sample(like->from);
    struct tensor shape;

    if ((c->form != TARGET_VALUES && c->form != TARGET_NUMBER) || sample.rank != 3 || wanted->rank != 4)
        return;
    if (same_shape(&sample, &other) && like->turn != TURN_NONE) {
        shape = turned(&sample, like->turn);
        if (!accepts(wanted, &shape))
            return;
        c->turn = like->turn;
    } else if (!find_shape(wanted, &sample, &shape, &c->turn)) {
        c->turn = TURN_NONE;
    }
    if (c->turn == TURN_NONE)
        return;
    c->features = tensor_count(&sample);
    c->channels = c->turn == TURN_TO_LAST ? sample.dims[0] : sample.dims[2];
    for (int d = 0; d < 3; d++)
        c->type.dims[d + 1] = shape.dims[d];
}

/* One-hot rows have a number for each class that the output tells apart, neither more nor less. */
static bool fits_rows(const struct batch_column *c, struct report *r)
{
    const int64_t width = dims_product(c->type.dims, 1, c->type.rank);
    const int64_t want = c->classes ? c->classes : c->form == TARGET_ONE_HOT ? width / labels_of(c->from) : 0;

    return !c->from->hot || !want || c->from->hot == want ||
           fail(r, KILN_BAD_DATA, NULL,
                "what is to be predicted are one-hot rows of %lld numbers, the model has %lld classes: they must have "
                "%lld, or be labels from 0 to %lld",
                (long long)c->from->hot, (long long)want, (long long)want, (long long)want - 1);
}

static bool choose_target_type(struct batch_column *c, const struct tensor *wanted, const struct batch_column *like,
                               int64_t batch, struct report *r)
{
    if (wanted->rank < 1 || !dtype_size(wanted->dtype))
        return fail_target(c->from, wanted, r);
    c->type = closed_type(c->from, wanted, batch);
    c->form = form_for(c->from, &c->type, c->classes);
    turn_target(c, wanted, like);
    return (c->form != TARGET_NONE || fail_target(c->from, wanted, r)) && fits_rows(c, r);
}

/* -- an epoch -- */

/* What there is is told as far as there is room for it. */
static bool fail_missing(const struct column *columns, size_t count, const char *name, struct report *r)
{
    char names[200] = "";
    size_t n = 0;

    for (size_t k = 0; k < count && n < sizeof names; k++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s'%s'", k ? ", " : "",
                              columns[k].name ? columns[k].name : "");
    return fail(r, KILN_BAD_DATA, NULL, "the data have nothing for '%s'%s%s", name, columns->name ? ", but for " : "",
                columns->name ? names : "");
}

static bool find_column(struct batch_column *c, const struct column *columns, size_t count,
                        const struct column_request *requests, size_t requested, size_t k, struct report *r)
{
    c->from = column_find(columns, count, requests, requested, k);
    return c->from || fail_missing(columns, count, requests[k].name, r);
}

static bool choose_input(struct batches *b, const struct normalizer *n, const struct batch_request *q, size_t k,
                         struct report *r)
{
    const struct dataset *d = b->data;
    const size_t threads = b->options.augmentation ? (size_t)pool_threads(b->options.pool) : 1;
    struct batch_column *c = &b->x[k];
    size_t each;

    if (!find_column(c, d->x, d->inputs, q->input, q->inputs, k, r))
        return false;
    if (n && n->kind != NORMALIZE_NONE && (q->inputs == 1 || dtype_is_float(q->input[k].type->dtype))) {
        c->scaling = scaling_find(n, c->from->name);
        if (!c->scaling)
            return fail(r, KILN_BAD_DATA, NULL, "the normalisation was fitted to data without '%s'", q->input[k].name);
        if (c->scaling->kind == NORMALIZE_NONE)
            c->scaling = NULL;
    }
    if (!choose_sample_type(c, q->input[k].type, &b->options, r))
        return false;
    each = (size_t)c->features * sizeof *c->sample;
    c->sample = arena_array(&b->memory, threads, each, r);
    c->raw = b->options.augmentation ? arena_array(&b->memory, threads, each, r) : NULL;
    return c->sample && (c->raw || !b->options.augmentation);
}

static bool choose_target(struct batches *b, const struct batch_request *q, size_t k, struct report *r)
{
    const struct dataset *d = b->data;
    struct batch_column *c = &b->y[k];

    c->classes = q->target[k].classes;
    c->probabilities = q->target[k].probabilities;
    c->ignores = q->target[k].ignores;
    c->ignored = q->target[k].ignored;
    c->class_axis = q->target[k].class_axis;
    return find_column(c, d->y, d->targets, q->target, q->targets, k, r) &&
           choose_target_type(c, q->target[k].type, &b->x[0], b->options.batch, r);
}

static bool choose(struct batches *b, const struct normalizer *n, const struct batch_request *q, struct report *r)
{
    b->inputs = q->inputs;
    b->targets = q->targets;
    b->x = arena_array(&b->memory, q->inputs, sizeof *b->x, r);
    b->y = arena_array(&b->memory, q->targets, sizeof *b->y, r);
    if (!b->x || !b->y)
        return false;
    if (b->options.augmentation && q->inputs != 1)
        return fail(r, KILN_BAD_DATA, NULL, "the model has %zu inputs, augmentation needs one, which takes images",
                    q->inputs);
    for (size_t k = 0; k < q->inputs; k++)
        if (!choose_input(b, n, q, k, r))
            return false;
    for (size_t k = 0; k < q->targets; k++)
        if (!choose_target(b, q, k, r))
            return false;
    if (!b->options.shuffle || b->window)
        return true;
    b->order = arena_array(&b->memory, (size_t)b->data->count, sizeof *b->order, r);
    return b->order;
}

/* Where samples come as a stream, batches are made of the rows of its window. */
static bool open_window(struct batches *b, struct report *r)
{
    const struct batch_options *o = &b->options;
    struct window *w = arena_alloc(&b->memory, sizeof *w, r);

    if (!w || !window_init(w, b->data, o->shuffle ? b->data->stream->window : 1, o->batch, o->seed,
                           o->reading ? o->reading : b->memory.budget, r))
        return false;
    b->window = w;
    b->data = &w->rows;
    return true;
}

bool batches_init(struct batches *b, const struct dataset *data, const struct normalizer *normalizer,
                  const struct batch_request *request, const struct batch_options *options, struct budget *budget,
                  struct report *r)
{
    *b = (struct batches){ .data = data, .options = *options, .memory.budget = budget };
    if (options->batch < 1)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "a batch of %lld samples, must be at least 1",
                    (long long)options->batch);
    if (!(data->stream ? open_window(b, r) : true) || !choose(b, normalizer, request, r)) {
        batches_release(b);
        return false;
    }
    batches_start(b, 0);
    return true;
}

void batches_release(struct batches *b)
{
    if (b->window)
        window_release(b->window);
    arena_release(&b->memory);
    *b = (struct batches){ .memory.budget = b->memory.budget };
}

void batches_start(struct batches *b, uint64_t epoch)
{
    b->at = 0;
    b->epoch = epoch;
    if (b->order)
        random_permutation(b->order, b->data->count, b->options.seed, random_stream(RANDOM_NODE_SHUFFLE, epoch));
    if (b->window)
        window_start(b->window, epoch);
}

int64_t batches_next_count(const struct batches *b)
{
    const int64_t left = b->data->count - b->at;

    return left < b->options.batch ? left : b->options.batch;
}

/* Of what was passed over nothing is made, but it is read and drawn: it is how the window became what it is. */
static bool pass_over(struct batches *b, struct report *r)
{
    struct window *w = b->window;

    for (int64_t got = 1; w->drawings < b->at && got; window_free(w)) {
        const int64_t left = b->at - w->drawings;

        if (!window_draw(w, left < b->options.batch ? left : b->options.batch, &got, r))
            return false;
    }
    return true;
}

static bool next_of_stream(struct batches *b, void *const *x, void *const *y, int64_t *count, struct report *r)
{
    struct window *w = b->window;

    *count = 0;
    if (!pass_over(b, r) || !window_draw(w, b->options.batch, count, r) || !batches_fill(b, w->drawn, *count, x, y, r))
        return false;
    window_free(w);
    b->at += *count;
    return true;
}

bool batches_next(struct batches *b, void *const *x, void *const *y, int64_t *count, struct report *r)
{
    if (b->window)
        return next_of_stream(b, x, y, count, r);
    *count = batches_next_count(b);
    if (!batches_fill(b, b->order ? b->order + b->at : NULL, *count, x, y, r))
        return false;
    b->at += *count;
    return true;
}

/* -- filling -- */

/* Where value k of what the model wants is in the file's sample. */
static int64_t source_of(const struct batch_column *c, int64_t k)
{
    const int64_t spatial = c->features / c->channels;

    switch (c->turn) {
    case TURN_TO_LAST:
        return k % c->channels * spatial + k / c->channels;
    case TURN_TO_FIRST:
        return k % spatial * c->channels + k / spatial;
    default:
        return k;
    }
}

static void turn(const struct batch_column *c, const float *in, float *out)
{
    const int64_t spatial = c->features / c->channels;

    if (c->turn == TURN_TO_LAST)
        for (int64_t s = 0; s < spatial; s++)
            for (int64_t k = 0; k < c->channels; k++)
                *out++ = in[k * spatial + s];
    else
        for (int64_t k = 0; k < c->channels; k++)
            for (int64_t s = 0; s < spatial; s++)
                *out++ = in[s * c->channels + k];
}

/* The number that a row's sample has in the data. */
static int64_t number_of(const struct batches *b, int64_t row)
{
    return b->window ? b->window->number[row] : row;
}

/* The file's sample in floats, as the model is to see it but for its place in memory, and for what is in that order. */
static void read_sample(const struct batches *b, const struct batch_column *c, int64_t row, int thread, float *sample)
{
    const struct tensor *from = &c->from->values;
    const struct batch_options *o = &b->options;
    float *const raw = o->augmentation ? c->raw + thread * c->features : sample;

    elements_to_float(from->dtype, from->data, row * c->features, c->features, raw);
    if (o->augmentation) {
        const struct transform t = transform_draw(o->augmentation, &c->image, o->seed, b->epoch, number_of(b, row));

        transform_apply(&t, o->augmentation, &c->image, raw, sample);
    }
    if (c->scaling && !c->scaling->of_model)
        scaling_apply(c->scaling, sample, c->features);
}

static void fill_float(const struct batches *b, const struct batch_column *c, int64_t row, int thread, float *out)
{
    float *sample = c->turn == TURN_NONE ? out : c->sample + thread * c->features;

    read_sample(b, c, row, thread, sample);
    if (c->turn != TURN_NONE)
        turn(c, sample, out);
    if (c->scaling && c->scaling->of_model)
        scaling_apply(c->scaling, out, c->features);
}

bool batch_scaling(struct scaling *out, const struct batch_column *c, struct arena *a, struct report *r)
{
    const struct scaling *s = c->scaling;

    *out = (struct scaling){ .kind = s->kind, .features = c->features, .of_model = true };
    if (s->mean && !(out->mean = arena_array(a, (size_t)c->features, sizeof(float), r)))
        return false;
    if (s->deviation && !(out->deviation = arena_array(a, (size_t)c->features, sizeof(float), r)))
        return false;
    for (int64_t k = 0; s->mean && k < c->features; k++) {
        const int64_t source = s->of_model ? k : source_of(c, k);

        out->mean[k] = s->mean[source];
        if (s->deviation)
            out->deviation[k] = s->deviation[source];
    }
    return true;
}

/* The same for floats of another type. */
static void fill_converted(const struct batches *b, const struct batch_column *c, int64_t row, int thread, void *out,
                           int64_t at)
{
    const struct scaling *of_model = c->scaling && c->scaling->of_model ? c->scaling : NULL;
    float *sample = c->sample + thread * c->features;

    read_sample(b, c, row, thread, sample);
    for (int64_t k = 0; k < c->features; k++) {
        const float value = sample[source_of(c, k)];

        element_put(out, at + k, c->type.dtype, (double)(of_model ? scaling_value(of_model, k, value) : value));
    }
}

/* As they are in the file, one by one. An integer that does not fit is the data's fault. */
static bool fill_any(const struct batches *b, const struct batch_column *c, int64_t row, void *out, int64_t at,
                     struct report *r)
{
    const struct tensor *data = &c->from->values;
    const enum dtype from = data->dtype, to = c->type.dtype;
    element_get *const get = element_getter(from);
    element_get_int *const get_int = element_int_getter(from);

    for (int64_t k = 0; k < c->features; k++) {
        const int64_t i = row * c->features + source_of(c, k);

        if (dtype_is_float(to))
            element_put(out, at + k, to, get(data->data, i));
        else if (!element_put_int(out, at + k, to, get_int(data->data, i)))
            return fail(r, KILN_BAD_DATA, NULL, "sample %lld holds %lld, the model's input is %s",
                        (long long)number_of(b, row), (long long)get_int(data->data, i), dtype_name(to));
    }
    return true;
}

static bool fill_input(const struct batches *b, const struct batch_column *c, int64_t row, int64_t to_row, int thread,
                       void *x, struct report *r)
{
    if (c->type.dtype == F32)
        fill_float(b, c, row, thread, (float *)x + to_row * c->features);
    else if (c->scaling || b->options.augmentation)
        fill_converted(b, c, row, thread, x, to_row * c->features);
    else
        return fill_any(b, c, row, x, to_row * c->features, r);
    return true;
}

/* Where y is NULL the value is looked at only. */
static bool put_value(const struct batch_column *c, double v, int64_t sample, void *y, int64_t at, struct report *r)
{
    const enum dtype to = c->type.dtype;
    double unread;

    if (c->probabilities && !(v >= -ROUNDING && v <= 1 + ROUNDING))
        return fail(r, KILN_BAD_DATA, NULL,
                    "what is to be predicted for sample %lld is %g, the loss needs probabilities, from 0 to 1",
                    (long long)sample, v);
    if (dtype_is_float(to))
        element_put(y ? y : &unread, y ? at : 0, to, v);
    else if (!(fabs(v) < 0x1p24) || v != floor(v) || !element_put_int(y ? y : &unread, y ? at : 0, to, (int64_t)v))
        return fail(r, KILN_BAD_DATA, NULL, "a label of sample %lld is %g, must be a whole number (%s)",
                    (long long)sample, v, dtype_name(to));
    return true;
}

static bool fill_values(const struct batches *b, const struct batch_column *c, int64_t row, int64_t to_row, void *y,
                        struct report *r)
{
    const int64_t width = dims_product(c->type.dims, 1, c->type.rank);
    const float *values = (const float *)c->from->values.data + row * width;

    for (int64_t k = 0; k < width; k++) {
        const double v = (double)values[c->turn == TURN_NONE ? k : source_of(c, k)];

        if (!put_value(c, v, number_of(b, row), y, to_row * width + k, r))
            return false;
    }
    return true;
}

static bool check_label(const struct batch_column *c, int64_t label, int64_t sample, struct report *r)
{
    if (!c->classes || (label >= 0 && label < c->classes) || (c->ignores && label == c->ignored))
        return true;
    return fail(r, KILN_BAD_DATA, NULL, "label %lld of sample %lld, the model tells %d classes apart, from 0 to %d%s",
                (long long)label, (long long)sample, c->classes, c->classes - 1,
                c->from->least == 1 && label == c->classes ? ": these begin at 1" : "");
}

/* Where class k of position `at` is, counted over the whole batch; `inner` positions are behind the classes. */
static int64_t hot_place(int64_t at, int64_t classes, int64_t inner, int64_t k)
{
    return at / inner * classes * inner + k * inner + at % inner;
}

static bool fill_labels(const struct batches *b, const struct batch_column *c, int64_t row, int64_t to_row, void *y,
                        struct report *r)
{
    const int64_t each = labels_of(c->from), width = dims_product(c->type.dims, 1, c->type.rank) / each;
    const int64_t inner = c->class_axis ? dims_product(c->type.dims, c->class_axis + 1, c->type.rank) : 1;
    const int64_t *labels = (const int64_t *)c->from->values.data + row * each;
    const enum dtype to = c->type.dtype;

    for (int64_t i = 0; i < each; i++) {
        const int64_t at = to_row * each + i, label = labels[c->turn == TURN_NONE ? i : source_of(c, i)];

        if (!check_label(c, label, number_of(b, row), r))
            return false;
        if (c->form == TARGET_NUMBER)
            element_put(y, at, to, (double)label);
        else if (c->form == TARGET_ONE_HOT)
            for (int64_t k = 0; k < width; k++)
                element_put(y, hot_place(at, width, inner, k), to, k == label);
        else if (!element_put_int(y, at, to, label))
            return fail(r, KILN_BAD_DATA, NULL, "label %lld does not fit %s", (long long)label, dtype_name(to));
    }
    return true;
}

static bool check_target(const struct batch_column *c, const struct dataset *d, struct budget *budget, struct report *r)
{
    const bool values = c->form == TARGET_VALUES;
    const int64_t each = labels_of(c->from), first = d->from * each, end = first + d->count * each;
    const void *const data = c->from->values.data;

    if (values ? !c->probabilities && dtype_is_float(c->type.dtype) : !c->classes)
        return true; /* there is no wrong one */
    for (int64_t k = first; k < end; k++) {
        if (!budget_in_time_at(budget, k, NULL, r))
            return false;
        if (values ? !put_value(c, (double)((const float *)data)[k], k / each, NULL, 0, r)
                   : !check_label(c, ((const int64_t *)data)[k], k / each, r))
            return false;
    }
    return true;
}

bool batches_check(const struct batches *b, struct report *r)
{
    for (size_t k = 0; !b->window && k < b->targets; k++)
        if (!check_target(&b->y[k], b->data, b->memory.budget, r))
            return false;
    return true;
}

/* What a batch is filled with, for the threads that share it out. */
struct filling {
    const struct batches *batches;
    const int64_t *indices; /* NULL: the next ones */
    void *x;
};

static int64_t row_of(const struct batches *b, const int64_t *indices, int64_t i)
{
    return b->data->from + (indices ? indices[i] : b->at + i);
}

static void fill_augmented(void *context, int64_t i, int thread)
{
    const struct filling *f = context;
    const struct batches *b = f->batches;

    fill_input(b, &b->x[0], row_of(b, f->indices, i), i, thread, f->x, NULL); /* to floats: nothing can fail */
}

bool batches_fill(struct batches *b, const int64_t *indices, int64_t n, void *const *x, void *const *y,
                  struct report *r)
{
    const bool augmented = b->options.augmentation != NULL;

    if (augmented)
        pool_run(b->options.pool, n, fill_augmented, &(struct filling){ b, indices, x[0] });
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = row_of(b, indices, i);

        for (size_t k = 0; k < b->inputs && !augmented; k++)
            if (!fill_input(b, &b->x[k], row, i, 0, x[k], r))
                return false;
        for (size_t k = 0; k < b->targets; k++)
            if (!(b->y[k].form == TARGET_VALUES ? fill_values : fill_labels)(b, &b->y[k], row, i, y[k], r))
                return false;
    }
    return true;
}
