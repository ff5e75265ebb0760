#include "train/training_info.h"
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

/* The initializers of a graph, which may be NULL, by name: the first of several. */
static bool list_initializers(struct map *to, const Onnx__GraphProto *g, struct budget *b, struct report *r)
{
    map_init(to, b);
    for (size_t k = g ? g->n_initializer : 0; k-- > 0;) {
        void **slot = map_put(to, or_empty(g->initializer[k]->name), r);

        if (!slot)
            return false;
        *slot = g->initializer[k];
    }
    return true;
}

struct info_state *training_info_state(const struct training_info *t, const char *name, size_t info)
{
    struct info_state *main = map_get(&t->names[0], name);

    return main ? main : map_get(&t->names[1 + info], name);
}

/* A copy of the initializer that something is assigned to. */
static bool add_state(struct training_info *t, const struct map *initializers, const char *name, size_t info,
                      const char *where, struct report *r)
{
    Onnx__TensorProto *main = map_get(&initializers[0], name), *own = map_get(&initializers[1 + info], name);
    struct info_state *s = &t->state[t->states];
    struct tensor initial;
    size_t bytes;
    void **slot;

    if (training_info_state(t, name, info))
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
    slot = map_put(&t->names[main ? 0 : 1 + info], name, r);
    if (!s->value.data || !s->next || !slot)
        return false;
    *slot = s;
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

static bool add_states_of(struct training_info *t, const struct map *initializers, size_t k, bool updates,
                          struct report *r)
{
    const Onnx__TrainingInfoProto *info = info_of(t, k);
    Onnx__StringStringEntryProto *const *binding = updates ? info->update_binding : info->initialization_binding;
    const size_t count = updates ? info->n_update_binding : info->n_initialization_binding;
    char where[64];
    bool ok = true;

    snprintf(where, sizeof where, "training_info[%zu]", k);
    for (size_t n = 0; ok && n < count; n++)
        ok = add_state(t, initializers, or_empty(binding[n]->key), k, where, r);
    return ok;
}

/* What updates assign to comes first. */
static bool add_states(struct training_info *t, struct report *r)
{
    struct map *initializers = arena_array(&t->arena, 1 + t->count, sizeof *initializers, r);
    size_t most = 0;
    bool ok;

    t->names = arena_array(&t->arena, 1 + t->count, sizeof *t->names, r);
    if (!initializers || !t->names)
        return false;
    ok = list_initializers(&initializers[0], t->model->proto->graph, &t->budget, r);
    map_init(&t->names[0], &t->budget);
    for (size_t k = 0; k < t->count; k++) {
        most += info_of(t, k)->n_update_binding + info_of(t, k)->n_initialization_binding;
        ok = list_initializers(&initializers[1 + k], info_of(t, k)->algorithm, &t->budget, r) && ok;
        map_init(&t->names[1 + k], &t->budget);
    }
    t->state = arena_array(&t->arena, most, sizeof *t->state, r);
    for (size_t k = 0; t->state && ok && k < t->count; k++)
        ok = add_states_of(t, initializers, k, true, r);
    t->updated = t->states;
    for (size_t k = 0; t->state && ok && k < t->count; k++)
        ok = add_states_of(t, initializers, k, false, r);
    for (size_t k = 0; k <= t->count; k++)
        map_release(&initializers[k]);
    return t->state && ok;
}

/* -- graphs that are run -- */

/* All that must be given: what has a default is no state, and what nothing reads need not be there. */
static bool list_sources(struct training_info *t, struct info_run *run, size_t info, struct report *r)
{
    const struct graph *g = run->model->graph;

    run->source = arena_array(&t->arena, g->input_count, sizeof *run->source, r);
    for (; run->source && run->sources < g->input_count; run->sources++)
        run->source[run->sources] =
            (struct info_source){ g->inputs[run->sources], training_info_state(t, g->inputs[run->sources]->name, info),
                                  0 };
    return run->source;
}

static bool list_bindings(struct training_info *t, struct info_run *run, size_t info,
                          Onnx__StringStringEntryProto *const *binding, struct report *r)
{
    const struct graph *g = run->model->graph;
    struct map outputs;
    bool ok;

    run->binding = arena_array(&t->arena, run->bindings, sizeof *run->binding, r);
    run->bound = arena_array(&t->arena, g->output_count, sizeof *run->bound, r);
    map_init(&outputs, &t->budget);
    ok = run->binding && run->bound;
    for (size_t k = g->output_count; ok && k-- > 0;) {
        void **slot = map_put(&outputs, g->outputs[k]->name, r);

        ok = slot;
        if (ok)
            *slot = (void *)(uintptr_t)(k + 1);
    }
    for (size_t n = 0; ok && n < run->bindings; n++) {
        const size_t output = (size_t)(uintptr_t)map_get(&outputs, or_empty(binding[n]->value)) - 1;

        run->binding[n] = (struct info_binding){ training_info_state(t, or_empty(binding[n]->key), info), output };
        run->bound[output] = true;
    }
    map_release(&outputs);
    return ok;
}

static bool start(struct training_info *t, struct info_run *run, size_t info, bool initialization,
                  const struct session_options *o, struct report *r)
{
    const Onnx__TrainingInfoProto *p = info_of(t, info);

    run->bindings = initialization ? p->n_initialization_binding : p->n_update_binding;
    if (initialization ? !p->initialization : !p->algorithm && !run->bindings)
        return !run->bindings ||
               fail(r, KILN_BAD_MODEL, "training_info", "there is an initialization_binding, and no initialization");
    run->model = info_graph(t, info, initialization, r);
    if (!run->model || !list_sources(t, run, info, r) ||
        !list_bindings(t, run, info, initialization ? p->initialization_binding : p->update_binding, r))
        return false;
    run->session = session_new(run->model->graph, o, r);
    return run->session;
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
        for (size_t i = 0; k % 2 && i < run->sources; i++)
            if (!run->source[i].state)
                return fail(r, KILN_BAD_MODEL, "training_info", "an initialization has the input '%s'",
                            run->source[i].value->name);
    }
    return t->initialization && t->algorithm;
}

