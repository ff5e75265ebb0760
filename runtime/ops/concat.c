/* Concat, https://onnx.ai/onnx/operators/onnx__Concat.html
 *
 * The inputs one after the other along `axis`; all other dimensions are equal. The gradient is split again. */
#include "ops/concat.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include <stdio.h>
#include <string.h>

/* -- read -- */

bool concat_parse(struct parse *p, void *attrs)
{
    struct concat *a = attrs;

    if (!attr_given(p, "axis"))
        return parse_error(p, "attribute 'axis' is missing");
    a->axis = attr_int(p, "axis", 0);
    return true;
}

static bool parse_1(struct parse *p, void *attrs)
{
    ((struct concat *)attrs)->axis = 1;
    return !attr_given(p, "axis") || concat_parse(p, attrs);
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct concat *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    const struct concat *a = n->attrs;

    for (int k = 0; k < n->inputs; k++)
        if (!rows[k])
            return false;
    return wrap_axis(a->axis, types[0]->rank) > 0;
}

/* -- plan -- */

bool concat_add(int rank, int64_t *dims, int axis, const struct tensor *x, const char *what, int64_t k,
                char message[CONCAT_TEXT])
{
    if (x->rank != rank) {
        snprintf(message, CONCAT_TEXT, "%s %lld has %d dimensions, must have %d as %s 0", what, (long long)k, x->rank,
                 rank, what);
        return false;
    }
    for (int d = 0; d < rank; d++)
        if (d != axis && x->dims[d] != dims[d]) {
            snprintf(message, CONCAT_TEXT, "dimension %d of %s %lld is %lld, must be %lld as in %s 0", d, what,
                     (long long)k, (long long)x->dims[d], (long long)dims[d], what);
            return false;
        }
    if (add_size(dims[axis], x->dims[axis], &dims[axis]))
        return true;
    snprintf(message, CONCAT_TEXT, "dimension %d of the output would have more values than can be counted", axis);
    return false;
}

static bool infer(struct infer *i)
{
    const struct concat *a = infer_attrs(i);
    const struct tensor *first = typed_in(i, 0);
    const int axis = layout_wrap(a->channels_last, first->rank, a->axis);
    char message[CONCAT_TEXT];
    int64_t dims[MAX_RANK];

    if (axis < 0)
        return axis_error(i, a->axis, first->rank);
    memcpy(dims, first->dims, (size_t)first->rank * sizeof *dims);
    for (int k = 1; k < infer_inputs(i); k++)
        if (!concat_add(first->rank, dims, axis, typed_in(i, k), "input", k, message))
            return infer_error(i, "%s", message);
    return set_out(i, 0, first->dtype, first->rank, dims);
}

/* -- run -- */

void concat_put(struct step *s, const struct tensor *x, int axis, int64_t at, struct tensor *y)
{
    move_box(s->k, s->pool, dtype_size(y->dtype), y->rank, x->dims, x->dims, 0, x->data, y->dims,
             at * dims_product(y->dims, axis + 1, y->rank), y->data);
}

void concat_take(struct step *s, const struct tensor *y, int axis, int64_t at, struct tensor *x)
{
    move_box(s->k, s->pool, dtype_size(y->dtype), y->rank, x->dims, y->dims,
             at * dims_product(y->dims, axis + 1, y->rank), y->data, x->dims, 0, x->data);
}

static bool run(struct step *s)
{
    const struct concat *a = s->attrs;
    const int axis = layout_wrap(a->channels_last, s->out[0]->rank, a->axis);
    int64_t at = 0;

    for (int k = 0; k < s->node->inputs; k++) {
        concat_put(s, s->in[k], axis, at, s->out[0]);
        at += s->in[k]->dims[axis];
    }
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct concat *a = attrs_of(b);
    const int inputs = node_of(b)->inputs, axis = layout_wrap(a->channels_last, type_in(b, 0)->rank, a->axis);
    struct emitter *e = emitter_of(b);
    int64_t *sizes = emit_alloc(e, (size_t)inputs * sizeof *sizes);
    struct value **parts = emit_alloc(e, (size_t)inputs * sizeof(struct value *));
    char text[32];

    if (!sizes || !parts)
        return backward_ok(b);
    for (int k = 0; k < inputs; k++)
        sizes[k] = type_in(b, k)->dims[axis];
    snprintf(text, sizeof text, "axis=%d", axis);
    if (inputs == 1)
        parts[0] = upstream(b, 0);
    else
        emit_many(e, "Split", text, inputs, parts, 2,
                  (struct value *[]){ upstream(b, 0), emit_ints(e, inputs, sizes) });
    for (int k = 0; k < inputs; k++)
        if (wants(b, k))
            give(b, k, parts[k]);
    return backward_ok(b);
}

/* The class token of a vision transformer (Dosovitskiy and others, arXiv:2010.11929). */
static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_AS_TOKEN, 0, "token", NULL, NULL },
    { PARAMETER_TRAINS_AS_TOKEN, 1, "token", NULL, NULL },
    { 0 },
};

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3] f32[2,1] f32[2,2]", "axis=1", "f32[2,6]", 7 }, { "f64[2,3,4] f64[1,3,4]", "axis=0", "f64[3,3,4]", 3 }, \
        { "i8[3,5]", "axis=1", "i8[3,5]", 0 }, { "str[1] str[2]", "axis=0", "str[3]", 0 },                             \
        { "f32[2,0] f32[2,3]", "axis=1", "f32[2,3]", 0 },                                                              \
    {                                                                                                                  \
        "c128[2,1,2] c128[2,3,2]", "axis=1", "c128[2,4,2]", 0                                                          \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case cases_1[] = { { "f32[2,3,4] f32[2,1,4]", "", "f32[2,4,4]", 3 },
                                          { "f64[2,3] f64[1,3]", "axis=0", "f64[3,3]", 3 },
                                          { 0 } };
static const struct op_case cases_11[] = { CASES, { "f32[2,3,4] f32[2,3,1]", "axis=-1", "f32[2,3,5]", 3 }, { 0 } };

#define ROW(version, t, reader, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T inputs... -> T concat_result", .types = "T: " t,                             \
        .attrs_size = sizeof(struct concat), .parse = reader, .rank = rank_of_input, .infer = infer, .run = run,       \
        .gradient = gradient, .flags = OP_MOVES, .channels_last = channels_last,                                       \
        .batch_independent = batch_independent, .parameters = parameters, .cases = tests                               \
    }

const struct op op_concat = {
    .name = "Concat",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "all bf16", concat_parse, cases_11),
                                     ROW(11, "all", concat_parse, cases_11),
                                     ROW(4, "all", concat_parse, cases),
                                     ROW(1, "floats", parse_1, cases_1),
                                     { 0 } },
};
