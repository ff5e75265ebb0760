#include "graph/text.h"
#include "graph/text_lex.h"
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A kind of field that the syntax has no place for, and how many of them were met. */
struct left_out {
    const char *what;
    int64_t count;
};

struct writer {
    struct text *text;
    int64_t most; /* values of a tensor; 0: all */
    int indent;
    struct left_out left_out[32];
};

static void put(struct writer *w, const char *s)
{
    text_add(w->text, s, strlen(s));
}

static void new_line(struct writer *w)
{
    text_printf(w->text, "\n%*s", 4 * w->indent, "");
}

static void leave_out(struct writer *w, const char *what, size_t count)
{
    const size_t kinds = sizeof w->left_out / sizeof *w->left_out;
    size_t k = 0;

    if (!count)
        return;
    while (k < kinds - 1 && w->left_out[k].what && strcmp(w->left_out[k].what, what) != 0)
        k++;
    w->left_out[k].what = what;
    w->left_out[k].count += (int64_t)count;
}

static void leave_out_unknown(struct writer *w, const ProtobufCMessage *m)
{
    leave_out(w, "unknown fields", m->n_unknown_fields);
}

/* -- names
 * ------------------------------------------------------------------------------------------------------------- */

static bool is_identifier(const char *s, size_t length)
{
    const char *start;
    struct reader r = { .text = s, .size = length };

    return length && peek_identifier(&r, &start) == length;
}

static void put_quoted(struct writer *w, const void *bytes, size_t length)
{
    const char *s = bytes;

    put(w, "\"");
    for (size_t from = 0, k = 0; k <= length; k++)
        if (k == length || s[k] == '"' || s[k] == '\\') {
            text_add(w->text, length ? s + from : "", k - from);
            if (k < length)
                put(w, "\\");
            from = k;
        }
    put(w, "\"");
}

/* Where only an operator, an attribute or a dimension can stand. */
static void put_word(struct writer *w, const char *s)
{
    const size_t n = s ? strlen(s) : 0;

    if (is_identifier(s, n))
        put(w, s);
    else
        put_quoted(w, s, n);
}

/* Where a type, or nan, would be read as such. */
static void put_name(struct writer *w, const char *s)
{
    const size_t n = s ? strlen(s) : 0;
    struct reader r = { .text = s, .size = n };

    if (n && (peek_type(&r) || peek_special(&r)))
        put_quoted(w, s, n);
    else
        put_word(w, s);
}

static void put_names(struct writer *w, char *const *names, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        put(w, k ? ", " : "");
        put_name(w, names[k]);
    }
}

static void put_entries(struct writer *w, Onnx__StringStringEntryProto *const *entries, size_t n)
{
    put(w, "[");
    for (size_t k = 0; k < n; k++) {
        const char *key = entries[k]->key ? entries[k]->key : "", *value = entries[k]->value ? entries[k]->value : "";

        put(w, k ? ", " : "");
        put_quoted(w, key, strlen(key));
        put(w, ": ");
        put_quoted(w, value, strlen(value));
        leave_out_unknown(w, &entries[k]->base);
    }
    put(w, "]");
}

/* -- types
 * ------------------------------------------------------------------------------------------------------------- */

static void put_element_type(struct writer *w, int64_t type)
{
    const char *name = element_type_name(type);

    leave_out(w, "unknown element types", !name);
    put(w, name ? name : "undefined");
}

static void put_shape(struct writer *w, const Onnx__TensorShapeProto *shape)
{
    if (!shape) {
        put(w, "[]");
        return;
    }
    leave_out_unknown(w, &shape->base);
    for (size_t k = 0; k < shape->n_dim; k++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];

        put(w, k ? "," : "[");
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            text_printf(w->text, "%lld", (long long)d->dim_value);
        else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
            put_word(w, d->dim_param);
        else
            put(w, "?");
        leave_out(w, "denotations of dimensions", d->denotation != NULL);
        leave_out_unknown(w, &d->base);
    }
    put(w, shape->n_dim ? "]" : "");
}

static void put_type(struct writer *w, const Onnx__TypeProto *type);

