#include "base/random.h"
#include "plan/given.h"
#include "run/frame_own.h"
#include "run/profile.h"
#include "run/slices.h"
#include <string.h>

/* Segments kept for one graph beside those of the latest run: shapes met before need no planning. Past that number the
 * one not used for longest goes. */
enum { MAX_BOUND = 32 };

/* Segments of one run. Each knows all values of the graph, so that time and memory grow with the product of the two,
 * which has a bound of its own. */
enum { MAX_SEGMENTS = 1024, MAX_SEGMENT_VALUES = 1 << 24 };

struct late_view { /* a view of memory that is only known while running */
    struct tensor *out;
    const struct tensor *root;
};

struct bound_step {
    struct step step;
    bool (*run)(struct step *s); /* NULL: only views */
    struct late_view *views;
    int view_count;
};

/* A program with memory. */
struct bound {
    const struct program *program;
    struct program *own;  /* the same; NULL where it is somebody else's */
    struct bound *before; /* the segment before it; NULL for a first one */
    struct bound *next;   /* of all of the frame's */
    struct arena arena;   /* of what is below */
    struct heads *heads;  /* that run its slices; NULL: it has none */
    char *memory;
    struct bound_step *steps;
    size_t step_count;
    uint64_t used; /* the run that met it last */
    bool dead;
};

struct frame *frame_new(struct engine *e, const struct graph *g, struct report *r)
{
    struct frame *f = budget_zalloc(e->budget, 1, sizeof *f, r);

    if (!f)
        return NULL;
    f->engine = e;
    f->graph = g;
    f->pool = e->pool;
    f->arena.budget = f->heap.budget = e->budget;
    f->tensors = given_types(g, &f->arena, r);
    f->children = arena_array(&f->arena, g->node_count, CHILDREN * sizeof *f->children, r);
    f->known = arena_array(&f->arena, g->value_count, sizeof *f->known, r);
    if (!f->tensors || !f->children || !f->known) {
        frame_free(f);
        return NULL;
    }
    return f;
}

struct frame *frame_new_main(struct engine *e, const struct graph *g, struct passes *p, struct report *r)
{
    struct frame *f = frame_new(e, g, r);

    if (f)
        f->passes = p;
    return f;
}

static void bound_free(struct frame *f, struct bound *b)
{
    struct budget *budget = f->engine->budget;

    heads_free(b->heads);
    budget_free_pages(budget, b->memory, (size_t)b->program->arena_bytes);
    arena_release(&b->arena);
    program_free(b->own);
    budget_free(budget, b);
    f->bound_count--;
}

/* Frames nest no deeper than subgraphs, which the loader bounds. */
void frame_free(struct frame *f)
{
    if (!f)
        return;
    while (f->bounds) {
        struct bound *b = f->bounds;

        f->bounds = b->next;
        bound_free(f, b);
    }
    for (size_t k = 0; f->children && k < CHILDREN * f->graph->node_count; k++)
        frame_free(f->children[k]);
    heap_reset(&f->heap);
    arena_release(&f->arena);
    frame_made_free(f->made);
    budget_free(f->engine->budget, f);
}

void frame_run_alone(struct frame *f, struct pool *pool)
{
    f->pool = pool;
}

void frame_within(struct frame *f, struct pool *pool, uint64_t seed)
{
    f->nested = true;
    f->pool = pool;
    f->seed = seed;
}

void frame_set(struct frame *f, const struct value *v, const struct tensor *t)
{
    static _Alignas(64) char nothing[64]; /* where a tensor without elements lies, whose owner need not tell */
    struct tensor *own = &f->tensors[v->id];

    *own = *t;
    if (own->kind == TENSOR && !own->data && tensor_count(own) == 0)
        own->data = nothing;
}

const struct tensor *frame_get(const struct frame *f, const struct value *v)
{
    return &f->tensors[v->id];
}

const struct program *frame_program(const struct frame *f)
{
    return f->first ? f->first->program : NULL;
}

/* -- binding -- */

/* Marks and frees the segments that hang on dead ones, then the dead. */
static void sweep(struct frame *f)
{
    bool more = true;

    while (more) {
        more = false;
        for (struct bound *b = f->bounds; b; b = b->next)
            if (!b->dead && b->before && b->before->dead)
                more = b->dead = true;
    }
    for (struct bound **at = &f->bounds; *at;) {
        struct bound *b = *at;

        if (!b->dead) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        bound_free(f, b);
    }
}

