/* Einsum, https://onnx.ai/onnx/operators/onnx__Einsum.html
 *
 *   "ij,jk->ik": y[i, k] = the sum over j of x0[i, j] * x1[j, k], and so for any labels and any number of operands
 *
 * It becomes products of matrices, one for each operand after the first, from left to right: labels that both operands
 * have and something needs yet are batches, those that nothing needs are summed, and all others stand beside each other
 * as one dimension. A label that an operand has twice picks its diagonal; one that it alone has is summed at once.
 *
 * An ellipsis stands for the dimensions that an operand has beside its labels, which are broadcast, as numpy does it.
 * Where a rank is not known when the model is loaded they are made one dimension, and many again in the end. Integers of
 * 8 and 16 bits are computed in 32 and wrap around. */
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/widen.h"
#include <stdio.h>
#include <string.h>

/* Labels in the order of ASCII, then the dimensions of the ellipsis, from the last one on. */
enum { LETTERS = 26, ELLIPSIS = 2 * LETTERS, LABELS = ELLIPSIS + MAX_RANK };

struct term {            /* "ab...c": the ellipsis stands before label 2 */
    int count, ellipsis; /* UNKNOWN: none */
    uint8_t label[MAX_RANK];
};

struct einsum {
    int terms;
    struct term *term, out;
};

/* -- read -- */

static bool add_label(struct parse *p, struct term *t, char c)
{
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
        return parse_error(p, "attribute 'equation' has '%c' where a label must be", c >= ' ' && c <= '~' ? c : '?');
    if (t->count == MAX_RANK)
        return parse_unsupported(p, "attribute 'equation' has a term of more than %d labels", (int)MAX_RANK);
    t->label[t->count++] = (uint8_t)(c <= 'Z' ? c - 'A' : c - 'a' + LETTERS);
    return true;
}

/* Up to a comma, an arrow or the end, to which *at is moved. */
static bool read_term(struct parse *p, const char **at, struct term *t)
{
    *t = (struct term){ .ellipsis = UNKNOWN };
    for (; **at && **at != ',' && **at != '-'; ++*at) {
        if (**at == ' ')
            continue;
        if (strncmp(*at, "...", 3) != 0) {
            if (!add_label(p, t, **at))
                return false;
            continue;
        }
        if (t->ellipsis >= 0)
            return parse_error(p, "attribute 'equation' has a term with two ellipses");
        t->ellipsis = t->count;
        *at += 2;
    }
    return true;
}

/* Without an arrow: what stands once, in the order of ASCII, behind the ellipsis. */
static void imply_output(struct einsum *a, const int *uses)
{
    a->out = (struct term){ .ellipsis = UNKNOWN };
    for (int t = 0; t < a->terms; t++)
        if (a->term[t].ellipsis >= 0)
            a->out.ellipsis = 0;
    for (int l = 0; l < ELLIPSIS && a->out.count < MAX_RANK; l++)
        if (uses[l] == 1)
            a->out.label[a->out.count++] = (uint8_t)l;
}

static char letter(int label)
{
    return (char)(label < LETTERS ? 'A' + label : 'a' + label - LETTERS);
}

static bool output_fits(struct parse *p, const struct einsum *a, const int *uses)
{
    int seen[ELLIPSIS] = { 0 };
    bool dots = false;

    for (int k = 0; k < a->out.count; k++) {
        if (!uses[a->out.label[k]])
            return parse_error(p, "attribute 'equation' has the label '%c' in its output alone",
                               letter(a->out.label[k]));
        if (seen[a->out.label[k]]++)
            return parse_error(p, "attribute 'equation' has the label '%c' twice in its output",
                               letter(a->out.label[k]));
    }
    for (int t = 0; t < a->terms; t++)
        dots |= a->term[t].ellipsis >= 0;
    return dots == (a->out.ellipsis >= 0) ||
           parse_error(p, "attribute 'equation' has an ellipsis in its %s alone", dots ? "inputs" : "output");
}

