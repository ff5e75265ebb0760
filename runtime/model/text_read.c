#include "model/text.h"
#include "model/text_lex.h"
#include <locale.h>
#include <string.h>

/* Appends a name to a repeated string field. */
static bool append_name(struct reader *r, char ***names, size_t *n, size_t *room, const char *what)
{
    if (!budget_grow(r->budget, names, room, *n + 1, sizeof **names, r->report) || !read_name(r, &(*names)[*n], what))
        return false;
    ++*n;
    return true;
}

static bool append_empty(struct reader *r, char ***names, size_t *n, size_t *room)
{
    if (!budget_grow(r->budget, names, room, *n + 1, sizeof **names, r->report) ||
        !((*names)[*n] = message_string("", 0, r->budget, r->report)))
        return false;
    ++*n;
    return true;
}

/* -- nodes -- */

/* Inputs or outputs of a node. Nothing before a comma is an empty name, which is better written "". */
static bool read_operands(struct reader *r, char ***names, size_t *n)
{
    const char *word;
    size_t room = 0;

    do {
        if (peek_char(r) == '"' || peek_identifier(r, &word)) {
            if (!append_name(r, names, n, &room, "the name of a value"))
                return false;
        } else if (peek_char(r) != ',') {
            return true;
        } else if (!append_empty(r, names, n, &room)) {
            return false;
        }
    } while (read_match(r, ','));
    return true;
}

static bool read_attributes(struct reader *r, Onnx__NodeProto *node)
{
    size_t room = 0;

    if (!read_match(r, '<'))
        return true;
    do {
        Onnx__AttributeProto *a =
            append_message(r, &node->attribute, &node->n_attribute, &room, &onnx__attribute_proto__descriptor);

        if (!a || !read_name(r, &a->name, "the name of an attribute") || !read_attribute(r, a))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, '>', "after the attributes of a node");
}

static bool read_node(struct reader *r, Onnx__NodeProto *node)
{
    if (read_match(r, '[')) {
        if (peek_char(r) == ']' ? !(node->name = message_string("", 0, r->budget, r->report))
                                : !read_name(r, &node->name, "the name of a node"))
            return false;
        if (!read_expect(r, ']', "after the name of a node"))
            return false;
    }
    if (!read_operands(r, &node->output, &node->n_output) || !read_expect(r, '=', "after the outputs of a node") ||
        !read_dotted(r, &node->domain, &node->op_type, "the name of an operator"))
        return false;
    if (read_match(r, ':') && !read_name(r, &node->overload, "the name of an overload"))
        return false;
    if (!read_attributes(r, node) || !read_expect(r, '(', "before the inputs of a node") ||
        !read_operands(r, &node->input, &node->n_input) || !read_expect(r, ')', "after the inputs of a node"))
        return false;
    /* They may come before the inputs or after them. */
    return node->n_attribute || read_attributes(r, node);
}

/* Each node is two messages (node, attribute) deep before a subgraph begins. */
static bool read_nodes(struct reader *r, Onnx__NodeProto ***nodes, size_t *n)
{
    size_t room = 0;
    bool ok = true;

    if (!read_expect(r, '{', "before the nodes") || !read_descend(r, 2, 2))
        return false;
    while (ok && !read_match(r, '}')) {
        Onnx__NodeProto *node = append_message(r, nodes, n, &room, &onnx__node_proto__descriptor);

        ok = node && read_node(r, node);
    }
    read_ascend(r, 2);
    return ok;
}

/* -- graphs -- */

static bool read_value_info(struct reader *r, Onnx__ValueInfoProto *v)
{
    bool ok = true;

    if (peek_type(r)) {
        ok = read_descend(r, 1, 0);
        if (ok) {
            ok = (v->type = read_type(r));
            read_ascend(r, 1);
        }
    }
    return ok && read_name(r, &v->name, "the name of a value");
}