/* -- inputs and results -- */

/* Each name once. */
static bool note_input(struct training_info *t, struct map *known, struct info_source *s, struct report *r)
{
    void **slot = map_put(known, s->value->name, r);

    if (!slot)
        return false;
    if (!*slot) {
        t->input[t->inputs++] = s->value;
        *slot = (void *)(uintptr_t)t->inputs;
    }
    s->input = (size_t)(uintptr_t)*slot - 1;
    return same_type(&t->input[s->input]->type, &s->value->type) ||
           fail(r, KILN_BAD_MODEL, "training_info", "two algorithms declare input '%s', as different types",
                s->value->name);
}

/* In two rounds: the main graph's inputs come first. */
static bool note_inputs(struct training_info *t, const struct map *of_main, struct map *known, bool main,
                        struct report *r)
{
    for (size_t k = 0; k < t->count; k++) {
        struct info_run *run = &t->algorithm[k];

        for (size_t i = 0; i < run->sources; i++) {
            const struct value *v = run->source[i].value;

            if (!run->source[i].state && map_has(of_main, v->name) == main && !note_input(t, known, &run->source[i], r))
                return false;
        }
    }
    return true;
}

static bool list_inputs(struct training_info *t, struct report *r)
{
    const Onnx__GraphProto *g = t->model->proto->graph;
    struct map of_main, known;
    size_t most = 0;
    bool ok = true;

    for (size_t k = 0; k < t->count; k++)
        most += t->algorithm[k].sources;
    t->input = arena_array(&t->arena, most, sizeof *t->input, r);
    map_init(&of_main, &t->budget);
    map_init(&known, &t->budget);
    for (size_t k = 0; ok && k < g->n_input; k++)
        ok = map_put(&of_main, or_empty(g->input[k]->name), r);
    ok = ok && t->input && note_inputs(t, &of_main, &known, true, r);
    t->main_inputs = t->inputs;
    ok = ok && note_inputs(t, &of_main, &known, false, r);
    map_release(&of_main);
    map_release(&known);
    return ok;
}

