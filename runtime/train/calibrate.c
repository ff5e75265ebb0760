#include "train/calibrate.h"
#include "data/element.h"
#include "kernels/kernels.h"
#include "ops/registry.h"
#include "plan/open_sizes.h"
#include "plan/pass.h"
#include "plan/samples_first.h"
#include "run/frame.h"
#include "train/batch_size.h"
#include <math.h>
#include <string.h>

struct program *plan_sample(const struct model *m, const struct tensor *x, struct budget *b, struct report *r)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = b, .report = r };

    return plan_samples(m->graph, x, 1, UNKNOWN, &c);
}

/* -- data -- */

/* What input k is given of a sample: a row of it, or all that it reads. */
static bool request_input(struct column_request *q, const struct graph *g, size_t k, struct arena *a, struct report *r)
{
    const struct value *v = g->inputs[k];
    const int samples = open_samples(g, k);
    struct tensor *all;

    if (!v->has_type)
        return fail(r, KILN_BAD_MODEL, NULL, "input '%s' has no type, must have one to be calibrated", v->name);
    *q = (struct column_request){ .name = v->name, .type = &v->type };
    if (samples == 0 || v->type.rank == MAX_RANK)
        return true;
    all = arena_alloc(a, sizeof *all, r);
    if (!all)
        return false;
    q->type = all;
    *all = samples_first(g, k, &v->type);
    if (samples > 0)
        return true;
    all->dims[0] = UNKNOWN;
    memcpy(all->dims + 1, v->type.dims, (size_t)v->type.rank * sizeof *v->type.dims);
    all->rank++;
    return true;
}

static bool request_inputs(struct batch_request *q, const struct graph *g, struct arena *a, struct report *r)
{
    struct column_request *inputs = arena_array(a, g->input_count, sizeof *inputs, r);

    if (!g->input_count)
        return fail(r, KILN_BAD_MODEL, NULL, "the model has no inputs, must have one to be calibrated");
    for (size_t k = 0; inputs && k < g->input_count; k++)
        if (!request_input(&inputs[k], g, k, a, r))
            return false;
    *q = (struct batch_request){ .inputs = g->input_count, .input = inputs };
    return inputs;
}

/* The type of all that input k reads at a time, its samples first. */
static struct tensor input_of_batch(const struct batches *b, const struct graph *g, size_t k)
{
    struct tensor t = b->x[k].type;

    if (open_samples(g, k) < 0 && t.rank == g->inputs[k]->type.rank + 1) {
        t.rank--;
        memmove(t.dims, t.dims + 1, (size_t)t.rank * sizeof *t.dims);
    }
    return t;
}

bool calibration_types(struct tensor *x, const struct graph *g, const struct dataset *d, struct arena *a, int64_t *most,
                       struct report *r)
{
    struct batch_request q;
    struct batches b;

    if (!request_inputs(&q, g, a, r) ||
        !batches_init(&b, d, NULL, &q, &(struct batch_options){ .batch = 1 }, a->budget, r))
        return false;
    *most = dataset_most(d);
    for (size_t k = 0; k < g->input_count; k++) {
        const int samples = open_samples(g, k);

        x[k] = input_of_batch(&b, g, k);
        x[k] = samples_in_place(g, k, &x[k]);
        x[k].data = NULL;
        if (samples >= 0 && samples < x[k].rank)
            x[k].dims[samples] = g->inputs[k]->type.dims[samples];
    }
    batches_release(&b);
    return true;
}

/* -- running over data -- */

/* A graph whose outputs are chosen, a frame, and batches for its inputs. */
struct runner {
    struct budget budget;
    struct arena arena;
    struct engine engine;
    struct graph *graph;
    struct passes passes;
    struct frame *frame;
    struct batches batches;
    bool has_batches;
    int64_t only;     /* the only batch that the model takes; 0: any */
    int64_t most;     /* samples at a time that there are of all inputs */
    struct tensor *x; /* [inputs]; what is behind them is the arena's */
    bool *by_sample;  /* [inputs]: not all of it is read with each batch */
    void **data;
    void **first;    /* [inputs]: the first sample */
    int64_t samples; /* so far */
    bool varies;     /* some were unlike it */
};

