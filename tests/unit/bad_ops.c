/* Every operator with everything wrong: its own cases, with attributes and inputs varied one at a time. Whatever comes,
 * it ends with a result or with an error of one line that says where, within the bounds of memory, and all memory is
 * given back. Meant for sanitizers. Where a variation runs, its gradient is asked for too. */
#include "base/clock.h"
#include "case.h"
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "ops/layout.h"
#include "ops/node.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 32 << 20, SECONDS = 5, MAX_ATTRS = 64, ROOM = 4 };

static const int64_t numbers[] = {
    0,     -1,        1,         2,         3,         -3,        7,         -7,           255,
    65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1ll << 32, 1ll << 62, -(1ll << 62), (1ll << 32) + 1
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* One variation: a node, spelled out. */
struct bad {
    const struct op *op;
    const struct op_def *def;
    struct attr attrs[MAX_ATTRS];
    size_t attr_count;
    struct tensor in[MAX_CASE + ROOM];
    bool left_out[MAX_CASE + ROOM], constant[MAX_CASE + ROOM];
    int inputs, outputs;
    bool wanted[MAX_CASE + ROOM]; /* outputs */
    uint64_t differentiate;
    bool last; /* in the form with channels last; the shapes stand so already */
};

static char label[512];
static int made, ran, gone_back;
static const char *trace; /* KILN_TRACE names an operator: only that one, and what is under way is printed */

/* -- one variation -- */

struct attempt {
    struct budget budget;
    struct arena arena;
    struct report report;
    struct engine engine;
    struct graph *graph;
    struct node *node;
    struct value *in[MAX_CASE + ROOM], *out[MAX_CASE + ROOM];
};

static bool make_node(struct attempt *a, const struct bad *b)
{
    struct attr attrs[MAX_ATTRS]; /* parsing marks them */
    struct node_spec spec = { .op = b->op,
                              .def = b->def,
                              .name = "bad",
                              .index = 0,
                              .opset = b->def->since,
                              .attrs = attrs,
                              .attr_count = b->attr_count,
                              .in = a->in,
                              .inputs = b->inputs,
                              .out = a->out,
                              .outputs = b->outputs };

    memcpy(attrs, b->attrs, b->attr_count * sizeof *attrs);
    a->graph = graph_new(&a->arena, NULL, "main", &a->report);
    for (int k = 0; a->graph && k < b->inputs; k++) {
        if (b->left_out[k])
            continue;
        a->in[k] = graph_value(a->graph, NULL);
        if (!a->in[k])
            return false;
        if (b->constant[k])
            a->in[k]->initializer = &b->in[k];
        else if (!graph_add_input(a->graph, a->in[k]))
            return false;
    }
    for (int k = 0; a->graph && k < b->outputs; k++)
        if (b->wanted[k] && (!(a->out[k] = graph_value(a->graph, NULL)) || !graph_add_output(a->graph, a->out[k])))
            return false;
    a->node = a->graph ? node_make(a->graph, &spec, &a->report) : NULL;
    return a->node;
}

/* The node in its form with channels last; false where it has none. */
static bool put_last(struct attempt *a, const struct bad *b)
{
    void *attrs = arena_alloc(&a->arena, a->node->def->attrs_size, &a->report);

    memcpy(attrs, a->node->attrs, a->node->def->attrs_size);
    a->node->attrs = attrs;
    return a->node->def->channels_last(a->node, b->in[0].rank, attrs);
}

static struct frame *frame_of(struct attempt *a, const struct bad *b, const struct graph *g)
{
    struct frame *f = frame_new(&a->engine, g, &a->report);

    for (int k = 0; f && k < b->inputs; k++)
        if (a->in[k] && !a->in[k]->initializer)
            frame_set(f, g->values[a->in[k]->id], &b->in[k]);
    return f;
}

/* Goes back through the node and runs that: ones flow in, as the outputs that were just computed are shaped. */
static bool go_back(struct attempt *a, const struct bad *b, const struct frame *forward)
{
    const struct plan_context pc = {
        .kernels = a->engine.kernels, .threads = 1, .budget = &a->budget, .report = &a->report
    };
    struct graph *g = graph_clone(a->graph, &a->arena, &a->report);
    struct value *seed[MAX_CASE + ROOM], *flow[MAX_CASE + ROOM], *wrt[MAX_CASE + ROOM], *got[MAX_CASE + ROOM] = { 0 };
    struct tensor upstream[MAX_CASE + ROOM],
        *tensors = arena_array(&a->arena, a->graph->value_count, sizeof *tensors, &a->report);
    struct grad_request q = { .graph = g, .seed = seed, .seed_gradient = flow, .wrt = wrt, .gradient = got };
    struct program *types = NULL;
    struct frame *f = NULL;
    bool ok = g && tensors;

    for (size_t k = 0; ok && k < g->value_count; k++) {
        tensors[k] = (struct tensor){ .rank = UNKNOWN };
        if (a->graph->values[k]->initializer)
            tensors[k] = *a->graph->values[k]->initializer;
    }
    for (int k = 0; ok && k < b->inputs; k++) {
        if (!a->in[k])
            continue;
        tensors[a->in[k]->id] = b->in[k];
        if (b->differentiate >> k & 1 && dtype_is_float(b->in[k].dtype))
            wrt[q.count++] = g->values[a->in[k]->id];
    }
    types = ok ? plan_types(g, tensors, NULL, &pc) : NULL;
    for (int k = 0; types && k < b->outputs; k++) {
        const struct tensor *t = a->out[k] ? frame_get(forward, a->out[k]) : NULL;

        if (!t || t->kind != TENSOR || !dtype_is_float(t->dtype) || !tensor_known(&types->types[a->out[k]->id]))
            continue;
        upstream[q.seeds] = *t;
        seed[q.seeds] = g->values[a->out[k]->id];
        flow[q.seeds] = graph_value(g, NULL);
        if (!flow[q.seeds] || !graph_add_input(g, flow[q.seeds]))
            break;
        q.seeds++;
    }
    q.types = types ? types->types : NULL;
    ok = types && q.seeds && q.count && grad_build(&q, &pc);
    if (ok)
        g->output_count = 0;
    for (size_t k = 0; ok && k < q.count; k++)
        ok = !got[k] || graph_add_output(g, got[k]);
    if (ok && (f = frame_of(a, b, g))) {
        for (size_t k = 0; k < q.seeds; k++)
            frame_set(f, flow[k], &upstream[k]);
        ok = frame_run(f, &a->report);
        for (size_t k = 0; ok && k < q.count; k++)
            ck_assert_msg(!got[k] || same_type(frame_get(f, got[k]), &tensors[wrt[k]->id]),
                          "%s: a gradient has another type than its input", label);
    }
    frame_free(f);
    program_free(types);
    graph_release(g);
    return ok;
}

static void check_error(const struct report *r, bool ok)
{
    ck_assert_msg(ok == (r->error.count == 0), "%s: %s, with %d errors: %s", label, ok ? "succeeded" : "failed",
                  r->error.count, r->error.message);
    if (ok)
        return;
    ck_assert_msg(r->error.code == KILN_BAD_MODEL || r->error.code == KILN_UNSUPPORTED || r->error.code == KILN_LIMIT ||
                      r->error.code == KILN_RUN_FAILED || r->error.code == KILN_NO_MEMORY,
                  "%s: error %d: %s", label, r->error.code, r->error.message);
    ck_assert_msg(*r->error.message && !strpbrk(r->error.message, "\n\t\r"), "%s: '%s' is no line", label,
                  r->error.message);
    ck_assert_msg(r->error.code == KILN_LIMIT || r->error.code == KILN_NO_MEMORY || strstr(r->error.where, "main/"),
                  "%s: '%s: %s' does not say where", label, r->error.where, r->error.message);
}

static void attempt_one(const struct bad *b)
{
    struct attempt a = { .budget = { .limit = MEMORY, .seconds = SECONDS } };
    struct frame *f = NULL;
    bool ok, lies;

    a.arena.budget = &a.budget;
    a.engine = (struct engine){ .kernels = kernels_get(), .budget = &a.budget, .prepared.budget = &a.budget };
    budget_start(&a.budget);
    made++;
    if (trace)
        fprintf(stderr, "%s\n", label);
    ok = make_node(&a, b);
    lies = ok && (!b->last || put_last(&a, b));
    ok = lies && (f = frame_of(&a, b, a.graph)) && frame_run(f, &a.report);
    check_error(&a.report, ok || (b->last && !lies && !failed(&a.report)));
    if (ok) {
        ran++;
        if (b->differentiate && b->def->gradient) {
            const bool back = go_back(&a, b, f);

            gone_back += back;
            ck_assert_msg(!back || a.report.error.count == 0, "%s: %s", label, a.report.error.message);
        }
    }
    frame_free(f);
    prepared_free(&a.engine.prepared);
    graph_release(a.graph);
    arena_release(&a.arena);
    ck_assert_msg(a.budget.used == 0, "%s: %zu bytes were not given back", label, a.budget.used);
}

/* As it is, and with channels last where the operator can: its inputs of input 0's rank and kind then lie so. */
static void attempt(const struct bad *b)
{
    const size_t length = strlen(label);
    struct signature s;
    struct bad last = *b;

    attempt_one(b);
    if (!b->def->channels_last || b->in[0].dtype != F32 || (b->in[0].rank != 3 && b->in[0].rank != 4) ||
        !signature_read(&s, b->def))
        return;
    last.last = true;
    for (int k = 0; k < b->inputs; k++)
        if (signature_in(&s, k) == signature_in(&s, 0) && b->in[k].rank == b->in[0].rank)
            layout_dims(true, b->in[k].rank, b->in[k].dims, last.in[k].dims);
    snprintf(label + length, sizeof label - length, ", channels last");
    attempt_one(&last);
    label[length] = 0;
}

/* -- attributes -- */

static void attempt_attr(struct bad *b, size_t k, const struct attr *to, const char *what, int64_t value)
{
    const struct attr was = b->attrs[k];

    snprintf(label, sizeof label, "%s-%d: attribute '%s' %s %lld", b->op->name, b->def->since, was.name, what,
             (long long)value);
    b->attrs[k] = *to;
    b->attrs[k].name = was.name;
    attempt(b);
    b->attrs[k] = was;
}

static void vary_type(struct bad *b, size_t k)
{
    static const float floats[] = { 1, NAN };
    static const int64_t dims[] = { 2 };
    static const struct bytes strings[] = { { 1, "x" }, { 0, NULL } };
    struct tensor t;
    struct attr a = { .count = 2, .floats = floats, .ints = numbers, .strings = strings, .s = { 3, "\001\n\377" } };

    ck_assert(tensor_shape(&t, F32, 1, dims));
    t.data = (void *)(uintptr_t)floats;
    a.tensor = &t;
    for (int type = ATTR_NONE; type <= ATTR_TYPE_PROTOS; type++) {
        if (type == ATTR_GRAPH) /* the loader makes it */
            continue;
        a.type = (enum attr_type)type;
        attempt_attr(b, k, &a, "of type", type);
    }
}

static void vary_ints(struct bad *b, size_t k)
{
    int64_t copy[80];
    struct attr a = b->attrs[k];
    const size_t n = a.count < 40 ? a.count : 40;

    for (size_t at = 0; at < n; at++)
        for (int v = 0; v < NUMBERS; v++) {
            memcpy(copy, a.ints, n * sizeof *copy);
            copy[at] = numbers[v];
            a.ints = copy;
            attempt_attr(b, k, &a, "has", numbers[v]);
            a = b->attrs[k];
        }
    for (size_t count = 0; count < 2 * n + 2; count++) {
        for (size_t at = 0; at < count; at++)
            copy[at] = n ? b->attrs[k].ints[at % n] : 1;
        a.ints = copy;
        a.count = count;
        attempt_attr(b, k, &a, "has a count of", (int64_t)count);
    }
    for (int v = 0; v < NUMBERS; v++) {
        for (size_t at = 0; at < n; at++)
            copy[at] = numbers[v];
        a.ints = copy;
        a.count = n;
        attempt_attr(b, k, &a, "is all", numbers[v]);
    }
}

static const double reals[] = { NAN, INFINITY, -INFINITY, 0, -1, 1e30, -1e30, 0.5 };
enum { REALS = sizeof reals / sizeof *reals };

/* As much memory as all shapes below need: bytes of zeros and ones, and strings that are empty. */
static _Alignas(64) uint8_t pattern[1 << 20], empty[1 << 20];

static void *content_of(enum dtype dtype)
{
    return dtype == STRING ? empty : pattern;
}

/* Of another type, with another number of values, with other values. */
static void vary_tensor(struct bad *b, size_t k)
{
    const struct tensor own = *b->attrs[k].tensor;
    const int64_t n = tensor_count(&own);
    _Alignas(64) static uint8_t copy[4096];
    struct attr a = b->attrs[k];
    struct tensor t = own;

    a.tensor = &t;
    if (tensor_bytes(&own) > (int64_t)sizeof copy)
        return;
    for (int d = 1; d < DTYPES; d++) {
        t.dtype = (enum dtype)d;
        t.data = content_of(t.dtype);
        if (dtype_size(t.dtype))
            attempt_attr(b, k, &a, "is a tensor of type", d);
    }
    for (int64_t count = 0; count < n + 2; count++) {
        ck_assert(tensor_shape(&t, own.dtype, 1, &count));
        t.data = content_of(t.dtype);
        attempt_attr(b, k, &a, "is a tensor with a count of", count);
    }
    t = own;
    t.data = copy;
    for (int64_t at = 0; at < n && own.dtype != STRING; at++)
        for (int v = 0; v < REALS; v++) {
            memcpy(copy, own.data, (size_t)tensor_bytes(&own));
            case_set(&t, at, reals[v]);
            attempt_attr(b, k, &a, "is a tensor with real number", v);
        }
}

static void vary_value(struct bad *b, size_t k)
{
    static const float floats[] = { 0, -1, NAN, INFINITY, -INFINITY, 1e38f, 1e-45f };
    static const char *const texts[] = { "", "x", "NOTSET", "SAME_UPPER", "VALID", "nothing at all", "\n\033[31m" };
    struct attr a = b->attrs[k];

    for (int v = 0; a.type == ATTR_INT && v < NUMBERS; v++) {
        a.i = numbers[v];
        attempt_attr(b, k, &a, "is", a.i);
    }
    for (size_t v = 0; a.type == ATTR_FLOAT && v < sizeof floats / sizeof *floats; v++) {
        a.f = floats[v];
        attempt_attr(b, k, &a, "is float number", (int64_t)v);
    }
    for (size_t v = 0; a.type == ATTR_STRING && v < sizeof texts / sizeof *texts; v++) {
        a.s = (struct bytes){ strlen(texts[v]), texts[v] };
        attempt_attr(b, k, &a, "is text number", (int64_t)v);
    }
    if (a.type == ATTR_INTS)
        vary_ints(b, k);
    if (a.type == ATTR_TENSOR)
        vary_tensor(b, k);
}

/* Attributes that other cases of the operator have: hostile from the start. */
static void add_attrs(struct bad *b, const struct attr *known, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        bool has = false;

        for (size_t j = 0; j < b->attr_count; j++)
            has |= strcmp(b->attrs[j].name, known[k].name) == 0;
        if (has || b->attr_count == MAX_ATTRS)
            continue;
        b->attrs[b->attr_count++] = known[k];
        b->attrs[b->attr_count - 1].seen = false;
        snprintf(label, sizeof label, "%s-%d: with attribute '%s'", b->op->name, b->def->since, known[k].name);
        attempt(b);
        vary_value(b, b->attr_count - 1);
        b->attr_count--;
    }
}

