#include "adapt/batch_statistics.h"
#include "ops/reduce.h"
#include "ops/registry.h"
#include "ops/transpose.h"
#include <math.h>
#include <string.h>

/* Values are followed by what they are of a layer's x, its mean m over the batch and its deviation s, channel by channel:
 *
 *   SUM         a + b x + c m + (d + e x + f m) / s
 *   SQUARE      (x - m)^2
 *   VARIANCE    its mean, with epsilon or without
 *   DEVIATION   s
 *
 * A sum with b = c = d = 0 and f = -e is what the layer gives: e is gamma, a is beta. */
enum form_kind { NOTHING, SUM, SQUARE, VARIANCE, DEVIATION };
enum { ONE, X, MEAN, TERMS };
enum { WHOLE, DIVIDED, PARTS }; /* by s */

/* What values are looked at for: the channels of an x whose mean is taken over the batch. */
struct site {
    struct batch_layer layer;
    bool ambiguous; /* it has several results, or several epsilons */
    bool has_epsilon;
};

struct form {
    enum form_kind kind;
    struct site *site;
    double *at[PARTS][TERMS]; /* [channels]; NULL: 0 */
    int perm[MAX_RANK];       /* of SQUARE and where x is in it: dimension d is perm[d] of x */
    double epsilon;           /* of VARIANCE and DEVIATION */
    bool is_x;                /* it is x itself, and may be the result of the layer before */
    bool closed;              /* gamma and beta are in it */
};

struct search {
    const struct facts *facts;
    struct arena *arena;
    struct report *report;
    struct form *forms; /* by value id */
    struct site *sites;
    size_t count;
    bool failed; /* memory ran out */
};

/* -- coefficients -- */

static double *filled(struct search *s, const struct site *site, double value)
{
    double *c = arena_array(s->arena, (size_t)site->layer.channels, sizeof *c, s->report);

    s->failed |= !c;
    for (int64_t k = 0; c && k < site->layer.channels; k++)
        c[k] = value;
    return c;
}

static bool is_all(const struct site *site, const double *c, double value)
{
    if (!c)
        return value == 0;
    for (int64_t k = 0; k < site->layer.channels; k++)
        if (c[k] != value)
            return false;
    return true;
}

/* A gamma of 0 is there, too. */
static bool has(const struct form *f, int part, int term)
{
    return f->at[part][term];
}

static bool has_x(const struct form *f)
{
    return f->kind == SQUARE || (f->kind == SUM && (has(f, WHOLE, X) || has(f, DIVIDED, X)));
}

/* *to += a * b * sign; NULL of b is 1. */
static void add_product(struct search *s, const struct site *site, double **to, const double *a, const double *b,
                        double sign)
{
    if (!a)
        return;
    if (!*to)
        *to = filled(s, site, 0);
    for (int64_t k = 0; *to && k < site->layer.channels; k++)
        (*to)[k] += sign * a[k] * (b ? b[k] : 1);
}

/* -- sites -- */

/* The axes that a mean is taken over, as bits; 0 where that is not known. */
static uint32_t reduced_axes(const struct search *s, const struct node *n, int rank)
{
    const struct value *v = n->inputs > REDUCE_AXES ? n->in[REDUCE_AXES] : NULL;
    const struct tensor *axes = v ? facts_type(s->facts, v) : NULL;
    uint32_t mask = 0;

    for (int64_t k = 0; axes && axes->data && axes->dtype == I64 && k < tensor_count(axes); k++) {
        const int d = wrap_axis(((const int64_t *)axes->data)[k], rank);

        mask |= d < 0 ? 0 : (uint32_t)1 << d;
    }
    return mask;
}

/* The only dimension that a mean leaves; -1 where it is another. */
static int kept_axis(const struct search *s, const struct node *n, int rank)
{
    const uint32_t all = (uint32_t)(((uint64_t)1 << rank) - 1), kept = all & ~reduced_axes(s, n, rank);

    for (int d = 0; d < rank; d++)
        if (kept == (uint32_t)1 << d && kept != all)
            return d;
    return -1;
}