static void runner_release(struct runner *n)
{
    frame_free(n->frame);
    passes_free(&n->passes);
    graph_release(n->graph);
    arena_release(&n->arena);
    if (n->has_batches)
        batches_release(&n->batches);
    engine_release(&n->engine);
}

/* Of what input k is given. */
static size_t sample_bytes(const struct runner *n, size_t k)
{
    const struct tensor *t = &n->batches.x[k].type;

    return (size_t)(tensor_bytes(t) / t->dims[0]);
}

static bool open_batches(struct runner *n, const struct model *m, const struct calibration *c, struct report *r)
{
    const struct graph *g = m->graph;
    struct report quiet = { 0 }; /* who recovers has told it */
    const struct plan_context plan = engine_context(&n->engine, &quiet);
    struct batch_options o = { 0 };
    struct batch_request q;

    n->x = arena_array(&n->arena, g->input_count, sizeof *n->x, r);
    n->data = arena_array(&n->arena, g->input_count, sizeof *n->data, r);
    n->by_sample = arena_array(&n->arena, g->input_count, sizeof *n->by_sample, r);
    n->first = arena_array(&n->arena, g->input_count, sizeof *n->first, r);
    if (!n->x || !n->data || !n->by_sample || !n->first ||
        !calibration_types(n->x, g, c->data, &n->arena, &n->most, r) || !request_inputs(&q, g, &n->arena, r))
        return false;
    if (!batch_size_find(g, n->x, &plan, &n->only))
        return fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
    if (!batch_size(c->batch > 0 ? c->batch : 64, n->only, n->most, &o.batch, r) ||
        !batches_init(&n->batches, c->data, c->normalizer, &q, &o, &n->budget, r))
        return false;
    n->has_batches = true;
    for (size_t k = 0; k < q.inputs; k++) {
        n->x[k] = input_of_batch(&n->batches, g, k);
        n->by_sample[k] = open_samples(g, k) >= 0;
        n->data[k] = n->x[k].data = arena_alloc(&n->arena, (size_t)tensor_bytes(&n->batches.x[k].type), r);
        n->first[k] = arena_alloc(&n->arena, sample_bytes(n, k), r);
        if (!n->data[k] || !n->first[k])
            return false;
    }
    batches_start(&n->batches, 0);
    return true;
}

/* Outputs alone are computed as a session does. */
static struct frame *frame_of(struct runner *n, bool outputs, struct report *r)
{
    const struct plan_context plan = engine_context(&n->engine, r);

    return outputs ? frame_new_main(&n->engine, passes_run(&n->passes, n->graph, &plan), &n->passes, r)
                   : frame_new(&n->engine, n->graph, r);
}

/* `at`: the values to be computed, NULL for the model's outputs. Nothing is appended to the clone but its list of outputs,
 * so the caller's values name the same places in it. */
static bool runner_init(struct runner *n, const struct model *m, const struct calibration *c,
                        const struct value *const *at, size_t count, struct report *r)
{
    const struct engine_options o = { .limits = c->limits, .threads = c->threads, .exact = true };

    *n = (struct runner){ .arena.budget = &n->budget };
    if (!engine_init(&n->engine, &n->budget, &o, r))
        return false;
    budget_stop(&n->budget); /* batches have their time each */
    n->graph = graph_clone(m->graph, &n->arena, r);
    if (!n->graph)
        return false;
    n->graph->report = r;
    if (!samples_come_first(n->graph, m->graph, r))
        return false;
    if (at)
        n->graph->output_count = 0;
    for (size_t k = 0; at && k < count; k++)
        if (!graph_add_output(n->graph, n->graph->values[at[k]->id]))
            return false;
    n->frame = frame_of(n, !at, r);
    return n->frame && open_batches(n, m, c, r);
}

static void look_at_samples(struct runner *n, int64_t count)
{
    for (size_t k = 0; k < n->graph->input_count; k++) {
        const size_t bytes = sample_bytes(n, k);
        const char *at = n->data[k];

        if (!n->samples)
            memcpy(n->first[k], at, bytes);
        for (int64_t s = 0; s < count && !n->varies; s++)
            n->varies = memcmp(n->first[k], at + (size_t)s * bytes, bytes) != 0;
    }
    n->samples += count;
}

