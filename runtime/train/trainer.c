#include "train/trainer.h"
#include "base/text.h"
#include "data/element.h"
#include "ops/registry.h"
#include "plan/samples_first.h"
#include "train/kept.h"
#include "train/measure.h"
#include "train/penalty.h"
#include "train/prepare.h"
#include "train/programs.h"
#include "train/reach.h"
#include "train/remember.h"
#include "train/state.h"
#include "train/step_sizes.h"
#include "train/targets.h"
#include "train/training_program.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* -- state -- */

static bool add_slots(struct trainer *t, struct state *s, struct report *r)
{
    for (int k = 0; k < t->optimizer.slots; k++) {
        double begins;
        const struct tensor like = optimizer_slot(&t->optimizer, k, &s->value, &begins);
        const int64_t n = begins != 0 ? tensor_count(&like) : 0;

        if (!state_tensor(t, &s->slots[k], &like, NULL, r))
            return false;
        for (int64_t i = 0; i < n; i++)
            element_put(s->slots[k].data, i, like.dtype, begins);
    }
    return true;
}

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
        if (role == ROLE_TRAINABLE && !add_slots(t, s, r))
            return false;
        t->state_count++;
        t->trainable += role == ROLE_TRAINABLE;
    }
    return true;
}

/* Parameters that no gradient reaches keep their values, as in Keras, which warns likewise. Running statistics move: all
 * of the model runs. */
static bool leave_others(struct trainer *t, struct report *r)
{
    struct arena scratch = { .budget = &t->budget };
    const struct value **outputs = arena_array(&scratch, t->target_count, sizeof *outputs, r);
    const struct reached *reached = NULL;
    bool ok;

    for (size_t k = 0; outputs && k < t->target_count; k++)
        outputs[k] = t->targets[k].output;
    if (outputs)
        reached = parameters_reach(&t->parameters, t->model->graph, outputs, t->target_count, &scratch, r);
    ok = reached && parameters_leave(&t->parameters, reached, &t->arena, r);
    arena_release(&scratch);
    return ok;
}

static bool set_factors(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    for (size_t k = 0; k < t->trainable; k++)
        t->states[k].rate_factor = 1;
    for (size_t f = 0; f < o->rate_factors; f++) {
        const struct rate_factor *q = &o->rate_factor[f];
        bool any = false;

        for (size_t k = 0; k < t->trainable; k++)
            if (parameter_matches(t->states[k].parameter, q->pattern)) {
                t->states[k].rate_factor = q->factor;
                any = true;
            }
        if (!any)
            return fail(r, KILN_BAD_ARGUMENT, NULL,
                        "rate factor: '%s' names no parameter that trains, and no node that reads one", q->pattern);
    }
    return true;
}

/* Integers that DequantizeLinear makes floats of do not train; who adapts the model makes floats of them. The names of those
 * that the file holds so, as names_text writes them; "" where there are none. */
static bool name_integers(const struct trainer *t, char text[NAMES_TEXT], struct report *r)
{
    const struct graph *g = t->model->graph;
    struct arena scratch = { .budget = t->arena.budget };
    const char **names = arena_array(&scratch, g->node_count, sizeof *names, r);
    size_t count = 0;

    *text = 0;
    for (size_t k = 0; names && k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const struct tensor *w = n->def->flags & OP_DEQUANTIZES ? value_constant(n->in[0]) : NULL;

        if (w && w->rank > 0)
            names[count++] = n->in[0]->name;
    }
    if (count)
        names_text(text, names, count);
    arena_release(&scratch);
    return names;
}

static bool check_trainable(const struct trainer *t, struct report *r)
{
    char names[NAMES_TEXT];

    if (!name_integers(t, names, r))
        return false;
    if (!t->trainable)
        return *names
                   ? fail(
                         r, KILN_BAD_MODEL, NULL,
                         "nothing in the model can be trained: integers that DequantizeLinear reads do not train (%s), "
                         "`kiln adapt` makes floats of them",
                         names)
                   : fail(r, KILN_BAD_MODEL, NULL, "nothing in the model can be trained");
    if (*names)
        warn(r, NULL, "integers that DequantizeLinear reads do not train (%s): `kiln adapt` makes floats of them",
             names);
    return true;
}

