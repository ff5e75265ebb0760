/* The batch of the file, plans for it and for others, and where the samples are in them. */
#include "adapt/batch/batch.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/open_sizes.h"
#include "plan/pass.h"

bool batch_misfit(const struct report *r)
{
    const kiln_status code = r->error.code;

    return failed(r) && code != KILN_LIMIT && code != KILN_NO_MEMORY && code != KILN_STOPPED;
}

/* -- planning -- */

static struct plan_context context(struct batch *b, struct report *r)
{
    budget_start(&b->budget);
    return (struct plan_context){ .kernels = kernels_get(), .threads = 1, .budget = &b->budget, .report = r };
}

struct tensor batch_scaled(const struct batch *b, const struct tensor *t, int dim, int64_t samples)
{
    struct tensor scaled = *t;

    scaled.data = NULL;
    scaled.dims[dim] = t->dims[dim] / b->size * samples;
    return scaled;
}

/* Types of all that comes to the graph for so many samples, in `a`. */
static struct tensor *types_for(const struct batch *b, const struct graph *g, int64_t samples, struct arena *a,
                                struct report *r)
{
    struct tensor *types = given_types(g, a, r);

    for (size_t k = 0; types && k < g->input_count; k++) {
        struct tensor *t = &types[g->inputs[k]->id];

        if (!g->inputs[k]->has_type)
            continue;
        *t = *open_type(g, b->x, k);
        if (b->has[k])
            t->dims[0] = samples;
        *t = given_closed(t, open_samples(g, k) > 0 ? samples : 1);
    }
    return types;
}

struct program *batch_plan(struct batch *b, const struct graph *g, int64_t samples, struct report *r)
{
    struct arena scratch = { .budget = &b->budget };
    const struct plan_context c = context(b, r);
    struct tensor *types = types_for(b, g, samples, &scratch, r);
    struct program *p = types ? plan_types(g, types, NULL, &c) : NULL;

    arena_release(&scratch);
    return p;
}

/* -- where the samples are -- */

static int differs(const struct batch *b, const struct tensor *file, const struct tensor *other)
{
    int found = UNKNOWN;

    if (!tensor_known(file) || !tensor_known(other) || file->rank != other->rank)
        return UNKNOWN;
    for (int d = 0; d < file->rank; d++) {
        if (file->dims[d] == other->dims[d])
            continue;
        if (found >= 0 || file->dims[d] % b->size || other->dims[d] != file->dims[d] * BATCH_OTHER)
            return UNKNOWN;
        found = d;
    }
    return found;
}

int64_t batch_outer(const struct batch *b, const struct value *v)
{
    const struct track *t = &b->track[v->id];

    return dims_product(file_type(b, v)->dims, 0, t->dim) * t->before;
}

/* The elements of the first input, in the same order. */
static bool keeps_order(const struct node *n)
{
    return node_is(n, &op_reshape) || node_is(n, &op_flatten) || node_is(n, &op_squeeze) || node_is(n, &op_unsqueeze);
}

static int64_t before(const struct batch *b, const struct node *n, const struct value *y, int dim)
{
    const struct tensor *t = file_type(b, y);

    if (keeps_order(n) && tracked(b, n->in[0])) {
        const int64_t inner = dims_product(t->dims, 0, dim);

        return inner && batch_outer(b, n->in[0]) % inner == 0 ? batch_outer(b, n->in[0]) / inner : 1;
    }
    for (int k = 0; k < n->inputs; k++)
        if (tracked(b, n->in[k]) && file_type(b, n->in[k])->dims[b->track[n->in[k]->id].dim] == t->dims[dim])
            return b->track[n->in[k]->id].before;
    return 1;
}

static void find_tracks(struct batch *b)
{
    const struct graph *g = b->base;

    for (size_t k = 0; k < g->value_count; k++)
        b->track[k] = (struct track){ differs(b, &b->file->types[k], &b->other->types[k]), 1 };
    for (size_t k = 0; k < g->node_count; k++)
        for (int o = 0; o < g->nodes[k]->slots; o++) {
            const struct value *y = g->nodes[k]->out[o];

            if (tracked(b, y))
                b->track[y->id].before = before(b, g->nodes[k], y, b->track[y->id].dim);
        }
}

/* -- with mends -- */

/* The mend is made in `g`, a clone: what comes of it is said to be so. */
static bool pretend(const struct batch *b, const struct mend *m, struct graph *g, const struct tensor **type)
{
    struct node *n = g->nodes[m->node->id];

    if (m->kind == MEND_NOTHING)
        return true;
    if (m->kind == MEND_STATE) {
        n->in[m->input] = NULL;
        return true;
    }
    if (m->kind == MEND_ROWS) {
        *type = &b->file->types[m->node->in[m->input]->id];
        n->in[m->input] = graph_value(g, NULL);
        return n->in[m->input];
    }
    *type = &b->file->types[m->node->out[0]->id];
    g->values[m->node->out[0]->id]->initializer = NULL;
    for (int k = 0; k < n->inputs; k++) /* what it reads is to be known all the same */
        if (n->in[k] && !graph_add_output(g, n->in[k]))
            return false;
    return true;
}

static bool pretend_all(struct batch *b, struct graph *g, int64_t samples, struct tensor **types, struct arena *a,
                        struct report *r)
{
    const struct tensor **type = arena_array(a, b->mend_count, sizeof *type, r);