/* Statistics of one sample, or of equal ones, are of its places at best. True where that is told. */
static bool warn_of_equal_samples(const struct runner *n, struct report *r)
{
    if (n->varies || !n->samples)
        return false;
    warn(r, NULL,
         "statistics are measured on %lld %s, which %s nothing of how samples differ: there must be more, or others",
         (long long)n->samples, n->samples == 1 ? "sample" : "samples that are equal",
         n->samples == 1 ? "tells" : "tell");
    return true;
}

/* *count is 0 at the end. */
static bool runner_next(struct runner *n, int64_t *count, struct report *r)
{
    bool ok;

    if (!batches_next(&n->batches, n->data, NULL, count, r))
        return false;
    if (*count < n->only)
        *count = 0;
    if (!*count)
        return true;
    look_at_samples(n, *count);
    for (size_t k = 0; k < n->graph->input_count; k++) {
        if (n->by_sample[k])
            n->x[k].dims[0] = *count;
        frame_set(n->frame, n->graph->inputs[k], &n->x[k]);
    }
    n->engine.number++; /* random numbers are others for each batch */
    budget_start(&n->budget);
    ok = frame_run(n->frame, r);
    budget_stop(&n->budget);
    return ok;
}

bool observe(const struct model *m, const struct calibration *c, const struct value *const *at, size_t count,
             struct tensor *types, struct report *r)
{
    struct runner n;
    int64_t samples;
    bool ok = runner_init(&n, m, c, at, count, r) && runner_next(&n, &samples, r);

    for (size_t k = 0; ok && k < count; k++) {
        types[k] = *frame_get(n.frame, n.graph->outputs[k]);
        types[k].data = NULL;
    }
    runner_release(&n);
    return ok;
}

/* -- moments -- */

/* Sums, in double, of the differences from the first value of each channel: no digits are lost where the mean is far
 * from 0. */
struct sums {
    int64_t count;
    double *shift, *sum, *squares;
};

static bool alloc_moments(struct moments *p, const struct tensor *t, struct arena *arena, struct report *r)
{
    p->channels = t->dims[p->axis];
    p->mean = arena_array(arena, (size_t)p->channels, sizeof *p->mean, r);
    p->variance = arena_array(arena, (size_t)p->channels, sizeof *p->variance, r);
    return p->mean && p->variance;
}

/* The sums are kept where the moments will be, which are 0. */
static bool start_sums(struct sums *s, struct moments *p, const struct tensor *t, struct arena *arena, struct report *r)
{
    element_get *const get = element_getter(t->dtype);
    const int64_t inner = dims_product(t->dims, p->axis + 1, t->rank);

    if (!s->shift)
        s->shift = arena_array(arena, (size_t)p->channels, sizeof *s->shift, r);
    s->sum = p->mean;
    s->squares = p->variance;
    for (int64_t c = 0; s->shift && c < p->channels && tensor_count(t); c++)
        s->shift[c] = get(t->data, c * inner);
    return s->shift;
}

static void add_sums(struct sums *s, const struct moments *p, const struct tensor *t)
{
    const int64_t outer = dims_product(t->dims, 0, p->axis), inner = dims_product(t->dims, p->axis + 1, t->rank);
    element_get *const get = element_getter(t->dtype);
    const float *floats = t->dtype == F32 ? t->data : NULL;
    int64_t at = 0;

    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < p->channels; c++)
            for (int64_t i = 0; i < inner; i++, at++) {
                const double d = (floats ? (double)floats[at] : get(t->data, at)) - s->shift[c];

                s->sum[c] += d;
                s->squares[c] += d * d;
            }
    s->count += outer * inner;
}

static void end_sums(const struct sums *s, struct moments *p)
{
    p->count = s->count;
    for (int64_t c = 0; c < p->channels && s->count; c++) {
        const double mean = s->sum[c] / (double)s->count, variance = s->squares[c] / (double)s->count - mean * mean;

        p->variance[c] = variance > 0 ? variance : 0;
        p->mean[c] = mean + s->shift[c];
    }
}

static bool can_be_measured(const struct moments *p, const struct tensor *t, struct report *r)
{
    return (dtype_is_float(t->dtype) && p->axis < t->rank) ||
           fail(r, KILN_UNSUPPORTED, p->at->name, "only float activations with channels can be calibrated");
}