static int transposed(const struct node *n, int rank, int d)
{
    const struct transpose *t = n->attrs;

    return t->given ? (int)t->perm.v[d] : rank - 1 - d;
}

/* What is looked at behind Transposes; *axis of `v` becomes the one of that. */
static const struct value *behind_transposes(const struct value *v, int rank, int *axis)
{
    while (v->producer && node_is(v->producer, &op_transpose) && v->producer->in[0]) {
        *axis = transposed(v->producer, rank, *axis);
        v = v->producer->in[0];
    }
    return v;
}

/* "sequential/bn1/moments/mean" -> "sequential/bn1". */
static const char *layer_name(struct search *s, const struct node *mean)
{
    const char *const names[] = { mean->name, mean->out[0]->name };
    const char *name = facts_name(mean);

    for (int k = 0; k < 2; k++) {
        const char *cut = names[k] ? strstr(names[k], "/moments/") : NULL;

        if (cut)
            name = arena_string(s->arena, names[k], (size_t)(cut - names[k]), s->report);
    }
    s->failed |= !name;
    return name;
}

static void add_site(struct search *s, const struct node *n)
{
    const struct tensor *t = n->in[0] && n->out[0] ? facts_type(s->facts, n->in[0]) : NULL;
    int axis = t && t->rank > 1 && t->dtype == F32 && s->facts->active[n->in[0]->id] ? kept_axis(s, n, t->rank) : -1;
    const struct value *x = axis < 0 ? NULL : behind_transposes(n->in[0], t->rank, &axis);
    struct form *f = x ? &s->forms[x->id] : NULL;
    struct site *site = &s->sites[s->count];

    if (!x || axis == 0 || f->kind != NOTHING || !(t = facts_type(s->facts, x)) || t->dims[axis] < 1)
        return;
    s->count++;
    site->layer = (struct batch_layer){ .x = x, .axis = axis, .channels = t->dims[axis], .name = layer_name(s, n) };
    *f = (struct form){ .kind = SUM, .site = site, .is_x = true };
    f->at[WHOLE][X] = filled(s, site, 1);
    for (int d = 0; d < t->rank; d++)
        f->perm[d] = d;
}

/* -- operands -- */

/* Has one value for each channel, or one for all, whatever the shape. */
static bool is_for_channels(const struct site *site, const struct tensor *t)
{
    int wide = 0;

    for (int d = 0; d < t->rank; d++)
        wide += t->dims[d] != 1;
    return wide == 0 || (wide == 1 && tensor_count(t) == site->layer.channels);
}

/* Does it meet the channels where an x in the order `perm`, of so many dimensions, has them? */
static bool meets_channels(const struct site *site, const struct tensor *t, const int *perm, int rank)
{
    if (!is_for_channels(site, t) || t->rank > rank)
        return false;
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] != 1 && perm[d + rank - t->rank] != site->layer.axis)
            return false;
    return true;
}

/* What an operand is of a layer: followed so far, or a constant for its channels. */
static bool operand(struct search *s, const struct value *v, struct site *site, struct form *out)
{
    const struct tensor *c = v ? facts_constant(s->facts, v) : NULL;
    const int64_t n = c ? tensor_count(c) : 0;

    if (!v)
        return false;
    *out = s->forms[v->id];
    if (out->kind != NOTHING)
        return out->site == site;
    if (!c || !is_for_channels(site, c))
        return false;
    *out = (struct form){ .kind = SUM, .site = site };
    out->at[WHOLE][ONE] = filled(s, site, 0);
    for (int64_t k = 0; out->at[WHOLE][ONE] && k < site->layer.channels; k++)
        out->at[WHOLE][ONE][k] = (double)((const float *)c->data)[n == 1 ? 0 : k];
    return !s->failed;
}

static bool is_constant(const struct form *f)
{
    return f->kind == SUM && !has_x(f) && !has(f, WHOLE, MEAN) && !has(f, DIVIDED, MEAN) && !has(f, DIVIDED, ONE);
}

