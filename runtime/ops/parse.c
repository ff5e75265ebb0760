#include "ops/parse.h"
#include "ops/signature.h"
#include <stdio.h>
#include <string.h>

static bool parse_fail(struct parse *p, kiln_status code, const char *format, va_list args)
{
    char where[WHERE_TEXT];

    p->failed = true;
    return fail_v(p->report, code, node_where(p->node, where), format, args);
}

bool parse_error(struct parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    parse_fail(p, KILN_BAD_MODEL, format, args);
    va_end(args);
    return false;
}

bool parse_unsupported(struct parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    parse_fail(p, KILN_UNSUPPORTED, format, args);
    va_end(args);
    return false;
}

static struct attr *find(struct parse *p, const char *name)
{
    for (size_t k = 0; k < p->attr_count; k++)
        if (strcmp(p->attrs[k].name, name) == 0) {
            p->attrs[k].seen = true;
            return &p->attrs[k];
        }
    return NULL;
}

static const struct attr *typed(struct parse *p, const char *name, enum attr_type type)
{
    struct attr *a = find(p, name);

    if (!a || a->type == type)
        return a;
    parse_error(p, "attribute '%s' is %s, must be %s", name, attr_type_name(a->type), attr_type_name(type));
    return NULL;
}

bool attr_given(struct parse *p, const char *name)
{
    return find(p, name);
}

float attr_float(struct parse *p, const char *name, float fallback)
{
    const struct attr *a = typed(p, name, ATTR_FLOAT);

    return a ? a->f : fallback;
}

int64_t attr_int(struct parse *p, const char *name, int64_t fallback)
{
    const struct attr *a = typed(p, name, ATTR_INT);

    return a ? a->i : fallback;
}

const char *attr_string(struct parse *p, const char *name, const char *fallback)
{
    const struct attr *a = typed(p, name, ATTR_STRING);
    char *s;

    if (!a)
        return fallback;
    if (a->s.length && memchr(a->s.data, 0, a->s.length)) {
        parse_error(p, "attribute '%s' holds a NUL byte", name);
        return fallback;
    }
    s = arena_string(p->node->graph->arena, a->s.data, a->s.length, p->report);
    if (!s)
        p->failed = true;
    return s ? s : fallback;
}

