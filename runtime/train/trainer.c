#include "train/trainer.h"
#include "plan/given.h"
#include "train/prepare.h"
#include "train/state.h"
#include "train/training_program.h"
#include <string.h>

enum {
    MAX_PROGRAMS = 4
}; /* batch sizes with a program of their own: the usual one, the last of an epoch, and two more */

/* -- state -- */

static bool add_states(struct trainer *t, enum role role, const struct map *messages, struct report *r)
{
    for (size_t k = 0; k < t->parameters.count; k++) {
        struct parameter *p = &t->parameters.at[k];
        struct state *s = &t->states[t->state_count];

        if (p->role != role)
            continue;
        s->parameter = p;
        if (!state_take(t, messages, s, r))
            return false;
        p->initial.data = NULL; /* its memory is the state's now, or another model's */
        for (int n = 0; role == ROLE_TRAINABLE && n < t->optimizer.slots; n++)
            if (!state_tensor(t, &s->slots[n], &s->value, NULL, r))
                return false;
        t->state_count++;
        t->trainable += role == ROLE_TRAINABLE;
    }
    return true;
}

static bool make_state(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    static const struct tensor scalar = { .dtype = F64 };
    struct map messages = { 0 };
    bool ok;

    if (!parameters_find(&t->parameters, t->model, o->freezes, o->freeze, &t->arena, r))
        return false;
    t->states = arena_array(&t->arena, t->parameters.count, sizeof *t->states, r);
    ok = t->states && state_tensor(t, &t->rate, &scalar, NULL, r) && states_index(t, &messages, r) &&
         add_states(t, ROLE_TRAINABLE, &messages, r) && add_states(t, ROLE_STATISTIC, &messages, r);
    map_release(&messages);
    if (!ok)
        return false;
    if (!t->trainable)
        return fail(r, KILN_BAD_MODEL, NULL, "nothing in the model can be trained");
    for (size_t k = 0; k < t->trainable; k++)
        if (t->states[k].value.dtype == F64 && !t->optimizer.def->apply_double)
            return fail(r, KILN_UNSUPPORTED, NULL, "optimizer '%s' does not train double, which parameter '%s' is",
                        t->optimizer.def->row.name, t->states[k].parameter->value->name);
    for (size_t k = 0; k < t->state_count; k++) {
        void **slot = map_put(&t->names, t->states[k].parameter->value->name, r);

        if (!slot)
            return false;
        *slot = *slot ? *slot : &t->states[k];
    }
    for (size_t k = 0; k < t->trainable; k++)
        if (t->states[k].parameter->readers > 1)
            warn(r, NULL, "'%s' is read in %d places and trained as one: shared, or merged by an exporter",
                 t->states[k].parameter->value->name, t->states[k].parameter->readers);
    return true;
}

/* -- what goes in and comes out -- */

static bool find_ends(struct trainer *t, const struct tensor *data, struct report *r)
{
    const struct graph *g = t->model->graph;

    if (g->input_count != 1)
        return fail(r, KILN_BAD_MODEL, NULL,
                    "the model has %zu inputs without a value ('%s'%s%s%s), must have 1; `kiln init` gives parameters "
                    "values, `kiln convert --set` inputs",
                    g->input_count, g->input_count ? g->inputs[0]->name : "", g->input_count > 1 ? ", '" : "",
                    g->input_count > 1 ? g->inputs[1]->name : "",
                    g->input_count > 2   ? "', ..."
                    : g->input_count > 1 ? "'"
                                         : "");
    if (!g->output_count)
        return fail(r, KILN_BAD_MODEL, NULL, "the model has no output");
    t->input = g->inputs[0];
    t->output = g->outputs[0];
    if (!t->input->has_type || t->input->type.kind != TENSOR || t->input->type.rank < 1)
        return fail(r, KILN_BAD_MODEL, NULL, "input '%s' declares no shape, must have a dimension for the samples",
                    t->input->name);
    t->x = t->input->type;
    for (int d = 1; data && data->rank == t->x.rank && d < t->x.rank; d++)
        t->x.dims[d] = t->x.dims[d] < 0 ? data->dims[d] : t->x.dims[d];
    return true;
}

