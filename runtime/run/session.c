#include "run/session.h"
#include "plan/describe.h"
#include "plan/given.h"
#include "plan/open_sizes.h"
#include "plan/outputs.h"
#include <string.h>

/* A symbol stands for one number in all inputs: that of `first`. */
struct symbol {
    const struct value *first, *value;
    int first_dim, dim;
};

static bool add_symbol(struct session *s, struct map *names, const struct value *v, int d, struct report *r)
{
    struct symbol *own = &s->symbols[s->symbol_count++], *first;
    void **slot = map_put(names, v->dim_names[d], r);

    if (!slot)
        return false;
    first = *slot ? *slot : own;
    *slot = first;
    *own = (struct symbol){ first == own ? v : first->value, v, first == own ? d : first->dim, d };
    return true;
}

static bool find_symbols(struct session *s, struct report *r)
{
    const struct graph *g = s->graph;
    struct map names;
    size_t most = 0;
    bool ok = true;

    for (size_t k = 0; k < g->input_count; k++)
        most += g->inputs[k]->type.rank > 0 ? (size_t)g->inputs[k]->type.rank : 0;
    s->symbols = budget_zalloc(&s->budget, most, sizeof *s->symbols, r);
    map_init(&names, &s->budget);
    for (size_t k = 0; s->symbols && ok && k < g->input_count; k++)
        for (int d = 0; g->inputs[k]->dim_names && ok && d < g->inputs[k]->type.rank; d++)
            if (g->inputs[k]->dim_names[d])
                ok = add_symbol(s, &names, g->inputs[k], d, r);
    map_release(&names);
    return s->symbols && ok;
}

static const struct graph *run_passes(struct session *s, struct report *r)
{
    const struct plan_context c = engine_context(&s->engine, r);

    return passes_run(&s->passes, s->graph, &c);
}

static bool start_engine(struct session *s, const struct session_options *o, struct report *r)
{
    const struct engine_options e = { .limits = { .limit = o->memory, .total = o->total, .seconds = o->seconds },
                                      .pool = o->pool,
                                      .threads = o->threads,
                                      .exact = o->exact,
                                      .seed = o->seed };

    return engine_init(&s->engine, &s->budget, &e, r);
}

static bool choose_outputs(struct session *s, const struct session_options *o, struct report *r)
{
    if (!o->outputs)
        return true;
    s->arena.budget = &s->budget;
    s->chosen = graph_for_outputs(s->graph, o->output, o->outputs, &s->arena, r);
    s->graph = s->chosen;
    return s->chosen;
}

struct session *session_new(const struct graph *g, const struct session_options *o, struct report *r)
{
    const struct session_options defaults = { 0 };
    struct budget unlimited = { 0 };
    struct session *s = budget_zalloc(&unlimited, 1, sizeof *s, r);

    if (!s)
        return NULL;
    s->graph = g;
    o = o ? o : &defaults;
    if (start_engine(s, o, r) && choose_outputs(s, o, r) && find_symbols(s, r) &&
        (s->given = budget_zalloc(&s->budget, g->value_count, sizeof *s->given, r)))
        s->frame = frame_new_main(&s->engine, run_passes(s, r), &s->passes, r);
    if (s->frame && budget_in_time(&s->budget, g->path, r)) {
        budget_stop(&s->budget);
        return s;
    }
    session_free(s);
    return NULL;
}

void session_free(struct session *s)
{
    struct budget unlimited = { .used = SIZE_MAX };

    if (!s)
        return;
    frame_free(s->frame);
    passes_free(&s->passes);
    engine_release(&s->engine);
    graph_release(s->chosen);
    arena_release(&s->arena);
    budget_free(&s->budget, s->given);
    budget_free(&s->budget, s->symbols);
    budget_free(&unlimited, s); /* not charged to the budget it holds */
}

bool session_check(const struct value *v, const struct tensor *t, struct report *r)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];
    bool fits;

    if (!v->has_type)
        return true;
    fits = v->type.kind == t->kind && v->type.key == t->key &&
           memcmp(v->type.element, t->element, sizeof t->element) == 0 &&
           (v->type.dtype == UNDEFINED || v->type.dtype == t->dtype);
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

/* A file of a sequence, an optional or a map that holds nothing need not say of what: of what the input is declared to. */
static struct tensor as_declared(const struct value *v, const struct tensor *t)
{
    const bool nothing = t->data && ((t->kind == SEQUENCE && !((const struct sequence *)t->data)->count) ||
                                     (t->kind == OPTIONAL && !((const struct optional *)t->data)->present) ||
                                     (t->kind == MAP && !((const struct pairs *)t->data)->keys.dims[0]));
    struct tensor own = *t;

    if (!nothing || t->dtype != UNDEFINED || !v->has_type || v->type.kind != t->kind)
        return own;
    own.dtype = v->type.dtype;
    memcpy(own.element, v->type.element, sizeof own.element);
    return own;
}

