/* The parameters of BatchNormalization, from what a trace has found of them. */
#include "adapt/facts.h"
#include "adapt/normalization/normalization.h"
#include "data/element.h"
#include <float.h>
#include <math.h>
#include <string.h>

static double at(const double *x, int64_t c, double none)
{
    return x ? x[c] : none;
}

/* -- never trained -- */

enum {
    NEAR = 30, /* percent that a factor may be from 1, and a summand from 0: initialisers may draw gamma and beta */
    FEW = 4    /* channels: so few may be near by chance */
};

static bool is_uniform(const double *x, int64_t n)
{
    for (int64_t c = 1; x && c < n; c++)
        if (x[c] != x[0])
            return false;
    return true;
}

/* The epsilon that makes 1 / sqrt(1 + epsilon) this factor, as a float; 0 where none of those in use does. */
static double epsilon_of(double factor)
{
    static const double used[] = { 1e-3, 1e-5, 1.001e-5, 1.1e-5, 2e-5, 1e-4, 1e-6, 1e-7, 1e-2 };

    for (size_t k = 0; k < sizeof used / sizeof *used; k++)
        if (fabs(1 / sqrt(1 + used[k]) - factor) < (double)FLT_EPSILON)
            return used[k];
    return 0;
}

/* gamma 1, beta 0, mean 0 and variance 1, or near: a layer that has not learned yet. Statistics that are measured would
 * make one of it that cannot learn any more: gamma would become a deviation, which may be very small. */
static bool is_fresh(const struct site *s, double epsilon)
{
    const double deviation = sqrt(1 + epsilon);

    if (s->layer)
        return s->bias < 0 || (s->summand && is_uniform(s->summand, s->channels) && s->summand[0] == 0);
    if (is_uniform(s->factor, s->channels) && !s->summand && epsilon_of(s->factor[0]))
        return true;
    for (int64_t c = 0; c < s->channels; c++)
        if (fabs(at(s->factor, c, 1) * deviation - 1) * 100 > NEAR || fabs(at(s->summand, c, 0)) * 100 > NEAR)
            return false;
    return s->channels >= FEW;
}

/* Of a folded layer the factor does not tell. It is taken for fresh with small biases where all else is fresh, too, or
 * where all weights still are as they were drawn. */
static void find_fresh_layers(const struct search *search, const struct sites *sites)
{
    bool fresh = false, all = true, drawn = true;

    for (size_t k = 0; k < sites->count; k++) {
        const struct site *s = &sites->at[k];

        if (sites->kept[k])
            continue;
        fresh |= s->fresh && (!s->layer || s->summand);
        all = all && (s->fresh || s->layer);
        drawn = drawn && (s->fresh || site_is_drawn(search, s));
        for (int64_t c = 0; s->layer && c < s->channels; c++)
            all = all && fabs(at(s->summand, c, 0)) * 100 <= NEAR;
    }
    for (size_t k = 0; (fresh || drawn) && all && k < sites->count; k++)
        sites->at[k].fresh |= !sites->kept[k];
}

/* The epsilon of what has none: that which a factor of the same file shows, or what is usual. */
static double shown_epsilon(const struct sites *sites)
{
    for (size_t k = 0; k < sites->count; k++) {
        const struct site *s = &sites->at[k];

        if (!sites->kept[k] && !s->layer && s->fresh && !s->summand && is_uniform(s->factor, s->channels) &&
            epsilon_of(s->factor[0]) > 0)
            return epsilon_of(s->factor[0]);
    }
    return 0;
}

static const char *const statistics_choices[] = { "fresh", "measured", NULL };

static void find_fresh(struct search *s, const struct sites *sites)
{
    const double asked = s->adapt->options->epsilon;

    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];

        if (!sites->kept[k] && !(t->mean && t->variance))
            t->fresh = is_fresh(t, t->epsilon > 0 ? t->epsilon : asked > 0 ? asked : t->trace->epsilon);
    }
    find_fresh_layers(s, sites);
}

/* A layer that is used several times is one: what is chosen for one place is chosen for all. */
static void choose_fresh(struct search *s, const struct sites *sites, const size_t *first)
{
    for (size_t k = 0; k < sites->count; k++) {
        const char *chosen =
            sites->kept[k] ? NULL : adapt_choice(s->adapt, statistics_choices, sites->at[k].name, NULL);

        if (chosen)
            sites->at[first[k]].fresh = strcmp(chosen, "fresh") == 0;
    }
    for (size_t k = 0; k < sites->count; k++)
        sites->at[k].fresh = sites->at[first[k]].fresh;
}

static void choose_epsilon(struct search *s, const struct sites *sites)
{
    const double asked = s->adapt->options->epsilon, shown = shown_epsilon(sites);

    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];

        t->guessed_epsilon = t->epsilon <= 0;
        if (t->guessed_epsilon)
            t->epsilon = asked > 0 ? asked : shown > 0 ? shown : t->trace->epsilon;
    }
}

