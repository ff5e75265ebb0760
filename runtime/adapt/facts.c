#include "adapt/facts.h"
#include "adapt/step.h"
#include "data/element.h"
#include "kernels/kernels.h"
#include "ops/registry.h"
#include "plan/program.h"
#include "train/batch_size.h"
#include "train/calibrate.h"
#include "train/told.h"
#include "train/trainable.h"
#include <string.h>

/* Two samples, so that what has samples differs from what has none, and 2 for other dimensions that are open, where the data
 * do not tell them. The batch of the file where no other passes. */
static bool plan(struct facts *f, struct report *r)
{
    struct report quiet = { 0 };
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &f->budget, .report = &quiet };
    int64_t only = 0;
    bool ok;

    budget_start(&f->budget);
    ok = batch_size_find(f->model->graph, f->x, &c, &only);
    if (ok) {
        quiet = (struct report){ 0 };
        f->types = plan_samples(f->model->graph, f->x, 2, only ? only : 2, &c);
        /* other refusals may be of the batch that was tried */
        ok = f->types ||
             (quiet.error.code != KILN_LIMIT && quiet.error.code != KILN_NO_MEMORY && quiet.error.code != KILN_STOPPED);
    }
    budget_stop(&f->budget);
    return ok || fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
}

static bool find_readers(struct facts *f, struct arena *arena, struct report *r)
{
    const struct graph *g = f->model->graph;

    f->readers = arena_array(arena, g->value_count, sizeof *f->readers, r);
    f->reader = arena_array(arena, g->value_count, sizeof *f->reader, r);
    if (!f->readers || !f->reader)
        return false;
    for (size_t k = 0; k < g->output_count; k++)
        f->readers[g->outputs[k]->id]++;
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++) {
            const struct value *v = g->nodes[k]->in[i];

            if (v)
                f->reader[v->id] = f->readers[v->id]++ ? NULL : g->nodes[k];
        }
    return true;
}

bool facts_find(struct facts *f, struct adapt *a)
{
    const struct graph *g = a->model->graph;

    *f = (struct facts){ .model = a->model, .budget = budget_like(&a->model->budget) };
    f->active = activations_find(g, a->arena, a->report);
    return f->active && find_readers(f, a->arena, a->report) && adapt_inputs(a, g, &f->x) && plan(f, a->report);
}

void facts_release(struct facts *f)
{
    program_free(f->types);
    f->types = NULL;
}

bool facts_planned(struct facts *f, struct report *r)
{
    if (f->types)
        return true;
    budget_start(&f->budget);
    f->types = plan_sample(f->model, f->x, &f->budget, r);
    budget_stop(&f->budget);
    return f->types;
}

const struct tensor *facts_type(const struct facts *f, const struct value *v)
{
    const struct tensor *t = f->types ? &f->types->types[v->id] : NULL;

    return t && t->kind == TENSOR && tensor_known(t) ? t : NULL;
}

const struct tensor *facts_constant(const struct facts *f, const struct value *v)
{
    const struct tensor *t = v && !f->active[v->id] ? facts_type(f, v) : NULL;

    return t && t->data && t->dtype == F32 ? t : NULL;
}

bool facts_scalar(const struct facts *f, const struct value *v, double *out)
{
    const struct tensor *t = facts_constant(f, v);

    if (!t || tensor_count(t) != 1)
        return false;
    *out = (double)*(const float *)t->data;
    return true;
}

/* What ConstantOfShape makes of any shape. */
static bool filled_with(const struct facts *f, const struct node *n, double *out)
{
    const int64_t place = facts_place(f, n);
    const Onnx__AttributeProto *a = place < 0 ? NULL : node_attribute(f->model->proto->graph->node[place], "value");
    struct budget unlimited = { 0 };
    struct arena arena = { .budget = &unlimited };
    struct report quiet = { 0 };
    struct external none = { 0 };
    struct tensor t;
    bool ok = place >= 0;

    *out = 0;
    if (a && a->t) {
        ok = ok && !external_is(a->t) && tensor_of_proto(&t, a->t, &none, &arena, "value", &quiet) &&
             tensor_count(&t) == 1 && dtype_is_float(t.dtype);
        *out = ok ? element_getter(t.dtype)(t.data, 0) : 0;
    }
    arena_release(&arena);
    return ok;
}

/* Has what it makes the numbers of input 0, in whatever shape? */
static bool spreads(const struct node *n)
{
    return n->def->flags & OP_REARRANGES || node_is(n, &op_expand) || node_is(n, &op_tile) ||
           (node_is(n, &op_cast) && dtype_is_float(n->def->dtype(n, 0)));
}

