#include "train/initialisers.h"
#include "base/random.h"
#include <inttypes.h>
#include <math.h>

/* -- how -- */

static bool fill(struct draw *d, double value)
{
    const int64_t n = tensor_count(&d->type);

    for (int64_t k = 0; k < n; k++)
        d->out[k] = (float)value;
    return true;
}

static bool fill_uniform(struct draw *d, double low, double high)
{
    const int64_t n = tensor_count(&d->type);

    random_uniform(d->out, n, d->seed, d->stream, 0);
    for (int64_t k = 0; k < n; k++)
        d->out[k] = (float)(low + (high - low) * (double)d->out[k]);
    return true;
}

static bool fill_normal(struct draw *d, double mean, double deviation, bool truncated)
{
    const int64_t n = tensor_count(&d->type);

    (truncated ? random_truncated_normal : random_normal)(d->out, n, d->seed, d->stream, 0);
    for (int64_t k = 0; k < n; k++)
        d->out[k] = (float)(mean + deviation * (double)d->out[k]);
    return true;
}

enum distribution {
    TRUNCATED_NORMAL,
    UNTRUNCATED_NORMAL,
    UNIFORM,
    NORMAL
}; /* the last is another name for the first */
static const char *const distributions[] = { "truncated_normal", "untruncated_normal", "uniform", "normal", NULL };

enum mode { FAN_IN, FAN_OUT, FAN_AVG };
static const char *const modes[] = { "fan_in", "fan_out", "fan_avg", NULL };

static double fan_of(const struct draw *d, enum mode mode)
{
    return mode == FAN_IN ? d->fans.in : mode == FAN_OUT ? d->fans.out : (d->fans.in + d->fans.out) / 2;
}

/* Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998. The normal one is cut at two deviations and widened again
 * by as much. */
static bool scaled(struct draw *d, double scale, double fan, enum distribution how)
{
    const double variance = scale / (fan < 1 ? 1 : fan);

    switch (how) {
    case UNTRUNCATED_NORMAL:
        return fill_normal(d, 0, sqrt(variance), false);
    case UNIFORM:
        return fill_uniform(d, -sqrt(3 * variance), sqrt(3 * variance));
    default:
        return fill_normal(d, 0, sqrt(variance) / .87962566103423978, true);
    }
}

/* Makes `rows` vectors of `columns` numbers orthonormal, by Gram and Schmidt, each twice. */
static void orthonormalise(double *q, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++) {
        double *v = q + i * columns, length = 0;

        for (int64_t j = 0; j < 2 * i; j++) {
            const double *u = q + (j % i) * columns;
            double dot = 0;

            for (int64_t k = 0; k < columns; k++)
                dot += u[k] * v[k];
            for (int64_t k = 0; k < columns; k++)
                v[k] -= dot * u[k];
        }
        for (int64_t k = 0; k < columns; k++)
            length += v[k] * v[k];
        for (int64_t k = 0; k < columns; k++)
            v[k] /= sqrt(length);
    }
}

/* Orthonormal columns, or rows where they are fewer, of a matrix of normal numbers, in double: of a kernel one matrix
 * with a row for each filter, as in Keras, else one for each leading index. */
static bool orthogonal(struct draw *d, const struct initialiser_settings *s)
{
    const int rank = d->type.rank, first = rank - 2; /* dimension of the matrix */
    const int64_t down = rank < 2 ? 0 : d->type.dims[d->kernel ? 0 : first];
    const int64_t across = rank < 2 ? 0 : d->kernel ? dims_product(d->type.dims, 1, rank) : d->type.dims[rank - 1];
    const int64_t matrices = across && down ? tensor_count(&d->type) / (across * down) : 0;
    const bool tall = down >= across;
    const int64_t rows = tall ? across : down, columns = tall ? down : across; /* vectors, and their length */
    double *q;

    if (rank < 2)
        return fail(d->report, KILN_BAD_MODEL, d->name, "has %d dimensions, initialiser 'orthogonal' needs two", rank);
    q = budget_zalloc(d->budget, (size_t)(rows * columns), sizeof *q, d->report);
    if (!q)
        return false;
    random_normal(d->out, tensor_count(&d->type), d->seed, d->stream, 0);
    for (int64_t m = 0; m < matrices; m++) {
        float *out = d->out + m * across * down;

        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < columns; k++)
                q[i * columns + k] = (double)(tall ? out[k * across + i] : out[i * across + k]);
        orthonormalise(q, rows, columns);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < columns; k++)
                out[tall ? k * across + i : i * across + k] = (float)(s->gain * q[i * columns + k]);
    }
    budget_free(d->budget, q);
    return true;
}

/* The bias of an LSTM as ONNX orders its gates: input, output, forget, cell. */
static bool unit_forget_bias(struct draw *d, const struct initialiser_settings *s)
{
    const int64_t n = tensor_count(&d->type), gates = d->type.rank ? d->type.dims[d->type.rank - 1] : 0;

    (void)s;
    if (!gates || gates % 4)
        return fail(d->report, KILN_BAD_MODEL, d->name,
                    "has rows of %" PRId64 ", initialiser 'unit_forget_bias' needs four gates", gates);
    for (int64_t k = 0; k < n; k++)
        d->out[k] = k % gates / (gates / 4) == 2;
    return true;
}

