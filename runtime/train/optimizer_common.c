#ifndef REAL
#include "train/optimizer_common.h"
#include <math.h>
#include <string.h>

/* -- options -- */

#define OPTION(field) SPEC_FIELD(struct common_settings, field)
#define MOST          1e30

const struct spec_option common_options[] = {
    { OPTION(weight_decay), "how much decays, times learning_rate", .high = MOST },
    { OPTION(clipnorm), "length that a tensor's gradient may have; 0: any", .high = MOST },
    { OPTION(clipvalue), "what an element of one may be; 0: anything", .high = MOST },
    { OPTION(global_clipnorm), "length that all together may have; 0: any", .high = MOST },
    { OPTION(gradient_accumulation_steps), "batches for one update", SPEC_WHOLE, .low = 1, .high = 1e6, .fallback = 1 },
    { OPTION(use_ema), "moving averages, which parameters become in the end", SPEC_FLAG },
    { OPTION(ema_momentum), "how much of an average stays", .high = 1, .fallback = .99 },
    { OPTION(ema_overwrite_frequency), "updates until they do; 0: the end", SPEC_WHOLE, .high = 1e9 },
    { 0 }
};

const char *const common_slot_names[COMMON_SLOTS] = {
    [SLOT_ACCUMULATOR] = "gradient_accumulator", [SLOT_AVERAGE] = "moving_average"
};

static bool refuse(const struct spec_row *row, const struct spec_subject *about, const char *what, struct report *r)
{
    return fail(r, about->code, about->where, "%s '%s': %s", about->kind, row->name, what);
}

bool common_check(const struct common_settings *s, const struct spec_row *row, const struct spec_subject *about,
                  struct report *r)
{
    if ((s->clipnorm > 0) + (s->clipvalue > 0) + (s->global_clipnorm > 0) > 1)
        return refuse(row, about, "'clipnorm', 'clipvalue' and 'global_clipnorm' are given, must be one of them", r);
    if (s->ema_overwrite_frequency > 0 && !s->use_ema)
        return refuse(row, about, "'ema_overwrite_frequency' is given, needs use_ema=1", r);
    return true;
}

bool common_needs_slot(const struct common_settings *s, int slot)
{
    return slot == SLOT_AVERAGE ? s->use_ema : s->gradient_accumulation_steps > 1;
}

/* -- steps -- */

struct common_step common_step_at(const struct common_settings *s, int64_t number)
{
    const int64_t each = (int64_t)s->gradient_accumulation_steps, every = (int64_t)s->ema_overwrite_frequency;
    const int64_t before = number / each;

    return (struct common_step){ .settings = s,
                                 .update = before + 1,
                                 .updates = (number + 1) % each == 0,
                                 .average_begins = before == 0,
                                 .overwrites = every && (before + 1) % every == 0 };
}

bool common_changes_gradients(const struct common_settings *s)
{
    return s->clipnorm > 0 || s->clipvalue > 0 || s->global_clipnorm > 0 || s->gradient_accumulation_steps > 1;
}

struct common_clip common_clip_of(const struct common_settings *s, double square, double square_of_all)
{
    if (s->clipnorm > 0)
        return (struct common_clip){ s->clipnorm, fmax(sqrt(square), s->clipnorm) };
    if (s->global_clipnorm > 0)
        return (struct common_clip){ s->global_clipnorm * fmin(1 / sqrt(square_of_all), 1 / s->global_clipnorm), 1 };
    return (struct common_clip){ 1, 1 };
}

/* -- loops -- */

#define LOOPS "train/optimizer_common.c"
#include "train/each_real.h"

double common_measure(const struct common_step *c, const struct common_range *x)
{
    return x->dtype == F64 ? measure_double(c, x) : measure_float(c, x);
}

void common_gradient(const struct common_step *c, const struct common_range *x, struct common_clip clip, void *out)
{
    if (!x->n)
        return;
    if (x->dtype == F64)
        gradient_double(c, x, clip, out);
    else
        gradient_float(c, x, clip, out);
}

