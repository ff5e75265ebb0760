/* Sizes of 0: the cases of every operator, with each dimension of each input 0 in turn, and with each size 0 wherever
 * it stands. A result then is whole, has the type that was planned, and is the same in double, in float on every
 * instruction set, with its channels last, behind all passes, and on several threads; so are its gradients, which the
 * central differences of what is not empty agree with. Or there is an error. */
#include "case.h"
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "learning.h"
#include "model/model.h"
#include "plan/pass.h"
#include "require.h"
#include "run/session.h"
#include "train/fit.h"
#include "train/initialise.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1024 };

static char label[TEXT + 512];
static int made;
static bool trace; /* KILN_TRACE: tells what comes of each */

/* -- cases of cases -- */

struct derived {
    const struct op *op;
    const struct op_def *def;
    const struct op_case *oc;
    bool again; /* a newer row computes the same in the same way */
};

/* What becomes 0. */
struct change {
    int input, dim; /* this dimension alone; input -1: ... */
    int64_t size;   /* ... every dimension of this size */
    bool values;    /* and every whole number in the values of inputs and in the attributes that is the same */
};

/* Puts number n, or 0 instead, behind `to`. */
static void put_number(char *to, const struct change *c, int64_t n, bool zero)
{
    const size_t at = strlen(to);

    snprintf(to + at, TEXT - at, "%lld", zero || (c->input < 0 && n == c->size) ? 0ll : (long long)n);
}

static const char *put_through(char *to, const char *from, const char *end)
{
    const size_t at = strlen(to), n = (size_t)(end - from);

    ck_assert_uint_lt(at + n, TEXT);
    memcpy(to + at, from, n);
    to[at + n] = 0;
    return end;
}

/* Whole numbers of a list that ends with `close`, those that are the size as 0. */
static const char *put_list(char *to, const struct change *c, const char *s, char close)
{
    while (*s && *s != close) {
        char *end;
        const long long n = strtoll(s, &end, 10);

        if (end > s && (*end == ',' || *end == close) && c->values)
            put_number(to, c, n, false);
        else
            put_through(to, s, end = (char *)(uintptr_t)s + (end > s ? end - s : 1));
        s = end;
    }
    return s;
}

/* "f32[2,3]+ i64[2]{1,0}" with its change; true where something became 0. */
static bool change_inputs(char *to, const char *s, const struct change *c)
{
    bool changed = false;

    for (int input = 0; *s; input++) {
        bool empty = false;

        s = put_through(to, s, s + strspn(s, " "));
        s = put_through(to, s, s + strcspn(s, "[ "));
        for (int d = 0; *s && *s != ' ' && *s != ']'; d++) {
            char *end;
            int64_t n;

            s = put_through(to, s, s + 1);
            if (*s == ']')
                break;
            n = strtoll(s, &end, 10);
            empty |= n && ((input == c->input && d == c->dim) || (c->input < 0 && n == c->size));
            put_number(to, c, n, input == c->input && d == c->dim);
            s = end;
        }
        changed |= empty;
        s = put_through(to, s, s + strcspn(s, "{ "));
        if (*s != '{')
            continue;
        s = put_through(to, s, s + 1);
        s = empty ? s + strcspn(s, "}") : put_list(to, c, s, '}');
        s = put_through(to, s, s + 1);
    }
    return changed;
}

/* "axis=1 pads=[0,1]": only lists, no tensors. */
static void change_attrs(char *to, const char *s, const struct change *c)
{
    const char *const attrs = s;

    while (*s) {
        s = put_through(to, s, s + strcspn(s, "["));
        if (*s)
            s = s > attrs && s[-1] == '=' ? put_list(to, c, put_through(to, s, s + 1), ']') : put_through(to, s, s + 1);
    }
}

/* -- a run -- */

struct trial {
    struct case_graph c;
    struct passes passes;
    const struct graph *graph; /* what is run */
    struct frame *frame;
    bool ok;
};

