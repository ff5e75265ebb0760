/* Operators that are other operators (op_def.expand): what stands in their place, under which names errors are told, and
 * that passes see through it. The registry walk runs the cases of those that there are. */
#include "fixture.h"
#include "ops/node.h"
#include "ops/op.h"
#include "ops/rank.h"
#include "train/trainable.h"
#include <math.h>

/* -- operators of the test -- */

/* Mish: x * tanh(softplus(x)). */
static bool expand_mish(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *x = n->in[0];

    out[0] = emit(e, "Mul", "", 2, x, emit(e, "Tanh", "", 1, emit(e, "Softplus", "", 1, x)));
    return out[0];
}

static const struct op mish = {
    .name = "Mish",
    .domain = "test",
    .defs =
        (const struct op_def[]){
            { .since = 1, .signature = "T X -> T Y", .types = "T: f32 f64", .expand = expand_mish }, { 0 } },
};

/* Outputs that are no result of the expansion, one value twice, one of an expansion in it, one that nobody asks for. */
static bool expand_odd(struct emitter *e, const struct node *n, struct value **out)
{
    out[0] = n->in[0];
    out[1] = out[2] = emit(e, "Neg", "", 1, n->in[0]);
    return emit_private(e, &mish, NULL, 1, &out[3], NULL, 1, &out[1]) && emit(e, "Exp", "", 1, out[3]);
}

static const struct op odd = {
    .name = "Odd",
    .domain = "test",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T A, T B, T C, T D, T E?",
                                       .types = "T: f32 f64 i32",
                                       .expand = expand_odd },
                                     { 0 } },
};

static bool expand_nothing(struct emitter *e, const struct node *n, struct value **out)
{
    (void)e;
    (void)n;
    (void)out;
    return true;
}

static const struct op nothing = {
    .name = "Nothing",
    .domain = "test",
    .defs =
        (const struct op_def[]){ { .since = 1, .signature = "T X -> T Y", .types = "T: f32", .expand = expand_nothing },
                                 { 0 } },
};

/* An If the other way round, and what leaves its branches to nobody. */
static bool parse_branches(struct parse *p, void *attrs)
{
    (void)attrs;
    return attr_graph(p, "then_branch") == 0 && attr_graph(p, "else_branch") == 1;
}

static bool expand_unless(struct emitter *e, const struct node *n, struct value **out)
{
    static const char *const names[] = { "then_branch", "else_branch" };
    struct graph *const branches[] = { n->graph_of[1], n->graph_of[0] };

    return emit_graphs(e, "If", 2, names, branches, 1, out, 1, n->in);
}

static bool expand_identity(struct emitter *e, const struct node *n, struct value **out)
{
    out[0] = emit(e, "Identity", "", 1, n->in[0]);
    return out[0];
}

#define BRANCHING(called, function)                                                                                    \
    {                                                                                                                  \
        .name = called, .domain = "test", .defs = (const struct op_def[])                                              \
        {                                                                                                              \
            { .since = 1,                                                                                              \
              .signature = "B cond -> V y",                                                                            \
              .types = "B: bool; V: all",                                                                              \
              .parse = parse_branches,                                                                                 \
              .expand = function },                                                                                    \
                { 0 },                                                                                                 \
        }                                                                                                              \
    }
static const struct op unless = BRANCHING("Unless", expand_unless);
static const struct op ignoring = BRANCHING("Ignoring", expand_identity);

/* -- a graph -- */

static struct budget budget;
static struct arena arena;
static struct report report;
static struct graph *graph;
static struct emitter emitter;
static struct session *session;

static struct value *begin_graph(enum dtype dtype, int rank, const int64_t *dims)
{
    struct value *x;

    arena.budget = &budget;
    graph = graph_new(&arena, NULL, "main", &report);
    graph->opset = NEWEST_OPSET;
    emitter = (struct emitter){ .graph = graph, .report = &report };
    x = graph_value(graph, "x");
    x->has_type = tensor_shape(&x->type, dtype, rank, dims);
    ck_assert(graph_add_input(graph, x));
    return x;
}

static void end_graph(void)
{
    session_free(session);
    session = NULL;
    graph_release(graph);
    arena_release(&arena);
    ck_assert_uint_eq(budget.used, 0);
}

static bool run_graph(void *x)
{
    struct tensor t = graph->inputs[0]->type;

    t.data = x;
    session = session_new(graph, &(struct session_options){ .threads = 1 }, &report);
    return session && session_set(session, graph->inputs[0], &t, &report) && session_run(session, &report);
}

static float first(size_t output)
{
    return *(const float *)session_output(session, output)->data;
}

