#include "ops/recurrent.h"
#include <math.h>
#include <string.h>

/* -- read -- */

static const struct {
    const char *name;
    double alpha, beta; /* defaults */
} activations[] = {
    [ACT_RELU] = { "Relu", 0, 0 },
    [ACT_TANH] = { "Tanh", 0, 0 },
    [ACT_SIGMOID] = { "Sigmoid", 0, 0 },
    [ACT_AFFINE] = { "Affine", 1, 0 },
    [ACT_LEAKY_RELU] = { "LeakyRelu", 0.01, 0 },
    [ACT_THRESHOLDED_RELU] = { "ThresholdedRelu", 1, 0 },
    [ACT_SCALED_TANH] = { "ScaledTanh", 1, 1 },
    [ACT_HARD_SIGMOID] = { "HardSigmoid", 0.2, 0.5 },
    [ACT_ELU] = { "Elu", 1, 0 },
    [ACT_SOFTSIGN] = { "Softsign", 0, 0 },
    [ACT_SOFTPLUS] = { "Softplus", 0, 0 },
};

/* Names are compared without regard to case, as the standard asks. */
static bool activation_named(const char *name, size_t length, struct activation *out)
{
    for (size_t k = 0; k < sizeof activations / sizeof *activations; k++)
        if (strlen(activations[k].name) == length && strncasecmp(activations[k].name, name, length) == 0) {
            *out = (struct activation){ (enum activation_kind)k, activations[k].alpha, activations[k].beta };
            return true;
        }
    return false;
}

static bool takes_alpha(enum activation_kind k)
{
    return k == ACT_AFFINE || k == ACT_LEAKY_RELU || k == ACT_THRESHOLDED_RELU || k == ACT_SCALED_TANH ||
           k == ACT_HARD_SIGMOID || k == ACT_ELU;
}

static bool takes_beta(enum activation_kind k)
{
    return k == ACT_AFFINE || k == ACT_SCALED_TANH || k == ACT_HARD_SIGMOID;
}

/* Values are handed out in order to the activations that take one; what is missing at the end has its default. */
static bool read_parameters(struct parse *p, struct recurrent *r, int count)
{
    const struct attr *alpha = attr_any(p, "activation_alpha"), *beta = attr_any(p, "activation_beta");
    size_t a = 0, b = 0;

    if ((alpha && alpha->type != ATTR_FLOATS) || (beta && beta->type != ATTR_FLOATS))
        return parse_error(p, "activation_alpha and activation_beta must be floats");
    for (int k = 0; k < count; k++) {
        if (alpha && takes_alpha(r->act[k].kind) && a < alpha->count)
            r->act[k].alpha = (double)alpha->floats[a++];
        if (beta && takes_beta(r->act[k].kind) && b < beta->count)
            r->act[k].beta = (double)beta->floats[b++];
    }
    return true;
}

bool recurrent_parse(struct parse *p, struct recurrent *r, int each, const char *const *defaults)
{
    static const char *const directions[] = { "forward", "reverse", "bidirectional", NULL };
    const int direction = attr_choice(p, "direction", directions, 0);
    const struct attr *names = attr_any(p, "activations");
    const int64_t layout = parse_opset(p) >= 14 ? attr_int(p, "layout", 0) : 0;

    r->directions = direction == 2 ? 2 : 1;
    r->reverse = direction == 1;
    r->hidden = attr_int(p, "hidden_size", 0);
    r->clip = (double)attr_float(p, "clip", 0);
    r->batch_first = layout == 1;
    if (layout != 0 && layout != 1)
        return parse_error(p, "layout is %lld, must be 0 or 1", (long long)layout);
    if (!(r->clip >= 0))
        return parse_error(p, "clip is %g, must be at least 0", r->clip);
    if (attr_given(p, "hidden_size") && r->hidden < 1)
        return parse_error(p, "hidden_size is %lld, must be at least 1", (long long)r->hidden);
    if (names && (names->type != ATTR_STRINGS || names->count != (size_t)(each * r->directions)))
        return parse_error(p, "activations has %zu names, must have %d", names->type == ATTR_STRINGS ? names->count : 0,
                           each * r->directions);
    for (int k = 0; k < each * r->directions; k++) {
        const struct bytes name =
            names ? names->strings[k] : (struct bytes){ strlen(defaults[k % each]), defaults[k % each] };

        if (!activation_named(name.data, name.length, &r->act[k]))
            return parse_error(p, "activation '%.*s' is unknown", (int)(name.length < 40 ? name.length : 40),
                               name.data);
    }
    return read_parameters(p, r, each * r->directions);
}

/* -- plan -- */

struct recurrent_shape recurrent_shape(const struct recurrent *r, const struct tensor *x)
{
    return (struct recurrent_shape){ x->dims[r->batch_first], x->dims[!r->batch_first], x->dims[2] };
}

