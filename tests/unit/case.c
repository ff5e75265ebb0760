#include "case.h"
#include "base/random.h"
#include "base/text.h"
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "ops/convert.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/node.h"
#include "plan/given.h"
#include "plan/pass.h"
#include "run/sizes.h"
#include "tensor/pairs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- elements -- */

double case_value(const struct tensor *t, int64_t k)
{
    const char *const x = (const char *)t->data + (size_t)k * dtype_size(t->dtype);
    const enum dtype_class class = dtype_traits[t->dtype].class;
    double v = 0;

    if (class != CLASS_STRING && class != CLASS_COMPLEX)
        convert(&(struct conversion){ t->dtype, F64, ROUNDING_DEFAULT }, x, &v, 1);
    return v;
}

/* Integers by way of int64, so that those without a sign take -1 too. A complex number gets its real part. */
void case_set(const struct tensor *t, int64_t k, double x)
{
    char *const to = (char *)t->data + (size_t)k * dtype_size(t->dtype);
    const enum dtype_class class = dtype_traits[t->dtype].class;
    const bool integer = class == CLASS_INT || class == CLASS_UINT;
    const enum dtype as = t->dtype == C64 ? F32 : t->dtype == C128 ? F64 : t->dtype;
    const int64_t whole = integer ? (int64_t)fmin(fmax(x, -9e18), 9e18) : 0;

    if (class == CLASS_BOOL)
        *to = x > 0;
    else if (class != CLASS_STRING) /* the empty string */
        convert(&(struct conversion){ integer ? I64 : F64, as, ROUNDING_DEFAULT }, integer ? (const void *)&whole : &x,
                to, 1);
}

/* Small numbers, so that integers hold them too. '~': all different and far apart, in a mixed order; '+': positive. */
static void draw(const struct case_tensor *c, uint64_t stream)
{
    const int64_t n = tensor_count(&c->t);
    const bool whole = !dtype_is_float(c->t.dtype);

    for (int64_t k = 0; k < n; k++) {
        enum { BLOCK = 256 }; /* one by one they take as long as so many */
        static float drawn[BLOCK];
        float u;
        double x;

        if (k % BLOCK == 0)
            random_uniform(drawn, n - k < BLOCK ? n - k : BLOCK, 7, stream, (uint64_t)k);
        u = drawn[k % BLOCK];
        if (c->draw == '~')
            x = ((double)((k * 7919 + 3) % (n | 1)) - (double)(n | 1) / 2) * 0.37 + 0.05;
        else if (c->draw == '+')
            x = 0.2 + 1.6 * (double)u;
        else
            x = 2.4 * (double)u - 1.2;
        if (whole)
            x = c->draw == '+'                                ? 1 + floor(3 * (double)u)
                : dtype_traits[c->t.dtype].class == CLASS_INT ? round(2 * x)
                                                              : floor(3 * (double)u);
        case_set(&c->t, k, x);
    }
}

/* -- reading a case -- */

/* 'a text', element k; moves *at past it. */
static bool read_string(struct case_graph *c, const struct tensor *t, int64_t k, const char **at)
{
    const char *const end = **at == '\'' ? strchr(*at + 1, '\'') : NULL;
    const size_t length = end ? (size_t)(end - *at) - 1 : 0;
    struct string *s = arena_alloc(&c->arena, sizeof *s + length, &c->report);

    if (!end || !s)
        return false;
    s->length = length;
    memcpy(s->bytes, *at + 1, length);
    ((struct string **)t->data)[k] = s;
    *at = end + 1;
    return true;
}

/* One of the values themselves; moves *at past it. */
static bool read_element(struct case_graph *c, const struct tensor *t, int64_t k, const char **at)
{
    const char *const s = *at;
    char *end;

    if (t->dtype == STRING)
        return read_string(c, t, k, at);
    case_set(t, k, strtod(s, &end));
    *at = end;
    return end > s;
}