static void vary_attrs(struct bad *b, const struct attr *known, size_t count)
{
    for (size_t k = 0; k < b->attr_count; k++) {
        const struct attr was = b->attrs[k];

        vary_type(b, k);
        vary_value(b, k);
        b->attrs[k] = b->attrs[--b->attr_count];
        snprintf(label, sizeof label, "%s-%d: without attribute '%s'", b->op->name, b->def->since, was.name);
        attempt(b);
        b->attrs[b->attr_count++] = b->attrs[k];
        b->attrs[k] = was;
    }
    add_attrs(b, known, count);
}

/* -- inputs and outputs -- */

static void attempt_input(struct bad *b, int k, const struct tensor *to, const char *what, int64_t value)
{
    const struct tensor was = b->in[k];

    snprintf(label, sizeof label, "%s-%d: input %d %s %lld", b->op->name, b->def->since, k, what, (long long)value);
    b->in[k] = *to;
    attempt(b);
    b->in[k] = was;
}

static void vary_shape(struct bad *b, int k)
{
    const struct tensor own = b->in[k];
    int64_t dims[MAX_RANK];
    struct tensor t;

    for (int rank = 0; rank <= MAX_RANK; rank += rank < own.rank + 2 ? 1 : 7) {
        for (int d = 0; d < rank; d++)
            dims[d] = d < own.rank ? own.dims[d] : 1;
        if (!tensor_shape(&t, own.dtype, rank, dims) || tensor_bytes(&t) > (int64_t)sizeof pattern)
            continue;
        t.data = content_of(t.dtype);
        attempt_input(b, k, &t, "has rank", rank);
    }
    for (int d = 0; d < own.rank; d++)
        for (int64_t n = 0; n < 4; n++) {
            memcpy(dims, own.dims, sizeof dims);
            dims[d] = n < 3 ? n : own.dims[d] + 1;
            if (!tensor_shape(&t, own.dtype, own.rank, dims) || tensor_bytes(&t) > (int64_t)sizeof pattern)
                continue;
            t.data = content_of(t.dtype);
            attempt_input(b, k, &t, "has another dimension, of", dims[d]);
        }
    if (own.rank > 0) {
        memset(dims, 0, sizeof dims);
        ck_assert(tensor_shape(&t, own.dtype, own.rank, dims));
        t.data = content_of(t.dtype);
        attempt_input(b, k, &t, "has dimensions of", 0);
    }
}