static void check_error(const struct report *r, bool ok)
{
    require(ok == !failed(r), "%s, with '%s: %s'", ok ? "succeeded" : "failed", r->error.where, r->error.message);
    require(ok || r->error.code == KILN_BAD_MODEL || r->error.code == KILN_UNSUPPORTED ||
                r->error.code == KILN_RUN_FAILED,
            "error %d: %s", r->error.code, r->error.message);
    require(ok || *r->error.message, "no message");
}

/* Outputs are of the case's type, whatever shape they have now. */
static void check_outputs(struct trial *t, const struct op_def *def)
{
    struct case_graph *c = &t->c;
    struct signature s;

    require(signature_read(&s, def), "the signature is malformed");
    for (int k = 0; k < c->outputs; k++) {
        const struct tensor *out = c->out_value[k] ? frame_get(t->frame, c->out_value[k]) : NULL;

        if (!out)
            continue;
        require(out->kind == c->expected[k].kind && type_set_has(&s.var[signature_out(&s, k)->var].set, out),
                "output %d has another type", k);
        require(out->kind != TENSOR || tensor_known(out), "output %d has no shape", k);
        require(out->kind != TENSOR || out->data || !tensor_count(out), "output %d has no data", k);
    }
}

static bool is_own(const struct trial *t, const struct tensor *out) /* not the memory of an input or a constant */
{
    const char *p = out->data, *end = p + tensor_bytes(out);
    const struct program *q = frame_program(t->frame);

    for (int k = 0; k < t->c.inputs; k++) {
        const char *in = t->c.in[k].t.data;

        if (in && t->c.in[k].t.kind == TENSOR && p < in + tensor_bytes(&t->c.in[k].t) && in < end)
            return false;
    }
    for (size_t k = 0; k < t->graph->value_count; k++)
        if (q->types[k].data == p)
            return false;
    return true;
}

/* Fills what came out with rubbish and runs again: all of it is written. */
static void check_whole(struct trial *t)
{
    struct case_graph *c = &t->c;
    void *was[MAX_CASE] = { 0 };

    for (int k = 0; k < c->outputs; k++) {
        const struct tensor *out = c->out_value[k] ? frame_get(t->frame, c->out_value[k]) : NULL;

        if (!out || out->kind != TENSOR || out->dtype == STRING || tensor_bytes(out) == 0 || !is_own(t, out))
            continue;
        was[k] = arena_alloc(&c->arena, (size_t)tensor_bytes(out), NULL);
        memcpy(was[k], out->data, (size_t)tensor_bytes(out));
        memset(out->data, 0xa5, (size_t)tensor_bytes(out));
    }
    require(frame_run(t->frame, &c->report), "the second time: %s", c->report.error.message);
    for (int k = 0; k < c->outputs; k++) {
        const struct tensor *out = was[k] ? frame_get(t->frame, c->out_value[k]) : NULL;

        require(!out || memcmp(was[k], out->data, (size_t)tensor_bytes(out)) == 0, "output %d is not written whole", k);
    }
}

static bool run_passes(struct trial *t, const struct case_variant *v)
{
    struct case_graph *c = &t->c;
    struct graph *g = c->graph;
    const struct plan_context pc = {
        .kernels = c->engine.kernels, .threads = 1, .budget = &c->budget, .report = &c->report, .once = true
    };
    struct rewrite w = { .c = &pc };

    for (int k = 0; k < c->inputs; k++)
        if (c->in_value[k]) {
            c->in_value[k]->type = c->in[k].t;
            c->in_value[k]->type.data = NULL;
        }
    if (!v->last) {
        passes_run(&t->passes, g, &pc);
        return true;
    }
    t->passes.arena.budget = &c->budget;
    t->passes.graph = w.graph = graph_clone(g, &t->passes.arena, &c->report);
    return w.graph && pass_transposes(&w) && pass_affine(&w) && pass_residual(&w) && pass_relu(&w) && pass_fuse(&w);
}

