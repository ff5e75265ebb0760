#include "ops/label_loss.h"
#include "kernels/formula.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/registry.h"
#include <math.h>
#include <string.h>

struct loss_job {
    int64_t batch, classes, inner;
    enum loss_reduction reduction;
    bool ignores, softmax;
    int64_t ignore_index;
    const int64_t *labels;
    double sum, weights;
    void *scales, *dx;
};

#define LOSS(f) f##_f32
#define T       float
#include "ops/label_loss_body.h"

#define LOSS(f) f##_f64
#define T       double
#include "ops/label_loss_body.h"
#include "ops/rank.h"
#include "ops/widen.h"

/* -- read -- */

bool loss_parse(struct parse *p, struct loss_attrs *a)
{
    static const char *const names[] = { "none", "sum", "mean", NULL };

    a->reduction = (enum loss_reduction)attr_choice(p, "reduction", names, LOSS_MEAN);
    a->ignores = attr_given(p, "ignore_index");
    a->ignore_index = attr_int(p, "ignore_index", 0);
    return true;
}

/* -- plan -- */

static struct loss_job job_of(const struct loss_attrs *a, const struct tensor *x)
{
    return (struct loss_job){ .batch = x->dims[0],
                              .classes = x->dims[1],
                              .inner = dims_product(x->dims, 2, x->rank),
                              .reduction = a->reduction,
                              .ignores = a->ignores,
                              .ignore_index = a->ignore_index,
                              .softmax = a->softmax };
}

int loss_rank(const struct node *n, int k)
{
    const struct loss_attrs *a = n->attrs;

    return k ? rank_of_input(n, k) : a->reduction == LOSS_NONE ? known_input(n, LOSS_TARGET).rank : 0;
}

bool loss_infer(struct infer *i)
{
    const struct loss_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, LOSS_INPUT), *t = typed_in(i, LOSS_TARGET), *w = typed_in(i, LOSS_WEIGHT);
    bool fits = x->rank >= 2 && t->rank == x->rank - 1 && t->dims[0] == x->dims[0];

    for (int d = 2; fits && d < x->rank; d++)
        fits = t->dims[d - 1] == x->dims[d];
    if (!fits) {
        char input[TYPE_TEXT], target[TYPE_TEXT];

        return infer_error(i, "the labels are %s, must have the dimensions of the input, %s, without its classes",
                           tensor_text(t, target), tensor_text(x, input));
    }
    if (w && (w->rank != 1 || w->dims[0] != x->dims[1]))
        return infer_error(i, "the weights must have shape [%lld], one for each class", (long long)x->dims[1]);
    return set_out(i, 0, x->dtype, a->reduction == LOSS_NONE ? t->rank : 0, t->dims);
}

static size_t labels_bytes(const struct tensor *t)
{
    return t->dtype == I64 ? 0 : aligned((size_t)tensor_count(t) * sizeof(int64_t));
}

size_t loss_scratch(struct infer *i)
{
    const enum dtype compute = dtype_compute(typed_in(i, LOSS_INPUT)->dtype);

    return labels_bytes(typed_in(i, LOSS_TARGET)) + compute_bytes(typed_in(i, LOSS_WEIGHT), compute) +
           compute_bytes(typed_out(i, 0), compute);
}

/* -- run -- */

/* The labels as int64, each a class or to be ignored. */
static bool read_labels(struct step *s, struct loss_job *j, const struct tensor *t, char **scratch)
{
    const int64_t count = tensor_count(t);

    j->labels = t->data;
    if (t->dtype != I64) {
        convert_between(t->dtype, I64)(t->data, *scratch, count);
        j->labels = (const int64_t *)(void *)*scratch;
        *scratch += labels_bytes(t);
    }
    for (int64_t k = 0; k < count; k++)
        if ((j->labels[k] < 0 || j->labels[k] >= j->classes) && !(j->ignores && j->labels[k] == j->ignore_index))
            return step_error(s, "label %lld at position %lld is out of range, must be in [0, %lld)",
                              (long long)j->labels[k], (long long)k, (long long)j->classes);
    return true;
}