static void vary_dtype(struct bad *b, int k)
{
    for (int d = 1; d < DTYPES; d++) {
        struct tensor t = b->in[k];

        t.dtype = (enum dtype)d;
        if (!dtype_size(t.dtype) || tensor_bytes(&t) > (int64_t)sizeof pattern)
            continue;
        t.data = content_of(t.dtype);
        attempt_input(b, k, &t, "is of type", d);
    }
}

/* Whole numbers one by one, as a constant and as what only running tells; floats all at once. */
static void vary_content(struct bad *b, int k)
{
    struct tensor t = b->in[k];
    const int64_t n = tensor_count(&t), bytes = tensor_bytes(&t);
    const bool was = b->constant[k];
    _Alignas(64) static uint8_t copy[4096];

    if (bytes > (int64_t)sizeof copy || t.dtype == STRING || t.dtype == BOOL)
        return;
    t.data = copy;
    for (int late = 0; late < 2; late++) {
        b->constant[k] = !late;
        for (int64_t at = 0; !dtype_is_float(t.dtype) && at < n && at < 6; at++)
            for (int v = 0; v < NUMBERS; v++) {
                memcpy(copy, b->in[k].data, (size_t)bytes);
                memcpy(copy + at * (int64_t)dtype_size(t.dtype), &numbers[v],
                       dtype_size(t.dtype) < 8 ? dtype_size(t.dtype) : 8);
                attempt_input(b, k, &t, late ? "runs with" : "is constant, with", numbers[v]);
            }
        for (int v = 0; dtype_is_float(t.dtype) && v < REALS; v++) {
            for (int64_t at = 0; at < n; at++)
                case_set(&t, at, reals[v]);
            attempt_input(b, k, &t, late ? "runs with float number" : "is constant, float number", v);
        }
    }
    b->constant[k] = was;
}

