/* Scan, https://onnx.ai/onnx/operators/onnx__Scan.html
 *
 * Runs its body for each element of its scan inputs, along an axis of each, with states that it carries; what the body
 * gives beside the next states is put together along an axis of each scan output. It is a Loop (loop.c), so that bodies
 * are planned, gradients flow and weights are found as there:
 *
 *   Loop (length, , states) { e = Gather (scan input, t)    states, s = body (states, e) }
 *
 * with scan inputs laid with their axis first, and scan outputs back from there. In opset 8 a Loop over the samples of a
 * batch is around that one; past the end of a sequence its scan outputs are 0.
 *
 * The standard wants states to keep their shapes; ones that change are carried on, as by Loop. Without an element the
 * final states are the initial ones, and scan outputs are empty, of the shapes that planning tells; onnxruntime refuses
 * that, and lengths of 0. */
#include "ops/gather.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

enum { M, CONDITION, CARRIED }; /* inputs of a Loop and of its body */

struct scan {
    bool batched; /* opset 8 */
    int states, inputs, outputs;
    const int64_t *in_axes, *out_axes, *in_backwards, *out_backwards; /* NULL: all 0 */
};

static int64_t one_of(const int64_t *list, int k)
{
    return list ? list[k] : 0;
}

/* -- read -- */

static bool read_list(struct parse *p, const char *name, int count, bool flags, const int64_t **out)
{
    const struct attr *a = attr_list(p, name, ATTR_INTS);

    if (!a)
        return true;
    if (a->count != (size_t)count)
        return parse_error(p, "'%s' has %zu values, must have %d", name, a->count, count);
    for (size_t k = 0; flags && k < a->count; k++)
        if (a->ints[k] != 0 && a->ints[k] != 1)
            return parse_error(p, "'%s' has %lld, must have 0 or 1", name, (long long)a->ints[k]);
    *out = a->ints;
    return true;
}

static bool read_body(struct parse *p, struct scan *a, int inputs)
{
    const int64_t scans = attr_int(p, "num_scan_inputs", 0);
    const struct graph *body;

    if (attr_graph(p, "body") < 0)
        return false;
    body = attr_any(p, "body")->graph;
    if (scans < 1 || scans > inputs)
        return parse_error(p, "num_scan_inputs is %lld, must be from 1 to %d, the number of states and scan inputs",
                           (long long)scans, inputs);
    a->inputs = (int)scans;
    a->states = inputs - a->inputs;
    if (body->input_count != (size_t)inputs)
        return parse_error(p, "body has %zu inputs, must have %d: %d states and %d elements", body->input_count, inputs,
                           a->states, a->inputs);
    if (body->output_count < (size_t)a->states)
        return parse_error(p, "body has %zu outputs, must have at least %d, the states", body->output_count, a->states);
    a->outputs = (int)body->output_count - a->states;
    return outputs_written(p) <= a->states + a->outputs ||
           parse_error(p, "%d outputs, must have at most %d, which body gives", outputs_written(p),
                       a->states + a->outputs);
}

static bool parse_9(struct parse *p, void *attrs)
{
    struct scan *a = attrs;

    return read_body(p, a, parse_node(p)->inputs) && read_list(p, "scan_input_axes", a->inputs, false, &a->in_axes) &&
           read_list(p, "scan_output_axes", a->outputs, false, &a->out_axes) &&
           read_list(p, "scan_input_directions", a->inputs, true, &a->in_backwards) &&
           read_list(p, "scan_output_directions", a->outputs, true, &a->out_backwards);
}

static bool parse_8(struct parse *p, void *attrs)
{
    struct scan *a = attrs;
    const int inputs = parse_node(p)->inputs;

    a->batched = true;
    return read_body(p, a, inputs > 1 ? inputs - 1 : 0) &&
           read_list(p, "directions", a->inputs, true, &a->in_backwards);
}

/* -- how long it is: of states and scan inputs the number of elements, and in opset 8 of samples -- */

