/* Constants that exporters have merged because they were equal: the zeros or ones that several layers begin with, or the
 * weights of a layer and its copies (torch.nn.TransformerEncoder makes such), become one initializer, which would train
 * as one.
 *
 * tf2onnx has all of them read one; PyTorch's TorchScript exporter puts an Identity before all but the first, and calls
 * what that makes as the parameter was called; its newer one tells in the metadata of which parameters it made a node.
 * Keras' names may tell of calls of a layer (adapt/keras_calls.h).
 * Where names tell nothing, what has other numbers was shared, as was what stands behind calls of a layer of one weight. But
 * tf2onnx shares no biases among layers of other weights: those came out equal, as two branches of one sum may train them. */
#include "adapt/facts.h"
#include "adapt/keras_calls.h"
#include "adapt/step.h"
#include "base/map.h"
#include "base/text.h"
#include "data/element.h"
#include "ops/registry.h"
#include "train/decided.h"
#include <stdio.h>
#include <string.h>

struct use {
    const struct node *node; /* of the file */
    const char *given;       /* what it reads in the place of the constant; NULL: not decided yet */
    struct use *next;
};

/* Of a weight: the constant that was looked at last, and the first of its readers behind that weight, and where. */
struct seen {
    const struct value *by;
    const struct use *first;
    const struct node *layer;
};

struct untie {
    struct adapt *adapt;
    struct facts facts;
    struct edit edit;
    bool calls_told;        /* keras_calls_find */
    bool identities;        /* an Identity stands where the exporter has merged; else whatever reads it does */
    struct use *uses, **of; /* of: by value id */
    struct seen *seen;      /* by value id */
    struct decided said;    /* roles that the file tells */
    size_t *marked, marks;  /* [places in the file]: nodes that were counted, of the constant at hand */
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
        most += (size_t)node_origin(g->nodes[k])->inputs;
    u->uses = arena_array(a, most, sizeof *u->uses, r);
    u->of = arena_array(a, g->value_count, sizeof *u->of, r);
    u->seen = arena_array(a, g->value_count, sizeof *u->seen, r);
    u->marked = arena_array(a, u->facts.model->proto->graph->n_node, sizeof *u->marked, r);
    if (!u->uses || !u->of || !u->seen || !u->marked)
        return false;
    for (size_t k = g->node_count; k-- > 0;) {
        const struct node *n = node_origin(g->nodes[k]);

        for (int i = 0; i < n->inputs; i++) {
            const struct value *v = n->in[i];

            if (!v || (u->of[v->id] && u->of[v->id]->node == n))
                continue;
            u->uses[count] = (struct use){ n, NULL, u->of[v->id] };
            u->of[v->id] = &u->uses[count++];
        }
    }
    return true;
}

/* -- what layers do not share -- */

/* The length of what stands before the last part of a node's name; 0 where there is nothing. */
static size_t scope_of(const char *name)
{
    const char *cut = strrchr(name, '/');

    return cut ? (size_t)(cut - name) : 0;
}

/* What layers begin with: one number, or the zeros and, at the forget gate, ones of Keras' LSTM. */
static bool is_fresh(const struct untie *u, const struct tensor *t)
{
    element_get *const get = element_getter(t->dtype);

    if (tensor_is_uniform(t))
        return true;
    for (int64_t k = 0; k < tensor_count(t); k++)
        if (u->identities || (get(t->data, k) != 0 && get(t->data, k) != 1))
            return false;
    return true;
}

static bool has_weight(const struct node *n)
{
    return node_is(n, &op_conv) || node_is(n, &op_conv_transpose) || node_is(n, &op_gemm) || node_is(n, &op_matmul);
}

