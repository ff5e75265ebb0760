/* Messages to graph: names are resolved to values, nodes to rows of operators, calls of the model's functions to their
 * bodies. */
#include "model/import.h"
#include "ops/rank.h"

/* -- opsets -- */

bool check_opsets(Onnx__OperatorSetIdProto **sets, size_t count, const char *where, struct report *r)
{
    if (count > MAX_OPSETS)
        return fail(r, KILN_LIMIT, where, "opset_import names %zu domains, at most %d are supported", count,
                    (int)MAX_OPSETS);
    for (size_t k = 0; k < count; k++) {
        const char *domain = proto_domain(sets[k]->domain);

        for (size_t j = 0; j < k; j++) /* the same once more says nothing new: converters leave it, in both spellings */
            if (strcmp(proto_domain(sets[j]->domain), domain) == 0 && sets[j]->version != sets[k]->version)
                return fail(r, KILN_BAD_MODEL, where, "opset_import has domain '%s' with %lld and with %lld",
                            *domain ? domain : "ai.onnx", (long long)sets[j]->version, (long long)sets[k]->version);
        if (!sets[k]->has_version || sets[k]->version < 1)
            return fail(r, KILN_BAD_MODEL, where, "the opset of domain '%s' is %lld, must be at least 1", domain,
                        (long long)(sets[k]->has_version ? sets[k]->version : 0));
        if (!*domain && sets[k]->version > NEWEST_OPSET)
            return fail(r, KILN_UNSUPPORTED, where,
                        "opset %lld of ai.onnx is newer than %d, the newest that is supported",
                        (long long)sets[k]->version, (int)NEWEST_OPSET);
    }
    return true;
}

/* 0 where the domain is not imported. */
static int opset_for(const struct scope *s, const char *domain)
{
    for (size_t k = 0; k < s->opset_count; k++)
        if (strcmp(proto_domain(s->opsets[k]->domain), domain) == 0)
            return s->opsets[k]->version > INT32_MAX ? INT32_MAX : (int)s->opsets[k]->version;
    return 0;
}

/* -- names -- */

bool scope_define(struct scope *s, const char *name, struct value *v, const char *where)
{
    void **slot;

    for (const struct scope *o = s; o; o = o->graph->parent ? o->outer : NULL)
        if (map_has(&o->names, name))
            return fail(s->im->report, KILN_BAD_MODEL, where, "'%s' is defined twice", name);
    slot = map_put(&s->names, name, s->im->report);
    if (slot)
        *slot = v;
    return slot;
}

struct value *scope_find(struct scope *s, const char *name)
{
    struct value *v = map_get(&s->names, name), *outer;
    struct scope *chain[MESSAGE_DEPTH];
    struct scope *at = s;
    int n = 0;

    if (v || !s->graph->parent)
        return v;
    for (; at && n < MESSAGE_DEPTH; at = at->outer) { /* find the level that knows it */
        if ((v = map_get(&at->names, name)) || !at->graph->parent)
            break;
        chain[n++] = at;
    }
    for (outer = v; outer && n > 0; outer = v) {
        void **slot;

        v = graph_capture(chain[--n]->graph, outer);
        slot = v ? map_put(&chain[n]->names, name, s->im->report) : NULL; /* in a function not always v->name */
        if (!slot)
            return NULL;
        *slot = v;
    }
    return outer;
}

/* -- nodes -- */

bool import_input(struct scope *s, const char *name, struct value **in, const char *where)
{
    *in = *name ? scope_find(s, name) : NULL;
    if (*in || !*name)
        return true;
    return (s->call && map_has(&s->call->function->inputs, name)) ||
           fail(s->im->report, KILN_BAD_MODEL, where, "input '%s' is not defined before it is read", name);
}

static bool import_inputs(struct scope *s, const Onnx__NodeProto *n, struct value **in, const char *where)
{
    bool ok = true;

    for (size_t k = 0; k < n->n_input; k++)
        ok = import_input(s, n->input[k], &in[k], where) && ok;
    return ok;
}

/* Among the nodes of a function that stand in the graph of its caller? Their names must not be taken for the
 * caller's. */
static bool in_body(const struct scope *s)
{
    return s->call && !s->outer;
}

static bool import_outputs(struct scope *s, const Onnx__NodeProto *n, struct value **out, const char *where)
{
    for (size_t k = 0; k < n->n_output; k++) {
        const char *name;

        out[k] = NULL;
        if (!*n->output[k])
            continue;
        name = in_body(s) ? arena_printf(s->graph->arena, s->im->report, "%s/%s", s->path, n->output[k]) : n->output[k];
        out[k] = name ? graph_value(s->graph, name) : NULL;
        if (!out[k] || !scope_define(s, n->output[k], out[k], where))
            return false;
    }
    return true;
}

