#include "train/training_program.h"
#include "data/element.h"
#include "grad/grad.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/pass.h"
#include "plan/samples_first.h"
#include "train/class_axis.h"
#include "train/kept.h"
#include "train/penalty.h"
#include "train/state.h"
#include "train/training_build.h"
#include <math.h>
#include <string.h>

static struct value *copied(const struct training_program *p, const struct value *v)
{
    return p->graph->values[v->id]; /* clones keep ids */
}

static bool trains(const struct training_program *p)
{
    return p->purpose != TO_EVALUATE && p->purpose != TO_PREDICT;
}

static bool is_written(const struct training_program *p)
{
    return p->purpose == TO_WRITE || p->purpose == TO_DESCRIBE;
}

/* -- parts -- */

/* 1 where a parameter trains, 0 in the half that does not. */
static struct value *half_mask(struct build *b, const struct tensor *like)
{
    struct value *v = graph_value(b->program->graph, NULL);
    struct tensor *t = emit_alloc(&b->e, sizeof *t);
    const int64_t width = like->dims[like->rank - 1], n = tensor_count(like);

    if (!v || !t)
        return NULL;
    *t = *like;
    t->data = emit_alloc(&b->e, (size_t)tensor_bytes(like));
    for (int64_t k = 0; t->data && k < n; k++)
        element_put(t->data, k, t->dtype, k % width < width / 2);
    v->initializer = t;
    v->known = (struct known){ like->rank, like->dtype };
    return t->data ? v : NULL;
}

/* A value for the state where that is not what the model reads: wider than the file's type, or with a half that must not
 * learn. `v` becomes what is made of it. */
static struct value *add_master(struct build *b, struct value *v, const struct state *s)
{
    struct value *master = graph_value(b->program->graph, v->name), *made = master;

    if (!master)
        return NULL;
    master->trains = true;
    master->known = (struct known){ s->value.rank, s->value.dtype };
    if (s->parameter->half)
        made = emit(&b->e, "Mul", "", 2, master, half_mask(b, &s->value));
    if (made && s->value.dtype != s->parameter->initial.dtype)
        made = emit_cast(&b->e, made, s->parameter->initial.dtype);
    if (!made)
        return NULL;
    v->known = known_of(v);
    v->initializer = NULL;
    v->producer = made->producer;
    v->producer->out[0] = v;
    made->producer = NULL;
    return master;
}

/* What trains or is carried comes from outside; a Constant node is cut off from the value it made. */
static bool release_state(struct build *b)
{
    const size_t nodes = b->program->graph->node_count;

    for (size_t k = 0; k < b->trainer->state_count; k++) {
        const struct state *s = &b->trainer->states[k];
        struct value *v = copied(b->program, s->parameter->value);

        if (v->producer) {
            v->producer->out[0] = NULL;
            v->producer = NULL;
        }
        b->state[k] = s->value.dtype == s->parameter->initial.dtype && !s->parameter->half ? v : add_master(b, v, s);
        if (!b->state[k])
            return false;
        b->state[k]->trains = true;
    }
    return graph_begin_with(b->program->graph, nodes);
}

/* Does the node have something to learn that is frozen, all of it? Then it works as in inference, as Keras'
 * trainable=False. */
static bool is_frozen(const struct build *b, const struct node *n)
{
    const size_t values = b->trainer->model->graph->value_count;
    bool frozen = false;

    for (int k = 0; k < n->inputs; k++) {
        const size_t id = n->in[k] ? (size_t)n->in[k]->id : values;

        if (id < values && b->learns[id])
            return false;
        frozen |= id < values && b->frozen[id];
    }
    return frozen;
}

/* What is made of parameters alone is as they are: a scale that comes through Identity. */
static void pass_roles_on(const struct build *b, const bool *active)
{
    const struct graph *g = b->trainer->model->graph;

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool learns = false, frozen = false, constant = true;

        for (int i = 0; i < n->inputs; i++) {
            learns |= n->in[i] && b->learns[n->in[i]->id];
            frozen |= n->in[i] && b->frozen[n->in[i]->id];
            constant &= !n->in[i] || !active[n->in[i]->id];
        }
        for (int o = 0; constant && o < n->outputs; o++)
            if (n->out[o]) {
                b->learns[n->out[o]->id] |= learns;
                b->frozen[n->out[o]->id] |= frozen;
            }
    }
}

