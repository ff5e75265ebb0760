#include "train/prepare.h"
#include "plan/program.h"
#include "train/calibrate.h"
#include "train/edit.h"
#include <string.h>

enum { MEAN = 3, VARIANCE = 4 }; /* inputs of BatchNormalization */

static bool is_op(const Onnx__NodeProto *n, const char *op)
{
    return n->op_type && strcmp(n->op_type, op) == 0 &&
           (!n->domain || !*n->domain || strcmp(n->domain, "ai.onnx") == 0);
}

/* -- inference form
 * ------------------------------------------------------------------------------------------------------ */

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

bool model_to_inference(struct model *m, struct report *r)
{
    struct edit e = edit_start(m, r);

    for (size_t k = 0; k < e.graph->n_node; k++) {
        Onnx__NodeProto *n = e.graph->node[k];
        Onnx__AttributeProto *mode = node_attribute(n, "training_mode");

        if (is_op(n, "BatchNormalization")) {
            if (mode && mode->i && !edit_set_int(&e, n, "training_mode", 0))
                return false;
            if (n->n_output > 1 && !cut_outputs(&e, n, 1))
                return false;
        } else if (is_op(n, "Dropout") && n->n_input > 2) {
            edit_cut_inputs(&e, n, 2);
        }
    }
    return true;
}

/* -- statistics of their own
 * --------------------------------------------------------------------------------------------- */

static bool own_copy(struct edit *e, Onnx__NodeProto *n, size_t k, const struct tensor *content)
{
    char *name = edit_fresh_name(e, n->input[k]);
    const bool ok = name && edit_add_initializer(e, name, content) && edit_set_input(e, n, k, name);

    budget_free(e->budget, name);
    return ok;
}

/* Where statistics are neither an initializer nor an input, the content that planning knows becomes one. */
static bool settle_statistic(struct edit *e, const struct model *m, Onnx__NodeProto *n, size_t k,
                             struct program **constants)
{
    const struct value *v = graph_find(m->graph, n->input[k]);

    if (!v || v->is_input)
        return true;
    if (v->initializer)
        return edit_readers(e, n->input[k]) < 2 || own_copy(e, n, k, v->initializer);
    if (!*constants && !(*constants = plan_sample(m, e->budget, e->report)))
        return false;
    if (!(*constants)->types[v->id].data)
        return true; /* computed from the activations: no state */
    return own_copy(e, n, k, &(*constants)->types[v->id]);
}

static bool settle_statistics(struct model *copy, const struct model *m, struct report *r)
{
    struct edit e = edit_start(copy, r);
    struct program *constants = NULL;
    bool ok = true;

    for (size_t k = 0; ok && k < e.graph->n_node; k++) {
        Onnx__NodeProto *n = e.graph->node[k];

        if (is_op(n, "BatchNormalization") && n->n_input > VARIANCE)
            ok = settle_statistic(&e, m, n, MEAN, &constants) && settle_statistic(&e, m, n, VARIANCE, &constants);
    }
    program_free(constants);
    return ok;
}

static bool untie_all(struct model *copy, const struct model *m, struct report *r)
{
    struct edit e = edit_start(copy, r);

    for (size_t k = 0; k < e.graph->n_node; k++)
        for (size_t i = 0; i < e.graph->node[k]->n_input; i++) {
            const char *name = e.graph->node[k]->input[i];
            const struct value *v = *name && edit_initializer(&e, name) ? graph_find(m->graph, name) : NULL;

            if (v && v->initializer && !v->is_input && dtype_is_float(v->initializer->dtype) &&
                v->initializer->rank > 0 && edit_readers(&e, name) > 1 &&
                !own_copy(&e, e.graph->node[k], i, v->initializer))
                return false;
        }
    return true;
}

struct model *model_prepare(const struct model *m, bool untie, struct report *r)
{
    const struct model_options o = model_limits(m);
    struct model *copy = model_of_proto(m->proto, m->path, &o, r);

    if (copy && model_to_inference(copy, r) && settle_statistics(copy, m, r) && (!untie || untie_all(copy, m, r)) &&
        model_build(copy, r))
        return copy;
    model_free(copy);
    return NULL;
}
