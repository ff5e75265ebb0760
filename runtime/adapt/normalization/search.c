#include "adapt/keras_calls.h"
#include "adapt/normalization/expression.h"
#include "data/element.h"
#include "ops/registry.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- constants -- */

const struct tensor *search_type(const struct search *s, const struct value *v)
{
    return &s->types[v->id];
}

static bool is_constant(const struct search *s, const struct value *v)
{
    const struct tensor *t = search_type(s, v);

    return !s->active[v->id] && t->data && dtype_is_float(t->dtype) && !dtype_is_small(t->dtype);
}

bool search_operands(const struct search *s, const struct node *n, const struct value **x, const struct value **c,
                     bool *first)
{
    if (facts_place(s->facts, n) < 0 || n->inputs != 2 || !n->out[0])
        return false;
    for (int k = 0; k < 2; k++)
        if (n->in[k] && n->in[1 - k] && is_constant(s, n->in[k]) && s->active[n->in[1 - k]->id] &&
            tensor_known(search_type(s, n->in[1 - k]))) {
            *c = n->in[k];
            *x = n->in[1 - k];
            *first = k == 0;
            return true;
        }
    return false;
}

/* Of a single channel: the axis where there is one, which ONNX has in front and Keras behind; -1 where there is none. */
static int single_channel_axis(const struct tensor *x)
{
    if (x->rank > 1 && x->dims[1] == 1)
        return 1;
    return x->rank > 1 && x->dims[x->rank - 1] == 1 ? x->rank - 1 : -1;
}

int search_axis(const struct search *s, const struct value *v, const struct value *constant, bool single)
{
    const struct tensor *x = search_type(s, v), *c = search_type(s, constant);
    int axis = -1;

    if (c->rank > x->rank)
        return -1;
    if (tensor_count(c) == 1)
        return single ? single_channel_axis(x) : -1;
    for (int d = 0; d < c->rank; d++) {
        const int of_x = d + x->rank - c->rank;

        if (c->dims[d] == 1)
            continue;
        if (axis >= 0 || of_x == 0 || c->dims[d] != x->dims[of_x])
            return -1;
        axis = of_x;
    }
    return axis;
}

double *search_channels(const struct search *s, const struct value *c)
{
    const struct tensor *t = search_type(s, c);
    element_get *const get = element_getter(t->dtype);
    const int64_t n = tensor_count(t);
    double *out = arena_array(s->adapt->arena, (size_t)n, sizeof *out, s->adapt->report);

    for (int64_t k = 0; out && k < n; k++)
        out[k] = get(t->data, k);
    return out;
}

/* -- nodes -- */

const struct node *search_reader(const struct search *s, const struct value *v, const struct op *op)
{
    const struct node *n = v ? s->only_reader[v->id] : NULL;

    return n && node_is(n, op) && facts_place(s->facts, n) >= 0 ? n : NULL;
}

/* A deviation, its reciprocal, or a product of that with something: what a layer divides by. */
static bool is_deviation(const struct search *s, const struct value *v)
{
    for (int depth = 0; depth < 4 && v && v->producer && s->active[v->id]; depth++) {
        const struct node *n = v->producer;

        if (node_is(n, &op_sqrt) || node_is(n, &op_reciprocal) || node_is(n, &op_pow))
            return true;
        if (!(n->def->flags & OP_REARRANGES) && !(node_is(n, &op_mul) && n->in[1] && !s->active[n->in[1]->id]) &&
            !node_is(n, &op_cast))
            return node_is(n, &op_div) && n->in[0] && n->in[1] && !s->active[n->in[0]->id] && n->in[1]->producer &&
                   node_is(n->in[1]->producer, &op_sqrt);
        v = n->in[0];
    }
    return false;
}

/* What a normalisation that is a node of its own makes, in whatever shape: its scale and bias may follow as nodes. */
static bool is_normalised_by_node(const struct node *n)
{
    while (n && n->def->flags & OP_REARRANGES && n->in[0])
        n = n->in[0]->producer;
    n = n ? node_origin(n) : NULL;
    return n && (node_is(n, &op_instance_normalization) || node_is(n, &op_group_normalization) ||
                 node_is(n, &op_layer_normalization) || node_is(n, &op_rms_normalization));
}

