#include "train/optimizer.h"
#include <math.h>

/* -- what is asked for -- */

const struct spec_row *optimizer_table(size_t k)
{
    return optimizer_registry[k] ? &optimizer_registry[k]->row : NULL;
}

static void find_slots(struct optimizer *o)
{
    for (int k = 0; k < OWN_SLOTS && o->def->slots[k].name; k++) {
        const struct slot_def *slot = &o->def->slots[k];

        if (slot->needed_by && spec_value(&o->def->row, o->settings, slot->needed_by) == 0)
            continue;
        o->slot_names[o->slots] = slot->name;
        o->slot_place[o->slots++] = k;
    }
    o->own_slots = o->slots;
    for (int k = 0; k < COMMON_SLOTS; k++) {
        const bool needed = common_needs_slot(&o->common, k);

        o->common_slot[k] = needed ? o->slots : -1;
        if (needed)
            o->slot_names[o->slots++] = common_slot_names[k];
    }
}

/* An optimiser that is known for its decay says how much that is where nothing is asked for. */
static void take_own(struct optimizer *o)
{
    if (spec_option_of(&o->def->row, "weight_decay"))
        o->common.weight_decay = spec_value(&o->def->row, o->settings, "weight_decay");
}

bool optimizer_parse(struct optimizer *out, const char *spec, struct arena *arena, struct report *r)
{
    const struct spec_subject about = { "optimizer", NULL, KILN_BAD_ARGUMENT };
    const struct spec_row *row = spec_find(optimizer_table, spec, &about, r);
    const struct spec_common common = { common_options, &out->common };

    if (!row)
        return false;
    *out = (struct optimizer){ .def = (const struct optimizer_def *)row };
    out->settings = arena_alloc(arena, out->def->settings_size, r);
    if (!out->settings || !spec_read_with(out->settings, row, &common, spec, &about, r))
        return false;
    take_own(out);
    if (!common_check(&out->common, row, &about, r))
        return false;
    out->learning_rate = spec_value(row, out->settings, "learning_rate");
    find_slots(out);
    return true;
}

/* -- slots -- */

void slot_is_scalar(const struct tensor *parameter, struct tensor *slot)
{
    (void)parameter;
    slot->rank = 0;
}

struct tensor optimizer_slot(const struct optimizer *o, int k, const struct tensor *parameter, double *begins)
{
    const struct slot_def *def = k < o->own_slots ? &o->def->slots[o->slot_place[k]] : NULL;
    struct tensor slot = *parameter;

    slot.data = NULL;
    *begins = def && def->begins ? def->begins(o->settings) : 0;
    if (def && def->shape)
        def->shape(parameter, &slot);
    return slot;
}

/* -- arithmetic -- */

struct update optimizer_update(const struct optimizer *o, const struct kernels *k, float learning_rate, int64_t step)
{
    return (struct update){ .settings = o->settings,
                            .learning_rate = learning_rate,
                            .rate = o->def->rate ? o->def->rate(o->settings, learning_rate, step) : learning_rate,
                            .step = step,
                            .kernels = k };
}

bool has_become_infinite(double was, double now)
{
    return !isfinite(now) && now != was && !isnan(was);
}

double real_at(enum dtype dtype, const void *x, int64_t k)
{
    return dtype == F64 ? ((const double *)x)[k] : (double)((const float *)x)[k];
}

bool all_finite(const float *x, int64_t n)
{
    bool finite = true;

    for (int64_t k = 0; k < n; k++)
        finite &= (bool)isfinite(x[k]);
    return finite;
}

bool all_finite_double(const double *x, int64_t n)
{
    bool finite = true;

    for (int64_t k = 0; k < n; k++)
        finite &= (bool)isfinite(x[k]);
    return finite;
}
