#include "model/message.h"
#include "model/model.h"
#include "tensor/small.h"
#include <string.h>

/* -- from a message -- */

static bool shape_of(struct tensor *out, const Onnx__TensorProto *t, const char *where, struct report *r)
{
    if (!dtype_valid(t->data_type))
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' has data type %d, which is unknown", t->name ? t->name : "",
                    (int)t->data_type);
    if (t->n_dims > MAX_RANK)
        return fail(r, KILN_LIMIT, where, "tensor '%s' has %zu dimensions, at most %d are supported",
                    t->name ? t->name : "", t->n_dims, (int)MAX_RANK);
    for (size_t k = 0; k < t->n_dims; k++)
        if (t->dims[k] < 0)
            return fail(r, KILN_BAD_MODEL, where, "dimension %zu of tensor '%s' is %lld, must be at least 0", k,
                        t->name ? t->name : "", (long long)t->dims[k]);
    if (!tensor_shape(out, (enum dtype)t->data_type, (int)t->n_dims, t->dims))
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' would have more bytes than can be counted",
                    t->name ? t->name : "");
    return true;
}

static bool wrong_count(const Onnx__TensorProto *t, const char *field, size_t got, int64_t need, const char *where,
                        struct report *r)
{
    return fail(r, KILN_BAD_MODEL, where, "tensor '%s' has %zu values in %s, its shape needs %lld",
                t->name ? t->name : "", got, field, (long long)need);
}

static bool strings_of(struct tensor *out, const Onnx__TensorProto *t, struct arena *arena, const char *where,
                       struct report *r)
{
    const int64_t n = tensor_count(out);
    struct string **s;

    if (t->n_string_data != (size_t)n)
        return wrong_count(t, "string_data", t->n_string_data, n, where, r);
    s = arena_array(arena, (size_t)n, sizeof *s, r);
    if (!s)
        return false;
    for (int64_t k = 0; k < n; k++) {
        const ProtobufCBinaryData *from = &t->string_data[k];

        if (!from->len)
            continue;
        s[k] = arena_alloc(arena, sizeof **s + from->len, r);
        if (!s[k])
            return false;
        s[k]->length = from->len;
        memcpy(s[k]->bytes, from->data, from->len);
    }
    out->data = s;
    return true;
}

/* Those of 4 and 2 bits are packed in int32_data, too: each holds a byte of them. */
static bool is_packed_in_ints(enum dtype d)
{
    return dtype_traits[d].bits <= 4;
}

static int64_t narrow_count(const struct tensor *t)
{
    return is_packed_in_ints(t->dtype) ? packed_bytes(t->dtype, tensor_count(t)) : tensor_count(t);
}

/* Small types travel as int32, one each (complex and float16 as the standard says). */
static bool narrow_ints(struct tensor *out, const Onnx__TensorProto *t, struct arena *arena, struct report *r)
{
    const int64_t n = narrow_count(out);
    const bool packed = is_packed_in_ints(out->dtype);
    void *data = arena_alloc(arena, (size_t)tensor_bytes(out), r), *bytes = data;

    if (packed)
        bytes = arena_alloc(arena, (size_t)n, r);
    if (!data || !bytes)
        return false;
    for (int64_t k = 0; k < n; k++)
        if (dtype_size(out->dtype) == 1)
            ((uint8_t *)bytes)[k] = out->dtype == BOOL ? t->int32_data[k] != 0 : (uint8_t)t->int32_data[k];
        else
            ((uint16_t *)data)[k] = (uint16_t)t->int32_data[k];
    if (packed)
        small_unpack(out->dtype, bytes, data, tensor_count(out));
    out->data = data;
    return true;
}

static bool typed_data(struct tensor *out, const Onnx__TensorProto *t, struct arena *arena, const char *where,
                       struct report *r)
{
    const int64_t n = tensor_count(out);
    const char *field;
    size_t got;
    void *data;
    int64_t need = n;