/* "f32[2,3]+{...}" or "-"; moves *at past it. */
static bool read_tensor(struct case_graph *c, struct case_tensor *out, const char **at)
{
    const char *s = *at + strspn(*at, " ");
    const size_t n = strcspn(s, "[");
    int64_t dims[MAX_RANK];
    int rank = 0;

    *out = (struct case_tensor){ .t = { .rank = UNKNOWN } };
    if (*s == '-') {
        *at = s + 1;
        return true;
    }
    out->t.dtype = dtype_of_code(s, n);
    if (out->t.dtype == UNDEFINED || s[n] != '[')
        return false;
    for (s += n + 1; *s && *s != ']'; s += *s == ',') {
        char *end;

        if (rank == MAX_RANK)
            return false;
        dims[rank++] = strtoll(s, &end, 10);
        if (end == s)
            return false;
        s = end;
    }
    if (*s++ != ']' || !tensor_shape(&out->t, out->t.dtype, rank, dims))
        return false;
    out->t.data = arena_alloc(&c->arena, (size_t)tensor_bytes(&out->t), &c->report);
    if (*s == '+' || *s == '~')
        out->draw = *s++;
    if (*s == '{') {
        out->given = true;
        s++;
        for (int64_t k = 0; k < tensor_count(&out->t); k++, s += *s == ',')
            if (!out->t.data || !read_element(c, &out->t, k, &s))
                return false;
        if (*s++ != '}')
            return false;
    }
    *at = s;
    return out->t.data != NULL;
}

static bool is_holder(const char *s)
{
    return strncmp(s, "seq(", 4) == 0 || strncmp(s, "opt(", 4) == 0 || strncmp(s, "map(", 4) == 0;
}

static bool read_value(struct case_graph *c, struct case_tensor *out, const char **at);

/* "map(str[2]{'a','b'},f32[2])": its keys, which ascend, and their values; "map(str,f32)" is a type alone. */
static bool read_map(struct case_graph *c, struct case_tensor *out, const char **at)
{
    struct pairs *p = arena_alloc(&c->arena, sizeof *p, &c->report);
    struct case_tensor keys, values;

    *at += 4;
    if (!p || !read_value(c, &keys, at) || *(*at)++ != ',' || !read_value(c, &values, at) || *(*at)++ != ')')
        return false;
    *p = (struct pairs){ keys.t, values.t };
    *out = (struct case_tensor){ .t = map_type(keys.t.dtype, values.t.dtype) };
    out->t.data = keys.t.rank == 1 ? p : NULL;
    return true;
}

/* "seq(f32[2],f32[3])", "opt(seq(f32[2]))"; "seq(f32)" and "opt(f32)" hold nothing. */
static bool read_holder(struct case_graph *c, struct case_tensor *out, const char **at)
{
    const enum kind kind = **at == 's' ? SEQUENCE : OPTIONAL;
    struct case_tensor item = { .t = { .rank = UNKNOWN } };
    struct sequence *items = arena_alloc(&c->arena, sizeof *items + MAX_CASE * sizeof *items->items, &c->report);
    struct optional *maybe = arena_alloc(&c->arena, sizeof *maybe, &c->report);
    const char *s = *at + 4;

    if (**at == 'm')
        return read_map(c, out, at);
    if (!items || !maybe)
        return false;
    for (; *s && *s != ')'; s += *s == ',') {
        if (items->count == MAX_CASE || !read_value(c, &item, &s))
            return false;
        if (item.t.kind == MAP ? item.t.data != NULL : item.t.kind != TENSOR || item.t.rank >= 0)
            items->items[items->count++] = item.t;
    }
    *maybe = (struct optional){ .present = items->count, .value = items->items[0] };
    *out = (struct case_tensor){ .t = { .kind = kind,
                                        .element = { { item.t.kind, item.t.key } },
                                        .dtype = item.t.dtype,
                                        .rank = UNKNOWN,
                                        .data = kind == SEQUENCE ? (void *)items : maybe } };
    memcpy(out->t.element + 1, item.t.element, sizeof item.t.element - sizeof *item.t.element);
    *at = s + 1;
    return *s == ')';
}

/* A tensor, or what holds such; or a code alone, in what holds nothing. */
static bool read_value(struct case_graph *c, struct case_tensor *out, const char **at)
{
    const size_t n = strcspn(*at, "[,()");

    if (is_holder(*at))
        return read_holder(c, out, at);
    if ((*at)[n] == '[') {
        if (!read_tensor(c, out, at))
            return false;
        if (!out->given)
            draw(out, 0);
        return true;
    }
    *out = (struct case_tensor){ .t = { .dtype = dtype_of_code(*at, n), .rank = UNKNOWN } };
    *at += n;
    return out->t.dtype != UNDEFINED;
}