static bool same_size(struct infer *i, int k, const char *what, int64_t size, int64_t *all)
{
    if (*all == UNKNOWN)
        *all = size;
    return *all == size || infer_error(i, "%s is %lld in scan input or state %d, %lld in those before", what,
                                       (long long)size, k, (long long)*all);
}

static bool size_infer(struct infer *i)
{
    const struct scan *a = infer_attrs(i);
    int64_t size[2] = { UNKNOWN, UNKNOWN }; /* elements, samples */

    for (int k = 0; k < a->states + a->inputs; k++) {
        const struct tensor *t = typed_in(i, k);
        const int64_t along = k < a->states ? 0 : a->batched ? 1 : one_of(a->in_axes, k - a->states);

        if ((a->batched || k >= a->states) && wrap_axis(along, t->rank) < 0)
            return infer_error(i, "state or scan input %d has %d dimensions, no axis %lld", k, t->rank,
                               (long long)along);
        if (k >= a->states && !same_size(i, k, "the length", t->dims[wrap_axis(along, t->rank)], &size[0]))
            return false;
        if (a->batched && !same_size(i, k, "the batch", t->dims[0], &size[1]))
            return false;
    }
    for (int k = 0; k < 2; k++) {
        int64_t *out;

        if (!set_out(i, k, I64, 0, NULL))
            return false;
        out = known_out(i, k);
        if (out)
            *out = size[k];
    }
    return true;
}

static const struct op scan_size = {
    .name = "ScanSize",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "V states_and_scan_inputs* -> I length, I batch?",
                                       .types = "V: all bf16 ir13; I: i64",
                                       .rank = rank_of_scalar,
                                       .infer = size_infer,
                                       .gradient = zero_gradient,
                                       .flags = OP_SHAPE_ONLY },
                                     { 0 } },
};

/* -- lengths of the sequences: they must lie in [0, length] -- */

static bool lengths_infer(struct infer *i)
{
    const struct tensor *t = typed_in(i, 0), *batch = typed_in(i, 2);

    if (!known_in(i, 2))
        return false;
    if (t->rank != 1 || t->dims[0] != *(const int64_t *)batch->data)
        return infer_error(i, "'sequence_lens' must have shape [%lld]", (long long)*(const int64_t *)batch->data);
    return set_out(i, 0, I64, t->rank, t->dims);
}

static bool lengths_run(struct step *s)
{
    const int64_t *x = s->in[0]->data, most = *(const int64_t *)s->in[1]->data, n = s->in[0]->dims[0];

    for (int64_t k = 0; k < n; k++)
        if (x[k] < 0 || x[k] > most)
            return step_error(s, "sequence_lens[%lld] is %lld, must be from 0 to %lld", (long long)k, (long long)x[k],
                              (long long)most);
    if (n)
        memcpy(s->out[0]->data, x, (size_t)n * sizeof *x);
    return true;
}

static const struct op scan_lengths = {
    .name = "ScanLengths",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "I sequence_lens, I length, I batch -> I lengths",
                                       .types = "I: i64",
                                       .rank = rank_of_vector,
                                       .infer = lengths_infer,
                                       .run = lengths_run,
                                       .gradient = zero_gradient },
                                     { 0 } },
};

/* -- the axis of a scan input goes to the first place, or that of a scan output comes from there -- */

struct axis {
    int number; /* of the scan input or output, for messages */
    int64_t axis;
    bool first;     /* it goes to the first place */
    bool backwards; /* its elements change their order */
};

/* The dimension of the input that becomes dimension d of the output. */
static int axis_from(const struct axis *a, int rank, int d)
{
    const int axis = wrap_axis(a->axis, rank), from = a->first ? axis : 0, to = a->first ? 0 : axis;

    return d == to ? from : d > to && d <= from ? d - 1 : d < to && d >= from ? d + 1 : d;
}

static bool axis_infer(struct infer *i)
{
    const struct axis *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[MAX_RANK];

    if (wrap_axis(a->axis, x->rank) < 0)
        return infer_error(i, "the axis of scan %s %d is %lld, must be in [%d, %d]", a->first ? "input" : "output",
                           a->number, (long long)a->axis, -x->rank, x->rank - 1);
    for (int d = 0; d < x->rank; d++)
        dims[d] = x->dims[axis_from(a, x->rank, d)];
    return set_out(i, 0, x->dtype, x->rank, dims);
}

