/* Which BatchNormalization was never trained, or hardly: with what it began, or near that. */
#include "adapt/facts.h"
#include "adapt/normalization/normalization.h"
#include "data/element.h"
#include "ops/registry.h"
#include <float.h>
#include <math.h>
#include <string.h>

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
    return channels_are_one(x, n) && site_at(x, 0, 0) == 0;
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
        if (fabs(site_at(s->factor, c, 1) * deviation - 1) * 100 > NEAR || fabs(site_at(s->summand, c, 0)) * 100 > NEAR)
            return false;
    *near = s->channels >= FEW;
    return *near;
}

static bool is_all(const struct search *s, const struct value *v, double number)
{
    const struct tensor *t = v ? search_type(s, v) : NULL;

    return tensor_is_all(t, number);
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
            all = all && fabs(site_at(s->summand, c, 0)) * 100 <= NEAR;
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

void sites_find_fresh(struct search *s, const struct sites *sites)
{
    const double asked = s->adapt->options->epsilon;

    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];

        if (!sites->kept[k] && !(t->mean && t->variance))
            t->fresh = is_fresh(t, t->epsilon > 0 ? t->epsilon : asked > 0 ? asked : t->trace->epsilon, &t->near);
    }
    find_fresh_layers(s, sites);
}

const char *site_statistics_asked(struct search *s, const struct site *t)
{
    return adapt_choice(s->adapt, statistics_choices, t->name, NULL);
}

/* A layer that is used several times is one: what is chosen for one place is chosen for all. */
static void choose_fresh(struct search *s, const struct sites *sites, const size_t *first)
{
    for (size_t k = 0; k < sites->count; k++) {
        const char *chosen = sites->kept[k] ? NULL : site_statistics_asked(s, &sites->at[k]);

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
            are_zeros(t->summand, t->channels))
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

void sites_choose_fresh(struct search *s, const struct sites *sites, const size_t *first)
{
    choose_fresh(s, sites, first);
    keep_drawn_biases(sites);
    choose_epsilon(s, sites);
}
