#include "train/loss.h"
#include "ops/move.h"
#include "ops/registry.h"
#include "ops/softmax.h"
#include "train/options.h"
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* -- which -- */

static const char *const names[] = { "sparse_categorical_crossentropy", "categorical_crossentropy",
                                     "binary_crossentropy", "mean_squared_error" };

const char *loss_name(enum loss_kind kind)
{
    return names[kind];
}

/* The node that makes `v`, looked at through Identity. */
static const struct node *maker(const struct value *v)
{
    while (v->producer && node_is(v->producer, &op_identity))
        v = v->producer->in[0];
    return v->producer;
}

static bool made_by(const struct value *v, const struct op *op)
{
    const struct node *n = maker(v);

    return n && node_is(n, op);
}

static bool contains(const char *s, const char *part)
{
    const size_t n = strlen(part);

    for (; *s; s++)
        if (strncasecmp(s, part, n) == 0)
            return true;
    return false;
}

/* Is the last of `rank` dimensions of `v` what a Softmax made probabilities of? It is looked for through Transpose. */
static bool made_by_softmax(const struct value *v, int rank)
{
    const struct node *n = maker(v);
    int axis = rank - 1;

    for (; n && node_is(n, &op_transpose); n = maker(n->in[0]))
        axis = transpose_from(n->attrs, rank, axis);
    return n && node_is(n, &op_softmax) && softmax_along(n->attrs, rank, axis);
}

/* What the model ends in, and what that is called. A Softmax behind a Transpose stays where it is. */
static void look(struct loss *l, struct value *out, int rank, const char **because, bool *softmax, bool *sigmoid)
{
    l->at = out;
    *softmax = made_by_softmax(out, rank);
    *sigmoid = made_by(out, &op_sigmoid);
    if (*softmax || *sigmoid) {
        l->logits = *sigmoid || made_by(out, &op_softmax);
        l->at = l->logits ? maker(out)->in[0] : out;
        *because = *softmax ? "the model ends in Softmax" : "the model ends in Sigmoid";
    } else if (contains(out->name, "logit")) {
        l->logits = true;
        *because = "the output's name says logits";
    }
}

struct asked {
    bool from_logits;
};

static bool read_spec(struct loss *l, const char *spec, struct asked *asked, struct report *r)
{
    static const struct spec_option options[] = {
        { "from_logits", true, 0, 1, true, offsetof(struct asked, from_logits) }, { 0 }
    };
    const size_t n = option_name_length(spec);
    char what[80];

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (strlen(names[k]) != n || strncmp(names[k], spec, n) != 0)
            continue;
        l->kind = (enum loss_kind)k;
        snprintf(what, sizeof what, "loss '%s'", names[k]);
        return options_read(asked, spec, options, &(struct spec_subject){ what, KILN_BAD_ARGUMENT }, r);
    }
    return fail(r, KILN_BAD_ARGUMENT, NULL, "loss '%.*s' is unknown, must be %s, %s, %s or %s", (int)(n > 60 ? 60 : n),
                spec, names[0], names[1], names[2], names[3]);
}

static bool choose_asked(struct loss *l, const char *spec, struct value *out, bool softmax, bool sigmoid,
                         struct report *r)
{
    struct asked asked = { false };
    bool own;

    if (!read_spec(l, spec, &asked, r))
        return false;
    own = l->kind == LOSS_BINARY ? sigmoid : l->kind == LOSS_SQUARED ? false : softmax;
    if (asked.from_logits && own)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "loss '%s': the output '%s' is no logits, it comes from %s",
                    loss_name(l->kind), out->name, maker(out)->op_name);
    if (!own)
        l->at = out;
    l->logits = (own && l->logits) || asked.from_logits;
    snprintf(l->said, sizeof l->said, "%s from %s, as asked", loss_name(l->kind),
             l->kind == LOSS_SQUARED ? "the output"
             : l->logits             ? "logits"
                                     : "probabilities");
    return true;
}

bool loss_choose(struct loss *l, const char *spec, struct value *out, const struct tensor *type, enum targets targets,
                 int classes, struct report *r)
{
    const int64_t last = type->rank > 0 ? type->dims[type->rank - 1] : 0;
    const char *because = NULL;
    bool softmax, sigmoid, categorical;

    *l = (struct loss){ 0 };
    look(l, out, type->rank, &because, &softmax, &sigmoid);
    if (spec)
        return choose_asked(l, spec, out, softmax, sigmoid, r);
    categorical = softmax || (l->logits && !sigmoid && last > 1);
    if (!because && targets == TARGETS_CLASSES && last > 1 && last >= classes) {
        categorical = l->logits = true;
        because = "the labels are classes";
    }
    if (categorical)
        l->kind = targets == TARGETS_CLASSES ? LOSS_SPARSE_CATEGORICAL : LOSS_CATEGORICAL;
    else
        l->kind = l->logits ? LOSS_BINARY : LOSS_SQUARED;
    snprintf(l->said, sizeof l->said, "%s%s, because %s", loss_name(l->kind), l->logits ? " from logits" : "",
             because ? because : "nothing tells that the output is a probability");
    return true;
}