/* The first node whose result planning does not know is what one cannot train through. */
static bool fail_unknown(const struct trainer *t, const struct program *p, struct report *r)
{
    const struct graph *g = t->model->graph;
    char where[WHERE_TEXT], text[TYPE_TEXT];

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (n->outputs && n->out[0] && !tensor_known(&p->types[n->out[0]->id]))
            return n->def->no_gradient
                       ? fail(r, KILN_UNSUPPORTED, node_where(n, where), "has no gradient: %s", n->def->no_gradient)
                       : fail(r, KILN_UNSUPPORTED, node_where(n, where),
                              "only running tells the shape of its output, which one cannot train through");
    }
    return fail(r, KILN_UNSUPPORTED, NULL, "output '%s' is %s, must be floats with a dimension for the samples",
                t->output->name, tensor_text(&p->types[t->output->id], text));
}

static bool output_type(struct trainer *t, struct tensor *out, struct report *r)
{
    const struct plan_context c = engine_context(&t->engine, r);
    const struct graph *g = t->model->graph;
    struct arena scratch = { .budget = &t->budget };
    struct tensor *tensors = given_types(g, &scratch, r);
    struct program *p;
    bool ok;

    if (!tensors)
        return false;
    tensors[t->input->id] = given_closed(&t->x, 1);
    p = plan_program(g, NULL, tensors, NULL, &c);
    arena_release(&scratch);
    if (!p)
        return false;
    *out = p->types[t->output->id];
    out->data = NULL;
    ok = (tensor_known(out) && dtype_is_float(out->dtype) && !dtype_is_small(out->dtype) && out->rank > 0) ||
         fail_unknown(t, p, r);
    program_free(p);
    return ok;
}

static bool choose_loss(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    struct tensor out;

    if (!output_type(t, &out, r) ||
        !loss_choose(&t->loss, o->loss, t->output, &out, o->targets, o->classes, &t->arena, r))
        return false;
    t->y = loss_labels(&t->loss, &out);
    t->x.dims[0] = UNKNOWN;
    if (!t->y.rank)
        return fail(r, KILN_UNSUPPORTED, NULL, "output '%s' is a vector, loss '%s' needs a row for each sample",
                    t->output->name, t->loss.def->row.name);
    t->y.dims[0] = UNKNOWN;
    return true;
}

/* -- life -- */

static bool start(struct trainer *t, const struct model *m, const struct trainer_options *o, struct report *r)
{
    const struct engine_options e = { .limits = { .limit = o->memory, .total = o->total, .seconds = o->seconds },
                                      .pool = o->pool,
                                      .threads = o->threads,
                                      .exact = o->exact,
                                      .seed = o->seed };

    if (!engine_init(&t->engine, &t->budget, &e, r) ||
        !optimizer_parse(&t->optimizer, o->optimizer ? o->optimizer : DEFAULT_OPTIMIZER, &t->arena, r))
        return false;
    t->learning_rate = t->optimizer.learning_rate;
    t->keep_gradients = o->keep_gradients;
    t->model = model_prepare(m, o->untie, &t->budget, r);
    return t->model && find_ends(t, o->x, r) && make_state(t, o, r) && choose_loss(t, o, r);
}

struct trainer *trainer_new(const struct model *m, const struct trainer_options *o, struct report *r)
{
    struct budget unlimited = { 0 };
    struct trainer *t = budget_zalloc(&unlimited, 1, sizeof *t, r);

    if (!t)
        return NULL;
    t->arena.budget = &t->budget;
    map_init(&t->names, &t->budget);
    if (start(t, m, o, r) && budget_in_time(&t->budget, NULL, r)) {
        budget_stop(&t->budget);
        return t;
    }
    trainer_free(t);
    return NULL;
}