static bool identity(struct draw *d, const struct initialiser_settings *s)
{
    const int64_t n = tensor_count(&d->type), across = d->type.rank == 2 ? d->type.dims[1] : 0;

    if (d->type.rank != 2)
        return fail(d->report, KILN_BAD_MODEL, d->name, "has %d dimensions, initialiser 'identity' needs two",
                    d->type.rank);
    for (int64_t k = 0; k < n; k++)
        d->out[k] = k / across == k % across ? (float)s->gain : 0;
    return true;
}

/* -- rules -- */

static bool variance_scaling(struct draw *d, const struct initialiser_settings *s)
{
    return scaled(d, s->scale, fan_of(d, (enum mode)(int)s->mode), (enum distribution)(int)s->distribution);
}

static bool glorot_uniform(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return scaled(d, 1, fan_of(d, FAN_AVG), UNIFORM);
}

static bool glorot_normal(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return scaled(d, 1, fan_of(d, FAN_AVG), TRUNCATED_NORMAL);
}

static bool he_uniform(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return scaled(d, 2, fan_of(d, FAN_IN), UNIFORM);
}

static bool he_normal(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return scaled(d, 2, fan_of(d, FAN_IN), TRUNCATED_NORMAL);
}

static bool lecun_uniform(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return scaled(d, 1, fan_of(d, FAN_IN), UNIFORM);
}

static bool lecun_normal(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return scaled(d, 1, fan_of(d, FAN_IN), TRUNCATED_NORMAL);
}

static bool zeros(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return fill(d, 0);
}

static bool ones(struct draw *d, const struct initialiser_settings *s)
{
    (void)s;
    return fill(d, 1);
}

static bool constant(struct draw *d, const struct initialiser_settings *s)
{
    return fill(d, s->value);
}

static bool uniform_between(struct draw *d, const struct initialiser_settings *s)
{
    return fill_uniform(d, s->minval, s->maxval);
}

static bool normal_around(struct draw *d, const struct initialiser_settings *s)
{
    return fill_normal(d, s->mean, s->stddev, false);
}

static bool truncated_normal_around(struct draw *d, const struct initialiser_settings *s)
{
    return fill_normal(d, s->mean, s->stddev, true);
}

#define FIELD(field) SPEC_FIELD(struct initialiser_settings, field)

static const struct spec_option value_option[] = { { FIELD(value), "what every element is", SPEC_VALUE }, { 0 } };
static const struct spec_option uniform_options[] = {
    { FIELD(minval), "the least", .low = -1e30, .high = 1e30, .fallback = -.05 },
    { FIELD(maxval), "the most", .low = -1e30, .high = 1e30, .fallback = .05 },
    { 0 },
};
static const struct spec_option normal_options[] = {
    { FIELD(mean), "of the numbers", .low = -1e30, .high = 1e30 },
    { FIELD(stddev), "their deviation", .high = 1e30, .fallback = .05 },
    { 0 },
};

static const struct spec_option gain_option[] = {
    { FIELD(gain), "what it is multiplied by", .low = -1e30, .high = 1e30, .fallback = 1 },
    { 0 },
};
static const struct spec_option scaling_options[] = {
    { FIELD(scale), "the variance, times the fan", .low = 1e-30, .high = 1e30, .fallback = 1 },
    { FIELD(mode), "inputs, outputs or their mean", SPEC_WORD, .words = modes },
    { FIELD(distribution), "which", SPEC_WORD, .words = distributions },
    { 0 },
};

static const struct initialiser_def table[] = {
    { { "glorot_uniform", "uniform, by the fans of both sides (Glorot and Bengio 2010)", NULL }, glorot_uniform },
    { { "glorot_normal", "the same, normal, cut at two deviations", NULL }, glorot_normal },
    { { "he_uniform", "uniform, by twice the inputs (He et al. 2015)", NULL }, he_uniform },
    { { "he_normal", "the same, normal, cut at two deviations", NULL }, he_normal },
    { { "lecun_uniform", "uniform, by the inputs (LeCun et al. 1998)", NULL }, lecun_uniform },
    { { "lecun_normal", "the same, normal, cut at two deviations", NULL }, lecun_normal },
    { { "zeros", "0", NULL }, zeros },
    { { "ones", "1", NULL }, ones },
    { { "constant", "a number", value_option }, constant },
    { { "random_uniform", "uniform", uniform_options }, uniform_between },
    { { "random_normal", "normal", normal_options }, normal_around },
    { { "truncated_normal", "normal, cut at two deviations", normal_options }, truncated_normal_around },
    { { "variance_scaling", "by the fan", scaling_options }, variance_scaling },
    { { "orthogonal", "a matrix with orthonormal columns or rows", gain_option }, orthogonal },
    { { "unit_forget_bias", "1 for an LSTM's forget gate, the third of four, else 0", NULL }, unit_forget_bias },
    { { "identity", "1 on the diagonal, else 0", gain_option }, identity },
};

const struct spec_row *initialiser_table(size_t k)
{
    return k < sizeof table / sizeof *table ? &table[k].row : NULL;
}

bool initialiser_parse(struct initialiser *out, const char *spec, const char *where, struct report *r)
{
    const struct spec_subject about = { "initialiser", where, KILN_BAD_MODEL };
    const struct spec_row *row = spec_find(initialiser_table, spec, &about, r);

    if (!row)
        return false;
    out->def = (const struct initialiser_def *)row;
    return spec_read(&out->settings, row, spec, &about, r);
}
