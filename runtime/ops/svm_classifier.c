/* SVMClassifier, https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html
 *
 * With support vectors (ops/svm.h) each pair of classes i < j has a score, of the vectors of both:
 *
 *   s = sum over v of i of coefficients[j - 1, v] K(X, v) + sum over v of j of coefficients[i, v] K(X, v) + rho
 *
 * Where it is above 0 it is a vote for i, else for j; Y is the label of the class with the most votes, the first of
 * several. Z is
 *
 *   the probability of each class, with prob_a and prob_b: pairs have 1 / (1 + exp(a s + b)), and are coupled as libsvm
 *       does, by the second method of Wu, Lin and Weng, Probability estimates for multi-class classification by pairwise
 *       coupling, JMLR 5 (2004);
 *   the scores of all pairs, without; of the one pair of two classes, [-s, s].
 *
 * Without support vectors each class has a score of its own, X.coefficients[class] + rho[0], and Z is these.
 * post_transform comes last. The standard says none of this; it is as in onnxruntime and the reference, whose coupling
 * is another one from three classes on (a sum of products where the paper has one product). Where these two differ, or
 * what they do cannot be meant: two classes without probabilities have post_transform([-s, s]) (onnxruntime
 * gives [1 - s, s] with any post_transform); without support vectors Y is the class with the greatest score (of two
 * classes, onnxruntime takes the second one where any score is above 0). */
#include "kernels/parts.h"
#include "ops/class_labels.h"
#include "ops/convert.h"
#include "ops/features.h"
#include "ops/rank.h"
#include "ops/svm.h"
#include <math.h>
#include <string.h>

struct svm_classifier {
    struct svm svm;
    struct class_labels labels;
    const int64_t *first;         /* support vector of each class, and their number */
    const float *prob_a, *prob_b; /* NULL: none */
};

static int64_t pairs_of(const struct svm_classifier *a)
{
    return a->labels.count * (a->labels.count - 1) / 2;
}

/* -- read -- */

enum { MOST_CLASSES = 1 << 20 }; /* what pairs of them have is counted without overflow */

static bool parse_vectors(struct parse *p, struct svm_classifier *a, int64_t *vectors)
{
    int64_t count;
    const int64_t *per_class = attr_int64s(p, "vectors_per_class", &count);
    int64_t *first = parse_alloc(p, (size_t)(count + 1) * sizeof *first);

    *vectors = 0;
    for (int64_t k = 0; first && k < count; k++) {
        first[k] = *vectors;
        if (per_class[k] < 0 || !add_size(*vectors, per_class[k], vectors) || *vectors > INT32_MAX)
            return parse_error(p, "vectors_per_class[%lld] is %lld, must be at least 0 and not sum to too many",
                               (long long)k, (long long)per_class[k]);
        first[k + 1] = *vectors;
    }
    a->first = first;
    if (*vectors && count != a->labels.count)
        return parse_error(p, "vectors_per_class has %lld values, must have %lld as there are labels", (long long)count,
                           (long long)a->labels.count);
    return first;
}

/* What must be there `need` times, at least. */
static bool enough(struct parse *p, const char *name, int64_t count, int64_t need)
{
    return count >= need ||
           parse_error(p, "%s has %lld values, must have %lld", name, (long long)count, (long long)need);
}

static bool parse(struct parse *p, void *attrs)
{
    struct svm_classifier *a = attrs;
    int64_t vectors, as, bs;

    a->prob_a = attr_floats(p, "prob_a", &as);
    a->prob_b = attr_floats(p, "prob_b", &bs);
    if (!class_labels_parse(p, "classlabels_ints", "classlabels_strings", &a->labels) ||
        !parse_vectors(p, a, &vectors) || !svm_parse(p, &a->svm, vectors, a->labels.count))
        return false;
    if (a->labels.count > MOST_CLASSES)
        return parse_unsupported(p, "%lld classes, at most %d are supported", (long long)a->labels.count,
                                 (int)MOST_CLASSES);
    if (as != bs)
        return parse_error(p, "prob_a has %lld values and prob_b %lld, must have as many", (long long)as,
                           (long long)bs);
    if (!vectors) {
        a->prob_a = a->prob_b = NULL;
        return true;
    }
    if (a->labels.count < 2)
        return parse_error(p, "1 class has support vectors, must be at least 2");
    return enough(p, "coefficients", a->svm.coefficient_count, (a->labels.count - 1) * vectors) &&
           enough(p, "rho", a->svm.rho_count, pairs_of(a)) && (!as || enough(p, "prob_a", as, pairs_of(a)));
}