    switch (out->dtype) {
    case F32:
    case C64:
        need = out->dtype == C64 ? 2 * n : n;
        field = "float_data", got = t->n_float_data, data = t->float_data;
        break;
    case F64:
    case C128:
        need = out->dtype == C128 ? 2 * n : n;
        field = "double_data", got = t->n_double_data, data = t->double_data;
        break;
    case I64:
        field = "int64_data", got = t->n_int64_data, data = t->int64_data;
        break;
    case U64:
    case U32:
        field = "uint64_data", got = t->n_uint64_data, data = t->uint64_data;
        break;
    default:
        need = dtype_size(out->dtype) < 4 ? narrow_count(out) : n;
        field = "int32_data", got = t->n_int32_data, data = t->int32_data;
        break;
    }
    if (got != (size_t)need)
        return wrong_count(t, field, got, need, where, r);
    if (out->dtype == U32) {
        uint32_t *narrow = arena_alloc(arena, (size_t)tensor_bytes(out), r);

        for (int64_t k = 0; narrow && k < n; k++)
            narrow[k] = (uint32_t)t->uint64_data[k];
        out->data = narrow;
        return narrow;
    }
    if (dtype_size(out->dtype) < 4)
        return narrow_ints(out, t, arena, r);
    out->data = n ? data : arena_alloc(arena, 1, r);
    return out->data;
}

static size_t typed_values(const Onnx__TensorProto *t)
{
    return t->n_float_data + t->n_int32_data + t->n_string_data + t->n_int64_data + t->n_double_data + t->n_uint64_data;
}

/* A bool is any byte but 0 in some files, and 1 in Kiln. */
static bool clean_bools(struct tensor *out, struct arena *arena, struct report *r)
{
    const int64_t n = tensor_count(out);
    const uint8_t *from = out->data;
    uint8_t *data = NULL;

    for (int64_t k = 0; k < n; k++) {
        if (from[k] <= 1)
            continue;
        if (!data) {
            data = arena_alloc(arena, (size_t)n, r);
            if (!data)
                return false;
            memcpy(data, from, (size_t)n);
            out->data = data;
        }
        data[k] = 1;
    }
    return true;
}

/* Bytes as they lie in a file: little-endian, small types packed. */
static bool file_data(struct tensor *out, void *bytes, struct arena *arena, bool keep, struct report *r)
{
    const int64_t size = tensor_bytes(out);

    if (keep && size && !big_endian && !dtype_is_packed(out->dtype)) {
        out->data = bytes;
        return true;
    }
    out->data = arena_alloc(arena, size ? (size_t)size : 1, r);
    if (!out->data || !size)
        return out->data;
    if (dtype_is_packed(out->dtype))
        small_unpack(out->dtype, bytes, out->data, tensor_count(out));
    else
        memcpy(out->data, bytes, (size_t)size);
    if (big_endian)
        swap_bytes(out->data, tensor_count(out), out->dtype);
    return true;
}

static bool external_data(struct tensor *out, const Onnx__TensorProto *t, struct external *external,
                          struct arena *arena, const char *where, struct report *r)
{
    void *loaded;
    bool ok;

    if (t->has_raw_data || typed_values(t))
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' has data here and in another file", t->name ? t->name : "");
    if (out->dtype == STRING)
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' holds strings in another file", t->name ? t->name : "");
    loaded = external_load(external, t, packed_bytes(out->dtype, tensor_count(out)), where, arena->budget, r);
    ok = loaded && file_data(out, loaded, arena, false, r);
    budget_free(arena->budget, loaded);
    return ok;
}

static bool raw_data(struct tensor *out, const Onnx__TensorProto *t, struct arena *arena, const char *where,
                     struct report *r)
{
    const int64_t bytes = packed_bytes(out->dtype, tensor_count(out));

    if (typed_values(t))
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' has both raw and typed data", t->name ? t->name : "");
    if (out->dtype == STRING)
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' holds strings as raw data", t->name ? t->name : "");
    if (t->raw_data.len != (size_t)bytes)
        return fail(r, KILN_BAD_MODEL, where, "tensor '%s' has %zu bytes of raw data, its shape needs %lld",
                    t->name ? t->name : "", t->raw_data.len, (long long)bytes);
    return file_data(out, t->raw_data.data, arena, true, r);
}

bool tensor_of_proto(struct tensor *out, const Onnx__TensorProto *t, struct external *external, struct arena *arena,
                     const char *where, struct report *r)
{
    struct tensor made;
    bool ok;

    if (!shape_of(&made, t, where, r))
        return false;
    if (t->segment)
        return fail(r, KILN_UNSUPPORTED, where, "tensor '%s' is stored in segments", t->name ? t->name : "");
    if (external_is(t))
        ok = external_data(&made, t, external, arena, where, r);
    else if (t->has_raw_data)
        ok = raw_data(&made, t, arena, where, r);
    else if (made.dtype == STRING)
        ok = strings_of(&made, t, arena, where, r);
    else
        ok = typed_data(&made, t, arena, where, r);
    if (!ok || !made.data || (made.dtype == BOOL && !clean_bools(&made, arena, r)))
        return false;
    *out = made;
    return true;
}