/* (x - m) / s, perhaps times gamma, perhaps plus beta. */
static bool is_result(const struct form *f)
{
    const double *e = f->at[DIVIDED][X], *m = f->at[DIVIDED][MEAN];

    if (f->kind != SUM || !has(f, DIVIDED, X) || has(f, WHOLE, X) || has(f, WHOLE, MEAN) || has(f, DIVIDED, ONE))
        return false;
    for (int64_t k = 0; k < f->site->layer.channels; k++)
        if (!m || e[k] != -m[k])
            return false;
    return true;
}

/* -- operators -- */

static bool sum(struct search *s, const struct form *a, const struct form *b, double sign, struct form *out)
{
    if (a->kind == VARIANCE && is_constant(b) && sign > 0 && is_all(b->site, b->at[WHOLE][ONE], b->at[WHOLE][ONE][0])) {
        *out = *a;
        out->epsilon += b->at[WHOLE][ONE][0];
        return out->epsilon >= 0;
    }
    if (a->kind != SUM || b->kind != SUM)
        return false;
    if ((is_result(a) && a->closed && is_constant(b)) || (is_result(b) && b->closed && is_constant(a)))
        return false; /* the next layer's */
    out->kind = SUM;
    for (int p = 0; p < PARTS; p++)
        for (int t = 0; t < TERMS; t++) {
            add_product(s, a->site, &out->at[p][t], a->at[p][t], NULL, 1);
            add_product(s, a->site, &out->at[p][t], b->at[p][t], NULL, sign);
        }
    out->closed = true;
    return true;
}

static bool product(struct search *s, const struct form *a, const struct form *b, struct form *out)
{
    const bool scaled = is_result(a) && (a->closed || !is_all(a->site, a->at[DIVIDED][X], 1));

    if (a->kind != SUM || b->kind != SUM || (scaled && is_constant(b))) /* the next layer's */
        return false;
    out->kind = SUM;
    for (int p = 0; p < PARTS; p++)
        for (int t = 0; t < TERMS; t++)
            for (int q = 0; q < PARTS; q++)
                for (int u = 0; u < TERMS; u++) {
                    if (!has(a, p, t) || !has(b, q, u))
                        continue;
                    if ((p && q) || (t && u))
                        return false;
                    add_product(s, a->site, &out->at[p | q][t | u], a->at[p][t], b->at[q][u], 1);
                }
    return true;
}

/* (x - m)^2 of x - m. */
static bool square(const struct form *a, struct form *out)
{
    if (a->kind != SUM || !is_all(a->site, a->at[WHOLE][X], 1) || !is_all(a->site, a->at[WHOLE][MEAN], -1) ||
        has(a, WHOLE, ONE) || has(a, DIVIDED, ONE) || has(a, DIVIDED, X) || has(a, DIVIDED, MEAN))
        return false;
    out->kind = SQUARE;
    return true;
}

/* By s, or by a constant. */
static bool quotient(struct search *s, const struct form *a, const struct form *b, struct form *out)
{
    struct form inverse = { .kind = SUM, .site = a->site };

    if (b->kind == DEVIATION) {
        inverse.at[DIVIDED][ONE] = filled(s, a->site, 1);
        return product(s, a, &inverse, out);
    }
    if (!is_constant(b) || !has(b, WHOLE, ONE))
        return false;
    inverse.at[WHOLE][ONE] = filled(s, a->site, 0);
    for (int64_t k = 0; inverse.at[WHOLE][ONE] && k < a->site->layer.channels; k++)
        inverse.at[WHOLE][ONE][k] = 1 / b->at[WHOLE][ONE][k];
    return product(s, a, &inverse, out);
}

static void note_epsilon(const struct form *variance)
{
    struct site *site = variance->site;

    site->ambiguous |= site->has_epsilon && site->layer.epsilon != variance->epsilon;
    site->has_epsilon = true;
    site->layer.epsilon = variance->epsilon;
}