static void begin(struct trial *t, const struct derived *x, const struct case_variant *v)
{
    struct case_graph *c = &t->c;

    memset(t, 0, sizeof *t);
    made++;
    t->ok = case_make(c, x->op, x->def, x->oc, v);
    for (int k = 0; t->ok && k < c->inputs; k++)
        if (c->in_value[k] && !c->in_value[k]->initializer && tensor_count(&c->in[k].t) == 0)
            c->in[k].t.data = NULL; /* as one who has nothing may hand it in */
    t->ok = t->ok && (!v->followed || run_passes(t, v));
    t->graph = t->passes.graph ? t->passes.graph : c->graph;
    t->ok = t->ok && (t->frame = case_frame(c, t->graph)) && frame_run(t->frame, &c->report);
    check_error(&c->report, t->ok);
    if (!t->ok)
        return;
    check_outputs(t, x->def);
    check_whole(t);
}

static void end(struct trial *t)
{
    frame_free(t->frame);
    passes_free(&t->passes);
    case_release(&t->c);
    require(t->c.budget.used == 0, "%zu bytes are not given back", t->c.budget.used);
}

static void check_same(const struct tensor *x, const struct tensor *y, double bound, const char *what, int k)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];

    require(same_shape(x, y), "%s %d is %s, and %s in double", what, k, tensor_text(y, got), tensor_text(x, need));
    for (int64_t i = 0; i < tensor_count(x) && x->dtype != STRING; i++) {
        const double p = case_value(x, i), q = case_value(y, i);

        require((isnan(p) && isnan(q)) || p == q || fabs(p - q) <= bound * (1 + fabs(p)),
                "%s %d[%lld] is %g, and %g in double", what, k, (long long)i, q, p);
    }
}

/* -- gradients -- */

static double weighted_sum(struct trial *t)
{
    struct case_graph *c = &t->c;
    double sum = 0;

    require(frame_run(t->frame, &c->report), "%s", c->report.error.message);
    for (int o = 0; o < c->outputs; o++) {
        const struct tensor *out = c->out_value[o] ? frame_get(t->frame, c->out_value[o]) : NULL;

        for (int64_t k = 0; out && dtype_is_float(out->dtype) && k < tensor_count(out); k++)
            sum += case_weight(o, k) * case_value(out, k);
    }
    return sum;
}

static void compare(struct trial *t, const struct tensor *g, int input)
{
    const struct tensor *x = &t->c.in[input].t;
    const bool doubles = case_in_doubles(&t->c, x);
    const double h = doubles ? 1e-5 : 1e-2, within = doubles ? 1e-5 : 3e-2;

    require(same_type(g, x), "the gradient of input %d has another type than the input", input);
    if (t->c.in_value[input]->initializer) /* the frame has made of it what it could */
        return;
    for (int64_t k = 0; x->dtype == F64 && k < tensor_count(x) && k < 8; k++) {
        const double was = case_value(x, k);
        double up, slope;

        case_set(x, k, was + h);
        up = weighted_sum(t);
        case_set(x, k, was - h);
        slope = (up - weighted_sum(t)) / (2 * h);
        case_set(x, k, was);
        require(isnan(slope) || fabs(slope - case_value(g, k)) <= within * (1 + fabs(slope)),
                "gradient of input %d[%lld] is %.9g, the central difference %.9g", input, (long long)k,
                case_value(g, k), slope);
    }
    weighted_sum(t); /* its outputs are compared with others */
}

struct back {
    struct case_gradients d;
    struct frame *f;
    bool ok;
};