static bool note_roles(struct build *b)
{
    const struct parameters *p = &b->trainer->parameters;
    const struct graph *g = b->trainer->model->graph;
    const bool *active = activations_find(g, &b->program->arena, b->report);

    b->learns = arena_array(&b->program->arena, g->value_count, sizeof *b->learns, b->report);
    b->frozen = arena_array(&b->program->arena, g->value_count, sizeof *b->frozen, b->report);
    if (!active || !b->learns || !b->frozen)
        return false;
    for (size_t k = 0; k < p->count; k++) {
        b->learns[p->at[k].value->id] = p->at[k].role == ROLE_TRAINABLE;
        b->frozen[p->at[k].value->id] = p->at[k].role == ROLE_FROZEN;
    }
    pass_roles_on(b, active);
    return true;
}

/* What the operator itself changes it reads as the state is, not rounded: a share of a float16 that is lost in each
 * step would never come. Its next values are the outputs behind the first. Where a layer is called several times each call
 * goes on from where the one before has left it, as in Keras and PyTorch. */
static void move_statistics(const struct build *b, struct node *n)
{
    const struct trainer *t = b->trainer;
    int next = 1;

    for (const struct op_parameter *p = n->def->parameters; p && p->use; p++) {
        if (p->use != PARAMETER_IS_STATISTIC)
            continue;
        for (size_t k = t->trainable; k < t->state_count; k++)
            if (n->in[p->input] == copied(b->program, t->states[k].parameter->value)) {
                n->in[p->input] = b->moved[k] ? b->moved[k] : b->state[k];
                b->moved[k] = n->out[next];
                break;
            }
        n->def = n->op->defs;
        next++;
    }
}

static bool train_node(struct build *b, struct node *n)
{
    void *attrs = arena_alloc(b->program->graph->arena, n->def->attrs_size, b->report);

    if (!attrs)
        return false;
    memcpy(attrs, n->attrs, n->def->attrs_size);
    n->def->train(attrs);
    n->attrs = attrs;
    n->said_count = UNKNOWN;
    for (int k = 0; k < n->def->training_outputs; k++) {
        struct value *v = node_output(n, k);

        if (!v || (k > 0 && !graph_add_output(b->program->graph, v)))
            return false;
        if (n->outputs <= k)
            n->outputs = k + 1;
    }
    move_statistics(b, n);
    return true;
}

static bool train_nodes(struct build *b)
{
    struct graph *g = b->program->graph;
    const size_t count = g->node_count;

    if (!note_roles(b))
        return false;
    for (size_t k = 0; k < count; k++)
        if (g->nodes[k]->def->train && !is_frozen(b, g->nodes[k]) && !train_node(b, g->nodes[k]))
            return false;
    return true;
}

struct value *build_input(struct build *b, const char *name, const struct tensor *type)
{
    struct value *v = graph_value(b->program->graph, name);

    if (!v || !graph_add_input(b->program->graph, v))
        return NULL;
    v->type = *type;
    v->type.data = NULL;
    v->has_type = true;
    return v;
}

/* The same node for another input 0. */
static struct value *again(struct build *b, const struct node *n, struct value *in)
{
    struct node *copy = graph_node(b->program->graph, n->inputs, n->slots);
    struct value *out = copy ? graph_value(b->program->graph, NULL) : NULL;

    if (!out)
        return NULL;
    copy->op = n->op;
    copy->op_name = n->op_name;
    copy->def = n->def;
    copy->attrs = n->attrs;
    copy->said = n->said;
    copy->said_count = n->said_count;
    copy->said_inputs = n->said_inputs;
    copy->outputs = 1;
    for (int k = 1; k < n->inputs; k++)
        copy->in[k] = n->in[k] ? copied(b->program, n->in[k]) : NULL;
    copy->in[0] = in;
    copy->out[0] = out;
    out->producer = copy;
    return out;
}

