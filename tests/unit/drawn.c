/* What the random operators draw without a seed of their own: means, variances and chi-square of what each has to be
 * distributed as, and that neither neighbours nor runs have to do with each other. Sessions have fixed seeds: what passes
 * once passes always. */
#include "fixture.h"
#include <math.h>
#include <stdio.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 22]>\n"

enum { N = 1 << 16, BINS = 64, RUNS = 3, MOST = 5 /* deviations */ };

static double drawn[RUNS][N];

static void draw(const char *text)
{
    struct fixture f;

    begin(&f, text);
    for (int run = 0; run < RUNS; run++) {
        const struct tensor *t;

        run_ok(&f);
        t = session_output(f.session, 0);
        ck_assert_int_eq(t->dtype, F64);
        ck_assert_int_eq(tensor_count(t), N);
        memcpy(drawn[run], t->data, sizeof drawn[run]);
    }
    end(&f);
}

static void moments(const double *x, double *mean, double *variance)
{
    double sum = 0, squares = 0;

    for (int k = 0; k < N; k++)
        sum += x[k];
    *mean = sum / N;
    for (int k = 0; k < N; k++)
        squares += (x[k] - *mean) * (x[k] - *mean);
    *variance = squares / N;
}

/* Between x[k] and y[k + by]: of what is independent it is of mean 0 and deviation 1 / sqrt(N). */
static double correlation(const double *x, const double *y, int by)
{
    double sum = 0, mean[2], variance[2];

    moments(x, &mean[0], &variance[0]);
    moments(y, &mean[1], &variance[1]);
    for (int k = 0; k < N; k++)
        sum += (x[k] - mean[0]) * (y[(k + by) % N] - mean[1]);
    return sum / N / sqrt(variance[0] * variance[1]);
}

/* Of neighbours, and of runs. */
static void check_independence(void)
{
    static const int steps[] = { 1, 2, 4, 128, 256, 1024 };
    const double bound = MOST / sqrt(N);

    for (int run = 0; run < RUNS; run++) {
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
            ck_assert_msg(fabs(correlation(drawn[run], drawn[run], steps[k])) < bound, "neighbours by %d", steps[k]);
        ck_assert_msg(fabs(correlation(drawn[run], drawn[(run + 1) % RUNS], 0)) < bound, "runs %d and the next", run);
    }
}

static void check_moments(double mean, double variance, double fourth)
{
    for (int run = 0; run < RUNS; run++) {
        double m, v;

        moments(drawn[run], &m, &v);
        ck_assert_msg(fabs(m - mean) < MOST * sqrt(variance / N), "the mean is %g, must be %g", m, mean);
        ck_assert_msg(fabs(v - variance) < MOST * sqrt((fourth - variance * variance) / N),
                      "the variance is %g, must be %g", v, variance);
    }
}

/* Of what is uniform in [0, 1): chi-square of `bins` equal parts has bins - 1 degrees of freedom. */
static void check_uniform(double (*to_uniform)(double x), int bins)
{
    for (int run = 0; run < RUNS; run++) {
        int count[BINS] = { 0 };
        double chi = 0;

        for (int k = 0; k < N; k++) {
            const double u = to_uniform(drawn[run][k]);

            ck_assert(u >= 0 && u <= 1); /* what is close to the end may be rounded to it */
            count[u < 1 ? (int)(u * bins) : bins - 1]++;
        }
        for (int b = 0; b < bins; b++)
            chi += pow(count[b] - (double)N / bins, 2) / ((double)N / bins);
        ck_assert_msg(fabs(chi - (bins - 1)) < MOST * sqrt(2. * (bins - 1)), "chi-square is %g, of %d", chi, bins - 1);
    }
}

/* In [-1, 3). */
static double unit_of_range(double x)
{
    return (x + 1) / 4;
}

static double unit_of_normal(double x)
{
    return .5 * erfc(-(x - 2) / 1.5 / sqrt(2));
}

/* -- what operators draw; with float16 and bfloat16 in parts that they tell apart -- */

#define LIKE(type) "z = ConstantOfShape <value = " type "[1] {0}> (n) "
static const struct {
    const char *nodes;
    int bins;
} uniforms[] = {
    { "r = RandomUniform <shape = [65536], low = -1.0, high = 3.0> ()", BINS },
    { "r = RandomUniform <shape = [65536], low = -1.0, high = 3.0, dtype = 11> ()", BINS },
    { "r = RandomUniform <shape = [256, 256], low = -1.0, high = 3.0, dtype = 10> ()", 8 },
    { LIKE("float") "r = RandomUniformLike <low = -1.0, high = 3.0> (z)", BINS },
    { LIKE("int32") "r = RandomUniformLike <low = -1.0, high = 3.0, dtype = 11> (z)", BINS },
};

#define MODEL(nodes)                                                                                                   \
    HEAD "g () => (double[N] y) <int64[1] n = {65536}> { %s c = Cast <to = 11> (r) y = Reshape (c, n) }", nodes

START_TEST(uniform_numbers_are_uniform)
{
    char text[1024];

    snprintf(text, sizeof text, MODEL(uniforms[_i].nodes));
    draw(text);
    check_moments(1, 16 / 12., 16 * 16 / 80.);
    check_uniform(unit_of_range, uniforms[_i].bins);
    check_independence();
}
END_TEST

