#include "adapt/inference/written_dropout.h"
#include "adapt/inference/written.h"
#include "data/element.h"
#include "ops/random_draw.h"
#include "ops/registry.h"
#include <math.h>
#include <string.h>

enum { EXPAND = 8, RATIO_IS_INPUT = 12 }; /* opsets, from which on */

/* What a value is of the numbers that a node draws. */
enum form_kind {
    NOTHING,
    NUMBER,  /* uniform from [0, 1) */
    MASK,    /* true with probability p */
    FACTOR,  /* `scale` with probability p, else 0 */
    ZERO,    /* a factor times 0 */
    SHIFTED, /* a factor and a number */
    LOGGED,  /* made of numbers from [0, 1) by constants, and by `logs` logarithms */
    DROPPED  /* x * scale with probability p, else 0 */
};

struct form {
    enum form_kind kind;
    struct written_dropout *of;
    const struct value *x, *numbers; /* that count, in the shape in which they do */
    double p, scale;
    int logs;
};

struct search {
    const struct facts *facts;
    struct written_dropouts *out;
    struct form *forms; /* by value id */
};

static const struct form *form_of(const struct search *s, const struct value *v)
{
    return v && s->forms[v->id].kind != NOTHING ? &s->forms[v->id] : NULL;
}

/* -- operators -- */

/* Of 0 and `scale`, which one passes? */
static bool compare(const struct node *n, double x, double c, bool swapped)
{
    const double a = swapped ? c : x, b = swapped ? x : c;

    return node_is(n, &op_less)               ? a < b
           : node_is(n, &op_less_or_equal)    ? a <= b
           : node_is(n, &op_greater)          ? a > b
           : node_is(n, &op_greater_or_equal) ? a >= b
                                              : a == b;
}

static bool compares(const struct node *n)
{
    return node_is(n, &op_less) || node_is(n, &op_less_or_equal) || node_is(n, &op_greater) ||
           node_is(n, &op_greater_or_equal) || node_is(n, &op_equal);
}

/* u < c, or another of the four, u and c in either order; or whether a factor is 0. */
static bool comparison(const struct search *s, const struct node *n, struct form *out)
{
    const int number = form_of(s, n->in[0]) ? 0 : 1;
    const struct form *u = form_of(s, n->in[number]);
    double c;

    if (!compares(n) || !u || !facts_number(s->facts, n->in[1 - number], &c))
        return false;
    *out = *u;
    out->kind = MASK;
    if (u->kind == NUMBER) {
        out->p = compare(n, 0, c, number) ? c : 1 - c;
        return c > 0 && c < 1 && !node_is(n, &op_equal);
    }
    out->p = compare(n, u->scale, c, number) ? u->p : 1 - u->p;
    return u->kind == FACTOR && compare(n, 0, c, number) != compare(n, u->scale, c, number);
}

/* In another shape, order or type. */
static bool rearrangement(const struct node *n, const struct form *a, struct form *out)
{
    const enum dtype to = node_is(n, &op_cast) ? n->def->dtype(n, 0) : UNDEFINED;

    *out = *a;
    if (n->def->flags & OP_REARRANGES)
        return a->kind == NUMBER || a->kind == MASK || a->kind == FACTOR || node_is(n, &op_identity);
    if (to == UNDEFINED || (a->kind == NUMBER && !dtype_is_float(to)))
        return false;
    if (a->kind == MASK && to != BOOL) {
        out->kind = FACTOR;
        out->scale = 1;
    } else if (a->kind == FACTOR && to == BOOL) {
        out->kind = MASK;
    }
    return a->kind != DROPPED || dtype_is_float(to);
}

static bool one_operand(const struct node *n, const struct form *a, struct form *out)
{
    if (!node_is(n, &op_not) || a->kind != MASK)
        return rearrangement(n, a, out);
    *out = *a;
    out->p = 1 - a->p;
    return true;
}

