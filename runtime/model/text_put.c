#include "model/text_put.h"
#include "model/text_lex.h"
#include "tensor/dtype.h"
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

static bool same_words(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void leave_out(struct writer *w, const char *what, const char *of, size_t count)
{
    const size_t kinds = sizeof w->left_out / sizeof *w->left_out;
    size_t k = 0;

    if (!count)
        return;
    while (k < kinds - 1 && w->left_out[k].what &&
           !(same_words(w->left_out[k].what, what) && same_words(w->left_out[k].of, of)))
        k++;
    w->left_out[k].what = what;
    w->left_out[k].of = of;
    w->left_out[k].count += (int64_t)count;
}

/* What the message is called; "" where it has no name. */
static const char *name_of(const ProtobufCMessage *m)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "name");
    const char *name = NULL;

    if (field && field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED)
        memcpy(&name, (const char *)m + field->offset, sizeof name);
    return name ? name : "";
}

void refuse(struct writer *w, const ProtobufCMessage *m, const char *what, const char *of)
{
    const char *name = name_of(m);

    if (w->most) {
        leave_out(w, what, of, 1);
        return;
    }
    if (!w->text->failed)
        fail(w->text->report, KILN_UNSUPPORTED, NULL, "%.*s%s%s%s has %s, which the textual syntax has no place for",
             (int)strlen(of) - 1, of, *name ? " '" : "", name, *name ? "'" : "", what);
    w->text->failed = true;
}

/* Is `word` one of `words`, which have a space before and behind each? */
static bool is_among(const char *words, const char *word)
{
    const size_t n = strlen(word);

    for (const char *p = words; (p = strstr(p, word)); p += n)
        if (p > words && p[-1] == ' ' && p[n] == ' ')
            return true;
    return false;
}

/* What says nothing about the values that a model computes, or is not asked for to compute them. */
static const char annotations[] = " doc_string metadata_props denotation quantization_annotation "
                                  "device_configurations configuration training_info ";

void put_rest(struct writer *w, const ProtobufCMessage *m, const char *of, const char *said)
{
    for (unsigned k = 0; k < m->descriptor->n_fields; k++) {
        const ProtobufCFieldDescriptor *field = &m->descriptor->fields[k];

        if (is_among(said, field->name) || !message_says(m, field))
            continue;
        if (is_among(annotations, field->name))
            leave_out(w, field->name, of,
                      field->label == PROTOBUF_C_LABEL_REPEATED
                          ? *(const size_t *)((const char *)m + field->quantifier_offset)
                          : 1);
        else
            refuse(w, m, field->name, of);
    }
    leave_out(w, "unknown fields", NULL, m->n_unknown_fields);
}

/* -- names -- */

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

/* A domain of identifiers with dots between them needs no quotes. */
void put_domain(struct writer *w, const char *domain)
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
    put_text(w, domain);
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
        put_rest(w, &entries[k]->base, "pairs", " key value ");
    }
    put_text(w, "]");
}

/* -- types -- */

/* `of` is the message that has it. */
static void put_element_type(struct writer *w, int64_t type, const ProtobufCMessage *of)
{
    const char *name = element_type_name(type);

    if (!name && type)
        refuse(w, of, "an unknown element type",
               of->descriptor == &onnx__tensor_proto__descriptor ? "tensors" : "types");
    put_text(w, name ? name : UNDEFINED_TYPE);
}

static void put_shape(struct writer *w, const Onnx__TensorShapeProto *shape)
{
    if (!shape) {
        put_text(w, "[]");
        return;
    }
    put_rest(w, &shape->base, "shapes", " dim ");
    for (size_t k = 0; k < shape->n_dim; k++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];

        put_text(w, k ? "," : "[");
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            text_printf(w->text, "%lld", (long long)d->dim_value);
        else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
            put_word(w, d->dim_param);
        else
            put_text(w, "?");
        put_rest(w, &d->base, "dimensions", " dim_value dim_param ");
    }
    put_text(w, shape->n_dim ? "]" : "");
}

static void put_type(struct writer *w, const Onnx__TypeProto *type);

/* Of a sequence or the like: its element type may be missing in a model that nobody checked. */
void put_inner_type(struct writer *w, const Onnx__TypeProto *type, const ProtobufCMessage *of)
{
    if (type && type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET) {
        put_type(w, type);
        return;
    }
    if (of)
        refuse(w, of, "no type in it", of->descriptor == &onnx__attribute_proto__descriptor ? "attributes" : "types");
    put_text(w, UNDEFINED_TYPE);
}

static void put_opaque(struct writer *w, const Onnx__TypeProto__Opaque *opaque)
{
    const bool domain = opaque->domain && *opaque->domain, name = opaque->name && *opaque->name;

    put_text(w, "opaque(");
    if (domain) {
        put_domain(w, opaque->domain);
        put_text(w, ",");
    }
    if (domain || name)
        put_word(w, opaque->name);
    put_text(w, ")");
    put_rest(w, &opaque->base, "opaque types", " domain name ");
}

