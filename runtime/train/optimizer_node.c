/* The node of the training graph that updates all parameters, their slots and their averages. */
#include "train/optimizer.h"
#include <math.h>
#include <stdatomic.h>

/* Inputs: the learning rate, the loss, what is watched (each next value and the one that it is to replace), then
 * parameters. */
enum { RATE, LOSS, WATCHED };
enum { MOST_PIECES = 64, CHUNK = 1024 };

struct node_attrs {
    const struct optimizer *optimizer;
    int watched;
    const void *const *beginning; /* by parameter: what it began with; NULL where all of that was finite */
    const double *limit;          /* by parameter: what its file cannot hold */
    const double *watched_limit;  /* by value that is watched */
    const double *rate_factor;    /* by parameter */
    const bool *decays;           /* by parameter */
    atomic_bool *suspect;         /* by parameter: something in it cannot be saved after the step that runs */
};

static int first(const struct node_attrs *u)
{
    return WATCHED + 2 * u->watched;
}

static int group(const struct node_attrs *u) /* inputs of a parameter: itself, its gradient, its slots */
{
    return 2 + u->optimizer->slots;
}

static int64_t parameters_of(const struct node_attrs *u, int inputs)
{
    return (inputs - first(u)) / group(u);
}

/* -- scratch: what is prepared, sums of squares, gradients -- */

static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* What is prepared for a parameter stands apart from the others. */
static size_t prepared_bytes(const struct node_attrs *u)
{
    return lines(u->optimizer->def->prepared_size);
}

/* The sums of the squares of each parameter's gradient, by piece. */
static size_t squares_at(const struct node_attrs *u, int64_t parameters)
{
    return (size_t)parameters * prepared_bytes(u);
}

static size_t gradients_at(const struct node_attrs *u, int64_t parameters)
{
    const bool measured = common_changes_gradients(&u->optimizer->common);

    return squares_at(u, parameters) + (measured ? lines((size_t)parameters * MOST_PIECES * sizeof(double)) : 0);
}

/* A whole gradient is kept only for those who must see all of it before they start. */
static bool keeps_gradients(const struct node_attrs *u)
{
    return u->optimizer->def->prepare && common_changes_gradients(&u->optimizer->common);
}

static bool infer(struct infer *i)
{
    const struct node_attrs *u = infer_attrs(i);
    size_t scratch = gradients_at(u, parameters_of(u, infer_inputs(i)));
    int out = 0;

    for (int p = first(u); p < infer_inputs(i); p += group(u)) {
        if (!same_type(typed_in(i, p), typed_in(i, p + 1)))
            return infer_error(i, "a gradient differs from its parameter in type");
        for (int k = 0; k < group(u); k++) {
            const struct tensor *type = typed_in(i, p + k);

            if (k == 1) /* the gradient is only read */
                continue;
            if (!set_out(i, out, type->dtype, type->rank, type->dims))
                return false;
            updates(i, out++, p + k);
        }
        scratch += keeps_gradients(u) ? lines((size_t)tensor_bytes(typed_in(i, p))) : 0;
    }
    need_scratch(i, scratch);
    return true;
}

/* How many pieces the work is cut into: 10 us or so each of what this kind takes. */
static int64_t pieces_of(const struct optimizer *o, int64_t elements)
{
    const int64_t each = o->slots ? 1 << 15 : 1 << 16;
    int64_t pieces = 1;

    while (pieces < MOST_PIECES && pieces * each < elements)
        pieces *= 2;
    return pieces;
}

/* Elements before piece i of a parameter with n of them. Small ones are in one piece. */
static int64_t piece_at(int64_t n, int64_t i, int64_t pieces)
{
    enum { WHOLE = 1 << 12, LINE = 64 / sizeof(float) };

    if (n <= WHOLE)
        return i ? n : 0;
    return i == pieces ? n : n * i / pieces / LINE * LINE;
}

struct update_job {
    const struct step *step;
    struct update update; /* what is the same for all parameters */
    double learning_rate;
    struct common_step common;
    bool around; /* there is something to do before an update, or after it */
    double square_of_all;
    int64_t pieces;
};