static void vary_inputs(struct bad *b)
{
    const int inputs = b->inputs, outputs = b->outputs;

    for (b->inputs = 0; b->inputs < inputs; b->inputs++) {
        snprintf(label, sizeof label, "%s-%d: %d inputs", b->op->name, b->def->since, b->inputs);
        attempt(b);
    }
    for (int k = 0; inputs && k < ROOM; k++) {
        b->in[b->inputs] = b->in[inputs - 1];
        b->left_out[b->inputs] = k == 1;
        b->inputs++;
        snprintf(label, sizeof label, "%s-%d: %d inputs", b->op->name, b->def->since, b->inputs);
        attempt(b);
    }
    b->inputs = inputs;
    for (int k = 0; k < inputs; k++) {
        const bool was = b->left_out[k];

        b->left_out[k] = true;
        snprintf(label, sizeof label, "%s-%d: input %d left out", b->op->name, b->def->since, k);
        attempt(b);
        b->left_out[k] = was;
    }
    for (b->outputs = 0; b->outputs < outputs + ROOM; b->outputs++) {
        b->wanted[b->outputs] = true;
        snprintf(label, sizeof label, "%s-%d: %d outputs", b->op->name, b->def->since, b->outputs);
        attempt(b);
    }
    b->outputs = outputs;
    for (int k = 0; k < inputs; k++)
        if (!b->left_out[k]) {
            vary_shape(b, k); /* tensors, where another kind of value is needed, too */
            if (b->in[k].kind != TENSOR)
                continue;
            vary_dtype(b, k);
            vary_content(b, k);
        }
}