/* Of a sequence or the like, whose element type may be missing in a model that nobody checked. */
static void put_inner_type(struct writer *w, const Onnx__TypeProto *type)
{
    if (type && type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET)
        put_type(w, type);
    else
        put_element_type(w, 0);
}

static void put_opaque(struct writer *w, const Onnx__TypeProto__Opaque *opaque)
{
    const bool domain = opaque->domain && *opaque->domain;

    put(w, "opaque(");
    put(w, domain ? opaque->domain : "");
    put(w, domain ? "," : "");
    put(w, opaque->name ? opaque->name : "");
    put(w, ")");
}

static void put_type(struct writer *w, const Onnx__TypeProto *type)
{
    leave_out(w, "denotations of types", type->denotation != NULL);
    leave_out_unknown(w, &type->base);
    switch (type->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        put_element_type(w, type->tensor_type->elem_type);
        put_shape(w, type->tensor_type->shape);
        break;
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        put(w, "sparse_tensor(");
        put_element_type(w, type->sparse_tensor_type->elem_type);
        put_shape(w, type->sparse_tensor_type->shape);
        put(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        put(w, "seq(");
        put_inner_type(w, type->sequence_type->elem_type);
        put(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        put(w, "optional(");
        put_inner_type(w, type->optional_type->elem_type);
        put(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        put(w, "map(");
        put_element_type(w, type->map_type->key_type);
        put(w, ", ");
        put_inner_type(w, type->map_type->value_type);
        put(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
        put_opaque(w, type->opaque_type);
        break;
    default:
        leave_out(w, "types that say nothing", 1);
    }
}

static void put_value_info(struct writer *w, const Onnx__ValueInfoProto *v)
{
    if (v->type) {
        put_type(w, v->type);
        put(w, v->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET ? "" : " ");
    }
    put_name(w, v->name);
    leave_out(w, "doc_string of values", v->doc_string != NULL);
    leave_out(w, "metadata_props of values", v->n_metadata_props);
    leave_out_unknown(w, &v->base);
}

static void put_value_infos(struct writer *w, Onnx__ValueInfoProto *const *v, size_t n)
{
    put(w, "(");
    for (size_t k = 0; k < n; k++) {
        put(w, k ? ", " : "");
        put_value_info(w, v[k]);
    }
    put(w, ")");
}

/* -- numbers
 * ----------------------------------------------------------------------------------------------------------- */

/* As few digits as give the same number back. */
static void put_float(struct writer *w, float value)
{
    char text[32];
    int digits = 6, n;

    do
        n = snprintf(text, sizeof text, "%.*g", digits, (double)value);
    while (++digits <= 9 && strtof(text, NULL) != value);
    text_add(w->text, text, (size_t)n);
}

static void put_double(struct writer *w, double value)
{
    char text[32];
    int digits = 15, n;

    do
        n = snprintf(text, sizeof text, "%.*g", digits, value);
    while (++digits <= 17 && strtod(text, NULL) != value);
    text_add(w->text, text, (size_t)n);
}

/* Element `k` of raw data, which is little endian, as the number that the typed fields would hold. */
static uint64_t raw_bits(const uint8_t *p, size_t bytes)
{
    uint64_t bits = 0;

    for (size_t k = 0; k < bytes; k++)
        bits |= (uint64_t)p[k] << 8 * k;
    return bits;
}

/* How the numbers of a type lie in raw data: bits each, and what they are. Complex numbers are two; types of less than
 * 6 bits go by the byte, as they do in int32_data. */
enum raw_class { RAW_NONE, RAW_FLOAT, RAW_DOUBLE, RAW_INT, RAW_UINT };
struct raw_layout {
    uint8_t bits;
    enum raw_class class;
};

static struct raw_layout raw_layout(int64_t type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
        return (struct raw_layout){ 32, RAW_FLOAT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
        return (struct raw_layout){ 64, RAW_DOUBLE };
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        return (struct raw_layout){ 8, RAW_INT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        return (struct raw_layout){ 16, RAW_INT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return (struct raw_layout){ 32, RAW_INT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return (struct raw_layout){ 64, RAW_INT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        return (struct raw_layout){ 16, RAW_UINT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        return (struct raw_layout){ 32, RAW_UINT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return (struct raw_layout){ 64, RAW_UINT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT6E2M3:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT6E3M2:
        return (struct raw_layout){ 6, RAW_UINT };
    case ONNX__TENSOR_PROTO__DATA_TYPE__STRING:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED:
        return (struct raw_layout){ 8, RAW_NONE };
    default:
        return (struct raw_layout){ 8, RAW_UINT };
    }
}

static void put_raw(struct writer *w, struct raw_layout layout, const uint8_t *raw, size_t length, size_t k)
{
    const size_t at = k * layout.bits / 8;
    uint64_t bits = raw_bits(raw + at, layout.bits == 6 ? (at + 1 < length ? 2 : 1) : layout.bits / 8u);
    float f;
    double d;

    if (layout.bits == 6) {
        bits = bits >> (6 * k % 8) & 63;
    } else if (layout.class == RAW_FLOAT) {
        memcpy(&f, &(uint32_t){ (uint32_t)bits }, sizeof f);
        put_float(w, f);
        return;
    } else if (layout.class == RAW_DOUBLE) {
        memcpy(&d, &bits, sizeof d);
        put_double(w, d);
        return;
    }
    if (layout.class == RAW_INT)
        text_printf(w->text, "%lld", (long long)((int64_t)(bits << (64 - layout.bits)) >> (64 - layout.bits)));
    else
        text_printf(w->text, "%llu", (unsigned long long)bits);
}

/* -- tensors
 * ----------------------------------------------------------------------------------------------------------- */

/* How many numbers raw data holds: what its length says, less the padding at the end of 6-bit types. */
static size_t raw_count(const Onnx__TensorProto *t, struct raw_layout layout)
{
    const size_t most = t->raw_data.len / layout.bits * 8 + t->raw_data.len % layout.bits * 8 / layout.bits;
    int64_t n = 1;

    for (size_t d = 0; d < t->n_dims; d++)
        if (t->dims[d] < 0 || !mul_size(n, t->dims[d], &n))
            return most;
    return layout.bits == 6 && (uint64_t)n < most ? (size_t)n : most;
}

static size_t typed_count(const Onnx__TensorProto *t)
{
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
        return t->n_float_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
        return t->n_double_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return t->n_int64_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return t->n_uint64_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__STRING:
        return t->n_string_data;
    default:
        return t->n_int32_data;
    }
}

static void put_typed(struct writer *w, const Onnx__TensorProto *t, size_t k)
{
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
        put_float(w, t->float_data[k]);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
        put_double(w, t->double_data[k]);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        text_printf(w->text, "%lld", (long long)t->int64_data[k]);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        text_printf(w->text, "%llu", (unsigned long long)t->uint64_data[k]);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__STRING:
        put_quoted(w, t->string_data[k].data, t->string_data[k].len);
        break;
    default:
        text_printf(w->text, "%d", t->int32_data[k]);
    }
}

static void put_values(struct writer *w, const Onnx__TensorProto *t)
{
    const struct raw_layout layout = raw_layout(t->data_type);
    const bool raw = t->has_raw_data && layout.class != RAW_NONE;
    const size_t n = raw ? raw_count(t, layout) : typed_count(t);

    put(w, "{");
    for (size_t k = 0; k < n && !w->text->failed; k++) {
        put(w, k ? ", " : "");
        if (w->most > 0 && k >= (uint64_t)w->most) {
            put(w, "...");
            break;
        }
        if (raw)
            put_raw(w, layout, t->raw_data.data, t->raw_data.len, k);
        else
            put_typed(w, t, k);
    }
    put(w, "}");
}

static void put_tensor(struct writer *w, const Onnx__TensorProto *t)
{
    put_element_type(w, t->data_type);
    for (size_t d = 0; d < t->n_dims; d++)
        text_printf(w->text, "%s%lld", d ? "," : "[", (long long)t->dims[d]);
    put(w, t->n_dims ? "] " : " ");
    if (t->name && *t->name) {
        put_name(w, t->name);
        put(w, " ");
    }
    put(w, "= ");
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        put_entries(w, t->external_data, t->n_external_data);
    else
        put_values(w, t);
    leave_out(w, "doc_string of tensors", t->doc_string != NULL);
    leave_out(w, "metadata_props of tensors", t->n_metadata_props);
    leave_out(w, "segments of tensors", t->segment != NULL);
    leave_out_unknown(w, &t->base);
}

/* -- attributes
 * -------------------------------------------------------------------------------------------------------- */

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
        put(w, "[");                                                                                                   \
        for (size_t k = 0; k < (count) && !w->text->failed; k++) {                                                     \
            put(w, k ? ", " : "");                                                                                     \
            body;                                                                                                      \
        }                                                                                                              \
        put(w, "]");                                                                                                   \
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
        PUT_LIST(a->n_tensors, put_tensor(w, a->tensors[k]));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        PUT_LIST(a->n_graphs, put_graph(w, a->graphs[k]));
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
        PUT_LIST(a->n_type_protos, put_inner_type(w, a->type_protos[k]));
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
        put_tensor(w, a->t);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        put_graph(w, a->g);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
        put_inner_type(w, a->tp);
        break;
    default:
        put_list(w, a, type);
    }
}

/* Can the attribute be written? Sparse tensors cannot, nor what a model that nobody checked leaves out. */
static bool is_writable(const Onnx__AttributeProto *a, int type)
{
    if (a->ref_attr_name)
        return true;
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

static void put_attribute(struct writer *w, const Onnx__AttributeProto *a, int type)
{
    const char *name = attribute_type_name(type);

    put_word(w, a->name);
    if (name)
        text_printf(w->text, ": %s", name);
    put(w, " = ");
    if (a->ref_attr_name) {
        put(w, "@");
        put_word(w, a->ref_attr_name);
    } else {
        put_attribute_value(w, a, type);
    }
    leave_out(w, "doc_string of attributes", a->doc_string != NULL);
    leave_out_unknown(w, &a->base);
}

/* In angle brackets, or nothing. `names` are attributes without a default, of a function. */
static void put_attributes(struct writer *w, char *const *names, size_t n_names, Onnx__AttributeProto *const *a,
                           size_t n)
{
    const char *before = " <";

    for (size_t k = 0; k < n_names; k++, before = ", ") {
        put(w, before);
        put_word(w, names[k]);
    }
    for (size_t k = 0; k < n; k++) {
        const int type = type_of(a[k]);

        if (!is_writable(a[k], type)) {
            leave_out(w, "sparse or incomplete attributes", 1);
            continue;
        }
        put(w, before);
        put_attribute(w, a[k], type);
        before = ", ";
    }
    put(w, before[0] == ',' ? ">" : "");
}

/* -- nodes and graphs
 * -------------------------------------------------------------------------------------------------- */

/* A domain of identifiers with dots between them needs no quotes. */
static void put_domain(struct writer *w, const char *domain)
{
    const char *p = domain;

    for (;;) {
        const size_t n = strcspn(p, ".");

        if (!is_identifier(p, n)) {
            put_quoted(w, domain, strlen(domain));
            return;
        }
        if (!p[n])
            break;
        p += n + 1;
    }
    put(w, domain);
}

static void put_node(struct writer *w, const Onnx__NodeProto *node)
{
    bool has_graph = false;

    for (size_t k = 0; k < node->n_attribute; k++)
        has_graph = has_graph || node->attribute[k]->g || node->attribute[k]->n_graphs;
    if (node->name) {
        put(w, "[");
        put_name(w, node->name);
        put(w, "] ");
    }
    put_names(w, node->output, node->n_output);
    put(w, node->n_output ? " = " : "= ");
    if (node->domain && *node->domain) {
        put_domain(w, node->domain);
        put(w, ".");
    }
    put_word(w, node->op_type);
    if (node->overload && *node->overload) {
        put(w, ":");
        put_word(w, node->overload);
    }
    if (!has_graph)
        put_attributes(w, NULL, 0, node->attribute, node->n_attribute);
    put(w, " (");
    put_names(w, node->input, node->n_input);
    put(w, ")");
    if (has_graph) /* last, so that what the node takes is seen before its subgraphs */
        put_attributes(w, NULL, 0, node->attribute, node->n_attribute);
    leave_out(w, "doc_string of nodes", node->doc_string != NULL);
    leave_out(w, "metadata_props of nodes", node->n_metadata_props);
    leave_out(w, "device_configurations of nodes", node->n_device_configurations);
    leave_out_unknown(w, &node->base);
}

static void put_nodes(struct writer *w, Onnx__NodeProto *const *nodes, size_t n)
{
    put(w, "{");
    w->indent++;
    for (size_t k = 0; k < n && !w->text->failed; k++) {
        new_line(w);
        put_node(w, nodes[k]);
    }
    w->indent--;
    new_line(w);
    put(w, "}");
}

/* Initializers and types of values inside, one a line. */
static void put_inner(struct writer *w, Onnx__TensorProto *const *initializers, size_t n_initializers,
                      Onnx__ValueInfoProto *const *values, size_t n_values)
{
    const size_t n = n_initializers + n_values;

    if (!n)
        return;
    put(w, " <");
    w->indent++;
    for (size_t k = 0; k < n && !w->text->failed; k++) {
        new_line(w);
        if (k < n_initializers)
            put_tensor(w, initializers[k]);
        else
            put_value_info(w, values[k - n_initializers]);
        put(w, k + 1 < n ? "," : "");
    }
    w->indent--;
    new_line(w);
    put(w, ">");
}

static void put_graph(struct writer *w, const Onnx__GraphProto *g)
{
    put_name(w, g->name);
    put(w, " ");
    put_value_infos(w, g->input, g->n_input);
    put(w, " => ");
    put_value_infos(w, g->output, g->n_output);
    put_inner(w, g->initializer, g->n_initializer, g->value_info, g->n_value_info);
    put(w, " ");
    put_nodes(w, g->node, g->n_node);
    leave_out(w, "doc_string of graphs", g->doc_string != NULL);
    leave_out(w, "metadata_props of graphs", g->n_metadata_props);
    leave_out(w, "sparse_initializer", g->n_sparse_initializer);
    leave_out(w, "quantization_annotation", g->n_quantization_annotation);
    leave_out_unknown(w, &g->base);
}

/* -- functions and the model
 * ------------------------------------------------------------------------------------------- */

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
        leave_out_unknown(w, &opsets[k]->base);
    });
}

static void put_function(struct writer *w, const Onnx__FunctionProto *f)
{
    bool any = false;

    put_key_string(w, &any, "domain", f->domain);
    put_key_string(w, &any, "overload", f->overload);
    put_opsets(w, &any, f->opset_import, f->n_opset_import);
    put_key_string(w, &any, "doc_string", f->doc_string);
    put(w, any ? "\n>\n" : "");
    put_name(w, f->name);
    put_attributes(w, f->attribute, f->n_attribute, f->attribute_proto, f->n_attribute_proto);
    put(w, " (");
    put_names(w, f->input, f->n_input);
    put(w, ") => (");
    put_names(w, f->output, f->n_output);
    put(w, ")");
    put_inner(w, NULL, 0, f->value_info, f->n_value_info);
    put(w, " ");
    put_nodes(w, f->node, f->n_node);
    put(w, "\n");
    leave_out(w, "metadata_props of functions", f->n_metadata_props);
    leave_out_unknown(w, &f->base);
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
    put(w, any ? "\n>\n" : "");
    if (m->graph)
        put_graph(w, m->graph);
    put(w, "\n");
    for (size_t k = 0; k < m->n_functions && !w->text->failed; k++) {
        put(w, "\n");
        put_function(w, m->functions[k]);
    }
    leave_out(w, "training_info", m->n_training_info);
    leave_out(w, "configuration", m->n_configuration);
    leave_out_unknown(w, &m->base);
}

#undef PUT_LIST

static int64_t put_left_out(struct writer *w)
{
    int64_t lost = 0;

    for (size_t k = 0; k < sizeof w->left_out / sizeof *w->left_out && w->left_out[k].what; k++) {
        text_printf(w->text, "%s%lld %s",
                    k ? ", " : "# left out, as the syntax has no place for them: ", (long long)w->left_out[k].count,
                    w->left_out[k].what);
        lost += w->left_out[k].count;
    }
    put(w, lost ? "\n" : "");
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
    struct writer w = { .text = t };

    put_inner_type(&w, type);
    return !t->failed;
}
