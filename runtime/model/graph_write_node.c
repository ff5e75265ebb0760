/* Nodes as messages: in which row of their operator, and with which attributes. */
#include "model/graph_writing.h"
#include "model/message.h"
#include "ops/node.h"
#include "ops/registry.h"
#include <string.h>

/* -- attributes -- */

static bool list_attribute(struct writing *a, Onnx__AttributeProto *to, const struct attr *from)
{
    const size_t n = from->count;

    switch (from->type) {
    case ATTR_FLOATS:
        to->floats = budget_zalloc(a->budget, n, sizeof *to->floats, a->report);
        to->n_floats = to->floats ? n : 0;
        if (to->n_floats)
            memcpy(to->floats, from->floats, n * sizeof *to->floats);
        return to->floats;
    case ATTR_INTS:
        to->ints = budget_zalloc(a->budget, n, sizeof *to->ints, a->report);
        to->n_ints = to->ints ? n : 0;
        if (to->n_ints)
            memcpy(to->ints, from->ints, n * sizeof *to->ints);
        return to->ints;
    default:
        to->strings = budget_zalloc(a->budget, n, sizeof *to->strings, a->report);
        for (; to->strings && to->n_strings < n; to->n_strings++) {
            const struct bytes *s = &from->strings[to->n_strings];

            if (!message_bytes(&to->strings[to->n_strings], s->data, s->length, a->budget, a->report))
                return false;
        }
        return to->strings;
    }
}

static bool attribute(struct writing *a, Onnx__AttributeProto *to, const struct node *n, const struct attr *from)
{
    char where[WHERE_TEXT];

    to->name = writing_text(a, from->name);
    to->has_type = true;
    to->type = (Onnx__AttributeProto__AttributeType)from->type;
    if (!to->name)
        return false;
    switch (from->type) {
    case ATTR_FLOAT:
        to->has_f = true;
        to->f = from->f;
        return true;
    case ATTR_INT:
        to->has_i = true;
        to->i = from->i;
        return true;
    case ATTR_STRING:
        to->has_s = message_bytes(&to->s, from->s.data, from->s.length, a->budget, a->report);
        return to->has_s;
    case ATTR_TENSOR:
        to->t = message_new(&onnx__tensor_proto__descriptor, a->budget, a->report);
        return to->t && tensor_to_proto(to->t, NULL, from->tensor, a->budget, a->report);
    case ATTR_GRAPH:
        to->g = writing_body(a, n, n->graph_of[from->i]);
        return to->g;
    case ATTR_FLOATS:
    case ATTR_INTS:
    case ATTR_STRINGS:
        return list_attribute(a, to, from);
    default:
        return fail(a->report, KILN_UNSUPPORTED, node_where(n, where), "attribute '%s' is %s, which cannot be written",
                    from->name, attr_type_name(from->type));
    }
}

/* -- rows -- */

/* Until opset 13 it went over all dimensions from `axis` on. */
static bool softmax_is_the_same(const struct node *n)
{
    int64_t axis = 1;
    const int rank = n->in[0]->known.rank;

    for (int k = 0; k < n->said_count; k++)
        if (strcmp(n->said[k].name, "axis") == 0)
            axis = n->said[k].i;
    return axis == -1 || (rank >= 0 && axis == rank - 1);
}

static bool is_softmax(const struct node *n)
{
    return node_is(n, &op_softmax) || node_is(n, &op_log_softmax) || node_is(n, &op_hardmax);
}

/* What an older row does anyway, whether or not it can be said. */
static bool is_default(const struct attr *a)
{
    static const struct {
        const char *name;
        int64_t i;
    } defaults[] = { { "saturate", 1 }, { "allowzero", 1 }, { "noop_with_empty_axes", 0 }, { "keepdims", 1 } };

    for (size_t k = 0; k < sizeof defaults / sizeof *defaults; k++)
        if (strcmp(a->name, defaults[k].name) == 0)
            return a->i == defaults[k].i;
    return strcmp(a->name, "round_mode") == 0;
}

bool writing_tells_axes(const struct writing *a, const struct node *n)
{
    static const struct op *const reductions[] = { &op_reduce_mean,    &op_reduce_max,         &op_reduce_min,
                                                   &op_reduce_prod,    &op_reduce_l1,          &op_reduce_l2,
                                                   &op_reduce_log_sum, &op_reduce_log_sum_exp, &op_reduce_sum_square };
    bool is = false;

    for (size_t k = 0; k < sizeof reductions / sizeof *reductions; k++)
        is |= node_is(n, reductions[k]);
    return is && a->w->opset < 18 && n->since >= 18;
}

/* Whether nothing is reduced where there are none: here there are some. */
static bool is_idle(const struct writing *a, const struct node *n, const struct attr *of)
{
    const struct tensor *axes = writing_tells_axes(a, n) && n->inputs > 1 ? value_constant(n->in[1]) : NULL;

    return axes && tensor_count(axes) && strcmp(of->name, "noop_with_empty_axes") == 0;
}

