#include "train/prepare.h"
#include "data/element.h"
#include "ops/registry.h"
#include "plan/program.h"
#include "train/calibrate.h"
#include "train/decided.h"
#include "train/edit.h"
#include <string.h>

enum { MEAN = 3, VARIANCE = 4 }; /* inputs of BatchNormalization */

static bool is_op(const Onnx__NodeProto *n, const struct op *op)
{
    return n->op_type && strcmp(n->op_type, op->name) == 0 &&
           (!n->domain || !*n->domain || strcmp(n->domain, "ai.onnx") == 0);
}

/* -- inference form -- */

static bool cut_outputs(struct edit *e, Onnx__NodeProto *n, size_t count)
{
    for (size_t k = count; k < n->n_output; k++)
        if (*n->output[k] && edit_readers(e, n->output[k]))
            return fail(e->report, KILN_UNSUPPORTED, n->name,
                        "output '%s' of %s in training form is read: there is no inference form of that", n->output[k],
                        n->op_type);
    edit_cut_outputs(e, n, count);
    return true;
}

static bool to_inference(struct edit *e, Onnx__NodeProto *n)
{
    const Onnx__AttributeProto *mode = node_attribute(n, "training_mode");

    if (is_op(n, &op_batch_normalization))
        return (!mode || !mode->i || edit_set_int(e, n, "training_mode", 0)) &&
               (n->n_output < 2 || cut_outputs(e, n, 1));
    if (is_op(n, &op_dropout) && n->n_input > 2)
        edit_cut_inputs(e, n, 2);
    return true;
}

bool model_to_inference(struct model *m, struct report *r)
{
    struct edit e;
    bool ok = edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < e.graph->n_node; k++)
        ok = to_inference(&e, e.graph->node[k]);
    return edit_end(&e) && ok;
}

/* -- statistics of their own -- */

static bool own_copy(struct edit *e, Onnx__NodeProto *n, size_t k, const struct tensor *content)
{
    char *name = edit_fresh_name(e, n->input[k]);
    const bool ok = name && edit_add_initializer(e, name, content) && edit_set_input(e, n, k, name);

    budget_free(e->budget, name);
    return ok;
}

/* Who reads a running mean. */
struct statistics {
    const Onnx__NodeProto *first;
    int readers; /* calls of the one layer */
    bool mixed;  /* another layer does */
};

/* A copy of a model that becomes one that can be trained. */
struct preparing {
    const struct model *from;
    struct edit e;
    struct map values;         /* of `from`, by name */
    struct map layers;         /* struct statistics, by the name of the mean */
    struct decided roles;      /* that the file tells */
    struct program *constants; /* NULL: not needed yet */
};

/* Are all four the same? */
static bool is_same_layer(const Onnx__NodeProto *a, const Onnx__NodeProto *b)
{
    for (size_t k = 1; k <= VARIANCE; k++)
        if (strcmp(a->input[k], b->input[k]) != 0)
            return false;
    return true;
}

static bool has_statistics(const Onnx__NodeProto *n)
{
    return is_op(n, &op_batch_normalization) && n->n_input > VARIANCE;
}

static bool list_layers(struct preparing *p)
{
    for (size_t k = 0; k < p->e.graph->n_node; k++) {
        const Onnx__NodeProto *n = p->e.graph->node[k];
        const struct value *mean = has_statistics(n) ? map_get(&p->values, n->input[MEAN]) : NULL;
        void **slot = mean ? map_put(&p->layers, mean->name, p->e.report) : NULL; /* that of the copy may change */
        struct statistics *s;

        if (!mean)
            continue;
        if (!slot || (!*slot && !(*slot = arena_alloc(&p->e.arena, sizeof *s, p->e.report))))
            return false;
        s = *slot;
        s->first = s->first ? s->first : n;
        s->readers++;
        s->mixed |= !is_same_layer(s->first, n);
    }
    return true;
}

static bool holds(const struct preparing *p, const char *name, double number)
{
    const struct value *v = map_get(&p->values, name);
    const struct tensor *t = v ? v->initializer : NULL;

    return tensor_is_all(t, number);
}

/* Is it one layer that is called several times, and has one set of statistics? In a network that was never trained
 * exporters may have merged what several began with, where the file does not tell. */
static bool is_called_again(const struct preparing *p, const Onnx__NodeProto *n)
{
    const struct statistics *s = map_get(&p->layers, n->input[MEAN]);

    return s && !s->mixed && s->readers == edit_readers(&p->e, n->input[MEAN]) &&
           s->readers == edit_readers(&p->e, n->input[VARIANCE]) &&
           (decided_of(&p->roles, n->input[MEAN]) || !(holds(p, n->input[MEAN], 0) && holds(p, n->input[VARIANCE], 1)));
}

/* Where statistics are neither an initializer nor an input, the content that planning knows becomes one. */
static bool own_statistic(struct preparing *p, Onnx__NodeProto *n, size_t k)
{
    const struct value *v = map_get(&p->values, n->input[k]);

    if (!v)
        return true;
    if (v->initializer)
        return edit_readers(&p->e, n->input[k]) < 2 || own_copy(&p->e, n, k, v->initializer);
    if (v->is_input)
        return true;
    if (!p->constants && !(p->constants = plan_sample(p->from, NULL, p->e.budget, p->e.report)))
        return false;
    if (!p->constants->types[v->id].data)
        return true; /* computed from the activations: no state */
    return own_copy(&p->e, n, k, &p->constants->types[v->id]);
}

static bool own_statistics(struct preparing *p, Onnx__NodeProto *n)
{
    return !has_statistics(n) || is_called_again(p, n) || (own_statistic(p, n, MEAN) && own_statistic(p, n, VARIANCE));
}

static bool untie_node(struct preparing *p, Onnx__NodeProto *n)
{
    for (size_t k = 0; k < n->n_input; k++) {
        const char *name = n->input[k];
        const struct value *v = *name && edit_initializer(&p->e, name) ? map_get(&p->values, name) : NULL;

        if (v && v->initializer && dtype_is_float(v->initializer->dtype) && v->initializer->rank > 0 &&
            edit_readers(&p->e, name) > 1 && !own_copy(&p->e, n, k, v->initializer))
            return false;
    }
    return true;
}

static bool give_own(struct model *copy, const struct model *m, bool untie, struct report *r)
{
    struct preparing p = { .from = m };
    bool ok;

    map_init(&p.values, &copy->budget);
    map_init(&p.layers, &copy->budget);
    map_init(&p.roles.names, &copy->budget);
    ok = edit_begin(&p.e, copy, r) && graph_names(m->graph, &p.values, r) &&
         decided_read(&p.roles, m, DECIDED_ROLE, &copy->budget, r) && list_layers(&p);
    for (size_t k = 0; ok && k < p.e.graph->n_node; k++)
        ok = own_statistics(&p, p.e.graph->node[k]);
    for (size_t k = 0; ok && untie && k < p.e.graph->n_node; k++)
        ok = untie_node(&p, p.e.graph->node[k]);
    program_free(p.constants);
    decided_release(&p.roles);
    map_release(&p.layers);
    map_release(&p.values);
    return edit_end(&p.e) && ok;
}

struct model *model_prepare(const struct model *m, bool untie, struct budget *total, struct report *r)
{
    struct model *copy = model_copy_within(m, total, r);

    if (copy && model_to_inference(copy, r) && give_own(copy, m, untie, r) && model_build(copy, r))
        return copy;
    model_free(copy);
    return NULL;
}