/* -- sharing -- */

/* Behind layers of one weight? */
static bool is_same_use(const struct search *s, const struct site *a, const struct site *b)
{
    const struct value *weight = a->x->producer ? facts_weight(s->active, a->x->producer, NULL) : NULL;

    return weight && b->x->producer && facts_weight(s->active, b->x->producer, NULL) == weight;
}

/* Two that read the same constant are one layer that is used twice, unless all its channels are equal: then exporters
 * may have merged what was the same by chance. */
static bool is_shared(const struct search *s, const struct site *a, const struct site *b)
{
    return a->trace == b->trace && a->channels == b->channels && !a->layer == !b->layer &&
           (a->layer || a->variance || !is_uniform(a->factor, a->channels) || is_same_use(s, a, b)) &&
           (!a->summand == !b->summand) &&
           (!a->summand || memcmp(a->summand, b->summand, (size_t)a->channels * sizeof *a->summand) == 0);
}

/* Sites that read one constant hang together, in their order. */
static bool find_shared(const struct search *s, const struct sites *sites, size_t *first)
{
    struct adapt *a = s->adapt;
    size_t *begin = arena_array(a->arena, s->graph->value_count, sizeof *begin, a->report); /* counted from 1 */
    size_t *end = arena_array(a->arena, s->graph->value_count, sizeof *end, a->report);
    size_t *next = arena_array(a->arena, sites->count, sizeof *next, a->report);

    if (!begin || !end || !next)
        return false;
    for (size_t k = 0; k < sites->count; k++) {
        const struct value *by = sites->at[k].shared_by;

        first[k] = k;
        if (!by || sites->kept[k])
            continue;
        for (size_t j = begin[by->id]; j && first[k] == k; j = next[j - 1])
            if (is_shared(s, &sites->at[j - 1], &sites->at[k]))
                first[k] = first[j - 1];
        *(begin[by->id] ? &next[end[by->id] - 1] : &begin[by->id]) = k + 1;
        end[by->id] = k + 1;
    }
    return true;
}

/* -- measuring -- */

static bool needs_mean(const struct site *s)
{
    return !s->fresh && !s->mean && !s->no_center;
}

/* What it divides by is gamma / factor. */
static bool knows_deviation(const struct site *s)
{
    return s->factor && (s->no_scale || s->gamma);
}

static bool needs_variance(const struct site *s)
{
    return !s->fresh && !s->variance && !knows_deviation(s);
}

static bool refuse_without_data(struct search *s, const struct sites *sites)
{
    size_t others = 0;
    const struct site *one = NULL;

    for (size_t k = 0; k < sites->count; k++)
        if (!sites->kept[k] && (needs_mean(&sites->at[k]) || needs_variance(&sites->at[k]))) {
            others += one != NULL;
            one = one ? one : &sites->at[k];
        }
    return fail(
        s->adapt->report, KILN_BAD_ARGUMENT, NULL,
        "data must be given: the mean and the variance of BatchNormalization '%s'%s are not in the file, they are "
        "measured",
        one->name, others ? " and others" : "");
}

/* Moments of a layer that is used in several places, of all of them. */
static void pool(struct moments *to, const struct moments *more)
{
    const double a = (double)to->count, b = (double)more->count;

    for (int64_t c = 0; c < to->channels && a + b > 0; c++) {
        const double apart = more->mean[c] - to->mean[c], mean = to->mean[c] + apart * b / (a + b);

        to->variance[c] =
            (to->variance[c] * a + more->variance[c] * b) / (a + b) + apart * apart * a * b / ((a + b) * (a + b));
        to->mean[c] = mean;
    }
    to->count += more->count;
}

/* Of all that need any; NULL mean and variance for the others. */
static bool measure(struct search *s, const struct sites *sites, const size_t *first, struct moments *out)
{
    struct adapt *a = s->adapt;
    struct moments *places = arena_array(a->arena, sites->count, sizeof *places, a->report);
    size_t *of = arena_array(a->arena, sites->count, sizeof *of, a->report), count = 0;

    if (!places || !of)
        return false;
    for (size_t k = 0; k < sites->count; k++)
        if (!sites->kept[k] && (needs_mean(&sites->at[k]) || needs_variance(&sites->at[k]))) {
            of[count] = k;
            places[count++] = (struct moments){ .at = sites->at[k].x, .axis = sites->at[k].axis };
        }
    if (!count)
        return true;
    if (!a->options->data)
        return refuse_without_data(s, sites);
    if (!calibrate(a->model, &a->calibration, places, count, a->arena, a->report))
        return false;
    for (size_t k = 0; k < count; k++)
        if (first[of[k]] == of[k])
            out[of[k]] = places[k];
        else
            pool(&out[first[of[k]]], &places[k]);
    return true;
}

