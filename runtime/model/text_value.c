#include "base/text.h"
#include "model/text_lex.h"
#include "tensor/dtype.h"
#include <string.h>

/* -- names of types -- */

static const char *const attribute_types[] = {
    [1] = "float", "int",     "string", "tensor",        "graph",          "floats",     "ints",
    "strings",     "tensors", "graphs", "sparse_tensor", "sparse_tensors", "type_proto", "type_protos",
};

static int number_of(const char *const *names, size_t count, const char *name, size_t length)
{
    for (size_t k = 1; k < count; k++)
        if (is_word(name, length, names[k]))
            return (int)k;
    return 0;
}

int element_type(const char *name, size_t length)
{
    return (int)dtype_of_name(name, length);
}

const char *element_type_name(int64_t type)
{
    return dtype_valid(type) ? dtype_name((enum dtype)type) : NULL;
}

int attribute_type(const char *name, size_t length)
{
    return number_of(attribute_types, sizeof attribute_types / sizeof *attribute_types, name, length);
}

const char *attribute_type_name(int64_t type)
{
    return type > 0 && (size_t)type < sizeof attribute_types / sizeof *attribute_types ? attribute_types[type] : NULL;
}

/* -- types -- */

/* It is a name as well: a type only where a name, dimensions or values follow. */
static bool peek_undefined(const struct reader *r)
{
    struct reader ahead = *r;
    const char *word;
    int next;

    ahead.at += strlen(UNDEFINED_TYPE);
    next = peek_char(&ahead);
    return next == '"' || next == '[' || next == '{' || peek_identifier(&ahead, &word) ||
           (next == '=' && ahead.at + 1 < ahead.size && ahead.text[ahead.at + 1] != '>');
}

bool peek_type(struct reader *r)
{
    const char *word;
    const size_t n = peek_identifier(r, &word);

    if (n && is_word(word, n, UNDEFINED_TYPE))
        return peek_undefined(r);
    return n && (element_type(word, n) || is_word(word, n, "seq") || is_word(word, n, "map") ||
                 is_word(word, n, "optional") || is_word(word, n, "sparse_tensor") || is_word(word, n, "opaque"));
}

static bool read_dimension(struct reader *r, Onnx__TensorShapeProto__Dimension *d)
{
    const char *word;
    char *name;

    if (read_match(r, '?'))
        return true;
    if (peek_char(r) == '"' || peek_identifier(r, &word)) {
        if (!read_name(r, &name, "the name of a dimension"))
            return false;
        d->dim_param = name;
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        return true;
    }
    if (!read_int(r, &d->dim_value))
        return false;
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    return true;
}

/* What follows an element type: nothing is a scalar, [] any rank, [N, 3] two dimensions. */
static bool read_shape(struct reader *r, Onnx__TensorShapeProto **shape)
{
    size_t room = 0;
    const bool bracket = read_match(r, '[');

    if (bracket && read_match(r, ']'))
        return true;
    *shape = message_new(&onnx__tensor_shape_proto__descriptor, r->budget, r->report);
    if (!*shape || !bracket)
        return *shape != NULL;
    do {
        Onnx__TensorShapeProto__Dimension *d = append_message(r, &(*shape)->dim, &(*shape)->n_dim, &room,
                                                              &onnx__tensor_shape_proto__dimension__descriptor);

        if (!d || !read_dimension(r, d))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, ']', "after the dimensions of a tensor");
}

static bool read_element_type(struct reader *r, int32_t *type)
{
    const char *word;
    const size_t n = peek_identifier(r, &word);

    *type = n ? element_type(word, n) : 0;
    if (!*type && !(n && is_word(word, n, UNDEFINED_TYPE)))
        return read_expected(r, "an element type such as 'float'");
    r->at += n;
    return true;
}

static bool read_tensor_type(struct reader *r, Onnx__TypeProto *type)
{
    Onnx__TypeProto__Tensor *t = message_new(&onnx__type_proto__tensor__descriptor, r->budget, r->report);

    if (!t)
        return false;
    type->tensor_type = t;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    t->has_elem_type = 1;
    return read_element_type(r, &t->elem_type) && read_shape(r, &t->shape);
}

static bool read_sparse_type(struct reader *r, Onnx__TypeProto *type)
{
    Onnx__TypeProto__SparseTensor *t = message_new(&onnx__type_proto__sparse_tensor__descriptor, r->budget, r->report);

    if (!t)
        return false;
    type->sparse_tensor_type = t;
    type->value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE;
    t->has_elem_type = 1;
    return read_element_type(r, &t->elem_type) && read_shape(r, &t->shape);
}

