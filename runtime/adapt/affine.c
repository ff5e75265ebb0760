/* Normalisations without scale and bias, for which PyTorch's exporters write ones and zeros (train/affine.h): these are
 * constants. Where the exporter has merged them with a parameter of another layer they become constants of their own, or
 * they would train with it. A layer of which nothing tells whether it has any is listed. */
#include "train/affine.h"
#include "adapt/facts.h"
#include "adapt/step.h"
#include "base/text.h"
#include "data/element.h"
#include "model/message.h"
#include "ops/registry.h"
#include "train/decided.h"
#include "train/told.h"
#include <string.h>

/* Where a layer reads ones for its scale, or zeros for its bias. */
struct reading {
    const struct node *layer;
    const struct node *node; /* that reads the constant itself: the layer, or what repeats it for that */
    int input;
    const struct value *constant;
    const char *name; /* as the layer reads it: an Identity may stand before it */
    bool scale;
    bool given;     /* the layer has it, as far as can be told */
    bool told;      /* by metadata, not by a name alone */
    bool doubtful;  /* nothing tells; where others read the same it may have been merged, */
    bool of_groups; /* a factor or a summand behind groups may stand for nothing by itself, too */
    bool asked;     /* the caller says other than what was found */
};

struct search {
    struct adapt *adapt;
    struct facts facts;
    struct edit edit;
    const struct tensor **content; /* by value id: of constants that may be parameters */
    struct decided said;           /* roles that the file tells */
    bool pytorch;
    struct reading *at;
    size_t count;
    int *layers, *without; /* by value id: so many layers read it, and so many of these have none */
    size_t changed;
};

/* -- finding -- */

/* The constant behind what is read; *reading has the node that reads it. */
static const struct value *constant_behind(const struct value *v, struct reading *r)
{
    while (v->producer && v->producer->in[0] &&
           (v->producer->def->flags & OP_REARRANGES || node_is(v->producer, &op_tile) ||
            node_is(v->producer, &op_expand))) {
        r->node = v->producer;
        r->input = 0;
        v = v->producer->in[0];
    }
    return v;
}

/* TorchScript's form of GroupNormalization normalises groups, with ones and zeros that say nothing of the layer's. */
static bool is_of_groups(const struct node *n)
{
    const struct node *before = n->in[0]->producer;

    return node_is(n, &op_instance_normalization) && before && node_is(before, &op_reshape);
}

/* A factor or a summand of channels that were normalised in groups. */
static bool is_behind_groups(const struct search *s, const struct node *n)
{
    for (int k = 0; k < 2 && n && (node_is(n, &op_mul) || node_is(n, &op_add)); k++)
        n = n->in[s->facts.active[n->in[0]->id] ? 0 : 1]->producer;
    n = n && node_is(n, &op_reshape) ? n->in[0]->producer : NULL;
    n = n ? node_origin(n) : NULL;
    return n && is_of_groups(n);
}

/* The last part of a path, and its length without the number that says that a module is called again, "norm_1". */
static const char *last_part(const char *path, size_t *length)
{
    size_t end = *length, begin, digits;

    for (begin = end; begin && path[begin - 1] != '/';)
        begin--;
    for (digits = end; digits > begin && path[digits - 1] >= '0' && path[digits - 1] <= '9';)
        digits--;
    if (digits < end && digits > begin + 1 && path[digits - 1] == '_')
        end = digits - 1;
    *length = end - begin;
    return path + begin;
}

/* "/mlp/norm_1/LayerNormalization" and "mlp.norm.weight": is the parameter called as the module is? */
static bool names_fit(const struct node *n, const char *parameter)
{
    const char *scope = strrchr(n->name, '/'), *end = strrchr(parameter, '.'), *module;
    size_t length = scope ? (size_t)(scope - n->name) : 0;

    if (!length || !end)
        return false;
    module = last_part(n->name, &length);
    return length <= (size_t)(end - parameter) && strncmp(end - length, module, length) == 0;
}

