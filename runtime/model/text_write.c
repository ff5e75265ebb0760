#include "model/text.h"
#include "model/text_lex.h"
#include "model/text_put.h"
#include <locale.h>
#include <string.h>

/* -- attributes -- */

static void put_graph(struct writer *w, const Onnx__GraphProto *g);

/* Files older than IR 2 do not say it. */
static int type_of(const Onnx__AttributeProto *a)
{
    const struct {
        bool there;
        int type;
    } fields[] = {
        { a->has_type && a->type, (int)a->type },
        { a->has_f, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT },
        { a->has_i, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT },
        { a->has_s, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING },
        { a->t != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR },
        { a->g != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH },
        { a->tp != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO },
        { a->n_floats > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS },
        { a->n_ints > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS },
        { a->n_strings > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS },
        { a->n_tensors > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS },
        { a->n_graphs > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS },
    };

    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (fields[k].there)
            return fields[k].type;
    return 0;
}

/* Writes `count` values as a list; `body` puts the k-th. */
#define PUT_LIST(count, body)                                                                                          \
    do {                                                                                                               \
        put_text(w, "[");                                                                                              \
        for (size_t k = 0; k < (count) && !w->text->failed; k++) {                                                     \
            put_text(w, k ? ", " : "");                                                                                \
            body;                                                                                                      \
        }                                                                                                              \
        put_text(w, "]");                                                                                              \
    } while (0)

static void put_list(struct writer *w, const Onnx__AttributeProto *a, int type)
{
    switch (type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        PUT_LIST(a->n_floats, put_float(w, a->floats[k]));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        PUT_LIST(a->n_ints, text_printf(w->text, "%lld", (long long)a->ints[k]));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        PUT_LIST(a->n_strings, put_quoted(w, a->strings[k].data, a->strings[k].len));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS:
        PUT_LIST(a->n_tensors, put_tensor(w, a->tensors[k], false));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        PUT_LIST(a->n_graphs, put_graph(w, a->graphs[k]));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
        PUT_LIST(a->n_type_protos, put_inner_type(w, a->type_protos[k], &a->base));
        break;
    default:
        break;
    }
}

static void put_attribute_value(struct writer *w, const Onnx__AttributeProto *a, int type)
{
    switch (type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        put_float(w, a->f);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        text_printf(w->text, "%lld", (long long)a->i);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        put_quoted(w, a->s.data, a->s.len);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        put_tensor(w, a->t, false);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        put_graph(w, a->g);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
        put_inner_type(w, a->tp, &a->base);
        break;
    default:
        put_list(w, a, type);
    }
}

static bool is_reference(const Onnx__AttributeProto *a)
{
    return a->ref_attr_name && *a->ref_attr_name;
}

/* Can the attribute be written? Sparse tensors cannot, nor what a model that nobody checked leaves out. */
static bool is_writable(const Onnx__AttributeProto *a, int type)
{
    if (is_reference(a))
        return !a->has_type || attribute_type_name((int)a->type) || !a->type;
    switch (type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return a->t;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        return a->g;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS:
        return false;
    default:
        return attribute_type_name(type) != NULL;
    }
}

/* The fields of an attribute of `type` that are written. */
static const char *said_of(int type)
{
    static const char *const said[] = {
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT] = " name type f ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT] = " name type i ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING] = " name type s ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR] = " name type t ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH] = " name type g ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO] = " name type tp ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS] = " name type floats ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS] = " name type ints ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS] = " name type strings ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS] = " name type tensors ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS] = " name type graphs ",
        [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS] = " name type type_protos ",
    };

    return said[type];
}

static void put_attribute(struct writer *w, const Onnx__AttributeProto *a, int type)
{
    const char *name = attribute_type_name(type);

    put_word(w, a->name);
    if (name)
        text_printf(w->text, ": %s", name);
    put_text(w, " = ");
    if (is_reference(a)) {
        put_text(w, "@");
        put_word(w, a->ref_attr_name);
        put_rest(w, &a->base, "attributes", " name type ref_attr_name ");
    } else {
        put_attribute_value(w, a, type);
        put_rest(w, &a->base, "attributes", said_of(type));
    }
}

