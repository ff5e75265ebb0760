#include "api/api.h"
#include "run/profile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct kiln_session {
    struct session *session;
    kiln_context *context;
    bool ran;                   /* the latest run went well: there are outputs */
    struct heap heap;           /* of what follows */
    struct kiln_tensor *copies; /* by output: of those that lie in what the caller has given; data is NULL elsewhere */
    kiln_tensor **bound;        /* by output: where the caller wants it; NULL */
    struct map inputs, outputs; /* by name: to struct value; to the output's place, counted from 1 */
};

/* The first of several that have one name. */
static bool list_names(kiln_session *s, struct report *r)
{
    const struct graph *g = s->session->graph;
    void **slot;

    for (size_t k = 0; k < g->value_count; k++) {
        if (!g->values[k]->is_input)
            continue;
        if (!(slot = map_put(&s->inputs, g->values[k]->name, r)))
            return false;
        *slot = *slot ? *slot : g->values[k];
    }
    for (size_t k = 0; k < g->output_count; k++) {
        if (!(slot = map_put(&s->outputs, g->outputs[k]->name, r)))
            return false;
        *slot = *slot ? *slot : (void *)(uintptr_t)(k + 1);
    }
    return true;
}

static bool check_outputs(const kiln_session_options *o, kiln_error *err)
{
    if (o->output_count && !o->outputs) {
        api_refuse(err, "outputs is NULL, must hold %zu names", o->output_count);
        return false;
    }
    for (size_t k = 0; k < o->output_count; k++)
        if (!o->outputs[k]) {
            api_refuse(err, "outputs[%zu] is NULL", k);
            return false;
        }
    return true;
}

static bool start(kiln_session *s, const kiln_model *model, const kiln_session_options *o, struct report *r)
{
    const struct session_options so = { .threads = o->threads,
                                        .exact = o->exact,
                                        .memory = o->memory,
                                        .seed = o->seed,
                                        .seconds = o->seconds,
                                        .total = context_total(o->context),
                                        .pool = o->context ? o->context->pool : NULL,
                                        .outputs = o->output_count,
                                        .output = o->outputs };
    struct budget *budget;

    s->context = context_hold(o->context);
    s->session = session_new(model->model->graph, &so, r);
    if (!s->session)
        return false;
    budget = &s->session->budget;
    s->heap.budget = budget;
    map_init(&s->inputs, budget);
    map_init(&s->outputs, budget);
    s->copies = budget_zalloc(budget, s->session->graph->output_count, sizeof *s->copies, r);
    s->bound = budget_zalloc(budget, s->session->graph->output_count, sizeof *s->bound, r);
    return s->copies && s->bound && list_names(s, r) &&
           (!o->profile || (s->session->engine.profile = profile_new(budget, r)));
}

kiln_status kiln_session_new(kiln_session **out, const kiln_model *model, const kiln_session_options *options,
                             kiln_error *err)
{
    kiln_session_options o;
    kiln_status usable;
    struct report r;
    kiln_session *s;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    if (!api_options(&o, sizeof o, options, "KILN_SESSION_OPTIONS_INIT", err) ||
        !api_check_limits(o.context, o.threads, o.seconds, err) || !check_outputs(&o, err))
        return KILN_BAD_ARGUMENT;
    r = api_report(o.context);
    s = api_alloc(sizeof *s, &r);
    if (s && start(s, model, &o, &r))
        *out = s;
    else
        kiln_session_free(s);
    return api_end(&r, *out, err);
}

void kiln_session_free(kiln_session *session)
{
    if (!session)
        return;
    if (session->session) {
        heap_reset(&session->heap);
        budget_free(&session->session->budget, session->copies);
        budget_free(&session->session->budget, session->bound);
        map_release(&session->inputs);
        map_release(&session->outputs);
    }
    session_free(session->session);
    context_release(session->context);
    api_free(session);
}