static void go_back(struct trial *t, const struct derived *x, bool fused, struct back *b)
{
    struct case_graph *c = &t->c;
    const struct plan_context pc = {
        .kernels = c->engine.kernels, .threads = 1, .budget = &c->budget, .report = &c->report
    };
    struct rewrite w = { .c = &pc };

    memset(b, 0, sizeof *b);
    b->ok = case_differentiate(c, x->oc, &b->d) && (!fused || (w.graph = b->d.graph, pass_fuse(&w))) &&
            (b->f = case_frame(c, b->d.graph)) && frame_run(b->f, &c->report);
    check_error(&c->report, b->ok);
}

static void back_end(struct back *b)
{
    frame_free(b->f);
    case_gradients_release(&b->d);
}

/* -- a changed case -- */

/* One more way to compute it, beside the first. */
static void check_way(struct trial *first, struct back *back, const struct derived *x, const struct case_variant *v)
{
    const size_t length = strlen(label);
    struct trial t;
    struct back b;

    snprintf(label + length, sizeof label - length, ", in float%s%s%s%s%s on %s", v->run_time ? ", values late" : "",
             v->fixed ? ", constant" : "", v->last ? ", channels last" : "", v->followed ? ", after passes" : "",
             v->threads ? ", threads" : "", v->kernels ? cpu_level_name(v->kernels->level) : "the best");
    begin(&t, x, v);
    require(t.ok == first->ok, "%s, but %s in double: '%s'", t.ok ? "runs" : "fails", first->ok ? "runs" : "fails",
            t.ok ? first->c.report.error.message : t.c.report.error.message);
    for (int k = 0; t.ok && k < t.c.outputs; k++)
        if (t.c.out_value[k] && t.c.expected[k].kind == TENSOR && !(x->def->flags & OP_RANDOM))
            check_same(frame_get(first->frame, first->c.out_value[k]), frame_get(t.frame, t.c.out_value[k]), 1e-3,
                       "output", k);
    if (t.ok && back && !v->fixed && !v->run_time) {
        go_back(&t, x, v->followed, &b);
        require(b.ok == back->ok, "its gradient %s, but not in double: '%s'", b.ok ? "runs" : "fails",
                t.c.report.error.message);
        for (size_t k = 0; b.ok && k < b.d.count; k++)
            check_same(frame_get(back->f, back->d.gradient[k]), frame_get(b.f, b.d.gradient[k]), 1e-3, "gradient",
                       b.d.of[k]);
        back_end(&b);
    }
    end(&t);
    label[length] = 0;
}

static bool goes_last(const struct derived *x)
{
    const struct case_variant plain = { 0 };
    struct case_graph c;
    const bool last = case_make(&c, x->op, x->def, x->oc, &plain) && case_goes_last(&c);

    case_release(&c);
    return last;
}

static void check_ways(struct trial *first, struct back *back, const struct derived *x)
{
    const bool last = goes_last(x);

    check_way(first, NULL, x, &(struct case_variant){ .run_time = true });
    for (int level = CPU_BASE; level <= CPU_AVX512; level++)
        for (int form = 0; form < (last ? 8 : 4); form++) {
            const struct case_variant v = { .kernels = kernels_for((enum cpu_level)level),
                                            .fixed = form & 1,
                                            .followed = form & 2,
                                            .last = form & 4,
                                            .threads = form == 3 ? 3 : 0 };

            if (v.kernels)
                check_way(first, back, x, &v);
        }
}

static void tell(const struct trial *t)
{
    char text[TYPE_TEXT];

    fprintf(stderr, "%s:", label);
    for (int k = 0; t->ok && k < t->c.outputs; k++)
        fprintf(stderr, " %s", t->c.out_value[k] ? tensor_text(frame_get(t->frame, t->c.out_value[k]), text) : "-");
    fprintf(stderr, "%s\n", t->ok ? "" : t->c.report.error.message);
}