void trainer_free(struct trainer *t)
{
    struct budget unlimited = { .used = SIZE_MAX };

    if (!t)
        return;
    while (t->programs) {
        struct training_program *p = t->programs;

        t->programs = p->next;
        training_program_free(t, p);
    }
    training_program_free(t, t->evaluation);
    training_program_free(t, t->prediction);
    engine_release(&t->engine);
    map_release(&t->names);
    arena_release(&t->arena);
    model_free(t->model);
    budget_free(&unlimited, t); /* not charged to the budget it holds */
}

/* -- steps -- */

static struct training_program *program_for(struct trainer *t, int64_t batch, struct report *r)
{
    struct training_program **at = &t->programs, **oldest = NULL, *p;
    int count = 0;

    for (; *at; at = &(*at)->next, count++) {
        if ((*at)->batch == batch)
            return *at;
        if (!oldest || (*at)->used < (*oldest)->used)
            oldest = at;
    }
    if (count >= MAX_PROGRAMS) {
        p = *oldest;
        *oldest = p->next;
        if (t->latest == p)
            t->latest = NULL;
        training_program_free(t, p);
    }
    p = training_program_new(t, TO_TRAIN, batch, r);
    if (p) {
        p->next = t->programs;
        t->programs = p;
    }
    return p;
}

static bool check_batch(const struct tensor *got, const struct tensor *need, const char *what, struct report *r)
{
    char a[TYPE_TEXT], b[TYPE_TEXT];
    bool fits = got->kind == TENSOR && got->dtype == need->dtype && got->rank == need->rank;

    for (int d = 0; fits && d < need->rank; d++)
        fits = d ? need->dims[d] < 0 || got->dims[d] == need->dims[d] : got->dims[d] > 0;
    return fits ||
           fail(r, KILN_BAD_DATA, NULL, "%s are %s, must be %s", what, tensor_text(got, a), tensor_text(need, b));
}

static bool run(struct trainer *t, struct training_program *p, const struct tensor *x, const struct tensor *y,
                struct step_result *out, struct report *r)
{
    frame_set(p->frame, p->x, x);
    frame_set(p->frame, p->y, y);
    p->used = ++t->clock;
    if (!frame_run(p->frame, r))
        return false;
    out->loss = *(const float *)frame_get(p->frame, p->loss.mean)->data;
    memcpy(out->metric, frame_get(p->frame, p->metrics)->data, sizeof out->metric);
    out->rows = t->loss.def->labels == LABELS_CLASSES ? tensor_count(y) : row_count(y);
    return true;
}

/* Loss and labels agree on the number of samples, so one check of each is enough. */
static bool check_both(const struct trainer *t, const struct tensor *x, const struct tensor *y, struct report *r)
{
    if (!check_batch(x, &t->x, "samples", r) || !check_batch(y, &t->y, "labels", r))
        return false;
    return x->dims[0] == y->dims[0] ||
           fail(r, KILN_BAD_DATA, NULL, "%lld samples, but %lld labels", (long long)x->dims[0], (long long)y->dims[0]);
}

const struct program *trainer_plan(struct trainer *t, int64_t batch, struct report *r)
{
    struct tensor x = t->x, y = t->y;
    const struct program *plan = NULL;
    struct training_program *p;

    budget_start(&t->budget);
    p = program_for(t, batch, r);
    if (p) {
        x.dims[0] = y.dims[0] = batch;
        frame_set(p->frame, p->x, &x);
        frame_set(p->frame, p->y, &y);
        plan = frame_plan(p->frame, r);
    }
    budget_stop(&t->budget);
    return plan;
}

static bool step(struct trainer *t, const struct tensor *x, const struct tensor *y, struct step_result *out,
                 struct report *r)
{
    struct training_program *p = check_both(t, x, y, r) ? program_for(t, x->dims[0], r) : NULL;

    if (!p)
        return false;
    t->engine.number = (uint64_t)t->steps;
    *(double *)t->rate.data = t->learning_rate;
    if (!run(t, p, x, y, out, r))
        return false;
    frame_commit(p->frame);
    t->latest = p;
    t->steps++;
    return true;
}

bool trainer_step(struct trainer *t, const struct tensor *x, const struct tensor *y, struct step_result *out,
                  struct report *r)
{
    bool ok;

