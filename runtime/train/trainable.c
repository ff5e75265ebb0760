#include "train/trainable.h"
#include "data/element.h"
#include "grad/grad.h"
#include "ops/registry.h"
#include "ops/signature.h"
#include "train/constants.h"
#include "train/decided.h"
#include "train/layer_name.h"
#include "train/told.h"
#include <fnmatch.h>
#include <string.h>

const char *role_name(enum role role)
{
    static const char *const names[] = { "trainable", "statistic", "frozen", "constant" };

    return names[role];
}

struct search {
    const struct model *model;
    struct parameters *out;
    struct arena *arena;
    struct report *report;
    size_t room;
    struct parameter **of; /* by value id of the main graph */
    bool weights;          /* the model has a layer with weights */
    struct decided roles, layers;
    struct told_parameters told;
};

/* -- constants -- */

/* Has its output the numbers of input 0, in another shape, order or type of float? */
static bool keeps_numbers(const struct node *n)
{
    return n->in[0] && n->out[0] &&
           (n->def->flags & OP_REARRANGES || (node_is(n, &op_cast) && dtype_is_float(n->def->dtype(n, 0))));
}

/* Where a graph stands. */
struct body_place {
    const struct node *node; /* whose subgraph it is; NULL: the main graph */
    int which;
};
static const struct body_place no_body;

/* The value around the subgraph that its input k always is: what a loop carries unchanged, as exporters write weights.
 * NULL for all others. */
static const struct value *always(const struct body_place *p, size_t k)
{
    const struct node *n = p->node;
    const int from = n && n->def->body_input ? n->def->body_input(n, p->which, (int)k) : -1;

    return from >= 0 ? n->in[from] : NULL;
}

/* By value id: the value of the main graph that it is, looked at from inside subgraphs, and through nodes that leave it
 * what it is; NULL where it is none. `outside`: the same of the graph around. */
static const struct value **find_roots(struct search *s, const struct graph *g, const struct body_place *place,
                                       const struct value *const *outside)
{
    const struct value **root = arena_array(s->arena, g->value_count, sizeof *root, s->report);

    if (!root)
        return NULL;
    for (size_t k = 0; k < g->input_count; k++)
        if (always(place, k))
            root[g->inputs[k]->id] = outside[always(place, k)->id];
    for (size_t k = 0; k < g->value_count && !g->parent; k++)
        root[k] = g->values[k];
    for (size_t k = 0; k < g->capture_count; k++)
        root[g->captures[k].inner->id] = outside[g->captures[k].outer->id];
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (keeps_numbers(n))
            root[n->out[0]->id] = root[n->in[0]->id];
    }
    return root;
}

/* The message behind a Constant node of the main graph; NULL inside functions, where several calls share it. */
static const Onnx__AttributeProto *constant_attribute(const struct model *m, const struct value *v)
{
    const struct node *n = v->producer;
    const Onnx__NodeProto *p;

    if (!n || !node_is(n, &op_constant) || n->index < 0 || (size_t)n->index >= m->proto->graph->n_node)
        return NULL;
    p = m->proto->graph->node[n->index];
    if (p->n_output != 1 || strcmp(p->output[0], v->name) != 0 || p->n_attribute != 1)
        return NULL;
    return p->attribute[0];
}

static bool constant_of(struct search *s, const struct value *v, struct tensor *out)
{
    const Onnx__AttributeProto *a;
    struct external none = { 0 };

    if (v->initializer) {
        *out = *v->initializer;
        return true;
    }
    a = constant_attribute(s->model, v);
    if (a && a->t && strcmp(a->name, "value") == 0 && !external_is(a->t)) {
        struct report quiet = { 0 };

        return tensor_of_proto(out, a->t, &none, s->arena, v->name, &quiet);
    }
    if (a && a->n_floats && strcmp(a->name, "value_floats") == 0) {
        *out = (struct tensor){ .dtype = F32, .rank = 1, .dims = { (int64_t)a->n_floats }, .data = a->floats };
        return true;
    }
    return false;
}

/* -- the way of the activations -- */

/* Where a value that does not depend on the caller is read as a parameter. */
struct use {
    const struct op_parameter *place; /* NULL: nowhere */
    const struct node *reader;
    const struct known_values *in; /* what is known of the reader's graph */
};

