#include "ops/recurrent_spelled.h"
#include "ops/expansion.h"
#include "ops/move.h"
#include <stdio.h>
#include <string.h>

enum { X, W, R, B, LENGTHS, H0 };                 /* inputs */
enum { MOST_UNROLLED = 1 << 12, MOST_PARTS = 8 }; /* steps of all directions */

/* -- cells -- */

static struct value *activated(struct emitter *e, const struct activation *a, enum dtype dtype, struct value *x)
{
    static const char *const plain[] = { [ACT_RELU] = "Relu",
                                         [ACT_TANH] = "Tanh",
                                         [ACT_SIGMOID] = "Sigmoid",
                                         [ACT_LEAKY_RELU] = "LeakyRelu",
                                         [ACT_THRESHOLDED_RELU] = "ThresholdedRelu",
                                         [ACT_HARD_SIGMOID] = "HardSigmoid",
                                         [ACT_ELU] = "Elu",
                                         [ACT_SOFTSIGN] = "Softsign",
                                         [ACT_SOFTPLUS] = "Softplus" };
    char attrs[80] = "";

    switch (a->kind) {
    case ACT_AFFINE:
        return emit(e, "Add", "", 2, emit(e, "Mul", "", 2, x, emit_scalar(e, dtype, a->alpha)),
                    emit_scalar(e, dtype, a->beta));
    case ACT_SCALED_TANH:
        x = emit(e, "Tanh", "", 1, emit(e, "Mul", "", 2, x, emit_scalar(e, dtype, a->beta)));
        return emit(e, "Mul", "", 2, x, emit_scalar(e, dtype, a->alpha));
    case ACT_HARD_SIGMOID:
        snprintf(attrs, sizeof attrs, "alpha=%.9e beta=%.9e", a->alpha, a->beta);
        break;
    case ACT_LEAKY_RELU:
    case ACT_THRESHOLDED_RELU:
    case ACT_ELU:
        snprintf(attrs, sizeof attrs, "alpha=%.9e", a->alpha);
        break;
    default:
        break;
    }
    return emit(e, plain[a->kind], attrs, 1, x);
}

struct value *emit_gate(struct emitter *e, const struct cell *c, int activation, struct value *x)
{
    if (c->r->clip > 0)
        x = emit(e, "Clip", "", 3, x, emit_scalar(e, c->compute, -c->r->clip), emit_scalar(e, c->compute, c->r->clip));
    return activated(e, &c->act[activation], c->compute, x);
}

bool emit_parts(struct emitter *e, struct value *x, int count, struct value **parts)
{
    char attrs[48];

    if (count == 1) {
        parts[0] = x;
        return x;
    }
    snprintf(attrs, sizeof attrs, "axis=-1 num_outputs=%d", count);
    return emit_many(e, "Split", attrs, count, parts, 1, &x);
}

/* -- all steps -- */

struct unrolling {
    struct emitter *e;
    const struct unrolled *u;
    const struct recurrent *r;
    const struct tensor *const *in;
    struct recurrent_plan p;
    struct value *x;                /* [steps, batch, inputs] */
    struct value *of[MOST_PARTS];   /* the other inputs, in the type of computation */
    struct value *lengths;          /* [batch, 1] */
    struct value **y;               /* by step, of a direction: [1, batch, hidden] */
    struct value *last[MAX_STATES]; /* at the end of a direction: [batch, hidden] */
};

/* What a direction has of an input. */
static struct value *own(struct unrolling *a, int k, int direction)
{
    return a->of[k] ? emit(a->e, "Gather", "axis=0", 2, a->of[k], emit_scalar(a->e, I64, direction)) : NULL;
}

/* An initial state: given, [directions, batch, hidden] or with layout 1 [batch, directions, hidden], or 0. */
static struct value *initial(struct unrolling *a, int k, int direction)
{
    const int64_t dims[] = { a->p.batch, a->p.hidden };

    if (!a->of[k])
        return emit_zeros(a->e, a->p.compute, 2, dims);
    return emit(a->e, "Gather", a->r->batch_first ? "axis=1" : "axis=0", 2, a->of[k],
                emit_scalar(a->e, I64, direction));
}

/* What comes in to all steps through W and the biases, [steps, batch, gates * hidden]. */
static struct value *from_x(struct unrolling *a, int direction, struct value **last_bias)
{
    struct emitter *e = a->e;
    struct value *x = emit(e, "MatMul", "", 2, a->x, emit(e, "Transpose", "", 1, own(a, W, direction)));
    struct value *bias = own(a, B, direction), *of_r;
    const int64_t wide = a->p.wide, most = wide - (a->u->own_last_bias ? a->p.hidden : 0);

    *last_bias = NULL;
    if (!bias)
        return x;
    of_r = emit_slice(e, bias, 0, wide, wide + most, 1);
    bias = emit_slice(e, bias, 0, 0, wide, 1);
    if (most < wide) {
        *last_bias = emit_slice(e, own(a, B, direction), 0, wide + most, 2 * wide, 1);
        of_r = emit(e, "Concat", "axis=0", 2, of_r, emit_zeros(e, a->p.compute, 1, &a->p.hidden));
    }
    return emit(e, "Add", "", 2, x, emit(e, "Add", "", 2, bias, of_r));
}