bool loss_run(struct step *s, const void *log_prob, char *scratch)
{
    const enum dtype compute = dtype_compute(s->in[LOSS_INPUT]->dtype);
    struct loss_job j = job_of(s->attrs, s->in[LOSS_INPUT]);
    const void *w;
    double result;
    void *each;

    if (!read_labels(s, &j, s->in[LOSS_TARGET], &scratch))
        return false;
    if (!s->out[0])
        return true;
    w = compute_in(s->in[LOSS_WEIGHT], compute, &scratch);
    each = compute_out(s->out[0], compute, &scratch);
    (compute == F64 ? forward_f64 : forward_f32)(&j, log_prob, w, j.reduction == LOSS_NONE ? each : NULL);
    if (j.reduction == LOSS_NONE) {
        compute_store(s->out[0], compute, each);
        return true;
    }
    result = j.reduction == LOSS_MEAN ? j.sum / j.weights : j.sum;
    convert_floats(F64, &result, s->out[0]->dtype, s->out[0]->data, 1);
    return true;
}

/* -- differentiate -- */

enum { GRAD_Y = LOSS_WEIGHT + 1, GRAD_WANTS = 2 }; /* input: dL/d(loss); how many outputs there are */

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, LOSS_INPUT), *t = typed_in(i, LOSS_TARGET), *w = typed_in(i, LOSS_WEIGHT);
    const enum dtype compute = dtype_compute(x->dtype);
    size_t bytes = labels_bytes(t) + aligned((size_t)tensor_count(t) * dtype_size(compute)) +
                   aligned((size_t)x->dims[1] * sizeof(double)) + compute_bytes(x, compute) * 2;

    bytes += compute_bytes(w, compute) + compute_bytes(typed_in(i, GRAD_Y), compute);
    need_scratch(i, bytes);
    return set_out(i, 0, x->dtype, x->rank, x->dims) && (!w || set_out(i, 1, w->dtype, w->rank, w->dims));
}

struct exponentials {
    const struct kernels *k;
    const float *x;
    float *y;
    int64_t n;
};

enum { EXPONENTIALS = JOB_ELEMENTS / 2 }; /* of a piece of work */

static void exponentials_of_chunk(void *context, int64_t chunk, int thread)
{
    const struct exponentials *e = context;
    const int64_t from = chunk * EXPONENTIALS;

    (void)thread;
    formula_of_1(formula_of(&op_exp), e->k, (struct numbers){ 0 }, e->x + from, e->y + from,
                 lesser(EXPONENTIALS, e->n - from));
}

/* dx by way of exp(log_prob), image by image; all in one piece where they are small. */
static void spread(struct step *s, struct loss_job *j, enum dtype compute, const void *log_prob)
{
    void (*const image)(void *, int64_t, int) = compute == F64 ? image_f64 : image_f32;
    const int64_t count = j->batch * j->classes * j->inner;

    if (j->softmax && compute == F32)
        pool_run(count < JOB_ELEMENTS ? NULL : s->pool, divide_up(count, EXPONENTIALS), exponentials_of_chunk,
                 &(struct exponentials){ s->k, log_prob, j->dx, count });
    for (int64_t k = 0; j->softmax && compute == F64 && k < count; k++)
        ((double *)j->dx)[k] = exp(((const double *)log_prob)[k]);
    if (j->classes * j->inner >= 4096)
        pool_run(s->pool, j->batch, image, j);
    else
        for (int64_t n = 0; n < j->batch; n++)
            image(j, n, 0);
}