    for (size_t k = 0; type && k < b->mend_count; k++)
        if (!pretend(b, &b->mends[k], g, &type[k]))
            return false;
    *types = type ? types_for(b, g, samples, a, r) : NULL;
    for (size_t k = 0; *types && k < b->mend_count; k++) {
        const struct mend *m = &b->mends[k];
        const struct value *v = !type[k]               ? NULL
                                : m->kind == MEND_ROWS ? g->nodes[m->node->id]->in[m->input]
                                                       : g->values[m->node->out[0]->id];

        if (v)
            (*types)[v->id] = batch_scaled(b, type[k], m->dim, m->kind == MEND_ROWS && !m->repeat ? 1 : samples);
    }
    return *types;
}

bool batch_plan_mended(struct batch *b, struct report *quiet, size_t *refused)
{
    struct arena scratch = { .budget = &b->budget };
    const struct plan_context c = context(b, quiet);
    struct graph *g = graph_clone(b->base, &scratch, quiet);
    const struct node *node = NULL;
    struct tensor *types;

    program_free(b->other);
    b->other = NULL;
    if (g && pretend_all(b, g, BATCH_OTHER * b->size, &types, &scratch, quiet))
        b->other = plan_types_until(g, types, &c, &node);
    *refused = node ? (size_t)node->id : b->base->node_count;
    graph_release(g);
    arena_release(&scratch);
    if (b->other && (!node || batch_misfit(quiet))) {
        find_tracks(b);
        return true;
    }
    return fail(b->adapt->report, quiet->error.code, quiet->error.where, "%s", quiet->error.message);
}

/* -- begin and end -- */

/* Which inputs have samples: those that begin with as many as the first one, or leave it open as that does. */
static bool find_inputs(struct batch *b)
{
    const struct graph *g = b->graph;
    const struct value *first = g->input_count ? g->inputs[0] : NULL;

    b->has = arena_array(&b->arena, g->input_count, sizeof *b->has, b->adapt->report);
    if (!b->has)
        return false;
    if (!first || !first->has_type || first->type.kind != TENSOR || first->type.rank < 1)
        return true;
    b->told = first->type.dims[0] != UNKNOWN;
    b->size = first->type.dims[0] > 0 && first->type.dims[0] < INT32_MAX / BATCH_OTHER ? first->type.dims[0] : 0;
    for (size_t k = 0; k < g->input_count; k++) {
        const struct value *v = g->inputs[k];

        b->has[k] = v->has_type && v->type.kind == TENSOR && v->type.rank > 0 && v->type.dims[0] == first->type.dims[0];
    }
    return true;
}

/* In inference Dropout gives what it reads, but what it gives is no constant: in training it is drawn. */
static bool fold_constants(struct rewrite *w)
{
    struct graph *g = w->graph;
    const size_t outputs = g->output_count;
    bool ok = true;

    for (size_t k = 0; ok && k < g->node_count; k++)
        ok = !node_is(g->nodes[k], &op_dropout) || !g->nodes[k]->out[0] || graph_add_output(g, g->nodes[k]->out[0]);
    ok = ok && pass_constants(w);
    g->output_count = outputs;
    return ok;
}

/* The clone, with constants folded. */
static bool fold(struct batch *b, struct report *quiet)
{
    struct plan_context c = context(b, quiet);
    struct rewrite w = { .c = &c };
    bool ok;

    c.once = true;
    w.graph = b->base = graph_clone(b->graph, &b->arena, quiet);
    if (!w.graph)
        return false;
    for (size_t k = 0; k < w.graph->value_count; k++) /* nobody gives another one in training */
        if (w.graph->values[k]->initializer)
            w.graph->values[k]->is_input = false;
    ok = fold_constants(&w);
    b->constants = w.constants;
    return ok;
}

/* What the exporter saw, where the inputs do not tell: batches that are common. */
static bool plan_file(struct batch *b, struct report *quiet)
{
    static const int64_t common[] = { 1, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 128, 256 };

    if (b->told)
        return (b->file = batch_plan(b, b->base, b->size, quiet));
    for (size_t k = 0; !b->file && k < sizeof common / sizeof *common; k++) {
        *quiet = (struct report){ 0 };
        b->file = batch_plan(b, b->base, b->size = common[k], quiet);
        if (!b->file && !batch_misfit(quiet))
            return false;
    }
    return b->file;
}

bool batch_begin(struct batch *b, struct adapt *a)
{
    struct report quiet = { 0 };

    *b = (struct batch){ .adapt = a,
                         .model = a->model,
                         .graph = a->model->graph,
                         .budget = budget_like(&a->calibration.limits),
                         .arena.budget = &b->budget };
    if (!find_inputs(b) || !adapt_inputs(a, b->graph, &b->x))
        return false;
    if (b->told && !b->size)
        return true;
    if (b->graph->input_count && b->has[0]) {
        if (!fold(b, &quiet) || !plan_file(b, &quiet)) {
            b->size = 0;
            return batch_misfit(&quiet) ||
                   fail(a->report, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
        }
        b->base->report = a->report;
        b->track = arena_array(&b->arena, b->base->value_count, sizeof *b->track, a->report);
        b->decided = arena_array(&b->arena, b->base->node_count, sizeof *b->decided, a->report);
        return b->track && b->decided;
    }
    b->size = 0;
    return true;
}

void batch_end(struct batch *b)
{
    budget_stop(&b->budget);
    program_free(b->file);
    program_free(b->other);
    program_free(b->constants);
    budget_free(&b->budget, b->decisions);
    budget_free(&b->budget, b->mends);
    graph_release(b->base);
    arena_release(&b->arena);
}