static bool make_state(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    static const struct tensor scalar = { .dtype = F64 };
    struct map messages = { 0 };
    bool ok;

    if (o->patterns.undecayed && t->optimizer.common.weight_decay == 0)
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "'%s' is excluded from weight decay, but optimizer '%s' has weight_decay=0",
                    o->patterns.exclude_from_weight_decay[0], t->optimizer.def->row.name);
    if (!parameters_find(&t->parameters, t->model, &o->patterns, &t->arena, r) || !leave_others(t, r))
        return false;
    t->states = arena_array(&t->arena, t->parameters.count, sizeof *t->states, r);
    ok = t->states && state_tensor(t, &t->rate, &scalar, NULL, r) && states_index(t, &messages, r) &&
         add_states(t, ROLE_TRAINABLE, &messages, r) && add_states(t, ROLE_STATISTIC, &messages, r);
    map_release(&messages);
    if (!ok)
        return false;
    if (!check_trainable(t, r))
        return false;
    for (size_t k = 0; k < t->trainable; k++)
        if (t->states[k].value.dtype == F64 && !t->optimizer.def->apply_double)
            return fail(r, KILN_UNSUPPORTED, NULL, "optimizer '%s' does not train double, which parameter '%s' is",
                        t->optimizer.def->row.name, t->states[k].parameter->value->name);
    if (!set_factors(t, o, r))
        return false;
    for (size_t k = 0; k < t->state_count; k++) {
        void **slot = map_put(&t->names, t->states[k].parameter->value->name, r);

        if (!slot)
            return false;
        *slot = *slot ? *slot : &t->states[k];
    }
    for (size_t k = 0; k < t->trainable; k++)
        if (t->states[k].parameter->readers > 1 && !t->states[k].parameter->said)
            warn(r, NULL,
                 "'%s' is read in %d places and trained as one: shared, or merged by an exporter (--untie: one "
                 "for each)",
                 t->states[k].parameter->value->name, t->states[k].parameter->readers);
    return true;
}

/* -- what goes in and comes out -- */

static bool find_input(struct trainer *t, size_t k, const struct tensor *data, struct report *r)
{
    const struct value *v = t->model->graph->inputs[k];
    char text[TYPE_TEXT];
    struct tensor given;

    if (!v->has_type || v->type.kind != TENSOR)
        return fail(r, KILN_BAD_MODEL, NULL, "input '%s' declares no shape, must have a dimension for the samples",
                    v->name);
    if (v->type.rank < 1)
        return fail(r, KILN_BAD_MODEL, NULL,
                    "input '%s' is %s, must have a dimension for the samples; `kiln convert --set` gives inputs values",
                    v->name, tensor_text(&v->type, text));
    given = samples_first(t->model->graph, k, &v->type);
    for (int d = 1; data && data->rank == given.rank && d < given.rank; d++)
        given.dims[d] = given.dims[d] < 0 ? data->dims[d] : given.dims[d];
    t->x[k] = samples_in_place(t->model->graph, k, &given);
    return true;
}

static bool find_inputs(struct trainer *t, const struct tensor *data, struct report *r)
{
    const struct graph *g = t->model->graph;

    if (!g->input_count)
        return fail(r, KILN_BAD_MODEL, NULL, "the model has no input without a value, must have one for the samples");
    t->inputs = g->input_count;
    t->x = arena_array(&t->arena, t->inputs, sizeof *t->x, r);
    for (size_t k = 0; t->x && k < t->inputs; k++)
        if (!find_input(t, k, data ? &data[k] : NULL, r))
            return false;
    return t->x;
}

/* Is there anything in it, or in its bodies, that carries from step to step? Subgraphs nest no deeper than the loader allows,
 * so this may recurse. */