static void add_reading(struct search *s, const struct node *n, int input)
{
    struct reading r = { .layer = n, .node = n, .input = input, .name = n->in[input]->name };
    const struct facts *f = &s->facts;
    const struct op_parameter *place = node_parameter(n, input);
    const struct tensor *content;
    enum affine is;

    if (place && place->use == PARAMETER_IS_STATISTIC)
        return;
    r.constant = constant_behind(n->in[input], &r);
    content = s->content[r.constant->id];
    if (!content || decided_of(&s->said, r.constant->name) || facts_place(f, r.node) < 0)
        return;
    is = affine_of(f->model, n, r.constant, content);
    if (is == AFFINE_PARAMETER)
        return;
    r.scale = element_getter(content->dtype)(content->data, 0) != 0;
    r.told = affine_told(f->model, n, r.scale) != AFFINE_UNSAID;
    r.of_groups =
        !r.told && tensor_count(content) > 1 && is_behind_groups(s, n) && told_is_numbered(r.name, strlen(r.name));
    if (!r.told && !r.of_groups && (!affine_is_normalization(n) || is_of_groups(n)))
        return;
    r.given = is != AFFINE_NONE;
    r.doubtful = r.given && s->pytorch && !facts_metadata(f, n, "fx_node") && !names_fit(n, r.name);
    s->layers[r.constant->id] += r.given;
    s->without[r.constant->id] += !r.given;
    s->at[s->count++] = r;
}

static bool find_readings(struct search *s)
{
    const struct graph *g = s->facts.model->graph;
    struct adapt *a = s->adapt;
    size_t most = 0;

    for (size_t k = 0; k < g->node_count; k++)
        most += (size_t)node_origin(g->nodes[k])->inputs;
    s->at = arena_array(a->arena, most, sizeof *s->at, a->report);
    s->layers = arena_array(a->arena, g->value_count, sizeof *s->layers, a->report);
    s->without = arena_array(a->arena, g->value_count, sizeof *s->without, a->report);
    for (size_t k = 0; s->at && s->layers && s->without && k < g->node_count; k++) {
        const struct node *n = node_origin(g->nodes[k]);

        if ((k && n == node_origin(g->nodes[k - 1])) || facts_place(&s->facts, n) < 0)
            continue;
        for (int i = 0; i < n->inputs; i++)
            if (n->in[i] && !s->facts.active[n->in[i]->id])
                add_reading(s, n, i);
    }
    return s->at && s->layers && s->without;
}

static bool find_contents(struct search *s)
{
    struct adapt *a = s->adapt;
    const struct model *m = s->facts.model;
    struct parameters *p = arena_alloc(a->arena, sizeof *p, a->report);

    s->content = arena_array(a->arena, m->graph->value_count, sizeof *s->content, a->report);
    if (!p || !s->content || !parameters_find(p, m, NULL, a->arena, a->report))
        return false;
    for (size_t k = 0; k < p->count; k++)
        s->content[p->at[k].value->id] = &p->at[k].initial;
    return true;
}

/* -- choosing -- */

/* What nothing tells of is doubtful where others read the same: then an exporter may have merged it. */
static void choose(struct search *s)
{
    static const char *const choices[] = { "trainable", "constant", NULL };

    for (size_t k = 0; k < s->count; k++) {
        struct reading *r = &s->at[k];
        const int of = r->constant->id;
        const char *chosen;

        r->doubtful = r->doubtful && (r->of_groups || s->layers[of] > 1);
        chosen = r->given && !r->doubtful ? NULL : adapt_choice(s->adapt, choices, facts_name(r->layer), NULL);
        if (!chosen)
            continue;
        r->asked = r->given != (strcmp(chosen, "trainable") == 0);
        r->given ^= r->asked;
        s->without[of] += r->asked ? (r->given ? -1 : 1) : 0;
        r->doubtful = false;
    }
}

/* -- writing -- */

/* Readers of one that stays a constant need not have it for themselves. */
static bool is_shared(const struct search *s, const struct reading *r)
{
    const int readers = s->facts.readers[r->constant->id];

    return readers > 1 && (r->asked || (!r->given && s->without[r->constant->id] < readers));
}

static bool separate(struct search *s, const struct reading *r, const char **name)
{
    struct edit *e = &s->edit;
    char *fresh;

    *name = arena_printf(s->adapt->arena, e->report, "%s/%s", facts_name(r->layer), r->scale ? "scale" : "bias");
    fresh = *name ? edit_fresh_name(e, *name) : NULL;
    *name = fresh ? arena_string(s->adapt->arena, fresh, strlen(fresh), e->report) : NULL;
    budget_free(e->budget, fresh);
    s->changed++;
    return *name && edit_add_initializer(e, *name, s->content[r->constant->id]) &&
           edit_set_input(e, e->graph->node[facts_place(&s->facts, r->node)], (size_t)r->input, *name);
}