static void put_type(struct writer *w, const Onnx__TypeProto *type)
{
    static const char of[] = "types";

    put_rest(w, &type->base, of, " tensor_type sequence_type map_type optional_type sparse_tensor_type opaque_type ");
    switch (type->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        put_element_type(w, type->tensor_type->elem_type, &type->tensor_type->base);
        put_shape(w, type->tensor_type->shape);
        put_rest(w, &type->tensor_type->base, of, " elem_type shape ");
        break;
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        put_text(w, "sparse_tensor(");
        put_element_type(w, type->sparse_tensor_type->elem_type, &type->sparse_tensor_type->base);
        put_shape(w, type->sparse_tensor_type->shape);
        put_text(w, ")");
        put_rest(w, &type->sparse_tensor_type->base, of, " elem_type shape ");
        break;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        put_text(w, "seq(");
        put_inner_type(w, type->sequence_type->elem_type, &type->sequence_type->base);
        put_text(w, ")");
        put_rest(w, &type->sequence_type->base, of, " elem_type ");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        put_text(w, "optional(");
        put_inner_type(w, type->optional_type->elem_type, &type->optional_type->base);
        put_text(w, ")");
        put_rest(w, &type->optional_type->base, of, " elem_type ");
        break;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        put_text(w, "map(");
        put_element_type(w, type->map_type->key_type, &type->map_type->base);
        put_text(w, ", ");
        put_inner_type(w, type->map_type->value_type, &type->map_type->base);
        put_text(w, ")");
        put_rest(w, &type->map_type->base, of, " key_type value_type ");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
        put_opaque(w, type->opaque_type);
        break;
    default:
        leave_out(w, "types that say nothing", NULL, 1);
    }
}

void put_value_info(struct writer *w, const Onnx__ValueInfoProto *v)
{
    if (v->type) {
        put_type(w, v->type);
        put_text(w, v->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET ? "" : " ");
    }
    put_name(w, v->name);
    put_rest(w, &v->base, "values", " name type ");
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

/* -- numbers -- */

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
    const struct dtype_traits *const t = &dtype_traits[dtype_valid(type) ? type : UNDEFINED];
    const uint8_t bits = t->bits < 6 ? 8 : t->bits;

    if (type && !dtype_valid(type)) /* for people alone */
        return (struct raw_layout){ 8, RAW_UINT };
    switch (t->class) {
    case CLASS_NONE:
    case CLASS_STRING:
        return (struct raw_layout){ 8, RAW_NONE };
    case CLASS_INT:
        return (struct raw_layout){ bits, t->bits < 8 ? RAW_UINT : RAW_INT };
    case CLASS_COMPLEX:
        return (struct raw_layout){ bits / 2, bits == 64 ? RAW_FLOAT : RAW_DOUBLE };
    case CLASS_FLOAT:
        return (struct raw_layout){ bits, bits == 32 ? RAW_FLOAT : bits == 64 ? RAW_DOUBLE : RAW_UINT };
    default:
        return (struct raw_layout){ bits, RAW_UINT };
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

/* -- tensors -- */

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

/* The fields of a tensor that stand before its values. */
#define WRITTEN " name dims data_type data_location"

static const char *typed_field(int32_t type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
        return WRITTEN " float_data ";
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
        return WRITTEN " double_data ";
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return WRITTEN " int64_data ";
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return WRITTEN " uint64_data ";
    case ONNX__TENSOR_PROTO__DATA_TYPE__STRING:
        return WRITTEN " string_data ";
    default:
        return WRITTEN " int32_data ";
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

/* Of the fields that may hold values one is written, the others must be empty: put_rest sees to that. */
static void put_values(struct writer *w, const Onnx__TensorProto *t)
{
    const struct raw_layout layout = raw_layout(t->data_type);
    const bool raw = t->has_raw_data && layout.class != RAW_NONE;
    const size_t n = raw ? raw_count(t, layout) : typed_count(t);

    if (raw && (n * layout.bits + 7) / 8 != t->raw_data.len)
        refuse(w, &t->base, "raw_data that ends within a value", "tensors");
    put_rest(w, &t->base, "tensors", raw ? WRITTEN " raw_data " : typed_field(t->data_type));

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

void put_tensor(struct writer *w, const Onnx__TensorProto *t, bool named)
{
    put_element_type(w, t->data_type, &t->base);
    for (size_t d = 0; d < t->n_dims; d++)
        text_printf(w->text, "%s%lld", d ? "," : "[", (long long)t->dims[d]);
    put_text(w, t->n_dims ? "] " : " ");
    if (named || (t->name && *t->name)) {
        put_name(w, t->name);
        put_text(w, " ");
    }
    put_text(w, "= ");
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        put_entries(w, t->external_data, t->n_external_data);
        put_rest(w, &t->base, "tensors", WRITTEN " external_data ");
    } else {
        if (t->has_data_location && t->data_location)
            refuse(w, &t->base, "data_location", "tensors");
        put_values(w, t);
    }
}