struct tensor loss_labels(const struct loss *l, const struct tensor *output)
{
    struct tensor t = *output;

    t.data = NULL;
    if (l->kind == LOSS_SPARSE_CATEGORICAL) {
        t.dtype = I64;
        t.rank -= t.rank > 0;
    }
    return t;
}

/* -- arithmetic: a row of n outputs -- */

enum { OUTPUT, LABELS };          /* inputs */
enum { MEAN, CORRECT, GRADIENT }; /* outputs */
#define CLIP 1e-7

struct row {
    const float *x;   /* n outputs */
    const float *y;   /* n labels; NULL: */
    int64_t label, n; /* the class */
    float *dx;        /* NULL: not asked for */
    double scale;     /* of the gradient: 1 / rows */
};

static double target(const struct row *r, int64_t j)
{
    return r->y ? (double)r->y[j] : j == r->label ? 1 : 0;
}

static double softmax_row(const struct row *r)
{
    double top = -INFINITY, sum = 0, loss = 0, weight = 0, log_sum;

    for (int64_t j = 0; j < r->n; j++)
        top = (double)r->x[j] > top || isnan(r->x[j]) ? (double)r->x[j] : top;
    for (int64_t j = 0; j < r->n; j++)
        sum += exp((double)r->x[j] - top);
    log_sum = log(sum);
    for (int64_t j = 0; j < r->n; j++) {
        const double t = target(r, j);

        weight += t;
        if (t != 0)
            loss -= t * ((double)r->x[j] - top - log_sum);
    }
    for (int64_t j = 0; r->dx && j < r->n; j++)
        r->dx[j] = (float)((weight * exp((double)r->x[j] - top) / sum - target(r, j)) * r->scale);
    return loss;
}

static bool clipped(double *q)
{
    const bool outside = *q < CLIP || *q > 1 - CLIP;

    *q = *q < CLIP ? CLIP : *q > 1 - CLIP ? 1 - CLIP : *q;
    return outside;
}

/* With q = p / S, L = -sum t log clip(q): dL/dp_i = (dL/dq_i - sum_j dL/dq_j q_j) / S. */
static double categorical_row(const struct row *r)
{
    double sum = 0, loss = 0, back = 0;

    for (int64_t j = 0; j < r->n; j++)
        sum += (double)r->x[j];
    for (int64_t j = 0; j < r->n; j++) {
        double q = (double)r->x[j] / sum;
        const bool outside = clipped(&q);

        loss -= target(r, j) * log(q);
        back -= outside ? 0 : target(r, j);
    }
    for (int64_t j = 0; r->dx && j < r->n; j++) {
        double q = (double)r->x[j] / sum;
        const bool outside = clipped(&q);

        r->dx[j] = (float)(((outside ? 0 : -target(r, j) / q) - back) / sum * r->scale);
    }
    return loss;
}

static double binary_row(const struct row *r, bool logits)
{
    const double each = 1 / (double)r->n;
    double loss = 0;

    for (int64_t j = 0; j < r->n; j++) {
        const double z = (double)r->x[j], t = target(r, j);
        double q = z, slope;

        if (logits) {
            loss += fmax(z, 0) - z * t + log1p(exp(-fabs(z)));
            slope = 1 / (1 + exp(-z)) - t;
        } else {
            const bool outside = clipped(&q);

            loss -= t * log(q) + (1 - t) * log(1 - q);
            slope = outside ? 0 : (q - t) / (q * (1 - q));
        }
        if (isnan(z))
            loss = z;
        if (r->dx)
            r->dx[j] = (float)(slope * r->scale * each);
    }
    return loss * each;
}

static double squared_row(const struct row *r)
{
    const double each = 1 / (double)r->n;
    double loss = 0;

    for (int64_t j = 0; j < r->n; j++) {
        const double d = (double)r->x[j] - target(r, j);

        loss += d * d;
        if (r->dx)
            r->dx[j] = (float)(2 * d * r->scale * each);
    }
    return loss * each;
}

static bool row_right(const struct row *r, bool logits)
{
    int64_t best = 0, label = 0;

    if (r->n == 1)
        return (r->x[0] > (logits ? 0 : .5f)) == (target(r, 0) > .5);
    for (int64_t j = 1; j < r->n; j++) {
        best = r->x[j] > r->x[best] ? j : best;
        label = r->y && r->y[j] > r->y[label] ? j : label;
    }
    return best == (r->y ? label : r->label);
}

/* -- the node -- */

struct loss_attrs {
    enum loss_kind kind;
    bool logits;
};

enum { CHUNK = 4096 }; /* elements of a piece of work, about */

static int64_t width_of(const struct tensor *x)
{
    return x->rank ? x->dims[x->rank - 1] : 1;
}