bool session_set(struct session *s, const struct value *v, const struct tensor *t, struct report *r)
{
    const struct tensor own = as_declared(v, t);

    if (!session_check(v, &own, r))
        return false;
    frame_set(s->frame, v, &own);
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

static bool check_symbols(const struct session *s, struct report *r)
{
    for (size_t k = 0; k < s->symbol_count; k++) {
        const struct symbol *y = &s->symbols[k];
        const int64_t a = frame_get(s->frame, y->first)->dims[y->first_dim],
                      b = frame_get(s->frame, y->value)->dims[y->dim];

        if (a != b)
            return fail(r, KILN_BAD_DATA, NULL, "dimension '%s' is %lld in input '%s' and %lld in input '%s'",
                        y->value->dim_names[y->dim], (long long)a, y->first->name, (long long)b, y->value->name);
    }
    return true;
}

/* What was set is set in `f`, too. */
static bool set_again(struct session *s, struct frame *f)
{
    for (size_t k = 0; f && k < s->graph->value_count; k++)
        if (s->given[k])
            frame_set(f, s->graph->values[k], frame_get(s->frame, s->graph->values[k]));
    return f;
}

/* From now on the graph is run in that form, PLAIN or WHOLE; what was planned goes. Nothing has changed after an
 * error. */
static bool change_form(struct session *s, enum graph_form form, struct report *r)
{
    struct passes old = s->passes;
    struct frame *f;

    if (form == FORM_PLAIN)
        s->passes = (struct passes){ .form = FORM_PLAIN, .arena.budget = &s->budget };
    f = frame_new_main(&s->engine, form == FORM_PLAIN ? s->graph : run_passes(s, r), &s->passes, r);
    if (!set_again(s, f)) {
        passes_free(&s->passes);
        s->passes = old;
        return false;
    }
    frame_free(s->frame);
    prepared_free(&s->engine.prepared);
    passes_free(&old);
    s->frame = f;
    if (s->passes.form == FORM_FRESH)
        s->passes.form = form;
    return true;
}

static bool sets_initializer(const struct session *s)
{
    for (size_t k = 0; k < s->graph->value_count; k++)
        if (s->given[k] && s->graph->values[k]->initializer)
            return true;
    return false;
}

/* A form that holds for what is set now. What is fresh is planned here: memory may end when some weights have gone that
 * another plan needs. */
static bool choose_form(struct session *s, struct report *r)
{
    struct report quiet = { 0 };

    if (s->passes.form != FORM_PLAIN && sets_initializer(s))
        return change_form(s, FORM_PLAIN, r);
    if (s->passes.form == FORM_PLAIN || s->passes.form == FORM_WHOLE || frame_is_planned(s->frame))
        return true;
    if (s->passes.form == FORM_FRESH && (frame_plan(s->frame, &quiet) || s->passes.form != FORM_SPENT))
        return true;
    return change_form(s, FORM_WHOLE, r);
}

static bool run(struct session *s, struct report *r)
{
    for (size_t k = 0; k < s->graph->input_count; k++)
        if (!s->given[s->graph->inputs[k]->id])
            return fail(r, KILN_BAD_DATA, NULL, "input '%s' is not given", s->graph->inputs[k]->name);
    return check_symbols(s, r) && choose_form(s, r) && frame_run(s->frame, r);
}

bool session_run(struct session *s, struct report *r)
{
    bool ok;

    budget_start(&s->budget);
    ok = run(s, r);
    budget_stop(&s->budget);
    s->engine.number += ok;
    return ok;
}

bool session_set_types(struct session *s, int64_t batch, struct report *r)
{
    for (size_t k = 0; k < s->graph->input_count; k++) {
        const struct value *v = s->graph->inputs[k];
        const int samples = open_samples(s->graph, k);
        struct tensor t = given_closed(&v->type, 1);

        if (samples >= 0 && samples < v->type.rank && v->type.dims[samples] < 0)
            t.dims[samples] = batch;
        if (t.rank > 0 && !tensor_shape(&(struct tensor){ 0 }, t.dtype, t.rank, t.dims))
            return fail(r, KILN_LIMIT, NULL, "input '%s' has more bytes than can be counted with a batch of %lld",
                        v->name, (long long)batch);
        frame_set(s->frame, v, &t);
        s->given[v->id] = true;
    }
    return true;
}

static bool describe(struct session *s, struct text *out, struct report *r)
{
    const struct program *p = choose_form(s, r) ? frame_plan(s->frame, r) : NULL;

    if (p)
        program_describe(out, p);
    return p;
}

bool session_describe(struct session *s, struct text *out, struct report *r)
{
    bool ok;

    budget_start(&s->budget);
    ok = describe(s, out, r);
    budget_stop(&s->budget);
    return ok;
}

const struct tensor *session_output(const struct session *s, size_t k)
{
    return frame_get(s->frame, s->graph->outputs[k]);
}