    budget_start(&t->budget);
    ok = step(t, x, y, out, r);
    budget_stop(&t->budget);
    return ok;
}

static bool evaluate(struct trainer *t, const struct tensor *x, const struct tensor *y, struct step_result *out,
                     struct report *r)
{
    if (!check_both(t, x, y, r))
        return false;
    if (!t->evaluation && !(t->evaluation = training_program_new(t, TO_EVALUATE, 0, r)))
        return false;
    return run(t, t->evaluation, x, y, out, r);
}

bool trainer_evaluate_batch(struct trainer *t, const struct tensor *x, const struct tensor *y, struct step_result *out,
                            struct report *r)
{
    bool ok;

    budget_start(&t->budget);
    ok = evaluate(t, x, y, out, r);
    budget_stop(&t->budget);
    return ok;
}

static bool predict(struct trainer *t, const struct tensor *x, struct report *r)
{
    if (!check_batch(x, &t->x, "samples", r))
        return false;
    if (!t->prediction && !(t->prediction = training_program_new(t, TO_PREDICT, 0, r)))
        return false;
    frame_set(t->prediction->frame, t->prediction->x, x);
    return frame_run(t->prediction->frame, r);
}

bool trainer_predict(struct trainer *t, const struct tensor *x, struct report *r)
{
    bool ok;

    budget_start(&t->budget);
    ok = predict(t, x, r);
    budget_stop(&t->budget);
    return ok;
}

const struct tensor *trainer_output(const struct trainer *t, size_t k)
{
    return frame_get(t->prediction->frame, t->prediction->graph->outputs[k]);
}

/* -- looking at the state -- */

static struct state *find_state(const struct trainer *t, const char *name)
{
    return map_get(&t->names, name);
}

struct tensor *trainer_state(struct trainer *t, const char *name, const char *slot)
{
    struct state *s = find_state(t, name);

    if (!s || !slot)
        return s ? &s->value : NULL;
    for (int k = 0; s->parameter->role == ROLE_TRAINABLE && k < t->optimizer.slots; k++)
        if (strcmp(t->optimizer.slot_names[k], slot) == 0)
            return &s->slots[k];
    return NULL;
}

const struct tensor *trainer_gradient(const struct trainer *t, const char *name)
{
    const struct state *s = find_state(t, name);

    if (!s || !t->latest || !t->keep_gradients || s->parameter->role != ROLE_TRAINABLE)
        return NULL;
    return frame_get(t->latest->frame, t->latest->gradient[s - t->states]);
}

/* -- snapshots -- */

struct snapshot {
    int64_t steps;
    size_t bytes;
    char content[];
};

/* Copies all state out to, or in from, `content`; returns how many bytes that is. */
static size_t copy_state(const struct trainer *t, char *content, bool out)
{
    size_t at = 0;

    for (size_t k = 0; k < t->state_count; k++)
        for (int s = -1; s < (k < t->trainable ? t->optimizer.slots : 0); s++) {
            const struct tensor *from = s < 0 ? &t->states[k].value : &t->states[k].slots[s];
            const size_t bytes = (size_t)tensor_bytes(from);

            if (content && bytes)
                memcpy(out ? content + at : from->data, out ? from->data : content + at, bytes);
            at += bytes;
        }
    return at;
}

struct snapshot *trainer_snapshot(struct trainer *t, struct report *r)
{
    const size_t bytes = copy_state(t, NULL, true);
    struct snapshot *s = budget_alloc(&t->budget, sizeof *s + bytes, r);

    if (!s)
        return NULL;
    s->steps = t->steps;
    s->bytes = bytes;
    copy_state(t, s->content, true);
    return s;
}

void trainer_restore(struct trainer *t, const struct snapshot *s)
{
    char *content = (char *)(uintptr_t)s->content; /* only read from */

    copy_state(t, content, false);
    t->steps = s->steps;
}

void snapshot_free(struct trainer *t, struct snapshot *s)
{
    budget_free(&t->budget, s);
}
