#include "train/calibrate.h"
#include "data/element.h"
#include "kernels/kernels.h"
#include "run/frame.h"
#include "train/batch_size.h"
#include <math.h>
#include <string.h>

struct program *plan_sample(const struct model *m, struct budget *b, struct report *r)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = b, .report = r };

    return plan_samples(m->graph, NULL, 1, UNKNOWN, &c);
}

/* -- running over data -- */

/* A graph whose outputs are chosen, a frame, and batches for its input. */
struct runner {
    struct budget budget;
    struct arena arena;
    struct engine engine;
    struct graph *graph;
    struct frame *frame;
    struct batches batches;
    bool has_batches;
    int64_t only; /* the only batch that the model takes; 0: any */
    struct tensor x;
};

static void runner_release(struct runner *n)
{
    frame_free(n->frame);
    graph_release(n->graph);
    arena_release(&n->arena);
    if (n->has_batches)
        batches_release(&n->batches);
    budget_free(&n->budget, n->x.data);
    engine_release(&n->engine);
}

static bool open_batches(struct runner *n, const struct model *m, const struct calibration *c, struct report *r)
{
    const struct graph *g = m->graph;
    struct report quiet = { 0 }; /* who recovers has told it */
    const struct plan_context plan = engine_context(&n->engine, &quiet);
    struct batch_options o = { 0 };
    struct column_request input = { 0 };
    const struct batch_request q = { .inputs = 1, .input = &input };

    if (g->input_count != 1 || !g->inputs[0]->has_type)
        return fail(r, KILN_BAD_MODEL, NULL, "the model has %zu inputs without a value, must have 1 to be calibrated",
                    g->input_count);
    if (!batch_size_find(g, NULL, &plan, &n->only))
        return fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
    if (!batch_size(c->batch > 0 ? c->batch : 64, n->only, c->data->count, &o.batch, r))
        return false;
    input = (struct column_request){ .name = g->inputs[0]->name, .type = &g->inputs[0]->type };
    if (!batches_init(&n->batches, c->data, c->normalizer, &q, &o, &n->budget, r))
        return false;
    n->has_batches = true;
    n->x = n->batches.x->type;
    n->x.data = budget_alloc(&n->budget, (size_t)tensor_bytes(&n->x), r);
    batches_start(&n->batches, 0);
    return n->x.data;
}

/* Nothing is appended to the clone but its list of outputs, so the caller's values name the same places in it. */
static bool runner_init(struct runner *n, const struct model *m, const struct calibration *c,
                        const struct moments *places, size_t count, struct report *r)
{
    const struct engine_options o = { .limits = c->limits, .threads = c->threads };

    *n = (struct runner){ .arena.budget = &n->budget };
    if (!engine_init(&n->engine, &n->budget, &o, r))
        return false;
    budget_stop(&n->budget); /* batches have their time each */
    n->graph = graph_clone(m->graph, &n->arena, r);
    if (!n->graph)
        return false;
    n->graph->report = r;
    if (places)
        n->graph->output_count = 0;
    for (size_t k = 0; places && k < count; k++)
        if (!graph_add_output(n->graph, n->graph->values[places[k].at->id]))
            return false;
    n->frame = frame_new(&n->engine, n->graph, r);
    return n->frame && open_batches(n, m, c, r);
}

/* *count is 0 at the end. */
static bool runner_next(struct runner *n, int64_t *count, struct report *r)
{
    bool ok;

    if (!batches_next(&n->batches, &n->x.data, NULL, count, r))
        return false;
    if (*count < n->only)
        *count = 0;
    if (!*count)
        return true;
    n->x.dims[0] = *count;
    frame_set(n->frame, n->graph->inputs[0], &n->x);
    budget_start(&n->budget);
    ok = frame_run(n->frame, r);
    budget_stop(&n->budget);
    return ok;
}

/* -- moments -- */

/* Sums, in double, of the differences from the first value of each channel: no digits are lost where the mean is far
 * from 0. */
struct sums {
    int64_t count;
    double *shift, *sum, *squares;
};

