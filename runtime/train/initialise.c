#include "train/initialise.h"
#include "base/random.h"
#include "data/element.h"
#include "ops/registry.h"
#include "train/edit.h"
#include "train/initialisers.h"
#include "train/trainable.h"
#include "train/training_info.h"
#include <string.h>

/* -- parameters -- */

/* The first place where a value is a parameter. */
struct place_of {
    const struct node *reader; /* NULL: there is none */
    int input;
};

/* By value id. */
static struct place_of *find_readers(const struct graph *g, struct arena *arena, struct report *r)
{
    struct place_of *places = arena_array(arena, g->value_count, sizeof *places, r);

    for (size_t k = 0; places && k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs; i++) {
            struct place_of *p = g->nodes[k]->in[i] ? &places[g->nodes[k]->in[i]->id] : NULL;

            if (p && !p->reader && node_parameter(g->nodes[k], i))
                *p = (struct place_of){ g->nodes[k], i };
        }
    return places;
}

static struct fans fans_of(const struct node *n, int input, const struct tensor *t)
{
    const struct op_parameter *p = n ? node_parameter(n, input) : NULL;
    const double first = t->rank > 0 ? (double)t->dims[0] : 1;

    if (t->rank < 2)
        return (struct fans){ first, first };
    return p && p->fans ? p->fans(n, input, t)
                        : (struct fans){ (double)t->dims[t->rank - 2], (double)t->dims[t->rank - 1] };
}

/* What the metadata say, by the names of values: the first of several rules. */
static bool find_rules(const struct model *m, struct map *rules, struct report *r)
{
    for (size_t k = 0; k < m->proto->n_metadata_props; k++) {
        const Onnx__StringStringEntryProto *p = m->proto->metadata_props[k];
        void **slot;

        if (!p->key || !p->value || strncmp(p->key, "init.", 5) != 0)
            continue;
        slot = map_put(rules, p->key + 5, r);
        if (!slot)
            return false;
        if (!*slot)
            *slot = p->value;
    }
    return true;
}

struct drawing {
    const struct model *from;
    struct edit e;
    struct arena arena;
    struct map rules; /* find_rules */
    const struct initialise_options *options;
    size_t count;
};

const char *initial_rule(const struct model *m, const char *name)
{
    for (size_t k = 0; k < m->proto->n_metadata_props; k++) {
        const Onnx__StringStringEntryProto *p = m->proto->metadata_props[k];

        if (p->key && p->value && strncmp(p->key, "init.", 5) == 0 && strcmp(p->key + 5, name) == 0)
            return p->value;
    }
    return NULL;
}

bool initial_draw(struct tensor *t, const struct initial *i, struct budget *b, struct report *r)
{
    const int64_t n = tensor_count(t);
    struct draw d = { .name = i->name,
                      .type = *t,
                      .kernel = i->reader && i->input == 1 &&
                                (node_is(i->reader, &op_conv) || node_is(i->reader, &op_conv_transpose)),
                      .fans = fans_of(i->reader, i->input, t),
                      .seed = i->seed,
                      .stream = random_stream(RANDOM_NODE_INIT, i->ordinal),
                      .budget = b,
                      .report = r };
    struct initialiser how;
    bool ok;

    if (!dtype_is_float(t->dtype) || dtype_is_small(t->dtype))
        return fail(r, KILN_UNSUPPORTED, i->name, "type %s cannot be drawn, must be float", dtype_name(t->dtype));
    if (!initialiser_parse(&how, i->rule, i->name, r))
        return false;
    d.out = t->dtype == F32 ? t->data : budget_zalloc(b, (size_t)n, sizeof *d.out, r);
    ok = d.out && how.def->draw(&d, &how.settings);
    for (int64_t k = 0; ok && t->dtype != F32 && k < n; k++)
        element_put(t->data, k, t->dtype, (double)d.out[k]);
    if (t->dtype != F32)
        budget_free(b, d.out);
    return ok;
}

static bool draw_value(struct drawing *g, const struct value *v, const struct tensor *type, const char *spec,
                       const struct node *reader, int input, size_t ordinal)
{
    struct report *r = g->e.report;
    const struct initial i = { v->name, spec, reader, input, g->options->seed, ordinal };
    Onnx__TensorProto *old = edit_initializer(&g->e, v->name);
    struct tensor t = *type;
    bool ok;

    t.data = budget_alloc(g->e.budget, (size_t)tensor_bytes(type), r);
    if (!t.data)
        return false;
    ok = initial_draw(&t, &i, g->e.budget, r) &&
         (old ? edit_tensor(&g->e, old, &t) : edit_add_initializer(&g->e, v->name, &t));
    budget_free(g->e.budget, t.data);
    g->count += ok;
    return ok;
}

