#include "adapt/inference/written_noise.h"
#include "adapt/inference/written.h"
#include "ops/gemm.h"
#include "ops/random_draw.h"
#include "ops/registry.h"
#include <math.h>

enum { SUMMAND = 2 }; /* input of Gemm */
#define NEAR 1e-4     /* of what a float holds */

/* mean + deviation * z */
struct form {
    struct written_noise *of; /* NULL: it is none */
    double mean, deviation;
};

struct search {
    const struct facts *facts;
    struct written_noises *out;
    struct form *forms; /* by value id */
};

static const struct form *form_of(const struct search *s, const struct value *v)
{
    return v && s->forms[v->id].of ? &s->forms[v->id] : NULL;
}

/* -- the numbers -- */

/* What keeps them normal: a factor, a summand, another type of float, shape or order. */
static bool follow(const struct search *s, const struct node *n, struct form *out)
{
    const int at = form_of(s, n->in[0]) ? 0 : 1;
    const struct form *a = at < n->inputs ? form_of(s, n->in[at]) : NULL;
    const bool less = node_is(n, &op_sub), divided = node_is(n, &op_div);
    double c;

    if (!a)
        return false;
    *out = *a;
    if (at == 0 && (n->def->flags & OP_REARRANGES || (node_is(n, &op_cast) && dtype_is_float(n->def->dtype(n, 0)))))
        return true;
    if (n->inputs != 2 || form_of(s, n->in[1 - at]) || !facts_number(s->facts, n->in[1 - at], &c))
        return false;
    if (node_is(n, &op_add) || less) {
        out->mean = less ? (at ? c - a->mean : a->mean - c) : a->mean + c;
        return true;
    }
    if ((!node_is(n, &op_mul) && !divided) || (divided && (at || c == 0)))
        return false;
    out->mean = divided ? a->mean / c : a->mean * c;
    out->deviation = fabs(divided ? a->deviation / c : a->deviation * c);
    return isfinite(out->mean) && isfinite(out->deviation);
}

static bool draws(const struct node *n)
{
    return node_is(n, &op_random_normal) || node_is(n, &op_random_normal_like);
}

/* -- what is done by them -- */

static bool keeps_shape(const struct search *s, const struct value *x, const struct node *n)
{
    const struct tensor *from = facts_type(s->facts, x), *to = facts_type(s->facts, n->out[0]);

    return from && to && from->dtype == to->dtype && same_shape(from, to);
}

/* A layer's sum with noise in the place of a bias, as tf2onnx joins them. */
static bool note_gemm(const struct search *s, const struct node *n)
{
    const struct form *c = n->inputs > SUMMAND ? form_of(s, n->in[SUMMAND]) : NULL;

    if (!node_is(n, &op_gemm) || !c || fabs(c->mean) > NEAR)
        return false;
    c->of->node = n;
    c->of->deviation = c->deviation * fabs((double)((const struct gemm_attrs *)n->attrs)->beta);
    return true;
}

/* Noise that is read in several places is another thing. */
static void note(const struct search *s, const struct node *n)
{
    const int at = form_of(s, n->in[0]) ? 0 : 1;
    const struct form *a = n->inputs == 2 ? form_of(s, n->in[at]) : NULL;
    const struct value *x = a ? n->in[1 - at] : NULL;
    const bool sum = node_is(n, &op_add) || (node_is(n, &op_sub) && at == 1), factor = node_is(n, &op_mul);

    if (factor && x && s->facts->active[x->id] && !form_of(s, x) && fabs(a->mean) <= NEAR && a->deviation > 0)
        a->of->scaled = n;
    if (note_gemm(s, n) || !x || !s->facts->active[x->id] || form_of(s, x) || (!sum && !factor) ||
        fabs(a->mean - (factor ? 1 : 0)) > NEAR || !(a->deviation > 0) || !keeps_shape(s, x, n))
        return;
    a->of->x = x;
    a->of->node = n;
    a->of->factor = factor;
    a->of->deviation = a->deviation;
}

static bool is_single(const struct search *s, const struct node *n)
{
    return n->out[0] && s->facts->readers[n->out[0]->id] == 1;
}

static void look(struct search *s, const struct node *n)
{
    struct form made = { 0 };

    if (!n->out[0] || n->graphs)
        return;
    if (draws(n)) {
        const struct draw_attrs *a = n->attrs;

        s->out->at[s->out->count] = (struct written_noise){ .random = n };
        made = (struct form){ &s->out->at[s->out->count++], (double)a->base, a->factor };
    } else if (facts_place(s->facts, n) < 0) {
        return;
    } else if (!follow(s, n, &made)) {
        note(s, n);
        return;
    }
    if (is_single(s, n))
        s->forms[n->out[0]->id] = made;
}

bool written_noises_find(struct written_noises *out, const struct facts *f, struct arena *arena, struct report *r)
{
    struct search s = { .facts = f, .out = out };

    *out = (struct written_noises){ 0 };
    if (!written_room(f, &out->at, sizeof *out->at, &s.forms, sizeof *s.forms, arena, r))
        return false;
    for (size_t k = 0; k < f->model->graph->node_count; k++)
        look(&s, f->model->graph->nodes[k]);
    return true;
}

/* -- writing -- */

static bool drop(struct edit *e, const struct facts *f, const struct written_noise *w)
{
    Onnx__NodeProto *p = e->graph->node[facts_place(f, w->node)];

    if (w->x)
        return edit_set_op(e, p, op_identity.name) && edit_set_inputs(e, p, 1, &w->x->name);
    edit_cut_inputs(e, p, SUMMAND);
    return true;
}

bool written_noises_drop(const struct written_noises *n, const struct facts *f, struct edit *e)
{
    for (size_t k = 0; k < n->count; k++)
        if (n->at[k].gone && !drop(e, f, &n->at[k]))
            return false;
    edit_drop_unread(e);
    return true;
}