static bool set(kiln_session *session, const char *name, const kiln_tensor *tensor, struct report *r)
{
    struct session *const s = session->session;
    const struct value *v = name ? map_get(&session->inputs, name) : NULL;

    if (!name || !tensor)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "a %s is NULL", name ? "tensor" : "name");
    if (!v)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "the model has no input '%s'", name);
    if (s->given[v->id])
        return fail(r, KILN_BAD_ARGUMENT, NULL, "input '%s' is given twice", name);
    return session_set(s, v, &tensor->tensor, r);
}

/* What the caller has given: bytes, one piece after the other in the order of addresses, which may overlap. */
struct given {
    struct extent {
        uintptr_t from, to;
    } * at;
    size_t count;
    bool strings, others; /* strings and items are told by pointers: they may lie anywhere */
};

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

static bool note_given(struct given *g, size_t count, const kiln_tensor *const *tensors, struct budget *b,
                       struct report *r)
{
    *g = (struct given){ .at = budget_zalloc(b, count, sizeof *g->at, r) };
    for (size_t k = 0; g->at && k < count; k++) {
        const struct tensor *t = &tensors[k]->tensor;
        const uintptr_t from = (uintptr_t)t->data;

        g->others |= t->kind != TENSOR;
        g->strings |= t->kind == TENSOR && t->dtype == STRING;
        if (t->kind == TENSOR)
            g->at[g->count++] = (struct extent){ from, from + (uintptr_t)tensor_bytes(t) };
    }
    if (!g->at)
        return false;
    qsort(g->at, g->count, sizeof *g->at, compare_extents);
    for (size_t k = 1; k < g->count; k++) /* as far as any before it reaches */
        g->at[k].to = g->at[k].to > g->at[k - 1].to ? g->at[k].to : g->at[k - 1].to;
    return true;
}

static bool may_lie_in(const struct tensor *t, const struct given *g)
{
    const uintptr_t at = (uintptr_t)t->data;
    size_t low = 0, high = g->count;

    if (g->others || (t->kind != TENSOR && g->count))
        return true;
    if (t->dtype == STRING)
        return g->strings;
    while (low < high) { /* how many begin at or before it */
        const size_t middle = low + (high - low) / 2;

        if (g->at[middle].from <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low && at < g->at[low - 1].to;
}

/* Outputs last longer than what was given. */
static bool copy_given(kiln_session *s, size_t count, const kiln_tensor *const *tensors, struct report *r)
{
    struct given given;
    bool ok = note_given(&given, count, tensors, &s->session->budget, r);

    for (size_t k = 0; ok && k < s->session->graph->output_count; k++) {
        const struct tensor *t = session_output(s->session, k);

        if (t->data && may_lie_in(t, &given))
            ok = heap_copy(&s->heap, &s->copies[k].tensor, t, r);
    }
    budget_free(&s->session->budget, given.at);
    return ok;
}

/* As it is after copy_given. */
static const struct tensor *output(const kiln_session *s, size_t k)
{
    return s->copies[k].tensor.data ? &s->copies[k].tensor : session_output(s->session, k);
}

/* What the caller wants elsewhere: all is copied first that lies in what was given, which may be the same memory. */
static bool copy_bound(kiln_session *s, struct report *r)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];

    for (size_t k = 0; k < s->session->graph->output_count; k++) {
        const struct tensor *from = output(s, k);
        const struct tensor *to = s->bound[k] ? &s->bound[k]->tensor : NULL;

        if (to && !same_type(from, to))
            return fail(r, KILN_BAD_DATA, NULL, "output '%s' is %s, the tensor that it is bound to %s",
                        s->session->graph->outputs[k]->name, tensor_text(from, got), tensor_text(to, need));
    }
    for (size_t k = 0; k < s->session->graph->output_count; k++)
        if (s->bound[k] && tensor_bytes(&s->bound[k]->tensor))
            memmove(s->bound[k]->tensor.data, output(s, k)->data, (size_t)tensor_bytes(&s->bound[k]->tensor));
    return true;
}

static void forget_copies(kiln_session *s)
{
    for (size_t k = 0; k < s->session->graph->output_count; k++)
        s->copies[k].tensor.data = NULL;
    heap_reset(&s->heap);
}