/* What is known of a graph's values, by their ids. */
struct known_values {
    bool *active;                /* depends on what the caller gives; sizes do not count */
    bool *behind;                /* find_behind */
    bool *counts;                /* find_counts */
    const struct node **readers; /* find_only_readers */
    const struct value **roots;  /* find_roots */
    struct use *uses;            /* of what is made of several constants, or of one by arithmetic */
};

/* `outside`: the same of the graph around. */
static bool *find_active(const struct graph *g, const struct body_place *place, const bool *outside,
                         struct arena *arena, struct report *r)
{
    bool *active = arena_array(arena, g->value_count, sizeof *active, r);

    if (!active)
        return NULL;
    for (size_t k = 0; k < g->input_count; k++)
        active[g->inputs[k]->id] = !always(place, k) || outside[always(place, k)->id];
    for (size_t k = 0; k < g->capture_count; k++)
        active[g->captures[k].inner->id] = outside[g->captures[k].outer->id];
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool any = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            any |= n->in[i] && active[n->in[i]->id];
        for (int o = 0; o < n->slots && any && !(n->def->flags & OP_SHAPE_ONLY); o++)
            if (n->out[o])
                active[n->out[o]->id] = true;
    }
    return active;
}

bool *activations_find(const struct graph *g, struct arena *arena, struct report *r)
{
    return find_active(g, &no_body, NULL, arena, r);
}

/* Does a layer read its weight there? Slopes and scales make no layer. */
static bool is_weight(const struct node *n, int k)
{
    const struct op_parameter *p = node_parameter(n, k);

    return p && p->use == PARAMETER_TRAINS && (strstr(p->name, "weight") || strcmp(p->name, "table") == 0);
}

/* Behind layers with weights, by value id. What comes into a subgraph counts as such. */
static bool *find_behind(struct search *s, const struct graph *g, const bool *active)
{
    bool *behind = arena_array(s->arena, g->value_count, sizeof *behind, s->report);

    if (!behind)
        return NULL;
    for (size_t k = 0; g->parent && k < g->input_count; k++)
        behind[g->inputs[k]->id] = active[g->inputs[k]->id];
    for (size_t k = 0; g->parent && k < g->capture_count; k++)
        behind[g->captures[k].inner->id] = active[g->captures[k].inner->id];
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool any = n->graphs > 0;

        for (int i = 0; i < n->inputs; i++)
            any |= n->in[i] && (behind[n->in[i]->id] || (is_weight(n, i) && !active[n->in[i]->id]));
        for (int o = 0; any && o < n->slots; o++)
            if (n->out[o])
                behind[n->out[o]->id] = true;
    }
    return behind;
}

/* By value id: the numbers in it matter to a result of the graph, or to what nobody reads. */
static bool *find_counts(struct search *s, const struct graph *g)
{
    bool *counts = arena_array(s->arena, g->value_count, sizeof *counts, s->report);

    for (size_t k = 0; counts && k < g->value_count; k++)
        counts[k] = true;
    for (size_t k = 0; counts && k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                counts[g->nodes[k]->in[i]->id] = false;
    for (size_t k = 0; counts && k < g->output_count; k++)
        counts[g->outputs[k]->id] = true;
    for (size_t k = g->node_count; counts && k-- > 0;) {
        const struct node *n = g->nodes[k];
        bool any = false;

        for (int o = 0; o < n->slots && !(n->def->flags & OP_SHAPE_ONLY); o++)
            any |= n->out[o] && counts[n->out[o]->id];
        for (int i = 0; any && i < n->inputs + n->captured; i++)
            if (n->in[i])
                counts[n->in[i]->id] = true;
    }
    return counts;
}

/* By value id: the only node of the file that reads it; NULL where there are others, or none. */
static const struct node **find_only_readers(struct search *s, const struct graph *g)
{
    const struct node **readers = arena_array(s->arena, g->value_count, sizeof *readers, s->report);
    bool *read = arena_array(s->arena, g->value_count, sizeof *read, s->report);

    for (size_t k = 0; readers && read && k < g->node_count; k++) {
        const struct node *n = node_origin(g->nodes[k]);

        for (int i = 0; i < n->inputs; i++) {
            const struct value *v = n->in[i];

            if (!v || (read[v->id] && readers[v->id] == n))
                continue;
            readers[v->id] = read[v->id] ? NULL : n;
            read[v->id] = true;
        }
    }
    return read ? readers : NULL;
}

/* Has the model a layer with weights? */
static bool has_weights(const struct graph *g, const bool *active)
{
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs; i++) {
            const struct value *v = g->nodes[k]->in[i];

            if (v && is_weight(g->nodes[k], i) && !active[v->id])
                return true;
        }
    return false;
}