/* Frees the segment used the longest ago, with those that hang on it; never one of the present run. Of one run the
 * last segment goes first. */
static bool drop_oldest(struct frame *f)
{
    struct bound *oldest = NULL;

    for (struct bound *b = f->bounds; b; b = b->next)
        if (b->used < f->clock && (!oldest || b->used < oldest->used))
            oldest = b;
    if (!oldest)
        return false;
    oldest->dead = true;
    sweep(f);
    return true;
}

/* Between runs nothing points into a program but those of the latest run, whose values may still be read. */
static void evict(struct frame *f)
{
    size_t latest = 0;

    for (const struct bound *b = f->bounds; b; b = b->next)
        latest += b->used == f->clock;
    while (f->bound_count > MAX_BOUND + latest && drop_oldest(f))
        ;
}

void frame_keep_latest(struct frame *f)
{
    while (drop_oldest(f))
        ;
}

static bool find_prepared(struct frame *f, struct step *to, const struct program_step *from, struct arena *arena,
                          struct report *r)
{
    struct engine *e = f->engine;
    const void **prepared = arena_array(arena, (size_t)from->node->inputs, sizeof *prepared, r);

    to->prepared = prepared;
    for (int k = 0; prepared && k < from->node->inputs; k++)
        if (preparation_for(from, k) &&
            !(prepared[k] = prepared_get(&e->prepared, preparation_for(from, k), e->kernels, e->pool, r)))
            return false;
    return prepared;
}

static bool bind_step(struct frame *f, struct bound *b, struct bound_step *to, const struct program_step *from,
                      struct report *r)
{
    const struct node *n = from->node;
    struct arena *arena = &b->arena;
    const struct tensor **in = arena_array(arena, (size_t)(n->inputs + n->captured), sizeof *in, r);
    struct tensor **out = arena_array(arena, (size_t)n->slots, sizeof *out, r);

    to->views = arena_array(arena, (size_t)n->slots, sizeof *to->views, r);
    if (!in || !out || !to->views)
        return false;
    for (int k = 0; k < n->inputs + n->captured; k++)
        in[k] = n->in[k] ? &f->tensors[n->in[k]->id] : NULL;
    for (int k = 0; k < n->slots; k++) {
        if (!from->read[k])
            continue;
        out[k] = &f->tensors[n->out[k]->id];
        if (b->program->places[n->out[k]->id].kind == PLACE_VIEW)
            to->views[to->view_count++] =
                (struct late_view){ out[k], &f->tensors[b->program->places[n->out[k]->id].root] };
    }
    to->run = n->def->run;
    to->step = (struct step){ .node = n,
                              .attrs = n->attrs,
                              .in = in,
                              .out = out,
                              .scratch = b->memory + (from->scratch < 0 ? 0 : from->scratch),
                              .plan = from->plan,
                              .k = f->engine->kernels,
                              .pool = f->pool,
                              .heap = &f->heap,
                              .frame = f };
    return !from->preparations || find_prepared(f, &to->step, from, arena, r);
}

/* By value id: 0 where nothing reads it, and how often it is prepared where that is all; else -1. */
static int *count_preparations(const struct frame *f, const struct program *p, struct arena *arena)
{
    int *left = arena_array(arena, f->graph->value_count, sizeof *left, NULL);

    for (size_t k = 0; left && k < p->step_count; k++) {
        const struct program_step *s = &p->steps[k];
        for (int i = 0; i < s->node->inputs + s->node->captured; i++) {
            const int id = s->node->in[i] ? s->node->in[i]->id : -1;
            const struct preparation *q = i < s->node->inputs ? preparation_for(s, i) : NULL;

            if (id >= 0 && (!q || q->keeps_input || p->types[id].data != q->of->data))
                left[id] = -1;
            else if (id >= 0 && left[id] >= 0)
                left[id]++;
        }
    }
    for (size_t k = 0; left && k < f->graph->output_count; k++)
        left[f->graph->outputs[k]->id] = -1;
    for (size_t k = 0; left && k < f->graph->value_count; k++)
        if (p->slices && p->slices->reads[k])
            left[k] = -1;
    return left;
}