/* -- plan -- */

/* Doubles of scratch: scores of pairs, votes, and for probabilities three matrices of classes and a vector. */
static int64_t doubles_of(const struct svm_classifier *a)
{
    const int64_t classes = a->labels.count;

    return classes + greater(classes, a->svm.vectors ? pairs_of(a) : 0) + (a->prob_a ? classes * (2 * classes + 2) : 0);
}

static int64_t scores_of(const struct svm_classifier *a)
{
    return a->svm.vectors && !a->prob_a && a->labels.count > 2 ? pairs_of(a) : a->labels.count;
}

static bool infer(struct infer *i)
{
    const struct svm_classifier *a = infer_attrs(i);
    int64_t rows;

    return features_fit(i, 0, a->svm.features, &rows) && svm_need(i, &a->svm, doubles_of(a)) &&
           set_out(i, 0, a->labels.dtype, 1, &rows) && set_out(i, 1, F32, 2, (const int64_t[]){ rows, scores_of(a) });
}

static enum dtype told(const struct node *n, int k)
{
    return k ? F32 : ((const struct svm_classifier *)n->attrs)->labels.dtype;
}

static int rank(const struct node *n, int k)
{
    (void)n;
    return k ? 2 : 1;
}

/* -- run -- */

/* The scores of all pairs, and votes of classes. */
static void vote(const struct svm_classifier *a, const float *k, double *scores, double *votes)
{
    const int64_t classes = a->labels.count, vectors = a->svm.vectors;
    int64_t pair = 0;

    memset(votes, 0, (size_t)classes * sizeof *votes);
    for (int64_t i = 0; i < classes; i++)
        for (int64_t j = i + 1; j < classes; j++, pair++) {
            const int64_t of_i = a->first[i], of_j = a->first[j];
            const double sum =
                svm_sum(a->svm.coefficients + (j - 1) * vectors + of_i, k + of_i, a->first[i + 1] - of_i) +
                svm_sum(a->svm.coefficients + i * vectors + of_j, k + of_j, a->first[j + 1] - of_j) +
                (double)a->svm.rho[pair];

            scores[pair] = (double)(float)sum;
            votes[sum > 0 ? i : j]++;
        }
}

/* Q of the paper's (21): its minimum p'Qp with p summing to 1 are the probabilities. r[i, j] is the probability of i
 * among the two. */
static void fill_q(const double *r, int64_t n, double *q)
{
    for (int64_t i = 0; i < n; i++) {
        q[i * n + i] = 0;
        for (int64_t j = 0; j < n; j++)
            if (j != i) {
                q[i * n + i] += r[j * n + i] * r[j * n + i];
                q[i * n + j] = -r[j * n + i] * r[i * n + j];
            }
    }
}

/* Algorithm 2 of the paper, which goes through the coordinates until all of Qp are p'Qp. */
static void couple(const double *q, int64_t n, double *qp, double *p)
{
    const int64_t most = greater(n, 100);
    const double enough = .005 / (double)n;

    for (int64_t i = 0; i < n; i++)
        p[i] = 1 / (double)n;
    for (int64_t round = 0; round < most; round++) {
        double pqp = 0, error = 0;

        for (int64_t i = 0; i < n; i++) {
            qp[i] = 0;
            for (int64_t j = 0; j < n; j++)
                qp[i] += q[i * n + j] * p[j];
            pqp += p[i] * qp[i];
        }
        for (int64_t i = 0; i < n; i++)
            error = fmax(error, fabs(qp[i] - pqp));
        if (error < enough)
            break;
        for (int64_t i = 0; i < n; i++) {
            const double step = (pqp - qp[i]) / q[i * n + i];

            p[i] += step;
            pqp = (pqp + step * (step * q[i * n + i] + 2 * qp[i])) / (1 + step) / (1 + step);
            for (int64_t j = 0; j < n; j++) {
                qp[j] = (qp[j] + step * q[i * n + j]) / (1 + step);
                p[j] /= 1 + step;
            }
        }
    }
}

