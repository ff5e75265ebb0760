/* Steps of training that are written into a file: in operators of the standard alone. */
#include "grad/grad.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "train/training_build.h"

static const struct tensor whole_number = { .dtype = I64 };

static bool begin_written(struct build *b)
{
    struct training_program *p = b->program;
    const struct trainer *t = b->trainer;
    struct step_values *w = &p->written;

    w->next = arena_array(&p->arena, t->state_count, sizeof *w->next, b->report);
    w->next_slots = arena_array(&p->arena, t->trainable * MAX_SLOTS, sizeof *w->next_slots, b->report);
    w->seed = build_input(b, "kiln.seed", &whole_number);
    w->count = build_input(b, "kiln.step", &whole_number);
    w->state = b->state;
    w->slots = b->slots;
    return w->next && w->next_slots && w->seed && w->count;
}

static bool draws(const struct node *n)
{
    return n->def->flags & OP_RANDOM;
}

/* What draws random numbers does so in the layout that a trainer's passes give it: it is told by a copy of the graph. */
static bool find_layout(struct build *b)
{
    struct training_program *p = b->program;
    struct graph *own = p->graph, *laid;
    const struct node **drawn; /* of the copy, by stream */
    bool any = false, ok;

    for (size_t k = 0; k < own->node_count; k++)
        any |= draws(own->nodes[k]);
    if (!any)
        return true;
    drawn = arena_array(&p->arena, (size_t)own->streams, sizeof(const struct node *), b->report);
    laid = drawn ? graph_clone(own, &p->arena, b->report) : NULL;
    if (!laid)
        return false;
    p->graph = laid;
    ok = build_rewrite(b, PASS_FORWARD);
    p->graph = own;
    for (size_t k = 0; ok && k < laid->node_count; k++)
        if (draws(laid->nodes[k]) && laid->nodes[k]->stream < own->streams)
            drawn[laid->nodes[k]->stream] = laid->nodes[k];
    for (size_t k = 0; ok && k < own->node_count; k++) {
        struct node *n = own->nodes[k];

        if (draws(n) && drawn[n->stream] && drawn[n->stream]->def == n->def)
            n->attrs = drawn[n->stream]->attrs;
    }
    graph_release(laid);
    return ok;
}

static bool spell_plain(struct build *b)
{
    const struct plan_context c = engine_context(&b->trainer->engine, b->report);
    struct training_program *p = b->program;
    struct arena scratch = { .budget = b->trainer->engine.budget };
    const struct tensor *given = build_types_given(b, &scratch);
    const bool ok =
        given && grad_spell_plain(p->graph, given, p->graph->value_count, p->written.seed, p->written.count, &c);

    arena_release(&scratch);
    return ok;
}

/* The standard's node, which nobody plans: it tells of names, which are given when it is written. */
static bool add_gradient_node(struct build *b)
{
    struct training_program *p = b->program;
    const int count = (int)b->trainer->trainable;
    const struct op *op = &op_gradient;
    struct node *n = graph_node(p->graph, count, count);

    if (!n)
        return false;
    n->op = op;
    n->def = op->defs;
    n->op_name = op->name;
    n->said_inputs = n->outputs = count;
    n->name = "";
    n->index = -1;
    for (int k = 0; k < count; k++) {
        n->in[k] = b->state[k];
        n->out[k] = p->gradient[k] = graph_value(p->graph, NULL);
        if (!n->out[k])
            return false;
        n->out[k]->producer = n;
        n->out[k]->known = known_of(b->state[k]);
    }
    p->written.gradient = n;
    return true;
}

static bool add_update(struct build *b)
{
    struct trainer *t = b->trainer;
    struct training_program *p = b->program;
    struct step_values *w = &p->written;
    struct optimizer_inputs in;

    if (!build_slots(b))
        return false;
    in = build_optimizer_inputs(b);
    if (!build_bounds(b, &in) || !optimizer_spell(&b->e, &t->optimizer, &in, w->count, w->next, w->next_slots))
        return false;
    for (size_t k = t->trainable; k < t->state_count; k++)
        w->next[k] = b->moved[k] ? b->moved[k] : b->state[k];
    w->next_count = emit(&b->e, "Add", "", 2, w->count, emit_scalar(&b->e, I64, 1));
    return !b->e.failed;
}

static bool list_written(struct build *b)
{
    struct training_program *p = b->program;
    struct trainer *t = b->trainer;
    struct step_values *w = &p->written;

    p->graph->output_count = 0;
    if (!graph_add_output(p->graph, p->sum))
        return false;
    for (size_t k = 0; k < t->state_count; k++)
        if (!graph_add_output(p->graph, w->next[k]))
            return false;
    for (size_t k = 0; k < t->trainable * (size_t)t->optimizer.slots; k++)
        if (!graph_add_output(p->graph, w->next_slots[k]))
            return false;
    return graph_add_output(p->graph, w->next_count);
}

/* Gradients are taken of what is private still, which has the better rules. */
bool build_written_step(struct build *b)
{
    struct training_program *p = b->program;
    struct program *types = NULL;
    bool ok = begin_written(b) && find_layout(b);

    if (p->purpose == TO_WRITE) {
        types = ok ? build_types(b) : NULL;
        ok = types && build_gradients(b, &(struct forward_part){ types, p->graph->node_count, p->graph->value_count });
        for (size_t k = 0; ok && k < b->trainer->trainable; k++) /* so that they are planned */
            ok = graph_add_output(p->graph, p->gradient[k]);
        program_free(types);
        ok = ok && spell_plain(b);
    } else {
        ok = ok && spell_plain(b) && add_gradient_node(b);
    }
    if (!ok || !add_update(b) || !list_written(b))
        return false;
    p->types = build_types_given(b, &p->arena);
    return p->types;
}