/* -- the walk -- */

/* The attributes of all cases of all rows, each name once. */
static size_t known_attrs(const struct op *op, struct attr *known, struct arena *arena)
{
    struct report r = { 0 };
    size_t count = 0;

    for (const struct op_def *def = op->defs; def->since; def++)
        for (const struct op_case *oc = def->cases; oc && oc->inputs; oc++) {
            struct attr *attrs;
            size_t n;

            if (case_gives_nodes(oc))
                continue;
            ck_assert_msg(attrs_of_text(oc->attrs, arena, &attrs, &n, &r), "%s: %s", op->name, r.error.message);
            for (size_t k = 0; k < n; k++) {
                bool has = false;

                for (size_t j = 0; j < count; j++)
                    has |= strcmp(known[j].name, attrs[k].name) == 0;
                if (!has && count < MAX_ATTRS)
                    known[count++] = attrs[k];
            }
        }
    return count;
}

static bool from_case(struct bad *b, struct case_graph *c, const struct op *op, const struct op_def *def,
                      const struct op_case *oc)
{
    struct attr *attrs;

    *b = (struct bad){
        .op = op, .def = def, .inputs = c->inputs, .outputs = c->outputs, .differentiate = oc->differentiate
    };
    if (!attrs_of_text(oc->attrs, &c->arena, &attrs, &b->attr_count, &c->report) || b->attr_count > MAX_ATTRS - 1)
        return false;
    memcpy(b->attrs, attrs, b->attr_count * sizeof *attrs);
    for (int k = 0; k < c->inputs; k++) {
        b->in[k] = c->in[k].t;
        b->left_out[k] = !case_given(&c->in[k].t);
        b->constant[k] = c->in[k].given;
    }
    for (int k = 0; k < c->outputs; k++)
        b->wanted[k] = case_given(&c->expected[k]);
    return true;
}