void common_decay(const struct common_settings *s, double learning_rate, const struct common_range *x)
{
    if (x->dtype == F64)
        decay_double(s, learning_rate, x);
    else
        decay_float(s, learning_rate, x);
}

void common_accumulate(const struct common_range *x)
{
    if (x->dtype == F64)
        accumulate_double(x);
    else
        accumulate_float(x);
}

void common_average(const struct common_step *c, const struct common_range *x)
{
    if (x->dtype == F64)
        average_double(c, x);
    else
        average_float(c, x);
}

#else

double SUM_SQUARES(const REAL *x, int64_t n)
{
    enum { LANES = 8 }; /* sums side by side */
    double sum[LANES] = { 0 }, all = 0;
    int64_t k = 0;

    for (; k + LANES <= n; k += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sum[lane] += (double)x[k + lane] * (double)x[k + lane];
    for (; k < n; k++)
        all += (double)x[k] * (double)x[k];
    for (int lane = 0; lane < LANES; lane++)
        all += sum[lane];
    return all;
}

/* The mean over the batches that were accumulated, of n elements from `at` on. What is no number stays so. */
static void NAME(given)(const struct common_step *c, const struct common_range *x, int64_t at, int64_t n, REAL *out)
{
    const REAL *g = (const REAL *)x->g + at, *sum = x->accumulator ? (const REAL *)x->accumulator + at : NULL;
    const REAL steps = (REAL)c->settings->gradient_accumulation_steps, most = (REAL)c->settings->clipvalue;

    if (sum && c->updates) {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            out[k] = (g[k] + sum[k]) / steps;
    } else {
        memcpy(out, g, (size_t)n * sizeof *g);
    }
    if (most > 0 && c->updates) {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            out[k] = out[k] > most ? most : out[k] < -most ? -most : out[k];
    }
}

static double NAME(measure)(const struct common_step *c, const struct common_range *x)
{
    enum { BLOCK = 512 };
    REAL block[BLOCK];
    double sum = 0;

    for (int64_t at = 0; at < x->n; at += BLOCK) {
        const int64_t n = x->n - at < BLOCK ? x->n - at : BLOCK;

        NAME(given)(c, x, at, n, block);
        sum += SUM_SQUARES(block, n);
    }
    return sum;
}

static void NAME(gradient)(const struct common_step *c, const struct common_range *x, struct common_clip clip,
                           REAL *out)
{
    const REAL times = (REAL)clip.times, by = (REAL)clip.by;

    NAME(given)(c, x, 0, x->n, out);
    if (x->accumulator)
        memset(x->accumulator, 0, (size_t)x->n * sizeof *out);
    if (times == 1 && by == 1)
        return;
    INDEPENDENT
    for (int64_t k = 0; k < x->n; k++)
        out[k] = out[k] * times / by;
}

/* What is infinite, as in a mask, stays so. */
static void NAME(decay)(const struct common_settings *s, double learning_rate, const struct common_range *x)
{
    const REAL decay = (REAL)s->weight_decay, rate = (REAL)learning_rate;
    REAL *w = x->w;

    INDEPENDENT
    for (int64_t k = 0; k < x->n; k++)
        w[k] -= w[k] - w[k] == 0 ? w[k] * decay * rate : 0;
}

static void NAME(accumulate)(const struct common_range *x)
{
    REAL *sum = x->accumulator;
    const REAL *g = x->g;

    INDEPENDENT
    for (int64_t k = 0; k < x->n; k++)
        sum[k] += g[k];
}

static void NAME(average)(const struct common_step *c, const struct common_range *x)
{
    const REAL stays = c->average_begins ? 0 : (REAL)c->settings->ema_momentum, comes = 1 - stays;
    REAL *average = x->average, *w = x->w;

    if (stays == 0) {
        memcpy(average, w, (size_t)x->n * sizeof *w);
        return;
    }
    INDEPENDENT
    for (int64_t k = 0; k < x->n; k++)
        average[k] = stays * average[k] + comes * w[k];
    if (c->overwrites)
        memcpy(w, average, (size_t)x->n * sizeof *w);
}

#endif