/* Is it the bias of the layer that this is, or that stands before this sum? */
static bool is_bias_of(const struct node *n, const struct value *v)
{
    const struct node *layer = n;

    if (node_is(n, &op_add)) {
        layer = n->in[n->in[0] == v]->producer;
        while (layer && layer->def->flags & OP_REARRANGES && layer->in[0])
            layer = layer->in[0]->producer;
        return layer && has_weight(layer);
    }
    return has_weight(n) && n->inputs > 2 && n->in[2] == v;
}

/* Is it a bias wherever it is read, of layers that have names of their own and other weights? */
static bool is_bias_of_layers(const struct untie *u, const struct value *v)
{
    const struct value *before = NULL;
    const char *name = "";

    for (const struct use *at = u->of[v->id]; at; at = at->next) {
        const struct node *layer = NULL;
        const struct value *weight = facts_weight(u->facts.active, at->node, v, &layer);
        const size_t scope = scope_of(at->node->name);

        if (!is_bias_of(at->node, v) || !weight || !scope ||
            (weight != before && scope == scope_of(name) && strncmp(name, at->node->name, scope) == 0))
            return false;
        before = weight;
        name = at->node->name;
    }
    return true;
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

static bool is_statistic(const struct node *n, int input)
{
    const struct op_parameter *p = node_parameter(n, input);

    return p && p->use == PARAMETER_IS_STATISTIC;
}

/* `statistic`: only where it is one. */
static bool give_copy(struct untie *u, const struct value *v, const struct node *n, const char *name, bool statistic)
{
    const int64_t place = facts_place(&u->facts, n);

    if (place < 0)
        return true;
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i] == v && (!statistic || is_statistic(n, i)) &&
            !edit_set_input(&u->edit, u->edit.graph->node[place], (size_t)i, name))
            return false;
    return true;
}

/* Is it both a statistic of the node and something that trains? */
static bool is_both(const struct node *n, const struct value *v)
{
    bool statistic = false, other = false;

    for (int i = 0; i < n->inputs; i++)
        if (n->in[i] == v)
            *(is_statistic(n, i) ? &statistic : &other) = true;
    return statistic && other;
}

/* -- names -- */

/* A module of PyTorch, as TorchScript calls its nodes, "/enc/layers.1/linear1/", and what it reads now. */
struct module {
    const char *name;
    size_t length;
    const char *given;
    struct module *next;
};

/* Of those who read one constant. */
struct readers {
    struct untie *of;
    const struct value *v;
    bool fresh, apart;     /* is_fresh; layers of other weights have others, whatever names say */
    struct map calls;      /* by the layer of which names tell that a reader is a call: the first use */
    struct map parameters; /* by the name of each that a node was made of: what it reads now */
    struct module *modules;
};

/* By the parameters that the newer exporter made the node of, "... (args = (%x, %p_bn1_weight, %p_bn1_bias))": what one of
 * them was given; `give` is given to those that have nothing. For zeros and ones the modules will do where it does not
 * tell, "['', 'bn1'". *count: of names. */
static bool look_at_parameters(struct readers *s, const struct node *n, const char *give, const char **given,
                               int *count)
{
    struct adapt *a = s->of->adapt;
    const char *made_of = facts_metadata(&s->of->facts, n, "fx_node"), *at = made_of ? strstr(made_of, "%p_") : NULL;
    const char *scopes = at || !s->fresh ? NULL : facts_metadata(&s->of->facts, n, "name_scopes");
    const char *end = scopes ? strrchr(scopes, ',') : NULL;

    if (end)
        at = scopes;
    for (*count = 0; at; at = scopes ? NULL : strstr(end, "%p_")) {
        end = scopes ? end : at + strcspn(at, ",) ");
        const char *key = arena_string(a->arena, at, (size_t)(end - at), a->report);
        void **slot = key ? map_put(&s->parameters, key, a->report) : NULL;

        if (!slot)
            return false;
        if (!*slot)
            *slot = (void *)(uintptr_t)give;
        *given = *given ? *given : *slot;
        ++*count;
    }
    return true;
}

