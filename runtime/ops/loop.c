/* Loop, https://onnx.ai/onnx/operators/onnx__Loop.html
 *
 * Runs its body with the number of the iteration, a condition and the carried values until M iterations are done or the
 * condition is false (a condition that the node does not take is not looked at). The body gives the next condition, the
 * next carried values, and scan outputs, which are put one behind the other along a new first axis.
 *
 * A carried value may be optional where it goes in and none where it comes out of the body, or the other way round: it
 * is optional then for each iteration, and what comes out of the Loop is what comes out of the body, as ONNX' inference
 * has it. Without an iteration that is what the first value holds, an error where it holds nothing.
 *
 * Carried values whose types the body keeps have their final memory from planning; where one of them changes, running
 * tells all shapes. So have scan outputs, where planning can tell how many iterations there will be (loop_rounds.c). The
 * gradient is another Loop, from the last iteration to the first, which the backward walk makes of the body. */
#include "ops/loop.h"
#include "ops/rank.h"
#include "ops/value.h"
#include <math.h>
#include <string.h>

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const int inputs = parse_node(p)->inputs;
    struct loop *a = attrs;

    if (attr_graph(p, "body") < 0)
        return false;
    a->body = attr_any(p, "body")->graph;
    a->carried = inputs > CARRIED ? inputs - CARRIED : 0;
    if (a->body->input_count != (size_t)(CARRIED + a->carried))
        return parse_error(p, "body has %zu inputs, must have %d: iteration, condition and %d carried values",
                           a->body->input_count, CARRIED + a->carried, a->carried);
    if (a->body->output_count < (size_t)(1 + a->carried))
        return parse_error(p, "body has %zu outputs, must have at least %d: condition and %d carried values",
                           a->body->output_count, 1 + a->carried, a->carried);
    a->scans = (int)a->body->output_count - 1 - a->carried;
    return outputs_written(p) <= a->carried + a->scans ||
           parse_error(p, "%d outputs, must have at most %d, which body gives", outputs_written(p),
                       a->carried + a->scans);
}

/* Does the body say that its input k is an optional value? */
static bool declared_optional(const struct loop *a, int k)
{
    const struct value *v = a->body->inputs[k];

    return v->has_type && v->type.kind == OPTIONAL;
}

/* Exporters carry weights from iteration to iteration. */
static int body_input(const struct node *n, int g, int k)
{
    const struct loop *a = n->attrs;

    (void)g;
    return k >= CARRIED && !declared_optional(a, k) && loop_passes_on(a, a->body->outputs[1 + k - CARRIED], k) ? k : -1;
}

/* -- plan -- */

/* Most bodies take the iteration and the condition as scalars, some as vectors of one. */
static struct tensor scalar_for(const struct loop *a, int k)
{
    const struct value *v = a->body->inputs[k];

    return (struct tensor){ .dtype = k == M ? I64 : BOOL, .rank = v->has_type && v->type.rank == 1, .dims = { 1 } };
}

/* Is a value carried as an optional one that comes out of the body as what that holds? */
static bool held(const struct tensor *before, const struct tensor *after)
{
    return before->kind == OPTIONAL && after->kind != OPTIONAL && after->dtype != UNDEFINED;
}

/* Does the body give carried value k as it takes it? */
static bool kept(const struct tensor *before, const struct tensor *after)
{
    const struct tensor optional = optional_of(after);

    if (held(before, after))
        return same_type(before, &optional);
    return before->kind != TENSOR ? same_type(before, after) : same_type(before, after) && tensor_known(after);
}

