#include "train/loss.h"
#include "base/text.h"
#include "ops/move.h"
#include "ops/registry.h"
#include "ops/softmax.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct spec_row *loss_table(size_t k)
{
    return loss_registry[k] ? &loss_registry[k]->row : NULL;
}

static const struct spec_subject about = { "loss", NULL, KILN_BAD_ARGUMENT };

const struct loss_def *loss_named(const char *spec)
{
    return spec ? (const struct loss_def *)spec_find(loss_table, spec, &about, NULL) : NULL;
}

/* -- what the model ends in -- */

/* Identity, or half of a way through what is quantised. */
static bool passes_on(const struct node *n)
{
    return node_is(n, &op_identity) || n->def->flags & (OP_QUANTIZES | OP_DEQUANTIZES);
}

/* The node that makes `v`, looked at through those. */
static const struct node *maker(const struct value *v)
{
    while (v->producer && passes_on(v->producer))
        v = v->producer->in[0];
    return v->producer;
}

/* What Sigmoid made, looked at through nodes that only rearrange it; NULL where it was something else. */
static const struct node *sigmoid_behind(const struct value *v)
{
    const struct node *n = v->producer;

    while (n && (n->def->flags & OP_REARRANGES || passes_on(n)) && n->in[0])
        n = n->in[0]->producer;
    return n && node_is(n, &op_sigmoid) ? n : NULL;
}

/* The Softmax that made probabilities along dimension `axis`, of `rank`, of `v`, looked for through Transpose. */
static const struct node *softmax_behind(const struct value *v, int rank, int axis)
{
    const struct node *n = maker(v);

    for (; n && node_is(n, &op_transpose); n = maker(n->in[0]))
        axis = transpose_from(n->attrs, rank, axis);
    return n && node_is(n, &op_softmax) && softmax_along(n->attrs, rank, axis) ? n : NULL;
}

/* Softmax along whatever dimension, looked at through nodes that only rearrange what it made, or
 * take means of it; NULL where there is none.
 * `axis`: the dimension of v that it goes along, 0 where the nodes do not tell. */
static const struct node *any_softmax_behind(const struct value *v, int rank, int *axis)
{
    const struct node *n;

    *axis = 0;
    for (int d = rank - 1; d > 0; d--)
        if ((n = softmax_behind(v, rank, d))) {
            *axis = d;
            return n;
        }
    n = v->producer;
    while (n && n->in[0] &&
           (n->def->flags & OP_REARRANGES || passes_on(n) || node_is(n, &op_cast) || node_is(n, &op_reduce_mean) ||
            node_is(n, &op_global_average_pool)))
        n = n->in[0]->producer;
    return n && node_is(n, &op_softmax) ? n : NULL;
}

static enum activation activation_of(const struct value *out, int rank)
{
    int axis;

    return any_softmax_behind(out, rank, &axis) ? ACTIVATION_SOFTMAX
           : sigmoid_behind(out)                ? ACTIVATION_SIGMOID
                                                : ACTIVATION_NONE;
}

/* Takes the model back to its logits where the loss knows what it ends in; what rearranges them goes on doing so. */
static void take_back(struct loss *l, struct value *out, const struct loss_clues *c)
{
    const struct node *activation = c->activation == ACTIVATION_SOFTMAX ? softmax_behind(out, c->rank, c->axis)
                                    : c->activation                     ? sigmoid_behind(out)
                                                                        : NULL;

    l->logits = activation && c->activation == l->def->activation;
    l->at = l->logits ? activation->in[0] : out;
    l->out = out;
}

/* -- as it is asked for -- */

static bool set_loss(struct loss *l, const struct loss_def *def, const char *spec, struct arena *arena,
                     struct report *r)
{
    l->def = def;
    l->settings = arena_alloc(arena, def->settings_size, r);
    return l->settings && spec_read(l->settings, &def->row, spec, &about, r) &&
           (!def->open || def->open(l, arena->budget, r));
}

static bool choose_asked(struct loss *l, const char *spec, struct value *out, const struct loss_clues *c,
                         struct arena *arena, struct report *r)
{
    const enum activation activation = c->activation;
    const struct spec_row *row = spec_find(loss_table, spec, &about, r);
    bool from_logits;

    if (!row || !set_loss(l, (const struct loss_def *)row, spec, arena, r))
        return false;
    from_logits = spec_value(row, l->settings, "from_logits") != 0;
    if (from_logits && activation && activation == l->def->activation)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "loss '%s': the output '%s' is no logits, it comes from %s", row->name,
                    out->name, (activation == ACTIVATION_SIGMOID ? &op_sigmoid : &op_softmax)->name);
    take_back(l, out, c);
    l->logits |= from_logits;
    if (l->def->activation && !l->logits && !activation)
        warn(
            r, NULL,
            "output '%s' does not end in Softmax or Sigmoid, and is taken for probabilities: if it is logits, the loss "
            "is %s:from_logits=true",
            out->name, row->name);
    snprintf(l->said, sizeof l->said, "%.90s from %s, as asked", l->def->open ? spec : row->name,
             !l->def->activation ? "the output"
             : l->logits         ? "logits"
                                 : "probabilities");
    return true;
}

/* -- as it is guessed -- */

