#include "ops/post_transform.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include <math.h>

enum post_transform post_transform_parse(struct parse *p)
{
    static const char *const names[] = { "NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT", NULL };

    return (enum post_transform)attr_choice(p, "post_transform", names, POST_NONE);
}

static double greatest(const double *scores, int64_t n)
{
    double most = -INFINITY;

    for (int64_t k = 0; k < n; k++)
        most = scores[k] > most ? scores[k] : most;
    return most;
}

static void softmax_row(double *scores, int64_t n)
{
    const double most = greatest(scores, n);
    double sum = 0;

    for (int64_t k = 0; k < n; k++)
        sum += scores[k] = exp(scores[k] - most);
    for (int64_t k = 0; k < n; k++)
        scores[k] /= sum;
}

static void softmax_zero_row(double *scores, int64_t n)
{
    const double most = greatest(scores, n);
    double sum = 0;

    for (int64_t k = 0; k < n; k++)
        if (fabs(scores[k]) <= 1e-7)
            scores[k] *= exp(-most);
        else
            sum += scores[k] = exp(scores[k] - most);
    for (int64_t k = 0; k < n; k++)
        scores[k] = sum == 0 ? .5 : scores[k] / sum;
}

static double logistic(double s)
{
    const double v = 1 / (1 + exp(-fabs(s)));

    return s < 0 ? 1 - v : v;
}

/* sqrt(2) * the inverse of erf at 2p - 1; S. Winitzki, A handy approximation for the error function and its inverse,
 * 2008. */
static double probit(double p)
{
    const double a = .147, x = 2 * p - 1, l = log((1 - x) * (1 + x)), v = 2 / (acos(-1) * a) + l / 2;
    const double y = sqrt(2 * (sqrt(v * v - l / a) - v));

    return x < 0 ? -y : y;
}

void post_transform(enum post_transform t, double *scores, int64_t n)
{
    switch (t) {
    case POST_SOFTMAX:
        softmax_row(scores, n);
        break;
    case POST_LOGISTIC:
        for (int64_t k = 0; k < n; k++)
            scores[k] = logistic(scores[k]);
        break;
    case POST_SOFTMAX_ZERO:
        softmax_zero_row(scores, n);
        break;
    case POST_PROBIT:
        for (int64_t k = 0; k < n; k++)
            scores[k] = probit(scores[k]);
        break;
    default: /* there is none */
        break;
    }
}

/* -- a node -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    int64_t bytes;

    if (!mul_size(x->dims[1], infer_threads(i) * (int64_t)sizeof(double), &bytes))
        return infer_error(i, "%lld scores are more than can be transformed", (long long)x->dims[1]);
    need_scratch(i, to_size(bytes));
    may_reuse(i, 0, 0);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

static int64_t rows_of_chunk(int64_t scores)
{
    return JOB_ELEMENTS / 8 / (scores + 1) + 1;
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct step *s = context;
    const struct tensor *x = s->in[0];
    const int64_t n = x->dims[1], each = rows_of_chunk(n), end = lesser(x->dims[0], (k + 1) * each);
    double *const scores = (double *)s->scratch + thread * n;

    for (int64_t row = k * each; row < end; row++) {
        const size_t at = (size_t)(row * n) * dtype_size(x->dtype);

        convert_between(x->dtype, F64)((const char *)x->data + at, scores, n);
        post_transform(*(const enum post_transform *)s->attrs, scores, n);
        convert_between(F64, x->dtype)(scores, (char *)s->out[0]->data + at, n);
    }
}

static bool run(struct step *s)
{
    pool_run(s->pool, divide_up(s->in[0]->dims[0], rows_of_chunk(s->in[0]->dims[1])), chunk, s);
    return true;
}

static const struct op post_transform_rows = {
    .name = "PostTransform",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T scores -> T Y",
                                       .types = "T: f32 f64",
                                       .attrs_size = sizeof(enum post_transform),
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "nobody trains through SOFTMAX_ZERO or PROBIT",
                                       .batch_independent = rows_of_first },
                                     { 0 } },
};

struct value *emit_post_transform(struct emitter *e, struct value *scores, enum post_transform t)
{
    enum post_transform *attrs;
    struct value *y = NULL;

    if (t == POST_NONE)
        return scores;
    if (t == POST_SOFTMAX)
        return emit(e, "Softmax", "axis=1", 1, scores);
    if (t == POST_LOGISTIC)
        return emit(e, "Sigmoid", "", 1, scores);
    attrs = emit_alloc(e, sizeof *attrs);
    if (attrs) {
        *attrs = t;
        emit_private(e, &post_transform_rows, attrs, 1, &y, NULL, 1, &scores);
    }
    return y;
}