static struct value *find_name(void *scope, const char *name)
{
    return scope_find(scope, name);
}

/* After an error the outputs are defined all the same, so that what follows does not fail for want of them: all errors
 * are told. */
static bool import_node(struct scope *s, const Onnx__NodeProto *n, size_t index)
{
    struct import *im = s->im;
    const char *domain = proto_domain(n->domain), *name = proto_text(n->op_type);
    struct function *const f = find_function(im, n);
    const int opset = opset_for(s, domain);
    const struct op *op = *proto_text(n->overload) ? NULL : op_find(domain, name); /* only functions have overloads */
    const struct op_def *def = op && opset ? op_def_for(op, opset) : NULL;
    struct node_spec spec = { .op = op,
                              .def = def,
                              .name = proto_text(n->name),
                              .index = (int)index,
                              .opset = opset,
                              .find = find_name,
                              .names = s };
    const char *where =
        arena_printf(s->graph->arena, im->report, "%s/node[%zu] '%s' %s", s->path, index, proto_text(n->name), name);
    const size_t inputs = n->n_input, outputs = n->n_output;
    struct value **in = arena_array(s->graph->arena, inputs, sizeof *in, im->report);
    struct value **out = arena_array(s->graph->arena, outputs, sizeof *out, im->report);
    bool ok = true;

    if (!where || !in || !out)
        return false;
    if (s->call && !count_called(im, 1, inputs + outputs + n->n_attribute, where))
        return false;
    if (++im->nodes > MAX_NODES || inputs > INT32_MAX || outputs > INT32_MAX)
        return fail(im->report, KILN_LIMIT, where, "more than %d nodes", (int)MAX_NODES);
    if (f && !def) {
        ok = import_call(s, n, f, where);
        for (size_t k = 0; k < outputs && !ok; k++) /* some may be defined */
            if (*n->output[k] && !map_has(&s->names, n->output[k]) && (out[k] = graph_value(s->graph, n->output[k])))
                scope_define(s, n->output[k], out[k], where);
        return ok;
    }
    if (!opset)
        ok = fail(im->report, KILN_BAD_MODEL, where, "opset_import does not name domain '%s'",
                  *domain ? domain : "ai.onnx");
    else if (!op)
        ok = fail(im->report, KILN_UNSUPPORTED, where, "operator '%s' of domain '%s' is not supported", name,
                  *domain ? domain : "ai.onnx");
    else if (opset > newest_opset_of(domain))
        ok = fail(im->report, KILN_UNSUPPORTED, where,
                  "opset %d of domain '%s' is newer than %d, the newest that is supported", opset, domain,
                  newest_opset_of(domain));
    else if (!def)
        ok = fail(im->report, KILN_UNSUPPORTED, where, "opset %d is older than all that '%s' supports", opset, name);
    if (ok)
        ok = import_attrs(s, n, false, &spec.attrs, &spec.attr_count, where);
    if (!import_inputs(s, n, in, where))
        ok = false;
    if (!import_outputs(s, n, out, where) || !ok) {
        release_attrs(s, spec.attrs, spec.attr_count);
        return false;
    }
    spec.in = in;
    spec.inputs = (int)inputs;
    spec.out = out;
    spec.outputs = (int)outputs;
    while (spec.outputs && !out[spec.outputs - 1])
        spec.outputs--;
    return node_make(s->graph, &spec, im->report);
}

bool import_nodes(struct scope *s, Onnx__NodeProto **nodes, size_t count)
{
    bool ok = true;

    for (size_t k = 0; k < count; k++)
        if (!budget_in_time(&s->im->model->budget, s->path, s->im->report) || !import_node(s, nodes[k], k)) {
            const kiln_status code = s->im->report->error.code;

            ok = false;
            if (code == KILN_NO_MEMORY || code == KILN_LIMIT)
                break;
        }
    return ok;
}

/* -- graphs -- */

static bool declare(struct value *v, const Onnx__ValueInfoProto *info, struct graph *g, struct report *r)
{
    const Onnx__TensorShapeProto *shape;
    const char **names;
    char text[TYPE_TEXT];

    if (!info->type)
        return true;
    if (!type_of_proto(&v->type, info->type, v->name, r))
        return false;
    if (has_no_values(&v->type))
        return fail(r, KILN_UNSUPPORTED, g->path,
                    "'%s' is %s: sparse tensors are not supported, nor are maps but from int64 or strings to tensors",
                    v->name, tensor_text(&v->type, text));
    v->has_type = true;
    if (info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !(shape = info->type->tensor_type->shape))
        return true;
    names = arena_array(g->arena, shape->n_dim, sizeof *names, r);
    for (size_t k = 0; names && k < shape->n_dim; k++)
        names[k] = symbol_of_proto(shape->dim[k]);
    v->dim_names = names;
    return names;
}

