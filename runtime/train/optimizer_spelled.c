/* The update of all parameters in operators of the standard, for a file. */
#include "ops/equation.h"
#include "ops/rank.h"
#include "train/optimizer.h"
#include <stdio.h>

struct spelling {
    struct emitter *e;
    const struct optimizer *o;
    const struct optimizer_inputs *in;
    struct value *before;     /* updates that lie behind: int64 */
    struct value *updates;    /* bool: does this step update? NULL: each does */
    struct value *begins;     /* averages begin */
    struct value *overwrites; /* parameters become their averages; NULL: never */
    struct value *square;     /* of all gradients together; NULL: nobody asks */
    struct value **gradient;  /* [parameters] as the optimiser is given it, before it is clipped by a norm */
};

static struct value *whole(struct spelling *a, double n)
{
    return emit_scalar(a->e, I64, n);
}

/* Of the step's number, what is the same for all. */
static bool begin(struct spelling *a, struct value *step)
{
    const struct common_settings *s = &a->o->common;
    struct emitter *e = a->e;
    struct value *next;

    a->before = step;
    if (s->gradient_accumulation_steps > 1) {
        struct value *each = whole(a, s->gradient_accumulation_steps);

        a->before = emit(e, "Div", "", 2, step, each);
        next = emit(e, "Mod", "", 2, emit(e, "Add", "", 2, step, whole(a, 1)), each);
        a->updates = emit(e, "Equal", "", 2, next, whole(a, 0));
    }
    if (s->use_ema)
        a->begins = emit(e, "Equal", "", 2, a->before, whole(a, 0));
    if (s->ema_overwrite_frequency > 0) {
        next =
            emit(e, "Mod", "", 2, emit(e, "Add", "", 2, a->before, whole(a, 1)), whole(a, s->ema_overwrite_frequency));
        a->overwrites = emit(e, "Equal", "", 2, next, whole(a, 0));
    }
    return !e->failed;
}

static enum dtype dtype_of(const struct spelling *a, size_t k)
{
    return known_of(a->in->parameter[k]).dtype;
}

static struct value *slot_of(const struct spelling *a, size_t k, int slot)
{
    return slot < 0 ? NULL : a->in->slots[k * (size_t)a->o->slots + (size_t)slot];
}

/* Mean over the batches that were accumulated, and no element above what is allowed. */
static bool given(struct spelling *a, size_t k)
{
    const struct common_settings *c = &a->o->common;
    struct value *sum = slot_of(a, k, a->o->common_slot[SLOT_ACCUMULATOR]);
    struct equation s = { .e = a->e, .dtype = dtype_of(a, k) };

    equation_settings(&s, common_options, c);
    equation_value(&s, "g", a->in->gradient[k]);
    if (sum) {
        equation_value(&s, "sum", sum);
        equation_emit(&s, "g = (g + sum) / gradient_accumulation_steps");
    }
    if (c->clipvalue > 0)
        equation_emit(&s, "g = max(min(g, clipvalue), -clipvalue)");
    a->gradient[k] = equation_result(&s, "g");
    if (c->global_clipnorm > 0) {
        struct value *square;

        equation_emit(&s, "square = total(g * g)");
        square = emit_cast_from(a->e, equation_result(&s, "square"), s.dtype, F64);
        a->square = a->square ? emit(a->e, "Add", "", 2, a->square, square) : square;
    }
    return !a->e->failed;
}

/* Where the step does not update, what was. */
static struct value *chosen(struct spelling *a, struct value *next, struct value *was)
{
    return a->updates && next != was ? emit(a->e, "Where", "", 3, a->updates, next, was) : next;
}