static void attempt(const struct derived *x)
{
    const struct op_case *oc = x->oc;
    struct trial first;
    struct back b = { 0 };

    snprintf(label, sizeof label, "%s-%d (%s; %s)", x->op->name, x->def->since, oc->inputs, oc->attrs);
    begin(&first, x, &(struct case_variant){ .all_f64 = true });
    if (trace)
        tell(&first);
    if (first.ok && oc->differentiate) {
        go_back(&first, x, false, &b);
        for (size_t k = 0; b.ok && k < b.d.count; k++)
            compare(&first, frame_get(b.f, b.d.gradient[k]), b.d.of[k]);
        require(b.ok, "no gradient: %s", first.c.report.error.message);
    }
    if (!x->again)
        check_ways(&first, b.ok ? &b : NULL, x);
    if (b.f || b.d.graph)
        back_end(&b);
    end(&first);
}

static void attempt_change(const struct op *op, const struct op_def *def, const struct op_case *oc,
                           const struct change *c)
{
    char inputs[TEXT] = "", attrs[TEXT] = "";
    struct op_case changed = *oc;

    changed.inputs = inputs;
    changed.attrs = attrs;
    if (!change_inputs(inputs, oc->inputs, c))
        return;
    change_attrs(attrs, oc->attrs, c);
    attempt(&(struct derived){ op, def, &changed,
                               def != op->defs && def->run == def[-1].run && def->infer == def[-1].infer &&
                                   def->expand == def[-1].expand && def->gradient == def[-1].gradient &&
                                   def->cases == def[-1].cases });
}

static void change_all(const struct op *op, const struct op_def *def, const struct op_case *oc,
                       const struct case_graph *c)
{
    int64_t seen[MAX_CASE * MAX_RANK];
    int count = 0;

    for (int k = 0; k < c->inputs; k++)
        for (int d = 0; d < c->in[k].t.rank; d++) {
            const int64_t n = c->in[k].t.dims[d];
            bool old = false;

            for (int i = 0; i < count; i++)
                old |= seen[i] == n;
            attempt_change(op, def, oc, &(struct change){ .input = k, .dim = d });
            if (old || !n)
                continue;
            seen[count++] = n;
            attempt_change(op, def, oc, &(struct change){ .input = -1, .size = n });
            attempt_change(op, def, oc, &(struct change){ .input = -1, .size = n, .values = true });
        }
}

START_TEST(every_operator_takes_what_is_empty)
{
    const struct op *op = op_registry[_i];
    bool some = false;

    trace = getenv("KILN_TRACE");
    for (const struct op_def *def = op->defs; def->since; def++)
        for (const struct op_case *oc = def->cases; oc->inputs; oc++) {
            const struct case_variant plain = { 0 };
            struct case_graph c;

            if (case_gives_nodes(oc))
                continue;
            if (case_make(&c, op, def, oc, &plain) && case_fits(&c, def)) {
                change_all(op, def, oc, &c);
                for (int k = 0; k < c.inputs; k++) /* what holds others has no dimensions */
                    some |= c.in[k].t.rank > 0;
            }
            case_release(&c);
        }
    ck_assert_msg(made > 0 || !some, "%s: nothing was tried", op->name);
}
END_TEST

/* -- what comes of nothing -- */

/* As numpy has it. NAN stands for itself. */
static const struct {
    const char *op, *inputs, *attrs, *output;
    double value; /* of every element */
} nothings[] = {
    { "MatMul", "f32[2,0] f32[0,3]", "", "f32[2,3]", 0 },
    { "MatMul", "f32[2,3] f32[3,0]", "", "f32[2,0]", 0 },
    { "Gemm", "f32[2,0] f32[0,3] f32[3]{2,2,2}", "", "f32[2,3]", 2 },
    { "Gemm", "f32[2,0] f32[0,3] f32[3]{2,2,2}", "beta=.5", "f32[2,3]", 1 },
    { "Conv", "f32[2,0,3,3] f32[4,0,1,1] f32[4]{3,3,3,3}", "", "f32[2,4,3,3]", 3 },
    { "Conv", "f32[0,2,3,3] f32[4,2,1,1]", "", "f32[0,4,3,3]", 0 },
    { "ConvTranspose", "f32[1,0,2,2] f32[0,1,2,2] f32[1]{3}", "", "f32[1,1,3,3]", 3 },
    { "ReduceSum", "f32[2,0] i64[1]{1}", "keepdims=0", "f32[2]", 0 },
    { "ReduceProd", "f32[2,0] i64[1]{1}", "keepdims=0", "f32[2]", 1 },
    { "ReduceMean", "f32[2,0] i64[1]{1}", "keepdims=0", "f32[2]", NAN },
    { "ReduceMax", "f32[2,0] i64[1]{1}", "keepdims=0", "f32[2]", -INFINITY },
    { "Softmax", "f32[2,0]", "", "f32[2,0]", 0 },
};