/* In angle brackets, or nothing. `names` are attributes without a default, of a function. */
static void put_attributes(struct writer *w, char *const *names, size_t n_names, Onnx__AttributeProto *const *a,
                           size_t n)
{
    const char *before = " <";

    for (size_t k = 0; k < n_names; k++, before = ", ") {
        put_text(w, before);
        put_word(w, names[k]);
    }
    for (size_t k = 0; k < n; k++) {
        const int type = is_reference(a[k]) ? (a[k]->has_type ? (int)a[k]->type : 0) : type_of(a[k]);

        if (!is_writable(a[k], type)) {
            refuse(w, &a[k]->base, "a sparse value, or none", "attributes");
            continue;
        }
        put_text(w, before);
        put_attribute(w, a[k], type);
        before = ", ";
    }
    put_text(w, before[0] == ',' ? ">" : "");
}

/* -- nodes and graphs -- */

static void put_node(struct writer *w, const Onnx__NodeProto *node)
{
    bool has_graph = false;

    for (size_t k = 0; k < node->n_attribute; k++)
        has_graph = has_graph || node->attribute[k]->g || node->attribute[k]->n_graphs;
    if (node->name) {
        put_text(w, "[");
        put_name(w, node->name);
        put_text(w, "] ");
    }
    put_names(w, node->output, node->n_output);
    put_text(w, node->n_output ? " = " : "= ");
    if (node->domain && *node->domain) {
        put_domain(w, node->domain);
        put_text(w, ".");
    }
    put_word(w, node->op_type);
    if (node->overload && *node->overload) {
        put_text(w, ":");
        put_word(w, node->overload);
    }
    if (!has_graph)
        put_attributes(w, NULL, 0, node->attribute, node->n_attribute);
    put_text(w, " (");
    put_names(w, node->input, node->n_input);
    put_text(w, ")");
    if (has_graph) /* last, so that what the node takes is seen before its subgraphs */
        put_attributes(w, NULL, 0, node->attribute, node->n_attribute);
    put_rest(w, &node->base, "nodes", " name output domain op_type overload attribute input ");
}

static void put_nodes(struct writer *w, Onnx__NodeProto *const *nodes, size_t n)
{
    put_text(w, "{");
    w->indent++;
    for (size_t k = 0; k < n && !w->text->failed; k++) {
        put_line(w);
        put_node(w, nodes[k]);
    }
    w->indent--;
    put_line(w);
    put_text(w, "}");
}

/* Initializers and types of values inside, one a line. */
static void put_inner(struct writer *w, Onnx__TensorProto *const *initializers, size_t n_initializers,
                      Onnx__ValueInfoProto *const *values, size_t n_values)
{
    const size_t n = n_initializers + n_values;

    if (!n)
        return;
    put_text(w, " <");
    w->indent++;
    for (size_t k = 0; k < n && !w->text->failed; k++) {
        put_line(w);
        if (k < n_initializers)
            put_tensor(w, initializers[k], true);
        else
            put_value_info(w, values[k - n_initializers]);
        put_text(w, k + 1 < n ? "," : "");
    }
    w->indent--;
    put_line(w);
    put_text(w, ">");
}

static void put_graph(struct writer *w, const Onnx__GraphProto *g)
{
    put_name(w, g->name);
    put_text(w, " ");
    put_value_infos(w, g->input, g->n_input);
    put_text(w, " => ");
    put_value_infos(w, g->output, g->n_output);
    put_inner(w, g->initializer, g->n_initializer, g->value_info, g->n_value_info);
    put_text(w, " ");
    put_nodes(w, g->node, g->n_node);
    put_rest(w, &g->base, "graphs", " name input output initializer value_info node ");
}

/* -- functions and the model -- */

/* "key: " on a line of its own, in angle brackets that are opened with the first and closed by end_header. */
static void put_key(struct writer *w, bool *any, const char *key)
{
    text_printf(w->text, "%s\n    %s: ", *any ? "," : "<", key);
    *any = true;
}

static void put_key_string(struct writer *w, bool *any, const char *key, const char *value)
{
    if (!value)
        return;
    put_key(w, any, key);
    put_quoted(w, value, strlen(value));
}