/* A graph and the capacity of its lists. Initializers come from two places. */
struct graph_lists {
    Onnx__GraphProto *graph;
    size_t initializers;
};

/* "= values" after a value's type and name. */
static bool read_initializer(struct reader *r, struct graph_lists *l, const Onnx__ValueInfoProto *v)
{
    Onnx__TensorProto *t = append_message(r, &l->graph->initializer, &l->graph->n_initializer, &l->initializers,
                                          &onnx__tensor_proto__descriptor);

    return t && (t->name = message_string(v->name, strlen(v->name), r->budget, r->report)) &&
           read_tensor(r, t, v->type);
}

/* An input that has an initializer keeps both: a default that may be overridden. */
static bool read_inputs(struct reader *r, struct graph_lists *l)
{
    Onnx__GraphProto *g = l->graph;
    size_t room = 0;

    if (!read_match(r, '(') || read_match(r, ')'))
        return true;
    do {
        Onnx__ValueInfoProto *v = append_message(r, &g->input, &g->n_input, &room, &onnx__value_info_proto__descriptor);

        if (!v || !read_value_info(r, v) || (read_match(r, '=') && !read_initializer(r, l, v)))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, ')', "after the inputs of a graph");
}

static bool read_outputs(struct reader *r, Onnx__GraphProto *g)
{
    size_t room = 0;

    if (!read_expect(r, '(', "before the outputs of a graph"))
        return false;
    if (read_match(r, ')'))
        return true;
    do {
        Onnx__ValueInfoProto *v =
            append_message(r, &g->output, &g->n_output, &room, &onnx__value_info_proto__descriptor);

        if (!v || !read_value_info(r, v))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, ')', "after the outputs of a graph");
}

/* <initializers, which have values, and types of values inside, which have none> */
static bool read_inner(struct reader *r, struct graph_lists *l)
{
    Onnx__GraphProto *g = l->graph;
    size_t room = 0;

    if (!read_match(r, '<') || read_match(r, '>'))
        return true;
    do {
        Onnx__ValueInfoProto *v =
            append_message(r, &g->value_info, &g->n_value_info, &room, &onnx__value_info_proto__descriptor);

        if (!v || !read_value_info(r, v))
            return false;
        if (read_match(r, '=')) {
            const bool ok = read_initializer(r, l, v);

            g->n_value_info--;
            message_free(v, r->budget);
            if (!ok)
                return false;
        }
    } while (read_match(r, ','));
    return read_expect(r, '>', "after the initializers and value types of a graph");
}

static bool expect_arrow(struct reader *r, const char *where)
{
    if (!read_expect(r, '=', where))
        return false;
    if (r->at < r->size && r->text[r->at] == '>') {
        r->at++;
        return true;
    }
    return read_fail(r, "'=>' is needed %s", where);
}

static bool read_graph_into(struct reader *r, Onnx__GraphProto *g)
{
    struct graph_lists l = { .graph = g };

    return read_name(r, &g->name, "the name of a graph") && read_inputs(r, &l) &&
           expect_arrow(r, "between the inputs and the outputs of a graph") && read_outputs(r, g) &&
           read_inner(r, &l) && read_nodes(r, &g->node, &g->n_node);
}

Onnx__GraphProto *read_graph(struct reader *r)
{
    Onnx__GraphProto *g;
    bool ok;

    if (!read_descend(r, 1, 2))
        return NULL;
    g = message_new(&onnx__graph_proto__descriptor, r->budget, r->report);
    ok = g && read_graph_into(r, g);
    read_ascend(r, 1);
    if (ok)
        return g;
    message_free(g, r->budget);
    return NULL;
}

/* -- headers -- */

/* What stands between '<' and '>' before a model or a function: key: value, ... */
static bool read_header_string(struct reader *r, char **field)
{
    size_t length;

    if (*field)
        return read_fail(r, "this is given twice");
    return read_quoted(r, field, &length, true);
}

