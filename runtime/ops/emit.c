#include "ops/convert.h"
#include "ops/node.h"
#include "ops/signature.h"
#include "tensor/half.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- attributes as text -- */

enum { MAX_TEXT_ATTRS = 24, MAX_TEXT_LIST = 64 };

static bool malformed(const char *text, struct report *r)
{
    return fail(r, KILN_BAD_ARGUMENT, NULL, "the attributes '%s' are malformed", text);
}

/* A number: an int where it has neither point nor exponent. */
static const char *read_number(const char *s, bool *is_float, int64_t *i, float *f)
{
    const size_t n = strspn(s, "+-0123456789.eEinfaN");
    char *end;

    *is_float = memchr(s, '.', n) || memchr(s, 'e', n) || memchr(s, 'E', n) || memchr(s, 'n', n);
    errno = 0;
    if (*is_float)
        *f = strtof(s, &end);
    else
        *i = strtoll(s, &end, 10);
    if (!*is_float)
        *f = (float)*i;
    return end == s || end != s + n || (errno && !*is_float) ? NULL : end;
}

/* A copy: the node keeps it (struct node, said). */
static const char *read_text(const char *s, struct bytes *text, struct arena *arena, struct report *r)
{
    const char *end = strchr(s + 1, '\'');

    if (!end)
        return NULL;
    *text = (struct bytes){ (size_t)(end - s - 1), arena_string(arena, s + 1, (size_t)(end - s - 1), r) };
    return text->data ? end + 1 : NULL;
}

static const char *read_strings(const char *s, struct attr *a, struct arena *arena, struct report *r)
{
    struct bytes *strings = arena_array(arena, MAX_TEXT_LIST, sizeof *strings, r);

    a->type = ATTR_STRINGS;
    a->strings = strings;
    for (s++; strings && *s == '\''; s += *s == ',')
        if (a->count == MAX_TEXT_LIST || !(s = read_text(s, &strings[a->count++], arena, r)))
            return NULL;
    return strings && *s == ']' ? s + 1 : NULL;
}

static const char *read_list(const char *s, struct attr *a, struct arena *arena, struct report *r)
{
    int64_t *ints = arena_array(arena, MAX_TEXT_LIST, sizeof *ints, r);
    float *floats = arena_array(arena, MAX_TEXT_LIST, sizeof *floats, r);

    if (!ints || !floats)
        return NULL;
    a->type = ATTR_INTS;
    a->ints = ints;
    a->floats = floats;
    for (s++; *s && *s != ']'; s += *s == ',') {
        bool is_float;

        if (a->count == MAX_TEXT_LIST || !(s = read_number(s, &is_float, &ints[a->count], &floats[a->count])))
            return NULL;
        if (is_float)
            a->type = ATTR_FLOATS;
        a->count++;
    }
    return *s == ']' ? s + 1 : NULL;
}

/* Element k of a tensor, a number or a text. */
static const char *read_element(const char *s, const struct tensor *t, int64_t k, struct arena *arena, struct report *r)
{
    const enum dtype_class class = dtype_traits[t->dtype].class;
    char *const to = (char *)t->data + (size_t)k * dtype_size(t->dtype);
    struct bytes text;
    struct string *string;
    int64_t i;
    char *end;

    if (class == CLASS_INT || class == CLASS_UINT) {
        i = strtoll(s, &end, 10);
        convert(&(struct conversion){ I64, t->dtype, ROUNDING_DEFAULT }, &i, to, 1);
        return end > s ? end : NULL;
    }
    if (class != CLASS_STRING) {
        const double real = strtod(s, &end);

        convert(&(struct conversion){ F64, t->dtype, ROUNDING_DEFAULT }, &real, to, 1);
        return end > s ? end : NULL;
    }
    if (*s != '\'' || !(s = read_text(s, &text, arena, r)) ||
        !(string = arena_alloc(arena, sizeof *string + text.length, r)))
        return NULL;
    string->length = text.length;
    memcpy(string->bytes, text.data, text.length);
    ((struct string **)t->data)[k] = string;
    return s;
}

