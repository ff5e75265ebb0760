#include "train/training_info.h"
#include "base/map.h"
#include "data/element.h"
#include "model/message.h"
#include "train/edit.h"
#include "train/training_info_graph.h"
#include <math.h>
#include <string.h>

static Onnx__TrainingInfoProto *info_of(const struct training_info *t, size_t k)
{
    return t->model->proto->training_info[k];
}

/* -- state -- */

static Onnx__TensorProto *initializer_of(const Onnx__GraphProto *g, const char *name)
{
    for (size_t k = 0; g && k < g->n_initializer; k++)
        if (strcmp(or_empty(g->initializer[k]->name), name) == 0)
            return g->initializer[k];
    return NULL;
}

static struct info_state *state_of(const struct training_info *t, const char *name, size_t info)
{
    for (size_t k = 0; k < t->states; k++)
        if ((t->state[k].info == info || t->state[k].info == INFO_MAIN) && strcmp(t->state[k].name, name) == 0)
            return &t->state[k];
    return NULL;
}

/* A copy of the initializer that something is assigned to. */
static bool add_state(struct training_info *t, const char *name, size_t info, const char *where, struct report *r)
{
    const Onnx__ModelProto *p = t->model->proto;
    Onnx__TensorProto *main = initializer_of(p->graph, name), *own = initializer_of(info_of(t, info)->algorithm, name);
    struct info_state *s = &t->state[t->states];
    struct tensor initial;
    size_t bytes;

    if (state_of(t, name, info))
        return true;
    if (!main == !own)
        return fail(r, KILN_BAD_MODEL, where,
                    main ? "'%s' is assigned to, an initializer of the graph and of the algorithm"
                         : "'%s' is assigned to, which is no initializer",
                    name);
    if (!tensor_of_proto(&initial, main ? main : own, &((struct model *)(uintptr_t)t->model)->external, &t->arena,
                         where, r))
        return false;
    if (initial.dtype == STRING)
        return fail(r, KILN_UNSUPPORTED, where, "'%s' is assigned to, and holds strings, must be numbers", name);
    bytes = tensor_bytes(&initial) ? (size_t)tensor_bytes(&initial) : 1;
    *s = (struct info_state){ name, main ? INFO_MAIN : info, initial, arena_alloc(&t->arena, bytes, r) };
    s->value.data = arena_alloc(&t->arena, bytes, r);
    if (!s->value.data || !s->next)
        return false;
    memcpy(s->value.data, initial.data, (size_t)tensor_bytes(&initial));
    t->states++;
    return true;
}

/* In one training_info a key stands once; over all update_bindings, too. */
static bool check_keys(const struct training_info *t, struct report *r)
{
    struct arena scratch = { .budget = (struct budget *)(uintptr_t)&t->budget };
    struct map updates;
    bool ok = true;

    map_init(&updates, scratch.budget);
    for (size_t k = 0; ok && k < t->count; k++)
        for (size_t n = 0; ok && n < info_of(t, k)->n_update_binding; n++) {
            const char *key = or_empty(info_of(t, k)->update_binding[n]->key);
            char where[64];

            snprintf(where, sizeof where, "training_info[%zu]", k);
            if (map_get(&updates, key)) {
                ok = fail(r, KILN_BAD_MODEL, where, "two update_bindings assign to '%s'", key);
            } else {
                void **slot = map_put(&updates, key, r);

                ok = slot;
                if (slot)
                    *slot = info_of(t, k);
            }
        }
    map_release(&updates);
    return ok;
}

static bool add_states(struct training_info *t, struct report *r)
{
    size_t most = 0;
    bool ok = true;

    for (size_t k = 0; k < t->count; k++)
        most += info_of(t, k)->n_update_binding + info_of(t, k)->n_initialization_binding;
    t->state = arena_array(&t->arena, most, sizeof *t->state, r);
    for (size_t k = 0; t->state && ok && k < t->count; k++) {
        const Onnx__TrainingInfoProto *info = info_of(t, k);
        char where[64];

        snprintf(where, sizeof where, "training_info[%zu]", k);
        for (size_t n = 0; ok && n < info->n_update_binding; n++)
            ok = add_state(t, or_empty(info->update_binding[n]->key), k, where, r);
        for (size_t n = 0; ok && n < info->n_initialization_binding; n++)
            ok = add_state(t, or_empty(info->initialization_binding[n]->key), k, where, r);
    }
    return t->state && ok;
}