static bool read_opsets(struct reader *r, Onnx__OperatorSetIdProto ***opsets, size_t *n)
{
    size_t room = 0, length;

    if (*n)
        return read_fail(r, "opset_import is given twice");
    if (!read_expect(r, '[', "before the operator sets"))
        return false;
    if (read_match(r, ']'))
        return true;
    do {
        Onnx__OperatorSetIdProto *o = append_message(r, opsets, n, &room, &onnx__operator_set_id_proto__descriptor);

        if (!o || !read_quoted(r, &o->domain, &length, true) || !read_expect(r, ':', "after a domain") ||
            !read_int(r, &o->version))
            return false;
        o->has_version = 1;
    } while (read_match(r, ','));
    return read_expect(r, ']', "after the operator sets");
}

static bool read_header_int(struct reader *r, protobuf_c_boolean *has, int64_t *field)
{
    if (*has)
        return read_fail(r, "this is given twice");
    *has = 1;
    return read_int(r, field);
}

static bool read_model_key(struct reader *r, Onnx__ModelProto *m, const char *word, size_t n)
{
    if (is_word(word, n, "ir_version"))
        return read_header_int(r, &m->has_ir_version, &m->ir_version);
    if (is_word(word, n, "opset_import"))
        return read_opsets(r, &m->opset_import, &m->n_opset_import);
    if (is_word(word, n, "producer_name"))
        return read_header_string(r, &m->producer_name);
    if (is_word(word, n, "producer_version"))
        return read_header_string(r, &m->producer_version);
    if (is_word(word, n, "domain"))
        return read_header_string(r, &m->domain);
    if (is_word(word, n, "model_version"))
        return read_header_int(r, &m->has_model_version, &m->model_version);
    if (is_word(word, n, "doc_string"))
        return read_header_string(r, &m->doc_string);
    if (is_word(word, n, "metadata_props") && !m->n_metadata_props)
        return read_expect(r, '[', "before the metadata") && read_entries(r, &m->metadata_props, &m->n_metadata_props);
    return read_fail(r, "'%.*s' is no key of a model, or is given twice", (int)(n < 64 ? n : 64), word);
}

static bool read_function_key(struct reader *r, Onnx__FunctionProto *f, const char *word, size_t n)
{
    if (is_word(word, n, "opset_import"))
        return read_opsets(r, &f->opset_import, &f->n_opset_import);
    if (is_word(word, n, "doc_string"))
        return read_header_string(r, &f->doc_string);
    if (is_word(word, n, "domain"))
        return read_header_string(r, &f->domain);
    if (is_word(word, n, "overload"))
        return read_header_string(r, &f->overload);
    return read_fail(r, "'%.*s' is no key of a function", (int)(n < 64 ? n : 64), word);
}

/* One of the two messages is NULL. */
static bool read_header(struct reader *r, Onnx__ModelProto *m, Onnx__FunctionProto *f)
{
    if (!read_match(r, '<') || read_match(r, '>'))
        return true;
    do {
        const char *word;
        const size_t n = peek_identifier(r, &word);

        if (!n)
            return read_expected(r, "a key such as opset_import");
        r->at += n;
        if (!read_expect(r, ':', "after a key") ||
            !(m ? read_model_key(r, m, word, n) : read_function_key(r, f, word, n)))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, '>', "after the keys");
}

/* -- functions -- */

/* The lists of a function that are filled from several places, and their capacities. */
struct function_lists {
    Onnx__FunctionProto *function;
    size_t values, attributes, defaults;
};

