#include "data/normalizer.h"
#include "base/spec.h"
#include "data/element.h"
#include "data/stream.h"
#include <math.h>
#include <string.h>

const char *const normalization_names[NORMALIZATIONS] = { "none", "unit", "center", "standardize" };

const char *const normalization_of_names[NORMALIZATIONS_OF] = { "feature", "channel", "whole" };

/* Below this a feature is taken to be constant: dividing would only blow up what other sets have there. */
static const double least_deviation = 1e-7;

/* The rows of a data set that one of its columns is fitted to. */
struct rows {
    const struct dataset *data;
    size_t column; /* of its inputs */
    int64_t count; /* that there were, in the pass before */
    int64_t features;
    int64_t groups, inner; /* feature f is of group f / inner % groups, which shares a mean; groups 0: each is one */
};

/* Sums of some samples, or of the squares of their distance from the mean; in double, because there are many. */
static void add_rows(double *sum, const struct rows *d, const struct walk *w, const float *mean, float *sample)
{
    const struct tensor *values = &w->x[d->column].values;

    for (int64_t i = w->from; i < w->from + w->count; i++) {
        elements_to_float(values->dtype, values->data, i * d->features, d->features, sample);
        if (mean)
            for (int64_t f = 0; f < d->features; f++)
                sum[f] += ((double)sample[f] - (double)mean[f]) * ((double)sample[f] - (double)mean[f]);
        else
            for (int64_t f = 0; f < d->features; f++)
                sum[f] += (double)sample[f];
    }
}

static bool sum_up(double *sum, struct rows *d, const float *mean, float *sample, struct budget *b, struct report *r)
{
    struct walk w;
    bool ok;

    for (int64_t f = 0; f < d->features; f++)
        sum[f] = 0;
    d->count = 0;
    if (!walk_begin(&w, d->data, b, r))
        return false;
    while ((ok = walk_next(&w, r)) && w.count) {
        add_rows(sum, d, &w, mean, sample);
        d->count += w.count;
    }
    walk_end(&w);
    return ok;
}

/* In the place of each feature's sum the mean of those of its group. */
static void share(double *sum, const struct rows *d)
{
    for (int64_t g = 0; g < d->groups; g++) {
        double all = 0;

        for (int64_t f = 0; f < d->features; f++)
            all += f / d->inner % d->groups == g ? sum[f] : 0;
        for (int64_t f = 0; f < d->features; f++)
            if (f / d->inner % d->groups == g)
                sum[f] = all * (double)d->groups / (double)d->features;
    }
}

static bool fit(struct scaling *s, struct rows *d, double *sum, float *sample, struct budget *b, struct report *r)
{
    if (!sum_up(sum, d, NULL, sample, b, r))
        return false;
    share(sum, d);
    for (int64_t f = 0; f < d->features; f++)
        s->mean[f] = (float)(sum[f] / (double)d->count);
    if (!s->deviation)
        return true;
    if (!sum_up(sum, d, s->mean, sample, b, r))
        return false;
    share(sum, d);
    for (int64_t f = 0; f < d->features; f++) {
        const double deviation = sqrt(sum[f] / (double)d->count);

        s->deviation[f] = deviation < least_deviation ? 1 : (float)deviation;
    }
    return true;
}

static bool fit_column(struct normalizer *n, struct scaling *s, struct rows *d, struct report *r)
{
    struct budget *b = n->memory.budget;
    const size_t features = (size_t)d->features;
    double *sum;
    float *row;
    bool ok;

    *s = (struct scaling){ .kind = n->kind, .features = d->features };
    if (n->kind == NORMALIZE_NONE || n->kind == NORMALIZE_UNIT)
        return true;
    s->mean = arena_array(&n->memory, features, sizeof(float), r);
    if (s->mean && n->kind == NORMALIZE_STANDARDIZE)
        s->deviation = arena_array(&n->memory, features, sizeof(float), r);
    sum = budget_zalloc(b, features, sizeof *sum, r);
    row = budget_zalloc(b, features, sizeof *row, r);
    ok = sum && row && s->mean && (s->deviation || n->kind == NORMALIZE_CENTER);
    ok = ok && fit(s, d, sum, row, b, r);
    budget_free(b, sum);
    budget_free(b, row);
    return ok;
}

static bool copy_name(struct normalizer *n, struct scaling *s, const char *name, struct report *r)
{
    s->name = name ? arena_printf(&n->memory, r, "%s", name) : NULL;
    return s->name || !name;
}

static bool is_channels(int64_t n)
{
    return n == 1 || n == 3 || n == 4;
}

/* An image without a dimension for channels has one. */
static bool find_groups(struct rows *d, const struct tensor *sample, enum normalization_of of, struct report *r)
{
    const bool image = sample->rank == 3 && (is_channels(sample->dims[2]) || is_channels(sample->dims[0]));
    const bool first = image && !is_channels(sample->dims[2]);
    char text[TYPE_TEXT];

    if (of == NORMALIZE_CHANNELS && !image && sample->rank > 2)
        return fail(r, KILN_BAD_DATA, NULL,
                    "samples are %s: channels are the last of 3 dimensions, or the first, and 1, "
                    "3 or 4",
                    tensor_text(sample, text));
    d->groups = of == NORMALIZE_WHOLE      ? 1
                : of != NORMALIZE_CHANNELS ? 0
                : image                    ? sample->dims[first ? 0 : 2]
                                           : sample->rank == 2;
    d->inner = first ? sample->dims[1] * sample->dims[2] : 1;
    return true;
}