/* What the body takes and gives. A value that is optional on one of its sides is optional for each iteration. */
static bool infer_body(struct infer *i, const struct loop *a, struct tensor *before, struct tensor *after)
{
    bool changed = true;

    for (int k = CARRIED; k < CARRIED + a->carried; k++)
        if (before[k].kind != OPTIONAL && declared_optional(a, k))
            before[k] = optional_of(&before[k]);
    while (changed) {
        changed = false;
        if (!infer_graph(i, 0, before, after))
            return false;
        for (int k = CARRIED; k < CARRIED + a->carried; k++)
            if (before[k].kind != OPTIONAL && after[k - 1].kind == OPTIONAL) {
                before[k] = optional_of(&before[k]);
                changed = true;
            }
    }
    return true;
}

static bool infer_carried(struct infer *i, const struct loop *a, const struct tensor *before,
                          const struct tensor *after, bool fixed)
{
    bool *optional = infer_plan(i, (size_t)a->carried + 1);

    if (!optional)
        return false;
    for (int k = 0; k < a->carried; k++) {
        struct tensor *out = typed_out(i, k), type = before[k];
        char text[2][TYPE_TEXT];

        optional[k] = before[k].kind == OPTIONAL;
        if (!join_types(&type, &after[k]))
            return infer_error(i, "carried value %d is %s, the body makes it %s", k, tensor_text(&before[k], text[0]),
                               tensor_text(&after[k], text[1]));
        if (held(&before[k], &after[k]))
            type = after[k];
        if (!fixed || held(&before[k], &after[k]))
            type.rank = UNKNOWN;
        if (out)
            *out = type;
        if (out)
            out->data = NULL;
    }
    return true;
}

/* `rounds`: how many iterations there will be, or UNKNOWN. */
static bool infer_scans(struct infer *i, const struct loop *a, const struct tensor *each, int64_t rounds, bool fixed)
{
    for (int k = 0; k < a->scans; k++) {
        struct tensor *out = typed_out(i, a->carried + k);

        if (each[k].kind != TENSOR)
            return infer_error(i, "scan output %d is not a tensor", k);
        if (each[k].rank == MAX_RANK)
            return infer_error(i, "scan output %d would have %d dimensions, at most %d are supported", k, MAX_RANK + 1,
                               (int)MAX_RANK);
        if (!out)
            continue;
        *out = (struct tensor){ .dtype = each[k].dtype, .rank = UNKNOWN };
        if (!fixed || each[k].rank < 0)
            continue;
        out->rank = each[k].rank + 1;
        out->dims[0] = rounds;
        memcpy(out->dims + 1, each[k].dims, (size_t)each[k].rank * sizeof *out->dims);
        if (tensor_known(out) && tensor_bytes(out) < 0)
            return infer_error(i, "scan output %d would have more bytes than can be counted", k);
    }
    return true;
}

static bool scans_are_read(struct infer *i, const struct loop *a)
{
    for (int k = 0; k < a->scans; k++)
        if (typed_out(i, a->carried + k))
            return true;
    return false;
}

struct scan {
    struct tensor each; /* rank UNKNOWN before the first one */
    char *data;
    int64_t bytes, capacity, count;
    bool planned; /* data is the output's own */
};

/* What run needs beside the values themselves. */
struct work {
    const struct tensor **in;
    struct tensor *values, *next, *outputs;
    struct scan *scans;
};

static size_t work_of(const struct loop *a, char *scratch, struct work *w)
{
    const size_t inputs = a->body->input_count, outputs = a->body->output_count;
    size_t at = 0;

#define PART(field, count)                                                                                             \
    if (scratch)                                                                                                       \
        w->field = (void *)(scratch + at);                                                                             \
    at += (count) * sizeof *w->field
    PART(in, inputs);
    PART(values, inputs);
    PART(next, inputs);
    PART(outputs, outputs);
    PART(scans, (size_t)a->scans);
#undef PART
    return at;
}

