/* Memory plans: whatever is placed where, results are those of a plan in which everything has memory of its own. */
#include "base/clock.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "run/session.h"
#include "unit.h"
#include <math.h>
#include <string.h>

enum { MOST = 60, COUNT = 48, SHAPES = 5 };

static const int64_t shapes[SHAPES][2] = { { 48, 1 }, { 6, 8 }, { 3, 16 }, { 1, 48 }, { 16, 3 } };

struct random_graph {
    struct budget budget;
    struct arena arena;
    struct report report;
    struct graph *graph;
    struct emitter e;
    struct value *x, *one, *v[MOST];
    uint64_t seed, at;
};

static int draw(struct random_graph *g, int n)
{
    float u;

    random_uniform(&u, 1, g->seed, 0, g->at++);
    return (int)(u * (float)n);
}

/* One of what is there, more often one of the last. */
static struct value *pick(struct random_graph *g, int n)
{
    return draw(g, 4) && n > 6 ? g->v[n - 1 - draw(g, 6)] : g->v[draw(g, n)];
}

static struct value *reshaped(struct random_graph *g, struct value *v, bool late)
{
    struct value *shape = emit_ints(&g->e, 2, shapes[draw(g, SHAPES)]);

    return emit(&g->e, "Reshape", "", 2, v, late ? emit(&g->e, "Mul", "", 2, shape, g->one) : shape);
}

static struct value *next(struct random_graph *g, int n, bool segments)
{
    struct emitter *e = &g->e;
    struct value *v = pick(g, n), *flat = emit_ints(e, 1, (int64_t[]){ COUNT }), *parts[2];

    switch (draw(g, 11)) {
    case 0:
        return emit(e, "Neg", "", 1, v);
    case 1:
        return emit(e, "Tanh", "", 1, v);
    case 2:
        return emit(e, "Identity", "", 1, v);
    case 3:
    case 4:
        return reshaped(g, v, segments && !draw(g, 3));
    case 5:
        return emit(e, "Transpose", "", 1, reshaped(g, v, false));
    case 6: /* broadcast */
        return emit(e, "Sub", "", 2, emit(e, "Reshape", "", 2, v, flat),
                    emit(e, "ReduceSum", "keepdims=0", 1, pick(g, n)));
    case 7: /* two outputs, one of which may stay unread */
        if (!emit_many(e, "Split", "axis=0 num_outputs=2", 2, parts, 1,
                       (struct value *[]){ emit(e, "Reshape", "", 2, v, flat) }))
            return NULL;
        return emit(e, "Concat", "axis=0", 2, parts[1], parts[draw(g, 2)]);
    case 8:
        return emit(e, "Softmax", "axis=1", 1, reshaped(g, v, false));
    case 9: /* a type as wide */
        return emit(e, "Cast", "to=1", 1, emit(e, "Cast", "to=6", 1, emit(e, "Mul", "", 2, v, emit_scalar(e, F32, 9))));
    default:
        return emit(e, "Add", "", 2, emit(e, "Reshape", "", 2, v, flat), emit(e, "Reshape", "", 2, pick(g, n), flat));
    }
}

static void make(struct random_graph *g, int n, bool segments)
{
    g->arena.budget = &g->budget;
    g->graph = graph_new(&g->arena, NULL, "main", &g->report);
    g->graph->opset = NEWEST_OPSET;
    g->e = (struct emitter){ .graph = g->graph, .report = &g->report };
    g->v[0] = g->x = graph_value(g->graph, "x");
    g->one = graph_value(g->graph, "one");
    ck_assert(graph_add_input(g->graph, g->x) && graph_add_input(g->graph, g->one));
    for (int k = 1; k < n; k++)
        g->v[k] = next(g, k, segments);
    ck_assert_msg(!g->e.failed, "%s", g->report.error.message);
    ck_assert(graph_add_output(g->graph, g->v[n - 1]) && graph_add_output(g->graph, pick(g, n)));
}

/* The outputs of a graph into `out`. Before, it runs on NaN, which so lies wherever the plan puts something. */
static int64_t run(struct random_graph *g, struct graph *graph, float out[2][COUNT])
{
    struct session *s = session_new(graph, &(struct session_options){ .threads = 1 }, &g->report);
    float data[COUNT];
    int64_t one = 1, bytes;

    for (int again = 0; again < 2; again++) {
        for (int k = 0; k < COUNT; k++)
            data[k] = again ? (float)(k % 7) / 8 - .3f : NAN;
        ck_assert(session_set(s, graph->inputs[0],
                              &(struct tensor){ .dtype = F32, .rank = 2, .dims = { 6, 8 }, .data = data }, &g->report));
        ck_assert(session_set(s, graph->inputs[1], &(struct tensor){ .dtype = I64, .data = &one }, &g->report));
        ck_assert_msg(session_run(s, &g->report), "%s: %s", g->report.error.where, g->report.error.message);
    }
    for (size_t k = 0; k < 2; k++) {
        const struct tensor *t = session_output(s, k);

        ck_assert_int_eq(tensor_count(t), COUNT);
        memcpy(out[k], t->data, sizeof out[k]);
    }
    bytes = frame_program(s->frame)->arena_bytes;
    session_free(s);
    return bytes;
}

