#include "ops/svm.h"
#include "kernels/kernels.h"
#include "kernels/loop.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/features.h"
#include <math.h>
#include <string.h>

/* -- read -- */

static bool parse_kernel(struct parse *p, struct svm *m)
{
    static const char *const names[] = { "LINEAR", "POLY", "RBF", "SIGMOID", NULL };
    int64_t count;
    const float *params = attr_floats(p, "kernel_params", &count);

    m->kernel = (enum svm_kernel)attr_choice(p, "kernel_type", names, SVM_LINEAR);
    if (count && count != 3)
        return parse_error(p, "kernel_params has %lld values, must have 3: gamma, coef0, degree", (long long)count);
    if (count) {
        m->gamma = params[0];
        m->coef0 = params[1];
        m->degree = params[2];
    }
    return true;
}

/* Support vectors as columns: a row goes through all of them at once. */
static bool turn(struct parse *p, struct svm *m, const float *rows)
{
    float *columns = parse_alloc(p, (size_t)(m->vectors * m->features) * sizeof *columns);

    for (int64_t v = 0; columns && v < m->vectors; v++)
        for (int64_t f = 0; f < m->features; f++)
            columns[f * m->vectors + v] = rows[v * m->features + f];
    m->columns = columns;
    return columns;
}

bool svm_parse(struct parse *p, struct svm *m, int64_t vectors, int64_t rows)
{
    const struct attr *support = attr_list(p, "support_vectors", ATTR_FLOATS);
    const int64_t values = support ? (int64_t)support->count : 0;

    m->coefficients = attr_floats(p, "coefficients", &m->coefficient_count);
    m->rho = attr_floats(p, "rho", &m->rho_count);
    m->post = post_transform_parse(p);
    if (!parse_kernel(p, m))
        return false;
    if (!m->coefficient_count || !m->rho_count)
        return parse_error(p, "attribute '%s' is missing", m->rho_count ? "coefficients" : "rho");
    m->vectors = vectors;
    if (!vectors) {
        m->features = m->coefficient_count / rows;
        return m->features * rows == m->coefficient_count ||
               parse_error(p, "%lld coefficients, must be as many for each of %lld", (long long)m->coefficient_count,
                           (long long)rows);
    }
    if (values % vectors)
        return parse_error(p, "%lld values of support vectors, must be as many for each of %lld", (long long)values,
                           (long long)vectors);
    m->features = values / vectors;
    return turn(p, m, values ? support->floats : NULL);
}

/* -- plan -- */

/* The row in float, its kernels, what the caller wants: for each thread. */
static bool thread_bytes(const struct svm *m, int64_t doubles, int64_t *bytes)
{
    int64_t floats, rest;

    if (!add_size(m->features, m->vectors, &floats) || !mul_size(floats + 2 * ALIGNMENT, sizeof(float), &floats) ||
        !mul_size(doubles, sizeof(double), &rest) || !add_size(floats, rest, bytes) || *bytes > INT64_MAX - ALIGNMENT)
        return false;
    *bytes = round_up(*bytes, ALIGNMENT);
    return true;
}

bool svm_need(struct infer *i, const struct svm *m, int64_t doubles)
{
    int64_t bytes, rows;

    if (!features_fit(i, 0, m->features, &rows))
        return false;
    if (!thread_bytes(m, doubles, &bytes) || !mul_size(bytes, infer_threads(i), &bytes))
        return infer_error(i, "more support vectors than can be looked at");
    need_scratch(i, to_size(bytes));
    return true;
}

/* -- run -- */

static float power(float base, float degree)
{
    float y = 1;

    if (degree != (float)(int)degree || degree < 0 || degree > 16)
        return powf(base, degree);
    for (int k = 0; k < (int)degree; k++)
        y *= base;
    return y;
}

static void distances(const struct svm *m, const float *x, float *k)
{
    const int64_t n = m->vectors;

    memset(k, 0, (size_t)n * sizeof *k);
    for (int64_t f = 0; f < m->features; f++) {
        const float *const v = m->columns + f * n, from = x[f];

        INDEPENDENT
        for (int64_t j = 0; j < n; j++)
            k[j] += (from - v[j]) * (from - v[j]);
    }
}

static void kernels_of(const struct svm *m, const struct kernels *isa, const float *x, float *k)
{
    const int64_t n = m->vectors;

    if (m->kernel == SVM_RBF) {
        distances(m, x, k);
        for (int64_t j = 0; j < n; j++)
            k[j] = expf(-m->gamma * k[j]);
        return;
    }
    memset(k, 0, (size_t)n * sizeof *k);
    isa->gemm->add_rows(x, 1, m->columns, m->features, n, n, k);
    for (int64_t j = 0; j < n && m->kernel == SVM_POLY; j++)
        k[j] = power(m->gamma * k[j] + m->coef0, m->degree);
    for (int64_t j = 0; j < n && m->kernel == SVM_SIGMOID; j++)
        k[j] = tanhf(m->gamma * k[j] + m->coef0);
}

struct job {
    struct step *step;
    const struct svm *m;
    svm_row *row;
    int64_t rows, per_chunk, thread_bytes;
};

static void chunk(void *context, int64_t c, int thread)
{
    const struct job *j = context;
    const struct svm *m = j->m;
    const struct tensor *x = j->step->in[0];
    const int64_t end = lesser(j->rows, (c + 1) * j->per_chunk);
    char *const scratch = scratch_at(j->step, (size_t)(thread * j->thread_bytes));
    float *const features = (float *)scratch, *const k = features + round_up(m->features, ALIGNMENT);
    double *const rest = (double *)(k + round_up(m->vectors, ALIGNMENT));

    for (int64_t row = c * j->per_chunk; row < end && !pool_late(j->step->pool); row++) {
        convert_between(x->dtype, F32)((const char *)x->data + (size_t)(row * m->features) * dtype_size(x->dtype),
                                       features, m->features);
        if (m->vectors)
            kernels_of(m, j->step->k, features, k);
        j->row(j->step, row, features, k, rest);
    }
}

void svm_run(struct step *s, const struct svm *m, int64_t doubles, svm_row *row)
{
    const struct tensor *x = s->in[0];
    const double work = (double)(m->vectors + 1) * ((double)m->features + 8) + (double)doubles;
    struct job j = { .step = s, .m = m, .row = row, .rows = x->rank == 1 ? 1 : x->dims[0] };

    j.per_chunk = (int64_t)(JOB_PRODUCTS / 4 / work) + 1;
    thread_bytes(m, doubles, &j.thread_bytes);
    pool_run(s->pool, divide_up(j.rows, j.per_chunk), chunk, &j);
}

double svm_sum(const float *w, const float *v, int64_t n)
{
    double sum = 0;

    for (int64_t k = 0; k < n; k++)
        sum += (double)w[k] * (double)v[k];
    return sum;
}
