/* Gradients that a node asks for: their graph is made when shapes are known, and again where these change. */
#include "grad/grad.h"
#include "plan/given.h"
#include "run/frame_own.h"

void frame_made_free(struct made *m)
{
    if (!m)
        return;
    sizes_free(m->sizes);
    graph_release(m->graph);
    arena_release(&m->arena);
    budget_free(m->arena.budget, m);
}

/* Is it for the types that the inputs have now? What is captured follows from them, or is the same each time, or its own
 * program tells. */
static bool fits(const struct frame *child, const struct step *s)
{
    const struct graph *g = child->graph;

    for (int k = 0; k < s->node->inputs; k++)
        if (!same_type(&child->tensors[g->inputs[k]->id], s->in[k]))
            return false;
    for (size_t k = 0; k < g->capture_count; k++)
        if (!same_type(&child->tensors[g->captures[k].inner->id], &s->frame->tensors[g->captures[k].outer->id]))
            return false;
    return true;
}

/* `open` as grad_of_node has it. */
static struct frame *make(struct step *s, const struct found *found, bool *open)
{
    struct engine *e = s->frame->engine;
    const struct node *n = s->node;
    const struct plan_context c = engine_context(e, s->report);
    struct made *m = budget_zalloc(e->budget, 1, sizeof *m, s->report);
    const size_t count = (size_t)(n->inputs + n->captured);
    const struct tensor **types;
    struct tensor *in;
    struct frame *child = NULL;

    if (!m)
        return NULL;
    m->arena.budget = e->budget;
    in = arena_array(&m->arena, count, sizeof *in, s->report);
    types = arena_array(&m->arena, count, sizeof *types, s->report);
    for (size_t k = 0; in && types && k < count; k++) {
        types[k] = &in[k];
        in[k] = *s->in[k];
        if (!value_constant(n->in[k]))
            in[k].data = NULL;
    }
    m->found = found ? found_copy(found, &m->arena, s->report) : NULL;
    if (in && types && (m->found || !found))
        m->graph = grad_of_node(n, types, n->graph, found, open, &m->arena, &c);
    child = m->graph ? frame_new(e, m->graph, s->report) : NULL;
    if (child)
        child->made = m;
    else
        frame_made_free(m);
    return child;
}

/* Its random numbers are those that are drawn around it. */
static uint64_t seed_around(const struct frame *f)
{
    return f->nested ? f->seed : f->engine->seed;
}

/* What only running tells of what is differentiated, for the inputs as they are; `seen`: that has just been asked for, and
 * nothing is made for it yet. */
static const struct found *find(struct step *s, struct sizes *sizes, bool seen)
{
    struct frame *f = s->frame;
    const struct graph *sub = s->node->graph_of[0];
    struct arena scratch = { .budget = f->engine->budget };
    struct tensor *given = given_types(sub, &scratch, s->report);
    bool *content = arena_array(&scratch, sub->value_count, sizeof *content, s->report);
    const struct found *found = NULL;

    for (size_t k = 0; given && content && k < sub->input_count; k++) {
        given[sub->inputs[k]->id] = *s->in[k];
        content[sub->inputs[k]->id] = value_constant(s->node->in[k]);
    }
    for (size_t k = 0; given && content && k < sub->capture_count; k++) {
        const int outer = sub->captures[k].outer->id, inner = sub->captures[k].inner->id;

        given[inner] = f->tensors[outer];
        content[inner] = value_constant(sub->captures[k].outer); /* as make has it */
    }
    sizes_within(sizes, f->pool, seed_around(f));
    if (given && content)
        found = seen ? sizes_settle(sizes, given, content, s->report) : sizes_run(sizes, given, s->report);
    arena_release(&scratch);
    return found;
}

/* A frame for gradients of the inputs as they are; *found: what only running tells of these, NULL where that is nothing. NULL with
 * an error. */
static struct frame *frame_for(struct step *s, struct frame **place, const struct found **found)
{
    struct sizes *sizes = *place ? (*place)->made->sizes : NULL;
    bool open = false;

    *found = NULL;
    if (sizes && !(*found = find(s, sizes, false)))
        return NULL;
    if (*place && fits(*place, s) && (!sizes || found_same(*found, (*place)->made->found)))
        return *place;
    if (*place)
        (*place)->made->sizes = NULL;
    frame_free(*place);
    *place = NULL;
    if (!sizes) {
        *place = make(s, NULL, &open);
        if (!open)
            return *place;
        sizes = sizes_new(s->frame->engine, s->node->graph_of[0], false, s->report);
    }
    *found = sizes ? find(s, sizes, true) : NULL;
    *place = *found ? make(s, *found, NULL) : NULL;
    if (*place)
        (*place)->made->sizes = sizes;
    else
        sizes_free(sizes);
    return *place;
}

/* The node's inputs, then what was found. */
static bool call(struct step *s, struct frame *child, const struct found *found, const struct tensor *const *inputs,
                 struct tensor *outputs)
{
    struct arena scratch = { .budget = s->frame->engine->budget };
    const size_t count = child->graph->input_count, own = (size_t)s->node->inputs;
    const struct tensor **in = arena_array(&scratch, count, sizeof *in, s->report);
    bool ok = in;
    size_t at = own;

    for (size_t k = 0; ok && k < own; k++)
        in[k] = inputs[k];
    for (size_t k = 0; ok && k < found->count; k++)
        if (found_is_input(&found->at[k], child->graph))
            in[at++] = &found->at[k].now;
    ok = ok && frame_call(s, child, in, outputs);
    arena_release(&scratch);
    return ok;
}

bool step_gradient(struct step *s, const struct tensor *const *inputs, struct tensor *outputs)
{
    struct frame *f = s->frame, **place = frame_child(s, 0), *child;
    const struct found *found;
    size_t at = 0;

    child = place ? frame_for(s, place, &found) : NULL;
    if (!child)
        return false;
    child->nested = true;
    child->pool = f->pool;
    child->seed = seed_around(f);
    if (!(found ? call(s, child, found, inputs, outputs) : frame_call(s, child, inputs, outputs)))
        return false;
    for (int k = s->node->slots; k-- > 0;) /* from the last on, as they move up */
        at += s->node->out[k] != NULL;
    for (int k = s->node->slots; k-- > 0;)
        if (s->node->out[k])
            outputs[k] = outputs[--at];
    return true;
}