/* <alpha, beta: float = 1.0>: attributes without and with a default. */
static bool read_function_attributes(struct reader *r, struct function_lists *l)
{
    Onnx__FunctionProto *f = l->function;

    if (!read_match(r, '<'))
        return true;
    do {
        Onnx__AttributeProto *a;
        char *name;

        if (!append_name(r, &f->attribute, &f->n_attribute, &l->attributes, "the name of an attribute"))
            return false;
        if (peek_char(r) != ':' && peek_char(r) != '=')
            continue;
        name = f->attribute[--f->n_attribute];
        f->attribute[f->n_attribute] = NULL;
        a = append_message(r, &f->attribute_proto, &f->n_attribute_proto, &l->defaults,
                           &onnx__attribute_proto__descriptor);
        if (!a) {
            budget_free(r->budget, name);
            return false;
        }
        a->name = name;
        if (!read_attribute(r, a))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, '>', "after the attributes of a function");
}

/* Inputs or outputs: names, with a type that becomes a value_info if one is given. */
static bool read_formals(struct reader *r, struct function_lists *l, char ***names, size_t *n)
{
    Onnx__FunctionProto *f = l->function;
    size_t room = 0;

    if (!read_expect(r, '(', "before the inputs or outputs of a function"))
        return false;
    if (read_match(r, ')'))
        return true;
    do {
        Onnx__ValueInfoProto *v = NULL;

        if (peek_type(r)) {
            v = append_message(r, &f->value_info, &f->n_value_info, &l->values, &onnx__value_info_proto__descriptor);
            if (!v || !(v->type = read_type(r)))
                return false;
        }
        if (!append_name(r, names, n, &room, "the name of a value"))
            return false;
        if (v && !(v->name = message_string((*names)[*n - 1], strlen((*names)[*n - 1]), r->budget, r->report)))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, ')', "after the inputs or outputs of a function");
}

static bool read_function_values(struct reader *r, struct function_lists *l)
{
    Onnx__FunctionProto *f = l->function;

    if (!read_match(r, '<') || read_match(r, '>'))
        return true;
    do {
        Onnx__ValueInfoProto *v =
            append_message(r, &f->value_info, &f->n_value_info, &l->values, &onnx__value_info_proto__descriptor);

        if (!v || !read_value_info(r, v))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, '>', "after the value types of a function");
}

static bool read_function(struct reader *r, Onnx__FunctionProto *f)
{
    struct function_lists l = { .function = f };
    bool ok;

    if (!read_descend(r, 1, 2))
        return false;
    ok = read_header(r, NULL, f) && read_name(r, &f->name, "the name of a function") &&
         read_function_attributes(r, &l) && read_formals(r, &l, &f->input, &f->n_input) &&
         expect_arrow(r, "between the inputs and the outputs of a function") &&
         read_formals(r, &l, &f->output, &f->n_output) && read_function_values(r, &l) &&
         read_nodes(r, &f->node, &f->n_node);
    read_ascend(r, 1);
    return ok;
}

/* -- models -- */

static bool read_model(struct reader *r, Onnx__ModelProto *m)
{
    size_t room = 0;

    if (!read_header(r, m, NULL) || !(m->graph = read_graph(r)))
        return false;
    while (peek_char(r) >= 0) {
        Onnx__FunctionProto *f =
            append_message(r, &m->functions, &m->n_functions, &room, &onnx__function_proto__descriptor);

        if (!f || !read_function(r, f))
            return false;
    }
    return true;
}

bool text_is_model(const void *bytes, size_t size)
{
    struct reader r = { .text = bytes, .size = size };

    return peek_char(&r) == '<';
}

Onnx__ModelProto *text_read_model(const char *text, size_t size, struct budget *b, struct report *report)
{
    struct reader r = { .text = text, .size = size, .depth = 1, .budget = b, .report = report };
    /* Numbers have points, whatever the locale of the program: for this thread, for a while. */
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    Onnx__ModelProto *m;
    locale_t before;
    bool ok;

    if (!plain)
        return fail_no_memory(report, 0), NULL;
    before = uselocale(plain);
    m = message_new(&onnx__model_proto__descriptor, b, report);
    ok = m && read_model(&r, m);
    uselocale(before);
    freelocale(plain);
    if (ok)
        return m;
    message_free(m, b);
    return NULL;
}