static bool start_sums(struct sums *s, struct moments *p, const struct tensor *t, struct arena *arena, struct report *r)
{
    const float *x = t->data;
    const int64_t inner = dims_product(t->dims, p->axis + 1, t->rank);

    p->channels = t->dims[p->axis];
    p->mean = arena_array(arena, (size_t)p->channels, sizeof *p->mean, r);
    p->variance = arena_array(arena, (size_t)p->channels, sizeof *p->variance, r);
    s->shift = arena_array(arena, (size_t)p->channels, sizeof *s->shift, r);
    s->sum = p->mean;
    s->squares = p->variance;
    if (!p->mean || !p->variance || !s->shift)
        return false;
    for (int64_t c = 0; c < p->channels && tensor_count(t); c++)
        s->shift[c] = (double)x[c * inner];
    return true;
}

static void add_sums(struct sums *s, const struct moments *p, const struct tensor *t)
{
    const int64_t outer = dims_product(t->dims, 0, p->axis), inner = dims_product(t->dims, p->axis + 1, t->rank);
    const float *x = t->data;

    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < p->channels; c++, x += inner)
            for (int64_t i = 0; i < inner; i++) {
                const double d = (double)x[i] - s->shift[c];

                s->sum[c] += d;
                s->squares[c] += d * d;
            }
    s->count += outer * inner;
}

static void end_sums(const struct sums *s, struct moments *p)
{
    for (int64_t c = 0; c < p->channels && s->count; c++) {
        const double mean = s->sum[c] / (double)s->count, variance = s->squares[c] / (double)s->count - mean * mean;

        p->variance[c] = variance > 0 ? variance : 0;
        p->mean[c] = mean + s->shift[c];
    }
}

bool calibrate(const struct model *m, const struct calibration *c, struct moments *places, size_t count,
               struct arena *arena, struct report *r)
{
    struct sums *sums = arena_array(arena, count, sizeof *sums, r);
    struct runner n;
    int64_t samples = 0;
    bool ok = sums && runner_init(&n, m, c, places, count, r);

    if (!sums)
        return false;
    while (ok && (ok = runner_next(&n, &samples, r)) && samples)
        for (size_t k = 0; ok && k < count; k++) {
            const struct tensor *t = frame_get(n.frame, n.graph->outputs[k]);

            if (t->dtype != F32 || places[k].axis >= t->rank)
                ok = fail(r, KILN_UNSUPPORTED, places[k].at->name,
                          "only float activations with channels can be calibrated");
            ok = ok && (sums[k].count || start_sums(&sums[k], &places[k], t, arena, r));
            if (ok)
                add_sums(&sums[k], &places[k], t);
        }
    for (size_t k = 0; ok && k < count; k++)
        end_sums(&sums[k], &places[k]);
    runner_release(&n);
    return ok;
}

/* -- comparing -- */

static double apart(double x, double y)
{
    const double d = fabs(x - y) / fmax(1, fabs(x));

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

    for (int64_t k = 0; k < n && dtype_is_float(a->dtype); k++)
        out->difference = fmax(out->difference, apart(get(a->data, k), get(b->data, k)));
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

bool compare_models(const struct model *a, const struct model *b, const struct calibration *c, struct comparison *out,
                    struct report *r)
{
    struct runner n[2];
    int64_t samples;
    bool ok = runner_init(&n[0], a, c, NULL, 0, r);

    ok = runner_init(&n[1], b, c, NULL, 0, r) && ok;
    ok = ok && runner_next(&n[0], &samples, r) && runner_next(&n[1], &samples, r);
    *out = (struct comparison){ 0 };
    for (size_t k = 0; ok && k < a->graph->output_count; k++)
        ok = compare_values(frame_get(n[0].frame, n[0].graph->outputs[k]),
                            frame_get(n[1].frame, n[1].graph->outputs[k]), a->graph->outputs[k]->name, out, r);
    runner_release(&n[0]);
    runner_release(&n[1]);
    return ok;
}