static bool write(struct search *s)
{
    for (size_t k = 0; k < s->count; k++) {
        const struct reading *r = &s->at[k];
        const char *name = r->constant->name;

        if ((is_shared(s, r) && !separate(s, r, &name)) ||
            (r->asked && !adapt_set_role(s->adapt, name, r->given ? ROLE_TRAINABLE : ROLE_CONSTANT)))
            return false;
    }
    return true;
}

/* -- telling -- */

/* The nodes of one layer were made of one thing. */
static bool is_same_layer(const struct search *s, const struct reading *a, const struct reading *b)
{
    const char *of = a->told && b->told ? facts_metadata(&s->facts, a->layer, "fx_node") : NULL;
    const char *other = of ? facts_metadata(&s->facts, b->layer, "fx_node") : NULL;

    return a->layer == b->layer || (other && strcmp(of, other) == 0);
}

static const char *name_of(const struct search *s, const struct reading *r)
{
    const char *of = r->told ? facts_metadata(&s->facts, r->layer, "fx_node") : NULL;

    return of && text_contains(of, "group_norm") ? op_group_normalization.name
           : affine_is_normalization(r->layer)   ? r->layer->op_name
                                                 : "a normalisation";
}

/* Of readings `from` to `to`, which are alike and of one layer. */
static bool tell(struct search *s, const struct reading *from, const struct reading *to)
{
    struct adapt *a = s->adapt;
    bool scale = false, bias = false;
    struct finding f = { .name = facts_name(to->layer), .certainty = DOUBTFUL };
    const char *what;

    for (const struct reading *r = from; r <= to; r++)
        *(r->scale ? &scale : &bias) = true;
    what = scale && bias ? "scale and bias" : scale ? "scale" : "bias";
    if (to->doubtful) {
        f.found = to->of_groups
                      ? arena_printf(a->arena, a->report, "%s of one number, behind groups", what)
                      : arena_printf(a->arena, a->report, "%s of one number, which other layers read, too", what);
        f.evidence = arena_printf(a->arena, a->report, "no name tells whose '%s' is", to->constant->name);
        f.done = "nothing: it trains";
        f.unknown = "whether the layer has any (constant: it has none)";
    } else {
        f.found = arena_printf(a->arena, a->report, "%s without %s", name_of(s, to), what);
        f.evidence = to->told ? "metadata of the node: None in its place"
                              : arena_printf(a->arena, a->report, "'%s' is the exporter's own", to->constant->name);
        f.certainty = to->told ? CERTAIN : LIKELY;
        f.done = to->given ? "what stands for it trains, as asked" : "what stands for it is constant";
    }
    return f.found && f.evidence && adapt_tell(a, &f);
}

static bool is_told(const struct reading *r)
{
    return !r->given || r->asked || r->doubtful;
}

static bool tell_all(struct search *s)
{
    for (size_t k = 0, to; k < s->count; k = to + 1) {
        to = k;
        if (!is_told(&s->at[k]))
            continue;
        while (to + 1 < s->count && is_told(&s->at[to + 1]) && s->at[to + 1].given == s->at[k].given &&
               is_same_layer(s, &s->at[k], &s->at[to + 1]))
            to++;
        if (!tell(s, &s->at[k], &s->at[to]))
            return false;
    }
    return true;
}

/* -- all of it -- */

bool adapt_affine(struct adapt *a)
{
    struct search s = { .adapt = a };
    struct model *to = NULL;
    bool ok;

    s.pytorch = strcmp(or_empty(a->model->proto->producer_name), "pytorch") == 0;
    map_init(&s.said.names, a->arena->budget);
    ok = facts_find(&s.facts, a) && decided_read(&s.said, a->model, DECIDED_ROLE, a->arena->budget, a->report) &&
         find_contents(&s) && find_readings(&s);
    if (ok)
        choose(&s);
    ok = ok && tell_all(&s) && (!s.count || (to = adapt_copy(a)));
    ok = ok && (!to || (edit_begin(&s.edit, to, a->report) && write(&s)));
    ok = (!to || edit_end(&s.edit)) && ok;
    decided_release(&s.said);
    facts_release(&s.facts);
    if (ok && s.changed)
        return adapt_take(a, to, true);
    model_free(to);
    return ok;
}