static bool import_graph_inputs(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_input; k++) {
        struct value *v;

        if (!*proto_text(g->input[k]->name))
            return fail(s->im->report, KILN_BAD_MODEL, s->graph->path, "input %zu has no name", k);
        v = graph_value(s->graph, g->input[k]->name);
        if (!v || !scope_define(s, v->name, v, s->graph->path) || !declare(v, g->input[k], s->graph, s->im->report))
            return false;
        v->is_input = true;
    }
    return true;
}

static bool import_initializer(struct scope *s, const char *name, struct tensor *t)
{
    struct value *v = map_get(&s->names, name);
    struct report *r = s->im->report;

    if (!*name)
        return fail(r, KILN_BAD_MODEL, s->graph->path, "an initializer has no name");
    if (v && v->initializer)
        return fail(r, KILN_BAD_MODEL, s->graph->path, "initializer '%s' is given twice", name);
    if (v) { /* an input with a default */
        bool fits = !v->has_type || v->type.dtype == t->dtype;

        for (int d = 0; fits && v->has_type && v->type.rank >= 0 && d < t->rank; d++)
            fits = v->type.rank == t->rank && (v->type.dims[d] < 0 || v->type.dims[d] == t->dims[d]);
        if (!fits)
            return fail(r, KILN_BAD_MODEL, s->graph->path,
                        "initializer '%s' is not of the type that its input declares", name);
        v->initializer = t;
        return true;
    }
    v = graph_value(s->graph, name);
    if (!v || !scope_define(s, v->name, v, s->graph->path))
        return false;
    v->initializer = t;
    v->has_type = true;
    v->type = *t;
    v->type.data = NULL;
    return true;
}

static bool import_initializers(struct scope *s, const Onnx__GraphProto *g)
{
    struct import *im = s->im;

    for (size_t k = 0; k < g->n_initializer; k++) {
        struct tensor *t = arena_alloc(s->graph->arena, sizeof *t, im->report);

        if (!t ||
            !tensor_of_proto(t, g->initializer[k], &im->model->external, s->graph->arena, s->graph->path, im->report) ||
            !import_initializer(s, proto_text(g->initializer[k]->name), t))
            return false;
    }
    for (size_t k = 0; k < g->n_sparse_initializer; k++) {
        const Onnx__SparseTensorProto *from = g->sparse_initializer[k];
        struct tensor *t = arena_alloc(s->graph->arena, sizeof *t, im->report);

        if (!t || !tensor_of_sparse(t, from, &im->model->external, s->graph->arena, s->graph->path, im->report) ||
            !import_initializer(s, proto_text(from->values->name), t))
            return false;
    }
    return true;
}

static bool import_graph_outputs(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_output; k++) {
        struct value *v = scope_find(s, proto_text(g->output[k]->name));
        struct tensor declared;

        if (!v)
            return fail(s->im->report, KILN_BAD_MODEL, s->graph->path, "output '%s' is not defined",
                        proto_text(g->output[k]->name));
        if (!graph_add_output(s->graph, v))
            return false;
        if (g->output[k]->type && !type_of_proto(&declared, g->output[k]->type, v->name, s->im->report))
            return false;
        if (!v->has_type && !declare(v, g->output[k], s->graph, s->im->report))
            return false;
    }
    return true;
}

static bool import_value_info(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_value_info; k++) {
        struct value *v = map_get(&s->names, proto_text(g->value_info[k]->name));

        if (v && !v->has_type && !declare(v, g->value_info[k], s->graph, s->im->report))
            return false;
    }
    return true;
}

/* Inputs without an initializer are what a caller must give. */
static bool list_inputs(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_input; k++) {
        struct value *v = map_get(&s->names, g->input[k]->name);

        if ((!v->initializer || s->graph->parent) && !graph_add_input(s->graph, v))
            return false;
    }
    return true;
}

static struct graph *import_graph(struct import *im, const Onnx__GraphProto *proto, struct scope *outer,
                                  const char *path)
{
    struct scope s = { .im = im, .outer = outer, .path = path };
    bool ok;

    s.graph = graph_new(&im->model->arena, outer ? outer->graph : NULL, path, im->report);
    if (!s.graph)
        return NULL;
    s.graph->stream = outer ? outer->graph->streams++ : 0;
    s.call = outer ? outer->call : NULL;
    s.opsets = outer ? outer->opsets : im->model->proto->opset_import;
    s.opset_count = outer ? outer->opset_count : im->model->proto->n_opset_import;
    s.graph->opset = opset_for(&s, "");
    map_init(&s.names, &im->model->budget);
    ok = import_graph_inputs(&s, proto) && import_initializers(&s, proto) && list_inputs(&s, proto);
    if (ok) {
        ok = import_nodes(&s, proto->node, proto->n_node); /* go on after errors there: all are told */
        ok = import_value_info(&s, proto) && import_graph_outputs(&s, proto) && ok;
    }
    map_release(&s.names);
    if (ok)
        return s.graph;
    graph_release(s.graph);
    return NULL;
}

