/* The memory planner alone (plan/memory.c), on random graphs of steps that compute nothing. A checker goes through the
 * steps as running would: what a step makes is filled with a pattern of its own, and every read finds the pattern of
 * what it reads: views, working memory, outputs in the place of an input, states that are updated. */
#include "numbers.h"
#include "plan/planner.h"

enum { MOST_IN = 4, MOST_OUT = 3, WORD = sizeof(uint32_t) };

/* What must have happened in some graph, or nothing has been tested. */
enum { TAKEN, OTHER_TAKEN, VIEWS, VIEWS_OUTSIDE, UPDATES, SCRATCH, UNFINISHED, EVENTS };
static const char *const event_names[EVENTS] = {
    "an input's place is taken",
    "the other input's place is taken",
    "views",
    "views of what is outside",
    "updates",
    "working memory",
    "graphs that go on later",
};

struct trial {
    struct budget budget;
    struct arena arena;
    struct report report;
    struct graph *graph;
    struct program q;
    struct plan_context c;
    struct planner p;
    int *content;       /* by value id: whose pattern lies there, itself or what it is a view of */
    uint32_t **outside; /* by value id: the memory of what has no place in the arena */
    uint32_t *memory;   /* the arena */
    int64_t alone;      /* bytes, if nothing shared memory */
    int *pool, pooled;  /* ids that may be read */
    int64_t *events;
    int seed;
};

/* -- a random graph -- */

static void allocate(struct trial *t, size_t nodes)
{
    const size_t values = 16 + nodes * MOST_OUT;
    struct arena *a = &t->arena;

    a->budget = &t->budget;
    t->graph = graph_new(a, NULL, "main", &t->report);
    t->q.graph = t->graph;
    t->q.arena.budget = &t->budget;
    t->q.types = arena_array(a, values, sizeof *t->q.types, NULL);
    t->q.places = arena_array(a, values, sizeof *t->q.places, NULL);
    t->q.done = arena_array(a, nodes, sizeof *t->q.done, NULL);
    t->q.defined = arena_array(a, values, sizeof *t->q.defined, NULL);
    t->q.steps = arena_array(a, nodes, sizeof *t->q.steps, NULL);
    t->q.next_states = arena_array(a, values, sizeof *t->q.next_states, NULL);
    t->q.wanted = arena_array(a, values, sizeof *t->q.wanted, NULL);
    t->q.complete = true;
    t->c = (struct plan_context){ .budget = &t->budget, .report = &t->report };
    t->p = (struct planner){ .c = &t->c, .graph = t->graph, .program = &t->q, .scratch = { .budget = &t->budget } };
    t->p.needed = arena_array(a, nodes, sizeof *t->p.needed, NULL);
    t->p.readers = arena_array(a, values, sizeof *t->p.readers, NULL);
    t->p.reuse = arena_array(a, values, sizeof *t->p.reuse, NULL);
    t->p.scratch_of = arena_array(a, nodes, sizeof *t->p.scratch_of, NULL);
    t->content = arena_array(a, values, sizeof *t->content, NULL);
    t->outside = arena_array(a, values, sizeof *t->outside, NULL);
    t->pool = arena_array(a, values, sizeof *t->pool, NULL);
    ck_assert_msg(t->pool, "no memory");
}

static int64_t random_count(void)
{
    static const int64_t counts[] = { 0, 1, 16, 17, 40, 40, 100, 100, 100, 333 };

    return counts[random_below(sizeof counts / sizeof *counts)];
}

static struct value *new_value(struct trial *t, enum place_kind kind, int64_t count)
{
    struct value *v = graph_value(t->graph, NULL);

    ck_assert(tensor_shape(&t->q.types[v->id], F32, 1, &count));
    t->q.places[v->id].kind = kind;
    t->p.reuse[v->id] = (struct link){ .id = -1, .other = -1 };
    t->content[v->id] = v->id;
    if (kind != PLACE_ARENA && kind != PLACE_VIEW)
        t->outside[v->id] = arena_array(&t->arena, (size_t)count + 1, WORD, NULL);
    if (kind == PLACE_CONSTANT)
        t->q.types[v->id].data = t->outside[v->id];
    return v;
}

static struct value *readable(struct trial *t, enum place_kind kind, int64_t count)
{
    struct value *v = new_value(t, kind, count);

    t->pool[t->pooled++] = v->id;
    return v;
}

/* More often one of the last. */
static struct value *pick(const struct trial *t)
{
    const int64_t recent = random_below(4) && t->pooled > 5 ? 5 : t->pooled;

    return t->graph->values[t->pool[t->pooled - 1 - random_below(recent)]];
}

static struct value *pick_input(const struct node *n)
{
    return n->in[random_below(n->inputs + n->captured)];
}

