#include "train/training_info_graph.h"
#include "base/map.h"
#include "model/message.h"
#include <string.h>

struct making {
    const struct training_info *t;
    struct model *model; /* a copy, whose graph it becomes */
    Onnx__TrainingInfoProto *info;
    size_t number;
    bool initialization;
    char where[64];
    struct report *report;
};

/* -- lists of messages -- */

/* The messages of `from`, which is empty then, come behind those of the list. */
static bool append(struct making *k, void *list, size_t *count, void *from, size_t *more)
{
    struct budget *b = &k->model->budget;
    void **old, **rest, **both;

    if (!*more)
        return true;
    both = budget_zalloc(b, *count + *more, sizeof *both, k->report);
    if (!both)
        return false;
    memcpy(&old, list, sizeof old);
    memcpy(&rest, from, sizeof rest);
    if (*count)
        memcpy(both, old, *count * sizeof *both);
    memcpy(both + *count, rest, *more * sizeof *both);
    budget_free(b, old);
    memcpy(list, &both, sizeof both);
    *count += *more;
    *more = 0;
    return true;
}

#define APPEND(k, to, from, list) append(k, &(to)->list, &(to)->n_##list, &(from)->list, &(from)->n_##list)

/* -- the graph -- */

/* The lists of one behind those of the other, in this order, as the specification has it. */
static bool combine(struct making *k)
{
    Onnx__GraphProto *g = k->model->proto->graph, *a = k->info->algorithm;

    return !a || (APPEND(k, g, a, input) && APPEND(k, g, a, initializer) && APPEND(k, g, a, node) &&
                  APPEND(k, g, a, value_info));
}

static void take_initialization(struct making *k)
{
    Onnx__ModelProto *p = k->model->proto;

    message_free(p->graph, &k->model->budget);
    p->graph = k->info->initialization;
    k->info->initialization = NULL;
}

/* -- what comes in -- */

/* The state is no initializer of the graph that is run, but an input. */
static bool release_states(struct making *k)
{
    struct budget *b = &k->model->budget;
    Onnx__GraphProto *g = k->model->proto->graph;
    size_t kept = 0, room = g->n_input;
    struct map inputs;
    bool ok = true;

    map_init(&inputs, b);
    for (size_t n = 0; ok && n < g->n_input; n++)
        ok = map_put(&inputs, or_empty(g->input[n]->name), k->report);
    for (size_t n = 0; n < g->n_initializer; n++) {
        Onnx__TensorProto *p = g->initializer[n];
        const struct info_state *s = training_info_state(k->t, or_empty(p->name), k->number);
        Onnx__ValueInfoProto *v = NULL;

        if (!s || !ok) {
            g->initializer[kept++] = p;
            continue;
        }
        if (!map_has(&inputs, s->name)) {
            v = value_info_of(s->name, &s->value, b, k->report);
            ok = v && budget_grow(b, &g->input, &room, g->n_input + 1, sizeof *g->input, k->report);
            if (ok)
                g->input[g->n_input++] = v;
            else
                message_free(v, b);
        }
        message_free(p, b);
    }
    g->n_initializer = kept;
    map_release(&inputs);
    return ok;
}

/* -- what comes out -- */

static bool list_outputs(struct map *to, const Onnx__GraphProto *g, struct report *r)
{
    for (size_t k = 0; g && k < g->n_output; k++)
        if (!map_put(to, or_empty(g->output[k]->name), r))
            return false;
    return true;
}

/* Something is assigned from outputs alone; *used: from these. */
static bool check_bindings(struct making *k, struct map *used)
{
    const Onnx__GraphProto *a = k->initialization ? NULL : k->info->algorithm;
    Onnx__StringStringEntryProto **binding =
        k->initialization ? k->info->initialization_binding : k->info->update_binding;
    const size_t bindings = k->initialization ? k->info->n_initialization_binding : k->info->n_update_binding;
    struct map outputs;
    bool ok;

    map_init(&outputs, &k->model->budget);
    ok = list_outputs(&outputs, k->model->proto->graph, k->report) && list_outputs(&outputs, a, k->report);
    for (size_t n = 0; ok && n < bindings; n++) {
        const char *name = or_empty(binding[n]->value);

        ok = map_has(&outputs, name)
                 ? map_put(used, name, k->report) != NULL
                 : fail(k->report, KILN_BAD_MODEL, k->where, "'%s' is assigned from '%s', which is no output",
                        or_empty(binding[n]->key), name);
    }
    map_release(&outputs);
    return ok;
}

/* Of the main graph's outputs those are left that something is assigned from; the algorithm's all come behind. */
static bool choose_outputs(struct making *k)
{
    Onnx__GraphProto *g = k->model->proto->graph, *a = k->initialization ? NULL : k->info->algorithm;
    struct map used;
    size_t kept = 0;
    bool ok;

    map_init(&used, &k->model->budget);
    ok = check_bindings(k, &used);
    for (size_t o = 0; o < g->n_output; o++)
        if (k->initialization || !ok || map_has(&used, or_empty(g->output[o]->name)))
            g->output[kept++] = g->output[o];
        else
            message_free(g->output[o], &k->model->budget);
    g->n_output = kept;
    map_release(&used);
    return ok && (!a || APPEND(k, g, a, output));
}

/* -- all of it -- */

static bool make(struct making *k)
{
    Onnx__ModelProto *p = k->model->proto;
    const size_t all = p->n_training_info;
    bool ok;

    if (k->initialization)
        take_initialization(k);
    ok = (k->initialization || combine(k)) && release_states(k) && choose_outputs(k);
    p->n_training_info = 0;
    for (size_t n = 0; n < all; n++)
        message_free(p->training_info[n], &k->model->budget);
    return ok && model_build(k->model, k->report);
}

struct model *info_graph(const struct training_info *t, size_t info, bool initialization, struct report *r)
{
    struct making k = { .t = t, .number = info, .initialization = initialization, .report = r };

    k.model = model_copy(t->model, r);
    if (!k.model)
        return NULL;
    k.info = k.model->proto->training_info[info];
    snprintf(k.where, sizeof k.where, "training_info[%zu].%s", info, initialization ? "initialization" : "algorithm");
    if (make(&k))
        return k.model;
    model_free(k.model);
    return NULL;
}