START_TEST(nothing_comes_to_what_numpy_says)
{
    const struct op *op = op_find("", nothings[_i].op);
    const struct op_case oc = { nothings[_i].inputs, nothings[_i].attrs, nothings[_i].output, 0 };
    const struct case_variant plain = { 0 };
    struct case_graph c;
    struct frame *f;
    const struct tensor *y;

    snprintf(label, sizeof label, "%s (%s; %s)", op->name, oc.inputs, oc.attrs);
    require(case_make(&c, op, op->defs, &oc, &plain) && (f = case_frame(&c, c.graph)) && frame_run(f, &c.report), "%s",
            c.report.error.message);
    y = frame_get(f, c.out_value[0]);
    require(same_type(y, &c.expected[0]), "another type");
    for (int64_t k = 0; k < tensor_count(y); k++)
        require(case_value(y, k) == nothings[_i].value || (isnan(nothings[_i].value) && isnan(case_value(y, k))),
                "[%lld] is %g, must be %g", (long long)k, case_value(y, k), nothings[_i].value);
    frame_free(f);
    case_release(&c);
}
END_TEST

/* -- sizes near what can be counted -- */

#define HUGE "1099511627776" /* 2^40, the most that a window takes */
#define IN   "g (float[1, 2, 4, 4] x) => (float[A, B, C, D] y) <float[2, 2, 1, 1] w = {1, 2, 3, 4}, int64[8] p = "
#define PADS "{0, 0, " HUGE ", " HUGE ", 0, 0, " HUGE ", " HUGE "}> "
static const struct {
    const char *text;
    bool runs; /* the result is small, or empty */
} huge[] = {
    { IN PADS "{ y = Conv <pads = [2147483648, 2147483648, 2147483648, 2147483648]> (x, w) }", false },
    { IN PADS "{ y = Conv <pads = [" HUGE ", " HUGE ", " HUGE ", " HUGE "]> (x, w) }", false },
    { IN PADS "{ y = Conv <pads = [" HUGE ", 0, 0, 0], strides = [" HUGE ", 1]> (x, w) }", true },
    { IN PADS "{ z = Conv(x, w) y = Conv <pads = [" HUGE ", 0, 0, " HUGE "]> (z, w) }", false },
    { IN PADS "{ y = ConvTranspose <strides = [" HUGE ", " HUGE "]> (x, w) }", false },
    { IN PADS "{ y = ConvTranspose <output_padding = [" HUGE ", 0], strides = [2, " HUGE "]> (x, w) }", false },
    { IN PADS "{ y = ConvTranspose <output_shape = [" HUGE ", " HUGE "]> (x, w) }", false },
    { IN PADS "{ q = Pad(x, p) y = Conv(q, w) }", false },
    { IN PADS "{ q = Pad(x, p) y = Conv <pads = [" HUGE ", 1, 1, 1]> (q, w) }", false },
    { IN PADS "{ q = Pad(x, p) y = AveragePool <kernel_shape = [2, 2], count_include_pad = 1> (q) }", false },
    { IN PADS "{ z = Conv(x, w) q = Pad(z, p) y = Conv(q, w) }", false },
    { IN "{0, 0, 9223372036854775807, 0, 0, 0, 9223372036854775807, 0}> { y = Pad(x, p) }", false },
    { IN "{0, 0, -9223372036854775807, 0, 0, 0, 9223372036854775807, 0}> { q = Pad(x, p) y = Conv(q, w) }", false },
    { IN PADS "{ y = MaxPool <kernel_shape = [" HUGE ", 1], pads = [" HUGE ", 0, " HUGE ", 0]> (x) }", false },
    { IN PADS "{ z = Conv(x, w) y = MaxPool <kernel_shape = [1, 2], pads = [" HUGE ", 0, " HUGE ", 1]> (z) }", false },
    { IN PADS "{ z = Conv(x, w) y = AveragePool <kernel_shape = [" HUGE ", " HUGE "], ceil_mode = 1,\n"
              "strides = [" HUGE ", " HUGE "], pads = [" HUGE ", " HUGE ", " HUGE ", " HUGE "]> (z) }",
      true },
    { IN PADS "{ y = MaxPool <kernel_shape = [3, 1], dilations = [" HUGE ", 1], auto_pad = \"SAME_UPPER\"> (x) }",
      true },
    { IN PADS "{ y = Resize <mode = \"nearest\"> (x, , , p) }", false },
};