static bool axis_run(struct step *s)
{
    const struct axis *a = s->attrs;
    const struct tensor *x = s->in[0];
    const int along = wrap_axis(a->axis, x->rank), turned = a->first ? 0 : along; /* in the output */
    struct move m = { .size = dtype_size(x->dtype), .rank = x->rank };
    int64_t strides[MAX_RANK], start = 0;

    if (!tensor_count(x))
        return true;
    move_strides(x->rank, x->dims, strides);
    for (int d = 0; d < x->rank; d++) {
        m.dims[d] = s->out[0]->dims[d];
        m.in[d] = strides[axis_from(a, x->rank, d)];
    }
    if (a->backwards) {
        start = (m.dims[turned] - 1) * m.in[turned];
        m.in[turned] = -m.in[turned];
    }
    move_strides(x->rank, m.dims, m.out);
    move_run(s->k, s->pool, &m, (const char *)x->data + start * (int64_t)m.size, s->out[0]->data);
    return true;
}

static bool axis_gradient(struct backward *b);

static const struct op scan_axis = {
    .name = "ScanAxis",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "V x -> V y",
                                       .types = "V: all bf16 ir13",
                                       .rank = rank_of_input,
                                       .infer = axis_infer,
                                       .run = axis_run,
                                       .gradient = axis_gradient,
                                       .flags = OP_REARRANGES },
                                     { 0 } },
};

static struct value *with_axis(struct emitter *e, struct value *x, struct axis axis)
{
    struct axis *a = emit_alloc(e, sizeof *a);
    struct value *y = NULL;

    if (!axis.axis && !axis.backwards)
        return x;
    if (!a)
        return NULL;
    *a = axis;
    return emit_private(e, &scan_axis, a, 1, &y, NULL, 1, &x) ? y : NULL;
}

static bool axis_gradient(struct backward *b)
{
    struct axis back = *(const struct axis *)attrs_of(b);

    back.first = !back.first;
    give(b, 0, with_axis(emitter_of(b), upstream(b, 0), back));
    return backward_ok(b);
}

/* -- as Loop -- */

/* Element `at`, a scalar, of x along its first axis: by the standard's Gather, whose gradients loops know, where that
 * takes its type. */
static struct value *element(struct emitter *e, struct value *x, struct value *at, enum dtype dtype)
{
    static const struct gather first = { 0 };
    struct value *in[] = { x, at }, *y = NULL;

    if (dtype != UNDEFINED && !dtype_is_small(dtype))
        return emit(e, "Gather", "axis=0", 2, x, at);
    return emit_private(e, &gather_any, &first, 1, &y, NULL, 2, in) ? y : NULL;
}

/* What is known of the type of x, of which the body takes elements; UNDEFINED where it is not known. */
static enum dtype dtype_of(const struct value *x, const struct value *taken)
{
    const enum dtype dtype = known_of(x).dtype;

    return dtype == UNDEFINED && taken->has_type ? taken->type.dtype : dtype;
}

/* The inputs of the body of a Loop that carries nothing yet; its first output. */
static bool begin_body(struct graph *body, struct value **at)
{
    struct value *goes = graph_value(body, NULL);

    *at = graph_value(body, NULL);
    body->input_count = body->output_count = 0;
    return goes && *at && graph_add_input(body, *at) && graph_add_input(body, goes) && graph_add_output(body, goes);
}

/* The body becomes one of a Loop, which takes elements of `x`, values around it, by itself. */
static bool change_body(struct emitter *e, const struct scan *a, struct graph *body, struct value *length,
                        struct value *const *x)
{
    struct emitter in = { .graph = body, .report = e->report };
    const size_t inputs = body->input_count, outputs = body->output_count, from = body->node_count;
    struct value **was = emit_alloc(e, (inputs + outputs) * sizeof(struct value *)), *at, *back = NULL;
    bool ok = was != NULL;