static bool grad_run(struct step *s)
{
    const enum dtype compute = dtype_compute(s->in[LOSS_INPUT]->dtype);
    struct loss_job j = job_of(s->attrs, s->in[LOSS_INPUT]);
    char *scratch = s->scratch;
    const void *log_prob, *w, *dy;
    double *dw;

    if (!read_labels(s, &j, s->in[LOSS_TARGET], &scratch))
        return false;
    log_prob = compute_in(s->in[LOSS_INPUT], compute, &scratch);
    w = compute_in(s->in[LOSS_WEIGHT], compute, &scratch);
    dy = compute_in(s->in[GRAD_Y], compute, &scratch);
    dw = (double *)(void *)scratch;
    scratch += aligned((size_t)j.classes * sizeof(double));
    j.scales = scratch;
    scratch += aligned((size_t)(j.batch * j.inner) * dtype_size(compute));
    memset(dw, 0, (size_t)j.classes * sizeof *dw);
    if (j.reduction == LOSS_MEAN)
        (compute == F64 ? forward_f64 : forward_f32)(&j, log_prob, w, NULL);
    (compute == F64 ? scales_f64 : scales_f32)(&j, log_prob, w, dy, j.scales, s->out[1] ? dw : NULL);
    if (s->out[1])
        convert_floats(F64, dw, s->out[1]->dtype, s->out[1]->data, j.classes);
    if (s->out[0]) {
        j.dx = compute_out(s->out[0], compute, &scratch);
        spread(s, &j, compute, log_prob);
        compute_store(s->out[0], compute, j.dx);
    }
    return true;
}

/* Which labels count, 1 for each class and label where it is that, in the type of computation; 0 where it is ignored. */
static struct value *label_classes(struct emitter *e, const struct loss_attrs *a, struct value *labels,
                                   const struct tensor *t, int64_t classes, enum dtype compute)
{
    const int64_t axis = 1;
    struct value *ignored = NULL, *one;

    if (t->dtype != I64)
        labels = emit_cast(e, labels, I64);
    if (a->ignores) { /* the index may be no class */
        ignored = emit(e, "Equal", "", 2, labels, emit_reshape(e, emit_ints(e, 1, &a->ignore_index), 0, NULL));
        labels = emit(e, "Where", "", 3, ignored, emit_scalar(e, I64, 0), labels);
    }
    one = emit(e, "OneHot", "axis=1", 3, labels, emit_scalar(e, I64, (double)classes),
               emit_cast(e, emit_ints(e, 2, (int64_t[]){ 0, 1 }), compute));
    if (!ignored)
        return one;
    ignored = emit(e, "Unsqueeze", "", 2, ignored, emit_ints(e, 1, &axis));
    return emit(e, "Where", "", 3, ignored, emit_scalar(e, compute, 0), one);
}

/* What a mean is divided by, the weights of all labels; 1 where none counts, so that nothing flows. */
static struct value *label_weights(struct emitter *e, const struct loss_attrs *a, struct value *one,
                                   struct value *weighted, enum dtype compute)
{
    struct value *sum = emit(e, "ReduceSum", "keepdims=0", 1, weighted), *none;

    if (!a->ignores)
        return sum;
    none = emit(e, "Equal", "", 2, emit(e, "ReduceSum", "keepdims=0", 1, one), emit_scalar(e, compute, 0));
    return emit(e, "Where", "", 3, none, emit_scalar(e, compute, 1), sum);
}

struct spelled_loss { /* in the type of computation */
    struct value *log_prob, *one, *weighted, *sum, *scale;
};

/* dweight, the sum over labels of -one * (log_prob - mean of log_prob, where the loss is a mean) * s. What is no label's may be
 * -infinity. */
static struct value *weight_gradient(struct emitter *e, const struct spelled_loss *l, const struct tensor *x,
                                     enum dtype compute)
{
    int64_t axes[MAX_RANK] = { 0 };
    struct value *p = emit(e, "Where", "", 3, emit_cast(e, l->one, BOOL), l->log_prob, emit_scalar(e, compute, 0));