static const struct tensor *input(const struct update_job *j, int k, int which)
{
    const struct node_attrs *a = j->step->attrs;

    return j->step->in[first(a) + k * group(a) + which];
}

/* Element `from` of one of the inputs of parameter k; NULL where it has no such slot. */
static void *elements(const struct update_job *j, int k, int which, int64_t from)
{
    const struct tensor *t = which < 0 ? NULL : input(j, k, which);

    return t && t->data ? (char *)t->data + from * (int64_t)dtype_size(t->dtype) : NULL;
}

/* One of the optimiser's own slots. Of what is not kept for each element all is given. */
static void *own_slot(const struct update_job *j, int k, int i, int64_t from)
{
    const struct optimizer *o = ((const struct node_attrs *)j->step->attrs)->optimizer;

    return elements(j, k, 2 + i, o->def->slots[o->slot_place[i]].shape ? 0 : from);
}

static double rate_of(const struct update_job *j, int k)
{
    return j->learning_rate * ((const struct node_attrs *)j->step->attrs)->rate_factor[k];
}

static void *room_for(const struct update_job *j, int k)
{
    const struct node_attrs *a = j->step->attrs;

    return a->optimizer->def->prepare ? scratch_at(j->step, (size_t)k * prepared_bytes(a)) : NULL;
}

/* Elements [from, to) of parameter k, with their gradient, from element `from` on. */
static struct update part(const struct update_job *j, int k, int64_t from, int64_t to, const void *gradient)
{
    const struct optimizer *o = ((const struct node_attrs *)j->step->attrs)->optimizer;
    const double rate = rate_of(j, k);
    struct update u =
        rate == j->learning_rate ? j->update : optimizer_update(o, j->step->k, (float)rate, j->update.step);

    u.shape = input(j, k, 0);
    u.at = from;
    u.n = to - from;
    u.w = elements(j, k, 0, from);
    u.g = gradient;
    for (int i = 0; i < o->own_slots; i++)
        u.slots[o->slot_place[i]] = own_slot(j, k, i, from);
    u.prepared = room_for(j, k);
    return u;
}

static struct update_double part_double(const struct update_job *j, int k, int64_t from, int64_t to,
                                        const void *gradient)
{
    const struct optimizer *o = ((const struct node_attrs *)j->step->attrs)->optimizer;
    struct update_double u = { .settings = j->update.settings,
                               .learning_rate = rate_of(j, k),
                               .step = j->update.step,
                               .prepared = room_for(j, k),
                               .kernels = j->update.kernels,
                               .shape = input(j, k, 0),
                               .at = from,
                               .n = to - from,
                               .w = elements(j, k, 0, from),
                               .g = gradient };

    for (int i = 0; i < o->own_slots; i++)
        u.slots[o->slot_place[i]] = own_slot(j, k, i, from);
    return u;
}

static bool is_double(const struct update_job *j, int k)
{
    return input(j, k, 0)->dtype == F64;
}

static int64_t elements_of(const struct update_job *j, int k)
{
    return tensor_count(input(j, k, 0));
}

/* -- what is common to all optimisers -- */

static struct common_range common_part(const struct update_job *j, int k, int64_t from, int64_t to)
{
    const struct node_attrs *a = j->step->attrs;
    const int *slot = a->optimizer->common_slot;

    return (struct common_range){
        .dtype = input(j, k, 0)->dtype,
        .n = to - from,
        .w = elements(j, k, 0, from),
        .g = elements(j, k, 1, from),
        .accumulator = elements(j, k, slot[SLOT_ACCUMULATOR] < 0 ? -1 : 2 + slot[SLOT_ACCUMULATOR], from),
        .average = elements(j, k, slot[SLOT_AVERAGE] < 0 ? -1 : 2 + slot[SLOT_AVERAGE], from)
    };
}