/* -- to a message -- */

static bool strings_to(Onnx__TensorProto *out, const struct tensor *t, struct budget *b, struct report *r)
{
    const int64_t n = tensor_count(t);
    struct string *const *s = t->data;

    out->string_data = budget_zalloc(b, (size_t)n, sizeof *out->string_data, r);
    if (!out->string_data)
        return false;
    out->n_string_data = (size_t)n;
    for (int64_t k = 0; k < n; k++)
        if (!message_bytes(&out->string_data[k], s[k] ? s[k]->bytes : "", s[k] ? s[k]->length : 0, b, r))
            return false;
    return true;
}

static bool packed_to(Onnx__TensorProto *out, const struct tensor *t, struct budget *b, struct report *r)
{
    const size_t bytes = (size_t)packed_bytes(t->dtype, tensor_count(t));

    out->raw_data = (ProtobufCBinaryData){ bytes, bytes ? budget_alloc(b, bytes, r) : NULL };
    out->has_raw_data = !bytes || out->raw_data.data;
    if (out->has_raw_data)
        small_pack(t->dtype, t->data, out->raw_data.data, tensor_count(t));
    return out->has_raw_data;
}

bool tensor_to_proto(Onnx__TensorProto *out, const char *name, const struct tensor *t, struct budget *b,
                     struct report *r)
{
    out->dims = budget_zalloc(b, (size_t)t->rank, sizeof *out->dims, r);
    if (!out->dims)
        return false;
    out->n_dims = (size_t)t->rank;
    if (t->rank)
        memcpy(out->dims, t->dims, (size_t)t->rank * sizeof *out->dims);
    out->has_data_type = true;
    out->data_type = (int32_t)t->dtype;
    if (name && !(out->name = message_string(name, strlen(name), b, r)))
        return false;
    if (t->dtype == STRING)
        return strings_to(out, t, b, r);
    if (dtype_is_packed(t->dtype))
        return packed_to(out, t, b, r);
    out->has_raw_data = message_bytes(&out->raw_data, t->data, (size_t)tensor_bytes(t), b, r);
    if (out->has_raw_data && big_endian)
        swap_bytes(out->raw_data.data, tensor_count(t), t->dtype);
    return out->has_raw_data;
}

/* -- declared types -- */

static bool element_type(struct tensor *out, bool has, int32_t elem, const char *where, struct report *r)
{
    if (!has || elem == 0) {
        out->dtype = UNDEFINED;
        return true;
    }
    if (!dtype_valid(elem))
        return fail(r, KILN_BAD_MODEL, where, "element type %d is unknown", (int)elem);
    out->dtype = (enum dtype)elem;
    return true;
}

/* Elements, as far as dimensions are declared: whoever puts a number for a symbol need not fear an overflow. */
static const int64_t MAX_DECLARED = (int64_t)1 << 40;

static bool tensor_type(struct tensor *out, const Onnx__TypeProto__Tensor *t, const char *where, struct report *r)
{
    int64_t known = 1;

    if (!element_type(out, t->has_elem_type, t->elem_type, where, r))
        return false;
    out->rank = UNKNOWN;
    if (!t->shape)
        return true;
    if (t->shape->n_dim > MAX_RANK)
        return fail(r, KILN_LIMIT, where, "%zu dimensions are declared, at most %d are supported", t->shape->n_dim,
                    (int)MAX_RANK);
    out->rank = (int)t->shape->n_dim;
    for (int k = 0; k < out->rank; k++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[k];
        const bool given = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;

        out->dims[k] =
            given && d->dim_value >= 0 ? d->dim_value : UNKNOWN; /* -1 is what some exporters write for "any" */
        if (out->dims[k] > 1 && (!mul_size(known, out->dims[k], &known) || known > MAX_DECLARED))
            return fail(r, KILN_LIMIT, where, "a shape of more than 2^40 elements is declared");
    }
    return true;
}

/* What a type is, and the type that it holds; NULL where it holds none, or does not say. */
static const Onnx__TypeProto *inner_type(const Onnx__TypeProto *t, struct element *level)
{
    switch (t->value_case) {
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        level->kind = SEQUENCE;
        return t->sequence_type->elem_type;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        level->kind = OPTIONAL;
        return t->optional_type->elem_type;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        level->kind = MAP;
        return t->map_type->value_type;
    default:
        level->kind = t->value_case == ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE ? SPARSE : TENSOR;
        return NULL;
    }
}