START_TEST(outputs_are_what_they_are_called)
{
    float x[2] = { -.5f, 1.25f };
    struct value *in = begin_graph(F32, 1, (int64_t[]){ 2 }), *out[4];

    ck_assert(emit_private(&emitter, &odd, NULL, 4, out, NULL, 1, &in));
    for (int k = 0; k < 4; k++) {
        ck_assert(graph_add_output(graph, out[k]));
        ck_assert_ptr_nonnull(out[k]->producer);
        ck_assert_str_eq(node_origin(out[k]->producer)->op_name, "Odd");
    }
    ck_assert_msg(run_graph(x), "%s: %s", report.error.where, report.error.message);
    ck_assert(first(0) == -.5f && first(1) == .5f && first(2) == .5f);
    ck_assert_double_eq_tol((double)first(3), .5 * tanh(log1p(exp(.5))), 1e-6);
    end_graph();
}
END_TEST

/* Trainers ask before any pass looks: the operator itself says nothing of the rank, what it becomes does. */
START_TEST(what_its_nodes_know_is_known)
{
    struct value *in = begin_graph(F32, 2, (int64_t[]){ 2, 3 }), *out;

    ck_assert(emit_private(&emitter, &mish, NULL, 1, &out, NULL, 1, &in));
    ck_assert_int_eq(known_of(out).rank, 2);
    ck_assert_int_eq(known_of(out).dtype, F32);
    end_graph();
}
END_TEST

/* A branch without inputs that gives `value`. */
static struct graph *branch(float value)
{
    struct graph *g = graph_new(&arena, graph, "branch", &report);
    struct emitter e = { .graph = g, .report = &report };
    struct value *v = emit(&e, "Identity", "", 1, emit_scalar(&e, F32, (double)value));

    ck_assert(v && graph_add_output(g, v));
    return g;
}

static struct value *branching(const struct op *op, struct value *condition)
{
    struct value *out = graph_value(graph, NULL);
    struct attr attrs[] = { { .name = "then_branch", .type = ATTR_GRAPH, .graph = branch(1) },
                            { .name = "else_branch", .type = ATTR_GRAPH, .graph = branch(2) } };
    const struct node_spec spec = { .op = op,
                                    .def = op->defs,
                                    .index = -1,
                                    .opset = NEWEST_OPSET,
                                    .attrs = attrs,
                                    .attr_count = 2,
                                    .inputs = 1,
                                    .in = &condition,
                                    .outputs = 1,
                                    .out = &out };

    ck_assert(node_make(graph, &spec, &report));
    return out;
}

START_TEST(subgraphs_go_over_to_what_it_becomes)
{
    bool yes = true;
    struct value *condition = begin_graph(BOOL, 0, NULL);

    ck_assert(graph_add_output(graph, branching(&unless, condition)));
    ck_assert_msg(run_graph(&yes), "%s: %s", report.error.where, report.error.message);
    ck_assert(first(0) == 2);
    end_graph();
}
END_TEST

START_TEST(subgraphs_that_nobody_takes_are_released)
{
    bool yes = true;
    struct value *condition = begin_graph(BOOL, 0, NULL);

    ck_assert(graph_add_output(graph, branching(&ignoring, condition)));
    ck_assert_msg(run_graph(&yes), "%s: %s", report.error.where, report.error.message);
    ck_assert(*(const bool *)session_output(session, 0)->data);
    end_graph(); /* looks whether all memory is given back */
}
END_TEST

START_TEST(an_output_that_is_not_made_is_an_error)
{
    struct value *in = begin_graph(F32, 1, (int64_t[]){ 2 }), *out;

    ck_assert(!emit_private(&emitter, &nothing, NULL, 1, &out, NULL, 1, &in));
    ck_assert_int_eq(report.error.code, KILN_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(report.error.message, "does not make output 0"));
    end_graph();
}
END_TEST

START_TEST(types_are_those_of_the_signature)
{
    int32_t x[2] = { 1, 2 };
    struct value *in = begin_graph(I32, 1, (int64_t[]){ 2 }), *out[4];

    ck_assert(emit_private(&emitter, &odd, NULL, 4, out, NULL, 1, &in));
    for (int k = 0; k < 4; k++)
        ck_assert(graph_add_output(graph, out[k]));
    ck_assert(!run_graph(x));
    ck_assert_msg(strstr(report.error.where, "Odd") &&
                      strstr(report.error.message, "is int32[2], must be float, double"),
                  "%s: %s", report.error.where, report.error.message);
    end_graph();
}
END_TEST

/* -- passes -- */

