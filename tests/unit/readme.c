/* The examples of runtime/ops/README.md and runtime/train/README.md, built out of their text. */
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "plan/program.h"
#include "run/session.h"
#include "scratch.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "unit.h"
#include "walk.h"
#include <string.h>

extern const struct op op_bent_identity, op_tanh_shrink;
extern const struct optimizer_def optimizer_sign_descent;
extern const struct loss_def loss_half_squared_error;

static const struct op *const operators[] = { &op_bent_identity, &op_tanh_shrink };

START_TEST(operators_keep_their_word)
{
    walk_operator(operators[_i]);
}
END_TEST

START_TEST(the_optimiser_updates)
{
    struct {
        double learning_rate, decay;
    } settings;
    float w[4] = { 1, -2, 3, 0 };
    const float g[4] = { 5, -7, 0, .5f };
    struct update u = { .settings = &settings, .learning_rate = .5f, .rate = .25f, .n = 4, .w = w, .g = g };

    expect_ok(spec_read(&settings, &optimizer_sign_descent.row, "sign_descent:decay=0.5",
                        &(struct spec_subject){ "optimizer", NULL, KILN_BAD_ARGUMENT }, &report));
    ck_assert(settings.learning_rate == .001 && settings.decay == .5);
    ck_assert(optimizer_sign_descent.apply(&u));
    ck_assert(w[0] == .5f && w[1] == -1.25f && w[2] == 2.25f && w[3] == -.25f);
    u.rate = INFINITY;
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

/* Its value, and the gradient that is made of its nodes: the mean of (t - p)^2 / 2, so (p - t) / n. */
START_TEST(the_loss_is_differentiated)
{
    static const struct tensor type = { .dtype = F32, .rank = 2, .dims = { 2, 2 } };
    const float p[4] = { 1, 2, 3, 4 }, t[4] = { 3, 2, 2, 8 }, *dp;
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &report };
    const struct loss l = { .def = &loss_half_squared_error, .weight = 1 };
    struct arena a = { .budget = &budget };
    struct emitter e = { .graph = graph_new(&a, NULL, "main", &report), .report = &report };
    struct value *pred = input_of(e.graph, "p", &type), *truth = input_of(e.graph, "t", &type), *gradient;
    struct loss_values out;
    struct program *types;
    struct tensor *known;
    struct session *s;

    e.graph->opset = NEWEST_OPSET;
    expect_ok(loss_emit(&e, &l, pred, truth, NULL, true, &out) && graph_add_output(e.graph, out.mean));
    known = arena_array(&a, e.graph->value_count, sizeof *known, &report);
    for (size_t k = 0; k < e.graph->value_count; k++)
        known[k] = e.graph->values[k]->initializer ? *e.graph->values[k]->initializer
                   : k < 2                         ? type
                                                   : (struct tensor){ .rank = UNKNOWN };
    types = plan_types(e.graph, known, NULL, &c);
    expect_ok(types);
    expect_ok(grad_build(&(struct grad_request){ .graph = e.graph,
                                                 .types = types->types,
                                                 .seeds = 1,
                                                 .seed = &out.seed,
                                                 .seed_gradient = &out.gradient,
                                                 .count = 1,
                                                 .wrt = &pred,
                                                 .gradient = &gradient },
                         &c));
    expect_ok(gradient && graph_add_output(e.graph, gradient));
    s = session_new(e.graph, &(struct session_options){ .threads = 1 }, &report);
    for (size_t k = 0; k < 2; k++) {
        struct tensor in = type;

        in.data = (void *)(uintptr_t)(k ? t : p);
        expect_ok(s && session_set(s, e.graph->inputs[k], &in, &report));
    }
    expect_ok(session_run(s, &report));
    ck_assert(*(const float *)session_output(s, 0)->data == (4 + 0 + 1 + 16) / 8.f);
    dp = session_output(s, 1)->data;
    for (int k = 0; k < 4; k++)
        ck_assert(dp[k] == (p[k] - t[k]) / 4);
    session_free(s);
    program_free(types);
    graph_release(e.graph);
    arena_release(&a);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("readme");

    add_tests(s, operators_keep_their_word, sizeof operators / sizeof *operators);
    add_test(s, the_optimiser_updates);
    add_test(s, the_loss_is_differentiated);
    return s;
}