/* -- graphs that are run -- */

static size_t output_place(const struct graph *g, const char *name)
{
    size_t k = 0;

    while (k < g->output_count && strcmp(g->outputs[k]->name, name) != 0)
        k++;
    return k;
}

static bool set_states(const struct training_info *t, const struct info_run *run, size_t info, struct report *r)
{
    for (size_t k = 0; k < t->states; k++) {
        const struct info_state *s = &t->state[k];
        const struct value *v = s->info == INFO_MAIN || s->info == info ? graph_find(run->model->graph, s->name) : NULL;

        if (v && v->is_input && !session_set(run->session, v, &s->value, r))
            return false;
    }
    return true;
}

static bool start(struct training_info *t, struct info_run *run, size_t info, bool initialization,
                  const struct session_options *o, struct report *r)
{
    const Onnx__TrainingInfoProto *p = info_of(t, info);
    Onnx__StringStringEntryProto **binding = initialization ? p->initialization_binding : p->update_binding;

    run->bindings = initialization ? p->n_initialization_binding : p->n_update_binding;
    if (initialization ? !p->initialization : !p->algorithm && !run->bindings)
        return !run->bindings ||
               fail(r, KILN_BAD_MODEL, "training_info", "there is an initialization_binding, and no initialization");
    run->model = info_graph(t, info, initialization, r);
    run->binding = arena_array(&t->arena, run->bindings, sizeof *run->binding, r);
    if (!run->model || !run->binding)
        return false;
    for (size_t n = 0; n < run->bindings; n++) {
        const struct info_state *s = state_of(t, or_empty(binding[n]->key), info);

        run->binding[n] = (struct info_binding){ (size_t)(s - t->state),
                                                 output_place(run->model->graph, or_empty(binding[n]->value)) };
    }
    run->session = session_new(run->model->graph, o, r);
    return run->session && set_states(t, run, info, r);
}

static bool start_all(struct training_info *t, const struct session_options *o, struct report *r)
{
    struct session_options options = *o;

    options.outputs = 0;
    t->initialization = arena_array(&t->arena, t->count, sizeof *t->initialization, r);
    t->algorithm = arena_array(&t->arena, t->count, sizeof *t->algorithm, r);
    for (size_t k = 0; t->initialization && t->algorithm && k < 2 * t->count; k++) {
        struct info_run *run = k % 2 ? &t->initialization[k / 2] : &t->algorithm[k / 2];

        if (!start(t, run, k / 2, k % 2, &options, r))
            return false;
        if (run->session && !options.pool)
            options.pool = run->session->engine.pool;
        if (k % 2 && run->session && run->model->graph->input_count > 0)
            for (size_t i = 0; i < run->model->graph->input_count; i++)
                if (!state_of(t, run->model->graph->inputs[i]->name, k / 2))
                    return fail(r, KILN_BAD_MODEL, "training_info", "an initialization has the input '%s'",
                                run->model->graph->inputs[i]->name);
    }
    return t->initialization && t->algorithm;
}

/* -- inputs and results -- */

static bool note_input(struct training_info *t, const struct value *v, struct report *r)
{
    for (size_t k = 0; k < t->inputs; k++)
        if (strcmp(t->input[k]->name, v->name) == 0)
            return same_type(&t->input[k]->type, &v->type) ||
                   fail(r, KILN_BAD_MODEL, "training_info", "two algorithms declare input '%s', as different types",
                        v->name);
    t->input[t->inputs++] = v;
    return true;
}