static bool retype(struct case_graph *c, struct tensor *t, enum dtype dtype)
{
    struct tensor from = *t;

    if (t->rank < 0 || t->dtype == dtype)
        return true;
    t->dtype = dtype;
    t->data = from.data ? arena_alloc(&c->arena, (size_t)tensor_bytes(t), &c->report) : NULL;
    for (int64_t k = 0; t->data && k < tensor_count(t); k++)
        case_set(t, k, case_value(&from, k));
    return !from.data || t->data;
}

static enum dtype varied(const struct signature *s, const struct formal *f, enum dtype own,
                         const struct case_variant *v)
{
    if (f && v->dtype != UNDEFINED && f->var == v->var)
        return v->dtype;
    if (f && v->all_f64 && own == F32 && s->var[f->var].set.tensor >> F64 & 1)
        return F64;
    return own;
}

static bool read_case(struct case_graph *c, const struct signature *s, const struct op_case *oc,
                      const struct case_variant *v)
{
    const char *at = oc->inputs;
    struct case_tensor out;

    for (at += strspn(at, " "); *at; at += strspn(at, " "), c->inputs++) {
        struct case_tensor *t = &c->in[c->inputs];

        if (c->inputs == MAX_CASE || !(is_holder(at) ? read_holder : read_tensor)(c, t, &at) ||
            !retype(c, &t->t, varied(s, signature_in(s, c->inputs), t->t.dtype, v)))
            return fail(&c->report, KILN_BAD_ARGUMENT, NULL, "inputs '%s' are malformed", oc->inputs);
        if (t->t.rank >= 0 && !t->given)
            draw(t, (uint64_t)c->inputs);
    }
    for (at = oc->outputs + strspn(oc->outputs, " "); *at; at += strspn(at, " "), c->outputs++) {
        if (c->outputs == MAX_CASE || !(is_holder(at) ? read_holder : read_tensor)(c, &out, &at))
            return fail(&c->report, KILN_BAD_ARGUMENT, NULL, "outputs '%s' are malformed", oc->outputs);
        c->expected[c->outputs] = out.t;
        c->expected[c->outputs].data = NULL;
        if (out.t.rank >= 0)
            c->expected[c->outputs].dtype = varied(s, signature_out(s, c->outputs), out.t.dtype, v);
    }
    return true;
}

int case_operators(void)
{
    int n = 0;

    while (op_registry[n])
        n++;
    return n;
}

/* -- making the graph -- */

/* Is input or output k one of those that may lie with their channels last? */
static bool goes_last(const struct case_graph *c, const struct tensor *t)
{
    return c->in[0].t.rank >= 2 && t->kind == TENSOR && t->rank == c->in[0].t.rank;
}

static bool is_first(const struct op_def *def, int input) /* or another of the same variadic input */
{
    struct signature s;

    return signature_read(&s, def) && signature_in(&s, input) == signature_in(&s, 0);
}

/* The node's attributes with channels last. */
static bool put_last(struct case_graph *c)
{
    void *attrs = arena_alloc(&c->arena, c->node->def->attrs_size, &c->report);

    if (!attrs)
        return false;
    memcpy(attrs, c->node->attrs, c->node->def->attrs_size);
    c->node->attrs = attrs;
    return c->node->def->channels_last(c->node, c->in[0].t.rank, attrs);
}

bool case_goes_last(const struct case_graph *c)
{
    const enum dtype x = c->in[0].t.dtype;
    struct case_graph probe = *c;
    struct node node = *c->node;

    probe.node = &node;
    /* of an expansion the node is its last one, which need not read input 0 */
    return c->node->in[0] == c->in_value[0] && c->node->def->channels_last && c->in[0].t.rank >= 3 &&
           c->in[0].t.rank <= 4 && (x == F32 || (c->node->def->flags & OP_BYTES_LAST && (x == I8 || x == U8))) &&
           put_last(&probe);
}

static bool make_inputs(struct case_graph *c, const struct case_variant *v)
{
    for (int k = 0; k < c->inputs; k++) {
        if (!case_given(&c->in[k].t))
            continue;
        c->in_value[k] = graph_value(c->graph, NULL);
        if (!c->in_value[k])
            return false;
        if ((c->in[k].given && !v->run_time) || (v->fixed && k))
            c->in_value[k]->initializer = &c->in[k].t;
        else
            graph_add_input(c->graph, c->in_value[k]);
    }
    return true;
}