    for (int d = 2; d < x->rank; d++)
        axes[d - 1] = d;
    if (l->sum) {
        struct value *all = emit(e, "ReduceSum", "keepdims=0", 1, emit(e, "Mul", "", 2, l->weighted, p));

        p = emit(e, "Sub", "", 2, p, emit(e, "Div", "", 2, all, l->sum));
    }
    p = emit(e, "Mul", "", 2, emit(e, "Mul", "", 2, l->one, p), l->scale);
    return emit(e, "Neg", "", 1, emit(e, "ReduceSum", "keepdims=0", 2, p, emit_ints(e, x->rank - 1, axes)));
}

/* The gradient, with s = dloss, divided by the sum of weights where the loss is a mean, and each label as `one` of its
 * classes: dlog_prob = -one * weight * s, dscores = dlog_prob - exp(log_prob) * sum over classes of dlog_prob. */
static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct loss_attrs *a = n->attrs;
    const struct tensor *x = in[LOSS_INPUT];
    const enum dtype compute = dtype_compute(x->dtype);
    struct value *const classes = emit_ints(e, 1, &(int64_t){ 1 });
    struct spelled_loss l = { .log_prob = emit_widened(e, n->in[LOSS_INPUT], x->dtype, WIDEN_HALVES),
                              .scale = emit_widened(e, n->in[GRAD_Y], x->dtype, WIDEN_HALVES) };
    int64_t dims[MAX_RANK];

    for (int d = 0; d < x->rank; d++)
        dims[d] = d == 1 ? x->dims[1] : 1;
    l.one = l.weighted = label_classes(e, a, n->in[LOSS_TARGET], in[LOSS_TARGET], x->dims[1], compute);
    if (in[LOSS_WEIGHT])
        l.weighted = emit(e, "Mul", "", 2, l.one,
                          emit_reshape(e, emit_widened(e, n->in[LOSS_WEIGHT], x->dtype, WIDEN_HALVES), x->rank, dims));
    if (a->reduction == LOSS_NONE)
        l.scale = emit(e, "Unsqueeze", "", 2, l.scale, classes);
    if (a->reduction == LOSS_MEAN) {
        l.sum = label_weights(e, a, l.one, l.weighted, compute);
        l.scale = emit(e, "Div", "", 2, l.scale, l.sum);
    }
    out[0] = emit(e, "Neg", "", 1, emit(e, "Mul", "", 2, l.weighted, l.scale));
    if (a->softmax)
        out[0] = emit(
            e, "Sub", "", 2, out[0],
            emit(e, "Mul", "", 2, emit(e, "Exp", "", 1, l.log_prob), emit(e, "ReduceSum", "", 2, out[0], classes)));
    out[0] = emit_narrowed(e, out[0], n->in[LOSS_INPUT], x->dtype, WIDEN_HALVES);
    if (in[LOSS_WEIGHT])
        out[1] = emit_narrowed(e, weight_gradient(e, &l, x, compute), n->in[LOSS_WEIGHT], x->dtype, WIDEN_HALVES);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "LabelLossGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T log_prob, I labels, T weight?, T dloss -> T dX?, T dweight?",
              .types = "T: floats bf16; I: i32 i64",
              .attrs_size = sizeof(struct loss_attrs),
              .spell_out = spell_out,
              .infer = grad_infer,
              .run = grad_run,
              .no_gradient = "it is spelled out" },
            { 0 },
        },
};

bool loss_gradient(struct backward *b, struct value *log_prob)
{
    struct value *d[GRAD_WANTS];
    struct value *const in[] = { log_prob, forward_in(b, LOSS_TARGET),
                                 type_in(b, LOSS_WEIGHT) ? forward_in(b, LOSS_WEIGHT) : NULL, upstream(b, 0) };
    const bool want[] = { wants(b, LOSS_INPUT), type_in(b, LOSS_WEIGHT) && wants(b, LOSS_WEIGHT) };

    emit_private(emitter_of(b), &op_grad, attrs_of(b), GRAD_WANTS, d, want, GRAD_Y + 1, in);
    give(b, LOSS_INPUT, d[0]);
    if (want[1])
        give(b, LOSS_WEIGHT, d[1]);
    return backward_ok(b);
}
