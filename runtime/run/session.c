#include "run/session.h"
#include "base/clock.h"
#include "kernels/kernels.h"
#include "run/profile.h"
#include <string.h>

struct session *session_new(const struct graph *g, const struct session_options *o, struct report *r)
{
    const struct session_options defaults = { 0 };
    struct budget unlimited = { 0 };
    struct session *s = budget_zalloc(&unlimited, 1, sizeof *s, r);

    if (!s)
        return NULL;
    o = o ? o : &defaults;
    s->budget.limit = o->memory;
    s->graph = g;
    s->seconds = o->seconds;
    s->engine = (struct engine){ .kernels = kernels_get(), .budget = &s->budget, .seed = o->seed };
    s->engine.pool = pool_new(o->threads, &s->budget, r);
    s->given = budget_zalloc(&s->budget, g->value_count, sizeof *s->given, r);
    if (s->engine.pool && s->given)
        s->frame = frame_new(&s->engine, g, r);
    if (s->frame)
        return s;
    session_free(s);
    return NULL;
}

void session_free(struct session *s)
{
    struct budget unlimited = { .used = SIZE_MAX };

    if (!s)
        return;
    frame_free(s->frame);
    profile_free(s->engine.profile);
    pool_free(s->engine.pool);
    budget_free(&s->budget, s->given);
    budget_free(&unlimited, s); /* not charged to the budget it holds */
}

bool session_check(const struct value *v, const struct tensor *t, struct report *r)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];
    bool fits;

    if (!v->has_type)
        return true;
    fits = v->type.kind == t->kind && (v->type.dtype == UNDEFINED || v->type.dtype == t->dtype);
    if (fits && t->kind == TENSOR && v->type.rank >= 0) {
        fits = v->type.rank == t->rank;
        for (int d = 0; fits && d < t->rank; d++)
            fits = v->type.dims[d] < 0 || v->type.dims[d] == t->dims[d];
    }
    if (fits)
        return true;
    return fail(r, KILN_BAD_DATA, NULL, "input '%s' is %s, must be %s", v->name, tensor_text(t, got),
                tensor_text(&v->type, need));
}

bool session_set(struct session *s, const struct value *v, const struct tensor *t, struct report *r)
{
    if (!session_check(v, t, r))
        return false;
    frame_set(s->frame, v, t);
    s->given[v->id] = true;
    return true;
}

void session_clear(struct session *s)
{
    for (size_t k = 0; k < s->graph->value_count; k++) {
        const struct value *v = s->graph->values[k];
        const struct tensor none = { .rank = UNKNOWN };

        if (s->given[k])
            frame_set(s->frame, v, v->initializer ? v->initializer : &none);
        s->given[k] = false;
    }
}

/* A symbol stands for one number in all inputs. */
static bool check_symbols(const struct session *s, const struct value *v, struct report *r)
{
    const struct tensor *t = frame_get(s->frame, v);

    for (int d = 0; v->dim_names && d < t->rank && d < v->type.rank; d++)
        for (size_t k = 0; v->dim_names[d] && k < s->graph->input_count; k++) {
            const struct value *o = s->graph->inputs[k];
            const struct tensor *u = frame_get(s->frame, o);

            for (int e = 0; o->dim_names && e < u->rank && e < o->type.rank; e++)
                if (o->dim_names[e] && strcmp(o->dim_names[e], v->dim_names[d]) == 0 && u->dims[e] != t->dims[d])
                    return fail(r, KILN_BAD_DATA, NULL, "dimension '%s' is %lld in input '%s' and %lld in input '%s'",
                                v->dim_names[d], (long long)t->dims[d], v->name, (long long)u->dims[e], o->name);
        }
    return true;
}

bool session_run(struct session *s, struct report *r)
{
    for (size_t k = 0; k < s->graph->input_count; k++)
        if (!s->given[s->graph->inputs[k]->id])
            return fail(r, KILN_BAD_DATA, NULL, "input '%s' is not given", s->graph->inputs[k]->name);
    for (size_t k = 0; k < s->graph->input_count; k++)
        if (!check_symbols(s, s->graph->inputs[k], r))
            return false;
    s->engine.deadline = s->seconds > 0 ? clock_now() + (uint64_t)(s->seconds * 1e9) : 0;
    if (!frame_run(s->frame, r))
        return false;
    s->engine.number++;
    return true;
}

const struct tensor *session_output(const struct session *s, size_t k)
{
    return frame_get(s->frame, s->graph->outputs[k]);
}