/* Probabilities in place of the scores of pairs; `rest` as doubles_of says. */
static void probabilities(const struct svm_classifier *a, double *scores, double *rest)
{
    const int64_t n = a->labels.count;
    double *const r = rest, *const q = r + n * n, *const qp = q + n * n, *const p = qp + n;
    int64_t pair = 0;

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++, pair++) {
            double v = -(scores[pair] * (double)a->prob_a[pair] + (double)a->prob_b[pair]);

            post_transform(POST_LOGISTIC, &v, 1);
            v = fmin(fmax(v, 1e-7), 1 - 1e-7);
            r[i * n + j] = v;
            r[j * n + i] = 1 - v;
        }
    fill_q(r, n, q);
    couple(q, n, qp, p);
    memcpy(scores, p, (size_t)n * sizeof *p);
}

static void score_row(const struct step *s, int64_t row, const float *x, const float *k, double *rest)
{
    const struct svm_classifier *a = s->attrs;
    const int64_t classes = a->labels.count, n = scores_of(a), features = a->svm.features;
    double *const votes = rest, *const scores = votes + classes;

    if (a->svm.vectors) {
        vote(a, k, scores, votes);
        if (a->prob_a)
            probabilities(a, scores, scores + greater(classes, pairs_of(a)));
        else if (classes == 2) {
            scores[1] = scores[0];
            scores[0] = -scores[0];
        }
    } else {
        for (int64_t c = 0; c < classes; c++)
            votes[c] = scores[c] = svm_sum(a->svm.coefficients + c * features, x, features) + (double)a->svm.rho[0];
    }
    if (s->out[0])
        class_label_put(&a->labels, greatest_score(votes, classes), s->out[0], row);
    if (!s->out[1])
        return;
    post_transform(a->svm.post, scores, n);
    convert_between(F64, F32)(scores, (float *)s->out[1]->data + row * n, n);
}

static bool run(struct step *s)
{
    svm_run(s, s->attrs, doubles_of(s->attrs), score_row);
    return true;
}

/* -- test -- */

#define TWO                                                                                                            \
    "support_vectors=[0.5,-1.,1.,2.,0.,-0.5] vectors_per_class=[1,2] coefficients=[0.5,-2.,1.] rho=[0.25] "            \
    "classlabels_ints=[5,7]"
#define THREE                                                                                                          \
    "support_vectors=[0.5,-1.,1.,2.,0.,-0.5] vectors_per_class=[1,0,2] coefficients=[0.5,-2.,1.,1.,0.25,-1.] "         \
    "rho=[0.25,0.,-0.5] classlabels_strings=['a','b','c']"

static const struct op_case cases[] = {
    { "f32[4,2]", TWO, "i64[4] f32[4,2]", 0 },
    { "f64[4,2]", TWO " prob_a=[-1.5] prob_b=[0.25] kernel_type='RBF' kernel_params=[0.5,0.,0.]", "i64[4] f32[4,2]",
      0 },
    { "i32[4,2]", THREE " kernel_type='POLY' kernel_params=[0.5,1.,3.]", "str[4] f32[4,3]", 0 },
    { "f32[4,2]", THREE " prob_a=[-1.5,1.,0.5] prob_b=[0.25,0.,-1.] kernel_type='SIGMOID' kernel_params=[0.5,1.,0.]",
      "str[4] f32[4,3]", 0 },
    { "i64[2]", TWO " post_transform='LOGISTIC'", "i64[1] f32[1,2]", 0 },
    { "f32[4,2]", "coefficients=[0.5,-2.,1.,0.] rho=[0.25] classlabels_ints=[1,0] post_transform='SOFTMAX'",
      "i64[4] f32[4,2]", 0 },
    { "f32[4,2]", THREE, "- f32[4,3]", 0 },
    { "f32[0,2]", TWO, "i64[0] f32[0,2]", 0 },
    { 0 },
};

const struct op op_svm_classifier = {
    .name = "SVMClassifier",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X -> T2 Y, T3 Z",
                                       .types = "T1: f32 f64 i32 i64; T2: i64 str; T3: f32",
                                       .attrs_size = sizeof(struct svm_classifier),
                                       .parse = parse,
                                       .rank = rank,
                                       .dtype = told,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "support vectors are not learned by gradients",
                                       .cases = cases },
                                     { 0 } },
};
