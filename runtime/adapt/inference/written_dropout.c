#include "adapt/inference/written_dropout.h"
#include "ops/registry.h"
#include <math.h>
#include <string.h>

#define SCALE_TOLERANCE 1e-4 /* of a factor that a float holds, against 1 / (1 - rate) */

enum { EXPAND = 8, RATIO_IS_INPUT = 12 }; /* opsets, from which on */

/* What a value is of the numbers that a node draws. */
enum form_kind {
    NOTHING,
    NUMBER, /* uniform from [0, 1) */
    MASK,   /* true with probability p */
    FACTOR, /* `scale` with probability p, else 0 */
    ZERO,   /* a factor times 0 */
    DROPPED /* x * scale with probability p, else 0 */
};

struct form {
    enum form_kind kind;
    struct written_dropout *of;
    const struct value *x;
    double p, scale;
};

struct search {
    const struct facts *facts;
    struct form *forms; /* by value id */
};

static const struct form *form_of(const struct search *s, const struct value *v)
{
    return v && s->forms[v->id].kind != NOTHING ? &s->forms[v->id] : NULL;
}

/* -- operators -- */

/* The attribute, as the file has it; NAN where it is not there. */
static double attribute(const struct search *s, const struct node *n, const char *name, double fallback)
{
    const int64_t place = facts_place(s->facts, n);
    const Onnx__AttributeProto *a = place < 0 ? NULL : node_attribute(s->facts->model->proto->graph->node[place], name);

    return place < 0 ? (double)NAN : a ? (double)a->f : fallback;
}

/* u < c, or another of the four, u and c in either order. */
static bool comparison(const struct search *s, const struct node *n, struct form *out)
{
    const bool less = node_is(n, &op_less) || node_is(n, &op_less_or_equal),
               greater = node_is(n, &op_greater) || node_is(n, &op_greater_or_equal);
    const int number = form_of(s, n->in[0]) ? 0 : 1;
    const struct form *u = form_of(s, n->in[number]);
    double c;

    if ((!less && !greater) || !u || u->kind != NUMBER || !facts_scalar(s->facts, n->in[1 - number], &c) ||
        !(c > 0 && c < 1))
        return false;
    *out = *u;
    out->kind = MASK;
    out->p = less == (number == 0) ? c : 1 - c;
    return true;
}

static bool one_operand(const struct node *n, const struct form *a, struct form *out)
{
    *out = *a;
    if (node_is(n, &op_identity))
        return true;
    if (node_is(n, &op_not) && a->kind == MASK) {
        out->p = 1 - a->p;
        return true;
    }
    if (!node_is(n, &op_cast) || n->def->dtype(n, 0) != F32)
        return false;
    if (a->kind == MASK) {
        out->kind = FACTOR;
        out->scale = 1;
    }
    return true;
}

/* By a number, or of what is dropped. */
static bool product(const struct search *s, const struct node *n, struct form *out)
{
    const bool divided = node_is(n, &op_div);
    const int factor = form_of(s, n->in[0]) ? 0 : 1;
    const struct value *other = n->in[1 - factor];
    const struct form *a = form_of(s, n->in[factor]);
    double c;

    if (!a || !other || form_of(s, other) || (divided && factor) || (a->kind != FACTOR && a->kind != DROPPED))
        return false;
    *out = *a;
    if (facts_scalar(s->facts, other, &c)) {
        out->scale = divided ? a->scale / c : a->scale * c;
        if (a->kind == FACTOR && out->scale == 0)
            out->kind = ZERO;
        return isfinite(out->scale);
    }
    out->kind = DROPPED;
    out->x = other;
    return a->kind == FACTOR && !divided && s->facts->active[other->id];
}

static bool is_zero(const struct search *s, const struct value *v)
{
    const struct tensor *t = facts_constant(s->facts, v);

    for (int64_t k = 0; t && k < tensor_count(t); k++)
        if (((const float *)t->data)[k] != 0)
            return false;
    return t;
}

static bool choice(const struct search *s, const struct node *n, struct form *out)
{
    const struct form *mask = form_of(s, n->in[0]);
    int zero = 0;

    for (int k = 1; k < 3; k++)
        zero = is_zero(s, n->in[k]) ? k : zero;
    if (!mask || mask->kind != MASK || !zero || !s->facts->active[n->in[3 - zero]->id])
        return false;
    *out = *mask;
    out->kind = DROPPED;
    out->x = n->in[3 - zero];
    out->p = zero == 2 ? mask->p : 1 - mask->p;
    out->scale = 1;
    return true;
}

