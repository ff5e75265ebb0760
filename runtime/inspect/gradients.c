#include "inspect/gradients.h"
#include "ops/rank.h"
#include "plan/samples_first.h"
#include <string.h>

const char *keeping_name(enum keeping how)
{
    static const char *const names[] = { [KEPT] = "kept",
                                         [KEPT_AGAIN] = "made again",
                                         [KEPT_OUTSIDE] = "there anyway",
                                         [KEPT_FOR] = "kept to make others of" };

    return names[how];
}

/* -- what learns -- */

/* What is wrong with the model, or with what is asked of it, is told; all else is a failure. */
static bool is_of_model(const struct report *r)
{
    return r->error.code == KILN_BAD_MODEL || r->error.code == KILN_UNSUPPORTED || r->error.code == KILN_BAD_DATA;
}

static bool hand_on(const struct report *from, struct report *r)
{
    return fail(r, from->error.code, *from->error.where ? from->error.where : NULL, "%s", from->error.message);
}

static bool may_learn(const struct value *v)
{
    const enum dtype t = v->has_type ? v->type.dtype : known_of(v).dtype;

    return t == UNDEFINED || (dtype_is_float(t) && !dtype_is_small(t));
}

/* Where the first output cannot learn classes: as if all that can were compared with numbers. No trainer, and no error, where they cannot be trained, either. */
static bool try_numbers(struct gradients *g, const struct trainer_options *o, struct report *r)
{
    const struct graph *graph = g->model->graph;
    struct report quiet = { .files = r->files };
    struct trainer_options to = *o;
    struct target_options *t = arena_array(&g->arena, graph->output_count, sizeof *t, r);

    if (!t || o->targets > 1 || (o->targets && (o->target->output || o->target->loss)))
        return t;
    to.targets = 0;
    to.target = t;
    for (size_t k = 0; k < graph->output_count; k++)
        if (may_learn(graph->outputs[k]))
            t[to.targets++] = (struct target_options){ .output = graph->outputs[k]->name, .form = TARGETS_VALUES };
    g->trainer = to.targets ? trainer_new(g->model, &to, &quiet) : NULL;
    return g->trainer || !to.targets || is_of_model(&quiet) || hand_on(&quiet, r);
}

/* An error of the model is kept, to be told with all else. */
static bool keep_error(struct gradients *g, const struct report *from, struct report *r)
{
    if (!is_of_model(from))
        return hand_on(from, r);
    g->error = arena_string(&g->arena, from->error.message, strlen(from->error.message), r);
    g->where = arena_string(&g->arena, from->error.where, strlen(from->error.where), r);
    return g->error && g->where;
}

static bool make_trainer(struct gradients *g, const struct trainer_options *o, struct report *r)
{
    struct report quiet = { .files = r->files };
    struct trainer_options to = *o;

    to.tell_kept = true;
    to.measure = false;
    g->trainer = trainer_new(g->model, &to, &quiet);
    if (g->trainer)
        return true;
    if (is_of_model(&quiet) && !try_numbers(g, &to, r))
        return false;
    return g->trainer || keep_error(g, &quiet, r);
}

/* The graph, and the parameters, that are looked at. */
static const struct graph *graph_of(const struct gradients *g)
{
    return g->trainer ? g->trainer->model->graph : g->model->graph;
}

static const struct parameters *parameters_of(const struct gradients *g)
{
    return g->trainer ? &g->trainer->parameters : &g->found;
}

static bool find_targets(struct gradients *g, struct value ***outputs, struct report *r)
{
    const struct graph *graph = graph_of(g);
    const size_t most = g->trainer ? g->trainer->target_count : graph->output_count;

    g->target = arena_array(&g->arena, most, sizeof *g->target, r);
    *outputs = arena_array(&g->arena, most, sizeof **outputs, r);
    for (size_t k = 0; g->target && *outputs && k < most; k++) {
        const struct target *t = g->trainer ? &g->trainer->targets[k] : NULL;
        struct value *v = t ? t->output : graph->outputs[k], *from = t && t->loss.logits ? t->loss.at : v;

        if (!t && !may_learn(v))
            continue;
        (*outputs)[g->targets] = from;
        g->target[g->targets++] = (struct gradient_target){ v->name, t ? t->loss.said : "", from->name };
    }
    return g->target && *outputs;
}

/* -- what a step keeps -- */

static int64_t listed_at(const struct gradients *g, const struct kept_value *v)
{
    return v->by ? g->flows.row[v->by->id] : FLOW_LOSS;
}

static struct gradient_node *node_at(struct gradients *g, int64_t row)
{
    return row < 0 ? &g->loss : &g->node[row];
}