/* -- collecting -- */

static struct parameter *add(struct search *s, const struct value *v, const struct tensor *t)
{
    struct parameter *p = &s->out->at[s->out->count++];

    *p = (struct parameter){
        .value = v, .initial = *t, .role = ROLE_CONSTANT, .why = "no place where something is learned"
    };
    s->of[v->id] = p;
    return p;
}

static bool is_zero(const struct tensor *t, int64_t from, int64_t to)
{
    element_get *const get = element_getter(t->dtype);

    for (int64_t k = from; k < to; k++)
        if (get(t->data, k) != 0)
            return false;
    return true;
}

/* ONNX' recurrent layers have two biases that are added, Keras' LSTM and SimpleRNN one: its exporter (tf2onnx) writes zeros for the other.
 * Trained, both would go the way of one. PyTorch has two, which are not 0. */
static bool is_half(const struct model *m, const struct node *n, const struct tensor *t)
{
    const int64_t width = t->rank ? t->dims[t->rank - 1] : 0, rows = width ? tensor_count(t) / width : 0;
    const char *producer = m->proto->producer_name ? m->proto->producer_name : "";
    bool first = true;

    if (!width || width % 2)
        return false;
    for (int64_t r = 0; r < rows; r++) {
        first = first && is_zero(t, r * width, r * width + width / 2);
        if (!is_zero(t, r * width + width / 2, (r + 1) * width))
            return false;
    }
    return !first || (!node_is(n, &op_gru) && strcmp(producer, "tf2onnx") == 0); /* a GRU of Keras may have both */
}

/* Is it read with the rows that it has? Other ways to rearrange it may make one row of two. */
static bool keeps_rows(const struct value *read, const struct value *v)
{
    while (read != v && read->producer && read->producer->in[0] &&
           (node_is(read->producer, &op_unsqueeze) || node_is(read->producer, &op_squeeze) ||
            node_is(read->producer, &op_identity) || node_is(read->producer, &op_cast)))
        read = read->producer->in[0];
    return read == v;
}

/* `of`: what it was computed of; NULL. */
static bool note_unsure(struct search *s, struct parameter *p, const char *of)
{
    if (!p->unsure)
        p->unsure = of ? arena_printf(s->arena, s->report, "it was computed of parameter '%s'", of)
                       : "it is called as PyTorch's parameters are, and as what its exporter makes";
    return p->unsure;
}

/* `through`: what makes it what is read; NULL where it is read as it is, or in another shape, order or type. */
static bool note(struct search *s, const struct use *use, const struct node *through, const struct value *v,
                 const struct tensor *t)
{
    const struct op_parameter *place = use->place;
    const char *of = told_parameter_of(&s->told, v->name), *what;
    const struct candidate c = { .place = place,
                                 .reader = use->reader,
                                 .through = through,
                                 .content = t,
                                 .model = s->model,
                                 .value = v,
                                 .name = of ? of : v->name,
                                 .computed = of,
                                 .parameter = told_is_parameter(&s->told, of ? of : v->name),
                                 .signature = s->told.kinds.count > 0,
                                 .buffer = told_is_buffer(&s->told, of ? of : v->name),
                                 .behind_weights = use->in->behind,
                                 .has_weights = s->weights,
                                 .active = use->in->active,
                                 .counts = use->in->counts,
                                 .readers = use->in->readers };
    struct parameter *p = s->of[v->id];
    const char *said = decided_of(&s->roles, v->name);
    const char *against = said && strcmp(said, role_name(ROLE_CONSTANT)) == 0 ? "the file says so"
                          : said                                              ? NULL
                                                                              : constant_reason(&c);

    if (!p)
        p = add(s, v, t);
    if (against) {
        if (!said && may_be_learned(&c) && !note_unsure(s, p, of))
            return false;
        p->could = p->could || place->use != PARAMETER_IS_STATISTIC;
        p->token = p->token || (!said && may_be_token(&c));
        if (p->role == ROLE_CONSTANT && !p->reader)
            p->why = against;
        return true;
    }
    p->by_name = p->by_name || (!said && is_by_name(&c));
    if (p->reader == use->reader && p->input == place->input) /* another part of it */
        return true;
    p->readers++;
    if (p->reader)
        return true;
    p->reader = use->reader;
    p->input = place->input;
    p->role = place->use == PARAMETER_IS_STATISTIC ? ROLE_STATISTIC : ROLE_TRAINABLE;
    p->half = place->use == PARAMETER_TRAINS_IN_HALVES && !through && keeps_rows(use->reader->in[place->input], v) &&
              is_half(s->model, use->reader, t);
    what = node_is(use->reader, &op_add) && says_positions(c.name) ? "position embedding" : place->name;
    p->why = arena_printf(s->arena, s->report, "%s of %s%s%s%s", what, use->reader->op_name,
                          through ? ", through " : "", through ? through->op_name : "",
                          p->half ? ", but that of the state, which is 0: Keras has one" : "");
    return p->why;
}

