/* One batch of a few samples must be what as many runs of the model make of them, each with a batch of the file's that
 * holds one of the samples in all places. */
#include "adapt/batch/batch.h"
#include "data/batch.h"
#include "data/element.h"
#include "plan/given.h"
#include "plan/open_sizes.h"
#include "run/session.h"
#include <math.h>
#include <string.h>

#define TOLERANCE 1e-5

enum { SAMPLES = 3, MOST = 1 << 28 }; /* MOST: bytes of an input */

struct proof {
    struct batch *batch;
    struct session *model, *freed;
    struct tensor *all, *one; /* by input of the graph: all samples; one of them in each place of the file's batch */
    const char *output;       /* that differs most, */
    double difference;        /* by so much, in units of the larger of 1 and the tensor's largest value; or in anything
                                 but floats, INFINITY */
};

/* -- samples -- */

/* Memory for one batch of each model. */
static bool give_memory(struct proof *p, size_t k, const struct tensor *type)
{
    struct batch *b = p->batch;
    struct report *r = b->adapt->report;
    struct tensor all = *type, one = *type;

    if (b->has[k]) {
        all.dims[0] = SAMPLES;
        one.dims[0] = b->size;
    }
    if (!tensor_shape(&p->all[k], type->dtype, type->rank, all.dims) ||
        !tensor_shape(&p->one[k], type->dtype, type->rank, one.dims) || tensor_bytes(&p->all[k]) > MOST ||
        tensor_bytes(&p->one[k]) > MOST)
        return fail(r, KILN_LIMIT, NULL, "input '%s' is too big to be tried", b->graph->inputs[k]->name);
    p->all[k].data = arena_alloc(&b->arena, (size_t)tensor_bytes(&p->all[k]), r);
    p->one[k].data = arena_alloc(&b->arena, (size_t)tensor_bytes(&p->one[k]), r);
    return p->all[k].data && p->one[k].data;
}

/* Are there enough samples of the caller's, for all that is read? */
static bool has_samples(const struct batch *b)
{
    for (size_t k = 0; k < b->graph->input_count; k++)
        if (!b->has[k])
            return false;
    return b->adapt->options->data && dataset_most(b->adapt->calibration.data) >= SAMPLES;
}

static bool take_samples(struct proof *p)
{
    struct batch *b = p->batch;
    const struct calibration *c = &b->adapt->calibration;
    const struct graph *g = b->graph;
    struct report *r = b->adapt->report;
    struct column_request *inputs = arena_array(&b->arena, g->input_count, sizeof *inputs, r);
    void **data = arena_array(&b->arena, g->input_count, sizeof *data, r);
    const struct batch_request q = { .inputs = g->input_count, .input = inputs };
    struct batches batches;
    int64_t count;
    bool ok = true;

    for (size_t k = 0; inputs && k < g->input_count; k++)
        inputs[k] = (struct column_request){ .name = g->inputs[k]->name, .type = &g->inputs[k]->type };
    if (!inputs || !data ||
        !batches_init(&batches, c->data, c->normalizer, &q, &(struct batch_options){ .batch = SAMPLES }, &b->budget, r))
        return false;
    for (size_t k = 0; ok && k < g->input_count; k++) {
        ok = give_memory(p, k, &batches.x[k].type);
        data[k] = p->all[k].data;
    }
    ok = ok && batches_next(&batches, data, NULL, &count, r);
    batches_release(&batches);
    return ok;
}

static bool draw_samples(struct proof *p)
{
    struct batch *b = p->batch;

    for (size_t k = 0; k < b->graph->input_count; k++) {
        const struct value *v = b->graph->inputs[k];
        const struct tensor type = given_closed(open_type(b->graph, b->x, k), 1);

        if (!v->has_type || type.kind != TENSOR || type.rank < 0 || !element_getter(type.dtype)) {
            b->stuck = arena_printf(&b->arena, b->adapt->report, "input '%s' is nothing that could be tried", v->name);
            return b->stuck;
        }
        if (!b->has[k] && open_samples(b->graph, k) > 0) {
            b->stuck = arena_printf(&b->arena, b->adapt->report, "input '%s' does not begin with its samples", v->name);
            return b->stuck;
        }
        if (!give_memory(p, k, &type))
            return false;
        elements_draw(type.dtype, p->all[k].data, tensor_count(&p->all[k]), 1, (int32_t)k);
    }
    return true;
}

/* Sample i in all places of the file's batch. */
static void place_sample(struct proof *p, int64_t i)
{
    for (size_t k = 0; k < p->batch->graph->input_count; k++) {
        const struct tensor *all = &p->all[k], *one = &p->one[k];
        const int64_t places = p->batch->has[k] ? p->batch->size : 1;
        const size_t bytes = (size_t)(tensor_bytes(one) / places);

        for (int64_t place = 0; bytes && place < places; place++)
            memcpy((char *)one->data + (size_t)place * bytes,
                   (const char *)all->data + (p->batch->has[k] ? (size_t)i * bytes : 0), bytes);
    }
}

/* -- runs -- */

static bool run(struct session *s, const struct graph *g, const struct tensor *x, struct report *r)
{
    for (size_t k = 0; k < g->input_count; k++)
        if (!session_set(s, g->inputs[k], &x[k], r))
            return false;
    return session_run(s, r);
}

/* -- comparing -- */