/* 1 less a factor of 1: what was kept goes. */
static bool difference(const struct search *s, const struct node *n, struct form *out)
{
    const struct form *a = form_of(s, n->in[1]);
    double c;

    if (!a || a->kind != FACTOR || a->scale != 1 || !facts_number(s->facts, n->in[0], &c) || c != 1)
        return false;
    *out = *a;
    out->p = 1 - a->p;
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
    if (facts_number(s->facts, other, &c)) {
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
    double c;

    return facts_number(s->facts, v, &c) && c == 0;
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

/* A factor and a number: less its scale it is that of what goes. */
static bool shift(const struct search *s, const struct node *n, struct form *out)
{
    const int at = form_of(s, n->in[0]) ? 0 : 1;
    const struct form *a = form_of(s, n->in[at]);
    double c;

    if (!a || a->kind != FACTOR || !facts_number(s->facts, n->in[1 - at], &c))
        return false;
    *out = *a;
    out->kind = c == -a->scale ? FACTOR : SHIFTED;
    out->scale = c == -a->scale ? c : a->scale;
    out->p = c == -a->scale ? 1 - a->p : a->p;
    return true;
}

/* What takes the place of what goes is one number: y = keep ? x : alpha', scaled and shifted at once or later. */
static bool is_alpha(const struct form *dropped, const struct form *other)
{
    return dropped->kind == DROPPED && (other->kind == FACTOR || other->kind == SHIFTED) && other->scale < 0 &&
           fabs(dropped->p + other->p - 1) < 1e-6;
}

static bool sum(const struct search *s, const struct node *n, struct form *out)
{
    const struct form *a = form_of(s, n->in[0]), *b = form_of(s, n->in[1]);

    if (shift(s, n, out))
        return true;
    if (a && b && a->of == b->of && (is_alpha(a, b) || is_alpha(b, a))) {
        a->of->known_as = "AlphaDropout, written out in training mode";
        a->of->known_by = "one number below 0 takes the place of what goes";
    }
    if (!a || !b || a->of != b->of || (a->kind == ZERO) == (b->kind == ZERO))
        return false;
    *out = a->kind == ZERO ? *b : *a;
    return out->kind == DROPPED;
}

/* Numbers by which constants and functions of one variable make others, whatever they are. */
static bool vary(const struct search *s, const struct node *n, struct form *out)
{
    const struct form *a = NULL;

    for (int k = 0; k < n->inputs; k++) {
        const struct form *f = form_of(s, n->in[k]);

        if (f && (f->kind == NUMBER || f->kind == LOGGED))
            a = f;
        else if (!f && n->in[k] && s->facts->active[n->in[k]->id])
            return false;
    }
    if (!a || !(node_is(n, &op_log) || node_is(n, &op_neg) || node_is(n, &op_clip) || node_is(n, &op_where) ||
                node_is(n, &op_add) || node_is(n, &op_sub) || node_is(n, &op_mul) || node_is(n, &op_div)))
        return false;
    *out = *a;
    out->kind = LOGGED;
    out->logs += node_is(n, &op_log);
    if (out->logs == 2) {
        out->of->known_as = "noise of Gumbel's distribution";
        out->of->known_by = "the logarithm of its numbers' logarithm";
    }
    return true;
}

static bool follow_one(const struct search *s, const struct node *n, struct form *out)
{
    if (node_is(n, &op_where))
        return choice(s, n, out);
    if (form_of(s, n->in[0]) && (n->inputs == 1 || n->def->flags & OP_REARRANGES))
        return one_operand(n, form_of(s, n->in[0]), out);
    if (n->inputs != 2)
        return false;
    if (node_is(n, &op_add))
        return sum(s, n, out);
    if (node_is(n, &op_sub))
        return difference(s, n, out);
    if (node_is(n, &op_mul) || node_is(n, &op_div))
        return product(s, n, out);
    return comparison(s, n, out);
}

static bool follow(const struct search *s, const struct node *n, struct form *out)
{
    return follow_one(s, n, out) || vary(s, n, out);
}

/* -- what is Dropout -- */

/* A factor of that type, against 1 / (1 - rate). */
static bool is_inverse(double scale, double p, enum dtype d)
{
    const double tolerance = d == BF16 ? 1e-2 : d == F16 ? 2e-3 : 1e-4;

    return fabs(scale * p - 1) <= tolerance;
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
    if (node_is(n, &op_div) && facts_number(s->facts, n->in[1], &c) && s->facts->active[n->in[0]->id]) {
        *scale = 1 / c;
        return n;
    }
    for (int k = 0; k < 2 && node_is(n, &op_mul); k++)
        if (facts_number(s->facts, n->in[k], &c) && s->facts->active[n->in[1 - k]->id]) {
            *scale = c;
            return n;
        }
    return NULL;
}

/* Has each of x's values one of the numbers, perhaps with others? */
static bool drop_each(const struct tensor *numbers, const struct tensor *x, const struct tensor *y)
{
    if (!numbers || !x || !y || !dtype_is_float(x->dtype) || !same_shape(x, y) || numbers->rank > x->rank)
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

/* What draws so many numbers as count, and in that shape: they may be turned where all of that is known beforehand. */
static bool spreads_by_shape(const struct search *s, const struct form *f)
{
    const struct node *random = f->of->random;
    const struct tensor *drawn = facts_type(s->facts, random->out[0]), *numbers = facts_type(s->facts, f->numbers);

    return !random->inputs || (drawn && numbers && same_shape(drawn, numbers));
}

/* A result that is made of another one takes its place, unless others read that, too; two that are not are no Dropout. */
static void note_result(const struct search *s, const struct node *n, const struct form *f)
{
    struct written_dropout *d = f->of;
    const struct tensor *numbers = facts_type(s->facts, f->numbers), *x = facts_type(s->facts, f->x),
                        *y = facts_type(s->facts, n->out[0]);
    const enum dtype type = x ? x->dtype : F32;
    double scale = 1;
    const struct node *before = is_inverse(f->scale, f->p, type) ? NULL : scaled_before(s, f->x, &scale);

    if (!is_inverse(f->scale * scale, f->p, type) || (reads(n, d->y) && s->facts->readers[d->y->id] > 1))
        return;
    if (d->y && !reads(n, d->y))
        d->why_not = "its numbers are used several times";
    else if (!drop_each(numbers, x, y))
        d->why_not = "what its numbers drop comes out in another shape";
    else if (!same_shape(x, numbers) && s->facts->model->graph->opset < EXPAND)
        d->why_not = "its numbers are fewer than what they drop, which takes opset 8";
    else if (!same_shape(x, numbers) && !spreads_by_shape(s, f))
        d->why_not = "its numbers are fewer than what they drop, and turned before";
    else if (facts_place(s->facts, n) < 0)
        d->why_not = "it is part of a function";
    d->x = f->x;
    d->y = n->out[0];
    d->scale = before;
    d->ratio = 1 - f->p;
    d->spread = x && numbers && !same_shape(x, numbers);
    d->type = type;
    d->numbers = f->numbers;
}

/* Does the node draw random numbers, but for noise, which is another matter (written_noise.h)? Dropout itself does not. */
static bool draws(const struct node *n)
{
    return n->def->flags & OP_RANDOM && !node_is(n, &op_dropout) && !node_is(n, &op_random_normal) &&
           !node_is(n, &op_random_normal_like);
}

/* What may become of it. */
static struct form drawn(const struct search *s, const struct node *n, struct written_dropout *d)
{
    struct form f = { .kind = NOTHING, .of = d, .numbers = n->out[0], .scale = 1 };

    if (node_is(n, &op_random_uniform) || node_is(n, &op_random_uniform_like)) {
        const struct draw_attrs *a = n->attrs;

        f.kind = a->base == 0 && a->factor == 1 ? NUMBER : NOTHING;
    } else if (node_is(n, &op_bernoulli) && facts_number(s->facts, n->in[0], &f.p) && f.p > 0 && f.p < 1) {
        f.kind = n->def->dtype(n, 0) == BOOL ? MASK : FACTOR;
    }
    return f;
}

/* Of one that is none. */
static const char *others_of(const struct node *n)
{
    return node_is(n, &op_bernoulli) || node_is(n, &op_random_uniform) || node_is(n, &op_random_uniform_like)
               ? "what is made of its numbers is not known as Dropout: AlphaDropout, noise, or else"
               : "it draws classes";
}

static void look(struct search *s, const struct node *n)
{
    struct form made = { .kind = NOTHING };

    if (!n->out[0] || n->graphs)
        return;
    if (draws(n)) {
        s->out->at[s->out->count] = (struct written_dropout){ .random = n };
        made = drawn(s, n, &s->out->at[s->out->count++]);
    } else if (!follow(s, n, &made)) {
        return;
    } else if (made.kind != DROPPED) {
        made.numbers = n->out[0];
    }
    if (made.kind == DROPPED)
        note_result(s, n, &made);
    s->forms[n->out[0]->id] = made;
}

bool written_dropouts_find(struct written_dropouts *out, const struct facts *f, struct arena *arena, struct report *r)
{
    struct search s = { .facts = f, .out = out };

    *out = (struct written_dropouts){ 0 };
    if (!written_room(f, &out->at, sizeof *out->at, &s.forms, sizeof *s.forms, arena, r))
        return false;
    for (size_t k = 0; k < f->model->graph->node_count; k++)
        look(&s, f->model->graph->nodes[k]);
    for (size_t k = 0; k < out->count; k++)
        if (!out->at[k].y && !out->at[k].why_not)
            out->at[k].why_not = others_of(out->at[k].random);
    return true;
}

/* -- writing -- */

/* One number everywhere, of the type and shape of `like`. */
static const char *add_number(struct edit *e, const char *layer, const char *end, const struct tensor *like,
                              double number)
{
    struct tensor t = *like;
    const char *name = facts_fresh(e, layer, end);

    t.data = arena_alloc(&e->arena, (size_t)tensor_bytes(&t), e->report);
    for (int64_t k = 0; t.data && k < tensor_count(&t); k++)
        element_put(t.data, k, t.dtype, number);
    return name && t.data && edit_add_initializer(e, name, &t) ? name : NULL;
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
static const char *insert_ones(struct edit *e, const struct facts *f, size_t place, const struct written_dropout *d,
                               const char *layer)
{
    const struct tensor one = { .dtype = d->type };
    struct tensor all = *facts_type(f, d->numbers);
    const char *shape = NULL, *ones = NULL, *in[2] = { NULL };

    all.dtype = d->type;
    if (!d->random->inputs)
        return add_number(e, layer, "ones", &all, 1);
    in[0] = d->random->in[0]->name;
    if (!insert(e, place, &op_shape, layer, in, &shape) || !(in[0] = add_number(e, layer, "one", &one, 1)))
        return NULL;
    in[1] = shape;
    return insert(e, place, &op_expand, layer, in, &ones) ? ones : NULL;
}

static bool insert_dropout(struct edit *e, size_t place, const struct written_dropout *d, const char *layer,
                           const char *x, bool ratio_is_input, const char **y)
{
    const struct tensor ratio = { .dtype = F32 };
    const char *in[2] = { x, ratio_is_input ? add_number(e, layer, "ratio", &ratio, d->ratio) : NULL };
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
    ones = insert_ones(e, f, place, d, layer);
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
