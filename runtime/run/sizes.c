#include "run/sizes.h"
#include "plan/given.h"
#include "plan/pass.h"
#include "run/frame.h"
#include <string.h>

struct sizes {
    struct engine *engine;
    const struct graph *graph;
    bool passes;
    struct arena arena;   /* of what is open */
    struct arena content; /* of what is in it, until the next run */
    struct found found;
    struct probe { /* what makes it */
        struct arena arena;
        struct graph *graph;
        struct frame *frame;
    } probe;
    struct pool *pool; /* NULL: the engine's */
    uint64_t seed;
};

struct sizes *sizes_new(struct engine *e, const struct graph *g, bool passes, struct report *r)
{
    struct sizes *s = budget_zalloc(e->budget, 1, sizeof *s, r);

    if (!s)
        return NULL;
    s->engine = e;
    s->graph = g;
    s->passes = passes;
    s->arena.budget = s->content.budget = s->probe.arena.budget = e->budget;
    return s;
}

static void forget(struct sizes *s)
{
    frame_free(s->probe.frame);
    graph_release(s->probe.graph);
    arena_release(&s->probe.arena);
    s->probe = (struct probe){ .arena.budget = s->engine->budget };
}

void sizes_free(struct sizes *s)
{
    if (!s)
        return;
    forget(s);
    arena_release(&s->content);
    arena_release(&s->arena);
    budget_free(s->engine->budget, s);
}

void sizes_within(struct sizes *s, struct pool *pool, uint64_t seed)
{
    s->pool = pool;
    s->seed = seed;
}

static bool comes_from_outside(const struct sizes *s, const struct tensor *given, size_t id)
{
    return !value_constant(s->graph->values[id]) &&
           !(given[id].kind == TENSOR && given[id].rank < 0 && given[id].dtype == UNDEFINED);
}

/* A clone that makes nothing but what is open. */
static bool make_probe(struct sizes *s, const struct tensor *given, struct report *r)
{
    const struct plan_context c = engine_context(s->engine, r);
    struct probe *p = &s->probe;
    struct rewrite w = { .c = &c, .values = s->graph->value_count, .given = given };

    p->graph = graph_clone(s->graph, &p->arena, r);
    if (!p->graph)
        return false;
    w.graph = p->graph;
    p->graph->report = r;
    p->graph->output_count = 0;
    for (size_t k = 0; k < s->found.count; k++)
        if (!comes_from_outside(s, given, (size_t)s->found.at[k].id) &&
            !graph_add_output(p->graph, p->graph->values[s->found.at[k].id]))
            return false;
    if (s->passes && !passes_apply(&w, PASS_EVALUATION))
        return false;
    p->frame = frame_new(s->engine, p->graph, r);
    return p->frame;
}

static bool look(struct sizes *s, const struct tensor *given, struct report *r)
{
    const struct probe *p = &s->probe;

    for (size_t k = 0; k < s->found.count; k++) {
        struct found_value *f = &s->found.at[k];
        const struct value *v = p->graph->values[f->id];

        f->now = comes_from_outside(s, given, (size_t)f->id) ? given[f->id] : *frame_get(p->frame, v);
        f->now.planned = NULL;
        if (f->now.kind != TENSOR || !tensor_known(&f->now) || (f->content && (f->now.dtype == STRING || !f->now.data)))
            return fail(r, KILN_UNSUPPORTED, s->graph->path, "'%s' decides sizes, and is no tensor of numbers",
                        v->name);
    }
    return true;
}

/* Contents outlive the probe. */
static bool copy_contents(struct sizes *s, struct report *r)
{
    arena_release(&s->content);
    s->content = (struct arena){ .budget = s->engine->budget };
    for (size_t k = 0; k < s->found.count; k++) {
        struct tensor *now = &s->found.at[k].now;
        const int64_t bytes = tensor_bytes(now);
        void *copy = s->found.at[k].content ? arena_alloc(&s->content, to_size(bytes), r) : now->data;

        if (s->found.at[k].content && !copy)
            return false;
        if (s->found.at[k].content && bytes)
            memcpy(copy, now->data, to_size(bytes));
        now->data = copy;
    }
    return true;
}

const struct found *sizes_run(struct sizes *s, const struct tensor *given, struct report *r)
{
    struct frame *f;

    if (!s->found.count)
        return &s->found;
    if (!s->probe.frame && !make_probe(s, given, r)) {
        forget(s);
        return NULL;
    }
    f = s->probe.frame;
    if (s->pool)
        frame_within(f, s->pool, s->seed);
    for (size_t k = 0; k < s->graph->value_count; k++)
        if (comes_from_outside(s, given, k))
            frame_set(f, s->probe.graph->values[k], &given[k]);
    if (!frame_run(f, r))
        return NULL;
    frame_keep_latest(f);
    return look(s, given, r) && copy_contents(s, r) ? &s->found : NULL;
}