static double *squares_of(const struct update_job *j, int k)
{
    const struct node_attrs *a = j->step->attrs;
    const int64_t parameters = parameters_of(a, j->step->node->inputs);

    return (double *)(void *)scratch_at(j->step, squares_at(a, parameters)) + (int64_t)k * MOST_PIECES;
}

/* Of pieces that the shape alone decides, in their order. */
static double square_of(const struct update_job *j, int k)
{
    double sum = 0;

    for (int64_t i = 0; i < j->pieces; i++)
        sum += squares_of(j, k)[i];
    return sum;
}

/* The gradient that the optimiser is given, and the values before its update. */
static void begin(const struct update_job *j, int k, const struct common_range *x, void *gradient)
{
    const struct node_attrs *a = j->step->attrs;
    const struct common_settings *s = &a->optimizer->common;

    if (common_changes_gradients(s))
        common_gradient(&j->common, x, common_clip_of(s, square_of(j, k), j->square_of_all), gradient);
    if (s->weight_decay > 0 && a->decays[k])
        common_decay(s, rate_of(j, k), x);
}

/* -- the update -- */

/* Where the gradient lies that an optimiser with `prepare` is given. */
static void *whole_gradient(const struct update_job *j, int k)
{
    const struct node_attrs *a = j->step->attrs;
    size_t at = gradients_at(a, parameters_of(a, j->step->node->inputs));

    if (!keeps_gradients(a))
        return elements(j, k, 1, 0);
    for (int i = 0; i < k; i++)
        at += lines((size_t)tensor_bytes(input(j, i, 0)));
    return scratch_at(j->step, at);
}

static void prepare_parameter(void *context, int64_t at, int thread)
{
    const struct update_job *j = context;
    const struct optimizer_def *def = ((const struct node_attrs *)j->step->attrs)->optimizer->def;
    const int k = (int)at;
    const int64_t n = elements_of(j, k);
    void *gradient = whole_gradient(j, k);

    (void)thread;
    if (j->around) {
        const struct common_range x = common_part(j, k, 0, n);

        begin(j, k, &x, gradient);
    }
    if (is_double(j, k)) {
        const struct update_double u = part_double(j, k, 0, n, gradient);

        def->prepare_double(&u, room_for(j, k));
    } else {
        const struct update u = part(j, k, 0, n, gradient);

        def->prepare(&u, room_for(j, k));
    }
}

/* float16 and bfloat16 reach less far than the float that is rounded to them. */
static bool all_below(const float *w, int64_t n, double limit)
{
    bool below = true;

    for (int64_t k = 0; isfinite(limit) && k < n; k++)
        below &= fabs((double)w[k]) < limit;
    return below;
}

/* False: not all of it can be saved. */
static bool apply_to(const struct update_job *j, int k, int64_t from, int64_t to, const void *gradient)
{
    const struct node_attrs *a = j->step->attrs;

    if (is_double(j, k)) {
        const struct update_double u = part_double(j, k, from, to, gradient);

        return a->optimizer->def->apply_double(&u);
    } else {
        const struct update u = part(j, k, from, to, gradient);

        return a->optimizer->def->apply(&u) && all_below(u.w, u.n, a->limit[k]);
    }
}

/* The same with what all optimisers can do besides, of so few elements that they stay in the cache. */
static bool apply_around(const struct update_job *j, int k, int64_t from, int64_t to)
{
    const struct node_attrs *a = j->step->attrs;
    const struct common_range x = common_part(j, k, from, to);
    const bool prepared = a->optimizer->def->prepare;
    double room[CHUNK];
    void *gradient = prepared ? (char *)whole_gradient(j, k) + from * (int64_t)dtype_size(x.dtype)
                     : common_changes_gradients(&a->optimizer->common) ? room
                                                                       : elements(j, k, 1, from);
    bool ok = true;

    if (!j->common.updates)
        common_accumulate(&x);
    else if (!prepared)
        begin(j, k, &x, gradient);
    if (j->common.updates)
        ok = apply_to(j, k, from, to, gradient);
    if (x.average)
        common_average(&j->common, &x);
    return ok;
}

