/* Gradients of gradients, of every operator that has a gradient: its private nodes are spelled out in operators of the
 * standard, and the gradient of that, of the inputs and of what flows into the outputs, is held against central
 * differences of the first one. */
#include "case.h"
#include "grad/grad.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "require.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Those that cannot be differentiated twice: the program says so. What is missing here is an error, and what has come. There
 * are none. */
static const char *const once[] = { NULL };

static char label[512];

enum { PROBES = 6, MOST = 600 };

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

/* What is differentiated: the sum of the first gradients, each element weighted. */
static double weighted_sum(struct case_graph *c, const struct case_gradients *d)
{
    struct frame *f = case_frame(c, d->graph);
    double sum = 0;

    require(f && frame_run(f, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    for (size_t k = 0; k < d->count; k++) {
        const struct tensor *t = frame_get(f, d->gradient[k]);

        for (int64_t i = 0; i < tensor_count(t); i++)
            sum += case_weight((int)k + 7, i) * case_value(t, i);
    }
    frame_free(f);
    return sum;
}

static struct tensor *given(struct case_graph *c, struct graph *g)
{
    struct tensor *tensors = given_types(g, &c->arena, &c->report);

    for (int k = 0; tensors && k < c->inputs; k++)
        if (c->in_value[k])
            tensors[c->in_value[k]->id] = c->in[k].t;
    return tensors;
}

/* The second gradients become the outputs of d->graph; second[k] is NULL where nothing flows. First those of the inputs,
 * then those of what flows into the outputs. */
static bool differentiate_again(struct case_graph *c, struct case_gradients *d, struct value **second)
{
    const struct plan_context pc = {
        .kernels = c->engine.kernels, .threads = 1, .budget = &c->budget, .report = &c->report
    };
    struct value *flow[MAX_CASE], *wrt[2 * MAX_CASE];
    struct grad_request q = { .graph = d->graph,
                              .seeds = d->count,
                              .seed = d->gradient,
                              .seed_gradient = flow,
                              .count = d->count + d->flows,
                              .wrt = wrt,
                              .gradient = second };
    struct tensor *tensors = given(c, d->graph);
    struct program *types;
    bool ok;

    if (!tensors || !grad_spell_out(d->graph, tensors, NULL, d->graph->value_count, &pc))
        return false;
    tensors = given(c, d->graph);
    types = tensors ? plan_types(d->graph, tensors, NULL, &pc) : NULL;
    ok = types;
    for (size_t k = 0; ok && k < d->count; k++) {
        const struct tensor *type = &types->types[d->gradient[k]->id];
        struct tensor *t = arena_alloc(&c->arena, sizeof *t, &c->report);

        ok = tensor_known(type) ||
             fail(&c->report, KILN_UNSUPPORTED, NULL, "the first gradient has a size that only running can tell");
        if (!ok)
            break;
        *t = *type;
        t->data = arena_alloc(&c->arena, (size_t)tensor_bytes(t), &c->report);
        for (int64_t i = 0; i < tensor_count(t); i++)
            case_set(t, i, case_weight((int)k + 7, i));
        flow[k] = graph_value(d->graph, NULL);
        flow[k]->initializer = t;
    }
    memcpy(wrt, d->wrt, d->count * sizeof *wrt);
    memcpy(wrt + d->count, d->flow, d->flows * sizeof *wrt);
    q.types = ok ? types->types : NULL;
    ok = ok && grad_build(&q, &pc);
    program_free(types);
    d->graph->output_count = 0;
    for (size_t k = 0; ok && k < q.count; k++)
        ok = !second[k] || graph_add_output(d->graph, second[k]);
    return ok;
}

/* Of x, which is what `name` says. */
static void compare(struct case_graph *c, const struct case_gradients *first, const struct tensor *second,
                    const struct tensor *x, const char *name, int number)
{
    const int64_t n = tensor_count(x), stride = n > PROBES ? n / PROBES + 1 : 1;
    const double h = 1e-5;

    require(!second || same_type(second, x), "the second gradient of %s %d has another type than it has", name, number);
    for (int64_t k = 0; k < n; k += stride) {
        const double was = case_value(x, k), is = second ? case_value(second, k) : 0;
        const double here = weighted_sum(c, first);
        double up, down, slope;

        case_set(x, k, was + h);
        up = weighted_sum(c, first);
        case_set(x, k, was - h);
        down = weighted_sum(c, first);
        case_set(x, k, was);
        if (fabs(up - down) > 1e-3 * (1 + fabs(here))) /* a jump of the first gradient lies in between */
            continue;
        slope = (up - down) / (2 * h);
        require(fabs(slope - is) <= 5e-6 * (1 + fabs(slope)),
                "second gradient of %s %d[%lld] is %.9g, the central difference %.9g", name, number, (long long)k, is,
                slope);
    }
}

/* With channels last, which is for floats alone, they are the same. */
static void check_last(const struct op *op, const struct op_case *oc)
{
    struct case_gradients d[2] = { 0 };
    struct value *second[2][2 * MAX_CASE] = { 0 };
    struct case_graph c[2];
    struct frame *f[2];

    for (int k = 0; k < 2; k++) {
        const struct case_variant v = { .last = k };

        require(case_make(&c[k], op, op->defs, oc, &v), "%s", c[k].report.error.message);
        if (!k && !case_goes_last(&c[k])) {
            case_release(&c[k]);
            return;
        }
        require(case_differentiate(&c[k], oc, &d[k]) && differentiate_again(&c[k], &d[k], second[k]), "%s: %s",
                c[k].report.error.where, c[k].report.error.message);
        f[k] = case_frame(&c[k], d[k].graph);
        require(f[k] && frame_run(f[k], &c[k].report), "%s: %s", c[k].report.error.where, c[k].report.error.message);
    }
    for (size_t g = 0; g < d[0].count + d[0].flows; g++) {
        const struct tensor *was = second[0][g] ? frame_get(f[0], second[0][g]) : NULL;
        const struct tensor *is = second[1][g] ? frame_get(f[1], second[1][g]) : NULL;

        require(!was == !is, "with channels last another second gradient is zero");
        for (int64_t k = 0; was && k < tensor_count(was); k++)
            require(fabs(case_value(was, k) - case_value(is, k)) <= 1e-3 * (1 + fabs(case_value(was, k))),
                    "with channels last the second gradient is %g, not %g", case_value(is, k), case_value(was, k));
    }
    for (int k = 0; k < 2; k++) {
        frame_free(f[k]);
        case_gradients_release(&d[k]);
        case_release(&c[k]);
    }
}

/* False where it is refused. */
static bool check_case(const struct op *op, const struct op_case *oc)
{
    const struct case_variant v = { .all_f64 = true };
    struct case_gradients first = { 0 }, d = { 0 };
    struct value *second[2 * MAX_CASE] = { 0 };
    struct case_graph c;
    struct frame *f = NULL;
    bool able = true;

    snprintf(label, sizeof label, "%s-%d (%s; %s)", op->name, op->defs->since, oc->inputs, oc->attrs);
    require(case_make(&c, op, op->defs, oc, &v) && case_differentiate(&c, oc, &first) && case_differentiate(&c, oc, &d),
            "%s: %s", c.report.error.where, c.report.error.message);
    for (int k = 0; k < c.inputs; k++)
        if (oc->differentiate >> k & 1 && (!case_in_doubles(&c, &c.in[k].t) || tensor_count(&c.in[k].t) > MOST))
            goto done; /* what is not double is too rough, what is big takes too long */
    able = differentiate_again(&c, &d, second);
    require(able || c.report.error.code == KILN_UNSUPPORTED, "%s: %s", c.report.error.where, c.report.error.message);
    if (able) {
        f = case_frame(&c, d.graph);
        require(f && frame_run(f, &c.report), "%s: %s", c.report.error.where, c.report.error.message);
        for (size_t k = 0; k < d.count + d.flows; k++) {
            const struct tensor *t = second[k] ? frame_get(f, second[k]) : NULL;

            if (k < d.count)
                compare(&c, &first, t, &c.in[d.of[k]].t, "input", d.of[k]);
            else
                compare(&c, &first, t, &first.upstream[k - d.count], "what flows into output", (int)(k - d.count));
        }
        check_last(op, oc);
    }
done:
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

START_TEST(gradients_of_gradients_are_as_central_differences)
{
    const struct op *op = op_registry[_i];
    char name[128];
    bool able = true;

    snprintf(name, sizeof name, "%s%s%s", op->domain, *op->domain ? "." : "", op->name);
    for (const struct op_case *oc = op->defs->cases; oc && oc->inputs; oc++)
        if (oc->differentiate && !check_case(op, oc))
            able = false;
    ck_assert_msg(able != is_among(once, name), "%s %s", name,
                  able ? "can be differentiated twice: it need not be in the list" : label);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("second_order");

    add_tests(s, gradients_of_gradients_are_as_central_differences, op_count());
    return s;
}
