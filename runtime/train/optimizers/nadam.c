/* Adam with Nesterov's momentum: u = b1 (1 - .96^t / 2), U the product of all u so far, u' the next u. With Adam's m
 * and v, w -= lr (u' m / (1 - U u') + (1 - u) g / (1 - U)) / (sqrt(v / (1 - b2^t)) + epsilon). */
#ifndef REAL
#include "train/optimizers/adam.h"
#include <math.h>

struct factors {
    double now, next, product; /* u, u', U */
};

enum { MOMENTUM, VELOCITY, PRODUCT }; /* slots */

static double one(const void *settings)
{
    (void)settings;
    return 1;
}

#define LOOPS "train/optimizers/nadam.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "now = beta_1 * (1 - .5 * pow(.96, t)); next = beta_1 * (1 - .5 * pow(.96, t + 1)); s2 = s2 * now;"
           "s0 = s0 + (g - s0) * (1 - beta_1); s1 = s1 + (g * g - s1) * (1 - beta_2);"
           "way = s0 * (rate * next / (1 - s2 * next)) + g * (rate * (1 - now) / (1 - s2));"
           "w = w - way / (sqrt(s1 / (1 - pow(beta_2, t))) + epsilon)";
}

const struct optimizer_def optimizer_nadam = {
    .row = { "nadam", "Adam with Nesterov's momentum (Dozat 2016)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct means, .001), MEAN_OPTIONS(struct means, MEAN_OF_SQUARES), { 0 } } },
    .title = "Nadam",
    .settings_size = sizeof(struct means),
    .slots = { [MOMENTUM] = { .name = "momentum" },
               [VELOCITY] = { .name = "velocity" },
               [PRODUCT] = { .name = "u_product", .begins = one, .shape = slot_is_scalar } },
    .prepared_size = sizeof(struct factors),
    .prepare = prepare_float,
    .prepare_double = prepare_double,
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

static REAL NAME(share)(int64_t step)
{
    return 1 - (REAL).5 * POW((REAL).96, (REAL)step);
}

static void NAME(prepare)(const struct UPDATE *u, void *prepared)
{
    const struct means *s = u->settings;
    const REAL beta = (REAL)s->beta_1;
    REAL *product = u->slots[PRODUCT];

    *product = *product * beta * NAME(share)(u->step);
    *(struct factors *)prepared = (struct factors){ (double)(beta * NAME(share)(u->step)),
                                                    (double)(beta * NAME(share)(u->step + 1)), (double)*product };
}

static bool NAME(apply)(const struct UPDATE *u)
{
    const struct means *s = u->settings;
    const struct factors *f = u->prepared;
    const REAL beta_1 = (REAL)s->beta_1, beta_2 = (REAL)s->beta_2, epsilon = (REAL)s->epsilon, lr = u->learning_rate;
    const REAL product = (REAL)f->product, next = (REAL)f->next;
    const REAL of_mean = lr * next / (1 - product * next), of_gradient = lr * (1 - (REAL)f->now) / (1 - product);
    const REAL of_square = 1 / (1 - POW(beta_2, (REAL)u->step));
    REAL *w = u->w, *m = u->slots[MOMENTUM], *v = u->slots[VELOCITY];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        m[k] += (g[k] - m[k]) * (1 - beta_1);
        v[k] += (g[k] * g[k] - v[k]) * (1 - beta_2);
        w[k] -= (m[k] * of_mean + g[k] * of_gradient) / (SQRT(v[k] * of_square) + epsilon);
    }
    return ALL_FINITE(w, u->n);
}

#endif