/* Logits, rearranged as the activation behind them is on its way to the output; what is quantised of it is not of them. */
static struct value *loss_input(struct build *b, const struct loss *l)
{
    enum { MOST = 16 }; /* nodes in a row that do nothing but rearrange */
    const struct node *way[MOST];
    struct value *at = copied(b->program, l->at);
    int n = 0;

    if (!l->logits || l->at == l->out)
        return at;
    for (const struct node *p = l->out->producer; p && p->in[0] != l->at; p = p->in[0]->producer) {
        if (n == MOST) {
            fail(b->report, KILN_UNSUPPORTED, NULL, "more than %d nodes rearrange output '%s'", MOST, l->out->name);
            return NULL;
        }
        way[n++] = p;
    }
    while (at && n > 0)
        if (!node_is(way[--n], &op_identity) && !(way[n]->def->flags & (OP_QUANTIZES | OP_DEQUANTIZES)))
            at = again(b, way[n], at);
    return at;
}

/* The loss stands behind the output, and reads it as float. */
static bool add_target(struct build *b, size_t k, bool gradient)
{
    const struct target *t = &b->trainer->targets[k];
    struct training_program *p = b->program;
    struct value *at = loss_input(b, &t->loss), *y;

    if (!at)
        return false;
    p->y[k] = build_input(b, k ? NULL : "kiln.labels", &t->y);
    if (t->loss.dtype != F32)
        at = emit_cast(&b->e, at, F32);
    y = p->y[k];
    if (t->loss.axis && at && y) {
        const bool numbers = t->loss.def->labels != LABELS_CLASSES;

        at = class_axis_emit(&b->e, at, t->y.rank + !numbers, t->loss.axis);
        y = numbers ? class_axis_emit(&b->e, y, t->y.rank, t->loss.axis) : y;
    }
    if (is_written(p))
        return y && at && loss_spell(&b->e, &t->loss, at, y, p->weights, &p->loss[k]);
    if (!y || !at || !loss_emit(&b->e, &t->loss, at, y, p->weights, gradient, &p->loss[k]))
        return false;
    p->metrics[k] = metrics_emit(&b->e, program_metrics(b->trainer, p, k), at, y);
    return p->metrics[k] && graph_add_output(p->graph, p->loss[k].mean) && graph_add_output(p->graph, p->metrics[k]);
}

/* Losses, each as often as it counts, and what regularisers add. */
static struct value *add_up(struct build *b)
{
    struct value *sum = NULL;

    for (size_t k = 0; k < b->program->targets; k++) {
        const double weight = b->trainer->targets[k].loss.weight;
        struct value *part = b->program->loss[k].mean;

        if (weight != 1)
            part = emit(&b->e, "Mul", "", 2, part, emit_scalar(&b->e, F32, weight));
        sum = sum ? emit(&b->e, "Add", "", 2, sum, part) : part;
    }
    b->program->penalty = penalties_emit(&b->e, b->trainer, b->state);
    if (b->e.failed)
        return NULL;
    return b->program->penalty ? emit(&b->e, "Add", "", 2, sum, b->program->penalty) : sum;
}

/* Nothing else of the model's outputs is asked for. */
static bool add_losses(struct build *b, bool gradient)
{
    const size_t targets = b->trainer->target_count;
    struct training_program *p = b->program;

    p->graph->output_count = 0;
    p->y = arena_array(&p->arena, targets, sizeof *p->y, b->report);
    p->loss = arena_array(&p->arena, targets, sizeof *p->loss, b->report);
    p->metrics = arena_array(&p->arena, targets, sizeof *p->metrics, b->report);
    if (!p->y || !p->loss || !p->metrics)
        return false;
    if (b->trainer->weighted && !(p->weights = build_input(b, "kiln.weights", &b->trainer->weight_type)))
        return false;
    for (p->targets = 0; p->targets < targets; p->targets++)
        if (!add_target(b, p->targets, gradient))
            return false;
    p->sum = add_up(b);
    return p->sum && ((p->sum == p->loss->mean && !is_written(p)) || graph_add_output(p->graph, p->sum));
}

static void give_batch(const struct build *b, struct tensor *tensors, const struct value *v, const struct tensor *type)
{
    tensors[v->id] = *type;
    tensors[v->id].dims[0] = b->program->batch;
}