static bool parse(struct parse *p, void *attrs)
{
    struct einsum *a = attrs;
    const char *at = attr_string(p, "equation", NULL);
    int uses[ELLIPSIS] = { 0 };

    if (!at)
        return parse_error(p, "attribute 'equation' is missing");
    a->term = parse_alloc(p, (size_t)inputs_written(p) * sizeof *a->term);
    if (!a->term)
        return false;
    for (bool more = true; more; at++) {
        if (a->terms == inputs_written(p))
            return parse_error(p, "attribute 'equation' has more than %d terms, one for each input", a->terms);
        if (!read_term(p, &at, &a->term[a->terms]))
            return false;
        for (int k = 0; k < a->term[a->terms].count; k++)
            uses[a->term[a->terms].label[k]]++;
        a->terms++;
        more = *at == ',';
    }
    if (a->terms < inputs_written(p))
        return parse_error(p, "attribute 'equation' has %d terms, must have %d, one for each input", a->terms,
                           inputs_written(p));
    at--; /* the loop has gone past what ended the last term */
    if (!*at) {
        imply_output(a, uses);
        return true;
    }
    at += 2;
    if (at[-1] != '>' || !read_term(p, &at, &a->out) || *at)
        return parse_error(p, "attribute 'equation' must be terms, and perhaps '->' and one more");
    return output_fits(p, a, uses);
}

/* -- as other operators -- */

struct operand {
    struct value *v;
    int count;
    uint8_t label[MAX_RANK];
};

struct work {
    struct emitter *e;
    const struct node *node;
    int uses[LABELS];       /* operands that have it, and the output */
    struct value *ellipsis; /* its dimensions, where only planning tells how many; else NULL */
    bool failed;
};

static bool has(const struct operand *o, int label)
{
    return memchr(o->label, label, (size_t)o->count) != NULL;
}

static bool too_many(struct work *w, int dims)
{
    char where[WHERE_TEXT];

    w->failed = true;
    w->e->failed = !fail(w->e->report, KILN_UNSUPPORTED, node_where(w->node, where),
                         "a product has %d dimensions on the way, at most %d are supported", dims, (int)MAX_RANK);
    return false;
}

/* The labels of a term, those of `dots` dimensions in place of an ellipsis. */
static bool spread(struct work *w, const struct term *t, int dots, struct operand *o)
{
    o->count = 0;
    if (t->count + dots > MAX_RANK)
        return too_many(w, t->count + dots);
    for (int k = 0; k <= t->count; k++) {
        for (int d = dots - 1; d >= 0 && k == t->ellipsis; d--)
            o->label[o->count++] = (uint8_t)(ELLIPSIS + d);
        if (k < t->count)
            o->label[o->count++] = t->label[k];
    }
    return true;
}

/* How many dimensions the ellipsis of term k is. */
static bool count_dots(struct work *w, const struct term *t, int k, int *dots)
{
    const int rank = known_input(w->node, k).rank;
    char where[WHERE_TEXT];

    *dots = w->ellipsis && t->ellipsis >= 0;
    if (rank < 0 || w->ellipsis)
        return true;
    *dots = rank - t->count;
    if (*dots == 0 || (*dots > 0 && t->ellipsis >= 0))
        return true;
    w->e->failed = !fail(w->e->report, KILN_BAD_MODEL, node_where(w->node, where),
                         "input %d has %d dimensions, must have %s%d as its term", k, rank,
                         t->ellipsis >= 0 ? "at least " : "", t->count);
    return false;
}

/* -- an ellipsis of dimensions that only planning counts -- */

/* The sizes of input k before its ellipsis, of it, and behind it. */
static void parts_of(struct work *w, const struct term *t, int k, struct value *part[3])
{
    const int behind = t->count - t->ellipsis;
    char text[64];

    snprintf(text, sizeof text, "start=0 end=%d", t->ellipsis);
    part[0] = emit(w->e, "Shape", text, 1, w->node->in[k]);
    snprintf(text, sizeof text, behind ? "start=%d end=-%d" : "start=%d", t->ellipsis, behind);
    part[1] = emit(w->e, "Shape", text, 1, w->node->in[k]);
    snprintf(text, sizeof text, behind ? "start=-%d" : "start=%d", behind ? behind : MAX_RANK);
    part[2] = emit(w->e, "Shape", text, 1, w->node->in[k]);
}

