#include "train/optimizer.h"
#include <math.h>
#include <stdatomic.h>

/* -- what is asked for -- */

const struct spec_row *optimizer_table(size_t k)
{
    return optimizer_registry[k] ? &optimizer_registry[k]->row : NULL;
}

static void find_slots(struct optimizer *o)
{
    for (int k = 0; k < MAX_SLOTS && o->def->slots[k].name; k++) {
        const struct slot_def *slot = &o->def->slots[k];

        if (slot->needed_by && spec_value(&o->def->row, o->settings, slot->needed_by) == 0)
            continue;
        o->slot_names[o->slots] = slot->name;
        o->slot_place[o->slots++] = k;
    }
}

bool optimizer_parse(struct optimizer *out, const char *spec, struct arena *arena, struct report *r)
{
    const struct spec_subject about = { "optimizer", NULL, KILN_BAD_ARGUMENT };
    const struct spec_row *row = spec_find(optimizer_table, spec, &about, r);

    if (!row)
        return false;
    *out = (struct optimizer){ .def = (const struct optimizer_def *)row };
    out->settings = arena_alloc(arena, out->def->settings_size, r);
    if (!out->settings || !spec_read(out->settings, row, spec, &about, r))
        return false;
    out->learning_rate = spec_value(row, out->settings, "learning_rate");
    find_slots(out);
    return true;
}

/* -- arithmetic -- */

struct update optimizer_update(const struct optimizer *o, const struct kernels *k, float learning_rate, int64_t step)
{
    return (struct update){ .settings = o->settings,
                            .learning_rate = learning_rate,
                            .rate = o->def->rate ? o->def->rate(o->settings, learning_rate, step) : learning_rate,
                            .step = step,
                            .kernels = k };
}

bool all_finite(const float *x, int64_t n)
{
    bool finite = true;

    for (int64_t k = 0; k < n; k++)
        finite &= (bool)isfinite(x[k]);
    return finite;
}

bool has_become_infinite(double was, double now)
{
    return !isfinite(now) && now != was && !isnan(was);
}

double real_at(enum dtype dtype, const void *x, int64_t k)
{
    return dtype == F64 ? ((const double *)x)[k] : (double)((const float *)x)[k];
}

/* -- the node -- */

/* Inputs: the learning rate, the loss, what is watched (each next value and the one that it is to replace), then
 * parameters. */
enum { RATE, LOSS, WATCHED };

struct node_attrs {
    const struct optimizer *optimizer;
    int watched;
    const void *const *beginning; /* by parameter: what it began with; NULL where all of that was finite */
    const double *limit;          /* by parameter: what its file cannot hold */
    const double *watched_limit;  /* by value that is watched */
    const double *rate_factor;    /* by parameter */
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

/* What is prepared for a parameter stands apart from the others. */
static size_t prepared_bytes(const struct node_attrs *u)
{
    return (u->optimizer->def->prepared_size + 63) / 64 * 64;
}

static bool infer(struct infer *i)
{
    const struct node_attrs *u = infer_attrs(i);
    int out = 0;

    for (int p = first(u); p < infer_inputs(i); p += group(u)) {
        if (!same_type(typed_in(i, p), typed_in(i, p + 1)))
            return infer_error(i, "a gradient differs from its parameter in type");
        for (int k = 0; k < group(u); k++) {
            if (k == 1) /* the gradient is only read */
                continue;
            if (!set_out(i, out, typed_in(i, p)->dtype, typed_in(i, p)->rank, typed_in(i, p)->dims))
                return false;
            updates(i, out++, p + k);
        }
    }
    need_scratch(i, (size_t)parameters_of(u, infer_inputs(i)) * prepared_bytes(u));
    return true;
}

/* How many pieces the work is cut into: 10 us or so each of what this kind takes. */
static int64_t pieces_of(const struct optimizer *o, int64_t elements)
{
    enum { MOST = 64 };
    const int64_t each = o->slots ? 1 << 15 : 1 << 16;
    int64_t pieces = 1;

    while (pieces < MOST && pieces * each < elements)
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
    int64_t pieces;
};

/* Elements [from, to) of parameter k. */
static struct update part(const struct update_job *j, int k, int64_t from, int64_t to)
{
    const struct step *s = j->step;
    const struct node_attrs *a = s->attrs;
    const int at = first(a) + k * group(a);
    const double factor = a->rate_factor[k];
    struct update u = factor == 1
                          ? j->update
                          : optimizer_update(a->optimizer, s->k, (float)(j->learning_rate * factor), j->update.step);

