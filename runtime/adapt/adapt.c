#include "adapt/adapt.h"
#include "adapt/random.h"
#include "adapt/step.h"
#include "base/text.h"
#include "plan/program.h"
#include <float.h>
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#define TOLERANCE 1e-5 /* of the proof, in float and double */

/* -- steps -- */

struct model *adapt_copy(struct adapt *a)
{
    return model_copy(a->model, a->report);
}

bool adapt_take(struct adapt *a, struct model *made, bool ok)
{
    if (!made || !ok || (!made->graph && !model_build(made, a->report))) {
        model_free(made);
        return false;
    }
    if (a->made_count == ADAPT_MODELS) {
        model_free(made);
        return fail(a->report, KILN_LIMIT, NULL, "adapting takes more than %d steps", (int)ADAPT_MODELS);
    }
    a->made[a->made_count++] = made;
    a->model = made;
    return true;
}

static bool prove(struct adapt *a);

/* What was kept so far is shown to be so before something changes. */
bool adapt_take_reference(struct adapt *a, struct model *made, bool ok)
{
    if (!adapt_take(a, made, ok && prove(a)))
        return false;
    a->reference = a->model;
    return true;
}

bool adapt_take_changed(struct adapt *a, struct model *made, bool ok, const char *what)
{
    const char *before = a->out->changed;

    if (!adapt_take_reference(a, made, ok))
        return false;
    a->out->changed = arena_printf(a->arena, a->report, "%s%s%s", before ? before : "", before ? "; " : "", what);
    return a->out->changed;
}

bool adapt_tell(struct adapt *a, const struct finding *f)
{
    return findings_add(&a->out->findings, f, a->report);
}

/* -- what the caller knows better -- */

static bool is_one_of(const char *const *choices, const char *choice)
{
    for (; *choices; choices++)
        if (strcmp(*choices, choice) == 0)
            return true;
    return false;
}

/* Notes what a refused choice could have been. */
static void refuse(struct adapt *a, size_t k, const char *const *choices)
{
    struct refused *r = &a->refused[k];

    for (; *choices && r->count < ADAPT_CHOICES; choices++)
        if (!r->count || !is_one_of(r->choices, *choices))
            r->choices[r->count++] = *choices;
}

/* "a, b or c", in the arena. */
static const char *listed(struct adapt *a, const struct refused *r)
{
    struct text list = { .budget = a->arena->budget, .report = a->report };
    const char *copy = NULL;

    for (size_t k = 0; k < r->count; k++)
        text_printf(&list, "%s%s", !k ? "" : k + 1 < r->count ? ", " : " or ", r->choices[k]);
    if (!list.failed)
        copy = arena_string(a->arena, list.data, list.length, a->report);
    text_release(&list);
    return copy;
}

static bool names(const char *pattern, const char *name)
{
    return name && *name && (strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0);
}

const char *adapt_choice(struct adapt *a, const char *const *choices, const char *name, const char *other)
{
    const char *taken = NULL;

    for (size_t k = a->options->choice_count; k > 0; k--) { /* the last one counts */
        const struct adapt_choice *c = &a->options->choices[k - 1];

        if (!names(c->what, name) && !names(c->what, other))
            continue;
        if (is_one_of(choices, c->choice)) {
            a->used[k - 1] = true;
            taken = taken ? taken : c->choice;
        } else
            refuse(a, k - 1, choices);
    }
    return taken;
}

static bool check_choices(struct adapt *a)
{
    for (size_t k = 0; k < a->options->choice_count; k++) {
        const struct adapt_choice *c = &a->options->choices[k];

        if (a->used[k])
            continue;
        if (a->refused[k].count) {
            const char *could = listed(a, &a->refused[k]);

            return could && fail(a->report, KILN_BAD_ARGUMENT, NULL, "'%s' cannot be '%s', must be %s", c->what,
                                 c->choice, could);
        }
        return fail(a->report, KILN_BAD_ARGUMENT, NULL, "'%s' names nothing of which something can be chosen", c->what);
    }
    return true;
}

bool adapt_set_role(struct adapt *a, const char *name, enum role role)
{
    struct role_choice *c = arena_alloc(a->arena, sizeof *c, a->report);

    if (!c || !(c->name = arena_string(a->arena, name, strlen(name), a->report)))
        return false;
    c->role = role;
    c->next = a->roles;
    a->roles = c;
    return true;
}

/* -- the proof -- */

/* What a type rounds to is not to be had again in another order: 8 units in the last place of 1. */
static double tolerance_in(enum dtype d)
{
    return d == F16 ? 0x1p-7 : d == BF16 ? 0x1p-4 : TOLERANCE;
}

/* That of the coarsest type that something is computed in. False with an error. */
static bool find_tolerance(struct adapt *a, double *out)
{
    const struct graph *g = a->reference->graph;
    struct budget budget = budget_like(&a->reference->budget);
    const bool *active = activations_find(g, a->arena, a->report);
    const struct tensor *x;
    struct program *types;

    *out = TOLERANCE;
    budget_start(&budget);
    types = active && adapt_inputs(a, g, &x) ? plan_sample(a->reference, x, &budget, a->report) : NULL;
    budget_stop(&budget);
    for (size_t k = 0; types && k < g->value_count; k++)
        if (active[k] && g->values[k]->producer && types->types[k].kind == TENSOR)
            *out = fmax(*out, tolerance_in(types->types[k].dtype));
    program_free(types);
    return types;
}