/* What all of them are broadcast together. */
static struct value *whole_ellipsis(struct work *w, const struct einsum *a)
{
    struct value *whole = NULL, *part[3];
    bool late = false;

    for (int k = 0; k < a->terms; k++)
        late |= a->term[k].ellipsis >= 0 && known_input(w->node, k).rank < 0;
    for (int k = 0; late && k < a->terms; k++) {
        if (a->term[k].ellipsis < 0)
            continue;
        parts_of(w, &a->term[k], k, part);
        whole = !whole ? part[1]
                       : emit(w->e, "Shape", "", 1,
                              emit(w->e, "Add", "", 2, emit(w->e, "ConstantOfShape", "", 1, whole),
                                   emit(w->e, "ConstantOfShape", "", 1, part[1])));
    }
    return whole;
}

/* Input k with one dimension in place of its ellipsis. */
static struct value *with_one_dimension(struct work *w, const struct term *t, int k)
{
    struct emitter *e = w->e;
    const int64_t one = 1;
    struct value *x = w->node->in[k], *part[3], *missing;

    if (t->ellipsis < 0 || !w->ellipsis)
        return x;
    parts_of(w, t, k, part);
    missing = emit(e, "Sub", "", 2, emit(e, "Shape", "", 1, w->ellipsis), emit(e, "Shape", "", 1, part[1]));
    missing = emit(e, "Expand", "", 2, emit_ints(e, 1, &one), missing);
    x = emit(e, "Reshape", "allowzero=1", 2, x, emit(e, "Concat", "axis=0", 4, part[0], missing, part[1], part[2]));
    x = emit(e, "Expand", "", 2, x, emit(e, "Concat", "axis=0", 3, part[0], w->ellipsis, part[2]));
    return emit(e, "Reshape", "allowzero=1", 2, x,
                emit(e, "Concat", "axis=0", 3, part[0], emit(e, "ReduceProd", "keepdims=1", 1, w->ellipsis), part[2]));
}

/* -- one operand -- */

/* The operand with its dimensions in this order. */
static void arrange(struct work *w, struct operand *o, const uint8_t *order)
{
    char text[INTS_TEXT];
    int64_t perm[MAX_RANK];
    bool same = true;

    for (int k = 0; k < o->count; k++) {
        perm[k] = (const uint8_t *)memchr(o->label, order[k], (size_t)o->count) - o->label;
        same &= perm[k] == k;
    }
    if (!same)
        o->v = emit(w->e, "Transpose", ints_text(text, "perm", o->count, perm), 1, o->v);
    memmove(o->label, order, (size_t)o->count);
}

static void sum_away(struct work *w, struct operand *o, int at)
{
    const int64_t axis = at;

    o->v = emit(w->e, "ReduceSum", "keepdims=0", 2, o->v, emit_ints(w->e, 1, &axis));
    memmove(o->label + at, o->label + at + 1, (size_t)(o->count - at - 1));
    o->count--;
}

/* 0, 1, 2 ... along dimension `at` of as many as the operand has. */
static struct value *count_along(struct work *w, const struct operand *o, int at)
{
    struct emitter *e = w->e;
    const int64_t index = at;
    struct value *size = emit(e, "Gather", "axis=0", 2, emit(e, "Shape", "", 1, o->v), emit_scalar(e, I64, (double)at));
    int64_t others[MAX_RANK];
    int n = 0;

    for (int d = 0; d < o->count; d++)
        if (d != index)
            others[n++] = d;
    size = emit(e, "Range", "", 3, emit_scalar(e, I64, 0), size, emit_scalar(e, I64, 1));
    return emit(e, "Unsqueeze", "", 2, size, emit_ints(e, n, others));
}

