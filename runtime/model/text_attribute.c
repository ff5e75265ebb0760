#include "model/text_lex.h"
#include <string.h>

/* A value on its own, or one of a list. What it points to belongs to whoever reads it on. */
struct attribute_value {
    int type; /* AttributeProto.AttributeType; 0: a reference */
    float f;
    int64_t i;
    ProtobufCBinaryData s;
    Onnx__TensorProto *t;
    Onnx__GraphProto *g;
    Onnx__TypeProto *tp;
    char *reference;
};

static void release_value(struct reader *r, struct attribute_value *v)
{
    budget_free(r->budget, v->s.data);
    message_free(v->t, r->budget);
    message_free(v->g, r->budget);
    message_free(v->tp, r->budget);
    budget_free(r->budget, v->reference);
    *v = (struct attribute_value){ 0 };
}

/* -- a value -- */

/* A type; if values follow, a tensor of that type, with or without a name. */
static bool read_typed(struct reader *r, struct attribute_value *v)
{
    const char *word;
    bool named;

    v->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO;
    v->tp = read_type(r);
    if (!v->tp)
        return false;
    named = peek_char(r) == '"' || peek_identifier(r, &word);
    if (!named && peek_char(r) != '=' && peek_char(r) != '{' && peek_char(r) != '[')
        return true;
    v->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    v->t = message_new(&onnx__tensor_proto__descriptor, r->budget, r->report);
    if (!v->t)
        return false;
    /* Without a name it is present and empty, as the standard's parser has it. */
    if (named ? !read_name(r, &v->t->name, "the name of a tensor")
              : !(v->t->name = message_string("", 0, r->budget, r->report)))
        return false;
    read_match(r, '=');
    if (!read_tensor(r, v->t, v->tp))
        return false;
    message_free(v->tp, r->budget);
    v->tp = NULL;
    return true;
}

static bool read_scalar(struct reader *r, struct attribute_value *v, int expected)
{
    struct number n;

    if (!read_number(r, &n))
        return false;
    if (n.kind == NUMBER_INT && expected != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT) {
        v->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        return number_int(r, &n, &v->i);
    }
    v->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    return number_float(r, &n, &v->f);
}

static bool read_single(struct reader *r, struct attribute_value *v, int expected)
{
    const char *word;
    const size_t n = peek_identifier(r, &word);
    const bool named = n > 0;
    char *text;

    *v = (struct attribute_value){ 0 };
    if (named && (peek_type(r) ||
                  (expected == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO && is_word(word, n, UNDEFINED_TYPE))))
        return read_typed(r, v);
    /* What follows its name tells a graph in quotes from a text. */
    if (named ? !peek_special(r) : peek_quoted(r, '(')) {
        v->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
        return (v->g = read_graph(r));
    }
    if (peek_char(r) == '"') {
        v->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        if (!read_quoted(r, &text, &v->s.len, false))
            return false;
        v->s.data = (uint8_t *)text;
        return true;
    }
    if (read_match(r, '@'))
        return read_name(r, &v->reference, "the name of an attribute");
    return read_scalar(r, v, expected);
}

static bool read_checked(struct reader *r, struct attribute_value *v, int expected)
{
    const size_t from = r->at;

    if (!read_single(r, v, expected))
        return false;
    if (!expected || v->reference || v->type == expected)
        return true;
    r->at = from;
    peek_char(r);
    return read_fail(r, "the value is of type '%s', '%s' is needed", attribute_type_name(v->type),
                     attribute_type_name(expected));
}

/* -- into the attribute -- */

static void set_type(Onnx__AttributeProto *a, int type)
{
    a->has_type = 1;
    a->type = (Onnx__AttributeProto__AttributeType)type;
}

static void take_single(Onnx__AttributeProto *a, struct attribute_value *v)
{
    a->t = v->t;
    a->g = v->g;
    a->tp = v->tp;
    a->ref_attr_name = v->reference;
    if (v->reference)
        return;
    set_type(a, v->type);
    if (v->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT) {
        a->has_f = 1;
        a->f = v->f;
    } else if (v->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT) {
        a->has_i = 1;
        a->i = v->i;
    } else if (v->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING) {
        a->has_s = 1;
        a->s = v->s;
    }
}

/* The type of a list whose values are of `type`, and the reverse; 0 where there is none. */
static const uint8_t list_types[][2] = {
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS },
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS },
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS },
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS },
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS },
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS },
    { ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS },
};

static int other_type(int type, bool to_list)
{
    for (size_t k = 0; k < sizeof list_types / sizeof *list_types; k++)
        if (list_types[k][!to_list] == type)
            return list_types[k][to_list];
    return 0;
}

#define ADD(field, value)                                                                                              \
    (budget_grow(r->budget, &a->field, room, a->n_##field + 1, sizeof *a->field, r->report) &&                         \
     (a->field[a->n_##field++] = (value), true))

/* True: the value now belongs to the list. */
static bool take_listed(struct reader *r, Onnx__AttributeProto *a, const struct attribute_value *v, size_t *room)
{
    switch (v->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        return ADD(floats, v->f);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        return ADD(ints, v->i);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        return ADD(strings, v->s);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return ADD(tensors, v->t);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        return ADD(graphs, v->g);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
        return ADD(type_protos, v->tp);
    default:
        return read_fail(r, "a reference cannot be part of a list");
    }
}

#undef ADD

static bool read_list(struct reader *r, Onnx__AttributeProto *a)
{
    int expected = other_type(a->type, false);
    size_t room = 0;

    if (a->has_type && !expected)
        return read_fail(r, "a list is found, the type '%s' is needed", attribute_type_name(a->type));
    if (read_match(r, ']'))
        return a->has_type || read_fail(r, "an empty list needs its type: 'name: ints = []'");
    do {
        struct attribute_value v;

        if (!read_checked(r, &v, expected) || !take_listed(r, a, &v, &room)) {
            release_value(r, &v);
            return false;
        }
        expected = v.type;
        set_type(a, other_type(expected, true));
    } while (read_match(r, ','));
    return read_expect(r, ']', "after the values of a list");
}

bool read_attribute(struct reader *r, Onnx__AttributeProto *a)
{
    struct attribute_value v;
    const char *word;

    if (read_match(r, ':')) {
        const size_t n = peek_identifier(r, &word);
        const int type = n ? attribute_type(word, n) : 0;

        if (!type)
            return read_expected(r, "the type of an attribute");
        r->at += n;
        set_type(a, type);
    }
    if (!read_expect(r, '=', "after the name of an attribute"))
        return false;
    if (read_match(r, '['))
        return read_list(r, a);
    if (!read_checked(r, &v, a->has_type ? (int)a->type : 0)) {
        release_value(r, &v);
        return false;
    }
    take_single(a, &v);
    return true;
}