static bool apply(const struct update_job *j, int k, int64_t from, int64_t to)
{
    bool ok = true;

    if (!j->around)
        return apply_to(j, k, from, to, elements(j, k, 1, from));
    for (int64_t at = from; at < to; at += CHUNK)
        ok &= apply_around(j, k, at, at + CHUNK < to ? at + CHUNK : to);
    return ok;
}

/* Of each parameter its share: the rows of a matrix that a thread updates are those that it reads in a product whose
 * depth is cut among threads (kernels/dense_stream.h). */
static void run_piece(void *context, int64_t i, int thread)
{
    const struct update_job *j = context;
    const struct node_attrs *a = j->step->attrs;
    const int parameters = (int)parameters_of(a, j->step->node->inputs);

    (void)thread;
    for (int k = 0; k < parameters; k++) {
        const int64_t n = elements_of(j, k), from = piece_at(n, i, j->pieces), to = piece_at(n, i + 1, j->pieces);

        if (from < to && !apply(j, k, from, to))
            atomic_store_explicit(&a->suspect[k], true, memory_order_relaxed);
    }
}

/* Statistics are few numbers, and known before anything is changed. */
static bool check_watched(struct step *s, const struct node_attrs *u)
{
    for (int k = WATCHED; k < first(u); k += 2) {
        const struct tensor *next = s->in[k], *now = s->in[k + 1];
        const int64_t n = tensor_count(next);

        const double limit = u->watched_limit[(k - WATCHED) / 2];

        for (int64_t i = 0; i < n; i++) {
            const double after = real_at(next->dtype, next->data, i);

            if (has_become_infinite(real_at(now->dtype, now->data, i), after) ||
                (isfinite(after) && fabs(after) >= limit))
                return step_error(s,
                                  "statistic '%s' would %s: nothing was changed; a lower learning rate or other data "
                                  "may help",
                                  s->node->in[k + 1]->name,
                                  isfinite(after) ? "be larger than the type in its file holds" : "not be finite");
        }
    }
    return true;
}

/* What was not finite in the file may stay so: a mask of -inf that is added is taken for a bias. */
static bool check_suspects(struct step *s, const struct node_attrs *u)
{
    for (int at = first(u), k = 0; at < s->node->inputs; at += group(u), k++) {
        const enum dtype dtype = s->in[at]->dtype;
        const void *now = s->in[at]->data, *was = u->beginning[k];
        const int64_t n = atomic_exchange(&u->suspect[k], false) ? tensor_count(s->in[at]) : 0;

        for (int64_t i = 0; i < n; i++) {
            const double before = was ? real_at(dtype, was, i) : 0, after = real_at(dtype, now, i);

            if (has_become_infinite(before, after) || (isfinite(after) && fabs(after) >= u->limit[k]))
                return step_error(s,
                                  "element %lld of '%s' has become %s: the state cannot be saved any more; a lower "
                                  "learning rate or a larger epsilon may help",
                                  (long long)i, s->node->in[at]->name,
                                  isnan(after)      ? "no number"
                                  : isfinite(after) ? "larger than the type in its file holds"
                                                    : "infinite");
        }
    }
    return true;
}

/* -- gradients, before anything changes -- */

static void measure_piece(void *context, int64_t i, int thread)
{
    const struct update_job *j = context;
    const int parameters = (int)parameters_of(j->step->attrs, j->step->node->inputs);

    (void)thread;
    for (int k = 0; k < parameters; k++) {
        const int64_t n = elements_of(j, k);
        const struct common_range x = common_part(j, k, piece_at(n, i, j->pieces), piece_at(n, i + 1, j->pieces));

        squares_of(j, k)[i] = common_measure(&j->common, &x);
    }
}

/* What is added up, and what is divided by its length, must be finite. */
static bool check_gradients(struct step *s, struct update_job *j)
{
    const struct node_attrs *a = s->attrs;
    const int parameters = (int)parameters_of(a, s->node->inputs);

    if (!common_changes_gradients(&a->optimizer->common))
        return true;
    pool_run(s->pool, j->pieces, measure_piece, j);
    for (int k = 0; k < parameters; k++) {
        const double square = square_of(j, k);

        if (!isfinite(square))
            return step_error(s,
                              "the gradient of '%s' is not finite: nothing was changed; a lower learning rate may help",
                              s->node->in[first(a) + k * group(a)]->name);
        j->square_of_all += square;
    }
    return true;
}

