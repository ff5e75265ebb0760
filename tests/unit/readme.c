/* The examples of runtime/ops/README.md and runtime/train/README.md, built out of their text. */
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "plan/program.h"
#include "run/session.h"
#include "scratch.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/regularizer.h"
#include "train/schedule.h"
#include "unit.h"
#include "walk.h"
#include <string.h>

extern const struct op op_bent_identity, op_tanh_shrink;
extern const struct optimizer_def optimizer_sign_descent;
extern const struct loss_def loss_half_squared_error;
extern const struct regularizer_def regularizer_largest;
extern const struct schedule_def schedule_root_decay;

static const struct op *const operators[] = { &op_bent_identity, &op_tanh_shrink };

START_TEST(operators_keep_their_word)
{
    walk_operator(operators[_i]);
}
END_TEST

START_TEST(the_optimiser_updates)
{
    struct {
        double learning_rate, least;
    } settings;
    float w[4] = { 1, -2, 3, 0 };
    float g[4] = { 5, -7, 0, .5f };
    struct update u = { .settings = &settings, .learning_rate = .5f, .rate = .25f, .n = 4, .w = w, .g = g };

    expect_ok(spec_read(&settings, &optimizer_sign_descent.row, "sign_descent:least=0.5",
                        &(struct spec_subject){ "optimizer", NULL, KILN_BAD_ARGUMENT }, &report));
    ck_assert(settings.learning_rate == .001 && settings.least == .5);
    ck_assert(optimizer_sign_descent.apply(&u));
    ck_assert(w[0] == .75f && w[1] == -1.75f && w[2] == 3 && w[3] == 0);
    g[2] = NAN;
    ck_assert(!optimizer_sign_descent.apply(&u));
}
END_TEST

static struct value *input_of(struct graph *g, const char *name, const struct tensor *type)
{
    struct value *v = graph_value(g, name);

    v->type = *type;
    v->has_type = true;
    ck_assert(graph_add_input(g, v));
    return v;
}

static const struct tensor square = { .dtype = F32, .rank = 2, .dims = { 2, 2 } };

/* A graph under construction, whose inputs are squares. */
struct drawing {
    struct arena arena;
    struct emitter e;
    struct value *in[2];
    struct session *session;
};

static void start_drawing(struct drawing *d, int inputs)
{
    *d = (struct drawing){ .arena.budget = &budget };
    d->e = (struct emitter){ .graph = graph_new(&d->arena, NULL, "main", &report), .report = &report };
    d->e.graph->opset = NEWEST_OPSET;
    for (int k = 0; k < inputs; k++)
        d->in[k] = input_of(d->e.graph, k ? "t" : "p", &square);
}

/* Runs it for such inputs. Outputs: `of`, and the gradient by input 0 of what `seed` is with the gradient `flow`. */
static void run_drawing(struct drawing *d, struct value *of, struct value *seed, struct value *flow,
                        const float *const *data)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &report };
    struct graph *g = d->e.graph;
    struct value *gradient;
    struct program *types;
    struct tensor *known;

    expect_ok(of && graph_add_output(g, of));
    known = arena_array(&d->arena, g->value_count, sizeof *known, &report);
    for (size_t k = 0; k < g->value_count; k++)
        known[k] = g->values[k]->initializer ? *g->values[k]->initializer
                   : k < g->input_count      ? square
                                             : (struct tensor){ .rank = UNKNOWN };
    types = plan_types(g, known, NULL, &c);
    expect_ok(types);
    expect_ok(grad_build(&(struct grad_request){ .graph = g,
                                                 .types = types->types,
                                                 .seeds = 1,
                                                 .seed = &seed,
                                                 .seed_gradient = &flow,
                                                 .count = 1,
                                                 .wrt = d->in,
                                                 .gradient = &gradient },
                         &c));
    expect_ok(gradient && graph_add_output(g, gradient));
    d->session = session_new(g, &(struct session_options){ .threads = 1 }, &report);
    for (size_t k = 0; k < g->input_count; k++) {
        struct tensor in = square;

        in.data = (void *)(uintptr_t)data[k];
        expect_ok(d->session && session_set(d->session, g->inputs[k], &in, &report));
    }
    expect_ok(session_run(d->session, &report));
    program_free(types);
}

static void end_drawing(struct drawing *d)
{
    session_free(d->session);
    graph_release(d->e.graph);
    arena_release(&d->arena);
}

/* Its value, and the gradient that is made of its nodes: the mean of (t - p)^2 / 2, so (p - t) / n. */
START_TEST(the_loss_is_differentiated)
{
    const float p[4] = { 1, 2, 3, 4 }, t[4] = { 3, 2, 2, 8 }, *dp;
    const struct loss l = { .def = &loss_half_squared_error, .weight = 1 };
    struct loss_values out;
    struct drawing d;

    start_drawing(&d, 2);
    expect_ok(loss_emit(&d.e, &l, d.in[0], d.in[1], NULL, true, &out));
    run_drawing(&d, out.mean, out.seed, out.gradient, (const float *[]){ p, t });
    ck_assert(*(const float *)session_output(d.session, 0)->data == (4 + 0 + 1 + 16) / 8.f);
    dp = session_output(d.session, 1)->data;
    for (int k = 0; k < 4; k++)
        ck_assert(dp[k] == (p[k] - t[k]) / 4);
    end_drawing(&d);
}
END_TEST

/* All of the gradient goes to the largest. */
START_TEST(the_penalty_is_differentiated)
{
    const float x[4] = { 1, -4, 3, 2 }, *dx;
    struct {
        double factor;
    } settings;
    struct penalized of = { .settings = &settings, .dtype = F32, .type = &square };
    struct drawing d;
    struct value *made;

    expect_ok(spec_read(&settings, &regularizer_largest.row, "largest:0.5",
                        &(struct spec_subject){ "regularizer", NULL, KILN_BAD_ARGUMENT }, &report));
    start_drawing(&d, 1);
    of.x = d.in[0];
    made = regularizer_largest.emit(&d.e, &of);
    run_drawing(&d, made, made, emit_scalar(&d.e, F32, 1), (const float *[]){ x });
    ck_assert(*(const float *)session_output(d.session, 0)->data == 2);
    dx = session_output(d.session, 1)->data;
    ck_assert(dx[0] == 0 && dx[1] == -.5f && dx[2] == 0 && dx[3] == 0);
    end_drawing(&d);
}
END_TEST

START_TEST(the_schedule_gives_rates)
{
    struct {
        double initial_learning_rate, decay_steps;
    } settings;

    expect_ok(spec_read(&settings, &schedule_root_decay.row, "root_decay:decay_steps=4",
                        &(struct spec_subject){ "schedule", NULL, KILN_BAD_ARGUMENT }, &report));
    ck_assert(settings.decay_steps == 4 && settings.initial_learning_rate != settings.initial_learning_rate);
    ck_assert(schedule_root_decay.rate(&settings, .5f, 0) == .5f &&
              schedule_root_decay.rate(&settings, .5f, 12) == .25f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("readme");

    add_tests(s, operators_keep_their_word, sizeof operators / sizeof *operators);
    add_test(s, the_optimiser_updates);
    add_test(s, the_schedule_gives_rates);
    add_test(s, the_loss_is_differentiated);
    add_test(s, the_penalty_is_differentiated);
    return s;
}
