/* Constants that exporters have merged because they were equal: the zeros or ones that several layers begin with become
 * one initializer, which would train as one.
 *
 * tf2onnx has all of them read one; PyTorch's TorchScript exporter puts an Identity before all but the first. What has
 * other numbers was shared, as was what layers of one weight read. */
#include "adapt/facts.h"
#include "adapt/step.h"
#include "base/map.h"
#include "data/element.h"
#include "ops/registry.h"
#include <stdio.h>
#include <string.h>

struct use {
    const struct node *node;
    struct use *next;
};

/* Of a weight: the constant that was looked at last, and the first of its readers behind that weight. */
struct seen {
    const struct value *by;
    const struct node *first;
};

struct untie {
    struct adapt *adapt;
    struct facts facts;
    struct edit edit;
    bool identities;        /* an Identity stands where the exporter has merged; else whatever reads it does */
    struct use *uses, **of; /* of: by value id */
    struct seen *seen;      /* by value id */
    const char **given;     /* by node id: what it reads in the place of the constant */
    size_t untied;
};

/* -- readers -- */

/* In their order, each once. */
static bool list_uses(struct untie *u)
{
    const struct graph *g = u->facts.model->graph;
    struct arena *a = u->adapt->arena;
    struct report *r = u->adapt->report;
    size_t most = 0, count = 0;

    for (size_t k = 0; k < g->node_count; k++)
        most += (size_t)g->nodes[k]->inputs;
    u->uses = arena_array(a, most, sizeof *u->uses, r);
    u->of = arena_array(a, g->value_count, sizeof *u->of, r);
    u->seen = arena_array(a, g->value_count, sizeof *u->seen, r);
    u->given = arena_array(a, g->node_count, sizeof *u->given, r);
    if (!u->uses || !u->of || !u->seen || !u->given)
        return false;
    for (size_t k = g->node_count; k-- > 0;)
        for (int i = 0; i < g->nodes[k]->inputs; i++) {
            const struct value *v = g->nodes[k]->in[i];

            if (!v || (u->of[v->id] && u->of[v->id]->node == g->nodes[k]))
                continue;
            u->uses[count] = (struct use){ g->nodes[k], u->of[v->id] };
            u->of[v->id] = &u->uses[count++];
        }
    return true;
}

/* The first layer with the weight of this one that reads the constant; NULL where that is this one. */
static const struct node *earlier_use(struct untie *u, const struct value *v, const struct node *of)
{
    const struct value *weight = facts_weight(u->facts.active, of, v);
    struct seen *seen = weight ? &u->seen[weight->id] : NULL;

    if (!seen)
        return NULL;
    if (seen->by == v)
        return seen->first;
    *seen = (struct seen){ v, of };
    return NULL;
}

/* -- copies -- */

/* The name of a copy for this reader, which belongs to the arena. */
static const char *copy_for(struct untie *u, const struct value *v, const struct node *n)
{
    const char *cut = strrchr(n->name, '/');
    const char *stem =
        cut ? arena_printf(u->adapt->arena, u->adapt->report, "%.*s/own", (int)(cut - n->name), n->name) : v->name;
    char *name = stem ? edit_fresh_name(&u->edit, stem) : NULL;
    const char *kept = NULL;

    if (name && edit_add_initializer(&u->edit, name, v->initializer))
        kept = arena_string(u->adapt->arena, name, strlen(name), u->edit.report);
    budget_free(u->edit.budget, name);
    return kept;
}

static bool give_copy(struct untie *u, const struct value *v, const struct node *n, const char *name)
{
    const int64_t place = facts_place(&u->facts, n);

    if (place < 0)
        return true;
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i] == v && !edit_set_input(&u->edit, u->edit.graph->node[place], (size_t)i, name))
            return false;
    return true;
}

