/* Weights that are stored as integers, and read through DequantizeLinear, as onnxruntime's static quantisation leaves
 * them: nothing trains there. They become the floats that they stand for, quantised again by a QuantizeLinear of the
 * same scale and zero point, so that the network computes what it did and trains as it will be quantised (ops/
 * quantize_gradient.h). No QuantizeLinear makes an int32, of which biases are: these become floats and stay so. */
#include "adapt/facts.h"
#include "adapt/step.h"
#include "base/text.h"
#include "data/element.h"
#include "model/message.h"
#include "ops/granularity.h"
#include "ops/registry.h"
#include <math.h>
#include <string.h>

struct stored {
    const struct node *node; /* the DequantizeLinear */
    const struct node *file; /* the same in the file: it may be one of com.microsoft */
    const char *now;         /* what it reads from now on */
};

/* What comes of them: quantised again, or not, as is asked, or because QuantizeLinear does not give them back. */
enum form { QUANTIZED, ASKED, LOST, INT32, FORMS };

struct search {
    struct adapt *adapt;
    struct facts facts;
    struct edit edit;
    struct stored *at;
    size_t count;
    const char **names[FORMS]; /* of what was changed */
    size_t counts[FORMS];
};

static bool is_constant(const struct value *v)
{
    return v && v->initializer && !v->is_input && v->initializer->data;
}

/* -- finding -- */

/* Marks, by value id, what is read as a parameter, in whatever shape and order. Back from the readers. */
static bool *find_parameters(const struct search *s)
{
    const struct graph *g = s->facts.model->graph;
    bool *is = arena_array(s->adapt->arena, g->value_count, sizeof *is, s->adapt->report);

    for (size_t k = g->node_count; is && k-- > 0;) {
        const struct node *n = g->nodes[k];
        const struct node *file = node_origin(n);

        for (int i = 0; i < file->inputs; i++) {
            const struct op_parameter *p = node_parameter(file, i);

            if (file->in[i] && p && p->use != PARAMETER_IS_STATISTIC && p->use != PARAMETER_TRAINS_IF_ASKED)
                is[file->in[i]->id] = true;
        }
        if (n->out[0] && is[n->out[0]->id] && n->in[0] && n->def->flags & (OP_REARRANGES | OP_MOVES))
            is[n->in[0]->id] = true;
    }
    return is;
}

static bool is_stored(const struct search *s, const struct node *n)
{
    const struct tensor *w = node_is(n, &op_dequantize_linear) && n->out[0] && !s->facts.active[n->out[0]->id]
                                 ? facts_type(&s->facts, n->out[0])
                                 : NULL;

    return w && w->data && tensor_count(w) > 0 && is_constant(n->in[QUANTIZE_X]) &&
           !dtype_is_float(n->in[QUANTIZE_X]->initializer->dtype) && is_constant(n->in[QUANTIZE_SCALE]) &&
           (n->inputs <= QUANTIZE_ZERO || !n->in[QUANTIZE_ZERO] || is_constant(n->in[QUANTIZE_ZERO])) &&
           facts_place(&s->facts, node_origin(n)) >= 0;
}

static bool find(struct search *s)
{
    const struct graph *g = s->facts.model->graph;
    struct arena *arena = s->adapt->arena;
    struct report *r = s->adapt->report;
    const bool *parameter = find_parameters(s);

    s->at = arena_array(arena, g->node_count, sizeof *s->at, r);
    if (!parameter || !s->at)
        return false;
    for (int k = 0; k < FORMS; k++)
        if (!(s->names[k] = arena_array(arena, g->node_count, sizeof *s->names[k], r)))
            return false;
    for (size_t k = 0; k < g->node_count; k++)
        if (is_stored(s, g->nodes[k]) && parameter[g->nodes[k]->out[0]->id])
            s->at[s->count++] = (struct stored){ .node = g->nodes[k], .file = node_origin(g->nodes[k]) };
    return true;
}

/* Is each float rounded to the integer that it was made of, whatever is lost in a division? A half loses too much of 16
 * bits. */