bool normalizer_fit(struct normalizer *n, enum normalization kind, const struct dataset *train, struct budget *b,
                    struct report *r)
{
    return normalizer_fit_of(n, kind, NORMALIZE_FEATURES, train, b, r);
}

bool normalizer_fit_of(struct normalizer *n, enum normalization kind, enum normalization_of of,
                       const struct dataset *train, struct budget *b, struct report *r)
{
    const bool fits = kind == NORMALIZE_CENTER || kind == NORMALIZE_STANDARDIZE;
    bool ok;

    *n = (struct normalizer){ .kind = kind, .inputs = train->inputs, .memory.budget = b };
    n->of = arena_array(&n->memory, train->inputs, sizeof *n->of, r);
    ok = n->of;
    for (size_t k = 0; ok && k < train->inputs; k++) {
        const struct tensor sample = column_sample(&train->x[k]);
        struct rows rows = { train, k, 0, tensor_count(&sample), 0, 1 };

        ok = find_groups(&rows, &sample, fits ? of : NORMALIZE_FEATURES, r) && fit_column(n, &n->of[k], &rows, r) &&
             copy_name(n, &n->of[k], train->x[k].name, r);
    }
    if (!ok)
        normalizer_release(n);
    return ok;
}

void normalizer_release(struct normalizer *n)
{
    arena_release(&n->memory);
    *n = (struct normalizer){ .memory.budget = n->memory.budget };
}

const struct scaling *scaling_find(const struct normalizer *n, const char *name)
{
    for (size_t k = 0; k < n->inputs; k++)
        if (column_is(&(struct column){ .name = n->of[k].name }, name, n->inputs == 1))
            return &n->of[k];
    return NULL;
}

float scaling_value(const struct scaling *s, int64_t f, float value)
{
    switch (s->kind) {
    case NORMALIZE_UNIT:
        return value / 255;
    case NORMALIZE_CENTER:
        return value - s->mean[f];
    case NORMALIZE_STANDARDIZE:
        return (value - s->mean[f]) / s->deviation[f];
    case NORMALIZE_NONE:
    case NORMALIZATIONS:
        break;
    }
    return value;
}

void scaling_apply(const struct scaling *s, float *sample, int64_t features)
{
    switch (s->kind) {
    case NORMALIZE_UNIT:
        for (int64_t f = 0; f < features; f++)
            sample[f] /= 255;
        break;
    case NORMALIZE_CENTER:
        for (int64_t f = 0; f < features; f++)
            sample[f] -= s->mean[f];
        break;
    case NORMALIZE_STANDARDIZE:
        for (int64_t f = 0; f < features; f++)
            sample[f] = (sample[f] - s->mean[f]) / s->deviation[f];
        break;
    case NORMALIZE_NONE:
    case NORMALIZATIONS:
        break;
    }
}

/* -- as text -- */

void scaling_write(struct text *to, const struct scaling *s)
{
    text_printf(to, "%s", normalization_names[s->kind]);
    if (s->mean)
        text_printf(to, " %lld", (long long)s->features);
    for (int64_t f = 0; s->mean && f < s->features; f++)
        text_printf(to, " %.9g", (double)s->mean[f]);
    for (int64_t f = 0; s->deviation && f < s->features; f++)
        text_printf(to, " %.9g", (double)s->deviation[f]);
}

static bool read_kind(struct scaling *s, const char **at)
{
    const size_t n = strcspn(*at, " ");

    for (int k = 0; k < NORMALIZATIONS; k++)
        if (strlen(normalization_names[k]) == n && strncmp(normalization_names[k], *at, n) == 0) {
            s->kind = (enum normalization)k;
            *at += n;
            return true;
        }
    return false;
}

static bool read_float(const char **at, double *out)
{
    size_t n;

    *at += strspn(*at, " ");
    n = decimal_read(*at, out);
    *at += n;
    return n && isfinite((float)*out);
}

/* [features] numbers, which are above 0 where they divide; NULL where there is no memory, or *ok is false. */
static float *read_floats(const struct scaling *s, const char **at, bool divide, struct arena *a, bool *ok,
                          struct report *r)
{
    float *to = arena_array(a, (size_t)s->features, sizeof *to, r);
    double x;

    for (int64_t f = 0; to && *ok && f < s->features; f++) {
        *ok = read_float(at, &x) && (!divide || (float)x > 0);
        to[f] = *ok ? (float)x : 0;
    }
    return to;
}

bool scaling_read(struct scaling *out, const char *text, const char *name, struct arena *a, struct report *r)
{
    const char *at = text;
    double features = 0;
    bool ok;

    *out = (struct scaling){ .name = name };
    ok = read_kind(out, &at);
    if (ok && (out->kind == NORMALIZE_CENTER || out->kind == NORMALIZE_STANDARDIZE)) {
        /* a number takes two bytes at least: no more is asked for than the text can hold */
        ok = read_float(&at, &features) && features >= 1 && features <= (double)strlen(at) &&
             features == floor(features);
        out->features = ok ? (int64_t)features : 0;
        out->mean = ok ? read_floats(out, &at, false, a, &ok, r) : NULL;
        if (ok && out->mean && out->kind == NORMALIZE_STANDARDIZE)
            out->deviation = read_floats(out, &at, true, a, &ok, r);
        if (ok && (!out->mean || (!out->deviation && out->kind == NORMALIZE_STANDARDIZE)))
            return false;
    }
    return (ok && !at[strspn(at, " ")]) ||
           fail(r, KILN_BAD_MODEL, NULL,
                "the metadata's normalisation of '%s' is '%.40s', must be none, unit, center N "
                "MEAN..., or standardize N MEAN... DEVIATION...",
                name, text);
}