/* Is the input a parameter? The metadata say so, or it is read as one and is not where the samples come in. */
static const char *rule_of_input(const struct drawing *g, size_t k, const struct place_of *at)
{
    const struct value *v = g->from->graph->inputs[k];
    const char *rule = map_get(&g->rules, v->name);

    if (!rule && at->reader && k > 0 && tensor_known(&v->type))
        rule = node_parameter(at->reader, at->input)->initial;
    return rule;
}

/* Where memory does not suffice to tell, who gives them values will say so. */
size_t model_missing_values(const struct model *m)
{
    struct budget b = budget_like(&m->budget);
    struct map rules;
    size_t missing;

    map_init(&rules, &b);
    missing = !find_rules(m, &rules, NULL);
    for (size_t k = 0; k < m->graph->input_count; k++)
        missing += map_has(&rules, m->graph->inputs[k]->name);
    map_release(&rules);
    return missing;
}

static bool draw_inputs(struct drawing *g)
{
    const struct graph *from = g->from->graph;
    const struct place_of *places = find_readers(from, &g->arena, g->e.report);

    for (size_t k = 0; places && k < from->input_count; k++) {
        const struct value *v = from->inputs[k];
        const struct place_of *at = &places[v->id];
        const char *rule = rule_of_input(g, k, at);

        if (!rule)
            continue;
        if (!v->has_type || !tensor_known(&v->type))
            return fail(g->e.report, KILN_BAD_MODEL, v->name, "a parameter must declare its shape");
        edit_drop_graph_input(&g->e, v->name); /* where an initializer is an input as well, it becomes one again */
        if (!draw_value(g, v, &v->type, rule, at->reader, at->input, k))
            return false;
    }
    return places;
}

static bool draw_again(struct drawing *g)
{
    struct parameters p;
    bool ok = parameters_find(&p, g->from, NULL, &g->arena, g->e.report);

    for (size_t k = 0; ok && k < p.count; k++) {
        const struct parameter *q = &p.at[k];
        const char *rule = map_get(&g->rules, q->value->name);

        if ((q->role != ROLE_TRAINABLE && q->role != ROLE_STATISTIC) || q->value->producer)
            continue;
        if (!rule)
            rule = node_parameter(q->reader, q->input)->initial;
        ok = draw_value(g, q->value, &q->initial, rule, q->reader, q->input, k);
    }
    return ok;
}

/* -- as the file says it -- */

/* How many initializers the file's initialization graphs assign to. */
static size_t count_assigned(const struct model *m)
{
    size_t count = 0;

    for (size_t k = 0; k < m->proto->n_training_info; k++)
        count += m->proto->training_info[k]->n_initialization_binding;
    return count;
}

static struct model *run_initializations(const struct model *m, uint64_t seed, struct report *r)
{
    const struct session_options o = {
        .threads = 1, .memory = m->budget.limit, .seconds = m->budget.seconds, .total = m->budget.total, .seed = seed
    };
    struct training_info *t = training_info_new(m, &o, r);
    struct model *made = t && training_info_initialize(t, r) ? training_info_export(t, r) : NULL;

    training_info_free(t);
    return made;
}

/* -- all of it -- */

struct model *model_initialise(const struct model *m, const struct initialise_options *o, size_t *count,
                               struct report *r)
{
    struct drawing g = { .from = m, .options = o };
    struct model *copy;
    bool ok;

    *count = o->again ? count_assigned(m) : 0;
    if (*count)
        return run_initializations(m, o->seed, r);
    copy = model_copy(m, r);
    ok = copy;
    if (copy) {
        g.arena.budget = &copy->budget;
        map_init(&g.rules, &copy->budget);
        ok =
            edit_begin(&g.e, copy, r) && find_rules(m, &g.rules, r) && draw_inputs(&g) && (!o->again || draw_again(&g));
        ok = edit_end(&g.e) && ok;
        map_release(&g.rules);
        arena_release(&g.arena);
    }
    *count = g.count;
    if (ok)
        return copy;
    model_free(copy);
    return NULL;
}