/* -- all four -- */

static double mean_of(const struct site *s, const struct moments *m, int64_t c)
{
    const double b = at(s->summand, c, 0);

    if (s->mean)
        return s->mean[c];
    if (s->fresh)
        return 0;
    if (s->no_center)
        return -b / at(s->factor, c, 1);
    return m->mean[c] - (s->layer ? b : 0); /* of the layer without the bias that it had */
}

static double variance_of(const struct site *s, const struct moments *m, int64_t c)
{
    if (s->variance)
        return s->variance[c];
    if (s->fresh)
        return 1;
    if (knows_deviation(s))
        return fmax(0, pow(at(s->gamma, c, 1) / s->factor[c], 2) - s->epsilon);
    return m->variance[c];
}

/* Deep networks make much of an ulp, so the layer is to have, in floats, the very factor that it had. A measured deviation
 * is cut to 12 bits: its square is a float, and a product by it loses little. */
static double rounded_deviation(double deviation)
{
    int exponent;
    const double fraction = frexp(deviation, &exponent);

    return ldexp(nearbyint(ldexp(fraction, 12)), exponent - 12);
}

/* The mean with which floats make `summand` of beta again. */
static double rounded_mean(double mean, double factor, double summand)
{
    const double beta = (double)(float)(summand + mean * factor), exact = (beta - summand) / factor;

    return factor != 0 && isfinite(exact) ? (double)(float)exact : mean;
}

/* The float next to `near` of which `factor` is made again, as a float, by a division; `near` where none is. */
static double gamma_for(double near, double deviation, double factor)
{
    const float g = (float)near, tries[] = { g, nextafterf(g, -INFINITY), nextafterf(g, INFINITY) };

    for (int k = 0; k < 3; k++)
        if ((float)((double)tries[k] / deviation) == (float)factor)
            return (double)tries[k];
    return near;
}

enum { GAMMA, BETA, MEAN, VARIANCE, FOUR };

/* As they are in the file afterwards, in floats: gamma and beta make up for what mean and variance lose. */
static void complete_channel(const struct site *t, const struct moments *m, int64_t c, double *const four[FOUR])
{
    const double scale = at(t->scale, c, 1), squared = t->fresh ? 1 : scale * scale;
    const double epsilon = (double)(float)t->epsilon, factor = at(t->factor, c, 1) / scale;
    const double summand = at(t->summand, c, 0);
    double mean = (double)(float)(mean_of(t, m, c) * scale), deviation, gamma;
    double variance = (double)(float)(variance_of(t, m, c) * squared);

    if (!isfinite(mean) || !isfinite(variance)) { /* more than a float can hold */
        mean = 0;
        variance = 1;
    }
    deviation = sqrt(variance + epsilon);
    if (needs_variance(t)) {
        deviation = rounded_deviation(deviation);
        variance = (double)(float)(deviation * deviation - epsilon);
        if (variance < 0) {
            variance = 0;
            deviation = sqrt(epsilon);
        }
    }
    if (needs_mean(t))
        mean = rounded_mean(mean, factor, summand);
    gamma = factor * deviation;
    if (t->fresh && fabs(gamma - 1) < 4 * (double)FLT_EPSILON)
        gamma = 1;
    else
        gamma = gamma_for(gamma, sqrt(variance + epsilon), factor);
    four[GAMMA][c] = t->variance ? at(t->gamma, c, gamma) : gamma;
    four[BETA][c] = at(t->beta, c, summand + mean * factor);
    four[MEAN][c] = mean;
    four[VARIANCE][c] = variance;
}

static bool complete(struct search *s, struct site *t, const struct moments *m)
{
    struct adapt *a = s->adapt;
    double *four[FOUR];

    t->measured = needs_mean(t) || needs_variance(t);
    for (int k = 0; k < FOUR; k++)
        if (!(four[k] = arena_array(a->arena, (size_t)t->channels, sizeof **four, a->report)))
            return false;
    for (int64_t c = 0; c < t->channels; c++)
        complete_channel(t, m, c, four);
    t->gamma = four[GAMMA];
    t->beta = four[BETA];
    t->mean = four[MEAN];
    t->variance = four[VARIANCE];
    return true;
}

bool sites_complete(struct search *s, struct sites *sites, size_t *first)
{
    struct adapt *a = s->adapt;
    struct moments *moments = arena_array(a->arena, sites->count, sizeof *moments, a->report);

    find_fresh(s, sites);
    if (!moments || !find_shared(s, sites, first))
        return false;
    choose_fresh(s, sites, first);
    choose_epsilon(s, sites);
    if (!sites_find_scales(s, sites, first) || !measure(s, sites, first, moments))
        return false;
    for (size_t k = 0; k < sites->count; k++)
        if (!sites->kept[k] && !complete(s, &sites->at[k], &moments[first[k]]))
            return false;
    return true;
}