static bool of_main_graph(const struct training_info *t, const char *name)
{
    const Onnx__GraphProto *g = t->model->proto->graph;

    for (size_t k = 0; k < g->n_input; k++)
        if (strcmp(or_empty(g->input[k]->name), name) == 0)
            return true;
    return false;
}

/* In two rounds: those of the main graph come first. */
static bool list_inputs(struct training_info *t, struct report *r)
{
    size_t most = 0;

    for (size_t k = 0; k < t->count; k++)
        most += t->algorithm[k].session ? t->algorithm[k].model->graph->input_count : 0;
    t->input = arena_array(&t->arena, most, sizeof *t->input, r);
    for (int main = 1; t->input && main >= 0; main--) {
        for (size_t k = 0; k < t->count; k++) {
            const struct graph *g = t->algorithm[k].session ? t->algorithm[k].model->graph : NULL;

            for (size_t i = 0; g && i < g->input_count; i++)
                if (!state_of(t, g->inputs[i]->name, k) && of_main_graph(t, g->inputs[i]->name) == main &&
                    !note_input(t, g->inputs[i], r))
                    return false;
        }
        t->main_inputs = main ? t->inputs : t->main_inputs;
    }
    return t->input;
}

static bool is_bound(const struct info_run *run, size_t output)
{
    for (size_t n = 0; n < run->bindings; n++)
        if (run->binding[n].output == output)
            return true;
    return false;
}

static bool list_results(struct training_info *t, struct report *r)
{
    size_t most = 0;

    for (size_t k = 0; k < t->count; k++)
        most += t->algorithm[k].session ? t->algorithm[k].model->graph->output_count : 0;
    t->result = arena_array(&t->arena, most, sizeof *t->result, r);
    for (size_t k = 0; t->result && k < t->count; k++)
        for (size_t o = 0; t->algorithm[k].session && o < t->algorithm[k].model->graph->output_count; o++)
            if (!is_bound(&t->algorithm[k], o))
                t->result[t->results++] = (struct info_result){ t->algorithm[k].model->graph->outputs[o]->name, k, o };
    return t->result;
}

/* -- making -- */

struct training_info *training_info_new(const struct model *m, const struct session_options *o, struct report *r)
{
    struct budget unlimited = { 0 };
    struct training_info *t;

    if (!m->proto->n_training_info) {
        fail(r, KILN_BAD_MODEL, NULL, "the model has no training_info");
        return NULL;
    }
    t = budget_zalloc(&unlimited, 1, sizeof *t, r);
    if (!t)
        return NULL;
    t->budget = (struct budget){ .limit = o->memory, .total = o->total };
    t->arena.budget = &t->budget;
    t->count = m->proto->n_training_info;
    t->model = model_copy(m, r);
    if (t->model && check_keys(t, r) && add_states(t, r) && start_all(t, o, r) && list_inputs(t, r) &&
        list_results(t, r))
        return t;
    training_info_free(t);
    return NULL;
}

static void release_run(struct info_run *run)
{
    session_free(run->session);
    model_free(run->model);
}

void training_info_free(struct training_info *t)
{
    struct budget unlimited = { .used = SIZE_MAX };

    if (!t)
        return;
    /* Back to the first one, whose threads are the others', too. */
    for (size_t k = t->initialization && t->algorithm ? 2 * t->count : 0; k-- > 0;)
        release_run(k % 2 ? &t->initialization[k / 2] : &t->algorithm[k / 2]);
    model_free((struct model *)(uintptr_t)t->model);
    arena_release(&t->arena);
    budget_free(&unlimited, t); /* not charged to the budget that it holds */
}

/* -- running -- */

static bool all_finite(const struct tensor *t)
{
    element_get *get = dtype_is_float(t->dtype) ? element_getter(t->dtype) : NULL;
    const int64_t n = tensor_count(t);
    bool finite = true;

    if (t->dtype == F32)
        for (int64_t k = 0; k < n; k++)
            finite &= isfinite(((const float *)t->data)[k]) != 0;
    else
        for (int64_t k = 0; get && k < n; k++)
            finite &= isfinite(get(t->data, k)) != 0;
    return finite;
}