static void name_all(struct spelling *a, size_t k, struct equation *s, char names[OWN_SLOTS][8])
{
    const struct optimizer *o = a->o;
    struct value *rate = a->in->rate, *t = emit(a->e, "Add", "", 2, a->before, whole(a, 1));

    if (a->in->rate_factor[k] != 1)
        rate = emit(a->e, "Mul", "", 2, rate, emit_scalar(a->e, F64, a->in->rate_factor[k]));
    equation_settings(s, common_options, &o->common);
    equation_settings(s, o->def->row.options, o->settings);
    if (o->common.weight_decay > 0) /* which a row may have of its own */
        equation_number(s, "weight_decay", o->common.weight_decay);
    equation_value(s, "rate", emit_cast_from(a->e, rate, F64, s->dtype));
    equation_value(s, "t", emit_cast(a->e, t, s->dtype));
    equation_value(s, "w", a->in->parameter[k]);
    equation_value(s, "g", a->gradient[k]);
    for (int i = 0; i < o->own_slots; i++) {
        snprintf(names[i], sizeof names[i], "s%d", o->slot_place[i]);
        equation_value(s, names[i], slot_of(a, k, i));
    }
}

/* What all optimisers do before their own update. */
static void before_update(struct spelling *a, size_t k, struct equation *s)
{
    const struct common_settings *c = &a->o->common;

    if (c->clipnorm > 0)
        equation_emit(s, "g = g * clipnorm / max(sqrt(total(g * g)), clipnorm)");
    if (c->global_clipnorm > 0) {
        equation_value(s, "all", emit_cast_from(a->e, a->square, F64, s->dtype));
        equation_emit(s, "g = g * (global_clipnorm * min(1 / sqrt(all), 1 / global_clipnorm))");
    }
    if (c->weight_decay > 0 && a->in->decays[k]) /* what is infinite stays so */
        equation_emit(s, "w = w - where(abs(w) < 3.4e38, w * weight_decay * rate, 0)");
}

static void average(struct spelling *a, size_t k, struct value **next, struct value **slots, struct equation *s)
{
    const int slot = a->o->common_slot[SLOT_AVERAGE];

    if (slot < 0)
        return;
    equation_value(s, "w", *next);
    equation_value(s, "average", slot_of(a, k, slot));
    equation_value(s, "begins", a->begins);
    equation_emit(s, "average = where(begins, w, ema_momentum * average + (1 - ema_momentum) * w)");
    slots[slot] = equation_result(s, "average");
    if (a->overwrites)
        *next = emit(a->e, "Where", "", 3, a->overwrites, slots[slot], *next);
}

static bool update(struct spelling *a, size_t k, struct value **next, struct value **slots)
{
    const struct optimizer *o = a->o;
    const int sum = o->common_slot[SLOT_ACCUMULATOR];
    struct equation s = { .e = a->e, .dtype = dtype_of(a, k) };
    char names[OWN_SLOTS][8];

    name_all(a, k, &s, names);
    before_update(a, k, &s);
    if (!equation_emit(&s, o->def->spelled(o->settings)))
        return false;
    *next = chosen(a, equation_result(&s, "w"), a->in->parameter[k]);
    for (int i = 0; i < o->own_slots; i++)
        slots[i] = chosen(a, equation_result(&s, names[i]), slot_of(a, k, i));
    if (sum >= 0) {
        equation_value(&s, "updates", a->updates);
        equation_value(&s, "sum", slot_of(a, k, sum));
        equation_value(&s, "given", a->in->gradient[k]);
        equation_emit(&s, "sum = where(updates, 0, sum + given)");
        slots[sum] = equation_result(&s, "sum");
    }
    average(a, k, next, slots, &s);
    return !a->e->failed;
}

bool optimizer_spell(struct emitter *e, const struct optimizer *o, const struct optimizer_inputs *i, struct value *step,
                     struct value **next, struct value **next_slots)
{
    struct spelling a = { .e = e, .o = o, .in = i, .gradient = emit_alloc(e, i->parameters * sizeof *a.gradient) };
    bool ok;

    if (!o->def->spelled)
        return fail(e->report, KILN_UNSUPPORTED, NULL, "optimizer '%s' cannot be written in operators of the standard",
                    o->def->row.name);
    ok = a.gradient && begin(&a, step);

    for (size_t k = 0; ok && k < i->parameters; k++)
        ok = given(&a, k);
    for (size_t k = 0; ok && k < i->parameters; k++)
        ok = update(&a, k, &next[k], next_slots + k * (size_t)o->slots);
    return ok && !e->failed;
}