static bool key_type(struct element *level, const Onnx__TypeProto *t, const char *where, struct report *r)
{
    const int32_t key = t->map_type->has_key_type ? t->map_type->key_type : UNDEFINED;

    if (!dtype_valid(key) || !dtype_is_key((enum dtype)key))
        return fail(r, KILN_BAD_MODEL, where, "a map's keys are %s, must be strings or integers",
                    dtype_name((enum dtype)key));
    level->key = (enum dtype)key;
    return true;
}

/* The tensors in it: of their shape, which may differ from one to the other, nothing is kept. */
static bool innermost_type(struct tensor *out, const Onnx__TypeProto *t, const char *where, struct report *r)
{
    switch (t->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        return element_type(out, t->tensor_type->has_elem_type, t->tensor_type->elem_type, where, r);
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        return element_type(out, t->sparse_tensor_type->has_elem_type, t->sparse_tensor_type->elem_type, where, r);
    default:
        return fail(r, KILN_UNSUPPORTED, where, "a sequence, an optional or a map of an opaque type");
    }
}

bool type_of_proto(struct tensor *out, const Onnx__TypeProto *t, const char *where, struct report *r)
{
    struct element levels[MAX_NESTING + 1] = { 0 };

    *out = (struct tensor){ .rank = UNKNOWN };
    if (t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return tensor_type(out, t->tensor_type, where, r);
    for (int n = 0;; n++) {
        const Onnx__TypeProto *inner = inner_type(t, &levels[n]);

        if (!holds_values(levels[n].kind))
            break;
        if (levels[n].kind == MAP && !key_type(&levels[n], t, where, r))
            return false;
        if (!inner || inner->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
            return fail(r, KILN_BAD_MODEL, where, "a sequence, an optional or a map does not say what it holds");
        if (n == MAX_NESTING)
            return fail(r, KILN_LIMIT, where, "a type is nested in more than %d others", (int)MAX_NESTING);
        t = inner;
    }
    out->kind = levels[0].kind;
    out->key = levels[0].key;
    memcpy(out->element, levels + 1, sizeof out->element);
    return out->kind == TENSOR || innermost_type(out, t, where, r);
}

/* -- as a declaration -- */

Onnx__TensorShapeProto *shape_to_proto(const struct tensor *t, struct budget *b, struct report *r)
{
    Onnx__TensorShapeProto *s = message_new(&onnx__tensor_shape_proto__descriptor, b, r);

    if (!s || !t->rank)
        return s;
    s->dim = budget_zalloc(b, (size_t)t->rank, sizeof *s->dim, r);
    for (; s->dim && s->n_dim < (size_t)t->rank; s->n_dim++) {
        Onnx__TensorShapeProto__Dimension *d = message_new(&onnx__tensor_shape_proto__dimension__descriptor, b, r);

        if (!d)
            break;
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = t->dims[s->n_dim];
        s->dim[s->n_dim] = d;
    }
    if (s->n_dim == (size_t)t->rank)
        return s;
    message_free(s, b);
    return NULL;
}

static Onnx__TypeProto *type_message(const struct tensor *t, struct budget *b, struct report *r)
{
    Onnx__TypeProto *p = message_new(&onnx__type_proto__descriptor, b, r);

    if (!p)
        return NULL;
    p->tensor_type = message_new(&onnx__type_proto__tensor__descriptor, b, r);
    if (p->tensor_type) {
        p->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        p->tensor_type->has_elem_type = true;
        p->tensor_type->elem_type = (int32_t)t->dtype;
        p->tensor_type->shape = shape_to_proto(t, b, r);
    }
    if (p->tensor_type && p->tensor_type->shape)
        return p;
    message_free(p, b);
    return NULL;
}

Onnx__ValueInfoProto *value_info_of(const char *name, const struct tensor *t, struct budget *b, struct report *r)
{
    Onnx__ValueInfoProto *v = message_new(&onnx__value_info_proto__descriptor, b, r);

    if (!v)
        return NULL;
    v->name = message_string(name, strlen(name), b, r);
    v->type = type_message(t, b, r);
    if (v->name && v->type)
        return v;
    message_free(v, b);
    return NULL;
}

const char *symbol_of_proto(const Onnx__TensorShapeProto__Dimension *d)
{
    /* Converters of scikit-learn, Keras and Core ML models wrote these for each dimension that they did not know: the
     * dimensions have no more in common than that. */
    static const char *const unknown[] = { "", "?", "-1", "None", "none" };

    if (d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM || !d->dim_param)
        return NULL;
    for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++)
        if (strcmp(d->dim_param, unknown[k]) == 0)
            return NULL;
    return d->dim_param;
}