/* Dimensions `at` and `again` have one label: all but their diagonal becomes 0, and one of them is summed. */
static void take_diagonal(struct work *w, struct operand *o, int at, int again)
{
    struct emitter *e = w->e;
    struct value *zero = emit(e, "CastLike", "", 2, emit_scalar(e, F32, 0), o->v);
    struct value *both = emit(e, "Equal", "", 2, count_along(w, o, at), count_along(w, o, again));

    o->v = emit(e, "Where", "", 3, both, o->v, zero);
    sum_away(w, o, again);
}

/* Each label once; those that nothing else needs are summed. */
static void reduce_operand(struct work *w, struct operand *o)
{
    for (int k = 0; k < o->count; k++)
        for (int again = o->count - 1; again > k; again--)
            if (o->label[again] == o->label[k])
                take_diagonal(w, o, k, again);
    for (int k = o->count - 1; k >= 0; k--)
        if (w->uses[o->label[k]] == 1)
            sum_away(w, o, k);
}

/* -- a product of two operands -- */

struct roles { /* of the labels of two operands */
    struct operand batch, left, right, summed;
};

static void add_role(struct operand *role, int label)
{
    role->label[role->count++] = (uint8_t)label;
}

static struct roles roles_of(const struct work *w, const struct operand *a, const struct operand *b)
{
    struct roles r = { .batch.count = 0 };

    for (int k = 0; k < a->count; k++)
        if (!has(b, a->label[k]))
            add_role(&r.left, a->label[k]);
        else if (w->uses[a->label[k]] > 2)
            add_role(&r.batch, a->label[k]);
        else
            add_role(&r.summed, a->label[k]);
    for (int k = 0; k < b->count; k++)
        if (!has(a, b->label[k]))
            add_role(&r.right, b->label[k]);
    return r;
}

static void order_of(uint8_t *order, const struct operand *first, const struct operand *second,
                     const struct operand *third)
{
    memcpy(order, first->label, (size_t)first->count);
    memcpy(order + first->count, second->label, (size_t)second->count);
    memcpy(order + first->count + second->count, third->label, (size_t)third->count);
}

static struct value *sizes(struct work *w, struct value *v, int from, int count)
{
    char text[48];

    snprintf(text, sizeof text, "start=%d end=%d", from, from + count);
    return emit(w->e, "Shape", text, 1, v);
}

/* Dimensions from `from` on as two: of `first` and of `second` that there are. */
static struct value *merged(struct work *w, struct value *v, int from, int first, int second)
{
    struct emitter *e = w->e;
    struct value *shape;

    if (first == 1 && second == 1)
        return v;
    shape = emit(e, "Concat", "axis=0", 3, sizes(w, v, 0, from),
                 emit(e, "ReduceProd", "keepdims=1", 1, sizes(w, v, from, first)),
                 emit(e, "ReduceProd", "keepdims=1", 1, sizes(w, v, from + first, second)));
    return emit(e, "Reshape", "allowzero=1", 2, v, shape);
}

/* Where nothing is summed: each of the one by each of the other. */
static struct value *outer_product(struct work *w, const struct roles *r, struct value *a, struct value *b)
{
    int64_t axes[MAX_RANK];

    if (r->batch.count + r->left.count + r->right.count > MAX_RANK) {
        too_many(w, r->batch.count + r->left.count + r->right.count);
        return NULL;
    }
    for (int k = 0; k < r->right.count; k++)
        axes[k] = r->batch.count + r->left.count + k;
    if (r->right.count)
        a = emit(w->e, "Unsqueeze", "", 2, a, emit_ints(w->e, r->right.count, axes));
    for (int k = 0; k < r->left.count; k++)
        axes[k] = r->batch.count + k;
    if (r->left.count)
        b = emit(w->e, "Unsqueeze", "", 2, b, emit_ints(w->e, r->left.count, axes));
    return emit(w->e, "Mul", "", 2, a, b);
}

/* Of matrices [batch, left, summed] and [batch, summed, right]. Without batches any number of dimensions may be left. */
static struct value *matrix_product(struct work *w, const struct roles *r, struct value *a, struct value *b)
{
    const int batch = r->batch.count, left = r->left.count, right = r->right.count, summed = r->summed.count;
    struct emitter *e = w->e;
    const bool as_they_are = !batch && left > 1 && summed == 1;
    struct value *y = emit(e, "MatMul", "", 2, as_they_are ? a : merged(w, a, batch, left, summed),
                           merged(w, b, batch, summed, right));

