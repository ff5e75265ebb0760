/* Gradients of gradients, of every operator that has a gradient: its private nodes are spelled out in operators of the
 * standard, and the gradient of that, of the inputs and of what flows into the outputs, is held against central
 * differences of the first one. */
#include "grad/grad.h"
#include "gradient_walk.h"
#include "require.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Those that cannot be differentiated twice: there are none. */
static const char *const once[] = { NULL };

enum { PROBES = 6, MOST = 600 };

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

/* The second gradients become the outputs of d->graph; second[k] is NULL where nothing flows. First those of the inputs,
 * then those of what flows into the outputs. */
static bool differentiate_again(struct gradient_case *x, struct value **second)
{
    const struct plan_context pc = gradient_context(x);
    struct case_gradients *d = &x->d;
    struct case_graph *c = &x->c;
    struct value *flow[MAX_CASE], *wrt[2 * MAX_CASE];
    struct grad_request q = { .graph = d->graph,
                              .seeds = d->count,
                              .seed = d->gradient,
                              .seed_gradient = flow,
                              .count = d->count + d->flows,
                              .wrt = wrt,
                              .gradient = second };
    struct tensor *tensors = gradient_types(x, d->graph);
    struct program *types;
    bool ok;

    if (!tensors || !grad_spell_out(d->graph, tensors, NULL, d->graph->value_count, &pc))
        return false;
    tensors = gradient_types(x, d->graph);
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
    struct gradient_case x[2] = { 0 };
    struct value *second[2][2 * MAX_CASE] = { 0 };
    struct frame *f[2];

    for (int k = 0; k < 2; k++) {
        const struct case_variant v = { .last = k };
        struct case_graph *c = &x[k].c;

        require(case_make(c, op, op->defs, oc, &v), "%s", c->report.error.message);
        if (!k && !case_goes_last(c)) {
            case_release(c);
            return;
        }
        require(case_differentiate(c, oc, &x[k].d) && differentiate_again(&x[k], second[k]), "%s: %s",
                c->report.error.where, c->report.error.message);
        f[k] = case_frame(c, x[k].d.graph);
        require(f[k] && frame_run(f[k], &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    }
    for (size_t g = 0; g < x[0].d.count + x[0].d.flows; g++) {
        const struct tensor *was = second[0][g] ? frame_get(f[0], second[0][g]) : NULL;
        const struct tensor *is = second[1][g] ? frame_get(f[1], second[1][g]) : NULL;

        require(!was == !is, "with channels last another second gradient is zero");
        for (int64_t k = 0; was && k < tensor_count(was); k++)
            require(fabs(case_value(was, k) - case_value(is, k)) <= 1e-3 * (1 + fabs(case_value(was, k))),
                    "with channels last the second gradient is %g, not %g", case_value(is, k), case_value(was, k));
    }
    for (int k = 0; k < 2; k++) {
        frame_free(f[k]);
        case_gradients_release(&x[k].d);
        case_release(&x[k].c);
    }
}

static bool check(struct gradient_case *x)
{
    struct value *second[2 * MAX_CASE] = { 0 };
    struct case_graph *c = &x->c;
    struct frame *f;

    for (int k = 0; k < c->inputs; k++)
        if (x->oc->differentiate >> k & 1 && (!case_in_doubles(c, &c->in[k].t) || tensor_count(&c->in[k].t) > MOST))
            return true; /* what is not double is too rough, what is big takes too long */
    if (!differentiate_again(x, second))
        return false;
    f = case_frame(c, x->d.graph);
    require(f && frame_run(f, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    for (size_t k = 0; k < x->d.count + x->d.flows; k++) {
        const struct tensor *t = second[k] ? frame_get(f, second[k]) : NULL;

        if (k < x->d.count)
            compare(c, &x->first, t, &c->in[x->d.of[k]].t, "input", x->d.of[k]);
        else
            compare(c, &x->first, t, &x->first.upstream[k - x->d.count], "what flows into output",
                    (int)(k - x->d.count));
    }
    check_last(x->op, x->oc);
    frame_free(f);
    return true;
}

START_TEST(gradients_of_gradients_are_as_central_differences)
{
    walk_gradients(op_registry[_i],
                   &(struct gradient_walk){ .check = check,
                                            .refused = once,
                                            .able = "can be differentiated twice: it need not be in the list" });
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("second_order");

    add_tests(s, gradients_of_gradients_are_as_central_differences, case_operators());
    return s;
}