struct tensor *build_types_given(struct build *b, struct arena *scratch)
{
    const struct trainer *t = b->trainer;
    struct tensor *tensors = given_types(b->program->graph, scratch, b->report);

    for (size_t k = 0; tensors && k < t->state_count; k++)
        tensors[b->state[k]->id] = t->states[k].value;
    if (!tensors)
        return NULL;
    for (size_t k = 0; k < b->program->inputs; k++)
        give_batch(b, tensors, b->program->x[k], &t->x[k]);
    for (size_t k = 0; k < b->program->targets; k++)
        give_batch(b, tensors, b->program->y[k], &t->targets[k].y);
    if (b->program->weights)
        give_batch(b, tensors, b->program->weights, &t->weight_type);
    for (size_t k = 0; b->program->found && k < b->program->found->count; k++)
        if (found_is_input(&b->program->found->at[k], b->program->graph))
            tensors[b->program->found->at[k].id] = b->program->found->at[k].now;
    return tensors;
}

bool build_rewrite(struct build *b, enum pass_time time)
{
    struct training_program *p = b->program;
    const struct plan_context c = engine_context(&b->trainer->engine, b->report);
    struct arena scratch = { .budget = b->trainer->engine.budget };
    struct tensor *given = build_types_given(b, &scratch);
    bool *kept = arena_array(&scratch, p->graph->value_count, sizeof *kept, b->report);
    struct rewrite w = { .graph = p->graph, .c = &c, .values = p->graph->value_count, .given = given, .kept = kept };
    bool ok = given && kept;

    if (ok) {
        for (size_t k = 0; k < p->targets; k++) {
            kept[p->loss[k].at->id] = true;
            if (p->loss[k].gradient)
                kept[p->loss[k].gradient->id] = true;
        }
        if (p->penalty)
            kept[p->penalty->id] = true;
        ok = passes_apply(&w, time);
    }
    arena_release(&scratch);
    return ok;
}

static bool expand_gradients(struct build *b)
{
    const struct plan_context c = engine_context(&b->trainer->engine, b->report);
    struct arena scratch = { .budget = b->trainer->engine.budget };
    const struct tensor *given = build_types_given(b, &scratch);
    const bool ok = given && grad_expand(b->program->graph, given, NULL, &c);

    arena_release(&scratch);
    return ok;
}

struct program *build_types(struct build *b)
{
    const struct plan_context c = engine_context(&b->trainer->engine, b->report);
    struct arena scratch = { .budget = b->trainer->engine.budget };
    const struct tensor *given = build_types_given(b, &scratch);
    struct program *p = given ? plan_types(b->program->graph, given, NULL, &c) : NULL;

    arena_release(&scratch);
    if (p && !p->complete) {
        b->open = b->program->purpose == TO_TRAIN && !b->program->found;
        if (!b->open)
            fail(b->report, KILN_UNSUPPORTED, NULL,
                 "the model has sizes that only running can tell: a step of training in "
                 "the standard's operators alone is made for known ones");
        program_free(p);
        return NULL;
    }
    return p;
}

bool build_gradients(struct build *b, const struct forward_part *f)
{
    struct trainer *t = b->trainer;
    struct training_program *p = b->program;
    const struct plan_context c = engine_context(&t->engine, b->report);
    const size_t seeds = p->targets + (p->penalty != NULL);
    size_t *ends = t->tell_kept ? arena_array(&p->arena, f->nodes, sizeof *ends, b->report) : NULL;
    struct value **seed = emit_alloc(&b->e, seeds * sizeof *seed);
    struct value **flow = emit_alloc(&b->e, seeds * sizeof *flow);
    const struct grad_request q = { .graph = p->graph,
                                    .types = f->types->types,
                                    .seeds = seeds,
                                    .seed = seed,
                                    .seed_gradient = flow,
                                    .count = t->trainable,
                                    .wrt = b->state,
                                    .gradient = p->gradient,
                                    .bptt = t->bptt,
                                    .ends = ends };
    bool ok = seed && flow && (ends || !t->tell_kept);

    for (size_t k = 0; ok && k < p->targets; k++) {
        seed[k] = p->loss[k].seed;
        flow[k] = p->loss[k].gradient;
    }
    if (ok && p->penalty) {
        seed[p->targets] = p->penalty;
        flow[p->targets] = emit_scalar(&b->e, F32, 1);
        ok = flow[p->targets];
    }
    ok = ok && grad_build(&q, &c);
    for (size_t k = 0; ok && k < t->trainable; k++)
        if (!p->gradient[k])
            ok = fail(b->report, KILN_UNSUPPORTED, NULL,
                      "nothing flows back to parameter '%s': freeze it, or look at the model", b->state[k]->name);
    if (ok && ends)
        p->kept = kept_find(&q, f, &p->arena, b->report);
    return ok && (p->kept || !ends);
}