/* What the caller sees of output k, of what the node makes. */
static bool finish_output(struct case_graph *c, int k, struct emitter *e, const struct case_variant *v)
{
    struct value *out = c->out_value[k];

    if (out && v->followed && dtype_is_float(c->expected[k].dtype) && !dtype_is_small(c->expected[k].dtype) &&
        c->expected[k].kind == TENSOR)
        out = emit(e, "Neg", NULL, 1, emit(e, "Neg", NULL, 1, out));
    if (out && v->last && goes_last(c, &c->expected[k]))
        out = emit_layout(e, out, c->expected[k].rank, false);
    c->out_value[k] = out;
    return out && graph_add_output(c->graph, out);
}

static bool make_graph(struct case_graph *c, const struct op *op, const struct op_def *def, const struct op_case *oc,
                       const struct case_variant *v)
{
    struct value *in[MAX_CASE] = { 0 };
    struct node_spec spec = { .op = op,
                              .def = def,
                              .name = "case",
                              .index = 0,
                              .opset = def->since,
                              .in = in,
                              .inputs = c->inputs,
                              .out = c->out_value,
                              .outputs = c->outputs };
    struct emitter e = { .report = &c->report };
    bool ok;

    c->graph = e.graph = graph_new(&c->arena, NULL, "case", &c->report);
    if (!c->graph || !attrs_of_text(oc->attrs, &c->arena, &spec.attrs, &spec.attr_count, &c->report) ||
        !make_inputs(c, v))
        return false;
    for (int k = 0; k < c->inputs; k++)
        in[k] = c->in_value[k] && v->last && is_first(def, k) ? emit_layout(&e, c->in_value[k], c->in[k].t.rank, true)
                                                              : c->in_value[k];
    for (int k = 0; k < c->outputs; k++)
        if (case_given(&c->expected[k]))
            c->out_value[k] = graph_value(c->graph, NULL);
    c->node = node_make(c->graph, &spec, &c->report);
    ok = c->node && (!v->last || put_last(c)) && (!v->lowered || pass_lower(c->node, &c->report));
    for (int k = 0; ok && k < c->outputs; k++)
        ok = !case_given(&c->expected[k]) || finish_output(c, k, &e, v);
    return ok && !failed(&c->report);
}

/* -- from nodes -- */

/* The newest opset in which the row is in force. */
static int opset_of(const struct op *op, const struct op_def *def)
{
    return def == op->defs ? newest_opset_of(op->domain) : def[-1].since - 1;
}

/* What a file imports for it. */
static void put_opsets(struct text *to, const struct op *op, const struct op_def *def)
{
    if (*op->domain)
        text_printf(to, "\"\": %d, ", (int)NEWEST_OPSET);
    text_printf(to, "\"%s\": %d", op->domain, opset_of(op, def));
}

/* "float[2,3] x0, int64[] x1" */
static void put_formals(struct text *to, const char *name, int count,
                        const struct tensor *(*type)(struct case_graph *, int), struct case_graph *c)
{
    for (int k = 0; k < count; k++) {
        const struct tensor *t = type(c, k);

        text_printf(to, "%s%s", k ? ", " : "", dtype_name(t->dtype));
        for (int d = 0; d < t->rank; d++)
            text_printf(to, "%s%lld", d ? "," : "[", (long long)t->dims[d]);
        text_printf(to, "%s %s%d", t->rank ? "]" : "", name, k);
    }
}

static const struct tensor *input_type(struct case_graph *c, int k)
{
    return &c->in[k].t;
}

static const struct tensor *output_type(struct case_graph *c, int k)
{
    return &c->expected[k];
}

static void drop_input(struct graph *g, size_t k)
{
    memmove(&g->inputs[k], &g->inputs[k + 1], (g->input_count - k - 1) * sizeof *g->inputs);
    g->input_count--;
}

