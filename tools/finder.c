#include "finder.h"
#include "figure.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_STEPS = 10, ROWS = 20, PART = 30 /* of the steps: how far apart they smooth each other */, LITTLE = 100 };

struct finder {
    double from, to;
    int64_t steps, count; /* that there are to be, and were */
    double *rate, *loss, *smooth, *slope;
    double average, weight, least, first; /* of the losses so far, to see that they diverge */
    kiln_trainer *trainer;
    bool diverged, failed;
};

/* -- the pass -- */

/* A loss that is that much above the least one will not come back. */
static double ceiling(const struct finder *f)
{
    return f->least + 3 * fmax(fabs(f->first), fabs(f->least));
}

static bool on_step(void *user, const kiln_fit_step *s)
{
    const double keep = .9;
    struct finder *f = user;
    double average;

    f->rate[f->count] = kiln_trainer_learning_rate(f->trainer);
    f->loss[f->count++] = s->loss;
    f->average = keep * f->average + (1 - keep) * s->loss;
    f->weight = keep * f->weight + (1 - keep);
    average = f->average / f->weight;
    if (f->count == 1)
        f->first = f->least = average;
    f->least = fmin(f->least, average);
    f->diverged = average > ceiling(f);
    if (f->diverged || f->count == f->steps)
        return false;
    f->failed =
        kiln_trainer_set_learning_rate(
            f->trainer, f->from * pow(f->to / f->from, (double)f->count / (double)(f->steps - 1)), NULL) != KILN_OK;
    return !f->failed;
}

/* Steps in a pass over the data. */
static int64_t steps_of_pass(const struct train_options *o, const struct learn *l)
{
    const int64_t samples = kiln_dataset_about(l->train)->count, fixed = kiln_trainer_batch(l->trainer);

    if (o->fit.steps_per_epoch)
        return o->fit.steps_per_epoch;
    return fixed ? samples / fixed : samples / o->fit.batch + (samples % o->fit.batch > 0);
}

static bool run_pass(struct finder *f, const struct train_options *o, struct learn *l)
{
    kiln_fit_options fit = o->fit;
    struct command *c = &l->command;
    kiln_error err = { 0 };
    kiln_status got;

    fit.epochs = 1;
    fit.step = on_step;
    fit.user = f;
    c->teller.held = true; /* a loss that is no number is what ends it */
    got = kiln_trainer_fit(l->trainer, l->train, &fit, NULL, &err);
    c->teller.held = false;
    f->diverged |= got == KILN_RUN_FAILED;
    if (got == KILN_OK || (got == KILN_STOPPED && !f->failed && (f->diverged || f->count == f->steps)) ||
        (got == KILN_RUN_FAILED && f->count >= LEAST_STEPS))
        return true;
    c->err = err;
    return false;
}

/* -- what it tells -- */

/* A straight line through the losses around step k, the nearer the more they count: its height and slope there. Unlike
 * an average of the past it does not lag behind. */
static void fit_line(struct finder *f, int64_t k, double width)
{
    double w = 0, x = 0, y = 0, xx = 0, xy = 0, spread;

    for (int64_t i = 0; i < f->count; i++) {
        const double d = (double)(i - k), part = exp(-.5 * d * d / (width * width));

        if (fabs(d) > 4 * width)
            continue;
        w += part;
        x += part * d;
        y += part * f->loss[i];
        xx += part * d * d;
        xy += part * d * f->loss[i];
    }
    spread = w * xx - x * x;
    f->slope[k] = spread > 0 ? (w * xy - x * y) / spread : 0;
    f->smooth[k] = (y - f->slope[k] * x) / w;
}

struct advice {
    int64_t steepest, lowest; /* steps; steepest is -1 where no rate lowers the loss */
    double fall;              /* of the loss there, for 10 times the rate */
};

static struct advice advise(struct finder *f)
{
    const double width = fmax(1.5, (double)f->steps / PART), decade = (double)(f->steps - 1) / log10(f->to / f->from);
    struct advice a = { .steepest = -1 };
    double noise = 0, top = -INFINITY;