static bool infer(struct infer *i)
{
    const struct loop *a = infer_attrs(i);
    const size_t inputs = a->body->input_count, outputs = a->body->output_count;
    struct tensor *before = infer_alloc(i, (inputs + outputs) * sizeof *before), *after = before + inputs;
    struct work w;
    int64_t rounds = UNKNOWN;
    bool fixed = true;

    if (!before)
        return false;
    for (int k = M; k <= CONDITION; k++) {
        const struct tensor *t = typed_in(i, k);

        if (t && tensor_count(t) != 1)
            return infer_error(i, "'%s' has %lld values, must have 1", k == M ? "M" : "cond",
                               (long long)tensor_count(t));
        before[k] = scalar_for(a, k);
    }
    for (int k = CARRIED; k < CARRIED + a->carried; k++) {
        before[k] = *typed_in(i, k);
        if (!loop_passes_on(a, a->body->outputs[k - 1], k))
            before[k].data = NULL;
    }
    if (!infer_body(i, a, before, after))
        return false;
    if (after[0].kind != TENSOR || (after[0].dtype != BOOL && after[0].dtype != UNDEFINED))
        return infer_error(i, "the condition that the body gives is not a bool");
    for (int k = 0; k < a->carried; k++)
        fixed = fixed && kept(&before[CARRIED + k], &after[1 + k]);
    need_scratch(i, work_of(a, NULL, &w));
    return infer_carried(i, a, before + CARRIED, after + 1, fixed) &&
           (!fixed || !scans_are_read(i, a) || loop_rounds(i, a, before, &rounds)) &&
           infer_scans(i, a, after + 1 + a->carried, rounds, fixed);
}

/* How many iterations there will be at least: all of them where nothing can end them and their number is known. */
static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    const struct loop *a = n->attrs;
    const struct tensor *most = in[M], *condition = in[CONDITION];
    const bool goes = !condition || (condition->data && *(const uint8_t *)condition->data && loop_keeps_condition(a));

    (void)out;
    if (goes && (!most || most->data))
        c->rounds = most ? fmax(0, (double)*(const int64_t *)most->data) : INFINITY;
}

/* -- run -- */

/* Appends one element of a scan output. Room at least doubles, so that all copying together is linear. */
static bool append(struct step *s, const struct loop *a, struct heap *heap, struct scan *scan, int k,
                   const struct tensor *from)
{
    const int64_t bytes = tensor_bytes(from);
    char text[2][TYPE_TEXT];
    int64_t need;

    if (from->kind != TENSOR || bytes < 0 || (scan->each.rank >= 0 && !same_type(&scan->each, from)))
        return step_error(s, "scan output %d is %s, must be %s as before", k, tensor_text(from, text[0]),
                          tensor_text(&scan->each, text[1]));
    if (scan->planned && scan->count++ == s->out[a->carried + k]->dims[0])
        return step_error(s, "more than the %lld iterations that were planned", (long long)(scan->count - 1));
    if (!add_size(scan->bytes, bytes, &need) || need > INT64_MAX / 2)
        return step_error(s, "scan output %d has more bytes than can be counted", k);
    scan->each = *from;
    if (need > scan->capacity) {
        const int64_t most = need > 2 * scan->capacity ? need : 2 * scan->capacity;
        char *data = heap_alloc(heap, to_size(most), s->report);

        if (!data)
            return false;
        if (scan->bytes)
            memcpy(data, scan->data, (size_t)scan->bytes);
        heap_free(heap, scan->data);
        scan->data = data;
        scan->capacity = most;
    }
    if (bytes)
        memcpy(scan->data + scan->bytes, from->data, (size_t)bytes);
    scan->bytes = need;
    return true;
}

/* Where the number of iterations is planned, its elements go to where the output lies. */
static struct scan start_scan(const struct step *s, int out)
{
    const struct tensor *t = out < s->node->slots ? s->out[out] : NULL;
    struct scan scan = { .each.rank = UNKNOWN };

    if (t && planned(t)) {
        scan = (struct scan){
            .each = { .dtype = t->dtype, .rank = t->rank - 1 }, .data = t->data, .capacity = INT64_MAX, .planned = true
        };
        memcpy(scan.each.dims, t->dims + 1, (size_t)scan.each.rank * sizeof *t->dims);
    }
    return scan;
}

