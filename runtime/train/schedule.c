#include "train/schedule.h"
#include <math.h>

const struct spec_row *schedule_table(size_t k)
{
    return schedule_registry[k] ? &schedule_registry[k]->row : NULL;
}

bool schedule_parse(struct schedule *out, const char *spec, double rate, struct arena *arena, struct report *r)
{
    const struct spec_subject about = { "schedule", NULL, KILN_BAD_ARGUMENT };
    const struct spec_row *row = spec ? spec_find(schedule_table, spec, &about, r) : NULL;
    const struct schedule_def *def = (const struct schedule_def *)row;
    const struct spec_option *initial;
    const char *wrong;

    *out = (struct schedule){ 0 };
    if (!row)
        return !spec;
    out->settings = arena_alloc(arena, def->settings_size, r);
    if (!out->settings || !spec_read(out->settings, row, spec, &about, r))
        return false;
    wrong = def->refuses ? def->refuses(out->settings) : NULL;
    if (wrong)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "schedule '%s': %s", row->name, wrong);
    out->def = def;
    initial = spec_option_of(row, "initial_learning_rate");
    out->initial = (float)(initial ? spec_value(row, out->settings, initial->key) : (double)NAN);
    if (isnan(out->initial))
        out->initial = (float)rate;
    return true;
}

double schedule_rate(const struct schedule *s, int64_t step)
{
    return (double)s->def->rate(s->settings, s->initial, step);
}

bool warmup_rate(const struct warmup *w, float initial, float t, float *rate)
{
    const float steps = (float)w->steps;

    if (isnan(w->target) || !(t < steps))
        return false;
    *rate = ((float)w->target - initial) * (t / steps) + initial;
    return true;
}