/* The types of all values with what has been found. In `scratch`, but for the program. */
static struct program *plan_found(struct sizes *s, const struct found *found, const struct tensor *given,
                                  const bool *content, struct graph **clone, struct arena *scratch, struct report *r)
{
    const struct plan_context c = engine_context(s->engine, r);
    struct graph *g = *clone = graph_clone(s->graph, scratch, r);
    struct tensor *tensors = NULL;
    bool *told = NULL;

    if (!g)
        return NULL;
    g->report = r;
    if (!found_put(found, g) || !(tensors = given_types(g, scratch, r)) ||
        !(told = arena_array(scratch, g->value_count, sizeof *told, r)))
        return NULL;
    for (size_t k = 0; k < s->graph->value_count; k++) {
        tensors[k] = given[k];
        told[k] = content && content[k];
    }
    for (size_t k = 0; k < found->count; k++)
        if (found_is_input(&found->at[k], g))
            tensors[found->at[k].id] = g->values[found->at[k].id]->type;
    return plan_types(g, tensors, told, &c);
}

/* The first node that cannot be planned, nor told of by running. */
static bool fail_stuck(const struct program *p, struct report *r)
{
    const struct graph *g = p->graph;
    char where[WHERE_TEXT];

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool reads = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            reads |= n->in[i] != NULL;
        if (reads && n->slots && n->out[0] && !p->done[k])
            return fail(r, KILN_UNSUPPORTED, node_where(n, where),
                        "only running tells what its sizes are, and it is not told before gradients are taken");
    }
    return fail(r, KILN_UNSUPPORTED, g->path, "only running tells what its sizes are");
}

const struct found *sizes_settle(struct sizes *s, const struct tensor *given, const bool *content, struct report *r)
{
    for (;;) {
        struct arena scratch = { .budget = s->engine->budget };
        struct graph *clone = NULL;
        struct program *p = plan_found(s, &s->found, given, content, &clone, &scratch, r);
        size_t more = 0;
        bool ok = p && found_add(&s->found, p, &more, &s->arena, r);

        if (ok && !more && found_open(p))
            ok = fail_stuck(p, r);
        program_free(p);
        graph_release(clone);
        arena_release(&scratch);
        if (!ok || !more)
            return ok ? &s->found : NULL;
        forget(s);
        if (!sizes_run(s, given, r))
            return NULL;
    }
}

/* One more in each dimension that is open. False where that cannot be told: what is in a value decides. */
static bool enlarge(struct found *f)
{
    for (size_t k = 0; k < f->count; k++) {
        struct found_value *v = &f->at[k];

        if (v->content)
            return false;
        for (int d = 0; d < v->now.rank; d++)
            v->now.dims[d] += v->told.rank != v->now.rank || v->told.dims[d] < 0;
    }
    return true;
}

static void open_dims(struct tensor *t, const struct tensor *other)
{
    for (int d = 0; d < t->rank; d++)
        if (!other || other->rank != t->rank || other->dims[d] != t->dims[d])
            t->dims[d] = UNKNOWN;
}

struct tensor *sizes_types(struct sizes *s, const struct tensor *given, const bool *content, struct arena *arena,
                           struct report *r)
{
    const struct plan_context c = engine_context(s->engine, r);
    const size_t values = s->graph->value_count;
    struct arena scratch = { .budget = s->engine->budget };
    struct report quiet = { 0 };
    struct graph *clone[2] = { NULL, NULL };
    struct found *more = found_copy(&s->found, &scratch, r);
    struct program *before = more ? plan_types(s->graph, given, content, &c) : NULL;
    struct program *now = before ? plan_found(s, &s->found, given, content, &clone[0], &scratch, r) : NULL;
    struct program *other =
        now && enlarge(more) ? plan_found(s, more, given, content, &clone[1], &scratch, &quiet) : NULL;
    struct tensor *types = now ? arena_array(arena, values, sizeof *types, r) : NULL;

    for (size_t k = 0; types && k < values; k++) {
        types[k] = now->types[k];
        types[k].data = NULL;
        types[k].planned = NULL;
        if (s->graph->values[k]->producer && types[k].kind == TENSOR && !tensor_known(&before->types[k]))
            open_dims(&types[k], other && other->complete ? &other->types[k] : NULL);
    }
    program_free(before);
    program_free(now);
    program_free(other);
    graph_release(clone[0]);
    graph_release(clone[1]);
    arena_release(&scratch);
    return types;
}