static bool comes_back(const struct node *n, const struct tensor *w)
{
    const struct tensor *q = n->in[QUANTIZE_X]->initializer, *scale = n->in[QUANTIZE_SCALE]->initializer;
    const struct tensor *zero =
        n->inputs > QUANTIZE_ZERO && n->in[QUANTIZE_ZERO] ? n->in[QUANTIZE_ZERO]->initializer : NULL;
    element_get *const get_q = element_getter(q->dtype), *const get_w = element_getter(w->dtype);
    element_get *const get_scale = element_getter(scale->dtype), *const get_zero =
                                                                     element_getter(zero ? zero->dtype : F32);

    if (q->dtype == I32 || (scale->dtype != F32 && dtype_size(q->dtype) > 1))
        return false;
    for (int64_t k = 0; k < tensor_count(w); k++) {
        const int64_t at = granularity_scale(n->attrs, q, scale, k);
        const double steps = get_q(q->data, k) - (zero ? get_zero(zero->data, at) : 0);

        if (!(fabs(get_w(w->data, k) / get_scale(scale->data, at) - steps) < .25))
            return false;
    }
    return true;
}

/* -- writing -- */

/* One that was changed before and reads the same in the same way. */
static const struct stored *earlier(const struct search *s, const struct stored *of)
{
    for (const struct stored *x = s->at; x < of; x++) {
        bool same = x->now && x->file->op == of->file->op && x->node->def == of->node->def;

        for (int i = 0; i <= QUANTIZE_ZERO && same; i++)
            same = (i < x->node->inputs ? x->node->in[i] : NULL) == (i < of->node->inputs ? of->node->in[i] : NULL);
        if (same && memcmp(x->node->attrs, of->node->attrs, of->node->def->attrs_size) == 0)
            return x;
    }
    return NULL;
}

/* Without a zero point QuantizeLinear makes uint8. */
static const char *zero_of(struct search *s, const struct stored *x, const char *layer)
{
    const struct node *n = x->node;
    struct tensor zeros = *n->in[QUANTIZE_SCALE]->initializer;
    const char *name;

    if (n->inputs > QUANTIZE_ZERO && n->in[QUANTIZE_ZERO])
        return n->in[QUANTIZE_ZERO]->name;
    if (n->in[QUANTIZE_X]->initializer->dtype == U8)
        return "";
    name = facts_fresh(&s->edit, layer, "zero_point");
    zeros.dtype = n->in[QUANTIZE_X]->initializer->dtype;
    zeros.data = arena_alloc(s->adapt->arena, (size_t)tensor_bytes(&zeros), s->adapt->report);
    return name && zeros.data && edit_add_initializer(&s->edit, name, &zeros) ? name : NULL;
}

static bool copy_int(struct search *s, const Onnx__NodeProto *from, Onnx__NodeProto *to, const char *name)
{
    const Onnx__AttributeProto *a = node_attribute(from, name);

    return !a || edit_set_int(&s->edit, to, name, a->i);
}

/* The floats under a name of their own, and the node that quantises them, before the one that reads them. */
static bool quantize(struct search *s, struct stored *x, const struct tensor *w)
{
    struct edit *e = &s->edit;
    const size_t place = (size_t)facts_place(&s->facts, x->file);
    const char *layer = x->node->in[QUANTIZE_X]->name, *zero;
    const char *floats = facts_fresh(e, layer, "float"), *quantized = facts_fresh(e, layer, "quantized");
    Onnx__NodeProto *n;

    if (!floats || !quantized || !(zero = zero_of(s, x, layer)) || !edit_add_initializer(e, floats, w) ||
        !(n = edit_insert_node(e, place, false, op_quantize_linear.name, quantized)))
        return false;
    x->now = quantized;
    s->names[QUANTIZED][s->counts[QUANTIZED]++] = layer;
    return edit_set_domain(e, n, x->file->op->domain) && copy_int(s, e->graph->node[place], n, "axis") &&
           copy_int(s, e->graph->node[place], n, "block_size") &&
           edit_set_inputs(e, n, *zero ? 3 : 2,
                           (const char *const[]){ floats, x->node->in[QUANTIZE_SCALE]->name, zero }) &&
           edit_set_outputs(e, n, 1, &quantized) && edit_set_input(e, e->graph->node[place], QUANTIZE_X, quantized);
}