static bool sum(const struct search *s, const struct node *n, struct form *out)
{
    const struct form *a = form_of(s, n->in[0]), *b = form_of(s, n->in[1]);

    if (!a || !b || a->of != b->of || (a->kind == ZERO) == (b->kind == ZERO))
        return false;
    *out = a->kind == ZERO ? *b : *a;
    return out->kind == DROPPED;
}

static bool follow(const struct search *s, const struct node *n, struct form *out)
{
    if (node_is(n, &op_where))
        return choice(s, n, out);
    if (n->inputs == 1 && form_of(s, n->in[0]))
        return one_operand(n, form_of(s, n->in[0]), out);
    if (n->inputs != 2)
        return false;
    if (node_is(n, &op_add))
        return sum(s, n, out);
    if (node_is(n, &op_mul) || node_is(n, &op_div))
        return product(s, n, out);
    return comparison(s, n, out);
}

/* -- what is Dropout -- */

static bool is_inverse(double scale, double p)
{
    return fabs(scale * p - 1) <= SCALE_TOLERANCE;
}

static bool is_single(const struct search *s, const struct node *n)
{
    return n->out[0] && s->facts->readers[n->out[0]->id] == 1 && facts_place(s->facts, n) >= 0;
}

/* The product that x comes from, through Transposes, which nobody else reads; NULL where that is none. */
static const struct node *scaled_before(const struct search *s, const struct value *x, double *scale)
{
    const struct node *n = x->producer;
    double c;

    while (n && is_single(s, n) && node_is(n, &op_transpose))
        n = n->in[0]->producer;
    if (!n || !is_single(s, n))
        return NULL;
    if (node_is(n, &op_div) && facts_scalar(s->facts, n->in[1], &c) && s->facts->active[n->in[0]->id]) {
        *scale = 1 / c;
        return n;
    }
    for (int k = 0; k < 2 && node_is(n, &op_mul); k++)
        if (facts_scalar(s->facts, n->in[k], &c) && s->facts->active[n->in[1 - k]->id]) {
            *scale = c;
            return n;
        }
    return NULL;
}

/* Has each of x's values one of the numbers, perhaps with others? */
static bool drop_each(const struct tensor *numbers, const struct tensor *x, const struct tensor *y)
{
    if (!numbers || !x || !y || x->dtype != F32 || !same_shape(x, y) || numbers->rank > x->rank)
        return false;
    for (int d = 1; d <= numbers->rank; d++)
        if (numbers->dims[numbers->rank - d] != 1 && numbers->dims[numbers->rank - d] != x->dims[x->rank - d])
            return false;
    return true;
}

static bool reads(const struct node *n, const struct value *v)
{
    for (int k = 0; v && k < n->inputs; k++)
        if (n->in[k] == v)
            return true;
    return false;
}

/* A result that is made of another one takes its place, unless others read that, too; two that are not are no Dropout. */
static void note_result(const struct search *s, const struct node *n, const struct form *f)
{
    struct written_dropout *d = f->of;
    const struct tensor *numbers = facts_type(s->facts, d->random->out[0]), *x = facts_type(s->facts, f->x),
                        *y = facts_type(s->facts, n->out[0]);
    double scale = 1;
    const struct node *before = is_inverse(f->scale, f->p) ? NULL : scaled_before(s, f->x, &scale);

    if (!is_inverse(f->scale * scale, f->p) || (reads(n, d->y) && s->facts->readers[d->y->id] > 1))
        return;
    if (d->y && !reads(n, d->y))
        d->why_not = "its numbers are used several times";
    else if (!drop_each(numbers, x, y))
        d->why_not = "what its numbers drop comes out in another shape";
    else if (!same_shape(x, numbers) && s->facts->model->graph->opset < EXPAND)
        d->why_not = "its numbers are fewer than what they drop, which takes opset 8";
    else if (facts_place(s->facts, n) < 0)
        d->why_not = "it is part of a function";
    d->x = f->x;
    d->y = n->out[0];
    d->scale = before;
    d->ratio = 1 - f->p;
    d->spread = x && numbers && !same_shape(x, numbers);
}

static bool draws_numbers(const struct search *s, const struct node *n)
{
    return node_is(n, &op_random_uniform_like) && n->out[0] && attribute(s, n, "low", 0) == 0 &&
           attribute(s, n, "high", 1) == 1;
}