static bool check_shape(struct infer *i, int k, const char *name, int rank, int64_t a, int64_t b, int64_t c)
{
    const struct tensor *t = typed_in(i, k);
    const int64_t need[3] = { a, b, c };
    char got[TYPE_TEXT];
    bool fits = !t || t->rank == rank;

    for (int d = 0; t && fits && d < rank; d++)
        fits = t->dims[d] == need[d];
    if (fits)
        return true;
    return rank == 3   ? infer_error(i, "'%s' is %s, must be [%lld,%lld,%lld]", name, tensor_text(t, got), (long long)a,
                                     (long long)b, (long long)c)
           : rank == 2 ? infer_error(i, "'%s' is %s, must be [%lld,%lld]", name, tensor_text(t, got), (long long)a,
                                     (long long)b)
                       : infer_error(i, "'%s' is %s, must be [%lld]", name, tensor_text(t, got), (long long)a);
}

struct fans recurrent_fans(const struct node *n, int input, const struct tensor *t)
{
    (void)n;
    (void)input;
    return (struct fans){ (double)t->dims[t->rank - 1], (double)t->dims[t->rank - 2] };
}

bool recurrent_check(struct infer *i, const struct recurrent *r, int gates)
{
    const struct tensor *x = typed_in(i, 0), *w = typed_in(i, 1), *h = typed_in(i, 2);
    struct recurrent_shape n;
    int64_t wide, d = r->directions, hidden;

    if (x->rank != 3 || w->rank != 3 || h->rank != 3)
        return infer_error(i, "'X', 'W' and 'R' have %d, %d and %d dimensions, must have 3", x->rank, w->rank, h->rank);
    n = recurrent_shape(r, x);
    hidden = h->dims[2];
    if (r->hidden && r->hidden != hidden)
        return infer_error(i, "hidden_size is %lld, but 'R' has %lld columns", (long long)r->hidden, (long long)hidden);
    if (!mul_size(hidden, 2 * gates, &wide))
        return infer_error(i, "'R' has %lld columns, too many", (long long)hidden);
    wide = gates * hidden;
    if (!check_shape(i, 1, "W", 3, d, wide, n.inputs) || !check_shape(i, 2, "R", 3, d, wide, hidden) ||
        !check_shape(i, 3, "B", 2, d, 2 * wide, 0) || !check_shape(i, 4, "sequence_lens", 1, n.batch, 0, 0))
        return false;
    for (int k = 5; k < (gates == 4 ? 7 : 6); k++)
        if (!check_shape(i, k, k == 5 ? "initial_h" : "initial_c", 3, r->batch_first ? n.batch : d,
                         r->batch_first ? d : n.batch, hidden))
            return false;
    return true;
}

bool recurrent_check_lengths(struct step *s, const struct tensor *lengths, int64_t steps)
{
    const int32_t *l = lengths ? lengths->data : NULL;

    for (int64_t b = 0; l && b < lengths->dims[0]; b++)
        if (l[b] < 0 || l[b] > steps)
            return step_error(s, "sequence_lens[%lld] is %d, must be from 0 to %lld", (long long)b, (int)l[b],
                              (long long)steps);
    return true;
}

/* -- run -- */

double activate(const struct activation *a, double x)
{
    switch (a->kind) {
    case ACT_RELU:
        return x > 0 ? x : 0 * x;
    case ACT_TANH:
        return tanh(x);
    case ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACT_AFFINE:
        return a->alpha * x + a->beta;
    case ACT_LEAKY_RELU:
        return x >= 0 ? x : a->alpha * x;
    case ACT_THRESHOLDED_RELU:
        return x >= a->alpha ? x : 0;
    case ACT_SCALED_TANH:
        return a->alpha * tanh(a->beta * x);
    case ACT_HARD_SIGMOID:
        return fmin(fmax(a->alpha * x + a->beta, 0), 1);
    case ACT_ELU:
        return x >= 0 ? x : a->alpha * expm1(x);
    case ACT_SOFTSIGN:
        return x / (1 + fabs(x));
    case ACT_SOFTPLUS:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    }
    return x;
}

double activation_slope(const struct activation *a, double y)
{
    switch (a->kind) {
    case ACT_RELU:
        return y > 0;
    case ACT_TANH:
        return 1 - y * y;
    case ACT_SIGMOID:
        return y * (1 - y);
    case ACT_AFFINE:
        return a->alpha;
    case ACT_LEAKY_RELU:
        return y >= 0 ? 1 : a->alpha;
    case ACT_THRESHOLDED_RELU:
        return y != 0;
    case ACT_SCALED_TANH:
        return a->alpha == 0 ? 0 : a->beta * (a->alpha - y * y / a->alpha);
    case ACT_HARD_SIGMOID:
        return y > 0 && y < 1 ? a->alpha : 0;
    case ACT_ELU:
        return y >= 0 ? 1 : y + a->alpha;
    case ACT_SOFTSIGN:
        return (1 - fabs(y)) * (1 - fabs(y));
    case ACT_SOFTPLUS:
        return -expm1(-y);
    }
    return 1;
}
