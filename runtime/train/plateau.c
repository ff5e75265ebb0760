#include "train/plateau.h"
#include <math.h>
#include <string.h>

#define FIELD(field) SPEC_FIELD(struct reduce_on_plateau, field)

static const struct spec_option options[] = {
    { FIELD(factor), "what the rate is multiplied by", SPEC_BELOW, .high = 1, .fallback = .1 },
    { FIELD(patience), "epochs without improvement before it is", SPEC_WHOLE, .high = 1e9, .fallback = 10 },
    { FIELD(min_delta), "less than that is no improvement", .high = 1e30, .fallback = 1e-4 },
    { FIELD(cooldown), "epochs after it that do not count", SPEC_WHOLE, .high = 1e9 },
    { FIELD(min_lr), "the rate is never less", .high = MOST_RATE },
    { 0 },
};
static const struct spec_row row = { "METRIC", "what must improve", options };

const struct spec_row *plateau_table(size_t k)
{
    return k ? NULL : &row;
}

/* The options stand behind the last colon, unless that is of the name of an output. */
bool plateau_parse(struct reduce_on_plateau *out, const struct trainer *t, const char *spec, struct report *r)
{
    static const struct spec_subject about = { "reduce_on_plateau", NULL, KILN_BAD_ARGUMENT };
    struct budget b = { 0 };
    struct arena scratch = { .budget = &b };
    const char *colon = strrchr(spec, ':'), *name;
    struct measure_name measure;
    bool ok;

    if (t->schedule.def)
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "the learning rate is that of schedule '%s', it cannot be reduced on a plateau, too",
                    t->schedule.def->row.name);
    colon = colon && strchr(colon, '=') ? colon : spec + strlen(spec);
    name = arena_printf(&scratch, r, "%.*s", (int)(colon - spec), spec);
    ok = name && measure_parse(&measure, t, name, r) && spec_read(out, &row, colon, &about, r);
    arena_release(&scratch);
    if (!ok)
        return false;
    out->measure = measure;
    out->on = true;
    return true;
}

void plateau_begin(struct plateau *p, const struct reduce_on_plateau *o, const struct trainer *t)
{
    *p = (struct plateau){ .best = o->on && !measure_lower_is_better(t, &o->measure) ? -INFINITY : INFINITY };
}

static bool improves(const struct plateau *p, const struct reduce_on_plateau *o, const struct trainer *t,
                     double measured)
{
    return measure_lower_is_better(t, &o->measure) ? measured + o->min_delta < p->best
                                                   : measured - o->min_delta > p->best;
}

void plateau_epoch(struct plateau *p, const struct reduce_on_plateau *o, struct trainer *t, double measured)
{
    if (p->cooldown > 0) {
        p->cooldown--;
        p->wait = 0;
    }
    if (improves(p, o, t, measured)) {
        p->best = measured;
        p->wait = 0;
    } else if (p->cooldown == 0 && ++p->wait >= (int64_t)o->patience && t->learning_rate > o->min_lr) {
        t->learning_rate = fmax(t->learning_rate * o->factor, o->min_lr);
        p->cooldown = (int64_t)o->cooldown;
        p->wait = 0;
    }
}