    if (!ok)
        return false;
    memcpy(was, body->inputs, inputs * sizeof(struct value *));
    if (outputs)
        memcpy(was + inputs, body->outputs, outputs * sizeof(struct value *));
    ok = begin_body(body, &at);
    for (int k = 0; ok && k < a->states; k++)
        ok = graph_add_input(body, was[k]);
    for (size_t k = 0; ok && k < outputs; k++)
        ok = graph_add_output(body, was[inputs + k]);
    for (int k = 0; ok && k < a->inputs; k++) {
        struct value *all = graph_capture(body, x[k]), *place = at;

        if (one_of(a->in_backwards, k) && !back) {
            struct value *end = graph_capture(body, length);

            back = end ? emit(&in, "Sub", "", 2, emit(&in, "Sub", "", 2, end, emit_scalar(&in, I64, 1)), at) : NULL;
        }
        if (one_of(a->in_backwards, k))
            place = back;
        ok = all && place &&
             value_becomes(was[a->states + k], element(&in, all, place, dtype_of(x[k], was[a->states + k])));
    }
    return ok && graph_begin_with(body, from);
}

/* Iterations of a body; the graph that owns it gets the Loop. `out`: final states, then scan outputs. */
static bool emit_loop(struct emitter *e, struct graph *body, struct value *length, int states,
                      struct value *const *state, int outputs, struct value **out)
{
    static const char *const names[] = { "body" };
    struct value **in = emit_alloc(e, (size_t)(CARRIED + states) * sizeof *in);

    if (!in)
        return false;
    in[M] = length;
    for (int k = 0; k < states; k++)
        in[CARRIED + k] = state[k];
    return emit_graphs(e, "Loop", 1, names, &body, outputs, out, CARRIED + states, in);
}

static bool expand_9(struct emitter *e, const struct node *n, struct value **out)
{
    const struct scan *a = n->attrs;
    struct value **x = emit_alloc(e, (size_t)a->inputs * sizeof(struct value *)), *size[2];
    const bool want[2] = { true, false };

    if (!x || !emit_private(e, &scan_size, a, 2, size, want, n->inputs, n->in))
        return false;
    for (int k = 0; k < a->inputs; k++)
        x[k] = with_axis(e, n->in[a->states + k],
                         (struct axis){ .number = k, .axis = one_of(a->in_axes, k), .first = true });
    if (e->failed || !change_body(e, a, n->graph_of[0], size[0], x) ||
        !emit_loop(e, n->graph_of[0], size[0], a->states, n->in, n->slots, out))
        return false;
    for (int k = 0; a->states + k < n->slots; k++)
        out[a->states + k] = with_axis(
            e, out[a->states + k],
            (struct axis){ .number = k, .axis = one_of(a->out_axes, k), .backwards = one_of(a->out_backwards, k) });
    return !e->failed;
}

/* -- as Loop in Loop -- */

/* y with zeros behind it, so that it is as long as `length` says. */
static struct value *padded(struct emitter *e, struct value *y, struct value *length, struct value *own)
{
    const int64_t zero = 0;
    struct value *none = emit_ints(e, 1, &zero);
    struct value *more = emit(e, "Unsqueeze", "", 2, emit(e, "Sub", "", 2, length, own), none);

    return emit(e, "Pad", "", 4, y, emit(e, "Concat", "axis=0", 2, none, more), NULL, none);
}

/* What is done for one sample: `one`, which is around the body and the body of the outer Loop. `lengths` may be NULL. */
static bool fill_sample(struct emitter *e, const struct scan *a, const struct node *n, struct graph *one,
                        struct value *lengths, struct value *longest)
{
    struct graph *body = n->graph_of[0];
    const int values = a->states + a->inputs;
    struct value **in = emit_alloc(e, (size_t)values * sizeof(struct value *));
    struct value **out = emit_alloc(e, (size_t)n->slots * sizeof(struct value *)), *sample, *length, *all;