bool facts_number(const struct facts *f, const struct value *v, double *out)
{
    while (v && !f->active[v->id]) {
        const struct tensor *t = v->initializer ? v->initializer : facts_type(f, v);
        const struct node *n = v->producer;

        if (t && t->data && tensor_count(t) > 0 && dtype_is_float(t->dtype) && tensor_is_uniform(t)) {
            *out = element_getter(t->dtype)(t->data, 0);
            return true;
        }
        if (n && node_is(n, &op_constant_of_shape))
            return filled_with(f, n, out);
        v = n && spreads(n) ? n->in[0] : NULL;
    }
    return false;
}

int64_t facts_place(const struct facts *f, const struct node *n)
{
    return told_place(f->model, n);
}

const char *facts_metadata(const struct facts *f, const struct node *n, const char *key)
{
    return told_of_node(f->model, n, key);
}

static bool is_weight(const struct value *v)
{
    return v->initializer && dtype_is_float(v->initializer->dtype) && !tensor_is_uniform(v->initializer);
}

/* Nodes from which ways lead on, which all have to come together. */
struct ways {
    const struct node *at[4];
    int count;
};

/* Each once. False where there is no room, or the way begins at an input. */
static bool add_way(struct ways *w, const struct node *n)
{
    for (int k = 0; k < w->count; k++)
        if (w->at[k] == n)
            return true;
    if (!n || w->count == (int)(sizeof w->at / sizeof *w->at))
        return false;
    w->at[w->count++] = n;
    return true;
}

/* The last of them in the order of the graph, which no other stands behind. */
static const struct node *take_way(struct ways *w)
{
    int last = 0;
    const struct node *n;

    for (int k = 1; k < w->count; k++)
        if (w->at[k]->id > w->at[last]->id)
            last = k;
    n = w->at[last];
    w->at[last] = w->at[--w->count];
    return n;
}

const struct value *facts_weight(const bool *active, const struct node *n, const struct value *besides,
                                 const struct node **layer)
{
    enum { FARTHEST = 24 }; /* a normalisation that is written out has half as many */
    struct ways ways = { .at = { n }, .count = 1 };

    for (int depth = 0; ways.count && depth < FARTHEST; depth++) {
        n = take_way(&ways);
        for (int k = 0; k < n->inputs; k++) {
            const struct value *v = n->in[k];

            if (v && v == besides && depth)
                return NULL; /* another layer stands between */
            if (v && v != besides && !active[v->id] && is_weight(v)) {
                *layer = n;
                return ways.count ? NULL : v; /* other ways go round it */
            }
        }
        for (int k = 0; k < n->inputs; k++)
            if (n->in[k] && active[n->in[k]->id] && !add_way(&ways, n->in[k]->producer))
                return NULL;
    }
    return NULL;
}

bool facts_passes_on(const struct node *n)
{
    return n->def->flags & OP_REARRANGES || node_is(n, &op_concat) || node_is(n, &op_pad) ||
           node_is(n, &op_average_pool) || node_is(n, &op_global_average_pool);
}

const char *facts_name(const struct node *n)
{
    if (n->name && *n->name)
        return n->name;
    return n->out[0] && n->out[0]->name ? n->out[0]->name : "";
}

static bool is_unread(const struct edit *e, const struct node *n)
{
    for (int k = 0; k < n->outputs; k++)
        if (n->out[k] && edit_readers(e, n->out[k]->name))
            return false;
    return true;
}

void facts_drop_node(const struct facts *f, struct edit *e, const struct node *n, bool *gone)
{
    const int64_t place = facts_place(f, n);

    if (place < 0 || !e->graph->node[place])
        return;
    edit_drop_node(e, (size_t)place);
    for (int i = 0; i < n->inputs; i++) {
        const struct value *v = n->in[i];

        if (v && v->producer && v->producer->graph == f->model->graph)
            gone[v->producer->id] = true;
        else if (v && v->initializer && !v->is_input && v->name && !edit_readers(e, v->name))
            edit_drop_initializer(e, v->name);
    }
}

/* From the last on, so that readers are gone before what they read. */
void facts_drop_unread(const struct facts *f, struct edit *e, bool *gone)
{
    const struct graph *g = f->model->graph;

    for (size_t k = g->node_count; k-- > 0;) {
        const struct node *n = g->nodes[k];

        if (!gone[k] || !is_unread(e, n))
            continue;
        for (int o = 0; o < n->outputs; o++)
            if (n->out[o])
                edit_drop_value_info(e, n->out[o]->name);
        facts_drop_node(f, e, n, gone);
    }
}

const char *facts_fresh(struct edit *e, const char *layer, const char *end)
{
    const char *stem = arena_printf(&e->arena, e->report, "%s/%s", layer, end), *kept;
    char *name = stem ? edit_fresh_name(e, stem) : NULL;

    kept = name ? arena_string(&e->arena, name, strlen(name), e->report) : NULL;
    budget_free(e->budget, name);
    return kept;
}