/* A layer whose channels are all constant divides by epsilon alone: hardly what the data are to tell. */
static void warn_of_constants(const struct moments *places, size_t count, struct report *r)
{
    const struct moments *first = NULL;
    size_t constant = 0;

    for (size_t k = 0; k < count; k++) {
        bool varies = !places[k].channels;

        for (int64_t c = 0; c < places[k].channels && !varies; c++)
            varies = places[k].variance[c] > 0;
        if (varies)
            continue;
        first = constant++ ? first : &places[k];
    }
    if (constant)
        warn(r, first->at->name,
             "no channel varies over the data (%zu of %zu places that are measured): there must be more samples, or "
             "others",
             constant, count);
}

bool calibrate(const struct model *m, const struct calibration *c, struct moments *places, size_t count,
               struct arena *arena, struct report *r)
{
    struct sums *sums = arena_array(arena, count, sizeof *sums, r);
    const struct value **at = arena_array(arena, count, sizeof *at, r);
    struct runner n;
    int64_t samples = 0;
    bool ok;

    if (!sums || !at)
        return false;
    for (size_t k = 0; k < count; k++)
        at[k] = places[k].at;
    ok = runner_init(&n, m, c, at, count, r);
    while (ok && (ok = runner_next(&n, &samples, r)) && samples)
        for (size_t k = 0; ok && k < count; k++) {
            const struct tensor *t = frame_get(n.frame, n.graph->outputs[k]);

            ok = can_be_measured(&places[k], t, r) &&
                 (sums[k].count ||
                  (alloc_moments(&places[k], t, arena, r) && start_sums(&sums[k], &places[k], t, arena, r)));
            if (ok)
                add_sums(&sums[k], &places[k], t);
        }
    for (size_t k = 0; ok && k < count; k++)
        end_sums(&sums[k], &places[k]);
    if (ok && !warn_of_equal_samples(&n, r))
        warn_of_constants(places, count, r);
    runner_release(&n);
    return ok;
}

/* -- moments of each batch -- */

/* Dropout drops, whatever the file says. */
static bool train_dropout(struct runner *n, struct report *r)
{
    for (size_t k = 0; k < n->graph->node_count; k++) {
        struct node *d = n->graph->nodes[k];
        void *attrs;

        if (!node_is(d, &op_dropout))
            continue;
        attrs = arena_alloc(&n->arena, d->def->attrs_size, r);
        if (!attrs)
            return false;
        memcpy(attrs, d->attrs, d->def->attrs_size);
        d->def->train(attrs);
        d->attrs = attrs;
    }
    return true;
}

/* Of one batch, and of all. */
struct batch_moments {
    struct moments one;
    struct sums sums;
};

static bool add_batch(struct batch_moments *b, struct moments *p, const struct tensor *t, struct arena *arena,
                      struct report *r)
{
    if (!p->mean && (!alloc_moments(p, t, arena, r) || !alloc_moments(&b->one, t, arena, r)))
        return false;
    memset(b->one.mean, 0, (size_t)p->channels * sizeof *b->one.mean);
    memset(b->one.variance, 0, (size_t)p->channels * sizeof *b->one.variance);
    b->sums.count = 0;
    if (!start_sums(&b->sums, &b->one, t, arena, r))
        return false;
    add_sums(&b->sums, &b->one, t);
    end_sums(&b->sums, &b->one);
    for (int64_t c = 0; c < p->channels; c++) {
        p->mean[c] += b->one.mean[c];
        p->variance[c] += b->one.variance[c];
    }
    return true;
}

/* Has each channel of each place several values? *ok: could that be told? */
static bool has_variances(const struct runner *n, const struct moments *places, size_t count, bool *ok,
                          struct report *r)
{
    for (size_t k = 0; k < count; k++) {
        const struct tensor *t = frame_get(n->frame, n->graph->outputs[k]);

        *ok = can_be_measured(&places[k], t, r);
        if (!*ok || tensor_count(t) / 2 < t->dims[places[k].axis])
            return false;
    }
    return true;
}

