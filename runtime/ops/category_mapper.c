/* CategoryMapper, https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html
 *
 *   Y = cats_int64s[i] where X is cats_strings[i], and the other way round; default_int64, default_string where it is
 *       nowhere
 *
 * Of a category that is there several times the last place counts, as in onnxruntime. */
#include "ops/label_map.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const struct attr *strings = attr_list(p, "cats_strings", ATTR_STRINGS);
    struct attr_values values = { .dtype = I64 }, keys = { .dtype = STRING };
    int64_t count;

    values.data = attr_int64s(p, "cats_int64s", &count);
    values.count = (size_t)count;
    if (strings) {
        keys.count = strings->count;
        keys.data = parse_strings(p, keys.count, strings->strings);
    }
    return (!strings || keys.data) && label_maps_make(p, attrs, &keys, &values);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "str[2,3]{'a','b','zz','','b','a'}", "cats_strings=['a','b'] cats_int64s=[7,-3]", "i64[2,3]", 0 },
    { "i64[4]{7,-3,0,7}", "cats_strings=['a','b'] cats_int64s=[7,-3] default_string='none'", "str[4]", 0 },
    { "str[2]{'','a'}", "cats_strings=['a',''] cats_int64s=[1,2] default_int64=9", "i64[2]", 0 },
    { "str[]{'a'}", "cats_strings=['a'] cats_int64s=[1]", "i64[]", 0 },
    { "i64[0,3]{}", "", "str[0,3]", 0 },
    { 0 },
};

const struct op op_category_mapper = {
    .name = "CategoryMapper",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X -> T2 Y",
                                       .types = "T1: i64 str; T2: i64 str",
                                       .attrs_size = sizeof(struct label_maps),
                                       .parse = parse,
                                       .dtype = label_maps_told,
                                       .infer = label_maps_infer,
                                       .run = label_maps_run,
                                       .gradient = zero_gradient,
                                       .flags = OP_ELEMENTWISE,
                                       .cases = cases },
                                     { 0 } },
};