/* Weights that were only wanted to be prepared go as soon as they have been, so that never all of both are there. */
static void forget_prepared(struct frame *f, const struct program_step *s, int *left, struct pieces *pieces)
{
    for (int i = 0; i < s->node->inputs; i++) {
        const struct value *v = s->node->in[i];

        if (!preparation_for(s, i) || left[v->id] <= 0 || --left[v->id])
            continue;
        pieces_unread(pieces, v);
        if (passes_forget(f->passes, v, pieces))
            f->passes->form = FORM_SPENT;
    }
}

/* Which weights may go, with the first program of a session; false: none. */
static bool find_weights(struct frame *f, struct bound *b, int **left, struct pieces *pieces)
{
    if (!f->passes || f->passes->form != FORM_FRESH || !b->program->complete)
        return false;
    *left = count_preparations(f, b->program, &b->arena);
    return *left && pieces_find(pieces, f->graph, *left, &b->arena, NULL);
}

static bool bind_steps(struct frame *f, struct bound *b, struct report *r)
{
    const struct program *p = b->program;
    struct pieces pieces = { 0 };
    int *left = NULL;
    const bool forget = find_weights(f, b, &left, &pieces);

    for (size_t k = 0; k < p->step_count; k++) {
        struct bound_step *s = &b->steps[b->step_count];

        if (!bind_step(f, b, s, &p->steps[k], r))
            return false;
        if (forget && p->steps[k].preparations)
            forget_prepared(f, &p->steps[k], left, &pieces);
        if (s->run || s->view_count)
            b->step_count++;
        else
            memset(s, 0, sizeof *s);
    }
    return true;
}

/* What is made for a program beside its steps. */
static bool furnish(struct frame *f, struct bound *b, struct report *r)
{
    const struct program *p = b->program;
    struct budget *budget = f->engine->budget;

    b->steps = arena_array(&b->arena, p->step_count, sizeof *b->steps, r);
    b->memory = b->steps ? budget_alloc_pages(budget, to_size(p->arena_bytes), r) : NULL;
    return b->memory && (!p->slices || (b->heads = heads_new(f->engine, p->slices, r)));
}

/* `own`: the program, if it is to go with what is made; after an error it has gone. */
static struct bound *bind(struct frame *f, const struct program *p, struct program *own, struct bound *before,
                          struct report *r)
{
    struct bound *b = budget_zalloc(f->engine->budget, 1, sizeof *b, r);

    if (!b) {
        program_free(own);
        return NULL;
    }
    *b = (struct bound){
        .program = p, .own = own, .before = before, .next = f->bounds, .arena.budget = f->engine->budget
    };
    f->bounds = b;
    f->bound_count++;
    if (!furnish(f, b, r) || !bind_steps(f, b, r)) {
        b->dead = true;
        sweep(f);
        return NULL;
    }
    if (f->passes && f->passes->form == FORM_FRESH)
        f->passes->form = FORM_WHOLE;
    return b;
}

bool frame_adopt(struct frame *f, const struct program *p, struct report *r)
{
    return bind(f, p, NULL, NULL, r);
}

/* How the batch may be cut now. */
static enum slicing slicing_of(const struct frame *f)
{
    return !f->passes ? SLICES_NONE : f->engine->profile ? SLICES_TOGETHER : SLICES_APART;
}

static struct bound *find(struct frame *f, const struct bound *before)
{
    for (struct bound *b = f->bounds; b; b = b->next)
        if (b->before == before && program_fits(b->program, f->tensors, slicing_of(f))) {
            b->used = f->clock;
            return b;
        }
    return NULL;
}

bool frame_is_planned(const struct frame *f)
{
    for (const struct bound *b = f->bounds; b; b = b->next)
        if (!b->before && program_fits(b->program, f->tensors, slicing_of(f)))
            return true;
    return false;
}

/* In slices, or where memory does not suffice for that, as a whole, if the weights that it reads are there still. */
static struct bound *plan_and_bind(struct frame *f, struct bound *before, struct report *r)
{
    struct plan_context c = engine_context(f->engine, r);
    struct report quiet = { 0 };
    struct program *p;
    struct bound *b;
    bool sliced;

    c.threads = pool_threads(f->pool);
    c.slicing = slicing_of(f);
    p = plan_program(f->graph, before ? before->program : NULL, f->tensors, f->known, &c);
    sliced = p && p->slices;
    b = p ? bind(f, p, p, before, sliced ? &quiet : r) : NULL;
    if (!b && sliced && f->passes->form == FORM_SPENT) {
        fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
    } else if (!b && sliced) {
        c.slicing = SLICES_NONE;
        p = plan_program(f->graph, NULL, f->tensors, f->known, &c);
        b = p ? bind(f, p, p, NULL, r) : NULL;
    }
    if (b)
        b->used = f->clock;
    return b;
}

