/* Gradients written into a file: of every operator that has a gradient what is private in it is put into operators of the
 * standard, written as messages, read again and run, and gives what the private nodes give. */
#include "case.h"
#include "grad/grad.h"
#include "model/graph_write.h"
#include "model/message.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "require.h"
#include "run/session.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those whose gradient cannot be written yet: the program says so. What is missing here is an error, and what has come. */
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

static char label[512];

static bool is_never(const char *name)
{
    const char *const *names = never;

    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

static bool spell(struct case_graph *c, struct graph *g)
{
    const struct plan_context pc = {
        .kernels = c->engine.kernels, .threads = 1, .budget = &c->budget, .report = &c->report
    };
    struct tensor *tensors = given_types(g, &c->arena, &c->report);

    for (int k = 0; tensors && k < c->inputs; k++)
        if (c->in_value[k])
            tensors[c->in_value[k]->id] = c->in[k].t;
    return tensors && grad_spell_plain(g, tensors, g->value_count, NULL, NULL, &pc);
}

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

/* False where it is refused. */
static bool check_case(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant v = { .all_f64 = true };
    const struct session_options o = { .threads = 1 };
    struct case_gradients first = { 0 }, d = { 0 };
    struct case_graph c;
    struct frame *f;
    bool able;

    snprintf(label, sizeof label, "%s-%d (%s; %s)", op->name, def->since, oc->inputs, oc->attrs);
    require(case_make(&c, op, def, oc, &v) && case_differentiate(&c, oc, &first) && case_differentiate(&c, oc, &d),
            "%s: %s", c.report.error.where, c.report.error.message);
    f = case_frame(&c, first.graph);
    require(f && frame_run(f, &c.report), "%s: %s", c.report.error.where, c.report.error.message);
    able = spell(&c, d.graph);
    require(able || c.report.error.code == KILN_UNSUPPORTED, "%s: %s", c.report.error.where, c.report.error.message);
    if (able) {
        struct model *m = written(&c, &d, def->since > OPSET ? def->since : OPSET);
        struct session *s;

        able = m;
        require(m || c.report.error.code == KILN_UNSUPPORTED, "%s: %s", c.report.error.where, c.report.error.message);
        s = m ? session_new(m->graph, &o, &c.report) : NULL;
        if (s) {
            set_inputs(&c, m, s);
            require(session_run(s, &c.report), "%s: %s", c.report.error.where, c.report.error.message);
            compare(&c, &first, f, s);
        }
        session_free(s);
        model_free(m);
    }
    if (!able)
        snprintf(label, sizeof label, "%s: %s", c.report.error.where, c.report.error.message);
    frame_free(f);
    case_gradients_release(&first);
    case_gradients_release(&d);
    case_release(&c);
    return able;
}

static int op_count(void)
{
    int n = 0;

    while (op_registry[n])
        n++;
    return n;
}

START_TEST(gradients_that_are_written_are_the_same)
{
    const struct op *op = op_registry[_i];
    char name[128];
    bool able = true;

    snprintf(name, sizeof name, "%s%s%s", op->domain, *op->domain ? "." : "", op->name);
    for (const struct op_def *def = op->defs; def->since; def++)
        for (const struct op_case *oc = def->cases; oc && oc->inputs && able; oc++)
            if (oc->differentiate && (def->since >= OLDEST || *op->domain) && !check_case(op, def, oc))
                able = false;
    ck_assert_msg(able != is_never(name), "%s %s", name, able ? "can be written: it need not be in the list" : label);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("plain");

    add_tests(s, gradients_that_are_written_are_the_same, op_count());
    return s;
}