static bool append_all(struct step *s, const struct loop *a, struct heap *heap, struct work *w)
{
    for (int k = 0; k < a->scans; k++) {
        const struct tensor *from = &w->outputs[1 + a->carried + k];
        struct tensor copy;

        if (a->carried + k >= s->node->slots || !s->out[a->carried + k])
            continue;
        if (from->dtype == STRING) { /* the body's strings end with its next run */
            if (!heap_copy(s->heap, &copy, from, s->report))
                return false;
            from = &copy;
        }
        if (!append(s, a, heap, &w->scans[k], k, from))
            return false;
    }
    return true;
}

/* Without an iteration the shape is what the body declares, 0 for what it leaves open. */
static struct tensor declared(const struct loop *a, int k)
{
    const struct value *v = a->body->outputs[1 + a->carried + k];
    struct tensor each = v->type;

    if (!v->has_type || each.rank < 0)
        each.rank = 0;
    for (int d = 0; d < each.rank; d++)
        if (each.dims[d] < 0)
            each.dims[d] = 0;
    return each;
}

static bool finish_scan(struct step *s, const struct loop *a, int k, const struct scan *scan, int64_t iterations)
{
    const int out = a->carried + k;
    struct tensor each = scan->each;
    int64_t dims[MAX_RANK] = { iterations };

    if (out >= s->node->slots || !s->out[out])
        return true;
    if (scan->planned)
        return iterations == s->out[out]->dims[0] || step_error(s, "%lld iterations, %lld were planned",
                                                                (long long)iterations, (long long)s->out[out]->dims[0]);
    if (!iterations) {
        const struct tensor planned = *s->out[out];

        each = declared(a, k);
        if (planned.dtype != UNDEFINED)
            each.dtype = planned.dtype;
        for (int d = 1; d < planned.rank && planned.rank == each.rank + 1; d++)
            each.dims[d - 1] = planned.dims[d] < 0 ? 0 : planned.dims[d];
        if (each.dtype == UNDEFINED)
            return step_error(s, "scan output %d has no type: there was no iteration, and the body does not say", k);
    }
    if (each.rank >= MAX_RANK)
        return step_error(s, "scan output %d would have %d dimensions, at most %d are supported", k, each.rank + 1,
                          (int)MAX_RANK);
    memcpy(dims + 1, each.dims, (size_t)each.rank * sizeof *dims);
    if (!step_alloc(s, out, each.dtype, each.rank + 1, dims))
        return false;
    if (scan->bytes)
        memcpy(s->out[out]->data, scan->data, (size_t)scan->bytes);
    return true;
}

/* What is no number must outlive the body and the copies of this run: it moves to the heap of the outer graph. */
static bool finish_carried(struct step *s, int k, const struct tensor *value)
{
    struct tensor copy;

    if (k >= s->node->slots || !s->out[k])
        return true;
    if (value->kind == OPTIONAL && s->out[k]->kind != OPTIONAL && s->out[k]->dtype != UNDEFINED) {
        const struct optional *o = value->data;

        if (!o->present)
            return step_error(s, "carried value %d holds nothing, and there was no iteration that would make it", k);
        value = &o->value;
    }
    if (value->kind == TENSOR && value->dtype != STRING)
        return pass_value(s, k, value);
    return heap_copy(s->heap, &copy, value, s->report) && pass_value(s, k, &copy);
}

struct control {
    int64_t most, done;
    bool looks, goes; /* is there a condition to look at? is it true? */
};

/* One iteration. The next carried values are copied out of the body before the last ones are let go: one may be the
 * other. */