bool search_normalised_here(const struct search *s, const struct value *x)
{
    const struct node *n = x->producer;

    if (is_deviation(s, x) || is_normalised_by_node(n))
        return true;
    return n && (node_is(n, &op_div) || node_is(n, &op_mul)) && n->in[0] && n->in[1] && s->active[n->in[0]->id] &&
           s->active[n->in[1]->id] && (is_deviation(s, n->in[0]) || is_deviation(s, n->in[1]));
}

bool search_is_preprocessing(const struct search *s, const struct value *c)
{
    return s->preprocessing[expression_root(c)->id];
}

/* The input of a layer with weights that is its bias; -1 where it is no such layer. */
static int bias_input(const struct node *n)
{
    for (const struct op_parameter *p = n->def->parameters; p && p->use; p++)
        if (p->use == PARAMETER_TRAINS && strcmp(p->name, "bias") == 0)
            return node_is(n, &op_conv) || node_is(n, &op_conv_transpose) || node_is(n, &op_gemm) ? p->input : -1;
    return -1;
}

/* The dimension of what it makes that a bias has an element for: Gemm's may be of any shape that fits. */
static int channels_of(const struct search *s, const struct node *n, const struct value *bias)
{
    if (node_is(n, &op_gemm) && bias && search_axis(s, n->out[0], bias, true) != 1)
        return -1;
    return search_type(s, n->out[0])->rank > 1 ? 1 : -1;
}

bool search_folded(const struct search *s, const struct node *n, struct site *out)
{
    const int at = bias_input(n);
    const struct value *bias = at >= 0 && at < n->inputs ? n->in[at] : NULL;

    if (at < 0 || facts_place(s->facts, n) < 0 || !n->in[0] || !s->active[n->in[0]->id] || !n->out[0] ||
        !tensor_known(search_type(s, n->out[0])) || (bias && !is_constant(s, bias)))
        return false;
    if (search_reader(s, n->out[0], &op_batch_normalization)) /* nothing was folded into this one */
        return false;
    out->axis = channels_of(s, n, bias);
    if (out->axis < 0)
        return false;
    out->layer = n;
    out->bias = bias ? at : -1;
    out->x = n->out[0];
    out->channels = search_type(s, out->x)->dims[out->axis];
    out->shared_by = expression_root(n->in[1]);
    if (!bias)
        return true;
    if (tensor_count(search_type(s, bias)) != out->channels)
        return false;
    out->summand = search_channels(s, bias);
    /* layers that are normalised by one have its bias; zeros may have been merged */
    for (int64_t c = 1; out->summand && c < out->channels; c++)
        if (out->summand[c] != out->summand[0])
            out->shared_by = expression_root(bias);
    return out->summand;
}

/* -- names -- */

bool search_keras_layer(const struct search *s, struct site *out, const char *name)
{
    static const char part[] = "/batchnorm";
    const char *cut = name ? strstr(name, part) : NULL, *end = cut ? cut + strlen(part) : NULL;

    const char *step = end && *end == '_' ? end + 1 : "";

    if (*step)
        end = step + strspn(step, "0123456789");
    if (!end || *end != '/')
        return false;
    out->step = strtoll(step, NULL, 10);
    out->name = search_text(s, "%.*s", (int)(cut - name), name);
    if (s->calls_told)
        out->call_of = keras_layer_called(name, (size_t)(cut - name), &out->call, s->adapt->arena, s->adapt->report);
    return true;
}

bool search_made_name(const struct search *s, struct site *out, const struct node *n)
{
    const char *name = n->out[0] ? n->out[0]->name : "", *cut = strstr(name, BATCH_NORMALIZATION_MAKES);

    name += strspn(name, "/");
    if (!cut || cut <= name)
        return false;
    out->name = search_text(s, "%.*s", (int)(cut - name), name);
    return true;
}

void search_name(const struct search *s, struct site *out, const struct node *n)
{
    const char *name = *n->name ? n->name : "bn", *cut = strrchr(name, '/');

    while (*name == '/')
        name++;
    if (!cut || cut <= name)
        cut = name + strlen(name);
    out->name = search_text(s, "%.*s", (int)(cut - name), name);
}

const char *search_text(const struct search *s, const char *format, ...)
{
    struct arena *arena = s->adapt->arena;
    va_list args, again;
    char *text;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1, s->adapt->report);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text ? text : "";
}