/* -- the step -- */

static struct update_job job_of(const struct step *s)
{
    const struct node_attrs *a = s->attrs;
    const struct optimizer *o = a->optimizer;
    const double rate = *(const double *)s->in[RATE]->data;
    const struct common_step common = common_step_at(&o->common, (int64_t)s->number);
    struct update_job j = { .step = s,
                            .update = optimizer_update(o, s->k, (float)rate, common.update),
                            .learning_rate = rate,
                            .common = common };
    int64_t n = 0;

    j.around = common_changes_gradients(&o->common) || o->common.weight_decay > 0 || o->common.use_ema;
    for (int k = 0; k < parameters_of(a, s->node->inputs); k++)
        n += elements_of(&j, k);
    j.pieces = pieces_of(o, n);
    return j;
}

static bool run(struct step *s)
{
    const struct node_attrs *a = s->attrs;
    const float loss = *(const float *)s->in[LOSS]->data;
    struct update_job j = job_of(s);

    if (!isfinite(loss))
        return step_error(s, "the loss is %s: nothing was changed; a lower learning rate may help",
                          isnan(loss) ? "not a number" : "infinite");
    if (!check_watched(s, a) || !check_gradients(s, &j))
        return false;
    if (a->optimizer->def->prepare && j.common.updates)
        pool_run(s->pool, parameters_of(a, s->node->inputs), prepare_parameter, &j);
    pool_run(s->pool, j.pieces, run_piece, &j);
    return check_suspects(s, a);
}

/* An update changes what it reads, so it is never folded and never tried in the walk over the registry. */
static const struct op_def defs[] = { { .since = 1,
                                        .signature = "R rate, L loss, T state* -> T next*",
                                        .types = "R: f64; L: f32; T: f32 f64",
                                        .attrs_size = sizeof(struct node_attrs),
                                        .infer = infer,
                                        .run = run,
                                        .no_gradient = "changes the state",
                                        .flags = OP_RUN_ONLY | OP_UPDATES },
                                      { 0 } };

bool optimizer_emit(struct emitter *e, const struct optimizer *o, const struct optimizer_inputs *i)
{
    struct op *op = emit_alloc(e, sizeof *op);
    struct node_attrs *a = emit_alloc(e, sizeof *a);
    const struct node_attrs made = { o,
                                     (int)i->watched,
                                     i->beginning,
                                     i->limit,
                                     i->watched_limit,
                                     i->rate_factor,
                                     i->decays,
                                     emit_alloc(e, i->parameters * sizeof *made.suspect) };
    const size_t inputs = (size_t)first(&made) + i->parameters * (size_t)group(&made);
    const size_t outputs = i->parameters * (size_t)(1 + o->slots);
    struct value **in = emit_alloc(e, inputs * sizeof *in), **out = emit_alloc(e, outputs * sizeof *out);
    size_t at = WATCHED;

    if (e->failed)
        return false;
    *op = (struct op){ .name = o->def->title, .domain = "kiln", .defs = defs };
    *a = made;
    in[RATE] = i->rate;
    in[LOSS] = i->loss;
    for (size_t k = 0; k < i->watched; k++) {
        in[at++] = i->next[k];
        in[at++] = i->now[k];
    }
    for (size_t p = 0; p < i->parameters; p++) {
        in[at++] = i->parameter[p];
        in[at++] = i->gradient[p];
        for (int k = 0; k < o->slots; k++)
            in[at++] = i->slots[p * (size_t)o->slots + (size_t)k];
    }
    if (!emit_private(e, op, a, (int)outputs, out, NULL, (int)inputs, in))
        return false;
    for (size_t k = 0; k < outputs; k++)
        if (!graph_add_output(e->graph, out[k]))
            return false;
    return true;
}