    for (int64_t k = 0; k < f->count; k++)
        fit_line(f, k, width);
    for (int64_t k = 0; k < f->count; k++)
        a.lowest = f->smooth[k] < f->smooth[a.lowest] ? k : a.lowest;
    for (int64_t k = 0; k <= a.lowest; k++) {
        noise += pow(f->loss[k] - f->smooth[k], 2);
        top = fmax(top, f->smooth[k]);
        if (k >= (int64_t)width && (a.steepest < 0 || f->slope[k] < f->slope[a.steepest]))
            a.steepest = k;
    }
    noise = sqrt(noise / (double)(a.lowest + 1) / width);
    if (a.steepest >= 0 &&
        (f->slope[a.steepest] >= 0 || top - f->smooth[a.lowest] <= fmax(2 * noise, fabs(top) / LITTLE)))
        a.steepest = -1;
    if (a.steepest >= 0)
        a.fall = -f->slope[a.steepest] * decade;
    return a;
}

static void print_rows(const struct finder *f)
{
    const int64_t every = (f->count + ROWS - 1) / ROWS;

    say("rate        loss, smoothed\n");
    for (int64_t k = 0; k < f->count; k++)
        if (k % every == 0 || k + 1 == f->count)
            say("%-10.2e  %.4f\n", f->rate[k], f->smooth[k]);
}

static void print_advice(const struct finder *f, const struct advice *a)
{
    if (f->diverged)
        say("diverged   at %.2g\n", f->rate[f->count - 1]);
    if (a->steepest < 0) {
        say("suggested  nothing: no rate from %.2g to %.2g lowers the loss by a hundredth and more than its noise\n",
            f->from, f->rate[f->count - 1]);
        return;
    }
    say("lowest     loss %.4f at %.2g, %s\n", f->smooth[a->lowest], f->rate[a->lowest],
        a->lowest + 1 < f->count ? "where a training would hardly go further"
                                 : "the end: with a greater one it may fall faster");
    say("suggested  learning_rate=%.2g: there the loss falls fastest, by %.3g for 10 times the rate\n",
        f->rate[a->steepest], a->fall);
}

static bool draw(const struct finder *f, const struct advice *a, const struct train_options *o, struct command *c)
{
    const struct series series[] = {
        { .name = "loss of the step", .color = 5, .y = f->loss, .count = (size_t)f->count, .x = f->rate },
        { .name = "smoothed", .y = f->smooth, .count = (size_t)f->count, .x = f->rate },
    };
    const struct panel panel = { .title = "loss",
                                 .series = series,
                                 .count = 2,
                                 .x_title = "learning rate",
                                 .log = true,
                                 .mark = a->steepest < 0 ? 0 : f->rate[a->steepest] };

    for (int64_t k = 0; k < f->count; k++) { /* else nothing of the rest would be seen */
        f->loss[k] = f->loss[k] > ceiling(f) ? (double)NAN : f->loss[k];
        f->smooth[k] = f->smooth[k] > ceiling(f) ? (double)NAN : f->smooth[k];
    }
    return figure_save(o->figure, o->learn.model, &panel, 1, c);
}

static bool find(struct finder *f, const struct train_options *o, struct learn *l)
{
    struct command *c = &l->command;
    struct advice a;

    if (f->steps < LEAST_STEPS)
        return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                            "a learning rate is found in %d steps or more, the data give %lld: --batch and "
                            "--steps-per-epoch change that",
                            (int)LEAST_STEPS, (long long)f->steps);
    f->rate = calloc((size_t)f->steps * 4, sizeof *f->rate);
    if (!f->rate)
        return command_no_memory(c);
    f->loss = f->rate + f->steps;
    f->smooth = f->loss + f->steps;
    f->slope = f->smooth + f->steps;
    if (kiln_trainer_set_learning_rate(l->trainer, f->from, &c->err) != KILN_OK)
        return false;
    if (!o->quiet) {
        training_say_start(o, l);
        say("search     %lld steps, the learning rate rises from %.2g to %.2g\n", (long long)f->steps, f->from, f->to);
        fflush(stdout);
    }
    if (!run_pass(f, o, l))
        return false;
    a = advise(f);
    if (!o->quiet)
        print_rows(f);
    print_advice(f, &a);
    return !o->figure || draw(f, &a, o, c);
}

bool finder_run(const struct train_options *o, struct learn *l)
{
    struct finder f = { .from = o->rate_from, .to = o->rate_to, .steps = steps_of_pass(o, l), .trainer = l->trainer };
    const bool ok = find(&f, o, l);

    free(f.rate);
    return ok;
}
