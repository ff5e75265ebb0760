/* Gradients written into a file: of every operator that has a gradient what is private in it is put into operators of the
 * standard, written as messages, read again and run, and gives what the private nodes give. */
#include "grad/grad.h"
#include "gradient_walk.h"
#include "model/graph_write.h"
#include "model/message.h"
#include "require.h"
#include "run/session.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those whose gradient cannot be written yet. */
static const char *const never[] = { "Attention",
                                     "CausalConvWithState",
                                     "Col2Im",
                                     "ConcatFromSequence",
                                     "CumProd",
                                     "DeformConv",
                                     "DepthToSpace",
                                     "DFT",
                                     "GatherND",
                                     "GridSample",
                                     "If",
                                     "LogSoftmax",
                                     "MaxRoiPool",
                                     "MaxUnpool",
                                     "Optional",
                                     "OptionalGetElement",
                                     "OptionalHasElement",
                                     "ai.onnx.ml.LinearClassifier",
                                     "ai.onnx.ml.LinearRegressor",
                                     "com.microsoft.Attention",
                                     "com.microsoft.GroupQueryAttention",
                                     "com.microsoft.Irfft",
                                     "com.microsoft.MultiHeadAttention",
                                     "com.microsoft.QAttention",
                                     "com.microsoft.Rfft",
                                     "RoiAlign",
                                     "Scan",
                                     "SequenceAt",
                                     "SequenceConstruct",
                                     "SequenceErase",
                                     "SequenceInsert",
                                     "SequenceMap",
                                     "Softmax",
                                     "SplitToSequence",
                                     "STFT",
                                     "TensorScatter",
                                     NULL };

enum { OPSET = 18, OLDEST = 7 };

/* Types of what comes in and what comes out, by value id. */
static struct tensor *types_of(struct case_graph *c, const struct case_gradients *d)
{
    struct tensor *types = arena_array(&c->arena, d->graph->value_count, sizeof *types, &c->report);

    for (int k = 0; types && k < c->inputs; k++)
        if (c->in_value[k])
            types[c->in_value[k]->id] = c->in[k].t;
    for (size_t k = 0; types && k < d->count; k++)
        types[d->gradient[k]->id] = c->in[d->of[k]].t;
    return types;
}

static struct model *written(struct case_graph *c, const struct case_gradients *d, int opset)
{
    const char **names = arena_array(&c->arena, d->graph->value_count, sizeof *names, &c->report);
    struct graph_writing w = { .graph = d->graph,
                               .prefix = "v",
                               .names = names,
                               .types = types_of(c, d),
                               .opset = graph_least_opset(d->graph, opset) };
    Onnx__ModelProto *p = message_new(&onnx__model_proto__descriptor, &c->budget, &c->report);
    struct model *m = NULL;
    uint8_t *bytes;
    size_t size;

    for (int k = 0; names && k < c->inputs; k++)
        if (c->in_value[k] && !c->in_value[k]->initializer)
            names[c->in_value[k]->id] = arena_printf(&c->arena, &c->report, "x%d", k);
    p->has_ir_version = true;
    p->ir_version = 8;
    p->graph = w.types ? graph_write(&w, &c->budget, &c->report) : NULL;
    p->opset_import = budget_zalloc(&c->budget, 3, sizeof *p->opset_import, &c->report);
    for (const char *const *domain = (const char *const[]){ "", "ai.onnx.ml", "com.microsoft", NULL }; *domain;
         domain++) {
        Onnx__OperatorSetIdProto *set = message_new(&onnx__operator_set_id_proto__descriptor, &c->budget, &c->report);

        set->domain = message_string(*domain, strlen(*domain), &c->budget, &c->report);
        set->has_version = true;
        set->version = **domain ? 1 : w.opset;
        p->opset_import[p->n_opset_import++] = set;
    }
    if (p->graph && proto_pack(p, &bytes, &size, &c->budget, &c->report)) {
        m = model_read_bytes(bytes, size, NULL, &c->report);
        budget_free(&c->budget, bytes);
    }
    message_free(p, &c->budget);
    if (m && model_build(m, &c->report))
        return m;
    model_free(m);
    return NULL;
}

static void set_inputs(struct case_graph *c, const struct model *m, struct session *s)
{
    for (size_t k = 0; k < m->graph->input_count; k++) {
        const int of = atoi(m->graph->inputs[k]->name + 1);

        require(session_set(s, m->graph->inputs[k], &c->in[of].t, &c->report), "%s", c->report.error.message);
    }
}

static void compare(struct case_graph *c, const struct case_gradients *d, const struct frame *f,
                    const struct session *s)
{
    for (size_t k = 0; k < d->count; k++) {
        const struct tensor *was = frame_get(f, d->gradient[k]), *is = session_output(s, k);
        const double within = case_in_doubles(c, &c->in[d->of[k]].t) ? 1e-6 : 1e-3;

        require(same_type(was, is), "the gradient of input %d has another type", d->of[k]);
        for (int64_t i = 0; i < tensor_count(was); i++)
            require(fabs(case_value(was, i) - case_value(is, i)) <= within * (1 + fabs(case_value(was, i))),
                    "the gradient of input %d[%lld] is %.12g, must be %.12g", d->of[k], (long long)i, case_value(is, i),
                    case_value(was, i));
    }
}

static bool check(struct gradient_case *x)
{
    const struct plan_context pc = gradient_context(x);
    const struct session_options o = { .threads = 1 };
    struct case_graph *c = &x->c;
    struct frame *f = case_frame(c, x->first.graph);
    struct tensor *types = gradient_types(x, x->d.graph);
    struct model *m = NULL;
    struct session *s;

    require(f && frame_run(f, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    if (types && grad_spell_plain(x->d.graph, types, x->d.graph->value_count, NULL, NULL, &pc))
        m = written(c, &x->d, x->def->since > OPSET ? x->def->since : OPSET);
    s = m ? session_new(m->graph, &o, &c->report) : NULL;
    if (s) {
        set_inputs(c, m, s);
        require(session_run(s, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
        compare(c, &x->first, f, s);
    }
    session_free(s);
    model_free(m);
    frame_free(f);
    return s;
}

START_TEST(gradients_that_are_written_are_the_same)
{
    walk_gradients(op_registry[_i], &(struct gradient_walk){ .check = check,
                                                             .refused = never,
                                                             .able = "can be written: it need not be in the list",
                                                             .oldest = OLDEST });
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("plain");

    add_tests(s, gradients_that_are_written_are_the_same, case_operators());
    return s;
}