/* Past the end of a sequence the states stay, and Y is 0. */
static void end_step(struct unrolling *a, struct cell *c, struct value *const *before, int64_t step)
{
    struct emitter *e = a->e;
    struct value *goes = NULL;

    a->y[step] = c->state[0];
    if (a->lengths) {
        goes = emit(e, "Less", "", 2, emit_scalar(e, I64, (double)step), a->lengths);
        a->y[step] = emit(e, "Where", "", 3, goes, a->y[step], emit_scalar(e, a->p.compute, 0));
        for (int k = 0; k < a->u->states; k++)
            c->state[k] = emit(e, "Where", "", 3, goes, c->state[k], before[k]);
    }
    a->y[step] = emit_unsqueezed(e, a->y[step], 0);
}

static bool direction_of(struct unrolling *a, const void *attrs, int direction)
{
    const bool reverse = a->r->reverse || direction == 1;
    struct emitter *e = a->e;
    struct cell c = { .r = a->r, .act = a->r->act + direction * (a->u->gates == 4 ? 3 : a->u->gates == 3 ? 2 : 1) };
    struct value *x = from_x(a, direction, &c.bias);

    c.attrs = attrs;
    c.compute = a->p.compute;
    c.gates = a->u->gates;
    c.weights = emit(e, "Transpose", "", 1, own(a, R, direction));
    if (a->u->peepholes >= 0 && a->of[a->u->peepholes])
        emit_parts(e, own(a, a->u->peepholes, direction), 3, c.peephole);
    for (int k = 0; k < a->u->states; k++)
        c.state[k] = initial(a, H0 + k, direction);
    for (int64_t k = 0; k < a->p.steps && !e->failed; k++) {
        const int64_t step = reverse ? a->p.steps - 1 - k : k;
        struct value *before[MAX_STATES];

        memcpy(before, c.state, sizeof before);
        emit_parts(e, emit(e, "Gather", "axis=0", 2, x, emit_scalar(e, I64, (double)step)), c.gates, c.x);
        a->u->cell(e, &c);
        end_step(a, &c, before, step);
    }
    memcpy(a->last, c.state, sizeof a->last);
    return !e->failed;
}

/* In the operator's own type. */
static struct value *finished(struct unrolling *a, struct value *v)
{
    return a->in[X]->dtype == a->p.compute ? v : emit_cast(a->e, v, a->in[X]->dtype);
}

/* Y, then the last states, with the directions where they belong. */
static void results(struct unrolling *a, struct value **y, struct value *(*last)[MAX_STATES], struct retraced *r)
{
    struct emitter *e = a->e;
    struct value *all[2];

    if (a->p.steps && emit_many(e, "Concat", "axis=1", 1, &r->y[0], a->r->directions, y)) {
        if (a->r->batch_first)
            r->y[0] = emit(e, "Transpose", "perm=[2,0,1,3]", 1, r->y[0]);
    } else {
        r->y[0] = emit_zeros(e, a->p.compute, 4, (int64_t[]){ 0, a->r->directions, a->p.batch, a->p.hidden });
    }
    for (int k = 0; k < a->u->states; k++) {
        const int axis = a->r->batch_first;

        for (int d = 0; d < a->r->directions; d++)
            all[d] = emit_unsqueezed(e, last[d][k], axis);
        emit_many(e, "Concat", axis ? "axis=1" : "axis=0", 1, &r->y[1 + k], a->r->directions, all);
    }
    r->count = 1 + a->u->states;
    for (int k = 0; k < r->count; k++) {
        r->y[k] = finished(a, r->y[k]);
        r->dy[k] = a->u->inputs + 1 + k;
    }
}

static bool unroll(struct unrolling *a, const void *attrs, struct retraced *r)
{
    struct emitter *e = a->e;
    struct value *y[2], *last[2][MAX_STATES];
    const int64_t column = 1;

    if (a->lengths)
        a->lengths = emit(e, "Unsqueeze", "", 2, emit_cast(e, a->lengths, I64), emit_ints(e, 1, &column));
    for (int d = 0; d < a->r->directions; d++) {
        a->y = emit_alloc(e, (size_t)a->p.steps * sizeof *a->y);
        if (!a->y || !direction_of(a, attrs, d))
            return false;
        memcpy(last[d], a->last, sizeof last[d]);
        if (a->p.steps && emit_many(e, "Concat", "axis=0", 1, &y[d], (int)a->p.steps, a->y))
            y[d] = emit_unsqueezed(e, y[d], 1);
    }
    results(a, y, last, r);
    return !e->failed;
}

bool recurrent_retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                       const struct unrolled *u, int grads, const int *gives, struct retraced *r)
{
    struct unrolling a = { .e = e, .u = u, .r = n->attrs, .in = in };

    a.p = recurrent_plan(a.r, u->gates, in[X], in[R]);
    if (a.p.steps > MOST_UNROLLED / a.r->directions)
        return expand_error(e, n, KILN_UNSUPPORTED,
                            "a gradient of a gradient goes through %lld steps, at most %d are supported",
                            (long long)a.p.steps, MOST_UNROLLED / a.r->directions);
    for (int k = 0; k < u->inputs; k++)
        a.of[k] = !x[k] || k == LENGTHS || in[k]->dtype == a.p.compute ? x[k] : emit_cast(e, x[k], a.p.compute);
    a.lengths = x[LENGTHS];
    a.x = a.r->batch_first ? emit(e, "Transpose", "perm=[1,0,2]", 1, a.of[X]) : a.of[X];
    for (int k = 0; k < grads; k++)
        r->wrt[k] = x[gives[k]];
    return unroll(&a, n->attrs, r);
}