static bool carries(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (node_is(n, &op_loop) || node_is(n, &op_rnn) || node_is(n, &op_gru) || node_is(n, &op_lstm))
            return true;
        for (int s = 0; s < n->graphs; s++)
            if (carries(n->graph_of[s]))
                return true;
    }
    return false;
}

static void set_truncation(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    t->bptt = o->bptt;
    if (o->bptt && !carries(t->model->graph))
        warn(r, NULL, "bptt is %lld, but the model has no RNN, GRU, LSTM, Loop or Scan: it does nothing",
             (long long)o->bptt);
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
    if (!schedule_parse(&t->schedule, o->schedule, t->learning_rate, &t->arena, r))
        return false;
    t->keep_gradients = o->keep_gradients;
    t->recompute = o->recompute;
    t->tell_kept = o->tell_kept;
    t->weighted = o->weighted;
    t->weight_type = (struct tensor){ .dtype = F32, .rank = 1, .dims = { UNKNOWN } };
    t->model = model_prepare(m, o->untie, &t->budget, r);
    if (t->model)
        set_truncation(t, o, r);
    return t->model && find_inputs(t, o->x, r) && targets_find(t, o, r) && (o->measure || make_state(t, o, r)) &&
           penalties_find(t, o, r) && targets_choose(t, o, r) && measures_name(t, r) &&
           (!o->remember || losses_remember(t, o, r));
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
    step_sizes_free(t->sizes);
    training_program_free(t, t->evaluation);
    training_program_free(t, t->prediction);
    budget_free(&t->budget, t->ones.data);
    for (size_t k = 0; t->targets && k < t->target_count; k++)
        loss_close(&t->targets[k].loss);
    engine_release(&t->engine);
    map_release(&t->names);
    arena_release(&t->arena);
    model_free(t->model);
    budget_free(&unlimited, t); /* not charged to the budget it holds */
}

/* -- steps -- */

/* `what` of the value `of`, which is named where there are several. */
static bool check_batch(const struct tensor *got, const struct tensor *need, const char *what, const struct value *of,
                        bool several, struct report *r)
{
    char a[TYPE_TEXT], b[TYPE_TEXT];
    bool fits = got->kind == TENSOR && got->dtype == need->dtype && got->rank == need->rank;

    for (int d = 0; fits && d < need->rank; d++)
        fits = d ? need->dims[d] < 0 || got->dims[d] == need->dims[d] : got->dims[d] > 0;
    return fits || fail(r, KILN_BAD_DATA, NULL, "%s%s%s%s are %s, must be %s", what, several ? " for '" : "",
                        several ? of->name : "", several ? "'" : "", tensor_text(got, a), tensor_text(need, b));
}

/* Of what only running tells what the graph does not make itself. */
static void set_found(struct training_program *p, const struct found *found)
{
    for (size_t k = 0; found && k < found->count; k++)
        if (found_is_input(&found->at[k], p->graph))
            frame_set(p->frame, p->graph->values[found->at[k].id], &found->at[k].now);
}

static void set_batch(struct training_program *p, const struct tensor *x, const struct tensor *y)
{
    for (size_t k = 0; k < p->inputs; k++)
        frame_set(p->frame, p->x[k], &x[k]);
    for (size_t k = 0; k < p->targets; k++)
        frame_set(p->frame, p->y[k], &y[k]);
}

/* Its weights are as they were set, or as many ones. */
static bool begin_batch(struct trainer *t, struct step_batch *b, struct report *r)
{
    const int64_t samples = b->samples = b->x->dims[0];
    struct tensor *w = &b->weights;
    const int64_t room = t->ones.data ? t->ones.dims[0] : 0;

    *w = t->weights;
    if (!t->weighted || w->data)
        return true;
    if (samples > room) {
        budget_free(&t->budget, t->ones.data);
        t->ones = (struct tensor){ .dtype = F32, .rank = 1, .dims = { samples } };
        t->ones.data = budget_alloc(&t->budget, (size_t)samples * sizeof(float), r);
        for (int64_t i = 0; t->ones.data && i < samples; i++)
            ((float *)t->ones.data)[i] = 1;
    }
    *w = t->ones;
    w->dims[0] = samples;
    return w->data;
}