int attr_choice(struct parse *p, const char *name, const char *const *names, int fallback)
{
    const char *s = attr_string(p, name, NULL);
    char list[256] = "";
    size_t n = 0;

    if (!s)
        return fallback;
    for (int k = 0; names[k]; k++) {
        if (strcmp(names[k], s) == 0)
            return k;
        if (n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s'%s'", k ? ", " : "", names[k]);
    }
    parse_error(p, "attribute '%s' is '%s', must be one of %s", name, s, list);
    return fallback;
}

bool attr_ints(struct parse *p, const char *name, struct ints *out)
{
    const struct attr *a = typed(p, name, ATTR_INTS);

    out->count = 0;
    if (!a)
        return !p->failed;
    if (a->count > sizeof out->v / sizeof *out->v)
        return parse_error(p, "attribute '%s' has %zu values, at most %zu are supported", name, a->count,
                           sizeof out->v / sizeof *out->v);
    out->count = (int)a->count;
    if (a->count)
        memcpy(out->v, a->ints, a->count * sizeof *out->v);
    return true;
}

const struct tensor *attr_tensor(struct parse *p, const char *name)
{
    const struct attr *a = typed(p, name, ATTR_TENSOR);

    return a ? a->tensor : NULL;
}

const struct attr *attr_list(struct parse *p, const char *name, enum attr_type type)
{
    const struct attr *a = find(p, name);

    if (a && !a->count && (a->type == ATTR_INTS || a->type == ATTR_FLOATS || a->type == ATTR_STRINGS))
        return a; /* an empty list does not tell its type */
    return typed(p, name, type);
}

static const void *copy_list(struct parse *p, size_t count, size_t size, const void *from, int64_t *copied)
{
    void *copy = NULL;

    if (count && (copy = arena_array(p->node->graph->arena, count, size, p->report)))
        memcpy(copy, from, count * size);
    p->failed |= count && !copy;
    *copied = copy ? (int64_t)count : 0;
    return copy;
}

const float *attr_floats(struct parse *p, const char *name, int64_t *count)
{
    const struct attr *a = attr_list(p, name, ATTR_FLOATS);

    return copy_list(p, a ? a->count : 0, sizeof *a->floats, a ? a->floats : NULL, count);
}

const int64_t *attr_int64s(struct parse *p, const char *name, int64_t *count)
{
    const struct attr *a = attr_list(p, name, ATTR_INTS);

    return copy_list(p, a ? a->count : 0, sizeof *a->ints, a ? a->ints : NULL, count);
}

bool attr_values(struct parse *p, const struct attr *a, struct attr_values *out)
{
    *out = (struct attr_values){ .count = a->count };
    switch (a->type) {
    case ATTR_INTS:
        out->dtype = I64;
        out->data = a->ints;
        return true;
    case ATTR_FLOATS:
        out->dtype = F32;
        out->data = a->floats;
        return true;
    case ATTR_STRINGS:
        out->dtype = STRING;
        out->data = parse_strings(p, a->count, a->strings);
        return out->data;
    case ATTR_TENSOR:
        if (!a->tensor || a->tensor->kind != TENSOR)
            break;
        *out = (struct attr_values){ a->tensor->dtype, (size_t)tensor_count(a->tensor), a->tensor->data };
        return true;
    default:
        break;
    }
    return parse_error(p, "attribute '%s' is %s, must be a list or a tensor", a->name, attr_type_name(a->type));
}

const struct tensor *attr_type(struct parse *p, const char *name)
{
    const struct attr *a = typed(p, name, ATTR_TYPE_PROTO);

    return a ? a->tensor : NULL;
}

const struct attr *attr_any(struct parse *p, const char *name)
{
    return find(p, name);
}

int attr_graph(struct parse *p, const char *name)
{
    struct attr *a = typed(p, name, ATTR_GRAPH) ? find(p, name) : NULL;

    if (!a || !a->graph) {
        if (!p->failed)
            parse_error(p, "attribute '%s' is missing, must be a graph", name);
        return -1;
    }
    if (p->node->graphs == MAX_GRAPHS) {
        parse_unsupported(p, "more than %d subgraphs in a node", (int)MAX_GRAPHS);
        return -1;
    }
    p->graphs[p->node->graphs] = a->graph;
    a->i = p->node->graphs;
    return p->node->graphs++;
}

int parse_add_graph(struct parse *p, struct graph *g)
{
    if (!g || p->node->graphs == MAX_GRAPHS) {
        graph_release(g);
        p->failed = true;
        return -1;
    }
    p->graphs[p->node->graphs] = g;
    return p->node->graphs++;
}

struct value *parse_named(struct parse *p, const char *name)
{
    struct value *v = p->find ? p->find(p->names, name) : NULL;

    if (!v)
        parse_error(p, "no tensor has the name '%s' here", name);
    return v;
}

const struct node *parse_node(const struct parse *p)
{
    return p->node;
}

int parse_opset(const struct parse *p)
{
    return p->opset;
}

int inputs_written(const struct parse *p)
{
    int n = p->node->inputs;

    while (n && !p->node->in[n - 1])
        n--;
    return n;
}

int outputs_written(const struct parse *p)
{
    return p->node->outputs;
}

bool input_given(const struct parse *p, int k)
{
    return k >= 0 && k < p->node->inputs && p->node->in[k];
}

/* An older row may lack the input that its attribute became. */
static bool make_room(struct parse *p, int k)
{
    struct node *n = p->node;
    struct value **in;

    if (k < n->inputs)
        return true;
    in = arena_array(n->graph->arena, (size_t)k + 1, sizeof *in, p->report);
    if (!in)
        return false;
    if (n->inputs)
        memcpy(in, n->in, (size_t)n->inputs * sizeof *in);
    n->in = in;
    n->inputs = k + 1;
    return true;
}

bool constant_input(struct parse *p, int k, enum dtype dtype, int64_t count, const void *data)
{
    struct graph *g = p->node->graph;
    struct tensor *t = arena_alloc(g->arena, sizeof *t, p->report);
    struct value *v = t ? graph_value(g, NULL) : NULL;

    if (!v || !make_room(p, k) || !tensor_shape(t, dtype, count < 0 ? 0 : 1, &count)) {
        p->failed = true;
        return false;
    }
    t->data = arena_alloc(g->arena, (size_t)tensor_bytes(t), p->report);
    if (!t->data) {
        p->failed = true;
        return false;
    }
    if (tensor_bytes(t))
        memcpy(t->data, data, (size_t)tensor_bytes(t));
    v->initializer = t;
    v->type = *t;
    p->node->in[k] = v;
    return true;
}

bool ints_input(struct parse *p, int k, const char *name)
{
    struct ints v;

    if (!attr_given(p, name))
        return true;
    return attr_ints(p, name, &v) && constant_input(p, k, I64, v.count, v.v);
}

void *parse_alloc(struct parse *p, size_t bytes)
{
    void *m = arena_alloc(p->node->graph->arena, bytes, p->report);

    if (!m)
        p->failed = true;
    return m;
}

struct string **parse_strings(struct parse *p, size_t count, const struct bytes *strings)
{
    struct string **to = arena_array(p->node->graph->arena, count, sizeof *to, p->report);

    for (size_t k = 0; to && k < count; k++) {
        to[k] = parse_alloc(p, sizeof **to + strings[k].length);
        if (!to[k])
            return NULL;
        to[k]->length = strings[k].length;
        if (strings[k].length)
            memcpy(to[k]->bytes, strings[k].data, strings[k].length);
    }
    p->failed |= !to;
    return to;
}

/* Does the row allow output k of that type, or a sequence of such tensors? */
static bool row_allows(const struct op_def *def, int k, enum dtype dtype)
{
    struct signature s;
    const struct formal *f = signature_read(&s, def) ? signature_out(&s, k) : NULL;

    return f && (type_set_has(&s.var[f->var].set, &(struct tensor){ .dtype = dtype }) ||
                 type_set_has(&s.var[f->var].set, &(struct tensor){ .kind = SEQUENCE, .dtype = dtype }));
}

bool output_may_be(struct parse *p, int k, enum dtype dtype)
{
    const struct op_def *const def = p->node->def, *newer = def;

    if (row_allows(def, k, dtype))
        return true;
    while (newer > p->node->op->defs && !row_allows(newer, k, dtype))
        newer--;
    if (!row_allows(newer, k, dtype))
        return parse_error(p, "output %d cannot be %s", k, dtype_name(dtype));
    return parse_error(p, "output %d is %s, which needs opset %d, and the model's is %d", k, dtype_name(dtype),
                       newer->since, p->opset);
}
bool attr_dtype(struct parse *p, const char *name, enum dtype fallback, enum dtype *out)
{
    const int64_t v = attr_int(p, name, fallback);

    *out = fallback;
    if (!attr_given(p, name))
        return true;
    if (!dtype_valid(v))
        return parse_error(p, "attribute '%s' is %lld, must be a type of TensorProto's", name, (long long)v);
    *out = (enum dtype)v;
    return output_may_be(p, 0, *out);
}