    if (right == 1 && (left == 1 || as_they_are))
        return y;
    return emit(e, "Reshape", "allowzero=1", 2, y,
                emit(e, "Concat", "axis=0", 3, sizes(w, y, 0, batch), sizes(w, a, batch, left),
                     sizes(w, b, batch + summed, right)));
}

/* a becomes their product. */
static void multiply(struct work *w, struct operand *a, struct operand *b)
{
    const struct roles r = roles_of(w, a, b);
    uint8_t order[3 * MAX_RANK];

    order_of(order, &r.batch, &r.left, &r.summed);
    arrange(w, a, order);
    order_of(order, &r.batch, &r.summed, &r.right);
    arrange(w, b, order);
    a->v = r.summed.count ? matrix_product(w, &r, a->v, b->v) : outer_product(w, &r, a->v, b->v);
    order_of(order, &r.batch, &r.left, &r.right);
    a->count = r.batch.count + r.left.count + r.right.count;
    if (a->count > MAX_RANK) {
        too_many(w, a->count);
        return;
    }
    memcpy(a->label, order, (size_t)a->count);
    for (int l = 0; l < LABELS; l++) /* the two are one */
        w->uses[l] -= has(&r.batch, l) ? 1 : has(&r.summed, l) ? 2 : 0;
}

static bool take_operands(struct work *w, const struct einsum *a, struct operand *o, struct operand *out)
{
    int dots, most = 0;

    w->ellipsis = whole_ellipsis(w, a);
    for (int k = 0; k < a->terms; k++) {
        struct value *const x = with_one_dimension(w, &a->term[k], k);

        if (!count_dots(w, &a->term[k], k, &dots) || !spread(w, &a->term[k], dots, &o[k]))
            return false;
        most = dots > most ? dots : most;
        o[k].v = emit_widened(w->e, x, known_input(w->node, 0).dtype, WIDEN_INTEGERS);
        for (int l = 0; l < LABELS; l++)
            w->uses[l] += has(&o[k], l);
    }
    if (!spread(w, &a->out, most, out))
        return false;
    for (int k = 0; k < out->count; k++)
        w->uses[out->label[k]]++;
    return true;
}

/* y, of so many dimensions, with those of the ellipsis again. */
static struct value *with_ellipsis(struct work *w, int at, int count, struct value *y)
{
    struct emitter *e = w->e;

    if (!w->ellipsis || at < 0)
        return y;
    return emit(e, "Reshape", "allowzero=1", 2, y,
                emit(e, "Concat", "axis=0", 3, sizes(w, y, 0, at), w->ellipsis, sizes(w, y, at + 1, count - at - 1)));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct einsum *const a = n->attrs;
    struct work w = { .e = e, .node = n };
    struct operand *const o = emit_alloc(e, (size_t)a->terms * sizeof *o), result;