START_TEST(what_is_huge_fits_or_is_refused)
{
    const struct session_options o = { .threads = 1, .memory = 64 << 20, .seconds = 5 };
    struct report r = { 0 };
    float x[32] = { 1 };
    struct tensor in;
    char text[2048];
    struct model *m;
    struct session *s;
    bool ran;

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": 18]>\n%s", huge[_i].text);
    snprintf(label, sizeof label, "%s", huge[_i].text);
    m = model_read_bytes(text, strlen(text), NULL, &r);
    ck_assert(tensor_shape(&in, F32, 4, (const int64_t[]){ 1, 2, 4, 4 }));
    in.data = x;
    s = m && model_build(m, &r) ? session_new(m->graph, &o, &r) : NULL;
    require(s, "%s", r.error.message);
    ran = session_set(s, m->graph->inputs[0], &in, &r) && session_run(s, &r);
    require(ran == huge[_i].runs && ran == !failed(&r), "%s: '%s'", ran ? "ran" : "failed", r.error.message);
    require(ran || r.error.code == KILN_BAD_MODEL || r.error.code == KILN_UNSUPPORTED || r.error.code == KILN_LIMIT ||
                r.error.code == KILN_RUN_FAILED || r.error.code == KILN_NO_MEMORY,
            "error %d: %s", r.error.code, r.error.message);
    session_free(s);
    model_free(m);
}
END_TEST

/* -- training -- */

enum { SAMPLES, CHANNELS, SIDE, FILTERS, UNITS, CLASSES, SIZES };
static const char *const optimizers[] = { "sgd:learning_rate=0.1,momentum=0.9", "adam", "rmsprop",
                                          "lamb:clipnorm=1,weight_decay=0.1,use_ema=1,gradient_accumulation_steps=2" };
enum { OPTIMIZERS = sizeof optimizers / sizeof *optimizers };