static bool make_from_nodes(struct case_graph *c, const struct op *op, const struct op_def *def,
                            const struct op_case *oc, const struct case_variant *v)
{
    struct text t = { .budget = &c->budget, .report = &c->report };

    text_printf(&t, "<ir_version: 10, opset_import: [");
    put_opsets(&t, op, def);
    text_printf(&t, "]> g (");
    put_formals(&t, "x", c->inputs, input_type, c);
    text_printf(&t, ") => (");
    put_formals(&t, "y", c->outputs, output_type, c);
    text_printf(&t, ") %s", oc->attrs);
    c->model = t.failed ? NULL : model_read_bytes(t.data, t.length, NULL, &c->report);
    text_release(&t);
    if (!c->model || !model_build(c->model, &c->report))
        return false;
    c->graph = c->model->graph;
    for (size_t k = 0; k < c->graph->node_count; k++) {
        struct node *n = c->graph->nodes[k];

        while (n->origin)
            n = n->origin;
        if (n->def == def)
            c->node = n;
    }
    if (!c->node)
        return fail(&c->report, KILN_BAD_ARGUMENT, NULL, "the nodes '%s' have none of this row", oc->attrs);
    for (int k = 0; k < c->inputs; k++)
        c->in_value[k] = c->graph->inputs[k];
    for (int k = 0; k < c->outputs; k++)
        c->out_value[k] = c->graph->outputs[k];
    for (int k = c->inputs; k-- > 0;)
        if ((c->in[k].given && !v->run_time) || (v->fixed && k)) {
            c->in_value[k]->initializer = &c->in[k].t;
            c->in_value[k]->is_input = false;
            drop_input(c->graph, (size_t)k);
        }
    return true;
}

bool case_fits(const struct case_graph *c, const struct op_def *def)
{
    struct signature s;

    if (c->model)
        return true;
    if (!signature_read(&s, def))
        return false;
    for (int k = 0; k < c->inputs; k++)
        if (c->in_value[k] && !type_set_has(&s.var[signature_in(&s, k)->var].set, &c->in[k].t))
            return false;
    return true;
}

bool case_make(struct case_graph *c, const struct op *op, const struct op_def *def, const struct op_case *oc,
               const struct case_variant *v)
{
    struct signature s;

    memset(c, 0, sizeof *c);
    c->arena.budget = &c->budget;
    if (!signature_read(&s, def))
        return fail(&c->report, KILN_BAD_ARGUMENT, NULL, "the signature is malformed");
    c->engine = (struct engine){ .kernels = v->kernels ? v->kernels : kernels_get(),
                                 .budget = &c->budget,
                                 .prepared.budget = &c->budget,
                                 .seed = 5,
                                 .number = 3 };
    if (v->threads > 1)
        c->engine.pool = pool_new(v->threads, &c->budget, &c->report);
    return read_case(c, &s, oc, v) && (case_gives_nodes(oc) ? make_from_nodes : make_graph)(c, op, def, oc, v);
}

void case_release(struct case_graph *c)
{
    if (c->model)
        model_free(c->model);
    else
        graph_release(c->graph);
    prepared_free(&c->engine.prepared);
    pool_free(c->engine.pool);
    arena_release(&c->arena);
}

struct frame *case_frame(struct case_graph *c, const struct graph *g)
{
    struct frame *f = frame_new(&c->engine, g, &c->report);

    for (int k = 0; f && k < c->inputs; k++)
        if (c->in_value[k] && !c->in_value[k]->initializer)
            frame_set(f, g->values[c->in_value[k]->id], &c->in[k].t);
    return f;
}

/* -- gradients -- */

double case_weight(int output, int64_t k)
{
    return sin(1.7 * (double)k + output + 0.3);
}

/* What flows in, for each float output. */
static bool seed(struct case_graph *c, struct case_gradients *d, struct grad_request *q, struct value **from)
{
    for (int o = 0; o < c->outputs; o++) {
        const struct tensor *t = c->out_value[o] ? &d->types->types[c->out_value[o]->id] : NULL;
        struct tensor *upstream = &d->upstream[q->seeds];

        if (t && t->kind == TENSOR && !tensor_known(t) && dtype_is_float(c->expected[o].dtype))
            return fail(&c->report, KILN_UNSUPPORTED, NULL,
                        "output %d has a size that only running can tell: no gradient can be planned", o);
        if (!t || !dtype_is_float(t->dtype) || !tensor_known(t))
            continue;
        *upstream = *t;
        upstream->data = arena_alloc(&c->arena, (size_t)tensor_bytes(t), &c->report);
        d->flow[q->seeds] = graph_value(d->graph, NULL);
        if (!upstream->data || !d->flow[q->seeds])
            return false;
        for (int64_t k = 0; k < tensor_count(t); k++)
            case_set(upstream, k, case_weight(o, k));
        from[q->seeds] = d->graph->values[c->out_value[o]->id];
        d->flow[q->seeds++]->initializer = upstream;
    }
    return true;
}

bool case_in_doubles(const struct case_graph *c, const struct tensor *x)
{
    bool all = x->dtype == F64;

    for (int o = 0; o < c->outputs; o++)
        if (c->out_value[o] && dtype_is_float(c->expected[o].dtype) && c->expected[o].dtype != F64)
            all = false;
    return all;
}