/* Is the second the name of a module that is called again? A number tells of that: "/enc/layers.1_1/". */
static bool is_called_again(const struct module *m, const char *name, size_t length)
{
    size_t k = 0, i = 0;

    while (k < m->length && i < length) {
        if (m->name[k] == '/' && name[i] == '_')
            for (i++; i < length && name[i] >= '0' && name[i] <= '9';)
                i++;
        if (i == length || m->name[k++] != name[i++])
            return false;
    }
    return k == m->length && i == length;
}

/* The same of what TorchScript has written. A parameter keeps its name, behind an Identity, too; of what it has computed
 * ("onnx::MatMul_7") the module of the node that reads it tells. */
static bool look_at_modules(struct readers *s, const struct node *n, const char *give, const char **given, int *count)
{
    static const char computed[] = "onnx::";
    const struct value *behind = node_is(n, &op_identity) ? n->out[0] : NULL;
    const struct use *use = behind ? s->of->of[behind->id] : NULL;
    const char *name = use ? use->node->name : n->name, *cut = *name == '/' ? strrchr(name, '/') : NULL;
    const size_t length = cut ? (size_t)(cut + 1 - name) : 0;
    const bool parameter = strncmp(s->v->name, computed, strlen(computed)) != 0;
    struct module *m = s->modules;

    *count = behind && parameter && strncmp(behind->name, computed, strlen(computed)) != 0;
    if (parameter || length < 2)
        return true;
    *count = 1;
    while (m && !is_called_again(m, name, length))
        m = m->next;
    if (m)
        *given = m->given;
    else if (give) {
        m = arena_alloc(s->of->adapt->arena, sizeof *m, s->of->adapt->report);
        if (!m)
            return false;
        *m = (struct module){ name, length, give, s->modules };
        s->modules = m;
    }
    return true;
}

/* What the layer of this node reads already, by its names; NULL where it has read nothing yet. */
static bool look_at_names(struct readers *s, const struct node *n, const char *give, const char **given, int *count)
{
    *count = 0;
    if (!s->of->identities)
        return true;
    if (!look_at_parameters(s, n, give, given, count))
        return false;
    return *count || look_at_modules(s, n, give, given, count);
}

/* The first that reads it directly keeps it. */
static bool is_merged_use(const struct untie *u, const struct node *n, bool first)
{
    return u->identities ? node_is(n, &op_identity) : !first;
}

/* The node that reads it: behind an Identity, or the use's own. `*v` becomes what that reads. */
static const struct node *reader_of(const struct untie *u, const struct use *at, const struct value **v)
{
    const struct value *out = node_is(at->node, &op_identity) ? at->node->out[0] : NULL;

    if (!out || !u->of[out->id])
        return at->node;
    *v = out;
    return u->of[out->id]->node;
}

static size_t count_readers(const struct readers *s)
{
    struct untie *u = s->of;
    size_t count = 0;

    u->marks++;
    for (const struct use *at = u->of[s->v->id]; at; at = at->next) {
        const struct value *v = s->v;
        const int64_t place = facts_place(&u->facts, reader_of(u, at, &v));

        count += place < 0 || u->marked[place] != u->marks;
        if (place >= 0)
            u->marked[place] = u->marks;
    }
    return count;
}

/* "scale and running variance": as what the only layer that reads it does. */
static const char *places_of(const struct readers *s)
{
    const struct untie *u = s->of;
    struct adapt *a = u->adapt;
    struct text out = { .budget = a->arena->budget, .report = a->report };
    const char *copy = NULL;

    for (const struct use *at = u->of[s->v->id]; at; at = at->next) {
        const struct value *v = s->v;
        const struct node *n = reader_of(u, at, &v);

        for (int k = 0; k < n->inputs; k++)
            if (n->in[k] == v && node_parameter(n, k))
                text_printf(&out, "%s%s", out.length ? " and " : "", node_parameter(n, k)->name);
    }
    if (out.length && !out.failed)
        copy = arena_string(a->arena, out.data, out.length, a->report);
    text_release(&out);
    return copy ? copy : "";
}