static struct value *random_output(struct trial *t, const struct node *n)
{
    struct value *from = pick_input(n), *v;
    const int64_t kind = random_below(20);

    if (from && kind < 5) {
        v = readable(t, PLACE_VIEW, t->q.types[from->id].dims[0]);
        t->p.reuse[v->id] = (struct link){ .id = from->id, .other = -1, .view = true };
        t->content[v->id] = t->content[from->id];
        return v;
    }
    v = readable(t, kind == 5 ? PLACE_RUN : PLACE_ARENA,
                 from && random_below(4) ? t->q.types[from->id].dims[0] : random_count());
    if (from && kind > 8)
        t->p.reuse[v->id].id = from->id;
    from = pick_input(n);
    if (from && t->p.reuse[v->id].id >= 0 && random_below(2))
        t->p.reuse[v->id].other = from->id;
    return v;
}

static struct node *new_node(struct trial *t, int inputs, int slots)
{
    struct node *n = graph_node(t->graph, inputs, slots);

    ck_assert_ptr_nonnull(n);
    t->p.needed[n->id] = true;
    n->captured = (int)random_below(inputs);
    n->inputs -= n->captured;
    return n;
}

static void becomes_step(struct trial *t, struct node *n)
{
    t->q.done[n->id] = true;
    t->q.steps[t->q.step_count++] =
        (struct program_step){ .node = n, .scratch = -1, .read = arena_array(&t->arena, MOST_OUT, sizeof(bool), NULL) };
}

static void random_step(struct trial *t)
{
    struct node *n = new_node(t, 1 + (int)random_below(MOST_IN), 1 + (int)random_below(MOST_OUT));

    for (int k = 0; k < n->inputs + n->captured; k++)
        n->in[k] = k && !random_below(8) ? n->in[0] : random_below(10) ? pick(t) : NULL;
    for (int k = 0; k < n->slots; k++)
        n->out[k] = random_below(10) ? random_output(t, n) : NULL;
    if (random_below(3) == 0)
        t->p.scratch_of[t->q.step_count] = 1 + random_below(1000) * WORD;
    becomes_step(t, n);
}

/* A node that is no step: it was folded away, nobody asks for it, or it is for a later segment. */
static void random_other(struct trial *t, bool later)
{
    struct node *n = new_node(t, 1 + (int)random_below(2), 1);
    const bool folded = !later && random_below(2);

    for (int k = 0; k < n->inputs + n->captured; k++)
        n->in[k] = pick(t);
    t->q.done[n->id] = folded;
    t->p.needed[n->id] = folded || later;
    if (folded)
        n->out[0] = readable(t, PLACE_CONSTANT, random_count());
    if (later)
        t->q.complete = false;
}

/* The last phase of a trainer: states take what was computed. Nothing else reads them. */
static void update_states(struct trial *t)
{
    struct node *n = new_node(t, 4, 2);

    for (int k = 0; k < 2; k++) {
        n->in[2 * k] = new_value(t, PLACE_OUTSIDE, random_count());
        n->in[2 * k + 1] = pick(t);
        n->out[k] = new_value(t, PLACE_VIEW, t->q.types[n->in[2 * k]->id].dims[0]);
        t->p.reuse[n->out[k]->id] = (struct link){ .id = n->in[2 * k]->id, .other = -1, .updates = true };
        ck_assert(graph_add_output(t->graph, n->out[k]));
    }
    becomes_step(t, n);
}

/* Outputs that nobody reads have no place. */
static void count_readers(struct trial *t)
{
    for (size_t k = 0; k < t->graph->output_count; k++)
        t->p.readers[t->graph->outputs[k]->id]++;
    for (size_t k = 0; k < t->graph->node_count; k++) {
        const struct node *n = t->graph->nodes[k];

        for (int i = 0; t->p.needed[k] && i < n->inputs + n->captured; i++)
            if (n->in[i])
                t->p.readers[n->in[i]->id]++;
    }
    for (size_t s = 0; s < t->q.step_count; s++)
        for (int k = 0; k < t->q.steps[s].node->slots; k++) {
            const struct value *v = t->q.steps[s].node->out[k];

            t->q.steps[s].read[k] = v && t->p.readers[v->id];
            if (v && !t->p.readers[v->id])
                t->q.places[v->id].kind = PLACE_NONE;
        }
    for (size_t k = 0; k < t->graph->value_count; k++)
        if (t->p.readers[k] && t->q.places[k].kind != PLACE_OUTSIDE)
            t->q.defined[t->q.defined_count++] = (int)k;
}

