/* DictVectorizer, https://onnx.ai/onnx/operators/onnx_aionnxml_DictVectorizer.html
 *
 *   Y[0, k] = X[vocabulary[k]], 0 or "" where X has no such key
 *
 * The text says that Y has one dimension, onnxruntime and the files that converters write have [1, C]. Keys that are not
 * in the vocabulary are left out, as in onnxruntime and the reference; the text says that there are none. */
#include "ops/class_labels.h"
#include "ops/rank.h"
#include "ops/strings.h"
#include "tensor/pairs.h"
#include <string.h>

static bool parse(struct parse *p, void *attrs)
{
    return class_labels_parse(p, "int64_vocabulary", "string_vocabulary", attrs);
}

static bool infer(struct infer *i)
{
    const struct class_labels *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);

    if (x->key != a->dtype)
        return infer_error(i, "'X' has keys of type %s, but the vocabulary is of %s", dtype_name(x->key),
                           dtype_name(a->dtype));
    return set_out(i, 0, x->dtype, 2, (const int64_t[]){ 1, a->count });
}

static bool run(struct step *s)
{
    const struct class_labels *a = s->attrs;
    const struct pairs *x = s->in[0]->data;
    const size_t size = dtype_size(s->out[0]->dtype), key = dtype_size(a->dtype);
    char *const y = s->out[0]->data;

    memset(y, 0, (size_t)a->count * size);
    for (int64_t k = 0; k < a->count && (k % STRINGS_OFTEN || !pool_late(s->pool)); k++) {
        const int64_t at = map_find(x, (const char *)a->labels + (size_t)k * key);

        if (at >= 0)
            memcpy(y + (size_t)k * size, (const char *)x->values.data + (size_t)at * size, size);
    }
    return true;
}

static const struct op_case cases[] = {
    { "map(str[3]{'a','c','z'},f32[3]{1.5,2,3})", "string_vocabulary=['c','b','a','c']", "f32[1,4]", 0 },
    { "map(i64[2]{-3,7},f64[2])", "int64_vocabulary=[7,8,-3]", "f64[1,3]", 0 },
    { "map(i64[2]{-3,7},f32[2])", "int64_vocabulary=[7]", "f32[1,1]", 0 },
    { "map(i64[2]{-3,7},str[2]{'x',''})", "int64_vocabulary=[7,8,-3]", "str[1,3]", 0 },
    { "map(str[1]{''},i64[1]{-5})", "string_vocabulary=['','b']", "i64[1,2]", 0 },
    { "map(str[1]{'b'},f64[1])", "string_vocabulary=['','b']", "f64[1,2]", 0 },
    { "map(str[0],f32[0])", "string_vocabulary=['a']", "f32[1,1]", 0 },
    { 0 },
};

const struct op op_dict_vectorizer = {
    .name = "DictVectorizer",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X -> T2 Y",
                                       .types = "T1: map(str, i64 f32 f64) map(i64, str f32 f64); T2: i64 f32 f64 str",
                                       .attrs_size = sizeof(struct class_labels),
                                       .parse = parse,
                                       .rank = rank_of_matrix,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "gradients do not flow through maps",
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