/* It was merged of so many. */
static const char *evidence_of(const struct readers *s, size_t count, size_t layers)
{
    struct adapt *a = s->of->adapt;
    const struct tensor *t = s->v->initializer;
    const double number = element_getter(t->dtype)(t->data, 0);

    if (!tensor_is_uniform(t))
        return arena_printf(a->arena, a->report, "%s%zu layers read it, by names of their own",
                            s->fresh ? "all its elements are 0 or 1, and " : "", count);
    if (layers == 1)
        return arena_printf(a->arena, a->report, "all its elements are %g: %s", number, places_of(s));
    if (count <= layers)
        return arena_printf(a->arena, a->report, "all its elements are %g, and %zu layers read it", number, count);
    return arena_printf(a->arena, a->report, "all its elements are %g, and %zu layers read it, in %zu places", number,
                        layers, count);
}

static bool tell(const struct readers *s, size_t count)
{
    const size_t layers = count_readers(s);
    const bool one = layers == 1; /* its scale and its variance are two things whatever their numbers are */
    const char *evidence = evidence_of(s, count, layers);

    return evidence &&
           adapt_tell(s->of->adapt, &(struct finding){
                                        .name = s->v->name,
                                        .found = one ? "equal constants of one layer that the exporter has merged"
                                                     : "equal constants of several layers that the exporter has merged",
                                        .evidence = evidence,
                                        .certainty = one ? CERTAIN : LIKELY,
                                        .done = one ? "each is one of its own" : "each layer has one of its own",
                                        .unknown = one ? NULL : "whether they shared one (shared: they do)" });
}

/* -- calls of one layer -- */

/* Nodes without names have the scope of none, which tells nothing. */
static bool is_same_scope(const char *a, const char *b)
{
    const size_t scope = scope_of(a);

    return !scope || !scope_of(b) || (scope == scope_of(b) && strncmp(a, b, scope) == 0);
}

/* By names. *told: they tell. */
static const struct use *earlier_call(struct readers *s, struct use *of, bool *told)
{
    struct adapt *a = s->of->adapt;
    const char *name = facts_name(of->node);
    const size_t scope = scope_of(name);
    const char *layer = NULL;
    void **slot;
    int64_t order;

    *told = s->of->calls_told && memchr(name, '/', scope); /* what stands in the model itself is of no layer */
    if (*told)
        layer = keras_layer_called(name, scope, &order, a->arena, a->report);
    slot = layer ? map_put(&s->calls, layer, a->report) : NULL;
    if (!slot)
        return NULL;
    if (!*slot)
        *slot = of;
    return *slot == of ? NULL : *slot;
}

/* The first use behind a layer with the weight of this one; NULL where that is this one. Layers that stand side by side
 * behind one call have nothing in common but that. */
static const struct use *earlier_behind(struct readers *s, const struct use *of)
{
    const struct node *layer = NULL;
    const struct value *weight = facts_weight(s->of->facts.active, of->node, s->v, &layer);
    struct seen *seen = weight ? &s->of->seen[weight->id] : NULL;
    const char *name = of->node->name;

    if (!seen)
        return NULL;
    if (seen->by != s->v) {
        *seen = (struct seen){ s->v, of, layer };
        return NULL;
    }
    return seen->layer != layer || is_same_scope(name, seen->first->node->name) ? seen->first : NULL;
}

static const struct use *earlier_use(struct readers *s, struct use *of)
{
    bool told;
    const struct use *call = earlier_call(s, of, &told);

    return told ? call : earlier_behind(s, of);
}

static const char *const choices[] = { "shared", "untied", NULL };

/* What the node reads from now on: what its layer does already, the constant itself, or a copy; a statistic is another
 * one. *kept: some layer reads it on. */