    u.n = to - from;
    u.w = (float *)s->in[at]->data + from;
    u.g = (const float *)s->in[at + 1]->data + from;
    for (int i = 0; i < a->optimizer->slots; i++)
        u.slots[a->optimizer->slot_place[i]] = (float *)s->in[at + 2 + i]->data + from;
    u.prepared = a->optimizer->def->prepare ? scratch_at(s, (size_t)k * prepared_bytes(a)) : NULL;
    return u;
}

static struct update_double part_double(const struct update_job *j, int k, int64_t from, int64_t to)
{
    const struct step *s = j->step;
    const struct node_attrs *a = s->attrs;
    const int at = first(a) + k * group(a);
    struct update_double u = { .settings = j->update.settings,
                               .learning_rate = j->learning_rate * a->rate_factor[k],
                               .step = j->update.step,
                               .kernels = j->update.kernels,
                               .n = to - from };

    u.w = (double *)s->in[at]->data + from;
    u.g = (const double *)s->in[at + 1]->data + from;
    for (int i = 0; i < a->optimizer->slots; i++)
        u.slots[a->optimizer->slot_place[i]] = (double *)s->in[at + 2 + i]->data + from;
    return u;
}

static bool is_double(const struct step *s, int k)
{
    const struct node_attrs *a = s->attrs;

    return s->in[first(a) + k * group(a)]->dtype == F64;
}

static int64_t elements_of(const struct step *s, int k)
{
    const struct node_attrs *a = s->attrs;

    return tensor_count(s->in[first(a) + k * group(a)]);
}

static void prepare_parameter(void *context, int64_t k, int thread)
{
    const struct update_job *j = context;
    const struct node_attrs *a = j->step->attrs;
    struct update u;

    (void)thread;
    if (is_double(j->step, (int)k))
        return;
    u = part(j, (int)k, 0, elements_of(j->step, (int)k));
    a->optimizer->def->prepare(&u, scratch_at(j->step, (size_t)k * prepared_bytes(a)));
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
static bool apply(const struct update_job *j, int k, int64_t from, int64_t to)
{
    const struct node_attrs *a = j->step->attrs;

    if (is_double(j->step, k)) {
        const struct update_double u = part_double(j, k, from, to);

        return a->optimizer->def->apply_double(&u);
    } else {
        const struct update u = part(j, k, from, to);

        return a->optimizer->def->apply(&u) && all_below(u.w, u.n, a->limit[k]);
    }
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
        const int64_t n = elements_of(j->step, k), from = piece_at(n, i, j->pieces), to = piece_at(n, i + 1, j->pieces);

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

static bool run(struct step *s)
{
    const struct node_attrs *a = s->attrs;
    const float loss = *(const float *)s->in[LOSS]->data;
    const double rate = *(const double *)s->in[RATE]->data;
    const int64_t parameters = parameters_of(a, s->node->inputs), step = (int64_t)s->number + 1;
    struct update_job j = { .step = s,
                            .update = optimizer_update(a->optimizer, s->k, (float)rate, step),
                            .learning_rate = rate };
    int64_t n = 0;

    if (!isfinite(loss))
        return step_error(s, "the loss is %s: nothing was changed; a lower learning rate may help",
                          isnan(loss) ? "not a number" : "infinite");
    if (!check_watched(s, a))
        return false;
    for (int k = 0; k < parameters; k++)
        n += elements_of(s, k);
    if (a->optimizer->def->prepare)
        pool_run(s->pool, parameters, prepare_parameter, &j);
    j.pieces = pieces_of(a->optimizer, n);
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