static bool run(struct trainer *t, struct training_program *p, const struct step_batch *b, float *loss,
                struct report *r)
{
    const struct tensor *y = b->y;

    set_batch(p, b->x, y);
    if (p->weights)
        frame_set(p->frame, p->weights, &b->weights);
    p->used = ++t->clock;
    if (!frame_run(p->frame, r))
        return false;
    *loss = *(const float *)frame_get(p->frame, p->sum)->data;
    for (size_t k = 0; k < t->target_count; k++) {
        struct target_result *to = &t->result[k];

        to->loss = *(const float *)frame_get(p->frame, p->loss[k].mean)->data;
        memcpy(to->metric, frame_get(p->frame, p->metrics[k])->data,
               (size_t)program_metrics(t, p, k)->sums * sizeof *to->metric);
        to->rows = t->targets[k].loss.def->labels == LABELS_CLASSES ? tensor_count(&y[k])
                   : t->targets[k].loss.axis                        ? tensor_count(&y[k]) / t->targets[k].loss.width
                                                                    : row_count(&y[k]);
    }
    return true;
}

static bool check_inputs(const struct trainer *t, const struct tensor *x, struct report *r)
{
    if (t->batch && x->rank > 0 && x->dims[0] != t->batch)
        return fail(r, KILN_BAD_DATA, NULL, "the model is made for %lld samples at a time, not for %lld",
                    (long long)t->batch, (long long)x->dims[0]);
    for (size_t k = 0; k < t->inputs; k++) {
        if (!check_batch(&x[k], &t->x[k], "samples", t->model->graph->inputs[k], t->inputs > 1, r))
            return false;
        if (x[k].dims[0] != x[0].dims[0])
            return fail(r, KILN_BAD_DATA, NULL, "%lld samples for input '%s', but %lld for '%s'",
                        (long long)x[0].dims[0], t->model->graph->inputs[0]->name, (long long)x[k].dims[0],
                        t->model->graph->inputs[k]->name);
    }
    return true;
}

static bool check_all(const struct trainer *t, const struct tensor *x, const struct tensor *y, struct report *r)
{
    if (!check_inputs(t, x, r))
        return false;
    for (size_t k = 0; k < t->target_count; k++) {
        const struct value *output = t->targets[k].output;

        if (!check_batch(&y[k], &t->targets[k].y, "labels", output, t->target_count > 1, r))
            return false;
        if (t->weights.data && (t->weights.rank != 1 || t->weights.dims[0] != x->dims[0]))
            return fail(r, KILN_BAD_DATA, NULL, "%lld samples, but %lld weights", (long long)x->dims[0],
                        (long long)tensor_count(&t->weights));
        if (x->dims[0] != y[k].dims[0])
            return fail(r, KILN_BAD_DATA, NULL, "%lld samples, but %lld labels for '%s'", (long long)x->dims[0],
                        (long long)y[k].dims[0], output->name);
    }
    return true;
}

static const struct program *plan(struct trainer *t, struct training_program *p, const struct found *found,
                                  struct report *r)
{
    const int64_t batch = p->batch;

    for (size_t k = 0; k < p->inputs; k++) {
        struct tensor x = t->x[k];

        x.dims[0] = batch;
        frame_set(p->frame, p->x[k], &x);
    }
    for (size_t k = 0; k < p->targets; k++) {
        struct tensor y = t->targets[k].y;

        y.dims[0] = batch;
        frame_set(p->frame, p->y[k], &y);
    }
    if (p->weights) {
        struct tensor w = t->weight_type;

        w.dims[0] = batch;
        frame_set(p->frame, p->weights, &w);
    }
    set_found(p, found);
    return frame_plan(p->frame, r);
}

const struct program *trainer_plan(struct trainer *t, int64_t batch, struct report *r)
{
    const struct step_batch types = { .samples = batch };
    const struct program *p = NULL;
    const struct found *found;
    struct training_program *made;

    budget_start(&t->budget);
    made = program_for(t, &types, &found, r);
    if (made)
        p = plan(t, made, found, r);
    budget_stop(&t->budget);
    return p;
}

