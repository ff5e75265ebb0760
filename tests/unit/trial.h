/* A model, and a clone of its graph that passes change, one by one. */
#ifndef KILN_TESTS_TRIAL_H
#define KILN_TESTS_TRIAL_H

#include "base/random.h"
#include "fixture.h"
#include "plan/pass.h"
#include <math.h>
#include <stdlib.h>

struct trial {
    struct fixture f; /* with all passes */
    struct budget budget;
    struct report report;
    struct plan_context c;
    struct passes passes; /* a clone, for one pass */
};

__attribute__((unused)) static void start(struct trial *t, const char *text)
{
    memset(t, 0, sizeof *t);
    begin(&t->f, text);
    t->c = (struct plan_context){
        .kernels = kernels_get(), .threads = 1, .budget = &t->budget, .report = &t->report, .once = true
    };
    t->passes.arena.budget = &t->budget;
    t->passes.graph = graph_clone(t->f.model->graph, &t->passes.arena, &t->report);
    ck_assert_ptr_nonnull(t->passes.graph);
}

__attribute__((unused)) static void apply(struct trial *t, bool (*pass)(struct rewrite *w))
{
    struct rewrite w = { .graph = t->passes.graph, .c = &t->c };

    ck_assert(pass(&w));
    t->passes.constants = w.constants;
}

__attribute__((unused)) static void finish(struct trial *t)
{
    passes_free(&t->passes);
    ck_assert_uint_eq(t->budget.used, 0);
    end(&t->f);
}

/* How many nodes of this operator make something. */
__attribute__((unused)) static int count(const struct graph *g, const char *op)
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        if (strcmp(g->nodes[k]->op_name, op) == 0)
            n += g->nodes[k]->out[0] != NULL;
    return n;
}

__attribute__((unused)) static const struct node *maker(const struct trial *t, const char *value)
{
    const struct value *v = graph_find(t->passes.graph, value);

    ck_assert_ptr_nonnull(v);
    return v->producer;
}

__attribute__((unused)) static void fill(struct tensor *t, const struct value *v, uint64_t stream)
{
    *t = v->type;
    for (int d = 0; d < t->rank; d++)
        t->dims[d] = t->dims[d] < 0 ? 2 : t->dims[d];
    ck_assert_int_ge(tensor_count(t), 0);
    t->data = calloc((size_t)tensor_count(t), dtype_size(t->dtype));
    ck_assert_int_eq(t->dtype, F32);
    random_uniform(t->data, tensor_count(t), 7, stream, 0);
    for (int64_t k = 0; k < tensor_count(t); k++)
        ((float *)t->data)[k] -= .5f;
}

/* The session, which runs the passes' graph, against a frame that runs the model's: apart by no more than `step`, and so much of
 * what each is. */
__attribute__((unused)) static void results_within(struct trial *t, double step, double tolerance)
{
    const struct graph *g = t->f.model->graph;
    struct engine e = { .kernels = kernels_get(), .budget = &t->budget, .prepared.budget = &t->budget };
    struct frame *plain = frame_new(&e, g, &t->report);
    struct tensor in[4];

    ck_assert_ptr_nonnull(plain);
    ck_assert_uint_le(g->input_count, 4);
    for (size_t k = 0; k < g->input_count; k++) {
        fill(&in[k], g->inputs[k], k);
        frame_set(plain, g->inputs[k], &in[k]);
        ck_assert(session_set(t->f.session, g->inputs[k], &in[k], &t->f.report));
    }
    ck_assert_msg(frame_run(plain, &t->report), "%s", t->report.error.message);
    run_ok(&t->f);
    for (size_t k = 0; k < g->output_count; k++) {
        const struct tensor *a = frame_get(plain, g->outputs[k]), *b = session_output(t->f.session, k);

        ck_assert(same_type(a, b));
        ck_assert_int_gt(tensor_count(a), 0);
        for (int64_t i = 0; i < tensor_count(a); i++) {
            const double x = (double)((const float *)a->data)[i], y = (double)((const float *)b->data)[i];

            ck_assert_msg(fabs(x - y) <= step + tolerance * fabs(x), "output %zu, element %lld: %g and %g", k,
                          (long long)i, x, y);
        }
    }
    for (size_t k = 0; k < g->input_count; k++)
        free(in[k].data);
    frame_free(plain);
    prepared_free(&e.prepared);
}

#endif
