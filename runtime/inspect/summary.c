#include "inspect/summary.h"
#include "model/text.h"
#include "plan/dot.h"
#include <string.h>

static const char *keep(struct summary *s, const char *text, struct report *r)
{
    return arena_string(&s->arena, text, strlen(text), r);
}

static bool types_of_values(struct summary *s, const char ***to, struct value *const *list, size_t count,
                            struct report *r)
{
    char type[TYPE_TEXT];

    *to = arena_array(&s->arena, count, sizeof **to, r);
    for (size_t k = 0; *to && k < count; k++)
        if (!((*to)[k] = keep(s, open_type_text(&s->types, list[k], type), r)))
            return false;
    return *to;
}

static bool types_of_messages(struct summary *s, const char ***to, Onnx__ValueInfoProto *const *list, size_t count,
                              struct report *r)
{
    *to = arena_array(&s->arena, count, sizeof **to, r);
    for (size_t k = 0; *to && k < count; k++) {
        struct text type = { .budget = &s->budget, .report = r };

        if (list[k]->type)
            text_write_type(&type, list[k]->type);
        (*to)[k] = type.failed ? NULL : keep(s, type.length ? type.data : "?", r);
        text_release(&type);
        if (!(*to)[k])
            return false;
    }
    return *to;
}

/* -- constants of bodies -- */

static bool is_float_constant(const struct value *v)
{
    return v->initializer && v->initializer->kind == TENSOR && dtype_is_float(v->initializer->dtype);
}

/* Calls `each` for the float initializers of the bodies of a graph's nodes, to any depth: subgraphs nest no deeper than the
 * loader allows. `out` is the node of the main graph. */
typedef bool constant_fn(struct summary *s, const struct value *v, const struct node *out, struct report *r);
static bool each_in_bodies(struct summary *s, const struct graph *g, const struct node *out, constant_fn *each,
                           struct report *r)
{
    for (size_t k = 0; k < g->node_count; k++)
        for (int b = 0; b < g->nodes[k]->graphs; b++) {
            const struct graph *body = g->nodes[k]->graph_of[b];
            const struct node *of = out ? out : g->nodes[k];

            for (size_t i = 0; i < body->value_count; i++)
                if (is_float_constant(body->values[i]) && !each(s, body->values[i], of, r))
                    return false;
            if (!each_in_bodies(s, body, of, each, r))
                return false;
        }
    return true;
}

static bool count_one(struct summary *s, const struct value *v, const struct node *out, struct report *r)
{
    (void)v;
    (void)out;
    (void)r;
    s->inner++;
    return true;
}

static bool add_one(struct summary *s, const struct value *v, const struct node *out, struct report *r)
{
    const char *why = arena_printf(&s->arena, r, "in a body of %s, where nothing trains", out->op_name);

    s->parameters.at[s->parameters.count++] =
        (struct parameter){ .value = v, .initial = *v->initializer, .role = ROLE_CONSTANT, .why = why, .reader = out };
    return why;
}

/* None is left out of the list. They come last, when nobody looks for values by their ids any more. */
static bool add_constants_of_bodies(struct summary *s, struct report *r)
{
    struct parameters *p = &s->parameters;
    struct parameter *more;

    if (!each_in_bodies(s, s->model->graph, NULL, count_one, r) || !s->inner)
        return true;
    more = arena_array(&s->arena, p->count + s->inner, sizeof *more, r);
    if (!more)
        return false;
    if (p->count)
        memcpy(more, p->at, p->count * sizeof *more);
    p->at = more;
    return each_in_bodies(s, s->model->graph, NULL, add_one, r);
}

static bool find_in_graph(struct summary *s, struct report *r)
{
    const struct graph *g = s->model->graph;

    s->input_count = g->input_count;
    s->output_count = g->output_count;
    return parameters_find(&s->parameters, s->model, NULL, &s->arena, r) &&
           open_types_find(&s->types, g, &s->budget, r) && layers_of_graph(&s->layers, &s->types, &s->parameters, r) &&
           obstacles_find(&s->obstacles, &s->types, &s->parameters, &s->arena, r) &&
           types_of_values(s, &s->inputs, g->inputs, g->input_count, r) &&
           types_of_values(s, &s->outputs, g->outputs, g->output_count, r) && add_constants_of_bodies(s, r);
}

static bool find_in_messages(struct summary *s, struct report *r)
{
    const Onnx__GraphProto *g = s->model->proto->graph;

    if (!g)
        return true;
    s->input_count = g->n_input;
    s->output_count = g->n_output;
    return layers_of_messages(&s->layers, s->model, r) && types_of_messages(s, &s->inputs, g->input, g->n_input, r) &&
           types_of_messages(s, &s->outputs, g->output, g->n_output, r);
}

bool summary_find(struct summary *s, const struct model *m, struct report *r)
{
    bool ok;

    *s = (struct summary){ .model = m, .budget = budget_like(&m->budget) };
    s->arena.budget = s->layers.budget = &s->budget;
    s->layers.arena = &s->arena;
    budget_start(&s->budget);
    ok = (m->graph ? find_in_graph : find_in_messages)(s, r) && budget_in_time(&s->budget, NULL, r);
    budget_stop(&s->budget);
    return ok;
}

void summary_release(struct summary *s)
{
    open_types_release(&s->types);
    layers_release(&s->layers);
    arena_release(&s->arena);
}

/* Of a model that cannot be built, nothing tells them apart. */
int64_t summary_trainable(const struct summary *s)
{
    int64_t n = 0;

    if (s->model->graph)
        return parameters_elements(&s->parameters, ROLE_TRAINABLE);
    for (size_t k = 0; k < s->layers.count; k++)
        n += s->layers.at[k].trainable;
    return n;
}

int64_t summary_fixed(const struct summary *s)
{
    return s->model->graph
               ? parameters_elements(&s->parameters, ROLE_STATISTIC) + parameters_elements(&s->parameters, ROLE_FROZEN)
               : 0;
}

/* -- as a picture -- */

struct labelling {
    const struct open_types *types;
    struct arena arena;
    struct report *report;
};

static const char *line_label(void *user, const struct value *v)
{
    struct labelling *l = user;
    char type[TYPE_TEXT];

    open_type_text(l->types, v, type);
    return arena_string(&l->arena, type, strlen(type), l->report);
}

void summary_dot(const struct summary *s, struct text *out, struct report *r)
{
    struct budget b = budget_like(&s->budget);
    struct labelling l = { .types = &s->types, .arena.budget = &b, .report = r };

    dot_write(out, s->model->graph, line_label, &l);
    arena_release(&l.arena);
}
