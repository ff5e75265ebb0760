/* CastMap, https://onnx.ai/onnx/operators/onnx_aionnxml_CastMap.html
 *
 *   DENSE:  Y[0, k] = the value of the k-th key        SPARSE:  Y[0, key] = its value, 0 or "" where there is no key
 *
 * Keys ascend. The text says nothing of Y's shape: it is [1, n] as in onnxruntime, and in SPARSE form [1, max_map]; a key
 * that is below 0, or beyond that, is an error, as the text has it (onnxruntime leaves out what is beyond). Values are
 * cast as by Cast: numbers become text by as few digits as tell them ("0.1"; onnxruntime: "0.100000", and "0.f" where
 * there is no key), text that is no number is an error (onnxruntime reads what it begins with). */
#include "ops/rank.h"
#include "tensor/pairs.h"
#include <string.h>

struct cast_map {
    int64_t length;            /* of SPARSE; 0 */
    enum dtype dtype;          /* to be cast to */
    const struct string *zero; /* what becomes 0 */
};

/* -- values, before they are cast -- */

static bool values_infer(struct infer *i)
{
    const struct cast_map *a = infer_attrs(i);

    return set_out(i, 0, typed_in(i, 0)->dtype, 2, (const int64_t[]){ 1, a->length ? a->length : UNKNOWN });
}

static bool put_dense(struct step *s, const struct pairs *x)
{
    const int64_t dims[] = { 1, x->keys.dims[0] };

    if (!step_alloc(s, 0, x->values.dtype, 2, dims))
        return false;
    if (tensor_bytes(&x->values))
        memcpy(s->out[0]->data, x->values.data, (size_t)tensor_bytes(&x->values));
    return true;
}

static bool put_sparse(struct step *s, const struct pairs *x, const struct cast_map *a)
{
    const struct tensor *y = s->out[0];
    const size_t size = dtype_size(y->dtype);
    const int64_t *const keys = x->keys.data;

    memset(y->data, 0, (size_t)tensor_bytes(y));
    for (int64_t k = 0; y->dtype == STRING && a->dtype != STRING && k < a->length; k++)
        ((const struct string **)y->data)[k] = a->zero;
    for (int64_t k = 0; k < x->keys.dims[0]; k++) {
        if (keys[k] < 0 || keys[k] >= a->length)
            return step_error(s, "the map has key %lld, must be in [0, %lld)", (long long)keys[k],
                              (long long)a->length);
        memcpy((char *)y->data + (size_t)keys[k] * size, (const char *)x->values.data + (size_t)k * size, size);
    }
    return true;
}

static bool values_run(struct step *s)
{
    const struct cast_map *a = s->attrs;

    return a->length ? put_sparse(s, s->in[0]->data, a) : put_dense(s, s->in[0]->data);
}

static const struct op map_values = {
    .name = "MapValues",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "M map -> T values",
                                       .types = "M: map(i64, str f32); T: str f32",
                                       .attrs_size = sizeof(struct cast_map),
                                       .rank = rank_of_matrix,
                                       .infer = values_infer,
                                       .run = values_run,
                                       .no_gradient = "gradients do not flow through maps",
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};

/* -- the node -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const forms[] = { "DENSE", "SPARSE", NULL };
    static const char *const casts[] = { "TO_FLOAT", "TO_STRING", "TO_INT64", NULL };
    static const enum dtype dtypes[] = { F32, STRING, I64 };
    struct string **zero = parse_strings(p, 1, &(const struct bytes){ .data = "0", .length = 1 });
    const int64_t length = attr_int(p, "max_map", 1);
    struct cast_map *a = attrs;

    if (attr_choice(p, "map_form", forms, 0)) {
        if (length < 1)
            return parse_error(p, "max_map is %lld, must be at least 1", (long long)length);
        a->length = length;
    }
    a->dtype = dtypes[attr_choice(p, "cast_to", casts, 0)];
    if (zero)
        a->zero = *zero;
    return zero;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *in = n->in[0], *values;

    if (!emit_private(e, &map_values, n->attrs, 1, &values, NULL, 1, &in))
        return false;
    out[0] = emit_cast(e, values, ((const struct cast_map *)n->attrs)->dtype);
    return out[0];
}

static const struct op_case cases[] = {
    { "map(i64[3]{-3,0,7},f32[3]{1.5,-2,0.1})", "", "f32[1,3]", 0 },
    { "map(i64[3]{-3,0,7},f32[3]{1.5,-2,0.1})", "cast_to='TO_STRING' map_form='DENSE'", "str[1,3]", 0 },
    { "map(i64[3]{4,0,2},f32[3]{1.5,-2,0.1})", "cast_to='TO_INT64' map_form='SPARSE' max_map=5", "i64[1,5]", 0 },
    { "map(i64[1]{1},str[1]{'2'})", "cast_to='TO_INT64' map_form='SPARSE' max_map=3", "i64[1,3]", 0 },
    { "map(i64[1]{1},str[1]{'2.5'})", "cast_to='TO_FLOAT' map_form='SPARSE' max_map=2", "f32[1,2]", 0 },
    { "map(i64[1]{1},str[1]{'x'})", "cast_to='TO_STRING' map_form='SPARSE' max_map=2", "str[1,2]", 0 },
    { "map(i64[0],str[0])", "cast_to='TO_STRING'", "str[1,0]", 0 },
    { 0 },
};

const struct op op_cast_map = {
    .name = "CastMap",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X -> T2 Y",
                                       .types = "T1: map(i64, str f32); T2: str f32 i64",
                                       .attrs_size = sizeof(struct cast_map),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