static void make(struct trial *t, int steps)
{
    for (int k = 0; k < 4; k++)
        readable(t, k < 3 ? PLACE_OUTSIDE : PLACE_CONSTANT, random_count());
    for (int k = 0; k < steps; k++)
        if (random_below(8))
            random_step(t);
        else
            random_other(t, false);
    for (int64_t k = random_below(3); k >= 0; k--)
        ck_assert(graph_add_output(t->graph, pick(t)));
    for (int64_t k = random_below(3); k > 0; k--) {
        t->q.wanted[t->q.wanted_count] = pick(t)->id;
        t->p.readers[t->q.wanted[t->q.wanted_count++]]++;
    }
    for (int64_t k = random_below(3); k > 0; k--) {
        t->q.next_states[t->q.next_state_count] = (struct next_state){ .out = pick(t)->id, .in = t->pool[0] };
        t->p.readers[t->q.next_states[t->q.next_state_count++].out]++;
    }
    if (random_below(3) == 0)
        random_other(t, true);
    if (random_below(3) == 0)
        update_states(t);
    count_readers(t);
}

/* -- the checker -- */

static uint32_t word(int content, int64_t i)
{
    return ((uint32_t)content + 1) * 2654435761u ^ (uint32_t)i * 40503u;
}

static uint32_t *in_arena(const struct trial *t, int64_t at, int64_t bytes)
{
    ck_assert_msg(at >= 0 && at % 64 == 0 && at + bytes <= t->q.arena_bytes,
                  "seed %d: %lld bytes at %lld are not in the arena of %lld", t->seed, (long long)bytes, (long long)at,
                  (long long)t->q.arena_bytes);
    return t->memory + at / WORD;
}

static uint32_t *memory_of(const struct trial *t, int id)
{
    const struct place *p = &t->q.places[id];

    if (p->kind == PLACE_ARENA)
        return in_arena(t, p->at, tensor_bytes(&t->q.types[id]));
    if (p->kind == PLACE_VIEW && t->q.places[p->root].kind == PLACE_CONSTANT)
        ck_assert_ptr_eq(t->q.types[id].data, t->q.types[p->root].data);
    id = p->kind == PLACE_VIEW ? p->root : id;
    ck_assert_msg(t->outside[id], "seed %d: value %d has no memory", t->seed, id);
    return t->outside[id];
}

static void fill(uint32_t *at, int content, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        at[i] = word(content, i);
}

static bool filled(const uint32_t *at, int content, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (at[i] != word(content, i))
            return false;
    return true;
}

static bool holds(const struct trial *t, int id)
{
    return filled(memory_of(t, id), t->content[id], t->q.types[id].dims[0]);
}

static void expect_held(const struct trial *t, const struct value *v, size_t step, const char *when)
{
    ck_assert_msg(!v || holds(t, v->id), "seed %d: value %d is lost in step %zu %s", t->seed, v ? v->id : 0, step,
                  when);
}

static void expect_inputs(const struct trial *t, size_t step, const char *when)
{
    const struct node *n = t->q.steps[step].node;

    for (int k = 0; k < n->inputs + n->captured; k++)
        expect_held(t, n->in[k], step, when);
}

/* An output is written: only the inputs that it may take the place of, element by element, may go. */
static void write_output(struct trial *t, size_t step, int id, bool *gone)
{
    const struct node *n = t->q.steps[step].node;
    const struct link *l = &t->p.reuse[id];

    fill(memory_of(t, id), t->content[id], t->q.types[id].dims[0]);
    for (int k = 0; k < n->inputs + n->captured; k++) {
        const int in = n->in[k] ? n->in[k]->id : -1;

        if (in < 0 || gone[k] || holds(t, in))
            continue;
        ck_assert_msg((in == l->id || in == l->other) && memory_of(t, in) == memory_of(t, id),
                      "seed %d: output %d of step %zu lies on input %d", t->seed, id, step, in);
        gone[k] = true;
        t->events[l->updates ? UPDATES : in == l->id ? TAKEN : OTHER_TAKEN]++;
    }
}

static void run_step(struct trial *t, size_t s)
{
    const struct program_step *step = &t->q.steps[s];
    const struct node *n = step->node;
    const int64_t scratch = t->p.scratch_of[s] / WORD;
    bool gone[MOST_IN] = { false };

    expect_inputs(t, s, "before it begins");
    ck_assert(scratch == 0 || step->scratch >= 0);
    if (scratch)
        fill(in_arena(t, step->scratch, t->p.scratch_of[s]), -1, scratch);
    expect_inputs(t, s, "to its working memory");
    for (int k = 0; k < n->slots; k++)
        if (step->read[k] && !t->p.reuse[n->out[k]->id].view)
            write_output(t, s, n->out[k]->id, gone);
    for (int k = 0; k < n->slots; k++)
        expect_held(t, step->read[k] ? n->out[k] : NULL, s, "to another output");
    ck_assert_msg(!scratch || filled(in_arena(t, step->scratch, 0), -1, scratch),
                  "seed %d: an output of step %zu lies in its working memory", t->seed, s);
    t->events[SCRATCH] += scratch > 0;
}