/* The node whose row says what is learned: that of the file whose expansion `n` is a part of, or `n` where that one
 * does not say. */
static const struct node *parameter_reader(const struct node *n)
{
    const struct node *origin = node_origin(n);

    return origin->def->parameters ? origin : n;
}

/* A parameter that the node reads: what is behind it is noted, or, where that is arithmetic on constants, looked for
 * when all of the graph has been seen. */
static bool note_parameter(struct search *s, const struct known_values *own, const struct node *n,
                           const struct op_parameter *p)
{
    const struct use use = { p, n, own };
    const struct value *v = p->input < n->inputs ? n->in[p->input] : NULL, *root;
    struct tensor t;

    if (!v || own->active[v->id])
        return true;
    root = own->roots[v->id];
    if (root && constant_of(s, root, &t))
        return !dtype_is_float(t.dtype) || note(s, &use, NULL, root, &t);
    if (!own->uses[v->id].place)
        own->uses[v->id] = use;
    return true;
}

/* Is input k part of what comes out, as its type says, not a size or a place by which that is made? */
static bool is_content(const struct node *n, int k)
{
    struct signature s;
    const struct formal *in, *out;

    if (keeps_numbers(n) || n->def->flags & (OP_QUANTIZES | OP_DEQUANTIZES))
        return k == 0;
    if (!signature_read(&s, n->def))
        return false;
    in = signature_in(&s, k);
    out = signature_out(&s, 0);
    return in && out && in->var == out->var;
}

/* Does it make a parameter of constants, so that a gradient reaches them? */
static const struct use *use_of(const struct known_values *own, const struct node *n)
{
    if (n->graphs || !op_differentiable(n->def) || n->def->gradient == zero_gradient)
        return NULL;
    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && own->uses[n->out[k]->id].place)
            return &own->uses[n->out[k]->id];
    return NULL;
}