/* state_limit of the state that the value is; infinite where it is none. */
static double limit_of(const struct build *b, const struct value *v)
{
    for (size_t k = 0; k < b->trainer->state_count; k++)
        if (b->state[k] == v)
            return state_limit(&b->trainer->states[k]);
    return (double)INFINITY;
}

/* What a step takes over when it is done: the statistics. */
static bool find_watched(struct build *b, const struct program *types, struct optimizer_inputs *to)
{
    struct graph *g = b->program->graph;
    struct value **next = emit_alloc(&b->e, types->next_state_count * sizeof *next);
    struct value **now = emit_alloc(&b->e, types->next_state_count * sizeof *now);
    double *limit = emit_alloc(&b->e, types->next_state_count * sizeof *limit);

    for (size_t k = 0; !b->e.failed && k < types->next_state_count; k++) {
        const enum dtype dtype = types->types[types->next_states[k].out].dtype;

        if (dtype == F32 || dtype == F64) {
            next[to->watched] = g->values[types->next_states[k].out];
            now[to->watched] = g->values[types->next_states[k].in];
            limit[to->watched] = limit_of(b, now[to->watched]);
            to->watched++;
        }
    }
    to->next = next;
    to->now = now;
    to->watched_limit = limit;
    return !b->e.failed;
}

bool build_bounds(struct build *b, struct optimizer_inputs *to)
{
    const struct trainer *t = b->trainer;
    const void **beginning = emit_alloc(&b->e, t->trainable * sizeof *beginning);
    double *limit = emit_alloc(&b->e, t->trainable * sizeof *limit);
    double *factor = emit_alloc(&b->e, t->trainable * sizeof *factor);
    bool *decays = emit_alloc(&b->e, t->trainable * sizeof *decays);

    for (size_t k = 0; !b->e.failed && k < t->trainable; k++) {
        beginning[k] = t->states[k].beginning;
        limit[k] = state_limit(&t->states[k]);
        factor[k] = t->states[k].rate_factor;
        decays[k] = !t->states[k].parameter->no_decay;
    }
    to->rate_factor = factor;
    to->beginning = beginning;
    to->limit = limit;
    to->decays = decays;
    return !b->e.failed;
}

/* Slots and the rate are inputs of the graph that have no name in the file. */
bool build_slots(struct build *b)
{
    struct trainer *t = b->trainer;
    struct training_program *p = b->program;
    const size_t slots = (size_t)t->optimizer.slots;

    p->rate = build_input(b, "kiln.rate", &t->rate);
    if (!p->rate)
        return false;
    for (size_t k = 0; k < t->trainable; k++)
        for (size_t s = 0; s < slots; s++) {
            b->slots[k * slots + s] = build_input(b, NULL, &t->states[k].slots[s]);
            if (!b->slots[k * slots + s])
                return false;
        }
    return true;
}

struct optimizer_inputs build_optimizer_inputs(const struct build *b)
{
    const struct training_program *p = b->program;

    return (struct optimizer_inputs){ .loss = p->sum,
                                      .rate = p->rate,
                                      .parameters = b->trainer->trainable,
                                      .parameter = b->state,
                                      .gradient = p->gradient,
                                      .slots = b->slots };
}

static bool add_optimizer(struct build *b, const struct program *types)
{
    struct trainer *t = b->trainer;
    struct training_program *p = b->program;
    struct optimizer_inputs in;

    if (!build_slots(b))
        return false;
    in = build_optimizer_inputs(b);
    for (size_t k = 0; t->keep_gradients && k < t->trainable; k++)
        if (!graph_add_output(p->graph, p->gradient[k]))
            return false;
    return build_bounds(b, &in) && find_watched(b, types, &in) && optimizer_emit(&b->e, &t->optimizer, &in);
}