/* The first case of a row and the one with the most attributes. */
static const struct op_case *richest(const struct op_def *def)
{
    const struct op_case *best = def->cases;

    for (const struct op_case *oc = def->cases; oc->inputs; oc++)
        if (!case_gives_nodes(oc) && strlen(oc->attrs) > strlen(best->attrs))
            best = oc;
    return best;
}

static void vary(const struct op *op, const struct op_def *def, const struct op_case *oc)
{
    const struct case_variant plain = { 0 };
    struct attr known[MAX_ATTRS];
    struct case_graph c;
    static struct bad b;
    size_t count;

    if (!case_make(&c, op, def, oc, &plain) ||
        !from_case(&b, &c, op, def, oc)) { /* of types that the row does not have */
        case_release(&c);
        return;
    }
    count = known_attrs(op, known, &c.arena);
    snprintf(label, sizeof label, "%s-%d (%s; %s)", op->name, def->since, oc->inputs, oc->attrs);
    attempt(&b);
    vary_attrs(&b, known, count);
    vary_inputs(&b);
    case_release(&c);
}

START_TEST(every_operator_survives)
{
    const struct op *op = op_registry[_i];

    trace = getenv("KILN_TRACE");
    if (trace && strcmp(trace, op->name) != 0)
        return;
    for (size_t k = 0; k < sizeof pattern; k++)
        pattern[k] = k % 5 == 0;
    for (const struct op_def *def = op->defs; def->since; def++) {
        if (!def->cases->inputs || case_gives_nodes(def->cases)) /* it needs a library that this build has not got; */
            continue; /* subgraphs, sequences: the mutated models try those */
        vary(op, def, def->cases);
        if (richest(def) != def->cases)
            vary(op, def, richest(def));
        ck_assert_msg(made > 0, "%s-%d: nothing was tried", op->name, def->since);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("bad_ops");

    add_tests(s, every_operator_survives, case_operators());
    return s;
}