static bool list_results(struct training_info *t, struct report *r)
{
    size_t most = 0;

    for (size_t k = 0; k < t->count; k++)
        most += t->algorithm[k].session ? t->algorithm[k].model->graph->output_count : 0;
    t->result = arena_array(&t->arena, most, sizeof *t->result, r);
    for (size_t k = 0; t->result && k < t->count; k++)
        for (size_t o = 0; t->algorithm[k].session && o < t->algorithm[k].model->graph->output_count; o++)
            if (!t->algorithm[k].bound[o])
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
    for (size_t k = 0; t->names && k <= t->count; k++)
        map_release(&t->names[k]);
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
static void exchange(const struct info_run *run)
{
    for (size_t n = 0; n < run->bindings; n++) {
        struct info_state *s = run->binding[n].state;
        void *before = s->value.data;

        s->value.data = s->next;
        s->next = before;
    }
}

/* What comes is put together first, and then assigned. */
static bool assign(const struct info_run *run, const char *where, struct report *r)
{
    for (size_t n = 0; n < run->bindings; n++)
        if (!take(run->binding[n].state, session_output(run->session, run->binding[n].output), where, r))
            return false;
    exchange(run);
    return true;
}

static bool give_inputs(const struct info_run *run, const struct tensor *x, struct report *r)
{
    for (size_t k = 0; k < run->sources; k++) {
        const struct info_source *s = &run->source[k];
        const struct tensor *from = s->state ? &s->state->value : &x[s->input];

        if (!session_set(run->session, s->value, from, r))
            return false;
    }
    return true;
}

static bool run_one(struct training_info *t, size_t k, bool initialization, const struct tensor *x, struct report *r)
{
    const struct info_run *run = initialization ? &t->initialization[k] : &t->algorithm[k];
    char where[64];

    snprintf(where, sizeof where, "training_info[%zu]", k);
    return !run->session || (give_inputs(run, x, r) && session_run(run->session, r) && assign(run, where, r));
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
    if (!t->updated)
        return fail(r, KILN_BAD_MODEL, "training_info", "no update_binding says what a step changes");
    for (size_t k = 0; k < t->count; k++)
        if (!run_one(t, k, false, x, r)) {
            while (k-- > 0) /* nothing is assigned to twice in a step: the values before are all there */
                exchange(&t->algorithm[k]);
            return false;
        }
    t->steps++;
    return true;
}

const struct tensor *training_info_result(const struct training_info *t, size_t k)
{
    return session_output(t->algorithm[t->result[k].info].session, t->result[k].output);
}

const struct info_state *training_info_find(const struct training_info *t, const char *name)
{
    const struct info_state *found = NULL;

    for (size_t k = 0; k <= t->count && !found; k++)
        found = map_get(&t->names[k], name);
    return found;
}

/* What the algorithm's own initializers have become. */
static bool export_algorithm(const struct training_info *t, struct edit *e, const Onnx__TrainingInfoProto *info,
                             size_t k)
{
    bool ok = true;

    for (size_t n = 0; ok && info->algorithm && n < info->algorithm->n_initializer; n++) {
        Onnx__TensorProto *to = info->algorithm->initializer[n];
        const struct info_state *s = map_get(&t->names[1 + k], or_empty(to->name));

        ok = !s || edit_tensor(e, to, &s->value);
    }
    return ok;
}

struct model *training_info_export(const struct training_info *t, struct report *r)
{
    struct model *m = model_copy(t->model, r);
    struct edit e;
    bool ok = m && edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < t->states; k++)
        ok = t->state[k].info != INFO_MAIN ||
             edit_tensor(&e, edit_initializer(&e, t->state[k].name), &t->state[k].value);
    for (size_t k = 0; ok && k < t->count; k++)
        ok = export_algorithm(t, &e, m->proto->training_info[k], k);
    if (m && edit_end(&e) && ok)
        return m;
    model_free(m);
    return NULL;
}