static size_t steps_of(const char *activation, const struct op *op)
{
    enum { LAYERS = 6, CHANNELS = 8, TAPS = 9 };
    struct value *v = begin_graph(F32, 4, (int64_t[]){ 1, CHANNELS, 16, 16 });
    const struct tensor type = { .dtype = F32, .rank = 4, .dims = { CHANNELS, CHANNELS, 3, 3 } };
    static float weights[CHANNELS * CHANNELS * TAPS];
    static float x[CHANNELS * 16 * 16];
    size_t steps;

    for (int k = 0; k < LAYERS; k++) {
        struct value *w = graph_value(graph, NULL);
        struct tensor *t = arena_alloc(&arena, sizeof *t, &report);

        *t = type;
        t->data = weights;
        w->initializer = t;
        w->type = type;
        v = emit(&emitter, "Conv", "pads=[1,1,1,1]", 2, v, w);
        if (op)
            ck_assert(emit_private(&emitter, op, NULL, 1, &v, NULL, 1, (struct value *[]){ v }));
        else
            v = emit(&emitter, activation, "", 1, v);
    }
    ck_assert(v && graph_add_output(graph, v));
    ck_assert_msg(run_graph(x), "%s: %s", report.error.where, report.error.message);
    steps = frame_program(session->frame)->step_count;
    end_graph();
    return steps;
}

START_TEST(passes_see_through_it)
{
    ck_assert_uint_eq(steps_of(NULL, &mish), steps_of("HardSigmoid", NULL));
}
END_TEST

/* -- forms of old files -- */

/* A scale for each channel, as files of opset 6 write it, goes into the convolution like any other. */
START_TEST(an_old_form_folds_as_the_new_one_does)
{
    const int64_t dims[] = { 1, 1, 2, 2 };
    float x[] = { 1, 2, 3, 4 };
    struct fixture f;
    const float *y;

    begin(&f, "<ir_version: 3, opset_import: [\"\" : 6]>\n"
              "g (float[1,1,2,2] x) => (float[1,2,2,2] y)\n"
              "<float[2,1,1,1] w = {1, 2}, float[2] s = {10, 100}, float[2] b = {0.5, 0.25}>\n"
              "{ c = Conv(x, w) m = Mul<broadcast = 1, axis = 1>(c, s) y = Add<broadcast = 1, axis = -3>(m, b) }");
    set(&f, "x", F32, 4, dims, x);
    run_ok(&f);
    y = floats(&f, 0, 8);
    for (int k = 0; k < 4; k++)
        ck_assert(y[k] == x[k] * 10 + .5f && y[4 + k] == x[k] * 200 + .25f);
    ck_assert_uint_eq(frame_program(f.session->frame)->step_count, 3); /* the convolution between two transpositions */
    end(&f);
}
END_TEST

/* PRelu-6 says itself what it learns, Mul-6 and Add-6 leave it to the Mul and Add that they become. */
START_TEST(parameters_are_found_in_it)
{
    static const char *const names[] = { "s", "p", "b" }, *const why[] = { "factor of Mul", "slope of PRelu",
                                                                           "summand of Add" };
    struct parameters p;
    struct fixture f;
    struct arena a = { .budget = &budget };

    begin(&f, "<ir_version: 3, opset_import: [\"\" : 6]>\n"
              "g (float[1,2,2] x) => (float[1,2,2] y) <float[2] s = {1, 2}, float[2] p = {3, 4}, float[2] b = {5, 6}>\n"
              "{ m = Mul<broadcast = 1, axis = 1>(x, s) n = PRelu(m, p) y = Add<broadcast = 1, axis = 1>(n, b) }");
    ck_assert(parameters_find(&p, f.model, NULL, &a, &report));
    ck_assert_uint_eq(p.count, 3);
    for (size_t k = 0; k < p.count; k++) {
        ck_assert_str_eq(p.at[k].value->name, names[k]);
        ck_assert_str_eq(p.at[k].why, why[k]);
        ck_assert_int_eq(p.at[k].role, ROLE_TRAINABLE);
    }
    arena_release(&a);
    end(&f);
}
END_TEST

START_TEST(errors_name_the_node_of_the_file)
{
    const int64_t dims[] = { 2, 3 };
    float x[6] = { 0 };
    struct fixture f;

    begin(&f, "<ir_version: 3, opset_import: [\"\" : 6]>\n"
              "g (float[2,3] x) => (float[2,3] y) <float[4] s = {1, 2, 3, 4}>\n"
              "{ y = Mul<broadcast = 1, axis = 0>(x, s) }");
    set(&f, "x", F32, 2, dims, x);
    run_fails(&f, KILN_BAD_MODEL, "");
    ck_assert_msg(strstr(f.report.error.where, "node[0]") && strstr(f.report.error.where, "Mul-6"), "%s",
                  f.report.error.where);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("expand");

    add_test(s, outputs_are_what_they_are_called);
    add_test(s, what_its_nodes_know_is_known);
    add_test(s, subgraphs_go_over_to_what_it_becomes);
    add_test(s, subgraphs_that_nobody_takes_are_released);
    add_test(s, an_output_that_is_not_made_is_an_error);
    add_test(s, types_are_those_of_the_signature);
    add_test(s, passes_see_through_it);
    add_test(s, an_old_form_folds_as_the_new_one_does);
    add_test(s, parameters_are_found_in_it);
    add_test(s, errors_name_the_node_of_the_file);
    return s;
}
