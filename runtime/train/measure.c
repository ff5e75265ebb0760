#include "train/measure.h"
#include "base/text.h"
#include <string.h>

/* -- names -- */

/* Would it be taken for another one, or for what validation makes of another? */
static bool is_taken(const struct trainer *t, const char *name)
{
    for (size_t k = 0; k < t->measure_count; k++) {
        const char *other = t->measures[k].name;

        if (strcmp(name, other) == 0 || (strncmp(name, "val_", 4) == 0 && strcmp(name + 4, other) == 0) ||
            (strncmp(other, "val_", 4) == 0 && strcmp(other + 4, name) == 0))
            return true;
    }
    return false;
}

static bool add_measure(struct trainer *t, int target, int metric, const char *name)
{
    if (name)
        t->measures[t->measure_count++] = (struct measure){ name, target, metric };
    return name;
}

static const char *metric_name(const struct target *t, int metric)
{
    return metric < 0 ? "loss" : t->metrics.each[metric].name;
}

static bool is_told(const struct target *t, int metric)
{
    return metric < 0 || t->metrics.each[metric].told;
}

/* What the measures of target k begin with: the output's name, or, where that would be ambiguous, its place. */
static const char *measures_of(struct trainer *t, size_t k, struct report *r)
{
    const char *stem = arena_printf(&t->arena, r, "%s_", t->targets[k].output->name);

    for (int m = -1; stem && m < (int)t->targets[k].metrics.count; m++) {
        const char *name = arena_printf(&t->arena, r, "%s%s", stem, metric_name(&t->targets[k], m));

        if (!name)
            return NULL;
        if (is_taken(t, name)) {
            return arena_printf(&t->arena, r, "output_%zu_", k + 1);
        }
    }
    return stem;
}

bool measures_name(struct trainer *t, struct report *r)
{
    const bool several = t->target_count > 1;
    size_t most = 1;
    bool ok;

    for (size_t k = 0; k < t->target_count; k++)
        most += 1 + t->targets[k].metrics.count;
    t->measures = arena_array(&t->arena, most, sizeof *t->measures, r);
    ok = t->measures && add_measure(t, -1, -1, "loss");
    for (size_t k = 0; ok && k < t->target_count; k++) {
        const char *stem = several ? measures_of(t, k, r) : "";

        ok = stem;
        for (int m = several ? -1 : 0; ok && m < (int)t->targets[k].metrics.count; m++)
            ok = !is_told(&t->targets[k], m) ||
                 add_measure(t, (int)k, m, arena_printf(&t->arena, r, "%s%s", stem, metric_name(&t->targets[k], m)));
    }
    return ok;
}

/* -- asked for -- */

bool measure_lower_is_better(const struct trainer *t, const struct measure_name *m)
{
    const struct measure *of = &t->measures[m->which];

    return of->metric < 0 || t->targets[of->target].metrics.each[of->metric].def->lower_is_better;
}

/* The column of the data that target k is held against, NULL where there is none. */
static const struct column *column_of(const struct trainer *t, const struct dataset *d, size_t k)
{
    for (size_t c = 0; c < d->targets; c++)
        if (column_is(&d->y[c], t->targets[k].output->name, d->targets == 1 && t->target_count == 1))
            return &d->y[c];
    return NULL;
}

bool measure_applies(const struct trainer *t, const struct dataset *data, size_t which)
{
    const struct measure *m = &t->measures[which];
    const struct metric *metric;
    const struct column *c;
    const struct loss *loss;

    if (m->metric < 0)
        return true;
    c = column_of(t, data, (size_t)m->target);
    loss = &t->targets[m->target].loss;
    metric = &t->targets[m->target].metrics.each[m->metric];
    /* a single number that is compared as such is no class, though it be whole */
    return c && (metric->asked ||
                 metric->def->applies(loss->def,
                                      column_has_labels(c) && (loss->width > 1 || loss->def->labels < LABELS_NUMBERS)));
}

bool measure_parse(struct measure_name *out, const struct trainer *t, const char *name, struct report *r)
{
    struct budget b = { 0 };
    struct text names = { .budget = &b };

    for (int validation = 0; validation < 2; validation++)
        for (size_t k = 0; k < t->measure_count; k++) {
            *out = (struct measure_name){ k, validation };
            if ((!validation || strncmp(name, "val_", 4) == 0) &&
                strcmp(t->measures[k].name, name + 4 * validation) == 0)
                return true;
        }
    for (size_t k = 0; k < t->measure_count; k++)
        text_printf(&names, "%s, ", t->measures[k].name);
    fail(r, KILN_BAD_ARGUMENT, NULL, "metric '%.60s' is unknown, must be %swith val_ before it or without", name,
         names.failed ? "" : names.data);
    text_release(&names);
    return false;
}