static bool take(struct info_state *s, const struct tensor *update, const char *where, struct report *r)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];

    if (!same_type(&s->value, update))
        return fail(r, KILN_BAD_MODEL, where, "the update of '%s' is %s, must be %s", s->name, tensor_text(update, got),
                    tensor_text(&s->value, need));
    if (!all_finite(update) && all_finite(&s->value))
        return fail(
            r, KILN_RUN_FAILED, where,
            "the update of '%s' is not finite: nothing was changed; a lower learning rate or other data may help",
            s->name);
    if (tensor_bytes(update))
        memcpy(s->next, update->data, (size_t)tensor_bytes(update));
    return true;
}

/* What was put together becomes the value, and the value before is kept. */
static void exchange(struct training_info *t, const struct info_run *run)
{
    for (size_t n = 0; n < run->bindings; n++) {
        struct info_state *s = &t->state[run->binding[n].state];
        void *before = s->value.data;

        s->value.data = s->next;
        s->next = before;
    }
}

/* What comes is put together first, and then assigned. */
static bool assign(struct training_info *t, const struct info_run *run, const char *where, struct report *r)
{
    for (size_t n = 0; n < run->bindings; n++)
        if (!take(&t->state[run->binding[n].state], session_output(run->session, run->binding[n].output), where, r))
            return false;
    exchange(t, run);
    return true;
}

static bool give_inputs(const struct training_info *t, const struct info_run *run, const struct tensor *x,
                        struct report *r)
{
    for (size_t k = 0; k < t->inputs; k++) {
        const struct value *v = graph_find(run->model->graph, t->input[k]->name);

        if (v && v->is_input && !session_set(run->session, v, &x[k], r))
            return false;
    }
    return true;
}

static bool run_one(struct training_info *t, size_t k, bool initialization, const struct tensor *x, struct report *r)
{
    const struct info_run *run = initialization ? &t->initialization[k] : &t->algorithm[k];
    char where[64];

    snprintf(where, sizeof where, "training_info[%zu]", k);
    return !run->session || (set_states(t, run, k, r) && (initialization || give_inputs(t, run, x, r)) &&
                             session_run(run->session, r) && assign(t, run, where, r));
}

bool training_info_initialize(struct training_info *t, struct report *r)
{
    for (size_t k = 0; k < t->count; k++)
        if (!run_one(t, k, true, NULL, r))
            return false;
    t->steps = 0;
    return true;
}

bool training_info_step(struct training_info *t, const struct tensor *x, struct report *r)
{
    for (size_t k = 0; k < t->count; k++)
        if (!run_one(t, k, false, x, r)) {
            while (k-- > 0) /* nothing is assigned to twice in a step: the values before are all there */
                exchange(t, &t->algorithm[k]);
            return false;
        }
    t->steps++;
    return true;
}

const struct tensor *training_info_result(const struct training_info *t, size_t k)
{
    return session_output(t->algorithm[t->result[k].info].session, t->result[k].output);
}

ptrdiff_t training_info_find(const struct training_info *t, const char *name)
{
    ptrdiff_t found = -1;

    for (size_t k = t->states; k-- > 0;)
        if (strcmp(t->state[k].name, name) == 0 && (found < 0 || t->state[found].info != INFO_MAIN))
            found = (ptrdiff_t)k;
    return found;
}

struct model *training_info_export(const struct training_info *t, struct report *r)
{
    struct model *m = model_copy(t->model, r);
    struct edit e;
    bool ok = m && edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < t->states; k++) {
        const struct info_state *s = &t->state[k];
        Onnx__TensorProto *to = s->info == INFO_MAIN
                                    ? edit_initializer(&e, s->name)
                                    : initializer_of(m->proto->training_info[s->info]->algorithm, s->name);

        ok = edit_tensor(&e, to, &s->value);
    }
    if (m && edit_end(&e) && ok)
        return m;
    model_free(m);
    return NULL;
}