/* "f64[2,1]{0.5,-1}": all elements, or none, which are 0 then. Behind the name of the type, which is not complex. */
static const char *read_tensor(const char *s, enum dtype dtype, struct attr *a, struct arena *arena, struct report *r)
{
    struct tensor *t = arena_alloc(arena, sizeof *t, r);
    int64_t dims[MAX_RANK];
    int rank = 0;

    for (s++; *s && *s != ']'; s += *s == ',') {
        char *end;

        if (rank == MAX_RANK)
            return NULL;
        dims[rank++] = strtoll(s, &end, 10);
        if (end == s)
            return NULL;
        s = end;
    }
    if (*s != ']' || !t || !tensor_shape(t, dtype, rank, dims) || dtype_traits[dtype].class == CLASS_COMPLEX ||
        !(t->data = arena_alloc(arena, (size_t)tensor_bytes(t), r)))
        return NULL;
    a->type = ATTR_TENSOR;
    a->tensor = t;
    if (*++s != '{')
        return s;
    s++;
    for (int64_t k = 0; k < tensor_count(t); k++, s += *s == ',')
        if (!(s = read_element(s, t, k, arena, r)))
            return NULL;
    return *s == '}' ? s + 1 : NULL;
}

static const char *read_value(const char *s, struct attr *a, struct arena *arena, struct report *r)
{
    const size_t word = strcspn(s, "[ ");
    const enum dtype dtype = dtype_of_code(s, word);
    bool is_float;

    if (dtype && s[word] == '[')
        return read_tensor(s + word, dtype, a, arena, r);
    if (*s == '\'') {
        a->type = ATTR_STRING;
        return read_text(s, &a->s, arena, r);
    }
    if (s[0] == '[' && s[1] == '\'')
        return read_strings(s, a, arena, r);
    if (*s == '[')
        return read_list(s, a, arena, r);
    s = read_number(s, &is_float, &a->i, &a->f);
    a->type = is_float ? ATTR_FLOAT : ATTR_INT;
    return s;
}

bool attrs_of_text(const char *text, struct arena *arena, struct attr **attrs, size_t *count, struct report *r)
{
    const char *s = text ? text : "";

    *count = 0;
    *attrs = arena_array(arena, MAX_TEXT_ATTRS, sizeof **attrs, r);
    if (!*attrs)
        return false;
    for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
        const size_t n = strcspn(s, "= ");
        struct attr *a = &(*attrs)[*count];

        if (s[n] != '=' || *count == MAX_TEXT_ATTRS)
            return malformed(text, r);
        a->name = arena_string(arena, s, n, r);
        s = read_value(s + n + 1, a, arena, r);
        if (!s || !a->name)
            return malformed(text, r);
        ++*count;
    }
    return true;
}

/* -- emitting -- */

static bool emit_make(struct emitter *e, const struct op *op, const struct op_def *def, const char *attrs,
                      const void *parsed, int outputs, struct value **out, int inputs, struct value *const *in)
{
    struct node_spec spec = { .op = op,
                              .def = def,
                              .index = -1,
                              .opset = NEWEST_OPSET,
                              .parsed = parsed,
                              .inputs = inputs,
                              .in = in,
                              .outputs = outputs,
                              .out = out };

    if (!parsed && !attrs_of_text(attrs, e->graph->arena, &spec.attrs, &spec.attr_count, e->report))
        e->failed = true;
    if (e->failed || !node_make(e->graph, &spec, e->report))
        e->failed = true;
    return !e->failed;
}

static bool make_outputs(struct emitter *e, int outputs, struct value **out, const bool *want)
{
    for (int k = 0; k < outputs; k++) {
        out[k] = NULL;
        if (!e->failed && (!want || want[k]) && !(out[k] = graph_value(e->graph, NULL)))
            e->failed = true;
    }
    return !e->failed;
}

bool emit_many(struct emitter *e, const char *name, const char *attrs, int outputs, struct value **out, int inputs,
               struct value *const *in)
{
    const struct op *op = op_find("", name);

    if (!op && !e->failed)
        e->failed = !fail(e->report, KILN_UNSUPPORTED, NULL, "operator '%s' is needed, but not supported", name);
    return make_outputs(e, outputs, out, NULL) && emit_make(e, op, op->defs, attrs, NULL, outputs, out, inputs, in);
}