static void expect_end(struct trial *t)
{
    for (size_t k = 0; k < t->graph->output_count; k++)
        expect_held(t, t->graph->outputs[k], t->q.step_count, "(an output)");
    for (size_t k = 0; k < t->q.next_state_count; k++)
        expect_held(t, t->graph->values[t->q.next_states[k].out], t->q.step_count, "(carried)");
    for (size_t k = 0; k < t->q.wanted_count; k++)
        expect_held(t, t->graph->values[t->q.wanted[k]], t->q.step_count, "(wanted)");
    for (size_t k = 0; k < t->graph->node_count; k++)
        for (int i = 0; t->p.needed[k] && !t->q.done[k] && i < t->graph->nodes[k]->inputs; i++)
            expect_held(t, t->graph->nodes[k]->in[i], t->q.step_count, "(read later)");
    t->events[UNFINISHED] += !t->q.complete;
}

static void check(struct trial *t)
{
    t->memory = arena_array(&t->arena, (size_t)t->q.arena_bytes / WORD + 1, WORD, NULL);
    for (size_t k = 0; k < t->graph->value_count; k++) {
        const struct place *p = &t->q.places[k];

        if (p->kind == PLACE_OUTSIDE || p->kind == PLACE_CONSTANT)
            fill(t->outside[k], (int)k, t->q.types[k].dims[0]);
        t->events[VIEWS] += p->kind == PLACE_ARENA && t->p.reuse[k].view;
        t->events[VIEWS_OUTSIDE] += p->kind == PLACE_VIEW && t->p.reuse[k].view;
        if (p->kind == PLACE_ARENA && !t->p.reuse[k].view)
            t->alone += (tensor_bytes(&t->q.types[k]) + 63) / 64 * 64;
    }
    for (size_t s = 0; s < t->q.step_count; s++) {
        t->alone += (t->p.scratch_of[s] + 63) / 64 * 64;
        run_step(t, s);
    }
    expect_end(t);
}

static void try_graph(int seed, int steps, int64_t *events, int64_t bytes[2])
{
    struct trial t = { .seed = seed, .events = events };

    random_state = (uint64_t)seed * 2654435761u;
    allocate(&t, (size_t)steps + 2);
    make(&t, steps);
    ck_assert_msg(place_values(&t.p), "seed %d: %s", seed, t.report.error.message);
    check(&t);
    bytes[0] += t.q.arena_bytes;
    bytes[1] += t.alone;
    arena_release(&t.p.scratch);
    graph_release(t.graph);
    arena_release(&t.arena);
    ck_assert_uint_eq(t.budget.used, 0);
}

START_TEST(nothing_lies_on_what_is_read_later)
{
    int64_t events[EVENTS] = { 0 }, bytes[2] = { 0 };

    for (int seed = 1; seed <= 600; seed++)
        try_graph(seed, 2 + seed % 60, events, bytes);
    for (int k = 0; k < EVENTS; k++)
        ck_assert_msg(events[k] > 50, "%s: %lld times", event_names[k], (long long)events[k]);
    ck_assert_msg(2 * bytes[0] < bytes[1], "%lld bytes of %lld", (long long)bytes[0], (long long)bytes[1]);
}
END_TEST

/* More buffers than are compared with each other. */
START_TEST(many_take_turns)
{
    int64_t events[EVENTS] = { 0 }, bytes[2] = { 0 };

    for (int seed = 1; seed <= 2; seed++)
        try_graph(seed, 6000, events, bytes);
    ck_assert_int_gt(events[TAKEN], 500);
    ck_assert_msg(4 * bytes[0] < bytes[1], "%lld bytes of %lld", (long long)bytes[0], (long long)bytes[1]);
}
END_TEST

/* Two values of 2^61 bytes that live at once are too many, less 64 each they are not. */
START_TEST(offsets_do_not_overflow)
{
    struct trial t = { 0 };
    struct node *n;
    bool ok;

    allocate(&t, 1);
    n = new_node(&t, 1, 2);
    n->in[0] = new_value(&t, PLACE_OUTSIDE, 1);
    for (int k = 0; k < 2; k++) {
        n->out[k] = new_value(&t, PLACE_ARENA, (INT64_C(1) << 59) - 16 * !_i);
        ck_assert(graph_add_output(t.graph, n->out[k]));
    }
    becomes_step(&t, n);
    count_readers(&t);
    ok = place_values(&t.p);
    ck_assert_int_eq(ok, !_i);
    ck_assert_int_eq(t.report.error.code, ok ? KILN_OK : KILN_LIMIT);
    arena_release(&t.p.scratch);
    graph_release(t.graph);
    arena_release(&t.arena);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("memory_plan");

    add_test(s, nothing_lies_on_what_is_read_later);
    add_test(s, many_take_turns);
    add_tests(s, offsets_do_not_overflow, 2);
    return s;
}