bool loss_is_single(const struct tensor *labels, const struct tensor *type, int64_t width)
{
    return dims_product(labels->dims, 1, labels->rank) * width == dims_product(type->dims, 1, type->rank);
}

static struct loss_clues clues_of(const struct value *out, const struct tensor *type, int axis,
                                  const struct loss_data *data)
{
    struct loss_clues c = { .activation = activation_of(out, type->rank),
                            .label_classes = data->form == TARGETS_CLASSES,
                            .axis = axis,
                            .width = type->rank > 0 ? type->dims[axis] : 0,
                            .rank = type->rank };

    c.named_logits = !c.activation && text_contains(out->name, "logit");
    c.one_for_each_class = !c.activation && !c.named_logits && c.label_classes && c.width > 1 &&
                           (c.width >= data->classes || (data->labels && loss_is_single(data->labels, type, c.width)));
    return c;
}

static bool guess(struct loss *l, struct value *out, const struct loss_clues *c, struct arena *arena, struct report *r)
{
    for (size_t k = 0; loss_registry[k]; k++) {
        const struct loss_def *def = loss_registry[k];
        const char *because = def->guess ? def->guess(c) : NULL;

        if (!because)
            continue;
        if (!set_loss(l, def, "", arena, r))
            return false;
        take_back(l, out, c);
        l->guessed = true;
        l->logits |= def->activation && !c->activation;
        snprintf(l->said, sizeof l->said, "%s%s, because %s", def->row.name, l->logits ? " from logits" : "", because);
        return true;
    }
    return fail(r, KILN_UNSUPPORTED, NULL, "no loss can be guessed for output '%s', one must be asked for", out->name);
}

/* Does the specification say that the output is logits? */
static bool says_logits(const struct loss_def *def, const char *spec)
{
    struct budget unlimited = { 0 };
    struct arena a = { .budget = &unlimited };
    struct report quiet = { 0 };
    void *settings = arena_alloc(&a, def->settings_size, &quiet);
    const bool says = settings && spec_read(settings, &def->row, spec, &about, &quiet) &&
                      spec_value(&def->row, settings, "from_logits") != 0;

    arena_release(&a);
    return says;
}

struct loss_scores loss_scores(const struct value *out, int rank, const char *said)
{
    const struct loss_def *def = loss_named(said);
    const enum activation activation = activation_of(out, rank), of = def ? def->activation : activation;
    struct loss_scores s = { .each = of == ACTIVATION_SIGMOID };

    s.logits = def ? says_logits(def, said) : !activation && text_contains(out->name, "logit");
    s.known = activation || of || s.logits;
    return s;
}

void loss_close(struct loss *l)
{
    if (l->def && l->def->close)
        l->def->close(l->settings);
}

bool loss_choose(struct loss *l, const char *spec, struct value *out, const struct tensor *type, int axis,
                 const struct loss_data *data, struct arena *arena, struct report *r)
{
    const struct loss_clues c = clues_of(out, type, axis, data);
    const int last = type->rank - 1;

    *l = (struct loss){ .weight = 1, .dtype = type->dtype };
    if (!(spec ? choose_asked(l, spec, out, &c, arena, r) : guess(l, out, &c, arena, r)))
        return false;
    l->axis = loss_has_rows(l->def) && axis != last ? axis : 0;
    l->width = last < 0 ? 0 : type->dims[l->axis ? l->axis : last];
    if (l->axis)
        snprintf(l->said + strlen(l->said), sizeof l->said - strlen(l->said), ", classes along dimension %d", axis);
    if ((l->def->labels != LABELS_NUMBERS && (l->def->labels != LABELS_AS_GIVEN || l->width > 1)) && l->width > 0 &&
        l->width < INT_MAX)
        l->classes = l->width == 1 && l->def->labels == LABELS_PROBABILITIES ? 2 : (int)l->width;
    return true;
}

bool loss_ignores(const struct loss_def *def, const void *settings, int64_t *label)
{
    const double ignored = def->skips ? spec_value(&def->row, settings, "ignore_class") : (double)NAN;

    *label = isnan(ignored) ? 0 : (int64_t)ignored;
    return !isnan(ignored);
}

bool loss_spec_ignores(const char *spec, int64_t *label, struct arena *arena)
{
    const struct loss_def *def = loss_named(spec);
    struct report quiet = { 0 };
    void *settings = def && def->skips ? arena_alloc(arena, def->settings_size, &quiet) : NULL;

    return settings && spec_read(settings, &def->row, spec, &about, &quiet) && loss_ignores(def, settings, label);
}

bool loss_is_of_units(const char *spec, const struct value *out)
{
    const struct loss_def *def = loss_named(spec);

    return def ? !def->along_classes : !spec && sigmoid_behind(out);
}

int loss_softmax_axis(const struct value *out, int rank)
{
    int axis;

    return any_softmax_behind(out, rank, &axis) ? axis : 0;
}

struct tensor loss_labels(const struct loss *l, const struct tensor *output)
{
    struct tensor t = *output;

    t.data = NULL;
    t.dtype = F32;
    if (l->def->labels == LABELS_CLASSES) {
        t.dtype = I64;
        t.rank -= t.rank > 0;
    } else if (l->def->labels == LABELS_SEQUENCES) {
        t.dtype = I64;
        t.rank = 2;
    }
    return t;
}