static bool add_backward(struct build *b)
{
    const struct plan_context c = engine_context(&b->trainer->engine, b->report);
    struct graph *g = b->program->graph;
    struct program *types = build_types(b);
    const struct forward_part f = { types, g->node_count, g->value_count };
    struct rewrite w = { .graph = g, .c = &c, .forward = &f, .segments = b->trainer->recompute };
    const bool ok = types && build_gradients(b, &f) && add_optimizer(b, types) && passes_apply(&w, PASS_STEP);

    program_free(types);
    return ok;
}

/* -- the whole -- */

static bool make_frame(struct build *b)
{
    struct trainer *t = b->trainer;
    struct training_program *p = b->program;
    const size_t slots = (size_t)t->optimizer.slots;

    p->frame = frame_new(&t->engine, p->graph, b->report);
    if (!p->frame)
        return false;
    for (size_t k = 0; k < t->state_count; k++)
        frame_set(p->frame, b->state[k], &t->states[k].value);
    for (size_t k = 0; p->rate && k < t->trainable; k++)
        for (size_t s = 0; s < slots; s++)
            frame_set(p->frame, b->slots[k * slots + s], &t->states[k].slots[s]);
    if (p->rate)
        frame_set(p->frame, p->rate, &t->rate);
    return true;
}

static bool build(struct build *b)
{
    struct trainer *t = b->trainer;
    struct training_program *p = b->program;
    const bool training = trains(p);

    p->graph = graph_clone(t->model->graph, &p->arena, b->report);
    if (!p->graph)
        return false;
    p->graph->report = b->report;
    if (!samples_come_first(p->graph, t->model->graph, b->report))
        return false;
    b->e = (struct emitter){ .graph = p->graph, .report = b->report };
    b->state = arena_array(&p->arena, t->state_count, sizeof *b->state, b->report);
    b->moved = arena_array(&p->arena, t->state_count, sizeof *b->moved, b->report);
    b->slots = arena_array(&p->arena, t->trainable * MAX_SLOTS, sizeof *b->slots, b->report);
    p->x = arena_array(&p->arena, t->inputs, sizeof *p->x, b->report);
    p->gradient = training ? arena_array(&p->arena, t->trainable, sizeof *p->gradient, b->report) : NULL;
    if (!b->state || !b->moved || !b->slots || !p->x || (training && !p->gradient) || !release_state(b))
        return false;
    p->state = b->state;
    p->inputs = t->inputs;
    for (size_t k = 0; k < t->inputs; k++)
        p->x[k] = p->graph->inputs[k];
    if ((p->purpose != TO_PREDICT && !add_losses(b, training)) || (training && !train_nodes(b)))
        return false;
    if (p->purpose == TO_SIZE)
        return true;
    if ((p->found && !found_put(p->found, p->graph)) || !expand_gradients(b))
        return false;
    if (is_written(p))
        return build_written_step(b);
    if (!build_rewrite(b, training ? PASS_FORWARD : PASS_EVALUATION))
        return false;
    return (!training || add_backward(b)) && make_frame(b);
}

struct training_program *training_program_new(struct trainer *t, enum purpose purpose, int64_t batch,
                                              const struct found *found, bool *open, struct report *r)
{
    struct training_program *p = budget_zalloc(&t->budget, 1, sizeof *p, r);
    struct build b = { .trainer = t, .program = p, .report = r };

    if (!p)
        return NULL;
    p->purpose = purpose;
    p->batch = batch;
    p->arena.budget = &t->budget;
    p->found = found ? found_copy(found, &p->arena, r) : NULL;
    if ((p->found || !found) && build(&b))
        return p;
    if (open)
        *open = b.open;
    if (!failed(r) && !b.open)
        fail(r, KILN_NO_MEMORY, NULL, "the training graph cannot be made");
    training_program_free(t, p);
    return NULL;
}

void training_program_free(struct trainer *t, struct training_program *p)
{
    if (!p)
        return;
    frame_free(p->frame);
    graph_release(p->graph);
    arena_release(&p->arena);
    budget_free(&t->budget, p);
}