static struct trainer *small_trainer(const int *n, bool normal, const char *optimizer, struct report *r)
{
    const struct trainer_options o = { .optimizer = optimizer, .threads = 1, TARGET(.classes = 4) };
    const struct initialise_options init = { .seed = 1 };
    struct model *m, *drawn = NULL;
    struct trainer *t = NULL;
    char text[2048];
    size_t count;

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"init.w\": \"glorot_uniform\", \"init.u\": "
             "\"he_normal\", \"init.v\": \"he_normal\", \"init.b\": \"zeros\", \"init.s\": \"ones\", \"init.o\": "
             "\"zeros\", \"init.m\": \"zeros\", \"init.a\": \"ones\"]>\n"
             "net (float[N, %d, %d, %d] x, float[%d, %d, 3, 3] w, float[%d, %d] u, float[%d, %d] v, float[%d] b,\n"
             "float[%d] s, float[%d] o, float[%d] m, float[%d] a) => (float[N, %d] p)\n"
             "{ c = Conv <pads = [1, 1, 1, 1]> (x, w) %s r = Relu(n)\n"
             "z = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r) f = Flatten(z) h = MatMul(f, u)\n"
             "k = Relu(h) d = Dropout(k) g = Gemm(d, v, b) p = Softmax(g) }",
             n[CHANNELS], n[SIDE], n[SIDE], n[FILTERS], n[CHANNELS], n[FILTERS] * n[SIDE] * n[SIDE] / 4, n[UNITS],
             n[UNITS], n[CLASSES], n[CLASSES], n[FILTERS], n[FILTERS], n[FILTERS], n[FILTERS], n[CLASSES],
             normal ? "n = BatchNormalization(c, s, o, m, a)"
                    : "i = Mul(s, o) e = Mul(m, a) j = ReduceSum(i) q = ReduceSum(e) l = Add(j, q) n = Add(c, l)");
    m = model_read_bytes(text, strlen(text), NULL, r);
    if (m && model_build(m, r))
        drawn = model_initialise(m, &init, &count, r);
    if (drawn && model_build(drawn, r))
        t = trainer_new(drawn, &o, r);
    model_free(drawn);
    model_free(m);
    return t;
}

/* Whole steps: they run, or an error tells why not. */
START_TEST(training_takes_what_is_empty)
{
    const int zero = _i % SIZES, way = _i / SIZES;
    const struct fit_options o = { .batch = 3, .epochs = 2 };
    int n[] = { 7, 2, 4, 3, 5, 4 };
    float x[7 * 2 * 4 * 4] = { 0 };
    int64_t labels[7] = { 0, 1, 2, 3, 0, 1, 2 }, ran;
    struct budget budget = { 0 };
    struct two_columns columns;
    struct tensor tx, ty;
    struct dataset d;
    struct report r = { 0 };
    double scores[ALL_MEASURES];
    struct trainer *t;
    bool ok;

    n[zero] = 0;
    for (size_t k = 0; k < sizeof x / sizeof *x; k++)
        x[k] = (float)sin((double)k);
    ck_assert(tensor_shape(&tx, F32, 4, (const int64_t[]){ n[SAMPLES], n[CHANNELS], n[SIDE], n[SIDE] }));
    ck_assert(tensor_shape(&ty, I64, 1, (const int64_t[]){ n[SAMPLES] }));
    tx.data = x;
    ty.data = labels;
    d = dataset_of(&columns, &tx, &ty, 4, &budget);
    t = small_trainer(n, way % 2, optimizers[way / 2], &r);
    ok = t && trainer_fit(t, &d, NULL, NULL, &o, NULL, &ran, &r) && trainer_evaluate(t, &d, NULL, 3, scores, &r);
    snprintf(label, sizeof label, "size %d is 0, %s, %s", zero, way % 2 ? "normalised" : "plain", optimizers[way / 2]);
    require(ok == !failed(&r) && (ok || *r.error.message), "%s: '%s'", ok ? "ran" : "failed", r.error.message);
    if (getenv("KILN_TRACE"))
        fprintf(stderr, "%s: %s\n", label, r.error.message);
    require(ok || zero != UNITS, "%s: %s", r.error.where, r.error.message);
    require(!ok || zero == SAMPLES || isfinite(scores[0]), "the loss is %g", scores[0]);
    trainer_free(t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("empty");

    add_tests(s, every_operator_takes_what_is_empty, case_operators());
    add_tests(s, nothing_comes_to_what_numpy_says, (int)(sizeof nothings / sizeof *nothings));
    add_tests(s, what_is_huge_fits_or_is_refused, (int)(sizeof huge / sizeof *huge));
    add_tests(s, training_takes_what_is_empty, 2 * OPTIMIZERS * SIZES);
    return s;
}