static bool iterate(struct step *s, const struct loop *a, struct work *w, struct heap *heaps, struct control *c)
{
    struct heap *next = &heaps[1 - c->done % 2];
    const bool *optional = s->plan;
    struct tensor *swap;
    uint8_t goes = c->goes;

    w->values[M] = scalar_for(a, M);
    w->values[M].data = &c->done;
    w->values[CONDITION] = scalar_for(a, CONDITION);
    w->values[CONDITION].data = &goes;
    for (size_t k = 0; k < a->body->input_count; k++)
        w->in[k] = &w->values[k];
    if (!step_call(s, 0, w->in, w->outputs))
        return false;
    if (w->outputs[0].dtype != BOOL || tensor_count(&w->outputs[0]) != 1)
        return step_error(s, "the condition that the body gives is not one bool");
    c->goes = *(const uint8_t *)w->outputs[0].data || !c->looks;
    for (int k = 0; k < a->carried; k++) {
        const struct tensor *value = &w->outputs[1 + k], *first = s->in[CARRIED + k];

        if (value->kind == TENSOR && value->data == first->data && !optional[k]) /* it lies outside, and is passed on */
            w->next[CARRIED + k] = *value;
        else if (!copy_value(next, &w->next[CARRIED + k], value, optional[k], s->report))
            return false;
    }
    if (!append_all(s, a, &heaps[2], w))
        return false;
    heap_reset(&heaps[c->done % 2]);
    swap = w->values;
    w->values = w->next;
    w->next = swap;
    c->done++;
    return true;
}

static bool run_all(struct step *s, const struct loop *a, struct heap *heaps)
{
    const struct tensor *most = s->in[M], *condition = s->in[CONDITION];
    struct control c = { .most = most ? *(const int64_t *)most->data : INT64_MAX,
                         .looks = condition,
                         .goes = !condition || *(const uint8_t *)condition->data };
    const bool *optional = s->plan;
    struct work w = { 0 };

    work_of(a, s->scratch, &w);
    for (int k = 0; k < a->carried; k++) {
        const struct tensor *first = s->in[CARRIED + k];

        w.values[CARRIED + k] = *first;
        if (optional[k] && first->kind != OPTIONAL &&
            !copy_value(&heaps[0], &w.values[CARRIED + k], first, true, s->report))
            return false;
    }
    for (int k = 0; k < a->scans; k++)
        w.scans[k] = start_scan(s, a->carried + k);
    while (c.goes && c.done < c.most)
        if (!iterate(s, a, &w, heaps, &c))
            return false;
    for (int k = 0; k < a->carried; k++)
        if (!finish_carried(s, k, &w.values[CARRIED + k]))
            return false;
    for (int k = 0; k < a->scans; k++)
        if (!finish_scan(s, a, k, &w.scans[k], c.done))
            return false;
    return true;
}

static bool run(struct step *s)
{
    /* the carried values of even and of odd iterations, and the scan outputs */
    struct heap heaps[3] = { { .budget = s->heap->budget },
                             { .budget = s->heap->budget },
                             { .budget = s->heap->budget } };
    const bool ok = run_all(s, s->attrs, heaps);

    for (int k = 0; k < 3; k++)
        heap_reset(&heaps[k]);
    return ok;
}

/* -- differentiate -- */

static const void *with_body(struct emitter *e, const void *attrs, const struct graph *body, int more)
{
    struct loop *a = emit_alloc(e, sizeof *a);

    if (!a)
        return NULL;
    *a = *(const struct loop *)attrs;
    a->body = body;
    a->scans += more;
    return a;
}

static bool gradient(struct backward *b)
{
    const struct loop *a = attrs_of(b);
    const struct iterations it = { .first = CARRIED,
                                   .carried = a->carried,
                                   .scans = a->scans,
                                   .scalars = { scalar_for(a, M), scalar_for(a, CONDITION) },
                                   .with_body = with_body };

    return gradient_of_iterations(b, &it);
}

/* -- test -- */