/* What is kept, in the order of the nodes. */
static bool list_kept(struct gradients *g, const struct kept *kept, struct report *r)
{
    char type[TYPE_TEXT];
    size_t at = 0;

    g->kept = arena_array(&g->arena, kept->count, sizeof *g->kept, r);
    if (!g->kept)
        return false;
    g->kept_count = kept->count;
    for (size_t k = 0; k < kept->count; k++)
        node_at(g, listed_at(g, &kept->at[k]))->count++;
    for (int64_t row = FLOW_LOSS; row < (int64_t)g->flows.count; row++) {
        struct gradient_node *n = node_at(g, row);

        n->first = at;
        at += n->count;
        n->count = 0;
    }
    for (size_t k = 0; k < kept->count; k++) {
        const struct kept_value *v = &kept->at[k];
        struct gradient_node *n = node_at(g, listed_at(g, v));

        tensor_text(&v->type, type);
        g->kept[n->first + n->count] =
            (struct gradient_kept){ v->name, arena_string(&g->arena, type, strlen(type), r), v->how, v->bytes };
        if (!g->kept[n->first + n->count++].type)
            return false;
    }
    g->bytes = kept->bytes;
    g->again = kept->again;
    g->arena_bytes = kept->arena;
    return true;
}

static bool find_kept(struct gradients *g, struct report *r)
{
    struct report quiet = { .files = r->files };
    const struct kept *kept = g->trainer ? trainer_kept(g->trainer, g->batch, &quiet) : NULL;

    g->planned = kept;
    if (kept)
        return list_kept(g, kept, r);
    if (!g->trainer)
        return true;
    return keep_error(g, &quiet, r);
}

/* -- what is told -- */

static bool name_inputs(struct gradients *g, struct report *r)
{
    const struct graph *graph = graph_of(g);
    char text[TYPE_TEXT];

    g->inputs = graph->input_count;
    g->input_types = arena_array(&g->arena, g->inputs, sizeof *g->input_types, r);
    for (size_t k = 0; g->input_types && k < g->inputs; k++) {
        struct tensor type = graph->inputs[k]->type;

        if (g->trainer) {
            type = g->trainer->x[k];
            type.dims[0] = g->batch;
            type = samples_in_place(graph, k, &type);
        }
        tensor_text(&type, text);
        g->input_types[k] = arena_string(&g->arena, text, strlen(text), r);
        if (!g->input_types[k])
            return false;
    }
    return g->input_types;
}

/* "ends at ArgMax 'a': constant in pieces ..." */
static const char *reason(struct gradients *g, const struct parameter *p, const struct flow_end *end, struct report *r)
{
    const struct flow_node *at = end->node >= 0 ? &g->flows.at[end->node] : NULL;

    if (end->kind == FLOW_GRADIENT && p->role == ROLE_TRAINABLE)
        return "";
    if (!p->left && p->role != ROLE_TRAINABLE)
        return p->why;
    if (at && end->kind != FLOW_GRADIENT)
        return arena_printf(&g->arena, r, "ends at %s '%s': %s", at->node->op_name, at->name, at->why);
    return p->left ? p->why : "leads to no output that learns";
}

static bool tell_parameters(struct gradients *g, struct report *r)
{
    const struct parameters *p = parameters_of(g);
    char type[TYPE_TEXT];

    g->parameters = p->count;
    g->parameter = arena_array(&g->arena, p->count, sizeof *g->parameter, r);
    for (size_t k = 0; g->parameter && k < p->count; k++) {
        struct gradient_parameter *to = &g->parameter[k];

        to->parameter = &p->at[k];
        to->end = g->flows.end[k];
        if (!to->parameter->left && to->parameter->role != ROLE_TRAINABLE)
            to->end = (struct flow_end){ FLOW_UNASKED, FLOW_LOSS, 0 };
        tensor_text(&p->at[k].initial, type);
        to->type = arena_string(&g->arena, type, strlen(type), r);
        to->why = reason(g, to->parameter, &to->end, r);
        if (!to->type || !to->why)
            return false;
    }
    return g->parameter;
}

static bool find(struct gradients *g, const struct trainer_options *o, int64_t batch, struct report *r)
{
    struct value **outputs;

    g->error = g->where = "";
    if (!make_trainer(g, o, r) || (!g->trainer && !parameters_find(&g->found, g->model, &o->patterns, &g->arena, r)))
        return false;
    g->batch = g->trainer && g->trainer->batch ? g->trainer->batch : batch;
    g->recompute = o->recompute;
    if (!find_targets(g, &outputs, r) || !open_types_find(&g->types, graph_of(g), &g->budget, r) ||
        !flows_find(&g->flows, &g->types, parameters_of(g), outputs, g->targets, &g->arena, r))
        return false;
    g->node = arena_array(&g->arena, g->flows.count, sizeof *g->node, r);
    for (size_t k = 0; g->node && k < g->flows.count; k++)
        g->node[k].flow = &g->flows.at[k];
    return g->node && find_kept(g, r) && name_inputs(g, r) && tell_parameters(g, r);
}

bool gradients_find(struct gradients *g, const struct model *m, const struct trainer_options *o, int64_t batch,
                    struct report *r)
{
    bool ok;

    *g = (struct gradients){ .model = m, .budget = budget_like(&m->budget) };
    g->arena.budget = &g->budget;
    budget_start(&g->budget);
    ok = find(g, o, batch, r) && budget_in_time(&g->budget, NULL, r);
    budget_stop(&g->budget);
    return ok;
}

void gradients_release(struct gradients *g)
{
    open_types_release(&g->types);
    trainer_free(g->trainer);
    arena_release(&g->arena);
}
