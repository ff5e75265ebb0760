/* The parameters of BatchNormalization, from what a trace has found of them. */
#include "adapt/facts.h"
#include "adapt/normalization/normalization.h"
#include "data/element.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* -- measuring -- */

static bool needs_mean(const struct site *s)
{
    return !s->fresh && !s->mean && !s->no_center;
}

/* What it divides by is gamma / factor; of a layer without gamma, whose weight may have any size, 1. */
static bool knows_deviation(const struct site *s)
{
    return s->no_scale ? s->factor || s->layer : s->factor && s->gamma;
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
        "measured (--calibrate)",
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
    const double b = site_at(s->summand, c, 0);

    if (s->mean)
        return s->mean[c];
    if (s->fresh)
        return 0;
    if (s->no_center)
        return -b / site_at(s->factor, c, 1);
    return m->mean[c] - (s->layer ? b : 0); /* of the layer without the bias that it had */
}

/* Of a layer whose weight is multiplied by `scale`. */
static double variance_of(const struct site *s, const struct moments *m, int64_t c, double scale)
{
    if (s->variance)
        return s->variance[c] * scale * scale;
    if (s->fresh && !(s->layer && s->no_scale && !s->scale))
        return 1;
    if (knows_deviation(s))
        return fmax(0, pow(site_at(s->gamma, c, 1) * scale / site_at(s->factor, c, 1), 2) - (double)(float)s->epsilon);
    return m->variance[c] * scale * scale;
}

/* Channels whose variance is measured, and those of them where it is smaller than an epsilon that is usual. */
static void count_small(const struct site *s, const struct moments *m, int64_t *channels, int64_t *small)
{
    for (int64_t c = 0; needs_variance(s) && c < s->channels; c++) {
        *small += variance_of(s, m, c, site_at(s->scale, c, 1)) < fmin(s->epsilon, 1e-3);
        ++*channels;
    }
}

/* Running statistics follow slowly: after a few steps of training they still are near 0 and 1, in which case the outputs of
 * each layer are small, and those of the next one smaller. What is measured there is right for inference alone: gamma would
 * have to be so small that the network could not learn any more. In one that has learned epsilon is of no account. Sites of
 * which the caller says nothing begin anew then. */
static bool let_lagging_begin(struct search *s, const struct sites *sites, const size_t *first,
                              const struct moments *moments)
{
    int64_t channels = 0, small = 0;
    const char *why;

    for (size_t k = 0; k < sites->count; k++)
        if (!sites->kept[k])
            count_small(&sites->at[k], &moments[first[k]], &channels, &small);
    if (2 * small <= channels)
        return true;
    why = search_text(
        s, "hardly trained: of %lld variances that were measured %lld are below epsilon, mean 0, variance 1 are taken",
        (long long)channels, (long long)small);
    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];

        if (sites->kept[k] || !needs_variance(t) || site_statistics_asked(s, &sites->at[first[k]]))
            continue;
        t->fresh = true;
        t->certainty = DOUBTFUL;
        t->lags = why;
    }
    return sites_find_scales(s, sites, first);
}

/* A channel of a layer, and what may be chosen of it. */
struct channel {
    double factor, summand; /* floats, as the file has them: of a layer's weight as it is written */
    double epsilon, mean, variance;
    bool any_variance; /* it is measured: nobody knows the last places of it */
    bool any_weight;   /* it makes up for a factor that is smaller (scale.c) */
};

enum { GAMMA, BETA, MEAN, VARIANCE, FOUR };
enum { VARIANCES = 1024, GAMMAS = 64, TRIES = VARIANCES * GAMMAS };
#define PLACE  0x1p-24            /* a unit in the last place of a float with the largest significand */
#define SLACK  0x1p-12            /* of what is measured no more is known */
#define GOLDEN 0.6180339887498949 /* its multiples, less their whole part, lie apart as far as they can */

/* The k-th float that may as well have been measured. */
static double as_good(double x, int k)
{
    return k ? (double)(float)(x * (1 + SLACK * fmod(k * GOLDEN, 1))) : x;
}

/* The k-th choice of the four: gamma and beta make up for what mean and variance are. Returns how far the summand is off
 * that they make; 0 where it is the same float. */