/* Where the memory does not suffice beside the programs that are only kept, they go. */
static struct bound *plan_next(struct frame *f, struct bound *before, struct report *r)
{
    struct report first = { 0 };
    struct bound *b = NULL;
    bool old = false;

    for (b = f->bounds; b && !old; b = b->next)
        old = b->used < f->clock;
    if (!old)
        return plan_and_bind(f, before, r);
    b = plan_and_bind(f, before, &first);
    if (b)
        return b;
    frame_keep_latest(f);
    return plan_and_bind(f, before, r);
}

/* -- running -- */

/* Gives each value that the segment defines its type and, where that is known already, its memory. */
static void enter(struct frame *f, struct bound *b)
{
    const struct program *p = b->program;
    bool told = true; /* nothing whose size each run finds anew */

    if (f->entered == b)
        return;
    for (size_t k = 0; k < p->defined_count; k++) {
        const int id = p->defined[k];

        f->tensors[id] = p->types[id];
        if (p->places[id].kind == PLACE_ARENA)
            f->tensors[id].data = b->memory + p->places[id].at;
        told &= p->places[id].kind != PLACE_RUN;
    }
    f->entered = p->complete && !b->before && told ? b : NULL;
}

static bool run_step(struct frame *f, struct bound_step *s, struct report *r)
{
    struct budget *const budget = f->engine->budget;
    const int errors = r->error.count;
    const struct profile_mark start = profile_start(f->engine->profile);

    if (s->step.node->def->flags & OP_UPDATES)
        budget_stop(budget);
    s->step.report = r;
    s->step.number = f->engine->number;
    s->step.seed = f->nested ? f->seed : f->engine->seed;
    if (!s->run(&s->step)) {
        if (r->error.count == errors)
            step_error(&s->step, "failed");
        return false;
    }
    profile_stop(f->engine->profile, &s->step, start);
    return budget_in_time(budget, f->graph->path, r); /* else its jobs may have been left half done */
}

static bool execute(struct frame *f, struct bound *b, struct report *r)
{
    enter(f, b);
    if (b->heads && !heads_run(b->heads, f, r))
        return false;
    for (size_t k = 0; k < b->step_count; k++) {
        struct bound_step *s = &b->steps[k];

        for (int v = 0; v < s->view_count; v++)
            s->views[v].out->data = s->views[v].root->data;
        if (s->run && !run_step(f, s, r))
            return false;
    }
    return true;
}

/* Values of earlier runs must not be taken for this run's. */
static void forget(struct frame *f)
{
    for (struct bound *b = f->last; b; b = b->before)
        for (size_t k = 0; k < b->program->defined_count; k++)
            f->tensors[b->program->defined[k]] = (struct tensor){ .rank = UNKNOWN };
    f->entered = NULL;
}

static struct bound *start(struct frame *f, struct report *r)
{
    struct bound *b;

    heap_reset(&f->heap);
    evict(f);
    f->clock++;
    b = find(f, NULL);
    if (!b || b != f->entered)
        forget(f);
    f->first = f->last = NULL;
    if (!b)
        b = plan_next(f, NULL, r);
    f->first = f->last = b;
    return b;
}

const struct program *frame_plan(struct frame *f, struct report *r)
{
    const struct bound *b = start(f, r);

    return b ? b->program : NULL;
}

static int most_segments(const struct graph *g)
{
    const size_t most = MAX_SEGMENT_VALUES / (g->value_count + 1) + 1;

    return most < MAX_SEGMENTS ? (int)most : MAX_SEGMENTS;
}

bool frame_run(struct frame *f, struct report *r)
{
    struct bound *b = start(f, r);
    const int most = most_segments(f->graph);

    for (int segments = 1; b; segments++) {
        f->last = b;
        if (!execute(f, b, r))
            return false;
        if (b->program->complete)
            return true;
        if (segments == most)
            return fail(r, KILN_LIMIT, f->graph->path,
                        "more than %d times a size that only running can tell decides what follows, in a graph of %zu "
                        "values",
                        most, f->graph->value_count);
        b = find(f, f->last);
        if (!b)
            b = plan_next(f, f->last, r);
    }
    return false;
}