/* Which attributes the row asks for: others have become inputs of it. */
static struct attr *attributes_at(struct writing *a, const struct node *n, const struct op_def *def)
{
    struct attr *copy = arena_array(a->scratch, (size_t)n->said_count, sizeof *copy, a->report);

    if (!copy || (n->said_count && !memcpy(copy, n->said, (size_t)n->said_count * sizeof *copy)))
        return NULL;
    for (int k = 0; k < n->said_count; k++) {
        copy[k].seen = def == n->def;
        if (copy[k].type == ATTR_GRAPH)
            copy[k].graph = n->graph_of[copy[k].i]; /* which gradients may have changed */
    }
    if (def == n->def)
        return copy;
    if (!node_reads_attributes(n, def, copy, a->w->opset, a->report))
        return NULL;
    for (int k = 0; k < n->said_count && def->since < n->def->since; k++)
        if (!copy[k].seen && !is_default(&n->said[k]) && !is_idle(a, n, &n->said[k])) {
            char where[WHERE_TEXT];

            fail(a->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
                 "%s, which it is written with, has attribute '%s' since opset %d, and what is written is of opset %d",
                 n->op_name, n->said[k].name, n->def->since, a->w->opset);
            return NULL;
        }
    return copy;
}

/* Is something read that only Kiln's node makes? */
static bool has_hidden(const struct writing *a, const struct node *n)
{
    for (int k = n->slots - n->def->hidden; k < n->slots; k++)
        if (n->out[k] && a->live[n->out[k]->id])
            return true;
    return false;
}

int op_oldest(const struct op *op)
{
    int since = INT32_MAX;

    for (const struct op_def *d = op->defs; d->since; d++)
        since = d->since;
    return since;
}

const struct op_def *writing_row(struct writing *a, const struct node *n)
{
    const struct op_def *def = *n->op->domain ? n->def : op_def_for(n->op, a->w->opset);
    char where[WHERE_TEXT];

    if (!def) {
        fail(a->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
             "%s, which it is written with, is of opset %d, and what is written is of opset %d", n->op_name,
             op_oldest(n->op), a->w->opset);
        return NULL;
    }
    if (strcmp(n->op->domain, "kiln") == 0 || (n->said_count < 0 && n != a->w->gradient) || has_hidden(a, n)) {
        fail(a->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
             "%s cannot be written in operators of the standard's opset %d", n->op_name, a->w->opset);
        return NULL;
    }
    if (def != n->def && is_softmax(n) && n->since < 13 && !softmax_is_the_same(n)) {
        fail(a->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
             "%s of opset %d goes over several dimensions, opset %d has none that does", n->op_name, n->since,
             a->w->opset);
        return NULL;
    }
    return def;
}

static bool add_attribute(struct writing *a, Onnx__NodeProto *to, const struct node *n, const struct attr *from)
{
    Onnx__AttributeProto *made = message_new(&onnx__attribute_proto__descriptor, a->budget, a->report);

    if (!made)
        return false;
    to->attribute[to->n_attribute++] = made;
    return attribute(a, made, n, from);
}

/* Names, which are given only here. */
static bool add_gradient(struct writing *a, Onnx__NodeProto *to, const struct node *n)
{
    struct bytes *xs = arena_array(a->scratch, (size_t)n->inputs, sizeof *xs, a->report);
    const char *y = writing_name(a, a->w->y);

    for (int k = 0; xs && k < n->inputs; k++) {
        const char *name = writing_name(a, n->in[k]);

        if (!name)
            return false;
        xs[k] = (struct bytes){ strlen(name), name };
    }
    return xs && y && writing_list(a, &to->attribute, 2) &&
           add_attribute(
               a, to, n,
               &(struct attr){ .name = "xs", .type = ATTR_STRINGS, .count = (size_t)n->inputs, .strings = xs }) &&
           add_attribute(a, to, n, &(struct attr){ .name = "y", .type = ATTR_STRING, .s = { strlen(y), y } });
}

static bool add_axes(struct writing *a, Onnx__NodeProto *to, const struct node *n)
{
    const struct tensor *t = n->inputs > 1 ? value_constant(n->in[1]) : NULL;
    const struct attr axes = {
        .name = "axes", .type = ATTR_INTS, .count = t ? (size_t)tensor_count(t) : 0, .ints = t ? t->data : NULL
    };

    return !t || add_attribute(a, to, n, &axes);
}

bool writing_attributes(struct writing *a, Onnx__NodeProto *to, const struct node *n, const struct op_def *def)
{
    struct attr *attrs;

    if (n == a->w->gradient)
        return add_gradient(a, to, n);
    attrs = attributes_at(a, n, def);
    if (!attrs || !writing_list(a, &to->attribute, (size_t)n->said_count + 1) ||
        (writing_tells_axes(a, n) && !add_axes(a, to, n)))
        return false;
    for (int k = 0; k < n->said_count; k++)
        if (attrs[k].seen && !add_attribute(a, to, n, &n->said[k]))
            return false;
    return true;
}