/* The floats take the place of the node that made them. */
static bool release(struct search *s, struct stored *x, const struct tensor *w, enum form form)
{
    const char *name = x->node->out[0]->name;

    s->names[form][s->counts[form]++] = x->node->in[QUANTIZE_X]->name;
    edit_drop_node(&s->edit, (size_t)facts_place(&s->facts, x->file));
    return edit_add_initializer(&s->edit, name, w);
}

static bool write_one(struct search *s, struct stored *x)
{
    static const char *const choices[] = { "quantised", "float", "constant", NULL };
    const struct value *q = x->node->in[QUANTIZE_X];
    const struct tensor *w = facts_type(&s->facts, x->node->out[0]);
    const char *chosen = adapt_choice(s->adapt, choices, q->name, NULL);
    const struct stored *same = earlier(s, x);
    const enum form form = chosen && strcmp(chosen, "float") == 0 ? ASKED
                           : q->initializer->dtype == I32         ? INT32
                           : comes_back(x->node, w)               ? QUANTIZED
                                                                  : LOST;

    if (chosen && strcmp(chosen, "constant") == 0)
        return true;
    if (form != QUANTIZED)
        return release(s, x, w, form);
    if (!same)
        return quantize(s, x, w);
    x->now = same->now;
    return edit_set_input(&s->edit, s->edit.graph->node[facts_place(&s->facts, x->file)], QUANTIZE_X, x->now);
}

/* -- telling -- */

static bool tell(struct search *s, enum form form)
{
    static const char *const done[FORMS] = {
        "floats in their place, of which QuantizeLinear makes these integers: they train as they will be quantised "
        "(float: without that; constant: not)",
        "floats in their place, as asked: they train, and are not quantised",
        "floats in their place: they train, and are not quantised, as QuantizeLinear would not make these integers of "
        "them "
        "(constant: they do not)",
        "floats in their place: they train, and are not quantised, as QuantizeLinear makes no int32 (constant: they do "
        "not)"
    };
    struct adapt *a = s->adapt;
    const size_t count = s->counts[form];
    char text[NAMES_TEXT];
    struct finding f = { .name = count == 1 ? s->names[form][0] : "", .certainty = CERTAIN, .done = done[form] };

    if (!count)
        return true;
    f.found = count == 1 ? "a parameter that is stored as integers"
                         : arena_printf(a->arena, a->report, "%zu parameters that are stored as integers", count);
    f.evidence =
        arena_printf(a->arena, a->report, "DequantizeLinear reads %s", names_text(text, s->names[form], count));
    return f.found && f.evidence && adapt_tell(a, &f);
}

static bool tell_all(struct search *s)
{
    bool ok = true;

    for (int k = 0; ok && k < FORMS; k++)
        ok = tell(s, (enum form)k);
    return ok;
}

/* -- the step -- */

static bool has_stored(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_dequantize_linear) && is_constant(g->nodes[k]->in[QUANTIZE_X]))
            return true;
    return false;
}

bool adapt_quantized(struct adapt *a)
{
    struct search s = { .adapt = a };
    struct model *made;
    bool ok;

    if (!has_stored(a->model->graph))
        return true;
    ok = facts_find(&s.facts, a) && find(&s);
    made = ok && s.count ? adapt_copy(a) : NULL;
    if (made) {
        ok = edit_begin(&s.edit, made, a->report);
        for (size_t k = 0; ok && k < s.count; k++)
            ok = write_one(&s, &s.at[k]);
        if (ok)
            edit_drop_unread(&s.edit);
        ok = edit_end(&s.edit) && ok && tell_all(&s);
    } else
        ok = ok && !s.count;
    facts_release(&s.facts);
    return made ? adapt_take(a, made, ok) : ok;
}
