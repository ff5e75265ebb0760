/* SVMRegressor, https://onnx.ai/onnx/operators/onnx_aionnxml_SVMRegressor.html
 *
 *   Y = post_transform(sum over v of coefficients[v] K(X, v) + rho)        with support vectors (ops/svm.h)
 *   Y = post_transform(X.coefficients + rho)                               without
 *   Y = 1 where that is above 0, else -1                                   one_class, which no post_transform follows
 *
 * onnxruntime leaves post_transform out. */
#include "ops/features.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/svm.h"

struct svm_regressor {
    struct svm svm;
    bool one_class;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct svm_regressor *a = attrs;
    const int64_t vectors = attr_int(p, "n_supports", 0);

    a->one_class = attr_int(p, "one_class", 0);
    if (vectors < 0)
        return parse_error(p, "attribute 'n_supports' is %lld, must be at least 0", (long long)vectors);
    if (!svm_parse(p, &a->svm, vectors, 1))
        return false;
    return !vectors || a->svm.coefficient_count == vectors ||
           parse_error(p, "%lld coefficients, must be %lld as there are support vectors",
                       (long long)a->svm.coefficient_count, (long long)vectors);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct svm_regressor *a = infer_attrs(i);
    int64_t rows;

    return features_fit(i, 0, a->svm.features, &rows) && svm_need(i, &a->svm, 0) &&
           set_out(i, 0, F32, 2, (const int64_t[]){ rows, 1 });
}

/* -- run -- */

static void score_row(const struct step *s, int64_t row, const float *x, const float *k, double *rest)
{
    const struct svm_regressor *a = s->attrs;
    double score = (double)a->svm.rho[0];

    (void)rest;
    score += svm_sum(a->svm.coefficients, a->svm.vectors ? k : x, a->svm.coefficient_count);
    if (a->one_class)
        score = score > 0 ? 1 : -1;
    else
        post_transform(a->svm.post, &score, 1);
    ((float *)s->out[0]->data)[row] = (float)score;
}

static bool run(struct step *s)
{
    svm_run(s, s->attrs, 0, score_row);
    return true;
}

/* -- test -- */

#define SUPPORT "support_vectors=[0.5,-1.,1.,2.,0.,-0.5] n_supports=3 coefficients=[0.5,-2.,1.] rho=[0.25]"

static const struct op_case cases[] = {
    { "f32[4,2]", SUPPORT, "f32[4,1]", 0 },
    { "f64[4,2]", SUPPORT " kernel_type='RBF' kernel_params=[0.5,0.,0.]", "f32[4,1]", 0 },
    { "i32[4,2]", SUPPORT " kernel_type='POLY' kernel_params=[0.5,1.,3.]", "f32[4,1]", 0 },
    { "f32[4,2]", SUPPORT " kernel_type='POLY' kernel_params=[0.1,4.,2.5] one_class=1", "f32[4,1]", 0 },
    { "i64[2]", SUPPORT " kernel_type='SIGMOID' kernel_params=[0.5,1.,0.] post_transform='LOGISTIC'", "f32[1,1]", 0 },
    { "f32[4,2]", "coefficients=[0.5,-2.] rho=[0.25]", "f32[4,1]", 0 },
    { "f32[0,2]", "coefficients=[0.5,-2.] rho=[0.25]", "f32[0,1]", 0 },
    { 0 },
};

const struct op op_svm_regressor = {
    .name = "SVMRegressor",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: f32 f64 i32 i64; T1: f32",
                                       .attrs_size = sizeof(struct svm_regressor),
                                       .parse = parse,
                                       .rank = rank_of_matrix,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "support vectors are not learned by gradients",
                                       .cases = cases },
                                     { 0 } },
};
