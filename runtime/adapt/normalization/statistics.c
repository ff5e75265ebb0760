/* The parameters of BatchNormalization, from what a trace has found of them. */
#include "adapt/facts.h"
#include "adapt/normalization/normalization.h"
#include "data/element.h"
#include "ops/registry.h"
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

/* TensorFlow's reciprocal roots differ by a unit in the last place where channels do not fill a vector of the processor. */
bool channels_are_one(const double *x, int64_t n)
{
    for (int64_t c = 1; x && c < n; c++)
        if (fabs(x[c] - x[0]) > (double)FLT_EPSILON * fabs(x[0]))
            return false;
    return true;
}

static bool are_zeros(const double *x, int64_t n)
{
    return channels_are_one(x, n) && at(x, 0, 0) == 0;
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

/* Exactly what a layer begins with; a summand of zeros may be there, or not. Returns its epsilon, 0 where it is not so. */
static double begun_epsilon(const struct site *s)
{
    const bool begun = channels_are_one(s->factor, s->channels) && are_zeros(s->summand, s->channels);

    return begun ? epsilon_of(s->factor[0]) : 0;
}

/* Without gamma the factor is of the variance alone, and without beta the summand of the mean: none is near by chance. */
static bool tells_statistics(const struct site *s)
{
    return (s->no_scale && !(channels_are_one(s->factor, s->channels) && epsilon_of(s->factor[0]) > 0)) ||
           (s->no_center && s->summand && !are_zeros(s->summand, s->channels));
}

/* gamma 1, beta 0, mean 0 and variance 1, or *near that: a layer that has hardly learned yet. Statistics that are measured
 * would make one of it that cannot learn any more: gamma would become a deviation, which may be very small. */
static bool is_fresh(const struct site *s, double epsilon, bool *near)
{
    const double deviation = sqrt(1 + epsilon);

    *near = false;
    if (s->layer)
        return s->bias < 0 || (s->summand && are_zeros(s->summand, s->channels));
    if (begun_epsilon(s) > 0 || tells_statistics(s))
        return begun_epsilon(s) > 0;
    for (int64_t c = 0; c < s->channels; c++)
        if (fabs(at(s->factor, c, 1) * deviation - 1) * 100 > NEAR || fabs(at(s->summand, c, 0)) * 100 > NEAR)
            return false;
    *near = s->channels >= FEW;
    return *near;
}

static bool is_all(const struct search *s, const struct value *v, double number)
{
    const struct tensor *t = v ? search_type(s, v) : NULL;

    return t && t->data && tensor_count(t) && tensor_is_uniform(t) && element_getter(t->dtype)(t->data, 0) == number;
}

/* Are there BatchNormalization nodes, and are all as layers begin? Every step of training moves all statistics. */
static bool nodes_are_fresh(const struct search *s)
{
    size_t count = 0;

    for (size_t k = 0; k < s->graph->node_count; k++) {
        const struct node *n = s->graph->nodes[k];

        if (!node_is(n, &op_batch_normalization))
            continue;
        if (!is_all(s, n->in[1], 1) || !is_all(s, n->in[2], 0) || !is_all(s, n->in[3], 0) || !is_all(s, n->in[4], 1))
            return false;
        count++;
    }
    return count;
}

/* Of a folded layer the factor does not tell. It is taken for fresh where all BatchNormalization that is left is, with
 * small biases where all else is fresh, too, or where all weights still are as they were drawn. */
static void find_fresh_layers(const struct search *search, const struct sites *sites)
{
    bool fresh = false, exact = false, all = true, drawn = true;
    const bool nodes = nodes_are_fresh(search);

    for (size_t k = 0; k < sites->count; k++) {
        const struct site *s = &sites->at[k];

        if (sites->kept[k])
            continue;
        fresh |= s->fresh && (!s->layer || s->summand);
        exact |= s->fresh ? !s->near : site_is_drawn(search, s);
        all = all && (s->fresh || s->layer);
        drawn = drawn && (s->fresh || site_is_drawn(search, s));
        for (int64_t c = 0; s->layer && c < s->channels; c++)
            all = all && fabs(at(s->summand, c, 0)) * 100 <= NEAR;
    }
    for (size_t k = 0; (nodes || ((fresh || drawn) && all)) && k < sites->count; k++) {
        struct site *s = &sites->at[k];

        s->near = !nodes && !exact;
        s->fresh |= !sites->kept[k];
    }
}

/* The epsilon of what has none: that which a factor of the same file shows, or what is usual. */
static double shown_epsilon(const struct sites *sites)
{
    for (size_t k = 0; k < sites->count; k++) {
        const struct site *s = &sites->at[k];

        if (!sites->kept[k] && !s->layer && s->fresh && begun_epsilon(s) > 0)
            return begun_epsilon(s);
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
            t->fresh = is_fresh(t, t->epsilon > 0 ? t->epsilon : asked > 0 ? asked : t->trace->epsilon, &t->near);
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

/* What is added by a layer that was never trained is a bias that was drawn: beta is 0 still. */
static void keep_drawn_biases(const struct sites *sites)
{
    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];

        if (sites->kept[k] || !t->fresh || !t->layer || !t->trace->draws_biases || !t->summand ||
            (channels_are_one(t->summand, t->channels) && t->summand[0] == 0))
            continue;
        t->keeps_bias = true;
        t->summand = NULL;
    }
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
    const double b = at(s->summand, c, 0);

    if (s->mean)
        return s->mean[c];
    if (s->fresh)
        return 0;
    if (s->no_center)
        return -b / at(s->factor, c, 1);
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
        return fmax(0, pow(at(s->gamma, c, 1) * scale / at(s->factor, c, 1), 2) - (double)(float)s->epsilon);
    return m->variance[c] * scale * scale;
}

/* Channels whose variance is measured, and those of them where it is smaller than an epsilon that is usual. */
static void count_small(const struct site *s, const struct moments *m, int64_t *channels, int64_t *small)
{
    for (int64_t c = 0; needs_variance(s) && c < s->channels; c++) {
        *small += variance_of(s, m, c, at(s->scale, c, 1)) < fmin(s->epsilon, 1e-3);
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

        if (sites->kept[k] || !needs_variance(t) ||
            adapt_choice(s->adapt, statistics_choices, sites->at[first[k]].name, NULL))
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
    const double scale = at(t->scale, c, 1);
    struct channel channel = {
        .factor = at(t->factor, c, 1) / scale,
        .summand = at(t->summand, c, 0),
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
    four[GAMMA][c] = t->variance ? at(t->gamma, c, found[GAMMA]) : found[GAMMA];
    four[BETA][c] = at(t->beta, c, found[BETA]);
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

    find_fresh(s, sites);
    if (!moments || !sites_find_shared(s, sites, first))
        return false;
    choose_fresh(s, sites, first);
    keep_drawn_biases(sites);
    choose_epsilon(s, sites);
    if (!sites_find_scales(s, sites, first) || !measure(s, sites, first, moments) ||
        !let_lagging_begin(s, sites, first, moments))
        return false;
    for (size_t k = 0; k < sites->count; k++)
        if (!sites->kept[k] && !complete(s, &sites->at[k], &moments[first[k]]))
            return false;
    return true;
}
