#include "graph/text_put.h"
#include "graph/text_lex.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void put_text(struct writer *w, const char *s)
{
    text_add(w->text, s, strlen(s));
}

void put_line(struct writer *w)
{
    text_printf(w->text, "\n%*s", 4 * w->indent, "");
}

void leave_out(struct writer *w, const char *what, size_t count)
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

void leave_out_unknown(struct writer *w, const ProtobufCMessage *m)
{
    leave_out(w, "unknown fields", m->n_unknown_fields);
}

/* -- names --------------------------------------------------------------------------------------------------------- */

bool is_identifier(const char *s, size_t length)
{
    const char *start;
    struct reader r = { .text = s, .size = length };

    return length && peek_identifier(&r, &start) == length;
}

void put_quoted(struct writer *w, const void *bytes, size_t length)
{
    const char *s = bytes;

    put_text(w, "\"");
    for (size_t from = 0, k = 0; k <= length; k++)
        if (k == length || s[k] == '"' || s[k] == '\\') {
            text_add(w->text, length ? s + from : "", k - from);
            if (k < length)
                put_text(w, "\\");
            from = k;
        }
    put_text(w, "\"");
}

void put_word(struct writer *w, const char *s)
{
    const size_t n = s ? strlen(s) : 0;

    if (is_identifier(s, n))
        put_text(w, s);
    else
        put_quoted(w, s, n);
}

void put_name(struct writer *w, const char *s)
{
    const size_t n = s ? strlen(s) : 0;
    struct reader r = { .text = s, .size = n };

    if (n && (peek_type(&r) || peek_special(&r)))
        put_quoted(w, s, n);
    else
        put_word(w, s);
}

void put_names(struct writer *w, char *const *names, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        put_text(w, k ? ", " : "");
        put_name(w, names[k]);
    }
}

void put_entries(struct writer *w, Onnx__StringStringEntryProto *const *entries, size_t n)
{
    put_text(w, "[");
    for (size_t k = 0; k < n; k++) {
        const char *key = entries[k]->key ? entries[k]->key : "", *value = entries[k]->value ? entries[k]->value : "";

        put_text(w, k ? ", " : "");
        put_quoted(w, key, strlen(key));
        put_text(w, ": ");
        put_quoted(w, value, strlen(value));
        leave_out_unknown(w, &entries[k]->base);
    }
    put_text(w, "]");
}

/* -- types --------------------------------------------------------------------------------------------------------- */

static void put_element_type(struct writer *w, int64_t type)
{
    const char *name = element_type_name(type);

    leave_out(w, "unknown element types", !name);
    put_text(w, name ? name : "undefined");
}

static void put_shape(struct writer *w, const Onnx__TensorShapeProto *shape)
{
    if (!shape) {
        put_text(w, "[]");
        return;
    }
    leave_out_unknown(w, &shape->base);
    for (size_t k = 0; k < shape->n_dim; k++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];

        put_text(w, k ? "," : "[");
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            text_printf(w->text, "%lld", (long long)d->dim_value);
        else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
            put_word(w, d->dim_param);
        else
            put_text(w, "?");
        leave_out(w, "denotations of dimensions", d->denotation != NULL);
        leave_out_unknown(w, &d->base);
    }
    put_text(w, shape->n_dim ? "]" : "");
}

static void put_type(struct writer *w, const Onnx__TypeProto *type);

/* Of a sequence or the like: its element type may be missing in a model that nobody checked. */
void put_inner_type(struct writer *w, const Onnx__TypeProto *type)
{
    if (type && type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET)
        put_type(w, type);
    else
        put_element_type(w, 0);
}

static void put_opaque(struct writer *w, const Onnx__TypeProto__Opaque *opaque)
{
    const bool domain = opaque->domain && *opaque->domain;

    put_text(w, "opaque(");
    put_text(w, domain ? opaque->domain : "");
    put_text(w, domain ? "," : "");
    put_text(w, opaque->name ? opaque->name : "");
    put_text(w, ")");
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
        put_text(w, "sparse_tensor(");
        put_element_type(w, type->sparse_tensor_type->elem_type);
        put_shape(w, type->sparse_tensor_type->shape);
        put_text(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        put_text(w, "seq(");
        put_inner_type(w, type->sequence_type->elem_type);
        put_text(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        put_text(w, "optional(");
        put_inner_type(w, type->optional_type->elem_type);
        put_text(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        put_text(w, "map(");
        put_element_type(w, type->map_type->key_type);
        put_text(w, ", ");
        put_inner_type(w, type->map_type->value_type);
        put_text(w, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
        put_opaque(w, type->opaque_type);
        break;
    default:
        leave_out(w, "types that say nothing", 1);
    }
}

void put_value_info(struct writer *w, const Onnx__ValueInfoProto *v)
{
    if (v->type) {
        put_type(w, v->type);
        put_text(w, v->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET ? "" : " ");
    }
    put_name(w, v->name);
    leave_out(w, "doc_string of values", v->doc_string != NULL);
    leave_out(w, "metadata_props of values", v->n_metadata_props);
    leave_out_unknown(w, &v->base);
}

void put_value_infos(struct writer *w, Onnx__ValueInfoProto *const *v, size_t n)
{
    put_text(w, "(");
    for (size_t k = 0; k < n; k++) {
        put_text(w, k ? ", " : "");
        put_value_info(w, v[k]);
    }
    put_text(w, ")");
}

/* -- numbers ------------------------------------------------------------------------------------------------------- */

/* As few digits as give the same number back. */
void put_float(struct writer *w, float value)
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

/* Raw data is little endian. */
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

/* Number `k` of raw data, as the typed fields would hold it. */
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

/* -- tensors ------------------------------------------------------------------------------------------------------- */

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

    put_text(w, "{");
    for (size_t k = 0; k < n && !w->text->failed; k++) {
        put_text(w, k ? ", " : "");
        if (w->most > 0 && k >= (uint64_t)w->most) {
            put_text(w, "...");
            break;
        }
        if (raw)
            put_raw(w, layout, t->raw_data.data, t->raw_data.len, k);
        else
            put_typed(w, t, k);
    }
    put_text(w, "}");
}

void put_tensor(struct writer *w, const Onnx__TensorProto *t)
{
    put_element_type(w, t->data_type);
    for (size_t d = 0; d < t->n_dims; d++)
        text_printf(w->text, "%s%lld", d ? "," : "[", (long long)t->dims[d]);
    put_text(w, t->n_dims ? "] " : " ");
    if (t->name && *t->name) {
        put_name(w, t->name);
        put_text(w, " ");
    }
    put_text(w, "= ");
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        put_entries(w, t->external_data, t->n_external_data);
    else
        put_values(w, t);
    leave_out(w, "doc_string of tensors", t->doc_string != NULL);
    leave_out(w, "metadata_props of tensors", t->n_metadata_props);
    leave_out(w, "segments of tensors", t->segment != NULL);
    leave_out_unknown(w, &t->base);
}