static bool deviation(const struct form *a, struct form *out)
{
    if (a->kind != VARIANCE)
        return false;
    note_epsilon(a);
    out->kind = DEVIATION;
    return true;
}

static bool power(struct search *s, const struct form *a, const struct form *b, struct form *out)
{
    const double exponent = is_constant(b) && b->at[WHOLE][ONE] ? b->at[WHOLE][ONE][0] : 0;

    if (exponent == 2)
        return square(a, out);
    if (a->kind != VARIANCE || fabs(exponent) != .5)
        return false;
    if (exponent > 0)
        return deviation(a, out);
    note_epsilon(a);
    out->kind = SUM;
    out->at[DIVIDED][ONE] = filled(s, a->site, 1);
    return true;
}

/* Of x, or of the squares of its differences. */
static bool mean(struct search *s, const struct node *n, const struct form *a, struct form *out)
{
    const struct tensor *t = facts_type(s->facts, n->in[0]);
    const int kept = t && has_x(a) ? kept_axis(s, n, t->rank) : -1;

    if (kept < 0 || a->perm[kept] != a->site->layer.axis)
        return false;
    if (a->kind == SQUARE) {
        out->kind = VARIANCE;
        return true;
    }
    if (!is_all(a->site, a->at[WHOLE][X], 1) || has(a, WHOLE, ONE) || has(a, WHOLE, MEAN) || has(a, DIVIDED, ONE) ||
        has(a, DIVIDED, X) || has(a, DIVIDED, MEAN))
        return false;
    out->kind = SUM;
    out->at[WHOLE][MEAN] = filled(s, a->site, 1);
    return true;
}

/* The same numbers in another shape or order. */
static bool rearranged(struct search *s, const struct node *n, const struct form *a, struct form *out)
{
    const struct tensor *t = facts_type(s->facts, n->out[0]);

    *out = *a;
    if (!t || t->dtype != F32)
        return false;
    if (!has_x(a) || node_is(n, &op_identity) || node_is(n, &op_cast))
        return true;
    if (!node_is(n, &op_transpose))
        return false;
    for (int d = 0; d < t->rank; d++)
        out->perm[d] = a->perm[transposed(n, t->rank, d)];
    return true;
}

static bool one_operand(struct search *s, const struct node *n, const struct form *a, struct form *out)
{
    const struct form one = { .kind = SUM, .site = a->site, .at[WHOLE][ONE] = filled(s, a->site, 1) },
                      minus = { .kind = SUM, .site = a->site, .at[WHOLE][ONE] = filled(s, a->site, -1) };

    if (s->failed)
        return false;
    if (node_is(n, &op_identity) || node_is(n, &op_cast) || n->def->flags & OP_REARRANGES)
        return rearranged(s, n, a, out);
    if (node_is(n, &op_reduce_mean))
        return mean(s, n, a, out);
    if (node_is(n, &op_neg))
        return product(s, a, &minus, out);
    if (node_is(n, &op_reciprocal))
        return quotient(s, &one, a, out);
    return node_is(n, &op_sqrt) && deviation(a, out);
}

/* A constant stands behind what it is put to. */
static bool two_operands(struct search *s, const struct node *n, const struct form *a, const struct form *b,
                         struct form *out)
{
    const bool turned = is_constant(a) && !is_constant(b);

    if (node_is(n, &op_add))
        return sum(s, turned ? b : a, turned ? a : b, 1, out);
    if (node_is(n, &op_sub))
        return sum(s, a, b, -1, out);
    if (node_is(n, &op_mul))
        return n->in[0] == n->in[1] ? square(a, out) : product(s, turned ? b : a, turned ? a : b, out);
    if (node_is(n, &op_div))
        return quotient(s, a, b, out);
    return node_is(n, &op_pow) && power(s, a, b, out);
}

/* -- following -- */