    if (!in || !out || !begin_body(one, &sample) || !graph_nest(body, one) || !(all = graph_capture(one, longest)))
        return false;
    if (lengths && !(lengths = graph_capture(one, lengths)))
        return false;
    length = lengths ? element(e, lengths, sample, I64) : all;
    for (int k = 0; k < values; k++) {
        struct value *v = graph_capture(one, n->in[1 + k]);

        in[k] = v ? element(e, v, sample, dtype_of(n->in[1 + k], body->inputs[k])) : NULL;
        if (!in[k])
            return false;
    }
    if (!length || !change_body(e, a, body, length, in + a->states) ||
        !emit_loop(e, body, length, a->states, in, n->slots, out))
        return false;
    for (int k = 0; k < n->slots; k++) {
        if (lengths && k >= a->states)
            out[k] = padded(e, out[k], all, length);
        if (!out[k] || !graph_add_output(one, out[k]))
            return false;
    }
    return true;
}

static bool expand_8(struct emitter *e, const struct node *n, struct value **out)
{
    const struct scan *a = n->attrs;
    struct graph *one = graph_new(e->graph->arena, e->graph, n->graph_of[0]->path, e->report);
    struct emitter in = { .graph = one, .report = e->report };
    struct value *size[2], *lengths = NULL;

    if (!one || !emit_private(e, &scan_size, a, 2, size, NULL, n->inputs - 1, n->in + 1))
        return false;
    if (n->in[0] &&
        !emit_private(e, &scan_lengths, a, 1, &lengths, NULL, 3, (struct value *[]){ n->in[0], size[0], size[1] }))
        return false;
    one->stream = e->graph->streams++;
    if (!fill_sample(&in, a, n, one, lengths, size[0]) || in.failed) {
        graph_release(n->graph_of[0]);
        graph_release(one);
        return false;
    }
    return emit_loop(e, one, size[1], 0, NULL, n->slots, out);
}

/* -- test -- */

/* Two states, of which one is a weight that stays; an element forwards, one backwards; a captured value. */
#define LAYER                                                                                                          \
    "{ y0, y1, y2, y3 = Scan <num_scan_inputs = 2, scan_input_directions = [0, 1], body = b (double[2,3] h, "          \
    "double[3,3] u, double[2,2] g, double[2,3] f) => (double[2,3] k, double[3,3] u1, double[2,3] s, double[2,3] r) "   \
    "{ u1 = Identity (u) p = MatMul (g, x4) q = MatMul (h, u) o = Add (p, q) k = Tanh (o) s = Mul (k, h) "             \
    "r = Mul (s, f) }> (x0, x1, x2, x3) }"
/* Axes and directions of all kinds. */
#define AXES                                                                                                           \
    "{ y0, y1, y2, y3 = Scan <num_scan_inputs = 3, scan_input_axes = [1, -1, 2], scan_input_directions = [1, 0, 0], "  \
    "scan_output_axes = [2, -3, 1], scan_output_directions = [0, 0, 1], body = b (double[2,3] h, double[2,3] a, "      \
    "double[2] c, double[2,3] d) => (double[2,3] k, double[2,3] s, double[2,3] t, double[2] w) "                       \
    "{ m = Mul (h, a) k = Add (m, d) s = Sin (k) t = Mul (s, a) w = Exp (c) }> (x0, x1, x2, x3) }"
/* It is no float; it is left out; there is no state. */
#define COUNTED                                                                                                        \
    "{ y0, , y1 = Scan <num_scan_inputs = 1, body = b (int64 n, int64[2] e) => (int64 m, int64[2] s, int64 t) "        \
    "{ m = Add (n, n) s = Mul (e, m) t = Identity (n) }> (x0, x1) }"
#define MAPPED                                                                                                         \
    "{ y0 = Scan <num_scan_inputs = 1, scan_output_directions = [1], body = b (e) => (s) { s = Not (e) }> (x0) }"
#define MOVED(t)                                                                                                       \
    "{ a = Cast <to = " t "> (x0) b, c = Scan <num_scan_inputs = 1, scan_input_axes = [-1], scan_output_axes = [1], "  \
    "scan_input_directions = [1], body = b (h, e) => (h1, e1) { e1 = Identity (e) h1 = Identity (h) }> (a, a) "        \
    "y0 = Cast <to = 1> (b) y1 = Cast <to = 1> (c) }"