struct graph *import_subgraph(struct scope *s, const Onnx__GraphProto *proto, const char *path)
{
    struct graph *g;

    if (s->im->depth >= MAX_CALL_DEPTH) {
        fail(s->im->report, KILN_LIMIT, path, "subgraphs are nested deeper than %d", (int)MAX_CALL_DEPTH);
        return NULL;
    }
    s->im->depth++;
    g = import_graph(s->im, proto, s, path);
    s->im->depth--;
    return g;
}

/* Inputs that nothing reads need not be given: exporters leave some behind, such as the mean of a layer whose subtraction
 * they have folded. */
static bool free_unread_inputs(struct model *m, struct report *r)
{
    struct graph *g = m->graph;
    struct arena scratch = { .budget = &m->budget };
    bool *read = arena_array(&scratch, g->value_count, sizeof *read, r);
    size_t kept = 0;

    for (size_t k = 0; read && k < g->output_count; k++)
        read[g->outputs[k]->id] = true;
    for (size_t k = 0; read && k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                read[g->nodes[k]->in[i]->id] = true;
    for (size_t k = 0; read && k < g->input_count; k++)
        if (read[g->inputs[k]->id])
            g->inputs[kept++] = g->inputs[k];
    if (read)
        g->input_count = kept;
    arena_release(&scratch);
    return read;
}

/* Inputs that need not be given. */
static bool list_defaults(struct model *m, struct report *r)
{
    const size_t most = m->proto->graph->n_input - m->graph->input_count;
    size_t formal = 0;

    m->default_count = 0;
    m->defaults = arena_array(&m->arena, most, sizeof *m->defaults, r);
    for (size_t k = 0; m->defaults && m->default_count < most && k < m->graph->value_count; k++) {
        const struct value *v = m->graph->values[k];

        if (formal < m->graph->input_count && v == m->graph->inputs[formal])
            formal++; /* both are in the order of the file */
        else if (v->is_input)
            m->defaults[m->default_count++] = v;
    }
    return m->defaults;
}

/* Whoever reads the outputs goes by what is declared. */
static bool check_outputs(const struct model *m, struct report *r)
{
    for (size_t k = 0; k < m->graph->output_count; k++) {
        const Onnx__ValueInfoProto *v = m->proto->graph->output[k];
        const enum dtype is = known_of(m->graph->outputs[k]).dtype;
        struct tensor declared = { 0 };

        if (v->type && !type_of_proto(&declared, v->type, v->name, r))
            return false;
        if (declared.kind == TENSOR && declared.dtype != UNDEFINED && is != UNDEFINED && is != declared.dtype)
            return fail(r, KILN_BAD_MODEL, m->graph->path, "output '%s' is %s, and declared as %s", v->name,
                        dtype_name(is), dtype_name(declared.dtype));
    }
    return true;
}

static bool build(struct model *m, struct report *r)
{
    struct import im = { .model = m, .report = r };
    const Onnx__ModelProto *p = m->proto;

    if (!p->has_ir_version || p->ir_version < 1)
        return fail(r, KILN_BAD_MODEL, NULL, "ir_version is missing, must be 1 to %d", (int)MAX_IR);
    if (p->ir_version > MAX_IR)
        return fail(r, KILN_UNSUPPORTED, NULL, "ir_version is %lld, the newest that is supported is %d",
                    (long long)p->ir_version, (int)MAX_IR);
    if (!p->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    if (!p->n_opset_import && p->ir_version >= 3)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no opset_import, must name at least one opset");
    if (!check_opsets(p->opset_import, p->n_opset_import, NULL, r))
        return false;
    if (list_functions(&im))
        m->graph = import_graph(&im, p->graph, NULL, "main");
    forget_functions(&im);
    if (m->graph && (!check_outputs(m, r) || !free_unread_inputs(m, r) || !list_defaults(m, r))) {
        graph_release(m->graph);
        m->graph = NULL;
    }
    if (!m->graph && !failed(r))
        return fail(r, KILN_BAD_MODEL, NULL, "the graph is not valid");
    return m->graph;
}

bool model_build(struct model *m, struct report *r)
{
    bool ok;

    budget_start(&m->budget);
    ok = build(m, r) && budget_in_time(&m->budget, NULL, r);
    budget_stop(&m->budget);
    return ok;
}