void frame_commit(struct frame *f)
{
    for (const struct bound *b = f->last; b; b = b->before)
        for (size_t k = b->program->next_state_count; k-- > 0;) { /* from the last on: one may be the next of another */
            const struct next_state *c = &b->program->next_states[k];
            const int64_t bytes = tensor_bytes(&f->tensors[c->in]);

            if (bytes > 0 && f->tensors[c->out].data != f->tensors[c->in].data)
                memcpy(f->tensors[c->in].data, f->tensors[c->out].data, (size_t)bytes);
        }
}

/* -- what operators call -- */

bool step_error(struct step *s, const char *format, ...)
{
    char where[WHERE_TEXT];
    va_list args;

    va_start(args, format);
    fail_v(s->report, KILN_RUN_FAILED, node_where(s->node, where), format, args);
    va_end(args);
    return false;
}

bool step_alloc(struct step *s, int out, enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor *t = s->out[out], got = { 0 };
    char text[2][TYPE_TEXT];

    if (!t)
        return true;
    if (tensor_known(t) && t->data) { /* it was told before (plan/found.h) */
        tensor_shape(&got, dtype, rank, dims);
        return same_type(&got, t) || step_error(s, "output %d is %s, was planned as %s", out,
                                                tensor_text(&got, text[0]), tensor_text(t, text[1]));
    }
    if (!tensor_shape(t, dtype, rank, dims))
        return step_error(s, "output %d would have more bytes than can be counted", out);
    t->data = heap_alloc(s->heap, (size_t)tensor_bytes(t), s->report);
    return t->data;
}

/* Random numbers in a subgraph depend on which subgraph it is (a copy of it, in a graph of gradients, draws the same)
 * and on how often it has been called in this run. */
static void seed_call(const struct frame *f, struct frame *child)
{
    const uint64_t seed = f->nested ? f->seed : f->engine->seed;
    uint32_t out[4];

    if (child->around != f->clock)
        child->calls = 0;
    child->around = f->clock;
    philox(out,
           (uint32_t[]){ (uint32_t)child->graph->stream, UINT32_MAX /* no number lies there */, (uint32_t)child->calls,
                         (uint32_t)(child->calls >> 32) },
           (uint32_t[]){ (uint32_t)seed, (uint32_t)(seed >> 32) });
    child->seed = (uint64_t)out[1] << 32 | out[0];
    child->calls++;
}

struct frame **frame_child(struct step *s, int g)
{
    if (s->frame && g >= 0 && g < CHILDREN)
        return &s->frame->children[CHILDREN * s->node->id + g];
    step_error(s, "a subgraph cannot be run here");
    return NULL;
}

static struct frame *child_of(struct step *s, int g)
{
    struct frame *f = s->frame, **child = frame_child(s, g);

    if (!child)
        return NULL;
    if (!*child)
        *child = frame_new(f->engine, s->node->graph_of[g], s->report);
    if (!*child)
        return NULL;
    (*child)->nested = true;
    (*child)->pool = f->pool;
    return *child;
}

bool frame_knows(const struct frame *f, int id)
{
    return f->last->program->types[id].data;
}

bool frame_call(struct step *s, struct frame *child, const struct tensor *const *inputs, struct tensor *outputs)
{
    struct frame *f = s->frame;
    const struct graph *sub = child->graph;

    for (size_t k = 0; k < sub->input_count; k++)
        frame_set(child, sub->inputs[k], inputs[k]);
    for (size_t k = 0; k < sub->capture_count; k++) {
        const int outer = sub->captures[k].outer->id;

        frame_set(child, sub->captures[k].inner, &f->tensors[outer]);
        child->known[sub->captures[k].inner->id] = frame_knows(f, outer);
    }
    if (!budget_in_time(f->engine->budget, sub->path, s->report)) /* a loop of nothing has no nodes to stop between */
        return false;
    if (!frame_run(child, s->report))
        return false;
    for (size_t k = 0; k < sub->output_count; k++)
        outputs[k] = *frame_get(child, sub->outputs[k]);
    return true;
}

bool step_call(struct step *s, int g, const struct tensor *const *inputs, struct tensor *outputs)
{
    struct frame *child = child_of(s, g);

    if (!child)
        return false;
    seed_call(s->frame, child);
    return frame_call(s, child, inputs, outputs);
}