/* From where parameters are read back to the constants that they are made of. */
static bool note_origins(struct search *s, const struct graph *g, const struct body_place *place,
                         const struct known_values *own, const struct known_values *outside)
{
    for (size_t k = g->node_count; k-- > 0;) {
        const struct use *use = use_of(own, g->nodes[k]);

        for (int i = 0; use && i < g->nodes[k]->inputs; i++)
            if (g->nodes[k]->in[i] && !own->uses[g->nodes[k]->in[i]->id].place && is_content(g->nodes[k], i))
                own->uses[g->nodes[k]->in[i]->id] = *use;
    }
    for (size_t k = 0; k < g->capture_count; k++) {
        const struct use *use = &own->uses[g->captures[k].inner->id];

        if (use->place && !outside->uses[g->captures[k].outer->id].place)
            outside->uses[g->captures[k].outer->id] = *use;
    }
    for (size_t k = 0; k < g->input_count; k++) {
        const struct use *use = &own->uses[g->inputs[k]->id];

        if (use->place && always(place, k) && !outside->uses[always(place, k)->id].place)
            outside->uses[always(place, k)->id] = *use;
    }
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const struct use *use = use_of(own, n);

        for (const struct op_parameter *p = n->def->parameters; use && p && p->use; p++)
            if (p->use == PARAMETER_TRAINS_IF_ASKED && !note_parameter(s, own, n, p))
                return false;
        for (int i = 0; use && i < n->inputs; i++) {
            const struct value *root = n->in[i] ? own->roots[n->in[i]->id] : NULL;
            struct tensor t;

            if (root && constant_of(s, root, &t) && dtype_is_float(t.dtype) && is_content(n, i) &&
                !note(s, use, n, root, &t))
                return false;
        }
    }
    return true;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool visit(struct search *s, const struct graph *g, const struct body_place *place,
                  const struct known_values *outside)
{
    struct known_values *own = arena_alloc(s->arena, sizeof *own, s->report);
    const bool *active;

    if (!own)
        return false;
    own->active = find_active(g, place, outside ? outside->active : NULL, s->arena, s->report);
    own->behind = own->active ? find_behind(s, g, own->active) : NULL;
    own->roots = find_roots(s, g, place, outside ? outside->roots : NULL);
    own->counts = find_counts(s, g);
    own->readers = find_only_readers(s, g);
    own->uses = arena_array(s->arena, g->value_count, sizeof *own->uses, s->report);
    active = own->active;
    if (!own->behind || !own->counts || !own->readers || !own->roots || !own->uses)
        return false;
    if (!outside)
        s->weights = has_weights(g, active);
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = parameter_reader(g->nodes[k]);
        bool reached = false;

        if (k && n == parameter_reader(g->nodes[k - 1])) /* another part of its expansion */
            continue;
        for (int i = 0; i < n->inputs; i++)
            reached |= n->in[i] && active[n->in[i]->id];
        for (const struct op_parameter *p = n->def->parameters; reached && p && p->use; p++)
            if (!note_parameter(s, own, n, p))
                return false;
        for (int i = 0; i < n->graphs; i++)
            if (!visit(s, n->graph_of[i], &(struct body_place){ n, i }, own))
                return false;
    }
    return note_origins(s, g, place, own, outside);
}

bool parameter_matches(const struct parameter *p, const char *pattern)
{
    return fnmatch(pattern, p->value->name, 0) == 0 ||
           (p->reader && *p->reader->name && fnmatch(pattern, p->reader->name, 0) == 0) ||
           fnmatch(pattern, p->layer, 0) == 0;
}

/* Marks what could train and matches, by place in the list; it must be something. */
static bool mark(struct search *s, const char *pattern, bool *marked)
{
    bool any = false;

    for (size_t k = 0; k < s->out->count; k++) {
        const struct parameter *p = &s->out->at[k];

        if ((p->role == ROLE_TRAINABLE || p->role == ROLE_FROZEN) && parameter_matches(p, pattern))
            any = marked[k] = true;
    }
    return any || fail(s->report, KILN_BAD_ARGUMENT, NULL,
                       "'%s' names no trainable parameter, and no node that reads one", pattern);
}

static bool freeze_matching(struct search *s, const char *pattern)
{
    bool *marked = arena_array(s->arena, s->out->count, sizeof *marked, s->report);

    if (!marked || !mark(s, pattern, marked))
        return false;
    for (size_t k = 0; k < s->out->count; k++)
        if (marked[k]) {
            s->out->at[k].role = ROLE_FROZEN;
            s->out->at[k].why = arena_printf(s->arena, s->report, "frozen by '%s'", pattern);
            if (!s->out->at[k].why)
                return false;
        }
    return true;
}

/* Only what one of the patterns matches trains. */
static bool freeze_others(struct search *s, const struct parameter_patterns *q)
{
    bool *marked = arena_array(s->arena, s->out->count, sizeof *marked, s->report);

    for (size_t k = 0; k < q->trains; k++)
        if (!marked || !mark(s, q->train[k], marked))
            return false;
    for (size_t k = 0; q->trains && k < s->out->count; k++) {
        struct parameter *p = &s->out->at[k];

        if (p->role == ROLE_TRAINABLE && !marked[k]) {
            p->role = ROLE_FROZEN;
            p->why = "not among those that are to train";
        } else if (p->role == ROLE_FROZEN && marked[k]) { /* by the file, which the caller overrules */
            p->role = ROLE_TRAINABLE;
            p->why = "as asked";
        }
    }
    return true;
}