/* An output as samples see it: outer blocks, in each a block for each sample. */
struct view {
    const struct tensor *of;
    int64_t outer, samples, inner;
};

static struct view view_of_samples(const struct tensor *t, const struct track *track, int64_t samples)
{
    struct view v = { t, 1, 1, tensor_count(t) };

    if (track->dim < 0)
        return v;
    v.outer = dims_product(t->dims, 0, track->dim) * track->before;
    v.samples = samples;
    v.inner = v.outer > 0 ? v.inner / samples / v.outer : 0;
    return v;
}

static double apart(double x, double y)
{
    const double d = fabs(x - y);

    if (x == y || (isnan(x) && isnan(y)))
        return 0;
    return isnan(d) ? INFINITY : d;
}

static double largest(const struct tensor *t, element_get *get)
{
    double most = 1;

    for (int64_t k = 0; k < tensor_count(t); k++)
        if (isfinite(get(t->data, k)))
            most = fmax(most, fabs(get(t->data, k)));
    return most;
}

/* Sample i of all, and what the file makes of it in each of its places. */
static double compare_sample(const struct view *all, int64_t i, const struct view *one)
{
    element_get *const get = element_getter(all->of->dtype);
    const bool exact = !dtype_is_float(all->of->dtype);
    double most = 0;

    for (int64_t o = 0; o < all->outer; o++)
        for (int64_t place = 0; place < one->samples; place++)
            for (int64_t k = 0; k < all->inner; k++) {
                const int64_t x = (o * all->samples + i) * all->inner + k;
                const int64_t y = (o * one->samples + place) * one->inner + k;
                const double d = apart(get(all->of->data, x), get(one->of->data, y));

                most = fmax(most, exact && d > 0 ? INFINITY : d);
            }
    return most / largest(all->of, get);
}

/* Output k, of which sample i was run alone. False where nothing can be said of it, which b->stuck says then. */
static bool compare_output(struct proof *p, size_t k, int64_t i)
{
    struct batch *b = p->batch;
    const struct value *v = b->graph->outputs[k];
    const struct tensor *all = session_output(p->freed, k), *one = session_output(p->model, k);
    const struct track *track = &b->track[v->id];
    bool alike = all->kind == TENSOR && one->kind == TENSOR && all->dtype == one->dtype && all->rank == one->rank;
    struct view v_all, v_one;
    double d;

    for (int n = 0; alike && n < all->rank; n++)
        alike = n == track->dim ? all->dims[n] * b->size == one->dims[n] * SAMPLES : all->dims[n] == one->dims[n];
    if (!alike || !element_getter(all->dtype)) {
        b->stuck = arena_printf(&b->arena, b->adapt->report, "output '%s' is nothing that can be compared by samples",
                                v->name);
        return false;
    }
    v_all = view_of_samples(all, track, SAMPLES);
    v_one = view_of_samples(one, track, b->size);
    d = compare_sample(&v_all, track->dim < 0 ? 0 : i, &v_one);
    if (d > p->difference || !p->output) {
        p->difference = d;
        p->output = v->name;
    }
    return true;
}

static bool compare_all(struct proof *p, const struct model *freed, struct report *quiet)
{
    const struct graph *g = p->batch->graph;

    if (!run(p->freed, freed->graph, p->all, quiet))
        return false;
    for (int64_t i = 0; i < SAMPLES; i++) {
        place_sample(p, i);
        if (!run(p->model, g, p->one, quiet))
            return false;
        for (size_t k = 0; k < g->output_count; k++)
            if (!compare_output(p, k, i))
                return true;
    }
    return true;
}

static struct session *begin_session(const struct batch *b, const struct graph *g, struct report *r)
{
    const struct calibration *c = &b->adapt->calibration;
    const struct session_options o = {
        .threads = c->threads, .memory = c->limits.limit, .seconds = c->limits.seconds, .total = c->limits.total
    };

    return session_new(g, &o, r);
}

bool batch_prove(struct batch *b, const struct model *freed, int64_t *samples)
{
    struct report quiet = { 0 }, *r = b->adapt->report;
    struct proof p = { .batch = b };
    const size_t inputs = b->graph->input_count;
    bool ok;

    *samples = SAMPLES;
    p.all = arena_array(&b->arena, inputs, sizeof *p.all, r);
    p.one = arena_array(&b->arena, inputs, sizeof *p.one, r);
    if (!p.all || !p.one || !(has_samples(b) ? take_samples(&p) : draw_samples(&p)))
        return false;
    if (b->stuck)
        return true;
    p.model = begin_session(b, b->graph, &quiet);
    p.freed = p.model ? begin_session(b, freed->graph, &quiet) : NULL;
    ok = p.freed && compare_all(&p, freed, &quiet);
    session_free(p.model);
    session_free(p.freed);
    if (!ok && !batch_misfit(&quiet))
        return fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
    if (!ok) {
        b->where = arena_string(&b->arena, quiet.error.where, strlen(quiet.error.where), r);
        b->stuck = arena_string(&b->arena, quiet.error.message, strlen(quiet.error.message), r);
    } else if (!b->stuck && p.difference > TOLERANCE)
        b->stuck = arena_printf(
            &b->arena, r,
            "one batch of %d samples is not what %d runs of %lld make of them: output '%s' differs by %.3g",
            (int)SAMPLES, (int)SAMPLES, (long long)b->size, p.output, p.difference);
    return !failed(r);
}