static bool serve(struct readers *s, struct use *use, bool *kept, size_t *copies)
{
    struct untie *u = s->of;
    const struct node *n = use->node;
    const struct use *earlier = s->apart ? earlier_use(s, use) : NULL;
    const char **given = &use->given, *own;
    int names;

    if (!look_at_names(s, n, NULL, given, &names))
        return false;
    if (!names && (earlier || !s->apart))
        *given = earlier ? earlier->given : s->v->name;
    if (!*given) {
        const bool copy = names && !node_is(n, &op_identity) ? *kept : is_merged_use(u, n, !*kept);

        *given = copy ? copy_for(u, s->v, n) : s->v->name;
        *copies += copy;
    }
    *kept |= *given == s->v->name;
    if (!*given || !look_at_names(s, n, *given, given, &names) ||
        (*given != s->v->name && !give_copy(u, s->v, n, *given, false)))
        return false;
    if (!is_both(n, s->v))
        return true;
    own = copy_for(u, s->v, n);
    ++*copies;
    return own && give_copy(u, s->v, n, own, true);
}

/* Is it decided whose it is: by the file, or by the step that has made it, of a BatchNormalization? */
static bool is_decided(const struct untie *u, const struct parameter *p)
{
    const struct value *v = p->value;

    return decided_of(&u->said, v->name) ||
           (node_is(u->of[v->id]->node, &op_batch_normalization) && !graph_find(u->adapt->reference->graph, v->name));
}

/* All readers but the first, and those of the same layer, get copies. PyTorch's Identity comes before what it is one of. */
static bool untie(struct untie *u, const struct parameter *p)
{
    const struct value *v = p->value;
    const char *chosen = adapt_choice(u->adapt, choices, v->name, NULL);
    struct readers s = { .of = u, .v = v, .fresh = is_fresh(u, v->initializer) };
    size_t copies = 0;
    bool kept = false, ok = true;

    s.apart = s.fresh || (!u->identities && (chosen || is_bias_of_layers(u, v)));
    if ((chosen && strcmp(chosen, "shared") == 0) || (!chosen && is_decided(u, p)) || (!u->identities && !s.apart))
        return true;
    map_init(&s.calls, u->adapt->arena->budget);
    map_init(&s.parameters, u->adapt->arena->budget);
    for (int identities = 0; identities < 2; identities++)
        for (struct use *at = u->of[v->id]; ok && at; at = at->next)
            if ((u->identities && node_is(at->node, &op_identity)) == identities)
                ok = serve(&s, at, &kept, &copies);
    map_release(&s.parameters);
    map_release(&s.calls);
    if (!ok || failed(u->adapt->report))
        return false;
    u->untied += copies > 0;
    return !copies || tell(&s, copies + kept);
}

static bool untie_all(struct untie *u)
{
    struct adapt *a = u->adapt;
    struct parameters p;

    if (!parameters_find(&p, a->model, NULL, a->arena, a->report))
        return false;
    for (size_t k = 0; k < p.count; k++) {
        const struct parameter *at = &p.at[k];

        if (at->role == ROLE_TRAINABLE && at->readers > 1 && at->value->initializer && u->of[at->value->id] &&
            !untie(u, at))
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
    ok = facts_find(&u.facts, a) &&
         (u.identities || keras_calls_find(a->model->graph, a->arena, &u.calls_told, a->report)) &&
         (to = adapt_copy(a));
    ok = ok && edit_begin(&u.edit, to, a->report);
    map_init(&u.said.names, a->arena->budget);
    ok = ok && decided_read(&u.said, a->model, DECIDED_ROLE, a->arena->budget, a->report) && list_uses(&u) &&
         untie_all(&u);
    decided_release(&u.said);
    ok = (!to || edit_end(&u.edit)) && ok;
    facts_release(&u.facts);
    if (ok && u.untied)
        return adapt_take(a, to, true);
    model_free(to);
    return ok;
}