kiln_status kiln_session_run(kiln_session *session, size_t count, const char *const *names,
                             const kiln_tensor *const *tensors, kiln_error *err)
{
    struct report r = api_report(session ? session->context : NULL);
    bool ok = true;

    if (!session)
        return api_refuse(err, "session is NULL");
    session->ran = false;
    if (count && (!names || !tensors))
        return api_refuse(err, "%s is NULL", names ? "tensors" : "names");
    session_clear(session->session);
    for (size_t k = 0; ok && k < count; k++)
        ok = set(session, names[k], tensors[k], &r);
    session->ran = ok && session_run(session->session, &r);
    forget_copies(session);
    session->ran = session->ran && copy_given(session, count, tensors, &r) && copy_bound(session, &r);
    return api_end(&r, session->ran, err);
}

const kiln_tensor *kiln_session_output(const kiln_session *session, size_t k)
{
    if (!session || !session->ran || k >= session->session->graph->output_count)
        return NULL;
    if (session->bound[k])
        return session->bound[k];
    if (session->copies[k].tensor.data)
        return &session->copies[k];
    return (const kiln_tensor *)session_output(session->session, k);
}

const kiln_tensor *kiln_session_output_named(const kiln_session *session, const char *name)
{
    const size_t place = session && name ? (size_t)(uintptr_t)map_get(&session->outputs, name) : 0;

    return place ? kiln_session_output(session, place - 1) : NULL;
}

kiln_status kiln_session_bind_output(kiln_session *session, const char *name, kiln_tensor *tensor, kiln_error *err)
{
    const size_t place = session && name ? (size_t)(uintptr_t)map_get(&session->outputs, name) : 0;
    const struct report r = { 0 };

    if (!session || !name)
        return api_refuse(err, "%s is NULL", session ? "name" : "session");
    if (!place)
        return api_refuse(err, "there is no output '%s'", name);
    if (tensor && (tensor->tensor.kind != TENSOR || tensor->tensor.dtype == STRING))
        return api_refuse(err, "an output can be bound to a tensor of numbers only");
    session->bound[place - 1] = tensor;
    session->ran = false;
    return api_end(&r, true, err);
}

/* -- looking at it -- */

size_t kiln_session_memory(const kiln_session *session, size_t *most)
{
    if (most)
        *most = session ? session->session->budget.peak : 0;
    return session ? session->session->budget.used : 0;
}

kiln_status kiln_session_plan(kiln_session *session, int64_t batch, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;
    bool ok;

    if (!session || !write)
        return api_refuse(err, "%s is NULL", session ? "write" : "session");
    if (batch < 0 || batch > INT32_MAX)
        return api_refuse(err, "batch is %lld, must be 0 to %d", (long long)batch, INT32_MAX);
    session->ran = false;
    session_clear(session->session);
    api_write_begin(&w, &session->session->budget, session->context);
    ok =
        session_set_types(session->session, batch, &w.report) && session_describe(session->session, &w.text, &w.report);
    session_clear(session->session);
    return api_write_end(&w, ok, write, user, err);
}

kiln_status kiln_session_set_profile(kiln_session *session, bool on, kiln_error *err)
{
    struct report r = api_report(session ? session->context : NULL);

    if (!session)
        return api_refuse(err, "session is NULL");
    return api_end(&r, profile_switch(&session->session->engine.profile, on, &session->session->budget, &r), err);
}

kiln_status kiln_session_trace(const kiln_session *session, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;

    if (!session)
        return api_refuse(err, "session is NULL");
    api_write_begin(&w, &session->session->budget, session->context);
    return api_trace(session->session->engine.profile, &w, write, user, err);
}

kiln_status kiln_session_times(const kiln_session *session, bool by_node, kiln_time_fn each, void *user,
                               kiln_error *err)
{
    if (!session)
        return api_refuse(err, "session is NULL");
    return api_times(session->session->engine.profile, by_node, each, user, err);
}