static void put_opsets(struct writer *w, bool *any, Onnx__OperatorSetIdProto *const *opsets, size_t n)
{
    if (!n)
        return;
    put_key(w, any, "opset_import");
    PUT_LIST(n, {
        const char *domain = opsets[k]->domain ? opsets[k]->domain : "";

        put_quoted(w, domain, strlen(domain));
        text_printf(w->text, " : %lld", (long long)opsets[k]->version);
        put_rest(w, &opsets[k]->base, "operator sets", " domain version ");
    });
}

static void put_function(struct writer *w, const Onnx__FunctionProto *f)
{
    bool any = false;

    put_key_string(w, &any, "domain", f->domain);
    put_key_string(w, &any, "overload", f->overload);
    put_opsets(w, &any, f->opset_import, f->n_opset_import);
    put_key_string(w, &any, "doc_string", f->doc_string);
    put_text(w, any ? "\n>\n" : "");
    put_name(w, f->name);
    put_attributes(w, f->attribute, f->n_attribute, f->attribute_proto, f->n_attribute_proto);
    put_text(w, " (");
    put_names(w, f->input, f->n_input);
    put_text(w, ") => (");
    put_names(w, f->output, f->n_output);
    put_text(w, ")");
    put_inner(w, NULL, 0, f->value_info, f->n_value_info);
    put_text(w, " ");
    put_nodes(w, f->node, f->n_node);
    put_text(w, "\n");
    put_rest(w, &f->base, "functions",
             " name domain overload opset_import doc_string attribute attribute_proto input output "
             "value_info node ");
}

static void put_model(struct writer *w, const Onnx__ModelProto *m)
{
    bool any = false;

    if (m->has_ir_version) {
        put_key(w, &any, "ir_version");
        text_printf(w->text, "%lld", (long long)m->ir_version);
    }
    put_opsets(w, &any, m->opset_import, m->n_opset_import);
    put_key_string(w, &any, "producer_name", m->producer_name);
    put_key_string(w, &any, "producer_version", m->producer_version);
    put_key_string(w, &any, "domain", m->domain);
    if (m->has_model_version) {
        put_key(w, &any, "model_version");
        text_printf(w->text, "%lld", (long long)m->model_version);
    }
    put_key_string(w, &any, "doc_string", m->doc_string);
    if (m->n_metadata_props) {
        put_key(w, &any, "metadata_props");
        put_entries(w, m->metadata_props, m->n_metadata_props);
    }
    put_text(w, any ? "\n>\n" : "<>\n"); /* which tells a text from a message */
    if (m->graph)
        put_graph(w, m->graph);
    else
        refuse(w, &m->base, "no graph", "models");
    put_text(w, "\n");
    for (size_t k = 0; k < m->n_functions && !w->text->failed; k++) {
        put_text(w, "\n");
        put_function(w, m->functions[k]);
    }
    put_rest(w, &m->base, "models",
             " ir_version opset_import producer_name producer_version domain model_version "
             "doc_string metadata_props graph functions ");
}

#undef PUT_LIST

static int64_t put_left_out(struct writer *w)
{
    int64_t lost = 0;

    for (size_t k = 0; k < sizeof w->left_out / sizeof *w->left_out && w->left_out[k].what; k++) {
        text_printf(w->text, "%s%lld %s%s%s",
                    k ? ", " : "# left out, as the syntax has no place for them: ", (long long)w->left_out[k].count,
                    w->left_out[k].what, w->left_out[k].of ? " of " : "", w->left_out[k].of ? w->left_out[k].of : "");
        lost += w->left_out[k].count;
    }
    put_text(w, lost ? "\n" : "");
    return lost;
}

bool text_write_model(struct text *t, const Onnx__ModelProto *model, const struct text_options *options, int64_t *lost)
{
    struct writer w = { .text = t, .most = options ? options->most : 0 };
    /* Numbers have points, whatever the locale of the program: for this thread, for a while. */
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before;
    int64_t n;

    if (!plain)
        return fail_no_memory(t->report, 0);
    before = uselocale(plain);
    put_model(&w, model);
    n = put_left_out(&w);
    uselocale(before);
    freelocale(plain);
    if (lost)
        *lost = n;
    return !t->failed;
}

bool text_write_type(struct text *t, const Onnx__TypeProto *type)
{
    struct writer w = { .text = t, .most = 1 }; /* it is for people */

    put_inner_type(&w, type, NULL);
    return !t->failed;
}