int64_t loss_rows(const struct tensor *output)
{
    return dims_product(output->dims, 0, output->rank - (output->rank > 0));
}

static int64_t rows_of_chunk(const struct tensor *x)
{
    const int64_t width = width_of(x);

    return width < 1 || width >= CHUNK ? 1 : CHUNK / width;
}

struct part { /* of a chunk; rounded up to what vectors like */
    double loss;
    int64_t correct, bad; /* bad: a row whose label is out of range, plus 1 */
    int64_t pad;
};

static bool infer(struct infer *i)
{
    const struct loss_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, OUTPUT), *y = typed_in(i, LABELS);
    const struct loss l = { .kind = a->kind };
    const struct tensor need = loss_labels(&l, x);
    char got[TYPE_TEXT], want[TYPE_TEXT];

    if (!x->rank)
        return infer_error(i, "the output is a scalar, must have a row for each sample");
    if (!same_type(y, &need))
        return infer_error(i, "the labels are %s, must be %s", tensor_text(y, got), tensor_text(&need, want));
    if (!loss_rows(x) || !width_of(x))
        return infer_error(i, "the output is %s: there is nothing to compare", tensor_text(x, got));
    need_scratch(i, (size_t)((loss_rows(x) + rows_of_chunk(x) - 1) / rows_of_chunk(x)) * sizeof(struct part));
    return set_out(i, MEAN, F32, 0, NULL) && set_out(i, CORRECT, I64, 0, NULL) &&
           set_out(i, GRADIENT, F32, x->rank, x->dims);
}

static double row_loss(const struct loss_attrs *a, const struct row *r)
{
    switch (a->kind) {
    case LOSS_BINARY:
        return binary_row(r, a->logits);
    case LOSS_SQUARED:
        return squared_row(r);
    default:
        return a->logits ? softmax_row(r) : categorical_row(r);
    }
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct step *s = context;
    const struct loss_attrs *a = s->attrs;
    const struct tensor *x = s->in[OUTPUT];
    const int64_t n = width_of(x), rows = loss_rows(x), from = chunk * rows_of_chunk(x);
    const int64_t to = from + rows_of_chunk(x) < rows ? from + rows_of_chunk(x) : rows;
    const bool sparse = a->kind == LOSS_SPARSE_CATEGORICAL;
    struct part *p = (struct part *)s->scratch + chunk;

    (void)thread;
    *p = (struct part){ 0 };
    for (int64_t k = from; k < to; k++) {
        const struct row r = { .x = (const float *)x->data + k * n,
                               .y = sparse ? NULL : (const float *)s->in[LABELS]->data + k * n,
                               .label = sparse ? ((const int64_t *)s->in[LABELS]->data)[k] : 0,
                               .n = n,
                               .dx = s->out[GRADIENT] ? (float *)s->out[GRADIENT]->data + k * n : NULL,
                               .scale = 1 / (double)rows };

        if (r.label < 0 || r.label >= n) {
            p->bad = k + 1;
            return;
        }
        p->loss += row_loss(a, &r);
        p->correct += row_right(&r, a->logits);
    }
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[OUTPUT];
    const int64_t rows = loss_rows(x), chunks = (rows + rows_of_chunk(x) - 1) / rows_of_chunk(x);
    const struct part *parts = s->scratch;
    double loss = 0;
    int64_t correct = 0;

    pool_run(s->pool, chunks, run_chunk, s);
    for (int64_t k = 0; k < chunks; k++) {
        if (parts[k].bad)
            return step_error(s, "label %lld of sample %lld is out of range, there are %lld classes",
                              (long long)((const int64_t *)s->in[LABELS]->data)[parts[k].bad - 1],
                              (long long)((parts[k].bad - 1) / (rows / x->dims[0])), (long long)width_of(x));
        loss += parts[k].loss;
        correct += parts[k].correct;
    }
    if (s->out[MEAN])
        *(float *)s->out[MEAN]->data = (float)(loss / (double)rows);
    if (s->out[CORRECT])
        *(int64_t *)s->out[CORRECT]->data = correct;
    return true;
}

static const struct op op_loss = {
    .name = "Loss",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T output, L labels -> T mean, N correct?, T gradient?",
                                       .types = "T: f32; L: f32 i64; N: i64",
                                       .attrs_size = sizeof(struct loss_attrs),
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "is where gradients start" },
                                     { 0 } },
};

bool loss_emit(struct emitter *e, const struct loss *l, struct value *at, struct value *labels, bool gradient,
               struct loss_values *out)
{
    const bool want[] = { true, true, gradient };
    struct loss_attrs *a = emit_alloc(e, sizeof *a);
    struct value *in[] = { at, labels }, *made[3];

    if (!a)
        return false;
    a->kind = l->kind;
    a->logits = l->logits;
    if (!emit_private(e, &op_loss, a, 3, made, want, 2, in))
        return false;
    *out = (struct loss_values){ made[MEAN], made[CORRECT], made[GRADIENT] };
    return true;
}