    if (!o || !take_operands(&w, a, o, &result))
        return false;
    reduce_operand(&w, &o[0]);
    for (int k = 1; k < a->terms && !w.failed; k++) {
        reduce_operand(&w, &o[k]);
        multiply(&w, &o[0], &o[k]);
        reduce_operand(&w, &o[0]);
    }
    if (w.failed || e->failed)
        return false;
    arrange(&w, &o[0], result.label);
    o[0].v = with_ellipsis(&w, a->out.ellipsis, result.count, o[0].v);
    out[0] = emit_narrowed(e, o[0].v, n->in[0], known_input(n, 0).dtype, WIDEN_INTEGERS);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3] f32[3,4]", "equation='ij,jk->ik'", "f32[2,4]", 3 },
    { "f64[2,3] f64[3,4]", "equation='ij, jk'", "f64[2,4]", 3 },
    { "f64[2,3,4] f64[2,5,4]", "equation='bij,bkj->bik'", "f64[2,3,5]", 3 },
    { "f64[2,5,3,4] f64[2,6,3,4]", "equation='aecd,abcd->acbe'", "f64[2,3,6,5]", 3 },
    { "f64[2,3,4] f64[4,5,6]", "equation='abc,cde->abde'", "f64[2,3,5,6]", 3 },
    { "f64[2,3,4,5] f64[4,5,6]", "equation='abcd,cde->abe'", "f64[2,3,6]", 3 },
    { "f64[2,3,4,5] f64[2,4,5,3]", "equation='abcd,acdb->ca'", "f64[4,2]", 3 },
    { "f64[3,3]", "equation='ii->i'", "f64[3]", 1 },
    { "f64[3,3]", "equation='ii'", "f64[]", 1 },
    { "f64[2,3,3,2,3]", "equation='ijjij->ji'", "f64[3,2]", 1 },
    { "f64[2,3,4]", "equation='cab->abc'", "f64[3,4,2]", 1 },
    { "f64[2,3,4]", "equation='abc->b'", "f64[3]", 1 },
    { "f64[2,3]", "equation='Ba'", "f64[2,3]", 1 },
    { "f64[2,3]", "equation='bA'", "f64[3,2]", 1 },
    { "f64[2,3,4]", "equation='...i->...'", "f64[2,3]", 1 },
    { "f64[2,3,4] f64[2,4,5]", "equation='...ij,...jk'", "f64[2,3,5]", 3 },
    { "f64[2,1,3,4] f64[5,4,6]", "equation='...ij,...jk->...ik'", "f64[2,5,3,6]", 3 },
    { "f64[2,3] f64[]", "equation='...,...->...'", "f64[2,3]", 3 },
    { "f64[2,3,4] f64[3]", "equation='i...j,k->j...ki'", "f64[4,3,3,2]", 3 },
    { "f64[3] f64[3]", "equation='i,i->'", "f64[]", 3 },
    { "f64[3] f64[4]", "equation='i,j'", "f64[3,4]", 3 },
    { "f64[2,3] f64[2,3]", "equation='ij,ij->ij'", "f64[2,3]", 3 },
    { "f64[2,3] f64[4,5]", "equation='ij,kl->il'", "f64[2,5]", 3 },
    { "f64[2,3] f64[3,4] f64[4,5]", "equation='ij,jk,kl->il'", "f64[2,5]", 7 },
    { "f64[2,3] f64[2,4] f64[2,5] f64[]", "equation='bi,bj,bk,->bijk'", "f64[2,3,4,5]", 15 },
    { "f64[3,3] f64[3] f64[3]", "equation='ii,i,i->i'", "f64[3]", 7 },
    { "f32[0,3] f32[3,4]", "equation='ij,jk->ik'", "f32[0,4]", 0 },
    { "f32[2,0] f32[0,4,5]", "equation='ij,jkl->ikl'", "f32[2,4,5]", 0 },
    { "f16[2,3] f16[3,4]", "equation='ij,jk->ik'", "f16[2,4]", 0 },
    { "i8[2,3] i8[3,4]", "equation='ij,jk->ik'", "i8[2,4]", 0 },
    { "i64[3,3]", "equation='ii->i'", "i64[3]", 0 },
    { "u16[2,3]", "equation='ij->j'", "u16[3]", 0 },
    { 0 },
};

static const struct op_case cases_28[] = {
    { "f64[2,3,4]", "equation='abc->b'", "f64[3]", 1 },
    { "bf16[2,3] bf16[2,3]", "equation='ij,ij->i'", "bf16[2]", 0 },
    { "bf16[2,3] bf16[3,4]", "equation='ij,jk->ik'", "bf16[2,4]", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T Inputs... -> T Output", .types = "T: " list,                                 \
        .attrs_size = sizeof(struct einsum), .parse = parse, .expand = expand, .cases = tests                          \
    }

const struct op op_einsum = {
    .name = "Einsum",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "floats bf16 ints uints", cases_28),
                                     ROW(12, "floats ints uints", cases),
                                     { 0 } },
};
