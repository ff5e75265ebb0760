/* The walk over an operator: every row, every case it brings. Inferred against actual shapes, every type that
 * the row allows, values known while planning and values that only come while running, one thread and three, gradients
 * against central differences. */
#include "walk.h"
#include "case.h"
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "ops/rank.h"
#include "plan/given.h"
#include "require.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static char label[512];

static void name_it(const struct op *op, const struct op_def *def, const struct op_case *oc, const char *what)
{
    snprintf(label, sizeof label, "%s-%d (%s; %s): %s", op->name, def->since, oc->inputs, oc->attrs, what);
}

/* Runs a variant, checks types and shapes. */
static void check_run(const struct op *op, const struct op_def *def, const struct op_case *oc,
                      const struct case_variant *v, struct case_graph *c, struct frame **frame)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];
    struct signature s;

    require(signature_read(&s, def), "the signature is malformed");
    require(case_make(c, op, def, oc, v), "%s: %s", c->report.error.where, c->report.error.message);
    *frame = case_frame(c, c->graph);
    require(*frame && frame_run(*frame, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    for (int k = 0; k < c->outputs; k++) {
        const struct tensor *t = c->out_value[k] ? frame_get(*frame, c->out_value[k]) : NULL;

        if (!t)
            continue;
        if (v->dtype != UNDEFINED &&
            t->dtype != c->expected[k].dtype) /* an output whose type follows from an attribute */
            require(type_set_has(&s.var[signature_out(&s, k)->var].set, t), "output %d is %s", k, tensor_text(t, got));
        else
            require(same_type(t, &c->expected[k]), "output %d is %s, must be %s", k, tensor_text(t, got),
                    tensor_text(&c->expected[k], need));
    }
}

static void end_run(struct case_graph *c, struct frame *f)
{
    frame_free(f);
    case_release(c);
    require(c->budget.used == 0, "%zu bytes are not given back", c->budget.used);
}

/* -- values known early and late, threads -- */

static void check_same_bytes(const struct op *op, const struct op_def *def, const struct op_case *oc,
                             const struct case_variant *plain, const struct case_variant *v)
{
    struct case_graph a, b;
    struct frame *fa, *fb;

    check_run(op, def, oc, plain, &a, &fa);
    check_run(op, def, oc, v, &b, &fb);
    for (int k = 0; k < a.outputs; k++) {
        const struct tensor *x = a.out_value[k] ? frame_get(fa, a.out_value[k]) : NULL;
        const struct tensor *y = x ? frame_get(fb, b.out_value[k]) : NULL;

        if (x && x->kind == TENSOR && x->dtype != STRING && tensor_bytes(x))
            require(memcmp(x->data, y->data, (size_t)tensor_bytes(x)) == 0, "output %d differs", k);
    }
    end_run(&a, fa);
    end_run(&b, fb);
}

static bool is_for(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant plain = { 0 };
    struct case_graph c;
    bool fits;

    name_it(op, def, oc, "reading the case");
    fits = !case_make(&c, op, def, oc, &plain) || case_fits(&c, def);
    case_release(&c);
    return fits;
}

/* -- types -- */

static double tolerance(enum dtype d)
{
    return d == F16 ? 2e-2 : d == BF16 ? 1e-1 : 2e-4;
}

static double rounded(double v, enum dtype d)
{
    uint64_t element = 0;
    const struct tensor t = { .dtype = d, .data = &element };

    case_set(&t, 0, v);
    return case_value(&t, 0);
}

/* Floats of all widths agree, as far as the narrowest goes; what is too narrow for that is only moved. */
static void check_close(const struct case_graph *a, const struct frame *fa, const struct case_graph *b,
                        const struct frame *fb, enum dtype narrow)
{
    for (int k = 0; k < a->outputs; k++) {
        const struct tensor *x = a->out_value[k] ? frame_get(fa, a->out_value[k]) : NULL;
        const struct tensor *y = x ? frame_get(fb, b->out_value[k]) : NULL;

        if (!x || !dtype_is_float(x->dtype) || !dtype_is_float(y->dtype))
            continue;
        for (int64_t i = 0; i < tensor_count(x); i++) {
            const double p = case_value(x, i), q = case_value(y, i);

            require((isnan(p) && isnan(q)) || p == q ||
                        (dtype_is_small(narrow) ? rounded(p, narrow) == q
                                                : fabs(p - q) <= tolerance(narrow) * (1 + fabs(p))),
                    "output %d[%lld] is %g in %s, %g before", k, (long long)i, q, dtype_name(narrow), p);
        }
    }
}

static void check_type(const struct op *op, const struct op_def *def, const struct op_case *oc, int var, enum dtype d)
{
    const struct case_variant plain = { 0 }, v = { .var = var, .dtype = d };
    struct case_graph a, b;
    struct frame *fa, *fb;
    char what[64];

    snprintf(what, sizeof what, "type variable %d as %s", var, dtype_name(d));
    name_it(op, def, oc, what);
    check_run(op, def, oc, &plain, &a, &fa);
    check_run(op, def, oc, &v, &b, &fb);
    if (dtype_is_float(d) && !(def->flags & OP_RANDOM))
        check_close(&a, fa, &b, fb, d);
    end_run(&a, fa);
    end_run(&b, fb);
}

/* Each variable takes every type it may, in the first case that has an input of it. */
static void check_types(const struct op *op, const struct op_def *def)
{
    struct signature s;
    bool seen[MAX_VARS] = { 0 };

    name_it(op, def, def->cases, "signature");
    require(signature_read(&s, def), "'%s', '%s' is malformed", def->signature, def->types);
    for (const struct op_case *oc = def->cases; oc->inputs; oc++)
        for (int k = 0, n = 0; oc->inputs[n]; k++) {
            const struct formal *f = signature_in(&s, k);
            const size_t length = strcspn(oc->inputs + n, " ");

            if (f && !case_gives_nodes(oc) && oc->inputs[n] != '-' && !seen[f->var] && !strchr(oc->inputs, '{') &&
                is_for(op, def, oc)) {
                seen[f->var] = true;
                for (int d = 1; d < DTYPES; d++)
                    if (s.var[f->var].set.tensor >> d & 1)
                        check_type(op, def, oc, f->var, (enum dtype)d);
            }
            n += (int)length;
            n += (int)strspn(oc->inputs + n, " ");
        }
}

/* -- what the row tells passes -- */

/* With inputs known as they are, op_def.rank is right or silent; a signature's types are right. */
static void check_known(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant plain = { 0 };
    struct case_graph c;
    struct frame *f;

    check_run(op, def, oc, &plain, &c, &f);
    for (int k = 0; k < c.node->inputs; k++)
        if (c.node->in[k] && c.in[k].t.kind == TENSOR)
            c.node->in[k]->known = (struct known){ c.in[k].t.rank, c.in[k].t.dtype };
    know_outputs(c.node);
    for (int k = 0; k < c.outputs; k++) {
        const struct tensor *t = c.out_value[k] ? frame_get(f, c.out_value[k]) : NULL;
        const struct known y = t ? c.out_value[k]->known : (struct known){ UNKNOWN, UNDEFINED };

        require(y.rank < 0 || (t->kind == TENSOR && y.rank == t->rank), "rank says %d of output %d", y.rank, k);
        require(y.dtype == UNDEFINED || y.dtype == t->dtype, "output %d is said to be %s", k, dtype_name(y.dtype));
    }
    end_run(&c, f);
}

enum { LIKE_OTHERS = 1, UNLIKE_OTHERS = 2 };

/* Is each input broadcast to the first output? What has indices of another shape is not elementwise. */
static bool all_broadcast(const struct case_graph *c, const struct tensor *y)
{
    for (int k = 0; k < c->node->inputs; k++) {
        int64_t dims[MAX_RANK];
        struct tensor both = { .rank = 0 };

        if (!c->in_value[k])
            continue;
        if (c->in[k].t.kind != TENSOR || !broadcast(&both.rank, dims, y) || !broadcast(&both.rank, dims, &c->in[k].t))
            return false;
        memcpy(both.dims, dims, sizeof dims);
        if (!same_shape(&both, y))
            return false;
    }
    return true;
}

/* Makes all elements of input 0 one number. Where no other input has more than one, does each place get the same? */
static bool same_everywhere(struct case_graph *c)
{
    struct frame *f;
    const struct tensor *y;
    bool same = true;

    for (int k = 1; k < c->node->inputs; k++)
        if (c->in_value[k] && tensor_count(&c->in[k].t) > 1)
            return true;
    for (int64_t k = 0; k < tensor_count(&c->in[0].t); k++)
        case_set(&c->in[0].t, k, .37);
    f = case_frame(c, c->graph);
    require(f && frame_run(f, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    y = frame_get(f, c->out_value[0]);
    for (int64_t k = 1; k < tensor_count(y); k++)
        same &= memcmp((char *)y->data + k * (int64_t)dtype_size(y->dtype), y->data, dtype_size(y->dtype)) == 0;
    frame_free(f);
    return same;
}

/* Does element k of output 0 alone change with element k of input 0, of the same shape? 0 where the case cannot tell. */
static int looks_elementwise(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant plain = { 0 };
    struct case_graph c;
    struct frame *f, *again;
    int looks = 0;

    check_run(op, def, oc, &plain, &c, &f);
    if (c.outputs && c.out_value[0] && c.in[0].t.kind == TENSOR && dtype_is_float(c.in[0].t.dtype) &&
        tensor_count(&c.in[0].t) > 1 && c.in[0].t.data) {
        const struct tensor *y = frame_get(f, c.out_value[0]);
        const int64_t at = tensor_count(&c.in[0].t) / 2, width = (int64_t)dtype_size(y->dtype);
        const struct tensor *z;

        looks = same_shape(y, &c.in[0].t) && y->dtype != STRING && all_broadcast(&c, y) ? LIKE_OTHERS : UNLIKE_OTHERS;
        case_set(&c.in[0].t, at, case_value(&c.in[0].t, at) + 0.37);
        again = case_frame(&c, c.graph);
        require(again && frame_run(again, &c.report), "%s: %s", c.report.error.where, c.report.error.message);
        z = frame_get(again, c.out_value[0]);
        for (int64_t k = 0; looks == LIKE_OTHERS && k < tensor_count(y); k++)
            if (k != at && memcmp((char *)y->data + k * width, (char *)z->data + k * width, (size_t)width) != 0)
                looks = UNLIKE_OTHERS;
        frame_free(again);
        if (looks == LIKE_OTHERS && !same_everywhere(&c))
            looks = UNLIKE_OTHERS;
    }
    end_run(&c, f);
    return looks;
}

/* An operator that computes each element from one of each input says so: without it no pass would see through it, which
 * costs two transpositions around each such node, and no test would fail. */
static void check_elementwise(const struct op *op, const struct op_def *def)
{
    int looks = 0;

    for (const struct op_case *oc = def->cases; oc->inputs && !(def->flags & OP_RANDOM); oc++) {
        name_it(op, def, oc, "is it elementwise?");
        if (!case_gives_nodes(oc) && is_for(op, def, oc))
            looks |= looks_elementwise(op, def, oc);
    }
    snprintf(label, sizeof label, "%s-%d", op->name, def->since);
    require(def->flags & OP_ELEMENTWISE || looks != LIKE_OTHERS, "looks elementwise and does not say OP_ELEMENTWISE");
}

static bool has_form_last(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant plain = { 0 };
    struct case_graph c;
    bool has;

    require(case_make(&c, op, def, oc, &plain), "%s: %s", c.report.error.where, c.report.error.message);
    has = case_goes_last(&c);
    case_release(&c);
    return has;
}

static void check_bytes_last(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant plain = { 0 }, last = { .last = true, .threads = 3 };

    name_it(op, def, oc, "bytes with channels last");
    if (has_form_last(op, def, oc) && strchr("ui", *oc->inputs))
        check_same_bytes(op, def, oc, &plain, &last);
}

/* -- gradients -- */

enum { PROBES = 24 };

/* The scalar that is differentiated: the sum of all float outputs, each element weighted. */
static double weighted_sum(struct case_graph *c)
{
    struct frame *f = case_frame(c, c->graph);
    double sum = 0;

    require(f && frame_run(f, &c->report), "%s: %s", c->report.error.where, c->report.error.message);
    for (int o = 0; o < c->outputs; o++) {
        const struct tensor *t = c->out_value[o] ? frame_get(f, c->out_value[o]) : NULL;

        for (int64_t k = 0; t && dtype_is_float(t->dtype) && k < tensor_count(t); k++)
            sum += case_weight(o, k) * case_value(t, k);
    }
    frame_free(f);
    return sum;
}

static void compare_gradient(struct case_graph *c, const struct tensor *g, int input)
{
    const struct tensor *x = &c->in[input].t;
    const bool doubles = case_in_doubles(c, x);
    const double h = doubles ? 1e-5 : 1e-2, within = doubles ? 2e-6 : 3e-2;
    const int64_t n = tensor_count(x), stride = n > PROBES ? n / PROBES + 1 : 1;

    require(same_type(g, x), "the gradient of input %d has another type than the input", input);
    for (int64_t k = 0; k < n; k += stride) {
        const double was = case_value(x, k);
        double up, down, slope;

        case_set(x, k, was + h);
        up = weighted_sum(c);
        case_set(x, k, was - h);
        down = weighted_sum(c);
        case_set(x, k, was);
        slope = (up - down) / (2 * h);
        require(fabs(slope - case_value(g, k)) <= within * (1 + fabs(slope)),
                "gradient of input %d[%lld] is %.9g, the central difference %.9g", input, (long long)k,
                case_value(g, k), slope);
    }
}

/* What private nodes of the gradient are spelled out as computes the same. In a graph of its own: a frame's stays as it
 * is. */
static void check_spelled_out(struct case_graph *c, const struct op_case *oc, const struct case_gradients *first,
                              struct frame *f, enum dtype narrow)
{
    struct case_gradients d = { 0 };
    const struct plan_context pc = {
        .kernels = c->engine.kernels, .threads = 1, .budget = &c->budget, .report = &c->report
    };
    struct tensor *tensors;
    struct frame *spelled;

    require(case_differentiate(c, oc, &d), "%s: %s", c->report.error.where, c->report.error.message);
    tensors = given_types(d.graph, &c->arena, &c->report);
    for (int k = 0; tensors && k < c->inputs; k++)
        if (c->in_value[k])
            tensors[c->in_value[k]->id] = c->in[k].t;
    require(tensors && grad_spell_out(d.graph, tensors, NULL, d.graph->value_count, &pc), "spelled out: %s: %s",
            c->report.error.where, c->report.error.message);
    spelled = case_frame(c, d.graph);
    require(spelled && frame_run(spelled, &c->report), "spelled out: %s: %s", c->report.error.where,
            c->report.error.message);
    for (size_t k = 0; k < d.count; k++) {
        const struct tensor *was = frame_get(f, first->gradient[k]), *is = frame_get(spelled, d.gradient[k]);
        const double within = narrow ? tolerance(narrow) : case_in_doubles(c, &c->in[d.of[k]].t) ? 1e-9 : 1e-3;

        require(same_type(was, is), "spelled out, the gradient of input %d has another type", d.of[k]);
        for (int64_t i = 0; i < tensor_count(was); i++)
            require(fabs(case_value(was, i) - case_value(is, i)) <= within * (1 + fabs(case_value(was, i))),
                    "spelled out, the gradient of input %d[%lld] is %.12g, must be %.12g", d.of[k], (long long)i,
                    case_value(is, i), case_value(was, i));
    }
    frame_free(spelled);
    case_gradients_release(&d);
}

static bool has_spelling(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->def->spell_out || g->nodes[k]->def->retrace)
            return true;
    return false;
}

/* In another type, or layout. */
static void check_spelled_as(const struct op *op, const struct op_def *def, const struct op_case *oc,
                             const struct case_variant *v, const char *what)
{
    struct case_gradients d = { 0 };
    struct case_graph c;
    struct frame *f;

    name_it(op, def, oc, what);
    require(case_make(&c, op, def, oc, v), "%s: %s", c.report.error.where, c.report.error.message);
    if (!case_differentiate(&c, oc, &d)) { /* one type alone does not go with the others' */
        require(v->dtype && c.report.error.code == KILN_BAD_MODEL, "%s: %s", c.report.error.where,
                c.report.error.message);
        case_gradients_release(&d);
        case_release(&c);
        return;
    }
    f = case_frame(&c, d.graph);
    require(f && frame_run(f, &c.report), "%s: %s", c.report.error.where, c.report.error.message);
    check_spelled_out(&c, oc, &d, f, v->dtype);
    frame_free(f);
    case_gradients_release(&d);
    end_run(&c, NULL);
}

static void check_spellings(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    static const struct case_variant last = { .last = true }, half = { .dtype = F16 }, bfloat = { .dtype = BF16 };
    struct signature s;

    require(signature_read(&s, def), "the signature is malformed");
    if (has_form_last(op, def, oc))
        check_spelled_as(op, def, oc, &last, "the gradient of channels last");
    if (!case_gives_nodes(oc) && s.var[0].set.tensor >> F16 & 1)
        check_spelled_as(op, def, oc, &half, "the gradient of float16");
    if (!case_gives_nodes(oc) && s.var[0].set.tensor >> BF16 & 1)
        check_spelled_as(op, def, oc, &bfloat, "the gradient of bfloat16");
}

static void check_gradient(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant v = { .all_f64 = true };
    struct case_gradients d = { 0 };
    struct case_graph c;
    struct frame *f;
    bool spelled;

    name_it(op, def, oc, "gradient");
    require(case_make(&c, op, def, oc, &v), "%s: %s", c.report.error.where, c.report.error.message);
    require(case_differentiate(&c, oc, &d), "%s: %s", c.report.error.where, c.report.error.message);
    f = case_frame(&c, d.graph);
    require(f && frame_run(f, &c.report), "%s: %s", c.report.error.where, c.report.error.message);
    for (size_t k = 0; k < d.count; k++)
        compare_gradient(&c, frame_get(f, d.gradient[k]), d.of[k]);
    spelled = has_spelling(d.graph);
    if (spelled)
        check_spelled_out(&c, oc, &d, f, UNDEFINED);
    frame_free(f);
    case_gradients_release(&d);
    end_run(&c, NULL);
    if (spelled)
        check_spellings(op, def, oc);
}

/* -- lowered -- */

/* Each row has one that takes what it takes, and more. */
static void check_lowered_row(const struct op *op, const struct op_def *def)
{
    const struct op_def *low = op_def_for(op->lowered, def->since);
    struct signature own, s;

    require(strcmp(op->lowered->name, op->name) == 0 && strcmp(op->lowered->domain, "kiln") == 0 &&
                !op->lowered->lowered,
            "the lowered operator has another name, or a lowered one itself");
    require(low, "has no lowered row");
    require(signature_read(&own, def) && signature_read(&s, low), "'%s', '%s' is malformed", low->signature,
            low->types);
    require(s.inputs >= own.inputs && s.outputs == own.outputs, "the lowered row has other inputs or outputs");
    for (int k = 0; k < own.inputs; k++)
        require(!(own.var[own.in[k].var].set.tensor & ~s.var[s.in[k].var].set.tensor),
                "the lowered row does not take every type of input %d", k);
    require(!low->parse, "the lowered row has attributes of its own in files");
    require(s.inputs > own.inputs ||
                (low->attrs_size > def->attrs_size && (low->take_chain || low->take_relu || low->take_clip)),
            "nothing can be put into the lowered row");
    require(!def->take_chain && !def->take_relu && !def->take_clip, "takes what is no attribute of the standard's");
    require(low->infer && low->run && low->rank && low->describe && !low->gradient && low->no_gradient,
            "the lowered row lacks something, or has a gradient");
    require(low->hidden == def->hidden && low->flags == def->flags && !low->cost == !def->cost &&
                low->batch_independent == def->batch_independent,
            "the lowered row has other facts");
}

/* A lowered node into which nothing has been put does what the standard's does. */
static void check_lowered(const struct op *op, const struct op_def *def)
{
    const struct case_variant plain = { 0 }, lowered = { .lowered = true }, last = { .last = true },
                              both = { .lowered = true, .last = true, .threads = 3 };

    check_lowered_row(op, def);
    for (const struct op_case *oc = def->cases; oc->inputs; oc++) {
        if (!is_for(op, def, oc))
            continue;
        name_it(op, def, oc, "lowered");
        check_same_bytes(op, def, oc, &plain, &lowered);
        if (has_form_last(op, def, oc))
            check_same_bytes(op, def, oc, &last, &both);
    }
}

/* -- the walk -- */

void walk_operator(const struct op *op)
{
    const struct case_variant plain = { 0 }, late = { .run_time = true }, threads = { .threads = 3 };
    int cases;

    for (const struct op_def *def = op->defs; def->since; def++) {
        snprintf(label, sizeof label, "%s-%d", op->name, def->since);
        if (def->expand) {
            require(!def->infer && !def->run && !def->gradient && !def->rank, "has an expansion, and what comes of it");
        } else {
            require(def->infer && (def->gradient || def->no_gradient), "no infer, or neither gradient nor a reason");
            require(def->rank || def->flags & OP_ELEMENTWISE, "tells no rank (ops/rank.h has rank_unknown)");
        }
        require(def->cases, "has no cases");
        cases = 0;
        for (const struct op_case *oc = def->cases; oc->inputs; oc++) {
            if (!is_for(op, def, oc))
                continue;
            cases++;
            name_it(op, def, oc, "values at run time");
            check_same_bytes(op, def, oc, &plain, &late);
            name_it(op, def, oc, "three threads");
            check_same_bytes(op, def, oc, &plain, &threads);
            name_it(op, def, oc, "what passes know");
            if (!def->expand && !case_gives_nodes(oc))
                check_known(op, def, oc);
            if (oc->differentiate)
                check_gradient(op, def, oc);
            if (def->flags & OP_BYTES_LAST)
                check_bytes_last(op, def, oc);
        }
        if (!def->expand)
            check_elementwise(op, def);
        /* regular expressions are those of a library, without which there is nothing that could run */
        require(cases || (!KILN_PCRE2 && strcmp(op->name, "RegexFullMatch") == 0), "has no case of its types");
        if (op->lowered)
            check_lowered(op, def);
        check_types(op, def);
    }
}