static bool prove(struct adapt *a)
{
    struct comparison *outputs = &a->out->outputs;
    const struct node *first;
    double tolerance;
    char where[WHERE_TEXT] = "";

    a->out->measured = a->options->data != NULL;
    if (a->model == a->reference || a->model == a->proved)
        return true;
    if (!find_tolerance(a, &tolerance) || !compare_models(a->reference, a->model, &a->calibration, outputs, a->report))
        return false;
    if (outputs->floats && outputs->not_finite == outputs->floats)
        return fail(
            a->report, KILN_MISMATCH, NULL,
            "all that the file computes of %s is infinite or no number: nothing shows that the adapted model does "
            "the same",
            a->out->measured ? "the data" : "random numbers");
    if (outputs->difference <= tolerance && !outputs->unlike) {
        a->proved = a->model;
        return true;
    }
    first = compare_nodes(a->reference, a->model, &a->calibration, tolerance, a->arena, a->report);
    return fail(a->report, KILN_MISMATCH, first ? node_where(first, where) : NULL,
                "the adapted model does not compute what the file does: outputs differ by %.3g, must by %g at most%s",
                outputs->difference, tolerance, first ? "; this node is the first to differ" : "");
}

/* -- all of it -- */

static bool check_options(const struct adapt_options *o, struct report *r)
{
    if (!(o->epsilon == 0 || (o->epsilon >= (double)FLT_MIN && o->epsilon <= 1)) ||
        !(o->momentum >= 0 && o->momentum <= 1))
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "epsilon is %g, must be 0, or from %g to 1, and momentum %g, must be from 0 to 1", o->epsilon,
                    (double)FLT_MIN, o->momentum);
    if (o->classes < 0 || o->classes > INT32_MAX)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "classes is %lld, must be 1 to %d", (long long)o->classes, INT32_MAX);
    if (o->classes && o->head)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "classes and a head exclude each other");
    return true;
}

/* Data are batches: what they are given to must say that it takes any. */
static bool check_inputs(const struct graph *g, struct report *r)
{
    char text[TYPE_TEXT];

    for (size_t k = 0; k < g->input_count; k++) {
        const struct value *v = g->inputs[k];

        if (!v->has_type || v->type.kind != TENSOR || v->type.rank < 1)
            return fail(r, KILN_UNSUPPORTED, NULL, "input '%s' is %s, must be a tensor with samples to be adapted%s",
                        v->name, v->has_type ? tensor_text(&v->type, text) : "of no type",
                        v->has_type && v->type.kind == TENSOR && !v->type.rank ? ": --set gives it a value" : "");
    }
    return true;
}

/* The batch comes first of what keeps the function: what is measured later may then be measured over any. */
static bool take_steps(struct adapt *a)
{
    return adapt_sizes(a) && adapt_defaults(a) && adapt_branches(a) && adapt_quantized(a) && adapt_inference(a) &&
           adapt_batch(a) && adapt_affine(a) && adapt_products(a) && adapt_normalization(a) && adapt_vanished(a) &&
           adapt_untie(a) && adapt_copies(a) && prove(a) && adapt_head(a) && adapt_roles(a) && check_choices(a);
}

/* The model that came out, and the others gone. One that nothing was changed of is a copy. */
static struct model *end(struct adapt *a, bool ok)
{
    struct model *result = NULL;

    for (size_t k = 0; k < a->made_count; k++)
        if (ok && a->made[k] == a->model)
            result = a->made[k];
        else
            model_free(a->made[k]);
    return result;
}

bool model_adapt_look(const struct model *m, struct adapted *out, struct arena *arena, struct report *r)
{
    const struct adapt_options o = { 0 };
    struct adapt a = { .options = &o,
                       .model = m,
                       .reference = m,
                       .file = m->graph,
                       .out = out,
                       .arena = arena,
                       .report = r,
                       .look = true };

    *out = (struct adapted){ .findings.arena = arena };
    return adapt_normalization(&a);
}

struct model *model_adapt(const struct model *m, const struct adapt_options *o, struct adapted *out,
                          struct arena *arena, struct report *r)
{
    struct adapt a = {
        .options = o, .model = m, .reference = m, .file = m->graph, .out = out, .arena = arena, .report = r
    };
    struct budget budget = budget_like(&m->budget);
    struct dataset random;
    bool ok;

    *out = (struct adapted){ .findings.arena = arena };
    a.used = arena_array(arena, o->choice_count, sizeof *a.used, r);
    a.refused = arena_array(arena, o->choice_count, sizeof *a.refused, r);
    if (!a.used || !a.refused || !check_options(o, r) ||
        !(o->data ? check_inputs(m->graph, r) : random_samples(&random, m, &budget, r)))
        return NULL;
    a.calibration = (struct calibration){ .data = o->data ? o->data : &random,
                                          .normalizer = o->data ? o->normalizer : NULL,
                                          .threads = o->threads,
                                          .limits = o->limits };
    ok = take_steps(&a) && (a.made_count || adapt_take(&a, adapt_copy(&a), true));
    if (!o->data)
        dataset_release(&random);
    return end(&a, ok);
}