/* Of all batches; how many there were. */
static bool add_batches(struct runner *n, struct moments *places, size_t count, int64_t *batches, struct arena *arena,
                        struct report *r)
{
    struct batch_moments *b = arena_array(arena, count, sizeof *b, r);
    int64_t samples;
    bool ok = b;

    for (size_t k = 0; ok && k < count; k++)
        b[k].one = places[k];
    for (*batches = 0; ok && (ok = runner_next(n, &samples, r)) && samples;) {
        if (!has_variances(n, places, count, &ok, r))
            continue;
        for (size_t k = 0; ok && k < count; k++)
            ok = add_batch(&b[k], &places[k], frame_get(n->frame, n->graph->outputs[k]), arena, r);
        ++*batches;
    }
    return ok;
}

bool calibrate_batches(const struct model *m, const struct calibration *c, struct moments *places, size_t count,
                       struct arena *arena, struct report *r)
{
    const struct value **at = arena_array(arena, count, sizeof *at, r);
    int64_t batches = 0;
    struct runner n;
    bool ok;

    if (!at)
        return false;
    for (size_t k = 0; k < count; k++) {
        at[k] = places[k].at;
        places[k].mean = places[k].variance = NULL;
    }
    ok = runner_init(&n, m, c, at, count, r);
    ok = ok && train_dropout(&n, r) && add_batches(&n, places, count, &batches, arena, r);
    if (ok && batches)
        warn_of_equal_samples(&n, r);
    runner_release(&n);
    if (ok && !batches)
        return fail(
            r, KILN_BAD_DATA, NULL,
            "no batch has more than one value for each channel, which a variance is measured of: there must be at "
            "least 2 samples");
    for (size_t k = 0; ok && k < count; k++)
        for (int64_t i = 0; i < places[k].channels; i++) {
            places[k].mean[i] /= (double)batches;
            places[k].variance[i] /= (double)batches;
        }
    return ok;
}

/* -- comparing -- */

static double apart(double x, double y)
{
    const double d = fabs(x - y);

    if (x == y || (isnan(x) && isnan(y)))
        return 0;
    return isnan(d) ? INFINITY : d;
}

static bool same_bytes(const struct tensor *a, const struct tensor *b, int64_t k)
{
    const size_t size = dtype_size(a->dtype);
    const struct string *s, *t;

    if (a->dtype != STRING)
        return memcmp((const char *)a->data + (size_t)k * size, (const char *)b->data + (size_t)k * size, size) == 0;
    s = ((struct string *const *)a->data)[k];
    t = ((struct string *const *)b->data)[k];
    if ((s ? s->length : 0) != (t ? t->length : 0))
        return false;
    return !s || !t || memcmp(s->bytes, t->bytes, s->length) == 0;
}

static void compare_tensors(const struct tensor *a, const struct tensor *b, struct comparison *out)
{
    element_get *const get = element_getter(a->dtype);
    const int64_t n = tensor_count(a);
    double largest = 1, difference = 0;

    for (int64_t k = 0; k < n && dtype_is_float(a->dtype); k++) {
        const double x = get(a->data, k);

        difference = fmax(difference, apart(x, get(b->data, k)));
        largest = isfinite(x) ? fmax(largest, fabs(x)) : largest;
        out->not_finite += !isfinite(x);
    }
    out->difference = fmax(out->difference, difference / largest);
    for (int64_t k = 0; k < n && !dtype_is_float(a->dtype); k++)
        out->unlike += !same_bytes(a, b, k);
    out->floats += dtype_is_float(a->dtype) ? n : 0;
    out->others += dtype_is_float(a->dtype) ? 0 : n;
}

/* Sequences hold tensors and optionals at most sequences: the recursion is two deep. */
static bool compare_values(const struct tensor *a, const struct tensor *b, const char *name, struct comparison *out,
                           struct report *r)
{
    char s[TYPE_TEXT], t[TYPE_TEXT];