bool emit_graphs(struct emitter *e, const char *name, int graphs, const char *const *names, struct graph *const *graph,
                 int outputs, struct value **out, int inputs, struct value *const *in)
{
    const struct op *op = op_find("", name);
    struct attr *attrs = emit_alloc(e, (size_t)graphs * sizeof *attrs);
    struct node_spec spec = { .op = op,
                              .def = op ? op->defs : NULL,
                              .index = -1,
                              .opset = NEWEST_OPSET,
                              .attrs = attrs,
                              .attr_count = (size_t)graphs,
                              .inputs = inputs,
                              .in = in,
                              .outputs = outputs,
                              .out = out };

    if (!op && !e->failed)
        e->failed = !fail(e->report, KILN_UNSUPPORTED, NULL, "operator '%s' is needed, but not supported", name);
    for (int k = 0; k < graphs && !e->failed; k++)
        attrs[k] = (struct attr){ .name = names[k], .type = ATTR_GRAPH, .graph = graph[k] };
    if (!make_outputs(e, outputs, out, NULL)) {
        for (int k = 0; k < graphs; k++)
            graph_release(graph[k]);
        return false;
    }
    if (!node_make(e->graph, &spec, e->report))
        e->failed = true;
    return !e->failed;
}

struct value *emit(struct emitter *e, const char *op, const char *attrs, int inputs, ...)
{
    struct value *in[MAX_FORMALS], *out;
    va_list args;

    va_start(args, inputs);
    for (int k = 0; k < inputs && k < MAX_FORMALS; k++)
        in[k] = va_arg(args, struct value *);
    va_end(args);
    return inputs <= MAX_FORMALS && emit_many(e, op, attrs, 1, &out, inputs, in) ? out : NULL;
}

bool emit_private(struct emitter *e, const struct op *op, const void *attrs, int outputs, struct value **out,
                  const bool *want, int inputs, struct value *const *in)
{
    static const char nothing[1];

    return make_outputs(e, outputs, out, want) &&
           emit_make(e, op, op->defs, NULL, attrs ? attrs : nothing, outputs, out, inputs, in);
}

void *emit_alloc(struct emitter *e, size_t bytes)
{
    void *p = e->failed ? NULL : arena_alloc(e->graph->arena, bytes, e->report);

    if (!p)
        e->failed = true;
    return p;
}

struct value *emit_constant(struct emitter *e, const struct tensor *type, const void *data)
{
    struct tensor *t = emit_alloc(e, sizeof *t);
    struct value *v;

    if (!t)
        return NULL;
    *t = *type;
    t->data = emit_alloc(e, (size_t)tensor_bytes(t));
    v = t->data ? graph_value(e->graph, NULL) : NULL;
    if (!v) {
        e->failed = true;
        return NULL;
    }
    if (tensor_bytes(t))
        memcpy(t->data, data, (size_t)tensor_bytes(t));
    v->initializer = t;
    v->type = *t;
    return v;
}

struct value *emit_scalar(struct emitter *e, enum dtype dtype, double value)
{
    const struct tensor type = { .dtype = dtype };
    const float f = (float)value;
    uint16_t h;

    switch (dtype) {
    case F64:
        return emit_constant(e, &type, &value);
    case F32:
        return emit_constant(e, &type, &f);
    case F16:
        h = f64_to_f16(value);
        return emit_constant(e, &type, &h);
    case BF16:
        h = f32_to_bf16(f);
        return emit_constant(e, &type, &h);
    case I64: {
        const int64_t i = (int64_t)value;

        return emit_constant(e, &type, &i);
    }
    default:
        e->failed =
            !fail(e->report, KILN_UNSUPPORTED, NULL, "a constant of type %s cannot be emitted", dtype_name(dtype));
        return NULL;
    }
}

struct value *emit_cast(struct emitter *e, struct value *v, enum dtype to)
{
    char attrs[16];

    snprintf(attrs, sizeof attrs, "to=%d", (int)to);
    return emit(e, "Cast", attrs, 1, v);
}

struct value *emit_cast_from(struct emitter *e, struct value *v, enum dtype from, enum dtype to)
{
    return from == to ? v : emit_cast(e, v, to);
}

struct value *emit_ints(struct emitter *e, int count, const int64_t *v)
{
    const struct tensor type = { .dtype = I64, .rank = 1, .dims = { count } };

    return emit_constant(e, &type, v);
}

struct value *emit_reshape(struct emitter *e, struct value *v, int rank, const int64_t *dims)
{
    return emit(e, "Reshape", "allowzero=1", 2, v, emit_ints(e, rank, dims));
}