/* The layer that an operand belongs to; NULL where none does. A result that others read, too, is the last one. */
static struct site *site_of(const struct search *s, const struct node *n)
{
    for (int k = 0; k < n->inputs && k < 2; k++) {
        const struct form *f = n->in[k] ? &s->forms[n->in[k]->id] : NULL;

        if (f && f->kind != NOTHING)
            return f->site->layer.y == n->in[k] && s->facts->readers[n->in[k]->id] > 1 ? NULL : f->site;
    }
    return NULL;
}

/* Do the operands meet at the channels, and has what comes out the shape that it must have? */
static bool fits(const struct search *s, const struct node *n, int operands, const struct form in[2],
                 const struct form *out)
{
    const struct site *site = out->site;
    const struct tensor *x = facts_type(s->facts, site->layer.x), *t = facts_type(s->facts, n->out[0]);

    if (!t || t->dtype != F32)
        return false;
    if (!has_x(out))
        return is_for_channels(site, t);
    for (int d = 0; d < t->rank; d++)
        if (t->rank != x->rank || t->dims[d] != x->dims[out->perm[d]])
            return false;
    for (int k = 0; k < operands; k++) {
        const struct tensor *o = facts_type(s->facts, n->in[k]);

        if (!o || (has_x(&in[k]) ? memcmp(in[k].perm, out->perm, sizeof out->perm) != 0 && operands == 2
                                 : !meets_channels(site, o, out->perm, t->rank)))
            return false;
    }
    return true;
}

/* The last of a chain is what the layer gives. */
static void note_result(const struct node *n, const struct form *f)
{
    struct batch_layer *l = &f->site->layer;

    if (l->y && n->in[0] != l->y && !(n->inputs > 1 && n->in[1] == l->y))
        f->site->ambiguous = true;
    l->y = n->out[0];
    l->gamma = f->at[DIVIDED][X];
    l->beta = f->at[WHOLE][ONE];
    memcpy(l->perm, f->perm, sizeof l->perm);
}

static void follow(struct search *s, const struct node *n)
{
    struct site *site = n->out[0] && !n->graphs ? site_of(s, n) : NULL;
    const bool unary = n->inputs == 1 || node_is(n, &op_reduce_mean) || (n->def->flags & OP_REARRANGES);
    struct form in[2], out = { .site = site };
    bool ok;

    if (!site || n->inputs > 2 || !operand(s, n->in[0], site, &in[0]) ||
        (!unary && !operand(s, n->in[1], site, &in[1])))
        return;
    memcpy(out.perm, (!unary && !has_x(&in[0]) ? in[1] : in[0]).perm, sizeof out.perm);
    ok = unary ? one_operand(s, n, &in[0], &out) : two_operands(s, n, &in[0], &in[1], &out);
    if (!ok || s->failed || !fits(s, n, unary ? 1 : 2, in, &out))
        return;
    if (is_result(&out))
        note_result(n, &out);
    if (!is_result(&out) || !s->forms[n->out[0]->id].is_x)
        s->forms[n->out[0]->id] = out;
}

bool batch_layers_find(struct batch_layers *out, const struct facts *f, struct arena *arena, struct report *r)
{
    const struct graph *g = f->model->graph;
    struct search s = { .facts = f, .arena = arena, .report = r };

    *out = (struct batch_layers){ 0 };
    s.forms = arena_array(arena, g->value_count, sizeof *s.forms, r);
    s.sites = arena_array(arena, g->node_count, sizeof *s.sites, r);
    out->at = arena_array(arena, g->node_count, sizeof *out->at, r);
    if (!s.forms || !s.sites || !out->at)
        return false;
    for (size_t k = 0; k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_reduce_mean))
            add_site(&s, g->nodes[k]);
    for (size_t k = 0; k < g->node_count && s.count && !s.failed; k++)
        follow(&s, g->nodes[k]);
    for (size_t k = 0; k < s.count; k++) {
        const struct site *site = &s.sites[k];

        if (site->layer.y && !site->ambiguous && facts_place(f, site->layer.y->producer) >= 0)
            out->at[out->count++] = site->layer;
    }
    return !s.failed;
}
