#include "train/fix_shapes.h"
#include "model/message.h"
#include <string.h>

typedef Onnx__TensorShapeProto__Dimension dimension;

/* Of a tensor; NULL where none is declared. */
static Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *v)
{
    const Onnx__TypeProto *t = v->type;

    return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? t->tensor_type->shape : NULL;
}

static bool is_open(const dimension *d)
{
    return d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
}

static void set_dim(dimension *d, int64_t size, struct budget *b)
{
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
        budget_free(b, d->dim_param);
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    d->dim_value = size;
}

static void set_symbol_in(Onnx__ValueInfoProto *const *list, size_t count, const char *symbol, int64_t size,
                          struct budget *b)
{
    for (size_t k = 0; k < count; k++) {
        const Onnx__TensorShapeProto *s = shape_of(list[k]);

        for (size_t d = 0; s && d < s->n_dim; d++) {
            const char *has = symbol_of_proto(s->dim[d]);

            if (has && strcmp(has, symbol) == 0)
                set_dim(s->dim[d], size, b);
        }
    }
}

/* `symbol` is a copy: what it was copied from goes. */
static void set_symbol(const Onnx__GraphProto *g, const char *symbol, int64_t size, struct budget *b)
{
    set_symbol_in(g->input, g->n_input, symbol, size, b);
    set_symbol_in(g->output, g->n_output, symbol, size, b);
    set_symbol_in(g->value_info, g->n_value_info, symbol, size, b);
}

/* -- an input -- */

static Onnx__ValueInfoProto *find_input(const Onnx__GraphProto *g, const char *name)
{
    for (size_t k = 0; k < g->n_input; k++)
        if (strcmp(or_empty(g->input[k]->name), name) == 0)
            return g->input[k];
    return NULL;
}

/* Could the input be of that shape? */
static bool may_be(const struct tensor *declared, const kiln_shape *f, struct report *r)
{
    char need[TYPE_TEXT], got[TYPE_TEXT];
    struct tensor t = *declared;
    int64_t dims[MAX_RANK];
    bool fits = declared->rank < 0 || declared->rank == f->rank;

    if (declared->kind != TENSOR)
        return fail(r, KILN_BAD_DATA, NULL, "input '%s' is %s, which has no shape", f->input,
                    tensor_text(declared, need));
    for (int d = 0; d < f->rank && d < MAX_RANK; d++) /* one that stays open is any */
        dims[d] = declared->rank == f->rank && f->dims[d] == UNKNOWN ? (declared->dims[d] < 0 ? 1 : declared->dims[d])
                                                                     : f->dims[d];
    if (f->rank > MAX_RANK || !tensor_shape(&t, declared->dtype, f->rank, dims) || !tensor_known(&t))
        return fail(r, KILN_BAD_ARGUMENT, NULL, "input '%s' can have no such shape", f->input);
    for (int d = 0; fits && d < declared->rank; d++)
        fits = declared->dims[d] < 0 || declared->dims[d] == dims[d];
    return fits || fail(r, KILN_BAD_DATA, NULL, "input '%s' is %s, cannot be %s", f->input, tensor_text(declared, need),
                        tensor_text(&t, got));
}

static bool fix_dim(struct model *m, dimension *d, int64_t size, struct report *r)
{
    const char *symbol = symbol_of_proto(d);
    char *name = symbol ? message_string(symbol, strlen(symbol), &m->budget, r) : NULL;

    if (symbol && !name)
        return false;
    if (name)
        set_symbol(m->proto->graph, name, size, &m->budget);
    else
        set_dim(d, size, &m->budget);
    budget_free(&m->budget, name);
    return true;
}

static bool fix_input(struct model *m, const kiln_shape *f, struct report *r)
{
    Onnx__ValueInfoProto *input = find_input(m->proto->graph, f->input);
    struct tensor declared = { .rank = UNKNOWN };
    Onnx__TensorShapeProto *s;

    if (!input)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "the model has no input '%s'", f->input);
    if (!input->type)
        return fail(r, KILN_BAD_DATA, NULL, "input '%s' is of no type, which could have a shape", f->input);
    if (!type_of_proto(&declared, input->type, NULL, r) || !may_be(&declared, f, r))
        return false;
    s = shape_of(input);
    if (!s) {
        tensor_shape(&declared, declared.dtype, f->rank, f->dims); /* all of them: none was declared that may stay */
        input->type->tensor_type->shape = shape_to_proto(&declared, &m->budget, r);
        return input->type->tensor_type->shape;
    }
    for (int d = 0; d < f->rank; d++)
        if (f->dims[d] != UNKNOWN &&
            (is_open(s->dim[d]) ? !fix_dim(m, s->dim[d], f->dims[d], r) : s->dim[d]->dim_value != f->dims[d]))
            return fail(r, KILN_BAD_DATA, NULL, "dimension %d of input '%s' would be %lld and %lld", d, f->input,
                        (long long)s->dim[d]->dim_value, (long long)f->dims[d]);
    return true;
}

bool model_fix_shapes(struct model *m, const kiln_shape *shapes, size_t count, struct report *r)
{
    for (size_t k = 0; k < count; k++) {
        for (size_t before = 0; before < k; before++)
            if (strcmp(shapes[before].input, shapes[k].input) == 0)
                return fail(r, KILN_BAD_ARGUMENT, NULL, "input '%s' is given two shapes", shapes[k].input);
        if (!fix_input(m, &shapes[k], r))
            return false;
    }
    return true;
}