static void compare(uint64_t seed, bool segments, int64_t bytes[2])
{
    struct random_graph g = { .seed = seed };
    struct graph *all;
    float tight[2][COUNT], loose[2][COUNT];

    make(&g, 8 + (int)(seed % (MOST - 8)), segments);
    all = graph_clone(g.graph, &g.arena, &g.report);
    for (size_t k = 0; k < g.graph->value_count; k++) /* what is an output keeps its memory */
        ck_assert(graph_add_output(all, all->values[k]));
    bytes[0] += run(&g, g.graph, tight);
    bytes[1] += run(&g, all, loose);
    ck_assert_msg(memcmp(tight, loose, sizeof tight) == 0, "seed %llu: values lie on each other",
                  (unsigned long long)seed);
    graph_release(all);
    graph_release(g.graph);
    arena_release(&g.arena);
    ck_assert_uint_eq(g.budget.used, 0);
}

START_TEST(no_value_lies_on_another)
{
    int64_t bytes[2] = { 0, 0 };

    for (uint64_t seed = 0; seed < 300; seed++)
        compare(seed, false, bytes);
    ck_assert_int_lt(2 * bytes[0], bytes[1]);
}
END_TEST

START_TEST(no_value_lies_on_another_in_segments)
{
    int64_t bytes[2] = { 0, 0 };

    for (uint64_t seed = 1000; seed < 1200; seed++)
        compare(seed, true, bytes);
}
END_TEST

/* Values that live long, as those that a backward pass reads: planning must not take the square of their number. */
START_TEST(twenty_thousand_nodes)
{
    enum { HALF = 10000 };
    struct random_graph g = { .seed = 1 };
    float out[2][COUNT];
    struct value **v, *sum;
    uint64_t start;

    make(&g, 1, false);
    g.graph->output_count = 0;
    v = arena_array(&g.arena, HALF, sizeof *v, &g.report);
    v[0] = g.x;
    for (int k = 1; k < HALF; k++)
        v[k] = emit(&g.e, k % 2 ? "Neg" : "Tanh", "", 1, v[k - 1]);
    sum = v[HALF - 1];
    for (int k = HALF - 1; k > 0; k--)
        sum = emit(&g.e, "Add", "", 2, sum, v[k]);
    ck_assert(sum && graph_add_output(g.graph, sum) && graph_add_output(g.graph, sum));
    start = clock_computed();
    run(&g, g.graph, out);
    ck_assert_msg(clock_computed() - start < 5000000000, "%.1f s", (double)(clock_computed() - start) / 1e9);
    ck_assert(memcmp(out[0], out[1], sizeof out[0]) == 0);
    graph_release(g.graph);
    arena_release(&g.arena);
}
END_TEST

/* -- attributes as text -- */

START_TEST(a_list_may_hold_strings)
{
    struct random_graph g = { .seed = 1 };
    const struct string *const *words;
    struct session *s;

    make(&g, 1, false);
    g.graph->input_count = g.graph->output_count = 0;
    ck_assert(graph_add_output(g.graph, emit(&g.e, "Constant", "value_strings=['a b','']", 0)));
    s = session_new(g.graph, &(struct session_options){ .threads = 1 }, &g.report);
    ck_assert_msg(session_run(s, &g.report), "%s", g.report.error.message);
    ck_assert_int_eq(tensor_count(session_output(s, 0)), 2);
    words = session_output(s, 0)->data;
    ck_assert(words[0]->length == 3 && memcmp(words[0]->bytes, "a b", 3) == 0 && (!words[1] || !words[1]->length));
    session_free(s);
    ck_assert_ptr_null(emit(&g.e, "Constant", "value_strings=['a", 0));
    graph_release(g.graph);
    arena_release(&g.arena);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("plan");

    add_test(s, no_value_lies_on_another);
    add_test(s, no_value_lies_on_another_in_segments);
    add_test(s, twenty_thousand_nodes);
    add_test(s, a_list_may_hold_strings);
    return s;
}