static bool read_sequence_type(struct reader *r, Onnx__TypeProto *type)
{
    Onnx__TypeProto__Sequence *t = message_new(&onnx__type_proto__sequence__descriptor, r->budget, r->report);

    if (!t)
        return false;
    type->sequence_type = t;
    type->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    return (t->elem_type = read_type(r));
}

static bool read_optional_type(struct reader *r, Onnx__TypeProto *type)
{
    Onnx__TypeProto__Optional *t = message_new(&onnx__type_proto__optional__descriptor, r->budget, r->report);

    if (!t)
        return false;
    type->optional_type = t;
    type->value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE;
    return (t->elem_type = read_type(r));
}

static bool read_map_type(struct reader *r, Onnx__TypeProto *type)
{
    Onnx__TypeProto__Map *t = message_new(&onnx__type_proto__map__descriptor, r->budget, r->report);

    if (!t)
        return false;
    type->map_type = t;
    type->value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE;
    t->has_key_type = 1;
    return read_element_type(r, &t->key_type) && read_expect(r, ',', "after the key type of a map") &&
           (t->value_type = read_type(r));
}

/* "a.b" from "a" and "b", which is consumed; "b" if `a` is empty. */
static bool join(struct reader *r, char **a, char *b)
{
    char *whole = b;

    if (b && **a) {
        const size_t before = strlen(*a), after = strlen(b);

        whole = budget_alloc(r->budget, before + after + 2, r->report);
        if (whole) {
            memcpy(whole, *a, before);
            whole[before] = '.';
            memcpy(whole + before + 1, b, after + 1);
        }
        budget_free(r->budget, b);
    }
    if (!whole)
        return false;
    budget_free(r->budget, *a);
    *a = whole;
    return true;
}

bool read_dotted(struct reader *r, char **domain, char **name, const char *what)
{
    struct text before = { .budget = r->budget, .report = r->report };
    bool ok;

    *domain = *name = NULL;
    ok = read_name(r, name, what);
    while (ok && read_match(r, '.')) {
        text_add(&before, ".", before.length > 0);
        text_add(&before, *name, strlen(*name));
        budget_free(r->budget, *name);
        *name = NULL;
        ok = !before.failed && read_name(r, name, what);
    }
    if (ok)
        *domain = message_string(before.data, before.length, r->budget, r->report);
    text_release(&before);
    if (*domain)
        return true;
    budget_free(r->budget, *name);
    *name = NULL;
    return false;
}

/* opaque(), opaque(name), opaque(domain, name); dots may be in either. */
static bool read_opaque_type(struct reader *r, Onnx__TypeProto *type)
{
    Onnx__TypeProto__Opaque *t = message_new(&onnx__type_proto__opaque__descriptor, r->budget, r->report);
    char *last;

    if (!t)
        return false;
    type->opaque_type = t;
    type->value_case = ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE;
    if (peek_char(r) == ')')
        return true;
    if (!read_dotted(r, &t->domain, &last, "the name of an opaque type") || !join(r, &t->domain, last))
        return false;
    if (read_match(r, ','))
        return read_name(r, &t->name, "the name of an opaque type");
    t->name = t->domain;
    t->domain = NULL;
    return true;
}

static bool read_type_into(struct reader *r, Onnx__TypeProto *type)
{
    static const struct {
        const char *word;
        bool (*read)(struct reader *r, Onnx__TypeProto *type);
    } kinds[] = {
        { "seq", read_sequence_type },         { "map", read_map_type },       { "optional", read_optional_type },
        { "sparse_tensor", read_sparse_type }, { "opaque", read_opaque_type },
    };
    const char *word;
    const size_t n = peek_identifier(r, &word);

    for (size_t k = 0; n && k < sizeof kinds / sizeof *kinds; k++)
        if (is_word(word, n, kinds[k].word)) {
            r->at += n;
            return read_expect(r, '(', "after the name of the type") && kinds[k].read(r, type) &&
                   read_expect(r, ')', "after the type");
        }
    return read_tensor_type(r, type);
}

Onnx__TypeProto *read_type(struct reader *r)
{
    Onnx__TypeProto *type;
    bool ok;

    /* A TypeProto and what its kind holds; below a tensor's, its shape and dimensions. */
    if (!read_descend(r, 2, 2))
        return NULL;
    type = message_new(&onnx__type_proto__descriptor, r->budget, r->report);
    ok = type && read_type_into(r, type);
    read_ascend(r, 2);
    if (ok)
        return type;
    message_free(type, r->budget);
    return NULL;
}

/* -- tensors -- */