static const struct {
    const char *nodes;
    int bins;
} normals[] = {
    { "r = RandomNormal <shape = [65536], mean = 2.0, scale = 1.5> ()", BINS },
    { "r = RandomNormal <shape = [65536], mean = 2.0, scale = 1.5, dtype = 11> ()", BINS },
    { "r = RandomNormal <shape = [256, 256], mean = 2.0, scale = 1.5, dtype = 10> ()", 2 },
    { LIKE("float") "r = RandomNormalLike <mean = 2.0, scale = 1.5> (z)", BINS },
    { LIKE("double") "r = RandomNormalLike <mean = 2.0, scale = 1.5> (z)", BINS },
};

START_TEST(normal_numbers_are_normal)
{
    const double variance = 1.5 * 1.5;
    char text[1024];

    snprintf(text, sizeof text, MODEL(normals[_i].nodes));
    draw(text);
    check_moments(2, variance, 3 * variance * variance);
    check_uniform(unit_of_normal, normals[_i].bins);
    check_independence();
}
END_TEST

/* -- what is counted -- */

static const char *const bernoullis[] = { "float", "double", "float16", "bfloat16" };

/* Of each probability the ones are as many as a binomial distribution has. */
START_TEST(bernoulli_draws_with_its_probabilities)
{
    static const double p[] = { .5, .0625, .75, .9375 }; /* as every type has them */
    char text[1024];

    snprintf(text, sizeof text,
             HEAD
             "g () => (double[N] y) <int64[1] n = {65536}, int64[2] s = {16384, 4}, float[4] q = {0.5, 0.0625, "
             "0.75, 0.9375}> { p = Cast <to = %d> (q) e = Expand (p, s) r = Bernoulli <dtype = 11> (e) y = Reshape "
             "(r, n) }",
             (int[]){ 1, 11, 10, 16 }[_i]);
    draw(text);
    for (int run = 0; run < RUNS; run++)
        for (int j = 0; j < 4; j++) {
            int ones = 0, both = 0;

            for (int k = j; k < N; k += 4) {
                ck_assert(drawn[run][k] == 0 || drawn[run][k] == 1);
                ones += drawn[run][k] == 1;
                both += drawn[run][k] == 1 && drawn[run][(k + 4) % N] == 1;
            }
            ck_assert_msg(fabs(ones - N / 4 * p[j]) < MOST * sqrt(N / 4 * p[j] * (1 - p[j])), "%s: %d ones of %d",
                          bernoullis[_i], ones, N / 4);
            ck_assert_msg(fabs(both - N / 4 * p[j] * p[j]) < 2 * MOST * sqrt(N / 4 * p[j] * p[j]),
                          "%s: %d ones behind ones", bernoullis[_i], both);
        }
}
END_TEST

/* Rows of logarithms, which need not sum to 1. */
START_TEST(multinomial_draws_with_its_probabilities)
{
    enum { ROWS = 4, CLASSES = 5, EACH = N / ROWS };
    static const double weights[ROWS][CLASSES] = {
        { 1, 1, 1, 1, 1 }, { 1, 2, 3, 4, 10 }, { 8, 0, 1, 0, 1 }, { .01, .5, .2, .09, .2 }
    };
    char text[2048];
    int n = snprintf(text, sizeof text, HEAD "g () => (double[N] y) <int64[1] n = {65536}, %s[4, 5] w = {",
                     _i ? "double" : "float");

    for (int k = 0; k < ROWS * CLASSES; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%g", k ? ", " : "", weights[k / CLASSES][k % CLASSES]);
    snprintf(
        text + n, sizeof text - (size_t)n,
        "}> { l = Log (w) r = Multinomial <sample_size = 16384, dtype = %d> (l) c = Cast <to = 11> (r) y = Reshape "
        "(c, n) }",
        _i ? 7 : 6);
    draw(text);
    for (int run = 0; run < RUNS; run++)
        for (int row = 0; row < ROWS; row++) {
            double chi = 0, sum = 0;
            int count[CLASSES] = { 0 }, freedom = -1;

            for (int k = 0; k < EACH; k++) {
                const int class = (int)drawn[run][row * EACH + k];

                ck_assert(class >= 0 && class < CLASSES);
                count[class]++;
            }
            for (int c = 0; c < CLASSES; c++)
                sum += weights[row][c];
            for (int c = 0; c < CLASSES; c++) {
                const double want = EACH * weights[row][c] / sum;

                if (want == 0) {
                    ck_assert_int_eq(count[c], 0);
                    continue;
                }
                chi += pow(count[c] - want, 2) / want;
                freedom++;
            }
            ck_assert_msg(chi < freedom + MOST * sqrt(2. * freedom), "row %d: chi-square is %g, of %d", row, chi,
                          freedom);
        }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("drawn");

    add_tests(s, uniform_numbers_are_uniform, sizeof uniforms / sizeof *uniforms);
    add_tests(s, normal_numbers_are_normal, sizeof normals / sizeof *normals);
    add_tests(s, bernoulli_draws_with_its_probabilities, 4);
    add_tests(s, multinomial_draws_with_its_probabilities, 2);
    return s;
}
