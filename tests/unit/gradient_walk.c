#include "gradient_walk.h"
#include "plan/given.h"
#include "require.h"
#include "unit.h"
#include <string.h>

char label[512];

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

struct plan_context gradient_context(struct gradient_case *x)
{
    return (struct plan_context){
        .kernels = x->c.engine.kernels, .threads = 1, .budget = &x->c.budget, .report = &x->c.report
    };
}

struct tensor *gradient_types(struct gradient_case *x, const struct graph *g)
{
    struct tensor *tensors = given_types(g, &x->c.arena, &x->c.report);

    for (int k = 0; tensors && k < x->c.inputs; k++)
        if (x->c.in_value[k])
            tensors[x->c.in_value[k]->id] = x->c.in[k].t;
    return tensors;
}

/* False where it is refused; `label` says why. */
static bool check_case(struct gradient_case *x, bool (*check)(struct gradient_case *x))
{
    static const struct case_variant doubles = { .all_f64 = true };
    struct case_graph *c = &x->c;
    bool able;

    snprintf(label, sizeof label, "%s-%d (%s; %s)", x->op->name, x->def->since, x->oc->inputs, x->oc->attrs);
    require(case_make(c, x->op, x->def, x->oc, &doubles) && case_differentiate(c, x->oc, &x->first) &&
                case_differentiate(c, x->oc, &x->d),
            "%s: %s", c->report.error.where, c->report.error.message);
    able = check(x);
    require(able || c->report.error.code == KILN_UNSUPPORTED, "%s: %s", c->report.error.where, c->report.error.message);
    if (!able)
        snprintf(label, sizeof label, "%s: %s", c->report.error.where, c->report.error.message);
    case_gradients_release(&x->first);
    case_gradients_release(&x->d);
    case_release(c);
    return able;
}

void walk_gradients(const struct op *op, const struct gradient_walk *w)
{
    char name[128];
    bool able = true;

    snprintf(name, sizeof name, "%s%s%s", op->domain, *op->domain ? "." : "", op->name);
    for (const struct op_def *def = op->defs; def->since && (w->oldest || def == op->defs); def++)
        for (const struct op_case *oc = def->cases; oc && oc->inputs && able; oc++) {
            struct gradient_case x = { .op = op, .def = def, .oc = oc };

            if (oc->differentiate && (def->since >= w->oldest || *op->domain))
                able = check_case(&x, w->check);
        }
    ck_assert_msg(able != is_among(w->refused, name), "%s %s", name, able ? w->able : label);
}