#define CASES_9                                                                                                        \
    { "f64[2,3] f64[3,3] f64[4,2,2] f64[4,2,3] f64[2,3]", LAYER, "f64[2,3] f64[3,3] f64[4,2,3] f64[4,2,3]", 31 },      \
        { "i64[] i64[3,2]", COUNTED, "i64[] i64[3]", 0 }, { "i64[] i64[0,2]", COUNTED, "i64[] i64[0]", 0 },            \
        { "bool[3,2]", MAPPED, "bool[3,2]", 0 },                                                                       \
    {                                                                                                                  \
        "f64[2,3] f64[3,3] f64[0,2,2] f64[0,2,3] f64[2,3]", LAYER, "f64[2,3] f64[3,3] f64[0,2,3] f64[0,2,3]", 3        \
    }
#define CASES_11                                                                                                       \
    CASES_9,                                                                                                           \
    {                                                                                                                  \
        "f64[2,3] f64[2,4,3] f64[2,4] f64[2,3,4]", AXES, "f64[2,3] f64[2,3,4] f64[4,2,3] f64[2,4]", 15                 \
    }

static const struct op_case cases_9[] = { CASES_9, { 0 } };
static const struct op_case cases_11[] = { CASES_11, { 0 } };
static const struct op_case cases_19[] = { CASES_11, { "f32[3,3]", MOVED("17"), "f32[3,3] f32[3,3]", 0 }, { 0 } };
static const struct op_case cases_21[] = { CASES_11, { "f32[3,3]", MOVED("22"), "f32[3,3] f32[3,3]", 0 }, { 0 } };

#define SUMMED(lengths, backwards)                                                                                     \
    "{ y0, y1 = Scan <num_scan_inputs = 1, directions = [" backwards "], body = b (double[2] h, double[2] e) => "      \
    "(double[2] k, double[2] s) { m = Mul (h, x2) k = Add (m, e) s = Tanh (k) }> (" lengths ", x0, x1) }"

static const struct op_case cases_8[] = {
    { "f64[3,2] f64[3,4,2] f64[2]", SUMMED("", "0"), "f64[3,2] f64[3,4,2]", 7 },
    { "f64[3,2] f64[3,4,2] f64[2]", SUMMED("", "1"), "f64[3,2] f64[3,4,2]", 7 },
    { "f64[3,2] f64[3,4,2] f64[2] i64[3]{4,0,2}", SUMMED("x3", "1"), "f64[3,2] f64[3,4,2]", 0 },
    { "f64[3,2] f64[3,0,2] f64[2]", SUMMED("", "0"), "f64[3,2] f64[3,0,2]", 1 },
    { "f64[0,2] f64[0,4,2] f64[2]", SUMMED("", "0"), "f64[0,2] f64[0,4,2]", 0 },
    { 0 },
};

#define ROW(version, more, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "V initial_state_and_scan_inputs* -> V final_state_and_scan_outputs*",          \
        .types = "V: all" more, .attrs_size = sizeof(struct scan), .parse = parse_9, .expand = expand_9,               \
        .cases = tests                                                                                                 \
    }

const struct op op_scan = {
    .name = "Scan",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, " bf16 ir13", cases_21),
                                     ROW(24, " bf16 ir12", cases_21),
                                     ROW(23, " bf16 ir11", cases_21),
                                     ROW(21, " bf16 ir10", cases_21),
                                     ROW(19, " bf16 ir9", cases_19),
                                     ROW(16, " bf16", cases_11),
                                     ROW(11, "", cases_11),
                                     ROW(9, "", cases_9),
                                     { .since = 8,
                                       .signature = "I sequence_lens?, V initial_state_and_scan_inputs* -> "
                                                    "V final_state_and_scan_outputs*",
                                       .types = "I: i64; V: all",
                                       .attrs_size = sizeof(struct scan),
                                       .parse = parse_8,
                                       .expand = expand_8,
                                       .cases = cases_8 },
                                     { 0 } },
};