bool written_dropouts_find(struct written_dropouts *out, const struct facts *f, struct arena *arena, struct report *r)
{
    const struct graph *g = f->model->graph;
    struct search s = { .facts = f };

    *out = (struct written_dropouts){ 0 };
    out->at = arena_array(arena, g->node_count, sizeof *out->at, r);
    s.forms = arena_array(arena, g->value_count, sizeof *s.forms, r);
    if (!out->at || !s.forms)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        struct form made = { .kind = NOTHING };

        if (node_is(n, &op_random_uniform_like)) {
            out->at[out->count] = (struct written_dropout){ .random = n };
            made = (struct form){ .kind = draws_numbers(&s, n) ? NUMBER : NOTHING, .of = &out->at[out->count++] };
        } else if (!n->out[0] || n->graphs || !follow(&s, n, &made)) {
            continue;
        }
        if (made.kind == DROPPED)
            note_result(&s, n, &made);
        if (n->out[0])
            s.forms[n->out[0]->id] = made;
    }
    for (size_t k = 0; k < out->count; k++)
        if (!out->at[k].y && !out->at[k].why_not)
            out->at[k].why_not = "what is made of its numbers is not known as Dropout: AlphaDropout, noise, or else";
    return true;
}

/* -- writing -- */

static const char *add_scalar(struct edit *e, const char *layer, const char *end, double scalar)
{
    float value = (float)scalar;
    const struct tensor t = { .dtype = F32, .data = &value };
    const char *name = facts_fresh(e, layer, end);

    return name && edit_add_initializer(e, name, &t) ? name : NULL;
}

/* A node in front of that place. `y` is its output, NULL: under a new name. NULL on failure. */
static Onnx__NodeProto *insert(struct edit *e, size_t place, const struct op *op, const char *layer,
                               const char *const in[2], const char **y)
{
    Onnx__NodeProto *n = edit_insert_node(e, place, false, op->name, layer);

    if (!*y)
        *y = facts_fresh(e, layer, op->name);
    return n && *y && edit_set_inputs(e, n, in[1] ? 2 : 1, in) && edit_set_outputs(e, n, 1, y) ? n : NULL;
}

/* What was scaled before it is read as it was before that; *x becomes what Dropout takes. */
static bool unscale(struct edit *e, const struct facts *f, const struct written_dropout *d, const char **x, bool *gone)
{
    const struct node *n = d->scale, *reader;
    const struct value *from = n ? n->in[f->active[n->in[0]->id] ? 0 : 1] : NULL;

    if (!n)
        return true;
    gone[n->id] = true;
    if (n->out[0] == d->x) {
        *x = from->name;
        return true;
    }
    reader = f->reader[n->out[0]->id];
    return edit_set_input(e, e->graph->node[facts_place(f, reader)], 0, from->name);
}

/* Ones, as many as there were numbers. NULL on failure. */
static const char *insert_ones(struct edit *e, size_t place, const struct written_dropout *d, const char *layer)
{
    const char *shape = NULL, *ones = NULL;
    const char *in[2] = { d->random->in[0]->name, NULL };

    if (!insert(e, place, &op_shape, layer, in, &shape) || !(in[0] = add_scalar(e, layer, "one", 1)))
        return NULL;
    in[1] = shape;
    return insert(e, place, &op_expand, layer, in, &ones) ? ones : NULL;
}

static bool insert_dropout(struct edit *e, size_t place, const struct written_dropout *d, const char *layer,
                           const char *x, bool ratio_is_input, const char **y)
{
    const char *in[2] = { x, ratio_is_input ? add_scalar(e, layer, "ratio", d->ratio) : NULL };
    Onnx__NodeProto *n = !ratio_is_input || in[1] ? insert(e, place, &op_dropout, layer, in, y) : NULL;

    return n && (ratio_is_input || edit_set_float(e, n, "ratio", (float)d->ratio));
}

static bool write_dropout(struct edit *e, const struct facts *f, const struct written_dropout *d, bool *gone)
{
    const size_t place = (size_t)facts_place(f, d->y->producer);
    const char *const layer = facts_name(d->y->producer), *x = d->x->name, *y = d->y->name, *ones, *factor = NULL;
    const bool ratio_is_input = f->model->graph->opset >= RATIO_IS_INPUT;

    facts_drop_node(f, e, d->y->producer, gone);
    if (!unscale(e, f, d, &x, gone))
        return false;
    if (!d->spread)
        return insert_dropout(e, place, d, layer, x, ratio_is_input, &y);
    ones = insert_ones(e, place, d, layer);
    return ones && insert_dropout(e, place, d, layer, ones, ratio_is_input, &factor) &&
           insert(e, place, &op_mul, layer, (const char *const[]){ x, factor }, &y);
}

bool written_dropouts_write(const struct written_dropouts *d, const struct facts *f, struct edit *e)
{
    bool *gone = arena_array(&e->arena, f->model->graph->node_count, sizeof *gone, e->report);

    for (size_t k = 0; gone && k < d->count; k++)
        if (!d->at[k].why_not && !write_dropout(e, f, &d->at[k], gone))
            return false;
    if (gone)
        facts_drop_unread(f, e, gone);
    return gone;
}