/* What becomes an input becomes a constant. */
static bool hold(struct case_graph *c, struct graph *g, const struct found *found)
{
    for (size_t k = 0; k < found->count; k++) {
        const struct tensor *now = &found->at[k].now;
        struct value *v = g->values[found->at[k].id];
        struct tensor *t;

        if (!found_is_input(&found->at[k], g))
            continue;
        t = arena_alloc(&c->arena, sizeof *t, &c->report);
        if (!t)
            return false;
        *t = *now;
        t->data = arena_alloc(&c->arena, (size_t)tensor_bytes(now), &c->report);
        if (!t->data)
            return false;
        if (tensor_bytes(now))
            memcpy(t->data, now->data, (size_t)tensor_bytes(now));
        v->initializer = t;
        g->input_count--; /* the latest ones */
    }
    return true;
}

/* Sizes that only running tells, and that floats need, are those of these inputs. */
static bool find_sizes(struct case_graph *c, struct case_gradients *d, const struct tensor *tensors)
{
    struct graph *g = graph_clone(d->graph, &c->arena, &c->report);
    struct sizes *s = NULL;
    const struct found *found = NULL;
    size_t outputs = 0;
    bool ok;

    for (size_t k = 0; g && k < g->output_count; k++)
        if (!c->out_value[k] || dtype_is_float(c->expected[k].dtype))
            g->outputs[outputs++] = g->outputs[k];
    if (g) {
        g->output_count = outputs;
        s = sizes_new(&c->engine, g, false, &c->report);
        found = s ? sizes_settle(s, tensors, NULL, &c->report) : NULL;
    }
    ok = found && found_put(found, d->graph) && hold(c, d->graph, found);
    sizes_free(s);
    graph_release(g);
    return ok;
}

bool case_differentiate(struct case_graph *c, const struct op_case *oc, struct case_gradients *d)
{
    const struct plan_context pc = {
        .kernels = c->engine.kernels, .threads = 1, .budget = &c->budget, .report = &c->report
    };
    struct tensor *tensors = NULL;
    struct value *from[MAX_CASE];
    struct grad_request q = { .seed = from, .seed_gradient = d->flow, .wrt = d->wrt, .gradient = d->gradient };

    memset(d, 0, sizeof *d);
    d->graph = graph_clone(c->graph, &c->arena, &c->report);
    for (int turn = 0; d->graph && turn < 2; turn++) { /* again, when the graph has grown */
        tensors = given_types(d->graph, &c->arena, &c->report);
        for (int k = 0; tensors && k < c->inputs; k++)
            if (c->in_value[k])
                tensors[c->in_value[k]->id] = c->in[k].t;
        if (!tensors || (!turn && !grad_expand(d->graph, tensors, NULL, &pc)))
            return false;
    }
    d->types = tensors ? plan_types(d->graph, tensors, NULL, &pc) : NULL;
    if (d->types && found_open(d->types)) {
        program_free(d->types);
        d->types = NULL;
        if (!find_sizes(c, d, tensors))
            return false;
        tensors = given_types(d->graph, &c->arena, &c->report);
        for (int k = 0; tensors && k < c->inputs; k++)
            if (c->in_value[k] && !d->graph->values[c->in_value[k]->id]->initializer)
                tensors[c->in_value[k]->id] = c->in[k].t;
        d->types = tensors ? plan_types(d->graph, tensors, NULL, &pc) : NULL;
    }
    if (!d->types || !seed(c, d, &q, from))
        return false;
    for (int k = 0; k < c->inputs; k++)
        if (oc->differentiate >> k & 1) {
            d->of[q.count] = k;
            d->wrt[q.count++] = d->graph->values[c->in_value[k]->id];
        }
    q.graph = d->graph;
    q.types = d->types->types;
    d->count = q.count;
    d->flows = q.seeds;
    if (!grad_build(&q, &pc))
        return false;
    d->graph->output_count = 0;
    for (size_t k = 0; k < d->count; k++)
        if (!d->gradient[k])
            return fail(&c->report, KILN_BAD_MODEL, NULL, "no gradient flows to input %d", d->of[k]);
        else if (!graph_add_output(d->graph, d->gradient[k]))
            return false;
    return true;
}

void case_gradients_release(struct case_gradients *d)
{
    program_free(d->types);
    graph_release(d->graph);
}