static bool exclude_from_decay(struct search *s, const struct parameter_patterns *q)
{
    bool *marked = arena_array(s->arena, s->out->count, sizeof *marked, s->report);

    for (size_t k = 0; k < q->undecayed; k++)
        if (!marked || !mark(s, q->exclude_from_weight_decay[k], marked))
            return false;
    for (size_t k = 0; q->undecayed && k < s->out->count; k++)
        s->out->at[k].no_decay = marked[k];
    return true;
}

/* -- what the file says -- */

static bool set_role(struct search *s, struct parameter *p, const char *said)
{
    const char *const name = p->value->name;
    const bool learns = p->role == ROLE_TRAINABLE;

    if (strcmp(said, role_name(p->role)) == 0)
        return true;
    if (strcmp(said, role_name(ROLE_STATISTIC)) == 0 && p->role == ROLE_CONSTANT)
        return true; /* each layer has a copy of its own by now */
    if (strcmp(said, role_name(ROLE_CONSTANT)) == 0)
        p->role = ROLE_CONSTANT;
    else if (strcmp(said, role_name(ROLE_FROZEN)) == 0 && learns)
        p->role = ROLE_FROZEN;
    else
        return fail(s->report, KILN_BAD_MODEL, NULL, "metadata '%s%s' are '%s', must be %s", DECIDED_ROLE, name, said,
                    learns ? "trainable, frozen or constant" : "constant: nothing is learned where it is read");
    p->why = "the file says so";
    return true;
}

/* A statistic that is said to be frozen is: the scale and the bias of its layer are, too. */
static bool take_decisions(struct search *s)
{
    for (size_t k = 0; k < s->out->count; k++) {
        struct parameter *p = &s->out->at[k];
        const char *said = decided_of(&s->roles, p->value->name);

        p->said = said;
        p->layer = decided_of(&s->layers, p->value->name);
        if (!p->layer && !(p->layer = layer_name(p, s->arena, s->report)))
            return false;
        if (said && !(p->role == ROLE_STATISTIC && strcmp(said, role_name(ROLE_FROZEN)) == 0) && !set_role(s, p, said))
            return false;
    }
    return true;
}

static bool find_all(struct search *s)
{
    const struct graph *g = s->model->graph;

    if (!decided_read(&s->roles, s->model, DECIDED_ROLE, s->arena->budget, s->report) ||
        !decided_read(&s->layers, s->model, DECIDED_LAYER, s->arena->budget, s->report) || !visit(s, g, &no_body, NULL))
        return false;
    for (size_t k = 0; k < g->value_count; k++) {
        const struct value *v = g->values[k];

        if (!s->of[k] && v->initializer && dtype_is_float(v->initializer->dtype))
            add(s, v, v->initializer);
    }
    return take_decisions(s);
}

bool parameters_find(struct parameters *out, const struct model *m, const struct parameter_patterns *patterns,
                     struct arena *arena, struct report *r)
{
    const struct graph *g = m->graph;
    struct search s = { .model = m, .out = out, .arena = arena, .report = r };
    bool ok;

    out->count = 0;
    out->at = arena_array(arena, g->value_count, sizeof *out->at, r);
    s.of = arena_array(arena, g->value_count, sizeof *s.of, r);
    map_init(&s.roles.names, arena->budget);
    map_init(&s.layers.names, arena->budget);
    map_init(&s.told.names, arena->budget);
    map_init(&s.told.kinds, arena->budget);
    ok = out->at && s.of && told_parameters_read(&s.told, m, arena, r) && find_all(&s);
    told_parameters_release(&s.told);
    decided_release(&s.roles);
    decided_release(&s.layers);
    if (!ok || !patterns)
        return ok;
    ok = freeze_others(&s, patterns);
    for (size_t k = 0; ok && k < patterns->freezes; k++)
        ok = freeze_matching(&s, patterns->freeze[k]);
    return ok && exclude_from_decay(&s, patterns);
}

int64_t parameter_elements(const struct parameter *p)
{
    return tensor_count(&p->initial) / (p->half && p->role != ROLE_CONSTANT ? 2 : 1);
}

int64_t parameters_elements(const struct parameters *p, enum role role)
{
    int64_t n = 0;

    for (size_t k = 0; k < p->count; k++)
        n += p->at[k].role == role ? parameter_elements(&p->at[k]) : 0;
    return n;
}