/* Modules of PyTorch that the node is of, without its own name, as the newer exporter tells: "['', 'bn1'"; NULL. */
static const char *module_of(const struct untie *u, const struct node *n)
{
    const char *scopes = u->identities ? facts_metadata(&u->facts, n, "name_scopes") : NULL,
               *cut = scopes ? strrchr(scopes, ',') : NULL;

    return cut ? arena_string(u->adapt->arena, scopes, (size_t)(cut - scopes), u->adapt->report) : NULL;
}

/* The first that reads it directly keeps it. */
static bool is_merged_use(const struct untie *u, const struct node *n, bool first)
{
    return u->identities ? node_is(n, &op_identity) : !first;
}

static bool tell(struct untie *u, const struct value *v, size_t layers)
{
    element_get *const get = element_getter(v->initializer->dtype);

    return adapt_tell(u->adapt,
                      &(struct finding){ .name = v->name,
                                         .found = "equal constants of several layers that the exporter has merged",
                                         .evidence = arena_printf(u->adapt->arena, u->adapt->report,
                                                                  "all its elements are %g, and %zu layers read it",
                                                                  get(v->initializer->data, 0), layers),
                                         .certainty = LIKELY,
                                         .done = "each layer has one of its own",
                                         .unknown = "whether they shared one (shared: they do)" });
}

static const char *const choices[] = { "shared", "untied", NULL };

/* All readers but the first, and those of the same layer, get copies. */
static bool untie(struct untie *u, const struct value *v)
{
    const char *chosen = adapt_choice(u->adapt, choices, v->name, NULL), **given = u->given;
    size_t copies = 0;
    bool kept = false, ok = true; /* kept: some layer reads it on */
    struct map modules;

    if (chosen && strcmp(chosen, "shared") == 0)
        return true;
    map_init(&modules, u->adapt->arena->budget);
    for (const struct use *at = u->of[v->id]; ok && at; at = at->next) {
        const struct node *n = at->node, *earlier = earlier_use(u, v, n);
        const char *module = module_of(u, n);
        void **slot = module ? map_put(&modules, module, u->adapt->report) : NULL;

        if (earlier)
            given[n->id] = given[earlier->id];
        else if (slot && *slot)
            given[n->id] = *slot;
        else if ((module ? kept : is_merged_use(u, n, !kept)) && ++copies)
            given[n->id] = copy_for(u, v, n);
        else {
            given[n->id] = v->name;
            kept = true;
        }
        if (slot)
            *slot = (void *)(uintptr_t)given[n->id];
        ok = given[n->id] && (!module || slot) && (given[n->id] == v->name || give_copy(u, v, n, given[n->id]));
    }
    map_release(&modules);
    if (!ok)
        return false;
    u->untied += copies > 0;
    return !copies || tell(u, v, copies + kept);
}

static bool untie_all(struct untie *u)
{
    struct adapt *a = u->adapt;
    struct parameters p;

    if (!parameters_find(&p, a->model, NULL, a->arena, a->report))
        return false;
    for (size_t k = 0; k < p.count; k++) {
        const struct parameter *at = &p.at[k];

        if (at->role == ROLE_TRAINABLE && at->readers > 1 && at->value->initializer &&
            tensor_is_uniform(at->value->initializer) && !untie(u, at->value))
            return false;
    }
    return true;
}

bool adapt_untie(struct adapt *a)
{
    const char *producer = a->model->proto->producer_name ? a->model->proto->producer_name : "";
    struct untie u = { .adapt = a, .identities = strcmp(producer, "pytorch") == 0 };
    struct model *to = NULL;
    bool ok;

    if (!u.identities && strcmp(producer, "tf2onnx") != 0)
        return true; /* others are not known to merge */
    ok = facts_find(&u.facts, a->model, a->arena, a->report) && (to = adapt_copy(a));
    ok = ok && edit_begin(&u.edit, to, a->report);
    ok = ok && list_uses(&u) && untie_all(&u);
    ok = (!to || edit_end(&u.edit)) && ok;
    facts_release(&u.facts);
    if (ok && u.untied)
        return adapt_take(a, to, true);
    model_free(to);
    return ok;
}