const struct kept *trainer_kept(struct trainer *t, int64_t batch, struct report *r)
{
    const struct step_batch types = { .samples = batch };
    const struct program *p = trainer_plan(t, batch, r);
    const struct found *found;
    struct training_program *made = p ? program_for(t, &types, &found, r) : NULL;
    const struct tensor *open = made && t->sizes ? step_sizes_types(t->sizes, batch, &made->arena, r) : NULL;

    if (!made || (t->sizes && !open))
        return NULL;
    return kept_settle(made->kept, p, open, open ? step_sizes_values(t->sizes) : 0, &made->arena, r) ? made->kept
                                                                                                     : NULL;
}

double trainer_learning_rate(const struct trainer *t)
{
    return t->schedule.def ? schedule_rate(&t->schedule, t->steps) : t->learning_rate;
}

/* A schedule may grow beyond what a float holds. */
static bool set_rate(struct trainer *t, struct report *r)
{
    const double rate = trainer_learning_rate(t);

    *(double *)t->rate.data = rate;
    if (isfinite(rate))
        return true;
    return t->schedule.def
               ? fail(r, KILN_RUN_FAILED, NULL, "schedule '%s' gives step %lld a learning rate of %g",
                      t->schedule.def->row.name, (long long)t->steps + 1, rate)
               : fail(r, KILN_RUN_FAILED, NULL, "step %lld has a learning rate of %g", (long long)t->steps + 1, rate);
}

static bool step(struct trainer *t, const struct tensor *x, const struct tensor *y, float *loss, struct report *r)
{
    struct step_batch b = { .x = x, .y = y };
    const struct found *found;
    struct training_program *p;

    t->engine.number = (uint64_t)t->steps;
    if (!check_all(t, x, y, r) || !begin_batch(t, &b, r) || !(p = program_for(t, &b, &found, r)))
        return false;
    set_found(p, found);
    if (!set_rate(t, r) || !run(t, p, &b, loss, r))
        return false;
    frame_commit(p->frame);
    t->latest = p;
    t->steps++;
    return true;
}

bool trainer_step(struct trainer *t, const struct tensor *x, const struct tensor *y, float *loss, struct report *r)
{
    bool ok;

    budget_start(&t->budget);
    ok = step(t, x, y, loss, r);
    budget_stop(&t->budget);
    return ok;
}

static bool evaluate(struct trainer *t, const struct tensor *x, const struct tensor *y, float *loss, struct report *r)
{
    struct step_batch b = { .x = x, .y = y };

    if (!check_all(t, x, y, r) || !begin_batch(t, &b, r))
        return false;
    if (!t->evaluation && !(t->evaluation = training_program_new(t, TO_EVALUATE, 0, NULL, NULL, r)))
        return false;
    return run(t, t->evaluation, &b, loss, r);
}

bool trainer_evaluate_batch(struct trainer *t, const struct tensor *x, const struct tensor *y, float *loss,
                            struct report *r)
{
    bool ok;

    budget_start(&t->budget);
    ok = evaluate(t, x, y, loss, r);
    budget_stop(&t->budget);
    return ok;
}

static bool predict(struct trainer *t, const struct tensor *x, struct report *r)
{
    if (!check_inputs(t, x, r))
        return false;
    if (!t->prediction && !(t->prediction = training_program_new(t, TO_PREDICT, 0, NULL, NULL, r)))
        return false;
    set_batch(t->prediction, x, NULL);
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

void trainer_finalize(struct trainer *t)
{
    const int average = t->optimizer.common_slot[SLOT_AVERAGE];

    for (size_t k = 0; average >= 0 && t->steps > 0 && k < t->trainable; k++) {
        const size_t bytes = (size_t)tensor_bytes(&t->states[k].value);

        if (bytes)
            memcpy(t->states[k].value.data, t->states[k].slots[average].data, bytes);
    }
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