#define DOUBLED                                                                                                        \
    "{ y0, y1 = Loop (x0, x1, x2) <body = b (int64 i, bool c, double[2] v) => (bool d, double[2] w, double[2] s) "     \
    "{ d = Identity (c) w = Add (v, v) s = Neg (v) }> }"
#define NEVER                                                                                                          \
    "{ y0 = Loop (x0, x1, x2) <body = b (int64 i, bool c, float[2] v) => (bool d, float[2] w) "                        \
    "{ d = And (c, c) w = Neg (v) }> }"
/* A layer with state: weights that are captured and carried, a sequence, and scan outputs. */
#define LAYER                                                                                                          \
    "{ y0, y1, y2 = Loop (x0, , x1, x2) <body = b (int64 i, bool c, double[2,3] h, double[3,3] u) => "                 \
    "(bool d, double[2,3] k, double[3,3] u1, double[2,3] s) { d = Identity (c) u1 = Identity (u) g = Gather (x4, i) "  \
    "p = MatMul (g, x3) q = MatMul (h, u) r = Add (p, q) k = Tanh (r) s = Mul (k, h) }> }"
/* A counter, which is no float, scales what is carried, and ends it; two values trade places. */
#define COUNTED                                                                                                        \
    "{ t = Constant <value_int = 1> () c0 = Cast <to = 9> (t) y0, y1, y2 = Loop (x0, c0, x1, x2, x3) <body = b "       \
    "(int64 i, bool c, int32 n, double[2] a, double[2] e) => (bool d, int32 n1, double[2] a1, double[2] e1) "          \
    "{ f = Constant <value_int = 5> () f1 = Cast <to = 6> (f) o = Constant <value_int = 1> () o1 = Cast <to = 6> (o) " \
    "n1 = Add (n, o1) d = Less (n1, f1) m = Cast <to = 11> (n) a1 = Mul (e, m) e1 = Tanh (a) }> }"

#define CASES                                                                                                          \
    { "i64[]{3} bool[]{1} f64[2]", DOUBLED, "f64[2] f64[3,2]", 4 },                                                    \
        { "i64[]{0} bool[]{1} f32[2]", NEVER, "f32[2]", 4 },                                                           \
    {                                                                                                                  \
        "i64[]{4} f64[2,3] f64[3,3] f64[2,3] f64[5,2,2]", LAYER, "f64[2,3] f64[3,3] f64[4,2,3]", 30                    \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases[] = {
    CASES,
    { "i64[]{9} i32[]{0} f64[2] f64[2]", COUNTED, "i32[] f64[2] f64[2]", 12 },
    { 0 },
};

#define ROW(version, t, list)                                                                                          \
    {                                                                                                                  \
        .since = version, .signature = "I M?, B cond?, V v_initial* -> V v_final_and_scan_outputs*",                   \
        .types = "I: i64; B: bool; V: " t, .attrs_size = sizeof(struct loop), .parse = parse, .rank = rank_unknown,    \
        .infer = infer, .run = run, .gradient = gradient, .body_input = body_input, .cost = cost,                      \
        .flags = OP_RUN_ONLY, .cases = list                                                                            \
    }
#define ALL_KINDS(small) "all bf16" small " seq(all bf16" small ") opt(all bf16" small ") opt(seq(all bf16))"

const struct op op_loop = {
    .name = "Loop",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, ALL_KINDS(" ir13"), cases),
                                     ROW(24, ALL_KINDS(" ir12"), cases),
                                     ROW(23, ALL_KINDS(" ir11"), cases),
                                     ROW(21, ALL_KINDS(" ir10"), cases),
                                     ROW(19, ALL_KINDS(" ir9"), cases),
                                     ROW(16, ALL_KINDS(""), cases),
                                     ROW(13, "all seq(all)", cases),
                                     ROW(11, "all", cases_1),
                                     ROW(1, "all", cases_1),
                                     { 0 } },
};