static double choose_four(const struct channel *c, int k, double four[FOUR])
{
    const double squared = as_good(c->variance + c->epsilon, k % VARIANCES);
    const double variance = k % VARIANCES == 0 ? c->variance : (double)(float)fmax(0, squared - c->epsilon);
    const double deviation = sqrt(variance + c->epsilon);
    const double gamma = (double)(float)(c->factor * deviation * (1 - 2 * PLACE * (k / VARIANCES)));
    const double factor = gamma / deviation;
    const double beta = (double)(float)(c->summand + c->mean * factor), summand = beta - c->mean * factor;
    const double apart = c->factor != 0 ? factor / c->factor - 1 : 0;

    four[GAMMA] = gamma;
    four[BETA] = beta;
    four[MEAN] = c->mean;
    four[VARIANCE] = variance;
    if (apart > PLACE / 2 || apart < (c->any_weight ? -2 * GAMMAS * PLACE : -PLACE / 2))
        return (double)INFINITY;
    return (float)summand == (float)c->summand ? 0 : fabs(summand - c->summand);
}

/* Is there hope of a choice that makes the summand? One in as many is, as it is smaller than the mean. */
static bool can_be_made(const struct channel *c)
{
    return c->any_weight && fabs(c->mean * c->factor) <= (double)(TRIES / 4) * fabs(c->summand);
}

/* A deep network makes much of a unit in the last place (a MobileNetV2 6e-6 of those of a tenth of its biases), so
 * the layer is to have the very weight and bias that it had when BatchNormalization is folded into it again. */
static void find_four(const struct channel *c, double four[FOUR])
{
    const int tries = !c->any_variance ? 1 : can_be_made(c) ? TRIES : VARIANCES;
    double off = choose_four(c, 0, four);

    for (int k = 1; k < tries && off > 0; k++) {
        double other[FOUR];
        const double other_off = choose_four(c, k, other);

        if (other_off < off) {
            memcpy(four, other, sizeof other);
            off = other_off;
        }
    }
}

/* As it is in the file afterwards: in a float, but for half floats. */
static double as_written(enum dtype d, double x)
{
    double written;

    if (d != F16 && d != BF16)
        return (double)(float)x;
    element_put(&written, 0, d, x);
    return element_getter(d)(&written, 0);
}

/* `d`: the type of what it normalises. */
static void complete_channel(const struct site *t, const struct moments *m, enum dtype d, int64_t c,
                             double *const four[FOUR])
{
    const bool half = d == F16 || d == BF16;
    const double scale = site_at(t->scale, c, 1);
    struct channel channel = {
        .factor = site_at(t->factor, c, 1) / scale,
        .summand = site_at(t->summand, c, 0),
        .epsilon = (double)(float)t->epsilon,
        .mean = as_written(d, mean_of(t, m, c) * scale),
        .variance = as_written(d, variance_of(t, m, c, scale)),
        .any_variance = needs_variance(t) && !half,
        .any_weight = t->scale && !half,
    };
    double found[FOUR];

    if (!isfinite(channel.mean) || !isfinite(channel.variance)) { /* more than a float can hold */
        channel.mean = 0;
        channel.variance = 1;
    }
    find_four(&channel, found);
    if (t->fresh && fabs(found[GAMMA] - 1) < 4 * (double)FLT_EPSILON)
        found[GAMMA] = 1;
    four[GAMMA][c] = t->variance ? site_at(t->gamma, c, found[GAMMA]) : found[GAMMA];
    four[BETA][c] = site_at(t->beta, c, found[BETA]);
    four[MEAN][c] = found[MEAN];
    four[VARIANCE][c] = found[VARIANCE];
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
        complete_channel(t, m, search_type(s, t->x)->dtype, c, four);
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

    sites_find_fresh(s, sites);
    if (!moments || !sites_find_shared(s, sites, first))
        return false;
    sites_choose_fresh(s, sites, first);
    if (!sites_find_scales(s, sites, first) || !measure(s, sites, first, moments) ||
        !let_lagging_begin(s, sites, first, moments))
        return false;
    for (size_t k = 0; k < sites->count; k++)
        if (!sites->kept[k] && !complete(s, &sites->at[k], &moments[first[k]]))
            return false;
    return true;
}
