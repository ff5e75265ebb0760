#include "adapt/inference/measured_statistics.h"
#include "data/element.h"
#include "ops/batch_normalization.h"
#include "ops/registry.h"
#include "train/prepare.h"
#include <string.h>

enum { X, SCALE, BIAS, MEAN, VARIANCE, INPUTS }; /* of BatchNormalization */

bool is_in_training_form(const struct node *n)
{
    return node_is(n, &op_batch_normalization) && ((const struct batch_norm *)n->attrs)->training;
}

/* What is measured of each node: of the first one of a layer that is used twice, for all of them. */
struct measured {
    const struct node **nodes;
    struct moments *moments;
    size_t *first; /* of its layer */
    int *places;   /* that the layer has, at the first one */
    size_t count;
};

/* Are they one layer that is used twice? PyTorch then has the statistics of both places together. Where nothing was
 * trained yet, all is equal, and may as well have been merged by an exporter. */
static bool is_same_layer(const struct node *a, const struct node *b)
{
    for (int k = SCALE; k < INPUTS; k++)
        if (a->in[k] != b->in[k])
            return false;
    return !tensor_is_all(a->in[MEAN]->initializer, 0) || !tensor_is_all(a->in[VARIANCE]->initializer, 1);
}

/* Into the initializer where none but the layer reads it, else into one of its own. */
static bool set_statistic(struct edit *e, const struct facts *f, const struct node *n, int k, int places,
                          const double *from, int64_t channels)
{
    const struct value *v = n->in[k];
    struct tensor t = { .dtype = v->initializer ? v->initializer->dtype : F32, .rank = 1, .dims = { channels } };
    Onnx__TensorProto *old = edit_initializer(e, v->name);
    const char *name;

    t.data = arena_alloc(&e->arena, (size_t)channels * sizeof(double), e->report);
    for (int64_t c = 0; t.data && c < channels; c++)
        element_put(t.data, c, t.dtype, from[c]);
    if (!t.data)
        return false;
    if (old && f->readers[v->id] == places)
        return edit_tensor(e, old, &t);
    name = facts_fresh(e, facts_name(n), k == MEAN ? "running_mean" : "running_var");
    return name && edit_add_initializer(e, name, &t) &&
           edit_set_input(e, e->graph->node[facts_place(f, n)], (size_t)k, name);
}

/* The mean of all places of a layer. */
static bool join_places(struct measured *m, const struct graph *g, struct arena *arena, struct report *r)
{
    size_t *seen = arena_array(arena, g->value_count, sizeof *seen, r); /* by id of the mean: a node, from 1 */

    for (size_t k = 0; seen && k < m->count; k++) {
        size_t *at = &seen[m->nodes[k]->in[MEAN]->id];

        if (!*at)
            *at = k + 1;
        m->first[k] = *at && is_same_layer(m->nodes[*at - 1], m->nodes[k]) ? *at - 1 : k;
        m->places[m->first[k]]++;
        for (int64_t c = 0; c < m->moments[k].channels && m->first[k] != k; c++) {
            m->moments[m->first[k]].mean[c] += m->moments[k].mean[c];
            m->moments[m->first[k]].variance[c] += m->moments[k].variance[c];
        }
    }
    for (size_t k = 0; seen && k < m->count; k++)
        for (int64_t c = 0; c < m->moments[k].channels && m->places[k] > 1; c++) {
            m->moments[k].mean[c] /= m->places[k];
            m->moments[k].variance[c] /= m->places[k];
        }
    return seen;
}

static bool write_statistics(struct model *made, const struct facts *f, const struct measured *m, struct report *r)
{
    struct edit e;
    bool ok = edit_begin(&e, made, r);

    for (size_t k = 0; ok && k < m->count; k++) {
        const struct moments *p = &m->moments[m->first[k]];
        const int places = m->places[m->first[k]];

        ok = set_statistic(&e, f, m->nodes[k], MEAN, places, p->mean, p->channels) &&
             set_statistic(&e, f, m->nodes[k], VARIANCE, places, p->variance, p->channels);
    }
    return edit_end(&e) && ok && model_to_inference(made, r);
}

static bool can_be_measured(const struct facts *f, const struct node *n, struct report *r)
{
    const struct batch_norm *b = n->attrs;

    if (!b->each && facts_place(f, n) >= 0)
        return true;
    return fail(r, KILN_UNSUPPORTED, facts_name(n), "its statistics cannot be measured: it %s",
                b->each ? "has spatial 0" : "is part of a function");
}

bool measure_statistics(struct adapt *a, const struct facts *f)
{
    const struct graph *g = f->model->graph;
    struct measured m = { .nodes = arena_array(a->arena, g->node_count, sizeof *m.nodes, a->report),
                          .moments = arena_array(a->arena, g->node_count, sizeof *m.moments, a->report),
                          .first = arena_array(a->arena, g->node_count, sizeof *m.first, a->report),
                          .places = arena_array(a->arena, g->node_count, sizeof *m.places, a->report) };
    struct model *made;
    const char *what;

    if (!m.nodes || !m.moments || !m.first || !m.places)
        return false;
    for (size_t k = 0; k < g->node_count; k++)
        if (is_in_training_form(g->nodes[k])) {
            if (!can_be_measured(f, g->nodes[k], a->report))
                return false;
            m.moments[m.count] = (struct moments){ .at = g->nodes[k]->in[X], .axis = 1 };
            m.nodes[m.count++] = g->nodes[k];
        }
    if (!calibrate_batches(f->model, &a->calibration, m.moments, m.count, a->arena, a->report) ||
        !join_places(&m, g, a->arena, a->report))
        return false;
    what = arena_printf(a->arena, a->report, "%zu BatchNormalization normalise%s by measured statistics", m.count,
                        m.count == 1 ? "s" : "");
    made = what ? adapt_copy(a) : NULL;
    return made && adapt_take_changed(a, made, write_statistics(made, f, &m, a->report), what);
}