bool read_entries(struct reader *r, Onnx__StringStringEntryProto ***entries, size_t *n)
{
    size_t room = 0, length;

    if (read_match(r, ']'))
        return true;
    do {
        Onnx__StringStringEntryProto *entry =
            append_message(r, entries, n, &room, &onnx__string_string_entry_proto__descriptor);

        if (!entry || !read_quoted(r, &entry->key, &length, true) || !read_expect(r, ':', "after a key") ||
            !read_quoted(r, &entry->value, &length, true))
            return false;
    } while (read_match(r, ','));
    return read_expect(r, ']', "after the entries");
}

/* Room for one more value of a repeated field, which is returned; NULL when there is none. */
static void *one_more(struct reader *r, void *array, size_t n, size_t *room, size_t size)
{
    char *values;

    if (!budget_grow(r->budget, array, room, n + 1, size, r->report))
        return NULL;
    memcpy(&values, array, sizeof values);
    return values + n * size;
}

static bool read_float_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    struct number n;
    float *value = one_more(r, &t->float_data, t->n_float_data, room, sizeof *value);

    if (!value || !read_number(r, &n) || !number_float(r, &n, value))
        return false;
    t->n_float_data++;
    return true;
}

static bool read_double_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    struct number n;
    double *value = one_more(r, &t->double_data, t->n_double_data, room, sizeof *value);

    if (!value || !read_number(r, &n) || !number_double(r, &n, value))
        return false;
    t->n_double_data++;
    return true;
}

static bool read_int32_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    int32_t *value = one_more(r, &t->int32_data, t->n_int32_data, room, sizeof *value);
    int64_t wide;

    if (!value || !read_int(r, &wide))
        return false;
    if (wide < INT32_MIN || wide > INT32_MAX)
        return read_fail(r, "%lld is out of the range of %s", (long long)wide, element_type_name(t->data_type));
    *value = (int32_t)wide;
    t->n_int32_data++;
    return true;
}

static bool read_int64_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    int64_t *value = one_more(r, &t->int64_data, t->n_int64_data, room, sizeof *value);

    if (!value || !read_int(r, value))
        return false;
    t->n_int64_data++;
    return true;
}

static bool read_uint64_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    struct number n;
    uint64_t *value = one_more(r, &t->uint64_data, t->n_uint64_data, room, sizeof *value);

    if (!value || !read_number(r, &n) || !number_uint(r, &n, value))
        return false;
    t->n_uint64_data++;
    return true;
}

static bool read_string_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    ProtobufCBinaryData *value = one_more(r, &t->string_data, t->n_string_data, room, sizeof *value);
    char *text;

    if (!value || !read_quoted(r, &text, &value->len, false))
        return false;
    value->data = (uint8_t *)text;
    t->n_string_data++;
    return true;
}

/* The fields are those that the standard gives to the types. */
static bool read_value(struct reader *r, Onnx__TensorProto *t, size_t *room)
{
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
        return read_float_value(r, t, room);
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
        return read_double_value(r, t, room);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return read_int64_value(r, t, room);
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return read_uint64_value(r, t, room);
    case ONNX__TENSOR_PROTO__DATA_TYPE__STRING:
        return read_string_value(r, t, room);
    default:
        return read_int32_value(r, t, room);
    }
}

static bool read_tensor_shape(struct reader *r, Onnx__TensorProto *t, const Onnx__TypeProto *type)
{
    const Onnx__TensorShapeProto *shape;

    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return read_fail(r, "values need the type of a tensor before them");
    shape = type->tensor_type->shape;
    if (!shape)
        return read_fail(r, "a tensor with values needs all its dimensions, [] is any rank");
    t->has_data_type = 1;
    t->data_type = type->tensor_type->elem_type;
    if (!shape->n_dim)
        return true;
    t->dims = budget_zalloc(r->budget, shape->n_dim, sizeof *t->dims, r->report);
    if (!t->dims)
        return false;
    for (size_t k = 0; k < shape->n_dim; k++) {
        if (shape->dim[k]->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            return read_fail(r, "dimension %zu of a tensor with values is no number", k);
        t->dims[t->n_dims++] = shape->dim[k]->dim_value;
    }
    return true;
}

bool read_tensor(struct reader *r, Onnx__TensorProto *t, const Onnx__TypeProto *type)
{
    size_t room = 0;

    if (!read_tensor_shape(r, t, type))
        return false;
    if (read_match(r, '[')) {
        t->has_data_location = 1;
        t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
        return read_entries(r, &t->external_data, &t->n_external_data);
    }
    if (!read_match(r, '{') || read_match(r, '}'))
        return true;
    do
        if (!read_value(r, t, &room))
            return false;
    while (read_match(r, ','));
    return read_expect(r, '}', "after the values of a tensor");
}