    if (!same_type(a, b))
        return fail(r, KILN_MISMATCH, NULL, "output '%s' is %.100s before and %.100s after", name, tensor_text(a, s),
                    tensor_text(b, t));
    if (a->kind == OPTIONAL) {
        const struct optional *x = a->data, *y = b->data;

        if (x->present != y->present)
            return fail(r, KILN_MISMATCH, NULL, "output '%s' is there before or after, not both", name);
        return !x->present || compare_values(&x->value, &y->value, name, out, r);
    }
    if (a->kind == SEQUENCE) {
        const struct sequence *x = a->data, *y = b->data;

        if (x->count != y->count)
            return fail(r, KILN_MISMATCH, NULL, "output '%s' has %lld items before and %lld after", name,
                        (long long)x->count, (long long)y->count);
        for (int64_t k = 0; k < x->count; k++)
            if (!compare_values(&x->items[k], &y->items[k], name, out, r))
                return false;
        return true;
    }
    compare_tensors(a, b, out);
    return true;
}

/* The same batches for both: where one takes no other than its own, so does the other one. */
static bool runners_init(struct runner n[2], const struct model *a, const struct model *b, const struct calibration *c,
                         const struct value **const at[2], size_t count, struct report *r)
{
    struct calibration same = *c;
    bool ok = runner_init(&n[0], a, c, at[0], count, r);

    if (n[0].only)
        same.batch = n[0].only;
    ok = runner_init(&n[1], b, &same, at[1], count, r) && ok;
    if (!n[1].only)
        n[1].only = n[0].only;
    return ok;
}

/* The outputs of both for the same batches, to the end or only the first. */
static bool compare_runs(struct runner n[2], bool all, const struct graph *names, struct comparison *out,
                         struct report *r)
{
    int64_t samples;

    for (;;) {
        if (!runner_next(&n[0], &samples, r) || !runner_next(&n[1], &samples, r))
            return false;
        for (size_t k = 0; samples && k < n[0].graph->output_count; k++)
            if (!compare_values(frame_get(n[0].frame, n[0].graph->outputs[k]),
                                frame_get(n[1].frame, n[1].graph->outputs[k]), names->outputs[k]->name, out, r))
                return false;
        if (!samples || !all)
            return true;
    }
}

bool compare_models(const struct model *a, const struct model *b, const struct calibration *c, struct comparison *out,
                    struct report *r)
{
    struct runner n[2];
    const struct value **const all[2] = { NULL, NULL };
    bool ok = runners_init(n, a, b, c, all, 0, r);

    *out = (struct comparison){ 0 };
    ok = ok && compare_runs(n, true, a->graph, out, r);
    runner_release(&n[0]);
    runner_release(&n[1]);
    return ok;
}

/* Values of floats that both models make and call by the same name, in the order of a's nodes. */
static size_t common_values(const struct model *a, const struct model *b, const struct value **at[2],
                            struct arena *arena, struct report *r)
{
    struct map names;
    size_t count = 0;

    map_init(&names, arena->budget);
    for (int k = 0; k < 2; k++)
        at[k] = arena_array(arena, a->graph->value_count, sizeof **at, r);
    if (at[0] && at[1] && graph_names(b->graph, &names, r))
        for (size_t k = 0; k < a->graph->node_count; k++)
            for (int o = 0; o < a->graph->nodes[k]->outputs; o++) {
                const struct value *v = a->graph->nodes[k]->out[o], *w = v && v->name ? map_get(&names, v->name) : NULL;

                if (!w || !w->producer)
                    continue;
                at[0][count] = v;
                at[1][count++] = w;
            }
    map_release(&names);
    return count;
}

const struct node *compare_nodes(const struct model *a, const struct model *b, const struct calibration *c,
                                 double tolerance, struct arena *arena, struct report *r)
{
    const struct value **at[2];
    const size_t count = common_values(a, b, at, arena, r);
    const struct node *found = NULL;
    struct report quiet = { 0 };
    struct runner n[2];
    bool ok = runners_init(n, a, b, c, at, count, &quiet);
    int64_t samples;

    ok = ok && runner_next(&n[0], &samples, &quiet) && runner_next(&n[1], &samples, &quiet);
    for (size_t k = 0; ok && !found && k < count; k++) {
        struct comparison apart = { 0 };

        if (!compare_values(frame_get(n[0].frame, n[0].graph->outputs[k]),
                            frame_get(n[1].frame, n[1].graph->outputs[k]), at[0][k]->name, &apart, &quiet) ||
            apart.difference > tolerance || apart.unlike)
            found = at[0][k]->producer;
    }
    runner_release(&n[0]);
    runner_release(&n[1]);
    return found;
}
