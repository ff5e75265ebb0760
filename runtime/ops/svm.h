/* What SVMClassifier and SVMRegressor share: kernels between a row and all support vectors, as libsvm has them
 * (https://www.csie.ntu.edu.tw/~cjlin/libsvm/).
 *
 *   LINEAR x.v        POLY (gamma x.v + coef0)^degree        RBF exp(-gamma |x - v|^2)        SIGMOID tanh(gamma x.v + coef0)
 *
 * Rows are computed in float, whatever X is, as in onnxruntime; what is summed over support vectors is in double. */
#ifndef KILN_OPS_SVM_H
#define KILN_OPS_SVM_H

#include "ops/op.h"
#include "ops/post_transform.h"

struct svm {
    enum svm_kernel { SVM_LINEAR, SVM_POLY, SVM_RBF, SVM_SIGMOID } kernel;
    float gamma, coef0, degree;
    int64_t vectors, features; /* vectors 0: none; the model is linear, its coefficients are of features */
    const float *columns;      /* [features, vectors] */
    const float *coefficients, *rho;
    int64_t coefficient_count, rho_count;
    enum post_transform post;
};

/* All attributes that both have; `vectors` of them, or as many rows of coefficients where there are none. */
bool svm_parse(struct parse *p, struct svm *m, int64_t vectors, int64_t rows);

/* Runs `row` for each row of X: `x` is the row in float, `at` of k [vectors] its kernels, `rest` `bytes` of scratch. */
typedef void svm_row(const struct step *s, int64_t row, const float *x, const float *k, double *rest);
/* Memory for that: `doubles` of them are `rest`. False with an error. */
bool svm_need(struct infer *i, const struct svm *m, int64_t doubles);
void svm_run(struct step *s, const struct svm *m, int64_t doubles, svm_row *row);
/* sum of w[k] * v[k], in double. */
double svm_sum(const float *w, const float *v, int64_t n);

#endif
